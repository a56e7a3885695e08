/* When what is due by time is due, from where a case stands; and that due work is done once, put off when it fails, and
 * never lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libcoloan/date.h"
#include "server/cases/check.h"
#include "server/cases/deadline.h"
#include "server/cases/registry.h"
#include "tests/server/cases/kit.h"

#define HOUR_MS   (60 * KIT_MINUTE_MS)
#define NOW       KIT_START_MS
#define SOON      (NOW + KIT_DAY_MS)
#define LONG_AGO  (NOW - 30 * KIT_DAY_MS)
#define UNDECIDED FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED

/* -- When ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    due_when *when;
    enum fund_track fund;
    enum bank_track bank;
    enum registry_track registry;
    uint32_t open; /* items */
    int64_t deadline_ms, held_ms, at_ms;
} rows[] = {
    {"items are open", deadline_decision_at, UNDECIDED, 2, NOW + 9 * KIT_DAY_MS, 0, NOW + 8 * KIT_DAY_MS},
    {"nothing is open", deadline_decision_at, UNDECIDED, 0, NOW + 9 * KIT_DAY_MS, 0, 0},
    {"opened late: an hour", deadline_decision_at, UNDECIDED, 2, SOON, 0, NOW + HOUR_MS},
    {"and no more than that", deadline_decision_at, UNDECIDED, 2, SOON, NOW + 5, NOW + 5},
    {"a supplement gave more time", deadline_decision_at, UNDECIDED, 2, NOW + 9 * KIT_DAY_MS, NOW + 5,
     NOW + 8 * KIT_DAY_MS},
    {"an officer has it", deadline_decision_at, FUND_MANUAL, BANK_PENDING, REGISTRY_NOT_STARTED, 0, SOON, SOON, 0},
    {"the borrower has it", deadline_decision_at, FUND_SUPPLEMENT, BANK_PENDING, REGISTRY_NOT_STARTED, 0, SOON, SOON,
     0},
    {"not overdue yet", deadline_overdue_at, UNDECIDED, 0, SOON, 0, SOON},
    {"an officer's, not yet", deadline_overdue_at, FUND_MANUAL, BANK_PENDING, REGISTRY_NOT_STARTED, 0, SOON, 0, SOON},
    {"overdue", deadline_overdue_at, UNDECIDED, 0, LONG_AGO, 0, NOW},
    {"overdue, told today", deadline_overdue_at, UNDECIDED, 0, LONG_AGO, SOON, SOON},
    {"more time after all", deadline_overdue_at, UNDECIDED, 0, SOON, NOW + 7, SOON},
    {"decided", deadline_overdue_at, FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, 0, LONG_AGO, SOON, 0},
    {"a supplement is awaited", deadline_expiry_at, FUND_SUPPLEMENT, BANK_PENDING, REGISTRY_NOT_STARTED, 0, SOON, 0,
     SOON},
    {"an offer stands", deadline_expiry_at, FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, 0, SOON, 0, SOON},
    {"a declined one, too", deadline_expiry_at, FUND_APPROVED, BANK_DECLINED, REGISTRY_NOT_STARTED, 0, SOON, 0, SOON},
    {"confirmed", deadline_expiry_at, FUND_CONFIRMED, BANK_APPROVED, REGISTRY_NOT_STARTED, 0, LONG_AGO, 0, LONG_AGO},
    {"the bank has signed", deadline_expiry_at, FUND_CONFIRMED, BANK_SIGNED, REGISTRY_NOT_STARTED, 0, SOON, SOON, 0},
    {"the fund has signed", deadline_expiry_at, FUND_SIGNED, BANK_APPROVED, REGISTRY_NOT_STARTED, 0, SOON, SOON, 0},
    {"the fund decides", deadline_expiry_at, UNDECIDED, 0, SOON, SOON, 0},
    {"it has ended", deadline_expiry_at, FUND_WITHDRAWN, BANK_RELEASED, REGISTRY_NOT_STARTED, 0, SOON, SOON, 0},
    {"half paid", deadline_half_paid_at, FUND_DISBURSED, BANK_SIGNED, REGISTRY_REGISTERED, 0, 0, SOON, SOON},
    {"paid", deadline_half_paid_at, FUND_DISBURSED, BANK_DISBURSED, REGISTRY_REGISTERED, 0, 0, SOON, 0},
    {"filed, asked for", registry_poll_at, FUND_SIGNED, BANK_SIGNED, REGISTRY_FILED, 0, 0, SOON, SOON},
    {"wants more, asked for", registry_poll_at, FUND_SIGNED, BANK_SIGNED, REGISTRY_SUPPLEMENT, 0, 0, SOON, SOON},
    {"held", registry_poll_at, FUND_SIGNED, BANK_SIGNED, REGISTRY_HELD, 0, 0, SOON, 0},
    {"sent back", registry_poll_at, FUND_SIGNED, BANK_SIGNED, REGISTRY_REJECTED, 0, 0, SOON, 0},
    {"not filed", registry_poll_at, FUND_SIGNED, BANK_SIGNED, REGISTRY_NOT_STARTED, 0, 0, 0, 0},
    {"checked", check_renew_at, FUND_SIGNED, BANK_SIGNED, REGISTRY_REGISTERED, 0, 0, SOON, SOON},
    {"paid before it ran out", check_renew_at, FUND_DISBURSED, BANK_SIGNED, REGISTRY_REGISTERED, 0, 0, SOON, 0},
    {"nothing is awaited", check_completion_at, FUND_SIGNED, BANK_SIGNED, REGISTRY_REGISTERED, 0, 0, SOON, 0},
};

static void what_is_due_follows_from_the_case(void **state)
{
    const struct case_tx tx = {.cases = &kit.cases, .now_ms = NOW};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct case_file file = {
            .row = {.deadline_ms = rows[i].deadline_ms},
            .tracks = {.fund = rows[i].fund,
                       .bank = rows[i].bank,
                       .registry = rows[i].registry,
                       .items = {.total = 14, .open = rows[i].open},
                       .checks = {.total = 3},
                       .offer_version = 1,
                       .round = 1},
        };
        int64_t at_ms = rows[i].when(&file, &tx, rows[i].held_ms);
        if (at_ms != rows[i].at_ms) {
            fail_msg("%s: %lld from now", rows[i].name, (long long)(at_ms - NOW));
        }
    }
}

static void half_paid_is_told_again_at_the_end_of_the_day(void **state)
{
    (void)state;
    struct case_file file = {.tracks = {.fund = FUND_DISBURSED, .bank = BANK_SIGNED, .registry = REGISTRY_REGISTERED}};
    const struct case_tx tx = {.now_ms = NOW};
    int64_t at_ms = deadline_half_paid_at(&file, &tx, 0);
    assert_int_equal(cl_date_from_ms(at_ms), cl_date_next(cl_date_from_ms(NOW)));
    assert_int_equal(cl_date_from_ms(at_ms - 1), cl_date_from_ms(NOW));
}

/* What an authority is asked for the first time, or from then on once a day, goes by the register's hours. */
static void what_is_asked_for_first_goes_by_the_registers_hours(void **state)
{
    (void)state;
    static const int64_t opens_ms = 8 * HOUR_MS + HOUR_MS / 2;
    static const int64_t closes_ms = 17 * HOUR_MS + HOUR_MS / 2;
    static const int64_t first_ms = 30 * 1000;
    static const struct {
        const char *name;
        due_when *when;
        enum registry_track registry;
        bool awaited;
        int64_t of_day_ms, at_ms; /* since midnight; 0: never */
    } asked[] = {
        {"filed in its hours", registry_poll_at, REGISTRY_FILED, false, 10 * HOUR_MS, 10 * HOUR_MS + first_ms},
        {"filed just before it closes", registry_poll_at, REGISTRY_FILED, false, closes_ms - first_ms, closes_ms},
        {"and a moment later", registry_poll_at, REGISTRY_FILED, false, closes_ms - first_ms + 1,
         KIT_DAY_MS + opens_ms},
        {"filed at night", registry_poll_at, REGISTRY_FILED, false, 3 * HOUR_MS, opens_ms},
        {"filed as it opens", registry_poll_at, REGISTRY_SUPPLEMENT, false, opens_ms - first_ms, opens_ms},
        {"not filed", registry_poll_at, REGISTRY_NOT_STARTED, false, 10 * HOUR_MS, 0},
        {"completion awaited by day", check_completion_at, REGISTRY_REGISTERED, true, 10 * HOUR_MS,
         KIT_DAY_MS + opens_ms},
        {"completion awaited at night", check_completion_at, REGISTRY_REGISTERED, true, 1, KIT_DAY_MS + opens_ms},
        {"no completion awaited", check_completion_at, REGISTRY_REGISTERED, false, 10 * HOUR_MS, 0},
    };
    const struct polling_plan before = kit.centre.registry;
    int64_t midnight_ms = cl_date_to_ms(cl_date_from_ms(NOW));
    kit.centre.registry = (struct polling_plan){
        .opens_ms = opens_ms, .closes_ms = closes_ms, .first_ms = first_ms, .every_ms = 5 * KIT_MINUTE_MS};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        const struct case_tx tx = {.cases = &kit.cases, .now_ms = midnight_ms + asked[i].of_day_ms};
        struct case_file file = {.tracks = {.fund = FUND_SIGNED,
                                            .bank = BANK_SIGNED,
                                            .registry = asked[i].registry,
                                            .items = {.total = 14},
                                            .checks = {.total = 3, .completion_awaited = asked[i].awaited},
                                            .offer_version = 1,
                                            .round = 1}};
        int64_t at_ms = asked[i].when(&file, &tx, 0);
        if (at_ms != (asked[i].at_ms == 0 ? 0 : midnight_ms + asked[i].at_ms)) {
            fail_msg("%s: %lld from midnight", asked[i].name, (long long)(at_ms - midnight_ms));
        }
    }
    kit.centre.registry = before;
}

/* -- Doing ----------------------------------------------------------------------------------------------------- */

enum way { RUN, POSTPONE };

static struct case_effect effect;

static enum cl_reason work(enum way way, const char *subject, int kind)
{
    effect = (struct case_effect){0};
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    struct case_tx view = case_tx_of(&kit.cases, tx, kit.arena, &effect);
    struct cl_status status = way == RUN ? case_run_due(&view, subject, kind) : case_postpone(&view, subject, kind);
    return store_fixture_end(kit.fixture, status).reason;
}

static void set(const char *subject, int kind, int64_t at_ms)
{
    struct due_row row = {.subject = subject, .kind = kind, .at_ms = at_ms};
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_int_equal(due_set(tx, &row).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
}

static const struct kit_place approved = {CASE_APPROVED, FUND_APPROVED, BANK_APPROVED, REGISTRY_NOT_STARTED, {0}, 0};

static void an_offer_expires_once(void **state)
{
    (void)state;
    const char *id = kit_stand(1, &approved);
    set(id, DUE_EXPIRY, NOW);
    kit.now_ms = NOW - 1;
    assert_int_equal(work(RUN, id, DUE_EXPIRY), CL_OK);
    assert_int_equal(kit_row(id).state, CASE_APPROVED);
    kit.now_ms = NOW;
    assert_int_equal(work(RUN, id, DUE_EXPIRY), CL_OK);
    assert_int_equal(kit_row(id).state, CASE_EXPIRED);
    assert_int_equal(effect.event_count, 1);
    assert_string_equal(effect.events[0].recipient, KIT_BANK);
    assert_int_equal(work(RUN, id, DUE_EXPIRY), CL_OK);
    assert_int_equal(effect.event_count, 0);
    for (int kind = 1; kind < DUE_KINDS_MAX; kind++) {
        assert_int_equal(kit_due(id, kind), 0);
    }
}

static void what_fails_is_put_off_and_stays(void **state)
{
    (void)state;
    static const struct kit_place signed_by_all = {CASE_SIGNED, FUND_SIGNED, BANK_SIGNED, REGISTRY_NOT_STARTED, {0}, 0};
    const char *id = kit_stand(1, &signed_by_all);
    set(id, DUE_EXPIRY, NOW); /* which nothing of ours sets here */
    assert_int_equal(work(RUN, id, DUE_EXPIRY), CL_STATE_CONFLICT);
    assert_int_equal(kit_row(id).state, CASE_SIGNED);
    assert_int_equal(kit_due(id, DUE_EXPIRY), NOW);
    assert_int_equal(work(POSTPONE, id, DUE_EXPIRY), CL_OK);
    assert_int_equal(kit_due(id, DUE_EXPIRY), NOW + KIT_MINUTE_MS);
    assert_int_equal(work(RUN, id, DUE_EXPIRY), CL_OK); /* not yet again */
    assert_int_equal(work(POSTPONE, id, DUE_EXPIRY), CL_OK);
    assert_int_equal(kit_due(id, DUE_EXPIRY), NOW + KIT_MINUTE_MS);
    set(id, DUE_KINDS_MAX - 1, NOW); /* of a newer version */
    assert_int_equal(work(RUN, id, DUE_KINDS_MAX - 1), CL_INTERNAL);
    assert_int_equal(kit_due(id, DUE_KINDS_MAX - 1), NOW);
    set("nobody", DUE_EXPIRY, NOW);
    assert_int_equal(work(RUN, "nobody", DUE_EXPIRY), CL_APPLICATION_UNKNOWN);
}

static void an_alarm_is_set_again_for_the_next_day(void **state)
{
    (void)state;
    static const struct kit_place waiting = {CASE_MANUAL, FUND_MANUAL, BANK_PENDING, REGISTRY_NOT_STARTED, {0}, 0};
    const char *id = kit_stand(1, &waiting);
    set(id, DUE_OVERDUE, NOW);
    kit.now_ms = NOW + 3 * HOUR_MS; /* late: the server was down */
    assert_int_equal(work(RUN, id, DUE_OVERDUE), CL_OK);
    assert_int_equal(effect.alarm, CASE_ALARM_DECISION_OVERDUE);
    assert_string_equal(effect.application_id, id);
    assert_int_equal(kit_due(id, DUE_OVERDUE), kit.now_ms + KIT_DAY_MS);
    assert_int_equal(kit_row(id).state, CASE_MANUAL);
}

int main(void)
{
    if (kit_open() != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_follows_from_the_case),
        cmocka_unit_test(what_is_asked_for_first_goes_by_the_registers_hours),
        cmocka_unit_test(half_paid_is_told_again_at_the_end_of_the_day),
        cmocka_unit_test_setup_teardown(an_offer_expires_once, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(what_fails_is_put_off_and_stays, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(an_alarm_is_set_again_for_the_next_day, kit_set_up, kit_tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_close();
    return failed;
}
