/* Points in time as an operator writes them: read back as they were written, and nothing that only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/moment.h"

static void moments_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-30T12:00:00Z", INT64_C(1796040000000)},
        {"2026-11-30T12:00:00.250Z", INT64_C(1796040000250)},
        {"2028-02-29T23:59:59.999Z", INT64_C(1835481599999)},
        {"2027-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-00-01T00:00:00Z", -1},
        {"2026-11-31T00:00:00Z", -1},
        {"2026-11-30T24:00:00Z", -1},
        {"2026-11-30T12:60:00Z", -1},
        {"2026-11-30T12:00:60Z", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"2026-11-30T12:00:00", -1},
        {"2026-11-30T12:00:00+08:00", -1},
        {"2026-11-30 12:00:00Z", -1},
        {"2026-11-30T12:00Z", -1},
        {"2026-11-30T12:00:00.25Z", -1},
        {"2026-11-30T12:00:00.2500Z", -1},
        {"2026-11-30T12:00:00ZZ", -1},
        {"+026-11-30T12:00:00Z", -1},
        {"1796040000", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        struct cl_status status = moment_read(&ms, rows[i].text);
        if (ms != rows[i].ms || status.reason != (rows[i].ms < 0 ? CL_FIELD_INVALID : CL_OK)) {
            fail_msg("%s: %s, %lld", rows[i].text, cl_status_name(status), (long long)ms);
        }
    }
}

static void moments_are_written_as_they_are_read(void **state)
{
    (void)state;
    char text[MOMENT_TEXT_BYTES];
    char name[MOMENT_TEXT_BYTES];
    static const int64_t moments[] = {0, 999, INT64_C(1796040000001), INT64_C(4102444800000)};
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        int64_t again = -1;
        moment_write(text, moments[i]);
        assert_int_equal(moment_read(&again, text).reason, CL_OK);
        assert_int_equal(again, moments[i]);
    }
    moment_write(text, INT64_C(1796040000001));
    moment_name(name, INT64_C(1796040000001));
    assert_string_equal(text, "2026-11-30T12:00:00.001Z");
    assert_string_equal(name, "20261130T120000001Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_read),
        cmocka_unit_test(moments_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
