/* SettleItem: an officer settles what no machine could: an item of the decision, a check before payment, a registration. */
#include <string.h>

#include "server/cases/check.h"
#include "server/cases/registry.h"
#include "server/cases/review.h"
#include "server/cases/settle.h"

/* What a kind of task settles. */
struct way {
    enum item_phase phase;
    enum finding_use use;
};

/* False: it ends with the case's own way, as one of two legs that is not paid yet. */
static bool find_way(struct way *out, enum task_kind kind)
{
    switch (kind) {
    case TASK_ITEM:
        *out = (struct way){PHASE_DECISION, FINDING_SETTLES};
        return true;
    case TASK_CHECK:
        *out = (struct way){PHASE_DISBURSEMENT, FINDING_CHECKS};
        return true;
    case TASK_REGISTRATION:
        *out = (struct way){PHASE_REGISTRATION, FINDING_CHECKS};
        return true;
    case TASK_DECISION:
    case TASK_HALF_DISBURSED:
    case TASK_DEADLINE:
    case TASK_OVERRIDE:
    case TASK_KIND_COUNT:
        break;
    }
    return false;
}

static struct cl_status log_settled(struct case_tx *tx, const struct case_request *request, const struct task_row *task,
                                    const struct finding *finding)
{
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

/* The result that the machine had stays in the history. A registration that nobody could be asked about has none. */
static struct cl_status settle(struct case_file *file, struct case_tx *tx, const struct case_request *request,
                               const struct task_row *task, const struct finding *finding, enum item_phase phase)
{
    struct settle_source source = {
        .phase = phase, .owner = OWNER_FUND, .authority = request->sender, .receipt = task->id};
    struct item_row row;
    struct cl_status status = settle_row(&row, file, tx, &finding->result, &source);
    if (cl_is_ok(status) && task->item != (int)ITEM_NONE) {
        status = items_settle_again(tx->tx, &row);
    }
    if (cl_is_ok(status)) {
        status = tasks_end(tx->tx, task->id, TASK_SETTLED, request->sender, tx->now_ms);
    }
    return cl_is_ok(status) ? log_settled(tx, request, task, finding) : status;
}

static struct cl_status go_on(struct case_file *file, struct case_tx *tx, const struct finding *finding,
                              enum item_phase phase)
{
    if (phase == PHASE_DECISION) {
        return settle_finish(file, tx);
    }
    if (phase == PHASE_DISBURSEMENT) {
        return check_finish(file, tx);
    }
    struct cl_status status = registry_found(file, tx, &finding->result);
    return status.reason == CL_FIELD_INVALID ? case_blame(tx, CL_FIELD_INVALID, "finding.facts") : status;
}

static struct cl_status take(struct case_file *file, struct case_tx *tx, const struct case_request *request,
                             const struct task_row *task)
{
    const Coloan__V1__ItemSettlement *body = (const Coloan__V1__ItemSettlement *)request->body;
    bool unnamed = task->kind == (int)TASK_REGISTRATION;
    struct item_key key = {.item = unnamed ? ITEM_REGISTRATION : (enum item)task->item, .person = task->person};
    struct finding finding;
    struct way way;
    if (!find_way(&way, (enum task_kind)task->kind)) {
        return case_blame(tx, CL_STATE_CONFLICT, "task_id");
    }
    struct cl_status status = file_load_facts(file, tx);
    if (cl_is_ok(status)) {
        status = review_read_finding(&finding, tx, file, key, body->finding, way.use);
    }
    if (cl_is_ok(status)) {
        status = settle(file, tx, request, task, &finding, way.phase);
    }
    return cl_is_ok(status) ? go_on(file, tx, &finding, way.phase) : status;
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
    return cl_is_ok(status) ? file_reply(reply_out, file, tx) : status;
}
