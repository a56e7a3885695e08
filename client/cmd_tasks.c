/* `coloan tasks`, `task`, `claim`, `release` and `counters`: what waits for officers, and what they did. */
#include <string.h>

#include "client/officer.h"
#include "client/view.h"
#include "libcoloan/limits.h"
#include "libcoloan/loan_reasons.h"
#include "libcoloan/officer_notes.h"

/* -- Lists ---------------------------------------------------------------------------------------------------- */

static const char *item_name(const struct cli *cli, Coloan__V1__Item item)
{
    return item == 0 ? "-" : view_term(cli, &coloan__v1__item__descriptor, (int)item);
}

static void print_task_line(const struct cli *cli, const Coloan__V1__Task *task)
{
    char time[VIEW_TEXT_BYTES_MAX];
    view_time(time, task->deadline_ms);
    (void)fprintf(cli->out, "%s  %s  %-14s %-16s %-14s %s\n", task->task_id, time,
                  view_enum(&coloan__v1__task_kind__descriptor, (int)task->kind),
                  task->item == 0 ? "-" : view_enum(&coloan__v1__item__descriptor, (int)task->item), task->reason,
                  task->ended_ms != 0 ? view_enum(&coloan__v1__task_ending__descriptor, (int)task->ending)
                                      : task->claimed_by);
}

/* One page; the query's token becomes the next page's. */
static enum cli_exit print_page(struct cli *cli, Coloan__V1__TaskListQuery *query, int64_t *left)
{
    struct cl_answer answer;
    query->page_size = *left < CL_LIST_PAGE_MAX ? (uint32_t)*left : CL_LIST_PAGE_MAX;
    struct officer_call call = {
        .method = "coloan.v1.Review/ListTasks", .body = &query->base, .reply_type = &coloan__v1__task_list__descriptor};
    enum cli_exit code = officer_call(&answer, cli, &call);
    if (code != CLI_DONE) {
        return code;
    }
    const Coloan__V1__TaskList *list = (const Coloan__V1__TaskList *)(const void *)answer.body;
    for (size_t i = 0; i < list->n_tasks; i++) {
        if (cli->options.json) {
            (void)cli_print_json(cli, &list->tasks[i]->base);
        } else {
            print_task_line(cli, list->tasks[i]);
        }
    }
    *left -= (int64_t)list->n_tasks;
    *left = list->n_tasks == 0 ? 0 : *left;
    query->page_token = list->next_page_token;
    return CLI_DONE;
}

static enum cli_exit read_kind(Coloan__V1__TaskListQuery *query, const struct cli *cli)
{
    char name[64];
    if (cli->options.kind == NULL) {
        return CLI_DONE;
    }
    (void)snprintf(name, sizeof name, "TASK_KIND_%.40s", cli->options.kind);
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(&coloan__v1__task_kind__descriptor, name);
    if (value == NULL) {
        return cli_fail(cli, CLI_USAGE,
                        "kinds are ITEM, DECISION, CHECK, REGISTRATION, HALF_DISBURSED, DEADLINE, OVERRIDE",
                        "--kind: there is no kind %.40s", cli->options.kind);
    }
    query->kind = (Coloan__V1__TaskKind)value->value;
    return CLI_DONE;
}

enum cli_exit cmd_tasks(struct cli *cli)
{
    Coloan__V1__TaskListQuery query = COLOAN__V1__TASK_LIST_QUERY__INIT;
    int64_t left = cli->options.count > 0 ? cli->options.count : CL_LIST_PAGE_MAX;
    enum cli_exit code = read_kind(&query, cli);
    query.mine = cli->options.mine;
    query.unclaimed = cli->options.unclaimed;
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE && cli->argument_count > 0) {
        query.application_id = cl_arena_text(cli->arena, cli->arguments[0]);
        code = query.application_id == NULL ? cli_fail(cli, CLI_FAILED, NULL, "there is no memory") : CLI_DONE;
    }
    while (code == CLI_DONE && left > 0) {
        code = print_page(cli, &query, &left);
        left = query.page_token[0] == '\0' ? 0 : left;
    }
    return code;
}

/* -- One task ------------------------------------------------------------------------------------------------- */

static void view_task(const struct cli *cli, const Coloan__V1__Task *task)
{
    char time[VIEW_TEXT_BYTES_MAX];
    const struct cl_loan_reason_info *reason = cl_loan_reason_find(task->reason);
    view_row(cli, "task", "任务编号", "%s", task->task_id);
    view_row(cli, "kind", "类型", "%s%s%s", cli_colour(cli, CLI_BOLD),
             view_term(cli, &coloan__v1__task_kind__descriptor, (int)task->kind), cli_colour(cli, CLI_PLAIN));
    view_row(cli, "item", "核验项", "%s (person %u)", item_name(cli, task->item), task->person);
    view_row(cli, "why a person", "转人工原因", "%s %s", task->reason,
             reason == NULL ? "" : cli_word(cli, reason->text_en, reason->text_zh));
    view_row(cli, "what was said", "来源结果", "%s %s %s", task->authority,
             task->failure == 0 ? "" : view_term(cli, &coloan__v1__failure_kind__descriptor, (int)task->failure),
             task->detail);
    view_time(time, task->deadline_ms);
    view_row(cli, "until", "期限", "%s", time);
    if (task->claimed_by[0] != '\0') {
        view_time(time, task->claimed_until_ms);
        view_row(cli, "claimed by", "认领人", "%s (%s %s)", task->claimed_by, cli_word(cli, "until", "至"), time);
    }
    if (task->ended_ms != 0) {
        view_time(time, task->ended_ms);
        view_row(cli, "ended", "结束", "%s %s %s",
                 view_term(cli, &coloan__v1__task_ending__descriptor, (int)task->ending), time, task->ended_by);
    }
}

/* What was disclosed stays off the screen unless it is asked for. */
static void view_values(const struct cli *cli, const struct cl_answer *answer)
{
    view_heading(cli, "personal values", "个人信息");
    for (size_t i = 0; i < answer->opened.disclosure_count; i++) {
        const Coloan__V1__Disclosure *disclosure = answer->opened.disclosures[i];
        view_row(cli, disclosure->path, disclosure->path, "%.*s", (int)disclosure->value.len,
                 cli->options.personal ? (const char *)disclosure->value.data : "");
    }
    if (!cli->options.personal && answer->opened.disclosure_count > 0) {
        view_row(cli, "", "", "%s", cli_word(cli, "--personal shows them", "加 --personal 显示"));
    }
}

static void view_past(const struct cli *cli, const Coloan__V1__TaskView *view)
{
    char time[VIEW_TEXT_BYTES_MAX];
    view_heading(cli, "results before", "历史结果");
    for (size_t i = 0; i < view->n_past; i++) {
        const Coloan__V1__VerificationResult *result = view->past[i]->result;
        view_time(time, view->past[i]->settled_ms);
        (void)fprintf(
            cli->out, "  %s  %-8s %-16s %s\n", time,
            view_term(cli, &coloan__v1__item_outcome__descriptor, (int)result->outcome), result->authority,
            result->failure == 0 ? "" : view_term(cli, &coloan__v1__failure_kind__descriptor, (int)result->failure));
    }
}

static const char *note_text(const struct cli *cli, const char *code)
{
    const struct cl_officer_note *note = cl_officer_note_find(code);
    return note == NULL ? "" : cli_word(cli, note->text_en, note->text_zh);
}

static void view_done(const struct cli *cli, const Coloan__V1__TaskView *view)
{
    char time[VIEW_TEXT_BYTES_MAX];
    view_heading(cli, "what officers did", "审核记录");
    for (size_t i = 0; i < view->n_actions; i++) {
        const Coloan__V1__OfficerAction *action = view->actions[i];
        view_time(time, action->at_ms);
        (void)fprintf(cli->out, "  %s  %-24s %-8s %-16s %s %s\n", time, action->officer,
                      view_term(cli, &coloan__v1__officer_step__descriptor, (int)action->step),
                      item_name(cli, action->item), action->note, note_text(cli, action->note));
    }
    for (size_t i = 0; i < view->n_overrides; i++) {
        const Coloan__V1__ItemOverride *override = view->overrides[i];
        view_time(time, override->expires_ms);
        (void)fprintf(cli->out, "  %s %-16s %-8s %s %s %s, %s %s\n", cli_word(cli, "override of", "更改提议"),
                      item_name(cli, override->item),
                      view_term(cli, &coloan__v1__override_state__descriptor, (int) override->state),
                      override->finding == NULL ? "" : override->finding->note, cli_word(cli, "proposed by", "提议人"),
                      override->proposed_by, cli_word(cli, "until", "至"), time);
    }
}

enum cli_exit cmd_task(struct cli *cli)
{
    struct officer_task task;
    enum cli_exit code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = officer_get_task(&task, cli, cli->arguments[0]);
    }
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, &task.view->base);
    }
    view_task(cli, task.view->task);
    view_status(cli, task.view->status);
    view_values(cli, &task.answer);
    view_items(cli, task.view->items, task.view->n_items);
    view_past(cli, task.view);
    view_done(cli, task.view);
    view_heading(cli, "how the case came here", "办理过程");
    view_timeline(cli, task.view->timeline, task.view->n_timeline);
    return CLI_DONE;
}

/* -- Claims --------------------------------------------------------------------------------------------------- */

static enum cli_exit step(struct cli *cli, const struct officer_call *call)
{
    struct cl_answer answer;
    enum cli_exit code = officer_call(&answer, cli, call);
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, answer.body);
    }
    view_task(cli, (const Coloan__V1__Task *)(const void *)answer.body);
    return CLI_DONE;
}

enum cli_exit cmd_claim(struct cli *cli)
{
    Coloan__V1__TaskClaim body = COLOAN__V1__TASK_CLAIM__INIT;
    enum cli_exit code = cli_connect(cli);
    body.task_id = cli->arguments[0];
    struct officer_call call = {
        .method = "coloan.v1.Review/ClaimTask", .body = &body.base, .reply_type = &coloan__v1__task__descriptor};
    return code == CLI_DONE ? step(cli, &call) : code;
}

enum cli_exit cmd_release(struct cli *cli)
{
    Coloan__V1__TaskRelease body = COLOAN__V1__TASK_RELEASE__INIT;
    enum cli_exit code = cli_connect(cli);
    body.task_id = cli->arguments[0];
    struct officer_call call = {
        .method = "coloan.v1.Review/ReleaseTask", .body = &body.base, .reply_type = &coloan__v1__task__descriptor};
    return code == CLI_DONE ? step(cli, &call) : code;
}

/* -- Counters ------------------------------------------------------------------------------------------------- */

static void view_counters(const struct cli *cli, const Coloan__V1__Counters *counters)
{
    view_heading(cli, "by officer", "按审核员");
    for (size_t i = 0; i < counters->n_officers; i++) {
        const Coloan__V1__OfficerCounter *row = counters->officers[i];
        (void)fprintf(cli->out, "  %-32s %-10s %8llu\n", row->officer,
                      view_term(cli, &coloan__v1__officer_step__descriptor, (int)row->step),
                      (unsigned long long)row->count);
    }
    view_heading(cli, "by reason: referred, settled, overridden", "按原因：转人工、已处理、已更改");
    for (size_t i = 0; i < counters->n_reasons; i++) {
        const Coloan__V1__ReasonCounter *row = counters->reasons[i];
        (void)fprintf(cli->out, "  %-16s %-16s %8llu %8llu %8llu\n", row->reason, item_name(cli, row->item),
                      (unsigned long long)row->referred, (unsigned long long)row->settled,
                      (unsigned long long)row->overridden);
    }
}

enum cli_exit cmd_counters(struct cli *cli)
{
    Coloan__V1__CountersQuery body = COLOAN__V1__COUNTERS_QUERY__INIT;
    struct cl_answer answer;
    struct officer_call call = {
        .method = "coloan.v1.Review/GetCounters", .body = &body.base, .reply_type = &coloan__v1__counters__descriptor};
    enum cli_exit code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = officer_call(&answer, cli, &call);
    }
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, answer.body);
    }
    view_counters(cli, (const Coloan__V1__Counters *)(const void *)answer.body);
    return CLI_DONE;
}
