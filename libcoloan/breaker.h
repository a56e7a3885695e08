/* breaker.h - leaves somebody who keeps failing alone for a while, then lets one request try.
 *
 * Owner: whoever asks. One thread at a time; pure: time is handed in, on whatever clock the owner has. Cannot fail. */
#ifndef COLOAN_BREAKER_H
#define COLOAN_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct cl_breaker {
    unsigned failures_max; /* in a row, before it opens */
    int64_t open_ms;
    unsigned failures;
    bool open;             /* until a request succeeds */
    bool probing;          /* the one request that may go out while open is on the way */
    int64_t held_until_ms; /* nothing goes out before: just opened, or told to slow down */
};

/* Whether a request may go out; when it does, the caller says so with cl_breaker_sent. */
bool cl_breaker_lets(const struct cl_breaker *breaker, int64_t now_ms);
void cl_breaker_sent(struct cl_breaker *breaker);
void cl_breaker_succeeded(struct cl_breaker *breaker);
/* True when this failure opened it. */
bool cl_breaker_failed(struct cl_breaker *breaker, int64_t now_ms);
/* The other side asked for a pause; that is no failure. */
void cl_breaker_throttled(struct cl_breaker *breaker, int64_t now_ms, int64_t pause_ms);

#endif
