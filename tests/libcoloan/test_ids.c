/* UUIDv7 and party ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/ids.h"

static void a_uuid7_is_as_the_rfc_shows_it(void **state)
{
    (void)state;
    /* RFC 9562, appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F */
    const uint8_t random[] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    struct cl_uuid uuid;
    struct cl_uuid back;
    char text[CL_UUID_TEXT_BYTES];
    cl_uuid7(&uuid, 0x017f22e279b0, random);
    cl_uuid_text(text, &uuid);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_int_equal(cl_uuid7_unix_ms(&uuid), 0x017f22e279b0);
    assert_true(cl_is_ok(cl_uuid7_parse(&back, text)));
    assert_memory_equal(back.bytes, uuid.bytes, sizeof uuid.bytes);
}

static void version_and_variant_do_not_depend_on_the_random_bytes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        uint8_t random[CL_UUID_RANDOM_BYTES];
        struct cl_uuid uuid;
        memset(random, byte, sizeof random);
        cl_uuid7(&uuid, 1795000000000, random);
        assert_true(cl_uuid7_valid(cl_bytes(uuid.bytes, sizeof uuid.bytes)));
        assert_false(cl_uuid7_valid(cl_bytes(uuid.bytes, sizeof uuid.bytes - 1)));
        for (int other = 0; other < 16; other++) {
            struct cl_uuid wrong = uuid;
            wrong.bytes[6] = (uint8_t)(other << 4);
            assert_int_equal(cl_uuid7_valid(cl_bytes(wrong.bytes, sizeof wrong.bytes)), other == 7);
            wrong = uuid;
            wrong.bytes[8] = (uint8_t)(other << 4);
            assert_int_equal(cl_uuid7_valid(cl_bytes(wrong.bytes, sizeof wrong.bytes)), other >> 2 == 2);
        }
    }
    assert_false(cl_uuid7_valid(cl_bytes(NULL, 0)));
}

static void the_system_makes_other_ids_each_time(void **state)
{
    (void)state;
    struct cl_uuid a;
    struct cl_uuid b;
    cl_uuid7_make(&a, 1795000000000, cl_random_system());
    cl_uuid7_make(&b, 1795000000000, cl_random_system());
    assert_memory_equal(a.bytes, b.bytes, 6);
    assert_memory_not_equal(a.bytes, b.bytes, sizeof a.bytes);
}

static void other_texts_are_no_uuid7(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
        "------------------------------------",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct cl_uuid out = {{1}};
        if (cl_uuid7_parse(&out, refused[i]).reason != CL_FIELD_INVALID) {
            fail_msg("accepted: %s", refused[i]);
        }
        assert_int_equal(out.bytes[0], 1); /* untouched */
    }
}

static void parties_are_a_kind_and_an_id(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cl_party_kind kind;
    } rows[] = {
        {"fund:cn-example", CL_PARTY_FUND},
        {"bank:cn-alpha-js", CL_PARTY_BANK},
        {"channel:app", CL_PARTY_CHANNEL},
        {"officer:o-17", CL_PARTY_OFFICER},
        {"authority:civil-affairs", CL_PARTY_AUTHORITY},
        {"bank:0", CL_PARTY_BANK},
        {"bank:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", CL_PARTY_BANK}, /* 64 bytes */
        {"bank:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", CL_PARTY_NONE},
        {"", CL_PARTY_NONE},
        {"bank", CL_PARTY_NONE},
        {"bank:", CL_PARTY_NONE},
        {":cn-alpha", CL_PARTY_NONE},
        {"Bank:cn-alpha", CL_PARTY_NONE},
        {"ban:cn-alpha", CL_PARTY_NONE},
        {"banks:cn-alpha", CL_PARTY_NONE},
        {"bank:cn_alpha", CL_PARTY_NONE},
        {"bank:CN", CL_PARTY_NONE},
        {"bank:a:b", CL_PARTY_NONE},
        {"bank:a ", CL_PARTY_NONE},
        {" bank:a", CL_PARTY_NONE},
        {"bank:\xe9\x93\xb6", CL_PARTY_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (cl_party_kind(rows[i].text) != rows[i].kind) {
            fail_msg("%s", rows[i].text);
        }
        assert_int_equal(cl_party_valid(rows[i].text), rows[i].kind != CL_PARTY_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uuid7_is_as_the_rfc_shows_it),
        cmocka_unit_test(version_and_variant_do_not_depend_on_the_random_bytes),
        cmocka_unit_test(the_system_makes_other_ids_each_time),
        cmocka_unit_test(other_texts_are_no_uuid7),
        cmocka_unit_test(parties_are_a_kind_and_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
