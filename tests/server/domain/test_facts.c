/* Facts: what may be taken in, what counts as an answer, and where each value lands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/server/domain/world.h"

static const struct persona single = {
    .name = "single",
    .persons = {{.id_number = "990101199603150019", .base_yuan = 18000, .balance_yuan = 62000}},
    .price_yuan = 1300000,
};

static const struct persona family = {
    .name = "couple with a parent, one does not contribute",
    .persons = {{.id_number = "990101199006010018", .base_yuan = 20000, .balance_yuan = 90000},
                {.id_number = "990101199107040021"},
                {.id_number = "990101196806150031", .base_yuan = 9000, .balance_yuan = 50000}},
    .kind = HOME_SECOND_HAND,
    .price_yuan = 2000000,
    .appraisal_yuan = 1900000,
};

/* -- Taking in ------------------------------------------------------------------------------------------------ */

#define SPOIL(name, change)                                                                                            \
    static void name(struct item_result *r)                                                                            \
    {                                                                                                                  \
        change;                                                                                                        \
    }

SPOIL(nothing, (void)r)
SPOIL(no_item, r->key.item = ITEM_NONE)
SPOIL(past_items, r->key.item = ITEM_COUNT)
SPOIL(no_person, r->key.person = 3)
SPOIL(no_account, r->key.person = 1) /* does not contribute */
SPOIL(not_open, r->outcome = ITEM_OPEN)
SPOIL(no_outcome, r->outcome = (enum item_outcome)4)
SPOIL(no_failure, r->failure = FAILURE_KIND_COUNT; r->outcome = ITEM_FAIL)
SPOIL(pass_failed, r->failure = FAILURE_TIMEOUT)
SPOIL(before_1970, r->observed_ms = -1)
SPOIL(long_ago, r->observed_ms = INT64_MIN)
SPOIL(far_future, r->observed_ms = INT64_MAX)
SPOIL(ended_before, r->valid_until_ms = r->observed_ms - 1)
SPOIL(ends_at_once, r->valid_until_ms = r->observed_ms)
SPOIL(fact_unknown, r->facts[1].name = "salary")
SPOIL(fact_twice, r->facts[1].name = "months")
SPOIL(fact_low, r->facts[1].number = -1)
SPOIL(fact_high, r->facts[0].number = 1201)
SPOIL(flag_high, r->facts[3].number = 2)
SPOIL(fact_missing, r->fact_count = 3)
SPOIL(fact_missing_failed, r->fact_count = 0; r->outcome = ITEM_FAIL; r->failure = FAILURE_NO_RECORD)
SPOIL(too_many_facts, r->fact_count = ITEM_FACTS_MAX + 1)

/* Covers: COL-VER-004, COL-VER-006 */
static void a_result_is_checked_before_it_is_taken(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct item_result *result);
        enum cl_reason reason;
        const char *path;
    } rows[] = {
        {nothing, CL_OK, ""},
        {no_item, CL_FIELD_INVALID, "item"},
        {past_items, CL_FIELD_INVALID, "item"},
        {no_person, CL_FIELD_INVALID, "person"},
        {no_account, CL_FIELD_INVALID, "person"},
        {not_open, CL_FIELD_INVALID, "outcome"},
        {no_outcome, CL_FIELD_INVALID, "outcome"},
        {no_failure, CL_FIELD_INVALID, "failure"},
        {pass_failed, CL_FIELD_INVALID, "failure"},
        {before_1970, CL_FIELD_INVALID, "observed_ms"},
        {long_ago, CL_FIELD_INVALID, "observed_ms"},
        {far_future, CL_FIELD_INVALID, "observed_ms"},
        {ended_before, CL_FIELD_INVALID, "valid_until_ms"},
        {ends_at_once, CL_OK, ""},
        {fact_unknown, CL_FIELD_INVALID, "facts[1].name"},
        {fact_twice, CL_FIELD_INVALID, "facts[1].name"},
        {fact_low, CL_FIELD_INVALID, "facts[1].number"},
        {fact_high, CL_FIELD_INVALID, "facts[0].number"},
        {flag_high, CL_FIELD_INVALID, "facts[3].number"},
        {fact_missing, CL_FIELD_MISSING, "facts"},
        {fact_missing_failed, CL_OK, ""},
        {too_many_facts, CL_FIELD_INVALID, "facts"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct field_path path = {""};
        persona_case(&world, &family, world_now_ms());
        struct item_result result = *world_result(&world, ITEM_CONTRIBUTION, 2);
        rows[i].spoil(&result);
        struct cl_status status = item_result_check(&path, &world.application, &result);
        if (status.reason != rows[i].reason || strcmp(path.text, rows[i].path) != 0) {
            fail_msg("row %zu: %s %s", i, cl_status_name(status), path.text);
        }
        assert_int_equal(item_result_check(NULL, &world.application, &result).reason, rows[i].reason);
    }
}

static void the_person_of_a_case_item_is_ignored(void **state)
{
    (void)state;
    struct world_case world;
    struct case_facts facts;
    persona_case(&world, &single, world_now_ms());
    struct item_result *income = world_result(&world, ITEM_INCOME, 0);
    income->key.person = 3;
    assert_int_equal(item_result_check(NULL, &world.application, income).reason, CL_OK);
    facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
    assert_int_equal(facts.answer[ITEM_INCOME], ANSWER_YES);
    assert_int_equal(facts.income_fen, 1800000);
}

static void a_ban_ends_on_a_date(void **state)
{
    (void)state;
    static const struct {
        int64_t banned_until;
        enum cl_reason reason;
    } rows[] = {{0, CL_OK}, {20311123, CL_OK}, {20310229, CL_FIELD_INVALID}, {1, CL_FIELD_INVALID}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        persona_case(&world, &single, world_now_ms());
        struct item_result *result = world_result(&world, ITEM_FRAUD_LIST, 0);
        result->facts[0].number = rows[i].banned_until;
        assert_int_equal(item_result_check(NULL, &world.application, result).reason, rows[i].reason);
    }
}

/* -- Reading -------------------------------------------------------------------------------------------------- */

static void every_value_lands_in_its_place(void **state)
{
    (void)state;
    struct persona persona = {
        .name = "distinct numbers",
        .persons = {{.id_number = "990101199006010018",
                     .registered = MARITAL_DIVORCED,
                     .months = 11,
                     .base_yuan = 12,
                     .balance_yuan = 13,
                     .sealed = true,
                     .loans_used = 14,
                     .loans_open = 15,
                     .banned_until = 20300116,
                     .overdue_now = true,
                     .overdue_consecutive = 17,
                     .overdue_total = 18,
                     .debts_yuan = 19,
                     .mortgages_open = 20}},
        .price_yuan = 21,
        .area_m2 = 22,
        .homes = 23,
        .minors = 24,
        .stars = 3,
        .improved = true,
        .youth_voucher = true,
        .income_yuan = 25,
    };
    struct world_case world;
    struct case_facts facts;
    persona_case(&world, &persona, world_now_ms());
    facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
    const struct person_facts *person = &facts.persons[0];
    assert_int_equal(person->marital_status, MARITAL_DIVORCED);
    assert_int_equal(person->contribution_months, 11);
    assert_int_equal(person->contribution_base_fen, 1200);
    assert_int_equal(person->contribution_balance_fen, 1300);
    assert_true(person->contribution_sealed);
    assert_int_equal(person->fund_loans_used, 14);
    assert_int_equal(person->fund_loans_open, 15);
    assert_int_equal(person->banned_until, 20300116);
    assert_true(person->overdue_now);
    assert_int_equal(person->overdue_consecutive, 17);
    assert_int_equal(person->overdue_total, 18);
    assert_int_equal(person->debts_fen, 1900);
    assert_int_equal(person->mortgages_open, 20);
    assert_int_equal(person->retirement_months, 63 * 12);
    assert_int_equal(facts.contract_price_fen, 2100);
    assert_int_equal(facts.contract_area_centi_m2, 2200);
    assert_int_equal(facts.homes, 23);
    assert_int_equal(facts.minors, 24);
    assert_int_equal(facts.green_stars, 3);
    assert_true(facts.improved_home);
    assert_false(facts.trade_in);
    assert_true(facts.youth_voucher);
    assert_int_equal(facts.income_fen, 2500);
}

static void answers_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        enum item_outcome outcome;
        enum failure_kind failure;
        int64_t age_ms;   /* of the answer */
        int64_t lives_ms; /* as the source says; 0: it does not */
        enum answer answer;
    } rows[] = {
        {ITEM_PASS, FAILURE_NONE, 0, 0, ANSWER_YES},
        {ITEM_PASS, FAILURE_NONE, INT64_C(30) * 86400000, 0, ANSWER_YES},
        {ITEM_PASS, FAILURE_NONE, INT64_C(31) * 86400000, 0, ANSWER_TECHNICAL}, /* out of date */
        {ITEM_PASS, FAILURE_NONE, 3600000, 3600000, ANSWER_YES},                /* to the last moment */
        {ITEM_PASS, FAILURE_NONE, 3600001, 3600000, ANSWER_TECHNICAL},          /* the source says less */
        {ITEM_PASS, FAILURE_NONE, INT64_C(31) * 86400000, INT64_C(90) * 86400000, ANSWER_TECHNICAL}, /* or more */
        {ITEM_PASS, FAILURE_NONE, -30000, 0, ANSWER_YES},
        {ITEM_PASS, FAILURE_NONE, -30001, 0, ANSWER_TECHNICAL}, /* observed in the future */
        {ITEM_PASS, FAILURE_TIMEOUT, 0, 0, ANSWER_TECHNICAL},
        {ITEM_FAIL, FAILURE_NONE, 0, 0, ANSWER_NO},
        {ITEM_FAIL, FAILURE_MISMATCH, 0, 0, ANSWER_NO},
        {ITEM_FAIL, FAILURE_NO_RECORD, 0, 0, ANSWER_NO_RECORD},
        {ITEM_FAIL, FAILURE_NOT_AUTHORISED, 0, 0, ANSWER_REFUSED},
        {ITEM_FAIL, FAILURE_AMBIGUOUS, 0, 0, ANSWER_MANUAL},
        {ITEM_FAIL, FAILURE_THROTTLED, 0, 0, ANSWER_TECHNICAL},
        {ITEM_MANUAL, FAILURE_NONE, 0, 0, ANSWER_MANUAL},
        {ITEM_MANUAL, FAILURE_NO_RECORD, 0, 0, ANSWER_MANUAL},
        {ITEM_MANUAL, FAILURE_SOURCE_CLOSED, 0, 0, ANSWER_TECHNICAL},
        {ITEM_OPEN, FAILURE_NONE, 0, 0, ANSWER_OPEN},
        {(enum item_outcome)9, FAILURE_NONE, 0, 0, ANSWER_TECHNICAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct case_facts facts;
        persona_case(&world, &single, world_now_ms());
        struct item_result *result = world_result(&world, ITEM_MARRIAGE, 0);
        result->outcome = rows[i].outcome;
        result->failure = rows[i].failure;
        result->observed_ms = world_now_ms() - rows[i].age_ms;
        result->valid_until_ms = rows[i].lives_ms > 0 ? result->observed_ms + rows[i].lives_ms : 0;
        facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
        if (facts.persons[0].answer[ITEM_MARRIAGE] != rows[i].answer) {
            fail_msg("row %zu: %d", i, (int)facts.persons[0].answer[ITEM_MARRIAGE]);
        }
        bool passed = rows[i].outcome == ITEM_PASS && rows[i].failure == FAILURE_NONE;
        assert_int_equal(facts.persons[0].marital_status != MARITAL_UNSPECIFIED, passed);
    }
}

static void what_is_missing_is_open_and_what_does_not_apply_is_unused(void **state)
{
    (void)state;
    struct world_case world;
    struct case_facts facts;
    persona_case(&world, &family, world_now_ms());
    facts_read(&facts, &world.application, world.results, 0, world_now_ms());
    assert_int_equal(facts.persons[0].answer[ITEM_IDENTITY], ANSWER_OPEN);
    assert_int_equal(facts.answer[ITEM_INCOME], ANSWER_OPEN);
    assert_int_equal(facts.answer[ITEM_GREEN_BUILDING], ANSWER_UNUSED);
    assert_int_equal(facts.persons[1].answer[ITEM_CONTRIBUTION], ANSWER_UNUSED);
    assert_int_equal(facts.persons[2].answer[ITEM_MARRIAGE], ANSWER_UNUSED);
    assert_int_equal(facts.persons[3].answer[ITEM_IDENTITY], ANSWER_UNUSED);
}

static void the_last_result_counts(void **state)
{
    (void)state;
    struct world_case world;
    struct case_facts facts;
    persona_case(&world, &single, world_now_ms());
    struct item_result again = *world_result(&world, ITEM_INCOME, 0);
    again.facts[0].number = 7;
    world.results[world.result_count++] = again;
    facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
    assert_int_equal(facts.income_fen, 7);
}

/* A registration counts as done only with everything that shows it. */
static void a_registration_is_complete_when_all_is_said(void **state)
{
    (void)state;
    static const struct item_fact all[] = {{"state", REGISTRATION_DONE, ""},
                                           {"mortgagee_match", 1, ""},
                                           {"amount_fen", 104000000, ""},
                                           {"registered_on", 20261120, ""},
                                           {"certificate_no", 0, "SU-1"}};
    for (size_t missing = 0; missing <= 5; missing++) {
        struct world_case world;
        struct case_facts facts;
        struct item_result result = {
            .key = {ITEM_REGISTRATION, 0}, .outcome = ITEM_PASS, .observed_ms = world_now_ms()};
        persona_case(&world, &single, world_now_ms());
        for (size_t i = 0; i < 5; i++) {
            if (i + 1 != missing) {
                result.facts[result.fact_count++] = all[i];
            }
        }
        facts_read_phase(&facts, &world.application, PHASE_REGISTRATION, &result, 1, world_now_ms());
        assert_int_equal(facts.answer[ITEM_REGISTRATION], missing == 1 ? ANSWER_TECHNICAL : ANSWER_YES);
        assert_int_equal(facts.registration.complete, missing == 0);
        assert_int_equal(facts.registration.state, missing == 1 ? REGISTRATION_NONE : REGISTRATION_DONE);
        assert_int_equal(facts.answer[ITEM_INCOME], ANSWER_UNUSED); /* of another phase */
        if (missing == 0) {
            assert_int_equal(facts.registration.amount_fen, 104000000);
            assert_int_equal(facts.registration.registered_on, 20261120);
            assert_string_equal(facts.registration.certificate_no, "SU-1");
            assert_true(facts.registration.mortgagee_match);
        }
    }
}

static void texts_and_dates_are_checked(void **state)
{
    (void)state;
    static const char too_long[] = "01234567890123456789012345678901234567890123456789012345678901234";
    static const struct {
        enum item item;
        struct item_fact facts[2];
        size_t count;
        enum cl_reason reason;
        const char *path;
    } rows[] = {
        {ITEM_SUPERVISION_ACCOUNT, {{"account", 0, "3200000000000001"}}, 1, CL_OK, ""},
        {ITEM_SUPERVISION_ACCOUNT, {{"account", 0, "3200000"}}, 1, CL_FIELD_INVALID, "facts[0].text"},
        {ITEM_SUPERVISION_ACCOUNT, {{"account", 0, NULL}}, 1, CL_FIELD_INVALID, "facts[0].text"},
        {ITEM_SUPERVISION_ACCOUNT, {{"account", 1, "3200000000000001"}}, 1, CL_FIELD_INVALID, "facts[0].text"},
        {ITEM_SUPERVISION_ACCOUNT, {{"account", 0, too_long}}, 1, CL_FIELD_INVALID, "facts[0].text"},
        {ITEM_SUPERVISION_ACCOUNT, {{NULL, 0, NULL}}, 0, CL_FIELD_MISSING, "facts"},
        {ITEM_COMPLETION_FILING, {{"filed_on", 0, ""}}, 1, CL_OK, ""},
        {ITEM_COMPLETION_FILING, {{"filed_on", 20261120, ""}}, 1, CL_OK, ""},
        {ITEM_COMPLETION_FILING, {{"filed_on", 20261131, ""}}, 1, CL_FIELD_INVALID, "facts[0].number"},
        {ITEM_COMPLETION_FILING, {{"filed_on", 20261120, too_long}}, 1, CL_FIELD_INVALID, "facts[0].number"},
        {ITEM_COURT_LIST, {{"listed", 0, ""}}, 1, CL_OK, ""},
        {ITEM_COURT_LIST, {{"listed", 1, ""}, {"case_no", 0, "（2026）测01执1号"}}, 2, CL_OK, ""},
        {ITEM_COURT_LIST, {{"listed", 1, ""}, {"case_no", 0, ""}}, 2, CL_FIELD_INVALID, "facts[1].text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct field_path path = {""};
        struct item_result result = {
            .key = {rows[i].item, 0}, .outcome = ITEM_PASS, .observed_ms = world_now_ms(), .fact_count = rows[i].count};
        persona_case(&world, &single, world_now_ms());
        world.application.home.presale = true;
        memcpy(result.facts, rows[i].facts, sizeof rows[i].facts);
        struct cl_status status = item_result_check(&path, &world.application, &result);
        if (status.reason != rows[i].reason || strcmp(path.text, rows[i].path) != 0) {
            fail_msg("row %zu: %s %s", i, cl_status_name(status), path.text);
        }
    }
}

/* -- Settling locally ----------------------------------------------------------------------------------------- */

static void the_centre_settles_its_own_items(void **state)
{
    (void)state;
    struct world_case world;
    struct item_result result;
    persona_case(&world, &single, world_now_ms());
    item_settle_locally(&result, &world.application, WORLD_CENTRE, (struct item_key){ITEM_RETIREMENT, 0},
                        world_now_ms());
    assert_int_equal(result.outcome, ITEM_PASS);
    assert_int_equal(result.facts[0].number, 63 * 12);
    item_settle_locally(&result, &world.application, WORLD_CENTRE, (struct item_key){ITEM_CONSENT, 0}, world_now_ms());
    assert_int_equal(result.outcome, ITEM_PASS);
    world.application.consent_count--;
    item_settle_locally(&result, &world.application, WORLD_CENTRE, (struct item_key){ITEM_CONSENT, 0}, world_now_ms());
    assert_int_equal(result.outcome, ITEM_FAIL);
    assert_int_equal(result.failure, FAILURE_NOT_AUTHORISED);
    assert_int_equal(item_result_check(NULL, &world.application, &result).reason, CL_OK);
}

static void a_price_is_one_of_a_home(void **state)
{
    (void)state;
    static const struct {
        int64_t price_fen;
        int32_t area_centi_m2;
        int64_t appraisal_fen, unit_price_fen;
        bool doubtful;
    } rows[] = {
        {130000000, 8900, 0, 1460674, false},
        {50000 * 89, 8900, 0, 50000, false}, /* 500 yuan a square metre */
        {50000 * 89 - 89, 8900, 0, 49999, true},
        {INT64_C(50000000) * 89, 8900, 0, 50000000, false}, /* half a million */
        {INT64_C(50000001) * 89, 8900, 0, 50000001, true},
        {100000000, 8900, 70000000, 1123595, false},
        {100000000, 8900, 69999999, 1123595, true},
        {100000000, 8900, 130000000, 1123595, false},
        {100000000, 8900, 131000000, 1123595, true},
        {APPLICATION_AMOUNT_FEN_MAX, 1, 0, APPLICATION_AMOUNT_FEN_MAX, true},
        {1, APPLICATION_AREA_CENTI_M2_MAX, APPLICATION_AMOUNT_FEN_MAX, 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct item_result result;
        persona_case(&world, &family, world_now_ms());
        world.application.home.price_fen = rows[i].price_fen;
        world.application.home.area_centi_m2 = rows[i].area_centi_m2;
        world.application.home.appraisal_fen = rows[i].appraisal_fen;
        item_settle_locally(&result, &world.application, WORLD_CENTRE, (struct item_key){ITEM_PRICE_SANITY, 0},
                            world_now_ms());
        assert_int_equal(result.outcome, ITEM_PASS);
        assert_int_equal(item_result_check(NULL, &world.application, &result).reason, CL_OK);
        assert_int_equal(result.facts[0].number, rows[i].unit_price_fen);
        assert_int_equal(result.facts[1].number, rows[i].doubtful);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_is_checked_before_it_is_taken),
        cmocka_unit_test(the_person_of_a_case_item_is_ignored),
        cmocka_unit_test(a_ban_ends_on_a_date),
        cmocka_unit_test(every_value_lands_in_its_place),
        cmocka_unit_test(answers_are_told_apart),
        cmocka_unit_test(what_is_missing_is_open_and_what_does_not_apply_is_unused),
        cmocka_unit_test(the_last_result_counts),
        cmocka_unit_test(a_registration_is_complete_when_all_is_said),
        cmocka_unit_test(texts_and_dates_are_checked),
        cmocka_unit_test(the_centre_settles_its_own_items),
        cmocka_unit_test(a_price_is_one_of_a_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
