#include "server/store/checkpointer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct checkpointer {
    struct sql *sql; /* the thread's */
    pthread_t thread;
    bool running;          /* the owner's */
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool busy, stopping;
};

static bool wait_for_round(struct checkpointer *checkpointer)
{
    (void)pthread_mutex_lock(&checkpointer->mutex);
    while (!checkpointer->busy && !checkpointer->stopping) {
        (void)pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
    }
    bool begun = checkpointer->busy;
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    return begun;
}

static void *run(void *argument)
{
    struct checkpointer *checkpointer = argument;
    while (wait_for_round(checkpointer)) {
        struct cl_status status = sql_checkpoint(checkpointer->sql, false);
        (void)status; /* a failure is latched, and the writer meets it */
        (void)pthread_mutex_lock(&checkpointer->mutex);
        checkpointer->busy = false;
        (void)pthread_mutex_unlock(&checkpointer->mutex);
    }
    return NULL;
}

struct cl_status checkpointer_create(struct checkpointer **out, const char *path, struct sql_health *health)
{
    struct checkpointer *checkpointer = calloc(1, sizeof *checkpointer);
    if (checkpointer == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    (void)pthread_mutex_init(&checkpointer->mutex, NULL);
    (void)pthread_cond_init(&checkpointer->changed, NULL);
    struct cl_status status = sql_open(&checkpointer->sql, path, SQL_WRITE, health);
    if (cl_is_ok(status)) {
        checkpointer->running = pthread_create(&checkpointer->thread, NULL, run, checkpointer) == 0;
        status = checkpointer->running ? cl_ok() : cl_fail(CL_SYSTEM);
    }
    if (cl_failed(status)) {
        checkpointer_free(checkpointer);
        return status;
    }
    (void)pthread_setname_np(checkpointer->thread, "checkpoint");
    *out = checkpointer;
    return cl_ok();
}

void checkpointer_free(struct checkpointer *checkpointer)
{
    if (checkpointer == NULL) {
        return;
    }
    if (checkpointer->running) {
        (void)pthread_mutex_lock(&checkpointer->mutex);
        checkpointer->stopping = true;
        (void)pthread_cond_signal(&checkpointer->changed);
        (void)pthread_mutex_unlock(&checkpointer->mutex);
        (void)pthread_join(checkpointer->thread, NULL);
    }
    sql_close(checkpointer->sql);
    (void)pthread_cond_destroy(&checkpointer->changed);
    (void)pthread_mutex_destroy(&checkpointer->mutex);
    free(checkpointer);
}

void checkpointer_begin(struct checkpointer *checkpointer)
{
    (void)pthread_mutex_lock(&checkpointer->mutex);
    assert(!checkpointer->busy);
    checkpointer->busy = true;
    (void)pthread_cond_signal(&checkpointer->changed);
    (void)pthread_mutex_unlock(&checkpointer->mutex);
}

bool checkpointer_busy(struct checkpointer *checkpointer)
{
    (void)pthread_mutex_lock(&checkpointer->mutex);
    bool busy = checkpointer->busy;
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    return busy;
}
