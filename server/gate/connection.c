#include "server/gate/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- Backlog -------------------------------------------------------------------------------------------------- */

void backlog_free(struct backlog *backlog)
{
    if (backlog->data != NULL) {
        explicit_bzero(backlog->data, backlog->len);
        free(backlog->data);
    }
    *backlog = (struct backlog){.data = NULL};
}

bool backlog_add(struct backlog *backlog, struct cl_bytes bytes)
{
    if (bytes.len == 0) {
        return true;
    }
    size_t held = backlog->len - backlog->at;
    uint8_t *data = malloc(held + bytes.len);
    if (data == NULL) {
        return false;
    }
    if (held > 0) {
        memcpy(data, backlog->data + backlog->at, held);
    }
    memcpy(data + held, bytes.data, bytes.len);
    backlog_free(backlog);
    *backlog = (struct backlog){.data = data, .len = held + bytes.len};
    return true;
}

/* How many bytes the socket took, or -1 when it is broken. */
static ssize_t send_some(int fd, struct cl_bytes bytes)
{
    ssize_t sent = 0;
    do {
        sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return sent;
    }
    return errno == EAGAIN ? 0 : -1;
}

bool backlog_send(struct backlog *backlog, int fd, size_t *sent_out)
{
    assert(!backlog_is_empty(backlog));
    ssize_t sent = send_some(fd, cl_bytes(backlog->data + backlog->at, backlog->len - backlog->at));
    if (sent < 0) {
        return false;
    }
    backlog->at += (size_t)sent;
    *sent_out = (size_t)sent;
    if (backlog->at == backlog->len) {
        backlog_free(backlog);
    }
    return true;
}

bool backlog_pass(struct backlog *backlog, int fd, struct cl_bytes bytes)
{
    if (bytes.len == 0) {
        return true;
    }
    if (!backlog_is_empty(backlog)) {
        return backlog_add(backlog, bytes);
    }
    ssize_t sent = send_some(fd, bytes);
    return sent >= 0 && backlog_add(backlog, cl_bytes(bytes.data + sent, bytes.len - (size_t)sent));
}

/* -- Watching ------------------------------------------------------------------------------------------------- */

bool watched_set(struct watched *watched, int epoll_fd, uint32_t events)
{
    if (events == watched->events || watched->fd < 0) {
        return true;
    }
    struct epoll_event event = {.events = events, .data.ptr = watched};
    int command = watched->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    watched->events = events;
    return epoll_ctl(epoll_fd, command, watched->fd, &event) == 0;
}

void watched_close(struct watched *watched, int epoll_fd)
{
    if (watched->fd < 0) {
        return;
    }
    /* close alone would leave it in the set while a fork of some other thread holds the file too */
    (void)watched_set(watched, epoll_fd, 0);
    (void)close(watched->fd);
    watched->fd = -1;
}

/* -- Life ----------------------------------------------------------------------------------------------------- */

void connection_link(struct connection **list, struct connection *connection)
{
    connection->next = *list;
    connection->previous = NULL;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    *list = connection;
}

void connection_unlink(struct connection **list, struct connection *connection)
{
    struct connection **from = connection->previous == NULL ? list : &connection->previous->next;
    *from = connection->next;
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    connection->next = connection->previous = NULL;
}

void connection_free(struct connection *connection, int epoll_fd)
{
    assert(connection->peer == NULL);
    watched_close(&connection->client, epoll_fd);
    watched_close(&connection->core, epoll_fd);
    tls_session_free(connection->tls);
    backlog_free(&connection->to_core);
    backlog_free(&connection->to_client);
    free(connection);
}
