/* lender.h - a bank: coloan-bank's memory, decisions and reports (client/bank), driven step by step, on a journal that is
 * killed with it. What stands in coloan-bank's threads is here as steps: make an event durable, acknowledge it, sign what
 * it asks for, make that durable, send it until it is answered, make the event applied, acknowledge that.
 *
 * When it lies it says, beside the truth, what no bank may say. Owner: the simulation. */
#ifndef COLOAN_TESTS_SIM_LENDER_H
#define COLOAN_TESTS_SIM_LENDER_H

#include "tests/sim/sim.h"

struct lender;

struct lender *lender_create(struct sim *sim, enum role role);
void lender_free(struct lender *lender); /* NULL is fine */

/* From its stream of that number; another is over by now. */
void lender_take_event(struct lender *lender, unsigned stream, struct cl_bytes envelope);
void lender_take_held(struct lender *lender, unsigned stream, uint64_t from, uint64_t to);
void lender_stream_over(struct lender *lender, unsigned stream, struct cl_status status);

/* Nothing left to do, and everything received is applied. */
bool lender_is_idle(struct lender *lender);

/* Whether it believes that it lends: the last joint decision it was told said so, and nothing since ended it. */
bool lender_believes(struct lender *lender, const char *application_id);

/* How often its core took over the event; never more than once. */
unsigned lender_applied(const struct lender *lender, uint64_t sequence);

/* A person at the bank looks at a case of it again: what was refused when it was reported is reported now; `gives_up`: what
 * is signed and held up is cancelled. */
void lender_look_again(struct lender *lender, const char *application_id, bool gives_up);

unsigned lender_lies(const struct lender *lender);

#endif
