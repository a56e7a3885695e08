/* gate without gRPC: bytes both ways, ends, full file tables, starting and stopping; small enough for a thread
 * sanitizer to see all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libcoloan/queue.h"
#include "tests/server/gate/house.h"

enum { WAIT_MS = 5000, ENDS_MAX = 512, FRAME_BYTES = 16384, MANY_BYTES = 16 * 1024 * 1024 };

static struct pki_files files;
static struct house house; /* its rpc is not used */
static struct cl_queue *ends;
static atomic_llong late_ms;

static int set_up(void **state)
{
    (void)state;
    return pki_files_create(&files);
}

static int tear_down(void **state)
{
    (void)state;
    pki_files_remove(&files);
    return 0;
}

/* -- The receiver: hands its ends to whoever asks -------------------------------------------------------------- */

struct end {
    int fd;
};

static struct cl_status receive_end(int fd, void *user)
{
    (void)user;
    struct end *end = malloc(sizeof *end);
    assert_non_null(end);
    end->fd = fd;
    if (cl_failed(cl_queue_push(ends, end))) {
        free(end);
        (void)close(fd);
        return cl_fail(CL_SHUTTING_DOWN);
    }
    return cl_ok();
}

/* -1 when none comes. */
static int take_end(int wait_ms)
{
    void *taken = NULL;
    if (cl_queue_take(ends, &taken, 1, wait_ms) == 0) {
        return -1;
    }
    int fd = ((struct end *)taken)->fd;
    free(taken);
    return fd;
}

static int64_t monotonic_ms(void *user)
{
    (void)user;
    return cl_monotonic_us() / 1000 + atomic_load(&late_ms);
}

static void open_gate(void)
{
    assert_true(cl_is_ok(cl_queue_create(&ends, ENDS_MAX)));
    struct gate_fault fault = {.text = ""};
    struct cl_status status = gate_create(&house.gate, &house.options, &fault);
    if (cl_failed(status)) {
        fail_msg("%s", fault.text);
    }
    assert_true(cl_is_ok(gate_start(house.gate)));
}

static void prepare(void)
{
    house_prepare(&house, &files);
    house.options.adopt = receive_end;
    house.clock.monotonic_ms = monotonic_ms;
    atomic_store(&late_ms, 0);
}

static void close_ends(void)
{
    for (int fd = take_end(0); fd >= 0; fd = take_end(0)) {
        (void)close(fd);
    }
}

static void close_gate(void)
{
    gate_stop_accepting(house.gate, 1000);
    close_ends();
    gate_stop(house.gate, 3000);
    gate_free(house.gate);
    cl_queue_close(ends);
    close_ends();
    cl_queue_free(ends);
}

static int open_plain(void **state)
{
    (void)state;
    prepare();
    open_gate();
    return 0;
}

static int close_plain(void **state)
{
    (void)state;
    close_gate();
    return 0;
}

/* -- Bytes ---------------------------------------------------------------------------------------------------- */

static bool read_whole(int fd, uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = recv(fd, out + at, len - at, 0);
        if (got < 0 && errno == EAGAIN) {
            (void)usleep(1000);
            continue;
        }
        if (got <= 0) {
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

static void write_whole(int fd, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t sent = send(fd, bytes + at, len - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            (void)usleep(1000);
            continue;
        }
        assert_true(sent > 0);
        at += (size_t)sent;
    }
}

/* A client that has begun HTTP/2, and the receiver's end of it, from which the beginning is read. */
static struct tls_client *connect_pair(int *end_out)
{
    uint8_t beginning[24 + 9 + 9];
    struct tls_client *client = house_attacker(&house, "alpha");
    assert_true(h2_begin(client, true));
    *end_out = take_end(WAIT_MS);
    assert_true(*end_out >= 0);
    assert_true(read_whole(*end_out, beginning, sizeof beginning));
    assert_memory_equal(beginning, "PRI * HTTP/2.0", 14);
    return client;
}

static int64_t cpu_us(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* With everybody waiting for somebody, no thread may turn in circles. */
static void assert_nobody_spins(void)
{
    (void)usleep(50000);
    int64_t before_us = cpu_us();
    (void)usleep(400000);
    assert_true(cpu_us() - before_us < 100000);
}

struct writer {
    struct tls_client *client;
    atomic_bool done;
};

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 31 + at / 253);
}

static void *write_many(void *argument)
{
    struct writer *writer = argument;
    static uint8_t payload[FRAME_BYTES];
    for (size_t i = 0; i < MANY_BYTES / FRAME_BYTES; i++) {
        for (size_t k = 0; k < FRAME_BYTES; k++) {
            payload[k] = pattern(i * FRAME_BYTES + k);
        }
        if (!h2_send(writer->client, H2_DATA, 0, 1, payload, FRAME_BYTES)) {
            return NULL;
        }
    }
    tls_client_half_close(writer->client);
    atomic_store(&writer->done, true);
    return NULL;
}

static void a_slow_receiver_holds_its_client_up_and_loses_nothing(void **state)
{
    (void)state;
    int end = -1;
    pthread_t thread;
    struct writer writer = {.client = connect_pair(&end)};
    assert_int_equal(pthread_create(&thread, NULL, write_many, &writer), 0);
    (void)usleep(200000);
    assert_false(atomic_load(&writer.done));
    assert_nobody_spins();
    static uint8_t frame[9 + FRAME_BYTES];
    for (size_t i = 0; i < MANY_BYTES / FRAME_BYTES; i++) {
        assert_true(read_whole(end, frame, sizeof frame));
        for (size_t k = 0; k < FRAME_BYTES; k++) {
            assert_int_equal(frame[9 + k], pattern(i * FRAME_BYTES + k));
        }
    }
    assert_false(read_whole(end, frame, 1)); /* the client's end came behind its bytes */
    (void)pthread_join(thread, NULL);
    assert_true(atomic_load(&writer.done));
    write_whole(end, (const uint8_t *)"answer", 6); /* the other half is still open */
    (void)close(end);
    assert_int_equal(tls_client_read(writer.client, frame, sizeof frame, WAIT_MS), 6);
    assert_memory_equal(frame, "answer", 6);
    assert_true(tls_client_closed_after(writer.client, WAIT_MS) >= 0);
    assert_true(tls_client_goodbye(writer.client));
    tls_client_close(writer.client);
}

static void *write_end(void *argument)
{
    int *end = argument;
    static uint8_t bytes[MANY_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = pattern(i);
    }
    write_whole(*end, bytes, sizeof bytes);
    (void)close(*end);
    return NULL;
}

static void assert_pattern(struct tls_client *client, size_t len)
{
    static uint8_t bytes[65536];
    size_t at = 0;
    int got = 0;
    while ((got = tls_client_read(client, bytes, sizeof bytes, WAIT_MS)) > 0) {
        for (int i = 0; i < got; i++) {
            assert_int_equal(bytes[i], pattern(at + (size_t)i));
        }
        at += (size_t)got;
    }
    assert_int_equal(got, 0);
    assert_int_equal(at, len);
}

static void a_slow_client_holds_the_receiver_up_and_loses_nothing(void **state)
{
    (void)state;
    int end = -1;
    pthread_t thread;
    struct tls_client *client = connect_pair(&end);
    assert_int_equal(pthread_create(&thread, NULL, write_end, &end), 0);
    (void)usleep(200000);
    assert_pattern(client, MANY_BYTES);
    assert_true(tls_client_goodbye(client));
    (void)pthread_join(thread, NULL);
    tls_client_close(client);
}

static void a_receiver_that_closed_is_heard_to_its_last_word(void **state)
{
    (void)state;
    static uint8_t bytes[MANY_BYTES];
    int end = -1;
    struct tls_client *client = connect_pair(&end);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = pattern(i);
    }
    /* As much as all buffers on the way take while the client does not read; then closed with words of the client
       unread, which makes the kernel say ECONNRESET. */
    size_t sent = 0;
    for (int idle = 0; idle < 20;) {
        ssize_t len = send(end, bytes + sent, sizeof bytes - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += len > 0 ? (size_t)len : 0;
        idle = len > 0 ? 0 : idle + 1;
        (void)usleep(5000);
    }
    assert_true(sent < sizeof bytes);
    assert_true(h2_send(client, H2_PING, 0, 0, "unheard!", 8));
    (void)usleep(50000);
    (void)close(end);
    assert_nobody_spins();
    assert_pattern(client, sent);
    assert_true(tls_client_goodbye(client));
    tls_client_close(client);
}

static void a_lost_client_ends_its_receiver(void **state)
{
    (void)state;
    int end = -1;
    uint8_t byte;
    struct tls_client *client = connect_pair(&end);
    tls_client_close(client);
    assert_false(read_whole(end, &byte, 1));
    (void)close(end);
    for (int i = 0; i < 10000 && house_counters(&house).connections_now > 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(house_counters(&house).connections_now, 0);
}

/* -- Time ----------------------------------------------------------------------------------------------------- */

static void silence_and_age_end_a_connection(void **state)
{
    (void)state;
    static const struct {
        int64_t after_ms;
        enum gate_cut cut;
    } rows[] = {{5 * 60 * 1000 + 1000, GATE_CUT_IDLE}, {75 * 60 * 1000 + 1000, GATE_CUT_AGE}};
    for (size_t i = 0; i < 2; i++) {
        int end = -1;
        uint8_t ping[17];
        struct tls_client *client = connect_pair(&end);
        uint64_t before = house_counters(&house).cuts[rows[i].cut];
        (void)atomic_fetch_add(&late_ms, 4 * 60 * 1000);
        assert_true(h2_send(client, H2_PING, 0, 0, "12345678", 8));
        assert_true(read_whole(end, ping, sizeof ping));
        assert_int_equal(tls_client_closed_after(client, 400), -1);
        (void)atomic_fetch_add(&late_ms, rows[i].after_ms);
        assert_true(tls_client_closed_after(client, 1500) >= 0);
        assert_int_equal(house_counters(&house).cuts[rows[i].cut], before + 1);
        tls_client_close(client);
        (void)close(end);
    }
}

/* -- File numbers --------------------------------------------------------------------------------------------- */

static void set_file_limit(rlim_t soft)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = soft;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_full_file_table_passes(void **state)
{
    (void)state;
    enum { CLIENTS = 20 };
    int end = -1;
    int sockets[CLIENTS];
    struct rlimit before;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(gate_port(house.gate))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct tls_client *old = connect_pair(&end);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    int next = dup(0);
    assert_true(next >= 0);
    (void)close(next);
    set_file_limit((rlim_t)next); /* nobody gets one more */
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(connect(sockets[i], (struct sockaddr *)&address, sizeof address), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_true(tcp_closed(sockets[i], WAIT_MS)); /* each is told, by the reserve */
    }
    uint8_t ping[17];
    assert_true(h2_send(old, H2_PING, 0, 0, "12345678", 8)); /* who was in before is served */
    assert_true(read_whole(end, ping, sizeof ping));
    set_file_limit(before.rlim_cur);
    assert_int_equal(house_counters(&house).refused_files, CLIENTS);
    int64_t began_ms = cl_monotonic_us() / 1000;
    int other_end = -1;
    struct tls_client *other = connect_pair(&other_end);
    assert_true(cl_monotonic_us() / 1000 - began_ms < 2000);
    tls_client_close(old);
    tls_client_close(other);
    (void)close(end);
    (void)close(other_end);
    for (size_t i = 0; i < CLIENTS; i++) {
        (void)close(sockets[i]);
    }
}

/* Opens and closes; false when it was refused. */
/* Waits this long for the gate to hand a connection on: one that has to come may take its time on a busy machine. */
enum { COMES_MS = 10000, STAYS_OUT_MS = 300 };

static bool visit(int *key_out, int wait_ms)
{
    struct tls_client *client = house_attacker(&house, "alpha");
    *key_out = take_end(wait_ms);
    bool in = *key_out >= 0;
    tls_client_close(client);
    if (in) {
        (void)close(*key_out);
    }
    return in;
}

/* A connection that is over may keep its socket for a while, until the client has closed, too; its number must not spill
 * into those of the ring. */
static bool all_gone(int open_files)
{
    for (int i = 0; i < 10000; i++) {
        if (house_counters(&house).connections_now == 0 && house_count_files() <= open_files) {
            return true;
        }
        (void)usleep(1000);
    }
    return false;
}

static void numbers_of_the_ring_are_given_once_and_rest(void **state)
{
    (void)state;
    enum { LIMIT = 220, FIRST = LIMIT / 2 };
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    prepare();
    set_file_limit(LIMIT);
    open_gate();
    int open_files = house_count_files();
    for (int i = FIRST; i < LIMIT; i++) {
        int key = -1;
        assert_true(visit(&key, COMES_MS));
        assert_int_equal(key, i);
        assert_true(all_gone(open_files));
    }
    int key = -1;
    assert_false(visit(&key, STAYS_OUT_MS)); /* the round is over, and all rest */
    assert_int_equal(house_counters(&house).handshake_failures[GATE_HANDSHAKE_SYSTEM], 1);
    atomic_store(&late_ms, 31 * 1000);
    assert_true(visit(&key, COMES_MS));
    assert_in_range(key, FIRST, LIMIT - 1);
    close_gate();
    set_file_limit(before.rlim_cur);
}

/* -- Caps ----------------------------------------------------------------------------------------------------- */

static void more_than_the_cap_are_turned_away(void **state)
{
    (void)state;
    prepare();
    house.options.limits.connections_max = 8;
    house.options.limits.handshakes_max = 6;
    open_gate();
    int sockets[10];
    for (size_t i = 0; i < 10; i++) {
        sockets[i] = tcp_connect(gate_port(house.gate));
    }
    for (size_t i = 6; i < 10; i++) {
        assert_true(tcp_closed(sockets[i], WAIT_MS));
    }
    assert_int_equal(house_counters(&house).refused_full, 4);
    assert_int_equal(house_counters(&house).handshakes_now, 6);
    for (size_t i = 0; i < 10; i++) {
        (void)close(sockets[i]);
    }
    for (int i = 0; i < 500 && house_counters(&house).handshakes_now > 0; i++) {
        (void)usleep(10000);
    }
    int end = -1;
    struct tls_client *client = connect_pair(&end); /* room again */
    tls_client_close(client);
    (void)close(end);
    close_gate();
}

/* -- Stopping ------------------------------------------------------------------------------------------------- */

static void stopping_has_two_phases(void **state)
{
    (void)state;
    prepare();
    open_gate();
    int end = -1;
    struct tls_client *client = connect_pair(&end);
    int silent = tcp_connect(gate_port(house.gate));
    uint16_t port = gate_port(house.gate);
    (void)usleep(50000);
    int64_t began_ms = cl_monotonic_us() / 1000;
    gate_stop_accepting(house.gate, 300);
    assert_in_range(cl_monotonic_us() / 1000 - began_ms, 250, 1500); /* the silent one had its time */
    assert_true(tcp_closed(silent, 100));
    assert_int_equal(tcp_connect(port), -1);
    gate_stop_accepting(house.gate, 300); /* idempotent */

    uint8_t bytes[64]; /* the open one goes on until the receiver closes */
    assert_true(h2_send(client, H2_PING, 0, 0, "12345678", 8));
    assert_true(read_whole(end, bytes, 17));
    write_whole(end, (const uint8_t *)"the last word", 13);
    (void)close(end);
    gate_stop(house.gate, 3000);
    gate_stop(house.gate, 3000);
    assert_int_equal(tls_client_read(client, bytes, sizeof bytes, WAIT_MS), 13);
    assert_memory_equal(bytes, "the last word", 13);
    assert_true(tls_client_closed_after(client, WAIT_MS) >= 0);
    assert_true(tls_client_goodbye(client));
    assert_int_equal(house_counters(&house).cuts[GATE_CUT_STOPPED], 0);
    tls_client_close(client);
    (void)close(silent);
    close_gate();
}

static void a_receiver_that_does_not_close_is_cut_after_the_grace(void **state)
{
    (void)state;
    prepare();
    open_gate();
    int end = -1;
    struct tls_client *client = connect_pair(&end);
    gate_stop_accepting(house.gate, 100);
    int64_t began_ms = cl_monotonic_us() / 1000;
    gate_stop(house.gate, 300);
    assert_in_range(cl_monotonic_us() / 1000 - began_ms, 250, 1500);
    assert_int_equal(house_counters(&house).cuts[GATE_CUT_STOPPED], 1);
    tls_client_close(client);
    (void)close(end);
    close_gate();
}

/* -- Everything at once --------------------------------------------------------------------------------------- */

static atomic_bool finish;

/* Sends back what comes, until the end. */
static void *echo_all(void *argument)
{
    (void)argument;
    uint8_t bytes[16384];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    while (!atomic_load(&finish)) {
        struct epoll_event event;
        for (int fd = take_end(0); fd >= 0; fd = take_end(0)) {
            event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
            (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
        }
        if (epoll_wait(epoll_fd, &event, 1, 5) <= 0) {
            continue;
        }
        ssize_t len = recv(event.data.fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (len > 0) {
            (void)send(event.data.fd, bytes, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
        } else if (len == 0 || errno != EAGAIN) {
            (void)close(event.data.fd);
        }
    }
    (void)close(epoll_fd); /* the ends that are left are closed by nobody: the gate cuts them */
    return NULL;
}

static atomic_int visits;

static void *visit_often(void *argument)
{
    const char *name = argument;
    for (int i = 0; !atomic_load(&finish); i++) {
        uint8_t bytes[4096];
        int alert = -1;
        struct tls_client *client = tls_client_open(
            &(struct tls_client_options){
                .port = gate_port(house.gate), .files = &files, .name = name, .alpn = i % 5 == 4 ? NULL : "h2"},
            &alert);
        if (client == NULL) {
            continue;
        }
        if (h2_begin(client, true) && tls_client_read(client, bytes, sizeof bytes, 500) > 0) {
            (void)atomic_fetch_add(&visits, 1);
        }
        if (i % 3 == 0) {
            tls_client_half_close(client);
            (void)tls_client_closed_after(client, 300);
        }
        tls_client_close(client);
    }
    return NULL;
}

static void *ask_often(void *argument)
{
    (void)argument;
    char peer[16];
    struct gate_peer found;
    for (unsigned i = 0; !atomic_load(&finish); i++) {
        (void)snprintf(peer, sizeof peer, "fd:%u", 10000 + i % 500);
        if (cl_is_ok(gate_peer(house.gate, peer, &found))) {
            assert_int_equal(strncmp(found.party, "bank:cn-", 8), 0);
        }
    }
    return NULL;
}

static void all_at_once_for_a_while(void **state)
{
    (void)state;
    static char alpha[] = "alpha";
    static char beta[] = "beta";
    pthread_t threads[5];
    struct gate_counters counters;
    struct gate_fault fault;
    prepare();
    open_gate();
    atomic_store(&finish, false);
    atomic_store(&visits, 0);
    assert_int_equal(pthread_create(&threads[0], NULL, echo_all, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, visit_often, alpha), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, visit_often, beta), 0);
    assert_int_equal(pthread_create(&threads[3], NULL, visit_often, alpha), 0);
    assert_int_equal(pthread_create(&threads[4], NULL, ask_often, NULL), 0);
    for (int i = 0; i < 30 || (i < 600 && atomic_load(&visits) <= 20); i++) {
        pki_files_copy(&files, i % 4 == 1 ? "crl-alpha.pem" : "crl.pem", "live-crl.pem");
        assert_true(cl_is_ok(gate_reload(house.gate, &fault)));
        (void)gate_disconnect_party(house.gate, "bank:cn-beta-js");
        gate_counters(house.gate, &counters);
        (void)usleep(50000);
    }
    gate_stop_accepting(house.gate, 200); /* in the middle of it */
    atomic_store(&finish, true);
    gate_stop(house.gate, 200);
    for (size_t i = 0; i < 5; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    gate_counters(house.gate, &counters);
    assert_true(atomic_load(&visits) > 20);
    assert_true(counters.handshakes >= (uint64_t)atomic_load(&visits));
    assert_true(counters.handshake_failures[GATE_HANDSHAKE_ALPN] > 0);
    assert_int_equal(counters.connections_now, 0);
    assert_int_equal(counters.handshakes_now, 0);
    close_gate();
}

static void restarts_leave_no_files_behind(void **state)
{
    (void)state;
    int before = 0;
    for (int i = 0; i < 30; i++) {
        prepare();
        open_gate();
        int end = -1;
        struct tls_client *client = connect_pair(&end);
        int silent = tcp_connect(gate_port(house.gate));
        tls_client_close(client);
        if (i % 2 == 0) {
            (void)close(silent);
            (void)close(end);
            close_gate();
        } else { /* all at once, without an order */
            gate_free(house.gate);
            (void)close(silent);
            (void)close(end);
            cl_queue_free(ends);
        }
        before = i == 2 ? house_count_files() : before;
    }
    assert_int_equal(house_count_files(), before);
}

#define WITH_GATE(test) cmocka_unit_test_setup_teardown(test, open_plain, close_plain)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_GATE(a_slow_receiver_holds_its_client_up_and_loses_nothing),
        WITH_GATE(a_slow_client_holds_the_receiver_up_and_loses_nothing),
        WITH_GATE(a_receiver_that_closed_is_heard_to_its_last_word),
        WITH_GATE(a_lost_client_ends_its_receiver),
        WITH_GATE(silence_and_age_end_a_connection),
        WITH_GATE(a_full_file_table_passes),
        cmocka_unit_test(numbers_of_the_ring_are_given_once_and_rest),
        cmocka_unit_test(more_than_the_cap_are_turned_away),
        cmocka_unit_test(stopping_has_two_phases),
        cmocka_unit_test(a_receiver_that_does_not_close_is_cut_after_the_grace),
        cmocka_unit_test(restarts_leave_no_files_behind),
        cmocka_unit_test(all_at_once_for_a_while),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
