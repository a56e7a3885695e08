/* The life cycle: every row works, everything else is refused, every state can be reached, nothing moves after the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/domain/lifecycle.h"

enum { STATES_MAX = 4096, VERSIONS_MAX = 3 };

static struct case_input input_of(enum case_command command)
{
    return (struct case_input){
        .command = command, .items_total = 14, .items_open = 0, .items_officer = 0, .offer_versions_max = VERSIONS_MAX};
}

static struct cl_status apply(struct case_tracks *tracks, enum case_command command)
{
    struct case_events events;
    struct case_input input = input_of(command);
    return lifecycle_apply(tracks, &events, &input);
}

/* A case after these commands, all of which must work. */
static struct case_tracks after(const enum case_command *commands, size_t count)
{
    struct case_tracks tracks = {.fund = FUND_NONE};
    for (size_t i = 0; i < count; i++) {
        if (cl_failed(apply(&tracks, commands[i]))) {
            fail_msg("%zu: %s", i, lifecycle_command_name(commands[i]));
        }
    }
    return tracks;
}

/* -- Paths ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum case_command commands[8];
    enum case_state state;
    enum case_outcome outcome;
    enum case_actor actor;
    uint32_t offer_version;
} ways[] = {
    {"nothing", {0}, CASE_NONE, OUTCOME_NONE, ACTOR_NONE, 0},
    {"submitted", {COMMAND_SUBMIT}, CASE_VERIFYING, OUTCOME_PENDING, ACTOR_FUND, 0},
    {"settled", {COMMAND_SUBMIT, COMMAND_SETTLE_ITEM}, CASE_VERIFYING, OUTCOME_PENDING, ACTOR_FUND, 0},
    {"offered", {COMMAND_SUBMIT, COMMAND_FUND_APPROVE}, CASE_OFFERED, OUTCOME_PENDING, ACTOR_BANK, 1},
    {"both approve",
     {COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_APPROVE},
     CASE_APPROVED,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_NOBODY,
     1},
    {"fund alone",
     {COMMAND_SUBMIT, COMMAND_FUND_APPROVE_ALONE},
     CASE_APPROVED,
     OUTCOME_APPROVED_FUND_ONLY,
     ACTOR_NOBODY,
     1},
    {"fund rejects", {COMMAND_SUBMIT, COMMAND_FUND_REJECT}, CASE_REJECTED, OUTCOME_REJECTED_FUND, ACTOR_NOBODY, 0},
    {"bank declines",
     {COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_DECLINE},
     CASE_REJECTED,
     OUTCOME_DECLINED_BANK,
     ACTOR_NOBODY,
     1},
    {"bank counters",
     {COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_COUNTER},
     CASE_OFFERED,
     OUTCOME_PENDING,
     ACTOR_BANK,
     2},
    {"bank counters, then approves",
     {COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_COUNTER, COMMAND_BANK_APPROVE},
     CASE_APPROVED,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_NOBODY,
     2},
    {"bank counters twice, then declines",
     {COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_COUNTER, COMMAND_BANK_COUNTER, COMMAND_BANK_DECLINE},
     CASE_REJECTED,
     OUTCOME_DECLINED_BANK,
     ACTOR_NOBODY,
     3},
    {"supplement asked",
     {COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT},
     CASE_SUPPLEMENT,
     OUTCOME_SUPPLEMENT,
     ACTOR_BORROWER,
     0},
    {"supplement came",
     {COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT, COMMAND_SETTLE_ITEM},
     CASE_VERIFYING,
     OUTCOME_PENDING,
     ACTOR_FUND,
     0},
    {"an officer is asked", {COMMAND_SUBMIT, COMMAND_FUND_MANUAL}, CASE_MANUAL, OUTCOME_MANUAL, ACTOR_OFFICER, 0},
    {"the officer settled it",
     {COMMAND_SUBMIT, COMMAND_FUND_MANUAL, COMMAND_SETTLE_ITEM, COMMAND_FUND_APPROVE},
     CASE_OFFERED,
     OUTCOME_PENDING,
     ACTOR_BANK,
     1},
};

static void the_usual_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        size_t count = 0;
        while (count < 8 && ways[i].commands[count] != 0) {
            count++;
        }
        struct case_tracks tracks = after(ways[i].commands, count);
        if (lifecycle_state(&tracks) != ways[i].state || lifecycle_outcome(&tracks) != ways[i].outcome) {
            fail_msg("%s", ways[i].name);
        }
        assert_int_equal(lifecycle_next_actor(&tracks), ways[i].actor);
        assert_int_equal(tracks.offer_version, ways[i].offer_version);
    }
}

static void events_follow_the_transitions(void **state)
{
    (void)state;
    static const struct {
        enum case_command commands[4];
        enum case_event events[2]; /* of the last one */
    } rows[] = {
        {{COMMAND_SUBMIT}, {EVENT_APPLICATION}},
        {{COMMAND_SUBMIT, COMMAND_SETTLE_ITEM}, {EVENT_NONE}},
        {{COMMAND_SUBMIT, COMMAND_FUND_APPROVE}, {EVENT_FUND_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_APPROVE_ALONE}, {EVENT_FUND_DECISION, EVENT_JOINT_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_REJECT}, {EVENT_FUND_DECISION, EVENT_JOINT_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT}, {EVENT_FUND_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT, COMMAND_SETTLE_ITEM}, {EVENT_STATUS}},
        {{COMMAND_SUBMIT, COMMAND_FUND_MANUAL}, {EVENT_FUND_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_APPROVE}, {EVENT_JOINT_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_DECLINE}, {EVENT_JOINT_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_COUNTER}, {EVENT_FUND_DECISION}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct case_tracks tracks = {.fund = FUND_NONE};
        struct case_events events = {.count = 0};
        for (size_t j = 0; j < 4 && rows[i].commands[j] != 0; j++) {
            struct case_input input = input_of(rows[i].commands[j]);
            assert_true(cl_is_ok(lifecycle_apply(&tracks, &events, &input)));
        }
        for (size_t j = 0; j < 2; j++) {
            assert_int_equal(j < events.count ? events.list[j] : EVENT_NONE, rows[i].events[j]);
        }
    }
}

/* -- Guards --------------------------------------------------------------------------------------------------- */

static void nothing_is_decided_while_items_are_open(void **state)
{
    (void)state;
    static const enum case_command decisions[] = {COMMAND_FUND_APPROVE, COMMAND_FUND_APPROVE_ALONE, COMMAND_FUND_REJECT,
                                                  COMMAND_FUND_SUPPLEMENT, COMMAND_FUND_MANUAL};
    static const struct {
        uint32_t open, bank, officer;
        bool may_decide;
        enum case_state state;
        enum case_actor actor;
    } rows[] = {
        {14, 2, 0, false, CASE_VERIFYING, ACTOR_FUND}, {2, 2, 0, false, CASE_VERIFYING, ACTOR_BANK},
        {2, 2, 1, false, CASE_VERIFYING, ACTOR_BANK},  {0, 0, 1, true, CASE_MANUAL, ACTOR_OFFICER},
        {0, 0, 0, true, CASE_VERIFYING, ACTOR_FUND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct case_events events;
        struct case_tracks submitted = {.fund = FUND_NONE};
        struct case_input input = input_of(COMMAND_SUBMIT);
        input.items_open = rows[i].open;
        input.items_bank = rows[i].bank;
        input.items_officer = rows[i].officer;
        assert_true(cl_is_ok(lifecycle_apply(&submitted, &events, &input)));
        assert_int_equal(lifecycle_may_decide(&submitted), rows[i].may_decide);
        assert_int_equal(lifecycle_state(&submitted), rows[i].state);
        assert_int_equal(lifecycle_next_actor(&submitted), rows[i].actor);
        for (size_t j = 0; j < sizeof decisions / sizeof decisions[0]; j++) {
            struct case_tracks tracks = submitted;
            assert_int_equal(apply(&tracks, decisions[j]).reason, rows[i].may_decide ? CL_OK : CL_STATE_CONFLICT);
        }
    }
}

static void counter_offers_are_counted(void **state)
{
    (void)state;
    static const enum case_command commands[] = {COMMAND_SUBMIT, COMMAND_FUND_APPROVE, COMMAND_BANK_COUNTER,
                                                 COMMAND_BANK_COUNTER};
    struct case_tracks tracks = after(commands, 4);
    assert_int_equal(tracks.offer_version, VERSIONS_MAX);
    assert_int_equal(apply(&tracks, COMMAND_BANK_COUNTER).reason, CL_STATE_CONFLICT);
    assert_int_equal(tracks.offer_version, VERSIONS_MAX);
    assert_int_equal(apply(&tracks, COMMAND_BANK_APPROVE).reason, CL_OK);
}

/* -- The whole space ------------------------------------------------------------------------------------------ */

struct walk {
    struct case_tracks seen[STATES_MAX];
    size_t count;
};

static void visit(struct walk *walk, const struct case_tracks *tracks)
{
    for (size_t i = 0; i < walk->count; i++) {
        if (memcmp(&walk->seen[i], tracks, sizeof *tracks) == 0) {
            return;
        }
    }
    assert_in_range(walk->count, 0, STATES_MAX - 1);
    walk->seen[walk->count++] = *tracks;
}

static bool row_fits(const struct case_tracks *tracks, const struct case_input *input, bool rows_used[])
{
    for (unsigned i = 0; lifecycle_at(i) != NULL; i++) {
        const struct transition *row = lifecycle_at(i);
        bool fits = row->fund_from == tracks->fund && row->bank_from == tracks->bank &&
                    row->command == input->command && (row->guard == NULL || row->guard(tracks, input));
        if (fits) {
            rows_used[i] = true;
            return true;
        }
    }
    return false;
}

/* Every command, with few and with many open items, in every state that can be reached. */
static void every_command_in_every_state(void **state)
{
    (void)state;
    static struct walk walk;
    bool rows_used[64] = {false};
    bool states_seen[CASE_WITHDRAWN + 1] = {false};
    bool outcomes_seen[OUTCOME_MANUAL + 1] = {false};
    struct case_tracks start;
    memset(&start, 0, sizeof start);
    memset(&walk, 0, sizeof walk);
    visit(&walk, &start);
    for (size_t i = 0; i < walk.count; i++) {
        struct case_tracks from = walk.seen[i];
        states_seen[lifecycle_state(&from)] = true;
        outcomes_seen[lifecycle_outcome(&from)] = true;
        for (unsigned command = 0; command <= COMMAND_COUNT; command++) {
            for (uint32_t counts = 0; counts < 4; counts++) {
                struct case_tracks tracks = from;
                struct case_events events = {.count = 77};
                struct case_input input = input_of((enum case_command)command);
                input.items_open = counts & 1;
                input.items_officer = counts >> 1;
                bool fits = row_fits(&from, &input, rows_used);
                struct cl_status status = lifecycle_apply(&tracks, &events, &input);
                assert_int_equal(status.reason, fits ? CL_OK : CL_STATE_CONFLICT);
                if (cl_failed(status)) { /* untouched */
                    assert_memory_equal(&tracks, &from, sizeof from);
                    assert_int_equal(events.count, 77);
                    continue;
                }
                assert_true(lifecycle_valid(&tracks));
                assert_int_not_equal(lifecycle_next_actor(&from), ACTOR_NOBODY); /* what has ended stays ended */
                assert_true(tracks.offer_version >= from.offer_version);
                visit(&walk, &tracks);
            }
        }
    }
    for (unsigned i = 0; lifecycle_at(i) != NULL; i++) {
        if (!rows_used[i]) {
            fail_msg("row %u is never used", i);
        }
    }
    for (unsigned i = CASE_NONE; i < CASE_EXPIRED; i++) {
        assert_true(states_seen[i]);
    }
    for (unsigned i = OUTCOME_NONE; i <= OUTCOME_MANUAL; i++) {
        assert_true(outcomes_seen[i]);
    }
}

/* From every state that is not an end, an end can be reached. */
static bool reaches_an_end(struct case_tracks tracks, unsigned depth)
{
    if (lifecycle_next_actor(&tracks) == ACTOR_NOBODY) {
        return true;
    }
    for (unsigned command = COMMAND_SUBMIT; command < COMMAND_COUNT && depth > 0; command++) {
        struct case_tracks next = tracks;
        if (cl_is_ok(apply(&next, (enum case_command)command)) && reaches_an_end(next, depth - 1)) {
            return true;
        }
    }
    return false;
}

static void no_case_is_stuck(void **state)
{
    (void)state;
    static const enum case_command commands[] = {COMMAND_SUBMIT,       COMMAND_FUND_SUPPLEMENT, COMMAND_SETTLE_ITEM,
                                                 COMMAND_FUND_MANUAL,  COMMAND_SETTLE_ITEM,     COMMAND_FUND_APPROVE,
                                                 COMMAND_BANK_COUNTER, COMMAND_BANK_COUNTER};
    for (size_t count = 0; count <= sizeof commands / sizeof commands[0]; count++) {
        assert_true(reaches_an_end(after(commands, count), 4));
    }
}

static void tracks_that_do_not_go_together(void **state)
{
    (void)state;
    static const struct {
        struct case_tracks tracks;
        bool valid;
    } rows[] = {
        {{FUND_NONE, BANK_NONE, REGISTRY_NONE, 0, 0, 0, 0, 0, false}, true},
        {{FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 3, 2, 1, 0, false}, true},
        {{FUND_PENDING, BANK_NONE, REGISTRY_NOT_STARTED, 14, 3, 0, 0, 0, false}, false},
        {{FUND_NONE, BANK_PENDING, REGISTRY_NONE, 0, 0, 0, 0, 0, false}, false},
        {{FUND_PENDING, BANK_PENDING, REGISTRY_NONE, 14, 3, 0, 0, 0, false}, false},
        {{FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 15, 0, 0, 0, false}, false},
        {{FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 10, 0, 5, 0, false}, false},
        {{FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 1, 2, 0, 0, false}, false},
        {{FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 1, false}, false},
        {{FUND_PENDING, BANK_APPROVED, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 0, false}, false},
        {{FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 1, false}, true},
        {{FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 0, false}, false},
        {{FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 1, 0, 0, 1, false}, false},
        {{FUND_APPROVED, BANK_APPROVED, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 1, false}, true},
        {{FUND_APPROVED, BANK_APPROVED, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 1, true}, false},
        {{FUND_APPROVED, BANK_COUNTERED, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 1, false}, false},
        {{FUND_APPROVED, BANK_COUNTERED, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 2, false}, true},
        {{FUND_REJECTED, BANK_DECLINED, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 0, false}, false},
        {{FUND_REJECTED, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 0, true}, false},
        {{FUND_TRACK_COUNT, BANK_PENDING, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 0, false}, false},
        {{FUND_APPROVED, BANK_TRACK_COUNT, REGISTRY_NOT_STARTED, 14, 0, 0, 0, 1, false}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (lifecycle_valid(&rows[i].tracks) != rows[i].valid) {
            fail_msg("row %zu", i);
        }
    }
}

static void rows_have_sentences_and_commands_names(void **state)
{
    (void)state;
    for (unsigned i = 0; lifecycle_at(i) != NULL; i++) {
        assert_true(strlen(lifecycle_at(i)->sentence) > 10);
        assert_string_not_equal(lifecycle_command_name(lifecycle_at(i)->command), "?");
    }
    assert_string_equal(lifecycle_command_name(COMMAND_BANK_COUNTER), "BANK_COUNTER");
    assert_string_equal(lifecycle_command_name((enum case_command)0), "?");
    assert_string_equal(lifecycle_command_name(COMMAND_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_ways),
        cmocka_unit_test(events_follow_the_transitions),
        cmocka_unit_test(nothing_is_decided_while_items_are_open),
        cmocka_unit_test(counter_offers_are_counted),
        cmocka_unit_test(every_command_in_every_state),
        cmocka_unit_test(no_case_is_stuck),
        cmocka_unit_test(tracks_that_do_not_go_together),
        cmocka_unit_test(rows_have_sentences_and_commands_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
