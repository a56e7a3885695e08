/* offer.h - both parts of the loan: the split, the ratios both must hold, the remedies, and a bank's counter-offer.
 *
 * Values only; any thread. All amounts in fen, rates in ppm a year. */
#ifndef COLOAN_SERVER_DOMAIN_OFFER_H
#define COLOAN_SERVER_DOMAIN_OFFER_H

#include "server/domain/quota.h"
#include "server/domain/term.h"

struct loan_part {
    int64_t amount_fen; /* 0: there is no such part, and the other fields are 0 */
    int32_t rate_ppm;
    int32_t term_months;
    enum cl_repayment method;
    int64_t instalment_fen; /* first month */
};

struct offer {
    struct loan_part fund;
    struct loan_part commercial;
    int64_t price_fen;        /* contract price */
    int64_t down_payment_fen; /* price - fund - commercial */
    int64_t valid_until_ms;
    bool interest_subsidy;
};

/* The monthly burden against its limits. */
struct joint {
    int64_t housing_fen;       /* both instalments */
    int64_t debts_fen;         /* and all other debts */
    int64_t housing_limit_fen; /* of the verified income */
    int64_t debts_limit_fen;
};

/* How the ratios were made to hold, in this order. */
enum remedy {
    REMEDY_NONE,
    REMEDY_TERM,      /* a longer term */
    REMEDY_CUT,       /* a smaller commercial part */
    REMEDY_FUND_ONLY, /* none at all, which the borrower accepts */
    REMEDY_FAILED,    /* nothing helps */
};

struct split {
    struct offer offer;
    struct quota quota;
    int64_t total_fen;  /* what the borrower asked for within the down payment */
    struct joint asked; /* before any remedy */
    struct joint joint; /* of `offer` */
    enum remedy remedy;
    bool fund_second;       /* second-loan rate */
    bool commercial_second; /* second-home rate and down payment */
};

bool joint_holds(const struct joint *joint);

/* Splits the total between the lenders and makes the ratios hold. Terms up to `limits`, each at least 1. With
 * REMEDY_FAILED the offer is the one as asked. */
void split_loan(struct split *out, const struct rule_set *rules, const struct application *application,
                const struct case_facts *facts, const struct term_limits *limits, int64_t now_ms);

/* The current offer with the bank's commercial part instead: amount above 0 and at most the one offered, rate and term
 * within the rules; the down payment rises by the difference; valid as long as the current one. What the bank says of
 * the instalment is checked. Whether the facts are still in force does not matter here: both lenders ask again before
 * they pay. AMOUNT_INVALID (also when the ratios no longer hold), TERM_INVALID, FIELD_INVALID (rate, method,
 * instalment, or nothing differs) with the path within the part, e.g. "rate_ppm"; OFFER_EXPIRED. */
CL_MUST_CHECK struct cl_status offer_counter(struct offer *out, struct field_path *path_out,
                                             const struct rule_set *rules, const struct application *application,
                                             const struct case_facts *facts, const struct offer *current,
                                             const struct loan_part *counter, int64_t now_ms);

#endif
