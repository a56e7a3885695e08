#include "tests/support/letters.h"

#include <assert.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct letter_signer {
    EVP_PKEY *key;
    X509 *certificate;
};

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

struct letter_signer *letter_signer_create(const struct letter_signer *issuer, bool is_ca, int64_t now_ms, int days)
{
    static long serial;
    struct letter_signer *signer = calloc(1, sizeof *signer);
    must(signer != NULL);
    signer->key = EVP_EC_gen("P-256");
    signer->certificate = X509_new();
    must(signer->key != NULL && signer->certificate != NULL);
    time_t now = (time_t)(now_ms / 1000);
    X509 *made = signer->certificate;
    must(X509_set_version(made, X509_VERSION_3) == 1);
    must(ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial) == 1);
    must(X509_time_adj_ex(X509_getm_notBefore(made), days < 0 ? days - 1 : -1, 0, &now) != NULL);
    must(X509_time_adj_ex(X509_getm_notAfter(made), days, 0, &now) != NULL);
    char name[32];
    (void)snprintf(name, sizeof name, "letters %ld", serial);
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                    -1, 0) == 1);
    must(X509_set_issuer_name(made, X509_get_subject_name(issuer == NULL ? made : issuer->certificate)) == 1);
    must(X509_set_pubkey(made, signer->key) == 1);
    add_extension(made, NID_basic_constraints, is_ca || issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(made, NID_key_usage, is_ca || issuer == NULL ? "critical,keyCertSign" : "critical,digitalSignature");
    EVP_PKEY *signing = issuer == NULL ? signer->key : issuer->key;
    must(X509_sign(made, signing, EVP_sha256()) > 0);
    return signer;
}

void letter_signer_free(struct letter_signer *signer)
{
    if (signer != NULL) {
        X509_free(signer->certificate);
        EVP_PKEY_free(signer->key);
        free(signer);
    }
}

char *letter_signer_pem(const struct letter_signer *signer)
{
    char *bytes = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    must(bio != NULL && PEM_write_bio_X509(bio, signer->certificate) == 1);
    long len = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)len);
    must(text != NULL);
    BIO_free(bio);
    return text;
}

size_t letter_sign(uint8_t **out, const struct letter_signer *signer, const struct letter_signer *between,
                   const char *text, bool detached)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    BIO *content = BIO_new_mem_buf(text, -1);
    must(chain != NULL && content != NULL);
    must(between == NULL || sk_X509_push(chain, between->certificate) > 0);
    unsigned flags = CMS_BINARY | CMS_NOSMIMECAP | (detached ? CMS_DETACHED : 0);
    CMS_ContentInfo *message = CMS_sign(NULL, NULL, chain, content, flags | CMS_PARTIAL);
    must(message != NULL);
    must(CMS_add1_signer(message, signer->certificate, signer->key, EVP_sha256(), flags) != NULL);
    must(CMS_final(message, content, NULL, flags) == 1);
    uint8_t *der = NULL;
    int len = i2d_CMS_ContentInfo(message, &der);
    must(len > 0);
    *out = malloc((size_t)len);
    must(*out != NULL);
    memcpy(*out, der, (size_t)len);
    OPENSSL_free(der);
    CMS_ContentInfo_free(message);
    BIO_free(content);
    sk_X509_free(chain);
    return (size_t)len;
}
