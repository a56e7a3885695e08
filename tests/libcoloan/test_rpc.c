/* rpc between its own client and server, over mutual TLS: shapes, order, deadlines, cancels, limits, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "libcoloan/refusal.h"
#include "tests/support/echo.h"

enum { TIMEOUT_MS = 5000 };

static struct pki pki;
static struct echo echo;

static int set_up(void **state)
{
    (void)state;
    return pki_create(&pki);
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

static int start(void **state)
{
    (void)state;
    struct cl_rpc_server_options options = echo_options();
    echo_start(&echo, &pki, &options);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    echo_stop(&echo);
    return 0;
}

static struct cl_status call(const char *path, const char *text, int64_t timeout_ms, struct cl_rpc_result *out)
{
    return cl_rpc_client_call(echo.client, path, cl_bytes_text(text), timeout_ms, out);
}

static void assert_refusal(struct cl_rpc_result *result, enum cl_reason reason)
{
    struct cl_refusal_read refusal;
    assert_int_equal(result->code, cl_reason_info(reason)->grpc_code);
    assert_true(cl_is_ok(cl_refusal_read(&refusal, cl_bytes(result->details.data, result->details.len))));
    assert_int_equal(refusal.status.reason, reason);
    cl_rpc_result_free(result);
}

/* -- Unary --------------------------------------------------------------------------------------------------- */

static void a_unary_call_is_answered(void **state)
{
    (void)state;
    static const char *const paths[] = {"/test.Echo/Unary", "/test.Echo/Later"};
    for (size_t i = 0; i < 2; i++) {
        struct cl_rpc_result result;
        assert_true(cl_is_ok(call(paths[i], "hello", TIMEOUT_MS, &result)));
        assert_int_equal(result.code, CL_GRPC_OK);
        assert_int_equal(result.message.len, 5);
        assert_memory_equal(result.message.data, "hello", 5);
        assert_null(result.details.data);
        cl_rpc_result_free(&result);
    }
    assert_true(echo_wait(&echo_ended, 2));
    assert_int_equal(echo_cancelled, 0);
}

static void messages_of_every_size_arrive_whole(void **state)
{
    (void)state;
    static uint8_t message[CL_MESSAGE_BYTES_MAX];
    static const size_t sizes[] = {0, 1, 31, 32, 33, 16383, 16384, 16385, 65536, CL_MESSAGE_BYTES_MAX};
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)(i * 7);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cl_rpc_result result;
        assert_true(cl_is_ok(
            cl_rpc_client_call(echo.client, "/test.Echo/Unary", cl_bytes(message, sizes[i]), TIMEOUT_MS, &result)));
        assert_non_null(result.message.data);
        assert_int_equal(result.message.len, sizes[i]);
        assert_memory_equal(result.message.data, message, sizes[i]);
        cl_rpc_result_free(&result);
    }
}

static void a_refusal_carries_its_details(void **state)
{
    (void)state;
    struct cl_rpc_result result;
    struct cl_refusal_read refusal;
    assert_true(cl_is_ok(call("/test.Echo/Refuse", "", TIMEOUT_MS, &result)));
    assert_null(result.message.data);
    assert_true(cl_is_ok(cl_refusal_read(&refusal, cl_bytes(result.details.data, result.details.len))));
    assert_int_equal(refusal.retry_after_ms, 2500);
    assert_string_equal(refusal.field, "a.b");
    assert_refusal(&result, CL_OVERLOADED);
    assert_true(echo_wait(&echo_ended, 1));
    assert_int_equal(echo_cancelled, 0); /* the peer got it */
}

static void an_unknown_method_is_refused_at_once(void **state)
{
    (void)state;
    struct cl_rpc_result result;
    int64_t before_ms = cl_clock_monotonic_ms(cl_clock_system());
    assert_true(cl_is_ok(call("/test.Echo/unary", "", TIMEOUT_MS, &result)));
    assert_refusal(&result, CL_METHOD_UNKNOWN);
    assert_true(cl_clock_monotonic_ms(cl_clock_system()) - before_ms < TIMEOUT_MS / 2);
}

static void a_request_that_is_too_large_is_not_sent(void **state)
{
    (void)state;
    static const uint8_t zeros[CL_MESSAGE_BYTES_MAX + 1];
    struct cl_rpc_result result;
    struct cl_status status =
        cl_rpc_client_call(echo.client, "/test.Echo/Unary", cl_bytes(zeros, sizeof zeros), TIMEOUT_MS, &result);
    assert_int_equal(status.reason, CL_MESSAGE_TOO_LARGE);
    assert_int_equal(echo_handled, 0);
    cl_rpc_result_free(&result);
}

static void a_reply_that_is_too_large_becomes_a_refusal(void **state)
{
    (void)state;
    struct cl_rpc_result result;
    assert_true(cl_is_ok(call("/test.Echo/Large", "", TIMEOUT_MS, &result)));
    assert_refusal(&result, CL_MESSAGE_TOO_LARGE);
}

static void the_certificate_names_the_peer(void **state)
{
    (void)state;
    struct cl_rpc_result result;
    assert_true(cl_is_ok(call("/test.Echo/Whoami", "", TIMEOUT_MS, &result)));
    char text[512] = "";
    memcpy(text, result.message.data, result.message.len);
    assert_memory_equal(text, "ipv4:127.0.0.1:", 15);
    assert_non_null(strstr(text, " OK " PKI_CLIENT_URI " CERTIFICATE_IDENTITY"));
    cl_rpc_result_free(&result);
}

/* -- Deadlines and cancels ----------------------------------------------------------------------------------- */

static void a_deadline_ends_the_call_on_both_sides(void **state)
{
    (void)state;
    struct cl_rpc_result result;
    assert_int_equal(call("/test.Echo/Hold", "", 200, &result).reason, CL_DEADLINE_EXCEEDED);
    assert_int_equal(result.code, CL_GRPC_DEADLINE_EXCEEDED);
    cl_rpc_result_free(&result);
    assert_true(echo_wait(&echo_ended, 1));
    assert_int_equal(echo_cancelled, 1);
    cl_rpc_reply(echo_held, cl_bytes_text("late")); /* harmless */
    cl_rpc_finish(echo_held, cl_fail(CL_INTERNAL), cl_bytes(NULL, 0));
    cl_rpc_cancel(echo_held);
    assert_int_equal(cl_rpc_send(echo_held, cl_bytes_text("late")), CL_RPC_ENDED);
    assert_false(cl_rpc_call_on_end(echo_held, NULL, NULL));
}

/* Covers: COL-RPC-001 */
static void a_deadline_without_time_to_answer_is_refused(void **state)
{
    (void)state;
    struct cl_rpc_result result;
    assert_true(cl_is_ok(call("/test.Echo/Unary", "", TIMEOUT_MS, &result))); /* connects */
    cl_rpc_result_free(&result);
    atomic_store(&echo_handled, 0);
    struct cl_status status = call("/test.Echo/Unary", "", CL_DEADLINE_MS_MIN - 20, &result);
    assert_int_equal(echo_handled, 0);
    if (cl_is_ok(status)) { /* a slow machine may miss it altogether */
        assert_refusal(&result, CL_DEADLINE_TOO_SHORT);
    }
}

/* Covers: COL-RPC-001 */
static void a_missing_deadline_is_refused(void **state)
{
    (void)state;
    struct cl_rpc_result result;
    assert_true(cl_is_ok(call("/test.Echo/Unary", "", CL_RPC_NO_TIMEOUT, &result)));
    assert_refusal(&result, CL_DEADLINE_MISSING);
    assert_int_equal(echo_handled, 0);
}

static void a_far_deadline_is_clamped(void **state)
{
    (void)state;
    struct cl_rpc_result result;
    assert_true(cl_is_ok(call("/test.Echo/Unary", "", 10 * CL_DEADLINE_MS_DEFAULT, &result)));
    cl_rpc_result_free(&result);
    int64_t left_ms = echo_deadline_ms - cl_clock_monotonic_ms(cl_clock_system());
    assert_in_range(left_ms, CL_DEADLINE_MS_DEFAULT - 5000, CL_DEADLINE_MS_DEFAULT);
    assert_true(cl_is_ok(call("/test.Echo/Unary", "", TIMEOUT_MS, &result)));
    cl_rpc_result_free(&result);
    left_ms = echo_deadline_ms - cl_clock_monotonic_ms(cl_clock_system());
    assert_in_range(left_ms, 1, TIMEOUT_MS + 100); /* the header rounds upwards */
}

/* -- Streams ------------------------------------------------------------------------------------------------- */

static void assert_next(struct cl_rpc_stream *stream, const char *text)
{
    struct cl_rpc_buffer buffer;
    assert_int_equal(cl_rpc_stream_receive(stream, TIMEOUT_MS, &buffer), CL_RPC_MESSAGE);
    assert_int_equal(buffer.len, strlen(text));
    assert_memory_equal(buffer.data, text, buffer.len);
    free(buffer.data);
}

static void assert_over(struct cl_rpc_stream *stream, enum cl_reason reason, enum cl_grpc_code code)
{
    struct cl_rpc_buffer buffer;
    struct cl_rpc_result result;
    assert_int_equal(cl_rpc_stream_receive(stream, TIMEOUT_MS, &buffer), CL_RPC_OVER);
    assert_int_equal(cl_rpc_stream_receive(stream, TIMEOUT_MS, &buffer), CL_RPC_OVER);
    assert_int_equal(cl_rpc_stream_outcome(stream, &result).reason, reason);
    assert_int_equal(result.code, code);
    cl_rpc_result_free(&result);
}

static void a_server_stream_keeps_its_order(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct cl_rpc_stream *stream = NULL;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/Count", CL_RPC_NO_TIMEOUT)));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text("5000"))));
    assert_true(cl_is_ok(cl_rpc_stream_half_close(stream)));
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        assert_next(stream, text);
    }
    assert_over(stream, CL_OK, CL_GRPC_OK);
    cl_rpc_stream_close(stream);
    assert_true(echo_wait(&echo_ended, 1));
    assert_int_equal(echo_cancelled, 0);
    assert_int_equal(echo_deadline_ms, CL_RPC_NO_DEADLINE);
}

enum { CHAT_COUNT = 5000 };

static void *send_numbers(void *argument)
{
    struct cl_rpc_stream *stream = argument;
    for (int i = 0; i < CHAT_COUNT; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        if (cl_failed(cl_rpc_stream_send(stream, cl_bytes_text(text)))) {
            return NULL;
        }
    }
    return cl_is_ok(cl_rpc_stream_half_close(stream)) ? stream : NULL;
}

static int start_with_room(void **state)
{
    (void)state;
    struct cl_rpc_server_options options = echo_options();
    options.send_queue_max = CHAT_COUNT; /* however slowly this test reads */
    echo_start(&echo, &pki, &options);
    return 0;
}

static void both_ways_at_once_keep_their_order(void **state)
{
    (void)state;
    struct cl_rpc_stream *stream = NULL;
    pthread_t sender;
    void *sent_all = NULL;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/Chat", 60000)));
    assert_int_equal(pthread_create(&sender, NULL, send_numbers, stream), 0);
    for (int i = 0; i < CHAT_COUNT; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        assert_next(stream, text);
    }
    assert_int_equal(pthread_join(sender, &sent_all), 0);
    assert_non_null(sent_all);
    assert_over(stream, CL_OK, CL_GRPC_OK);
    cl_rpc_stream_close(stream);
}

/* -- A client's stream --------------------------------------------------------------------------------------- */

static struct cl_rpc_stream *open_sum(void)
{
    struct cl_rpc_stream *stream = NULL;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/Sum", TIMEOUT_MS)));
    return stream;
}

/* The handler asserts that it is never given a message before it asked for it. */
static void a_client_stream_is_read_as_it_is_dealt_with(void **state)
{
    (void)state;
    enum { MESSAGES = 50 };
    struct cl_rpc_stream *stream = open_sum();
    for (int i = 0; i < MESSAGES; i++) {
        assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text(i % 3 == 0 ? "here" : "some"))));
    }
    assert_true(cl_is_ok(cl_rpc_stream_half_close(stream)));
    assert_next(stream, "200");
    assert_over(stream, CL_OK, CL_GRPC_OK);
    cl_rpc_stream_close(stream);
    assert_true(echo_wait(&echo_ended, 1));
    assert_int_equal(echo_cancelled, 0);
}

static void a_client_stream_may_be_answered_before_its_end(void **state)
{
    (void)state;
    struct cl_rpc_stream *stream = open_sum();
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text("some"))));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text("stop"))));
    assert_next(stream, "4");
    assert_over(stream, CL_OK, CL_GRPC_OK);
    cl_rpc_stream_close(stream);
}

/* The message is still with another thread, which asks for the next one afterwards. */
static void a_client_stream_that_is_cut_is_left_alone(void **state)
{
    (void)state;
    for (int i = 1; i <= 20; i++) {
        struct cl_rpc_stream *stream = open_sum();
        assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text("some"))));
        assert_true(echo_wait(&echo_handled, i));
        cl_rpc_stream_close(stream);
        assert_true(echo_wait(&echo_ended, i));
        assert_true(echo_wait(&echo_taken, 4 * i));
        while (atomic_load(&echo_busy) != 0) {
            (void)usleep(100);
        }
    }
    assert_int_equal(echo_cancelled, 20);
}

static void an_empty_message_is_a_message(void **state)
{
    (void)state;
    struct cl_rpc_stream *stream = NULL;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/Chat", TIMEOUT_MS)));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes(NULL, 0))));
    assert_next(stream, "");
    assert_true(cl_is_ok(cl_rpc_stream_half_close(stream)));
    assert_over(stream, CL_OK, CL_GRPC_OK);
    cl_rpc_stream_close(stream);
}

static void a_receive_that_timed_out_is_taken_up_again(void **state)
{
    (void)state;
    struct cl_rpc_stream *stream = NULL;
    struct cl_rpc_buffer buffer;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/Chat", TIMEOUT_MS)));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cl_rpc_stream_receive(stream, 10, &buffer), CL_RPC_TIMEOUT);
    }
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text("one"))));
    assert_next(stream, "one");
    cl_rpc_stream_close(stream); /* with the stream open */
    assert_true(echo_wait(&echo_ended, 1));
    assert_int_equal(echo_cancelled, 1);
}

static void *cancel_soon(void *stream)
{
    (void)usleep(30000);
    cl_rpc_stream_cancel(stream);
    return NULL;
}

static void a_cancel_wakes_the_receiver(void **state)
{
    (void)state;
    struct cl_rpc_stream *stream = NULL;
    pthread_t canceller;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/Chat", CL_RPC_NO_TIMEOUT)));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text("one"))));
    assert_next(stream, "one");
    assert_int_equal(pthread_create(&canceller, NULL, cancel_soon, stream), 0);
    assert_over(stream, CL_CALL_CANCELLED, CL_GRPC_CANCELLED);
    assert_int_equal(pthread_join(canceller, NULL), 0);
    assert_int_equal(cl_rpc_stream_send(stream, cl_bytes_text("two")).reason, CL_CALL_CANCELLED);
    cl_rpc_stream_close(stream);
    assert_true(echo_wait(&echo_ended, 1));
}

static void a_stream_of_another_thread_ends_with_its_peer(void **state)
{
    (void)state;
    struct cl_rpc_stream *stream = NULL;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/Count", TIMEOUT_MS)));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text("1000000000"))));
    assert_true(cl_is_ok(cl_rpc_stream_half_close(stream)));
    assert_next(stream, "0");
    cl_rpc_stream_close(stream);
    assert_true(echo_wait(&echo_ended, 1));
    assert_int_equal(echo_cancelled, 1);
}

static void a_stream_to_an_unknown_method_is_refused(void **state)
{
    (void)state;
    struct cl_rpc_stream *stream = NULL;
    struct cl_rpc_buffer buffer;
    struct cl_rpc_result result;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/None", CL_RPC_NO_TIMEOUT)));
    assert_int_equal(cl_rpc_stream_receive(stream, TIMEOUT_MS, &buffer), CL_RPC_OVER);
    assert_true(cl_is_ok(cl_rpc_stream_outcome(stream, &result)));
    assert_refusal(&result, CL_METHOD_UNKNOWN);
    cl_rpc_stream_close(stream);
}

/* Sends until the stream is over: a send may wait for as long as the other side does not read. */
static void *send_until_over(void *argument)
{
    static const uint8_t message[8192];
    struct cl_rpc_stream *stream = argument;
    for (int i = 0; i < 4 * CL_SEND_QUEUE_MAX; i++) {
        if (cl_failed(cl_rpc_stream_send(stream, cl_bytes(message, sizeof message)))) {
            break;
        }
    }
    return NULL;
}

/* A peer that does not read: the queue fills, and the handler ends the stream. */
static void a_slow_reader_fills_the_queue(void **state)
{
    (void)state;
    struct cl_rpc_stream *stream = NULL;
    pthread_t sender;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, echo.client, "/test.Echo/Chat", CL_RPC_NO_TIMEOUT)));
    assert_int_equal(pthread_create(&sender, NULL, send_until_over, stream), 0);
    assert_true(echo_wait(&echo_full, 1));
    struct cl_rpc_buffer buffer;
    int received = 0;
    for (; cl_rpc_stream_receive(stream, 6 * TIMEOUT_MS, &buffer) == CL_RPC_MESSAGE; received++) {
        free(buffer.data);
    }
    assert_int_equal(pthread_join(sender, NULL), 0);
    assert_true(received >= CL_SEND_QUEUE_MAX); /* what was queued before still came */
    struct cl_rpc_result result;
    assert_true(cl_is_ok(cl_rpc_stream_outcome(stream, &result)));
    assert_refusal(&result, CL_SLOW_READER);
    cl_rpc_stream_close(stream);
}

/* -- Who may connect ----------------------------------------------------------------------------------------- */

static enum cl_reason call_with(const char *ca, const char *cert, const char *key, const char *server_name)
{
    char target[32];
    struct cl_rpc_client *client = NULL;
    struct cl_rpc_result result;
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", echo.port);
    struct cl_rpc_client_options options = {
        .target = target, .ca_pem = ca, .cert_pem = cert, .key_pem = key, .server_name = server_name};
    assert_true(cl_is_ok(cl_rpc_client_create(&client, &options)));
    struct cl_status status = cl_rpc_client_call(client, "/test.Echo/Unary", cl_bytes_text("x"), 3000, &result);
    cl_rpc_result_free(&result);
    cl_rpc_client_free(client);
    return status.reason;
}

static void only_the_right_certificates_connect(void **state)
{
    (void)state;
    assert_int_equal(call_with(pki.ca, pki.client_cert, pki.client_key, NULL), CL_OK);
    assert_int_equal(call_with(pki.ca, pki.client_cert, pki.client_key, "localhost"), CL_OK);
    assert_int_equal(call_with(pki.ca, pki.foreign_cert, pki.foreign_key, NULL), CL_PEER_UNREACHABLE);
    assert_int_equal(call_with(pki.foreign_ca, pki.client_cert, pki.client_key, NULL), CL_PEER_UNREACHABLE);
    assert_int_equal(call_with(pki.ca, pki.client_cert, pki.client_key, "elsewhere"), CL_PEER_UNREACHABLE);
    assert_int_equal(echo_handled, 2);
}

static void nobody_there_is_unreachable(void **state)
{
    (void)state;
    struct cl_rpc_client *client = echo_client(&pki, 1); /* tcpmux: nobody listens */
    struct cl_rpc_result result;
    struct cl_status status = cl_rpc_client_call(client, "/test.Echo/Unary", cl_bytes_text("x"), 3000, &result);
    assert_int_equal(status.reason, CL_PEER_UNREACHABLE);
    assert_int_equal(result.code, CL_GRPC_UNAVAILABLE);
    cl_rpc_result_free(&result);
    cl_rpc_client_free(client);
}

/* Before a byte of a call is sent the server has to be the party that is meant, not only one of the scheme's. */
/* Covers: COL-TLS-005 */
static void the_server_has_to_be_the_party_meant(void **state)
{
    (void)state;
    static const struct {
        const char *party;
        enum cl_reason reason;
    } rows[] = {
        {NULL, CL_OK},
        {"fund:cn-example", CL_OK},
        {"fund:cn-exampl", CL_PEER_UNREACHABLE},
        {"fund:cn-examples", CL_PEER_UNREACHABLE},
        {"fund:cn-other", CL_PEER_UNREACHABLE},
        {"bank:cn-alpha-js", CL_PEER_UNREACHABLE},
        {"", CL_PEER_UNREACHABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char target[32];
        (void)snprintf(target, sizeof target, "127.0.0.1:%u", echo.port);
        struct cl_rpc_client_options options = {.target = target,
                                                .ca_pem = pki.ca,
                                                .cert_pem = pki.client_cert,
                                                .key_pem = pki.client_key,
                                                .server_name = "localhost",
                                                .server_party = rows[i].party};
        struct cl_rpc_client *client = NULL;
        struct cl_rpc_result result;
        assert_true(cl_is_ok(cl_rpc_client_create(&client, &options)));
        struct cl_status status =
            cl_rpc_client_call(client, "/test.Echo/Unary", cl_bytes_text("hello"), TIMEOUT_MS, &result);
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].party == NULL ? "anybody" : rows[i].party, cl_status_name(status));
        }
        cl_rpc_result_free(&result);
        cl_rpc_client_free(client);
    }
}

static void options_that_cannot_work_are_refused(void **state)
{
    (void)state;
    struct cl_rpc_client *client = NULL;
    struct cl_rpc_client_options options = {.target = "127.0.0.1:1", .ca_pem = "no", .cert_pem = "no", .key_pem = "no"};
    assert_int_equal(cl_rpc_client_create(&client, &options).reason, CL_CONFIG_INVALID);

    struct cl_rpc_server *server = NULL;
    uint16_t port = 0;
    struct cl_rpc_server_options empty = {.poll_thread_count = 1, .accept_count = 1, .send_queue_max = 1};
    assert_true(cl_is_ok(cl_rpc_server_create(&server, &empty)));
    struct cl_rpc_listen listen = {
        .address = "127.0.0.1:0", .ca_pem = pki.ca, .cert_pem = pki.server_cert, .key_pem = pki.client_key};
    assert_int_equal(cl_rpc_server_listen_tls(server, &listen, &port).reason, CL_CONFIG_INVALID);
    char taken[32]; /* of the server that is running: no two processes share a port */
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", echo.port);
    listen = (struct cl_rpc_listen){
        .address = taken, .ca_pem = pki.ca, .cert_pem = pki.server_cert, .key_pem = pki.server_key};
    assert_int_equal(cl_rpc_server_listen_tls(server, &listen, &port).reason, CL_CONFIG_INVALID);
    cl_rpc_server_free(server);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_unary_call_is_answered),
        WITH_SERVER(messages_of_every_size_arrive_whole),
        WITH_SERVER(a_refusal_carries_its_details),
        WITH_SERVER(an_unknown_method_is_refused_at_once),
        WITH_SERVER(a_request_that_is_too_large_is_not_sent),
        WITH_SERVER(a_reply_that_is_too_large_becomes_a_refusal),
        WITH_SERVER(the_certificate_names_the_peer),
        WITH_SERVER(a_deadline_ends_the_call_on_both_sides),
        WITH_SERVER(a_deadline_without_time_to_answer_is_refused),
        WITH_SERVER(a_missing_deadline_is_refused),
        WITH_SERVER(a_far_deadline_is_clamped),
        WITH_SERVER(a_server_stream_keeps_its_order),
        cmocka_unit_test_setup_teardown(both_ways_at_once_keep_their_order, start_with_room, stop),
        WITH_SERVER(a_client_stream_is_read_as_it_is_dealt_with),
        WITH_SERVER(a_client_stream_may_be_answered_before_its_end),
        WITH_SERVER(a_client_stream_that_is_cut_is_left_alone),
        WITH_SERVER(an_empty_message_is_a_message),
        WITH_SERVER(a_receive_that_timed_out_is_taken_up_again),
        WITH_SERVER(a_cancel_wakes_the_receiver),
        WITH_SERVER(a_stream_of_another_thread_ends_with_its_peer),
        WITH_SERVER(a_stream_to_an_unknown_method_is_refused),
        WITH_SERVER(a_slow_reader_fills_the_queue),
        WITH_SERVER(the_server_has_to_be_the_party_meant),
        WITH_SERVER(only_the_right_certificates_connect),
        WITH_SERVER(nobody_there_is_unreachable),
        WITH_SERVER(options_that_cannot_work_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
