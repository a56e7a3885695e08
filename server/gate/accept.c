/* Accepting.
 *
 * No file number left is the state in which gRPC's own listener dies for ever. Here one number is kept in reserve: it
 * is given up to accept the waiting client and close on it, so that it learns, and taken back. When even that is not
 * possible the listener is left alone for a moment.
 *
 * The end that is handed on gets a number from a ring, each number once a round, because gRPC tells the number and
 * nothing else of a connection (peers.h). The kernel may give another number than the one asked for, when files of
 * others lie in the ring: the number that was given is the key.
 *
 * A client that was refused in the handshake is not closed at once but lingers a second, so that it reads the alert
 * and not a reset. */
#include "server/gate/accept.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcoloan/log.h"

enum {
    READ_BYTES_MAX = 16 * 1024,                         /* one record, and more than a whole handshake */
    CIPHER_BYTES_MAX = TLS_CIPHER_BYTES_MAX(48 * 1024), /* our certificates */
    HANDSHAKE_BYTES_MAX = 64 * 1024,                    /* from the client: a certificate takes 1 to 4 KiB */
    EVENTS_MAX = 64,
    ACCEPTS_MAX = 64, /* in one round, so that handshakes go on meanwhile */
    LOOK_EVERY_MS = 100,
    PAUSE_MS = 100, /* of the listener while there is no file number at all */
    FAREWELL_MS = 1000,
    KEY_TRIES_MAX = 16,
    BACKLOG = 512,
    NICE = 10,
};

struct acceptor {
    struct room *room;
    struct pump *pump;
    int listen_fd, epoll_fd, wake_fd, reserve_fd;
    uint16_t port;
    pthread_t thread;
    bool running;
    atomic_bool stopping;
    _Atomic int64_t stop_deadline_ms;

    /* the thread's own, once it runs */
    int key_first, key_limit, key_next;
    uint64_t number_next;
    struct connection *pending;
    unsigned pending_count;
    int64_t now_ms, paused_until_ms; /* 0: not paused */
    struct room_log log;
    uint8_t cipher_in[READ_BYTES_MAX];
    uint8_t cipher_out[CIPHER_BYTES_MAX];
};

/* -- Ending --------------------------------------------------------------------------------------------------- */

static void forget(struct acceptor *acceptor, struct connection *connection)
{
    connection_unlink(&acceptor->pending, connection);
    acceptor->pending_count--;
    room_uncount(&acceptor->room->counters.handshakes_now);
}

static void drop(struct acceptor *acceptor, struct connection *connection)
{
    forget(acceptor, connection);
    connection_free(connection, acceptor->epoll_fd);
}

static void count_failure(struct acceptor *acceptor, enum gate_handshake_failure failure)
{
    room_count(&acceptor->room->counters.handshake_failures[failure], 1);
}

/* After the last bytes to a client that is not let in. */
static void say_farewell(struct acceptor *acceptor, struct connection *connection)
{
    connection->farewell = true;
    connection->deadline_ms = acceptor->now_ms + FAREWELL_MS;
    if (shutdown(connection->client.fd, SHUT_WR) != 0) {
        drop(acceptor, connection);
    }
}

/* -- Handing over --------------------------------------------------------------------------------------------- */

/* A number of the ring for the same file as `fd`, which is closed. -1 when there is none. */
static int take_key(struct acceptor *acceptor, int fd)
{
    int key = -1;
    for (int tries = 0; tries < KEY_TRIES_MAX && key < 0; tries++) {
        key = fcntl(fd, F_DUPFD_CLOEXEC, acceptor->key_next);
        if (key < 0) { /* none from there on: the next round begins */
            acceptor->key_next = acceptor->key_first;
            continue;
        }
        acceptor->key_next = key + 1 < acceptor->key_limit ? key + 1 : acceptor->key_first;
        if (!peers_is_free(acceptor->room->peers, key, acceptor->now_ms)) {
            (void)close(key);
            key = -1;
        }
    }
    (void)close(fd);
    return key;
}

/* The end to hand on, under its key; ours goes into the connection. -1 when there are no numbers. */
static int open_pair(struct acceptor *acceptor, struct connection *connection)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        return -1;
    }
    int key = take_key(acceptor, ends[0]);
    if (key < 0) {
        (void)close(ends[1]);
        return -1;
    }
    connection->core.fd = ends[1];
    return key;
}

/* A reload may have happened since the handshake began. Whoever is published before its peers_withdraw is seen by that;
 * whoever is published after it is seen here. */
static void check_again(struct acceptor *acceptor, const struct connection *connection)
{
    struct trust *trust = room_trust(acceptor->room);
    if (trust != tls_trust(connection->tls)) {
        (void)peers_withdraw(acceptor->room->peers, trust, acceptor->now_ms);
    }
    trust_unref(trust);
}

/* The reason for which it cannot be handed over, or OK. */
static struct cl_status hand_over(struct acceptor *acceptor, struct connection *connection, struct cl_bytes early)
{
    struct room *room = acceptor->room;
    int key = open_pair(acceptor, connection);
    if (key < 0) {
        return cl_fail(CL_SYSTEM);
    }
    struct cl_status status = backlog_add(&connection->to_core, early) ? cl_ok() : cl_fail(CL_MEMORY_LIMIT);
    if (cl_is_ok(status)) {
        status = peers_publish(room->peers, &connection->peer, key, tls_identity(connection->tls), connection->number);
    }
    if (cl_failed(status)) {
        (void)close(key);
        return status;
    }
    check_again(acceptor, connection);
    status = room->options.adopt(key, room->options.user); /* takes the key in any case */
    if (cl_failed(status)) {
        peers_close(room->peers, connection->peer, acceptor->now_ms);
        connection->peer = NULL;
    }
    return status;
}

/* -- Handshakes ----------------------------------------------------------------------------------------------- */

/* A few KiB into an empty socket: it takes all, or the client gets nothing more. */
static bool send_records(const struct connection *connection, const struct tls_io *io)
{
    return io->out_len == 0 ||
           send(connection->client.fd, io->out, io->out_len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)io->out_len;
}

/* A partner that cannot come in asks its operator, who then finds this line. */
static void log_refusal(struct acceptor *acceptor, const struct connection *connection,
                        enum gate_handshake_failure failure)
{
    char source[INET6_ADDRSTRLEN] = "";
    if (room_may_log(&acceptor->log, acceptor->now_ms)) {
        (void)inet_ntop(AF_INET6, &connection->source, source, sizeof source);
        cl_log(CL_LOG_INFO, "gate.refused", cl_log_text("source", source),
               cl_log_text("why", gate_handshake_failure_name(failure)));
    }
}

/* `last`: what it is still told. */
static void fail(struct acceptor *acceptor, struct connection *connection, enum gate_handshake_failure failure,
                 const struct tls_io *last)
{
    count_failure(acceptor, failure);
    log_refusal(acceptor, connection, failure);
    (void)send_records(connection, last);
    say_farewell(acceptor, connection);
}

static void finish(struct acceptor *acceptor, struct connection *connection, struct cl_bytes early)
{
    struct cl_status status = hand_over(acceptor, connection, early);
    if (cl_failed(status)) {
        struct tls_io io = {.out = acceptor->cipher_out, .out_max = sizeof acceptor->cipher_out};
        tls_close(connection->tls, &io);
        watched_close(&connection->core, acceptor->epoll_fd);
        fail(acceptor, connection, status.reason == CL_OVERLOADED ? GATE_HANDSHAKE_PARTY_FULL : GATE_HANDSHAKE_SYSTEM,
             &io);
        return;
    }
    room_count(&acceptor->room->counters.handshakes, 1);
    (void)watched_set(&connection->client, acceptor->epoll_fd, 0);
    forget(acceptor, connection);
    pump_take(acceptor->pump, connection);
}

static void take_records(struct acceptor *acceptor, struct connection *connection, size_t len)
{
    struct tls_io io = {
        .in = cl_bytes(acceptor->cipher_in, len), .out = acceptor->cipher_out, .out_max = sizeof acceptor->cipher_out};
    enum tls_step step = tls_handshake(connection->tls, &io);
    connection->heard_bytes += (uint32_t)len;
    if (step == TLS_BROKEN) {
        fail(acceptor, connection, tls_failure(connection->tls), &io);
        return;
    }
    if (connection->heard_bytes > HANDSHAKE_BYTES_MAX) {
        fail(acceptor, connection, GATE_HANDSHAKE_PROTOCOL, &io);
        return;
    }
    if (!send_records(connection, &io)) {
        count_failure(acceptor, GATE_HANDSHAKE_CLOSED);
        drop(acceptor, connection);
        return;
    }
    if (step == TLS_DONE) {
        finish(acceptor, connection, io.in);
    }
}

static void client_event(struct acceptor *acceptor, struct connection *connection)
{
    ssize_t len = recv(connection->client.fd, acceptor->cipher_in, sizeof acceptor->cipher_in, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) {
        if (!connection->farewell) {
            count_failure(acceptor, GATE_HANDSHAKE_CLOSED);
        }
        drop(acceptor, connection);
        return;
    }
    if (!connection->farewell) {
        take_records(acceptor, connection, (size_t)len);
    }
}

/* -- Accepting ------------------------------------------------------------------------------------------------ */

static struct in6_addr source_of(const struct sockaddr_storage *address)
{
    struct in6_addr source = {.s6_addr = {0}};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        source.s6_addr[10] = source.s6_addr[11] = 0xff;
        memcpy(source.s6_addr + 12, &in->sin_addr, sizeof in->sin_addr);
        return source;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    source = in6->sin6_addr;
    if (!IN6_IS_ADDR_V4MAPPED(&source)) {
        memset(source.s6_addr + 8, 0, 8); /* the rest is the client's to choose */
    }
    return source;
}

/* Established ones and those on the way. */
static uint64_t count_connections(const struct acceptor *acceptor)
{
    return atomic_load(&acceptor->room->counters.connections_now) + acceptor->pending_count;
}

static bool source_is_full(const struct acceptor *acceptor, const struct in6_addr *source)
{
    unsigned count = 0;
    for (const struct connection *other = acceptor->pending; other != NULL; other = other->next) {
        count += memcmp(&other->source, source, sizeof *source) == 0 ? 1 : 0;
    }
    return count >= acceptor->room->options.limits.handshakes_per_source_max;
}

/* Whether one more is welcome; counts when not. */
static bool is_welcome(struct acceptor *acceptor, const struct in6_addr *source)
{
    const struct gate_limits *limits = &acceptor->room->options.limits;
    if (count_connections(acceptor) >= limits->connections_max || acceptor->pending_count >= limits->handshakes_max) {
        room_count(&acceptor->room->counters.refused_full, 1);
        return false;
    }
    if (source_is_full(acceptor, source)) {
        room_count(&acceptor->room->counters.refused_source, 1);
        return false;
    }
    return true;
}

static struct tls_session *create_session(struct acceptor *acceptor)
{
    struct tls_session *session = NULL;
    struct trust *trust = room_trust(acceptor->room);
    struct cl_status status = tls_session_create(&session, trust, cl_clock_unix_ms(acceptor->room->options.clock));
    trust_unref(trust);
    return cl_failed(status) ? NULL : session;
}

static void begin(struct acceptor *acceptor, int fd, const struct in6_addr *source)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct tls_session *tls = connection == NULL ? NULL : create_session(acceptor);
    if (tls == NULL) {
        count_failure(acceptor, GATE_HANDSHAKE_SYSTEM);
        free(connection);
        (void)close(fd);
        return;
    }
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* the pump gathers; waiting would only add time */
    connection->number = acceptor->number_next++;
    connection->client = (struct watched){.connection = connection, .fd = fd};
    connection->core = (struct watched){.connection = connection, .fd = -1};
    connection->source = *source;
    connection->tls = tls;
    connection->deadline_ms = acceptor->now_ms + acceptor->room->options.limits.handshake_ms_max;
    connection_link(&acceptor->pending, connection);
    acceptor->pending_count++;
    room_count(&acceptor->room->counters.handshakes_now, 1);
    if (!watched_set(&connection->client, acceptor->epoll_fd, EPOLLIN)) {
        count_failure(acceptor, GATE_HANDSHAKE_SYSTEM);
        drop(acceptor, connection);
    }
}

static int accept_one(const struct acceptor *acceptor, struct sockaddr_storage *address)
{
    socklen_t len = sizeof *address;
    return accept4(acceptor->listen_fd, (struct sockaddr *)address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static bool listen_for(struct acceptor *acceptor, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = acceptor};
    return epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_MOD, acceptor->listen_fd, &event) == 0;
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No file number left: closes on one client with the reserve, or leaves the listener alone. */
static void shed(struct acceptor *acceptor)
{
    struct sockaddr_storage address;
    if (acceptor->reserve_fd >= 0) {
        (void)close(acceptor->reserve_fd);
        int fd = accept_one(acceptor, &address);
        if (fd >= 0) {
            room_count(&acceptor->room->counters.accepted, 1);
            room_count(&acceptor->room->counters.refused_files, 1);
            (void)close(fd);
        }
    }
    acceptor->reserve_fd = open_reserve();
    if (acceptor->reserve_fd < 0 && listen_for(acceptor, 0)) {
        acceptor->paused_until_ms = acceptor->now_ms + PAUSE_MS;
    }
}

static void accept_some(struct acceptor *acceptor)
{
    struct sockaddr_storage address;
    for (int i = 0; i < ACCEPTS_MAX && acceptor->paused_until_ms == 0; i++) {
        int fd = accept_one(acceptor, &address);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            shed(acceptor);
            continue;
        }
        if (fd < 0 && errno == EAGAIN) {
            return;
        }
        if (fd < 0) {
            continue; /* that client's own trouble (accept(2)): the next one */
        }
        room_count(&acceptor->room->counters.accepted, 1);
        struct in6_addr source = source_of(&address);
        if (!is_welcome(acceptor, &source)) {
            (void)close(fd);
            continue;
        }
        begin(acceptor, fd, &source);
    }
}

/* -- Thread --------------------------------------------------------------------------------------------------- */

static void look_at_pending(struct acceptor *acceptor)
{
    for (struct connection *connection = acceptor->pending; connection != NULL;) {
        struct connection *next = connection->next;
        if (acceptor->now_ms > connection->deadline_ms) {
            if (!connection->farewell) {
                count_failure(acceptor, GATE_HANDSHAKE_LATE);
            }
            drop(acceptor, connection);
        }
        connection = next;
    }
}

static void resume(struct acceptor *acceptor)
{
    if (acceptor->paused_until_ms == 0 || acceptor->now_ms < acceptor->paused_until_ms) {
        return;
    }
    acceptor->reserve_fd = acceptor->reserve_fd < 0 ? open_reserve() : acceptor->reserve_fd;
    acceptor->paused_until_ms = acceptor->now_ms + PAUSE_MS;
    if (acceptor->reserve_fd >= 0 && listen_for(acceptor, EPOLLIN)) {
        acceptor->paused_until_ms = 0;
    }
}

static void close_file(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

/* Nobody new; true when nobody is left either. */
static bool may_stop(struct acceptor *acceptor)
{
    if (acceptor->listen_fd >= 0) {
        (void)epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, acceptor->listen_fd, NULL);
        close_file(&acceptor->listen_fd);
    }
    bool late = acceptor->now_ms >= atomic_load(&acceptor->stop_deadline_ms);
    for (struct connection *connection = acceptor->pending; late && connection != NULL;) {
        struct connection *next = connection->next;
        if (!connection->farewell) {
            count_failure(acceptor, GATE_HANDSHAKE_STOPPED);
        }
        drop(acceptor, connection);
        connection = next;
    }
    return acceptor->pending == NULL;
}

static void handle(struct acceptor *acceptor, const struct epoll_event *event)
{
    if (event->data.ptr == &acceptor->wake_fd) {
        uint64_t count = 0;
        (void)!read(acceptor->wake_fd, &count, sizeof count);
        return;
    }
    if (event->data.ptr == acceptor) {
        accept_some(acceptor);
        return;
    }
    const struct watched *watched = event->data.ptr;
    client_event(acceptor, watched->connection); /* frees at most this one, which has no other event in the round */
}

/* Handshakes are long work that nobody established should wait for. Not being allowed to say so does no harm. */
static void step_back(void)
{
    const struct sched_param none = {.sched_priority = 0};
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

static void *run(void *argument)
{
    struct acceptor *acceptor = argument;
    struct epoll_event events[EVENTS_MAX];
    step_back();
    for (;;) {
        bool waits = acceptor->pending != NULL || acceptor->paused_until_ms != 0 || atomic_load(&acceptor->stopping);
        int count = epoll_wait(acceptor->epoll_fd, events, EVENTS_MAX, waits ? LOOK_EVERY_MS : -1);
        acceptor->now_ms = room_now_ms(acceptor->room);
        for (int i = 0; i < count; i++) {
            handle(acceptor, &events[i]);
        }
        look_at_pending(acceptor);
        resume(acceptor);
        if (atomic_load(&acceptor->stopping) && may_stop(acceptor)) {
            return NULL;
        }
    }
}

/* -- Life ----------------------------------------------------------------------------------------------------- */

/* "127.0.0.1:7443" or "[::1]:7443". */
static bool read_address(struct sockaddr_storage *out, socklen_t *len_out, const char *text)
{
    char host[INET6_ADDRSTRLEN + 2] = "";
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    memcpy(host, text, (size_t)(colon - text));
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > UINT16_MAX) {
        return false;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        *len_out = sizeof *in;
        return true;
    }
    size_t host_len = strlen(host);
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    if (host_len < 2 || host[0] != '[' || host[host_len - 1] != ']') {
        return false;
    }
    host[host_len - 1] = '\0';
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    *len_out = sizeof *in6;
    return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1;
}

static struct cl_status open_listener(struct acceptor *acceptor)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = 0;
    if (!read_address(&address, &len, acceptor->room->options.address)) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    const int on = 1; /* a restart need not wait for the last run's connections; the port stays ours alone */
    acceptor->listen_fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (acceptor->listen_fd < 0 || setsockopt(acceptor->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(acceptor->listen_fd, (struct sockaddr *)&address, len) != 0 || listen(acceptor->listen_fd, BACKLOG) != 0 ||
        getsockname(acceptor->listen_fd, (struct sockaddr *)&address, &len) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    acceptor->port = ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                                        : ((struct sockaddr_in6 *)&address)->sin6_port);
    return cl_ok();
}

static struct cl_status open_files(struct acceptor *acceptor)
{
    struct cl_status status = open_listener(acceptor);
    if (cl_failed(status)) {
        return status;
    }
    acceptor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    acceptor->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    acceptor->reserve_fd = open_reserve();
    struct epoll_event on_listen = {.events = EPOLLIN, .data.ptr = acceptor};
    struct epoll_event on_wake = {.events = EPOLLIN, .data.ptr = &acceptor->wake_fd};
    if (acceptor->epoll_fd < 0 || acceptor->wake_fd < 0 || acceptor->reserve_fd < 0 ||
        epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, acceptor->listen_fd, &on_listen) != 0 ||
        epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, acceptor->wake_fd, &on_wake) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    return cl_ok();
}

struct cl_status acceptor_create(struct acceptor **out, struct room *room, struct pump *pump, int key_first,
                                 int key_limit)
{
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (acceptor == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    acceptor->room = room;
    acceptor->pump = pump;
    acceptor->listen_fd = acceptor->epoll_fd = acceptor->wake_fd = acceptor->reserve_fd = -1;
    acceptor->key_first = acceptor->key_next = key_first;
    acceptor->key_limit = key_limit;
    acceptor->number_next = 1;
    struct cl_status status = open_files(acceptor);
    if (cl_failed(status)) {
        acceptor_free(acceptor);
        return status;
    }
    *out = acceptor;
    return cl_ok();
}

void acceptor_free(struct acceptor *acceptor)
{
    if (acceptor == NULL) {
        return;
    }
    assert(!acceptor->running);
    assert(acceptor->pending == NULL);
    close_file(&acceptor->listen_fd);
    close_file(&acceptor->epoll_fd);
    close_file(&acceptor->wake_fd);
    close_file(&acceptor->reserve_fd);
    free(acceptor);
}

uint16_t acceptor_port(const struct acceptor *acceptor)
{
    return acceptor->port;
}

struct cl_status acceptor_start(struct acceptor *acceptor)
{
    acceptor->running = pthread_create(&acceptor->thread, NULL, run, acceptor) == 0;
    if (!acceptor->running) {
        return cl_fail(CL_SYSTEM);
    }
    (void)pthread_setname_np(acceptor->thread, "gate-accept");
    return cl_ok();
}

void acceptor_stop(struct acceptor *acceptor, int64_t grace_ms)
{
    if (!acceptor->running) {
        return;
    }
    atomic_store(&acceptor->stop_deadline_ms, room_now_ms(acceptor->room) + grace_ms);
    atomic_store(&acceptor->stopping, true);
    (void)eventfd_write(acceptor->wake_fd, 1);
    (void)pthread_join(acceptor->thread, NULL);
    acceptor->running = false;
}
