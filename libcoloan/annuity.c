#include "libcoloan/annuity.h"

#include <gmp.h>
#include <stdbool.h>

/* A monthly rate is a fraction: rate_ppm / Q with Q = 12 * 10^6. With u = Q + rate_ppm, both formulas become one
 * fraction of whole numbers times the principal: equal instalments  payment   = P * rate u^n / (Q (u^n - Q^n));   P / n
 * without interest equal principal    payment_k = P * (Q + rate (n - k + 1)) / (n Q) The inverse is the same fraction
 * turned over. u^n has at most 24 * 480 bits, some microseconds of work. */

enum { Q = 12 * 1000 * 1000 };

/* payment = principal * num / den for one month. */
struct factor {
    mpz_t num;
    mpz_t den;
};

static void factor_init(struct factor *factor)
{
    mpz_init(factor->num);
    mpz_init(factor->den);
}

static void factor_clear(struct factor *factor)
{
    mpz_clear(factor->num);
    mpz_clear(factor->den);
}

static void equal_instalment_factor(struct factor *factor, unsigned long rate_ppm, unsigned long months)
{
    if (rate_ppm == 0) {
        mpz_set_ui(factor->num, 1);
        mpz_set_ui(factor->den, months);
        return;
    }
    mpz_ui_pow_ui(factor->num, Q + rate_ppm, months);
    mpz_ui_pow_ui(factor->den, Q, months);
    mpz_sub(factor->den, factor->num, factor->den);
    mpz_mul_ui(factor->den, factor->den, Q);
    mpz_mul_ui(factor->num, factor->num, rate_ppm);
}

/* Of month `month`, from 1. */
static void equal_principal_factor(struct factor *factor, unsigned long rate_ppm, unsigned long months,
                                   unsigned long month)
{
    mpz_set_ui(factor->num, Q + rate_ppm * (months - month + 1));
    mpz_set_ui(factor->den, months);
    mpz_mul_ui(factor->den, factor->den, Q);
}

static void factor_of(struct factor *factor, int32_t rate_ppm, int32_t term_months, enum cl_repayment method,
                      int32_t month)
{
    if (method == CL_REPAYMENT_EQUAL_INSTALMENT) {
        equal_instalment_factor(factor, (unsigned long)rate_ppm, (unsigned long)term_months);
        return;
    }
    equal_principal_factor(factor, (unsigned long)rate_ppm, (unsigned long)term_months, (unsigned long)month);
}

/* principal * num / den, half up: floor((2 principal num + den) / (2 den)). */
static int64_t payment_of(const struct factor *factor, int64_t principal_fen)
{
    mpz_t value, twice_den;
    mpz_init(value);
    mpz_init(twice_den);
    mpz_mul_si(value, factor->num, (long)principal_fen);
    mpz_mul_2exp(value, value, 1);
    mpz_add(value, value, factor->den);
    mpz_mul_2exp(twice_den, factor->den, 1);
    mpz_fdiv_q(value, value, twice_den);
    int64_t payment_fen = mpz_get_si(value); /* at most the principal and a month's interest: far below 2^63 */
    mpz_clear(value);
    mpz_clear(twice_den);
    return payment_fen;
}

_Static_assert(sizeof(long) == sizeof(int64_t), "GMP's si functions take whole amounts");
_Static_assert(CL_PRINCIPAL_FEN_MAX <= INT64_MAX / CL_RATE_PPM_MAX / 2, "a month's interest is computed in 64 bits");

static struct cl_status check_terms(int32_t rate_ppm, int32_t term_months, enum cl_repayment method)
{
    if (term_months < 1 || term_months > CL_TERM_MONTHS_MAX) {
        return cl_fail(CL_TERM_INVALID);
    }
    bool known = method == CL_REPAYMENT_EQUAL_INSTALMENT || method == CL_REPAYMENT_EQUAL_PRINCIPAL;
    if (rate_ppm < 0 || rate_ppm > CL_RATE_PPM_MAX || !known) {
        return cl_fail(CL_FIELD_INVALID);
    }
    return cl_ok();
}

static struct cl_status check_loan(const struct cl_loan *loan)
{
    if (loan->principal_fen < 1 || loan->principal_fen > CL_PRINCIPAL_FEN_MAX) {
        return cl_fail(CL_AMOUNT_INVALID);
    }
    return check_terms(loan->rate_ppm, loan->term_months, loan->method);
}

struct cl_status cl_first_instalment(int64_t *payment_fen_out, const struct cl_loan *loan)
{
    struct cl_status status = check_loan(loan);
    if (cl_failed(status)) {
        return status;
    }
    if (loan->term_months == 1) { /* the only month is the last, whose payment the balance gives */
        struct cl_instalment only;
        status = cl_schedule(&only, loan);
        *payment_fen_out = only.payment_fen;
        return status;
    }
    struct factor factor;
    factor_init(&factor);
    factor_of(&factor, loan->rate_ppm, loan->term_months, loan->method, 1);
    *payment_fen_out = payment_of(&factor, loan->principal_fen);
    factor_clear(&factor);
    return cl_ok();
}

static int64_t interest_of(int64_t balance_fen, int32_t rate_ppm)
{
    return (2 * balance_fen * rate_ppm + Q) / (2 * (int64_t)Q);
}

/* The row of one month from the payment that the formula gives. A tiny loan's rounded payments may clear it early, or
 * be less than its rounded interest: the principal repaid stays between nothing and the balance. */
static struct cl_instalment month_of(int64_t balance_fen, int64_t payment_fen, int32_t rate_ppm, bool last)
{
    int64_t interest_fen = interest_of(balance_fen, rate_ppm);
    int64_t principal_fen = payment_fen - interest_fen;
    if (last || principal_fen > balance_fen) {
        principal_fen = balance_fen;
    }
    if (principal_fen < 0) {
        principal_fen = 0;
    }
    return (struct cl_instalment){.payment_fen = principal_fen + interest_fen,
                                  .interest_fen = interest_fen,
                                  .principal_fen = principal_fen,
                                  .balance_fen = balance_fen - principal_fen};
}

struct cl_status cl_schedule(struct cl_instalment *out, const struct cl_loan *loan)
{
    struct cl_status status = check_loan(loan);
    if (cl_failed(status)) {
        return status;
    }
    struct factor factor;
    factor_init(&factor);
    factor_of(&factor, loan->rate_ppm, loan->term_months, loan->method, 1);
    int64_t payment_fen = payment_of(&factor, loan->principal_fen);
    int64_t balance_fen = loan->principal_fen;
    for (int32_t month = 1; month <= loan->term_months; month++) {
        if (loan->method == CL_REPAYMENT_EQUAL_PRINCIPAL && month > 1) {
            factor_of(&factor, loan->rate_ppm, loan->term_months, loan->method, month);
            payment_fen = payment_of(&factor, loan->principal_fen);
        }
        out[month - 1] = month_of(balance_fen, payment_fen, loan->rate_ppm, month == loan->term_months);
        balance_fen = out[month - 1].balance_fen;
    }
    factor_clear(&factor);
    return cl_ok();
}

struct cl_status cl_principal_for(int64_t *principal_fen_out, int64_t payment_fen, int32_t rate_ppm,
                                  int32_t term_months, enum cl_repayment method)
{
    struct cl_status status = check_terms(rate_ppm, term_months, method);
    if (cl_failed(status)) {
        return status;
    }
    if (payment_fen < 0) {
        return cl_fail(CL_AMOUNT_INVALID);
    }
    struct factor factor;
    mpz_t principal;
    factor_init(&factor);
    mpz_init(principal);
    factor_of(&factor, rate_ppm, term_months, method, 1);
    mpz_mul_si(principal, factor.den, (long)payment_fen);
    mpz_fdiv_q(principal, principal, factor.num);
    bool larger = mpz_cmp_si(principal, CL_PRINCIPAL_FEN_MAX) > 0;
    *principal_fen_out = larger ? CL_PRINCIPAL_FEN_MAX : mpz_get_si(principal);
    mpz_clear(principal);
    factor_clear(&factor);
    return cl_ok();
}
