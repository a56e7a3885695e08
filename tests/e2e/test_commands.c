/* The borrower's commands at every state of a case, with a whole server: what the tables do not allow is refused, and so
 * is every bad content; each refusal leaves the case as it was, to the byte. The same bytes sent again do nothing more
 * and are answered with the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "libcoloan/personal.h"
#include "server/cases/deadline.h"
#include "tests/e2e/journey.h"
#include "tests/support/dump.h"

#define STATE(name) COLOAN__V1__CASE_STATE__CASE_STATE_##name
#define KIND(name)  COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_##name
#define FUND        COLOAN__V1__LEG__LEG_FUND
#define BANK        COLOAN__V1__LEG__LEG_COMMERCIAL
#define JOINT       "coloan.v1.JointApproval/"
#define YEAR_MS     (365 * JOURNEY_DAY_MS)

enum { CALL_MS = 10000, TRIES = 400 };

enum command { SUPPLEMENT = 1, CHANGE_BANK = 2, WITHDRAW = 4, CONFIRM = 8, CHOOSE_RULES = 16, COMMANDS_END = 32 };

static struct world world;
static struct journey journey; /* alpha's */
static struct cl_session *channel, *beta, *other_fund;
static struct cl_arena *arena;

/* -- Messages ------------------------------------------------------------------------------------------------ */

static ProtobufCBinaryData bytes_of(uint8_t fill, size_t len)
{
    uint8_t *data = cl_arena_array(arena, len + 1, 1);
    assert_non_null(data);
    memset(data, fill, len);
    return (ProtobufCBinaryData){.data = data, .len = len};
}

static struct cl_session_call make_call(const char *method, const ProtobufCMessage *body)
{
    return (struct cl_session_call){.method = method,
                                    .body = body,
                                    .reply_type = &coloan__v1__application_status__descriptor,
                                    .application_id = journey.id};
}

static Coloan__V1__Consent *consent(const char *id, unsigned person, Coloan__V1__ConsentPurpose purpose,
                                    const char *receiver)
{
    Coloan__V1__Consent *made = cl_arena_alloc(arena, sizeof *made);
    assert_non_null(made);
    coloan__v1__consent__init(made);
    made->consent_id = cl_arena_text(arena, id);
    made->person = person;
    made->purpose = purpose;
    made->receiver = cl_arena_text(arena, receiver);
    made->until_ms = world_now_ms(&world) + YEAR_MS;
    made->document_sha256 = bytes_of(5, CL_DIGEST_BYTES);
    return made;
}

/* One person's, in the order CREDIT_REPORT, SHARE. */
static Coloan__V1__BankChange *bank_change(const char *bank, uint32_t bank_epoch, size_t person_count)
{
    static unsigned number;
    Coloan__V1__BankChange *change = cl_arena_alloc(arena, sizeof *change);
    assert_non_null(change);
    coloan__v1__bank_change__init(change);
    change->bank = cl_arena_text(arena, bank);
    change->bank_epoch = bank_epoch;
    change->consents = cl_arena_array(arena, 2 * person_count, sizeof(Coloan__V1__Consent *));
    for (unsigned i = 0; i < 2 * person_count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "change-%u", ++number);
        change->consents[change->n_consents++] =
            consent(id, i / 2,
                    i % 2 == 0 ? COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_CREDIT_REPORT
                               : COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE,
                    bank);
    }
    return change;
}

static Coloan__V1__OfferConfirmation *confirmation(const Coloan__V1__ApplicationView *view)
{
    Coloan__V1__OfferConfirmation *made = cl_arena_alloc(arena, sizeof *made);
    assert_non_null(made);
    coloan__v1__offer_confirmation__init(made);
    made->offer_version = view->status->offer_version == 0 ? 1 : view->status->offer_version;
    made->terms_digest = view->offer == NULL ? bytes_of(1, CL_DIGEST_BYTES) : view->offer->terms_digest;
    made->document_sha256 = bytes_of(2, CL_DIGEST_BYTES);
    return made;
}

static Coloan__V1__RuleChoice *rule_choice(const char *rule_set)
{
    Coloan__V1__RuleChoice *made = cl_arena_alloc(arena, sizeof *made);
    assert_non_null(made);
    coloan__v1__rule_choice__init(made);
    made->rule_set = cl_arena_text(arena, rule_set);
    made->document_sha256 = bytes_of(3, CL_DIGEST_BYTES);
    return made;
}

static Coloan__V1__Withdrawal *withdrawal(const char *reason)
{
    Coloan__V1__Withdrawal *made = cl_arena_alloc(arena, sizeof *made);
    assert_non_null(made);
    coloan__v1__withdrawal__init(made);
    made->reason = cl_arena_text(arena, reason);
    return made;
}

/* The persona as it was submitted, once more. */
static struct world_submission *whole_application(const char *persona, const char *external_ref)
{
    struct world_submission *made = cl_arena_alloc(arena, sizeof *made);
    assert_non_null(made);
    world_submission(made, arena, people_find(world.people, persona), WORLD_ALPHA, external_ref);
    return made;
}

/* The same persons, home and consents once more, under fresh salts. */
static struct world_submission *submitted_again(const char *persona, const char *external_ref, int64_t until_ms)
{
    struct world_submission *made = whole_application(persona, external_ref);
    for (size_t i = 0; i < made->application->n_consents; i++) {
        made->application->consents[i]->until_ms = until_ms;
    }
    return made;
}

static struct cl_session_call supplement_call(const struct world_submission *made)
{
    struct cl_session_call call = make_call(JOINT "SupplementApplication", &made->application->base);
    call.disclosures = made->disclosures;
    call.disclosure_count = made->disclosure_count;
    return call;
}

/* A good command of each kind, for the case as it stands. */
static struct cl_session_call good(enum command command, const Coloan__V1__ApplicationView *view)
{
    switch (command) {
    case SUPPLEMENT:
        return supplement_call(whole_application(journey.persona, view->status->external_ref));
    case CHANGE_BANK: {
        size_t persons = json_array_size(json_object_get(people_find(world.people, journey.persona), "people"));
        return make_call(JOINT "ChangeBank", &bank_change(WORLD_BETA, view->status->bank_epoch, persons)->base);
    }
    case WITHDRAW:
        return make_call(JOINT "WithdrawApplication", &withdrawal("FOUND-OTHER")->base);
    case CONFIRM:
        return make_call(JOINT "ConfirmOffer", &confirmation(view)->base);
    case CHOOSE_RULES:
    case COMMANDS_END:
        break;
    }
    return make_call(JOINT "ChooseRules", &rule_choice("REF-NONE")->base);
}

/* -- Trying -------------------------------------------------------------------------------------------------- */

static char *dump(void)
{
    return dump_application(pki_files_path(&world.files, "coloan.db"), journey.id);
}

/* "REASON field", or "OK". */
static const char *attempt(struct cl_session *session, const struct cl_session_call *call)
{
    static char text[160];
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, call, (struct cl_patience){.total_ms = CALL_MS});
    assert_true(cl_is_ok(status) || (answer.refused && answer.refusal_signed));
    bool named = cl_failed(status) && answer.field[0] != '\0';
    (void)snprintf(text, sizeof text, "%s%s%s", cl_status_name(status), named ? " " : "", named ? answer.field : "");
    return text;
}

/* Refused with that, and nothing but the refusal remains of it. */
static void refused(const char *what, struct cl_session *session, const struct cl_session_call *call,
                    const char *expected)
{
    char *before = dump();
    const char *got = attempt(session, call);
    char *after = dump();
    if (strcmp(got, expected) != 0) {
        fail_msg("%s: %s, not %s", what, got, expected);
    }
    if (strcmp(before, after) != 0) {
        fail_msg("%s: the case changed from\n%s to\n%s", what, before, after);
    }
    free(before);
    free(after);
}

/* Every command but those allowed is refused at this state; and nobody else may send any at all. */
static void only(Coloan__V1__CaseState state, unsigned allowed)
{
    cl_arena_reset(arena);
    const Coloan__V1__ApplicationView *view = journey_view(&journey);
    assert_int_equal(view->status->state, state);
    for (unsigned command = SUPPLEMENT; command < COMMANDS_END; command *= 2) {
        char what[64];
        (void)snprintf(what, sizeof what, "command %u at state %d", command, (int)state);
        const struct cl_session_call call = good((enum command)command, view);
        if ((allowed & command) == 0) {
            refused(what, channel, &call, "STATE_CONFLICT");
        }
        bool by_fund = command == CHANGE_BANK;
        refused(what, beta, &call, by_fund ? "CALLER_NOT_ALLOWED" : "APPLICATION_UNKNOWN");
        refused(what, other_fund, &call, by_fund ? "APPLICATION_UNKNOWN" : "CALLER_NOT_ALLOWED");
    }
}

static const Coloan__V1__ApplicationStatus *done(const struct cl_session_call *call)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, channel, arena, call, (struct cl_patience){.total_ms = CALL_MS});
    if (cl_failed(status)) {
        fail_msg("%s: %s %s", call->method, cl_status_name(status), answer.field);
    }
    return (const Coloan__V1__ApplicationStatus *)answer.body;
}

/* The same bytes twice: one effect, one answer. */
static const Coloan__V1__ApplicationStatus *done_once(const struct cl_session_call *call)
{
    const struct cl_patience patience = {.total_ms = CALL_MS};
    struct cl_request request;
    struct cl_answer first;
    struct cl_answer second;
    assert_true(cl_is_ok(cl_session_prepare(&request, channel, arena, call)));
    struct cl_status status = cl_session_send(&first, channel, arena, &request, patience);
    if (cl_failed(status)) {
        fail_msg("%s: %s %s", call->method, cl_status_name(status), first.field);
    }
    char *before = dump();
    assert_string_equal(cl_status_name(cl_session_send(&second, channel, arena, &request, patience)), "OK");
    char *after = dump();
    assert_true(cl_bytes_equal(first.envelope, second.envelope));
    assert_string_equal(before, after);
    free(before);
    free(after);
    return (const Coloan__V1__ApplicationStatus *)second.body;
}

/* -- Cases --------------------------------------------------------------------------------------------------- */

static int64_t consents_until_ms; /* of the last submission */

/* Handed in by the channel; every item but the bank's is settled when it returns. */
static void submit(const char *persona, const char *external_ref, unsigned open_at_the_bank)
{
    cl_arena_reset(arena);
    struct world_submission *made = whole_application(persona, external_ref);
    struct cl_session_call call = world_submit_call(made);
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, channel, arena, &call, (struct cl_patience){.total_ms = CALL_MS});
    assert_string_equal(cl_status_name(status), "OK");
    const Coloan__V1__ApplicationReceipt *receipt = (const Coloan__V1__ApplicationReceipt *)answer.body;
    (void)snprintf(journey.id, sizeof journey.id, "%s", receipt->application_id);
    consents_until_ms = made->application->consents[0]->until_ms;
    journey.persona = persona;
    unsigned open = 0;
    for (int tries = 0; tries < TRIES; tries++) {
        cl_arena_reset(journey.arena);
        open = journey_view(&journey)->status->items->open;
        if (open == open_at_the_bank) {
            return;
        }
        journey_tick(&journey);
    }
    fail_msg("%u items are open", open);
}

/* On the offer on the table. */
static struct cl_session_call decision_call(Coloan__V1__BankVerdict verdict)
{
    const Coloan__V1__ApplicationView *view = journey_view(&journey);
    Coloan__V1__BankDecision *decision = cl_arena_alloc(arena, sizeof *decision);
    assert_non_null(decision);
    coloan__v1__bank_decision__init(decision);
    decision->offer_version = view->status->offer_version;
    decision->terms_digest = view->offer->terms_digest;
    decision->bank_epoch = view->status->bank_epoch;
    decision->verdict = verdict;
    decision->bank_reference = view->status->external_ref;
    struct cl_session_call call = make_call(JOINT "ReportBankDecision", &decision->base);
    call.reply_type = &coloan__v1__joint_outcome__descriptor;
    return call;
}

static void decide(Coloan__V1__BankVerdict verdict)
{
    struct cl_session_call call = decision_call(verdict);
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, journey.bank, arena, &call, (struct cl_patience){.total_ms = CALL_MS});
    assert_string_equal(cl_status_name(status), "OK");
}

static void to_offer(const char *persona, const char *external_ref, unsigned open_at_the_bank)
{
    submit(persona, external_ref, open_at_the_bank);
    journey_report(&journey, persona);
    journey_until(&journey, STATE(OFFERED));
}

static void to_confirmation(const char *persona, const char *external_ref, unsigned open_at_the_bank)
{
    to_offer(persona, external_ref, open_at_the_bank);
    journey_approve(&journey);
    journey_until(&journey, STATE(APPROVED));
    journey_confirm(&journey);
}

/* -- Every state --------------------------------------------------------------------------------------------- */

enum { BEFORE_SIGNING = CHANGE_BANK | WITHDRAW | CHOOSE_RULES };

/* Covers: COL-LIF-001, COL-BOR-004, COL-BOR-006, COL-DUP-002 */
static void test_a_straight_life(void **state)
{
    (void)state;
    submit("P01", "C-LIFE", 2);
    only(STATE(VERIFYING), BEFORE_SIGNING);
    journey_report(&journey, "P01");
    journey_until(&journey, STATE(OFFERED));
    only(STATE(OFFERED), BEFORE_SIGNING);
    journey_approve(&journey);
    only(STATE(APPROVED), BEFORE_SIGNING | CONFIRM);
    cl_arena_reset(arena);
    const struct cl_session_call accept = good(CONFIRM, journey_view(&journey));
    assert_int_equal(done_once(&accept)->state, STATE(CONFIRMED));
    only(STATE(CONFIRMED), BEFORE_SIGNING);
    journey_tell(&journey, KIND(SIGNED), FUND);
    only(STATE(SIGNING), 0);
    journey_tell(&journey, KIND(SIGNED), BANK);
    only(STATE(SIGNED), 0);
    journey_file(&journey);
    only(STATE(REGISTERING), 0);
    for (int poll = 0; poll < 3; poll++) {
        long long polls = journey_metric(&journey, "coloan_polls_total");
        journey_to_due(&journey, DUE_POLL);
        for (int tries = 0; tries < TRIES && journey_metric(&journey, "coloan_polls_total") == polls; tries++) {
            journey_tick(&journey);
        }
        for (int tries = 0; tries < 5; tries++) {
            journey_tick(&journey);
        }
    }
    journey_until(&journey, STATE(READY));
    only(STATE(READY), 0);
    journey_tell(&journey, KIND(DISBURSED), FUND);
    only(STATE(HALF_DISBURSED), 0);
    journey_tell(&journey, KIND(DISBURSED), BANK);
    only(STATE(REPAYING), 0);
    journey_tell(&journey, KIND(SETTLED), FUND);
    journey_tell(&journey, KIND(SETTLED), BANK);
    only(STATE(SETTLED), 0);
}

/* Covers: COL-LIF-001 */
static void test_where_it_does_not_run_straight(void **state)
{
    (void)state;
    submit("P21", "C-MANUAL", 2);
    journey_report(&journey, "P21");
    journey_until(&journey, STATE(MANUAL));
    only(STATE(MANUAL), BEFORE_SIGNING);

    submit("P05", "C-REJECTED", 2);
    journey_report(&journey, "P05");
    journey_until(&journey, STATE(REJECTED));
    only(STATE(REJECTED), 0);

    to_offer("P03", "C-DECLINED", 2);
    decide(COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE);
    only(STATE(DECLINED), BEFORE_SIGNING);
    cl_arena_reset(arena);
    const struct cl_session_call call = good(WITHDRAW, journey_view(&journey));
    assert_int_equal(done(&call)->state, STATE(WITHDRAWN));
    only(STATE(WITHDRAWN), 0);

    to_confirmation("P06", "C-BANK-FIRST", 2); /* the other contract first */
    journey_tell(&journey, KIND(SIGNED), BANK);
    only(STATE(SIGNING), 0);
    journey_tell(&journey, KIND(CANCELLED), COLOAN__V1__LEG__LEG_UNSPECIFIED);
    only(STATE(CANCELLED), 0);
}

/* -- Bad content --------------------------------------------------------------------------------------------- */

/* Covers: COL-BOR-005 */
static void test_bad_confirmations(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t version_less;
        size_t digest_len, document_len;
        bool other_digest;
        const char *refusal;
    } rows[] = {
        {"an older version", 1, 32, 32, false, "OFFER_STALE offer_version"},
        {"a version to come", UINT32_MAX, 32, 32, false, "OFFER_STALE offer_version"},
        {"other terms", 0, 32, 32, true, "TERMS_DIGEST_WRONG terms_digest"},
        {"half a digest", 0, 31, 32, false, "TERMS_DIGEST_WRONG terms_digest"},
        {"no digest", 0, 0, 32, false, "TERMS_DIGEST_WRONG terms_digest"},
        {"no document", 0, 32, 0, false, "FIELD_MISSING document_sha256"},
        {"a document of 31 bytes", 0, 32, 31, false, "FIELD_INVALID document_sha256"},
        {"a document of 33 bytes", 0, 32, 33, false, "FIELD_INVALID document_sha256"},
    };
    to_offer("P07", "C-CONFIRM", 3);
    journey_approve(&journey);
    cl_arena_reset(arena);
    const Coloan__V1__ApplicationView *view = journey_view(&journey);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__OfferConfirmation *body = confirmation(view);
        body->offer_version -= rows[i].version_less;
        body->terms_digest = rows[i].other_digest
                                 ? bytes_of(7, CL_DIGEST_BYTES)
                                 : (ProtobufCBinaryData){.data = body->terms_digest.data, .len = rows[i].digest_len};
        body->document_sha256 = bytes_of(4, rows[i].document_len);
        const struct cl_session_call call = make_call(JOINT "ConfirmOffer", &body->base);
        refused(rows[i].name, channel, &call, rows[i].refusal);
    }
    int64_t until_ms = journey_terms(&journey)->valid_until_ms;
    journey_wait_ms(&journey, until_ms - world_now_ms(&world)); /* nobody has ticked: the case is not expired yet */
    struct cl_session_call late = make_call(JOINT "ConfirmOffer", &confirmation(journey_view(&journey))->base);
    refused("a moment late", channel, &late, "OFFER_EXPIRED");
    journey_until(&journey, STATE(EXPIRED));
    only(STATE(EXPIRED), 0);
}

/* Covers: COL-OFR-005 */
static void test_a_decision_on_an_offer_that_has_ended(void **state)
{
    (void)state;
    to_offer("P03", "C-LATE-BANK", 2);
    int64_t until_ms = journey_terms(&journey)->valid_until_ms;
    journey_wait_ms(&journey, until_ms - world_now_ms(&world)); /* nobody has ticked: the case is not expired yet */
    static const Coloan__V1__BankVerdict verdicts[] = {COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE,
                                                       COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE};
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        struct cl_session_call late = decision_call(verdicts[i]);
        refused("a decision a moment late", journey.bank, &late, "OFFER_EXPIRED");
    }
    journey_until(&journey, STATE(EXPIRED));
    only(STATE(EXPIRED), 0);
}

typedef void spoil_change(Coloan__V1__BankChange *change);

static void no_bank(Coloan__V1__BankChange *change)
{
    change->bank = cl_arena_text(arena, "");
}

static void unknown_bank(Coloan__V1__BankChange *change)
{
    change->bank = cl_arena_text(arena, "bank:cn-nobody");
}

static void a_channel(Coloan__V1__BankChange *change)
{
    change->bank = cl_arena_text(arena, WORLD_CHANNEL);
}

static void the_same_bank(Coloan__V1__BankChange *change)
{
    change->bank = cl_arena_text(arena, WORLD_ALPHA);
}

static void an_old_epoch(Coloan__V1__BankChange *change)
{
    change->bank_epoch--;
}

static void an_epoch_to_come(Coloan__V1__BankChange *change)
{
    change->bank_epoch++;
}

static void no_consents(Coloan__V1__BankChange *change)
{
    change->n_consents = 0;
}

static void no_share(Coloan__V1__BankChange *change)
{
    change->n_consents--;
}

static void a_consent_to_another(Coloan__V1__BankChange *change)
{
    change->consents[1]->receiver = cl_arena_text(arena, WORLD_ALPHA);
}

static void a_consent_that_ended(Coloan__V1__BankChange *change)
{
    change->consents[0]->until_ms = world_now_ms(&world) - 1;
}

static void a_consent_twice(Coloan__V1__BankChange *change)
{
    change->consents[1]->consent_id = change->consents[0]->consent_id;
}

static void a_consent_of_the_submission(Coloan__V1__BankChange *change)
{
    change->consents[0]->consent_id = cl_arena_text(arena, "C-CHANGE-0-0");
}

static void no_letter(Coloan__V1__BankChange *change)
{
    change->consents[0]->document_sha256.len = 0;
}

/* Covers: COL-BOR-003 */
static void test_bad_changes_of_bank(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        spoil_change *spoil;
        const char *refusal;
    } rows[] = {
        {"no bank", no_bank, "BANK_UNKNOWN bank"},
        {"an unknown bank", unknown_bank, "BANK_UNKNOWN bank"},
        {"a channel", a_channel, "BANK_UNKNOWN bank"},
        {"the same bank", the_same_bank, "BANK_UNCHANGED bank"},
        {"an old epoch", an_old_epoch, "STALE_EPOCH bank_epoch"},
        {"an epoch to come", an_epoch_to_come, "STALE_EPOCH bank_epoch"},
        {"no consents", no_consents, "CONSENT_MISSING consents"},
        {"no share", no_share, "CONSENT_MISSING consents"},
        {"a consent to another", a_consent_to_another, "CONSENT_INVALID consents[1].receiver"},
        {"a consent that ended", a_consent_that_ended, "CONSENT_INVALID consents[0].until_ms"},
        {"a consent twice", a_consent_twice, "CONSENT_INVALID consents[1].consent_id"},
        {"a consent of the submission", a_consent_of_the_submission, "CONSENT_INVALID consents[0].consent_id"},
        {"no letter", no_letter, "FIELD_MISSING consents[0].document_sha256"},
    };
    submit("P09", "C-CHANGE", 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cl_arena_reset(arena);
        Coloan__V1__BankChange *change = bank_change(WORLD_BETA, 1, 1);
        rows[i].spoil(change);
        const struct cl_session_call call = make_call(JOINT "ChangeBank", &change->base);
        refused(rows[i].name, channel, &call, rows[i].refusal);
    }
}

/* Three times; what the old bank still says is refused. */
/* Covers: COL-BOR-004 */
static void test_the_bank_is_changed_as_often_as_allowed(void **state)
{
    (void)state;
    submit("P10", "C-OFTEN", 3);
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        cl_arena_reset(arena);
        struct cl_session *old = epoch % 2 == 1 ? journey.bank : beta;
        const struct cl_session_call call =
            make_call(JOINT "ChangeBank", &bank_change(epoch % 2 == 1 ? WORLD_BETA : WORLD_ALPHA, epoch, 2)->base);
        const Coloan__V1__ApplicationStatus *status = done_once(&call);
        assert_int_equal(status->bank_epoch, epoch + 1);
        assert_int_equal(status->bank_changes, epoch);
        assert_string_equal(status->bank, epoch % 2 == 1 ? WORLD_BETA : WORLD_ALPHA);

        const struct cl_session_call late = make_call(
            JOINT "ReportVerifications", &world_bank_report(arena, people_find(world.people, journey.persona))->base);
        refused("a late report", old, &late, "STALE_EPOCH");
        const struct cl_session_call late_withdrawal = make_call(JOINT "WithdrawApplication", &withdrawal("")->base);
        refused("a late withdrawal", old, &late_withdrawal, "STALE_EPOCH");
        Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
        decision.bank_epoch = epoch;
        decision.offer_version = 1;
        decision.terms_digest = bytes_of(1, CL_DIGEST_BYTES);
        decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
        decision.bank_reference = cl_arena_text(arena, "L-1");
        struct cl_session_call late_decision = make_call(JOINT "ReportBankDecision", &decision.base);
        late_decision.reply_type = &coloan__v1__joint_outcome__descriptor;
        refused("a late decision", old, &late_decision, "STALE_EPOCH");
        Coloan__V1__Milestone milestone = COLOAN__V1__MILESTONE__INIT;
        milestone.kind = KIND(SIGNED);
        milestone.leg = FUND;
        milestone.bank_epoch = epoch;
        milestone.reference = cl_arena_text(arena, "M-LATE");
        milestone.happened_ms = world_now_ms(&world);
        const struct cl_session_call late_milestone = make_call(JOINT "ReportMilestone", &milestone.base);
        refused("a late milestone", old, &late_milestone, "STALE_EPOCH");
    }
    cl_arena_reset(arena);
    const struct cl_session_call once_more = make_call(JOINT "ChangeBank", &bank_change(WORLD_ALPHA, 4, 2)->base);
    refused("a fourth change", channel, &once_more, "BANK_CHANGES_USED");
}

/* Covers: COL-BOR-006, COL-BOR-007 */
static void test_bad_choices_and_withdrawals(void **state)
{
    (void)state;
    static const struct {
        const char *rule_set;
        size_t document_len;
        const char *refusal;
    } rows[] = {
        {"REF-NONE", 32, "RULE_SET_UNKNOWN rule_set"},
        {"", 32, "RULE_SET_UNKNOWN rule_set"},
        {"REF-NJ-2026-11", 32, "RULE_SET_NOT_OPEN rule_set"},
        {"REF-NJ-2026-11", 0, "FIELD_MISSING document_sha256"},
        {"REF-NJ-2026-11", 31, "FIELD_INVALID document_sha256"},
        {WORLD_LATER_RULES, 32, "RULE_SET_NOT_OPEN rule_set"}, /* tomorrow */
    };
    char long_reason[66];
    submit("P08", "C-CHOICE", 3);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__RuleChoice *body = rule_choice(rows[i].rule_set);
        body->document_sha256 = bytes_of(3, rows[i].document_len);
        const struct cl_session_call call = make_call(JOINT "ChooseRules", &body->base);
        refused(rows[i].rule_set, channel, &call, rows[i].refusal);
    }
    memset(long_reason, 'x', sizeof long_reason);
    long_reason[65] = '\0';
    const struct cl_session_call too_long = make_call(JOINT "WithdrawApplication", &withdrawal(long_reason)->base);
    refused("65 bytes of reason", channel, &too_long, "FIELD_INVALID reason");
    long_reason[64] = '\0';
    const struct cl_session_call call = make_call(JOINT "WithdrawApplication", &withdrawal(long_reason)->base);
    assert_int_equal(done_once(&call)->state, STATE(WITHDRAWN));
}

/* From tomorrow on there are newer rules: a decided case is decided anew by them, once, and not by older ones again. */
/* Covers: COL-BOR-007, COL-BOR-008 */
static void test_newer_rules_are_chosen(void **state)
{
    (void)state;
    to_confirmation("P02", "C-NEWER", 3);
    assert_int_equal(journey_view(&journey)->status->offer_version, 1);
    journey_wait_ms(&journey, JOURNEY_DAY_MS);
    cl_arena_reset(arena);
    const struct cl_session_call last = make_call(JOINT "ChooseRules", &rule_choice(WORLD_LAST_RULES)->base);
    refused("rules to come", channel, &last, "RULE_SET_NOT_OPEN rule_set");
    const struct cl_session_call call = make_call(JOINT "ChooseRules", &rule_choice(WORLD_LATER_RULES)->base);
    const Coloan__V1__ApplicationStatus *status = done_once(&call);
    assert_string_equal(status->rule_set, WORLD_LATER_RULES);
    assert_int_equal(status->bank_track, COLOAN__V1__BANK_TRACK__BANK_TRACK_PENDING);
    assert_int_equal(status->outcome, COLOAN__V1__OUTCOME__OUTCOME_PENDING);
    journey_until(&journey, STATE(OFFERED)); /* what ran out over night was asked again */
    assert_int_equal(journey_terms(&journey)->version, 2);
    assert_int_equal(journey_steps(&journey, "CHOOSE_RULES"), 1);
    refused("the same rules", channel, &call, "RULE_SET_NOT_OPEN rule_set");
    const struct cl_session_call older = make_call(JOINT "ChooseRules", &rule_choice("REF-NJ-2026-11")->base);
    refused("older rules", channel, &older, "RULE_SET_NOT_OPEN rule_set");
    journey_wait_ms(&journey, JOURNEY_DAY_MS);
    refused("rules that leave no choice", channel, &last, "RULE_SET_NOT_OPEN rule_set");
    journey_approve(&journey);
    journey_until(&journey, STATE(APPROVED));
    assert_int_equal(journey_steps(&journey, "BANK_APPROVE"), 2);
}

/* Every way to hand in another case than the one that waits. */
/* Covers: COL-BOR-001, COL-BOR-002 */
static void test_supplements(void **state)
{
    (void)state;
    submit("P12", "C-MEND", 2);
    journey_report(&journey, "P12");
    journey_until(&journey, STATE(SUPPLEMENT));
    only(STATE(SUPPLEMENT), BEFORE_SIGNING | SUPPLEMENT);
    cl_arena_reset(arena);
    struct world_submission *made = submitted_again("P12", "C-OTHER", consents_until_ms);
    struct cl_session_call call = supplement_call(made);
    refused("another reference", channel, &call, "FIELD_INVALID external_ref");
    made = submitted_again("P12", "C-MEND", consents_until_ms);
    made->application->bank = cl_arena_text(arena, "bank:cn-nobody");
    call = supplement_call(made);
    refused("an unknown bank", channel, &call, "BANK_UNKNOWN bank");
    made = submitted_again("P04", "C-MEND", consents_until_ms);
    call = supplement_call(made);
    refused("another borrower", channel, &call, "PERSONS_INVALID persons[0].id_number");
    made = submitted_again("P12", "C-MEND", consents_until_ms);
    made->application->n_consents = 3;
    call = supplement_call(made);
    refused("a consent less", channel, &call, "CONSENT_MISSING consents");
    made = submitted_again("P12", "C-MEND", consents_until_ms);
    made->application->request->term_months = 6;
    call = supplement_call(made);
    refused("a term too short", channel, &call, "TERM_INVALID request.term_months");
    made = submitted_again("P12", "C-MEND", consents_until_ms);
    call = supplement_call(made);
    call.disclosure_count--;
    refused("a value not disclosed", channel, &call, "DISCLOSURE_MISSING");
    made = submitted_again("P12", "C-MEND", consents_until_ms);
    made->application->consents[0]->until_ms++;
    call = supplement_call(made);
    refused("another consent of the same number", channel, &call, "CONSENT_INVALID consents[0].consent_id");

    call = supplement_call(submitted_again("P12", "C-MEND", consents_until_ms));
    const Coloan__V1__ApplicationStatus *status = done_once(&call);
    assert_int_equal(status->state, STATE(VERIFYING)); /* what passed stays; the bank reports anew */
    assert_int_equal(status->items->open, 2);
    assert_int_equal(status->n_reasons, 0);
    journey_report(&journey, "P12");
    journey_until(&journey, STATE(SUPPLEMENT)); /* nothing was mended */
}

int main(void)
{
    struct world_options options = {.later_rules = true};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, 32 * 1024 * 1024));
    journey_begin(&journey, &world, "alpha", WORLD_KEY_ALPHA);
    channel = world_session(&world, "channel", WORLD_KEY_CHANNEL);
    beta = world_session(&world, "beta", WORLD_KEY_BETA);
    other_fund = world_session(&world, "fund", WORLD_KEY_FUND);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_changes_of_bank),
        cmocka_unit_test(test_the_bank_is_changed_as_often_as_allowed),
        cmocka_unit_test(test_bad_choices_and_withdrawals),
        cmocka_unit_test(test_supplements),
        cmocka_unit_test(test_where_it_does_not_run_straight),
        /* From here on the clock is moved. */
        cmocka_unit_test(test_newer_rules_are_chosen),
        cmocka_unit_test(test_a_straight_life),
        cmocka_unit_test(test_bad_confirmations),
        cmocka_unit_test(test_a_decision_on_an_offer_that_has_ended),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(channel);
    cl_session_free(beta);
    cl_session_free(other_fund);
    journey_end(&journey);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
