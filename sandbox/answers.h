/* answers.h - what the simulated authorities say: a request's path and body in, an HTTP answer out.
 *
 * Pure over the people: no clock, no counter, any number of threads. Owner: the caller frees the body. */
#ifndef COLOAN_SANDBOX_ANSWERS_H
#define COLOAN_SANDBOX_ANSWERS_H

#include "libcoloan/bytes.h"
#include "sandbox/people.h"

struct answer {
    unsigned http_status;
    unsigned retry_after_s; /* 0: no such header */
    bool never;             /* the fault TIMEOUT: the answer must not come in time */
    char *body;             /* on the heap */
    size_t len;
};

/* `serial` becomes part of the receipt. */
void answer_make(struct answer *out, const struct people *people, const char *path, struct cl_bytes body,
                 int64_t now_ms, uint64_t serial);

#endif
