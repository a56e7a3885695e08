/* promises.h - what must hold whatever goes wrong, looked at after every commit, in the centre's own database by queries of
 * its own and by the signatures in what it keeps; and what everybody must agree on in the end.
 *
 * Owner: the simulation. A promise that is broken is told by sim_violated. */
#ifndef COLOAN_TESTS_SIM_PROMISES_H
#define COLOAN_TESTS_SIM_PROMISES_H

#include "tests/sim/sim.h"

struct promises;

struct promises *promises_create(struct sim *sim);
void promises_free(struct promises *promises); /* NULL is fine */

/* After a turn of the writer. */
void promises_check(struct sim *sim);

/* After a start: all that was ever seen is there, as it was; all that was ever answered, too. */
void promises_restarted(struct sim *sim);

/* Whether everything that had to happen has: no case is open, every event is delivered and applied. */
bool promises_all_ended(struct sim *sim);

/* When the first thing is due; 0: nothing is. */
int64_t promises_next_due_ms(struct sim *sim);

/* In the end: both sides agree on every case. */
void promises_final(struct sim *sim);

struct promises_seen {
    unsigned approved, events;
};
struct promises_seen promises_seen(const struct sim *sim);

#endif
