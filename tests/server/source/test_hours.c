/* hours: when an authority may be asked, on the minute, over midnight and over the weekend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcoloan/date.h"
#include "server/source/hours.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)

static void windows_open_and_close_on_the_minute(void **state)
{
    (void)state;
    static const struct {
        const char *hours, *days;
        int32_t date; /* 2026-11-23 is a Monday */
        int64_t at_ms, wait_ms;
    } rows[] = {
        {"07:30-22:00", NULL, 20261123, 7 * HOUR_MS + 30 * MINUTE_MS, 0},
        {"07:30-22:00", NULL, 20261123, 7 * HOUR_MS + 30 * MINUTE_MS - 1, 1},
        {"07:30-22:00", NULL, 20261123, 22 * HOUR_MS - 1, 0},
        {"07:30-22:00", NULL, 20261123, 22 * HOUR_MS, 9 * HOUR_MS + 30 * MINUTE_MS},
        {"00:00-24:00", NULL, 20261123, 0, 0},
        {"00:00-24:00", NULL, 20261123, 24 * HOUR_MS - 1, 0},
        {"08:00-18:00", "1-5", 20261127, 18 * HOUR_MS, 62 * HOUR_MS}, /* Friday evening until Monday */
        {"08:00-18:00", "1-5", 20261128, 12 * HOUR_MS, 44 * HOUR_MS}, /* Saturday */
        {"08:00-18:00", "7", 20261123, 0, 6 * 24 * HOUR_MS + 8 * HOUR_MS},
        {"22:00-06:00", NULL, 20261123, 23 * HOUR_MS, 0},    /* by night only */
        {"22:00-06:00", NULL, 20261123, 6 * HOUR_MS - 1, 0}, /* Sunday's window */
        {"22:00-06:00", NULL, 20261123, 6 * HOUR_MS, 16 * HOUR_MS},
        {"22:00-06:00", "1-5", 20261128, 5 * HOUR_MS, 0},            /* Saturday morning is Friday's */
        {"22:00-06:00", "1-5", 20261123, 5 * HOUR_MS, 17 * HOUR_MS}, /* Monday morning would be Sunday's */
        {"09:00-10:00", "1,3", 20261124, 9 * HOUR_MS, 24 * HOUR_MS},
        {"09:00-10:00", "1-2,4-7", 20261125, 0, 33 * HOUR_MS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct source_hours hours;
        assert_true(cl_is_ok(source_hours_read(&hours, rows[i].hours, rows[i].days)));
        assert_true(source_hours_valid(&hours));
        int64_t wait_ms = source_hours_wait_ms(&hours, cl_date_to_ms(rows[i].date) + rows[i].at_ms);
        if (wait_ms != rows[i].wait_ms) {
            fail_msg("row %zu: %lld min", i, (long long)(wait_ms / MINUTE_MS));
        }
    }
    struct source_hours none = {0};
    assert_true(source_hours_valid(&none));
    assert_int_equal(source_hours_wait_ms(&none, 0), 0);
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *hours, *days;
    } rows[] = {
        {"", NULL},
        {"07:30", NULL},
        {"07:30-", NULL},
        {"7:30-22:00", NULL},
        {"07:30-22:00 ", NULL},
        {"07:60-22:00", NULL},
        {"24:00-22:00", NULL},
        {"07:30-24:01", NULL},
        {"08:00-08:00", NULL},
        {"0a:00-08:00", NULL},
        {"07:30-22:00", ""},
        {"07:30-22:00", "0"},
        {"07:30-22:00", "1-8"},
        {"07:30-22:00", "5-1"},
        {"07:30-22:00", "1,"},
        {"07:30-22:00", "Mo"},
        {"07:30-22:00", "1 2"},
        {"07:30-22:00", "1-"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct source_hours hours = {.days = 99};
        if (source_hours_read(&hours, rows[i].hours, rows[i].days).reason != CL_FIELD_INVALID) {
            fail_msg("%s %s", rows[i].hours, rows[i].days == NULL ? "" : rows[i].days);
        }
        assert_int_equal(hours.days, 99); /* untouched */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_open_and_close_on_the_minute),
        cmocka_unit_test(other_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
