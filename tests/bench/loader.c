/* loader - calls a gRPC method over mutual TLS as fast as the server answers, or at a given rate.
 *
 *   loader <port> <folder with ca.pem, alpha.pem, alpha.key> <connections> <calls at once on each> <ms> [calls/s]
 *
 * Prints one line: calls/s, the median and the 99th percentile of the time of a call in us, failed calls. One thread,
 * nghttp2 and OpenSSL; about three times as fast as gRPC core's client, so that a server can be filled from one core.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcoloan/clock.h"

enum { MESSAGE_BYTES = 300, STREAMS_MAX = 128, CONNECTIONS_MAX = 256, TIMES_MAX = 4 * 1024 * 1024, FIELDS = 7 };

struct connection;

struct call {
    struct connection *connection;
    int64_t began_us;
    size_t sent;
    size_t received;
    bool ok;
};

struct connection {
    int fd;
    SSL *ssl;
    nghttp2_session *session;
    struct call calls[STREAMS_MAX];
    bool busy[STREAMS_MAX];
    int open;
};

static uint8_t request[5 + MESSAGE_BYTES] = {0, 0, 0, MESSAGE_BYTES >> 8, MESSAGE_BYTES & 0xff};
static uint32_t *times_us;
static size_t time_count;
static uint64_t failed;
static int at_once;
static int64_t end_us, rate, started_us;
static uint64_t started;

static void die(const char *what)
{
    (void)fprintf(stderr, "loader: %s\n", what);
    exit(1);
}

/* -- Calls ---------------------------------------------------------------------------------------------------- */

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *out, size_t room, uint32_t *flags,
                            nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)stream;
    (void)user;
    struct call *call = source->ptr;
    size_t len = sizeof request - call->sent < room ? sizeof request - call->sent : room;
    memcpy(out, request + call->sent, len);
    call->sent += len;
    if (call->sent == sizeof request) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)len;
}

static nghttp2_nv field(char *name, char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .value = (uint8_t *)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value),
                        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static void start_call(struct connection *connection, int64_t planned_us)
{
    static char names[][16] = {":method", ":scheme", ":path", ":authority", "te", "content-type", "grpc-timeout"};
    static char values[][32] = {"POST", "https", "/test.Echo/Unary", "localhost", "trailers", "application/grpc",
                                "20S"};
    nghttp2_nv fields[FIELDS];
    int free_slot = 0;
    while (connection->busy[free_slot]) {
        free_slot++;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        fields[i] = field(names[i], values[i]);
    }
    struct call *call = &connection->calls[free_slot];
    connection->busy[free_slot] = true;
    *call = (struct call){.connection = connection, .began_us = planned_us};
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_request};
    if (nghttp2_submit_request(connection->session, NULL, fields, FIELDS, &provider, call) < 0) {
        die("a request cannot be made");
    }
    connection->open++;
    started++;
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
    (void)data;
    (void)user;
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);
    if (call != NULL) {
        call->received += len;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    (void)error;
    struct connection *connection = user;
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);
    int64_t now_us = cl_monotonic_us();
    if (call == NULL) {
        return 0;
    }
    bool good = call->ok && call->received == sizeof request;
    failed += good ? 0 : 1;
    if (good && now_us <= end_us && time_count < TIMES_MAX) {
        times_us[time_count++] = (uint32_t)(now_us - call->began_us);
    }
    connection->busy[call - connection->calls] = false;
    connection->open--;
    if (rate == 0 && now_us < end_us) {
        start_call(connection, now_us);
    }
    return 0;
}

/* -- Connections ---------------------------------------------------------------------------------------------- */

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
    if (size == 0) {
        return;
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

static SSL_CTX *create_context(const char *folder)
{
    char path[256];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    (void)snprintf(path, sizeof path, "%s/ca.pem", folder);
    bool good = SSL_CTX_load_verify_locations(context, path, NULL) == 1;
    (void)snprintf(path, sizeof path, "%s/alpha.pem", folder);
    good = good && SSL_CTX_use_certificate_file(context, path, SSL_FILETYPE_PEM) == 1;
    (void)snprintf(path, sizeof path, "%s/alpha.key", folder);
    good = good && SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1;
    if (!good) {
        die("the certificates cannot be read");
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

static void open_connection(struct connection *connection, SSL_CTX *context, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int on = 1;
    nghttp2_session_callbacks *callbacks = NULL;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("cannot connect");
    }
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->ssl = SSL_new(context);
    (void)SSL_set_fd(connection->ssl, connection->fd);
    (void)SSL_set_alpn_protos(connection->ssl, (const unsigned char *)"\2h2", 3);
    if (SSL_connect(connection->ssl) != 1) {
        die("the handshake failed");
    }
    (void)fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    (void)nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    (void)nghttp2_session_client_new(&connection->session, callbacks, connection);
    nghttp2_session_callbacks_del(callbacks);
    (void)nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

/* -- Run ------------------------------------------------------------------------------------------------------ */

/* At a rate: starts what is due, on the connections in turn; a call's time runs from when it was due. */
static int start_due(struct connection *connections, int count)
{
    static int turn;
    int64_t now_us = cl_monotonic_us();
    for (int64_t due_us = started_us + (int64_t)(started * 1000000 / (uint64_t)rate);
         due_us <= now_us && due_us < end_us; due_us = started_us + (int64_t)(started * 1000000 / (uint64_t)rate)) {
        struct connection *connection = &connections[turn++ % count];
        if (connection->open == at_once) {
            failed++;
            started++;
            continue;
        }
        start_call(connection, due_us);
    }
    int64_t next_us = started_us + (int64_t)(started * 1000000 / (uint64_t)rate) - cl_monotonic_us();
    return next_us > 2000 ? (int)(next_us / 1000) : 0;
}

static int compare_times(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void run(struct connection *connections, int count)
{
    struct epoll_event events[CONNECTIONS_MAX];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connections[i].fd, &event);
        for (int k = 0; rate == 0 && k < at_once; k++) {
            start_call(&connections[i], cl_monotonic_us());
        }
    }
    while (cl_monotonic_us() < end_us) {
        int wait_ms = rate == 0 ? 100 : start_due(connections, count);
        for (int i = 0; i < count; i++) {
            flush(&connections[i]);
        }
        int ready = epoll_wait(epoll_fd, events, CONNECTIONS_MAX, wait_ms);
        for (int i = 0; i < ready; i++) {
            receive(events[i].data.ptr);
        }
    }
    (void)close(epoll_fd);
}

int main(int argc, char **argv)
{
    static struct connection connections[CONNECTIONS_MAX];
    if (argc < 6) {
        die("usage: loader port folder connections calls-at-once ms [calls/s]");
    }
    int count = atoi(argv[3]);
    at_once = atoi(argv[4]);
    int64_t ms = atoll(argv[5]);
    rate = argc > 6 ? atoll(argv[6]) : 0;
    if (count < 1 || count > CONNECTIONS_MAX || at_once < 1 || at_once > STREAMS_MAX || ms < 1) {
        die("a number is out of range");
    }
    times_us = malloc(TIMES_MAX * sizeof times_us[0]);
    assert(times_us != NULL);
    SSL_CTX *context = create_context(argv[2]);
    for (int i = 0; i < count; i++) {
        open_connection(&connections[i], context, (uint16_t)atoi(argv[1]));
    }
    started_us = cl_monotonic_us();
    end_us = started_us + ms * 1000;
    run(connections, count);
    if (time_count == 0) {
        die("no call was answered");
    }
    qsort(times_us, time_count, sizeof times_us[0], compare_times);
    (void)printf("%.0f %u %u %llu\n", (double)time_count * 1000 / (double)ms, times_us[time_count / 2],
                 times_us[time_count * 99 / 100], (unsigned long long)failed);
    return 0;
}
