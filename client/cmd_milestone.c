/* `coloan milestone`: what a bank reports after the approval - contracts, registration, payments - by hand. */
#include <string.h>

#include "client/act.h"
#include "libcoloan/personal.h"

struct kind_row {
    const char *name;
    Coloan__V1__MilestoneKind kind;
    bool of_a_leg;
};

static const struct kind_row kinds[] = {
    {"signed", COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_SIGNED, true},
    {"registration-filed", COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_REGISTRATION_FILED, false},
    {"disbursed", COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_DISBURSED, true},
    {"repaid", COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_REPAID, true},
    {"overdue", COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_OVERDUE, true},
    {"settled", COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_SETTLED, true},
    {"cancelled", COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_CANCELLED, false},
    {"mortgage-released", COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_MORTGAGE_RELEASED, false},
};

static enum cli_exit read_kind(const struct kind_row **out, const struct cli *cli)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(cli->arguments[1], kinds[i].name) == 0) {
            *out = &kinds[i];
            return CLI_DONE;
        }
    }
    return cli_fail(cli, CLI_USAGE, "`coloan milestone --help` lists them", "`%.40s` is no milestone",
                    cli->arguments[1]);
}

static enum cli_exit read_leg(Coloan__V1__Leg *out, const struct cli *cli, const struct kind_row *kind)
{
    const char *leg = cli->options.leg;
    if (!kind->of_a_leg) {
        return leg == NULL ? CLI_DONE : cli_fail(cli, CLI_USAGE, NULL, "%s is of no leg; leave --leg out", kind->name);
    }
    if (leg == NULL || (strcmp(leg, "fund") != 0 && strcmp(leg, "commercial") != 0)) {
        return cli_fail(cli, CLI_USAGE, "add --leg fund or --leg commercial", "%s is of one leg", kind->name);
    }
    *out = strcmp(leg, "fund") == 0 ? COLOAN__V1__LEG__LEG_FUND : COLOAN__V1__LEG__LEG_COMMERCIAL;
    return CLI_DONE;
}

/* The account's number goes beside the signed body, which holds a commitment to it. */
static enum cli_exit disclose_account(Coloan__V1__Disclosure **out, Coloan__V1__Milestone *milestone, struct cli *cli)
{
    struct cl_digest commitment;
    if (cli->options.account == NULL) {
        return CLI_DONE;
    }
    struct cl_status status = cl_disclosure_make(out, &commitment, cli->arena, "account",
                                                 cl_bytes_text(cli->options.account), cl_random_system());
    uint8_t *copy = cl_failed(status) ? NULL : cl_arena_copy(cli->arena, cl_bytes(commitment.bytes, CL_DIGEST_BYTES));
    if (copy == NULL) {
        return cli_fail(cli, CLI_USAGE, NULL, "--account: expected 1 to %d bytes of clean text",
                        CL_DISCLOSURE_VALUE_BYTES_MAX);
    }
    milestone->account = (ProtobufCBinaryData){.data = copy, .len = CL_DIGEST_BYTES};
    return CLI_DONE;
}

enum cli_exit cmd_milestone(struct cli *cli)
{
    const Coloan__V1__ApplicationView *view = NULL;
    const struct kind_row *kind = NULL;
    Coloan__V1__Disclosure *account = NULL;
    Coloan__V1__Milestone milestone = COLOAN__V1__MILESTONE__INIT;
    enum cli_exit code = read_kind(&kind, cli);
    if (code == CLI_DONE) {
        code = read_leg(&milestone.leg, cli, kind);
    }
    if (code == CLI_DONE) {
        code = disclose_account(&account, &milestone, cli);
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE) {
        code = cli_get_application(&view, cli, false, false);
    }
    if (code != CLI_DONE) {
        return code;
    }
    milestone.kind = kind->kind;
    milestone.bank_epoch = view->status->bank_epoch;
    milestone.amount_fen = cli->options.amount_fen;
    milestone.balance_fen = cli->options.balance_fen;
    milestone.happened_ms = cl_clock_unix_ms(cl_clock_system());
    milestone.reference =
        cl_arena_text(cli->arena, cli->options.reference == NULL ? cli->arguments[0] : cli->options.reference);
    if (milestone.reference == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    return act_on_case(cli, &(struct cl_session_call){.method = "coloan.v1.JointApproval/ReportMilestone",
                                                      .body = &milestone.base,
                                                      .disclosures = &account,
                                                      .disclosure_count = account == NULL ? 0 : 1});
}
