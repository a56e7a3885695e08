#include "tests/crash/lies/applicants.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coloan/v1/application.pb-c.h>

enum {
    ARENA_BYTES = 4 * 1024 * 1024,
    ANSWER_MS_MAX = 120 * 1000,
    ATTEMPT_MS = 20 * 1000,
    FULL_MS = 5, /* between looks whether more may apply */
    WRONG_BYTES_MAX = 256,
};

struct counter {
    struct applicants *applicants;
    const struct bank_role *role;
    struct cl_session *session;
    struct cl_arena *arena;
    pthread_t thread;
};

struct applicants {
    struct counter counters[BANKS];
    int64_t every_us; /* of one counter */
    bool running;
    atomic_uint_least64_t allowed, taken; /* taken: the next household's number */

    pthread_mutex_t mutex; /* guards the rest */
    struct applied_for *list;
    size_t count, room;
    char wrong[WRONG_BYTES_MAX];
};

/* -- A submission --------------------------------------------------------------------------------------------- */

static void keep(struct applicants *applicants, const char *application_id, const struct cl_digest *submission)
{
    (void)pthread_mutex_lock(&applicants->mutex);
    if (applicants->count == applicants->room) {
        applicants->room = applicants->room == 0 ? 1024 : 2 * applicants->room;
        applicants->list = realloc(applicants->list, applicants->room * sizeof applicants->list[0]);
        assert(applicants->list != NULL);
    }
    struct applied_for *place = &applicants->list[applicants->count++];
    (void)snprintf(place->application_id, sizeof place->application_id, "%s", application_id);
    place->submission = *submission;
    (void)pthread_mutex_unlock(&applicants->mutex);
}

static void note_refusal(struct applicants *applicants, uint64_t household, struct cl_status status, const char *field)
{
    (void)pthread_mutex_lock(&applicants->mutex);
    if (applicants->wrong[0] == '\0') {
        (void)snprintf(applicants->wrong, sizeof applicants->wrong,
                       "the application of household %" PRIu64 " was refused: %s %s", household, cl_status_name(status),
                       field);
    }
    (void)pthread_mutex_unlock(&applicants->mutex);
}

static void apply(struct counter *counter, uint64_t household)
{
    char reference[32];
    struct world_submission submission;
    struct cl_request request;
    struct cl_answer answer = {.field = ""};
    json_t *persona = people_make_generated(household);
    assert(persona != NULL);
    (void)snprintf(reference, sizeof reference, "Q-%" PRIu64, household);
    cl_arena_reset(counter->arena);
    world_submission(&submission, counter->arena, persona, counter->role->party, reference);
    json_decref(persona);
    struct cl_session_call call = world_submit_call(&submission);
    struct cl_status status = cl_session_prepare(&request, counter->session, counter->arena, &call);
    if (cl_is_ok(status)) {
        status = cl_session_send(&answer, counter->session, counter->arena, &request,
                                 (struct cl_patience){.attempt_ms = ATTEMPT_MS, .total_ms = ANSWER_MS_MAX});
    }
    if (cl_is_ok(status)) {
        const Coloan__V1__ApplicationReceipt *receipt =
            (const Coloan__V1__ApplicationReceipt *)(const void *)answer.body;
        keep(counter->applicants, receipt->application_id, &request.digest);
    } else {
        note_refusal(counter->applicants, household, status, answer.field);
    }
}

/* -- Counters ------------------------------------------------------------------------------------------------- */

/* The next household's number; false when no more may apply now. */
static bool next_household(uint64_t *out, struct applicants *applicants)
{
    uint64_t next = atomic_load(&applicants->taken);
    while (next < atomic_load(&applicants->allowed)) {
        if (atomic_compare_exchange_weak(&applicants->taken, &next, next + 1)) {
            *out = next;
            return true;
        }
    }
    return false;
}

static void *serve(void *argument)
{
    struct counter *counter = argument;
    struct applicants *applicants = counter->applicants;
    const struct cl_clock *clock = cl_clock_system();
    int64_t due_us = cl_clock_monotonic_ms(clock) * 1000;
    while (!cl_session_stopped(counter->session) && applicants_wrong(applicants) == NULL) {
        uint64_t household = 0;
        int64_t early_ms = due_us / 1000 - cl_clock_monotonic_ms(clock);
        if (early_ms > 0) {
            (void)cl_session_pause(counter->session, early_ms);
        } else if (next_household(&household, applicants)) {
            apply(counter, household);
            due_us += applicants->every_us;
        } else {
            (void)cl_session_pause(counter->session, FULL_MS);
            due_us = cl_clock_monotonic_ms(clock) * 1000; /* what was not applied for then does not come at once now */
        }
    }
    return NULL;
}

/* -- Life ----------------------------------------------------------------------------------------------------- */

struct applicants *applicants_create(const struct world *world, uint16_t centre_port, uint64_t rate)
{
    char target[32];
    struct applicants *applicants = calloc(1, sizeof *applicants);
    assert(applicants != NULL);
    (void)pthread_mutex_init(&applicants->mutex, NULL);
    applicants->every_us = (int64_t)(BANKS * UINT64_C(1000000) / rate);
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", centre_port);
    for (size_t i = 0; i < BANKS; i++) {
        struct counter *counter = &applicants->counters[i];
        counter->applicants = applicants;
        counter->role = &bank_roles[i];
        counter->session = world_session_at(world, target, counter->role->certificate, counter->role->key);
        struct cl_status status = cl_arena_create(&counter->arena, ARENA_BYTES);
        assert(cl_is_ok(status));
        int failed = pthread_create(&counter->thread, NULL, serve, counter);
        assert(failed == 0);
    }
    applicants->running = true;
    return applicants;
}

void applicants_stop(struct applicants *applicants)
{
    for (size_t i = 0; i < BANKS && applicants->running; i++) {
        cl_session_stop(applicants->counters[i].session);
    }
    for (size_t i = 0; i < BANKS && applicants->running; i++) {
        (void)pthread_join(applicants->counters[i].thread, NULL);
    }
    applicants->running = false;
}

void applicants_free(struct applicants *applicants)
{
    if (applicants == NULL) {
        return;
    }
    applicants_stop(applicants);
    for (size_t i = 0; i < BANKS; i++) {
        cl_session_free(applicants->counters[i].session);
        cl_arena_free(applicants->counters[i].arena);
    }
    (void)pthread_mutex_destroy(&applicants->mutex);
    free(applicants->list);
    free(applicants);
}

void applicants_allow(struct applicants *applicants, uint64_t count)
{
    atomic_store(&applicants->allowed, count);
}

uint64_t applicants_count(struct applicants *applicants)
{
    (void)pthread_mutex_lock(&applicants->mutex);
    uint64_t count = applicants->count;
    (void)pthread_mutex_unlock(&applicants->mutex);
    return count;
}

const char *applicants_wrong(struct applicants *applicants)
{
    (void)pthread_mutex_lock(&applicants->mutex);
    bool any = applicants->wrong[0] != '\0';
    (void)pthread_mutex_unlock(&applicants->mutex);
    return any ? applicants->wrong : NULL; /* written once */
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct applied_for *)a)->application_id, ((const struct applied_for *)b)->application_id);
}

const struct applied_for *applicants_list(size_t *count_out, struct applicants *applicants)
{
    assert(!applicants->running);
    if (applicants->count > 0) {
        qsort(applicants->list, applicants->count, sizeof applicants->list[0], by_id);
    }
    *count_out = applicants->count;
    return applicants->list;
}
