/* identity.h - who a client certificate says its owner is, and what is needed to see later that it is no longer good.
 *
 * Values only: filled once by the TLS handshake; any thread; cannot fail. */
#ifndef COLOAN_GATE_IDENTITY_H
#define COLOAN_GATE_IDENTITY_H

#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/limits.h"

struct identity {
    char party[CL_PARTY_BYTES_MAX + 1];
    struct cl_digest certificate; /* SHA-256 of its DER */
    struct cl_digest root;        /* SHA-256 of the root's DER */
    struct cl_digest serial;      /* SHA-256 of root and serial number: what revocation lists are searched for */
    int64_t not_after_ms;         /* Unix ms */
};

#endif
