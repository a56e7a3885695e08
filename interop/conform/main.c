/* coloan-conform: proves, on a partner's own machine, that an implementation does what the specification says. */
#include <getopt.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interop/conform/report.h"
#include "interop/conform/select.h"
#include "interop/conform/vectors.h"
#include "libcoloan/clock.h"

enum { ARENA_BYTES = 16 * 1024 * 1024, PATH_BYTES = 4096, ANSWER_MS_DEFAULT = 5000, PROGRESS_EVERY_MS = 100 };

struct options {
    const char *cases, *vectors, *testee, *reports;
    int64_t answer_ms;
    struct conform_selection selection;
    bool list, json, zh, help, version;
};

static const char HELP[] =
    "coloan-conform - does an implementation of the coloan specification what it says?\n"
    "\n"
    "usage: coloan-conform vectors --testee COMMAND [options]   put the golden vectors to a testee\n"
    "       coloan-conform list [options]                       the cases there are\n"
    "       coloan-conform coverage [options]                   which requirements have a case\n"
    "\n"
    "A testee is any program that answers questions on its standard input by messages on its standard output; the\n"
    "folder of the cases holds the contract (testee.proto) and a README. What it does not know it says; one that "
    "knows\n"
    "nothing of this ends with status 89.\n"
    "\n"
    "options:\n"
    "  --testee COMMAND         how the testee is started, for the shell\n"
    "  --profile NAME           only the cases of this profile; may be repeated\n"
    "  --rerun ID               only this case; may be repeated\n"
    "  --known-to-fail ID       its failure is XFAIL, its pass XPASS, which is a failure; may be repeated\n"
    "  --list                   tell which cases would be run, and run none\n"
    "  --report FOLDER          write report.json, report.xml (JUnit), report.md and report.html there\n"
    "  --json                   the report as JSON on standard output, and nothing else there\n"
    "  --answer-ms N            how long an answer may take (5000)\n"
    "  --cases FOLDER           the cases, when they are not where they were installed\n"
    "  --vectors FOLDER         the golden vectors, the same\n"
    "  --lang en|zh             language of texts; the locale's when not given\n"
    "  --help, --version\n"
    "\n"
    "examples:\n"
    "  coloan-conform vectors --testee 'java -jar bank-testee.jar' --report reports\n"
    "  coloan-conform vectors --testee ./testee --rerun VEC-ENV-008\n"
    "  coloan-conform list --profile security --lang zh\n"
    "\n"
    "exit status: 0 everything passed that is there, 1 something failed, 2 wrong usage, 3 nothing can be said before\n"
    "something is set right (CONFIG_ERROR), 4 the suite itself failed (HARNESS_ERROR)\n";

/* -- The command line ----------------------------------------------------------------------------------------- */

static bool add(const char **list, size_t *count, const char *text)
{
    if (*count == CONFORM_SELECTED_MAX) {
        return false;
    }
    list[(*count)++] = text;
    return true;
}

static bool take_number(int64_t *out, const char *text)
{
    enum { MOST_MS = 600 * 1000 };
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    *out = number;
    return end != text && *end == '\0' && number > 0 && number <= MOST_MS;
}

static bool take_language(bool *zh_out, const char *text)
{
    *zh_out = strcmp(text, "zh") == 0;
    return *zh_out || strcmp(text, "en") == 0;
}

static bool take_option(struct options *out, int found, const char *text)
{
    struct conform_selection *selection = &out->selection;
    switch (found) {
    case 't':
        out->testee = text;
        return true;
    case 'p':
        return add(selection->profiles, &selection->profile_count, text);
    case 'r':
        return add(selection->ids, &selection->id_count, text);
    case 'k':
        return add(selection->failing, &selection->failing_count, text);
    case 'l':
        out->list = true;
        return true;
    case 'o':
        out->reports = text;
        return true;
    case 'j':
        out->json = true;
        return true;
    case 'a':
        return take_number(&out->answer_ms, text);
    case 'c':
        out->cases = text;
        return true;
    case 'v':
        out->vectors = text;
        return true;
    case 'L':
        return take_language(&out->zh, text);
    case 'h':
        out->help = true;
        return true;
    case 'V':
        out->version = true;
        return true;
    default:
        return false;
    }
}

static bool read_options(struct options *out, int argc, char **argv)
{
    static const struct option known[] = {
        {"testee", required_argument, NULL, 't'}, {"profile", required_argument, NULL, 'p'},
        {"rerun", required_argument, NULL, 'r'},  {"known-to-fail", required_argument, NULL, 'k'},
        {"list", no_argument, NULL, 'l'},         {"report", required_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},         {"answer-ms", required_argument, NULL, 'a'},
        {"cases", required_argument, NULL, 'c'},  {"vectors", required_argument, NULL, 'v'},
        {"lang", required_argument, NULL, 'L'},   {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0}};
    for (int found = 0; (found = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (!take_option(out, found, optarg)) {
            return false;
        }
    }
    return true;
}

/* The folder beside the installed program's data, or in the tree that it was built from. */
static const char *folder_of(const char *installed, const char *source)
{
    struct stat info;
    return stat(installed, &info) == 0 ? installed : source;
}

static bool speaks_chinese(void)
{
    const char *locale = setlocale(LC_MESSAGES, "");
    return locale != NULL && strncmp(locale, "zh", 2) == 0;
}

/* -- What is loaded ------------------------------------------------------------------------------------------- */

struct program {
    struct options options;
    struct conform_suite *suite;
    struct conform_requirements *requirements;
};

static enum conform_exit complain(const char *what, const char *next)
{
    (void)fprintf(stderr, "coloan-conform: %s\n  next: %s\n", what, next);
    return CONFORM_EXIT_USAGE;
}

/* A requirement that a case names and the specification does not have. */
static const char *unknown_requirement(const struct program *program)
{
    for (size_t i = 0; i < conform_suite_count(program->suite); i++) {
        const struct conform_case *one = conform_suite_case(program->suite, i);
        for (size_t j = 0; j < one->requirement_count; j++) {
            if (conform_requirements_find(program->requirements, one->requirements[j]) == NULL) {
                return one->requirements[j];
            }
        }
    }
    return NULL;
}

static enum conform_exit load(struct program *program)
{
    struct cl_setting_error error = {""};
    program->requirements = conform_requirements_create();
    struct cl_status status = program->requirements == NULL
                                  ? cl_fail(CL_MEMORY_LIMIT)
                                  : conform_suite_load(&program->suite, program->options.cases, &error);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "coloan-conform: %s\n", error.text[0] == '\0' ? cl_status_name(status) : error.text);
        return CONFORM_EXIT_CONFIG;
    }
    const char *unknown = unknown_requirement(program);
    if (unknown != NULL) {
        (void)fprintf(stderr, "coloan-conform: a case names %s, which the specification does not have\n", unknown);
        return CONFORM_EXIT_CONFIG;
    }
    unknown = conform_selection_unknown(&program->options.selection, program->suite);
    if (unknown != NULL) {
        (void)fprintf(stderr, "coloan-conform: there is no case or profile '%s'\n", unknown);
        return complain("nothing was run", "`coloan-conform list` tells what there is");
    }
    return CONFORM_EXIT_PASSED;
}

/* -- list, coverage ------------------------------------------------------------------------------------------- */

static enum conform_exit list_cases(const struct program *program)
{
    for (size_t i = 0; i < conform_suite_count(program->suite); i++) {
        const struct conform_case *one = conform_suite_case(program->suite, i);
        if (conform_selects(&program->options.selection, one)) {
            (void)printf("%-12s %-12s %-6s %s\n", one->id, one->profile, one->level == CONFORM_MUST ? "MUST" : "SHOULD",
                         program->options.zh ? one->title.zh : one->title.en);
        }
    }
    return CONFORM_EXIT_PASSED;
}

static size_t cases_for(const struct program *program, const char *requirement)
{
    size_t count = 0;
    for (size_t i = 0; i < conform_suite_count(program->suite); i++) {
        const struct conform_case *one = conform_suite_case(program->suite, i);
        for (size_t j = 0; j < one->requirement_count; j++) {
            count += strcmp(one->requirements[j], requirement) == 0 ? 1 : 0;
        }
    }
    return count;
}

static enum conform_exit tell_coverage(const struct program *program)
{
    size_t musts = 0;
    size_t covered = 0;
    for (size_t i = 0; i < conform_requirements_count(program->requirements); i++) {
        const struct conform_requirement *one = conform_requirements_at(program->requirements, i);
        size_t cases = cases_for(program, one->id);
        musts += one->must ? 1 : 0;
        covered += one->must && cases > 0 ? 1 : 0;
        (void)printf("%-12s %-4s %zu\n", one->id, one->must ? "MUST" : "", cases);
    }
    (void)printf("%zu of %zu requirements with MUST have a case\n", covered, musts);
    return covered == musts ? CONFORM_EXIT_PASSED : CONFORM_EXIT_FAILED;
}

/* -- vectors -------------------------------------------------------------------------------------------------- */

/* On a terminal, over itself; silent elsewhere. */
static void show_progress(size_t done, size_t count, int64_t *told_ms)
{
    enum { WIDTH = 40 };
    char bar[WIDTH + 1];
    int64_t now_ms = cl_clock_monotonic_ms(cl_clock_system());
    if (isatty(STDERR_FILENO) != 1 || (done < count && now_ms - *told_ms < PROGRESS_EVERY_MS)) {
        return;
    }
    *told_ms = now_ms;
    size_t filled = count == 0 ? 0 : done * WIDTH / count;
    memset(bar, '#', filled);
    memset(bar + filled, '.', WIDTH - filled);
    bar[WIDTH] = '\0';
    (void)fprintf(stderr, done < count ? "\r%s %zu/%zu" : "\r\033[K", bar, done, count);
}

/* The results of what is selected, in order; none was run yet. Returns how many. */
static size_t prepare(const struct program *program, struct conform_result *results)
{
    size_t count = 0;
    for (size_t i = 0; i < conform_suite_count(program->suite); i++) {
        const struct conform_case *one = conform_suite_case(program->suite, i);
        if (conform_selects(&program->options.selection, one)) {
            results[count++] =
                (struct conform_result){.one = one, .outcome = CONFORM_NOT_RUN, .part = "", .differs_at = -1};
        }
    }
    return count;
}

/* Without a testee nothing more can be said: what is left stays NOT_RUN. */
static void run_vectors(const struct program *program, struct conform_vectors *vectors, struct conform_testee *testee,
                        struct cl_arena *arena, struct conform_result *results, size_t count)
{
    int64_t told_ms = 0;
    for (size_t i = 0; i < count && (i == 0 || results[i - 1].outcome != CONFORM_CONFIG_ERROR); i++) {
        conform_vectors_run(&results[i], vectors, results[i].one, testee, arena);
        conform_selection_judge(&program->options.selection, &results[i]);
        show_progress(i + 1, count, &told_ms);
    }
}

static bool wants_telling(const struct conform_result *result)
{
    return result->outcome != CONFORM_PASS && result->outcome != CONFORM_NOT_RUN &&
           result->outcome != CONFORM_UNSUPPORTED && result->outcome != CONFORM_XFAIL;
}

static void tell(const struct program *program, const struct conform_report *report)
{
    bool colours = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
    for (size_t i = 0; i < report->run->count; i++) {
        if (wants_telling(&report->run->results[i])) {
            conform_tell_result(stdout, report, &report->run->results[i], program->options.zh, colours);
        }
    }
    conform_tell_tally(stdout, report->run, program->options.zh, colours);
}

static bool write_report(const char *folder, const char *name, const struct conform_report *report,
                         bool (*write)(FILE *out, const struct conform_report *report))
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        return false;
    }
    bool written = write(file, report);
    bool closed = fclose(file) == 0;
    if (!written || !closed) {
        perror(path);
    }
    return written && closed;
}

static bool write_reports(const char *folder, const struct conform_report *report)
{
    (void)mkdir(folder, 0777);
    return write_report(folder, "report.json", report, conform_report_json) &&
           write_report(folder, "report.xml", report, conform_report_junit) &&
           write_report(folder, "report.md", report, conform_report_markdown) &&
           write_report(folder, "report.html", report, conform_report_html);
}

static enum conform_exit tell_everywhere(const struct program *program, const struct conform_run *run)
{
    size_t counts[CONFORM_OUTCOMES];
    struct conform_report report = {.run = run, .requirements = program->requirements, .version = COLOAN_VERSION};
    bool told = true;
    if (program->options.json) {
        told = conform_report_json(stdout, &report);
    } else {
        tell(program, &report);
    }
    if (program->options.reports != NULL) {
        told = write_reports(program->options.reports, &report) && told;
    }
    conform_run_count(counts, run);
    return told ? conform_exit_of(counts) : CONFORM_EXIT_HARNESS;
}

static enum conform_exit judge_vectors(const struct program *program, struct conform_vectors *vectors)
{
    const struct options *options = &program->options;
    struct conform_result *results = calloc(conform_suite_count(program->suite), sizeof *results);
    struct conform_testee *testee = conform_testee_create(options->testee, options->answer_ms);
    struct cl_arena *arena = NULL;
    enum conform_exit code = CONFORM_EXIT_HARNESS;
    if (results != NULL && testee != NULL && cl_is_ok(cl_arena_create(&arena, ARENA_BYTES))) {
        struct conform_run run = {.mode = "vectors",
                                  .testee = options->testee,
                                  .began_ms = cl_clock_unix_ms(cl_clock_system()),
                                  .results = results,
                                  .count = prepare(program, results)};
        int64_t began_ms = cl_clock_monotonic_ms(cl_clock_system());
        run_vectors(program, vectors, testee, arena, results, run.count);
        run.took_ms = cl_clock_monotonic_ms(cl_clock_system()) - began_ms;
        code = tell_everywhere(program, &run);
    }
    cl_arena_free(arena);
    conform_testee_free(testee);
    free(results);
    return code;
}

static enum conform_exit put_vectors(const struct program *program)
{
    struct conform_vectors *vectors = NULL;
    struct cl_setting_error error = {""};
    if (program->options.testee == NULL) {
        return complain("vectors needs --testee COMMAND", "`coloan-conform --help` has examples");
    }
    struct cl_status status = conform_vectors_load(&vectors, program->options.vectors, program->suite, &error);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "coloan-conform: %s\n", error.text[0] == '\0' ? cl_status_name(status) : error.text);
        return CONFORM_EXIT_CONFIG;
    }
    enum conform_exit code = judge_vectors(program, vectors);
    conform_vectors_free(vectors);
    return code;
}

/* -- All of it ------------------------------------------------------------------------------------------------ */

typedef enum conform_exit command(const struct program *program);

static command *command_of(const char *name, bool list)
{
    if (strcmp(name, "list") == 0 || (list && strcmp(name, "vectors") == 0)) {
        return list_cases;
    }
    if (strcmp(name, "coverage") == 0) {
        return tell_coverage;
    }
    return strcmp(name, "vectors") == 0 ? put_vectors : NULL;
}

int main(int argc, char **argv)
{
    struct program program = {.options = {.answer_ms = ANSWER_MS_DEFAULT, .zh = speaks_chinese()}};
    struct options *options = &program.options;
    options->cases = folder_of(COLOAN_CONFORM_DATA "/cases", COLOAN_SOURCE_DIR "/interop/conform/cases");
    options->vectors = folder_of(COLOAN_CONFORM_DATA "/vectors", COLOAN_SOURCE_DIR "/interop/vectors");
    if (!read_options(options, argc, argv)) {
        return (int)complain("an option is wrong", "`coloan-conform --help` lists them");
    }
    if (options->help || options->version) {
        (void)fputs(options->help ? HELP : "coloan-conform " COLOAN_VERSION "\n", stdout);
        return CONFORM_EXIT_PASSED;
    }
    command *run = optind + 1 == argc ? command_of(argv[optind], options->list) : NULL;
    if (run == NULL) {
        return (int)complain("one of vectors, list and coverage is needed", "`coloan-conform --help` has examples");
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a testee that ended is told as such */
    enum conform_exit code = load(&program);
    if (code == CONFORM_EXIT_PASSED) {
        code = run(&program);
    }
    conform_suite_free(program.suite);
    conform_requirements_free(program.requirements);
    return (int)code;
}
