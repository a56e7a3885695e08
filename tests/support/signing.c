#include "tests/support/signing.h"

#include <assert.h>
#include <string.h>

static void must(struct cl_status status)
{
    assert(cl_is_ok(status));
}

static void count_up(void *user, void *out, size_t len)
{
    uint8_t *next = user;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (*next)++;
    }
}

const struct cl_random *signing_random(void)
{
    static uint8_t next;
    static const struct cl_random random = {.fill = count_up, .user = &next};
    next = 0;
    return &random;
}

/* -- Parties ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *party;
    uint8_t seed;
    bool listed;
    Coloan__V1__KeyPurpose purpose;
    Coloan__V1__KeyStatus status;
    int64_t from_days, until_days; /* from now */
} rows[SIGNING_KEY_COUNT] = {
    [SIGNING_DIRECTORY] = {SIGNING_CENTRE, 0xd0, false, 0, 0, 0, 0},
    [SIGNING_CENTRE_SIGN] = {SIGNING_CENTRE, 0xc0, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN,
                             COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE, -100, 100},
    [SIGNING_ALPHA_ACTIVE] = {SIGNING_ALPHA, 0xa0, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN,
                              COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE, -100, 100},
    [SIGNING_ALPHA_RETIRING] = {SIGNING_ALPHA, 0xa1, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN,
                                COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRING, -100, 100},
    [SIGNING_ALPHA_RETIRED] = {SIGNING_ALPHA, 0xa2, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN,
                               COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRED, -100, 100},
    [SIGNING_ALPHA_COMPROMISED] = {SIGNING_ALPHA, 0xa3, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN,
                                   COLOAN__V1__KEY_STATUS__KEY_STATUS_COMPROMISED, -100, 1},
    [SIGNING_ALPHA_FUTURE] = {SIGNING_ALPHA, 0xa4, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN,
                              COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE, 1, 100},
    [SIGNING_ALPHA_PAST] = {SIGNING_ALPHA, 0xa5, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN,
                            COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE, -100, -1},
    [SIGNING_ALPHA_WITNESS] = {SIGNING_ALPHA, 0xa6, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_WITNESS,
                               COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE, -100, 100},
    [SIGNING_BETA_SIGN] = {SIGNING_BETA, 0xb0, true, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN,
                           COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE, -100, 100},
    [SIGNING_STRANGER] = {SIGNING_ALPHA, 0xaf, false, 0, 0, 0, 0},
};

static struct cl_signer *make_signer(size_t row)
{
    uint8_t seed[CL_KEY_SEED_BYTES];
    struct cl_signer *signer = NULL;
    memset(seed, rows[row].seed, sizeof seed);
    must(cl_signer_from_seed(&signer, seed, rows[row].party));
    return signer;
}

static void describe(struct signing *signing, size_t row)
{
    if (!rows[row].listed) {
        return;
    }
    struct cl_key *key = &signing->keys[signing->key_count++];
    cl_key_describe(key, signing->signers[row], rows[row].purpose, SIGNING_ENVIRONMENT,
                    SIGNING_NOW_MS + rows[row].from_days * SIGNING_DAY_MS,
                    SIGNING_NOW_MS + rows[row].until_days * SIGNING_DAY_MS);
    key->status = rows[row].status;
}

void signing_init(struct signing *signing)
{
    *signing = (struct signing){.key_count = 0};
    must(cl_arena_create(&signing->arena, 4 * CL_MESSAGE_ARENA_BYTES_MAX));
    for (size_t i = 0; i < SIGNING_KEY_COUNT; i++) {
        signing->signers[i] = make_signer(i);
        describe(signing, i);
    }
    struct cl_directory directory = {.number = 1,
                                     .environment = SIGNING_ENVIRONMENT,
                                     .issued_ms = SIGNING_NOW_MS - SIGNING_DAY_MS,
                                     .keys = signing->keys,
                                     .key_count = signing->key_count};
    cl_uuid7_make(&directory.message_id, directory.issued_ms, signing_random());
    must(cl_keyring_issue(&signing->directory, signing->arena, signing->signers[SIGNING_DIRECTORY], &directory));
    signing->trust =
        (struct cl_directory_trust){.public_key = *cl_signer_public_key(signing->signers[SIGNING_DIRECTORY]),
                                    .centre = SIGNING_CENTRE,
                                    .environment = SIGNING_ENVIRONMENT};
    must(cl_keyring_load(&signing->keyring, signing->directory, &signing->trust, NULL));
}

void signing_close(struct signing *signing)
{
    cl_keyring_unref(signing->keyring);
    for (size_t i = 0; i < SIGNING_KEY_COUNT; i++) {
        cl_signer_free(signing->signers[i]);
    }
    cl_arena_free(signing->arena);
}

/* -- An application ------------------------------------------------------------------------------------------ */

static ProtobufCBinaryData commit(struct signing_application *out, struct cl_arena *arena, const char *path,
                                  const char *value, const struct cl_random *random)
{
    size_t i = out->disclosure_count++;
    must(cl_disclosure_make(&out->disclosures[i], &out->commitments[i], arena, path, cl_bytes_text(value), random));
    return (ProtobufCBinaryData){.len = CL_DIGEST_BYTES, .data = out->commitments[i].bytes};
}

void signing_application(struct signing_application *out, struct cl_arena *arena)
{
    const struct cl_random *random = signing_random();
    *out = (struct signing_application){.disclosure_count = 0};
    coloan__v1__application__init(&out->application);
    coloan__v1__person__init(&out->persons[0]);
    coloan__v1__person__init(&out->persons[1]);
    coloan__v1__home__init(&out->home);
    out->persons[0].role = COLOAN__V1__PERSON_ROLE__PERSON_ROLE_BORROWER;
    out->persons[0].name = commit(out, arena, "persons[0].name", "测试甲", random);
    out->persons[0].id_number = commit(out, arena, "persons[0].id_number", "990101199603150019", random);
    out->persons[0].mobile = commit(out, arena, "persons[0].mobile", "10000000001", random);
    out->persons[1].role = COLOAN__V1__PERSON_ROLE__PERSON_ROLE_SPOUSE;
    out->persons[1].name = commit(out, arena, "persons[1].name", "测试乙", random);
    out->persons[1].id_number = commit(out, arena, "persons[1].id_number", "990101199603150027", random);
    out->persons[1].mobile = commit(out, arena, "persons[1].mobile", "10000000002", random);
    out->home.kind = COLOAN__V1__HOME_KIND__HOME_KIND_NEW;
    out->home.price_fen = 200000000;
    out->home.address = commit(out, arena, "home.address", "测试市样例路1号", random);
    out->person_list[0] = &out->persons[0];
    out->person_list[1] = &out->persons[1];
    out->application.external_ref = cl_arena_text(arena, "A-2026-000001");
    out->application.bank = cl_arena_text(arena, SIGNING_ALPHA);
    out->application.n_persons = 2;
    out->application.persons = out->person_list;
    out->application.home = &out->home;
    assert(out->disclosure_count == 7 && !cl_arena_overflowed(arena));
}

struct cl_message signing_message(void)
{
    struct cl_message message = {.environment = SIGNING_ENVIRONMENT,
                                 .recipient = SIGNING_CENTRE,
                                 .method = SIGNING_METHOD,
                                 .direction = COLOAN__V1__DIRECTION__DIRECTION_REQUEST,
                                 .created_ms = SIGNING_NOW_MS,
                                 .expires_ms = SIGNING_NOW_MS + 60000};
    cl_uuid7_make(&message.message_id, message.created_ms, signing_random());
    return message;
}

ProtobufCBinaryData signing_data(struct cl_arena *arena, struct cl_bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.len, .data = cl_arena_copy(arena, bytes)};
}

void signing_header(Coloan__V1__SignedHeader *out, struct cl_arena *arena)
{
    struct cl_message message = signing_message();
    coloan__v1__signed_header__init(out);
    out->spec_version = cl_arena_text(arena, "1.0");
    out->environment = cl_arena_text(arena, message.environment);
    out->message_id = signing_data(arena, cl_bytes(message.message_id.bytes, CL_UUID_BYTES));
    out->sender = cl_arena_text(arena, SIGNING_ALPHA);
    out->recipient = cl_arena_text(arena, message.recipient);
    out->method = cl_arena_text(arena, message.method);
    out->direction = message.direction;
    out->created_ms = message.created_ms;
    out->expires_ms = message.expires_ms;
}

struct cl_bytes signing_payload(struct cl_arena *arena, const Coloan__V1__SignedHeader *header, struct cl_bytes body)
{
    Coloan__V1__SignedPayload payload = COLOAN__V1__SIGNED_PAYLOAD__INIT;
    Coloan__V1__SignedHeader copy = COLOAN__V1__SIGNED_HEADER__INIT;
    struct cl_bytes bytes;
    if (header != NULL) {
        copy = *header;
        payload.header = &copy;
    }
    payload.body = signing_data(arena, body);
    must(cl_pack(&bytes, arena, &payload.base));
    return bytes;
}

struct cl_bytes signing_forge(struct cl_arena *arena, const struct cl_signer *signer, const char *payload_type,
                              struct cl_bytes payload)
{
    const struct cl_signer *const signers[] = {signer};
    Coloan__V1__Envelope envelope = COLOAN__V1__ENVELOPE__INIT;
    struct cl_digest digest;
    struct cl_bytes bytes;
    envelope.payload = signing_data(arena, payload);
    envelope.payload_type = cl_arena_text(arena, payload_type);
    must(cl_dsse_seal(&bytes, NULL, &digest, arena, signers, 1, &envelope));
    return bytes;
}

struct cl_expectation signing_expectation(const struct signing *signing)
{
    static const struct cl_expected_body bodies[] = {
        {&coloan__v1__application__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST}};
    return (struct cl_expectation){.keyring = signing->keyring,
                                   .environment = SIGNING_ENVIRONMENT,
                                   .sender = SIGNING_ALPHA,
                                   .recipient = SIGNING_CENTRE,
                                   .method = SIGNING_METHOD,
                                   .bodies = bodies,
                                   .body_count = 1,
                                   .now_ms = SIGNING_NOW_MS};
}
