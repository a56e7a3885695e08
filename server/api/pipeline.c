#include "server/api/pipeline.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/personal.h"

/* -- Before the message -------------------------------------------------------------------------------------- */

struct cl_status api_identify(char *sender_out, const struct api_pipeline *pipeline, const char *rpc_peer)
{
    struct cl_status status = pipeline->identity.identify(pipeline->identity.user, rpc_peer, sender_out);
    if (cl_failed(status)) {
        return status;
    }
    return api_limiter_take(pipeline->limiter, sender_out, cl_clock_monotonic_ms(pipeline->centre->clock) * 1000);
}

/* -- The message --------------------------------------------------------------------------------------------- */

static struct cl_status open_envelope(struct api_request *request, const struct centre *centre, struct cl_bytes message)
{
    struct cl_keyring *keyring = cl_keyring_slot_take(centre->keyrings);
    struct cl_expectation expected = {
        .keyring = keyring,
        .environment = centre->environment,
        .sender = request->sender,
        .recipient = centre->party,
        .method = api_method_name(request->method),
        .bodies = request->method->bodies,
        .body_count = request->method->body_count,
        .now_ms = request->received_ms,
    };
    struct cl_status status = cl_envelope_open(&request->opened, request->arena, message, &expected);
    cl_keyring_unref(keyring);
    return status;
}

/* The header names an application exactly when the method is about one. */
static struct cl_status check_application_id(const struct api_request *request)
{
    const char *id = request->opened.header->application_id;
    struct cl_uuid parsed;
    if (id[0] == '\0') {
        return request->method->needs_application ? cl_fail(CL_HEADER_INCOMPLETE) : cl_ok();
    }
    if (request->method->creates || cl_failed(cl_uuid7_parse(&parsed, id))) {
        return cl_fail(CL_FIELD_INVALID);
    }
    return cl_ok();
}

static struct cl_status check_disclosures(const struct api_request *request)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    size_t count = 0;
    struct cl_status status = cl_personal_fields(fields, &count, request->body);
    if (cl_failed(status)) {
        return status;
    }
    return cl_disclosure_check(fields, count, request->opened.disclosures, request->opened.disclosure_count);
}

static struct cl_status open_body(struct api_request *request)
{
    struct cl_status status = cl_opened_body(&request->body, request->arena, &request->opened);
    if (cl_is_ok(status)) {
        status = check_disclosures(request);
    }
    return cl_is_ok(status) ? check_application_id(request) : status;
}

struct cl_status api_open(struct api_request *out, bool *proven_out, const struct api_pipeline *pipeline,
                          const struct api_method *method, const char *sender, struct cl_bytes message)
{
    *proven_out = false;
    memset(out, 0, sizeof *out);
    out->method = method;
    memcpy(out->sender, sender, strlen(sender) + 1);
    out->sender_kind = cl_party_kind(sender);
    out->received_ms = cl_clock_unix_ms(pipeline->centre->clock);
    struct cl_status status = cl_arena_create(&out->arena, CL_MESSAGE_ARENA_BYTES_MAX);
    if (cl_failed(status)) {
        return status;
    }
    status = open_envelope(out, pipeline->centre, message);
    if (cl_failed(status)) {
        return status;
    }
    *proven_out = true;
    if (!api_method_allows(method, out->sender_kind)) {
        return cl_fail(CL_CALLER_NOT_ALLOWED);
    }
    out->body_status = open_body(out);
    return cl_ok();
}

void api_request_free(struct api_request *request)
{
    cl_arena_free(request->arena);
    request->arena = NULL;
}

/* -- Refusals ------------------------------------------------------------------------------------------------ */

static int64_t retry_after_ms(const struct cl_reason_info *info)
{
    return info->retry == CL_RETRY_DELAY ? CL_RETRY_MS_DEFAULT : 0;
}

/* Empty when it cannot be made: the refusal then goes out unsigned rather than not at all. */
static struct cl_bytes sign_refusal(struct cl_arena *arena, const struct centre *centre,
                                    const struct api_request *request, const struct cl_reason_info *info,
                                    const char *field)
{
    Coloan__V1__Refusal body = COLOAN__V1__REFUSAL__INIT;
    body.reason = cl_unconst(info->name);
    body.number = (uint32_t)info->reason;
    body.text_en = cl_unconst(info->text_en);
    body.text_zh = cl_unconst(info->text_zh);
    body.field = cl_unconst(field);
    body.retry_after_ms = retry_after_ms(info);
    struct centre_speech speech = {
        .direction = COLOAN__V1__DIRECTION__DIRECTION_REFUSAL,
        .recipient = request->sender,
        .method = api_method_name(request->method),
        .in_reply_to = &request->opened.digest,
        .spec_version = request->opened.header->spec_version,
        .application_id = request->opened.header->application_id,
        .body = &body.base,
        .now_ms = cl_clock_unix_ms(centre->clock),
    };
    struct centre_sealed sealed;
    if (cl_failed(centre_seal(&sealed, arena, centre, &speech))) {
        return cl_bytes(NULL, 0);
    }
    return sealed.envelope;
}

void api_refuse(struct cl_refusal_details *out, const struct centre *centre, const struct api_request *request,
                struct cl_status reason, const char *field)
{
    const struct cl_reason_info *info = cl_reason_info(reason.reason);
    struct cl_refusal refusal = {
        .status = reason,
        .retry_after_ms = retry_after_ms(info),
        .field = field[0] == '\0' ? NULL : field,
    };
    struct cl_arena *arena = NULL; /* of its own: the request's may be what overflowed */
    if (request != NULL && cl_is_ok(cl_arena_create(&arena, 4 * CL_REFUSAL_DETAILS_BYTES_MAX))) {
        refusal.envelope = sign_refusal(arena, centre, request, info, field);
    }
    cl_refusal_build(out, &refusal);
    cl_arena_free(arena);
}
