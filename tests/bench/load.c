#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcoloan/clock.h"

enum {
    TIMES_MAX = 4 * 1024 * 1024,
    FIELDS = 7,
    PREFIX_BYTES = 5, /* of a gRPC message: not compressed, and its length */
    KEPT_BYTES_MAX = 256 * 1024,
    EVENTS_MAX = 256,
    LATE_MS_MAX = 2000, /* for the last answers */
};

struct connection;

struct call {
    struct connection *connection;
    size_t request;
    int64_t began_us;
    uint8_t prefix[PREFIX_BYTES];
    size_t sent, received;
    uint8_t *kept; /* NULL: its reply is only counted */
    bool busy, ok;
};

struct connection {
    struct load *load;
    int fd;
    SSL *ssl;
    nghttp2_session *session;
    struct call *calls; /* LOAD_STREAMS_MAX, made with the first call */
    unsigned open;
};

struct load {
    SSL_CTX *context;
    int epoll_fd;
    unsigned count;
    struct connection *connections;

    /* of the run */
    const struct load_plan *plan;
    struct load_result result;
    int64_t started_us, end_us, last_us;
    uint64_t started;
    unsigned turn;
    uint32_t *times_us;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "load: %s\n", what);
    exit(1);
}

/* -- Calls ---------------------------------------------------------------------------------------------------- */

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *out, size_t room, uint32_t *flags,
                            nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)stream;
    const struct load *load = ((struct connection *)user)->load;
    struct call *call = source->ptr;
    struct cl_bytes message = load->plan->requests[call->request];
    size_t len = 0;
    while (len < room && call->sent < PREFIX_BYTES) {
        out[len++] = call->prefix[call->sent++];
    }
    size_t left = PREFIX_BYTES + message.len - call->sent;
    size_t part = left < room - len ? left : room - len;
    memcpy(out + len, message.data + (call->sent - PREFIX_BYTES), part);
    call->sent += part;
    if (call->sent == PREFIX_BYTES + message.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)(len + part);
}

static nghttp2_nv field(const char *name, const char *value)
{
    union {
        const char *in;
        uint8_t *out;
    } name_cast = {.in = name}, value_cast = {.in = value}; /* nghttp2 writes to neither */
    return (nghttp2_nv){.name = name_cast.out,
                        .value = value_cast.out,
                        .namelen = strlen(name),
                        .valuelen = strlen(value),
                        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static struct call *free_call(struct connection *connection)
{
    if (connection->calls == NULL) {
        connection->calls = calloc(LOAD_STREAMS_MAX, sizeof connection->calls[0]);
        assert(connection->calls != NULL);
    }
    struct call *call = connection->calls;
    while (call->busy) {
        call++;
    }
    return call;
}

static void start_call(struct connection *connection, int64_t planned_us)
{
    struct load *load = connection->load;
    const struct load_plan *plan = load->plan;
    const nghttp2_nv fields[FIELDS] = {field(":method", "POST"),    field(":scheme", "https"),
                                       field(":path", plan->path),  field(":authority", "localhost"),
                                       field("te", "trailers"),     field("content-type", "application/grpc"),
                                       field("grpc-timeout", "20S")};
    struct call *call = free_call(connection);
    size_t request = (size_t)(load->started++ % plan->request_count);
    size_t len = plan->requests[request].len;
    bool keep = plan->keep_every > 0 && request % plan->keep_every == 0;
    *call = (struct call){
        .connection = connection,
        .request = request,
        .began_us = planned_us,
        .prefix = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len},
        .kept = keep ? malloc(KEPT_BYTES_MAX) : NULL,
        .busy = true,
    };
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_request};
    if (nghttp2_submit_request(connection->session, NULL, fields, FIELDS, &provider, call) < 0) {
        die("a request cannot be made");
    }
    connection->open++;
}

/* False when the time or the requests are over. */
static bool goes_on(const struct load *load, int64_t now_us)
{
    return now_us < load->end_us && (load->plan->again || load->started < load->plan->request_count);
}

/* -- Answers -------------------------------------------------------------------------------------------------- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    (void)flags;
    (void)user;
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (call != NULL && name_len == 11 && memcmp(name, "grpc-status", 11) == 0) {
        call->ok = value_len == 1 && value[0] == '0';
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len, void *user)
{
    (void)flags;
    (void)user;
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);
    if (call == NULL) {
        return 0;
    }
    if (call->kept != NULL && call->received + len <= KEPT_BYTES_MAX) {
        memcpy(call->kept + call->received, data, len);
    }
    call->received += len;
    return 0;
}

static void take_answer(struct load *load, struct call *call, int64_t now_us)
{
    bool good = call->ok && call->received > PREFIX_BYTES;
    load->result.failed += good ? 0 : 1;
    if (good && now_us <= load->end_us && load->result.calls < TIMES_MAX) {
        load->times_us[load->result.calls++] = (uint32_t)(now_us - call->began_us);
        load->last_us = now_us;
    }
    if (good && call->kept != NULL && call->received <= KEPT_BYTES_MAX) {
        load->plan->kept(load->plan->user, call->request,
                         cl_bytes(call->kept + PREFIX_BYTES, call->received - PREFIX_BYTES));
    }
    free(call->kept);
    call->kept = NULL;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    (void)error;
    struct connection *connection = user;
    struct load *load = connection->load;
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);
    int64_t now_us = cl_monotonic_us();
    if (call == NULL) {
        return 0;
    }
    take_answer(load, call, now_us);
    call->busy = false;
    connection->open--;
    if (load->plan->calls_per_s == 0 && goes_on(load, now_us)) {
        start_call(connection, now_us);
    }
    return 0;
}

/* -- Bytes ---------------------------------------------------------------------------------------------------- */

/* nghttp2 makes a frame at a time; a record for each would measure this program. */
static void flush(struct connection *connection)
{
    static uint8_t gathered[64 * 1024];
    size_t size = 0;
    while (size < sizeof gathered - 17 * 1024) { /* a frame more always fits */
        const uint8_t *data = NULL;
        ssize_t len = nghttp2_session_mem_send(connection->session, &data);
        if (len <= 0) {
            break;
        }
        memcpy(gathered + size, data, (size_t)len);
        size += (size_t)len;
    }
    for (size_t at = 0; at < size;) {
        int result = SSL_write(connection->ssl, gathered + at, (int)(size - at));
        if (result <= 0 && SSL_get_error(connection->ssl, result) != SSL_ERROR_WANT_WRITE) {
            die("the server closed");
        }
        at += result > 0 ? (size_t)result : 0;
    }
}

static void receive(struct connection *connection)
{
    static uint8_t bytes[64 * 1024];
    int len = 0;
    while ((len = SSL_read(connection->ssl, bytes, sizeof bytes)) > 0) {
        if (nghttp2_session_mem_recv(connection->session, bytes, (size_t)len) != len) {
            die("the server broke HTTP/2");
        }
    }
    if (SSL_get_error(connection->ssl, len) != SSL_ERROR_WANT_READ) {
        die("the server closed");
    }
}

static void exchange(struct load *load, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(load->epoll_fd, events, EVENTS_MAX, wait_ms);
    for (int i = 0; i < ready; i++) {
        receive(events[i].data.ptr);
        flush(events[i].data.ptr);
    }
}

/* -- Connections ---------------------------------------------------------------------------------------------- */

static SSL_CTX *create_context(const struct load_peer *peer)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    bool good = SSL_CTX_load_verify_locations(context, peer->ca_path, NULL) == 1 &&
                SSL_CTX_use_certificate_file(context, peer->certificate_path, SSL_FILETYPE_PEM) == 1 &&
                SSL_CTX_use_PrivateKey_file(context, peer->key_path, SSL_FILETYPE_PEM) == 1;
    if (!good) {
        die("the certificates cannot be read");
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

static void start_session(struct connection *connection)
{
    nghttp2_session_callbacks *callbacks = NULL;
    (void)nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    (void)nghttp2_session_client_new(&connection->session, callbacks, connection);
    nghttp2_session_callbacks_del(callbacks);
    (void)nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, NULL, 0);
    flush(connection);
}

static void open_connection(struct connection *connection, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("cannot connect");
    }
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->ssl = SSL_new(connection->load->context);
    (void)SSL_set_fd(connection->ssl, connection->fd);
    (void)SSL_set_alpn_protos(connection->ssl, (const unsigned char *)"\2h2", 3);
    if (SSL_connect(connection->ssl) != 1) {
        die("the handshake failed");
    }
    (void)fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    (void)epoll_ctl(connection->load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event);
    start_session(connection);
}

void load_open(struct load **out, const struct load_peer *peer, unsigned connections)
{
    assert(connections > 0 && connections <= LOAD_CONNECTIONS_MAX);
    struct load *load = calloc(1, sizeof *load);
    assert(load != NULL);
    load->connections = calloc(connections, sizeof load->connections[0]);
    load->times_us = malloc(TIMES_MAX * sizeof load->times_us[0]);
    assert(load->connections != NULL && load->times_us != NULL);
    load->context = create_context(peer);
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (; load->count < connections; load->count++) {
        load->connections[load->count].load = load;
        open_connection(&load->connections[load->count], peer->port);
        exchange(load, 0); /* settings are acknowledged while others still shake hands */
    }
    *out = load;
}

void load_close(struct load *load)
{
    for (unsigned i = 0; i < load->count; i++) {
        struct connection *connection = &load->connections[i];
        nghttp2_session_del(connection->session);
        (void)SSL_shutdown(connection->ssl);
        SSL_free(connection->ssl);
        (void)close(connection->fd);
        free(connection->calls);
    }
    (void)close(load->epoll_fd);
    SSL_CTX_free(load->context);
    free(load->connections);
    free(load->times_us);
    free(load);
}

void load_idle(struct load *load, int64_t ms)
{
    int64_t until_us = cl_monotonic_us() + ms * 1000;
    while (cl_monotonic_us() < until_us) {
        exchange(load, 10);
    }
}

/* -- Run ------------------------------------------------------------------------------------------------------ */

static int64_t due_us(const struct load *load)
{
    return load->started_us + (int64_t)(load->started * 1000000 / (uint64_t)load->plan->calls_per_s);
}

/* At a rate: starts what is due, on the connections in turn; a call's time runs from when it was due. */
static int start_due(struct load *load)
{
    int64_t now_us = cl_monotonic_us();
    while (due_us(load) <= now_us && goes_on(load, due_us(load))) {
        struct connection *connection = &load->connections[load->turn++ % load->count];
        if (connection->open == load->plan->at_once) {
            load->result.failed++;
            load->started++;
            continue;
        }
        start_call(connection, due_us(load));
    }
    int64_t left_us = due_us(load) - cl_monotonic_us();
    return left_us > 2000 ? (int)(left_us / 1000) : 0;
}

static unsigned open_calls(const struct load *load)
{
    unsigned open = 0;
    for (unsigned i = 0; i < load->count; i++) {
        open += load->connections[i].open;
    }
    return open;
}

static void flush_all(struct load *load)
{
    for (unsigned i = 0; i < load->count; i++) {
        flush(&load->connections[i]);
    }
}

static void start_all(struct load *load)
{
    for (unsigned i = 0; i < load->count; i++) {
        for (unsigned k = 0; k < load->plan->at_once && goes_on(load, load->started_us); k++) {
            start_call(&load->connections[i], cl_monotonic_us());
        }
    }
    flush_all(load);
}

static int compare_times(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void conclude(struct load *load)
{
    struct load_result *result = &load->result;
    if (result->calls == 0) {
        die("no call was answered");
    }
    int64_t end_us = load->plan->again || load->started < load->plan->request_count ? load->end_us : load->last_us;
    result->seconds = (double)(end_us - load->started_us) / 1e6;
    result->calls_per_s = (double)result->calls / result->seconds;
    result->sent = (size_t)load->started;
    qsort(load->times_us, result->calls, sizeof load->times_us[0], compare_times);
    result->p50_us = load->times_us[result->calls / 2];
    result->p99_us = load->times_us[result->calls * 99 / 100];
}

void load_run(struct load_result *out, struct load *load, const struct load_plan *plan)
{
    assert(plan->at_once > 0 && plan->at_once <= LOAD_STREAMS_MAX && plan->request_count > 0 && plan->ms > 0);
    load->plan = plan;
    load->result = (struct load_result){0};
    load->started = 0;
    load->started_us = cl_monotonic_us();
    load->end_us = load->started_us + plan->ms * 1000;
    if (plan->calls_per_s == 0) {
        start_all(load);
    }
    while (goes_on(load, cl_monotonic_us())) {
        int wait_ms = plan->calls_per_s == 0 ? 100 : start_due(load);
        if (plan->calls_per_s > 0) {
            flush_all(load);
        }
        exchange(load, wait_ms);
    }
    int64_t until_us = cl_monotonic_us() + LATE_MS_MAX * 1000;
    while (open_calls(load) > 0 && cl_monotonic_us() < until_us) {
        exchange(load, 10); /* the last answers: verified like the others, counted when they came in time */
    }
    conclude(load);
    *out = load->result;
}
