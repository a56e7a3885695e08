#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "server/store/outbox.h"
#include "tests/support/store_fixture.h"

#define ALPHA "bank:cn-alpha-js"
#define BETA  "bank:cn-beta-js"

/* Messages of events have numbers from here; those of acknowledgements from ACKS. */
enum { EVENTS = 1000, ACKS = 2000 };

static int set_up(void **state)
{
    struct store_fixture *fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    store_fixture_free(*state);
    return 0;
}

static struct cl_status add_event(struct store_tx *tx, const char *recipient, uint64_t sequence, unsigned number)
{
    struct message_row message = fixture_message(EVENTS + number);
    struct outbox_row row = {
        .recipient = recipient,
        .sequence = sequence,
        .application_id = fixture_application_id(1),
        .kind = 2,
        .digest = message.digest,
        .made_ms = 50 + number,
    };
    assert_int_equal(messages_add(tx, &message).reason, CL_OK);
    return outbox_add(tx, &row);
}

static void add_events(struct store_fixture *fixture, const char *recipient, unsigned count)
{
    struct store_tx *tx = store_fixture_begin(fixture);
    for (unsigned i = 1; i <= count; i++) {
        uint64_t sequence = 0;
        assert_int_equal(outbox_next(tx, recipient, &sequence).reason, CL_OK);
        assert_int_equal(sequence, i);
        assert_int_equal(add_event(tx, recipient, sequence, i).reason, CL_OK);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-DEL-007 */
static void sequences_have_no_gaps(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name, *recipient;
        uint64_t sequence;
        enum cl_reason expected;
    } rows[] = {
        {"zero", ALPHA, 0, CL_STATE_CONFLICT},
        {"second first", ALPHA, 2, CL_STATE_CONFLICT},
        {"first", ALPHA, 1, CL_OK},
        {"first again", ALPHA, 1, CL_STATE_CONFLICT},
        {"skipped", ALPHA, 3, CL_STATE_CONFLICT},
        {"second", ALPHA, 2, CL_OK},
        {"first of another", BETA, 1, CL_OK},
        {"third", ALPHA, 3, CL_OK},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_status status = add_event(tx, rows[i].recipient, rows[i].sequence, i);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    uint64_t sequence = 0;
    assert_int_equal(outbox_next(tx, ALPHA, &sequence).reason, CL_OK);
    assert_int_equal(sequence, 4);
    assert_int_equal(outbox_next(tx, ALPHA, &sequence).reason, CL_OK);
    assert_int_equal(sequence, 4);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-DEL-021 */
static void an_undone_command_uses_up_no_number(void **state)
{
    struct store_fixture *fixture = *state;
    uint64_t sequence = 0;
    add_events(fixture, ALPHA, 2);
    struct store_tx *tx = store_fixture_begin(fixture);
    assert_int_equal(add_event(tx, ALPHA, 3, 3).reason, CL_OK);
    assert_int_equal(outbox_next(tx, ALPHA, &sequence).reason, CL_OK);
    assert_int_equal(sequence, 4);
    assert_int_equal(store_fixture_end(fixture, cl_fail(CL_OFFER_STALE)).reason, CL_OFFER_STALE);
    tx = store_fixture_begin(fixture);
    assert_int_equal(outbox_next(tx, ALPHA, &sequence).reason, CL_OK);
    assert_int_equal(sequence, 3);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-DEL-020 */
static void events_are_read_in_order_from_any_place(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        uint64_t after;
        size_t max;
        uint64_t first, count;
    } rows[] = {{0, 100, 1, 9}, {0, 3, 1, 3}, {3, 3, 4, 3}, {8, 3, 9, 1}, {9, 3, 0, 0}, {UINT64_MAX, 3, 0, 0}};
    struct sql *sql = NULL;
    add_events(fixture, ALPHA, 9);
    assert_int_equal(store_reader_open(&sql, store_fixture_store(fixture)).reason, CL_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outbox_rows events;
        assert_int_equal(
            outbox_read(&events, sql, store_fixture_arena(fixture), ALPHA, rows[i].after, rows[i].max, 0).reason,
            CL_OK);
        assert_int_equal(events.count, rows[i].count);
        for (size_t k = 0; k < events.count; k++) {
            struct message_row message = fixture_message(EVENTS + (unsigned)(rows[i].first + k));
            assert_int_equal(events.rows[k].sequence, rows[i].first + k);
            assert_string_equal(events.rows[k].recipient, ALPHA);
            assert_string_equal(events.rows[k].application_id, fixture_application_id(1));
            assert_int_equal(events.rows[k].kind, 2);
            assert_int_equal(events.rows[k].made_ms, 50 + (int64_t)rows[i].first + (int64_t)k);
            assert_true(cl_digest_equal(&events.rows[k].digest, &message.digest));
            assert_true(cl_bytes_equal(events.rows[k].envelope, message.envelope));
        }
    }
    struct outbox_rows none;
    assert_int_equal(outbox_read(&none, sql, store_fixture_arena(fixture), BETA, 0, 10, 0).reason, CL_OK);
    assert_int_equal(none.count, 0);
    sql_close(sql);
}

static void large_events_are_read_in_pieces(void **state)
{
    struct store_fixture *fixture = *state;
    enum { LARGE = 200000, COUNT = 8 };
    static const uint8_t envelope[LARGE] = {1};
    struct store_tx *tx = store_fixture_begin(fixture);
    for (unsigned i = 1; i <= COUNT; i++) {
        struct message_row message = fixture_message(EVENTS + i);
        message.envelope = cl_bytes(envelope, sizeof envelope);
        struct outbox_row row = {
            .recipient = ALPHA, .sequence = i, .application_id = fixture_application_id(1), .digest = message.digest};
        assert_int_equal(messages_add(tx, &message).reason, CL_OK);
        assert_int_equal(outbox_add(tx, &row).reason, CL_OK);
    }
    uint64_t after = 0;
    unsigned reads = 0;
    while (after < COUNT) {
        struct outbox_rows events;
        assert_int_equal(
            outbox_read(&events, store_tx_sql(tx), store_fixture_arena(fixture), ALPHA, after, 100, 0).reason, CL_OK);
        assert_true(events.count > 0 && (events.count - 1) * LARGE < OUTBOX_READ_BYTES);
        after += events.count;
        reads++;
        cl_arena_reset(store_fixture_arena(fixture));
    }
    assert_int_equal(after, COUNT);
    assert_int_equal(reads, 2);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-DEL-009, COL-DEL-010 */
static void acknowledgements_are_checked_and_repeatable(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name, *recipient;
        uint64_t sequence;
        int level;
        unsigned event;
        const char *reference;
        enum cl_reason expected;
        uint64_t received, applied;
    } rows[] = {
        {"never sent", ALPHA, 6, 1, 6, NULL, CL_EVENT_UNKNOWN, 0, 0},
        {"zero", ALPHA, 0, 1, 1, NULL, CL_EVENT_UNKNOWN, 0, 0},
        {"beyond", ALPHA, UINT64_MAX, 1, 1, NULL, CL_EVENT_UNKNOWN, 0, 0},
        {"of another recipient", BETA, 1, 1, 1, NULL, CL_EVENT_UNKNOWN, 0, 0},
        {"other digest", ALPHA, 1, 1, 2, NULL, CL_ACK_WRONG, 0, 0},
        {"received 2", ALPHA, 2, 1, 2, NULL, CL_OK, 0, 0},
        {"received 1", ALPHA, 1, 1, 1, NULL, CL_OK, 2, 0},
        {"received 1 again", ALPHA, 1, 1, 1, NULL, CL_OK, 2, 0},
        {"applied 1", ALPHA, 1, 2, 1, "LOAN-1", CL_OK, 2, 1},
        {"applied 1 again", ALPHA, 1, 2, 1, "LOAN-1", CL_OK, 2, 1},
        {"applied 1 as another", ALPHA, 1, 2, 1, "LOAN-2", CL_ACK_WRONG, 2, 1},
        {"received 1 after applied", ALPHA, 1, 1, 1, NULL, CL_OK, 2, 1},
        {"applied 4 without received", ALPHA, 4, 2, 4, NULL, CL_OK, 2, 1},
        {"applied 4, other digest", ALPHA, 4, 2, 3, NULL, CL_ACK_WRONG, 2, 1},
        {"received 3", ALPHA, 3, 1, 3, NULL, CL_OK, 4, 1},
        {"applied 3", ALPHA, 3, 2, 3, NULL, CL_OK, 4, 1},
        {"applied 2", ALPHA, 2, 2, 2, NULL, CL_OK, 4, 4},
        {"applied 5", ALPHA, 5, 2, 5, NULL, CL_OK, 5, 5},
    };
    add_events(fixture, ALPHA, 5);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_tx *tx = store_fixture_begin(fixture);
        struct message_row message = fixture_message(ACKS + i);
        struct outbox_ack ack = {
            .recipient = rows[i].recipient,
            .sequence = rows[i].sequence,
            .level = (enum outbox_level)rows[i].level,
            .event = fixture_digest(EVENTS + rows[i].event),
            .reference = rows[i].reference,
            .digest = message.digest,
            .at_ms = 60,
        };
        assert_int_equal(messages_add(tx, &message).reason, CL_OK);
        struct cl_status status = outbox_ack(tx, &ack);
        if (store_fixture_end(fixture, status).reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        tx = store_fixture_begin(fixture);
        struct outbox_state floors;
        assert_int_equal(outbox_state(&floors, store_tx_sql(tx), ALPHA).reason, CL_OK);
        assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
        if (floors.head != 5 || floors.received_floor != rows[i].received || floors.applied_floor != rows[i].applied) {
            fail_msg("%s: floors %d %d", rows[i].name, (int)floors.received_floor, (int)floors.applied_floor);
        }
    }
}

/* Acknowledged in any order, the floor always ends below the first hole. */
static void floors_hold_for_any_order(void **state)
{
    struct store_fixture *fixture = *state;
    enum { COUNT = 30 };
    bool acked[COUNT + 2] = {false};
    unsigned order[COUNT];
    add_events(fixture, ALPHA, COUNT);
    srandom(7);
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned other = (unsigned)random() % (i + 1);
        order[i] = order[other];
        order[other] = i + 1;
    }
    struct store_tx *tx = store_fixture_begin(fixture);
    for (unsigned i = 0; i < COUNT; i++) {
        struct message_row message = fixture_message(ACKS + i);
        struct outbox_ack ack = {.recipient = ALPHA,
                                 .sequence = order[i],
                                 .level = OUTBOX_APPLIED,
                                 .event = fixture_digest(EVENTS + order[i]),
                                 .digest = message.digest};
        assert_int_equal(messages_add(tx, &message).reason, CL_OK);
        assert_int_equal(outbox_ack(tx, &ack).reason, CL_OK);
        acked[order[i]] = true;
        uint64_t floor = 0;
        while (acked[floor + 1]) {
            floor++;
        }
        struct outbox_state floors;
        assert_int_equal(outbox_state(&floors, store_tx_sql(tx), ALPHA).reason, CL_OK);
        assert_int_equal(floors.received_floor, floor);
        assert_int_equal(floors.applied_floor, floor);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-DEL-007 */
static void events_and_acknowledgements_never_change(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const refused[] = {
        "DELETE FROM outbox",
        "UPDATE outbox SET kind = 1",
        "DELETE FROM outbox_acks",
        "UPDATE outbox_acks SET reference = 'x'",
    };
    add_events(fixture, ALPHA, 1);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct outbox_ack ack = {.recipient = ALPHA,
                             .sequence = 1,
                             .level = OUTBOX_RECEIVED,
                             .event = fixture_digest(EVENTS + 1),
                             .digest = fixture_digest(99)};
    assert_int_equal(outbox_ack(tx, &ack).reason, CL_INTERNAL); /* not logged */
    ack.digest = fixture_digest(1);
    assert_int_equal(outbox_ack(tx, &ack).reason, CL_OK);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(sql_script(store_tx_sql(tx), refused[i]).reason, CL_STATE_CONFLICT);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sequences_have_no_gaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_undone_command_uses_up_no_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_are_read_in_order_from_any_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_events_are_read_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(acknowledgements_are_checked_and_repeatable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floors_hold_for_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_and_acknowledgements_never_change, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
