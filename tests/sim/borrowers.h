/* borrowers.h - the people who apply, and the channel that speaks for them: they submit, look how their case stands, and
 * confirm, change the bank, choose other rules, withdraw a consent or the application, mostly when somebody else acts, too.
 *
 * Owner: the simulation. */
#ifndef COLOAN_TESTS_SIM_BORROWERS_H
#define COLOAN_TESTS_SIM_BORROWERS_H

#include "tests/sim/sim.h"

enum { BORROWERS_MAX = 4 };

struct borrowers;

struct borrowers *borrowers_create(struct sim *sim);
void borrowers_free(struct borrowers *borrowers); /* NULL is fine */

unsigned borrowers_count(const struct borrowers *borrowers);

/* The id of the application, "" while it is not known; NULL past the end. */
const char *borrowers_application(const struct borrowers *borrowers, unsigned index);

/* The submission was refused for good: there is no case. */
bool borrowers_turned_away(const struct borrowers *borrowers, unsigned index);

/* Nothing more will happen by itself: whoever may gives up. */
void borrowers_give_up(struct borrowers *borrowers);

#endif
