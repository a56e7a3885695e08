#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "libcoloan/personal.h"
#include "libcoloan/wirescan.h"
#include "server/store/sql.h"
#include "tests/e2e/journey.h"

enum { ARENA_BYTES = 16 * 1024 * 1024, CALL_MS = 10000, TRIES = 400, STAYS = 15, PAUSE_NS = 20000000 };

#define JOINT "coloan.v1.JointApproval/"

void journey_tick(struct journey *journey)
{
    coloand_tick(journey->world->server);
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    (void)nanosleep(&pause, NULL);
}

void journey_begin(struct journey *journey, struct world *world, const char *certificate, enum world_key key)
{
    *journey =
        (struct journey){.world = world, .certificate = certificate, .key = key, .account = "6222020200112233445"};
    assert_true(cl_is_ok(cl_arena_create(&journey->arena, ARENA_BYTES)));
    journey->bank = world_session(world, certificate, key);
}

void journey_end(struct journey *journey)
{
    cl_session_free(journey->bank);
    cl_arena_free(journey->arena);
}

void journey_wait_ms(struct journey *journey, int64_t ms)
{
    __atomic_fetch_add(&journey->world->ahead_ms, ms, __ATOMIC_RELAXED);
}

void journey_restart(struct journey *journey, int64_t after_ms)
{
    cl_session_free(journey->bank);
    world_stop(journey->world);
    journey_wait_ms(journey, after_ms);
    world_start(journey->world);
    journey->bank = world_session(journey->world, journey->certificate, journey->key);
}

/* -- Calls --------------------------------------------------------------------------------------------------- */

static struct cl_status try(const ProtobufCMessage **out, struct journey *journey, const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, journey->bank, journey->arena, what, (struct cl_patience){.total_ms = CALL_MS});
    (void)snprintf(journey->field, sizeof journey->field, "%s", cl_failed(status) ? answer.field : "");
    *out = cl_is_ok(status) ? answer.body : NULL;
    return status;
}

static const ProtobufCMessage *call(struct journey *journey, const struct cl_session_call *what)
{
    const ProtobufCMessage *body = NULL;
    struct cl_status status = try(&body, journey, what);
    if (cl_failed(status)) {
        fail_msg("%s: %s %s", what->method, cl_status_name(status), journey->field);
    }
    return body;
}

void journey_submit(struct journey *journey, const char *persona, const char *external_ref)
{
    struct world_submission submission;
    const char *party = strcmp(journey->certificate, "alpha") == 0 ? WORLD_ALPHA : WORLD_BETA;
    world_submission(&submission, journey->arena, people_find(journey->world->people, persona), party, external_ref);
    submission.application->home->presale = journey->presale;
    struct cl_session_call what = world_submit_call(&submission);
    const Coloan__V1__ApplicationReceipt *receipt = (const Coloan__V1__ApplicationReceipt *)call(journey, &what);
    (void)snprintf(journey->id, sizeof journey->id, "%s", receipt->application_id);
    journey->persona = persona;
}

struct cl_status journey_try_report(struct journey *journey, const char *persona)
{
    const ProtobufCMessage *ignored = NULL;
    struct cl_session_call what = {
        .method = JOINT "ReportVerifications",
        .body = &world_bank_report(journey->arena, people_find(journey->world->people, persona))->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = journey->id,
    };
    return try(&ignored, journey, &what);
}

void journey_report(struct journey *journey, const char *persona)
{
    assert_string_equal(cl_status_name(journey_try_report(journey, persona)), "OK");
}

const Coloan__V1__ApplicationView *journey_view(struct journey *journey)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = journey->id;
    query.with_items = 1;
    query.with_timeline = 1;
    struct cl_session_call what = {
        .method = JOINT "GetApplication",
        .body = &query.base,
        .reply_type = &coloan__v1__application_view__descriptor,
    };
    return (const Coloan__V1__ApplicationView *)call(journey, &what);
}

const Coloan__V1__OfferTerms *journey_terms(struct journey *journey)
{
    ProtobufCMessage *message = NULL;
    const Coloan__V1__Offer *offer = journey_view(journey)->offer;
    assert_non_null(offer);
    struct cl_status status = cl_unpack(&message, journey->arena, &coloan__v1__offer_terms__descriptor,
                                        cl_bytes(offer->terms.data, offer->terms.len));
    assert_true(cl_is_ok(status));
    return (const Coloan__V1__OfferTerms *)message;
}

void journey_approve(struct journey *journey)
{
    const Coloan__V1__ApplicationView *view = journey_view(journey);
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    decision.offer_version = view->status->offer_version;
    decision.terms_digest = view->offer->terms_digest;
    decision.bank_epoch = view->status->bank_epoch;
    decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    decision.bank_reference = view->status->external_ref;
    struct cl_session_call what = {
        .method = JOINT "ReportBankDecision",
        .body = &decision.base,
        .reply_type = &coloan__v1__joint_outcome__descriptor,
        .application_id = journey->id,
    };
    (void)call(journey, &what);
}

void journey_confirm(struct journey *journey)
{
    const Coloan__V1__ApplicationView *view = journey_view(journey);
    static const uint8_t document[CL_DIGEST_BYTES] = {9};
    Coloan__V1__OfferConfirmation confirmation = COLOAN__V1__OFFER_CONFIRMATION__INIT;
    confirmation.offer_version = view->status->offer_version;
    confirmation.terms_digest = view->offer->terms_digest;
    confirmation.document_sha256.data = cl_arena_copy(journey->arena, cl_bytes(document, sizeof document));
    confirmation.document_sha256.len = sizeof document;
    struct cl_session_call what = {
        .method = JOINT "ConfirmOffer",
        .body = &confirmation.base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = journey->id,
    };
    (void)call(journey, &what);
}

/* -- Milestones ---------------------------------------------------------------------------------------------- */

Coloan__V1__Milestone *journey_milestone(struct journey *journey, Coloan__V1__MilestoneKind kind, Coloan__V1__Leg leg)
{
    static unsigned references;
    char reference[32];
    (void)snprintf(reference, sizeof reference, "M-%u", ++references);
    Coloan__V1__Milestone *milestone = cl_arena_alloc(journey->arena, sizeof *milestone);
    coloan__v1__milestone__init(milestone);
    milestone->kind = kind;
    milestone->leg = leg;
    milestone->bank_epoch = journey_view(journey)->status->bank_epoch;
    milestone->reference = cl_arena_text(journey->arena, reference);
    milestone->happened_ms = world_now_ms(journey->world);
    if (kind == COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_DISBURSED ||
        kind == COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_SETTLED) {
        const Coloan__V1__OfferTerms *terms = journey_terms(journey);
        milestone->amount_fen =
            leg == COLOAN__V1__LEG__LEG_FUND ? terms->fund->amount_fen : terms->commercial->amount_fen;
    }
    return milestone;
}

struct cl_status journey_try_tell(struct journey *journey, Coloan__V1__Milestone *milestone)
{
    const ProtobufCMessage *ignored = NULL;
    Coloan__V1__Disclosure *account = NULL;
    struct cl_digest commitment;
    struct cl_session_call what = {
        .method = JOINT "ReportMilestone",
        .body = &milestone->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = journey->id,
    };
    if (milestone->kind == COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_DISBURSED) {
        struct cl_status made = cl_disclosure_make(&account, &commitment, journey->arena, "account",
                                                   cl_bytes_text(journey->account), cl_random_system());
        assert_true(cl_is_ok(made));
        milestone->account.len = sizeof commitment.bytes;
        milestone->account.data = cl_arena_copy(journey->arena, cl_bytes(commitment.bytes, sizeof commitment.bytes));
        what.disclosures = &account;
        what.disclosure_count = 1;
    }
    return try(&ignored, journey, &what);
}

void journey_tell(struct journey *journey, Coloan__V1__MilestoneKind kind, Coloan__V1__Leg leg)
{
    struct cl_status status = journey_try_tell(journey, journey_milestone(journey, kind, leg));
    if (cl_failed(status)) {
        fail_msg("milestone %d of leg %d: %s %s", kind, leg, cl_status_name(status), journey->field);
    }
}

#define KIND(name) COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_##name

void journey_sign(struct journey *journey)
{
    journey_tell(journey, KIND(SIGNED), COLOAN__V1__LEG__LEG_FUND);
    journey_tell(journey, KIND(SIGNED), COLOAN__V1__LEG__LEG_COMMERCIAL);
}

void journey_file(struct journey *journey)
{
    const Coloan__V1__OfferTerms *terms = journey_terms(journey);
    const json_t *persona = people_find(journey->world->people, journey->persona);
    char reference[CL_TEXT_BYTES_MAX + 1];
    (void)snprintf(reference, sizeof reference, "REG-%lld-%s",
                   (long long)(terms->fund->amount_fen + terms->commercial->amount_fen),
                   json_string_value(json_object_get(json_object_get(persona, "home"), "contractNo")));
    Coloan__V1__Milestone *filing =
        journey_milestone(journey, KIND(REGISTRATION_FILED), COLOAN__V1__LEG__LEG_UNSPECIFIED);
    filing->reference = cl_arena_text(journey->arena, reference);
    assert_string_equal(cl_status_name(journey_try_tell(journey, filing)), "OK");
}

/* -- Waiting ------------------------------------------------------------------------------------------------- */

Coloan__V1__CaseState journey_state(struct journey *journey)
{
    cl_arena_reset(journey->arena);
    return journey_view(journey)->status->state;
}

void journey_until(struct journey *journey, Coloan__V1__CaseState state)
{
    Coloan__V1__CaseState now = COLOAN__V1__CASE_STATE__CASE_STATE_UNSPECIFIED;
    for (int tries = 0; tries < TRIES; tries++) {
        now = journey_state(journey);
        if (now == state) {
            return;
        }
        journey_tick(journey);
    }
    fail_msg("the case is in state %d, not %d", now, state);
}

void journey_stays(struct journey *journey, Coloan__V1__CaseState state)
{
    for (int tries = 0; tries < STAYS; tries++) {
        journey_tick(journey);
        assert_int_equal(journey_state(journey), state);
    }
}

unsigned journey_steps(struct journey *journey, const char *command)
{
    unsigned count = 0;
    const Coloan__V1__ApplicationView *view = journey_view(journey);
    for (size_t i = 0; i < view->n_timeline; i++) {
        count += strcmp(view->timeline[i]->command, command) == 0 ? 1 : 0;
    }
    return count;
}

void journey_to_offer(struct journey *journey, const char *persona, const char *external_ref)
{
    journey_submit(journey, persona, external_ref);
    journey_report(journey, persona);
    journey_until(journey, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
}

void journey_to_approval(struct journey *journey, const char *persona, const char *external_ref)
{
    journey_to_offer(journey, persona, external_ref);
    journey_approve(journey);
    journey_until(journey, COLOAN__V1__CASE_STATE__CASE_STATE_APPROVED);
}

/* -- Numbers ------------------------------------------------------------------------------------------------- */

long long journey_metric(const struct journey *journey, const char *line)
{
    char *text = world_http_get(journey->world, "/metrics");
    char start[128];
    int len = snprintf(start, sizeof start, "\n%s ", line);
    const char *found = strstr(text, start);
    if (found == NULL) {
        fail_msg("no metric %s", line);
    }
    long long value = atoll(found + len);
    free(text);
    return value;
}

long long journey_count(const struct journey *journey, const char *query)
{
    struct sql_health health = {0};
    struct sql *sql = NULL;
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_true(cl_is_ok(sql_open(&sql, world_database(journey->world), SQL_READ, &health)));
    assert_true(cl_is_ok(sql_prepare(&statement, sql, query)));
    assert_true(cl_is_ok(sql_step(&row, statement)) && row);
    int64_t count = sql_column_i64(statement, 0);
    sql_finish(statement);
    sql_close(sql);
    return count;
}

void journey_to_due(struct journey *journey, int kind)
{
    char query[160];
    (void)snprintf(query, sizeof query, "SELECT coalesce(max(at_ms), 0) FROM due WHERE kind = %d AND subject = '%s'",
                   kind, journey->id);
    long long at_ms = journey_count(journey, query);
    assert_true(at_ms > 0);
    int64_t now_ms = world_now_ms(journey->world);
    journey_wait_ms(journey, at_ms > now_ms ? at_ms - now_ms : 0);
}
