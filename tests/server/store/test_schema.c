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
    char address[FIXTURE_ADDRESS_BYTES];
    struct sql_health health;
    struct sql *sql;
};

static const struct schema_migration FIRST = {1, "first", "CREATE TABLE a (n INTEGER) STRICT;"};
static const struct schema_migration SECOND = {2, "second",
                                               "CREATE TABLE b (n INTEGER) STRICT; ALTER TABLE a ADD m INTEGER;"};
/* Fails half-way. */
static const struct schema_migration BROKEN = {2, "broken",
                                               "CREATE TABLE c (n INTEGER) STRICT; CREATE TABLE a (n INTEGER) STRICT;"};
static const struct schema_migration FIRST_CHANGED = {1, "first", "CREATE TABLE a (n INTEGER) STRICT; "};
static const struct schema_migration THIRD = {3, "third", "CREATE TABLE d (n TEXT) STRICT;"};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    fixture_make_folder(place->folder);
    fixture_make_address(place->address, place->folder);
    assert_int_equal(sql_open(&place->sql, place->address, SQL_WRITE, &place->health).reason, CL_OK);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    sql_close(place->sql);
    fixture_drop_address(place->address);
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

/* Not counting the engine's own. */
static int64_t count_tables(struct place *place)
{
    static const char sqlite[] = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
    static const char postgres[] = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
                                   " AND tablename <> 'store_writers'";
    return ask(place->sql, fixture_on_postgres() ? postgres : sqlite);
}

static const char APPLIED[] = "SELECT count(*) FROM migrations";

static void migrations_are_applied_once_and_in_order(void **state)
{
    struct place *place = *state;
    const struct schema_migration all[] = {FIRST, SECOND, THIRD};
    for (size_t count = 0; count <= 3; count++) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(schema_migrate(place->sql, all, count, 100 + (int64_t)count).reason, CL_OK);
            assert_int_equal(ask(place->sql, APPLIED), (int64_t)count);
            assert_int_equal(count_tables(place), 1 + (int64_t)count);
        }
    }
    assert_int_equal(ask(place->sql, "SELECT count(*) FROM migrations WHERE applied_ms = 100 + number"), 3);
    assert_int_equal(ask(place->sql, "SELECT number FROM migrations WHERE name = 'first'"), 1);
    assert_int_equal(ask(place->sql, "SELECT number FROM migrations WHERE name = 'third'"), 3);
}

static void what_does_not_fit_is_refused_without_a_change(void **state)
{
    struct place *place = *state;
    const struct schema_migration two[] = {FIRST, SECOND};
    const struct schema_migration changed[] = {FIRST_CHANGED, SECOND, THIRD};
    assert_int_equal(schema_migrate(place->sql, two, 2, 0).reason, CL_OK);
    assert_int_equal(schema_migrate(place->sql, two, 1, 0).reason, CL_CONFIG_INVALID);     /* the database is newer */
    assert_int_equal(schema_migrate(place->sql, changed, 3, 0).reason, CL_CONFIG_INVALID); /* the first one changed */
    assert_int_equal(ask(place->sql, APPLIED), 2);
    assert_int_equal(count_tables(place), 3);
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
    assert_int_equal(count_tables(place), 2);
    assert_int_equal(schema_migrate(place->sql, mended, 2, 0).reason, CL_OK);
}

static void another_programs_database_is_refused(void **state)
{
    struct place *place = *state;
    assert_int_equal(sql_define(place->sql, "CREATE TABLE theirs (n INTEGER) STRICT;").reason, CL_OK);
    assert_int_equal(schema_migrate(place->sql, &FIRST, 1, 0).reason, CL_CONFIG_INVALID);
    assert_int_equal(count_tables(place), 1);
    assert_int_equal(sql_script(place->sql, "DROP TABLE theirs").reason, CL_OK);
    if (!fixture_on_postgres()) {
        assert_int_equal(sql_script(place->sql, "PRAGMA application_id = 7").reason, CL_OK);
        assert_int_equal(schema_migrate(place->sql, &FIRST, 1, 0).reason, CL_CONFIG_INVALID);
        assert_int_equal(sql_script(place->sql, "PRAGMA application_id = 0").reason, CL_OK);
    }
    assert_int_equal(count_tables(place), 0);
    assert_int_equal(schema_migrate(place->sql, &FIRST, 1, 0).reason, CL_OK);
}

/* On SQLite each table is STRICT, so that a column holds what it says. */
static void the_programs_own_schema_is_whole(void **state)
{
    struct place *place = *state;
    assert_int_equal(schema_migrate(place->sql, schema_migrations, schema_migration_count, 5).reason, CL_OK);
    assert_int_equal(ask(place->sql, APPLIED), (int64_t)schema_migration_count);
    if (!fixture_on_postgres()) {
        assert_int_equal(ask(place->sql, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                                         " AND sql NOT LIKE '%) STRICT%'"),
                         0);
    }
    assert_true(count_tables(place) > 10);
    assert_int_equal(sql_check(place->sql).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(migrations_are_applied_once_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused_without_a_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_migration_that_fails_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_programs_database_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_programs_own_schema_is_whole, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
