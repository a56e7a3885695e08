/* `coloan submit`: the file holds the application and, apart from it, the personal values; here each value becomes a
 * commitment in the signed body and a disclosure beside it. */
#include <string.h>

#include "client/cli.h"
#include "client/view.h"
#include "libcoloan/json.h"
#include "libcoloan/limits.h"
#include "libcoloan/personal.h"

static const char example[] = "write {\"application\": {...}, \"personal\": {\"persons[0].name\": \"...\", ...}}; "
                              "`coloan submit --help` shows a whole one";

static enum cli_exit commit(Coloan__V1__Disclosure **out, struct cli *cli, Coloan__V1__Application *application,
                            const struct cl_json_member *member)
{
    const ProtobufCBinaryData *place = cl_personal_place(application, member->name);
    if (place == NULL) {
        return cli_fail(cli, CLI_USAGE,
                        "paths are persons[N].name, persons[N].id_number, persons[N].mobile (N below the number of "
                        "persons) and home.address",
                        "personal: `%.60s` is not a personal field of this application", member->name);
    }
    if (place->len > 0) {
        return cli_fail(cli, CLI_USAGE, "leave it out of `application`: it is filled in from `personal`",
                        "personal: `%.60s` has a commitment already", member->name);
    }
    if (!member->is_string || cl_failed(cl_personal_commit(out, cli->arena, application, member->name,
                                                           cl_bytes_text(member->text), cl_random_system()))) {
        return cli_fail(cli, CLI_USAGE, NULL, "personal: `%.60s` must be a text of 1 to %d bytes without line breaks",
                        member->name, CL_DISCLOSURE_VALUE_BYTES_MAX);
    }
    return CLI_DONE;
}

struct submission {
    Coloan__V1__Application *application;
    Coloan__V1__Disclosure *disclosures[CL_PERSONAL_FIELDS_MAX];
    size_t disclosure_count;
};

static enum cli_exit commit_all(struct submission *out, struct cli *cli, const char *personal)
{
    const struct cl_json_member *members = NULL;
    struct cl_json_error error = {""};
    size_t count = 0;
    if (cl_failed(cl_json_members(&members, &count, cli->arena, cl_bytes_text(personal), &error))) {
        return cli_fail(cli, CLI_USAGE, example, "personal: %s", error.text);
    }
    if (count > CL_PERSONAL_FIELDS_MAX) {
        return cli_fail(cli, CLI_USAGE, NULL, "personal: at most %d values", CL_PERSONAL_FIELDS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        enum cli_exit committed = commit(&out->disclosures[i], cli, out->application, &members[i]);
        if (committed != CLI_DONE) {
            return committed;
        }
    }
    out->disclosure_count = count;
    return CLI_DONE;
}

static enum cli_exit read_submission(struct submission *out, struct cli *cli, struct cl_bytes text)
{
    const struct cl_json_member *members = NULL;
    const struct cl_json_member *parts[2] = {NULL, NULL};
    static const char *const names[] = {"application", "personal"};
    struct cl_json_error error = {""};
    ProtobufCMessage *message = NULL;
    size_t count = 0;
    if (cl_failed(cl_json_members(&members, &count, cli->arena, text, &error))) {
        return cli_fail(cli, CLI_USAGE, example, "%s: %s", cli->arguments[0], error.text);
    }
    for (size_t i = 0; i < count; i++) {
        size_t part = strcmp(members[i].name, names[0]) == 0 ? 0 : 1;
        if (strcmp(members[i].name, names[part]) != 0) {
            return cli_fail(cli, CLI_USAGE, example, "%s: `%.60s` has no meaning here", cli->arguments[0],
                            members[i].name);
        }
        parts[part] = &members[i];
    }
    if (parts[0] == NULL || parts[1] == NULL) {
        return cli_fail(cli, CLI_USAGE, example, "%s: `%s` is missing", cli->arguments[0],
                        parts[0] == NULL ? names[0] : names[1]);
    }
    if (cl_failed(cl_json_parse(&message, cli->arena, &coloan__v1__application__descriptor,
                                cl_bytes_text(parts[0]->text), &error))) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s: application: %s", cli->arguments[0], error.text);
    }
    out->application = (Coloan__V1__Application *)message;
    return commit_all(out, cli, parts[1]->text);
}

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
    struct submission submission = {.application = NULL};
    struct cl_answer answer;
    struct cl_bytes text;
    enum cli_exit code = cli_read_file(&text, cli, cli->arguments[0]);
    if (code == CLI_DONE) {
        code = read_submission(&submission, cli, text);
    }
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
