/* coloan-personas - writes what a test persona, or the n-th generated household, hands in. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "sandbox/people.h"
#include "sandbox/submission.h"

#define REF_BYTES_MAX 48 /* leaves room for what is appended to make consent ids */

static const char help[] =
    "usage: coloan-personas --personas FILE COMMAND [options]\n"
    "\n"
    "  list                         ids and titles\n"
    "  show P01                     all that is known of a persona\n"
    "  expect P01                   what must come of its application\n"
    "  application P01|N            its application, or that of generated household N, with the personal values beside "
    "it\n"
    "  change P01|N                 its change to another bank, --bank, with the consents that one needs\n"
    "  bank P01|N                   what its bank reports (coloan.v1.VerificationReport)\n"
    "\n"
    "  --personas FILE  e.g. sandbox/personas.yaml\n"
    "  --bank PARTY     the lending bank; bank:cn-alpha-js\n"
    "  --fund PARTY     the centre; fund:cn-nj-prov\n"
    "  --ref TEXT       the sender's number of the application or change, 1..48 bytes, another one each time; made "
    "from persona "
    "and time\n"
    "  --now-ms N       the time to count from, in Unix ms; the clock's\n"
    "\n"
    "examples:\n"
    "  coloan-personas --personas sandbox/personas.yaml application P01 --bank bank:cn-alpha-js > p01.json\n"
    "  coloan-personas --personas sandbox/personas.yaml change P01 --bank bank:cn-beta-js > to-beta.json\n"
    "  coloan-personas --personas sandbox/personas.yaml bank 4711 > income-4711.json\n";

struct arguments {
    const char *personas, *command, *who, *bank, *fund, *ref;
    int64_t now_ms;
};

static int complain(const char *what)
{
    (void)fprintf(stderr, "coloan-personas: %s; see --help\n", what);
    return 2;
}

static bool read_number(uint64_t *out, const char *text, uint64_t max)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number > max) {
        return false;
    }
    *out = number;
    return true;
}

/* Returns the exit code to leave with, or -1 to go on. */
static int read_options(struct arguments *out, int argc, char **argv)
{
    static const struct option options[] = {
        {"personas", required_argument, NULL, 'f'},
        {"bank", required_argument, NULL, 'b'},
        {"fund", required_argument, NULL, 'c'},
        {"ref", required_argument, NULL, 'r'},
        {"now-ms", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    uint64_t number = 0;
    for (int option = getopt_long(argc, argv, "", options, NULL); option != -1;
         option = getopt_long(argc, argv, "", options, NULL)) {
        switch (option) {
        case 'h':
            (void)fputs(help, stdout);
            return 0;
        case 'f':
            out->personas = optarg;
            break;
        case 'b':
            out->bank = optarg;
            break;
        case 'c':
            out->fund = optarg;
            break;
        case 'r':
            out->ref = optarg;
            break;
        case 'n':
            if (!read_number(&number, optarg, INT64_MAX / 2)) {
                return complain("--now-ms: expected a number");
            }
            out->now_ms = (int64_t)number;
            break;
        default:
            return 2;
        }
    }
    return -1;
}

static int read_arguments(struct arguments *out, int argc, char **argv)
{
    int code = read_options(out, argc, argv);
    if (code >= 0) {
        return code;
    }
    out->command = optind < argc ? argv[optind] : NULL;
    out->who = optind + 1 < argc ? argv[optind + 1] : NULL;
    if (out->personas == NULL || out->command == NULL || argc > optind + 2) {
        return complain("--personas FILE and a command are needed");
    }
    bool ref_wrong = out->ref != NULL && (out->ref[0] == '\0' || strlen(out->ref) > REF_BYTES_MAX);
    return ref_wrong ? complain("--ref: 1 to 48 bytes") : -1;
}

static int print(json_t *json)
{
    int written = json == NULL ? -1 : json_dumpf(json, stdout, JSON_INDENT(2));
    json_decref(json);
    return written == 0 && fputc('\n', stdout) != EOF && fflush(stdout) == 0 ? 0 : 1;
}

static int list(const struct people *people)
{
    for (size_t i = 0; people_at(people, i) != NULL; i++) {
        const json_t *persona = people_at(people, i);
        (void)printf("%-5s %s\n", json_string_value(json_object_get(persona, "id")),
                     json_string_value(json_object_get(persona, "title")));
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

typedef json_t *make_submission(const json_t *persona, const struct submission_options *options);

static int print_made(const json_t *persona, const struct arguments *arguments, make_submission *make)
{
    char ref[REF_BYTES_MAX + 1];
    (void)snprintf(ref, sizeof ref, "%s-%" PRId64 "-%d", arguments->who, arguments->now_ms, (int)getpid());
    const struct submission_options options = {
        .bank = arguments->bank,
        .fund = arguments->fund,
        .external_ref = arguments->ref != NULL ? arguments->ref : ref,
        .now_ms = arguments->now_ms,
    };
    return print(make(persona, &options));
}

static int obey(json_t *persona, const struct arguments *arguments)
{
    if (strcmp(arguments->command, "show") == 0) {
        return print(json_incref(persona));
    }
    if (strcmp(arguments->command, "expect") == 0) {
        json_t *expect = json_object_get(persona, "expect");
        return expect == NULL ? complain("nothing is expected of a generated household") : print(json_incref(expect));
    }
    if (strcmp(arguments->command, "application") == 0) {
        return print_made(persona, arguments, submission_make_application);
    }
    if (strcmp(arguments->command, "change") == 0) {
        return print_made(persona, arguments, submission_make_change);
    }
    if (strcmp(arguments->command, "bank") == 0) {
        return print(submission_make_bank_report(persona, arguments->now_ms));
    }
    return complain("the command is list, show, expect, application, change or bank");
}

static int run(const struct people *people, const struct arguments *arguments)
{
    uint64_t number = 0;
    if (strcmp(arguments->command, "list") == 0) {
        return list(people);
    }
    if (arguments->who == NULL) {
        return complain("whose? A persona's id, or the number of a generated household");
    }
    json_t *persona = people_find(people, arguments->who);
    if (persona != NULL) {
        return obey(persona, arguments);
    }
    if (!read_number(&number, arguments->who, PEOPLE_GENERATED_MAX - 1)) {
        return complain("no such persona");
    }
    persona = people_make_generated(number);
    int code = persona == NULL ? 1 : obey(persona, arguments);
    json_decref(persona);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .bank = "bank:cn-alpha-js", .fund = "fund:cn-nj-prov", .now_ms = cl_clock_unix_ms(cl_clock_system())};
    struct people *people = NULL;
    struct sandbox_problem problem;
    int code = read_arguments(&arguments, argc, argv);
    if (code >= 0) {
        return code;
    }
    if (cl_failed(people_load(&people, arguments.personas, &problem))) {
        (void)fprintf(stderr, "coloan-personas: %s\n", problem.text);
        return 2;
    }
    code = run(people, &arguments);
    people_free(people);
    return code;
}
