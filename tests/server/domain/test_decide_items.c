/* What the items that widen a decision lead to: each when it applies, each way not to pass, each number that counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/server/domain/world.h"

static struct rule_set rules;
static struct cl_arena *arena;

/* A couple that buys from an owner, and says all that can be said. */
static const struct persona resale = {
    .name = "resale",
    .persons = {{.id_number = "990101199006010018", .base_yuan = 20000, .balance_yuan = 90000},
                {.id_number = "990101199107040021", .base_yuan = 15000, .balance_yuan = 60000}},
    .kind = HOME_SECOND_HAND,
    .price_yuan = 1500000,
    .appraisal_yuan = 1450000,
};

static const struct persona presale = {
    .name = "presale",
    .persons = {{.id_number = "990101199603150019", .base_yuan = 18000, .balance_yuan = 62000}},
    .price_yuan = 1300000,
};

/* persona_case over again, with what makes the optional items apply. */
static void wide_case(struct world_case *out, const struct persona *persona)
{
    persona_case(out, persona, world_now_ms());
    struct application *application = &out->application;
    application->has_account = true;
    application->home.presale = persona->kind != HOME_SECOND_HAND;
    for (size_t i = 0; i < application->person_count; i++) {
        struct person *person = &application->persons[i];
        person->employer_uscc = "91990000MA0000015Q";
        person->face_token = "face-1";
        person->id_valid_until = APPLICATION_ID_LONG_TERM;
        person->contribution_centre = i == 1 ? "320100000000000" : "";
    }
    persona_results(out, persona, world_now_ms());
}

static struct item_fact *fact_of(struct item_result *result, const char *name)
{
    for (size_t i = 0; i < result->fact_count; i++) {
        if (strcmp(result->facts[i].name, name) == 0) {
            return &result->facts[i];
        }
    }
    fail_msg("no fact %s", name);
    return NULL;
}

static void decide(struct fund_decision *out, const struct world_case *world)
{
    world_decide(out, arena, &rules, world, world_now_ms());
}

static void all_of_it_passes(void **state)
{
    (void)state;
    const struct persona *personas[] = {&resale, &presale};
    for (size_t i = 0; i < 2; i++) {
        struct world_case world;
        struct fund_decision decision;
        wide_case(&world, personas[i]);
        decide(&decision, &world);
        if (decision.verdict != VERDICT_APPROVE) {
            fail_msg("%s: %s", personas[i]->name, cl_loan_reason_code(decision.reasons[0].reason));
        }
    }
}

static void nothing_but_a_yes_passes(void **state)
{
    (void)state;
    static const struct {
        enum item_outcome outcome;
        enum failure_kind failure;
    } ways[] = {
        {ITEM_OPEN, FAILURE_NONE},        {ITEM_FAIL, FAILURE_NONE},      {ITEM_FAIL, FAILURE_MISMATCH},
        {ITEM_FAIL, FAILURE_NO_RECORD},   {ITEM_MANUAL, FAILURE_NONE},    {ITEM_FAIL, FAILURE_NOT_AUTHORISED},
        {ITEM_MANUAL, FAILURE_AMBIGUOUS}, {ITEM_MANUAL, FAILURE_TIMEOUT}, {ITEM_MANUAL, FAILURE_SOURCE_CLOSED},
    };
    static const enum item items[] = {
        ITEM_FACE,       ITEM_ID_DOCUMENT,  ITEM_MARRIAGE_PAIR,  ITEM_CONTRIBUTION_OFFSITE,
        ITEM_COURT_LIST, ITEM_MORTGAGES,    ITEM_PROPERTY_RIGHT, ITEM_APPRAISAL,
        ITEM_EMPLOYER,   ITEM_PRICE_SANITY, ITEM_ACCOUNT};
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
            struct world_case world;
            struct fund_decision decision;
            wide_case(&world, &resale);
            struct item_result *result = world_result(&world, items[i], items[i] == ITEM_CONTRIBUTION_OFFSITE ? 1 : 0);
            result->outcome = ways[way].outcome;
            result->failure = ways[way].failure;
            decide(&decision, &world);
            if (decision.verdict == VERDICT_APPROVE) {
                fail_msg("%s, way %zu", catalogue_row(items[i])->name, way);
            }
        }
    }
}

static void what_each_answer_leads_to(void **state)
{
    (void)state;
    static const struct {
        const struct persona *persona;
        enum item item;
        unsigned person;
        const char *fact; /* NULL: the outcome */
        int64_t number;
        enum item_outcome outcome;
        enum failure_kind failure;
        enum fund_verdict verdict;
        enum cl_loan_reason reason;
        unsigned blamed; /* person of the reason; 0: the case */
    } rows[] = {
        {&resale, ITEM_FACE, 1, NULL, 0, ITEM_FAIL, FAILURE_MISMATCH, VERDICT_SUPPLEMENT, CL_LOAN_ID_FACE, 2},
        {&resale, ITEM_ID_DOCUMENT, 0, NULL, 0, ITEM_FAIL, FAILURE_MISMATCH, VERDICT_SUPPLEMENT, CL_LOAN_ID_DOCUMENT,
         1},
        {&resale, ITEM_ID_DOCUMENT, 0, NULL, 0, ITEM_MANUAL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_ID_RECORD, 1},
        {&resale, ITEM_MARRIAGE_PAIR, 0, NULL, 0, ITEM_FAIL, FAILURE_MISMATCH, VERDICT_SUPPLEMENT,
         CL_LOAN_MAR_CONTRADICT, 0},
        {&resale, ITEM_MARRIAGE_PAIR, 0, NULL, 0, ITEM_MANUAL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_MAR_RECORD,
         0},
        {&resale, ITEM_CONTRIBUTION_OFFSITE, 1, NULL, 0, ITEM_MANUAL, FAILURE_NO_RECORD, VERDICT_MANUAL,
         CL_LOAN_CON_OFFSITE, 2},
        {&resale, ITEM_CONTRIBUTION_OFFSITE, 1, "fraud", 1, ITEM_PASS, FAILURE_NONE, VERDICT_MANUAL, CL_LOAN_FRD_RECORD,
         2},
        {&resale, ITEM_CONTRIBUTION_OFFSITE, 1, "months", 5, ITEM_PASS, FAILURE_NONE, VERDICT_REJECT,
         CL_LOAN_CON_MONTHS, 2},
        {&resale, ITEM_CONTRIBUTION_OFFSITE, 1, "sealed", 1, ITEM_PASS, FAILURE_NONE, VERDICT_REJECT,
         CL_LOAN_CON_SEALED, 2},
        {&resale, ITEM_CONTRIBUTION_OFFSITE, 1, "loans_open", 1, ITEM_PASS, FAILURE_NONE, VERDICT_REJECT,
         CL_LOAN_HPF_UNSETTLED, 2},
        {&resale, ITEM_COURT_LIST, 1, "listed", 1, ITEM_PASS, FAILURE_NONE, VERDICT_REJECT, CL_LOAN_CRT_LISTED, 2},
        {&resale, ITEM_COURT_LIST, 1, NULL, 0, ITEM_MANUAL, FAILURE_AMBIGUOUS, VERDICT_MANUAL, CL_LOAN_CRT_RECORD, 2},
        {&resale, ITEM_MORTGAGES, 0, "open", 2, ITEM_PASS, FAILURE_NONE, VERDICT_REJECT, CL_LOAN_CRD_MORTGAGES, 0},
        {&resale, ITEM_MORTGAGES, 0, NULL, 0, ITEM_MANUAL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_CRD_RECORD, 0},
        {&resale, ITEM_PROPERTY_RIGHT, 0, "seized", 1, ITEM_PASS, FAILURE_NONE, VERDICT_REJECT, CL_LOAN_HSE_SEIZED, 0},
        {&resale, ITEM_PROPERTY_RIGHT, 0, "disputed", 1, ITEM_PASS, FAILURE_NONE, VERDICT_REJECT, CL_LOAN_HSE_SEIZED,
         0},
        {&resale, ITEM_PROPERTY_RIGHT, 0, NULL, 0, ITEM_FAIL, FAILURE_MISMATCH, VERDICT_SUPPLEMENT, CL_LOAN_HSE_RIGHT,
         0},
        {&resale, ITEM_PROPERTY_RIGHT, 0, NULL, 0, ITEM_MANUAL, FAILURE_NO_RECORD, VERDICT_MANUAL,
         CL_LOAN_HSE_RIGHT_RECORD, 0},
        {&resale, ITEM_APPRAISAL, 0, NULL, 0, ITEM_FAIL, FAILURE_NO_RECORD, VERDICT_SUPPLEMENT, CL_LOAN_HSE_APPRAISAL,
         0},
        {&resale, ITEM_APPRAISAL, 0, NULL, 0, ITEM_MANUAL, FAILURE_TIMEOUT, VERDICT_MANUAL, CL_LOAN_SYS_SOURCE, 0},
        {&resale, ITEM_EMPLOYER, 0, "active", 0, ITEM_PASS, FAILURE_NONE, VERDICT_MANUAL, CL_LOAN_EMP_CLOSED, 1},
        {&resale, ITEM_EMPLOYER, 1, NULL, 0, ITEM_MANUAL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_EMP_RECORD, 2},
        {&resale, ITEM_PRICE_SANITY, 0, "doubtful", 1, ITEM_PASS, FAILURE_NONE, VERDICT_MANUAL, CL_LOAN_HSE_SANITY, 0},
        {&resale, ITEM_ACCOUNT, 0, NULL, 0, ITEM_FAIL, FAILURE_MISMATCH, VERDICT_SUPPLEMENT, CL_LOAN_ACC_MISMATCH, 0},
        {&resale, ITEM_ACCOUNT, 0, "account_class", 2, ITEM_PASS, FAILURE_NONE, VERDICT_SUPPLEMENT, CL_LOAN_ACC_CLASS,
         0},
        {&presale, ITEM_PROJECT, 0, NULL, 0, ITEM_FAIL, FAILURE_MISMATCH, VERDICT_REJECT, CL_LOAN_HSE_PROJECT, 0},
        {&presale, ITEM_PROJECT, 0, NULL, 0, ITEM_MANUAL, FAILURE_NO_RECORD, VERDICT_MANUAL, CL_LOAN_HSE_PRJ_RECORD, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct fund_decision decision;
        wide_case(&world, rows[i].persona);
        struct item_result *result = world_result(&world, rows[i].item, rows[i].person);
        if (rows[i].fact != NULL) {
            fact_of(result, rows[i].fact)->number = rows[i].number;
        }
        result->outcome = rows[i].outcome;
        result->failure = rows[i].failure;
        decide(&decision, &world);
        if (decision.verdict != rows[i].verdict || decision.reasons[0].reason != rows[i].reason ||
            decision.reasons[0].person != rows[i].blamed) {
            fail_msg("row %zu: %d %s of %u", i, (int)decision.verdict, cl_loan_reason_code(decision.reasons[0].reason),
                     decision.reasons[0].person);
        }
    }
}

/* A mortgage of the seller's is worth knowing, and no more. */
static void a_mortgaged_home_may_be_bought(void **state)
{
    (void)state;
    struct world_case world;
    struct fund_decision decision;
    wide_case(&world, &resale);
    fact_of(world_result(&world, ITEM_PROPERTY_RIGHT, 0), "mortgaged")->number = 1;
    decide(&decision, &world);
    assert_int_equal(decision.verdict, VERDICT_APPROVE);
    assert_true(world_has_reason(&decision, CL_LOAN_HSE_MORTGAGED));
}

/* The appraiser's value counts, not the one that was declared; of either the lower one with the price. */
static void the_appraisal_is_the_appraisers(void **state)
{
    (void)state;
    static const struct {
        int64_t declared_yuan, appraised_yuan, base_yuan;
    } rows[] = {
        {1450000, 1400000, 1400000},
        {1450000, 1500000, 1500000},
        {1450000, 1600000, 1500000},
        {0, 1450000, 1450000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct case_facts facts;
        wide_case(&world, &resale);
        world.application.home.appraisal_fen = rows[i].declared_yuan * 100;
        fact_of(world_result(&world, ITEM_APPRAISAL, 0), "value_fen")->number = rows[i].appraised_yuan * 100;
        facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
        assert_int_equal(facts_price_base_fen(&world.application, &facts), rows[i].base_yuan * 100);
    }
    struct world_case world;
    struct case_facts facts;
    struct fund_decision decision;
    persona_case(&world, &resale, world_now_ms());
    world.application.items_unused = ITEM_BIT(ITEM_APPRAISAL); /* this centre asks no appraiser */
    facts_read(&facts, &world.application, world.results, world.result_count, world_now_ms());
    assert_int_equal(facts.answer[ITEM_APPRAISAL], ANSWER_UNUSED);
    assert_int_equal(facts_price_base_fen(&world.application, &facts), 145000000);
    world.application.home.appraisal_fen = 0;
    decide(&decision, &world);
    assert_int_equal(decision.reasons[0].reason, CL_LOAN_HSE_APPRAISAL);
}

/* A fund account elsewhere counts like one here. */
static void a_fund_account_elsewhere_counts(void **state)
{
    (void)state;
    struct world_case here;
    struct world_case elsewhere;
    struct fund_decision decisions[2];
    persona_case(&here, &resale, world_now_ms());
    wide_case(&elsewhere, &resale);
    decide(&decisions[0], &here);
    struct offer offer = decisions[0].offer;
    decide(&decisions[1], &elsewhere);
    assert_memory_equal(&offer, &decisions[1].offer, sizeof offer);
}

/* Of a woman whose staff category nobody knows, nobody knows when she retires; of a man it does not matter. */
static void an_unknown_staff_category_is_for_an_officer(void **state)
{
    (void)state;
    static const struct {
        const char *id_number;
        enum fund_verdict verdict;
    } rows[] = {{"990101199107040021", VERDICT_MANUAL}, {"990101199603150019", VERDICT_APPROVE}};
    for (size_t i = 0; i < 2; i++) {
        struct world_case world;
        struct fund_decision decision;
        struct persona persona = presale;
        persona.persons[0].id_number = rows[i].id_number;
        persona_case(&world, &persona, world_now_ms());
        world.application.persons[0].staff_category = STAFF_UNSPECIFIED;
        persona_results(&world, &persona, world_now_ms());
        decide(&decision, &world);
        assert_int_equal(decision.verdict, rows[i].verdict);
        assert_int_equal(world_has_reason(&decision, CL_LOAN_AGE_RECORD), rows[i].verdict == VERDICT_MANUAL);
    }
}

static int set_up(void **state)
{
    (void)state;
    world_rules(&rules);
    return cl_is_ok(cl_arena_create(&arena, 1024 * 1024)) ? 0 : -1;
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
        cmocka_unit_test(all_of_it_passes),
        cmocka_unit_test(nothing_but_a_yes_passes),
        cmocka_unit_test(what_each_answer_leads_to),
        cmocka_unit_test(a_mortgaged_home_may_be_bought),
        cmocka_unit_test(the_appraisal_is_the_appraisers),
        cmocka_unit_test(a_fund_account_elsewhere_counts),
        cmocka_unit_test(an_unknown_staff_category_is_for_an_officer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
