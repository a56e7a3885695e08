/* Authorisation letters come from outside: the CMS message that OpenSSL reads, and the text that we do. What reads as a
 * letter keeps what its header promises. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/authorisation/authorisation.h"
#include "tests/support/letters.h"

#define NOW_MS INT64_C(1795000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct authorisation *with_a_ca(void)
{
    static struct authorisation *authorisation;
    if (authorisation == NULL) {
        struct letter_signer *root = letter_signer_create(NULL, true, NOW_MS, 100);
        char *pem = letter_signer_pem(root);
        struct cl_status status = authorisation_create(&authorisation, pem);
        assert(cl_is_ok(status));
        free(pem);
        letter_signer_free(root);
    }
    return authorisation;
}

static void check(const struct letter *letter)
{
    assert(letter->consent_count >= 1 && letter->consent_count <= LETTER_CONSENTS_MAX);
    for (size_t i = 0; i < letter->consent_count; i++) {
        const struct letter_consent *consent = &letter->consents[i];
        assert(consent->purpose >= 1 && consent->purpose <= 3 && consent->until_ms > 0);
        assert(memchr(consent->receiver, '\0', sizeof consent->receiver) != NULL && consent->receiver[0] != '\0');
        assert(memchr(consent->consent_id, '\0', sizeof consent->consent_id) != NULL && consent->consent_id[0] != '\0');
        assert(letter_grants(letter, &letter->person, consent));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct letter letter;
    if (cl_is_ok(letter_read(&letter, cl_bytes(data, size)))) {
        check(&letter);
    }
    /* Nobody here has a key of this CA. */
    struct cl_status status = authorisation_verify(&letter, with_a_ca(), cl_bytes(data, size), NOW_MS);
    assert(cl_failed(status));
    return 0;
}
