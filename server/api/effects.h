/* effects.h - carries out, after the commit, what a command left to do: wakes the bank's stream, asks the authorities.
 *
 * Inquiries on their way are remembered, so that no application is asked for twice at a time; their answers come back
 * as commands of our own. What gets lost (overload, restart) is found open by the sweep and asked again.
 *
 * Owner: api. Threads: effects_carry_out on the writer thread, the sweep on any, answers on the source thread. */
#ifndef COLOAN_API_EFFECTS_H
#define COLOAN_API_EFFECTS_H

#include "server/api/api.h"
#include "server/cases/cases.h"
#include "server/store/store.h"

struct effects;

struct effects_options {
    const struct cases *cases;
    struct store *store;
    struct api_outlets outlets;
    struct api_counters *counters;
    void (*notified)(void *user, const char *party); /* after the commit: there is something to deliver; NULL is fine */
    void *notified_user;
    void (*decided)(void *user, int64_t took_ms); /* told after the commit of a joint decision; NULL is fine */
    void *decided_user;
};

CL_MUST_CHECK struct cl_status effects_create(struct effects **out, const struct effects_options *options);
void effects_free(struct effects *effects); /* NULL is fine; source and store have stopped */

/* Before the reply goes out: a directory that the command issued is in force from here on. Takes it out of `effect`. */
void effects_put_in_force(struct effects *effects, struct case_effect *effect);

/* Takes the inquiry out of `effect`. */
void effects_carry_out(struct effects *effects, struct case_effect *effect);

/* Throws away what a failed command left. */
void effects_drop(struct case_effect *effect);
/* The same, and it is as new: for a command whose transaction was lost. */
void effects_reset(struct case_effect *effect);

/* Queues a look for applications whose questions nobody is asking. OVERLOADED, SHUTTING_DOWN, MEMORY_LIMIT; harmless
 * then, there is a next time. */
CL_MUST_CHECK struct cl_status effects_sweep(struct effects *effects);

#endif
