#include "server/ops/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "libcoloan/clock.h"

enum {
    SEND_WAIT_S = 1,
    WATCHDOG_US_MIN = 100 * 1000,        /* a manager that wants to hear more often is misconfigured */
    WATCHDOG_US_MAX = 30 * 60 * 1000000, /* one that waits longer watches nothing */
    MESSAGE_BYTES_MAX = 64,
};

struct ops_notify_environment ops_notify_environment(void)
{
    return (struct ops_notify_environment){
        .notify_socket = getenv("NOTIFY_SOCKET"),
        .watchdog_usec = getenv("WATCHDOG_USEC"),
        .watchdog_pid = getenv("WATCHDOG_PID"),
        .own_pid = getpid(),
    };
}

static bool read_number(int64_t *out, const char *text, int64_t max)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > max) {
        return false;
    }
    *out = number;
    return true;
}

static struct cl_status read_watchdog(int64_t *out, const struct ops_notify_environment *environment)
{
    int64_t us = 0;
    int64_t pid = environment->own_pid;
    if (environment->watchdog_usec == NULL) {
        *out = 0;
        return cl_ok();
    }
    if (!read_number(&us, environment->watchdog_usec, WATCHDOG_US_MAX) || us < WATCHDOG_US_MIN) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    if (environment->watchdog_pid != NULL && !read_number(&pid, environment->watchdog_pid, INT32_MAX)) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    *out = pid == environment->own_pid ? us / 2 / 1000 : 0;
    return cl_ok();
}

static struct cl_status read_address(struct ops_notify *notify, const char *path)
{
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof notify->address.sun_path) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, path, len);
    if (path[0] == '@') {
        notify->address.sun_path[0] = '\0';
    }
    notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return cl_ok();
}

struct cl_status ops_notify_init(struct ops_notify *out, const struct ops_notify_environment *environment)
{
    struct ops_notify notify = {.fd = -1};
    if (environment->notify_socket == NULL) {
        *out = notify;
        return cl_ok();
    }
    struct cl_status status = read_address(&notify, environment->notify_socket);
    if (cl_failed(status)) {
        return status;
    }
    status = read_watchdog(&notify.watchdog_ms, environment);
    if (cl_failed(status)) {
        return status;
    }
    notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify.fd < 0) {
        return cl_fail(CL_SYSTEM);
    }
    const struct timeval wait = {.tv_sec = SEND_WAIT_S};
    if (setsockopt(notify.fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0) {
        (void)close(notify.fd);
        return cl_fail(CL_SYSTEM);
    }
    *out = notify;
    return cl_ok();
}

void ops_notify_close(struct ops_notify *notify)
{
    if (notify->fd >= 0) {
        (void)close(notify->fd);
    }
    notify->fd = -1;
}

struct cl_status ops_notify_send(const struct ops_notify *notify, enum ops_notify_message message)
{
    static const char *const texts[] = {"READY=1", "WATCHDOG=1", "RELOADING=1", "STOPPING=1"};
    char text[MESSAGE_BYTES_MAX];
    if (notify->fd < 0) {
        return cl_ok();
    }
    int len = snprintf(text, sizeof text, "%s", texts[message]);
    if (message == OPS_NOTIFY_RELOADING) { /* the manager tells an old reload from a new one by the time */
        len = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%" PRId64, texts[message], cl_monotonic_us());
    }
    ssize_t sent = 0;
    do {
        sent = sendto(notify->fd, text, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&notify->address,
                      notify->address_len);
    } while (sent < 0 && errno == EINTR);
    return sent == len ? cl_ok() : cl_fail(CL_SYSTEM);
}
