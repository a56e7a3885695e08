/* schedule.h - does what is due by time: looks, takes a bounded batch, and runs each piece of work as a command of its
 * own, so that one that fails undoes nothing of the others.
 *
 * What is due stands in the database (server/store/due.h) and is taken away by the command that does it. So nothing is
 * done twice, nothing is forgotten by a restart, and looking too often is harmless.
 *
 * Owner: api. Threads: schedule_look on any; the work runs on the writer thread. */
#ifndef COLOAN_API_SCHEDULE_H
#define COLOAN_API_SCHEDULE_H

#include "server/api/effects.h"

struct schedule;

struct schedule_options {
    const struct cases *cases;
    struct store *store;
    struct effects *effects;
    struct api_counters *counters;
};

CL_MUST_CHECK struct cl_status schedule_create(struct schedule **out, const struct schedule_options *options);
void schedule_free(struct schedule *schedule); /* NULL is fine; the store has stopped */

/* Queues a look, unless the last one's work is still going on. OVERLOADED, SHUTTING_DOWN, MEMORY_LIMIT, STORE_FAILED;
 * harmless then, there is a next time. */
CL_MUST_CHECK struct cl_status schedule_look(struct schedule *schedule);

#endif
