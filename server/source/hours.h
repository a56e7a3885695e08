/* hours.h - when an authority may be asked: days of the week and hours of the day, in China.
 *
 * Values; time is handed in; any thread. Fails: FIELD_INVALID for a text of another form. */
#ifndef COLOAN_SERVER_SOURCE_HOURS_H
#define COLOAN_SERVER_SOURCE_HOURS_H

#include "server/source/source.h"

/* Reads "07:30-22:00", or "22:00-06:00" for a window that begins on one day and ends on the next, and days as "1-5" or
 * "1-4,7": Monday is 1. `days` NULL: every day. */
CL_MUST_CHECK struct cl_status source_hours_read(struct source_hours *out, const char *hours, const char *days);

/* How long until it may be asked; 0: now. Of an authority without hours always 0. */
int64_t source_hours_wait_ms(const struct source_hours *hours, int64_t unix_ms);

bool source_hours_valid(const struct source_hours *hours);

#endif
