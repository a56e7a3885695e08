/* items: the table, what each request holds, and how each answer is judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/domain/catalogue.h"
#include "server/source/wording.h"

#define NOW_MS     INT64_C(1795500000000)
#define REQUEST_ID "00112233445566778899aabbccddeeff"

static void put(char *out, size_t size, const char *text)
{
    assert_true(cl_is_ok(source_text(out, size, text, strlen(text))));
}

/* A couple and a parent who helps out. */
static struct source_inquiry *family(void)
{
    static const char *const names[] = {"测试甲", "测试\"乙\"", "测试丙"};
    static const char *const id_numbers[] = {"990101199603150019", "990101199603150027", "990101196806150031"};
    struct source_inquiry *inquiry = NULL;
    assert_true(cl_is_ok(source_inquiry_create(&inquiry, 1)));
    for (size_t i = 0; i < 3; i++) {
        struct source_person *person = &inquiry->persons[i];
        put(person->name, sizeof person->name, names[i]);
        put(person->id_number, sizeof person->id_number, id_numbers[i]);
        put(person->credit_authorisation, sizeof person->credit_authorisation, "consent-7");
        put(person->mobile, sizeof person->mobile, "19900010000");
        put(person->employer_uscc, sizeof person->employer_uscc, "91990000MA0000015Q");
        put(person->contribution_centre, sizeof person->contribution_centre, "320100000000000");
        put(person->face_token, sizeof person->face_token, "face-9");
        person->id_valid_until = 20360101;
        person->spouse = i == 0 ? 2 : (i == 1 ? 1 : 0);
        person->household = i < 2;
        person->buyer = i != 1;
    }
    put(inquiry->home.contract_no, sizeof inquiry->home.contract_no, "HT-1");
    put(inquiry->home.district_code, sizeof inquiry->home.district_code, "320102");
    put(inquiry->home.unit_no, sizeof inquiry->home.unit_no, "320102001001GB00001F00010001");
    put(inquiry->home.permit_no, sizeof inquiry->home.permit_no, "permit-1");
    put(inquiry->home.registry_no, sizeof inquiry->home.registry_no, "REG-1");
    put(inquiry->home.account, sizeof inquiry->home.account, "6222000000000001");
    inquiry->person_count = 3;
    return inquiry;
}

static struct source_question *question_of(struct source_inquiry *inquiry, enum source_item item, unsigned person,
                                           int64_t valid_ms)
{
    inquiry->question_count = 0;
    assert_true(cl_is_ok(source_inquiry_add(inquiry, item, person, valid_ms)));
    return &inquiry->questions[0];
}

/* Without a mapping. */
static struct cl_status write_request(char *out, size_t *len_out, const struct source_question *question)
{
    struct source_mapping mapping;
    source_mapping_default(&mapping, source_item_row(question->item));
    return source_request_write(out, len_out, question, &mapping, REQUEST_ID);
}

static enum source_failure read_error(struct cl_bytes body)
{
    struct source_mapping mapping;
    source_mapping_default(&mapping, source_item_row(SOURCE_IDENTITY));
    return source_error_read(&mapping, body);
}

static void the_table_is_in_order(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct source_item_row *row = source_item_at(0); row != NULL; row = source_item_at(++count)) {
        assert_ptr_equal(source_item_row(row->item), row);
        assert_ptr_equal(source_item_find(row->name), row);
        assert_int_equal(strncmp(row->path, "/v1/", 4), 0);
        assert_true(strlen(row->path) <= SOURCE_URL_PATH_BYTES_MAX);
        assert_true(row->sends != 0);
        assert_non_null(row->fields[0].name);
        assert_int_not_equal(row->no_record, SOURCE_PASS);
        assert_int_not_equal(row->no_record, SOURCE_OPEN);
        for (size_t i = 0; i < count; i++) {
            assert_true(source_item_at(i)->item < row->item);
            assert_string_not_equal(source_item_at(i)->path, row->path);
        }
    }
    assert_int_equal(count, 25);
    assert_null(source_item_row((enum source_item)13));
    assert_null(source_item_find("INCOME"));
    assert_false(source_failure_is_technical(SOURCE_FAILURE_NONE));
    assert_false(source_failure_is_technical(SOURCE_AMBIGUOUS));
    assert_true(source_failure_is_technical(SOURCE_STALE));
    assert_true(source_failure_is_technical(SOURCE_UNREACHABLE));
}

static const struct source_field *fact_field(const struct source_item_row *row, const char *name)
{
    for (size_t i = 0; i < SOURCE_FACTS_MAX && row->fields[i].name != NULL; i++) {
        if (row->fields[i].use != SOURCE_FIELD_MUST && strcmp(row->fields[i].name, name) == 0) {
            return &row->fields[i];
        }
    }
    return NULL;
}

/* Every item that the catalogue says an authority settles is asked here, gives the facts the catalogue requires, and none
 * that it would refuse. */
static void the_table_agrees_with_the_catalogue(void **state)
{
    (void)state;
    for (int item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        const struct catalogue_row *listed = catalogue_row((enum item)item);
        const struct source_item_row *row = source_item_row((enum source_item)item);
        assert_int_equal(row != NULL, listed->owner == OWNER_FUND);
        if (row == NULL) {
            continue;
        }
        assert_string_equal(row->name, listed->name);
        assert_int_equal(row->per_person, listed->per_person);
        for (size_t i = 0; i < ITEM_FACTS_MAX && listed->facts[i].name != NULL; i++) {
            const struct source_field *field = fact_field(row, listed->facts[i].name);
            assert_non_null(field);
            assert_int_equal(field->use == SOURCE_FIELD_FACT, listed->facts[i].required);
            assert_int_equal(field->kind == SOURCE_FIELD_TEXT, listed->facts[i].kind == FACT_TEXT);
            assert_int_equal(field->kind == SOURCE_FIELD_DATE, listed->facts[i].kind == FACT_DATE);
        }
        for (size_t i = 0; i < SOURCE_FACTS_MAX && row->fields[i].name != NULL; i++) {
            const struct source_field *field = &row->fields[i];
            const struct item_fact_row *fact = catalogue_fact(listed, field->name);
            if (field->use == SOURCE_FIELD_MUST) {
                assert_null(fact);
                continue;
            }
            assert_non_null(fact);
            assert_true(field->min >= fact->min && field->max <= fact->max);
        }
    }
}

#define PERSON_0 "\"name\":\"测试甲\",\"id_number\":\"990101199603150019\""
#define PERSON_1 "\"name\":\"测试\\\"乙\\\"\",\"id_number\":\"990101199603150027\""

static void a_request_holds_no_more_than_it_needs(void **state)
{
    (void)state;
    static const struct {
        enum source_item item;
        unsigned person;
        const char *body; /* after the request id */
    } rows[] = {
        {SOURCE_IDENTITY, 0, PERSON_0},
        {SOURCE_MARRIAGE, 0, PERSON_0},
        {SOURCE_MARRIAGE, 2, "\"name\":\"测试丙\",\"id_number\":\"990101196806150031\""},
        {SOURCE_CHILDREN, 0, "\"id_numbers\":[\"990101199603150019\",\"990101199603150027\"]"},
        {SOURCE_CONTRIBUTION, 1, "\"id_number\":\"990101199603150027\""},
        {SOURCE_LOAN_HISTORY, 0, "\"id_number\":\"990101199603150019\""},
        {SOURCE_FRAUD_LIST, 0, "\"id_number\":\"990101199603150019\""},
        {SOURCE_CREDIT_FUND, 0, PERSON_0 ",\"authorisation\":\"consent-7\",\"purpose\":\"LOAN_APPROVAL\""},
        {SOURCE_HOME_COUNT, 0,
         "\"id_numbers\":[\"990101199603150019\",\"990101199603150027\"],\"district_code\":\"320102\""},
        {SOURCE_HOME_CONTRACT, 0,
         "\"id_numbers\":[\"990101199603150019\",\"990101196806150031\"],\"contract_no\":\"HT-1\""},
        {SOURCE_GREEN_BUILDING, 0, "\"contract_no\":\"HT-1\""},
        {SOURCE_FACE, 1, "\"id_number\":\"990101199603150027\",\"face_token\":\"face-9\""},
        {SOURCE_ID_DOCUMENT, 0, "\"id_number\":\"990101199603150019\",\"valid_until\":\"2036-01-01\""},
        {SOURCE_MARRIAGE_PAIR, 0, PERSON_0 ",\"spouse\":{" PERSON_1 "}"},
        {SOURCE_CONTRIBUTION_OFFSITE, 0, "\"id_number\":\"990101199603150019\",\"centre\":\"320100000000000\""},
        {SOURCE_COURT_LIST, 1, PERSON_1},
        {SOURCE_MORTGAGES, 0, "\"id_numbers\":[\"990101199603150019\",\"990101199603150027\"]"},
        {SOURCE_PROJECT, 0, "\"contract_no\":\"HT-1\",\"permit_no\":\"permit-1\""},
        {SOURCE_COMPLETION_FILING, 0, "\"contract_no\":\"HT-1\",\"permit_no\":\"permit-1\""},
        {SOURCE_SUPERVISION_ACCOUNT, 0, "\"contract_no\":\"HT-1\",\"permit_no\":\"permit-1\""},
        {SOURCE_PROPERTY_RIGHT, 0, "\"contract_no\":\"HT-1\",\"unit_no\":\"320102001001GB00001F00010001\""},
        {SOURCE_APPRAISAL, 0, "\"contract_no\":\"HT-1\",\"unit_no\":\"320102001001GB00001F00010001\""},
        {SOURCE_DOWN_PAYMENT, 0,
         "\"id_numbers\":[\"990101199603150019\",\"990101196806150031\"],\"contract_no\":\"HT-1\""},
        {SOURCE_EMPLOYER, 0, "\"employer_uscc\":\"91990000MA0000015Q\""},
        {SOURCE_ACCOUNT, 0, PERSON_0 ",\"mobile\":\"19900010000\",\"account\":\"6222000000000001\""},
        {SOURCE_REGISTRATION, 0, "\"unit_no\":\"320102001001GB00001F00010001\",\"registry_no\":\"REG-1\""},
    };
    struct source_inquiry *inquiry = family();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[SOURCE_REQUEST_BYTES_MAX + 1];
        char expected[1024];
        size_t len = 0;
        struct source_question *question = question_of(inquiry, rows[i].item, rows[i].person, 0);
        assert_true(cl_is_ok(write_request(body, &len, question)));
        body[len] = '\0';
        (void)snprintf(expected, sizeof expected, "{\"request_id\":\"" REQUEST_ID "\",%s}", rows[i].body);
        assert_string_equal(body, expected);
    }
    source_inquiry_free(inquiry);
}

static void a_request_without_a_value_is_refused(void **state)
{
    (void)state;
    char body[SOURCE_REQUEST_BYTES_MAX];
    size_t len = 0;
    struct source_inquiry *inquiry = family();
    struct source_question *question = question_of(inquiry, SOURCE_CREDIT_FUND, 0, 0);
    inquiry->persons[0].credit_authorisation[0] = '\0';
    assert_int_equal(write_request(body, &len, question).reason, CL_FIELD_INVALID);

    question = question_of(inquiry, SOURCE_MARRIAGE_PAIR, 0, 0);
    inquiry->persons[1].name[0] = '\0';
    assert_int_equal(write_request(body, &len, question).reason, CL_FIELD_INVALID);
    inquiry->persons[0].spouse = 4;
    assert_int_equal(write_request(body, &len, question).reason, CL_FIELD_INVALID);

    question = question_of(inquiry, SOURCE_HOME_CONTRACT, 0, 0);
    inquiry->persons[0].buyer = inquiry->persons[2].buyer = false;
    assert_int_equal(write_request(body, &len, question).reason, CL_FIELD_INVALID);

    question = question_of(inquiry, SOURCE_GREEN_BUILDING, 0, 0);
    put(inquiry->home.contract_no, sizeof inquiry->home.contract_no, "\xc3");
    assert_int_equal(write_request(body, &len, question).reason, CL_FIELD_INVALID);
    assert_int_equal(len, 0);
    source_inquiry_free(inquiry);
}

static void the_longest_request_fits(void **state)
{
    (void)state;
    char body[SOURCE_REQUEST_BYTES_MAX];
    size_t len = 0;
    struct source_inquiry *inquiry = family();
    for (size_t i = 0; i < 2; i++) {
        memset(inquiry->persons[i].name, 1, sizeof inquiry->persons[i].name - 1); /* six bytes each, once escaped */
    }
    struct source_question *question = question_of(inquiry, SOURCE_MARRIAGE_PAIR, 0, 0);
    assert_true(cl_is_ok(write_request(body, &len, question)));
    assert_in_range(len, 2 * 6 * 256, SOURCE_REQUEST_BYTES_MAX);
    source_inquiry_free(inquiry);
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

static enum source_failure read_bytes(struct source_answer *answer, const struct source_question *question,
                                      struct cl_bytes body)
{
    struct source_mapping mapping;
    source_mapping_default(&mapping, source_item_row(question->item));
    return source_answer_read(answer, question, &mapping, body, REQUEST_ID, NOW_MS);
}

static enum source_failure read(struct source_answer *answer, const struct source_question *question, const char *body)
{
    return read_bytes(answer, question, cl_bytes_text(body));
}

/* A whole answer around `rest`. */
static enum source_failure read_answer(struct source_answer *answer, const struct source_question *question,
                                       const char *code, const char *rest)
{
    char body[1024];
    (void)snprintf(body, sizeof body,
                   "{\"request_id\":\"" REQUEST_ID
                   "\",\"code\":\"%s\",\"receipt\":\"R-1\",\"observed_ms\":1795499999000%s}",
                   code, rest);
    return read(answer, question, body);
}

static void assert_facts(const struct source_answer *answer, const char *expected)
{
    char text[512] = "";
    for (size_t i = 0; i < answer->fact_count; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%s%s=%lld%s", i == 0 ? "" : " ", answer->facts[i].name,
                       (long long)answer->facts[i].number, answer->facts[i].text);
    }
    assert_string_equal(text, expected);
}

static void facts_are_read(void **state)
{
    (void)state;
    static const struct {
        enum source_item item;
        unsigned person;
        const char *answer;
        enum source_outcome outcome; /* OPEN: not an answer */
        const char *facts;
    } rows[] = {
        {SOURCE_IDENTITY, 0, "{\"match\":true}", SOURCE_PASS, ""},
        {SOURCE_IDENTITY, 0, "{\"match\":true,\"portrait\":\"...\"}", SOURCE_PASS, ""}, /* unasked: dropped */
        {SOURCE_IDENTITY, 0, "{\"match\":false}", SOURCE_FAIL, ""},
        {SOURCE_IDENTITY, 0, "{\"match\":1}", SOURCE_OPEN, ""},
        {SOURCE_IDENTITY, 0, "{\"match\":null}", SOURCE_OPEN, ""},
        {SOURCE_IDENTITY, 0, "{}", SOURCE_OPEN, ""},
        {SOURCE_IDENTITY, 0, "null", SOURCE_OPEN, ""},
        {SOURCE_IDENTITY, 0, "[true]", SOURCE_OPEN, ""},
        {SOURCE_MARRIAGE, 0, "{\"status\":\"MARRIED\"}", SOURCE_PASS, "status=2"},
        {SOURCE_MARRIAGE, 2, "{\"status\":\"SINGLE\"}", SOURCE_PASS, "status=1"},
        {SOURCE_MARRIAGE, 2, "{\"status\":\"DIVORCED\"}", SOURCE_PASS, "status=3"},
        {SOURCE_MARRIAGE, 2, "{\"status\":\"WIDOWED\"}", SOURCE_PASS, "status=4"},
        {SOURCE_MARRIAGE, 2, "{\"status\":\"single\"}", SOURCE_OPEN, ""},
        {SOURCE_MARRIAGE, 2, "{\"status\":1}", SOURCE_OPEN, ""},
        {SOURCE_CHILDREN, 0, "{\"minors\":2}", SOURCE_PASS, "minors=2"},
        {SOURCE_CHILDREN, 0, "{\"minors\":100}", SOURCE_PASS, "minors=100"},
        {SOURCE_CHILDREN, 0, "{\"minors\":101}", SOURCE_OPEN, ""},
        {SOURCE_CHILDREN, 0, "{\"minors\":-1}", SOURCE_OPEN, ""},
        {SOURCE_CHILDREN, 0, "{\"minors\":2.0}", SOURCE_OPEN, ""},
        {SOURCE_CHILDREN, 0, "{\"minors\":\"2\"}", SOURCE_OPEN, ""},
        {SOURCE_CHILDREN, 0, "{\"minors\":2,\"minors\":0}", SOURCE_OPEN, ""},
        {SOURCE_CHILDREN, 0, "{\"minors\":99999999999999999999}", SOURCE_OPEN, ""},
        {SOURCE_CONTRIBUTION, 0, "{\"months\":5,\"base_fen\":1800000,\"balance_fen\":6200000,\"sealed\":false}",
         SOURCE_PASS, "months=5 base_fen=1800000 balance_fen=6200000 sealed=0"},
        {SOURCE_CONTRIBUTION, 0, "{\"months\":5,\"base_fen\":1000000000001,\"balance_fen\":0,\"sealed\":false}",
         SOURCE_OPEN, ""},
        {SOURCE_LOAN_HISTORY, 0, "{\"loans_used\":2,\"loans_open\":1}", SOURCE_PASS, "loans_used=2 loans_open=1"},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":null}", SOURCE_PASS, "banned_until=0"},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":\"2028-02-29\"}", SOURCE_PASS, "banned_until=20280229"},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":\"2027-02-29\"}", SOURCE_OPEN, ""},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":\"2027-13-01\"}", SOURCE_OPEN, ""},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":\"2027-1-1\"}", SOURCE_OPEN, ""},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":\"2027-01-01T\"}", SOURCE_OPEN, ""},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":\"-027-01-01\"}", SOURCE_OPEN, ""},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":\"\"}", SOURCE_OPEN, ""},
        {SOURCE_FRAUD_LIST, 0, "{\"banned_until\":20280229}", SOURCE_OPEN, ""},
        {SOURCE_FRAUD_LIST, 0, "{}", SOURCE_OPEN, ""}, /* silence is no "not banned" */
        {SOURCE_CREDIT_FUND, 0,
         "{\"overdue_now\":false,\"overdue_consecutive\":3,\"overdue_total\":4,\"debts_fen\":0,\"mortgages_open\":1}",
         SOURCE_PASS, "overdue_now=0 overdue_consecutive=3 overdue_total=4 debts_fen=0 mortgages_open=1"},
        {SOURCE_HOME_COUNT, 0, "{\"homes\":0}", SOURCE_PASS, "homes=0"},
        {SOURCE_HOME_CONTRACT, 0, "{\"price_fen\":1,\"area_centi_m2\":8900,\"filed\":true,\"buyers_match\":true}",
         SOURCE_PASS, "price_fen=1 area_centi_m2=8900"},
        {SOURCE_HOME_CONTRACT, 0, "{\"price_fen\":1,\"area_centi_m2\":8900,\"filed\":false,\"buyers_match\":true}",
         SOURCE_FAIL, "price_fen=1 area_centi_m2=8900"},
        {SOURCE_HOME_CONTRACT, 0, "{\"price_fen\":1,\"area_centi_m2\":8900,\"filed\":true,\"buyers_match\":false}",
         SOURCE_FAIL, "price_fen=1 area_centi_m2=8900"},
        {SOURCE_HOME_CONTRACT, 0, "{\"price_fen\":0,\"area_centi_m2\":8900,\"filed\":true,\"buyers_match\":true}",
         SOURCE_OPEN, ""},
        {SOURCE_GREEN_BUILDING, 0, "{\"stars\":2,\"improved\":false,\"trade_in\":true,\"youth_voucher\":false}",
         SOURCE_PASS, "stars=2 improved=0 trade_in=1 youth_voucher=0"},
        {SOURCE_MARRIAGE_PAIR, 0, "{\"match\":true}", SOURCE_PASS, ""},
        {SOURCE_MARRIAGE_PAIR, 0, "{\"match\":false}", SOURCE_FAIL, ""},
        {SOURCE_CONTRIBUTION_OFFSITE, 0,
         "{\"months\":5,\"base_fen\":1,\"balance_fen\":2,\"sealed\":false,\"loans_used\":1,\"loans_open\":0,"
         "\"fraud\":false}",
         SOURCE_PASS, "months=5 base_fen=1 balance_fen=2 sealed=0 loans_used=1 loans_open=0 fraud=0"},
        {SOURCE_COURT_LIST, 0, "{\"listed\":false}", SOURCE_PASS, "listed=0"},
        {SOURCE_COURT_LIST, 0, "{\"listed\":false,\"case_no\":null}", SOURCE_PASS, "listed=0"},
        {SOURCE_COURT_LIST, 0, "{\"listed\":true,\"case_no\":\"（2026）测01执1号\"}", SOURCE_PASS,
         "listed=1 case_no=0（2026）测01执1号"},
        {SOURCE_COURT_LIST, 0, "{\"listed\":true,\"case_no\":7}", SOURCE_OPEN, ""},
        {SOURCE_COURT_LIST, 0, "{\"listed\":true,\"case_no\":\"\"}", SOURCE_OPEN, ""},
        {SOURCE_COURT_LIST, 0, "{\"listed\":true,\"case_no\":\"a\\u0007b\"}", SOURCE_OPEN, ""},
        {SOURCE_COURT_LIST, 0, "{\"listed\":true,\"case_no\":\"a\\u0000b\"}", SOURCE_OPEN, ""},
        {SOURCE_COURT_LIST, 0,
         "{\"listed\":true,\"case_no\":\"01234567890123456789012345678901234567890123456789012345678901234\"}",
         SOURCE_OPEN, ""},
        {SOURCE_COMPLETION_FILING, 0, "{\"filed_on\":null}", SOURCE_PASS, "filed_on=0"},
        {SOURCE_COMPLETION_FILING, 0, "{\"filed_on\":\"20261120\"}", SOURCE_PASS, "filed_on=20261120"},
        {SOURCE_SUPERVISION_ACCOUNT, 0, "{\"account\":\"3200000000000001\"}", SOURCE_PASS, "account=03200000000000001"},
        {SOURCE_SUPERVISION_ACCOUNT, 0, "{\"account\":\"3200\"}", SOURCE_OPEN, ""},
        {SOURCE_PROPERTY_RIGHT, 0, "{\"mortgaged\":true,\"seized\":false,\"disputed\":false,\"owner_match\":true}",
         SOURCE_PASS, "mortgaged=1 seized=0 disputed=0"},
        {SOURCE_PROPERTY_RIGHT, 0, "{\"mortgaged\":true,\"seized\":false,\"disputed\":false,\"owner_match\":false}",
         SOURCE_FAIL, "mortgaged=1 seized=0 disputed=0"},
        {SOURCE_APPRAISAL, 0, "{\"value_fen\":7,\"valued_on\":\"2026-11-01\"}", SOURCE_PASS,
         "value_fen=7 valued_on=20261101"},
        {SOURCE_APPRAISAL, 0, "{\"value_fen\":7,\"valued_on\":null}", SOURCE_OPEN, ""},
        {SOURCE_ACCOUNT, 0, "{\"match\":true,\"account_class\":1}", SOURCE_PASS, "account_class=1"},
        {SOURCE_ACCOUNT, 0, "{\"match\":true,\"account_class\":4}", SOURCE_OPEN, ""},
        {SOURCE_REGISTRATION, 0, "{\"state\":\"PENDING\"}", SOURCE_PASS, "state=1"},
        {SOURCE_REGISTRATION, 0,
         "{\"state\":\"DONE\",\"mortgagee_match\":true,\"amount_fen\":9,\"registered_on\":\"2026-11-20\","
         "\"certificate_no\":\"SU-1\"}",
         SOURCE_PASS, "state=5 mortgagee_match=1 amount_fen=9 registered_on=20261120 certificate_no=0SU-1"},
        {SOURCE_REGISTRATION, 0, "{\"state\":\"done\"}", SOURCE_OPEN, ""},
        {SOURCE_GREEN_BUILDING, 0, "{\"stars\":4,\"improved\":false,\"trade_in\":true,\"youth_voucher\":false}",
         SOURCE_OPEN, ""},
    };
    struct source_inquiry *inquiry = family();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char rest[512];
        struct source_question *question = question_of(inquiry, rows[i].item, rows[i].person, 0);
        (void)snprintf(rest, sizeof rest, ",\"answer\":%s", rows[i].answer);
        enum source_failure failure = read_answer(&question->answer, question, "OK", rest);
        if (question->answer.outcome != rows[i].outcome) {
            fail_msg("%s: outcome %d", rows[i].answer, question->answer.outcome);
        }
        assert_int_equal(failure, rows[i].outcome == SOURCE_PASS
                                      ? SOURCE_FAILURE_NONE
                                      : (rows[i].outcome == SOURCE_FAIL ? SOURCE_MISMATCH : SOURCE_PARSE));
        assert_facts(&question->answer, rows[i].facts);
    }
    source_inquiry_free(inquiry);
}

static void business_codes_are_answers(void **state)
{
    (void)state;
    struct source_inquiry *inquiry = family();
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        const struct source_item_row *row = source_item_at(i);
        const struct {
            const char *code;
            enum source_failure failure;
            enum source_outcome outcome;
        } codes[] = {
            {"NO_RECORD", SOURCE_NO_RECORD, row->no_record},
            {"MISMATCH", SOURCE_MISMATCH, SOURCE_FAIL},
            {"AMBIGUOUS", SOURCE_AMBIGUOUS, SOURCE_MANUAL},
            {"NOT_AUTHORISED", SOURCE_NOT_AUTHORISED, SOURCE_FAIL},
            {"SOURCE_CLOSED", SOURCE_CLOSED, SOURCE_OPEN},
            {"OK", SOURCE_PARSE, SOURCE_OPEN}, /* without an answer */
            {"ok", SOURCE_PARSE, SOURCE_OPEN},
            {"", SOURCE_PARSE, SOURCE_OPEN},
        };
        for (size_t j = 0; j < sizeof codes / sizeof codes[0]; j++) {
            struct source_question *question = question_of(inquiry, row->item, 0, 1000 * 1000);
            struct source_answer *answer = &question->answer;
            assert_int_equal(read_answer(answer, question, codes[j].code, ""), codes[j].failure);
            assert_int_equal(answer->outcome, codes[j].outcome);
            assert_int_equal(answer->fact_count, 0);
            assert_string_equal(answer->receipt, codes[j].outcome == SOURCE_OPEN ? "" : "R-1");
            assert_int_equal(answer->valid_until_ms, codes[j].outcome == SOURCE_OPEN ? 0 : 1795500999000);
        }
    }
    source_inquiry_free(inquiry);
}

/* Covers: COL-VER-007 */
static void no_record_is_never_a_pass(void **state)
{
    (void)state;
    static const struct {
        enum source_item item;
        enum source_outcome outcome;
    } rows[] = {
        {SOURCE_IDENTITY, SOURCE_MANUAL},     {SOURCE_MARRIAGE, SOURCE_MANUAL},
        {SOURCE_CHILDREN, SOURCE_MANUAL},     {SOURCE_CONTRIBUTION, SOURCE_FAIL},
        {SOURCE_LOAN_HISTORY, SOURCE_MANUAL}, {SOURCE_FRAUD_LIST, SOURCE_MANUAL},
        {SOURCE_CREDIT_FUND, SOURCE_MANUAL},  {SOURCE_HOME_COUNT, SOURCE_MANUAL},
        {SOURCE_HOME_CONTRACT, SOURCE_FAIL},  {SOURCE_GREEN_BUILDING, SOURCE_FAIL},
        {SOURCE_COURT_LIST, SOURCE_MANUAL},   {SOURCE_CONTRIBUTION_OFFSITE, SOURCE_MANUAL},
        {SOURCE_REGISTRATION, SOURCE_MANUAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(source_item_row(rows[i].item)->no_record, rows[i].outcome);
    }
}

static void the_frame_is_checked(void **state)
{
    (void)state;
#define ANSWER ",\"answer\":{\"match\":true}}"
#define CODE   "\"code\":\"OK\","
#define ID     "\"request_id\":\"" REQUEST_ID "\","
    static const struct {
        const char *body;
        int64_t valid_ms;
        enum source_failure failure;
    } rows[] = {
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER, 1000, SOURCE_FAILURE_NONE},
        {" {" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER "\n", 1000, SOURCE_FAILURE_NONE},
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795500030000" ANSWER, 1000, SOURCE_FAILURE_NONE},
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795500030001" ANSWER, 1000, SOURCE_PARSE}, /* ahead of us */
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795499999000" ANSWER, 1000, SOURCE_FAILURE_NONE},
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795499998999" ANSWER, 1000, SOURCE_STALE},
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1" ANSWER, 0, SOURCE_FAILURE_NONE},
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":0" ANSWER, 0, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":-9223372036854775808" ANSWER, 1000, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":\"1795500000000\"" ANSWER, 0, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"R\"" ANSWER, 0, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"\",\"observed_ms\":1795500000000" ANSWER, 0, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"R 1\",\"observed_ms\":1795500000000" ANSWER, 0, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"证\",\"observed_ms\":1795500000000" ANSWER, 0, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"0123456789012345678901234567890123456789012345678901234567890123\","
         "\"observed_ms\":1795500000000" ANSWER,
         0, SOURCE_FAILURE_NONE},
        {"{" ID CODE "\"receipt\":\"01234567890123456789012345678901234567890123456789012345678901234\","
         "\"observed_ms\":1795500000000" ANSWER,
         0, SOURCE_PARSE},
        {"{" CODE "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER, 0, SOURCE_PARSE},
        {"{\"request_id\":\"00\"," CODE "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER, 0, SOURCE_PARSE},
        {"{" ID "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER, 0, SOURCE_PARSE},
        {"{" ID ID CODE "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER, 0, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER "x", 0, SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"R\",\"more\":[[[[[[{}]]]]]],\"observed_ms\":1795500000000" ANSWER, 0,
         SOURCE_FAILURE_NONE},
        {"{" ID CODE "\"receipt\":\"R\",\"more\":[[[[[[[{}]]]]]]],\"observed_ms\":1795500000000" ANSWER, 0,
         SOURCE_PARSE},
        {"{" ID CODE "\"receipt\":\"R\",\"more\":\"[[[[[[{\\\"[[[[\",\"observed_ms\":1795500000000" ANSWER, 0,
         SOURCE_FAILURE_NONE},
        {"[]", 0, SOURCE_PARSE},
        {"\"OK\"", 0, SOURCE_PARSE},
        {"{", 0, SOURCE_PARSE},
        {"\"\\", 0, SOURCE_PARSE},
        {"", 0, SOURCE_PARSE},
    };
    struct source_inquiry *inquiry = family();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct source_question *question = question_of(inquiry, SOURCE_IDENTITY, 0, rows[i].valid_ms);
        struct source_answer *answer = &question->answer;
        answer->attempts = 2;
        enum source_failure failure = read(answer, question, rows[i].body);
        if (failure != rows[i].failure) {
            fail_msg("%s: %d", rows[i].body, failure);
        }
        assert_int_equal(answer->outcome, failure == SOURCE_FAILURE_NONE ? SOURCE_PASS : SOURCE_OPEN);
        assert_int_equal(answer->attempts, 2);
    }
    source_inquiry_free(inquiry);
}

/* Every prefix and every flipped bit of an answer, each in a block of its exact size so that ASan sees an overread. */
static void damaged_answers_do_no_harm(void **state)
{
    (void)state;
    static const char body[] = "{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER;
    struct source_inquiry *inquiry = family();
    struct source_question *question = question_of(inquiry, SOURCE_IDENTITY, 0, 0);
    for (size_t len = 0; len < sizeof body - 1; len++) {
        char *copy = malloc(len + 1);
        memcpy(copy + 1, body, len);
        struct source_answer answer = {.outcome = SOURCE_OPEN};
        assert_int_equal(read_bytes(&answer, question, cl_bytes(copy + 1, len)), SOURCE_PARSE);
        assert_int_equal(read_error(cl_bytes(copy + 1, len)), SOURCE_FAILURE_NONE);
        free(copy);
    }
    for (size_t bit = 0; bit < (sizeof body - 1) * 8; bit++) {
        char *copy = malloc(sizeof body - 1);
        memcpy(copy, body, sizeof body - 1);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        struct source_answer answer = {.outcome = SOURCE_OPEN};
        (void)read_bytes(&answer, question, cl_bytes(copy, sizeof body - 1));
        assert_true(answer.outcome == SOURCE_OPEN || answer.outcome == SOURCE_PASS);
        free(copy);
    }
    source_inquiry_free(inquiry);
}

static void an_oversize_answer_is_not_parsed(void **state)
{
    (void)state;
    static char body[SOURCE_ANSWER_BYTES_MAX + 1];
    static const char start[] = "{" ID CODE "\"receipt\":\"R\",\"observed_ms\":1795500000000" ANSWER;
    struct source_inquiry *inquiry = family();
    struct source_question *question = question_of(inquiry, SOURCE_IDENTITY, 0, 0);
    memset(body, ' ', sizeof body);
    memcpy(body, start, sizeof start - 1);
    struct source_answer answer = {.outcome = SOURCE_OPEN};
    assert_int_equal(read_bytes(&answer, question, cl_bytes(body, sizeof body)), SOURCE_PARSE);
    assert_int_equal(read_bytes(&answer, question, cl_bytes(body, sizeof body - 1)), SOURCE_FAILURE_NONE);
    source_inquiry_free(inquiry);
}

static void only_closed_is_read_from_an_error(void **state)
{
    (void)state;
    assert_int_equal(read_error(cl_bytes_text("{\"code\":\"SOURCE_CLOSED\"}")), SOURCE_CLOSED);
    assert_int_equal(read_error(cl_bytes_text("{\"code\":\"NO_RECORD\"}")), SOURCE_FAILURE_NONE);
    assert_int_equal(read_error(cl_bytes_text("<html>")), SOURCE_FAILURE_NONE);
    assert_int_equal(read_error(cl_bytes_text("")), SOURCE_FAILURE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(the_table_agrees_with_the_catalogue),
        cmocka_unit_test(a_request_holds_no_more_than_it_needs),
        cmocka_unit_test(a_request_without_a_value_is_refused),
        cmocka_unit_test(the_longest_request_fits),
        cmocka_unit_test(facts_are_read),
        cmocka_unit_test(business_codes_are_answers),
        cmocka_unit_test(no_record_is_never_a_pass),
        cmocka_unit_test(the_frame_is_checked),
        cmocka_unit_test(damaged_answers_do_no_harm),
        cmocka_unit_test(an_oversize_answer_is_not_parsed),
        cmocka_unit_test(only_closed_is_read_from_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
