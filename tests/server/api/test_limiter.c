#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/api/limiter.h"

#define ALPHA "bank:cn-alpha-js"
#define BETA  "bank:cn-beta-js"

enum { PER_SECOND = 10, CALL_US = 1000000 / PER_SECOND, BURST = 5 };
#define START_US INT64_C(5000000000)

static int set_up(void **state)
{
    struct api_limiter *limiter = NULL;
    assert_true(cl_is_ok(api_limiter_create(&limiter, PER_SECOND, BURST)));
    *state = limiter;
    return 0;
}

static int tear_down(void **state)
{
    api_limiter_free(*state);
    return 0;
}

static bool take(struct api_limiter *limiter, const char *party, int64_t now_us)
{
    struct cl_status status = api_limiter_take(limiter, party, now_us);
    assert_true(cl_is_ok(status) || status.reason == CL_RATE_LIMITED);
    return cl_is_ok(status);
}

static unsigned take_all(struct api_limiter *limiter, const char *party, int64_t now_us)
{
    unsigned taken = 0;
    while (take(limiter, party, now_us)) {
        taken++;
        assert_true(taken < 1000);
    }
    return taken;
}

static void test_a_burst_and_not_one_more(void **state)
{
    assert_int_equal(take_all(*state, ALPHA, START_US), BURST);
}

static void test_a_call_comes_back_when_it_is_paid(void **state)
{
    (void)take_all(*state, ALPHA, START_US);
    assert_false(take(*state, ALPHA, START_US + CALL_US - 1));
    assert_true(take(*state, ALPHA, START_US + CALL_US));
    assert_false(take(*state, ALPHA, START_US + CALL_US));
}

static void test_a_refused_call_costs_nothing(void **state)
{
    (void)take_all(*state, ALPHA, START_US);
    for (int i = 0; i < 100; i++) {
        assert_false(take(*state, ALPHA, START_US + CALL_US / 2));
    }
    assert_true(take(*state, ALPHA, START_US + CALL_US));
}

static void test_rest_does_not_save_up_more_than_a_burst(void **state)
{
    (void)take_all(*state, ALPHA, START_US);
    assert_int_equal(take_all(*state, ALPHA, START_US + 1000 * (int64_t)CALL_US), BURST);
}

static void test_in_the_long_run_the_rate_holds(void **state)
{
    unsigned taken = 0;
    for (int64_t now_us = START_US; now_us < START_US + 10000000; now_us += CALL_US / 7) {
        taken += take(*state, ALPHA, now_us) ? 1 : 0;
    }
    assert_in_range(taken, 10 * PER_SECOND, 10 * PER_SECOND + BURST);
}

static void test_parties_do_not_pay_for_each_other(void **state)
{
    (void)take_all(*state, ALPHA, START_US);
    assert_int_equal(take_all(*state, BETA, START_US), BURST);
    assert_false(take(*state, ALPHA, START_US));
}

static void test_parties_are_bounded(void **state)
{
    char party[32];
    for (unsigned i = 0; i < API_LIMITER_PARTIES_MAX; i++) {
        (void)snprintf(party, sizeof party, "bank:cn-%u", i);
        assert_int_equal(take_all(*state, party, START_US), BURST);
    }
    assert_false(take(*state, "bank:cn-one-more", START_US));
    assert_true(take(*state, "bank:cn-7", START_US + CALL_US)); /* who is in stays in */
}

static void test_a_rate_past_the_clock_is_one_microsecond(void **state)
{
    (void)state;
    struct api_limiter *limiter = NULL;
    assert_true(cl_is_ok(api_limiter_create(&limiter, UINT32_MAX, 1)));
    assert_true(take(limiter, ALPHA, START_US));
    assert_false(take(limiter, ALPHA, START_US));
    assert_true(take(limiter, ALPHA, START_US + 1));
    api_limiter_free(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_burst_and_not_one_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_call_comes_back_when_it_is_paid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_call_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rest_does_not_save_up_more_than_a_burst, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_the_long_run_the_rate_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parties_do_not_pay_for_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parties_are_bounded, set_up, tear_down),
        cmocka_unit_test(test_a_rate_past_the_clock_is_one_microsecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
