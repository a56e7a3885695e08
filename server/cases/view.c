/* What a party may see: GetApplication, ListApplications, QueryVerifications. */
#include <string.h>

#include "libcoloan/wirescan.h"
#include "server/cases/consent.h"
#include "server/cases/convert.h"
#include "server/cases/file.h"
#include "server/cases/page.h"
#include "server/cases/view.h"
#include "server/store/case_log.h"
#include "server/store/decisions.h"
#include "server/store/messages.h"
#include "server/store/milestones.h"
#include "server/store/offers.h"

/* An officer sees every case, anybody else those it sent or lends on. */
static const char *scope_of(const struct case_request *request)
{
    return request->sender_kind == CL_PARTY_OFFICER ? NULL : request->sender;
}

/* -- Items --------------------------------------------------------------------------------------------------- */

/* A channel stands for the borrower. */
static enum item_reader reader_of(enum cl_party_kind kind)
{
    if (kind == CL_PARTY_BANK) {
        return READER_BANK;
    }
    return kind == CL_PARTY_CHANNEL ? READER_BORROWER : READER_FUND;
}

static bool wanted(const Coloan__V1__VerificationQuery *query, int item)
{
    if (query == NULL || query->n_items == 0) {
        return true;
    }
    for (size_t i = 0; i < query->n_items; i++) {
        if ((int)query->items[i] == item) {
            return true;
        }
    }
    return false;
}

static struct cl_status item_told(Coloan__V1__VerificationResult **out, struct case_tx *tx, const struct item_row *row,
                                  enum item_view view)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_unpack(&message, tx->arena, &coloan__v1__verification_result__descriptor, row->result);
    if (cl_failed(status)) {
        return status.reason == CL_MEMORY_LIMIT ? status : cl_fail(CL_INTERNAL);
    }
    Coloan__V1__VerificationResult *result = (Coloan__V1__VerificationResult *)message;
    result->item = (Coloan__V1__Item)row->item; /* an open one has no result yet */
    result->person = row->person;
    result->phase = (Coloan__V1__ItemPhase)row->phase;
    if (view == VIEW_VERDICT) {
        result->n_facts = 0;
    }
    *out = result;
    return cl_ok();
}

static bool is_shared(const struct consent_sharing *sharing, const struct item_row *row)
{
    if (sharing == NULL) {
        return true;
    }
    bool per_person = catalogue_row((enum item)row->item)->per_person;
    return per_person ? row->person < CL_PERSONS_MAX && sharing->of_person[row->person] != NULL : sharing->of_all;
}

/* `sharing` NULL: the reader needs nobody's consent. */
static struct cl_status tell_rows(struct items_told *out, struct case_tx *tx, const struct case_request *request,
                                  const struct item_rows *items, const struct consent_sharing *sharing)
{
    const Coloan__V1__VerificationQuery *query =
        request->body->descriptor == &coloan__v1__verification_query__descriptor
            ? (const Coloan__V1__VerificationQuery *)request->body
            : NULL;
    *out = (struct items_told){.list = cl_arena_array(tx->arena, items->count + 1, sizeof *out->list)};
    struct cl_status status = out->list == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < items->count; i++) {
        const struct item_row *row = &items->rows[i];
        enum item_view view =
            catalogue_view(catalogue_row((enum item)row->item), reader_of(request->sender_kind), row->person);
        if (view != VIEW_NONE && wanted(query, row->item) && is_shared(sharing, row)) {
            status = item_told(&out->list[out->count++], tx, row, view);
        }
    }
    return status;
}

/* What a bank is told rests on consents, which the reply and the record of it name. */
static struct cl_status name_consents(struct items_told *told, struct case_tx *tx, const struct case_file *file,
                                      const struct case_request *request, const struct consent_sharing *sharing)
{
    const char *ids[CL_PERSONS_MAX];
    told->consent_count = consent_sharing_ids(ids, sharing);
    told->consents = cl_arena_array(tx->arena, CL_PERSONS_MAX, sizeof *told->consents);
    if (told->consents == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < told->consent_count; i++) {
        convert_text(&told->consents[i], ids[i]);
    }
    return consent_note(tx, file->row.id, request->sender, &request->opened->digest, ids, told->consent_count);
}

static struct cl_status sharing_of(struct consent_sharing *out, struct case_tx *tx, const struct case_file *file,
                                   const struct case_request *request)
{
    const ProtobufCMessage *body = NULL;
    struct application *application = cl_arena_alloc(tx->arena, sizeof *application);
    if (application == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = (struct consent_sharing){.of_all = false};
    if (strcmp(file->row.bank, request->sender) != 0) {
        return cl_ok(); /* it lends no more */
    }
    struct cl_status status = file_kept_body(&body, tx, &file->row.submission, &coloan__v1__application__descriptor);
    if (cl_is_ok(status)) {
        status = consent_load(application, tx->sql, tx->arena, file->row.id, tx->now_ms);
    }
    if (cl_is_ok(status)) {
        application->person_count = ((const Coloan__V1__Application *)body)->n_persons;
        consent_sharing(out, application, request->sender);
    }
    return status;
}

/* A channel stands for the borrower and an officer for the centre: only a bank needs the persons' consent. */
struct cl_status case_view_items(struct items_told *out, struct case_tx *tx, const struct case_file *file,
                                 const struct case_request *request)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, ITEM_PHASE_ANY);
    if (cl_failed(status) || request->sender_kind != CL_PARTY_BANK) {
        return cl_failed(status) ? status : tell_rows(out, tx, request, &items, NULL);
    }
    struct consent_sharing sharing;
    status = sharing_of(&sharing, tx, file, request);
    if (cl_is_ok(status)) {
        status = tell_rows(out, tx, request, &items, &sharing);
    }
    return cl_is_ok(status) ? name_consents(out, tx, file, request, &sharing) : status;
}

/* -- Consents ------------------------------------------------------------------------------------------------ */

static struct cl_status receipt_of(Coloan__V1__ConsentReceipt **out, struct cl_arena *arena,
                                   const struct consent_row *row)
{
    Coloan__V1__ConsentReceipt *receipt = cl_arena_alloc(arena, sizeof *receipt);
    Coloan__V1__Consent *consent = cl_arena_alloc(arena, sizeof *consent);
    if (receipt == NULL || consent == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__consent_receipt__init(receipt);
    coloan__v1__consent__init(consent);
    convert_text(&consent->consent_id, row->consent_id);
    consent->person = row->person;
    consent->purpose = (Coloan__V1__ConsentPurpose)row->purpose;
    convert_text(&consent->receiver, row->receiver);
    consent->until_ms = row->until_ms;
    convert_digest(&consent->document_sha256, &row->document);
    receipt->consent = consent;
    receipt->given_ms = row->given_ms;
    receipt->withdrawn_ms = row->withdrawn_ms;
    if (row->letter_judged) {
        convert_text(&receipt->letter, cl_status_name((struct cl_status){.reason = (enum cl_reason)row->letter}));
    }
    *out = receipt;
    return cl_ok();
}

static struct cl_status tell_consents(Coloan__V1__ApplicationView *view, struct case_tx *tx, const char *application_id)
{
    struct consent_rows rows;
    struct cl_status status = consents_list(&rows, tx->sql, tx->arena, application_id);
    if (cl_failed(status)) {
        return status;
    }
    view->consents = cl_arena_array(tx->arena, rows.count + 1, sizeof *view->consents);
    if (view->consents == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; cl_is_ok(status) && i < rows.count; i++) {
        status = receipt_of(&view->consents[view->n_consents++], tx->arena, &rows.rows[i]);
    }
    return status;
}

/* -- GetApplication ------------------------------------------------------------------------------------------ */

/* Whether the last version made is on the table or was agreed; after the case was opened again, or came to nothing, it
 * is history. */
static bool has_offer(const struct application_row *row)
{
    return row->fund == FUND_APPROVED || row->fund == FUND_CONFIRMED || row->fund == FUND_SIGNED ||
           row->fund == FUND_DISBURSED || row->fund == FUND_SETTLED;
}

static struct cl_status tell_offer(Coloan__V1__ApplicationView *view, struct case_tx *tx,
                                   const struct application_row *row)
{
    if (!has_offer(row)) {
        return cl_ok();
    }
    bool found = false;
    struct offer_row *offer = cl_arena_alloc(tx->arena, sizeof *offer);
    Coloan__V1__Offer *message = cl_arena_alloc(tx->arena, sizeof *message);
    if (offer == NULL || message == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = offers_get(&found, offer, tx->sql, tx->arena, row->id, row->offer_version);
    if (cl_failed(status) || !found) {
        return status;
    }
    coloan__v1__offer__init(message);
    convert_bytes(&message->terms, offer->terms);
    convert_digest(&message->terms_digest, &offer->terms_digest);
    view->offer = message;
    return cl_ok();
}

/* An inputs' digest is over a few small numbers: whoever may not see them could find them by trying. */
static void hide_inputs(Coloan__V1__DecisionTrace *trace)
{
    for (size_t i = 0; i < trace->n_steps; i++) {
        trace->steps[i]->inputs_digest.len = 0;
    }
}

static struct cl_status tell_trace(Coloan__V1__ApplicationView *view, struct case_tx *tx, const char *application_id,
                                   enum cl_party_kind kind)
{
    bool found = false;
    struct trace_row trace;
    struct cl_status status = decisions_trace(&found, &trace, tx->sql, tx->arena, application_id, 0);
    if (cl_failed(status) || !found) {
        return status;
    }
    ProtobufCMessage *message = NULL;
    status = cl_unpack(&message, tx->arena, &coloan__v1__decision_trace__descriptor, trace.trace);
    if (cl_failed(status)) {
        return status.reason == CL_MEMORY_LIMIT ? status : cl_fail(CL_INTERNAL);
    }
    view->trace = (Coloan__V1__DecisionTrace *)message;
    if (kind != CL_PARTY_OFFICER && kind != CL_PARTY_FUND) {
        hide_inputs(view->trace);
    }
    return cl_ok();
}

static struct cl_status tell_joint(Coloan__V1__ApplicationView *view, struct case_tx *tx,
                                   const struct application_row *row)
{
    bool found = false;
    struct decision_row decision;
    struct cl_status status = decisions_get(&found, &decision, tx->sql, tx->arena, row->id, row->round);
    if (cl_failed(status) || !found) {
        return status;
    }
    struct message_row message;
    status = messages_get(&found, &message, tx->sql, tx->arena, &decision.event);
    if (cl_failed(status) || !found) {
        return cl_failed(status) ? status : cl_fail(CL_INTERNAL);
    }
    convert_bytes(&view->joint_decision, message.envelope);
    return cl_ok();
}

static struct cl_status timeline_entry(Coloan__V1__TimelineEntry **out, struct cl_arena *arena,
                                       const struct case_log_row *row)
{
    Coloan__V1__TimelineEntry *entry = cl_arena_alloc(arena, sizeof *entry);
    if (entry == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__timeline_entry__init(entry);
    enum case_command command = (enum case_command)row->command;
    const int reached[TRACK_COUNT] = {row->fund, row->bank_track, row->registry};
    enum case_track track = (enum case_track)row->track;
    const struct transition *moved_by = lifecycle_find(track, row->origin, command, reached[track]);
    entry->at_ms = row->at_ms;
    convert_text(&entry->command, lifecycle_command_name(command));
    convert_text(&entry->by, row->actor);
    entry->state = (Coloan__V1__CaseState)row->state;
    entry->fund = (Coloan__V1__FundTrack)row->fund;
    entry->bank = (Coloan__V1__BankTrack)row->bank_track;
    entry->registry = (Coloan__V1__RegistryTrack)row->registry;
    convert_text(&entry->sentence_en, moved_by == NULL ? "" : moved_by->sentence);
    convert_text(&entry->sentence_zh, moved_by == NULL ? "" : moved_by->sentence_zh);
    *out = entry;
    return cl_ok();
}

struct cl_status case_view_timeline(struct timeline_told *out, struct case_tx *tx, const char *application_id,
                                    size_t max)
{
    struct case_log_rows log;
    struct cl_status status = case_log_list(&log, tx->sql, tx->arena, application_id);
    if (cl_failed(status)) {
        return status;
    }
    struct timeline_told told = {.list = cl_arena_array(tx->arena, log.count + 1, sizeof *told.list)};
    if (told.list == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = log.count > max ? log.count - max : 0; cl_is_ok(status) && i < log.count; i++) {
        status = timeline_entry(&told.list[told.count++], tx->arena, &log.rows[i]);
    }
    if (cl_is_ok(status)) {
        *out = told;
    }
    return status;
}

static struct cl_status milestone_told(Coloan__V1__Milestone **out, struct cl_arena *arena,
                                       const struct milestone_row *row)
{
    Coloan__V1__Milestone *told = cl_arena_alloc(arena, sizeof *told);
    if (told == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__milestone__init(told);
    told->kind = (Coloan__V1__MilestoneKind)row->kind;
    told->leg = (Coloan__V1__Leg)row->leg;
    told->bank_epoch = row->bank_epoch;
    told->amount_fen = row->amount_fen;
    told->balance_fen = row->balance_fen;
    convert_text(&told->reference, row->reference);
    told->happened_ms = row->happened_ms;
    if (row->has_account) {
        convert_digest(&told->account, &row->account);
    }
    *out = told;
    return cl_ok();
}

static struct cl_status tell_milestones(Coloan__V1__ApplicationView *view, struct case_tx *tx,
                                        const char *application_id)
{
    struct milestone_rows rows;
    struct cl_status status = milestones_list(&rows, tx->sql, tx->arena, application_id);
    if (cl_failed(status)) {
        return status;
    }
    view->milestones = cl_arena_array(tx->arena, rows.count + 1, sizeof *view->milestones);
    if (view->milestones == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; cl_is_ok(status) && i < rows.count; i++) {
        status = milestone_told(&view->milestones[view->n_milestones++], tx->arena, &rows.rows[i]);
    }
    return status;
}

/* What is told when asked for. */
static struct cl_status tell_parts(Coloan__V1__ApplicationView *view, struct case_tx *tx, const struct case_file *file,
                                   const struct case_request *request)
{
    const Coloan__V1__ApplicationQuery *query = (const Coloan__V1__ApplicationQuery *)request->body;
    struct cl_status status = cl_ok();
    if (query->with_items) {
        struct items_told told;
        status = case_view_items(&told, tx, file, request);
        if (cl_is_ok(status)) {
            view->items = told.list;
            view->n_items = told.count;
            view->consent_ids = told.consents;
            view->n_consent_ids = told.consent_count;
        }
    }
    if (cl_is_ok(status) && query->with_trace) {
        status = tell_trace(view, tx, file->row.id, request->sender_kind);
    }
    if (cl_is_ok(status) && query->with_timeline) {
        struct timeline_told told = {NULL, 0};
        status = case_view_timeline(&told, tx, file->row.id, CASE_LOG_STEPS_MAX);
        view->timeline = told.list;
        view->n_timeline = told.count;
    }
    if (cl_is_ok(status) && query->with_timeline) {
        status = tell_milestones(view, tx, file->row.id);
    }
    if (cl_is_ok(status) && query->with_consents) {
        status = tell_consents(view, tx, file->row.id);
    }
    return status;
}

struct cl_status case_get_application(ProtobufCMessage **reply_out, struct case_tx *tx,
                                      const struct case_request *request)
{
    const Coloan__V1__ApplicationQuery *query = (const Coloan__V1__ApplicationQuery *)request->body;
    struct case_file *file = NULL;
    Coloan__V1__ApplicationView *view = cl_arena_alloc(tx->arena, sizeof *view);
    if (view == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__application_view__init(view);
    struct cl_status status = file_open(&file, tx, query->application_id, scope_of(request));
    if (cl_is_ok(status)) {
        status = file_status(&view->status, tx->arena, &file->row);
    }
    if (cl_is_ok(status)) {
        status = tell_parts(view, tx, file, request);
    }
    if (cl_is_ok(status)) {
        status = tell_offer(view, tx, &file->row);
    }
    if (cl_is_ok(status)) {
        status = tell_joint(view, tx, &file->row);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    *reply_out = &view->base;
    return cl_ok();
}

/* -- ListApplications ---------------------------------------------------------------------------------------- */

static struct cl_status list_filter(struct application_filter *out, struct case_tx *tx,
                                    const struct case_request *request)
{
    const Coloan__V1__ApplicationListQuery *query = (const Coloan__V1__ApplicationListQuery *)request->body;
    struct page page;
    struct cl_status status = page_read(&page, tx, query->page_size, query->page_token);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct application_filter){
        .party = scope_of(request),
        .lends = request->sender_kind == CL_PARTY_BANK,
        .state = (int)query->state,
        .limit = page.limit,
        .after_id = page.after_id,
        .after_submitted_ms = page.after_ms,
    };
    return cl_ok();
}

struct cl_status case_list_applications(ProtobufCMessage **reply_out, struct case_tx *tx,
                                        const struct case_request *request)
{
    struct application_filter filter;
    struct cl_status status = list_filter(&filter, tx, request);
    if (cl_failed(status)) {
        return status;
    }
    struct application_rows rows;
    status = applications_list(&rows, tx->sql, tx->arena, &filter);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__ApplicationList *list = cl_arena_alloc(tx->arena, sizeof *list);
    Coloan__V1__ApplicationStatus **told = cl_arena_array(tx->arena, rows.count + 1, sizeof *told);
    if (list == NULL || told == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__application_list__init(list);
    list->applications = told;
    list->n_applications = rows.count < filter.limit ? rows.count : filter.limit - 1;
    for (size_t i = 0; cl_is_ok(status) && i < list->n_applications; i++) {
        status = file_status(&told[i], tx->arena, &rows.rows[i]);
    }
    if (cl_is_ok(status) && rows.count == filter.limit) {
        const struct application_row *last = &rows.rows[list->n_applications - 1];
        status = page_token(&list->next_page_token, tx->arena, last->submitted_ms, last->id);
    }
    *reply_out = &list->base;
    return status;
}

/* -- QueryVerifications -------------------------------------------------------------------------------------- */

/* The reader names a consent that lets it ask: a SHARE consent that names it, in force. CONSENT_MISSING when there is no
 * such consent at all. */
static struct cl_status check_consent(struct case_tx *tx, const struct case_request *request, const char *consent_id)
{
    struct consent_rows rows;
    struct cl_status status = consents_list(&rows, tx->sql, tx->arena, request->application_id);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < rows.count; i++) {
        const struct consent_row *row = &rows.rows[i];
        if (strcmp(row->consent_id, consent_id) != 0) {
            continue;
        }
        if (row->withdrawn_ms != 0) {
            return case_blame(tx, CL_CONSENT_WITHDRAWN, "consent_id");
        }
        bool fits = row->purpose == (int)CONSENT_SHARE && strcmp(row->receiver, request->sender) == 0 &&
                    tx->now_ms < row->until_ms;
        return fits ? cl_ok() : case_blame(tx, CL_CONSENT_INVALID, "consent_id");
    }
    return case_blame(tx, CL_CONSENT_MISSING, "consent_id");
}

struct cl_status case_query_verifications(ProtobufCMessage **reply_out, struct case_tx *tx,
                                          const struct case_request *request)
{
    const Coloan__V1__VerificationQuery *query = (const Coloan__V1__VerificationQuery *)request->body;
    struct case_file *file = NULL;
    Coloan__V1__VerificationAnswer *answer = cl_arena_alloc(tx->arena, sizeof *answer);
    if (answer == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct items_told told;
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_is_ok(status)) {
        status = check_consent(tx, request, query->consent_id);
    }
    if (cl_is_ok(status)) {
        status = case_view_items(&told, tx, file, request);
    }
    if (cl_failed(status)) {
        return status;
    }
    coloan__v1__verification_answer__init(answer);
    answer->results = told.list;
    answer->n_results = told.count;
    answer->consent_ids = told.consents;
    answer->n_consent_ids = told.consent_count;
    tx->effect->application_id = file->row.id;
    *reply_out = &answer->base;
    return cl_ok();
}

/* -- Telling again ------------------------------------------------------------------------------------------- */

static const char *asked_about(const struct case_request *request)
{
    return request->body->descriptor == &coloan__v1__application_query__descriptor
               ? ((const Coloan__V1__ApplicationQuery *)request->body)->application_id
               : request->application_id;
}

static struct cl_status still_holds(const struct consent_rows *rows, const char *consent_id, int64_t now_ms)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct consent_row *row = &rows->rows[i];
        if (strcmp(row->consent_id, consent_id) != 0) {
            continue;
        }
        if (row->withdrawn_ms != 0) {
            return cl_fail(CL_CONSENT_WITHDRAWN);
        }
        return now_ms < row->until_ms ? cl_ok() : cl_fail(CL_CONSENT_INVALID);
    }
    return cl_fail(CL_INTERNAL); /* records stay */
}

struct cl_status case_may_repeat(struct case_tx *tx, const struct case_request *request)
{
    bool found = false;
    struct disclosure_row disclosure;
    struct application_row row;
    struct consent_rows rows;
    struct cl_status status =
        disclosures_get(&found, &disclosure, tx->sql, tx->arena, asked_about(request), &request->opened->digest);
    if (cl_failed(status) || !found) {
        return status;
    }
    status = applications_get(&row, tx->sql, tx->arena, disclosure.application_id);
    if (cl_is_ok(status) && strcmp(row.bank, disclosure.recipient) != 0) {
        status = cl_fail(CL_STALE_EPOCH);
    }
    if (cl_is_ok(status)) {
        status = consents_list(&rows, tx->sql, tx->arena, disclosure.application_id);
    }
    for (size_t i = 0; cl_is_ok(status) && i < disclosure.consent_count; i++) {
        status = still_holds(&rows, disclosure.consents[i], tx->now_ms);
    }
    return status;
}
