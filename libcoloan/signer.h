/* signer.h - Ed25519 keys: a private key read from its file, signatures, and the ids of public keys.
 *
 * A struct cl_signer is immutable after it was made and may be used by any number of threads; whoever made it frees
 * it, which wipes the key. The key lives in guarded, locked memory (sodium_malloc). Only libsodium signs and verifies.
 * Fails: reading the file; verifying. */
#ifndef COLOAN_SIGNER_H
#define COLOAN_SIGNER_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

#define CL_KEY_SEED_BYTES   32
#define CL_PUBLIC_KEY_BYTES 32
#define CL_SIGNATURE_BYTES  64
#define CL_KEYID_BYTES_MAX  33 /* 32 hex digits, with the NUL */

struct cl_public_key {
    uint8_t bytes[CL_PUBLIC_KEY_BYTES];
};

struct cl_signature {
    uint8_t bytes[CL_SIGNATURE_BYTES];
};

struct cl_keyid {
    char text[CL_KEYID_BYTES_MAX];
};

/* The numbers of coloan.v1.KeyAlgorithm; the number is the byte that is hashed into a key id. */
enum cl_key_algorithm { CL_KEY_ED25519 = 1, CL_KEY_SM2_SM3 = 2 };

/* Hex of the first 16 bytes of SHA-256(algorithm || public key), the algorithm being one byte. */
void cl_keyid(struct cl_keyid *out, enum cl_key_algorithm algorithm, struct cl_bytes public_key);

/* -- Private keys -------------------------------------------------------------------------------------------- */

struct cl_signer;

/* Reads a PEM PKCS#8 Ed25519 key, as `openssl genpkey -algorithm ED25519` writes it, that belongs to `party`.
 * KEY_FILE_MISSING; KEY_FILE_MODE when others than its owner (this process's user or root) could read it or it is not
 * a regular file; KEY_FILE_INVALID when it holds anything else; FIELD_INVALID when `party` is not a party id; SYSTEM.
 */
CL_MUST_CHECK struct cl_status cl_signer_load(struct cl_signer **out, const char *path, const char *party);

/* Reads the same from the text of such a file. KEY_FILE_INVALID, FIELD_INVALID, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_signer_parse(struct cl_signer **out, struct cl_bytes pem, const char *party);

/* From a seed, for tools and tests. FIELD_INVALID, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_signer_from_seed(struct cl_signer **out, const uint8_t seed[CL_KEY_SEED_BYTES],
                                                   const char *party);

void cl_signer_free(struct cl_signer *signer); /* NULL is fine */

/* Borrowed from the signer. */
const char *cl_signer_party(const struct cl_signer *signer);
const struct cl_public_key *cl_signer_public_key(const struct cl_signer *signer);
const struct cl_keyid *cl_signer_keyid(const struct cl_signer *signer);

/* -- Signatures ---------------------------------------------------------------------------------------------- */

void cl_sign(struct cl_signature *out, const struct cl_signer *signer, struct cl_bytes message);

/* Pure Ed25519 as libsodium verifies it: no small-order or non-canonical key or R, S < L. */
bool cl_signature_verify(const struct cl_signature *signature, const struct cl_public_key *key,
                         struct cl_bytes message);

/* True when the key is a canonical point of the main subgroup: only such keys may be registered. */
bool cl_public_key_strong(const struct cl_public_key *key);

/* Possession proofs sign "coloan key possession v1\n" || party || "\n" || environment || "\n" || public key.
 * Both texts are at most CL_PARTY_BYTES_MAX bytes. */
void cl_possession_prove(struct cl_signature *out, const struct cl_signer *signer, const char *environment);
bool cl_possession_verify(const struct cl_signature *proof, const struct cl_public_key *key, const char *party,
                          const char *environment);

#endif
