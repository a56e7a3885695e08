/* `coloan rules rehearse`: past decisions run through another rule set, and what would have come of them. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/rules.h"
#include "client/view.h"
#include "libcoloan/json.h"
#include "libcoloan/loan_reasons.h"
#include "server/replay.h"

/* One record and its replay; both take well under a quarter of it. */
#define RECORD_ARENA_BYTES (8 * 1024 * 1024)

/* What a decision comes to, then and now. */
struct result {
    int verdict; /* FundVerdict */
    int64_t fund_fen, commercial_fen;
    int32_t term_months;
    const char *binding_limit;
    char reasons[CL_REASONS_MAX * 20];
};

struct rehearsal {
    struct cli *cli;
    const struct rule_set *rules;
    struct cl_arena *arena; /* of one record at a time */
    size_t records, changed, unreadable, verdicts, amounts, limits, reasons;
};

static void add_reason(struct result *result, const char *code, unsigned person)
{
    size_t used = strlen(result->reasons);
    (void)snprintf(result->reasons + used, sizeof result->reasons - used, person == 0 ? "%s%s" : "%s%s/%u",
                   used == 0 ? "" : " ", code, person);
}

static struct cl_status result_then(struct result *out, struct cl_arena *arena,
                                    const Coloan__V1__DecisionRecord *record)
{
    struct offer offer = {.price_fen = 0};
    struct result result = {.verdict = (int)record->verdict, .binding_limit = record->binding_limit};
    if (record->terms.len > 0) {
        struct cl_status status = replay_recorded_offer(&offer, arena, record);
        if (cl_failed(status)) {
            return status;
        }
    }
    result.fund_fen = offer.fund.amount_fen;
    result.commercial_fen = offer.commercial.amount_fen;
    result.term_months = offer.fund.term_months;
    for (size_t i = 0; i < record->n_reasons && i < CL_REASONS_MAX; i++) {
        add_reason(&result, record->reasons[i]->code, record->reasons[i]->person);
    }
    *out = result;
    return cl_ok();
}

static struct result result_now(const struct fund_decision *decision)
{
    struct result result = {.verdict = (int)decision->verdict,
                            .binding_limit = cl_loan_reason_code(decision->binding_limit)};
    if (decision->has_offer) {
        result.fund_fen = decision->offer.fund.amount_fen;
        result.commercial_fen = decision->offer.commercial.amount_fen;
        result.term_months = decision->offer.fund.term_months;
    }
    for (size_t i = 0; i < decision->reason_count; i++) {
        add_reason(&result, cl_loan_reason_code(decision->reasons[i].reason), decision->reasons[i].person);
    }
    return result;
}

/* -- Telling -------------------------------------------------------------------------------------------------- */

static void tell_result_json(const struct cli *cli, const char *name, const struct result *result)
{
    (void)fprintf(cli->out,
                  ",\"%s\":{\"verdict\":\"%s\",\"fundFen\":%" PRId64 ",\"commercialFen\":%" PRId64
                  ",\"termMonths\":%" PRId32 ",\"bindingLimit\":%s,\"reasons\":%s}",
                  name, view_enum(&coloan__v1__fund_verdict__descriptor, result->verdict), result->fund_fen,
                  result->commercial_fen, result->term_months, cl_json_quote(cli->arena, result->binding_limit),
                  cl_json_quote(cli->arena, result->reasons));
}

static void tell_result(const struct cli *cli, const char *english, const char *chinese, const struct result *result)
{
    char fund[VIEW_TEXT_BYTES_MAX];
    char commercial[VIEW_TEXT_BYTES_MAX];
    view_money(fund, result->fund_fen);
    view_money(commercial, result->commercial_fen);
    view_row(cli, english, chinese, "%-10s %15s + %15s  %3" PRId32 "  %-8s %s",
             view_term(cli, &coloan__v1__fund_verdict__descriptor, result->verdict), fund, commercial,
             result->term_months, result->binding_limit, result->reasons);
}

static void tell(const struct rehearsal *rehearsal, const char *id, const struct result *then, const struct result *now)
{
    const struct cli *cli = rehearsal->cli;
    if (cli->options.json) {
        (void)fprintf(cli->out, "{\"applicationId\":%s", cl_json_quote(cli->arena, id));
        tell_result_json(cli, "then", then);
        tell_result_json(cli, "now", now);
        (void)fprintf(cli->out, "}\n");
        return;
    }
    (void)fprintf(cli->out, "%s%s%s\n", cli_colour(cli, CLI_BOLD), id, cli_colour(cli, CLI_PLAIN));
    tell_result(cli, "  then", "  原决定", then);
    tell_result(cli, "  now", "  新规则", now);
}

static enum cli_exit tell_sum(const struct rehearsal *rehearsal)
{
    const struct cli *cli = rehearsal->cli;
    if (cli->options.json) {
        (void)fprintf(cli->out,
                      "{\"ruleSet\":\"%s\",\"records\":%zu,\"changed\":%zu,\"verdicts\":%zu,\"amounts\":%zu,"
                      "\"bindingLimits\":%zu,\"reasons\":%zu,\"unreadable\":%zu}\n",
                      rehearsal->rules->id, rehearsal->records, rehearsal->changed, rehearsal->verdicts,
                      rehearsal->amounts, rehearsal->limits, rehearsal->reasons, rehearsal->unreadable);
    } else {
        view_row(cli, "records", "记录数", "%zu", rehearsal->records);
        view_row(cli, "would change", "将改变", "%zu (%s %zu, %s %zu, %s %zu, %s %zu)", rehearsal->changed,
                 cli_word(cli, "verdict", "决定"), rehearsal->verdicts, cli_word(cli, "amounts", "金额"),
                 rehearsal->amounts, cli_word(cli, "binding limit", "约束条件"), rehearsal->limits,
                 cli_word(cli, "reasons", "原因"), rehearsal->reasons);
    }
    return rehearsal->unreadable == 0 ? CLI_DONE : CLI_FAILED;
}

/* -- Rehearsing ----------------------------------------------------------------------------------------------- */

static void compare(struct rehearsal *rehearsal, const char *id, const struct result *then, const struct result *now)
{
    bool verdict = then->verdict != now->verdict;
    bool amounts = then->fund_fen != now->fund_fen || then->commercial_fen != now->commercial_fen ||
                   then->term_months != now->term_months;
    bool limit = strcmp(then->binding_limit, now->binding_limit) != 0;
    bool reasons = strcmp(then->reasons, now->reasons) != 0;
    rehearsal->verdicts += verdict ? 1 : 0;
    rehearsal->amounts += amounts ? 1 : 0;
    rehearsal->limits += limit ? 1 : 0;
    rehearsal->reasons += reasons ? 1 : 0;
    if (verdict || amounts || limit || reasons) {
        rehearsal->changed++;
        tell(rehearsal, id, then, now);
    }
}

static void rehearse_file(struct rehearsal *rehearsal, const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct replay_source source;
    struct replay replay;
    struct result then;
    cl_arena_reset(rehearsal->arena);
    struct cl_status status = client_file_read(&bytes, &len, path);
    if (cl_is_ok(status)) {
        status = replay_read(&source, rehearsal->arena, cl_bytes(bytes, len));
    }
    if (cl_is_ok(status)) {
        status = result_then(&then, rehearsal->arena, source.record);
    }
    if (cl_is_ok(status)) {
        status = replay_decision(&replay, rehearsal->arena, &source, rehearsal->rules);
    }
    if (cl_failed(status)) {
        rehearsal->unreadable++;
        (void)cli_fail(rehearsal->cli, CLI_FAILED, NULL, "%s is no decision record: %s (%s)", path,
                       cl_reason_info(status.reason)->text_en, cl_status_name(status));
    } else {
        struct result now = result_now(&replay.decision);
        rehearsal->records++;
        compare(rehearsal, source.record->application_id, &then, &now);
    }
    if (bytes != NULL) {
        explicit_bzero(bytes, len); /* ID numbers */
    }
    free(bytes);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum cli_exit rehearse_folder(struct rehearsal *rehearsal, const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, visible, alphasort); /* the same order on every machine */
    if (count < 0) {
        return cli_fail(rehearsal->cli, CLI_USAGE, NULL, "%s cannot be read: %s", folder, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        rehearse_file(rehearsal, path);
        free(entries[i]);
    }
    free(entries);
    return CLI_DONE;
}

enum cli_exit rules_rehearse(struct cli *cli)
{
    struct stat info;
    struct rulebook book = {NULL, 0};
    const char *records = cli->options.records;
    if (cli->options.against == NULL || records == NULL || cli->argument_count != 1) {
        return cli_fail(cli, CLI_USAGE, "e.g. coloan rules rehearse --against rules/NEXT.yaml --records decisions/",
                        "rehearse needs --against FILE and --records DIR or FILE");
    }
    if (stat(records, &info) != 0) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s cannot be read: %s", records, strerror(errno));
    }
    enum cli_exit code = rules_read(&book, cli, cli->options.against);
    if (code != CLI_DONE) {
        return code;
    }
    struct rehearsal rehearsal = {.cli = cli, .rules = &book.sets[0]};
    if (cl_failed(cl_arena_create(&rehearsal.arena, RECORD_ARENA_BYTES))) {
        rulebook_free(&book);
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    if (S_ISDIR(info.st_mode)) {
        code = rehearse_folder(&rehearsal, records);
    } else {
        rehearse_file(&rehearsal, records);
    }
    if (code == CLI_DONE) {
        code = tell_sum(&rehearsal);
    }
    cl_arena_free(rehearsal.arena);
    rulebook_free(&book);
    return code;
}
