/* SubmitApplication: one intake for both lenders. */
#include <assert.h>

#include "server/cases/intake.h"
#include "server/cases/settle.h"

static struct cl_status insert(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    const struct rule_set *rules = cases_rules(tx->cases, tx->now_ms);
    if (rules == NULL) {
        return cl_fail(CL_INTERNAL); /* no set in force: coloand warns long before the last one ends */
    }
    file->row = (struct application_row){
        .id = request->application_id,
        .external_ref = file->application.external_ref,
        .sender = request->sender,
        .bank = file->application.bank,
        .bank_epoch = 1,
        .submission = request->opened->digest,
        .submitted_ms = tx->now_ms,
        .rule_set = rules->id,
        .clock_from_ms = tx->now_ms,
    };
    file->rules = rules;
    file_derive(file, tx->now_ms);
    return applications_insert(tx->tx, &file->row);
}

static struct cl_status receipt(ProtobufCMessage **reply_out, const struct case_file *file, struct case_tx *tx)
{
    Coloan__V1__ApplicationReceipt *reply = cl_arena_alloc(tx->arena, sizeof *reply);
    if (reply == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__application_receipt__init(reply);
    struct cl_status status = file_status(&reply->status, tx->arena, &file->row);
    if (cl_failed(status)) {
        return status;
    }
    reply->application_id = reply->status->application_id;
    reply->accepted_ms = tx->now_ms;
    *reply_out = &reply->base;
    return cl_ok();
}

static struct cl_status open_case(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    struct cl_status status = insert(file, tx, request);
    if (cl_is_ok(status)) {
        status = intake_claim_persons(file, tx);
    }
    if (cl_is_ok(status)) {
        status = intake_keep_personal(file, tx, request);
    }
    if (cl_is_ok(status)) {
        status = intake_keep_consents(file, tx, request, NULL);
    }
    if (cl_is_ok(status)) {
        status = settle_open(file, tx, PHASE_DECISION);
    }
    struct case_events events;
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_SUBMIT);
    }
    if (cl_is_ok(status)) {
        assert(events.count == 1 && events.list[0] == EVENT_APPLICATION);
        status = file_save(file, tx);
    }
    return status;
}

struct cl_status case_submit(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    struct case_file *file = cl_arena_alloc(tx->arena, sizeof *file);
    if (file == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = intake_read(&file->application, tx, request);
    if (cl_failed(status)) {
        return status;
    }
    status = open_case(file, tx, request);
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    struct cl_bytes stored;
    status = cl_opened_stored(&stored, tx->arena, request->opened);
    if (cl_is_ok(status)) {
        status = intake_tell_bank(file, tx, stored);
    }
    if (cl_failed(status)) {
        return status;
    }
    status = settle_ask(file, tx);
    if (cl_failed(status)) {
        return status;
    }
    return receipt(reply_out, file, tx);
}
