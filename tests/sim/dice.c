#include "tests/sim/dice.h"

#include <assert.h>
#include <string.h>

#include "tests/support/campaign.h"

void dice_init(struct dice *out, uint64_t seed)
{
    out->state = seed;
}

uint64_t dice_next(struct dice *dice)
{
    return campaign_dice(&dice->state, UINT64_MAX);
}

uint64_t dice_below(struct dice *dice, uint64_t sides)
{
    assert(sides > 0);
    return campaign_dice(&dice->state, sides);
}

int64_t dice_between(struct dice *dice, int64_t least, int64_t most)
{
    assert(least <= most);
    return least + (int64_t)dice_below(dice, (uint64_t)(most - least) + 1);
}

bool dice_per_mille(struct dice *dice, unsigned chance)
{
    return dice_below(dice, 1000) < chance;
}

void dice_fill(struct dice *dice, void *out, size_t len)
{
    uint8_t *place = out;
    while (len > 0) {
        uint64_t number = dice_next(dice);
        size_t part = len < sizeof number ? len : sizeof number;
        memcpy(place, &number, part);
        place += part;
        len -= part;
    }
}

static void fill(void *user, void *out, size_t len)
{
    dice_fill(user, out, len);
}

struct cl_random dice_random(struct dice *dice)
{
    return (struct cl_random){.fill = fill, .user = dice};
}
