/* `coloan timeline`: what happened to a case, step by step, as the centre's log has it. */
#include "client/view.h"

enum cli_exit cmd_timeline(struct cli *cli)
{
    const Coloan__V1__ApplicationView *view = NULL;
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.with_timeline = true;
    enum cli_exit code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = cli_query_application(&view, cli, &query);
    }
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, &view->base);
    }
    view_timeline(cli, view->timeline, view->n_timeline);
    return CLI_DONE;
}
