/* The life cycle: every row works, everything else is refused, every state can be reached, and from every state an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/domain/lifecycle.h"

enum { VERSIONS_MAX = 3, ROUNDS_MAX = 2, STATES_MAX = 1 << 14, WAY_MAX = 20 };

static const struct case_checks passed = {.total = 8};
static const struct case_checks asked = {.total = 8, .open = 8};
static const struct case_checks held = {.total = 8, .open = 1, .bad = 1};
static const struct case_checks building = {.total = 8, .open = 1, .completion_awaited = true};

static struct case_input input_of(enum case_command command)
{
    return (struct case_input){
        .command = command,
        .items = {.total = 14},
        .checks = command == COMMAND_REGISTER ? asked : passed,
        .offer_versions_max = VERSIONS_MAX,
    };
}

static struct cl_status apply(struct case_tracks *tracks, enum case_command command)
{
    struct case_events events;
    struct case_input input = input_of(command);
    return lifecycle_apply(tracks, &events, &input);
}

/* -- Paths ---------------------------------------------------------------------------------------------------- */

#define OFFERED   COMMAND_SUBMIT, COMMAND_FUND_APPROVE
#define APPROVED  OFFERED, COMMAND_BANK_APPROVE
#define CONFIRMED APPROVED, COMMAND_CONFIRM
#define SIGNED    CONFIRMED, COMMAND_SIGN_FUND, COMMAND_SIGN_BANK
#define FILED     SIGNED, COMMAND_FILE
#define CHECKING  FILED, COMMAND_REGISTER
#define READY     CHECKING, COMMAND_CHECK
#define REPAYING  READY, COMMAND_DISBURSE_FUND, COMMAND_DISBURSE_BANK
#define SETTLED   REPAYING, COMMAND_SETTLE_FUND, COMMAND_SETTLE_BANK

static const struct {
    const char *name;
    enum case_command commands[WAY_MAX];
    enum case_state state;
    enum case_outcome outcome;
    enum case_actor actor;
    uint32_t offer_version;
} ways[] = {
    {"nothing", {0}, CASE_NONE, OUTCOME_NONE, ACTOR_NONE, 0},
    {"submitted", {COMMAND_SUBMIT}, CASE_VERIFYING, OUTCOME_PENDING, ACTOR_FUND, 0},
    {"settled", {COMMAND_SUBMIT, COMMAND_SETTLE_ITEM}, CASE_VERIFYING, OUTCOME_PENDING, ACTOR_FUND, 0},
    {"offered", {OFFERED}, CASE_OFFERED, OUTCOME_PENDING, ACTOR_BANK, 1},
    {"both approve", {APPROVED}, CASE_APPROVED, OUTCOME_APPROVED_COMBINED, ACTOR_BORROWER, 1},
    {"fund alone",
     {COMMAND_SUBMIT, COMMAND_FUND_APPROVE_ALONE},
     CASE_APPROVED,
     OUTCOME_APPROVED_FUND_ONLY,
     ACTOR_BORROWER,
     1},
    {"fund rejects", {COMMAND_SUBMIT, COMMAND_FUND_REJECT}, CASE_REJECTED, OUTCOME_REJECTED_FUND, ACTOR_NOBODY, 0},
    {"bank declines", {OFFERED, COMMAND_BANK_DECLINE}, CASE_DECLINED, OUTCOME_DECLINED_BANK, ACTOR_BORROWER, 1},
    {"bank counters", {OFFERED, COMMAND_BANK_COUNTER}, CASE_OFFERED, OUTCOME_PENDING, ACTOR_BANK, 2},
    {"bank counters, then approves",
     {OFFERED, COMMAND_BANK_COUNTER, COMMAND_BANK_APPROVE},
     CASE_APPROVED,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_BORROWER,
     2},
    {"bank counters twice, then declines",
     {OFFERED, COMMAND_BANK_COUNTER, COMMAND_BANK_COUNTER, COMMAND_BANK_DECLINE},
     CASE_DECLINED,
     OUTCOME_DECLINED_BANK,
     ACTOR_BORROWER,
     3},
    {"supplement asked",
     {COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT},
     CASE_SUPPLEMENT,
     OUTCOME_SUPPLEMENT,
     ACTOR_BORROWER,
     0},
    {"supplement came",
     {COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT, COMMAND_SUPPLEMENT},
     CASE_VERIFYING,
     OUTCOME_PENDING,
     ACTOR_FUND,
     0},
    {"supplement never came",
     {COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT, COMMAND_EXPIRE},
     CASE_EXPIRED,
     OUTCOME_EXPIRED,
     ACTOR_NOBODY,
     0},
    {"an officer is asked", {COMMAND_SUBMIT, COMMAND_FUND_MANUAL}, CASE_MANUAL, OUTCOME_MANUAL, ACTOR_OFFICER, 0},
    {"the officer settled it",
     {COMMAND_SUBMIT, COMMAND_FUND_MANUAL, COMMAND_SETTLE_ITEM, COMMAND_FUND_APPROVE},
     CASE_OFFERED,
     OUTCOME_PENDING,
     ACTOR_BANK,
     1},
    {"another bank after the decline",
     {OFFERED, COMMAND_BANK_DECLINE, COMMAND_CHANGE_BANK, COMMAND_FUND_APPROVE, COMMAND_BANK_APPROVE},
     CASE_APPROVED,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_BORROWER,
     2},
    {"new rules after the approval", {APPROVED, COMMAND_CHOOSE_RULES}, CASE_VERIFYING, OUTCOME_PENDING, ACTOR_FUND, 1},
    {"withdrawn", {CONFIRMED, COMMAND_WITHDRAW}, CASE_WITHDRAWN, OUTCOME_WITHDRAWN, ACTOR_NOBODY, 1},
    {"offer expired", {APPROVED, COMMAND_EXPIRE}, CASE_EXPIRED, OUTCOME_EXPIRED, ACTOR_NOBODY, 1},
    {"confirmed", {CONFIRMED}, CASE_CONFIRMED, OUTCOME_APPROVED_COMBINED, ACTOR_BANK, 1},
    {"bank's contract first", {CONFIRMED, COMMAND_SIGN_BANK}, CASE_SIGNING, OUTCOME_APPROVED_COMBINED, ACTOR_BANK, 1},
    {"fund's contract first", {CONFIRMED, COMMAND_SIGN_FUND}, CASE_SIGNING, OUTCOME_APPROVED_COMBINED, ACTOR_BANK, 1},
    {"signed", {SIGNED}, CASE_SIGNED, OUTCOME_APPROVED_COMBINED, ACTOR_BANK, 1},
    {"filed", {FILED}, CASE_REGISTERING, OUTCOME_APPROVED_COMBINED, ACTOR_AUTHORITY, 1},
    {"register asks for more",
     {FILED, COMMAND_REGISTRY_SUPPLEMENT},
     CASE_REGISTRY_SUPPLEMENT,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_BORROWER,
     1},
    {"register goes on",
     {FILED, COMMAND_REGISTRY_SUPPLEMENT, COMMAND_REGISTRY_PROCEED},
     CASE_REGISTERING,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_AUTHORITY,
     1},
    {"register sends it back, filed anew",
     {FILED, COMMAND_REGISTRY_REJECT, COMMAND_FILE},
     CASE_REGISTERING,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_AUTHORITY,
     1},
    {"register differs", {FILED, COMMAND_REGISTRY_HOLD}, CASE_HELD, OUTCOME_APPROVED_COMBINED, ACTOR_OFFICER, 1},
    {"register differed, an officer took it",
     {FILED, COMMAND_REGISTRY_HOLD, COMMAND_REGISTER},
     CASE_CHECKING,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_FUND,
     1},
    {"register never answered, asked on",
     {FILED, COMMAND_REGISTRY_SUPPLEMENT, COMMAND_REGISTRY_HOLD, COMMAND_REGISTRY_PROCEED},
     CASE_REGISTERING,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_AUTHORITY,
     1},
    {"checking", {CHECKING}, CASE_CHECKING, OUTCOME_APPROVED_COMBINED, ACTOR_FUND, 1},
    {"ready", {READY}, CASE_READY, OUTCOME_APPROVED_COMBINED, ACTOR_BANK, 1},
    {"half paid by the fund",
     {READY, COMMAND_DISBURSE_FUND},
     CASE_HALF_DISBURSED,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_BANK,
     1},
    {"half paid by the bank",
     {READY, COMMAND_DISBURSE_BANK},
     CASE_HALF_DISBURSED,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_BANK,
     1},
    {"paid", {REPAYING}, CASE_REPAYING, OUTCOME_APPROVED_COMBINED, ACTOR_BORROWER, 1},
    {"one part settled",
     {REPAYING, COMMAND_REPAY_FUND, COMMAND_OVERDUE_BANK, COMMAND_SETTLE_FUND},
     CASE_REPAYING,
     OUTCOME_APPROVED_COMBINED,
     ACTOR_BORROWER,
     1},
    {"settled", {SETTLED}, CASE_SETTLED, OUTCOME_APPROVED_COMBINED, ACTOR_BANK, 1},
    {"mortgage deleted", {SETTLED, COMMAND_RELEASE_MORTGAGE}, CASE_SETTLED, OUTCOME_APPROVED_COMBINED, ACTOR_NOBODY, 1},
    {"cancelled after signing", {SIGNED, COMMAND_CANCEL}, CASE_CANCELLED, OUTCOME_CANCELLED, ACTOR_NOBODY, 1},
    {"cancelled after registration",
     {READY, COMMAND_RELEASE_MORTGAGE, COMMAND_CANCEL},
     CASE_CANCELLED,
     OUTCOME_CANCELLED,
     ACTOR_NOBODY,
     1},
};

static size_t length_of(const enum case_command *commands)
{
    size_t count = 0;
    while (count < WAY_MAX && commands[count] != 0) {
        count++;
    }
    return count;
}

/* A case after these commands, all of which must work. */
static struct case_tracks after(const char *name, const enum case_command *commands)
{
    struct case_tracks tracks;
    memset(&tracks, 0, sizeof tracks);
    for (size_t i = 0; i < length_of(commands); i++) {
        if (cl_failed(apply(&tracks, commands[i]))) {
            fail_msg("%s, %zu: %s", name, i, lifecycle_command_name(commands[i]));
        }
    }
    return tracks;
}

static void the_usual_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct case_tracks tracks = after(ways[i].name, ways[i].commands);
        bool as_told = lifecycle_state(&tracks) == ways[i].state && lifecycle_outcome(&tracks) == ways[i].outcome &&
                       lifecycle_next_actor(&tracks) == ways[i].actor && tracks.offer_version == ways[i].offer_version;
        if (!as_told) {
            fail_msg("%s: %s", ways[i].name, lifecycle_state_name(lifecycle_state(&tracks)));
        }
    }
}

/* -- Refused neighbours ---------------------------------------------------------------------------------------- */

static void what_comes_too_early_or_too_late_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum case_command commands[WAY_MAX];
        enum case_command refused;
    } rows[] = {
        {"confirm before the bank agreed", {OFFERED}, COMMAND_CONFIRM},
        {"confirm after the decline", {OFFERED, COMMAND_BANK_DECLINE}, COMMAND_CONFIRM},
        {"confirm twice", {CONFIRMED}, COMMAND_CONFIRM},
        {"sign before confirming", {APPROVED}, COMMAND_SIGN_FUND},
        {"sign the commercial part before confirming", {APPROVED}, COMMAND_SIGN_BANK},
        {"sign what there is not", {COMMAND_SUBMIT, COMMAND_FUND_APPROVE_ALONE, COMMAND_CONFIRM}, COMMAND_SIGN_BANK},
        {"file with one contract", {CONFIRMED, COMMAND_SIGN_FUND}, COMMAND_FILE},
        {"file twice", {FILED}, COMMAND_FILE},
        {"pay while the register is held", {FILED, COMMAND_REGISTRY_HOLD}, COMMAND_DISBURSE_FUND},
        {"cancel while the register is held", {FILED, COMMAND_REGISTRY_HOLD}, COMMAND_CANCEL},
        {"pay before registration", {SIGNED}, COMMAND_DISBURSE_FUND},
        {"pay before the check", {CHECKING}, COMMAND_DISBURSE_BANK},
        {"pay twice", {READY, COMMAND_DISBURSE_FUND}, COMMAND_DISBURSE_FUND},
        {"repay before payment", {READY}, COMMAND_REPAY_FUND},
        {"settle twice", {SETTLED}, COMMAND_SETTLE_FUND},
        {"withdraw after signing", {CONFIRMED, COMMAND_SIGN_BANK}, COMMAND_WITHDRAW},
        {"change the bank after signing", {CONFIRMED, COMMAND_SIGN_FUND}, COMMAND_CHANGE_BANK},
        {"choose rules after signing", {SIGNED}, COMMAND_CHOOSE_RULES},
        {"expire after signing", {SIGNED}, COMMAND_EXPIRE},
        {"expire while the fund decides", {COMMAND_SUBMIT}, COMMAND_EXPIRE},
        {"cancel what may be withdrawn", {CONFIRMED}, COMMAND_CANCEL},
        {"cancel while registered", {READY}, COMMAND_CANCEL},
        {"cancel while filed", {FILED}, COMMAND_CANCEL},
        {"cancel after a payment", {READY, COMMAND_DISBURSE_BANK}, COMMAND_CANCEL},
        {"delete the mortgage while owed", {REPAYING}, COMMAND_RELEASE_MORTGAGE},
        {"delete the mortgage after one leg", {READY, COMMAND_DISBURSE_BANK}, COMMAND_RELEASE_MORTGAGE},
        {"supplement that nobody asked for", {COMMAND_SUBMIT}, COMMAND_SUPPLEMENT},
        {"bank decides without an offer", {COMMAND_SUBMIT}, COMMAND_BANK_APPROVE},
        {"bank decides twice", {APPROVED}, COMMAND_BANK_DECLINE},
        {"after the end", {COMMAND_SUBMIT, COMMAND_FUND_REJECT}, COMMAND_WITHDRAW},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct case_tracks tracks = after(rows[i].name, rows[i].commands);
        struct case_tracks before = tracks;
        if (apply(&tracks, rows[i].refused).reason != CL_STATE_CONFLICT) {
            fail_msg("%s", rows[i].name);
        }
        assert_memory_equal(&tracks, &before, sizeof tracks);
    }
}

/* Covers: COL-LIF-003 */
static void events_follow_the_transitions(void **state)
{
    (void)state;
    static const struct {
        enum case_command commands[WAY_MAX];
        enum case_event events[2]; /* of the last one */
    } rows[] = {
        {{COMMAND_SUBMIT}, {EVENT_APPLICATION}},
        {{COMMAND_SUBMIT, COMMAND_SETTLE_ITEM}, {EVENT_NONE}},
        {{OFFERED}, {EVENT_FUND_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_APPROVE_ALONE}, {EVENT_FUND_DECISION, EVENT_JOINT_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_REJECT}, {EVENT_FUND_DECISION, EVENT_JOINT_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT}, {EVENT_FUND_DECISION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT, COMMAND_SETTLE_ITEM}, {EVENT_STATUS}},
        {{COMMAND_SUBMIT, COMMAND_FUND_SUPPLEMENT, COMMAND_SUPPLEMENT}, {EVENT_APPLICATION}},
        {{COMMAND_SUBMIT, COMMAND_FUND_MANUAL}, {EVENT_FUND_DECISION}},
        {{APPROVED}, {EVENT_JOINT_DECISION}},
        {{OFFERED, COMMAND_BANK_DECLINE}, {EVENT_JOINT_DECISION}},
        {{OFFERED, COMMAND_BANK_COUNTER}, {EVENT_FUND_DECISION}},
        {{APPROVED, COMMAND_CHANGE_BANK}, {EVENT_APPLICATION}},
        {{APPROVED, COMMAND_CHOOSE_RULES}, {EVENT_STATUS}},
        {{APPROVED, COMMAND_WITHDRAW_CONSENT}, {EVENT_CONSENT_WITHDRAWN}},
        {{APPROVED, COMMAND_WITHDRAW}, {EVENT_STATUS}},
        {{CHECKING}, {EVENT_STATUS}},
        {{READY, COMMAND_DISBURSE_FUND}, {EVENT_NONE}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct case_tracks tracks;
        struct case_events events = {.count = 0};
        memset(&tracks, 0, sizeof tracks);
        for (size_t j = 0; j < length_of(rows[i].commands); j++) {
            struct case_input input = input_of(rows[i].commands[j]);
            assert_true(cl_is_ok(lifecycle_apply(&tracks, &events, &input)));
        }
        for (size_t j = 0; j < 2; j++) {
            assert_int_equal(j < events.count ? events.list[j] : EVENT_NONE, rows[i].events[j]);
        }
    }
}

/* -- Guards --------------------------------------------------------------------------------------------------- */

/* Covers: COL-DEC-001 */
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
        struct case_tracks submitted;
        memset(&submitted, 0, sizeof submitted);
        struct case_input input = input_of(COMMAND_SUBMIT);
        input.items = (struct case_counts){14, rows[i].open, rows[i].bank, rows[i].officer};
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

/* Covers: COL-OFR-009 */
static void counter_offers_are_counted_in_each_round(void **state)
{
    (void)state;
    static const enum case_command commands[WAY_MAX] = {OFFERED, COMMAND_BANK_COUNTER, COMMAND_BANK_COUNTER};
    struct case_tracks tracks = after("counters", commands);
    assert_int_equal(tracks.offer_version, VERSIONS_MAX);
    assert_int_equal(apply(&tracks, COMMAND_BANK_COUNTER).reason, CL_STATE_CONFLICT);
    assert_int_equal(tracks.offer_version, VERSIONS_MAX);
    assert_int_equal(apply(&tracks, COMMAND_CHANGE_BANK).reason, CL_OK);
    assert_int_equal(tracks.round, 2);
    assert_int_equal(apply(&tracks, COMMAND_FUND_APPROVE).reason, CL_OK);
    assert_int_equal(apply(&tracks, COMMAND_BANK_COUNTER).reason, CL_OK);
    assert_int_equal(tracks.offer_version, VERSIONS_MAX + 2);
    assert_int_equal(apply(&tracks, COMMAND_BANK_APPROVE).reason, CL_OK);
}

static void the_checks_before_payment_hold_it_up(void **state)
{
    (void)state;
    static const enum case_command commands[WAY_MAX] = {CHECKING};
    static const struct {
        const struct case_checks *checks;
        enum case_state state;
        enum case_actor actor;
        bool pays;
    } rows[] = {
        {&asked, CASE_CHECKING, ACTOR_FUND, false},
        {&held, CASE_HELD, ACTOR_OFFICER, false},
        {&building, CASE_AWAITING_COMPLETION, ACTOR_AUTHORITY, false},
        {&passed, CASE_READY, ACTOR_BANK, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct case_tracks tracks = after("checking", commands);
        struct case_events events;
        struct case_input input = input_of(COMMAND_CHECK);
        input.checks = *rows[i].checks;
        assert_int_equal(lifecycle_apply(&tracks, &events, &input).reason, CL_OK);
        assert_int_equal(lifecycle_state(&tracks), rows[i].state);
        assert_int_equal(lifecycle_next_actor(&tracks), rows[i].actor);
        assert_int_equal(apply(&tracks, COMMAND_DISBURSE_BANK).reason, rows[i].pays ? CL_OK : CL_STATE_CONFLICT);
    }
}

static void persons_are_free_when_nothing_came_of_it_or_all_is_paid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct case_tracks tracks = after(ways[i].name, ways[i].commands);
        enum case_state at = lifecycle_state(&tracks);
        bool came_to_nothing =
            at == CASE_REJECTED || at == CASE_EXPIRED || at == CASE_WITHDRAWN || at == CASE_CANCELLED;
        assert_int_equal(lifecycle_frees_persons(&tracks),
                         came_to_nothing || at == CASE_REPAYING || at == CASE_SETTLED);
    }
}

/* -- The whole space ------------------------------------------------------------------------------------------ */

/* Every state that can be reached, found by trying every command with every kind of counts. A case that is opened again
 * is the same as before but for numbers that only grow, so a few rounds and versions stand for all. */
struct walk {
    struct case_tracks seen[STATES_MAX];
    bool ends[STATES_MAX]; /* an end can be reached from it */
    size_t count;
    size_t places[2 * STATES_MAX]; /* 1 + index; 0: free */
    bool rows_used[TRACK_COUNT][128];
};

static size_t place_of(const struct walk *walk, const struct case_tracks *tracks)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    const unsigned char *bytes = (const unsigned char *)tracks;
    for (size_t i = 0; i < sizeof *tracks; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    size_t place = hash % (2 * STATES_MAX);
    while (walk->places[place] != 0 && memcmp(&walk->seen[walk->places[place] - 1], tracks, sizeof *tracks) != 0) {
        place = (place + 1) % (2 * STATES_MAX);
    }
    return place;
}

static void visit(struct walk *walk, const struct case_tracks *tracks)
{
    size_t place = place_of(walk, tracks);
    if (walk->places[place] != 0 || tracks->round > ROUNDS_MAX) {
        return;
    }
    assert_in_range(walk->count, 0, STATES_MAX - 1);
    walk->seen[walk->count] = *tracks;
    walk->places[place] = ++walk->count;
}

/* The table read once more, by itself: whether a command fits and which rows it takes. */
static bool rows_fit(struct walk *walk, const struct case_tracks *tracks, const struct case_input *input)
{
    const int at[TRACK_COUNT] = {(int)tracks->fund, (int)tracks->bank, (int)tracks->registry};
    unsigned used[TRACK_COUNT] = {0};
    bool any = false;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        bool known = false;
        const struct transition *row;
        for (unsigned i = 0; (row = lifecycle_at((enum case_track)track, i)) != NULL; i++) {
            known = known || row->command == input->command;
            bool fits = row->command == input->command && row->from == at[track] && row->guard(tracks, input);
            used[track] = fits && used[track] == 0 ? i + 1 : used[track];
        }
        if (known && used[track] == 0) {
            return false;
        }
        any = any || known;
    }
    for (unsigned track = 0; any && track < TRACK_COUNT; track++) {
        if (used[track] > 0) {
            walk->rows_used[track][used[track] - 1] = true;
        }
    }
    return any;
}

enum { KINDS = 8 };

static struct case_input input_kind(enum case_command command, unsigned kind)
{
    const struct case_checks *const checks[4] = {&passed, &asked, &held, &building};
    struct case_input input = input_of(command);
    input.items.open = kind & 1;
    input.items.officer = (kind >> 1) & 1;
    input.checks = *checks[(kind >> 1) & 3];
    return input;
}

static void try_everything(struct walk *walk, const struct case_tracks *from)
{
    for (unsigned command = 0; command <= COMMAND_COUNT; command++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            struct case_tracks tracks = *from;
            struct case_events events = {.count = 77};
            struct case_input input = input_kind((enum case_command)command, kind);
            bool fits = rows_fit(walk, from, &input);
            struct cl_status status = lifecycle_apply(&tracks, &events, &input);
            assert_int_equal(status.reason, fits ? CL_OK : CL_STATE_CONFLICT);
            if (cl_failed(status)) { /* untouched */
                assert_memory_equal(&tracks, from, sizeof tracks);
                assert_int_equal(events.count, 77);
                continue;
            }
            assert_true(lifecycle_valid(&tracks));
            assert_false(lifecycle_ended(from)); /* what has ended stays ended */
            assert_true(tracks.offer_version >= from->offer_version && tracks.round >= from->round);
            visit(walk, &tracks);
        }
    }
}

static bool leads_on(const struct walk *walk, const struct case_tracks *from)
{
    for (unsigned command = COMMAND_SUBMIT; command < COMMAND_COUNT; command++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            struct case_tracks tracks = *from;
            struct case_events events;
            struct case_input input = input_kind((enum case_command)command, kind);
            if (cl_failed(lifecycle_apply(&tracks, &events, &input))) {
                continue;
            }
            size_t place = walk->places[place_of(walk, &tracks)];
            if (place != 0 && walk->ends[place - 1]) {
                return true;
            }
        }
    }
    return false;
}

static void no_case_is_stuck(struct walk *walk)
{
    bool more = true;
    while (more) {
        more = false;
        for (size_t i = walk->count; i-- > 0;) {
            if (!walk->ends[i] && (lifecycle_ended(&walk->seen[i]) || leads_on(walk, &walk->seen[i]))) {
                walk->ends[i] = true;
                more = true;
            }
        }
    }
    for (size_t i = 0; i < walk->count; i++) {
        const struct case_tracks *tracks = &walk->seen[i];
        if (!walk->ends[i]) {
            fail_msg("stuck: fund %s, bank %s, registry %s", lifecycle_track_name(TRACK_FUND, (int)tracks->fund),
                     lifecycle_track_name(TRACK_BANK, (int)tracks->bank),
                     lifecycle_track_name(TRACK_REGISTRY, (int)tracks->registry));
        }
    }
}

/* Covers: COL-LIF-001, COL-LIF-002, COL-LIF-004, COL-DEC-003 */
static void every_command_in_every_state(void **state)
{
    (void)state;
    static struct walk walk;
    bool states_seen[CASE_STATE_COUNT] = {false};
    bool outcomes_seen[OUTCOME_COUNT] = {false};
    struct case_tracks start;
    memset(&start, 0, sizeof start);
    memset(&walk, 0, sizeof walk);
    visit(&walk, &start);
    for (size_t i = 0; i < walk.count; i++) {
        struct case_tracks from = walk.seen[i];
        states_seen[lifecycle_state(&from)] = true;
        outcomes_seen[lifecycle_outcome(&from)] = true;
        try_everything(&walk, &from);
    }
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        for (unsigned i = 0; lifecycle_at((enum case_track)track, i) != NULL; i++) {
            if (!walk.rows_used[track][i]) {
                fail_msg("row %u of track %u is never used", i, track);
            }
        }
    }
    for (unsigned i = CASE_NONE; i < CASE_STATE_COUNT; i++) {
        if (!states_seen[i]) {
            fail_msg("%s is never reached", lifecycle_state_name((enum case_state)i));
        }
    }
    for (unsigned i = OUTCOME_NONE; i < OUTCOME_COUNT; i++) {
        assert_true(outcomes_seen[i]);
    }
    no_case_is_stuck(&walk);
    print_message("%zu states\n", walk.count);
}

/* -- What goes together ---------------------------------------------------------------------------------------- */

static void tracks_that_do_not_go_together(void **state)
{
    (void)state;
    static const struct case_counts all = {.total = 14};
    static const struct {
        enum fund_track fund;
        enum bank_track bank;
        enum registry_track registry;
        struct case_counts items;
        uint32_t versions, counters, round;
        bool valid;
    } rows[] = {
        {FUND_NONE, BANK_NONE, REGISTRY_NONE, {0}, 0, 0, 0, true},
        {FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 3, 1, 2}, 0, 0, 1, true},
        {FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 3, 1, 2}, 0, 0, 0, false},
        {FUND_PENDING, BANK_NONE, REGISTRY_NOT_STARTED, {14, 3, 0, 0}, 0, 0, 1, false},
        {FUND_NONE, BANK_PENDING, REGISTRY_NONE, {0}, 0, 0, 0, false},
        {FUND_PENDING, BANK_PENDING, REGISTRY_NONE, {14, 3, 0, 0}, 0, 0, 1, false},
        {FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 15, 0, 0}, 0, 0, 1, false},
        {FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 10, 0, 5}, 0, 0, 1, false},
        {FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 1, 2, 0}, 0, 0, 1, false},
        {FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 1, 0, 2, true},
        {FUND_PENDING, BANK_APPROVED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 0, 0, 1, false},
        {FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 1, 0, 1, true},
        {FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 0, 0, 1, false},
        {FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 1, 0, 0}, 1, 0, 1, false},
        {FUND_APPROVED, BANK_APPROVED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 1, 0, 1, true},
        {FUND_APPROVED, BANK_SIGNED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 1, 0, 1, false},
        {FUND_APPROVED, BANK_COUNTERED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 2, 0, 1, false},
        {FUND_APPROVED, BANK_COUNTERED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 1, 1, 1, false},
        {FUND_APPROVED, BANK_COUNTERED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 2, 1, 1, true},
        {FUND_REJECTED, BANK_DECLINED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 0, 0, 1, false},
        {FUND_REJECTED, BANK_RELEASED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 0, 0, 1, true},
        {FUND_CONFIRMED, BANK_COUNTERED, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 2, 1, 1, false},
        {FUND_CONFIRMED, BANK_SIGNED, REGISTRY_FILED, {14, 0, 0, 0}, 1, 0, 1, false},
        {FUND_SIGNED, BANK_APPROVED, REGISTRY_FILED, {14, 0, 0, 0}, 1, 0, 1, false},
        {FUND_SIGNED, BANK_SIGNED, REGISTRY_FILED, {14, 0, 0, 0}, 1, 0, 1, true},
        {FUND_DISBURSED, BANK_SIGNED, REGISTRY_FILED, {14, 0, 0, 0}, 1, 0, 1, false},
        {FUND_DISBURSED, BANK_SIGNED, REGISTRY_REGISTERED, {14, 0, 0, 0}, 1, 0, 1, true},
        {FUND_TRACK_COUNT, BANK_PENDING, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 0, 0, 1, false},
        {FUND_APPROVED, BANK_TRACK_COUNT, REGISTRY_NOT_STARTED, {14, 0, 0, 0}, 1, 0, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct case_tracks tracks = {
            .fund = rows[i].fund,
            .bank = rows[i].bank,
            .registry = rows[i].registry,
            .items = rows[i].items,
            .offer_version = rows[i].versions,
            .counters = rows[i].counters,
            .round = rows[i].round,
        };
        if (lifecycle_valid(&tracks) != rows[i].valid) {
            fail_msg("row %zu", i);
        }
    }
    struct case_tracks tracks = {.fund = FUND_PENDING,
                                 .bank = BANK_PENDING,
                                 .registry = REGISTRY_NOT_STARTED,
                                 .items = all,
                                 .checks = {.total = 3, .open = 2, .bad = 2},
                                 .round = 1};
    assert_false(lifecycle_valid(&tracks));
    tracks.checks = (struct case_checks){.total = 3, .completion_awaited = true};
    assert_false(lifecycle_valid(&tracks));
}

static void rows_have_sentences_and_commands_names(void **state)
{
    (void)state;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        const struct transition *row;
        for (unsigned i = 0; (row = lifecycle_at((enum case_track)track, i)) != NULL; i++) {
            assert_true(strlen(row->sentence) > 10 && strlen(row->sentence_zh) > 10);
            assert_string_not_equal(lifecycle_command_name(row->command), "?");
            assert_string_not_equal(lifecycle_track_name((enum case_track)track, row->to), "?");
            assert_int_equal(lifecycle_track_of(row), track);
            assert_ptr_equal(lifecycle_find((enum case_track)track, row->from, row->command, row->to), row);
            assert_non_null(lifecycle_guard_text(row->guard));
        }
    }
    assert_null(lifecycle_find(TRACK_FUND, FUND_SETTLED, COMMAND_SUBMIT, FUND_PENDING));
    assert_string_equal(lifecycle_command_name(COMMAND_BANK_COUNTER), "BANK_COUNTER");
    assert_string_equal(lifecycle_command_name((enum case_command)0), "?");
    assert_string_equal(lifecycle_command_name(COMMAND_COUNT), "?");
    assert_string_equal(lifecycle_track_name(TRACK_BANK, BANK_TRACK_COUNT), "?");
    assert_string_equal(lifecycle_state_name(CASE_STATE_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_ways),
        cmocka_unit_test(what_comes_too_early_or_too_late_is_refused),
        cmocka_unit_test(events_follow_the_transitions),
        cmocka_unit_test(nothing_is_decided_while_items_are_open),
        cmocka_unit_test(counter_offers_are_counted_in_each_round),
        cmocka_unit_test(the_checks_before_payment_hold_it_up),
        cmocka_unit_test(persons_are_free_when_nothing_came_of_it_or_all_is_paid),
        cmocka_unit_test(every_command_in_every_state),
        cmocka_unit_test(tracks_that_do_not_go_together),
        cmocka_unit_test(rows_have_sentences_and_commands_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
