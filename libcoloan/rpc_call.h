/* rpc_call.h - between the server that accepts calls and the calls themselves. Private: only libcoloan/rpc_*.c include
 * it. */
#ifndef COLOAN_RPC_CALL_H
#define COLOAN_RPC_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "libcoloan/rpc_core.h"

/* Everything handed to a completion queue is one of these, embedded in what it belongs to: the poll loop has no event
 * types. */
struct rpc_tag {
    void (*done)(struct rpc_tag *tag, bool ok);
    void *owner;
};

/* Counts the tags that core holds. A queue may be shut down only when there are none: starting anything on it later
 * aborts. */
struct rpc_flight {
    atomic_size_t tag_count;
    pthread_mutex_t mutex;
    pthread_cond_t landed;
};

void rpc_flight_init(struct rpc_flight *flight);
void rpc_flight_close(struct rpc_flight *flight);
void rpc_flight_enter(struct rpc_flight *flight);
void rpc_flight_leave(struct rpc_flight *flight);
void rpc_flight_wait(struct rpc_flight *flight); /* until there are none */

/* A call that core accepted. `method` NULL: nobody registered its path. */
struct rpc_arrival {
    grpc_call *core;           /* taken */
    grpc_byte_buffer *payload; /* taken; the request of a UNARY or SERVER_STREAM call, NULL when the peer sent none */
    gpr_timespec deadline;
    const struct cl_rpc_method *method;
    struct rpc_flight *flight;
    unsigned send_queue_max;
};

/* Whether a call of this shape has one request, which core reads before the call is handed over. */
static inline bool rpc_has_one_request(enum cl_rpc_shape shape)
{
    return shape == CL_RPC_UNARY || shape == CL_RPC_SERVER_STREAM;
}

/* On the poll thread of the queue that the call is bound to: refuses it or runs its handler. */
void rpc_call_arrived(const struct rpc_arrival *arrival);

#endif
