/* clock.h - where time comes from.
 *
 * Code that decides anything takes its time as a parameter; only the edges read a clock, through this struct, so that tests can
 * hand in one of their own. Any thread. Cannot fail. */
#ifndef COLOAN_CLOCK_H
#define COLOAN_CLOCK_H

#include <stdint.h>
#include <time.h>

struct cl_clock {
    int64_t (*unix_ms)(void *user);
    int64_t (*monotonic_ms)(void *user);
    void *user;
};

/* The machine's clocks. Static. */
const struct cl_clock *cl_clock_system(void);

static inline int64_t cl_clock_unix_ms(const struct cl_clock *clock)
{
    return clock->unix_ms(clock->user);
}

static inline int64_t cl_clock_monotonic_ms(const struct cl_clock *clock)
{
    return clock->monotonic_ms(clock->user);
}

/* Microseconds of CLOCK_MONOTONIC, for measuring. */
int64_t cl_monotonic_us(void);

/* CLOCK_MONOTONIC in `wait_ms`, 0 or more: for conditions that wait by that clock. */
struct timespec cl_monotonic_after(int64_t wait_ms);

/* The calendar date in China (UTC+8, no summer time) as yyyymmdd. */
int32_t cl_date_china(int64_t unix_ms);

#endif
