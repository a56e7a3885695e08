/* What an answer before payment means: the same as at the decision, or something has happened since. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/domain/recheck.h"
#include "tests/server/domain/world.h"

#define DOWN_FEN INT64_C(26000000)

static struct rule_set rules;
static struct application application; /* a single borrower who contributes, of a second-hand home */

static int set_up(void **state)
{
    (void)state;
    world_rules(&rules);
    application = (struct application){
        .person_count = 1,
        .persons = {{.role = PERSON_BORROWER,
                     .declared_marital_status = MARITAL_SINGLE,
                     .contributes = true,
                     .employer_uscc = "",
                     .contribution_centre = "",
                     .face_token = ""}},
        .home = {.kind = HOME_SECOND_HAND, .unit_no = "", .permit_no = "", .contract_no = "C-1", .seller_uscc = ""},
    };
    return 0;
}

/* One fact differs from an answer that holds. */
struct row {
    const char *name;
    enum item item;
    struct item_fact facts[ITEM_FACTS_MAX];
    enum recheck recheck;
};

#define CONTRIBUTION(months, sealed)                                                                                   \
    {                                                                                                                  \
        {"months", (months), NULL}, {"base_fen", 1000000, NULL}, {"balance_fen", 1000000, NULL},                       \
        {                                                                                                              \
            "sealed", (sealed), NULL                                                                                   \
        }                                                                                                              \
    }
#define CREDIT(now, consecutive, total)                                                                                \
    {                                                                                                                  \
        {"overdue_now", (now), NULL}, {"overdue_consecutive", (consecutive), NULL}, {"overdue_total", (total), NULL},  \
            {"debts_fen", 0, NULL},                                                                                    \
        {                                                                                                              \
            "mortgages_open", 0, NULL                                                                                  \
        }                                                                                                              \
    }
#define HOME(mortgaged, seized, disputed)                                                                              \
    {                                                                                                                  \
        {"mortgaged", (mortgaged), NULL}, {"seized", (seized), NULL},                                                  \
        {                                                                                                              \
            "disputed", (disputed), NULL                                                                               \
        }                                                                                                              \
    }

static const struct row rows[] = {
    {"still single", ITEM_MARRIAGE, {{"status", MARITAL_SINGLE, NULL}}, RECHECK_PASSED},
    {"married since", ITEM_MARRIAGE, {{"status", MARITAL_MARRIED, NULL}}, RECHECK_BAD},
    {"contributes", ITEM_CONTRIBUTION, CONTRIBUTION(6, 0), RECHECK_PASSED},
    {"a month too short", ITEM_CONTRIBUTION, CONTRIBUTION(5, 0), RECHECK_BAD},
    {"sealed since", ITEM_CONTRIBUTION, CONTRIBUTION(60, 1), RECHECK_BAD},
    {"no fund loan", ITEM_LOAN_HISTORY, {{"loans_used", 1, NULL}, {"loans_open", 0, NULL}}, RECHECK_PASSED},
    {"a new fund loan", ITEM_LOAN_HISTORY, {{"loans_used", 1, NULL}, {"loans_open", 1, NULL}}, RECHECK_BAD},
    {"good credit", ITEM_CREDIT_FUND, CREDIT(0, 2, 5), RECHECK_PASSED},
    {"overdue now", ITEM_CREDIT_FUND, CREDIT(1, 0, 0), RECHECK_BAD},
    {"three months in a row", ITEM_CREDIT_FUND, CREDIT(0, 3, 5), RECHECK_BAD},
    {"six months in all", ITEM_CREDIT_FUND, CREDIT(0, 2, 6), RECHECK_BAD},
    {"free home", ITEM_PROPERTY_RIGHT, HOME(0, 0, 0), RECHECK_PASSED},
    {"our mortgage stands there", ITEM_PROPERTY_RIGHT, HOME(1, 0, 0), RECHECK_PASSED},
    {"seized", ITEM_PROPERTY_RIGHT, HOME(0, 1, 0), RECHECK_BAD},
    {"disputed", ITEM_PROPERTY_RIGHT, HOME(0, 0, 1), RECHECK_BAD},
    {"down payment paid", ITEM_DOWN_PAYMENT, {{"paid_fen", DOWN_FEN, NULL}}, RECHECK_PASSED},
    {"a fen less paid", ITEM_DOWN_PAYMENT, {{"paid_fen", DOWN_FEN - 1, NULL}}, RECHECK_BAD},
};

static size_t count_of(const struct item_fact *facts)
{
    size_t count = 0;
    while (count < ITEM_FACTS_MAX && facts[count].name != NULL) {
        count++;
    }
    return count;
}

static struct item_result passed(enum item item, const struct item_fact *facts)
{
    struct item_result result = {.key = {.item = item}, .outcome = ITEM_PASS, .observed_ms = world_now_ms()};
    result.fact_count = count_of(facts);
    for (size_t i = 0; i < result.fact_count; i++) {
        result.facts[i] = facts[i];
    }
    return result;
}

static enum recheck check(const struct item_result *result)
{
    const struct offer agreed = {.down_payment_fen = DOWN_FEN};
    assert_int_equal(item_result_check(NULL, &application, result).reason, CL_OK);
    return recheck_result(&rules, &application, &agreed, result, world_now_ms());
}

/* Covers: COL-PAY-001 */
static void what_has_changed_is_seen(void **state)
{
    (void)state;
    assert_int_equal(rules.contribution_months_min, 6);
    assert_int_equal(rules.credit_consecutive_max, 2);
    assert_int_equal(rules.credit_total_max, 5);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct item_result result = passed(rows[i].item, rows[i].facts);
        if (check(&result) != rows[i].recheck) {
            fail_msg("%s", rows[i].name);
        }
    }
}

static void only_a_completion_may_still_come(void **state)
{
    (void)state;
    application.home = (struct home){.kind = HOME_NEW,
                                     .presale = true,
                                     .unit_no = "",
                                     .permit_no = "P-1",
                                     .contract_no = "C-1",
                                     .seller_uscc = "91990000MA0000015Q"};
    const struct item_fact none[] = {{"filed_on", 0, NULL}, {NULL, 0, NULL}};
    const struct item_fact filed[] = {{"filed_on", 20261120, NULL}, {NULL, 0, NULL}};
    struct item_result result = passed(ITEM_COMPLETION_FILING, none);
    assert_int_equal(check(&result), RECHECK_NOT_YET);
    result = passed(ITEM_COMPLETION_FILING, filed);
    assert_int_equal(check(&result), RECHECK_PASSED);
}

/* Covers: COL-PAY-001 */
static void what_did_not_pass_is_bad(void **state)
{
    (void)state;
    struct item_result result = {.key = {.item = ITEM_ACCOUNT},
                                 .outcome = ITEM_FAIL,
                                 .failure = FAILURE_MISMATCH,
                                 .observed_ms = world_now_ms()};
    application.has_account = true;
    assert_int_equal(check(&result), RECHECK_BAD);
    result.outcome = ITEM_MANUAL;
    result.failure = FAILURE_UNREACHABLE;
    assert_int_equal(check(&result), RECHECK_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_has_changed_is_seen, set_up),
        cmocka_unit_test_setup(only_a_completion_may_still_come, set_up),
        cmocka_unit_test_setup(what_did_not_pass_is_bad, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
