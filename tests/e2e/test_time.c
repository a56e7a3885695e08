/* What happens by time, in a whole server whose clock is moved: the fund's ten days, an offer and a supplement that run
 * out; not a moment too early, once, and also when the server was down while the moment passed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/e2e/journey.h"

#define STATE(name) COLOAN__V1__CASE_STATE__CASE_STATE_##name

enum { SECOND_MS = 1000, HOUR_MS = 60 * 60 * 1000 };

static struct world world;
static struct journey journey;

static void move_to(int64_t unix_ms)
{
    journey_wait_ms(&journey, unix_ms - world_now_ms(&world));
}

static int64_t deadline(void)
{
    return journey_view(&journey)->status->deadline_ms;
}

/* Covers: COL-LIF-005 */
static void test_what_is_open_near_the_end_goes_to_an_officer(void **state)
{
    (void)state;
    journey_submit(&journey, "P02", "T-DECISION"); /* the bank never reports */
    int64_t end_ms = deadline();
    int64_t submitted_ms = journey_view(&journey)->status->submitted_ms;
    assert_int_equal(end_ms, submitted_ms + 10 * JOURNEY_DAY_MS);
    move_to(end_ms - JOURNEY_DAY_MS - 10 * SECOND_MS);
    journey_stays(&journey, STATE(VERIFYING));
    move_to(end_ms - JOURNEY_DAY_MS);
    journey_until(&journey, STATE(MANUAL));
    assert_int_equal(journey_steps(&journey, "DEADLINE"), 1);
    const Coloan__V1__ApplicationView *view = journey_view(&journey);
    unsigned timed_out = 0;
    for (size_t i = 0; i < view->n_items; i++) {
        const Coloan__V1__VerificationResult *item = view->items[i];
        if (item->failure == COLOAN__V1__FAILURE_KIND__FAILURE_KIND_TIMEOUT) {
            assert_int_equal(item->outcome, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_MANUAL);
            assert_string_equal(item->authority, WORLD_CENTRE);
            timed_out++;
        }
    }
    assert_true(timed_out > 0);
    assert_int_equal(view->status->items->open, 0);
    assert_int_equal(view->status->next_actor, COLOAN__V1__ACTOR__ACTOR_OFFICER);
    assert_string_equal(cl_status_name(journey_try_report(&journey, "P02")), "STATE_CONFLICT"); /* too late */
    assert_int_equal(journey_state(&journey), STATE(MANUAL));
}

static void test_a_missed_deadline_is_an_alarm_each_day(void **state)
{
    (void)state;
    long long before = journey_metric(&journey, "coloan_decision_overdue_total");
    int64_t end_ms = deadline();
    move_to(end_ms - 10 * SECOND_MS);
    journey_stays(&journey, STATE(MANUAL));
    assert_int_equal(journey_metric(&journey, "coloan_decision_overdue_total"), before);
    assert_int_equal(journey_metric(&journey, "coloan_cases_overdue"), 0);
    for (int day = 1; day <= 3; day++) {
        move_to(end_ms + (day - 1) * JOURNEY_DAY_MS + HOUR_MS);
        journey_stays(&journey, STATE(MANUAL));
        assert_int_equal(journey_metric(&journey, "coloan_decision_overdue_total"), before + day);
    }
    assert_int_equal(journey_metric(&journey, "coloan_cases_overdue"), 1);
    assert_int_equal(journey_metric(&journey, "coloan_cases{state=\"MANUAL\"}"), 1);
}

/* Covers: COL-LIF-006 */
static void test_an_offer_ends(void **state)
{
    (void)state;
    journey_to_offer(&journey, "P01", "T-OFFER");
    int64_t end_ms = deadline();
    assert_int_equal(end_ms, journey_terms(&journey)->valid_until_ms);
    assert_true(journey_count(&journey, "SELECT count(*) FROM open_persons") > 0);
    move_to(end_ms - 10 * SECOND_MS);
    journey_stays(&journey, STATE(OFFERED));
    long long events = journey_count(&journey, "SELECT count(*) FROM outbox WHERE kind = 1");
    move_to(end_ms);
    journey_until(&journey, STATE(EXPIRED));
    journey_stays(&journey, STATE(EXPIRED));
    assert_int_equal(journey_steps(&journey, "EXPIRE"), 1);
    assert_int_equal(journey_count(&journey, "SELECT count(*) FROM outbox WHERE kind = 1"), events + 1);
    assert_int_equal(deadline(), 0);
    assert_int_equal(journey_count(&journey, "SELECT count(*) FROM due WHERE kind = 3"), 0);
    journey_submit(&journey, "P01", "T-OFFER-2"); /* its persons are free again */
}

/* Covers: COL-LIF-006 */
static void test_a_supplement_that_never_comes_ends_the_case(void **state)
{
    (void)state;
    journey_submit(&journey, "P12", "T-SUPPLEMENT");
    journey_report(&journey, "P12");
    journey_until(&journey, STATE(SUPPLEMENT));
    int64_t end_ms = deadline();
    int64_t left_ms = end_ms - world_now_ms(&world);
    assert_true(left_ms > 29 * JOURNEY_DAY_MS && left_ms <= 30 * JOURNEY_DAY_MS);
    move_to(end_ms - 10 * SECOND_MS); /* the fund's ten days stand still meanwhile */
    journey_stays(&journey, STATE(SUPPLEMENT));
    move_to(end_ms);
    journey_until(&journey, STATE(EXPIRED));
    assert_int_equal(journey_steps(&journey, "EXPIRE"), 1);
    assert_int_equal(journey_steps(&journey, "DEADLINE"), 0);
}

/* Covers: COL-LIF-006 */
static void test_what_came_due_while_the_server_was_down_is_done_once(void **state)
{
    (void)state;
    journey_to_approval(&journey, "P03", "T-DOWN");
    int64_t left_ms = deadline() - world_now_ms(&world);
    journey_restart(&journey, left_ms - HOUR_MS); /* not yet */
    journey_stays(&journey, STATE(APPROVED));
    journey_restart(&journey, 5 * JOURNEY_DAY_MS); /* and five days late */
    journey_until(&journey, STATE(EXPIRED));
    journey_restart(&journey, HOUR_MS);
    journey_stays(&journey, STATE(EXPIRED));
    assert_int_equal(journey_steps(&journey, "EXPIRE"), 1);
}

int main(void)
{
    struct world_options options = {.extra = NULL};
    world_open(&world, &options);
    journey_begin(&journey, &world, "alpha", WORLD_KEY_ALPHA);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_open_near_the_end_goes_to_an_officer),
        cmocka_unit_test(test_a_missed_deadline_is_an_alarm_each_day),
        cmocka_unit_test(test_an_offer_ends),
        cmocka_unit_test(test_a_supplement_that_never_comes_ends_the_case),
        cmocka_unit_test(test_what_came_due_while_the_server_was_down_is_done_once),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    journey_end(&journey);
    world_close(&world);
    return failed;
}
