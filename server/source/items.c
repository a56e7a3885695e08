/* The wire format, the same for every authority:
 *
 *   POST <base URL>/v1/marriage                     200
 *   Authorization: Bearer <token>                   {"request_id": "<the same>",
 *   X-Request-Id: <32 hex digits>                    "code": "OK",
 *   {"request_id": "<32 hex digits>",                "receipt": "CA-2026-000017",
 *    "name": "...", "id_number": "...",              "observed_ms": 1795500000000,
 *    "spouse": {"name": "...", "id_number": "..."}}  "answer": {"status": "MARRIED", "spouse_match": true}}
 *
 * Codes: OK with an answer; NOT_AUTHORISED, NO_RECORD, MISMATCH, AMBIGUOUS without one: these are answers, too, with
 * receipt and time. Failures of the way are HTTP statuses: 429 with Retry-After, 503 (with the code SOURCE_CLOSED
 * outside the authority's hours), any other 5xx. The request id in the answer binds it to the question, so that a
 * proxy or cache that mixes answers up is found out. Fields that were not asked for are dropped unread. */
#include "server/source/items.h"

#include <assert.h>
#include <coloan/v1/verification.pb-c.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAME(own, generated) _Static_assert((int)(own) == (int)(generated), "numbers of verification.proto")
SAME(SOURCE_IDENTITY, COLOAN__V1__ITEM__ITEM_IDENTITY);
SAME(SOURCE_MARRIAGE, COLOAN__V1__ITEM__ITEM_MARRIAGE);
SAME(SOURCE_CHILDREN, COLOAN__V1__ITEM__ITEM_CHILDREN);
SAME(SOURCE_CONTRIBUTION, COLOAN__V1__ITEM__ITEM_CONTRIBUTION);
SAME(SOURCE_LOAN_HISTORY, COLOAN__V1__ITEM__ITEM_LOAN_HISTORY);
SAME(SOURCE_FRAUD_LIST, COLOAN__V1__ITEM__ITEM_FRAUD_LIST);
SAME(SOURCE_CREDIT_FUND, COLOAN__V1__ITEM__ITEM_CREDIT_FUND);
SAME(SOURCE_HOME_COUNT, COLOAN__V1__ITEM__ITEM_HOME_COUNT);
SAME(SOURCE_HOME_CONTRACT, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT);
SAME(SOURCE_GREEN_BUILDING, COLOAN__V1__ITEM__ITEM_GREEN_BUILDING);
SAME(SOURCE_PASS, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS);
SAME(SOURCE_FAIL, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL);
SAME(SOURCE_MANUAL, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_MANUAL);
SAME(SOURCE_NOT_AUTHORISED, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NOT_AUTHORISED);
SAME(SOURCE_NO_RECORD, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NO_RECORD);
SAME(SOURCE_MISMATCH, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH);
SAME(SOURCE_AMBIGUOUS, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_AMBIGUOUS);
SAME(SOURCE_STALE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_STALE);
SAME(SOURCE_TIMEOUT, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_TIMEOUT);
SAME(SOURCE_THROTTLED, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_THROTTLED);
SAME(SOURCE_CLOSED, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_SOURCE_CLOSED);
SAME(SOURCE_BAD_SIGNATURE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_BAD_SIGNATURE);
SAME(SOURCE_PARSE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_PARSE);
SAME(SOURCE_UNREACHABLE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_UNREACHABLE);

/* -- The table ----------------------------------------------------------------------------------------------- */

#define COUNT_MAX  100                    /* of children, homes, loans: more is a broken answer */
#define MONTHS_MAX 1200                   /* a hundred years */
#define MONEY_MAX  INT64_C(1000000000000) /* ten thousand million yuan, the bound of every amount */
#define AREA_MAX   10000000               /* 100,000 m2 */

#define FLAG(name)                                                                                                     \
    {                                                                                                                  \
        name, SOURCE_FIELD_FLAG, SOURCE_FIELD_FACT, 0, 1                                                               \
    }
#define MUST(name)                                                                                                     \
    {                                                                                                                  \
        name, SOURCE_FIELD_FLAG, SOURCE_FIELD_MUST, 0, 1                                                               \
    }
#define NUMBER(name, min, max)                                                                                         \
    {                                                                                                                  \
        name, SOURCE_FIELD_NUMBER, SOURCE_FIELD_FACT, (min), (max)                                                     \
    }

static const struct source_item_row rows[] = {
    {SOURCE_IDENTITY,
     "IDENTITY",
     "/v1/identity",
     true,
     SOURCE_SENDS_NAME | SOURCE_SENDS_ID_NUMBER,
     SOURCE_MANUAL,
     {MUST("match")}},

    /* Marriages from before the registers were digital, and foreign ones, have no record. */
    {SOURCE_MARRIAGE,
     "MARRIAGE",
     "/v1/marriage",
     true,
     SOURCE_SENDS_NAME | SOURCE_SENDS_ID_NUMBER | SOURCE_SENDS_SPOUSE,
     SOURCE_MANUAL,
     {{"status", SOURCE_FIELD_STATUS, SOURCE_FIELD_FACT, 1, 4},
      {"spouse_match", SOURCE_FIELD_FLAG, SOURCE_FIELD_MUST_WITH_SPOUSE, 0, 1}}},

    {SOURCE_CHILDREN,
     "CHILDREN",
     "/v1/children",
     false,
     SOURCE_SENDS_HOUSEHOLD,
     SOURCE_MANUAL,
     {NUMBER("minors", 0, COUNT_MAX)}},

    /* Every contributor has an account, here or at the centre the national platform asks. */
    {SOURCE_CONTRIBUTION,
     "CONTRIBUTION",
     "/v1/contribution",
     true,
     SOURCE_SENDS_ID_NUMBER,
     SOURCE_FAIL,
     {NUMBER("months", 0, MONTHS_MAX), NUMBER("base_fen", 0, MONEY_MAX), NUMBER("balance_fen", 0, MONEY_MAX),
      FLAG("sealed")}},

    {SOURCE_LOAN_HISTORY,
     "LOAN_HISTORY",
     "/v1/loan-history",
     true,
     SOURCE_SENDS_ID_NUMBER,
     SOURCE_MANUAL,
     {NUMBER("loans_used", 0, COUNT_MAX), NUMBER("loans_open", 0, COUNT_MAX)}},

    {SOURCE_FRAUD_LIST,
     "FRAUD_LIST",
     "/v1/fraud-list",
     true,
     SOURCE_SENDS_ID_NUMBER,
     SOURCE_MANUAL,
     {{"banned_until", SOURCE_FIELD_DATE, SOURCE_FIELD_FACT, 0, 21991231}}},

    {SOURCE_CREDIT_FUND,
     "CREDIT_FUND",
     "/v1/credit",
     true,
     SOURCE_SENDS_NAME | SOURCE_SENDS_ID_NUMBER | SOURCE_SENDS_AUTHORISATION,
     SOURCE_MANUAL,
     {FLAG("overdue_now"), NUMBER("overdue_consecutive", 0, MONTHS_MAX), NUMBER("overdue_total", 0, MONTHS_MAX),
      NUMBER("debts_fen", 0, MONEY_MAX), NUMBER("mortgages_open", 0, COUNT_MAX)}},

    {SOURCE_HOME_COUNT,
     "HOME_COUNT",
     "/v1/home-count",
     false,
     SOURCE_SENDS_HOUSEHOLD | SOURCE_SENDS_DISTRICT,
     SOURCE_MANUAL,
     {NUMBER("homes", 0, COUNT_MAX)}},

    /* A contract without a record was not filed. */
    {SOURCE_HOME_CONTRACT,
     "HOME_CONTRACT",
     "/v1/home-contract",
     false,
     SOURCE_SENDS_CONTRACT | SOURCE_SENDS_BUYERS,
     SOURCE_FAIL,
     {NUMBER("price_fen", 1, MONEY_MAX), NUMBER("area_centi_m2", 1, AREA_MAX), MUST("filed"), MUST("buyers_match")}},

    /* The list is complete: a home that is not on it has no rating, and the application goes on without. */
    {SOURCE_GREEN_BUILDING,
     "GREEN_BUILDING",
     "/v1/green-building",
     false,
     SOURCE_SENDS_CONTRACT,
     SOURCE_FAIL,
     {NUMBER("stars", 0, 3), FLAG("improved"), FLAG("trade_in"), FLAG("youth_voucher")}},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const struct source_item_row *source_item_row(enum source_item item)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].item == item) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct source_item_row *source_item_find(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct source_item_row *source_item_at(size_t index)
{
    return index < ROW_COUNT ? &rows[index] : NULL;
}

bool source_failure_is_technical(enum source_failure failure)
{
    return failure >= SOURCE_STALE;
}

/* -- The request --------------------------------------------------------------------------------------------- */

/* Overwrites every text of the tree, which jansson keeps in blocks of its own, then frees it. */
static void wipe_json(json_t *node)
{
    const char *key;
    json_t *child;
    size_t index;
    if (json_is_string(node)) {
        union {
            const char *in;
            char *out;
        } text = {.in = json_string_value(node)};
        explicit_bzero(text.out, json_string_length(node));
    }
    json_object_foreach(node, key, child)
    {
        json_incref(child);
        wipe_json(child);
    }
    json_array_foreach(node, index, child)
    {
        json_incref(child);
        wipe_json(child);
    }
    json_decref(node);
}

/* json_string refuses what is not UTF-8, and json_object_set_new a NULL: either way the body is incomplete. */
static bool put_text(json_t *object, const char *key, const char *text)
{
    return text[0] != '\0' && json_object_set_new(object, key, json_string(text)) == 0;
}

static bool put_spouse(json_t *body, const struct source_inquiry *inquiry, const struct source_person *person)
{
    if (person->spouse == 0) {
        return true;
    }
    if (person->spouse > inquiry->person_count) {
        return false;
    }
    const struct source_person *spouse = &inquiry->persons[person->spouse - 1];
    json_t *object = json_object();
    bool complete = put_text(object, "name", spouse->name) && put_text(object, "id_number", spouse->id_number);
    return json_object_set_new(body, "spouse", object) == 0 && complete;
}

static bool put_id_numbers(json_t *body, const struct source_inquiry *inquiry, bool of_buyers)
{
    json_t *list = json_array();
    bool complete = true;
    for (size_t i = 0; i < inquiry->person_count; i++) {
        const struct source_person *person = &inquiry->persons[i];
        if (of_buyers ? person->buyer : person->household) {
            complete = person->id_number[0] != '\0' &&
                       json_array_append_new(list, json_string(person->id_number)) == 0 && complete;
        }
    }
    complete = json_array_size(list) > 0 && complete;
    return json_object_set_new(body, "id_numbers", list) == 0 && complete;
}

static bool put_sent(json_t *body, unsigned sends, const struct source_question *question)
{
    const struct source_inquiry *inquiry = question->inquiry;
    const struct source_person *person = &inquiry->persons[question->person];
    bool complete = true;
    if ((sends & SOURCE_SENDS_NAME) != 0) {
        complete = put_text(body, "name", person->name) && complete;
    }
    if ((sends & SOURCE_SENDS_ID_NUMBER) != 0) {
        complete = put_text(body, "id_number", person->id_number) && complete;
    }
    if ((sends & SOURCE_SENDS_SPOUSE) != 0) {
        complete = put_spouse(body, inquiry, person) && complete;
    }
    if ((sends & SOURCE_SENDS_AUTHORISATION) != 0) {
        complete = put_text(body, "authorisation", person->credit_authorisation) && complete;
        complete = put_text(body, "purpose", "LOAN_APPROVAL") && complete;
    }
    if ((sends & (SOURCE_SENDS_HOUSEHOLD | SOURCE_SENDS_BUYERS)) != 0) {
        complete = put_id_numbers(body, inquiry, (sends & SOURCE_SENDS_BUYERS) != 0) && complete;
    }
    if ((sends & SOURCE_SENDS_CONTRACT) != 0) {
        complete = put_text(body, "contract_no", inquiry->home.contract_no) && complete;
    }
    if ((sends & SOURCE_SENDS_DISTRICT) != 0) {
        complete = put_text(body, "district_code", inquiry->home.district_code) && complete;
    }
    return complete;
}

struct cl_status source_request_write(char *out, size_t *len_out, const struct source_question *question,
                                      const char *request_id)
{
    const struct source_item_row *row = source_item_row(question->item);
    assert(row != NULL);
    json_t *body = json_object();
    bool complete = put_text(body, "request_id", request_id);
    complete = put_sent(body, row->sends, question) && complete;
    size_t len = json_dumpb(body, out, SOURCE_REQUEST_BYTES_MAX, JSON_COMPACT);
    wipe_json(body);
    if (!complete || len == 0 || len > SOURCE_REQUEST_BYTES_MAX) {
        return cl_fail(CL_FIELD_INVALID);
    }
    *len_out = len;
    return cl_ok();
}

/* -- The answer ---------------------------------------------------------------------------------------------- */

/* jansson recurses without a limit of ours; brackets inside texts do not count. */
static bool nested_too_deep(struct cl_bytes body)
{
    unsigned depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < body.len; i++) {
        uint8_t byte = body.data[i];
        if (in_text) {
            i += byte == '\\' ? 1 : 0;
            in_text = byte != '"';
            continue;
        }
        in_text = byte == '"';
        depth += byte == '{' || byte == '[' ? 1 : 0;
        if (depth > SOURCE_ANSWER_NESTING_MAX) {
            return true;
        }
        depth -= (byte == '}' || byte == ']') && depth > 0 ? 1 : 0;
    }
    return false;
}

static json_t *parse_object(struct cl_bytes body)
{
    if (body.len > SOURCE_ANSWER_BYTES_MAX || nested_too_deep(body)) {
        return NULL;
    }
    json_t *json = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json)) {
        return json;
    }
    json_decref(json);
    return NULL;
}

/* The text of that key, "" when there is none. */
static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static bool receipt_read(char *out, const json_t *json)
{
    const char *receipt = text_of(json, "receipt");
    size_t len = strlen(receipt);
    if (len == 0 || len > CL_TEXT_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (receipt[i] <= ' ' || receipt[i] > '~') {
            return false;
        }
    }
    memcpy(out, receipt, len + 1);
    return true;
}

static bool date_form(const char *text)
{
    for (size_t i = 0; i < 10; i++) {
        bool dash = i == 4 || i == 7;
        if (dash ? text[i] != '-' : text[i] < '0' || text[i] > '9') {
            return false; /* the NUL of a shorter text, too */
        }
    }
    return text[10] == '\0';
}

/* "2026-11-23" as 20261123, null as 0; -1 for what is not a day of the calendar. */
static int64_t date_of(const json_t *value)
{
    if (json_is_null(value)) {
        return 0;
    }
    const char *text = json_string_value(value);
    if (text == NULL || !date_form(text)) {
        return -1;
    }
    struct tm asked = {.tm_year = atoi(text) - 1900, .tm_mon = atoi(text + 5) - 1, .tm_mday = atoi(text + 8)};
    struct tm day = asked;
    (void)timegm(&day); /* makes 31 February a day in March */
    bool same = day.tm_year == asked.tm_year && day.tm_mon == asked.tm_mon && day.tm_mday == asked.tm_mday;
    return same ? (day.tm_year + 1900) * INT64_C(10000) + (day.tm_mon + 1) * 100 + day.tm_mday : -1;
}

/* The number of a marital status and, in `text_out`, its static word; -1 for an unknown one. */
static int64_t status_of(const char **text_out, const json_t *value)
{
    static const char *const words[] = {"SINGLE", "MARRIED", "DIVORCED", "WIDOWED"};
    const char *text = json_string_value(value);
    for (size_t i = 0; text != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *text_out = words[i];
            return (int64_t)i + 1;
        }
    }
    return -1;
}

static bool field_read(struct source_fact *out, const struct source_field *field, const json_t *value)
{
    struct source_fact fact = {.name = field->name, .number = -1, .text = ""};
    switch (field->kind) {
    case SOURCE_FIELD_NUMBER:
        fact.number = json_is_integer(value) ? json_integer_value(value) : -1;
        break;
    case SOURCE_FIELD_FLAG:
        fact.number = json_is_boolean(value) ? json_boolean_value(value) : -1;
        break;
    case SOURCE_FIELD_DATE:
        fact.number = date_of(value);
        break;
    case SOURCE_FIELD_STATUS:
        fact.number = status_of(&fact.text, value);
        break;
    }
    if (value == NULL || fact.number < field->min || fact.number > field->max) {
        return false;
    }
    *out = fact;
    return true;
}

/* PARSE when a field is missing or out of range, MISMATCH when one says that what was declared is wrong. */
static enum source_failure fields_read(struct source_answer *answer, const struct source_item_row *row,
                                       const struct source_question *question, const json_t *values)
{
    bool with_spouse = question->inquiry->persons[question->person].spouse != 0;
    enum source_failure failure = SOURCE_FAILURE_NONE;
    for (size_t i = 0; i < SOURCE_FACTS_MAX && row->fields[i].name != NULL; i++) {
        const struct source_field *field = &row->fields[i];
        struct source_fact fact;
        if (field->use == SOURCE_FIELD_MUST_WITH_SPOUSE && !with_spouse) {
            continue;
        }
        if (!field_read(&fact, field, json_object_get(values, field->name))) {
            return SOURCE_PARSE;
        }
        if (field->use == SOURCE_FIELD_FACT) {
            answer->facts[answer->fact_count++] = fact;
        } else if (fact.number == 0) {
            failure = SOURCE_MISMATCH;
        }
    }
    return failure;
}

static enum source_failure code_of(const json_t *json)
{
    static const struct {
        const char *code;
        enum source_failure failure;
    } codes[] = {
        {"OK", SOURCE_FAILURE_NONE},   {"NOT_AUTHORISED", SOURCE_NOT_AUTHORISED}, {"NO_RECORD", SOURCE_NO_RECORD},
        {"MISMATCH", SOURCE_MISMATCH}, {"AMBIGUOUS", SOURCE_AMBIGUOUS},           {"SOURCE_CLOSED", SOURCE_CLOSED},
    };
    const char *code = text_of(json, "code");
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(code, codes[i].code) == 0) {
            return codes[i].failure;
        }
    }
    return SOURCE_PARSE;
}

static enum source_outcome outcome_of(const struct source_item_row *row, enum source_failure failure)
{
    if (failure == SOURCE_FAILURE_NONE) {
        return SOURCE_PASS;
    }
    if (failure == SOURCE_NO_RECORD) {
        return row->no_record;
    }
    return failure == SOURCE_AMBIGUOUS ? SOURCE_MANUAL : SOURCE_FAIL;
}

/* Everything but the facts and the verdict. */
static enum source_failure read_frame(struct source_answer *answer, const struct source_question *question,
                                      const json_t *json, const char *request_id, int64_t now_ms)
{
    const json_t *observed = json_object_get(json, "observed_ms");
    if (strcmp(text_of(json, "request_id"), request_id) != 0 || !receipt_read(answer->receipt, json) ||
        !json_is_integer(observed)) {
        return SOURCE_PARSE;
    }
    int64_t observed_ms = json_integer_value(observed);
    if (observed_ms <= 0 || observed_ms > now_ms + CL_CLOCK_AHEAD_MS_MAX) {
        return SOURCE_PARSE;
    }
    if (question->valid_ms > 0 && observed_ms < now_ms - question->valid_ms) {
        return SOURCE_STALE;
    }
    answer->observed_ms = observed_ms;
    answer->valid_until_ms = question->valid_ms > 0 ? observed_ms + question->valid_ms : 0;
    return SOURCE_FAILURE_NONE;
}

static enum source_failure read_answer(struct source_answer *answer, const struct source_question *question,
                                       const json_t *json, const char *request_id, int64_t now_ms)
{
    const struct source_item_row *row = source_item_row(question->item);
    assert(row != NULL);
    enum source_failure code = code_of(json);
    if (source_failure_is_technical(code)) {
        return code;
    }
    enum source_failure frame = read_frame(answer, question, json, request_id, now_ms);
    if (frame != SOURCE_FAILURE_NONE) {
        return frame;
    }
    if (code == SOURCE_FAILURE_NONE) {
        code = fields_read(answer, row, question, json_object_get(json, "answer"));
    }
    answer->failure = code;
    answer->outcome = outcome_of(row, code);
    return code;
}

enum source_failure source_answer_read(struct source_answer *answer, const struct source_question *question,
                                       struct cl_bytes body, const char *request_id, int64_t now_ms)
{
    struct source_answer read = {.outcome = SOURCE_OPEN};
    json_t *json = parse_object(body);
    enum source_failure failure = json == NULL ? SOURCE_PARSE : read_answer(&read, question, json, request_id, now_ms);
    json_decref(json);
    if (source_failure_is_technical(failure)) {
        return failure;
    }
    memcpy(read.authority, answer->authority, sizeof read.authority);
    read.attempts = answer->attempts;
    *answer = read;
    return failure;
}

enum source_failure source_error_read(struct cl_bytes body)
{
    json_t *json = parse_object(body);
    enum source_failure failure = json == NULL ? SOURCE_PARSE : code_of(json);
    json_decref(json);
    return failure == SOURCE_CLOSED ? SOURCE_CLOSED : SOURCE_FAILURE_NONE;
}
