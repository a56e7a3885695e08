/* One run in every form: the same counts and differences everywhere, and nothing of what a testee says is ever markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "interop/conform/report.h"

static const struct conform_case cases[] = {
    {.id = "VEC-ONE-1",
     .title = {"passes", "通过"},
     .profile = "security",
     .requirements = {"COL-ENV-001"},
     .requirement_count = 1},
    {.id = "VEC-ONE-2",
     .title = {"fails", "失败"},
     .profile = "security",
     .requirements = {"COL-TIM-003"},
     .requirement_count = 1},
    {.id = "VEC-ONE-3", .title = {"differs", "不同"}, .profile = "core", .level = CONFORM_SHOULD},
    {.id = "VEC-ONE-4", .title = {"not there", "没有"}, .profile = "core"},
};

#define NASTY "</script><b>'\"&|`\x01"

static const struct conform_result results[] = {
    {.one = &cases[0], .outcome = CONFORM_PASS, .part = "", .differs_at = -1, .took_us = 1500000},
    {.one = &cases[1], .outcome = CONFORM_FAIL, .part = "", .expected = "EXPIRED", .actual = NASTY, .differs_at = -1},
    {.one = &cases[2], .outcome = CONFORM_WARN, .part = "digest", .expected = "aa", .actual = "ab", .differs_at = 7},
    {.one = &cases[3], .outcome = CONFORM_UNSUPPORTED, .part = "", .differs_at = -1},
};

static const struct conform_run run = {
    .mode = "vectors", .testee = NASTY, .began_ms = 5, .took_ms = 6, .results = results, .count = 4};

static struct conform_report report = {.run = &run, .version = "1.2.3"};

static char *text_of(bool (*write)(FILE *out, const struct conform_report *report))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_true(write(out, &report));
    (void)fclose(out);
    return text;
}

static void assert_holds(const char *text, const char *words)
{
    if (strstr(text, words) == NULL) {
        fail_msg("'%s' is not in: %s", words, text);
    }
}

static void json_says_everything(void **state)
{
    (void)state;
    char *text = text_of(conform_report_json);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "testee")), NASTY);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "tally"), "FAIL")), 1);
    const json_t *list = json_object_get(root, "results");
    assert_int_equal(json_array_size(list), 4);
    const json_t *failed = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(failed, "outcome")), "FAIL");
    assert_string_equal(json_string_value(json_object_get(json_object_get(failed, "difference"), "actual")), NASTY);
    assert_holds(json_string_value(json_object_get(json_object_get(failed, "cause"), "en")), "expired before");
    const json_t *differs = json_object_get(json_array_get(list, 2), "difference");
    assert_int_equal(json_integer_value(json_object_get(differs, "differs_at")), 7);
    assert_null(json_object_get(json_array_get(list, 0), "difference"));
    json_decref(root);
    free(text);
}

/* The members that the schema requires of each object are those that are written. */
static void json_is_as_its_schema_says(void **state)
{
    (void)state;
    char *text = text_of(conform_report_json);
    json_t *root = json_loads(text, 0, NULL);
    json_t *schema = json_load_file(COLOAN_SOURCE_DIR "/interop/conform/report.schema.json", 0, NULL);
    assert_non_null(schema);
    const json_t *of_result =
        json_object_get(json_object_get(json_object_get(schema, "properties"), "results"), "items");
    size_t i = 0;
    const json_t *name = NULL;
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        assert_non_null(json_object_get(root, json_string_value(name)));
    }
    assert_int_equal(json_array_size(json_object_get(schema, "required")), json_object_size(root));
    json_array_foreach(json_object_get(of_result, "required"), i, name)
    {
        assert_non_null(json_object_get(json_array_get(json_object_get(root, "results"), 0), json_string_value(name)));
    }
    const char *key = NULL;
    json_t *member = NULL;
    json_t *result = json_array_get(json_object_get(root, "results"), 1);
    json_object_foreach(result, key, member)
    {
        assert_non_null(json_object_get(json_object_get(of_result, "properties"), key));
    }
    json_decref(schema);
    json_decref(root);
    free(text);
}

static void junit_counts_alike(void **state)
{
    (void)state;
    char *text = text_of(conform_report_junit);
    assert_holds(text, "tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\"");
    assert_holds(text, "time=\"1.500000\"");
    assert_holds(text, "<skipped message=\"UNSUPPORTED\"/>");
    assert_holds(text, "actual   &lt;/script&gt;&lt;b&gt;&#39;&quot;&amp;|`?");
    assert_null(strstr(text, "<b>"));
    free(text);
}

static void markdown_keeps_its_table(void **state)
{
    (void)state;
    char *text = text_of(conform_report_markdown);
    assert_holds(text, "| FAIL | 1 |");
    assert_holds(text, "| VEC-ONE-2 | fails<br>失败 | FAIL | COL-TIM-003 | `EXPIRED` | `</script><b>'\"&??");
    free(text);
}

static void html_holds_both_languages_and_no_foreign_markup(void **state)
{
    (void)state;
    char *text = text_of(conform_report_html);
    assert_holds(text, "<details open data-outcome=\"FAIL\">");
    assert_holds(text, "失败");
    assert_holds(text, "A request MUST NOT be processed");
    assert_holds(text, "&lt;/script&gt;&lt;b&gt;");
    assert_null(strstr(text, "<b>"));
    assert_null(strstr(text, "http")); /* nothing from outside */
    free(text);
}

static void a_terminal_is_told_what_helps(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    conform_tell_result(out, &report, &results[2], false, false);
    conform_tell_result(out, &report, &results[1], true, true);
    conform_tell_tally(out, &run, false, false);
    (void)fclose(out);
    assert_holds(text, "value       digest\n");
    assert_holds(text, "differs at  7\n");
    assert_holds(text, "\033[31mFAIL");
    assert_holds(text, "COL-TIM-003 ");
    assert_holds(text, "--rerun VEC-ONE-2");
    assert_holds(text, "4 cases in 6 ms");
    free(text);
}

static void the_specification_is_in_the_program(void **state)
{
    (void)state;
    assert_true(conform_requirements_count(report.requirements) > 200);
    const struct conform_requirement *one = conform_requirements_find(report.requirements, "COL-ENV-001");
    assert_true(one->must);
    assert_true(one->en[0] != '\0' && one->zh[0] != '\0');
    assert_false(conform_requirements_find(report.requirements, "COL-ENV-006")->must); /* it says MAY */
    assert_null(conform_requirements_find(report.requirements, "none"));
    for (size_t i = 0; i < conform_requirements_count(report.requirements); i++) {
        assert_true(conform_requirements_at(report.requirements, i)->zh[0] != '\0');
    }
}

static struct conform_requirements *requirements;

static int set_up(void **state)
{
    (void)state;
    report.requirements = requirements = conform_requirements_create();
    return requirements == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    conform_requirements_free(requirements);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_says_everything),
        cmocka_unit_test(json_is_as_its_schema_says),
        cmocka_unit_test(junit_counts_alike),
        cmocka_unit_test(markdown_keeps_its_table),
        cmocka_unit_test(html_holds_both_languages_and_no_foreign_markup),
        cmocka_unit_test(a_terminal_is_told_what_helps),
        cmocka_unit_test(the_specification_is_in_the_program),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
