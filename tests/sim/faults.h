/* faults.h - what goes wrong in one simulation: each kind is on or off by seed, and how often when it is on.
 *
 * Values only. */
#ifndef COLOAN_TESTS_SIM_FAULTS_H
#define COLOAN_TESTS_SIM_FAULTS_H

#include "tests/sim/dice.h"

/* Chances are per mille of what they are about; 0: the kind is off. */
struct faults {
    unsigned loss;      /* of parcels, each way */
    unsigned duplicate; /* of requests and acknowledgements: they arrive twice */
    unsigned delay;     /* of parcels: they are late by seconds, and others overtake them */
    unsigned hangup;    /* of events: the stream breaks behind them */

    unsigned centre_stops; /* of the writer's turns: the process is killed before it */
    unsigned centre_mute;  /* of the writer's turns: it is killed after the commit, before anything is said */
    unsigned power;        /* of the writer's turns: the power goes at one of its writes */
    unsigned disk;         /* of the writer's turns: one of its writes fails, and all after it */
    unsigned start;        /* of the centre's starts: the power goes during it */

    unsigned bank_stops; /* of a bank's steps: it is killed before it, or before what it noted is durable */
    unsigned refuses;    /* of a bank's events: it will not take them now */
    unsigned bank_slow;  /* of a bank's work: it takes minutes */
    unsigned clock;      /* of the centre's ticks: a clock jumps, and goes right again minutes later */
    unsigned quiet;      /* of the centre's ticks: everything stands still for hours or days */

    unsigned unanswered; /* of inquiries: no answer ever */
    unsigned failing;    /* of questions: the way fails, a person has to look */
    unsigned unknown;    /* of questions: there is no record */

    unsigned lies; /* of a bank's occasions to say something it should not */

    /* Not faults, but what a borrower does. */
    unsigned changes_bank, withdraws, chooses_rules, waits;
};

void faults_draw(struct faults *out, struct dice *dice);

/* The same with nothing but people who do what they may do. */
void faults_none(struct faults *out, struct dice *dice);

/* The names of those that are on, for a line of the trace; one static buffer. */
const char *faults_text(const struct faults *faults);

#endif
