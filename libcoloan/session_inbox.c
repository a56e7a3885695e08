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
    struct session_acknowledgement said;
    struct cl_status status = session_write_ack(&said, arena, NOTIFY_METHOD, ack);
    return cl_is_ok(status) ? answer(out, session, arena, &said.message) : status;
}

struct cl_status cl_session_notified_nack(struct cl_bytes *out, struct cl_session *session, struct cl_arena *arena,
                                          const struct cl_deliver_nack *nack)
{
    struct session_acknowledgement said;
    struct cl_status status = session_write_nack(&said, arena, NOTIFY_METHOD, nack);
    return cl_is_ok(status) ? answer(out, session, arena, &said.message) : status;
}
