/* Who may do and see what, over real TLS: every kind of caller at every method, each reader's view of the items, and a
 * certificate that is revoked while its stream is open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/directory.pb-c.h>
#include <coloan/v1/verification.pb-c.h>

#include "libcoloan/refusal.h"
#include "server/api/methods.h"
#include "server/domain/catalogue.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 8 * 1024 * 1024, WAIT_MS = 10000, CUT_MS_MAX = 1000 };

static struct world world;
static struct cl_arena *arena;
static struct cl_session *alpha, *officer, *channel, *fund;

/* -- Calls --------------------------------------------------------------------------------------------------- */

static struct cl_status call(const ProtobufCMessage **out, struct cl_session *session,
                             const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    *out = answer.body;
    return status;
}

static const char *submit(struct cl_session *session, const char *persona)
{
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, persona);
    struct cl_session_call what = world_submit_call(&submission);
    const ProtobufCMessage *body = NULL;
    assert_string_equal(cl_status_name(call(&body, session, &what)), "OK");
    return ((const Coloan__V1__ApplicationReceipt *)body)->application_id;
}

static void report(const char *persona, const char *application_id)
{
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &world_bank_report(arena, people_find(world.people, persona))->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = application_id,
    };
    const ProtobufCMessage *body = NULL;
    assert_string_equal(cl_status_name(call(&body, alpha, &what)), "OK");
}

static const Coloan__V1__ApplicationView *view(struct cl_session *session, const char *application_id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = cl_arena_text(arena, application_id);
    query.with_items = 1;
    query.with_trace = 1;
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/GetApplication",
        .body = &query.base,
        .reply_type = &coloan__v1__application_view__descriptor,
    };
    const ProtobufCMessage *body = NULL;
    assert_string_equal(cl_status_name(call(&body, session, &what)), "OK");
    return (const Coloan__V1__ApplicationView *)body;
}

/* A case of P01 in which every item is settled. */
static const char *settled_case(void)
{
    static char id[64];
    if (id[0] == '\0') {
        (void)snprintf(id, sizeof id, "%s", submit(alpha, "P01"));
        report("P01", id);
    }
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int tries = 0; tries < 200; tries++) {
        if (view(alpha, id)->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED) {
            return id;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("P01 was not offered anything");
    return NULL;
}

/* -- The matrix ---------------------------------------------------------------------------------------------- */

static ProtobufCMessage *empty_body(const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *body = cl_arena_alloc(arena, type->sizeof_message);
    assert_non_null(body);
    protobuf_c_message_init(type, body);
    return body;
}

static const char *call_empty(struct cl_session *session, const struct api_method *method)
{
    static const struct cl_digest event = {{1}};
    bool acknowledges = method->bodies[0].direction == COLOAN__V1__DIRECTION__DIRECTION_ACK;
    struct cl_session_call what = {
        .method = api_method_name(method),
        .body = empty_body(method->bodies[0].type),
        .reply_type = method->reply,
        .acknowledges = acknowledges ? &event : NULL,
        .application_id = method->needs_application ? "01890a5d-ac96-774b-bcce-b302099a8057" : NULL,
    };
    const ProtobufCMessage *body = NULL;
    return cl_status_name(call(&body, session, &what));
}

static const char *open_empty(struct cl_session *session)
{
    struct cl_deliver_options options = {.epoch = 1, .max_outstanding = 1};
    struct cl_delivery *delivery = NULL;
    struct cl_delivered delivered;
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, session, &options)));
    assert_string_equal(cl_status_name(cl_session_deliver_next(&delivered, delivery, arena, WAIT_MS)), "OK");
    cl_session_deliver_close(delivery);
    return delivered.kind == CL_DELIVERED_END ? cl_status_name(delivered.ended) : "OK";
}

static struct cl_status read_nothing(void *user, uint8_t *out, int64_t offset, size_t len)
{
    (void)user;
    (void)offset;
    memset(out, 0, len);
    return cl_ok();
}

static const char *upload_any(struct cl_session *session)
{
    struct cl_answer answer;
    struct cl_upload upload = {
        .application_id = "01890a5d-ac96-774b-bcce-b302099a8057", .size_bytes = 1, .read = read_nothing};
    return cl_status_name(
        cl_session_upload(&answer, session, arena, &upload, (struct cl_patience){.total_ms = WAIT_MS}));
}

static const char *call_by_way(struct cl_session *session, const struct api_method *method)
{
    switch (method->way) {
    case API_STREAM:
        return open_empty(session);
    case API_UPLOAD:
        return upload_any(session);
    case API_STORED:
    case API_DIRECT:
        break;
    }
    return call_empty(session, method);
}

/* Covers: COL-CHK-005 */
static void test_each_caller_at_each_method(void **state)
{
    (void)state;
    const struct {
        struct cl_session *session;
        enum cl_party_kind kind;
    } callers[] = {
        {alpha, CL_PARTY_BANK}, {channel, CL_PARTY_CHANNEL}, {officer, CL_PARTY_OFFICER}, {fund, CL_PARTY_FUND}};
    for (size_t i = 0; i < API_METHOD_COUNT; i++) {
        const struct api_method *method = api_method_at(i);
        for (size_t j = 0; j < sizeof callers / sizeof callers[0]; j++) {
            cl_arena_reset(arena);
            const char *got = call_by_way(callers[j].session, method);
            bool refused = strcmp(got, "CALLER_NOT_ALLOWED") == 0;
            if (refused == api_method_allows(method, callers[j].kind)) {
                fail_msg("%s by caller %zu: %s", method->path, j, got);
            }
        }
    }
}

/* Covers: COL-RPC-007 */
static void test_capabilities_are_the_callers(void **state)
{
    (void)state;
    const struct {
        struct cl_session *session;
        enum cl_party_kind kind;
    } callers[] = {
        {alpha, CL_PARTY_BANK}, {channel, CL_PARTY_CHANNEL}, {officer, CL_PARTY_OFFICER}, {fund, CL_PARTY_FUND}};
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++) {
        cl_arena_reset(arena);
        struct cl_session_call what = {
            .method = "coloan.v1.Directory/GetCapabilities",
            .body = empty_body(&coloan__v1__capabilities_query__descriptor),
            .reply_type = &coloan__v1__capabilities__descriptor,
        };
        const ProtobufCMessage *body = NULL;
        assert_string_equal(cl_status_name(call(&body, callers[i].session, &what)), "OK");
        const Coloan__V1__Capabilities *told = (const Coloan__V1__Capabilities *)body;
        assert_string_equal(told->party, WORLD_CENTRE);
        assert_string_equal(told->environment, "test");
        assert_string_equal(told->spec_version_min, "1.0");
        assert_string_equal(told->spec_version_max, "1.0");
        assert_int_equal(told->message_bytes_max, CL_MESSAGE_BYTES_MAX);
        assert_int_equal(told->deadline_ms_min, CL_DEADLINE_MS_MIN);
        assert_true(llabs(told->server_time_ms - world_now_ms(&world)) < WAIT_MS);
        size_t listed = 0;
        for (size_t j = 0; j < API_METHOD_COUNT; j++) {
            const struct api_method *method = api_method_at(j);
            if (api_method_allows(method, callers[i].kind)) {
                assert_true(listed < told->n_methods);
                assert_string_equal(told->methods[listed++], api_method_name(method));
            }
        }
        assert_int_equal(told->n_methods, listed);
    }
}

/* -- Views --------------------------------------------------------------------------------------------------- */

struct seen {
    unsigned rows[ITEM_COUNT], facts[ITEM_COUNT];
};

static void look(struct seen *out, Coloan__V1__VerificationResult *const *items, size_t count)
{
    *out = (struct seen){{0}, {0}};
    for (size_t i = 0; i < count; i++) {
        assert_true((int)items[i]->item > ITEM_NONE && (int)items[i]->item < ITEM_COUNT);
        out->rows[items[i]->item]++;
        out->facts[items[i]->item] += (unsigned)items[i]->n_facts;
    }
}

/* Nothing of what is not to be seen, facts of nothing of which only the outcome is. */
static void assert_view(const struct seen *seen, enum item_view (*of)(const struct catalogue_row *row))
{
    for (int item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        enum item_view allowed = of(catalogue_row((enum item)item));
        assert_true(allowed != VIEW_NONE || seen->rows[item] == 0);
        assert_true(allowed == VIEW_VALUE || seen->facts[item] == 0);
    }
}

static enum item_view banks(const struct catalogue_row *row)
{
    return row->bank_view;
}

static enum item_view funds(const struct catalogue_row *row)
{
    return row->fund_view;
}

static enum item_view borrowers(const struct catalogue_row *row)
{
    return row->borrower_view;
}

/* Covers: COL-RPC-009, COL-VER-010 */
static void test_each_reader_sees_its_view(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *id = settled_case();
    struct seen seen;
    const Coloan__V1__ApplicationView *told = view(alpha, id);
    look(&seen, told->items, told->n_items);
    assert_view(&seen, banks);
    assert_int_equal(seen.rows[ITEM_CREDIT_FUND], 0); /* the credit bureau answered the centre, not the bank */
    assert_int_equal(seen.rows[ITEM_FRAUD_LIST], 0);
    assert_int_equal(seen.rows[ITEM_MARRIAGE], 1);
    assert_int_equal(seen.facts[ITEM_MARRIAGE], 0);
    assert_true(seen.facts[ITEM_INCOME] > 0);
    assert_true(seen.rows[ITEM_CREDIT_BANK] > 0);

    told = view(officer, id);
    look(&seen, told->items, told->n_items);
    assert_view(&seen, funds);
    assert_true(seen.facts[ITEM_CREDIT_FUND] > 0);
    assert_true(seen.facts[ITEM_MARRIAGE] > 0);
    assert_true(seen.rows[ITEM_CREDIT_BANK] > 0);
    assert_int_equal(seen.facts[ITEM_CREDIT_BANK], 0);
}

/* The digests of inputs are over small numbers, which could be guessed from them. */
/* Covers: COL-RPC-008 */
static void test_only_the_centre_sees_digests_of_inputs(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *id = settled_case();
    const Coloan__V1__DecisionTrace *banks_trace = view(alpha, id)->trace;
    const Coloan__V1__DecisionTrace *officers_trace = view(officer, id)->trace;
    assert_true(banks_trace->n_steps > 0);
    assert_int_equal(banks_trace->n_steps, officers_trace->n_steps);
    for (size_t i = 0; i < banks_trace->n_steps; i++) {
        assert_string_equal(banks_trace->steps[i]->rule, officers_trace->steps[i]->rule);
        assert_int_equal(banks_trace->steps[i]->inputs_digest.len, 0);
        assert_int_equal(officers_trace->steps[i]->inputs_digest.len, CL_DIGEST_BYTES);
    }
}

/* Covers: COL-RPC-004, COL-RPC-009 */
static void test_a_channel_sees_what_is_the_borrowers(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *id = submit(channel, "P02");
    const struct timespec pause = {.tv_nsec = 50000000};
    struct seen seen = {{0}, {0}};
    for (int tries = 0; tries < 200 && seen.facts[ITEM_CREDIT_FUND] == 0; tries++) { /* until they are settled */
        const Coloan__V1__ApplicationView *officers = view(officer, id);
        look(&seen, officers->items, officers->n_items);
        (void)nanosleep(&pause, NULL);
    }
    assert_true(seen.facts[ITEM_CREDIT_FUND] > 0);
    const Coloan__V1__ApplicationView *told = view(channel, id);
    look(&seen, told->items, told->n_items);
    assert_view(&seen, borrowers);
    assert_int_equal(seen.rows[ITEM_CREDIT_FUND], 0);
    assert_int_equal(seen.rows[ITEM_CONTRIBUTION], 2);
    for (size_t i = 0; i < told->n_items; i++) { /* the spouse's facts are the spouse's */
        assert_true(told->items[i]->person == 0 || told->items[i]->n_facts == 0);
    }
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = cl_arena_text(arena, settled_case());
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/GetApplication",
        .body = &query.base,
        .reply_type = &coloan__v1__application_view__descriptor,
    };
    const ProtobufCMessage *body = NULL;
    assert_string_equal(cl_status_name(call(&body, channel, &what)), "APPLICATION_UNKNOWN");
    assert_string_equal(cl_status_name(call(&body, officer, &what)), "OK");
}

static const char *query_items(const Coloan__V1__VerificationAnswer **out, const char *consent_id)
{
    Coloan__V1__VerificationQuery query = COLOAN__V1__VERIFICATION_QUERY__INIT;
    query.consent_id = cl_arena_text(arena, consent_id);
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/QueryVerifications",
        .body = &query.base,
        .reply_type = &coloan__v1__verification_answer__descriptor,
        .application_id = settled_case(),
    };
    const ProtobufCMessage *body = NULL;
    struct cl_status status = call(&body, alpha, &what);
    *out = (const Coloan__V1__VerificationAnswer *)body;
    return cl_status_name(status);
}

/* Person 0's consents are numbered in the order of sandbox/submission.c; only one is a SHARE consent to the bank. */
/* Covers: COL-RPC-006, COL-CON-002 */
static void test_items_are_shared_on_the_right_consent_only(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const Coloan__V1__VerificationAnswer *answer = NULL;
    unsigned granted = 0;
    for (int i = 0; i < 8; i++) {
        char consent_id[16];
        (void)snprintf(consent_id, sizeof consent_id, "P01-0-%d", i);
        const char *got = query_items(&answer, consent_id);
        if (strcmp(got, "OK") == 0) {
            struct seen seen;
            granted++;
            look(&seen, answer->results, answer->n_results);
            assert_view(&seen, banks);
            assert_true(seen.rows[ITEM_IDENTITY] > 0);
        } else {
            assert_true(strcmp(got, "CONSENT_INVALID") == 0 || strcmp(got, "CONSENT_MISSING") == 0);
        }
    }
    assert_int_equal(granted, 1);
    assert_string_equal(query_items(&answer, "P01-9-9"), "CONSENT_MISSING");
}

/* -- Revocation, the last: alpha does not come back ---------------------------------------------------------- */

/* Covers: COL-TLS-004 */
static void test_a_revoked_certificate_ends_its_stream(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_deliver_options options = {.epoch = 7, .max_outstanding = 100};
    struct cl_delivery *delivery = NULL;
    struct cl_delivered delivered;
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, alpha, &options)));
    assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, WAIT_MS)));
    assert_int_not_equal(delivered.kind, CL_DELIVERED_END);
    pki_files_copy(&world.files, "crl-alpha.pem", "crl.pem");
    struct cl_setting_error error = {""};
    int64_t before_ms = cl_clock_monotonic_ms(cl_clock_system());
    assert_string_equal(cl_status_name(coloand_reload(world.server, &error)), "OK");
    do {
        struct cl_status status = cl_session_deliver_next(&delivered, delivery, arena, CUT_MS_MAX);
        assert_string_equal(cl_status_name(status), "OK");
        assert_int_not_equal(delivered.kind, CL_DELIVERED_NOTHING);
    } while (delivered.kind != CL_DELIVERED_END);
    assert_true(cl_clock_monotonic_ms(cl_clock_system()) - before_ms <= CUT_MS_MAX);
    assert_false(cl_is_ok(delivered.ended));
    cl_session_deliver_close(delivery);
    struct cl_session_call what = {
        .method = "coloan.v1.Directory/GetKeys",
        .body = empty_body(api_method_find("/coloan.v1.Directory/GetKeys")->bodies[0].type),
        .reply_type = api_method_find("/coloan.v1.Directory/GetKeys")->reply,
    };
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, alpha, arena, &what, (struct cl_patience){.total_ms = 500});
    assert_string_equal(cl_status_name(status), "PEER_UNREACHABLE"); /* the gate closes before a word is said */
    const ProtobufCMessage *body = NULL;
    assert_string_equal(cl_status_name(call(&body, officer, &what)), "OK");
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    channel = world_session(&world, "channel", WORLD_KEY_CHANNEL);
    fund = world_session(&world, "fund", WORLD_KEY_FUND);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_caller_at_each_method),
        cmocka_unit_test(test_capabilities_are_the_callers),
        cmocka_unit_test(test_each_reader_sees_its_view),
        cmocka_unit_test(test_only_the_centre_sees_digests_of_inputs),
        cmocka_unit_test(test_a_channel_sees_what_is_the_borrowers),
        cmocka_unit_test(test_items_are_shared_on_the_right_consent_only),
        cmocka_unit_test(test_a_revoked_certificate_ends_its_stream),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_session_free(officer);
    cl_session_free(channel);
    cl_session_free(fund);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
