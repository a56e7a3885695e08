/* asks.h - one request of every unary method that an approved case and its parties can be asked for, sent one after the
 * other; a few change the case (the borrower confirms, both sign), the others read, or are refused for what they say.
 *
 * Owner: the caller, in place; asks_close ends it. One thread. Aborts when a request cannot be prepared: that is not
 * what is tested. */
#ifndef COLOAN_TESTS_CRASH_ASKS_H
#define COLOAN_TESTS_CRASH_ASKS_H

#include "tests/e2e/world.h"

#define ASKS_MAX 32

struct asks {
    const struct world *world;
    struct cl_arena *arena;
    struct cl_session *bank, *officer;
    size_t count;
    struct cl_request requests[ASKS_MAX];
    bool by_officer[ASKS_MAX];
    enum cl_reason reasons[ASKS_MAX]; /* of the last time they were sent */
};

/* Prepares all of them about the only application of the world's server, which runs. */
void asks_open(struct asks *out, const struct world *world);
void asks_close(struct asks *asks);

/* Sends each once, the same bytes every time; `goes_on` says whether to send the next one. */
void asks_send(struct asks *asks, bool (*goes_on)(void *user), void *user);

/* The world's server was started again, on another port. */
void asks_reconnect(struct asks *asks);

#endif
