/* What a database holds, counted: every table that the schema has, each head, the newest message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/store/inventory.h"
#include "server/store/outbox.h"
#include "server/store/schema.h"
#include "tests/support/store_fixture.h"

static int set_up(void **state)
{
    *state = store_fixture_create();
    return 0;
}

static int tear_down(void **state)
{
    store_fixture_free(*state);
    return 0;
}

static int64_t rows_of(const struct inventory *inventory, const char *table)
{
    for (size_t i = 0; i < inventory->table_count; i++) {
        if (strcmp(inventory->tables[i].name, table) == 0) {
            return inventory->tables[i].rows;
        }
    }
    return -1;
}

static void every_table_is_in_it(void **state)
{
    static const char text[] = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    struct sql *sql = NULL;
    struct sql_statement *statement = NULL;
    struct inventory inventory;
    bool row = true;
    size_t count = 0;
    assert_int_equal(store_reader_open(&sql, store_fixture_store(*state)).reason, CL_OK);
    assert_int_equal(inventory_take(&inventory, sql, store_fixture_arena(*state)).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, sql, text).reason, CL_OK);
    while (sql_step(&row, statement).reason == CL_OK && row) {
        if (rows_of(&inventory, sql_column_text(statement, 0)) < 0) {
            fail_msg("table %s is not in the inventory", sql_column_text(statement, 0));
        }
        count++;
    }
    assert_int_equal(count, inventory.table_count);
    assert_int_equal(inventory.migration, schema_migration_count);
    assert_int_equal(inventory.newest_message_ms, 0);
    assert_int_equal(inventory.head_count, 0);
    sql_close(sql);
}

static void what_comes_in_is_counted(void **state)
{
    struct sql *sql = NULL;
    struct inventory inventory;
    struct store_tx *tx = store_fixture_begin(*state);
    for (unsigned i = 1; i <= 3; i++) {
        struct outbox_row event = {.recipient = i < 3 ? "bank:cn-alpha-js" : "bank:cn-beta-js",
                                   .application_id = fixture_application_id(i),
                                   .sequence = i < 3 ? i : 1,
                                   .kind = 1,
                                   .digest = fixture_digest(i),
                                   .made_ms = 1};
        fixture_add_application(tx, i);
        assert_int_equal(outbox_add(tx, &event).reason, CL_OK);
    }
    assert_int_equal(store_fixture_end(*state, cl_ok()).reason, CL_OK);
    assert_int_equal(store_reader_open(&sql, store_fixture_store(*state)).reason, CL_OK);
    assert_int_equal(inventory_take(&inventory, sql, store_fixture_arena(*state)).reason, CL_OK);
    assert_int_equal(rows_of(&inventory, "applications"), 3);
    assert_int_equal(rows_of(&inventory, "messages"), 3);
    assert_int_equal(inventory.newest_message_ms, 1003);
    assert_int_equal(inventory.head_count, 2);
    assert_string_equal(inventory.heads[0].recipient, "bank:cn-alpha-js");
    assert_int_equal(inventory.heads[0].head, 2);
    assert_int_equal(inventory.heads[1].head, 1);
    sql_close(sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_table_is_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_in_is_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
