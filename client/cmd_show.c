/* `coloan show` and `coloan explain`: one case, as far as the caller may see it. */
#include <stdlib.h>

#include "client/evidence.h"
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

static const char *binding_limit(const Coloan__V1__DecisionTrace *trace)
{
    for (size_t i = 0; trace != NULL && i < trace->n_steps; i++) {
        if (trace->steps[i]->binding) {
            return trace->steps[i]->reason;
        }
    }
    return NULL;
}

enum cli_exit cmd_explain(struct cli *cli)
{
    const Coloan__V1__ApplicationView *view = NULL;
    const Coloan__V1__OfferTerms *terms = NULL;
    struct cl_digest digest;
    enum cli_exit code = cli_connect(cli);
    if (code == CLI_DONE) {
        code = cli_get_application(&view, cli, true, true);
    }
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, &view->base);
    }
    if (view->offer != NULL) {
        struct cl_status status = client_terms_read(&terms, &digest, cli->arena, view->offer);
        if (cl_failed(status)) {
            return cli_fail(cli, CLI_FAILED, "do not act on it; tell the centre",
                            "the offer's terms are not those of its digest (%s)", cl_status_name(status));
        }
    }
    view_status(cli, view->status);
    if (terms != NULL) {
        view_terms(cli, terms);
    }
    const char *binding = binding_limit(view->trace);
    if (binding != NULL) {
        view_row(cli, "what bound it", "约束条件", "%s", binding);
    }
    if (view->n_items > 0) {
        view_items(cli, view->items, view->n_items);
    }
    if (view->trace != NULL) {
        view_trace(cli, view->trace);
    } else {
        (void)fprintf(cli->out, "%s\n", cli_word(cli, "the rules have not been applied yet", "规则尚未执行"));
    }
    return CLI_DONE;
}
