/* The pump.
 *
 * One thread, level-triggered epoll, two sockets a connection. A socket is read once per event, up to 64 KiB, so that
 * no connection can starve another; all records in it are decrypted, counted and passed on at once, and the other way
 * all replies that core wrote meanwhile become one record and one segment. That gathering is why a hop more is faster.
 *
 * Back-pressure. What a socket does not take is kept, at most one such piece for each direction, and the other side is
 * not read until it is gone. Nothing is allocated while both sides keep up.
 *
 * Ends. The client's end (FIN or goodbye) becomes an end towards core, which answers what is open. Core's end becomes a
 * goodbye and a FIN, and the connection lingers until the client has ended too: closing with unread bytes in the socket
 * would send a reset that overtakes core's GOAWAY. A cut closes both at once.
 *
 * EPOLLOUT of the socketpair is asked for only while bytes wait: AF_UNIX reports it for each message its peer reads. */
#include "server/gate/pump.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcoloan/log.h"

enum {
    READ_BYTES_MAX = 64 * 1024,
    EVENTS_MAX = 128,       /* of one round; more come in the next */
    LOOK_EVERY_MS = 250,    /* at all connections: limits of time are kept this exactly */
    REVOKED_GRACE_MS = 500, /* in which a caller still learns why its calls are refused */
    FAREWELL_MS = 2000,
    FAREWELL_STOPPING_MS = 200,
    KEY_UPDATES_PER_S_MAX = 8, /* an honest session makes one in 2^24 records */
};

struct pump {
    struct room *room;
    int epoll_fd, wake_fd;
    pthread_t thread;
    bool running;
    atomic_bool stopping;
    atomic_bool marked; /* look at all connections now */
    _Atomic int64_t stop_deadline_ms;

    pthread_mutex_t mutex; /* guards `arrived` */
    struct connection *arrived;

    /* the thread's own */
    struct connection *open, *dead;
    int64_t now_ms, looked_ms;
    struct room_log log;
    uint8_t cipher_in[READ_BYTES_MAX];
    uint8_t plain[TLS_PLAIN_BYTES_MAX(READ_BYTES_MAX)];
    uint8_t cipher_out[TLS_CIPHER_BYTES_MAX(READ_BYTES_MAX)];
};

/* -- Ending --------------------------------------------------------------------------------------------------- */

/* From here on calls of this connection are nobody's. */
static void unpublish(struct pump *pump, struct connection *connection)
{
    if (connection->peer != NULL) {
        peers_close(pump->room->peers, connection->peer, pump->now_ms);
        connection->peer = NULL;
    }
}

/* Frees it when this round is over: later events of the round may still name it. */
static void destroy(struct pump *pump, struct connection *connection)
{
    if (connection->dead) {
        return;
    }
    unpublish(pump, connection);
    watched_close(&connection->client, pump->epoll_fd);
    watched_close(&connection->core, pump->epoll_fd);
    connection->dead = true;
    connection_unlink(&pump->open, connection);
    connection_link(&pump->dead, connection);
    room_uncount(&pump->room->counters.connections_now);
}

static void free_dead(struct pump *pump)
{
    while (pump->dead != NULL) {
        struct connection *connection = pump->dead;
        connection_unlink(&pump->dead, connection);
        connection_free(connection, pump->epoll_fd);
    }
}

static void cut(struct pump *pump, struct connection *connection, enum gate_cut why)
{
    if (!connection->dead) {
        room_count(&pump->room->counters.cuts[why], 1);
        destroy(pump, connection);
    }
}

/* The party is told to the operator: a partner whose program misbehaves wants a call, not only a counter. */
static void cut_for_frames(struct pump *pump, struct connection *connection, enum frames_verdict verdict)
{
    char party[CL_PARTY_BYTES_MAX + 1] = "";
    uint64_t number = connection->number;
    room_count(&pump->room->counters.frame_cuts[verdict], 1);
    peers_name(pump->room->peers, connection->peer, party);
    destroy(pump, connection);
    if (room_may_log(&pump->log, pump->now_ms)) {
        cl_log(CL_LOG_WARNING, "gate.cut", cl_log_text("party", party), cl_log_number("connection", (int64_t)number),
               cl_log_text("why", frames_verdict_name(verdict)));
    }
}

/* -- Watching ------------------------------------------------------------------------------------------------- */

static uint32_t client_events(const struct connection *connection)
{
    bool reads = !connection->client_ended && backlog_is_empty(&connection->to_core);
    return (reads ? (uint32_t)EPOLLIN : 0) | (backlog_is_empty(&connection->to_client) ? 0 : (uint32_t)EPOLLOUT);
}

static uint32_t core_events(const struct connection *connection)
{
    return (backlog_is_empty(&connection->to_client) ? (uint32_t)EPOLLIN : 0) |
           (backlog_is_empty(&connection->to_core) ? 0 : (uint32_t)EPOLLOUT);
}

static void watch(struct pump *pump, struct connection *connection)
{
    if (connection->dead) {
        return;
    }
    if (!watched_set(&connection->client, pump->epoll_fd, client_events(connection)) ||
        !watched_set(&connection->core, pump->epoll_fd, core_events(connection))) {
        cut(pump, connection, GATE_CUT_MEMORY); /* the only way for epoll to fail here */
    }
}

/* -- Towards the client --------------------------------------------------------------------------------------- */

static struct tls_io io_of(struct pump *pump, struct cl_bytes in)
{
    return (struct tls_io){.in = in, .out = pump->cipher_out, .out_max = sizeof pump->cipher_out};
}

static bool send_records(struct pump *pump, struct connection *connection, const struct tls_io *io)
{
    bool had_to_wait = !backlog_is_empty(&connection->to_client);
    if (!backlog_pass(&connection->to_client, connection->client.fd, cl_bytes(io->out, io->out_len))) {
        return false;
    }
    if (!had_to_wait) {
        connection->moved_ms = pump->now_ms;
    }
    room_count(&pump->room->counters.bytes_out, io->out_len);
    return true;
}

/* All that core wrote is with the kernel: goodbye. */
static void say_farewell(struct pump *pump, struct connection *connection)
{
    struct tls_io io = io_of(pump, cl_bytes(NULL, 0));
    tls_close(connection->tls, &io);
    bool sent = send_records(pump, connection, &io) && backlog_is_empty(&connection->to_client);
    if (!sent || connection->client_ended) {
        destroy(pump, connection);
        return;
    }
    connection->farewell = true;
    connection->deadline_ms = pump->now_ms + (atomic_load(&pump->stopping) ? FAREWELL_STOPPING_MS : FAREWELL_MS);
    (void)shutdown(connection->client.fd, SHUT_WR);
}

static void core_ended(struct pump *pump, struct connection *connection)
{
    unpublish(pump, connection);
    watched_close(&connection->core, pump->epoll_fd);
    backlog_free(&connection->to_core);
    if (backlog_is_empty(&connection->to_client)) {
        say_farewell(pump, connection);
    }
}

static void read_core(struct pump *pump, struct connection *connection)
{
    ssize_t len = recv(connection->core.fd, pump->plain, READ_BYTES_MAX, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) { /* also ECONNRESET: core closed with bytes of ours unread */
        core_ended(pump, connection);
        return;
    }
    frames_sent(&connection->frames, (size_t)len);
    struct tls_io io = io_of(pump, cl_bytes(NULL, 0));
    if (tls_encrypt(connection->tls, &io, cl_bytes(pump->plain, (size_t)len)) != TLS_DONE) {
        cut(pump, connection, GATE_CUT_TLS);
        return;
    }
    if (!send_records(pump, connection, &io)) {
        cut(pump, connection, GATE_CUT_LOST);
    }
}

static void write_client(struct pump *pump, struct connection *connection)
{
    size_t sent = 0;
    if (!backlog_send(&connection->to_client, connection->client.fd, &sent)) {
        cut(pump, connection, GATE_CUT_LOST);
        return;
    }
    connection->moved_ms = sent > 0 ? pump->now_ms : connection->moved_ms;
    if (backlog_is_empty(&connection->to_client) && connection->core.fd < 0) {
        say_farewell(pump, connection);
    }
}

/* -- Towards core --------------------------------------------------------------------------------------------- */

static void end_towards_core(struct connection *connection)
{
    if (connection->client_ended && connection->core.fd >= 0 && backlog_is_empty(&connection->to_core)) {
        (void)shutdown(connection->core.fd, SHUT_WR);
    }
}

/* `before`: how many there were before the records just read, which count for the second that may begin. */
static bool too_many_key_updates(struct pump *pump, struct connection *connection, uint32_t before)
{
    if (pump->now_ms - connection->second_ms >= 1000) {
        connection->second_ms = pump->now_ms;
        connection->key_updates_before = before;
    }
    return tls_key_updates(connection->tls) - connection->key_updates_before > KEY_UPDATES_PER_S_MAX;
}

static void pass_to_core(struct pump *pump, struct connection *connection, struct cl_bytes plain)
{
    if (connection->core.fd < 0) {
        return; /* it has ended; the client is only taking the rest */
    }
    enum frames_verdict verdict = frames_take(&connection->frames, plain, pump->now_ms);
    if (verdict != FRAMES_FINE) {
        cut_for_frames(pump, connection, verdict);
        return;
    }
    if (!backlog_pass(&connection->to_core, connection->core.fd, plain)) {
        backlog_free(&connection->to_core); /* core has closed; what it wrote before is still to be read */
    }
}

static void take_records(struct pump *pump, struct connection *connection, struct cl_bytes records)
{
    struct tls_io io = io_of(pump, records);
    size_t plain_len = 0;
    uint32_t updates = tls_key_updates(connection->tls);
    enum tls_step step = tls_decrypt(connection->tls, &io, pump->plain, &plain_len);
    room_count(&pump->room->counters.bytes_in, records.len);
    connection->heard_ms = pump->now_ms;
    bool sent = send_records(pump, connection, &io);
    if (step == TLS_BROKEN || !sent) {
        cut(pump, connection, step == TLS_BROKEN ? GATE_CUT_TLS : GATE_CUT_LOST);
        return;
    }
    if (tls_key_updates(connection->tls) != updates && too_many_key_updates(pump, connection, updates)) {
        cut(pump, connection, GATE_CUT_KEY_UPDATES);
        return;
    }
    pass_to_core(pump, connection, cl_bytes(pump->plain, plain_len));
    if (!connection->dead && step == TLS_CLOSED) {
        connection->client_ended = true;
        end_towards_core(connection);
    }
}

/* After our goodbye the client's words do not matter, only its end. */
static void hear_out(struct pump *pump, struct connection *connection)
{
    ssize_t len = recv(connection->client.fd, pump->cipher_in, sizeof pump->cipher_in, MSG_DONTWAIT);
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
        destroy(pump, connection);
    }
}

static void read_client(struct pump *pump, struct connection *connection)
{
    ssize_t len = recv(connection->client.fd, pump->cipher_in, sizeof pump->cipher_in, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len < 0) {
        cut(pump, connection, GATE_CUT_LOST);
        return;
    }
    if (len == 0) { /* without a goodbye of TLS: HTTP/2 frames know their own ends */
        connection->client_ended = true;
        end_towards_core(connection);
        return;
    }
    take_records(pump, connection, cl_bytes(pump->cipher_in, (size_t)len));
}

static void write_core(struct connection *connection)
{
    size_t sent = 0;
    if (!backlog_send(&connection->to_core, connection->core.fd, &sent)) {
        backlog_free(&connection->to_core);
    }
    end_towards_core(connection);
}

/* -- Events --------------------------------------------------------------------------------------------------- */

static void client_event(struct pump *pump, struct connection *connection, uint32_t events)
{
    if (connection->farewell) {
        hear_out(pump, connection);
        return;
    }
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) { /* reset: what it sent before is of no use to anybody */
        cut(pump, connection, GATE_CUT_LOST);
        return;
    }
    if ((events & EPOLLOUT) != 0 && !backlog_is_empty(&connection->to_client)) {
        write_client(pump, connection);
    }
    if ((events & EPOLLIN) != 0 && !connection->dead && (client_events(connection) & EPOLLIN) != 0) {
        read_client(pump, connection);
    }
}

static void core_event(struct pump *pump, struct connection *connection, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) { /* core closed and reads no more, but may have written */
        backlog_free(&connection->to_core);
    }
    if ((events & EPOLLOUT) != 0 && !backlog_is_empty(&connection->to_core)) {
        write_core(connection);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && backlog_is_empty(&connection->to_client)) {
        read_core(pump, connection);
    }
}

static void handle(struct pump *pump, const struct epoll_event *event)
{
    struct watched *watched = event->data.ptr;
    if (watched == NULL) { /* the wake-up; what woke us is looked at after each round */
        uint64_t count = 0;
        (void)!read(pump->wake_fd, &count, sizeof count);
        return;
    }
    struct connection *connection = watched->connection;
    if (connection->dead || watched->fd < 0) {
        return; /* ended earlier in this round */
    }
    if (watched == &connection->client) {
        client_event(pump, connection, event->events);
    } else {
        core_event(pump, connection, event->events);
    }
    watch(pump, connection);
}

/* -- Arrivals ------------------------------------------------------------------------------------------------- */

static void begin(struct pump *pump, struct connection *connection)
{
    connection->opened_ms = connection->heard_ms = connection->moved_ms = connection->second_ms = pump->now_ms;
    frames_init(&connection->frames, &pump->room->options.limits.frames, pump->now_ms);
    connection_link(&pump->open, connection);
    room_count(&pump->room->counters.connections_now, 1);
    struct backlog early = connection->to_core;
    connection->to_core = (struct backlog){.data = NULL};
    if (!backlog_is_empty(&early)) {
        take_records(pump, connection, cl_bytes(early.data, early.len));
        backlog_free(&early);
    }
    watch(pump, connection);
}

static void take_arrived(struct pump *pump)
{
    (void)pthread_mutex_lock(&pump->mutex);
    struct connection *arrived = pump->arrived;
    pump->arrived = NULL;
    (void)pthread_mutex_unlock(&pump->mutex);
    while (arrived != NULL) {
        struct connection *connection = arrived;
        arrived = connection->next;
        begin(pump, connection);
    }
}

static void wake(struct pump *pump)
{
    (void)eventfd_write(pump->wake_fd, 1); /* a full counter wakes as well */
}

void pump_take(struct pump *pump, struct connection *connection)
{
    (void)pthread_mutex_lock(&pump->mutex);
    connection->next = pump->arrived;
    pump->arrived = connection;
    (void)pthread_mutex_unlock(&pump->mutex);
    wake(pump);
}

void pump_look(struct pump *pump)
{
    atomic_store(&pump->marked, true);
    wake(pump);
}

/* -- Looking -------------------------------------------------------------------------------------------------- */

static bool look_at_peer(struct pump *pump, struct connection *connection)
{
    int64_t marked_ms = 0;
    enum peer_state state = peers_state(pump->room->peers, connection->peer, &marked_ms);
    if (state == PEER_DISCONNECTED) {
        cut(pump, connection, GATE_CUT_DISCONNECTED);
        return true;
    }
    if (state == PEER_REVOKED && pump->now_ms - marked_ms >= REVOKED_GRACE_MS) {
        cut(pump, connection, GATE_CUT_REVOKED);
        return true;
    }
    return false;
}

/* Limits of time that hold while the client has its turn: not while core holds it up. */
static void look_at_client(struct pump *pump, struct connection *connection)
{
    const struct gate_limits *limits = &pump->room->options.limits;
    if (connection->client_ended || !backlog_is_empty(&connection->to_core)) {
        return;
    }
    enum frames_verdict verdict = frames_look(&connection->frames, pump->now_ms);
    if (verdict != FRAMES_FINE) {
        cut_for_frames(pump, connection, verdict);
        return;
    }
    if (pump->now_ms - connection->heard_ms > limits->idle_ms_max) {
        cut(pump, connection, GATE_CUT_IDLE);
    }
}

static void look_at(struct pump *pump, struct connection *connection)
{
    const struct gate_limits *limits = &pump->room->options.limits;
    if (connection->farewell) {
        if (pump->now_ms > connection->deadline_ms) {
            destroy(pump, connection);
        }
        return;
    }
    if (connection->peer != NULL && look_at_peer(pump, connection)) {
        return;
    }
    if (!backlog_is_empty(&connection->to_client) && pump->now_ms - connection->moved_ms > limits->unread_ms_max) {
        cut(pump, connection, GATE_CUT_UNREAD);
        return;
    }
    if (pump->now_ms - connection->opened_ms > limits->age_ms_max) {
        cut(pump, connection, GATE_CUT_AGE);
        return;
    }
    if (connection->core.fd >= 0) {
        look_at_client(pump, connection);
    }
}

static void look_at_all(struct pump *pump)
{
    for (struct connection *connection = pump->open; connection != NULL;) {
        struct connection *next = connection->next;
        look_at(pump, connection);
        connection = next;
    }
    pump->looked_ms = pump->now_ms;
}

/* -- Stopping ------------------------------------------------------------------------------------------------- */

/* What is left to do: core ends, and bytes for clients. A farewell is cut short. */
static bool may_stop(struct pump *pump)
{
    bool late = pump->now_ms >= atomic_load(&pump->stop_deadline_ms);
    for (struct connection *connection = pump->open; connection != NULL;) {
        struct connection *next = connection->next;
        int64_t soon_ms = pump->now_ms + FAREWELL_STOPPING_MS;
        if (connection->farewell && connection->deadline_ms > soon_ms) {
            connection->deadline_ms = soon_ms;
        }
        if (late) {
            cut(pump, connection, GATE_CUT_STOPPED);
        }
        connection = next;
    }
    return pump->open == NULL;
}

/* -- Thread --------------------------------------------------------------------------------------------------- */

static int wait_ms(const struct pump *pump)
{
    if (atomic_load(&pump->stopping)) {
        return FAREWELL_STOPPING_MS / 4;
    }
    return pump->open == NULL ? -1 : LOOK_EVERY_MS;
}

static void *run(void *argument)
{
    struct pump *pump = argument;
    struct epoll_event events[EVENTS_MAX];
    unsigned gather = pump->room->options.gather_events;
    for (;;) {
        int count = epoll_wait(pump->epoll_fd, events, EVENTS_MAX, wait_ms(pump));
        if (gather > 0 && count >= 0 && (unsigned)count >= gather) {
            (void)sched_yield();
        }
        pump->now_ms = room_now_ms(pump->room);
        for (int i = 0; i < count; i++) {
            handle(pump, &events[i]);
        }
        take_arrived(pump);
        bool stopping = atomic_load(&pump->stopping);
        bool marked = atomic_exchange(&pump->marked, false);
        if (marked || stopping || pump->now_ms - pump->looked_ms >= LOOK_EVERY_MS) {
            look_at_all(pump);
        }
        bool done = stopping && may_stop(pump);
        free_dead(pump);
        if (done) {
            return NULL;
        }
    }
}

static struct cl_status open_files(struct pump *pump)
{
    pump->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pump->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (pump->epoll_fd < 0 || pump->wake_fd < 0 ||
        epoll_ctl(pump->epoll_fd, EPOLL_CTL_ADD, pump->wake_fd, &event) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    return cl_ok();
}

struct cl_status pump_create(struct pump **out, struct room *room)
{
    struct pump *pump = calloc(1, sizeof *pump);
    if (pump == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    pump->room = room;
    (void)pthread_mutex_init(&pump->mutex, NULL);
    struct cl_status status = open_files(pump);
    if (cl_failed(status)) {
        pump_free(pump);
        return status;
    }
    *out = pump;
    return cl_ok();
}

static void close_file(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

void pump_free(struct pump *pump)
{
    if (pump == NULL) {
        return;
    }
    assert(!pump->running);
    assert(pump->arrived == NULL);
    close_file(pump->epoll_fd);
    close_file(pump->wake_fd);
    (void)pthread_mutex_destroy(&pump->mutex);
    explicit_bzero(pump, sizeof *pump); /* its buffers held what parties said */
    free(pump);
}

struct cl_status pump_start(struct pump *pump)
{
    pump->running = pthread_create(&pump->thread, NULL, run, pump) == 0;
    if (!pump->running) {
        return cl_fail(CL_SYSTEM);
    }
    (void)pthread_setname_np(pump->thread, "gate-pump");
    return cl_ok();
}

void pump_stop(struct pump *pump, int64_t grace_ms)
{
    if (!pump->running) {
        return;
    }
    atomic_store(&pump->stop_deadline_ms, room_now_ms(pump->room) + grace_ms);
    atomic_store(&pump->stopping, true);
    wake(pump);
    (void)pthread_join(pump->thread, NULL);
    pump->running = false;
}
