/* tls_client.h - a TLS client that can misbehave, and raw HTTP/2 frames through it: what tests of the gate attack with.
 *
 * One thread at a time. Every wait has an end. */
#ifndef COLOAN_TESTS_TLS_CLIENT_H
#define COLOAN_TESTS_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/pki_files.h"

struct tls_client;

struct tls_client_options {
    uint16_t port;
    const struct pki_files *files;
    const char *name; /* of the certificate in `files`; NULL: none */
    const char *alpn; /* "h2"; NULL: none */
    bool tls12;       /* at most */
};

/* A TCP connection, without TLS; -1 when there is none. */
int tcp_connect(uint16_t port);

/* True when the other side closed within wait_ms; what it sends before is thrown away. */
bool tcp_closed(int fd, int wait_ms);

/* NULL when the handshake fails on this side; then *alert_out is the alert received, -1 for none. */
struct tls_client *tls_client_open(const struct tls_client_options *options, int *alert_out);
void tls_client_close(struct tls_client *client); /* without a goodbye; NULL is fine */

/* False when the connection is broken or does not take the bytes within 5 s. */
bool tls_client_write(struct tls_client *client, const void *bytes, size_t len);

/* At most wait_ms. Bytes read; 0: closed by the other side; -1: nothing in time. */
int tls_client_read(struct tls_client *client, void *out, size_t room, int wait_ms);

/* Reads and throws away until the other side closes. Ms until then, or -1 when it does not within wait_ms. */
int tls_client_closed_after(struct tls_client *client, int wait_ms);

int tls_client_alert(const struct tls_client *client);    /* -1: none came */
int tls_client_tickets(const struct tls_client *client);  /* that were offered */
bool tls_client_goodbye(const struct tls_client *client); /* the other side said close_notify */
void tls_client_half_close(struct tls_client *client);    /* close_notify and FIN */
bool tls_client_key_update(struct tls_client *client);    /* asks for one back */

/* -- HTTP/2 --------------------------------------------------------------------------------------------------- */

enum {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION
};

/* Writes a frame to `out`, which has 9 + len bytes; returns its size. */
size_t h2_frame(uint8_t *out, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len);

bool h2_send(struct tls_client *client, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len);

/* Preface and empty SETTINGS; then the acknowledgement of the other side's, when wanted. */
bool h2_begin(struct tls_client *client, bool acknowledge);

/* The header block of a call to /test.Echo/Unary. */
extern const uint8_t h2_call_block[];
extern const size_t h2_call_block_len;

#endif
