/* inbox.h - an inbox that lies: a real gRPC server with the bank's certificate that answers the centre's calls while the
 * bank is dead, in every wrong way there is.
 *
 * Each event is lied about once in a campaign, and only some while it is open; the other calls hang until it closes, so
 * that no event is kept waiting for hours. No answer is the truth about an event.
 *
 * Owner: whoever created it; the liar outlives it. One thread drives it, gRPC's call it. Fails: it cannot listen: aborts;
 * a lie that the centre took otherwise than as failed, with its reason, is told by lying_inbox_wrong. */
#ifndef COLOAN_TESTS_CRASH_LIES_INBOX_H
#define COLOAN_TESTS_CRASH_LIES_INBOX_H

#include "tests/crash/lies/liar.h"

struct lying_inbox;

struct lying_inbox *lying_inbox_create(const struct world *world, const struct bank_role *role, const struct liar *liar,
                                       uint16_t port);
void lying_inbox_free(struct lying_inbox *inbox); /* closed; NULL is fine */

/* Any number as `dice`. `old`: an acknowledgement that the bank made once, borrowed; empty: there is none yet. */
void lying_inbox_open(struct lying_inbox *inbox, uint64_t dice, struct cl_bytes old);
void lying_inbox_close(struct lying_inbox *inbox);

/* After it closed: waits until each lie is written as a failed try with the reason that it should have. NULL, or what is
 * wrong. */
const char *lying_inbox_wrong(struct lying_inbox *inbox, struct facts *facts);

uint64_t lying_inbox_lies(const struct lying_inbox *inbox);

#endif
