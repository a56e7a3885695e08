/* Retirement ages of the reform, and how long a loan may run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcoloan/date.h"
#include "server/domain/term.h"
#include "tests/server/domain/world.h"

static void retirement_ages_of_the_reform(void **state)
{
    (void)state;
    static const struct {
        int32_t birth_date;
        enum cl_sex sex;
        enum staff_category category;
        int32_t years, months;
    } rows[] = {
        {19641231, CL_SEX_MALE, STAFF_WORKER, 60, 0},    {19650101, CL_SEX_MALE, STAFF_WORKER, 60, 1},
        {19650430, CL_SEX_MALE, STAFF_CADRE, 60, 1},     {19650501, CL_SEX_MALE, STAFF_CADRE, 60, 2},
        {19680615, CL_SEX_MALE, STAFF_WORKER, 60, 11},   {19760831, CL_SEX_MALE, STAFF_WORKER, 62, 11},
        {19760901, CL_SEX_MALE, STAFF_WORKER, 63, 0},    {20000229, CL_SEX_MALE, STAFF_WORKER, 63, 0},
        {19691231, CL_SEX_FEMALE, STAFF_CADRE, 55, 0},   {19700101, CL_SEX_FEMALE, STAFF_CADRE, 55, 1},
        {19810901, CL_SEX_FEMALE, STAFF_CADRE, 58, 0},   {19810831, CL_SEX_FEMALE, STAFF_CADRE, 57, 11},
        {19741231, CL_SEX_FEMALE, STAFF_WORKER, 50, 0},  {19750101, CL_SEX_FEMALE, STAFF_WORKER, 50, 1},
        {19750228, CL_SEX_FEMALE, STAFF_WORKER, 50, 1},  {19750301, CL_SEX_FEMALE, STAFF_WORKER, 50, 2},
        {19841031, CL_SEX_FEMALE, STAFF_WORKER, 54, 11}, {19841101, CL_SEX_FEMALE, STAFF_WORKER, 55, 0},
        {20000101, CL_SEX_FEMALE, STAFF_WORKER, 55, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t months = retirement_age_months(rows[i].birth_date, rows[i].sex, rows[i].category);
        if (months != rows[i].years * 12 + rows[i].months) {
            fail_msg("row %zu: %d", i, months);
        }
    }
}

/* Later births never retire earlier. */
static void retirement_ages_rise_with_birth(void **state)
{
    (void)state;
    static const struct {
        enum cl_sex sex;
        enum staff_category category;
    } kinds[] = {{CL_SEX_MALE, STAFF_WORKER}, {CL_SEX_FEMALE, STAFF_CADRE}, {CL_SEX_FEMALE, STAFF_WORKER}};
    for (size_t i = 0; i < 3; i++) {
        int32_t before = 0;
        for (int32_t date = 19500101; date < 20100101; date = cl_date_add_months(date, 1)) {
            int32_t months = retirement_age_months(date, kinds[i].sex, kinds[i].category);
            assert_in_range(months, before, before == 0 ? 1000 : before + 1);
            before = months;
        }
    }
}

static struct term_limits limits_of(const struct rule_set *rules, const char *id_number, enum home_kind kind,
                                    int32_t built_year, int32_t date)
{
    struct persona persona = {.name = "term",
                              .persons = {{.id_number = id_number, .base_yuan = 10000, .balance_yuan = 100000}},
                              .kind = kind,
                              .price_yuan = 1000000,
                              .appraisal_yuan = kind == HOME_SECOND_HAND ? 1000000 : 0,
                              .built_year = built_year};
    struct world_case world;
    struct case_facts facts;
    struct term_limits limits;
    int64_t now_ms = cl_date_to_ms(date) + 1;
    persona_case(&world, &persona, now_ms);
    facts_read(&facts, &world.application, world.results, world.result_count, now_ms);
    term_limits_for(&limits, rules, &world.application, &facts, date);
    return limits;
}

static void a_term_ends_with_age_building_or_policy(void **state)
{
    (void)state;
    struct rule_set rules;
    world_rules(&rules);
    static const struct {
        const char *id_number;
        enum home_kind kind;
        int32_t built_year, date, months;
        enum cl_loan_reason reason;
    } rows[] = {
        {"990101199603150019", HOME_NEW, 0, 20261123, 360, CL_LOAN_TRM_MAX},
        {"990101196806150031", HOME_NEW, 0, 20261123, 84, CL_LOAN_AGE_TERM}, /* 791 - 701 = 90 months, whole years */
        {"990101196806150031", HOME_NEW, 0, 20270514, 84, CL_LOAN_AGE_TERM},
        {"990101196806150031", HOME_NEW, 0, 20270614, 84, CL_LOAN_AGE_TERM},
        {"990101196806150031", HOME_NEW, 0, 20270615, 72, CL_LOAN_AGE_TERM}, /* a month older, on the day */
        {"990101200002290011", HOME_NEW, 0, 20261123, 360, CL_LOAN_TRM_MAX}, /* born on a leap day */
        {"990101199603150019", HOME_SECOND_HAND, 2026, 20261123, 360, CL_LOAN_TRM_MAX},
        {"990101199603150019", HOME_SECOND_HAND, 2000, 20261123, 276, CL_LOAN_HSE_AGE}, /* 600 - 323 = 277 */
        {"990101199603150019", HOME_SECOND_HAND, 0, 20261123, 360, CL_LOAN_TRM_MAX},    /* unknown */
        {"990101199603150019", HOME_NEW, 2000, 20261123, 360, CL_LOAN_TRM_MAX},         /* new homes have no age */
        {"990101196002290012", HOME_NEW, 0, 20261123, 0, CL_LOAN_AGE_TERM},             /* none left */
        {"990101199603150019", HOME_SECOND_HAND, 1976, 20261123, 0, CL_LOAN_HSE_AGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct term_limits limits =
            limits_of(&rules, rows[i].id_number, rows[i].kind, rows[i].built_year, rows[i].date);
        bool none = rows[i].months == 0 && limits.fund.months < 12;
        if ((limits.fund.months != rows[i].months && !none) || limits.fund.reason != rows[i].reason) {
            fail_msg("row %zu: %d %s", i, limits.fund.months, cl_loan_reason_code(limits.fund.reason));
        }
        assert_int_equal(limits.commercial.months, limits.fund.months); /* equal terms */
    }
}

static void unequal_terms_have_their_own_limits(void **state)
{
    (void)state;
    struct rule_set rules;
    world_rules(&rules);
    rules.equal_term = false;
    struct term_limits limits = limits_of(&rules, "990101199603150019", HOME_NEW, 0, 20261123);
    assert_int_equal(limits.fund.months, 360);
    assert_int_equal(limits.commercial.months, 468); /* 840 - 368 = 472 */
    assert_int_equal(limits.age_months, 472);
    assert_int_equal(limits.retirement_months, 63 * 12 + 60 - 368);
    limits = limits_of(&rules, "990101196806150031", HOME_NEW, 0, 20261123);
    assert_int_equal(limits.fund.months, 84);
    assert_int_equal(limits.commercial.months, 132); /* 840 - 701 = 139 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retirement_ages_of_the_reform),
        cmocka_unit_test(retirement_ages_rise_with_birth),
        cmocka_unit_test(a_term_ends_with_age_building_or_policy),
        cmocka_unit_test(unequal_terms_have_their_own_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
