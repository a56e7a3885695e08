/* `coloan ping`: whether everything on the way works, how long it takes, and whether the clocks agree. */
#include <inttypes.h>
#include <stdlib.h>

#include "client/view.h"
#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "libcoloan/spec.h"

struct sample {
    int64_t round_trip_us;
    int64_t ahead_ms; /* of the centre's clock, give or take half the round trip */
};

static struct cl_status ask_once(struct sample *out, struct cl_answer *answer, struct cli *cli)
{
    Coloan__V1__CapabilitiesQuery query = COLOAN__V1__CAPABILITIES_QUERY__INIT;
    int64_t unix_ms = cl_clock_unix_ms(cl_clock_system());
    int64_t begin_us = cl_monotonic_us();
    struct cl_status status = cl_session_call(answer, cli->session, cli->arena,
                                              &(struct cl_session_call){
                                                  .method = "coloan.v1.Directory/GetCapabilities",
                                                  .body = &query.base,
                                                  .reply_type = &coloan__v1__capabilities__descriptor,
                                              },
                                              cli_patience(cli));
    out->round_trip_us = cl_monotonic_us() - begin_us;
    if (cl_is_ok(status)) {
        const Coloan__V1__Capabilities *capabilities = (const void *)answer->body;
        out->ahead_ms = capabilities->server_time_ms - unix_ms - out->round_trip_us / 2000;
    }
    return status;
}

static void print_sample(const struct cli *cli, const struct sample *sample)
{
    bool apart = llabs(sample->ahead_ms) > CL_CLOCK_AHEAD_MS_MAX / 2;
    if (cli->options.json) {
        (void)fprintf(cli->out, "{\"roundTripUs\":%" PRId64 ",\"centreAheadMs\":%" PRId64 "}\n", sample->round_trip_us,
                      sample->ahead_ms);
        return;
    }
    view_row(cli, "round trip", "往返时间", "%" PRId64 ".%03" PRId64 " ms", sample->round_trip_us / 1000,
             sample->round_trip_us % 1000);
    view_row(cli, "centre's clock", "中心时钟", "%s%+" PRId64 " ms%s%s", cli_colour(cli, apart ? CLI_RED : CLI_PLAIN),
             sample->ahead_ms, cli_colour(cli, CLI_PLAIN),
             apart ? cli_word(cli, "  set our clock: messages more than 30 s ahead are refused",
                              "  请校时：超前30秒以上的报文会被拒绝")
                   : "");
}

enum cli_exit cmd_ping(struct cli *cli)
{
    int64_t count = cli->options.count > 0 ? cli->options.count : 1;
    enum cli_exit code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    for (int64_t i = 0; i < count; i++) {
        struct sample sample = {0};
        struct cl_answer answer;
        cl_arena_reset(cli->arena);
        struct cl_status status = ask_once(&sample, &answer, cli);
        if (cl_failed(status)) {
            return cli_refused(cli, status, &answer);
        }
        const Coloan__V1__Capabilities *capabilities = (const void *)answer.body;
        struct cl_spec_version common;
        if (cl_failed(cl_spec_choose(&common, cl_spec_ours(), capabilities->spec_version_min,
                                     capabilities->spec_version_max))) {
            return cli_fail(cli, CLI_FAILED, "bring this program or the centre up to date",
                            "the centre speaks versions %.11s to %.11s and we none of them",
                            capabilities->spec_version_min, capabilities->spec_version_max);
        }
        if (i == 0 && !cli->options.json) {
            view_row(cli, "centre", "中心", "%s (%s, %s)", capabilities->party, capabilities->environment,
                     cli->profile.fields.target);
            view_row(cli, "versions", "规范版本", "%s - %s", capabilities->spec_version_min,
                     capabilities->spec_version_max);
        }
        print_sample(cli, &sample);
    }
    return CLI_DONE;
}
