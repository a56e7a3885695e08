/* cli.h - the frame of the command line: its commands, its options, and how it speaks to people and machines.
 *
 * One thread. Every command gets a struct cli, which owns the arena, the profile and the session it lives on. Fails: a
 * command returns its exit status, having said on `err` what went wrong and what to do. */
#ifndef COLOAN_CLIENT_CLI_H
#define COLOAN_CLIENT_CLI_H

#include <coloan/v1/application.pb-c.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/profile.h"
#include "libcoloan/arena.h"
#include "libcoloan/session.h"

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,      /* refused, or does not verify */
    CLI_USAGE = 2,       /* wrong command line, profile or file */
    CLI_UNREACHABLE = 3, /* no answer: the same command may be tried again */
};

/* Two views, four applications deep, and their printed forms. */
#define CLI_ARENA_BYTES_MAX (64 * 1024 * 1024)

struct cli_options {
    const char *profile, *lang, *party, *since, *environment, *centre, *directory_key, *directory, *out, *keep, *state,
        *reference, *leg, *account, *until, *key, *rules, *against, *records, *kind, *note, *document, *failure,
        *reason, *bank;
    bool json, personal, mine, unclaimed, custody, pending;
    int64_t number, valid_days, overlap_days, timeout_ms, every_ms, count, amount_fen, balance_fen, rate_ppm,
        term_months, person, after;
};

struct cli {
    FILE *out, *err;
    bool colours;
    bool chinese;
    struct cli_options options;
    char *const *arguments;
    int argument_count;
    struct cl_arena *arena;
    struct client_profile profile;
    struct cl_session *session; /* NULL until cli_connect */
};

struct cli_command {
    const char *name, *arguments, *summary;
    const char *help;    /* what it does, and examples */
    const char *options; /* names of its options, between blanks */
    int arguments_min, arguments_max;
    enum cli_exit (*run)(struct cli *cli);
};

/* All commands, ended by a row without a name. */
extern const struct cli_command cli_commands[];

/* The whole program but for main: parses, runs, frees. */
enum cli_exit cli_main(int argc, char **argv, FILE *out, FILE *err);

/* -- Speaking ------------------------------------------------------------------------------------------------- */

enum cli_colour { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_GREEN, CLI_RED, CLI_YELLOW };
const char *cli_colour(const struct cli *cli, enum cli_colour colour);

/* The English or Chinese text, as --lang says. */
const char *cli_word(const struct cli *cli, const char *english, const char *chinese);

/* "coloan: what" and, below it, what to do next (NULL: nothing); returns `code`. */
enum cli_exit cli_fail(const struct cli *cli, enum cli_exit code, const char *next, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/* Says why a call failed and what to do about it. `answer` may be NULL. */
enum cli_exit cli_refused(const struct cli *cli, struct cl_status status, const struct cl_answer *answer);

/* A message as JSON, one line or indented. */
enum cli_exit cli_print_json(const struct cli *cli, const ProtobufCMessage *message);

/* -- Talking to the centre ------------------------------------------------------------------------------------ */

/* Loads the profile; the exit status says whether it worked. */
enum cli_exit cli_load_profile(struct cli *cli);

/* Loads the profile and opens the session. */
enum cli_exit cli_connect(struct cli *cli);

struct cl_patience cli_patience(const struct cli *cli);

/* GetApplication of the first argument. */
enum cli_exit cli_get_application(const Coloan__V1__ApplicationView **out, struct cli *cli, bool with_items,
                                  bool with_trace);

/* The keyring to judge by: the profile's, or that of --directory, --directory-key, --centre and --environment. */
enum cli_exit cli_load_keyring(struct cl_keyring **out, struct cli *cli);

/* The same with whatever `query` wants besides the application, which is filled in. */
enum cli_exit cli_query_application(const Coloan__V1__ApplicationView **out, struct cli *cli,
                                    Coloan__V1__ApplicationQuery *query);

/* The bytes of a file or of standard input ("-"), in the arena. */
enum cli_exit cli_read_file(struct cl_bytes *out, const struct cli *cli, const char *path);

/* -- Commands, each in its own file --------------------------------------------------------------------------- */

enum cli_exit cmd_submit(struct cli *cli);
enum cli_exit cmd_supplement(struct cli *cli);
enum cli_exit cmd_change_bank(struct cli *cli);
enum cli_exit cmd_confirm(struct cli *cli);
enum cli_exit cmd_choose_rules(struct cli *cli);
enum cli_exit cmd_withdraw(struct cli *cli);
enum cli_exit cmd_upload(struct cli *cli);
enum cli_exit cmd_show(struct cli *cli);
enum cli_exit cmd_timeline(struct cli *cli);
enum cli_exit cmd_list(struct cli *cli);
enum cli_exit cmd_watch(struct cli *cli);
enum cli_exit cmd_events(struct cli *cli);
enum cli_exit cmd_decide(struct cli *cli);
enum cli_exit cmd_milestone(struct cli *cli);
enum cli_exit cmd_explain(struct cli *cli);
enum cli_exit cmd_replay(struct cli *cli);
enum cli_exit cmd_rules(struct cli *cli);
enum cli_exit cmd_tasks(struct cli *cli);
enum cli_exit cmd_task(struct cli *cli);
enum cli_exit cmd_claim(struct cli *cli);
enum cli_exit cmd_release(struct cli *cli);
enum cli_exit cmd_settle(struct cli *cli);
enum cli_exit cmd_override(struct cli *cli);
enum cli_exit cmd_decision(struct cli *cli);
enum cli_exit cmd_counters(struct cli *cli);
enum cli_exit cmd_verify(struct cli *cli);
enum cli_exit cmd_keys(struct cli *cli);
enum cli_exit cmd_ping(struct cli *cli);
enum cli_exit cmd_decode(struct cli *cli);

#endif
