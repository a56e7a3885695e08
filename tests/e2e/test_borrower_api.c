/* What the borrower's side says, over real TLS: each refusal leaves the case as it was, a change of bank fences the old one
 * off, and a supplement keeps the answers that still hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/verification.pb-c.h>

#include "tests/e2e/world.h"

enum { ARENA_BYTES = 8 * 1024 * 1024, WAIT_MS = 10000, CONSENTS_MAX = 8 };

#define JOINT(name) "coloan.v1.JointApproval/" name
#define YEAR_MS     (INT64_C(365) * 24 * 60 * 60 * 1000)

static struct world world;
static struct cl_session *alpha, *beta, *channel, *officer;
static struct cl_arena *arena;

/* -- Calls --------------------------------------------------------------------------------------------------- */

static const char *send(const ProtobufCMessage **out, struct cl_session *session, const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_true(cl_is_ok(status) || (answer.refused && answer.refusal_signed));
    if (out != NULL) {
        *out = answer.body;
    }
    return cl_status_name(status);
}

/* A command on a case, which answers with its status. */
static const char *command(struct cl_session *session, const char *method, const char *id, const ProtobufCMessage *body)
{
    return send(NULL, session,
                &(struct cl_session_call){.method = method,
                                          .body = body,
                                          .reply_type = &coloan__v1__application_status__descriptor,
                                          .application_id = id});
}

static const char *hand_in(const ProtobufCMessage **out, const char *method, const char *id,
                           const struct world_submission *submission, const ProtobufCMessageDescriptor *reply)
{
    return send(out, channel,
                &(struct cl_session_call){.method = method,
                                          .body = &submission->application->base,
                                          .reply_type = reply,
                                          .application_id = id,
                                          .disclosures = submission->disclosures,
                                          .disclosure_count = submission->disclosure_count});
}

static const char *submit(const struct world_submission *submission)
{
    const ProtobufCMessage *body = NULL;
    const char *got =
        hand_in(&body, JOINT("SubmitApplication"), NULL, submission, &coloan__v1__application_receipt__descriptor);
    assert_string_equal(got, "OK");
    return ((const Coloan__V1__ApplicationReceipt *)body)->application_id;
}

static const Coloan__V1__ApplicationView *view(const char *id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = cl_arena_text(arena, id);
    query.with_items = 1;
    const ProtobufCMessage *body = NULL;
    assert_string_equal(send(&body, officer,
                             &(struct cl_session_call){.method = JOINT("GetApplication"),
                                                       .body = &query.base,
                                                       .reply_type = &coloan__v1__application_view__descriptor}),
                        "OK");
    return (const Coloan__V1__ApplicationView *)body;
}

static void until_state(const char *id, Coloan__V1__CaseState state)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int tries = 0; tries < 200; tries++) {
        if (view(id)->status->state == state) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("the case did not come to state %d but is in %d", (int)state, (int)view(id)->status->state);
}

static const char *report(struct cl_session *bank, const char *persona, const char *id)
{
    return command(bank, JOINT("ReportVerifications"), id,
                   &world_bank_report(arena, people_find(world.people, persona))->base);
}

static const Coloan__V1__VerificationResult *item_of(const Coloan__V1__ApplicationView *of, Coloan__V1__Item item)
{
    for (size_t i = 0; i < of->n_items; i++) {
        if (of->items[i]->item == item && of->items[i]->person == 0) {
            return of->items[i];
        }
    }
    fail_msg("no item %d", (int)item);
    return NULL;
}

static const char *approve(struct cl_session *bank, const char *id, const Coloan__V1__ApplicationView *offered)
{
    Coloan__V1__BankDecision body = COLOAN__V1__BANK_DECISION__INIT;
    body.offer_version = offered->status->offer_version;
    body.terms_digest = offered->offer->terms_digest;
    body.bank_epoch = offered->status->bank_epoch;
    body.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    body.bank_reference = cl_arena_text(arena, "core-1");
    return send(NULL, bank,
                &(struct cl_session_call){.method = JOINT("ReportBankDecision"),
                                          .body = &body.base,
                                          .reply_type = &coloan__v1__joint_outcome__descriptor,
                                          .application_id = id});
}

/* -- Change of bank ------------------------------------------------------------------------------------------- */

/* Consents of one person for that bank, as the contract asks for. */
static void change_to(Coloan__V1__BankChange *out, const char *bank, uint32_t epoch, const char *reference)
{
    static const Coloan__V1__ConsentPurpose purposes[] = {COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_CREDIT_REPORT,
                                                          COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE};
    coloan__v1__bank_change__init(out);
    out->bank = cl_arena_text(arena, bank);
    out->bank_epoch = epoch;
    out->n_consents = sizeof purposes / sizeof purposes[0];
    out->consents = cl_arena_alloc(arena, out->n_consents * sizeof(Coloan__V1__Consent *));
    assert_non_null(out->consents);
    for (size_t i = 0; i < out->n_consents; i++) {
        Coloan__V1__Consent *consent = cl_arena_alloc(arena, sizeof *consent);
        char id[64];
        (void)snprintf(id, sizeof id, "%s-%zu", reference, i);
        assert_non_null(consent);
        coloan__v1__consent__init(consent);
        consent->consent_id = cl_arena_text(arena, id);
        consent->purpose = purposes[i];
        consent->receiver = cl_arena_text(arena, bank);
        consent->until_ms = world_now_ms(&world) + YEAR_MS;
        consent->document_sha256.data = cl_arena_alloc(arena, CL_DIGEST_BYTES);
        consent->document_sha256.len = CL_DIGEST_BYTES;
        out->consents[i] = consent;
    }
}

static const char *change_bank(const char *id, const char *bank, uint32_t epoch, const char *reference)
{
    Coloan__V1__BankChange body;
    change_to(&body, bank, epoch, reference);
    return command(channel, JOINT("ChangeBank"), id, &body.base);
}

static void assert_same(const Coloan__V1__ApplicationView *before, const Coloan__V1__ApplicationView *after)
{
    assert_int_equal(after->status->state, before->status->state);
    assert_int_equal(after->status->changed_ms, before->status->changed_ms);
    assert_int_equal(after->status->bank_epoch, before->status->bank_epoch);
    assert_int_equal(after->status->offer_version, before->status->offer_version);
    assert_string_equal(after->status->bank, before->status->bank);
}

/* Covers: COL-BOR-003, COL-BOR-004, COL-JNT-006, COL-LIF-001 */
static void test_a_change_of_bank_fences_the_old_one_off(void **state)
{
    (void)state;
    struct world_submission submission;
    cl_arena_reset(arena);
    world_submission(&submission, arena, people_find(world.people, "P01"), WORLD_ALPHA, "commands-1");
    const char *id = submit(&submission);
    assert_string_equal(report(alpha, "P01", id), "OK");
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    const Coloan__V1__ApplicationView *before = view(id);

    Coloan__V1__BankChange bare;
    change_to(&bare, WORLD_BETA, 1, "bare");
    bare.n_consents = 1;
    assert_string_equal(command(channel, JOINT("ChangeBank"), id, &bare.base), "CONSENT_MISSING");
    assert_string_equal(change_bank(id, WORLD_BETA, 0, "old"), "STALE_EPOCH");
    assert_string_equal(change_bank(id, WORLD_BETA, 2, "next"), "STALE_EPOCH");
    assert_string_equal(change_bank(id, WORLD_ALPHA, 1, "same"), "BANK_UNCHANGED");
    assert_string_equal(change_bank(id, "bank:cn-nobody", 1, "none"), "BANK_UNKNOWN");
    assert_same(before, view(id));

    assert_string_equal(change_bank(id, WORLD_BETA, 1, "to-beta"), "OK");
    const Coloan__V1__ApplicationView *after = view(id);
    assert_string_equal(after->status->bank, WORLD_BETA);
    assert_int_equal(after->status->bank_epoch, 2);
    const Coloan__V1__VerificationResult *kept = item_of(after, COLOAN__V1__ITEM__ITEM_MARRIAGE);
    assert_string_equal(kept->source_receipt, item_of(before, COLOAN__V1__ITEM__ITEM_MARRIAGE)->source_receipt);
    assert_int_equal(item_of(after, COLOAN__V1__ITEM__ITEM_INCOME)->outcome,
                     COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED);
    assert_string_equal(report(alpha, "P01", id), "STALE_EPOCH"); /* late, and nothing of it counts */
    assert_same(after, view(id));

    assert_string_equal(report(beta, "P01", id), "OK");
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    assert_string_equal(approve(alpha, id, view(id)), "STALE_EPOCH");
    assert_int_equal(view(id)->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    assert_string_equal(approve(beta, id, view(id)), "OK");

    const char *got = "OK"; /* there and back until the rule set says no */
    uint32_t epoch = 2;
    for (; strcmp(got, "OK") == 0 && epoch < 20; epoch++) {
        char reference[32];
        (void)snprintf(reference, sizeof reference, "again-%u", epoch);
        got = change_bank(id, epoch % 2 == 0 ? WORLD_ALPHA : WORLD_BETA, epoch, reference);
    }
    assert_string_equal(got, "BANK_CHANGES_USED");
    assert_int_equal(view(id)->status->bank_changes, epoch - 2);
}

/* -- Confirming, choosing, withdrawing ------------------------------------------------------------------------- */

static Coloan__V1__OfferConfirmation confirmation_of(const Coloan__V1__ApplicationView *of)
{
    static uint8_t letter[CL_DIGEST_BYTES] = {7};
    Coloan__V1__OfferConfirmation body = COLOAN__V1__OFFER_CONFIRMATION__INIT;
    body.offer_version = of->status->offer_version;
    body.document_sha256 = (ProtobufCBinaryData){.data = letter, .len = sizeof letter};
    if (of->offer != NULL) {
        body.terms_digest = of->offer->terms_digest;
    }
    return body;
}

/* Covers: COL-BOR-005, COL-BOR-006, COL-BOR-007, COL-LIF-001 */
static void test_what_the_borrower_says_has_to_fit(void **state)
{
    (void)state;
    struct world_submission submission;
    cl_arena_reset(arena);
    world_submission(&submission, arena, people_find(world.people, "P03"), WORLD_ALPHA, "commands-2");
    const char *id = submit(&submission);
    Coloan__V1__OfferConfirmation confirm = confirmation_of(view(id));
    assert_string_equal(command(channel, JOINT("ConfirmOffer"), id, &confirm.base), "STATE_CONFLICT");
    assert_string_equal(report(alpha, "P03", id), "OK");
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    confirm = confirmation_of(view(id));
    assert_string_equal(command(channel, JOINT("ConfirmOffer"), id, &confirm.base), "STATE_CONFLICT");
    assert_string_equal(approve(alpha, id, view(id)), "OK");
    const Coloan__V1__ApplicationView *before = view(id);

    confirm = confirmation_of(before);
    confirm.offer_version++;
    assert_string_equal(command(channel, JOINT("ConfirmOffer"), id, &confirm.base), "OFFER_STALE");
    confirm = confirmation_of(before);
    confirm.terms_digest = confirm.document_sha256;
    assert_string_equal(command(channel, JOINT("ConfirmOffer"), id, &confirm.base), "TERMS_DIGEST_WRONG");
    confirm = confirmation_of(before);
    confirm.document_sha256.len = 0;
    assert_string_equal(command(channel, JOINT("ConfirmOffer"), id, &confirm.base), "FIELD_MISSING");

    Coloan__V1__RuleChoice choice = COLOAN__V1__RULE_CHOICE__INIT;
    choice.rule_set = cl_arena_text(arena, "REF-NONE");
    assert_string_equal(command(channel, JOINT("ChooseRules"), id, &choice.base), "FIELD_MISSING");
    choice.document_sha256 = confirmation_of(before).document_sha256;
    assert_string_equal(command(channel, JOINT("ChooseRules"), id, &choice.base), "RULE_SET_UNKNOWN");
    choice.rule_set = before->status->rule_set; /* not later than itself */
    assert_string_equal(command(channel, JOINT("ChooseRules"), id, &choice.base), "RULE_SET_NOT_OPEN");
    assert_string_equal(
        hand_in(NULL, JOINT("SupplementApplication"), id, &submission, &coloan__v1__application_status__descriptor),
        "STATE_CONFLICT");
    assert_same(before, view(id));

    confirm = confirmation_of(before);
    assert_string_equal(command(channel, JOINT("ConfirmOffer"), id, &confirm.base), "OK");
    assert_int_equal(view(id)->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_CONFIRMED);
    assert_string_equal(command(channel, JOINT("ConfirmOffer"), id, &confirm.base), "STATE_CONFLICT");

    Coloan__V1__Withdrawal withdrawal = COLOAN__V1__WITHDRAWAL__INIT;
    assert_string_equal(command(beta, JOINT("WithdrawApplication"), id, &withdrawal.base), "APPLICATION_UNKNOWN");
    assert_string_equal(command(channel, JOINT("WithdrawApplication"), id, &withdrawal.base), "OK");
    assert_string_equal(command(channel, JOINT("WithdrawApplication"), id, &withdrawal.base), "STATE_CONFLICT");
    assert_string_equal(approve(alpha, id, before), "STATE_CONFLICT");
    world_submission(&submission, arena, people_find(world.people, "P03"), WORLD_ALPHA, "commands-3");
    assert_non_null(submit(&submission)); /* its person is free */
}

/* -- Supplement ------------------------------------------------------------------------------------------------ */

static size_t count_item(const Coloan__V1__ApplicationView *of, Coloan__V1__Item item)
{
    size_t count = 0;
    for (size_t i = 0; i < of->n_items; i++) {
        count += of->items[i]->item == item ? 1 : 0;
    }
    return count;
}

/* What was given before is given in the same words again. */
static void repeat_consents(Coloan__V1__Application *in, const Coloan__V1__Application *before)
{
    for (size_t i = 0; i < in->n_consents; i++) {
        for (size_t j = 0; j < before->n_consents; j++) {
            if (strcmp(in->consents[i]->consent_id, before->consents[j]->consent_id) == 0) {
                in->consents[i] = before->consents[j];
            }
        }
    }
}

/* The borrower keeps a marriage quiet, the register does not: the spouse has to join.
 * Covers: COL-BOR-001, COL-DEC-003 */
static void test_a_spouse_joins_by_a_supplement(void **state)
{
    (void)state;
    struct world_submission couple;
    struct world_submission other;
    cl_arena_reset(arena);
    json_t *alone = json_deep_copy(people_find(world.people, "P02"));
    json_t *people = json_object_get(alone, "people");
    assert_int_equal(json_array_remove(people, 1), 0);
    assert_int_equal(json_array_remove(json_object_get(json_object_get(alone, "bank"), "credit"), 1), 0);
    assert_int_equal(json_object_set_new(json_array_get(people, 0), "declared", json_string("SINGLE")), 0);
    struct world_submission single;
    world_submission(&single, arena, alone, WORLD_ALPHA, "commands-4");
    const char *id = submit(&single);
    assert_string_equal(command(alpha, JOINT("ReportVerifications"), id, &world_bank_report(arena, alone)->base), "OK");
    json_decref(alone);
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT);
    const Coloan__V1__ApplicationView *before = view(id);

    world_submission(&other, arena, people_find(world.people, "P02"), WORLD_ALPHA, "commands-5");
    assert_string_equal(
        hand_in(NULL, JOINT("SupplementApplication"), id, &other, &coloan__v1__application_status__descriptor),
        "FIELD_INVALID");
    world_submission(&other, arena, people_find(world.people, "P02"), WORLD_BETA, "commands-4");
    assert_string_equal(
        hand_in(NULL, JOINT("SupplementApplication"), id, &other, &coloan__v1__application_status__descriptor),
        "BANK_UNKNOWN");
    world_submission(&other, arena, people_find(world.people, "P05"), WORLD_ALPHA, "commands-4");
    assert_string_equal(
        hand_in(NULL, JOINT("SupplementApplication"), id, &other, &coloan__v1__application_status__descriptor),
        "PERSONS_INVALID");
    assert_same(before, view(id));

    world_submission(&couple, arena, people_find(world.people, "P02"), WORLD_ALPHA, "commands-4");
    repeat_consents(couple.application, single.application);
    assert_string_equal(
        hand_in(NULL, JOINT("SupplementApplication"), id, &couple, &coloan__v1__application_status__descriptor), "OK");
    assert_int_equal(count_item(view(id), COLOAN__V1__ITEM__ITEM_IDENTITY),
                     count_item(before, COLOAN__V1__ITEM__ITEM_IDENTITY) + 1);
    assert_string_equal(report(alpha, "P02", id), "OK");
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
}

/* The price is mended: what was asked about the person is not asked again.
 * Covers: COL-BOR-002 */
static void test_a_supplement_keeps_what_still_holds(void **state)
{
    (void)state;
    struct world_submission dearer;
    struct world_submission mended;
    cl_arena_reset(arena);
    world_submission(&dearer, arena, people_find(world.people, "P06"), WORLD_ALPHA, "commands-6");
    dearer.application->home->price_fen += 100;
    const char *id = submit(&dearer);
    assert_string_equal(report(alpha, "P06", id), "OK");
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT);
    const Coloan__V1__ApplicationView *before = view(id);
    world_submission(&mended, arena, people_find(world.people, "P06"), WORLD_ALPHA, "commands-6");
    repeat_consents(mended.application, dearer.application);
    assert_string_equal(
        hand_in(NULL, JOINT("SupplementApplication"), id, &mended, &coloan__v1__application_status__descriptor), "OK");
    assert_int_equal(item_of(view(id), COLOAN__V1__ITEM__ITEM_INCOME)->outcome,
                     COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED); /* the bank has to say it anew */
    assert_string_equal(report(alpha, "P06", id), "OK");
    until_state(id, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    const Coloan__V1__ApplicationView *after = view(id);
    static const Coloan__V1__Item of_the_person[] = {
        COLOAN__V1__ITEM__ITEM_IDENTITY, COLOAN__V1__ITEM__ITEM_CONTRIBUTION, COLOAN__V1__ITEM__ITEM_LOAN_HISTORY};
    for (size_t i = 0; i < sizeof of_the_person / sizeof of_the_person[0]; i++) {
        assert_string_equal(item_of(after, of_the_person[i])->source_receipt,
                            item_of(before, of_the_person[i])->source_receipt);
    }
    assert_string_not_equal(item_of(after, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT)->source_receipt,
                            item_of(before, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT)->source_receipt);
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    beta = world_session(&world, "beta", WORLD_KEY_BETA);
    channel = world_session(&world, "channel", WORLD_KEY_CHANNEL);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_change_of_bank_fences_the_old_one_off),
        cmocka_unit_test(test_what_the_borrower_says_has_to_fit),
        cmocka_unit_test(test_a_spouse_joins_by_a_supplement),
        cmocka_unit_test(test_a_supplement_keeps_what_still_holds),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_session_free(beta);
    cl_session_free(channel);
    cl_session_free(officer);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
