#include "libcoloan/dsse.h"

#include <assert.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/directory.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <coloan/v1/review.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"

#define PACKAGE     "coloan.v1."
#define TYPE_BEFORE "application/vnd.coloan.v1."
#define TYPE_AFTER  "+protobuf"

enum { PAE_FRAME_BYTES_MAX = 64 }; /* "DSSEv1", four spaces and two lengths of at most 20 digits */

/* -- PAE ----------------------------------------------------------------------------------------------------- */

/* What stands before the type, and between type and payload. */
struct frame {
    char before[PAE_FRAME_BYTES_MAX], between[PAE_FRAME_BYTES_MAX];
    struct cl_bytes parts[3];
};

static void frame_init(struct frame *frame, const char *payload_type, struct cl_bytes payload)
{
    (void)snprintf(frame->before, sizeof frame->before, "DSSEv1 %zu ", strlen(payload_type));
    (void)snprintf(frame->between, sizeof frame->between, " %zu ", payload.len);
    frame->parts[0] = cl_bytes_text(frame->before);
    frame->parts[1] = cl_bytes_text(payload_type);
    frame->parts[2] = cl_bytes_text(frame->between);
}

struct cl_status cl_dsse_pae(struct cl_bytes *out, struct cl_arena *arena, const char *payload_type,
                             struct cl_bytes payload)
{
    struct frame frame;
    frame_init(&frame, payload_type, payload);
    size_t frame_len = frame.parts[0].len + frame.parts[1].len + frame.parts[2].len;
    uint8_t *bytes = cl_arena_alloc(arena, frame_len + payload.len);
    if (bytes == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    uint8_t *at = bytes;
    for (size_t i = 0; i < 3; i++) {
        memcpy(at, frame.parts[i].data, frame.parts[i].len);
        at += frame.parts[i].len;
    }
    if (payload.len > 0) {
        memcpy(at, payload.data, payload.len);
    }
    *out = cl_bytes(bytes, frame_len + payload.len);
    return cl_ok();
}

void cl_dsse_digest(struct cl_digest *out, const char *payload_type, struct cl_bytes payload)
{
    struct frame frame;
    struct cl_sha256 hash;
    frame_init(&frame, payload_type, payload);
    cl_sha256_init(&hash);
    for (size_t i = 0; i < 3; i++) {
        cl_sha256_add(&hash, frame.parts[i]);
    }
    cl_sha256_add(&hash, payload);
    cl_sha256_finish(&hash, out);
}

/* -- Payload types ------------------------------------------------------------------------------------------- */

void cl_payload_type(char out[CL_PAYLOAD_TYPE_BYTES_MAX], const ProtobufCMessageDescriptor *body_type)
{
    assert(strncmp(body_type->name, PACKAGE, sizeof PACKAGE - 1) == 0);
    int len =
        snprintf(out, CL_PAYLOAD_TYPE_BYTES_MAX, TYPE_BEFORE "%s" TYPE_AFTER, body_type->name + sizeof PACKAGE - 1);
    assert(len > 0 && len < CL_PAYLOAD_TYPE_BYTES_MAX);
}

/* Every message that may stand in SignedPayload.body. */
static const ProtobufCMessageDescriptor *const bodies[] = {
    &coloan__v1__application__descriptor,
    &coloan__v1__application_receipt__descriptor,
    &coloan__v1__application_status__descriptor,
    &coloan__v1__application_query__descriptor,
    &coloan__v1__application_view__descriptor,
    &coloan__v1__application_list_query__descriptor,
    &coloan__v1__application_list__descriptor,
    &coloan__v1__verification_report__descriptor,
    &coloan__v1__verification_query__descriptor,
    &coloan__v1__verification_answer__descriptor,
    &coloan__v1__bank_decision__descriptor,
    &coloan__v1__decision_record__descriptor,
    &coloan__v1__joint_outcome__descriptor,
    &coloan__v1__withdrawal__descriptor,
    &coloan__v1__offer_confirmation__descriptor,
    &coloan__v1__bank_change__descriptor,
    &coloan__v1__rule_choice__descriptor,
    &coloan__v1__consent_withdrawal__descriptor,
    &coloan__v1__milestone__descriptor,
    &coloan__v1__document_chunk__descriptor,
    &coloan__v1__document_receipt__descriptor,
    &coloan__v1__open__descriptor,
    &coloan__v1__ack__descriptor,
    &coloan__v1__nack__descriptor,
    &coloan__v1__in_progress__descriptor,
    &coloan__v1__credit__descriptor,
    &coloan__v1__event__descriptor,
    &coloan__v1__heartbeat__descriptor,
    &coloan__v1__gap__descriptor,
    &coloan__v1__held__descriptor,
    &coloan__v1__drain__descriptor,
    &coloan__v1__event_list_query__descriptor,
    &coloan__v1__event_list__descriptor,
    &coloan__v1__event_query__descriptor,
    &coloan__v1__event_view__descriptor,
    &coloan__v1__event_state__descriptor,
    &coloan__v1__event_steering__descriptor,
    &coloan__v1__reconcile_query__descriptor,
    &coloan__v1__reconcile_answer__descriptor,
    &coloan__v1__task_list_query__descriptor,
    &coloan__v1__task_list__descriptor,
    &coloan__v1__task_query__descriptor,
    &coloan__v1__task_view__descriptor,
    &coloan__v1__task_claim__descriptor,
    &coloan__v1__task_release__descriptor,
    &coloan__v1__task__descriptor,
    &coloan__v1__item_settlement__descriptor,
    &coloan__v1__override_request__descriptor,
    &coloan__v1__item_override__descriptor,
    &coloan__v1__decision_query__descriptor,
    &coloan__v1__counters_query__descriptor,
    &coloan__v1__counters__descriptor,
    &coloan__v1__keys_query__descriptor,
    &coloan__v1__keys_answer__descriptor,
    &coloan__v1__key_directory__descriptor,
    &coloan__v1__key_rotation__descriptor,
    &coloan__v1__key_rotation_receipt__descriptor,
    &coloan__v1__capabilities_query__descriptor,
    &coloan__v1__capabilities__descriptor,
    &coloan__v1__refusal__descriptor,
};

const ProtobufCMessageDescriptor *cl_payload_type_find(const char *payload_type)
{
    char type[CL_PAYLOAD_TYPE_BYTES_MAX];
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        cl_payload_type(type, bodies[i]);
        if (strcmp(type, payload_type) == 0) {
            return bodies[i];
        }
    }
    return NULL;
}

/* -- Reading and writing ------------------------------------------------------------------------------------- */

struct cl_status cl_dsse_read(Coloan__V1__Envelope **out, struct cl_arena *arena, struct cl_bytes bytes)
{
    ProtobufCMessage *message = NULL;
    if (bytes.len == 0) {
        return cl_fail(CL_MESSAGE_EMPTY);
    }
    struct cl_status status = cl_unpack(&message, arena, &coloan__v1__envelope__descriptor, bytes);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__Envelope *envelope = (Coloan__V1__Envelope *)(void *)message;
    if (envelope->payload.len == 0) {
        return cl_fail(CL_MESSAGE_EMPTY);
    }
    if (envelope->payload.len > CL_PAYLOAD_BYTES_MAX) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    *out = envelope;
    return cl_ok();
}

struct cl_status cl_pack(struct cl_bytes *out, struct cl_arena *arena, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = cl_arena_alloc(arena, len);
    if (bytes == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = cl_bytes(bytes, protobuf_c_message_pack(message, bytes));
    return cl_ok();
}

struct cl_status cl_dsse_write(struct cl_bytes *out, size_t *stored_len_out, struct cl_arena *arena,
                               const Coloan__V1__Envelope *envelope)
{
    assert(envelope->n_signatures >= 1 && envelope->n_signatures <= CL_SIGNATURES_MAX);
    struct cl_bytes bytes;
    if (envelope->payload.len > CL_PAYLOAD_BYTES_MAX ||
        coloan__v1__envelope__get_packed_size(envelope) > CL_MESSAGE_BYTES_MAX) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    struct cl_status status = cl_pack(&bytes, arena, &envelope->base);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__Envelope stored = *envelope; /* protobuf-c packs in the order of numbers; disclosures come last */
    stored.n_disclosures = 0;
    if (stored_len_out != NULL) {
        *stored_len_out = coloan__v1__envelope__get_packed_size(&stored);
    }
    *out = bytes;
    return cl_ok();
}

struct cl_status cl_dsse_seal(struct cl_bytes *out, size_t *stored_len_out, struct cl_digest *digest_out,
                              struct cl_arena *arena, const struct cl_signer *const *signers, size_t signer_count,
                              const Coloan__V1__Envelope *unsigned_envelope)
{
    assert(signer_count >= 1 && signer_count <= CL_SIGNATURES_MAX);
    Coloan__V1__Envelope envelope = *unsigned_envelope;
    Coloan__V1__Signature signatures[CL_SIGNATURES_MAX];
    Coloan__V1__Signature *list[CL_SIGNATURES_MAX];
    struct cl_signature sigs[CL_SIGNATURES_MAX];
    struct cl_keyid keyids[CL_SIGNATURES_MAX];
    struct cl_bytes payload = cl_bytes(envelope.payload.data, envelope.payload.len);
    struct cl_bytes pae;
    if (payload.len > CL_PAYLOAD_BYTES_MAX) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    struct cl_status status = cl_dsse_pae(&pae, arena, envelope.payload_type, payload);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < signer_count; i++) {
        cl_sign(&sigs[i], signers[i], pae);
        keyids[i] = *cl_signer_keyid(signers[i]);
        coloan__v1__signature__init(&signatures[i]);
        signatures[i].sig = (ProtobufCBinaryData){.len = sizeof sigs[i].bytes, .data = sigs[i].bytes};
        signatures[i].keyid = keyids[i].text;
        list[i] = &signatures[i];
    }
    envelope.n_signatures = signer_count;
    envelope.signatures = list;
    status = cl_dsse_write(out, stored_len_out, arena, &envelope);
    if (cl_is_ok(status)) {
        cl_sha256(digest_out, pae);
    }
    return status;
}
