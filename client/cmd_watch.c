/* `coloan watch`: looks again and again and tells each change, until the case is decided. */
#include "client/view.h"
#include "libcoloan/clock.h"

static bool has_ended(Coloan__V1__CaseState state)
{
    return state == COLOAN__V1__CASE_STATE__CASE_STATE_REJECTED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_EXPIRED ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_WITHDRAWN ||
           state == COLOAN__V1__CASE_STATE__CASE_STATE_CANCELLED || state == COLOAN__V1__CASE_STATE__CASE_STATE_SETTLED;
}

static bool is_decided(const Coloan__V1__ApplicationStatus *status)
{
    return has_ended(status->state) || status->outcome == COLOAN__V1__OUTCOME__OUTCOME_DECLINED_BANK ||
           status->outcome == COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED ||
           status->outcome == COLOAN__V1__OUTCOME__OUTCOME_APPROVED_FUND_ONLY;
}

/* The state to stop at; UNSPECIFIED: any that is decided. */
static enum cli_exit read_until(Coloan__V1__CaseState *out, const struct cli *cli)
{
    char name[64];
    if (cli->options.until == NULL) {
        return CLI_DONE;
    }
    (void)snprintf(name, sizeof name, "CASE_STATE_%.48s", cli->options.until);
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(&coloan__v1__case_state__descriptor, name);
    if (value == NULL) {
        return cli_fail(cli, CLI_USAGE, "e.g. OFFERED, CONFIRMED, READY", "--until: `%.48s` is no state",
                        cli->options.until);
    }
    *out = (Coloan__V1__CaseState)value->value;
    return CLI_DONE;
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
    Coloan__V1__CaseState until = COLOAN__V1__CASE_STATE__CASE_STATE_UNSPECIFIED;
    enum cli_exit code = read_until(&until, cli);
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
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
        if (until == COLOAN__V1__CASE_STATE__CASE_STATE_UNSPECIFIED ? is_decided(view->status)
                                                                    : view->status->state == until) {
            break;
        }
        if (has_ended(view->status->state)) {
            return cli_fail(cli, CLI_FAILED, "`coloan explain` tells why", "it ended as %s",
                            view_enum(&coloan__v1__case_state__descriptor, (int)view->status->state));
        }
        if (cl_clock_monotonic_ms(cl_clock_system()) + every_ms > end_ms) {
            return cli_fail(cli, CLI_UNREACHABLE, "`coloan explain` tells what it waits for; watch again later",
                            until == COLOAN__V1__CASE_STATE__CASE_STATE_UNSPECIFIED ? "not decided yet"
                                                                                    : "not there yet");
        }
        (void)cl_session_pause(cli->session, every_ms);
    }
    return code;
}
