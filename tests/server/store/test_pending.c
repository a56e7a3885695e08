/* What is still to be delivered, in which order, and what holds it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/chain.h"
#include "libcoloan/sha256.h"
#include "server/store/outbox.h"
#include "server/store/pending.h"
#include "tests/support/store_fixture.h"

#define ALPHA "bank:cn-alpha-js"
#define BETA  "bank:cn-beta-js"

enum { EVENTS = 1000, ACKS = 2000, NOW_MS = 5000 };

static unsigned message_number;

static void add_event(struct store_tx *tx, const char *recipient, unsigned application)
{
    struct message_row message = fixture_message(EVENTS + message_number++);
    struct outbox_row row = {.recipient = recipient,
                             .application_id = fixture_application_id(application),
                             .kind = 1,
                             .digest = message.digest};
    assert_int_equal(messages_add(tx, &message).reason, CL_OK);
    assert_int_equal(outbox_next(tx, recipient, &row.sequence).reason, CL_OK);
    assert_int_equal(outbox_add(tx, &row).reason, CL_OK);
}

/* Alpha's events 1 to 6 are of applications 1, 2, 1, 2, 1, 3; beta has one of application 1. */
static int set_up(void **state)
{
    static const unsigned applications[] = {1, 2, 1, 2, 1, 3};
    struct store_fixture *fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(fixture);
    message_number = 0;
    for (unsigned i = 1; i <= 3; i++) {
        fixture_add_application(tx, i);
    }
    for (size_t i = 0; i < sizeof applications / sizeof applications[0]; i++) {
        add_event(tx, ALPHA, applications[i]);
    }
    add_event(tx, BETA, 1);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    store_fixture_free(*state);
    return 0;
}

static void put(struct store_tx *tx, uint64_t sequence, enum pending_state to, int64_t next_ms)
{
    static const unsigned applications[] = {1, 2, 1, 2, 1, 3};
    struct pending_row row = {.sequence = sequence,
                              .application_id = fixture_application_id(applications[sequence - 1]),
                              .state = to,
                              .tries = 3,
                              .first_ms = 7,
                              .next_ms = next_ms,
                              .cause = PENDING_NO_WAY,
                              .note = "PEER_UNREACHABLE"};
    assert_int_equal(pending_put(tx, ALPHA, &row).reason, CL_OK);
}

static void acknowledge(struct store_tx *tx, uint64_t sequence)
{
    struct message_row message = fixture_message(ACKS + (unsigned)sequence);
    struct outbox_ack ack = {.recipient = ALPHA,
                             .sequence = sequence,
                             .level = OUTBOX_RECEIVED,
                             .event = fixture_digest(EVENTS + (unsigned)sequence - 1),
                             .digest = message.digest,
                             .at_ms = 99};
    assert_int_equal(messages_add(tx, &message).reason, CL_OK);
    assert_int_equal(outbox_ack(tx, &ack).reason, CL_OK);
}

/* The sequences that are ready, as digits. */
static const char *ready(struct store_fixture *fixture, struct store_tx *tx, uint64_t after, uint64_t up_to)
{
    static char text[32];
    struct pending_rows rows;
    struct pending_look look = {.recipient = ALPHA, .after = after, .up_to = up_to, .now_ms = NOW_MS, .max = 16};
    assert_int_equal(pending_ready(&rows, store_tx_sql(tx), store_fixture_arena(fixture), &look).reason, CL_OK);
    size_t i = 0;
    for (; i < rows.count; i++) {
        text[i] = (char)('0' + rows.rows[i].sequence);
    }
    text[i] = '\0';
    return text;
}

/* The same as outbox_read sees it: '.' for what is held. */
static const char *read_all(struct store_fixture *fixture, struct store_tx *tx)
{
    static char text[32];
    struct outbox_rows rows;
    assert_int_equal(outbox_read(&rows, store_tx_sql(tx), store_fixture_arena(fixture), ALPHA, 0, 16, NOW_MS).reason,
                     CL_OK);
    size_t i = 0;
    for (; i < rows.count; i++) {
        text[i] = rows.rows[i].held ? '.' : rows.rows[i].pending ? (char)('1' + i) : 'r';
    }
    text[i] = '\0';
    return text;
}

/* Covers: COL-DEL-022, COL-DEL-023 */
static void what_waits_holds_back_its_own_application_only(void **state)
{
    static const struct {
        const char *name;
        uint64_t sequence; /* of the event that is put into the state; 0: none */
        enum pending_state to;
        int64_t next_ms;
        const char *ready, *read;
    } rows[] = {
        {"fresh", 0, PENDING_FRESH, 0, "123456", "123456"},
        {"waits", 1, PENDING_WAITING, NOW_MS + 1, "246", ".2.4.6"},
        {"its time has come", 1, PENDING_WAITING, NOW_MS, "1246", "12.4.6"},
        {"the last one waits", 5, PENDING_WAITING, NOW_MS + 1, "12346", "1234.6"},
        {"parked", 3, PENDING_PARKED, 0, "1246", "12.4.6"},
        {"on a call", 2, PENDING_ON_CALL, NOW_MS + 1, "1356", "1.3.56"},
        {"the call was lost", 2, PENDING_ON_CALL, NOW_MS, "12356", "123.56"},
        {"asked for again", 1, PENDING_ASKED, NOW_MS, "123456", "123456"},
        {"asked for again, later", 1, PENDING_ASKED, NOW_MS + 1, "23456", "123456"},
    };
    struct store_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_tx *tx = store_fixture_begin(fixture);
        if (rows[i].sequence != 0) {
            put(tx, rows[i].sequence, rows[i].to, rows[i].next_ms);
        }
        const char *found = ready(fixture, tx, 0, 100);
        const char *seen = read_all(fixture, tx);
        if (strcmp(found, rows[i].ready) != 0 || strcmp(seen, rows[i].read) != 0) {
            fail_msg("%s: ready %s, read %s", rows[i].name, found, seen);
        }
        assert_int_equal(store_fixture_end(fixture, cl_fail(CL_OFFER_STALE)).reason, CL_OFFER_STALE); /* undone */
    }
}

static void an_acknowledgement_ends_it(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct pending_row row;
    bool found = true;
    put(tx, 1, PENDING_PARKED, 0);
    assert_string_equal(ready(fixture, tx, 0, 100), "246");
    acknowledge(tx, 1);
    assert_string_equal(ready(fixture, tx, 0, 100), "23456");
    assert_string_equal(read_all(fixture, tx), "r23456");
    assert_int_equal(pending_find(&found, &row, store_tx_sql(tx), store_fixture_arena(fixture), ALPHA, 1).reason,
                     CL_OK);
    assert_false(found);
    put(tx, 1, PENDING_ASKED, NOW_MS);
    assert_string_equal(ready(fixture, tx, 0, 100), "123456");
    assert_int_equal(pending_end(tx, ALPHA, 1).reason, CL_OK);
    assert_int_equal(pending_end(tx, ALPHA, 1).reason, CL_OK);
    assert_string_equal(ready(fixture, tx, 1, 4), "234");
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_row_is_read_as_it_was_put(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    struct pending_row row;
    bool found = false;
    struct pending_holds holds;
    assert_int_equal(pending_holds(&holds, sql, ALPHA).reason, CL_OK);
    assert_false(holds.any);
    assert_true(holds.next_ms == INT64_MAX);
    put(tx, 1, PENDING_PARKED, INT64_MAX);
    assert_int_equal(pending_holds(&holds, sql, ALPHA).reason, CL_OK);
    assert_true(holds.any);
    assert_true(holds.next_ms == INT64_MAX);
    put(tx, 2, PENDING_WAITING, 8000);
    put(tx, 3, PENDING_ON_CALL, 9000);
    assert_int_equal(pending_find(&found, &row, sql, store_fixture_arena(fixture), ALPHA, 2).reason, CL_OK);
    assert_true(found);
    assert_int_equal(row.state, PENDING_WAITING);
    assert_int_equal(row.tries, 3);
    assert_int_equal(row.first_ms, 7);
    assert_int_equal(row.next_ms, 8000);
    assert_int_equal(row.cause, PENDING_NO_WAY);
    assert_string_equal(row.note, "PEER_UNREACHABLE");
    assert_string_equal(row.application_id, fixture_application_id(2));
    assert_int_equal(pending_find(&found, &row, sql, store_fixture_arena(fixture), ALPHA, UINT64_MAX).reason, CL_OK);
    assert_false(found);
    assert_int_equal(pending_holds(&holds, sql, ALPHA).reason, CL_OK);
    assert_int_equal(holds.next_ms, 8000);
    assert_int_equal(pending_hasten(tx, ALPHA, 6000).reason, CL_OK); /* not what is on a call */
    assert_int_equal(pending_holds(&holds, sql, ALPHA).reason, CL_OK);
    assert_int_equal(holds.next_ms, 6000);
    row.sequence = 99; /* no such event: the reference does not hold */
    assert_int_equal(pending_put(tx, ALPHA, &row).reason, CL_INTERNAL);
    assert_int_equal(store_fixture_end(fixture, cl_fail(CL_OFFER_STALE)).reason, CL_OFFER_STALE);
}

static void what_was_tried_is_told_in_order_and_stays(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct delivery_notes notes;
    for (int i = 1; i <= 5; i++) {
        struct delivery_note note = {.at_ms = i, .step = (enum delivery_step)i, .by = ALPHA, .note = "N"};
        assert_int_equal(delivery_log_add(tx, ALPHA, 2, &note).reason, CL_OK);
    }
    assert_int_equal(delivery_log_read(&notes, store_tx_sql(tx), store_fixture_arena(fixture), ALPHA, 2, 3).reason,
                     CL_OK);
    assert_int_equal(notes.count, 3);
    assert_int_equal(notes.notes[0].step, DELIVERY_PARKED);
    assert_int_equal(notes.notes[2].step, DELIVERY_ASKED_AGAIN);
    assert_int_equal(notes.notes[2].at_ms, 5);
    assert_string_equal(notes.notes[2].by, ALPHA);
    assert_int_equal(delivery_log_read(&notes, store_tx_sql(tx), store_fixture_arena(fixture), ALPHA, 3, 3).reason,
                     CL_OK);
    assert_int_equal(notes.count, 0);
    assert_int_equal(sql_script(store_tx_sql(tx), "DELETE FROM delivery_log").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(store_tx_sql(tx), "UPDATE delivery_log SET at_ms = 1").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-DEL-029 */
static void the_chain_stands_for_all_events_before(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct cl_digest chain = {{0}};
    struct outbox_rows rows;
    struct outbox_state outbox;
    assert_int_equal(outbox_read(&rows, store_tx_sql(tx), store_fixture_arena(fixture), ALPHA, 0, 16, NOW_MS).reason,
                     CL_OK);
    for (size_t i = 0; i < rows.count; i++) {
        uint8_t bytes[17 + 32 + 8 + 32] = "coloan events v1\n";
        memcpy(bytes + 17, chain.bytes, 32);
        memset(bytes + 49, 0, 8);
        bytes[56] = (uint8_t)(i + 1);
        memcpy(bytes + 57, rows.rows[i].digest.bytes, 32);
        cl_sha256(&chain, cl_bytes(bytes, sizeof bytes));
        assert_true(cl_digest_equal(&chain, &rows.rows[i].chain));
    }
    assert_int_equal(outbox_state(&outbox, store_tx_sql(tx), ALPHA).reason, CL_OK);
    assert_true(cl_digest_equal(&chain, &outbox.chain));
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_waits_holds_back_its_own_application_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_acknowledgement_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_is_read_as_it_was_put, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_tried_is_told_in_order_and_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_chain_stands_for_all_events_before, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
