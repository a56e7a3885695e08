/* First everything goes wrong that this seed lets go wrong, for a number of steps. Then it is calm, and whatever is under
 * way has to come to its end by itself: messages arrive, clocks are right, whoever was killed comes back, and when nothing
 * happens any more time goes on to what is due next, until every case has ended and everybody agrees how. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/history.h"
#include "server/api/methods.h"
#include "tests/sim/borrowers.h"
#include "tests/sim/hub.h"
#include "tests/sim/ledger.h"
#include "tests/sim/lender.h"
#include "tests/sim/line.h"
#include "tests/sim/officer.h"
#include "tests/sim/party.h"
#include "tests/sim/promises.h"
#include "tests/sim/signatures.h"
#include "tests/sim/sim.h"
#include "tests/support/power_vfs.h"

enum {
    STEPS_MIN = 150,
    STEPS_MAX = 600,
    CALM_MS = 30 * 1000, /* for what is on its way, before time is moved on */
    CALM_ROUNDS_MAX = 80,
    GIVE_UP_ROUND = 12,   /* from then on borrowers withdraw what does not move */
    STEPS_IN_ALL = 60000, /* more is a simulation that runs in circles */
    REPEATS = 12,
    LOOK_EVERY = 8, /* steps between two looks whether all has ended */
    LINE_BYTES_MAX = 512,
    ARENA_BYTES = 16 * 1024 * 1024,
    SKEW_MS_MAX = 20000, /* less than a message may come from the future */
};

/* -- Telling ------------------------------------------------------------------------------------------------- */

void sim_say(struct sim *sim, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list arguments;
    int len = snprintf(line, sizeof line, "%6llu %12lld ", (unsigned long long)sim->steps,
                       (long long)(agenda_now_ms(sim->agenda) - BASE_START_MS));
    va_start(arguments, format);
    (void)vsnprintf(line + len, sizeof line - (size_t)len, format, arguments);
    va_end(arguments);
    cl_sha256_add(&sim->trace, cl_bytes_text(line));
    if (sim->aloud) {
        (void)printf("%s\n", line);
    }
}

void sim_violated(struct sim *sim, const char *format, ...)
{
    char what[SIM_VIOLATION_BYTES_MAX - 32];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    sim_say(sim, "VIOLATED: %s", what);
    if (sim->violation[0] == '\0') {
        (void)snprintf(sim->violation, sizeof sim->violation, "step %llu: %s", (unsigned long long)sim->steps, what);
    }
}

bool sim_strikes(struct sim *sim, unsigned per_mille)
{
    return !sim->calm && per_mille > 0 && dice_per_mille(&sim->dice, per_mille);
}

/* -- Steps --------------------------------------------------------------------------------------------------- */

static bool take_step(struct sim *sim)
{
    cl_arena_reset(sim->arena);
    sim->steps++;
    return agenda_run(sim->agenda) && sim->violation[0] == '\0';
}

static void run_wild(struct sim *sim)
{
    uint64_t steps = (uint64_t)dice_between(&sim->dice, STEPS_MIN, STEPS_MAX);
    while (sim->steps < steps && take_step(sim)) {
    }
}

static void run_for(struct sim *sim, int64_t ms)
{
    int64_t end_ms = agenda_now_ms(sim->agenda) + ms;
    while (agenda_now_ms(sim->agenda) < end_ms && take_step(sim)) {
        if (sim->steps > STEPS_IN_ALL) {
            sim_violated(sim, "it goes on and on");
        }
        if (sim->steps % LOOK_EVERY == 0 && promises_all_ended(sim)) {
            return;
        }
    }
}

/* -- The end ------------------------------------------------------------------------------------------------- */

static void calm_down(struct sim *sim)
{
    sim_say(sim, "calm");
    sim->calm = true;
    hub_mend_clock(sim->hub);
    for (int i = ROLE_CHANNEL; i < ROLE_COUNT; i++) {
        sim->parties[i]->skew_ms = 0;
    }
}

/* To what is due next, or a day. What is on its way arrives first. */
static void let_time_pass(struct sim *sim)
{
    run_for(sim, CALM_MS);
    if (sim->violation[0] != '\0' || promises_all_ended(sim) || !hub_is_well(sim->hub)) {
        return;
    }
    int64_t due_ms = promises_next_due_ms(sim);
    int64_t now_ms = agenda_now_ms(sim->agenda);
    int64_t wait_ms = due_ms > now_ms && due_ms < now_ms + BASE_DAY_MS ? due_ms - now_ms : BASE_DAY_MS;
    sim_say(sim, "%lld ms go by", (long long)wait_ms);
    agenda_skip(sim->agenda, wait_ms);
    hub_tick(sim->hub);
}

/* Nothing moves by itself: people look again, and time goes on. */
static void move_on(struct sim *sim, unsigned round)
{
    for (unsigned i = 0; i < borrowers_count(sim->borrowers); i++) {
        const char *id = borrowers_application(sim->borrowers, i);
        for (int bank = ROLE_ALPHA; bank < ROLE_COUNT && id[0] != '\0'; bank++) {
            lender_look_again(sim->lenders[bank], id, round >= GIVE_UP_ROUND);
        }
    }
    if (round >= GIVE_UP_ROUND) {
        borrowers_give_up(sim->borrowers);
    }
    let_time_pass(sim);
}

static void run_calm(struct sim *sim)
{
    unsigned round = 0;
    calm_down(sim);
    let_time_pass(sim);
    while (sim->violation[0] == '\0' && !promises_all_ended(sim) && round < CALM_ROUNDS_MAX) {
        move_on(sim, round++);
    }
    if (sim->violation[0] == '\0' && !promises_all_ended(sim)) {
        sim_violated(sim, "something never ends");
    }
}

/* A last time: what was answered is answered the same, however late. */
static void repeat_some(struct sim *sim)
{
    unsigned count = ledger_count(sim->ledger);
    for (struct entry *entry = ledger_next(sim->ledger, NULL); entry != NULL; entry = ledger_next(sim->ledger, entry)) {
        bool chosen = dice_below(&sim->dice, count) < REPEATS;
        if (entry->answered && chosen && api_method_at(entry->method)->way == API_STORED) {
            party_repeat(sim->parties[entry->role], entry);
        }
    }
    int64_t end_ms = agenda_now_ms(sim->agenda) + 1000;
    while (agenda_now_ms(sim->agenda) < end_ms && take_step(sim)) {
    }
}

/* -- A whole one --------------------------------------------------------------------------------------------- */

static void make_world(struct sim *sim)
{
    struct cl_status status = cl_arena_create(&sim->arena, ARENA_BYTES);
    assert(cl_is_ok(status));
    status = history_create(&sim->history);
    assert(cl_is_ok(status));
    sim->agenda = agenda_create(BASE_START_MS);
    sim_say(sim, "seed faults:%s", faults_text(&sim->faults));
    sim->ledger = ledger_create(sim);
    sim->promises = promises_create(sim);
    sim->line = line_create(sim);
    sim->hub = hub_create(sim);
    for (int i = ROLE_CHANNEL; i < ROLE_COUNT; i++) {
        sim->parties[i] = party_create(sim, (enum role)i);
        if (sim->faults.clock > 0) {
            sim->parties[i]->skew_ms = dice_between(&sim->dice, -SKEW_MS_MAX, SKEW_MS_MAX);
        }
    }
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        sim->lenders[i] = lender_create(sim, (enum role)i);
    }
    sim->borrowers = borrowers_create(sim);
    sim->officer = officer_create(sim);
    hub_start(sim->hub);
}

static void free_world(struct sim *sim)
{
    agenda_free(sim->agenda); /* before those it would go to */
    sim->agenda = agenda_create(0);
    hub_free(sim->hub);
    agenda_free(sim->agenda);
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        lender_free(sim->lenders[i]);
    }
    for (int i = ROLE_CHANNEL; i < ROLE_COUNT; i++) {
        party_free(sim->parties[i]);
    }
    borrowers_free(sim->borrowers);
    officer_free(sim->officer);
    line_free(sim->line);
    promises_free(sim->promises);
    ledger_free(sim->ledger);
    history_free(sim->history);
    cl_arena_free(sim->arena);
}

static void tell_result(struct simulation_result *out, struct sim *sim)
{
    struct promises_seen seen = promises_seen(sim);
    *out = (struct simulation_result){.steps = sim->steps,
                                      .applications = borrowers_count(sim->borrowers),
                                      .approved = seen.approved,
                                      .requests = ledger_count(sim->ledger),
                                      .events = seen.events,
                                      .crashes = hub_crashes(sim->hub)};
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        out->lies += lender_lies(sim->lenders[i]);
    }
    memcpy(out->violation, sim->violation, sizeof out->violation);
    cl_sha256_finish(&sim->trace, &out->trace);
}

void simulation_run(struct simulation_result *out, const struct simulation *simulation, struct dice *chance)
{
    struct sim *sim = calloc(1, sizeof *sim);
    assert(sim != NULL);
    sim->base = simulation->base;
    sim->aloud = simulation->aloud;
    cl_sha256_init(&sim->trace);
    dice_init(&sim->dice, simulation->seed);
    dice_init(&sim->ids, ~simulation->seed);
    dice_init(chance, simulation->seed ^ UINT64_C(0x5eed));
    power_vfs_set_disk(power_disk_copy(simulation->base->disk));
    signatures_forget();
    if (simulation->no_faults) {
        faults_none(&sim->faults, &sim->dice);
    } else {
        faults_draw(&sim->faults, &sim->dice);
    }
    make_world(sim);
    run_wild(sim);
    if (sim->violation[0] == '\0') {
        run_calm(sim);
    }
    if (sim->violation[0] == '\0') {
        repeat_some(sim);
        promises_final(sim);
    }
    tell_result(out, sim);
    free_world(sim);
    free(sim);
}
