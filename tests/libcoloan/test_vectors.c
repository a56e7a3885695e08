/* Reads interop/vectors as any other implementation would, and judges every case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/envelope.h"
#include "libcoloan/limits.h"
#include "libcoloan/personal.h"
#include "libcoloan/sha256.h"

#define VECTORS COLOAN_SOURCE_DIR "/interop/vectors/"

static struct cl_arena *arena;
static json_t *root;

static json_t *cases_of(const char *file)
{
    json_error_t error;
    root = json_load_file(file, 0, &error);
    if (root == NULL) {
        fail_msg("%s: %s", file, error.text);
    }
    json_t *cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) > 0);
    return cases;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL) {
        fail_msg("no text \"%s\"", name);
    }
    return text;
}

static int64_t number_of(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);
    assert_true(json_is_integer(number));
    return json_integer_value(number);
}

/* The bytes of a hex text, followed by as many zeros as "zeros_appended" says. */
static struct cl_bytes bytes_of(const json_t *object, const char *name)
{
    const char *hex = text_of(object, name);
    size_t len = strlen(hex) / 2;
    size_t zeros = (size_t)json_integer_value(json_object_get(object, "zeros_appended"));
    uint8_t *bytes = cl_arena_alloc(arena, len + zeros);
    assert_non_null(bytes);
    assert_true(cl_is_ok(cl_hex_decode(bytes, len, hex)));
    return cl_bytes(bytes, len + zeros);
}

static void fixed_bytes(void *out, size_t len, const json_t *object, const char *name)
{
    assert_true(cl_is_ok(cl_hex_decode(out, len, text_of(object, name))));
}

static void assert_hex(const json_t *object, const char *name, const void *data, size_t len)
{
    struct cl_bytes expected = bytes_of(object, name);
    assert_true(cl_bytes_equal(expected, cl_bytes(data, len)));
}

static void assert_expected(const json_t *one, struct cl_status status)
{
    if (strcmp(text_of(one, "expect"), cl_status_name(status)) != 0) {
        fail_msg("%s: %s instead of %s", text_of(one, "name"), cl_status_name(status), text_of(one, "expect"));
    }
}

static int open_arena(void **state)
{
    (void)state;
    return cl_is_ok(cl_arena_create(&arena, 64 * CL_MESSAGE_ARENA_BYTES_MAX)) ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    json_decref(root);
    root = NULL;
    cl_arena_free(arena);
    return 0;
}

/* -- Small things -------------------------------------------------------------------------------------------- */

/* Covers: COL-ENV-002, COL-ENV-003 */
static void pae(void **state)
{
    (void)state;
    size_t i = 0;
    const json_t *one = NULL;
    json_t *cases = cases_of(VECTORS "pae.json");
    json_array_foreach(cases, i, one)
    {
        uint8_t seed[CL_KEY_SEED_BYTES];
        struct cl_signer *signer = NULL;
        struct cl_bytes made;
        struct cl_digest digest;
        struct cl_signature signature;
        struct cl_bytes payload = bytes_of(one, "payload");
        fixed_bytes(seed, sizeof seed, one, "seed");
        assert_true(cl_is_ok(cl_signer_from_seed(&signer, seed, "bank:test")));
        assert_true(cl_is_ok(cl_dsse_pae(&made, arena, text_of(one, "payload_type"), payload)));
        cl_dsse_digest(&digest, text_of(one, "payload_type"), payload);
        cl_sign(&signature, signer, made);
        assert_hex(one, "pae", made.data, made.len);
        assert_hex(one, "digest", digest.bytes, sizeof digest.bytes);
        assert_hex(one, "public_key", cl_signer_public_key(signer)->bytes, CL_PUBLIC_KEY_BYTES);
        assert_hex(one, "signature", signature.bytes, sizeof signature.bytes);
        cl_signer_free(signer);
    }
}

/* Covers: COL-KEY-003 */
static void keyid(void **state)
{
    (void)state;
    size_t i = 0;
    const json_t *one = NULL;
    json_t *cases = cases_of(VECTORS "keyid.json");
    json_array_foreach(cases, i, one)
    {
        struct cl_keyid id;
        cl_keyid(&id, (enum cl_key_algorithm)number_of(one, "algorithm"), bytes_of(one, "public_key"));
        assert_string_equal(id.text, text_of(one, "keyid"));
    }
}

/* Covers: COL-KEY-004 */
static void possession(void **state)
{
    (void)state;
    size_t i = 0;
    const json_t *one = NULL;
    json_t *cases = cases_of(VECTORS "possession.json");
    json_array_foreach(cases, i, one)
    {
        struct cl_public_key key;
        struct cl_signature proof;
        fixed_bytes(key.bytes, sizeof key.bytes, one, "public_key");
        fixed_bytes(proof.bytes, sizeof proof.bytes, one, "possession");
        bool holds = cl_possession_verify(&proof, &key, text_of(one, "party"), text_of(one, "environment"));
        assert_expected(one, holds ? cl_ok() : cl_fail(CL_KEY_POSSESSION));
    }
}

/* Covers: COL-PER-001 */
static void commitment(void **state)
{
    (void)state;
    size_t i = 0;
    const json_t *one = NULL;
    json_t *cases = cases_of(VECTORS "commitment.json");
    json_array_foreach(cases, i, one)
    {
        struct cl_digest digest;
        cl_commitment(&digest, text_of(one, "path"), bytes_of(one, "salt"), bytes_of(one, "value"));
        assert_hex(one, "commitment", digest.bytes, sizeof digest.bytes);
    }
}

/* Covers: COL-KEY-005 */
static void signature(void **state)
{
    (void)state;
    size_t i = 0;
    const json_t *one = NULL;
    json_t *cases = cases_of(VECTORS "signature.json");
    json_array_foreach(cases, i, one)
    {
        struct cl_public_key key;
        struct cl_signature sig;
        fixed_bytes(key.bytes, sizeof key.bytes, one, "public_key");
        fixed_bytes(sig.bytes, sizeof sig.bytes, one, "signature");
        bool holds = cl_signature_verify(&sig, &key, bytes_of(one, "message"));
        assert_expected(one, holds ? cl_ok() : cl_fail(CL_SIGNATURE_INVALID));
    }
}

/* -- Directories and envelopes ------------------------------------------------------------------------------- */

static struct cl_keyring *load_parties(void)
{
    json_error_t error;
    json_t *parties = json_load_file(VECTORS "parties.json", 0, &error);
    struct cl_keyring *keyring = NULL;
    assert_non_null(parties);
    struct cl_directory_trust trust = {.centre = text_of(parties, "centre"),
                                       .environment = text_of(parties, "environment")};
    fixed_bytes(trust.public_key.bytes, sizeof trust.public_key.bytes, parties, "directory_key");
    assert_true(cl_is_ok(cl_keyring_load(&keyring, bytes_of(parties, "directory"), &trust, NULL)));
    json_decref(parties);
    return keyring;
}

/* Whatever the number, the slot's rule is the loader's; a keyring of that number is found among the cases. */
/* Covers: COL-KEY-006, COL-KEY-007, COL-KEY-009 */
static void directory(void **state)
{
    (void)state;
    size_t i = 0;
    const json_t *one = NULL;
    json_error_t error;
    json_t *parties = json_load_file(VECTORS "parties.json", 0, &error);
    assert_non_null(parties);
    struct cl_directory_trust trust = {.centre = text_of(parties, "centre"),
                                       .environment = text_of(parties, "environment")};
    fixed_bytes(trust.public_key.bytes, sizeof trust.public_key.bytes, parties, "directory_key");
    json_t *cases = cases_of(VECTORS "directory.json");
    struct cl_keyring *seventh = NULL;
    json_array_foreach(cases, i, one)
    {
        if (strcmp(text_of(one, "name"), "the number held") == 0) {
            assert_true(cl_is_ok(cl_keyring_load(&seventh, bytes_of(one, "directory"), &trust, NULL)));
        }
    }
    assert_non_null(seventh);
    json_array_foreach(cases, i, one)
    {
        struct cl_keyring *keyring = NULL;
        bool held = number_of(one, "held_number") == 7;
        assert_true(held || number_of(one, "held_number") == 0);
        assert_expected(one, cl_keyring_load(&keyring, bytes_of(one, "directory"), &trust, held ? seventh : NULL));
        cl_keyring_unref(keyring);
    }
    cl_keyring_unref(seventh);
    json_decref(parties);
}

/* Steps 1 to 8, 10, 11 and the disclosures. */
static struct cl_status judge(struct cl_opened *opened, struct cl_bytes bytes, const struct cl_expectation *expected)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    ProtobufCMessage *body = NULL;
    size_t count = 0;
    struct cl_status status = cl_envelope_open(opened, arena, bytes, expected);
    if (cl_is_ok(status)) {
        status = cl_header_check_time(opened->header, expected->now_ms);
    }
    if (cl_is_ok(status)) {
        status = cl_opened_body(&body, arena, opened);
    }
    if (cl_is_ok(status)) {
        status = cl_personal_fields(fields, &count, body);
    }
    if (cl_is_ok(status)) {
        status = cl_disclosure_check(fields, count, opened->disclosures, opened->disclosure_count);
    }
    return status;
}

static void check_opened(const json_t *one, const struct cl_opened *opened)
{
    struct cl_bytes stored;
    if (json_object_get(one, "digest") == NULL) {
        return;
    }
    assert_hex(one, "digest", opened->digest.bytes, CL_DIGEST_BYTES);
    assert_hex(one, "message_id", opened->message_id.bytes, CL_UUID_BYTES);
    assert_true(cl_is_ok(cl_opened_stored(&stored, arena, opened)));
    assert_hex(one, "stored", stored.data, stored.len);
}

/* Covers: COL-BAT-002, COL-BAT-003, COL-BAT-004 */
static void judge_file(const char *file, bool batch)
{
    size_t i = 0;
    const json_t *one = NULL;
    struct cl_keyring *keyring = load_parties();
    json_t *cases = cases_of(file);
    json_array_foreach(cases, i, one)
    {
        struct cl_opened opened;
        const char *direction = text_of(one, "direction");
        const char *type = text_of(one, "body_type");
        const struct cl_expected_body body = {
            strcmp(type, "Application") == 0 ? &coloan__v1__application__descriptor
                                             : &coloan__v1__bank_decision__descriptor,
            strcmp(direction, "REQUEST") == 0 ? COLOAN__V1__DIRECTION__DIRECTION_REQUEST
                                              : COLOAN__V1__DIRECTION__DIRECTION_REPLY,
        };
        struct cl_expectation expected = {.keyring = keyring,
                                          .environment = text_of(one, "environment"),
                                          .sender = text_of(one, "sender"),
                                          .recipient = text_of(one, "recipient"),
                                          .method = text_of(one, "method"),
                                          .bodies = &body,
                                          .body_count = 1,
                                          .now_ms = number_of(one, "now_ms"),
                                          .batch = batch};
        struct cl_status status = judge(&opened, bytes_of(one, "envelope"), &expected);
        assert_expected(one, status);
        if (cl_is_ok(status)) {
            check_opened(one, &opened);
        }
    }
    cl_keyring_unref(keyring);
}

/* Covers: COL-CHK-001 */
static void envelope(void **state)
{
    (void)state;
    judge_file(VECTORS "envelope.json", false);
}

static void batch(void **state)
{
    (void)state;
    judge_file(VECTORS "batch.json", true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(pae),       TEST(keyid),     TEST(possession), TEST(commitment),
                                       TEST(signature), TEST(directory), TEST(envelope),   TEST(batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
