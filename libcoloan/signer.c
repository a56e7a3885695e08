/* The private key's file is parsed here and not by OpenSSL, so that the key passes through no memory but ours, and so
 * that only one library in the process ever handles signatures: OpenSSL 3.0 accepts signatures that libsodium refuses.
 *
 * PKCS#8 of an Ed25519 key without attributes is 16 fixed bytes and the seed (RFC 8410): 48 bytes, 64 characters of
 * base64 without padding. Nothing else is accepted. */
#include "libcoloan/signer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/crypto.h"
#include "libcoloan/ids.h"
#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"

#define PEM_BEGIN "-----BEGIN PRIVATE KEY-----\n"
#define PEM_END   "\n-----END PRIVATE KEY-----"

_Static_assert(CL_KEY_SEED_BYTES == crypto_sign_SEEDBYTES, "an Ed25519 seed");
_Static_assert(CL_PUBLIC_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "an Ed25519 key");
_Static_assert(CL_SIGNATURE_BYTES == crypto_sign_BYTES, "an Ed25519 signature");

static const uint8_t pkcs8_prefix[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                       0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
static const char possession_domain[] = "coloan key possession v1\n";

enum {
    PREFIX_BYTES = sizeof pkcs8_prefix,
    DER_BYTES = PREFIX_BYTES + CL_KEY_SEED_BYTES,
    BASE64_BYTES = DER_BYTES / 3 * 4,
    FILE_BYTES_MAX = 256, /* twice what openssl writes; a longer file is not a key */
    POSSESSION_BYTES_MAX = sizeof possession_domain + 2 * (CL_PARTY_BYTES_MAX + 1) + CL_PUBLIC_KEY_BYTES
};

struct cl_signer {
    char party[CL_PARTY_BYTES_MAX + 1];
    struct cl_public_key public_key;
    struct cl_keyid keyid;
    uint8_t *secret; /* crypto_sign_SECRETKEYBYTES in guarded memory */
};

void cl_keyid(struct cl_keyid *out, enum cl_key_algorithm algorithm, struct cl_bytes public_key)
{
    const uint8_t number = (uint8_t)algorithm;
    struct cl_sha256 hash;
    struct cl_digest digest;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes(&number, 1));
    cl_sha256_add(&hash, public_key);
    cl_sha256_finish(&hash, &digest);
    cl_hex_encode(out->text, cl_bytes(digest.bytes, CL_DIGEST_BYTES / 2));
}

/* -- Private keys -------------------------------------------------------------------------------------------- */

struct cl_status cl_signer_from_seed(struct cl_signer **out, const uint8_t seed[CL_KEY_SEED_BYTES], const char *party)
{
    if (!cl_party_valid(party)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    cl_crypto_ready();
    struct cl_signer *signer = calloc(1, sizeof *signer);
    uint8_t *secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    if (signer == NULL || secret == NULL) {
        free(signer);
        sodium_free(secret);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    (void)crypto_sign_seed_keypair(signer->public_key.bytes, secret, seed);
    (void)sodium_mprotect_readonly(secret);
    signer->secret = secret;
    memcpy(signer->party, party, strlen(party) + 1);
    cl_keyid(&signer->keyid, CL_KEY_ED25519, cl_bytes(signer->public_key.bytes, CL_PUBLIC_KEY_BYTES));
    *out = signer;
    return cl_ok();
}

/* The base64 inside a PEM of exactly the shape above; one newline at the end may be missing. */
static bool find_base64(const char **out, struct cl_bytes pem)
{
    const size_t begin = sizeof PEM_BEGIN - 1;
    const size_t end = sizeof PEM_END - 1;
    const size_t whole = begin + BASE64_BYTES + end;
    const char *text = (const char *)pem.data;
    if (pem.len != whole && !(pem.len == whole + 1 && text[whole] == '\n')) {
        return false;
    }
    *out = text + begin;
    return memcmp(text, PEM_BEGIN, begin) == 0 && memcmp(text + begin + BASE64_BYTES, PEM_END, end) == 0;
}

struct cl_status cl_signer_parse(struct cl_signer **out, struct cl_bytes pem, const char *party)
{
    const char *base64 = NULL;
    uint8_t der[DER_BYTES];
    size_t len = 0;
    if (!find_base64(&base64, pem)) {
        return cl_fail(CL_KEY_FILE_INVALID);
    }
    struct cl_status status = cl_fail(CL_KEY_FILE_INVALID);
    if (sodium_base642bin(der, sizeof der, base64, BASE64_BYTES, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) ==
            0 &&
        len == sizeof der && memcmp(der, pkcs8_prefix, PREFIX_BYTES) == 0) {
        status = cl_signer_from_seed(out, der + PREFIX_BYTES, party);
    }
    sodium_memzero(der, sizeof der);
    return status;
}

static struct cl_status check_mode(int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    bool private = (info.st_mode & 07177) == 0 && (info.st_uid == geteuid() || info.st_uid == 0);
    return S_ISREG(info.st_mode) && private ? cl_ok() : cl_fail(CL_KEY_FILE_MODE);
}

/* Reads to the end of the file, or until the buffer is full. */
static struct cl_status read_file(size_t *len_out, int fd, uint8_t buffer[FILE_BYTES_MAX])
{
    size_t len = 0;
    while (len < FILE_BYTES_MAX) {
        ssize_t got = read(fd, buffer + len, FILE_BYTES_MAX - len);
        if (got < 0 && errno != EINTR) {
            return cl_fail(CL_SYSTEM);
        }
        if (got == 0) {
            break;
        }
        len += got > 0 ? (size_t)got : 0;
    }
    *len_out = len;
    return cl_ok();
}

struct cl_status cl_signer_load(struct cl_signer **out, const char *path, const char *party)
{
    uint8_t text[FILE_BYTES_MAX];
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* does not wait for the writer of a pipe */
    if (fd < 0) {
        return cl_fail(errno == ENOENT || errno == ENOTDIR ? CL_KEY_FILE_MISSING : CL_SYSTEM);
    }
    cl_crypto_ready();
    struct cl_status status = check_mode(fd);
    if (cl_is_ok(status)) {
        status = read_file(&len, fd, text);
    }
    if (cl_is_ok(status)) {
        status = cl_signer_parse(out, cl_bytes(text, len), party);
    }
    sodium_memzero(text, sizeof text);
    (void)close(fd);
    return status;
}

void cl_signer_free(struct cl_signer *signer)
{
    if (signer == NULL) {
        return;
    }
    sodium_free(signer->secret); /* wipes */
    free(signer);
}

const char *cl_signer_party(const struct cl_signer *signer)
{
    return signer->party;
}

const struct cl_public_key *cl_signer_public_key(const struct cl_signer *signer)
{
    return &signer->public_key;
}

const struct cl_keyid *cl_signer_keyid(const struct cl_signer *signer)
{
    return &signer->keyid;
}

/* -- Signatures ---------------------------------------------------------------------------------------------- */

void cl_sign(struct cl_signature *out, const struct cl_signer *signer, struct cl_bytes message)
{
    (void)crypto_sign_detached(out->bytes, NULL, message.data, message.len, signer->secret);
}

bool cl_signature_verify(const struct cl_signature *signature, const struct cl_public_key *key, struct cl_bytes message)
{
    cl_crypto_ready();
    return crypto_sign_verify_detached(signature->bytes, message.data, message.len, key->bytes) == 0;
}

bool cl_public_key_strong(const struct cl_public_key *key)
{
    cl_crypto_ready();
    return crypto_core_ed25519_is_valid_point(key->bytes) == 1;
}

static void append(uint8_t *buffer, size_t *len, const void *data, size_t count)
{
    memcpy(buffer + *len, data, count);
    *len += count;
}

/* Returns the length written; 0 when a text is too long to be a party or an environment. */
static size_t possession_text(uint8_t out[POSSESSION_BYTES_MAX], const char *party, const char *environment,
                              const struct cl_public_key *key)
{
    size_t party_len = strnlen(party, CL_PARTY_BYTES_MAX + 1);
    size_t environment_len = strnlen(environment, CL_PARTY_BYTES_MAX + 1);
    size_t len = 0;
    if (party_len > CL_PARTY_BYTES_MAX || environment_len > CL_PARTY_BYTES_MAX) {
        return 0;
    }
    append(out, &len, possession_domain, sizeof possession_domain - 1);
    append(out, &len, party, party_len);
    append(out, &len, "\n", 1);
    append(out, &len, environment, environment_len);
    append(out, &len, "\n", 1);
    append(out, &len, key->bytes, sizeof key->bytes);
    return len;
}

void cl_possession_prove(struct cl_signature *out, const struct cl_signer *signer, const char *environment)
{
    uint8_t text[POSSESSION_BYTES_MAX];
    size_t len = possession_text(text, signer->party, environment, &signer->public_key);
    assert(len > 0);
    cl_sign(out, signer, cl_bytes(text, len));
}

bool cl_possession_verify(const struct cl_signature *proof, const struct cl_public_key *key, const char *party,
                          const char *environment)
{
    uint8_t text[POSSESSION_BYTES_MAX];
    size_t len = possession_text(text, party, environment, key);
    return len > 0 && cl_signature_verify(proof, key, cl_bytes(text, len));
}
