/* archive.h - a store that is full of the past: applications whose loans are being repaid, with their messages, events,
 * items and steps, written by the record modules in large transactions.
 *
 * Messages are small and their digests ascend, which is what makes filling quick; a start reads neither. One thread.
 * Fails: with the store. */
#ifndef COLOAN_TESTS_CRASH_ARCHIVE_H
#define COLOAN_TESTS_CRASH_ARCHIVE_H

#include "server/store/store.h"

#define ARCHIVE_ITEMS 4 /* of each application; a real one has some thirty, which no start reads either */

/* Adds applications `from` .. `to` - 1 of `bank` with `centre`. */
CL_MUST_CHECK struct cl_status archive_fill(struct store *store, const char *centre, const char *bank, uint32_t from,
                                            uint32_t to);

#endif
