/* Held to report.schema.json by its test. */
#include <jansson.h>

#include "interop/conform/report.h"

static json_t *requirements_of(const struct conform_case *one)
{
    json_t *list = json_array();
    for (size_t i = 0; i < one->requirement_count; i++) {
        (void)json_array_append_new(list, json_string(one->requirements[i]));
    }
    return list;
}

static json_t *difference_of(const struct conform_result *result)
{
    json_t *difference =
        json_pack("{ss ss ss}", "value", result->part, "expected", result->expected, "actual", result->actual);
    if (result->differs_at >= 0) {
        (void)json_object_set_new(difference, "differs_at", json_integer(result->differs_at));
    }
    return difference;
}

static json_t *result_of(const struct conform_result *result)
{
    const struct conform_case *one = result->one;
    json_t *object = json_pack(
        "{ss s{ss ss} ss ss so ss sI}", "id", one->id, "title", "en", one->title.en, "zh", one->title.zh, "profile",
        one->profile, "level", one->level == CONFORM_MUST ? "MUST" : "SHOULD", "requirements", requirements_of(one),
        "outcome", conform_outcome_name(result->outcome), "took_us", (json_int_t)result->took_us);
    if (result->expected[0] != '\0' || result->actual[0] != '\0') {
        (void)json_object_set_new(object, "difference", difference_of(result));
    }
    if (conform_cause(result, false)[0] != '\0' && result->outcome != CONFORM_PASS) {
        (void)json_object_set_new(
            object, "cause",
            json_pack("{ss ss}", "en", conform_cause(result, false), "zh", conform_cause(result, true)));
    }
    return object;
}

static json_t *tally_of(const struct conform_run *run)
{
    size_t counts[CONFORM_OUTCOMES];
    json_t *tally = json_object();
    conform_run_count(counts, run);
    for (size_t i = 0; i < CONFORM_OUTCOMES; i++) {
        (void)json_object_set_new(tally, conform_outcome_name((enum conform_outcome)i),
                                  json_integer((json_int_t)counts[i]));
    }
    return tally;
}

bool conform_report_json(FILE *out, const struct conform_report *report)
{
    const struct conform_run *run = report->run;
    json_t *results = json_array();
    for (size_t i = 0; i < run->count; i++) {
        (void)json_array_append_new(results, result_of(&run->results[i]));
    }
    json_t *root = json_pack("{ss s{ss ss} ss ss sI sI so so}", "report", "coloan-conform/1", "program", "name",
                             "coloan-conform", "version", report->version, "mode", run->mode, "testee", run->testee,
                             "began_ms", (json_int_t)run->began_ms, "took_ms", (json_int_t)run->took_ms, "tally",
                             tally_of(run), "results", results);
    bool written = root != NULL && json_dumpf(root, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;
    json_decref(root);
    return written && ferror(out) == 0;
}
