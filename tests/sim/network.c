#include "tests/sim/network.h"

enum {
    DELAY_MS_MIN = 1,
    DELAY_MS_MAX = 40,
    LATE_MS_MIN = 200,
    LATE_MS_MAX = 30000, /* several attempts of a caller, who has given up this one */
};

int64_t network_delay_ms(struct sim *sim)
{
    return dice_between(&sim->dice, DELAY_MS_MIN, DELAY_MS_MAX);
}

static void add(struct sim *sim, const struct parcel *parcel, void *load)
{
    int64_t in_ms = network_delay_ms(sim);
    if (sim_strikes(sim, sim->faults.delay)) {
        in_ms += dice_between(&sim->dice, LATE_MS_MIN, LATE_MS_MAX);
    }
    agenda_add(sim->agenda, in_ms,
               &(struct agenda_item){
                   .run = parcel->arrive, .drop = parcel->drop, .who = parcel->to, .load = load, .life = parcel->life});
}

void network_send(struct sim *sim, const struct parcel *parcel)
{
    if (parcel->copy != NULL && sim_strikes(sim, sim->faults.duplicate)) {
        sim_say(sim, "network doubles %s", parcel->what);
        add(sim, parcel, parcel->copy(parcel->load));
    }
    if (sim_strikes(sim, sim->faults.loss)) {
        sim_say(sim, "network loses %s", parcel->what);
        parcel->drop(parcel->load);
        return;
    }
    add(sim, parcel, parcel->load);
}
