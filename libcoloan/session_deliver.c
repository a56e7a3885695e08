/* The receiving half keeps the next sequence and the digest of its Open; every frame is opened against both. The
 * sending half shares nothing with it but the stream, which rpc.h lets one thread send on while another receives. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/session_core.h"

#define DELIVER_METHOD "coloan.v1.JointApproval/Deliver"

enum { CREDIT_MAX = 1000 /* as Open.max_outstanding */ };

struct cl_delivery {
    struct cl_session *session;
    struct cl_rpc_stream *stream;
    struct cl_digest open_digest;
    uint64_t next_sequence; /* the receiving thread's */
};

static struct cl_status send_message(struct cl_delivery *delivery, struct cl_arena *arena, struct cl_digest *digest_out,
                                     const struct session_message *message)
{
    struct cl_sealed sealed;
    struct cl_message header;
    struct cl_status status = session_seal(&sealed, &header, delivery->session, arena, message);
    if (cl_failed(status)) {
        return status;
    }
    *digest_out = sealed.digest;
    return cl_rpc_stream_send(delivery->stream, sealed.envelope);
}

static struct cl_status send_open(struct cl_delivery *delivery, const struct cl_deliver_options *options)
{
    uint8_t session_id[CL_UUID_BYTES];
    struct cl_arena *arena = NULL;
    struct cl_status status = cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX);
    if (cl_failed(status)) {
        return status;
    }
    memcpy(session_id, options->session_id, sizeof session_id);
    Coloan__V1__Open open = COLOAN__V1__OPEN__INIT;
    open.resume_after = options->resume_after;
    open.session_id = (ProtobufCBinaryData){.data = session_id, .len = sizeof session_id};
    open.epoch = options->epoch;
    open.max_outstanding = options->max_outstanding;
    status = send_message(delivery, arena, &delivery->open_digest,
                          &(struct session_message){.method = DELIVER_METHOD,
                                                    .direction = COLOAN__V1__DIRECTION__DIRECTION_REQUEST,
                                                    .body = &open.base});
    cl_arena_free(arena);
    return status.reason == CL_CALL_CANCELLED ? cl_ok() : status; /* how it ended is told by the first receive */
}

struct cl_status cl_session_deliver_open(struct cl_delivery **out, struct cl_session *session,
                                         const struct cl_deliver_options *options)
{
    assert(options->max_outstanding >= 1 && options->max_outstanding <= CREDIT_MAX);
    if (cl_session_stopped(session)) {
        return cl_fail(CL_SHUTTING_DOWN);
    }
    struct cl_delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *delivery = (struct cl_delivery){.session = session, .next_sequence = options->resume_after + 1};
    struct cl_status status =
        cl_rpc_stream_open(&delivery->stream, session->client, "/" DELIVER_METHOD, CL_RPC_NO_TIMEOUT);
    if (cl_is_ok(status)) {
        status = send_open(delivery, options);
    }
    if (cl_failed(status)) {
        cl_session_deliver_close(delivery);
        return status;
    }
    *out = delivery;
    return cl_ok();
}

void cl_session_deliver_close(struct cl_delivery *delivery)
{
    if (delivery == NULL) {
        return;
    }
    cl_rpc_stream_close(delivery->stream);
    free(delivery);
}

void cl_session_deliver_cancel(struct cl_delivery *delivery)
{
    cl_rpc_stream_cancel(delivery->stream);
}

/* -- Receiving ------------------------------------------------------------------------------------------------ */

static const struct cl_expected_body frame_bodies[] = {
    {&coloan__v1__event__descriptor, COLOAN__V1__DIRECTION__DIRECTION_EVENT},
    {&coloan__v1__heartbeat__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REPLY},
    {&coloan__v1__gap__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REPLY},
    {&coloan__v1__held__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REPLY},
    {&coloan__v1__drain__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REPLY},
};

static struct cl_status read_event(struct cl_delivered *out, struct cl_delivery *delivery, const void *body)
{
    const Coloan__V1__SignedHeader *header = out->opened.header;
    if (header->sequence > delivery->next_sequence) {
        return cl_fail(CL_SEQUENCE_WRONG);
    }
    out->again = header->sequence < delivery->next_sequence;
    delivery->next_sequence += out->again ? 0 : 1;
    out->kind = CL_DELIVERED_EVENT;
    out->event = body;
    out->sequence = header->sequence;
    return cl_ok();
}

/* In the place of events: a gap, or what is held back. */
static struct cl_status read_range(struct cl_delivered *out, struct cl_delivery *delivery, enum cl_delivered_kind kind,
                                   uint64_t from, uint64_t to)
{
    if (from != delivery->next_sequence || to < from || to == UINT64_MAX) {
        return cl_fail(CL_SEQUENCE_WRONG);
    }
    delivery->next_sequence = to + 1;
    out->kind = kind;
    out->from = from;
    out->to = to;
    return cl_ok();
}

static struct cl_status read_body(struct cl_delivered *out, struct cl_delivery *delivery, const void *body)
{
    if (out->opened.body_type == &coloan__v1__event__descriptor) {
        return read_event(out, delivery, body);
    }
    if (out->opened.body_type == &coloan__v1__gap__descriptor) {
        const Coloan__V1__Gap *gap = body;
        return read_range(out, delivery, CL_DELIVERED_GAP, gap->from, gap->to);
    }
    if (out->opened.body_type == &coloan__v1__held__descriptor) {
        const Coloan__V1__Held *held = body;
        return read_range(out, delivery, CL_DELIVERED_HELD, held->from, held->to);
    }
    if (out->opened.body_type == &coloan__v1__drain__descriptor) {
        const Coloan__V1__Drain *drain = body;
        out->kind = CL_DELIVERED_DRAIN;
        out->reconnect_after_ms = drain->reconnect_after_ms;
        return drain->reconnect_after_ms >= 0 ? cl_ok() : cl_fail(CL_FIELD_INVALID);
    }
    const Coloan__V1__Heartbeat *heartbeat = body;
    out->kind = CL_DELIVERED_HEARTBEAT;
    out->head = heartbeat->head;
    out->received_floor = heartbeat->received_floor;
    out->server_time_ms = heartbeat->server_time_ms;
    return cl_ok();
}

static struct cl_status read_frame(struct cl_delivered *out, struct cl_delivery *delivery, struct cl_arena *arena,
                                   struct cl_bytes bytes)
{
    struct cl_keyring *keyring = cl_session_keyring(delivery->session);
    struct cl_expectation expected =
        session_expect(delivery->session, keyring, DELIVER_METHOD, frame_bodies,
                       sizeof frame_bodies / sizeof frame_bodies[0], &delivery->open_digest);
    ProtobufCMessage *body = NULL;
    const uint8_t *copy = cl_arena_copy(arena, bytes);
    struct cl_status status = copy == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    out->envelope = cl_bytes(copy, bytes.len);
    if (cl_is_ok(status)) {
        status = cl_envelope_open(&out->opened, arena, out->envelope, &expected);
    }
    cl_keyring_unref(keyring);
    if (cl_is_ok(status)) {
        status = cl_opened_body(&body, arena, &out->opened);
    }
    return cl_failed(status) ? status : read_body(out, delivery, body);
}

static struct cl_status read_end(struct cl_delivered *out, struct cl_delivery *delivery, struct cl_arena *arena)
{
    struct cl_rpc_result result;
    struct cl_answer answer = {.refused = false};
    out->kind = CL_DELIVERED_END;
    out->ended = cl_rpc_stream_outcome(delivery->stream, &result);
    if (cl_is_ok(out->ended) && result.code != CL_GRPC_OK) {
        /* It may answer any of our frames: the Open, an acknowledgement, a credit. */
        out->ended = session_refused(&answer, delivery->session, arena, DELIVER_METHOD, NULL,
                                     cl_bytes(result.details.data, result.details.len));
        out->reconnect_after_ms = answer.retry_after_ms;
    }
    cl_rpc_result_free(&result);
    return cl_ok();
}

struct cl_status cl_session_deliver_next(struct cl_delivered *out, struct cl_delivery *delivery, struct cl_arena *arena,
                                         int64_t timeout_ms)
{
    struct cl_rpc_buffer frame;
    struct cl_delivered delivered = {.kind = CL_DELIVERED_NOTHING};
    struct cl_status status = cl_ok();
    switch (cl_rpc_stream_receive(delivery->stream, timeout_ms, &frame)) {
    case CL_RPC_TIMEOUT:
        break;
    case CL_RPC_OVER:
        status = read_end(&delivered, delivery, arena);
        break;
    case CL_RPC_MESSAGE:
        status = read_frame(&delivered, delivery, arena, cl_bytes(frame.data, frame.len));
        free(frame.data);
        break;
    }
    if (cl_failed(status)) {
        return status;
    }
    *out = delivered;
    return cl_ok();
}

/* -- Sending -------------------------------------------------------------------------------------------------- */

static struct session_message of_event(const char *method, const ProtobufCMessage *body, const struct cl_digest *event,
                                       const char *application_id)
{
    return (struct session_message){.method = method,
                                    .direction = COLOAN__V1__DIRECTION__DIRECTION_ACK,
                                    .body = body,
                                    .in_reply_to = event,
                                    .application_id = application_id};
}

struct cl_status session_write_ack(struct session_acknowledgement *out, struct cl_arena *arena, const char *method,
                                   const struct cl_deliver_ack *ack)
{
    Coloan__V1__Ack *body = &out->ack;
    coloan__v1__ack__init(body);
    body->sequence = ack->sequence;
    body->level = ack->level;
    body->bank_reference = cl_arena_text(arena, ack->reference == NULL ? "" : ack->reference);
    out->message = of_event(method, &body->base, &ack->digest, ack->application_id);
    return body->bank_reference == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}

struct cl_status session_write_nack(struct session_acknowledgement *out, struct cl_arena *arena, const char *method,
                                    const struct cl_deliver_nack *nack)
{
    Coloan__V1__Nack *body = &out->nack;
    coloan__v1__nack__init(body);
    body->sequence = nack->sequence;
    body->delay_ms = nack->delay_ms;
    body->reason = cl_arena_text(arena, nack->reason);
    out->message = of_event(method, &body->base, &nack->digest, nack->application_id);
    return body->reason == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}

struct cl_status cl_session_deliver_ack(struct cl_delivery *delivery, struct cl_arena *arena,
                                        const struct cl_deliver_ack *ack)
{
    struct cl_digest digest;
    struct session_acknowledgement said;
    struct cl_status status = session_write_ack(&said, arena, DELIVER_METHOD, ack);
    return cl_is_ok(status) ? send_message(delivery, arena, &digest, &said.message) : status;
}

struct cl_status cl_session_deliver_nack(struct cl_delivery *delivery, struct cl_arena *arena,
                                         const struct cl_deliver_nack *nack)
{
    struct cl_digest digest;
    struct session_acknowledgement said;
    struct cl_status status = session_write_nack(&said, arena, DELIVER_METHOD, nack);
    return cl_is_ok(status) ? send_message(delivery, arena, &digest, &said.message) : status;
}

struct cl_status cl_session_deliver_in_progress(struct cl_delivery *delivery, struct cl_arena *arena, uint64_t sequence)
{
    struct cl_digest digest;
    Coloan__V1__InProgress body = COLOAN__V1__IN_PROGRESS__INIT;
    body.sequence = sequence;
    return send_message(delivery, arena, &digest,
                        &(struct session_message){.method = DELIVER_METHOD,
                                                  .direction = COLOAN__V1__DIRECTION__DIRECTION_REQUEST,
                                                  .body = &body.base});
}

struct cl_status cl_session_deliver_credit(struct cl_delivery *delivery, struct cl_arena *arena, uint32_t more)
{
    assert(more >= 1 && more <= CREDIT_MAX);
    struct cl_digest digest;
    Coloan__V1__Credit body = COLOAN__V1__CREDIT__INIT;
    body.more = more;
    return send_message(delivery, arena, &digest,
                        &(struct session_message){.method = DELIVER_METHOD,
                                                  .direction = COLOAN__V1__DIRECTION__DIRECTION_REQUEST,
                                                  .body = &body.base});
}
