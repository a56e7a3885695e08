/* kill_campaign: a real coloand under load is killed with SIGKILL again and again, sometimes while it still starts, and
 * is held to every word it gave. Exit status 0: all was kept; 1: a violation, told with seed and cycle. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/crash/centre.h"

enum {
    KILL_MS_MIN = 50,
    KILL_MS_MAX = 800,
    START_KILLED_ONE_IN = 8, /* a start that is killed on the way */
    START_KILL_MS_MAX = 60,
    PROGRESS_EVERY_MS = 5000,
    CYCLES_MAX = 1000000,
    /* The planted fault: what the database held after one kill comes back after a later one. */
    PLANT_COPY_CYCLE = 2,
    PLANT_BACK_CYCLE = 4,
};

/* No limit of the centre may be what holds the load back. */
static const char configuration[] = "calls_per_second: 1000000\nburst: 1000000\n";

struct campaign {
    struct centre_files files;
    struct bank *bank;
    const char *program;
    uint64_t cycles, cycle, seed, random;
    unsigned threads, open_cases;
    bool json, plant, help;
    int64_t *restart_ms;
    uint64_t restart_count, killed_starts;
    int64_t started_ms, told_ms;
};

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

static uint64_t dice(struct campaign *campaign, uint64_t sides)
{
    campaign->random = campaign->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (campaign->random >> 33) % sides;
}

/* -- Telling -------------------------------------------------------------------------------------------------- */

static int compare_ms(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

struct restarts {
    int64_t p50_ms, p99_ms, max_ms;
};

static struct restarts restarts(const struct campaign *campaign)
{
    struct restarts out = {0, 0, 0};
    size_t count = campaign->restart_count;
    int64_t *sorted = calloc(count + 1, sizeof *sorted);
    if (sorted != NULL && count > 0) {
        memcpy(sorted, campaign->restart_ms, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare_ms);
        out = (struct restarts){sorted[count / 2], sorted[count * 99 / 100], sorted[count - 1]};
    }
    free(sorted);
    return out;
}

static void tell(struct campaign *campaign, const char *how)
{
    struct bank_counts counts = bank_counts(campaign->bank);
    struct restarts restart = restarts(campaign);
    (void)printf(
        "%s: %" PRIu64 " of %" PRIu64 " cycles, %" PRIu64 " applications, %" PRIu64 " acknowledged (%" PRIu64
        " sent again, %" PRIu64 " of them done before the kill), %" PRIu64 " repeated, %" PRIu64 " events (%" PRIu64
        " again), %" PRIu64 " joint decisions, restart p50 %" PRId64 " max %" PRId64 " ms, %" PRId64 " s\n",
        how, campaign->cycle, campaign->cycles, counts.applications, counts.requests.acknowledged,
        counts.requests.sent_again, counts.late_answers, counts.requests.repeated, counts.events, counts.events_again,
        counts.joint_decisions, restart.p50_ms, restart.max_ms, (now_ms() - campaign->started_ms) / 1000);
    (void)fflush(stdout);
    campaign->told_ms = now_ms();
}

static void tell_json(const struct campaign *campaign, bool kept)
{
    struct bank_counts counts = bank_counts(campaign->bank);
    struct restarts restart = restarts(campaign);
    (void)printf("{\"campaign\":\"kill\",\"kept\":%s,\"seed\":%" PRIu64 ",\"cycles\":%" PRIu64
                 ",\"killed_starts\":%" PRIu64 ",\"applications\":%" PRIu64 ",\"acknowledged\":%" PRIu64
                 ",\"sent_again\":%" PRIu64 ",\"late_answers\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"events\":%" PRIu64
                 ",\"events_again\":%" PRIu64 ",\"joint_decisions\":%" PRIu64 ",\"restart_ms\":{\"p50\":%" PRId64
                 ",\"p99\":%" PRId64 ",\"max\":%" PRId64 "},\"seconds\":%" PRId64 "}\n",
                 kept ? "true" : "false", campaign->seed, campaign->cycle, campaign->killed_starts, counts.applications,
                 counts.requests.acknowledged, counts.requests.sent_again, counts.late_answers,
                 counts.requests.repeated, counts.events, counts.events_again, counts.joint_decisions, restart.p50_ms,
                 restart.p99_ms, restart.max_ms, (now_ms() - campaign->started_ms) / 1000);
}

/* -- Files of the planted fault ------------------------------------------------------------------------------- */

static bool copy_file(const struct campaign *campaign, const char *from, const char *to)
{
    char block[65536];
    FILE *in = fopen(pki_files_path(&campaign->files.world.files, from), "rbe");
    FILE *out = fopen(pki_files_path(&campaign->files.world.files, to), "wbe");
    bool copied = in != NULL && out != NULL;
    size_t len = 0;
    while (copied && (len = fread(block, 1, sizeof block, in)) > 0) {
        copied = fwrite(block, 1, len, out) == len;
    }
    if (in != NULL) {
        (void)fclose(in);
    }
    if (out != NULL) {
        copied = fclose(out) == 0 && copied;
    }
    return copied;
}

static bool plant(struct campaign *campaign)
{
    if (campaign->plant && campaign->cycle == PLANT_COPY_CYCLE) {
        return copy_file(campaign, "coloan.db", "old.db") && copy_file(campaign, "coloan.db-wal", "old.db-wal");
    }
    if (campaign->plant && campaign->cycle == PLANT_BACK_CYCLE) {
        (void)unlink(pki_files_path(&campaign->files.world.files, "coloan.db-shm"));
        return copy_file(campaign, "old.db", "coloan.db") && copy_file(campaign, "old.db-wal", "coloan.db-wal");
    }
    return true;
}

/* -- Cycles --------------------------------------------------------------------------------------------------- */

/* Recovery is killed as well: whatever it left, the next start has to cope with. */
static bool start(struct campaign *campaign, struct process *process)
{
    if (dice(campaign, START_KILLED_ONE_IN) == 0) {
        if (!process_spawn(process, campaign->files.program, world_config_path(&campaign->files.world))) {
            return false;
        }
        (void)poll(NULL, 0, (int)dice(campaign, START_KILL_MS_MAX));
        process_kill(process);
        campaign->killed_starts++;
    }
    return centre_start(process, &campaign->files);
}

/* NULL, or what is wrong. */
static const char *run_cycle(struct campaign *campaign)
{
    struct process process;
    int64_t begin_ms = now_ms();
    uint64_t killed_before = campaign->killed_starts;
    if (!start(campaign, &process)) {
        return "the centre does not start";
    }
    if (!bank_connect(campaign->bank, process.port, BANK_BUSY)) {
        process_kill(&process);
        return "the centre does not answer";
    }
    if (campaign->killed_starts == killed_before) {
        campaign->restart_ms[campaign->restart_count++] = now_ms() - begin_ms;
    }
    (void)poll(NULL, 0, (int)(KILL_MS_MIN + dice(campaign, KILL_MS_MAX - KILL_MS_MIN + 1)));
    process_kill(&process);
    bank_disconnect(campaign->bank);
    return plant(campaign) ? bank_violation(campaign->bank) : "the planted fault cannot be made";
}

static const char *run_cycles(struct campaign *campaign)
{
    while (campaign->cycle < campaign->cycles) {
        campaign->cycle++;
        const char *wrong = run_cycle(campaign);
        if (wrong != NULL) {
            return wrong;
        }
        if (now_ms() - campaign->told_ms >= PROGRESS_EVERY_MS) {
            tell(campaign, "running");
        }
    }
    return centre_verdict(campaign->bank, &campaign->files);
}

static int run(struct campaign *campaign)
{
    campaign->random = campaign->seed;
    campaign->started_ms = campaign->told_ms = now_ms();
    campaign->restart_ms = calloc(campaign->cycles, sizeof *campaign->restart_ms);
    if (campaign->restart_ms == NULL) {
        return EXIT_FAILURE;
    }
    centre_open(&campaign->files, campaign->program, configuration);
    struct bank_options options = {.world = &campaign->files.world,
                                   .seed = campaign->seed,
                                   .thread_count = campaign->threads,
                                   .open_cases_max = campaign->open_cases};
    campaign->bank = bank_create(&options);
    const char *wrong = run_cycles(campaign);
    tell(campaign, wrong == NULL ? "kept" : "VIOLATED");
    if (wrong != NULL) {
        (void)printf("seed %" PRIu64 ", cycle %" PRIu64 ": %s\n", campaign->seed, campaign->cycle, wrong);
    }
    if (campaign->json) {
        tell_json(campaign, wrong == NULL);
    }
    if (wrong != NULL && !campaign->plant) {
        (void)printf("its files are kept in %s\n", campaign->files.world.files.folder);
    } else {
        centre_close(&campaign->files);
    }
    bank_free(campaign->bank);
    free(campaign->restart_ms);
    return wrong == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* -- Options -------------------------------------------------------------------------------------------------- */

static void print_help(FILE *out)
{
    (void)fprintf(
        out, "kill_campaign - kills a real coloand under load again and again; nothing acknowledged may be lost\n"
             "\n"
             "usage: kill_campaign [--cycles N] [--seed S] [--coloand PATH] [--threads N] [--open-cases N] [--json]\n"
             "\n"
             "  --cycles N       lives of the server, each ended with SIGKILL (100)\n"
             "  --seed S         of the moments and choices (1); threads add chance of their own\n"
             "  --coloand PATH   the program (the one built beside this)\n"
             "  --threads N      that send (4)\n"
             "  --open-cases N   cases under way at once (200)\n"
             "  --json           a last line for machines\n"
             "  --plant          brings old data back after a kill, which the campaign then has to find\n"
             "\n"
             "exit status: 0 kept, 1 violated, 2 wrong usage\n");
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

static bool read_options(struct campaign *campaign, int argc, char **argv)
{
    enum { CYCLES = 1, SEED, COLOAND, THREADS, OPEN_CASES, JSON, PLANT, HELP };
    static const struct option names[] = {
        {"cycles", required_argument, NULL, CYCLES},
        {"seed", required_argument, NULL, SEED},
        {"coloand", required_argument, NULL, COLOAND},
        {"threads", required_argument, NULL, THREADS},
        {"json", no_argument, NULL, JSON},
        {"open-cases", required_argument, NULL, OPEN_CASES},
        {"plant", no_argument, NULL, PLANT},
        {NULL, 0, NULL, 0},
    };
    uint64_t threads = 4;
    uint64_t open_cases = 200;
    bool good = true;
    *campaign = (struct campaign){.cycles = 100, .seed = 1};
    for (int found; good && (found = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        good = found == CYCLES       ? read_number(&campaign->cycles, optarg, 1, CYCLES_MAX)
               : found == SEED       ? read_number(&campaign->seed, optarg, 0, UINT64_MAX)
               : found == THREADS    ? read_number(&threads, optarg, 1, 16)
               : found == OPEN_CASES ? read_number(&open_cases, optarg, 1, 100000)
                                     : found != '?';
        campaign->program = found == COLOAND ? optarg : campaign->program;
        campaign->json = campaign->json || found == JSON;
        campaign->plant = campaign->plant || found == PLANT;
        campaign->help = campaign->help || found == HELP;
    }
    campaign->threads = (unsigned)threads;
    campaign->open_cases = (unsigned)open_cases;
    return good && optind == argc;
}

int main(int argc, char **argv)
{
    struct campaign campaign;
    if (!read_options(&campaign, argc, argv)) {
        print_help(stderr);
        return 2;
    }
    if (campaign.help) {
        print_help(stdout);
        return EXIT_SUCCESS;
    }
    return run(&campaign);
}
