/* What a centre must not take, sent for real over mutual TLS: each gets the reason of its check, signed by the centre as
 * soon as the sender is proven, and leaves no trace in the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/verification.pb-c.h>

#include "libcoloan/dsse.h"
#include "libcoloan/personal.h"
#include "libcoloan/rpc.h"
#include "server/store/sql.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 4 * 1024 * 1024, CALL_MS = 10000 };

#define SUBMIT "coloan.v1.JointApproval/SubmitApplication"
#define LIST   "coloan.v1.JointApproval/ListApplications"

static struct world world;
static struct cl_rpc_client *alpha, *beta; /* raw: bytes as they are */
static struct cl_arena *arena;

/* -- Sending ------------------------------------------------------------------------------------------------- */

static struct cl_rpc_client *raw_client(const char *certificate)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.pem", certificate);
    char *ca = pki_files_text(&world.files, "ca.pem");
    char *cert = pki_files_text(&world.files, name);
    (void)snprintf(name, sizeof name, "%s.key", certificate);
    char *key = pki_files_text(&world.files, name);
    struct cl_rpc_client_options options = {
        .target = world_target(&world), .ca_pem = ca, .cert_pem = cert, .key_pem = key, .server_name = "localhost"};
    struct cl_rpc_client *client = NULL;
    assert_true(cl_is_ok(cl_rpc_client_create(&client, &options)));
    free(ca);
    free(cert);
    free(key);
    return client;
}

struct outcome {
    struct cl_status status; /* OK, or the reason that came back */
    bool is_signed;          /* the refusal, by the centre, about the very bytes that were sent */
    char field[CL_REFUSAL_FIELD_BYTES_MAX];
    struct cl_bytes reply; /* in the arena */
};

static bool signed_by_centre(struct cl_bytes envelope, struct cl_bytes sent)
{
    struct cl_opened refusal;
    Coloan__V1__Envelope *request = NULL;
    if (envelope.len == 0 || cl_failed(cl_envelope_verify(&refusal, arena, envelope, world.keyring)) ||
        cl_failed(cl_dsse_read(&request, arena, sent))) {
        return false;
    }
    struct cl_digest digest;
    cl_dsse_digest(&digest, request->payload_type, cl_bytes(request->payload.data, request->payload.len));
    return refusal.header->direction == COLOAN__V1__DIRECTION__DIRECTION_REFUSAL &&
           strcmp(refusal.header->sender, WORLD_CENTRE) == 0 &&
           cl_bytes_equal(cl_bytes(refusal.header->in_reply_to.data, refusal.header->in_reply_to.len),
                          cl_bytes(digest.bytes, sizeof digest.bytes));
}

static struct outcome send_bytes(struct cl_rpc_client *client, const char *method, struct cl_bytes bytes)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/%s", method);
    struct cl_rpc_result result;
    struct outcome outcome = {.status = cl_rpc_client_call(client, path, bytes, CALL_MS, &result)};
    if (cl_is_ok(outcome.status) && result.code == CL_GRPC_OK) {
        outcome.reply =
            cl_bytes(cl_arena_copy(arena, cl_bytes(result.message.data, result.message.len)), result.message.len);
    } else if (result.details.len > 0) {
        struct cl_refusal_read refusal;
        assert_true(cl_is_ok(cl_refusal_read(&refusal, cl_bytes(result.details.data, result.details.len))));
        outcome.status = refusal.status;
        outcome.is_signed = signed_by_centre(refusal.envelope, bytes);
        memcpy(outcome.field, refusal.field, sizeof outcome.field);
    }
    cl_rpc_result_free(&result);
    return outcome;
}

/* -- Making -------------------------------------------------------------------------------------------------- */

/* A good ListApplications request of alpha's, to be spoilt. */
struct attempt {
    struct cl_message message;
    Coloan__V1__ApplicationListQuery query;
    enum world_key key;
    struct cl_rpc_client *client;
    const char *method; /* the RPC called */
    bool raw;           /* `bytes` are sent as they are */
    struct cl_bytes bytes;
};

static void make(struct attempt *out)
{
    int64_t now_ms = world_now_ms(&world);
    *out = (struct attempt){.key = WORLD_KEY_ALPHA, .client = alpha, .method = LIST};
    coloan__v1__application_list_query__init(&out->query);
    out->message = (struct cl_message){
        .environment = "test",
        .recipient = WORLD_CENTRE,
        .method = LIST,
        .direction = COLOAN__V1__DIRECTION__DIRECTION_REQUEST,
        .created_ms = now_ms,
        .expires_ms = now_ms + 60000,
        .body = &out->query.base,
    };
    cl_uuid7_make(&out->message.message_id, now_ms, cl_random_system());
}

static struct cl_bytes seal(const struct attempt *attempt)
{
    struct cl_sealed sealed;
    struct cl_status status = cl_envelope_seal(&sealed, arena, world.signers[attempt->key], &attempt->message);
    assert_string_equal(cl_status_name(status), "OK");
    return sealed.envelope;
}

static uint8_t *copy_sealed(struct attempt *attempt, size_t more)
{
    struct cl_bytes sealed = seal(attempt);
    uint8_t *copy = cl_arena_alloc(arena, sealed.len + more);
    assert_non_null(copy);
    memcpy(copy, sealed.data, sealed.len);
    attempt->raw = true;
    attempt->bytes = cl_bytes(copy, sealed.len + more);
    return copy;
}

static void nothing(struct attempt *attempt)
{
    (void)attempt;
}

static void empty(struct attempt *attempt)
{
    attempt->raw = true;
    attempt->bytes = cl_bytes("", 0);
}

static void oversize(struct attempt *attempt)
{
    attempt->raw = true;
    attempt->bytes = cl_bytes(cl_arena_alloc(arena, CL_MESSAGE_BYTES_MAX + 1), CL_MESSAGE_BYTES_MAX + 1);
}

static void garbage(struct attempt *attempt)
{
    attempt->raw = true;
    attempt->bytes = cl_bytes("\x0a\xff\xff\xff", 4);
}

static void unknown_field(struct attempt *attempt)
{
    uint8_t *copy = copy_sealed(attempt, 2);
    copy[attempt->bytes.len - 2] = 0x78; /* field 15, a number */
    copy[attempt->bytes.len - 1] = 1;
}

static void flipped_payload(struct attempt *attempt)
{
    uint8_t *copy = copy_sealed(attempt, 0);
    copy[40] ^= 1;
}

static void flipped_signature(struct attempt *attempt)
{
    uint8_t *copy = copy_sealed(attempt, 0);
    static const uint8_t start_of_signature[] = {0x0a, 0x40};
    uint8_t *found = memmem(copy, attempt->bytes.len, start_of_signature, sizeof start_of_signature);
    assert_non_null(found);
    found[10] ^= 1;
}

static void other_certificate(struct attempt *attempt)
{
    attempt->client = beta;
}

static void other_key(struct attempt *attempt)
{
    attempt->key = WORLD_KEY_BETA;
}

static void centres_key(struct attempt *attempt)
{
    attempt->key = WORLD_KEY_CENTRE;
}

static void wrong_type(struct attempt *attempt)
{
    static Coloan__V1__KeysQuery query = COLOAN__V1__KEYS_QUERY__INIT;
    attempt->message.body = &query.base;
}

static void wrong_environment(struct attempt *attempt)
{
    attempt->message.environment = "prod";
}

static void wrong_recipient(struct attempt *attempt)
{
    attempt->message.recipient = "fund:cn-other";
}

static void wrong_method(struct attempt *attempt)
{
    attempt->message.method = SUBMIT;
}

static void wrong_direction(struct attempt *attempt)
{
    attempt->message.direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT;
    attempt->message.expires_ms = 0;
    attempt->message.sequence = 1;
}

static void random_id(struct attempt *attempt)
{
    memset(attempt->message.message_id.bytes, 0x42, sizeof attempt->message.message_id.bytes);
}

static void expired(struct attempt *attempt)
{
    attempt->message.created_ms -= 120000;
    attempt->message.expires_ms = attempt->message.created_ms + 60000;
}

static void from_the_future(struct attempt *attempt)
{
    attempt->message.created_ms += 60000;
    attempt->message.expires_ms += 60000;
}

static void for_ever(struct attempt *attempt)
{
    attempt->message.expires_ms = attempt->message.created_ms + INT64_C(86400000);
}

static void page_too_large(struct attempt *attempt)
{
    attempt->query.page_size = 101;
}

static void broken_token(struct attempt *attempt)
{
    attempt->query.page_token = cl_arena_text(arena, "12/34");
}

static void names_no_application(struct attempt *attempt)
{
    static Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    attempt->method = "coloan.v1.JointApproval/ReportBankDecision";
    attempt->message.method = attempt->method;
    attempt->message.body = &decision.base;
}

static void unknown_application(struct attempt *attempt)
{
    names_no_application(attempt);
    attempt->message.application_id = "01970000-0000-7000-8000-000000000000";
}

static void unknown_rpc(struct attempt *attempt)
{
    attempt->method = "coloan.v1.JointApproval/Approve";
}

static void nearly_the_rpc(struct attempt *attempt)
{
    attempt->method = "/coloan.v1.JointApproval/ListApplications"; /* two slashes in front */
}

static int64_t rows_of(const char *query)
{
    struct sql_health health = {0};
    struct sql *sql = NULL;
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_true(cl_is_ok(sql_open(&sql, world_database(&world), SQL_READ, &health)));
    assert_true(cl_is_ok(sql_prepare(&statement, sql, query)));
    assert_true(cl_is_ok(sql_step(&row, statement)) && row);
    int64_t count = sql_column_i64(statement, 0);
    sql_finish(statement);
    sql_close(sql);
    return count;
}

static int64_t messages_kept(void)
{
    return rows_of("SELECT count(*) FROM messages");
}

/* Covers: COL-ERR-001, COL-ERR-005, COL-CHK-003, COL-CHK-004, COL-ENV-008, COL-HDR-003, COL-HDR-005, COL-HDR-006,
 *         COL-HDR-007, COL-HDR-010, COL-TIM-001, COL-TIM-002, COL-TIM-003, COL-RPC-005 */
static void test_each_spoilt_message_gets_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*spoil)(struct attempt *attempt);
        enum cl_reason reason;
        bool is_signed;
    } rows[] = {
        {"as it should be", nothing, CL_OK, false},
        {"empty", empty, CL_MESSAGE_EMPTY, false},
        {"oversize", oversize, CL_MESSAGE_TOO_LARGE, false},
        {"garbage", garbage, CL_WIRE_MALFORMED, false},
        {"unknown field", unknown_field, CL_WIRE_UNKNOWN_FIELD, false},
        {"payload bit flipped", flipped_payload, CL_SIGNATURE_INVALID, false},
        {"signature bit flipped", flipped_signature, CL_SIGNATURE_INVALID, false},
        {"certificate of another party", other_certificate, CL_KEY_UNKNOWN, false},
        {"key of another party", other_key, CL_KEY_UNKNOWN, false},
        {"key of the centre", centres_key, CL_KEY_UNKNOWN, false},
        {"wrong type", wrong_type, CL_PAYLOAD_TYPE_WRONG, false},
        {"wrong environment", wrong_environment, CL_ENVIRONMENT_WRONG, false},
        {"wrong recipient", wrong_recipient, CL_RECIPIENT_WRONG, false},
        {"wrong method", wrong_method, CL_METHOD_WRONG, false},
        {"wrong direction", wrong_direction, CL_DIRECTION_WRONG, false},
        {"no UUIDv7", random_id, CL_MESSAGE_ID_INVALID, false},
        {"expired", expired, CL_EXPIRED, true},
        {"from the future", from_the_future, CL_CREATED_IN_FUTURE, true},
        {"lives too long", for_ever, CL_LIFETIME_WRONG, true},
        {"page too large", page_too_large, CL_FIELD_INVALID, true},
        {"broken page token", broken_token, CL_PAGE_TOKEN_INVALID, true},
        {"names no application", names_no_application, CL_HEADER_INCOMPLETE, true},
        {"unknown application", unknown_application, CL_APPLICATION_UNKNOWN, true},
        {"unknown method", unknown_rpc, CL_METHOD_UNKNOWN, false},
        {"path with two slashes", nearly_the_rpc, CL_METHOD_UNKNOWN, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attempt attempt;
        cl_arena_reset(arena);
        make(&attempt);
        rows[i].spoil(&attempt);
        int64_t before = messages_kept();
        struct outcome outcome =
            send_bytes(attempt.client, attempt.method, attempt.raw ? attempt.bytes : seal(&attempt));
        if (outcome.status.reason != rows[i].reason || (rows[i].is_signed && !outcome.is_signed)) {
            fail_msg("%s: %s%s, expected %s%s", rows[i].name, cl_status_name(outcome.status),
                     outcome.is_signed ? " signed" : "", cl_reason_info(rows[i].reason)->name,
                     rows[i].is_signed ? " signed" : "");
        }
        assert_int_equal(messages_kept() - before, rows[i].reason == CL_OK ? 2 : 0);
    }
}

/* -- Submissions --------------------------------------------------------------------------------------------- */

static Coloan__V1__Disclosure *disclosure_at(struct world_submission *submission, const char *path)
{
    for (size_t i = 0; i < submission->disclosure_count; i++) {
        if (strcmp(submission->disclosures[i]->path, path) == 0) {
            return submission->disclosures[i];
        }
    }
    fail_msg("no disclosure %s", path);
    return NULL;
}

/* The value and its commitment changed together: well signed, but wrong. */
static void change_value(struct world_submission *submission, const char *path, const char *value)
{
    Coloan__V1__Disclosure *disclosure = disclosure_at(submission, path);
    struct cl_digest commitment;
    disclosure->value.data = cl_arena_copy(arena, cl_bytes_text(value));
    disclosure->value.len = strlen(value);
    cl_commitment(&commitment, path, cl_bytes(disclosure->salt.data, disclosure->salt.len), cl_bytes_text(value));
    Coloan__V1__Person *person = submission->application->persons[0];
    ProtobufCBinaryData *field = strstr(path, "id_number") != NULL ? &person->id_number : &person->mobile;
    memcpy(field->data, commitment.bytes, sizeof commitment.bytes);
}

static void good(struct world_submission *submission)
{
    (void)submission;
}

static void bad_check_digit(struct world_submission *submission)
{
    change_value(submission, "persons[0].id_number", "990101199603150018");
}

static void bad_mobile(struct world_submission *submission)
{
    change_value(submission, "persons[0].mobile", "12345");
}

static void value_exchanged(struct world_submission *submission)
{
    Coloan__V1__Disclosure *disclosure = disclosure_at(submission, "persons[0].mobile");
    disclosure->value.data[0] ^= 1;
}

static void value_missing(struct world_submission *submission)
{
    submission->disclosure_count--;
}

static void value_uncommitted(struct world_submission *submission)
{
    disclosure_at(submission, "persons[0].mobile")->path = cl_arena_text(arena, "persons[3].mobile");
}

static void other_bank(struct world_submission *submission)
{
    submission->application->bank = cl_arena_text(arena, WORLD_BETA);
}

static void no_consents(struct world_submission *submission)
{
    submission->application->n_consents--;
}

static void old_consent(struct world_submission *submission)
{
    submission->application->consents[0]->until_ms = 1;
}

static void bad_uscc(struct world_submission *submission)
{
    submission->application->home->seller_uscc = cl_arena_text(arena, "91990000MA0000015R");
}

static void bad_unit(struct world_submission *submission)
{
    submission->application->home->unit_no = cl_arena_text(arena, "320102001001GB00001X00010001");
}

static void negative_price(struct world_submission *submission)
{
    submission->application->home->price_fen = -1;
}

static void endless_term(struct world_submission *submission)
{
    submission->application->request->term_months = 481;
}

static void married_alone(struct world_submission *submission)
{
    submission->application->persons[0]->declared_marital_status = COLOAN__V1__MARITAL_STATUS__MARITAL_STATUS_MARRIED;
}

static void no_home(struct world_submission *submission)
{
    submission->application->home = NULL;
    /* its commitment goes with it */
    for (size_t i = 0; i < submission->disclosure_count; i++) {
        if (strcmp(submission->disclosures[i]->path, "home.address") == 0) {
            submission->disclosures[i] = submission->disclosures[--submission->disclosure_count];
        }
    }
}

static struct attempt submission_of(const struct world_submission *submission)
{
    struct attempt attempt;
    make(&attempt);
    attempt.method = SUBMIT;
    attempt.message.method = SUBMIT;
    attempt.message.body = &submission->application->base;
    attempt.message.disclosures = submission->disclosures;
    attempt.message.disclosure_count = submission->disclosure_count;
    return attempt;
}

/* Covers: COL-SUB-002, COL-SUB-003, COL-SUB-004, COL-SUB-007, COL-CON-001, COL-PER-005, COL-ERR-001 */
static void test_each_wrong_application_gets_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*spoil)(struct world_submission *submission);
        enum cl_reason reason;
        const char *field;
    } rows[] = {
        {"check digit", bad_check_digit, CL_ID_NUMBER_INVALID, "persons[0].id_number"},
        {"mobile", bad_mobile, CL_FIELD_INVALID, "persons[0].mobile"},
        {"value exchanged", value_exchanged, CL_DISCLOSURE_MISMATCH, ""},
        {"value missing", value_missing, CL_DISCLOSURE_MISSING, ""},
        {"value not committed to", value_uncommitted, CL_DISCLOSURE_UNEXPECTED, ""},
        {"for another bank", other_bank, CL_BANK_UNKNOWN, "bank"},
        {"a consent too few", no_consents, CL_CONSENT_MISSING, NULL},
        {"a consent that ended", old_consent, CL_CONSENT_INVALID, NULL},
        {"credit code", bad_uscc, CL_USCC_INVALID, "home.seller_uscc"},
        {"unit number", bad_unit, CL_UNIT_NUMBER_INVALID, "home.unit_no"},
        {"negative price", negative_price, CL_AMOUNT_INVALID, "home.price_fen"},
        {"term", endless_term, CL_TERM_INVALID, "request.term_months"},
        {"married without spouse", married_alone, CL_PERSONS_INVALID, NULL},
        {"no home", no_home, CL_FIELD_MISSING, "home"},
        {"as it should be", good, CL_OK, NULL},
        {"the same person again", good, CL_OPEN_CASE_EXISTS, "persons[0].id_number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char reference[32];
        struct world_submission submission;
        cl_arena_reset(arena);
        (void)snprintf(reference, sizeof reference, "wrong-%zu", i);
        world_submission(&submission, arena, people_find(world.people, "P01"), WORLD_ALPHA, reference);
        rows[i].spoil(&submission);
        int64_t before = rows_of("SELECT count(*) FROM applications");
        struct attempt attempt = submission_of(&submission);
        struct outcome outcome = send_bytes(alpha, SUBMIT, seal(&attempt));
        if (outcome.status.reason != rows[i].reason) {
            fail_msg("%s: %s %s, expected %s", rows[i].name, cl_status_name(outcome.status), outcome.field,
                     cl_reason_info(rows[i].reason)->name);
        }
        if (rows[i].reason != CL_OK) {
            assert_true(outcome.is_signed);
        }
        if (rows[i].field != NULL) {
            assert_string_equal(outcome.field, rows[i].field);
        }
        assert_int_equal(rows_of("SELECT count(*) FROM applications") - before, rows[i].reason == CL_OK ? 1 : 0);
    }
}

/* -- Again --------------------------------------------------------------------------------------------------- */

/* Covers: COL-DUP-002, COL-DUP-003, COL-DUP-005 */
static void test_same_bytes_get_the_same_reply(void **state)
{
    (void)state;
    struct world_submission submission;
    cl_arena_reset(arena);
    world_submission(&submission, arena, people_find(world.people, "P02"), WORLD_ALPHA, "again");
    struct attempt attempt = submission_of(&submission);
    struct cl_bytes bytes = seal(&attempt);
    struct outcome first = send_bytes(alpha, SUBMIT, bytes);
    assert_string_equal(cl_status_name(first.status), "OK");
    struct outcome second = send_bytes(alpha, SUBMIT, bytes);
    assert_true(cl_bytes_equal(first.reply, second.reply));

    cl_rpc_client_free(alpha);
    cl_rpc_client_free(beta);
    world_restart(&world);
    alpha = raw_client("alpha");
    beta = raw_client("beta");
    struct outcome third = send_bytes(alpha, SUBMIT, bytes);
    assert_true(cl_bytes_equal(first.reply, third.reply));

    world.ahead_ms = INT64_C(3600000); /* long expired: the reply is still the reply */
    struct outcome fourth = send_bytes(alpha, SUBMIT, bytes);
    world.ahead_ms = 0;
    assert_true(cl_bytes_equal(first.reply, fourth.reply));

    submission.application->external_ref = cl_arena_text(arena, "other");
    struct outcome other = send_bytes(alpha, SUBMIT, seal(&attempt));
    assert_string_equal(cl_status_name(other.status), "MESSAGE_ID_REUSED");
    assert_true(other.is_signed);
    struct outcome after = send_bytes(alpha, SUBMIT, bytes);
    assert_true(cl_bytes_equal(first.reply, after.reply));
}

/* A method that only reads writes its request's row with the reply at once; it counts like any other. */
/* Covers: COL-DUP-002, COL-DUP-003 */
static void test_a_reading_request_is_kept_with_its_reply(void **state)
{
    static const char kept[] = "SELECT count(*) FROM messages request JOIN messages reply ON reply.digest = "
                               "request.reply WHERE request.method = '" LIST "'";
    (void)state;
    struct attempt attempt;
    cl_arena_reset(arena);
    make(&attempt);
    attempt.query.page_size = 1;
    int64_t before = rows_of(kept);
    struct outcome first = send_bytes(alpha, LIST, seal(&attempt));
    assert_string_equal(cl_status_name(first.status), "OK");
    assert_int_equal(rows_of(kept), before + 1);
    struct outcome second = send_bytes(alpha, LIST, seal(&attempt));
    assert_true(cl_bytes_equal(first.reply, second.reply));
    assert_int_equal(rows_of(kept), before + 1);

    attempt.query.page_size = 2;
    struct outcome other = send_bytes(alpha, LIST, seal(&attempt));
    assert_string_equal(cl_status_name(other.status), "MESSAGE_ID_REUSED");
    attempt.query.page_size = CL_LIST_PAGE_MAX + 1;
    cl_uuid7_make(&attempt.message.message_id, world_now_ms(&world), cl_random_system());
    struct outcome refused = send_bytes(alpha, LIST, seal(&attempt));
    assert_string_equal(cl_status_name(refused.status), "FIELD_INVALID");
    assert_int_equal(rows_of(kept), before + 1);
}

/* Covers: COL-RPC-004 */
static void test_a_case_is_nobody_elses_business(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct attempt attempt;
    make(&attempt);
    struct outcome mine = send_bytes(alpha, LIST, seal(&attempt));
    struct cl_opened opened;
    assert_true(cl_is_ok(cl_envelope_verify(&opened, arena, mine.reply, world.keyring)));
    ProtobufCMessage *body = NULL;
    assert_true(cl_is_ok(cl_opened_body(&body, arena, &opened)));
    const Coloan__V1__ApplicationList *list = (const Coloan__V1__ApplicationList *)body;
    assert_true(list->n_applications > 0);

    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = list->applications[0]->application_id;
    make(&attempt);
    attempt.method = "coloan.v1.JointApproval/GetApplication";
    attempt.message.method = attempt.method;
    attempt.message.body = &query.base;
    struct outcome own = send_bytes(alpha, attempt.method, seal(&attempt));
    assert_string_equal(cl_status_name(own.status), "OK");
    attempt.key = WORLD_KEY_BETA;
    cl_uuid7_make(&attempt.message.message_id, world_now_ms(&world), cl_random_system());
    struct outcome other = send_bytes(beta, attempt.method, seal(&attempt));
    assert_string_equal(cl_status_name(other.status), "APPLICATION_UNKNOWN");
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = raw_client("alpha");
    beta = raw_client("beta");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_spoilt_message_gets_its_reason),
        cmocka_unit_test(test_each_wrong_application_gets_its_reason),
        cmocka_unit_test(test_same_bytes_get_the_same_reply),
        cmocka_unit_test(test_a_reading_request_is_kept_with_its_reply),
        cmocka_unit_test(test_a_case_is_nobody_elses_business),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_rpc_client_free(alpha);
    cl_rpc_client_free(beta);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
