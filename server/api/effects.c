#include "server/api/effects.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/log.h"
#include "server/store/applications.h"
#include "server/store/pending.h"

enum {
    ASKING_MAX = 16384, /* several times what the source accepts at once, and who waits for an authority to open */
    ASLEEP_MAX =
        4096,       /* of those; a centre has at most a thousand applications a day. One more is asked by each sweep */
    SWEEP_MAX = 64, /* applications in one look: a restart with many open cases must not crowd out new ones */
};

/* An application whose questions are being asked, or sleep until their authority opens. */
struct asking {
    char id[APPLICATION_ID_BYTES]; /* "": free */
    int64_t asleep_until_ms;       /* Unix; 0: awake */
};

struct effects {
    struct effects_options options;
    pthread_mutex_t mutex; /* guards all below */
    struct asking asking[ASKING_MAX];
    size_t asking_count, asleep_count;
};

struct cl_status effects_create(struct effects **out, const struct effects_options *options)
{
    struct effects *effects = calloc(1, sizeof *effects);
    if (effects == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    effects->options = *options;
    (void)pthread_mutex_init(&effects->mutex, NULL);
    *out = effects;
    return cl_ok();
}

void effects_free(struct effects *effects)
{
    if (effects == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&effects->mutex);
    free(effects);
}

/* -- Who is being asked for ---------------------------------------------------------------------------------- */

/* UUIDv7 text: the last digits are random. */
static size_t place_of(const char *id)
{
    return strtoul(id + strlen(id) - 8, NULL, 16) % ASKING_MAX;
}

/* The place of `id`, or the free one it would take; the table is never full. */
static size_t find(const struct effects *effects, const char *id)
{
    size_t place = place_of(id);
    while (effects->asking[place].id[0] != '\0' && strcmp(effects->asking[place].id, id) != 0) {
        place = (place + 1) % ASKING_MAX;
    }
    return place;
}

static void wake(struct effects *effects, struct asking *asking)
{
    effects->asleep_count -= asking->asleep_until_ms != 0 ? 1 : 0;
    asking->asleep_until_ms = 0;
}

/* False when it is being asked for already, or too many are. Who sleeps is woken. */
static bool remember(struct effects *effects, const char *id)
{
    assert(strlen(id) == APPLICATION_ID_BYTES - 1);
    (void)pthread_mutex_lock(&effects->mutex);
    struct asking *asking = &effects->asking[find(effects, id)];
    bool fresh = asking->id[0] == '\0' && effects->asking_count < ASKING_MAX / 2;
    bool asleep = asking->asleep_until_ms != 0;
    if (fresh) {
        memcpy(asking->id, id, APPLICATION_ID_BYTES);
        effects->asking_count++;
    }
    wake(effects, asking);
    (void)pthread_mutex_unlock(&effects->mutex);
    return fresh || asleep;
}

/* Whether the sweep lets it be: it is being asked for, or sleeps. */
static bool remembered(struct effects *effects, const char *id, int64_t now_ms)
{
    (void)pthread_mutex_lock(&effects->mutex);
    const struct asking *asking = &effects->asking[find(effects, id)];
    bool known = asking->id[0] != '\0' && (asking->asleep_until_ms == 0 || now_ms < asking->asleep_until_ms);
    (void)pthread_mutex_unlock(&effects->mutex);
    return known;
}

/* Removal from an open-addressed table: what stood behind it is put in anew. */
static void take_out(struct effects *effects, size_t place)
{
    wake(effects, &effects->asking[place]);
    effects->asking[place].id[0] = '\0';
    effects->asking_count--;
    for (size_t next = (place + 1) % ASKING_MAX; effects->asking[next].id[0] != '\0'; next = (next + 1) % ASKING_MAX) {
        struct asking moved = effects->asking[next];
        effects->asking[next] = (struct asking){.id = ""};
        effects->asking[find(effects, moved.id)] = moved;
    }
}

static void forget(struct effects *effects, const char *id)
{
    (void)pthread_mutex_lock(&effects->mutex);
    size_t place = find(effects, id);
    if (effects->asking[place].id[0] != '\0') {
        take_out(effects, place);
    }
    (void)pthread_mutex_unlock(&effects->mutex);
}

/* Lets an application that is being asked for sleep; false when too many do. */
static bool put_to_sleep(struct effects *effects, const char *id, int64_t until_ms)
{
    (void)pthread_mutex_lock(&effects->mutex);
    struct asking *asking = &effects->asking[find(effects, id)];
    bool room = asking->id[0] != '\0' && effects->asleep_count < ASLEEP_MAX;
    if (room) {
        asking->asleep_until_ms = until_ms;
        effects->asleep_count++;
    }
    (void)pthread_mutex_unlock(&effects->mutex);
    return room;
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

struct answers {
    struct store_command command; /* first: a command is cast back */
    struct effects *effects;
    struct source_inquiry *inquiry;
    struct cl_arena *arena;
    struct case_effect effect;
};

static struct cl_status answers_apply(struct store_command *command, struct store_tx *tx)
{
    struct answers *answers = (struct answers *)command;
    struct case_tx view = case_tx_of(answers->effects->options.cases, tx, answers->arena, &answers->effect);
    return case_take_answers(&view, answers->inquiry);
}

/* What was not taken in is asked again by the next sweep, whoever is closed. */
static void let_go(struct effects *effects, const struct source_inquiry *inquiry, bool taken)
{
    if (!taken || inquiry->ask_again_ms == 0 ||
        !put_to_sleep(effects, inquiry->application_id, inquiry->ask_again_ms)) {
        forget(effects, inquiry->application_id);
    }
}

static void answers_free(struct answers *answers)
{
    source_inquiry_free(answers->inquiry);
    cl_arena_free(answers->arena);
    free(answers);
}

static void answers_again(struct store_command *command)
{
    struct answers *answers = (struct answers *)command;
    effects_reset(&answers->effect);
    cl_arena_reset(answers->arena);
}

static void answers_done(struct store_command *command, struct cl_status status)
{
    struct answers *answers = (struct answers *)command;
    let_go(answers->effects, answers->inquiry, cl_is_ok(status)); /* first: an answer may lead to the next question */
    if (cl_is_ok(status)) {
        effects_carry_out(answers->effects, &answers->effect);
    } else {
        effects_drop(&answers->effect);
        cl_log(CL_LOG_ERROR, "api.answers_lost", cl_log_text("application", answers->inquiry->application_id),
               cl_log_text("reason", cl_status_name(status)));
    }
    answers_free(answers);
}

/* On the source thread. An inquiry that cannot be taken in is forgotten; the sweep asks again. */
static void answered(struct source_inquiry *inquiry)
{
    struct effects *effects = inquiry->user;
    struct answers *answers = inquiry->stopped ? NULL : calloc(1, sizeof *answers);
    if (answers == NULL || cl_failed(cl_arena_create(&answers->arena, CL_MESSAGE_ARENA_BYTES_MAX))) {
        forget(effects, inquiry->application_id);
        source_inquiry_free(inquiry);
        free(answers);
        return;
    }
    answers->command = (struct store_command){.apply = answers_apply, .done = answers_done, .again = answers_again};
    answers->effects = effects;
    answers->inquiry = inquiry;
    if (cl_failed(store_submit(effects->options.store, &answers->command))) {
        forget(effects, inquiry->application_id);
        answers_free(answers);
    }
}

/* -- After the commit ---------------------------------------------------------------------------------------- */

static void ask(struct effects *effects, struct source_inquiry *inquiry)
{
    if (!remember(effects, inquiry->application_id)) {
        source_inquiry_free(inquiry);
        return;
    }
    inquiry->answered = answered;
    inquiry->user = effects;
    if (cl_failed(effects->options.outlets.ask(effects->options.outlets.user, inquiry))) {
        forget(effects, inquiry->application_id);
        source_inquiry_free(inquiry);
    }
}

static void raise_alarm(struct effects *effects, const struct case_effect *effect)
{
    static const char *const events[CASE_ALARM_COUNT] = {
        [CASE_ALARM_NONE] = "",
        [CASE_ALARM_HALF_DISBURSED] = "case.half_disbursed",
        [CASE_ALARM_DECISION_OVERDUE] = "case.decision_overdue",
        [CASE_ALARM_EVENT_PARKED] = "delivery.parked",
    };
    atomic_fetch_add_explicit(&effects->options.counters->alarms[effect->alarm], 1, memory_order_relaxed);
    const char *application = effect->alarm_application == NULL ? effect->application_id : effect->alarm_application;
    cl_log(CL_LOG_WARNING, events[effect->alarm], cl_log_text("application", application));
}

/* An operator's own directory may have come in between; it stays, and the rotation waits for the next. */
void effects_put_in_force(struct effects *effects, struct case_effect *effect)
{
    if (effect->directory == NULL) {
        return;
    }
    struct cl_status status = cl_keyring_slot_replace(effects->options.cases->centre->keyrings, effect->directory);
    cl_log(cl_is_ok(status) ? CL_LOG_INFO : CL_LOG_ERROR, "api.directory_issued",
           cl_log_number("number", (int64_t)cl_keyring_number(effect->directory)),
           cl_log_text("reason", cl_status_name(status)));
    cl_keyring_unref(effect->directory);
    effect->directory = NULL;
}

static void notify(const struct effects *effects, const char *party)
{
    if (effects->options.notified != NULL) {
        effects->options.notified(effects->options.notified_user, party);
    }
}

void effects_carry_out(struct effects *effects, struct case_effect *effect)
{
    const struct api_outlets *outlets = &effects->options.outlets;
    for (size_t i = 0; i < effect->event_count; i++) {
        outlets->notify(outlets->user, effect->events[i].recipient, effect->events[i].sequence);
        notify(effects, effect->events[i].recipient);
    }
    if (effect->delivery.said != CASE_NOTHING_SAID) {
        outlets->tell(outlets->user, &effect->delivery);
        notify(effects, effect->delivery.recipient);
    }
    if (effect->decided && effects->options.decided != NULL) {
        effects->options.decided(effects->options.decided_user, effect->decided_after_ms);
    }
    if (effect->alarm != CASE_ALARM_NONE) {
        raise_alarm(effects, effect);
    }
    if (effect->polled) {
        atomic_fetch_add_explicit(&effects->options.counters->polls, 1, memory_order_relaxed);
    }
    if (effect->inquiry != NULL) {
        ask(effects, effect->inquiry);
        effect->inquiry = NULL;
    }
}

void effects_drop(struct case_effect *effect)
{
    source_inquiry_free(effect->inquiry);
    effect->inquiry = NULL;
    cl_keyring_unref(effect->directory);
    effect->directory = NULL;
}

void effects_reset(struct case_effect *effect)
{
    effects_drop(effect);
    *effect = (struct case_effect){0};
}

/* -- Sweep --------------------------------------------------------------------------------------------------- */

struct sweep {
    struct store_command command; /* first: a command is cast back */
    struct effects *effects;
    struct cl_arena *arena;
    struct case_effect effects_of[SWEEP_MAX];
    size_t count;
};

static void keep_sums(atomic_int_least64_t *out, const int64_t *sums, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        atomic_store_explicit(&out[i], sums[i], memory_order_relaxed);
    }
}

static struct cl_status count_reviews(struct review_counters *out, struct case_tx *tx)
{
    struct review_sums sums;
    struct cl_status status = case_review_sums(&sums, tx);
    if (cl_is_ok(status)) {
        keep_sums(out->tasks_open, sums.tasks_open, TASK_KINDS);
        keep_sums(out->steps, sums.steps, OFFICER_STEP_COUNT);
        keep_sums(out->referred, sums.referred, CL_LOAN_REASON_COUNT);
        keep_sums(out->overridden, sums.overridden, CL_LOAN_REASON_COUNT);
    }
    return status;
}

/* The place of a bank's counters, made when it is new; NULL when there are too many. Writer thread. */
static struct bank_counters *bank_place(struct api_counters *counters, const char *party)
{
    size_t count = atomic_load(&counters->bank_count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters->banks[i].party, party) == 0) {
            return &counters->banks[i];
        }
    }
    if (count == API_BANKS_MAX) {
        return NULL;
    }
    memcpy(counters->banks[count].party, party, strlen(party) + 1);
    atomic_store(&counters->bank_count, count + 1);
    return &counters->banks[count];
}

static struct cl_status count_deliveries(struct api_counters *counters, struct case_tx *tx)
{
    struct delivery_tally tallies[API_BANKS_MAX];
    size_t count = 0;
    struct cl_status status = delivery_tallies(tallies, &count, tx->sql, tx->arena, API_BANKS_MAX);
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        const struct delivery_tally *tally = &tallies[i];
        struct bank_counters *bank = bank_place(counters, tally->recipient);
        if (bank != NULL) {
            atomic_store(&bank->unreceived, (int64_t)(tally->head - tally->received_floor));
            atomic_store(&bank->unapplied, (int64_t)(tally->head - tally->applied_floor));
            atomic_store(&bank->unapplied_since_ms, tally->unapplied_since_ms);
            atomic_store(&bank->waiting, tally->waiting);
            atomic_store(&bank->parked, tally->parked);
            atomic_store(&bank->tries_max, tally->tries_max);
        }
    }
    return status;
}

static struct cl_status sweep_apply(struct store_command *command, struct store_tx *tx)
{
    struct sweep *sweep = (struct sweep *)command;
    struct application_ids open;
    struct case_effect none = {0};
    struct case_tx look = case_tx_of(sweep->effects->options.cases, tx, sweep->arena, &none);
    struct cl_status status = case_alive(&look);
    if (cl_is_ok(status)) {
        status = case_expire_overrides(&look);
    }
    if (cl_is_ok(status)) {
        status = count_reviews(&sweep->effects->options.counters->review, &look);
    }
    if (cl_is_ok(status)) {
        status = count_deliveries(sweep->effects->options.counters, &look);
    }
    if (cl_is_ok(status)) {
        status = case_unasked(&open, &look, ASKING_MAX / 2 + SWEEP_MAX);
    }
    for (size_t i = 0; cl_is_ok(status) && i < open.count && sweep->count < SWEEP_MAX; i++) {
        bool elsewhere = remembered(sweep->effects, open.ids[i], look.now_ms);
        if (!elsewhere) {
            status = case_asked_elsewhere(&elsewhere, &look, open.ids[i]);
        }
        if (cl_failed(status) || elsewhere) {
            continue;
        }
        struct case_tx view =
            case_tx_of(sweep->effects->options.cases, tx, sweep->arena, &sweep->effects_of[sweep->count]);
        status = case_ask_again(&view, open.ids[i]);
        sweep->count += cl_is_ok(status) ? 1 : 0;
    }
    return status;
}

static void sweep_again(struct store_command *command)
{
    struct sweep *sweep = (struct sweep *)command;
    for (size_t i = 0; i < SWEEP_MAX; i++) {
        effects_reset(&sweep->effects_of[i]);
    }
    sweep->count = 0;
    cl_arena_reset(sweep->arena);
}

static void sweep_done(struct store_command *command, struct cl_status status)
{
    struct sweep *sweep = (struct sweep *)command;
    if (cl_failed(status)) {
        cl_log(CL_LOG_ERROR, "api.sweep_failed", cl_log_text("reason", cl_status_name(status)));
    }
    for (size_t i = 0; i < sweep->count; i++) {
        effects_carry_out(sweep->effects, &sweep->effects_of[i]);
    }
    cl_arena_free(sweep->arena);
    free(sweep);
}

/* An application's file takes some 20 KiB to read. */
#define SWEEP_ARENA_BYTES_MAX ((size_t)SWEEP_MAX * 256 * 1024)

struct cl_status effects_sweep(struct effects *effects)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL || cl_failed(cl_arena_create(&sweep->arena, SWEEP_ARENA_BYTES_MAX))) {
        free(sweep);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    sweep->command = (struct store_command){.apply = sweep_apply, .done = sweep_done, .again = sweep_again};
    sweep->effects = effects;
    struct cl_status status = store_submit(effects->options.store, &sweep->command);
    if (cl_failed(status)) {
        cl_arena_free(sweep->arena);
        free(sweep);
    }
    return status;
}
