#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/schema.h"
#include "tests/support/store_fixture.h"

struct place {
    char folder[64];
    char path[80];
    struct sql_health health;
    struct sql *sql;
};

static const struct schema_migration FIRST = {1, "first", "CREATE TABLE a (n INTEGER) STRICT;"};
static const struct schema_migration SECOND = {2, "second",
                                               "CREATE TABLE b (n INTEGER) STRICT; ALTER TABLE a ADD m INTEGER;"};
/* Fails half-way. */
static const struct schema_migration BROKEN = {2, "broken", "CREATE TABLE c (n INTEGER) STRICT; CREATE TABLE a (n);"};
static const struct schema_migration FIRST_CHANGED = {1, "first", "CREATE TABLE a (n INTEGER) STRICT; "};
static const struct schema_migration CREATE_ANY = {3, "third", "CREATE TABLE d (n ANY) STRICT;"};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    fixture_make_folder(place->folder);
    (void)snprintf(place->path, sizeof place->path, "%s/a.db", place->folder);
    assert_int_equal(sql_open(&place->sql, place->path, SQL_WRITE, &place->health).reason, CL_OK);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    sql_close(place->sql);
    fixture_remove_folder(place->folder);
    free(place);
    return 0;
}

static int64_t ask(struct sql *sql, const char *text)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_int_equal(sql_prepare(&statement, sql, text).reason, CL_OK);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    int64_t answer = row ? sql_column_i64(statement, 0) : -1;
    sql_finish(statement);
    return answer;
}

static const char TABLES[] = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
static const char APPLIED[] = "SELECT count(*) FROM migrations";

static void migrations_are_applied_once_and_in_order(void **state)
{
    struct place *place = *state;
    const struct schema_migration all[] = {FIRST, SECOND, CREATE_ANY};
    for (size_t count = 0; count <= 3; count++) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(schema_migrate(place->sql, all, count, 100 + (int64_t)count).reason, CL_OK);
            assert_int_equal(ask(place->sql, APPLIED), (int64_t)count);
            assert_int_equal(ask(place->sql, TABLES), 1 + (int64_t)count);
        }
    }
    assert_int_equal(ask(place->sql, "SELECT group_concat(applied_ms, '') = '101102103' FROM migrations"), 1);
    assert_int_equal(ask(place->sql, "SELECT group_concat(name, ' ') = 'first second third' FROM migrations"), 1);
}

static void what_does_not_fit_is_refused_without_a_change(void **state)
{
    struct place *place = *state;
    const struct schema_migration two[] = {FIRST, SECOND};
    const struct schema_migration changed[] = {FIRST_CHANGED, SECOND, CREATE_ANY};
    assert_int_equal(schema_migrate(place->sql, two, 2, 0).reason, CL_OK);
    assert_int_equal(schema_migrate(place->sql, two, 1, 0).reason, CL_CONFIG_INVALID);     /* the database is newer */
    assert_int_equal(schema_migrate(place->sql, changed, 3, 0).reason, CL_CONFIG_INVALID); /* the first one changed */
    assert_int_equal(ask(place->sql, APPLIED), 2);
    assert_int_equal(ask(place->sql, TABLES), 3);
    assert_int_equal(schema_migrate(place->sql, two, 2, 0).reason, CL_OK);
    assert_false(sql_health_failed(&place->health));
}

static void a_migration_that_fails_leaves_nothing(void **state)
{
    struct place *place = *state;
    const struct schema_migration broken[] = {FIRST, BROKEN};
    const struct schema_migration mended[] = {FIRST, SECOND};
    assert_int_equal(schema_migrate(place->sql, broken, 2, 0).reason, CL_INTERNAL);
    assert_int_equal(ask(place->sql, APPLIED), 1);
    assert_int_equal(ask(place->sql, "SELECT count(*) FROM sqlite_schema WHERE name = 'c'"), 0);
    assert_int_equal(schema_migrate(place->sql, mended, 2, 0).reason, CL_OK);
}

static void another_programs_database_is_refused(void **state)
{
    struct place *place = *state;
    assert_int_equal(sql_script(place->sql, "CREATE TABLE theirs (n INTEGER) STRICT").reason, CL_OK);
    assert_int_equal(schema_migrate(place->sql, &FIRST, 1, 0).reason, CL_CONFIG_INVALID);
    assert_int_equal(ask(place->sql, TABLES), 1);
    assert_int_equal(sql_script(place->sql, "DROP TABLE theirs; PRAGMA application_id = 7").reason, CL_OK);
    assert_int_equal(schema_migrate(place->sql, &FIRST, 1, 0).reason, CL_CONFIG_INVALID);
    assert_int_equal(ask(place->sql, TABLES), 0);
}

/* Each table is STRICT, so that a column holds what it says. */
static void the_programs_own_schema_is_whole_and_strict(void **state)
{
    struct place *place = *state;
    assert_int_equal(schema_migrate(place->sql, schema_migrations, schema_migration_count, 5).reason, CL_OK);
    assert_int_equal(ask(place->sql, APPLIED), (int64_t)schema_migration_count);
    assert_int_equal(ask(place->sql, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                                     " AND sql NOT LIKE '%) STRICT%'"),
                     0);
    assert_true(ask(place->sql, TABLES) > 10);
    assert_int_equal(sql_check(place->sql).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(migrations_are_applied_once_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused_without_a_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_migration_that_fails_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_programs_database_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_programs_own_schema_is_whole_and_strict, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
