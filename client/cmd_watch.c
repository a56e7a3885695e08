/* `coloan watch`: looks again and again and tells each change, until the case is decided. */
#include "client/view.h"
#include "libcoloan/clock.h"

static bool is_final(Coloan__V1__CaseState state)
{
    return state == COLOAN__V1__CASE_STATE__CASE_STATE_APPROVED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_REJECTED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_EXPIRED || state == COLOAN__V1__CASE_STATE__CASE_STATE_WITHDRAWN;
}

static void print_change(const struct cli *cli, const Coloan__V1__ApplicationStatus *status)
{
    char time[VIEW_TEXT_BYTES_MAX];
    if (cli->options.json) {
        (void)cli_print_json(cli, &status->base);
        (void)fflush(cli->out);
        return;
    }
    view_time(time, status->changed_ms);
    (void)fprintf(cli->out, "%s  %s%-10s%s fund %-10s bank %-10s %s%s\n", time, cli_colour(cli, CLI_BOLD),
                  view_enum(&coloan__v1__case_state__descriptor, (int)status->state), cli_colour(cli, CLI_PLAIN),
                  view_enum(&coloan__v1__fund_track__descriptor, (int)status->fund),
                  view_enum(&coloan__v1__bank_track__descriptor, (int)status->bank_track),
                  cli_word(cli, "next: ", "下一步："),
                  view_enum(&coloan__v1__actor__descriptor, (int)status->next_actor));
    view_reasons(cli, status->reasons, status->n_reasons);
    (void)fflush(cli->out);
}

enum cli_exit cmd_watch(struct cli *cli)
{
    int64_t every_ms = cli->options.every_ms > 0 ? cli->options.every_ms : 1000;
    int64_t end_ms = cl_clock_monotonic_ms(cl_clock_system()) +
                     (cli->options.timeout_ms > 0 ? cli->options.timeout_ms : INT64_C(600000));
    int64_t changed_ms = -1;
    enum cli_exit code = cli_connect(cli);
    while (code == CLI_DONE) {
        const Coloan__V1__ApplicationView *view = NULL;
        cl_arena_reset(cli->arena);
        code = cli_get_application(&view, cli, false, false);
        if (code != CLI_DONE) {
            break;
        }
        if (view->status->changed_ms != changed_ms) {
            changed_ms = view->status->changed_ms;
            print_change(cli, view->status);
        }
        if (is_final(view->status->state)) {
            break;
        }
        if (cl_clock_monotonic_ms(cl_clock_system()) + every_ms > end_ms) {
            return cli_fail(cli, CLI_UNREACHABLE, "`coloan explain` tells what it waits for; watch again later",
                            "not decided yet");
        }
        (void)cl_session_pause(cli->session, every_ms);
    }
    return code;
}
