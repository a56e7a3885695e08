/* One file without anything from outside: both languages are in it, one is shown; a click chooses which outcomes are. */
#include <inttypes.h>
#include <string.h>

#include "interop/conform/markup.h"
#include "interop/conform/report.h"

static const char HEAD[] =
    "<!doctype html>\n<html lang=\"en\" data-lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>coloan-conform</title>\n<style>\n"
    ":root{--line:#d8dbe0;--soft:#f5f6f8;--text:#1c1f24;--good:#176f3d;--bad:#b3261e;--so-so:#8a5a00;--quiet:#5f6570}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:1.5rem;color:var(--text);"
    "font:15px/1.5 system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif}\n"
    "h1{font-size:1.4rem;margin:0 0 .25rem}.about{color:var(--quiet);margin:0 0 1rem;overflow-wrap:anywhere}\n"
    "[data-lang=en] .zh,[data-lang=zh] .en{display:none}\n"
    ".bar{display:flex;flex-wrap:wrap;gap:.5rem;margin:0 0 1rem;align-items:center}\n"
    "button{font:inherit;border:1px solid var(--line);background:#fff;border-radius:999px;padding:.2rem .8rem;"
    "cursor:pointer}button[aria-pressed=true]{background:var(--text);color:#fff}.bar .lang{margin-left:auto}\n"
    "details{border:1px solid var(--line);border-radius:.5rem;margin:0 0 .4rem;background:#fff}\n"
    "details[open]{background:var(--soft)}summary{display:grid;grid-template-columns:9.5rem 8rem 1fr;gap:.75rem;"
    "padding:.45rem .75rem;cursor:pointer}summary::-webkit-details-marker{display:none}\n"
    ".id{font-family:ui-monospace,monospace}.outcome{font-weight:600}.PASS,.XFAIL{color:var(--good)}"
    ".FAIL,.XPASS,.CONFIG_ERROR,.HARNESS_ERROR{color:var(--bad)}.WARN,.UNSUPPORTED{color:var(--so-so)}"
    ".NOT_RUN{color:var(--quiet)}\n"
    "dl{display:grid;grid-template-columns:9.5rem 1fr;gap:.3rem .75rem;margin:0;padding:.25rem .75rem .75rem}"
    "dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}code{font-family:ui-monospace,monospace}\n"
    "@media(max-width:40rem){summary,dl{grid-template-columns:1fr}}\n</style></head><body>\n";

static const char SCRIPT[] =
    "<script>\n"
    "const root=document.documentElement,buttons=[...document.querySelectorAll('[data-show]')];\n"
    "function show(){const on=new Set(buttons.filter(b=>b.getAttribute('aria-pressed')==='true')"
    ".map(b=>b.dataset.show));document.querySelectorAll('details')"
    ".forEach(d=>{d.hidden=on.size>0&&!on.has(d.dataset.outcome)})}\n"
    "buttons.forEach(b=>b.onclick=()=>{b.setAttribute('aria-pressed',b.getAttribute('aria-pressed')!=='true');"
    "show()});\n"
    "function speak(l){root.dataset.lang=l;root.lang=l==='zh'?'zh-CN':'en'}\n"
    "document.querySelector('.lang').onclick=()=>speak(root.dataset.lang==='en'?'zh':'en');\n"
    "if(navigator.language.startsWith('zh'))speak('zh');\n"
    "</script>\n</body></html>\n";

/* The same in both languages, of which one is shown. */
static void in_both(FILE *out, const char *en, const char *zh)
{
    (void)fputs("<span class=\"en\">", out);
    markup_text(out, en);
    (void)fputs("</span><span class=\"zh\" lang=\"zh-CN\">", out);
    markup_text(out, zh[0] != '\0' ? zh : en);
    (void)fputs("</span>", out);
}

static void row(FILE *out, const char *en, const char *zh, const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    (void)fputs("<dt>", out);
    in_both(out, en, zh);
    (void)fputs("</dt><dd><code>", out);
    markup_text(out, text);
    (void)fputs("</code></dd>\n", out);
}

static void tell_requirements(FILE *out, const struct conform_report *report, const struct conform_case *one)
{
    for (size_t i = 0; i < one->requirement_count; i++) {
        const struct conform_requirement *found = conform_requirements_find(report->requirements, one->requirements[i]);
        if (found != NULL) {
            (void)fprintf(out, "<dt><code>%s</code></dt><dd>", found->id);
            in_both(out, found->en, found->zh);
            (void)fputs("</dd>\n", out);
        }
    }
}

static void tell_result(FILE *out, const struct conform_report *report, const struct conform_result *result)
{
    const struct conform_case *one = result->one;
    const char *outcome = conform_outcome_name(result->outcome);
    char place[32] = "";
    if (result->differs_at >= 0) {
        (void)snprintf(place, sizeof place, "%" PRId64, result->differs_at);
    }
    bool failed = result->outcome == CONFORM_FAIL || result->outcome == CONFORM_XPASS;
    (void)fprintf(out, "<details%s data-outcome=\"%s\"><summary><span class=\"outcome %s\">%s</span>",
                  failed ? " open" : "", outcome, outcome, outcome);
    (void)fprintf(out, "<span class=\"id\">%s</span>", one->id);
    in_both(out, one->title.en, one->title.zh);
    (void)fputs("</summary><dl>\n", out);
    row(out, "value", "所在值", result->part);
    row(out, "expected", "应为", result->expected);
    row(out, "actual", "实为", result->actual);
    row(out, "first differing byte", "首个不同字节", place);
    if (result->outcome != CONFORM_PASS && conform_cause(result, false)[0] != '\0') {
        (void)fputs("<dt>", out);
        in_both(out, "likely", "可能原因");
        (void)fputs("</dt><dd>", out);
        in_both(out, conform_cause(result, false), conform_cause(result, true));
        (void)fputs("</dd>\n", out);
    }
    tell_requirements(out, report, one);
    (void)fputs("</dl></details>\n", out);
}

bool conform_report_html(FILE *out, const struct conform_report *report)
{
    const struct conform_run *run = report->run;
    size_t counts[CONFORM_OUTCOMES];
    conform_run_count(counts, run);
    (void)fputs(HEAD, out);
    (void)fprintf(out, "<h1>coloan-conform %s</h1>\n<p class=\"about\"><code>", run->mode);
    markup_text(out, run->testee);
    (void)fprintf(out, "</code> · coloan-conform %s · %zu ", report->version, run->count);
    in_both(out, "cases", "个用例");
    (void)fprintf(out, " · %" PRId64 " ms</p>\n<div class=\"bar\">\n", run->took_ms);
    for (size_t i = 0; i < CONFORM_OUTCOMES; i++) {
        const char *name = conform_outcome_name((enum conform_outcome)i);
        if (counts[i] > 0) {
            (void)fprintf(out,
                          "<button data-show=\"%s\" aria-pressed=\"false\"><span class=\"%s\">%s</span> %zu</button>\n",
                          name, name, name, counts[i]);
        }
    }
    (void)fputs("<button class=\"lang\">中文 / English</button>\n</div>\n", out);
    for (size_t i = 0; i < run->count; i++) {
        tell_result(out, report, &run->results[i]);
    }
    (void)fputs(SCRIPT, out);
    return fflush(out) == 0 && ferror(out) == 0;
}
