/* gate against clients that mean harm, with an honest party beside them. Limits of time are made short here; that the
 * numbers themselves are right is test_frames' matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/server/gate/house.h"

enum {
    SHORT_MS = 1000, /* in place of 5 s */
    CUT_MS = 2500,   /* within which a connection must be cut */
    FLOOD_FRAMES = 3000,
    FLOOD_BYTES_MAX = 4 * 1024 * 1024,
};

static struct pki_files files;
static struct house house;
static struct cl_rpc_client *honest;

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

static int open_house(void **state)
{
    (void)state;
    house_prepare(&house, &files);
    house.options.limits.handshake_ms_max = SHORT_MS;
    house.options.limits.handshakes_per_source_max = 5;
    house.options.limits.unread_ms_max = SHORT_MS;
    house.options.limits.frames.settings_ms_max = SHORT_MS;
    house.options.limits.frames.block_ms_max = SHORT_MS;
    house_open(&house);
    honest = house_client(&house, "beta");
    char party[CL_PARTY_BYTES_MAX + 1] = "";
    for (int i = 0; i < 5 && party[0] == '\0'; i++) { /* under a sanitizer a handshake may take longer than SHORT_MS */
        (void)cl_is_ok(house_ask(honest, party));
    }
    return party[0] == '\0' ? -1 : 0;
}

static int close_house(void **state)
{
    (void)state;
    cl_rpc_client_free(honest);
    house_close(&house);
    return 0;
}

static void assert_honest_is_served(const char *during)
{
    char party[CL_PARTY_BYTES_MAX + 1] = "";
    int64_t began_us = cl_monotonic_us();
    struct cl_status status = house_ask(honest, party);
    int64_t took_us = cl_monotonic_us() - began_us;
    if (cl_failed(status) || took_us > 3000000) {
        fail_msg("%s: %s after %d us", during, cl_status_name(status), (int)took_us);
    }
    assert_string_equal(party, "bank:cn-beta-js");
}

/* -- Frames --------------------------------------------------------------------------------------------------- */

static void flood(struct tls_client *client, uint8_t type, uint8_t flags, uint32_t stream, size_t len)
{
    static uint8_t bytes[FLOOD_BYTES_MAX];
    static const uint8_t payload[16384];
    size_t size = 0;
    for (int i = 0; i < FLOOD_FRAMES && size + len + 9 < sizeof bytes; i++) {
        size += h2_frame(bytes + size, type, flags, stream, payload, len);
    }
    for (size_t at = 0; at < size; at += 16384) { /* fails once it is cut */
        if (!tls_client_write(client, bytes + at, size - at < 16384 ? size - at : 16384)) {
            return;
        }
    }
}

static void rapid_reset(struct tls_client *client)
{
    static uint8_t bytes[FLOOD_FRAMES * 128];
    static const uint8_t cancel[] = {0, 0, 0, 8};
    size_t size = 0;
    for (uint32_t i = 0; i < FLOOD_FRAMES; i++) {
        size += h2_frame(bytes + size, H2_HEADERS, 4, 2 * i + 1, h2_call_block, h2_call_block_len);
        size += h2_frame(bytes + size, H2_RST_STREAM, 0, 2 * i + 1, cancel, sizeof cancel);
    }
    (void)tls_client_write(client, bytes, size);
}

static void streams(struct tls_client *client)
{
    for (uint32_t i = 0; i < 40; i++) {
        (void)h2_send(client, H2_HEADERS, 4, 2 * i + 1, h2_call_block, h2_call_block_len);
    }
}

static void continuation_flood(struct tls_client *client)
{
    (void)h2_send(client, H2_HEADERS, 0, 1, h2_call_block, h2_call_block_len);
    flood(client, H2_CONTINUATION, 0, 1, 1);
}

static void empty_continuation_flood(struct tls_client *client)
{
    (void)h2_send(client, H2_HEADERS, 0, 1, h2_call_block, h2_call_block_len);
    flood(client, H2_CONTINUATION, 0, 1, 0);
}

static void padding(struct tls_client *client)
{
    static uint8_t ones[16000]; /* 0x1f 0x80 0x80 ...: one number that does not end */
    memset(ones, 0x80, sizeof ones);
    ones[0] = 0x1f;
    (void)h2_send(client, H2_HEADERS, 0, 1, ones, sizeof ones);
    ones[0] = 0x80;
    (void)h2_send(client, H2_CONTINUATION, 0, 1, ones, sizeof ones);
}

static void pings(struct tls_client *client)
{
    flood(client, H2_PING, 0, 0, 8);
}

static void settings(struct tls_client *client)
{
    flood(client, H2_SETTINGS, 0, 0, 0);
}

static void priorities(struct tls_client *client)
{
    flood(client, H2_PRIORITY, 0, 1, 5);
}

static void unknown(struct tls_client *client)
{
    flood(client, 99, 0, 0, 0);
}

static void empty_data(struct tls_client *client)
{
    (void)h2_send(client, H2_HEADERS, 4, 1, h2_call_block, h2_call_block_len);
    flood(client, H2_DATA, 0, 1, 0);
}

static void tiny_data(struct tls_client *client)
{
    (void)h2_send(client, H2_HEADERS, 4, 1, h2_call_block, h2_call_block_len);
    flood(client, H2_DATA, 0, 1, 1);
}

static void large_frame(struct tls_client *client)
{
    static const uint8_t zeros[16385];
    (void)h2_send(client, H2_DATA, 0, 1, zeros, sizeof zeros);
}

static void push(struct tls_client *client)
{
    (void)h2_send(client, H2_PUSH_PROMISE, 4, 1, "\0\0\0\2", 4);
}

static void half_a_block(struct tls_client *client)
{
    (void)h2_send(client, H2_HEADERS, 0, 1, h2_call_block, 10);
}

static void half_a_frame(struct tls_client *client)
{
    (void)tls_client_write(client, "\0\0\x40\x01\x04\0\0\0\x01half", 13);
}

static void silence(struct tls_client *client)
{
    (void)client;
}

static void another_protocol(struct tls_client *client)
{
    (void)tls_client_write(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
}

enum beginning { NOT_AT_ALL, WITHOUT_ACK, WHOLE };

static const struct attack {
    const char *name;
    enum beginning beginning;
    void (*run)(struct tls_client *client);
    enum frames_verdict verdict;
} attacks[] = {
    {"rapid reset", WHOLE, rapid_reset, FRAMES_RESETS},
    {"streams before the acknowledgement", WITHOUT_ACK, streams, FRAMES_STREAMS_BEFORE_ACK},
    {"CONTINUATION flood", WHOLE, continuation_flood, FRAMES_CONTINUATIONS},
    {"empty CONTINUATION flood", WHOLE, empty_continuation_flood, FRAMES_CONTINUATIONS},
    {"HPACK padding", WHOLE, padding, FRAMES_BLOCK_SIZE},
    {"PING flood", WHOLE, pings, FRAMES_CONTROLS},
    {"SETTINGS flood", WHOLE, settings, FRAMES_CONTROLS},
    {"PRIORITY flood", WHOLE, priorities, FRAMES_CONTROLS},
    {"flood of an unknown type", WHOLE, unknown, FRAMES_CONTROLS},
    {"empty DATA flood", WHOLE, empty_data, FRAMES_CONTROLS},
    {"DATA in single bytes", WHOLE, tiny_data, FRAMES_CONTROLS},
    {"large frame", WHOLE, large_frame, FRAMES_FRAME_SIZE},
    {"push", WHOLE, push, FRAMES_SEQUENCE},
    {"half a header block", WHOLE, half_a_block, FRAMES_BLOCK_LATE},
    {"half a HEADERS frame", WHOLE, half_a_frame, FRAMES_BLOCK_LATE},
    {"silence after TLS", NOT_AT_ALL, silence, FRAMES_SETTINGS_LATE},
    {"no acknowledgement", WITHOUT_ACK, silence, FRAMES_SETTINGS_LATE},
    {"HTTP/1.1", NOT_AT_ALL, another_protocol, FRAMES_PREFACE},
};

static void each_attack_is_cut_and_hurts_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        const struct attack *attack = &attacks[i];
        uint64_t before = house_counters(&house).frame_cuts[attack->verdict];
        struct tls_client *client = house_attacker(&house, "alpha");
        if (attack->beginning != NOT_AT_ALL) {
            assert_true(h2_begin(client, attack->beginning == WHOLE));
        }
        attack->run(client);
        assert_honest_is_served(attack->name);
        if (tls_client_closed_after(client, CUT_MS) < 0) {
            fail_msg("%s: not cut", attack->name);
        }
        if (house_counters(&house).frame_cuts[attack->verdict] != before + 1) {
            fail_msg("%s: not counted as %s", attack->name, frames_verdict_name(attack->verdict));
        }
        tls_client_close(client);
        assert_honest_is_served(attack->name);
    }
    assert_int_equal(house_counters(&house).connections_now, 1);
}

static void key_updates_are_cut(void **state)
{
    (void)state;
    struct tls_client *client = house_attacker(&house, "alpha");
    assert_true(h2_begin(client, true));
    for (int i = 0; i < 8; i++) {
        assert_true(tls_client_key_update(client));
    }
    assert_int_equal(tls_client_closed_after(client, 300), -1); /* as many as are allowed */
    assert_int_equal(house_counters(&house).cuts[GATE_CUT_KEY_UPDATES], 0);
    for (int i = 0; i < 100 && tls_client_key_update(client); i++) {
    }
    assert_honest_is_served("key updates");
    assert_true(tls_client_closed_after(client, CUT_MS) >= 0);
    assert_int_equal(house_counters(&house).cuts[GATE_CUT_KEY_UPDATES], 1);
    tls_client_close(client);
}

/* -- Before TLS ----------------------------------------------------------------------------------------------- */

/* From 127.0.0.<last>: sources of their own. */
static int connect_from(uint8_t last)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(gate_port(house.gate))};
    from.sin_addr.s_addr = htonl(0x7f000000U + last);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void a_silent_or_slow_hello_is_cut(void **state)
{
    (void)state;
    int silent = connect_from(2);
    int slow = connect_from(3);
    int64_t began_ms = cl_monotonic_us() / 1000;
    static const uint8_t hello[] = {0x16, 3, 1, 0x40, 0, 1, 0, 0, 0xfc};
    bool cut = false;
    for (size_t i = 0; i < 200 && !cut; i++) {
        (void)send(slow, &hello[i % sizeof hello], i < sizeof hello ? 1 : 0, MSG_NOSIGNAL);
        cut = tcp_closed(slow, 10);
    }
    assert_true(cut);
    assert_in_range(cl_monotonic_us() / 1000 - began_ms, SHORT_MS - 50, SHORT_MS + 500);
    assert_true(tcp_closed(silent, 500));
    assert_int_equal(house_counters(&house).handshake_failures[GATE_HANDSHAKE_LATE], 2);
    assert_honest_is_served("slow hello");
    (void)close(silent);
    (void)close(slow);
}

static void what_is_not_tls_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-x\r\n"};
    for (size_t i = 0; i < 3; i++) {
        int fd = connect_from(2);
        assert_true(send(fd, texts[i], strlen(texts[i]), MSG_NOSIGNAL) > 0);
        assert_true(tcp_closed(fd, CUT_MS));
        (void)close(fd);
    }
    assert_int_equal(house_counters(&house).handshake_failures[GATE_HANDSHAKE_PROTOCOL], 3);
    assert_honest_is_served("not TLS");
}

static void one_source_cannot_fill_the_hall(void **state)
{
    (void)state;
    int fds[12];
    assert_honest_is_served("before"); /* connected: its own source is the same host's other address */
    for (size_t i = 0; i < 12; i++) {
        fds[i] = connect_from(2);
    }
    for (size_t i = 5; i < 12; i++) {
        assert_true(tcp_closed(fds[i], 300));
    }
    assert_int_equal(house_counters(&house).refused_source, 7);
    assert_false(tcp_closed(fds[0], 50));
    struct tls_client *other = house_attacker(&house, "alpha"); /* from 127.0.0.1 */
    tls_client_close(other);
    for (size_t i = 0; i < 12; i++) {
        (void)close(fds[i]);
    }
}

/* -- Slow reader ---------------------------------------------------------------------------------------------- */

static void ask_for_numbers(struct tls_client *client)
{
    /* The largest windows there are, so that nothing but the socket holds core back. */
    static const uint8_t window[] = {0, 4, 0x7f, 0xff, 0xff, 0xff};
    static const uint8_t more[] = {0x7f, 0xff, 0, 0};
    uint8_t block[64];
    memcpy(block, h2_call_block, h2_call_block_len);
    uint8_t *path = memmem(block, h2_call_block_len, "Unary", 5);
    assert_non_null(path);
    memcpy(path, "Count", 5);
    assert_true(h2_send(client, H2_SETTINGS, 0, 0, window, sizeof window));
    assert_true(h2_send(client, H2_WINDOW_UPDATE, 0, 0, more, sizeof more));
    assert_true(h2_send(client, H2_HEADERS, 4, 1, block, h2_call_block_len));
    assert_true(h2_send(client, H2_DATA, 1, 1,
                        "\0\0\0\0\x09"
                        "999999999",
                        14));
}

static int64_t cpu_us(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void a_client_that_does_not_read_is_cut(void **state)
{
    (void)state;
    struct tls_client *client = house_attacker(&house, "alpha");
    assert_true(h2_begin(client, true));
    ask_for_numbers(client);
    int64_t began_ms = cl_monotonic_us() / 1000;
    while (house_counters(&house).cuts[GATE_CUT_UNREAD] == 0) {
        assert_honest_is_served("slow reader");
        assert_true(cl_monotonic_us() / 1000 - began_ms < 30000);
        (void)usleep(20000);
    }
    assert_true(echo_wait(&echo_cancelled, 1));
    tls_client_close(client);
    (void)usleep(100000);
    int64_t before_us = cpu_us();
    (void)usleep(300000);
    assert_true(cpu_us() - before_us < 100000); /* nobody spins on what is left */
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOUSE(each_attack_is_cut_and_hurts_nobody), WITH_HOUSE(key_updates_are_cut),
        WITH_HOUSE(a_silent_or_slow_hello_is_cut),       WITH_HOUSE(what_is_not_tls_is_refused),
        WITH_HOUSE(one_source_cannot_fill_the_hall),     WITH_HOUSE(a_client_that_does_not_read_is_cut),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
