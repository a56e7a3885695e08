/* connection.h - one client: its sockets, its TLS session, its frames. Private to server/gate.
 *
 * Made by the accept thread and its own until the handshake is done; then handed to the pump, and the pump's. In both
 * it is in one list of that thread. It is freed by whoever has it. */
#ifndef COLOAN_GATE_CONNECTION_H
#define COLOAN_GATE_CONNECTION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/gate/frames.h"
#include "server/gate/peers.h"
#include "server/gate/tls.h"

/* Bytes that could not be passed on at once; data is NULL while there are none, which is nearly always. */
struct backlog {
    uint8_t *data;
    size_t at, len;
};

/* A file that epoll watches; the address of this struct is its name there. */
struct watched {
    struct connection *connection;
    int fd;          /* -1: closed */
    uint32_t events; /* 0: not in the set */
};

struct connection {
    struct connection *next, *previous;
    uint64_t number;
    struct watched client;  /* TCP */
    struct watched core;    /* our end of the socketpair; closed once the receiver closed its own */
    struct in6_addr source; /* an IPv4 address mapped, an IPv6 one cut to its /64 */
    struct tls_session *tls;
    struct peer *peer; /* NULL: not published, or closed again */
    struct frames frames;
    struct backlog to_core, to_client;
    uint32_t heard_bytes;        /* of the handshake */
    int64_t opened_ms, heard_ms; /* when it began in this thread; when the client last sent something */
    int64_t moved_ms;            /* when the client last took something of to_client */
    int64_t deadline_ms;         /* handshake; farewell */
    int64_t second_ms;           /* of the key updates counted */
    uint32_t key_updates_before;
    bool client_ended; /* it sends no more */
    bool farewell;     /* we said goodbye and wait for the client's end, so that no reset overtakes our words */
    bool dead;         /* to be freed when this round of events is over */
};

static inline bool backlog_is_empty(const struct backlog *backlog)
{
    return backlog->data == NULL;
}

void backlog_free(struct backlog *backlog);

/* Keeps a copy of bytes behind what is there. False without memory. */
bool backlog_add(struct backlog *backlog, struct cl_bytes bytes);

/* Sends what the socket takes. False when it is broken; backlog_is_empty when all is gone. */
bool backlog_send(struct backlog *backlog, int fd, size_t *sent_out);

/* Sends bytes, or keeps what the socket does not take. False when it is broken or without memory. */
bool backlog_pass(struct backlog *backlog, int fd, struct cl_bytes bytes);

/* Makes epoll watch for exactly `events` of `watched`; none takes it out of the set, because hang-ups cannot be masked
 * otherwise. False when the system refuses. */
bool watched_set(struct watched *watched, int epoll_fd, uint32_t events);
void watched_close(struct watched *watched, int epoll_fd); /* fine when it is closed */

void connection_link(struct connection **list, struct connection *connection);
void connection_unlink(struct connection **list, struct connection *connection);

/* Closes what is open and watched by `epoll_fd`. Not published, in no list. */
void connection_free(struct connection *connection, int epoll_fd);

#endif
