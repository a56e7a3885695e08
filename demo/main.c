/* coloan-walk: every persona through a running centre, compared with what its file expects; or a load of generated
 * households at a steady rate, timed from submission to the joint decision in the bank's hands. */
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/profile.h"
#include "demo/walk.h"
#include "sandbox/people.h"

enum {
    BANKS_MAX = 4,
    WALKERS_MAX = 100000,
    SUBMITTERS = 8,      /* threads of a load: enough to keep the rate while each waits for a commit */
    WAIT_MS_MAX = 60000, /* for the last decision */
    LOOK_EVERY_MS = 20,
    EXIT_DIFFERS = 1,
    EXIT_USAGE = 2,
};

struct options {
    const char *profiles[BANKS_MAX], *logs[BANKS_MAX], *personas, *keep;
    size_t bank_count, log_count;
    int64_t load, rate, first;
    bool json;
};

struct walk {
    struct options options;
    struct people *people;
    struct client_profile profiles[BANKS_MAX];
    struct cl_session *sessions[BANKS_MAX];
    struct banklog *log;
    struct walker *walkers;
    size_t walker_count;
    char run[16]; /* makes references of this run unlike those of another */
};

static void help(FILE *out)
{
    (void)fprintf(
        out, "usage: coloan-walk --personas FILE --bank PROFILE --bank-log FILE [...]\n\n"
             "Walks every persona through a running centre, the banks in turn, prints what came out, and fails if\n"
             "one outcome differs from what the file expects. The banks' cores run beside it, with --log.\n\n"
             "  --personas FILE  e.g. sandbox/personas.yaml\n"
             "  --bank PROFILE   a bank's profile, as for coloan; up to 4 times\n"
             "  --bank-log FILE  what its coloan-bank writes with --log; as often\n"
             "  --keep FILE      the first joint approval, as a file for `coloan verify`\n"
             "  --load N         instead: N generated households\n"
             "  --rate N         of them each second (100)\n"
             "  --first N        the first household (0); another one for each load on the same database\n"
             "  --json           the result as one JSON object\n\n"
             "example:\n"
             "  coloan-walk --personas sandbox/personas.yaml --bank alpha.yaml --bank-log alpha.log\n\n"
             "exit status: 0 all as expected; 1 something differs or failed; 2 wrong usage\n");
}

static bool read_options(struct options *out, int argc, char **argv)
{
    static const struct option names[] = {
        {"personas", required_argument, NULL, 'p'}, {"bank", required_argument, NULL, 'b'},
        {"bank-log", required_argument, NULL, 'l'}, {"keep", required_argument, NULL, 'k'},
        {"load", required_argument, NULL, 'n'},     {"rate", required_argument, NULL, 'r'},
        {"first", required_argument, NULL, 'f'},    {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    *out = (struct options){.rate = 100};
    for (int found = 0; (found = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (found) {
        case 'p':
            out->personas = optarg;
            break;
        case 'b':
            if (out->bank_count == BANKS_MAX) {
                return false;
            }
            out->profiles[out->bank_count++] = optarg;
            break;
        case 'l':
            if (out->log_count == BANKS_MAX) {
                return false;
            }
            out->logs[out->log_count++] = optarg;
            break;
        case 'k':
            out->keep = optarg;
            break;
        case 'n':
            out->load = strtoll(optarg, NULL, 10);
            break;
        case 'r':
            out->rate = strtoll(optarg, NULL, 10);
            break;
        case 'f':
            out->first = strtoll(optarg, NULL, 10);
            break;
        case 'j':
            out->json = true;
            break;
        case 'h':
            help(stdout);
            exit(0);
        default:
            return false;
        }
    }
    return optind == argc && out->personas != NULL && out->bank_count > 0 && out->bank_count == out->log_count &&
           out->load >= 0 && out->load <= WALKERS_MAX && out->rate > 0 && out->rate <= 10000 && out->first >= 0;
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

static bool open_all(struct walk *walk)
{
    struct sandbox_problem problem;
    if (cl_failed(people_load(&walk->people, walk->options.personas, &problem))) {
        (void)fprintf(stderr, "coloan-walk: %s\n", problem.text);
        return false;
    }
    for (size_t i = 0; i < walk->options.bank_count; i++) {
        struct cl_setting_error error;
        struct cl_status status = client_profile_load(&walk->profiles[i], walk->options.profiles[i], &error);
        if (cl_is_ok(status)) {
            status = client_profile_connect(&walk->sessions[i], &walk->profiles[i]);
        }
        if (cl_failed(status)) {
            (void)fprintf(stderr, "coloan-walk: %s: %s\n", walk->options.profiles[i],
                          status.reason == CL_CONFIG_INVALID ? error.text : cl_status_name(status));
            return false;
        }
    }
    walk->log = banklog_open(walk->options.logs, walk->options.log_count);
    if (walk->log == NULL) {
        perror("coloan-walk: --bank-log");
        return false;
    }
    (void)snprintf(walk->run, sizeof walk->run, "%" PRIx64,
                   (uint64_t)cl_clock_unix_ms(cl_clock_system()) & 0xffffffffu);
    return true;
}

static void close_all(struct walk *walk)
{
    banklog_close(walk->log);
    for (size_t i = 0; i < BANKS_MAX; i++) {
        cl_session_free(walk->sessions[i]);
        client_profile_close(&walk->profiles[i]);
    }
    people_free(walk->people);
    free(walk->walkers);
}

static struct cl_session *session_of(const struct walk *walk, size_t index)
{
    return walk->sessions[index % walk->options.bank_count];
}

static void sleep_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

/* -- Waiting ------------------------------------------------------------------------------------------------- */

/* Looks at the first `count` that have not ended, oldest first, until all have or the time is up. How many are left. */
static size_t wait_for(struct walk *walk, size_t count, bool progress)
{
    int64_t until_ms = cl_clock_monotonic_ms(cl_clock_system()) + WAIT_MS_MAX;
    size_t first = 0;
    while (first < count && cl_clock_monotonic_ms(cl_clock_system()) < until_ms) {
        banklog_follow(walk->log);
        struct walker *walker = &walk->walkers[first];
        if (cl_failed(walker->submitted) || walker->ended) {
            first++;
            continue;
        }
        struct cl_status status = walk_look(walker, session_of(walk, first), walk->log);
        if (cl_failed(status)) {
            (void)fprintf(stderr, "coloan-walk: %s: %s\n", walker->reference, cl_status_name(status));
            return count - first;
        }
        if (!walker->ended) {
            sleep_ms(LOOK_EVERY_MS);
        }
        if (progress && first % 64 == 0 && isatty(STDERR_FILENO)) {
            (void)fprintf(stderr, "\r%zu of %zu decided ", first, count);
        }
    }
    if (progress && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%*s\r", 40, "");
    }
    return count - first;
}

/* -- Numbers ------------------------------------------------------------------------------------------------- */

static int compare_ms(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

struct numbers {
    size_t ended, failed, with_joint;
    int64_t p50_ms, p99_ms, max_ms;
    uint64_t items, by_machine;
};

static bool has_joint(const struct walker *walker)
{
    return walker->ended && walker->outcome != COLOAN__V1__OUTCOME__OUTCOME_SUPPLEMENT &&
           walker->outcome != COLOAN__V1__OUTCOME__OUTCOME_MANUAL;
}

/* Times are of applications that ended in a joint decision; items of all. */
static struct numbers count(const struct walk *walk)
{
    struct numbers numbers = {0};
    int64_t *times = calloc(walk->walker_count + 1, sizeof *times);
    for (size_t i = 0; i < walk->walker_count; i++) {
        const struct walker *walker = &walk->walkers[i];
        numbers.failed += cl_failed(walker->submitted) || !walker->ended ? 1 : 0;
        numbers.ended += walker->ended ? 1 : 0;
        numbers.items += walker->items_total;
        numbers.by_machine += walker->items_by_machine;
        if (has_joint(walker) && times != NULL) {
            times[numbers.with_joint++] = walker->took_ms;
        }
    }
    if (numbers.with_joint > 0) {
        qsort(times, numbers.with_joint, sizeof *times, compare_ms);
        numbers.p50_ms = times[numbers.with_joint / 2];
        numbers.p99_ms = times[numbers.with_joint * 99 / 100];
        numbers.max_ms = times[numbers.with_joint - 1];
    }
    free(times);
    return numbers;
}

static void print_numbers(const struct walk *walk, const struct numbers *numbers)
{
    uint64_t permille = numbers->items == 0 ? 0 : numbers->by_machine * 1000 / numbers->items;
    if (walk->options.json) {
        (void)printf("{\"applications\":%zu,\"failed\":%zu,\"joint\":%zu,\"p50Ms\":%" PRId64 ",\"p99Ms\":%" PRId64
                     ",\"maxMs\":%" PRId64 ",\"items\":%" PRIu64 ",\"itemsByMachine\":%" PRIu64 "}\n",
                     walk->walker_count, numbers->failed, numbers->with_joint, numbers->p50_ms, numbers->p99_ms,
                     numbers->max_ms, numbers->items, numbers->by_machine);
        return;
    }
    (void)printf("submit -> joint decision held by the bank: p50 %" PRId64 " ms, p99 %" PRId64 " ms, max %" PRId64
                 " ms, over %zu of %zu applications\n",
                 numbers->p50_ms, numbers->p99_ms, numbers->max_ms, numbers->with_joint, walk->walker_count);
    (void)printf("items settled by machine: %" PRIu64 " of %" PRIu64 " (%" PRIu64 ".%" PRIu64 " %%)\n",
                 numbers->by_machine, numbers->items, permille / 10, permille % 10);
}

/* -- Personas ------------------------------------------------------------------------------------------------ */

static const char *outcome_name(Coloan__V1__Outcome outcome)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&coloan__v1__outcome__descriptor, (int)outcome);
    return value == NULL ? "?" : value->name + strlen("OUTCOME_");
}

static bool has_reason(const struct walker *walker, const char *code)
{
    for (size_t i = 0; i < walker->reason_count; i++) {
        if (strcmp(walker->reasons[i], code) == 0) {
            return true;
        }
    }
    return false;
}

static bool number_fits(const json_t *expect, const char *key, int64_t value)
{
    const json_t *wanted = json_object_get(expect, key);
    return wanted == NULL || json_integer_value(wanted) == value;
}

static bool fits(const struct walker *walker, const json_t *expect)
{
    const char *outcome = json_string_value(json_object_get(expect, "outcome"));
    const char *binding = json_string_value(json_object_get(expect, "binding_limit"));
    bool all = walker->ended && outcome != NULL && strcmp(outcome, outcome_name(walker->outcome)) == 0 &&
               (binding == NULL || strcmp(binding, walker->binding_limit) == 0) &&
               number_fits(expect, "fund_fen", walker->fund_fen) &&
               number_fits(expect, "commercial_fen", walker->commercial_fen) &&
               number_fits(expect, "fund_instalment_fen", walker->fund_instalment_fen) &&
               number_fits(expect, "commercial_instalment_fen", walker->commercial_instalment_fen);
    size_t index = 0;
    json_t *reason = NULL;
    json_array_foreach(json_object_get(expect, "reasons"), index, reason)
    {
        all = all && has_reason(walker, json_string_value(reason));
    }
    return all;
}

static void print_row(const struct walker *walker, bool as_expected)
{
    char reasons[128] = "";
    size_t len = 0;
    for (size_t i = 0; i < walker->reason_count && len < sizeof reasons - 26; i++) {
        len += (size_t)snprintf(reasons + len, sizeof reasons - len, "%s%s", i == 0 ? "" : " ", walker->reasons[i]);
    }
    bool colour = isatty(STDOUT_FILENO);
    (void)printf("%-5s %4u / %-4u %11" PRId64 " %11" PRId64 "  %-8s %-18s %5" PRId64 "  %s%s%s  %s\n",
                 walker->reference, walker->items_by_machine, walker->items_by_person, walker->fund_fen / 100,
                 walker->commercial_fen / 100, walker->binding_limit, outcome_name(walker->outcome), walker->took_ms,
                 !colour       ? ""
                 : as_expected ? "\033[32m"
                               : "\033[31m",
                 as_expected ? "ok" : "DIFFERS", colour ? "\033[0m" : "", reasons);
}

static int walk_personas(struct walk *walk)
{
    while (people_at(walk->people, walk->walker_count) != NULL) {
        walk->walker_count++;
    }
    walk->walkers = calloc(walk->walker_count, sizeof *walk->walkers);
    for (size_t i = 0; walk->walkers != NULL && i < walk->walker_count; i++) {
        const json_t *persona = people_at(walk->people, i);
        const char *id = json_string_value(json_object_get(persona, "id"));
        char reference[64];
        (void)snprintf(reference, sizeof reference, "%s-%s", id, walk->run);
        walk_submit(&walk->walkers[i], session_of(walk, i), persona, reference);
        (void)snprintf(walk->walkers[i].reference, sizeof walk->walkers[i].reference, "%s", id);
        if (cl_failed(walk->walkers[i].submitted)) {
            (void)fprintf(stderr, "coloan-walk: %s: %s\n", id, cl_status_name(walk->walkers[i].submitted));
        }
        (void)wait_for(walk, i + 1, false); /* one after the other, so that each time is its own */
    }
    size_t differing = 0;
    (void)printf("who   machine/person  fund yuan  comm. yuan  binding  outcome               ms\n");
    for (size_t i = 0; walk->walkers != NULL && i < walk->walker_count; i++) {
        bool as_expected = fits(&walk->walkers[i], json_object_get(people_at(walk->people, i), "expect"));
        differing += as_expected ? 0 : 1;
        print_row(&walk->walkers[i], as_expected);
        bool keep =
            walk->options.keep != NULL && walk->walkers[i].outcome == COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED;
        if (keep && cl_is_ok(walk_keep_decision(&walk->walkers[i], session_of(walk, i), walk->options.keep))) {
            (void)fprintf(stderr, "%s\n", walk->walkers[i].application_id);
            walk->options.keep = NULL;
        }
    }
    struct numbers numbers = count(walk);
    print_numbers(walk, &numbers);
    (void)printf("%zu of %zu personas as expected\n", walk->walker_count - differing, walk->walker_count);
    return differing == 0 && walk->walkers != NULL ? 0 : EXIT_DIFFERS;
}

/* -- Load ---------------------------------------------------------------------------------------------------- */

struct load {
    struct walk *walk;
    atomic_size_t next;
    int64_t started_us;
};

/* Each submission has its moment, whether the one before is answered or not. */
static void *submit_some(void *argument)
{
    struct load *load = argument;
    struct walk *walk = load->walk;
    for (size_t i = 0; (i = atomic_fetch_add(&load->next, 1)) < walk->walker_count;) {
        int64_t due_us = load->started_us + (int64_t)i * 1000000 / walk->options.rate;
        int64_t early_us = due_us - cl_monotonic_us();
        if (early_us > 0) {
            sleep_ms(early_us / 1000);
        }
        json_t *household = people_make_generated((uint64_t)walk->options.first + i);
        char reference[64];
        (void)snprintf(reference, sizeof reference, "L%s-%zu", walk->run, i);
        walk_submit(&walk->walkers[i], session_of(walk, i), household, reference);
        json_decref(household);
    }
    return NULL;
}

static int walk_load(struct walk *walk)
{
    walk->walker_count = (size_t)walk->options.load;
    walk->walkers = calloc(walk->walker_count, sizeof *walk->walkers);
    if (walk->walkers == NULL) {
        return EXIT_DIFFERS;
    }
    struct load load = {.walk = walk, .started_us = cl_monotonic_us()};
    pthread_t threads[SUBMITTERS];
    size_t running = 0;
    while (running < SUBMITTERS && pthread_create(&threads[running], NULL, submit_some, &load) == 0) {
        running++;
    }
    for (size_t i = 0; i < running; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    int64_t took_us = cl_monotonic_us() - load.started_us;
    size_t left = wait_for(walk, walk->walker_count, true);
    struct numbers numbers = count(walk);
    if (!walk->options.json) {
        (void)printf("%zu applications of generated households in %" PRId64 ".%01" PRId64 " s (%" PRId64
                     " a second asked for), %zu failed\n",
                     walk->walker_count, took_us / 1000000, took_us / 100000 % 10, walk->options.rate, numbers.failed);
    }
    print_numbers(walk, &numbers);
    return left == 0 && numbers.failed == 0 ? 0 : EXIT_DIFFERS;
}

int main(int argc, char **argv)
{
    static struct walk walk;
    if (!read_options(&walk.options, argc, argv)) {
        help(stderr);
        return EXIT_USAGE;
    }
    int result = open_all(&walk) ? walk.options.load > 0 ? walk_load(&walk) : walk_personas(&walk) : EXIT_USAGE;
    close_all(&walk);
    return result;
}
