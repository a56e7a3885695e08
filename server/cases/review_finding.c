/* What an officer says of an item, from the message to a result that may be taken in. */
#include <stdio.h>
#include <string.h>

#include "libcoloan/officer_notes.h"
#include "libcoloan/wirescan.h"
#include "server/cases/convert.h"
#include "server/cases/review.h"

/* The bank judges its own credit query, and no officer consents for somebody else. */
static bool officers_decide(enum item item)
{
    return item != ITEM_CREDIT_BANK && item != ITEM_CONSENT;
}

/* -- The parts of the message -------------------------------------------------------------------------------- */

/* An answer, no fault on the way to it, and none that would ask for a person again. */
static bool failure_may_be_found(Coloan__V1__FailureKind failure)
{
    return failure == COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NOT_AUTHORISED ||
           failure == COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NO_RECORD ||
           failure == COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH;
}

/* Failure and facts of a PASS are the catalogue's to check. */
static struct cl_status check_outcome(struct case_tx *tx, const Coloan__V1__Finding *in)
{
    if (in->outcome == COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED) {
        return case_blame(tx, CL_FIELD_MISSING, "finding.outcome");
    }
    if (in->outcome == COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS) {
        return cl_ok();
    }
    if (in->outcome != COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL) {
        return case_blame(tx, CL_FIELD_INVALID, "finding.outcome");
    }
    if (in->failure == COLOAN__V1__FAILURE_KIND__FAILURE_KIND_UNSPECIFIED) {
        return case_blame(tx, CL_FIELD_MISSING, "finding.failure");
    }
    if (!failure_may_be_found(in->failure)) {
        return case_blame(tx, CL_FIELD_INVALID, "finding.failure");
    }
    return in->n_facts == 0 ? cl_ok() : case_blame(tx, CL_FIELD_INVALID, "finding.facts");
}

/* A text beside a number would be signed by the officer and mean nothing. */
static struct cl_status check_texts(struct case_tx *tx, struct item_key key, const Coloan__V1__Finding *in)
{
    for (size_t i = 0; i < in->n_facts; i++) {
        const struct item_fact_row *row = catalogue_fact(catalogue_row(key.item), in->facts[i]->name);
        if (row != NULL && row->kind != FACT_TEXT && in->facts[i]->text[0] != '\0') {
            return case_blame(tx, CL_FIELD_INVALID, "finding.facts[%zu].text", i);
        }
    }
    return cl_ok();
}

static struct cl_status read_evidence(struct finding *out, struct case_tx *tx, const Coloan__V1__Finding *in,
                                      enum finding_use use)
{
    out->note = in->note;
    out->has_document = in->document_sha256.len != 0;
    if (out->has_document && in->document_sha256.len != sizeof out->document.bytes) {
        return case_blame(tx, CL_FIELD_INVALID, "finding.document_sha256");
    }
    if (out->has_document) {
        memcpy(out->document.bytes, in->document_sha256.data, sizeof out->document.bytes);
    }
    if (in->note[0] == '\0') {
        bool proven = use != FINDING_OVERRIDES && out->has_document;
        return proven ? cl_ok() : case_blame(tx, CL_FIELD_MISSING, "finding.note");
    }
    const struct cl_officer_note *note = cl_officer_note_find(in->note);
    bool fits = note != NULL && (use == FINDING_OVERRIDES ? note->overrides : note->settles);
    return fits ? cl_ok() : case_blame(tx, CL_NOTE_UNKNOWN, "finding.note");
}

static struct cl_status read_result(struct item_result *out, struct case_tx *tx, struct item_key key,
                                    const Coloan__V1__Finding *in)
{
    if (in->n_facts > ITEM_FACTS_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "finding.facts");
    }
    *out = (struct item_result){
        .key = key,
        .outcome = (enum item_outcome)in->outcome,
        .failure = (enum failure_kind)in->failure,
        .observed_ms = tx->now_ms,
        .valid_until_ms = catalogue_valid_until_ms(catalogue_row(key.item), tx->now_ms),
        .fact_count = in->n_facts,
    };
    for (size_t i = 0; i < in->n_facts; i++) {
        out->facts[i] =
            (struct item_fact){.name = in->facts[i]->name, .number = in->facts[i]->number, .text = in->facts[i]->text};
    }
    return cl_ok();
}

/* -- The whole ----------------------------------------------------------------------------------------------- */

/* What was settled by a person must not be left to a person once more. */
static struct cl_status check_meaning(struct case_tx *tx, const struct item_result *result)
{
    enum cl_loan_reason reason = decide_answer_reason(result->key.item, facts_answer(result, tx->now_ms));
    bool again = cl_loan_reason_severity(reason) == CL_SEVERITY_MANUAL;
    return again ? case_blame(tx, CL_FIELD_INVALID, "finding.failure") : cl_ok();
}

/* Of an item that this centre does without, as the register where nobody can be asked, there are no facts. */
static struct cl_status check_result(struct case_tx *tx, const struct case_file *file, const struct item_result *result)
{
    struct field_path path = {""};
    if (!catalogue_applies(&file->application, result->key)) {
        return result->fact_count == 0 ? cl_ok() : case_blame(tx, CL_FIELD_INVALID, "finding.facts");
    }
    struct cl_status status = item_result_check(&path, &file->application, result);
    return cl_is_ok(status) ? status : case_blame(tx, status.reason, "finding.%.40s", path.text);
}

struct cl_status review_read_finding(struct finding *out, struct case_tx *tx, const struct case_file *file,
                                     struct item_key key, const Coloan__V1__Finding *in, enum finding_use use)
{
    struct finding finding;
    if (in == NULL) {
        return case_blame(tx, CL_FIELD_MISSING, "finding");
    }
    if (use != FINDING_CHECKS && !officers_decide(key.item)) {
        return case_blame(tx, CL_ITEM_NOT_OWNED, "item");
    }
    struct cl_status status = check_outcome(tx, in);
    if (cl_is_ok(status)) {
        status = check_texts(tx, key, in);
    }
    if (cl_is_ok(status)) {
        status = read_evidence(&finding, tx, in, use);
    }
    if (cl_is_ok(status)) {
        status = read_result(&finding.result, tx, key, in);
    }
    if (cl_failed(status)) {
        return status;
    }
    status = check_result(tx, file, &finding.result);
    if (cl_is_ok(status) && use != FINDING_CHECKS) {
        status = check_meaning(tx, &finding.result);
    }
    if (cl_is_ok(status)) {
        *out = finding;
    }
    return status;
}

/* -- The item as it is --------------------------------------------------------------------------------------- */

struct cl_status review_find_item(const struct item_row **out, struct case_tx *tx, const struct case_file *file,
                                  struct item_key key)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DECISION);
    if (cl_failed(status)) {
        return status;
    }
    *out = NULL;
    for (size_t i = 0; i < items.count; i++) {
        if (items.rows[i].item == (int)key.item && items.rows[i].person == key.person) {
            *out = items.rows + i;
        }
    }
    return cl_ok();
}

struct cl_status review_reason_of(const char **out, struct case_tx *tx, const struct item_row *item)
{
    struct item_result result;
    struct cl_status status = convert_kept_result(&result, NULL, tx->arena, item->result);
    if (cl_failed(status)) {
        return status;
    }
    *out = cl_loan_reason_code(decide_answer_reason(result.key.item, facts_answer(&result, tx->now_ms)));
    return cl_ok();
}
