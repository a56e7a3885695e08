/* limiter.h - how often a party may call: a generic cell rate limiter (GCRA, ITU-T I.371) per party.
 *
 * It stands before any signature is verified, because that is what a caller could make us spend. Any thread; takes a
 * short lock. Fails with RATE_LIMITED only. */
#ifndef COLOAN_API_LIMITER_H
#define COLOAN_API_LIMITER_H

#include <stdint.h>

#include "libcoloan/status.h"

#define API_LIMITER_PARTIES_MAX                                                                                        \
    1024 /* a centre has some twenty banks; the certificates name the parties, so this holds */

struct api_limiter;

/* `calls_per_second` in the long run, `burst` at once; both at least 1. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status api_limiter_create(struct api_limiter **out, uint32_t calls_per_second, uint32_t burst);
void api_limiter_free(struct api_limiter *limiter); /* NULL is fine */

/* RATE_LIMITED when this call is one too many at `now_us` (any clock that does not jump); it then costs nothing. */
CL_MUST_CHECK struct cl_status api_limiter_take(struct api_limiter *limiter, const char *party, int64_t now_us);

#endif
