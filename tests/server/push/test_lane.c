/* What goes out next, for every history of one bank's events: no clock, no stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/push/lane.h"
#include "server/store/pending.h"
#include "tests/support/store_fixture.h"

#define ALPHA "bank:cn-alpha-js"

enum { EVENTS = 1000, ACKS = 2000, UNIX_MS = 1000000, MONOTONIC_MS = 5000 };

/* Events 1 to 9 are of these applications. */
static const unsigned applications[] = {1, 2, 1, 2, 1, 3, 3, 1, 2};
enum { COUNT = sizeof applications / sizeof applications[0] };

struct place {
    struct store_fixture *fixture;
    struct lane lane;
    struct lane_now now;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    place->fixture = store_fixture_create();
    place->now = (struct lane_now){.unix_ms = UNIX_MS, .monotonic_ms = MONOTONIC_MS};
    struct store_tx *tx = store_fixture_begin(place->fixture);
    for (unsigned i = 1; i <= 3; i++) {
        fixture_add_application(tx, i);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        struct message_row message = fixture_message(EVENTS + i + 1);
        struct outbox_row row = {.recipient = ALPHA,
                                 .sequence = i + 1,
                                 .application_id = fixture_application_id(applications[i]),
                                 .kind = 1,
                                 .digest = message.digest};
        assert_int_equal(messages_add(tx, &message).reason, CL_OK);
        assert_int_equal(outbox_add(tx, &row).reason, CL_OK);
    }
    assert_int_equal(store_fixture_end(place->fixture, cl_ok()).reason, CL_OK);
    lane_init(&place->lane, ALPHA);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    lane_close(&place->lane);
    store_fixture_free(place->fixture);
    free(place);
    return 0;
}

/* -- Steps ---------------------------------------------------------------------------------------------------- */

static void pass(struct place *place, int64_t ms)
{
    place->now.unix_ms += ms;
    place->now.monotonic_ms += ms;
}

/* Sends all that may go, and tells it: a digit for an event, with ' behind it when it came again, (a-b) for what is held. */
static const char *send(struct place *place)
{
    static char text[256];
    size_t len = 0;
    text[0] = '\0';
    struct store_tx *tx = store_fixture_begin(place->fixture);
    struct lane_items items = {NULL, 1};
    while (items.count > 0) {
        cl_arena_reset(store_fixture_arena(place->fixture));
        assert_int_equal(
            lane_next(&items, &place->lane, store_tx_sql(tx), store_fixture_arena(place->fixture), COUNT, place->now)
                .reason,
            CL_OK);
        for (size_t i = 0; i < items.count; i++) {
            const struct lane_item *item = &items.items[i];
            int more = item->kind == LANE_HELD
                           ? snprintf(text + len, sizeof text - len, "(%d-%d)", (int)item->from, (int)item->to)
                           : snprintf(text + len, sizeof text - len, "%d%s", (int)item->event.sequence,
                                      item->again ? "'" : "");
            len += (size_t)more;
            assert_true(len < sizeof text);
            assert_int_equal(lane_sent(&place->lane, item, place->now).reason, CL_OK);
        }
    }
    assert_int_equal(store_fixture_end(place->fixture, cl_ok()).reason, CL_OK);
    return text;
}

static void acknowledge(struct place *place, uint64_t sequence)
{
    struct store_tx *tx = store_fixture_begin(place->fixture);
    struct message_row message = fixture_message(ACKS + (unsigned)sequence);
    struct outbox_ack ack = {.recipient = ALPHA,
                             .sequence = sequence,
                             .level = OUTBOX_RECEIVED,
                             .event = fixture_digest(EVENTS + (unsigned)sequence),
                             .digest = message.digest};
    assert_int_equal(messages_add(tx, &message).reason, CL_OK);
    assert_int_equal(outbox_ack(tx, &ack).reason, CL_OK);
    assert_int_equal(store_fixture_end(place->fixture, cl_ok()).reason, CL_OK);
    lane_received(&place->lane, sequence);
}

static void put(struct place *place, uint64_t sequence, enum pending_state state, int64_t next_ms)
{
    struct store_tx *tx = store_fixture_begin(place->fixture);
    struct pending_row row = {.sequence = sequence,
                              .application_id = fixture_application_id(applications[sequence - 1]),
                              .state = state,
                              .next_ms = next_ms,
                              .note = ""};
    assert_int_equal(pending_put(tx, ALPHA, &row).reason, CL_OK);
    assert_int_equal(store_fixture_end(place->fixture, cl_ok()).reason, CL_OK);
}

static void refuse(struct place *place, uint64_t sequence, int64_t delay_ms)
{
    put(place, sequence, PENDING_WAITING, place->now.unix_ms + delay_ms);
    lane_refused(&place->lane, sequence);
}

static void resume(struct place *place, uint64_t after, uint32_t window)
{
    lane_resume(&place->lane, after, window);
}

/* -- Tests ---------------------------------------------------------------------------------------------------- */

static void all_go_out_once_and_in_order(void **state)
{
    struct place *place = *state;
    resume(place, 0, 100);
    assert_string_equal(send(place), "123456789");
    assert_string_equal(send(place), "");
    for (uint64_t i = 1; i <= COUNT; i++) {
        acknowledge(place, i);
    }
    pass(place, 10 * LANE_LEASE_MS);
    assert_string_equal(send(place), "");
}

/* Covers: COL-DEL-006 */
static void no_more_than_the_window_is_out(void **state)
{
    struct place *place = *state;
    resume(place, 0, 2);
    assert_string_equal(send(place), "12");
    assert_string_equal(send(place), "");
    acknowledge(place, 2);
    assert_string_equal(send(place), "3");
    lane_credit(&place->lane, 2);
    assert_string_equal(send(place), "45");
    refuse(place, 5, 1000); /* what was refused is not out any more */
    assert_string_equal(send(place), "6");
}

/* Covers: COL-DEL-025 */
static void what_nobody_speaks_of_comes_again(void **state)
{
    struct place *place = *state;
    resume(place, 0, 3);
    assert_string_equal(send(place), "123");
    acknowledge(place, 2);
    assert_string_equal(send(place), "4");
    pass(place, LANE_LEASE_MS - 1);
    assert_string_equal(send(place), "");
    pass(place, 1);
    assert_string_equal(send(place), "1'3'4'");
    pass(place, LANE_LEASE_MS);
    assert_string_equal(send(place), ""); /* the second time it waits for twice as long */
    lane_in_progress(&place->lane, 3, place->now);
    pass(place, LANE_LEASE_MS - 1);
    assert_string_equal(send(place), "");
    pass(place, 1);
    assert_string_equal(send(place), "1'3'4'");
    lane_in_progress(&place->lane, 99, place->now); /* never sent: nothing happens */
    assert_string_equal(send(place), "");
}

/* Covers: COL-DEL-022, COL-DEL-023, COL-DEL-024 */
static void a_refused_event_holds_up_its_own_application(void **state)
{
    struct place *place = *state;
    resume(place, 0, 2);
    assert_string_equal(send(place), "12");
    refuse(place, 1, 5000);
    assert_string_equal(send(place), "(3-3)4"); /* 3 is of the same */
    acknowledge(place, 2);
    acknowledge(place, 4);
    lane_credit(&place->lane, 98);
    assert_string_equal(send(place), "(5-5)67(8-8)9");
    acknowledge(place, 9);
    pass(place, 4999);
    assert_string_equal(send(place), "");
    pass(place, 1);
    assert_string_equal(send(place), "1'"); /* the others wait for its acknowledgement */
    acknowledge(place, 1);
    assert_string_equal(send(place), "3'5'8'"); /* in their order */
    acknowledge(place, 3);
    refuse(place, 5, 1000);
    assert_string_equal(send(place), "");
    pass(place, 1000);
    assert_string_equal(send(place), "5'");
}

/* Covers: COL-DEL-026 */
static void a_parked_event_stays_until_it_is_let_go(void **state)
{
    struct place *place = *state;
    put(place, 2, PENDING_PARKED, INT64_MAX);
    resume(place, 0, 100);
    assert_string_equal(send(place), "1(2-2)3(4-4)5678(9-9)");
    pass(place, 1000 * LANE_LEASE_MS);
    for (uint64_t i = 1; i <= 8; i++) {
        if (applications[i - 1] != 2) {
            acknowledge(place, i);
        }
    }
    assert_string_equal(send(place), "");
    put(place, 2, PENDING_WAITING, place->now.unix_ms);
    lane_look(&place->lane);
    assert_string_equal(send(place), "2'");
    acknowledge(place, 2);
    assert_string_equal(send(place), "4'9'");
    put(place, 4, PENDING_PARKED, INT64_MAX);
    lane_refused(&place->lane, 4);
    assert_string_equal(send(place), "");
    acknowledge(place, 4); /* it had come, after all */
    pass(place, LANE_LEASE_MS);
    assert_string_equal(send(place), "9'");
}

/* Another node, or the operator's hand in the database, tells nobody. */
static void what_changed_unheard_is_found(void **state)
{
    struct place *place = *state;
    put(place, 2, PENDING_PARKED, INT64_MAX);
    resume(place, 0, 100);
    assert_string_equal(send(place), "1(2-2)3(4-4)5678(9-9)");
    put(place, 2, PENDING_WAITING, 0);
    assert_string_equal(send(place), "");
    pass(place, LANE_LOOK_MS);
    assert_string_equal(send(place), "2'");
    acknowledge(place, 2);
    assert_string_equal(send(place), "4'9'");
}

/* Covers: COL-DEL-027 */
static void what_is_asked_for_again_comes_again_and_holds_nothing_up(void **state)
{
    struct place *place = *state;
    resume(place, 0, 100);
    assert_string_equal(send(place), "123456789");
    for (uint64_t i = 1; i <= COUNT; i++) {
        acknowledge(place, i);
    }
    put(place, 1, PENDING_ASKED, place->now.unix_ms + 10);
    lane_look(&place->lane);
    assert_string_equal(send(place), "");
    pass(place, LANE_LOOK_MS);
    assert_string_equal(send(place), "1'");
    pass(place, LANE_LEASE_MS - 1);
    assert_string_equal(send(place), "");
    pass(place, 1);
    assert_string_equal(send(place), "1'");
}

/* Covers: COL-DEL-002, COL-DEL-025 */
static void who_comes_back_gets_at_once_what_it_has_not_acknowledged(void **state)
{
    struct place *place = *state;
    resume(place, 0, 100);
    assert_string_equal(send(place), "123456789");
    acknowledge(place, 1);
    resume(place, 7, 100);
    assert_string_equal(send(place), "2'3'4'5'6'7'89"); /* before what is new, in order */
    pass(place, LANE_LEASE_MS - 1);
    assert_string_equal(send(place), "");
    pass(place, 1);
    assert_string_equal(send(place), "2'3'4'5'6'7'8'9'");
}

/* Covers: COL-DEL-006, COL-DEL-020 */
static void what_comes_again_keeps_to_the_window_and_its_place(void **state)
{
    struct place *place = *state;
    resume(place, 0, 100);
    assert_string_equal(send(place), "123456789");
    resume(place, 6, 2);
    assert_string_equal(send(place), "1'2'");
    acknowledge(place, 1);
    assert_string_equal(send(place), "3'");
    lane_credit(&place->lane, 3);
    assert_string_equal(send(place), "4'5'6'");
    lane_credit(&place->lane, 9);
    assert_string_equal(send(place), "789");
}

/* The refused one is acknowledged, and before what it held back goes out the centre starts anew.
 * Covers: COL-DEL-020 */
static void what_was_held_back_goes_before_what_follows(void **state)
{
    struct place *place = *state;
    resume(place, 0, 100);
    refuse(place, 1, 0);
    assert_string_equal(send(place), "12(3-3)4(5-5)67(8-8)9");
    acknowledge(place, 1);
    lane_close(&place->lane);
    lane_init(&place->lane, ALPHA);
    resume(place, 7, 100);
    assert_string_equal(send(place), "2'3'4'5'6'7'89");
}

/* Held events lie below where it resumes, and it does not have them. */
static void who_comes_back_gets_what_was_held(void **state)
{
    struct place *place = *state;
    resume(place, 0, 100);
    refuse(place, 1, 0);
    assert_string_equal(send(place), "12(3-3)4(5-5)67(8-8)9");
    for (uint64_t i = 2; i <= COUNT; i++) {
        if (applications[i - 1] != 1) {
            acknowledge(place, i);
        }
    }
    resume(place, 9, 100);
    assert_string_equal(send(place), "1'");
    acknowledge(place, 1);
    assert_string_equal(send(place), "3'5'8'");
}

static void what_was_acknowledged_comes_when_it_is_asked_for_from_the_start(void **state)
{
    struct place *place = *state;
    resume(place, 0, 100);
    assert_string_equal(send(place), "123456789");
    for (uint64_t i = 1; i <= 6; i++) {
        acknowledge(place, i);
    }
    resume(place, 0, 2); /* the window is for what is not acknowledged */
    assert_string_equal(send(place), "12345678");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_go_out_once_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_than_the_window_is_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_speaks_of_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_event_holds_up_its_own_application, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_parked_event_stays_until_it_is_let_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_changed_unheard_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_asked_for_again_comes_again_and_holds_nothing_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_back_gets_at_once_what_it_has_not_acknowledged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_again_keeps_to_the_window_and_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_held_back_goes_before_what_follows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_back_gets_what_was_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_comes_when_it_is_asked_for_from_the_start, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
