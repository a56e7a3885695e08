/* A rule set: every field in its bounds and its place, all of them consistent, a rate for every term. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/server/domain/world.h"

static struct rule_set rules;

static int set_up(void **state)
{
    (void)state;
    world_rules(&rules);
    return 0;
}

static void the_reference_set_is_valid(void **state)
{
    (void)state;
    const char *field = NULL;
    struct cl_status status = rule_set_validate(&rules, &field);
    if (cl_failed(status)) {
        fail_msg("%s", field);
    }
    assert_string_equal(rules.id, "REF-NJ-2026-11");
    assert_int_equal(rules.cap_household_stacked_fen, 144000000);
    assert_int_equal(rules.rate_count, 4);
    assert_true(rules.equal_term);
}

/* Reads the number back from where the field says it is, and puts it there: no two fields share a place. */
static void check_number_field(const struct rule_field *field, void *record)
{
    int64_t least = field->type == RULE_DATE || field->type == RULE_DATE_OR_NONE ? 20000101 : field->min;
    int64_t most = field->type == RULE_DATE || field->type == RULE_DATE_OR_NONE ? 20991231 : field->max;
    assert_true(cl_is_ok(rule_put_number(record, field, least)));
    assert_int_equal(rule_number(record, field), least);
    assert_true(cl_is_ok(rule_put_number(record, field, most)));
    assert_int_equal(rule_number(record, field), most);
    int64_t below = field->type == RULE_DATE || field->type == RULE_DATE_OR_NONE ? 18991231 : least - 1;
    int64_t above = field->type == RULE_DATE || field->type == RULE_DATE_OR_NONE ? 22000101 : most + 1;
    assert_int_equal(rule_put_number(record, field, below).reason, CL_FIELD_INVALID);
    assert_int_equal(rule_put_number(record, field, above).reason, CL_FIELD_INVALID);
    assert_int_equal(rule_number(record, field), most); /* untouched */
    assert_int_equal(rule_put_text(record, field, "1").reason, CL_FIELD_INVALID);
}

static void every_field_keeps_its_bounds_and_its_place(void **state)
{
    (void)state;
    for (unsigned i = 0; rule_field_at(i) != NULL; i++) {
        const struct rule_field *field = rule_field_at(i);
        struct rule_set set;
        assert_ptr_equal(rule_field_find(field->name), field);
        assert_true(strlen(field->doc) > 0);
        memset(&set, 0, sizeof set);
        if (field->type == RULE_TEXT) {
            continue;
        }
        check_number_field(field, &set);
        for (unsigned j = 0; rule_field_at(j) != NULL; j++) { /* nothing else moved */
            assert_int_equal(rule_number(&set, rule_field_at(j)) != 0, j == i && rule_number(&set, field) != 0);
        }
    }
    for (unsigned i = 0; rule_rate_field_at(i) != NULL; i++) {
        struct rule_rate rate = {0};
        assert_ptr_equal(rule_rate_field_find(rule_rate_field_at(i)->name), rule_rate_field_at(i));
        check_number_field(rule_rate_field_at(i), &rate);
    }
    assert_null(rule_field_find("cap"));
    assert_null(rule_rate_field_find("id"));
}

static void dates_and_ids_have_their_form(void **state)
{
    (void)state;
    struct rule_set set = {0};
    const struct rule_field *from = rule_field_find("effective_from");
    const struct rule_field *until = rule_field_find("effective_until");
    const struct rule_field *id = rule_field_find("id");
    assert_int_equal(rule_put_number(&set, from, 0).reason, CL_FIELD_INVALID);
    assert_int_equal(rule_put_number(&set, from, 20260230).reason, CL_FIELD_INVALID);
    assert_int_equal(rule_put_number(&set, from, INT64_C(20261123) + (INT64_C(1) << 32)).reason, CL_FIELD_INVALID);
    assert_int_equal(rule_put_number(&set, until, 0).reason, CL_OK);
    assert_int_equal(rule_put_number(&set, id, 5).reason, CL_FIELD_INVALID);
    assert_int_equal(rule_put_text(&set, id, "A").reason, CL_OK);
    assert_int_equal(rule_put_text(&set, id, "").reason, CL_FIELD_INVALID);
    assert_int_equal(rule_put_text(&set, id, "A B").reason, CL_FIELD_INVALID);
    assert_int_equal(rule_put_text(&set, id, "A\n").reason, CL_FIELD_INVALID);
    char longest[CL_TEXT_BYTES_MAX + 2] = {0};
    memset(longest, 'A', CL_TEXT_BYTES_MAX + 1);
    assert_int_equal(rule_put_text(&set, id, longest).reason, CL_FIELD_INVALID);
    assert_string_equal(set.id, "A");
    longest[CL_TEXT_BYTES_MAX] = '\0';
    assert_int_equal(rule_put_text(&set, id, longest).reason, CL_OK);
    assert_string_equal(set.id, longest);
}

static void break_nothing(struct rule_set *set)
{
    (void)set;
}

static void break_id(struct rule_set *set)
{
    set->id[0] = '\0';
}

static void break_from(struct rule_set *set)
{
    set->effective_from = 20261131;
}

static void break_until(struct rule_set *set)
{
    set->effective_until = set->effective_from - 1;
}

static void break_household(struct rule_set *set)
{
    set->cap_household_fen = set->cap_single_fen - 1;
}

static void break_single_stacked(struct rule_set *set)
{
    set->cap_single_stacked_fen = set->cap_single_fen - 1;
}

static void break_household_stacked(struct rule_set *set)
{
    set->cap_household_stacked_fen = set->cap_household_fen - 1;
}

static void break_step(struct rule_set *set)
{
    set->round_to_fen = 0;
}

static void break_debt(struct rule_set *set)
{
    set->joint_debt_ppm = set->joint_housing_ppm - 1;
}

static void break_co_borrower(struct rule_set *set)
{
    set->co_borrower_cap_stacked_fen = 0;
}

static void break_presale(struct rule_set *set)
{
    set->presale_hold_from = 0; /* but the fund part is held */
}

static void break_counter_rates(struct rule_set *set)
{
    set->commercial_rate_ppm_max = set->commercial_rate_ppm_min - 1;
}

static void break_subsidy(struct rule_set *set)
{
    set->subsidy_until = 0;
}

static void break_no_rates(struct rule_set *set)
{
    set->rate_count = 0;
}

static void break_too_many_rates(struct rule_set *set)
{
    set->rate_count = RULE_RATES_MAX + 1;
}

static void break_short_rates(struct rule_set *set)
{
    set->rates[1].months_max = 359; /* the fund lends for 360 */
}

static void break_short_last_rates(struct rule_set *set)
{
    set->rates[3].months_max = 359;
}

static void break_rate_order(struct rule_set *set)
{
    set->rates[1].months_max = 60;
}

static void break_first_loan(struct rule_set *set)
{
    set->rate_count = 2;
    set->rates[0].loan = 2;
    set->rates[1].loan = 2;
}

static void break_loan_gap(struct rule_set *set)
{
    set->rates[2].loan = 3;
    set->rates[3].loan = 3;
}

static void break_rate_value(struct rule_set *set)
{
    set->rates[2].ppm = -1;
}

static void a_set_is_consistent(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct rule_set *set);
        const char *field; /* NULL: still valid */
    } rows[] = {
        {break_nothing, NULL},
        {break_id, "id"},
        {break_from, "effective_from"},
        {break_until, "effective_until"},
        {break_household, "cap_household_fen"},
        {break_single_stacked, "cap_single_stacked_fen"},
        {break_household_stacked, "cap_household_stacked_fen"},
        {break_step, "round_to_fen"},
        {break_debt, "joint_debt_ppm"},
        {break_co_borrower, "co_borrower_cap_stacked_fen"},
        {break_presale, "presale_hold_fund"},
        {break_counter_rates, "commercial_rate_ppm_max"},
        {break_subsidy, "subsidy_until"},
        {break_no_rates, "rates"},
        {break_too_many_rates, "rates"},
        {break_short_rates, "rates"},
        {break_short_last_rates, "rates"},
        {break_rate_order, "rates"},
        {break_first_loan, "rates"},
        {break_loan_gap, "rates"},
        {break_rate_value, "rates"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rule_set set = rules;
        const char *field = NULL;
        rows[i].change(&set);
        struct cl_status status = rule_set_validate(&set, &field);
        assert_int_equal(status.reason, rows[i].field == NULL ? CL_OK : CL_CONFIG_INVALID);
        if (rows[i].field != NULL) {
            assert_string_equal(field, rows[i].field);
        }
        assert_int_equal(rule_set_validate(&set, NULL).reason, status.reason);
    }
}

static void rates_have_tiers(void **state)
{
    (void)state;
    static const struct {
        int32_t loan, term_months, rate_ppm;
    } rows[] = {
        {1, 12, 21000}, {1, 60, 21000},  {1, 61, 26000}, {1, 360, 26000}, {2, 60, 25250},
        {2, 61, 30750}, {2, 360, 30750}, {3, 60, 25250}, {9, 61, 30750},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(rule_fund_rate_ppm(&rules, rows[i].loan, rows[i].term_months), rows[i].rate_ppm);
    }
}

/* A file from before a field keeps its meaning. */
static void what_is_left_out_is_as_before(void **state)
{
    (void)state;
    struct rule_set set;
    rule_set_init(&set);
    assert_int_equal(set.effective_until, 0);
    assert_int_equal(set.cap_household_second_fen, 0);
    assert_true(set.co_borrowers_allowed);
    assert_true(set.co_borrower_loans_count);
    assert_int_equal(set.co_borrower_cap_fen, 0);
    assert_int_equal(set.supplement_days, 30);
    assert_int_equal(set.bank_changes_max, 3);
    assert_false(set.in_flight_choice);
    assert_int_equal(set.presale_hold_from, 0);
    assert_false(set.presale_hold_fund);
}

static void presale_homes_wait_for_completion(void **state)
{
    (void)state;
    static const struct {
        int32_t from;
        bool hold_fund, presale, fund_leg;
        int32_t accepted;
        bool held;
    } rows[] = {
        {20260828, true, true, false, 20260828, true},  {20260828, true, true, true, 20260828, true},
        {20260828, true, true, false, 20260827, false}, {20260828, false, true, true, 20260901, false},
        {20260828, false, true, false, 20260901, true}, {20260828, true, false, false, 20260901, false},
        {0, false, true, false, 20260901, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rule_set set = rules;
        set.presale_hold_from = rows[i].from;
        set.presale_hold_fund = rows[i].hold_fund;
        assert_int_equal(rule_holds_presale(&set, rows[i].presale, rows[i].fund_leg, rows[i].accepted), rows[i].held);
    }
}

static void every_shipped_set_is_valid(void **state)
{
    (void)state;
    static const char *const names[] = {"REF-NJ-2026-11", "REF-NJ-2026-04", "variants/RELAXED-2026-08"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct rule_set set;
        const char *field = "";
        world_rules_of(&set, names[i]);
        if (cl_failed(rule_set_validate(&set, &field))) {
            fail_msg("%s: %s", names[i], field);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_set_is_valid),
        cmocka_unit_test(every_field_keeps_its_bounds_and_its_place),
        cmocka_unit_test(dates_and_ids_have_their_form),
        cmocka_unit_test(a_set_is_consistent),
        cmocka_unit_test(rates_have_tiers),
        cmocka_unit_test(what_is_left_out_is_as_before),
        cmocka_unit_test(presale_homes_wait_for_completion),
        cmocka_unit_test(every_shipped_set_is_valid),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
