/* The published schedule of calls, and when it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcoloan/date.h"
#include "server/cases/retry.h"

#define HOUR_MS INT64_C(3600000)

/* Covers: COL-CAL-004 */
static void the_schedule_is_the_published_one(void **state)
{
    (void)state;
    static const struct {
        unsigned tries;
        int64_t seconds;
    } rows[] = {{1, 5},        {2, 30},       {3, 120},      {4, 600},      {5, 1800},
                {6, 2 * 3600}, {7, 5 * 3600}, {8, 6 * 3600}, {9, 6 * 3600}, {UINT32_MAX, 6 * 3600}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t delay_ms = rows[i].seconds * 1000;
        assert_int_equal(retry_delay_ms(rows[i].tries, 0), delay_ms * 4 / 5);
        assert_in_range(retry_delay_ms(rows[i].tries, UINT32_MAX), delay_ms * 6 / 5 - 2, delay_ms * 6 / 5);
        assert_in_range(retry_delay_ms(rows[i].tries, 1U << 31), delay_ms - 1, delay_ms + 1);
    }
}

/* Covers: COL-CAL-005 */
static void five_working_days_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t first, over;
    } rows[] = {
        {"Monday to Monday", 20261130, 20261207}, {"Wednesday to Wednesday", 20261202, 20261209},
        {"Friday to Friday", 20261204, 20261211}, {"Saturday to Friday", 20261205, 20261211},
        {"Sunday to Friday", 20261206, 20261211}, {"over the year's end", 20261230, 20270106},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t first_ms = cl_date_to_ms(rows[i].first) + 15 * HOUR_MS;
        int64_t over_ms = cl_date_to_ms(rows[i].over) + 15 * HOUR_MS;
        if (retry_over(first_ms, over_ms - 1) || !retry_over(first_ms, over_ms)) {
            fail_msg("%s", rows[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schedule_is_the_published_one),
        cmocka_unit_test(five_working_days_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
