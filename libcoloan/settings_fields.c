/* A section is read in two passes: first its keys against the table, so that a misspelt key is called that and not the
 * missing field it causes; then the table against its keys. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "libcoloan/settings_tree.h"

enum {
    PLACE_BYTES_MAX = 160, /* of a field's path in an error */
    FOUND_BYTES_MAX = 60,  /* of a found text in an error, with what stands around it */
    FOUND_TEXT_BYTES = 32,
    LIST_BYTES_MAX = 200, /* of a list of choices or keys in an error */
    NAME_BYTES_MAX = 40   /* of names that are compared for likeness */
};

/* -- Errors --------------------------------------------------------------------------------------------------- */

/* "persons[1].bank", from the root down. */
static void place_of(char out[PLACE_BYTES_MAX], const struct cl_setting *setting)
{
    const struct cl_setting *way[CL_SETTINGS_DEPTH_MAX + 1];
    size_t depth = 0;
    size_t len = 0;
    for (; setting->parent != NULL && depth <= CL_SETTINGS_DEPTH_MAX; setting = setting->parent) {
        way[depth++] = setting;
    }
    out[0] = '\0';
    while (depth-- > 0 && len < PLACE_BYTES_MAX) {
        int more = way[depth]->parent->kind == CL_SETTING_SEQUENCE
                       ? snprintf(out + len, PLACE_BYTES_MAX - len, "[%u]", way[depth]->index)
                       : snprintf(out + len, PLACE_BYTES_MAX - len, "%s%.60s", len == 0 ? "" : ".", way[depth]->key);
        len += more < 0 ? PLACE_BYTES_MAX : (size_t)more;
    }
}

struct cl_status cl_setting_refuse(struct cl_setting_error *error, const struct cl_setting *setting, const char *format,
                                   ...)
{
    char place[PLACE_BYTES_MAX];
    char start[sizeof error->text];
    place_of(place, setting);
    va_list arguments;
    va_start(arguments, format);
    int len = snprintf(start, sizeof start, "%s%s", place, place[0] == '\0' ? "" : ": ");
    if (len >= 0 && (size_t)len < sizeof start) {
        (void)vsnprintf(start + len, sizeof start - (size_t)len, format, arguments);
    }
    va_end(arguments);
    (void)snprintf(error->text, sizeof error->text, "%.200s:%u: %.300s", setting->file->name, setting->line, start);
    return cl_fail(CL_CONFIG_INVALID);
}

static void found_text(char out[FOUND_BYTES_MAX], const struct cl_setting *setting)
{
    size_t len = strlen(setting->text);
    if (setting->kind != CL_SETTING_SCALAR) {
        (void)snprintf(out, FOUND_BYTES_MAX, "found a %s", setting->kind == CL_SETTING_SEQUENCE ? "list" : "section");
        return;
    }
    if (len == 0 && !setting->quoted) {
        (void)snprintf(out, FOUND_BYTES_MAX, "found nothing");
        return;
    }
    size_t cut = len < FOUND_TEXT_BYTES ? len : FOUND_TEXT_BYTES;
    while (cut > 0 && ((unsigned char)setting->text[cut] & 0xc0) == 0x80) {
        cut--; /* not within a character */
    }
    (void)snprintf(out, FOUND_BYTES_MAX, "found \"%.*s%s\"", (int)cut, setting->text, cut < len ? "..." : "");
    for (char *c = out; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 ? ' ' : *c;
    }
}

static struct cl_status unexpected(struct cl_setting_error *error, const struct cl_setting *setting,
                                   const char *expected)
{
    char found[FOUND_BYTES_MAX];
    found_text(found, setting);
    return cl_setting_refuse(error, setting, "%s, expected %s", found, expected);
}

/* -- Numbers -------------------------------------------------------------------------------------------------- */

/* Digits with single '_' between them, no leading zero; stops at the first other character. False without a digit, with
 * a bad '_' or past int64. */
static bool parse_digits(int64_t *out, const char **text)
{
    int64_t value = 0;
    const char *c = *text;
    bool leading_zero = c[0] == '0' && ((c[1] >= '0' && c[1] <= '9') || c[1] == '_');
    if (*c < '0' || *c > '9' || leading_zero) {
        return false;
    }
    for (;; c++) {
        if (*c == '_' && c[1] >= '0' && c[1] <= '9') {
            continue;
        }
        if (*c < '0' || *c > '9') {
            break;
        }
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *c - '0', &value)) {
            return false;
        }
    }
    *out = value;
    *text = c;
    return true;
}

static bool in_range(int64_t value, const struct cl_setting_field *field)
{
    return (field->min == 0 && field->max == 0) || (value >= field->min && value <= field->max);
}

static bool parse_int(int64_t *out, const char *text, const struct cl_setting_field *field)
{
    bool negative = *text == '-';
    int64_t value = 0;
    text += negative ? 1 : 0;
    if (!parse_digits(&value, &text) || *text != '\0') {
        return false;
    }
    value = negative ? -value : value;
    *out = value;
    return in_range(value, field);
}

static bool parse_duration(int64_t *out, const char *text, const struct cl_setting_field *field)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    int64_t value = 0;
    if (!parse_digits(&value, &text)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].name) == 0) {
            bool fits = !__builtin_mul_overflow(value, units[i].ms, out);
            return fits && in_range(*out, field);
        }
    }
    return false;
}

static void print_duration(char *out, size_t out_bytes, int64_t ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (i < 4 && (ms == 0 || ms % units[i].ms != 0)) {
        i++;
    }
    (void)snprintf(out, out_bytes, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}

/* -- What is expected ----------------------------------------------------------------------------------------- */

static void print_choices(char *out, size_t out_bytes, const char *const *choices)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; choices[i] != NULL && len < out_bytes; i++) {
        int more = snprintf(out + len, out_bytes - len, "%s%s", i == 0 ? "" : ", ", choices[i]);
        len += more < 0 ? out_bytes : (size_t)more;
    }
}

static void print_range(char *out, size_t out_bytes, const struct cl_setting_field *field)
{
    char low[32];
    char high[32];
    bool duration = field->type == CL_SETTING_DURATION;
    out[0] = '\0';
    if (field->min == 0 && field->max == 0) {
        return;
    }
    (void)snprintf(low, sizeof low, "%" PRId64, field->min);
    (void)snprintf(high, sizeof high, "%" PRId64, field->max);
    if (duration) {
        print_duration(low, sizeof low, field->min);
        print_duration(high, sizeof high, field->max);
    }
    (void)snprintf(out, out_bytes, " %s %s to %s", duration ? "of" : "from", low, high);
}

static void print_expected(char *out, size_t out_bytes, const struct cl_setting_field *field)
{
    char range[80];
    char choices[LIST_BYTES_MAX];
    print_range(range, sizeof range, field);
    switch (field->type) {
    case CL_SETTING_TEXT:
        (void)snprintf(out, out_bytes, field->max == 0 ? "a text" : "a text of %" PRId64 " to %" PRId64 " bytes",
                       field->min, field->max);
        return;
    case CL_SETTING_PATH:
        (void)snprintf(out, out_bytes, "a path");
        return;
    case CL_SETTING_INT64:
        (void)snprintf(out, out_bytes, "a whole number%s", range);
        return;
    case CL_SETTING_BOOL:
        (void)snprintf(out, out_bytes, "true or false");
        return;
    case CL_SETTING_DURATION:
        (void)snprintf(out, out_bytes, "a duration%s, as in 250ms, 30s, 15m, 12h or 90d", range);
        return;
    case CL_SETTING_CHOICE:
        print_choices(choices, sizeof choices, field->choices);
        (void)snprintf(out, out_bytes, "one of %s", choices);
        return;
    case CL_SETTING_LIST:
        (void)snprintf(out, out_bytes, field->max == 0 ? "a list" : "a list of %" PRId64 " to %" PRId64 " elements",
                       field->min, field->max);
        return;
    case CL_SETTING_SECTION:
        (void)snprintf(out, out_bytes, "a section of `key: value` lines");
        return;
    }
}

/* -- Values --------------------------------------------------------------------------------------------------- */

/* The members are of the types that the header promises for each enum cl_setting_type. */
union member {
    const char **text;
    int64_t *number;
    bool *flag;
    int *choice;
    const struct cl_setting **setting;
};

static bool read_path(const char **out, struct cl_settings *file, const char *text)
{
    size_t folder_len = strlen(file->folder);
    size_t text_len = strlen(text);
    if (text_len == 0) {
        return false;
    }
    if (text[0] == '/' || folder_len == 0) {
        *out = text;
        return true;
    }
    char *path = cl_arena_alloc(file->arena, folder_len + text_len + 1);
    if (path == NULL) {
        return false;
    }
    memcpy(path, file->folder, folder_len);
    memcpy(path + folder_len, text, text_len);
    *out = path;
    return true;
}

static bool read_choice(int *out, const char *text, const char *const *choices)
{
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool read_flag(bool *out, const char *text)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0;
}

static bool read_text(const char **out, const char *text, const struct cl_setting_field *field)
{
    *out = text;
    return field->max == 0 || in_range((int64_t)strlen(text), field);
}

static bool read_scalar(union member out, struct cl_settings *file, const char *text,
                        const struct cl_setting_field *field)
{
    switch (field->type) {
    case CL_SETTING_TEXT:
        return read_text(out.text, text, field);
    case CL_SETTING_PATH:
        return read_path(out.text, file, text);
    case CL_SETTING_INT64:
        return parse_int(out.number, text, field);
    case CL_SETTING_BOOL:
        return read_flag(out.flag, text);
    case CL_SETTING_DURATION:
        return parse_duration(out.number, text, field);
    case CL_SETTING_CHOICE:
        return read_choice(out.choice, text, field->choices);
    case CL_SETTING_LIST:
    case CL_SETTING_SECTION:
        break;
    }
    return false;
}

static bool read_any(void *out, const struct cl_setting *setting, const struct cl_setting_field *field)
{
    union member member = {.setting = out};
    switch (setting->kind) {
    case CL_SETTING_SCALAR:
        return (setting->quoted || setting->text[0] != '\0') &&
               read_scalar(member, setting->file, setting->text, field);
    case CL_SETTING_SEQUENCE:
        *member.setting = field->type == CL_SETTING_LIST ? setting : *member.setting;
        return field->type == CL_SETTING_LIST && (field->max == 0 || in_range(setting->count, field));
    case CL_SETTING_MAPPING:
        *member.setting = field->type == CL_SETTING_SECTION ? setting : *member.setting;
        return field->type == CL_SETTING_SECTION;
    }
    return false;
}

struct cl_status cl_setting_value(void *out, const struct cl_setting *setting, const struct cl_setting_field *field,
                                  struct cl_setting_error *error)
{
    char expected[LIST_BYTES_MAX];
    if (read_any(out, setting, field)) {
        return cl_ok();
    }
    print_expected(expected, sizeof expected, field);
    return unexpected(error, setting, expected);
}

/* -- Sections ------------------------------------------------------------------------------------------------- */

static const struct cl_setting_field *find_field(const struct cl_setting_field *fields, size_t field_count,
                                                 const char *name)
{
    for (size_t i = 0; i < field_count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

/* Levenshtein distance of two short names. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NAME_BYTES_MAX + 1];
    size_t a_len = strnlen(a, NAME_BYTES_MAX);
    size_t b_len = strnlen(b, NAME_BYTES_MAX);
    for (unsigned j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            unsigned skip = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < skip ? change : skip;
        }
    }
    return row[b_len];
}

static struct cl_status unknown_key(const struct cl_setting *setting, const struct cl_setting_field *fields,
                                    size_t field_count, struct cl_setting_error *error)
{
    char known[LIST_BYTES_MAX] = "";
    const char *nearest = NULL;
    unsigned least = 3; /* two slips are still a misspelling */
    for (size_t i = 0; i < field_count; i++) {
        unsigned slips = distance(setting->key, fields[i].name);
        if (slips < least) {
            least = slips;
            nearest = fields[i].name;
        }
        size_t len = strlen(known);
        (void)snprintf(known + len, sizeof known - len, "%s%s", i == 0 ? "" : ", ", fields[i].name);
    }
    if (nearest != NULL) {
        return cl_setting_refuse(error, setting, "there is no such key; did you mean `%s`?", nearest);
    }
    return cl_setting_refuse(error, setting, "there is no such key; remove it or use one of %s", known);
}

/* A section that was left out stands on the line of the one around it. */
static struct cl_status make_section(const struct cl_setting **out, const struct cl_setting *around, const char *key)
{
    struct cl_setting *made = cl_arena_alloc(around->file->arena, sizeof *made);
    if (made == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *made = *around;
    made->kind = CL_SETTING_MAPPING;
    made->key = key;
    made->parent = around;
    made->count = 0;
    made->first = made->last = made->next = NULL;
    made->children = NULL;
    *out = made;
    return cl_ok();
}

static struct cl_status read_fallback(void *out, const struct cl_setting *section, const struct cl_setting_field *field)
{
    if (field->fallback == NULL) {
        return cl_ok();
    }
    if (field->type == CL_SETTING_SECTION) {
        union member member = {.setting = out};
        return make_section(member.setting, section, field->name);
    }
    bool read = read_scalar((union member){.setting = out}, section->file, field->fallback, field);
    assert((read || cl_arena_overflowed(section->file->arena)) && "a default must fit its own field");
    return read ? cl_ok() : cl_fail(CL_MEMORY_LIMIT);
}

static struct cl_status read_field(void *out, const struct cl_setting *section, const struct cl_setting_field *field,
                                   struct cl_setting_error *error)
{
    char expected[LIST_BYTES_MAX];
    const struct cl_setting *setting = cl_setting_find(section, field->name);
    if (setting != NULL) {
        return cl_setting_value(out, setting, field, error);
    }
    if (!field->required) {
        return read_fallback(out, section, field);
    }
    print_expected(expected, sizeof expected, field);
    return cl_setting_refuse(error, section, "`%s` is missing; add it: %s, %s", field->name, expected,
                             field->doc == NULL ? "which has no default" : field->doc);
}

static void clear_field(void *out, enum cl_setting_type type)
{
    union member member = {.setting = out};
    switch (type) {
    case CL_SETTING_TEXT:
    case CL_SETTING_PATH:
        *member.text = NULL;
        return;
    case CL_SETTING_INT64:
    case CL_SETTING_DURATION:
        *member.number = 0;
        return;
    case CL_SETTING_BOOL:
        *member.flag = false;
        return;
    case CL_SETTING_CHOICE:
        *member.choice = 0;
        return;
    case CL_SETTING_LIST:
    case CL_SETTING_SECTION:
        *member.setting = NULL;
        return;
    }
}

struct cl_status cl_setting_read(void *out, const struct cl_setting *section, const struct cl_setting_field *fields,
                                 size_t field_count, struct cl_setting_error *error)
{
    if (section->kind != CL_SETTING_MAPPING) {
        return unexpected(error, section, "a section of `key: value` lines");
    }
    for (const struct cl_setting *child = section->first; child != NULL; child = child->next) {
        if (find_field(fields, field_count, child->key) == NULL) {
            return unknown_key(child, fields, field_count, error);
        }
    }
    for (size_t i = 0; i < field_count; i++) {
        void *member = (char *)out + fields[i].offset;
        clear_field(member, fields[i].type);
        struct cl_status status = read_field(member, section, &fields[i], error);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

void cl_setting_print_fields(FILE *out, const struct cl_setting_field *fields, size_t field_count)
{
    char expected[LIST_BYTES_MAX];
    for (size_t i = 0; i < field_count; i++) {
        const struct cl_setting_field *field = &fields[i];
        print_expected(expected, sizeof expected, field);
        (void)fprintf(out, "  %-22s %s; %s%s\n", field->name, expected,
                      field->fallback != NULL ? "default " : (field->required ? "required" : "optional"),
                      field->fallback != NULL ? field->fallback : "");
        if (field->doc != NULL) {
            (void)fprintf(out, "  %-22s   %s\n", "", field->doc);
        }
    }
}
