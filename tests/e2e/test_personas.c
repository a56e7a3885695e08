/* Every persona through the real thing: submitted by a bank over mutual TLS, verified over HTTP, decided, pushed, decided
 * by the bank, and compared to the fen with what sandbox/personas.yaml expects. The signatures in every joint decision
 * are verified with the key directory alone. */
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

#include "libcoloan/wirescan.h"
#include "tests/e2e/world.h"

enum { PERSONAS_MAX = 64, EVENT_WAIT_MS = 20000, ARENA_BYTES = 4 * 1024 * 1024 };

/* What the bank's stream told of one persona. */
struct told {
    char id[64];
    Coloan__V1__Outcome outcome; /* of the last status */
    bool joint, fund_decided;
    char binding_limit[32];
    char reasons[16][24];
    size_t reason_count;
    struct {
        int64_t amount_fen, instalment_fen;
        int32_t rate_ppm, term_months;
    } fund, commercial;
    int64_t down_payment_fen;
    bool has_terms, subsidy;
};

struct bank {
    struct world *world;
    struct cl_session *session;
    struct cl_delivery *delivery;
    struct told told[PERSONAS_MAX];
    size_t told_count, ended_count;
};

static struct told *told_of(struct bank *bank, const char *external_ref)
{
    for (size_t i = 0; i < bank->told_count; i++) {
        if (strcmp(bank->told[i].id, external_ref) == 0) {
            return &bank->told[i];
        }
    }
    fail_msg("an event of nobody: %s", external_ref);
    return NULL;
}

static const ProtobufCMessage *call(struct bank *bank, struct cl_arena *arena, const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, bank->session, arena, what, (struct cl_patience){.total_ms = 10000});
    if (cl_failed(status)) {
        fail_msg("%s: %s %s", what->method, cl_status_name(status), answer.field);
    }
    return answer.body;
}

static void report(struct bank *bank, struct cl_arena *arena, const Coloan__V1__Event *event)
{
    const json_t *persona = people_find(bank->world->people, event->status->external_ref);
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &world_bank_report(arena, persona)->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = event->application_id,
    };
    (void)call(bank, arena, &what);
}

static void read_terms(struct told *told, struct cl_arena *arena, const Coloan__V1__Offer *offer)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status =
        cl_unpack(&message, arena, &coloan__v1__offer_terms__descriptor, cl_bytes(offer->terms.data, offer->terms.len));
    assert_true(cl_is_ok(status));
    const Coloan__V1__OfferTerms *terms = (const Coloan__V1__OfferTerms *)message;
    told->has_terms = true;
    told->fund.amount_fen = terms->fund->amount_fen;
    told->fund.rate_ppm = terms->fund->rate_ppm;
    told->fund.term_months = terms->fund->term_months;
    told->fund.instalment_fen = terms->fund->instalment_fen;
    told->commercial.amount_fen = terms->commercial->amount_fen;
    told->commercial.rate_ppm = terms->commercial->rate_ppm;
    told->commercial.term_months = terms->commercial->term_months;
    told->commercial.instalment_fen = terms->commercial->instalment_fen;
    told->down_payment_fen = terms->down_payment_fen;
    told->subsidy = terms->interest_subsidy != 0;
}

static void decide(struct bank *bank, struct cl_arena *arena, const Coloan__V1__Event *event)
{
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    decision.offer_version = event->status->offer_version;
    decision.terms_digest = event->fund_decision->offer->terms_digest;
    decision.bank_epoch = event->status->bank_epoch;
    decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    decision.bank_reference = event->status->external_ref;
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportBankDecision",
        .body = &decision.base,
        .reply_type = &coloan__v1__joint_outcome__descriptor,
        .application_id = event->application_id,
    };
    const Coloan__V1__JointOutcome *outcome = (const Coloan__V1__JointOutcome *)call(bank, arena, &what);
    assert_int_equal(outcome->outcome, COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED);
}

static void take_fund_decision(struct bank *bank, struct cl_arena *arena, const Coloan__V1__Event *event)
{
    struct told *told = told_of(bank, event->status->external_ref);
    const Coloan__V1__FundDecision *decision = event->fund_decision;
    told->fund_decided = true;
    (void)snprintf(told->binding_limit, sizeof told->binding_limit, "%s", decision->binding_limit);
    told->reason_count = decision->n_reasons;
    for (size_t i = 0; i < decision->n_reasons; i++) {
        (void)snprintf(told->reasons[i], sizeof told->reasons[i], "%s", decision->reasons[i]->code);
    }
    if (decision->offer != NULL) {
        read_terms(told, arena, decision->offer);
    }
    if (event->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED) {
        decide(bank, arena, event);
    } else if (event->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT ||
               event->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL) {
        bank->ended_count++;
    }
}

static void verify_offline(const struct bank *bank, ProtobufCBinaryData envelope, const char *sender)
{
    struct cl_arena *arena = NULL;
    struct cl_opened opened;
    assert_true(cl_is_ok(cl_arena_create(&arena, ARENA_BYTES)));
    struct cl_status status =
        cl_envelope_verify(&opened, arena, cl_bytes(envelope.data, envelope.len), bank->world->keyring);
    assert_string_equal(cl_status_name(status), "OK");
    assert_string_equal(opened.header->sender, sender);
    cl_arena_free(arena);
}

static void take_joint_decision(struct bank *bank, const Coloan__V1__Event *event)
{
    const Coloan__V1__JointDecision *joint = event->joint_decision;
    struct told *told = told_of(bank, event->status->external_ref);
    assert_false(told->joint);
    told->joint = true;
    assert_int_equal(joint->outcome, event->status->outcome);
    verify_offline(bank, joint->fund_envelope, WORLD_CENTRE);
    if (joint->outcome == COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED) {
        verify_offline(bank, joint->bank_envelope, WORLD_ALPHA);
        assert_int_equal(joint->terms_digest.len, CL_DIGEST_BYTES);
    }
    bank->ended_count++;
}

static void acknowledge(struct bank *bank, struct cl_arena *arena, const struct cl_delivered *delivered)
{
    struct cl_deliver_ack ack = {.sequence = delivered->sequence,
                                 .digest = delivered->opened.digest,
                                 .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED,
                                 .application_id = delivered->event->application_id};
    assert_true(cl_is_ok(cl_session_deliver_ack(bank->delivery, arena, &ack)));
    ack.level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED;
    ack.reference = "core-1";
    assert_true(cl_is_ok(cl_session_deliver_ack(bank->delivery, arena, &ack)));
}

static void take_event(struct bank *bank, struct cl_arena *arena, const struct cl_delivered *delivered)
{
    const Coloan__V1__Event *event = delivered->event;
    told_of(bank, event->status->external_ref)->outcome = event->status->outcome;
    switch (event->kind) {
    case COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION:
        assert_true(delivered->opened.disclosure_count >= 4);
        report(bank, arena, event);
        break;
    case COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION:
        take_fund_decision(bank, arena, event);
        break;
    case COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION:
        take_joint_decision(bank, event);
        break;
    case COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS:
    case COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED:
    case COLOAN__V1__EVENT_KIND__EVENT_KIND_CONSENT_WITHDRAWN:
    case COLOAN__V1__EVENT_KIND__EVENT_KIND_UNSPECIFIED:
    default:
        break;
    }
    acknowledge(bank, arena, delivered);
}

static void submit(struct bank *bank, struct cl_arena *arena, const json_t *persona)
{
    const char *id = json_string_value(json_object_get(persona, "id"));
    struct world_submission submission;
    world_submission(&submission, arena, persona, WORLD_ALPHA, id);
    struct cl_session_call what = world_submit_call(&submission);
    (void)snprintf(bank->told[bank->told_count++].id, sizeof bank->told[0].id, "%s", id);
    const Coloan__V1__ApplicationReceipt *receipt = (const Coloan__V1__ApplicationReceipt *)call(bank, arena, &what);
    assert_string_equal(receipt->status->external_ref, id);
}

/* -- Comparing ----------------------------------------------------------------------------------------------- */

static const char *outcome_name(Coloan__V1__Outcome outcome)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&coloan__v1__outcome__descriptor, (int)outcome);
    return value->name + strlen("OUTCOME_");
}

static void compare_number(const struct told *told, const json_t *expect, const char *key, int64_t value)
{
    const json_t *wanted = json_object_get(expect, key);
    if (wanted != NULL && json_integer_value(wanted) != value) {
        fail_msg("%s %s: %lld, expected %lld", told->id, key, (long long)value, (long long)json_integer_value(wanted));
    }
}

static void compare_reasons(const struct told *told, const json_t *reasons)
{
    size_t index = 0;
    json_t *wanted = NULL;
    json_array_foreach(reasons, index, wanted)
    {
        bool found = false;
        for (size_t i = 0; i < told->reason_count; i++) {
            found = found || strcmp(told->reasons[i], json_string_value(wanted)) == 0;
        }
        if (!found) {
            fail_msg("%s: reason %s is missing", told->id, json_string_value(wanted));
        }
    }
}

static void compare(const struct told *told, const json_t *expect)
{
    const char *outcome = json_string_value(json_object_get(expect, "outcome"));
    (void)printf("%-5s %-20s fund %9lld commercial %9lld %s\n", told->id, outcome_name(told->outcome),
                 (long long)(told->fund.amount_fen / 100), (long long)(told->commercial.amount_fen / 100),
                 told->binding_limit);
    assert_string_equal(outcome_name(told->outcome), outcome);
    compare_reasons(told, json_object_get(expect, "reasons"));
    const char *binding = json_string_value(json_object_get(expect, "binding_limit"));
    if (binding != NULL) {
        assert_string_equal(told->binding_limit, binding);
    }
    if (!told->has_terms) {
        return;
    }
    compare_number(told, expect, "fund_fen", told->fund.amount_fen);
    compare_number(told, expect, "commercial_fen", told->commercial.amount_fen);
    compare_number(told, expect, "term_months", told->fund.term_months);
    compare_number(told, expect, "fund_rate_ppm", told->fund.rate_ppm);
    compare_number(told, expect, "commercial_rate_ppm", told->commercial.rate_ppm);
    compare_number(told, expect, "fund_instalment_fen", told->fund.instalment_fen);
    compare_number(told, expect, "commercial_instalment_fen", told->commercial.instalment_fen);
    compare_number(told, expect, "down_payment_fen", told->down_payment_fen);
}

/* Under which rule set this run goes: the personas' "expect", or "expect_relaxed" of those who have one. */
static const char *expectation = "expect";

/* Covers: COL-DEC-001, COL-DEC-004, COL-JNT-002, COL-JNT-003, COL-OFR-001, COL-OFR-002 */
static void test_every_persona_ends_as_expected(void **state)
{
    struct world *world = *state;
    struct bank *bank = calloc(1, sizeof *bank);
    struct cl_arena *arena = NULL;
    assert_non_null(bank);
    assert_true(cl_is_ok(cl_arena_create(&arena, ARENA_BYTES)));
    bank->world = world;
    bank->session = world_session(world, "alpha", WORLD_KEY_ALPHA);
    struct cl_deliver_options options = {.epoch = 1, .max_outstanding = 64, .session_id = {1}};
    assert_true(cl_is_ok(cl_session_deliver_open(&bank->delivery, bank->session, &options)));
    for (size_t i = 0; people_at(world->people, i) != NULL; i++) {
        cl_arena_reset(arena);
        if (json_object_get(people_at(world->people, i), expectation) != NULL) {
            submit(bank, arena, people_at(world->people, i));
        }
    }
    assert_true(bank->told_count > 0);
    while (bank->ended_count < bank->told_count) {
        struct cl_delivered delivered;
        cl_arena_reset(arena);
        struct cl_status status = cl_session_deliver_next(&delivered, bank->delivery, arena, EVENT_WAIT_MS);
        assert_string_equal(cl_status_name(status), "OK");
        if (delivered.kind == CL_DELIVERED_NOTHING || delivered.kind == CL_DELIVERED_END) {
            fail_msg("the stream ended or fell silent: %s", cl_status_name(delivered.ended));
        }
        if (delivered.kind == CL_DELIVERED_EVENT) {
            take_event(bank, arena, &delivered);
        }
    }
    for (size_t i = 0; i < bank->told_count; i++) {
        compare(&bank->told[i], json_object_get(people_find(world->people, bank->told[i].id), expectation));
    }
    cl_session_deliver_close(bank->delivery);
    cl_session_free(bank->session);
    cl_arena_free(arena);
    free(bank);
}

int main(int argc, char **argv)
{
    struct world world;
    struct world_options options = {0};
    if (argc == 2 && strcmp(argv[1], "relaxed") == 0) {
        options.rules = "variants/RELAXED-2026-08";
        expectation = "expect_relaxed";
    }
    world_open(&world, &options);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_every_persona_ends_as_expected, &world),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_close(&world);
    return failed;
}
