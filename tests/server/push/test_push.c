/* Streams over real gRPC from a real outbox, on a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "libcoloan/limits.h"
#include "libcoloan/refusal.h"
#include "server/push/push.h"
#include "server/store/outbox.h"
#include "tests/support/echo.h"
#include "tests/support/signing.h"
#include "tests/support/store_fixture.h"

#define ALPHA SIGNING_ALPHA
#define BETA  SIGNING_BETA

enum {
    WAIT_MS = 10000,
    SEND_QUEUE_MAX = 4,
    EVENT_BYTES = 60000,
    MANY = 150, /* events: 9 MB, more than flow control and the queue take from one who does not read */
    ARENA_BYTES = 4 * 1024 * 1024,
};

static struct pki pki;
static struct signing signing;
static struct cl_arena *arena;
static atomic_llong ahead_ms;
static atomic_int ended_count;

static int64_t moved_unix_ms(void *user)
{
    (void)user;
    return SIGNING_NOW_MS + atomic_load(&ahead_ms);
}

static int64_t moved_monotonic_ms(void *user)
{
    (void)user;
    return cl_clock_monotonic_ms(cl_clock_system()) + atomic_load(&ahead_ms);
}

static const struct cl_clock moved_clock = {.unix_ms = moved_unix_ms, .monotonic_ms = moved_monotonic_ms};

/* -- A server that takes an Open as "<party> <epoch> <window>" ------------------------------------------------ */

struct place {
    struct store_fixture *fixture;
    struct centre centre;
    struct cases cases;
    struct push *push;
    struct cl_rpc_server *server;
    struct cl_rpc_client *client;
};

static void ended(struct cl_rpc_call *call, bool cancelled, void *user)
{
    (void)cancelled;
    (void)user;
    struct push_stream **stream = (struct push_stream **)cl_rpc_call_state(call);
    if (*stream != NULL) {
        push_end(*stream);
    }
    atomic_fetch_add(&ended_count, 1);
}

static void deliver(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    struct place *place = user;
    char text[128];
    char party[65];
    unsigned epoch = 0;
    unsigned window = 0;
    if (message.data == NULL) {
        return;
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)message.len, (const char *)message.data);
    if (sscanf(text, "%64s %u %u", party, &epoch, &window) != 3 || !cl_rpc_call_on_end(call, ended, NULL)) {
        return;
    }
    struct push_opening opening = {.call = call, .party = party, .epoch = epoch, .max_outstanding = window};
    struct push_stream *stream = NULL;
    struct cl_status status = push_open(&stream, place->push, &opening);
    if (cl_failed(status)) {
        cl_rpc_finish(call, status, cl_bytes(NULL, 0));
        return;
    }
    *(struct push_stream **)cl_rpc_call_state(call) = stream;
}

static void start_rpc(struct place *place)
{
    struct cl_rpc_method method = {"/test/Deliver", CL_RPC_BIDI, deliver, place};
    struct cl_rpc_server_options options = {.methods = &method,
                                            .method_count = 1,
                                            .poll_thread_count = 2,
                                            .accept_count = 4,
                                            .send_queue_max = SEND_QUEUE_MAX};
    struct cl_rpc_listen listen = {
        .address = "127.0.0.1:0", .ca_pem = pki.ca, .cert_pem = pki.server_cert, .key_pem = pki.server_key};
    uint16_t port = 0;
    assert_true(cl_is_ok(cl_rpc_server_create(&place->server, &options)));
    assert_true(cl_is_ok(cl_rpc_server_listen_tls(place->server, &listen, &port)));
    assert_true(cl_is_ok(cl_rpc_server_start(place->server)));
    place->client = echo_client(&pki, port);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    atomic_store(&ahead_ms, 0);
    atomic_store(&ended_count, 0);
    place->fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(place->fixture);
    fixture_add_application(tx, 1);
    assert_true(cl_is_ok(store_fixture_end(place->fixture, cl_ok())));
    place->centre = (struct centre){.party = SIGNING_CENTRE,
                                    .environment = SIGNING_ENVIRONMENT,
                                    .signer = signing.signers[SIGNING_CENTRE_SIGN],
                                    .clock = &moved_clock,
                                    .random = cl_random_system()};
    place->cases = (struct cases){.centre = &place->centre};
    struct push_options options = {.cases = &place->cases, .store = store_fixture_store(place->fixture)};
    assert_true(cl_is_ok(push_create(&place->push, &options)));
    start_rpc(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    push_stop(place->push);
    cl_rpc_client_free(place->client);
    cl_rpc_server_stop(place->server, 0);
    cl_rpc_server_free(place->server);
    push_free(place->push);
    store_fixture_free(place->fixture);
    free(place);
    return 0;
}

/* -- Help ---------------------------------------------------------------------------------------------------- */

static void add_events(struct place *place, const char *recipient, unsigned count, size_t bytes)
{
    static unsigned number = 1000;
    static uint8_t envelope[EVENT_BYTES];
    struct store_tx *tx = store_fixture_begin(place->fixture);
    uint64_t sequence = 0;
    for (unsigned i = 0; i < count; i++) {
        struct message_row message = fixture_message(number++);
        message.envelope = cl_bytes(envelope, bytes);
        assert_int_equal(outbox_next(tx, recipient, &sequence).reason, CL_OK);
        struct outbox_row row = {.recipient = recipient,
                                 .sequence = sequence,
                                 .application_id = fixture_application_id(1),
                                 .kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION,
                                 .digest = message.digest};
        assert_int_equal(messages_add(tx, &message).reason, CL_OK);
        assert_int_equal(outbox_add(tx, &row).reason, CL_OK);
    }
    assert_true(cl_is_ok(store_fixture_end(place->fixture, cl_ok())));
    push_notify(place->push, recipient, sequence);
}

static struct cl_rpc_stream *open_stream(struct place *place, const char *party, unsigned epoch)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s %u %u", party, epoch, PUSH_OUTSTANDING_MAX);
    struct cl_rpc_stream *stream = NULL;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, place->client, "/test/Deliver", CL_RPC_NO_TIMEOUT)));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text(text))));
    return stream;
}

/* The type of the next frame's body ("Heartbeat"), "event" for one of ours, "" when none comes, else how it ended. */
static const char *next(struct cl_rpc_stream *stream, int64_t wait_ms)
{
    struct cl_rpc_buffer message;
    enum cl_rpc_received received = cl_rpc_stream_receive(stream, wait_ms, &message);
    if (received == CL_RPC_TIMEOUT) {
        return "";
    }
    if (received == CL_RPC_OVER) {
        struct cl_rpc_result result;
        struct cl_refusal_read refusal = {.status = cl_ok()};
        struct cl_status status = cl_rpc_stream_outcome(stream, &result);
        if (cl_is_ok(status) && result.details.len > 0) {
            assert_true(cl_is_ok(cl_refusal_read(&refusal, cl_bytes(result.details.data, result.details.len))));
        }
        cl_rpc_result_free(&result);
        return cl_status_name(cl_failed(status) ? status : refusal.status);
    }
    cl_arena_reset(arena);
    struct cl_opened opened;
    struct cl_status status = cl_envelope_verify(&opened, arena, cl_bytes(message.data, message.len), signing.keyring);
    free(message.data);
    return cl_is_ok(status) ? opened.body_type->short_name : "event";
}

/* The next frame that is not of `but`. */
static const char *next_but(struct cl_rpc_stream *stream, const char *but)
{
    const char *got = but;
    while (strcmp(got, but) == 0) {
        got = next(stream, WAIT_MS);
    }
    return got;
}

static struct push_counters counters_of(struct place *place)
{
    struct push_counters counters;
    push_counters(place->push, &counters);
    return counters;
}

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    (void)nanosleep(&pause, NULL);
}

/* Waits until nothing more is sent: the queue of whoever does not read is full. */
static void wait_until_stuck(struct place *place)
{
    uint64_t before = 0;
    for (int still = 0; still < 15;) {
        uint64_t now = counters_of(place).events_sent;
        still = now == before && now > 0 ? still + 1 : 0;
        before = now;
        nap();
    }
}

/* -- Tests --------------------------------------------------------------------------------------------------- */

/* Covers: COL-DEL-020 */
static void test_events_come_in_order_and_once(void **state)
{
    struct place *place = *state;
    add_events(place, ALPHA, 3, 100);
    struct cl_rpc_stream *stream = open_stream(place, ALPHA, 1);
    assert_string_equal(next(stream, WAIT_MS), "Heartbeat");
    for (int i = 0; i < 3; i++) {
        assert_string_equal(next(stream, WAIT_MS), "event");
    }
    assert_string_equal(next(stream, 300), "");
    add_events(place, BETA, 1, 100); /* somebody else's */
    assert_string_equal(next(stream, 300), "");
    add_events(place, ALPHA, 1, 100);
    assert_string_equal(next(stream, WAIT_MS), "event");
    for (int tries = 0; tries < 200 && counters_of(place).events_sent < 4; tries++) {
        nap(); /* it is counted once it is on its way */
    }
    assert_int_equal(counters_of(place).events_sent, 4);
    cl_rpc_stream_close(stream);
}

/* Covers: COL-DEL-013 */
static void test_a_heartbeat_comes_when_it_is_time(void **state)
{
    struct place *place = *state;
    struct cl_rpc_stream *stream = open_stream(place, ALPHA, 1);
    assert_string_equal(next(stream, WAIT_MS), "Heartbeat");
    atomic_fetch_add(&ahead_ms, PUSH_HEARTBEAT_MS - 5000);
    assert_string_equal(next(stream, 600), "");
    atomic_fetch_add(&ahead_ms, 5000);
    assert_string_equal(next(stream, WAIT_MS), "Heartbeat");
    assert_string_equal(next(stream, 600), "");
    cl_rpc_stream_close(stream);
}

/* All of a backlog comes to a bank that reads, although it is told of nothing new and acknowledges nothing. */
static void test_a_backlog_comes_whole(void **state)
{
    struct place *place = *state;
    add_events(place, ALPHA, MANY, EVENT_BYTES);
    struct cl_rpc_stream *stream = open_stream(place, ALPHA, 1);
    assert_string_equal(next(stream, WAIT_MS), "Heartbeat");
    wait_until_stuck(place);
    for (int i = 0; i < MANY; i++) {
        assert_string_equal(next_but(stream, "Heartbeat"), "event");
    }
    assert_string_equal(next(stream, 300), "");
    cl_rpc_stream_close(stream);
}

/* Covers: COL-DEL-017 */
static void test_an_old_stream_is_drained(void **state)
{
    struct place *place = *state;
    struct cl_rpc_stream *stream = open_stream(place, ALPHA, 1);
    assert_string_equal(next(stream, WAIT_MS), "Heartbeat");
    atomic_fetch_add(&ahead_ms, PUSH_STREAM_MS - 10000);
    assert_string_equal(next(stream, WAIT_MS), "Heartbeat");
    assert_string_equal(next(stream, 600), "");
    atomic_fetch_add(&ahead_ms, 10000);
    assert_string_equal(next_but(stream, "Heartbeat"), "Drain");
    assert_string_equal(next(stream, WAIT_MS), "OK");
    cl_rpc_stream_close(stream);
}

/* Covers: COL-DEL-018 */
static void test_a_slow_reader_is_cut_and_costs_nobody(void **state)
{
    struct place *place = *state;
    add_events(place, ALPHA, MANY, EVENT_BYTES);
    struct cl_rpc_stream *slow = open_stream(place, ALPHA, 1);
    wait_until_stuck(place);
    assert_true(counters_of(place).events_sent < MANY);
    add_events(place, BETA, 2, 100);
    struct cl_rpc_stream *other = open_stream(place, BETA, 1);
    assert_string_equal(next(other, WAIT_MS), "Heartbeat");
    assert_string_equal(next(other, WAIT_MS), "event");
    assert_string_equal(next(other, WAIT_MS), "event");
    assert_int_equal(counters_of(place).slow_readers, 0);
    for (int tries = 0; tries < 500 && counters_of(place).slow_readers == 0; tries++) {
        atomic_fetch_add(&ahead_ms, PUSH_STALLED_MS / 100);
        nap();
    }
    assert_int_equal(counters_of(place).slow_readers, 1);
    assert_string_equal(next(slow, WAIT_MS), "Heartbeat");
    assert_string_equal(next_but(slow, "event"), "SLOW_READER");
    add_events(place, BETA, 1, 100);
    assert_string_equal(next_but(other, "Heartbeat"), "event");
    cl_rpc_stream_close(slow);
    cl_rpc_stream_close(other);
}

/* Who reads nothing at all holds what is queued for it for two limits, not for ever. */
static void test_who_never_reads_is_let_go(void **state)
{
    struct place *place = *state;
    add_events(place, ALPHA, MANY, EVENT_BYTES);
    struct cl_rpc_stream *deaf = open_stream(place, ALPHA, 1);
    wait_until_stuck(place);
    struct cl_rpc_stream *newer = open_stream(place, ALPHA, 2); /* fences the first, whose outcome cannot leave */
    assert_string_equal(next(newer, WAIT_MS), "Heartbeat");
    assert_int_equal(counters_of(place).streams, 2);
    for (int tries = 0; tries < 200 && atomic_load(&ended_count) == 0; tries++) {
        atomic_fetch_add(&ahead_ms, PUSH_STALLED_MS / 10);
        for (int i = 0; i < 10; i++) {
            (void)next(newer, 0);
        }
        nap();
    }
    assert_int_equal(atomic_load(&ended_count), 1);
    for (int tries = 0; tries < 200 && counters_of(place).streams == 2; tries++) {
        nap();
    }
    assert_int_equal(counters_of(place).streams, 1);
    cl_rpc_stream_close(deaf);
    cl_rpc_stream_close(newer);
}

static void test_stop_drains_and_takes_no_more(void **state)
{
    struct place *place = *state;
    struct cl_rpc_stream *stream = open_stream(place, ALPHA, 1);
    assert_string_equal(next(stream, WAIT_MS), "Heartbeat");
    push_stop(place->push);
    assert_string_equal(next(stream, WAIT_MS), "Drain");
    assert_string_equal(next(stream, WAIT_MS), "OK");
    cl_rpc_stream_close(stream);
    struct cl_rpc_stream *late = open_stream(place, ALPHA, 2);
    assert_string_equal(next(late, WAIT_MS), "SHUTTING_DOWN");
    cl_rpc_stream_close(late);
}

int main(void)
{
    if (pki_create(&pki) != 0 || cl_failed(cl_arena_create(&arena, ARENA_BYTES))) {
        return 1;
    }
    signing_init(&signing);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_come_in_order_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_heartbeat_comes_when_it_is_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_backlog_comes_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_old_stream_is_drained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_slow_reader_is_cut_and_costs_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_never_reads_is_let_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_drains_and_takes_no_more, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    signing_close(&signing);
    cl_arena_free(arena);
    pki_free(&pki);
    return failed;
}
