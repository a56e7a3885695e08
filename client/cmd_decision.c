/* `coloan decision`: the record of one of the fund's decisions, kept in a file from which it can be made again. */
#include "client/evidence.h"
#include "client/officer.h"
#include "client/view.h"
#include "libcoloan/wirescan.h"

static enum cli_exit check(const struct cl_answer *answer, struct cli *cli, const Coloan__V1__DecisionRecord *record)
{
    ProtobufCMessage *application = NULL;
    struct cl_bytes bytes = cl_bytes(record->application.data, record->application.len);
    if (cl_failed(cl_unpack(&application, cli->arena, &coloan__v1__application__descriptor, bytes))) {
        return cli_refused(cli, cl_fail(CL_PEER_ANSWER_INVALID), NULL);
    }
    return officer_check_values(answer, cli, application);
}

static void view_record(const struct cli *cli, const Coloan__V1__DecisionRecord *record)
{
    char time[VIEW_TEXT_BYTES_MAX];
    view_time(time, record->decided_ms);
    view_row(cli, "application", "申请编号", "%s", record->application_id);
    view_row(cli, "decided", "决定时间", "%s", time);
    view_row(cli, "verdict", "结论", "%s%s%s", cli_colour(cli, CLI_BOLD),
             view_term(cli, &coloan__v1__fund_verdict__descriptor, (int)record->verdict), cli_colour(cli, CLI_PLAIN));
    view_row(cli, "rule set", "规则集", "%s", record->rule_set);
    view_reasons(cli, record->reasons, record->n_reasons);
    view_items(cli, record->results, record->n_results);
}

/* The file holds ID numbers: it is the officer's own. */
static enum cli_exit keep(const struct cli *cli, const struct cl_answer *answer)
{
    if (cli->options.out == NULL) {
        return CLI_DONE;
    }
    struct cl_status status = client_file_write(cli->options.out, answer->envelope, 0600, true);
    return cl_is_ok(status) ? CLI_DONE : cli_fail(cli, CLI_FAILED, NULL, "%s cannot be written", cli->options.out);
}

enum cli_exit cmd_decision(struct cli *cli)
{
    Coloan__V1__DecisionQuery body = COLOAN__V1__DECISION_QUERY__INIT;
    struct cl_answer answer;
    enum cli_exit code = cli_connect(cli);
    body.application_id = cli->arguments[0];
    body.number = (uint32_t)cli->options.number;
    struct officer_call call = {.method = "coloan.v1.Review/GetDecision",
                                .body = &body.base,
                                .reply_type = &coloan__v1__decision_record__descriptor};
    if (code == CLI_DONE) {
        code = officer_call(&answer, cli, &call);
    }
    if (code != CLI_DONE) {
        return code;
    }
    const Coloan__V1__DecisionRecord *record = (const Coloan__V1__DecisionRecord *)(const void *)answer.body;
    code = check(&answer, cli, record);
    if (code == CLI_DONE) {
        code = keep(cli, &answer);
    }
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, answer.body);
    }
    view_record(cli, record);
    return CLI_DONE;
}
