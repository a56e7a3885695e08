/* What a worker does with each kind of event. Everything can be interrupted by a crash at any point: a request that was
 * made durable is sent again as it is, and the centre answers it with the reply it gave before; an event that is not
 * applied is taken up again from the start. So a worker waits for the disk only before it sends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bank/bank.h"
#include "client/bank/lend.h"
#include "client/evidence.h"
#include "libcoloan/log.h"
#include "libcoloan/personal.h"

enum { ATTEMPT_MS = 10 * 1000, SEND_MS = 60 * 1000 };

/* One event being handled. The arena is for what is signed, the other for each answer. */
struct job {
    struct bank *bank;
    struct bank_entry *entry;
    struct cl_arena *arena, *answers;
    struct cl_opened opened;
    const Coloan__V1__Event *event;
};

enum result {
    APPLIED,   /* done, or never to be done: acknowledge it */
    LEFT,      /* stop; the next start takes it up */
    UNTENABLE, /* it does not verify: never acknowledge it */
};

/* -- Sending -------------------------------------------------------------------------------------------------- */

struct asked {
    const char *method;
    const ProtobufCMessage *body;
    const ProtobufCMessageDescriptor *reply_type;
    Coloan__V1__Disclosure *disclosure; /* NULL: none */
};

/* Signs the request and remembers it, with what was found out about the case, before anything is sent. */
static struct cl_status sign_and_remember(struct job *job, const struct asked *asked)
{
    struct cl_request request;
    Coloan__V1__Disclosure *disclosure = asked->disclosure;
    struct cl_status status =
        cl_session_prepare(&request, job->bank->session, job->arena,
                           &(struct cl_session_call){.method = asked->method,
                                                     .body = asked->body,
                                                     .reply_type = asked->reply_type,
                                                     .disclosures = &disclosure,
                                                     .disclosure_count = disclosure == NULL ? 0 : 1,
                                                     .application_id = job->entry->application_id});
    if (cl_failed(status)) {
        return status;
    }
    return bank_remember(job->bank, &(struct bank_record){.kind = BANK_RECORD_REQUEST,
                                                          .sequence = job->entry->sequence,
                                                          .number = request.expires_ms,
                                                          .digest = request.digest,
                                                          .bytes = request.envelope});
}

static void refresh_keys(struct job *job)
{
    bool changed = false;
    cl_arena_reset(job->answers);
    struct cl_status status = cl_session_refresh_keys(&changed, job->bank->session, job->answers,
                                                      (struct cl_patience){.attempt_ms = ATTEMPT_MS});
    cl_log(CL_LOG_INFO, "bank.keys", cl_log_text("reason", cl_status_name(status)), cl_log_number("changed", changed));
}

/* Sends what is remembered until somebody gives an answer. OK: done. LEFT with SHUTTING_DOWN. Anything else is the
 * centre's refusal, which repetition will not change. */
static struct cl_status send_remembered(struct job *job, const struct asked *asked)
{
    struct cl_backoff backoff = {0};
    const struct cl_request request = {.method = asked->method,
                                       .reply_type = asked->reply_type,
                                       .digest = job->entry->request_digest,
                                       .envelope = job->entry->request,
                                       .expires_ms = job->entry->request_expires_ms};
    for (;;) {
        struct cl_answer answer;
        cl_arena_reset(job->answers);
        struct cl_status status = cl_session_send(&answer, job->bank->session, job->answers, &request,
                                                  (struct cl_patience){.attempt_ms = ATTEMPT_MS, .total_ms = SEND_MS});
        if (cl_is_ok(status) || cl_session_stopped(job->bank->session)) {
            return cl_is_ok(status) ? status : cl_fail(CL_SHUTTING_DOWN);
        }
        if (answer.refused && cl_reason_info(status.reason)->retry != CL_RETRY_DELAY) {
            return status;
        }
        cl_log(CL_LOG_WARNING, "bank.send", cl_log_text("reason", cl_status_name(status)),
               cl_log_number("sequence", (int64_t)job->entry->sequence));
        int64_t wait_ms = cl_backoff_next(&backoff, answer.retry_after_ms, cl_random_system());
        if (!answer.refused && (status.reason == CL_KEY_UNKNOWN || status.reason == CL_KEY_NOT_VALID)) {
            refresh_keys(job);
        }
        if (!cl_session_pause(job->bank->session, wait_ms)) {
            return cl_fail(CL_SHUTTING_DOWN);
        }
    }
}

/* EXPIRED is the proof that the request was never handled: only then is there a new one, under a new id. With APPLIED,
 * `answered_out` is what the centre said. */
static enum result ask_for(struct cl_status *answered_out, struct job *job, const struct asked *asked, const char *what)
{
    for (;;) {
        struct cl_status status = job->entry->request.len == 0 ? sign_and_remember(job, asked) : cl_ok();
        if (cl_failed(status)) {
            bank_give_up(job->bank, "bank.sign", status);
            return LEFT;
        }
        status = send_remembered(job, asked);
        if (status.reason == CL_SHUTTING_DOWN) {
            return LEFT;
        }
        if (status.reason != CL_EXPIRED) {
            bank_say(job->bank, &(struct bank_line){.what = what,
                                                    .sequence = job->entry->sequence,
                                                    .application_id = job->entry->application_id,
                                                    .made_ms = job->opened.header->created_ms,
                                                    .received_ms = job->entry->received_ms,
                                                    .reason = cl_status_name(status)});
            *answered_out = status;
            return APPLIED;
        }
        status = sign_and_remember(job, asked);
        if (cl_failed(status)) {
            bank_give_up(job->bank, "bank.sign", status);
            return LEFT;
        }
    }
}

/* The same where the answer changes nothing for us. */
static enum result ask(struct job *job, const struct asked *asked, const char *what)
{
    struct cl_status ignored;
    return ask_for(&ignored, job, asked, what);
}

/* -- A new case ----------------------------------------------------------------------------------------------- */

/* Each value that was disclosed is the one that the signed submission commits to. */
static struct cl_status check_disclosures(const Coloan__V1__Application *application, const struct cl_opened *opened)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    size_t field_count = 0;
    struct cl_status status = cl_personal_fields(fields, &field_count, &application->base);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < opened->disclosure_count; i++) {
        const Coloan__V1__Disclosure *disclosure = opened->disclosures[i];
        struct cl_digest commitment;
        bool fits = false;
        cl_commitment(&commitment, disclosure->path, cl_bytes(disclosure->salt.data, disclosure->salt.len),
                      cl_bytes(disclosure->value.data, disclosure->value.len));
        for (size_t j = 0; j < field_count; j++) {
            fits = fits || (strcmp(fields[j].path, disclosure->path) == 0 &&
                            cl_digest_equal(&fields[j].commitment, &commitment));
        }
        if (!fits) {
            return cl_fail(CL_DISCLOSURE_MISMATCH);
        }
    }
    return cl_ok();
}

static struct cl_status read_submission(const Coloan__V1__Application **out, struct job *job)
{
    struct cl_opened submission;
    ProtobufCMessage *body = NULL;
    struct cl_keyring *keyring = cl_session_keyring(job->bank->session);
    struct cl_status status = cl_envelope_verify(
        &submission, job->arena, cl_bytes(job->event->application_envelope.data, job->event->application_envelope.len),
        keyring);
    cl_keyring_unref(keyring);
    if (cl_is_ok(status) && submission.body_type != &coloan__v1__application__descriptor) {
        status = cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    if (cl_is_ok(status)) {
        status = cl_opened_body(&body, job->arena, &submission);
    }
    if (cl_failed(status)) {
        return status;
    }
    *out = (const Coloan__V1__Application *)(const void *)body;
    return check_disclosures(*out, &job->opened);
}

static enum result untenable(struct job *job, const char *what, struct cl_status status)
{
    cl_log(CL_LOG_ERROR, "bank.untenable", cl_log_text("what", what), cl_log_text("reason", cl_status_name(status)),
           cl_log_number("sequence", (int64_t)job->entry->sequence));
    bank_say(job->bank, &(struct bank_line){.what = "untenable",
                                            .sequence = job->entry->sequence,
                                            .application_id = job->entry->application_id,
                                            .reason = cl_status_name(status)});
    return UNTENABLE;
}

/* Nothing for us any more. */
static enum result pass_over(struct job *job, struct cl_status status)
{
    bank_say(job->bank, &(struct bank_line){.what = "passed over",
                                            .sequence = job->entry->sequence,
                                            .application_id = job->entry->application_id,
                                            .reason = cl_status_name(status)});
    return APPLIED;
}

static enum result on_application(struct job *job)
{
    const Coloan__V1__Application *application = NULL;
    Coloan__V1__VerificationReport *report = NULL;
    struct bank_case known;
    struct cl_status status = read_submission(&application, job);
    if (cl_is_ok(status)) {
        status = bank_verify_customers(&report, &known, job->arena, job->bank->customers, application,
                                       job->opened.disclosures, job->opened.disclosure_count,
                                       cl_clock_unix_ms(cl_clock_system()));
    }
    if (status.reason == CL_DISCLOSURE_MISSING) {
        return pass_over(job, status); /* a consent was withdrawn, or the case is another bank's: an event tells */
    }
    if (cl_failed(status)) {
        return untenable(job, "application", status);
    }
    if (job->entry->request.len == 0) { /* durable with the request, which will stand behind it */
        status = bank_note(job->bank, &(struct bank_record){.kind = BANK_RECORD_CASE,
                                                            .text = job->entry->application_id,
                                                            .number = known.income_fen,
                                                            .sequence = known.credit_good ? 1 : 0,
                                                            .bytes = cl_bytes_text(known.contract_no)});
    }
    if (cl_failed(status)) {
        return LEFT;
    }
    return ask(job,
               &(struct asked){.method = "coloan.v1.JointApproval/ReportVerifications",
                               .body = &report->base,
                               .reply_type = &coloan__v1__application_status__descriptor},
               "verifications");
}

/* -- The case as the centre has it now ------------------------------------------------------------------------ */

static struct cl_status get_case(const Coloan__V1__ApplicationView **out, struct job *job)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    struct cl_answer answer;
    query.application_id = job->entry->application_id;
    struct cl_status status =
        cl_session_call(&answer, job->bank->session, job->arena,
                        &(struct cl_session_call){.method = "coloan.v1.JointApproval/GetApplication",
                                                  .body = &query.base,
                                                  .reply_type = &coloan__v1__application_view__descriptor},
                        (struct cl_patience){.attempt_ms = ATTEMPT_MS, .total_ms = SEND_MS});
    if (cl_failed(status)) {
        return status;
    }
    const Coloan__V1__ApplicationView *view = (const Coloan__V1__ApplicationView *)(const void *)answer.body;
    if (view->status == NULL) {
        return cl_fail(CL_FIELD_MISSING);
    }
    *out = view;
    return cl_ok();
}

/* Asks until there is an answer. SHUTTING_DOWN; what the centre refused with. */
static struct cl_status get_case_surely(const Coloan__V1__ApplicationView **out, struct job *job)
{
    for (;;) {
        struct cl_status status = get_case(out, job);
        if (cl_is_ok(status) || cl_session_stopped(job->bank->session)) {
            return cl_is_ok(status) ? status : cl_fail(CL_SHUTTING_DOWN);
        }
        if (cl_reason_info(status.reason)->retry != CL_RETRY_DELAY) {
            return status;
        }
        (void)cl_session_pause(job->bank->session, ATTEMPT_MS);
    }
}

/* -- An offer ------------------------------------------------------------------------------------------------- */

static void make_reference(char out[CL_TEXT_BYTES_MAX + 1], const struct job *job)
{
    (void)snprintf(out, CL_TEXT_BYTES_MAX + 1, "%.32s-%llu", job->bank->config->reference_prefix,
                   (unsigned long long)job->entry->sequence);
}

/* Either we never saw the application, or it went to another bank before we heard of it. */
static enum result on_unknown_case(struct job *job)
{
    const Coloan__V1__ApplicationView *view = NULL;
    struct cl_status status = get_case_surely(&view, job);
    if (status.reason == CL_SHUTTING_DOWN) {
        return LEFT;
    }
    if (status.reason == CL_STALE_EPOCH) {
        return pass_over(job, status);
    }
    return untenable(job, "case", cl_fail(CL_APPLICATION_UNKNOWN));
}

static enum result on_fund_decision(struct job *job)
{
    const Coloan__V1__FundDecision *told = job->event->fund_decision;
    const Coloan__V1__OfferTerms *terms = NULL;
    Coloan__V1__BankDecision *decision = NULL;
    struct cl_digest digest;
    struct bank_case known;
    char reference[CL_TEXT_BYTES_MAX + 1];
    if (told == NULL) {
        return untenable(job, "decision", cl_fail(CL_FIELD_MISSING));
    }
    if (told->offer == NULL) {
        return APPLIED; /* refused, or with the borrower or an officer: nothing for us */
    }
    struct cl_status status = client_terms_read(&terms, &digest, job->arena, told->offer);
    if (cl_failed(status)) {
        return untenable(job, "terms", status);
    }
    if (terms->commercial == NULL || terms->commercial->amount_fen == 0) {
        return APPLIED; /* the fund lends alone */
    }
    if (!bank_state_case(&known, job->bank->state, job->entry->application_id)) {
        return on_unknown_case(job);
    }
    make_reference(reference, job);
    status = bank_decide(&decision, job->arena, &job->bank->config->rules, &known, terms, &digest, reference);
    if (cl_failed(status)) {
        bank_give_up(job->bank, "bank.decide", status);
        return LEFT;
    }
    static const char *const names[] = {"decided", "approved", "countered", "declined"};
    return ask(job,
               &(struct asked){.method = "coloan.v1.JointApproval/ReportBankDecision",
                               .body = &decision->base,
                               .reply_type = &coloan__v1__joint_outcome__descriptor},
               names[(unsigned)decision->verdict % 4]);
}

/* -- The end -------------------------------------------------------------------------------------------------- */

static enum result on_joint_decision(struct job *job)
{
    struct client_evidence evidence;
    struct cl_keyring *keyring = cl_session_keyring(job->bank->session);
    struct cl_status status = client_evidence_check(&evidence, job->arena, job->entry->envelope, keyring);
    cl_keyring_unref(keyring);
    if (cl_is_ok(status) && strcmp(evidence.joint->application_id, job->entry->application_id) != 0) {
        status = cl_fail(CL_APPLICATION_UNKNOWN);
    }
    if (cl_failed(status)) {
        return untenable(job, "evidence", status);
    }
    const ProtobufCEnumValue *outcome =
        protobuf_c_enum_descriptor_get_value(&coloan__v1__outcome__descriptor, (int)evidence.joint->outcome);
    bank_say(job->bank, &(struct bank_line){.what = "joint",
                                            .sequence = job->entry->sequence,
                                            .application_id = job->entry->application_id,
                                            .made_ms = job->opened.header->created_ms,
                                            .received_ms = job->entry->received_ms,
                                            .reason = outcome == NULL ? "?" : outcome->name});
    return APPLIED;
}

/* -- After it ------------------------------------------------------------------------------------------------- */

static bool may_wait_for_us(Coloan__V1__CaseState state)
{
    return state == COLOAN__V1__CASE_STATE__CASE_STATE_CONFIRMED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_SIGNING || state == COLOAN__V1__CASE_STATE__CASE_STATE_SIGNED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_READY ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_HALF_DISBURSED;
}

/* The terms both lenders signed, by their signatures; those of an offer before the current one are history. */
static struct cl_status read_terms(const Coloan__V1__OfferTerms **out, struct job *job,
                                   const Coloan__V1__ApplicationView *view)
{
    struct client_evidence evidence;
    struct cl_keyring *keyring = cl_session_keyring(job->bank->session);
    struct cl_status status = client_evidence_check(
        &evidence, job->arena, cl_bytes(view->joint_decision.data, view->joint_decision.len), keyring);
    cl_keyring_unref(keyring);
    if (cl_is_ok(status) && evidence.terms == NULL) {
        status = cl_fail(CL_FIELD_MISSING);
    }
    if (cl_is_ok(status) && (evidence.terms->version != view->status->offer_version ||
                             evidence.terms->bank_epoch != view->status->bank_epoch)) {
        status = cl_fail(CL_OFFER_STALE);
    }
    if (cl_is_ok(status)) {
        *out = evidence.terms;
    }
    return status;
}

/* The next report, if the case waits for one; it may have moved on since the event was written. */
static struct cl_status next_report(bool *more_out, struct asked *out, struct job *job)
{
    const Coloan__V1__ApplicationView *view = NULL;
    const Coloan__V1__OfferTerms *terms = NULL;
    struct bank_case known = {.contract_no = ""};
    (void)bank_state_case(&known, job->bank->state, job->entry->application_id); /* unknown: a person files */
    const struct bank_lending lending = {.prefix = job->bank->config->reference_prefix,
                                         .contract_no = known.contract_no,
                                         .account = job->bank->config->lends_to,
                                         .now_ms = cl_clock_unix_ms(cl_clock_system()),
                                         .random = cl_random_system()};
    Coloan__V1__Milestone *milestone = NULL;
    struct asked asked = {.method = "coloan.v1.JointApproval/ReportMilestone",
                          .reply_type = &coloan__v1__application_status__descriptor};
    struct cl_status status = get_case_surely(&view, job);
    if (cl_failed(status) || !may_wait_for_us(view->status->state)) {
        *more_out = false;
        return status;
    }
    status = read_terms(&terms, job, view);
    if (cl_is_ok(status)) {
        status = bank_lend_next(more_out, &milestone, &asked.disclosure, job->arena, view->status, terms, &lending);
    }
    if (cl_is_ok(status) && *more_out) {
        asked.body = &milestone->base;
        *out = asked;
    }
    return status;
}

/* Reports one thing after the other until the case waits for somebody else. What was reported just before a crash shows
 * in the case itself, and is not said twice: each is of a state that the report ends. */
static enum result on_status(struct job *job)
{
    if (job->event->status == NULL) {
        return untenable(job, "status", cl_fail(CL_FIELD_MISSING));
    }
    if (job->bank->config->lends_to == NULL || !may_wait_for_us(job->event->status->state)) {
        return APPLIED;
    }
    for (;;) {
        struct asked asked;
        struct cl_status answered = cl_ok();
        bool more = false;
        struct cl_status status = next_report(&more, &asked, job);
        if (status.reason == CL_SHUTTING_DOWN) {
            return LEFT;
        }
        if (status.reason == CL_STALE_EPOCH) {
            return pass_over(job, status);
        }
        if (cl_failed(status)) {
            return untenable(job, "lending", status);
        }
        if (!more) {
            return APPLIED;
        }
        if (cl_failed(sign_and_remember(job, &asked))) {
            return LEFT;
        }
        enum result result = ask_for(&answered, job, &asked, "milestone");
        if (result != APPLIED || cl_failed(answered)) {
            return result; /* refused: a person has to look */
        }
    }
}

/* -- Another bank's ------------------------------------------------------------------------------------------- */

/* What was found out about the customer goes with the event; what stands in the journal goes with the journal. */
static enum result on_released(struct job *job)
{
    bank_say(job->bank, &(struct bank_line){.what = "released",
                                            .sequence = job->entry->sequence,
                                            .application_id = job->entry->application_id,
                                            .made_ms = job->opened.header->created_ms,
                                            .received_ms = job->entry->received_ms});
    return APPLIED;
}

/* -- Jobs ----------------------------------------------------------------------------------------------------- */

/* The event was verified when it came; it is opened again because it may have waited for a restart. */
static struct cl_status open_event(struct job *job)
{
    ProtobufCMessage *body = NULL;
    struct cl_keyring *keyring = cl_session_keyring(job->bank->session);
    struct cl_status status = cl_envelope_verify(&job->opened, job->arena, job->entry->envelope, keyring);
    cl_keyring_unref(keyring);
    if (cl_is_ok(status)) {
        status = cl_opened_body(&body, job->arena, &job->opened);
    }
    job->event = (const Coloan__V1__Event *)(const void *)body;
    return status;
}

static enum result handle(struct job *job)
{
    struct cl_status status = open_event(job);
    if (cl_failed(status)) {
        return untenable(job, "event", status);
    }
    static const struct {
        Coloan__V1__EventKind kind;
        enum result (*handle)(struct job *job);
    } rows[] = {{COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION, on_application},
                {COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION, on_fund_decision},
                {COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION, on_joint_decision},
                {COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS, on_status},
                {COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED, on_released}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].kind == job->event->kind) {
            return rows[i].handle(job);
        }
    }
    return APPLIED; /* a consent withdrawn: the centre shows us no more of that person; nothing to be done */
}

/* The stream acknowledges it once it is durable; a crash before that takes the event up again, and everything that was
 * done for it is found done. */
static void apply(struct job *job)
{
    struct cl_status status = cl_ok();
    struct bank_ack *ack = calloc(1, sizeof *ack);
    if (ack == NULL) {
        bank_give_up(job->bank, "bank.apply", cl_fail(CL_MEMORY_LIMIT));
        return;
    }
    ack->sequence = job->entry->sequence;
    ack->digest = job->entry->digest;
    make_reference(ack->reference, job);
    if (bank_case_is_over(job->event)) {
        status =
            bank_note(job->bank, &(struct bank_record){.kind = BANK_RECORD_ENDED, .text = job->entry->application_id});
    }
    if (cl_is_ok(status)) {
        status = bank_note(job->bank, &(struct bank_record){.kind = BANK_RECORD_APPLIED,
                                                            .sequence = ack->sequence,
                                                            .digest = ack->digest,
                                                            .text = ack->reference});
        job->entry = NULL; /* the state freed it */
    }
    if (cl_failed(status) || cl_failed(cl_queue_push(job->bank->acks, ack))) {
        free(ack);
        atomic_store(&job->bank->acks_lost, true);
    }
}

void *bank_work(void *argument)
{
    struct bank_worker *worker = argument;
    struct bank *bank = worker->bank;
    struct cl_queue *queue = bank->work[worker->index];
    struct job job = {.bank = bank};
    void *element = NULL;
    free(worker);
    if (cl_failed(cl_arena_create(&job.arena, 4 * CL_MESSAGE_ARENA_BYTES_MAX)) ||
        cl_failed(cl_arena_create(&job.answers, 4 * CL_MESSAGE_ARENA_BYTES_MAX))) {
        bank_give_up(bank, "bank.worker", cl_fail(CL_MEMORY_LIMIT));
    }
    while (job.answers != NULL && cl_queue_take(queue, &element, 1, -1) == 1) {
        cl_arena_reset(job.arena);
        job.entry = element;
        if (!cl_session_stopped(bank->session) && handle(&job) == APPLIED) {
            apply(&job);
        }
    }
    cl_arena_free(job.arena);
    cl_arena_free(job.answers);
    return NULL;
}
