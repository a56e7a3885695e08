/* An event says that it was made for Deliver, whichever way it comes; an answer to a call says Notify, so that neither can
 * be taken for the other. */
#include <string.h>

#include "libcoloan/session_core.h"

#define EVENT_METHOD  "coloan.v1.JointApproval/Deliver"
#define NOTIFY_METHOD "coloan.v1.BankInbox/Notify"

struct cl_status cl_session_notified(struct cl_delivered *out, struct cl_session *session, struct cl_arena *arena,
                                     struct cl_bytes envelope)
{
    static const struct cl_expected_body event = {&coloan__v1__event__descriptor,
                                                  COLOAN__V1__DIRECTION__DIRECTION_EVENT};
    struct cl_delivered delivered = {.kind = CL_DELIVERED_EVENT};
    struct cl_keyring *keyring = cl_session_keyring(session);
    struct cl_expectation expected = session_expect(session, keyring, EVENT_METHOD, &event, 1, NULL);
    ProtobufCMessage *body = NULL;
    const uint8_t *copy = cl_arena_copy(arena, envelope);
    struct cl_status status = copy == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    delivered.envelope = cl_bytes(copy, envelope.len);
    if (cl_is_ok(status)) {
        status = cl_envelope_open(&delivered.opened, arena, delivered.envelope, &expected);
    }
    cl_keyring_unref(keyring);
    if (cl_is_ok(status)) {
        status = cl_opened_body(&body, arena, &delivered.opened);
    }
    if (cl_failed(status)) {
        return status;
    }
    delivered.event = (const Coloan__V1__Event *)(const void *)body;
    delivered.sequence = delivered.opened.header->sequence;
    *out = delivered;
    return cl_ok();
}

static struct cl_status answer(struct cl_bytes *out, struct cl_session *session, struct cl_arena *arena,
                               const struct session_message *message)
{
    struct cl_sealed sealed;
    struct cl_message header;
    struct cl_status status = session_seal(&sealed, &header, session, arena, message);
    if (cl_is_ok(status)) {
        *out = sealed.envelope;
    }
    return status;
}

struct cl_status cl_session_notified_ack(struct cl_bytes *out, struct cl_session *session, struct cl_arena *arena,
                                         const struct cl_deliver_ack *ack)
{
    Coloan__V1__Ack body = COLOAN__V1__ACK__INIT;
    body.sequence = ack->sequence;
    body.level = ack->level;
    body.bank_reference = cl_arena_text(arena, ack->reference == NULL ? "" : ack->reference);
    if (body.bank_reference == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    return answer(out, session, arena,
                  &(struct session_message){.method = NOTIFY_METHOD,
                                            .direction = COLOAN__V1__DIRECTION__DIRECTION_ACK,
                                            .body = &body.base,
                                            .in_reply_to = &ack->digest,
                                            .application_id = ack->application_id});
}

struct cl_status cl_session_notified_nack(struct cl_bytes *out, struct cl_session *session, struct cl_arena *arena,
                                          const struct cl_deliver_nack *nack)
{
    Coloan__V1__Nack body = COLOAN__V1__NACK__INIT;
    body.sequence = nack->sequence;
    body.delay_ms = nack->delay_ms;
    body.reason = cl_arena_text(arena, nack->reason);
    if (body.reason == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    return answer(out, session, arena,
                  &(struct session_message){.method = NOTIFY_METHOD,
                                            .direction = COLOAN__V1__DIRECTION__DIRECTION_ACK,
                                            .body = &body.base,
                                            .in_reply_to = &nack->digest,
                                            .application_id = nack->application_id});
}
