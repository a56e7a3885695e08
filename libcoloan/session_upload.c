/* An upload is a row of attempts. Each asks how much is there, by a stream of one chunk without data, and sends the rest
 * in a second stream. The centre reads a chunk only when the one before it is durable, so sending waits for it; when it
 * answers before the end - complete, or refused - the next send fails, and its answer says why. */
#include <coloan/v1/application.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/session_core.h"

#define UPLOAD_METHOD "coloan.v1.JointApproval/UploadDocument"

/* A chunk, its payload, its envelope, and to spare. */
#define CHUNK_ARENA_BYTES_MAX ((size_t)1024 * 1024)

struct sending {
    struct cl_session *session;
    const struct cl_upload *upload;
    struct cl_rpc_stream *stream;
    struct cl_arena *arena;    /* for one chunk at a time */
    struct cl_request request; /* digest of the stream's first chunk: what the receipt answers */
    bool has_first;
};

/* -- Chunks --------------------------------------------------------------------------------------------------- */

static struct cl_status send_chunk(struct sending *sending, int64_t offset, size_t len)
{
    const struct cl_upload *upload = sending->upload;
    cl_arena_reset(sending->arena);
    uint8_t *digest = cl_arena_copy(sending->arena, cl_bytes(upload->sha256.bytes, sizeof upload->sha256.bytes));
    uint8_t *data = cl_arena_alloc(sending->arena, len + 1);
    if (digest == NULL || data == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = len == 0 ? cl_ok() : upload->read(upload->user, data, offset, len);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__DocumentChunk body = COLOAN__V1__DOCUMENT_CHUNK__INIT;
    body.sha256 = (ProtobufCBinaryData){.data = digest, .len = sizeof upload->sha256.bytes};
    body.size_bytes = upload->size_bytes;
    body.offset = offset;
    body.data = (ProtobufCBinaryData){.data = data, .len = len};
    struct cl_sealed sealed;
    struct cl_message header;
    status = session_seal(&sealed, &header, sending->session, sending->arena,
                          &(struct session_message){.method = UPLOAD_METHOD,
                                                    .direction = COLOAN__V1__DIRECTION__DIRECTION_REQUEST,
                                                    .body = &body.base,
                                                    .application_id = upload->application_id});
    if (cl_failed(status)) {
        return status;
    }
    if (!sending->has_first) {
        sending->request = (struct cl_request){
            .method = UPLOAD_METHOD, .reply_type = &coloan__v1__document_receipt__descriptor, .digest = sealed.digest};
        sending->has_first = true;
    }
    return cl_rpc_stream_send(sending->stream, sealed.envelope);
}

/* The rest from `offset`; nothing for -1, which only asks. */
static struct cl_status send_chunks(struct sending *sending, int64_t offset)
{
    struct cl_status status = offset < 0 ? send_chunk(sending, 0, 0) : cl_ok();
    int64_t size = sending->upload->size_bytes;
    for (int64_t at = offset; cl_is_ok(status) && offset >= 0 && at < size; at += CL_DOCUMENT_CHUNK_BYTES) {
        int64_t rest = size - at;
        status = send_chunk(sending, at, rest < CL_DOCUMENT_CHUNK_BYTES ? (size_t)rest : CL_DOCUMENT_CHUNK_BYTES);
        if (cl_session_stopped(sending->session)) {
            return cl_fail(CL_SHUTTING_DOWN);
        }
    }
    if (cl_is_ok(status)) {
        status = cl_rpc_stream_half_close(sending->stream);
    }
    return status.reason == CL_CALL_CANCELLED ? cl_ok() : status; /* the centre's answer says why */
}

/* -- Answers -------------------------------------------------------------------------------------------------- */

static struct cl_status receive(struct cl_answer *out, struct sending *sending, struct cl_arena *arena)
{
    struct cl_rpc_buffer message = {.data = NULL};
    struct cl_rpc_buffer ignored = {.data = NULL};
    struct cl_rpc_result result;
    enum cl_rpc_received received = cl_rpc_stream_receive(sending->stream, CL_RPC_NO_TIMEOUT, &message);
    if (received == CL_RPC_MESSAGE &&
        cl_rpc_stream_receive(sending->stream, CL_RPC_NO_TIMEOUT, &ignored) != CL_RPC_OVER) {
        free(message.data);
        free(ignored.data);
        return cl_fail(CL_PEER_ANSWER_INVALID);
    }
    struct cl_status status = cl_rpc_stream_outcome(sending->stream, &result);
    if (cl_is_ok(status) && result.code != CL_GRPC_OK) {
        /* It may answer any of our chunks. */
        status = session_refused(out, sending->session, arena, UPLOAD_METHOD, NULL,
                                 cl_bytes(result.details.data, result.details.len));
    } else if (cl_is_ok(status) && received != CL_RPC_MESSAGE) {
        status = cl_fail(CL_PEER_ANSWER_INVALID);
    } else if (cl_is_ok(status)) {
        status =
            session_read_reply(out, sending->session, arena, &sending->request, cl_bytes(message.data, message.len));
    }
    free(message.data);
    cl_rpc_result_free(&result);
    return status;
}

/* One stream from `offset` to its answer. */
static struct cl_status run_stream(struct cl_answer *out, struct sending *sending, struct cl_arena *arena,
                                   int64_t offset, int64_t timeout_ms)
{
    sending->has_first = false;
    struct cl_status status =
        cl_rpc_stream_open(&sending->stream, sending->session->client, "/" UPLOAD_METHOD, timeout_ms);
    if (cl_failed(status)) {
        return status;
    }
    status = send_chunks(sending, offset);
    if (cl_is_ok(status)) {
        status = receive(out, sending, arena);
    }
    cl_rpc_stream_close(sending->stream);
    sending->stream = NULL;
    return status;
}

static bool fits(const struct cl_upload *upload, const Coloan__V1__DocumentReceipt *receipt)
{
    bool whole = receipt->received_bytes == upload->size_bytes;
    return cl_bytes_equal(cl_bytes(receipt->sha256.data, receipt->sha256.len),
                          cl_bytes(upload->sha256.bytes, sizeof upload->sha256.bytes)) &&
           receipt->size_bytes == upload->size_bytes && receipt->received_bytes >= 0 &&
           receipt->received_bytes <= upload->size_bytes && (receipt->complete != 0) == whole &&
           (whole || receipt->received_bytes % CL_DOCUMENT_CHUNK_BYTES == 0);
}

static struct cl_status receipt_of(const Coloan__V1__DocumentReceipt **out, const struct cl_answer *answer,
                                   const struct cl_upload *upload)
{
    *out = (const Coloan__V1__DocumentReceipt *)(const void *)answer->body;
    return fits(upload, *out) ? cl_ok() : cl_fail(CL_PEER_ANSWER_INVALID);
}

/* -- Attempts ------------------------------------------------------------------------------------------------- */

/* Asks, and sends what is missing. DOCUMENT_OFFSET also when the centre had less in the end than was sent to it. */
static struct cl_status attempt(struct cl_answer *out, struct sending *sending, struct cl_arena *arena,
                                int64_t timeout_ms)
{
    const Coloan__V1__DocumentReceipt *receipt = NULL;
    struct cl_status status = run_stream(out, sending, arena, -1, timeout_ms);
    if (cl_is_ok(status)) {
        status = receipt_of(&receipt, out, sending->upload);
    }
    if (cl_failed(status) || receipt->complete) {
        return status;
    }
    status = run_stream(out, sending, arena, receipt->received_bytes, timeout_ms);
    if (cl_is_ok(status)) {
        status = receipt_of(&receipt, out, sending->upload);
    }
    return cl_is_ok(status) && !receipt->complete ? cl_fail(CL_DOCUMENT_OFFSET) : status;
}

/* Another attempt may find it better: the way broke, the centre is busy, or another stream is ahead of ours. */
static bool worth_another_attempt(struct cl_status status)
{
    const struct cl_reason_info *info = cl_reason_info(status.reason);
    return status.reason == CL_DOCUMENT_OFFSET || status.reason == CL_CALL_CANCELLED ||
           info->grpc_code == CL_GRPC_UNAVAILABLE || info->grpc_code == CL_GRPC_DEADLINE_EXCEEDED ||
           (info->grpc_code == CL_GRPC_RESOURCE_EXHAUSTED && info->retry == CL_RETRY_DELAY);
}

struct cl_status cl_session_upload(struct cl_answer *out, struct cl_session *session, struct cl_arena *arena,
                                   const struct cl_upload *upload, struct cl_patience patience)
{
    struct sending sending = {.session = session, .upload = upload};
    struct cl_backoff backoff = {0};
    int64_t end_ms = cl_clock_monotonic_ms(session->clock) + patience.total_ms;
    int64_t attempt_ms = patience.attempt_ms > 0 ? patience.attempt_ms : CL_RPC_NO_TIMEOUT;
    *out = (struct cl_answer){.attempt_count = 0};
    struct cl_status status = cl_arena_create(&sending.arena, CHUNK_ARENA_BYTES_MAX);
    for (unsigned count = 1; cl_is_ok(status); count++) {
        *out = (struct cl_answer){.attempt_count = count};
        status = cl_session_stopped(session) ? cl_fail(CL_SHUTTING_DOWN) : attempt(out, &sending, arena, attempt_ms);
        if (cl_is_ok(status) || !worth_another_attempt(status)) {
            break;
        }
        int64_t wait_ms = cl_backoff_next(&backoff, out->retry_after_ms, session->random);
        if (cl_clock_monotonic_ms(session->clock) + wait_ms >= end_ms || !cl_session_pause(session, wait_ms)) {
            break;
        }
        status = cl_ok();
    }
    cl_arena_free(sending.arena);
    return status;
}
