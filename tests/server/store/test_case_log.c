/* The timeline: steps read back as added, in order, of one application only, and never change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/case_log.h"
#include "tests/support/store_fixture.h"

static int set_up(void **state)
{
    struct store_fixture *fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    fixture_add_application(tx, 2);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    store_fixture_free(*state);
    return 0;
}

static struct case_log_row step(unsigned application, int command)
{
    return (struct case_log_row){
        .application_id = fixture_application_id(application),
        .at_ms = 1000 + command,
        .actor = "bank:cn-alpha-js",
        .command = command,
        .track = 1,
        .origin = 2,
        .state = 3,
        .fund = 4,
        .bank_track = 5,
        .registry = 6,
    };
}

static void steps_come_back_in_order(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct cl_digest message = fixture_digest(1);
    for (int command = 1; command <= 3; command++) {
        struct case_log_row row = step(1, command);
        row.message = command == 2 ? &message : NULL;
        assert_int_equal(case_log_add(tx, &row).reason, CL_OK);
    }
    struct case_log_row other = step(2, 9);
    assert_int_equal(case_log_add(tx, &other).reason, CL_OK);

    struct case_log_rows log;
    assert_int_equal(case_log_list(&log, store_tx_sql(tx), arena, fixture_application_id(1)).reason, CL_OK);
    assert_int_equal(log.count, 3);
    for (size_t i = 0; i < log.count; i++) {
        assert_string_equal(log.rows[i].application_id, fixture_application_id(1));
        assert_string_equal(log.rows[i].actor, "bank:cn-alpha-js");
        assert_int_equal(log.rows[i].command, i + 1);
        assert_int_equal(log.rows[i].at_ms, 1001 + i);
        assert_int_equal(log.rows[i].track, 1);
        assert_int_equal(log.rows[i].origin, 2);
        assert_int_equal(log.rows[i].state, 3);
        assert_int_equal(log.rows[i].fund, 4);
        assert_int_equal(log.rows[i].bank_track, 5);
        assert_int_equal(log.rows[i].registry, 6);
    }
    assert_int_equal(case_log_list(&log, store_tx_sql(tx), arena, fixture_application_id(9)).reason, CL_OK);
    assert_int_equal(log.count, 0);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void what_is_logged_stays(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct case_log_row row = step(1, 1);
    struct cl_digest unknown = fixture_digest(99);
    assert_int_equal(case_log_add(tx, &row).reason, CL_OK);
    row.message = &unknown;
    assert_int_equal(case_log_add(tx, &row).reason, CL_INTERNAL); /* a message that is not in the log */
    row = step(9, 1);
    assert_int_equal(case_log_add(tx, &row).reason, CL_INTERNAL); /* no such application */
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(sql_script(sql, "UPDATE case_log SET command = 2").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "DELETE FROM case_log").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_come_back_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_logged_stays, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
