/* start_campaign: a centre with a long past - a million applications - is killed under load and started again; it has to
 * serve within two seconds. What a start reads must not grow with what was kept. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/crash/archive.h"
#include "tests/crash/centre.h"
#include "tests/support/campaign.h"

enum { LOAD_MS = 1500 }; /* leaves some tens of MiB of log to be recovered */

static struct centre_files files;
static struct bank *bank;
static struct campaign campaign;
static uint64_t applications = 1000000;
static uint64_t limit_ms = 2000;

static uint64_t fill_ms, database_mib, log_kib_max, serving_ms_max, serving_ms_min, answer_ms_max;
static struct bank_counts counts;

static const struct campaign_count told[] = {
    {"applications_before", &applications}, {"fill_ms", &fill_ms},
    {"database_mib", &database_mib},        {"log_kib_max", &log_kib_max},
    {"serving_ms_min", &serving_ms_min},    {"serving_ms_max", &serving_ms_max},
    {"answer_ms_max", &answer_ms_max},      {"acknowledged", &counts.requests.acknowledged},
};

static uint64_t now_ms(void)
{
    return (uint64_t)cl_clock_monotonic_ms(cl_clock_system());
}

static void look(void)
{
    counts = bank_counts(bank);
    database_mib = (uint64_t)centre_file_bytes(&files, "coloan.db") >> 20;
}

/* The centre makes its files; then the past comes in. */
static const char *fill(void)
{
    struct process process;
    struct store *store = NULL;
    struct store_options options = {.address = pki_files_path(&files.world.files, "coloan.db"),
                                    .clock = cl_clock_system()};
    if (!centre_start(&process, &files)) {
        return "the centre does not start";
    }
    process_kill(&process);
    uint64_t begin_ms = now_ms();
    struct cl_status status = store_open(&store, &options);
    if (cl_is_ok(status)) {
        status = archive_fill(store, WORLD_CENTRE, WORLD_BETA, 0, (uint32_t)applications);
        store_close(store);
    }
    fill_ms = now_ms() - begin_ms;
    return cl_is_ok(status) ? NULL : "the past cannot be written";
}

static void note_max(uint64_t *max, uint64_t value)
{
    *max = value > *max ? value : *max;
}

/* One start, some load, and a kill; NULL, or what is wrong. */
static const char *run_start(void)
{
    struct process process;
    note_max(&log_kib_max, (uint64_t)centre_file_bytes(&files, "coloan.db-wal") >> 10);
    uint64_t begin_ms = now_ms();
    if (!centre_start(&process, &files)) {
        return "the centre does not start";
    }
    uint64_t serving_ms = now_ms() - begin_ms;
    bool answers = bank_connect(bank, process.port, BANK_BUSY);
    note_max(&answer_ms_max, now_ms() - begin_ms);
    note_max(&serving_ms_max, serving_ms);
    serving_ms_min = serving_ms_min == 0 || serving_ms < serving_ms_min ? serving_ms : serving_ms_min;
    (void)poll(NULL, 0, LOAD_MS);
    process_kill(&process);
    bank_disconnect(bank);
    if (serving_ms > limit_ms) {
        campaign_violated(&campaign, "it served after %" PRIu64 " ms", serving_ms);
    }
    return answers ? bank_violation(bank) : "the centre does not answer";
}

static void run_all(void)
{
    const char *wrong = fill();
    while (wrong == NULL && campaign_next(&campaign)) {
        wrong = run_start();
    }
    if (wrong == NULL && !campaign_is_violated(&campaign)) {
        wrong = centre_verdict(bank, &files);
    }
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
}

static const struct campaign_option options[] = {
    {"applications", "N", "that are there before", .number = &applications, .min = 1, .max = 100000000},
    {"limit-ms", "N", "until it serves", .number = &limit_ms, .min = 1, .max = 100000},
};

static const struct campaign_plan plan = {
    .name = "start",
    .purpose = "a centre with a million applications is killed under load and has to serve again in two seconds",
    .a_run = "a start and a kill; the filling comes before them",
    .runs = 10,
    .examples = "  ./dev campaign start\n"
                "  ./dev campaign start --applications 20000 --runs 3\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
    .look = look,
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    struct centre_options centre = {.program = NULL};
    centre_open(&files, &centre);
    struct bank_options bank_options = {
        .world = &files.world, .seed = campaign.seed, .thread_count = 4, .open_cases_max = 200};
    bank = bank_create(&bank_options);
    run_all();
    result = campaign_end(&campaign);
    bank_free(bank);
    centre_close(&files);
    return result;
}
