/* sim.h - one simulation: the centre, its banks, a channel, an officer, the authorities, the network and all clocks in one
 * thread, from one seed. What its parts share; simulation_run is the whole of it.
 *
 * Owner: simulation_run makes and frees everything. One thread, one simulation at a time: disk and chance are the
 * process's. Aborts without memory: it is not what is tested. */
#ifndef COLOAN_TESTS_SIM_SIM_H
#define COLOAN_TESTS_SIM_SIM_H

#include "libcoloan/arena.h"
#include "libcoloan/clock.h"
#include "libcoloan/sha256.h"
#include "tests/sim/agenda.h"
#include "tests/sim/base.h"
#include "tests/sim/faults.h"

enum { SIM_VIOLATION_BYTES_MAX = 512 };

struct sim {
    const struct base *base;
    struct faults faults;
    struct dice dice; /* moments and choices */
    struct dice ids;  /* message ids and salts, so that one more of them changes nothing else */
    struct agenda *agenda;
    struct cl_arena *arena;  /* for one thing on the agenda; empty at the start of each */
    bool calm;               /* nothing goes wrong any more: what is under way has to come to its end */
    struct history *history; /* what the authorities were asked before */
    struct hub *hub;
    struct line *line;
    struct ledger *ledger;
    struct party *parties[ROLE_COUNT];  /* NULL: DIRECTORY and CENTRE */
    struct lender *lenders[ROLE_COUNT]; /* of the banks */
    struct borrowers *borrowers;
    struct officer *officer;
    struct promises *promises;

    bool aloud; /* each line of the trace goes to standard output */
    struct cl_sha256 trace;
    uint64_t steps;
    char violation[SIM_VIOLATION_BYTES_MAX]; /* the first one; "": none */
};

/* One line of the trace: what happened now. */
void sim_say(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A promise is broken. The first one counts; what follows is mostly its consequence. */
void sim_violated(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether something with that chance goes wrong now: never when it is calm. */
bool sim_strikes(struct sim *sim, unsigned per_mille);

/* -- A whole one ---------------------------------------------------------------------------------------------- */

struct simulation {
    const struct base *base;
    uint64_t seed;
    bool aloud, no_faults;
};

struct simulation_result {
    char violation[SIM_VIOLATION_BYTES_MAX]; /* "": all was kept */
    uint64_t steps;
    struct cl_digest trace;
    unsigned applications, approved, requests, events, crashes, lies;
};

/* `chance` is the one that base_open was given. */
void simulation_run(struct simulation_result *out, const struct simulation *simulation, struct dice *chance);

#endif
