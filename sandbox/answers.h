/* answers.h - what the simulated authorities say: a request's path and body in, an HTTP answer out.
 *
 * Over the people and a history of what was asked before; no clock of its own, any number of threads. Owner: the caller
 * frees the body. */
#ifndef COLOAN_SANDBOX_ANSWERS_H
#define COLOAN_SANDBOX_ANSWERS_H

#include "libcoloan/bytes.h"
#include "sandbox/history.h"
#include "sandbox/people.h"

struct answer {
    unsigned http_status;
    unsigned retry_after_s; /* 0: no such header */
    bool never;             /* the fault TIMEOUT: the answer must not come in time */
    char *body;             /* on the heap */
    size_t len;
};

struct answer_moment {
    int64_t now_ms;
    uint64_t serial;         /* becomes part of the receipt */
    struct history *history; /* NULL: everything is asked for the first time */
};

void answer_make(struct answer *out, const struct people *people, const char *path, struct cl_bytes body,
                 const struct answer_moment *moment);

#endif
