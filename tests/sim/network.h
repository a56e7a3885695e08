/* network.h - how parcels go between parties: lost, late, overtaken, twice. In order and safely only what a stream carries,
 * which is line.h's.
 *
 * Owner: the network owns a load until it hands it over. */
#ifndef COLOAN_TESTS_SIM_NETWORK_H
#define COLOAN_TESTS_SIM_NETWORK_H

#include "tests/sim/sim.h"

struct parcel {
    const char *what; /* static, for the trace */
    void *to, *load;
    void (*arrive)(void *to, void *load); /* the load is its own */
    void (*drop)(void *load);
    void *(*copy)(const void *load); /* NULL: it cannot arrive twice */
    const unsigned *life;            /* of whom it is for; NULL: whoever is there then */
};

void network_send(struct sim *sim, const struct parcel *parcel);

/* How long something takes that is not late. */
int64_t network_delay_ms(struct sim *sim);

#endif
