/* diskerror_campaign: the n-th write, sync, truncation, deletion or read of the store's files fails, once or from then
 * on, with an input/output error, a full disk, or after half of it. From the first failure that the store was told of
 * nothing may be answered OK, and on a healthy disk everything that was answered is there.
 *
 * Runs take the kinds in turn: run r fails call (r - 1) / kinds + 1 of kind (r - 1) % kinds. A kind whose n-th call does
 * not come up any more is through; when all are, the campaign ends by itself. With --centre the disk is real and the
 * program is coloand, whose system calls fail (at_syscall); it has to be not ready and to end with status 4. */
#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"
#include "tests/crash/books.h"
#include "tests/crash/centre.h"
#include "tests/support/campaign.h"
#include "tests/support/power_vfs.h"
#include "tests/support/store_fixture.h"

enum {
    BURSTS = 6, /* with 1 to 4 commands each: some thirty commits, rounds and restarts of the log among them */
    BURST_MAX = 4,
    ROUND_PAGES = 12,
    RESTART_PAGES = 40,
    FULL_CHECK_ONE_IN = 16,
    STATUS_STORE_FAILED = 4,
    END_MS_MAX = 60000,
    LOOK_EVERY_MS = 5,
};

static const struct kind {
    const char *name;
    unsigned calls;
    int code;
    bool half;
    bool ignored; /* by SQLite, where it does not matter: the store need not notice */
} kinds[] = {
    {"sync EIO", POWER_SYNC, SQLITE_IOERR_FSYNC, false, false},
    {"write EIO", POWER_WRITE, SQLITE_IOERR_WRITE, false, false},
    {"half a write", POWER_WRITE, SQLITE_IOERR_WRITE, true, false},
    {"write ENOSPC", POWER_WRITE, SQLITE_FULL, false, false},
    {"truncate EIO", POWER_TRUNCATE, SQLITE_IOERR_TRUNCATE, false, true},
    {"delete EIO", POWER_DELETE, SQLITE_IOERR_DELETE, false, true},
    {"read EIO", POWER_READ, SQLITE_IOERR_READ, false, true},
};
enum {
    KINDS = sizeof kinds / sizeof kinds[0],
    WAYS = 3 * KINDS /* once, for ever, and once while the database is made */
};

static struct campaign campaign;
static struct store *store;
static struct books *books;
static struct power_disk *new_schema;
static char folder[64], path[96];
static atomic_uint told_of_failure;
static bool through[WAYS];
static bool planted;

static struct books_counts counts;
static uint64_t failures, noticed, while_opening, while_stopping, calls_max;

static const struct campaign_count told[] = {
    {"failures", &failures},
    {"noticed", &noticed},
    {"while_opening", &while_opening},
    {"while_stopping", &while_stopping},
    {"last_call", &calls_max},
    {"acknowledged", &counts.acknowledged},
    {"unanswered", &counts.unanswered},
    {"of_these_done", &counts.done_unanswered},
};

/* -- The store alone ------------------------------------------------------------------------------------------ */

static void count_failure(void *user)
{
    (void)user;
    atomic_fetch_add(&told_of_failure, 1);
}

static struct cl_status open_store(void)
{
    struct store_options options = {.address = path,
                                    .clock = cl_clock_system(),
                                    .free_bytes_min = 1,
                                    .round_pages = ROUND_PAGES,
                                    .restart_pages = RESTART_PAGES,
                                    .failed = count_failure};
    struct cl_status status = store_open(&store, &options);
    if (cl_failed(status)) {
        store = NULL;
    }
    return status;
}

static void close_store(void)
{
    store_close(store);
    store = NULL;
}

/* The same commands in every run of a kind. */
static void work(uint64_t *dice)
{
    bool takes = true;
    for (int burst = 0; takes && burst < BURSTS; burst++) {
        uint64_t commands = 1 + campaign_dice(dice, BURST_MAX);
        for (uint64_t i = 0; takes && i < commands; i++) {
            takes = books_submit(books, store);
        }
        books_wait(books);
    }
}

/* A failed store takes nothing. */
static void check_failed_store(void)
{
    if (store_failed(store) && books_submit(books, store)) {
        books_wait(books);
        campaign_violated(&campaign, "a failed store took another command");
    }
    if (books_ok_after_failure(books)) {
        campaign_violated(&campaign, "a command was answered OK after one that failed");
    }
}

/* One life on the failing disk. */
static void live(uint64_t *dice, const struct kind *kind)
{
    struct cl_status status = open_store();
    if (cl_failed(status)) {
        while_opening++;
        if (status.reason != CL_STORE_FAILED) {
            campaign_violated(&campaign, "%s at the opening was told as %s", kind->name, cl_status_name(status));
        }
        return;
    }
    work(dice);
    bool working = power_vfs_strike().struck;
    check_failed_store();
    close_store(); /* what the checkpointer met at last is told by now */
    while_stopping += power_vfs_strike().struck && !working;
    noticed += atomic_load(&told_of_failure) > 0;
    if (working && atomic_load(&told_of_failure) == 0 && !kind->ignored) {
        campaign_violated(&campaign, "%s was not noticed", kind->name);
    }
    if (atomic_load(&told_of_failure) > 1) {
        campaign_violated(&campaign, "the failure was told of %u times", atomic_load(&told_of_failure));
    }
}

static void compare(bool full)
{
    struct cl_status status = open_store();
    if (cl_failed(status)) {
        campaign_violated(&campaign, "the store does not open on a healthy disk: %s", cl_status_name(status));
        return;
    }
    const char *wrong = books_compare(books, store, true);
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
    if (full && cl_failed(store_check(store))) {
        campaign_violated(&campaign, "the database is damaged");
    }
    struct books_counts now = books_counts(books);
    counts.acknowledged += now.acknowledged;
    counts.unanswered += now.unanswered;
    counts.done_unanswered += now.done_unanswered;
    close_store();
}

/* A disk that failed may have lost what it did not sync, so any of it may be left. */
static void fail_in_store(size_t way, uint64_t at)
{
    const struct kind *kind = &kinds[way % KINDS];
    struct power_fault fault = {.calls = kind->calls,
                                .at = at,
                                .effect = way / KINDS == 1 ? POWER_FAILS_FOR_EVER : POWER_FAILS,
                                .code = planted ? SQLITE_OK : kind->code,
                                .half = kind->half};
    uint64_t load = campaign.seed; /* the same in all runs, so that the calls come in one order */
    uint64_t dice = campaign_seed_of_run(&campaign);
    books = books_create(load);
    power_vfs_set_disk(way / KINDS == 2 ? NULL : power_disk_copy(new_schema));
    atomic_store(&told_of_failure, 0);
    power_vfs_arm(&fault);
    live(&load, kind);
    through[way] = !power_vfs_strike().struck;
    failures += power_vfs_strike().struck;
    power_vfs_restore((enum power_remains)campaign_dice(&dice, POWER_REMAINS_COUNT), &dice);
    compare(campaign_dice(&dice, FULL_CHECK_ONE_IN) == 0);
    books_free(books);
    books = NULL;
}

static bool all_through(void)
{
    bool all = true;
    for (size_t i = 0; i < WAYS; i++) {
        all = all && through[i];
    }
    return all;
}

static void run_store(void)
{
    fixture_make_folder(folder);
    (void)snprintf(path, sizeof path, "%s/coloan.db", folder);
    power_vfs_install();
    if (cl_failed(open_store())) {
        campaign_violated(&campaign, "the store does not open");
        return;
    }
    close_store();
    new_schema = power_disk_copy(power_vfs_disk());
    while (!all_through() && campaign_next(&campaign)) {
        size_t way = (campaign.run - 1) % WAYS;
        calls_max = (campaign.run - 1) / WAYS + 1;
        if (!through[way]) {
            fail_in_store(way, calls_max);
        }
    }
    if (all_through()) {
        campaign_complete(&campaign);
    }
    power_disk_free(new_schema);
    power_vfs_remove();
    fixture_remove_folder(folder);
}

/* -- A whole centre ------------------------------------------------------------------------------------------- */

static const char *const system_actions[] = {"5", "5+", "28", "28+"};
enum { SYSTEM_ACTIONS = sizeof system_actions / sizeof system_actions[0] };

static uint64_t centre_step;
static struct centre_files files;
static struct bank *bank;

static bool lives(void *user)
{
    return !process_wait(user, 0).ended;
}

/* Watches it end: once not ready, never ready again. */
static struct process_end watch_end(struct process *process)
{
    bool unready = false;
    struct process_end end = {.ended = false, .status = -1};
    for (int waited_ms = 0; !end.ended && waited_ms < END_MS_MAX; waited_ms += LOOK_EVERY_MS) {
        int readiness = process_readiness(process);
        if (unready && readiness == 200) {
            campaign_violated(&campaign, "it was not ready, and then it was");
        }
        unready = unready || readiness == 503;
        end = process_wait(process, LOOK_EVERY_MS);
    }
    return end;
}

static void fail_in_centre(uint64_t call, const char *action)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%" PRIu64, call);
    const char *const under[] = {COLOAN_AT_SYSCALL, "--disk", number, action, NULL};
    struct process process;
    struct bank_watch watch = {lives, &process};
    struct process_end end = {.ended = false, .status = -1};
    uint64_t ok_before = bank_counts(bank).ok_after_failures;
    bool spawned = process_spawn_under(&process, under, files.program, world_config_path(&files.world));
    bool serving = spawned && process_wait_serving(&process);
    if (serving && bank_connect_while(bank, process.port, BANK_BUSY, &watch)) {
        end = watch_end(&process);
    } else if (spawned) {
        end = process_wait(&process, END_MS_MAX);
        while_opening++;
    }
    bank_disconnect(bank);
    process_kill(&process);
    failures++;
    noticed += end.status == STATUS_STORE_FAILED;
    if (end.status != STATUS_STORE_FAILED) {
        campaign_violated(&campaign, "disk call %" PRIu64 " (%s): it %s %d", call, action,
                          end.ended ? "ended with status" : "did not end:", end.status);
    }
    if (bank_counts(bank).ok_after_failures > ok_before) {
        campaign_violated(&campaign, "an answer OK came after STORE_FAILED");
    }
}

static void run_centre(void)
{
    struct centre_options options = {.extra = "stop_grace: 1s\n",
                                     .store = "log_round_pages: 64, log_restart_pages: 256"};
    centre_open(&files, &options);
    struct bank_options bank_options = {
        .world = &files.world, .seed = campaign.seed, .thread_count = 2, .open_cases_max = 50};
    bank = bank_create(&bank_options);
    struct process process;
    if (!centre_start(&process, &files)) { /* makes its files */
        campaign_violated(&campaign, "the centre does not start");
    }
    process_kill(&process);
    while (campaign_next(&campaign)) {
        calls_max = 1 + (campaign.run - 1) * centre_step;
        fail_in_centre(calls_max, system_actions[campaign.run % SYSTEM_ACTIONS]);
        if (bank_violation(bank) != NULL) {
            campaign_violated(&campaign, "%s", bank_violation(bank));
        }
    }
    const char *wrong = campaign_is_violated(&campaign) ? NULL : centre_verdict(bank, &files);
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
    counts.acknowledged = bank_counts(bank).requests.acknowledged;
    bank_free(bank);
    centre_close(&files);
}

/* -- The whole ------------------------------------------------------------------------------------------------ */

static const struct campaign_option options[] = {
    {"plant", NULL, "says nothing of the failed calls, which has to be found", .flag = &planted},
    {"centre", "N", "a whole coloand instead, whose 1st, N+1st, 2N+1st ... disk call fails; 0: the store alone",
     .number = &centre_step, .min = 0, .max = 100000},
};

static const struct campaign_plan plan = {
    .name = "diskerror",
    .purpose = "every call of the disk fails in turn; from the first failure on nothing may be answered OK",
    .a_run = "one call that fails; the store alone ends by itself when all have",
    .runs = 100000,
    .examples = "  ./dev campaign diskerror\n"
                "  ./dev campaign diskerror --centre 37 --runs 40\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    if (centre_step > 0) {
        run_centre();
    } else {
        cl_log_set_level(CL_LOG_NONE); /* thousands of errors are made on purpose */
        run_store();
    }
    return campaign_end(&campaign);
}
