/* json: any bytes as the JSON of a message. What is read is printed, read again, and then is the same message. */
#include <assert.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <grpc/reflection/v1alpha/reflection.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/json.h"
#include "libcoloan/limits.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &coloan__v1__application__descriptor, &coloan__v1__application_view__descriptor, &coloan__v1__event__descriptor,
    &grpc__reflection__v1alpha__server_reflection_request__descriptor, /* has a oneof */
};

static struct cl_bytes packed(struct cl_arena *arena, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = cl_arena_alloc(arena, len + 1);
    assert(bytes != NULL);
    return cl_bytes(bytes, protobuf_c_message_pack(message, bytes));
}

static void round_trip(struct cl_arena *arena, const ProtobufCMessage *message)
{
    ProtobufCMessage *again = NULL;
    const char *text = NULL;
    struct cl_status status = cl_json_print(&text, arena, message, CL_JSON_COMPACT);
    assert(cl_is_ok(status));
    status = cl_json_parse(&again, arena, message->descriptor, cl_bytes_text(text), NULL);
    assert(cl_is_ok(status) || status.reason == CL_MESSAGE_TOO_LARGE);
    assert(cl_failed(status) || cl_bytes_equal(packed(arena, message), packed(arena, again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cl_arena *arena = NULL;
    const struct cl_json_member *members = NULL;
    size_t count = 0;
    if (cl_failed(cl_arena_create(&arena, 64 * CL_MESSAGE_ARENA_BYTES_MAX))) {
        return 0;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        ProtobufCMessage *message = NULL;
        struct cl_json_error error = {""};
        struct cl_status status = cl_json_parse(&message, arena, types[i], cl_bytes(data, size), &error);
        assert(cl_is_ok(status) || error.text[0] != '\0');
        if (cl_is_ok(status)) {
            round_trip(arena, message);
        }
        cl_arena_reset(arena);
    }
    struct cl_status status = cl_json_members(&members, &count, arena, cl_bytes(data, size), NULL);
    assert(cl_failed(status) || members != NULL);
    cl_arena_free(arena);
    return 0;
}
