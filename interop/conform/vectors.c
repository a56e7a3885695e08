#include "interop/conform/vectors.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/bytes.h"
#include "libcoloan/clock.h"

enum { FILES_MAX = 16, PATH_BYTES = 4096 };

/* What the fields of a vector are written into. */
struct asked {
    Coloan__Conform__V1__Question question;
    Coloan__Conform__V1__Sign sign;
    Coloan__Conform__V1__NameKey name_key;
    Coloan__Conform__V1__Commit commit;
    Coloan__Conform__V1__JudgePossession possession;
    Coloan__Conform__V1__JudgeSignature signature;
    Coloan__Conform__V1__JudgeDirectory directory;
    Coloan__Conform__V1__JudgeEnvelope envelope;
    Coloan__Conform__V1__Trust trust;
};

/* A kind of vectors: how one is asked, and how the answer is judged. */
struct kind {
    const char *file;
    bool (*ask)(struct asked *out, const struct conform_vectors *vectors, const json_t *vector, struct cl_arena *arena);
    void (*judge)(struct conform_result *out, const json_t *vector, const Coloan__Conform__V1__Answer *answer);
};

struct conform_vectors {
    json_t *parties;
    const struct kind *kinds[FILES_MAX];
    json_t *files[FILES_MAX]; /* the list of cases in each */
    size_t file_count;
};

/* -- Reading a vector ----------------------------------------------------------------------------------------- */

static char *text_of(const json_t *object, const char *name, struct cl_arena *arena)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? NULL : cl_arena_text(arena, text);
}

/* The bytes of a hex text, followed by as many zeros as "zeros_appended" says. */
static bool take_bytes(ProtobufCBinaryData *out, const json_t *object, const char *name, struct cl_arena *arena)
{
    const char *hex = json_string_value(json_object_get(object, name));
    size_t zeros = (size_t)json_integer_value(json_object_get(object, "zeros_appended"));
    size_t len = hex == NULL ? 0 : strlen(hex) / 2;
    uint8_t *bytes = len + zeros == 0 ? NULL : cl_arena_alloc(arena, len + zeros);
    *out = (ProtobufCBinaryData){.data = bytes, .len = len + zeros};
    if (hex == NULL || (len + zeros > 0 && bytes == NULL)) {
        return false;
    }
    return len == 0 || cl_is_ok(cl_hex_decode(bytes, len, hex));
}

static bool take_text(char **out, const json_t *object, const char *name, struct cl_arena *arena)
{
    *out = text_of(object, name, arena);
    return *out != NULL;
}

/* -- Asking --------------------------------------------------------------------------------------------------- */

static bool ask_sign(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                     struct cl_arena *arena)
{
    (void)vectors;
    coloan__conform__v1__sign__init(&out->sign);
    out->question.ask_case = COLOAN__CONFORM__V1__QUESTION__ASK_SIGN;
    out->question.sign = &out->sign;
    return take_text(&out->sign.payload_type, vector, "payload_type", arena) &&
           take_bytes(&out->sign.payload, vector, "payload", arena) &&
           take_bytes(&out->sign.seed, vector, "seed", arena);
}

static bool ask_name(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                     struct cl_arena *arena)
{
    (void)vectors;
    coloan__conform__v1__name_key__init(&out->name_key);
    out->question.ask_case = COLOAN__CONFORM__V1__QUESTION__ASK_NAME_KEY;
    out->question.name_key = &out->name_key;
    out->name_key.algorithm = (uint32_t)json_integer_value(json_object_get(vector, "algorithm"));
    return take_bytes(&out->name_key.public_key, vector, "public_key", arena);
}

static bool ask_commit(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                       struct cl_arena *arena)
{
    (void)vectors;
    coloan__conform__v1__commit__init(&out->commit);
    out->question.ask_case = COLOAN__CONFORM__V1__QUESTION__ASK_COMMIT;
    out->question.commit = &out->commit;
    return take_text(&out->commit.path, vector, "path", arena) &&
           take_bytes(&out->commit.salt, vector, "salt", arena) &&
           take_bytes(&out->commit.value, vector, "value", arena);
}

static bool ask_possession(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                           struct cl_arena *arena)
{
    (void)vectors;
    coloan__conform__v1__judge_possession__init(&out->possession);
    out->question.ask_case = COLOAN__CONFORM__V1__QUESTION__ASK_JUDGE_POSSESSION;
    out->question.judge_possession = &out->possession;
    return take_text(&out->possession.party, vector, "party", arena) &&
           take_text(&out->possession.environment, vector, "environment", arena) &&
           take_bytes(&out->possession.public_key, vector, "public_key", arena) &&
           take_bytes(&out->possession.possession, vector, "possession", arena);
}

static bool ask_signature(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                          struct cl_arena *arena)
{
    (void)vectors;
    coloan__conform__v1__judge_signature__init(&out->signature);
    out->question.ask_case = COLOAN__CONFORM__V1__QUESTION__ASK_JUDGE_SIGNATURE;
    out->question.judge_signature = &out->signature;
    return take_bytes(&out->signature.public_key, vector, "public_key", arena) &&
           take_bytes(&out->signature.message, vector, "message", arena) &&
           take_bytes(&out->signature.signature, vector, "signature", arena);
}

static bool take_trust(struct asked *out, const json_t *parties, struct cl_arena *arena)
{
    coloan__conform__v1__trust__init(&out->trust);
    return take_text(&out->trust.environment, parties, "environment", arena) &&
           take_text(&out->trust.centre, parties, "centre", arena) &&
           take_bytes(&out->trust.directory_key, parties, "directory_key", arena);
}

static bool ask_directory(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                          struct cl_arena *arena)
{
    coloan__conform__v1__judge_directory__init(&out->directory);
    out->question.ask_case = COLOAN__CONFORM__V1__QUESTION__ASK_JUDGE_DIRECTORY;
    out->question.judge_directory = &out->directory;
    out->directory.trust = &out->trust;
    out->directory.held_number = (uint64_t)json_integer_value(json_object_get(vector, "held_number"));
    return take_trust(out, vectors->parties, arena) &&
           take_bytes(&out->directory.directory, vector, "directory", arena);
}

static bool take_envelope(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                          struct cl_arena *arena)
{
    Coloan__Conform__V1__JudgeEnvelope *envelope = &out->envelope;
    coloan__conform__v1__judge_envelope__init(envelope);
    out->question.ask_case = COLOAN__CONFORM__V1__QUESTION__ASK_JUDGE_ENVELOPE;
    out->question.judge_envelope = envelope;
    envelope->trust = &out->trust;
    envelope->now_ms = json_integer_value(json_object_get(vector, "now_ms"));
    return take_trust(out, vectors->parties, arena) &&
           take_bytes(&envelope->directory, vectors->parties, "directory", arena) &&
           take_bytes(&envelope->envelope, vector, "envelope", arena) &&
           take_text(&envelope->sender, vector, "sender", arena) &&
           take_text(&envelope->recipient, vector, "recipient", arena) &&
           take_text(&envelope->environment, vector, "environment", arena) &&
           take_text(&envelope->method, vector, "method", arena) &&
           take_text(&envelope->direction, vector, "direction", arena) &&
           take_text(&envelope->body_type, vector, "body_type", arena);
}

static bool ask_envelope(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                         struct cl_arena *arena)
{
    return take_envelope(out, vectors, vector, arena);
}

static bool ask_batch(struct asked *out, const struct conform_vectors *vectors, const json_t *vector,
                      struct cl_arena *arena)
{
    bool taken = take_envelope(out, vectors, vector, arena);
    out->envelope.batch = true;
    return taken;
}

/* -- Judging -------------------------------------------------------------------------------------------------- */

static void fail(struct conform_result *out, const char *part, const char *expected, const char *actual)
{
    out->outcome = CONFORM_FAIL;
    out->part = part;
    (void)snprintf(out->expected, sizeof out->expected, "%s", expected);
    (void)snprintf(out->actual, sizeof out->actual, "%s", actual);
}

/* As many hex digits as fit, from a little before the first difference. */
static void show(char out[CONFORM_SEEN_BYTES], struct cl_bytes bytes, size_t from)
{
    static const char more[] = "...";
    size_t room = (CONFORM_SEEN_BYTES - 2 * sizeof more) / 2;
    size_t len = bytes.len - from < room ? bytes.len - from : room;
    char hex[CONFORM_SEEN_BYTES] = "";
    cl_hex_encode(hex, cl_bytes(bytes.data + from, len));
    (void)snprintf(out, CONFORM_SEEN_BYTES, "%s%s%s", from > 0 ? more : "", hex, from + len < bytes.len ? more : "");
}

static void compare(struct conform_result *out, const char *part, const json_t *vector, const char *name,
                    struct cl_bytes actual)
{
    enum { BEFORE = 8 };
    uint8_t bytes[4096];
    const char *hex = json_string_value(json_object_get(vector, name));
    size_t len = hex == NULL ? 0 : strlen(hex) / 2;
    if (out->outcome != CONFORM_PASS || hex == NULL || len > sizeof bytes) {
        return;
    }
    assert(cl_is_ok(cl_hex_decode(bytes, len, hex)));
    struct cl_bytes expected = cl_bytes(bytes, len);
    if (cl_bytes_equal(expected, actual)) {
        return;
    }
    size_t at = 0;
    while (at < expected.len && at < actual.len && expected.data[at] == actual.data[at]) {
        at++;
    }
    size_t from = at > BEFORE ? at - BEFORE : 0;
    out->outcome = CONFORM_FAIL;
    out->part = part;
    out->differs_at = (int64_t)at;
    show(out->expected, expected, from);
    show(out->actual, actual, from);
}

static struct cl_bytes bytes_of(ProtobufCBinaryData data)
{
    return cl_bytes(data.data, data.len);
}

static const char *what_it_answered(const Coloan__Conform__V1__Answer *answer)
{
    switch (answer->what_case) {
    case COLOAN__CONFORM__V1__ANSWER__WHAT_REASON:
        return answer->reason;
    case COLOAN__CONFORM__V1__ANSWER__WHAT_OPENED:
        return "an opened envelope";
    case COLOAN__CONFORM__V1__ANSWER__WHAT_SIGNED:
        return "what was signed";
    case COLOAN__CONFORM__V1__ANSWER__WHAT_KEY_ID:
        return "a key id";
    case COLOAN__CONFORM__V1__ANSWER__WHAT_COMMITMENT:
        return "a commitment";
    case COLOAN__CONFORM__V1__ANSWER__WHAT_NOT_IMPLEMENTED:
        return "that it is not implemented";
    case COLOAN__CONFORM__V1__ANSWER__WHAT__NOT_SET:
        break;
    default:
        break;
    }
    return "nothing";
}

static void judge_signed(struct conform_result *out, const json_t *vector, const Coloan__Conform__V1__Answer *answer)
{
    if (answer->what_case != COLOAN__CONFORM__V1__ANSWER__WHAT_SIGNED) {
        fail(out, "", "what was signed", what_it_answered(answer));
        return;
    }
    compare(out, "pae", vector, "pae", bytes_of(answer->signed_->pae));
    compare(out, "digest", vector, "digest", bytes_of(answer->signed_->digest));
    compare(out, "public_key", vector, "public_key", bytes_of(answer->signed_->public_key));
    compare(out, "signature", vector, "signature", bytes_of(answer->signed_->signature));
}

static void judge_text(struct conform_result *out, const char *expected, const char *actual)
{
    if (strcmp(expected, actual) != 0) {
        fail(out, "", expected, actual);
    }
}

static void judge_key_id(struct conform_result *out, const json_t *vector, const Coloan__Conform__V1__Answer *answer)
{
    bool named = answer->what_case == COLOAN__CONFORM__V1__ANSWER__WHAT_KEY_ID;
    judge_text(out, json_string_value(json_object_get(vector, "keyid")),
               named ? answer->key_id : what_it_answered(answer));
}

static void judge_commitment(struct conform_result *out, const json_t *vector,
                             const Coloan__Conform__V1__Answer *answer)
{
    if (answer->what_case != COLOAN__CONFORM__V1__ANSWER__WHAT_COMMITMENT) {
        fail(out, "", "a commitment", what_it_answered(answer));
        return;
    }
    compare(out, "commitment", vector, "commitment", bytes_of(answer->commitment));
}

static void judge_reason(struct conform_result *out, const json_t *vector, const Coloan__Conform__V1__Answer *answer)
{
    judge_text(out, json_string_value(json_object_get(vector, "expect")), what_it_answered(answer));
}

/* That an envelope is accepted is said by what was in it. */
static void judge_envelope(struct conform_result *out, const json_t *vector, const Coloan__Conform__V1__Answer *answer)
{
    bool accepts = strcmp(json_string_value(json_object_get(vector, "expect")), "OK") == 0;
    bool opened = answer->what_case == COLOAN__CONFORM__V1__ANSWER__WHAT_OPENED;
    if (!accepts || !opened) {
        judge_text(out, accepts ? "an opened envelope" : json_string_value(json_object_get(vector, "expect")),
                   what_it_answered(answer));
        return;
    }
    compare(out, "digest", vector, "digest", bytes_of(answer->opened->digest));
    compare(out, "message_id", vector, "message_id", bytes_of(answer->opened->message_id));
    compare(out, "stored", vector, "stored", bytes_of(answer->opened->stored));
}

static const struct kind kinds[] = {
    {"pae.json", ask_sign, judge_signed},
    {"keyid.json", ask_name, judge_key_id},
    {"commitment.json", ask_commit, judge_commitment},
    {"possession.json", ask_possession, judge_reason},
    {"signature.json", ask_signature, judge_reason},
    {"directory.json", ask_directory, judge_reason},
    {"envelope.json", ask_envelope, judge_envelope},
    {"batch.json", ask_batch, judge_envelope},
};

/* -- The folder ----------------------------------------------------------------------------------------------- */

static struct cl_status refuse(struct cl_setting_error *error, const char *what, const char *detail)
{
    (void)snprintf(error->text, sizeof error->text,
                   "%.250s: %.150s. Name the folder of the golden vectors with --vectors.", what, detail);
    return cl_fail(CL_CONFIG_INVALID);
}

static struct cl_status load_json(json_t **out, const char *folder, const char *name, struct cl_setting_error *error)
{
    char path[PATH_BYTES];
    json_error_t problem;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    *out = json_load_file(path, 0, &problem);
    return *out == NULL ? refuse(error, path, problem.text) : cl_ok();
}

/* The place of the file among those loaded; file_count: it is none of them. */
static size_t find_file(const struct conform_vectors *vectors, const char *name)
{
    size_t i = 0;
    while (i < vectors->file_count && strcmp(vectors->kinds[i]->file, name) != 0) {
        i++;
    }
    return i;
}

static struct cl_status load_file(struct conform_vectors *vectors, const char *folder, const char *name,
                                  struct cl_setting_error *error)
{
    json_t *root = NULL;
    const struct kind *kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        kind = strcmp(kinds[i].file, name) == 0 ? &kinds[i] : kind;
    }
    if (kind == NULL) {
        return refuse(error, name, "this program knows no such vectors");
    }
    struct cl_status status = load_json(&root, folder, name, error);
    if (cl_failed(status)) {
        return status;
    }
    vectors->kinds[vectors->file_count] = kind;
    vectors->files[vectors->file_count] = json_incref(json_object_get(root, "cases"));
    vectors->file_count += vectors->files[vectors->file_count] == NULL ? 0 : 1;
    json_decref(root);
    return cl_ok();
}

static struct cl_status check_case(const struct conform_vectors *vectors, const struct conform_case *one,
                                   struct cl_setting_error *error)
{
    size_t file = find_file(vectors, one->vectors);
    const json_t *vector = file == vectors->file_count ? NULL : json_array_get(vectors->files[file], one->at);
    const char *name = json_string_value(json_object_get(vector, "name"));
    return name == NULL || strcmp(name, one->vector) != 0
               ? refuse(error, one->id, "its vector is not at that place: the folder belongs to other cases")
               : cl_ok();
}

struct cl_status conform_vectors_load(struct conform_vectors **out, const char *folder,
                                      const struct conform_suite *suite, struct cl_setting_error *error)
{
    struct conform_vectors *vectors = calloc(1, sizeof *vectors);
    error->text[0] = '\0';
    if (vectors == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = load_json(&vectors->parties, folder, "parties.json", error);
    for (size_t i = 0; cl_is_ok(status) && i < conform_suite_count(suite); i++) {
        const struct conform_case *one = conform_suite_case(suite, i);
        if (find_file(vectors, one->vectors) == vectors->file_count) {
            status = vectors->file_count == FILES_MAX ? cl_fail(CL_MEMORY_LIMIT)
                                                      : load_file(vectors, folder, one->vectors, error);
        }
        if (cl_is_ok(status)) {
            status = check_case(vectors, one, error);
        }
    }
    if (cl_failed(status)) {
        conform_vectors_free(vectors);
        return status;
    }
    *out = vectors;
    return cl_ok();
}

void conform_vectors_free(struct conform_vectors *vectors)
{
    if (vectors == NULL) {
        return;
    }
    for (size_t i = 0; i < vectors->file_count; i++) {
        json_decref(vectors->files[i]);
    }
    json_decref(vectors->parties);
    free(vectors);
}

/* -- A case --------------------------------------------------------------------------------------------------- */

static void judge(struct conform_result *out, enum conform_heard heard, const struct kind *kind, const json_t *vector,
                  const Coloan__Conform__V1__Answer *answer, const char *trouble)
{
    if (heard == CONFORM_TROUBLED) {
        fail(out, "", "an answer", trouble);
    } else if (heard == CONFORM_NO_TESTEE) {
        out->outcome = CONFORM_CONFIG_ERROR;
        (void)snprintf(out->cause, sizeof out->cause, "%s. Try the command by itself.", trouble);
    } else if (heard == CONFORM_UNKNOWN_HERE ||
               answer->what_case == COLOAN__CONFORM__V1__ANSWER__WHAT_NOT_IMPLEMENTED) {
        out->outcome = CONFORM_UNSUPPORTED;
    } else {
        kind->judge(out, vector, answer);
    }
}

void conform_vectors_run(struct conform_result *out, struct conform_vectors *vectors, const struct conform_case *one,
                         struct conform_testee *testee, struct cl_arena *arena)
{
    struct asked asked;
    char trouble[CONFORM_TROUBLE_BYTES] = "";
    const Coloan__Conform__V1__Answer *answer = NULL;
    size_t file = find_file(vectors, one->vectors);
    const json_t *vector = json_array_get(vectors->files[file], one->at);
    *out = (struct conform_result){.one = one, .outcome = CONFORM_PASS, .part = "", .differs_at = -1};
    cl_arena_reset(arena);
    coloan__conform__v1__question__init(&asked.question);
    if (!vectors->kinds[file]->ask(&asked, vectors, vector, arena)) {
        out->outcome = CONFORM_HARNESS_ERROR;
        (void)snprintf(out->cause, sizeof out->cause, "The vector lacks a field, or there is no memory for it.");
        return;
    }
    int64_t began_us = cl_monotonic_us();
    enum conform_heard heard = conform_testee_ask(&answer, testee, arena, &asked.question, trouble);
    out->took_us = cl_monotonic_us() - began_us;
    judge(out, heard, vectors->kinds[file], vector, answer, trouble);
    if (out->outcome == CONFORM_FAIL && one->level == CONFORM_SHOULD) {
        out->outcome = CONFORM_WARN;
    }
}
