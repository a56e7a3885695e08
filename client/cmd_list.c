/* `coloan list`: the caller's own cases, newest first, page by page. */
#include <stdio.h>
#include <string.h>

#include "client/view.h"
#include "libcoloan/limits.h"

static bool find_state(Coloan__V1__CaseState *out, const char *name)
{
    const ProtobufCEnumDescriptor *type = &coloan__v1__case_state__descriptor;
    for (unsigned i = 0; i < type->n_values; i++) {
        int value = type->values[i].value;
        if (strcmp(name, view_enum(type, value)) == 0 || strcmp(name, type->values[i].name) == 0) {
            *out = (Coloan__V1__CaseState)value;
            return true;
        }
    }
    return false;
}

static void print_line(const struct cli *cli, const Coloan__V1__ApplicationStatus *status)
{
    char time[VIEW_TEXT_BYTES_MAX];
    view_time(time, status->changed_ms);
    (void)fprintf(cli->out, "%s  %s  %-10s %-20s %-20s %s\n", status->application_id, time,
                  view_enum(&coloan__v1__case_state__descriptor, (int)status->state),
                  view_enum(&coloan__v1__outcome__descriptor, (int)status->outcome), status->bank,
                  status->external_ref);
}

/* One page; `*token` becomes the next page's. */
static enum cli_exit print_page(struct cli *cli, Coloan__V1__ApplicationListQuery *query, int64_t *left)
{
    struct cl_answer answer;
    query->page_size = *left < CL_LIST_PAGE_MAX ? (uint32_t)*left : CL_LIST_PAGE_MAX;
    struct cl_status status = cl_session_call(&answer, cli->session, cli->arena,
                                              &(struct cl_session_call){
                                                  .method = "coloan.v1.JointApproval/ListApplications",
                                                  .body = &query->base,
                                                  .reply_type = &coloan__v1__application_list__descriptor,
                                              },
                                              cli_patience(cli));
    if (cl_failed(status)) {
        return cli_refused(cli, status, &answer);
    }
    const Coloan__V1__ApplicationList *list = (const void *)answer.body;
    for (size_t i = 0; i < list->n_applications; i++) {
        if (cli->options.json) {
            (void)cli_print_json(cli, &list->applications[i]->base);
        } else {
            print_line(cli, list->applications[i]);
        }
    }
    *left -= (int64_t)list->n_applications;
    *left = list->n_applications == 0 ? 0 : *left;
    query->page_token = list->next_page_token;
    return CLI_DONE;
}

enum cli_exit cmd_list(struct cli *cli)
{
    Coloan__V1__ApplicationListQuery query = COLOAN__V1__APPLICATION_LIST_QUERY__INIT;
    int64_t left = cli->options.count > 0 ? cli->options.count : CL_LIST_PAGE_MAX;
    if (cli->options.state != NULL && !find_state(&query.state, cli->options.state)) {
        return cli_fail(cli, CLI_USAGE,
                        "states are VERIFYING, SUPPLEMENT, MANUAL, OFFERED, APPROVED, REJECTED, EXPIRED, WITHDRAWN",
                        "--state: there is no state %.40s", cli->options.state);
    }
    enum cli_exit code = cli_connect(cli);
    while (code == CLI_DONE && left > 0) {
        code = print_page(cli, &query, &left);
        left = query.page_token[0] == '\0' ? 0 : left;
    }
    return code;
}
