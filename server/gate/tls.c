/* Sessions over memory.
 *
 * OpenSSL reads and writes through a BIO of ours, which takes from the bytes lent for one call and puts into the room
 * lent for it. So a socket is read once for many records and written once for many, and OpenSSL never waits for a
 * socket to become writable, which is where most state machines around SSL_read go wrong. */
#include "server/gate/tls.h"

#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct tls_session {
    SSL *ssl;
    struct trust *trust; /* referenced */
    struct tls_io *io;   /* lent for one call, else NULL */
    bool established;
    bool judged; /* `failure` was found by a check of ours */
    enum gate_handshake_failure failure;
    struct identity identity;
    uint32_t key_updates;
};

/* -- Bytes ---------------------------------------------------------------------------------------------------- */

static int wire_read(BIO *bio, char *out, int room)
{
    struct tls_session *session = BIO_get_data(bio);
    struct tls_io *io = session->io;
    BIO_clear_retry_flags(bio);
    if (io == NULL || io->in.len == 0 || room <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = io->in.len < (size_t)room ? io->in.len : (size_t)room;
    memcpy(out, io->in.data, len);
    io->in = cl_bytes(io->in.data + len, io->in.len - len);
    return (int)len;
}

static int wire_write(BIO *bio, const char *in, int len)
{
    struct tls_session *session = BIO_get_data(bio);
    struct tls_io *io = session->io;
    BIO_clear_retry_flags(bio);
    if (io == NULL || len < 0 || (size_t)len > io->out_max - io->out_len) {
        return -1; /* not to be tried again: the session breaks. A client can cause it only by a flood of key updates */
    }
    memcpy(io->out + io->out_len, in, (size_t)len);
    io->out_len += (size_t)len;
    return len;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int wire_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *wire_method; /* made once, for the life of the process */

/* -- Checks --------------------------------------------------------------------------------------------------- */

static struct tls_session *session_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

static void judge(struct tls_session *session, enum gate_handshake_failure failure)
{
    session->judged = true;
    session->failure = failure;
}

/* No certificate work for a client that does not speak HTTP/2. */
static int check_hello(SSL *ssl, int *alert, void *user)
{
    (void)user;
    const unsigned char *data = NULL;
    size_t len = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &len) != 1) {
        judge(session_of(ssl), GATE_HANDSHAKE_ALPN);
        *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *user)
{
    (void)user;
    for (unsigned at = 0; at < in_len; at += 1U + in[at]) { /* OpenSSL has checked the lengths */
        if (in[at] == 2 && memcmp(in + at + 1, "h2", 2) == 0) {
            *out = in + at + 1;
            *out_len = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    judge(session_of(ssl), GATE_HANDSHAKE_ALPN);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static enum gate_handshake_failure failure_of_chain(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_REVOKED:
        return GATE_HANDSHAKE_REVOKED;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return GATE_HANDSHAKE_EXPIRED;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return GATE_HANDSHAKE_CRL;
    default:
        return GATE_HANDSHAKE_CHAIN;
    }
}

static int refuse_certificate(X509_STORE_CTX *store, struct tls_session *session, int error,
                              enum gate_handshake_failure failure)
{
    judge(session, failure);
    X509_STORE_CTX_set_error(store, error);
    return 0;
}

/* OpenSSL takes a certificate without the extension for one that may do everything. */
static bool is_for_clients(X509 *leaf)
{
    uint32_t usage = X509_get_extended_key_usage(leaf);
    return usage != UINT32_MAX && (usage & XKU_SSL_CLIENT) != 0;
}

/* An intermediate that the operator did not name: that we have no list of it is not our fault. */
static bool has_stranger(X509_STORE_CTX *store, const struct tls_session *session)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    return chain != NULL && sk_X509_num(chain) == 3 && !trust_has_intermediate(session->trust, sk_X509_value(chain, 1));
}

/* In place of X509_verify_cert: that, and then what it does not know. A refusal becomes an alert. */
static int check_certificate(X509_STORE_CTX *store, void *user)
{
    (void)user;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = session_of(ssl);
    if (X509_verify_cert(store) != 1) {
        judge(session,
              has_stranger(store, session) ? GATE_HANDSHAKE_CHAIN : failure_of_chain(X509_STORE_CTX_get_error(store)));
        return 0;
    }
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    int count = sk_X509_num(chain);
    X509 *leaf = sk_X509_value(chain, 0);
    if (count < 2 || count > 3 || !is_for_clients(leaf)) {
        return refuse_certificate(store, session, X509_V_ERR_INVALID_PURPOSE, GATE_HANDSHAKE_CHAIN);
    }
    X509 *intermediate = count == 3 ? sk_X509_value(chain, 1) : NULL;
    if (intermediate != NULL && !trust_has_intermediate(session->trust, intermediate)) {
        return refuse_certificate(store, session, X509_V_ERR_CERT_CHAIN_TOO_LONG, GATE_HANDSHAKE_CHAIN);
    }
    if (cl_failed(trust_identity(&session->identity, leaf, intermediate, sk_X509_value(chain, count - 1)))) {
        return refuse_certificate(store, session, X509_V_ERR_CERT_REJECTED, GATE_HANDSHAKE_IDENTITY);
    }
    if (trust_withdrawn(session->trust, &session->identity)) {
        return refuse_certificate(store, session, X509_V_ERR_CERT_REVOKED, GATE_HANDSHAKE_REVOKED);
    }
    return 1;
}

static void see_message(int sent, int version, int type, const void *bytes, size_t len, SSL *ssl, void *user)
{
    (void)version;
    (void)bytes;
    (void)len;
    (void)user;
    struct tls_session *session = session_of(ssl);
    if (sent == 0 && type == SSL3_RT_HANDSHAKE && session->established) {
        session->key_updates++;
    }
}

/* -- Life ----------------------------------------------------------------------------------------------------- */

static void create_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "coloan");
    if (method != NULL && BIO_meth_set_read(method, wire_read) == 1 && BIO_meth_set_write(method, wire_write) == 1 &&
        BIO_meth_set_ctrl(method, wire_control) == 1 && BIO_meth_set_create(method, wire_create) == 1) {
        wire_method = method;
    }
}

static SSL *create_ssl(struct tls_session *session, int64_t unix_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, create_method);
    SSL *ssl = SSL_new(trust_context(session->trust));
    BIO *bio = wire_method == NULL ? NULL : BIO_new(wire_method);
    if (ssl == NULL || bio == NULL || SSL_set_app_data(ssl, session) != 1) {
        SSL_free(ssl);
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, session);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), (time_t)(unix_ms / 1000));
    SSL_set_msg_callback(ssl, see_message);
    return ssl;
}

void tls_prepare(struct trust *trust)
{
    SSL_CTX *context = trust_context(trust);
    SSL_CTX_set_client_hello_cb(context, check_hello, NULL);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    SSL_CTX_set_cert_verify_callback(context, check_certificate, NULL);
}

struct cl_status tls_session_create(struct tls_session **out, struct trust *trust, int64_t unix_ms)
{
    struct tls_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    session->trust = trust_ref(trust);
    session->ssl = create_ssl(session, unix_ms);
    if (session->ssl == NULL) {
        tls_session_free(session);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = session;
    return cl_ok();
}

void tls_session_free(struct tls_session *session)
{
    if (session == NULL) {
        return;
    }
    SSL_free(session->ssl);
    trust_unref(session->trust);
    free(session);
}

/* -- Handshake ------------------------------------------------------------------------------------------------ */

static enum gate_handshake_failure failure_of_error(void)
{
    unsigned long error = ERR_peek_error();
    bool none = ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
    return none ? GATE_HANDSHAKE_NO_CERTIFICATE : GATE_HANDSHAKE_PROTOCOL;
}

static bool speaks_h2(const SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

enum tls_step tls_handshake(struct tls_session *session, struct tls_io *io)
{
    ERR_clear_error();
    session->io = io;
    int result = SSL_accept(session->ssl);
    session->io = NULL;
    if (result == 1) {
        assert(speaks_h2(session->ssl));            /* check_hello and choose_protocol see to it */
        assert(session->identity.party[0] != '\0'); /* check_certificate does */
        assert(SSL_version(session->ssl) == TLS1_3_VERSION);
        session->established = true;
        return TLS_DONE;
    }
    if (SSL_get_error(session->ssl, result) == SSL_ERROR_WANT_READ) {
        return TLS_WANTS_INPUT;
    }
    if (!session->judged) {
        judge(session, failure_of_error());
    }
    ERR_clear_error();
    return TLS_BROKEN;
}

const struct trust *tls_trust(const struct tls_session *session)
{
    return session->trust;
}

enum gate_handshake_failure tls_failure(const struct tls_session *session)
{
    assert(session->judged);
    return session->failure;
}

const struct identity *tls_identity(const struct tls_session *session)
{
    assert(session->established);
    return &session->identity;
}

/* -- Records -------------------------------------------------------------------------------------------------- */

static int clamp(size_t len)
{
    return len > INT_MAX ? INT_MAX : (int)len;
}

static enum tls_step step_of_read(struct tls_session *session, int result)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_INPUT;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        ERR_clear_error();
        return TLS_BROKEN;
    }
}

enum tls_step tls_decrypt(struct tls_session *session, struct tls_io *io, uint8_t *plain, size_t *plain_len)
{
    size_t plain_max = TLS_PLAIN_BYTES_MAX(io->in.len);
    size_t len = 0;
    ERR_clear_error();
    session->io = io;
    enum tls_step step = TLS_DONE;
    while (step == TLS_DONE) {
        assert(len < plain_max); /* plain text is shorter than its records */
        int result = SSL_read(session->ssl, plain + len, clamp(plain_max - len));
        if (result > 0) {
            len += (size_t)result;
            continue;
        }
        step = step_of_read(session, result);
    }
    session->io = NULL;
    *plain_len = len;
    return step;
}

enum tls_step tls_encrypt(struct tls_session *session, struct tls_io *io, struct cl_bytes plain)
{
    assert(plain.len > 0);
    assert(plain.len <= INT_MAX);
    ERR_clear_error();
    session->io = io;
    int result = SSL_write(session->ssl, plain.data, (int)plain.len);
    session->io = NULL;
    if (result == (int)plain.len) {
        return TLS_DONE;
    }
    ERR_clear_error();
    return TLS_BROKEN;
}

void tls_close(struct tls_session *session, struct tls_io *io)
{
    ERR_clear_error();
    session->io = io;
    (void)SSL_shutdown(session->ssl); /* does not wait for the client's */
    session->io = NULL;
    ERR_clear_error();
}

uint32_t tls_key_updates(const struct tls_session *session)
{
    return session->key_updates;
}
