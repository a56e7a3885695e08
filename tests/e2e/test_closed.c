/* An authority outside its hours: the case waits with the item open, nobody asks again and again, the rest goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/e2e/world.h"

enum { ARENA_BYTES = 4 * 1024 * 1024, WAIT_MS = 10000 };

static struct world world;
static struct cl_arena *arena;
static struct cl_session *alpha;

static const ProtobufCMessage *call(const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, alpha, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_string_equal(cl_status_name(status), "OK");
    return answer.body;
}

static const char *submit(const char *persona)
{
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, persona);
    struct cl_session_call what = world_submit_call(&submission);
    return ((const Coloan__V1__ApplicationReceipt *)call(&what))->application_id;
}

static const Coloan__V1__ApplicationView *view(const char *application_id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = cl_arena_text(arena, application_id);
    query.with_items = true;
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/GetApplication",
        .body = &query.base,
        .reply_type = &coloan__v1__application_view__descriptor,
    };
    return (const Coloan__V1__ApplicationView *)call(&what);
}

static Coloan__V1__ItemOutcome outcome_of(const Coloan__V1__ApplicationView *told, Coloan__V1__Item item)
{
    for (size_t i = 0; i < told->n_items; i++) {
        if (told->items[i]->item == item) {
            return told->items[i]->outcome;
        }
    }
    fail_msg("no item %d", (int)item);
    return COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED;
}

static long long metric(const char *name)
{
    char line[64];
    (void)snprintf(line, sizeof line, "\n%s ", name);
    char *text = world_http_get(&world, "/metrics");
    const char *found = strstr(text, line);
    assert_non_null(found);
    long long value = atoll(found + strlen(line));
    free(text);
    return value;
}

/* Waits until the open authority's items are settled. */
static void wait_until_settled(const char *id, Coloan__V1__Item item)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int tries = 0; tries < 400; tries++) {
        cl_arena_reset(arena);
        if (outcome_of(view(id), item) == COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("item %d of %s is not settled", (int)item, id);
}

static void test_a_case_waits_for_the_morning(void **state)
{
    (void)state;
    char id[64];
    cl_arena_reset(arena);
    (void)snprintf(id, sizeof id, "%s", submit("P01"));
    wait_until_settled(id, COLOAN__V1__ITEM__ITEM_IDENTITY);
    const Coloan__V1__ApplicationView *told = view(id);
    assert_int_equal(outcome_of(told, COLOAN__V1__ITEM__ITEM_HOME_COUNT),
                     COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED);
    assert_int_equal(told->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_VERIFYING);
    assert_int_equal(told->status->items->by_person, 0);
    long long closed = metric("coloan_source_closed_total");
    long long requests = metric("coloan_source_requests_total");
    assert_true(closed > 0);
    for (int tick = 0; tick < 5; tick++) {
        coloand_tick(world.server); /* each sweeps for what nobody asks */
    }
    assert_int_equal(metric("coloan_source_closed_total"), closed);
    assert_int_equal(metric("coloan_source_requests_total"), requests);
}

/* After a restart nobody remembers who sleeps: asked once more, closed once more, and that is all. */
static void test_a_restart_finds_it_closed_again(void **state)
{
    (void)state;
    cl_session_free(alpha);
    world_restart(&world);
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int tries = 0; tries < 100 && metric("coloan_source_closed_total") == 0; tries++) {
        coloand_tick(world.server);
        (void)nanosleep(&pause, NULL);
    }
    long long closed = metric("coloan_source_closed_total");
    assert_true(closed > 0);
    (void)nanosleep(&pause, NULL);
    for (int tick = 0; tick < 5; tick++) {
        coloand_tick(world.server);
    }
    assert_int_equal(metric("coloan_source_closed_total"), closed);
    assert_int_equal(metric("coloan_source_requests_total"), 0);
}

/* A window of an hour that begins in two to three hours, in China. */
static void hours_from_now(char *out, size_t size)
{
    int64_t hour = cl_clock_unix_ms(cl_clock_system()) / 3600000 + 8;
    (void)snprintf(out, size, "hours: \"%02d:00-%02d:59\"", (int)((hour + 3) % 24), (int)((hour + 3) % 24));
}

int main(void)
{
    char hours[64];
    hours_from_now(hours, sizeof hours);
    struct world_options options = {.housing = hours};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_case_waits_for_the_morning),
        cmocka_unit_test(test_a_restart_finds_it_closed_again),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
