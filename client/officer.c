#include "client/officer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/personal.h"
#include "libcoloan/sha256.h"

/* -- Calls ---------------------------------------------------------------------------------------------------- */

enum cli_exit officer_call(struct cl_answer *out, struct cli *cli, const struct officer_call *call)
{
    struct cl_session_call what = {.method = call->method,
                                   .body = call->body,
                                   .reply_type = call->reply_type,
                                   .application_id = call->application_id};
    struct cl_status status = cl_session_call(out, cli->session, cli->arena, &what, cli_patience(cli));
    return cl_is_ok(status) ? CLI_DONE : cli_refused(cli, status, out);
}

enum cli_exit officer_check_values(const struct cl_answer *answer, const struct cli *cli,
                                   const ProtobufCMessage *application)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    size_t count = 0;
    struct cl_status status = cl_personal_fields(fields, &count, application);
    if (cl_is_ok(status)) {
        status = cl_disclosure_check_shown(fields, count, answer->opened.disclosures, answer->opened.disclosure_count);
    }
    return cl_is_ok(status) ? CLI_DONE : cli_refused(cli, cl_fail(CL_PEER_ANSWER_INVALID), NULL);
}

/* The submission as its sender signed it. */
static struct cl_status open_submission(ProtobufCMessage **out, struct cli *cli, ProtobufCBinaryData envelope)
{
    struct cl_opened opened;
    struct cl_keyring *keyring = cl_session_keyring(cli->session);
    struct cl_status status = cl_envelope_verify(&opened, cli->arena, cl_bytes(envelope.data, envelope.len), keyring);
    cl_keyring_unref(keyring);
    if (cl_is_ok(status)) {
        status = cl_opened_body(out, cli->arena, &opened);
    }
    return status;
}

enum cli_exit officer_get_task(struct officer_task *out, struct cli *cli, const char *task_id)
{
    Coloan__V1__TaskQuery query = COLOAN__V1__TASK_QUERY__INIT;
    query.task_id = cl_arena_text(cli->arena, task_id);
    if (query.task_id == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    struct officer_call call = {
        .method = "coloan.v1.Review/GetTask", .body = &query.base, .reply_type = &coloan__v1__task_view__descriptor};
    enum cli_exit code = officer_call(&out->answer, cli, &call);
    if (code != CLI_DONE) {
        return code;
    }
    ProtobufCMessage *application = NULL;
    out->view = (const Coloan__V1__TaskView *)(const void *)out->answer.body;
    if (out->view->task == NULL || out->view->status == NULL ||
        cl_failed(open_submission(&application, cli, out->view->submission_envelope))) {
        return cli_refused(cli, cl_fail(CL_PEER_ANSWER_INVALID), NULL);
    }
    return officer_check_values(&out->answer, cli, application);
}

/* -- Findings ------------------------------------------------------------------------------------------------- */

static bool find_value(int *out, const ProtobufCEnumDescriptor *type, const char *prefix, const char *name)
{
    char whole[64];
    (void)snprintf(whole, sizeof whole, "%s%.40s", prefix, name);
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(type, whole);
    if (value == NULL || value->value == 0) {
        return false;
    }
    *out = value->value;
    return true;
}

bool officer_find_item(Coloan__V1__Item *out, const char *name)
{
    int value = 0;
    bool found = find_value(&value, &coloan__v1__item__descriptor, "ITEM_", name);
    *out = found ? (Coloan__V1__Item)value : *out;
    return found;
}

static enum cli_exit read_fact(Coloan__V1__Fact **out, struct cli *cli, const char *word)
{
    const char *equals = strpbrk(word, "=:");
    bool is_text = equals != NULL && *equals == ':';
    char *end = NULL;
    errno = 0;
    long long number = equals == NULL || is_text ? 0 : strtoll(equals + 1, &end, 10);
    if (equals == NULL || equals == word || errno != 0 || (!is_text && (end == equals + 1 || *end != '\0'))) {
        return cli_fail(cli, CLI_USAGE, "e.g. loans_open=0; money is in fen",
                        "`%.40s` is no fact: expected NAME=NUMBER or NAME:TEXT", word);
    }
    Coloan__V1__Fact *fact = cl_arena_alloc(cli->arena, sizeof *fact);
    char *name = cl_arena_text(cli->arena, word);
    if (fact == NULL || name == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    coloan__v1__fact__init(fact);
    name[equals - word] = '\0';
    fact->name = name;
    fact->number = number;
    fact->text = is_text ? name + (equals - word) + 1 : fact->text;
    *out = fact;
    return CLI_DONE;
}

static enum cli_exit read_facts(Coloan__V1__Finding *out, struct cli *cli, int first)
{
    size_t count = (size_t)(cli->argument_count - first);
    out->facts = cl_arena_array(cli->arena, count + 1, sizeof *out->facts);
    if (out->facts == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    for (size_t i = 0; i < count; i++) {
        enum cli_exit code = read_fact(&out->facts[out->n_facts++], cli, cli->arguments[first + (int)i]);
        if (code != CLI_DONE) {
            return code;
        }
    }
    return CLI_DONE;
}

static enum cli_exit read_outcome(Coloan__V1__Finding *out, const struct cli *cli, const char *word)
{
    bool passes = strcmp(word, "pass") == 0;
    if (!passes && strcmp(word, "fail") != 0) {
        return cli_fail(cli, CLI_USAGE, NULL, "found \"%.40s\", expected pass or fail", word);
    }
    out->outcome = passes ? COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS : COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL;
    int failure = 0;
    const char *named = cli->options.failure;
    if (passes != (named == NULL) ||
        (named != NULL && !find_value(&failure, &coloan__v1__failure_kind__descriptor, "FAILURE_KIND_", named))) {
        return cli_fail(cli, CLI_USAGE, "NOT_AUTHORISED, NO_RECORD or MISMATCH",
                        "--failure goes with fail, and only with it");
    }
    out->failure = (Coloan__V1__FailureKind)failure;
    return CLI_DONE;
}

static enum cli_exit read_proof(Coloan__V1__Finding *out, struct cli *cli)
{
    struct cl_bytes proof;
    struct cl_digest digest;
    if (cli->options.note != NULL) {
        out->note = cl_arena_text(cli->arena, cli->options.note);
    }
    if (cli->options.document == NULL) {
        return CLI_DONE;
    }
    enum cli_exit code = cli_read_file(&proof, cli, cli->options.document);
    if (code != CLI_DONE) {
        return code;
    }
    cl_sha256(&digest, proof);
    out->document_sha256.data = cl_arena_copy(cli->arena, cl_bytes(digest.bytes, sizeof digest.bytes));
    out->document_sha256.len = sizeof digest.bytes;
    return CLI_DONE;
}

enum cli_exit officer_read_finding(Coloan__V1__Finding *out, struct cli *cli, int first)
{
    coloan__v1__finding__init(out);
    enum cli_exit code = read_outcome(out, cli, cli->arguments[first]);
    if (code == CLI_DONE) {
        code = read_facts(out, cli, first + 1);
    }
    if (code == CLI_DONE) {
        code = read_proof(out, cli);
    }
    if (code == CLI_DONE && cl_arena_overflowed(cli->arena)) {
        code = cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    return code;
}
