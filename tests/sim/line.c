#include "tests/sim/line.h"

#include <assert.h>
#include <coloan/v1/push.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/acknowledge.h"
#include "server/api/shared.h" /* the pipeline: a frame is opened as api/deliver does */
#include "server/push/lane.h"
#include "server/store/outbox.h"
#include "tests/sim/hub.h"
#include "tests/sim/lender.h"
#include "tests/sim/network.h"

enum {
    WINDOW_MAX = 6,
    NOTICE_MS_MAX = 3000, /* until a bank sees that its stream is over */
    ARENA_BYTES = 8 * 1024 * 1024,
};

#define DELIVER "/coloan.v1.JointApproval/Deliver"

/* One bank's stream, as the centre has it. */
struct stream {
    struct line *line;
    enum role role;
    bool open, pump_wanted;
    unsigned number;
    struct lane lane;       /* outlives the streams, not the process */
    int64_t down_ms, up_ms; /* when what was sent last arrives: nothing overtakes it */
};

struct line {
    struct sim *sim;
    struct cl_arena *arena;
    struct stream streams[ROLE_COUNT];
};

struct frame {
    unsigned stream;
    enum cl_reason over; /* of a notice */
    uint64_t from, to;   /* of what is held back */
    size_t len;
    uint8_t bytes[];
};

struct line *line_create(struct sim *sim)
{
    struct line *line = calloc(1, sizeof *line);
    assert(line != NULL);
    line->sim = sim;
    struct cl_status status = cl_arena_create(&line->arena, ARENA_BYTES);
    assert(cl_is_ok(status));
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        line->streams[i].line = line;
        line->streams[i].role = (enum role)i;
        lane_init(&line->streams[i].lane, base_party((enum role)i));
    }
    return line;
}

void line_free(struct line *line)
{
    if (line == NULL) {
        return;
    }
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        lane_close(&line->streams[i].lane);
    }
    cl_arena_free(line->arena);
    free(line);
}

static struct frame *make_frame(unsigned stream, struct cl_bytes bytes)
{
    struct frame *frame = malloc(sizeof *frame + bytes.len);
    assert(frame != NULL);
    *frame = (struct frame){.stream = stream, .len = bytes.len};
    if (bytes.len > 0) {
        memcpy(frame->bytes, bytes.data, bytes.len);
    }
    return frame;
}

/* After everything that was sent that way before. */
static void send_in_order(struct sim *sim, int64_t *last_ms, const struct agenda_item *item)
{
    int64_t at_ms = agenda_now_ms(sim->agenda) + network_delay_ms(sim);
    *last_ms = at_ms > *last_ms ? at_ms : *last_ms;
    agenda_add(sim->agenda, *last_ms - agenda_now_ms(sim->agenda), item);
}

static struct lane_now now_of(const struct line *line)
{
    return (struct lane_now){.unix_ms = hub_now_ms(line->sim->hub), .monotonic_ms = agenda_now_ms(line->sim->agenda)};
}

/* -- The end of a stream ------------------------------------------------------------------------------------- */

static void notice(void *who, void *load)
{
    struct stream *stream = who;
    struct frame *frame = load;
    lender_stream_over(stream->line->sim->lenders[stream->role], frame->stream, (struct cl_status){frame->over});
    free(frame);
}

static void tell_over(struct stream *stream, unsigned number, struct cl_status status)
{
    struct sim *sim = stream->line->sim;
    struct frame *frame = make_frame(number, cl_bytes(NULL, 0));
    frame->over = status.reason;
    agenda_add(sim->agenda, dice_between(&sim->dice, 1, NOTICE_MS_MAX),
               &(struct agenda_item){.run = notice, .drop = free, .who = stream, .load = frame});
}

static void end(struct stream *stream, struct cl_status status)
{
    if (stream->open) {
        sim_say(stream->line->sim, "stream %u of %s ends: %s", stream->number, base_party(stream->role),
                cl_status_name(status));
        stream->open = false;
        tell_over(stream, stream->number, status);
    }
}

void line_lost(struct sim *sim)
{
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        struct stream *stream = &sim->line->streams[i];
        stream->pump_wanted = false;
        end(stream, cl_fail(CL_PEER_UNREACHABLE));
        lane_close(&stream->lane);
        lane_init(&stream->lane, base_party((enum role)i));
    }
}

/* -- Down ---------------------------------------------------------------------------------------------------- */

static void event_arrives(void *who, void *load)
{
    struct stream *stream = who;
    struct frame *frame = load;
    lender_take_event(stream->line->sim->lenders[stream->role], frame->stream, cl_bytes(frame->bytes, frame->len));
    free(frame);
}

static void held_arrives(void *who, void *load)
{
    struct stream *stream = who;
    struct frame *frame = load;
    lender_take_held(stream->line->sim->lenders[stream->role], frame->stream, frame->from, frame->to);
    free(frame);
}

static void send_held(struct stream *stream, const struct lane_item *item)
{
    struct sim *sim = stream->line->sim;
    struct frame *frame = make_frame(stream->number, cl_bytes(NULL, 0));
    frame->from = item->from;
    frame->to = item->to;
    sim_say(sim, "events %llu to %llu of %s are held back", (unsigned long long)item->from,
            (unsigned long long)item->to, base_party(stream->role));
    send_in_order(sim, &stream->down_ms,
                  &(struct agenda_item){.run = held_arrives, .drop = free, .who = stream, .load = frame});
}

static struct cl_status send_event(struct stream *stream, const struct lane_item *item)
{
    struct sim *sim = stream->line->sim;
    struct cl_bytes bytes;
    struct cl_status status = case_event_bytes(&bytes, stream->line->arena, hub_reader(sim->hub), hub_cases(sim->hub),
                                               &item->event, hub_now_ms(sim->hub));
    if (cl_failed(status)) {
        return status;
    }
    sim_say(sim, "event %llu, kind %d, goes to %s%s", (unsigned long long)item->event.sequence, item->event.kind,
            base_party(stream->role), item->again ? " again" : "");
    send_in_order(sim, &stream->down_ms,
                  &(struct agenda_item){
                      .run = event_arrives, .drop = free, .who = stream, .load = make_frame(stream->number, bytes)});
    return cl_ok();
}

static struct cl_status send_item(struct stream *stream, const struct lane_item *item)
{
    struct sim *sim = stream->line->sim;
    struct cl_status status = cl_ok();
    if (item->kind == LANE_HELD) {
        send_held(stream, item);
    } else {
        status = send_event(stream, item);
    }
    if (cl_is_ok(status)) {
        status = lane_sent(&stream->lane, item, now_of(stream->line));
    }
    if (cl_is_ok(status) && sim_strikes(sim, sim->faults.hangup)) {
        end(stream, cl_fail(CL_PEER_UNREACHABLE));
    }
    return status;
}

/* `more_out`: there was something, and may be more. */
static struct cl_status send_some(bool *more_out, struct stream *stream)
{
    struct line *line = stream->line;
    struct sql *reader = hub_reader(line->sim->hub);
    struct outbox_state state;
    struct lane_items items = {.count = 0};
    cl_arena_reset(line->arena);
    struct cl_status status = outbox_state(&state, reader, base_party(stream->role));
    if (cl_is_ok(status)) {
        status = lane_next(&items, &stream->lane, reader, line->arena, state.head, now_of(line));
    }
    for (size_t i = 0; cl_is_ok(status) && i < items.count && stream->open; i++) {
        status = send_item(stream, &items.items[i]);
    }
    *more_out = items.count > 0;
    return status;
}

static void pump(void *who, void *load)
{
    struct stream *stream = who;
    (void)load;
    stream->pump_wanted = false;
    for (bool more = true; more && stream->open;) {
        struct cl_status status = send_some(&more, stream);
        if (cl_failed(status)) {
            end(stream, status);
        }
    }
}

static void want_pump(struct stream *stream)
{
    struct sim *sim = stream->line->sim;
    if (stream->open && !stream->pump_wanted) {
        stream->pump_wanted = true;
        agenda_add(sim->agenda, 1, &(struct agenda_item){.run = pump, .who = stream, .life = hub_life(sim->hub)});
    }
}

static struct stream *find(struct sim *sim, const char *party)
{
    int role = ROLE_ALPHA;
    while (role < ROLE_COUNT && strcmp(base_party((enum role)role), party) != 0) {
        role++;
    }
    assert(role < ROLE_COUNT);
    return &sim->line->streams[role];
}

void line_notify(struct sim *sim, const char *party)
{
    want_pump(find(sim, party));
}

void line_tell(struct sim *sim, const struct case_delivery *delivery)
{
    struct stream *stream = find(sim, delivery->recipient);
    if (delivery->said == CASE_RECEIVED) {
        lane_received(&stream->lane, delivery->sequence);
    } else if (delivery->said == CASE_REFUSED) {
        lane_refused(&stream->lane, delivery->sequence);
    } else {
        lane_look(&stream->lane);
    }
    want_pump(stream);
}

void line_tick(struct sim *sim)
{
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        want_pump(&sim->line->streams[i]);
    }
}

/* -- Up ------------------------------------------------------------------------------------------------------ */

static void open_stream(struct stream *stream, const struct line_opening *opening)
{
    struct sim *sim = stream->line->sim;
    struct outbox_state state;
    stream->open = true;
    stream->number = opening->stream;
    struct cl_status status = outbox_state(&state, hub_reader(sim->hub), base_party(stream->role));
    if (cl_failed(status)) {
        end(stream, status);
        return;
    }
    if (opening->resume_after > state.head) {
        sim_violated(sim, "%s has event %llu, the outbox ends with %llu", base_party(stream->role),
                     (unsigned long long)opening->resume_after, (unsigned long long)state.head);
    }
    lane_resume(&stream->lane, opening->resume_after, 1 + (uint32_t)dice_below(&sim->dice, WINDOW_MAX));
    want_pump(stream);
}

static void opening_arrives(void *who, void *load)
{
    struct stream *stream = who;
    struct line_opening *opening = load;
    if (hub_is_up(stream->line->sim->hub)) {
        open_stream(stream, opening);
    } else {
        tell_over(stream, opening->stream, cl_fail(CL_PEER_UNREACHABLE));
    }
    free(opening);
}

void line_open(struct sim *sim, enum role role, const struct line_opening *opening)
{
    struct stream *stream = &sim->line->streams[role];
    struct line_opening *copy = malloc(sizeof *copy);
    assert(copy != NULL);
    *copy = *opening;
    stream->open = false; /* the one before, if the centre has not noticed yet */
    send_in_order(sim, &stream->up_ms,
                  &(struct agenda_item){.run = opening_arrives, .drop = free, .who = stream, .load = copy});
}

static void acknowledged(void *user, const struct api_request *request, struct cl_status status, const char *field)
{
    struct stream *stream = user;
    (void)request;
    (void)field;
    if (!hub_is_mute(stream->line->sim->hub) && cl_failed(status)) {
        end(stream, status);
    }
}

static struct cl_status take_acknowledgement(struct stream *stream, struct cl_bytes message)
{
    struct api *api = hub_api(stream->line->sim->hub);
    char sender[CL_PARTY_BYTES_MAX + 1];
    struct api_request request;
    bool proven = false;
    struct cl_status status = api_identify(sender, &api->pipeline, base_party(stream->role));
    if (cl_failed(status)) {
        return status;
    }
    status = api_open(&request, &proven, &api->pipeline, api_method_find(DELIVER), sender, message);
    if (cl_is_ok(status)) {
        status = acknowledge_begin(api, &request, acknowledged, stream);
    }
    api_request_free(&request);
    return status;
}

static void acknowledgement_arrives(void *who, void *load)
{
    struct stream *stream = who;
    struct frame *frame = load;
    struct sim *sim = stream->line->sim;
    if (hub_is_up(sim->hub) && stream->open && stream->number == frame->stream) {
        struct cl_status status = take_acknowledgement(stream, cl_bytes(frame->bytes, frame->len));
        if (cl_failed(status)) {
            end(stream, status);
        }
        hub_wants_turn(sim->hub);
    }
    free(frame);
}

void line_acknowledge(struct sim *sim, enum role role, unsigned stream, struct cl_bytes message)
{
    struct stream *to = &sim->line->streams[role];
    unsigned times = sim_strikes(sim, sim->faults.duplicate) ? 2 : 1;
    for (unsigned i = 0; i < times; i++) {
        send_in_order(
            sim, &to->up_ms,
            &(struct agenda_item){
                .run = acknowledgement_arrives, .drop = free, .who = to, .load = make_frame(stream, message)});
    }
}
