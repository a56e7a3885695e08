#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/decisions.h"
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

static struct decision_row decision(unsigned application)
{
    return (struct decision_row){
        .application_id = fixture_application_id(application),
        .round = 1,
        .outcome = 2,
        .has_terms = true,
        .terms_digest = fixture_digest(77),
        .event = fixture_digest(1),
        .decided_ms = 9000,
    };
}

/* Covers: COL-JNT-005 */
static void there_is_one_decision_in_each_round(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    struct decision_row row = decision(1);
    struct decision_row read;
    bool found = true;
    assert_int_equal(decisions_get(&found, &read, sql, arena, row.application_id, 1).reason, CL_OK);
    assert_false(found);
    assert_int_equal(decisions_insert(tx, &row).reason, CL_OK);
    assert_int_equal(decisions_insert(tx, &row).reason, CL_STATE_CONFLICT);
    row.outcome = 4;
    assert_int_equal(decisions_insert(tx, &row).reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "UPDATE decisions SET outcome = 4").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "DELETE FROM decisions").reason, CL_STATE_CONFLICT);

    assert_int_equal(decisions_get(&found, &read, sql, arena, row.application_id, 1).reason, CL_OK);
    assert_true(found);
    assert_string_equal(read.application_id, row.application_id);
    assert_int_equal(read.outcome, 2);
    assert_true(read.has_terms);
    assert_true(cl_digest_equal(&read.terms_digest, &row.terms_digest));
    assert_true(cl_digest_equal(&read.event, &row.event));
    assert_int_equal(read.decided_ms, 9000);

    row.round = 2; /* opened again: decided once more, and the first decision stays */
    assert_int_equal(decisions_get(&found, &read, sql, arena, row.application_id, 2).reason, CL_OK);
    assert_false(found);
    assert_int_equal(decisions_insert(tx, &row).reason, CL_OK);
    assert_int_equal(decisions_insert(tx, &row).reason, CL_STATE_CONFLICT);
    assert_int_equal(decisions_get(&found, &read, sql, arena, row.application_id, 2).reason, CL_OK);
    assert_true(found && read.round == 2 && read.outcome == 4);
    assert_int_equal(decisions_get(&found, &read, sql, arena, row.application_id, 1).reason, CL_OK);
    assert_true(found && read.round == 1 && read.outcome == 2);

    struct decision_row refusal = decision(2);
    refusal.has_terms = false;
    refusal.event = fixture_digest(99);
    assert_int_equal(decisions_insert(tx, &refusal).reason, CL_INTERNAL); /* event not logged */
    refusal.event = fixture_digest(2);
    assert_int_equal(decisions_insert(tx, &refusal).reason, CL_OK);
    assert_int_equal(decisions_get(&found, &read, sql, arena, refusal.application_id, 1).reason, CL_OK);
    assert_true(found && !read.has_terms);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void traces_are_numbered_and_the_last_is_read(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    struct trace_row read;
    bool found = true;
    assert_int_equal(decisions_trace(&found, &read, sql, arena, fixture_application_id(1), 0).reason, CL_OK);
    assert_false(found);
    for (unsigned i = 1; i <= 3; i++) {
        struct trace_row row = {.application_id = fixture_application_id(1),
                                .digest = fixture_digest(i),
                                .trace = cl_bytes("trace", i),
                                .submission = fixture_digest(1),
                                .record = cl_bytes("record", 2 * i)};
        assert_int_equal(decisions_add_trace(tx, &row).reason, CL_OK);
        assert_int_equal(decisions_trace(&found, &read, sql, arena, row.application_id, 0).reason, CL_OK);
        assert_true(found);
        assert_int_equal(read.number, i);
        assert_true(cl_digest_equal(&read.digest, &row.digest));
        assert_true(cl_bytes_equal(read.trace, row.trace));
        assert_true(cl_digest_equal(&read.submission, &row.submission));
        assert_true(cl_bytes_equal(read.record, row.record));
    }
    assert_int_equal(decisions_trace(&found, &read, sql, arena, fixture_application_id(1), 2).reason, CL_OK);
    assert_true(found && read.number == 2 && read.record.len == 4);
    assert_int_equal(decisions_trace(&found, &read, sql, arena, fixture_application_id(1), 4).reason, CL_OK);
    assert_false(found);
    struct trace_row other = {
        .application_id = fixture_application_id(2), .digest = fixture_digest(4), .submission = fixture_digest(99)};
    assert_int_equal(decisions_add_trace(tx, &other).reason, CL_INTERNAL); /* no such message */
    other.submission = fixture_digest(2);
    assert_int_equal(decisions_add_trace(tx, &other).reason, CL_OK);
    assert_int_equal(decisions_trace(&found, &read, sql, arena, other.application_id, 0).reason, CL_OK);
    assert_int_equal(read.number, 1);
    other.application_id = fixture_application_id(9);
    assert_int_equal(decisions_add_trace(tx, &other).reason, CL_INTERNAL);
    assert_int_equal(sql_script(sql, "UPDATE traces SET trace = digest").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "DELETE FROM traces").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_is_one_decision_in_each_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(traces_are_numbered_and_the_last_is_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
