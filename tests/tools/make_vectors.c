/* Writes interop/vectors/<name>.json: bytes that every implementation has to make or judge alike. Deterministic: fixed
 * seeds, salts, ids and times, so that running it again changes nothing unless the protocol did.
 *
 * usage: make_vectors FOLDER */
#include <assert.h>
#include <coloan/v1/push.pb-c.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"
#include "tests/support/signing.h"
#include "tests/support/wire.h"

static struct signing signing;
static const char *folder;

static void must(struct cl_status status)
{
    assert(cl_is_ok(status));
}

/* -- JSON ---------------------------------------------------------------------------------------------------- */

static json_t *hex_json(const void *data, size_t len)
{
    char *text = malloc(2 * len + 1);
    assert(text != NULL);
    cl_hex_encode(text, cl_bytes(data, len));
    json_t *json = json_string(text);
    free(text);
    return json;
}

static void set_hex(json_t *object, const char *name, const void *data, size_t len)
{
    int result = json_object_set_new(object, name, hex_json(data, len));
    assert(result == 0);
}

static void set_text(json_t *object, const char *name, const char *text)
{
    int result = json_object_set_new(object, name, json_string(text));
    assert(result == 0);
}

static void set_number(json_t *object, const char *name, int64_t number)
{
    int result = json_object_set_new(object, name, json_integer(number));
    assert(result == 0);
}

static json_t *add_case(json_t *cases, const char *name)
{
    json_t *one = json_object();
    set_text(one, "name", name);
    int result = json_array_append_new(cases, one);
    assert(result == 0);
    return one;
}

static void write_json(const char *name, json_t *json)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s.json", folder, name);
    FILE *file = fopen(path, "w");
    assert(file != NULL);
    int written = json_dumpf(json, file, JSON_INDENT(2));
    assert(written == 0 && fputc('\n', file) == '\n');
    int closed = fclose(file);
    assert(closed == 0);
    json_decref(json);
}

static void write_cases(const char *name, json_t *cases)
{
    json_t *root = json_object();
    int result = json_object_set_new(root, "cases", cases);
    assert(result == 0);
    write_json(name, root);
}

/* -- Small things -------------------------------------------------------------------------------------------- */

static void add_pae(json_t *cases, const char *name, const char *type, struct cl_bytes payload,
                    const struct cl_signer *signer, const uint8_t seed[CL_KEY_SEED_BYTES])
{
    struct cl_bytes pae;
    struct cl_digest digest;
    struct cl_signature signature;
    json_t *one = add_case(cases, name);
    must(cl_dsse_pae(&pae, signing.arena, type, payload));
    cl_sha256(&digest, pae);
    cl_sign(&signature, signer, pae);
    set_text(one, "payload_type", type);
    set_hex(one, "payload", payload.data, payload.len);
    set_hex(one, "pae", pae.data, pae.len);
    set_hex(one, "digest", digest.bytes, sizeof digest.bytes);
    set_hex(one, "seed", seed, CL_KEY_SEED_BYTES);
    set_hex(one, "public_key", cl_signer_public_key(signer)->bytes, CL_PUBLIC_KEY_BYTES);
    set_hex(one, "signature", signature.bytes, sizeof signature.bytes);
}

static void make_pae(void)
{
    const uint8_t abc[] = {0x0a, 0x03, 0x61, 0x62, 0x63};
    uint8_t seed[CL_KEY_SEED_BYTES];
    uint8_t long_payload[300];
    struct cl_signer *signer = NULL;
    json_t *cases = json_array();
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    memset(long_payload, 0x5a, sizeof long_payload);
    must(cl_signer_from_seed(&signer, seed, SIGNING_ALPHA));
    add_pae(cases, "known", "application/vnd.hpf.clp.v1.submit-application+protobuf", cl_bytes(abc, sizeof abc), signer,
            seed);
    add_pae(cases, "application", SIGNING_TYPE, cl_bytes(abc, sizeof abc), signer, seed);
    add_pae(cases, "empty payload", SIGNING_TYPE, cl_bytes(NULL, 0), signer, seed);
    add_pae(cases, "empty type", "", cl_bytes(abc, sizeof abc), signer, seed);
    add_pae(cases, "type of several bytes a character", "类型", cl_bytes(abc, sizeof abc), signer, seed);
    add_pae(cases, "300 bytes", SIGNING_TYPE, cl_bytes(long_payload, sizeof long_payload), signer, seed);
    write_cases("pae", cases);
    cl_signer_free(signer);
}

static void make_keyid_and_possession(void)
{
    json_t *ids = json_array();
    json_t *proofs = json_array();
    for (size_t i = 0; i < signing.key_count; i++) {
        const struct cl_key *key = &signing.keys[i];
        json_t *id = add_case(ids, key->party);
        set_number(id, "algorithm", CL_KEY_ED25519);
        set_hex(id, "public_key", key->public_key.bytes, CL_PUBLIC_KEY_BYTES);
        set_text(id, "keyid", key->keyid.text);
        json_t *proof = add_case(proofs, key->party);
        set_text(proof, "party", key->party);
        set_text(proof, "environment", SIGNING_ENVIRONMENT);
        set_hex(proof, "public_key", key->public_key.bytes, CL_PUBLIC_KEY_BYTES);
        set_hex(proof, "possession", key->possession.bytes, CL_SIGNATURE_BYTES);
        set_text(proof, "expect", "OK");
    }
    const struct cl_key *key = &signing.keys[0];
    json_t *proof = add_case(proofs, "of another environment");
    set_text(proof, "party", key->party);
    set_text(proof, "environment", "prod");
    set_hex(proof, "public_key", key->public_key.bytes, CL_PUBLIC_KEY_BYTES);
    set_hex(proof, "possession", key->possession.bytes, CL_SIGNATURE_BYTES);
    set_text(proof, "expect", "KEY_POSSESSION");
    write_cases("keyid", ids);
    write_cases("possession", proofs);
}

static void make_commitment(void)
{
    struct signing_application with;
    json_t *cases = json_array();
    signing_application(&with, signing.arena);
    for (size_t i = 0; i < with.disclosure_count; i++) {
        const Coloan__V1__Disclosure *disclosure = with.disclosures[i];
        json_t *one = add_case(cases, disclosure->path);
        set_text(one, "path", disclosure->path);
        set_hex(one, "salt", disclosure->salt.data, disclosure->salt.len);
        set_hex(one, "value", disclosure->value.data, disclosure->value.len);
        set_hex(one, "commitment", with.commitments[i].bytes, CL_DIGEST_BYTES);
    }
    write_cases("commitment", cases);
}

/* -- Signatures ---------------------------------------------------------------------------------------------- */

static void add_signature(json_t *cases, const char *name, const struct cl_public_key *key, const char *message,
                          const struct cl_signature *signature, bool valid)
{
    json_t *one = add_case(cases, name);
    set_hex(one, "public_key", key->bytes, sizeof key->bytes);
    set_hex(one, "message", message, strlen(message));
    set_hex(one, "signature", signature->bytes, sizeof signature->bytes);
    set_text(one, "expect", valid ? "OK" : "SIGNATURE_INVALID");
}

static void make_signature(void)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    static const char message[] = "message";
    const struct cl_signer *signer = signing.signers[SIGNING_ALPHA_ACTIVE];
    const struct cl_public_key *key = cl_signer_public_key(signer);
    struct cl_signature right;
    json_t *cases = json_array();
    cl_sign(&right, signer, cl_bytes_text(message));
    add_signature(cases, "right", key, message, &right, true);
    struct cl_signature wrong = right;
    wrong.bytes[0] ^= 1;
    add_signature(cases, "flipped bit in R", key, message, &wrong, false);
    wrong = right;
    wrong.bytes[32] ^= 1;
    add_signature(cases, "flipped bit in S", key, message, &wrong, false);
    add_signature(cases, "another message", key, "messagf", &right, false);
    wrong = right;
    for (size_t i = 0, carry = 0; i < 32; i++) {
        carry += (size_t)right.bytes[32 + i] + order[i];
        wrong.bytes[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    add_signature(cases, "S + L", key, message, &wrong, false);
    const struct cl_public_key identity = {{1}};
    const struct cl_public_key not_canonical = {{1, [31] = 0x80}};
    const struct cl_signature one = {{1}};
    add_signature(cases, "key of small order", &identity, message, &one, false);
    add_signature(cases, "key of small order, another message", &identity, "any", &one, false);
    add_signature(cases, "key of small order, not canonical", &not_canonical, message, &one, false);
    write_cases("signature", cases);
}

/* -- Parties ------------------------------------------------------------------------------------------------- */

static void make_parties(void)
{
    static const char *const purposes[] = {"", "SIGN", "WITNESS", "CONFORMANCE", "DIRECTORY"};
    static const char *const states[] = {"", "ACTIVE", "RETIRING", "RETIRED", "COMPROMISED"};
    static const uint8_t seeds[] = {0xc0, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xb0}; /* of signing.keys */
    json_t *root = json_object();
    json_t *keys = json_array();
    assert(signing.key_count == sizeof seeds);
    set_text(root, "environment", SIGNING_ENVIRONMENT);
    set_text(root, "centre", SIGNING_CENTRE);
    set_number(root, "now_ms", SIGNING_NOW_MS);
    set_hex(root, "directory_key", signing.trust.public_key.bytes, CL_PUBLIC_KEY_BYTES);
    set_hex(root, "directory", signing.directory.data, signing.directory.len);
    for (size_t i = 0; i < signing.key_count; i++) {
        const struct cl_key *key = &signing.keys[i];
        uint8_t seed[CL_KEY_SEED_BYTES];
        struct cl_signer *signer = NULL;
        memset(seed, seeds[i], sizeof seed);
        must(cl_signer_from_seed(&signer, seed, key->party));
        assert(strcmp(cl_signer_keyid(signer)->text, key->keyid.text) == 0);
        cl_signer_free(signer);
        json_t *one = add_case(keys, key->party);
        set_hex(one, "seed", seed, sizeof seed);
        set_hex(one, "public_key", key->public_key.bytes, CL_PUBLIC_KEY_BYTES);
        set_text(one, "keyid", key->keyid.text);
        set_text(one, "purpose", purposes[key->purpose]);
        set_text(one, "status", states[key->status]);
        set_number(one, "valid_from_ms", key->valid_from_ms);
        set_number(one, "valid_until_ms", key->valid_until_ms);
    }
    int result = json_object_set_new(root, "keys", keys);
    assert(result == 0);
    write_json("parties", root);
}

/* -- Directories --------------------------------------------------------------------------------------------- */

static struct cl_bytes issue(uint64_t number, const char *environment, enum signing_key signer)
{
    struct cl_bytes bytes;
    struct cl_key key;
    cl_key_describe(&key, signing.signers[SIGNING_ALPHA_ACTIVE], COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, environment,
                    SIGNING_NOW_MS, SIGNING_NOW_MS + SIGNING_DAY_MS);
    struct cl_directory directory = {
        .number = number, .environment = environment, .issued_ms = SIGNING_NOW_MS, .keys = &key, .key_count = 1};
    cl_uuid7_make(&directory.message_id, SIGNING_NOW_MS, signing_random());
    must(cl_keyring_issue(&bytes, signing.arena, signing.signers[signer], &directory));
    return bytes;
}

static void add_directory(json_t *cases, const char *name, struct cl_bytes bytes, int64_t held, const char *expect)
{
    json_t *one = add_case(cases, name);
    set_hex(one, "directory", bytes.data, bytes.len);
    set_number(one, "held_number", held);
    set_text(one, "expect", expect);
}

/* The directory with one bit of its first occurrence of `part` flipped, and signed again when `resign`. */
static struct cl_bytes flipped(const uint8_t *part, size_t part_len, bool resign)
{
    Coloan__V1__Envelope *envelope =
        coloan__v1__envelope__unpack(cl_arena_protobuf(signing.arena), signing.directory.len, signing.directory.data);
    assert(envelope != NULL);
    uint8_t *at = memmem(envelope->payload.data, envelope->payload.len, part, part_len);
    assert(at != NULL);
    *at ^= 1;
    struct cl_bytes bytes;
    must(cl_pack(&bytes, signing.arena, &envelope->base));
    struct cl_bytes payload = cl_bytes(envelope->payload.data, envelope->payload.len);
    return resign ? signing_forge(signing.arena, signing.signers[SIGNING_DIRECTORY], envelope->payload_type, payload)
                  : bytes;
}

static void make_directory(void)
{
    json_t *cases = json_array();
    const struct cl_key *key = &signing.keys[0];
    add_directory(cases, "the parties' own", signing.directory, 0, "OK");
    add_directory(cases, "a higher number", issue(8, "test", SIGNING_DIRECTORY), 7, "OK");
    add_directory(cases, "the number held", issue(7, "test", SIGNING_DIRECTORY), 7, "SEQUENCE_WRONG");
    add_directory(cases, "a lower number", issue(6, "test", SIGNING_DIRECTORY), 7, "SEQUENCE_WRONG");
    add_directory(cases, "another environment", issue(8, "prod", SIGNING_DIRECTORY), 0, "ENVIRONMENT_WRONG");
    add_directory(cases, "signed by another key", issue(8, "test", SIGNING_CENTRE_SIGN), 0, "KEY_UNKNOWN");
    add_directory(cases, "flipped bit in a key", flipped(key->public_key.bytes, CL_PUBLIC_KEY_BYTES, false), 0,
                  "SIGNATURE_INVALID");
    add_directory(cases, "flipped bit in a possession proof", flipped(key->possession.bytes, CL_SIGNATURE_BYTES, true),
                  0, "KEY_POSSESSION");
    add_directory(cases, "flipped bit in a key, signed again",
                  flipped(key->public_key.bytes, CL_PUBLIC_KEY_BYTES, true), 0, "KEY_WEAK");
    add_directory(cases, "empty", cl_bytes(NULL, 0), 0, "MESSAGE_EMPTY");
    write_cases("directory", cases);
}

/* -- Envelopes ----------------------------------------------------------------------------------------------- */

static json_t *envelopes;

/* What has to be seen in one that is accepted. */
static void set_opened(json_t *one, struct cl_bytes bytes)
{
    struct cl_opened opened;
    struct cl_bytes stored;
    struct cl_expectation expected = signing_expectation(&signing);
    expected.batch = true;
    must(cl_envelope_open(&opened, signing.arena, bytes, &expected));
    must(cl_opened_stored(&stored, signing.arena, &opened));
    set_hex(one, "digest", opened.digest.bytes, CL_DIGEST_BYTES);
    set_hex(one, "stored", stored.data, stored.len);
    set_hex(one, "message_id", opened.message_id.bytes, CL_UUID_BYTES);
}

/* An envelope as the centre would receive it from alpha in a call of SubmitApplication. */
static json_t *add_envelope(const char *name, struct cl_bytes bytes, const char *expect)
{
    json_t *one = add_case(envelopes, name);
    set_hex(one, "envelope", bytes.data, bytes.len);
    set_text(one, "sender", SIGNING_ALPHA);
    set_text(one, "recipient", SIGNING_CENTRE);
    set_text(one, "environment", SIGNING_ENVIRONMENT);
    set_text(one, "method", SIGNING_METHOD);
    set_text(one, "body_type", "Application");
    set_text(one, "direction", "REQUEST");
    set_hex(one, "in_reply_to", NULL, 0);
    set_number(one, "now_ms", SIGNING_NOW_MS);
    set_text(one, "expect", expect);
    if (strcmp(expect, "OK") == 0) {
        set_opened(one, bytes);
    }
    return one;
}

static struct cl_sealed seal(const enum signing_key *keys, size_t count)
{
    const struct cl_signer *signers[CL_SIGNATURES_MAX];
    struct signing_application with;
    struct cl_sealed sealed;
    struct cl_message message = signing_message();
    signing_application(&with, signing.arena);
    message.body = &with.application.base;
    message.disclosures = with.disclosures;
    message.disclosure_count = with.disclosure_count;
    for (size_t i = 0; i < count; i++) {
        signers[i] = signing.signers[keys[i]];
    }
    must(cl_envelope_seal_many(&sealed, signing.arena, signers, count, &message));
    return sealed;
}

static void add_elsewhere(const struct cl_sealed *sealed)
{
    json_t *one = add_envelope("received over beta's certificate", sealed->envelope, "KEY_UNKNOWN");
    set_text(one, "sender", SIGNING_BETA);
    one = add_envelope("received by beta", sealed->envelope, "RECIPIENT_WRONG");
    set_text(one, "recipient", SIGNING_BETA);
    one = add_envelope("received in another call", sealed->envelope, "METHOD_WRONG");
    set_text(one, "method", "coloan.v1.JointApproval/GetApplication");
    one = add_envelope("received as a reply", sealed->envelope, "DIRECTION_WRONG");
    set_text(one, "direction", "REPLY");
    one = add_envelope("received where another body is expected", sealed->envelope, "PAYLOAD_TYPE_WRONG");
    set_text(one, "body_type", "BankDecision");
    one = add_envelope("received late", sealed->envelope, "EXPIRED");
    set_number(one, "now_ms", SIGNING_NOW_MS + 60001);
    one = add_envelope("received before it was made", sealed->envelope, "CREATED_IN_FUTURE");
    set_number(one, "now_ms", SIGNING_NOW_MS - 30001);
}

static Coloan__V1__Envelope *unpack_envelope(const struct cl_sealed *sealed)
{
    Coloan__V1__Envelope *envelope =
        coloan__v1__envelope__unpack(cl_arena_protobuf(signing.arena), sealed->envelope.len, sealed->envelope.data);
    assert(envelope != NULL);
    return envelope;
}

static void add_edited(const char *name, const Coloan__V1__Envelope *envelope, const char *expect)
{
    struct cl_bytes bytes;
    must(cl_pack(&bytes, signing.arena, &envelope->base));
    (void)add_envelope(name, bytes, expect);
}

static void add_bad_signatures(const struct cl_sealed *sealed)
{
    Coloan__V1__BatchProof batch = COLOAN__V1__BATCH_PROOF__INIT;
    Coloan__V1__Envelope *envelope = unpack_envelope(sealed);
    envelope->n_signatures = 0;
    add_edited("no signature", envelope, "SIGNATURE_COUNT");
    envelope = unpack_envelope(sealed);
    Coloan__V1__Signature *five[CL_SIGNATURES_MAX + 1];
    for (size_t i = 0; i <= CL_SIGNATURES_MAX; i++) {
        five[i] = envelope->signatures[0];
    }
    envelope->signatures = five;
    envelope->n_signatures = CL_SIGNATURES_MAX + 1;
    add_edited("five signatures", envelope, "SIGNATURE_COUNT");
    envelope->n_signatures = 2;
    add_edited("the same signature twice", envelope, "SIGNATURE_INVALID");
    envelope = unpack_envelope(sealed);
    envelope->signatures[0]->sig.data[0] ^= 1;
    add_edited("flipped bit in the signature", envelope, "SIGNATURE_INVALID");
    envelope = unpack_envelope(sealed);
    envelope->payload.data[envelope->payload.len - 1] ^= 1;
    add_edited("flipped bit in the payload", envelope, "SIGNATURE_INVALID");
    envelope = unpack_envelope(sealed);
    envelope->signatures[0]->sig.len = 63;
    add_edited("signature of 63 bytes", envelope, "SIGNATURE_INVALID");
    envelope = unpack_envelope(sealed);
    envelope->signatures[0]->keyid[0] = envelope->signatures[0]->keyid[0] == '0' ? '1' : '0';
    add_edited("key id of no key", envelope, "KEY_UNKNOWN");
    envelope->signatures[0]->keyid = cl_arena_text(signing.arena, "");
    add_edited("no key id", envelope, "OK");
    envelope->signatures[0]->batch = &batch;
    add_edited("batch signature", envelope, "PROFILE_UNSUPPORTED");
    envelope = unpack_envelope(sealed);
    envelope->payload_type = cl_arena_text(signing.arena, "application/vnd.coloan.v1.BankDecision+protobuf");
    add_edited("another payload type", envelope, "PAYLOAD_TYPE_WRONG");
}

static void add_bad_disclosures(const struct cl_sealed *sealed)
{
    Coloan__V1__Envelope *envelope = unpack_envelope(sealed);
    envelope->disclosures[0]->value.data[0] ^= 1;
    add_edited("disclosed value changed", envelope, "DISCLOSURE_MISMATCH");
    envelope = unpack_envelope(sealed);
    envelope->disclosures[0]->salt.data[0] ^= 1;
    add_edited("disclosed salt changed", envelope, "DISCLOSURE_MISMATCH");
    envelope = unpack_envelope(sealed);
    envelope->n_disclosures--;
    add_edited("disclosure missing", envelope, "DISCLOSURE_MISSING");
    envelope = unpack_envelope(sealed);
    envelope->disclosures[1] = envelope->disclosures[0];
    add_edited("disclosure twice", envelope, "DISCLOSURE_UNEXPECTED");
}

/* Bytes appended to a right envelope. */
static void add_appended(const struct cl_sealed *sealed)
{
    static const struct {
        const char *name, *hex, *expect;
    } rows[] = {
        {"unknown field", "2a00", "WIRE_UNKNOWN_FIELD"},
        {"payload type twice", "120161", "WIRE_DUPLICATE"},
        {"length not in shortest form", "228000", "WIRE_VARINT"},
        {"wire type not as declared", "2001", "WIRE_TYPE"},
        {"group", "2b2c", "WIRE_TYPE"},
        {"field number 0", "0200", "WIRE_MALFORMED"},
        {"cut inside a field", "220a00", "WIRE_MALFORMED"},
        {"NUL in a text", "22050a03610062", "TEXT_CONTROL"},
        {"newline in a text", "22030a010a", "TEXT_CONTROL"},
        {"text not UTF-8", "22030a01ff", "TEXT_ENCODING"},
        {"surrogate in a text", "22050a03eda080", "TEXT_ENCODING"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire wire = {0};
        uint8_t bytes[16];
        size_t len = strlen(rows[i].hex) / 2;
        must(cl_hex_decode(bytes, len, rows[i].hex));
        wire_raw(&wire, sealed->envelope.data, sealed->envelope.len);
        wire_raw(&wire, bytes, len);
        (void)add_envelope(rows[i].name, wire_bytes(&wire), rows[i].expect);
        wire_free(&wire);
    }
}

static struct cl_bytes forge(const Coloan__V1__SignedHeader *header, const char *body_hex)
{
    uint8_t body[64] = {0};
    size_t len = strlen(body_hex) / 2;
    assert(len <= sizeof body);
    must(cl_hex_decode(body, len, body_hex));
    return signing_forge(signing.arena, signing.signers[SIGNING_ALPHA_ACTIVE], SIGNING_TYPE,
                         signing_payload(signing.arena, header, cl_bytes(body, len)));
}

static void add_bad_headers(void)
{
    Coloan__V1__SignedHeader header;
    (void)add_envelope("no header", forge(NULL, "0a0141"), "HEADER_INCOMPLETE");
    signing_header(&header, signing.arena);
    (void)add_envelope("empty body", forge(&header, ""), "OK");
    header.recipient = cl_arena_text(signing.arena, "");
    (void)add_envelope("no recipient", forge(&header, ""), "HEADER_INCOMPLETE");
    signing_header(&header, signing.arena);
    header.spec_version = cl_arena_text(signing.arena, "2.0");
    (void)add_envelope("version 2.0", forge(&header, ""), "SPEC_VERSION");
    signing_header(&header, signing.arena);
    header.environment = cl_arena_text(signing.arena, "prod");
    (void)add_envelope("made for prod", forge(&header, ""), "ENVIRONMENT_WRONG");
    signing_header(&header, signing.arena);
    header.sender = cl_arena_text(signing.arena, SIGNING_BETA);
    (void)add_envelope("says to be beta", forge(&header, ""), "SENDER_WRONG");
    signing_header(&header, signing.arena);
    header.message_id.data[6] = 0x40;
    (void)add_envelope("message id is a UUIDv4", forge(&header, ""), "MESSAGE_ID_INVALID");
    signing_header(&header, signing.arena);
    header.in_reply_to = signing_data(signing.arena, cl_bytes_text("01234567890123456789012345678901"));
    (void)add_envelope("request that answers", forge(&header, ""), "IN_REPLY_TO_WRONG");
    signing_header(&header, signing.arena);
    header.sequence = 1;
    (void)add_envelope("request with a sequence", forge(&header, ""), "SEQUENCE_WRONG");
    signing_header(&header, signing.arena);
    header.expires_ms = header.created_ms + CL_MESSAGE_LIFE_MS_MAX + 1;
    (void)add_envelope("lives too long", forge(&header, ""), "LIFETIME_WRONG");
}

static void add_bad_bodies(void)
{
    static const struct {
        const char *name, *hex, *expect;
    } rows[] = {
        {"unknown field in the body", "7a00", "WIRE_UNKNOWN_FIELD"},
        {"two homes in the body", "22002200", "WIRE_DUPLICATE"},
        {"undeclared role in the body", "1a020809", "ENUM_UNKNOWN"},
        {"bool of 2 in the body", "1a023002", "WIRE_VARINT"},
        {"int32 past its range in the body", "2206408080808008", "WIRE_VARINT"},
        {"NUL in the body", "0a0100", "TEXT_CONTROL"},
        {"short commitment in the body", "1a03120100", "FIELD_INVALID"},
    };
    Coloan__V1__SignedHeader header;
    signing_header(&header, signing.arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)add_envelope(rows[i].name, forge(&header, rows[i].hex), rows[i].expect);
    }
}

static void add_by_key(void)
{
    static const struct {
        const char *name;
        enum signing_key key;
        const char *expect;
    } rows[] = {
        {"by a retiring key", SIGNING_ALPHA_RETIRING, "OK"},
        {"by a retired key", SIGNING_ALPHA_RETIRED, "KEY_NOT_VALID"},
        {"by a compromised key", SIGNING_ALPHA_COMPROMISED, "KEY_NOT_VALID"},
        {"by a key not yet valid", SIGNING_ALPHA_FUTURE, "KEY_NOT_VALID"},
        {"by a key no longer valid", SIGNING_ALPHA_PAST, "KEY_NOT_VALID"},
        {"by a key for another purpose", SIGNING_ALPHA_WITNESS, "KEY_UNKNOWN"},
        {"by a key of another party", SIGNING_BETA_SIGN, "KEY_UNKNOWN"},
        {"by a key that is not in the directory", SIGNING_STRANGER, "KEY_UNKNOWN"},
    };
    Coloan__V1__SignedHeader header;
    signing_header(&header, signing.arena);
    struct cl_bytes payload = signing_payload(signing.arena, &header, cl_bytes(NULL, 0));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)add_envelope(rows[i].name,
                           signing_forge(signing.arena, signing.signers[rows[i].key], SIGNING_TYPE, payload),
                           rows[i].expect);
    }
}

static void add_large(void)
{
    struct wire wire = {0};
    json_t *one = add_envelope("256 KiB and one byte", cl_bytes(NULL, 0), "MESSAGE_TOO_LARGE");
    set_number(one, "zeros_appended", CL_MESSAGE_BYTES_MAX + 1);
    (void)add_envelope("nothing", cl_bytes(NULL, 0), "MESSAGE_EMPTY");
    wire_tag(&wire, 1, 2); /* payload of 192 KiB and one byte */
    wire_varint(&wire, CL_PAYLOAD_BYTES_MAX + 1);
    one = add_envelope("payload of 192 KiB and one byte", wire_bytes(&wire), "MESSAGE_TOO_LARGE");
    set_number(one, "zeros_appended", CL_PAYLOAD_BYTES_MAX + 1);
    wire_free(&wire);
    for (size_t i = 0; i <= CL_FIELDS_MAX; i++) {
        wire_data(&wire, 3, NULL, 0);
    }
    (void)add_envelope("4,097 fields", wire_bytes(&wire), "WIRE_TOO_MANY_FIELDS");
    wire_free(&wire);
}

static void make_envelope(void)
{
    static const enum signing_key keys[] = {SIGNING_ALPHA_ACTIVE, SIGNING_ALPHA_RETIRING};
    struct cl_sealed one = seal(keys, 1);
    struct cl_sealed two = seal(keys, 2);
    envelopes = json_array();
    (void)add_envelope("one signature", one.envelope, "OK");
    (void)add_envelope("two signatures", two.envelope, "OK");
    add_elsewhere(&one);
    add_bad_signatures(&one);
    add_bad_disclosures(&one);
    add_appended(&one);
    add_bad_headers();
    add_bad_bodies();
    add_by_key();
    add_large();
    write_cases("envelope", envelopes);
}

/* -- Batches ------------------------------------------------------------------------------------------------- */

enum { BATCH = 5 };

static void make_batch(void)
{
    struct signing_application with;
    struct cl_message messages[BATCH];
    struct cl_sealed sealed[BATCH];
    envelopes = json_array();
    signing_application(&with, signing.arena);
    for (uint8_t i = 0; i < BATCH; i++) {
        messages[i] = signing_message();
        messages[i].message_id.bytes[CL_UUID_BYTES - 1] = i;
        messages[i].body = &with.application.base;
        messages[i].disclosures = with.disclosures;
        messages[i].disclosure_count = with.disclosure_count;
    }
    must(cl_envelope_seal_batch(sealed, signing.arena, signing.signers[SIGNING_ALPHA_ACTIVE], messages, BATCH));
    for (size_t i = 0; i < BATCH; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "message %zu of 5", i);
        (void)add_envelope(name, sealed[i].envelope, "OK");
    }
    Coloan__V1__Envelope *envelope = unpack_envelope(&sealed[2]);
    envelope->signatures[0]->batch->index = 3;
    add_edited("another index", envelope, "SIGNATURE_INVALID");
    envelope = unpack_envelope(&sealed[2]);
    envelope->signatures[0]->batch->count = 6;
    add_edited("another count", envelope, "SIGNATURE_INVALID");
    envelope = unpack_envelope(&sealed[2]);
    envelope->signatures[0]->batch->path[0].data[0] ^= 1;
    add_edited("flipped bit in the path", envelope, "SIGNATURE_INVALID");
    envelope = unpack_envelope(&sealed[2]);
    envelope->signatures[0]->batch->n_path--;
    add_edited("path too short", envelope, "SIGNATURE_INVALID");
    envelope = unpack_envelope(&sealed[2]);
    envelope->signatures[0]->batch = NULL;
    add_edited("without its proof", envelope, "SIGNATURE_INVALID");
    write_cases("batch", envelopes);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    signing_init(&signing);
    make_pae();
    make_keyid_and_possession();
    make_commitment();
    make_signature();
    make_parties();
    make_directory();
    make_envelope();
    make_batch();
    signing_close(&signing);
    return 0;
}
