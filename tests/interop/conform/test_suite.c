/* Folders of cases that are not as they have to be: each is refused with a sentence that says where and how to mend it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "interop/conform/select.h"

static char folder[] = "/tmp/coloan-suite-XXXXXX";

#define HEAD        "profile: security\nvectors: envelope.json\ncases:\n"
#define CASE(id)    "  - {id: " id ", at: 0, vector: x, title: {en: a, zh: b}, requirements: [COL-ENV-001]}\n"
#define CASE_OF(at) "  - {id: VEC-ONE-1, " at ", vector: x, title: {en: a, zh: b}, requirements: [COL-ENV-001]}\n"

static void write_text(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static struct cl_status load(struct conform_suite **out, struct cl_setting_error *error, const char *ids,
                             const char *cases)
{
    write_text("ids", ids);
    write_text("one.yaml", cases);
    write_text("readme.txt", "not a file of cases");
    return conform_suite_load(out, folder, error);
}

static void a_case_is_what_its_file_says(void **state)
{
    (void)state;
    struct conform_suite *suite = NULL;
    struct cl_setting_error error;
    static const char two[] = HEAD "  - {id: VEC-ONE-1, at: 3, vector: some name, title: {en: a case, zh: 一个用例},\n"
                                   "     level: SHOULD, requirements: [COL-ENV-001, COL-ENV-002]}\n" CASE("VEC-ONE-2");
    assert_true(cl_is_ok(load(&suite, &error, "VEC-ONE-1\nVEC-OLD-1 retired\nVEC-ONE-2\n", two)));
    assert_int_equal(conform_suite_count(suite), 2);
    const struct conform_case *one = conform_suite_case(suite, 0);
    assert_string_equal(one->id, "VEC-ONE-1");
    assert_string_equal(one->title.en, "a case");
    assert_string_equal(one->title.zh, "一个用例");
    assert_int_equal(one->level, CONFORM_SHOULD);
    assert_string_equal(one->profile, "security");
    assert_string_equal(one->vectors, "envelope.json");
    assert_string_equal(one->vector, "some name");
    assert_int_equal(one->at, 3);
    assert_int_equal(one->requirement_count, 2);
    assert_string_equal(one->requirements[1], "COL-ENV-002");
    assert_int_equal(conform_suite_case(suite, 1)->level, CONFORM_MUST);
    conform_suite_free(suite);
}

static void each_mistake_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *name, *ids, *cases, *words;
    } rows[] = {
        {"an id that is not known", "VEC-ONE-1\n", HEAD CASE("VEC-ONE-1") CASE("VEC-ONE-2"), "not among the ids"},
        {"an id twice", "VEC-ONE-1\n", HEAD CASE("VEC-ONE-1") CASE("VEC-ONE-1"), "taken already"},
        {"a retired id", "VEC-ONE-1 retired\n", HEAD CASE("VEC-ONE-1"), "taken already"},
        {"an id without a case", "VEC-ONE-1\nVEC-ONE-2\n", HEAD CASE("VEC-ONE-1"), "VEC-ONE-2: no case has this id"},
        {"a known id twice", "VEC-ONE-1\nVEC-ONE-1\n", HEAD CASE("VEC-ONE-1"), "not a new id"},
        {"another word behind an id", "VEC-ONE-1 gone\n", HEAD CASE("VEC-ONE-1"), "not a new id"},
        {"an id too short", "VEC\n", HEAD CASE("VEC-ONE-1"), "not a new id"},
        {"no place", "VEC-ONE-1\n", HEAD CASE_OF("level: MUST"), "at"},
        {"another level", "VEC-ONE-1\n", HEAD CASE_OF("at: 0, level: MAY"), "level"},
        {"an unknown field", "VEC-ONE-1\n", HEAD CASE_OF("at: 0, colour: red"), "colour"},
        {"no cases", "VEC-ONE-1\n", "profile: security\nvectors: envelope.json\ncases: []\n", "cases"},
        {"no profile", "VEC-ONE-1\n", "vectors: envelope.json\ncases:\n" CASE("VEC-ONE-1"), "profile"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conform_suite *suite = NULL;
        struct cl_setting_error error;
        struct cl_status status = load(&suite, &error, rows[i].ids, rows[i].cases);
        if (status.reason != CL_CONFIG_INVALID || strstr(error.text, rows[i].words) == NULL) {
            fail_msg("%s: %s: %s", rows[i].name, cl_status_name(status), error.text);
        }
    }
    struct conform_suite *none = NULL;
    struct cl_setting_error error;
    assert_int_equal(conform_suite_load(&none, "/nowhere", &error).reason, CL_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "--cases"));
}

static void what_is_selected_is_run(void **state)
{
    (void)state;
    struct conform_suite *suite = NULL;
    struct cl_setting_error error;
    assert_true(cl_is_ok(load(&suite, &error, "VEC-ONE-1\nVEC-ONE-2\n", HEAD CASE("VEC-ONE-1") CASE("VEC-ONE-2"))));
    const struct conform_case *one = conform_suite_case(suite, 0);
    struct conform_selection all = {.profile_count = 0};
    struct conform_selection other = {.ids = {"VEC-ONE-2"}, .id_count = 1};
    struct conform_selection profile = {.profiles = {"security"}, .profile_count = 1};
    struct conform_selection both = {
        .profiles = {"security"}, .profile_count = 1, .ids = {"VEC-ONE-2", "VEC-ONE-1"}, .id_count = 2};
    struct conform_selection unknown = {.failing = {"VEC-NONE-1"}, .failing_count = 1};
    assert_true(conform_selects(&all, one));
    assert_false(conform_selects(&other, one));
    assert_true(conform_selects(&profile, one));
    assert_true(conform_selects(&both, one));
    assert_null(conform_selection_unknown(&both, suite));
    assert_string_equal(conform_selection_unknown(&unknown, suite), "VEC-NONE-1");
    unknown = (struct conform_selection){.profiles = {"none"}, .profile_count = 1};
    assert_string_equal(conform_selection_unknown(&unknown, suite), "none");
    conform_suite_free(suite);
}

static void an_announced_failure_is_none(void **state)
{
    (void)state;
    static const struct conform_case one = {.id = "VEC-ONE-1"};
    static const struct {
        enum conform_outcome before, after;
    } rows[] = {
        {CONFORM_FAIL, CONFORM_XFAIL},
        {CONFORM_WARN, CONFORM_XFAIL},
        {CONFORM_PASS, CONFORM_XPASS},
        {CONFORM_UNSUPPORTED, CONFORM_UNSUPPORTED},
        {CONFORM_CONFIG_ERROR, CONFORM_CONFIG_ERROR},
    };
    struct conform_selection selection = {.failing = {"VEC-ONE-1"}, .failing_count = 1};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conform_result result = {.one = &one, .outcome = rows[i].before};
        conform_selection_judge(&selection, &result);
        assert_string_equal(conform_outcome_name(result.outcome), conform_outcome_name(rows[i].after));
    }
}

static void the_worst_decides_the_status(void **state)
{
    (void)state;
    static const struct {
        enum conform_outcome outcome;
        enum conform_exit code;
    } rows[] = {
        {CONFORM_PASS, CONFORM_EXIT_PASSED},         {CONFORM_WARN, CONFORM_EXIT_PASSED},
        {CONFORM_UNSUPPORTED, CONFORM_EXIT_PASSED},  {CONFORM_XFAIL, CONFORM_EXIT_PASSED},
        {CONFORM_FAIL, CONFORM_EXIT_FAILED},         {CONFORM_XPASS, CONFORM_EXIT_FAILED},
        {CONFORM_CONFIG_ERROR, CONFORM_EXIT_CONFIG}, {CONFORM_HARNESS_ERROR, CONFORM_EXIT_HARNESS},
    };
    size_t counts[CONFORM_OUTCOMES] = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        counts[rows[i].outcome]++;
        assert_int_equal(conform_exit_of(counts), rows[i].code);
    }
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"ids", "one.yaml", "readme.txt"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_case_is_what_its_file_says), cmocka_unit_test(each_mistake_is_told),
        cmocka_unit_test(what_is_selected_is_run),      cmocka_unit_test(an_announced_failure_is_none),
        cmocka_unit_test(the_worst_decides_the_status),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
