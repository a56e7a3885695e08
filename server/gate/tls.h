/* tls.h - one TLS 1.3 session of the server's side, from bytes to bytes: no sockets.
 *
 * The caller lends a piece of what it received and room for what is to be sent; records, alerts and half records are
 * the session's business. Because there is always room and never a read that waits, no call can be half done.
 *
 * Owner: whoever created it. One thread at a time. A client that breaks the protocol makes a call return TLS_BROKEN,
 * with an alert in `out` that should still be sent. */
#ifndef COLOAN_GATE_TLS_H
#define COLOAN_GATE_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"
#include "server/gate/gate.h"
#include "server/gate/identity.h"
#include "server/gate/trust.h"

struct tls_session;

struct tls_io {
    struct cl_bytes in; /* received; moved past what was used */
    uint8_t *out;       /* to be sent: out_len bytes of out_max */
    size_t out_len, out_max;
};

enum tls_step {
    TLS_WANTS_INPUT, /* all of `in` was used */
    TLS_DONE,
    TLS_CLOSED, /* the client said goodbye */
    TLS_BROKEN,
};

#define TLS_RECORD_BYTES_MAX 16384

/* Room that is enough: for what tls_decrypt yields from `in_len` bytes (one record may be waiting), and for what
 * tls_encrypt makes of `plain_len` (each record adds 22 bytes, 1 KiB is for alerts and key updates). */
#define TLS_PLAIN_BYTES_MAX(in_len)     ((in_len) + TLS_RECORD_BYTES_MAX)
#define TLS_CIPHER_BYTES_MAX(plain_len) ((plain_len) + ((plain_len) / TLS_RECORD_BYTES_MAX + 1) * 64 + 1024)

/* Puts the checks of a handshake into a trust that was just loaded: once, before it is shared. */
void tls_prepare(struct trust *trust);

/* `unix_ms`: the time at which certificates and lists must be valid. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status tls_session_create(struct tls_session **out, struct trust *trust, int64_t unix_ms);
void tls_session_free(struct tls_session *session); /* NULL is fine */

/* What the session was made with, borrowed. */
const struct trust *tls_trust(const struct tls_session *session);

/* Until TLS_DONE; what is left in io->in then are the first records. */
enum tls_step tls_handshake(struct tls_session *session, struct tls_io *io);

/* After TLS_BROKEN of the handshake: why. */
enum gate_handshake_failure tls_failure(const struct tls_session *session);

/* After TLS_DONE of the handshake. */
const struct identity *tls_identity(const struct tls_session *session);

/* All of io->in. `plain` has TLS_PLAIN_BYTES_MAX(in.len) bytes; `*plain_len` are written, also when CLOSED. */
enum tls_step tls_decrypt(struct tls_session *session, struct tls_io *io, uint8_t *plain, size_t *plain_len);

/* TLS_DONE or TLS_BROKEN. */
enum tls_step tls_encrypt(struct tls_session *session, struct tls_io *io, struct cl_bytes plain);

/* Our goodbye. */
void tls_close(struct tls_session *session, struct tls_io *io);

/* How many handshake messages came since the handshake: key updates cost us work and carry nothing. */
uint32_t tls_key_updates(const struct tls_session *session);

#endif
