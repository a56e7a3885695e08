/* Both engines' catalogues after all migrations: the same tables, columns, indexes and triggers, and as many constraints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/schema.h"
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

enum { SQLITE, POSTGRES, ENGINES, TEXT_BYTES = 64 * 1024 };

struct place {
    char folder[64];
    char addresses[ENGINES][FIXTURE_ADDRESS_BYTES];
    struct sql_health health;
    struct sql *sql[ENGINES];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    struct postgres_server server;
    assert_true(postgres_server_shared(&server));
    fixture_make_folder(place->folder);
    (void)snprintf(place->addresses[SQLITE], FIXTURE_ADDRESS_BYTES, "%s/a.db", place->folder);
    postgres_database_create(place->addresses[POSTGRES], &server);
    for (int i = 0; i < ENGINES; i++) {
        assert_int_equal(sql_open(&place->sql[i], place->addresses[i], SQL_WRITE, &place->health).reason, CL_OK);
        assert_int_equal(schema_migrate(place->sql[i], schema_migrations, schema_migration_count, 5).reason, CL_OK);
    }
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < ENGINES; i++) {
        sql_close(place->sql[i]);
    }
    postgres_database_drop(place->addresses[POSTGRES]);
    fixture_remove_folder(place->folder);
    free(place);
    return 0;
}

/* All rows of a question, columns of text, one line each. */
static void read_all(char out[TEXT_BYTES], struct sql *sql, const char *text, int columns)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    size_t len = 0;
    out[0] = '\0';
    assert_int_equal(sql_ask(&statement, &row, sql, text).reason, CL_OK);
    while (row) {
        for (int i = 0; i < columns; i++) {
            len += (size_t)snprintf(out + len, TEXT_BYTES - len, "%s ", sql_column_text(statement, i));
            assert_true(len < TEXT_BYTES - 1);
        }
        len += (size_t)snprintf(out + len, TEXT_BYTES - len, "\n");
        assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    }
}

#define OWN "c.relnamespace = current_schema()::regnamespace AND c.relname <> 'store_writers'"

static const struct {
    const char *name;
    int columns;
    const char *texts[ENGINES];
} rows[] = {
    {"columns",
     4,
     {"SELECT m.name, t.name, t.type, CASE WHEN t.\"notnull\" THEN 'required' ELSE '' END"
      " FROM sqlite_schema m, pragma_table_info(m.name) t WHERE m.type = 'table' ORDER BY m.name, t.cid",
      "SELECT c.relname::text, a.attname::text, CASE a.atttypid WHEN 20 THEN 'INTEGER' WHEN 17 THEN 'BLOB'"
      " WHEN 25 THEN CASE (SELECT collname FROM pg_collation WHERE oid = a.attcollation) WHEN 'C' THEN 'TEXT'"
      " ELSE 'text of a language' END ELSE 'other' END, CASE WHEN a.attnotnull THEN 'required' ELSE '' END"
      " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relkind = 'r' AND " OWN
      " ORDER BY c.relname, a.attnum"}},
    {"triggers",
     2,
     {"SELECT tbl_name, name FROM sqlite_schema WHERE type = 'trigger' ORDER BY tbl_name, name",
      "SELECT c.relname::text, t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
      " WHERE NOT t.tgisinternal ORDER BY c.relname, t.tgname"}},
    {"indexes",
     2,
     {"SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY tbl_name, name",
      "SELECT c.relname::text, i.relname::text FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid"
      " JOIN pg_class i ON i.oid = x.indexrelid WHERE NOT EXISTS (SELECT 1 FROM pg_constraint"
      " WHERE conindid = i.oid AND contype IN ('p', 'u')) AND " OWN " ORDER BY c.relname, i.relname"}},
    {"what is unique, by table",
     2,
     {"SELECT m.name, CAST(count(*) AS TEXT) FROM sqlite_schema m, pragma_index_list(m.name) l WHERE m.type = 'table'"
      " AND l.\"unique\" AND l.origin = 'u' GROUP BY m.name ORDER BY m.name",
      "SELECT c.relname::text, count(*)::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
      " WHERE k.contype = 'u' AND " OWN " GROUP BY c.relname ORDER BY c.relname"}},
    {"references",
     3,
     {"SELECT m.name, f.\"table\", CAST(count(DISTINCT f.id) AS TEXT) FROM sqlite_schema m,"
      " pragma_foreign_key_list(m.name) f WHERE m.type = 'table' GROUP BY m.name, f.\"table\" ORDER BY m.name, "
      "f.\"table\"",
      "SELECT c.relname::text, t.relname::text, count(*)::text FROM pg_constraint k JOIN pg_class c ON c.oid = "
      "k.conrelid"
      " JOIN pg_class t ON t.oid = k.confrelid WHERE k.contype = 'f' GROUP BY c.relname, t.relname"
      " ORDER BY c.relname, t.relname"}},
    /* SQLite has no list of its checks: their words are counted. */
    {"checks, by table",
     2,
     {"SELECT name, CAST((length(sql) - length(replace(sql, 'CHECK (', ''))) / 7 AS TEXT) FROM sqlite_schema"
      " WHERE type = 'table' AND sql LIKE '%CHECK (%' ORDER BY name",
      "SELECT c.relname::text, count(*)::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
      " WHERE k.contype = 'c' AND " OWN " GROUP BY c.relname ORDER BY c.relname"}},
};

static void both_engines_have_the_same_schema(void **state)
{
    static char texts[ENGINES][TEXT_BYTES];
    struct place *place = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int engine = 0; engine < ENGINES; engine++) {
            read_all(texts[engine], place->sql[engine], rows[i].texts[engine], rows[i].columns);
        }
        assert_true(strlen(texts[SQLITE]) > 50);
        if (strcmp(texts[SQLITE], texts[POSTGRES]) != 0) {
            fail_msg("%s differ:\n%s\n%s", rows[i].name, texts[SQLITE], texts[POSTGRES]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_engines_have_the_same_schema, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
