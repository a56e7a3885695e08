/* GetTask: what an officer needs to do it. The personal values go beside the reply when it is sent (sharing.c). */
#include "server/cases/convert.h"
#include "server/cases/review.h"
#include "server/cases/view.h"
#include "server/store/messages.h"

/* Steps told: an officer looks at how the case came here, not at forty years of instalments. */
enum { TIMELINE_MAX = 64 };

static struct cl_status tell_submission(Coloan__V1__TaskView *view, struct case_tx *tx, const struct case_file *file)
{
    struct message_row message;
    bool found = false;
    struct cl_status status = messages_get(&found, &message, tx->sql, tx->arena, &file->row.submission);
    if (cl_is_ok(status) && !found) {
        status = cl_fail(CL_INTERNAL);
    }
    if (cl_is_ok(status)) {
        convert_bytes(&view->submission_envelope, message.envelope);
    }
    return status;
}

static struct cl_status tell_items(Coloan__V1__TaskView *view, struct case_tx *tx, const struct case_request *request,
                                   const struct case_file *file)
{
    struct items_told told;
    struct cl_status status = case_view_items(&told, tx, file, request);
    if (cl_is_ok(status)) {
        view->items = told.list;
        view->n_items = told.count;
    }
    return status;
}

static struct cl_status tell_past(Coloan__V1__TaskView *view, struct case_tx *tx, const struct task_row *task)
{
    struct item_past_rows past;
    struct item_row item = {.application_id = task->application_id,
                            .phase = task->kind == (int)TASK_CHECK ? (int)PHASE_DISBURSEMENT : (int)PHASE_DECISION,
                            .item = task->item,
                            .person = task->person};
    struct cl_status status = items_past(&past, tx->sql, tx->arena, &item);
    if (cl_failed(status)) {
        return status;
    }
    view->past = cl_arena_array(tx->arena, past.count + 1, sizeof *view->past);
    Coloan__V1__PastResult *rows = cl_arena_array(tx->arena, past.count + 1, sizeof *rows);
    if (view->past == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; cl_is_ok(status) && i < past.count; i++) {
        struct item_result result;
        Coloan__V1__VerificationResult *kept = NULL;
        status = convert_kept_result(&result, &kept, tx->arena, past.rows[i].result);
        if (cl_failed(status)) {
            return status;
        }
        coloan__v1__past_result__init(&rows[i]);
        rows[i].result = kept;
        rows[i].settled_ms = past.rows[i].settled_ms;
        rows[i].replaced_ms = past.rows[i].replaced_ms;
        view->past[view->n_past++] = &rows[i];
    }
    return status;
}

static struct cl_status tell_actions(Coloan__V1__TaskView *view, struct case_tx *tx, const char *application_id)
{
    struct officer_actions actions;
    struct cl_status status = officers_actions(&actions, tx->sql, tx->arena, application_id);
    if (cl_failed(status)) {
        return status;
    }
    view->actions = cl_arena_array(tx->arena, actions.count + 1, sizeof *view->actions);
    Coloan__V1__OfficerAction *rows = cl_arena_array(tx->arena, actions.count + 1, sizeof *rows);
    if (view->actions == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < actions.count; i++) {
        const struct officer_action *action = &actions.rows[i];
        coloan__v1__officer_action__init(&rows[i]);
        rows[i].at_ms = action->at_ms;
        convert_text(&rows[i].officer, action->officer);
        rows[i].step = (Coloan__V1__OfficerStep)action->step;
        convert_text(&rows[i].subject, action->subject);
        rows[i].item = (Coloan__V1__Item)action->item;
        rows[i].person = action->person;
        convert_text(&rows[i].note, action->note);
        if (action->has_document) {
            convert_digest(&rows[i].document_sha256, &action->document);
        }
        convert_digest(&rows[i].message, &action->message);
        view->actions[view->n_actions++] = &rows[i];
    }
    return cl_ok();
}

static struct cl_status tell_overrides(Coloan__V1__TaskView *view, struct case_tx *tx, const char *application_id)
{
    struct override_rows overrides;
    struct cl_status status = overrides_list(&overrides, tx->sql, tx->arena, application_id);
    if (cl_failed(status)) {
        return status;
    }
    view->overrides = cl_arena_array(tx->arena, overrides.count + 1, sizeof *view->overrides);
    if (view->overrides == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; cl_is_ok(status) && i < overrides.count; i++) {
        status = review_override_told(&view->overrides[view->n_overrides++], tx->arena, &overrides.rows[i], tx->now_ms,
                                      NULL);
    }
    return status;
}

static struct cl_status tell_timeline(Coloan__V1__TaskView *view, struct case_tx *tx, const char *application_id)
{
    struct timeline_told told;
    struct cl_status status = case_view_timeline(&told, tx, application_id, TIMELINE_MAX);
    if (cl_is_ok(status)) {
        view->timeline = told.list;
        view->n_timeline = told.count;
    }
    return status;
}

static struct cl_status tell(Coloan__V1__TaskView *view, struct case_tx *tx, const struct case_request *request,
                             const struct task_row *task)
{
    struct case_file *file = NULL;
    struct cl_status status = file_open(&file, tx, task->application_id, NULL);
    if (cl_is_ok(status)) {
        status = review_task_told(&view->task, tx->arena, task, tx->now_ms);
    }
    if (cl_is_ok(status)) {
        status = file_status(&view->status, tx->arena, &file->row);
    }
    if (cl_is_ok(status)) {
        status = tell_submission(view, tx, file);
    }
    if (cl_is_ok(status)) {
        status = tell_items(view, tx, request, file);
    }
    if (cl_is_ok(status)) {
        status = tell_past(view, tx, task);
    }
    if (cl_is_ok(status)) {
        status = tell_actions(view, tx, file->row.id);
    }
    if (cl_is_ok(status)) {
        status = tell_overrides(view, tx, file->row.id);
    }
    return cl_is_ok(status) ? tell_timeline(view, tx, file->row.id) : status;
}

struct cl_status case_get_task(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    struct task_row *task = cl_arena_alloc(tx->arena, sizeof *task);
    Coloan__V1__TaskView *view = cl_arena_alloc(tx->arena, sizeof *view);
    if (task == NULL || view == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__task_view__init(view);
    struct cl_status status = review_find_task(task, tx, ((const Coloan__V1__TaskQuery *)request->body)->task_id, NULL);
    if (cl_is_ok(status)) {
        status = tell(view, tx, request, task);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = task->application_id;
    *reply_out = &view->base;
    return cl_ok();
}
