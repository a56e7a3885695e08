#include "server/rulebook.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/sha256.h"
#include "server/domain/rules.h"
#include "server/whole_file.h"

/* Finds the row of a key: rule_field_find or rule_rate_field_find. */
typedef const struct rule_field *find_field(const char *name);

static struct cl_status refuse_value(struct cl_setting_error *error, const struct cl_setting *setting,
                                     const struct rule_field *field)
{
    if (field->type == RULE_TEXT) {
        return cl_setting_refuse(error, setting, "expected a text of up to %zu bytes. %s", field->size - 1, field->doc);
    }
    if (field->type == RULE_DATE || field->type == RULE_DATE_OR_NONE) {
        return cl_setting_refuse(error, setting, "found \"%.32s\", expected a date yyyymmdd%s. %s",
                                 cl_setting_text(setting), field->type == RULE_DATE ? "" : " or 0", field->doc);
    }
    return cl_setting_refuse(error, setting, "found \"%.32s\", expected %" PRId64 " to %" PRId64 "%s%s. %s",
                             cl_setting_text(setting), field->min, field->max, field->unit[0] == '\0' ? "" : " ",
                             field->unit, field->doc);
}

static struct cl_status read_number(int64_t *out, const struct cl_setting *setting, const struct rule_field *field,
                                    struct cl_setting_error *error)
{
    if (field->type == RULE_BOOL) {
        bool value = false;
        struct cl_setting_field as_bool = {.name = field->name, .type = CL_SETTING_BOOL, .doc = field->doc};
        struct cl_status status = cl_setting_value(&value, setting, &as_bool, error);
        *out = value;
        return status;
    }
    struct cl_setting_field as_number = {
        .name = field->name, .type = CL_SETTING_INT64, .min = INT64_MIN, .max = INT64_MAX, .doc = field->doc};
    return cl_setting_value(out, setting, &as_number, error);
}

static struct cl_status put(void *record, const struct cl_setting *setting, const struct rule_field *field,
                            struct cl_setting_error *error)
{
    if (cl_setting_kind(setting) != CL_SETTING_SCALAR) {
        return refuse_value(error, setting, field);
    }
    if (field->type == RULE_TEXT) {
        struct cl_status status = rule_put_text(record, field, cl_setting_text(setting));
        return cl_is_ok(status) ? status : refuse_value(error, setting, field);
    }
    int64_t number = 0;
    struct cl_status status = read_number(&number, setting, field, error);
    if (cl_failed(status)) {
        return status;
    }
    status = rule_put_number(record, field, number);
    return cl_is_ok(status) ? status : refuse_value(error, setting, field);
}

static struct cl_status read_record(void *record, const struct cl_setting *section, find_field *find, const char *but,
                                    struct cl_setting_error *error)
{
    for (size_t i = 0; i < cl_setting_count(section); i++) {
        const struct cl_setting *setting = cl_setting_at(section, i);
        if (but != NULL && strcmp(cl_setting_key(setting), but) == 0) {
            continue;
        }
        const struct rule_field *field = find(cl_setting_key(setting));
        if (field == NULL) {
            return cl_setting_refuse(error, setting,
                                     "is no field of a rule set; server/domain/ruleset.c lists them all");
        }
        struct cl_status status = put(record, setting, field, error);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

static struct cl_status check_complete(const struct cl_setting *section, const struct rule_field *(*at)(unsigned index),
                                       struct cl_setting_error *error)
{
    for (unsigned i = 0; at(i) != NULL; i++) {
        if (cl_setting_find(section, at(i)->name) == NULL) {
            return cl_setting_refuse(error, section, "lacks \"%s\". Add it: %s", at(i)->name, at(i)->doc);
        }
    }
    return cl_ok();
}

static struct cl_status read_rates(struct rule_set *set, const struct cl_setting *root, struct cl_setting_error *error)
{
    const struct cl_setting *rates = cl_setting_find(root, "rates");
    if (rates == NULL || cl_setting_kind(rates) != CL_SETTING_SEQUENCE || cl_setting_count(rates) == 0 ||
        cl_setting_count(rates) > RULE_RATES_MAX) {
        return cl_setting_refuse(error, rates == NULL ? root : rates,
                                 "needs the list \"rates\" with 1 to %d rows of loan, months_max, ppm", RULE_RATES_MAX);
    }
    set->rate_count = cl_setting_count(rates);
    for (size_t i = 0; i < set->rate_count; i++) {
        const struct cl_setting *row = cl_setting_at(rates, i);
        if (cl_setting_kind(row) != CL_SETTING_MAPPING) {
            return cl_setting_refuse(error, row, "expected {loan: ..., months_max: ..., ppm: ...}");
        }
        struct cl_status status = read_record(&set->rates[i], row, rule_rate_field_find, NULL, error);
        if (cl_is_ok(status)) {
            status = check_complete(row, rule_rate_field_at, error);
        }
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

static struct cl_status read_set(struct rule_set *set, const struct cl_settings *settings,
                                 struct cl_setting_error *error)
{
    const struct cl_setting *root = cl_settings_root(settings);
    struct cl_status status = read_record(set, root, rule_field_find, "rates", error);
    if (cl_is_ok(status)) {
        status = check_complete(root, rule_field_at, error);
    }
    if (cl_is_ok(status)) {
        status = read_rates(set, root, error);
    }
    if (cl_failed(status)) {
        return status;
    }
    const char *field = "";
    if (cl_failed(rule_set_validate(set, &field))) {
        const struct cl_setting *setting = cl_setting_find(root, field);
        return cl_setting_refuse(error, setting == NULL ? root : setting,
                                 "does not go together with the other fields of the set");
    }
    return cl_ok();
}

/* The digest is over the file's bytes, so that a decision names exactly the text that was reviewed. */
static struct cl_status load_set(struct rule_set *set, const char *path, struct cl_setting_error *error)
{
    uint8_t *text = NULL;
    size_t len = 0;
    struct cl_settings *settings = NULL;
    struct cl_status status = whole_file_read(&text, &len, path, CL_SETTINGS_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = cl_settings_parse(&settings, path, cl_bytes(text, len), error);
    } else {
        (void)snprintf(error->text, sizeof error->text, "%s: cannot be read as a rule set. Check path and size.", path);
    }
    if (cl_is_ok(status)) {
        status = read_set(set, settings, error);
    }
    if (cl_is_ok(status)) {
        cl_sha256(&set->digest, cl_bytes(text, len));
    }
    cl_settings_free(settings);
    free(text);
    return status;
}

struct cl_status rulebook_load(struct rulebook *out, const char *const *paths, size_t path_count,
                               struct cl_setting_error *error)
{
    assert(path_count > 0 && path_count <= RULEBOOK_SETS_MAX);
    struct rule_set *sets = calloc(path_count, sizeof *sets);
    if (sets == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < path_count; i++) {
        status = load_set(&sets[i], paths[i], error);
    }
    const char *id = "";
    if (cl_is_ok(status)) {
        status = rules_check(sets, path_count, &id);
        if (cl_failed(status)) {
            (void)snprintf(error->text, sizeof error->text,
                           "rules: set \"%s\" leaves a gap or overlaps with another. Mend its effective_from or "
                           "effective_until.",
                           id);
        }
    }
    if (cl_failed(status)) {
        free(sets);
        return status;
    }
    *out = (struct rulebook){.sets = sets, .count = path_count};
    return cl_ok();
}

void rulebook_free(struct rulebook *book)
{
    free(book->sets);
    *book = (struct rulebook){NULL, 0};
}
