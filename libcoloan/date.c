#include "libcoloan/date.h"

#include <assert.h>

/* Days are counted from 1970-01-01. The calendar is computed in years that begin in March, so that the leap day is the
 * last one of its year. */

enum {
    DAY_MS = 24 * 60 * 60 * 1000,
    CHINA_MS = 8 * 60 * 60 * 1000,
    ERA_DAYS = 146097,     /* of 400 years */
    EPOCH_OFFSET = 719468, /* days from 0000-03-01 to 1970-01-01 */
};

static int32_t year_of(int32_t date)
{
    return date / 10000;
}

static int32_t month_of(int32_t date)
{
    return date / 100 % 100;
}

static int32_t day_of(int32_t date)
{
    return date % 100;
}

static int32_t days_in_month(int32_t year, int32_t month)
{
    static const int32_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool cl_date_valid(int32_t date)
{
    if (date < CL_DATE_YEAR_MIN * 10000 || year_of(date) > CL_DATE_YEAR_MAX) {
        return false;
    }
    if (month_of(date) < 1 || month_of(date) > 12) {
        return false;
    }
    return day_of(date) >= 1 && day_of(date) <= days_in_month(year_of(date), month_of(date));
}

static int32_t days_from_date(int32_t date)
{
    int32_t year = year_of(date) - (month_of(date) <= 2 ? 1 : 0);
    int32_t month = (month_of(date) + 9) % 12; /* March is 0 */
    int32_t year_of_era = year % 400;
    int32_t day_of_year = (153 * month + 2) / 5 + day_of(date) - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return year / 400 * ERA_DAYS + day_of_era - EPOCH_OFFSET;
}

static int32_t date_from_days(int32_t days)
{
    int32_t shifted = days + EPOCH_OFFSET;
    int32_t day_of_era = shifted % ERA_DAYS;
    int32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t month = (5 * day_of_year + 2) / 153;
    int32_t day = day_of_year - (153 * month + 2) / 5 + 1;
    int32_t year = shifted / ERA_DAYS * 400 + year_of_era + (month >= 10 ? 1 : 0);
    return year * 10000 + ((month + 2) % 12 + 1) * 100 + day;
}

bool cl_date_covers_ms(int64_t ms)
{
    return ms >= cl_date_to_ms(CL_DATE_YEAR_MIN * 10000 + 101) &&
           ms < cl_date_to_ms(CL_DATE_YEAR_MAX * 10000 + 1231) + DAY_MS;
}

int32_t cl_date_from_ms(int64_t now_ms)
{
    assert(cl_date_covers_ms(now_ms));
    int64_t local_ms = now_ms + CHINA_MS;
    int64_t days = local_ms / DAY_MS - (local_ms % DAY_MS < 0 ? 1 : 0);
    int32_t date = date_from_days((int32_t)days);
    assert(cl_date_valid(date));
    return date;
}

int64_t cl_date_to_ms(int32_t date)
{
    assert(cl_date_valid(date));
    return (int64_t)days_from_date(date) * DAY_MS - CHINA_MS;
}

int32_t cl_date_next(int32_t date)
{
    assert(cl_date_valid(date));
    return date_from_days(days_from_date(date) + 1);
}

int32_t cl_date_add_months(int32_t date, int32_t months)
{
    assert(cl_date_valid(date));
    int32_t count = year_of(date) * 12 + month_of(date) - 1 + months;
    int32_t year = count / 12;
    int32_t month = count % 12 + 1;
    int32_t days = days_in_month(year, month);
    int32_t later = year * 10000 + month * 100 + (day_of(date) < days ? day_of(date) : days);
    assert(cl_date_valid(later));
    return later;
}

int32_t cl_date_months_between(int32_t from, int32_t to)
{
    assert(cl_date_valid(from));
    assert(cl_date_valid(to));
    if (to < from) {
        return -cl_date_months_between(to, from);
    }
    int32_t months = (year_of(to) - year_of(from)) * 12 + month_of(to) - month_of(from);
    bool last_day = day_of(to) == days_in_month(year_of(to), month_of(to));
    bool complete = day_of(to) >= day_of(from) || last_day;
    return complete ? months : months - 1;
}
