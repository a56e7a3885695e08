/* batch.h - several messages of one sender signed at once: the optional profile "batch".
 *
 * The messages' PAEs are the leaves of a hash tree (RFC 6962): leaf = SHA-256(0x00 || PAE), node = SHA-256(0x01 || left
 * || right), an odd last node going up as it is. One signature over "coloan batch v1\n" || root || u32be count covers
 * all; each message carries its place and path and verifies alone.
 *
 * Values only; any thread. Input of a peer can only fail to verify. */
#ifndef COLOAN_BATCH_H
#define COLOAN_BATCH_H

#include <coloan/v1/envelope.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/limits.h"
#include "libcoloan/signer.h"

/* The siblings of one leaf from bottom to top. */
struct cl_batch_path {
    struct cl_digest siblings[CL_BATCH_DEPTH_MAX];
    size_t count;
};

void cl_batch_leaf(struct cl_digest *out, struct cl_bytes pae);

/* The tree over 1..CL_BATCH_MAX leaves: its root, and the path of each leaf. `leaves` is used up. */
void cl_batch_tree(struct cl_digest *root_out, struct cl_batch_path *paths_out, struct cl_digest *leaves, size_t count);

void cl_batch_sign(struct cl_signature *out, const struct cl_signer *signer, const struct cl_digest *root,
                   uint32_t count);

/* The root that a message with this proof belongs to; false when the proof is not one. */
bool cl_batch_root(struct cl_digest *out, struct cl_bytes pae, const Coloan__V1__BatchProof *proof);

bool cl_batch_verify(const struct cl_signature *signature, const struct cl_public_key *key,
                     const struct cl_digest *root, uint32_t count);

#endif
