/* What holds for every case under every rule set, on random cases: each limit and each instalment is computed here once
 * more, in exact fractions (GMP) and not the code's own way. A new seed each run, printed; COLOAN_SEED=N runs one again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcoloan/date.h"
#include "tests/server/domain/world.h"

enum { CASES = 1200, WALKS = 120, STEPS = 8, LOANS = 4000 };

static struct rule_set sets[3];
static struct cl_arena *arena;
static uint64_t first_seed;
static char failed[160];

/* Fails the test with the seed that shows it again. */
#define HOLDS(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fail_msg("COLOAN_SEED=%llu: %s: %s", (unsigned long long)first_seed, failed, #what);                       \
        }                                                                                                              \
    } while (0)

/* -- Exact instalments --------------------------------------------------------------------------------------- */

/* The first payment as a fraction: P r (1+r)^n / ((1+r)^n - 1), or P/n + P r, with r = ppm / 12,000,000. */
static void payment(mpq_t out, int64_t principal_fen, int32_t rate_ppm, int32_t months, enum cl_repayment method)
{
    mpq_t rate;
    mpq_t growth;
    mpq_t part;
    mpq_inits(rate, growth, part, NULL);
    mpq_set_si(rate, rate_ppm, 12000000);
    mpq_canonicalize(rate);
    mpq_set_si(out, principal_fen, 1);
    if (method == CL_REPAYMENT_EQUAL_PRINCIPAL || rate_ppm == 0) {
        mpq_mul(part, out, rate);
        mpq_set_si(growth, 1, (unsigned long)months);
        mpq_mul(out, out, growth);
        mpq_add(out, out, part);
    } else {
        mpq_set_si(part, 1, 1);
        mpq_add(part, part, rate);
        mpq_set_si(growth, 1, 1);
        for (int32_t i = 0; i < months; i++) {
            mpq_mul(growth, growth, part);
        }
        mpq_mul(out, out, rate);
        mpq_mul(out, out, growth);
        mpq_set_si(part, 1, 1);
        mpq_sub(growth, growth, part);
        mpq_div(out, out, growth);
    }
    mpq_clears(rate, growth, part, NULL);
}

/* Half up: floor(x + 1/2). */
static int64_t rounded(const mpq_t value)
{
    mpq_t shifted;
    mpz_t whole;
    mpq_init(shifted);
    mpz_init(whole);
    mpq_set_si(shifted, 1, 2);
    mpq_add(shifted, shifted, value);
    mpz_fdiv_q(whole, mpq_numref(shifted), mpq_denref(shifted));
    int64_t result = mpz_get_si(whole);
    mpq_clear(shifted);
    mpz_clear(whole);
    return result;
}

static int64_t payment_fen(const struct loan_part *part)
{
    mpq_t exact;
    mpq_init(exact);
    payment(exact, part->amount_fen, part->rate_ppm, part->term_months, part->method);
    int64_t fen = rounded(exact);
    mpq_clear(exact);
    return fen;
}

/* Whether the exact payment, not the rounded one, is within `fen`. */
static bool pays_within(const struct loan_part *part, int64_t fen)
{
    mpq_t exact;
    mpq_init(exact);
    payment(exact, part->amount_fen, part->rate_ppm, part->term_months, part->method);
    bool within = mpq_cmp_si(exact, fen, 1) <= 0;
    mpq_clear(exact);
    return within;
}

static void instalments_are_exact(void **state)
{
    (void)state;
    uint64_t seed = first_seed;
    for (int i = 0; i < LOANS; i++) {
        struct cl_loan loan = {.principal_fen = world_random_in(&seed, 1, INT64_C(2000000000)),
                               .rate_ppm = (int32_t)world_random_in(&seed, 0, 60000),
                               .term_months = (int32_t)world_random_in(&seed, 1, CL_TERM_MONTHS_MAX),
                               .method = (enum cl_repayment)world_random_in(&seed, 1, 2)};
        struct loan_part part = {loan.principal_fen, loan.rate_ppm, loan.term_months, loan.method, 0};
        int64_t fen = 0;
        int64_t principal_fen = 0;
        (void)snprintf(failed, sizeof failed, "loan %d of %lld", i, (long long)loan.principal_fen);
        HOLDS(cl_is_ok(cl_first_instalment(&fen, &loan)));
        HOLDS(fen == payment_fen(&part));
        int64_t room_fen = world_random_in(&seed, 0, 3000000);
        HOLDS(cl_is_ok(cl_principal_for(&principal_fen, room_fen, loan.rate_ppm, loan.term_months, loan.method)));
        part.amount_fen = principal_fen;
        HOLDS(principal_fen == 0 || pays_within(&part, room_fen));
        part.amount_fen = principal_fen + 1; /* and not a fen more */
        HOLDS(principal_fen == CL_PRINCIPAL_FEN_MAX || !pays_within(&part, room_fen));
    }
}

/* -- Limits, again ------------------------------------------------------------------------------------------- */

static struct persona any_case(uint64_t *seed)
{
    struct persona persona = world_any_persona(seed);
    if (world_random_in(seed, 0, 4) == 0) { /* a parent joins */
        unsigned place = persona.persons[1].id_number == NULL ? 1 : 2;
        persona.single = place == 1;
        persona.persons[place] = (struct persona_person){.id_number = "990101196806150031",
                                                         .base_yuan = world_random_in(seed, 2660, 42400),
                                                         .balance_yuan = world_random_in(seed, 0, 100000),
                                                         .loans_used = (int32_t)world_random_in(seed, 0, 2)};
    }
    persona.youth_voucher = world_random_in(seed, 0, 9) == 0;
    persona.trade_in = world_random_in(seed, 0, 4) == 0;
    return persona;
}

/* Far from overflow: no home here costs more than 5,000,000 yuan. */
static int64_t share(int64_t fen, int64_t ppm)
{
    return fen * ppm / 1000000;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct sums {
    int64_t base_fen, balance_fen, debts_fen;
    unsigned contributors;
};

static struct sums sums_of(const struct persona *persona)
{
    struct sums sums = {.base_fen = 0};
    for (size_t i = 0; i < CL_PERSONS_MAX; i++) {
        const struct persona_person *person = &persona->persons[i];
        sums.debts_fen += person->debts_yuan * YUAN;
        if (person->base_yuan > 0) {
            sums.contributors++;
            sums.base_fen += person->base_yuan * YUAN;
            sums.balance_fen += person->balance_yuan * YUAN;
        }
    }
    return sums;
}

static int64_t base_fen(const struct persona *persona)
{
    bool lower = persona->kind == HOME_SECOND_HAND && persona->appraisal_yuan > 0;
    return (lower ? least(persona->price_yuan, persona->appraisal_yuan) : persona->price_yuan) * YUAN;
}

/* No family gets more than the highest cap there is for anybody. */
static int64_t highest_cap_fen(const struct rule_set *set, unsigned contributors)
{
    int64_t stacked_fen = contributors > 1 ? set->cap_household_stacked_fen : set->cap_single_stacked_fen;
    int64_t plain_fen = contributors > 1 ? set->cap_household_fen : set->cap_single_fen;
    return most(stacked_fen, plain_fen * set->voucher_multiple);
}

static void check_limits(const struct rule_set *set, const struct persona *persona, const struct offer *offer)
{
    struct sums sums = sums_of(persona);
    int64_t lent_fen = offer->fund.amount_fen + offer->commercial.amount_fen;
    int64_t down_ppm = persona->homes > 0 ? set->down_payment_second_ppm : set->down_payment_first_ppm;
    int64_t fund_down_ppm = most(down_ppm, set->fund_down_payment_ppm);
    int64_t balance_fen = most(sums.balance_fen * set->balance_multiple, set->balance_floor_fen);
    int64_t housing_fen = offer->fund.instalment_fen + offer->commercial.instalment_fen;
    int64_t income_fen = persona->income_yuan * YUAN;
    HOLDS(offer->fund.amount_fen > 0);
    HOLDS(offer->fund.amount_fen % set->round_to_fen == 0);
    HOLDS(offer->commercial.amount_fen % set->round_to_fen == 0);
    HOLDS(lent_fen + offer->down_payment_fen == offer->price_fen);
    HOLDS(offer->price_fen == persona->price_yuan * YUAN);
    HOLDS(lent_fen <= share(base_fen(persona), 1000000 - down_ppm));
    HOLDS(offer->fund.amount_fen <= share(base_fen(persona), 1000000 - fund_down_ppm));
    HOLDS(offer->fund.amount_fen <= highest_cap_fen(set, sums.contributors));
    HOLDS(offer->fund.amount_fen <= balance_fen);
    HOLDS(pays_within(&offer->fund, share(sums.base_fen, set->fund_pti_ppm) - sums.debts_fen));
    HOLDS(persona->total_yuan == 0 || lent_fen <= persona->total_yuan * YUAN);
    HOLDS(offer->fund.instalment_fen == payment_fen(&offer->fund));
    HOLDS(offer->commercial.amount_fen == 0 || offer->commercial.instalment_fen == payment_fen(&offer->commercial));
    HOLDS(housing_fen <= share(income_fen, set->joint_housing_ppm));
    HOLDS(housing_fen + sums.debts_fen <= share(income_fen, set->joint_debt_ppm));
    HOLDS(offer->fund.term_months <= set->term_months_max_fund);
    HOLDS(offer->commercial.term_months <= set->term_months_max_commercial);
    HOLDS(!set->equal_term || offer->commercial.amount_fen == 0 ||
          offer->commercial.term_months == offer->fund.term_months);
}

static void decide(struct fund_decision *out, const struct rule_set *set, const struct persona *persona)
{
    struct world_case world;
    persona_case(&world, persona, world_now_ms());
    world_decide(out, arena, set, &world, world_now_ms());
}

static void no_limit_is_ever_passed(void **state)
{
    (void)state;
    uint64_t seed = first_seed;
    size_t approved = 0;
    for (int i = 0; i < CASES; i++) {
        const struct rule_set *set = &sets[i % 3];
        struct persona persona = any_case(&seed);
        struct fund_decision decision;
        (void)snprintf(failed, sizeof failed, "case %d by %s", i, set->id);
        decide(&decision, set, &persona);
        HOLDS(decision.has_offer == (decision.verdict == VERDICT_APPROVE));
        if (decision.has_offer) {
            approved++;
            check_limits(set, &persona, &decision.offer);
        }
    }
    HOLDS(approved > CASES / 5);
}

/* -- Monotone ------------------------------------------------------------------------------------------------ */

static int64_t lent_fen(const struct fund_decision *decision)
{
    return decision->has_offer ? decision->offer.fund.amount_fen + decision->offer.commercial.amount_fen : 0;
}

static void more_never_means_less(void **state)
{
    (void)state;
    uint64_t seed = first_seed;
    for (int i = 0; i < WALKS; i++) {
        const struct rule_set *set = &sets[i % 3];
        struct persona persona = any_case(&seed);
        int64_t before_fen = 0;
        persona.income_yuan = 1500;
        for (int step = 0; step < STEPS; step++, persona.income_yuan += world_random_in(&seed, 1, 9000)) {
            struct fund_decision decision;
            (void)snprintf(failed, sizeof failed, "income of walk %d, step %d by %s", i, step, set->id);
            decide(&decision, set, &persona);
            HOLDS(lent_fen(&decision) >= before_fen);
            before_fen = lent_fen(&decision);
        }
        before_fen = 0;
        for (int step = 0; step < STEPS; step++) {
            struct world_case world;
            struct case_facts facts;
            struct quota quota;
            (void)snprintf(failed, sizeof failed, "balance of walk %d, step %d by %s", i, step, set->id);
            persona_case(&world, &persona, world_now_ms());
            facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
            quota_fund(&quota, set, &world.application, &facts, 26000, 240);
            HOLDS(quota.fund_fen >= before_fen);
            before_fen = quota.fund_fen;
            persona.persons[0].balance_yuan += world_random_in(&seed, 0, 20000);
        }
    }
}

/* -- Counter-offers ------------------------------------------------------------------------------------------ */

static struct loan_part any_counter(uint64_t *seed, const struct rule_set *set, const struct loan_part *offered)
{
    struct loan_part part = {
        .amount_fen = world_random_in(seed, 1, offered->amount_fen),
        .rate_ppm = (int32_t)world_random_in(seed, set->commercial_rate_ppm_min, set->commercial_rate_ppm_max),
        .term_months = (int32_t)world_random_in(seed, 12, CL_TERM_MONTHS_MAX),
        .method = (enum cl_repayment)world_random_in(seed, 1, 2),
    };
    part.instalment_fen = payment_fen(&part);
    return part;
}

static void counter_offers_stay_within_every_limit(void **state)
{
    (void)state;
    uint64_t seed = first_seed;
    size_t answered = 0;
    for (int i = 0; i < CASES; i++) {
        const struct rule_set *set = &sets[i % 3];
        struct persona persona = any_case(&seed);
        struct fund_decision decision;
        struct world_case world;
        struct case_facts facts;
        struct offer offer;
        struct counter_change change;
        (void)snprintf(failed, sizeof failed, "counter-offer %d by %s", i, set->id);
        persona_case(&world, &persona, world_now_ms());
        world_decide(&decision, arena, set, &world, world_now_ms());
        if (!decision.has_offer || decision.fund_only) {
            continue;
        }
        facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
        struct loan_part counter = any_counter(&seed, set, &decision.offer.commercial);
        if (cl_failed(offer_counter(&offer, &change, NULL, set, &world.application, &facts, &decision.offer, &counter,
                                    world_now_ms()))) {
            continue;
        }
        answered++;
        bool untouched = change.reason_count == 0;
        HOLDS(!untouched || (offer.commercial.amount_fen == counter.amount_fen &&
                             offer.commercial.term_months == counter.term_months &&
                             offer.commercial.instalment_fen == counter.instalment_fen));
        HOLDS(offer.commercial.amount_fen <= counter.amount_fen);
        HOLDS(offer.commercial.rate_ppm == counter.rate_ppm && offer.commercial.method == counter.method);
        HOLDS(offer.fund.amount_fen <= decision.offer.fund.amount_fen);
        offer.commercial.amount_fen -= offer.commercial.amount_fen % set->round_to_fen; /* a bank may name any fen */
        offer.down_payment_fen = offer.price_fen - offer.fund.amount_fen - offer.commercial.amount_fen;
        offer.commercial.instalment_fen = offer.commercial.amount_fen == 0 ? 0 : payment_fen(&offer.commercial);
        check_limits(set, &persona, &offer);
    }
    HOLDS(answered > CASES / 10);
}

static int set_up(void **state)
{
    (void)state;
    const char *given = getenv("COLOAN_SEED");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    first_seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    (void)printf("COLOAN_SEED=%llu\n", (unsigned long long)first_seed);
    world_rules_of(&sets[0], "REF-NJ-2026-11");
    world_rules_of(&sets[1], "REF-NJ-2026-04");
    world_rules_of(&sets[2], "variants/RELAXED-2026-08");
    return cl_failed(cl_arena_create(&arena, 1024 * 1024));
}

static int tear_down(void **state)
{
    (void)state;
    cl_arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instalments_are_exact),
        cmocka_unit_test(no_limit_is_ever_passed),
        cmocka_unit_test(more_never_means_less),
        cmocka_unit_test(counter_offers_stay_within_every_limit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
