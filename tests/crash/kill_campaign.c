/* kill_campaign: a real coloand under load is killed with SIGKILL again and again, sometimes while it still starts, and
 * is held to every word it gave.
 *
 * A small log can be asked for, so that every life has rounds of the checkpointer and logs that begin anew in it. On
 * PostgreSQL the database server crashes with it at times. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/crash/centre.h"
#include "tests/support/campaign.h"
#include "tests/support/postgres.h"

enum {
    KILL_MS_MIN = 50,
    KILL_MS_MAX = 800,
    START_KILLED_ONE_IN = 8, /* a start that is killed on the way */
    START_KILL_MS_MAX = 60,
    DATABASE_CRASHES_ONE_IN = 8,
    /* The planted fault: what the database held after one kill comes back after a later one. */
    PLANT_COPY_CYCLE = 2,
    PLANT_BACK_CYCLE = 4,
};

static struct centre_files files;
static struct bank *bank;
static struct campaign campaign;
static uint64_t chance; /* where the moments and choices come from */
static int64_t *restart_ms;
static size_t restart_count;

static const char *program;
static uint64_t threads = 4;
static uint64_t open_cases = 200;
static uint64_t round_pages = 256;
static uint64_t restart_pages = 1024;
static bool planted;
static bool on_postgres;
static struct postgres_server server;

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* -- Counts --------------------------------------------------------------------------------------------------- */

static struct bank_counts counts;
static uint64_t killed_starts, database_crashes, restart_p50_ms, restart_p99_ms, restart_max_ms, log_bytes_max;

static const struct campaign_count told[] = {
    {"applications", &counts.applications},      {"acknowledged", &counts.requests.acknowledged},
    {"sent_again", &counts.requests.sent_again}, {"done_before_the_kill", &counts.late_answers},
    {"repeated", &counts.requests.repeated},     {"events", &counts.events},
    {"events_again", &counts.events_again},      {"joint_decisions", &counts.joint_decisions},
    {"killed_starts", &killed_starts},           {"database_crashes", &database_crashes},
    {"log_bytes_max", &log_bytes_max},           {"restart_p50_ms", &restart_p50_ms},
    {"restart_p99_ms", &restart_p99_ms},         {"restart_max_ms", &restart_max_ms},
};

static int compare_ms(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void look(void)
{
    counts = bank_counts(bank);
    if (restart_count == 0) {
        return;
    }
    qsort(restart_ms, restart_count, sizeof *restart_ms, compare_ms);
    restart_p50_ms = (uint64_t)restart_ms[restart_count / 2];
    restart_p99_ms = (uint64_t)restart_ms[restart_count * 99 / 100];
    restart_max_ms = (uint64_t)restart_ms[restart_count - 1];
}

/* -- Files of the planted fault ------------------------------------------------------------------------------- */

static bool copy_file(const char *from, const char *to)
{
    return pki_files_try_copy(&files.world.files, from, to);
}

static bool plant(void)
{
    if (planted && campaign.run == PLANT_COPY_CYCLE) {
        return copy_file("coloan.db", "old.db") && copy_file("coloan.db-wal", "old.db-wal");
    }
    if (planted && campaign.run == PLANT_BACK_CYCLE) {
        (void)unlink(pki_files_path(&files.world.files, "coloan.db-shm"));
        return copy_file("old.db", "coloan.db") && copy_file("old.db-wal", "coloan.db-wal");
    }
    return true;
}

/* -- Cycles --------------------------------------------------------------------------------------------------- */

/* Recovery is killed as well: whatever it left, the next start has to cope with. */
static bool start(struct process *process)
{
    if (campaign_dice(&chance, START_KILLED_ONE_IN) == 0) {
        if (!process_spawn(process, files.program, world_config_path(&files.world))) {
            return false;
        }
        (void)poll(NULL, 0, (int)campaign_dice(&chance, START_KILL_MS_MAX));
        process_kill(process);
        killed_starts++;
    }
    return centre_start(process, &files);
}

/* Without a word to anybody: what is not in its log is lost. */
static void crash_database(void)
{
    if (on_postgres && campaign_dice(&chance, DATABASE_CRASHES_ONE_IN) == 0) {
        postgres_server_stop(&server, "immediate");
        postgres_server_start(&server);
        database_crashes++;
    }
}

static void note_log(void)
{
    uint64_t bytes = (uint64_t)centre_file_bytes(&files, "coloan.db-wal");
    log_bytes_max = bytes > log_bytes_max ? bytes : log_bytes_max;
}

/* NULL, or what is wrong. */
static const char *run_cycle(void)
{
    struct process process;
    int64_t begin_ms = now_ms();
    uint64_t killed_before = killed_starts;
    if (!start(&process)) {
        return "the centre does not start";
    }
    if (!bank_connect(bank, process.port, BANK_BUSY)) {
        process_kill(&process);
        return "the centre does not answer";
    }
    if (killed_starts == killed_before) {
        restart_ms[restart_count++] = now_ms() - begin_ms;
    }
    (void)poll(NULL, 0, (int)(KILL_MS_MIN + campaign_dice(&chance, KILL_MS_MAX - KILL_MS_MIN + 1)));
    process_kill(&process);
    bank_disconnect(bank);
    crash_database();
    note_log();
    return plant() ? bank_violation(bank) : "the planted fault cannot be made";
}

static void run_cycles(void)
{
    const char *wrong = NULL;
    while (wrong == NULL && campaign_next(&campaign)) {
        chance = campaign_seed_of_run(&campaign);
        wrong = run_cycle();
    }
    if (wrong == NULL) {
        wrong = centre_verdict(bank, &files);
    }
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
}

/* Every life goes on from the one before: a violation needs all of them again. */
static const struct campaign_option options[] = {
    {"coloand", "PATH", "the program (the one built beside this)", .text = &program},
    {"threads", "N", "that send", .number = &threads, .min = 1, .max = 16},
    {"open-cases", "N", "cases under way at once", .number = &open_cases, .min = 1, .max = 100000},
    {"round-pages", "N", "log_round_pages of the centre", .number = &round_pages, .min = 1, .max = 4096},
    {"restart-pages", "N", "log_restart_pages of the centre", .number = &restart_pages, .min = 1, .max = 16384},
    {"postgres", NULL, "the store on a PostgreSQL server of its own, which crashes one time in eight",
     .flag = &on_postgres},
    {"plant", NULL, "brings old data back after a kill, which has to be found", .flag = &planted},
};

static const struct campaign_plan plan = {
    .name = "kill",
    .purpose = "kills a real coloand under load again and again; nothing acknowledged may be lost",
    .a_run = "a life of the server, ended with SIGKILL; threads add chance of their own",
    .runs = 100,
    .group = UINT32_MAX,
    .runs_alias = "cycles",
    .examples =
        "  ./dev campaign kill --runs 200 --seed 7\n"
        "  ./dev campaign kill --runs 200 --round-pages 4096 --restart-pages 16384   the log as it is in service\n"
        "  ./dev campaign kill --runs 200 --postgres\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
    .look = look,
};

static void open_centre(void)
{
    char log_fields[128];
    char database[POSTGRES_URI_BYTES];
    struct centre_options centre = {.program = program};
    (void)snprintf(log_fields, sizeof log_fields, "log_round_pages: %u, log_restart_pages: %u", (unsigned)round_pages,
                   (unsigned)restart_pages);
    if (on_postgres) {
        postgres_server_create(&server, "");
        postgres_database_create(database, &server);
        centre.database = database;
    } else {
        centre.store = log_fields;
    }
    centre_open(&files, &centre);
}

static void close_centre(void)
{
    centre_close(&files);
    if (on_postgres) {
        postgres_server_remove(&server);
    }
}

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    restart_ms = calloc(campaign.runs, sizeof *restart_ms);
    if (restart_ms == NULL) {
        return EXIT_FAILURE;
    }
    open_centre();
    struct bank_options bank_options = {.world = &files.world,
                                        .seed = campaign.seed,
                                        .thread_count = (unsigned)threads,
                                        .open_cases_max = (unsigned)open_cases};
    bank = bank_create(&bank_options);
    run_cycles();
    result = campaign_end(&campaign);
    if (result == EXIT_SUCCESS || planted) {
        close_centre();
    } else {
        (void)printf("its files are kept in %s%s%s\n", files.world.files.folder,
                     on_postgres ? ", the database's in " : "", server.folder);
    }
    bank_free(bank);
    free(restart_ms);
    return result;
}
