#include "server/domain/term.h"

#include "libcoloan/date.h"

/* One line of the reform: from this birth month on, one month later for each `births_per_month` months of birth. */
struct reform {
    int32_t age_months; /* before the reform */
    int32_t from_year;  /* births from January of that year are concerned */
    int32_t births_per_month;
    int32_t delay_months_max;
};

static const struct reform men = {60 * 12, 1965, 4, 36};
static const struct reform women_cadres = {55 * 12, 1970, 4, 36};
static const struct reform women_workers = {50 * 12, 1975, 2, 60};

int32_t retirement_age_months(int32_t birth_date, enum cl_sex sex, enum staff_category category)
{
    const struct reform *women = category == STAFF_CADRE ? &women_cadres : &women_workers;
    const struct reform *reform = sex == CL_SEX_MALE ? &men : women;
    int32_t births = (birth_date / 10000 - reform->from_year) * 12 + birth_date / 100 % 100 - 1;
    if (births < 0) {
        return reform->age_months;
    }
    int32_t delay_months = births / reform->births_per_month + 1;
    return reform->age_months + (delay_months < reform->delay_months_max ? delay_months : reform->delay_months_max);
}

static struct term_limit limit_of(const struct rule_set *rules, int32_t policy_months, int32_t age_months,
                                  int32_t building_months)
{
    struct term_limit limit = {.months = policy_months, .reason = CL_LOAN_TRM_MAX};
    if (building_months < limit.months) {
        limit = (struct term_limit){.months = building_months, .reason = CL_LOAN_HSE_AGE};
    }
    if (age_months < limit.months) {
        limit = (struct term_limit){.months = age_months, .reason = CL_LOAN_AGE_TERM};
    }
    limit.months -= limit.months % rules->term_step_months;
    return limit;
}

/* The year is all that is known of a building; it counts as finished at the end of the year before, the strict reading.
 */
static int32_t building_months_left(const struct rule_set *rules, const struct home *home, int32_t date)
{
    if (home->kind != HOME_SECOND_HAND || home->built_year == 0) {
        return INT32_MAX;
    }
    int32_t age_months = (date / 10000 - home->built_year) * 12 + date / 100 % 100;
    return rules->building_age_months_max - age_months;
}

void term_limits_for(struct term_limits *out, const struct rule_set *rules, const struct application *application,
                     const struct case_facts *facts, int32_t date)
{
    int32_t lived_months = cl_date_months_between(application->persons[0].birth_date, date);
    int32_t retirement_months = facts->persons[0].retirement_months + rules->retirement_extra_months - lived_months;
    int32_t age_months = rules->commercial_age_months_max - lived_months;
    int32_t building_months = building_months_left(rules, &application->home, date);
    struct term_limits limits = {
        .fund = limit_of(rules, rules->term_months_max_fund, retirement_months, building_months),
        .commercial = limit_of(rules, rules->term_months_max_commercial, age_months, building_months),
        .retirement_months = retirement_months,
        .age_months = age_months,
        .building_months = building_months,
    };
    if (rules->equal_term) {
        bool fund_shorter = limits.fund.months <= limits.commercial.months;
        limits.fund = fund_shorter ? limits.fund : limits.commercial;
        limits.commercial = limits.fund;
    }
    *out = limits;
}
