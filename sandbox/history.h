/* history.h - how often a simulated authority was asked the same: what a registration's state goes by.
 *
 * Owner: whoever made it frees it. Any number of threads. Fails: MEMORY_LIMIT. */
#ifndef COLOAN_SANDBOX_HISTORY_H
#define COLOAN_SANDBOX_HISTORY_H

#include "libcoloan/status.h"

struct history;

CL_MUST_CHECK struct cl_status history_create(struct history **out);
void history_free(struct history *history); /* NULL is fine */

/* Counts this question and says how many came before it. Past HISTORY_QUESTIONS_MAX different ones the oldest places are
 * taken over. NULL: nobody counts, none came before. */
#define HISTORY_QUESTIONS_MAX 65536
unsigned history_count(struct history *history, const char *item, const char *about);

#endif
