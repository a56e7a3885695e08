/* When an authority is asked again: in its hours, often at first, then seldom, and not for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcoloan/date.h"
#include "server/domain/polling.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const struct polling_plan usual = {.opens_ms = 8 * HOUR + 30 * MINUTE,
                                          .closes_ms = 17 * HOUR + 30 * MINUTE,
                                          .first_ms = MINUTE / 2,
                                          .every_ms = 5 * MINUTE};

/* That time of that day in China. */
static int64_t at(int32_t date, int hour, int minute)
{
    return cl_date_to_ms(date) + hour * HOUR + minute * MINUTE;
}

static void the_register_is_asked_in_its_hours(void **state)
{
    (void)state;
    const struct {
        int64_t filed_ms, first_ms;
    } rows[] = {
        {at(20261125, 10, 0), at(20261125, 10, 0) + MINUTE / 2},
        {at(20261125, 17, 29), at(20261125, 17, 29) + MINUTE / 2},
        {at(20261125, 17, 30), at(20261126, 8, 30)},
        {at(20261125, 23, 59), at(20261126, 8, 30)},
        {at(20261125, 3, 0), at(20261125, 8, 30)},
        {at(20261231, 20, 0), at(20270101, 8, 30)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(polling_first_ms(&usual, rows[i].filed_ms), rows[i].first_ms);
    }
}

/* Covers: COL-REG-001 */
static void it_is_asked_often_at_first_then_hourly(void **state)
{
    (void)state;
    const int64_t filed = at(20261125, 10, 0);
    const struct {
        int64_t now_ms, next_ms;
    } rows[] = {
        {filed, filed + 5 * MINUTE},
        {at(20261125, 17, 25), at(20261125, 17, 30)},
        {at(20261125, 17, 26), at(20261126, 8, 30)},
        {filed + 2 * DAY - 1, filed + 2 * DAY - 1 + 5 * MINUTE},
        {filed + 2 * DAY, filed + 2 * DAY + HOUR},
        {at(20261205, 16, 30), at(20261205, 17, 30)},
        {at(20261205, 16, 31), at(20261206, 8, 30)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(polling_next_ms(&usual, filed, rows[i].now_ms), rows[i].next_ms);
    }
}

static void a_register_may_never_close_or_be_asked_seldom(void **state)
{
    (void)state;
    const struct polling_plan always = {.closes_ms = DAY, .first_ms = 1000, .every_ms = 1000};
    const struct polling_plan seldom = {.closes_ms = DAY, .first_ms = HOUR, .every_ms = 6 * HOUR};
    const int64_t night = at(20261125, 23, 59);
    assert_int_equal(polling_first_ms(&always, night), night + 1000);
    assert_int_equal(polling_next_ms(&always, night, night + 1000), night + 2000);
    assert_int_equal(polling_next_ms(&always, night, night + 2 * DAY), night + 2 * DAY + HOUR);
    assert_int_equal(polling_next_ms(&seldom, night, night + 2 * DAY), night + 2 * DAY + 6 * HOUR);
}

/* The whole way: how often that is, and that it ends. */
/* Covers: COL-REG-001 */
static void thirty_days_are_enough(void **state)
{
    (void)state;
    const int64_t filed = at(20261125, 10, 0);
    unsigned first_day = 0;
    unsigned all = 0;
    for (int64_t now = polling_first_ms(&usual, filed); !polling_is_over(filed, now);
         now = polling_next_ms(&usual, filed, now)) {
        int64_t of_day = now - cl_date_to_ms(cl_date_from_ms(now));
        assert_true(of_day >= 8 * HOUR + 30 * MINUTE && of_day <= 17 * HOUR + 30 * MINUTE);
        first_day += now < filed + DAY ? 1 : 0;
        all++;
        assert_true(all < 1000);
    }
    assert_int_equal(first_day, 90 + 19 - 1); /* from 10:00:30, and from 8:30 on the next day */
    assert_true(all > 300 && all < 600);
    assert_false(polling_is_over(filed, filed + 30 * DAY - 1));
    assert_true(polling_is_over(filed, filed + 30 * DAY));
}

/* Covers: COL-PAY-002 */
static void completion_is_asked_for_every_morning(void **state)
{
    (void)state;
    assert_int_equal(polling_tomorrow_ms(&usual, at(20261125, 0, 0)), at(20261126, 8, 30));
    assert_int_equal(polling_tomorrow_ms(&usual, at(20261125, 8, 30)), at(20261126, 8, 30));
    assert_int_equal(polling_tomorrow_ms(&usual, at(20261125, 23, 59)), at(20261126, 8, 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_register_is_asked_in_its_hours),
        cmocka_unit_test(it_is_asked_often_at_first_then_hourly),
        cmocka_unit_test(a_register_may_never_close_or_be_asked_seldom),
        cmocka_unit_test(thirty_days_are_enough),
        cmocka_unit_test(completion_is_asked_for_every_morning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
