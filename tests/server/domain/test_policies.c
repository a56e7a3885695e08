/* What a policy may set otherwise: the same case under the reference, the set before it, the relaxed one, and sets with
 * one number changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/server/domain/world.h"

static struct rule_set reference, before, relaxed;
static struct cl_arena *arena;

#define CHILD  "990101199603150019"
#define WIFE   "990101199603150027"
#define PARENT "990101196806150031"

static const struct persona plain = {.name = "plain",
                                     .persons = {{.id_number = CHILD, .base_yuan = 18000, .balance_yuan = 62000}},
                                     .price_yuan = 1300000,
                                     .total_yuan = 1040000};

static void decide(struct fund_decision *out, const struct rule_set *set, const struct persona *persona)
{
    struct world_case world;
    persona_case(&world, persona, world_now_ms());
    world_decide(out, arena, set, &world, world_now_ms());
}

static int64_t cap_yuan(const struct rule_set *set, const struct persona *persona)
{
    struct world_case world;
    struct case_facts facts;
    persona_case(&world, persona, world_now_ms());
    facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
    return quota_cap_fen(set, &world.application, &facts) / YUAN;
}

/* -- Two generations ----------------------------------------------------------------------------------------- */

static struct persona with_parent(const struct persona_person *parent, bool couple)
{
    struct persona persona = plain;
    unsigned place = couple ? 2 : 1;
    if (couple) {
        persona.persons[1] = (struct persona_person){.id_number = WIFE, .base_yuan = 10000, .balance_yuan = 50000};
    }
    persona.single = !couple;
    persona.persons[place] = *parent;
    persona.persons[place].id_number = PARENT;
    return persona;
}

static void a_parent_joins(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct persona_person parent;
        enum cl_loan_reason reason; /* CL_LOAN_NONE: approved */
    } rows[] = {
        {"six months", {.base_yuan = 9000, .balance_yuan = 40000, .months = 6}, CL_LOAN_NONE},
        {"five months", {.base_yuan = 9000, .balance_yuan = 40000, .months = 5}, CL_LOAN_CON_MONTHS},
        {"an unsettled loan", {.base_yuan = 9000, .loans_used = 1, .loans_open = 1}, CL_LOAN_HPF_UNSETTLED},
        {"two settled loans are his own", {.base_yuan = 9000, .loans_used = 2}, CL_LOAN_NONE},
        {"a sealed account", {.base_yuan = 9000, .sealed = true}, CL_LOAN_CON_SEALED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct persona persona = with_parent(&rows[i].parent, false);
        struct fund_decision decision;
        decide(&decision, &reference, &persona);
        enum cl_loan_reason heaviest = decision.verdict == VERDICT_APPROVE ? CL_LOAN_NONE : decision.reasons[0].reason;
        if (heaviest != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_loan_reason_code(heaviest));
        }
    }
    struct rule_set set = reference;
    struct fund_decision decision;
    struct persona persona = with_parent(&rows[3].parent, false);
    set.co_borrower_loans_count = true; /* as before there was such a field */
    decide(&decision, &set, &persona);
    assert_true(world_has_reason(&decision, CL_LOAN_HPF_COUNT));
    set = reference;
    set.co_borrowers_allowed = false;
    decide(&decision, &set, &persona);
    assert_int_equal(decision.verdict, VERDICT_REJECT);
    assert_true(world_has_reason(&decision, CL_LOAN_COB_NOT_ALLOWED));
    decide(&decision, &set, &plain); /* alone */
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
}

static void a_parent_raises_the_cap(void **state)
{
    (void)state;
    static const struct persona_person pays = {.base_yuan = 9000, .balance_yuan = 40000};
    static const struct persona_person looks_on = {.base_yuan = 0};
    struct rule_set set = reference;
    struct persona persona = with_parent(&pays, false);
    assert_int_equal(cap_yuan(&reference, &plain), 800000);
    assert_int_equal(cap_yuan(&reference, &persona), 1000000);
    persona.minors = 2;
    assert_int_equal(cap_yuan(&reference, &persona), 1200000);
    persona.stars = 2;
    assert_int_equal(cap_yuan(&reference, &persona), 1440000);
    persona = with_parent(&looks_on, false); /* without an account he adds nothing */
    assert_int_equal(cap_yuan(&reference, &persona), 800000);
    set.co_borrower_cap_fen = 900000 * YUAN;
    set.co_borrower_cap_stacked_fen = 1200000 * YUAN;
    persona = with_parent(&pays, false);
    assert_int_equal(cap_yuan(&set, &persona), 900000);
    persona = with_parent(&pays, true); /* a couple keeps what it has without him */
    assert_int_equal(cap_yuan(&set, &persona), 1000000);
    set.co_borrower_cap_fen = 0; /* any contributor: a household */
    persona = with_parent(&pays, false);
    assert_int_equal(cap_yuan(&set, &persona), 1000000);
}

/* -- Home tiers ---------------------------------------------------------------------------------------------- */

static void a_second_home_may_have_caps_and_payments_of_its_own(void **state)
{
    (void)state;
    struct persona persona = plain;
    struct fund_decision decision;
    persona.homes = 1;
    assert_int_equal(cap_yuan(&reference, &persona), 800000);
    assert_int_equal(cap_yuan(&relaxed, &persona), 700000);
    assert_int_equal(cap_yuan(&relaxed, &plain), 800000);
    persona.minors = 2;
    assert_int_equal(cap_yuan(&relaxed, &persona), 840000);
    persona.stars = 2;
    assert_int_equal(cap_yuan(&relaxed, &persona), 700000 + 1160000 - 800000);
    persona = plain;
    persona.homes = 1;
    persona.total_yuan = 0;
    decide(&decision, &relaxed, &persona);
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
    assert_int_equal(decision.offer.down_payment_fen, 390000 * YUAN); /* 30 % */
    persona.homes = 0;
    decide(&decision, &relaxed, &persona);
    assert_int_equal(decision.offer.down_payment_fen, 195000 * YUAN); /* 15 % */
}

/* -- Versions ------------------------------------------------------------------------------------------------ */

static void the_same_case_before_the_28th_of_august(void **state)
{
    (void)state;
    struct fund_decision now;
    struct fund_decision then;
    struct persona persona = plain;
    decide(&now, &reference, &persona);
    decide(&then, &before, &persona);
    assert_true(now.offer.interest_subsidy);
    assert_false(then.offer.interest_subsidy);
    assert_int_equal(then.offer.fund.amount_fen, now.offer.fund.amount_fen);

    /* Debts of 1,178.95: 4,221.05 and these are 60.00 % of 9,000; of which 55 % are 4,950. */
    persona.income_yuan = 9000;
    persona.persons[0].debts_yuan = 1178;
    decide(&now, &reference, &persona);
    decide(&then, &before, &persona);
    assert_int_equal(now.offer.commercial.amount_fen, 240000 * YUAN);
    assert_true(then.offer.commercial.amount_fen < 240000 * YUAN);
    assert_true(world_has_reason(&then, CL_LOAN_JNT_CUT));
}

static void settled_loans_count_or_not(void **state)
{
    (void)state;
    struct fund_decision decision;
    struct persona persona = plain;
    persona.persons[0].loans_used = 2;
    decide(&decision, &reference, &persona);
    assert_int_equal(decision.verdict, VERDICT_REJECT);
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_HPF_COUNT);
    decide(&decision, &relaxed, &persona);
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
    assert_int_equal(decision.offer.fund.rate_ppm, 30750); /* still not a first loan */
    persona.persons[0].loans_open = 1;
    decide(&decision, &relaxed, &persona);
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_HPF_UNSETTLED);
}

static void presale_homes_are_told_of_the_hold(void **state)
{
    (void)state;
    struct world_case world;
    struct fund_decision decision;
    persona_case(&world, &plain, world_now_ms());
    world.application.home.presale = true;
    persona_results(&world, &plain, world_now_ms());
    world_decide(&decision, arena, &reference, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
    assert_true(world_has_reason(&decision, CL_LOAN_HSE_PRESALE));
    world_decide(&decision, arena, &before, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
    assert_false(world_has_reason(&decision, CL_LOAN_HSE_PRESALE));
    world.application.home.presale = false;
    world_decide(&decision, arena, &reference, &world, world_now_ms());
    assert_false(world_has_reason(&decision, CL_LOAN_HSE_PRESALE));
}

static void another_centres_contributors_may_borrow_or_not(void **state)
{
    (void)state;
    struct world_case world;
    struct fund_decision decision;
    persona_case(&world, &plain, world_now_ms());
    world.application.persons[0].contribution_centre = "320100000000000";
    persona_results(&world, &plain, world_now_ms());
    world_decide(&decision, arena, &reference, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
    world_decide(&decision, arena, &before, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_REJECT);
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_CON_ELSEWHERE);
    decide(&decision, &before, &plain);
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
}

static int set_up(void **state)
{
    (void)state;
    world_rules_of(&reference, "REF-NJ-2026-11");
    world_rules_of(&before, "REF-NJ-2026-04");
    world_rules_of(&relaxed, "variants/RELAXED-2026-08");
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
        cmocka_unit_test(a_parent_joins),
        cmocka_unit_test(a_parent_raises_the_cap),
        cmocka_unit_test(a_second_home_may_have_caps_and_payments_of_its_own),
        cmocka_unit_test(the_same_case_before_the_28th_of_august),
        cmocka_unit_test(settled_loans_count_or_not),
        cmocka_unit_test(presale_homes_are_told_of_the_hold),
        cmocka_unit_test(another_centres_contributors_may_borrow_or_not),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
