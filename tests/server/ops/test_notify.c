/* notify: a real datagram socket stands for the service manager. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "server/ops/notify.h"

struct manager {
    int fd;
    char address[64];
};

static void open_manager(struct manager *manager, char kind)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(manager->address, sizeof manager->address, "%ctmp/coloan-notify-%d", kind, (int)getpid());
    size_t len = strlen(manager->address);
    memcpy(address.sun_path, manager->address, len);
    if (kind == '@') {
        address.sun_path[0] = '\0';
    } else {
        (void)unlink(manager->address);
    }
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(manager->fd >= 0);
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address, address_len), 0);
}

static void close_manager(struct manager *manager)
{
    (void)close(manager->fd);
    if (manager->address[0] == '/') {
        (void)unlink(manager->address);
    }
}

static void expect(const struct manager *manager, const char *text)
{
    char got[128] = {0};
    ssize_t len = recv(manager->fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_int_equal(len, (ssize_t)strlen(text));
    assert_string_equal(got, text);
}

static void talk(char kind)
{
    struct manager manager;
    struct ops_notify notify;
    open_manager(&manager, kind);
    assert_true(cl_is_ok(ops_notify_init(&notify, &(struct ops_notify_environment){.notify_socket = manager.address})));
    assert_int_equal(notify.watchdog_ms, 0);
    assert_true(cl_is_ok(ops_notify_send(&notify, OPS_NOTIFY_READY)));
    expect(&manager, "READY=1");
    assert_true(cl_is_ok(ops_notify_send(&notify, OPS_NOTIFY_ALIVE)));
    expect(&manager, "WATCHDOG=1");
    assert_true(cl_is_ok(ops_notify_send(&notify, OPS_NOTIFY_STOPPING)));
    expect(&manager, "STOPPING=1");
    close_manager(&manager);
    assert_int_equal(ops_notify_send(&notify, OPS_NOTIFY_ALIVE).reason, CL_SYSTEM); /* nobody there any more */
    ops_notify_close(&notify);
    ops_notify_close(&notify);
}

static void a_manager_at_a_path_hears(void **state)
{
    (void)state;
    talk('/');
}

static void a_manager_at_an_abstract_name_hears(void **state)
{
    (void)state;
    talk('@');
}

static void a_reload_tells_its_time(void **state)
{
    (void)state;
    struct manager manager;
    struct ops_notify notify;
    char got[128] = {0};
    open_manager(&manager, '@');
    assert_true(cl_is_ok(ops_notify_init(&notify, &(struct ops_notify_environment){.notify_socket = manager.address})));
    int64_t before_us = cl_monotonic_us();
    assert_true(cl_is_ok(ops_notify_send(&notify, OPS_NOTIFY_RELOADING)));
    assert_true(recv(manager.fd, got, sizeof got - 1, MSG_DONTWAIT) > 0);
    static const char start[] = "RELOADING=1\nMONOTONIC_USEC=";
    assert_memory_equal(got, start, sizeof start - 1);
    int64_t told_us = strtoll(got + sizeof start - 1, NULL, 10);
    assert_in_range(told_us, (uintmax_t)before_us, (uintmax_t)cl_monotonic_us());
    ops_notify_close(&notify);
    close_manager(&manager);
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    struct ops_notify notify;
    const struct ops_notify_environment environment = {.watchdog_usec = "nonsense"};
    assert_true(cl_is_ok(ops_notify_init(&notify, &environment)));
    assert_true(cl_is_ok(ops_notify_send(&notify, OPS_NOTIFY_READY)));
    ops_notify_close(&notify);
}

/* A manager that never reads costs at most about a second, and is told as a failure. */
static void a_deaf_manager_does_not_hold_us(void **state)
{
    (void)state;
    struct manager manager;
    struct ops_notify notify;
    struct cl_status status = cl_ok();
    open_manager(&manager, '@');
    assert_true(cl_is_ok(ops_notify_init(&notify, &(struct ops_notify_environment){.notify_socket = manager.address})));
    int64_t started_ms = cl_clock_monotonic_ms(cl_clock_system());
    for (int i = 0; i < 100000 && cl_is_ok(status); i++) {
        status = ops_notify_send(&notify, OPS_NOTIFY_ALIVE);
    }
    assert_int_equal(status.reason, CL_SYSTEM);
    assert_true(cl_clock_monotonic_ms(cl_clock_system()) - started_ms < 5000);
    ops_notify_close(&notify);
    close_manager(&manager);
}

static void environments_are_checked(void **state)
{
    (void)state;
    static const char too_long[] = "/0123456789012345678901234567890123456789012345678901234567890123456789"
                                   "0123456789012345678901234567890123456789";
    static const struct {
        const char *name;
        struct ops_notify_environment environment;
        enum cl_reason reason;
        int64_t watchdog_ms;
    } rows[] = {
        {"no watchdog", {"/x", NULL, NULL, 7}, CL_OK, 0},
        {"watchdog", {"/x", "15000000", NULL, 7}, CL_OK, 7500},
        {"watchdog of us", {"/x", "15000000", "7", 7}, CL_OK, 7500},
        {"watchdog of another", {"/x", "15000000", "8", 7}, CL_OK, 0},
        {"shortest", {"/x", "100000", NULL, 7}, CL_OK, 50},
        {"too short", {"/x", "99999", NULL, 7}, CL_CONFIG_INVALID, 0},
        {"longest", {"/x", "1800000000", NULL, 7}, CL_OK, 900000},
        {"too long", {"/x", "1800000001", NULL, 7}, CL_CONFIG_INVALID, 0},
        {"huge", {"/x", "99999999999999999999", NULL, 7}, CL_CONFIG_INVALID, 0},
        {"negative", {"/x", "-15000000", NULL, 7}, CL_CONFIG_INVALID, 0},
        {"with a unit", {"/x", "15s", NULL, 7}, CL_CONFIG_INVALID, 0},
        {"empty", {"/x", "", NULL, 7}, CL_CONFIG_INVALID, 0},
        {"bad pid", {"/x", "15000000", "x", 7}, CL_CONFIG_INVALID, 0},
        {"relative path", {"x/y", NULL, NULL, 7}, CL_CONFIG_INVALID, 0},
        {"empty path", {"", NULL, NULL, 7}, CL_CONFIG_INVALID, 0},
        {"only a slash", {"/", NULL, NULL, 7}, CL_CONFIG_INVALID, 0},
        {"path that does not fit", {too_long, NULL, NULL, 7}, CL_CONFIG_INVALID, 0},
        {"vsock", {"vsock:2:1234", NULL, NULL, 7}, CL_CONFIG_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ops_notify notify = {.fd = -2};
        print_message("%s\n", rows[i].name);
        assert_int_equal(ops_notify_init(&notify, &rows[i].environment).reason, rows[i].reason);
        if (rows[i].reason == CL_OK) {
            assert_int_equal(notify.watchdog_ms, rows[i].watchdog_ms);
            ops_notify_close(&notify);
        } else {
            assert_int_equal(notify.fd, -2); /* untouched */
        }
    }
}

static void the_environment_is_read(void **state)
{
    (void)state;
    assert_int_equal(setenv("NOTIFY_SOCKET", "/here", 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "123", 1), 0);
    assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
    struct ops_notify_environment environment = ops_notify_environment();
    assert_string_equal(environment.notify_socket, "/here");
    assert_string_equal(environment.watchdog_usec, "123");
    assert_null(environment.watchdog_pid);
    assert_int_equal(environment.own_pid, getpid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manager_at_a_path_hears),       cmocka_unit_test(a_manager_at_an_abstract_name_hears),
        cmocka_unit_test(a_reload_tells_its_time),         cmocka_unit_test(without_a_manager_nothing_happens),
        cmocka_unit_test(a_deaf_manager_does_not_hold_us), cmocka_unit_test(environments_are_checked),
        cmocka_unit_test(the_environment_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
