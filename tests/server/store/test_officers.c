#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/store/officers.h"
#include "server/store/tasks.h"
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

static struct officer_action action(const char *officer, enum officer_step step, const char *reason)
{
    return (struct officer_action){
        .application_id = fixture_application_id(1),
        .officer = officer,
        .step = step,
        .at_ms = 5,
        .subject = "S",
        .item = 6,
        .person = 1,
        .reason = reason,
        .note = "NOTE",
        .message = fixture_digest(1),
    };
}

/* Covers: COL-OFC-005 */
static void what_was_done_is_kept_in_order(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    struct officer_actions read;
    assert_int_equal(officers_actions(&read, store_tx_sql(tx), arena, fixture_application_id(1)).reason, CL_OK);
    assert_int_equal(read.count, 0);
    for (int64_t i = 0; i < OFFICER_ACTIONS_MAX + 3; i++) {
        struct officer_action row = action("officer:a", OFFICER_CLAIM, "");
        row.at_ms = i;
        row.has_document = i % 2 == 1;
        row.document = fixture_digest(9);
        assert_int_equal(officers_log(tx, &row).reason, CL_OK);
    }
    assert_int_equal(officers_actions(&read, store_tx_sql(tx), arena, fixture_application_id(1)).reason, CL_OK);
    assert_int_equal(read.count, OFFICER_ACTIONS_MAX);
    assert_int_equal(read.rows[0].at_ms, 3); /* the newest, oldest first */
    assert_true(read.rows[0].has_document && !read.rows[1].has_document);
    const struct officer_action *last = &read.rows[read.count - 1];
    assert_int_equal(last->at_ms, OFFICER_ACTIONS_MAX + 2);
    assert_string_equal(last->officer, "officer:a");
    assert_string_equal(last->subject, "S");
    assert_string_equal(last->note, "NOTE");
    assert_int_equal(last->item, 6);
    assert_int_equal(last->person, 1);
    struct cl_digest message = fixture_digest(1);
    assert_true(cl_digest_equal(&last->message, &message));
    struct officer_action unlogged = action("officer:a", OFFICER_CLAIM, "");
    unlogged.message = fixture_digest(77);
    assert_int_equal(officers_log(tx, &unlogged).reason, CL_INTERNAL); /* every act is a signed message */
    assert_int_equal(sql_script(store_tx_sql(tx), "DELETE FROM officer_actions").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(store_tx_sql(tx), "UPDATE officer_actions SET note = ''").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void refer(struct store_tx *tx, unsigned number, int kind, int item, const char *reason)
{
    char id[37];
    (void)snprintf(id, sizeof id, "01890a5d-ac96-774b-bcce-b3020000%04u", number);
    struct task_row task = {.id = id,
                            .application_id = fixture_application_id(1),
                            .kind = kind,
                            .item = item,
                            .reason = reason,
                            .authority = "",
                            .detail = "",
                            .deadline_ms = 1};
    assert_int_equal(tasks_open(NULL, tx, &task).reason, CL_OK);
}

static void sums_follow_what_was_done(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    const struct officer_action actions[] = {
        action("officer:b", OFFICER_SETTLE, "SYS-SOURCE"),  action("officer:a", OFFICER_CLAIM, "SYS-SOURCE"),
        action("officer:a", OFFICER_SETTLE, "SYS-SOURCE"),  action("officer:a", OFFICER_SETTLE, "MAR-RECORD"),
        action("officer:b", OFFICER_CONFIRM, "SYS-SOURCE"), action("officer:b", OFFICER_PROPOSE, ""),
    };
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        assert_int_equal(officers_log(tx, &actions[i]).reason, CL_OK);
    }
    refer(tx, 1, 1, 6, "SYS-SOURCE");
    refer(tx, 2, 1, 6, "SYS-SOURCE"); /* the same is open */
    refer(tx, 3, 7, 6, "SYS-SOURCE"); /* asks for a second officer: nothing was left to a person */
    struct officer_sums sums;
    assert_int_equal(officers_sums(&sums, store_tx_sql(tx), arena).reason, CL_OK);
    assert_int_equal(sums.count, 5);
    assert_string_equal(sums.rows[0].officer, "officer:a");
    assert_int_equal(sums.rows[0].step, OFFICER_CLAIM);
    assert_int_equal(sums.rows[1].step, OFFICER_SETTLE);
    assert_int_equal(sums.rows[1].count, 2);
    assert_string_equal(sums.rows[2].officer, "officer:b");
    assert_int_equal(sums.rows[2].count, 1);
    struct reason_sums reasons;
    assert_int_equal(officers_reason_sums(&reasons, store_tx_sql(tx), arena).reason, CL_OK);
    assert_int_equal(reasons.count, 2);
    assert_string_equal(reasons.rows[0].reason, "MAR-RECORD");
    assert_int_equal(reasons.rows[0].settled, 1);
    assert_int_equal(reasons.rows[0].referred, 0);
    assert_string_equal(reasons.rows[1].reason, "SYS-SOURCE");
    assert_int_equal(reasons.rows[1].referred, 1);
    assert_int_equal(reasons.rows[1].settled, 2);
    assert_int_equal(reasons.rows[1].overridden, 1);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_done_is_kept_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_follow_what_was_done, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
