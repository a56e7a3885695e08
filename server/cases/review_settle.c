/* SettleItem: an officer settles what no machine could. */
#include "server/cases/review.h"
#include "server/cases/settle.h"

/* The task's item; the result that the machine had stays in the history. */
static struct cl_status settle(struct case_file *file, struct case_tx *tx, const struct case_request *request,
                               const struct task_row *task, const struct finding *finding)
{
    struct settle_source source = {
        .phase = PHASE_DECISION, .owner = OWNER_FUND, .authority = request->sender, .receipt = task->id};
    struct item_row row;
    struct cl_status status = settle_row(&row, file, tx, &finding->result, &source);
    if (cl_is_ok(status)) {
        status = items_settle_again(tx->tx, &row);
    }
    if (cl_is_ok(status)) {
        status = tasks_end(tx->tx, task->id, TASK_SETTLED, request->sender, tx->now_ms);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct officer_action action = {
        .application_id = task->application_id,
        .step = OFFICER_SETTLE,
        .subject = task->id,
        .item = task->item,
        .person = task->person,
        .reason = task->reason,
        .note = finding->note,
        .has_document = finding->has_document,
        .document = finding->document,
    };
    return review_log(tx, request, &action);
}

static struct cl_status take(struct case_file *file, struct case_tx *tx, const struct case_request *request,
                             const struct task_row *task)
{
    const Coloan__V1__ItemSettlement *body = (const Coloan__V1__ItemSettlement *)request->body;
    struct item_key key = {.item = (enum item)task->item, .person = task->person};
    struct finding finding;
    if (task->kind != (int)TASK_ITEM) {
        return case_blame(tx, CL_STATE_CONFLICT, "task_id"); /* it ends with the case's own way */
    }
    struct cl_status status = file_load_facts(file, tx);
    if (cl_is_ok(status)) {
        status = review_read_finding(&finding, tx, file, key, body->finding, FINDING_SETTLES);
    }
    if (cl_is_ok(status)) {
        status = settle(file, tx, request, task, &finding);
    }
    return cl_is_ok(status) ? settle_finish(file, tx) : status;
}

struct cl_status case_settle_item(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__ItemSettlement *body = (const Coloan__V1__ItemSettlement *)request->body;
    struct case_file *file = NULL;
    struct task_row task;
    struct cl_status status = file_open(&file, tx, request->application_id, NULL);
    if (cl_is_ok(status)) {
        status = review_find_task(&task, tx, body->task_id, file->row.id);
    }
    if (cl_is_ok(status)) {
        status = review_check_claim(&task, tx, request);
    }
    if (cl_is_ok(status)) {
        status = take(file, tx, request, &task);
    }
    Coloan__V1__ApplicationStatus *told = NULL;
    if (cl_is_ok(status)) {
        status = file_status(&told, tx->arena, &file->row);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    *reply_out = &told->base;
    return cl_ok();
}
