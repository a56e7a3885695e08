#include "server/domain/polling.h"

#include "libcoloan/date.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* Outside the register's hours nothing moves there. On days on which it is closed it says so, and costs a few questions. */
#define OPENS_MS  (8 * HOUR_MS + 30 * MINUTE_MS)
#define CLOSES_MS (17 * HOUR_MS + 30 * MINUTE_MS)

#define FIRST_AFTER_MS (MINUTE_MS / 2) /* what is filed online may be entered at once */
#define SHORT_MS       (5 * MINUTE_MS)
#define LONG_MS        HOUR_MS
#define SHORT_FOR_MS   (2 * DAY_MS)
#define OVER_AFTER_MS  (30 * DAY_MS)

static int64_t midnight_ms(int64_t ms)
{
    return cl_date_to_ms(cl_date_from_ms(ms));
}

/* The moment itself, or the next opening. */
static int64_t in_hours(int64_t ms)
{
    int64_t day_ms = midnight_ms(ms);
    int64_t of_day_ms = ms - day_ms;
    if (of_day_ms < OPENS_MS) {
        return day_ms + OPENS_MS;
    }
    return of_day_ms <= CLOSES_MS ? ms : day_ms + DAY_MS + OPENS_MS;
}

int64_t polling_first_ms(int64_t filed_ms)
{
    return in_hours(filed_ms + FIRST_AFTER_MS);
}

int64_t polling_next_ms(int64_t filed_ms, int64_t now_ms)
{
    int64_t step_ms = now_ms - filed_ms < SHORT_FOR_MS ? SHORT_MS : LONG_MS;
    return in_hours(now_ms + step_ms);
}

bool polling_is_over(int64_t filed_ms, int64_t now_ms)
{
    return now_ms - filed_ms >= OVER_AFTER_MS;
}

int64_t polling_tomorrow_ms(int64_t now_ms)
{
    return midnight_ms(now_ms) + DAY_MS + OPENS_MS;
}
