/* certificate.h - whom a certificate names, by OpenSSL.
 *
 * Values only; any thread. A certificate that is none, or names nobody of the scheme, fits no party. */
#ifndef COLOAN_CERTIFICATE_H
#define COLOAN_CERTIFICATE_H

#include <stdbool.h>

/* True when the PEM certificate's only URI name is "urn:coloan:party:" and this party id. Its chain is not looked at. */
bool cl_certificate_names(const char *pem, const char *party);

#endif
