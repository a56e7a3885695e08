/* `coloan submit`: a new application. */
#include "client/submission.h"
#include "client/view.h"

static enum cli_exit keep_reply(const struct cli *cli, const struct cl_answer *answer)
{
    if (cli->options.keep == NULL) {
        return CLI_DONE;
    }
    if (cl_failed(client_file_write(cli->options.keep, answer->envelope, 0644, true))) {
        return cli_fail(cli, CLI_FAILED, "the application is in; `coloan show` tells about it", "%s cannot be written",
                        cli->options.keep);
    }
    return CLI_DONE;
}

enum cli_exit cmd_submit(struct cli *cli)
{
    struct client_submission submission = {.application = NULL};
    struct cl_answer answer;
    enum cli_exit code = client_submission_read(&submission, cli, cli->arguments[0]);
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = cl_session_call(&answer, cli->session, cli->arena,
                                              &(struct cl_session_call){
                                                  .method = "coloan.v1.JointApproval/SubmitApplication",
                                                  .body = &submission.application->base,
                                                  .reply_type = &coloan__v1__application_receipt__descriptor,
                                                  .disclosures = submission.disclosures,
                                                  .disclosure_count = submission.disclosure_count,
                                              },
                                              cli_patience(cli));
    if (cl_failed(status)) {
        return cli_refused(cli, status, &answer);
    }
    const Coloan__V1__ApplicationReceipt *receipt = (const void *)answer.body;
    if (cli->options.json || receipt->status == NULL) {
        code = cli_print_json(cli, answer.body);
    } else {
        view_status(cli, receipt->status);
        (void)fprintf(cli->out, "\n  coloan watch %s\n", receipt->application_id);
    }
    return code == CLI_DONE ? keep_reply(cli, &answer) : code;
}
