/* liar.h - somebody who speaks in a bank's name, with its keys, and does not tell the truth: by calls at any time, on a
 * stream while the bank is dead (its epoch is below those of the bank's next lives, so that it never fences the bank for
 * good).
 *
 * Each lie is a row with the reason that the specification says, or CL_OK for what a bank may do though it helps nobody:
 * refusing, being silent, saying again what it said. What is refused must not be kept anywhere. No lie is the truth about
 * an event that the bank does not have.
 *
 * Owner: whoever created it. One thread. Fails: a lie that was taken otherwise is told in `wrong`; a centre that does not
 * answer is one, too. */
#ifndef COLOAN_TESTS_CRASH_LIES_LIAR_H
#define COLOAN_TESTS_CRASH_LIES_LIAR_H

#include "tests/crash/lies/facts.h"
#include "tests/crash/lies/program.h"

#define LIAR_WRONG_BYTES_MAX 256

struct liar_counts {
    uint64_t refused, tolerated;
    uint64_t kinds_told, kinds; /* of lies; the others had nothing to be made of */
};

struct liar_options {
    const struct world *world;
    const struct bank_role *role, *other;
    uint16_t centre_port;
    struct facts *facts;
};

struct liar;

struct liar *liar_create(const struct liar_options *options);
void liar_free(struct liar *liar); /* NULL is fine */

/* Tells one lie. While the bank is dead, all of them in turn; while it lives, by any number as `dice` one of those by
 * call that do not delay anything. NULL, or what is wrong. */
const char *liar_tell(struct liar *liar, uint64_t dice, bool dead);

/* Has what waits for long delivered at once, as an officer of the bank would. NULL, or what is wrong. */
const char *liar_hasten(struct liar *liar, int64_t wait_ms);

/* The fault to plant: acknowledges, in truth, an event above `after`, which arose since the bank died, so that it does not
 * have it. */
bool liar_steal(struct liar *liar, uint64_t after);

struct liar_counts liar_counts(const struct liar *liar);

/* The bank's session, and that of the other one; for who else speaks in its name. */
struct cl_session *liar_session(const struct liar *liar);
struct cl_session *liar_other_session(const struct liar *liar);
struct cl_session *liar_old_session(const struct liar *liar); /* its clock is of yesterday */

#endif
