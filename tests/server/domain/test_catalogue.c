/* The catalogue of verification items: a row for each, applied to whom it concerns, each lender's secrets kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/date.h"
#include "tests/server/domain/world.h"

static const struct persona single = {
    .name = "single",
    .persons = {{.id_number = "990101199603150019", .base_yuan = 18000, .balance_yuan = 62000}},
    .price_yuan = 1300000,
};

static const struct persona family = {
    .name = "couple with a parent, one does not contribute",
    .persons = {{.id_number = "990101199006010018", .base_yuan = 20000, .balance_yuan = 90000},
                {.id_number = "990101199107040021"},
                {.id_number = "990101196806150031", .base_yuan = 9000, .balance_yuan = 50000}},
    .kind = HOME_SECOND_HAND,
    .price_yuan = 2000000,
    .appraisal_yuan = 1900000,
};

static void every_item_has_a_row(void **state)
{
    (void)state;
    for (unsigned i = ITEM_NONE + 1; i < ITEM_COUNT; i++) {
        const struct catalogue_row *row = catalogue_row((enum item)i);
        assert_non_null(row);
        assert_int_equal(row->item, i);
        assert_ptr_equal(catalogue_find(row->name), row);
        assert_true(strlen(row->title_en) > 0);
        assert_true((unsigned char)row->title_zh[0] >= 0x49);
        assert_true(strlen(row->authority) > 0);
        assert_in_range(row->owner, OWNER_LOCAL, OWNER_BANK);
        assert_int_equal(row->owner == OWNER_BANK, strcmp(row->authority, "bank") == 0);
        assert_int_equal(row->owner == OWNER_LOCAL, strcmp(row->authority, "centre") == 0);
        for (size_t j = 0; j < ITEM_FACTS_MAX && row->facts[j].name != NULL; j++) {
            assert_true(row->facts[j].min <= row->facts[j].max);
            assert_ptr_equal(catalogue_fact(row, row->facts[j].name), &row->facts[j]);
            assert_int_not_equal(j, ITEM_FACTS_MAX - 1); /* the end of the list has its place */
        }
        assert_null(catalogue_fact(row, "shoe_size"));
    }
    assert_null(catalogue_row(ITEM_NONE));
    assert_null(catalogue_row(ITEM_COUNT));
    assert_null(catalogue_find("HOROSCOPE"));
}

/* Each lender's credit report stays with it: the other sees a verdict at most. */
static void credit_reports_stay_with_who_asked(void **state)
{
    (void)state;
    assert_int_equal(catalogue_row(ITEM_CREDIT_FUND)->bank_view, VIEW_NONE);
    assert_int_equal(catalogue_row(ITEM_CREDIT_BANK)->fund_view, VIEW_VERDICT);
    assert_null(catalogue_row(ITEM_CREDIT_BANK)->facts[0].name);
}

static void items_apply_to_whom_they_concern(void **state)
{
    (void)state;
    static const struct {
        const struct persona *persona;
        size_t counts[ITEM_COUNT]; /* how many persons, or 1 for the case */
    } rows[] = {
        {&single,
         {[ITEM_ID_NUMBER] = 1,
          [ITEM_IDENTITY] = 1,
          [ITEM_MARRIAGE] = 1,
          [ITEM_CHILDREN] = 1,
          [ITEM_CONTRIBUTION] = 1,
          [ITEM_LOAN_HISTORY] = 1,
          [ITEM_FRAUD_LIST] = 1,
          [ITEM_CREDIT_FUND] = 1,
          [ITEM_CREDIT_BANK] = 1,
          [ITEM_HOME_COUNT] = 1,
          [ITEM_HOME_CONTRACT] = 1,
          [ITEM_GREEN_BUILDING] = 1,
          [ITEM_INCOME] = 1,
          [ITEM_RETIREMENT] = 1,
          [ITEM_CONSENT] = 1,
          [ITEM_COURT_LIST] = 1,
          [ITEM_MORTGAGES] = 1,
          [ITEM_PRICE_SANITY] = 1}},
        {&family,
         {[ITEM_ID_NUMBER] = 3,    [ITEM_IDENTITY] = 3,     [ITEM_MARRIAGE] = 2,       [ITEM_CHILDREN] = 1,
          [ITEM_CONTRIBUTION] = 2, [ITEM_LOAN_HISTORY] = 3, [ITEM_FRAUD_LIST] = 3,     [ITEM_CREDIT_FUND] = 3,
          [ITEM_CREDIT_BANK] = 3,  [ITEM_HOME_COUNT] = 1,   [ITEM_HOME_CONTRACT] = 1,  [ITEM_GREEN_BUILDING] = 0,
          [ITEM_INCOME] = 1,       [ITEM_RETIREMENT] = 1,   [ITEM_CONSENT] = 1,        [ITEM_MARRIAGE_PAIR] = 1,
          [ITEM_COURT_LIST] = 3,   [ITEM_MORTGAGES] = 1,    [ITEM_PROPERTY_RIGHT] = 1, [ITEM_APPRAISAL] = 1,
          [ITEM_PRICE_SANITY] = 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct item_key keys[CL_ITEM_RESULTS_MAX];
        size_t counts[ITEM_COUNT] = {0};
        persona_case(&world, rows[i].persona, world_now_ms());
        size_t count = catalogue_items_for(keys, &world.application, PHASE_DECISION);
        for (size_t j = 0; j < count; j++) {
            assert_true(catalogue_applies(&world.application, keys[j]));
            counts[keys[j].item]++;
        }
        assert_memory_equal(counts, rows[i].counts, sizeof counts);
        assert_false(catalogue_applies(&world.application, (struct item_key){ITEM_IDENTITY, 3}));
        assert_false(catalogue_applies(&world.application, (struct item_key){ITEM_INCOME, 1}));
        assert_false(catalogue_applies(&world.application, (struct item_key){ITEM_NONE, 0}));
    }
}

static void an_answer_holds_until_the_end_of_a_day(void **state)
{
    (void)state;
    int64_t morning_ms = cl_date_to_ms(20261123) + 1;
    int64_t evening_ms = cl_date_to_ms(20261124) - 1;
    const struct catalogue_row *marriage = catalogue_row(ITEM_MARRIAGE); /* 30 days */
    assert_int_equal(catalogue_valid_until_ms(marriage, morning_ms), cl_date_to_ms(20261224) - 1);
    assert_int_equal(catalogue_valid_until_ms(marriage, evening_ms), cl_date_to_ms(20261224) - 1);
    assert_int_equal(catalogue_valid_until_ms(marriage, INT64_MIN), INT64_MIN); /* a peer chose it */
    assert_int_equal(catalogue_valid_until_ms(marriage, INT64_MAX), INT64_MAX);
}

static void technical_failures_are_told_from_answers(void **state)
{
    (void)state;
    for (unsigned kind = FAILURE_NONE; kind < FAILURE_KIND_COUNT; kind++) {
        assert_int_equal(failure_is_technical((enum failure_kind)kind), kind >= FAILURE_STALE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_has_a_row),
        cmocka_unit_test(credit_reports_stay_with_who_asked),
        cmocka_unit_test(items_apply_to_whom_they_concern),
        cmocka_unit_test(an_answer_holds_until_the_end_of_a_day),
        cmocka_unit_test(technical_failures_are_told_from_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
