/* http: real requests over real sockets; what is answered, what is refused, what is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "server/ops/http.h"

enum { REPLY_BYTES_MAX = 64 * 1024, REPLY_MS_MAX = 10 * 1000 };

static struct ops_metrics *metrics;
static struct ops_http *http;
static atomic_bool healthy = true;
static atomic_bool ready = true;

static bool is_healthy(void *user)
{
    return user == &metrics && atomic_load(&healthy);
}

static bool is_ready(void *user)
{
    return user == &metrics && atomic_load(&ready);
}

static struct ops_http_options options(const char *address, uint16_t port)
{
    return (struct ops_http_options){.address = address,
                                     .port = port,
                                     .metrics = metrics,
                                     .healthy = is_healthy,
                                     .ready = is_ready,
                                     .user = &metrics};
}

static int set_up(void **state)
{
    (void)state;
    struct ops_counter *counter = NULL;
    const struct ops_name name = {"coloan_test_total", "Tests.", NULL, NULL};
    if (cl_failed(ops_metrics_create(&metrics)) || cl_failed(ops_metrics_counter(&counter, metrics, &name))) {
        return -1;
    }
    ops_counter_add(counter, 5);
    const struct ops_http_options chosen = options("127.0.0.1", 0);
    return cl_failed(ops_http_start(&http, &chosen)) ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    ops_http_stop(http);
    ops_metrics_free(metrics);
    return 0;
}

/* -- A client ------------------------------------------------------------------------------------------------ */

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Reads until the other side closes or nothing comes for REPLY_MS_MAX. */
static size_t read_all(int fd, char reply[REPLY_BYTES_MAX])
{
    size_t len = 0;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (len < REPLY_BYTES_MAX - 1 && poll(&poll_fd, 1, REPLY_MS_MAX) == 1) {
        ssize_t got = read(fd, reply + len, REPLY_BYTES_MAX - 1 - len);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    reply[len] = '\0';
    return len;
}

static void ask(char reply[REPLY_BYTES_MAX], const char *request)
{
    int fd = connect_to(ops_http_port(http));
    size_t len = strlen(request);
    assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
    (void)read_all(fd, reply);
    (void)close(fd);
}

static int code_of(const char *reply)
{
    return strncmp(reply, "HTTP/1.1 ", 9) == 0 ? atoi(reply + 9) : 0;
}

static const char *body_of(const char *reply)
{
    const char *end = strstr(reply, "\r\n\r\n");
    return end == NULL ? "" : end + 4;
}

/* -- Tests --------------------------------------------------------------------------------------------------- */

#define REST    " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#define METRICS "# HELP coloan_test_total Tests.\n# TYPE coloan_test_total counter\ncoloan_test_total 5\n"

static void each_request_has_its_answer(void **state)
{
    (void)state;
    static const struct {
        const char *name, *request;
        int code;
        const char *body; /* NULL: anything */
    } rows[] = {
        {"metrics", "GET /metrics" REST, 200, METRICS},
        {"metrics, with a query", "GET /metrics?name=x" REST, 200, METRICS},
        {"metrics, only headers", "HEAD /metrics" REST, 200, ""},
        {"health", "GET /healthz" REST, 200, "ok\n"},
        {"readiness", "GET /readyz" REST, 200, "ok\n"},
        {"root", "GET /" REST, 404, "not found\n"},
        {"other case", "GET /Metrics" REST, 404, "not found\n"},
        {"below", "GET /metrics/" REST, 404, "not found\n"},
        {"path tricks", "GET /x/../metrics" REST, 404, "not found\n"},
        {"post", "POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 405,
         NULL},
        {"a large post", "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n", 405,
         NULL},
        {"delete", "DELETE /healthz" REST, 405, NULL},
        {"unknown method", "BREW /healthz" REST, 405, NULL},
        {"no HTTP: closed without a word", "hello\r\n\r\n", 0, ""},
    };
    static char reply[REPLY_BYTES_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%s\n", rows[i].name);
        ask(reply, rows[i].request);
        assert_int_equal(code_of(reply), rows[i].code);
        if (rows[i].body != NULL) {
            assert_string_equal(body_of(reply), rows[i].body);
        }
    }
}

static void headers_say_what_it_is(void **state)
{
    (void)state;
    static char reply[REPLY_BYTES_MAX];
    ask(reply, "GET /metrics" REST);
    assert_non_null(strstr(reply, "Content-Type: " OPS_METRICS_CONTENT_TYPE "\r\n"));
    assert_non_null(strstr(reply, "Cache-Control: no-store\r\n"));
    ask(reply, "PUT /metrics" REST);
    assert_non_null(strstr(reply, "Allow: GET, HEAD\r\n"));
}

static void states_are_told_as_they_change(void **state)
{
    (void)state;
    static char reply[REPLY_BYTES_MAX];
    atomic_store(&ready, false);
    ask(reply, "GET /readyz" REST);
    assert_int_equal(code_of(reply), 503);
    assert_string_equal(body_of(reply), "unavailable\n");
    ask(reply, "GET /healthz" REST);
    assert_int_equal(code_of(reply), 200);
    atomic_store(&ready, true);
    atomic_store(&healthy, false);
    ask(reply, "GET /healthz" REST);
    assert_int_equal(code_of(reply), 503);
    ask(reply, "GET /readyz" REST);
    assert_int_equal(code_of(reply), 200);
    atomic_store(&healthy, true);
}

static void a_request_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static char request[64 * 1024];
    static char reply[REPLY_BYTES_MAX];
    int len = snprintf(request, sizeof request, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: ");
    memset(request + len, 'x', 4000);
    (void)strcpy(request + len + 4000, "\r\n\r\n");
    ask(reply, request);
    assert_int_equal(code_of(reply), 200);

    memset(request + len, 'x', sizeof request - (size_t)len - 8);
    (void)strcpy(request + sizeof request - 8, "\r\n\r\n");
    int fd = connect_to(ops_http_port(http));
    (void)send(fd, request, strlen(request), MSG_NOSIGNAL);
    (void)read_all(fd, reply);
    (void)close(fd);
    assert_int_not_equal(code_of(reply), 200);
}

/* 40 connections that say nothing: no more than the limit are held, and after their time they are gone. */
static void silent_connections_end(void **state)
{
    (void)state;
    enum { MANY = 40 };
    int fds[MANY];
    static char reply[REPLY_BYTES_MAX];
    int64_t started_ms = cl_clock_monotonic_ms(cl_clock_system());
    for (int i = 0; i < MANY; i++) {
        fds[i] = connect_to(ops_http_port(http));
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(read_all(fds[i], reply), 0);
        (void)close(fds[i]);
    }
    assert_true(cl_clock_monotonic_ms(cl_clock_system()) - started_ms < 20 * 1000);
    ask(reply, "GET /healthz" REST);
    assert_int_equal(code_of(reply), 200);
}

static void only_loopback_is_listened_on(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        enum cl_reason reason;
    } rows[] = {
        {"127.0.0.1", CL_OK},
        {"127.0.0.2", CL_OK},
        {"0.0.0.0", CL_CONFIG_INVALID},
        {"128.0.0.1", CL_CONFIG_INVALID},
        {"10.0.0.1", CL_CONFIG_INVALID},
        {"::", CL_CONFIG_INVALID},
        {"::ffff:10.0.0.1", CL_CONFIG_INVALID},
        {"localhost", CL_CONFIG_INVALID},
        {"127.0.0.1:80", CL_CONFIG_INVALID},
        {"", CL_CONFIG_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%s\n", rows[i].address);
        struct ops_http *other = NULL;
        const struct ops_http_options chosen = options(rows[i].address, 0);
        assert_int_equal(ops_http_start(&other, &chosen).reason, rows[i].reason);
        assert_true((other != NULL) == (rows[i].reason == CL_OK));
        ops_http_stop(other);
    }
}

static void a_taken_port_is_told(void **state)
{
    (void)state;
    struct ops_http *other = NULL;
    const struct ops_http_options chosen = options("127.0.0.1", ops_http_port(http));
    assert_int_equal(ops_http_start(&other, &chosen).reason, CL_SYSTEM);
    assert_null(other);
}

static void stop_ends_open_connections(void **state)
{
    (void)state;
    static char reply[REPLY_BYTES_MAX];
    struct ops_http *other = NULL;
    const struct ops_http_options chosen = options("127.0.0.1", 0);
    assert_true(cl_is_ok(ops_http_start(&other, &chosen)));
    int fd = connect_to(ops_http_port(other));
    int64_t started_ms = cl_clock_monotonic_ms(cl_clock_system());
    ops_http_stop(other);
    assert_int_equal(read_all(fd, reply), 0);
    assert_true(cl_clock_monotonic_ms(cl_clock_system()) - started_ms < 2000);
    (void)close(fd);
    ops_http_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_its_answer),    cmocka_unit_test(headers_say_what_it_is),
        cmocka_unit_test(states_are_told_as_they_change), cmocka_unit_test(a_request_that_is_too_long_is_refused),
        cmocka_unit_test(silent_connections_end),         cmocka_unit_test(only_loopback_is_listened_on),
        cmocka_unit_test(a_taken_port_is_told),           cmocka_unit_test(stop_ends_open_connections),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
