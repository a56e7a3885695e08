#include "server/rulebook.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "libcoloan/sha256.h"
#include "server/domain/rules.h"
#include "server/whole_file.h"

/* A signature file is the rule set and up to four signatures; its arena holds the bytes, the frame and the PAE. */
#define SIG_ARENA_BYTES (2 * 1024 * 1024)

/* Finds the row of a key: rule_field_find or rule_rate_field_find. */
typedef const struct rule_field *find_field(const char *name);

/* What is told while files are read: all faults to a listener, the first one to `first`. */
struct report {
    const struct rulebook_listener *listener; /* NULL: the first fault is enough */
    struct cl_setting_error first;
    size_t count;
};

/* One fault, of which the sentence is in `error`. */
static void tell(struct report *report, const struct cl_setting_error *error)
{
    if (report->count == 0) {
        report->first = *error;
    }
    report->count++;
    if (report->listener != NULL) {
        report->listener->fault(report->listener->user, error->text);
    }
}

__attribute__((format(printf, 2, 3))) static void tell_text(struct report *report, const char *format, ...)
{
    struct cl_setting_error error;
    va_list values;
    va_start(values, format);
    (void)vsnprintf(error.text, sizeof error.text, format, values);
    va_end(values);
    tell(report, &error);
}

__attribute__((format(printf, 3, 4))) static void tell_at(struct report *report, const struct cl_setting *setting,
                                                          const char *format, ...)
{
    char text[256];
    struct cl_setting_error error;
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (cl_failed(cl_setting_refuse(&error, setting, "%s", text))) {
        tell(report, &error);
    }
}

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

static void read_record(void *record, const struct cl_setting *section, find_field *find, const char *but,
                        struct report *report)
{
    for (size_t i = 0; i < cl_setting_count(section); i++) {
        const struct cl_setting *setting = cl_setting_at(section, i);
        struct cl_setting_error error;
        if (but != NULL && strcmp(cl_setting_key(setting), but) == 0) {
            continue;
        }
        const struct rule_field *field = find(cl_setting_key(setting));
        if (field == NULL) {
            tell_at(report, setting, "is no field of a rule set; `coloan rules fields` lists them all");
            continue;
        }
        if (cl_failed(put(record, setting, field, &error))) {
            tell(report, &error);
        }
    }
}

static void check_complete(const struct cl_setting *section, const struct rule_field *(*at)(unsigned index),
                           struct report *report)
{
    for (unsigned i = 0; at(i) != NULL; i++) {
        if (!at(i)->optional && cl_setting_find(section, at(i)->name) == NULL) {
            tell_at(report, section, "lacks \"%s\". Add it: %s", at(i)->name, at(i)->doc);
        }
    }
}

static void read_rates(struct rule_set *set, const struct cl_setting *root, struct report *report)
{
    const struct cl_setting *rates = cl_setting_find(root, "rates");
    if (rates == NULL || cl_setting_kind(rates) != CL_SETTING_SEQUENCE || cl_setting_count(rates) == 0 ||
        cl_setting_count(rates) > RULE_RATES_MAX) {
        tell_at(report, rates == NULL ? root : rates,
                "needs the list \"rates\" with 1 to %d rows of loan, months_max, ppm", RULE_RATES_MAX);
        return;
    }
    set->rate_count = cl_setting_count(rates);
    for (size_t i = 0; i < set->rate_count; i++) {
        const struct cl_setting *row = cl_setting_at(rates, i);
        if (cl_setting_kind(row) != CL_SETTING_MAPPING) {
            tell_at(report, row, "expected {loan: ..., months_max: ..., ppm: ...}");
            continue;
        }
        read_record(&set->rates[i], row, rule_rate_field_find, NULL, report);
        check_complete(row, rule_rate_field_at, report);
    }
}

/* Whether the fields go together is asked only when each is right by itself. */
static void read_set(struct rule_set *set, const struct cl_settings *settings, struct report *report)
{
    const struct cl_setting *root = cl_settings_root(settings);
    size_t before = report->count;
    rule_set_init(set);
    read_record(set, root, rule_field_find, "rates", report);
    check_complete(root, rule_field_at, report);
    read_rates(set, root, report);
    const char *field = "";
    if (report->count == before && cl_failed(rule_set_validate(set, &field))) {
        const struct cl_setting *setting = cl_setting_find(root, field);
        tell_at(report, setting == NULL ? root : setting, "does not go together with the other fields of the set");
    }
}

/* -- Signatures ---------------------------------------------------------------------------------------------- */

struct cl_status rulebook_sign(struct cl_bytes *out, struct cl_arena *arena, const struct cl_signer *signer,
                               struct cl_bytes file)
{
    char type[] = RULEBOOK_PAYLOAD_TYPE;
    struct cl_digest digest;
    Coloan__V1__Envelope envelope = COLOAN__V1__ENVELOPE__INIT;
    uint8_t *payload = cl_arena_copy(arena, file);
    if (payload == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    envelope.payload = (ProtobufCBinaryData){.len = file.len, .data = payload};
    envelope.payload_type = type;
    return cl_dsse_seal(out, NULL, &digest, arena, &signer, 1, &envelope);
}

/* By any key of the centre's, whatever became of it but a compromise. */
static struct cl_status check_signature(const Coloan__V1__Signature *signature, struct cl_bytes pae,
                                        const struct cl_keyring *keyring)
{
    const struct cl_key *keys = NULL;
    struct cl_signature bytes;
    size_t count = cl_keyring_candidates(keyring, cl_keyring_environment(keyring), cl_keyring_centre(keyring),
                                         COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, &keys);
    if (signature->batch != NULL) {
        return cl_fail(CL_PROFILE_UNSUPPORTED);
    }
    if (signature->sig.len != sizeof bytes.bytes) {
        return cl_fail(CL_SIGNATURE_INVALID);
    }
    memcpy(bytes.bytes, signature->sig.data, sizeof bytes.bytes);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].keyid.text, signature->keyid) != 0) {
            continue;
        }
        if (keys[i].status == COLOAN__V1__KEY_STATUS__KEY_STATUS_COMPROMISED) {
            return cl_fail(CL_KEY_NOT_VALID);
        }
        return cl_signature_verify(&bytes, &keys[i].public_key, pae) ? cl_ok() : cl_fail(CL_SIGNATURE_INVALID);
    }
    return cl_fail(CL_KEY_UNKNOWN);
}

static struct cl_status verify_in(struct cl_arena *arena, struct cl_bytes sig, struct cl_bytes file,
                                  const struct cl_keyring *keyring)
{
    Coloan__V1__Envelope *envelope = NULL;
    struct cl_bytes pae;
    struct cl_status status = cl_dsse_read(&envelope, arena, sig);
    if (cl_failed(status)) {
        return status;
    }
    if (strcmp(envelope->payload_type, RULEBOOK_PAYLOAD_TYPE) != 0) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    if (!cl_bytes_equal(cl_bytes(envelope->payload.data, envelope->payload.len), file)) {
        return cl_fail(CL_SIGNATURE_INVALID);
    }
    if (envelope->n_signatures < 1 || envelope->n_signatures > CL_SIGNATURES_MAX) {
        return cl_fail(CL_SIGNATURE_COUNT);
    }
    status = cl_dsse_pae(&pae, arena, RULEBOOK_PAYLOAD_TYPE, file);
    for (size_t i = 0; cl_is_ok(status) && i < envelope->n_signatures; i++) {
        status = check_signature(envelope->signatures[i], pae, keyring);
    }
    return status;
}

struct cl_status rulebook_verify(struct cl_bytes sig, struct cl_bytes file, const struct cl_keyring *keyring)
{
    struct cl_arena *arena = NULL;
    struct cl_status status = cl_arena_create(&arena, SIG_ARENA_BYTES);
    if (cl_failed(status)) {
        return status;
    }
    status = verify_in(arena, sig, file, keyring);
    cl_arena_free(arena);
    return status;
}

static void check_signed(const char *path, struct cl_bytes file, const struct cl_keyring *keyring,
                         struct report *report)
{
    char sig_path[PATH_MAX];
    uint8_t *sig = NULL;
    size_t len = 0;
    (void)snprintf(sig_path, sizeof sig_path, "%s" RULEBOOK_SIG_SUFFIX, path);
    if (cl_failed(whole_file_read(&sig, &len, sig_path, CL_MESSAGE_BYTES_MAX))) {
        tell_text(report, "%s: is not signed. `coloan rules sign --key FILE` makes %s" RULEBOOK_SIG_SUFFIX ".", path,
                  path);
        return;
    }
    struct cl_status status = rulebook_verify(cl_bytes(sig, len), file, keyring);
    free(sig);
    if (cl_failed(status)) {
        tell_text(report, "%s: does not verify for %s: %s (%s). Sign exactly this file with the centre's key.",
                  sig_path, cl_keyring_centre(keyring), cl_reason_info(status.reason)->text_en, cl_status_name(status));
    }
}

/* -- Files --------------------------------------------------------------------------------------------------- */

/* A set as it was read, and where its dates stand. */
struct entry {
    const char *path;
    unsigned line;
};

/* The digest is over the file's bytes, so that a decision names exactly the text that was reviewed. */
static bool load_set(struct rule_set *set, struct entry *entry, const struct cl_keyring *keyring, struct report *report)
{
    uint8_t *text = NULL;
    size_t len = 0;
    size_t before = report->count;
    struct cl_settings *settings = NULL;
    struct cl_setting_error error;
    if (cl_failed(whole_file_read(&text, &len, entry->path, CL_SETTINGS_BYTES_MAX))) {
        tell_text(report, "%s: cannot be read as a rule set. Check path and size.", entry->path);
        return false;
    }
    if (cl_failed(cl_settings_parse(&settings, entry->path, cl_bytes(text, len), &error))) {
        tell(report, &error);
    } else {
        read_set(set, settings, report);
        const struct cl_setting *from = cl_setting_find(cl_settings_root(settings), "effective_from");
        entry->line = from != NULL ? cl_setting_line(from) : 1;
    }
    bool readable = report->count == before;
    if (keyring != NULL) {
        check_signed(entry->path, cl_bytes(text, len), keyring, report);
    }
    cl_sha256(&set->digest, cl_bytes(text, len));
    cl_settings_free(settings);
    free(text);
    return readable;
}

static void check_dates(const struct rule_set *sets, const struct entry *entries, size_t count, struct report *report)
{
    enum rules_fault fault = RULES_FINE;
    size_t at = 0;
    if (cl_is_ok(rules_check(sets, count, &fault, &at))) {
        return;
    }
    static const char *const words[] = {
        [RULES_FINE] = "",
        [RULES_NONE] = "there is none",
        [RULES_SAME_ID] = "has the id of another set; a changed set gets a new id",
        [RULES_OVERLAP] = "overlaps with another: both begin on this day. Mend its effective_from",
        [RULES_GAP] = "leaves a gap between its effective_until and the next set. Mend one of the two",
    };
    tell_text(report, "%s:%u: set \"%s\" %s.", entries[at].path, entries[at].line, sets[at].id, words[fault]);
}

/* Reads all; the sets that can be read stand at the front of `sets`, and their number is returned. */
static size_t read_all(struct rule_set *sets, struct entry *entries, const char *const *paths, size_t path_count,
                       const struct cl_keyring *keyring, struct report *report)
{
    size_t count = 0;
    for (size_t i = 0; i < path_count; i++) {
        entries[count] = (struct entry){.path = paths[i], .line = 1};
        count += load_set(&sets[count], &entries[count], keyring, report) ? 1 : 0;
    }
    if (count > 0) {
        check_dates(sets, entries, count, report);
    }
    return count;
}

struct cl_status rulebook_load(struct rulebook *out, const char *const *paths, size_t path_count,
                               const struct cl_keyring *keyring, struct cl_setting_error *error)
{
    assert(path_count > 0 && path_count <= RULEBOOK_SETS_MAX);
    struct entry entries[RULEBOOK_SETS_MAX];
    struct report report = {.listener = NULL};
    struct rule_set *sets = calloc(path_count, sizeof *sets);
    if (sets == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    size_t count = read_all(sets, entries, paths, path_count, keyring, &report);
    if (report.count > 0) {
        *error = report.first;
        free(sets);
        return cl_fail(CL_CONFIG_INVALID);
    }
    *out = (struct rulebook){.sets = sets, .count = count};
    return cl_ok();
}

size_t rulebook_check(const char *const *paths, size_t path_count, const struct cl_keyring *keyring,
                      const struct rulebook_listener *listener)
{
    assert(path_count > 0 && path_count <= RULEBOOK_SETS_MAX);
    struct entry entries[RULEBOOK_SETS_MAX];
    struct report report = {.listener = listener};
    struct rule_set *sets = calloc(path_count, sizeof *sets);
    if (sets == NULL) {
        tell_text(&report, "there is no memory for %zu rule sets", path_count);
        return report.count;
    }
    (void)read_all(sets, entries, paths, path_count, keyring, &report);
    free(sets);
    return report.count;
}

void rulebook_free(struct rulebook *book)
{
    free(book->sets);
    *book = (struct rulebook){NULL, 0};
}
