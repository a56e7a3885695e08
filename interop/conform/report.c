#include "interop/conform/report.h"

#include <inttypes.h>
#include <string.h>

#include "libcoloan/status.h"

const char *conform_cause(const struct conform_result *result, bool zh)
{
    const struct cl_reason_info *reason = cl_reason_find(result->expected);
    if (result->cause[0] != '\0' || reason == NULL || reason->reason == CL_OK) {
        return result->cause;
    }
    return zh ? reason->text_zh : reason->text_en;
}

/* -- On a terminal -------------------------------------------------------------------------------------------- */

static const char *colour_of(enum conform_outcome outcome)
{
    switch (outcome) {
    case CONFORM_PASS:
    case CONFORM_XFAIL:
        return "\033[32m";
    case CONFORM_FAIL:
    case CONFORM_XPASS:
    case CONFORM_CONFIG_ERROR:
    case CONFORM_HARNESS_ERROR:
        return "\033[31m";
    case CONFORM_WARN:
    case CONFORM_UNSUPPORTED:
        return "\033[33m";
    case CONFORM_NOT_RUN:
    case CONFORM_OUTCOMES:
        break;
    }
    return "\033[2m";
}

static void tell_name(FILE *out, enum conform_outcome outcome, bool colours)
{
    (void)fprintf(out, "%s%-13s%s", colours ? colour_of(outcome) : "", conform_outcome_name(outcome),
                  colours ? "\033[0m" : "");
}

static void tell_line(FILE *out, const char *what, const char *text)
{
    if (text[0] != '\0') {
        (void)fprintf(out, "    %s%s\n", what, text);
    }
}

static void tell_difference(FILE *out, const struct conform_result *result, bool zh)
{
    char place[64] = "";
    tell_line(out, zh ? "所在值      " : "value       ", result->part);
    tell_line(out, zh ? "应为        " : "expected    ", result->expected);
    tell_line(out, zh ? "实为        " : "actual      ", result->actual);
    if (result->differs_at >= 0) {
        (void)snprintf(place, sizeof place, "%" PRId64, result->differs_at);
    }
    tell_line(out, zh ? "首个不同字节 " : "differs at  ", place);
}

void conform_tell_result(FILE *out, const struct conform_report *report, const struct conform_result *result, bool zh,
                         bool colours)
{
    const struct conform_case *one = result->one;
    tell_name(out, result->outcome, colours);
    (void)fprintf(out, " %s  %s\n", one->id, zh ? one->title.zh : one->title.en);
    tell_difference(out, result, zh);
    tell_line(out, zh ? "可能原因    " : "likely      ", conform_cause(result, zh));
    for (size_t i = 0; i < one->requirement_count; i++) {
        const struct conform_requirement *found = conform_requirements_find(report->requirements, one->requirements[i]);
        if (found != NULL) {
            (void)fprintf(out, "    %s %s\n", found->id, zh && found->zh[0] != '\0' ? found->zh : found->en);
        }
    }
    (void)fprintf(out, "    %scoloan-conform %s --testee '%s' --rerun %s\n", zh ? "重跑        " : "again       ",
                  report->run->mode, report->run->testee, one->id);
}

void conform_tell_tally(FILE *out, const struct conform_run *run, bool zh, bool colours)
{
    size_t counts[CONFORM_OUTCOMES];
    conform_run_count(counts, run);
    for (size_t i = 0; i < CONFORM_OUTCOMES; i++) {
        if (counts[i] > 0) {
            tell_name(out, (enum conform_outcome)i, colours);
            (void)fprintf(out, " %zu\n", counts[i]);
        }
    }
    (void)fprintf(out, zh ? "共%zu个用例，用时%" PRId64 "毫秒\n" : "%zu cases in %" PRId64 " ms\n", run->count,
                  run->took_ms);
}
