/* What happens after a commit, when it does not happen: an inquiry is asked once however often it is looked for, and one
 * that a restart cut off is taken up again. */
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

enum { ARENA_BYTES = 4 * 1024 * 1024, WAIT_MS = 10000, DELAY_MS = 700 };

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

static Coloan__V1__ApplicationStatus *status_of(const char *application_id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = cl_arena_text(arena, application_id);
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/GetApplication",
        .body = &query.base,
        .reply_type = &coloan__v1__application_view__descriptor,
    };
    return ((const Coloan__V1__ApplicationView *)call(&what))->status;
}

/* Waits until only the bank's items are open; how many those are. Nothing may be left to an officer. */
static unsigned wait_until_settled(const char *application_id)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int tries = 0; tries < 400; tries++) {
        cl_arena_reset(arena);
        const Coloan__V1__ApplicationStatus *status = status_of(application_id);
        if (status->next_actor == COLOAN__V1__ACTOR__ACTOR_BANK) {
            assert_int_equal(status->items->by_person, 0);
            return status->items->open;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("nobody asks for %s", application_id);
    return 0;
}

static long long requests(void)
{
    static const char name[] = "\ncoloan_source_requests_total ";
    char *text = world_http_get(&world, "/metrics");
    const char *found = strstr(text, name);
    assert_non_null(found);
    long long value = atoll(found + sizeof name - 1);
    free(text);
    return value;
}

static void test_an_inquiry_on_its_way_is_not_asked_again(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char id[64];
    (void)snprintf(id, sizeof id, "%s", submit("P01"));
    unsigned open = status_of(id)->items->open;
    coloand_tick(world.server); /* its first sweep finds the case open, but asked for */
    coloand_tick(world.server);
    unsigned banks = wait_until_settled(id);
    assert_true(open > banks + 5);
    assert_int_equal(requests(), open - banks);
}

/* No answer that a stop broke off counts as one: nothing is left to an officer. */
static void test_a_restart_takes_up_what_was_cut_off(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char id[64];
    (void)snprintf(id, sizeof id, "%s", submit("P02"));
    assert_int_not_equal(status_of(id)->next_actor, COLOAN__V1__ACTOR__ACTOR_BANK);
    cl_session_free(alpha);
    world_restart(&world);
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    assert_true(wait_until_settled(id) > 0);
}

int main(void)
{
    struct world_options options = {.authority_delay_ms = DELAY_MS, .authority_timeout_ms = 10000};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_inquiry_on_its_way_is_not_asked_again),
        cmocka_unit_test(test_a_restart_takes_up_what_was_cut_off),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
