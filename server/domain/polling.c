#include "server/domain/polling.h"

#include "libcoloan/date.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

#define OFTEN_FOR_MS  (2 * DAY_MS)
#define OVER_AFTER_MS (30 * DAY_MS)

static int64_t midnight_ms(int64_t ms)
{
    return cl_date_to_ms(cl_date_from_ms(ms));
}

/* The moment itself, or the next opening. */
static int64_t in_hours(const struct polling_plan *plan, int64_t ms)
{
    int64_t day_ms = midnight_ms(ms);
    int64_t of_day_ms = ms - day_ms;
    if (of_day_ms < plan->opens_ms) {
        return day_ms + plan->opens_ms;
    }
    return of_day_ms <= plan->closes_ms ? ms : day_ms + DAY_MS + plan->opens_ms;
}

int64_t polling_first_ms(const struct polling_plan *plan, int64_t filed_ms)
{
    return in_hours(plan, filed_ms + plan->first_ms);
}

int64_t polling_next_ms(const struct polling_plan *plan, int64_t filed_ms, int64_t now_ms)
{
    bool often = now_ms - filed_ms < OFTEN_FOR_MS || plan->every_ms > HOUR_MS;
    return in_hours(plan, now_ms + (often ? plan->every_ms : HOUR_MS));
}

bool polling_is_over(int64_t filed_ms, int64_t now_ms)
{
    return now_ms - filed_ms >= OVER_AFTER_MS;
}

int64_t polling_tomorrow_ms(const struct polling_plan *plan, int64_t now_ms)
{
    return midnight_ms(now_ms) + DAY_MS + plan->opens_ms;
}
