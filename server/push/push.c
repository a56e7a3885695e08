#include "server/push/push.h"

#include <assert.h>
#include <coloan/v1/push.pb-c.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcoloan/dsse.h"
#include "libcoloan/limits.h"
#include "libcoloan/log.h"
#include "libcoloan/refusal.h"
#include "server/cases/events.h"
#include "server/store/outbox.h"

enum {
    TICK_MS = 250,                     /* heartbeats and drains are this exact */
    EAGER_MS = 100,                    /* after its last event a stream whose queue is full is tried every RETRY_MS */
    RETRY_MS = 10,                     /* after a stream's queue was full */
    READ_MAX = 64,                     /* events read at a time */
    RECONNECT_MS = 1000,               /* told with Drain */
    ARENA_BYTES_MAX = 8 * 1024 * 1024, /* OUTBOX_READ_BYTES, unpacked to find what may be disclosed, and to spare */
};

struct push_stream {
    struct push_stream *next;
    struct push *push;
    struct cl_rpc_call *call;
    char party[CL_PARTY_BYTES_MAX + 1];
    struct cl_uuid session;
    struct cl_digest open_digest;
    uint64_t resume_after, epoch;

    /* Guarded by push->mutex. */
    uint64_t window; /* events that may be outstanding */
    bool over;       /* the call is */
    bool fenced;
    bool acknowledged; /* read the floor again */
    uint64_t head;     /* the highest sequence we were told of */

    /* The push thread's. */
    bool started, finished;
    uint64_t sent, floor;
    uint64_t known_head;                                    /* the highest sequence, told or read */
    int64_t opened_ms, heartbeat_ms, moved_ms, finished_ms; /* monotonic */
};

struct push {
    struct push_options options;
    struct sql *sql;
    struct cl_arena *arena;
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

static void finish(struct push_stream *stream, struct cl_status status)
{
    if (!stream->finished) {
        cl_rpc_finish(stream->call, status, cl_bytes(NULL, 0));
        stream->finished = true;
        stream->finished_ms = now_ms(stream->push);
    }
}

/* An outcome leaves behind what is queued. Whoever does not read that either would keep it in memory for ever. */
static void let_go(struct push *push, struct push_stream *stream)
{
    if (now_ms(push) - stream->finished_ms >= PUSH_STALLED_MS) {
        cl_rpc_cancel(stream->call);
    }
}

/* A frame that answers the Open. */
static void send_frame(struct push *push, struct push_stream *stream, const ProtobufCMessage *body)
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
    cl_arena_reset(push->arena);
    struct cl_status status = centre_seal(&sealed, push->arena, centre, &speech);
    if (cl_failed(status)) {
        finish(stream, status);
        return;
    }
    (void)cl_rpc_send(stream->call, sealed.envelope); /* one that does not fit any more is soon followed by another */
}

static void send_heartbeat(struct push *push, struct push_stream *stream, uint64_t head)
{
    Coloan__V1__Heartbeat body = COLOAN__V1__HEARTBEAT__INIT;
    body.head = head;
    body.received_floor = stream->floor;
    body.server_time_ms = cl_clock_unix_ms(push->options.cases->centre->clock);
    stream->heartbeat_ms = now_ms(push);
    send_frame(push, stream, &body.base);
}

static void drain(struct push *push, struct push_stream *stream)
{
    Coloan__V1__Drain body = COLOAN__V1__DRAIN__INIT;
    body.reconnect_after_ms = RECONNECT_MS;
    send_frame(push, stream, &body.base);
    finish(stream, cl_ok());
}

/* The event's bytes with its disclosures behind them. */
static struct cl_status with_disclosures(struct cl_bytes *out, struct push *push, const struct push_stream *stream,
                                         const struct outbox_row *row)
{
    *out = row->envelope;
    if (row->kind != COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION) {
        return cl_ok();
    }
    struct case_outgoing event = {.recipient = stream->party,
                                  .application_id = row->application_id,
                                  .digest = &row->digest,
                                  .envelope = row->envelope};
    struct case_disclosures disclosures;
    struct cl_status status = case_event_disclosures(&disclosures, push->arena, push->sql, push->options.cases, &event,
                                                     cl_clock_unix_ms(push->options.cases->centre->clock));
    if (cl_failed(status) || disclosures.count == 0) {
        return status;
    }
    return case_with_disclosures(out, push->arena, row->envelope, &disclosures);
}

/* False when the stream takes no more for now, or is over. */
static bool send_event(struct push *push, struct push_stream *stream, const struct outbox_row *row)
{
    struct cl_bytes bytes;
    struct cl_status status = with_disclosures(&bytes, push, stream, row);
    if (cl_failed(status)) {
        finish(stream, status);
        return false;
    }
    enum cl_rpc_sent sent = cl_rpc_send(stream->call, bytes);
    if (sent != CL_RPC_QUEUED) {
        return false;
    }
    assert(row->sequence == stream->sent + 1);
    stream->sent = row->sequence;
    stream->moved_ms = now_ms(push);
    (void)pthread_mutex_lock(&push->mutex);
    push->counters.events_sent++;
    (void)pthread_mutex_unlock(&push->mutex);
    return true;
}

/* Sends up to `room` events; returns true when it could go on. */
static bool send_events(struct push *push, struct push_stream *stream, uint64_t room)
{
    cl_arena_reset(push->arena);
    struct outbox_rows rows;
    struct cl_status status =
        outbox_read(&rows, push->sql, push->arena, stream->party, stream->sent, room < READ_MAX ? room : READ_MAX, 0);
    if (cl_failed(status)) {
        finish(stream, status);
        return false;
    }
    for (size_t i = 0; i < rows.count; i++) {
        if (!send_event(push, stream, &rows.rows[i])) {
            return false;
        }
    }
    return rows.count > 0;
}

/* -- One stream ---------------------------------------------------------------------------------------------- */

/* What other threads told about a stream, taken at once. */
struct view {
    uint64_t window, head;
    bool fenced, acknowledged, stopping;
};

static bool look(struct view *out, struct push *push, struct push_stream *stream)
{
    (void)pthread_mutex_lock(&push->mutex);
    bool over = stream->over;
    *out = (struct view){.window = stream->window,
                         .head = stream->head,
                         .fenced = stream->fenced,
                         .acknowledged = stream->acknowledged,
                         .stopping = push->stopping};
    stream->acknowledged = false;
    (void)pthread_mutex_unlock(&push->mutex);
    return !over;
}

static bool read_state(struct push *push, struct push_stream *stream, uint64_t *head_out)
{
    struct outbox_state state;
    struct cl_status status = outbox_state(&state, push->sql, stream->party);
    if (cl_failed(status)) {
        finish(stream, status);
        return false;
    }
    if (state.received_floor > stream->floor) {
        stream->floor = state.received_floor;
    }
    *head_out = state.head > *head_out ? state.head : *head_out;
    return true;
}

static void start(struct push *push, struct push_stream *stream, uint64_t *head)
{
    if (!read_state(push, stream, head)) {
        return;
    }
    if (stream->resume_after > *head) {
        finish(stream, cl_fail(CL_SEQUENCE_WRONG));
        return;
    }
    stream->sent = stream->resume_after;
    stream->opened_ms = now_ms(push);
    stream->moved_ms = stream->opened_ms;
    stream->started = true;
    send_heartbeat(push, stream, *head);
    cl_log(CL_LOG_INFO, "push.opened", cl_log_text("party", stream->party),
           cl_log_number("resume_after", (int64_t)stream->resume_after), cl_log_number("head", (int64_t)*head));
}

/* What the bank says it has durably is not outstanding, whether its acknowledgements came or not; the heartbeat tells
 * which did, so that it can send the others again. */
static uint64_t count_outstanding(const struct push_stream *stream)
{
    uint64_t durable = stream->floor > stream->resume_after ? stream->floor : stream->resume_after;
    return stream->sent > durable ? stream->sent - durable : 0;
}

/* True when it wants to go on soon: its queue was full. */
static bool send_outstanding(struct push *push, struct push_stream *stream, const struct view *view)
{
    while (!stream->finished && stream->sent < view->head) {
        uint64_t outstanding = count_outstanding(stream);
        if (outstanding >= view->window) {
            stream->moved_ms = now_ms(push); /* the bank's own limit: it reads, but has not acknowledged */
            return false;
        }
        if (!send_events(push, stream, view->window - outstanding)) {
            return !stream->finished;
        }
    }
    stream->moved_ms = now_ms(push);
    return false;
}

/* Notices are for what happens while the stream is open; what was there before was read once. */
static void keep_head(struct push_stream *stream, struct view *view)
{
    if (view->head > stream->known_head) {
        stream->known_head = view->head;
    }
    view->head = stream->known_head;
}

static bool serve(struct push *push, struct push_stream *stream, struct view *view)
{
    if (stream->finished) {
        let_go(push, stream);
        return false;
    }
    if (view->fenced) {
        finish(stream, cl_fail(CL_STREAM_FENCED));
    }
    keep_head(stream, view);
    if (!stream->started && !stream->finished) {
        start(push, stream, &view->head);
    } else if (view->acknowledged && !stream->finished) {
        (void)read_state(push, stream, &view->head);
    }
    if (stream->finished) {
        return false;
    }
    keep_head(stream, view);
    if (view->stopping || now_ms(push) - stream->opened_ms >= PUSH_STREAM_MS) {
        drain(push, stream);
        return false;
    }
    bool soon = send_outstanding(push, stream, view);
    if (now_ms(push) - stream->heartbeat_ms >= PUSH_HEARTBEAT_MS && !stream->finished) {
        send_heartbeat(push, stream, view->head);
    }
    if (soon && now_ms(push) - stream->moved_ms >= PUSH_STALLED_MS) {
        finish(stream, cl_fail(CL_SLOW_READER));
        (void)pthread_mutex_lock(&push->mutex);
        push->counters.slow_readers++;
        (void)pthread_mutex_unlock(&push->mutex);
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
    free(stream);
}

static struct timespec after_ms(int64_t wait_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (wait_ms % 1000) * 1000000;
    until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

/* The first stream, after something happened or the time is up; `stop_out` when the thread has to end. */
static struct push_stream *wait(struct push *push, int64_t wait_ms, bool *stop_out)
{
    struct timespec until = after_ms(wait_ms);
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
    stream->session = opening->session;
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

static void tell(struct push *push, const char *party, uint64_t sequence, bool acknowledged)
{
    (void)pthread_mutex_lock(&push->mutex);
    for (struct push_stream *stream = push->streams; stream != NULL; stream = stream->next) {
        if (strcmp(stream->party, party) != 0) {
            continue;
        }
        stream->head = sequence > stream->head ? sequence : stream->head;
        stream->acknowledged = stream->acknowledged || acknowledged;
        wake(push);
    }
    (void)pthread_mutex_unlock(&push->mutex);
}

void push_notify(struct push *push, const char *party, uint64_t sequence)
{
    tell(push, party, sequence, false);
}

void push_acknowledged(struct push *push, const char *party)
{
    tell(push, party, 0, true);
}

void push_counters(struct push *push, struct push_counters *out)
{
    (void)pthread_mutex_lock(&push->mutex);
    *out = push->counters;
    (void)pthread_mutex_unlock(&push->mutex);
}
