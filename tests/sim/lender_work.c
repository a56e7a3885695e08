/* What client/bank/work.c does with an event, step by step: nothing waits here, the end of each request comes back with the
 * event's number. */
#include <assert.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "client/bank/decide.h"
#include "client/bank/lend.h"
#include "client/evidence.h"
#include "tests/sim/lender_shared.h"

enum {
    WORK_MS_MAX = 400,
    SLOW_MS_MAX = 600 * 1000, /* longer than a request lives */
};

#define SELLERS_ACCOUNT "3200000000000001" /* of every simulated seller */

/* One event being handled. */
struct job {
    struct lender *lender;
    struct bank_entry *entry;
    struct cl_opened opened;
    const Coloan__V1__Event *event;
};

static const struct bank_rules rules = {.instalment_share_ppm = 550000, .rate_ppm_min = 0, .amount_fen_min = 100000};

static void work(void *who, void *load);

/* -- The end of an event ------------------------------------------------------------------------------------- */

void lender_reference(char out[CL_TEXT_BYTES_MAX + 1], const struct lender *lender, uint64_t sequence)
{
    (void)snprintf(out, CL_TEXT_BYTES_MAX + 1, "%s-%llu", base_party(lender->role) + strlen("bank:"),
                   (unsigned long long)sequence);
}

/* What the bank takes the case to be, once the event is applied. */
static void believe(struct lender *lender, const Coloan__V1__Event *event)
{
    struct lender_case *kept = lender_case_of(lender, event->application_id);
    if (event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED) {
        kept->believes = false;
    } else if (event->status != NULL) {
        kept->believes = event->status->outcome == COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED;
    }
}

/* May end the process. */
static void apply(struct job *job)
{
    struct lender *lender = job->lender;
    uint64_t sequence = job->entry->sequence;
    struct cl_digest digest = job->entry->digest;
    char reference[CL_TEXT_BYTES_MAX + 1];
    lender_reference(reference, lender, sequence);
    if (bank_case_is_over(job->event)) {
        lender_note(lender, &(struct bank_record){.kind = BANK_RECORD_ENDED, .text = job->entry->application_id});
    }
    lender_note(lender, &(struct bank_record){
                            .kind = BANK_RECORD_APPLIED, .sequence = sequence, .digest = digest, .text = reference});
    if (lender_dies(lender, "before an event is applied")) {
        return;
    }
    lender_sync(lender);
    believe(lender, job->event);
    sim_say(lender->sim, "%s applied event %llu", base_party(lender->role), (unsigned long long)sequence);
    lender_acknowledge(lender, sequence, &digest, reference);
}

/* -- Requests ------------------------------------------------------------------------------------------------ */

/* EXPIRED is the proof that the request was never handled: only then is there a new one. */
static bool must_be_signed_anew(const struct ended *ended)
{
    return ended->status.reason == CL_EXPIRED;
}

static bool open_job(struct job *job, struct lender *lender, uint64_t sequence)
{
    ProtobufCMessage *body = NULL;
    job->lender = lender;
    job->entry = bank_state_find(lender->state, sequence);
    if (job->entry == NULL) {
        return false; /* applied already */
    }
    struct cl_status status =
        cl_envelope_verify(&job->opened, lender->sim->arena, job->entry->envelope, lender->sim->base->keyring);
    if (cl_is_ok(status)) {
        status = cl_opened_body(&body, lender->sim->arena, &job->opened);
    }
    assert(cl_is_ok(status)); /* it was when it came */
    job->event = (const Coloan__V1__Event *)(const void *)body;
    return true;
}

static void forget_request(struct lender *lender, uint64_t sequence)
{
    lender_note(lender, &(struct bank_record){.kind = BANK_RECORD_REQUEST, .sequence = sequence});
}

static void request_ended(void *who, uint64_t sequence, const struct ended *ended)
{
    struct lender *lender = who;
    struct job job;
    if (lender_dies(lender, "with an answer") || !open_job(&job, lender, sequence)) {
        return;
    }
    bool reports = job.event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS;
    if (must_be_signed_anew(ended) || (reports && cl_is_ok(ended->status))) {
        forget_request(lender, sequence);
        lender_wants_work(lender, sequence);
        return;
    }
    apply(&job);
}

/* Signs, makes it durable, and only then sends. */
static void ask(struct job *job, const struct ask *asked)
{
    struct lender *lender = job->lender;
    uint64_t sequence = job->entry->sequence;
    struct entry *entry = party_sign(lender->party, asked);
    lender_note(lender, &(struct bank_record){.kind = BANK_RECORD_REQUEST,
                                              .sequence = sequence,
                                              .number = entry->expires_ms,
                                              .digest = entry->digest,
                                              .bytes = cl_bytes(entry->envelope, entry->envelope_len)});
    if (lender_dies(lender, "before a request is durable")) {
        return;
    }
    lender_sync(lender);
    lender_may_lie(lender, job->event, sequence, &job->entry->digest, entry);
    party_send(lender->party, entry, request_ended, lender, sequence);
}

/* What was signed before the process was killed. */
static bool send_again(const struct job *job)
{
    struct lender *lender = job->lender;
    if (job->entry->request.len == 0) {
        return false;
    }
    const struct entry known = {.digest = job->entry->request_digest};
    struct entry *entry = ledger_keep(lender->sim->ledger, &known, job->entry->request);
    party_send(lender->party, entry, request_ended, lender, job->entry->sequence);
    return true;
}

/* -- A new case ---------------------------------------------------------------------------------------------- */

static void on_application(struct job *job)
{
    struct lender *lender = job->lender;
    struct cl_arena *arena = lender->sim->arena;
    struct cl_opened submission;
    ProtobufCMessage *body = NULL;
    Coloan__V1__VerificationReport *report = NULL;
    struct bank_case known;
    const ProtobufCBinaryData *kept = &job->event->application_envelope;
    struct cl_status status =
        cl_envelope_verify(&submission, arena, cl_bytes(kept->data, kept->len), lender->sim->base->keyring);
    if (cl_is_ok(status)) {
        status = cl_opened_body(&body, arena, &submission);
    }
    if (cl_is_ok(status)) {
        status =
            bank_verify_customers(&report, &known, arena, NULL, (const Coloan__V1__Application *)(const void *)body,
                                  job->opened.disclosures, job->opened.disclosure_count, party_now_ms(lender->party));
    }
    if (status.reason == CL_DISCLOSURE_MISSING) {
        apply(job); /* the case is another bank's by now: an event tells */
        return;
    }
    if (cl_failed(status)) {
        sim_violated(lender->sim, "a submission does not verify at %s: %s", base_party(lender->role),
                     cl_status_name(status));
        return;
    }
    lender_note(lender, &(struct bank_record){.kind = BANK_RECORD_CASE,
                                              .text = job->entry->application_id,
                                              .number = known.income_fen,
                                              .sequence = known.credit_good ? 1 : 0,
                                              .bytes = cl_bytes_text(known.contract_no)});
    ask(job, &(struct ask){.method = "coloan.v1.JointApproval/ReportVerifications",
                           .body = &report->base,
                           .application_id = job->entry->application_id});
}

/* -- An offer ------------------------------------------------------------------------------------------------ */

static void on_fund_decision(struct job *job)
{
    struct lender *lender = job->lender;
    const Coloan__V1__OfferTerms *terms = NULL;
    Coloan__V1__BankDecision *decision = NULL;
    struct cl_digest digest;
    struct bank_case known;
    char reference[CL_TEXT_BYTES_MAX + 1];
    if (job->event->fund_decision->offer == NULL) {
        apply(job);
        return;
    }
    struct cl_status status = client_terms_read(&terms, &digest, lender->sim->arena, job->event->fund_decision->offer);
    if (cl_failed(status)) {
        sim_violated(lender->sim, "an offer to %s does not verify: %s", base_party(lender->role),
                     cl_status_name(status));
        return;
    }
    bool alone = terms->commercial == NULL || terms->commercial->amount_fen == 0;
    if (alone || !bank_state_case(&known, lender->state, job->entry->application_id)) {
        apply(job); /* nothing for us, or not ours any more */
        return;
    }
    lender_reference(reference, lender, job->entry->sequence);
    status = bank_decide(&decision, lender->sim->arena, &rules, &known, terms, &digest, reference);
    assert(cl_is_ok(status));
    ask(job, &(struct ask){.method = "coloan.v1.JointApproval/ReportBankDecision",
                           .body = &decision->base,
                           .application_id = job->entry->application_id});
}

static void on_joint_decision(struct job *job)
{
    struct client_evidence evidence;
    struct sim *sim = job->lender->sim;
    struct cl_status status = client_evidence_check(&evidence, sim->arena, job->entry->envelope, sim->base->keyring);
    if (cl_failed(status)) {
        sim_violated(sim, "the joint decision told to %s does not hold: %s, %s", base_party(job->lender->role),
                     evidence.step, cl_status_name(status));
        return;
    }
    apply(job);
}

/* -- After it ------------------------------------------------------------------------------------------------ */

static bool may_wait_for_us(Coloan__V1__CaseState state)
{
    return state == COLOAN__V1__CASE_STATE__CASE_STATE_CONFIRMED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_SIGNING || state == COLOAN__V1__CASE_STATE__CASE_STATE_SIGNED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_READY ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_HALF_DISBURSED;
}

/* The next report, if the case waits for one; false: it does not, or nothing is agreed. */
static bool next_report(struct ask *out, struct lender *lender, const char *application_id,
                        const Coloan__V1__ApplicationView *view)
{
    struct cl_random random = dice_random(&lender->sim->ids);
    struct client_evidence evidence;
    struct bank_case known = {.contract_no = ""};
    Coloan__V1__Milestone *milestone = NULL;
    Coloan__V1__Disclosure **account = cl_arena_array(lender->sim->arena, 1, sizeof(Coloan__V1__Disclosure *));
    bool more = false;
    (void)bank_state_case(&known, lender->state, application_id);
    struct cl_status status = client_evidence_check(&evidence, lender->sim->arena,
                                                    cl_bytes(view->joint_decision.data, view->joint_decision.len),
                                                    lender->sim->base->keyring);
    if (cl_failed(status) || evidence.terms == NULL || evidence.terms->version != view->status->offer_version) {
        sim_violated(lender->sim, "what %s is to sign is not what both agreed: %s", base_party(lender->role),
                     cl_status_name(status));
        return false;
    }
    const struct bank_lending lending = {.prefix = base_party(lender->role) + strlen("bank:"),
                                         .contract_no = known.contract_no,
                                         .account = SELLERS_ACCOUNT,
                                         .now_ms = party_now_ms(lender->party),
                                         .random = &random};
    status = bank_lend_next(&more, &milestone, account, lender->sim->arena, view->status, evidence.terms, &lending);
    assert(cl_is_ok(status));
    *out = (struct ask){.method = "coloan.v1.JointApproval/ReportMilestone",
                        .body = more ? &milestone->base : NULL,
                        .application_id = application_id,
                        .disclosures = account,
                        .disclosure_count = *account == NULL ? 0 : 1};
    return more;
}

static void case_seen(void *who, uint64_t sequence, const struct ended *ended)
{
    struct lender *lender = who;
    struct job job;
    struct ask asked;
    if (lender_dies(lender, "with an answer") || !open_job(&job, lender, sequence)) {
        return;
    }
    const Coloan__V1__ApplicationView *view = (const Coloan__V1__ApplicationView *)(const void *)ended->reply;
    if (must_be_signed_anew(ended)) {
        lender_wants_work(lender, sequence);
    } else if (view == NULL || !may_wait_for_us(view->status->state) ||
               !next_report(&asked, lender, job.entry->application_id, view)) {
        apply(&job);
    } else {
        ask(&job, &asked);
    }
}

static void on_status(struct job *job)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    if (job->event->status == NULL || !may_wait_for_us(job->event->status->state)) {
        apply(job);
        return;
    }
    query.application_id = job->entry->application_id;
    struct entry *entry = party_sign(
        job->lender->party, &(struct ask){.method = "coloan.v1.JointApproval/GetApplication", .body = &query.base});
    party_send(job->lender->party, entry, case_seen, job->lender, job->entry->sequence);
}

/* -- Work ---------------------------------------------------------------------------------------------------- */

static void on_released(struct job *job)
{
    lender_may_lie(job->lender, job->event, job->entry->sequence, &job->entry->digest, NULL);
    apply(job);
}

static void handle(struct job *job)
{
    static const struct {
        Coloan__V1__EventKind kind;
        void (*handle)(struct job *job);
    } rows[] = {{COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION, on_application},
                {COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION, on_fund_decision},
                {COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION, on_joint_decision},
                {COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS, on_status},
                {COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED, on_released}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].kind == job->event->kind) {
            rows[i].handle(job);
            return;
        }
    }
    apply(job); /* a consent withdrawn: nothing to be done */
}

/* Whether an event of the same case that came before is not applied yet: one case is handled in order. */
struct earlier {
    const struct bank_entry *than;
    bool found;
};

static void find_earlier(void *user, struct bank_entry *entry)
{
    struct earlier *earlier = user;
    earlier->found = earlier->found || (entry->sequence < earlier->than->sequence &&
                                        strcmp(entry->application_id, earlier->than->application_id) == 0);
}

static void work(void *who, void *load)
{
    struct lender *lender = who;
    struct job job;
    uint64_t sequence = (uint64_t)(uintptr_t)load;
    if (lender_dies(lender, "before it works") || !open_job(&job, lender, sequence)) {
        return;
    }
    struct earlier earlier = {.than = job.entry};
    bank_state_each(lender->state, find_earlier, &earlier);
    if (earlier.found) {
        lender_wants_work(lender, sequence);
    } else if (!send_again(&job)) {
        handle(&job);
    }
}

void lender_wants_work(struct lender *lender, uint64_t sequence)
{
    struct sim *sim = lender->sim;
    bool slow = sim_strikes(sim, sim->faults.bank_slow);
    agenda_add(sim->agenda, dice_between(&sim->dice, 1, slow ? SLOW_MS_MAX : WORK_MS_MAX),
               &(struct agenda_item){
                   .run = work, .who = lender, .load = (void *)(uintptr_t)sequence, .life = &lender->party->life});
}

/* -- A person ------------------------------------------------------------------------------------------------ */

#define KIND(name)     COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_##name
#define REGISTRY(name) COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_##name

/* How signed contracts that nothing is paid on are given up: the mortgage is deleted, then they are cancelled. */
static bool way_out(struct ask *out, const struct lender *lender, const char *application_id,
                    const Coloan__V1__ApplicationStatus *status)
{
    Coloan__V1__Milestone *milestone = cl_arena_alloc(lender->sim->arena, sizeof *milestone);
    bool registered = status->registry == REGISTRY(REGISTERED);
    bool free = status->registry == REGISTRY(RELEASED) || status->registry == REGISTRY(REJECTED) ||
                status->registry == REGISTRY(NOT_STARTED);
    if (status->fund != COLOAN__V1__FUND_TRACK__FUND_TRACK_SIGNED || !(registered || free)) {
        return false;
    }
    coloan__v1__milestone__init(milestone);
    milestone->kind = registered ? KIND(MORTGAGE_RELEASED) : KIND(CANCELLED);
    milestone->bank_epoch = status->bank_epoch;
    milestone->reference = cl_unconst("given up");
    milestone->happened_ms = party_now_ms(lender->party);
    *out = (struct ask){.method = "coloan.v1.JointApproval/ReportMilestone",
                        .body = &milestone->base,
                        .application_id = application_id};
    return true;
}

/* The number of the case, and whether it is to be given up. */
static uint64_t tag_of(const struct lender *lender, const struct lender_case *kept, bool gives_up)
{
    return 2 * (uint64_t)(kept - lender->cases) + (gives_up ? 1 : 0);
}

static void person_reported(void *who, uint64_t tag, const struct ended *ended)
{
    struct lender *lender = who;
    const Coloan__V1__ApplicationStatus *status = (const Coloan__V1__ApplicationStatus *)(const void *)ended->reply;
    if (status != NULL) {
        lender->cases[tag / 2].believes = status->outcome == COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED;
        lender_look_again(lender, lender->cases[tag / 2].id, tag % 2 == 1);
    }
}

static void person_saw(void *who, uint64_t tag, const struct ended *ended)
{
    struct lender *lender = who;
    const char *id = lender->cases[tag / 2].id;
    const Coloan__V1__ApplicationView *view = (const Coloan__V1__ApplicationView *)(const void *)ended->reply;
    struct ask asked;
    if (view == NULL) {
        return;
    }
    bool more = may_wait_for_us(view->status->state) && next_report(&asked, lender, id, view);
    if (more || (tag % 2 == 1 && way_out(&asked, lender, id, view->status))) {
        party_send(lender->party, party_sign(lender->party, &asked), person_reported, lender, tag);
    }
}

void lender_look_again(struct lender *lender, const char *application_id, bool gives_up)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    const struct lender_case *kept = lender_case_of(lender, application_id);
    if (!lender->up || !kept->told || kept->released) {
        return;
    }
    query.application_id = cl_unconst(application_id);
    struct entry *entry = party_sign(
        lender->party, &(struct ask){.method = "coloan.v1.JointApproval/GetApplication", .body = &query.base});
    party_send(lender->party, entry, person_saw, lender, tag_of(lender, kept, gives_up));
}
