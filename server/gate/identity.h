/* identity.h - who a client certificate says its owner is, and what is needed to see later that it is no longer good.
 *
 * Values only: filled once by the TLS handshake; any thread; cannot fail. */
#ifndef COLOAN_GATE_IDENTITY_H
#define COLOAN_GATE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/limits.h"

struct identity {
    char party[CL_PARTY_BYTES_MAX + 1];
    struct cl_digest certificate; /* SHA-256 of its DER */
    struct cl_digest root;        /* SHA-256 of the root's DER */
    struct cl_digest serial;      /* SHA-256 of issuer and serial number: what revocation lists are searched for */
    bool has_intermediate;        /* it stands between the certificate and the root: */
    struct cl_digest intermediate, intermediate_serial; /* as `root` and `serial` */
    int64_t not_after_ms;                               /* Unix ms */
};

#endif
