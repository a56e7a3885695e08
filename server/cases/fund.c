#include "server/cases/fund.h"

#include <assert.h>

#include "server/cases/convert.h"
#include "server/cases/events.h"
#include "server/cases/record.h"
#include "server/domain/rules.h"
#include "server/store/decisions.h"
#include "server/store/offers.h"

/* -- The signed decision ------------------------------------------------------------------------------------- */

static struct cl_status write_decision(struct event_written *out, struct case_file *file, struct case_tx *tx,
                                       Coloan__V1__FundDecision *told)
{
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION;
    event.fund_decision = told;
    return event_write(out, tx, &file->row, &event);
}

struct cl_status fund_write_offer(struct fund_offered *out, struct case_file *file, struct case_tx *tx,
                                  Coloan__V1__FundDecision *told, const struct offer *offer)
{
    struct terms_of of = {
        .application_id = file->row.id,
        .bank = file->row.bank,
        .version = file->tracks.offer_version,
        .bank_epoch = file->row.bank_epoch,
        .offer = offer,
    };
    struct terms terms;
    struct cl_status status = convert_terms(&terms, tx->arena, &of);
    Coloan__V1__Offer *message = cl_arena_alloc(tx->arena, sizeof *message);
    if (cl_failed(status) || message == NULL) {
        return cl_failed(status) ? status : cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__offer__init(message);
    convert_bytes(&message->terms, terms.bytes);
    convert_digest(&message->terms_digest, &terms.digest);
    told->offer = message;
    file->row.deadline_ms = offer->valid_until_ms;
    file_derive(file, tx->now_ms);
    struct event_written event;
    status = write_decision(&event, file, tx, told);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct fund_offered){.terms = terms.bytes, .terms_digest = terms.digest, .event = event.envelope};
    struct offer_row row = {
        .application_id = file->row.id,
        .version = of.version,
        .bank_epoch = of.bank_epoch,
        .terms = terms.bytes,
        .terms_digest = terms.digest,
        .valid_until_ms = offer->valid_until_ms,
        .fund_event = event.digest,
        .made_ms = tx->now_ms,
    };
    return offers_insert(tx->tx, &row);
}

/* -- The end ------------------------------------------------------------------------------------------------- */

struct cl_status fund_write_joint(struct case_file *file, struct case_tx *tx, const struct fund_end *end)
{
    Coloan__V1__JointDecision told = COLOAN__V1__JOINT_DECISION__INIT;
    convert_text(&told.application_id, file->row.id);
    told.outcome = (Coloan__V1__Outcome)lifecycle_outcome(&file->tracks);
    if (end->has_terms) {
        convert_digest(&told.terms_digest, &end->terms_digest);
    }
    convert_bytes(&told.fund_envelope, end->fund_envelope);
    convert_bytes(&told.bank_envelope, end->bank_envelope);
    told.decided_ms = tx->now_ms;
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION;
    event.joint_decision = &told;
    struct event_written written;
    struct cl_status status = event_write(&written, tx, &file->row, &event);
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->decided = true;
    tx->effect->decided_after_ms = tx->now_ms - file->row.submitted_ms;
    struct decision_row row = {
        .application_id = file->row.id,
        .round = file->row.round,
        .outcome = (int)told.outcome,
        .has_terms = end->has_terms,
        .terms_digest = end->terms_digest,
        .event = written.digest,
        .decided_ms = tx->now_ms,
    };
    return decisions_insert(tx->tx, &row);
}

/* -- The decision -------------------------------------------------------------------------------------------- */

static enum case_command command_of(const struct fund_decision *decision)
{
    switch (decision->verdict) {
    case VERDICT_APPROVE:
        return decision->fund_only ? COMMAND_FUND_APPROVE_ALONE : COMMAND_FUND_APPROVE;
    case VERDICT_REJECT:
        return COMMAND_FUND_REJECT;
    case VERDICT_SUPPLEMENT:
        return COMMAND_FUND_SUPPLEMENT;
    case VERDICT_MANUAL:
    case VERDICT_NONE:
        break;
    }
    return COMMAND_FUND_MANUAL;
}

static struct cl_status make_decision(Coloan__V1__FundDecision *out, struct case_file *file, struct case_tx *tx,
                                      const struct rule_set *rules, const struct fund_decision *decision,
                                      const struct cl_digest *trace)
{
    coloan__v1__fund_decision__init(out);
    struct cl_status status = convert_reasons(&out->reasons, tx->arena, decision->reasons, decision->reason_count);
    if (cl_failed(status)) {
        return status;
    }
    out->n_reasons = decision->reason_count;
    convert_text(&out->application_id, file->row.id);
    out->verdict = (Coloan__V1__FundVerdict)decision->verdict;
    convert_text(&out->binding_limit, cl_loan_reason_code(decision->binding_limit));
    convert_text(&out->rule_set, rules->id);
    convert_digest(&out->rule_set_digest, &rules->digest);
    convert_digest(&out->trace_digest, trace);
    return cl_ok();
}

/* Tells the verdict, and the joint decision too when nobody else has to decide. */
static struct cl_status tell(struct cl_bytes *terms_out, struct case_file *file, struct case_tx *tx,
                             const struct fund_decision *decision, const struct case_events *events,
                             Coloan__V1__FundDecision *told)
{
    struct fund_end end = {.has_terms = decision->has_offer};
    struct cl_status status;
    if (decision->has_offer) {
        struct fund_offered offered;
        status = fund_write_offer(&offered, file, tx, told, &decision->offer);
        if (cl_is_ok(status)) {
            end.terms_digest = offered.terms_digest;
            end.fund_envelope = offered.event;
            *terms_out = offered.terms;
        }
    } else {
        struct event_written event;
        status = write_decision(&event, file, tx, told);
        if (cl_is_ok(status)) {
            end.fund_envelope = event.envelope;
        }
    }
    if (cl_failed(status) || !file_tells(events, EVENT_JOINT_DECISION)) {
        return status;
    }
    return fund_write_joint(file, tx, &end);
}

/* The rules' answer to what is settled now. */
static struct cl_status decide(struct fund_decision *out, struct case_file *file, struct case_tx *tx,
                               const struct rule_set *rules)
{
    struct case_facts *facts = cl_arena_alloc(tx->arena, sizeof *facts);
    if (facts == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    facts_read(facts, &file->application, file->results, file->result_count, tx->now_ms);
    return decide_fund(out, tx->arena, rules, &file->application, facts, tx->now_ms);
}

struct cl_status fund_decide(struct case_file *file, struct case_tx *tx)
{
    const struct rule_set *rules = NULL;
    struct fund_decision *decision = cl_arena_alloc(tx->arena, sizeof *decision);
    if (decision == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = file_rules(&rules, file);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        status = decide(decision, file, tx, rules);
    }
    struct terms trace;
    if (cl_is_ok(status)) {
        status = convert_trace(&trace, tx->arena, rules, decision);
    }
    if (cl_is_ok(status)) {
        status = file_set_reasons(file, tx, decision->reasons, decision->reason_count);
    }
    struct case_events events;
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, command_of(decision));
    }
    Coloan__V1__FundDecision told;
    if (cl_is_ok(status)) {
        status = make_decision(&told, file, tx, rules, decision, &trace.digest);
    }
    struct record_made made = {.told = &told, .trace = &trace, .terms = {NULL, 0}};
    if (cl_is_ok(status)) {
        status = tell(&made.terms, file, tx, decision, &events, &told);
    }
    return cl_is_ok(status) ? record_keep(file, tx, &made) : status;
}
