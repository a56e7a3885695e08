/* books.h - a load for a store alone, and the book of what it answered: submissions, decisions and acknowledgements in
 * the rows that the real ones write, by the real record modules, and commands that are refused after they wrote.
 *
 * Of every command the book knows what was answered. After a restart it holds the store to it: what was answered OK is
 * there, once and with all its rows; what was refused is not; what was not answered is there whole or not at all, and
 * of those only the earlier ones; the numbers of events have no gap, and nothing else is there. What came to nothing is
 * then struck off, and the load goes on.
 *
 * Owner: the creator; no store has a command of it by then. One thread drives it; the store's writer answers. Fails:
 * only by what the comparison finds. Aborts without memory: it is not what is tested. */
#ifndef COLOAN_TESTS_CRASH_BOOKS_H
#define COLOAN_TESTS_CRASH_BOOKS_H

#include "server/store/store.h"

struct books;

struct books *books_create(uint64_t seed);
void books_free(struct books *books); /* NULL is fine */

/* Gives the store one more command. False when it takes none: it failed, stops, or the disk is nearly full. */
bool books_submit(struct books *books, struct store *store);
/* Until all that were given are answered. */
void books_wait(struct books *books);

/* Whether anything was answered OK after something was answered with STORE_FAILED since the last comparison, which never
 * may be. */
bool books_ok_after_failure(struct books *books);

/* Holds a store that was opened anew to the book; NULL, or what is wrong. `all`: looks at every command again, not only
 * at the latest. The text is good until the next call. */
const char *books_compare(struct books *books, struct store *store, bool all);

struct books_counts {
    uint64_t acknowledged, refused, unanswered;
    uint64_t done_unanswered; /* not answered, and there */
};
struct books_counts books_counts(const struct books *books);

#endif
