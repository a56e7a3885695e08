/* notify.h - tells the service manager that the server is ready, alive, reloading or stopping (sd_notify's datagram
 * protocol).
 *
 * The struct holds one socket, made by ops_notify_init, given back by ops_notify_close. Any thread may send: a message
 * is one datagram. Started by hand, without a manager, everything succeeds and does nothing. Fails: an environment that
 * makes no sense is CONFIG_INVALID; a manager that cannot be reached is SYSTEM. */
#ifndef COLOAN_SERVER_OPS_NOTIFY_H
#define COLOAN_SERVER_OPS_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "libcoloan/status.h"

/* What the manager puts into the environment; each may be NULL. Borrowed only during ops_notify_init. */
struct ops_notify_environment {
    const char *notify_socket; /* NOTIFY_SOCKET: a path, or '@' and an abstract name */
    const char *watchdog_usec; /* WATCHDOG_USEC */
    const char *watchdog_pid;  /* WATCHDOG_PID: whom the watchdog watches */
    int64_t own_pid;
};

struct ops_notify {
    int fd; /* -1: no manager */
    struct sockaddr_un address;
    socklen_t address_len;
    int64_t watchdog_ms; /* how often to send OPS_NOTIFY_ALIVE, half of what the manager grants; 0: never */
};

enum ops_notify_message { OPS_NOTIFY_READY, OPS_NOTIFY_ALIVE, OPS_NOTIFY_RELOADING, OPS_NOTIFY_STOPPING };

/* This process's own. */
struct ops_notify_environment ops_notify_environment(void);

CL_MUST_CHECK struct cl_status ops_notify_init(struct ops_notify *out,
                                               const struct ops_notify_environment *environment);
void ops_notify_close(struct ops_notify *notify);

/* Waits at most a second for a manager that does not read. After OPS_NOTIFY_RELOADING the reload ends with
 * OPS_NOTIFY_READY. */
CL_MUST_CHECK struct cl_status ops_notify_send(const struct ops_notify *notify, enum ops_notify_message message);

#endif
