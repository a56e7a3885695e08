/* Options are one table for all commands, so that each is called the same and explained once everywhere; a command names
 * those it takes. */
#include "client/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcoloan/json.h"
#include "libcoloan/limits.h"

/* -- Options -------------------------------------------------------------------------------------------------- */

enum kind { TEXT, NUMBER, SECONDS, FLAG };

struct option_row {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *placeholder, *doc;
    int64_t min, max;
};

#define MEMBER(name) offsetof(struct cli_options, name)

static const struct option_row option_rows[] = {
    {"profile", TEXT, MEMBER(profile), "FILE", "who we are and whom we talk to (YAML); or set COLOAN_PROFILE", 0, 0},
    {"json", FLAG, MEMBER(json), NULL, "print JSON, for machines", 0, 0},
    {"lang", TEXT, MEMBER(lang), "zh|en", "language of texts; the locale's when not given", 0, 0},
    {"timeout", SECONDS, MEMBER(timeout_ms), "SECONDS", "how long to go on trying", 1, 86400},
    {"every", SECONDS, MEMBER(every_ms), "SECONDS", "time between two looks (1)", 1, 3600},
    {"count", NUMBER, MEMBER(count), "N", "how many", 1, 1000},
    {"state", TEXT, MEMBER(state), "STATE", "only cases in this state, e.g. OFFERED", 0, 0},
    {"keep", TEXT, MEMBER(keep), "FILE", "keep the reply's signed envelope", 0, 0},
    {"reference", TEXT, MEMBER(reference), "TEXT", "our own number of it", 0, 0},
    {"amount-fen", NUMBER, MEMBER(amount_fen), "N", "an amount in fen", 1, INT64_C(1000000000000)},
    {"balance-fen", NUMBER, MEMBER(balance_fen), "N", "principal left after it, in fen (0)", 0, INT64_C(1000000000000)},
    {"leg", TEXT, MEMBER(leg), "LEG", "fund or commercial", 0, 0},
    {"account", TEXT, MEMBER(account), "NUMBER", "the account paid to; travels beside the signed body", 0, 0},
    {"until", TEXT, MEMBER(until), "STATE", "stop at this state, e.g. READY", 0, 0},
    {"mine", FLAG, MEMBER(mine), NULL, "only what we have claimed", 0, 0},
    {"unclaimed", FLAG, MEMBER(unclaimed), NULL, "only what nobody works on", 0, 0},
    {"kind", TEXT, MEMBER(kind), "KIND", "only tasks of this kind, e.g. ITEM", 0, 0},
    {"person", NUMBER, MEMBER(person), "N", "whose item, as the application counts them from 0 (0)", 0, 15},
    {"failure", TEXT, MEMBER(failure), "KIND", "with fail: NOT_AUTHORISED, NO_RECORD or MISMATCH", 0, 0},
    {"note", TEXT, MEMBER(note), "CODE", "why: a code of the table of officers' notes, e.g. SRC-DESK", 0, 0},
    {"document", TEXT, MEMBER(document), "FILE", "what was looked at or signed; only its digest is sent", 0, 0},
    {"reason", TEXT, MEMBER(reason), "CODE", "our own code of why, 1 to 64 bytes", 0, 0},
    {"rate-ppm", NUMBER, MEMBER(rate_ppm), "N", "its rate a year; 3.05 % is 30500", 1, 360000},
    {"term-months", NUMBER, MEMBER(term_months), "N", "its term", 12, 480},
    {"environment", TEXT, MEMBER(environment), "NAME", "prod, test or conf/RUN", 0, 0},
    {"number", NUMBER, MEMBER(number), "N", "the first directory's, later ones count on; the decision's, from 1", 1,
     INT64_MAX},
    {"centre", TEXT, MEMBER(centre), "PARTY", "who issues; the one fund:... of the list when not given", 0, 0},
    {"directory-key", TEXT, MEMBER(directory_key), "FILE",
     "key that signs (issue, retire, compromise) or verifies (show) directories", 0, 0},
    {"directory", TEXT, MEMBER(directory), "FILE", "the signed key directory", 0, 0},
    {"out", TEXT, MEMBER(out), "FILE", "where it goes", 0, 0},
    {"valid-days", NUMBER, MEMBER(valid_days), "N", "how long the keys are valid (365)", 1, 3650},
    {"key", TEXT, MEMBER(key), "FILE", "the centre's signing key (PEM PKCS#8, mode 0600)", 0, 0},
    {"rules", TEXT, MEMBER(rules), "FILE", "the rule set to decide by", 0, 0},
    {"against", TEXT, MEMBER(against), "FILE", "the rule set to try", 0, 0},
    {"records", TEXT, MEMBER(records), "DIR|FILE", "decision records: envelopes as Review.GetDecision gives them", 0,
     0},
    {"party", TEXT, MEMBER(party), "PARTY", "whose key it is, e.g. bank:cn-alpha-js", 0, 0},
    {"since", TEXT, MEMBER(since), "DAY", "when it may have been stolen (now), e.g. 2026-11-25", 0, 0},
    {"overlap-days", NUMBER, MEMBER(overlap_days), "N", "how long a replaced key verifies on (14)", 1,
     CL_KEY_OVERLAP_DAYS_MAX},
    {"custody", FLAG, MEMBER(custody), NULL, "somebody else keeps the key from now on", 0, 0},
    {"bank", TEXT, MEMBER(bank), "PARTY", "whose events; a bank's own when not given", 0, 0},
    {"after", NUMBER, MEMBER(after), "N", "only events after this sequence (0)", 0, INT64_MAX},
    {"pending", FLAG, MEMBER(pending), NULL, "only what is not received yet, or asked for again", 0, 0},
    {"personal", FLAG, MEMBER(personal), NULL, "show disclosed personal values too", 0, 0},
};
enum { OPTION_COUNT = sizeof option_rows / sizeof option_rows[0] };

/* Whether `list`, names between blanks, holds `name`. */
static bool takes(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *found = strstr(list, name); found != NULL; found = strstr(found + 1, name)) {
        bool begins = found == list || found[-1] == ' ';
        if (begins && (found[len] == ' ' || found[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static enum cli_exit set_option(struct cli *cli, const struct option_row *row, const char *text)
{
    union {
        void *any;
        const char **text;
        int64_t *number;
        bool *flag;
    } member = {.any = (char *)&cli->options + row->offset};
    if (row->kind == FLAG) {
        *member.flag = true;
        return CLI_DONE;
    }
    if (row->kind == TEXT) {
        *member.text = text;
        return CLI_DONE;
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < row->min || number > row->max) {
        return cli_fail(cli, CLI_USAGE, NULL, "--%s: found \"%.40s\", expected a number from %" PRId64 " to %" PRId64,
                        row->name, text, row->min, row->max);
    }
    *member.number = row->kind == SECONDS ? number * 1000 : number;
    return CLI_DONE;
}

/* -- Help ----------------------------------------------------------------------------------------------------- */

static void print_overview(const struct cli *cli)
{
    (void)fprintf(cli->out,
                  "coloan - combined housing loans, decided together\n\nusage: coloan COMMAND [OPTION...]\n\n");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        (void)fprintf(cli->out, "  %s%-12s%s %-24s %s\n", cli_colour(cli, CLI_BOLD), command->name,
                      cli_colour(cli, CLI_PLAIN), command->arguments, command->summary);
    }
    (void)fprintf(cli->out,
                  "\n`coloan COMMAND --help` says more, with examples.\n\n"
                  "first steps:\n"
                  "  coloan ping --profile bank.yaml\n"
                  "  coloan submit application.json --profile bank.yaml\n\n"
                  "exit status: 0 done; 1 refused, failed or does not verify; 2 wrong command line, profile or file;\n"
                  "3 the other side did not answer, the same command may be tried again\n");
}

static void print_help(const struct cli *cli, const struct cli_command *command)
{
    (void)fprintf(cli->out, "usage: coloan %s %s\n\n%s\noptions:\n", command->name, command->arguments, command->help);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char name[40];
        if (takes(command->options, option_rows[i].name)) {
            (void)snprintf(name, sizeof name, "--%s %s", option_rows[i].name,
                           option_rows[i].placeholder == NULL ? "" : option_rows[i].placeholder);
            (void)fprintf(cli->out, "  %-24s %s\n", name, option_rows[i].doc);
        }
    }
    if (takes(command->options, "profile")) {
        (void)fprintf(cli->out, "\nthe profile's fields:\n");
        cl_setting_print_fields(cli->out, client_profile_fields, CLIENT_PROFILE_FIELD_COUNT);
    }
}

/* -- Parsing -------------------------------------------------------------------------------------------------- */

static const struct cli_command *find_command(const char *name)
{
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

static void make_getopt(struct option out[OPTION_COUNT + 2], const char *list)
{
    size_t count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (takes(list, option_rows[i].name)) {
            out[count++] = (struct option){.name = option_rows[i].name,
                                           .has_arg = option_rows[i].kind == FLAG ? no_argument : required_argument,
                                           .val = (int)i + 256};
        }
    }
    out[count++] = (struct option){.name = "help", .has_arg = no_argument, .val = 'h'};
    out[count] = (struct option){.name = NULL};
}

static enum cli_exit parse(struct cli *cli, const struct cli_command *command, int argc, char **argv, bool *help_out)
{
    struct option options[OPTION_COUNT + 2];
    make_getopt(options, command->options);
    optind = 0; /* glibc: start anew, also for a second command line in one process */
    for (;;) {
        int found = getopt_long(argc, argv, ":h", options, NULL);
        if (found == -1) {
            break;
        }
        if (found == 'h') {
            *help_out = true;
            return CLI_DONE;
        }
        if (found == '?' || found == ':') {
            const char *what = optind > 0 && optind <= argc ? argv[optind - 1] : "";
            return cli_fail(cli, CLI_USAGE, "`--help` lists the options", "%s %s", what,
                            found == ':' ? "needs a value" : "is not an option of this command");
        }
        enum cli_exit set = set_option(cli, &option_rows[found - 256], optarg);
        if (set != CLI_DONE) {
            return set;
        }
    }
    cli->arguments = argv + optind;
    cli->argument_count = argc - optind;
    if (cli->argument_count < command->arguments_min || cli->argument_count > command->arguments_max) {
        return cli_fail(cli, CLI_USAGE, "`--help` shows examples", "usage: coloan %s %s", command->name,
                        command->arguments);
    }
    if (cli->options.lang != NULL && strcmp(cli->options.lang, "zh") != 0 && strcmp(cli->options.lang, "en") != 0) {
        return cli_fail(cli, CLI_USAGE, NULL, "--lang: found \"%.20s\", expected zh or en", cli->options.lang);
    }
    return CLI_DONE;
}

static bool locale_is_chinese(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return strncmp(value, "zh", 2) == 0;
        }
    }
    return false;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
    bool help =
        argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
    const char *name = help ? (argc > 2 ? argv[2] : NULL) : argv[1];
    if (name == NULL) {
        print_overview(cli);
        return argc < 2 ? CLI_USAGE : CLI_DONE;
    }
    const struct cli_command *command = find_command(name);
    if (command == NULL) {
        return cli_fail(cli, CLI_USAGE, "`coloan --help` lists the commands", "there is no command `%.40s`", name);
    }
    enum cli_exit parsed = help ? CLI_DONE : parse(cli, command, argc - 1, argv + 1, &help);
    if (parsed != CLI_DONE || help) {
        if (help) {
            print_help(cli, command);
        }
        return parsed;
    }
    cli->chinese = cli->options.lang == NULL ? locale_is_chinese() : strcmp(cli->options.lang, "zh") == 0;
    if (cl_failed(cl_arena_create(&cli->arena, CLI_ARENA_BYTES_MAX))) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    return command->run(cli);
}

enum cli_exit cli_main(int argc, char **argv, FILE *out, FILE *err)
{
    struct cli cli = {.out = out, .err = err};
    cli.colours = isatty(fileno(out)) == 1 && getenv("NO_COLOR") == NULL;
    enum cli_exit code = run(&cli, argc, argv);
    cl_session_free(cli.session);
    client_profile_close(&cli.profile);
    cl_arena_free(cli.arena);
    return code;
}

/* -- Speaking ------------------------------------------------------------------------------------------------- */

const char *cli_colour(const struct cli *cli, enum cli_colour colour)
{
    static const char *const codes[] = {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[33m"};
    return cli->colours ? codes[colour] : "";
}

const char *cli_word(const struct cli *cli, const char *english, const char *chinese)
{
    return cli->chinese ? chinese : english;
}

enum cli_exit cli_fail(const struct cli *cli, enum cli_exit code, const char *next, const char *what, ...)
{
    va_list arguments;
    va_start(arguments, what);
    (void)fprintf(cli->err, "coloan: ");
    (void)vfprintf(cli->err, what, arguments);
    (void)fprintf(cli->err, "\n");
    va_end(arguments);
    if (next != NULL) {
        (void)fprintf(cli->err, "  next: %s\n", next);
    }
    return code;
}

static const char *what_next(const struct cli *cli, struct cl_status status, const struct cl_answer *answer)
{
    enum cl_grpc_code code = cl_reason_info(status.reason)->grpc_code;
    bool refused = answer != NULL && answer->refused;
    bool answered = answer != NULL && !refused && answer->attempt_count > 0 && code != CL_GRPC_UNAVAILABLE &&
                    code != CL_GRPC_DEADLINE_EXCEEDED && code != CL_GRPC_CANCELLED;
    if (status.reason == CL_KEY_UNKNOWN || status.reason == CL_KEY_NOT_VALID) {
        return cli_word(cli, "`coloan keys fetch` gets the newest key directory; then try again",
                        "用 `coloan keys fetch` 获取最新密钥目录后重试");
    }
    if (status.reason == CL_PEER_UNREACHABLE) {
        return cli_word(cli,
                        "check the profile's target, ca, certificate and key, and that the centre runs; then try again",
                        "检查配置中的 target、ca、certificate、key 以及中心是否在运行，然后重试");
    }
    if (answered) {
        return cli_word(
            cli,
            "the centre's answer does not hold and is not believed; what it did is unknown: look with `coloan list`",
            "中心的应答未通过校验，不予采信；处理结果未知，请用 `coloan list` 查询");
    }
    switch (cl_reason_info(status.reason)->retry) {
    case CL_RETRY_DELAY:
        return cli_word(cli, "try again in a moment", "稍后重试");
    case CL_RETRY_FIX:
        return answer != NULL && answer->field[0] != '\0'
                   ? cli_word(cli, "mend that field and send again", "更正该字段后重发")
                   : cli_word(cli, "mend it and send again", "更正后重发");
    case CL_RETRY_NEVER:
        break;
    }
    return cli_word(cli, "trying again will not help", "重试无效");
}

enum cli_exit cli_refused(const struct cli *cli, struct cl_status status, const struct cl_answer *answer)
{
    const struct cl_reason_info *reason = cl_reason_info(status.reason);
    bool refused = answer != NULL && answer->refused;
    const char *field = refused ? answer->field : "";
    bool named = field[0] != '\0';
    bool again = !refused && (reason->grpc_code == CL_GRPC_UNAVAILABLE ||
                              reason->grpc_code == CL_GRPC_DEADLINE_EXCEEDED || reason->reason == CL_CALL_CANCELLED);
    (void)fprintf(cli->err, "coloan: %s%s%s: %s%s%s%s\n", cli_colour(cli, CLI_RED), reason->name,
                  cli_colour(cli, CLI_PLAIN), cli->chinese ? reason->text_zh : reason->text_en, named ? " (" : "",
                  field, named ? ")" : "");
    if (refused) {
        (void)fprintf(
            cli->err, "  %s\n",
            answer->refusal_signed
                ? cli_word(cli, "the centre signed this refusal; nothing was done", "中心已签署此拒绝，未作处理")
                : cli_word(cli, "the centre refused; nothing was done", "中心拒绝，未作处理"));
    }
    (void)fprintf(cli->err, "  next: %s\n", what_next(cli, status, answer));
    return again ? CLI_UNREACHABLE : CLI_FAILED;
}

enum cli_exit cli_print_json(const struct cli *cli, const ProtobufCMessage *message)
{
    const char *text = NULL;
    struct cl_status status =
        cl_json_print(&text, cli->arena, message, cli->options.json ? CL_JSON_COMPACT : CL_JSON_INDENTED);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_FAILED, NULL, "the message cannot be printed: %s",
                        cl_reason_info(status.reason)->text_en);
    }
    (void)fprintf(cli->out, "%s\n", text);
    return CLI_DONE;
}

/* -- Talking to the centre ------------------------------------------------------------------------------------ */

enum cli_exit cli_load_profile(struct cli *cli)
{
    struct cl_setting_error error = {""};
    const char *path = cli->options.profile != NULL ? cli->options.profile : getenv("COLOAN_PROFILE");
    if (path == NULL) {
        return cli_fail(cli, CLI_USAGE, "add --profile FILE, or set COLOAN_PROFILE; `--help` lists its fields",
                        "no profile: who are we, and whom do we talk to?");
    }
    if (cl_failed(client_profile_load(&cli->profile, path, &error))) {
        return cli_fail(cli, CLI_USAGE, "`coloan ping --help` lists a profile's fields", "%s", error.text);
    }
    return CLI_DONE;
}

enum cli_exit cli_connect(struct cli *cli)
{
    enum cli_exit loaded = cli_load_profile(cli);
    if (loaded != CLI_DONE) {
        return loaded;
    }
    struct cl_status status = client_profile_connect(&cli->session, &cli->profile);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_USAGE, "check the profile's ca, certificate and key: they are PEM files",
                        "the certificates cannot be used: %s", cl_status_name(status));
    }
    return CLI_DONE;
}

struct cl_patience cli_patience(const struct cli *cli)
{
    int64_t total_ms = cli->options.timeout_ms > 0 ? cli->options.timeout_ms : CL_DEADLINE_MS_DEFAULT;
    return (struct cl_patience){.attempt_ms = total_ms < CL_DEADLINE_MS_DEFAULT ? total_ms : CL_DEADLINE_MS_DEFAULT,
                                .total_ms = total_ms};
}

enum cli_exit cli_query_application(const Coloan__V1__ApplicationView **out, struct cli *cli,
                                    Coloan__V1__ApplicationQuery *query)
{
    struct cl_answer answer;
    query->application_id = cl_arena_text(cli->arena, cli->arguments[0]);
    if (query->application_id == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    struct cl_status status = cl_session_call(&answer, cli->session, cli->arena,
                                              &(struct cl_session_call){
                                                  .method = "coloan.v1.JointApproval/GetApplication",
                                                  .body = &query->base,
                                                  .reply_type = &coloan__v1__application_view__descriptor,
                                              },
                                              cli_patience(cli));
    if (cl_failed(status)) {
        return cli_refused(cli, status, &answer);
    }
    *out = (const Coloan__V1__ApplicationView *)(const void *)answer.body;
    if ((*out)->status == NULL) {
        return cli_refused(cli, cl_fail(CL_PEER_ANSWER_INVALID), NULL);
    }
    return CLI_DONE;
}

enum cli_exit cli_get_application(const Coloan__V1__ApplicationView **out, struct cli *cli, bool with_items,
                                  bool with_trace)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.with_items = with_items;
    query.with_trace = with_trace;
    return cli_query_application(out, cli, &query);
}

enum cli_exit cli_read_file(struct cl_bytes *out, const struct cli *cli, const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct cl_status status = client_file_read(&bytes, &len, path);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_USAGE, "check the path and who may read it", "%s cannot be read: %s", path,
                        strerror(errno));
    }
    const uint8_t *copy = cl_arena_copy(cli->arena, cl_bytes(bytes, len));
    explicit_bzero(bytes, len);
    free(bytes);
    if (copy == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    *out = cl_bytes(copy, len);
    return CLI_DONE;
}
