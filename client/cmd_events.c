/* `coloan events`: what was pushed to a bank, how its delivery stands, and what to do about it; for the bank and for the
 * centre's officers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/view.h"
#include "libcoloan/chain.h"

enum { PAGE_MAX = 100, EVENTS_MAX = 10 * 1000 * 1000 /* 320 MB of chain values */ };

static const char LIST_EVENTS[] = "coloan.v1.JointApproval/ListEvents";
static const char GET_EVENT[] = "coloan.v1.JointApproval/GetEvent";
static const char STEER_EVENTS[] = "coloan.v1.JointApproval/SteerEvents";

static enum cli_exit call(struct cl_answer *out, struct cli *cli, const char *method, const ProtobufCMessage *body,
                          const ProtobufCMessageDescriptor *reply_type)
{
    struct cl_session_call what = {.method = method, .body = body, .reply_type = reply_type};
    struct cl_status status = cl_session_call(out, cli->session, cli->arena, &what, cli_patience(cli));
    return cl_is_ok(status) ? CLI_DONE : cli_refused(cli, status, out);
}

/* The wire's texts are never NULL. */
static char *text_of(const struct cli *cli, const char *text)
{
    return cl_arena_text(cli->arena, text == NULL ? "" : text);
}

/* -- Printing ------------------------------------------------------------------------------------------------- */

static void print_line(const struct cli *cli, const Coloan__V1__EventState *event)
{
    char time[VIEW_TEXT_BYTES_MAX];
    view_time(time, event->made_ms);
    (void)fprintf(cli->out, "%8" PRIu64 "  %s  %s  ", event->sequence, time, event->application_id);
    view_padded(cli, view_term(cli, &coloan__v1__event_kind__descriptor, (int)event->kind), 18);
    view_padded(cli, view_term(cli, &coloan__v1__delivery_state__descriptor, (int)event->state), 10);
    (void)fprintf(cli->out, " %s%s%s\n", event->asked_again ? cli_word(cli, "asked again ", "要求重发 ") : "",
                  event->reason, event->bank_reference);
}

static enum cli_exit print_list(const struct cli *cli, const Coloan__V1__EventList *list)
{
    for (size_t i = 0; i < list->n_events; i++) {
        if (cli->options.json) {
            enum cli_exit code = cli_print_json(cli, &list->events[i]->base);
            if (code != CLI_DONE) {
                return code;
            }
            continue;
        }
        print_line(cli, list->events[i]);
    }
    return CLI_DONE;
}

static void print_time_row(const struct cli *cli, const char *english, const char *chinese, int64_t unix_ms)
{
    char time[VIEW_TEXT_BYTES_MAX];
    if (unix_ms != 0) {
        view_time(time, unix_ms);
        view_row(cli, english, chinese, "%s", time);
    }
}

static void print_event(const struct cli *cli, const Coloan__V1__EventView *view)
{
    const Coloan__V1__EventState *event = view->event;
    char digest[2 * CL_DIGEST_BYTES + 1] = "";
    char time[VIEW_TEXT_BYTES_MAX];
    if (event->digest.len == CL_DIGEST_BYTES) {
        cl_hex_encode(digest, cl_bytes(event->digest.data, event->digest.len));
    }
    view_row(cli, "event", "事件", "%" PRIu64 " %s", event->sequence,
             view_term(cli, &coloan__v1__event_kind__descriptor, (int)event->kind));
    view_row(cli, "to", "接收方", "%s", view->recipient);
    view_row(cli, "application", "申请编号", "%s", event->application_id);
    view_row(cli, "digest", "摘要", "%s", digest);
    view_row(cli, "delivery", "送达状态", "%s%s%s", cli_colour(cli, CLI_BOLD),
             view_term(cli, &coloan__v1__delivery_state__descriptor, (int)event->state), cli_colour(cli, CLI_PLAIN));
    print_time_row(cli, "made", "生成", event->made_ms);
    print_time_row(cli, "received", "接收", event->received_ms);
    print_time_row(cli, "applied", "入账", event->applied_ms);
    if (event->bank_reference[0] != '\0') {
        view_row(cli, "bank's number", "银行编号", "%s", event->bank_reference);
    }
    if (event->tries != 0) {
        view_row(cli, "failed tries", "失败次数", "%u", event->tries);
    }
    if (event->cause != 0) {
        view_row(cli, "why", "原因", "%s %s",
                 view_term(cli, &coloan__v1__delivery_cause__descriptor, (int)event->cause), event->reason);
    }
    print_time_row(cli, "next try", "下次重试", event->next_ms);
    view_heading(cli, "what was done", "处理记录");
    for (size_t i = 0; i < view->n_notes; i++) {
        const Coloan__V1__DeliveryNote *note = view->notes[i];
        view_time(time, note->at_ms);
        (void)fprintf(cli->out, "  %s  ", time);
        view_padded(cli, view_term(cli, &coloan__v1__delivery_step__descriptor, (int)note->step), 14);
        (void)fprintf(cli->out, " %-28s %s\n", note->by, note->note);
    }
}

/* -- Commands ------------------------------------------------------------------------------------------------- */

static enum cli_exit list_events(struct cli *cli)
{
    Coloan__V1__EventListQuery query = COLOAN__V1__EVENT_LIST_QUERY__INIT;
    int64_t left = cli->options.count > 0 ? cli->options.count : PAGE_MAX;
    enum cli_exit code = CLI_DONE;
    query.recipient = text_of(cli, cli->options.bank);
    query.after = (uint64_t)cli->options.after;
    query.pending = cli->options.pending;
    while (code == CLI_DONE && left > 0) {
        struct cl_answer answer;
        query.limit = left < PAGE_MAX ? (uint32_t)left : PAGE_MAX;
        code = call(&answer, cli, LIST_EVENTS, &query.base, &coloan__v1__event_list__descriptor);
        if (code != CLI_DONE) {
            return code;
        }
        const Coloan__V1__EventList *list = (const Coloan__V1__EventList *)(const void *)answer.body;
        code = print_list(cli, list);
        left = list->n_events == 0 ? 0 : left - (int64_t)list->n_events;
        query.after = list->n_events == 0 ? 0 : list->events[list->n_events - 1]->sequence;
    }
    return code;
}

/* The argument's number; 0 when it is none. */
static uint64_t read_sequence(const char *text)
{
    char *end = NULL;
    unsigned long long number = strtoull(text, &end, 10);
    return end == text || *end != '\0' || text[0] == '-' ? 0 : (uint64_t)number;
}

static enum cli_exit keep(const struct cli *cli, const Coloan__V1__EventState *event)
{
    if (cli->options.keep == NULL) {
        return CLI_DONE;
    }
    if (event->envelope.len == 0) {
        return cli_fail(cli, CLI_USAGE, "the bank itself can keep it", "--keep: the envelope is not shown to officers");
    }
    struct cl_status status =
        client_file_write(cli->options.keep, cl_bytes(event->envelope.data, event->envelope.len), 0600, true);
    return cl_is_ok(status) ? CLI_DONE : cli_fail(cli, CLI_FAILED, NULL, "%s cannot be written", cli->options.keep);
}

static enum cli_exit show_event(struct cli *cli)
{
    Coloan__V1__EventQuery query = COLOAN__V1__EVENT_QUERY__INIT;
    struct cl_answer answer;
    query.recipient = text_of(cli, cli->options.bank);
    query.sequence = read_sequence(cli->arguments[1]);
    enum cli_exit code = call(&answer, cli, GET_EVENT, &query.base, &coloan__v1__event_view__descriptor);
    if (code != CLI_DONE) {
        return code;
    }
    const Coloan__V1__EventView *view = (const Coloan__V1__EventView *)(const void *)answer.body;
    if (cli->options.json) {
        code = cli_print_json(cli, &view->base);
    } else {
        print_event(cli, view);
    }
    return code == CLI_DONE ? keep(cli, view->event) : code;
}

static enum cli_exit steer(struct cli *cli, Coloan__V1__SteeringAction action)
{
    Coloan__V1__EventSteering body = COLOAN__V1__EVENT_STEERING__INIT;
    struct cl_answer answer;
    body.recipient = text_of(cli, cli->options.bank);
    body.action = action;
    body.from = read_sequence(cli->arguments[1]);
    body.to = cli->argument_count > 2 ? read_sequence(cli->arguments[2]) : body.from;
    body.note = text_of(cli, cli->options.reason == NULL ? "by hand" : cli->options.reason);
    enum cli_exit code = call(&answer, cli, STEER_EVENTS, &body.base, &coloan__v1__event_list__descriptor);
    return code == CLI_DONE ? print_list(cli, (const Coloan__V1__EventList *)(const void *)answer.body) : code;
}

static enum cli_exit park(struct cli *cli)
{
    return steer(cli, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_PARK);
}

static enum cli_exit unpark(struct cli *cli)
{
    return steer(cli, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_UNPARK);
}

static enum cli_exit replay(struct cli *cli)
{
    return steer(cli, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY);
}

/* -- Reconciling ---------------------------------------------------------------------------------------------- */

struct chain {
    struct cl_digest *values; /* values[n]: up to event n */
    uint64_t count;
    size_t room;
};

static struct cl_status chain_at(void *user, uint64_t sequence, struct cl_digest *out)
{
    const struct chain *chain = user;
    if (sequence == 0 || sequence > chain->count) {
        return cl_fail(CL_SEQUENCE_WRONG);
    }
    *out = chain->values[sequence];
    return cl_ok();
}

/* "SEQUENCE DIGEST", the sequences from 1 without a hole. */
static bool read_line(struct chain *chain, const char *line)
{
    unsigned long long sequence = 0;
    char hex[2 * CL_DIGEST_BYTES + 1];
    struct cl_digest event;
    if (sscanf(line, "%llu %64[0-9a-f]", &sequence, hex) != 2 || sequence != chain->count + 1 ||
        cl_failed(cl_hex_decode(event.bytes, sizeof event.bytes, hex))) {
        return false;
    }
    cl_chain_next(&chain->values[sequence], &chain->values[chain->count], sequence, &event);
    chain->count = sequence;
    return true;
}

/* For chain(0) and one event more than there are. */
static bool make_room(struct chain *chain)
{
    if (chain->count + 2 <= chain->room) {
        return true;
    }
    size_t room = chain->room == 0 ? 1024 : chain->room * 2;
    if (room > 2 * (size_t)EVENTS_MAX) {
        return false;
    }
    struct cl_digest *values = realloc(chain->values, room * sizeof values[0]);
    if (values == NULL) {
        return false;
    }
    memset(values, 0, sizeof values[0]); /* chain(0) */
    chain->values = values;
    chain->room = room;
    return true;
}

static enum cli_exit read_chain(struct chain *chain, const struct cli *cli, FILE *file)
{
    char line[128];
    while (fgets(line, sizeof line, file) != NULL) {
        if (!make_room(chain)) {
            return cli_fail(cli, CLI_FAILED, NULL, "there is no memory for so many events");
        }
        if (!read_line(chain, line)) {
            return cli_fail(cli, CLI_USAGE, "`coloan-bank --list-events` shows how it looks",
                            "line %" PRIu64 ": expected \"%" PRIu64 " DIGEST\", the digest as 64 hex digits",
                            chain->count + 1, chain->count + 1);
        }
    }
    return CLI_DONE;
}

static enum cli_exit load_chain(struct chain *chain, const struct cli *cli, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rbe");
    if (file == NULL) {
        return cli_fail(cli, CLI_USAGE, "check the path and who may read it", "%s cannot be read", path);
    }
    enum cli_exit code = read_chain(chain, cli, file);
    if (!standard) {
        (void)fclose(file);
    }
    return code;
}

static enum cli_exit tell(const struct cli *cli, const struct cl_reconciled *found, uint64_t held)
{
    if (cli->options.json) {
        (void)fprintf(cli->out,
                      "{\"equal\":%s,\"same\":%" PRIu64 ",\"held\":%" PRIu64 ",\"head\":%" PRIu64
                      ",\"exchanges\":%u}\n",
                      found->equal ? "true" : "false", found->same, held, found->head, found->exchanges);
        return found->equal ? CLI_DONE : CLI_FAILED;
    }
    view_row(cli, "both the same to", "双方一致至", "%" PRIu64, found->same);
    view_row(cli, "the bank holds", "银行持有", "%" PRIu64, held);
    view_row(cli, "the centre has", "中心已有", "%" PRIu64, found->head);
    view_row(cli, "exchanges", "往返次数", "%u", found->exchanges);
    if (found->equal) {
        return CLI_DONE;
    }
    uint64_t next = found->same + 1;
    if (next > held || next > found->head) {
        return cli_fail(cli, CLI_FAILED,
                        next > held ? "the bank resumes after what it holds; `coloan events replay` sends what it lost"
                                    : "was the centre restored from a backup? Compare the logs before anything is sent",
                        "event %" PRIu64 " is missing at the %s", next, next > held ? "bank" : "centre");
    }
    return cli_fail(cli, CLI_FAILED,
                    "`coloan events show` tells what the centre sent; compare it with what the bank keeps",
                    "event %" PRIu64 " is not the same on both sides", next);
}

static enum cli_exit reconcile(struct cli *cli)
{
    struct chain chain = {.values = NULL};
    struct cl_reconciled found;
    enum cli_exit code = load_chain(&chain, cli, cli->arguments[1]);
    if (code == CLI_DONE) {
        struct cl_events_held held = {.count = chain.count, .chain = chain_at, .user = &chain};
        struct cl_status status = cl_session_reconcile(&found, cli->session, cli->arena, &held);
        code = cl_is_ok(status) ? tell(cli, &found, chain.count) : cli_refused(cli, status, NULL);
    }
    free(chain.values);
    return code;
}

/* -- Which ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int arguments_min, arguments_max;
    enum cli_exit (*run)(struct cli *cli);
} actions[] = {
    {"list", 1, 1, list_events}, {"show", 2, 2, show_event}, {"park", 2, 3, park},
    {"unpark", 2, 3, unpark},    {"replay", 2, 3, replay},   {"reconcile", 2, 2, reconcile},
};

enum cli_exit cmd_events(struct cli *cli)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(cli->arguments[0], actions[i].name) != 0) {
            continue;
        }
        if (cli->argument_count < actions[i].arguments_min || cli->argument_count > actions[i].arguments_max) {
            break;
        }
        enum cli_exit code = cli_connect(cli);
        return code == CLI_DONE ? actions[i].run(cli) : code;
    }
    return cli_fail(cli, CLI_USAGE, "`coloan events --help` shows how",
                    "events takes list, show SEQUENCE, park, unpark or replay FIRST [LAST], or reconcile FILE");
}
