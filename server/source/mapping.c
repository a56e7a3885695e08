#include "server/source/mapping.h"

#include <stddef.h>
#include <string.h>

/* -- The format without a mapping ---------------------------------------------------------------------------- */

/* What an authority's code may stand for. A code that no word names is no answer. */
static const struct source_word meanings[] = {
    {"OK", SOURCE_FAILURE_NONE},     {"NOT_AUTHORISED", SOURCE_NOT_AUTHORISED}, {"NO_RECORD", SOURCE_NO_RECORD},
    {"MISMATCH", SOURCE_MISMATCH},   {"AMBIGUOUS", SOURCE_AMBIGUOUS},           {"SOURCE_CLOSED", SOURCE_CLOSED},
    {"THROTTLED", SOURCE_THROTTLED}, {"SOURCE_DOWN", SOURCE_UNREACHABLE},
};

enum { MEANING_COUNT = sizeof meanings / sizeof meanings[0] };

static void add_word(struct source_words *words, const char *word, int64_t number)
{
    words->list[words->count++] = (struct source_word){.word = word, .number = number};
}

static void default_code(struct source_code *out)
{
    *out = (struct source_code){.at = "code"};
    for (size_t i = 0; i < MEANING_COUNT; i++) {
        add_word(&out->words, meanings[i].word, meanings[i].number);
    }
}

static void default_field(struct source_field_place *out, const struct source_field *field)
{
    *out = (struct source_field_place){.under = "answer", .at = field->name, .scale = 1};
    for (const struct source_word *word = field->words; word != NULL && word->word != NULL; word++) {
        add_word(&out->words, word->word, word->number);
    }
}

void source_mapping_default(struct source_mapping *out, const struct source_item_row *row)
{
    *out = (struct source_mapping){.path = row->path,
                                   .code_count = 1,
                                   .request_id = "request_id",
                                   .receipt = "receipt",
                                   .observed = "observed_ms",
                                   .observed_form = SOURCE_OBSERVED_MS};
    default_code(&out->codes[0]);
    for (unsigned value = 0; value < SOURCE_VALUE_COUNT; value++) {
        bool sent = ((row->sends | row->sends_if_known) & SOURCE_VALUE_BIT(value)) != 0;
        out->values[value] = sent ? source_value_row((enum source_value)value)->path : NULL;
    }
    for (size_t i = 0; i < SOURCE_FACTS_MAX && row->fields[i].name != NULL; i++) {
        default_field(&out->fields[i], &row->fields[i]);
    }
}

/* -- Reading one --------------------------------------------------------------------------------------------- */

struct section {
    const char *item, *path;
    const struct cl_setting *request, *constants, *response;
};

static const struct cl_setting_field section_fields[] = {
    {"item", CL_SETTING_TEXT, offsetof(struct section, item), true, NULL, 1, 64, NULL, "Whose mapping it is."},
    {"path", CL_SETTING_TEXT, offsetof(struct section, path), false, NULL, 0, SOURCE_URL_PATH_BYTES_MAX, NULL,
     "Behind the base URL, from a slash on. Left out: /v1/<item>."},
    {"request", CL_SETTING_SECTION, offsetof(struct section, request), false, NULL, 0, 0, NULL,
     "Where each value goes in the request, e.g. {name: data.xm}; what is not named is not sent."},
    {"constants", CL_SETTING_SECTION, offsetof(struct section, constants), false, NULL, 0, 0, NULL,
     "Texts that every request carries, e.g. {head.appid: gjj}."},
    {"response", CL_SETTING_SECTION, offsetof(struct section, response), false, NULL, 0, 0, NULL,
     "Where the answer says what."},
};

struct response {
    const struct cl_setting *codes, *observed, *fields;
    const char *request_id, *receipt;
};

static const struct cl_setting_field response_fields[] = {
    {"codes", CL_SETTING_LIST, offsetof(struct response, codes), false, NULL, 1, SOURCE_CODES_MAX, NULL,
     "Where its codes are and what they mean: {at: head.status, words: {\"0\": OK}}; all have to say OK."},
    {"request_id", CL_SETTING_TEXT, offsetof(struct response, request_id), false, NULL, 0, 0, NULL,
     "Where it repeats our request id; \"\": it does not."},
    {"receipt", CL_SETTING_TEXT, offsetof(struct response, receipt), false, NULL, 0, 0, NULL,
     "Where the number of its answer is; \"\": none, our request id stands for it."},
    {"observed", CL_SETTING_SECTION, offsetof(struct response, observed), false, NULL, 0, 0, NULL,
     "Where its time is: {at: head.time, form: MS | S | CHINA_TIME | NOW}."},
    {"fields", CL_SETTING_SECTION, offsetof(struct response, fields), false, NULL, 0, 0, NULL,
     "Where each field of the item is, e.g. {status: {at: data.hyzk, words: {\"未婚\": 1}}}."},
};

static const char *const observed_forms[] = {"MS", "S", "CHINA_TIME", "NOW", NULL};

struct observed {
    const char *at;
    int form;
};

static const struct cl_setting_field observed_fields[] = {
    {"at", CL_SETTING_TEXT, offsetof(struct observed, at), false, NULL, 1, SOURCE_PLACE_BYTES_MAX, NULL, "Its place."},
    {"form", CL_SETTING_CHOICE, offsetof(struct observed, form), false, "MS", 0, 0, observed_forms,
     "Unix ms, Unix seconds, \"2026-11-23 10:00:00\", or it does not say."},
};

struct code {
    const char *at;
    const struct cl_setting *words;
};

static const struct cl_setting_field code_fields[] = {
    {"at", CL_SETTING_TEXT, offsetof(struct code, at), true, NULL, 1, SOURCE_PLACE_BYTES_MAX, NULL, "Its place."},
    {"words", CL_SETTING_SECTION, offsetof(struct code, words), true, NULL, 0, 0, NULL,
     "OK, NOT_AUTHORISED, NO_RECORD, MISMATCH, AMBIGUOUS, SOURCE_CLOSED, THROTTLED or SOURCE_DOWN for each code."},
};

static const int64_t NO_VALUE = INT64_MIN;

struct place {
    const char *at;
    const struct cl_setting *words;
    int64_t scale, value;
};

static const struct cl_setting_field place_fields[] = {
    {"at", CL_SETTING_TEXT, offsetof(struct place, at), false, NULL, 1, SOURCE_PLACE_BYTES_MAX, NULL, "Its place."},
    {"words", CL_SETTING_SECTION, offsetof(struct place, words), false, NULL, 0, 0, NULL,
     "The number that each of its words stands for; flags are 0 and 1."},
    {"scale", CL_SETTING_INT64, offsetof(struct place, scale), false, "1", 1, 1000000, NULL,
     "What a number is multiplied by: 100 for yuan or m2, 1000000 for ten thousand yuan."},
    {"value", CL_SETTING_INT64, offsetof(struct place, value), false, NULL, 0, INT64_MAX, NULL,
     "Instead of a place: what holds when the authority does not say."},
};

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

void source_mapping_print_fields(FILE *out)
{
    cl_setting_print_fields(out, section_fields, COUNT(section_fields));
    (void)fprintf(out, "\nauthorities, each, mapping, each, response:\n");
    cl_setting_print_fields(out, response_fields, COUNT(response_fields));
    (void)fprintf(out, "\nauthorities, each, mapping, each, response, codes, each:\n");
    cl_setting_print_fields(out, code_fields, COUNT(code_fields));
    (void)fprintf(out, "\nauthorities, each, mapping, each, response, observed:\n");
    cl_setting_print_fields(out, observed_fields, COUNT(observed_fields));
    (void)fprintf(out, "\nauthorities, each, mapping, each, response, fields, each:\n");
    cl_setting_print_fields(out, place_fields, COUNT(place_fields));
}

/* Keys joined by dots, none of them empty. */
static bool place_valid(const char *at)
{
    size_t keys = 1;
    size_t key_len = 0;
    if (strnlen(at, SOURCE_PLACE_BYTES_MAX + 1) > SOURCE_PLACE_BYTES_MAX) {
        return false;
    }
    for (const char *c = at; *c != '\0'; c++) {
        if (*c == '.' && key_len == 0) {
            return false;
        }
        keys += *c == '.' ? 1 : 0;
        key_len = *c == '.' ? 0 : key_len + 1;
    }
    return key_len > 0 && keys <= SOURCE_PLACE_KEYS_MAX;
}

static struct cl_status check_place(const char *at, const struct cl_setting *setting, struct cl_setting_error *error)
{
    return place_valid(at) ? cl_ok()
                           : cl_setting_refuse(error, setting, "expected 1 to %d keys joined by dots, e.g. head.code",
                                               SOURCE_PLACE_KEYS_MAX);
}

static struct cl_status read_request(struct source_mapping *out, const struct source_item_row *row,
                                     const struct cl_setting *section, struct cl_setting_error *error)
{
    memset(out->values, 0, sizeof out->values);
    for (size_t i = 0; i < cl_setting_count(section); i++) {
        const struct cl_setting *setting = cl_setting_at(section, i);
        enum source_value value = source_value_find(cl_setting_key(setting));
        if (value == SOURCE_VALUE_COUNT || ((row->sends | row->sends_if_known) & SOURCE_VALUE_BIT(value)) == 0) {
            return cl_setting_refuse(error, setting, "is no value that %s is asked with", row->name);
        }
        struct cl_status status = check_place(cl_setting_text(setting), setting, error);
        if (cl_failed(status)) {
            return status;
        }
        out->values[value] = cl_setting_text(setting);
    }
    return cl_ok();
}

static struct cl_status read_constants(struct source_mapping *out, const struct cl_setting *section,
                                       struct cl_setting_error *error)
{
    if (cl_setting_count(section) > SOURCE_CONSTANTS_MAX) {
        return cl_setting_refuse(error, section, "expected at most %d texts", SOURCE_CONSTANTS_MAX);
    }
    for (size_t i = 0; i < cl_setting_count(section); i++) {
        const struct cl_setting *setting = cl_setting_at(section, i);
        struct cl_status status = check_place(cl_setting_key(setting), setting, error);
        if (cl_is_ok(status) && cl_setting_kind(setting) != CL_SETTING_SCALAR) {
            status = cl_setting_refuse(error, setting, "expected a text");
        }
        if (cl_failed(status)) {
            return status;
        }
        out->constants[out->constant_count++] =
            (struct source_constant){.at = cl_setting_key(setting), .text = cl_setting_text(setting)};
    }
    return cl_ok();
}

static struct cl_status check_words(const struct cl_setting *section, struct cl_setting_error *error)
{
    size_t count = cl_setting_count(section);
    return count >= 1 && count <= SOURCE_WORDS_MAX
               ? cl_ok()
               : cl_setting_refuse(error, section, "expected 1 to %d words", SOURCE_WORDS_MAX);
}

static struct cl_status read_meaning(struct source_words *out, const struct cl_setting *setting,
                                     struct cl_setting_error *error)
{
    for (size_t i = 0; i < MEANING_COUNT; i++) {
        if (strcmp(cl_setting_text(setting), meanings[i].word) == 0) {
            add_word(out, cl_setting_key(setting), meanings[i].number);
            return cl_ok();
        }
    }
    return cl_setting_refuse(error, setting,
                             "expected OK, NOT_AUTHORISED, NO_RECORD, MISMATCH, AMBIGUOUS, SOURCE_CLOSED, THROTTLED or"
                             " SOURCE_DOWN");
}

static struct cl_status read_code(struct source_code *out, const struct cl_setting *section,
                                  struct cl_setting_error *error)
{
    struct code code = {0};
    struct cl_status status = cl_setting_read(&code, section, code_fields, COUNT(code_fields), error);
    if (cl_is_ok(status)) {
        status = check_place(code.at, cl_setting_find(section, "at"), error);
    }
    if (cl_is_ok(status)) {
        status = check_words(code.words, error);
    }
    *out = (struct source_code){.at = code.at};
    for (size_t i = 0; cl_is_ok(status) && i < cl_setting_count(code.words); i++) {
        status = read_meaning(&out->words, cl_setting_at(code.words, i), error);
    }
    return status;
}

static struct cl_status read_codes(struct source_mapping *out, const struct cl_setting *list,
                                   struct cl_setting_error *error)
{
    struct cl_status status = cl_ok();
    out->code_count = cl_setting_count(list);
    for (size_t i = 0; cl_is_ok(status) && i < out->code_count; i++) {
        status = read_code(&out->codes[i], cl_setting_at(list, i), error);
    }
    return status;
}

static struct cl_status read_words(struct source_words *out, const struct cl_setting *section,
                                   const struct source_field *field, struct cl_setting_error *error)
{
    struct cl_status status = check_words(section, error);
    const struct cl_setting_field number = {
        .name = "words", .type = CL_SETTING_INT64, .min = field->min, .max = field->max};
    for (size_t i = 0; cl_is_ok(status) && i < cl_setting_count(section); i++) {
        const struct cl_setting *setting = cl_setting_at(section, i);
        int64_t value = 0;
        status = cl_setting_value(&value, setting, &number, error);
        if (cl_is_ok(status)) {
            add_word(out, cl_setting_key(setting), value);
        }
    }
    return status;
}

static struct cl_status read_place(struct source_field_place *out, const struct source_field *field,
                                   const struct cl_setting *section, struct cl_setting_error *error)
{
    struct place place = {.value = NO_VALUE};
    struct cl_status status = cl_setting_read(&place, section, place_fields, COUNT(place_fields), error);
    if (cl_failed(status)) {
        return status;
    }
    bool fixed = place.value != NO_VALUE && cl_setting_find(section, "value") != NULL;
    if (fixed == (place.at != NULL)) {
        return cl_setting_refuse(error, section, "expected either at, its place, or value, what holds");
    }
    if (fixed && (field->kind == SOURCE_FIELD_TEXT || place.value < field->min || place.value > field->max)) {
        return cl_setting_refuse(error, cl_setting_find(section, "value"), "is no value of this field");
    }
    bool of_numbers = field->kind == SOURCE_FIELD_NUMBER;
    if ((place.scale != 1 && !of_numbers) || (place.words != NULL && field->kind == SOURCE_FIELD_TEXT)) {
        return cl_setting_refuse(error, section, "scale goes with numbers, words with everything but texts");
    }
    *out = (struct source_field_place){.at = place.at, .scale = place.scale, .value = fixed ? place.value : 0};
    status = fixed ? cl_ok() : check_place(place.at, cl_setting_find(section, "at"), error);
    if (cl_is_ok(status) && place.words != NULL) {
        status = read_words(&out->words, place.words, field, error);
    } else if (field->kind == SOURCE_FIELD_WORD) {
        struct source_field_place unmapped;
        default_field(&unmapped, field);
        out->words = unmapped.words;
    }
    return status;
}

/* The index of that field in the row; SOURCE_FACTS_MAX when there is none. */
static size_t field_index(const struct source_item_row *row, const char *name)
{
    for (size_t i = 0; i < SOURCE_FACTS_MAX && row->fields[i].name != NULL; i++) {
        if (strcmp(row->fields[i].name, name) == 0) {
            return i;
        }
    }
    return SOURCE_FACTS_MAX;
}

static struct cl_status read_fields(struct source_mapping *out, const struct source_item_row *row,
                                    const struct cl_setting *section, struct cl_setting_error *error)
{
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < cl_setting_count(section); i++) {
        const struct cl_setting *setting = cl_setting_at(section, i);
        size_t index = field_index(row, cl_setting_key(setting));
        if (index == SOURCE_FACTS_MAX) {
            return cl_setting_refuse(error, setting, "is no field of %s", row->name);
        }
        if (cl_setting_kind(setting) != CL_SETTING_MAPPING) {
            return cl_setting_refuse(error, setting, "expected a section with at or value");
        }
        status = read_place(&out->fields[index], &row->fields[index], setting, error);
    }
    return status;
}

static struct cl_status read_observed(struct source_mapping *out, const struct cl_setting *section,
                                      struct cl_setting_error *error)
{
    struct observed observed = {0};
    struct cl_status status = cl_setting_read(&observed, section, observed_fields, COUNT(observed_fields), error);
    if (cl_failed(status)) {
        return status;
    }
    out->observed_form = (enum source_observed)observed.form;
    out->observed = observed.at;
    if ((observed.at == NULL) != (out->observed_form == SOURCE_OBSERVED_NOW)) {
        return cl_setting_refuse(error, section, "expected at, its place, with every form but NOW");
    }
    return observed.at == NULL ? cl_ok() : check_place(observed.at, cl_setting_find(section, "at"), error);
}

/* A place, or "" for nowhere; left out, as it was. */
static struct cl_status read_place_or_none(const char **out, const char *at, const struct cl_setting *setting,
                                           struct cl_setting_error *error)
{
    if (at == NULL) {
        return cl_ok();
    }
    *out = at[0] == '\0' ? NULL : at;
    return *out == NULL ? cl_ok() : check_place(at, setting, error);
}

static struct cl_status read_response(struct source_mapping *out, const struct source_item_row *row,
                                      const struct cl_setting *section, struct cl_setting_error *error)
{
    struct response response = {0};
    struct cl_status status = cl_setting_read(&response, section, response_fields, COUNT(response_fields), error);
    if (cl_is_ok(status) && response.codes != NULL) {
        status = read_codes(out, response.codes, error);
    }
    if (cl_is_ok(status)) {
        status =
            read_place_or_none(&out->request_id, response.request_id, cl_setting_find(section, "request_id"), error);
    }
    if (cl_is_ok(status)) {
        status = read_place_or_none(&out->receipt, response.receipt, cl_setting_find(section, "receipt"), error);
    }
    if (cl_is_ok(status) && response.observed != NULL) {
        status = read_observed(out, response.observed, error);
    }
    if (cl_is_ok(status) && response.fields != NULL) {
        status = read_fields(out, row, response.fields, error);
    }
    return status;
}

/* One place, or one within the other. */
static bool places_clash(const char *a, const char *b)
{
    size_t len = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    const char *longer = strlen(a) < strlen(b) ? b : a;
    return strncmp(a, b, len) == 0 && (longer[len] == '\0' || longer[len] == '.');
}

/* Each value and constant has a place of its own. */
static struct cl_status check_apart(const struct source_mapping *mapping, const struct cl_setting *section,
                                    struct cl_setting_error *error)
{
    const char *places[SOURCE_VALUE_COUNT + SOURCE_CONSTANTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < SOURCE_VALUE_COUNT; i++) {
        if (mapping->values[i] != NULL) {
            places[count++] = mapping->values[i];
        }
    }
    for (size_t i = 0; i < mapping->constant_count; i++) {
        places[count++] = mapping->constants[i].at;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (places_clash(places[i], places[j])) {
                return cl_setting_refuse(error, section, "two things go to %s", places[i]);
            }
        }
    }
    return cl_ok();
}

/* A slash, then what a URL's path may have without being escaped. */
static bool path_valid(const char *path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    return path[0] == '/' && path[strspn(path, allowed)] == '\0';
}

struct cl_status source_mapping_read(struct source_mapping *out, const struct source_item_row **row_out,
                                     const struct cl_setting *section, struct cl_setting_error *error)
{
    struct section read = {0};
    struct cl_status status = cl_setting_read(&read, section, section_fields, COUNT(section_fields), error);
    if (cl_failed(status)) {
        return status;
    }
    const struct source_item_row *row = source_item_find(read.item);
    if (row == NULL) {
        return cl_setting_refuse(error, cl_setting_find(section, "item"), "is no item that an authority answers");
    }
    if (read.path != NULL && !path_valid(read.path)) {
        return cl_setting_refuse(error, cl_setting_find(section, "path"),
                                 "expected a slash, then letters, digits, '-', '.', '_', '~' and '/'");
    }
    source_mapping_default(out, row);
    out->path = read.path != NULL ? read.path : out->path;
    if (read.request != NULL) {
        status = read_request(out, row, read.request, error);
    }
    if (cl_is_ok(status) && read.constants != NULL) {
        status = read_constants(out, read.constants, error);
    }
    if (cl_is_ok(status)) {
        status = check_apart(out, section, error);
    }
    if (cl_is_ok(status) && read.response != NULL) {
        status = read_response(out, row, read.response, error);
    }
    *row_out = row;
    return status;
}
