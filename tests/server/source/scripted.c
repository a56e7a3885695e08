#include "tests/server/source/scripted.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 512, REQUEST_BYTES_MAX = 16384, LOOK_MS = 10 };

struct connection {
    struct scripted *server;
    int fd;
    SSL *ssl; /* NULL: plain */
    pthread_t thread;
};

struct scripted {
    enum action script[SCRIPT_MAX];
    int listener;
    uint16_t port;
    SSL_CTX *tls; /* NULL: plain */
    atomic_bool stopping;
    atomic_uint requests, open, open_max, connection_count;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the last request */
    char head[REQUEST_BYTES_MAX];
    char body[REQUEST_BYTES_MAX];
    struct connection connections[CONNECTIONS_MAX];
};

struct request {
    char head[REQUEST_BYTES_MAX]; /* with its empty line */
    char body[REQUEST_BYTES_MAX];
    char request_id[64];
};

/* -- Bytes --------------------------------------------------------------------------------------------------- */

/* False when the server stops or the peer is gone. */
static bool readable(struct connection *connection)
{
    if (connection->ssl != NULL && SSL_pending(connection->ssl) > 0) {
        return true;
    }
    while (!atomic_load(&connection->server->stopping)) {
        struct pollfd ready = {.fd = connection->fd, .events = POLLIN};
        if (poll(&ready, 1, LOOK_MS) > 0) {
            return true;
        }
    }
    return false;
}

static ssize_t hear(struct connection *connection, void *out, size_t len)
{
    return connection->ssl != NULL ? SSL_read(connection->ssl, out, (int)len) : recv(connection->fd, out, len, 0);
}

static bool say(struct connection *connection, const char *text)
{
    size_t len = strlen(text);
    if (connection->ssl != NULL) {
        return SSL_write(connection->ssl, text, (int)len) == (int)len;
    }
    return send(connection->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool read_request(struct connection *connection, struct request *out)
{
    char bytes[REQUEST_BYTES_MAX];
    size_t len = 0;
    for (;;) {
        bytes[len] = '\0';
        const char *end = strstr(bytes, "\r\n\r\n");
        const char *length = strstr(bytes, "Content-Length: ");
        size_t head_len = end == NULL ? 0 : (size_t)(end - bytes) + 4;
        size_t body_len = length == NULL ? 0 : strtoul(length + strlen("Content-Length: "), NULL, 10);
        if (end != NULL && len >= head_len + body_len) {
            memcpy(out->head, bytes, head_len);
            out->head[head_len] = '\0';
            memcpy(out->body, bytes + head_len, body_len);
            out->body[body_len] = '\0';
            break;
        }
        if (!readable(connection)) {
            return false;
        }
        ssize_t got = hear(connection, bytes + len, sizeof bytes - 1 - len);
        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
    }
    const char *id = strstr(out->body, "\"request_id\":\"");
    out->request_id[0] = '\0';
    if (id != NULL) {
        (void)sscanf(id + strlen("\"request_id\":\""), "%63[0-9a-f]", out->request_id);
    }
    return true;
}

/* -- Actions ------------------------------------------------------------------------------------------------- */

static bool reply(struct connection *connection, const char *status, const char *headers, const char *body)
{
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
                   strlen(body), body);
    return say(connection, text);
}

static bool reply_code(struct connection *connection, const struct request *request, const char *code,
                       const char *answer)
{
    char body[512];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(body, sizeof body,
                   "{\"request_id\":\"%s\",\"code\":\"%s\",\"receipt\":\"T-1\",\"observed_ms\":%lld%s}",
                   request->request_id, code, (long long)now.tv_sec * 1000, answer);
    return reply(connection, "200 OK", "", body);
}

/* Piece after piece until the peer has had enough. */
static bool flood(struct connection *connection, const char *start, const char *piece, int64_t pause_ms)
{
    const struct timespec pause = {.tv_nsec = pause_ms * 1000000};
    if (!say(connection, start)) {
        return false;
    }
    while (!atomic_load(&connection->server->stopping) && say(connection, piece)) {
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static bool wait_for_end(struct connection *connection)
{
    char byte;
    while (readable(connection) && hear(connection, &byte, 1) > 0) {
    }
    return false;
}

static bool act_badly(struct connection *connection, enum action action)
{
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    char big[20001];
    switch ((int)action) {
    case ACT_OVERSIZE:
        memset(big, ' ', sizeof big - 1);
        big[sizeof big - 1] = '\0';
        return say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n") && say(connection, big);
    case ACT_FLOOD:
        return flood(connection, chunked, "10\r\n                \r\n", 0);
    case ACT_HEADERS:
        return flood(connection, "HTTP/1.1 200 OK\r\n", "X-More: and more and more\r\n", 0);
    case ACT_NOT_HTTP:
        (void)say(connection, "220 mail.example ESMTP\r\n\r\n");
        return false;
    case ACT_CUT_SHORT:
        (void)say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\":");
        return false;
    case ACT_HANG:
        return wait_for_end(connection);
    case ACT_DRIP:
        return flood(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", " ", 20);
    default:
        return false; /* ACT_HANG_UP */
    }
}

static bool act(struct connection *connection, enum action action, const struct request *request)
{
    static const struct {
        enum action action;
        const char *status, *headers, *body;
    } replies[] = {
        {ACT_GARBAGE, "200 OK", "", "<html>"},
        {ACT_EMPTY, "200 OK", "", ""},
        {ACT_500, "500 Internal Server Error", "", "{}"},
        {ACT_503, "503 Service Unavailable", "", "{}"},
        {ACT_CLOSED, "503 Service Unavailable", "", "{\"code\":\"SOURCE_CLOSED\"}"},
        {ACT_429, "429 Too Many Requests", "", "{}"},
        {ACT_429_SECOND, "429 Too Many Requests", "Retry-After: 1\r\n", "{}"},
        {ACT_429_HOUR, "429 Too Many Requests", "Retry-After: 3600\r\n", "{}"},
        {ACT_401, "401 Unauthorized", "", "{}"},
        {ACT_404, "404 Not Found", "", "{}"},
        {ACT_REDIRECT, "307 Temporary Redirect", "Location: /v1/identity\r\n", "{}"},
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        if (replies[i].action == action) {
            return reply(connection, replies[i].status, replies[i].headers, replies[i].body);
        }
    }
    switch ((int)action) {
    case ACT_GOOD:
        return reply_code(connection, request, "OK", ",\"answer\":{\"match\":true}");
    case ACT_WRONG_ID:
        return reply_code(connection, &(struct request){.request_id = "00"}, "OK", ",\"answer\":{\"match\":true}");
    case ACT_NO_RECORD:
        return reply_code(connection, request, "NO_RECORD", "");
    case ACT_MISMATCH:
        return reply_code(connection, request, "MISMATCH", "");
    case ACT_AMBIGUOUS:
        return reply_code(connection, request, "AMBIGUOUS", "");
    case ACT_NOT_AUTHORISED:
        return reply_code(connection, request, "NOT_AUTHORISED", "");
    default:
        return act_badly(connection, action);
    }
}

/* -- Server -------------------------------------------------------------------------------------------------- */

static enum action next_action(struct scripted *server)
{
    unsigned turn = atomic_fetch_add(&server->requests, 1);
    unsigned last = 0;
    while (last + 1 < SCRIPT_MAX && server->script[last + 1] != ACT_END) {
        last++;
    }
    return server->script[turn < last ? turn : last];
}

static void count_open(struct scripted *server)
{
    unsigned open = atomic_fetch_add(&server->open, 1) + 1;
    unsigned open_max = atomic_load(&server->open_max);
    while (open > open_max && !atomic_compare_exchange_weak(&server->open_max, &open_max, open)) {
    }
}

/* False when the peer does not like the certificate. */
static bool shake_hands(struct connection *connection)
{
    if (connection->server->tls == NULL) {
        return true;
    }
    connection->ssl = SSL_new(connection->server->tls);
    return SSL_set_fd(connection->ssl, connection->fd) == 1 && SSL_accept(connection->ssl) == 1;
}

static void *serve(void *user)
{
    struct connection *connection = user;
    struct scripted *server = connection->server;
    struct request *request = malloc(sizeof *request);
    sigset_t pipes; /* OpenSSL writes without MSG_NOSIGNAL */
    (void)sigemptyset(&pipes);
    (void)sigaddset(&pipes, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipes, NULL);
    bool keep = shake_hands(connection);
    while (keep && read_request(connection, request)) {
        (void)pthread_mutex_lock(&server->mutex);
        memcpy(server->head, request->head, sizeof server->head);
        memcpy(server->body, request->body, sizeof server->body);
        (void)pthread_mutex_unlock(&server->mutex);
        count_open(server);
        keep = act(connection, next_action(server), request);
        (void)atomic_fetch_sub(&server->open, 1);
    }
    free(request);
    SSL_free(connection->ssl);
    (void)close(connection->fd);
    return NULL;
}

static void *accept_all(void *user)
{
    struct scripted *server = user;
    while (!atomic_load(&server->stopping)) {
        struct pollfd ready = {.fd = server->listener, .events = POLLIN};
        if (poll(&ready, 1, LOOK_MS) <= 0) {
            continue;
        }
        unsigned index = atomic_load(&server->connection_count);
        assert(index < CONNECTIONS_MAX);
        struct connection *connection = &server->connections[index];
        connection->server = server;
        connection->fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection->fd < 0) {
            continue;
        }
        int failed = pthread_create(&connection->thread, NULL, serve, connection);
        assert(failed == 0);
        atomic_store(&server->connection_count, index + 1);
    }
    return NULL;
}

static struct scripted *start(const enum action *script, SSL_CTX *tls)
{
    struct scripted *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    assert(server != NULL);
    server->tls = tls;
    for (size_t i = 0; i < SCRIPT_MAX && script[i] != ACT_END; i++) {
        server->script[i] = script[i];
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = bind(server->listener, (struct sockaddr *)&address, sizeof address) |
                 listen(server->listener, CONNECTIONS_MAX) |
                 getsockname(server->listener, (struct sockaddr *)&address, &len);
    assert(failed == 0);
    server->port = ntohs(address.sin_port);
    (void)pthread_mutex_init(&server->mutex, NULL);
    failed = pthread_create(&server->thread, NULL, accept_all, server);
    assert(failed == 0);
    return server;
}

struct scripted *scripted_start(const enum action *script)
{
    return start(script, NULL);
}

struct scripted *scripted_start_tls(const enum action *script, const char *certificate, const char *key)
{
    BIO *certificate_text = BIO_new_mem_buf(certificate, -1);
    BIO *key_text = BIO_new_mem_buf(key, -1);
    X509 *x509 = PEM_read_bio_X509(certificate_text, NULL, NULL, NULL);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key_text, NULL, NULL, NULL);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    bool usable = SSL_CTX_use_certificate(tls, x509) == 1 && SSL_CTX_use_PrivateKey(tls, pkey) == 1;
    assert(usable);
    EVP_PKEY_free(pkey);
    X509_free(x509);
    BIO_free(key_text);
    BIO_free(certificate_text);
    return start(script, tls);
}

void scripted_need_client(struct scripted *server, const char *ca)
{
    BIO *text = BIO_new_mem_buf(ca, -1);
    X509 *x509 = PEM_read_bio_X509(text, NULL, NULL, NULL);
    bool usable = X509_STORE_add_cert(SSL_CTX_get_cert_store(server->tls), x509) == 1;
    assert(usable);
    SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_free(x509);
    BIO_free(text);
}

uint16_t scripted_port(const struct scripted *server)
{
    return server->port;
}

unsigned scripted_requests(struct scripted *server)
{
    return atomic_load(&server->requests);
}

unsigned scripted_connections(struct scripted *server)
{
    return atomic_load(&server->connection_count);
}

unsigned scripted_open_max(struct scripted *server)
{
    return atomic_load(&server->open_max);
}

/* The lock makes what was written before visible. */
static const char *last(struct scripted *server, const char *text)
{
    (void)pthread_mutex_lock(&server->mutex);
    (void)pthread_mutex_unlock(&server->mutex);
    return text;
}

const char *scripted_last_head(struct scripted *server)
{
    return last(server, server->head);
}

const char *scripted_last_body(struct scripted *server)
{
    return last(server, server->body);
}

void scripted_stop(struct scripted *server)
{
    atomic_store(&server->stopping, true);
    (void)pthread_join(server->thread, NULL);
    for (unsigned i = 0; i < atomic_load(&server->connection_count); i++) {
        (void)pthread_join(server->connections[i].thread, NULL);
    }
    (void)close(server->listener);
    SSL_CTX_free(server->tls);
    (void)pthread_mutex_destroy(&server->mutex);
    free(server);
}
