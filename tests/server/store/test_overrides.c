/* Proposals of officers, what the database itself refuses of them, and the history of a settled item. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/store/items.h"
#include "server/store/overrides.h"
#include "server/store/tasks.h"
#include "tests/support/store_fixture.h"

enum { PROPOSED_MS = 1000, EXPIRES_MS = 2000, ITEM = 3, FUND = 2, LOCAL = 1, PASS = 1, FAIL = 2, MANUAL = 3 };

static const char FIRST[] = "officer:first", OTHER[] = "officer:other";

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

static const char *id_of(unsigned number)
{
    static char texts[100][37];
    (void)snprintf(texts[number], sizeof texts[number], "01890a5d-ac96-774b-bcce-b3020000%04u", number);
    return texts[number];
}

static struct item_row item(int owner, int outcome, const char *result, int64_t settled_ms)
{
    return (struct item_row){.application_id = fixture_application_id(1),
                             .phase = 1,
                             .item = ITEM,
                             .owner = owner,
                             .outcome = outcome,
                             .settled_ms = settled_ms,
                             .result = cl_bytes_text(result)};
}

static struct override_row proposal(unsigned number)
{
    return (struct override_row){
        .id = id_of(number),
        .application_id = fixture_application_id(1),
        .item = ITEM,
        .replaces = cl_bytes_text("old"),
        .result = cl_bytes_text("new"),
        .outcome = PASS,
        .note = "RULING",
        .has_document = true,
        .document = fixture_digest(50),
        .proposed_by = FIRST,
        .proposed_ms = PROPOSED_MS,
        .expires_ms = EXPIRES_MS,
        .proposal = fixture_digest(1),
    };
}

static struct store_tx *begin(struct store_fixture *fixture)
{
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    fixture_add_application(tx, 2); /* its message is the confirmation */
    return tx;
}

static void there_is_one_proposal_for_each_item(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    struct override_row read;
    struct override_rows rows;
    bool found = true;
    assert_int_equal(overrides_find(&found, &read, sql, arena, fixture_application_id(1), ITEM, 0).reason, CL_OK);
    assert_false(found);
    struct override_row row = proposal(1);
    assert_int_equal(overrides_propose(tx, &row).reason, CL_OK);
    row.id = id_of(2);
    assert_int_equal(overrides_propose(tx, &row).reason, CL_STATE_CONFLICT);
    row.person = 1;
    row.has_document = false;
    assert_int_equal(overrides_propose(tx, &row).reason, CL_OK);
    assert_int_equal(overrides_find(&found, &read, sql, arena, fixture_application_id(1), ITEM, 0).reason, CL_OK);
    assert_true(found);
    assert_string_equal(read.id, id_of(1));
    assert_int_equal(read.state, OVERRIDE_PROPOSED);
    assert_true(read.has_document && cl_bytes_equal(read.replaces, cl_bytes_text("old")));
    assert_true(cl_bytes_equal(read.result, cl_bytes_text("new")));
    assert_string_equal(read.note, "RULING");
    assert_null(read.ended_by);
    assert_int_equal(overrides_get(&found, &read, sql, arena, id_of(2)).reason, CL_OK);
    assert_true(found && !read.has_document && read.person == 1);
    assert_int_equal(overrides_get(&found, &read, sql, arena, id_of(9)).reason, CL_OK);
    assert_false(found);
    assert_int_equal(overrides_list(&rows, sql, arena, fixture_application_id(1)).reason, CL_OK);
    assert_int_equal(rows.count, 2);
    assert_int_equal(overrides_due(&rows, sql, arena, EXPIRES_MS - 1).reason, CL_OK);
    assert_int_equal(rows.count, 0);
    assert_int_equal(overrides_due(&rows, sql, arena, EXPIRES_MS).reason, CL_OK);
    assert_int_equal(rows.count, 2);
    row.note = "";
    row.person = 2;
    row.id = id_of(3);
    assert_false(cl_is_ok(overrides_propose(tx, &row))); /* without a reason */
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* What the code refuses before, the database refuses, too. */
static void a_proposal_ends_once_and_by_whom_it_may(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name;
        enum override_state state;
        const char *by;
        int64_t now_ms;
        unsigned message; /* 0: none */
        bool fine;
    } rows[] = {
        {"confirmed by the same officer", OVERRIDE_CONFIRMED, FIRST, 1500, 2, false},
        {"confirmed without a message", OVERRIDE_CONFIRMED, OTHER, 1500, 0, false},
        {"confirmed by the proposal", OVERRIDE_CONFIRMED, OTHER, 1500, 1, false},
        {"confirmed too late", OVERRIDE_CONFIRMED, OTHER, EXPIRES_MS, 2, false},
        {"confirmed by nobody", OVERRIDE_CONFIRMED, NULL, 1500, 2, false},
        {"withdrawn by another", OVERRIDE_WITHDRAWN, OTHER, 1500, 0, false},
        {"withdrawn with a confirmation", OVERRIDE_WITHDRAWN, FIRST, 1500, 2, false},
        {"confirmed by another", OVERRIDE_CONFIRMED, OTHER, 1500, 2, true},
        {"withdrawn", OVERRIDE_WITHDRAWN, FIRST, 1500, 0, true},
        {"expired", OVERRIDE_EXPIRED, "fund:centre", 2500, 0, true},
        {"overtaken", OVERRIDE_OVERTAKEN, OTHER, 1500, 0, true},
    };
    struct store_tx *tx = begin(fixture);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct override_row row = proposal(10 + i);
        struct cl_digest message = fixture_digest(rows[i].message);
        row.person = i;
        assert_int_equal(overrides_propose(tx, &row).reason, CL_OK);
        struct override_end end = {.id = row.id,
                                   .state = rows[i].state,
                                   .by = rows[i].by,
                                   .now_ms = rows[i].now_ms,
                                   .message = rows[i].message == 0 ? NULL : &message};
        if (cl_is_ok(overrides_end(tx, &end)) != rows[i].fine) {
            fail_msg("%s", rows[i].name);
        }
        struct override_row read;
        bool found = false;
        assert_int_equal(overrides_get(&found, &read, store_tx_sql(tx), store_fixture_arena(fixture), row.id).reason,
                         CL_OK);
        assert_int_equal(read.state, rows[i].fine ? rows[i].state : OVERRIDE_PROPOSED);
        end.state = OVERRIDE_OVERTAKEN;
        end.by = OTHER;
        end.message = NULL;
        assert_int_equal(overrides_end(tx, &end).reason, rows[i].fine ? CL_STATE_CONFLICT : CL_OK);
    }
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(sql_script(sql, "DELETE FROM overrides").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "UPDATE overrides SET note = 'x'").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "UPDATE overrides SET state = 1, ended_by = NULL").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void assert_past(struct store_fixture *fixture, struct store_tx *tx, const char *const *results, size_t count)
{
    struct item_past_rows past;
    struct item_row of = item(FUND, 0, "", 0);
    struct cl_status status = items_past(&past, store_tx_sql(tx), store_fixture_arena(fixture), &of);
    assert_int_equal(status.reason, CL_OK);
    assert_int_equal(past.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(cl_bytes_equal(past.rows[i].result, cl_bytes_text(results[i])));
    }
}

static void open_task(struct store_tx *tx, unsigned number)
{
    struct task_row task = {.id = id_of(number),
                            .application_id = fixture_application_id(1),
                            .kind = 1,
                            .item = ITEM,
                            .reason = "",
                            .authority = "",
                            .detail = "",
                            .deadline_ms = 9000};
    assert_int_equal(tasks_open(NULL, tx, &task).reason, CL_OK);
}

static void a_settled_item_changes_by_officers_only(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = begin(fixture);
    struct item_row row = item(FUND, 0, "", 0);
    assert_int_equal(items_insert(tx, &row).reason, CL_OK);
    row = item(FUND, MANUAL, "machine", 10);
    assert_int_equal(items_settle_again(tx, &row).reason, CL_STATE_CONFLICT); /* it is open */
    assert_int_equal(items_settle(tx, &row).reason, CL_OK);
    assert_past(fixture, tx, NULL, 0);

    row = item(FUND, FAIL, "old", 20);
    assert_int_equal(items_settle_again(tx, &row).reason, CL_STATE_CONFLICT); /* nobody works on it */
    open_task(tx, 1);
    assert_int_equal(items_settle_again(tx, &row).reason, CL_STATE_CONFLICT); /* still nobody */
    bool claimed = false;
    struct task_claim claim = {.id = id_of(1), .officer = FIRST, .now_ms = 15, .until_ms = 30};
    assert_int_equal(tasks_claim(&claimed, tx, &claim).reason, CL_OK);
    assert_int_equal(items_settle_again(tx, &row).reason, CL_OK);
    assert_past(fixture, tx, (const char *const[]){"machine"}, 1);
    assert_int_equal(tasks_end(tx, id_of(1), TASK_SETTLED, FIRST, 20).reason, CL_OK);

    struct override_row override = proposal(2);
    assert_int_equal(overrides_propose(tx, &override).reason, CL_OK);
    row = item(FUND, PASS, "new", 30);
    assert_int_equal(items_settle_again(tx, &row).reason, CL_STATE_CONFLICT); /* nobody confirmed it */
    struct cl_digest message = fixture_digest(2);
    struct override_end end = {
        .id = id_of(2), .state = OVERRIDE_CONFIRMED, .by = OTHER, .now_ms = 1500, .message = &message};
    assert_int_equal(overrides_end(tx, &end).reason, CL_OK);
    struct item_row another = item(FUND, PASS, "newer", 30);
    assert_int_equal(items_settle_again(tx, &another).reason, CL_STATE_CONFLICT); /* not what they signed */
    assert_int_equal(items_settle_again(tx, &row).reason, CL_OK);
    assert_past(fixture, tx, (const char *const[]){"machine", "old"}, 2);
    struct item_counts counts;
    assert_int_equal(items_count(&counts, store_tx_sql(tx), row.application_id, 1).reason, CL_OK);
    assert_int_equal(counts.by_outcome[PASS], 1);
    assert_int_equal(counts.by_person, 1);
    row = item(FUND, PASS, "new", 40);
    assert_int_equal(items_settle_again(tx, &row).reason, CL_STATE_CONFLICT); /* what they signed replaced "old" */
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(sql_script(sql, "DELETE FROM item_results").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "UPDATE item_results SET result = result").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void what_the_centre_settles_by_itself_it_settles_anew(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = begin(fixture);
    struct item_row row = item(LOCAL, PASS, "first", 10);
    assert_int_equal(items_insert(tx, &row).reason, CL_OK);
    row = item(LOCAL, FAIL, "then", 20);
    assert_int_equal(items_settle_again(tx, &row).reason, CL_OK);
    assert_past(fixture, tx, (const char *const[]){"first"}, 1);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_is_one_proposal_for_each_item, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_proposal_ends_once_and_by_whom_it_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_settled_item_changes_by_officers_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_centre_settles_by_itself_it_settles_anew, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
