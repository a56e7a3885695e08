/* chain.h - one value that stands for all events a recipient was ever sent, so that two parties who keep them can find
 * the first one in which they differ by comparing a few values.
 *
 *   chain(0) = 32 zero bytes
 *   chain(n) = SHA-256("coloan events v1\n" || chain(n-1) || n as 8 bytes, big-endian || digest of event n)
 *
 * Values only; any thread; cannot fail. */
#ifndef COLOAN_CHAIN_H
#define COLOAN_CHAIN_H

#include <stdint.h>

#include "libcoloan/bytes.h"

/* `out` may be `before`. */
void cl_chain_next(struct cl_digest *out, const struct cl_digest *before, uint64_t sequence,
                   const struct cl_digest *event);

#endif
