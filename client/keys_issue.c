/* `coloan keys issue`, `retire` and `compromise`: the next key directory, made offline where the directory key is kept.
 * Only public halves come in: key requests of `prove`, and rotations that the server kept. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/keys.h"
#include "libcoloan/date.h"
#include "libcoloan/dsse.h"
#include "libcoloan/json.h"
#include "libcoloan/limits.h"

/* One issue: what it follows and what comes of it. */
struct issue {
    int64_t now_ms;
    struct cl_signer *issuer;
    struct cl_keyring *previous; /* NULL: the first directory */
    struct cl_keydraft draft;
};

static void close_issue(struct issue *issue)
{
    cl_signer_free(issue->issuer);
    cl_keyring_unref(issue->previous);
}

static enum cli_exit refuse(const struct cli *cli, struct cl_status status, const char *what)
{
    return cli_fail(cli, CLI_FAILED, NULL, "%s: %s (%s)", what, cl_reason_info(status.reason)->text_en,
                    cl_status_name(status));
}

/* -- What it follows ------------------------------------------------------------------------------------------ */

/* The directory names the centre, whose key has to have signed it. */
static enum cli_exit follow(struct issue *issue, const struct cli *cli)
{
    const Coloan__V1__KeyDirectory *directory = NULL;
    const char *centre = NULL;
    struct cl_bytes bytes;
    enum cli_exit code = cli_read_file(&bytes, cli, cli->options.directory);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = keys_unpack_directory(&directory, &centre, cli->arena, bytes);
    if (cl_failed(status) || !cl_party_valid(centre) || !cl_environment_valid(directory->environment)) {
        return cli_fail(cli, CLI_USAGE, "give the directory in force", "%s is no key directory",
                        cli->options.directory);
    }
    code = keys_load_signer(&issue->issuer, cli, cli->options.directory_key, centre);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_directory_trust trust = {
        .public_key = *cl_signer_public_key(issue->issuer), .centre = centre, .environment = directory->environment};
    status = cl_keyring_load(&issue->previous, bytes, &trust, NULL);
    if (cl_is_ok(status)) {
        status = cl_keydraft_follow(&issue->draft, cli->arena, issue->previous);
    }
    return cl_is_ok(status) ? CLI_DONE : refuse(cli, status, cli->options.directory);
}

static enum cli_exit check_successor(const struct cli *cli)
{
    const struct cli_options *options = &cli->options;
    if (options->directory == NULL || options->directory_key == NULL || options->out == NULL) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys --help` shows an example",
                        "%s needs --directory, --directory-key and --out", cli->arguments[0]);
    }
    if (options->number != 0 || options->environment != NULL || options->centre != NULL) {
        return cli_fail(cli, CLI_USAGE, "leave them out",
                        "--number, --environment and --centre follow from --directory");
    }
    return CLI_DONE;
}

/* -- What it ends in ------------------------------------------------------------------------------------------ */

static enum cli_exit write_directory(const struct cli *cli, struct issue *issue)
{
    struct cl_bytes bytes;
    (void)cl_keydraft_settle(&issue->draft, issue->now_ms);
    struct cl_status status =
        cl_keydraft_issue(&bytes, cli->arena, &issue->draft, issue->issuer, issue->now_ms, cl_random_system());
    if (cl_failed(status)) {
        return refuse(cli, status, "the directory");
    }
    if (cl_failed(client_file_write(cli->options.out, bytes, 0644, true))) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s cannot be written: %s", cli->options.out, strerror(errno));
    }
    if (!cli->options.json) {
        (void)fprintf(cli->out, "%s: directory %" PRIu64 " of %s for %s, %zu keys\n", cli->options.out,
                      issue->draft.number, issue->draft.centre, issue->draft.environment, issue->draft.key_count);
    }
    keys_print_public(cli, cl_signer_public_key(issue->issuer));
    return CLI_DONE;
}

/* -- issue ---------------------------------------------------------------------------------------------------- */

/* A key request: the JSON of one entry. */
static enum cli_exit read_request(struct cl_key *out, const struct cli *cli, const char *path, struct cl_bytes text,
                                  const char *environment)
{
    struct cl_json_error error;
    ProtobufCMessage *message = NULL;
    if (cl_failed(cl_json_parse(&message, cli->arena, &coloan__v1__key__descriptor, text, &error))) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys prove` makes one", "%s: %s", path, error.text);
    }
    const Coloan__V1__Key *entry = (const Coloan__V1__Key *)(const void *)message;
    struct cl_status status = cl_key_read(out, entry, environment);
    if (cl_is_ok(status) && entry->status != COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE) {
        status = cl_fail(CL_DIRECTORY_INVALID);
    }
    return cl_is_ok(status) ? CLI_DONE : refuse(cli, status, path);
}

/* A rotation that cannot be taken up ends the issue: the operator has to see it, and leaves its file out. */
static enum cli_exit take_rotation(struct issue *issue, const struct cli *cli, const char *path, struct cl_bytes bytes)
{
    struct cl_key key;
    int64_t overlap_ms = cli->options.overlap_days * CL_DAY_MS;
    if (issue->previous == NULL) {
        return cli_fail(cli, CLI_USAGE, "give the one in force with --directory", "%s: a rotation follows a directory",
                        path);
    }
    struct cl_status status =
        cl_keydraft_take_rotation(&issue->draft, cli->arena, issue->previous, bytes, overlap_ms, &key);
    if (cl_failed(status)) {
        return refuse(cli, status, path);
    }
    if (!cli->options.json) {
        (void)fprintf(cli->out, "%s: %s signs with %s\n", path, key.party, key.keyid.text);
    }
    return CLI_DONE;
}

static enum cli_exit take_file(struct issue *issue, const struct cli *cli, const char *path)
{
    struct cl_key key;
    struct cl_bytes bytes;
    enum cli_exit code = cli_read_file(&bytes, cli, path);
    if (code != CLI_DONE) {
        return code;
    }
    if (bytes.len == 0 || bytes.data[0] != '{') {
        return take_rotation(issue, cli, path, bytes);
    }
    code = read_request(&key, cli, path, bytes, issue->draft.environment);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = cl_keydraft_add(&issue->draft, &key);
    return cl_is_ok(status) ? CLI_DONE : refuse(cli, status, path);
}

/* --centre, or the only fund centre among the requests. */
static enum cli_exit find_centre(const char **out, const struct cli *cli)
{
    const char *centre = cli->options.centre;
    for (int i = 1; i < cli->argument_count && cli->options.centre == NULL; i++) {
        struct cl_bytes bytes;
        struct cl_key key;
        enum cli_exit code = cli_read_file(&bytes, cli, cli->arguments[i]);
        if (code == CLI_DONE) {
            code = read_request(&key, cli, cli->arguments[i], bytes, cli->options.environment);
        }
        if (code != CLI_DONE) {
            return code;
        }
        if (cl_party_kind(key.party) != CL_PARTY_FUND) {
            continue;
        }
        if (centre != NULL && strcmp(centre, key.party) != 0) {
            return cli_fail(cli, CLI_USAGE, "say which one issues: --centre PARTY", "there are several fund centres");
        }
        centre = cl_arena_text(cli->arena, key.party);
    }
    if (centre == NULL || cl_party_kind(centre) != CL_PARTY_FUND) {
        return cli_fail(cli, CLI_USAGE, "say who issues: --centre fund:<id>",
                        "there is no fund centre among the parties");
    }
    *out = centre;
    return CLI_DONE;
}

static enum cli_exit begin_first(struct issue *issue, const struct cli *cli)
{
    const struct cli_options *options = &cli->options;
    const char *centre = NULL;
    if (options->environment == NULL || options->number == 0 || options->directory_key == NULL ||
        options->out == NULL || cli->argument_count < 2) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys --help` shows an example",
                        "the first issue needs --environment, --number, --directory-key, --out and key requests; each "
                        "later one --directory instead of the first two");
    }
    if (!cl_environment_valid(options->environment)) {
        return cli_fail(cli, CLI_USAGE, "write prod, test or conf/<run>", "--environment: `%.40s` is none",
                        options->environment);
    }
    enum cli_exit code = find_centre(&centre, cli);
    if (code == CLI_DONE) {
        code = keys_load_signer(&issue->issuer, cli, options->directory_key, centre);
    }
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status =
        cl_keydraft_begin(&issue->draft, cli->arena, centre, options->environment, (uint64_t)options->number);
    return cl_is_ok(status) ? CLI_DONE : refuse(cli, status, "the directory");
}

enum cli_exit keys_issue(struct cli *cli)
{
    struct issue issue = {.now_ms = cl_clock_unix_ms(cl_clock_system())};
    cli->options.overlap_days = cli->options.overlap_days > 0 ? cli->options.overlap_days : CL_KEY_OVERLAP_DAYS_DEFAULT;
    bool first = cli->options.directory == NULL;
    enum cli_exit code = first ? begin_first(&issue, cli) : check_successor(cli);
    if (code == CLI_DONE && !first) {
        code = follow(&issue, cli);
    }
    for (int i = 1; i < cli->argument_count && code == CLI_DONE; i++) {
        code = take_file(&issue, cli, cli->arguments[i]);
    }
    if (code == CLI_DONE) {
        code = write_directory(cli, &issue);
    }
    close_issue(&issue);
    return code;
}

/* -- retire, compromise --------------------------------------------------------------------------------------- */

/* A day of China Standard Time, "2026-11-25": its first moment. */
static enum cli_exit read_since(int64_t *out, const struct cli *cli)
{
    int year = 0;
    int month = 0;
    int day = 0;
    int len = 0;
    const char *text = cli->options.since;
    if (text == NULL) {
        return CLI_DONE;
    }
    bool read = sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &len) == 3 && len == 10 && text[len] == '\0';
    int32_t date = read ? year * 10000 + month * 100 + day : 0;
    if (!cl_date_valid(date) || cl_date_to_ms(date) > *out) {
        return cli_fail(cli, CLI_USAGE, NULL, "--since: expected a day until today, e.g. 2026-11-25");
    }
    *out = cl_date_to_ms(date);
    return CLI_DONE;
}

static enum cli_exit end_key(struct cli *cli, bool compromised)
{
    struct issue issue = {.now_ms = cl_clock_unix_ms(cl_clock_system())};
    int64_t at_ms = issue.now_ms;
    if (cli->argument_count != 2) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys show` lists them", "%s needs one KEYID", cli->arguments[0]);
    }
    enum cli_exit code = check_successor(cli);
    if (code == CLI_DONE) {
        code = read_since(&at_ms, cli);
    }
    if (code == CLI_DONE) {
        code = follow(&issue, cli);
    }
    if (code == CLI_DONE) {
        struct cl_status status = compromised ? cl_keydraft_compromise(&issue.draft, cli->arguments[1], at_ms)
                                              : cl_keydraft_retire(&issue.draft, cli->arguments[1], at_ms);
        code = cl_is_ok(status) ? write_directory(cli, &issue) : refuse(cli, status, cli->arguments[1]);
    }
    close_issue(&issue);
    return code;
}

enum cli_exit keys_retire(struct cli *cli)
{
    return cli->options.since == NULL ? end_key(cli, false)
                                      : cli_fail(cli, CLI_USAGE, NULL, "--since belongs to compromise");
}

enum cli_exit keys_compromise(struct cli *cli)
{
    return end_key(cli, true);
}
