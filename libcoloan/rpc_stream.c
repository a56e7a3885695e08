/* A stream of the calling side: one pluck queue, a tag for each direction and one for the status. Plucking by tag is
 * what lets the sending and the receiving thread wait on the same queue. A receive that timed out leaves its batch in
 * flight; the next one goes on waiting for it. */
#include <assert.h>
#include <stdlib.h>

#include "libcoloan/limits.h"
#include "libcoloan/rpc_client.h"

struct cl_rpc_stream {
    struct rpc_client_call call;
    grpc_byte_buffer *received;
    bool receiving, over, has_status;                 /* the receiving thread's */
    struct cl_status broken;                          /* why we ended it ourselves, or OK */
    char open_tag, send_tag, receive_tag, status_tag; /* only their addresses matter */
};

static bool pluck(struct cl_rpc_stream *stream, void *tag, gpr_timespec until, bool *success_out)
{
    grpc_event event = grpc_completion_queue_pluck(stream->call.queue, tag, until, NULL);
    *success_out = event.success != 0;
    return event.type == GRPC_OP_COMPLETE;
}

/* Starts a batch of one or two ops and, unless it is waited for elsewhere, waits for it. */
static void start(struct cl_rpc_stream *stream, void *tag, const grpc_op *ops, size_t op_count)
{
    grpc_call_error error = grpc_call_start_batch(stream->call.core, ops, op_count, tag, NULL);
    assert(error == GRPC_CALL_OK);
}

static bool send_and_wait(struct cl_rpc_stream *stream, void *tag, const grpc_op *op)
{
    bool success = false;
    start(stream, tag, op, 1);
    (void)pluck(stream, tag, gpr_inf_future(GPR_CLOCK_REALTIME), &success); /* a cancel or the deadline ends it */
    return success;
}

struct cl_status cl_rpc_stream_open(struct cl_rpc_stream **out, struct cl_rpc_client *client, const char *path,
                                    int64_t timeout_ms)
{
    struct cl_rpc_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    rpc_client_call_open(&stream->call, client, path, timeout_ms);
    grpc_op open[] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    open[1].data.recv_initial_metadata.recv_initial_metadata = &stream->call.initial;
    start(stream, &stream->open_tag, open, 2);
    grpc_op status = rpc_client_status_op(&stream->call);
    start(stream, &stream->status_tag, &status, 1);
    *out = stream;
    return cl_ok();
}

struct cl_status cl_rpc_stream_send(struct cl_rpc_stream *stream, struct cl_bytes message)
{
    if (message.len > CL_MESSAGE_BYTES_MAX) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    grpc_byte_buffer *buffer = rpc_buffer_of(message);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = buffer;
    bool sent = send_and_wait(stream, &stream->send_tag, &op);
    grpc_byte_buffer_destroy(buffer);
    return sent ? cl_ok() : cl_fail(CL_CALL_CANCELLED);
}

struct cl_status cl_rpc_stream_half_close(struct cl_rpc_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    return send_and_wait(stream, &stream->send_tag, &op) ? cl_ok() : cl_fail(CL_CALL_CANCELLED);
}

static void receive_next(struct cl_rpc_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &stream->received;
    stream->received = NULL;
    stream->receiving = true;
    start(stream, &stream->receive_tag, &op, 1);
}

enum cl_rpc_received cl_rpc_stream_receive(struct cl_rpc_stream *stream, int64_t timeout_ms, struct cl_rpc_buffer *out)
{
    bool success = false;
    if (stream->over) {
        return CL_RPC_OVER;
    }
    if (!stream->receiving) {
        receive_next(stream);
    }
    if (!pluck(stream, &stream->receive_tag, rpc_time_after(timeout_ms), &success)) {
        return CL_RPC_TIMEOUT;
    }
    stream->receiving = false;
    if (stream->received != NULL) {
        stream->broken = rpc_client_message(out, stream->received);
        grpc_byte_buffer_destroy(stream->received);
        stream->received = NULL;
        if (cl_is_ok(stream->broken)) {
            return CL_RPC_MESSAGE;
        }
    }
    if (!success || cl_failed(stream->broken)) {
        cl_rpc_stream_cancel(stream); /* or the status would wait for the server's end */
    }
    stream->over = true;
    return CL_RPC_OVER;
}

struct cl_status cl_rpc_stream_outcome(struct cl_rpc_stream *stream, struct cl_rpc_result *out)
{
    assert(stream->over);
    bool success = false;
    if (!stream->has_status) {
        (void)pluck(stream, &stream->status_tag, gpr_inf_future(GPR_CLOCK_REALTIME), &success);
        stream->has_status = true;
    }
    *out = (struct cl_rpc_result){.code = CL_GRPC_OK};
    struct cl_status status = rpc_client_outcome(out, &stream->call);
    return cl_failed(stream->broken) ? stream->broken : status;
}

void cl_rpc_stream_cancel(struct cl_rpc_stream *stream)
{
    (void)grpc_call_cancel(stream->call.core, NULL);
}

void cl_rpc_stream_close(struct cl_rpc_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    cl_rpc_stream_cancel(stream);
    gpr_timespec never = gpr_inf_future(GPR_CLOCK_REALTIME);
    bool success = false;
    (void)pluck(stream, &stream->open_tag, never, &success);
    if (stream->receiving) {
        (void)pluck(stream, &stream->receive_tag, never, &success);
        grpc_byte_buffer_destroy(stream->received);
    }
    if (!stream->has_status) {
        (void)pluck(stream, &stream->status_tag, never, &success);
    }
    rpc_client_call_close(&stream->call);
    free(stream);
}
