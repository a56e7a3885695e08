/* Commitments and disclosures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <coloan/v1/application.pb-c.h>
#include <string.h>

#include "libcoloan/personal.h"
#include "tests/support/signing.h"

static struct cl_arena *arena;

static int open_arena(void **state)
{
    (void)state;
    return cl_is_ok(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)) ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    cl_arena_free(arena);
    return 0;
}

/* Covers: COL-PER-001 */
static void a_commitment_is_the_hash_of_counted_parts(void **state)
{
    (void)state;
    uint8_t salt[CL_DISCLOSURE_SALT_BYTES];
    struct cl_digest commitment;
    char hex[CL_DIGEST_HEX_BYTES];
    for (size_t i = 0; i < sizeof salt; i++) {
        salt[i] = (uint8_t)i;
    }
    cl_commitment(&commitment, "persons[0].name", cl_bytes(salt, sizeof salt), cl_bytes_text("测试甲"));
    cl_hex_encode(hex, cl_bytes(commitment.bytes, sizeof commitment.bytes));
    assert_string_equal(hex, "5442c79b2e8daf01c2376957bb0002d3ba40bb4de9a5742c5b2637a10b5fd849");
}

/* Covers: COL-PER-002 */
static void fields_are_listed_in_a_fixed_order(void **state)
{
    (void)state;
    static const char *const paths[] = {"persons[0].name", "persons[0].id_number", "persons[0].mobile",
                                        "persons[1].name", "persons[1].id_number", "persons[1].mobile",
                                        "home.address"};
    struct signing_application with;
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    size_t count = 0;
    signing_application(&with, arena);
    assert_int_equal(cl_personal_fields(fields, &count, &with.application.base).reason, CL_OK);
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(fields[i].path, paths[i]);
        assert_true(cl_digest_equal(&fields[i].commitment, &with.commitments[i]));
    }
    with.persons[0].mobile.len = 0;
    with.application.home = NULL;
    assert_int_equal(cl_personal_fields(fields, &count, &with.application.base).reason, CL_OK);
    assert_int_equal(count, 5);
    assert_string_equal(fields[2].path, "persons[1].name");
}

static void other_bodies_have_none(void **state)
{
    (void)state;
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    size_t count = 9;
    assert_int_equal(cl_personal_fields(fields, &count, &query.base).reason, CL_OK);
    assert_int_equal(count, 0);
}

static void a_milestone_commits_to_its_account(void **state)
{
    (void)state;
    static uint8_t commitment[CL_DIGEST_BYTES + 1] = {7, 8, 9};
    static const struct {
        size_t len;
        enum cl_reason reason;
        size_t count;
    } rows[] = {{0, CL_OK, 0}, {32, CL_OK, 1}, {31, CL_FIELD_INVALID, 9}, {33, CL_FIELD_INVALID, 9}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
        Coloan__V1__Milestone milestone = COLOAN__V1__MILESTONE__INIT;
        size_t count = 9;
        milestone.account.data = commitment;
        milestone.account.len = rows[i].len;
        assert_int_equal(cl_personal_fields(fields, &count, &milestone.base).reason, rows[i].reason);
        assert_int_equal(count, rows[i].count);
        if (count == 1) {
            assert_string_equal(fields[0].path, "account");
            assert_memory_equal(fields[0].commitment.bytes, commitment, CL_DIGEST_BYTES);
        }
    }
}

static void wrong_bodies_are_told(void **state)
{
    (void)state;
    struct signing_application with;
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    size_t count = 9;
    signing_application(&with, arena);
    with.persons[1].name.len = 31;
    assert_int_equal(cl_personal_fields(fields, &count, &with.application.base).reason, CL_FIELD_INVALID);
    with.persons[1].name.len = 32;
    with.home.address.len = 1;
    assert_int_equal(cl_personal_fields(fields, &count, &with.application.base).reason, CL_FIELD_INVALID);
    with.home.address.len = 32;
    with.application.account = (ProtobufCBinaryData){.len = 31, .data = with.home.address.data};
    assert_int_equal(cl_personal_fields(fields, &count, &with.application.base).reason, CL_FIELD_INVALID);
    with.application.account.len = 32;
    Coloan__V1__Person *many[CL_PERSONS_MAX + 1] = {&with.persons[0], &with.persons[0], &with.persons[0],
                                                    &with.persons[0], &with.persons[0]};
    with.application.persons = many;
    with.application.n_persons = CL_PERSONS_MAX;
    assert_int_equal(cl_personal_fields(fields, &count, &with.application.base).reason, CL_OK);
    assert_int_equal(count, CL_PERSONAL_FIELDS_MAX);
    assert_string_equal(fields[count - 1].path, "account");
    with.application.n_persons = CL_PERSONS_MAX + 1;
    assert_int_equal(cl_personal_fields(fields, &count, &with.application.base).reason, CL_PERSONS_INVALID);
}

/* -- Disclosures --------------------------------------------------------------------------------------------- */

static void change_nothing(struct signing_application *with)
{
    (void)with;
}

static void change_order(struct signing_application *with)
{
    Coloan__V1__Disclosure *first = with->disclosures[0];
    with->disclosures[0] = with->disclosures[6];
    with->disclosures[6] = first;
}

static void drop_last(struct signing_application *with)
{
    with->disclosure_count--;
}

static void drop_all(struct signing_application *with)
{
    with->disclosure_count = 0;
}

static void repeat_one(struct signing_application *with)
{
    with->disclosures[1] = with->disclosures[0];
}

static void add_one_more(struct signing_application *with)
{
    with->disclosures[with->disclosure_count++] = with->disclosures[0];
}

static void name_another_path(struct signing_application *with)
{
    with->disclosures[3]->path[8] = '2';
}

static void swap_two_paths(struct signing_application *with)
{
    with->disclosures[0]->path[8] = '1';
    with->disclosures[3]->path[8] = '0';
}

static void flip_value(struct signing_application *with)
{
    with->disclosures[1]->value.data[17] ^= 1;
}

static void flip_salt(struct signing_application *with)
{
    with->disclosures[6]->salt.data[15] ^= 0x80;
}

/* Commits to what is in the disclosure, so that only its form is wrong. */
static void recommit(struct signing_application *with, size_t i)
{
    const Coloan__V1__Disclosure *one = with->disclosures[i];
    cl_commitment(&with->commitments[i], one->path, cl_bytes(one->salt.data, one->salt.len),
                  cl_bytes(one->value.data, one->value.len));
}

static void shorten_salt(struct signing_application *with)
{
    with->disclosures[2]->salt.len = 15;
    recommit(with, 2);
}

static void empty_value(struct signing_application *with)
{
    with->disclosures[2]->value.len = 0;
    recommit(with, 2);
}

static void lengthen_value(struct signing_application *with)
{
    uint8_t *text = cl_arena_alloc(arena, CL_DISCLOSURE_VALUE_BYTES_MAX + 1);
    memset(text, 'a', CL_DISCLOSURE_VALUE_BYTES_MAX + 1);
    with->disclosures[2]->value = (ProtobufCBinaryData){.len = CL_DISCLOSURE_VALUE_BYTES_MAX + 1, .data = text};
    recommit(with, 2);
}

static void longest_value(struct signing_application *with)
{
    lengthen_value(with);
    with->disclosures[2]->value.len = CL_DISCLOSURE_VALUE_BYTES_MAX;
    recommit(with, 2);
}

static void control_in_value(struct signing_application *with)
{
    with->disclosures[2]->value.data[1] = '\n';
    recommit(with, 2);
}

static void bad_utf8_in_value(struct signing_application *with)
{
    with->disclosures[0]->value.data[0] = 0xff;
    recommit(with, 0);
}

static void reuse_salt(struct signing_application *with)
{
    memcpy(with->disclosures[5]->salt.data, with->disclosures[2]->salt.data, CL_DISCLOSURE_SALT_BYTES);
    recommit(with, 5);
}

/* Covers: COL-PER-003, COL-PER-004, COL-PER-005 */
static void disclosures_are_checked_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*change)(struct signing_application *with);
        enum cl_reason reason;
    } rows[] = {
        {"all", change_nothing, CL_OK},
        {"another order", change_order, CL_OK},
        {"longest value", longest_value, CL_OK},
        {"last missing", drop_last, CL_DISCLOSURE_MISSING},
        {"all missing", drop_all, CL_DISCLOSURE_MISSING},
        {"one twice for another", repeat_one, CL_DISCLOSURE_UNEXPECTED},
        {"one twice", add_one_more, CL_DISCLOSURE_UNEXPECTED},
        {"unknown path", name_another_path, CL_DISCLOSURE_UNEXPECTED},
        {"paths swapped", swap_two_paths, CL_DISCLOSURE_MISMATCH},
        {"value", flip_value, CL_DISCLOSURE_MISMATCH},
        {"salt", flip_salt, CL_DISCLOSURE_MISMATCH},
        {"short salt", shorten_salt, CL_DISCLOSURE_MISMATCH},
        {"empty value", empty_value, CL_DISCLOSURE_MISMATCH},
        {"long value", lengthen_value, CL_DISCLOSURE_MISMATCH},
        {"control in value", control_in_value, CL_DISCLOSURE_MISMATCH},
        {"bad UTF-8 in value", bad_utf8_in_value, CL_DISCLOSURE_MISMATCH},
        {"salt used twice", reuse_salt, CL_DISCLOSURE_MISMATCH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct signing_application with;
        struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
        size_t count = 0;
        signing_application(&with, arena);
        rows[i].change(&with);
        assert_true(cl_is_ok(cl_personal_fields(fields, &count, &with.application.base)));
        struct cl_status status = cl_disclosure_check(fields, count, with.disclosures, with.disclosure_count);
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    assert_int_equal(cl_disclosure_check(NULL, 0, NULL, 0).reason, CL_OK);
}

static void values_are_found_by_path(void **state)
{
    (void)state;
    struct signing_application with;
    signing_application(&with, arena);
    struct cl_bytes value = cl_disclosure_value(with.disclosures, with.disclosure_count, "persons[1].mobile");
    assert_true(cl_bytes_equal(value, cl_bytes_text("10000000002")));
    assert_int_equal(cl_disclosure_value(with.disclosures, with.disclosure_count, "persons[2].mobile").len, 0);
}

static void a_value_is_committed_where_its_path_says(void **state)
{
    (void)state;
    struct signing_application with;
    signing_application(&with, arena);
    Coloan__V1__Disclosure *disclosure = NULL;
    static const struct {
        const char *path, *value;
        enum cl_reason reason;
    } rows[] = {
        {"persons[0].mobile", "19900010000", CL_OK},
        {"persons[1].name", "测试乙", CL_OK},
        {"home.address", "测试市虚构路1号", CL_OK},
        {"home.address", "twice", CL_FIELD_INVALID},
        {"account", "6222000000000001", CL_OK},
        {"account", "6222000000000001", CL_FIELD_INVALID},
        {"persons[1].id_number", "", CL_FIELD_INVALID},
        {"persons[2].name", "nobody", CL_FIELD_INVALID},
        {"persons[0]", "half", CL_FIELD_INVALID},
        {"persons[0].age", "unknown", CL_FIELD_INVALID},
        {"persons[10].name", "two digits", CL_FIELD_INVALID},
        {"", "nowhere", CL_FIELD_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ProtobufCBinaryData *place = cl_personal_place(&with.application, rows[i].path);
        if (place != NULL && rows[i].reason == CL_OK) {
            *place = (ProtobufCBinaryData){0, NULL}; /* the fixture has committed everything */
        }
        struct cl_status status = cl_personal_commit(&disclosure, arena, &with.application, rows[i].path,
                                                     cl_bytes_text(rows[i].value), cl_random_system());
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].path, cl_status_name(status));
        }
        if (cl_is_ok(status)) {
            struct cl_digest commitment;
            cl_commitment(&commitment, rows[i].path, cl_bytes(disclosure->salt.data, disclosure->salt.len),
                          cl_bytes_text(rows[i].value));
            assert_int_equal(place->len, CL_DIGEST_BYTES);
            assert_memory_equal(place->data, commitment.bytes, CL_DIGEST_BYTES);
        }
    }
}

/* Covers: COL-PER-003 */
static void a_disclosure_is_made_with_a_fresh_salt_or_not_at_all(void **state)
{
    (void)state;
    Coloan__V1__Disclosure *a = NULL;
    Coloan__V1__Disclosure *b = NULL;
    struct cl_digest commitment_a;
    struct cl_digest commitment_b;
    struct cl_bytes value = cl_bytes_text("测试甲");
    const struct cl_random *random = cl_random_system();
    assert_true(cl_is_ok(cl_disclosure_make(&a, &commitment_a, arena, "home.address", value, random)));
    assert_true(cl_is_ok(cl_disclosure_make(&b, &commitment_b, arena, "home.address", value, random)));
    assert_memory_not_equal(a->salt.data, b->salt.data, CL_DISCLOSURE_SALT_BYTES);
    assert_false(cl_digest_equal(&commitment_a, &commitment_b));
    assert_int_equal(cl_disclosure_make(&a, &commitment_a, arena, "home.address", cl_bytes_text(""), random).reason,
                     CL_FIELD_INVALID);
    struct cl_arena *small = NULL;
    assert_true(cl_is_ok(cl_arena_create(&small, 64)));
    a = NULL;
    assert_int_equal(cl_disclosure_make(&a, &commitment_a, small, "home.address", value, random).reason,
                     CL_MEMORY_LIMIT);
    assert_null(a);
    cl_arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commitment_is_the_hash_of_counted_parts),
        cmocka_unit_test(fields_are_listed_in_a_fixed_order),
        cmocka_unit_test(other_bodies_have_none),
        cmocka_unit_test(a_milestone_commits_to_its_account),
        cmocka_unit_test(wrong_bodies_are_told),
        cmocka_unit_test(disclosures_are_checked_one_by_one),
        cmocka_unit_test(values_are_found_by_path),
        cmocka_unit_test(a_value_is_committed_where_its_path_says),

        cmocka_unit_test(a_disclosure_is_made_with_a_fresh_salt_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
