/* world.h - what the tests of the rules share: the reference rule set as its file has it, and made-up cases.
 *
 * A persona is one row of plain numbers: what is declared, what the items say, what is wanted. persona_case turns it
 * into an application and item results as a server would hold them. */
#ifndef COLOAN_TESTS_DOMAIN_WORLD_H
#define COLOAN_TESTS_DOMAIN_WORLD_H

#include "server/domain/decide.h"
#include "server/domain/rules.h"

#define WORLD_BANK   "cn-bank-01"
#define WORLD_CENTRE "cn-fund-js"
#define YUAN         INT64_C(100)

/* 2026-11-23 10:00 in China. */
int64_t world_now_ms(void);

/* rules/REF-NJ-2026-11.yaml, by a reader that knows just enough; fails the test on anything it does not understand. */
void world_rules(struct rule_set *out);

/* The same of rules/<name>.yaml, e.g. "variants/RELAXED-2026-08". */
void world_rules_of(struct rule_set *out, const char *name);

/* What one person declares and what the items say of him or her. All zero but the ID number: an answer of the most
 * harmless kind. */
struct persona_person {
    const char *id_number;
    enum staff_category category;   /* 0: worker */
    enum marital_status registered; /* 0: as declared */
    int32_t months;                 /* 0: 60; -1: none */
    int64_t base_yuan;              /* 0: does not contribute */
    int64_t balance_yuan;
    bool sealed;
    int32_t loans_used;
    int32_t loans_open;
    int32_t banned_until;
    bool overdue_now;
    int32_t overdue_consecutive;
    int32_t overdue_total;
    int64_t debts_yuan;
    int32_t mortgages_open;
    bool listed; /* by the court */
};

struct persona {
    const char *name;
    struct persona_person
        persons[CL_PERSONS_MAX]; /* borrower, spouse, co-borrowers; up to the first without an ID number */
    enum home_kind kind;         /* 0: new */
    int64_t price_yuan;
    int64_t appraisal_yuan;
    int32_t built_year;
    int32_t area_m2; /* 0: 89 */
    int32_t homes;
    int32_t minors;
    int32_t stars;
    bool improved;
    bool trade_in;
    bool youth_voucher;
    int64_t income_yuan;      /* 0: the sum of the bases */
    int64_t total_yuan;       /* 0: as much as the rules allow */
    int64_t fund_yuan;        /* 0: as much as the rules allow */
    int32_t term_months;      /* 0: 360 */
    enum cl_repayment method; /* 0: equal instalments */
    bool fund_only;
    bool single; /* declares to be single although there is a second person, a co-borrower */
};

struct world_case {
    struct application application;
    struct item_result results[CL_ITEM_RESULTS_MAX];
    size_t result_count;
};

/* Everything settled by machine, nothing failed. */
void persona_case(struct world_case *out, const struct persona *persona, int64_t now_ms);

/* The results again, after a test has changed the application. */
void persona_results(struct world_case *world, const struct persona *persona, int64_t now_ms);

/* The result of one item, to be changed by a test. */
struct item_result *world_result(struct world_case *world, enum item item, unsigned person);

/* Reads the facts and decides; the steps live in `arena`. */
void world_decide(struct fund_decision *out, struct cl_arena *arena, const struct rule_set *rules,
                  const struct world_case *world, int64_t now_ms);

/* Whether the decision carries that reason, of any person. */
bool world_has_reason(const struct fund_decision *decision, enum cl_loan_reason reason);

/* The first step of that rule; fails the test without one. */
const struct decision_step *world_step(const struct fund_decision *decision, const char *rule);

/* A fixed sequence of pseudo-random numbers (xorshift64*), the same in every run. */
uint64_t world_random(uint64_t *state);
int64_t world_random_in(uint64_t *state, int64_t min, int64_t max);

/* Anybody: alone or a couple, with any income, home and wish. */
struct persona world_any_persona(uint64_t *seed);

#endif
