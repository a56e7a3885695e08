/* `coloan settle` and `coloan override`: an officer says what was found out about an item. */
#include <string.h>

#include "client/officer.h"
#include "client/view.h"

/* -- settle --------------------------------------------------------------------------------------------------- */

enum cli_exit cmd_settle(struct cli *cli)
{
    struct officer_task task;
    struct cl_answer answer;
    Coloan__V1__Finding finding;
    Coloan__V1__ItemSettlement body = COLOAN__V1__ITEM_SETTLEMENT__INIT;
    enum cli_exit code = officer_read_finding(&finding, cli, 1);
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE) {
        code = officer_get_task(&task, cli, cli->arguments[0]);
    }
    if (code != CLI_DONE) {
        return code;
    }
    body.task_id = task.view->task->task_id;
    body.finding = &finding;
    struct officer_call call = {.method = "coloan.v1.Review/SettleItem",
                                .body = &body.base,
                                .reply_type = &coloan__v1__application_status__descriptor,
                                .application_id = task.view->task->application_id};
    code = officer_call(&answer, cli, &call);
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, answer.body);
    }
    view_status(cli, (const Coloan__V1__ApplicationStatus *)(const void *)answer.body);
    return CLI_DONE;
}

/* -- override ------------------------------------------------------------------------------------------------- */

static void view_override(const struct cli *cli, const Coloan__V1__ItemOverride *override)
{
    char time[VIEW_TEXT_BYTES_MAX];
    view_row(cli, "override", "更改提议", "%s", override->override_id);
    view_row(cli, "item", "核验项", "%s (person %u)",
             view_term(cli, &coloan__v1__item__descriptor, (int) override->item), override->person);
    view_row(cli, "state", "状态", "%s%s%s", cli_colour(cli, CLI_BOLD),
             view_term(cli, &coloan__v1__override_state__descriptor, (int) override->state),
             cli_colour(cli, CLI_PLAIN));
    if (override->finding != NULL) {
        const Coloan__V1__Finding *finding = override->finding;
        view_row(cli, "becomes", "更改为", "%s %s",
                 view_term(cli, &coloan__v1__item_outcome__descriptor, (int)finding->outcome), finding->note);
        for (size_t i = 0; i < finding->n_facts; i++) {
            view_row(cli, "", "", "%s=%lld", finding->facts[i]->name, (long long)finding->facts[i]->number);
        }
    }
    view_time(time, override->expires_ms);
    view_row(cli, "proposed by", "提议人", "%s (%s %s)", override->proposed_by, cli_word(cli, "until", "至"), time);
    if (override->ended_ms != 0) {
        view_row(cli, "ended by", "复核人", "%s", override->ended_by);
    }
}

static enum cli_exit send_step(struct cli *cli, const Coloan__V1__OverrideRequest *body)
{
    struct cl_answer answer;
    struct officer_call call = {.method = "coloan.v1.Review/Override",
                                .body = &body->base,
                                .reply_type = &coloan__v1__item_override__descriptor,
                                .application_id = cli->arguments[0]};
    enum cli_exit code = officer_call(&answer, cli, &call);
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, answer.body);
    }
    const Coloan__V1__ItemOverride *override = (const Coloan__V1__ItemOverride *)(const void *)answer.body;
    view_override(cli, override);
    if (override->status != NULL) {
        view_status(cli, override->status);
    }
    return CLI_DONE;
}

/* The open task that asks for a second officer for this item. */
static enum cli_exit find_task(const char **out, struct cli *cli, const Coloan__V1__OverrideRequest *body)
{
    Coloan__V1__TaskListQuery query = COLOAN__V1__TASK_LIST_QUERY__INIT;
    struct cl_answer answer;
    query.kind = COLOAN__V1__TASK_KIND__TASK_KIND_OVERRIDE;
    query.application_id = cli->arguments[0];
    struct officer_call call = {
        .method = "coloan.v1.Review/ListTasks", .body = &query.base, .reply_type = &coloan__v1__task_list__descriptor};
    enum cli_exit code = officer_call(&answer, cli, &call);
    if (code != CLI_DONE) {
        return code;
    }
    const Coloan__V1__TaskList *list = (const Coloan__V1__TaskList *)(const void *)answer.body;
    for (size_t i = 0; i < list->n_tasks; i++) {
        const Coloan__V1__Task *task = list->tasks[i];
        if (task->ended_ms == 0 && task->item == body->item && task->person == body->person) {
            *out = task->task_id;
            return CLI_DONE;
        }
    }
    return cli_fail(cli, CLI_FAILED, "`coloan tasks --kind OVERRIDE` lists what there is",
                    "nothing is proposed for this item");
}

/* Names the proposal, and for a confirmation what its proposer signed. */
static enum cli_exit name_proposal(Coloan__V1__OverrideRequest *body, struct cli *cli)
{
    const char *task_id = NULL;
    struct officer_task task;
    enum cli_exit code = find_task(&task_id, cli, body);
    if (code == CLI_DONE) {
        code = officer_get_task(&task, cli, task_id);
    }
    if (code != CLI_DONE) {
        return code;
    }
    for (size_t i = 0; i < task.view->n_overrides; i++) {
        const Coloan__V1__ItemOverride *override = task.view->overrides[i];
        if (override->state == COLOAN__V1__OVERRIDE_STATE__OVERRIDE_STATE_PROPOSED && override->item == body->item &&
            override->person == body->person) {
            bool confirms = body->step == COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_CONFIRM;
            body->override_id = override->override_id;
            body->proposal_digest = confirms ? override->proposal_digest : body->proposal_digest;
            return CLI_DONE;
        }
    }
    return cli_fail(cli, CLI_FAILED, NULL, "nothing is proposed for this item");
}

static enum cli_exit read_step(Coloan__V1__OverrideRequest *out, const struct cli *cli)
{
    static const char *const names[] = {
        [COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_PROPOSE] = "propose",
        [COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_CONFIRM] = "confirm",
        [COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_WITHDRAW] = "withdraw",
    };
    for (size_t i = 1; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(cli->arguments[1], names[i]) == 0) {
            out->step = (Coloan__V1__OverrideStep)i;
        }
    }
    if (out->step == 0) {
        return cli_fail(cli, CLI_USAGE, NULL, "found \"%.40s\", expected propose, confirm or withdraw",
                        cli->arguments[1]);
    }
    if (!officer_find_item(&out->item, cli->arguments[2])) {
        return cli_fail(cli, CLI_USAGE, "`coloan show APPLICATION` lists them", "there is no item %.40s",
                        cli->arguments[2]);
    }
    out->person = (uint32_t)cli->options.person;
    bool proposes = out->step == COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_PROPOSE;
    if (proposes != (cli->argument_count > 3)) {
        return cli_fail(cli, CLI_USAGE, "`coloan override --help` shows examples",
                        proposes ? "propose needs pass or fail" : "only propose takes pass, fail and facts");
    }
    return CLI_DONE;
}

enum cli_exit cmd_override(struct cli *cli)
{
    Coloan__V1__Finding finding;
    Coloan__V1__OverrideRequest body = COLOAN__V1__OVERRIDE_REQUEST__INIT;
    enum cli_exit code = read_step(&body, cli);
    bool proposes = body.step == COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_PROPOSE;
    if (code == CLI_DONE && proposes) {
        code = officer_read_finding(&finding, cli, 3);
        body.finding = &finding;
    }
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE && !proposes) {
        code = name_proposal(&body, cli);
    }
    return code == CLI_DONE ? send_step(cli, &body) : code;
}
