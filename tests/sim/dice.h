/* dice.h - all the chance of a simulation: numbers that follow from one seed.
 *
 * campaign_dice with a face for whoever takes other shapes of chance. Owner: whoever holds it. One thread. Cannot fail. */
#ifndef COLOAN_TESTS_SIM_DICE_H
#define COLOAN_TESTS_SIM_DICE_H

#include "libcoloan/ids.h"

struct dice {
    uint64_t state; /* of campaign_dice */
};

void dice_init(struct dice *out, uint64_t seed);
uint64_t dice_next(struct dice *dice);
uint64_t dice_below(struct dice *dice, uint64_t sides);               /* 0 .. sides - 1; sides > 0 */
int64_t dice_between(struct dice *dice, int64_t least, int64_t most); /* both included */
bool dice_per_mille(struct dice *dice, unsigned chance);              /* 0 never, 1000 always */
void dice_fill(struct dice *dice, void *out, size_t len);

/* The same for whoever takes a struct cl_random; the dice outlive it. */
struct cl_random dice_random(struct dice *dice);

#endif
