#include "libcoloan/sha256.h"

#include <sodium.h>

_Static_assert(sizeof(struct cl_sha256) >= sizeof(crypto_hash_sha256_state), "room for libsodium's state");
_Static_assert(CL_DIGEST_BYTES == crypto_hash_sha256_BYTES, "a digest is a SHA-256");

static crypto_hash_sha256_state *state_of(struct cl_sha256 *hash)
{
    return (crypto_hash_sha256_state *)(void *)hash->state;
}

void cl_sha256(struct cl_digest *out, struct cl_bytes bytes)
{
    (void)crypto_hash_sha256(out->bytes, bytes.data, bytes.len);
}

void cl_sha256_init(struct cl_sha256 *hash)
{
    (void)crypto_hash_sha256_init(state_of(hash));
}

void cl_sha256_add(struct cl_sha256 *hash, struct cl_bytes bytes)
{
    (void)crypto_hash_sha256_update(state_of(hash), bytes.data, bytes.len);
}

void cl_sha256_add_u32be(struct cl_sha256 *hash, uint32_t number)
{
    const uint8_t bytes[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    cl_sha256_add(hash, cl_bytes(bytes, sizeof bytes));
}

void cl_sha256_finish(struct cl_sha256 *hash, struct cl_digest *out)
{
    (void)crypto_hash_sha256_final(state_of(hash), out->bytes);
}
