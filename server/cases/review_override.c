/* Override: a settled item of an undecided case changes when one officer says why and another one agrees.
 *
 * Until the second one signs, nothing changes. What he signs names the digest of what the first one signed, so neither
 * can be shown another proposal than the other. That they are two is checked here and by the database. */
#include <string.h>

#include "libcoloan/ids.h"
#include "server/cases/convert.h"
#include "server/cases/review.h"
#include "server/cases/settle.h"

/* A long weekend; what the item rests on may be out of date after that. */
#define OVERRIDE_MS (INT64_C(3) * 24 * 60 * 60 * 1000)

/* -- Telling ------------------------------------------------------------------------------------------------- */

static struct cl_status finding_told(Coloan__V1__Finding **out, struct cl_arena *arena, const struct override_row *row)
{
    struct item_result result;
    Coloan__V1__VerificationResult *kept = NULL;
    Coloan__V1__Finding *told = cl_arena_alloc(arena, sizeof *told);
    if (told == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = convert_kept_result(&result, &kept, arena, row->result);
    if (cl_failed(status)) {
        return status;
    }
    coloan__v1__finding__init(told);
    told->outcome = kept->outcome;
    told->failure = kept->failure;
    told->n_facts = kept->n_facts;
    told->facts = kept->facts;
    convert_text(&told->note, row->note);
    if (row->has_document) {
        convert_digest(&told->document_sha256, &row->document);
    }
    *out = told;
    return cl_ok();
}

struct cl_status review_override_told(Coloan__V1__ItemOverride **out, struct cl_arena *arena,
                                      const struct override_row *row, int64_t now_ms,
                                      Coloan__V1__ApplicationStatus *status_of_case)
{
    Coloan__V1__ItemOverride *told = cl_arena_alloc(arena, sizeof *told);
    if (told == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__item_override__init(told);
    struct cl_status status = finding_told(&told->finding, arena, row);
    if (cl_failed(status)) {
        return status;
    }
    bool expired = row->state == OVERRIDE_PROPOSED && now_ms >= row->expires_ms;
    convert_text(&told->override_id, row->id);
    convert_text(&told->application_id, row->application_id);
    told->item = (Coloan__V1__Item)row->item;
    told->person = row->person;
    told->state = (Coloan__V1__OverrideState)(expired ? OVERRIDE_EXPIRED : row->state);
    convert_text(&told->proposed_by, row->proposed_by);
    told->proposed_ms = row->proposed_ms;
    told->expires_ms = row->expires_ms;
    convert_digest(&told->proposal_digest, &row->proposal);
    convert_text(&told->ended_by, row->ended_by == NULL ? "" : row->ended_by);
    told->ended_ms = row->ended_ms;
    told->status = status_of_case;
    *out = told;
    return cl_ok();
}

static struct cl_status reply(ProtobufCMessage **out, struct case_tx *tx, const struct case_file *file, const char *id)
{
    struct override_row *row = cl_arena_alloc(tx->arena, sizeof *row);
    Coloan__V1__ApplicationStatus *of_case = NULL;
    Coloan__V1__ItemOverride *told = NULL;
    bool found = false;
    if (row == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = overrides_get(&found, row, tx->sql, tx->arena, id);
    if (cl_is_ok(status) && !found) {
        status = cl_fail(CL_INTERNAL);
    }
    if (cl_is_ok(status)) {
        status = file_status(&of_case, tx->arena, &file->row);
    }
    if (cl_is_ok(status)) {
        status = review_override_told(&told, tx->arena, row, tx->now_ms, of_case);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    *out = &told->base;
    return cl_ok();
}

/* -- What all steps share ------------------------------------------------------------------------------------ */

static struct cl_status log_step(struct case_tx *tx, const struct case_request *request, const struct override_row *row,
                                 enum officer_step step, const char *reason)
{
    struct officer_action action = {
        .application_id = row->application_id,
        .step = step,
        .subject = row->id,
        .item = row->item,
        .person = row->person,
        .reason = reason,
        .note = row->note,
        .has_document = row->has_document,
        .document = row->document,
    };
    return review_log(tx, request, &action);
}

/* Ends the proposal and the task that asked for a second officer. */
static struct cl_status end(struct case_tx *tx, const struct override_row *row, const struct override_end *how)
{
    struct task_rows open;
    struct cl_status status = overrides_end(tx->tx, how);
    if (cl_is_ok(status)) {
        status = tasks_open_of(&open, tx->sql, tx->arena, row->application_id);
    }
    enum task_ending ending = how->state == OVERRIDE_CONFIRMED ? TASK_SETTLED : TASK_OVERTAKEN;
    for (size_t i = 0; cl_is_ok(status) && i < open.count; i++) {
        const struct task_row *task = &open.rows[i];
        if (task->kind == (int)TASK_OVERRIDE && task->item == row->item && task->person == row->person) {
            status = tasks_end(tx->tx, task->id, ending, how->by, tx->now_ms);
        }
    }
    return status;
}

static struct cl_status expire(struct case_tx *tx, const struct override_row *row)
{
    struct override_end how = {
        .id = row->id, .state = OVERRIDE_EXPIRED, .by = tx->cases->centre->party, .now_ms = tx->now_ms};
    return end(tx, row, &how);
}

static bool undecided(const struct case_file *file)
{
    enum fund_track fund = file->tracks.fund;
    return fund == FUND_PENDING || fund == FUND_SUPPLEMENT || fund == FUND_MANUAL;
}

/* -- Proposing ----------------------------------------------------------------------------------------------- */

/* Settled, and no task's: what waits for an officer anyway is settled, not overridden. */
static struct cl_status find_settled(const struct item_row **out, struct case_tx *tx, const struct case_file *file,
                                     struct item_key key)
{
    struct task_rows open;
    struct cl_status status = review_find_item(out, tx, file, key);
    if (cl_is_ok(status)) {
        status = tasks_open_of(&open, tx->sql, tx->arena, file->row.id);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (*out == NULL) {
        return case_blame(tx, CL_FIELD_INVALID, "item");
    }
    bool waits = (*out)->outcome == ITEM_OPEN;
    for (size_t i = 0; i < open.count; i++) {
        const struct task_row *task = &open.rows[i];
        waits = waits || (task->kind == (int)TASK_ITEM && task->item == (int)key.item && task->person == key.person);
    }
    return waits ? case_blame(tx, CL_STATE_CONFLICT, "item") : cl_ok();
}

static struct cl_status make_way(struct case_tx *tx, const struct case_file *file, struct item_key key)
{
    struct override_row other;
    bool found = false;
    struct cl_status status =
        overrides_find(&found, &other, tx->sql, tx->arena, file->row.id, (int)key.item, key.person);
    if (cl_failed(status) || !found) {
        return status;
    }
    return tx->now_ms < other.expires_ms ? case_blame(tx, CL_OVERRIDE_PENDING, "item") : expire(tx, &other);
}

static struct cl_status keep_proposal(const char *id, const struct case_file *file, struct case_tx *tx,
                                      const struct case_request *request, const struct item_row *item,
                                      const struct finding *finding)
{
    struct settle_source source = {
        .phase = PHASE_DECISION, .owner = (enum item_owner)item->owner, .authority = request->sender, .receipt = id};
    struct item_row made;
    struct cl_status status = settle_row(&made, file, tx, &finding->result, &source);
    if (cl_failed(status)) {
        return status;
    }
    struct override_row row = {
        .id = id,
        .application_id = file->row.id,
        .item = item->item,
        .person = item->person,
        .replaces = item->result,
        .result = made.result,
        .outcome = made.outcome,
        .note = finding->note,
        .has_document = finding->has_document,
        .document = finding->document,
        .proposed_by = request->sender,
        .proposed_ms = tx->now_ms,
        .expires_ms = tx->now_ms + OVERRIDE_MS,
        .proposal = request->opened->digest,
    };
    struct task_need need = {.kind = TASK_OVERRIDE,
                             .item = finding->result.key.item,
                             .person = finding->result.key.person,
                             .authority = request->sender,
                             .detail = finding->note,
                             .deadline_ms = row.expires_ms};
    status = overrides_propose(tx->tx, &row);
    if (cl_is_ok(status)) {
        status = task_open(file, tx, &need);
    }
    return cl_is_ok(status) ? log_step(tx, request, &row, OFFICER_PROPOSE, "") : status;
}

static struct cl_status propose(ProtobufCMessage **reply_out, struct case_file *file, struct case_tx *tx,
                                const struct case_request *request)
{
    const Coloan__V1__OverrideRequest *body = (const Coloan__V1__OverrideRequest *)request->body;
    struct item_key key = {.item = (enum item)body->item, .person = body->person};
    const struct item_row *item = NULL;
    struct finding finding;
    struct cl_uuid id;
    char text[CL_UUID_TEXT_BYTES];
    if (catalogue_row(key.item) == NULL) {
        return case_blame(tx, CL_FIELD_MISSING, "item");
    }
    if (!undecided(file)) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    struct cl_status status = find_settled(&item, tx, file, key);
    if (cl_is_ok(status)) {
        status = make_way(tx, file, key);
    }
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        status = review_read_finding(&finding, tx, file, key, body->finding, FINDING_OVERRIDES);
    }
    cl_uuid7_make(&id, tx->now_ms, tx->cases->centre->random);
    cl_uuid_text(text, &id);
    if (cl_is_ok(status)) {
        status = keep_proposal(text, file, tx, request, item, &finding);
    }
    return cl_is_ok(status) ? reply(reply_out, tx, file, text) : status;
}

/* -- Confirming and withdrawing ------------------------------------------------------------------------------ */

/* Of this application, and under way at this moment. */
static struct cl_status find_proposal(struct override_row *out, struct case_tx *tx, const struct case_request *request,
                                      const Coloan__V1__OverrideRequest *body)
{
    bool found = false;
    struct cl_status status = overrides_get(&found, out, tx->sql, tx->arena, body->override_id);
    if (cl_failed(status)) {
        return status;
    }
    if (!found || strcmp(out->application_id, request->application_id) != 0) {
        return case_blame(tx, CL_OVERRIDE_UNKNOWN, "override_id");
    }
    bool under_way = out->state == OVERRIDE_PROPOSED && tx->now_ms < out->expires_ms;
    return under_way ? cl_ok() : case_blame(tx, CL_OVERRIDE_ENDED, "override_id");
}

static struct cl_status put_into_effect(struct case_file *file, struct case_tx *tx, const struct override_row *row)
{
    struct item_result result;
    struct field_path ignored;
    struct cl_status status = convert_kept_result(&result, NULL, tx->arena, row->result);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (cl_failed(item_result_check(&ignored, &file->application, &result))) {
        return cl_fail(CL_OVERRIDE_ENDED); /* the application changed meanwhile */
    }
    struct item_row made = {
        .application_id = file->row.id,
        .phase = (int)PHASE_DECISION,
        .item = row->item,
        .person = row->person,
        .outcome = (int)result.outcome,
        .failure = (int)result.failure,
        .settled_ms = tx->now_ms,
        .valid_until_ms = result.valid_until_ms,
        .result = row->result,
    };
    return items_settle_again(tx->tx, &made);
}

static struct cl_status check_second(const struct override_row *row, struct case_tx *tx,
                                     const struct case_request *request, const Coloan__V1__OverrideRequest *body)
{
    if (strcmp(row->proposed_by, request->sender) == 0) {
        return cl_fail(CL_FOUR_EYES);
    }
    struct cl_bytes named = cl_bytes(body->proposal_digest.data, body->proposal_digest.len);
    bool same = cl_bytes_equal(named, cl_bytes(row->proposal.bytes, sizeof row->proposal.bytes));
    return same ? cl_ok() : case_blame(tx, CL_FIELD_INVALID, "proposal_digest");
}

static struct cl_status confirm(ProtobufCMessage **reply_out, struct case_file *file, struct case_tx *tx,
                                const struct case_request *request)
{
    const Coloan__V1__OverrideRequest *body = (const Coloan__V1__OverrideRequest *)request->body;
    const struct item_row *item = NULL;
    const char *reason = "";
    struct override_row row;
    struct cl_status status = find_proposal(&row, tx, request, body);
    if (cl_is_ok(status)) {
        status = check_second(&row, tx, request, body);
    }
    if (cl_is_ok(status)) {
        struct item_key key = {.item = (enum item)row.item, .person = row.person};
        status = review_find_item(&item, tx, file, key);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (item == NULL || item->outcome == ITEM_OPEN || !cl_bytes_equal(item->result, row.replaces)) {
        return case_blame(tx, CL_OVERRIDE_ENDED, "override_id");
    }
    struct override_end how = {.id = row.id,
                               .state = OVERRIDE_CONFIRMED,
                               .by = request->sender,
                               .now_ms = tx->now_ms,
                               .message = &request->opened->digest};
    status = review_reason_of(&reason, tx, item);
    if (cl_is_ok(status)) {
        status = end(tx, &row, &how);
    }
    if (cl_is_ok(status)) {
        status = put_into_effect(file, tx, &row);
    }
    if (cl_is_ok(status)) {
        status = log_step(tx, request, &row, OFFICER_CONFIRM, reason);
    }
    if (cl_is_ok(status)) {
        status = settle_finish(file, tx);
    }
    return cl_is_ok(status) ? reply(reply_out, tx, file, row.id) : status;
}

static struct cl_status withdraw(ProtobufCMessage **reply_out, struct case_file *file, struct case_tx *tx,
                                 const struct case_request *request)
{
    const Coloan__V1__OverrideRequest *body = (const Coloan__V1__OverrideRequest *)request->body;
    struct override_row row;
    struct cl_status status = find_proposal(&row, tx, request, body);
    if (cl_failed(status)) {
        return status;
    }
    if (strcmp(row.proposed_by, request->sender) != 0) {
        return cl_fail(CL_CALLER_NOT_ALLOWED); /* who disagrees does not confirm */
    }
    struct override_end how = {.id = row.id, .state = OVERRIDE_WITHDRAWN, .by = request->sender, .now_ms = tx->now_ms};
    status = end(tx, &row, &how);
    if (cl_is_ok(status)) {
        status = log_step(tx, request, &row, OFFICER_WITHDRAW, "");
    }
    return cl_is_ok(status) ? reply(reply_out, tx, file, row.id) : status;
}

/* -- The command --------------------------------------------------------------------------------------------- */

struct cl_status case_override(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__OverrideRequest *body = (const Coloan__V1__OverrideRequest *)request->body;
    struct case_file *file = NULL;
    struct cl_status status = file_open(&file, tx, request->application_id, NULL);
    if (cl_failed(status)) {
        return status;
    }
    switch (body->step) {
    case COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_PROPOSE:
        return propose(reply_out, file, tx, request);
    case COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_CONFIRM:
        return confirm(reply_out, file, tx, request);
    case COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_WITHDRAW:
        return withdraw(reply_out, file, tx, request);
    case COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_UNSPECIFIED:
    default:
        return case_blame(tx, CL_FIELD_MISSING, "step");
    }
}

struct cl_status case_expire_overrides(struct case_tx *tx)
{
    struct override_rows due;
    struct cl_status status = overrides_due(&due, tx->sql, tx->arena, tx->now_ms);
    for (size_t i = 0; cl_is_ok(status) && i < due.count; i++) {
        status = expire(tx, &due.rows[i]);
    }
    return status;
}
