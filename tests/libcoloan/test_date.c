/* Dates: what is one, when China's day begins, whole months between two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/date.h"

static void only_days_of_the_calendar_are_dates(void **state)
{
    (void)state;
    static const struct {
        int32_t date;
        bool valid;
    } rows[] = {
        {20261123, true},   {20240229, true},   {20230229, false},  {20000229, true},  {19000229, false},
        {19000228, true},   {18991231, false},  {19000101, true},   {21991231, true},  {22000101, false},
        {20261131, false},  {20261100, false},  {20260001, false},  {20261301, false}, {0, false},
        {-20261123, false}, {INT32_MAX, false}, {INT32_MIN, false}, {20261231, true},  {20261232, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (cl_date_valid(rows[i].date) != rows[i].valid) {
            fail_msg("%d", rows[i].date);
        }
    }
}

static void a_day_begins_at_midnight_in_china(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        int32_t date;
    } rows[] = {
        {0, 19700101},
        {INT64_C(1795305600000) + 15 * 3600 * 1000 + 3599999, 20261122}, /* 2026-11-22 23:59:59.999 */
        {INT64_C(1795305600000) + 16 * 3600 * 1000, 20261123},
        {-INT64_C(8) * 3600 * 1000, 19700101},
        {-INT64_C(8) * 3600 * 1000 - 1, 19691231},
        {INT64_C(951753600000), 20000229},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(cl_date_from_ms(rows[i].ms), rows[i].date);
    }
    assert_int_equal(cl_date_to_ms(20261123), INT64_C(1795305600000) + 16 * 3600 * 1000);
}

static void only_moments_of_these_years_have_a_date(void **state)
{
    (void)state;
    int64_t first_ms = cl_date_to_ms(19000101);
    int64_t end_ms = cl_date_to_ms(21991231) + 24 * 60 * 60 * 1000;
    static const int64_t outside[] = {INT64_MIN, INT64_MAX, INT64_C(-1000000000000000), INT64_C(1000000000000000)};
    assert_true(cl_date_covers_ms(first_ms));
    assert_false(cl_date_covers_ms(first_ms - 1));
    assert_true(cl_date_covers_ms(end_ms - 1));
    assert_false(cl_date_covers_ms(end_ms));
    assert_int_equal(cl_date_from_ms(end_ms - 1), 21991231);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(cl_date_covers_ms(outside[i]));
    }
}

/* Three hundred years, day by day: each is valid, the next one, and the day of its own first and last millisecond. */
static void every_day_follows_the_one_before(void **state)
{
    (void)state;
    int64_t day_ms = 24 * 60 * 60 * 1000;
    int32_t date = 19000101;
    int64_t ms = cl_date_to_ms(date);
    size_t days = 0;
    for (; date < 21991231; date = cl_date_next(date), ms += day_ms, days++) {
        assert_true(cl_date_valid(date));
        assert_int_equal(cl_date_to_ms(date), ms);
        assert_int_equal(cl_date_from_ms(ms), date);
        assert_int_equal(cl_date_from_ms(ms + day_ms - 1), date);
    }
    assert_int_equal(days, 109572); /* 300 years of 365 days, 73 leap days, less the last day */
}

static void months_are_whole_and_end_with_their_month(void **state)
{
    (void)state;
    static const struct {
        int32_t from, to, months;
    } rows[] = {
        {19680615, 20261123, 701},  {19680615, 20261115, 701}, {19680615, 20261114, 700}, {20000229, 20180228, 216},
        {20000229, 20180227, 215},  {20000229, 20180301, 216}, {20000229, 20200228, 239}, {20000229, 20200229, 240},
        {20260131, 20260228, 1},    {20260131, 20260227, 0},   {20260101, 20260101, 0},   {20261231, 20270101, 0},
        {20261123, 19680615, -701},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (cl_date_months_between(rows[i].from, rows[i].to) != rows[i].months) {
            fail_msg("%d %d", rows[i].from, rows[i].to);
        }
    }
}

static void adding_months_keeps_the_day_or_the_last_one(void **state)
{
    (void)state;
    static const struct {
        int32_t date, months, later;
    } rows[] = {
        {20261123, 1, 20261223},  {20261123, 2, 20270123},   {20260131, 1, 20260228}, {20240131, 1, 20240229},
        {20240229, 12, 20250228}, {20261123, -11, 20251223}, {20261123, 0, 20261123}, {20261231, 480, 20661231},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(cl_date_add_months(rows[i].date, rows[i].months), rows[i].later);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_days_of_the_calendar_are_dates),
        cmocka_unit_test(a_day_begins_at_midnight_in_china),
        cmocka_unit_test(only_moments_of_these_years_have_a_date),
        cmocka_unit_test(every_day_follows_the_one_before),
        cmocka_unit_test(months_are_whole_and_end_with_their_month),
        cmocka_unit_test(adding_months_keeps_the_day_or_the_last_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
