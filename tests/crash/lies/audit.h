/* audit.h - at the end: what the centre's database says, by SQL of our own, is held against what the banks' journals say
 * and what was acknowledged to those who applied.
 *
 * Owner: whoever read a journal closes it. One thread. Fails: what is wrong is told, in a text that is good until the next
 * call. Aborts without memory. */
#ifndef COLOAN_TESTS_CRASH_LIES_AUDIT_H
#define COLOAN_TESTS_CRASH_LIES_AUDIT_H

#include "libcoloan/session.h"
#include "tests/crash/lies/applicants.h"

/* What a bank's journal says of one event. */
struct journal_event {
    struct cl_digest digest;
    unsigned received_times, applied_times;
    uint64_t applied_at; /* the how-manieth to be applied, from 1 */
    bool named_well;     /* its reference is the one the bank makes of its number */
};

struct bank_books {
    struct journal_event *events; /* of sequence n at n - 1 */
    size_t count, room;
    uint64_t applied;
    const struct cl_keyring *keyring;
    const char *name;
    struct cl_arena *arena;
    const char *wrong; /* NULL, or what is */
};

/* Reads a journal whose bank has ended, and verifies each event in it. NULL, or what is wrong. */
const char *bank_books_read(struct bank_books *out, const char *path, const struct bank_role *role,
                            const struct cl_keyring *keyring);
void bank_books_close(struct bank_books *books);

/* Finds with the centre that both hold the same events, all of them. NULL, or what is wrong. */
const char *audit_reconcile(const struct bank_books *books, struct cl_session *session);

/* The centre has ended. NULL, or what is wrong with:
 *   each acknowledged submission is there, in its own bytes, and no other; it is decided once, or waits for a person;
 *   each event is in its bank's journal once, in the same bytes, and was applied once, under the bank's reference, in the
 *   order of its application's events; nothing is pending or parked;
 *   each is acknowledged twice, RECEIVED and APPLIED, by words of the bank that verify and name it. */
const char *audit_centre(const char *database, const struct bank_books books[BANKS], const struct cl_keyring *keyring,
                         const struct applied_for *applied, size_t applied_count);

#endif
