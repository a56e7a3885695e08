#include <inttypes.h>

#include "interop/conform/report.h"

static void tell_tally(FILE *out, const struct conform_run *run)
{
    size_t counts[CONFORM_OUTCOMES];
    conform_run_count(counts, run);
    (void)fputs("| outcome 结果 | cases 用例 |\n|---|---|\n", out);
    for (size_t i = 0; i < CONFORM_OUTCOMES; i++) {
        if (counts[i] > 0) {
            (void)fprintf(out, "| %s | %zu |\n", conform_outcome_name((enum conform_outcome)i), counts[i]);
        }
    }
}

/* In a cell of a table, as code: neither a bar nor a backtick of a testee ends it. */
static void tell_code(FILE *out, const char *text)
{
    (void)fputc('`', out);
    for (; *text != '\0'; text++) {
        (void)fputc(*text == '|' || *text == '`' || *text == '\n' ? '?' : *text, out);
    }
    (void)fputc('`', out);
}

static void tell_result(FILE *out, const struct conform_result *result)
{
    const struct conform_case *one = result->one;
    (void)fprintf(out, "| %s | %s<br>%s | %s | ", one->id, one->title.en, one->title.zh,
                  conform_outcome_name(result->outcome));
    for (size_t i = 0; i < one->requirement_count; i++) {
        (void)fprintf(out, "%s%s", i == 0 ? "" : "<br>", one->requirements[i]);
    }
    (void)fputs(" | ", out);
    if (result->expected[0] != '\0') {
        tell_code(out, result->expected);
        (void)fputs(" | ", out);
        tell_code(out, result->actual);
    } else {
        (void)fputs(" |", out);
    }
    (void)fputs(" |\n", out);
}

bool conform_report_markdown(FILE *out, const struct conform_report *report)
{
    const struct conform_run *run = report->run;
    (void)fprintf(out, "# coloan-conform %s\n\n", run->mode);
    tell_code(out, run->testee);
    (void)fprintf(out, ", coloan-conform %s, %zu cases, %" PRId64 " ms\n\n", report->version, run->count, run->took_ms);
    tell_tally(out, run);
    (void)fputs("\n| case 用例 | title 名称 | outcome 结果 | requirements 要求 | expected 应为 | actual 实为 |\n"
                "|---|---|---|---|---|---|\n",
                out);
    for (size_t i = 0; i < run->count; i++) {
        tell_result(out, &run->results[i]);
    }
    return fflush(out) == 0 && ferror(out) == 0;
}
