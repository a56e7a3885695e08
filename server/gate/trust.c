/* Certificate files.
 *
 * What is refused, and why:
 * - a CA file with anything but valid self-signed CA certificates: every certificate in it is an anchor, so an
 *   intermediate would become one behind its root's back;
 * - an intermediate that none of the roots signed, or that may have further CAs below it (its path length has to be 0,
 *   and it has to be made for signing certificates and lists): a chain has one intermediate at most, and one that the
 *   operator named, whatever else a root may have signed;
 * - a revocation list that is missing for a root or an intermediate, not signed by one, or outside its dates: without it
 *   nobody could tell a stolen certificate;
 * - a server certificate that has expired or does not fit its key;
 * - a deny line that is not a fingerprint.
 *
 * OpenSSL checks the chain, dates, lists and purpose in the handshake. For connections that are already open, the
 * serial numbers of the lists are kept as sorted digests, so that asking costs a search and no OpenSSL. */
#include "server/gate/trust.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libcoloan/certificate.h"
#include "libcoloan/sha256.h"

enum {
    FILE_BYTES_MAX = 16 * 1024 * 1024, /* a revocation list of 400,000 certificates */
    ROOTS_MAX = 16,
    INTERMEDIATES_MAX = 16,
    ISSUERS_MAX = ROOTS_MAX + INTERMEDIATES_MAX,
    CHAIN_MAX = 4,                    /* certificates beside the server's own */
    SERIAL_BYTES_MAX = 64,            /* DER; RFC 5280 allows 20 bytes of number */
    SECURITY_LEVEL = 2,               /* 112 bits: no SHA-1, RSA from 2048 */
    PEER_CHAIN_BYTES_MAX = 16 * 1024, /* of a client's certificates; one is enough and takes about 1 KiB */
};

struct digests {
    struct cl_digest *list; /* sorted */
    size_t count, room;
};

/* A CA of ours. */
struct issuer {
    X509 *certificate;
    struct cl_digest digest;
    bool is_root, listed; /* has a revocation list */
};

struct trust {
    atomic_uint references;
    SSL_CTX *context;
    struct issuer issuers[ISSUERS_MAX]; /* the roots first */
    size_t root_count, issuer_count;
    struct digests serials; /* revoked, as identity.serial */
    struct digests denied;  /* as identity.certificate */
};

/* What a load works on. */
struct loading {
    struct trust *trust;
    const struct gate_files *files;
    time_t now;
    struct gate_fault *fault;
};

static struct cl_status wrong(struct loading *loading, enum gate_file file, const char *text)
{
    *loading->fault = (struct gate_fault){.file = file, .text = text};
    return cl_fail(CL_CONFIG_INVALID);
}

/* -- Digests -------------------------------------------------------------------------------------------------- */

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct cl_digest));
}

static struct cl_status add_digest(struct digests *digests, const struct cl_digest *digest)
{
    if (digests->count == digests->room) {
        size_t room = digests->room == 0 ? 64 : digests->room * 2;
        struct cl_digest *list = reallocarray(digests->list, room, sizeof list[0]);
        if (list == NULL) {
            return cl_fail(CL_MEMORY_LIMIT);
        }
        digests->list = list;
        digests->room = room;
    }
    digests->list[digests->count++] = *digest;
    return cl_ok();
}

static void sort_digests(struct digests *digests)
{
    if (digests->count > 0) {
        qsort(digests->list, digests->count, sizeof digests->list[0], compare_digests);
    }
}

static bool has_digest(const struct digests *digests, const struct cl_digest *digest)
{
    return digests->count > 0 &&
           bsearch(digest, digests->list, digests->count, sizeof digests->list[0], compare_digests) != NULL;
}

static struct cl_digest certificate_digest(const X509 *certificate)
{
    struct cl_digest digest;
    unsigned len = sizeof digest.bytes;
    int done = X509_digest(certificate, EVP_sha256(), digest.bytes, &len);
    assert(done == 1);
    assert(len == sizeof digest.bytes);
    return digest;
}

static struct cl_status serial_digest(struct cl_digest *out, const struct cl_digest *issuer, const ASN1_INTEGER *serial)
{
    uint8_t der[SERIAL_BYTES_MAX];
    int len = i2d_ASN1_INTEGER(serial, NULL);
    if (len <= 0 || len > SERIAL_BYTES_MAX) {
        return cl_fail(CL_CERTIFICATE_IDENTITY);
    }
    uint8_t *end = der;
    (void)i2d_ASN1_INTEGER(serial, &end);
    struct cl_sha256 hash;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes(issuer->bytes, sizeof issuer->bytes));
    cl_sha256_add(&hash, cl_bytes(der, (size_t)len));
    cl_sha256_finish(&hash, out);
    return cl_ok();
}

/* -- Files ---------------------------------------------------------------------------------------------------- */

struct text {
    char *data;
    size_t len;
};

static void wipe_text(struct text *text)
{
    if (text->data != NULL) {
        OPENSSL_cleanse(text->data, text->len);
        free(text->data);
    }
    *text = (struct text){.data = NULL};
}

static bool read_all(int fd, char *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t got = read(fd, data + at, len - at);
        if (got <= 0) {
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

static struct cl_status read_text(struct text *out, struct loading *loading, enum gate_file file)
{
    int fd = open(gate_file_path(loading->files, file), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return wrong(loading, file, "the file cannot be opened");
    }
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size > FILE_BYTES_MAX) {
        (void)close(fd);
        return wrong(loading, file, "not a file of at most 16 MiB");
    }
    struct text text = {.len = (size_t)about.st_size};
    text.data = calloc(1, text.len + 1);
    bool whole = text.data != NULL && read_all(fd, text.data, text.len);
    (void)close(fd);
    if (!whole) {
        wipe_text(&text);
        return wrong(loading, file, "the file cannot be read");
    }
    *out = text;
    return cl_ok();
}

static struct cl_status read_bio(BIO **out, struct text *text, struct loading *loading, enum gate_file file)
{
    struct cl_status status = read_text(text, loading, file);
    if (cl_failed(status)) {
        return status;
    }
    BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
    if (bio == NULL) {
        wipe_text(text);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = bio;
    return cl_ok();
}

/* PEM readers return NULL at the end and on rubbish alike: true at the end. */
static bool at_end(void)
{
    unsigned long error = ERR_peek_last_error();
    bool end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return end;
}

/* The key files are never encrypted: nobody is there to type. */
static int no_password(char *buffer, int size, int writing, void *user)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

/* -- Roots ---------------------------------------------------------------------------------------------------- */

static bool is_current(struct loading *loading, const ASN1_TIME *from, const ASN1_TIME *until)
{
    time_t now = loading->now;
    return from != NULL && until != NULL && X509_cmp_time(from, &now) < 0 && X509_cmp_time(until, &now) > 0;
}

static struct cl_status add_issuer(struct trust *trust, X509 *certificate, bool is_root)
{
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(trust->context), certificate) != 1 ||
        X509_up_ref(certificate) != 1) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    trust->issuers[trust->issuer_count++] =
        (struct issuer){.certificate = certificate, .digest = certificate_digest(certificate), .is_root = is_root};
    return cl_ok();
}

static struct cl_status take_root(struct loading *loading, X509 *root)
{
    struct trust *trust = loading->trust;
    if (X509_check_ca(root) != 1) {
        return wrong(loading, GATE_FILE_CA, "a certificate is not that of a CA");
    }
    if (X509_self_signed(root, 1) != 1) {
        return wrong(loading, GATE_FILE_CA, "a certificate is not a self-signed root");
    }
    if (!is_current(loading, X509_get0_notBefore(root), X509_get0_notAfter(root))) {
        return wrong(loading, GATE_FILE_CA, "a root is not valid now");
    }
    if (trust->root_count == ROOTS_MAX) {
        return wrong(loading, GATE_FILE_CA, "more than 16 roots");
    }
    if (SSL_CTX_add_client_CA(trust->context, root) != 1) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = add_issuer(trust, root, true);
    trust->root_count = trust->issuer_count;
    return status;
}

/* Each certificate of a PEM file to `take`; at least one. */
static struct cl_status load_certificates(struct loading *loading, enum gate_file file,
                                          struct cl_status (*take)(struct loading *loading, X509 *certificate))
{
    struct text text;
    BIO *bio = NULL;
    struct cl_status status = read_bio(&bio, &text, loading, file);
    if (cl_failed(status)) {
        return status;
    }
    X509 *certificate = NULL;
    size_t count = 0;
    for (; cl_is_ok(status) && (certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL; count++) {
        status = take(loading, certificate);
        X509_free(certificate);
    }
    bool end = cl_failed(status) || at_end();
    BIO_free(bio);
    wipe_text(&text);
    if (cl_failed(status)) {
        return status;
    }
    return end && count > 0 ? cl_ok() : wrong(loading, file, "not certificates in PEM");
}

static struct cl_status load_roots(struct loading *loading)
{
    return load_certificates(loading, GATE_FILE_CA, take_root);
}

/* -- Intermediates --------------------------------------------------------------------------------------------- */

static bool signed_by_a_root(const struct trust *trust, X509 *certificate)
{
    bool found = false;
    for (size_t i = 0; i < trust->root_count && !found; i++) {
        X509 *root = trust->issuers[i].certificate;
        found =
            X509_check_issued(root, certificate) == X509_V_OK && X509_verify(certificate, X509_get0_pubkey(root)) == 1;
    }
    ERR_clear_error();
    return found;
}

static struct cl_status take_intermediate(struct loading *loading, X509 *certificate)
{
    static const uint32_t usages = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
    struct trust *trust = loading->trust;
    if (X509_check_ca(certificate) != 1 || X509_self_signed(certificate, 0) == 1) {
        return wrong(loading, GATE_FILE_INTERMEDIATES, "a certificate is not that of an intermediate CA");
    }
    if (X509_get_pathlen(certificate) != 0 || (X509_get_key_usage(certificate) & usages) != usages) {
        return wrong(loading, GATE_FILE_INTERMEDIATES,
                     "an intermediate needs pathlen:0 and keyUsage keyCertSign, cRLSign");
    }
    if (!is_current(loading, X509_get0_notBefore(certificate), X509_get0_notAfter(certificate))) {
        return wrong(loading, GATE_FILE_INTERMEDIATES, "an intermediate is not valid now");
    }
    if (!signed_by_a_root(trust, certificate)) {
        return wrong(loading, GATE_FILE_INTERMEDIATES, "an intermediate is not signed by a root of ours");
    }
    if (trust->issuer_count - trust->root_count == INTERMEDIATES_MAX) {
        return wrong(loading, GATE_FILE_INTERMEDIATES, "more than 16 intermediates");
    }
    return add_issuer(trust, certificate, false);
}

/* In the store an intermediate is no anchor (there is no PARTIAL_CHAIN): it only saves parties from sending it. */
static struct cl_status load_intermediates(struct loading *loading)
{
    if (loading->files->intermediates_path == NULL) {
        return cl_ok();
    }
    struct cl_status status = load_certificates(loading, GATE_FILE_INTERMEDIATES, take_intermediate);
    if (cl_is_ok(status)) {
        SSL_CTX_set_verify_depth(loading->trust->context, 1);
    }
    return status;
}

/* -- Revocation lists ----------------------------------------------------------------------------------------- */

static struct cl_status take_serials(struct trust *trust, const struct cl_digest *issuer, X509_CRL *list)
{
    STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(list);
    for (int i = 0; i < sk_X509_REVOKED_num(revoked); i++) { /* none: -1 */
        struct cl_digest digest;
        const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, i));
        struct cl_status status = serial_digest(&digest, issuer, serial);
        status = cl_failed(status) ? status : add_digest(&trust->serials, &digest);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

static bool is_list_of(X509_CRL *list, X509 *issuer)
{
    return X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(issuer)) == 0 &&
           X509_CRL_verify(list, X509_get0_pubkey(issuer)) == 1;
}

static struct cl_status take_list(struct loading *loading, X509_CRL *list)
{
    struct trust *trust = loading->trust;
    if (!is_current(loading, X509_CRL_get0_lastUpdate(list), X509_CRL_get0_nextUpdate(list))) {
        return wrong(loading, GATE_FILE_CRL, "a revocation list has expired or is not valid yet");
    }
    bool ours = false;
    for (size_t i = 0; i < trust->issuer_count; i++) {
        if (!is_list_of(list, trust->issuers[i].certificate)) {
            continue;
        }
        ours = trust->issuers[i].listed = true;
        struct cl_status status = take_serials(trust, &trust->issuers[i].digest, list);
        if (cl_failed(status)) {
            return status.reason == CL_MEMORY_LIMIT ? status
                                                    : wrong(loading, GATE_FILE_CRL, "a serial number is too long");
        }
    }
    ERR_clear_error();
    if (!ours) {
        return wrong(loading, GATE_FILE_CRL, "a revocation list is not of a root of ours");
    }
    return X509_STORE_add_crl(SSL_CTX_get_cert_store(trust->context), list) == 1 ? cl_ok() : cl_fail(CL_MEMORY_LIMIT);
}

static struct cl_status load_lists(struct loading *loading)
{
    struct text text;
    BIO *bio = NULL;
    struct cl_status status = read_bio(&bio, &text, loading, GATE_FILE_CRL);
    if (cl_failed(status)) {
        return status;
    }
    X509_CRL *list = NULL;
    while (cl_is_ok(status) && (list = PEM_read_bio_X509_CRL(bio, NULL, no_password, NULL)) != NULL) {
        status = take_list(loading, list);
        X509_CRL_free(list);
    }
    bool end = cl_failed(status) || at_end();
    BIO_free(bio);
    wipe_text(&text);
    if (cl_failed(status)) {
        return status;
    }
    if (!end) {
        return wrong(loading, GATE_FILE_CRL, "not revocation lists in PEM");
    }
    for (size_t i = 0; i < loading->trust->issuer_count; i++) {
        const struct issuer *issuer = &loading->trust->issuers[i];
        if (!issuer->listed) {
            return wrong(loading, GATE_FILE_CRL,
                         issuer->is_root ? "the revocation list of a root is missing"
                                         : "the revocation list of an intermediate is missing");
        }
    }
    sort_digests(&loading->trust->serials);
    return cl_ok();
}

/* -- Deny list ------------------------------------------------------------------------------------------------ */

static struct cl_status take_denied(struct loading *loading, const char *line, size_t len)
{
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r')) {
        len--;
    }
    if (len == 0 || line[0] == '#') {
        return cl_ok();
    }
    char hex[CL_DIGEST_HEX_BYTES] = "";
    struct cl_digest digest;
    if (len != sizeof hex - 1) {
        return wrong(loading, GATE_FILE_DENY, "a line is not 64 hex digits");
    }
    memcpy(hex, line, len);
    if (cl_failed(cl_hex_decode(digest.bytes, sizeof digest.bytes, hex))) {
        return wrong(loading, GATE_FILE_DENY, "a line is not 64 hex digits");
    }
    return add_digest(&loading->trust->denied, &digest);
}

static struct cl_status load_denied(struct loading *loading)
{
    struct text text;
    if (loading->files->deny_path == NULL) {
        return cl_ok();
    }
    struct cl_status status = read_text(&text, loading, GATE_FILE_DENY);
    if (cl_failed(status)) {
        return status;
    }
    const char *at = text.data;
    const char *end = text.data + text.len;
    while (cl_is_ok(status) && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        status = take_denied(loading, at, (size_t)(stop - at));
        at = stop + 1;
    }
    wipe_text(&text);
    sort_digests(&loading->trust->denied);
    return status;
}

/* -- The server's own certificate ----------------------------------------------------------------------------- */

static struct cl_status take_chain(struct loading *loading, BIO *bio)
{
    SSL_CTX *context = loading->trust->context;
    X509 *leaf = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    if (leaf == NULL) {
        ERR_clear_error();
        return wrong(loading, GATE_FILE_CERTIFICATE, "not a certificate in PEM");
    }
    bool current = is_current(loading, X509_get0_notBefore(leaf), X509_get0_notAfter(leaf));
    bool used = SSL_CTX_use_certificate(context, leaf) == 1;
    X509_free(leaf);
    if (!current || !used) {
        return wrong(loading, GATE_FILE_CERTIFICATE,
                     current ? "the certificate is too weak" : "the certificate is not valid now");
    }
    X509 *more = NULL;
    for (int i = 0; (more = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL; i++) {
        bool added = i < CHAIN_MAX && SSL_CTX_add1_chain_cert(context, more) == 1;
        X509_free(more);
        if (!added) {
            return wrong(loading, GATE_FILE_CERTIFICATE, "more than 4 certificates behind the first, or a weak one");
        }
    }
    return at_end() ? cl_ok() : wrong(loading, GATE_FILE_CERTIFICATE, "not certificates in PEM");
}

static struct cl_status load_certificate(struct loading *loading)
{
    struct text text;
    BIO *bio = NULL;
    struct cl_status status = read_bio(&bio, &text, loading, GATE_FILE_CERTIFICATE);
    if (cl_failed(status)) {
        return status;
    }
    status = take_chain(loading, bio);
    BIO_free(bio);
    wipe_text(&text);
    return status;
}

static struct cl_status load_key(struct loading *loading)
{
    SSL_CTX *context = loading->trust->context;
    struct text text;
    BIO *bio = NULL;
    struct cl_status status = read_bio(&bio, &text, loading, GATE_FILE_KEY);
    if (cl_failed(status)) {
        return status;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    wipe_text(&text);
    bool used = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    bool read = key != NULL;
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!used) {
        return wrong(loading, GATE_FILE_KEY, read ? "the key is not the certificate's" : "not a plain key in PEM");
    }
    return cl_ok();
}

/* -- Context -------------------------------------------------------------------------------------------------- */

/* The environment must not configure a server's TLS. */
static void init_openssl(void)
{
    int done = OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    assert(done == 1);
}

static struct cl_status create_context(struct trust *trust)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_openssl);
    SSL_CTX *context = trust->context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* 34 KB less for a connection that is silent */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, PEER_CHAIN_BYTES_MAX);
    SSL_CTX_set_verify_depth(context, 0); /* one more with intermediates */
    bool set = SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
               SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
               SSL_CTX_set_ciphersuites(
                   context, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
               SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
               SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1;
    assert(set); /* constants that OpenSSL 3 knows */
    /* No PARTIAL_CHAIN, and a missing list fails: both are what gRPC's own TLS does otherwise. */
    (void)X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return cl_ok();
}

static struct cl_status load_files(struct loading *loading)
{
    struct cl_status status = create_context(loading->trust);
    status = cl_failed(status) ? status : load_certificate(loading);
    status = cl_failed(status) ? status : load_key(loading);
    status = cl_failed(status) ? status : load_roots(loading);
    status = cl_failed(status) ? status : load_intermediates(loading);
    status = cl_failed(status) ? status : load_lists(loading);
    status = cl_failed(status) ? status : load_denied(loading);
    return status;
}

struct cl_status trust_load(struct trust **out, const struct gate_files *files, int64_t unix_ms,
                            struct gate_fault *fault_out)
{
    struct trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    atomic_init(&trust->references, 1);
    struct loading loading = {.trust = trust, .files = files, .now = (time_t)(unix_ms / 1000), .fault = fault_out};
    struct cl_status status = load_files(&loading);
    if (cl_failed(status)) {
        trust_unref(trust);
        return status;
    }
    *out = trust;
    return cl_ok();
}

struct trust *trust_ref(struct trust *trust)
{
    (void)atomic_fetch_add(&trust->references, 1);
    return trust;
}

void trust_unref(struct trust *trust)
{
    if (trust == NULL || atomic_fetch_sub(&trust->references, 1) != 1) {
        return;
    }
    SSL_CTX_free(trust->context);
    for (size_t i = 0; i < trust->issuer_count; i++) {
        X509_free(trust->issuers[i].certificate);
    }
    free(trust->serials.list);
    free(trust->denied.list);
    free(trust);
}

struct ssl_ctx_st *trust_context(struct trust *trust)
{
    return trust->context;
}

/* Of either kind, by its digest. */
static bool is_issuer(const struct trust *trust, const struct cl_digest *digest, bool root)
{
    for (size_t i = 0; i < trust->issuer_count; i++) {
        if (trust->issuers[i].is_root == root && cl_digest_equal(&trust->issuers[i].digest, digest)) {
            return true;
        }
    }
    return false;
}

bool trust_has_intermediate(const struct trust *trust, X509 *certificate)
{
    struct cl_digest digest = certificate_digest(certificate);
    return is_issuer(trust, &digest, false);
}

bool trust_withdrawn(const struct trust *trust, const struct identity *identity)
{
    if (!is_issuer(trust, &identity->root, true) || has_digest(&trust->serials, &identity->serial) ||
        has_digest(&trust->denied, &identity->certificate)) {
        return true;
    }
    return identity->has_intermediate && (!is_issuer(trust, &identity->intermediate, false) ||
                                          has_digest(&trust->serials, &identity->intermediate_serial) ||
                                          has_digest(&trust->denied, &identity->intermediate));
}

/* -- Identity ------------------------------------------------------------------------------------------------- */

static bool is_id(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool word = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');
        if (!word && (text[i] != '-' || i == 0)) {
            return false;
        }
    }
    return len > 0;
}

/* `party` is "<kind>:<id>", of a kind that may call. */
static bool is_caller(const char *party, size_t len)
{
    static const char *const kinds[] = {"fund:", "bank:", "channel:", "officer:"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t kind_len = strlen(kinds[i]);
        if (len > kind_len && memcmp(party, kinds[i], kind_len) == 0) {
            return is_id(party + kind_len, len - kind_len);
        }
    }
    return false;
}

static bool read_name(struct identity *out, X509 *leaf)
{
    return cl_certificate_party(out->party, leaf) && is_caller(out->party, strlen(out->party));
}

struct cl_status trust_identity(struct identity *out, X509 *leaf, X509 *intermediate, X509 *root)
{
    struct identity identity = {.certificate = certificate_digest(leaf), .root = certificate_digest(root)};
    struct tm until;
    if (X509_check_ca(leaf) != 0 || !read_name(&identity, leaf) ||
        ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &until) != 1) {
        return cl_fail(CL_CERTIFICATE_IDENTITY);
    }
    struct cl_status status = cl_ok();
    if (intermediate != NULL) {
        identity.has_intermediate = true;
        identity.intermediate = certificate_digest(intermediate);
        status = serial_digest(&identity.intermediate_serial, &identity.root, X509_get0_serialNumber(intermediate));
    }
    if (cl_is_ok(status)) {
        status = serial_digest(&identity.serial, intermediate == NULL ? &identity.root : &identity.intermediate,
                               X509_get0_serialNumber(leaf));
    }
    if (cl_failed(status)) {
        return status;
    }
    identity.not_after_ms = (int64_t)timegm(&until) * 1000;
    *out = identity;
    return cl_ok();
}
