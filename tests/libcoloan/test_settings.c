/* settings: what is plain YAML and fits its table is read; every neighbour of it is refused with a sentence that names
 * file, line and field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/settings.h"

/* -- One table with a field of each type ---------------------------------------------------------------------- */

struct sample {
    const char *name, *note, *file, *log;
    int64_t port, wait_ms, small;
    bool on;
    int level;
    const struct cl_setting *banks, *limits;
};

static const char *const levels[] = {"low", "high", NULL};

static const struct cl_setting_field fields[] = {
    {"name", CL_SETTING_TEXT, offsetof(struct sample, name), .required = true, .min = 2, .max = 8, .doc = "who it is"},
    {"note", CL_SETTING_TEXT, offsetof(struct sample, note), .doc = NULL},
    {"file", CL_SETTING_PATH, offsetof(struct sample, file), .doc = NULL},
    {"log", CL_SETTING_PATH, offsetof(struct sample, log), .fallback = "log.txt"},
    {"port", CL_SETTING_INT64, offsetof(struct sample, port), .fallback = "7443", .min = 1, .max = 65535},
    {"small", CL_SETTING_INT64, offsetof(struct sample, small), .min = -5, .max = 5},
    {"wait", CL_SETTING_DURATION, offsetof(struct sample, wait_ms), .fallback = "30s", .min = 100, .max = 600000},
    {"on", CL_SETTING_BOOL, offsetof(struct sample, on), .fallback = "true"},
    {"level", CL_SETTING_CHOICE, offsetof(struct sample, level), .choices = levels},
    {"banks", CL_SETTING_LIST, offsetof(struct sample, banks), .min = 1, .max = 2},
    {"limits", CL_SETTING_SECTION, offsetof(struct sample, limits), .doc = NULL},
};
#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static struct cl_status read_sample(struct cl_settings **settings, struct sample *out, const char *yaml,
                                    struct cl_setting_error *error)
{
    *settings = NULL;
    struct cl_status status = cl_settings_parse(settings, "etc/s.yaml", cl_bytes_text(yaml), error);
    return cl_failed(status) ? status : cl_setting_read(out, cl_settings_root(*settings), fields, FIELD_COUNT, error);
}

static void everything_is_read(void **state)
{
    (void)state;
    static const char yaml[] = "# a comment\n"
                               "name: alpha\n"
                               "note: '  two: words # no comment '\n"
                               "file: /abs/x.pem\n"
                               "port: 8_443\n"
                               "small: -5\n"
                               "wait: 250ms\n"
                               "on: false\n"
                               "level: high\n"
                               "banks: [a, {b: c}]\n"
                               "limits:\n"
                               "  deep:\n"
                               "    - 1\n";
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    struct sample sample;
    assert_true(cl_is_ok(read_sample(&settings, &sample, yaml, &error)));
    assert_string_equal(sample.name, "alpha");
    assert_string_equal(sample.note, "  two: words # no comment ");
    assert_string_equal(sample.file, "/abs/x.pem");
    assert_string_equal(sample.log, "etc/log.txt");
    assert_int_equal(sample.port, 8443);
    assert_int_equal(sample.small, -5);
    assert_int_equal(sample.wait_ms, 250);
    assert_false(sample.on);
    assert_int_equal(sample.level, 1);
    assert_int_equal(cl_setting_count(sample.banks), 2);
    assert_string_equal(cl_setting_text(cl_setting_at(sample.banks, 0)), "a");
    assert_int_equal(cl_setting_kind(cl_setting_at(sample.banks, 1)), CL_SETTING_MAPPING);
    assert_null(cl_setting_at(sample.banks, 2));
    const struct cl_setting *deep = cl_setting_find(sample.limits, "deep");
    assert_int_equal(cl_setting_kind(deep), CL_SETTING_SEQUENCE);
    assert_string_equal(cl_setting_key(deep), "deep");
    assert_int_equal(cl_setting_line(cl_setting_at(deep, 0)), 13);
    assert_null(cl_setting_find(sample.limits, "shallow"));
    cl_settings_free(settings);
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    struct sample sample;
    memset(&sample, 0xff, sizeof sample);
    assert_true(cl_is_ok(read_sample(&settings, &sample, "name: ab\n", &error)));
    assert_int_equal(sample.port, 7443);
    assert_int_equal(sample.wait_ms, 30000);
    assert_true(sample.on);
    assert_string_equal(sample.log, "etc/log.txt");
    assert_null(sample.note);
    assert_null(sample.file);
    assert_null(sample.banks);
    assert_null(sample.limits);
    assert_int_equal(sample.small, 0);
    assert_int_equal(sample.level, 0);
    cl_settings_free(settings);
}

/* -- One value after another ---------------------------------------------------------------------------------- */

/* A section that may be left out as a whole is read as an empty one: its fields have their defaults, and their errors a place. */
static void a_section_that_is_left_out_may_be_an_empty_one(void **state)
{
    (void)state;
    struct {
        const struct cl_setting *times;
    } outer;
    struct {
        int64_t every_ms, count;
    } inner;
    const struct cl_setting_field outer_fields[] = {
        {"times", CL_SETTING_SECTION, 0, .fallback = "{}", .doc = NULL},
    };
    const struct cl_setting_field inner_fields[] = {
        {"every", CL_SETTING_DURATION, 0, .fallback = "5m", .min = 1, .max = 3600000},
        {"count", CL_SETTING_INT64, sizeof(int64_t), .required = true, .min = 1, .max = 9},
    };
    struct cl_settings *settings = NULL;
    struct cl_setting_error error;
    assert_true(cl_is_ok(cl_settings_parse(&settings, "s.yaml", cl_bytes_text("{}"), &error)));
    assert_true(cl_is_ok(cl_setting_read(&outer, cl_settings_root(settings), outer_fields, 1, &error)));
    assert_int_equal(cl_setting_kind(outer.times), CL_SETTING_MAPPING);
    assert_true(cl_is_ok(cl_setting_read(&inner, outer.times, inner_fields, 1, &error)));
    assert_int_equal(inner.every_ms, 300000);
    assert_int_equal(cl_setting_read(&inner, outer.times, inner_fields, 2, &error).reason, CL_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "s.yaml"));
    assert_non_null(strstr(error.text, "times"));
    assert_non_null(strstr(error.text, "`count` is missing"));
    cl_settings_free(settings);
}

static void values_and_their_neighbours(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *error; /* a part of it; NULL: accepted */
    } rows[] = {
        {"name: abcdefgh", NULL},
        {"name: abcdefghi", "etc/s.yaml:1: name: found \"abcdefghi\", expected a text of 2 to 8 bytes"},
        {"name: a", "expected a text of 2 to 8 bytes"},
        {"name: ''", "found \"\", expected"},
        {"name:", "found nothing, expected"},
        {"name: [a]", "found a list, expected"},
        {"name: {a: b}", "found a section, expected"},
        {"port: 1", NULL},
        {"port: 65535", NULL},
        {"port: '80'", NULL},
        {"port: 0", "found \"0\", expected a whole number from 1 to 65535"},
        {"port: 65536", "from 1 to 65535"},
        {"port: -1", "from 1 to 65535"},
        {"port: 080", "whole number"},
        {"port: 0x50", "whole number"},
        {"port: 8 0", "whole number"},
        {"port: 80.0", "whole number"},
        {"port: _80", "whole number"},
        {"port: 80_", "whole number"},
        {"port: 8__0", "whole number"},
        {"port: 99999999999999999999", "whole number"},
        {"port: ", "found nothing"},
        {"small: 5", NULL},
        {"small: 6", "from -5 to 5"},
        {"small: --5", "from -5 to 5"},
        {"small: '-'", "from -5 to 5"},
        {"wait: 100ms", NULL},
        {"wait: 10m", NULL},
        {"wait: 99ms", "found \"99ms\", expected a duration of 100ms to 10m, as in"},
        {"wait: 601s", "expected a duration of 100ms to 10m"},
        {"wait: 30", "a duration"},
        {"wait: s", "a duration"},
        {"wait: 30 s", "a duration"},
        {"wait: 1w", "a duration"},
        {"wait: -1s", "a duration"},
        {"wait: 9223372036854775807d", "a duration"},
        {"on: true", NULL},
        {"on: 一二三四五六七八九十一二", "found \"一二三四五六七八九十...\", expected true"},
        {"on: yes", "found \"yes\", expected true or false"},
        {"on: True", "true or false"},
        {"level: low", NULL},
        {"level: mid", "found \"mid\", expected one of low, high"},
        {"level: 0", "one of low, high"},
        {"banks: [a]", NULL},
        {"banks: []", "found a list, expected a list of 1 to 2 elements"},
        {"banks: [a, b, c]", "a list of 1 to 2 elements"},
        {"banks: a", "found \"a\", expected a list"},
        {"limits: {}", NULL},
        {"limits: []", "expected a section"},
        {"file: ''", "expected a path"},
        {"prt: 80", "etc/s.yaml:1: prt: there is no such key; did you mean `port`?"},
        {"colour: red", "there is no such key; remove it or use one of name, note, file"},
        {"note: x", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char yaml[256];
        struct cl_settings *settings = NULL;
        struct cl_setting_error error = {""};
        struct sample sample;
        bool names = strncmp(rows[i].line, "name:", 5) == 0;
        (void)snprintf(yaml, sizeof yaml, "%s\n%s", rows[i].line, names ? "" : "name: ab\n");
        struct cl_status status = read_sample(&settings, &sample, yaml, &error);
        if (status.reason != (rows[i].error == NULL ? CL_OK : CL_CONFIG_INVALID) ||
            (rows[i].error != NULL && strstr(error.text, rows[i].error) == NULL)) {
            fail_msg("%s: %s: %s", rows[i].line, cl_status_name(status), error.text);
        }
        cl_settings_free(settings);
    }
}

static void a_missing_field_is_named(void **state)
{
    (void)state;
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    struct sample sample;
    assert_int_equal(read_sample(&settings, &sample, "\nport: 80\n", &error).reason, CL_CONFIG_INVALID);
    assert_string_equal(error.text, "etc/s.yaml:2: `name` is missing; add it: a text of 2 to 8 bytes, who it is");
    cl_settings_free(settings);
}

static void an_element_is_read_alone_and_named(void **state)
{
    (void)state;
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    const struct cl_setting_field field = {"", CL_SETTING_INT64, 0, .min = 1, .max = 9};
    int64_t value = 0;
    assert_true(cl_is_ok(cl_settings_parse(&settings, "r.yaml", cl_bytes_text("a:\n  b:\n  - 3\n  - 30\n"), &error)));
    const struct cl_setting *list = cl_setting_find(cl_setting_find(cl_settings_root(settings), "a"), "b");
    assert_true(cl_is_ok(cl_setting_value(&value, cl_setting_at(list, 0), &field, &error)));
    assert_int_equal(value, 3);
    assert_true(cl_failed(cl_setting_value(&value, cl_setting_at(list, 1), &field, &error)));
    assert_string_equal(error.text, "r.yaml:4: a.b[1]: found \"30\", expected a whole number from 1 to 9");
    assert_int_equal(cl_setting_refuse(&error, list, "is %s", "odd").reason, CL_CONFIG_INVALID);
    assert_string_equal(error.text, "r.yaml:3: a.b: is odd");
    cl_settings_free(settings);
}

/* -- The YAML itself ------------------------------------------------------------------------------------------ */

static void only_plain_yaml_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *error; /* NULL: accepted */
    } rows[] = {
        {"a: b", NULL},
        {"---\na: b\n...\n", NULL},
        {"\xef\xbb\xbf"
         "a: b",
         NULL},
        {"a: \"\\u4e2d\"", NULL},
        {"a: 中文", NULL},
        {"'a b': c", NULL},
        {"", "the file is empty"},
        {"# only a comment\n", "the file is empty"},
        {"a", "x.yaml:1: the file must be a section"},
        {"- a", "not a list"},
        {"a: b\n---\nc: d\n", "x.yaml:2: a second document"},
        {"%YAML 1.1\n---\na: b\n", "a directive"},
        {"%TAG ! tag:x,2000:\n---\na: b\n", "a directive"},
        {"a: &x b", "x.yaml:1: found an anchor"},
        {"a: &x [b]", "found an anchor"},
        {"a: &x {b: c}", "found an anchor"},
        {"a: b\nc: *x\n", "x.yaml:2: found an alias"},
        {"a: !!str b", "found a tag"},
        {"a: !x [b]", "found a tag"},
        {"a: !x {b: c}", "found a tag"},
        {"<<: {a: b}", "a merge key"},
        {"a: 1\nb: 2\na: 3\n", "x.yaml:3: `a` stands twice in this section, first in line 1"},
        {"a: {b: 1, b: 2}", "`b` stands twice"},
        {"a: {b: 1}\nc: {b: 1}\n", NULL},
        {"[a]: b", "where a key is expected"},
        {"{a: b}: c", "where a key is expected"},
        {"'': b", "an empty key"},
        {"a: \"x\\0y\"", "a NUL character"},
        {"a: b: c", "x.yaml:1: this is not YAML"},
        {"a:\n\tb: c\n", "x.yaml:2: this is not YAML"},
        {"a: [b", "this is not YAML"},
        {"a: \xff\n", "is not UTF-8 text"},
        {"\xff\xfe\x61\x00", "is not UTF-8 text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_settings *settings = NULL;
        struct cl_setting_error error = {""};
        struct cl_status status = cl_settings_parse(&settings, "x.yaml", cl_bytes_text(rows[i].yaml), &error);
        if (status.reason != (rows[i].error == NULL ? CL_OK : CL_CONFIG_INVALID) ||
            (rows[i].error != NULL && strstr(error.text, rows[i].error) == NULL)) {
            fail_msg("row %zu: %s: %s", i, cl_status_name(status), error.text);
        }
        cl_settings_free(settings);
    }
}

/* -- Bounds --------------------------------------------------------------------------------------------------- */

static char *repeat(const char *start, const char *piece, size_t count)
{
    size_t start_len = strlen(start);
    size_t piece_len = strlen(piece);
    char *text = malloc(start_len + piece_len * count + 1);
    assert_non_null(text);
    memcpy(text, start, start_len);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + start_len + i * piece_len, piece, piece_len);
    }
    text[start_len + piece_len * count] = '\0';
    return text;
}

static void every_bound_holds(void **state)
{
    (void)state;
    static const struct {
        const char *start, *piece;
        size_t count;
        const char *error; /* with one piece more; NULL: that is fine too */
    } rows[] = {
        {"a: ", "x", CL_SETTING_TEXT_BYTES_MAX, "longer than"},
        {"a:\n", "- 1\n", CL_SETTINGS_NODES_MAX - 3, "more than 100000 values"}, /* the root, the key, the list */
        {"a: b\n#", "x", CL_SETTINGS_BYTES_MAX - 6, "larger than"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t more = 0; more < 2; more++) {
            struct cl_settings *settings = NULL;
            struct cl_setting_error error = {""};
            char *text = repeat(rows[i].start, rows[i].piece, rows[i].count + more);
            struct cl_status status = cl_settings_parse(&settings, "x.yaml", cl_bytes_text(text), &error);
            if (cl_is_ok(status) != (more == 0) || (more == 1 && strstr(error.text, rows[i].error) == NULL)) {
                fail_msg("row %zu, %zu more: %s: %s", i, more, cl_status_name(status), error.text);
            }
            cl_settings_free(settings);
            free(text);
        }
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    for (size_t lists = CL_SETTINGS_DEPTH_MAX - 1; lists <= CL_SETTINGS_DEPTH_MAX + 1; lists++) {
        struct cl_settings *settings = NULL;
        struct cl_setting_error error = {""};
        char *opened = repeat("a: ", "[", lists);
        char *text = repeat(opened, "]", lists);
        struct cl_status status = cl_settings_parse(&settings, "x.yaml", cl_bytes_text(text), &error);
        assert_int_equal(cl_is_ok(status), lists < CL_SETTINGS_DEPTH_MAX); /* the root is a level */
        assert_true(cl_is_ok(status) || strstr(error.text, "nested deeper than 16") != NULL);
        cl_settings_free(settings);
        free(opened);
        free(text);
    }
}

static void an_error_never_overflows(void **state)
{
    (void)state;
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    char *name = repeat("", "n", 600);
    char *key = repeat("name: ab\n", "k", 900);
    char *yaml = repeat(key, ": 1", 1);
    struct sample sample;
    assert_true(cl_is_ok(cl_settings_parse(&settings, name, cl_bytes_text(yaml), &error)));
    assert_int_equal(cl_setting_read(&sample, cl_settings_root(settings), fields, FIELD_COUNT, &error).reason,
                     CL_CONFIG_INVALID);
    assert_true(strlen(error.text) < sizeof error.text);
    cl_settings_free(settings);
    free(name);
    free(key);
    free(yaml);
}

/* -- Files ---------------------------------------------------------------------------------------------------- */

static void files_are_loaded_or_said_why_not(void **state)
{
    (void)state;
    char folder[] = "/tmp/coloan-settings-XXXXXX";
    char path[64];
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    struct sample sample;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/a.yaml", folder);
    assert_int_equal(cl_settings_load(&settings, path, &error).reason, CL_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "cannot be opened: No such file"));
    assert_int_equal(cl_settings_load(&settings, folder, &error).reason, CL_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "is not a regular file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(cl_settings_load(&settings, path, &error).reason, CL_CONFIG_INVALID);
    assert_int_equal(unlink(path), 0);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("name: ab\nfile: ca.pem\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_true(cl_is_ok(cl_settings_load(&settings, path, &error)));
    assert_true(cl_is_ok(cl_setting_read(&sample, cl_settings_root(settings), fields, FIELD_COUNT, &error)));
    (void)snprintf(path, sizeof path, "%s/ca.pem", folder);
    assert_string_equal(sample.file, path);
    cl_settings_free(settings);
    (void)snprintf(path, sizeof path, "%s/a.yaml", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void the_table_prints_itself(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    cl_setting_print_fields(out, fields, FIELD_COUNT);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "a text of 2 to 8 bytes; required\n"));
    assert_non_null(strstr(text, "a whole number from 1 to 65535; default 7443\n"));
    assert_non_null(strstr(text, "a duration of 100ms to 10m, as in 250ms, 30s, 15m, 12h or 90d; default 30s\n"));
    assert_non_null(strstr(text, "one of low, high; optional\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(a_section_that_is_left_out_may_be_an_empty_one),
        cmocka_unit_test(values_and_their_neighbours),
        cmocka_unit_test(a_missing_field_is_named),
        cmocka_unit_test(an_element_is_read_alone_and_named),
        cmocka_unit_test(only_plain_yaml_is_taken),
        cmocka_unit_test(every_bound_holds),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(an_error_never_overflows),
        cmocka_unit_test(files_are_loaded_or_said_why_not),
        cmocka_unit_test(the_table_prints_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
