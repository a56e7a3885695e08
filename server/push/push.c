#include "server/push/push.h"

#include <assert.h>
#include <coloan/v1/push.pb-c.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/clock.h"
#include "libcoloan/dsse.h"
#include "libcoloan/limits.h"
#include "libcoloan/log.h"
#include "libcoloan/refusal.h"
#include "server/cases/events.h"
#include "server/push/lane.h"
#include "server/store/outbox.h"

enum {
    TICK_MS = 250,                     /* heartbeats and drains are this exact */
    EAGER_MS = 100,                    /* after its last event a stream whose queue is full is tried every RETRY_MS */
    RETRY_MS = 10,                     /* after a stream's queue was full */
    RECONNECT_MS = 1000,               /* told with Drain */
    ARENA_BYTES_MAX = 8 * 1024 * 1024, /* OUTBOX_READ_BYTES, unpacked to find what may be disclosed, and to spare */
};

/* What was said of an event, on its way from the writer to the push thread. */
enum said { SAID_RECEIVED, SAID_REFUSED, SAID_IN_PROGRESS };

struct saying {
    uint64_t sequence;
    enum said said;
};

struct sayings {
    struct saying *list;
    size_t count, room;
};

/* A bank's lane outlives its streams; each stream begins it anew. The push thread's. */
struct line {
    struct line *next;
    struct lane lane;
};

struct push_stream {
    struct push_stream *next;
    struct push *push;
    struct cl_rpc_call *call;
    char party[CL_PARTY_BYTES_MAX + 1];
    struct cl_digest open_digest;
    uint64_t resume_after, epoch;

    /* Guarded by push->mutex. */
    uint32_t window; /* events that may be outstanding */
    bool over;       /* the call is */
    bool fenced;
    bool look;              /* something about its events was changed by somebody */
    uint64_t number;        /* in the order of the party's streams; 0: not known yet */
    uint64_t head;          /* the highest sequence we were told of */
    struct sayings sayings; /* that the push thread has not seen */

    /* The push thread's. */
    struct lane *lane; /* NULL: not started */
    bool finished;
    uint32_t credited;                                      /* of `window`, what the lane has */
    uint64_t known_head;                                    /* the highest sequence, told or read */
    int64_t opened_ms, heartbeat_ms, moved_ms, finished_ms; /* monotonic */
};

struct push {
    struct push_options options;
    struct sql *sql;
    struct cl_arena *arena;
    struct line *lines; /* the push thread's */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct push_stream *streams; /* added under the mutex by anybody, removed by the push thread */
    bool woken, stopping, running;
    struct push_counters counters; /* under the mutex */
};

/* -- Sending ------------------------------------------------------------------------------------------------- */

static int64_t now_ms(const struct push *push)
{
    return cl_clock_monotonic_ms(push->options.cases->centre->clock);
}

static struct lane_now now(const struct push *push)
{
    return (struct lane_now){.unix_ms = cl_clock_unix_ms(push->options.cases->centre->clock),
                             .monotonic_ms = now_ms(push)};
}

static void finish(struct push_stream *stream, struct cl_status status)
{
    if (!stream->finished) {
        cl_rpc_finish(stream->call, status, cl_bytes(NULL, 0));
        stream->finished = true;
        stream->finished_ms = now_ms(stream->push);
    }
}

/* What failed for want of a database comes right by itself, at a later tick; all else ends the stream. */
static void fail(struct push_stream *stream, struct cl_status status)
{
    if (status.reason != CL_STORE_UNREACHABLE) {
        finish(stream, status);
    }
}

/* An outcome leaves behind what is queued. Whoever does not read that either would keep it in memory for ever. */
static void let_go(struct push *push, struct push_stream *stream)
{
    if (now_ms(push) - stream->finished_ms >= PUSH_STALLED_MS) {
        cl_rpc_cancel(stream->call);
    }
}

/* A frame that answers the Open. False when it does not fit any more or could not be made; then the stream may be over. */
static bool send_frame(struct push *push, struct push_stream *stream, const ProtobufCMessage *body)
{
    const struct centre *centre = push->options.cases->centre;
    struct centre_speech speech = {
        .direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY,
        .recipient = stream->party,
        .method = EVENT_METHOD,
        .in_reply_to = &stream->open_digest,
        .body = body,
        .now_ms = cl_clock_unix_ms(centre->clock),
    };
    struct centre_sealed sealed;
    struct cl_status status = centre_seal(&sealed, push->arena, centre, &speech);
    if (cl_failed(status)) {
        finish(stream, status);
        return false;
    }
    return cl_rpc_send(stream->call, sealed.envelope) == CL_RPC_QUEUED;
}

static void send_heartbeat(struct push *push, struct push_stream *stream)
{
    struct outbox_state state;
    struct cl_status status = outbox_state(&state, push->sql, stream->party);
    if (cl_failed(status)) {
        fail(stream, status);
        return;
    }
    Coloan__V1__Heartbeat body = COLOAN__V1__HEARTBEAT__INIT;
    body.head = state.head;
    body.received_floor = state.received_floor;
    body.server_time_ms = cl_clock_unix_ms(push->options.cases->centre->clock);
    stream->heartbeat_ms = now_ms(push);
    cl_arena_reset(push->arena);
    (void)send_frame(push, stream, &body.base); /* one that does not fit any more is soon followed by another */
}

static void drain(struct push *push, struct push_stream *stream)
{
    Coloan__V1__Drain body = COLOAN__V1__DRAIN__INIT;
    body.reconnect_after_ms = RECONNECT_MS;
    cl_arena_reset(push->arena);
    (void)send_frame(push, stream, &body.base);
    finish(stream, cl_ok());
}

/* In the place of an event that cannot be put together, now or ever: the bank asks for the case, and goes on. */
static bool send_gap(struct push *push, struct push_stream *stream, uint64_t sequence, struct cl_status why)
{
    Coloan__V1__Gap body = COLOAN__V1__GAP__INIT;
    body.from = sequence;
    body.to = sequence;
    cl_log(CL_LOG_ERROR, "push.event_lost", cl_log_text("party", stream->party),
           cl_log_number("sequence", (int64_t)sequence), cl_log_text("reason", cl_status_name(why)));
    return send_frame(push, stream, &body.base);
}

static bool send_held(struct push *push, struct push_stream *stream, const struct lane_item *item)
{
    Coloan__V1__Held body = COLOAN__V1__HELD__INIT;
    body.from = item->from;
    body.to = item->to;
    return send_frame(push, stream, &body.base);
}

/* A failure that another try may not have. */
static bool may_pass(struct cl_status status)
{
    return status.reason == CL_STORE_FAILED || status.reason == CL_STORE_UNREACHABLE ||
           status.reason == CL_MEMORY_LIMIT;
}

/* False when the stream takes no more for now, or is over. */
static bool send_event(struct push *push, struct push_stream *stream, const struct lane_item *item)
{
    struct cl_bytes bytes;
    struct cl_status status = case_event_bytes(&bytes, push->arena, push->sql, push->options.cases, &item->event,
                                               cl_clock_unix_ms(push->options.cases->centre->clock));
    if (cl_failed(status) && may_pass(status)) {
        fail(stream, status);
        return false;
    }
    if (cl_failed(status)) {
        return item->again || send_gap(push, stream, item->event.sequence, status);
    }
    if (cl_rpc_send(stream->call, bytes) != CL_RPC_QUEUED) {
        return false;
    }
    (void)pthread_mutex_lock(&push->mutex);
    push->counters.events_sent++;
    (void)pthread_mutex_unlock(&push->mutex);
    return true;
}

static bool send_item(struct push *push, struct push_stream *stream, const struct lane_item *item)
{
    bool sent = item->kind == LANE_HELD ? send_held(push, stream, item) : send_event(push, stream, item);
    if (!sent) {
        return false;
    }
    stream->moved_ms = now_ms(push);
    struct cl_status status = lane_sent(stream->lane, item, now(push));
    if (cl_failed(status)) {
        finish(stream, status);
    }
    return cl_is_ok(status);
}

/* `more_out`: there was something, all of it went, and there may be more. False when the queue is full. */
static bool send_some(struct push *push, struct push_stream *stream, bool *more_out)
{
    struct lane_items items;
    *more_out = false;
    cl_arena_reset(push->arena);
    struct cl_status status = lane_next(&items, stream->lane, push->sql, push->arena, stream->known_head, now(push));
    if (cl_failed(status)) {
        fail(stream, status);
        return true;
    }
    for (size_t i = 0; i < items.count; i++) {
        if (!send_item(push, stream, &items.items[i])) {
            return stream->finished;
        }
    }
    *more_out = items.count > 0;
    return true;
}

/* -- One stream ---------------------------------------------------------------------------------------------- */

/* What other threads told about a stream, taken at once. */
struct view {
    uint64_t head;
    uint32_t window;
    bool fenced, look, stopping;
    struct sayings sayings;
};

static bool look(struct view *out, struct push *push, struct push_stream *stream)
{
    (void)pthread_mutex_lock(&push->mutex);
    bool over = stream->over;
    *out = (struct view){.window = stream->window,
                         .head = stream->head,
                         .fenced = stream->fenced,
                         .look = stream->look,
                         .stopping = push->stopping,
                         .sayings = stream->sayings};
    stream->look = false;
    stream->sayings = (struct sayings){NULL, 0, 0};
    (void)pthread_mutex_unlock(&push->mutex);
    return !over;
}

/* The party's lane, which is made with its first stream. NULL: no memory. */
static struct lane *lane_of(struct push *push, const char *party)
{
    for (struct line *line = push->lines; line != NULL; line = line->next) {
        if (strcmp(line->lane.party, party) == 0) {
            return &line->lane;
        }
    }
    struct line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return NULL;
    }
    lane_init(&line->lane, party);
    line->next = push->lines;
    push->lines = line;
    return &line->lane;
}

/* A stream that is not fenced is its party's only one, so the lane is its own. */
static void start(struct push *push, struct push_stream *stream)
{
    struct outbox_state state;
    struct lane *lane = lane_of(push, stream->party);
    struct cl_status status = lane == NULL ? cl_fail(CL_MEMORY_LIMIT) : outbox_state(&state, push->sql, stream->party);
    if (cl_is_ok(status) && stream->resume_after > state.head) {
        status = cl_fail(CL_SEQUENCE_WRONG);
    }
    if (cl_failed(status)) {
        fail(stream, status);
        return;
    }
    lane_resume(lane, stream->resume_after, stream->credited);
    stream->lane = lane;
    stream->known_head = state.head > stream->known_head ? state.head : stream->known_head;
    stream->opened_ms = now_ms(push);
    stream->moved_ms = stream->opened_ms;
    send_heartbeat(push, stream);
    cl_log(CL_LOG_INFO, "push.opened", cl_log_text("party", stream->party),
           cl_log_number("resume_after", (int64_t)stream->resume_after), cl_log_number("head", (int64_t)state.head));
}

/* There may be events that another node wrote. */
static void read_head(struct push *push, struct push_stream *stream)
{
    struct outbox_state state;
    struct cl_status status = outbox_state(&state, push->sql, stream->party);
    if (cl_is_ok(status)) {
        stream->known_head = state.head > stream->known_head ? state.head : stream->known_head;
        return;
    }
    fail(stream, status);
    (void)pthread_mutex_lock(&push->mutex);
    stream->look = true;
    (void)pthread_mutex_unlock(&push->mutex);
}

/* Tells the lane what was said meanwhile. */
static void listen(struct push *push, struct push_stream *stream, const struct view *view)
{
    for (size_t i = 0; i < view->sayings.count; i++) {
        const struct saying *saying = &view->sayings.list[i];
        if (saying->said == SAID_RECEIVED) {
            lane_received(stream->lane, saying->sequence);
        } else if (saying->said == SAID_REFUSED) {
            lane_refused(stream->lane, saying->sequence);
        } else {
            lane_in_progress(stream->lane, saying->sequence, now(push));
        }
    }
    if (view->look) {
        lane_look(stream->lane);
        read_head(push, stream);
    }
    lane_credit(stream->lane, view->window - stream->credited);
    stream->credited = view->window;
}

/* True when it wants to go on soon: its queue was full. */
static bool send_all(struct push *push, struct push_stream *stream)
{
    for (bool more = true; more && !stream->finished;) {
        if (!send_some(push, stream, &more)) {
            return true;
        }
    }
    stream->moved_ms = now_ms(push); /* the bank's own limit, or all is sent: it reads */
    return false;
}

static void cut_off(struct push *push, struct push_stream *stream)
{
    finish(stream, cl_fail(CL_SLOW_READER));
    (void)pthread_mutex_lock(&push->mutex);
    push->counters.slow_readers++;
    (void)pthread_mutex_unlock(&push->mutex);
}

/* Notices are for what happens while the stream is open; what was there before was read once. */
static bool serve(struct push *push, struct push_stream *stream, const struct view *view)
{
    if (stream->finished) {
        let_go(push, stream);
        return false;
    }
    if (view->fenced) {
        finish(stream, cl_fail(CL_STREAM_FENCED));
        return false;
    }
    stream->known_head = view->head > stream->known_head ? view->head : stream->known_head;
    if (stream->lane == NULL) {
        stream->credited = view->window;
        start(push, stream);
    }
    if (stream->finished) {
        return false;
    }
    bool started = stream->lane != NULL;
    if (view->stopping || (started && now_ms(push) - stream->opened_ms >= PUSH_STREAM_MS)) {
        drain(push, stream);
        return false;
    }
    if (!started) {
        return false; /* for want of a database: at a later tick */
    }
    listen(push, stream, view);
    bool soon = send_all(push, stream);
    if (now_ms(push) - stream->heartbeat_ms >= PUSH_HEARTBEAT_MS && !stream->finished) {
        send_heartbeat(push, stream);
    }
    if (soon && now_ms(push) - stream->moved_ms >= PUSH_STALLED_MS) {
        cut_off(push, stream);
    }
    /* One that took nothing for a while is tried at each tick: reading its events again and again would cost the others. */
    return soon && now_ms(push) - stream->moved_ms < EAGER_MS;
}

/* -- The thread ---------------------------------------------------------------------------------------------- */

static void remove_stream(struct push *push, struct push_stream *stream)
{
    (void)pthread_mutex_lock(&push->mutex);
    struct push_stream **place = &push->streams;
    while (*place != stream) {
        place = &(*place)->next;
    }
    *place = stream->next;
    push->counters.streams--;
    (void)pthread_mutex_unlock(&push->mutex);
    cl_rpc_call_unref(stream->call);
    free(stream->sayings.list);
    free(stream);
}

/* The first stream, after something happened or the time is up; `stop_out` when the thread has to end. */
static struct push_stream *wait(struct push *push, int64_t wait_ms, bool *stop_out)
{
    struct timespec until = cl_monotonic_after(wait_ms);
    int waited = 0;
    (void)pthread_mutex_lock(&push->mutex);
    while (!push->woken && !push->stopping && waited == 0) {
        waited = pthread_cond_timedwait(&push->changed, &push->mutex, &until);
    }
    push->woken = false;
    *stop_out = push->stopping;
    struct push_stream *first = push->streams;
    (void)pthread_mutex_unlock(&push->mutex);
    return first;
}

static bool serve_all(struct push *push, struct push_stream *stream)
{
    bool soon = false;
    while (stream != NULL) {
        (void)pthread_mutex_lock(&push->mutex);
        struct push_stream *next = stream->next; /* new ones are put in front */
        (void)pthread_mutex_unlock(&push->mutex);
        struct view view;
        if (look(&view, push, stream)) {
            soon = serve(push, stream, &view) || soon;
        } else {
            remove_stream(push, stream);
        }
        free(view.sayings.list);
        stream = next;
    }
    return soon;
}

static void *run(void *argument)
{
    struct push *push = argument;
    bool soon = false;
    for (bool stop = false; !stop;) {
        struct push_stream *first = wait(push, soon ? RETRY_MS : TICK_MS, &stop);
        soon = serve_all(push, first);
    }
    return NULL;
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

static struct cl_status start_thread(struct push *push)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&push->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&push->mutex, NULL);
    push->running = pthread_create(&push->thread, NULL, run, push) == 0;
    if (!push->running) {
        return cl_fail(CL_SYSTEM);
    }
    (void)pthread_setname_np(push->thread, "push");
    return cl_ok();
}

struct cl_status push_create(struct push **out, const struct push_options *options)
{
    struct push *push = calloc(1, sizeof *push);
    if (push == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    push->options = *options;
    struct cl_status status = cl_arena_create(&push->arena, ARENA_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = store_reader_open(&push->sql, options->store);
    }
    if (cl_is_ok(status)) {
        status = start_thread(push);
    }
    if (cl_failed(status)) {
        sql_close(push->sql);
        cl_arena_free(push->arena);
        free(push);
        return status;
    }
    *out = push;
    return cl_ok();
}

void push_stop(struct push *push)
{
    (void)pthread_mutex_lock(&push->mutex);
    bool running = push->running;
    push->stopping = true;
    push->running = false;
    (void)pthread_cond_signal(&push->changed);
    (void)pthread_mutex_unlock(&push->mutex);
    if (running) {
        (void)pthread_join(push->thread, NULL);
    }
}

void push_free(struct push *push)
{
    if (push == NULL) {
        return;
    }
    push_stop(push);
    while (push->streams != NULL) {
        remove_stream(push, push->streams);
    }
    while (push->lines != NULL) {
        struct line *line = push->lines;
        push->lines = line->next;
        lane_close(&line->lane);
        free(line);
    }
    sql_close(push->sql);
    cl_arena_free(push->arena);
    (void)pthread_cond_destroy(&push->changed);
    (void)pthread_mutex_destroy(&push->mutex);
    free(push);
}

/* -- From other threads -------------------------------------------------------------------------------------- */

static void wake(struct push *push)
{
    push->woken = true;
    (void)pthread_cond_signal(&push->changed);
}

/* Fences what the new session replaces. False when a higher epoch is open. Mutex held. */
static bool take_over(struct push *push, const struct push_opening *opening)
{
    for (const struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        if (!stream->over && !stream->fenced && strcmp(stream->party, opening->party) == 0 &&
            stream->epoch > opening->epoch) {
            return false;
        }
    }
    for (struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        if (strcmp(stream->party, opening->party) == 0) {
            stream->fenced = true;
        }
    }
    return true;
}

struct cl_status push_open(struct push_stream **out, struct push *push, const struct push_opening *opening)
{
    struct push_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    stream->push = push;
    stream->open_digest = opening->digest;
    stream->resume_after = opening->resume_after;
    stream->epoch = opening->epoch;
    stream->window = opening->max_outstanding;
    memcpy(stream->party, opening->party, strlen(opening->party) + 1);
    (void)pthread_mutex_lock(&push->mutex);
    struct cl_status status = push->stopping              ? cl_fail(CL_SHUTTING_DOWN)
                              : !take_over(push, opening) ? cl_fail(CL_STREAM_FENCED)
                                                          : cl_ok();
    if (cl_is_ok(status)) {
        stream->call = cl_rpc_call_ref(opening->call);
        stream->next = push->streams;
        push->streams = stream;
        push->counters.streams++;
        wake(push);
    }
    (void)pthread_mutex_unlock(&push->mutex);
    if (cl_failed(status)) {
        free(stream);
        return status;
    }
    *out = stream;
    return cl_ok();
}

struct cl_status push_credit(struct push_stream *stream, uint32_t more)
{
    struct push *push = stream->push;
    (void)pthread_mutex_lock(&push->mutex);
    bool fits = more > 0 && stream->window + more <= PUSH_OUTSTANDING_MAX;
    if (fits) {
        stream->window += more;
        wake(push);
    }
    (void)pthread_mutex_unlock(&push->mutex);
    return fits ? cl_ok() : cl_fail(CL_FIELD_INVALID);
}

void push_end(struct push_stream *stream)
{
    struct push *push = stream->push;
    (void)pthread_mutex_lock(&push->mutex);
    stream->over = true;
    wake(push);
    (void)pthread_mutex_unlock(&push->mutex);
}

bool push_has_stream(struct push *push, const char *party)
{
    bool found = false;
    (void)pthread_mutex_lock(&push->mutex);
    for (const struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        found = found || (strcmp(stream->party, party) == 0 && !stream->over && !stream->fenced);
    }
    (void)pthread_mutex_unlock(&push->mutex);
    return found;
}

void push_notify(struct push *push, const char *party, uint64_t sequence)
{
    (void)pthread_mutex_lock(&push->mutex);
    for (struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        if (strcmp(stream->party, party) == 0) {
            stream->head = sequence > stream->head ? sequence : stream->head;
            wake(push);
        }
    }
    (void)pthread_mutex_unlock(&push->mutex);
}

void push_look(struct push *push, const char *party)
{
    (void)pthread_mutex_lock(&push->mutex);
    for (struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        if (party == NULL || strcmp(stream->party, party) == 0) {
            stream->look = true;
            wake(push);
        }
    }
    (void)pthread_mutex_unlock(&push->mutex);
}

void push_numbered(struct push *push, const char *party, const struct cl_digest *open, uint64_t number)
{
    (void)pthread_mutex_lock(&push->mutex);
    for (struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        if (strcmp(stream->party, party) == 0 && cl_digest_equal(&stream->open_digest, open)) {
            stream->number = number;
        }
    }
    (void)pthread_mutex_unlock(&push->mutex);
}

void push_fence(struct push *push, const char *party, uint64_t number)
{
    (void)pthread_mutex_lock(&push->mutex);
    for (struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        if (strcmp(stream->party, party) == 0 && stream->number != 0 && stream->number < number) {
            stream->fenced = true;
            wake(push);
        }
    }
    (void)pthread_mutex_unlock(&push->mutex);
}

static bool make_room(struct sayings *sayings)
{
    if (sayings->count < sayings->room) {
        return true;
    }
    size_t room = sayings->room == 0 ? 16 : sayings->room * 2;
    struct saying *list = realloc(sayings->list, room * sizeof list[0]);
    if (list == NULL) {
        return false;
    }
    sayings->list = list;
    sayings->room = room;
    return true;
}

/* Without memory it is not told: then a lease ends by itself. */
static void say(struct push *push, const char *party, struct saying saying)
{
    (void)pthread_mutex_lock(&push->mutex);
    for (struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        if (strcmp(stream->party, party) == 0 && !stream->over && !stream->fenced && make_room(&stream->sayings)) {
            stream->sayings.list[stream->sayings.count++] = saying;
            wake(push);
        }
    }
    (void)pthread_mutex_unlock(&push->mutex);
}

void push_received(struct push *push, const char *party, uint64_t sequence)
{
    say(push, party, (struct saying){.sequence = sequence, .said = SAID_RECEIVED});
}

void push_refused(struct push *push, const char *party, uint64_t sequence)
{
    say(push, party, (struct saying){.sequence = sequence, .said = SAID_REFUSED});
}

void push_in_progress(struct push_stream *stream, uint64_t sequence)
{
    say(stream->push, stream->party, (struct saying){.sequence = sequence, .said = SAID_IN_PROGRESS});
}

void push_counters(struct push *push, struct push_counters *out)
{
    (void)pthread_mutex_lock(&push->mutex);
    *out = push->counters;
    (void)pthread_mutex_unlock(&push->mutex);
}
