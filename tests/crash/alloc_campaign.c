/* alloc_campaign: the n-th allocation of a whole centre fails, once or with all that follow, from its first start on, at
 * a start, while an application is submitted, verified, decided and delivered, or while every other method is called on
 * it. It may refuse, and its store may end;
 * it must not crash, leak (asan), or leave anything half done: when there is memory again, the same requests succeed and
 * the database holds what it holds after a run without failure.
 *
 * The centre runs in this process, gRPC and TLS and all, with a bank and authorities beside it that have all the memory
 * they want (alloc_fault.h). Runs take the ways in turn: run r fails allocation (r - 1) / ways + 1 of way (r - 1) % ways.
 * A way whose n-th allocation does not come up any more is through; when all are, the campaign ends by itself. */
#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/log.h"
#include "tests/crash/asks.h"
#include "tests/crash/bank.h"
#include "tests/support/alloc_fault.h"
#include "tests/support/campaign.h"

enum {
    LOOK_EVERY_MS = 1,
    TICK_EVERY = 20,     /* looks */
    PATIENCE_MS = 60000, /* for an approval, sanitizers on a busy machine */
    DROUGHT_MS = 60,     /* without any memory */
    STATE_BYTES = 4096,
    NOTHING_LEFT = 3, /* failures may come with no call to fail: a way is through after so many */
};

enum way { FIRST_START, FIRST_START_ON, START, START_ON, APPROVAL, APPROVAL_ON, ASKS, ASKS_ON, WAYS };

static struct campaign campaign;
static struct world world;
static struct bank *bank;
static bool through[WAYS];
static unsigned quiet[WAYS];                      /* runs in a row without a failure */
static char expected[STATE_BYTES];                /* of the database, after a run without failure */
static char expected_asked[STATE_BYTES];          /* the same after the other requests */
static enum cl_reason expected_reasons[ASKS_MAX]; /* of them */
static uint64_t step = 1;
static bool planted;

static uint64_t failures, tolerated, refused_starts, failed_stores, left_to_a_person, last_allocation;

static const struct campaign_count told[] = {
    {"failures", &failures},
    {"tolerated", &tolerated},
    {"refused_starts", &refused_starts},
    {"failed_stores", &failed_stores},
    {"left_to_a_person", &left_to_a_person},
    {"last_allocation", &last_allocation},
};

/* -- The database --------------------------------------------------------------------------------------------- */

static const char *in_folder(const char *name)
{
    return pki_files_path(&world.files, name);
}

/* With the mode that a database has to have. */
static bool copy_file(const char *from, const char *to)
{
    return pki_files_try_copy(&world.files, from, to) && chmod(in_folder(to), 0600) == 0;
}

/* As this copy has it; NULL: there is none. */
static void set_database(const char *copy)
{
    (void)unlink(in_folder("coloan.db"));
    (void)unlink(in_folder("coloan.db-wal"));
    (void)unlink(in_folder("coloan.db-shm"));
    if (copy != NULL && !copy_file(copy, "coloan.db")) {
        campaign_violated(&campaign, "the database cannot be copied");
    }
}

static int64_t ask(sqlite3 *database, const char *query)
{
    sqlite3_stmt *row = NULL;
    int64_t answer = -1;
    if (sqlite3_prepare_v2(database, query, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW) {
        answer = sqlite3_column_int64(row, 0);
    }
    (void)sqlite3_finalize(row);
    return answer;
}

/* How many rows each table has, and where the application stands. Acknowledgements are left out: how many a bank sends
 * depends on how often an event came. */
static void read_state(char out[STATE_BYTES])
{
    static const char tables[] =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('outbox_acks', 'pending',"
        " 'messages', 'migrations') ORDER BY 1";
    static const char *const columns[] = {"state",         "fund",        "bank_track",       "registry",   "outcome",
                                          "offer_version", "items_total", "items_by_machine", "items_open", "round"};
    sqlite3 *database = NULL;
    sqlite3_stmt *table = NULL;
    size_t len = 0;
    char query[160];
    int opened = sqlite3_open_v2(in_folder("coloan.db"), &database, SQLITE_OPEN_READONLY, NULL);
    if (opened == SQLITE_OK && sqlite3_prepare_v2(database, tables, -1, &table, NULL) == SQLITE_OK) {
        while (sqlite3_step(table) == SQLITE_ROW) {
            const char *name = (const char *)sqlite3_column_text(table, 0);
            (void)snprintf(query, sizeof query, "SELECT count(*) FROM %.64s", name);
            len += (size_t)snprintf(out + len, STATE_BYTES - len, "%s %" PRId64 "\n", name, ask(database, query));
        }
    }
    (void)sqlite3_finalize(table);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        (void)snprintf(query, sizeof query, "SELECT %s FROM applications", columns[i]);
        len += (size_t)snprintf(out + len, STATE_BYTES - len, "%s %" PRId64 "\n", columns[i], ask(database, query));
    }
    (void)snprintf(query, sizeof query, "SELECT count(*) FROM messages WHERE direction <> %d",
                   COLOAN__V1__DIRECTION__DIRECTION_ACK);
    int64_t messages = ask(database, query);
    (void)snprintf(out + len, STATE_BYTES - len, "messages %" PRId64 "\n", messages);
    (void)sqlite3_close(database);
}

/* The planted fault: what is due for the application is forgotten. */
static void plant(void)
{
    sqlite3 *database = NULL;
    if (sqlite3_open(in_folder("coloan.db"), &database) == SQLITE_OK) {
        (void)sqlite3_exec(database, "DELETE FROM due", NULL, NULL, NULL);
    }
    (void)sqlite3_close(database);
}

/* The first line in which two states differ. */
static void tell_difference(const char *state, const char *instead)
{
    size_t at = 0;
    while (state[at] == instead[at]) {
        at++;
    }
    while (at > 0 && state[at - 1] != '\n') {
        at--;
    }
    campaign_violated(&campaign, "the database holds \"%.*s\" instead of \"%.*s\"", (int)strcspn(state + at, "\n"),
                      state + at, (int)strcspn(instead + at, "\n"), instead + at);
}

/* -- Starts --------------------------------------------------------------------------------------------------- */

static void start(void)
{
    if (cl_failed(world_try_start(&world))) {
        campaign_violated(&campaign, "the centre does not start with memory");
    }
}

static void fail_start(uint64_t at, bool for_ever)
{
    alloc_fault_here(true);
    alloc_fault_arm(at, for_ever);
    struct cl_status status = world_try_start(&world);
    bool struck = alloc_fault_struck();
    if (at % 2 == 0) {
        alloc_fault_arm(0, false); /* else it also stops without memory */
    }
    world_stop(&world);
    alloc_fault_arm(0, false);
    alloc_fault_here(false);
    failures += struck;
    refused_starts += cl_failed(status);
    tolerated += struck && cl_is_ok(status);
    if (cl_failed(status) && !struck) {
        campaign_violated(&campaign, "the centre does not start: %s", cl_status_name(status));
    }
    start();
    world_stop(&world);
}

/* -- One approval --------------------------------------------------------------------------------------------- */

static bool is_decided(void)
{
    struct bank_counts counts = bank_counts(bank);
    return counts.applications > 0 && counts.open_cases == 0 && counts.requests.open == 0;
}

static bool store_lives(void *user)
{
    (void)user;
    return !atomic_load(&world.store_failed);
}

/* Keeps the server company until the approval is there, its store failed, or the time is over. */
static void wait_for_decision(int64_t wait_ms, bool counts_too)
{
    int64_t end_ms = cl_clock_monotonic_ms(cl_clock_system()) + wait_ms;
    for (unsigned looks = 0; !is_decided() && store_lives(NULL) && bank_violation(bank) == NULL; looks++) {
        if (cl_clock_monotonic_ms(cl_clock_system()) >= end_ms) {
            return;
        }
        if (looks % TICK_EVERY == 0) {
            alloc_fault_here(counts_too);
            coloand_tick(world.server);
            alloc_fault_here(false);
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
}

static void stop(void)
{
    bank_disconnect(bank);
    world_stop(&world);
}

/* With memory: what was begun comes to its end, and everything is asked for again. */
static void finish(void)
{
    if (store_lives(NULL)) {
        wait_for_decision(PATIENCE_MS, false); /* the same process goes on */
    }
    failed_stores += !store_lives(NULL);
    stop();
    start();
    if (!bank_connect(bank, coloand_port(world.server), BANK_FINISH)) {
        campaign_violated(&campaign, "the centre does not answer");
        return;
    }
    wait_for_decision(PATIENCE_MS, false);
    bank_check_answers(bank, PATIENCE_MS);
    bank_check_cases(bank);
    stop();
    if (bank_violation(bank) != NULL) {
        campaign_violated(&campaign, "%s", bank_violation(bank));
    }
}

/* Whether a person has a task: what becomes of a question that could not be asked, or an answer that could not be read.
 * Never a decision without it. */
static bool waits_for_a_person(const char *state)
{
    return strstr(state, "\ndecisions 0\n") != NULL && strstr(state, "\noffers 0\n") != NULL &&
           strstr(state, "\ntasks 0\n") == NULL;
}

static void fail_approval(uint64_t at, bool for_ever)
{
    char state[STATE_BYTES];
    struct bank_watch watch = {store_lives, NULL};
    struct bank_options options = {.world = &world,
                                   .seed = 1,
                                   .thread_count = 1,
                                   .plain = true,
                                   .memory_comes_back = true,
                                   .cases_max = 1,
                                   .open_cases_max = 1};
    bank = bank_create(&options);
    start();
    if (!bank_connect_while(bank, coloand_port(world.server), BANK_BUSY, &watch)) {
        campaign_violated(&campaign, "the centre does not answer");
        return;
    }
    alloc_fault_arm(at, for_ever);
    wait_for_decision(for_ever ? DROUGHT_MS : PATIENCE_MS, true);
    bool struck = alloc_fault_struck();
    alloc_fault_arm(0, false);
    failures += struck;
    tolerated += struck && store_lives(NULL);
    finish();
    if (planted && at > 0) {
        plant();
    }
    read_state(state);
    if (expected[0] == '\0') {
        memcpy(expected, state, sizeof expected);
    }
    bool differs = !campaign_is_violated(&campaign) && strcmp(state, expected) != 0;
    left_to_a_person += differs && waits_for_a_person(state);
    if (differs && !waits_for_a_person(state)) {
        tell_difference(state, expected);
    }
    bank_free(bank);
    bank = NULL;
}

/* -- The other requests, of a case that is approved ---------------------------------------------------------- */

static void check_reasons(const struct asks *asks)
{
    for (size_t i = 0; i < asks->count; i++) {
        if (asks->reasons[i] != expected_reasons[i]) {
            campaign_violated(&campaign, "%s was answered %s", asks->requests[i].method,
                              cl_status_name(cl_fail(asks->reasons[i])));
        }
    }
}

static bool may_send(void *user)
{
    (void)user;
    alloc_fault_here(true);
    coloand_tick(world.server);
    alloc_fault_here(false);
    return store_lives(NULL);
}

/* Without memory any of them may be refused; with it, the same bytes get what they get without a failure. */
static void fail_asks(uint64_t at, bool for_ever)
{
    char state[STATE_BYTES];
    struct asks asks;
    start();
    asks_open(&asks, &world);
    alloc_fault_arm(at, for_ever);
    asks_send(&asks, may_send, NULL);
    bool struck = alloc_fault_struck();
    alloc_fault_arm(0, false);
    failures += struck;
    tolerated += struck && store_lives(NULL);
    failed_stores += !store_lives(NULL);
    world_stop(&world);
    start();
    asks_reconnect(&asks);
    asks_send(&asks, may_send, NULL);
    world_stop(&world);
    read_state(state);
    if (expected_asked[0] == '\0') {
        memcpy(expected_asked, state, sizeof expected_asked);
        memcpy(expected_reasons, asks.reasons, sizeof expected_reasons);
    }
    check_reasons(&asks);
    if (!campaign_is_violated(&campaign) && strcmp(state, expected_asked) != 0) {
        tell_difference(state, expected_asked);
    }
    asks_close(&asks);
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

static void run_one(enum way way, uint64_t at)
{
    uint64_t before = failures;
    bool for_ever = way % 2 == 1;
    last_allocation = at;
    set_database(way >= ASKS ? "approved.db" : way >= START ? "new.db" : NULL);
    if (way < APPROVAL) {
        fail_start(at, for_ever);
    } else if (way < ASKS) {
        fail_approval(at, for_ever);
    } else {
        fail_asks(at, for_ever);
    }
    quiet[way] = failures == before ? quiet[way] + 1 : 0;
    through[way] = quiet[way] >= NOTHING_LEFT;
}

static bool all_through(void)
{
    bool all = true;
    for (size_t i = 0; i < WAYS; i++) {
        all = all && through[i];
    }
    return all;
}

static void run_all(void)
{
    set_database(NULL);
    start();
    world_stop(&world);
    if (!copy_file("coloan.db", "new.db")) {
        campaign_violated(&campaign, "the database cannot be copied");
    }
    set_database("new.db");
    fail_approval(0, false); /* what is to be compared with */
    if (!copy_file("coloan.db", "approved.db")) {
        campaign_violated(&campaign, "the database cannot be copied");
    }
    set_database("approved.db");
    fail_asks(0, false);
    while (!all_through() && campaign_next(&campaign)) {
        enum way way = (enum way)((campaign.run - 1) % WAYS);
        if (!through[way]) {
            run_one(way, 1 + (campaign.run - 1) / WAYS * step);
        }
    }
    if (all_through()) {
        campaign_complete(&campaign);
    }
}

static const struct campaign_option options[] = {
    {"step", "N", "only every n-th allocation", .number = &step, .min = 1, .max = 100000},
    {"plant", NULL, "forgets what is due for the application, which has to be found", .flag = &planted},
};

static const struct campaign_plan plan = {
    .name = "alloc",
    .purpose = "every allocation of a centre fails in turn; no crash, no leak, nothing half done",
    .a_run = "one allocation that fails; it ends by itself when all have",
    .runs = 1000000,
    .examples = "  ./dev campaign alloc --step 50\n"
                "  ./dev campaign alloc --first 601 --runs 60\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    struct world_options world_options = {.extra = "calls_per_second: 1000000\nburst: 1000000\nstop_grace: 100ms\n"};
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    alloc_fault_install();
    world_prepare(&world, &world_options);
    cl_log_set_level(CL_LOG_NONE); /* thousands of errors are made on purpose */
    run_all();
    result = campaign_end(&campaign);
    world_close(&world);
    return result;
}
