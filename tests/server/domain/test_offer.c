/* Both parts: rate tiers, ratios to the fen, the remedies in their order, counter-offers; and what holds for every
 * case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/date.h"
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

#define BORROWER    "990101199603150019"
#define MAN_OF_1968 "990101196806150031"

static const struct persona plain = {.name = "plain",
                                     .persons = {{.id_number = BORROWER, .base_yuan = 18000, .balance_yuan = 62000}},
                                     .price_yuan = 1300000};

struct made {
    struct world_case world;
    struct case_facts facts;
    struct split split;
};

static void make(struct made *out, const struct rule_set *set, const struct persona *persona, int64_t income_fen)
{
    struct term_limits limits;
    persona_case(&out->world, persona, world_now_ms());
    world_result(&out->world, ITEM_INCOME, 0)->facts[0].number = income_fen;
    facts_read(&out->facts, &out->world.application, out->world.results, out->world.result_count, world_now_ms());
    term_limits_for(&limits, set, &out->world.application, &out->facts, 20261123);
    split_loan(&out->split, set, &out->world.application, &out->facts, &limits, world_now_ms());
}

/* -- Rates ---------------------------------------------------------------------------------------------------- */

static void rates_follow_term_loans_and_homes(void **state)
{
    (void)state;
    static const struct {
        int32_t term_months, loans_used, homes, fund_rate_ppm, commercial_rate_ppm;
    } rows[] = {
        {60, 0, 0, 21000, 30500},  {61, 0, 0, 26000, 30500},  {60, 1, 0, 25250, 30500},  {61, 1, 0, 30750, 30500},
        {360, 0, 1, 30750, 34500}, {360, 1, 1, 30750, 34500}, {360, 2, 0, 30750, 30500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct persona persona = plain;
        struct made made;
        persona.term_months = rows[i].term_months;
        persona.persons[0].loans_used = rows[i].loans_used;
        persona.persons[0].base_yuan = 80000;
        persona.homes = rows[i].homes;
        make(&made, &rules, &persona, 80000 * YUAN);
        assert_int_equal(made.split.remedy, REMEDY_NONE);
        assert_int_equal(made.split.offer.fund.term_months, rows[i].term_months);
        assert_int_equal(made.split.offer.fund.rate_ppm, rows[i].fund_rate_ppm);
        assert_int_equal(made.split.offer.commercial.rate_ppm, rows[i].commercial_rate_ppm);
    }
}

static void a_rule_set_chooses_what_makes_a_second_loan(void **state)
{
    (void)state;
    struct persona persona = plain;
    struct rule_set set = rules;
    struct made made;
    persona.persons[0].loans_used = 1;
    set.second_by_loans = false;
    make(&made, &set, &persona, 18000 * YUAN);
    assert_int_equal(made.split.offer.fund.rate_ppm, 26000);
    persona.homes = 1;
    make(&made, &set, &persona, 18000 * YUAN);
    assert_int_equal(made.split.offer.fund.rate_ppm, 30750);
    set.second_by_homes = false;
    make(&made, &set, &persona, 18000 * YUAN);
    assert_int_equal(made.split.offer.fund.rate_ppm, 26000);
    assert_int_equal(made.split.offer.commercial.rate_ppm, 34500); /* the bank looks at homes in any case */
}

/* -- Ratios --------------------------------------------------------------------------------------------------- */

/* P01's instalments are 4,221.05 yuan together. */
static void ratios_hold_to_the_fen(void **state)
{
    (void)state;
    static const struct {
        int64_t debts_fen, income_fen;
        enum remedy remedy;
    } rows[] = {
        {0, 844210, REMEDY_NONE},       /* exactly 50.00 % */
        {0, 844209, REMEDY_CUT},        /* a fen less of income */
        {84421, 844210, REMEDY_NONE},   /* with debts exactly 60.00 % */
        {84422, 844210, REMEDY_CUT},    /* a fen more of debts */
        {422105, 1407017, REMEDY_NONE}, /* 60 % of it is 844,210.2 */
        {422105, 1407016, REMEDY_CUT},  /* 844,209.6 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made made;
        struct persona persona = plain;
        persona.persons[0].debts_yuan = 0;
        persona_case(&made.world, &persona, world_now_ms());
        struct item_result *credit = world_result(&made.world, ITEM_CREDIT_FUND, 0);
        credit->facts[3].number = rows[i].debts_fen;
        world_result(&made.world, ITEM_INCOME, 0)->facts[0].number = rows[i].income_fen;
        facts_read(&made.facts, &made.world.application, made.world.results, made.world.result_count, world_now_ms());
        struct term_limits limits;
        term_limits_for(&limits, &rules, &made.world.application, &made.facts, 20261123);
        split_loan(&made.split, &rules, &made.world.application, &made.facts, &limits, world_now_ms());
        assert_int_equal(made.split.asked.housing_fen, 422105);
        assert_int_equal(made.split.asked.debts_fen, 422105 + rows[i].debts_fen);
        if (made.split.remedy != rows[i].remedy) {
            fail_msg("row %zu: %d", i, (int)made.split.remedy);
        }
        assert_true(joint_holds(&made.split.joint));
    }
}

/* -- Remedies ------------------------------------------------------------------------------------------------- */

static void a_longer_term_comes_first_and_no_longer_than_needed(void **state)
{
    (void)state;
    struct persona persona = plain;
    struct made made;
    persona.term_months = 125;
    make(&made, &rules, &persona, 1400000);
    assert_int_equal(made.split.remedy, REMEDY_TERM);
    assert_true(joint_holds(&made.split.joint));
    int32_t months = made.split.offer.fund.term_months;
    assert_true(months > 125);
    assert_int_equal(months % 12, 0);
    assert_int_equal(made.split.offer.commercial.term_months, months);
    assert_int_equal(made.split.offer.fund.amount_fen + made.split.offer.commercial.amount_fen, 1040000 * YUAN);
    persona.term_months = months - 12; /* a year less would not do */
    make(&made, &rules, &persona, 1400000);
    assert_false(joint_holds(&made.split.asked));
    persona.term_months = months;
    make(&made, &rules, &persona, 1400000);
    assert_int_equal(made.split.remedy, REMEDY_NONE);
}

static void the_commercial_part_is_cut_as_little_as_possible(void **state)
{
    (void)state;
    struct persona persona = plain;
    struct made made;
    persona.persons[0] = (struct persona_person){.id_number = MAN_OF_1968, .base_yuan = 30000, .balance_yuan = 100000};
    persona.price_yuan = 2000000;
    make(&made, &rules, &persona, 30000 * YUAN);
    assert_int_equal(made.split.remedy, REMEDY_CUT);
    assert_int_equal(made.split.offer.fund.amount_fen, 800000 * YUAN);
    assert_int_equal(made.split.offer.commercial.amount_fen, 345000 * YUAN);
    assert_int_equal(made.split.offer.down_payment_fen, 855000 * YUAN);
    assert_int_equal(made.split.offer.fund.term_months, 84);
    int64_t more_fen = 0;
    assert_true(cl_is_ok(
        cl_first_instalment(&more_fen, &(struct cl_loan){346000 * YUAN, 30500, 84, CL_REPAYMENT_EQUAL_INSTALMENT})));
    assert_true(made.split.offer.fund.instalment_fen + more_fen > made.split.joint.housing_limit_fen);
}

static void the_fund_part_alone_needs_the_borrowers_word(void **state)
{
    (void)state;
    struct persona persona = {.name = "P04",
                              .persons = {{.id_number = BORROWER, .base_yuan = 4000, .balance_yuan = 60000}},
                              .price_yuan = 1000000};
    struct made made;
    make(&made, &rules, &persona, 4000 * YUAN);
    assert_int_equal(made.split.remedy, REMEDY_FAILED);
    persona.fund_only = true;
    make(&made, &rules, &persona, 4000 * YUAN);
    assert_int_equal(made.split.remedy, REMEDY_FUND_ONLY);
    assert_int_equal(made.split.offer.fund.amount_fen, 499000 * YUAN);
    assert_int_equal(made.split.offer.commercial.amount_fen, 0);
    assert_int_equal(made.split.offer.commercial.rate_ppm, 0);
    make(&made, &rules, &persona, 3995 * YUAN); /* the fund part alone takes 1,997.70 */
    assert_int_equal(made.split.remedy, REMEDY_FAILED);
}

static void a_fund_part_that_covers_the_request_needs_no_word(void **state)
{
    (void)state;
    struct persona persona = plain;
    struct fund_decision decision;
    struct world_case world;
    persona.total_yuan = 500999;
    persona_case(&world, &persona, world_now_ms());
    world_decide(&decision, arena, &rules, &world, world_now_ms());
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
    assert_true(decision.fund_only);
    assert_int_equal(decision.offer.fund.amount_fen, 500000 * YUAN);
    assert_false(world_has_reason(&decision, CL_LOAN_JNT_FUND_ONLY));
    assert_true(world_has_reason(&decision, CL_LOAN_AMT_REQ));
}

static void remedies_give_their_reasons(void **state)
{
    (void)state;
    static const struct {
        int32_t term_months;
        int64_t income_yuan;
        bool fund_only;
        enum fund_verdict verdict;
        enum cl_loan_reason given, not_given;
    } rows[] = {
        {360, 18000, false, VERDICT_APPROVE, CL_LOAN_AMT_CAP, CL_LOAN_JNT_TERM},
        {120, 14000, false, VERDICT_APPROVE, CL_LOAN_JNT_TERM, CL_LOAN_JNT_CUT},
        {360, 8000, false, VERDICT_APPROVE, CL_LOAN_JNT_CUT, CL_LOAN_JNT_TERM},
        {120, 8000, false, VERDICT_APPROVE, CL_LOAN_JNT_CUT, CL_LOAN_JNT_FUND_ONLY},
        {360, 6406, true, VERDICT_APPROVE, CL_LOAN_JNT_FUND_ONLY, CL_LOAN_JNT_CUT},
        {360, 6406, false, VERDICT_REJECT, CL_LOAN_JNT_HOUSING, CL_LOAN_JNT_FUND_ONLY},
        {360, 6405, true, VERDICT_REJECT, CL_LOAN_JNT_HOUSING, CL_LOAN_JNT_FUND_ONLY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct persona persona = plain;
        struct fund_decision decision;
        struct world_case world;
        persona.term_months = rows[i].term_months;
        persona.income_yuan = rows[i].income_yuan;
        persona.fund_only = rows[i].fund_only;
        persona_case(&world, &persona, world_now_ms());
        world_decide(&decision, arena, &rules, &world, world_now_ms());
        if (decision.verdict != rows[i].verdict || !world_has_reason(&decision, rows[i].given) ||
            world_has_reason(&decision, rows[i].not_given)) {
            fail_msg("row %zu: %d", i, (int)decision.verdict);
        }
    }
}

/* -- Subsidy -------------------------------------------------------------------------------------------------- */

static void the_subsidy_has_its_limits(void **state)
{
    (void)state;
    static const struct {
        int32_t date, area_m2, homes;
        int64_t price_yuan, fund_yuan;
        bool subsidy;
    } rows[] = {
        {20261123, 120, 0, 1500000, 0, true},       {20261123, 121, 0, 1500000, 0, false},
        {20261123, 120, 0, 1500001, 0, false},      {20261123, 120, 1, 1500000, 0, false},
        {20261001, 120, 0, 1500000, 0, true},       {20260930, 120, 0, 1500000, 0, false},
        {20270930, 120, 0, 1500000, 0, true},       {20271001, 120, 0, 1500000, 0, false},
        {20261123, 120, 0, 1500000, 200000, true},  /* commercial part 1,000,000 */
        {20261123, 120, 0, 1500000, 199000, false}, /* 1,001,000 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct persona persona = plain;
        struct fund_decision decision;
        struct world_case world;
        int64_t now_ms = cl_date_to_ms(rows[i].date) + 1;
        persona.area_m2 = rows[i].area_m2;
        persona.homes = rows[i].homes;
        persona.price_yuan = rows[i].price_yuan;
        persona.fund_yuan = rows[i].fund_yuan;
        persona_case(&world, &persona, now_ms);
        world_decide(&decision, arena, &rules, &world, now_ms);
        assert_int_equal(decision.verdict, VERDICT_APPROVE);
        assert_int_equal(decision.offer.interest_subsidy, rows[i].subsidy);
        assert_int_equal(world_has_reason(&decision, CL_LOAN_SUB_INTEREST), rows[i].subsidy);
    }
}

/* -- Counter-offers ------------------------------------------------------------------------------------------- */

#define CHANGE(name, change)                                                                                           \
    static void name(struct loan_part *c)                                                                              \
    {                                                                                                                  \
        change;                                                                                                        \
    }

static void recompute(struct loan_part *part)
{
    struct cl_loan loan = {part->amount_fen, part->rate_ppm, part->term_months, part->method};
    assert_true(cl_is_ok(cl_first_instalment(&part->instalment_fen, &loan)));
}

CHANGE(nothing, (void)c)
CHANGE(less, c->amount_fen = 200000 * YUAN; recompute(c))
CHANGE(one_fen, c->amount_fen = 1; recompute(c))
CHANGE(zero, c->amount_fen = 0)
CHANGE(negative, c->amount_fen = -1)
CHANGE(more, c->amount_fen += 1; recompute(c))
CHANGE(dearer, c->rate_ppm = 35000; recompute(c))
CHANGE(dearest, c->rate_ppm = 52500; recompute(c))
CHANGE(too_dear, c->rate_ppm = 52501; recompute(c))
CHANGE(too_cheap, c->rate_ppm = 30499; recompute(c))
CHANGE(longer, c->term_months = 372; recompute(c))
CHANGE(longest, c->term_months = CL_TERM_MONTHS_MAX + 1)
CHANGE(no_term, c->term_months = 0)
CHANGE(other_method, c->method = CL_REPAYMENT_EQUAL_PRINCIPAL; recompute(c))
CHANGE(no_method, c->method = CL_REPAYMENT_UNSPECIFIED)
CHANGE(wrong_instalment, c->amount_fen = 200000 * YUAN)

/* Covers: COL-OFR-007 */
static void counter_offers_stay_within_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*change)(struct loan_part *counter);
        enum cl_reason reason;
        const char *path;
    } rows[] = {
        {"nothing", nothing, CL_FIELD_INVALID, "amount_fen"},
        {"less", less, CL_OK, ""},
        {"one fen", one_fen, CL_OK, ""},
        {"zero", zero, CL_AMOUNT_INVALID, "amount_fen"},
        {"negative", negative, CL_AMOUNT_INVALID, "amount_fen"},
        {"more", more, CL_AMOUNT_INVALID, "amount_fen"},
        {"dearer", dearer, CL_OK, ""},
        {"dearest", dearest, CL_OK, ""},
        {"too dear", too_dear, CL_FIELD_INVALID, "rate_ppm"},
        {"too cheap", too_cheap, CL_FIELD_INVALID, "rate_ppm"},
        {"longer than the law knows", longest, CL_TERM_INVALID, "term_months"},
        {"longer than the policy, so nothing differs", longer, CL_TERM_INVALID, "term_months"},
        {"no term", no_term, CL_TERM_INVALID, "term_months"},
        {"other method", other_method, CL_OK, ""},
        {"no method", no_method, CL_FIELD_INVALID, "method"},
        {"wrong instalment", wrong_instalment, CL_FIELD_INVALID, "instalment_fen"},
    };
    struct made made;
    make(&made, &rules, &plain, 18000 * YUAN);
    const struct offer *current = &made.split.offer;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct offer offer = {.price_fen = -1};
        struct field_path path = {""};
        struct loan_part counter = current->commercial;
        rows[i].change(&counter);
        struct counter_change change = {.reason_count = 9};
        struct cl_status status = offer_counter(&offer, &change, &path, &rules, &made.world.application, &made.facts,
                                                current, &counter, world_now_ms());
        if (status.reason != rows[i].reason || strcmp(path.text, rows[i].path) != 0) {
            fail_msg("%s: %s %s", rows[i].name, cl_status_name(status), path.text);
        }
        if (cl_failed(status)) {
            assert_int_equal(offer.price_fen, -1);
            assert_int_equal(change.reason_count, 9);
            continue;
        }
        assert_int_equal(change.reason_count, 0);
        assert_memory_equal(&offer.fund, &current->fund, sizeof offer.fund);
        assert_memory_equal(&offer.commercial, &counter, sizeof counter);
        assert_int_equal(offer.fund.amount_fen + offer.commercial.amount_fen + offer.down_payment_fen, offer.price_fen);
        assert_true(offer.down_payment_fen >= current->down_payment_fen);
        assert_int_equal(offer.valid_until_ms, current->valid_until_ms);
    }
}

static void check_part(const struct loan_part *part)
{
    int64_t payment_fen = 0;
    struct cl_loan loan = {part->amount_fen, part->rate_ppm, part->term_months, part->method};
    if (part->amount_fen == 0) {
        assert_int_equal(part->instalment_fen, 0);
        return;
    }
    assert_int_equal(part->amount_fen % (1000 * YUAN), 0);
    assert_true(cl_is_ok(cl_first_instalment(&payment_fen, &loan)));
    assert_int_equal(part->instalment_fen, payment_fen);
}

/* What does not fit is answered with the nearest that does. */
/* Covers: COL-OFR-008 */
static void the_fund_counters_what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t income_fen;
        int32_t months, rate_ppm;
        int64_t amount_yuan; /* 0: as offered */
        int64_t commercial_yuan, fund_yuan;
        int32_t term_months, fund_rate_ppm;
        enum cl_loan_reason reasons[COUNTER_REASONS_MAX];
    } rows[] = {
        /* Exactly 50 % with 4,221.05 of 8,442.10; at the dearer rate 239,000 cost 1,015.38 of the 1,018.33 left. */
        {"dearer at the limit", 844210, 360, 30600, 0, 239000, 800000, 360, 26000, {CL_LOAN_JNT_CUT}},
        {"dearer below it", 900000, 360, 30600, 0, 240000, 800000, 360, 26000, {CL_LOAN_NONE}},
        {"a shorter term, for both", 1800000, 240, 30500, 0, 240000, 800000, 240, 26000, {CL_LOAN_TRM_BANK}},
        /* Half the base of 18,000 pays 512,000 in five years at the short rate; half the income leaves 1,003 a month. */
        {"five years",
         2000000,
         60,
         30500,
         0,
         55000,
         512000,
         60,
         21000,
         {CL_LOAN_JNT_CUT, CL_LOAN_TRM_BANK, CL_LOAN_AMT_PTI}},
        {"a longer term than the policy's", 1800000, 480, 30500, 200000, 200000, 800000, 360, 26000, {CL_LOAN_TRM_MAX}},
        /* Over ten years the fund part takes all: then the longest term. */
        {"no room over the bank's term",
         844210,
         120,
         30600,
         0,
         239000,
         800000,
         360,
         26000,
         {CL_LOAN_JNT_CUT, CL_LOAN_JNT_TERM}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made made;
        struct offer offer;
        struct counter_change change;
        make(&made, &rules, &plain, rows[i].income_fen);
        struct loan_part counter = made.split.offer.commercial;
        counter.term_months = rows[i].months;
        counter.rate_ppm = rows[i].rate_ppm;
        counter.amount_fen = rows[i].amount_yuan > 0 ? rows[i].amount_yuan * YUAN : counter.amount_fen;
        recompute(&counter);
        struct cl_status status = offer_counter(&offer, &change, NULL, &rules, &made.world.application, &made.facts,
                                                &made.split.offer, &counter, world_now_ms());
        if (cl_failed(status)) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        check_part(&offer.fund);
        check_part(&offer.commercial);
        assert_int_equal(offer.commercial.amount_fen, rows[i].commercial_yuan * YUAN);
        assert_int_equal(offer.fund.amount_fen, rows[i].fund_yuan * YUAN);
        assert_int_equal(offer.commercial.rate_ppm, rows[i].rate_ppm);
        assert_int_equal(offer.fund.rate_ppm, rows[i].fund_rate_ppm);
        assert_int_equal(offer.commercial.term_months, rows[i].term_months);
        assert_int_equal(offer.fund.term_months, rows[i].term_months);
        assert_int_equal(offer.fund.amount_fen + offer.commercial.amount_fen + offer.down_payment_fen, offer.price_fen);
        size_t count = 0;
        for (; count < COUNTER_REASONS_MAX && rows[i].reasons[count] != CL_LOAN_NONE; count++) {
            assert_true(count < change.reason_count);
            assert_int_equal(change.reasons[count], rows[i].reasons[count]);
        }
        assert_int_equal(change.reason_count, count);
    }
}

/* Nothing helps: the income carries the fund part alone, which is not what the bank asked. */
/* Covers: COL-OFR-007 */
static void a_counter_offer_without_any_room_is_refused(void **state)
{
    (void)state;
    struct made made;
    struct offer offer;
    struct counter_change change;
    struct field_path path = {""};
    make(&made, &rules, &plain, 18000 * YUAN);
    struct loan_part counter = made.split.offer.commercial;
    less(&counter);
    made.facts.income_fen = 2 * made.split.offer.fund.instalment_fen; /* what a later look would find */
    assert_int_equal(offer_counter(&offer, &change, &path, &rules, &made.world.application, &made.facts,
                                   &made.split.offer, &counter, world_now_ms())
                         .reason,
                     CL_AMOUNT_INVALID);
    assert_string_equal(path.text, "amount_fen");
}

static void an_offer_ends(void **state)
{
    (void)state;
    struct made made;
    struct offer offer;
    struct counter_change change;
    make(&made, &rules, &plain, 18000 * YUAN);
    int64_t until_ms = made.split.offer.valid_until_ms;
    struct loan_part counter = made.split.offer.commercial;
    less(&counter);
    assert_int_equal(until_ms, cl_date_to_ms(20270222) - 1);
    assert_int_equal(offer_counter(&offer, &change, NULL, &rules, &made.world.application, &made.facts,
                                   &made.split.offer, &counter, until_ms)
                         .reason,
                     CL_OK);
    assert_int_equal(offer_counter(&offer, &change, NULL, &rules, &made.world.application, &made.facts,
                                   &made.split.offer, &counter, until_ms + 1)
                         .reason,
                     CL_OFFER_EXPIRED);
}

/* The contribution's answer holds ten days, the offer ninety: what the offer was made of still counts. */
static void a_counter_offer_outlives_the_answers(void **state)
{
    (void)state;
    struct made made;
    struct offer offer;
    struct counter_change change;
    make(&made, &rules, &plain, 18000 * YUAN);
    int64_t later_ms = made.split.offer.valid_until_ms;
    struct loan_part counter = made.split.offer.commercial;
    less(&counter);
    facts_read(&made.facts, &made.world.application, made.world.results, made.world.result_count, later_ms);
    assert_int_equal(made.facts.persons[0].answer[ITEM_CONTRIBUTION], ANSWER_TECHNICAL);
    assert_int_equal(made.facts.persons[0].contribution_base_fen, 18000 * YUAN);
    assert_int_equal(offer_counter(&offer, &change, NULL, &rules, &made.world.application, &made.facts,
                                   &made.split.offer, &counter, later_ms)
                         .reason,
                     CL_OK);
}

static void unequal_terms_let_the_bank_choose(void **state)
{
    (void)state;
    struct rule_set set = rules;
    struct made made;
    struct offer offer;
    struct counter_change change;
    set.equal_term = false;
    make(&made, &set, &plain, 18000 * YUAN);
    struct loan_part counter = made.split.offer.commercial;
    static const struct {
        int32_t term_months;
        enum cl_reason reason;
    } rows[] = {{240, CL_OK},           {12, CL_OK},          {468, CL_OK}, {469, CL_OK}, {480, CL_OK},
                {481, CL_TERM_INVALID}, {11, CL_TERM_INVALID}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        counter.amount_fen = 20000 * YUAN;
        counter.term_months = rows[i].term_months;
        if (counter.term_months <= CL_TERM_MONTHS_MAX) {
            recompute(&counter);
        }
        assert_int_equal(offer_counter(&offer, &change, NULL, &set, &made.world.application, &made.facts,
                                       &made.split.offer, &counter, world_now_ms())
                             .reason,
                         rows[i].reason);
    }
}

/* -- What holds for every case -------------------------------------------------------------------------------- */

static void check_approval(const struct fund_decision *decision, const struct persona *persona)
{
    const struct offer *offer = &decision->offer;
    int64_t lent_fen = offer->fund.amount_fen + offer->commercial.amount_fen;
    int64_t base_yuan = persona->appraisal_yuan > 0 && persona->appraisal_yuan < persona->price_yuan
                            ? persona->appraisal_yuan
                            : persona->price_yuan;
    check_part(&offer->fund);
    check_part(&offer->commercial);
    assert_true(offer->fund.amount_fen > 0);
    assert_int_equal(lent_fen + offer->down_payment_fen, offer->price_fen);
    assert_true(lent_fen <= base_yuan * YUAN / 10 * 8);
    assert_true(persona->total_yuan == 0 || lent_fen <= persona->total_yuan * YUAN);
    assert_true(offer->fund.term_months <= 360);
    assert_true(decision->fund_only || offer->commercial.term_months == offer->fund.term_months);
    assert_true(joint_holds(&decision->joint));
    assert_true(2 * (offer->fund.instalment_fen + offer->commercial.instalment_fen) <= persona->income_yuan * YUAN);
    for (size_t i = 0; i < decision->step_count; i++) { /* below every limit of the fund part */
        const struct decision_step *step = &decision->steps[i];
        if (strncmp(step->rule, "fund.", 5) == 0 && step->outcome == RULE_LIMIT) {
            bool by_term = step->reason == CL_LOAN_AMT_PTI || step->reason == CL_LOAN_AMT_REQ;
            assert_true(offer->fund.amount_fen <= step->limit_fen);
            assert_true(!step->binding || by_term || offer->fund.amount_fen > step->limit_fen - 1000 * YUAN);
        }
    }
}

static int64_t lent_fen(const struct fund_decision *decision)
{
    return decision->has_offer ? decision->offer.fund.amount_fen + decision->offer.commercial.amount_fen : 0;
}

enum { RANDOM_CASES = 1500 };

/* Covers: COL-OFR-002 */
static void every_approval_keeps_every_limit(void **state)
{
    (void)state;
    uint64_t seed = 20261123;
    size_t verdicts[VERDICT_MANUAL + 1] = {0};
    for (int i = 0; i < RANDOM_CASES; i++) {
        struct persona persona = world_any_persona(&seed);
        struct fund_decision decision;
        struct world_case world;
        persona_case(&world, &persona, world_now_ms());
        world_decide(&decision, arena, &rules, &world, world_now_ms());
        verdicts[decision.verdict]++;
        assert_int_equal(decision.has_offer, decision.verdict == VERDICT_APPROVE);
        if (decision.has_offer) {
            check_approval(&decision, &persona);
        }
    }
    assert_true(verdicts[VERDICT_APPROVE] > RANDOM_CASES / 4); /* the cases are not all of one kind */
    assert_true(verdicts[VERDICT_REJECT] > RANDOM_CASES / 20);
}

static void more_income_never_means_less(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (int i = 0; i < 200; i++) {
        struct persona persona = world_any_persona(&seed);
        int64_t before_fen = 0;
        persona.income_yuan = 2000;
        for (int step = 0; step < 12; step++, persona.income_yuan += world_random_in(&seed, 1, 6000)) {
            struct fund_decision decision;
            struct world_case world;
            persona_case(&world, &persona, world_now_ms());
            world_decide(&decision, arena, &rules, &world, world_now_ms());
            assert_true(lent_fen(&decision) >= before_fen);
            before_fen = lent_fen(&decision);
        }
    }
}

static void more_balance_or_base_never_means_a_smaller_fund_part(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int i = 0; i < 200; i++) {
        struct persona persona = world_any_persona(&seed);
        int64_t before_fen = 0;
        persona.persons[0].balance_yuan = 0;
        persona.persons[0].base_yuan = 2660;
        for (int step = 0; step < 20; step++) {
            struct quota quota;
            struct world_case world;
            struct case_facts facts;
            persona_case(&world, &persona, world_now_ms());
            facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
            quota_fund(&quota, &rules, &world.application, &facts, 26000, 240);
            assert_true(quota.fund_fen >= before_fen);
            before_fen = quota.fund_fen;
            if (step % 2 == 0) {
                persona.persons[0].balance_yuan += world_random_in(&seed, 1, 20000);
            } else {
                persona.persons[0].base_yuan += world_random_in(&seed, 1, 4000);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_follow_term_loans_and_homes),
        cmocka_unit_test(a_rule_set_chooses_what_makes_a_second_loan),
        cmocka_unit_test(ratios_hold_to_the_fen),
        cmocka_unit_test(a_longer_term_comes_first_and_no_longer_than_needed),
        cmocka_unit_test(the_commercial_part_is_cut_as_little_as_possible),
        cmocka_unit_test(the_fund_part_alone_needs_the_borrowers_word),
        cmocka_unit_test(a_fund_part_that_covers_the_request_needs_no_word),
        cmocka_unit_test(remedies_give_their_reasons),
        cmocka_unit_test(the_subsidy_has_its_limits),
        cmocka_unit_test(counter_offers_stay_within_the_rules),
        cmocka_unit_test(the_fund_counters_what_does_not_fit),
        cmocka_unit_test(a_counter_offer_without_any_room_is_refused),
        cmocka_unit_test(an_offer_ends),
        cmocka_unit_test(a_counter_offer_outlives_the_answers),
        cmocka_unit_test(unequal_terms_let_the_bank_choose),
        cmocka_unit_test(every_approval_keeps_every_limit),
        cmocka_unit_test(more_income_never_means_less),
        cmocka_unit_test(more_balance_or_base_never_means_a_smaller_fund_part),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
