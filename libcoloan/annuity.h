/* annuity.h - instalments of a loan to the fen, and the largest loan for an instalment.
 *
 * Exact: everything is computed in whole numbers of any size (GMP) and rounded once, half up to the fen. With annual
 * rate R, r = R / 12, n months and principal P:
 *   equal instalments (等额本息)  payment   = P r (1+r)^n / ((1+r)^n - 1)
 *   equal principal (等额本金)    payment_k = P/n + (P - P (k-1)/n) r
 * The interest of a month is the balance times r, rounded; the rest of the payment repays. The last month clears the
 * balance and so takes up all rounding.
 *
 * Values only; any thread; GMP's short-lived memory is the only allocation, and GMP aborts without memory.
 * Fails: AMOUNT_INVALID, TERM_INVALID, FIELD_INVALID (rate or method) when an argument lies outside the bounds below.
 */
#ifndef COLOAN_ANNUITY_H
#define COLOAN_ANNUITY_H

#include <stddef.h>
#include <stdint.h>

#include "libcoloan/status.h"

#define CL_PRINCIPAL_FEN_MAX                                                                                           \
    INT64_C(1000000000000)        /* ten thousand million yuan: far above any home, far below 2^63   \
                                                     */
#define CL_RATE_PPM_MAX    360000 /* 36 % a year: no lender may ask for more */
#define CL_TERM_MONTHS_MAX 480    /* forty years, the longest term the law knows */

/* The numbers are those of coloan.v1.RepaymentMethod. */
enum cl_repayment {
    CL_REPAYMENT_UNSPECIFIED = 0,
    CL_REPAYMENT_EQUAL_INSTALMENT = 1,
    CL_REPAYMENT_EQUAL_PRINCIPAL = 2,
};

struct cl_loan {
    int64_t principal_fen; /* 1 .. CL_PRINCIPAL_FEN_MAX */
    int32_t rate_ppm;      /* a year; 0 .. CL_RATE_PPM_MAX */
    int32_t term_months;   /* 1 .. CL_TERM_MONTHS_MAX */
    enum cl_repayment method;
};

/* The payment of one month, interest + principal; balance_fen is what is left after it. */
struct cl_instalment {
    int64_t payment_fen;
    int64_t interest_fen;
    int64_t principal_fen;
    int64_t balance_fen;
};

/* The first month's payment: every month's but the last with equal instalments, the highest with equal principal. */
CL_MUST_CHECK struct cl_status cl_first_instalment(int64_t *payment_fen_out, const struct cl_loan *loan);

/* All months: `out` has room for loan->term_months rows. */
CL_MUST_CHECK struct cl_status cl_schedule(struct cl_instalment *out, const struct cl_loan *loan);

/* The largest principal whose exact first payment is no more than `payment_fen` (0 or more; then the answer may be 0),
 * at most CL_PRINCIPAL_FEN_MAX. */
CL_MUST_CHECK struct cl_status cl_principal_for(int64_t *principal_fen_out, int64_t payment_fen, int32_t rate_ppm,
                                                int32_t term_months, enum cl_repayment method);

#endif
