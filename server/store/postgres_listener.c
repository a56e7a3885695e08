#include "server/store/postgres_listener.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/store/postgres_link.h"

enum {
    LOOK_MS = 250,   /* so soon it sees that it has to end */
    PAUSE_MS = 1000, /* before it connects again */
};

struct sql_listener {
    char *address;
    char node[POSTGRES_NODE_HEX_BYTES];
    sql_heard *heard;
    void *user;
    pthread_t thread;
    bool running; /* the owner's */
    atomic_bool stopping;
};

static void pass_on(const struct sql_listener *listener, const char *told)
{
    size_t len = strlen(listener->node);
    bool from_somebody = strlen(told) > len && told[len] == ' ';
    if (from_somebody && strncmp(told, listener->node, len) != 0) {
        listener->heard(listener->user, told + len + 1);
    }
}

/* Until the connection is gone or the listener has to end. */
static void hear_all(const struct sql_listener *listener, struct postgres_link *link)
{
    enum postgres_outcome outcome = postgres_link_script(link, "LISTEN " POSTGRES_CHANNEL);
    if (outcome == POSTGRES_DONE) {
        listener->heard(listener->user, "");
    }
    while (outcome == POSTGRES_DONE && !atomic_load(&listener->stopping)) {
        char *told = NULL;
        outcome = postgres_link_hear(&told, link, LOOK_MS);
        if (told != NULL) {
            pass_on(listener, told);
            free(told);
        }
    }
}

static void *listen_on(void *argument)
{
    struct sql_listener *listener = argument;
    while (!atomic_load(&listener->stopping)) {
        struct postgres_link *link = NULL;
        if (cl_is_ok(postgres_link_open(&link, listener->address, SQL_READ, 0))) {
            hear_all(listener, link);
            postgres_link_close(link);
        }
        for (int ms = 0; ms < PAUSE_MS && !atomic_load(&listener->stopping); ms += LOOK_MS) {
            const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
            (void)nanosleep(&pause, NULL);
        }
    }
    return NULL;
}

struct cl_status postgres_listener_create(struct sql_listener **out, const char *address,
                                          const char node[POSTGRES_NODE_HEX_BYTES], sql_heard *heard, void *user)
{
    struct sql_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    listener->heard = heard;
    listener->user = user;
    listener->address = strdup(address);
    memcpy(listener->node, node, sizeof listener->node);
    listener->running = listener->address != NULL && pthread_create(&listener->thread, NULL, listen_on, listener) == 0;
    if (!listener->running) {
        struct cl_status status = cl_fail(listener->address == NULL ? CL_MEMORY_LIMIT : CL_SYSTEM);
        postgres_listener_free(listener);
        return status;
    }
    (void)pthread_setname_np(listener->thread, "listen");
    *out = listener;
    return cl_ok();
}

void postgres_listener_free(struct sql_listener *listener)
{
    if (listener->running) {
        atomic_store(&listener->stopping, true);
        (void)pthread_join(listener->thread, NULL);
    }
    free(listener->address);
    free(listener);
}
