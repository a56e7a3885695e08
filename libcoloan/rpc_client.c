/* The calling side. A call has a pluck queue of its own and the thread that makes it waits there: the simplest thing
 * that is right. A channel keeps one connection for all of a client's calls. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/certificate.h"
#include "libcoloan/limits.h"
#include "libcoloan/refusal.h"
#include "libcoloan/rpc_client.h"

struct cl_rpc_client {
    grpc_channel *channel;
};

/* -- Client -------------------------------------------------------------------------------------------------- */

static grpc_channel *create_channel(const struct cl_rpc_client_options *options, grpc_channel_credentials *credentials)
{
    struct rpc_arguments arguments;
    struct cl_status status = rpc_arguments_init(&arguments, cl_rpc_client_arguments(), NULL);
    assert(cl_is_ok(status)); /* fails on overrides only */
    if (options->server_name != NULL) {
        rpc_arguments_add_text(&arguments, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, options->server_name);
    }
    rpc_arguments_add_text(&arguments, GRPC_ARG_DEFAULT_AUTHORITY,
                           options->server_name != NULL ? options->server_name : options->target);
    grpc_channel_args view = rpc_arguments_view(&arguments);
    return grpc_channel_create(options->target, credentials, &view);
}

/* Core would find out at the first call, and say that the peer cannot be reached. */
static bool is_pem(const char *text)
{
    return text != NULL && strstr(text, "-----BEGIN ") != NULL;
}

/* Runs in the handshake, before anything is sent: a certificate of the scheme is not enough, it has to be the one party's
 * that we mean to talk to. */
static int names_party(const char *target_name, const char *peer_pem, void *party)
{
    (void)target_name;
    return cl_certificate_names(peer_pem, party) ? 0 : 1;
}

struct cl_status cl_rpc_client_create(struct cl_rpc_client **out, const struct cl_rpc_client_options *options)
{
    if (!is_pem(options->ca_pem) || !is_pem(options->cert_pem) || !is_pem(options->key_pem)) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    struct cl_rpc_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    rpc_library_acquire();
    grpc_ssl_pem_key_cert_pair pair = {.private_key = options->key_pem, .cert_chain = options->cert_pem};
    grpc_ssl_verify_peer_options verify = {.verify_peer_callback = names_party, .verify_peer_destruct = free};
    if (options->server_party != NULL) {
        verify.verify_peer_callback_userdata = strdup(options->server_party);
        if (verify.verify_peer_callback_userdata == NULL) {
            cl_rpc_client_free(client);
            return cl_fail(CL_MEMORY_LIMIT);
        }
    }
    grpc_channel_credentials *credentials =
        grpc_ssl_credentials_create_ex(options->ca_pem, &pair, options->server_party == NULL ? NULL : &verify, NULL);
    if (credentials != NULL) {
        client->channel = create_channel(options, credentials);
        grpc_channel_credentials_release(credentials);
    }
    if (client->channel == NULL) {
        cl_rpc_client_free(client);
        /* cppcheck-suppress memleak ; the credentials took the party's name and free it */
        return cl_fail(CL_CONFIG_INVALID);
    }
    *out = client;
    return cl_ok();
}

void cl_rpc_client_free(struct cl_rpc_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->channel != NULL) {
        grpc_channel_destroy(client->channel);
    }
    rpc_library_release();
    free(client);
}

/* -- Calls --------------------------------------------------------------------------------------------------- */

void rpc_client_call_open(struct rpc_client_call *out, struct cl_rpc_client *client, const char *path,
                          int64_t timeout_ms)
{
    *out = (struct rpc_client_call){.queue = grpc_completion_queue_create_for_pluck(NULL)};
    grpc_slice method = grpc_slice_from_copied_string(path);
    out->core = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, out->queue, method, NULL,
                                         rpc_time_after(timeout_ms), NULL);
    grpc_slice_unref(method);
    grpc_metadata_array_init(&out->initial);
    grpc_metadata_array_init(&out->trailing);
    out->status_text = grpc_empty_slice();
}

void rpc_client_call_close(struct rpc_client_call *call)
{
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->status_text);
    grpc_call_unref(call->core);
    grpc_completion_queue_shutdown(call->queue);
    gpr_timespec never = gpr_inf_future(GPR_CLOCK_REALTIME);
    while (grpc_completion_queue_pluck(call->queue, NULL, never, NULL).type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(call->queue);
}

grpc_op rpc_client_status_op(struct rpc_client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &call->trailing;
    op.data.recv_status_on_client.status = &call->status;
    op.data.recv_status_on_client.status_details = &call->status_text;
    return op;
}

static bool copy_bytes(struct cl_rpc_buffer *out, struct cl_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len + 1); /* never zero, so that an empty message has data */
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, bytes.data, bytes.len);
    *out = (struct cl_rpc_buffer){.data = copy, .len = bytes.len};
    return true;
}

struct cl_status rpc_client_message(struct cl_rpc_buffer *out, grpc_byte_buffer *buffer)
{
    struct cl_bytes bytes;
    grpc_slice gathered;
    struct cl_status status = rpc_buffer_bytes(&bytes, &gathered, buffer);
    if (cl_failed(status)) {
        return status;
    }
    status = copy_bytes(out, bytes) ? cl_ok() : cl_fail(CL_MEMORY_LIMIT);
    grpc_slice_unref(gathered);
    return status;
}

/* The bytes of the details trailer; empty when there are none or too many. */
static struct cl_bytes find_details(const grpc_metadata_array *trailing)
{
    for (size_t i = 0; i < trailing->count; i++) {
        const grpc_slice *value = &trailing->metadata[i].value;
        if (grpc_slice_str_cmp(trailing->metadata[i].key, RPC_DETAILS_KEY) == 0) {
            struct cl_bytes bytes = rpc_slice_bytes(value);
            return bytes.len <= CL_REFUSAL_DETAILS_BYTES_MAX ? bytes : cl_bytes(NULL, 0);
        }
    }
    return cl_bytes(NULL, 0);
}

/* What it means when a call failed and nobody said why: our own servers always do, so it is the way there, or another's
 * server. */
static struct cl_status unexplained(enum cl_grpc_code code)
{
    static const struct {
        enum cl_grpc_code code;
        enum cl_reason reason;
    } rows[] = {
        {CL_GRPC_CANCELLED, CL_CALL_CANCELLED},
        {CL_GRPC_DEADLINE_EXCEEDED, CL_DEADLINE_EXCEEDED},
        {CL_GRPC_UNAVAILABLE, CL_PEER_UNREACHABLE},
        {CL_GRPC_UNIMPLEMENTED, CL_METHOD_UNKNOWN},
        {CL_GRPC_RESOURCE_EXHAUSTED, CL_MESSAGE_TOO_LARGE}, /* core's limit, theirs or ours */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code) {
            return cl_fail(rows[i].reason);
        }
    }
    return cl_fail(CL_PEER_ANSWER_INVALID);
}

struct cl_status rpc_client_outcome(struct cl_rpc_result *out, const struct rpc_client_call *call)
{
    out->code = (enum cl_grpc_code)call->status;
    if (out->code == CL_GRPC_OK) {
        return cl_ok();
    }
    struct cl_bytes details = find_details(&call->trailing);
    if (details.len == 0) {
        return unexplained(out->code);
    }
    return copy_bytes(&out->details, details) ? cl_ok() : cl_fail(CL_MEMORY_LIMIT);
}

void cl_rpc_result_free(struct cl_rpc_result *result)
{
    free(result->message.data);
    free(result->details.data);
    *result = (struct cl_rpc_result){.code = result->code};
}

/* -- Unary --------------------------------------------------------------------------------------------------- */

/* Sends the request and waits for everything: one batch, whose tag comes back when the status did. */
static void exchange(struct rpc_client_call *call, grpc_byte_buffer *request, grpc_byte_buffer **reply)
{
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_SEND_MESSAGE}, {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA}, {.op = GRPC_OP_RECV_MESSAGE},
    };
    ops[1].data.send_message.send_message = request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    ops[4].data.recv_message.recv_message = reply;
    ops[5] = rpc_client_status_op(call);
    grpc_call_error error = grpc_call_start_batch(call->core, ops, 6, call, NULL);
    assert(error == GRPC_CALL_OK);
    grpc_event event =
        grpc_completion_queue_pluck(call->queue, call, gpr_inf_future(GPR_CLOCK_REALTIME), NULL); /* ends by deadline */
    assert(event.type == GRPC_OP_COMPLETE);
}

static struct cl_status conclude(struct cl_rpc_result *out, const struct rpc_client_call *call, grpc_byte_buffer *reply)
{
    struct cl_status status = rpc_client_outcome(out, call);
    if (cl_failed(status) || out->code != CL_GRPC_OK) {
        return status;
    }
    if (reply == NULL) {
        return cl_fail(CL_PEER_ANSWER_INVALID);
    }
    return rpc_client_message(&out->message, reply);
}

struct cl_status cl_rpc_client_call(struct cl_rpc_client *client, const char *path, struct cl_bytes request,
                                    int64_t timeout_ms, struct cl_rpc_result *out)
{
    *out = (struct cl_rpc_result){.code = CL_GRPC_RESOURCE_EXHAUSTED};
    if (request.len > CL_MESSAGE_BYTES_MAX) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    struct rpc_client_call call;
    grpc_byte_buffer *reply = NULL;
    grpc_byte_buffer *buffer = rpc_buffer_of(request);
    rpc_client_call_open(&call, client, path, timeout_ms);
    exchange(&call, buffer, &reply);
    struct cl_status status = conclude(out, &call, reply);
    grpc_byte_buffer_destroy(buffer);
    grpc_byte_buffer_destroy(reply);
    rpc_client_call_close(&call);
    return status;
}
