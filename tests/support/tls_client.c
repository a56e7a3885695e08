#include "tests/support/tls_client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcoloan/clock.h"

enum { STEP_MS = 5000 };

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
    int fd, alert, tickets;
};

int tcp_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static int64_t now_ms(void)
{
    return cl_monotonic_us() / 1000;
}

static bool wait_for(int fd, short events, int64_t until_ms)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    int64_t left_ms = until_ms - now_ms();
    return left_ms > 0 && poll(&wanted, 1, (int)left_ms) > 0;
}

bool tcp_closed(int fd, int wait_ms)
{
    char bytes[4096];
    int64_t until_ms = now_ms() + wait_ms;
    while (wait_for(fd, POLLIN, until_ms)) {
        if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0) {
            return true;
        }
    }
    return false;
}

/* -- Session -------------------------------------------------------------------------------------------------- */

static void on_info(const SSL *ssl, int where, int value)
{
    struct tls_client *client = SSL_get_app_data(ssl);
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) {
        client->alert = value & 0xff;
    }
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)session;
    struct tls_client *client = SSL_get_app_data(ssl);
    client->tickets++;
    return 0;
}

static void prepare(struct tls_client *client, const struct tls_client_options *options)
{
    char file[64];
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL's own sockets raise it when the gate has cut */
    client->context = SSL_CTX_new(TLS_client_method());
    assert(client->context != NULL);
    int done = SSL_CTX_load_verify_locations(client->context, pki_files_path(options->files, "ca.pem"), NULL);
    assert(done == 1);
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    if (options->tls12) {
        (void)SSL_CTX_set_max_proto_version(client->context, TLS1_2_VERSION);
    }
    if (options->name != NULL) {
        (void)snprintf(file, sizeof file, "%s.pem", options->name);
        done = SSL_CTX_use_certificate_chain_file(client->context, pki_files_path(options->files, file));
        assert(done == 1);
        (void)snprintf(file, sizeof file, "%s.key", options->name);
        done = SSL_CTX_use_PrivateKey_file(client->context, pki_files_path(options->files, file), SSL_FILETYPE_PEM);
        assert(done == 1);
    }
    SSL_CTX_set_info_callback(client->context, on_info);
    SSL_CTX_set_session_cache_mode(client->context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client->context, on_ticket);
    client->ssl = SSL_new(client->context);
    assert(client->ssl != NULL);
    (void)SSL_set_app_data(client->ssl, client);
    if (options->alpn != NULL) {
        uint8_t list[32];
        list[0] = (uint8_t)strlen(options->alpn);
        memcpy(list + 1, options->alpn, list[0]);
        (void)SSL_set_alpn_protos(client->ssl, list, list[0] + 1U);
    }
}

/* Waits for what the failed operation wanted; false when it is over. */
static bool wait_again(struct tls_client *client, int result, int64_t until_ms)
{
    switch (SSL_get_error(client->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(client->fd, POLLIN, until_ms);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(client->fd, POLLOUT, until_ms);
    default:
        ERR_clear_error();
        return false;
    }
}

struct tls_client *tls_client_open(const struct tls_client_options *options, int *alert_out)
{
    struct tls_client *client = calloc(1, sizeof *client);
    assert(client != NULL);
    client->alert = -1;
    prepare(client, options);
    client->fd = tcp_connect(options->port);
    *alert_out = -1;
    if (client->fd < 0) {
        tls_client_close(client);
        return NULL;
    }
    (void)fcntl(client->fd, F_SETFL, O_NONBLOCK);
    (void)SSL_set_fd(client->ssl, client->fd);
    int result = 0;
    int64_t until_ms = now_ms() + STEP_MS;
    while ((result = SSL_connect(client->ssl)) != 1) {
        if (!wait_again(client, result, until_ms)) {
            *alert_out = client->alert;
            tls_client_close(client);
            return NULL;
        }
    }
    return client;
}

void tls_client_close(struct tls_client *client)
{
    if (client == NULL) {
        return;
    }
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    if (client->fd >= 0) {
        (void)close(client->fd);
    }
    free(client);
}

bool tls_client_write(struct tls_client *client, const void *bytes, size_t len)
{
    int result = 0;
    int64_t until_ms = now_ms() + STEP_MS;
    while ((result = SSL_write(client->ssl, bytes, (int)len)) <= 0) {
        if (!wait_again(client, result, until_ms)) {
            return false;
        }
    }
    return true;
}

int tls_client_read(struct tls_client *client, void *out, size_t room, int wait_ms)
{
    int result = 0;
    int64_t until_ms = now_ms() + wait_ms;
    while ((result = SSL_read(client->ssl, out, (int)room)) <= 0) {
        if (SSL_get_error(client->ssl, result) != SSL_ERROR_WANT_READ) {
            ERR_clear_error();
            return 0;
        }
        if (!wait_again(client, result, until_ms)) {
            return -1;
        }
    }
    return result;
}

int tls_client_closed_after(struct tls_client *client, int wait_ms)
{
    char bytes[16384];
    int64_t began_ms = now_ms();
    while (now_ms() < began_ms + wait_ms) {
        if (tls_client_read(client, bytes, sizeof bytes, (int)(began_ms + wait_ms - now_ms())) == 0) {
            return (int)(now_ms() - began_ms);
        }
    }
    return -1;
}

int tls_client_alert(const struct tls_client *client)
{
    return client->alert;
}

int tls_client_tickets(const struct tls_client *client)
{
    return client->tickets;
}

bool tls_client_goodbye(const struct tls_client *client)
{
    return (SSL_get_shutdown(client->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void tls_client_half_close(struct tls_client *client)
{
    (void)SSL_shutdown(client->ssl);
    (void)shutdown(client->fd, SHUT_WR);
}

bool tls_client_key_update(struct tls_client *client)
{
    return SSL_key_update(client->ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(client->ssl) == 1;
}

/* -- HTTP/2 --------------------------------------------------------------------------------------------------- */

const uint8_t h2_call_block[] = {
    0x83,                                                                                          /* :method POST */
    0x86,                                                                                          /* :scheme http */
    0x04, 16, '/', 't', 'e', 's', 't', '.', 'E', 'c', 'h', 'o', '/', 'U', 'n', 'a', 'r', 'y',      /* :path */
    0x01, 1,  'x',                                                                                 /* :authority */
    0x00, 2,  't', 'e', 8,   't', 'r', 'a', 'i', 'l', 'e', 'r', 's',                               /* te */
    0x0f, 16, 16,  'a', 'p', 'p', 'l', 'i', 'c', 'a', 't', 'i', 'o', 'n', '/', 'g', 'r', 'p', 'c', /* content-type */
};
const size_t h2_call_block_len = sizeof h2_call_block;

size_t h2_frame(uint8_t *out, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len)
{
    const uint8_t header[9] = {
        (uint8_t)(len >> 16),    (uint8_t)(len >> 8),     (uint8_t)len,           type,           flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    memcpy(out, header, sizeof header);
    if (len > 0) {
        memcpy(out + sizeof header, payload, len);
    }
    return sizeof header + len;
}

bool h2_send(struct tls_client *client, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len)
{
    uint8_t frame[9 + 20000];
    assert(len <= 20000);
    return tls_client_write(client, frame, h2_frame(frame, type, flags, stream, payload, len));
}

bool h2_begin(struct tls_client *client, bool acknowledge)
{
    return tls_client_write(client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) &&
           h2_send(client, H2_SETTINGS, 0, 0, NULL, 0) && (!acknowledge || h2_send(client, H2_SETTINGS, 1, 0, NULL, 0));
}
