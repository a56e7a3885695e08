/* ReportBankDecision: the bank's answer to an offer, on its own money. */
#include <string.h>

#include "server/cases/convert.h"
#include "server/cases/fund.h"
#include "server/cases/offered.h"
#include "server/store/messages.h"
#include "server/store/offers.h"

struct answer_to {
    const Coloan__V1__BankDecision *decision;
    struct offer_row offer; /* the version the bank decided on, which is the current one */
};

/* -- Which offer --------------------------------------------------------------------------------------------- */

static struct cl_status check_form(struct case_tx *tx, const Coloan__V1__BankDecision *decision)
{
    if (decision->verdict == COLOAN__V1__BANK_VERDICT__BANK_VERDICT_UNSPECIFIED) {
        return case_blame(tx, CL_FIELD_MISSING, "verdict");
    }
    bool counters = decision->verdict == COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER;
    if (counters != (decision->counter != NULL)) {
        return case_blame(tx, counters ? CL_FIELD_MISSING : CL_FIELD_INVALID, "counter");
    }
    size_t reference = strlen(decision->bank_reference);
    if (reference == 0 || reference > CL_TEXT_BYTES_MAX) {
        return case_blame(tx, reference == 0 ? CL_FIELD_MISSING : CL_FIELD_INVALID, "bank_reference");
    }
    if (decision->n_reasons > CL_REASONS_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "reasons");
    }
    return cl_ok();
}

/* The decision has to be about the offer on the table, by this bank, at this time. */
static struct cl_status find_offer(struct offer_row *out, struct case_tx *tx, const struct case_file *file,
                                   const Coloan__V1__BankDecision *decision)
{
    if (decision->bank_epoch != file->row.bank_epoch) {
        return cl_fail(CL_STALE_EPOCH);
    }
    if (file->row.state != CASE_OFFERED) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    return offered_find(out, tx, file, decision->offer_version, decision->terms_digest);
}

/* -- Approve and decline ------------------------------------------------------------------------------------- */

static struct cl_status fund_event(struct cl_bytes *out, struct case_tx *tx, const struct offer_row *offer)
{
    bool found = false;
    struct message_row message;
    struct cl_status status = messages_get(&found, &message, tx->sql, tx->arena, &offer->fund_event);
    if (cl_failed(status)) {
        return status;
    }
    *out = message.envelope;
    return found ? cl_ok() : cl_fail(CL_INTERNAL);
}

static struct cl_status end_case(struct case_file *file, struct case_tx *tx, const struct case_request *request,
                                 const struct answer_to *answer)
{
    bool approves = answer->decision->verdict == COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    struct case_events events;
    struct cl_status status = file_move(file, tx, &events, approves ? COMMAND_BANK_APPROVE : COMMAND_BANK_DECLINE);
    if (cl_failed(status)) {
        return status;
    }
    struct fund_end end = {.has_terms = approves, .terms_digest = answer->offer.terms_digest};
    status = cl_opened_stored(&end.bank_envelope, tx->arena, request->opened);
    if (cl_is_ok(status)) {
        status = fund_event(&end.fund_envelope, tx, &answer->offer);
    }
    return cl_is_ok(status) ? fund_write_joint(file, tx, &end) : status;
}

/* -- Counter-offer ------------------------------------------------------------------------------------------- */

/* The terms as the bank would have them, or the nearest to them, by the rules the first offer was made by. */
static struct cl_status counter_terms(struct offer *out, struct counter_change *change_out, struct case_file *file,
                                      struct case_tx *tx, const struct answer_to *answer)
{
    const struct rule_set *rules = NULL;
    struct case_facts *facts = cl_arena_alloc(tx->arena, sizeof *facts);
    if (facts == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = file_rules(&rules, file);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_failed(status)) {
        return status;
    }
    facts_read(facts, &file->application, file->results, file->result_count, tx->now_ms);
    struct offer current;
    status = convert_terms_in(&current, tx->arena, answer->offer.terms);
    if (cl_failed(status)) {
        return status;
    }
    struct loan_part counter;
    convert_part_in(&counter, answer->decision->counter);
    struct field_path path;
    status = offer_counter(out, change_out, &path, rules, &file->application, facts, &current, &counter, tx->now_ms);
    if (cl_failed(status)) {
        const char *dot = path.text[0] == '\0' ? "" : ".";
        return case_blame(tx, status.reason, "counter%s%.40s", dot, path.text);
    }
    return status;
}

/* Adds what the fund changed to the reasons of the decision before, each once and as many as a decision carries. */
static struct cl_status add_reasons(Coloan__V1__FundDecision *told, struct cl_arena *arena,
                                    const struct counter_change *change)
{
    Coloan__V1__Reason **added = NULL;
    struct decision_reason reasons[COUNTER_REASONS_MAX] = {{CL_LOAN_NONE, 0}};
    Coloan__V1__Reason **all =
        cl_arena_array(arena, told->n_reasons + COUNTER_REASONS_MAX, sizeof(Coloan__V1__Reason *));
    for (size_t i = 0; i < change->reason_count; i++) {
        reasons[i].reason = change->reasons[i];
    }
    struct cl_status status = convert_reasons(&added, arena, reasons, change->reason_count);
    if (cl_failed(status) || all == NULL) {
        return cl_failed(status) ? status : cl_fail(CL_MEMORY_LIMIT);
    }
    size_t count = 0;
    for (; count < told->n_reasons; count++) {
        all[count] = told->reasons[count];
    }
    for (size_t i = 0; i < change->reason_count && count < CL_REASONS_MAX; i++) {
        bool known = false;
        for (size_t j = 0; j < count; j++) {
            known = known || strcmp(all[j]->code, added[i]->code) == 0;
        }
        if (!known) {
            all[count++] = added[i];
        }
    }
    told->reasons = all;
    told->n_reasons = count;
    return cl_ok();
}

static struct cl_status counter_offer(struct case_file *file, struct case_tx *tx, const struct answer_to *answer)
{
    struct offer offer;
    struct counter_change change;
    struct cl_status status = counter_terms(&offer, &change, file, tx, answer);
    if (cl_failed(status)) {
        return status;
    }
    const ProtobufCMessage *body = NULL;
    status = file_kept_body(&body, tx, &answer->offer.fund_event, &coloan__v1__event__descriptor);
    if (cl_failed(status)) {
        return status;
    }
    struct case_events events;
    status = file_move(file, tx, &events, COMMAND_BANK_COUNTER);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__FundDecision *told = ((const Coloan__V1__Event *)body)->fund_decision;
    status = add_reasons(told, tx->arena, &change);
    if (cl_failed(status)) {
        return status;
    }
    struct fund_offered offered;
    return fund_write_offer(&offered, file, tx, told, &offer);
}

/* -- The command --------------------------------------------------------------------------------------------- */

static struct cl_status reply(ProtobufCMessage **out, const struct case_file *file, struct case_tx *tx)
{
    Coloan__V1__JointOutcome *message = cl_arena_alloc(tx->arena, sizeof *message);
    if (message == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct offer_row current;
    bool found = false;
    struct cl_status status = offers_get(&found, &current, tx->sql, tx->arena, file->row.id, file->row.offer_version);
    if (cl_failed(status) || !found) {
        return cl_failed(status) ? status : cl_fail(CL_INTERNAL);
    }
    coloan__v1__joint_outcome__init(message);
    convert_text(&message->application_id, file->row.id);
    message->outcome = (Coloan__V1__Outcome)file->row.outcome;
    message->offer_version = current.version;
    uint8_t *digest = cl_arena_copy(tx->arena, cl_bytes(current.terms_digest.bytes, CL_DIGEST_BYTES));
    if (digest == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    convert_bytes(&message->terms_digest, cl_bytes(digest, CL_DIGEST_BYTES));
    *out = &message->base;
    return cl_ok();
}

static struct cl_status take(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    struct answer_to answer = {.decision = (const Coloan__V1__BankDecision *)request->body};
    struct cl_status status = check_form(tx, answer.decision);
    if (cl_is_ok(status)) {
        status = find_offer(&answer.offer, tx, file, answer.decision);
    }
    if (cl_is_ok(status)) {
        status = offers_set_bank_decision(tx->tx, file->row.id, answer.offer.version, &request->opened->digest);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (answer.decision->verdict == COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER) {
        return counter_offer(file, tx, &answer);
    }
    return end_case(file, tx, request, &answer);
}

struct cl_status case_report_bank_decision(ProtobufCMessage **reply_out, struct case_tx *tx,
                                           const struct case_request *request)
{
    struct case_file *file = NULL;
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_failed(status)) {
        return status;
    }
    status = take(file, tx, request);
    if (cl_is_ok(status)) {
        status = file_save(file, tx);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    return reply(reply_out, file, tx);
}
