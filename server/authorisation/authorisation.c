/* OpenSSL tells why a chain does not verify only through a callback; it leaves its last word in the store's own slot. */
#include "server/authorisation/authorisation.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <time.h>

enum {
    CHAIN_DEPTH_MAX = 4,  /* root, two in between, the signer */
    SECURITY_LEVEL = 2,   /* RSA from 2048 bits, no SHA-1 */
    CERTIFICATES_MAX = 8, /* that a letter may bring along */
    SIGNERS_MAX = 4,
};

struct authorisation {
    X509_STORE *store;
    int chain_error; /* X509_V_ERR_... of the letter being verified; X509_V_OK: none */
};

/* -- Life ---------------------------------------------------------------------------------------------------- */

static int note_error(int good, X509_STORE_CTX *context)
{
    struct authorisation *authorisation = X509_STORE_get_ex_data(X509_STORE_CTX_get0_store(context), 0);
    if (good == 0) {
        authorisation->chain_error = X509_STORE_CTX_get_error(context);
    }
    return good;
}

/* How many were added; -1 when one does not read. */
static int add_certificates(X509_STORE *store, BIO *pem)
{
    int count = 0;
    for (;;) {
        X509 *certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL);
        if (certificate == NULL) {
            unsigned long error = ERR_peek_last_error();
            bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
            return at_end ? count : -1;
        }
        int added = X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        if (added != 1) {
            return -1;
        }
        count++;
    }
}

static struct cl_status fill_store(struct authorisation *authorisation, const char *ca_pem)
{
    BIO *pem = BIO_new_mem_buf(ca_pem, -1);
    authorisation->store = X509_STORE_new();
    if (pem == NULL || authorisation->store == NULL ||
        X509_STORE_set_ex_data(authorisation->store, 0, authorisation) != 1) {
        BIO_free(pem);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    X509_STORE_set_verify_cb(authorisation->store, note_error);
    X509_VERIFY_PARAM *parameters = X509_STORE_get0_param(authorisation->store);
    X509_VERIFY_PARAM_set_depth(parameters, CHAIN_DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(parameters, SECURITY_LEVEL);
    int count = add_certificates(authorisation->store, pem);
    BIO_free(pem);
    ERR_clear_error();
    return count > 0 ? cl_ok() : cl_fail(CL_CONFIG_INVALID);
}

struct cl_status authorisation_create(struct authorisation **out, const char *ca_pem)
{
    struct authorisation *authorisation = calloc(1, sizeof *authorisation);
    if (authorisation == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = fill_store(authorisation, ca_pem);
    if (cl_failed(status)) {
        authorisation_free(authorisation);
        return status;
    }
    *out = authorisation;
    return cl_ok();
}

void authorisation_free(struct authorisation *authorisation)
{
    if (authorisation != NULL) {
        X509_STORE_free(authorisation->store);
        free(authorisation);
    }
}

/* -- Verifying ----------------------------------------------------------------------------------------------- */

/* A SignedData with content, and nothing behind it; NULL when it is something else. The caller frees it. */
static CMS_ContentInfo *read_message(struct cl_bytes der)
{
    const uint8_t *at = der.data;
    if (der.len == 0 || der.len > AUTHORISATION_LETTER_BYTES_MAX) {
        return NULL;
    }
    CMS_ContentInfo *message = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    if (message == NULL) {
        return NULL;
    }
    bool good = at == der.data + der.len && OBJ_obj2nid(CMS_get0_type(message)) == NID_pkcs7_signed;
    ASN1_OCTET_STRING **content = good ? CMS_get0_content(message) : NULL;
    good = content != NULL && *content != NULL;
    if (good) {
        STACK_OF(X509) *certificates = CMS_get1_certs(message);
        int signers = sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(message));
        good = signers >= 1 && signers <= SIGNERS_MAX && sk_X509_num(certificates) <= CERTIFICATES_MAX;
        sk_X509_pop_free(certificates, X509_free);
    }
    if (!good) {
        CMS_ContentInfo_free(message);
        return NULL;
    }
    return message;
}

static struct cl_status why(const struct authorisation *authorisation)
{
    switch (authorisation->chain_error) {
    case X509_V_OK:
        return cl_fail(CL_LETTER_SIGNATURE);
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return cl_fail(CL_LETTER_SIGNER_EXPIRED);
    default:
        return cl_fail(CL_LETTER_SIGNER);
    }
}

static struct cl_status verify(struct letter *out, struct authorisation *authorisation, CMS_ContentInfo *message,
                               int64_t now_ms)
{
    BIO *content = BIO_new(BIO_s_mem());
    if (content == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    authorisation->chain_error = X509_V_OK;
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(authorisation->store), (time_t)(now_ms / 1000));
    struct cl_status status = cl_ok();
    if (CMS_verify(message, NULL, authorisation->store, NULL, content, CMS_BINARY) != 1) {
        status = why(authorisation);
    }
    if (cl_is_ok(status)) {
        char *text = NULL;
        long len = BIO_get_mem_data(content, &text);
        status = letter_read(out, cl_bytes(text, len > 0 ? (size_t)len : 0));
    }
    BIO_free(content);
    return status;
}

struct cl_status authorisation_verify(struct letter *out, struct authorisation *authorisation, struct cl_bytes der,
                                      int64_t now_ms)
{
    CMS_ContentInfo *message = read_message(der);
    struct cl_status status = message == NULL ? cl_fail(CL_LETTER_FORM) : verify(out, authorisation, message, now_ms);
    CMS_ContentInfo_free(message);
    ERR_clear_error();
    return status;
}
