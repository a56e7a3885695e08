#include "libcoloan/clock.h"

enum { CHINA_OFFSET_S = 8 * 3600 };

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now); /* fails only for an unknown id */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_unix_ms(void *user)
{
    (void)user;
    return read_us(CLOCK_REALTIME) / 1000;
}

static int64_t system_monotonic_ms(void *user)
{
    (void)user;
    return read_us(CLOCK_MONOTONIC) / 1000;
}

const struct cl_clock *cl_clock_system(void)
{
    static const struct cl_clock clock = {.unix_ms = system_unix_ms, .monotonic_ms = system_monotonic_ms};
    return &clock;
}

int64_t cl_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

struct timespec cl_monotonic_after(int64_t wait_ms)
{
    struct timespec after;
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t ns = after.tv_nsec + wait_ms % 1000 * 1000000;
    after.tv_sec += (time_t)(wait_ms / 1000 + ns / 1000000000);
    after.tv_nsec = (long)(ns % 1000000000);
    return after;
}

int32_t cl_date_china(int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000 + CHINA_OFFSET_S);
    struct tm day;
    (void)gmtime_r(&seconds, &day);
    return (day.tm_year + 1900) * 10000 + (day.tm_mon + 1) * 100 + day.tm_mday;
}
