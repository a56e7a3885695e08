/* Verification results come in: from the bank as ReportVerifications, from the authorities as a command of our own. */
#include <string.h>

#include "server/cases/convert.h"
#include "server/cases/settle.h"
#include "server/domain/catalogue.h"
#include "server/source/source.h"

/* -- The bank's ---------------------------------------------------------------------------------------------- */

static struct cl_status blame(struct case_tx *tx, size_t index, const char *within, struct cl_status status)
{
    return case_blame(tx, status.reason, "results[%u].%.32s", (unsigned)index, within);
}

static struct cl_status settle_reported(struct case_file *file, struct case_tx *tx,
                                        const Coloan__V1__VerificationResult *in, size_t index)
{
    const struct catalogue_row *catalogue = catalogue_row((enum item)in->item);
    if (catalogue == NULL) {
        return blame(tx, index, "item", cl_fail(CL_FIELD_MISSING));
    }
    if (catalogue->owner != OWNER_BANK) {
        return blame(tx, index, "item", cl_fail(CL_ITEM_NOT_OWNED));
    }
    struct item_result result;
    struct field_path path = {""};
    struct cl_status status = convert_result(&result, &path, in);
    if (cl_failed(status)) {
        return blame(tx, index, path.text, status);
    }
    if (result.observed_ms > tx->now_ms + CL_CLOCK_AHEAD_MS_MAX) {
        return blame(tx, index, "observed_ms", cl_fail(CL_FIELD_INVALID));
    }
    if (result.valid_until_ms == 0) {
        result.valid_until_ms = catalogue_valid_until_ms(catalogue, result.observed_ms);
    }
    if (strlen(in->source_receipt) > CL_TEXT_BYTES_MAX) {
        return blame(tx, index, "source_receipt", cl_fail(CL_FIELD_INVALID));
    }
    struct settle_source source = {
        .phase = PHASE_DECISION, .owner = OWNER_BANK, .authority = file->row.bank, .receipt = in->source_receipt};
    status = settle_item(file, tx, &path, &result, &source);
    return cl_is_ok(status) ? status : blame(tx, index, path.text, status);
}

static struct cl_status take_report(struct case_file *file, struct case_tx *tx,
                                    const Coloan__V1__VerificationReport *report)
{
    if (report->n_results == 0 || report->n_results > CL_ITEM_RESULTS_MAX) {
        return case_blame(tx, report->n_results == 0 ? CL_FIELD_MISSING : CL_FIELD_INVALID, "results");
    }
    struct cl_status status = file_load_facts(file, tx);
    for (size_t i = 0; cl_is_ok(status) && i < report->n_results; i++) {
        status = settle_reported(file, tx, report->results[i], i);
    }
    return cl_is_ok(status) ? settle_finish(file, tx) : status;
}

struct cl_status case_report_verifications(ProtobufCMessage **reply_out, struct case_tx *tx,
                                           const struct case_request *request)
{
    struct case_file *file = NULL;
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_failed(status)) {
        return status;
    }
    status = take_report(file, tx, (const Coloan__V1__VerificationReport *)request->body);
    if (cl_failed(status)) {
        return status;
    }
    return file_reply(reply_out, file, tx);
}

/* -- The authorities' ---------------------------------------------------------------------------------------- */

static void result_of(struct item_result *out, const struct source_question *question)
{
    const struct source_answer *answer = &question->answer;
    *out = (struct item_result){
        .key = {.item = (enum item)question->item, .person = question->person},
        .outcome = (enum item_outcome)answer->outcome,
        .failure = (enum failure_kind)answer->failure,
        .observed_ms = answer->observed_ms,
        .fact_count = answer->fact_count,
    };
    _Static_assert(SOURCE_FACTS_MAX <= ITEM_FACTS_MAX, "an answer's facts have to fit");
    for (size_t i = 0; i < answer->fact_count; i++) {
        const struct source_fact *fact = &answer->facts[i];
        out->facts[i] = (struct item_fact){.name = fact->name, .number = fact->number, .text = fact->text};
    }
    out->valid_until_ms = catalogue_valid_until_ms(catalogue_row(out->key.item), out->observed_ms);
}

static struct cl_status settle_answer(struct case_file *file, struct case_tx *tx,
                                      const struct source_question *question)
{
    struct item_result result;
    result_of(&result, question);
    struct settle_source source = {.phase = (enum item_phase)question->phase,
                                   .owner = OWNER_FUND,
                                   .authority = question->answer.authority,
                                   .receipt = question->answer.receipt};
    struct field_path path;
    struct cl_status status = settle_item(file, tx, &path, &result, &source);
    if (status.reason == CL_STATE_CONFLICT) {
        return cl_ok(); /* asked twice, after a restart: the first answer stays */
    }
    if (status.reason == CL_FIELD_INVALID || status.reason == CL_FIELD_MISSING) {
        /* An answer that its item cannot have is no answer: a person has to look. */
        result.outcome = ITEM_MANUAL;
        result.failure = FAILURE_PARSE;
        result.fact_count = 0;
        status = settle_item(file, tx, &path, &result, &source);
    }
    return status;
}

/* A question without an answer came outside its authority's hours: its item stays open and is asked again. */
struct cl_status case_take_answers(struct case_tx *tx, const struct source_inquiry *inquiry)
{
    struct case_file *file = NULL;
    bool for_decision = false;
    struct cl_status status = file_open(&file, tx, inquiry->application_id, NULL);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    for (size_t i = 0; cl_is_ok(status) && i < inquiry->question_count; i++) {
        const struct source_question *question = &inquiry->questions[i];
        if (question->answer.outcome == SOURCE_OPEN) {
            continue;
        }
        for_decision = for_decision || question->phase == (int)PHASE_DECISION;
        status = settle_answer(file, tx, question);
    }
    return cl_is_ok(status) && for_decision ? settle_finish(file, tx) : status;
}

struct cl_status case_unasked(struct application_ids *out, struct case_tx *tx, size_t limit)
{
    return applications_unsettled(out, tx->sql, tx->arena, (int)OWNER_FUND, NULL, limit);
}

struct cl_status case_ask_again(struct case_tx *tx, const char *application_id)
{
    struct case_file *file = NULL;
    bool barred = false;
    struct cl_status status = file_open(&file, tx, application_id, NULL);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    struct case_input settles = {.command = COMMAND_SETTLE_ITEM};
    if (cl_is_ok(status) && lifecycle_row(&file->tracks, &settles) == NULL) {
        return cl_ok(); /* it ended or was decided; nobody waits for an answer */
    }
    if (cl_is_ok(status)) {
        status = settle_is_barred(&barred, file, tx);
    }
    if (cl_is_ok(status) && barred) {
        status = settle_consents(file, tx, false);
    }
    if (cl_is_ok(status) && barred) {
        status = settle_finish(file, tx);
    }
    return cl_is_ok(status) ? settle_ask(file, tx) : status;
}
