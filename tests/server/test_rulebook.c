/* The reference rule set, spoilt in every way its author can: each message names file, line, field and mend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/rulebook.h"
#include "tests/support/signing.h"
#include "tests/support/spoil.h"

#define REFERENCE COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-11.yaml"

static char folder[64], file_path[96], other_path[96];
static char *reference;

static struct cl_status load(const char *const *paths, size_t count, struct cl_setting_error *error)
{
    struct rulebook book = {NULL, 0};
    error->text[0] = '\0';
    struct cl_status status = rulebook_load(&book, paths, count, NULL, error);
    if (cl_is_ok(status)) {
        assert_int_equal(book.count, count);
        rulebook_free(&book);
    }
    return status;
}

static void test_the_reference_reads(void **state)
{
    (void)state;
    const char *path = REFERENCE;
    struct rulebook book = {NULL, 0};
    struct cl_setting_error error;
    assert_true(cl_is_ok(rulebook_load(&book, &path, 1, NULL, &error)));
    assert_string_equal(book.sets[0].id, "REF-NJ-2026-11");
    assert_int_equal(book.sets[0].cap_single_fen, 80000000);
    rulebook_free(&book);
}

static void test_each_mistake_is_named(void **state)
{
    (void)state;
    static const struct spoil rows[] = {
        {"a text for a number", "cap_single_fen: 80000000", "cap_single_fen: much", {"cap_single_fen", "\"much\""}},
        {"a fraction", "cap_single_fen: 80000000", "cap_single_fen: 800000.50", {"cap_single_fen", "800000.50"}},
        {"below its range", "cap_single_fen: 80000000", "cap_single_fen: -1", {"cap_single_fen", "\"-1\"", "expected"}},
        {"a list for a number", "cap_single_fen: 80000000", "cap_single_fen: [1]", {"cap_single_fen", "expected"}},
        {"a number for a flag", "equal_term: true", "equal_term: 2", {"equal_term"}},
        {"no date", "effective_from: 20260828", "effective_from: 20261301", {"effective_from", "yyyymmdd"}},
        {"a field is missing", "balance_multiple: 20", "# none", {"lacks", "balance_multiple", "Add it"}},
        {"a field is not known",
         "balance_multiple: 20",
         "balance_multiple: 20\nbalance_multipel: 20",
         {"balance_multipel", "no field"}},
        {"a field stands twice",
         "balance_multiple: 20",
         "balance_multiple: 20\nbalance_multiple: 21",
         {"stands twice", "balance_multiple"}},
        {"the id is too long",
         "id: REF-NJ-2026-11",
         "id: A234567890B234567890C234567890D234567890E234567890F234567890G2345",
         {"id", "64 bytes"}},
        {"not yaml", "id: REF-NJ-2026-11", "id: [", {NULL}},
        {"ends before it begins", "effective_until: 20271231", "effective_until: 20200101", {"does not go together"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *path = file_path;
        struct cl_setting_error error;
        unsigned line = spoil_write(file_path, reference, &rows[i]);
        struct cl_status status = load(&path, 1, &error);
        spoil_check(&rows[i], status, error.text, file_path, line);
    }
}

static void test_rates_are_a_list_of_rows(void **state)
{
    (void)state;
    static const struct spoil rows[] = {
        {"no list", "rates:", "rats:", {"rats", "no field"}},
        {"a row without a field",
         "- {loan: 1, months_max: 60, ppm: 21000}",
         "- {loan: 1, months_max: 60}",
         {"lacks", "ppm"}},
        {"a row with another",
         "- {loan: 1, months_max: 60, ppm: 21000}",
         "- {loan: 1, months_max: 60, ppm: 21000, x: 1}",
         {"x"}},
        {"a row that is none", "- {loan: 1, months_max: 60, ppm: 21000}", "- 21000", {"expected {loan"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *path = file_path;
        struct cl_setting_error error;
        (void)spoil_write(file_path, reference, &rows[i]);
        struct cl_status status = load(&path, 1, &error);
        spoil_check(&rows[i], status, error.text, file_path, 0);
    }
}

/* The reference until a day, and another set from a day. */
static const char *load_two(const char *until, const char *from, struct cl_setting_error *error)
{
    char first[64];
    char second[64];
    (void)snprintf(first, sizeof first, "effective_until: %s", until);
    (void)snprintf(second, sizeof second, "id: NEXT\neffective_from: %s", from);
    struct spoil ends = {"", "effective_until: 20271231", first, {NULL}};
    struct spoil begins = {"", "id: REF-NJ-2026-11\neffective_from: 20260828", second, {NULL}};
    (void)spoil_write(file_path, reference, &ends);
    (void)spoil_write(other_path, reference, &begins);
    const char *const paths[] = {other_path, file_path}; /* in any order */
    return cl_status_name(load(paths, 2, error));
}

static void test_sets_follow_each_other(void **state)
{
    (void)state;
    struct cl_setting_error error;
    assert_string_equal(load_two("20270331", "20270401", &error), "OK");
    assert_string_equal(load_two("0", "20270401", &error), "OK");                    /* it ends when the next begins */
    assert_string_equal(load_two("20271231", "20270401", &error), "OK");             /* even before its own end */
    assert_string_equal(load_two("20270331", "20270402", &error), "CONFIG_INVALID"); /* a gap of one day */
    assert_non_null(strstr(error.text, "gap"));
    assert_non_null(strstr(error.text, "Mend"));
    assert_string_equal(load_two("20270331", "20260828", &error), "CONFIG_INVALID"); /* one day twice */
    assert_non_null(strstr(error.text, "overlaps"));
}

struct heard {
    size_t count;
    char text[8][512];
};

static void hear(void *user, const char *text)
{
    struct heard *heard = user;
    assert_true(heard->count < 8);
    (void)snprintf(heard->text[heard->count++], sizeof heard->text[0], "%s", text);
}

/* All at once, each with its own line, and nothing hides the others. */
static void test_a_check_goes_on_after_a_mistake(void **state)
{
    (void)state;
    static const char *const words[] = {"cap_single_fen", "round_to_fen", "lacks \"balance_multiple\""};
    struct heard heard = {0};
    struct rulebook_listener listener = {hear, &heard};
    static const struct spoil rows[] = {
        {"", "cap_single_fen: 80000000", "cap_single_fen: much", {NULL}},
        {"", "round_to_fen: 100000", "round_to_fen: 0", {NULL}},
        {"", "balance_multiple: 20", "# none", {NULL}},
    };
    char *text = reference;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)spoil_write(file_path, text, &rows[i]);
        if (text != reference) {
            free(text);
        }
        text = spoil_read(file_path);
    }
    free(text);
    const char *const paths[] = {file_path, "/nowhere/rules.yaml"};
    assert_int_equal(rulebook_check(paths, 2, NULL, &listener), 4);
    assert_int_equal(heard.count, 4);
    for (size_t i = 0; i < 3; i++) {
        char place[128];
        (void)snprintf(place, sizeof place, "%s:", file_path);
        assert_memory_equal(heard.text[i], place, strlen(place));
        assert_non_null(strstr(heard.text[i], words[i]));
    }
    assert_non_null(strstr(heard.text[3], "/nowhere/rules.yaml"));
    const char *good = REFERENCE;
    assert_int_equal(rulebook_check(&good, 1, NULL, &listener), 0);
}

/* -- Signatures ---------------------------------------------------------------------------------------------- */

static struct signing signing;

static void write_bytes(const char *path, struct cl_bytes bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/* The reference at file_path, signed by that key. */
static struct cl_bytes sign_reference(enum signing_key key)
{
    struct cl_bytes sig;
    struct cl_bytes text = cl_bytes_text(reference);
    write_bytes(file_path, text);
    assert_true(cl_is_ok(rulebook_sign(&sig, signing.arena, signing.signers[key], text)));
    return sig;
}

static struct cl_status load_signed(struct cl_setting_error *error)
{
    struct rulebook book = {NULL, 0};
    const char *path = file_path;
    struct cl_status status = rulebook_load(&book, &path, 1, signing.keyring, error);
    rulebook_free(&book);
    return status;
}

static void test_a_set_is_signed_by_the_centre(void **state)
{
    (void)state;
    char sig_path[128];
    struct cl_setting_error error;
    (void)snprintf(sig_path, sizeof sig_path, "%s.sig", file_path);
    write_bytes(sig_path, sign_reference(SIGNING_CENTRE_SIGN));
    assert_string_equal(cl_status_name(load_signed(&error)), "OK");

    struct cl_bytes sig = sign_reference(SIGNING_CENTRE_SIGN);
    uint8_t *changed = cl_arena_copy(signing.arena, sig);
    changed[sig.len - 60] ^= 1; /* within the signature or its key id */
    write_bytes(sig_path, cl_bytes(changed, sig.len));
    assert_string_equal(cl_status_name(load_signed(&error)), "CONFIG_INVALID");

    static const struct {
        enum signing_key key;
        const char *word;
    } strangers[] = {{SIGNING_ALPHA_ACTIVE, "KEY_UNKNOWN"}, {SIGNING_STRANGER, "KEY_UNKNOWN"}};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        write_bytes(sig_path, sign_reference(strangers[i].key));
        assert_string_equal(cl_status_name(load_signed(&error)), "CONFIG_INVALID");
        assert_non_null(strstr(error.text, strangers[i].word));
        assert_non_null(strstr(error.text, sig_path));
    }

    write_bytes(sig_path, sign_reference(SIGNING_CENTRE_SIGN));
    FILE *file = fopen(file_path, "a"); /* one byte more than was signed */
    assert_true(file != NULL && fputs("\n", file) >= 0 && fclose(file) == 0);
    assert_string_equal(cl_status_name(load_signed(&error)), "CONFIG_INVALID");
    assert_non_null(strstr(error.text, "SIGNATURE_INVALID"));

    write_bytes(sig_path, cl_bytes_text("no envelope"));
    assert_string_equal(cl_status_name(load_signed(&error)), "CONFIG_INVALID");
    (void)remove(sig_path);
    assert_string_equal(cl_status_name(load_signed(&error)), "CONFIG_INVALID");
    assert_non_null(strstr(error.text, "coloan rules sign"));
}

static void test_a_file_that_cannot_be_read(void **state)
{
    (void)state;
    const char *const paths[] = {"/nowhere/rules.yaml"};
    struct cl_setting_error error;
    assert_int_equal(load(paths, 1, &error).reason, CL_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "/nowhere/rules.yaml"));
}

int main(void)
{
    spoil_folder(folder, sizeof folder);
    (void)snprintf(file_path, sizeof file_path, "%s/rules.yaml", folder);
    (void)snprintf(other_path, sizeof other_path, "%s/next.yaml", folder);
    reference = spoil_read(REFERENCE);
    signing_init(&signing);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reference_reads),           cmocka_unit_test(test_each_mistake_is_named),
        cmocka_unit_test(test_rates_are_a_list_of_rows),      cmocka_unit_test(test_sets_follow_each_other),
        cmocka_unit_test(test_a_file_that_cannot_be_read),    cmocka_unit_test(test_a_check_goes_on_after_a_mistake),
        cmocka_unit_test(test_a_set_is_signed_by_the_centre),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(reference);
    signing_close(&signing);
    (void)remove(file_path);
    (void)remove(other_path);
    (void)remove(folder);
    return failed;
}
