/* journal.h - the bank's memory: an append-only file of small records, each on disk before anybody is told of it.
 *
 * Threads append and then wait until their record is durable; whoever comes first writes for all that came meanwhile, so
 * one sync pays for many. At the start the file is read once, record by record; an unfinished record at its end is what a
 * crash leaves and is cut off, a damaged one elsewhere stops the program.
 *
 * Owner: whoever opened it. Any thread appends. Fails: STORE_FAILED when the disk does, for good: after that nothing is
 * durable any more and the process has to end. The file holds personal values; it has mode 0600. */
#ifndef COLOAN_BANK_JOURNAL_H
#define COLOAN_BANK_JOURNAL_H

#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/limits.h"
#include "libcoloan/status.h"

enum bank_record_kind {
    BANK_RECORD_START = 1, /* number: epoch of this start */
    BANK_RECORD_EVENT, /* sequence, digest, text: application, number: when received (Unix ms), bytes: its envelope */
    BANK_RECORD_GAP,   /* sequence: the last one that cannot be had */
    BANK_RECORD_CASE, /* text: application, number: income, sequence: 1 if all credit is good, bytes: the contract's number */
    BANK_RECORD_REQUEST, /* sequence: of the event it answers, digest, number: expires_ms, bytes: the signed envelope */
    BANK_RECORD_ENDED,   /* text: application, which we decide on no more */
    BANK_RECORD_APPLIED, /* sequence, digest: of the event, text: our reference */
    BANK_RECORD_HELD,    /* number to sequence: the events that are held back and come later */
    BANK_RECORD_SAID,    /* sequence: that it was applied left us, number: 1 when the centre answered */
};

struct bank_record {
    enum bank_record_kind kind;
    uint64_t sequence;
    int64_t number;
    struct cl_digest digest;
    const char *text; /* at most CL_TEXT_BYTES_MAX bytes; NULL: "" */
    struct cl_bytes bytes;
};

struct bank_journal;

/* Runs for each record of the file, in order; the record is borrowed. */
typedef struct cl_status bank_journal_replay(void *user, const struct bank_record *record);

/* Opens or makes the file and replays it. CONFIG_INVALID when another process has it or it is damaged; what `replay`
 * returns; STORE_FAILED, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status bank_journal_open(struct bank_journal **out, const char *path,
                                                 bank_journal_replay *replay, void *user);
void bank_journal_close(struct bank_journal *journal); /* NULL is fine */

/* Puts a record behind all before; not yet durable. The ticket is for bank_journal_wait. MEMORY_LIMIT, STORE_FAILED. */
CL_MUST_CHECK struct cl_status bank_journal_append(uint64_t *ticket_out, struct bank_journal *journal,
                                                   const struct bank_record *record);

/* Waits until that record and all before are on disk. */
CL_MUST_CHECK struct cl_status bank_journal_wait(struct bank_journal *journal, uint64_t ticket);

/* Waits until everything appended so far is on disk. */
CL_MUST_CHECK struct cl_status bank_journal_sync(struct bank_journal *journal);

/* Appends and waits. */
CL_MUST_CHECK struct cl_status bank_journal_write(struct bank_journal *journal, const struct bank_record *record);

#endif
