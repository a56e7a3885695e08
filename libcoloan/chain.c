#include "libcoloan/chain.h"

#include "libcoloan/sha256.h"

#define DOMAIN "coloan events v1\n"

void cl_chain_next(struct cl_digest *out, const struct cl_digest *before, uint64_t sequence,
                   const struct cl_digest *event)
{
    struct cl_sha256 hash;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes_text(DOMAIN));
    cl_sha256_add(&hash, cl_bytes(before->bytes, sizeof before->bytes));
    cl_sha256_add_u32be(&hash, (uint32_t)(sequence >> 32));
    cl_sha256_add_u32be(&hash, (uint32_t)sequence);
    cl_sha256_add(&hash, cl_bytes(event->bytes, sizeof event->bytes));
    cl_sha256_finish(&hash, out);
}
