/* ListTasks, ClaimTask, ReleaseTask, GetCounters: what there is to do, who does it, and how much was done. */
#include "server/cases/review.h"

#include <assert.h>
#include <string.h>

#include "server/cases/convert.h"
#include "server/cases/page.h"

/* An officer who was called away holds nobody up for long; who is still at it claims again. */
#define CLAIM_MS (INT64_C(30) * 60 * 1000)

/* -- One task ------------------------------------------------------------------------------------------------ */

struct cl_status review_find_task(struct task_row *out, struct case_tx *tx, const char *task_id,
                                  const char *application_id)
{
    struct task_row task;
    bool found = false;
    struct cl_status status = tasks_get(&found, &task, tx->sql, tx->arena, task_id);
    if (cl_failed(status)) {
        return status;
    }
    if (!found || (application_id != NULL && strcmp(task.application_id, application_id) != 0)) {
        return case_blame(tx, CL_TASK_UNKNOWN, "task_id");
    }
    *out = task;
    return cl_ok();
}

static const char *claimed_by(const struct task_row *task, int64_t now_ms)
{
    bool held = task->ending == TASK_IS_OPEN && task->claimed_by != NULL && now_ms < task->claimed_until_ms;
    return held ? task->claimed_by : "";
}

struct cl_status review_check_claim(const struct task_row *task, const struct case_tx *tx,
                                    const struct case_request *request)
{
    if (task->ending != TASK_IS_OPEN) {
        return cl_fail(CL_TASK_ENDED);
    }
    bool own = strcmp(claimed_by(task, tx->now_ms), request->sender) == 0;
    return own ? cl_ok() : cl_fail(CL_TASK_NOT_CLAIMED);
}

struct cl_status review_task_told(Coloan__V1__Task **out, struct cl_arena *arena, const struct task_row *task,
                                  int64_t now_ms)
{
    Coloan__V1__Task *told = cl_arena_alloc(arena, sizeof *told);
    if (told == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    const char *holder = claimed_by(task, now_ms);
    coloan__v1__task__init(told);
    convert_text(&told->task_id, task->id);
    convert_text(&told->application_id, task->application_id);
    told->kind = (Coloan__V1__TaskKind)task->kind;
    told->item = (Coloan__V1__Item)task->item;
    told->person = task->person;
    convert_text(&told->reason, task->reason);
    told->failure = (Coloan__V1__FailureKind)task->failure;
    convert_text(&told->authority, task->authority);
    convert_text(&told->detail, task->detail);
    told->opened_ms = task->opened_ms;
    told->deadline_ms = task->deadline_ms;
    convert_text(&told->claimed_by, holder);
    told->claimed_until_ms = holder[0] == '\0' ? 0 : task->claimed_until_ms;
    told->ending = (Coloan__V1__TaskEnding)task->ending;
    told->ended_ms = task->ended_ms;
    convert_text(&told->ended_by, task->ended_by == NULL ? "" : task->ended_by);
    *out = told;
    return cl_ok();
}

/* -- ListTasks ----------------------------------------------------------------------------------------------- */

static struct cl_status list_filter(struct task_filter *out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__TaskListQuery *query = (const Coloan__V1__TaskListQuery *)request->body;
    struct page page;
    struct cl_status status = page_read(&page, tx, query->page_size, query->page_token);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct task_filter){
        .application_id = query->application_id[0] == '\0' ? NULL : query->application_id,
        .claimed_by = query->mine ? request->sender : NULL,
        .unclaimed = query->unclaimed != 0,
        .kind = (int)query->kind,
        .now_ms = tx->now_ms,
        .limit = page.limit,
        .after_id = page.after_id,
        .after_deadline_ms = page.after_ms,
    };
    return cl_ok();
}

struct cl_status case_list_tasks(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    struct task_filter filter;
    struct task_rows rows;
    struct cl_status status = list_filter(&filter, tx, request);
    if (cl_is_ok(status)) {
        status = tasks_list(&rows, tx->sql, tx->arena, &filter);
    }
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__TaskList *list = cl_arena_alloc(tx->arena, sizeof *list);
    Coloan__V1__Task **told = cl_arena_array(tx->arena, rows.count + 1, sizeof *told);
    if (list == NULL || told == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__task_list__init(list);
    list->tasks = told;
    list->n_tasks = rows.count < filter.limit ? rows.count : filter.limit - 1;
    for (size_t i = 0; cl_is_ok(status) && i < list->n_tasks; i++) {
        status = review_task_told(&told[i], tx->arena, &rows.rows[i], tx->now_ms);
    }
    if (cl_is_ok(status) && rows.count == filter.limit) {
        const struct task_row *last = &rows.rows[list->n_tasks - 1];
        status = page_token(&list->next_page_token, tx->arena, last->deadline_ms, last->id);
    }
    *reply_out = &list->base;
    return status;
}

/* -- The log ------------------------------------------------------------------------------------------------- */

struct cl_status review_log(struct case_tx *tx, const struct case_request *request, const struct officer_action *action)
{
    struct officer_action row = *action;
    row.officer = request->sender;
    row.at_ms = tx->now_ms;
    row.message = request->opened->digest;
    return officers_log(tx->tx, &row);
}

static struct cl_status log_task_step(struct case_tx *tx, const struct case_request *request,
                                      const struct task_row *task, enum officer_step step)
{
    struct officer_action action = {
        .application_id = task->application_id,
        .step = step,
        .subject = task->id,
        .item = task->item,
        .person = task->person,
        .reason = task->reason,
        .note = "",
    };
    return review_log(tx, request, &action);
}

/* -- ClaimTask, ReleaseTask ---------------------------------------------------------------------------------- */

/* The task as it is after the step. */
static struct cl_status reply_task(ProtobufCMessage **reply_out, struct case_tx *tx, const char *task_id)
{
    struct task_row task;
    Coloan__V1__Task *told = NULL;
    struct cl_status status = review_find_task(&task, tx, task_id, NULL);
    if (cl_is_ok(status)) {
        status = review_task_told(&told, tx->arena, &task, tx->now_ms);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = task.application_id;
    *reply_out = &told->base;
    return cl_ok();
}

struct cl_status case_claim_task(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const char *task_id = ((const Coloan__V1__TaskClaim *)request->body)->task_id;
    struct task_row task;
    struct cl_status status = review_find_task(&task, tx, task_id, NULL);
    if (cl_failed(status)) {
        return status;
    }
    if (task.ending != TASK_IS_OPEN) {
        return cl_fail(CL_TASK_ENDED);
    }
    bool claimed = false;
    struct task_claim claim = {
        .id = task.id, .officer = request->sender, .now_ms = tx->now_ms, .until_ms = tx->now_ms + CLAIM_MS};
    status = tasks_claim(&claimed, tx->tx, &claim);
    if (cl_is_ok(status) && !claimed) {
        status = cl_fail(CL_TASK_CLAIMED);
    }
    if (cl_is_ok(status)) {
        status = log_task_step(tx, request, &task, OFFICER_CLAIM);
    }
    return cl_is_ok(status) ? reply_task(reply_out, tx, task_id) : status;
}

struct cl_status case_release_task(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const char *task_id = ((const Coloan__V1__TaskRelease *)request->body)->task_id;
    struct task_row task;
    struct cl_status status = review_find_task(&task, tx, task_id, NULL);
    if (cl_is_ok(status)) {
        status = review_check_claim(&task, tx, request);
    }
    if (cl_failed(status)) {
        return status;
    }
    bool released = false;
    struct task_claim claim = {.id = task.id, .officer = request->sender, .now_ms = tx->now_ms};
    status = tasks_release(&released, tx->tx, &claim);
    if (cl_is_ok(status) && !released) {
        status = cl_fail(CL_INTERNAL); /* it was the sender's a moment ago */
    }
    if (cl_is_ok(status)) {
        status = log_task_step(tx, request, &task, OFFICER_RELEASE);
    }
    return cl_is_ok(status) ? reply_task(reply_out, tx, task_id) : status;
}

/* -- GetCounters --------------------------------------------------------------------------------------------- */

static struct cl_status tell_officers(Coloan__V1__Counters *told, struct case_tx *tx)
{
    struct officer_sums sums;
    struct cl_status status = officers_sums(&sums, tx->sql, tx->arena);
    if (cl_failed(status)) {
        return status;
    }
    told->officers = cl_arena_array(tx->arena, sums.count + 1, sizeof *told->officers);
    Coloan__V1__OfficerCounter *rows = cl_arena_array(tx->arena, sums.count + 1, sizeof *rows);
    if (told->officers == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < sums.count; i++) {
        coloan__v1__officer_counter__init(&rows[i]);
        convert_text(&rows[i].officer, sums.rows[i].officer);
        rows[i].step = (Coloan__V1__OfficerStep)sums.rows[i].step;
        rows[i].count = (uint64_t)sums.rows[i].count;
        told->officers[told->n_officers++] = &rows[i];
    }
    return cl_ok();
}

static struct cl_status tell_reasons(Coloan__V1__Counters *told, struct case_tx *tx)
{
    struct reason_sums sums;
    struct cl_status status = officers_reason_sums(&sums, tx->sql, tx->arena);
    if (cl_failed(status)) {
        return status;
    }
    told->reasons = cl_arena_array(tx->arena, sums.count + 1, sizeof *told->reasons);
    Coloan__V1__ReasonCounter *rows = cl_arena_array(tx->arena, sums.count + 1, sizeof *rows);
    if (told->reasons == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < sums.count; i++) {
        coloan__v1__reason_counter__init(&rows[i]);
        rows[i].item = (Coloan__V1__Item)sums.rows[i].item;
        convert_text(&rows[i].reason, sums.rows[i].reason);
        rows[i].referred = (uint64_t)sums.rows[i].referred;
        rows[i].settled = (uint64_t)sums.rows[i].settled;
        rows[i].overridden = (uint64_t)sums.rows[i].overridden;
        told->reasons[told->n_reasons++] = &rows[i];
    }
    return cl_ok();
}

struct cl_status case_get_counters(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    (void)request;
    Coloan__V1__Counters *told = cl_arena_alloc(tx->arena, sizeof *told);
    if (told == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__counters__init(told);
    struct cl_status status = tell_officers(told, tx);
    if (cl_is_ok(status)) {
        status = tell_reasons(told, tx);
    }
    *reply_out = &told->base;
    return status;
}

static enum cl_loan_reason reason_of(const char *code)
{
    const struct cl_loan_reason_info *info = cl_loan_reason_find(code);
    return info == NULL ? CL_LOAN_NONE : info->reason;
}

struct cl_status case_review_sums(struct review_sums *out, struct case_tx *tx)
{
    struct review_sums sums = {.tasks_open = {0}};
    struct officer_sums officers;
    struct reason_sums reasons;
    struct cl_status status = tasks_count(sums.tasks_open, tx->sql);
    if (cl_is_ok(status)) {
        status = officers_sums(&officers, tx->sql, tx->arena);
    }
    if (cl_is_ok(status)) {
        status = officers_reason_sums(&reasons, tx->sql, tx->arena);
    }
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < officers.count; i++) {
        assert(officers.rows[i].step < OFFICER_STEP_COUNT); /* a constraint of the database */
        sums.steps[officers.rows[i].step] += officers.rows[i].count;
    }
    for (size_t i = 0; i < reasons.count; i++) {
        sums.referred[reason_of(reasons.rows[i].reason)] += reasons.rows[i].referred;
        sums.overridden[reason_of(reasons.rows[i].reason)] += reasons.rows[i].overridden;
    }
    *out = sums;
    return cl_ok();
}
