/* As build servers read it: a case that fails is a failure; what nobody could judge is an error; what was not run or is not
 * there is skipped. */
#include <inttypes.h>

#include "interop/conform/markup.h"
#include "interop/conform/report.h"

static void tell_problem(FILE *out, const char *element, const struct conform_result *result)
{
    (void)fprintf(out, "      <%s message=\"", element);
    markup_text(out, conform_cause(result, false));
    (void)fprintf(out, "\">%s\nexpected ", result->part);
    markup_text(out, result->expected);
    (void)fputs("\nactual   ", out);
    markup_text(out, result->actual);
    (void)fprintf(out, "</%s>\n", element);
}

static void tell_case(FILE *out, const struct conform_result *result)
{
    (void)fprintf(out, "    <testcase classname=\"%s\" name=\"%s ", result->one->profile, result->one->id);
    markup_text(out, result->one->title.en);
    (void)fprintf(out, "\" time=\"%" PRId64 ".%06" PRId64 "\">\n", result->took_us / 1000000,
                  result->took_us % 1000000);
    switch (result->outcome) {
    case CONFORM_FAIL:
    case CONFORM_XPASS:
        tell_problem(out, "failure", result);
        break;
    case CONFORM_CONFIG_ERROR:
    case CONFORM_HARNESS_ERROR:
        tell_problem(out, "error", result);
        break;
    case CONFORM_NOT_RUN:
    case CONFORM_UNSUPPORTED:
    case CONFORM_XFAIL:
        (void)fprintf(out, "      <skipped message=\"%s\"/>\n", conform_outcome_name(result->outcome));
        break;
    case CONFORM_PASS:
    case CONFORM_WARN:
    case CONFORM_OUTCOMES:
        break;
    }
    (void)fputs("    </testcase>\n", out);
}

bool conform_report_junit(FILE *out, const struct conform_report *report)
{
    size_t counts[CONFORM_OUTCOMES];
    conform_run_count(counts, report->run);
    (void)fprintf(out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"coloan-conform %s\""
                  " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
                  report->run->mode, report->run->count, counts[CONFORM_FAIL] + counts[CONFORM_XPASS],
                  counts[CONFORM_CONFIG_ERROR] + counts[CONFORM_HARNESS_ERROR],
                  counts[CONFORM_NOT_RUN] + counts[CONFORM_UNSUPPORTED] + counts[CONFORM_XFAIL]);
    for (size_t i = 0; i < report->run->count; i++) {
        tell_case(out, &report->run->results[i]);
    }
    (void)fputs("  </testsuite>\n</testsuites>\n", out);
    return fflush(out) == 0 && ferror(out) == 0;
}
