/* bank.h - a bank that trusts nobody's memory but its own: it submits generated households, reports, decides, takes
 * events, keeps all of it in ledgers, and holds the centre to every word it ever gave, across any number of lives of
 * the centre's process.
 *
 * What it calls a violation: an answer that a repetition does not get again byte for byte; an acknowledged submission
 * or decision that is gone, doubled or changed; an event whose bytes changed, a gap, a head that went back; a second
 * application or joint decision for one submission; a refusal of what is right. The first one is kept and told.
 *
 * Owner: whoever created it frees it, disconnected. One thread drives it; its own threads work while it is connected.
 * Fails: only by violations. Aborts without memory: it is not what is tested. */
#ifndef COLOAN_TESTS_CRASH_BANK_H
#define COLOAN_TESTS_CRASH_BANK_H

#include "tests/crash/ledger.h"
#include "tests/e2e/world.h"

#define BANK_VIOLATION_BYTES_MAX 512

struct bank;

struct bank_options {
    const struct world *world; /* outlives the bank */
    uint64_t seed;
    unsigned thread_count;
    bool plain;              /* repeats nothing that was answered and resumes where it was, so that lives are alike */
    bool memory_comes_back;  /* MEMORY_LIMIT is passing: the centre was short of memory on purpose */
    unsigned cases_max;      /* in all; 0: no limit */
    unsigned open_cases_max; /* submitted and not ended; more would only wait for the authorities */
};

struct bank *bank_create(const struct bank_options *options);
void bank_free(struct bank *bank); /* NULL is fine */

enum bank_mood {
    BANK_BUSY,   /* submits, decides, repeats at random; resumes its stream somewhat before where it was */
    BANK_FINISH, /* only finishes what is under way */
    BANK_REPLAY, /* as FINISH, and takes the whole stream again from the start */
};

/* Connects to the centre on that port, waits for a first verified answer and starts to work. False when none comes. */
bool bank_connect(struct bank *bank, uint16_t port, enum bank_mood mood);

/* The same with a centre that may end meanwhile: it is not waited for when it does not live any more. */
struct bank_watch {
    bool (*lives)(void *user);
    void *user;
};
bool bank_connect_while(struct bank *bank, uint16_t port, enum bank_mood mood, const struct bank_watch *watch);

/* Ends all work and the session. */
void bank_disconnect(struct bank *bank);

/* NULL, or the first violation. */
const char *bank_violation(struct bank *bank);

struct bank_counts {
    struct ledger_counts requests;
    uint64_t applications, events, events_again, open_cases, joint_decisions;
    uint64_t late_answers;   /* first answers that a life of the centre before this one had made, and not delivered */
    uint64_t store_failures; /* answers STORE_FAILED */
    uint64_t ok_after_failures; /* OK, asked after such an answer in the same life of the centre: never right */
};
struct bank_counts bank_counts(struct bank *bank);

/* -- While disconnected --------------------------------------------------------------------------------------- */

/* Runs over every answered request. */
void bank_each_answered(struct bank *bank, void (*each)(void *user, const struct entry *entry), void *user);

/* -- While connected ------------------------------------------------------------------------------------------ */

/* FINISH: waits until every request is answered and every case has ended; a violation when that takes longer. */
void bank_finish(struct bank *bank, int64_t wait_ms);

/* FINISH: every answered request is sent again; the answers must be the first ones. */
void bank_check_answers(struct bank *bank, int64_t wait_ms);

/* FINISH: every submission is listed exactly once under the id of its receipt, nothing else is listed, and what was
 * decided is decided still and proven by one joint decision that holds our own signed words. */
void bank_check_cases(struct bank *bank);

/* REPLAY: waits until the whole stream was seen again. */
void bank_check_stream(struct bank *bank, int64_t wait_ms);

#endif
