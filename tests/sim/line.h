/* line.h - the streams between the centre and its banks: events down, acknowledgements up, each in order, until the stream
 * breaks, and then everything on it is gone.
 *
 * What goes out when is server/push/lane's to say; acknowledgements go in by api/acknowledge. What stands in server/push
 * and api/deliver beside that, frames of gRPC and the threads, is here as steps.
 * Owner: the simulation. */
#ifndef COLOAN_TESTS_SIM_LINE_H
#define COLOAN_TESTS_SIM_LINE_H

#include "server/cases/cases.h"
#include "tests/sim/sim.h"

struct line;

struct line *line_create(struct sim *sim);
void line_free(struct line *line); /* NULL is fine */

/* -- The centre's ---------------------------------------------------------------------------------------------- */

void line_notify(struct sim *sim, const char *party); /* after a commit: there are new events */
void line_tell(struct sim *sim, const struct case_delivery *delivery);
void line_tick(struct sim *sim); /* time went by */
void line_lost(struct sim *sim); /* the process is gone, and all streams */

/* -- A bank's: it hears of the end by lender_stream_over ------------------------------------------------------- */

struct line_opening {
    unsigned stream; /* the bank's own number of it, a higher one each time */
    uint64_t resume_after;
};
void line_open(struct sim *sim, enum role role, const struct line_opening *opening);

void line_acknowledge(struct sim *sim, enum role role, unsigned stream, struct cl_bytes message);

#endif
