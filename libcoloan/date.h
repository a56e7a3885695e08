/* date.h - calendar dates as numbers, yyyymmdd, and the months between them.
 *
 * The law counts in days and months of China Standard Time (UTC+8, no summer time), so that is the only zone here.
 * Values only; any thread. Only parsing can fail; arithmetic on an invalid date is our bug and asserted. */
#ifndef COLOAN_DATE_H
#define COLOAN_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* Years outside are nobody's birthday and no rule's date. */
#define CL_DATE_YEAR_MIN 1900
#define CL_DATE_YEAR_MAX 2199

/* Whether `date` (yyyymmdd) is a day of the calendar within the years above. */
bool cl_date_valid(int32_t date);

/* Whether that moment lies within the years above: to be asked of a time that somebody else chose. */
bool cl_date_covers_ms(int64_t ms);

/* The day in China at that moment, which lies within the years above. */
int32_t cl_date_from_ms(int64_t now_ms);

/* The first millisecond of that day in China. */
int64_t cl_date_to_ms(int32_t date);

/* The next day. */
int32_t cl_date_next(int32_t date);

/* The same day `months` later (or earlier); the last day of the month if there is none such. */
int32_t cl_date_add_months(int32_t date, int32_t months);

/* Whole months from `from` until `to`; negative if `to` is earlier. Someone's age in months: born on the 29th of
 * February, one grows older on the 28th in a year without it. */
int32_t cl_date_months_between(int32_t from, int32_t to);

#endif
