#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "server/store/items.h"
#include "tests/support/store_fixture.h"

enum { OWNER_LOCAL = 1, OWNER_SOURCE, OWNER_BANK }; /* the database knows the first: the centre itself */

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

static struct item_row open_item(int item, uint32_t person)
{
    return (struct item_row){
        .application_id = fixture_application_id(1), .phase = 1, .item = item, .person = person, .owner = OWNER_SOURCE};
}

static void an_item_is_inserted_once(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name;
        unsigned application;
        int item;
        uint32_t person;
        int owner, outcome;
        enum cl_reason expected;
    } rows[] = {
        {"open", 1, 2, 0, 1, 0, CL_OK},
        {"same", 1, 2, 0, 2, 1, CL_STATE_CONFLICT},
        {"other person", 1, 2, 1, 2, 0, CL_OK},
        {"other item", 1, 3, 0, 3, 1, CL_OK},
        {"unknown application", 9, 2, 0, 1, 0, CL_INTERNAL},
        {"unknown owner", 1, 4, 0, 4, 0, CL_INTERNAL},
        {"unknown outcome", 1, 4, 0, 1, 4, CL_INTERNAL},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct item_row row = open_item(rows[i].item, rows[i].person);
        row.application_id = fixture_application_id(rows[i].application);
        row.owner = rows[i].owner;
        row.outcome = rows[i].outcome;
        struct cl_status status = items_insert(tx, &row);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-VER-003 */
static void an_item_is_settled_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    struct item_row row = open_item(2, 1);
    assert_int_equal(items_insert(tx, &row).reason, CL_OK);

    struct item_row unsettled = row;
    assert_int_equal(items_settle(tx, &unsettled).reason, CL_STATE_CONFLICT); /* to "open" */
    struct item_row settled = row;
    settled.outcome = 3;
    settled.failure = 7;
    settled.settled_ms = 8;
    settled.valid_until_ms = 9;
    settled.result = cl_bytes("res\0ult", 7);
    struct item_row other = settled;
    other.person = 0;
    assert_int_equal(items_settle(tx, &other).reason, CL_STATE_CONFLICT); /* no such item */
    assert_int_equal(items_settle(tx, &settled).reason, CL_OK);
    settled.outcome = 1;
    assert_int_equal(items_settle(tx, &settled).reason, CL_STATE_CONFLICT); /* settled */

    struct item_rows list;
    assert_int_equal(items_list(&list, store_tx_sql(tx), arena, row.application_id, 1).reason, CL_OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.rows[0].application_id, row.application_id);
    assert_int_equal(list.rows[0].item, 2);
    assert_int_equal(list.rows[0].person, 1);
    assert_int_equal(list.rows[0].owner, OWNER_SOURCE);
    assert_int_equal(list.rows[0].outcome, 3);
    assert_int_equal(list.rows[0].failure, 7);
    assert_int_equal(list.rows[0].settled_ms, 8);
    assert_int_equal(list.rows[0].valid_until_ms, 9);
    assert_true(cl_bytes_equal(list.rows[0].result, settled.result));
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* What the centre settles by itself it may settle anew, and open again. */
static void an_item_is_replaced_whatever_it_was(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    struct item_row row = open_item(2, 1);
    assert_int_equal(items_replace(tx, &row).reason, CL_STATE_CONFLICT); /* no such item */
    assert_int_equal(items_insert(tx, &row).reason, CL_OK);
    static const int outcomes[] = {2, 1, 0, 3};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        row.outcome = outcomes[i];
        row.failure = 10 + (int)i;
        row.owner = OWNER_LOCAL;
        row.settled_ms = 20 + (int64_t)i;
        row.valid_until_ms = 30;
        row.result = cl_bytes("res\0ult", i);
        struct item_rows list;
        assert_int_equal(items_replace(tx, &row).reason, CL_OK);
        assert_int_equal(items_list(&list, store_tx_sql(tx), arena, row.application_id, 1).reason, CL_OK);
        assert_int_equal(list.count, 1);
        assert_int_equal(list.rows[0].outcome, outcomes[i]);
        assert_int_equal(list.rows[0].failure, row.failure);
        assert_int_equal(list.rows[0].owner, OWNER_LOCAL);
        assert_int_equal(list.rows[0].settled_ms, row.settled_ms);
        assert_int_equal(list.rows[0].valid_until_ms, 30);
        assert_true(cl_bytes_equal(list.rows[0].result, row.result));
    }
    row.person = 0;
    assert_int_equal(items_replace(tx, &row).reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_settled_item_is_opened_again(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    struct item_row row = open_item(2, 1);
    bool reopened = true;
    assert_int_equal(items_reopen(&reopened, tx, &row).reason, CL_OK);
    assert_false(reopened); /* no such item */
    assert_int_equal(items_insert(tx, &row).reason, CL_OK);
    assert_int_equal(items_reopen(&reopened, tx, &row).reason, CL_OK);
    assert_false(reopened); /* open as it is */
    struct item_row settled = row;
    settled.outcome = 2;
    settled.failure = 3;
    settled.settled_ms = 8;
    settled.valid_until_ms = 9;
    settled.result = cl_bytes("result", 6);
    assert_int_equal(items_settle(tx, &settled).reason, CL_OK);
    struct item_row elsewhere = row;
    elsewhere.phase = 2;
    assert_int_equal(items_reopen(&reopened, tx, &elsewhere).reason, CL_OK);
    assert_false(reopened);
    assert_int_equal(items_reopen(&reopened, tx, &row).reason, CL_OK);
    assert_true(reopened);
    struct item_rows list;
    assert_int_equal(items_list(&list, store_tx_sql(tx), arena, row.application_id, 1).reason, CL_OK);
    assert_int_equal(list.rows[0].outcome, 0);
    assert_int_equal(list.rows[0].failure, 0);
    assert_int_equal(list.rows[0].settled_ms, 0);
    assert_int_equal(list.rows[0].valid_until_ms, 0);
    assert_int_equal(list.rows[0].result.len, 0);
    assert_int_equal(items_settle(tx, &settled).reason, CL_OK); /* the next answer counts */
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void items_are_listed_in_order_and_counted_by_outcome(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct item_rows list;
    struct item_counts counts;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    fixture_add_application(tx, 1);
    assert_int_equal(items_list(&list, sql, arena, fixture_application_id(1), 1).reason, CL_OK);
    assert_int_equal(list.count, 0);
    for (int i = CL_ITEM_RESULTS_MAX - 1; i >= 0; i--) {
        struct item_row row = open_item(1 + i / 4, (uint32_t)(i % 4));
        row.outcome = i < 40 ? i % 4 : 0;
        row.owner = i == 0 ? OWNER_BANK : i == 1 ? OWNER_LOCAL : OWNER_SOURCE; /* one open, one settled */
        assert_int_equal(items_insert(tx, &row).reason, CL_OK);
    }
    assert_int_equal(items_list(&list, sql, arena, fixture_application_id(1), 1).reason, CL_OK);
    assert_int_equal(list.count, CL_ITEM_RESULTS_MAX);
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.rows[i].item, 1 + (int)i / 4);
        assert_int_equal(list.rows[i].person, i % 4);
    }
    assert_int_equal(items_count(&counts, sql, fixture_application_id(1), 1).reason, CL_OK);
    assert_int_equal(counts.total, CL_ITEM_RESULTS_MAX);
    assert_int_equal(counts.by_outcome[0], 10 + CL_ITEM_RESULTS_MAX - 40);
    assert_int_equal(counts.by_outcome[1], 10);
    assert_int_equal(counts.by_outcome[2], 10);
    assert_int_equal(counts.by_outcome[3], 10);
    assert_int_equal(counts.open_by_owner[OWNER_SOURCE], counts.by_outcome[0] - 1);
    assert_int_equal(counts.open_by_owner[OWNER_BANK], 1);
    assert_int_equal(counts.open_by_owner[OWNER_LOCAL], 0);
    assert_int_equal(items_count(&counts, sql, fixture_application_id(2), 1).reason, CL_OK);
    assert_int_equal(counts.total, 0);

    struct item_row one_more = open_item(99, 0);
    assert_int_equal(items_insert(tx, &one_more).reason, CL_OK);
    assert_int_equal(items_list(&list, sql, arena, fixture_application_id(1), 1).reason, CL_INTERNAL);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_item_is_inserted_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_item_is_settled_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_item_is_replaced_whatever_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_settled_item_is_opened_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(items_are_listed_in_order_and_counted_by_outcome, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
