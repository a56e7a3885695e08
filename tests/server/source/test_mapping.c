/* mapping: an authority's own paths, names, codes, words and scales, from a file; and every mistake in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/date.h"
#include "server/source/wording.h"

#define REQUEST_ID "00112233445566778899aabbccddeeff"
#define EXAMPLE    COLOAN_SOURCE_DIR "/packaging/authorities.example.yaml"

static int64_t now_ms(void)
{
    return cl_date_to_ms(20261123) + INT64_C(12) * 3600 * 1000;
}

static void put(char *out, size_t size, const char *text)
{
    assert_true(cl_is_ok(source_text(out, size, text, strlen(text))));
}

static struct source_inquiry *couple(void)
{
    static const char *const names[] = {"测试甲", "测试乙"};
    static const char *const id_numbers[] = {"990101199603150019", "990101199603150027"};
    struct source_inquiry *inquiry = NULL;
    assert_true(cl_is_ok(source_inquiry_create(&inquiry, 1)));
    for (size_t i = 0; i < 2; i++) {
        struct source_person *person = &inquiry->persons[i];
        put(person->name, sizeof person->name, names[i]);
        put(person->id_number, sizeof person->id_number, id_numbers[i]);
        put(person->employer_uscc, sizeof person->employer_uscc, "91990000MA0000015Q");
        person->spouse = i == 0 ? 2 : 1;
        person->household = person->buyer = true;
    }
    put(inquiry->home.contract_no, sizeof inquiry->home.contract_no, "HT-1");
    put(inquiry->home.unit_no, sizeof inquiry->home.unit_no, "320102001001GB00001F00010001");
    put(inquiry->home.registry_no, sizeof inquiry->home.registry_no, "REG-1");
    inquiry->person_count = 2;
    return inquiry;
}

/* The mapping of that item in a file like the example. */
static struct cl_status mapping_in(struct source_mapping *out, const struct cl_settings *settings,
                                   enum source_item item, struct cl_setting_error *error)
{
    const struct cl_setting *authorities = cl_setting_find(cl_settings_root(settings), "authorities");
    for (size_t i = 0; i < cl_setting_count(authorities); i++) {
        const struct cl_setting *list = cl_setting_find(cl_setting_at(authorities, i), "mapping");
        for (size_t j = 0; j < cl_setting_count(list); j++) {
            const struct source_item_row *row = NULL;
            struct cl_status status = source_mapping_read(out, &row, cl_setting_at(list, j), error);
            if (cl_failed(status) || row->item == item) {
                return status;
            }
        }
    }
    fail_msg("no mapping of item %d", (int)item);
    return cl_fail(CL_INTERNAL);
}

/* -- The example --------------------------------------------------------------------------------------------- */

#define HEAD_OK                                                                                                        \
    "\"head\":{\"status\":\"0\",\"code\":\"0000\",\"reqid\":\"" REQUEST_ID                                             \
    "\",\"lsh\":\"JS20261123000017\",\"time\":\"2026-11-23 11:59:58\"}"
#define HEAD(status, code)                                                                                             \
    "\"head\":{\"status\":" status ",\"code\":" code ",\"reqid\":\"" REQUEST_ID                                        \
    "\",\"lsh\":\"JS1\",\"time\":\"2026-11-23 11:59:58\"}"

static void requests_go_out_in_the_authoritys_words(void **state)
{
    (void)state;
    static const struct {
        enum source_item item;
        const char *path, *body;
    } rows[] = {
        {SOURCE_IDENTITY, "/rk/sfhc",
         "{\"head\":{\"reqid\":\"" REQUEST_ID "\",\"appid\":\"gjj-dk\",\"purpose\":\"公积金贷款\"},"
         "\"data\":{\"xm\":\"测试甲\",\"sfzh\":\"990101199603150019\"}}"},
        {SOURCE_MARRIAGE_PAIR, "/mz/hysr",
         "{\"head\":{\"reqid\":\"" REQUEST_ID "\",\"appid\":\"gjj-dk\"},\"data\":{\"xm1\":\"测试甲\","
         "\"sfzh1\":\"990101199603150019\",\"xm2\":\"测试乙\",\"sfzh2\":\"990101199603150027\"}}"},
        {SOURCE_EMPLOYER, "/sjgl/qyxx",
         "{\"head\":{\"reqid\":\"" REQUEST_ID
         "\",\"appid\":\"gjj-dk\"},\"data\":{\"tyshxydm\":\"91990000MA0000015Q\"}}"},
        {SOURCE_REGISTRATION, "/api/blzt", "{\"bdcdyh\":\"320102001001GB00001F00010001\",\"ywh\":\"REG-1\"}"},
        {SOURCE_APPRAISAL, "/valuations",
         "{\"id\":\"" REQUEST_ID "\",\"contract\":\"HT-1\",\"unit\":\"320102001001GB00001F00010001\"}"},
    };
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    assert_true(cl_is_ok(cl_settings_load(&settings, EXAMPLE, &error)));
    struct source_inquiry *inquiry = couple();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct source_mapping mapping;
        char body[SOURCE_REQUEST_BYTES_MAX + 1];
        size_t len = 0;
        inquiry->question_count = 0;
        assert_true(cl_is_ok(source_inquiry_add(inquiry, rows[i].item, 0, 0)));
        assert_true(cl_is_ok(mapping_in(&mapping, settings, rows[i].item, &error)));
        assert_string_equal(mapping.path, rows[i].path);
        assert_true(cl_is_ok(source_request_write(body, &len, &inquiry->questions[0], &mapping, REQUEST_ID)));
        body[len] = '\0';
        assert_string_equal(body, rows[i].body);
    }
    source_inquiry_free(inquiry);
    cl_settings_free(settings);
}

struct spoken {
    enum source_item item;
    const char *body;
    enum source_failure failure;
    enum source_outcome outcome; /* OPEN: a failure of the way */
    const char *facts;           /* "name=number text" each */
};

static const struct spoken spoken[] = {
    {SOURCE_IDENTITY, "{" HEAD_OK ",\"data\":[{\"hcjg\":\"一致\"}]}", SOURCE_FAILURE_NONE, SOURCE_PASS, ""},
    {SOURCE_IDENTITY, "{" HEAD_OK ",\"data\":[{\"hcjg\":\"不一致\"}]}", SOURCE_MISMATCH, SOURCE_FAIL, ""},
    {SOURCE_IDENTITY, "{" HEAD_OK ",\"data\":[{\"hcjg\":\"大概\"}]}", SOURCE_PARSE, SOURCE_OPEN, ""},
    {SOURCE_IDENTITY, "{" HEAD_OK ",\"data\":[]}", SOURCE_PARSE, SOURCE_OPEN, ""},
    {SOURCE_IDENTITY, "{" HEAD_OK ",\"data\":{\"hcjg\":\"一致\"}}", SOURCE_PARSE, SOURCE_OPEN, ""},
    {SOURCE_IDENTITY, "{" HEAD("0", "\"0000\"") ",\"data\":[{\"hcjg\":\"一致\"}]}", SOURCE_FAILURE_NONE, SOURCE_PASS,
     ""},
    {SOURCE_IDENTITY, "{" HEAD("\"1\"", "\"0000\"") ",\"data\":[{\"hcjg\":\"一致\"}]}", SOURCE_UNREACHABLE, SOURCE_OPEN,
     ""},
    {SOURCE_IDENTITY, "{" HEAD("\"9\"", "\"0000\"") "}", SOURCE_CLOSED, SOURCE_OPEN, ""},
    {SOURCE_IDENTITY, "{" HEAD("\"0\"", "\"0429\"") "}", SOURCE_THROTTLED, SOURCE_OPEN, ""},
    {SOURCE_IDENTITY, "{" HEAD("\"0\"", "\"0204\"") "}", SOURCE_NO_RECORD, SOURCE_MANUAL, ""},
    {SOURCE_IDENTITY, "{" HEAD("\"0\"", "\"0403\"") "}", SOURCE_NOT_AUTHORISED, SOURCE_FAIL, ""},
    {SOURCE_IDENTITY, "{" HEAD("\"0\"", "\"0500\"") "}", SOURCE_PARSE, SOURCE_OPEN, ""}, /* a code nobody explained */
    {SOURCE_IDENTITY, "{" HEAD("null", "\"0000\"") "}", SOURCE_PARSE, SOURCE_OPEN, ""},
    {SOURCE_MARRIAGE, "{" HEAD_OK ",\"data\":[{\"hyzk\":\"已婚\"}]}", SOURCE_FAILURE_NONE, SOURCE_PASS, "status=2"},
    {SOURCE_MARRIAGE, "{" HEAD_OK ",\"data\":[{\"hyzk\":\"复婚\"}]}", SOURCE_FAILURE_NONE, SOURCE_PASS, "status=2"},
    {SOURCE_MARRIAGE, "{" HEAD_OK ",\"data\":[{\"hyzk\":\"MARRIED\"}]}", SOURCE_PARSE, SOURCE_OPEN, ""},
    {SOURCE_MARRIAGE_PAIR, "{" HEAD_OK ",\"data\":[{\"sffq\":1}]}", SOURCE_FAILURE_NONE, SOURCE_PASS, ""},
    {SOURCE_MARRIAGE_PAIR, "{" HEAD_OK ",\"data\":[{\"sffq\":\"0\"}]}", SOURCE_MISMATCH, SOURCE_FAIL, ""},
    {SOURCE_EMPLOYER, "{" HEAD_OK ",\"data\":[{\"djzt\":\"注销\"}]}", SOURCE_FAILURE_NONE, SOURCE_PASS, "active=0"},
    {SOURCE_PROPERTY_RIGHT,
     "{\"code\":200,\"result\":{\"qlr\":\"一致\",\"dyzt\":\"有\",\"cfzt\":\"无\",\"yyzt\":\"无\"}}",
     SOURCE_FAILURE_NONE, SOURCE_PASS, "mortgaged=1 seized=0 disputed=0"},
    {SOURCE_PROPERTY_RIGHT, "{\"code\":404}", SOURCE_NO_RECORD, SOURCE_MANUAL, ""},
    {SOURCE_REGISTRATION, "{\"code\":200,\"result\":{\"zt\":\"审核中\"}}", SOURCE_FAILURE_NONE, SOURCE_PASS, "state=1"},
    {SOURCE_REGISTRATION,
     "{\"code\":200,\"result\":{\"zt\":\"已办结\",\"dyqr\":\"一致\",\"zqse\":1040000.5,\"djrq\":\"20261120\","
     "\"zmh\":\"苏（2026）测试不动产证明第0000001号\"}}",
     SOURCE_FAILURE_NONE, SOURCE_PASS,
     "state=5 mortgagee_match=1 amount_fen=104000050 registered_on=20261120 "
     "certificate_no=0苏（2026）测试不动产证明第0000001号"},
    {SOURCE_APPRAISAL,
     "{\"ok\":true,\"id\":\"" REQUEST_ID
     "\",\"report\":77,\"at\":1795406398,\"value_wan\":\"128.5001\",\"day\":\"2026-11-20\"}",
     SOURCE_FAILURE_NONE, SOURCE_PASS, "value_fen=128500100 valued_on=20261120"},
    {SOURCE_APPRAISAL, "{\"ok\":false,\"id\":\"" REQUEST_ID "\",\"report\":77,\"at\":1795406398}", SOURCE_NO_RECORD,
     SOURCE_MANUAL, ""},
    {SOURCE_APPRAISAL,
     "{\"ok\":true,\"id\":\"another\",\"report\":77,\"at\":1795406398,\"value_wan\":\"1\",\"day\":\"2026-11-20\"}",
     SOURCE_PARSE, SOURCE_OPEN, ""},
};

static void facts_text(char *out, size_t size, const struct source_answer *answer)
{
    out[0] = '\0';
    for (size_t i = 0; i < answer->fact_count; i++) {
        size_t len = strlen(out);
        (void)snprintf(out + len, size - len, "%s%s=%lld%s", i == 0 ? "" : " ", answer->facts[i].name,
                       (long long)answer->facts[i].number, answer->facts[i].text);
    }
}

static void answers_come_in_in_the_authoritys_words(void **state)
{
    (void)state;
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    assert_true(cl_is_ok(cl_settings_load(&settings, EXAMPLE, &error)));
    struct source_inquiry *inquiry = couple();
    for (size_t i = 0; i < sizeof spoken / sizeof spoken[0]; i++) {
        struct source_mapping mapping;
        char facts[512];
        inquiry->question_count = 0;
        assert_true(cl_is_ok(source_inquiry_add(inquiry, spoken[i].item, 0, 0)));
        assert_true(cl_is_ok(mapping_in(&mapping, settings, spoken[i].item, &error)));
        struct source_question *question = &inquiry->questions[0];
        enum source_failure failure = source_answer_read(&question->answer, question, &mapping,
                                                         cl_bytes_text(spoken[i].body), REQUEST_ID, now_ms());
        facts_text(facts, sizeof facts, &question->answer);
        if (failure != spoken[i].failure || question->answer.outcome != spoken[i].outcome ||
            strcmp(facts, spoken[i].facts) != 0) {
            fail_msg("%s: failure %d outcome %d %s", spoken[i].body, failure, question->answer.outcome, facts);
        }
    }
    source_inquiry_free(inquiry);
    cl_settings_free(settings);
}

/* What the answer says of itself: its time and its number, in the forms that gateways have. */
static void times_and_receipts_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *response, *body;
        int64_t observed_ms; /* after the first ms of 2026-11-23; -1: no answer */
        const char *receipt;
    } rows[] = {
        {"{request_id: \"\", receipt: \"\", observed: {form: NOW}}", "{\"code\":\"OK\",\"answer\":{\"minors\":0}}",
         INT64_C(12) * 3600 * 1000, REQUEST_ID},
        {"{request_id: \"\", receipt: n, observed: {at: t, form: CHINA_TIME}}",
         "{\"code\":\"OK\",\"n\":7,\"t\":\"2026-11-23T09:30:01+08:00\",\"answer\":{\"minors\":0}}",
         INT64_C(9) * 3600000 + 1801000, "7"},
        {"{request_id: \"\", receipt: n, observed: {at: t, form: CHINA_TIME}}",
         "{\"code\":\"OK\",\"n\":7,\"t\":\"2026-11-23 24:00:00\",\"answer\":{\"minors\":0}}", -1, ""},
        {"{request_id: \"\", receipt: n, observed: {at: t, form: CHINA_TIME}}",
         "{\"code\":\"OK\",\"n\":7,\"t\":\"2026-11-31 09:00:00\",\"answer\":{\"minors\":0}}", -1, ""},
        {"{request_id: \"\", receipt: n, observed: {at: t, form: CHINA_TIME}}",
         "{\"code\":\"OK\",\"n\":7,\"t\":\"2026-11-24 09:00:00\",\"answer\":{\"minors\":0}}", -1, ""}, /* tomorrow */
        {"{request_id: \"\", receipt: n, observed: {at: t, form: S}}",
         "{\"code\":\"OK\",\"n\":7,\"t\":\"1795406398\",\"answer\":{\"minors\":0}}", -1, ""},
        {"{request_id: \"\", receipt: n, observed: {at: t, form: S}}",
         "{\"code\":\"OK\",\"n\":[7],\"t\":1795406398,\"answer\":{\"minors\":0}}", -1, ""},
    };
    struct source_inquiry *inquiry = couple();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        struct cl_settings *settings = NULL;
        struct cl_setting_error error = {""};
        struct source_mapping mapping;
        const struct source_item_row *row = NULL;
        (void)snprintf(text, sizeof text, "item: CHILDREN\nresponse: %s\n", rows[i].response);
        assert_true(cl_is_ok(cl_settings_parse(&settings, "mapping.yaml", cl_bytes_text(text), &error)));
        assert_true(cl_is_ok(source_mapping_read(&mapping, &row, cl_settings_root(settings), &error)));
        inquiry->question_count = 0;
        assert_true(cl_is_ok(source_inquiry_add(inquiry, SOURCE_CHILDREN, 0, 0)));
        struct source_question *question = &inquiry->questions[0];
        enum source_failure failure = source_answer_read(&question->answer, question, &mapping,
                                                         cl_bytes_text(rows[i].body), REQUEST_ID, now_ms());
        if ((failure == SOURCE_FAILURE_NONE) != (rows[i].observed_ms >= 0)) {
            fail_msg("%s: %d", rows[i].body, failure);
        }
        if (failure == SOURCE_FAILURE_NONE) {
            assert_int_equal(question->answer.observed_ms, cl_date_to_ms(20261123) + rows[i].observed_ms);
        }
        assert_string_equal(question->answer.receipt, rows[i].receipt);
        cl_settings_free(settings);
    }
    source_inquiry_free(inquiry);
}

/* Money is exact or it is no answer. */
static void scaled_numbers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int scale;
        int64_t fen; /* -1: no answer */
    } rows[] = {
        {"18000", 100, 1800000},
        {"\"18000\"", 100, 1800000},
        {"\"18000.5\"", 100, 1800050},
        {"\"18000.50\"", 100, 1800050},
        {"\"18000.500\"", 100, 1800050},
        {"\"18000.505\"", 100, -1},
        {"18000.50", 100, 1800050},
        {"0.07", 100, 7},
        {"9999999999.99", 100, 999999999999},
        {"18000.505", 100, -1},
        {"1e4", 100, 1000000},
        {"1e30", 100, -1},
        {"-1", 100, -1},
        {"\"-1\"", 100, -1},
        {"\"\"", 100, -1},
        {"\".5\"", 100, -1},
        {"\"5.\"", 100, -1},
        {"\"1,000\"", 100, -1},
        {"\"1 \"", 100, -1},
        {"\"0x10\"", 100, -1},
        {"true", 100, -1},
        {"null", 100, -1},
        {"\"1\"", 1, -1},
        {"1", 1, 1},
        {"1.0", 1, -1},
        {"\"12.3456\"", 1000000, 12345600},
        {"10000000001", 100, -1},
        {"\"99999999999999999999\"", 100, -1},
        {"9223372036854775807", 100, -1},
    };
    struct source_inquiry *inquiry = couple();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        char body[256];
        struct cl_settings *settings = NULL;
        struct cl_setting_error error = {""};
        struct source_mapping mapping;
        const struct source_item_row *row = NULL;
        (void)snprintf(text, sizeof text,
                       "item: DOWN_PAYMENT\nresponse: {request_id: \"\", receipt: \"\", observed: {form: NOW},"
                       " fields: {paid_fen: {at: je, scale: %d}, payer_match: {value: 1}}}\n",
                       rows[i].scale);
        (void)snprintf(body, sizeof body, "{\"code\":\"OK\",\"je\":%s}", rows[i].value);
        assert_true(cl_is_ok(cl_settings_parse(&settings, "mapping.yaml", cl_bytes_text(text), &error)));
        assert_true(cl_is_ok(source_mapping_read(&mapping, &row, cl_settings_root(settings), &error)));
        inquiry->question_count = 0;
        assert_true(cl_is_ok(source_inquiry_add(inquiry, SOURCE_DOWN_PAYMENT, 0, 0)));
        struct source_question *question = &inquiry->questions[0];
        enum source_failure failure =
            source_answer_read(&question->answer, question, &mapping, cl_bytes_text(body), REQUEST_ID, now_ms());
        int64_t fen = failure == SOURCE_FAILURE_NONE ? question->answer.facts[0].number : -1;
        if (fen != rows[i].fen) {
            fail_msg("%s x %d: %lld", rows[i].value, rows[i].scale, (long long)fen);
        }
        cl_settings_free(settings);
    }
    source_inquiry_free(inquiry);
}

/* -- Mistakes ------------------------------------------------------------------------------------------------ */

static void each_mistake_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said; /* said NULL: it is none */
    } rows[] = {
        {"item: CHILDREN", NULL},
        {"item: INCOME", "no item"},
        {"path: /x", "item"},
        {"item: CHILDREN\npath: x", "slash"},
        {"item: CHILDREN\npath: /a?b=c", "slash"},
        {"item: CHILDREN\npath: /0123456789012345678901234567890123456789012345678901234567890123", "path"},
        {"item: CHILDREN\nverb: GET", "verb"},
        {"item: CHILDREN\nrequest: {name: xm}", "CHILDREN"},
        {"item: CHILDREN\nrequest: {horoscope: xm}", "CHILDREN"},
        {"item: CHILDREN\nrequest: {id_numbers: a..b}", "joined by dots"},
        {"item: CHILDREN\nrequest: {id_numbers: a.b.c.d.e.f.g}", "joined by dots"},
        {"item: CHILDREN\nrequest: {id_numbers: a.}", "joined by dots"},
        {"item: CHILDREN\nconstants: {a: [1]}", "text"},
        {"item: CHILDREN\nconstants: {id_numbers: x}", "two things go to"},
        {"item: CHILDREN\nconstants: {a: x, a.b: y}", "two things go to"},
        {"item: CHILDREN\nconstants: {a: x, ab: y}", NULL},
        {"item: IDENTITY\nrequest: {name: d.x, id_number: d.x}", "two things go to"},
        {"item: IDENTITY\nrequest: {name: d.x, id_number: d.y}", NULL},
        {"item: CHILDREN\nresponse: {codes: []}", "codes"},
        {"item: CHILDREN\nresponse: {codes: [{at: c, words: {\"0\": FINE}}]}", "expected OK"},
        {"item: CHILDREN\nresponse: {codes: [{at: c, words: {}}]}", "words"},
        {"item: CHILDREN\nresponse: {codes: [{at: c}]}", "words"},
        {"item: CHILDREN\nresponse: {observed: {form: MS}}", "observed"},
        {"item: CHILDREN\nresponse: {observed: {at: t, form: NOW}}", "observed"},
        {"item: CHILDREN\nresponse: {observed: {at: t, form: DAYS}}", "form"},
        {"item: CHILDREN\nresponse: {fields: {homes: {at: x}}}", "no field of CHILDREN"},
        {"item: CHILDREN\nresponse: {fields: {minors: x}}", "minors"},
        {"item: CHILDREN\nresponse: {fields: {minors: {at: x, value: 1}}}", "either"},
        {"item: CHILDREN\nresponse: {fields: {minors: {scale: 100}}}", "either"},
        {"item: CHILDREN\nresponse: {fields: {minors: {value: 101}}}", "no value"},
        {"item: CHILDREN\nresponse: {fields: {minors: {at: x, words: {\"many\": 101}}}}", "101"},
        {"item: CHILDREN\nresponse: {fields: {minors: {at: x, scale: 0}}}", "scale"},
        {"item: MARRIAGE\nresponse: {fields: {status: {at: x, scale: 100}}}", "scale goes with"},
        {"item: COURT_LIST\nresponse: {fields: {case_no: {at: x, words: {\"a\": 1}}}}", "scale goes with"},
        {"item: COURT_LIST\nresponse: {fields: {case_no: {value: 1}}}", "no value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_settings *settings = NULL;
        struct cl_setting_error error = {""};
        struct source_mapping mapping;
        const struct source_item_row *row = NULL;
        assert_true(cl_is_ok(cl_settings_parse(&settings, "mapping.yaml", cl_bytes_text(rows[i].text), &error)));
        struct cl_status status = source_mapping_read(&mapping, &row, cl_settings_root(settings), &error);
        bool as_said = rows[i].said == NULL
                           ? cl_is_ok(status)
                           : status.reason == CL_CONFIG_INVALID && strstr(error.text, rows[i].said) != NULL;
        if (!as_said) {
            fail_msg("%s: %s %s", rows[i].text, cl_status_name(status), error.text);
        }
        cl_settings_free(settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_out_in_the_authoritys_words),
        cmocka_unit_test(answers_come_in_in_the_authoritys_words),
        cmocka_unit_test(times_and_receipts_are_read),
        cmocka_unit_test(scaled_numbers_are_exact),
        cmocka_unit_test(each_mistake_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
