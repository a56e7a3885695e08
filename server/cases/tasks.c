#include "server/cases/tasks.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/date.h"
#include "libcoloan/ids.h"
#include "server/cases/convert.h"
#include "server/store/overrides.h"

/* For what has no deadline of its own, as long as the law gives the fund for its decision. */
#define TASK_MS_DEFAULT (INT64_C(10) * 24 * 60 * 60 * 1000)

/* So long before the fund's time is up somebody has to see to it. */
#define LATE_MS (INT64_C(24) * 60 * 60 * 1000)

_Static_assert((int)TASK_KIND_COUNT == (int)TASK_KINDS, "the store counts each kind");

/* -- One task ------------------------------------------------------------------------------------------------ */

static int64_t deadline_of(const struct case_file *file, const struct task_need *need, int64_t now_ms)
{
    if (need->deadline_ms != 0) {
        return need->deadline_ms;
    }
    return file->row.deadline_ms != 0 ? file->row.deadline_ms : now_ms + TASK_MS_DEFAULT;
}

struct cl_status task_open(const struct case_file *file, struct case_tx *tx, const struct task_need *need)
{
    struct cl_uuid id;
    char text[CL_UUID_TEXT_BYTES];
    cl_uuid7_make(&id, tx->now_ms, tx->cases->centre->random);
    cl_uuid_text(text, &id);
    struct task_row row = {
        .id = text,
        .application_id = file->row.id,
        .kind = (int)need->kind,
        .item = (int)need->item,
        .person = need->person,
        .reason = cl_loan_reason_code(need->reason),
        .authority = need->authority == NULL ? "" : need->authority,
        .detail = need->detail == NULL ? "" : need->detail,
        .failure = (int)need->failure,
        .opened_ms = tx->now_ms,
        .deadline_ms = deadline_of(file, need, tx->now_ms),
    };
    return tasks_open(NULL, tx->tx, &row);
}

static bool is_about(const struct task_row *task, enum task_kind kind, enum item item, unsigned person)
{
    return task->kind == (int)kind && task->item == (int)item && task->person == person;
}

/* -- What the items need ------------------------------------------------------------------------------------- */

/* Either items of the decision or checks before payment; and one of each other kind. */
struct needs {
    struct task_need list[CL_ITEM_RESULTS_MAX + TASK_KIND_COUNT];
    size_t count;
};

static void need(struct needs *needs, struct task_need one)
{
    needs->list[needs->count++] = one;
}

/* `always`: whatever its answer means. */
static struct cl_status item_need(struct needs *needs, struct case_tx *tx, const struct item_row *row,
                                  enum task_kind kind, bool always)
{
    struct item_result result;
    Coloan__V1__VerificationResult *kept = NULL;
    struct cl_status status = convert_kept_result(&result, &kept, tx->arena, row->result);
    if (cl_failed(status)) {
        return status;
    }
    enum cl_loan_reason reason = decide_answer_reason(result.key.item, facts_answer(&result, tx->now_ms));
    if (always || cl_loan_reason_severity(reason) == CL_SEVERITY_MANUAL) {
        need(needs, (struct task_need){.kind = kind,
                                       .item = result.key.item,
                                       .person = row->person,
                                       .reason = reason,
                                       .failure = result.failure,
                                       .authority = kept->authority});
    }
    return cl_ok();
}

/* The first reason of the fund's last decision that asks for a person; there is one when it left the case to an officer. */
static struct cl_status decision_need(struct needs *needs, const struct case_file *file, struct case_tx *tx)
{
    Coloan__V1__ApplicationStatus *told = NULL;
    struct cl_status status = file_status(&told, tx->arena, &file->row);
    if (cl_failed(status)) {
        return status;
    }
    enum cl_loan_reason reason = CL_LOAN_NONE;
    for (size_t i = 0; i < told->n_reasons && reason == CL_LOAN_NONE; i++) {
        const struct cl_loan_reason_info *info = cl_loan_reason_find(told->reasons[i]->code);
        reason = info != NULL && info->severity == CL_SEVERITY_MANUAL ? info->reason : CL_LOAN_NONE;
    }
    need(needs, (struct task_need){.kind = TASK_DECISION, .reason = reason});
    return cl_ok();
}

static bool decides(const struct case_file *file)
{
    return file->tracks.fund == FUND_PENDING || file->tracks.fund == FUND_MANUAL;
}

static bool is_late(const struct case_file *file, int64_t now_ms)
{
    return decides(file) && file->row.deadline_ms != 0 && now_ms >= file->row.deadline_ms - LATE_MS;
}

/* Nothing of it is needed while the borrower has to act, nor after the decision. */
static struct cl_status decision_needs(struct needs *out, const struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DECISION);
    for (size_t i = 0; cl_is_ok(status) && i < items.count; i++) {
        if (items.rows[i].outcome != ITEM_OPEN) {
            status = item_need(out, tx, &items.rows[i], TASK_ITEM, false);
        }
    }
    if (cl_is_ok(status) && file->tracks.fund == FUND_MANUAL && out->count == 0) {
        status = decision_need(out, file, tx);
    }
    return status;
}

/* What did not pass and no officer has looked at yet. */
static struct cl_status check_needs(struct needs *out, const struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DISBURSEMENT);
    for (size_t i = 0; cl_is_ok(status) && i < items.count; i++) {
        const struct item_row *row = &items.rows[i];
        if (row->outcome != ITEM_OPEN && row->outcome != ITEM_PASS && !row->by_person) {
            status = item_need(out, tx, row, TASK_CHECK, true);
        }
    }
    return status;
}

/* The register's entry as it is kept; without one when this centre has nobody to ask. */
static struct cl_status registration_need(struct needs *out, const struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_REGISTRATION);
    if (cl_failed(status)) {
        return status;
    }
    if (items.count == 1 && items.rows[0].outcome != ITEM_OPEN) {
        return item_need(out, tx, &items.rows[0], TASK_REGISTRATION, true);
    }
    need(out, (struct task_need){.kind = TASK_REGISTRATION});
    return cl_ok();
}

static struct cl_status find_needs(struct needs *out, const struct case_file *file, struct case_tx *tx)
{
    struct cl_status status = cl_ok();
    out->count = 0;
    if (decides(file)) {
        status = decision_needs(out, file, tx);
    }
    if (cl_is_ok(status) && lifecycle_state(&file->tracks) == CASE_HELD) {
        status = file->tracks.registry == REGISTRY_HELD ? registration_need(out, file, tx) : check_needs(out, file, tx);
    }
    if (lifecycle_state(&file->tracks) == CASE_HALF_DISBURSED) {
        need(out, (struct task_need){.kind = TASK_HALF_DISBURSED,
                                     .deadline_ms = cl_date_to_ms(cl_date_next(cl_date_from_ms(tx->now_ms)))});
    }
    if (is_late(file, tx->now_ms)) {
        need(out, (struct task_need){.kind = TASK_DEADLINE});
    }
    return status;
}

/* -- What is open -------------------------------------------------------------------------------------------- */

/* The task is still what the case needs, for the same reason. */
static bool is_needed(const struct case_file *file, const struct task_row *task, const struct needs *needs)
{
    if (task->kind == (int)TASK_OVERRIDE) {
        return decides(file) || file->tracks.fund == FUND_SUPPLEMENT;
    }
    for (size_t i = 0; i < needs->count; i++) {
        const struct task_need *one = &needs->list[i];
        if (is_about(task, one->kind, one->item, one->person)) {
            return strcmp(task->reason, cl_loan_reason_code(one->reason)) == 0 && task->failure == (int)one->failure;
        }
    }
    return false;
}

/* A proposal is about the result that it replaces; when that is another's meanwhile, it is overtaken. */
static struct cl_status override_stands(bool *out, struct case_tx *tx, const struct override_row *override)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, override->application_id, PHASE_DECISION);
    if (cl_failed(status)) {
        return status;
    }
    *out = false;
    for (size_t i = 0; i < items.count; i++) {
        const struct item_row *item = &items.rows[i];
        bool same = item->item == override->item && item->person == override->person;
        *out = *out || (same && item->outcome != ITEM_OPEN && cl_bytes_equal(item->result, override->replaces));
    }
    return cl_ok();
}

/* Ends the proposal behind a task that the case needs no longer; false in `needed` then, too, when it was overtaken. */
static struct cl_status follow_override(bool *needed, struct case_tx *tx, const struct task_row *task)
{
    struct override_row override;
    bool found = false;
    struct cl_status status =
        overrides_find(&found, &override, tx->sql, tx->arena, task->application_id, task->item, task->person);
    if (cl_is_ok(status) && found && *needed) {
        status = override_stands(needed, tx, &override);
    }
    if (cl_failed(status) || !found || *needed) {
        *needed = *needed && found;
        return status;
    }
    struct override_end end = {
        .id = override.id, .state = OVERRIDE_OVERTAKEN, .by = tx->by, .now_ms = tx->now_ms, .message = NULL};
    return overrides_end(tx->tx, &end);
}

static struct cl_status end_overtaken(const struct case_file *file, struct case_tx *tx, const struct task_rows *open,
                                      const struct needs *needs)
{
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < open->count; i++) {
        bool needed = is_needed(file, &open->rows[i], needs);
        if (open->rows[i].kind == (int)TASK_OVERRIDE) {
            status = follow_override(&needed, tx, &open->rows[i]);
        }
        if (cl_is_ok(status) && !needed) {
            status = tasks_end(tx->tx, open->rows[i].id, TASK_OVERTAKEN, tx->by, tx->now_ms);
        }
    }
    return status;
}

static bool needs_any(const struct case_file *file, int64_t now_ms)
{
    enum case_state state = lifecycle_state(&file->tracks);
    bool decision = decides(file) && (file->tracks.items.officer > 0 || file->tracks.fund == FUND_MANUAL);
    return decision || state == CASE_HELD || state == CASE_HALF_DISBURSED || is_late(file, now_ms);
}

struct cl_status tasks_follow(const struct case_file *file, struct case_tx *tx)
{
    struct task_rows open;
    struct cl_status status = tasks_open_of(&open, tx->sql, tx->arena, file->row.id);
    if (cl_failed(status)) {
        return status;
    }
    if (open.count == 0 && !needs_any(file, tx->now_ms)) {
        return cl_ok(); /* the ordinary case, which costs one look into an index */
    }
    struct needs *needs = cl_arena_alloc(tx->arena, sizeof *needs);
    if (needs == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    status = find_needs(needs, file, tx);
    if (cl_is_ok(status)) {
        status = end_overtaken(file, tx, &open, needs);
    }
    for (size_t i = 0; cl_is_ok(status) && i < needs->count; i++) {
        status = task_open(file, tx, &needs->list[i]);
    }
    return status;
}
