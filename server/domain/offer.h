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

#define COUNTER_REASONS_MAX 4

/* What the fund had to change before it could sign a counter-offer; none: the bank's terms stand as they are. */
struct counter_change {
    enum cl_loan_reason reasons[COUNTER_REASONS_MAX]; /* JNT_CUT, TRM_BANK, AMT_PTI, and why a term was cut */
    size_t reason_count;
};

/* The current offer with the bank's commercial part instead: amount above 0 and at most the one offered, rate within the
 * rules; what the bank says of the instalment is checked. The down payment rises by what is lent less; valid as long as the
 * current one. Whether the facts are still in force does not matter here: both lenders ask again before they pay.
 *
 * Terms that do not fit are answered with the nearest the fund can sign, and `change_out` says how: the bank's rate and
 * method stay; its term is cut to the longest allowed; with equal_term the fund part follows the bank's term, at that
 * term's rate and within the repayment capacity; the amount is cut to what the ratios leave room for. When they leave none
 * over the bank's term, the longest term is tried.
 *
 * AMOUNT_INVALID (also when nothing helps), TERM_INVALID (shorter than any loan, longer than the law knows, or all that
 * differs is a term the fund cannot give), FIELD_INVALID
 * (rate, method, instalment, or nothing differs from the current offer) with the path within the part, e.g. "rate_ppm";
 * OFFER_EXPIRED. */
CL_MUST_CHECK struct cl_status offer_counter(struct offer *out, struct counter_change *change_out,
                                             struct field_path *path_out, const struct rule_set *rules,
                                             const struct application *application, const struct case_facts *facts,
                                             const struct offer *current, const struct loan_part *counter,
                                             int64_t now_ms);

#endif
