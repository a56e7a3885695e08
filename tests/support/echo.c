#include "tests/support/echo.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcoloan/limits.h"
#include "libcoloan/refusal.h"

atomic_int echo_handled, echo_ended, echo_cancelled, echo_full, echo_taken, echo_busy;
_Atomic(struct cl_rpc_call *) echo_held;
atomic_llong echo_deadline_ms;

static void ended(struct cl_rpc_call *call, bool cancelled, void *user)
{
    (void)call;
    (void)user;
    atomic_fetch_add(&echo_cancelled, cancelled ? 1 : 0);
    atomic_fetch_add(&echo_ended, 1);
}

static void begin(struct cl_rpc_call *call)
{
    atomic_fetch_add(&echo_handled, 1);
    atomic_store(&echo_deadline_ms, cl_rpc_call_deadline_ms(call));
    bool open = cl_rpc_call_on_end(call, ended, NULL);
    assert(open);
}

static void unary(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    begin(call);
    cl_rpc_reply(call, message);
}

/* Work for another thread: which owns the job and a reference to the call. */
struct job {
    struct cl_rpc_call *call;
    size_t len;
    uint8_t bytes[];
};

static void hand_over(struct cl_rpc_call *call, struct cl_bytes message, void *(*run)(void *job))
{
    struct job *job = malloc(sizeof *job + message.len);
    assert(job != NULL);
    *job = (struct job){.call = cl_rpc_call_ref(call), .len = message.len};
    memcpy(job->bytes, message.data, message.len);
    pthread_t thread;
    int created = pthread_create(&thread, NULL, run, job);
    assert(created == 0);
    (void)pthread_detach(thread);
}

static void *answer_later(void *argument)
{
    struct job *job = argument;
    (void)usleep(20000);
    cl_rpc_reply(job->call, cl_bytes(job->bytes, job->len));
    cl_rpc_call_unref(job->call);
    free(job);
    return NULL;
}

static void later(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    begin(call);
    hand_over(call, message, answer_later);
}

static void hold(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)message;
    (void)user;
    atomic_store(&echo_held, cl_rpc_call_ref(call)); /* before anybody can see that it was handled */
    begin(call);
}

static void refuse(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)message;
    (void)user;
    begin(call);
    struct cl_refusal_details details;
    cl_refusal_build(&details,
                     &(struct cl_refusal){.status = cl_fail(CL_OVERLOADED), .retry_after_ms = 2500, .field = "a.b"});
    cl_rpc_finish(call, cl_fail(CL_OVERLOADED), cl_bytes(details.bytes, details.len));
    cl_rpc_finish(call, cl_fail(CL_INTERNAL), cl_bytes(NULL, 0)); /* the first outcome wins */
    cl_rpc_reply(call, cl_bytes_text("too late"));
}

static void large(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    static const uint8_t zeros[CL_MESSAGE_BYTES_MAX + 1];
    (void)message;
    (void)user;
    begin(call);
    cl_rpc_reply(call, cl_bytes(zeros, sizeof zeros));
}

static void whoami(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)message;
    (void)user;
    begin(call);
    char uri[128] = "";
    char small[8];
    struct cl_status status = cl_rpc_call_certificate_uri(uri, sizeof uri, call);
    struct cl_status too_small = cl_rpc_call_certificate_uri(small, sizeof small, call);
    char text[512];
    (void)snprintf(text, sizeof text, "%s %s %s %s", cl_rpc_call_peer(call), cl_status_name(status), uri,
                   cl_status_name(too_small));
    cl_rpc_reply(call, cl_bytes_text(text));
}

static void *count_up(void *argument)
{
    struct job *job = argument;
    int last = atoi((const char *)job->bytes);
    enum cl_rpc_sent sent = CL_RPC_QUEUED;
    for (int i = 0; i < last && sent != CL_RPC_ENDED; i += sent == CL_RPC_QUEUED ? 1 : 0) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        sent = cl_rpc_send(job->call, cl_bytes_text(text));
        if (sent == CL_RPC_FULL) {
            atomic_fetch_add(&echo_full, 1);
            (void)usleep(200);
        }
    }
    cl_rpc_finish(job->call, cl_ok(), cl_bytes(NULL, 0));
    cl_rpc_call_unref(job->call);
    free(job);
    return NULL;
}

static void count(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    begin(call);
    char text[16] = "";
    memcpy(text, message.data, message.len < sizeof text ? message.len : sizeof text - 1);
    hand_over(call, cl_bytes(text, sizeof text), count_up);
}

static void chat(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    if (*cl_rpc_call_state(call) == NULL) {
        *cl_rpc_call_state(call) = &echo_handled;
        begin(call);
    }
    if (message.data == NULL) {
        cl_rpc_finish(call, cl_ok(), cl_bytes(NULL, 0));
        return;
    }
    if (cl_rpc_send(call, message) == CL_RPC_FULL) {
        atomic_fetch_add(&echo_full, 1);
        cl_rpc_finish(call, cl_fail(CL_SLOW_READER), cl_bytes(NULL, 0));
    }
    cl_rpc_next(call);
}

static void *take_later(void *argument)
{
    struct job *job = argument;
    (void)usleep(2000);
    atomic_fetch_add(&echo_taken, (int)job->len);
    atomic_store(&echo_busy, 0);
    cl_rpc_next(job->call);
    cl_rpc_call_unref(job->call);
    free(job);
    return NULL;
}

/* Tells how many bytes came when the peer has sent all; "stop" is answered at once, "here" taken on the poll thread. */
static void sum(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    int busy = atomic_load(&echo_busy);
    assert(busy == 0); /* the next message only when it was asked for */
    if (*cl_rpc_call_state(call) == NULL) {
        *cl_rpc_call_state(call) = &echo_handled;
        begin(call);
    }
    if (message.data == NULL || cl_bytes_equal(message, cl_bytes_text("stop"))) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", atomic_load(&echo_taken));
        cl_rpc_reply(call, cl_bytes_text(text));
        return;
    }
    if (cl_bytes_equal(message, cl_bytes_text("here"))) {
        atomic_fetch_add(&echo_taken, (int)message.len);
        cl_rpc_next(call);
        return;
    }
    atomic_store(&echo_busy, 1);
    hand_over(call, message, take_later);
}

const struct cl_rpc_method echo_methods[ECHO_METHOD_COUNT] = {
    {"/test.Echo/Unary", CL_RPC_UNARY, unary, NULL},         {"/test.Echo/Later", CL_RPC_UNARY, later, NULL},
    {"/test.Echo/Hold", CL_RPC_UNARY, hold, NULL},           {"/test.Echo/Refuse", CL_RPC_UNARY, refuse, NULL},
    {"/test.Echo/Large", CL_RPC_UNARY, large, NULL},         {"/test.Echo/Whoami", CL_RPC_UNARY, whoami, NULL},
    {"/test.Echo/Count", CL_RPC_SERVER_STREAM, count, NULL}, {"/test.Echo/Chat", CL_RPC_BIDI, chat, NULL},
    {"/test.Echo/Sum", CL_RPC_CLIENT_STREAM, sum, NULL},
};

void echo_reset(void)
{
    echo_release_held();
    atomic_store(&echo_handled, 0);
    atomic_store(&echo_ended, 0);
    atomic_store(&echo_cancelled, 0);
    atomic_store(&echo_full, 0);
    atomic_store(&echo_taken, 0);
    atomic_store(&echo_busy, 0);
}

void echo_release_held(void)
{
    struct cl_rpc_call *call = atomic_exchange(&echo_held, NULL);
    if (call != NULL) {
        cl_rpc_call_unref(call);
    }
}

bool echo_wait(const atomic_int *counter, int value)
{
    for (int i = 0; i < 5000 && atomic_load(counter) < value; i++) {
        (void)usleep(1000);
    }
    return atomic_load(counter) >= value;
}

struct cl_rpc_server_options echo_options(void)
{
    return (struct cl_rpc_server_options){
        .methods = echo_methods,
        .method_count = ECHO_METHOD_COUNT,
        .poll_thread_count = 2,
        .accept_count = 4,
        .send_queue_max = CL_SEND_QUEUE_MAX,
    };
}

struct cl_rpc_client *echo_client(const struct pki *pki, uint16_t port)
{
    char target[32];
    struct cl_rpc_client *client = NULL;
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", port);
    struct cl_status status = cl_rpc_client_create(
        &client, &(struct cl_rpc_client_options){
                     .target = target, .ca_pem = pki->ca, .cert_pem = pki->client_cert, .key_pem = pki->client_key});
    assert(cl_is_ok(status));
    return client;
}

void echo_start(struct echo *out, const struct pki *pki, const struct cl_rpc_server_options *options)
{
    *out = (struct echo){.server = NULL};
    echo_reset();
    struct cl_status status = cl_rpc_server_create(&out->server, options);
    assert(cl_is_ok(status));
    status = cl_rpc_server_listen_tls(
        out->server,
        &(struct cl_rpc_listen){
            .address = "127.0.0.1:0", .ca_pem = pki->ca, .cert_pem = pki->server_cert, .key_pem = pki->server_key},
        &out->port);
    assert(cl_is_ok(status));
    status = cl_rpc_server_start(out->server);
    assert(cl_is_ok(status));
    out->client = echo_client(pki, out->port);
}

void echo_stop(struct echo *echo)
{
    cl_rpc_client_free(echo->client);
    cl_rpc_server_stop(echo->server, 0);
    echo_release_held();
    cl_rpc_server_free(echo->server);
}
