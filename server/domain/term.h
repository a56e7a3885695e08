/* term.h - how long a loan may run: retirement age, age limits, the building's age.
 *
 * Values only; any thread; cannot fail. */
#ifndef COLOAN_SERVER_DOMAIN_TERM_H
#define COLOAN_SERVER_DOMAIN_TERM_H

#include "libcoloan/loan_reasons.h"
#include "server/domain/facts.h"
#include "server/domain/ruleset.h"

/* Statutory retirement age in months under the reform of 2025: men 60 -> 63 years, women cadres 55 -> 58, both one
 * month more for each four months of birth (from 1965-01 and 1970-01 on); women workers 50 -> 55, one for each two
 * months (from 1975-01 on). */
int32_t retirement_age_months(int32_t birth_date, enum cl_sex sex, enum staff_category category);

struct term_limit {
    int32_t months; /* the longest allowed, a multiple of the rule set's step; below 1: none at all */
    /* What makes it so: AGE_TERM, HSE_AGE or TRM_MAX (the policy's longest). */
    enum cl_loan_reason reason;
};

/* With equal_term both are the shorter one. The numbers below them are what they are made of, in months from `date`. */
struct term_limits {
    struct term_limit fund;
    struct term_limit commercial;
    int32_t retirement_months; /* until statutory retirement and the extra time */
    int32_t age_months;        /* until the bank's age limit */
    int32_t building_months;   /* until the building is too old; INT32_MAX when new or of unknown age */
};

/* The longest terms from `date` on. The fund counts to the borrower's retirement, the bank to the borrower's age. */
void term_limits_for(struct term_limits *out, const struct rule_set *rules, const struct application *application,
                     const struct case_facts *facts, int32_t date);

#endif
