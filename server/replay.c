#include "server/replay.h"

#include <coloan/v1/application.pb-c.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"
#include "server/cases/convert.h"

static struct cl_bytes bytes_of(ProtobufCBinaryData data)
{
    return cl_bytes(data.data, data.len);
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

struct cl_status replay_read(struct replay_source *out, struct cl_arena *arena, struct cl_bytes envelope)
{
    Coloan__V1__Envelope *frame = NULL;
    ProtobufCMessage *payload = NULL;
    ProtobufCMessage *body = NULL;
    struct cl_status status = cl_dsse_read(&frame, arena, envelope);
    if (cl_failed(status)) {
        return status;
    }
    if (cl_payload_type_find(frame->payload_type) != &coloan__v1__decision_record__descriptor) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    status = cl_unpack(&payload, arena, &coloan__v1__signed_payload__descriptor, bytes_of(frame->payload));
    if (cl_failed(status)) {
        return status;
    }
    struct cl_bytes text = bytes_of(((const Coloan__V1__SignedPayload *)payload)->body);
    status = cl_unpack(&body, arena, &coloan__v1__decision_record__descriptor, text);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct replay_source){.record = (const Coloan__V1__DecisionRecord *)body,
                                  .disclosures = frame->disclosures,
                                  .disclosure_count = frame->n_disclosures};
    return cl_ok();
}

/* Birth date and sex come from the ID number; made-up numbers were judged at intake, so here they are only read. */
static struct cl_status identify(struct application *application, struct cl_arena *arena,
                                 const struct replay_source *source)
{
    struct cl_status status = convert_personal(application, arena, source->disclosures, source->disclosure_count);
    for (size_t i = 0; cl_is_ok(status) && i < application->person_count; i++) {
        struct person *person = &application->persons[i];
        if (person->id_number[0] == '\0') {
            return cl_fail(CL_DISCLOSURE_MISSING);
        }
        status = person_identify(person, person->id_number, true);
        person->name = person->id_number = person->mobile = NULL;
    }
    return status;
}

static struct cl_status read_application(struct application *out, struct cl_arena *arena,
                                         const struct replay_source *source)
{
    ProtobufCMessage *message = NULL;
    struct field_path path;
    struct cl_status status =
        cl_unpack(&message, arena, &coloan__v1__application__descriptor, bytes_of(source->record->application));
    if (cl_is_ok(status)) {
        status = convert_application(out, &path, (const Coloan__V1__Application *)message);
    }
    for (size_t i = 0; cl_is_ok(status) && i < source->record->n_items_unused; i++) {
        const struct catalogue_row *row = catalogue_row((enum item)source->record->items_unused[i]);
        if (row == NULL) {
            return cl_fail(CL_FIELD_INVALID);
        }
        out->items_unused |= ITEM_BIT(row->item);
    }
    return cl_is_ok(status) ? identify(out, arena, source) : status;
}

static struct cl_status read_facts(struct case_facts *out, struct cl_arena *arena,
                                   const struct application *application, const Coloan__V1__DecisionRecord *record)
{
    struct field_path path;
    struct item_result *results = cl_arena_array(arena, CL_ITEM_RESULTS_MAX, sizeof *results);
    if (results == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (record->n_results > CL_ITEM_RESULTS_MAX) {
        return cl_fail(CL_FIELD_INVALID);
    }
    for (size_t i = 0; i < record->n_results; i++) {
        struct cl_status status = convert_result(&results[i], &path, record->results[i]);
        if (cl_failed(status)) {
            return status;
        }
    }
    facts_read(out, application, results, record->n_results, record->decided_ms);
    return cl_ok();
}

/* -- Deciding again ------------------------------------------------------------------------------------------ */

struct cl_status replay_decision(struct replay *out, struct cl_arena *arena, const struct replay_source *source,
                                 const struct rule_set *rules)
{
    struct terms trace;
    struct case_facts *facts = cl_arena_alloc(arena, sizeof *facts);
    struct replay *replay = cl_arena_alloc(arena, sizeof *replay);
    if (facts == NULL || replay == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = read_application(&replay->application, arena, source);
    if (cl_is_ok(status)) {
        status = read_facts(facts, arena, &replay->application, source->record);
    }
    if (cl_is_ok(status)) {
        status = decide_fund(&replay->decision, arena, rules, &replay->application, facts, source->record->decided_ms);
    }
    if (cl_is_ok(status)) {
        status = convert_trace(&trace, arena, rules, &replay->decision);
    }
    if (cl_failed(status)) {
        return status;
    }
    replay->trace = trace.bytes;
    replay->trace_digest = trace.digest;
    *out = *replay;
    return cl_ok();
}

/* -- Comparing ----------------------------------------------------------------------------------------------- */

struct difference {
    char *text; /* REPLAY_DIFFERENCE_BYTES_MAX */
};

__attribute__((format(printf, 2, 3))) static bool differs(struct difference difference, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vsnprintf(difference.text, REPLAY_DIFFERENCE_BYTES_MAX, format, values);
    va_end(values);
    return false;
}

static bool same_number(struct difference difference, const char *what, int64_t now, int64_t then)
{
    return now == then || differs(difference, "%s: %" PRId64 ", recorded %" PRId64, what, now, then);
}

static bool same_text(struct difference difference, const char *what, const char *now, const char *then)
{
    return strcmp(now, then) == 0 || differs(difference, "%s: \"%s\", recorded \"%.64s\"", what, now, then);
}

static bool same_step(struct difference difference, size_t index, const struct decision_step *now,
                      const Coloan__V1__RuleStep *then)
{
    char what[96];
    (void)snprintf(what, sizeof what, "steps[%zu] %s", index, now->rule);
    if (!same_text(difference, what, now->rule, then->rule) ||
        !same_number(difference, what, now->person, then->person) ||
        !same_text(difference, what, cl_loan_reason_code(now->reason), then->reason)) {
        return false;
    }
    bool same = (int)now->outcome == (int)then->outcome && now->limit_fen == then->limit_fen &&
                now->binding == (then->binding != 0);
    if (!same) {
        return differs(difference, "%s: outcome %d limit %" PRId64 " fen%s, recorded %d limit %" PRId64 " fen%s", what,
                       (int)now->outcome, now->limit_fen, now->binding ? " binding" : "", (int)then->outcome,
                       then->limit_fen, then->binding ? " binding" : "");
    }
    return cl_bytes_equal(cl_bytes(now->inputs_digest.bytes, CL_DIGEST_BYTES), bytes_of(then->inputs_digest)) ||
           differs(difference, "%s: it read other inputs", what);
}

/* The bytes decide; this only finds the words for where they part. */
static bool same_trace(struct difference difference, const struct replay *replay, struct cl_arena *arena,
                       const Coloan__V1__DecisionRecord *record)
{
    struct cl_digest digest;
    ProtobufCMessage *message = NULL;
    cl_sha256(&digest, bytes_of(record->trace));
    if (!cl_bytes_equal(cl_bytes(digest.bytes, sizeof digest.bytes), bytes_of(record->trace_digest))) {
        return differs(difference, "trace_digest: the record's trace is another's");
    }
    if (cl_bytes_equal(replay->trace, bytes_of(record->trace))) {
        return true;
    }
    if (cl_failed(cl_unpack(&message, arena, &coloan__v1__decision_trace__descriptor, bytes_of(record->trace)))) {
        return differs(difference, "trace: the recorded one cannot be read");
    }
    const Coloan__V1__DecisionTrace *then = (const Coloan__V1__DecisionTrace *)message;
    for (size_t i = 0; i < replay->decision.step_count && i < then->n_steps; i++) {
        if (!same_step(difference, i, &replay->decision.steps[i], then->steps[i])) {
            return false;
        }
    }
    return same_number(difference, "number of steps", (int64_t)replay->decision.step_count, (int64_t)then->n_steps) &&
           differs(difference, "trace: the same steps in other bytes");
}

static bool same_part(struct difference difference, const char *what, const struct loan_part *now,
                      const struct loan_part *then)
{
    return same_number(difference, what, now->amount_fen, then->amount_fen) &&
           same_number(difference, what, now->rate_ppm, then->rate_ppm) &&
           same_number(difference, what, now->term_months, then->term_months) &&
           same_number(difference, what, now->method, then->method) &&
           same_number(difference, what, now->instalment_fen, then->instalment_fen);
}

struct cl_status replay_recorded_offer(struct offer *out, struct cl_arena *arena,
                                       const Coloan__V1__DecisionRecord *record)
{
    return convert_terms_in(out, arena, bytes_of(record->terms));
}

static bool same_terms(struct difference difference, const struct replay *replay, struct cl_arena *arena,
                       const Coloan__V1__DecisionRecord *record)
{
    struct offer then;
    const struct offer *now = &replay->decision.offer;
    if (!same_number(difference, "has terms", replay->decision.has_offer, record->terms.len > 0)) {
        return false;
    }
    if (!replay->decision.has_offer) {
        return true;
    }
    if (cl_failed(replay_recorded_offer(&then, arena, record))) {
        return differs(difference, "terms: the recorded ones cannot be read");
    }
    return same_part(difference, "fund part", &now->fund, &then.fund) &&
           same_part(difference, "commercial part", &now->commercial, &then.commercial) &&
           same_number(difference, "price_fen", now->price_fen, then.price_fen) &&
           same_number(difference, "down_payment_fen", now->down_payment_fen, then.down_payment_fen) &&
           same_number(difference, "valid_until_ms", now->valid_until_ms, then.valid_until_ms) &&
           same_number(difference, "interest_subsidy", now->interest_subsidy, then.interest_subsidy);
}

static bool same_reasons(struct difference difference, const struct fund_decision *now,
                         const Coloan__V1__DecisionRecord *record)
{
    bool same = same_number(difference, "number of reasons", (int64_t)now->reason_count, (int64_t)record->n_reasons);
    for (size_t i = 0; same && i < now->reason_count; i++) {
        same = same_text(difference, "reason", cl_loan_reason_code(now->reasons[i].reason), record->reasons[i]->code) &&
               same_number(difference, "reason's person", now->reasons[i].person, record->reasons[i]->person);
    }
    return same;
}

bool replay_same(const struct replay *replay, struct cl_arena *arena, const Coloan__V1__DecisionRecord *record,
                 char difference[REPLAY_DIFFERENCE_BYTES_MAX])
{
    struct difference to = {.text = difference};
    return same_trace(to, replay, arena, record) &&
           same_number(to, "verdict", replay->decision.verdict, record->verdict) &&
           same_text(to, "binding_limit", cl_loan_reason_code(replay->decision.binding_limit), record->binding_limit) &&
           same_reasons(to, &replay->decision, record) && same_terms(to, replay, arena, record);
}
