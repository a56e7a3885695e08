#include "libcoloan/batch.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/sha256.h"

_Static_assert(1 << CL_BATCH_DEPTH_MAX == CL_BATCH_MAX, "a path is as long as the tree is high");

static const char domain[] = "coloan batch v1\n";

enum { SIGNED_BYTES = sizeof domain - 1 + CL_DIGEST_BYTES + 4 };

/* The first byte keeps a leaf from passing for a node. */
void cl_batch_leaf(struct cl_digest *out, struct cl_bytes pae)
{
    const uint8_t zero = 0;
    struct cl_sha256 hash;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes(&zero, 1));
    cl_sha256_add(&hash, pae);
    cl_sha256_finish(&hash, out);
}

static struct cl_digest node(const struct cl_digest *left, const struct cl_digest *right)
{
    const uint8_t one = 1;
    struct cl_sha256 hash;
    struct cl_digest digest;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes(&one, 1));
    cl_sha256_add(&hash, cl_bytes(left->bytes, sizeof left->bytes));
    cl_sha256_add(&hash, cl_bytes(right->bytes, sizeof right->bytes));
    cl_sha256_finish(&hash, &digest);
    return digest;
}

/* In a row of `width` nodes the last one has no sibling when the width is odd. */
static bool is_alone(size_t index, size_t width)
{
    return index == width - 1 && width % 2 == 1;
}

void cl_batch_tree(struct cl_digest *root_out, struct cl_batch_path *paths_out, struct cl_digest *leaves, size_t count)
{
    assert(count >= 1);
    assert(count <= CL_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        paths_out[i].count = 0;
    }
    unsigned level = 0;
    for (size_t width = count; width > 1; width = (width + 1) / 2, level++) {
        for (size_t i = 0; i < count; i++) {
            size_t at = i >> level;
            if (!is_alone(at, width)) {
                paths_out[i].siblings[paths_out[i].count++] = leaves[at ^ 1];
            }
        }
        for (size_t i = 0; i < width; i += 2) {
            leaves[i / 2] = is_alone(i, width) ? leaves[i] : node(&leaves[i], &leaves[i + 1]);
        }
    }
    *root_out = leaves[0];
}

bool cl_batch_root(struct cl_digest *out, struct cl_bytes pae, const Coloan__V1__BatchProof *proof)
{
    struct cl_digest digest;
    size_t used = 0;
    size_t at = proof->index;
    if (proof->count == 0 || proof->count > CL_BATCH_MAX || proof->index >= proof->count) {
        return false;
    }
    cl_batch_leaf(&digest, pae);
    for (size_t width = proof->count; width > 1; width = (width + 1) / 2, at /= 2) {
        struct cl_digest sibling;
        if (is_alone(at, width)) {
            continue;
        }
        if (used == proof->n_path || proof->path[used].len != sizeof sibling.bytes) {
            return false;
        }
        memcpy(sibling.bytes, proof->path[used++].data, sizeof sibling.bytes);
        digest = at % 2 == 1 ? node(&sibling, &digest) : node(&digest, &sibling);
    }
    if (used != proof->n_path) {
        return false;
    }
    *out = digest;
    return true;
}

static void signed_text(uint8_t out[SIGNED_BYTES], const struct cl_digest *root, uint32_t count)
{
    const uint8_t number[] = {(uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8), (uint8_t)count};
    memcpy(out, domain, sizeof domain - 1);
    memcpy(out + sizeof domain - 1, root->bytes, sizeof root->bytes);
    memcpy(out + sizeof domain - 1 + sizeof root->bytes, number, sizeof number);
}

void cl_batch_sign(struct cl_signature *out, const struct cl_signer *signer, const struct cl_digest *root,
                   uint32_t count)
{
    uint8_t text[SIGNED_BYTES];
    signed_text(text, root, count);
    cl_sign(out, signer, cl_bytes(text, sizeof text));
}

bool cl_batch_verify(const struct cl_signature *signature, const struct cl_public_key *key,
                     const struct cl_digest *root, uint32_t count)
{
    uint8_t text[SIGNED_BYTES];
    signed_text(text, root, count);
    return cl_signature_verify(signature, key, cl_bytes(text, sizeof text));
}
