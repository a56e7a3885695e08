/* What the scan lets through, protobuf-c unpacks without unknown fields, and what is packed again passes too. The first
 * byte chooses the message. */
#include <assert.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/directory.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <grpc/reflection/v1alpha/reflection.pb-c.h>
#include <stdint.h>

#include "libcoloan/dsse.h"
#include "libcoloan/limits.h"
#include "libcoloan/wirescan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &coloan__v1__envelope__descriptor,      &coloan__v1__signed_payload__descriptor,
    &coloan__v1__application__descriptor,   &coloan__v1__application_view__descriptor,
    &coloan__v1__event__descriptor,         &coloan__v1__verification_query__descriptor,
    &coloan__v1__key_directory__descriptor, &grpc__reflection__v1alpha__server_reflection_request__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cl_arena *arena;
    ProtobufCMessage *message = NULL;
    struct cl_bytes again;
    if (size == 0) {
        return 0;
    }
    if (arena == NULL) {
        struct cl_status made = cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX);
        assert(cl_is_ok(made));
    }
    cl_arena_reset(arena);
    const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof types / sizeof types[0])];
    struct cl_status status = cl_unpack(&message, arena, type, cl_bytes(data + 1, size - 1));
    if (cl_failed(status)) {
        return 0;
    }
    assert(message->n_unknown_fields == 0);
    status = cl_pack(&again, arena, message);
    if (cl_is_ok(status)) {
        assert(again.len <= size); /* what is not needed is left out */
        status = cl_wirescan(type, again, CL_MESSAGE_BYTES_MAX);
        assert(cl_is_ok(status));
    }
    return 0;
}
