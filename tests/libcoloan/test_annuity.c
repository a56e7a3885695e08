/* Instalments: published values, an independent computation with fractions, schedules that add up, and the inverse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gmp.h>

#include "libcoloan/annuity.h"

#define INSTALMENT CL_REPAYMENT_EQUAL_INSTALMENT
#define PRINCIPAL  CL_REPAYMENT_EQUAL_PRINCIPAL

/* Covers: COL-OFR-010 */
static void first_instalments_as_published(void **state)
{
    (void)state;
    static const struct {
        struct cl_loan loan;
        enum cl_reason reason;
        int64_t payment_fen;
    } rows[] = {
        {{100000000, 26000, 360, INSTALMENT}, CL_OK, 400340},
        {{100000000, 30500, 360, INSTALMENT}, CL_OK, 424305},
        {{100000000, 30750, 360, INSTALMENT}, CL_OK, 425660},
        {{100000000, 34500, 360, INSTALMENT}, CL_OK, 446258},
        {{80000000, 26000, 84, INSTALMENT}, CL_OK, 1042704},
        {{12000000, 0, 12, INSTALMENT}, CL_OK, 1000000},
        {{12000000, 12000, 12, PRINCIPAL}, CL_OK, 1012000},
        {{12000000, 0, 12, PRINCIPAL}, CL_OK, 1000000},
        {{1, 26000, 360, INSTALMENT}, CL_OK, 0},
        {{1200000, 120000, 1, INSTALMENT}, CL_OK, 1212000},
        {{CL_PRINCIPAL_FEN_MAX, CL_RATE_PPM_MAX, 1, PRINCIPAL}, CL_OK, INT64_C(1030000000000)},
        {{0, 26000, 360, INSTALMENT}, CL_AMOUNT_INVALID, 0},
        {{-1, 26000, 360, INSTALMENT}, CL_AMOUNT_INVALID, 0},
        {{CL_PRINCIPAL_FEN_MAX + 1, 26000, 360, INSTALMENT}, CL_AMOUNT_INVALID, 0},
        {{100000000, 26000, 0, INSTALMENT}, CL_TERM_INVALID, 0},
        {{100000000, 26000, CL_TERM_MONTHS_MAX + 1, INSTALMENT}, CL_TERM_INVALID, 0},
        {{100000000, -1, 360, INSTALMENT}, CL_FIELD_INVALID, 0},
        {{100000000, CL_RATE_PPM_MAX + 1, 360, INSTALMENT}, CL_FIELD_INVALID, 0},
        {{100000000, 26000, 360, CL_REPAYMENT_UNSPECIFIED}, CL_FIELD_INVALID, 0},
        {{100000000, 26000, 360, (enum cl_repayment)3}, CL_FIELD_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t payment_fen = -1;
        struct cl_status status = cl_first_instalment(&payment_fen, &rows[i].loan);
        if (status.reason != rows[i].reason) {
            fail_msg("row %zu: %s", i, cl_status_name(status));
        }
        assert_int_equal(payment_fen, cl_is_ok(status) ? rows[i].payment_fen : -1);
    }
}

/* 400,000 at 4.2 % and 600,000 at 2.85 % over 30 years: 4,437.41 a month. */
static void a_combined_loan_as_published(void **state)
{
    (void)state;
    int64_t a_fen = 0;
    int64_t b_fen = 0;
    assert_true(cl_is_ok(cl_first_instalment(&a_fen, &(struct cl_loan){40000000, 42000, 360, INSTALMENT})));
    assert_true(cl_is_ok(cl_first_instalment(&b_fen, &(struct cl_loan){60000000, 28500, 360, INSTALMENT})));
    assert_int_equal(a_fen + b_fen, 443741);
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static struct cl_loan any_loan(uint64_t *state, enum cl_repayment method)
{
    return (struct cl_loan){.principal_fen = 1 + (int64_t)(next(state) % 1000000000),
                            .rate_ppm = (int32_t)(next(state) % 60001),
                            .term_months = 1 + (int32_t)(next(state) % 480),
                            .method = method};
}

/* P divided by the sum of all discount factors 1/(1+r)^k, as fractions: another way to the same number. */
static void annuity_by_discounting(mpq_t out, const struct cl_loan *loan)
{
    mpq_t step, sum, one;
    mpq_inits(step, sum, one, NULL);
    mpq_set_ui(one, 1, 1);
    mpq_set_ui(step, 12000000, 12000000 + (unsigned long)loan->rate_ppm);
    mpq_canonicalize(step);
    for (int32_t month = 0; month < loan->term_months; month++) { /* Horner: sum = step (1 + sum) */
        mpq_add(sum, sum, one);
        mpq_mul(sum, sum, step);
    }
    mpq_set_si(out, loan->principal_fen, 1);
    mpq_div(out, out, sum);
    mpq_clears(step, sum, one, NULL);
}

/* P/n + P r. */
static void first_by_parts(mpq_t out, const struct cl_loan *loan)
{
    mpq_t interest;
    mpq_init(interest);
    mpq_set_si(interest, loan->rate_ppm, 12000000);
    mpq_canonicalize(interest);
    mpq_set_si(out, 1, (unsigned long)loan->term_months);
    mpq_add(out, out, interest);
    mpq_set_si(interest, loan->principal_fen, 1);
    mpq_mul(out, out, interest);
    mpq_clear(interest);
}

static int64_t half_up(const mpq_t value)
{
    mpz_t num, den;
    mpz_inits(num, den, NULL);
    mpz_mul_ui(num, mpq_numref(value), 2);
    mpz_add(num, num, mpq_denref(value));
    mpz_mul_ui(den, mpq_denref(value), 2);
    mpz_fdiv_q(num, num, den);
    int64_t rounded = mpz_get_si(num);
    mpz_clears(num, den, NULL);
    return rounded;
}

/* Covers: COL-OFR-010 */
static void an_independent_computation_agrees(void **state)
{
    (void)state;
    uint64_t seed = 20261123;
    mpq_t exact;
    mpq_init(exact);
    for (int i = 0; i < 120; i++) {
        struct cl_loan loan = any_loan(&seed, i % 2 == 0 ? INSTALMENT : PRINCIPAL);
        int64_t payment_fen = 0;
        loan.term_months += loan.term_months == 1; /* a single month is rounded as balance and interest */
        assert_true(cl_is_ok(cl_first_instalment(&payment_fen, &loan)));
        if (loan.method == INSTALMENT) {
            annuity_by_discounting(exact, &loan);
        } else {
            first_by_parts(exact, &loan);
        }
        assert_int_equal(payment_fen, half_up(exact));
    }
    mpq_clear(exact);
}

static void check_schedule(const struct cl_loan *loan)
{
    struct cl_instalment rows[CL_TERM_MONTHS_MAX];
    int64_t first_fen = 0;
    int64_t balance_fen = loan->principal_fen;
    assert_true(cl_is_ok(cl_schedule(rows, loan)));
    assert_true(cl_is_ok(cl_first_instalment(&first_fen, loan)));
    for (int32_t i = 0; i < loan->term_months; i++) {
        int64_t interest_twice = 2 * balance_fen * loan->rate_ppm; /* half up: x - 1/2 < interest <= x + 1/2 */
        assert_true(rows[i].interest_fen * INT64_C(24000000) <= interest_twice + 12000000);
        assert_true(rows[i].interest_fen * INT64_C(24000000) > interest_twice - 12000000);
        assert_int_equal(rows[i].payment_fen, rows[i].interest_fen + rows[i].principal_fen);
        assert_in_range(rows[i].principal_fen, 0, balance_fen);
        balance_fen -= rows[i].principal_fen;
        assert_int_equal(rows[i].balance_fen, balance_fen);
    }
    assert_int_equal(balance_fen, 0);
    if (loan->principal_fen > 100000) { /* tiny loans may be cleared by less than a whole payment */
        assert_int_equal(rows[0].payment_fen, first_fen);
    }
}

static void schedules_add_up(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 300; i++) {
        struct cl_loan loan = any_loan(&seed, i % 2 == 0 ? INSTALMENT : PRINCIPAL);
        check_schedule(&loan);
    }
    for (int64_t principal_fen = 1; principal_fen < 200; principal_fen++) {
        check_schedule(&(struct cl_loan){principal_fen, 360000, 480, INSTALMENT});
        check_schedule(&(struct cl_loan){principal_fen, 26000, 360, PRINCIPAL});
    }
    check_schedule(&(struct cl_loan){CL_PRINCIPAL_FEN_MAX, CL_RATE_PPM_MAX, CL_TERM_MONTHS_MAX, INSTALMENT});
    check_schedule(&(struct cl_loan){CL_PRINCIPAL_FEN_MAX, CL_RATE_PPM_MAX, CL_TERM_MONTHS_MAX, PRINCIPAL});
}

/* The last month takes up the rounding: of a big loan it differs by less than half a fen for each month, grown by
 * interest. */
static void the_last_month_absorbs_the_rounding(void **state)
{
    (void)state;
    struct cl_instalment rows[360];
    assert_true(cl_is_ok(cl_schedule(rows, &(struct cl_loan){80000000, 26000, 360, INSTALMENT})));
    for (int i = 0; i < 359; i++) {
        assert_int_equal(rows[i].payment_fen, 320272);
    }
    assert_int_not_equal(rows[359].payment_fen, 320272);
    assert_in_range(rows[359].payment_fen, 320272 - 300, 320272 + 300);
    assert_int_equal(rows[0].interest_fen, 173333);
    assert_int_equal(rows[0].principal_fen, 146939);
}

static void equal_principal_falls_evenly(void **state)
{
    (void)state;
    struct cl_instalment rows[240];
    assert_true(cl_is_ok(cl_schedule(rows, &(struct cl_loan){24000000, 30000, 240, PRINCIPAL})));
    for (int i = 0; i < 240; i++) { /* 1,000 yuan and 0.25 % of what is left: exact to the fen */
        assert_int_equal(rows[i].principal_fen, 100000);
        assert_int_equal(rows[i].payment_fen, 100000 + 250 * (240 - i));
    }
}

static void the_inverse_is_the_largest_principal(void **state)
{
    (void)state;
    uint64_t seed = 99;
    mpq_t exact, most;
    mpq_inits(exact, most, NULL);
    for (int i = 0; i < 60; i++) {
        struct cl_loan loan = any_loan(&seed, i % 2 == 0 ? INSTALMENT : PRINCIPAL);
        int64_t payment_fen = (int64_t)(next(&seed) % 5000000);
        assert_true(
            cl_is_ok(cl_principal_for(&loan.principal_fen, payment_fen, loan.rate_ppm, loan.term_months, loan.method)));
        mpq_set_si(most, payment_fen, 1);
        for (int more = 0; more <= 1; more++, loan.principal_fen++) { /* this one fits, one fen more does not */
            if (loan.method == INSTALMENT) {
                annuity_by_discounting(exact, &loan);
            } else {
                first_by_parts(exact, &loan);
            }
            assert_int_equal(mpq_cmp(exact, most) <= 0, more == 0);
        }
    }
    mpq_clears(exact, most, NULL);
}

static void the_inverse_at_its_edges(void **state)
{
    (void)state;
    static const struct {
        int64_t payment_fen;
        int32_t rate_ppm, term_months;
        enum cl_repayment method;
        enum cl_reason reason;
        int64_t principal_fen;
    } rows[] = {
        {200000, 26000, 360, INSTALMENT, CL_OK, 49957572},
        {0, 26000, 360, INSTALMENT, CL_OK, 0},
        {100, 0, 12, INSTALMENT, CL_OK, 1200},
        {100, 0, 12, PRINCIPAL, CL_OK, 1200},
        {INT64_MAX, 0, 480, INSTALMENT, CL_OK, CL_PRINCIPAL_FEN_MAX},
        {-1, 26000, 360, INSTALMENT, CL_AMOUNT_INVALID, 0},
        {100, 26000, 0, INSTALMENT, CL_TERM_INVALID, 0},
        {100, 26000, 481, INSTALMENT, CL_TERM_INVALID, 0},
        {100, -1, 12, INSTALMENT, CL_FIELD_INVALID, 0},
        {100, 26000, 12, CL_REPAYMENT_UNSPECIFIED, CL_FIELD_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t principal_fen = -1;
        struct cl_status status = cl_principal_for(&principal_fen, rows[i].payment_fen, rows[i].rate_ppm,
                                                   rows[i].term_months, rows[i].method);
        assert_int_equal(status.reason, rows[i].reason);
        assert_int_equal(principal_fen, cl_is_ok(status) ? rows[i].principal_fen : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_instalments_as_published),       cmocka_unit_test(a_combined_loan_as_published),
        cmocka_unit_test(an_independent_computation_agrees),    cmocka_unit_test(schedules_add_up),
        cmocka_unit_test(the_last_month_absorbs_the_rounding),  cmocka_unit_test(equal_principal_falls_evenly),
        cmocka_unit_test(the_inverse_is_the_largest_principal), cmocka_unit_test(the_inverse_at_its_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
