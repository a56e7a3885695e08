#include "tests/support/campaign.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/clock.h"

enum {
    OWN_OPTIONS_MAX = 12,
    COMMON_OPTIONS = 6,
    PROGRESS_EVERY_MS = 5000, /* somebody who waits wants to see that it lives */
};

/* getopt's numbers of the common options; a campaign's own come after them. */
enum { RUNS = 1, SEED, FIRST, JSON, HELP, OWN };

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* -- Chance --------------------------------------------------------------------------------------------------- */

uint64_t campaign_dice(uint64_t *state, uint64_t sides)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % sides;
}

uint64_t campaign_seed_of_run(const struct campaign *campaign)
{
    uint64_t state = campaign->seed ^ (campaign->run * UINT64_C(0xd1342543de82ef95));
    return campaign_dice(&state, UINT64_MAX);
}

/* -- Telling -------------------------------------------------------------------------------------------------- */

static uint64_t runs_done(const struct campaign *campaign)
{
    return campaign->run < campaign->first ? 0 : campaign->run - campaign->first + 1;
}

static void tell(struct campaign *campaign, const char *how)
{
    const struct campaign_plan *plan = campaign->plan;
    int64_t took_ms = now_ms() - campaign->started_ms;
    if (plan->look != NULL) {
        plan->look();
    }
    (void)printf("%s: %" PRIu64 " of %" PRIu64 " runs", how, runs_done(campaign), campaign->runs);
    for (size_t i = 0; i < plan->count_count; i++) {
        (void)printf(", %s %" PRIu64, plan->counts[i].name, *plan->counts[i].value);
    }
    (void)printf(", %" PRId64 ".%" PRId64 " s\n", took_ms / 1000, took_ms / 100 % 10);
    (void)fflush(stdout);
    campaign->told_ms = now_ms();
}

static void tell_json(const struct campaign *campaign)
{
    const struct campaign_plan *plan = campaign->plan;
    (void)printf("{\"campaign\":\"%s\",\"kept\":%s,\"seed\":%" PRIu64 ",\"first\":%" PRIu64 ",\"runs\":%" PRIu64,
                 plan->name, campaign->violation[0] == '\0' ? "true" : "false", campaign->seed, campaign->first,
                 runs_done(campaign));
    for (size_t i = 0; i < plan->count_count; i++) {
        (void)printf(",\"%s\":%" PRIu64, plan->counts[i].name, *plan->counts[i].value);
    }
    (void)printf(",\"milliseconds\":%" PRId64 "}\n", now_ms() - campaign->started_ms);
}

/* A run that went on from others needs them before it. */
static uint64_t first_of_group(const struct campaign *campaign)
{
    uint64_t group = campaign->plan->group == 0 ? 1 : campaign->plan->group;
    return campaign->run - (campaign->run - 1) % group;
}

static bool is_replaced(const char *argument, size_t *skip_out)
{
    static const char *const names[] = {"--runs", "--seed", "--first", "--cycles"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(argument, names[i], length) == 0 && (argument[length] == '\0' || argument[length] == '=')) {
            *skip_out = argument[length] == '=' ? 1 : 2;
            return true;
        }
    }
    return false;
}

static void tell_how_again(const struct campaign *campaign)
{
    uint64_t first = first_of_group(campaign);
    (void)printf("run %" PRIu64 ": %s\n", campaign->run, campaign->violation);
    (void)printf("again: ./dev campaign %s --seed %" PRIu64 " --first %" PRIu64 " --runs %" PRIu64,
                 campaign->plan->name, campaign->seed, first, campaign->run - first + 1);
    for (size_t i = 1, skip = 1; i < (size_t)campaign->argc; i += skip) {
        skip = 1;
        if (!is_replaced(campaign->argv[i], &skip)) {
            (void)printf(" %s", campaign->argv[i]);
        }
    }
    (void)printf("\n");
}

/* -- Options -------------------------------------------------------------------------------------------------- */

static void print_help(FILE *out, const struct campaign_plan *plan)
{
    (void)fprintf(out, "%s_campaign - %s\n\nusage: %s_campaign [options]\n\n", plan->name, plan->purpose, plan->name);
    (void)fprintf(out, "  --runs N             how many (%" PRIu64 "); one is %s\n", plan->runs, plan->a_run);
    if (plan->runs_alias != NULL) {
        (void)fprintf(out, "  --%-18s the same as --runs\n", plan->runs_alias);
    }
    (void)fprintf(out, "  --seed S             where all choices come from (1)\n"
                       "  --first N            begin with this run instead of the first\n");
    for (size_t i = 0; i < plan->option_count; i++) {
        char name[64];
        const struct campaign_option *option = &plan->options[i];
        (void)snprintf(name, sizeof name, "%s%s%s", option->name, option->argument == NULL ? "" : " ",
                       option->argument == NULL ? "" : option->argument);
        (void)fprintf(out, "  --%-18s %s", name, option->meaning);
        (void)(option->number != NULL ? fprintf(out, " (%" PRIu64 ")\n", *option->number) : fprintf(out, "\n"));
    }
    (void)fprintf(out,
                  "  --json               a last line for machines\n"
                  "  --help               this\n"
                  "\n"
                  "examples:\n%s\n"
                  "exit status: 0 kept, 1 violated (the command that runs it again is told), 2 wrong usage\n",
                  plan->examples);
}

static bool read_number(uint64_t *out, const char *text, uint64_t min, uint64_t max)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

static void name_options(struct option names[OWN_OPTIONS_MAX + COMMON_OPTIONS + 1], const struct campaign_plan *plan)
{
    const struct option common[] = {
        {"runs", required_argument, NULL, RUNS},
        {plan->runs_alias == NULL ? "runs" : plan->runs_alias, required_argument, NULL, RUNS},
        {"seed", required_argument, NULL, SEED},
        {"first", required_argument, NULL, FIRST},
        {"json", no_argument, NULL, JSON},
        {"help", no_argument, NULL, HELP},
    };
    memcpy(names, common, sizeof common);
    for (size_t i = 0; i < plan->option_count; i++) {
        const struct campaign_option *option = &plan->options[i];
        names[COMMON_OPTIONS + i] = (struct option){
            option->name, option->argument == NULL ? no_argument : required_argument, NULL, OWN + (int)i};
    }
    names[COMMON_OPTIONS + plan->option_count] = (struct option){NULL, 0, NULL, 0};
}

static bool read_own(const struct campaign_option *option)
{
    if (option->number != NULL) {
        return read_number(option->number, optarg, option->min, option->max);
    }
    if (option->text != NULL) {
        *option->text = optarg;
        return true;
    }
    *option->flag = true;
    return true;
}

static bool read_options(struct campaign *campaign, bool *help_out, int argc, char **argv)
{
    const struct campaign_plan *plan = campaign->plan;
    struct option names[OWN_OPTIONS_MAX + COMMON_OPTIONS + 1];
    bool good = plan->option_count <= OWN_OPTIONS_MAX;
    name_options(names, plan);
    for (int found; good && (found = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        good = found == RUNS    ? read_number(&campaign->runs, optarg, 1, UINT32_MAX)
               : found == SEED  ? read_number(&campaign->seed, optarg, 0, UINT64_MAX)
               : found == FIRST ? read_number(&campaign->first, optarg, 1, UINT32_MAX)
               : found == '?'   ? false
               : found >= OWN   ? read_own(&plan->options[found - OWN])
                                : true;
        campaign->json = campaign->json || found == JSON;
        *help_out = *help_out || found == HELP;
    }
    return good && optind == argc;
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

bool campaign_begin(struct campaign *out, int *exit_out, const struct campaign_plan *plan, int argc, char **argv)
{
    bool help = false;
    *out = (struct campaign){.plan = plan, .runs = plan->runs, .seed = 1, .first = 1, .argc = argc, .argv = argv};
    (void)pthread_mutex_init(&out->mutex, NULL);
    if (!read_options(out, &help, argc, argv) || help) {
        print_help(help ? stdout : stderr, plan);
        *exit_out = help ? EXIT_SUCCESS : 2;
        return false;
    }
    out->run = out->first - 1;
    out->started_ms = out->told_ms = now_ms();
    return true;
}

bool campaign_next(struct campaign *campaign)
{
    if (campaign_is_violated(campaign) || campaign->run + 1 >= campaign->first + campaign->runs) {
        return false;
    }
    if (now_ms() - campaign->told_ms >= PROGRESS_EVERY_MS) {
        tell(campaign, "running");
    }
    campaign->run++;
    return true;
}

void campaign_complete(struct campaign *campaign)
{
    campaign->runs = runs_done(campaign);
}

void campaign_violated(struct campaign *campaign, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)pthread_mutex_lock(&campaign->mutex);
    if (campaign->violation[0] == '\0') {
        (void)vsnprintf(campaign->violation, sizeof campaign->violation, format, arguments);
    }
    (void)pthread_mutex_unlock(&campaign->mutex);
    va_end(arguments);
}

bool campaign_is_violated(struct campaign *campaign)
{
    (void)pthread_mutex_lock(&campaign->mutex);
    bool is = campaign->violation[0] != '\0';
    (void)pthread_mutex_unlock(&campaign->mutex);
    return is;
}

int campaign_end(struct campaign *campaign)
{
    bool violated = campaign_is_violated(campaign);
    tell(campaign, violated ? "VIOLATED" : "kept");
    if (violated) {
        tell_how_again(campaign);
    }
    if (campaign->json) {
        tell_json(campaign);
    }
    (void)fflush(stdout);
    (void)pthread_mutex_destroy(&campaign->mutex);
    return violated ? EXIT_FAILURE : EXIT_SUCCESS;
}
