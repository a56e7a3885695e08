/* tables.c - prints the pages of docs/spec that are made from the tables of the code, as Markdown.
 *
 * usage: tables lifecycle en|zh
 *        tables methods | items | rules
 *
 * docs/tools/generate runs it; a test fails when the checked-in pages are not what it prints. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/api/methods.h"
#include "server/domain/catalogue.h"
#include "server/domain/lifecycle.h"
#include "server/domain/ruleset.h"

/* -- Life cycle ---------------------------------------------------------------------------------------------- */

struct words {
    const char *title, *intro, *tracks[TRACK_COUNT], *columns, *offers, *decides, *reopens;
};

static const struct words english = {
    .title = "Life cycle",
    .intro =
        "Made by `docs/tools/generate` from `server/domain/lifecycle.def`; change that table, not this page.\n\n"
        "A case has three tracks - fund, bank, registry -, each with one table. A command moves every track whose "
        "table\n"
        "knows it, together; when one of those tracks has no row that fits, nothing moves and the command is refused\n"
        "with `STATE_CONFLICT`. The event is what the bank is told. The state of the whole case is derived from the "
        "tracks.\n",
    .tracks = {"The fund's part", "The bank's part", "The register"},
    .columns = "| from | command | when | to | event | effect | what happened |",
    .offers = "next offer version",
    .decides = "joint decision",
    .reopens = "next round",
};

static const struct words chinese = {
    .title = "生命周期",
    .intro = "由 `docs/tools/generate` 根据 `server/domain/lifecycle.def` 生成；请修改该表，不要修改本页。\n\n"
             "案件有公积金、银行、登记三条轨道，各有一张转换表。一个命令同时移动所有认识它的轨道；只要其中一条没有匹配"
             "的行，\n"
             "则全部不动，命令以 `STATE_CONFLICT` 被拒绝。“事件”是告知银行的内容。全案状态由三条轨道推导得出。\n",
    .tracks = {"公积金部分", "商业部分", "不动产登记"},
    .columns = "| 原状态 | 命令 | 条件 | 新状态 | 事件 | 效果 | 说明 |",
    .offers = "新方案版本",
    .decides = "共同决定",
    .reopens = "新一轮",
};

static const char *event_name(enum case_event event)
{
    static const char *const names[] = {
        [EVENT_NONE] = "",
        [EVENT_STATUS] = "STATUS",
        [EVENT_FUND_DECISION] = "FUND_DECISION",
        [EVENT_JOINT_DECISION] = "JOINT_DECISION",
        [EVENT_APPLICATION] = "APPLICATION",
        [EVENT_RELEASED] = "RELEASED",
        [EVENT_CONSENT_WITHDRAWN] = "CONSENT_WITHDRAWN",
    };
    return (size_t)event < sizeof names / sizeof names[0] ? names[event] : "?";
}

static const char *place(enum case_track track, int value)
{
    return value == 0 ? "[*]" : lifecycle_track_name(track, value);
}

/* One arrow for each pair of places; its commands stand on it, one below the other. */
static void print_arrow(enum case_track track, const struct transition *first, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        const struct transition *row = lifecycle_at(track, i);
        if (row->from == first->from && row->to == first->to) {
            return;
        }
    }
    printf("    %s --> %s: ", place(track, first->from), place(track, first->to));
    const struct transition *row;
    enum case_command told = COMMAND_COUNT;
    for (unsigned i = index; (row = lifecycle_at(track, i)) != NULL; i++) {
        if (row->from == first->from && row->to == first->to && row->command != told) {
            printf("%s%s", i == index ? "" : "<br/>", lifecycle_command_name(row->command));
            told = row->command;
        }
    }
    printf("\n");
}

static void print_diagram(enum case_track track)
{
    printf("```mermaid\nstateDiagram-v2\n    direction LR\n");
    const struct transition *row;
    for (unsigned i = 0; (row = lifecycle_at(track, i)) != NULL; i++) {
        print_arrow(track, row, i);
    }
    printf("```\n\n");
}

static void print_row(enum case_track track, const struct transition *row, const struct words *words)
{
    bool zh = words == &chinese;
    printf("| %s | `%s` | %s | %s | %s | ", row->from == 0 ? "–" : lifecycle_track_name(track, row->from),
           lifecycle_command_name(row->command),
           zh ? lifecycle_guard_text_zh(row->guard) : lifecycle_guard_text(row->guard),
           lifecycle_track_name(track, row->to), event_name(row->event));
    const char *between = "";
    const char *const effects[] = {row->offers ? words->offers : NULL, row->decides ? words->decides : NULL,
                                   row->reopens ? words->reopens : NULL};
    for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++) {
        if (effects[i] != NULL) {
            printf("%s%s", between, effects[i]);
            between = zh ? "、" : ", ";
        }
    }
    printf(" | %s |\n", zh ? row->sentence_zh : row->sentence);
}

static void print_lifecycle(const struct words *words)
{
    printf("# %s\n\n%s", words->title, words->intro);
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        printf("\n## %s\n\n", words->tracks[track]);
        print_diagram((enum case_track)track);
        printf("%s\n|---|---|---|---|---|---|---|\n", words->columns);
        const struct transition *row;
        for (unsigned i = 0; (row = lifecycle_at((enum case_track)track, i)) != NULL; i++) {
            print_row((enum case_track)track, row, words);
        }
    }
}

/* -- Methods ------------------------------------------------------------------------------------------------- */

static void print_callers(const struct api_method *method)
{
    static const struct {
        enum cl_party_kind kind;
        const char *name;
    } kinds[] = {
        {CL_PARTY_BANK, "bank 银行"}, {CL_PARTY_CHANNEL, "channel 渠道"},         {CL_PARTY_OFFICER, "officer 审核员"},
        {CL_PARTY_FUND, "fund 中心"}, {CL_PARTY_AUTHORITY, "authority 核验机构"},
    };
    const char *between = "";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (api_method_allows(method, kinds[i].kind)) {
            printf("%s%s", between, kinds[i].name);
            between = ", ";
        }
    }
}

static void print_methods(void)
{
    printf("# Methods 方法\n\n"
           "Made by `docs/tools/generate` from `server/api/methods.c`; change that table, not this page.\n\n"
           "Who may call what, with which body. An application in the header: *must* - it has to be named; *none* - "
           "there is\n"
           "none yet; *may*.\n"
           "谁可以调用哪个方法、正文为何。签名头中的申请编号：*must* 必须指明；*none* 尚无；*may* 可以指明。\n\n"
           "| method 方法 | body 正文 | reply 应答 | callers 调用方 | application 申请 |\n|---|---|---|---|---|\n");
    const struct api_method *method;
    for (size_t i = 0; (method = api_method_at(i)) != NULL; i++) {
        printf("| `%s` | ", api_method_name(method) + strlen("coloan.v1."));
        for (size_t body = 0; body < method->body_count; body++) {
            printf("%s`%s`", body == 0 ? "" : ", ", method->bodies[body].type->short_name);
        }
        printf(" | %s%s%s | ", method->reply == NULL ? "" : "`",
               method->reply == NULL ? "stream 流" : method->reply->short_name, method->reply == NULL ? "" : "`");
        print_callers(method);
        printf(" | %s |\n", method->creates ? "none" : method->needs_application ? "must" : "may");
    }
}

/* -- Items --------------------------------------------------------------------------------------------------- */

static const char *view_name(enum item_view view)
{
    static const char *const names[] = {
        [VIEW_NONE] = "nothing 不可见", [VIEW_VERDICT] = "verdict 结论", [VIEW_VALUE] = "value 值"};
    return names[view];
}

static const char *owner_name(enum item_owner owner)
{
    static const char *const names[] = {
        [OWNER_LOCAL] = "centre 中心", [OWNER_FUND] = "authority 核验机构", [OWNER_BANK] = "**bank 银行**"};
    return names[owner];
}

static void print_facts(const struct catalogue_row *row)
{
    for (size_t i = 0; i < ITEM_FACTS_MAX && row->facts[i].name != NULL; i++) {
        const struct item_fact_row *fact = &row->facts[i];
        printf("%s`%s`%s", i == 0 ? "" : ", ", fact->name, fact->required ? "" : " (optional 可选)");
        if (fact->kind == FACT_NUMBER) {
            printf(" %lld…%lld", (long long)fact->min, (long long)fact->max);
        } else {
            printf("%s", fact->kind == FACT_DATE ? " date 日期" : " text 文本");
        }
    }
}

static void print_phases(const struct catalogue_row *row)
{
    static const struct {
        enum item_phase phase;
        const char *name;
    } phases[] = {{PHASE_DECISION, "decision 决定"},
                  {PHASE_DISBURSEMENT, "disbursement 放款前"},
                  {PHASE_REGISTRATION, "registration 登记"}};
    const char *between = "";
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        if ((row->phases & PHASE_BIT(phases[i].phase)) != 0) {
            printf("%s%s", between, phases[i].name);
            between = ", ";
        }
    }
}

static void print_items(void)
{
    printf(
        "# Verification items 审批要件\n\n"
        "Made by `docs/tools/generate` from `server/domain/catalogue.c`; change that table, not this page.\n\n"
        "Who settles an item, whether a decision can do without it, what it is needed for, who sees what of the "
        "answer,\n"
        "how many days it may be used, and its facts with their bounds. Facts are texts or whole numbers: money in "
        "fen,\n"
        "counts, months, dates as yyyymmdd (0: none), flags 0 or 1.\n"
        "由谁办结、按人或全案、是否必需、用于何处、各方可见内容、有效天数，以及各事实与取值范围。事实为文本或整数：金额"
        "为分，另有计数、月数、\n"
        "yyyymmdd 日期（0为无）、标志0或1。\n\n"
        "| item 要件 | title 名称 | owner 所有者 | source 来源 | per person 按人 | needed 必需 | for 用于 | fund sees "
        "中心可见 | "
        "bank sees 银行可见 | borrower sees 借款人可见 | days 天 | facts 事实 |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        const struct catalogue_row *row = catalogue_row((enum item)item);
        if (row == NULL) {
            continue;
        }
        printf("| `%s` | %s %s | %s | %s | %s | %s | ", row->name, row->title_en, row->title_zh, owner_name(row->owner),
               row->authority, row->per_person ? "yes 是" : "no 否", row->needed ? "yes 是" : "no 否");
        print_phases(row);
        printf(" | %s | %s | %s | %d | ", view_name(row->fund_view), view_name(row->bank_view),
               view_name(row->borrower_view), (int)row->valid_days);
        print_facts(row);
        printf(" |\n");
    }
}

/* -- Rule sets ----------------------------------------------------------------------------------------------- */

static void print_rule_field(const struct rule_field *field)
{
    static const char *const types[] = {
        [RULE_TEXT] = "text",    [RULE_BOOL] = "true, false", [RULE_INT32] = "number",
        [RULE_INT64] = "number", [RULE_DATE] = "date",        [RULE_DATE_OR_NONE] = "date or 0"};
    printf("| `%s` | %s | %s | ", field->name, types[field->type], field->unit);
    if (field->type == RULE_INT32 || field->type == RULE_INT64) {
        printf("%lld…%lld", (long long)field->min, (long long)field->max);
    }
    printf(" | %s |\n", field->doc);
}

static void print_rules(void)
{
    printf("# Rule-set fields 规则集字段\n\n"
           "Made by `docs/tools/generate` from `server/domain/ruleset.c`; change that table, not this page.\n\n"
           "A file `rules/<id>.yaml` holds every field exactly once, and the list `rates`.\n"
           "文件 `rules/<id>.yaml` 中每个字段恰好出现一次，另有 `rates` 列表。\n\n"
           "| field 字段 | type 类型 | unit 单位 | bounds 范围 | meaning 含义 |\n|---|---|---|---|---|\n");
    const struct rule_field *field;
    for (unsigned i = 0; (field = rule_field_at(i)) != NULL; i++) {
        print_rule_field(field);
    }
    printf(
        "\n## rates\n\n| field 字段 | type 类型 | unit 单位 | bounds 范围 | meaning 含义 |\n|---|---|---|---|---|\n");
    for (unsigned i = 0; (field = rule_rate_field_at(i)) != NULL; i++) {
        print_rule_field(field);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "lifecycle") == 0 && argc == 3) {
        print_lifecycle(strcmp(argv[2], "zh") == 0 ? &chinese : &english);
        return 0;
    }
    static const struct {
        const char *name;
        void (*print)(void);
    } pages[] = {{"methods", print_methods}, {"items", print_items}, {"rules", print_rules}};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(what, pages[i].name) == 0 && argc == 2) {
            pages[i].print();
            return 0;
        }
    }
    (void)fprintf(stderr, "usage: tables lifecycle en|zh | methods | items | rules\n");
    return 2;
}
