#include "tests/support/postgres_proxy.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PORT = 6000, PAIRS_MAX = 16, BYTES_MAX = 1 << 20, LOOK_MS = 20 };

struct pair {
    int client, server; /* -1: none */
    enum postgres_mischief answer;
};

struct postgres_proxy {
    struct postgres_server upstream;
    int listener;
    atomic_bool stopping;
    atomic_int plan;
    pthread_t thread;
    struct pair pairs[PAIRS_MAX];
    size_t pair_count;
    char bytes[BYTES_MAX];
};

static struct sockaddr_un address_of(const struct postgres_server *server, unsigned port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%u", server->folder, port);
    return address;
}

static void accept_one(struct postgres_proxy *proxy)
{
    struct sockaddr_un address = address_of(&proxy->upstream, proxy->upstream.port);
    struct pair pair = {.client = accept(proxy->listener, NULL, NULL), .server = socket(AF_UNIX, SOCK_STREAM, 0)};
    assert(proxy->pair_count < PAIRS_MAX);
    if (pair.client < 0 || connect(pair.server, (const struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(pair.client);
        (void)close(pair.server);
        return;
    }
    proxy->pairs[proxy->pair_count++] = pair;
}

static void close_pair(struct pair *pair)
{
    (void)close(pair->client);
    (void)close(pair->server);
    pair->client = -1;
    pair->server = -1;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* False: the pair is over. */
static bool from_client(struct postgres_proxy *proxy, struct pair *pair)
{
    ssize_t len = recv(pair->client, proxy->bytes, BYTES_MAX, 0);
    if (len <= 0) {
        return false;
    }
    if (memmem(proxy->bytes, (size_t)len, "COMMIT", 6) != NULL &&
        memmem(proxy->bytes, (size_t)len, "BEGIN", 5) == NULL) {
        pair->answer = (enum postgres_mischief)atomic_exchange(&proxy->plan, PROXY_PASSES);
    }
    return pair->answer != PROXY_CUTS_BEFORE_COMMIT && send_all(pair->server, proxy->bytes, (size_t)len);
}

/* A NoticeResponse: 'N', its length, the fields severity, V, code, message, and a zero. */
static bool send_warning(int fd)
{
    static const char fields[] = "SWARNING\0VWARNING\0C01000\0Mnot replicated\0";
    char message[5 + sizeof fields] = {'N', 0, 0, 0, (char)(4 + sizeof fields)};
    memcpy(message + 5, fields, sizeof fields);
    return send_all(fd, message, sizeof message);
}

static bool from_server(struct postgres_proxy *proxy, struct pair *pair)
{
    ssize_t len = recv(pair->server, proxy->bytes, BYTES_MAX, 0);
    if (len <= 0 || pair->answer == PROXY_CUTS_AFTER_COMMIT) {
        return false;
    }
    bool sent = pair->answer != PROXY_WARNS_ON_COMMIT || send_warning(pair->client);
    pair->answer = PROXY_PASSES;
    return sent && send_all(pair->client, proxy->bytes, (size_t)len);
}

static void forget_closed(struct postgres_proxy *proxy)
{
    size_t kept = 0;
    for (size_t i = 0; i < proxy->pair_count; i++) {
        if (proxy->pairs[i].client >= 0) {
            proxy->pairs[kept++] = proxy->pairs[i];
        }
    }
    proxy->pair_count = kept;
}

static void *pass(void *argument)
{
    struct postgres_proxy *proxy = argument;
    while (!atomic_load(&proxy->stopping)) {
        struct pollfd fds[1 + 2 * PAIRS_MAX] = {{.fd = proxy->listener, .events = POLLIN}};
        size_t count = proxy->pair_count;
        for (size_t i = 0; i < count; i++) {
            fds[1 + 2 * i] = (struct pollfd){.fd = proxy->pairs[i].client, .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = proxy->pairs[i].server, .events = POLLIN};
        }
        (void)poll(fds, 1 + 2 * count, LOOK_MS);
        for (size_t i = 0; i < count; i++) {
            struct pair *pair = &proxy->pairs[i];
            bool open = fds[1 + 2 * i].revents == 0 || from_client(proxy, pair);
            open = open && (fds[2 + 2 * i].revents == 0 || from_server(proxy, pair));
            if (!open) {
                close_pair(pair);
            }
        }
        forget_closed(proxy);
        if (fds[0].revents != 0) {
            accept_one(proxy);
        }
    }
    return NULL;
}

struct postgres_proxy *postgres_proxy_start(const struct postgres_server *server)
{
    struct postgres_proxy *proxy = calloc(1, sizeof *proxy);
    assert(proxy != NULL);
    proxy->upstream = *server;
    proxy->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = address_of(server, PORT);
    (void)unlink(address.sun_path);
    int bound = bind(proxy->listener, (const struct sockaddr *)&address, sizeof address);
    int listening = listen(proxy->listener, PAIRS_MAX);
    int started = pthread_create(&proxy->thread, NULL, pass, proxy);
    assert(bound == 0 && listening == 0 && started == 0);
    return proxy;
}

void postgres_proxy_stop(struct postgres_proxy *proxy)
{
    atomic_store(&proxy->stopping, true);
    (void)pthread_join(proxy->thread, NULL);
    for (size_t i = 0; i < proxy->pair_count; i++) {
        close_pair(&proxy->pairs[i]);
    }
    (void)close(proxy->listener);
    free(proxy);
}

void postgres_proxy_uri(char out[POSTGRES_URI_BYTES], const struct postgres_proxy *proxy, const char *database_uri)
{
    const char *name = strstr(database_uri, "@/") + 2;
    struct postgres_server beside = proxy->upstream;
    char database[64];
    beside.port = PORT;
    (void)snprintf(database, sizeof database, "%.*s", (int)strcspn(name, "?"), name);
    postgres_server_uri(out, &beside, database);
}

void postgres_proxy_plan(struct postgres_proxy *proxy, enum postgres_mischief mischief)
{
    atomic_store(&proxy->plan, (int)mischief);
}
