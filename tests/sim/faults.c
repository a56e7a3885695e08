#include "tests/sim/faults.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

/* Of a hundred simulations, in how many a kind is on, and how often then, at most. */
static const struct {
    const char *name;
    size_t offset;
    unsigned percent, most;
    bool borrower;
} kinds[] = {
    {"loss", offsetof(struct faults, loss), 40, 150, false},
    {"duplicate", offsetof(struct faults, duplicate), 40, 200, false},
    {"delay", offsetof(struct faults, delay), 40, 200, false},
    {"hangup", offsetof(struct faults, hangup), 30, 150, false},
    {"centre_stops", offsetof(struct faults, centre_stops), 25, 40, false},
    {"centre_mute", offsetof(struct faults, centre_mute), 25, 40, false},
    {"power", offsetof(struct faults, power), 30, 60, false},
    {"disk", offsetof(struct faults, disk), 20, 40, false},
    {"start", offsetof(struct faults, start), 25, 400, false},
    {"bank_stops", offsetof(struct faults, bank_stops), 30, 100, false},
    {"refuses", offsetof(struct faults, refuses), 30, 300, false},
    {"bank_slow", offsetof(struct faults, bank_slow), 15, 200, false},
    {"clock", offsetof(struct faults, clock), 20, 60, false},
    {"quiet", offsetof(struct faults, quiet), 30, 60, false},
    {"unanswered", offsetof(struct faults, unanswered), 20, 300, false},
    {"failing", offsetof(struct faults, failing), 20, 60, false},
    {"unknown", offsetof(struct faults, unknown), 20, 60, false},
    {"lies", offsetof(struct faults, lies), 50, 900, false},
    {"changes_bank", offsetof(struct faults, changes_bank), 50, 300, true},
    {"withdraws", offsetof(struct faults, withdraws), 40, 150, true},
    {"chooses_rules", offsetof(struct faults, chooses_rules), 30, 300, true},
    {"waits", offsetof(struct faults, waits), 50, 600, true},
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static unsigned *place_of(struct faults *faults, size_t kind)
{
    return (unsigned *)(void *)((char *)faults + kinds[kind].offset);
}

static void draw(struct faults *out, struct dice *dice, bool borrower_only)
{
    *out = (struct faults){.loss = 0};
    for (size_t i = 0; i < KIND_COUNT; i++) {
        bool on = dice_below(dice, 100) < kinds[i].percent;
        unsigned chance = 1 + (unsigned)dice_below(dice, kinds[i].most);
        if (on && (kinds[i].borrower || !borrower_only)) {
            *place_of(out, i) = chance;
        }
    }
}

void faults_draw(struct faults *out, struct dice *dice)
{
    draw(out, dice, false);
}

void faults_none(struct faults *out, struct dice *dice)
{
    draw(out, dice, true);
}

const char *faults_text(const struct faults *faults)
{
    static char text[640];
    struct faults copy = *faults;
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < KIND_COUNT; i++) {
        unsigned chance = *place_of(&copy, i);
        if (chance > 0) {
            len += (size_t)snprintf(text + len, sizeof text - len, " %s=%u", kinds[i].name, chance);
            assert(len < sizeof text);
        }
    }
    return text;
}
