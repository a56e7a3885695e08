/* authorisation.h - whether an authorisation letter is signed by somebody whom a trusted CA vouches for.
 *
 * A letter is a DER CMS SignedData (RFC 5652) with its content inside; every signer in it has to verify, with a
 * certificate that chains to one of the configured CAs, is valid now and may sign. What a compromised or revoked signer
 * signed is the CA's business until its certificate ends: an application is decided long before.
 *
 * The only module besides the gate and libcoloan/certificate that speaks to OpenSSL. A struct authorisation is used by
 * one thread at a time, in the server the writer. Fails: as said at each function. */
#ifndef COLOAN_AUTHORISATION_AUTHORISATION_H
#define COLOAN_AUTHORISATION_AUTHORISATION_H

#include "server/authorisation/letter.h"

/* A signature with its chain takes some 5 KiB; what is longer is no letter. */
#define AUTHORISATION_LETTER_BYTES_MAX CL_DOCUMENT_CHUNK_BYTES

struct authorisation;

/* Reads the CA certificates of a PEM text. CONFIG_INVALID when there are none or one does not read; MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status authorisation_create(struct authorisation **out, const char *ca_pem);
void authorisation_free(struct authorisation *authorisation); /* NULL is fine */

/* Verifies a letter and reads what it says. LETTER_FORM when it is no such message or says something else,
 * LETTER_SIGNATURE, LETTER_SIGNER (no trusted CA stands behind the signer), LETTER_SIGNER_EXPIRED. */
CL_MUST_CHECK struct cl_status authorisation_verify(struct letter *out, struct authorisation *authorisation,
                                                    struct cl_bytes der, int64_t now_ms);

#endif
