/* trust.h - the certificate files, read and checked: what a handshake is verified with, and who is no longer good.
 *
 * A struct trust never changes; a reload makes a new one. It is reference counted, any thread. Loading fails on
 * everything that is not exactly right, because a wrong file here opens the door: see trust.c. */
#ifndef COLOAN_GATE_TRUST_H
#define COLOAN_GATE_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/status.h"
#include "server/gate/gate.h"
#include "server/gate/identity.h"

struct ssl_ctx_st;
struct x509_st;
struct trust;

/* CONFIG_INVALID with what is wrong, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status trust_load(struct trust **out, const struct gate_files *files, int64_t unix_ms,
                                          struct gate_fault *fault_out);
struct trust *trust_ref(struct trust *trust); /* returns `trust` */
void trust_unref(struct trust *trust);        /* NULL is fine */

/* OpenSSL's context for handshakes, borrowed. What is specific to sessions is set by tls.c. */
struct ssl_ctx_st *trust_context(struct trust *trust);

/* Whether it is one of the intermediates that the operator named: a root's signature alone does not make one. */
bool trust_has_intermediate(const struct trust *trust, struct x509_st *certificate);

/* True when the certificate or its intermediate is on a revocation or deny list, or its root or intermediate is not
 * ours. */
bool trust_withdrawn(const struct trust *trust, const struct identity *identity);

/* The identity in a certificate that a root signed, or an intermediate (NULL: none) that a root signed, in a chain that
 * was verified. CERTIFICATE_IDENTITY when it does not hold exactly one URI name
 * "urn:coloan:party:<kind>:<id>" of a kind that may call, or is a CA's. The common name is never read. */
CL_MUST_CHECK struct cl_status trust_identity(struct identity *out, struct x509_st *leaf, struct x509_st *intermediate,
                                              struct x509_st *root);

#endif
