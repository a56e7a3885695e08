/* The tables of channel arguments are the only place where gRPC is configured: nothing is left to a default that a peer
 * can reach. Two values need a word:
 * - minimal_stack stays off although it is faster: it would silently switch off the age, idle, deadline and message
 * size filters.
 * - the server's receive limit lies above ours. Core answers a message past its limit by itself, without details; one
 * that is a little too large reaches us and is refused with MESSAGE_TOO_LARGE, so that an honest sender learns what to
 * mend. */
#include "libcoloan/rpc_core.h"

#include <assert.h>
#include <grpc/compression.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "libcoloan/log.h"

/* -- Library ------------------------------------------------------------------------------------------------- */

enum { LOG_LINES_A_SECOND_MAX = 10 }; /* a peer can cause core to log; it must not fill a disk */

static bool may_log(void)
{
    static _Atomic int64_t second;
    static atomic_int lines;
    int64_t now = cl_monotonic_us() / 1000000;
    if (atomic_exchange(&second, now) != now) {
        atomic_store(&lines, 0);
    }
    return atomic_fetch_add(&lines, 1) < LOG_LINES_A_SECOND_MAX;
}

static void log_without_text(gpr_log_func_args *args)
{
    if (!may_log()) {
        return;
    }
    const char *slash = strrchr(args->file, '/');
    cl_log(CL_LOG_ERROR, "rpc.core", cl_log_text("file", slash == NULL ? args->file : slash + 1),
           cl_log_number("line", args->line));
}

static void set_log_once(void)
{
    gpr_set_log_function(log_without_text);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}

void rpc_library_acquire(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, set_log_once);
    grpc_init();
}

void rpc_library_release(void)
{
    grpc_shutdown();
}

/* -- Channel arguments --------------------------------------------------------------------------------------- */

enum {
    IDENTITY_ONLY = 1 << GRPC_COMPRESS_NONE,
    RECEIVE_SLACK_BYTES = 64 * 1024, /* see above; small beside what a connection may have in flight anyway */
};

const struct cl_rpc_argument *cl_rpc_server_arguments(void)
{
    static const struct cl_rpc_argument table[] = {
        {GRPC_ARG_MINIMAL_STACK, 0},
        {GRPC_ARG_ENABLE_DEADLINE_CHECKS, 1},
        {GRPC_ARG_MAX_CONCURRENT_STREAMS, CL_STREAMS_PER_CONNECTION_MAX},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, CL_MESSAGE_BYTES_MAX + RECEIVE_SLACK_BYTES},
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, CL_MESSAGE_BYTES_MAX},
        {GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, IDENTITY_ONLY},
        {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0}, /* a megabyte can unpack to a gigabyte */
        {GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0},
        {GRPC_ARG_MAX_METADATA_SIZE, CL_METADATA_BYTES_MAX},
        {GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 16384}, /* the least HTTP/2 allows; the gate counts with it */
        {GRPC_ARG_HTTP2_HPACK_TABLE_SIZE_DECODER, 4096},
        {GRPC_ARG_HTTP2_HPACK_TABLE_SIZE_ENCODER, 4096},
        {GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65536},
        {GRPC_ARG_HTTP2_BDP_PROBE, 0}, /* or windows would grow past the line above */
        {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 30000},
        {GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2},       /* 0 would mean any number */
        {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0}, /* keepalive goes on through a silent stream */
        {GRPC_ARG_KEEPALIVE_TIME_MS, 60000},        /* the default of 2 h leaves dead subscribers */
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000},
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0},
        {GRPC_ARG_MAX_CONNECTION_IDLE_MS, 300000},
        {GRPC_ARG_MAX_CONNECTION_AGE_MS, 3600000}, /* a certificate is looked at again each hour */
        {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 30000},
        {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5000},
        {GRPC_ARG_ALLOW_REUSEPORT, 0}, /* or another process could share the port */
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_TCP_TX_ZEROCOPY_ENABLED, 0}, /* corrupts data in this version */
        {NULL, 0},
    };
    return table;
}

const struct cl_rpc_argument *cl_rpc_client_arguments(void)
{
    static const struct cl_rpc_argument table[] = {
        {GRPC_ARG_MINIMAL_STACK, 0},
        {GRPC_ARG_ENABLE_DEADLINE_CHECKS, 1},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, CL_MESSAGE_BYTES_MAX},
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, CL_MESSAGE_BYTES_MAX},
        {GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, IDENTITY_ONLY},
        {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
        {GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0},
        {GRPC_ARG_MAX_METADATA_SIZE, CL_METADATA_BYTES_MAX},
        {GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 16384},
        {GRPC_ARG_HTTP2_HPACK_TABLE_SIZE_DECODER, 4096},
        {GRPC_ARG_HTTP2_HPACK_TABLE_SIZE_ENCODER, 4096},
        {GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65536},
        {GRPC_ARG_HTTP2_BDP_PROBE, 0},
        {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
        {GRPC_ARG_KEEPALIVE_TIME_MS, 60000}, /* twice what the server allows */
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000},
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0},
        {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200},
        {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000}, /* this is the time a connection attempt gets */
        {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000},
        {GRPC_ARG_ENABLE_RETRIES, 0}, /* the session retries: the same bytes, under the same message id */
        {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
        {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
        {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_TCP_TX_ZEROCOPY_ENABLED, 0},
        {NULL, 0},
    };
    return table;
}

static grpc_arg *add(struct rpc_arguments *arguments, const char *name, grpc_arg_type type)
{
    assert(arguments->count < RPC_ARGUMENTS_MAX);
    grpc_arg *argument = &arguments->list[arguments->count++];
    *argument = (grpc_arg){.type = type, .key = cl_unconst(name)};
    return argument;
}

static grpc_arg *find(struct rpc_arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->count; i++) {
        if (strcmp(arguments->list[i].key, name) == 0) {
            return &arguments->list[i];
        }
    }
    return NULL;
}

struct cl_status rpc_arguments_init(struct rpc_arguments *out, const struct cl_rpc_argument *table,
                                    const struct cl_rpc_argument *overrides)
{
    struct rpc_arguments arguments = {.count = 0};
    for (; table->name != NULL; table++) {
        add(&arguments, table->name, GRPC_ARG_INTEGER)->value.integer = table->value;
    }
    for (; overrides != NULL && overrides->name != NULL; overrides++) {
        grpc_arg *argument = find(&arguments, overrides->name);
        if (argument == NULL) {
            return cl_fail(CL_CONFIG_INVALID);
        }
        argument->value.integer = overrides->value;
    }
    *out = arguments;
    return cl_ok();
}

void rpc_arguments_add_text(struct rpc_arguments *arguments, const char *name, const char *value)
{
    add(arguments, name, GRPC_ARG_STRING)->value.string = cl_unconst(value);
}

void rpc_arguments_add_pointer(struct rpc_arguments *arguments, const char *name, void *pointer,
                               const grpc_arg_pointer_vtable *vtable)
{
    grpc_arg *argument = add(arguments, name, GRPC_ARG_POINTER);
    argument->value.pointer.p = pointer;
    argument->value.pointer.vtable = vtable;
}

grpc_channel_args rpc_arguments_view(struct rpc_arguments *arguments)
{
    return (grpc_channel_args){.num_args = arguments->count, .args = arguments->list};
}

/* -- Bytes --------------------------------------------------------------------------------------------------- */

grpc_byte_buffer *rpc_buffer_of(struct cl_bytes bytes)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.len);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

struct cl_status rpc_buffer_bytes(struct cl_bytes *out, grpc_slice *gathered, grpc_byte_buffer *buffer)
{
    *gathered = grpc_empty_slice();
    if (buffer->data.raw.compression != GRPC_COMPRESS_NONE) {
        return cl_fail(CL_MESSAGE_COMPRESSED);
    }
    if (grpc_byte_buffer_length(buffer) > CL_MESSAGE_BYTES_MAX) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    const grpc_slice_buffer *pieces = &buffer->data.raw.slice_buffer;
    if (pieces->count == 1) {
        *out = rpc_slice_bytes(&pieces->slices[0]);
        return cl_ok();
    }
    grpc_byte_buffer_reader reader;
    int readable = grpc_byte_buffer_reader_init(&reader, buffer);
    assert(readable != 0); /* fails only on compressed buffers */
    *gathered = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    *out = rpc_slice_bytes(gathered);
    return cl_ok();
}

/* -- Time ---------------------------------------------------------------------------------------------------- */

int64_t rpc_time_to_ms(gpr_timespec time)
{
    if (gpr_time_cmp(time, gpr_inf_future(time.clock_type)) == 0) {
        return CL_RPC_NO_DEADLINE;
    }
    gpr_timespec monotonic = gpr_convert_clock_type(time, GPR_CLOCK_MONOTONIC);
    return monotonic.tv_sec * 1000 + monotonic.tv_nsec / 1000000;
}

gpr_timespec rpc_time_after(int64_t timeout_ms)
{
    if (timeout_ms == INT64_MAX) {
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    }
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}
