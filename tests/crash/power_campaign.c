/* power_campaign: the power goes while a store works, at any write, sync, truncation or deletion of its files, while it
 * opens, takes its log over, begins it anew, empties it or closes; and again while it recovers. What was answered is
 * then held against the book.
 *
 * The store is the real one with all its threads; the disk is in memory (tests/support/power_disk.h). Runs go on from
 * one another in groups: a group is one database, from nothing or from a new schema on, through many cuts. Its log is
 * short, so that rounds, restarts and truncations come by all the time.
 *
 * With --centre a whole centre works on such a disk in this process, with real commands from a bank, which then holds it
 * to its word; every run goes on from the one before. */
#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"
#include "tests/crash/bank.h"
#include "tests/crash/books.h"
#include "tests/support/campaign.h"
#include "tests/support/power_vfs.h"
#include "tests/support/store_fixture.h"

enum {
    GROUP = 32, /* cuts of one database: long enough to have a past, short enough to be looked at whole */
    FROM_NOTHING_ONE_IN = 8,
    RECOVERY_CUT_ONE_IN = 3,
    CLOSED_ONE_IN = 4,   /* recovered stores are closed first, so that the next cut may come while one opens */
    CALLS_OPENING = 40,  /* with a log to take over */
    CALLS_WORKING = 800, /* between two cuts, some ten transactions */
    BURST_MAX = 8,       /* commands at once, which share a transaction */
    BURSTS_MAX = 24,
    IDLE_ONE_IN = 16, /* pauses long enough for the log to be emptied */
    IDLE_MS = 1,
    FULL_CHECK_ONE_IN = 8,
    ROUND_PAGES = 12,
    RESTART_PAGES = 40,
    CALLS_OF_CENTRE = 3000, /* some tens of commands */
    CENTRE_CUT_MS_MAX = 20000,
    PATIENCE_MS = 60000,
    LOOK_EVERY_MS = 1,
    TICK_EVERY = 50, /* looks */
    WHOLE_CHECK_ONE_IN = 16,
};

static struct campaign campaign;
static struct books *books;
static struct store *store;
static struct power_disk *new_schema; /* a database just made */
static char folder[64], path[96];
static const char *planted = "";
static bool centre;
static struct world world;
static struct bank *bank;

/* -- The planted faults --------------------------------------------------------------------------------------- */

int __real_sqlite3_exec(sqlite3 *db, const char *text, int (*row)(void *, int, char **, char **), void *user,
                        char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *text, int (*row)(void *, int, char **, char **), void *user,
                        char **error);

/* The linker hands the driver's settings by here, so that a weaker one can be set after them. */
int __wrap_sqlite3_exec(sqlite3 *db, const char *text, int (*row)(void *, int, char **, char **), void *user,
                        char **error)
{
    char weaker[64];
    int code = __real_sqlite3_exec(db, text, row, user, error);
    if (code != SQLITE_OK || planted[0] == '\0' || strstr(text, "PRAGMA synchronous") == NULL) {
        return code;
    }
    (void)snprintf(weaker, sizeof weaker, "PRAGMA synchronous = %s", planted);
    return __real_sqlite3_exec(db, weaker, NULL, NULL, NULL);
}

/* -- Counts --------------------------------------------------------------------------------------------------- */

static struct books_counts counts;
static struct power_sums sums;
static uint64_t cuts_in_log, cuts_in_database, cuts_while_opening, cuts_while_closing, cuts_in_recovery, clean_stops,
    full_checks;
static struct books_counts before; /* of the databases before this one */

static const struct campaign_count told[] = {
    {"acknowledged", &counts.acknowledged},
    {"refused", &counts.refused},
    {"unanswered", &counts.unanswered},
    {"of_these_done", &counts.done_unanswered},
    {"cuts_in_log", &cuts_in_log},
    {"cuts_in_database", &cuts_in_database},
    {"cuts_while_opening", &cuts_while_opening},
    {"cuts_while_closing", &cuts_while_closing},
    {"cuts_in_recovery", &cuts_in_recovery},
    {"clean_stops", &clean_stops},
    {"full_checks", &full_checks},
    {"database_writes", &sums.database_writes},
    {"log_restarts", &sums.log_restarts},
    {"log_truncates", &sums.log_truncates},
};

static void look(void)
{
    sums = power_vfs_sums();
    if (bank != NULL) {
        struct bank_counts now = bank_counts(bank);
        counts.acknowledged = now.requests.acknowledged;
        counts.done_unanswered = now.late_answers;
        return;
    }
    struct books_counts now = books == NULL ? (struct books_counts){0} : books_counts(books);
    counts = (struct books_counts){.acknowledged = before.acknowledged + now.acknowledged,
                                   .refused = before.refused + now.refused,
                                   .unanswered = before.unanswered + now.unanswered,
                                   .done_unanswered = before.done_unanswered + now.done_unanswered};
}

/* -- One database --------------------------------------------------------------------------------------------- */

static bool open_store(void)
{
    struct store_options options = {.address = path,
                                    .clock = cl_clock_system(),
                                    .free_bytes_min = 1,
                                    .round_pages = ROUND_PAGES,
                                    .restart_pages = RESTART_PAGES,
                                    .idle_ms = IDLE_MS};
    struct cl_status status = store_open(&store, &options);
    if (cl_failed(status)) {
        store = NULL;
        if (status.reason != CL_STORE_FAILED) {
            campaign_violated(&campaign, "the store does not open: %s", cl_status_name(status));
        }
    }
    return cl_is_ok(status);
}

static void close_store(void)
{
    store_close(store);
    store = NULL;
}

static bool make_new_schema(void)
{
    fixture_make_folder(folder);
    (void)snprintf(path, sizeof path, "%s/coloan.db", folder);
    if (!open_store()) {
        return false;
    }
    close_store();
    new_schema = power_disk_copy(power_vfs_disk());
    return true;
}

static void begin_database(uint64_t *dice)
{
    look();
    before = counts;
    books_free(books);
    books = books_create(campaign_dice(dice, UINT64_MAX));
    close_store();
    bool nothing = campaign_dice(dice, FROM_NOTHING_ONE_IN) == 0;
    fixture_remove_folder(folder);
    fixture_make_folder(folder);
    (void)snprintf(path, sizeof path, "%s/coloan.db", folder);
    power_vfs_set_disk(nothing ? NULL : power_disk_copy(new_schema));
}

/* -- One cut -------------------------------------------------------------------------------------------------- */

static void arm(uint64_t *dice, uint64_t calls)
{
    struct power_fault fault = {
        .calls = POWER_CHANGES, .at = 1 + campaign_dice(dice, calls), .effect = POWER_CUT, .code = SQLITE_IOERR};
    power_vfs_arm(&fault);
}

/* Bursts of commands until the power goes, or there were enough. */
static void work(uint64_t *dice)
{
    bool takes = true;
    uint64_t bursts = campaign_dice(dice, BURSTS_MAX);
    for (uint64_t burst = 0; burst < bursts && takes && !power_vfs_strike().struck; burst++) {
        uint64_t commands = 1 + campaign_dice(dice, BURST_MAX);
        for (uint64_t i = 0; takes && i < commands; i++) {
            takes = books_submit(books, store);
        }
        books_wait(books);
        if (campaign_dice(dice, IDLE_ONE_IN) == 0) {
            (void)poll(NULL, 0, 2 * IDLE_MS);
        }
    }
}

/* Lives, ended in good order, until the power goes in one. The first one may be under way. */
static void live_until_cut(uint64_t *dice)
{
    arm(dice, store == NULL ? CALLS_OPENING : CALLS_WORKING);
    while (!campaign_is_violated(&campaign)) {
        if (store == NULL && !open_store()) {
            cuts_while_opening++;
            return;
        }
        work(dice);
        bool working = power_vfs_strike().struck;
        close_store();
        if (power_vfs_strike().struck) {
            cuts_while_closing += !working;
            return;
        }
        clean_stops++;
    }
}

/* Opens what is left and holds it against the book; the store then works on. */
static void recover(uint64_t *dice, bool last)
{
    bool full = last || campaign_dice(dice, FULL_CHECK_ONE_IN) == 0;
    if (!open_store()) {
        campaign_violated(&campaign, "the store does not open after the cut");
        return;
    }
    const char *wrong = books_compare(books, store, last);
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
    full_checks += full;
    if (full && cl_failed(store_check(store))) {
        campaign_violated(&campaign, "the database is damaged");
    }
    if (last || campaign_dice(dice, CLOSED_ONE_IN) == 0) {
        close_store();
    }
}

static void restore(uint64_t *dice)
{
    struct power_strike strike = power_vfs_strike();
    cuts_in_log += strike.struck && strike.log;
    cuts_in_database += strike.struck && !strike.log && strike.call == POWER_WRITE;
    power_vfs_restore((enum power_remains)campaign_dice(dice, POWER_REMAINS_COUNT), dice);
}

static void run_cut(bool last)
{
    uint64_t dice = campaign_seed_of_run(&campaign);
    live_until_cut(&dice);
    if (campaign_is_violated(&campaign)) {
        return;
    }
    if (books_ok_after_failure(books)) {
        campaign_violated(&campaign, "a command was answered OK after one that failed");
    }
    restore(&dice);
    while (campaign_dice(&dice, RECOVERY_CUT_ONE_IN) == 0) { /* the power goes once more while it recovers */
        arm(&dice, CALLS_OPENING);
        if (open_store()) {
            close_store();
        }
        cuts_in_recovery += power_vfs_strike().struck;
        restore(&dice);
    }
    recover(&dice, last);
}

/* -- A whole centre -------------------------------------------------------------------------------------------- */

/* Until the power goes; false when it does not. */
static bool wait_for_cut(void)
{
    for (int waited_ms = 0; waited_ms < CENTRE_CUT_MS_MAX; waited_ms += LOOK_EVERY_MS) {
        if (atomic_load(&world.store_failed)) {
            return true;
        }
        if (waited_ms % TICK_EVERY == 0) {
            coloand_tick(world.server);
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    return false;
}

/* One life of the centre, which may end while it starts. */
static void live_in_centre(uint64_t *dice)
{
    arm(dice, CALLS_OF_CENTRE);
    if (cl_failed(world_try_start(&world))) {
        cuts_while_opening++;
        return;
    }
    if (bank_connect(bank, coloand_port(world.server), BANK_BUSY) && !wait_for_cut()) {
        campaign_violated(&campaign, "the store did not notice that the power went");
    }
    bank_disconnect(bank);
    world_stop(&world);
}

static void check_file(void)
{
    struct store_options of_store = {.address = pki_files_path(&world.files, "coloan.db"), .clock = cl_clock_system()};
    struct cl_status status = store_open(&store, &of_store);
    if (cl_is_ok(status)) {
        status = store_check(store);
        close_store();
    }
    full_checks++;
    if (cl_failed(status)) {
        campaign_violated(&campaign, "the database is damaged");
    }
}

/* With power: what was begun comes to its end, and everything is asked for again. */
static void finish_centre(void)
{
    world_start(&world);
    if (!bank_connect(bank, coloand_port(world.server), BANK_FINISH)) {
        campaign_violated(&campaign, "the centre does not answer");
        return;
    }
    bank_finish(bank, PATIENCE_MS);
    bank_check_answers(bank, PATIENCE_MS);
    bank_check_cases(bank);
    bank_disconnect(bank);
    world_stop(&world);
    check_file();
}

static void run_centre(void)
{
    struct world_options of_world = {.extra = "calls_per_second: 1000000\nburst: 1000000\nstop_grace: 100ms\n",
                                     .store = "log_round_pages: 24, log_restart_pages: 96"};
    world_prepare(&world, &of_world);
    cl_log_set_level(CL_LOG_NONE);
    struct bank_options of_bank = {.world = &world, .seed = campaign.seed, .thread_count = 3, .open_cases_max = 50};
    bank = bank_create(&of_bank);
    while (campaign_next(&campaign)) {
        uint64_t dice = campaign_seed_of_run(&campaign);
        live_in_centre(&dice);
        restore(&dice);
        if (campaign.run % WHOLE_CHECK_ONE_IN == 0 || campaign.run + 1 == campaign.first + campaign.runs) {
            finish_centre();
        }
        if (bank_violation(bank) != NULL) {
            campaign_violated(&campaign, "%s", bank_violation(bank));
        }
    }
}

/* -- The whole ------------------------------------------------------------------------------------------------ */

static void run_all(void)
{
    while (campaign_next(&campaign)) {
        bool first = (campaign.run - 1) % GROUP == 0 || books == NULL;
        bool last = campaign.run % GROUP == 0 || campaign.run + 1 == campaign.first + campaign.runs;
        if (first) {
            uint64_t dice = ~campaign_seed_of_run(&campaign);
            begin_database(&dice);
        }
        run_cut(last);
    }
}

static const struct campaign_option options[] = {
    {"centre", NULL, "a whole centre with real commands instead of a store alone", .flag = &centre},
    {"plant", "MODE", "sets PRAGMA synchronous to MODE (NORMAL, OFF), which has to be found", .text = &planted},
};

static struct campaign_plan plan = {
    .name = "power",
    .purpose = "the power goes while a store works; nothing acknowledged may be lost, nothing half done be there",
    .a_run = "a cut; the threads of the store add chance of their own",
    .runs = 20000,
    .group = GROUP,
    .examples = "  ./dev campaign power --runs 100000 --seed 7\n"
                "  ./dev campaign power --runs 2000 --plant NORMAL   has to fail\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
    .look = look,
};

/* What the disk held, for somebody to look at. */
static bool keep_disk(void)
{
    if (centre) {
        fixture_make_folder(folder);
    }
    bool written = power_vfs_write_out(folder);
    (void)(written && printf("what the disk held is in %s\n", folder) > 0);
    return written;
}

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    cl_log_set_level(CL_LOG_NONE); /* thousands of errors are made on purpose */
    power_vfs_install();
    if (centre) {
        plan.group = UINT32_MAX;
        run_centre();
    } else if (make_new_schema()) {
        run_all();
    }
    result = campaign_end(&campaign);
    bool kept = result == EXIT_SUCCESS || planted[0] != '\0' || !keep_disk();
    close_store();
    if (centre) {
        bank_free(bank);
        world_close(&world);
    } else if (kept) {
        fixture_remove_folder(folder);
    }
    books_free(books);
    power_disk_free(new_schema);
    power_vfs_remove();
    return result;
}
