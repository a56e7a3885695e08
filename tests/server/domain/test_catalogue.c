/* The catalogue of verification items: a row for each, applied to whom it concerns, each lender's secrets kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
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
/* Covers: COL-VER-010 */
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

static size_t count_in(const struct application *application, enum item item, enum item_phase phase)
{
    struct item_key keys[CL_ITEM_RESULTS_MAX];
    size_t count = catalogue_items_for(keys, application, phase);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += keys[i].item == item ? 1 : 0;
    }
    return found;
}

static void give_employers(struct application *application)
{
    application->persons[0].employer_uscc = application->persons[1].employer_uscc = "91990000MA0000015Q";
}

static void give_centre(struct application *application)
{
    application->persons[0].contribution_centre = "320100000000000";
}

static void give_tokens(struct application *application)
{
    application->persons[0].face_token = application->persons[2].face_token = "face-1";
}

static void give_document(struct application *application)
{
    application->persons[1].id_valid_until = 20300101;
}

static void give_account(struct application *application)
{
    application->has_account = true;
}

static void give_presale(struct application *application)
{
    application->home.kind = HOME_NEW;
    application->home.presale = true;
}

static void give_permit(struct application *application)
{
    application->home.kind = HOME_NEW;
    application->home.permit_no = "permit-1";
}

static void give_nothing(struct application *application)
{
    (void)application;
}

/* What widens the checks is asked when it is given, in the phases it is needed for, and not otherwise. */
static void optional_items_apply_when_they_are_given(void **state)
{
    (void)state;
    static const struct {
        void (*give)(struct application *application);
        enum item item;
        size_t counts[PHASE_COUNT];
    } rows[] = {
        {give_nothing, ITEM_EMPLOYER, {0}},
        {give_employers, ITEM_EMPLOYER, {[PHASE_DECISION] = 2}},
        {give_nothing, ITEM_CONTRIBUTION, {[PHASE_DECISION] = 2, [PHASE_DISBURSEMENT] = 2}},
        {give_nothing, ITEM_CONTRIBUTION_OFFSITE, {0}},
        {give_centre, ITEM_CONTRIBUTION, {[PHASE_DECISION] = 1, [PHASE_DISBURSEMENT] = 1}},
        {give_centre, ITEM_CONTRIBUTION_OFFSITE, {[PHASE_DECISION] = 1, [PHASE_DISBURSEMENT] = 1}},
        {give_tokens, ITEM_FACE, {[PHASE_DECISION] = 2}},
        {give_document, ITEM_ID_DOCUMENT, {[PHASE_DECISION] = 1}},
        {give_nothing, ITEM_ACCOUNT, {0}},
        {give_account, ITEM_ACCOUNT, {[PHASE_DECISION] = 1, [PHASE_DISBURSEMENT] = 1}},
        {give_nothing, ITEM_PROJECT, {0}},
        {give_presale, ITEM_PROJECT, {[PHASE_DECISION] = 1}},
        {give_permit, ITEM_PROJECT, {[PHASE_DECISION] = 1}},
        {give_permit, ITEM_COMPLETION_FILING, {0}},
        {give_presale, ITEM_COMPLETION_FILING, {[PHASE_DISBURSEMENT] = 1}},
        {give_presale, ITEM_SUPERVISION_ACCOUNT, {[PHASE_DISBURSEMENT] = 1}},
        {give_presale, ITEM_PROPERTY_RIGHT, {0}},
        {give_nothing, ITEM_PROPERTY_RIGHT, {[PHASE_DECISION] = 1, [PHASE_DISBURSEMENT] = 1}},
        {give_nothing, ITEM_MARRIAGE, {[PHASE_DECISION] = 2, [PHASE_DISBURSEMENT] = 2}},
        {give_nothing, ITEM_DOWN_PAYMENT, {[PHASE_DISBURSEMENT] = 1}},
        {give_nothing, ITEM_REGISTRATION, {[PHASE_REGISTRATION] = 1}},
        {give_nothing, ITEM_IDENTITY, {[PHASE_DECISION] = 3}},
        {give_nothing, ITEM_CREDIT_FUND, {[PHASE_DECISION] = 3, [PHASE_DISBURSEMENT] = 3}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        persona_case(&world, &family, world_now_ms());
        rows[i].give(&world.application);
        for (unsigned phase = PHASE_DECISION; phase < PHASE_COUNT; phase++) {
            size_t count = count_in(&world.application, rows[i].item, (enum item_phase)phase);
            if (count != rows[i].counts[phase]) {
                fail_msg("row %zu, phase %u: %zu", i, phase, count);
            }
        }
    }
}

/* A centre does without an item; who keeps an account elsewhere is then asked for here. */
static void an_item_left_out_applies_to_nobody(void **state)
{
    (void)state;
    struct world_case world;
    persona_case(&world, &family, world_now_ms());
    give_centre(&world.application);
    world.application.items_unused = ITEM_BIT(ITEM_COURT_LIST) | ITEM_BIT(ITEM_CONTRIBUTION_OFFSITE);
    assert_int_equal(count_in(&world.application, ITEM_COURT_LIST, PHASE_DECISION), 0);
    assert_int_equal(count_in(&world.application, ITEM_CONTRIBUTION_OFFSITE, PHASE_DECISION), 0);
    assert_int_equal(count_in(&world.application, ITEM_CONTRIBUTION, PHASE_DECISION), 2);
    assert_false(catalogue_applies(&world.application, (struct item_key){ITEM_COURT_LIST, 0}));
    static const enum item needed[] = {ITEM_CONTRIBUTION, ITEM_LOAN_HISTORY, ITEM_CREDIT_FUND, ITEM_HOME_COUNT,
                                       ITEM_INCOME,       ITEM_RETIREMENT,   ITEM_CONSENT};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        assert_true(catalogue_row(needed[i])->needed); /* the sums rest on them */
    }
}

/* What was asked under an authorisation of one case, or of one moment, serves no other. */
/* -- What is published --------------------------------------------------------------------------------------- */

/* The line of an item in a table of the protocol: "| NAME |" or "| NAME 名称 |". */
static bool find_line(char *out, size_t size, const char *path, const char *name)
{
    char start[64];
    bool found = false;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    (void)snprintf(start, sizeof start, "| %s ", name);
    while (!found && fgets(out, (int)size, file) != NULL) {
        found = strncmp(out, start, strlen(start)) == 0;
    }
    (void)fclose(file);
    return found;
}

/* The cell's text after `count` bars. */
static void read_cell(char *out, size_t size, const char *line, unsigned count)
{
    while (count > 0) {
        line = strchr(line, '|');
        assert_non_null(line);
        line++;
        count--;
    }
    size_t len = strcspn(line, "|");
    (void)snprintf(out, size, "%.*s", (int)len, line);
}

static void check_line(const char *line, const struct catalogue_row *row, const char *const views[3])
{
    enum { FUND_CELL = 5, BANK_CELL, BORROWER_CELL, DAYS_CELL };
    const enum item_view shown[] = {row->fund_view, row->bank_view, row->borrower_view};
    char cell[256];
    for (unsigned i = 0; i < 3; i++) {
        read_cell(cell, sizeof cell, line, FUND_CELL + i);
        if (strstr(cell, views[shown[i]]) == NULL) {
            fail_msg("%s, reader %u:%s", row->name, i, cell);
        }
    }
    read_cell(cell, sizeof cell, line, DAYS_CELL);
    assert_true(row->valid_days == 3650 ? strstr(cell, "–") != NULL : atoi(cell) == row->valid_days);
    for (size_t i = 0; i < ITEM_FACTS_MAX && row->facts[i].name != NULL; i++) {
        (void)snprintf(cell, sizeof cell, "%s`%s`", row->facts[i].required ? "" : "[", row->facts[i].name);
        if (strstr(line, cell) == NULL) {
            fail_msg("%s: no %s", row->name, cell);
        }
    }
}

static void the_protocol_says_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *views[3]; /* by enum item_view */
    } documents[] = {
        {COLOAN_SOURCE_DIR "/docs/spec/en/specification.md", {"nothing", "verdict", "value"}},
        {COLOAN_SOURCE_DIR "/docs/spec/zh/specification.md", {"不可见", "结论", "值"}},
    };
    for (size_t i = 0; i < 2; i++) {
        for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
            char line[1024];
            const struct catalogue_row *row = catalogue_row((enum item)item);
            if (!find_line(line, sizeof line, documents[i].path, row->name)) {
                fail_msg("%s is not in %s", row->name, documents[i].path);
            }
            check_line(line, row, documents[i].views);
        }
    }
}

static void each_reader_has_a_column(void **state)
{
    (void)state;
    static const struct {
        enum item item;
        enum item_reader reader;
        unsigned person;
        enum item_view view;
    } rows[] = {
        {ITEM_MARRIAGE, READER_FUND, 1, VIEW_VALUE},
        {ITEM_MARRIAGE, READER_BANK, 1, VIEW_VERDICT},
        {ITEM_MARRIAGE, READER_BORROWER, 0, VIEW_VALUE},
        {ITEM_MARRIAGE, READER_BORROWER, 1, VIEW_VERDICT}, /* another's */
        {ITEM_HOME_CONTRACT, READER_BORROWER, 0, VIEW_VALUE},
        {ITEM_CREDIT_FUND, READER_FUND, 0, VIEW_VALUE},
        {ITEM_CREDIT_FUND, READER_BANK, 0, VIEW_NONE},
        {ITEM_CREDIT_FUND, READER_BORROWER, 0, VIEW_NONE},
        {ITEM_CREDIT_BANK, READER_FUND, 0, VIEW_VERDICT},
        {ITEM_CREDIT_BANK, READER_BORROWER, 1, VIEW_NONE},
        {ITEM_FACE, READER_FUND, 0, VIEW_VERDICT},
        {ITEM_ACCOUNT, READER_FUND, 0, VIEW_VERDICT},
        {ITEM_ACCOUNT, READER_BANK, 0, VIEW_VALUE},
        {ITEM_CONTRIBUTION_OFFSITE, READER_BANK, 0, VIEW_NONE},
        {ITEM_REGISTRATION, READER_BORROWER, 0, VIEW_VALUE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(catalogue_view(catalogue_row(rows[i].item), rows[i].reader, rows[i].person), rows[i].view);
    }
}

static void what_is_one_cases_own_is_not_reused(void **state)
{
    (void)state;
    static const enum item own[] = {ITEM_CREDIT_FUND,    ITEM_CREDIT_BANK, ITEM_FACE,         ITEM_HOME_CONTRACT,
                                    ITEM_PROPERTY_RIGHT, ITEM_ACCOUNT,     ITEM_DOWN_PAYMENT, ITEM_REGISTRATION,
                                    ITEM_MORTGAGES,      ITEM_INCOME,      ITEM_CONSENT};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        assert_int_equal(catalogue_row(own[i])->reuse, REUSE_NEVER);
    }
    assert_int_equal(catalogue_row(ITEM_EMPLOYER)->reuse, REUSE_VALID);
    assert_int_equal(catalogue_row(ITEM_CONTRIBUTION)->reuse, REUSE_SAME_DAY);
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

/* Covers: COL-VER-008 */
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
        cmocka_unit_test(optional_items_apply_when_they_are_given),
        cmocka_unit_test(an_item_left_out_applies_to_nobody),
        cmocka_unit_test(the_protocol_says_the_same),
        cmocka_unit_test(each_reader_has_a_column),
        cmocka_unit_test(what_is_one_cases_own_is_not_reused),
        cmocka_unit_test(an_answer_holds_until_the_end_of_a_day),
        cmocka_unit_test(technical_failures_are_told_from_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
