/* The text of a letter: what is read of it, and every way of not being one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/authorisation/letter.h"

#define HEAD   "coloan authorisation v1\n"
#define PERSON "person 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define SHARE  "consent SHARE bank:cn-alpha-js 1790000000000 c-4\n"
#define TEXT64 "1234567890123456789012345678901234567890123456789012345678901234"

static void test_what_is_a_letter(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t count; /* 0: it is none */
    } rows[] = {
        {"one consent", HEAD PERSON SHARE, 1},
        {"with text", HEAD PERSON SHARE "\nI have read this.\nconsent of mine\n", 1},
        {"with an empty text", HEAD PERSON SHARE "\n", 1},
        {"all purposes", HEAD PERSON SHARE "consent VERIFY fund:cn-x 1 c-1\nconsent CREDIT_REPORT fund:cn-x 2 c-2\n",
         3},
        {"an id with blanks", HEAD PERSON "consent SHARE bank:cn-alpha-js 1 授权 1 \n", 1},
        {"the longest", HEAD PERSON "consent SHARE " TEXT64 " 999999999999999 " TEXT64 "\n", 1},
        {"nothing", "", 0},
        {"another version", "coloan authorisation v2\n" PERSON SHARE, 0},
        {"no head", PERSON SHARE, 0},
        {"no person", HEAD SHARE, 0},
        {"no consent", HEAD PERSON, 0},
        {"no consent before the text", HEAD PERSON "\n" SHARE, 0},
        {"carriage returns", "coloan authorisation v1\r\n" PERSON SHARE, 0},
        {"a line without an end", HEAD PERSON "consent SHARE bank:cn-alpha-js 1790000000000 c-4", 0},
        {"upper-case digits", HEAD "person 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n" SHARE,
         0},
        {"a short commitment", HEAD "person 0001\n" SHARE, 0},
        {"two persons", HEAD PERSON PERSON SHARE, 0},
        {"an unknown purpose", HEAD PERSON "consent SHARES bank:cn-alpha-js 1 c-4\n", 0},
        {"an empty receiver", HEAD PERSON "consent SHARE  1 c-4\n", 0},
        {"a receiver too long", HEAD PERSON "consent SHARE " TEXT64 "1 1 c-4\n", 0},
        {"no end", HEAD PERSON "consent SHARE bank:cn-alpha-js c-4\n", 0},
        {"a negative end", HEAD PERSON "consent SHARE bank:cn-alpha-js -1 c-4\n", 0},
        {"a padded end", HEAD PERSON "consent SHARE bank:cn-alpha-js 01 c-4\n", 0},
        {"an endless end", HEAD PERSON "consent SHARE bank:cn-alpha-js 1000000000000000 c-4\n", 0},
        {"no id", HEAD PERSON "consent SHARE bank:cn-alpha-js 1 \n", 0},
        {"an id too long", HEAD PERSON "consent SHARE bank:cn-alpha-js 1 " TEXT64 "1\n", 0},
        {"a tab in an id", HEAD PERSON "consent SHARE bank:cn-alpha-js 1 c\t4\n", 0},
        {"the same id twice", HEAD PERSON SHARE SHARE, 0},
        {"another line", HEAD PERSON SHARE "remark none\n", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct letter letter;
        memset(&letter, 0, sizeof letter);
        struct cl_status status = letter_read(&letter, cl_bytes_text(rows[i].text));
        if (letter.consent_count != rows[i].count || (status.reason == CL_OK) != (rows[i].count > 0)) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        assert_true(cl_is_ok(status) || status.reason == CL_LETTER_FORM);
    }
}

static void test_so_many_consents(void **state)
{
    (void)state;
    char text[4096];
    struct letter letter;
    for (unsigned count = LETTER_CONSENTS_MAX; count <= LETTER_CONSENTS_MAX + 1; count++) {
        int len = snprintf(text, sizeof text, HEAD PERSON);
        for (unsigned i = 0; i < count; i++) {
            len += snprintf(text + len, sizeof text - (size_t)len, "consent SHARE bank:cn-%u 1 c-%u\n", i, i);
        }
        enum cl_reason expected = count > LETTER_CONSENTS_MAX ? CL_LETTER_FORM : CL_OK;
        assert_int_equal(letter_read(&letter, cl_bytes_text(text)).reason, expected);
    }
    assert_int_equal(letter.consent_count, LETTER_CONSENTS_MAX);
    assert_string_equal(letter.consents[15].receiver, "bank:cn-15");
}

static void test_a_letter_grants_what_it_says(void **state)
{
    (void)state;
    struct letter letter;
    assert_true(cl_is_ok(letter_read(&letter, cl_bytes_text(HEAD PERSON "consent VERIFY fund:cn-x 7 c-1\n" SHARE))));
    struct cl_digest person;
    struct cl_digest other;
    for (unsigned i = 0; i < sizeof person.bytes; i++) {
        person.bytes[i] = (uint8_t)i;
        other.bytes[i] = (uint8_t)(i + 1);
    }
    static const struct {
        struct letter_consent consent;
        bool granted;
    } rows[] = {
        {{3, "bank:cn-alpha-js", 1790000000000, "c-4"}, true},  {{1, "fund:cn-x", 7, "c-1"}, true},
        {{1, "bank:cn-alpha-js", 1790000000000, "c-4"}, false}, {{3, "bank:cn-beta-js", 1790000000000, "c-4"}, false},
        {{3, "bank:cn-alpha-js", 1790000000001, "c-4"}, false}, {{3, "bank:cn-alpha-js", 1790000000000, "c-5"}, false},
        {{3, "bank:cn-alpha-js", 1790000000000, "c-1"}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(letter_grants(&letter, &person, &rows[i].consent), rows[i].granted);
        assert_false(letter_grants(&letter, &other, &rows[i].consent));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_letter),
        cmocka_unit_test(test_so_many_consents),
        cmocka_unit_test(test_a_letter_grants_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
