/* Verification results come in: from the bank as ReportVerifications, from the authorities as a command of our own. */
#include <string.h>

#include "server/cases/check.h"
#include "server/cases/convert.h"
#include "server/cases/registry.h"
#include "server/cases/settle.h"
#include "server/domain/catalogue.h"
#include "server/source/source.h"
#include "server/store/nodes.h"

/* -- The bank's ---------------------------------------------------------------------------------------------- */

static struct cl_status blame(struct case_tx *tx, size_t index, const char *within, struct cl_status status)
{
    return case_blame(tx, status.reason, "results[%u].%.32s", (unsigned)index, within);
}

/* What the bank's results are for now. */
static enum item_phase phase_of(const struct case_file *file)
{
    return check_is_on(file) ? PHASE_DISBURSEMENT : PHASE_DECISION;
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
        .phase = phase_of(file), .owner = OWNER_BANK, .authority = file->row.bank, .receipt = in->source_receipt};
    status = source.phase == PHASE_DISBURSEMENT ? check_judge(&result, file, tx) : cl_ok();
    if (cl_is_ok(status)) {
        status = settle_item(file, tx, &path, &result, &source);
    }
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
    if (cl_failed(status)) {
        return status;
    }
    return phase_of(file) == PHASE_DISBURSEMENT ? check_finish(file, tx) : settle_finish(file, tx);
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

static struct cl_status settle_answer(struct case_file *file, struct case_tx *tx,
                                      const struct source_question *question)
{
    struct item_result result;
    settle_result_of(&result, question);
    struct settle_source source = {.phase = (enum item_phase)question->phase,
                                   .owner = OWNER_FUND,
                                   .authority = question->answer.authority,
                                   .receipt = question->answer.receipt};
    struct field_path path;
    bool again = source.phase == PHASE_DISBURSEMENT && cl_is_ok(item_result_check(NULL, &file->application, &result));
    struct cl_status status = again ? check_judge(&result, file, tx) : cl_ok();
    if (cl_is_ok(status)) {
        status = settle_item(file, tx, &path, &result, &source);
    }
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

/* The phases that got an answer, as bits. A question without one came outside its authority's hours: its item stays open
 * and is asked again. */
static struct cl_status take_each(unsigned *phases_out, struct case_file *file, struct case_tx *tx,
                                  const struct source_inquiry *inquiry)
{
    struct cl_status status = cl_ok();
    *phases_out = 0;
    for (size_t i = 0; cl_is_ok(status) && i < inquiry->question_count; i++) {
        const struct source_question *question = &inquiry->questions[i];
        if (question->answer.outcome == SOURCE_OPEN) {
            continue;
        }
        *phases_out |= PHASE_BIT(question->phase);
        status = question->phase == (int)PHASE_REGISTRATION ? registry_answer(file, tx, question)
                                                            : settle_answer(file, tx, question);
    }
    return status;
}

/* Answers that come when the case has gone on without them are kept and move nothing. */
struct cl_status case_take_answers(struct case_tx *tx, const struct source_inquiry *inquiry)
{
    struct case_file *file = NULL;
    unsigned phases = 0;
    struct cl_status status = file_open(&file, tx, inquiry->application_id, NULL);
    if (cl_is_ok(status) && tx->cases->node != NULL && inquiry->ask_again_ms == 0) {
        status = nodes_release(tx->tx, tx->cases->node, inquiry->application_id);
    }
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        status = take_each(&phases, file, tx, inquiry);
    }
    if (cl_is_ok(status) && (phases & PHASE_BIT(PHASE_DISBURSEMENT)) != 0 && check_is_on(file)) {
        status = check_finish(file, tx);
    }
    enum fund_track fund = file == NULL ? FUND_NONE : file->tracks.fund;
    bool undecided = fund == FUND_PENDING || fund == FUND_SUPPLEMENT || fund == FUND_MANUAL;
    if (cl_is_ok(status) && (phases & PHASE_BIT(PHASE_DECISION)) != 0 && undecided) {
        status = settle_finish(file, tx);
    }
    return status;
}

struct cl_status case_alive(struct case_tx *tx)
{
    return tx->cases->node == NULL ? cl_ok() : nodes_seen(tx->tx, tx->cases->node, tx->now_ms);
}

struct cl_status case_asked_elsewhere(bool *out, struct case_tx *tx, const char *application_id)
{
    if (tx->cases->node == NULL) {
        *out = false;
        return cl_ok();
    }
    return nodes_elsewhere(out, tx->sql, tx->cases->node, application_id, tx->now_ms);
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
    if (cl_is_ok(status) && check_is_on(file)) {
        status = check_ask(file, tx);
        bool nobody_asked = tx->effect->inquiry == NULL;
        return cl_is_ok(status) && nobody_asked ? check_finish(file, tx) : status;
    }
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
