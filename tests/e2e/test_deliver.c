/* The stream of events and the decisions it carries: resumed after a cut, fenced by a newer session, acknowledged, and
 * answered wrongly in every way a bank can. */
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

#include "libcoloan/annuity.h"
#include "libcoloan/wirescan.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 8 * 1024 * 1024, WAIT_MS = 10000 };

static struct world world;
static struct cl_session *alpha, *beta;
static struct cl_arena *arena;

/* -- Help ---------------------------------------------------------------------------------------------------- */

static struct cl_status try_call(const ProtobufCMessage **out, struct cl_session *session,
                                 const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    *out = answer.body;
    if (cl_failed(status)) {
        assert_true(answer.refused && answer.refusal_signed);
    }
    return status;
}

static char *submit(const char *persona, const char *reference)
{
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, reference);
    struct cl_session_call what = world_submit_call(&submission);
    const ProtobufCMessage *body = NULL;
    struct cl_status status = try_call(&body, alpha, &what);
    assert_string_equal(cl_status_name(status), "OK");
    return ((const Coloan__V1__ApplicationReceipt *)body)->application_id;
}

static struct cl_status report(struct cl_session *session, const char *application_id,
                               Coloan__V1__VerificationReport *body)
{
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &body->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = application_id,
    };
    const ProtobufCMessage *ignored = NULL;
    return try_call(&ignored, session, &what);
}

static struct cl_delivery *open_stream(struct cl_session *session, uint64_t after, uint64_t epoch, uint32_t window)
{
    struct cl_deliver_options options = {
        .resume_after = after, .epoch = epoch, .max_outstanding = window, .session_id = {(uint8_t)epoch}};
    struct cl_delivery *delivery = NULL;
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, session, &options)));
    return delivery;
}

/* The next frame that is no heartbeat. */
static struct cl_delivered next(struct cl_delivery *delivery, int64_t wait_ms)
{
    struct cl_delivered delivered;
    do {
        struct cl_status status = cl_session_deliver_next(&delivered, delivery, arena, wait_ms);
        assert_string_equal(cl_status_name(status), "OK");
    } while (delivered.kind == CL_DELIVERED_HEARTBEAT);
    return delivered;
}

/* The same, past what comes again because its acknowledgement was not there yet. */
static struct cl_delivered next_after(struct cl_delivery *delivery, uint64_t sequence, int64_t wait_ms)
{
    struct cl_delivered delivered;
    do {
        delivered = next(delivery, wait_ms);
    } while (delivered.kind == CL_DELIVERED_EVENT && delivered.sequence <= sequence);
    return delivered;
}

static struct cl_delivered next_event(struct cl_delivery *delivery, Coloan__V1__EventKind kind)
{
    struct cl_delivered delivered = next(delivery, WAIT_MS);
    assert_int_equal(delivered.kind, CL_DELIVERED_EVENT);
    assert_int_equal(delivered.event->kind, kind);
    return delivered;
}

static struct cl_status acknowledge(struct cl_delivery *delivery, const struct cl_delivered *event,
                                    Coloan__V1__AckLevel level, const char *reference)
{
    struct cl_deliver_ack ack = {.sequence = event->sequence,
                                 .digest = event->opened.digest,
                                 .level = level,
                                 .reference = reference,
                                 .application_id = event->event->application_id};
    return cl_session_deliver_ack(delivery, arena, &ack);
}

/* How the stream ends, when it has to. */
static const char *ended_by(struct cl_delivery *delivery)
{
    struct cl_delivered delivered = next(delivery, WAIT_MS);
    while (delivered.kind == CL_DELIVERED_EVENT) {
        delivered = next(delivery, WAIT_MS);
    }
    assert_int_equal(delivered.kind, CL_DELIVERED_END);
    return cl_status_name(delivered.ended);
}

/* -- Tests --------------------------------------------------------------------------------------------------- */

/* Covers: COL-DEL-002, COL-DEL-007, COL-DEL-013, COL-SUB-008 */
static void test_a_stream_resumes_after_what_is_durable(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char *id = submit("P01", "resume");
    struct cl_delivery *first = open_stream(alpha, 0, 1, 10);
    struct cl_delivered seen = next_event(first, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    assert_int_equal(seen.sequence, 1);
    struct cl_delivery *silent = open_stream(alpha, 1, 2, 10); /* has it, never said so: the centre must not pretend */
    struct cl_delivered first_beat;
    assert_true(cl_is_ok(cl_session_deliver_next(&first_beat, silent, arena, WAIT_MS)));
    assert_int_equal(first_beat.kind, CL_DELIVERED_HEARTBEAT);
    assert_int_equal(first_beat.received_floor, 0);
    cl_session_deliver_close(silent);
    assert_string_equal(seen.event->application_id, id);
    assert_int_equal(seen.opened.disclosure_count, 4);
    struct cl_digest digest = seen.opened.digest;
    cl_session_deliver_close(first);

    struct cl_delivery *again = open_stream(alpha, 0, 3, 10);
    seen = next_event(again, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    assert_true(cl_digest_equal(&digest, &seen.opened.digest)); /* the same event, byte for byte */
    assert_true(cl_is_ok(acknowledge(again, &seen, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED, NULL)));
    cl_session_deliver_close(again);

    struct cl_delivery *later = open_stream(alpha, 1, 4, 10);
    struct cl_delivered nothing = next_after(later, 1, 500);
    assert_int_equal(nothing.kind, CL_DELIVERED_NOTHING);
    assert_true(cl_is_ok(report(alpha, id, world_bank_report(arena, people_find(world.people, "P01")))));
    seen = next_event(later, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    assert_int_equal(seen.sequence, 2);
    cl_session_deliver_close(later);
}

/* Covers: COL-DEL-004 */
static void test_a_newer_session_fences_the_older(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_delivery *old = open_stream(alpha, 2, 5, 10);
    struct cl_delivered again = next_event(old, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    assert_int_equal(again.sequence, 2); /* nobody has acknowledged it */
    struct cl_delivery *fresh = open_stream(alpha, 2, 6, 10);
    assert_string_equal(ended_by(old), "STREAM_FENCED");
    struct cl_delivery *late = open_stream(alpha, 2, 5, 10);
    assert_string_equal(ended_by(late), "STREAM_FENCED");
    again = next_event(fresh, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    assert_int_equal(again.sequence, 2);
    assert_int_equal(next(fresh, 300).kind, CL_DELIVERED_NOTHING);
    cl_session_deliver_close(old);
    cl_session_deliver_close(late);
    cl_session_deliver_close(fresh);
}

/* Covers: COL-DEL-002, COL-DEL-006, COL-DEL-009 */
static void test_wrong_frames_end_the_stream(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_delivery *ahead = open_stream(alpha, 1000, 10, 10);
    assert_string_equal(ended_by(ahead), "SEQUENCE_WRONG");
    cl_session_deliver_close(ahead);

    struct cl_delivery *greedy = open_stream(alpha, 0, 11, 1000);
    assert_true(cl_is_ok(cl_session_deliver_credit(greedy, arena, 1)));
    assert_string_equal(ended_by(greedy), "FIELD_INVALID");
    cl_session_deliver_close(greedy);

    struct cl_delivery *liar = open_stream(alpha, 0, 12, 10);
    struct cl_delivered event = next_event(liar, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    event.opened.digest.bytes[0] ^= 1;
    assert_true(cl_is_ok(acknowledge(liar, &event, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED, NULL)));
    assert_string_equal(ended_by(liar), "ACK_WRONG");
    cl_session_deliver_close(liar);

    struct cl_delivery *dreamer = open_stream(alpha, 0, 13, 10);
    event = next_event(dreamer, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    event.sequence = 999;
    assert_true(cl_is_ok(acknowledge(dreamer, &event, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED, NULL)));
    assert_string_equal(ended_by(dreamer), "EVENT_UNKNOWN");
    cl_session_deliver_close(dreamer);
}

/* Covers: COL-DEL-006, COL-DEL-010 */
static void test_no_more_than_the_window_is_outstanding(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_delivery *narrow = open_stream(alpha, 1, 20, 1); /* 1 is acknowledged already */
    struct cl_delivered event = next_event(narrow, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    (void)submit("P03", "window");
    assert_int_equal(next(narrow, 500).kind, CL_DELIVERED_NOTHING);
    assert_true(cl_is_ok(acknowledge(narrow, &event, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED, NULL)));
    event = next_event(narrow, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    assert_true(cl_is_ok(acknowledge(narrow, &event, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED, "core-3")));
    assert_true(cl_is_ok(acknowledge(narrow, &event, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED, "core-3")));
    assert_int_equal(next(narrow, 500).kind, CL_DELIVERED_NOTHING);
    assert_true(cl_is_ok(acknowledge(narrow, &event, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED, "core-4")));
    assert_string_equal(ended_by(narrow), "ACK_WRONG"); /* applied twice under two numbers */
    cl_session_deliver_close(narrow);
}

/* -- Decisions ----------------------------------------------------------------------------------------------- */

struct decision {
    Coloan__V1__BankDecision body;
    Coloan__V1__LoanPart counter;
    const char *application_id;
    struct cl_session *session;
};

static void no_verdict(struct decision *decision)
{
    decision->body.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_UNSPECIFIED;
}

static void no_reference(struct decision *decision)
{
    decision->body.bank_reference = cl_arena_text(arena, "");
}

static void old_epoch(struct decision *decision)
{
    decision->body.bank_epoch = 0;
}

static void next_version(struct decision *decision)
{
    decision->body.offer_version = 2;
}

static void other_terms(struct decision *decision)
{
    decision->body.terms_digest.data =
        cl_arena_copy(arena, cl_bytes(decision->body.terms_digest.data, CL_DIGEST_BYTES));
    decision->body.terms_digest.data[5] ^= 1;
}

static void by_another(struct decision *decision)
{
    decision->session = beta;
}

static void counter_without_part(struct decision *decision)
{
    decision->body.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER;
}

static void counter_too_high(struct decision *decision)
{
    counter_without_part(decision);
    decision->body.counter = &decision->counter;
    decision->counter.amount_fen += 100000;
}

static struct cl_status decide(struct decision *decision, const Coloan__V1__JointOutcome **out)
{
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportBankDecision",
        .body = &decision->body.base,
        .reply_type = &coloan__v1__joint_outcome__descriptor,
        .application_id = decision->application_id,
    };
    const ProtobufCMessage *body = NULL;
    struct cl_status status = try_call(&body, decision->session, &what);
    *out = (const Coloan__V1__JointOutcome *)body;
    return status;
}

static struct decision decision_on(const Coloan__V1__Event *event)
{
    struct decision decision = {.application_id = event->application_id, .session = alpha};
    ProtobufCMessage *terms = NULL;
    const Coloan__V1__Offer *offer = event->fund_decision->offer;
    assert_true(cl_is_ok(
        cl_unpack(&terms, arena, &coloan__v1__offer_terms__descriptor, cl_bytes(offer->terms.data, offer->terms.len))));
    coloan__v1__bank_decision__init(&decision.body);
    decision.body.offer_version = event->status->offer_version;
    decision.body.terms_digest = offer->terms_digest;
    decision.body.bank_epoch = event->status->bank_epoch;
    decision.body.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    decision.body.bank_reference = cl_arena_text(arena, "core-77");
    decision.counter = *((const Coloan__V1__OfferTerms *)terms)->commercial;
    return decision;
}

static bool has_reason(const Coloan__V1__FundDecision *decision, const char *code)
{
    for (size_t i = 0; i < decision->n_reasons; i++) {
        if (strcmp(decision->reasons[i]->code, code) == 0) {
            return true;
        }
    }
    return false;
}

/* P03 is open: report on it, and its offer comes as event 4. */
/* Covers: COL-OFR-004, COL-OFR-005, COL-OFR-006, COL-OFR-007, COL-OFR-008, COL-VER-001, COL-VER-003, COL-JNT-001,
 *         COL-LIF-001 */
static void test_only_the_right_decision_ends_a_case(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_delivery *stream = open_stream(alpha, 2, 30, 10);
    struct cl_delivered event = next_event(stream, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    char *id = event.event->application_id;
    struct decision early = {.application_id = id, .session = alpha};
    coloan__v1__bank_decision__init(&early.body);
    early.body.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE;
    early.body.bank_epoch = 1;
    early.body.bank_reference = cl_arena_text(arena, "core-0");
    const Coloan__V1__JointOutcome *outcome = NULL;
    assert_string_equal(cl_status_name(decide(&early, &outcome)), "STATE_CONFLICT");

    Coloan__V1__VerificationReport *body = world_bank_report(arena, people_find(world.people, "P03"));
    assert_string_equal(cl_status_name(report(beta, id, body)), "APPLICATION_UNKNOWN");
    Coloan__V1__Item right = body->results[0]->item;
    body->results[0]->item = COLOAN__V1__ITEM__ITEM_CONTRIBUTION;
    assert_string_equal(cl_status_name(report(alpha, id, body)), "ITEM_NOT_OWNED");
    body->results[0]->item = right;
    assert_string_equal(cl_status_name(report(alpha, id, body)), "OK");
    assert_string_equal(cl_status_name(report(alpha, id, body)), "STATE_CONFLICT");
    event = next_event(stream, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);

    static const struct {
        const char *name;
        void (*spoil)(struct decision *decision);
        enum cl_reason reason;
    } rows[] = {
        {"no verdict", no_verdict, CL_FIELD_MISSING},
        {"no reference", no_reference, CL_FIELD_MISSING},
        {"old epoch", old_epoch, CL_STALE_EPOCH},
        {"a version that is not", next_version, CL_OFFER_STALE},
        {"other terms", other_terms, CL_TERMS_DIGEST_WRONG},
        {"another bank", by_another, CL_APPLICATION_UNKNOWN},
        {"counter without a part", counter_without_part, CL_FIELD_MISSING},
        {"counter above the offer", counter_too_high, CL_AMOUNT_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decision decision = decision_on(event.event);
        rows[i].spoil(&decision);
        struct cl_status status = decide(&decision, &outcome);
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s, expected %s", rows[i].name, cl_status_name(status), cl_reason_info(rows[i].reason)->name);
        }
    }

    /* A counter-offer makes version 2, which the bank then has to approve. It asks for 40 years, which the fund cannot
     * give: the fund answers with its longest, and says why. */
    struct decision counter = decision_on(event.event);
    counter.body.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER;
    counter.counter.amount_fen = 60000000;
    counter.counter.term_months = 480;
    struct cl_loan loan = {.principal_fen = counter.counter.amount_fen,
                           .rate_ppm = counter.counter.rate_ppm,
                           .term_months = counter.counter.term_months,
                           .method = (enum cl_repayment)counter.counter.method};
    assert_true(cl_is_ok(cl_first_instalment(&counter.counter.instalment_fen, &loan)));
    counter.body.counter = &counter.counter;
    struct cl_status status = decide(&counter, &outcome);
    assert_string_equal(cl_status_name(status), "OK");
    assert_int_equal(outcome->offer_version, 2);
    assert_int_equal(outcome->outcome, COLOAN__V1__OUTCOME__OUTCOME_PENDING);
    struct decision old = decision_on(event.event);
    assert_string_equal(cl_status_name(decide(&old, &outcome)), "OFFER_STALE");
    event = next_event(stream, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
    struct decision approve = decision_on(event.event);
    assert_int_equal(approve.counter.amount_fen, 60000000);
    assert_int_equal(approve.counter.term_months, 360);
    assert_true(has_reason(event.event->fund_decision, "TRM-MAX"));
    assert_string_equal(cl_status_name(decide(&approve, &outcome)), "OK");
    assert_int_equal(outcome->outcome, COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED);
    event = next_event(stream, COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION);
    assert_int_equal(event.event->joint_decision->outcome, COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED);
    assert_string_equal(cl_status_name(decide(&approve, &outcome)), "STATE_CONFLICT"); /* once is for ever */
    cl_session_deliver_close(stream);
}

/* Covers: COL-DEL-017 */
static void test_stopping_drains_the_streams(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_delivery *stream = open_stream(alpha, 0, 40, 1);
    assert_int_equal(next(stream, WAIT_MS).kind, CL_DELIVERED_EVENT);
    coloand_stop(world.server);
    world.server = NULL;
    struct cl_delivered delivered;
    do {
        delivered = next(stream, WAIT_MS);
    } while (delivered.kind == CL_DELIVERED_EVENT);
    assert_int_equal(delivered.kind, CL_DELIVERED_DRAIN);
    assert_string_equal(ended_by(stream), "OK");
    cl_session_deliver_close(stream);
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    beta = world_session(&world, "beta", WORLD_KEY_BETA);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_resumes_after_what_is_durable),
        cmocka_unit_test(test_a_newer_session_fences_the_older),
        cmocka_unit_test(test_wrong_frames_end_the_stream),
        cmocka_unit_test(test_no_more_than_the_window_is_outstanding),
        cmocka_unit_test(test_only_the_right_decision_ends_a_case),
        cmocka_unit_test(test_stopping_drains_the_streams),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_session_free(beta);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
