#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "server/store/applications.h"
#include "server/store/items.h"
#include "tests/support/store_fixture.h"

enum { OWNER_SOURCE = 1, OWNER_BANK, OWNER_LOCAL }; /* the store only keeps them */

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

static void assert_same(const struct application_row *a, const struct application_row *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->external_ref, b->external_ref);
    assert_string_equal(a->sender, b->sender);
    assert_string_equal(a->bank, b->bank);
    assert_int_equal(a->bank_epoch, b->bank_epoch);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->fund, b->fund);
    assert_int_equal(a->bank_track, b->bank_track);
    assert_int_equal(a->registry, b->registry);
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->next_actor, b->next_actor);
    assert_int_equal(a->deadline_ms, b->deadline_ms);
    assert_int_equal(a->offer_version, b->offer_version);
    assert_true(cl_digest_equal(&a->submission, &b->submission));
    assert_true(cl_bytes_equal(a->reasons, b->reasons));
    assert_int_equal(a->items_total, b->items_total);
    assert_int_equal(a->items_by_machine, b->items_by_machine);
    assert_int_equal(a->items_by_person, b->items_by_person);
    assert_int_equal(a->items_open, b->items_open);
    assert_int_equal(a->submitted_ms, b->submitted_ms);
    assert_int_equal(a->changed_ms, b->changed_ms);
    assert_int_equal(a->counters, b->counters);
    assert_int_equal(a->round, b->round);
    assert_string_equal(a->rule_set, b->rule_set);
    assert_int_equal(a->bank_changes, b->bank_changes);
    assert_int_equal(a->clock_from_ms, b->clock_from_ms);
    assert_int_equal(a->clock_stopped_ms, b->clock_stopped_ms);
    assert_int_equal(a->items_bank, b->items_bank);
    assert_int_equal(a->checks_total, b->checks_total);
    assert_int_equal(a->checks_open, b->checks_open);
    assert_int_equal(a->checks_bad, b->checks_bad);
    assert_int_equal(a->completion_awaited, b->completion_awaited);
}

/* Each field another value, so that no two columns can be swapped unseen. */
static struct application_row distinct(struct application_row row)
{
    row.bank = "bank:cn-beta-js";
    row.bank_epoch = 2;
    row.state = 3;
    row.fund = 4;
    row.bank_track = 5;
    row.registry = 6;
    row.outcome = 7;
    row.next_actor = 8;
    row.deadline_ms = 9;
    row.offer_version = 10;
    row.reasons = cl_bytes("\x01\0\x02", 3);
    row.items_total = 11;
    row.items_by_machine = 12;
    row.items_by_person = 13;
    row.items_open = 14;
    row.changed_ms = 15;
    row.counters = 16;
    row.round = 17;
    row.rule_set = "SET-18";
    row.bank_changes = 19;
    row.clock_from_ms = 20;
    row.clock_stopped_ms = 21;
    row.items_bank = 22;
    row.checks_total = 23;
    row.checks_open = 24;
    row.checks_bad = 25;
    row.completion_awaited = true;
    return row;
}

static void an_application_reads_back_as_inserted_and_as_updated(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct application_row row = fixture_application(1);
    struct application_row read;
    fixture_add_application(tx, 1);
    assert_int_equal(applications_get(&read, store_tx_sql(tx), store_fixture_arena(fixture), row.id).reason, CL_OK);
    assert_same(&read, &row);

    struct application_row changed = distinct(row);
    changed.external_ref = "not written";
    changed.sender = "not written";
    changed.submitted_ms = 1;
    assert_int_equal(applications_update(tx, &changed).reason, CL_OK);
    assert_int_equal(applications_get(&read, store_tx_sql(tx), store_fixture_arena(fixture), row.id).reason, CL_OK);
    struct application_row expected = distinct(row);
    assert_same(&read, &expected);

    changed.id = fixture_application_id(2);
    assert_int_equal(applications_update(tx, &changed).reason, CL_APPLICATION_UNKNOWN);
    assert_int_equal(applications_get(&read, store_tx_sql(tx), store_fixture_arena(fixture), changed.id).reason,
                     CL_APPLICATION_UNKNOWN);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-SUB-010 */
static void a_senders_number_names_one_application(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name;
        unsigned id;
        const char *reference, *sender;
        unsigned submission;
        enum cl_reason expected;
    } rows[] = {
        {"same number", 2, "REF-1", "bank:cn-alpha-js", 2, CL_STATE_CONFLICT},
        {"same id", 1, "REF-2", "bank:cn-alpha-js", 2, CL_STATE_CONFLICT},
        {"submission not logged", 2, "REF-2", "bank:cn-alpha-js", 9, CL_INTERNAL},
        {"same number, other sender", 2, "REF-1", "channel:app", 2, CL_OK},
        {"other number", 3, "REF-2", "bank:cn-alpha-js", 2, CL_OK},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    struct message_row message = fixture_message(2);
    assert_int_equal(messages_add(tx, &message).reason, CL_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct application_row row = fixture_application(rows[i].id);
        row.external_ref = rows[i].reference;
        row.sender = rows[i].sender;
        row.submission = fixture_digest(rows[i].submission);
        struct cl_status status = applications_insert(tx, &row);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Applications 1..12: odd ones sent by the channel, multiples of 3 for bank beta, multiples of 4 in state 4; two share
 * each submission time. */
static void fill(struct store_tx *tx)
{
    for (unsigned i = 1; i <= 12; i++) {
        struct message_row message = fixture_message(i);
        struct application_row row = fixture_application(i);
        row.sender = i % 2 == 1 ? "channel:app" : row.sender;
        row.bank = i % 3 == 0 ? "bank:cn-beta-js" : row.bank;
        row.state = i % 4 == 0 ? 4 : 1;
        row.submitted_ms = 1000 + i / 2;
        assert_int_equal(messages_add(tx, &message).reason, CL_OK);
        assert_int_equal(applications_insert(tx, &row).reason, CL_OK);
    }
}

/* Covers: COL-RPC-005 */
static void lists_are_newest_first_and_page_through_all(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name, *party;
        int state;
        unsigned expected[13]; /* ends with 0 */
    } rows[] = {
        {"all", NULL, 0, {12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
        {"all in a state", NULL, 4, {12, 8, 4}},
        {"bank alpha, also as sender", "bank:cn-alpha-js", 0, {12, 11, 10, 8, 7, 6, 5, 4, 2, 1}},
        {"bank beta", "bank:cn-beta-js", 0, {12, 9, 6, 3}},
        {"bank beta in a state", "bank:cn-beta-js", 4, {12}},
        {"channel", "channel:app", 0, {11, 9, 7, 5, 3, 1}},
        {"channel in a state", "channel:app", 1, {11, 9, 7, 5, 3, 1}},
        {"channel in a state it has none of", "channel:app", 4, {0}},
        {"bank alpha in a state", "bank:cn-alpha-js", 4, {12, 8, 4}},
        {"nobody", "bank:none", 0, {0}},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    fill(tx);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t limit = 1; limit <= 13; limit++) {
            struct application_filter filter = {.party = rows[i].party, .state = rows[i].state, .limit = limit};
            size_t seen = 0;
            struct application_rows page;
            do {
                assert_int_equal(
                    applications_list(&page, store_tx_sql(tx), store_fixture_arena(fixture), &filter).reason, CL_OK);
                assert_true(page.count <= limit);
                for (size_t k = 0; k < page.count; k++, seen++) {
                    if (strcmp(page.rows[k].id, fixture_application_id(rows[i].expected[seen])) != 0) {
                        fail_msg("%s: %zu is %s", rows[i].name, seen, page.rows[k].id);
                    }
                    filter.after_id = page.rows[k].id;
                    filter.after_submitted_ms = page.rows[k].submitted_ms;
                }
            } while (page.count == limit);
            assert_int_equal(rows[i].expected[seen], 0);
            cl_arena_reset(store_fixture_arena(fixture));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void unsettled_applications_are_found_by_owner(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    for (unsigned i = 1; i <= 4; i++) {
        fixture_add_application(tx, i);
        /* Two open items of one owner: named once. 4 has none open. */
        for (int item = 1; item <= 2; item++) {
            struct item_row row = {.application_id = fixture_application_id(i),
                                   .phase = 1,
                                   .item = item,
                                   .owner = i == 3 ? OWNER_BANK : OWNER_SOURCE,
                                   .outcome = i == 4 ? 1 : 0};
            assert_int_equal(items_insert(tx, &row).reason, CL_OK);
        }
    }
    struct application_ids ids;
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(applications_unsettled(&ids, sql, arena, OWNER_SOURCE, NULL, 10).reason, CL_OK);
    assert_int_equal(ids.count, 2);
    assert_string_equal(ids.ids[0], fixture_application_id(1));
    assert_string_equal(ids.ids[1], fixture_application_id(2));
    assert_int_equal(applications_unsettled(&ids, sql, arena, OWNER_SOURCE, ids.ids[0], 10).reason, CL_OK);
    assert_int_equal(ids.count, 1);
    assert_string_equal(ids.ids[0], fixture_application_id(2));
    assert_int_equal(applications_unsettled(&ids, sql, arena, OWNER_BANK, NULL, 1).reason, CL_OK);
    assert_int_equal(ids.count, 1);
    assert_string_equal(ids.ids[0], fixture_application_id(3));
    assert_int_equal(applications_unsettled(&ids, sql, arena, OWNER_LOCAL, NULL, 10).reason, CL_OK);
    assert_int_equal(ids.count, 0);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void applications_are_tallied_by_state(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    struct application_tally tally;
    static const struct {
        int state, fund;
        int64_t deadline_ms;
    } rows[] = {{1, 1, 100}, {1, 1, 200}, {3, 5, 100}, {4, 2, 100}, {20, 8, 0}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture_add_application(tx, 50 + i);
        struct application_row row = fixture_application(50 + i);
        row.state = rows[i].state;
        row.fund = rows[i].fund;
        row.deadline_ms = rows[i].deadline_ms;
        assert_int_equal(applications_update(tx, &row).reason, CL_OK);
    }
    assert_int_equal(applications_tally(&tally, sql, 101).reason, CL_OK);
    for (int i = 0; i < APPLICATION_STATES_MAX; i++) {
        assert_int_equal(tally.in_state[i], i == 1 ? 2 : i == 3 || i == 4 || i == 20 ? 1 : 0);
    }
    assert_int_equal(tally.overdue, 2); /* undecided ones only */
    assert_int_equal(applications_tally(&tally, sql, 100).reason, CL_OK);
    assert_int_equal(tally.overdue, 0);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-SUB-007 */
static void a_person_stands_in_one_open_application(void **state)
{
    struct store_fixture *fixture = *state;
    static const uint8_t first[PERSON_INDEX_BYTES] = {1};
    static const uint8_t second[PERSON_INDEX_BYTES] = {2};
    const char *one = fixture_application_id(1);
    const char *two = fixture_application_id(2);
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    fixture_add_application(tx, 2);
    assert_int_equal(applications_claim_person(tx, first, one).reason, CL_OK);
    assert_int_equal(applications_claim_person(tx, first, one).reason, CL_OK);
    assert_int_equal(applications_claim_person(tx, first, two).reason, CL_OPEN_CASE_EXISTS);
    assert_int_equal(applications_claim_person(tx, second, two).reason, CL_OK);
    assert_int_equal(applications_claim_person(tx, second, one).reason, CL_OPEN_CASE_EXISTS);
    assert_int_equal(applications_claim_person(tx, second, fixture_application_id(9)).reason, CL_OPEN_CASE_EXISTS);
    assert_int_equal(applications_release_persons(tx, one).reason, CL_OK);
    assert_int_equal(applications_release_persons(tx, one).reason, CL_OK);
    assert_int_equal(applications_claim_person(tx, first, two).reason, CL_OK);
    assert_int_equal(applications_claim_person(tx, second, one).reason, CL_OPEN_CASE_EXISTS);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_application_reads_back_as_inserted_and_as_updated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_senders_number_names_one_application, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_are_newest_first_and_page_through_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unsettled_applications_are_found_by_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(applications_are_tallied_by_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_person_stands_in_one_open_application, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
