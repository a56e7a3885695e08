/* Milestones: read back as added, in order, of one application only; a reference once for each kind and leg; and they
 * never change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/store/milestones.h"
#include "tests/support/store_fixture.h"

enum { SIGNED = 1, DISBURSED = 3, REPAID = 4, FUND = 1, COMMERCIAL = 2 };

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

static struct milestone_row milestone(unsigned application, int kind, int leg, const char *reference)
{
    return (struct milestone_row){
        .application_id = fixture_application_id(application),
        .kind = kind,
        .leg = leg,
        .bank_epoch = 1,
        .amount_fen = 100,
        .balance_fen = 50,
        .reference = reference,
        .happened_ms = 1000,
        .message = fixture_digest(1),
        .at_ms = 2000,
    };
}

static enum cl_reason add(struct store_tx *tx, struct milestone_row row)
{
    return milestones_add(tx, &row).reason;
}

static void they_come_back_in_order(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct milestone_row signed_fund = milestone(1, SIGNED, FUND, "F-1");
    struct milestone_row paid = milestone(1, DISBURSED, COMMERCIAL, "P-1");
    paid.has_account = true;
    paid.account = fixture_digest(7);
    assert_int_equal(milestones_add(tx, &signed_fund).reason, CL_OK);
    assert_int_equal(milestones_add(tx, &paid).reason, CL_OK);
    assert_int_equal(signed_fund.number, 1);
    assert_int_equal(paid.number, 2);
    assert_int_equal(add(tx, milestone(2, SIGNED, FUND, "F-1")), CL_OK);

    struct milestone_rows rows;
    assert_int_equal(milestones_list(&rows, store_tx_sql(tx), arena, fixture_application_id(1)).reason, CL_OK);
    assert_int_equal(rows.count, 2);
    const struct milestone_row *row = &rows.rows[1];
    assert_string_equal(row->application_id, fixture_application_id(1));
    assert_int_equal(row->number, 2);
    assert_int_equal(row->kind, DISBURSED);
    assert_int_equal(row->leg, COMMERCIAL);
    assert_int_equal(row->bank_epoch, 1);
    assert_int_equal(row->amount_fen, 100);
    assert_int_equal(row->balance_fen, 50);
    assert_string_equal(row->reference, "P-1");
    assert_int_equal(row->happened_ms, 1000);
    assert_int_equal(row->at_ms, 2000);
    assert_true(row->has_account);
    assert_true(cl_digest_equal(&row->account, &paid.account));
    assert_true(cl_digest_equal(&row->message, &paid.message));
    assert_false(rows.rows[0].has_account);
    assert_int_equal(milestones_list(&rows, store_tx_sql(tx), arena, fixture_application_id(9)).reason, CL_OK);
    assert_int_equal(rows.count, 0);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-MIL-004 */
static void a_reference_counts_once_for_a_kind_and_leg(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(add(tx, milestone(1, SIGNED, FUND, "F-1")), CL_OK);
    static const struct {
        unsigned application;
        int kind, leg;
        const char *reference;
        bool used;
    } rows[] = {
        {1, SIGNED, FUND, "F-1", true},  {1, SIGNED, COMMERCIAL, "F-1", false}, {1, DISBURSED, FUND, "F-1", false},
        {1, SIGNED, FUND, "F-2", false}, {2, SIGNED, FUND, "F-1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct milestone_row row = milestone(rows[i].application, rows[i].kind, rows[i].leg, rows[i].reference);
        bool used = !rows[i].used;
        assert_int_equal(milestones_has(&used, sql, &row).reason, CL_OK);
        assert_int_equal(used, rows[i].used);
        assert_int_equal(add(tx, row), rows[i].used ? CL_STATE_CONFLICT : CL_OK);
    }
    struct milestone_row row = milestone(1, SIGNED, FUND, "F-9");
    row.message = fixture_digest(99);
    assert_int_equal(milestones_add(tx, &row).reason, CL_INTERNAL); /* a message that is not in the log */
    assert_int_equal(sql_script(sql, "UPDATE milestones SET amount_fen = 1").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "DELETE FROM milestones").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void the_last_of_a_set_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    const char *id = fixture_application_id(1);
    static const struct {
        int kind, leg;
        int64_t happened_ms;
    } added[] = {{SIGNED, FUND, 10}, {SIGNED, COMMERCIAL, 20},    {DISBURSED, FUND, 30},
                 {REPAID, FUND, 60}, {DISBURSED, COMMERCIAL, 40}, {REPAID, COMMERCIAL, 50}};
    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++) {
        struct milestone_row row = milestone(1, added[i].kind, added[i].leg, "R");
        row.happened_ms = added[i].happened_ms;
        assert_int_equal(milestones_add(tx, &row).reason, CL_OK);
    }
    static const struct {
        int64_t kinds;
        int leg;
        int64_t last_ms;
        unsigned newest; /* its number; 0: none */
    } rows[] = {
        {MILESTONE_BIT(SIGNED), 0, 20, 2},
        {MILESTONE_BIT(SIGNED), FUND, 10, 1},
        {MILESTONE_BIT(DISBURSED) | MILESTONE_BIT(REPAID), 0, 60, 6},
        {MILESTONE_BIT(DISBURSED) | MILESTONE_BIT(REPAID), FUND, 60, 4},
        {MILESTONE_BIT(DISBURSED) | MILESTONE_BIT(REPAID), COMMERCIAL, 50, 6},
        {MILESTONE_BIT(2), 0, 0, 0},
        {0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t last_ms = -1;
        bool found = false;
        struct milestone_row newest = {.number = 0};
        assert_int_equal(milestones_last_ms(&last_ms, sql, id, rows[i].kinds, rows[i].leg).reason, CL_OK);
        assert_int_equal(last_ms, rows[i].last_ms);
        assert_int_equal(milestones_newest(&found, &newest, sql, arena, id, rows[i].kinds, rows[i].leg).reason, CL_OK);
        assert_int_equal(found, rows[i].newest != 0);
        assert_int_equal(newest.number, rows[i].newest);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void only_the_newest_are_told(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    for (unsigned i = 1; i <= MILESTONES_TOLD_MAX + 2; i++) {
        char reference[16];
        (void)snprintf(reference, sizeof reference, "R-%u", i);
        assert_int_equal(add(tx, milestone(1, REPAID, FUND, reference)), CL_OK);
    }
    struct milestone_rows rows;
    assert_int_equal(milestones_list(&rows, store_tx_sql(tx), arena, fixture_application_id(1)).reason, CL_OK);
    assert_int_equal(rows.count, MILESTONES_TOLD_MAX);
    assert_int_equal(rows.rows[0].number, 3);
    assert_int_equal(rows.rows[rows.count - 1].number, MILESTONES_TOLD_MAX + 2);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_come_back_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reference_counts_once_for_a_kind_and_leg, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_of_a_set_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_newest_are_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
