/* `coloan show`: one case, as far as the caller may see it. */
#include <stdlib.h>

#include "client/view.h"

enum cli_exit cmd_show(struct cli *cli)
{
    const Coloan__V1__ApplicationView *view = NULL;
    enum cli_exit code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = cli_get_application(&view, cli, true, false);
    }
    if (code != CLI_DONE) {
        return code;
    }
    if (cli->options.keep != NULL && view->joint_decision.len == 0) {
        return cli_fail(cli, CLI_FAILED, "wait for it with `coloan watch`", "there is no joint decision yet");
    }
    if (cli->options.keep != NULL &&
        cl_failed(client_file_write(cli->options.keep, cl_bytes(view->joint_decision.data, view->joint_decision.len),
                                    0644, true))) {
        return cli_fail(cli, CLI_FAILED, NULL, "%s cannot be written", cli->options.keep);
    }
    if (cli->options.json) {
        return cli_print_json(cli, &view->base);
    }
    view_status(cli, view->status);
    if (view->n_items > 0) {
        view_items(cli, view->items, view->n_items);
    }
    return CLI_DONE;
}
