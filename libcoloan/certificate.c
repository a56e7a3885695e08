#include "libcoloan/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define PARTY_URN "urn:coloan:party:"

/* The one URI among the alternative names, or NULL. Names of other kinds do not matter. */
static const ASN1_IA5STRING *only_uri(const GENERAL_NAMES *names)
{
    const ASN1_IA5STRING *uri = NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI) {
            continue;
        }
        if (uri != NULL) {
            return NULL;
        }
        uri = name->d.uniformResourceIdentifier;
    }
    return uri;
}

static bool read_party(char out[CL_PARTY_BYTES_MAX + 1], const ASN1_IA5STRING *uri)
{
    static const size_t prefix_len = sizeof PARTY_URN - 1;
    const unsigned char *text = ASN1_STRING_get0_data(uri);
    size_t len = (size_t)ASN1_STRING_length(uri);
    if (len <= prefix_len || len - prefix_len > CL_PARTY_BYTES_MAX || memcmp(text, PARTY_URN, prefix_len) != 0 ||
        memchr(text, '\0', len) != NULL) {
        return false;
    }
    memcpy(out, text + prefix_len, len - prefix_len);
    out[len - prefix_len] = '\0';
    return true;
}

bool cl_certificate_party(char out[CL_PARTY_BYTES_MAX + 1], struct x509_st *certificate)
{
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    if (names == NULL) { /* none, or the extension stands twice */
        return false;
    }
    const ASN1_IA5STRING *uri = only_uri(names);
    bool named = uri != NULL && read_party(out, uri);
    GENERAL_NAMES_free(names);
    return named;
}

bool cl_certificate_names(const char *pem, const char *party)
{
    char named[CL_PARTY_BYTES_MAX + 1];
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool fits = certificate != NULL && cl_certificate_party(named, certificate) && strcmp(named, party) == 0;
    X509_free(certificate);
    BIO_free(bio);
    return fits;
}
