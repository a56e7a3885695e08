/* hub.h - the centre: coloand's own store, cases and api in this thread, on a disk in memory, killed and started again.
 *
 * What is real: everything from the bytes of a request to its signed answer, the events, the due work, the sweep. What is
 * not: gRPC, TLS, the threads, and the way to the authorities (authorities.h).
 * Owner: the simulation. */
#ifndef COLOAN_TESTS_SIM_HUB_H
#define COLOAN_TESTS_SIM_HUB_H

#include "server/api/exchange.h"
#include "tests/sim/sim.h"

struct hub;

struct hub *hub_create(struct sim *sim);
void hub_free(struct hub *hub); /* NULL is fine */

/* The process starts; a failure is a violation, unless the power goes meanwhile. */
void hub_start(struct hub *hub);

bool hub_is_up(const struct hub *hub);
bool hub_is_well(const struct hub *hub); /* it is up, and its disk has not failed */
bool hub_is_mute(const struct hub *hub); /* what it says now is heard by nobody */
unsigned hub_crashes(const struct hub *hub);

struct hub_request {
    const char *from; /* whom the connection is of */
    size_t method;
    unsigned number; /* for the trace */
    struct cl_bytes message;
    void (*answered)(void *user, const struct exchange_answer *answer);
    void *user;
    void (*drop)(void *user); /* instead, when nobody is there */
};
void hub_take(struct hub *hub, const struct hub_request *request);

/* While it is up; borrowed. */
struct api *hub_api(struct hub *hub);
struct sql *hub_reader(struct hub *hub); /* sees what is committed */
const struct cases *hub_cases(const struct hub *hub);
const unsigned *hub_life(const struct hub *hub); /* raised when it stops */
int64_t hub_now_ms(const struct hub *hub);       /* by its clock */

/* Something was submitted: the writer has to take a turn. */
void hub_wants_turn(struct hub *hub);

/* A tick of what is due at its time, though nothing else happens: when everything waits for a day to come. */
void hub_tick(struct hub *hub);

/* Makes the clock right. */
void hub_mend_clock(struct hub *hub);

#endif
