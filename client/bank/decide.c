#include "client/bank/decide.h"

#include <stdio.h>
#include <string.h>

#include "libcoloan/annuity.h"
#include "libcoloan/limits.h"
#include "libcoloan/loan_reasons.h"
#include "libcoloan/personal.h"

enum { PPM = 1000000 };

/* -- Verifications -------------------------------------------------------------------------------------------- */

/* The ID number disclosed for a person; empty when the consents do not give it to us. */
static const char *id_number_of(struct cl_arena *arena, Coloan__V1__Disclosure *const *disclosures,
                                size_t disclosure_count, size_t person)
{
    char path[CL_PERSONAL_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "persons[%zu].id_number", person);
    return (const char *)cl_arena_copy(arena, cl_disclosure_value(disclosures, disclosure_count, path));
}

static Coloan__V1__VerificationResult *add_result(Coloan__V1__VerificationReport *report, struct cl_arena *arena,
                                                  Coloan__V1__Item item, size_t person, int64_t now_ms)
{
    Coloan__V1__VerificationResult *result = cl_arena_alloc(arena, sizeof *result);
    if (result == NULL) {
        return NULL;
    }
    coloan__v1__verification_result__init(result);
    result->item = item;
    result->person = (uint32_t)person;
    result->outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS;
    result->observed_ms = now_ms;
    report->results[report->n_results++] = result;
    return result;
}

static bool add_income(Coloan__V1__VerificationReport *report, struct cl_arena *arena, int64_t income_fen,
                       int64_t now_ms)
{
    Coloan__V1__VerificationResult *result = add_result(report, arena, COLOAN__V1__ITEM__ITEM_INCOME, 0, now_ms);
    Coloan__V1__Fact *fact = cl_arena_alloc(arena, sizeof *fact);
    Coloan__V1__Fact **facts = cl_arena_array(arena, 1, sizeof(Coloan__V1__Fact *));
    if (result == NULL || fact == NULL || facts == NULL) {
        return false;
    }
    coloan__v1__fact__init(fact);
    fact->name = cl_arena_text(arena, "monthly_fen");
    fact->number = income_fen;
    facts[0] = fact;
    result->facts = facts;
    result->n_facts = 1;
    return fact->name != NULL;
}

static bool add_credit(Coloan__V1__VerificationReport *report, struct cl_arena *arena, size_t person, bool good,
                       int64_t now_ms)
{
    Coloan__V1__VerificationResult *result =
        add_result(report, arena, COLOAN__V1__ITEM__ITEM_CREDIT_BANK, person, now_ms);
    if (result != NULL && !good) {
        result->outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL;
    }
    return result != NULL;
}

/* The same household's income counts once, whoever of it is named. */
static int64_t add_person_income(const struct bank_customer *seen, size_t seen_count,
                                 const struct bank_customer *customer)
{
    for (size_t i = 0; i < seen_count && customer->known; i++) {
        if (seen[i].known && seen[i].household == customer->household) {
            return 0;
        }
    }
    return customer->income_fen;
}

struct cl_status bank_verify_customers(Coloan__V1__VerificationReport **out, struct bank_case *case_out,
                                       struct cl_arena *arena, const struct bank_customers *customers,
                                       const Coloan__V1__Application *application,
                                       Coloan__V1__Disclosure *const *disclosures, size_t disclosure_count,
                                       int64_t now_ms)
{
    struct bank_customer seen[CL_PERSONS_MAX];
    size_t person_count = application->n_persons < CL_PERSONS_MAX ? application->n_persons : CL_PERSONS_MAX;
    Coloan__V1__VerificationReport *report = cl_arena_alloc(arena, sizeof *report);
    struct bank_case found = {.credit_good = true};
    if (report == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__verification_report__init(report);
    report->results = cl_arena_array(arena, CL_PERSONS_MAX + 1, sizeof(Coloan__V1__VerificationResult *));
    bool room = report->results != NULL;
    for (size_t i = 0; i < person_count && room; i++) {
        const char *id_number = id_number_of(arena, disclosures, disclosure_count, i);
        if (id_number == NULL || id_number[0] == '\0') {
            return cl_fail(id_number == NULL ? CL_MEMORY_LIMIT : CL_DISCLOSURE_MISSING);
        }
        seen[i] = bank_customer_find(customers, id_number);
        found.income_fen += add_person_income(seen, i, &seen[i]);
        found.credit_good = found.credit_good && seen[i].credit_good;
        room = add_credit(report, arena, i, seen[i].credit_good, now_ms);
    }
    if (!room || !add_income(report, arena, found.income_fen, now_ms)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    (void)snprintf(found.contract_no, sizeof found.contract_no, "%s",
                   application->home == NULL ? "" : application->home->contract_no);
    *out = report;
    *case_out = found;
    return cl_ok();
}

/* -- How long ------------------------------------------------------------------------------------------------- */

static bool may_be_registered(Coloan__V1__CaseState state)
{
    return state == COLOAN__V1__CASE_STATE__CASE_STATE_SIGNING || state == COLOAN__V1__CASE_STATE__CASE_STATE_SIGNED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_REGISTERING ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_REGISTRY_SUPPLEMENT ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_HELD;
}

static bool may_be_decided(Coloan__V1__CaseState state)
{
    return state == COLOAN__V1__CASE_STATE__CASE_STATE_VERIFYING ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL || state == COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_APPROVED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_DECLINED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_CONFIRMED;
}

bool bank_case_is_over(const Coloan__V1__Event *event)
{
    if (event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED) {
        return true;
    }
    return event->status != NULL && !may_be_decided(event->status->state) && !may_be_registered(event->status->state);
}

/* -- Decisions ------------------------------------------------------------------------------------------------ */

/* Adds the reason's code; false without memory. */
static bool add_reason(Coloan__V1__BankDecision *decision, struct cl_arena *arena, enum cl_loan_reason why)
{
    Coloan__V1__Reason *reason = cl_arena_alloc(arena, sizeof *reason);
    if (decision->reasons == NULL) {
        decision->reasons = cl_arena_array(arena, CL_REASONS_MAX, sizeof(Coloan__V1__Reason *));
    }
    if (reason == NULL || decision->reasons == NULL) {
        return false;
    }
    coloan__v1__reason__init(reason);
    reason->code = cl_arena_text(arena, cl_loan_reason_code(why));
    reason->severity = (Coloan__V1__Severity)cl_loan_reason_severity(why);
    decision->reasons[decision->n_reasons++] = reason;
    return reason->code != NULL;
}

static bool decline(Coloan__V1__BankDecision *decision, struct cl_arena *arena, enum cl_loan_reason why)
{
    decision->verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE;
    return add_reason(decision, arena, why);
}

static bool set_instalment(Coloan__V1__LoanPart *part)
{
    const struct cl_loan loan = {.principal_fen = part->amount_fen,
                                 .rate_ppm = part->rate_ppm,
                                 .term_months = part->term_months,
                                 .method = (enum cl_repayment)part->method};
    return cl_is_ok(cl_first_instalment(&part->instalment_fen, &loan));
}

/* What the income leaves for our instalment; 0 when nothing. */
static int64_t room_for_instalment(const struct bank_rules *rules, const struct bank_case *known,
                                   const Coloan__V1__OfferTerms *terms)
{
    int64_t share = 0;
    if (__builtin_mul_overflow(known->income_fen, rules->instalment_share_ppm, &share)) {
        return 0;
    }
    int64_t room_fen = share / PPM - (terms->fund == NULL ? 0 : terms->fund->instalment_fen);
    return room_fen > 0 ? room_fen : 0;
}

/* The commercial part as we would lend it: at least our rate, at most what the income leaves. Amount 0: not at all. */
static Coloan__V1__LoanPart acceptable(const struct bank_rules *rules, const struct bank_case *known,
                                       const Coloan__V1__OfferTerms *terms)
{
    Coloan__V1__LoanPart part = *terms->commercial;
    int64_t room_fen = room_for_instalment(rules, known, terms);
    part.rate_ppm = part.rate_ppm < rules->rate_ppm_min ? (int32_t)rules->rate_ppm_min : part.rate_ppm;
    bool possible = set_instalment(&part);
    if (possible && part.instalment_fen > room_fen) {
        possible = cl_is_ok(cl_principal_for(&part.amount_fen, room_fen, part.rate_ppm, part.term_months,
                                             (enum cl_repayment)part.method)) &&
                   part.amount_fen > 0 && set_instalment(&part);
    }
    part.amount_fen = possible && part.amount_fen >= rules->amount_fen_min ? part.amount_fen : 0;
    return part;
}

static bool conclude(Coloan__V1__BankDecision *decision, struct cl_arena *arena, const struct bank_rules *rules,
                     const struct bank_case *known, const Coloan__V1__OfferTerms *terms)
{
    if (!known->credit_good) {
        return decline(decision, arena, CL_LOAN_CRD_BANK);
    }
    Coloan__V1__LoanPart part = acceptable(rules, known, terms);
    if (part.amount_fen == 0) {
        return decline(decision, arena, CL_LOAN_JNT_HOUSING);
    }
    if (part.amount_fen == terms->commercial->amount_fen && part.rate_ppm == terms->commercial->rate_ppm) {
        decision->verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
        return true;
    }
    decision->verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER;
    decision->counter = cl_arena_alloc(arena, sizeof *decision->counter);
    if (decision->counter == NULL) {
        return false;
    }
    *decision->counter = part;
    return add_reason(decision, arena, CL_LOAN_AMT_BANK);
}

struct cl_status bank_decide(Coloan__V1__BankDecision **out, struct cl_arena *arena, const struct bank_rules *rules,
                             const struct bank_case *known, const Coloan__V1__OfferTerms *terms,
                             const struct cl_digest *digest, const char *reference)
{
    Coloan__V1__BankDecision *decision = cl_arena_alloc(arena, sizeof *decision);
    if (decision == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__bank_decision__init(decision);
    decision->offer_version = terms->version;
    decision->bank_epoch = terms->bank_epoch;
    decision->terms_digest.data = cl_arena_copy(arena, cl_bytes(digest->bytes, CL_DIGEST_BYTES));
    decision->terms_digest.len = CL_DIGEST_BYTES;
    decision->bank_reference = cl_arena_text(arena, reference);
    if (!conclude(decision, arena, rules, known, terms) || cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = decision;
    return cl_ok();
}
