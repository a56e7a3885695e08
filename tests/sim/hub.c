/* The process dies before a turn of its writer, in a turn, after a turn before anybody heard of it, and while it starts.
 * What it had in memory goes each time; what it had written but not synced stays when only the process was killed, and any
 * part of it may go with the power. A disk that fails lets it go on refusing for a moment, as coloand does until it ends.
 *
 * Dying is not freeing: what a dead process left is taken down with the code that would stop it, on a disk that is no
 * longer the one it knew, and nobody hears it. */
#include "tests/sim/hub.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/source/source.h"
#include "server/vault/vault.h"
#include "tests/sim/authorities.h"
#include "tests/sim/ledger.h"
#include "tests/sim/line.h"
#include "tests/sim/promises.h"
#include "tests/support/power_vfs.h"

enum {
    TURN_MS_MAX = 5,
    TICK_MS = 2000,      /* coloand looks for what is due every second and sweeps every two */
    CALM_TICK_MS = 5000, /* when nothing but time is waited for */
    SWEEP_EVERY = 2,     /* ticks, as in coloand */
    BATCH_MAX = 4,       /* small, so that crashes fall between commands that load would put together */
    TROUBLE_CALLS_MAX = 60,
    DOWN_MS_MIN = 50,
    DOWN_MS_MAX = 5000,
    LAST_WORDS_MS = 200, /* between the disk's failure and the end of the process */
    CLOCK_WRONG_MS = 180 * 1000,
    POLL_MS = 30 * 1000,       /* of the register */
    CALLS_PER_SECOND = 100000, /* the limit is not what is tried */
};

struct hub {
    struct sim *sim;
    struct cl_clock clock;
    struct cl_random random;
    int64_t skew_ms;
    unsigned life, crashes;
    bool up, mute;
    bool power;       /* may go in this turn */
    bool turn_wanted; /* one is on the agenda */
    struct vault *vault;
    struct cl_keyring_slot *keyrings;
    struct centre centre;
    struct cases cases;
    struct store *store;
    struct api *api;
    struct sql *reader;
};

static int64_t unix_ms(void *user)
{
    return hub_now_ms(user);
}

static int64_t monotonic_ms(void *user)
{
    return agenda_now_ms(((struct hub *)user)->sim->agenda);
}

int64_t hub_now_ms(const struct hub *hub)
{
    return agenda_now_ms(hub->sim->agenda) + hub->skew_ms;
}

bool hub_is_up(const struct hub *hub)
{
    return hub->up;
}

bool hub_is_well(const struct hub *hub)
{
    return hub->up && !store_failed(hub->store);
}

/* From the write on at which the power goes it is no more, whatever the code goes on to do. */
bool hub_is_mute(const struct hub *hub)
{
    return hub->mute || !hub->up || (hub->power && power_vfs_strike().struck);
}

unsigned hub_crashes(const struct hub *hub)
{
    return hub->crashes;
}

struct api *hub_api(struct hub *hub)
{
    return hub->api;
}

struct sql *hub_reader(struct hub *hub)
{
    return hub->reader;
}

const struct cases *hub_cases(const struct hub *hub)
{
    return &hub->cases;
}

const unsigned *hub_life(const struct hub *hub)
{
    return &hub->life;
}

/* -- What it reaches ----------------------------------------------------------------------------------------- */

static struct cl_status identify(void *user, const char *peer, char party_out[CL_PARTY_BYTES_MAX + 1])
{
    (void)user;
    memcpy(party_out, peer, strlen(peer) + 1); /* a connection is named by its party here */
    return cl_ok();
}

static struct cl_status ask(void *user, struct source_inquiry *inquiry)
{
    struct hub *hub = user;
    if (hub_is_mute(hub)) {
        return cl_fail(CL_SHUTTING_DOWN);
    }
    authorities_ask(hub->sim, inquiry);
    return cl_ok();
}

static void notify(void *user, const char *party, uint64_t sequence)
{
    struct hub *hub = user;
    (void)sequence;
    if (!hub_is_mute(hub)) {
        line_notify(hub->sim, party);
    }
}

static void tell(void *user, const struct case_delivery *delivery)
{
    struct hub *hub = user;
    if (!hub_is_mute(hub)) {
        line_tell(hub->sim, delivery);
    }
}

/* -- Stopping ------------------------------------------------------------------------------------------------ */

static void start_later(void *who, void *load)
{
    (void)load;
    hub_start(who);
}

/* Everything of the process goes, on a disk that does nothing any more. */
static void take_down(struct hub *hub)
{
    power_vfs_cut();
    hub->up = false;
    hub->mute = true;
    hub->power = false;
    hub->life++;
    hub->turn_wanted = false;
    if (hub->store != NULL) {
        store_stop(hub->store);
    }
    sql_close(hub->reader);
    api_free(hub->api);
    store_close(hub->store);
    vault_close(hub->vault);
    cl_keyring_slot_free(hub->keyrings);
    hub->reader = NULL;
    hub->api = NULL;
    hub->store = NULL;
    hub->vault = NULL;
    hub->keyrings = NULL;
}

static void stop(struct hub *hub, const char *how, enum power_remains remains)
{
    struct sim *sim = hub->sim;
    sim_say(sim, "centre stops: %s; of what is not synced remains kind %d", how, (int)remains);
    hub->crashes++;
    take_down(hub);
    power_vfs_restore(remains, &sim->dice.state);
    line_lost(sim);
    agenda_add(sim->agenda, dice_between(&sim->dice, DOWN_MS_MIN, DOWN_MS_MAX),
               &(struct agenda_item){.run = start_later, .who = hub});
}

static enum power_remains some_remains(struct sim *sim)
{
    return (enum power_remains)dice_below(&sim->dice, POWER_REMAINS_COUNT);
}

static void end_failed(void *who, void *load)
{
    struct hub *hub = who;
    (void)load;
    stop(hub, "its disk failed", some_remains(hub->sim));
}

/* -- Trouble ------------------------------------------------------------------------------------------------- */

static void arm(struct hub *hub, enum power_effect effect)
{
    struct dice *dice = &hub->sim->dice;
    struct power_fault fault = {.calls = POWER_CHANGES,
                                .at = 1 + dice_below(dice, TROUBLE_CALLS_MAX),
                                .effect = effect,
                                .code = SQLITE_IOERR,
                                .half = dice_below(dice, 2) == 0};
    hub->power = effect == POWER_CUT;
    power_vfs_arm(&fault);
}

static void disarm(struct hub *hub)
{
    hub->power = false;
    power_vfs_arm(NULL);
}

/* -- The writer ---------------------------------------------------------------------------------------------- */

static void after_turn(struct hub *hub, bool worked)
{
    struct sim *sim = hub->sim;
    bool struck = power_vfs_strike().struck;
    if (hub->power && struck) {
        stop(hub, "the power goes in a turn", some_remains(sim));
        return;
    }
    disarm(hub);
    if (store_failed(hub->store)) {
        sim_say(sim, "centre's disk fails");
        if (!struck) {
            sim_violated(sim, "the store failed on a disk that works");
        }
        agenda_add(sim->agenda, dice_between(&sim->dice, 0, LAST_WORDS_MS),
                   &(struct agenda_item){.run = end_failed, .who = hub, .life = &hub->life});
        return;
    }
    promises_check(sim);
    if (hub->mute) {
        stop(hub, "killed after a turn, before anybody heard of it", POWER_EVERYTHING);
        return;
    }
    if (worked) {
        hub_wants_turn(hub);
    }
}

static void turn(void *who, void *load)
{
    struct hub *hub = who;
    struct sim *sim = hub->sim;
    (void)load;
    hub->turn_wanted = false;
    if (sim_strikes(sim, sim->faults.centre_stops)) {
        stop(hub, "killed before a turn", POWER_EVERYTHING);
        return;
    }
    if (sim_strikes(sim, sim->faults.power)) {
        arm(hub, POWER_CUT);
    } else if (sim_strikes(sim, sim->faults.disk)) {
        arm(hub, dice_below(&sim->dice, 2) == 0 ? POWER_FAILS : POWER_FAILS_FOR_EVER);
    }
    hub->mute = sim_strikes(sim, sim->faults.centre_mute);
    bool worked = store_turn(hub->store);
    after_turn(hub, worked);
}

void hub_wants_turn(struct hub *hub)
{
    if (!hub->turn_wanted && hub->up && !store_failed(hub->store)) {
        hub->turn_wanted = true;
        agenda_add(hub->sim->agenda, dice_between(&hub->sim->dice, 1, TURN_MS_MAX),
                   &(struct agenda_item){.run = turn, .who = hub, .life = &hub->life});
    }
}

void hub_take(struct hub *hub, const struct hub_request *request)
{
    if (!hub->up) {
        request->drop(request->user);
        return;
    }
    sim_say(hub->sim, "centre gets %u from %s", request->number, request->from);
    exchange_begin(
        hub->api, request->method,
        &(struct exchange_call){
            .peer = request->from, .message = request->message, .answered = request->answered, .user = request->user});
    hub_wants_turn(hub);
}

/* -- Ticks --------------------------------------------------------------------------------------------------- */

static void clock_right(void *who, void *load)
{
    (void)load;
    hub_mend_clock(who);
}

void hub_mend_clock(struct hub *hub)
{
    if (hub->skew_ms != 0) {
        sim_say(hub->sim, "centre's clock is right again");
        hub->skew_ms = 0;
    }
}

static void clock_wrong(struct hub *hub)
{
    static const int64_t jumps_ms[] = {1000, 29000, 300000, 3600000, BASE_DAY_MS, 20 * BASE_DAY_MS};
    struct sim *sim = hub->sim;
    int64_t by_ms = jumps_ms[dice_below(&sim->dice, sizeof jumps_ms / sizeof jumps_ms[0])];
    hub->skew_ms = dice_below(&sim->dice, 2) == 0 ? by_ms : -by_ms;
    sim_say(sim, "centre's clock jumps by %lld ms", (long long)hub->skew_ms);
    agenda_add(sim->agenda, dice_between(&sim->dice, 1000, CLOCK_WRONG_MS),
               &(struct agenda_item){.run = clock_right, .who = hub});
}

static void go_quiet(struct hub *hub)
{
    struct sim *sim = hub->sim;
    int64_t hours =
        dice_below(&sim->dice, 3) == 0 ? dice_between(&sim->dice, 24, 12 * 24) : dice_between(&sim->dice, 1, 23);
    sim_say(sim, "%lld hours go by", (long long)hours);
    agenda_skip(sim->agenda, hours * 3600 * 1000);
}

void hub_tick(struct hub *hub)
{
    if (!hub->up || store_failed(hub->store)) {
        return;
    }
    (void)cl_is_ok(api_sweep(hub->api));
    (void)cl_is_ok(api_look(hub->api));
    line_tick(hub->sim);
    hub_wants_turn(hub);
}

static void tick(void *who, void *load)
{
    struct hub *hub = who;
    struct sim *sim = hub->sim;
    (void)load;
    if (sim_strikes(sim, sim->faults.clock)) {
        clock_wrong(hub);
    }
    if (sim_strikes(sim, sim->faults.quiet)) {
        go_quiet(hub);
    }
    hub_tick(hub);
    agenda_add(sim->agenda, sim->calm ? CALM_TICK_MS : TICK_MS,
               &(struct agenda_item){.run = tick, .who = hub, .life = &hub->life});
}

/* -- Starting ------------------------------------------------------------------------------------------------ */

static struct cl_status attach(void *user, struct store_tx *tx)
{
    return vault_attach(user, tx);
}

static struct cl_status open_store(struct hub *hub)
{
    struct store_options options = {.address = hub->sim->base->database,
                                    .by_hand = true,
                                    .free_bytes_min = 1,
                                    .batch_max = 1 + (size_t)dice_below(&hub->sim->dice, BATCH_MAX),
                                    .clock = &hub->clock};
    struct cl_status status = vault_open(&hub->vault, hub->sim->base->master_key);
    if (cl_is_ok(status)) {
        status = store_open(&hub->store, &options);
    }
    if (cl_is_ok(status)) {
        status = store_run(hub->store, attach, hub->vault);
    }
    return cl_is_ok(status) ? store_reader_open(&hub->reader, hub->store) : status;
}

static struct cl_status open_all(struct hub *hub)
{
    const struct base *base = hub->sim->base;
    struct cl_status status = open_store(hub);
    if (cl_is_ok(status)) {
        status = cl_keyring_slot_create(&hub->keyrings, base->keyring);
    }
    hub->centre = (struct centre){
        .party = base_party(ROLE_CENTRE),
        .environment = BASE_ENVIRONMENT,
        .signer = base->signers[ROLE_CENTRE],
        .keyrings = hub->keyrings,
        .directory_key = *cl_signer_public_key(base->signers[ROLE_DIRECTORY]),
        .clock = &hub->clock,
        .random = &hub->random,
        .accept_synthetic_ids = true,
        .registry = {.opens_ms = 0, .closes_ms = BASE_DAY_MS, .first_ms = POLL_MS, .every_ms = POLL_MS},
    };
    hub->cases = (struct cases){
        .centre = &hub->centre, .vault = hub->vault, .rule_sets = base->rules, .rule_set_count = BASE_RULE_SETS};
    const struct api_outlets outlets = {.ask = ask, .notify = notify, .tell = tell, .user = hub};
    struct api_options options = {.cases = &hub->cases,
                                  .store = hub->store,
                                  .outlets = &outlets,
                                  .identity = {.identify = identify, .user = hub},
                                  .calls_per_second = CALLS_PER_SECOND,
                                  .burst = CALLS_PER_SECOND};
    return cl_is_ok(status) ? api_create(&hub->api, &options) : status;
}

void hub_start(struct hub *hub)
{
    struct sim *sim = hub->sim;
    hub->mute = false;
    if (sim_strikes(sim, sim->faults.start)) {
        arm(hub, POWER_CUT);
    }
    struct cl_status status = open_all(hub);
    if (hub->power && power_vfs_strike().struck) {
        stop(hub, "the power goes while it starts", some_remains(sim));
        return;
    }
    disarm(hub);
    if (cl_failed(status)) {
        sim_violated(sim, "the centre does not start: %s", cl_status_name(status));
        return;
    }
    hub->up = true;
    sim_say(sim, "centre starts, life %u", hub->life);
    promises_restarted(sim);
    tick(hub, NULL);
}

struct hub *hub_create(struct sim *sim)
{
    struct hub *hub = calloc(1, sizeof *hub);
    assert(hub != NULL);
    hub->sim = sim;
    hub->clock = (struct cl_clock){.unix_ms = unix_ms, .monotonic_ms = monotonic_ms, .user = hub};
    hub->random = dice_random(&sim->ids);
    return hub;
}

void hub_free(struct hub *hub)
{
    if (hub == NULL) {
        return;
    }
    take_down(hub);
    free(hub);
}
