#include "server/api/direct.h"

#include <assert.h>
#include <coloan/v1/directory.pb-c.h>
#include <string.h>

#include "libcoloan/dsse.h"

static struct cl_status answer(struct cl_bytes *reply_out, const struct centre *centre,
                               const struct api_request *request, const ProtobufCMessage *body)
{
    struct centre_speech speech = {
        .direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY,
        .recipient = request->sender,
        .method = api_method_name(request->method),
        .in_reply_to = &request->opened.digest,
        .spec_version = request->opened.header->spec_version,
        .body = body,
        .now_ms = cl_clock_unix_ms(centre->clock),
    };
    struct centre_sealed sealed;
    struct cl_status status = centre_seal(&sealed, request->arena, centre, &speech);
    if (cl_failed(status)) {
        return status;
    }
    *reply_out = sealed.envelope;
    return cl_ok();
}

static char *text(const struct api_request *request, const char *value)
{
    return cl_arena_text(request->arena, value);
}

static struct cl_status get_keys(struct cl_bytes *reply_out, const struct centre *centre,
                                 const struct api_request *request)
{
    const Coloan__V1__KeysQuery *query = (const Coloan__V1__KeysQuery *)request->body;
    Coloan__V1__KeysAnswer body = COLOAN__V1__KEYS_ANSWER__INIT;
    struct cl_keyring *keyring = cl_keyring_slot_take(centre->keyrings);
    body.number = cl_keyring_number(keyring);
    if (query->known_number != body.number) {
        struct cl_bytes directory = cl_keyring_directory(keyring);
        body.directory.data = cl_arena_copy(request->arena, directory);
        body.directory.len = body.directory.data == NULL ? 0 : directory.len;
    }
    cl_keyring_unref(keyring);
    if (cl_arena_overflowed(request->arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    return answer(reply_out, centre, request, &body.base);
}

static struct cl_status get_capabilities(struct cl_bytes *reply_out, const struct centre *centre,
                                         const struct api_request *request)
{
    char *methods[API_METHOD_COUNT];
    Coloan__V1__Capabilities body = COLOAN__V1__CAPABILITIES__INIT;
    body.methods = methods;
    for (size_t i = 0; i < API_METHOD_COUNT; i++) {
        const struct api_method *method = api_method_at(i);
        if (api_method_allows(method, request->sender_kind)) {
            methods[body.n_methods++] = text(request, api_method_name(method));
        }
    }
    char version[CL_SPEC_VERSION_BYTES_MAX];
    cl_spec_text(version, cl_spec_ours()->min);
    body.spec_version_min = text(request, version);
    cl_spec_text(version, cl_spec_ours()->max);
    body.spec_version_max = text(request, version);
    body.environment = text(request, centre->environment);
    body.party = text(request, centre->party);
    body.server_time_ms = cl_clock_unix_ms(centre->clock);
    body.message_bytes_max = CL_MESSAGE_BYTES_MAX;
    body.deadline_ms_min = CL_DEADLINE_MS_MIN;
    body.deadline_ms_default = CL_DEADLINE_MS_DEFAULT;
    if (cl_arena_overflowed(request->arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    return answer(reply_out, centre, request, &body.base);
}

struct cl_status direct_answer(struct cl_bytes *reply_out, const struct centre *centre,
                               const struct api_request *request)
{
    assert(request->method->way == API_DIRECT);
    if (request->method->reply == &coloan__v1__keys_answer__descriptor) {
        return get_keys(reply_out, centre, request);
    }
    assert(request->method->reply == &coloan__v1__capabilities__descriptor);
    return get_capabilities(reply_out, centre, request);
}
