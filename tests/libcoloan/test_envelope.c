/* Sealing and opening: every reason of every step, and the order of the steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <coloan/v1/push.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/envelope.h"
#include "libcoloan/limits.h"
#include "tests/support/signing.h"
#include "tests/support/wire.h"

static struct signing signing;

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

/* A fresh arena for each test; what signing made before lives in its own. */
static struct cl_arena *arena;

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

static struct cl_sealed seal_application(void)
{
    struct signing_application with;
    struct cl_sealed sealed;
    struct cl_message message = signing_message();
    signing_application(&with, arena);
    message.body = &with.application.base;
    message.disclosures = with.disclosures;
    message.disclosure_count = with.disclosure_count;
    assert_true(cl_is_ok(cl_envelope_seal(&sealed, arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message)));
    return sealed;
}

/* A header and an empty body, signed by alpha. */
static struct cl_bytes forge_with_header(const Coloan__V1__SignedHeader *header)
{
    struct cl_bytes payload = signing_payload(arena, header, cl_bytes(NULL, 0));
    return signing_forge(arena, signing.signers[SIGNING_ALPHA_ACTIVE], SIGNING_TYPE, payload);
}

static enum cl_reason open_as(struct cl_bytes bytes, const struct cl_expectation *expected)
{
    struct cl_opened opened = {.payload_type = "untouched"};
    struct cl_arena *own = NULL;
    assert_true(cl_is_ok(cl_arena_create(&own, CL_MESSAGE_ARENA_BYTES_MAX)));
    struct cl_status status = cl_envelope_open(&opened, own, bytes, expected);
    if (cl_failed(status)) {
        assert_string_equal(opened.payload_type, "untouched");
    }
    cl_arena_free(own);
    return status.reason;
}

static enum cl_reason open_plainly(struct cl_bytes bytes)
{
    struct cl_expectation expected = signing_expectation(&signing);
    return open_as(bytes, &expected);
}

static Coloan__V1__Envelope *unpack_envelope(struct cl_bytes bytes)
{
    Coloan__V1__Envelope *envelope = coloan__v1__envelope__unpack(cl_arena_protobuf(arena), bytes.len, bytes.data);
    assert_non_null(envelope);
    return envelope;
}

static struct cl_bytes pack_envelope(const Coloan__V1__Envelope *envelope)
{
    struct cl_bytes bytes;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &envelope->base)));
    return bytes;
}

/* -- The right one ------------------------------------------------------------------------------------------- */

static void what_was_sealed_is_opened(void **state)
{
    (void)state;
    struct cl_sealed sealed = seal_application();
    struct cl_expectation expected = signing_expectation(&signing);
    struct cl_message message = signing_message();
    struct cl_opened opened;
    struct cl_bytes stored;
    ProtobufCMessage *body = NULL;
    assert_int_equal(cl_envelope_open(&opened, arena, sealed.envelope, &expected).reason, CL_OK);
    assert_true(cl_digest_equal(&opened.digest, &sealed.digest));
    struct cl_digest digest;
    cl_dsse_digest(&digest, SIGNING_TYPE, opened.payload);
    assert_true(cl_digest_equal(&digest, &sealed.digest));
    assert_string_equal(opened.payload_type, SIGNING_TYPE);
    assert_string_equal(opened.header->sender, SIGNING_ALPHA);
    assert_string_equal(opened.header->application_id, "");
    assert_memory_equal(opened.message_id.bytes, message.message_id.bytes, CL_UUID_BYTES);
    assert_string_equal(opened.key.keyid.text, cl_signer_keyid(signing.signers[SIGNING_ALPHA_ACTIVE])->text);
    assert_int_equal(opened.disclosure_count, 7);
    assert_int_equal(cl_header_check_time(opened.header, SIGNING_NOW_MS).reason, CL_OK);
    assert_int_equal(cl_opened_scan_body(&opened).reason, CL_OK);
    assert_int_equal(cl_opened_body(&body, arena, &opened).reason, CL_OK);
    assert_string_equal(((Coloan__V1__Application *)body)->external_ref, "A-2026-000001");
    assert_int_equal(cl_opened_stored(&stored, arena, &opened).reason, CL_OK);
    assert_true(cl_bytes_equal(stored, sealed.stored));
    assert_true(stored.len < sealed.envelope.len);
}

/* Covers: COL-ENV-011, COL-PER-008 */
static void the_stored_form_opens_without_disclosures(void **state)
{
    (void)state;
    struct cl_sealed sealed = seal_application();
    struct cl_expectation expected = signing_expectation(&signing);
    struct cl_opened opened;
    assert_int_equal(cl_envelope_open(&opened, arena, sealed.stored, &expected).reason, CL_OK);
    assert_int_equal(opened.disclosure_count, 0);
    assert_true(cl_digest_equal(&opened.digest, &sealed.digest));
}

/* Opened, body read and disclosures checked: all that a receiver does before business. */
static bool accepted(struct cl_bytes bytes, const struct cl_expectation *expected, struct cl_arena *own)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    struct cl_opened opened;
    ProtobufCMessage *body = NULL;
    size_t count = 0;
    return cl_is_ok(cl_envelope_open(&opened, own, bytes, expected)) &&
           cl_is_ok(cl_header_check_time(opened.header, SIGNING_NOW_MS)) &&
           cl_is_ok(cl_opened_body(&body, own, &opened)) && cl_is_ok(cl_personal_fields(fields, &count, body)) &&
           cl_is_ok(cl_disclosure_check(fields, count, opened.disclosures, opened.disclosure_count));
}

/* Covers: COL-ENV-001, COL-ENV-004 */
static void no_flipped_bit_and_no_prefix_is_accepted(void **state)
{
    (void)state;
    struct cl_sealed sealed = seal_application();
    struct cl_expectation expected = signing_expectation(&signing);
    struct cl_arena *own = NULL;
    assert_true(cl_is_ok(cl_arena_create(&own, CL_MESSAGE_ARENA_BYTES_MAX)));
    assert_true(accepted(sealed.envelope, &expected, own));
    uint8_t *copy = malloc(sealed.envelope.len);
    assert_non_null(copy);
    for (size_t bit = 0; bit < sealed.envelope.len * 8; bit++) {
        cl_arena_reset(own);
        memcpy(copy, sealed.envelope.data, sealed.envelope.len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (accepted(cl_bytes(copy, sealed.envelope.len), &expected, own)) {
            fail_msg("bit %zu", bit);
        }
    }
    free(copy);
    for (size_t len = 0; len < sealed.envelope.len; len++) {
        cl_arena_reset(own);
        uint8_t *prefix = malloc(len + 1);
        assert_non_null(prefix);
        memcpy(prefix + 1, sealed.envelope.data, len);
        assert_false(accepted(cl_bytes(prefix + 1, len), &expected, own));
        free(prefix);
    }
    cl_arena_free(own);
}

/* Covers: COL-LIM-001 */
static void memory_is_capped(void **state)
{
    (void)state;
    struct cl_sealed sealed = seal_application();
    struct cl_expectation expected = signing_expectation(&signing);
    struct cl_opened opened;
    ProtobufCMessage *body = NULL;
    struct cl_arena *own = NULL;
    size_t cap = 0;
    struct cl_status status = cl_fail(CL_MEMORY_LIMIT);
    for (; cl_failed(status); cap += 16) {
        assert_true(cl_is_ok(cl_arena_create(&own, cap)));
        status = cl_envelope_open(&opened, own, sealed.envelope, &expected);
        if (cl_is_ok(status)) {
            status = cl_opened_body(&body, own, &opened);
        }
        assert_true(status.reason == CL_OK || status.reason == CL_MEMORY_LIMIT);
        cl_arena_free(own);
    }
    assert_in_range(cap, sealed.envelope.len, 16 * sealed.envelope.len);
}

/* -- Envelope, steps 1 to 3 ---------------------------------------------------------------------------------- */

/* Covers: COL-CHK-003, COL-TLS-007 */
static void size_and_wire_come_first(void **state)
{
    (void)state;
    struct wire wire = {0};
    assert_int_equal(open_plainly(cl_bytes(NULL, 0)), CL_MESSAGE_EMPTY);
    wire_zeros(&wire, CL_MESSAGE_BYTES_MAX + 1);
    assert_int_equal(open_plainly(wire_bytes(&wire)), CL_MESSAGE_TOO_LARGE);
    assert_int_equal(open_plainly(cl_bytes(wire.bytes, CL_MESSAGE_BYTES_MAX)), CL_WIRE_MALFORMED);
    wire_free(&wire);
    wire_text(&wire, 2, SIGNING_TYPE); /* no payload */
    assert_int_equal(open_plainly(wire_bytes(&wire)), CL_MESSAGE_EMPTY);
    wire_tag(&wire, 1, 2);
    wire_varint(&wire, CL_PAYLOAD_BYTES_MAX + 1);
    wire_zeros(&wire, CL_PAYLOAD_BYTES_MAX + 1);
    assert_int_equal(open_plainly(wire_bytes(&wire)), CL_MESSAGE_TOO_LARGE);
    wire_free(&wire);
}

/* Covers: COL-SCN-001, COL-SCN-002, COL-SCN-003, COL-SCN-004, COL-SCN-005, COL-SCN-006, COL-SCN-007 */
static void the_envelope_is_scanned(void **state)
{
    (void)state;
    static const struct {
        const char *name, *appended;
        enum cl_reason reason;
    } rows[] = {
        {"cut short", "22", CL_WIRE_MALFORMED},      {"wire type", "2001", CL_WIRE_TYPE},
        {"padded varint", "228000", CL_WIRE_VARINT}, {"payload twice", "0a0161", CL_WIRE_DUPLICATE},
        {"type twice", "120161", CL_WIRE_DUPLICATE}, {"unknown field", "2a00", CL_WIRE_UNKNOWN_FIELD},
        {"UTF-8", "22030a01ff", CL_TEXT_ENCODING},   {"NUL", "22030a0100", CL_TEXT_CONTROL},
    };
    struct cl_sealed sealed = seal_application();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire wire = {0};
        uint8_t bytes[16];
        size_t len = strlen(rows[i].appended) / 2;
        assert_true(cl_is_ok(cl_hex_decode(bytes, len, rows[i].appended)));
        wire_raw(&wire, sealed.envelope.data, sealed.envelope.len);
        wire_raw(&wire, bytes, len);
        enum cl_reason reason = open_plainly(wire_bytes(&wire));
        if (reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_reason_info(reason)->name);
        }
        wire_free(&wire);
    }
    struct wire wire = {0};
    wire_raw(&wire, sealed.envelope.data, sealed.envelope.len);
    for (size_t i = 0; i < CL_FIELDS_MAX; i++) {
        wire_data(&wire, 4, NULL, 0);
    }
    assert_int_equal(open_plainly(wire_bytes(&wire)), CL_WIRE_TOO_MANY_FIELDS);
    wire_free(&wire);
}

/* -- Payload type, step 4 ------------------------------------------------------------------------------------ */

/* Covers: COL-ENV-008 */
static void the_payload_type_must_be_expected(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          "Application",
                                          "application/vnd.coloan.v1.Application",
                                          "application/vnd.coloan.v1.Application+protobuf ",
                                          "Application/vnd.coloan.v1.Application+protobuf",
                                          "application/vnd.coloan.v1.ApplicationQuery+protobuf",
                                          "application/vnd.coloan.v1.Ack+protobuf",
                                          "application/vnd.coloan.v2.Application+protobuf"};
    Coloan__V1__SignedHeader header;
    signing_header(&header, arena);
    struct cl_bytes payload = signing_payload(arena, &header, cl_bytes(NULL, 0));
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct cl_bytes bytes = signing_forge(arena, signing.signers[SIGNING_ALPHA_ACTIVE], refused[i], payload);
        assert_int_equal(open_plainly(bytes), CL_PAYLOAD_TYPE_WRONG);
    }
    assert_int_equal(open_plainly(forge_with_header(&header)), CL_OK);
    struct cl_expectation nothing = signing_expectation(&signing);
    nothing.body_count = 0;
    assert_int_equal(open_as(forge_with_header(&header), &nothing), CL_PAYLOAD_TYPE_WRONG);
}

static void payload_types_are_found_by_name(void **state)
{
    (void)state;
    char type[CL_PAYLOAD_TYPE_BYTES_MAX];
    cl_payload_type(type, &coloan__v1__key_directory__descriptor);
    assert_string_equal(type, "application/vnd.coloan.v1.KeyDirectory+protobuf");
    assert_ptr_equal(cl_payload_type_find(type), &coloan__v1__key_directory__descriptor);
    assert_ptr_equal(cl_payload_type_find(SIGNING_TYPE), &coloan__v1__application__descriptor);
    assert_null(cl_payload_type_find("application/vnd.coloan.v1.Envelope+protobuf"));
    assert_null(cl_payload_type_find(""));
}

/* -- Keys and signatures, steps 5 and 6 ---------------------------------------------------------------------- */

/* Covers: COL-CHK-004, COL-CHK-006, COL-KEY-008 */
static void keys_count_by_party_purpose_state_and_time(void **state)
{
    (void)state;
    static const struct {
        enum signing_key key;
        enum cl_reason live, archived;
    } rows[] = {
        {SIGNING_ALPHA_ACTIVE, CL_OK, CL_OK},
        {SIGNING_ALPHA_RETIRING, CL_OK, CL_OK},
        {SIGNING_ALPHA_RETIRED, CL_KEY_NOT_VALID, CL_OK},
        {SIGNING_ALPHA_COMPROMISED, CL_KEY_NOT_VALID, CL_OK},
        {SIGNING_ALPHA_FUTURE, CL_KEY_NOT_VALID, CL_KEY_NOT_VALID},
        {SIGNING_ALPHA_PAST, CL_KEY_NOT_VALID, CL_KEY_NOT_VALID},
        {SIGNING_ALPHA_WITNESS, CL_KEY_UNKNOWN, CL_KEY_UNKNOWN},
        {SIGNING_BETA_SIGN, CL_KEY_UNKNOWN, CL_KEY_UNKNOWN},
        {SIGNING_CENTRE_SIGN, CL_KEY_UNKNOWN, CL_KEY_UNKNOWN},
        {SIGNING_DIRECTORY, CL_KEY_UNKNOWN, CL_KEY_UNKNOWN},
        {SIGNING_STRANGER, CL_KEY_UNKNOWN, CL_KEY_UNKNOWN},
    };
    static const struct cl_expected_body as_event[] = {
        {&coloan__v1__application__descriptor, COLOAN__V1__DIRECTION__DIRECTION_EVENT}};
    struct cl_expectation event_expected = signing_expectation(&signing);
    event_expected.bodies = as_event;
    event_expected.now_ms += 1000 * SIGNING_DAY_MS; /* long after: an event is judged by the day it was made */
    Coloan__V1__SignedHeader header;
    signing_header(&header, arena);
    struct cl_bytes payload = signing_payload(arena, &header, cl_bytes(NULL, 0));
    header.direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT;
    header.expires_ms = 0;
    header.sequence = 1;
    struct cl_bytes event_payload = signing_payload(arena, &header, cl_bytes(NULL, 0));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_bytes bytes = signing_forge(arena, signing.signers[rows[i].key], SIGNING_TYPE, payload);
        struct cl_bytes event = signing_forge(arena, signing.signers[rows[i].key], SIGNING_TYPE, event_payload);
        struct cl_opened opened;
        assert_int_equal(open_plainly(bytes), rows[i].live);
        assert_int_equal(open_as(event, &event_expected), rows[i].archived);
        assert_int_equal(cl_envelope_verify(&opened, arena, bytes, signing.keyring).reason, rows[i].archived);
    }
}

/* Covers: COL-KEY-008 */
static void a_key_is_valid_from_and_until(void **state)
{
    (void)state;
    static const struct {
        int64_t after_ms;
        enum cl_reason reason;
    } rows[] = {{-100 * SIGNING_DAY_MS - 1, CL_KEY_NOT_VALID},
                {-100 * SIGNING_DAY_MS, CL_OK},
                {100 * SIGNING_DAY_MS - 1, CL_OK},
                {100 * SIGNING_DAY_MS, CL_KEY_NOT_VALID}};
    struct cl_sealed sealed = seal_application();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_expectation expected = signing_expectation(&signing);
        expected.now_ms += rows[i].after_ms;
        assert_int_equal(open_as(sealed.envelope, &expected), rows[i].reason);
    }
}

static struct cl_bytes seal_with(const enum signing_key *keys, size_t count)
{
    const struct cl_signer *signers[CL_SIGNATURES_MAX];
    Coloan__V1__ApplicationQuery body = COLOAN__V1__APPLICATION_QUERY__INIT;
    struct cl_message message = signing_message();
    struct cl_sealed sealed;
    message.body = &body.base;
    for (size_t i = 0; i < count; i++) {
        signers[i] = signing.signers[keys[i]];
    }
    assert_true(cl_is_ok(cl_envelope_seal_many(&sealed, arena, signers, count, &message)));
    return sealed.envelope;
}

/* Covers: COL-ENV-005 */
static void every_signature_must_verify_by_a_key_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum signing_key keys[CL_SIGNATURES_MAX];
        size_t count;
        enum cl_reason reason;
    } rows[] = {
        {"one", {SIGNING_ALPHA_ACTIVE}, 1, CL_OK},
        {"two", {SIGNING_ALPHA_ACTIVE, SIGNING_ALPHA_RETIRING}, 2, CL_OK},
        {"same key twice", {SIGNING_ALPHA_ACTIVE, SIGNING_ALPHA_ACTIVE}, 2, CL_SIGNATURE_INVALID},
        {"second retired", {SIGNING_ALPHA_ACTIVE, SIGNING_ALPHA_RETIRED}, 2, CL_KEY_NOT_VALID},
        {"second unknown", {SIGNING_ALPHA_ACTIVE, SIGNING_STRANGER}, 2, CL_KEY_UNKNOWN},
        {"first unknown", {SIGNING_STRANGER, SIGNING_ALPHA_ACTIVE}, 2, CL_KEY_UNKNOWN},
        {"of another party", {SIGNING_ALPHA_ACTIVE, SIGNING_BETA_SIGN}, 2, CL_KEY_UNKNOWN},
    };
    static const struct cl_expected_body bodies[] = {
        {&coloan__v1__application_query__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_expectation expected = signing_expectation(&signing);
        expected.bodies = bodies;
        enum cl_reason reason = open_as(seal_with(rows[i].keys, rows[i].count), &expected);
        if (reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_reason_info(reason)->name);
        }
    }
}

static void edit_nothing(Coloan__V1__Envelope *envelope)
{
    (void)envelope;
}

static void edit_no_signature(Coloan__V1__Envelope *envelope)
{
    envelope->n_signatures = 0;
}

static void edit_five_signatures(Coloan__V1__Envelope *envelope)
{
    static Coloan__V1__Signature *list[CL_SIGNATURES_MAX + 1];
    for (size_t i = 0; i < CL_SIGNATURES_MAX + 1; i++) {
        list[i] = envelope->signatures[0];
    }
    envelope->signatures = list;
    envelope->n_signatures = CL_SIGNATURES_MAX + 1;
}

static void edit_batch(Coloan__V1__Envelope *envelope)
{
    static Coloan__V1__BatchProof proof;
    coloan__v1__batch_proof__init(&proof);
    envelope->signatures[0]->batch = &proof;
}

static void edit_no_keyid(Coloan__V1__Envelope *envelope)
{
    envelope->signatures[0]->keyid = cl_arena_text(arena, "");
}

static void edit_upper_keyid(Coloan__V1__Envelope *envelope)
{
    char *text = envelope->signatures[0]->keyid;
    for (; *text != '\0'; text++) {
        *text = (char)(*text >= 'a' ? *text - 32 : *text);
    }
}

static void edit_other_keyid(Coloan__V1__Envelope *envelope)
{
    const struct cl_keyid *other = cl_signer_keyid(signing.signers[SIGNING_ALPHA_RETIRING]);
    envelope->signatures[0]->keyid = cl_arena_text(arena, other->text);
}

static void edit_short_sig(Coloan__V1__Envelope *envelope)
{
    envelope->signatures[0]->sig.len = 63;
}

static void edit_no_sig(Coloan__V1__Envelope *envelope)
{
    envelope->signatures[0]->sig.len = 0;
}

static void edit_long_sig(Coloan__V1__Envelope *envelope)
{
    uint8_t *longer = cl_arena_alloc(arena, CL_SIGNATURE_BYTES + 1);
    memcpy(longer, envelope->signatures[0]->sig.data, CL_SIGNATURE_BYTES);
    envelope->signatures[0]->sig = (ProtobufCBinaryData){.len = CL_SIGNATURE_BYTES + 1, .data = longer};
}

static void edit_zero_sig(Coloan__V1__Envelope *envelope)
{
    memset(envelope->signatures[0]->sig.data, 0, CL_SIGNATURE_BYTES);
    envelope->signatures[0]->sig.data[0] = 1;
}

static void edit_payload(Coloan__V1__Envelope *envelope)
{
    envelope->payload.data[envelope->payload.len - 1] ^= 1;
}

/* Covers: COL-ENV-004, COL-ENV-005, COL-BAT-001 */
static void signatures_are_checked_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*edit)(Coloan__V1__Envelope *envelope);
        enum cl_reason reason;
    } rows[] = {
        {"nothing", edit_nothing, CL_OK},
        {"none", edit_no_signature, CL_SIGNATURE_COUNT},
        {"five", edit_five_signatures, CL_SIGNATURE_COUNT},
        {"batch", edit_batch, CL_PROFILE_UNSUPPORTED},
        {"no key id", edit_no_keyid, CL_OK},
        {"key id in capitals", edit_upper_keyid, CL_KEY_UNKNOWN},
        {"key id of another key", edit_other_keyid, CL_SIGNATURE_INVALID},
        {"short", edit_short_sig, CL_SIGNATURE_INVALID},
        {"empty", edit_no_sig, CL_SIGNATURE_INVALID},
        {"long", edit_long_sig, CL_SIGNATURE_INVALID},
        {"identity and zero", edit_zero_sig, CL_SIGNATURE_INVALID},
        {"another payload", edit_payload, CL_SIGNATURE_INVALID},
    };
    struct cl_sealed sealed = seal_application();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__Envelope *envelope = unpack_envelope(sealed.envelope);
        rows[i].edit(envelope);
        enum cl_reason reason = open_plainly(pack_envelope(envelope));
        if (reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_reason_info(reason)->name);
        }
    }
}

/* Covers: COL-ENV-006 */
static void without_a_key_id_the_keys_in_force_are_tried(void **state)
{
    (void)state;
    /* By the retired key: the two keys in force are tried, and neither made it. */
    Coloan__V1__SignedHeader header;
    signing_header(&header, arena);
    struct cl_bytes payload = signing_payload(arena, &header, cl_bytes(NULL, 0));
    Coloan__V1__Envelope *envelope =
        unpack_envelope(signing_forge(arena, signing.signers[SIGNING_ALPHA_RETIRED], SIGNING_TYPE, payload));
    edit_no_keyid(envelope);
    assert_int_equal(open_plainly(pack_envelope(envelope)), CL_SIGNATURE_INVALID);
    struct cl_expectation expected = signing_expectation(&signing);
    expected.now_ms += 1000 * SIGNING_DAY_MS; /* none in force */
    assert_int_equal(open_as(pack_envelope(envelope), &expected), CL_KEY_NOT_VALID);
}

/* A keyring of more keys in force than may be tried. */
static struct cl_keyring *load_many(const struct cl_signer **signers, size_t count)
{
    struct cl_key *keys = cl_arena_array(arena, count, sizeof *keys);
    struct cl_bytes bytes;
    struct cl_keyring *keyring = NULL;
    assert_non_null(keys);
    for (size_t i = 0; i < count; i++) {
        cl_key_describe(&keys[i], signers[i], COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, SIGNING_ENVIRONMENT,
                        SIGNING_NOW_MS, SIGNING_NOW_MS + 1);
    }
    struct cl_directory directory = {
        .number = 2, .environment = SIGNING_ENVIRONMENT, .issued_ms = SIGNING_NOW_MS, .keys = keys, .key_count = count};
    cl_uuid7_make(&directory.message_id, SIGNING_NOW_MS, signing_random());
    assert_true(cl_is_ok(cl_keyring_issue(&bytes, arena, signing.signers[SIGNING_DIRECTORY], &directory)));
    assert_true(cl_is_ok(cl_keyring_load(&keyring, bytes, &signing.trust, NULL)));
    return keyring;
}

/* Covers: COL-ENV-006 */
static void a_key_id_finds_any_key_and_none_only_the_first_few(void **state)
{
    (void)state;
    enum { MANY = CL_KEY_TRIES_MAX + 3 };
    static const enum signing_key alphas[MANY] = {
        SIGNING_ALPHA_ACTIVE, SIGNING_ALPHA_RETIRING, SIGNING_ALPHA_RETIRED, SIGNING_ALPHA_COMPROMISED,
        SIGNING_ALPHA_FUTURE, SIGNING_ALPHA_PAST,     SIGNING_ALPHA_WITNESS};
    const struct cl_signer *signers[MANY];
    Coloan__V1__SignedHeader header;
    size_t found = 0;
    for (size_t i = 0; i < MANY; i++) {
        signers[i] = signing.signers[alphas[i]];
    }
    struct cl_keyring *keyring = load_many(signers, MANY);
    struct cl_expectation expected = signing_expectation(&signing);
    expected.keyring = keyring;
    signing_header(&header, arena);
    struct cl_bytes payload = signing_payload(arena, &header, cl_bytes(NULL, 0));
    for (size_t i = 0; i < MANY; i++) {
        Coloan__V1__Envelope *envelope = unpack_envelope(signing_forge(arena, signers[i], SIGNING_TYPE, payload));
        assert_int_equal(open_as(pack_envelope(envelope), &expected), CL_OK);
        edit_no_keyid(envelope);
        enum cl_reason reason = open_as(pack_envelope(envelope), &expected);
        assert_true(reason == CL_OK || reason == CL_SIGNATURE_INVALID);
        found += reason == CL_OK;
    }
    assert_int_equal(found, CL_KEY_TRIES_MAX);
    cl_keyring_unref(keyring);
}

static void the_purpose_is_asked_for(void **state)
{
    (void)state;
    Coloan__V1__SignedHeader header;
    signing_header(&header, arena);
    struct cl_bytes payload = signing_payload(arena, &header, cl_bytes(NULL, 0));
    struct cl_bytes bytes = signing_forge(arena, signing.signers[SIGNING_ALPHA_WITNESS], SIGNING_TYPE, payload);
    struct cl_expectation expected = signing_expectation(&signing);
    expected.purpose = COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_WITNESS;
    assert_int_equal(open_as(bytes, &expected), CL_OK);
    assert_int_equal(open_as(forge_with_header(&header), &expected), CL_KEY_UNKNOWN);
}

/* -- Payload, step 7 ----------------------------------------------------------------------------------------- */

/* Covers: COL-SCN-005, COL-SCN-007, COL-HDR-001 */
static void the_payload_is_scanned_after_its_signature(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        enum cl_reason reason;
    } rows[] = {
        {"no header", "120100", CL_HEADER_INCOMPLETE},    {"empty header", "0a00", CL_HEADER_INCOMPLETE},
        {"cut short", "0a05", CL_WIRE_MALFORMED},         {"body as number", "1001", CL_WIRE_TYPE},
        {"padded varint", "0a8000", CL_WIRE_VARINT},      {"two headers", "0a000a00", CL_WIRE_DUPLICATE},
        {"unknown field", "1a00", CL_WIRE_UNKNOWN_FIELD}, {"UTF-8 in header", "0a030a01ff", CL_TEXT_ENCODING},
        {"NUL in header", "0a030a0100", CL_TEXT_CONTROL}, {"direction in header", "0a023809", CL_ENUM_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[16];
        size_t len = strlen(rows[i].hex) / 2;
        assert_true(cl_is_ok(cl_hex_decode(bytes, len, rows[i].hex)));
        enum cl_reason reason = open_plainly(
            signing_forge(arena, signing.signers[SIGNING_ALPHA_ACTIVE], SIGNING_TYPE, cl_bytes(bytes, len)));
        if (reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_reason_info(reason)->name);
        }
        reason =
            open_plainly(signing_forge(arena, signing.signers[SIGNING_STRANGER], SIGNING_TYPE, cl_bytes(bytes, len)));
        assert_int_equal(reason, CL_KEY_UNKNOWN); /* not looked at */
    }
}

/* -- Header, step 8 ------------------------------------------------------------------------------------------ */

#define SET(name, field, value)                                                                                        \
    static void name(Coloan__V1__SignedHeader *header)                                                                 \
    {                                                                                                                  \
        header->field = value;                                                                                         \
    }
#define SET_TEXT(name, field, value) SET(name, field, cl_arena_text(arena, value))

SET(keep, created_ms, header->created_ms)
SET_TEXT(no_version, spec_version, "")
SET_TEXT(version_2, spec_version, "2.0")
SET_TEXT(version_1_1, spec_version, "1.1")
SET_TEXT(version_10, spec_version, "1.00")
SET_TEXT(no_environment, environment, "")
SET_TEXT(environment_prod, environment, "prod")
SET_TEXT(environment_case, environment, "Test")
SET_TEXT(no_sender, sender, "")
SET_TEXT(sender_beta, sender, SIGNING_BETA)
SET_TEXT(no_recipient, recipient, "")
SET_TEXT(recipient_beta, recipient, SIGNING_BETA)
SET_TEXT(recipient_longer, recipient, SIGNING_CENTRE "-2")
SET_TEXT(no_method, method, "")
SET_TEXT(method_other, method, "coloan.v1.JointApproval/GetApplication")
SET_TEXT(method_slash, method, "/" SIGNING_METHOD)
SET(no_direction, direction, COLOAN__V1__DIRECTION__DIRECTION_UNSPECIFIED)
SET(direction_event, direction, COLOAN__V1__DIRECTION__DIRECTION_EVENT)
SET(no_id, message_id.len, 0)
SET(id_short, message_id.len, 15)
SET(id_version, message_id.data[6], 0x40)
SET(id_variant, message_id.data[8], 0xc0)
SET(no_created, created_ms, 0)
SET(created_negative, created_ms, -1)
SET(no_expires, expires_ms, 0)
SET(with_application, application_id, cl_arena_text(arena, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"))
SET(with_sequence, sequence, 1)
SET(with_reply_to, in_reply_to, signing_data(arena, cl_bytes_text("01234567890123456789012345678901")))

static void direction_reply(Coloan__V1__SignedHeader *header)
{
    with_reply_to(header);
    header->direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY;
}

static void reply_to_nothing(Coloan__V1__SignedHeader *header)
{
    header->direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY;
}

/* Covers: COL-HDR-001, COL-HDR-002, COL-HDR-003, COL-HDR-004, COL-HDR-005, COL-HDR-006, COL-HDR-007, COL-HDR-008,
 *         COL-HDR-009 */
static void headers_are_checked_against_the_transport(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*spoil)(Coloan__V1__SignedHeader *header);
        enum cl_reason reason;
    } rows[] = {
        {"right", keep, CL_OK},
        {"application id", with_application, CL_OK},
        {"no version", no_version, CL_HEADER_INCOMPLETE},
        {"no environment", no_environment, CL_HEADER_INCOMPLETE},
        {"no sender", no_sender, CL_HEADER_INCOMPLETE},
        {"no recipient", no_recipient, CL_HEADER_INCOMPLETE},
        {"no method", no_method, CL_HEADER_INCOMPLETE},
        {"no direction", no_direction, CL_HEADER_INCOMPLETE},
        {"no id", no_id, CL_HEADER_INCOMPLETE},
        {"no created", no_created, CL_HEADER_INCOMPLETE},
        {"created before 1970", created_negative, CL_HEADER_INCOMPLETE},
        {"no expires", no_expires, CL_HEADER_INCOMPLETE},
        {"reply to nothing", reply_to_nothing, CL_HEADER_INCOMPLETE},
        {"version 2.0", version_2, CL_SPEC_VERSION},
        {"version 1.1", version_1_1, CL_SPEC_VERSION},
        {"version 1.00", version_10, CL_SPEC_VERSION},
        {"prod", environment_prod, CL_ENVIRONMENT_WRONG},
        {"Test", environment_case, CL_ENVIRONMENT_WRONG},
        {"sender", sender_beta, CL_SENDER_WRONG},
        {"recipient", recipient_beta, CL_RECIPIENT_WRONG},
        {"recipient, longer", recipient_longer, CL_RECIPIENT_WRONG},
        {"method", method_other, CL_METHOD_WRONG},
        {"method with slash", method_slash, CL_METHOD_WRONG},
        {"event", direction_event, CL_DIRECTION_WRONG},
        {"reply", direction_reply, CL_DIRECTION_WRONG},
        {"id of 15 bytes", id_short, CL_MESSAGE_ID_INVALID},
        {"UUIDv4", id_version, CL_MESSAGE_ID_INVALID},
        {"other variant", id_variant, CL_MESSAGE_ID_INVALID},
        {"request that answers", with_reply_to, CL_IN_REPLY_TO_WRONG},
        {"request with sequence", with_sequence, CL_SEQUENCE_WRONG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__SignedHeader header;
        signing_header(&header, arena);
        rows[i].spoil(&header);
        enum cl_reason reason = open_plainly(forge_with_header(&header));
        if (reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_reason_info(reason)->name);
        }
    }
}

static void the_same_message_elsewhere_is_refused(void **state)
{
    (void)state;
    struct cl_sealed sealed = seal_application();
    struct cl_expectation expected = signing_expectation(&signing);
    expected.sender = SIGNING_BETA; /* beta's certificate: beta's keys */
    assert_int_equal(open_as(sealed.envelope, &expected), CL_KEY_UNKNOWN);
    expected = signing_expectation(&signing);
    expected.sender = "bank:cn-gamma-js";
    assert_int_equal(open_as(sealed.envelope, &expected), CL_KEY_UNKNOWN);
    expected = signing_expectation(&signing);
    expected.recipient = SIGNING_BETA;
    assert_int_equal(open_as(sealed.envelope, &expected), CL_RECIPIENT_WRONG);
    expected = signing_expectation(&signing);
    expected.method = "coloan.v1.JointApproval/GetApplication";
    assert_int_equal(open_as(sealed.envelope, &expected), CL_METHOD_WRONG);
    expected = signing_expectation(&signing);
    expected.environment = "prod"; /* a keyring of another environment has no keys for it */
    assert_int_equal(open_as(sealed.envelope, &expected), CL_KEY_UNKNOWN);
}

static const struct cl_digest answered = {{1, 2, 3}};
static const struct cl_digest not_answered = {{1, 2, 4}};

/* Covers: COL-HDR-008, COL-HDR-009, COL-ENV-003 */
static void answers_and_events_are_bound(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        Coloan__V1__Direction direction;
        const struct cl_digest *says, *expected;
        size_t len;
        uint64_t sequence;
        enum cl_reason reason;
    } rows[] = {
        {"reply", COLOAN__V1__DIRECTION__DIRECTION_REPLY, &answered, &answered, 32, 0, CL_OK},
        {"refusal", COLOAN__V1__DIRECTION__DIRECTION_REFUSAL, &answered, &answered, 32, 0, CL_OK},
        {"ack", COLOAN__V1__DIRECTION__DIRECTION_ACK, &answered, &answered, 32, 0, CL_OK},
        {"ack of any", COLOAN__V1__DIRECTION__DIRECTION_ACK, &answered, NULL, 32, 0, CL_OK},
        {"reply to another", COLOAN__V1__DIRECTION__DIRECTION_REPLY, &not_answered, &answered, 32, 0,
         CL_IN_REPLY_TO_WRONG},
        {"31 bytes", COLOAN__V1__DIRECTION__DIRECTION_REPLY, &answered, &answered, 31, 0, CL_IN_REPLY_TO_WRONG},
        {"31 bytes of any", COLOAN__V1__DIRECTION__DIRECTION_ACK, &answered, NULL, 31, 0, CL_IN_REPLY_TO_WRONG},
        {"reply with sequence", COLOAN__V1__DIRECTION__DIRECTION_REPLY, &answered, &answered, 32, 1, CL_SEQUENCE_WRONG},
        {"event", COLOAN__V1__DIRECTION__DIRECTION_EVENT, NULL, NULL, 0, 1, CL_OK},
        {"event without sequence", COLOAN__V1__DIRECTION__DIRECTION_EVENT, NULL, NULL, 0, 0, CL_SEQUENCE_WRONG},
        {"event that answers", COLOAN__V1__DIRECTION__DIRECTION_EVENT, &answered, NULL, 32, 1, CL_IN_REPLY_TO_WRONG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__SignedHeader header;
        const struct cl_expected_body body = {&coloan__v1__application__descriptor, rows[i].direction};
        struct cl_expectation expected = signing_expectation(&signing);
        expected.bodies = &body;
        expected.in_reply_to = rows[i].expected;
        signing_header(&header, arena);
        header.direction = rows[i].direction;
        header.sequence = rows[i].sequence;
        if (rows[i].says != NULL) {
            header.in_reply_to = signing_data(arena, cl_bytes(rows[i].says->bytes, rows[i].len));
        }
        enum cl_reason reason = open_as(forge_with_header(&header), &expected);
        if (reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_reason_info(reason)->name);
        }
    }
}

/* -- The order ----------------------------------------------------------------------------------------------- */

/* One message that is wrong everywhere; each round mends what was complained of, and the next complaint must be of a
 * later step. */
/* Covers: COL-CHK-001 */
static void the_first_flaw_is_told(void **state)
{
    (void)state;
    static const enum cl_reason order[] = {CL_WIRE_UNKNOWN_FIELD,
                                           CL_PAYLOAD_TYPE_WRONG,
                                           CL_SIGNATURE_COUNT,
                                           CL_PROFILE_UNSUPPORTED,
                                           CL_KEY_UNKNOWN,
                                           CL_SIGNATURE_INVALID,
                                           CL_WIRE_DUPLICATE,
                                           CL_SPEC_VERSION,
                                           CL_ENVIRONMENT_WRONG,
                                           CL_SENDER_WRONG,
                                           CL_RECIPIENT_WRONG,
                                           CL_METHOD_WRONG,
                                           CL_DIRECTION_WRONG,
                                           CL_MESSAGE_ID_INVALID,
                                           CL_IN_REPLY_TO_WRONG,
                                           CL_SEQUENCE_WRONG,
                                           CL_OK};
    for (size_t round = 0; round < sizeof order / sizeof order[0]; round++) {
        Coloan__V1__SignedHeader header;
        struct wire wire = {0};
        signing_header(&header, arena);
        void (*const spoil[])(Coloan__V1__SignedHeader *) = {version_2,      environment_prod, sender_beta,
                                                             recipient_beta, method_other,     direction_reply,
                                                             id_version,     with_reply_to,    with_sequence};
        for (size_t i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
            if (round <= 7 + i) {
                spoil[i](&header);
            }
        }
        struct cl_bytes payload = signing_payload(arena, &header, cl_bytes(NULL, 0));
        wire_raw(&wire, payload.data, payload.len);
        if (round <= 6) {
            wire_data(&wire, 1, NULL, 0); /* a second header */
        }
        const char *type = round <= 1 ? "application/vnd.coloan.v1.Ack+protobuf" : SIGNING_TYPE;
        enum signing_key key = round <= 4 ? SIGNING_STRANGER : SIGNING_ALPHA_ACTIVE;
        Coloan__V1__Envelope *envelope =
            unpack_envelope(signing_forge(arena, signing.signers[key], type, wire_bytes(&wire)));
        wire_free(&wire);
        if (round <= 5) {
            envelope->signatures[0]->sig.data[0] ^= 1;
        }
        if (round <= 3) {
            edit_batch(envelope);
        }
        if (round <= 2) {
            edit_five_signatures(envelope);
        }
        struct cl_bytes bytes = pack_envelope(envelope);
        wire_raw(&wire, bytes.data, bytes.len);
        if (round == 0) {
            wire_number(&wire, 9, 1);
        }
        enum cl_reason reason = open_plainly(wire_bytes(&wire));
        wire_free(&wire);
        if (reason != order[round]) {
            fail_msg("round %zu: %s", round, cl_reason_info(reason)->name);
        }
    }
}

/* -- Time, step 10 ------------------------------------------------------------------------------------------- */

/* Covers: COL-TIM-001, COL-TIM-002, COL-TIM-003, COL-TIM-004 */
static void time_is_checked_by_direction(void **state)
{
    (void)state;
#define REQUEST COLOAN__V1__DIRECTION__DIRECTION_REQUEST
#define REPLY   COLOAN__V1__DIRECTION__DIRECTION_REPLY
#define EVENT   COLOAN__V1__DIRECTION__DIRECTION_EVENT
#define ACK     COLOAN__V1__DIRECTION__DIRECTION_ACK
#define REFUSAL COLOAN__V1__DIRECTION__DIRECTION_REFUSAL
    static const struct {
        const char *name;
        Coloan__V1__Direction direction;
        int64_t created, expires; /* from now; expires INT64_MIN: zero */
        enum cl_reason reason;
    } rows[] = {
        {"now", REQUEST, 0, 60000, CL_OK},
        {"last ms", REQUEST, -60000, 0, CL_OK},
        {"over", REQUEST, -60001, -1, CL_EXPIRED},
        {"over, ack", ACK, -60001, -1, CL_EXPIRED},
        {"over, reply", REPLY, -60001, -1, CL_OK},
        {"over, refusal", REFUSAL, -60001, -1, CL_OK},
        {"30 s ahead", REQUEST, 30000, 60000, CL_OK},
        {"more", REQUEST, 30001, 60000, CL_CREATED_IN_FUTURE},
        {"more, reply", REPLY, 30001, 60000, CL_CREATED_IN_FUTURE},
        {"more, event", EVENT, 30001, INT64_MIN, CL_CREATED_IN_FUTURE},
        {"1 ms", REQUEST, 0, 1, CL_OK},
        {"0 ms", REQUEST, 0, 0, CL_LIFETIME_WRONG},
        {"backwards", REQUEST, 0, -1, CL_LIFETIME_WRONG},
        {"10 min", REQUEST, 0, 600000, CL_OK},
        {"more than 10 min", REQUEST, 0, 600001, CL_LIFETIME_WRONG},
        {"more than 10 min, reply", REPLY, 0, 600001, CL_LIFETIME_WRONG},
        {"no expiry", REQUEST, 0, INT64_MIN, CL_LIFETIME_WRONG},
        {"created at 0", REQUEST, -SIGNING_NOW_MS, 0, CL_LIFETIME_WRONG},
        {"event", EVENT, 0, INT64_MIN, CL_OK},
        {"old event", EVENT, -1000 * SIGNING_DAY_MS, INT64_MIN, CL_OK},
        {"event that expires", EVENT, 0, 60000, CL_LIFETIME_WRONG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__SignedHeader header;
        signing_header(&header, arena);
        header.direction = rows[i].direction;
        header.created_ms = SIGNING_NOW_MS + rows[i].created;
        header.expires_ms = rows[i].expires == INT64_MIN ? 0 : SIGNING_NOW_MS + rows[i].expires;
        struct cl_status status = cl_header_check_time(&header, SIGNING_NOW_MS);
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    Coloan__V1__SignedHeader header;
    signing_header(&header, arena);
    header.created_ms = 1;
    header.expires_ms = INT64_MIN;
    assert_int_equal(cl_header_check_time(&header, SIGNING_NOW_MS).reason, CL_LIFETIME_WRONG);
    header.expires_ms = INT64_MAX;
    assert_int_equal(cl_header_check_time(&header, SIGNING_NOW_MS).reason, CL_LIFETIME_WRONG);
    header.created_ms = INT64_MAX;
    assert_int_equal(cl_header_check_time(&header, SIGNING_NOW_MS).reason, CL_CREATED_IN_FUTURE);
}

/* -- Body, step 11 ------------------------------------------------------------------------------------------- */

/* Covers: COL-SCN-001, COL-SCN-006 */
static void the_body_is_scanned_by_its_type(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        enum cl_reason reason;
    } rows[] = {
        {"empty", "", CL_OK},
        {"reference", "0a0141", CL_OK},
        {"cut short", "0a", CL_WIRE_MALFORMED},
        {"wire type", "0801", CL_WIRE_TYPE},
        {"padded varint", "0a8000", CL_WIRE_VARINT},
        {"two homes", "22002200", CL_WIRE_DUPLICATE},
        {"unknown field", "7a00", CL_WIRE_UNKNOWN_FIELD},
        {"UTF-8", "0a01c0", CL_TEXT_ENCODING},
        {"NUL", "0a0100", CL_TEXT_CONTROL},
        {"role", "1a020809", CL_ENUM_UNKNOWN},
    };
    struct cl_expectation expected = signing_expectation(&signing);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__SignedHeader header;
        uint8_t bytes[16] = {0};
        size_t len = strlen(rows[i].hex) / 2;
        struct cl_opened opened;
        ProtobufCMessage *body = NULL;
        assert_true(cl_is_ok(cl_hex_decode(bytes, len, rows[i].hex)));
        signing_header(&header, arena);
        struct cl_bytes payload = signing_payload(arena, &header, cl_bytes(bytes, len));
        struct cl_bytes forged = signing_forge(arena, signing.signers[SIGNING_ALPHA_ACTIVE], SIGNING_TYPE, payload);
        assert_int_equal(cl_envelope_open(&opened, arena, forged, &expected).reason, CL_OK);
        struct cl_status status = cl_opened_scan_body(&opened);
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        assert_int_equal(cl_opened_body(&body, arena, &opened).reason, rows[i].reason);
        assert_int_equal(body != NULL, rows[i].reason == CL_OK);
    }
}

/* -- Offline ------------------------------------------------------------------------------------------------- */

/* Covers: COL-CHK-007 */
static void a_kept_message_verifies_alone(void **state)
{
    (void)state;
    struct cl_sealed sealed = seal_application();
    struct cl_opened opened;
    assert_int_equal(cl_envelope_verify(&opened, arena, sealed.stored, signing.keyring).reason, CL_OK);
    assert_string_equal(opened.header->sender, SIGNING_ALPHA);
    assert_ptr_equal(opened.body_type, &coloan__v1__application__descriptor);
    assert_true(cl_digest_equal(&opened.digest, &sealed.digest));
}

/* Covers: COL-CHK-007 */
static void a_kept_message_that_is_wrong_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*spoil)(Coloan__V1__SignedHeader *header);
        enum cl_reason reason;
    } rows[] = {
        {"right", keep, CL_OK},
        {"reply", direction_reply, CL_OK},
        {"to another", recipient_beta, CL_OK},
        {"incomplete", no_method, CL_HEADER_INCOMPLETE},
        {"version", version_2, CL_SPEC_VERSION},
        {"environment", environment_prod, CL_ENVIRONMENT_WRONG},
        {"claims another sender", sender_beta, CL_KEY_UNKNOWN},
        {"id", id_version, CL_MESSAGE_ID_INVALID},
        {"sequence", with_sequence, CL_SEQUENCE_WRONG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__SignedHeader header;
        struct cl_opened opened;
        signing_header(&header, arena);
        rows[i].spoil(&header);
        struct cl_status status = cl_envelope_verify(&opened, arena, forge_with_header(&header), signing.keyring);
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    struct cl_opened opened;
    Coloan__V1__Envelope *envelope = unpack_envelope(seal_application().stored);
    edit_payload(envelope);
    assert_int_equal(cl_envelope_verify(&opened, arena, pack_envelope(envelope), signing.keyring).reason,
                     CL_SIGNATURE_INVALID);
    edit_no_signature(envelope);
    assert_int_equal(cl_envelope_verify(&opened, arena, pack_envelope(envelope), signing.keyring).reason,
                     CL_SIGNATURE_COUNT);
    envelope->payload_type = cl_arena_text(arena, "text/plain");
    assert_int_equal(cl_envelope_verify(&opened, arena, pack_envelope(envelope), signing.keyring).reason,
                     CL_PAYLOAD_TYPE_WRONG);
}

/* -- Sealing ------------------------------------------------------------------------------------------------- */

static void nothing_is_signed_that_could_not_be_read(void **state)
{
    (void)state;
    struct cl_sealed sealed = {.stored = {.len = 77}};
    const struct cl_signer *signer = signing.signers[SIGNING_ALPHA_ACTIVE];
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    struct cl_message message = signing_message();
    message.body = &query.base;
    query.application_id = cl_arena_text(arena, "a\nb");
    assert_int_equal(cl_envelope_seal(&sealed, arena, signer, &message).reason, CL_TEXT_CONTROL);
    query.application_id = cl_arena_text(arena, "\xff");
    assert_int_equal(cl_envelope_seal(&sealed, arena, signer, &message).reason, CL_TEXT_ENCODING);
    query.application_id = cl_arena_text(arena, "");
    message.application_id = "a\tb";
    assert_int_equal(cl_envelope_seal(&sealed, arena, signer, &message).reason, CL_TEXT_CONTROL);
    message.application_id = NULL;
    const uint8_t unknown_field[] = {0x7a, 0x00};
    message.body = NULL;
    message.body_type = &coloan__v1__application_query__descriptor;
    message.body_bytes = cl_bytes(unknown_field, sizeof unknown_field);
    assert_int_equal(cl_envelope_seal(&sealed, arena, signer, &message).reason, CL_WIRE_UNKNOWN_FIELD);
    assert_int_equal(sealed.stored.len, 77); /* untouched */
    message.body_bytes = cl_bytes(NULL, 0);
    assert_int_equal(cl_envelope_seal(&sealed, arena, signer, &message).reason, CL_OK);
    assert_int_equal(sealed.stored.len, sealed.envelope.len);
}

static void what_is_sealed_has_a_size_and_a_cost(void **state)
{
    (void)state;
    struct cl_sealed sealed;
    const struct cl_signer *signer = signing.signers[SIGNING_ALPHA_ACTIVE];
    Coloan__V1__KeysAnswer answer = COLOAN__V1__KEYS_ANSWER__INIT;
    struct cl_message message = signing_message();
    message.body = &answer.base;
    answer.directory =
        (ProtobufCBinaryData){.len = CL_PAYLOAD_BYTES_MAX, .data = cl_arena_alloc(arena, CL_PAYLOAD_BYTES_MAX)};
    assert_int_equal(cl_envelope_seal(&sealed, arena, signer, &message).reason, CL_MESSAGE_TOO_LARGE);
    answer.directory.len = CL_PAYLOAD_BYTES_MAX - 64; /* the header does not fit */
    assert_int_equal(cl_envelope_seal(&sealed, arena, signer, &message).reason, CL_MESSAGE_TOO_LARGE);
    answer.directory.len = CL_PAYLOAD_BYTES_MAX - 1024;
    assert_int_equal(cl_envelope_seal(&sealed, arena, signer, &message).reason, CL_OK);
    answer.directory.len = 16;
    struct cl_arena *small = NULL;
    struct cl_status status = cl_fail(CL_MEMORY_LIMIT);
    for (size_t cap = 0; cl_failed(status); cap += 16) {
        assert_true(cl_is_ok(cl_arena_create(&small, cap)));
        status = cl_envelope_seal(&sealed, small, signer, &message);
        assert_true(status.reason == CL_OK || status.reason == CL_MEMORY_LIMIT);
        assert_true(cap < 65536);
        cl_arena_free(small);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sealed_is_opened),
        TEST(the_stored_form_opens_without_disclosures),
        TEST(no_flipped_bit_and_no_prefix_is_accepted),
        TEST(memory_is_capped),
        TEST(size_and_wire_come_first),
        TEST(the_envelope_is_scanned),
        TEST(the_payload_type_must_be_expected),
        TEST(payload_types_are_found_by_name),
        TEST(keys_count_by_party_purpose_state_and_time),
        TEST(a_key_is_valid_from_and_until),
        TEST(every_signature_must_verify_by_a_key_of_its_own),
        TEST(signatures_are_checked_one_by_one),
        TEST(without_a_key_id_the_keys_in_force_are_tried),
        TEST(a_key_id_finds_any_key_and_none_only_the_first_few),
        TEST(the_purpose_is_asked_for),
        TEST(the_payload_is_scanned_after_its_signature),
        TEST(headers_are_checked_against_the_transport),
        TEST(the_same_message_elsewhere_is_refused),
        TEST(answers_and_events_are_bound),
        TEST(the_first_flaw_is_told),
        TEST(time_is_checked_by_direction),
        TEST(the_body_is_scanned_by_its_type),
        TEST(a_kept_message_verifies_alone),
        TEST(a_kept_message_that_is_wrong_does_not),
        TEST(nothing_is_signed_that_could_not_be_read),
        TEST(what_is_sealed_has_a_size_and_a_cost),
    };
    return cmocka_run_group_tests(tests, open_signing, close_signing);
}
