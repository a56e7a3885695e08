/* The compiled contract, as embedded, and bytes that are no descriptor set. What is found in it is also compared over
 * the wire: tests/e2e/test_health. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/api/contract.h"
#include "server/api/protoset.h"

static struct contract contract;

static void test_the_embedded_contract_reads(void **state)
{
    (void)state;
    assert_true(cl_is_ok(contract_read(&contract, cl_bytes(api_protoset, api_protoset_len))));
    assert_int_equal(contract.file_count, 11);
    assert_int_equal(contract.service_count, 5);
    assert_string_equal(contract_file(&contract, "coloan/v1/services.proto")->package, "coloan.v1");
    assert_null(contract_file(&contract, "coloan/v1/services"));
    assert_ptr_equal(contract_file_of_symbol(&contract, "coloan.v1.Consent.until_ms"),
                     contract_file(&contract, "coloan/v1/application.proto"));
    assert_null(contract_file_of_symbol(&contract, "coloan.v1.Consent.until"));
}

/* However short: each prefix is refused or is a set with fewer files, and none is read past its end. */
static void test_each_prefix_is_refused_or_smaller(void **state)
{
    (void)state;
    unsigned good = 0;
    for (size_t len = 0; len < api_protoset_len; len += len < 600 ? 1 : 97) {
        uint8_t *copy = malloc(len + 1); /* of just that length, for the sanitizer to watch */
        assert_non_null(copy);
        uint8_t *exact = len == 0 ? copy : realloc(copy, len);
        assert_non_null(exact);
        memcpy(exact, api_protoset, len);
        good += cl_is_ok(contract_read(&contract, cl_bytes(exact, len))) ? 1 : 0;
        assert_true(contract.file_count <= 11);
        free(exact);
    }
    assert_true(good < 11);
}

static void test_what_is_no_descriptor_set(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len;
    } rows[] = {
        {"nothing", "", 0},
        {"a file without a name", "\x0a\x00", 2},
        {"another field", "\x12\x03\x0a\x01x", 5},
        {"longer than there is", "\x0a\x7f\x0a\x01x", 5},
        {"a group", "\x0b\x0c", 2},
        {"a number without end", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (cl_is_ok(contract_read(&contract, cl_bytes(rows[i].bytes, rows[i].len)))) {
            fail_msg("taken: %s", rows[i].name);
        }
    }
    assert_true(cl_is_ok(contract_read(&contract, cl_bytes("\x0a\x03\x0a\x01x", 5))));
}

static void test_lists_are_bounded(void **state)
{
    (void)state;
    uint8_t set[(CONTRACT_FILES_MAX + 1) * 5];
    for (size_t i = 0; i < sizeof set; i += 5) {
        memcpy(set + i, "\x0a\x03\x0a\x01x", 5);
    }
    assert_true(cl_is_ok(contract_read(&contract, cl_bytes(set, CONTRACT_FILES_MAX * 5))));
    assert_false(cl_is_ok(contract_read(&contract, cl_bytes(set, sizeof set))));
    uint8_t file[2 + 3 + (CONTRACT_SERVICES_MAX + 1) * 5] = {0x0a, sizeof file - 2, 0x0a, 1, 'x'};
    for (size_t i = 5; i < sizeof file; i += 5) {
        memcpy(file + i, "\x32\x03\x0a\x01S", 5);
    }
    assert_false(cl_is_ok(contract_read(&contract, cl_bytes(file, sizeof file))));
    file[1] -= 5;
    assert_true(cl_is_ok(contract_read(&contract, cl_bytes(file, sizeof file - 5))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_embedded_contract_reads),
        cmocka_unit_test(test_each_prefix_is_refused_or_smaller),
        cmocka_unit_test(test_what_is_no_descriptor_set),
        cmocka_unit_test(test_lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
