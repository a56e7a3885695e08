/* `coloan supplement`, `change-bank`, `withdraw`, `confirm`, `choose-rules`: what the borrower's side says about a case,
 * through a bank, a channel or, for a change of bank, the centre. */
#include <stdlib.h>
#include <string.h>

#include "client/act.h"
#include "client/evidence.h"
#include "client/submission.h"
#include "libcoloan/json.h"

enum cli_exit cmd_supplement(struct cli *cli)
{
    struct client_submission submission = {.application = NULL};
    enum cli_exit code = client_submission_read(&submission, cli, cli->arguments[1]);
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    return act_on_case(cli, &(struct cl_session_call){.method = "coloan.v1.JointApproval/SupplementApplication",
                                                      .body = &submission.application->base,
                                                      .disclosures = submission.disclosures,
                                                      .disclosure_count = submission.disclosure_count});
}

/* -- Another bank --------------------------------------------------------------------------------------------- */

static enum cli_exit read_change(Coloan__V1__BankChange **out, struct cli *cli, const char *path)
{
    struct cl_bytes text;
    struct cl_json_error error = {""};
    ProtobufCMessage *message = NULL;
    enum cli_exit code = cli_read_file(&text, cli, path);
    if (code != CLI_DONE) {
        return code;
    }
    if (cl_failed(cl_json_parse(&message, cli->arena, &coloan__v1__bank_change__descriptor, text, &error))) {
        return cli_fail(cli, CLI_USAGE, "`coloan change-bank --help` shows a whole one", "%s: %s", path, error.text);
    }
    Coloan__V1__BankChange *change = (Coloan__V1__BankChange *)(void *)message;
    if (change->bank_epoch != 0) {
        return cli_fail(cli, CLI_USAGE, "leave it out: it is the case's own", "%s: bankEpoch is given", path);
    }
    *out = change;
    return CLI_DONE;
}

/* Whoever changed the bank since this look is found out by the epoch. */
enum cli_exit cmd_change_bank(struct cli *cli)
{
    const Coloan__V1__ApplicationView *view = NULL;
    Coloan__V1__BankChange *change = NULL;
    enum cli_exit code = read_change(&change, cli, cli->arguments[1]);
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE) {
        code = cli_get_application(&view, cli, false, false);
    }
    if (code != CLI_DONE) {
        return code;
    }
    change->bank_epoch = view->status->bank_epoch;
    return act_on_case(
        cli, &(struct cl_session_call){.method = "coloan.v1.JointApproval/ChangeBank", .body = &change->base});
}

/* -- Giving up ------------------------------------------------------------------------------------------------ */

enum cli_exit cmd_withdraw(struct cli *cli)
{
    Coloan__V1__Withdrawal withdrawal = COLOAN__V1__WITHDRAWAL__INIT;
    enum cli_exit code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (cli->options.reason != NULL) {
        withdrawal.reason = cl_unconst(cli->options.reason);
    }
    return act_on_case(cli, &(struct cl_session_call){.method = "coloan.v1.JointApproval/WithdrawApplication",
                                                      .body = &withdrawal.base});
}

/* -- Accepting ------------------------------------------------------------------------------------------------ */

static enum cli_exit read_version(uint32_t *out, const struct cli *cli)
{
    const char *text = cli->arguments[1];
    char *end = NULL;
    unsigned long long version = strtoull(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || version > UINT32_MAX) {
        return cli_fail(cli, CLI_USAGE, "`coloan explain` shows the offer and its version",
                        "`%.20s` is not an offer's version", text);
    }
    *out = (uint32_t)version;
    return CLI_DONE;
}

/* The borrower signed one version; the terms confirmed are exactly those, or none. */
static enum cli_exit check_offer(const struct cli *cli, const Coloan__V1__ApplicationView *view, uint32_t version)
{
    const Coloan__V1__OfferTerms *terms = NULL;
    struct cl_digest digest;
    if (view->offer == NULL) {
        return cli_fail(cli, CLI_FAILED, "`coloan show` tells how far the case is", "there is no offer to confirm");
    }
    struct cl_status status = client_terms_read(&terms, &digest, cli->arena, view->offer);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_FAILED, "do not act on it; tell the centre",
                        "the offer's terms are not those of its digest (%s)", cl_status_name(status));
    }
    if (terms->version != version) {
        return cli_fail(cli, CLI_FAILED, "show the borrower the current one: `coloan explain`",
                        "the offer's version is %u by now, not %u", terms->version, version);
    }
    return CLI_DONE;
}

enum cli_exit cmd_confirm(struct cli *cli)
{
    const Coloan__V1__ApplicationView *view = NULL;
    Coloan__V1__OfferConfirmation confirmation = COLOAN__V1__OFFER_CONFIRMATION__INIT;
    struct cl_digest document;
    enum cli_exit code = read_version(&confirmation.offer_version, cli);
    if (code == CLI_DONE) {
        code = act_document(&document, cli);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE) {
        code = cli_get_application(&view, cli, false, false);
    }
    if (code == CLI_DONE) {
        code = check_offer(cli, view, confirmation.offer_version);
    }
    if (code != CLI_DONE) {
        return code;
    }
    confirmation.terms_digest = view->offer->terms_digest;
    confirmation.document_sha256 = (ProtobufCBinaryData){.data = document.bytes, .len = sizeof document.bytes};
    return act_on_case(
        cli, &(struct cl_session_call){.method = "coloan.v1.JointApproval/ConfirmOffer", .body = &confirmation.base});
}

/* -- Other rules ---------------------------------------------------------------------------------------------- */

enum cli_exit cmd_choose_rules(struct cli *cli)
{
    Coloan__V1__RuleChoice choice = COLOAN__V1__RULE_CHOICE__INIT;
    struct cl_digest document;
    enum cli_exit code = act_document(&document, cli);
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    choice.rule_set = cl_unconst(cli->arguments[1]);
    choice.document_sha256 = (ProtobufCBinaryData){.data = document.bytes, .len = sizeof document.bytes};
    return act_on_case(
        cli, &(struct cl_session_call){.method = "coloan.v1.JointApproval/ChooseRules", .body = &choice.base});
}
