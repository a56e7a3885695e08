#include "server/api/reflection.h"

#include <grpc/reflection/v1alpha/reflection.pb-c.h>

#include "libcoloan/arena.h"
#include "libcoloan/limits.h"
#include "libcoloan/wirescan.h"

typedef Grpc__Reflection__V1alpha__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1alpha__ServerReflectionResponse response_message;

#define ASKED(what)   GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define ANSWERS(what) GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

/* A request of at most this many bytes, and an answer with one file and the request in it. */
#define REFLECTION_REQUEST_BYTES_MAX ((size_t)4096)
#define REFLECTION_ARENA_BYTES_MAX   ((size_t)256 * 1024)

/* An answer while it is made: what the response points to. */
struct making {
    response_message response;
    Grpc__Reflection__V1alpha__FileDescriptorResponse file;
    ProtobufCBinaryData file_bytes;
    Grpc__Reflection__V1alpha__ListServiceResponse list;
    Grpc__Reflection__V1alpha__ServiceResponse services[CONTRACT_SERVICES_MAX];
    Grpc__Reflection__V1alpha__ServiceResponse *service_list[CONTRACT_SERVICES_MAX];
    Grpc__Reflection__V1alpha__ErrorResponse error;
};

static void answer_error(struct making *making, struct cl_arena *arena, enum cl_grpc_code code, const char *text)
{
    grpc__reflection__v1alpha__error_response__init(&making->error);
    making->error.error_code = (int32_t)code;
    making->error.error_message = cl_arena_text(arena, text);
    making->response.message_response_case = ANSWERS(ERROR_RESPONSE);
    making->response.error_response = &making->error;
}

static void answer_file(struct making *making, struct cl_arena *arena, const struct contract_file *file)
{
    if (file == NULL) {
        answer_error(making, arena, CL_GRPC_NOT_FOUND, "This server's contract has no such file or name.");
        return;
    }
    grpc__reflection__v1alpha__file_descriptor_response__init(&making->file);
    making->file_bytes.data = cl_arena_copy(arena, file->bytes);
    making->file_bytes.len = making->file_bytes.data == NULL ? 0 : file->bytes.len;
    making->file.file_descriptor_proto = &making->file_bytes;
    making->file.n_file_descriptor_proto = 1;
    making->response.message_response_case = ANSWERS(FILE_DESCRIPTOR_RESPONSE);
    making->response.file_descriptor_response = &making->file;
}

static void answer_services(struct making *making, struct cl_arena *arena, const struct contract *contract)
{
    grpc__reflection__v1alpha__list_service_response__init(&making->list);
    for (size_t i = 0; i < contract->service_count; i++) {
        grpc__reflection__v1alpha__service_response__init(&making->services[i]);
        making->services[i].name = cl_arena_text(arena, contract->services[i]);
        making->service_list[i] = &making->services[i];
    }
    making->list.service = making->service_list;
    making->list.n_service = contract->service_count;
    making->response.message_response_case = ANSWERS(LIST_SERVICES_RESPONSE);
    making->response.list_services_response = &making->list;
}

static void answer(struct making *making, struct cl_arena *arena, const struct contract *contract,
                   request_message *request)
{
    grpc__reflection__v1alpha__server_reflection_response__init(&making->response);
    making->response.valid_host = request->host;
    making->response.original_request = request;
    switch (request->message_request_case) {
    case ASKED(FILE_BY_FILENAME):
        answer_file(making, arena, contract_file(contract, request->file_by_filename));
        return;
    case ASKED(FILE_CONTAINING_SYMBOL):
        answer_file(making, arena, contract_file_of_symbol(contract, request->file_containing_symbol));
        return;
    case ASKED(LIST_SERVICES):
        answer_services(making, arena, contract);
        return;
    case ASKED(FILE_CONTAINING_EXTENSION):
    case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
        answer_error(making, arena, CL_GRPC_UNIMPLEMENTED, "This server's contract has no extensions.");
        return;
    case ASKED(_NOT_SET):
    default:
        answer_error(making, arena, CL_GRPC_INVALID_ARGUMENT, "The request asks for nothing.");
        return;
    }
}

/* Asks and answers once, on the call. */
static struct cl_status respond(const struct reflection *reflection, struct cl_arena *arena, struct cl_rpc_call *call,
                                struct cl_bytes message)
{
    if (message.len > REFLECTION_REQUEST_BYTES_MAX) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    ProtobufCMessage *request = NULL;
    struct cl_status status =
        cl_unpack(&request, arena, &grpc__reflection__v1alpha__server_reflection_request__descriptor, message);
    if (cl_failed(status)) {
        return status;
    }
    struct making *making = cl_arena_alloc(arena, sizeof *making);
    if (making == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    answer(making, arena, reflection->contract, (request_message *)request);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_bytes packed;
    status = cl_pack(&packed, arena, &making->response.base);
    if (cl_failed(status)) {
        return status;
    }
    /* FULL: whoever does not read its answers asks too much. */
    return cl_rpc_send(call, packed) == CL_RPC_FULL ? cl_fail(CL_SLOW_READER) : cl_ok();
}

void reflection_info(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    const struct reflection *reflection = user;
    if (message.data == NULL) {
        cl_rpc_finish(call, cl_ok(), cl_bytes(NULL, 0));
        return;
    }
    char sender[CL_PARTY_BYTES_MAX + 1];
    struct cl_arena *arena = NULL;
    struct cl_status status = api_identify(sender, reflection->pipeline, cl_rpc_call_peer(call));
    if (cl_is_ok(status)) {
        status = cl_arena_create(&arena, REFLECTION_ARENA_BYTES_MAX);
    }
    if (cl_is_ok(status)) {
        status = respond(reflection, arena, call, message);
    }
    cl_arena_free(arena);
    if (cl_failed(status)) {
        cl_rpc_finish(call, status, cl_bytes(NULL, 0));
    }
    cl_rpc_next(call);
}
