#include "client/submission.h"

#include <string.h>

#include "libcoloan/json.h"
#include "libcoloan/limits.h"

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

static enum cli_exit commit_all(struct client_submission *out, struct cli *cli, const char *personal)
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

static enum cli_exit read_text(struct client_submission *out, struct cli *cli, const char *path, struct cl_bytes text)
{
    const struct cl_json_member *members = NULL;
    const struct cl_json_member *parts[2] = {NULL, NULL};
    static const char *const names[] = {"application", "personal"};
    struct cl_json_error error = {""};
    ProtobufCMessage *message = NULL;
    size_t count = 0;
    if (cl_failed(cl_json_members(&members, &count, cli->arena, text, &error))) {
        return cli_fail(cli, CLI_USAGE, example, "%s: %s", path, error.text);
    }
    for (size_t i = 0; i < count; i++) {
        size_t part = strcmp(members[i].name, names[0]) == 0 ? 0 : 1;
        if (strcmp(members[i].name, names[part]) != 0) {
            return cli_fail(cli, CLI_USAGE, example, "%s: `%.60s` has no meaning here", path, members[i].name);
        }
        parts[part] = &members[i];
    }
    if (parts[0] == NULL || parts[1] == NULL) {
        return cli_fail(cli, CLI_USAGE, example, "%s: `%s` is missing", path, parts[0] == NULL ? names[0] : names[1]);
    }
    if (cl_failed(cl_json_parse(&message, cli->arena, &coloan__v1__application__descriptor,
                                cl_bytes_text(parts[0]->text), &error))) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s: application: %s", path, error.text);
    }
    out->application = (Coloan__V1__Application *)message;
    return commit_all(out, cli, parts[1]->text);
}

enum cli_exit client_submission_read(struct client_submission *out, struct cli *cli, const char *path)
{
    struct cl_bytes text;
    struct client_submission read = {.application = NULL};
    enum cli_exit code = cli_read_file(&text, cli, path);
    if (code == CLI_DONE) {
        code = read_text(&read, cli, path, text);
    }
    if (code == CLI_DONE) {
        *out = read;
    }
    return code;
}
