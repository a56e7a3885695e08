/* ledger.h - what a bank keeps of every request it ever made, so that it can be held against the centre's word: the
 * very bytes, whether they were answered, and the first answer's digest.
 *
 * Owner: the ledger owns its entries; an entry's pointer stays good until ledger_free. Threads: any; what an entry says
 * of itself is read by whoever took it and changed only through the functions here. Aborts without memory: it is not
 * what is tested. */
#ifndef COLOAN_TESTS_CRASH_LEDGER_H
#define COLOAN_TESTS_CRASH_LEDGER_H

#include "libcoloan/session.h"

/* Answered entries whose bytes are kept for repetition; older ones keep their digests only. Some 600 MB at most. */
#define LEDGER_RETAINED_MAX 100000

enum entry_kind { ENTRY_SUBMIT, ENTRY_REPORT, ENTRY_DECIDE };

struct entry {
    enum entry_kind kind;
    uint64_t household;
    const char *method; /* static */
    const ProtobufCMessageDescriptor *reply_type;
    struct cl_uuid message_id;
    struct cl_digest digest;
    uint8_t *envelope; /* NULL: dropped long after it was answered */
    size_t envelope_len;
    int64_t expires_ms;
    bool acknowledged;
    int64_t added_ms, acknowledged_ms; /* Unix; when it was prepared, and when its first answer was here */
    struct cl_digest reply;            /* SHA-256 of the first answer's bytes */
    unsigned sent_count;
    unsigned users; /* threads that hold it */
    struct entry *next;
};

struct ledger;

struct ledger *ledger_create(void);
void ledger_free(struct ledger *ledger); /* NULL is fine */

/* Keeps a prepared request. */
void ledger_add(struct ledger *ledger, const struct cl_request *request, enum entry_kind kind, uint64_t household);

/* The next entry without an answer, or NULL. */
struct entry *ledger_take_open(struct ledger *ledger);

/* The next of the answered ones that are to be sent again, or NULL. */
struct entry *ledger_take_repeat(struct ledger *ledger);

/* A random answered one, `dice` any number; or NULL. */
struct entry *ledger_take_any(struct ledger *ledger, uint64_t dice);

/* Every answered entry, the last `count` of them, is to be sent again. */
void ledger_repeat_last(struct ledger *ledger, size_t count);

/* Gives back what was taken. With an answer: the first is kept; false when a later one is another. */
bool ledger_answered(struct ledger *ledger, struct entry *entry, struct cl_bytes reply);
void ledger_unanswered(struct ledger *ledger, struct entry *entry);

struct ledger_counts {
    uint64_t acknowledged, open, repeated; /* repeated: answers that were compared with a first one */
    uint64_t sent_again;                   /* requests that were answered after more than one sending */
    uint64_t repeats_due;                  /* still to be taken or held */
};
struct ledger_counts ledger_counts(struct ledger *ledger);

/* Runs over the answered ones of a kind; nobody else uses the ledger meanwhile. */
void ledger_each(struct ledger *ledger, enum entry_kind kind, void (*each)(void *user, const struct entry *entry),
                 void *user);

#endif
