/* people: the personas file is complete and right, and generated people are who they claim to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/people.h"

static struct people *personas(void)
{
    struct people *people = NULL;
    struct sandbox_problem problem;
    if (cl_failed(people_load(&people, COLOAN_SOURCE_DIR "/sandbox/personas.yaml", &problem))) {
        fail_msg("%s", problem.text);
    }
    return people;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL) {
        fail_msg("no text %s", key);
    }
    return text;
}

static json_int_t number_of(const json_t *object, const char *key)
{
    if (!json_is_integer(json_object_get(object, key))) {
        fail_msg("no number %s", key);
    }
    return json_integer_value(json_object_get(object, key));
}

static void assert_id_number(const char *id_number, const char *area)
{
    assert_int_equal(strlen(id_number), 18);
    assert_int_equal(strspn(id_number, "0123456789X"), 18);
    assert_int_equal(strncmp(id_number, area, 6), 0);
    assert_int_equal(people_check_digit(id_number), id_number[17]);
    int year = 0;
    int month = 0;
    int day = 0;
    assert_int_equal(sscanf(id_number + 6, "%4d%2d%2d", &year, &month, &day), 3);
    assert_in_range(year, 1960, 2006);
    assert_in_range(month, 1, 12);
    assert_in_range(day, 1, 31);
}

static void check_digits_are_gb_11643(void **state)
{
    (void)state;
    assert_int_equal(people_check_digit("11010519491231002"), 'X'); /* the standard's own example */
    assert_int_equal(people_check_digit("99010119960315001"), '9');
    assert_int_equal(people_check_digit("99010119960315002"), '7');
    assert_int_equal(people_check_digit("99010119680615003"), '1');
}

static void every_persona_is_there(void **state)
{
    (void)state;
    static const char *const ids[] = {"P01", "P02", "P03", "P04", "P04R", "P05", "P06", "P07", "P08", "P09",
                                      "P10", "P11", "P12", "P21", "P22",  "P23", "P24", "P31", "P32", "P33",
                                      "P34", "P35", "P36", "P37", "P38",  "P39", "E01", "E02", "E03", "E04",
                                      "E05", "E06", "E07", "E08", "E09",  "E10", "E11"};
    struct people *people = personas();
    size_t count = sizeof ids / sizeof ids[0];
    for (size_t i = 0; i < count; i++) {
        json_t *persona = people_find(people, ids[i]);
        assert_non_null(persona);
        assert_ptr_equal(people_at(people, i), persona);
        assert_ptr_equal(people_with_contract(people, text_of(json_object_get(persona, "home"), "contractNo")),
                         persona);
    }
    assert_null(people_at(people, count));
    assert_null(people_find(people, "P99"));
    assert_null(people_with_contract(people, "TEST-P99"));
    people_free(people);
}

static void check_person(const struct people *people, const json_t *persona, const json_t *person, size_t index)
{
    static const char *const facts[] = {"identity",     "marriage",   "contribution",
                                        "loan_history", "fraud_list", "credit_fund"};
    size_t found = 9;
    assert_id_number(text_of(person, "id_number"), "990101");
    assert_ptr_equal(people_with_id_number(people, text_of(person, "id_number"), &found), persona);
    assert_int_equal(found, index);
    assert_int_equal(strncmp(text_of(person, "name"), "测试", strlen("测试")), 0);
    assert_int_equal(strlen(text_of(person, "mobile")), 11);
    assert_string_equal(text_of(person, "role"), index == 0 ? "BORROWER" : "SPOUSE");
    bool married = strcmp(text_of(person, "declared"), "MARRIED") == 0;
    assert_int_equal(married, json_array_size(json_object_get(persona, "people")) == 2);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        assert_true(json_is_object(json_object_get(json_object_get(person, "facts"), facts[i])));
    }
}

static void every_persona_is_complete(void **state)
{
    (void)state;
    static const char *const facts[] = {"home_contract", "green_building", "children", "home_count"};
    struct people *people = personas();
    for (size_t i = 0; people_at(people, i) != NULL; i++) {
        const json_t *persona = people_at(people, i);
        const json_t *list = json_object_get(persona, "people");
        size_t index;
        json_t *person;
        json_array_foreach(list, index, person)
        {
            check_person(people, persona, person, index);
        }
        for (size_t j = 0; j < sizeof facts / sizeof facts[0]; j++) {
            assert_true(json_is_object(json_object_get(json_object_get(persona, "facts"), facts[j])));
        }
        const json_t *bank = json_object_get(persona, "bank");
        assert_true(number_of(bank, "income_fen") > 0);
        assert_int_equal(json_array_size(json_object_get(bank, "credit")), json_array_size(list));
    }
    people_free(people);
}

/* The amounts of domain rules, in yuan and fen as they were worked out by hand. */
static void expectations_are_the_worked_examples(void **state)
{
    (void)state;
    static const struct {
        const char *id, *outcome, *reason, *limit;
        json_int_t fund, commercial, fund_instalment, commercial_instalment, term;
    } rows[] = {
        {"P01", "APPROVED_COMBINED", "AMT-CAP", "AMT-CAP", 800000, 240000, 320272, 101833, 360},
        {"P02", "APPROVED_COMBINED", "AMT-CAP", "AMT-CAP", 1000000, 1080000, 400340, 458250, 360},
        {"P03", "APPROVED_COMBINED", "AMT-BAL", "AMT-BAL", 420000, 620000, 168143, 263069, 360},
        {"P04", "APPROVED_FUND_ONLY", "AMT-PTI", "AMT-PTI", 499000, 0, 199770, 0, 360},
        {"P04R", "REJECTED_FUND", "JNT-HOUSING", NULL, 0, 0, 0, 0, 0},
        {"P05", "REJECTED_FUND", "CON-MONTHS", NULL, 0, 0, 0, 0, 0},
        {"P06", "APPROVED_COMBINED", "AGE-TERM", "AMT-CAP", 800000, 160000, 1042704, 211774, 84},
        {"P07", "APPROVED_COMBINED", "AMT-CAP", "AMT-CAP", 1000000, 600000, 425660, 267755, 360},
        {"P08", "REJECTED_FUND", "HPF-UNSETTLED", NULL, 0, 0, 0, 0, 0},
        {"P09", "REJECTED_FUND", "HPF-COUNT", NULL, 0, 0, 0, 0, 0},
        {"P10", "REJECTED_FUND", "CRD-3-6", NULL, 0, 0, 0, 0, 0},
        {"P11", "APPROVED_COMBINED", "AMT-CAP", "AMT-CAP", 1440000, 960000, 576489, 407333, 360},
        {"P12", "SUPPLEMENT", "MAR-CONTRADICT", NULL, 0, 0, 0, 0, 0},
        {"P21", "MANUAL", "SYS-SOURCE", NULL, 0, 0, 0, 0, 0},
        {"P22", "MANUAL", "MAR-RECORD", NULL, 0, 0, 0, 0, 0},
        {"P23", "SUPPLEMENT", "HSE-PRICE", NULL, 0, 0, 0, 0, 0},
        {"P24", "MANUAL", "SYS-SOURCE", NULL, 0, 0, 0, 0, 0},
        {"P31", "APPROVED_COMBINED", "AMT-CAP", "AMT-CAP", 800000, 240000, 320272, 101833, 360},
        {"P32", "APPROVED_COMBINED", "HSE-MORTGAGED", "AMT-CAP", 800000, 320000, 320272, 135778, 360},
        {"P33", "REJECTED_FUND", "HSE-SEIZED", NULL, 0, 0, 0, 0, 0},
        {"P34", "REJECTED_FUND", "CRT-LISTED", NULL, 0, 0, 0, 0, 0},
        {"P35", "MANUAL", "CRT-RECORD", NULL, 0, 0, 0, 0, 0},
        {"P36", "MANUAL", "EMP-CLOSED", NULL, 0, 0, 0, 0, 0},
        {"P37", "APPROVED_COMBINED", "AMT-CAP", "AMT-CAP", 800000, 240000, 320272, 101833, 360},
        {"P38", "SUPPLEMENT", "MAR-CONTRADICT", NULL, 0, 0, 0, 0, 0},
        {"P39", "REJECTED_FUND", "HSE-PROJECT", NULL, 0, 0, 0, 0, 0},
    };
    struct people *people = personas();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *persona = people_find(people, rows[i].id);
        const json_t *expect = json_object_get(persona, "expect");
        const json_t *reasons = json_object_get(expect, "reasons");
        bool named = false;
        for (size_t j = 0; j < json_array_size(reasons); j++) {
            named = named || strcmp(json_string_value(json_array_get(reasons, j)), rows[i].reason) == 0;
        }
        assert_true(named);
        assert_string_equal(text_of(expect, "outcome"), rows[i].outcome);
        if (rows[i].limit == NULL) {
            assert_null(json_object_get(expect, "fund_fen"));
            continue;
        }
        assert_string_equal(text_of(expect, "binding_limit"), rows[i].limit);
        assert_int_equal(number_of(expect, "fund_fen"), rows[i].fund * 100);
        assert_int_equal(number_of(expect, "commercial_fen"), rows[i].commercial * 100);
        assert_int_equal(number_of(expect, "fund_instalment_fen"), rows[i].fund_instalment);
        assert_int_equal(number_of(expect, "commercial_instalment_fen"), rows[i].commercial_instalment);
        assert_int_equal(number_of(expect, "term_months"), rows[i].term);
        assert_int_equal(number_of(expect, "down_payment_fen"),
                         number_of(json_object_get(persona, "home"), "priceFen") -
                             (rows[i].fund + rows[i].commercial) * 100);
    }
    assert_string_equal(text_of(json_object_get(people_find(people, "P09"), "expect_relaxed"), "outcome"),
                        "APPROVED_COMBINED");
    people_free(people);
}

/* -- Generated people ---------------------------------------------------------------------------------------- */

static void generated_people_are_unique_and_lasting(void **state)
{
    (void)state;
    enum { HOUSEHOLDS = 20000 };
    json_t *seen = json_object();
    size_t persons = 0;
    for (uint64_t n = 0; n < HOUSEHOLDS; n++) {
        json_t *persona = people_make_generated(n < HOUSEHOLDS / 2 ? n : PEOPLE_GENERATED_MAX - 1 - n);
        assert_non_null(persona);
        const json_t *list = json_object_get(persona, "people");
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *id_number = text_of(json_array_get(list, i), "id_number");
            assert_id_number(id_number, "990102");
            assert_null(json_object_get(seen, id_number));
            assert_int_equal(json_object_set_new(seen, id_number, json_true()), 0);
            assert_int_equal(strlen(text_of(json_array_get(list, i), "mobile")), 11);
            persons++;
        }
        json_decref(persona);
    }
    assert_in_range(persons, HOUSEHOLDS + HOUSEHOLDS / 2, HOUSEHOLDS + HOUSEHOLDS * 6 / 10); /* 55 % couples */
    json_decref(seen);

    json_t *once = people_make_generated(4711);
    json_t *again = people_make_generated(4711);
    assert_true(json_equal(once, again));
    json_decref(once);
    json_decref(again);
}

/* How many of 10,000 people an item says `key` = `value` of. */
static size_t share(const char *item, const char *key, const json_t *value)
{
    size_t count = 0;
    for (unsigned i = 0; i < 10000; i++) {
        char id_number[19];
        (void)snprintf(id_number, sizeof id_number, "9901031990010%04u7", i);
        json_t *facts = people_make_person_facts(item, id_number);
        assert_non_null(facts);
        count += json_equal(key == NULL ? facts : json_object_get(facts, key), value) == 1 ? 1 : 0;
        json_decref(facts);
    }
    return count;
}

static void the_odds_are_as_published(void **state)
{
    (void)state;
    const struct {
        const char *item;
        const char *key;
        json_t *value;
        size_t min, max; /* of 10,000 */
    } rows[] = {
        {"IDENTITY", "match", json_true(), 9950, 9995},
        {"MARRIAGE", "status", json_string("SINGLE"), 9800, 9900}, /* of no generated household */
        {"MARRIAGE", NULL, json_string("NO_RECORD"), 60, 140},
        {"CHILDREN", "minors", json_integer(2), 1100, 1300},
        {"CONTRIBUTION", "months", json_integer(3), 15, 80},
        {"CONTRIBUTION", "sealed", json_true(), 25, 80},
        {"LOAN_HISTORY", "loans_used", json_integer(0), 8650, 8950},
        {"LOAN_HISTORY", "loans_open", json_integer(1), 60, 140},
        {"FRAUD_LIST", "banned_until", json_string("2029-12-31"), 5, 40},
        {"CREDIT_FUND", "overdue_consecutive", json_integer(0), 9500, 9700},
        {"CREDIT_FUND", "overdue_now", json_true(), 60, 140},
        {"HOME_COUNT", "homes", json_integer(2), 150, 250},
        {"FACE", "match", json_true(), 9900, 9990},
        {"ID_DOCUMENT", "valid", json_true(), 9900, 9990},
        {"MARRIAGE_PAIR", "match", json_true(), 9900, 9990},
        {"CONTRIBUTION_OFFSITE", NULL, json_string("NO_RECORD"), 420, 580},
        {"COURT_LIST", "listed", json_true(), 10, 60},
        {"COURT_LIST", NULL, json_string("AMBIGUOUS"), 40, 110},
        {"MORTGAGES", "open", json_integer(2), 60, 140},
        {"ACCOUNT", "match", json_false(), 60, 140},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t count = share(rows[i].item, rows[i].key, rows[i].value);
        if (count < rows[i].min || count > rows[i].max) {
            fail_msg("%s %s: %zu of 10,000", rows[i].item, rows[i].key == NULL ? "" : rows[i].key, count);
        }
        json_decref(rows[i].value);
    }
    assert_null(people_make_person_facts("GREEN_BUILDING", "990103199001010007"));
}

/* A household's register knows what it declares, but for the published odds. */
static void couples_are_married(void **state)
{
    (void)state;
    size_t persons = 0;
    size_t as_declared = 0;
    for (uint64_t n = 0; n < 4000; n++) {
        json_t *household = people_make_generated(n * 586 % PEOPLE_GENERATED_MAX);
        const json_t *list = json_object_get(household, "people");
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *person = json_array_get(list, i);
            json_t *facts = people_make_person_facts("MARRIAGE", text_of(person, "id_number"));
            as_declared +=
                json_equal(json_object_get(facts, "status"), json_object_get(person, "declared")) == 1 ? 1 : 0;
            persons++;
            json_decref(facts);
        }
        json_decref(household);
    }
    assert_in_range(as_declared * 1000 / persons, 980, 990);
}

/* The same of homes: of 10,000 contracts. */
static void the_odds_of_homes_are_as_published(void **state)
{
    (void)state;
    const struct {
        const char *item, *key;
        json_t *value;
        size_t min, max;
    } rows[] = {
        {"PROJECT", "admitted", json_false(), 20, 80},
        {"PROJECT", NULL, json_string("NO_RECORD"), 20, 80},
        {"PROPERTY_RIGHT", "mortgaged", json_true(), 2850, 3150},
        {"PROPERTY_RIGHT", "seized", json_true(), 10, 60},
        {"PROPERTY_RIGHT", "owner_match", json_false(), 20, 80},
        {"APPRAISAL", "value_fen", json_integer(130000000), 550, 800}, /* one of fifteen */
        {"REGISTRATION", "state", json_string("NEED_MORE_MATERIAL"), 60, 140},
        {"COMPLETION_FILING", "polls", json_integer(1), 10000, 10000},
        {"DOWN_PAYMENT", "payer_match", json_true(), 10000, 10000},
        {"SUPERVISION_ACCOUNT", "account", json_string("320"), 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t count = 0;
        for (unsigned n = 0; n < 10000; n++) {
            char contract_no[64];
            (void)snprintf(contract_no, sizeof contract_no, "SYN-130000000-8900-%u", n);
            json_t *facts = people_make_home_facts(rows[i].item, contract_no);
            assert_non_null(facts);
            count += json_equal(rows[i].key == NULL ? facts : json_object_get(facts, rows[i].key), rows[i].value) == 1;
            json_decref(facts);
        }
        if (count < rows[i].min || count > rows[i].max) {
            fail_msg("%s %s: %zu of 10,000", rows[i].item, rows[i].key == NULL ? "" : rows[i].key, count);
        }
        json_decref(rows[i].value);
    }
    assert_null(people_make_home_facts("IDENTITY", "SYN-130000000-8900-1"));
}

static void a_contract_says_what_was_filed(void **state)
{
    (void)state;
    size_t as_said = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char contract_no[64];
        (void)snprintf(contract_no, sizeof contract_no, "SYN-130000000-8900-%u", i);
        json_t *facts = people_make_home_facts("HOME_CONTRACT", contract_no);
        as_said += number_of(facts, "price_fen") == 130000000 && number_of(facts, "area_centi_m2") == 8900 &&
                           json_is_true(json_object_get(facts, "filed")) &&
                           json_is_true(json_object_get(facts, "buyers_match"))
                       ? 1
                       : 0;
        json_decref(facts);
    }
    assert_in_range(as_said, 960, 995);
    json_t *other = people_make_home_facts("HOME_CONTRACT", "HT-2026-1");
    assert_string_equal(json_string_value(other), "NO_RECORD");
    json_decref(other);
}

/* -- Files that are wrong ------------------------------------------------------------------------------------ */

#define DEFAULTS "defaults: {person: {identity: {match: true}}, case: {homes: 0}}\n"
#define PERSON(id_number)                                                                                              \
    "{name: 测试, id_number: \"" id_number "\", mobile: \"1\", role: B, declared: S, staff: C, contributes: true}"
#define PERSONA(id, contract, people)                                                                                  \
    "  - {id: " id ", title: t, address: a, home: {contractNo: " contract "}, request: {}, bank: {}, people: [" people \
    "]}\n"

static void wrong_files_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problem; /* part of it; NULL: the file is right */
    } rows[] = {
        {DEFAULTS "personas:\n" PERSONA("A", "C", PERSON("1")), NULL},
        {DEFAULTS "personas: []\n", NULL},
        {DEFAULTS "personas:\n" PERSONA("A", "C", PERSON("1")) PERSONA("B", "D", PERSON("2")), NULL},
        {DEFAULTS "personas:\n" PERSONA("A", "C", PERSON("1")) PERSONA("B", "D", PERSON("1")),
         "ID number stands twice"},
        {DEFAULTS "personas:\n" PERSONA("A", "C", PERSON("1")) PERSONA("B", "C", PERSON("2")),
         "contractNo stands twice"},
        {DEFAULTS "personas:\n" PERSONA("A", "C", ""), "people"},
        {DEFAULTS "personas:\n" PERSONA("A", "C", "{name: x}"), "id_number"},
        {DEFAULTS "personas:\n  - {id: A}\n", "persona A: id, title"},
        {DEFAULTS "personas: 7\n", "defaults.person"},
        {"personas: []\n", "defaults.person"},
        {"a: 1\na: 2\n", ":2: a key"},
        {"a: &x [*x]\n", "nested too deep"},
        {"a: [1\n", ":2: "},
        {"? [a]\n: b\n", "a key"},
        {"- \"\\xff\"\n- &y {a: !!binary x}\n", "persona without id"},
        {"", "empty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[] = "/tmp/coloan-people-XXXXXX";
        struct people *people = NULL;
        struct sandbox_problem problem = {.text = ""};
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, rows[i].text, strlen(rows[i].text)), (ssize_t)strlen(rows[i].text));
        assert_int_equal(close(fd), 0);
        struct cl_status status = people_load(&people, path, &problem);
        assert_int_equal(unlink(path), 0);
        if (cl_is_ok(status) != (rows[i].problem == NULL) ||
            (rows[i].problem != NULL && strstr(problem.text, rows[i].problem) == NULL)) {
            fail_msg("%s gave %s, %s", rows[i].text, cl_status_name(status), problem.text);
        }
        people_free(people);
    }
    struct people *people = NULL;
    struct sandbox_problem problem;
    assert_int_equal(people_load(&people, "/nonexistent/personas.yaml", &problem).reason, CL_CONFIG_INVALID);
    assert_non_null(strstr(problem.text, "/nonexistent/personas.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_digits_are_gb_11643),
        cmocka_unit_test(every_persona_is_there),
        cmocka_unit_test(every_persona_is_complete),
        cmocka_unit_test(expectations_are_the_worked_examples),
        cmocka_unit_test(generated_people_are_unique_and_lasting),
        cmocka_unit_test(the_odds_are_as_published),
        cmocka_unit_test(couples_are_married),
        cmocka_unit_test(the_odds_of_homes_are_as_published),
        cmocka_unit_test(a_contract_says_what_was_filed),
        cmocka_unit_test(wrong_files_are_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
