#include "server/source/wording.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/date.h"
#include "libcoloan/sha256.h"

/* -- Values -------------------------------------------------------------------------------------------------- */

static const char *date_text(struct source_value_buffer *buffer, int32_t date)
{
    if (date <= 0) {
        return "";
    }
    (void)snprintf(buffer->text, sizeof buffer->text, "%04" PRId32 "-%02" PRId32 "-%02" PRId32, date / 10000,
                   date / 100 % 100, date % 100);
    return buffer->text;
}

const char *source_value_text(const struct source_question *question, enum source_value value,
                              struct source_value_buffer *buffer)
{
    const struct source_inquiry *inquiry = question->inquiry;
    const struct source_home *home = &inquiry->home;
    const struct source_person *person = &inquiry->persons[question->person];
    bool has_spouse = person->spouse > 0 && person->spouse <= inquiry->person_count;
    const struct source_person *spouse = has_spouse ? &inquiry->persons[person->spouse - 1] : NULL;
    const char *const texts[SOURCE_VALUE_COUNT] = {
        [SOURCE_VALUE_NAME] = person->name,
        [SOURCE_VALUE_ID_NUMBER] = person->id_number,
        [SOURCE_VALUE_MOBILE] = person->mobile,
        [SOURCE_VALUE_SPOUSE_NAME] = has_spouse ? spouse->name : NULL,
        [SOURCE_VALUE_SPOUSE_ID_NUMBER] = has_spouse ? spouse->id_number : NULL,
        [SOURCE_VALUE_AUTHORISATION] = person->credit_authorisation,
        [SOURCE_VALUE_PURPOSE] = "LOAN_APPROVAL",
        [SOURCE_VALUE_CONTRACT_NO] = home->contract_no,
        [SOURCE_VALUE_DISTRICT_CODE] = home->district_code,
        [SOURCE_VALUE_UNIT_NO] = home->unit_no,
        [SOURCE_VALUE_PERMIT_NO] = home->permit_no,
        [SOURCE_VALUE_REGISTRY_NO] = home->registry_no,
        [SOURCE_VALUE_FACE_TOKEN] = person->face_token,
        [SOURCE_VALUE_VALID_UNTIL] = date_text(buffer, person->id_valid_until),
        [SOURCE_VALUE_CENTRE] = person->contribution_centre,
        [SOURCE_VALUE_EMPLOYER_USCC] = person->employer_uscc,
        [SOURCE_VALUE_ACCOUNT] = home->account,
    };
    return texts[value] == NULL ? "" : texts[value];
}

bool source_value_lists(const struct source_question *question, const struct source_person *person)
{
    return source_item_row(question->item)->of_buyers ? person->buyer : person->household;
}

static void hash_text(struct cl_sha256 *hash, const char *text)
{
    cl_sha256_add_u32be(hash, (uint32_t)strlen(text));
    cl_sha256_add(hash, cl_bytes_text(text));
}

/* The key goes first and has a fixed length; the digest never leaves the process. */
void source_question_digest(struct cl_digest *out, struct cl_bytes key, const struct source_question *question)
{
    const struct source_inquiry *inquiry = question->inquiry;
    const struct source_item_row *row = source_item_row(question->item);
    struct source_value_buffer buffer;
    struct cl_sha256 hash;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, key);
    cl_sha256_add_u32be(&hash, (uint32_t)question->item);
    for (unsigned value = 0; value < SOURCE_VALUE_COUNT; value++) {
        bool sent = ((row->sends | row->sends_if_known) & SOURCE_VALUE_BIT(value)) != 0;
        if (sent && value != SOURCE_VALUE_ID_NUMBERS && value != SOURCE_VALUE_REQUEST_ID) {
            cl_sha256_add_u32be(&hash, value);
            hash_text(&hash, source_value_text(question, (enum source_value)value, &buffer));
        }
    }
    bool lists = (row->sends & SOURCE_VALUE_BIT(SOURCE_VALUE_ID_NUMBERS)) != 0;
    for (size_t i = 0; lists && i < inquiry->person_count; i++) {
        if (source_value_lists(question, &inquiry->persons[i])) {
            hash_text(&hash, inquiry->persons[i].id_number);
        }
    }
    cl_sha256_finish(&hash, out);
    explicit_bzero(&hash, sizeof hash); /* it held personal values */
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

/* The next key of a place, cut off at the dot; moves `at` behind it. */
static void next_key(char out[SOURCE_PLACE_BYTES_MAX + 1], const char **at)
{
    size_t len = strcspn(*at, ".");
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len;
    *at += **at == '.' ? 1 : 0;
}

/* Takes `value`; false when it is NULL (json_string refuses what is not UTF-8) or the place is taken. */
static bool put(json_t *body, const char *at, json_t *value)
{
    char key[SOURCE_PLACE_BYTES_MAX + 1];
    next_key(key, &at);
    while (*at != '\0') {
        json_t *inner = json_object_get(body, key);
        if (inner == NULL) {
            inner = json_object();
            (void)json_object_set_new(body, key, inner);
        }
        body = inner;
        next_key(key, &at);
    }
    if (value == NULL || !json_is_object(body) || json_object_get(body, key) != NULL) {
        wipe_json(value);
        return false;
    }
    return json_object_set_new(body, key, value) == 0;
}

static json_t *list_of_id_numbers(const struct source_question *question)
{
    const struct source_inquiry *inquiry = question->inquiry;
    json_t *list = json_array();
    bool complete = true;
    for (size_t i = 0; i < inquiry->person_count; i++) {
        const struct source_person *person = &inquiry->persons[i];
        if (source_value_lists(question, person)) {
            complete = person->id_number[0] != '\0' &&
                       json_array_append_new(list, json_string(person->id_number)) == 0 && complete;
        }
    }
    if (!complete || json_array_size(list) == 0) {
        wipe_json(list);
        return NULL;
    }
    return list;
}

/* False when the value is needed and not known. */
static bool put_value(json_t *body, const struct source_question *question, enum source_value value, const char *at,
                      const char *request_id)
{
    struct source_value_buffer buffer;
    if (value == SOURCE_VALUE_ID_NUMBERS) {
        return put(body, at, list_of_id_numbers(question));
    }
    const char *text = value == SOURCE_VALUE_REQUEST_ID ? request_id : source_value_text(question, value, &buffer);
    if (text[0] == '\0') {
        return (source_item_row(question->item)->sends & SOURCE_VALUE_BIT(value)) == 0;
    }
    return put(body, at, json_string(text));
}

static bool put_all(json_t *body, const struct source_question *question, const struct source_mapping *mapping,
                    const char *request_id)
{
    bool complete = true;
    for (unsigned value = 0; value < SOURCE_VALUE_COUNT; value++) {
        const char *at = mapping->values[value];
        complete = (at == NULL || put_value(body, question, (enum source_value)value, at, request_id)) && complete;
    }
    for (size_t i = 0; i < mapping->constant_count; i++) {
        const struct source_constant *constant = &mapping->constants[i];
        complete = put(body, constant->at, json_string(constant->text)) && complete;
    }
    return complete;
}

struct cl_status source_request_write(char *out, size_t *len_out, const struct source_question *question,
                                      const struct source_mapping *mapping, const char *request_id)
{
    json_t *body = json_object();
    bool complete = put_all(body, question, mapping, request_id);
    size_t len = json_dumpb(body, out, SOURCE_REQUEST_BYTES_MAX, JSON_COMPACT);
    wipe_json(body);
    if (!complete || len == 0 || len > SOURCE_REQUEST_BYTES_MAX) {
        return cl_fail(CL_FIELD_INVALID);
    }
    *len_out = len;
    return cl_ok();
}

/* -- Finding things in an answer ----------------------------------------------------------------------------- */

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

static bool all_digits(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= 3 && strspn(text, "0123456789") == len;
}

/* What stands there; NULL when nothing does. `at` NULL: the node itself. */
static const json_t *find(const json_t *node, const char *at)
{
    char key[SOURCE_PLACE_BYTES_MAX + 1];
    while (at != NULL && *at != '\0' && node != NULL) {
        next_key(key, &at);
        bool in_list = json_is_array(node) && all_digits(key);
        node = in_list ? json_array_get(node, (size_t)atoi(key)) : json_object_get(node, key);
    }
    return node;
}

/* The text of a scalar, a number or flag written out; "" of everything else. */
static const char *scalar_text(char buffer[32], const json_t *value)
{
    if (json_is_string(value)) {
        return json_string_value(value);
    }
    buffer[0] = '\0';
    if (json_is_integer(value)) {
        (void)snprintf(buffer, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_boolean(value)) {
        (void)snprintf(buffer, 32, "%s", json_is_true(value) ? "true" : "false");
    }
    return buffer;
}

/* False for a word that is not among them. */
static bool word_number(int64_t *out, const struct source_words *words, const json_t *value)
{
    char buffer[32];
    const char *text = scalar_text(buffer, value);
    for (size_t i = 0; i < words->count; i++) {
        if (strcmp(words->list[i].word, text) == 0) {
            *out = words->list[i].number;
            return true;
        }
    }
    return false;
}

/* -- Fields -------------------------------------------------------------------------------------------------- */

/* "2026-11-23" and "20261123" as 20261123; -1 for what is not a day of the calendar. */
static int64_t date_number(const char *text, size_t len)
{
    bool dashed = len == 10 && text[4] == '-' && text[7] == '-';
    if (len != 8 && !dashed) {
        return -1;
    }
    int32_t date = 0;
    for (size_t i = 0; i < len; i++) {
        bool dash = dashed && (i == 4 || i == 7);
        if (!dash && !isdigit((unsigned char)text[i])) {
            return -1;
        }
        date = dash ? date : date * 10 + (text[i] - '0');
    }
    return cl_date_valid(date) ? date : -1;
}

/* The same of a JSON value; null is 0, no date. */
static int64_t date_of(const json_t *value)
{
    if (json_is_null(value)) {
        return 0;
    }
    const char *text = json_string_value(value);
    return text == NULL ? -1 : date_number(text, strlen(text));
}

/* A decimal number times `scale`, a power of ten; -1 unless that is a whole number of at most 18 digits. */
static int64_t scaled_text(const char *text, int64_t scale)
{
    const int64_t whole_max = INT64_C(1000000000000);
    int64_t number = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++) {
        number = number * 10 + (*at - '0');
        if (number > whole_max) {
            return -1;
        }
    }
    if (at == text || (*at != '\0' && *at != '.') || (*at == '.' && at[1] == '\0')) {
        return -1;
    }
    at += *at == '.' ? 1 : 0;
    for (; isdigit((unsigned char)*at); at++) {
        if (scale % 10 != 0) {
            if (*at != '0') {
                return -1;
            }
            continue;
        }
        number = number * 10 + (*at - '0');
        scale /= 10;
    }
    return *at == '\0' && number <= INT64_MAX / scale ? number * scale : -1;
}

/* A JSON number with decimals went through a double. Of at most fifteen digits it comes out again as it was written. */
static int64_t scaled_real(double real, int64_t scale)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.15g", real);
    return strpbrk(text, "eEnN-") == NULL && strtod(text, NULL) == real ? scaled_text(text, scale) : -1;
}

static int64_t number_of(const json_t *value, int64_t scale)
{
    if (json_is_integer(value)) {
        int64_t number = json_integer_value(value);
        return number >= 0 && number <= INT64_MAX / scale ? number * scale : -1;
    }
    if (scale == 1) {
        return -1; /* our own format: integers only */
    }
    return json_is_string(value) ? scaled_text(json_string_value(value), scale)
           : json_is_real(value) ? scaled_real(json_real_value(value), scale)
                                 : -1;
}

/* One that a person may read: no control characters. */
static bool text_read(char *out, const json_t *value, int64_t min, int64_t max)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (text == NULL || (int64_t)len < min || (int64_t)len > max || strlen(text) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            return false;
        }
    }
    memcpy(out, text, len + 1);
    return true;
}

static bool field_read(struct source_fact *out, const struct source_field *field,
                       const struct source_field_place *place, const json_t *value)
{
    struct source_fact fact = {.name = field->name, .number = -1};
    if (field->kind == SOURCE_FIELD_TEXT) {
        fact.number = 0;
        *out = fact;
        return text_read(out->text, value, field->min, field->max);
    }
    if (place->words.count > 0) {
        fact.number = word_number(&fact.number, &place->words, value) ? fact.number : -1;
    } else if (field->kind == SOURCE_FIELD_NUMBER) {
        fact.number = number_of(value, place->scale);
    } else if (field->kind == SOURCE_FIELD_FLAG) {
        fact.number = json_is_boolean(value) ? json_boolean_value(value) : -1;
    } else if (field->kind == SOURCE_FIELD_DATE) {
        fact.number = date_of(value);
    }
    *out = fact;
    return fact.number >= field->min && fact.number <= field->max;
}

/* PARSE when a field is missing or out of range, MISMATCH when one says that what was declared is wrong. */
static enum source_failure fields_read(struct source_answer *answer, const struct source_item_row *row,
                                       const struct source_mapping *mapping, const json_t *json)
{
    enum source_failure failure = SOURCE_FAILURE_NONE;
    for (size_t i = 0; i < SOURCE_FACTS_MAX && row->fields[i].name != NULL; i++) {
        const struct source_field *field = &row->fields[i];
        const struct source_field_place *place = &mapping->fields[i];
        struct source_fact fact = {.name = field->name, .number = place->value};
        const json_t *value = place->at == NULL ? NULL : find(find(json, place->under), place->at);
        if (field->use == SOURCE_FIELD_FACT_IF_THERE && place->at != NULL && (value == NULL || json_is_null(value))) {
            continue;
        }
        if (place->at != NULL && (value == NULL || !field_read(&fact, field, place, value))) {
            return SOURCE_PARSE;
        }
        if (field->use != SOURCE_FIELD_MUST) {
            answer->facts[answer->fact_count++] = fact;
        } else if (fact.number == 0) {
            failure = SOURCE_MISMATCH;
        }
    }
    return failure;
}

/* -- The answer ---------------------------------------------------------------------------------------------- */

/* The first code that does not say OK. */
static enum source_failure code_of(const json_t *json, const struct source_mapping *mapping)
{
    for (size_t i = 0; i < mapping->code_count; i++) {
        int64_t number = SOURCE_PARSE;
        const struct source_code *code = &mapping->codes[i];
        if (!word_number(&number, &code->words, find(json, code->at)) || number != SOURCE_FAILURE_NONE) {
            return (enum source_failure)number;
        }
    }
    return SOURCE_FAILURE_NONE;
}

static bool receipt_read(char *out, const json_t *json, const struct source_mapping *mapping, const char *request_id)
{
    char buffer[32];
    const char *receipt = mapping->receipt == NULL ? request_id : scalar_text(buffer, find(json, mapping->receipt));
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

/* Two digits from 0 to `max`; -1 otherwise. */
static int64_t two_digits(const char *text, int64_t max)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1])) {
        return -1;
    }
    int64_t number = (text[0] - '0') * 10 + (text[1] - '0');
    return number <= max ? number : -1;
}

/* "2026-11-23 10:00:00", with a T in the middle or a rest behind the seconds if need be; -1 for anything else. */
static int64_t china_time_ms(const char *text)
{
    if (strlen(text) < 19 || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':') {
        return -1;
    }
    int64_t date = date_number(text, 10);
    int64_t hour = two_digits(text + 11, 23);
    int64_t minute = two_digits(text + 14, 59);
    int64_t second = two_digits(text + 17, 59);
    if (date <= 0 || hour < 0 || minute < 0 || second < 0) {
        return -1;
    }
    return cl_date_to_ms((int32_t)date) + ((hour * 60 + minute) * 60 + second) * 1000;
}

/* -1 when the answer does not say when. */
static int64_t observed_of(const json_t *json, const struct source_mapping *mapping, int64_t now_ms)
{
    const json_t *value = find(json, mapping->observed);
    switch (mapping->observed_form) {
    case SOURCE_OBSERVED_MS:
        return json_is_integer(value) ? json_integer_value(value) : -1;
    case SOURCE_OBSERVED_S:
        return json_is_integer(value) && json_integer_value(value) < INT64_MAX / 1000 ? json_integer_value(value) * 1000
                                                                                      : -1;
    case SOURCE_OBSERVED_CHINA_TIME:
        return json_is_string(value) ? china_time_ms(json_string_value(value)) : -1;
    case SOURCE_OBSERVED_NOW:
        return now_ms;
    }
    return -1;
}

/* Everything but the facts and the verdict. */
static enum source_failure read_frame(struct source_answer *answer, const struct source_question *question,
                                      const struct source_mapping *mapping, const json_t *json, const char *request_id,
                                      int64_t now_ms)
{
    char buffer[32];
    bool ours =
        mapping->request_id == NULL || strcmp(scalar_text(buffer, find(json, mapping->request_id)), request_id) == 0;
    if (!ours || !receipt_read(answer->receipt, json, mapping, request_id)) {
        return SOURCE_PARSE;
    }
    int64_t observed_ms = observed_of(json, mapping, now_ms);
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

static enum source_failure read_answer(struct source_answer *answer, const struct source_question *question,
                                       const struct source_mapping *mapping, const json_t *json, const char *request_id,
                                       int64_t now_ms)
{
    const struct source_item_row *row = source_item_row(question->item);
    assert(row != NULL);
    enum source_failure code = code_of(json, mapping);
    if (source_failure_is_technical(code)) {
        return code;
    }
    enum source_failure frame = read_frame(answer, question, mapping, json, request_id, now_ms);
    if (frame != SOURCE_FAILURE_NONE) {
        return frame;
    }
    if (code == SOURCE_FAILURE_NONE) {
        code = fields_read(answer, row, mapping, json);
    }
    answer->failure = code;
    answer->outcome = outcome_of(row, code);
    return code;
}

enum source_failure source_answer_read(struct source_answer *answer, const struct source_question *question,
                                       const struct source_mapping *mapping, struct cl_bytes body,
                                       const char *request_id, int64_t now_ms)
{
    struct source_answer read = {.outcome = SOURCE_OPEN};
    json_t *json = parse_object(body);
    enum source_failure failure =
        json == NULL ? SOURCE_PARSE : read_answer(&read, question, mapping, json, request_id, now_ms);
    json_decref(json);
    if (source_failure_is_technical(failure)) {
        return failure;
    }
    memcpy(read.authority, answer->authority, sizeof read.authority);
    read.attempts = answer->attempts;
    *answer = read;
    return failure;
}

enum source_failure source_error_read(const struct source_mapping *mapping, struct cl_bytes body)
{
    json_t *json = parse_object(body);
    enum source_failure failure = json == NULL ? SOURCE_PARSE : code_of(json, mapping);
    json_decref(json);
    return failure == SOURCE_CLOSED ? SOURCE_CLOSED : SOURCE_FAILURE_NONE;
}
