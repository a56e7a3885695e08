/* authority: the breaker, with time handed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/source/authority.h"

static const struct breaker closed = {.failures_max = 3, .open_ms = 100};

static void failures_in_a_row_open_it(void **state)
{
    (void)state;
    struct breaker breaker = closed;
    assert_false(breaker_failed(&breaker, 1000));
    assert_false(breaker_failed(&breaker, 1000));
    breaker_succeeded(&breaker); /* not in a row */
    assert_false(breaker_failed(&breaker, 1000));
    assert_false(breaker_failed(&breaker, 1000));
    assert_true(breaker_lets(&breaker, 1000));
    assert_true(breaker_failed(&breaker, 1000));
    assert_false(breaker_lets(&breaker, 1000));
    assert_false(breaker_lets(&breaker, 1099));
    assert_true(breaker_lets(&breaker, 1100));
}

static struct breaker opened(void)
{
    struct breaker breaker = closed;
    for (int i = 0; i < 3; i++) {
        (void)breaker_failed(&breaker, 1000);
    }
    return breaker;
}

static void one_probe_closes_or_opens_it(void **state)
{
    (void)state;
    struct breaker breaker = opened();
    breaker_sent(&breaker);
    assert_false(breaker_lets(&breaker, 1200));   /* one at a time */
    assert_false(breaker_failed(&breaker, 1200)); /* it was open already */
    assert_false(breaker_lets(&breaker, 1299));
    assert_true(breaker_lets(&breaker, 1300));
    breaker_sent(&breaker);
    breaker_succeeded(&breaker);
    assert_false(breaker.open);
    assert_true(breaker_lets(&breaker, 1300));
    breaker_sent(&breaker);
    assert_true(breaker_lets(&breaker, 1300));    /* closed: any number */
    assert_false(breaker_failed(&breaker, 1300)); /* and the count starts anew */
    assert_true(breaker_lets(&breaker, 1300));
}

static void late_failures_extend_the_pause(void **state)
{
    (void)state;
    struct breaker breaker = opened();
    assert_false(breaker_failed(&breaker, 1050)); /* was on the way when it opened */
    assert_false(breaker_lets(&breaker, 1149));
    assert_true(breaker_lets(&breaker, 1150));
    assert_false(breaker_failed(&breaker, 1040)); /* never shortened */
    assert_true(breaker_lets(&breaker, 1150));
}

static void throttling_pauses_without_opening(void **state)
{
    (void)state;
    struct breaker breaker = closed;
    for (int i = 0; i < 10; i++) {
        breaker_throttled(&breaker, 1000, 50);
    }
    assert_false(breaker.open);
    assert_false(breaker_lets(&breaker, 1049));
    assert_true(breaker_lets(&breaker, 1050));
    breaker_throttled(&breaker, 1000, 20); /* the longer pause counts */
    assert_false(breaker_lets(&breaker, 1049));

    breaker = opened();
    breaker_sent(&breaker);
    breaker_throttled(&breaker, 1100, 500); /* it lives, but is no answer yet */
    assert_true(breaker.open);
    assert_false(breaker_lets(&breaker, 1599));
    assert_true(breaker_lets(&breaker, 1600));
}

static void who_waits_is_served_in_order(void **state)
{
    (void)state;
    static struct authority authority;
    struct source_question questions[3];
    assert_null(authority_next_waiting(&authority));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 3; i++) {
            authority_wait(&authority, &questions[i]);
        }
        for (size_t i = 0; i < 3; i++) {
            assert_ptr_equal(authority_next_waiting(&authority), &questions[i]);
        }
        assert_null(authority_next_waiting(&authority));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),      cmocka_unit_test(one_probe_closes_or_opens_it),
        cmocka_unit_test(late_failures_extend_the_pause), cmocka_unit_test(throttling_pauses_without_opening),
        cmocka_unit_test(who_waits_is_served_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
