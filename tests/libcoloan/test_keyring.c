/* Key directories: strict registration, replacement, and the slot that poll threads read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/keyring.h"
#include "tests/support/signing.h"
#include "tests/support/wire.h"

#define DIRECTORY_TYPE "application/vnd.coloan.v1.KeyDirectory+protobuf"

static struct signing signing;
static struct cl_arena *arena;

static int open_signing(void **state)
{
    (void)state;
    signing_init(&signing);
    return 0;
}

static int close_signing(void **state)
{
    (void)state;
    signing_close(&signing);
    return 0;
}

static int open_arena(void **state)
{
    (void)state;
    return cl_is_ok(cl_arena_create(&arena, 4 * CL_MESSAGE_ARENA_BYTES_MAX)) ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    cl_arena_free(arena);
    return 0;
}

static enum cl_reason load_over(struct cl_bytes directory, const struct cl_keyring *held)
{
    struct cl_keyring *keyring = NULL;
    struct cl_status status = cl_keyring_load(&keyring, directory, &signing.trust, held);
    assert_int_equal(keyring != NULL, cl_is_ok(status));
    cl_keyring_unref(keyring);
    return status.reason;
}

static struct cl_bytes issue(uint64_t number)
{
    struct cl_bytes bytes;
    struct cl_directory directory = {.number = number,
                                     .environment = SIGNING_ENVIRONMENT,
                                     .issued_ms = SIGNING_NOW_MS,
                                     .keys = signing.keys,
                                     .key_count = signing.key_count};
    cl_uuid7_make(&directory.message_id, SIGNING_NOW_MS, cl_random_system());
    assert_true(cl_is_ok(cl_keyring_issue(&bytes, arena, signing.signers[SIGNING_DIRECTORY], &directory)));
    return bytes;
}

/* -- Loading ------------------------------------------------------------------------------------------------- */

static void a_directory_is_loaded_whole(void **state)
{
    (void)state;
    const struct cl_key *keys = NULL;
    assert_int_equal(cl_keyring_number(signing.keyring), 1);
    assert_int_equal(cl_keyring_issued_ms(signing.keyring), SIGNING_NOW_MS - SIGNING_DAY_MS);
    assert_string_equal(cl_keyring_centre(signing.keyring), SIGNING_CENTRE);
    assert_string_equal(cl_keyring_environment(signing.keyring), SIGNING_ENVIRONMENT);
    assert_true(cl_bytes_equal(cl_keyring_directory(signing.keyring), signing.directory));
    assert_int_equal(cl_keyring_keys(signing.keyring, &keys), signing.key_count);
    for (size_t i = 0; i < signing.key_count; i++) {
        struct cl_keyid keyid;
        cl_keyid(&keyid, CL_KEY_ED25519, cl_bytes(keys[i].public_key.bytes, CL_PUBLIC_KEY_BYTES));
        assert_string_equal(keys[i].keyid.text, keyid.text);
    }
}

static void candidates_are_those_of_party_and_purpose(void **state)
{
    (void)state;
    static const struct {
        const char *environment, *party;
        Coloan__V1__KeyPurpose purpose;
        size_t count;
    } rows[] = {
        {"test", SIGNING_ALPHA, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, 6},
        {"test", SIGNING_ALPHA, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_WITNESS, 1},
        {"test", SIGNING_ALPHA, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_CONFORMANCE, 0},
        {"test", SIGNING_BETA, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, 1},
        {"test", SIGNING_CENTRE, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, 1},
        {"test", "bank:cn-alpha", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, 0},
        {"test", "bank:cn-zeta", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, 0},
        {"test", "", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, 0},
        {"prod", SIGNING_ALPHA, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cl_key *keys = &signing.keys[0];
        assert_int_equal(
            cl_keyring_candidates(signing.keyring, rows[i].environment, rows[i].party, rows[i].purpose, &keys),
            rows[i].count);
        assert_int_equal(keys == NULL, rows[i].count == 0);
        for (size_t j = 0; j < rows[i].count; j++) {
            assert_string_equal(keys[j].party, rows[i].party);
            assert_int_equal(keys[j].purpose, rows[i].purpose);
        }
    }
}

/* What a directory is made of, to be spoilt and signed again. */
struct parts {
    const char *type;
    enum signing_key signer;
    Coloan__V1__SignedHeader *header;
    Coloan__V1__KeyDirectory *directory;
    Coloan__V1__Key *key; /* the first */
};

static Coloan__V1__Envelope *unpack_envelope(struct cl_bytes bytes)
{
    Coloan__V1__Envelope *envelope = coloan__v1__envelope__unpack(cl_arena_protobuf(arena), bytes.len, bytes.data);
    assert_non_null(envelope);
    return envelope;
}

static void take_apart(struct parts *out, struct cl_bytes bytes)
{
    ProtobufCAllocator *allocator = cl_arena_protobuf(arena);
    const Coloan__V1__Envelope *envelope = unpack_envelope(bytes);
    Coloan__V1__SignedPayload *payload =
        coloan__v1__signed_payload__unpack(allocator, envelope->payload.len, envelope->payload.data);
    assert_non_null(payload);
    out->type = DIRECTORY_TYPE;
    out->signer = SIGNING_DIRECTORY;
    out->header = payload->header;
    out->directory = coloan__v1__key_directory__unpack(allocator, payload->body.len, payload->body.data);
    assert_non_null(out->directory);
    out->key = out->directory->keys[0];
}

static struct cl_bytes put_together(const struct parts *parts)
{
    struct cl_bytes body;
    assert_true(cl_is_ok(cl_pack(&body, arena, &parts->directory->base)));
    return signing_forge(arena, signing.signers[parts->signer], parts->type,
                         signing_payload(arena, parts->header, body));
}

#define SPOIL(name, statement)                                                                                         \
    static void name(struct parts *parts)                                                                              \
    {                                                                                                                  \
        statement;                                                                                                     \
    }

SPOIL(nothing, (void)parts)
SPOIL(type, parts->type = SIGNING_TYPE)
SPOIL(by_the_signing_key, parts->signer = SIGNING_CENTRE_SIGN)
SPOIL(by_a_bank, parts->signer = SIGNING_ALPHA_ACTIVE)
SPOIL(no_header, parts->header = NULL)
SPOIL(version, parts->header->spec_version = cl_arena_text(arena, "1.1"))
SPOIL(header_environment, parts->header->environment = cl_arena_text(arena, "prod"))
SPOIL(sender, parts->header->sender = cl_arena_text(arena, SIGNING_ALPHA))
SPOIL(recipient, parts->header->recipient = cl_arena_text(arena, SIGNING_ALPHA))
SPOIL(method, parts->header->method = cl_arena_text(arena, SIGNING_METHOD))
SPOIL(direction, parts->header->direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY)
SPOIL(message_id, parts->header->message_id.len = 0)
SPOIL(in_reply_to, parts->header->in_reply_to = signing_data(arena, cl_bytes_text("01234567890123456789012345678901")))
SPOIL(expires, parts->header->expires_ms = SIGNING_NOW_MS)
SPOIL(sequence, parts->header->sequence++)
SPOIL(number_0, parts->header->sequence = parts->directory->number = 0)
SPOIL(environment, parts->directory->environment = cl_arena_text(arena, "prod"))
SPOIL(issued, parts->directory->issued_ms++)
SPOIL(no_keys, parts->directory->n_keys = 0)
SPOIL(same_key_twice, parts->directory->keys[1] = parts->key)
SPOIL(unclean, parts->key->party[0] = '\n')
SPOIL(party_kind, parts->key->party = cl_arena_text(arena, "court:cn-alpha"))
SPOIL(no_party, parts->key->party = cl_arena_text(arena, ""))
SPOIL(other_party, parts->key->party = cl_arena_text(arena, SIGNING_BETA))
SPOIL(no_purpose, parts->key->purpose = COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_UNSPECIFIED)
SPOIL(no_status, parts->key->status = COLOAN__V1__KEY_STATUS__KEY_STATUS_UNSPECIFIED)
SPOIL(key_environment, parts->key->environment = cl_arena_text(arena, "prod"))
SPOIL(sm2, parts->key->algorithm = COLOAN__V1__KEY_ALGORITHM__KEY_ALGORITHM_SM2_SM3)
SPOIL(no_algorithm, parts->key->algorithm = COLOAN__V1__KEY_ALGORITHM__KEY_ALGORITHM_UNSPECIFIED)
SPOIL(short_key, parts->key->public_key.len = 31)
SPOIL(small_order, memset(parts->key->public_key.data, 0, 32); parts->key->public_key.data[0] = 1)
SPOIL(flipped_key, parts->key->public_key.data[0] ^= 1)
SPOIL(never_valid, parts->key->valid_until_ms = parts->key->valid_from_ms)
SPOIL(valid_backwards, parts->key->valid_until_ms = parts->key->valid_from_ms - 1)
SPOIL(valid_from_negative, parts->key->valid_from_ms = -1)
SPOIL(no_possession, parts->key->possession.len = 0)
SPOIL(flipped_possession, parts->key->possession.data[0] ^= 1)
SPOIL(long_party,
      parts->key->party = cl_arena_text(arena, "bank:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))

static const struct {
    const char *name;
    void (*spoil)(struct parts *parts);
    enum cl_reason reason;
} flaws[] = {
    {"nothing", nothing, CL_OK},
    {"type", type, CL_PAYLOAD_TYPE_WRONG},
    {"by the centre's signing key", by_the_signing_key, CL_KEY_UNKNOWN},
    {"by a bank", by_a_bank, CL_KEY_UNKNOWN},
    {"no header", no_header, CL_HEADER_INCOMPLETE},
    {"version", version, CL_SPEC_VERSION},
    {"environment in header", header_environment, CL_ENVIRONMENT_WRONG},
    {"sender", sender, CL_SENDER_WRONG},
    {"recipient", recipient, CL_RECIPIENT_WRONG},
    {"method", method, CL_METHOD_WRONG},
    {"direction", direction, CL_DIRECTION_WRONG},
    {"message id", message_id, CL_MESSAGE_ID_INVALID},
    {"in reply to", in_reply_to, CL_IN_REPLY_TO_WRONG},
    {"expires", expires, CL_LIFETIME_WRONG},
    {"sequence", sequence, CL_SEQUENCE_WRONG},
    {"number 0", number_0, CL_SEQUENCE_WRONG},
    {"environment", environment, CL_ENVIRONMENT_WRONG},
    {"issued", issued, CL_DIRECTORY_INVALID},
    {"no keys", no_keys, CL_DIRECTORY_INVALID},
    {"same key twice", same_key_twice, CL_DIRECTORY_INVALID},
    {"unclean text", unclean, CL_TEXT_CONTROL},
    {"party kind", party_kind, CL_DIRECTORY_INVALID},
    {"no party", no_party, CL_DIRECTORY_INVALID},
    {"long party", long_party, CL_DIRECTORY_INVALID},
    {"other party", other_party, CL_KEY_POSSESSION},
    {"no purpose", no_purpose, CL_DIRECTORY_INVALID},
    {"no status", no_status, CL_DIRECTORY_INVALID},
    {"environment of key", key_environment, CL_ENVIRONMENT_WRONG},
    {"SM2", sm2, CL_DIRECTORY_INVALID},
    {"no algorithm", no_algorithm, CL_DIRECTORY_INVALID},
    {"short key", short_key, CL_DIRECTORY_INVALID},
    {"small order", small_order, CL_KEY_WEAK},
    {"flipped key", flipped_key, CL_KEY_WEAK},
    {"never valid", never_valid, CL_DIRECTORY_INVALID},
    {"valid backwards", valid_backwards, CL_DIRECTORY_INVALID},
    {"valid before 1970", valid_from_negative, CL_DIRECTORY_INVALID},
    {"no possession", no_possession, CL_KEY_POSSESSION},
    {"flipped possession", flipped_possession, CL_KEY_POSSESSION},
};

/* Covers: COL-KEY-002, COL-KEY-004, COL-KEY-007, COL-KEY-009, COL-ENV-007 */
static void each_flaw_has_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        struct parts parts;
        take_apart(&parts, signing.directory);
        flaws[i].spoil(&parts);
        enum cl_reason reason = load_over(put_together(&parts), NULL);
        if (reason != flaws[i].reason) {
            fail_msg("%s: %s", flaws[i].name, cl_reason_info(reason)->name);
        }
    }
}

/* Covers: COL-KEY-006 */
static void the_envelope_is_checked_too(void **state)
{
    (void)state;
    Coloan__V1__BatchProof batch = COLOAN__V1__BATCH_PROOF__INIT;
    struct cl_bytes bytes;
    Coloan__V1__Envelope *envelope = unpack_envelope(signing.directory);
    Coloan__V1__Signature *twice[] = {envelope->signatures[0], envelope->signatures[0]};
    Coloan__V1__Signature **once = envelope->signatures;
    assert_int_equal(load_over(cl_bytes(NULL, 0), NULL), CL_MESSAGE_EMPTY);
    assert_int_equal(load_over(cl_bytes(signing.directory.data, signing.directory.len - 1), NULL), CL_WIRE_MALFORMED);
    envelope->n_signatures = 0;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &envelope->base)));
    assert_int_equal(load_over(bytes, NULL), CL_SIGNATURE_COUNT);
    envelope->n_signatures = 2;
    envelope->signatures = twice;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &envelope->base)));
    assert_int_equal(load_over(bytes, NULL), CL_SIGNATURE_COUNT);
    envelope->n_signatures = 1;
    envelope->signatures = once;
    once[0]->batch = &batch;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &envelope->base)));
    assert_int_equal(load_over(bytes, NULL), CL_PROFILE_UNSUPPORTED);
    once[0]->batch = NULL;
    once[0]->keyid = cl_arena_text(arena, "");
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &envelope->base)));
    assert_int_equal(load_over(bytes, NULL), CL_OK);
    once[0]->sig.data[0] ^= 1;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &envelope->base)));
    assert_int_equal(load_over(bytes, NULL), CL_SIGNATURE_INVALID);
    once[0]->sig.len = 63;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &envelope->base)));
    assert_int_equal(load_over(bytes, NULL), CL_SIGNATURE_INVALID);
}

static void no_flipped_bit_is_accepted(void **state)
{
    (void)state;
    uint8_t *copy = malloc(signing.directory.len);
    assert_non_null(copy);
    for (size_t bit = 0; bit < signing.directory.len * 8; bit++) {
        memcpy(copy, signing.directory.data, signing.directory.len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (load_over(cl_bytes(copy, signing.directory.len), NULL) == CL_OK) {
            fail_msg("bit %zu", bit);
        }
    }
    free(copy);
}

/* Covers: COL-KEY-006 */
static void only_what_was_pinned_is_trusted(void **state)
{
    (void)state;
    struct cl_keyring *keyring = NULL;
    struct cl_directory_trust trust = signing.trust;
    trust.public_key = *cl_signer_public_key(signing.signers[SIGNING_CENTRE_SIGN]);
    assert_int_equal(cl_keyring_load(&keyring, signing.directory, &trust, NULL).reason, CL_KEY_UNKNOWN);
    trust = signing.trust;
    trust.centre = "fund:cn-other";
    assert_int_equal(cl_keyring_load(&keyring, signing.directory, &trust, NULL).reason, CL_SENDER_WRONG);
    trust = signing.trust;
    trust.environment = "prod";
    assert_int_equal(cl_keyring_load(&keyring, signing.directory, &trust, NULL).reason, CL_ENVIRONMENT_WRONG);
    trust = signing.trust;
    memset(trust.public_key.bytes, 0, sizeof trust.public_key.bytes);
    assert_int_equal(cl_keyring_load(&keyring, signing.directory, &trust, NULL).reason, CL_KEY_WEAK);
    assert_null(keyring);
}

/* Covers: COL-KEY-010 */
static void only_a_higher_number_replaces(void **state)
{
    (void)state;
    struct cl_keyring *third = NULL;
    assert_true(cl_is_ok(cl_keyring_load(&third, issue(3), &signing.trust, signing.keyring)));
    assert_int_equal(load_over(issue(2), third), CL_SEQUENCE_WRONG);
    assert_int_equal(load_over(issue(3), third), CL_SEQUENCE_WRONG);
    assert_int_equal(load_over(issue(4), third), CL_OK);
    assert_int_equal(load_over(issue(UINT64_MAX), third), CL_OK);
    assert_int_equal(load_over(issue(2), NULL), CL_OK);
    cl_keyring_unref(third);
    cl_keyring_unref(NULL);
}

static void environments_have_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {{"prod", true},
                {"test", true},
                {"conf/run-1", true},
                {"conf/", false},
                {"conf", false},
                {"conf/A", false},
                {"conf/a/b", false},
                {"Prod", false},
                {"", false},
                {"prod ", false},
                {"conf/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (cl_environment_valid(rows[i].text) != rows[i].valid) {
            fail_msg("%s", rows[i].text);
        }
    }
}

/* -- Issuing ------------------------------------------------------------------------------------------------- */

static enum cl_reason issue_one(const struct cl_key *key, size_t count)
{
    struct cl_bytes bytes = {0};
    struct cl_directory directory = {
        .number = 2, .environment = SIGNING_ENVIRONMENT, .issued_ms = SIGNING_NOW_MS, .keys = key, .key_count = count};
    return cl_keyring_issue(&bytes, arena, signing.signers[SIGNING_DIRECTORY], &directory).reason;
}

static void no_bad_directory_is_issued(void **state)
{
    (void)state;
    struct cl_key key = signing.keys[0];
    assert_int_equal(issue_one(&key, 1), CL_OK);
    assert_int_equal(issue_one(&key, 0), CL_DIRECTORY_INVALID);
    struct cl_key twice[] = {key, key};
    assert_int_equal(issue_one(twice, 2), CL_DIRECTORY_INVALID);
    key.status = COLOAN__V1__KEY_STATUS__KEY_STATUS_UNSPECIFIED;
    assert_int_equal(issue_one(&key, 1), CL_DIRECTORY_INVALID);
    key = signing.keys[0];
    key.possession.bytes[0] ^= 1;
    assert_int_equal(issue_one(&key, 1), CL_KEY_POSSESSION);
    key = signing.keys[0];
    memset(key.public_key.bytes, 0, sizeof key.public_key.bytes);
    assert_int_equal(issue_one(&key, 1), CL_KEY_WEAK);
    struct cl_arena *all = arena;
    assert_true(cl_is_ok(cl_arena_create(&arena, 1024)));
    assert_int_equal(issue_one(&signing.keys[0], 1), CL_MEMORY_LIMIT);
    cl_arena_free(arena);
    arena = all;
}

static struct cl_key *make_keys(size_t count)
{
    struct cl_key *keys = cl_arena_array(arena, count, sizeof *keys);
    assert_non_null(keys);
    for (size_t i = 0; i < count; i++) {
        uint8_t seed[CL_KEY_SEED_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8)};
        struct cl_signer *signer = NULL;
        assert_true(cl_is_ok(cl_signer_from_seed(&signer, seed, SIGNING_ALPHA)));
        cl_key_describe(&keys[i], signer, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, SIGNING_ENVIRONMENT,
                        SIGNING_NOW_MS, SIGNING_NOW_MS + 1);
        cl_signer_free(signer);
    }
    return keys;
}

static void a_large_directory_is_loaded_and_a_larger_one_not_issued(void **state)
{
    (void)state;
    enum { MANY = CL_KEYS_MAX, TOO_MANY = CL_KEYS_MAX + 1 };
    struct cl_key *keys = make_keys(TOO_MANY);
    struct cl_bytes bytes;
    struct cl_directory directory = {
        .number = 2, .environment = SIGNING_ENVIRONMENT, .issued_ms = SIGNING_NOW_MS, .keys = keys, .key_count = MANY};
    cl_uuid7_make(&directory.message_id, SIGNING_NOW_MS, cl_random_system());
    const struct cl_signer *signer = signing.signers[SIGNING_DIRECTORY];
    assert_int_equal(cl_keyring_issue(&bytes, arena, signer, &directory).reason, CL_OK);
    assert_int_equal(load_over(bytes, signing.keyring), CL_OK);
    directory.key_count = TOO_MANY;
    assert_int_equal(cl_keyring_issue(&bytes, arena, signer, &directory).reason, CL_DIRECTORY_INVALID);
}

/* -- The slot ------------------------------------------------------------------------------------------------ */

enum { READERS = 3, ROUNDS = 200 };

static void *read_slot(void *user)
{
    struct cl_keyring_slot *slot = user;
    uint64_t last = 0;
    for (int i = 0; i < ROUNDS * 20; i++) {
        const struct cl_key *keys = NULL;
        struct cl_keyring *keyring = cl_keyring_slot_take(slot);
        size_t count = cl_keyring_candidates(keyring, SIGNING_ENVIRONMENT, SIGNING_ALPHA,
                                             COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, &keys);
        bool right = count == 6 && cl_keyring_number(keyring) >= last;
        last = cl_keyring_number(keyring);
        cl_keyring_unref(keyring);
        if (!right) {
            return user;
        }
    }
    return NULL;
}

static void readers_go_on_while_the_keyring_is_replaced(void **state)
{
    (void)state;
    struct cl_keyring_slot *slot = NULL;
    pthread_t readers[READERS];
    assert_true(cl_is_ok(cl_keyring_slot_create(&slot, signing.keyring)));
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_slot, slot), 0);
    }
    for (uint64_t number = 2; number < ROUNDS; number += 20) {
        struct cl_keyring *next = NULL;
        assert_true(cl_is_ok(cl_keyring_load(&next, issue(number), &signing.trust, NULL)));
        assert_int_equal(cl_keyring_slot_replace(slot, next).reason, CL_OK);
        assert_int_equal(cl_keyring_slot_replace(slot, next).reason, CL_SEQUENCE_WRONG);
        cl_keyring_unref(next);
    }
    assert_int_equal(cl_keyring_slot_replace(slot, signing.keyring).reason, CL_SEQUENCE_WRONG);
    for (size_t i = 0; i < READERS; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(readers[i], &wrong), 0);
        assert_null(wrong);
    }
    cl_keyring_slot_free(slot);
    cl_keyring_slot_free(NULL);
}

static void a_slot_keeps_its_centre_and_environment(void **state)
{
    (void)state;
    struct cl_keyring_slot *slot = NULL;
    struct cl_keyring *other = NULL;
    struct cl_bytes bytes;
    struct cl_key key;
    cl_key_describe(&key, signing.signers[SIGNING_ALPHA_ACTIVE], COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, "prod",
                    SIGNING_NOW_MS, SIGNING_NOW_MS + 1);
    struct cl_directory directory = {
        .number = 9, .environment = "prod", .issued_ms = SIGNING_NOW_MS, .keys = &key, .key_count = 1};
    cl_uuid7_make(&directory.message_id, SIGNING_NOW_MS, cl_random_system());
    struct cl_directory_trust trust = signing.trust;
    trust.environment = "prod";
    assert_true(cl_is_ok(cl_keyring_issue(&bytes, arena, signing.signers[SIGNING_DIRECTORY], &directory)));
    assert_true(cl_is_ok(cl_keyring_load(&other, bytes, &trust, NULL)));
    assert_true(cl_is_ok(cl_keyring_slot_create(&slot, signing.keyring)));
    assert_int_equal(cl_keyring_slot_replace(slot, other).reason, CL_ENVIRONMENT_WRONG);
    cl_keyring_unref(other);

    struct cl_signer *second_centre = NULL;
    uint8_t seed[CL_KEY_SEED_BYTES] = {7};
    assert_true(cl_is_ok(cl_signer_from_seed(&second_centre, seed, "fund:cn-other")));
    directory.environment = SIGNING_ENVIRONMENT;
    directory.keys = signing.keys;
    trust = (struct cl_directory_trust){*cl_signer_public_key(second_centre), "fund:cn-other", SIGNING_ENVIRONMENT};
    assert_true(cl_is_ok(cl_keyring_issue(&bytes, arena, second_centre, &directory)));
    assert_true(cl_is_ok(cl_keyring_load(&other, bytes, &trust, NULL)));
    assert_int_equal(cl_keyring_slot_replace(slot, other).reason, CL_SENDER_WRONG);
    cl_keyring_unref(other);
    cl_signer_free(second_centre);
    cl_keyring_slot_free(slot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory_is_loaded_whole),
        TEST(candidates_are_those_of_party_and_purpose),
        TEST(each_flaw_has_its_reason),
        TEST(the_envelope_is_checked_too),
        TEST(no_flipped_bit_is_accepted),
        TEST(only_what_was_pinned_is_trusted),
        TEST(only_a_higher_number_replaces),
        TEST(environments_have_names),
        TEST(no_bad_directory_is_issued),
        TEST(a_large_directory_is_loaded_and_a_larger_one_not_issued),
        TEST(readers_go_on_while_the_keyring_is_replaced),
        TEST(a_slot_keeps_its_centre_and_environment),
    };
    return cmocka_run_group_tests(tests, open_signing, close_signing);
}
