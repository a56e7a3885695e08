/* The order of checks, with real signatures and a directory; every check over the wire is in tests/e2e/test_refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/api/pipeline.h"
#include "tests/support/signing.h"

enum { ARENA_BYTES = 4 * 1024 * 1024, BURST = 3 };

#define APPLICATION_ID "01890a5d-ac96-774b-bcce-b302099a8057"

static struct signing signing;
static struct cl_arena *arena;
static struct centre centre;
static struct api_pipeline pipeline;
static enum cl_reason identity_says;

static int64_t fixed_unix_ms(void *user)
{
    (void)user;
    return SIGNING_NOW_MS;
}

static int64_t fixed_monotonic_ms(void *user)
{
    (void)user;
    return 1000;
}

static const struct cl_clock fixed_clock = {.unix_ms = fixed_unix_ms, .monotonic_ms = fixed_monotonic_ms};

static struct cl_status identify(void *user, const char *rpc_peer, char party_out[CL_PARTY_BYTES_MAX + 1])
{
    (void)user;
    assert_string_equal(rpc_peer, "fd:10001");
    if (identity_says != CL_OK) {
        return cl_fail(identity_says);
    }
    memcpy(party_out, SIGNING_ALPHA, sizeof SIGNING_ALPHA);
    return cl_ok();
}

static int set_up(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    identity_says = CL_OK;
    centre = (struct centre){.party = SIGNING_CENTRE,
                             .environment = SIGNING_ENVIRONMENT,
                             .signer = signing.signers[SIGNING_CENTRE_SIGN],
                             .clock = &fixed_clock,
                             .random = cl_random_system()};
    assert_true(cl_is_ok(cl_keyring_slot_create(&centre.keyrings, signing.keyring)));
    pipeline = (struct api_pipeline){.centre = &centre, .identity = {.identify = identify}};
    assert_true(cl_is_ok(api_limiter_create(&pipeline.limiter, 1, BURST)));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_limiter_free(pipeline.limiter);
    cl_keyring_slot_free(centre.keyrings);
    return 0;
}

/* -- Identity ------------------------------------------------------------------------------------------------ */

/* Covers: COL-CHK-002, COL-TLS-004 */
static void test_what_the_connection_says_is_told(void **state)
{
    (void)state;
    static const enum cl_reason reasons[] = {CL_PEER_UNKNOWN, CL_CERTIFICATE_REVOKED, CL_CERTIFICATE_EXPIRED};
    char sender[CL_PARTY_BYTES_MAX + 1] = "";
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        for (int calls = 0; calls < 2 * BURST; calls++) { /* whoever is nobody is not counted either */
            identity_says = reasons[i];
            assert_int_equal(api_identify(sender, &pipeline, "fd:10001").reason, reasons[i]);
        }
    }
    identity_says = CL_OK;
    for (int calls = 0; calls < BURST; calls++) {
        assert_true(cl_is_ok(api_identify(sender, &pipeline, "fd:10001")));
        assert_string_equal(sender, SIGNING_ALPHA);
    }
    assert_int_equal(api_identify(sender, &pipeline, "fd:10001").reason, CL_RATE_LIMITED);
    identity_says = CL_CERTIFICATE_REVOKED; /* a revocation goes before the rate */
    assert_int_equal(api_identify(sender, &pipeline, "fd:10001").reason, CL_CERTIFICATE_REVOKED);
}

/* -- Messages ------------------------------------------------------------------------------------------------ */

/* Alpha's good submission, to be spoilt. */
struct attempt {
    struct signing_application application;
    struct cl_message message;
    const char *path, *sender;
    struct cl_bytes bytes; /* when set, sent as they are */
};

static void nothing(struct attempt *attempt)
{
    (void)attempt;
}

static void garbage(struct attempt *attempt)
{
    attempt->bytes = cl_bytes("\x0a\xff", 2);
}

static void empty(struct attempt *attempt)
{
    attempt->bytes = cl_bytes("", 0);
}

static void on_betas_connection(struct attempt *attempt)
{
    attempt->sender = SIGNING_BETA;
}

static void for_another_method(struct attempt *attempt)
{
    attempt->path = "/coloan.v1.JointApproval/ListApplications";
}

static void without_a_disclosure(struct attempt *attempt)
{
    attempt->message.disclosure_count--;
}

static void in_an_application(struct attempt *attempt)
{
    attempt->message.application_id = APPLICATION_ID;
}

static const struct {
    const char *name;
    void (*spoil)(struct attempt *attempt);
    enum cl_reason reason, body_reason;
    bool proven;
} rows[] = {
    {"as it should be", nothing, CL_OK, CL_OK, true},
    {"garbage", garbage, CL_WIRE_MALFORMED, CL_OK, false},
    {"empty", empty, CL_MESSAGE_EMPTY, CL_OK, false},
    {"another's connection", on_betas_connection, CL_KEY_UNKNOWN, CL_OK, false},
    {"another method", for_another_method, CL_PAYLOAD_TYPE_WRONG, CL_OK, false},
    {"a disclosure is missing", without_a_disclosure, CL_OK, CL_DISCLOSURE_MISSING, true},
    {"names an application", in_an_application, CL_OK, CL_FIELD_INVALID, true},
};

static struct cl_bytes seal(struct attempt *attempt, void (*spoil)(struct attempt *attempt))
{
    signing_application(&attempt->application, arena);
    attempt->message = signing_message();
    attempt->message.body = &attempt->application.application.base;
    attempt->message.disclosures = attempt->application.disclosures;
    attempt->message.disclosure_count = attempt->application.disclosure_count;
    attempt->path = "/" SIGNING_METHOD;
    attempt->sender = SIGNING_ALPHA;
    attempt->bytes = cl_bytes(NULL, 0);
    spoil(attempt);
    if (attempt->bytes.data != NULL) {
        return attempt->bytes;
    }
    struct cl_sealed sealed;
    struct cl_status status =
        cl_envelope_seal(&sealed, arena, signing.signers[SIGNING_ALPHA_ACTIVE], &attempt->message);
    assert_string_equal(cl_status_name(status), "OK");
    return sealed.envelope;
}

/* Covers: COL-PER-005, COL-HDR-010 */
static void test_each_message_gets_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cl_arena_reset(arena);
        struct attempt attempt;
        struct cl_bytes bytes = seal(&attempt, rows[i].spoil);
        struct api_request request;
        bool proven = false;
        struct cl_status status =
            api_open(&request, &proven, &pipeline, api_method_find(attempt.path), attempt.sender, bytes);
        if (status.reason != rows[i].reason || proven != rows[i].proven) {
            fail_msg("%s: %s, proven %d", rows[i].name, cl_status_name(status), proven);
        }
        if (cl_is_ok(status) && request.body_status.reason != rows[i].body_reason) {
            fail_msg("%s: body %s", rows[i].name, cl_status_name(request.body_status));
        }
        assert_int_equal(cl_is_ok(status) && cl_is_ok(request.body_status),
                         request.body != NULL && rows[i].spoil == nothing);
        api_request_free(&request);
        api_request_free(&request); /* once more does no harm */
    }
}

/* Only a proven sender's refusal is signed, and it answers that very message. */
/* Covers: COL-ERR-005 */
static void test_refusals_are_signed_for_the_proven(void **state)
{
    (void)state;
    struct attempt attempt;
    struct cl_bytes bytes = seal(&attempt, nothing);
    struct api_request request;
    bool proven = false;
    assert_true(cl_is_ok(api_open(&request, &proven, &pipeline, api_method_find(attempt.path), attempt.sender, bytes)));
    for (int is_signed = 0; is_signed <= 1; is_signed++) {
        struct cl_refusal_details details;
        struct cl_refusal_read refusal;
        api_refuse(&details, &centre, is_signed == 1 ? &request : NULL, cl_fail(CL_OVERLOADED), "a.b");
        assert_true(cl_is_ok(cl_refusal_read(&refusal, cl_bytes(details.bytes, details.len))));
        assert_int_equal(refusal.status.reason, CL_OVERLOADED);
        assert_string_equal(refusal.field, "a.b");
        assert_int_equal(refusal.envelope.len > 0, is_signed);
    }
    struct cl_refusal_details details;
    struct cl_refusal_read refusal;
    api_refuse(&details, &centre, &request, cl_fail(CL_EXPIRED), "");
    assert_true(cl_is_ok(cl_refusal_read(&refusal, cl_bytes(details.bytes, details.len))));
    struct cl_opened opened;
    assert_true(cl_is_ok(cl_envelope_verify(&opened, arena, refusal.envelope, signing.keyring)));
    assert_string_equal(opened.header->recipient, SIGNING_ALPHA);
    assert_true(cl_bytes_equal(cl_bytes(opened.header->in_reply_to.data, opened.header->in_reply_to.len),
                               cl_bytes(request.opened.digest.bytes, CL_DIGEST_BYTES)));
    api_request_free(&request);
}

int main(void)
{
    signing_init(&signing);
    if (cl_failed(cl_arena_create(&arena, ARENA_BYTES))) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_the_connection_says_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_message_gets_its_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_are_signed_for_the_proven, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cl_arena_free(arena);
    signing_close(&signing);
    return failed;
}
