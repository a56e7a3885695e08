#include "libcoloan/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static const char prefix[] = "urn:coloan:party:";

static bool fits(const ASN1_STRING *uri, const char *party)
{
    size_t prefix_len = sizeof prefix - 1;
    size_t party_len = strlen(party);
    const unsigned char *text = ASN1_STRING_get0_data(uri);
    return (size_t)ASN1_STRING_length(uri) == prefix_len + party_len && memcmp(text, prefix, prefix_len) == 0 &&
           memcmp(text + prefix_len, party, party_len) == 0;
}

/* The only URI name, or NULL. */
static const ASN1_STRING *only_uri(const GENERAL_NAMES *names)
{
    const ASN1_STRING *uri = NULL;
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

bool cl_certificate_names(const char *pem, const char *party)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    GENERAL_NAMES *names = certificate == NULL ? NULL : X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const ASN1_STRING *uri = names == NULL ? NULL : only_uri(names);
    bool named = uri != NULL && fits(uri, party);
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    BIO_free(bio);
    return named;
}
