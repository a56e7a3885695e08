/* authorities.h - what the authorities say to the centre's questions: the sandbox's people, asked and read as on the wire,
 * without the wire. Late, sometimes never, sometimes by a failure of the way, sometimes without a record.
 *
 * What server/source does beside (attempts, breaker, cache) is not here: an inquiry comes back as it hands it back. */
#ifndef COLOAN_TESTS_SIM_AUTHORITIES_H
#define COLOAN_TESTS_SIM_AUTHORITIES_H

#include "server/source/source.h"
#include "tests/sim/sim.h"

/* Takes the inquiry; hands it back in the same life of the centre, or frees it. */
void authorities_ask(struct sim *sim, struct source_inquiry *inquiry);

#endif
