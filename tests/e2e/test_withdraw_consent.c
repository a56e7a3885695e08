/* A consent taken back, over real TLS: what a bank is told before and after it, to the byte, wherever the case stands;
 * and every way in which a withdrawal is refused. */
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
#include <coloan/v1/verification.pb-c.h>

#include "tests/e2e/world.h"

enum { ARENA_BYTES = 16 * 1024 * 1024, WAIT_MS = 10000, PERSONS_OF_P07 = 2 };

static struct world world;
static struct cl_session *alpha, *beta, *channel, *officer;
static struct cl_arena *arena;
static uint64_t alpha_has; /* the last event of alpha's that a test has seen */

/* -- Calls --------------------------------------------------------------------------------------------------- */

static const char *send(const ProtobufCMessage **out, struct cl_session *session, const struct cl_session_call *what,
                        char *field_out)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_true(cl_is_ok(status) || (answer.refused && answer.refusal_signed));
    if (field_out != NULL) {
        (void)snprintf(field_out, CL_REFUSAL_FIELD_BYTES_MAX, "%s", answer.field);
    }
    if (out != NULL) {
        *out = answer.body;
    }
    return cl_status_name(status);
}

static const char *submit(struct cl_session *session, const char *persona, const char *reference)
{
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, reference);
    struct cl_session_call what = world_submit_call(&submission);
    const ProtobufCMessage *body = NULL;
    assert_string_equal(send(&body, session, &what, NULL), "OK");
    return ((const Coloan__V1__ApplicationReceipt *)body)->application_id;
}

static void report(const char *persona, const char *application_id)
{
    assert_string_equal(
        send(NULL, alpha,
             &(struct cl_session_call){.method = "coloan.v1.JointApproval/ReportVerifications",
                                       .body = &world_bank_report(arena, people_find(world.people, persona))->base,
                                       .reply_type = &coloan__v1__application_status__descriptor,
                                       .application_id = application_id},
             NULL),
        "OK");
}

static const Coloan__V1__ApplicationView *view(struct cl_session *session, const char *application_id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = cl_arena_text(arena, application_id);
    query.with_items = 1;
    query.with_consents = 1;
    const ProtobufCMessage *body = NULL;
    assert_string_equal(send(&body, session,
                             &(struct cl_session_call){.method = "coloan.v1.JointApproval/GetApplication",
                                                       .body = &query.base,
                                                       .reply_type = &coloan__v1__application_view__descriptor},
                             NULL),
                        "OK");
    return (const Coloan__V1__ApplicationView *)body;
}

static const char *withdraw(struct cl_session *session, const char *application_id, const char *consent_id, char *field)
{
    Coloan__V1__ConsentWithdrawal body = COLOAN__V1__CONSENT_WITHDRAWAL__INIT;
    body.consent_id = cl_arena_text(arena, consent_id);
    return send(NULL, session,
                &(struct cl_session_call){.method = "coloan.v1.JointApproval/WithdrawConsent",
                                          .body = &body.base,
                                          .reply_type = &coloan__v1__application_status__descriptor,
                                          .application_id = application_id},
                field);
}

/* The consents of sandbox/submission.c: "<reference>-<person>-<number>". */
enum { VERIFY, CREDIT_FUND, CREDIT_BANK, SHARE };

static const char *consent(const char *reference, unsigned person, unsigned number)
{
    static char id[64];
    (void)snprintf(id, sizeof id, "%s-%u-%u", reference, person, number);
    return id;
}

static void until_state(const char *application_id, Coloan__V1__CaseState state)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int tries = 0; tries < 200; tries++) {
        if (view(officer, application_id)->status->state == state) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("the case did not come to state %d", (int)state);
}

static const char *offered_case(const char *persona, const char *reference)
{
    const char *id = submit(alpha, persona, reference);
    report(persona, id);
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    return id;
}

/* -- Events -------------------------------------------------------------------------------------------------- */

/* Reads alpha's events from the first that no test has seen, up to the first of this application and kind. Those that were
 * seen come again, because nobody acknowledges them. */
static struct cl_delivered read_until(const char *application_id, Coloan__V1__EventKind kind)
{
    struct cl_deliver_options options = {
        .resume_after = alpha_has, .epoch = alpha_has + 1, .max_outstanding = 1000, .session_id = {1}};
    struct cl_delivery *delivery = NULL;
    struct cl_delivered delivered = {.kind = CL_DELIVERED_NOTHING};
    bool again = false;
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, alpha, &options)));
    do {
        assert_string_equal(cl_status_name(cl_session_deliver_next(&delivered, delivery, arena, WAIT_MS)), "OK");
        assert_true(delivered.kind == CL_DELIVERED_EVENT || delivered.kind == CL_DELIVERED_HEARTBEAT);
        again = delivered.kind == CL_DELIVERED_EVENT && delivered.sequence <= options.resume_after;
        alpha_has = delivered.kind == CL_DELIVERED_EVENT && !again ? delivered.sequence : alpha_has;
    } while (delivered.kind != CL_DELIVERED_EVENT || again || delivered.event->kind != kind ||
             strcmp(delivered.event->application_id, application_id) != 0);
    cl_session_deliver_close(delivery);
    return delivered;
}

static size_t count_owned(const struct cl_delivered *event, unsigned person)
{
    char prefix[32];
    size_t count = 0;
    (void)snprintf(prefix, sizeof prefix, "persons[%u].", person);
    for (size_t i = 0; i < event->opened.disclosure_count; i++) {
        count += strncmp(event->opened.disclosures[i]->path, prefix, strlen(prefix)) == 0 ? 1 : 0;
    }
    return count;
}

/* The next event is of this kind and application; its bytes hold nothing of the persons. */
static struct cl_delivered next_without_values(const char *application_id, Coloan__V1__EventKind kind)
{
    uint64_t before = alpha_has;
    struct cl_delivered event = read_until(application_id, kind);
    assert_int_equal(event.sequence, before + 1);
    assert_int_equal(event.opened.disclosure_count, 0);
    return event;
}

/* Whether the persona's name, number or mobile stands in the bytes. */
static bool holds_person(struct cl_bytes bytes, const char *persona, size_t person)
{
    static const char *const fields[] = {"name", "id_number", "mobile"};
    const json_t *people = json_object_get(people_find(world.people, persona), "people");
    for (size_t i = 0; i < 3; i++) {
        const char *value = json_string_value(json_object_get(json_array_get(people, person), fields[i]));
        assert_non_null(value);
        if (memmem(bytes.data, bytes.len, value, strlen(value)) != NULL) {
            return true;
        }
    }
    return false;
}

/* -- Sharing stops ------------------------------------------------------------------------------------------- */

/* The event is in the outbox, nobody has read it: when the consent goes, so do the values it would have carried. */
/* Covers: COL-CON-002, COL-CON-004, COL-DEL-007, COL-PER-006 */
static void test_an_event_that_waits_carries_nothing_any_more(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *untouched = submit(alpha, "P01", "W-0");
    struct cl_delivered event = read_until(untouched, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    assert_int_equal(event.opened.disclosure_count, 4);
    assert_true(holds_person(event.envelope, "P01", 0));
    assert_string_equal(withdraw(alpha, untouched, consent("W-0", 0, SHARE), NULL), "OK");

    const char *id = submit(channel, "P02", "W-1");
    assert_string_equal(withdraw(channel, id, consent("W-1", 1, SHARE), NULL), "OK");
    event = read_until(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    assert_int_equal(count_owned(&event, 0), 3);
    assert_int_equal(count_owned(&event, 1), 0);
    assert_int_equal(event.opened.disclosure_count, 4); /* with the address */
    assert_true(holds_person(event.envelope, "P02", 0));
    assert_false(holds_person(event.envelope, "P02", 1));
    struct cl_delivered told = read_until(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_CONSENT_WITHDRAWN);
    assert_string_equal(told.event->consent_id, consent("W-1", 1, SHARE));
    assert_int_equal(told.opened.disclosure_count, 0);
    assert_string_equal(told.event->status->bank, WORLD_ALPHA);

    assert_string_equal(withdraw(channel, id, consent("W-1", 0, SHARE), NULL), "OK");
    /* delivered once more, from the start: the same signed bytes, without any value */
    uint64_t seen = alpha_has;
    alpha_has = 0;
    struct cl_delivered again = read_until(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    alpha_has = seen;
    assert_true(cl_digest_equal(&again.opened.digest, &event.opened.digest));
    assert_int_equal(again.opened.disclosure_count, 0);
    assert_true(again.envelope.len < event.envelope.len);
    assert_memory_equal(again.envelope.data, event.envelope.data, again.envelope.len);
}

struct query {
    Coloan__V1__VerificationQuery body;
    struct cl_request request;
};

static void prepare_query(struct query *out, const char *application_id, const char *consent_id)
{
    coloan__v1__verification_query__init(&out->body);
    out->body.consent_id = cl_arena_text(arena, consent_id);
    struct cl_session_call what = {.method = "coloan.v1.JointApproval/QueryVerifications",
                                   .body = &out->body.base,
                                   .reply_type = &coloan__v1__verification_answer__descriptor,
                                   .application_id = cl_arena_text(arena, application_id)};
    assert_true(cl_is_ok(cl_session_prepare(&out->request, alpha, arena, &what)));
}

static const char *ask(const Coloan__V1__VerificationAnswer **out, const struct query *query)
{
    struct cl_answer answer;
    struct cl_status status =
        cl_session_send(&answer, alpha, arena, &query->request, (struct cl_patience){.total_ms = WAIT_MS});
    *out = (const Coloan__V1__VerificationAnswer *)answer.body;
    return cl_status_name(status);
}

static size_t count_items(Coloan__V1__VerificationResult *const *items, size_t count, Coloan__V1__Item item)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += items[i]->item == item ? 1 : 0;
    }
    return found;
}

/* Of each person by its own consent; of the household by everybody's; and a reply that rested on a consent is not given
 * again once it is gone. */
/* Covers: COL-RPC-006, COL-CON-002, COL-CON-005 */
static void test_a_query_tells_what_each_person_allows(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *id = offered_case("P07", "W-2");
    const Coloan__V1__VerificationAnswer *answer = NULL;
    struct query query;
    prepare_query(&query, id, consent("W-2", 0, SHARE));
    assert_string_equal(ask(&answer, &query), "OK");
    assert_int_equal(answer->n_consent_ids, PERSONS_OF_P07);
    assert_string_equal(answer->consent_ids[0], consent("W-2", 0, SHARE));
    assert_string_equal(answer->consent_ids[1], consent("W-2", 1, SHARE));
    assert_int_equal(count_items(answer->results, answer->n_results, COLOAN__V1__ITEM__ITEM_IDENTITY), PERSONS_OF_P07);
    assert_int_equal(count_items(answer->results, answer->n_results, COLOAN__V1__ITEM__ITEM_INCOME), 1);
    assert_string_equal(ask(&answer, &query), "OK"); /* the stored reply */

    assert_string_equal(withdraw(alpha, id, consent("W-2", 1, SHARE), NULL), "OK");
    assert_string_equal(ask(&answer, &query), "CONSENT_WITHDRAWN");
    prepare_query(&query, id, consent("W-2", 1, SHARE));
    assert_string_equal(ask(&answer, &query), "CONSENT_WITHDRAWN");
    prepare_query(&query, id, consent("W-2", 0, SHARE));
    assert_string_equal(ask(&answer, &query), "OK");
    assert_int_equal(answer->n_consent_ids, 1);
    assert_int_equal(count_items(answer->results, answer->n_results, COLOAN__V1__ITEM__ITEM_IDENTITY), 1);
    assert_int_equal(count_items(answer->results, answer->n_results, COLOAN__V1__ITEM__ITEM_INCOME), 0);
    for (size_t i = 0; i < answer->n_results; i++) {
        assert_int_equal(answer->results[i]->person, 0);
    }
    const Coloan__V1__ApplicationView *told = view(alpha, id);
    assert_int_equal(told->n_items, answer->n_results);
    assert_int_equal(told->n_consent_ids, 1);
    assert_true(view(officer, id)->n_items > answer->n_results); /* the centre's own people see what it has */
    assert_int_equal(view(officer, id)->n_consent_ids, 0);
}

/* -- The case goes on, or does not --------------------------------------------------------------------------- */

/* Covers: COL-CON-006, COL-CON-007 */
static void test_an_offer_is_taken_back(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *id = offered_case("P03", "W-3");
    (void)read_until(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    assert_string_equal(withdraw(alpha, id, consent("W-3", 0, CREDIT_BANK), NULL), "OK");
    struct cl_delivered told = next_without_values(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_CONSENT_WITHDRAWN);
    assert_string_equal(told.event->consent_id, consent("W-3", 0, CREDIT_BANK));
    assert_int_equal(told.event->status->fund, COLOAN__V1__FUND_TRACK__FUND_TRACK_PENDING);
    told = next_without_values(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    assert_int_equal(told.event->fund_decision->verdict, COLOAN__V1__FUND_VERDICT__FUND_VERDICT_SUPPLEMENT);
    assert_int_equal(told.event->fund_decision->n_reasons, 1);
    assert_string_equal(told.event->fund_decision->reasons[0]->code, "AUT-CONSENT");
    assert_null(told.event->fund_decision->offer);

    const Coloan__V1__ApplicationView *now = view(officer, id);
    assert_int_equal(now->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT);
    assert_int_equal(now->n_consents, 4);
    for (size_t i = 0; i < now->n_consents; i++) {
        const Coloan__V1__ConsentReceipt *receipt = now->consents[i];
        bool withdrawn = strcmp(receipt->consent->consent_id, consent("W-3", 0, CREDIT_BANK)) == 0;
        assert_int_equal(receipt->withdrawn_ms > 0, withdrawn);
        assert_true(receipt->given_ms > 0);
        assert_int_equal(receipt->consent->document_sha256.len, CL_DIGEST_BYTES);
    }
}

/* Nobody is asked any more: what is open is settled, so that the case does not wait for it for ever. */
static void test_open_items_are_closed(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *id = submit(alpha, "P04", "W-4"); /* waits for the bank's report */
    (void)read_until(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    assert_string_equal(withdraw(alpha, id, consent("W-4", 0, CREDIT_BANK), NULL), "OK");
    const Coloan__V1__ApplicationView *now = view(officer, id);
    unsigned unauthorised = 0;
    for (size_t i = 0; i < now->n_items; i++) {
        if (now->items[i]->item == COLOAN__V1__ITEM__ITEM_CREDIT_BANK ||
            now->items[i]->item == COLOAN__V1__ITEM__ITEM_CONSENT) {
            assert_int_equal(now->items[i]->outcome, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL);
            assert_int_equal(now->items[i]->failure, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NOT_AUTHORISED);
            unauthorised++;
        }
    }
    assert_int_equal(unauthorised, 2);
    assert_int_equal(now->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_VERIFYING); /* the income is open */
    (void)next_without_values(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_CONSENT_WITHDRAWN);
}

/* A consent that names the centre is not the bank's business; that the case stands still is. */
/* Covers: COL-CON-006 */
static void test_the_centres_consents_show_as_a_status(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *id = offered_case("P06", "W-5");
    (void)read_until(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    assert_string_equal(withdraw(alpha, id, consent("W-5", 0, VERIFY), NULL), "OK");
    struct cl_delivered told = next_without_values(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS);
    assert_string_equal(told.event->consent_id, "");
    (void)next_without_values(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    assert_string_equal(withdraw(alpha, id, consent("W-5", 0, CREDIT_FUND), NULL), "OK"); /* while it waits */
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT);
}

/* Covers: COL-CON-004 */
static void test_an_ended_case_only_stops_sharing(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const char *id = submit(alpha, "P05", "W-6");
    report("P05", id);
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_REJECTED);
    (void)read_until(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION);
    const Coloan__V1__ApplicationView *before = view(officer, id);
    assert_string_equal(withdraw(alpha, id, consent("W-6", 0, SHARE), NULL), "OK");
    struct cl_delivered told = next_without_values(id, COLOAN__V1__EVENT_KIND__EVENT_KIND_CONSENT_WITHDRAWN);
    assert_int_equal(told.event->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_REJECTED);
    assert_string_equal(withdraw(alpha, id, consent("W-6", 0, VERIFY), NULL), "OK");
    const Coloan__V1__ApplicationView *after = view(officer, id);
    assert_int_equal(after->status->state, before->status->state);
    assert_int_equal(after->status->changed_ms, before->status->changed_ms);
    assert_int_equal(after->n_items, before->n_items);
    assert_int_equal(view(alpha, id)->n_items, 0);
    /* nobody was told of the second */
    const char *other = submit(alpha, "P12", "W-7");
    assert_int_equal(read_until(other, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION).sequence, told.sequence + 1);
}

/* -- Refusals ------------------------------------------------------------------------------------------------ */

/* Covers: COL-CON-008, COL-LIF-001 */
static void test_what_is_refused_changes_nothing(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    static const char too_long[] = "12345678901234567890123456789012345678901234567890123456789012345";
    const char *id = offered_case("P11", "W-8");
    const char *other = submit(alpha, "P21", "W-9");
    assert_string_equal(withdraw(alpha, other, consent("W-9", 0, SHARE), NULL), "OK");
    const struct {
        const char *name;
        struct cl_session *session;
        const char *application_id, *consent_id, *expected, *field;
    } rows[] = {
        {"no id", alpha, id, "", "FIELD_MISSING", "consent_id"},
        {"an id too long", alpha, id, too_long, "FIELD_INVALID", "consent_id"},
        {"no such consent", alpha, id, "W-8-0-9", "CONSENT_UNKNOWN", "consent_id"},
        {"another case's", alpha, id, "W-9-0-3", "CONSENT_UNKNOWN", "consent_id"},
        {"another bank", beta, id, "W-8-0-3", "APPLICATION_UNKNOWN", ""},
        {"a channel that did not send it", channel, id, "W-8-0-3", "APPLICATION_UNKNOWN", ""},
        {"an officer", officer, id, "W-8-0-3", "CALLER_NOT_ALLOWED", ""},
        {"no such case", alpha, "01890a5d-ac96-774b-bcce-b302099a8057", "W-8-0-3", "APPLICATION_UNKNOWN", ""},
        {"twice", alpha, other, "W-9-0-3", "CONSENT_WITHDRAWN", "consent_id"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char field[CL_REFUSAL_FIELD_BYTES_MAX];
        const char *got = withdraw(rows[i].session, rows[i].application_id, rows[i].consent_id, field);
        if (strcmp(got, rows[i].expected) != 0 || strcmp(field, rows[i].field) != 0) {
            fail_msg("%s: %s, %s", rows[i].name, got, field);
        }
    }
    const Coloan__V1__ApplicationView *now = view(alpha, id);
    assert_int_equal(now->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    assert_true(now->n_items > 0);
    for (size_t i = 0; i < now->n_consents; i++) {
        assert_int_equal(now->consents[i]->withdrawn_ms, 0);
    }
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    beta = world_session(&world, "beta", WORLD_KEY_BETA);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    channel = world_session(&world, "channel", WORLD_KEY_CHANNEL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_that_waits_carries_nothing_any_more),
        cmocka_unit_test(test_a_query_tells_what_each_person_allows),
        cmocka_unit_test(test_an_offer_is_taken_back),
        cmocka_unit_test(test_open_items_are_closed),
        cmocka_unit_test(test_the_centres_consents_show_as_a_status),
        cmocka_unit_test(test_an_ended_case_only_stops_sharing),
        cmocka_unit_test(test_what_is_refused_changes_nothing),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_session_free(beta);
    cl_session_free(officer);
    cl_session_free(channel);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
