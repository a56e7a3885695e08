/* Who may sign a letter, with real certificates: chains, ends, foreign CAs, changed bytes, and messages of other kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/authorisation/authorisation.h"
#include "tests/support/letters.h"

#define NOW_MS INT64_C(1795000000000)

static const char text[] = "coloan authorisation v1\n"
                           "person 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
                           "consent SHARE bank:cn-alpha-js 1800000000000 c-4\n\n同意。\n";

enum who { ROOT, BETWEEN, SIGNER, DEEP_SIGNER, ENDED, NOT_YET, FOREIGN_ROOT, FOREIGN_SIGNER, WHO };

static struct letter_signer *who[WHO];
static struct authorisation *authorisation;

static int set_up(void **state)
{
    (void)state;
    who[ROOT] = letter_signer_create(NULL, true, NOW_MS, 100);
    who[BETWEEN] = letter_signer_create(who[ROOT], true, NOW_MS, 100);
    who[SIGNER] = letter_signer_create(who[ROOT], false, NOW_MS, 100);
    who[DEEP_SIGNER] = letter_signer_create(who[BETWEEN], false, NOW_MS, 100);
    who[ENDED] = letter_signer_create(who[ROOT], false, NOW_MS, -1);
    who[NOT_YET] = letter_signer_create(who[ROOT], false, NOW_MS + INT64_C(50) * 86400000, 20);
    who[FOREIGN_ROOT] = letter_signer_create(NULL, true, NOW_MS, 100);
    who[FOREIGN_SIGNER] = letter_signer_create(who[FOREIGN_ROOT], false, NOW_MS, 100);
    char *root = letter_signer_pem(who[ROOT]);
    bool made = cl_is_ok(authorisation_create(&authorisation, root));
    free(root);
    return made ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    authorisation_free(authorisation);
    for (int i = 0; i < WHO; i++) {
        letter_signer_free(who[i]);
    }
    return 0;
}

static const char *verdict(const uint8_t *der, size_t len, int64_t now_ms)
{
    struct letter letter;
    struct cl_status status = authorisation_verify(&letter, authorisation, cl_bytes(der, len), now_ms);
    if (cl_is_ok(status)) {
        assert_int_equal(letter.consent_count, 1);
        assert_string_equal(letter.consents[0].consent_id, "c-4");
    }
    return cl_status_name(status);
}

static void test_who_may_sign(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum who signer, between;
        const char *said;
        bool detached;
        int64_t after_days;
        const char *expected;
    } rows[] = {
        {"of the root", SIGNER, WHO, text, false, 0, "OK"},
        {"of a CA in between", DEEP_SIGNER, BETWEEN, text, false, 0, "OK"},
        {"the chain left out", DEEP_SIGNER, WHO, text, false, 0, "LETTER_SIGNER"},
        {"of a foreign root", FOREIGN_SIGNER, WHO, text, false, 0, "LETTER_SIGNER"},
        {"of a foreign root that comes along", FOREIGN_SIGNER, FOREIGN_ROOT, text, false, 0, "LETTER_SIGNER"},
        {"a CA itself", BETWEEN, WHO, text, false, 0, "LETTER_SIGNER"},
        {"ended", ENDED, WHO, text, false, 0, "LETTER_SIGNER_EXPIRED"},
        {"ended meanwhile", SIGNER, WHO, text, false, 101, "LETTER_SIGNER_EXPIRED"},
        {"not yet begun", NOT_YET, WHO, text, false, 0, "LETTER_SIGNER_EXPIRED"},
        {"begun meanwhile", NOT_YET, WHO, text, false, 60, "OK"},
        {"the text beside it", SIGNER, WHO, text, true, 0, "LETTER_FORM"},
        {"says something else", SIGNER, WHO, "I agree.\n", false, 0, "LETTER_FORM"},
        {"says nothing", SIGNER, WHO, "", false, 0, "LETTER_FORM"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *der = NULL;
        const struct letter_signer *between = rows[i].between == WHO ? NULL : who[rows[i].between];
        size_t len = letter_sign(&der, who[rows[i].signer], between, rows[i].said, rows[i].detached);
        const char *got = verdict(der, len, NOW_MS + rows[i].after_days * INT64_C(86400000));
        if (strcmp(got, rows[i].expected) != 0) {
            fail_msg("%s: %s", rows[i].name, got);
        }
        free(der);
    }
}

/* No byte of a letter can be changed: what still verifies says the same. */
static void test_changed_bytes_do_not_verify(void **state)
{
    (void)state;
    uint8_t *der = NULL;
    unsigned refused = 0;
    size_t len = letter_sign(&der, who[SIGNER], NULL, text, false);
    uint8_t *place = memmem(der, len, "alpha", 5);
    assert_non_null(place);
    place[0] ^= 1;
    assert_string_equal(verdict(der, len, NOW_MS), "LETTER_SIGNATURE");
    place[0] ^= 1;
    for (size_t i = 0; i < len; i++) {
        struct letter letter;
        der[i] ^= 1;
        struct cl_status status = authorisation_verify(&letter, authorisation, cl_bytes(der, len), NOW_MS);
        refused += cl_failed(status) ? 1 : 0;
        assert_true(cl_failed(status) || strcmp(letter.consents[0].receiver, "bank:cn-alpha-js") == 0);
        der[i] ^= 1;
    }
    assert_true(refused > len * 9 / 10);
    assert_string_equal(verdict(der, len, NOW_MS), "OK");
    free(der);
}

static void test_what_is_no_message(void **state)
{
    (void)state;
    uint8_t *der = NULL;
    size_t len = letter_sign(&der, who[SIGNER], NULL, text, false);
    uint8_t *longer = calloc(1, AUTHORISATION_LETTER_BYTES_MAX + 1);
    assert_non_null(longer);
    memcpy(longer, der, len);
    assert_string_equal(verdict(NULL, 0, NOW_MS), "LETTER_FORM");
    assert_string_equal(verdict((const uint8_t *)text, sizeof text, NOW_MS), "LETTER_FORM");
    assert_string_equal(verdict(der, len - 1, NOW_MS), "LETTER_FORM");
    assert_string_equal(verdict(longer, len + 1, NOW_MS), "LETTER_FORM"); /* something behind it */
    assert_string_equal(verdict(longer, AUTHORISATION_LETTER_BYTES_MAX + 1, NOW_MS), "LETTER_FORM");
    free(longer);
    free(der);
}

static void test_cas_have_to_read(void **state)
{
    (void)state;
    struct authorisation *none = NULL;
    char *pem = letter_signer_pem(who[ROOT]);
    char *broken = strstr(pem, "MII");
    assert_non_null(broken);
    assert_string_equal(cl_status_name(authorisation_create(&none, "")), "CONFIG_INVALID");
    assert_string_equal(cl_status_name(authorisation_create(&none, "no certificate")), "CONFIG_INVALID");
    broken[8] = '!';
    assert_string_equal(cl_status_name(authorisation_create(&none, pem)), "CONFIG_INVALID");
    assert_null(none);
    free(pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_sign),
        cmocka_unit_test(test_changed_bytes_do_not_verify),
        cmocka_unit_test(test_what_is_no_message),
        cmocka_unit_test(test_cas_have_to_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
