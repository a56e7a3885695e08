#include "server/source/wires.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libcoloan/clock.h"

enum { READY_MAX = 64, WAIT_MS_MAX = 60 * 1000 };

struct wires {
    CURLM *multi;
    int epoll, wakeup;
    int64_t due_ms; /* curl's own timer, monotonic; -1: none */
};

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* -- What curl asks for -------------------------------------------------------------------------------------- */

/* Whether epoll watches the socket. What curl gives back may be wrong about that: a number is used again as soon as its
 * socket is closed, and a closed one left epoll by itself. */
static bool watch(const struct wires *wires, curl_socket_t socket, struct epoll_event *event, bool known)
{
    if (epoll_ctl(wires->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, event) == 0) {
        return true;
    }
    if (errno != (known ? ENOENT : EEXIST)) {
        return false;
    }
    return epoll_ctl(wires->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, event) == 0;
}

/* curl gives back what was assigned to a socket: anything but NULL tells that epoll knows it. Never fails: curl would end
 * all transfers. One that cannot be watched ends by its own timeout, unless curl asks for its socket again. */
static int watch_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *known)
{
    (void)easy;
    struct wires *wires = user;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(wires->epoll, EPOLL_CTL_DEL, socket, NULL);
        (void)curl_multi_assign(wires->multi, socket, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = socket};
    event.events |= (what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U;
    event.events |= (what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U;
    bool watched = watch(wires, socket, &event, known != NULL);
    (void)curl_multi_assign(wires->multi, socket, watched ? wires : NULL);
    return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    struct wires *wires = user;
    wires->due_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    return 0;
}

/* -- Making and freeing -------------------------------------------------------------------------------------- */

static bool set_up(struct wires *wires, size_t connections_max)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = wires->wakeup};
    return epoll_ctl(wires->epoll, EPOLL_CTL_ADD, wires->wakeup, &event) == 0 &&
           curl_multi_setopt(wires->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
           curl_multi_setopt(wires->multi, CURLMOPT_SOCKETDATA, wires) == CURLM_OK &&
           curl_multi_setopt(wires->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
           curl_multi_setopt(wires->multi, CURLMOPT_TIMERDATA, wires) == CURLM_OK &&
           curl_multi_setopt(wires->multi, CURLMOPT_MAXCONNECTS, (long)connections_max) == CURLM_OK;
}

struct cl_status wires_create(struct wires **out, size_t connections_max)
{
    struct wires *wires = calloc(1, sizeof *wires);
    if (wires == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    wires->due_ms = -1;
    wires->multi = curl_multi_init();
    wires->epoll = epoll_create1(EPOLL_CLOEXEC);
    wires->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool made = wires->multi != NULL && wires->epoll >= 0 && wires->wakeup >= 0;
    if (!made || !set_up(wires, connections_max)) {
        wires_free(wires);
        return cl_fail(made ? CL_SYSTEM : CL_MEMORY_LIMIT);
    }
    *out = wires;
    return cl_ok();
}

void wires_free(struct wires *wires)
{
    if (wires == NULL) {
        return;
    }
    if (wires->multi != NULL) {
        (void)curl_multi_cleanup(wires->multi); /* tells epoll of each socket it closes */
    }
    if (wires->epoll >= 0) {
        (void)close(wires->epoll);
    }
    if (wires->wakeup >= 0) {
        (void)close(wires->wakeup);
    }
    free(wires);
}

CURLM *wires_multi(const struct wires *wires)
{
    return wires->multi;
}

/* -- Turning ------------------------------------------------------------------------------------------------- */

void wires_wake(struct wires *wires)
{
    const uint64_t one = 1;
    ssize_t written = write(wires->wakeup, &one, sizeof one); /* full: it is awake already */
    (void)written;
}

static void act(struct wires *wires, const struct epoll_event *ready)
{
    int running = 0;
    if (ready->data.fd == wires->wakeup) {
        uint64_t count = 0;
        ssize_t got = read(wires->wakeup, &count, sizeof count);
        (void)got;
        return;
    }
    int what = 0;
    what |= (ready->events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
    what |= (ready->events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
    what |= (ready->events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
    (void)curl_multi_socket_action(wires->multi, ready->data.fd, what, &running);
}

static int wait_of(const struct wires *wires, int64_t wait_ms)
{
    int64_t left_ms = wires->due_ms < 0 ? wait_ms : wires->due_ms - now_ms();
    left_ms = left_ms < wait_ms ? left_ms : wait_ms;
    left_ms = left_ms < WAIT_MS_MAX ? left_ms : WAIT_MS_MAX;
    return left_ms > 0 ? (int)left_ms : 0;
}

void wires_turn(struct wires *wires, int64_t wait_ms)
{
    struct epoll_event ready[READY_MAX];
    int running = 0;
    int count = epoll_wait(wires->epoll, ready, READY_MAX, wait_of(wires, wait_ms));
    for (int i = 0; i < count; i++) {
        act(wires, &ready[i]);
    }
    if (wires->due_ms >= 0 && wires->due_ms <= now_ms()) {
        wires->due_ms = -1; /* unless it is set anew */
        (void)curl_multi_socket_action(wires->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}
