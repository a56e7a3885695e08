#include "server/cases/centre.h"

#include "libcoloan/limits.h"

struct cl_status centre_seal(struct centre_sealed *out, struct cl_arena *arena, const struct centre *centre,
                             const struct centre_speech *speech)
{
    bool is_event = speech->direction == COLOAN__V1__DIRECTION__DIRECTION_EVENT;
    char oldest[CL_SPEC_VERSION_BYTES_MAX];
    cl_spec_text(oldest, cl_spec_ours()->min);
    struct cl_message message = {
        .spec_version = speech->spec_version == NULL ? oldest : speech->spec_version,
        .environment = centre->environment,
        .recipient = speech->recipient,
        .method = speech->method,
        .direction = speech->direction,
        .created_ms = speech->now_ms,
        .expires_ms = is_event ? 0 : speech->now_ms + CL_MESSAGE_LIFE_MS_MAX,
        .in_reply_to = speech->in_reply_to,
        .application_id = speech->application_id,
        .sequence = speech->sequence,
        .body = speech->body,
    };
    cl_uuid7_make(&message.message_id, speech->now_ms, centre->random);
    struct cl_sealed sealed;
    struct cl_status status = cl_envelope_seal(&sealed, arena, centre->signer, &message);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct centre_sealed){.message_id = message.message_id, .digest = sealed.digest, .envelope = sealed.stored};
    return cl_ok();
}
