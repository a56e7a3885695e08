/* The fund part: each limit at its edges, the one that binds, rounding. */
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

#define BORROWER "990101199006010018"
#define SPOUSE   "990101199107040021"

static void quota_of(struct quota *out, const struct rule_set *set, const struct persona *persona)
{
    struct world_case world;
    struct case_facts facts;
    persona_case(&world, persona, world_now_ms());
    facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
    quota_fund(out, set, &world.application, &facts, 26000, 360);
}

static void caps_and_uplifts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool couple, second_hand, trade_in, improved, voucher;
        int32_t minors, stars;
        int64_t cap_yuan;
    } rows[] = {
        {"single", false, false, false, false, false, 0, 0, 800000},
        {"couple", true, false, false, false, false, 0, 0, 1000000},
        {"one minor, one star", true, false, false, false, false, 1, 1, 1000000},
        {"two minors", false, false, false, false, false, 2, 0, 960000},
        {"two minors, couple", true, false, false, false, false, 2, 0, 1200000},
        {"trade-in", false, false, true, false, false, 0, 0, 960000},
        {"green", true, false, false, false, false, 0, 2, 1200000},
        {"improved", false, false, false, true, false, 0, 0, 960000},
        {"minors and trade-in: one group", true, false, true, false, false, 3, 0, 1200000},
        {"green and improved: one group", true, false, false, true, false, 0, 3, 1200000},
        {"minors and green", false, false, false, false, false, 2, 2, 1160000},
        {"minors and green, couple", true, false, false, false, false, 2, 2, 1440000},
        {"trade-in and improved, couple", true, false, true, true, false, 0, 0, 1440000},
        {"voucher", false, false, false, false, true, 0, 0, 1600000},
        {"voucher, couple", true, false, false, false, true, 0, 0, 2000000},
        {"voucher beside both groups", true, false, true, true, true, 2, 2, 2000000},
        {"a used home gives no uplift", true, true, true, true, true, 0, 3, 1000000},
        {"minors with a used home", true, true, false, false, false, 2, 0, 1200000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct persona persona = {.name = rows[i].name,
                                  .persons = {{.id_number = BORROWER, .base_yuan = 40000, .balance_yuan = 500000}},
                                  .kind = rows[i].second_hand ? HOME_SECOND_HAND : HOME_NEW,
                                  .price_yuan = 5000000,
                                  .appraisal_yuan = rows[i].second_hand ? 5000000 : 0,
                                  .minors = rows[i].minors,
                                  .stars = rows[i].stars,
                                  .improved = rows[i].improved,
                                  .trade_in = rows[i].trade_in,
                                  .youth_voucher = rows[i].voucher};
        struct quota quota;
        if (rows[i].couple) {
            persona.persons[1] = (struct persona_person){.id_number = SPOUSE, .base_yuan = 10000, .balance_yuan = 1000};
        }
        quota_of(&quota, &rules, &persona);
        if (quota.limits[QUOTA_CAP].limit_fen != rows[i].cap_yuan * YUAN) {
            fail_msg("%s: %ld", rows[i].name, (long)quota.limits[QUOTA_CAP].limit_fen);
        }
    }
}

static void a_spouse_who_does_not_pay_makes_no_household(void **state)
{
    (void)state;
    struct persona persona = {
        .name = "one contributor",
        .persons = {{.id_number = BORROWER, .base_yuan = 40000, .balance_yuan = 500000}, {.id_number = SPOUSE}},
        .price_yuan = 5000000,
    };
    struct quota quota;
    quota_of(&quota, &rules, &persona);
    assert_int_equal(quota.limits[QUOTA_CAP].limit_fen, 800000 * YUAN);
}

static void the_lowest_limit_binds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t base_yuan, balance_yuan, debts_yuan, price_yuan, total_yuan, fund_yuan;
        enum cl_loan_reason binding;
        int64_t fund_yuan_expected;
    } rows[] = {
        {"cap", 18000, 62000, 0, 1300000, 0, 0, CL_LOAN_AMT_CAP, 800000},
        {"price ratio just at the cap: the cap", 18000, 62000, 0, 1000000, 0, 0, CL_LOAN_AMT_CAP, 800000},
        {"price ratio just below", 18000, 62000, 0, 999999, 0, 0, CL_LOAN_AMT_LTV, 799000},
        {"80 % to the yuan", 18000, 62000, 0, 500000, 0, 0, CL_LOAN_AMT_LTV, 400000},
        {"80 % less a fen", 18000, 62000, 0, 499999, 0, 0, CL_LOAN_AMT_LTV, 399000},
        {"balance just at the cap: the cap", 18000, 40000, 0, 1300000, 0, 0, CL_LOAN_AMT_CAP, 800000},
        {"balance a yuan less", 18000, 39999, 0, 1300000, 0, 0, CL_LOAN_AMT_BAL, 799000},
        {"no balance", 18000, 0, 0, 1300000, 0, 0, CL_LOAN_AMT_BAL, 0},
        {"repayment capacity", 4000, 60000, 0, 1300000, 0, 0, CL_LOAN_AMT_PTI, 499000},
        {"debts lower it", 4000, 60000, 1000, 1300000, 0, 0, CL_LOAN_AMT_PTI, 249000},
        {"debts take all of it", 4000, 60000, 2000, 1300000, 0, 0, CL_LOAN_AMT_PTI, 0},
        {"debts take more", 4000, 60000, 5000, 1300000, 0, 0, CL_LOAN_AMT_PTI, 0},
        {"less asked of the fund", 18000, 62000, 0, 1300000, 0, 300000, CL_LOAN_AMT_REQ, 300000},
        {"less asked in all", 18000, 62000, 0, 1300000, 250500, 0, CL_LOAN_AMT_REQ, 250000},
        {"asked just the cap: the cap", 18000, 62000, 0, 1300000, 0, 800000, CL_LOAN_AMT_CAP, 800000},
        {"asked a yuan less", 18000, 62000, 0, 1300000, 0, 799999, CL_LOAN_AMT_REQ, 799000},
        {"asked a yuan more", 18000, 62000, 0, 1300000, 0, 800001, CL_LOAN_AMT_CAP, 800000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct persona persona = {.name = rows[i].name,
                                  .persons = {{.id_number = BORROWER,
                                               .base_yuan = rows[i].base_yuan,
                                               .balance_yuan = rows[i].balance_yuan,
                                               .debts_yuan = rows[i].debts_yuan}},
                                  .price_yuan = rows[i].price_yuan,
                                  .total_yuan = rows[i].total_yuan,
                                  .fund_yuan = rows[i].fund_yuan};
        struct quota quota;
        quota_of(&quota, &rules, &persona);
        if (quota.fund_fen != rows[i].fund_yuan_expected * YUAN ||
            quota.limits[quota.binding].reason != rows[i].binding) {
            fail_msg("%s: %ld %s", rows[i].name, (long)quota.fund_fen,
                     cl_loan_reason_code(quota.limits[quota.binding].reason));
        }
    }
}

static void a_rule_set_may_loosen_the_balance_limit(void **state)
{
    (void)state;
    struct persona persona = {.name = "small balance",
                              .persons = {{.id_number = BORROWER, .base_yuan = 18000, .balance_yuan = 1000}},
                              .price_yuan = 1300000};
    struct rule_set set = rules;
    struct quota quota;
    quota_of(&quota, &set, &persona);
    assert_int_equal(quota.fund_fen, 20000 * YUAN);
    set.balance_floor_fen = 300000 * YUAN;
    quota_of(&quota, &set, &persona);
    assert_int_equal(quota.fund_fen, 300000 * YUAN);
    set.balance_multiple = 0;
    quota_of(&quota, &set, &persona);
    assert_int_equal(quota.fund_fen, 800000 * YUAN);
    assert_int_equal(quota.limits[QUOTA_BALANCE].limit_fen, INT64_MAX);
}

static void the_stricter_down_payment_counts(void **state)
{
    (void)state;
    struct persona persona = {.name = "second home",
                              .persons = {{.id_number = BORROWER, .base_yuan = 18000, .balance_yuan = 62000}},
                              .price_yuan = 1000000,
                              .homes = 1};
    struct rule_set set = rules;
    struct quota quota;
    set.down_payment_second_ppm = 300000;
    quota_of(&quota, &set, &persona);
    assert_int_equal(quota.fund_fen, 700000 * YUAN);
    persona.homes = 0;
    quota_of(&quota, &set, &persona);
    assert_int_equal(quota.fund_fen, 800000 * YUAN);
    set.fund_down_payment_ppm = 400000;
    quota_of(&quota, &set, &persona);
    assert_int_equal(quota.fund_fen, 600000 * YUAN);
}

static void a_family_counts_joint_loans_once(void **state)
{
    (void)state;
    struct persona persona = {.name = "couple with one joint loan",
                              .persons = {{.id_number = BORROWER,
                                           .base_yuan = 100,
                                           .balance_yuan = 10,
                                           .loans_used = 1,
                                           .mortgages_open = 1,
                                           .debts_yuan = 3},
                                          {.id_number = SPOUSE,
                                           .base_yuan = 200,
                                           .balance_yuan = 20,
                                           .loans_used = 1,
                                           .mortgages_open = 1,
                                           .debts_yuan = 4}},
                              .price_yuan = 1000000};
    struct world_case world;
    struct case_facts facts;
    struct household household;
    persona_case(&world, &persona, world_now_ms());
    facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
    household_sum(&household, &world.application, &facts);
    assert_int_equal(household.contributors, 2);
    assert_int_equal(household.base_fen, 300 * YUAN);
    assert_int_equal(household.balance_fen, 30 * YUAN);
    assert_int_equal(household.debts_fen, 7 * YUAN);
    assert_int_equal(household.fund_loans_used, 1);
    assert_int_equal(household.mortgages_open, 1);
}

static void shares_and_rounding_are_exact(void **state)
{
    (void)state;
    assert_int_equal(quota_share_fen(1, 999999), 0);
    assert_int_equal(quota_share_fen(1, 1000000), 1);
    assert_int_equal(quota_share_fen(1800001, 500000), 900000);
    assert_int_equal(quota_share_fen(1800002, 500000), 900001);
    assert_int_equal(quota_share_fen(INT64_C(1000000000000), 999999), INT64_C(999999000000));
    assert_int_equal(quota_share_fen(INT64_C(123456789012), 333333), INT64_C(41152221851));
    assert_int_equal(quota_round_fen(&rules, 99999), 0);
    assert_int_equal(quota_round_fen(&rules, 100000), 100000);
    assert_int_equal(quota_round_fen(&rules, 199999), 100000);
    assert_int_equal(quota_round_fen(&rules, -1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caps_and_uplifts),
        cmocka_unit_test(a_spouse_who_does_not_pay_makes_no_household),
        cmocka_unit_test(the_lowest_limit_binds),
        cmocka_unit_test(a_rule_set_may_loosen_the_balance_limit),
        cmocka_unit_test(the_stricter_down_payment_counts),
        cmocka_unit_test(a_family_counts_joint_loans_once),
        cmocka_unit_test(shares_and_rounding_are_exact),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
