#include "server/source/hours.h"

#include <string.h>

enum { DAY_MINUTES = 24 * 60, WEEK_DAYS = 7 };

#define MINUTE_MS INT64_C(60000)
#define DAY_MS    (DAY_MINUTES * MINUTE_MS)
/* 1970-01-01 was a Thursday, and China is eight hours ahead. */
#define MONDAY_MS (3 * DAY_MS + 8 * 60 * MINUTE_MS)

/* "07:30" as minutes, up to "24:00"; -1 for anything else. Reads five characters. */
static int minutes_of(const char *text)
{
    for (size_t i = 0; i < 5; i++) {
        bool colon = i == 2;
        if (colon ? text[i] != ':' : text[i] < '0' || text[i] > '9') {
            return -1; /* the NUL of a shorter text, too */
        }
    }
    int minutes = ((text[0] - '0') * 10 + (text[1] - '0')) * 60 + (text[3] - '0') * 10 + (text[4] - '0');
    return text[3] <= '5' && minutes <= DAY_MINUTES ? minutes : -1;
}

/* A day or a range of days at `*at`, which moves behind it. */
static bool days_read(unsigned *days, const char **at)
{
    char first = **at;
    char last = first;
    if (first < '1' || first > '7') {
        return false;
    }
    *at += 1;
    if (**at == '-') {
        last = (*at)[1];
        if (last < first || last > '7') {
            return false;
        }
        *at += 2;
    }
    for (char day = first; day <= last; day++) {
        *days |= 1U << (day - '1');
    }
    return true;
}

struct cl_status source_hours_read(struct source_hours *out, const char *hours, const char *days)
{
    struct source_hours read = {.opens_minute = minutes_of(hours)};
    bool whole = read.opens_minute >= 0 && hours[5] == '-';
    read.closes_minute = whole ? minutes_of(hours + 6) : -1;
    whole = whole && read.closes_minute >= 0 && hours[11] == '\0';
    const char *at = days != NULL ? days : "1-7";
    for (bool more = true; whole && more; at += more ? 1 : 0) {
        whole = days_read(&read.days, &at);
        more = *at == ',';
    }
    if (!whole || *at != '\0' || !source_hours_valid(&read)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    *out = read;
    return cl_ok();
}

bool source_hours_valid(const struct source_hours *hours)
{
    bool none = hours->opens_minute == 0 && hours->closes_minute == 0 && hours->days == 0;
    return none || (hours->opens_minute >= 0 && hours->opens_minute < DAY_MINUTES && hours->closes_minute >= 0 &&
                    hours->closes_minute <= DAY_MINUTES && hours->opens_minute != hours->closes_minute &&
                    hours->days > 0 && hours->days < 1U << WEEK_DAYS);
}

/* How long the window of a day is open. */
static int64_t window_ms(const struct source_hours *hours)
{
    int minutes = hours->closes_minute - hours->opens_minute;
    return (minutes > 0 ? minutes : minutes + DAY_MINUTES) * MINUTE_MS;
}

int64_t source_hours_wait_ms(const struct source_hours *hours, int64_t unix_ms)
{
    if (hours->days == 0) {
        return 0;
    }
    int64_t since_monday_ms = (unix_ms + MONDAY_MS) % (WEEK_DAYS * DAY_MS);
    int64_t wait_ms = INT64_MAX;
    for (int day = -1; day <= WEEK_DAYS; day++) { /* yesterday's window may still be open, next Monday's be the next */
        if ((hours->days & 1U << (day + WEEK_DAYS) % WEEK_DAYS) == 0) {
            continue;
        }
        int64_t opens_ms = day * DAY_MS + hours->opens_minute * MINUTE_MS;
        if (since_monday_ms >= opens_ms && since_monday_ms < opens_ms + window_ms(hours)) {
            return 0;
        }
        int64_t until_ms = opens_ms - since_monday_ms;
        wait_ms = until_ms > 0 && until_ms < wait_ms ? until_ms : wait_ms;
    }
    return wait_ms;
}
