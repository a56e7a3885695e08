/* quota.h - the fund part: the lowest of its limits, and which one binds.
 *
 * Values only; any thread. All amounts in fen. */
#ifndef COLOAN_SERVER_DOMAIN_QUOTA_H
#define COLOAN_SERVER_DOMAIN_QUOTA_H

#include "libcoloan/loan_reasons.h"
#include "server/domain/facts.h"
#include "server/domain/ruleset.h"

enum quota_kind {
    QUOTA_CAP,
    QUOTA_LTV,
    QUOTA_BALANCE,
    QUOTA_PTI,
    QUOTA_REQUEST,
    QUOTA_COUNT,
};

struct quota_limit {
    enum cl_loan_reason reason; /* AMT_CAP .. AMT_REQ */
    int64_t limit_fen;          /* INT64_MAX: does not limit */
};

struct quota {
    int64_t fund_fen; /* the lowest limit, rounded down to the rule set's step */
    enum quota_kind binding;
    struct quota_limit limits[QUOTA_COUNT];
};

/* The household's numbers that the limits are made of. */
struct household {
    unsigned contributors;
    unsigned co_borrowers; /* of them: parents or children of the borrower (代际互助) */
    int64_t base_fen;
    int64_t balance_fen;
    int64_t debts_fen;       /* monthly */
    int32_t fund_loans_used; /* of all persons: the highest */
    int32_t own_loans_used;  /* of borrower and spouse */
    int32_t fund_loans_open;
    int32_t mortgages_open;
};

void household_sum(struct household *out, const struct application *application, const struct case_facts *facts);

/* The fund loans that count as the family's. */
int32_t household_loans_used(const struct rule_set *rules, const struct household *household);

/* The cap: first or second home, one or several contributors, uplifts, voucher. */
int64_t quota_cap_fen(const struct rule_set *rules, const struct application *application,
                      const struct case_facts *facts);

/* The fund part at this rate and term. The first of equal limits binds, in the order of enum quota_kind. */
void quota_fund(struct quota *out, const struct rule_set *rules, const struct application *application,
                const struct case_facts *facts, int32_t rate_ppm, int32_t term_months);

/* `amount_fen` rounded down to the rule set's step; 0 for a negative one. */
int64_t quota_round_fen(const struct rule_set *rules, int64_t amount_fen);

/* `amount_fen` times `ppm` millionths, rounded down; both not negative, ppm up to 1,000,000,000. */
int64_t quota_share_fen(int64_t amount_fen, int32_t ppm);

#endif
