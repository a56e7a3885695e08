/* `coloan decide`: the bank's word on the current offer, by hand. It names the digest of exactly the terms that were
 * looked at here. */
#include <string.h>

#include "client/evidence.h"
#include "client/view.h"
#include "libcoloan/annuity.h"

static enum cli_exit read_verdict(Coloan__V1__BankVerdict *out, const struct cli *cli)
{
    static const struct {
        const char *name;
        Coloan__V1__BankVerdict verdict;
    } rows[] = {{"approve", COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE},
                {"counter", COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER},
                {"decline", COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(cli->arguments[1], rows[i].name) == 0) {
            *out = rows[i].verdict;
            return CLI_DONE;
        }
    }
    return cli_fail(cli, CLI_USAGE, "write approve, counter or decline", "`%.40s` is not a decision",
                    cli->arguments[1]);
}

/* What is not given on the command line stays as offered. */
static enum cli_exit make_counter(Coloan__V1__LoanPart *out, const struct cli *cli, const Coloan__V1__OfferTerms *terms)
{
    const struct cli_options *options = &cli->options;
    if (terms->commercial == NULL || terms->commercial->amount_fen == 0) {
        return cli_fail(cli, CLI_USAGE, "approve or decline it", "there is no commercial part to counter");
    }
    if (options->amount_fen == 0 && options->rate_ppm == 0 && options->term_months == 0) {
        return cli_fail(cli, CLI_USAGE, "add --amount-fen, --rate-ppm or --term-months",
                        "a counter-offer must differ from the offer");
    }
    *out = *terms->commercial;
    out->amount_fen = options->amount_fen > 0 ? options->amount_fen : out->amount_fen;
    out->rate_ppm = options->rate_ppm > 0 ? (int32_t)options->rate_ppm : out->rate_ppm;
    out->term_months = options->term_months > 0 ? (int32_t)options->term_months : out->term_months;
    const struct cl_loan loan = {.principal_fen = out->amount_fen,
                                 .rate_ppm = out->rate_ppm,
                                 .term_months = out->term_months,
                                 .method = (enum cl_repayment)out->method};
    if (cl_failed(cl_first_instalment(&out->instalment_fen, &loan))) {
        return cli_fail(cli, CLI_USAGE, NULL, "these numbers make no loan");
    }
    return CLI_DONE;
}

static enum cli_exit report(struct cli *cli, const Coloan__V1__BankDecision *decision)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, cli->session, cli->arena,
                                              &(struct cl_session_call){
                                                  .method = "coloan.v1.JointApproval/ReportBankDecision",
                                                  .body = &decision->base,
                                                  .reply_type = &coloan__v1__joint_outcome__descriptor,
                                                  .application_id = cli->arguments[0],
                                              },
                                              cli_patience(cli));
    if (cl_failed(status)) {
        return cli_refused(cli, status, &answer);
    }
    const Coloan__V1__JointOutcome *outcome = (const void *)answer.body;
    if (cli->options.json) {
        return cli_print_json(cli, answer.body);
    }
    view_row(cli, "outcome", "结果", "%s", view_enum(&coloan__v1__outcome__descriptor, (int)outcome->outcome));
    view_row(cli, "offer version", "方案版本", "%u", outcome->offer_version);
    return CLI_DONE;
}

enum cli_exit cmd_decide(struct cli *cli)
{
    const Coloan__V1__ApplicationView *view = NULL;
    const Coloan__V1__OfferTerms *terms = NULL;
    struct cl_digest digest;
    Coloan__V1__LoanPart counter = COLOAN__V1__LOAN_PART__INIT;
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    enum cli_exit code = read_verdict(&decision.verdict, cli);
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE) {
        code = cli_get_application(&view, cli, false, false);
    }
    if (code != CLI_DONE) {
        return code;
    }
    if (view->offer == NULL || cl_failed(client_terms_read(&terms, &digest, cli->arena, view->offer))) {
        return cli_fail(cli, CLI_FAILED, "`coloan explain` tells how far the case is",
                        "there is no offer to decide on");
    }
    if (decision.verdict == COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER) {
        code = make_counter(&counter, cli, terms);
        decision.counter = &counter;
    }
    decision.offer_version = terms->version;
    decision.bank_epoch = terms->bank_epoch;
    decision.terms_digest = view->offer->terms_digest;
    decision.bank_reference =
        cl_arena_text(cli->arena, cli->options.reference == NULL ? cli->arguments[0] : cli->options.reference);
    if (code == CLI_DONE && decision.bank_reference == NULL) {
        code = cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    return code == CLI_DONE ? report(cli, &decision) : code;
}
