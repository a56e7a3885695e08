/* Decisions: the personas to the fen, every rule with its edge, answers that are no yes, the trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/date.h"
#include "libcoloan/sha256.h"
#include "server/domain/rule_titles.h"
#include "tests/server/domain/world.h"

static struct rule_set rules;
static struct cl_arena *arena;

static int set_up(void **state)
{
    (void)state;
    world_rules(&rules);
    return cl_failed(cl_arena_create(&arena, 1024 * 1024));
}

static int tear_down(void **state)
{
    (void)state;
    cl_arena_free(arena);
    return 0;
}

#define MAN         "990101199603150019" /* 1996-03-15, 30 years old */
#define WOMAN       "990101199603150027"
#define HUSBAND     "990101199006010018" /* 1990-06-01 */
#define WIFE        "990101199107040021" /* 1991-07-04 */
#define MAN_OF_1968 "990101196806150031"

/* -- Personas ------------------------------------------------------------------------------------------------ */

struct expected {
    enum fund_verdict verdict;
    enum cl_loan_reason reasons[4]; /* all that are given, heaviest first; the rest is CL_LOAN_NONE */
    enum cl_loan_reason binding;
    int64_t fund_yuan;
    int64_t commercial_yuan;
    int64_t down_yuan;
    int32_t fund_rate_ppm;
    int32_t commercial_rate_ppm;
    int32_t term_months;
    int64_t fund_instalment_fen;
    int64_t commercial_instalment_fen;
    int32_t housing_share_bp; /* both instalments of income, in 0.01 %, half up */
    bool subsidy;
};

/* With a rejection only verdict, reasons and the binding limit count. */
static const struct {
    struct persona persona;
    bool relaxed_count; /* settled fund loans do not count */
    struct expected expected;
} personas[] = {
    {{.name = "P01 single, first home",
      .persons = {{.id_number = MAN, .base_yuan = 18000, .balance_yuan = 62000}},
      .price_yuan = 1300000},
     false,
     {VERDICT_APPROVE,
      {CL_LOAN_AMT_CAP, CL_LOAN_SUB_INTEREST},
      CL_LOAN_AMT_CAP,
      800000,
      240000,
      260000,
      26000,
      30500,
      360,
      320272,
      101833,
      2345,
      true}},
    {{.name = "P02 couple, both pay",
      .persons = {{.id_number = HUSBAND, .base_yuan = 20000, .balance_yuan = 105000},
                  {.id_number = WIFE, .base_yuan = 14000, .balance_yuan = 80000}},
      .price_yuan = 2600000},
     false,
     {VERDICT_APPROVE,
      {CL_LOAN_AMT_CAP},
      CL_LOAN_AMT_CAP,
      1000000,
      1080000,
      520000,
      26000,
      30500,
      360,
      400340,
      458250,
      2525,
      false}},
    {{.name = "P03 low balance",
      .persons = {{.id_number = MAN, .base_yuan = 18000, .balance_yuan = 21000}},
      .price_yuan = 1300000},
     false,
     {VERDICT_APPROVE,
      {CL_LOAN_AMT_BAL, CL_LOAN_SUB_INTEREST},
      CL_LOAN_AMT_BAL,
      420000,
      620000,
      260000,
      26000,
      30500,
      360,
      168143,
      263069,
      2396,
      true}},
    {{.name = "P04 low income, takes the fund part alone",
      .persons = {{.id_number = MAN, .base_yuan = 4000, .balance_yuan = 60000}},
      .price_yuan = 1000000,
      .fund_only = true},
     false,
     {VERDICT_APPROVE,
      {CL_LOAN_AMT_PTI, CL_LOAN_JNT_FUND_ONLY},
      CL_LOAN_AMT_PTI,
      499000,
      0,
      501000,
      26000,
      0,
      360,
      199770,
      0,
      4994,
      false}},
    {{.name = "P04 low income, wants both parts",
      .persons = {{.id_number = MAN, .base_yuan = 4000, .balance_yuan = 60000}},
      .price_yuan = 1000000},
     false,
     {.verdict = VERDICT_REJECT, .reasons = {CL_LOAN_JNT_HOUSING, CL_LOAN_JNT_DEBT}, .binding = CL_LOAN_AMT_PTI}},
    {{.name = "P05 five continuous months",
      .persons = {{.id_number = MAN, .months = 5, .base_yuan = 18000, .balance_yuan = 62000}},
      .price_yuan = 1300000},
     false,
     {.verdict = VERDICT_REJECT, .reasons = {CL_LOAN_CON_MONTHS}, .binding = CL_LOAN_AMT_CAP}},
    {{.name = "P06 born 1968 asks for 30 years",
      .persons = {{.id_number = MAN_OF_1968, .base_yuan = 30000, .balance_yuan = 100000}},
      .price_yuan = 1200000},
     false,
     {VERDICT_APPROVE,
      {CL_LOAN_AGE_TERM, CL_LOAN_AMT_CAP, CL_LOAN_SUB_INTEREST},
      CL_LOAN_AMT_CAP,
      800000,
      160000,
      240000,
      26000,
      30500,
      84,
      1042704,
      211774,
      4182,
      true}},
    {{.name = "P07 couple, second home, first fund loan settled",
      .persons = {{.id_number = HUSBAND, .base_yuan = 20000, .balance_yuan = 90000, .loans_used = 1},
                  {.id_number = WIFE, .base_yuan = 16000, .balance_yuan = 60000, .loans_used = 1}},
      .price_yuan = 2000000,
      .homes = 1},
     false,
     {VERDICT_APPROVE,
      {CL_LOAN_AMT_CAP},
      CL_LOAN_AMT_CAP,
      1000000,
      600000,
      400000,
      30750,
      34500,
      360,
      425660,
      267755,
      1926,
      false}},
    {{.name = "P08 spouse has an unsettled fund loan elsewhere",
      .persons = {{.id_number = HUSBAND, .base_yuan = 20000, .balance_yuan = 90000},
                  {.id_number = WIFE, .base_yuan = 16000, .balance_yuan = 60000, .loans_used = 1, .loans_open = 1}},
      .price_yuan = 2000000},
     false,
     {.verdict = VERDICT_REJECT, .reasons = {CL_LOAN_HPF_UNSETTLED}, .binding = CL_LOAN_AMT_CAP}},
    {{.name = "P09 two settled fund loans",
      .persons = {{.id_number = MAN, .base_yuan = 18000, .balance_yuan = 62000, .loans_used = 2}},
      .price_yuan = 1300000},
     false,
     {.verdict = VERDICT_REJECT, .reasons = {CL_LOAN_HPF_COUNT}, .binding = CL_LOAN_AMT_CAP}},
    {{.name = "P09 two settled fund loans, which do not count",
      .persons = {{.id_number = MAN, .base_yuan = 18000, .balance_yuan = 62000, .loans_used = 2}},
      .price_yuan = 1300000},
     true,
     {VERDICT_APPROVE,
      {CL_LOAN_AMT_CAP, CL_LOAN_SUB_INTEREST},
      CL_LOAN_AMT_CAP,
      800000,
      240000,
      260000,
      30750,
      30500,
      360,
      340528,
      101833,
      2458,
      true}},
    {{.name = "P10 spouse three months overdue in a row",
      .persons = {{.id_number = HUSBAND, .base_yuan = 20000, .balance_yuan = 90000},
                  {.id_number = WIFE,
                   .base_yuan = 16000,
                   .balance_yuan = 60000,
                   .overdue_consecutive = 3,
                   .overdue_total = 3}},
      .price_yuan = 2000000},
     false,
     {.verdict = VERDICT_REJECT, .reasons = {CL_LOAN_CRD_3_6}, .binding = CL_LOAN_AMT_CAP}},
    {{.name = "P11 two minors and a green building",
      .persons = {{.id_number = HUSBAND, .base_yuan = 40000, .balance_yuan = 150000},
                  {.id_number = WIFE, .base_yuan = 32400, .balance_yuan = 110000}},
      .price_yuan = 3000000,
      .area_m2 = 143,
      .minors = 2,
      .stars = 2},
     false,
     {VERDICT_APPROVE,
      {CL_LOAN_AMT_CAP},
      CL_LOAN_AMT_CAP,
      1440000,
      960000,
      600000,
      26000,
      30500,
      360,
      576489,
      407333,
      1359,
      false}},
    {{.name = "P12 declares single, registered as married",
      .persons = {{.id_number = MAN, .registered = MARITAL_MARRIED, .base_yuan = 18000, .balance_yuan = 62000}},
      .price_yuan = 1300000},
     false,
     {.verdict = VERDICT_SUPPLEMENT, .reasons = {CL_LOAN_MAR_CONTRADICT}, .binding = CL_LOAN_AMT_CAP}},
};

static void expect_reasons(const struct fund_decision *decision, const struct expected *expected, const char *name)
{
    for (size_t i = 0; i < 4; i++) {
        enum cl_loan_reason got = i < decision->reason_count ? decision->reasons[i].reason : CL_LOAN_NONE;
        if (got != expected->reasons[i]) {
            fail_msg("%s: reason %zu is %s, not %s", name, i, cl_loan_reason_code(got),
                     cl_loan_reason_code(expected->reasons[i]));
        }
    }
}

static void expect_offer(const struct fund_decision *decision, const struct expected *expected,
                         const struct persona *persona)
{
    const struct offer *offer = &decision->offer;
    int64_t housing_fen = expected->fund_instalment_fen + expected->commercial_instalment_fen;
    int64_t income_fen = 0;
    for (size_t i = 0; i < CL_PERSONS_MAX; i++) {
        income_fen += persona->persons[i].base_yuan * YUAN;
    }
    assert_int_equal(offer->fund.amount_fen, expected->fund_yuan * YUAN);
    assert_int_equal(offer->fund.rate_ppm, expected->fund_rate_ppm);
    assert_int_equal(offer->fund.term_months, expected->term_months);
    assert_int_equal(offer->fund.instalment_fen, expected->fund_instalment_fen);
    assert_int_equal(offer->commercial.amount_fen, expected->commercial_yuan * YUAN);
    assert_int_equal(offer->commercial.rate_ppm, expected->commercial_rate_ppm);
    assert_int_equal(offer->commercial.term_months, expected->commercial_yuan > 0 ? expected->term_months : 0);
    assert_int_equal(offer->commercial.instalment_fen, expected->commercial_instalment_fen);
    assert_int_equal(offer->down_payment_fen, expected->down_yuan * YUAN);
    assert_int_equal(offer->price_fen, persona->price_yuan * YUAN);
    assert_int_equal(offer->interest_subsidy, expected->subsidy);
    assert_int_equal(decision->fund_only, expected->commercial_yuan == 0);
    assert_int_equal(decision->joint.housing_fen, housing_fen);
    assert_int_equal((housing_fen * 20000 + income_fen) / (2 * income_fen), expected->housing_share_bp);
}

static void the_personas_come_out_as_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof personas / sizeof personas[0]; i++) {
        struct rule_set own = rules;
        struct world_case world;
        struct fund_decision decision;
        const struct expected *expected = &personas[i].expected;
        const char *name = personas[i].persona.name;
        own.fund_count_settled = !personas[i].relaxed_count;
        persona_case(&world, &personas[i].persona, world_now_ms());
        world_decide(&decision, arena, &own, &world, world_now_ms());
        assert_int_equal(decision.verdict, expected->verdict);
        expect_reasons(&decision, expected, name);
        assert_int_equal(decision.binding_limit, expected->binding);
        assert_int_equal(decision.has_offer, expected->verdict == VERDICT_APPROVE);
        if (decision.has_offer) {
            expect_offer(&decision, expected, &personas[i].persona);
            assert_int_equal(decision.offer.valid_until_ms, cl_date_to_ms(20270222) - 1); /* 90 days after its day */
        }
    }
}

static void a_reason_names_its_person(void **state)
{
    (void)state;
    struct world_case world;
    struct fund_decision decision;
    struct persona persona = personas[8].persona; /* P08 */
    persona.persons[0].sealed = true;
    persona_case(&world, &persona, world_now_ms());
    world_decide(&decision, arena, &rules, &world, world_now_ms());
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_CON_SEALED);
    assert_int_equal(decision.reasons[0].person, 1);
    assert_int_equal(decision.reasons[1].reason, CL_LOAN_HPF_UNSETTLED);
    assert_int_equal(decision.reasons[1].person, 2);
    assert_int_equal(decision.reason_count, 2);
}

/* -- Edges --------------------------------------------------------------------------------------------------- */

/* A change to the plain case and what it leads to: each refused one stands beside the last accepted one. */
static const struct persona plain = {
    .name = "plain", .persons = {{.id_number = MAN, .base_yuan = 18000, .balance_yuan = 62000}}, .price_yuan = 1300000};

static void decide_persona(struct fund_decision *decision, const struct persona *persona)
{
    struct world_case world;
    persona_case(&world, persona, world_now_ms());
    world_decide(decision, arena, &rules, &world, world_now_ms());
}

static void rules_on_facts_have_edges(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct persona_person person; /* added to the plain case's borrower */
        int32_t homes;
        enum cl_loan_reason reason; /* CL_LOAN_NONE: approved */
    } rows[] = {
        {"6 months", {.months = 6}, 0, CL_LOAN_NONE},
        {"5 months", {.months = 5}, 0, CL_LOAN_CON_MONTHS},
        {"no month", {.months = -1}, 0, CL_LOAN_CON_MONTHS},
        {"sealed", {.sealed = true}, 0, CL_LOAN_CON_SEALED},
        {"ban ended yesterday", {.banned_until = 20261122}, 0, CL_LOAN_NONE},
        {"ban ends today", {.banned_until = 20261123}, 0, CL_LOAN_FRD_BAN},
        {"ban ends in five years", {.banned_until = 20311123}, 0, CL_LOAN_FRD_BAN},
        {"one loan used", {.loans_used = 1}, 0, CL_LOAN_NONE},
        {"two loans used", {.loans_used = 2}, 0, CL_LOAN_HPF_COUNT},
        {"one loan open", {.loans_used = 1, .loans_open = 1}, 0, CL_LOAN_HPF_UNSETTLED},
        {"overdue now", {.overdue_now = true}, 0, CL_LOAN_CRD_NOW},
        {"2 in a row, 5 in all", {.overdue_consecutive = 2, .overdue_total = 5}, 0, CL_LOAN_NONE},
        {"3 in a row", {.overdue_consecutive = 3, .overdue_total = 3}, 0, CL_LOAN_CRD_3_6},
        {"6 in all", {.overdue_consecutive = 1, .overdue_total = 6}, 0, CL_LOAN_CRD_3_6},
        {"1 mortgage", {.mortgages_open = 1}, 0, CL_LOAN_NONE},
        {"2 mortgages", {.mortgages_open = 2}, 0, CL_LOAN_CRD_MORTGAGES},
        {"1 home", {.months = 0}, 1, CL_LOAN_NONE},
        {"2 homes", {.months = 0}, 2, CL_LOAN_HSE_COUNT},
        {"registered divorced", {.registered = MARITAL_DIVORCED}, 0, CL_LOAN_NONE},
        {"registered married", {.registered = MARITAL_MARRIED}, 0, CL_LOAN_MAR_CONTRADICT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct persona persona = plain;
        struct fund_decision decision;
        persona.persons[0] = rows[i].person;
        persona.persons[0].id_number = MAN;
        persona.persons[0].base_yuan = 18000;
        persona.persons[0].balance_yuan = 62000;
        persona.homes = rows[i].homes;
        decide_persona(&decision, &persona);
        bool approved = decision.verdict == VERDICT_APPROVE;
        if (approved != (rows[i].reason == CL_LOAN_NONE)) {
            fail_msg("%s", rows[i].name);
        }
        if (!approved && decision.reasons[0].reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_loan_reason_code(decision.reasons[0].reason));
        }
    }
}

static void the_borrower_is_of_age_on_the_day(void **state)
{
    (void)state;
    static const struct {
        const char *id_number;
        bool of_age;
    } rows[] = {
        {"990101200811230019", true},  /* eighteen today */
        {"990101200811240014", false}, /* tomorrow */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct persona persona = plain;
        struct fund_decision decision;
        persona.persons[0].id_number = rows[i].id_number;
        decide_persona(&decision, &persona);
        assert_int_equal(world_has_reason(&decision, CL_LOAN_AGE_MINOR), !rows[i].of_age);
        assert_int_equal(decision.verdict, rows[i].of_age ? VERDICT_APPROVE : VERDICT_REJECT);
    }
}

static void too_old_for_any_term(void **state)
{
    (void)state;
    struct persona persona = plain;
    struct fund_decision decision;
    persona.persons[0].id_number = "990101196002290012"; /* 66 years: 60 and five are behind */
    decide_persona(&decision, &persona);
    assert_int_equal(decision.verdict, VERDICT_REJECT);
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_AGE_LIMIT);
    assert_int_equal(decision.reasons[0].person, 1);
    assert_int_equal(decision.binding_limit, CL_LOAN_NONE);
    assert_false(decision.has_offer);
}

static void a_second_hand_home_needs_an_appraisal(void **state)
{
    (void)state;
    struct persona persona = plain;
    struct fund_decision decision;
    persona.kind = HOME_SECOND_HAND;
    persona.price_yuan = 1000000;
    persona.appraisal_yuan = 900000;
    decide_persona(&decision, &persona);
    assert_int_equal(decision.verdict, VERDICT_APPROVE); /* the lower value counts, the higher price is paid */
    assert_int_equal(decision.binding_limit, CL_LOAN_AMT_LTV);
    assert_int_equal(decision.offer.fund.amount_fen, 720000 * YUAN);
    assert_int_equal(decision.offer.down_payment_fen, 280000 * YUAN);
    persona.appraisal_yuan = 0;
    decide_persona(&decision, &persona);
    assert_int_equal(decision.verdict, VERDICT_SUPPLEMENT);
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_HSE_APPRAISAL);
}

static void the_filed_contract_has_the_declared_numbers(void **state)
{
    (void)state;
    struct world_case world;
    struct fund_decision decision;
    persona_case(&world, &plain, world_now_ms());
    world_result(&world, ITEM_HOME_CONTRACT, 0)->facts[0].number += 1;
    world_decide(&decision, arena, &rules, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_SUPPLEMENT);
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_HSE_PRICE);
    world_result(&world, ITEM_HOME_CONTRACT, 0)->facts[0].number -= 1;
    world_result(&world, ITEM_HOME_CONTRACT, 0)->facts[1].number -= 1;
    world_decide(&decision, arena, &rules, &world, world_now_ms());
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_HSE_PRICE);
}

/* -- Answers that are no yes --------------------------------------------------------------------------------- */

/* Every item of a case, and every way not to pass: never an approval, but for what is not the centre's to judge (the
 * bank's own credit query) or only gives an uplift (which is then not given). */
/* Covers: COL-VER-007, COL-VER-008 */
static void nothing_but_a_yes_passes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum item_outcome outcome;
        enum failure_kind failure;
    } ways[] = {
        {"open", ITEM_OPEN, FAILURE_NONE},
        {"fail", ITEM_FAIL, FAILURE_NONE},
        {"mismatch", ITEM_FAIL, FAILURE_MISMATCH},
        {"no record", ITEM_FAIL, FAILURE_NO_RECORD},
        {"not authorised", ITEM_FAIL, FAILURE_NOT_AUTHORISED},
        {"ambiguous", ITEM_FAIL, FAILURE_AMBIGUOUS},
        {"manual", ITEM_MANUAL, FAILURE_NONE},
        {"manual after no record", ITEM_MANUAL, FAILURE_NO_RECORD},
        {"timeout", ITEM_MANUAL, FAILURE_TIMEOUT},
        {"unreachable", ITEM_FAIL, FAILURE_UNREACHABLE},
        {"bad signature", ITEM_MANUAL, FAILURE_BAD_SIGNATURE},
        {"pass with a failure", ITEM_PASS, FAILURE_STALE},
    };
    struct world_case right;
    persona_case(&right, &personas[12].persona, world_now_ms()); /* P11: a couple has every item */
    for (size_t item = 0; item < right.result_count; item++) {
        for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
            struct world_case world = right;
            struct fund_decision decision;
            struct item_result *result = &world.results[item];
            enum item kind = result->key.item;
            result->outcome = ways[way].outcome;
            result->failure = ways[way].failure;
            world_decide(&decision, arena, &rules, &world, world_now_ms());
            bool banks_own = kind == ITEM_CREDIT_BANK && ways[way].outcome != ITEM_OPEN;
            bool uplift_item = kind == ITEM_CHILDREN || kind == ITEM_GREEN_BUILDING;
            bool no_uplift = uplift_item && ways[way].outcome == ITEM_FAIL &&
                             (ways[way].failure <= FAILURE_MISMATCH && ways[way].failure != FAILURE_NOT_AUTHORISED);
            bool approved = decision.verdict == VERDICT_APPROVE;
            if (approved != (banks_own || no_uplift)) {
                fail_msg("%s %s: %d", catalogue_row(kind)->name, ways[way].name, (int)decision.verdict);
            }
            if (no_uplift) {
                assert_int_equal(decision.offer.fund.amount_fen, 1200000 * YUAN); /* the other group's uplift stays */
            }
            if (banks_own) {
                assert_true(world_has_reason(&decision, CL_LOAN_CRD_BANK));
            }
        }
    }
}

/* Covers: COL-VER-009 */
static void what_each_answer_leads_to(void **state)
{
    (void)state;
    static const struct {
        enum item item;
        enum item_outcome outcome;
        enum failure_kind failure;
        enum fund_verdict verdict;
        enum cl_loan_reason reason;
    } rows[] = {
        {ITEM_IDENTITY, ITEM_FAIL, FAILURE_MISMATCH, VERDICT_REJECT, CL_LOAN_ID_MISMATCH},
        {ITEM_IDENTITY, ITEM_FAIL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_ID_RECORD},
        {ITEM_IDENTITY, ITEM_MANUAL, FAILURE_TIMEOUT, VERDICT_MANUAL, CL_LOAN_SYS_SOURCE},
        {ITEM_IDENTITY, ITEM_FAIL, FAILURE_NOT_AUTHORISED, VERDICT_SUPPLEMENT, CL_LOAN_AUT_CONSENT},
        {ITEM_MARRIAGE, ITEM_FAIL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_MAR_RECORD},
        {ITEM_CONTRIBUTION, ITEM_FAIL, FAILURE_NO_RECORD, VERDICT_REJECT, CL_LOAN_CON_RECORD},
        {ITEM_CONTRIBUTION, ITEM_MANUAL, FAILURE_UNREACHABLE, VERDICT_MANUAL, CL_LOAN_SYS_SOURCE},
        {ITEM_LOAN_HISTORY, ITEM_FAIL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_HPF_RECORD},
        {ITEM_FRAUD_LIST, ITEM_FAIL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_FRD_RECORD},
        {ITEM_CREDIT_FUND, ITEM_MANUAL, FAILURE_NONE, VERDICT_MANUAL, CL_LOAN_CRD_RECORD},
        {ITEM_HOME_COUNT, ITEM_FAIL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_HSE_COUNT_RECORD},
        {ITEM_HOME_CONTRACT, ITEM_FAIL, FAILURE_NO_RECORD, VERDICT_SUPPLEMENT, CL_LOAN_HSE_CONTRACT},
        {ITEM_HOME_CONTRACT, ITEM_FAIL, FAILURE_MISMATCH, VERDICT_SUPPLEMENT, CL_LOAN_HSE_CONTRACT},
        {ITEM_INCOME, ITEM_FAIL, FAILURE_NONE, VERDICT_SUPPLEMENT, CL_LOAN_INC_UNVERIFIED},
        {ITEM_CONSENT, ITEM_FAIL, FAILURE_NOT_AUTHORISED, VERDICT_SUPPLEMENT, CL_LOAN_AUT_CONSENT},
        {ITEM_CHILDREN, ITEM_MANUAL, FAILURE_NONE, VERDICT_MANUAL, CL_LOAN_SYS_SOURCE},
        {ITEM_RETIREMENT, ITEM_FAIL, FAILURE_NONE, VERDICT_MANUAL, CL_LOAN_AGE_RECORD},
        {ITEM_INCOME, ITEM_OPEN, FAILURE_NONE, VERDICT_MANUAL, CL_LOAN_SYS_OPEN},
        {ITEM_CREDIT_BANK, ITEM_FAIL, FAILURE_NONE, VERDICT_APPROVE, CL_LOAN_CRD_BANK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct fund_decision decision;
        persona_case(&world, &plain, world_now_ms());
        struct item_result *result = world_result(&world, rows[i].item, 0);
        result->outcome = rows[i].outcome;
        result->failure = rows[i].failure;
        world_decide(&decision, arena, &rules, &world, world_now_ms());
        if (decision.verdict != rows[i].verdict || decision.reasons[0].reason != rows[i].reason) {
            fail_msg("row %zu: %d %s", i, (int)decision.verdict, cl_loan_reason_code(decision.reasons[0].reason));
        }
    }
}

static void the_heaviest_reason_decides(void **state)
{
    (void)state;
    struct world_case world;
    struct fund_decision decision;
    persona_case(&world, &plain, world_now_ms());
    struct item_result *income = world_result(&world, ITEM_INCOME, 0);
    struct item_result *fraud = world_result(&world, ITEM_FRAUD_LIST, 0);
    struct item_result *identity = world_result(&world, ITEM_IDENTITY, 0);
    income->outcome = ITEM_FAIL;
    world_decide(&decision, arena, &rules, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_SUPPLEMENT);
    fraud->outcome = ITEM_MANUAL;
    world_decide(&decision, arena, &rules, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_MANUAL);
    identity->outcome = ITEM_FAIL;
    world_decide(&decision, arena, &rules, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_REJECT);
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_ID_MISMATCH);
    assert_int_equal(decision.reasons[1].reason, CL_LOAN_FRD_RECORD);
    assert_int_equal(decision.reasons[2].reason, CL_LOAN_INC_UNVERIFIED);
}

/* -- Trace --------------------------------------------------------------------------------------------------- */

/* Covers: COL-DEC-001 */
static void the_trace_explains_every_limit(void **state)
{
    (void)state;
    struct fund_decision decision;
    decide_persona(&decision, &personas[2].persona); /* P03 */
    static const struct {
        const char *rule;
        enum rule_outcome outcome;
        enum cl_loan_reason reason;
        int64_t limit_fen;
        bool binding;
    } rows[] = {
        {"fund.cap", RULE_LIMIT, CL_LOAN_AMT_CAP, 80000000, false},
        {"fund.price_ratio", RULE_LIMIT, CL_LOAN_AMT_LTV, 104000000, false},
        {"fund.balance_multiple", RULE_LIMIT, CL_LOAN_AMT_BAL, 42000000, true},
        {"fund.repayment_capacity", RULE_LIMIT, CL_LOAN_AMT_PTI, 224809074, false},
        {"fund.request", RULE_PASS, CL_LOAN_NONE, 0, false},
        {"joint.housing", RULE_PASS, CL_LOAN_NONE, 900000, false},
        {"joint.debts", RULE_PASS, CL_LOAN_NONE, 1080000, false},
        {"joint.remedy", RULE_PASS, CL_LOAN_NONE, 0, false},
        {"contribution.months", RULE_PASS, CL_LOAN_NONE, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct decision_step *step = world_step(&decision, rows[i].rule);
        assert_int_equal(step->outcome, rows[i].outcome);
        assert_int_equal(step->reason, rows[i].reason);
        assert_int_equal(step->limit_fen, rows[i].limit_fen);
        assert_int_equal(step->binding, rows[i].binding);
    }
}

/* The form of the inputs is a promise to whoever recomputes a decision. */
static void the_inputs_have_their_published_form(void **state)
{
    (void)state;
    struct fund_decision decision;
    struct cl_digest digest;
    decide_persona(&decision, &personas[2].persona);
    cl_sha256(&digest, cl_bytes_text("coloan inputs v1\nrule=fund.balance_multiple\nperson=0\n"
                                     "balance_fen=2100000\nmultiple=20\nfloor_fen=0\n"));
    assert_true(cl_digest_equal(&digest, &world_step(&decision, "fund.balance_multiple")->inputs_digest));
    cl_sha256(&digest, cl_bytes_text("coloan inputs v1\nrule=contribution.months\nperson=1\n"
                                     "answer=2\nmonths=60\nmonths_min=6\n"));
    assert_true(cl_digest_equal(&digest, &world_step(&decision, "contribution.months")->inputs_digest));
}

static void every_rule_is_traced_even_after_a_refusal(void **state)
{
    (void)state;
    struct fund_decision approved;
    struct fund_decision rejected;
    struct world_case world;
    persona_case(&world, &plain, world_now_ms());
    world_decide(&approved, arena, &rules, &world, world_now_ms());
    size_t step_count = approved.step_count;
    world_result(&world, ITEM_IDENTITY, 0)->outcome = ITEM_FAIL;
    world_decide(&rejected, arena, &rules, &world, world_now_ms());
    assert_int_equal(rejected.verdict, VERDICT_REJECT);
    assert_int_equal(rejected.step_count, step_count);
    assert_int_equal(world_step(&rejected, "identity.match")->outcome, RULE_REFUSE);
    assert_int_equal(world_step(&rejected, "fund.cap")->limit_fen, 80000000);
}

/* Covers: COL-DEC-002 */
static void the_same_case_gives_the_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof personas / sizeof personas[0]; i++) {
        struct fund_decision first;
        struct fund_decision second;
        struct decision_step steps[CL_TRACE_STEPS_MAX];
        decide_persona(&first, &personas[i].persona);
        memcpy(steps, first.steps, first.step_count * sizeof steps[0]);
        decide_persona(&second, &personas[i].persona);
        assert_int_equal(first.step_count, second.step_count);
        for (size_t j = 0; j < first.step_count; j++) { /* people have a name for each */
            assert_non_null(rule_title_find(steps[j].rule));
        }
        assert_memory_equal(steps, second.steps, second.step_count * sizeof steps[0]);
        assert_memory_equal(first.reasons, second.reasons, sizeof first.reasons);
        assert_memory_equal(&first.offer, &second.offer, sizeof first.offer);
    }
}

/* Four contributing persons with everything wrong: the trace and the list of reasons are as long as they can be. */
static void the_largest_case_fits(void **state)
{
    (void)state;
    struct persona persona = {.name = "largest", .price_yuan = 1300000, .homes = 2};
    static const char *const ids[] = {MAN_OF_1968, WIFE, HUSBAND, WOMAN};
    for (size_t i = 0; i < CL_PERSONS_MAX; i++) {
        persona.persons[i] = (struct persona_person){.id_number = ids[i],
                                                     .registered = MARITAL_SINGLE,
                                                     .months = 1,
                                                     .base_yuan = 1000,
                                                     .balance_yuan = 10000,
                                                     .sealed = true,
                                                     .loans_used = 3,
                                                     .loans_open = 1,
                                                     .banned_until = 20301231,
                                                     .overdue_now = true,
                                                     .overdue_consecutive = 9,
                                                     .overdue_total = 9,
                                                     .mortgages_open = 9};
    }
    struct fund_decision decision;
    decide_persona(&decision, &persona);
    assert_int_equal(decision.verdict, VERDICT_REJECT);
    assert_int_equal(decision.reason_count, CL_REASONS_MAX);
    assert_in_range(decision.step_count, 40, CL_TRACE_STEPS_MAX);
    for (size_t i = 0; i < decision.reason_count; i++) {
        assert_int_equal(cl_loan_reason_severity(decision.reasons[i].reason), CL_SEVERITY_REJECT);
    }
}

static void without_memory_nothing_is_decided(void **state)
{
    (void)state;
    struct cl_arena *small = NULL;
    struct world_case world;
    struct case_facts facts;
    struct fund_decision decision = {.reason_count = 7};
    assert_true(cl_is_ok(cl_arena_create(&small, 64)));
    persona_case(&world, &plain, world_now_ms());
    facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
    assert_int_equal(decide_fund(&decision, small, &rules, &world.application, &facts, world_now_ms()).reason,
                     CL_MEMORY_LIMIT);
    assert_int_equal(decision.reason_count, 7);
    cl_arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_personas_come_out_as_expected),
        cmocka_unit_test(a_reason_names_its_person),
        cmocka_unit_test(rules_on_facts_have_edges),
        cmocka_unit_test(the_borrower_is_of_age_on_the_day),
        cmocka_unit_test(too_old_for_any_term),
        cmocka_unit_test(a_second_hand_home_needs_an_appraisal),
        cmocka_unit_test(the_filed_contract_has_the_declared_numbers),
        cmocka_unit_test(nothing_but_a_yes_passes),
        cmocka_unit_test(what_each_answer_leads_to),
        cmocka_unit_test(the_heaviest_reason_decides),
        cmocka_unit_test(the_trace_explains_every_limit),
        cmocka_unit_test(the_inputs_have_their_published_form),
        cmocka_unit_test(every_rule_is_traced_even_after_a_refusal),
        cmocka_unit_test(the_same_case_gives_the_same_bytes),
        cmocka_unit_test(the_largest_case_fits),
        cmocka_unit_test(without_memory_nothing_is_decided),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
