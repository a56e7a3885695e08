/* DecisionRecord: kept at each decision, and GetDecision, which shows it to officers.
 *
 * The application and the trace are not kept twice: the one stands in the message log, the other beside the record. */
#include "server/cases/record.h"

#include <coloan/v1/review.pb-c.h>

#include "libcoloan/dsse.h"
#include "libcoloan/wirescan.h"
#include "server/store/decisions.h"
#include "server/store/messages.h"

/* -- Keeping ------------------------------------------------------------------------------------------------- */

static size_t unused_items(Coloan__V1__Item out[ITEM_COUNT], uint64_t unused)
{
    size_t count = 0;
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        if ((unused & ITEM_BIT(item)) != 0) {
            out[count++] = (Coloan__V1__Item)item;
        }
    }
    return count;
}

struct cl_status record_keep(const struct case_file *file, struct case_tx *tx, const struct record_made *made)
{
    const Coloan__V1__FundDecision *told = made->told;
    Coloan__V1__DecisionRecord record = COLOAN__V1__DECISION_RECORD__INIT;
    Coloan__V1__VerificationResult *results[CL_ITEM_RESULTS_MAX];
    for (size_t i = 0; i < file->result_count; i++) {
        results[i] = file->kept_results[i];
    }
    Coloan__V1__Item unused[ITEM_COUNT];
    record.n_items_unused = unused_items(unused, file->application.items_unused);
    record.items_unused = unused;
    convert_text(&record.application_id, file->row.id);
    convert_text(&record.bank, file->row.bank);
    record.bank_epoch = file->row.bank_epoch;
    record.rule_set = told->rule_set;
    record.rule_set_digest = told->rule_set_digest;
    record.decided_ms = tx->now_ms;
    record.results = results;
    record.n_results = file->result_count;
    convert_digest(&record.trace_digest, &made->trace->digest);
    record.verdict = told->verdict;
    record.binding_limit = told->binding_limit;
    record.reasons = told->reasons;
    record.n_reasons = told->n_reasons;
    convert_bytes(&record.terms, made->terms);
    struct trace_row row = {
        .application_id = file->row.id,
        .digest = made->trace->digest,
        .trace = made->trace->bytes,
        .submission = file->row.submission,
    };
    struct cl_status status = cl_pack(&row.record, tx->arena, &record.base);
    return cl_is_ok(status) ? decisions_add_trace(tx->tx, &row) : status;
}

/* -- GetDecision --------------------------------------------------------------------------------------------- */

/* The serialised Application of a submission in the log. */
static struct cl_status read_application(struct cl_bytes *out, struct case_tx *tx, const struct cl_digest *submission)
{
    struct message_row message;
    Coloan__V1__Envelope *frame = NULL;
    ProtobufCMessage *payload = NULL;
    bool found = false;
    struct cl_status status = messages_get(&found, &message, tx->sql, tx->arena, submission);
    if (cl_is_ok(status) && !found) {
        status = cl_fail(CL_INTERNAL);
    }
    if (cl_is_ok(status)) {
        status = cl_dsse_read(&frame, tx->arena, message.envelope);
    }
    if (cl_is_ok(status)) {
        status = cl_unpack(&payload, tx->arena, &coloan__v1__signed_payload__descriptor,
                           cl_bytes(frame->payload.data, frame->payload.len));
    }
    if (cl_failed(status)) {
        return status.reason == CL_MEMORY_LIMIT ? status : cl_fail(CL_INTERNAL);
    }
    const Coloan__V1__SignedPayload *signed_payload = (const Coloan__V1__SignedPayload *)payload;
    *out = cl_bytes(signed_payload->body.data, signed_payload->body.len);
    return cl_ok();
}

static struct cl_status read_record(Coloan__V1__DecisionRecord **out, struct case_tx *tx, const struct trace_row *row)
{
    ProtobufCMessage *message = NULL;
    struct cl_bytes application;
    struct cl_status status = cl_unpack(&message, tx->arena, &coloan__v1__decision_record__descriptor, row->record);
    if (cl_failed(status)) {
        return status.reason == CL_MEMORY_LIMIT ? status : cl_fail(CL_INTERNAL);
    }
    status = read_application(&application, tx, &row->submission);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__DecisionRecord *record = (Coloan__V1__DecisionRecord *)message;
    convert_bytes(&record->application, application);
    convert_bytes(&record->trace, row->trace);
    *out = record;
    return cl_ok();
}

struct cl_status case_get_decision(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__DecisionQuery *query = (const Coloan__V1__DecisionQuery *)request->body;
    Coloan__V1__DecisionRecord *record = NULL;
    struct case_file *file = NULL;
    struct trace_row row;
    bool found = false;
    struct cl_status status = file_open(&file, tx, query->application_id, NULL);
    if (cl_is_ok(status)) {
        status = decisions_trace(&found, &row, tx->sql, tx->arena, file->row.id, query->number);
    }
    if (cl_is_ok(status) && !found) {
        status = case_blame(tx, CL_DECISION_UNKNOWN, "number");
    }
    if (cl_is_ok(status)) {
        status = read_record(&record, tx, &row);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    *reply_out = &record->base;
    return cl_ok();
}
