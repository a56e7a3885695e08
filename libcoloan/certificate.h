/* certificate.h - whom a certificate names, by OpenSSL.
 *
 * A party's id stands in its certificate as the only URI name, "urn:coloan:party:<party id>". The common name is never
 * read, and the chain is not looked at here. Values only; any thread. */
#ifndef COLOAN_CERTIFICATE_H
#define COLOAN_CERTIFICATE_H

#include <stdbool.h>

#include "libcoloan/limits.h"

struct x509_st;

/* The text after "urn:coloan:party:", of 1..CL_PARTY_BYTES_MAX bytes without a NUL; whether it is a party id is the
 * caller's question. False, and `out` is untouched, without exactly one URI name of that form. */
bool cl_certificate_party(char out[CL_PARTY_BYTES_MAX + 1], struct x509_st *certificate);

/* True when the PEM certificate names this party. */
bool cl_certificate_names(const char *pem, const char *party);

#endif
