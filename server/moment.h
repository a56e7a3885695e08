/* moment.h - points in time as an operator writes them: RFC 3339 in UTC, "2026-11-30T12:00:00Z", to the millisecond.
 *
 * Values only; any thread. Reading can fail on bad text. */
#ifndef COLOAN_SERVER_MOMENT_H
#define COLOAN_SERVER_MOMENT_H

#include <stdint.h>

#include "libcoloan/status.h"

#define MOMENT_TEXT_BYTES 25 /* "2026-11-30T12:00:00.000Z" and its NUL */

/* With three digits of a second's fraction, or none. FIELD_INVALID: anything else, a day that is in no calendar, or a
 * year before 1970. */
CL_MUST_CHECK struct cl_status moment_read(int64_t *out_ms, const char *text);

/* With the milliseconds. Years past 9999 do not come: the caller's times are clocks'. */
void moment_write(char out[MOMENT_TEXT_BYTES], int64_t unix_ms);

/* The same in letters a file's name may have everywhere, "20261130T120000000Z". */
void moment_name(char out[MOMENT_TEXT_BYTES], int64_t unix_ms);

#endif
