/* lies_campaign: two banks that crash and lie. A real coloand decides steadily with two real coloan-bank programs, each of
 * which is killed with SIGKILL again and again, keeps a stream in one life and is called in another; and whenever it is
 * dead, somebody with its keys speaks in its name and lies, on streams, by calls, and as the inbox that the centre calls.
 * Nothing may be lost, doubled, or out of order within a case, and every lie has to come out as the specification says.
 *
 * The centre finds a bank's inbox at two addresses, first the bank's and then the liar's: so the liar is called as soon as
 * the bank is dead, and the bank as soon as it is back. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/bank/journal.h"
#include "server/store/store.h"
#include "tests/crash/centre.h"
#include "tests/crash/lies/applicants.h"
#include "tests/crash/lies/audit.h"
#include "tests/crash/lies/inbox.h"
#include "tests/support/campaign.h"

enum {
    LIVE_MS_MIN = 150, /* a life, at least, after the pace is reached */
    LIVE_MS_MAX = 600,
    /* So long a lying inbox stays: gRPC does not dial the bank's own address again within 200 ms of a refusal, and the
       centre leaves alone for half a minute whom it cannot reach five times. */
    CALLED_MS_MIN = 500,
    LIES_WHEN_DEAD = 4,
    LIES_BESIDE_MAX = 2,
    OTHER_WAY_ONE_IN = 6,
    LONG_MS = 2000, /* an event that waits longer is asked for: tries of hours are for other tests */
    LOOK_EVERY_MS = 50,
    STOP_MS_MAX = 60 * 1000,
    ARENA_BYTES = 1024 * 1024,
    EVENT_MS_MAX = 300, /* for something to lie about */
};

static struct campaign campaign;
static struct centre_files files;
static struct process centre;
static struct facts *facts;
static struct applicants *applicants;
static struct cl_arena *arena; /* of what an inbox borrows */

/* A bank, and who lies in its name. */
static struct {
    struct bank_program program;
    enum bank_way way;
    struct liar *liar;
    struct lying_inbox *inbox;
    uint16_t liar_port;
} banks[BANKS];

static const char *coloan_bank = COLOAN_BANK;
static uint64_t decisions; /* 0: fifty for each run */
static uint64_t rate = 150;
static uint64_t open_cases = 400;
static uint64_t patience_s = 300;
static uint64_t away_one_in = 16;
static const char *fault; /* NULL, or one of these, to be planted */
static bool stolen;

static const char fault_ack[] = "ack";       /* the liar acknowledges an event that the bank does not have */
static const char fault_record[] = "record"; /* a journal loses a record */

static bool is_planted(const char *which)
{
    return fault != NULL && strcmp(fault, which) == 0;
}

/* -- Counts --------------------------------------------------------------------------------------------------- */

static struct facts_progress progress;
static uint64_t acknowledged, kills, by_calls, away, refused, tolerated, inbox_lies, kinds_told, kinds;

static const struct campaign_count told[] = {
    {"applications", &acknowledged},
    {"decided", &progress.decided},
    {"left_to_a_person", &progress.with_a_person},
    {"events", &progress.events},
    {"kills", &kills},
    {"lives_by_calls", &by_calls},
    {"nobody_there", &away},
    {"lies_refused", &refused},
    {"lies_that_only_delay", &tolerated},
    {"lies_of_inboxes", &inbox_lies},
    {"kinds_told", &kinds_told},
    {"kinds", &kinds},
};

static void look(void)
{
    if (facts == NULL) {
        return;
    }
    progress = facts_progress(facts);
    acknowledged = applicants_count(applicants);
    refused = tolerated = inbox_lies = kinds_told = kinds = 0;
    for (size_t i = 0; i < BANKS; i++) {
        struct liar_counts counts = liar_counts(banks[i].liar);
        refused += counts.refused;
        tolerated += counts.tolerated;
        kinds_told += counts.kinds_told;
        kinds += counts.kinds;
        inbox_lies += lying_inbox_lies(banks[i].inbox);
    }
}

/* -- Waiting -------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* When something moved last. */
struct motion {
    uint64_t sum;
    int64_t moved_ms;
};

/* False when nothing has moved for as long as anybody is patient. */
static bool still_moves(struct motion *motion, const struct facts_progress *at)
{
    uint64_t sum = at->decided + at->with_a_person + at->events + at->received + at->applied;
    if (sum != motion->sum || motion->moved_ms == 0) {
        *motion = (struct motion){.sum = sum, .moved_ms = now_ms()};
    }
    return now_ms() - motion->moved_ms < (int64_t)patience_s * 1000;
}

/* What somebody would do who looks after a bank: nothing waits for hours. NULL, or what is wrong. */
static const char *look_after(void)
{
    const char *wrong = applicants_wrong(applicants);
    for (size_t i = 0; wrong == NULL && i < BANKS; i++) {
        wrong = liar_hasten(banks[i].liar, LONG_MS);
        if (wrong == NULL && banks[i].program.process.pid != 0 && !bank_program_lives(&banks[i].program)) {
            wrong = "a bank ended by itself";
        }
    }
    return wrong;
}

/* Why nothing moves. */
static const char *what_is_stuck(const struct facts_progress *at)
{
    static char text[160];
    for (size_t i = 0; i < BANKS; i++) {
        const char *party = bank_roles[i].party;
        uint64_t sequence = facts_applied_floor(facts, party) + 1;
        if (facts_is_received(facts, party, sequence)) {
            (void)snprintf(text, sizeof text, "event %" PRIu64 " of %s is acknowledged and was never applied", sequence,
                           party);
            return text;
        }
    }
    (void)snprintf(text, sizeof text,
                   "nothing moves any more: of %" PRIu64 " events %" PRIu64 " are received and %" PRIu64
                   " applied, %" PRIu64 " pending; %" PRIu64 " cases are undecided",
                   at->events, at->received, at->applied, at->pending, at->undecided);
    return text;
}

/* How many may be decided up to now: some are left for the moment at which an event is stolen. */
static uint64_t decisions_for_now(void)
{
    return is_planted(fault_ack) && !stolen ? decisions / 2 : decisions;
}

/* Until so many cases are decided; meanwhile people apply, for these and for those under way beyond them. */
static const char *keep_pace(uint64_t goal)
{
    struct motion motion = {0, 0};
    const char *wrong = NULL;
    for (;;) {
        struct facts_progress at = facts_progress(facts);
        uint64_t last = goal + open_cases < decisions_for_now() ? goal + open_cases : decisions_for_now();
        applicants_allow(applicants, last + at.with_a_person);
        if (wrong != NULL || at.decided >= goal) {
            return wrong;
        }
        if (!still_moves(&motion, &at)) {
            return what_is_stuck(&at);
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
        wrong = look_after();
    }
}

/* Both banks live: until all is decided and all is applied. */
static const char *settle(void)
{
    struct motion motion = {0, 0};
    const char *wrong = NULL;
    while (wrong == NULL) {
        struct facts_progress at = facts_progress(facts);
        if (at.undecided == 0 && at.pending == 0 && at.applied == at.events) {
            return NULL;
        }
        if (!still_moves(&motion, &at)) {
            return what_is_stuck(&at);
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
        wrong = look_after();
    }
    return wrong;
}

/* -- A run ---------------------------------------------------------------------------------------------------- */

static const char *tell_lies(size_t bank, uint64_t count, uint64_t *dice, bool dead)
{
    const char *wrong = NULL;
    for (uint64_t i = 0; wrong == NULL && i < count; i++) {
        wrong = liar_tell(banks[bank].liar, campaign_dice(dice, UINT64_MAX), dead);
    }
    return wrong;
}

/* An acknowledgement that it made once; empty: none yet. */
static struct cl_bytes old_words(size_t bank, uint64_t dice)
{
    enum { APPLIED = 2 }; /* never the answer to a call */
    struct fact_message old;
    cl_arena_reset(arena);
    bool found = facts_ack(&old, facts, arena, banks[bank].program.role->party, APPLIED, dice);
    return found ? old.envelope : cl_bytes(NULL, 0);
}

static const char *live_again(size_t bank, uint64_t *dice)
{
    if (fault == NULL && campaign_dice(dice, OTHER_WAY_ONE_IN) == 0) {
        banks[bank].way = banks[bank].way == BY_STREAM ? BY_CALLS : BY_STREAM;
    }
    by_calls += banks[bank].way == BY_CALLS;
    return bank_program_start(&banks[bank].program, banks[bank].way, centre.port) ? NULL : "a bank does not start";
}

/* The dead bank has events to come, soon: there is something to lie about. */
static void wait_for_an_event(size_t bank, int wait_ms)
{
    struct fact_event event;
    for (int waited_ms = 0; waited_ms < wait_ms; waited_ms += LOOK_EVERY_MS) {
        if (facts_pending(&event, facts, banks[bank].program.role->party, 0)) {
            return;
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
}

/* The bank just died. It is one that is called: on a stream every event is sent once, whatever was acknowledged. */
static void plant(size_t bank)
{
    enum { WAIT_MS = 10000 };
    if (!is_planted(fault_ack) || stolen || banks[bank].way != BY_CALLS) {
        return;
    }
    uint64_t known = facts_head(facts, banks[bank].program.role->party);
    applicants_allow(applicants, decisions);
    for (int waited_ms = 0; !stolen && waited_ms < WAIT_MS; waited_ms += LOOK_EVERY_MS) {
        stolen = liar_steal(banks[bank].liar, known);
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
}

static const char *crash(size_t bank, uint64_t *dice)
{
    bool nobody = campaign_dice(dice, away_one_in) == 0;
    uint64_t seed = campaign_dice(dice, UINT64_MAX);
    away += nobody;
    if (!nobody) {
        lying_inbox_open(banks[bank].inbox, seed, old_words(bank, seed));
    }
    int64_t died_ms = now_ms();
    bank_program_kill(&banks[bank].program);
    kills++;
    plant(bank);
    wait_for_an_event(bank, EVENT_MS_MAX);
    const char *wrong = tell_lies(bank, LIES_WHEN_DEAD, dice, true);
    if (wrong == NULL) {
        wrong = live_again(bank, dice);
    }
    int64_t left_ms = died_ms + CALLED_MS_MIN - now_ms();
    if (!nobody) {
        (void)poll(NULL, 0, left_ms > 0 ? (int)left_ms : 0);
        lying_inbox_close(banks[bank].inbox);
        wrong = wrong == NULL ? lying_inbox_wrong(banks[bank].inbox, facts) : wrong;
    }
    return wrong;
}

static const char *run_one(void)
{
    uint64_t dice = campaign_seed_of_run(&campaign);
    size_t bank = (size_t)campaign_dice(&dice, BANKS);
    const char *wrong = keep_pace(decisions * (campaign.run - 1) / campaign.runs);
    if (wrong == NULL) {
        wrong = look_after();
    }
    if (wrong == NULL) {
        (void)poll(NULL, 0, (int)(LIVE_MS_MIN + campaign_dice(&dice, LIVE_MS_MAX - LIVE_MS_MIN)));
        wrong = tell_lies(bank, campaign_dice(&dice, LIES_BESIDE_MAX + 1), &dice, false);
    }
    return wrong == NULL ? crash(bank, &dice) : wrong;
}

/* -- The verdict ---------------------------------------------------------------------------------------------- */

/* A journal that is written anew but for one record: the middle one of those that say what was applied. */
struct copying {
    struct bank_journal *to;
    uint64_t applied, left_out;
};

static struct cl_status count_record(void *user, const struct bank_record *record)
{
    ((struct copying *)user)->applied += record->kind == BANK_RECORD_APPLIED;
    return cl_ok();
}

static struct cl_status copy_record(void *user, const struct bank_record *record)
{
    struct copying *copying = user;
    bool applies = record->kind == BANK_RECORD_APPLIED;
    copying->left_out -= applies ? 1 : 0;
    return applies && copying->left_out == 0 ? cl_ok() : bank_journal_write(copying->to, record);
}

static bool lose_a_record(const char *path)
{
    char lossy[160];
    struct bank_journal *from = NULL;
    struct copying copying = {.applied = 0};
    (void)snprintf(lossy, sizeof lossy, "%s.lossy", path);
    bool done = cl_is_ok(bank_journal_open(&from, path, count_record, &copying));
    bank_journal_close(from);
    copying.left_out = copying.applied / 2;
    done = done && copying.left_out > 0 && cl_is_ok(bank_journal_open(&copying.to, lossy, count_record, &copying)) &&
           cl_is_ok(bank_journal_open(&from, path, copy_record, &copying));
    bank_journal_close(from);
    bank_journal_close(copying.to);
    return done && rename(lossy, path) == 0;
}

static const char *stop_centre(void)
{
    (void)kill(centre.pid, SIGTERM);
    struct process_end end = process_wait(&centre, STOP_MS_MAX);
    process_kill(&centre);
    return end.ended && end.status == 0 ? NULL : "the centre does not stop in good order";
}

static const char *read_books(struct bank_books books[BANKS])
{
    const char *wrong = NULL;
    for (size_t i = 0; i < BANKS; i++) {
        const struct bank_program *program = &banks[i].program;
        const char *found = bank_books_read(&books[i], program->journal, program->role, files.world.keyring);
        wrong = wrong == NULL ? found : wrong;
    }
    for (size_t i = 0; wrong == NULL && i < BANKS; i++) {
        wrong = audit_reconcile(&books[i], liar_session(banks[i].liar));
    }
    return wrong;
}

static const char *hold_to_it(void)
{
    struct bank_books books[BANKS];
    size_t applied_count = 0;
    for (size_t i = 0; i < BANKS; i++) {
        if (!bank_program_stop(&banks[i].program)) {
            return "a bank does not stop in good order";
        }
    }
    applicants_stop(applicants);
    look();
    if (is_planted(fault_record) && !lose_a_record(banks[0].program.journal)) {
        return "the fault cannot be planted";
    }
    const char *wrong = read_books(books);
    if (wrong == NULL) {
        wrong = stop_centre();
    }
    const struct applied_for *applied = applicants_list(&applied_count, applicants);
    if (wrong == NULL) {
        wrong = audit_centre(pki_files_path(&files.world.files, "coloan.db"), books, files.world.keyring, applied,
                             applied_count);
    }
    for (size_t i = 0; i < BANKS; i++) {
        bank_books_close(&books[i]);
    }
    return wrong;
}

/* -- All of it ------------------------------------------------------------------------------------------------ */

/* The centre's file needs the inboxes' addresses before anybody listens there. */
static void open_all(void)
{
    char extra[400];
    uint16_t ports[BANKS][2];
    for (size_t i = 0; i < BANKS; i++) {
        ports[i][0] = bank_program_free_port();
        ports[i][1] = bank_program_free_port();
    }
    (void)snprintf(
        extra, sizeof extra,
        "connections_per_party: 100\nstop_grace: 1s\ninboxes:\n"
        "  - {bank: \"%s\", target: \"ipv4:127.0.0.1:%u,127.0.0.1:%u\", server_name: localhost, parallel: 3}\n"
        "  - {bank: \"%s\", target: \"ipv4:127.0.0.1:%u,127.0.0.1:%u\", server_name: localhost, parallel: 3}\n",
        bank_roles[0].party, ports[0][0], ports[0][1], bank_roles[1].party, ports[1][0], ports[1][1]);
    struct centre_options options = {.extra = extra};
    centre_open(&files, &options);
    for (size_t i = 0; i < BANKS; i++) {
        bank_program_init(&banks[i].program, &files.world, &bank_roles[i], coloan_bank, ports[i][0]);
        banks[i].liar_port = ports[i][1];
        banks[i].way = i == 0 ? BY_STREAM : BY_CALLS;
    }
}

static const char *begin(void)
{
    if (!centre_start(&centre, &files) || cl_failed(cl_arena_create(&arena, ARENA_BYTES))) {
        return "the centre does not start";
    }
    applicants = applicants_create(&files.world, centre.port, rate);
    facts = facts_open(pki_files_path(&files.world.files, "coloan.db"));
    for (size_t i = 0; i < BANKS; i++) {
        struct liar_options options = {.world = &files.world,
                                       .role = &bank_roles[i],
                                       .other = &bank_roles[BANKS - 1 - i],
                                       .centre_port = centre.port,
                                       .facts = facts};
        banks[i].liar = liar_create(&options);
        banks[i].inbox = lying_inbox_create(&files.world, &bank_roles[i], banks[i].liar, banks[i].liar_port);
    }
    for (size_t i = 0; i < BANKS; i++) {
        if (!bank_program_start(&banks[i].program, banks[i].way, centre.port)) {
            return "a bank does not start";
        }
    }
    return NULL;
}

static void end_all(void)
{
    for (size_t i = 0; i < BANKS; i++) {
        if (banks[i].inbox != NULL) {
            lying_inbox_close(banks[i].inbox);
        }
        bank_program_kill(&banks[i].program);
    }
    if (applicants != NULL) {
        applicants_stop(applicants);
    }
    process_kill(&centre);
}

static void close_all(bool keep)
{
    for (size_t i = 0; i < BANKS; i++) {
        lying_inbox_free(banks[i].inbox);
        liar_free(banks[i].liar);
    }
    applicants_free(applicants);
    facts_close(facts);
    cl_arena_free(arena);
    if (keep) {
        (void)printf("its files are kept in %s\n", files.world.files.folder);
        return;
    }
    centre_close(&files);
}

static const char *run_all(void)
{
    const char *wrong = begin();
    while (wrong == NULL && campaign_next(&campaign)) {
        wrong = run_one();
    }
    if (wrong == NULL) {
        wrong = keep_pace(decisions);
    }
    if (wrong == NULL) {
        wrong = settle();
    }
    return wrong == NULL ? hold_to_it() : wrong;
}

static const struct campaign_option options[] = {
    {"decisions", "N", "joint decisions in all (50 for each run)", .number = &decisions, .min = 1, .max = 2000000},
    {"rate", "N", "applications a second, at most", .number = &rate, .min = 1, .max = 100000},
    {"open-cases", "N", "cases under way at once", .number = &open_cases, .min = 1, .max = 100000},
    {"away", "N", "of so many crashes one leaves nobody where the centre calls, so that it waits half a minute",
     .number = &away_one_in, .min = 1, .max = 1000000},
    {"patience", "SECONDS", "without any motion, until it counts as lost", .number = &patience_s, .min = 1,
     .max = 86400},
    {"coloan-bank", "PATH", "the program (the one built beside this)", .text = &coloan_bank},
    {"plant", "FAULT",
     "which has to be found: ack, an event that nobody has is acknowledged; record, a journal loses one",
     .text = &fault},
};

static const struct campaign_plan plan = {
    .name = "lies",
    .purpose = "two banks crash and lie while coloand decides with them; nothing may be lost, doubled or out of order",
    .a_run = "a bank killed, lies told in its name, and its next life; threads add chance of their own",
    .runs = 100,
    .group = UINT32_MAX,
    .examples = "  ./dev campaign lies --runs 1000 --decisions 100000 --seed 7\n"
                "  ./dev campaign lies --runs 50 --rate 50\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
    .look = look,
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    enum { DECISIONS_A_RUN = 50, EXIT_USAGE = 2 };
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    if (fault != NULL && !is_planted(fault_ack) && !is_planted(fault_record)) {
        (void)fprintf(stderr, "lies: --plant is for: ack, record\n");
        return EXIT_USAGE;
    }
    decisions = decisions == 0 ? campaign.runs * DECISIONS_A_RUN : decisions;
    open_all();
    const char *wrong = run_all();
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
    end_all();
    result = campaign_end(&campaign);
    close_all(result != EXIT_SUCCESS && fault == NULL);
    return result;
}
