/* testee: what libcoloan answers to coloan-conform, question by question (interop/conform/proto). A partner in C can put
 * this very program to the suite; a partner in another language reads here what a testee does. */
#include <coloan/conform/v1/testee.pb-c.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/envelope.h"
#include "libcoloan/keyring.h"
#include "libcoloan/personal.h"
#include "libcoloan/signer.h"

enum { ARENA_BYTES = 64 * 1024 * 1024, QUESTION_BYTES_MAX = 1024 * 1024, LENGTH_BYTES = 4 };

/* An answer, and what its fields point to. */
struct answering {
    Coloan__Conform__V1__Answer answer;
    Coloan__Conform__V1__Signed signed_;
    Coloan__Conform__V1__Opened opened;
    struct cl_digest digest;
    struct cl_uuid message_id;
    struct cl_signature signature;
    struct cl_public_key public_key;
    struct cl_keyid key_id;
};

static struct cl_bytes bytes_of(ProtobufCBinaryData data)
{
    return cl_bytes(data.data, data.len);
}

static ProtobufCBinaryData data_of(const void *data, size_t len)
{
    union {
        const void *in;
        uint8_t *out; /* protobuf-c only reads it */
    } cast = {.in = data};
    return (ProtobufCBinaryData){.data = cast.out, .len = len};
}

static bool take_fixed(uint8_t *out, size_t len, ProtobufCBinaryData data)
{
    if (data.len != len) {
        return false;
    }
    memcpy(out, data.data, len);
    return true;
}

static void say(struct answering *out, struct cl_status status)
{
    union {
        const char *in;
        char *out;
    } cast = {.in = cl_status_name(status)};
    out->answer.what_case = COLOAN__CONFORM__V1__ANSWER__WHAT_REASON;
    out->answer.reason = cast.out;
}

/* -- Making --------------------------------------------------------------------------------------------------- */

static bool answer_sign(struct answering *out, struct cl_arena *arena, const Coloan__Conform__V1__Sign *ask)
{
    struct cl_signer *signer = NULL;
    struct cl_bytes pae;
    if (ask->seed.len != CL_KEY_SEED_BYTES || cl_failed(cl_signer_from_seed(&signer, ask->seed.data, "bank:testee"))) {
        return false;
    }
    bool made = cl_is_ok(cl_dsse_pae(&pae, arena, ask->payload_type, bytes_of(ask->payload)));
    if (made) {
        cl_dsse_digest(&out->digest, ask->payload_type, bytes_of(ask->payload));
        cl_sign(&out->signature, signer, pae);
        out->public_key = *cl_signer_public_key(signer);
        coloan__conform__v1__signed__init(&out->signed_);
        out->signed_.pae = data_of(pae.data, pae.len);
        out->signed_.digest = data_of(out->digest.bytes, CL_DIGEST_BYTES);
        out->signed_.public_key = data_of(out->public_key.bytes, CL_PUBLIC_KEY_BYTES);
        out->signed_.signature = data_of(out->signature.bytes, CL_SIGNATURE_BYTES);
        out->answer.what_case = COLOAN__CONFORM__V1__ANSWER__WHAT_SIGNED;
        out->answer.signed_ = &out->signed_;
    }
    cl_signer_free(signer);
    return made;
}

static void answer_name(struct answering *out, const Coloan__Conform__V1__NameKey *ask)
{
    cl_keyid(&out->key_id, (enum cl_key_algorithm)ask->algorithm, bytes_of(ask->public_key));
    out->answer.what_case = COLOAN__CONFORM__V1__ANSWER__WHAT_KEY_ID;
    out->answer.key_id = out->key_id.text;
}

static void answer_commit(struct answering *out, const Coloan__Conform__V1__Commit *ask)
{
    cl_commitment(&out->digest, ask->path, bytes_of(ask->salt), bytes_of(ask->value));
    out->answer.what_case = COLOAN__CONFORM__V1__ANSWER__WHAT_COMMITMENT;
    out->answer.commitment = data_of(out->digest.bytes, CL_DIGEST_BYTES);
}

/* -- Judging -------------------------------------------------------------------------------------------------- */

static bool judge_possession(struct answering *out, const Coloan__Conform__V1__JudgePossession *ask)
{
    struct cl_public_key key;
    struct cl_signature proof;
    if (!take_fixed(key.bytes, sizeof key.bytes, ask->public_key) ||
        !take_fixed(proof.bytes, sizeof proof.bytes, ask->possession)) {
        return false;
    }
    bool holds = cl_possession_verify(&proof, &key, ask->party, ask->environment);
    say(out, holds ? cl_ok() : cl_fail(CL_KEY_POSSESSION));
    return true;
}

static bool judge_signature(struct answering *out, const Coloan__Conform__V1__JudgeSignature *ask)
{
    struct cl_public_key key;
    struct cl_signature signature;
    if (!take_fixed(key.bytes, sizeof key.bytes, ask->public_key) ||
        !take_fixed(signature.bytes, sizeof signature.bytes, ask->signature)) {
        return false;
    }
    bool holds = cl_signature_verify(&signature, &key, bytes_of(ask->message));
    say(out, holds ? cl_ok() : cl_fail(CL_SIGNATURE_INVALID));
    return true;
}

static bool take_trust(struct cl_directory_trust *out, const Coloan__Conform__V1__Trust *trust)
{
    if (trust == NULL) {
        return false;
    }
    *out = (struct cl_directory_trust){.centre = trust->centre, .environment = trust->environment};
    return take_fixed(out->public_key.bytes, sizeof out->public_key.bytes, trust->directory_key);
}

/* A directory that verifies is held or not by its number alone. */
static bool judge_directory(struct answering *out, const Coloan__Conform__V1__JudgeDirectory *ask)
{
    struct cl_directory_trust trust;
    struct cl_keyring *keyring = NULL;
    if (!take_trust(&trust, ask->trust)) {
        return false;
    }
    struct cl_status status = cl_keyring_load(&keyring, bytes_of(ask->directory), &trust, NULL);
    if (cl_is_ok(status) && cl_keyring_number(keyring) <= ask->held_number) {
        status = cl_fail(CL_SEQUENCE_WRONG);
    }
    cl_keyring_unref(keyring);
    say(out, status);
    return true;
}

static bool take_body(struct cl_expected_body *out, const Coloan__Conform__V1__JudgeEnvelope *ask)
{
    static const ProtobufCMessageDescriptor *const types[] = {&coloan__v1__application__descriptor,
                                                              &coloan__v1__bank_decision__descriptor};
    *out = (struct cl_expected_body){.type = NULL};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        out->type = strcmp(types[i]->short_name, ask->body_type) == 0 ? types[i] : out->type;
    }
    out->direction = strcmp(ask->direction, "REQUEST") == 0 ? COLOAN__V1__DIRECTION__DIRECTION_REQUEST
                                                            : COLOAN__V1__DIRECTION__DIRECTION_REPLY;
    return out->type != NULL && (strcmp(ask->direction, "REQUEST") == 0 || strcmp(ask->direction, "REPLY") == 0);
}

/* Steps 1 to 8, 10, 11 and the disclosures. */
static struct cl_status open_envelope(struct cl_opened *out, struct cl_arena *arena, struct cl_bytes envelope,
                                      const struct cl_expectation *expected)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    ProtobufCMessage *body = NULL;
    size_t count = 0;
    struct cl_status status = cl_envelope_open(out, arena, envelope, expected);
    if (cl_is_ok(status)) {
        status = cl_header_check_time(out->header, expected->now_ms);
    }
    if (cl_is_ok(status)) {
        status = cl_opened_body(&body, arena, out);
    }
    if (cl_is_ok(status)) {
        status = cl_personal_fields(fields, &count, body);
    }
    if (cl_is_ok(status)) {
        status = cl_disclosure_check(fields, count, out->disclosures, out->disclosure_count);
    }
    return status;
}

static struct cl_status tell_opened(struct answering *out, struct cl_arena *arena, const struct cl_opened *opened)
{
    struct cl_bytes stored;
    struct cl_status status = cl_opened_stored(&stored, arena, opened);
    if (cl_failed(status)) {
        return status;
    }
    out->digest = opened->digest;
    out->message_id = opened->message_id;
    coloan__conform__v1__opened__init(&out->opened);
    out->opened.digest = data_of(out->digest.bytes, CL_DIGEST_BYTES);
    out->opened.message_id = data_of(out->message_id.bytes, CL_UUID_BYTES);
    out->opened.stored = data_of(stored.data, stored.len);
    out->answer.what_case = COLOAN__CONFORM__V1__ANSWER__WHAT_OPENED;
    out->answer.opened = &out->opened;
    return cl_ok();
}

static bool judge_envelope(struct answering *out, struct cl_arena *arena, const Coloan__Conform__V1__JudgeEnvelope *ask)
{
    struct cl_directory_trust trust;
    struct cl_expected_body body;
    struct cl_keyring *keyring = NULL;
    struct cl_opened opened;
    if (!take_trust(&trust, ask->trust) || !take_body(&body, ask) ||
        cl_failed(cl_keyring_load(&keyring, bytes_of(ask->directory), &trust, NULL))) {
        return false;
    }
    struct cl_expectation expected = {.keyring = keyring,
                                      .environment = ask->environment,
                                      .sender = ask->sender,
                                      .recipient = ask->recipient,
                                      .method = ask->method,
                                      .bodies = &body,
                                      .body_count = 1,
                                      .now_ms = ask->now_ms,
                                      .batch = ask->batch != 0};
    struct cl_status status = open_envelope(&opened, arena, bytes_of(ask->envelope), &expected);
    if (cl_is_ok(status)) {
        status = tell_opened(out, arena, &opened);
    }
    if (cl_failed(status)) {
        say(out, status);
    }
    cl_keyring_unref(keyring);
    return true;
}

/* -- The pipe ------------------------------------------------------------------------------------------------- */

/* False: the question is not one that can be answered. */
static bool answer(struct answering *out, struct cl_arena *arena, const Coloan__Conform__V1__Question *question)
{
    coloan__conform__v1__answer__init(&out->answer);
    out->answer.number = question->number;
    switch (question->ask_case) {
    case COLOAN__CONFORM__V1__QUESTION__ASK_SIGN:
        return answer_sign(out, arena, question->sign);
    case COLOAN__CONFORM__V1__QUESTION__ASK_NAME_KEY:
        answer_name(out, question->name_key);
        return true;
    case COLOAN__CONFORM__V1__QUESTION__ASK_COMMIT:
        answer_commit(out, question->commit);
        return true;
    case COLOAN__CONFORM__V1__QUESTION__ASK_JUDGE_POSSESSION:
        return judge_possession(out, question->judge_possession);
    case COLOAN__CONFORM__V1__QUESTION__ASK_JUDGE_SIGNATURE:
        return judge_signature(out, question->judge_signature);
    case COLOAN__CONFORM__V1__QUESTION__ASK_JUDGE_DIRECTORY:
        return judge_directory(out, question->judge_directory);
    case COLOAN__CONFORM__V1__QUESTION__ASK_JUDGE_ENVELOPE:
        return judge_envelope(out, arena, question->judge_envelope);
    case COLOAN__CONFORM__V1__QUESTION__ASK__NOT_SET:
    default:
        out->answer.what_case = COLOAN__CONFORM__V1__ANSWER__WHAT_NOT_IMPLEMENTED;
        out->answer.not_implemented = 1;
        return true;
    }
}

static bool read_question(Coloan__Conform__V1__Question **out, uint8_t *bytes)
{
    uint8_t length[LENGTH_BYTES];
    if (fread(length, 1, sizeof length, stdin) != sizeof length) {
        return false; /* no more of them */
    }
    size_t len = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
    if (len > QUESTION_BYTES_MAX || fread(bytes, 1, len, stdin) != len) {
        return false;
    }
    *out = coloan__conform__v1__question__unpack(NULL, len, bytes);
    return *out != NULL;
}

static bool write_answer(const Coloan__Conform__V1__Answer *answer, uint8_t *bytes)
{
    size_t len = coloan__conform__v1__answer__pack(answer, bytes + LENGTH_BYTES);
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        bytes[i] = (uint8_t)(len >> (8 * (LENGTH_BYTES - 1 - i)));
    }
    return fwrite(bytes, 1, LENGTH_BYTES + len, stdout) == LENGTH_BYTES + len && fflush(stdout) == 0;
}

int main(void)
{
    static uint8_t bytes[LENGTH_BYTES + QUESTION_BYTES_MAX];
    struct cl_arena *arena = NULL;
    Coloan__Conform__V1__Question *question = NULL;
    bool done = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    while (done && read_question(&question, bytes)) {
        struct answering answering;
        cl_arena_reset(arena);
        done = answer(&answering, arena, question) && write_answer(&answering.answer, bytes);
        coloan__conform__v1__question__free_unpacked(question, NULL);
    }
    cl_arena_free(arena);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
