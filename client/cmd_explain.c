/* `coloan explain` and `coloan replay`: why a decision came out as it did, and whether it would again. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/evidence.h"
#include "client/view.h"
#include "libcoloan/loan_reasons.h"
#include "libcoloan/wirescan.h"
#include "server/domain/rule_titles.h"
#include "server/replay.h"
#include "server/rulebook.h"

/* What there is to explain; each part may be missing. */
struct explained {
    const char *application_id, *binding_limit;
    int verdict; /* FundVerdict; -1: not known */
    const Coloan__V1__DecisionTrace *trace;
    const Coloan__V1__OfferTerms *terms;
    Coloan__V1__Reason *const *reasons;
    size_t reason_count;
};

/* -- Where it comes from -------------------------------------------------------------------------------------- */

/* The limit of the fund part that was the lowest: as a record says, and as the trace has it. */
static const char *binding_limit(const Coloan__V1__DecisionTrace *trace)
{
    for (size_t i = 0; trace != NULL && i < trace->n_steps; i++) {
        if (trace->steps[i]->binding && strncmp(trace->steps[i]->rule, "fund.", 5) == 0) {
            return trace->steps[i]->reason;
        }
    }
    return NULL;
}

static struct cl_status unpack(const ProtobufCMessage **out, struct cl_arena *arena,
                               const ProtobufCMessageDescriptor *type, ProtobufCBinaryData bytes)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_unpack(&message, arena, type, cl_bytes(bytes.data, bytes.len));
    if (cl_is_ok(status)) {
        *out = message;
    }
    return status;
}

static enum cli_exit not_readable(const struct cli *cli, const char *path, struct cl_status status)
{
    return cli_fail(cli, CLI_USAGE, "give a decision record: the envelope that Review.GetDecision answers with",
                    "%s is no decision record: %s (%s)", path, cl_reason_info(status.reason)->text_en,
                    cl_status_name(status));
}

static enum cli_exit read_record(struct replay_source *out, const struct cli *cli, const char *path)
{
    struct cl_bytes bytes;
    enum cli_exit code = cli_read_file(&bytes, cli, path);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = replay_read(out, cli->arena, bytes);
    return cl_is_ok(status) ? CLI_DONE : not_readable(cli, path, status);
}

static struct cl_status explain_record(struct explained *out, struct cl_arena *arena,
                                       const Coloan__V1__DecisionRecord *record)
{
    const ProtobufCMessage *trace = NULL;
    const ProtobufCMessage *terms = NULL;
    struct cl_status status = unpack(&trace, arena, &coloan__v1__decision_trace__descriptor, record->trace);
    if (cl_is_ok(status) && record->terms.len > 0) {
        status = unpack(&terms, arena, &coloan__v1__offer_terms__descriptor, record->terms);
    }
    *out = (struct explained){
        .application_id = record->application_id,
        .binding_limit = record->binding_limit,
        .verdict = (int)record->verdict,
        .trace = (const Coloan__V1__DecisionTrace *)trace,
        .terms = (const Coloan__V1__OfferTerms *)terms,
        .reasons = record->reasons,
        .reason_count = record->n_reasons,
    };
    return status;
}

/* A record, or else a bare trace. */
static enum cli_exit explain_file(struct explained *out, const struct cli *cli, const char *path)
{
    struct cl_bytes bytes;
    struct replay_source source;
    enum cli_exit code = cli_read_file(&bytes, cli, path);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = replay_read(&source, cli->arena, bytes);
    if (cl_is_ok(status)) {
        status = explain_record(out, cli->arena, source.record);
        return cl_is_ok(status) ? CLI_DONE : not_readable(cli, path, status);
    }
    ProtobufCMessage *trace = NULL;
    if (cl_failed(cl_unpack(&trace, cli->arena, &coloan__v1__decision_trace__descriptor, bytes)) ||
        ((const Coloan__V1__DecisionTrace *)trace)->n_steps == 0) {
        return not_readable(cli, path, status);
    }
    *out = (struct explained){.verdict = -1, .trace = (const Coloan__V1__DecisionTrace *)trace};
    out->binding_limit = binding_limit(out->trace);
    return CLI_DONE;
}

static enum cli_exit explain_case(struct explained *out, const Coloan__V1__ApplicationView **view_out, struct cli *cli)
{
    const Coloan__V1__ApplicationView *view = NULL;
    const Coloan__V1__OfferTerms *terms = NULL;
    struct cl_digest digest;
    enum cli_exit code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = cli_get_application(&view, cli, true, true);
    }
    if (code != CLI_DONE) {
        return code;
    }
    if (view->offer != NULL) {
        struct cl_status status = client_terms_read(&terms, &digest, cli->arena, view->offer);
        if (cl_failed(status)) {
            return cli_fail(cli, CLI_FAILED, "do not act on it; tell the centre",
                            "the offer's terms are not those of its digest (%s)", cl_status_name(status));
        }
    }
    *view_out = view;
    *out = (struct explained){
        .application_id = view->status->application_id,
        .binding_limit = binding_limit(view->trace),
        .verdict = -1,
        .trace = view->trace,
        .terms = terms,
        .reasons = view->status->reasons,
        .reason_count = view->status->n_reasons,
    };
    return CLI_DONE;
}

/* -- For machines --------------------------------------------------------------------------------------------- */

/* Members that are NULL are left out; jansson takes none it cannot store. */
static void put_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        (void)json_object_set_new(object, name, json_string(text));
    }
}

static void put_reason_texts(json_t *object, const char *code)
{
    const struct cl_loan_reason_info *info = cl_loan_reason_find(code);
    if (info != NULL) {
        put_text(object, "textEn", info->text_en);
        put_text(object, "textZh", info->text_zh);
    }
}

static json_t *step_json(const Coloan__V1__RuleStep *step)
{
    json_t *object = json_object();
    const struct rule_title *title = rule_title_find(step->rule);
    put_text(object, "rule", step->rule);
    put_text(object, "titleEn", title == NULL ? NULL : title->en);
    put_text(object, "titleZh", title == NULL ? NULL : title->zh);
    (void)json_object_set_new(object, "person", json_integer(step->person));
    put_text(object, "outcome", view_enum(&coloan__v1__rule_outcome__descriptor, (int)step->outcome));
    put_text(object, "reason", step->reason);
    put_reason_texts(object, step->reason);
    if (step->limit_fen != 0) {
        (void)json_object_set_new(object, "limitFen", json_integer(step->limit_fen));
    }
    (void)json_object_set_new(object, "binding", json_boolean(step->binding));
    return object;
}

static json_t *part_json(const Coloan__V1__LoanPart *part)
{
    json_t *object = json_object();
    if (part != NULL) {
        (void)json_object_set_new(object, "amountFen", json_integer(part->amount_fen));
        (void)json_object_set_new(object, "ratePpm", json_integer(part->rate_ppm));
        (void)json_object_set_new(object, "termMonths", json_integer(part->term_months));
        (void)json_object_set_new(object, "instalmentFen", json_integer(part->instalment_fen));
        put_text(object, "method", view_enum(&coloan__v1__repayment_method__descriptor, (int)part->method));
    }
    return object;
}

static json_t *explained_json(const struct explained *explained)
{
    json_t *object = json_object();
    json_t *reasons = json_array();
    json_t *rules = json_array();
    put_text(object, "applicationId", explained->application_id);
    if (explained->verdict >= 0) {
        put_text(object, "verdict", view_enum(&coloan__v1__fund_verdict__descriptor, explained->verdict));
    }
    put_text(object, "bindingLimit", explained->binding_limit);
    put_text(object, "ruleSet", explained->trace == NULL ? NULL : explained->trace->rule_set);
    for (size_t i = 0; i < explained->reason_count; i++) {
        json_t *reason = json_object();
        put_text(reason, "code", explained->reasons[i]->code);
        put_text(reason, "severity",
                 view_enum(&coloan__v1__severity__descriptor, (int)explained->reasons[i]->severity));
        (void)json_object_set_new(reason, "person", json_integer(explained->reasons[i]->person));
        put_reason_texts(reason, explained->reasons[i]->code);
        (void)json_array_append_new(reasons, reason);
    }
    (void)json_object_set_new(object, "reasons", reasons);
    for (size_t i = 0; explained->trace != NULL && i < explained->trace->n_steps; i++) {
        (void)json_array_append_new(rules, step_json(explained->trace->steps[i]));
    }
    (void)json_object_set_new(object, "rules", rules);
    if (explained->terms != NULL) {
        (void)json_object_set_new(object, "fund", part_json(explained->terms->fund));
        (void)json_object_set_new(object, "commercial", part_json(explained->terms->commercial));
        (void)json_object_set_new(object, "priceFen", json_integer(explained->terms->price_fen));
        (void)json_object_set_new(object, "downPaymentFen", json_integer(explained->terms->down_payment_fen));
    }
    return object;
}

static enum cli_exit print_json(const struct cli *cli, json_t *object)
{
    int failed = object == NULL ? -1 : json_dumpf(object, cli->out, JSON_COMPACT);
    (void)fprintf(cli->out, "\n");
    json_decref(object);
    return failed == 0 ? CLI_DONE : cli_fail(cli, CLI_FAILED, NULL, "it cannot be printed as JSON");
}

/* -- For people ----------------------------------------------------------------------------------------------- */

static void print_explained(const struct cli *cli, const struct explained *explained,
                            const Coloan__V1__ApplicationView *view)
{
    if (view != NULL) {
        view_status(cli, view->status);
    } else if (explained->application_id != NULL) {
        view_row(cli, "application", "申请编号", "%s", explained->application_id);
        view_row(cli, "fund's decision", "中心决定", "%s",
                 view_term(cli, &coloan__v1__fund_verdict__descriptor, explained->verdict));
        view_reasons(cli, explained->reasons, explained->reason_count);
    }
    if (explained->terms != NULL) {
        view_terms(cli, explained->terms);
    }
    if (explained->binding_limit != NULL && explained->binding_limit[0] != '\0') {
        const struct cl_loan_reason_info *info = cl_loan_reason_find(explained->binding_limit);
        view_row(cli, "what bound it", "约束条件", "%s  %s", explained->binding_limit,
                 info == NULL ? "" : cli_word(cli, info->text_en, info->text_zh));
    }
    if (view != NULL && view->n_items > 0) {
        view_items(cli, view->items, view->n_items);
    }
    if (explained->trace != NULL) {
        view_trace(cli, explained->trace);
    } else {
        (void)fprintf(cli->out, "%s\n", cli_word(cli, "the rules have not been applied yet", "规则尚未执行"));
    }
}

enum cli_exit cmd_explain(struct cli *cli)
{
    struct explained explained = {0};
    const Coloan__V1__ApplicationView *view = NULL;
    const char *what = cli->arguments[0];
    bool is_file = strcmp(what, "-") == 0 || access(what, F_OK) == 0;
    enum cli_exit code = is_file ? explain_file(&explained, cli, what) : explain_case(&explained, &view, cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (cli->options.json) {
        return print_json(cli, explained_json(&explained));
    }
    print_explained(cli, &explained, view);
    return CLI_DONE;
}

/* -- Replay --------------------------------------------------------------------------------------------------- */

static enum cli_exit tell_replay(const struct cli *cli, const struct replay *replay, bool same, const char *difference)
{
    char digest[CL_DIGEST_HEX_BYTES];
    cl_hex_encode(digest, cl_bytes(replay->trace_digest.bytes, CL_DIGEST_BYTES));
    if (cli->options.json) {
        json_t *object = json_object();
        (void)json_object_set_new(object, "same", json_boolean(same));
        put_text(object, "traceDigest", digest);
        put_text(object, "difference", same ? NULL : difference);
        enum cli_exit code = print_json(cli, object);
        return code == CLI_DONE && !same ? CLI_FAILED : code;
    }
    if (!same) {
        return cli_fail(cli, CLI_FAILED,
                        "name the rule set of the record, in the file of its digest; a difference with that is a fault",
                        "the decision comes out otherwise: %s", difference);
    }
    view_row(cli, "replayed", "重演", "%s✓%s %s", cli_colour(cli, CLI_GREEN), cli_colour(cli, CLI_PLAIN),
             cli_word(cli, "the same, byte for byte", "逐字节一致"));
    view_row(cli, "trace", "规则轨迹", "%s", digest);
    return CLI_DONE;
}

enum cli_exit cmd_replay(struct cli *cli)
{
    struct replay_source source;
    struct replay replay;
    struct rulebook book = {NULL, 0};
    struct cl_setting_error error;
    char difference[REPLAY_DIFFERENCE_BYTES_MAX] = "";
    if (cli->options.rules == NULL) {
        return cli_fail(cli, CLI_USAGE, "e.g. --rules rules/REF-NJ-2026-11.yaml", "replay needs --rules FILE");
    }
    enum cli_exit code = read_record(&source, cli, cli->arguments[0]);
    if (code != CLI_DONE) {
        return code;
    }
    if (cl_failed(rulebook_load(&book, &cli->options.rules, 1, NULL, &error))) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s", error.text);
    }
    struct cl_status status = replay_decision(&replay, cli->arena, &source, &book.sets[0]);
    rulebook_free(&book);
    if (cl_failed(status)) {
        return not_readable(cli, cli->arguments[0], status);
    }
    bool same = replay_same(&replay, cli->arena, source.record, difference);
    return tell_replay(cli, &replay, same, difference);
}
