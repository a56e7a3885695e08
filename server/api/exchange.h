/* exchange.h - one request and its one answer, without a network: bytes and who sent them go in, a signed reply or a
 * refusal comes out.
 *
 * A stored method becomes a command of the writer: the duplicate table, the time, the case's handler, the signed reply
 * and the log, in one transaction; it is answered when that is durable. A direct method is answered at once.
 *
 * Owner: an exchange owns itself until `answered` returned. Threads: exchange_begin on any, never waits; `answered` runs
 * once for each, before exchange_begin returns or on the writer thread. Fails: whatever goes wrong is the answer. */
#ifndef COLOAN_API_EXCHANGE_H
#define COLOAN_API_EXCHANGE_H

#include "libcoloan/refusal.h"
#include "server/api/api.h"

/* Borrowed until `answered` returns. */
struct exchange_answer {
    struct cl_status status;                  /* OK: a reply; else the reason of the refusal */
    struct cl_bytes reply;                    /* the bytes to send */
    const struct cl_refusal_details *refusal; /* NULL with a reply; signed when the sender was proven */
};

struct exchange_call {
    const char *peer;        /* the connection, as struct api_identity knows it; read by begin only */
    struct cl_bytes message; /* read by begin only */
    void (*answered)(void *user, const struct exchange_answer *answer);
    void *user;
};

/* `method`: its index in api_method_at, of one that is STORED or DIRECT. */
void exchange_begin(struct api *api, size_t method, const struct exchange_call *call);

#endif
