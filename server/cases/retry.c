#include "server/cases/retry.h"

#include <assert.h>

#include "libcoloan/date.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

static const int64_t delays_ms[] = {5 * SECOND_MS,  30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS,
                                    30 * MINUTE_MS, 2 * HOUR_MS,    5 * HOUR_MS,   6 * HOUR_MS};
enum { DELAY_COUNT = sizeof delays_ms / sizeof delays_ms[0] };

int64_t retry_delay_ms(unsigned tries, uint32_t random)
{
    assert(tries >= 1);
    int64_t delay_ms = delays_ms[tries < DELAY_COUNT ? tries - 1 : DELAY_COUNT - 1];
    int64_t swing_ms = delay_ms * 2 / 5;
    return delay_ms - swing_ms / 2 + (int64_t)((uint64_t)random * (uint64_t)swing_ms >> 32);
}

/* The first of January 1970 was a Thursday. */
static bool is_working_day(int32_t date)
{
    int64_t day = (cl_date_to_ms(date) + 8 * HOUR_MS) / DAY_MS;
    int64_t weekday = (day + 3) % 7; /* 0: Monday */
    return weekday < 5;
}

bool retry_over(int64_t first_ms, int64_t now_ms)
{
    int32_t date = cl_date_from_ms(first_ms);
    int64_t of_day_ms = first_ms - cl_date_to_ms(date);
    for (int days = 0; days < RETRY_WORKING_DAYS;) {
        date = cl_date_next(date);
        days += is_working_day(date) ? 1 : 0;
    }
    return now_ms >= cl_date_to_ms(date) + of_day_ms;
}
