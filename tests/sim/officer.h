/* officer.h - an officer who works through the tasks: looks what waits, claims it, settles it with what the item's catalogue
 * asks for, whatever that leads to.
 *
 * Owner: the simulation. */
#ifndef COLOAN_TESTS_SIM_OFFICER_H
#define COLOAN_TESTS_SIM_OFFICER_H

#include "tests/sim/sim.h"

struct officer;

struct officer *officer_create(struct sim *sim);
void officer_free(struct officer *officer); /* NULL is fine */

#endif
