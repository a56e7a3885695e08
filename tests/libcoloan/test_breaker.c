/* The breaker, with time handed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcoloan/breaker.h"

static const struct cl_breaker closed = {.failures_max = 3, .open_ms = 100};

static void failures_in_a_row_open_it(void **state)
{
    (void)state;
    struct cl_breaker breaker = closed;
    assert_false(cl_breaker_failed(&breaker, 1000));
    assert_false(cl_breaker_failed(&breaker, 1000));
    cl_breaker_succeeded(&breaker); /* not in a row */
    assert_false(cl_breaker_failed(&breaker, 1000));
    assert_false(cl_breaker_failed(&breaker, 1000));
    assert_true(cl_breaker_lets(&breaker, 1000));
    assert_true(cl_breaker_failed(&breaker, 1000));
    assert_false(cl_breaker_lets(&breaker, 1000));
    assert_false(cl_breaker_lets(&breaker, 1099));
    assert_true(cl_breaker_lets(&breaker, 1100));
}

static struct cl_breaker opened(void)
{
    struct cl_breaker breaker = closed;
    for (int i = 0; i < 3; i++) {
        (void)cl_breaker_failed(&breaker, 1000);
    }
    return breaker;
}

static void one_probe_closes_or_opens_it(void **state)
{
    (void)state;
    struct cl_breaker breaker = opened();
    cl_breaker_sent(&breaker);
    assert_false(cl_breaker_lets(&breaker, 1200));   /* one at a time */
    assert_false(cl_breaker_failed(&breaker, 1200)); /* it was open already */
    assert_false(cl_breaker_lets(&breaker, 1299));
    assert_true(cl_breaker_lets(&breaker, 1300));
    cl_breaker_sent(&breaker);
    cl_breaker_succeeded(&breaker);
    assert_false(breaker.open);
    assert_true(cl_breaker_lets(&breaker, 1300));
    cl_breaker_sent(&breaker);
    assert_true(cl_breaker_lets(&breaker, 1300));    /* closed: any number */
    assert_false(cl_breaker_failed(&breaker, 1300)); /* and the count starts anew */
    assert_true(cl_breaker_lets(&breaker, 1300));
}

static void late_failures_extend_the_pause(void **state)
{
    (void)state;
    struct cl_breaker breaker = opened();
    assert_false(cl_breaker_failed(&breaker, 1050)); /* was on the way when it opened */
    assert_false(cl_breaker_lets(&breaker, 1149));
    assert_true(cl_breaker_lets(&breaker, 1150));
    assert_false(cl_breaker_failed(&breaker, 1040)); /* never shortened */
    assert_true(cl_breaker_lets(&breaker, 1150));
}

static void throttling_pauses_without_opening(void **state)
{
    (void)state;
    struct cl_breaker breaker = closed;
    for (int i = 0; i < 10; i++) {
        cl_breaker_throttled(&breaker, 1000, 50);
    }
    assert_false(breaker.open);
    assert_false(cl_breaker_lets(&breaker, 1049));
    assert_true(cl_breaker_lets(&breaker, 1050));
    cl_breaker_throttled(&breaker, 1000, 20); /* the longer pause counts */
    assert_false(cl_breaker_lets(&breaker, 1049));

    breaker = opened();
    cl_breaker_sent(&breaker);
    cl_breaker_throttled(&breaker, 1100, 500); /* it lives, but is no answer yet */
    assert_true(breaker.open);
    assert_false(cl_breaker_lets(&breaker, 1599));
    assert_true(cl_breaker_lets(&breaker, 1600));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(one_probe_closes_or_opens_it),
        cmocka_unit_test(late_failures_extend_the_pause),
        cmocka_unit_test(throttling_pauses_without_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
