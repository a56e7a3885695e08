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

/* Why a term is what it is. */
struct term_limit {
    int32_t months;             /* the longest allowed; below 1: none */
    enum cl_loan_reason reason; /* AGE_TERM or HSE_AGE when that lies below the policy's longest; else CL_LOAN_NONE */
};

/* The longest terms on `date`, whole steps of the rule set. With equal_term both are the shorter one. */
struct term_limits {
    struct term_limit fund;
    struct term_limit commercial;
    struct term_limit age;      /* the borrower's, before the policy's longest */
    struct term_limit building; /* the building's; months INT32_MAX when its age is unknown or new */
};

void term_limits_for(struct term_limits *out, const struct rule_set *rules, const struct application *application,
                     const struct case_facts *facts, int32_t date);

#endif
