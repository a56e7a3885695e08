/* rpc_client.h - what unary calls and streams of the calling side share. Private: only libcoloan/rpc_*.c include it. */
#ifndef COLOAN_RPC_CLIENT_H
#define COLOAN_RPC_CLIENT_H

#include "libcoloan/rpc_core.h"

/* A call and the queue its thread plucks from. */
struct rpc_client_call {
    grpc_completion_queue *queue;
    grpc_call *core;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice status_text; /* the peer's words: read by nobody */
};

void rpc_client_call_open(struct rpc_client_call *out, struct cl_rpc_client *client, const char *path,
                          int64_t timeout_ms);

/* All tags must have been plucked. */
void rpc_client_call_close(struct rpc_client_call *call);

grpc_op rpc_client_status_op(struct rpc_client_call *call);

/* A copy of a received message. MESSAGE_COMPRESSED, MESSAGE_TOO_LARGE, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status rpc_client_message(struct cl_rpc_buffer *out, grpc_byte_buffer *buffer);

/* Once the status was received: fills code and details. OK when the other side answered, with OK or with details. */
CL_MUST_CHECK struct cl_status rpc_client_outcome(struct cl_rpc_result *out, const struct rpc_client_call *call);

#endif
