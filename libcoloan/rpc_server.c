/* A server: completion queues with a thread each, and slots in which core delivers calls.
 *
 * Slots. For each queue and method `accept_count` slots are posted, and as many for paths that nobody registered: core
 * would leave a call to an unknown method waiting for its deadline. A slot is posted again before its call is handled.
 *
 * Stopping, in the one order that cannot abort: no slot is posted again; core's shutdown refuses new calls and says
 * GOAWAY; open calls get their grace; the rest is cancelled; core says that all connections are gone; the last tag
 * lands, because the word of the shutdown can overtake a call that still sits in a queue; only then the queues are shut
 * down, drained and joined. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "libcoloan/rpc_call.h"

enum {
    POLL_THREADS_MAX = 64,
    /* For all connections together. Core only refuses connections under pressure with it; what bounds memory is the
       gate. */
    MEMORY_BYTES_MAX = 512 * 1024 * 1024,
    CORE_THREADS_MAX = 64,
};

struct served_method {
    struct cl_rpc_method method; /* `path` is ours */
    void *registered;            /* core's handle; NULL: the slots of unknown paths */
};

struct poller {
    struct cl_rpc_server *server;
    grpc_completion_queue *queue;
    pthread_t thread;
    bool running;
};

/* A place where core puts one call. Core writes `core` to `payload` until the tag is done. */
struct slot {
    struct rpc_tag tag;
    struct poller *poller;
    const struct served_method *served;
    grpc_call *core;
    gpr_timespec deadline;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
};

enum state { CREATED, RUNNING, STOPPING, STOPPED };

struct cl_rpc_server {
    grpc_server *core;
    grpc_resource_quota *quota;
    struct served_method *methods; /* method_count of them, then the one of unknown paths */
    size_t method_count;
    struct poller *pollers;
    size_t poller_count;
    struct slot *slots;
    size_t slot_count;
    unsigned accept_count, send_queue_max;
    struct rpc_flight flight;
    struct rpc_tag notify_tag;
    atomic_bool stopping; /* post no slot again */

    pthread_mutex_t
        mutex; /* guards what follows; adopt holds it while core takes the socket, so that stop cannot overtake */
    pthread_cond_t notified_changed;
    enum state state;
    bool notified;
};

/* -- Slots --------------------------------------------------------------------------------------------------- */

static void post(struct slot *slot)
{
    struct cl_rpc_server *server = slot->poller->server;
    grpc_completion_queue *queue = slot->poller->queue;
    const struct served_method *served = slot->served;
    bool reads = rpc_has_one_request(served->method.shape);
    slot->payload = NULL;
    slot->metadata.count = 0;
    rpc_flight_enter(&server->flight);
    grpc_call_error error;
    if (served->registered == NULL) {
        error = grpc_server_request_call(server->core, &slot->core, &slot->details, &slot->metadata, queue, queue,
                                         &slot->tag);
    } else {
        error = grpc_server_request_registered_call(server->core, served->registered, &slot->core, &slot->deadline,
                                                    &slot->metadata, reads ? &slot->payload : NULL, queue, queue,
                                                    &slot->tag);
    }
    assert(error == GRPC_CALL_OK); /* after core's shutdown it is OK too, and the tag comes back failed */
}

static void slot_done(struct rpc_tag *tag, bool ok)
{
    struct slot *slot = tag->owner;
    struct cl_rpc_server *server = slot->poller->server;
    if (!ok) {
        return; /* the server stops */
    }
    struct rpc_arrival arrival = {
        .core = slot->core,
        .payload = slot->payload,
        .deadline = slot->deadline,
        .method = slot->served->registered == NULL ? NULL : &slot->served->method,
        .flight = &server->flight,
        .send_queue_max = server->send_queue_max,
    };
    if (slot->served->registered == NULL) {
        arrival.deadline = slot->details.deadline;
        grpc_call_details_destroy(&slot->details);
        grpc_call_details_init(&slot->details);
    }
    if (!atomic_load(&server->stopping)) {
        post(slot);
    }
    rpc_call_arrived(&arrival);
}

static struct cl_status create_slots(struct cl_rpc_server *server)
{
    server->slots =
        calloc(server->poller_count * (server->method_count + 1) * server->accept_count, sizeof server->slots[0]);
    if (server->slots == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t p = 0; p < server->poller_count; p++) {
        for (size_t m = 0; m <= server->method_count; m++) {
            for (unsigned i = 0; i < server->accept_count; i++) {
                struct slot *slot = &server->slots[server->slot_count++];
                slot->tag = (struct rpc_tag){.done = slot_done, .owner = slot};
                slot->poller = &server->pollers[p];
                slot->served = &server->methods[m];
                grpc_call_details_init(&slot->details);
                grpc_metadata_array_init(&slot->metadata);
            }
        }
    }
    return cl_ok();
}

static void free_slots(struct cl_rpc_server *server)
{
    for (size_t i = 0; i < server->slot_count; i++) {
        grpc_call_details_destroy(&server->slots[i].details);
        grpc_metadata_array_destroy(&server->slots[i].metadata);
    }
    free(server->slots);
}

/* -- Pollers ------------------------------------------------------------------------------------------------- */

static void *poll_queue(void *argument)
{
    struct poller *poller = argument;
    for (;;) {
        grpc_event event = grpc_completion_queue_next(poller->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            return NULL;
        }
        struct rpc_tag *tag = event.tag;
        tag->done(tag, event.success != 0);
        rpc_flight_leave(&poller->server->flight);
    }
}

static struct cl_status create_pollers(struct cl_rpc_server *server, size_t count)
{
    server->pollers = calloc(count, sizeof server->pollers[0]);
    if (server->pollers == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (; server->poller_count < count; server->poller_count++) {
        struct poller *poller = &server->pollers[server->poller_count];
        poller->server = server;
        poller->queue = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(server->core, poller->queue, NULL);
    }
    return cl_ok();
}

static void shut_down_queues(struct cl_rpc_server *server)
{
    for (size_t i = 0; i < server->poller_count; i++) {
        grpc_completion_queue_shutdown(server->pollers[i].queue);
    }
    for (size_t i = 0; i < server->poller_count; i++) {
        struct poller *poller = &server->pollers[i];
        if (poller->running) {
            (void)pthread_join(poller->thread, NULL);
        } else {
            (void)poll_queue(poller);
        }
        poller->running = false;
    }
}

/* -- Creation ------------------------------------------------------------------------------------------------ */

static bool path_is_well_formed(const char *path)
{
    const char *slash = path[0] == '/' ? strchr(path + 1, '/') : NULL;
    return slash != NULL && slash != path + 1 && slash[1] != '\0' && strchr(slash + 1, '/') == NULL;
}

static struct cl_status register_method(struct cl_rpc_server *server, const struct cl_rpc_method *method)
{
    struct served_method *served = &server->methods[server->method_count];
    if (!path_is_well_formed(method->path)) {
        return cl_fail(CL_METHOD_UNKNOWN);
    }
    bool reads = rpc_has_one_request(method->shape);
    served->method = *method;
    served->method.path = strdup(method->path);
    if (served->method.path == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    server->method_count++;
    served->registered =
        grpc_server_register_method(server->core, served->method.path, NULL,
                                    reads ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER : GRPC_SRM_PAYLOAD_NONE, 0);
    return served->registered == NULL ? cl_fail(CL_METHOD_UNKNOWN) : cl_ok();
}

static struct cl_status register_methods(struct cl_rpc_server *server, const struct cl_rpc_server_options *options)
{
    server->methods = calloc(options->method_count + 1, sizeof server->methods[0]);
    if (server->methods == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < options->method_count; i++) {
        struct cl_status status = register_method(server, &options->methods[i]);
        if (cl_failed(status)) {
            return status;
        }
    }
    server->methods[server->method_count] = (struct served_method){.method = {.shape = CL_RPC_BIDI}};
    return cl_ok();
}

static struct cl_status create_core(struct cl_rpc_server *server, const struct cl_rpc_argument *overrides)
{
    struct rpc_arguments arguments;
    struct cl_status status = rpc_arguments_init(&arguments, cl_rpc_server_arguments(), overrides);
    if (cl_failed(status)) {
        return status;
    }
    server->quota = grpc_resource_quota_create("coloan");
    grpc_resource_quota_resize(server->quota, MEMORY_BYTES_MAX);
    grpc_resource_quota_set_max_threads(server->quota, CORE_THREADS_MAX);
    rpc_arguments_add_pointer(&arguments, GRPC_ARG_RESOURCE_QUOTA, server->quota, grpc_resource_quota_arg_vtable());
    grpc_channel_args view = rpc_arguments_view(&arguments);
    server->core = grpc_server_create(&view, NULL);
    return cl_ok();
}

static void notified(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    struct cl_rpc_server *server = tag->owner;
    (void)pthread_mutex_lock(&server->mutex);
    server->notified = true;
    (void)pthread_cond_broadcast(&server->notified_changed);
    (void)pthread_mutex_unlock(&server->mutex);
}

static void init_locks(struct cl_rpc_server *server)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&server->notified_changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&server->mutex, NULL);
    rpc_flight_init(&server->flight);
}

struct cl_status cl_rpc_server_create(struct cl_rpc_server **out, const struct cl_rpc_server_options *options)
{
    assert(options->poll_thread_count > 0 && options->poll_thread_count <= POLL_THREADS_MAX);
    assert(options->accept_count > 0);
    assert(options->send_queue_max > 0);
    struct cl_rpc_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    rpc_library_acquire();
    init_locks(server);
    server->accept_count = options->accept_count;
    server->send_queue_max = options->send_queue_max;
    server->notify_tag = (struct rpc_tag){.done = notified, .owner = server};
    struct cl_status status = create_core(server, options->arguments);
    if (cl_is_ok(status)) {
        status = register_methods(server, options);
    }
    if (cl_is_ok(status)) {
        status = create_pollers(server, options->poll_thread_count);
    }
    if (cl_is_ok(status)) {
        status = create_slots(server);
    }
    if (cl_failed(status)) {
        cl_rpc_server_free(server);
        return status;
    }
    *out = server;
    return cl_ok();
}

/* -- Listening and adopting ---------------------------------------------------------------------------------- */

struct cl_status cl_rpc_server_listen_tls(struct cl_rpc_server *server, const struct cl_rpc_listen *listen,
                                          uint16_t *port_out)
{
    assert(server->state == CREATED);
    grpc_ssl_pem_key_cert_pair pair = {.private_key = listen->key_pem, .cert_chain = listen->cert_pem};
    grpc_server_credentials *credentials = grpc_ssl_server_credentials_create_ex(
        listen->ca_pem, &pair, 1, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, NULL);
    if (credentials == NULL) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    int port = grpc_server_add_http2_port(server->core, listen->address, credentials);
    grpc_server_credentials_release(credentials);
    if (port <= 0 || port > UINT16_MAX) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    *port_out = (uint16_t)port;
    return cl_ok();
}

static bool is_stream_socket(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

struct cl_status cl_rpc_server_adopt(struct cl_rpc_server *server, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || !is_stream_socket(fd) || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        (void)close(fd);
        return cl_fail(CL_SYSTEM);
    }
    grpc_server_credentials *clear = grpc_insecure_server_credentials_create(); /* the only kind core takes here */
    (void)pthread_mutex_lock(&server->mutex);
    bool running = server->state == RUNNING;
    if (running) {
        grpc_server_add_channel_from_fd(server->core, fd, clear);
    }
    (void)pthread_mutex_unlock(&server->mutex);
    grpc_server_credentials_release(clear);
    if (!running) {
        (void)close(fd);
        return cl_fail(CL_SHUTTING_DOWN);
    }
    return cl_ok();
}

/* -- Start and stop ------------------------------------------------------------------------------------------ */

struct cl_status cl_rpc_server_start(struct cl_rpc_server *server)
{
    assert(server->state == CREATED);
    for (size_t i = 0; i < server->poller_count; i++) {
        struct poller *poller = &server->pollers[i];
        poller->running = pthread_create(&poller->thread, NULL, poll_queue, poller) == 0;
        if (!poller->running) {
            return cl_fail(CL_SYSTEM); /* free joins the others */
        }
        char name[16]; /* the kernel's limit */
        (void)snprintf(name, sizeof name, "poll-%u", (unsigned)i);
        (void)pthread_setname_np(poller->thread, name);
    }
    grpc_server_start(server->core);
    (void)pthread_mutex_lock(&server->mutex);
    server->state = RUNNING;
    (void)pthread_mutex_unlock(&server->mutex);
    for (size_t i = 0; i < server->slot_count; i++) {
        post(&server->slots[i]);
    }
    return cl_ok();
}

/* True when core said within grace_ms that all connections are gone. */
static bool wait_notified(struct cl_rpc_server *server, uint32_t grace_ms)
{
    struct timespec until = cl_monotonic_after(grace_ms);
    int waited = 0;
    (void)pthread_mutex_lock(&server->mutex);
    while (!server->notified && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&server->notified_changed, &server->mutex, &until);
    }
    bool notified = server->notified;
    (void)pthread_mutex_unlock(&server->mutex);
    return notified;
}

static enum state begin_stop(struct cl_rpc_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    enum state before = server->state;
    if (before == CREATED || before == RUNNING) {
        server->state = STOPPING;
        atomic_store(&server->stopping, true);
    }
    (void)pthread_mutex_unlock(&server->mutex);
    return before;
}

void cl_rpc_server_stop(struct cl_rpc_server *server, uint32_t grace_ms)
{
    enum state before = begin_stop(server);
    if (before == STOPPED || server->poller_count == 0) {
        return;
    }
    assert(before != STOPPING); /* one thread drives a server */
    rpc_flight_enter(&server->flight);
    grpc_server_shutdown_and_notify(server->core, server->pollers[0].queue, &server->notify_tag);
    if (before == RUNNING) {
        bool done = wait_notified(server, grace_ms);
        if (!done) {
            grpc_server_cancel_all_calls(server->core);
        }
        rpc_flight_wait(&server->flight); /* the notify tag among them */
    }
    shut_down_queues(server);
    (void)pthread_mutex_lock(&server->mutex);
    server->state = STOPPED;
    (void)pthread_mutex_unlock(&server->mutex);
}

static void destroy_core(struct cl_rpc_server *server)
{
    if (server->core != NULL) {
        grpc_server_destroy(server->core);
    }
    for (size_t i = 0; i < server->poller_count; i++) {
        grpc_completion_queue_destroy(server->pollers[i].queue);
    }
    if (server->quota != NULL) {
        grpc_resource_quota_unref(server->quota);
    }
}

static void free_methods(struct cl_rpc_server *server)
{
    for (size_t i = 0; i < server->method_count; i++) {
        union {
            const char *in;
            char *out;
        } path = {.in = server->methods[i].method.path};
        free(path.out);
    }
    free(server->methods);
}

void cl_rpc_server_free(struct cl_rpc_server *server)
{
    if (server == NULL) {
        return;
    }
    cl_rpc_server_stop(server, 0);
    destroy_core(server);
    rpc_library_release();
    free_slots(server);
    free(server->pollers);
    free_methods(server);
    rpc_flight_close(&server->flight);
    (void)pthread_cond_destroy(&server->notified_changed);
    (void)pthread_mutex_destroy(&server->mutex);
    free(server);
}
