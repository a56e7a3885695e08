/* sha256.h - SHA-256 (FIPS 180-4), by libsodium.
 *
 * Values only; any thread; cannot fail. */
#ifndef COLOAN_SHA256_H
#define COLOAN_SHA256_H

#include <stdint.h>

#include "libcoloan/bytes.h"

void cl_sha256(struct cl_digest *out, struct cl_bytes bytes);

/* In pieces. Aligned storage for libsodium's state, so that its header stays private. */
struct cl_sha256 {
    _Alignas(16) uint8_t state[128];
};

void cl_sha256_init(struct cl_sha256 *hash);
void cl_sha256_add(struct cl_sha256 *hash, struct cl_bytes bytes);
void cl_sha256_add_u32be(struct cl_sha256 *hash, uint32_t number);
void cl_sha256_finish(struct cl_sha256 *hash, struct cl_digest *out);

#endif
