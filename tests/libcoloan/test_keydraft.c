/* The next directory: what each change does to the keys, what each is refused for, and what a key still verifies after
 * it, judged as a receiver and as an archive would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/keydraft.h"
#include "tests/support/signing.h"

static struct signing signing;
static struct cl_signer *fresh_signer;

static int begin(void **state)
{
    (void)state;
    static uint8_t seed[CL_KEY_SEED_BYTES];
    memset(seed, 0x77, sizeof seed);
    signing_init(&signing);
    return cl_is_ok(cl_signer_from_seed(&fresh_signer, seed, SIGNING_ALPHA)) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    cl_signer_free(fresh_signer);
    signing_close(&signing);
    return 0;
}

static struct cl_keydraft follow(void)
{
    struct cl_keydraft draft;
    assert_int_equal(cl_keydraft_follow(&draft, signing.arena, signing.keyring).reason, CL_OK);
    assert_int_equal(draft.number, 2);
    assert_int_equal(draft.key_count, signing.key_count);
    return draft;
}

static struct cl_key fresh_key(void)
{
    struct cl_key key;
    cl_key_describe(&key, fresh_signer, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, SIGNING_ENVIRONMENT, SIGNING_NOW_MS,
                    SIGNING_NOW_MS + 365 * SIGNING_DAY_MS);
    return key;
}

static const char *keyid(enum signing_key key)
{
    return cl_signer_keyid(signing.signers[key])->text;
}

static struct cl_key *in_draft(struct cl_keydraft *draft, const char *id)
{
    for (size_t i = 0; i < draft->key_count; i++) {
        if (strcmp(draft->keys[i].keyid.text, id) == 0) {
            return &draft->keys[i];
        }
    }
    fail_msg("no key %s", id);
    return NULL;
}

/* Issues the draft and loads it as everybody does. */
static struct cl_keyring *issue(const struct cl_keydraft *draft)
{
    struct cl_bytes bytes;
    struct cl_keyring *keyring = NULL;
    assert_int_equal(cl_keydraft_issue(&bytes, signing.arena, draft, signing.signers[SIGNING_DIRECTORY], SIGNING_NOW_MS,
                                       signing_random())
                         .reason,
                     CL_OK);
    assert_int_equal(cl_keyring_load(&keyring, bytes, &signing.trust, signing.keyring).reason, CL_OK);
    return keyring;
}

/* -- Changes ------------------------------------------------------------------------------------------------- */

/* Covers: COL-KEY-015 */
static void a_rotation_retires_the_old_key(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum signing_key old;
        int64_t overlap_ms;
        enum cl_reason expected;
    } rows[] = {
        {"active", SIGNING_ALPHA_ACTIVE, 14 * SIGNING_DAY_MS, CL_OK},
        {"active, no overlap", SIGNING_ALPHA_ACTIVE, 0, CL_OK},
        {"retiring already", SIGNING_ALPHA_RETIRING, 14 * SIGNING_DAY_MS, CL_OK},
        {"retired", SIGNING_ALPHA_RETIRED, 14 * SIGNING_DAY_MS, CL_KEY_NOT_VALID},
        {"compromised", SIGNING_ALPHA_COMPROMISED, 14 * SIGNING_DAY_MS, CL_KEY_NOT_VALID},
        {"of another purpose", SIGNING_ALPHA_WITNESS, 14 * SIGNING_DAY_MS, CL_KEY_UNKNOWN},
        {"of another party", SIGNING_BETA_SIGN, 14 * SIGNING_DAY_MS, CL_KEY_UNKNOWN},
        {"of nobody", SIGNING_STRANGER, 14 * SIGNING_DAY_MS, CL_KEY_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_keydraft draft = follow();
        struct cl_key fresh = fresh_key();
        int64_t until_ms = -1;
        struct cl_status status = cl_keydraft_rotate(&draft, cl_signer_keyid(signing.signers[rows[i].old]), &fresh,
                                                     rows[i].overlap_ms, &until_ms);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        if (cl_failed(status)) {
            assert_int_equal(until_ms, -1);
            assert_int_equal(draft.key_count, signing.key_count);
            continue;
        }
        const struct cl_key *old = in_draft(&draft, keyid(rows[i].old));
        assert_int_equal(draft.key_count, signing.key_count + 1);
        assert_int_equal(old->status, COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRING);
        assert_int_equal(old->valid_until_ms, until_ms);
        assert_true(until_ms <= SIGNING_NOW_MS + rows[i].overlap_ms);
        assert_int_equal(in_draft(&draft, fresh.keyid.text)->status, COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE);
        cl_keyring_unref(issue(&draft));
    }
}

/* Covers: COL-KEY-015 */
static void an_end_never_moves_away(void **state)
{
    (void)state;
    struct cl_keydraft draft = follow();
    struct cl_key *old = in_draft(&draft, keyid(SIGNING_ALPHA_ACTIVE));
    int64_t until_ms = old->valid_until_ms;
    struct cl_key fresh = fresh_key();
    assert_int_equal(cl_keydraft_rotate(&draft, &old->keyid, &fresh, 10000 * SIGNING_DAY_MS, NULL).reason, CL_OK);
    assert_int_equal(old->valid_until_ms, until_ms);
}

static void what_is_added_is_registered(void **state)
{
    (void)state;
    struct cl_keydraft draft = follow();
    struct cl_key key = fresh_key();
    key.possession.bytes[0] ^= 1;
    assert_int_equal(cl_keydraft_add(&draft, &key).reason, CL_KEY_POSSESSION);
    key = fresh_key();
    memset(key.public_key.bytes, 0, sizeof key.public_key.bytes);
    key.public_key.bytes[0] = 1;
    assert_int_equal(cl_keydraft_add(&draft, &key).reason, CL_KEY_WEAK);
    key = fresh_key();
    key.valid_until_ms = key.valid_from_ms;
    assert_int_equal(cl_keydraft_add(&draft, &key).reason, CL_DIRECTORY_INVALID);
    assert_int_equal(cl_keydraft_add(&draft, &signing.keys[0]).reason, CL_KEY_KNOWN);
    key = fresh_key();
    assert_int_equal(cl_keydraft_add(&draft, &key).reason, CL_OK);
    assert_int_equal(cl_keydraft_add(&draft, &key).reason, CL_KEY_KNOWN);
    draft.key_count = CL_KEYS_MAX; /* nothing of the rest is looked at but key ids, which are empty */
    memset(draft.keys[CL_KEYS_MAX - 1].public_key.bytes, 9, 1);
    memset(&key.public_key, 3, sizeof key.public_key);
    assert_int_equal(cl_keydraft_add(&draft, &key).reason, CL_DIRECTORY_FULL);
}

/* -- What a key verifies after its end ----------------------------------------------------------------------- */

enum change { RETIRE, COMPROMISE };

/* Covers: COL-KEY-008 */
static void ended_keys_verify_what_was_made_before(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum change change;
        enum cl_key_use use;
        int64_t made_ms; /* after the end */
        enum cl_reason expected;
    } rows[] = {
        {"retired, arrives now", RETIRE, CL_KEY_LIVE, -1, CL_KEY_NOT_VALID},
        {"retired, made long before", RETIRE, CL_KEY_ARCHIVE, -SIGNING_DAY_MS / 2, CL_OK},
        {"retired, made just before", RETIRE, CL_KEY_ARCHIVE, -1, CL_OK},
        {"retired, made then", RETIRE, CL_KEY_ARCHIVE, 0, CL_KEY_NOT_VALID},
        {"retired, made after", RETIRE, CL_KEY_ARCHIVE, 1, CL_KEY_NOT_VALID},
        {"compromised, arrives now", COMPROMISE, CL_KEY_LIVE, -1, CL_KEY_NOT_VALID},
        {"compromised, made just before", COMPROMISE, CL_KEY_ARCHIVE, -1, CL_OK},
        {"compromised, made then", COMPROMISE, CL_KEY_ARCHIVE, 0, CL_KEY_NOT_VALID},
        {"compromised, made after", COMPROMISE, CL_KEY_ARCHIVE, SIGNING_DAY_MS, CL_KEY_NOT_VALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_keydraft draft = follow();
        struct cl_status status = rows[i].change == RETIRE
                                      ? cl_keydraft_retire(&draft, keyid(SIGNING_ALPHA_ACTIVE), SIGNING_NOW_MS)
                                      : cl_keydraft_compromise(&draft, keyid(SIGNING_ALPHA_ACTIVE), SIGNING_NOW_MS);
        assert_int_equal(status.reason, CL_OK);
        cl_keyring_unref(issue(&draft));
        status =
            cl_key_check(in_draft(&draft, keyid(SIGNING_ALPHA_ACTIVE)), rows[i].use, SIGNING_NOW_MS + rows[i].made_ms);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
}

/* The same with a real message: sealed before, verified against the directory in which its key has ended. */
/* Covers: COL-CHK-007, COL-KEY-008 */
static void a_kept_message_outlives_its_key(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t since_ms; /* from the message's making */
        enum cl_reason expected;
    } rows[] = {
        {"compromised after it was made", 1, CL_OK},
        {"compromised when it was made", 0, CL_KEY_NOT_VALID},
        {"compromised before", -SIGNING_DAY_MS / 2, CL_KEY_NOT_VALID},
    };
    struct signing_application application;
    struct cl_message message = signing_message();
    struct cl_sealed sealed;
    signing_application(&application, signing.arena);
    message.body = &application.application.base;
    assert_int_equal(cl_envelope_seal(&sealed, signing.arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message).reason,
                     CL_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_keydraft draft = follow();
        struct cl_opened opened;
        assert_int_equal(
            cl_keydraft_compromise(&draft, keyid(SIGNING_ALPHA_ACTIVE), message.created_ms + rows[i].since_ms).reason,
            CL_OK);
        struct cl_keyring *keyring = issue(&draft);
        struct cl_status status = cl_envelope_verify(&opened, signing.arena, sealed.stored, keyring);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        struct cl_expectation live = signing_expectation(&signing);
        live.keyring = keyring;
        assert_int_equal(cl_envelope_open(&opened, signing.arena, sealed.stored, &live).reason, CL_KEY_NOT_VALID);
        cl_keyring_unref(keyring);
    }
}

static void ending_twice_is_refused(void **state)
{
    (void)state;
    struct cl_keydraft draft = follow();
    const char *active = keyid(SIGNING_ALPHA_ACTIVE);
    assert_int_equal(cl_keydraft_retire(&draft, "0123", SIGNING_NOW_MS).reason, CL_KEY_UNKNOWN);
    assert_int_equal(cl_keydraft_compromise(&draft, "0123", SIGNING_NOW_MS).reason, CL_KEY_UNKNOWN);
    assert_int_equal(cl_keydraft_retire(&draft, active, SIGNING_NOW_MS).reason, CL_OK);
    assert_int_equal(cl_keydraft_retire(&draft, active, SIGNING_NOW_MS).reason, CL_KEY_NOT_VALID);
    assert_int_equal(cl_keydraft_compromise(&draft, active, SIGNING_NOW_MS).reason, CL_OK); /* worse than retired */
    assert_int_equal(cl_keydraft_compromise(&draft, active, SIGNING_NOW_MS).reason, CL_KEY_NOT_VALID);
    assert_int_equal(cl_keydraft_compromise(&draft, active, SIGNING_NOW_MS - 5).reason, CL_OK); /* even earlier */
    assert_int_equal(in_draft(&draft, active)->valid_until_ms, SIGNING_NOW_MS - 5);
    assert_int_equal(cl_keydraft_retire(&draft, active, SIGNING_NOW_MS).reason, CL_KEY_NOT_VALID);
    assert_int_equal(cl_keydraft_compromise(&draft, active, 1).reason, CL_OK); /* before it was valid: for a moment */
    assert_int_equal(in_draft(&draft, active)->valid_until_ms, in_draft(&draft, active)->valid_from_ms + 1);
    cl_keyring_unref(issue(&draft));
}

static void time_retires_keys(void **state)
{
    (void)state;
    struct cl_keydraft draft = follow();
    struct cl_key *key = in_draft(&draft, keyid(SIGNING_ALPHA_RETIRING));
    size_t settled = cl_keydraft_settle(&draft, SIGNING_NOW_MS);
    assert_int_equal(in_draft(&draft, keyid(SIGNING_ALPHA_PAST))->status, COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRED);
    assert_int_equal(settled, 1);
    assert_int_equal(cl_keydraft_settle(&draft, key->valid_until_ms - 1), 0);
    assert_int_equal(key->status, COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRING);
    assert_true(cl_keydraft_settle(&draft, key->valid_until_ms) >= 1);
    assert_int_equal(key->status, COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRED);
    assert_int_equal(in_draft(&draft, keyid(SIGNING_ALPHA_COMPROMISED))->status,
                     COLOAN__V1__KEY_STATUS__KEY_STATUS_COMPROMISED);
}

/* -- Rotations as messages ----------------------------------------------------------------------------------- */

struct rotation {
    Coloan__V1__KeyRotation body;
    Coloan__V1__Key entry;
    struct cl_key key;
    char environment[16];
};

static void make_rotation(struct rotation *out)
{
    out->key = fresh_key();
    (void)snprintf(out->environment, sizeof out->environment, "%s", SIGNING_ENVIRONMENT);
    cl_key_write(&out->entry, &out->key, out->environment);
    coloan__v1__key_rotation__init(&out->body);
    out->body.new_key = &out->entry;
    out->body.reason = COLOAN__V1__ROTATION_REASON__ROTATION_REASON_SCHEDULED;
}

static void no_key(struct rotation *rotation)
{
    rotation->body.new_key = NULL;
}
static void no_reason(struct rotation *rotation)
{
    rotation->body.reason = 0;
}
static void foreign(struct rotation *rotation)
{
    memcpy(rotation->key.party, SIGNING_BETA, sizeof SIGNING_BETA);
}
static void witness(struct rotation *r)
{
    r->entry.purpose = COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_WITNESS;
}
static void directory(struct rotation *r)
{
    r->entry.purpose = COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_DIRECTORY;
}
static void production(struct rotation *rotation)
{
    memcpy(rotation->environment, "prod", 5);
}
static void sm2(struct rotation *r)
{
    r->entry.algorithm = COLOAN__V1__KEY_ALGORITHM__KEY_ALGORITHM_SM2_SM3;
}
static void short_key(struct rotation *rotation)
{
    rotation->entry.public_key.len = 31;
}
static void retired(struct rotation *rotation)
{
    rotation->entry.status = COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRED;
}
static void no_proof(struct rotation *rotation)
{
    rotation->entry.possession.len = 0;
}
static void bad_proof(struct rotation *rotation)
{
    rotation->key.possession.bytes[63] ^= 1;
}
static void weak(struct rotation *rotation)
{
    memset(rotation->key.public_key.bytes, 0, CL_PUBLIC_KEY_BYTES);
    rotation->key.public_key.bytes[0] = 1;
}
static void an_hour_back(struct rotation *r)
{
    r->entry.valid_from_ms = SIGNING_NOW_MS - CL_KEY_BACK_MS_MAX;
}
static void further_back(struct rotation *r)
{
    r->entry.valid_from_ms = SIGNING_NOW_MS - CL_KEY_BACK_MS_MAX - 1;
}
static void far_ahead(struct rotation *r)
{
    r->entry.valid_from_ms = SIGNING_NOW_MS + CL_KEY_AHEAD_DAYS_MAX * CL_DAY_MS;
}
static void too_far_ahead(struct rotation *r)
{
    r->entry.valid_from_ms = SIGNING_NOW_MS + CL_KEY_AHEAD_DAYS_MAX * CL_DAY_MS + 1;
}
static void over(struct rotation *r)
{
    an_hour_back(r);
    r->entry.valid_until_ms = SIGNING_NOW_MS;
}
static void backwards(struct rotation *r)
{
    r->entry.valid_until_ms = r->entry.valid_from_ms;
}
static void long_life(struct rotation *r)
{
    r->entry.valid_until_ms = r->entry.valid_from_ms + CL_KEY_LIFE_DAYS_MAX * CL_DAY_MS;
}
static void too_long_life(struct rotation *r)
{
    r->entry.valid_until_ms = r->entry.valid_from_ms + CL_KEY_LIFE_DAYS_MAX * CL_DAY_MS + 1;
}
static void extreme(struct rotation *r)
{
    r->entry.valid_until_ms = INT64_MAX;
}
static void negative(struct rotation *r)
{
    r->entry.valid_from_ms = INT64_MIN;
}

static const struct {
    const char *name;
    void (*spoil)(struct rotation *rotation);
    enum cl_reason expected;
    const char *field;
} spoilt[] = {
    {"as it should be", NULL, CL_OK, ""},
    {"no key", no_key, CL_FIELD_MISSING, "new_key"},
    {"no reason", no_reason, CL_FIELD_MISSING, "reason"},
    {"another party's", foreign, CL_KEY_NOT_OWNED, "new_key.party"},
    {"witness", witness, CL_FIELD_INVALID, "new_key.purpose"},
    {"directory", directory, CL_FIELD_INVALID, "new_key.purpose"},
    {"production", production, CL_ENVIRONMENT_WRONG, "new_key.environment"},
    {"SM2", sm2, CL_FIELD_INVALID, "new_key.algorithm"},
    {"31 bytes", short_key, CL_FIELD_INVALID, "new_key.public_key"},
    {"retired at once", retired, CL_FIELD_INVALID, "new_key.status"},
    {"no proof", no_proof, CL_KEY_POSSESSION, "new_key.possession"},
    {"bad proof", bad_proof, CL_KEY_POSSESSION, "new_key.possession"},
    {"weak point", weak, CL_KEY_WEAK, "new_key.public_key"},
    {"from an hour ago", an_hour_back, CL_OK, ""},
    {"from before that", further_back, CL_FIELD_INVALID, "new_key.valid_from_ms"},
    {"from the beginning of time", negative, CL_FIELD_INVALID, "new_key.valid_from_ms"},
    {"90 days ahead", far_ahead, CL_OK, ""},
    {"more than 90 days ahead", too_far_ahead, CL_FIELD_INVALID, "new_key.valid_from_ms"},
    {"over already", over, CL_FIELD_INVALID, "new_key.valid_until_ms"},
    {"ends as it begins", backwards, CL_FIELD_INVALID, "new_key.valid_until_ms"},
    {"1,100 days", long_life, CL_OK, ""},
    {"more than 1,100 days", too_long_life, CL_FIELD_INVALID, "new_key.valid_until_ms"},
    {"for ever", extreme, CL_FIELD_INVALID, "new_key.valid_until_ms"},
};

static void a_rotation_is_read_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
        struct rotation rotation;
        struct cl_key key;
        const char *field = "";
        make_rotation(&rotation);
        if (spoilt[i].spoil != NULL) {
            spoilt[i].spoil(&rotation);
        }
        struct cl_status status =
            cl_rotation_read(&key, &field, &rotation.body, SIGNING_ALPHA, SIGNING_ENVIRONMENT, SIGNING_NOW_MS);
        if (status.reason != spoilt[i].expected || strcmp(field, spoilt[i].field) != 0) {
            fail_msg("%s: %s, %s", spoilt[i].name, cl_status_name(status), field);
        }
    }
}

static struct cl_bytes seal_rotation(enum signing_key by, const char *method, const char *recipient,
                                     const ProtobufCMessage *body)
{
    struct cl_message message = signing_message();
    struct cl_sealed sealed;
    message.method = method;
    message.recipient = recipient;
    message.body = body;
    assert_int_equal(cl_envelope_seal(&sealed, signing.arena, signing.signers[by], &message).reason, CL_OK);
    return sealed.stored;
}

static void a_kept_rotation_is_judged_again(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum signing_key by;
        const char *method, *recipient;
        enum cl_reason expected;
    } rows[] = {
        {"as it should be", SIGNING_ALPHA_ACTIVE, CL_ROTATE_KEY_METHOD, SIGNING_CENTRE, CL_OK},
        {"signed by a retiring key", SIGNING_ALPHA_RETIRING, CL_ROTATE_KEY_METHOD, SIGNING_CENTRE, CL_OK},
        {"by a retired key", SIGNING_ALPHA_RETIRED, CL_ROTATE_KEY_METHOD, SIGNING_CENTRE, CL_KEY_NOT_VALID},
        {"by a stolen key", SIGNING_ALPHA_COMPROMISED, CL_ROTATE_KEY_METHOD, SIGNING_CENTRE, CL_KEY_NOT_VALID},
        {"by an unknown key", SIGNING_STRANGER, CL_ROTATE_KEY_METHOD, SIGNING_CENTRE, CL_KEY_UNKNOWN},
        {"by another party", SIGNING_BETA_SIGN, CL_ROTATE_KEY_METHOD, SIGNING_CENTRE, CL_KEY_NOT_OWNED},
        {"for another method", SIGNING_ALPHA_ACTIVE, "coloan.v1.Directory/GetKeys", SIGNING_CENTRE, CL_METHOD_WRONG},
        {"to another centre", SIGNING_ALPHA_ACTIVE, CL_ROTATE_KEY_METHOD, "fund:cn-other", CL_RECIPIENT_WRONG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rotation rotation;
        make_rotation(&rotation);
        struct cl_bytes kept = seal_rotation(rows[i].by, rows[i].method, rows[i].recipient, &rotation.body.base);
        struct cl_keydraft draft = follow();
        struct cl_key key;
        struct cl_status status =
            cl_keydraft_take_rotation(&draft, signing.arena, signing.keyring, kept, 14 * SIGNING_DAY_MS, &key);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        assert_int_equal(draft.key_count, signing.key_count + (cl_is_ok(status) ? 1 : 0));
    }
    struct signing_application application;
    struct cl_keydraft draft = follow();
    signing_application(&application, signing.arena);
    struct cl_bytes other =
        seal_rotation(SIGNING_ALPHA_ACTIVE, SIGNING_METHOD, SIGNING_CENTRE, &application.application.base);
    assert_int_equal(cl_keydraft_take_rotation(&draft, signing.arena, signing.keyring, other, 0, NULL).reason,
                     CL_PAYLOAD_TYPE_WRONG);
    assert_int_equal(
        cl_keydraft_take_rotation(&draft, signing.arena, signing.keyring, cl_bytes_text("\n"), 0, NULL).reason,
        CL_WIRE_MALFORMED);
}

/* Covers: COL-KEY-012 */
static void two_signatures_do_not_say_which_key_is_replaced(void **state)
{
    (void)state;
    const struct cl_signer *const signers[] = {signing.signers[SIGNING_ALPHA_ACTIVE],
                                               signing.signers[SIGNING_ALPHA_RETIRING]};
    struct rotation rotation;
    struct cl_message message = signing_message();
    struct cl_sealed sealed;
    struct cl_keydraft draft = follow();
    make_rotation(&rotation);
    message.method = CL_ROTATE_KEY_METHOD;
    message.body = &rotation.body.base;
    assert_int_equal(cl_envelope_seal_many(&sealed, signing.arena, signers, 2, &message).reason, CL_OK);
    assert_int_equal(cl_keydraft_take_rotation(&draft, signing.arena, signing.keyring, sealed.stored, 0, NULL).reason,
                     CL_SIGNATURE_COUNT);
}

/* -- The limit ----------------------------------------------------------------------------------------------- */

/* As many keys as the contract allows, with the longest names there can be, travel in one answer. */
static void the_largest_directory_fits_into_an_answer(void **state)
{
    (void)state;
    char environment[CL_ENVIRONMENT_BYTES_MAX + 1] = "conf/";
    char centre[CL_PARTY_BYTES_MAX + 1] = "fund:";
    struct cl_signer *issuer = NULL;
    uint8_t seed[CL_KEY_SEED_BYTES] = {1};
    struct cl_keydraft draft;
    struct cl_arena *arena = NULL;
    memset(environment + 5, 'a', CL_ENVIRONMENT_BYTES_MAX - 5);
    memset(centre + 5, 'c', CL_PARTY_BYTES_MAX - 5);
    assert_int_equal(cl_arena_create(&arena, 16 * 1024 * 1024).reason, CL_OK);
    assert_int_equal(cl_signer_from_seed(&issuer, seed, centre).reason, CL_OK);
    assert_int_equal(cl_keydraft_begin(&draft, arena, centre, environment, UINT64_MAX >> 1).reason, CL_OK);
    for (int i = 0; i < CL_KEYS_MAX; i++) {
        struct cl_signer *signer = NULL;
        struct cl_key key;
        seed[1] = (uint8_t)(i & 0xff);
        seed[2] = (uint8_t)(1 + (i >> 8));
        assert_int_equal(cl_signer_from_seed(&signer, seed, centre).reason, CL_OK);
        cl_key_describe(&key, signer, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, environment, INT64_MAX - 1, INT64_MAX);
        assert_int_equal(cl_keydraft_add(&draft, &key).reason, CL_OK);
        cl_signer_free(signer);
    }
    struct cl_bytes bytes;
    struct cl_sealed sealed;
    Coloan__V1__KeysAnswer answer = COLOAN__V1__KEYS_ANSWER__INIT;
    assert_int_equal(cl_keydraft_issue(&bytes, arena, &draft, issuer, SIGNING_NOW_MS, signing_random()).reason, CL_OK);
    struct cl_directory_trust trust = {
        .public_key = *cl_signer_public_key(issuer), .centre = centre, .environment = environment};
    struct cl_keyring *keyring = NULL;
    assert_int_equal(cl_keyring_load(&keyring, bytes, &trust, NULL).reason, CL_OK);
    cl_keyring_unref(keyring);
    struct cl_digest digest = {{0}};
    struct cl_message message = signing_message();
    message.environment = environment;
    message.recipient = centre;
    message.direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY;
    message.in_reply_to = &digest;
    answer.number = draft.number;
    answer.directory.len = bytes.len;
    answer.directory.data = cl_arena_copy(arena, bytes);
    message.body = &answer.base;
    assert_int_equal(cl_envelope_seal(&sealed, arena, issuer, &message).reason, CL_OK);
    cl_signer_free(issuer);
    cl_arena_free(arena);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_rotation_retires_the_old_key),
        ONE(an_end_never_moves_away),
        ONE(what_is_added_is_registered),
        ONE(ended_keys_verify_what_was_made_before),
        ONE(a_kept_message_outlives_its_key),
        ONE(ending_twice_is_refused),
        ONE(time_retires_keys),
        ONE(a_rotation_is_read_strictly),
        ONE(a_kept_rotation_is_judged_again),
        ONE(two_signatures_do_not_say_which_key_is_replaced),
        ONE(the_largest_directory_fits_into_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
