#include "libcoloan/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "libcoloan/clock.h"

struct cl_queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    bool closed;
    size_t head, count, element_max; /* a ring: the oldest stands at head */
    void *elements[];
};

struct cl_status cl_queue_create(struct cl_queue **out, size_t element_max)
{
    assert(element_max > 0);
    struct cl_queue *queue = calloc(1, sizeof *queue + element_max * sizeof queue->elements[0]);
    if (queue == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    queue->element_max = element_max;
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->filled, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&queue->mutex, NULL);
    *out = queue;
    return cl_ok();
}

void cl_queue_free(struct cl_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    assert(queue->count == 0);
    (void)pthread_cond_destroy(&queue->filled);
    (void)pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

struct cl_status cl_queue_push(struct cl_queue *queue, void *element)
{
    struct cl_status status = cl_ok();
    (void)pthread_mutex_lock(&queue->mutex);
    if (queue->closed) {
        status = cl_fail(CL_SHUTTING_DOWN);
    } else if (queue->count == queue->element_max) {
        status = cl_fail(CL_OVERLOADED);
    } else {
        queue->elements[(queue->head + queue->count) % queue->element_max] = element;
        queue->count++;
        (void)pthread_cond_signal(&queue->filled);
    }
    (void)pthread_mutex_unlock(&queue->mutex);
    return status;
}

/* With the mutex held. */
static void wait_for_element(struct cl_queue *queue, int64_t wait_ms)
{
    struct timespec deadline = cl_monotonic_after(wait_ms < 0 ? 0 : wait_ms);
    while (queue->count == 0 && !queue->closed) {
        if (wait_ms < 0) {
            (void)pthread_cond_wait(&queue->filled, &queue->mutex);
        } else if (pthread_cond_timedwait(&queue->filled, &queue->mutex, &deadline) != 0) {
            return;
        }
    }
}

size_t cl_queue_take(struct cl_queue *queue, void **out, size_t max, int64_t wait_ms)
{
    (void)pthread_mutex_lock(&queue->mutex);
    wait_for_element(queue, wait_ms);
    size_t taken = queue->count < max ? queue->count : max;
    for (size_t i = 0; i < taken; i++) {
        out[i] = queue->elements[(queue->head + i) % queue->element_max];
    }
    queue->head = (queue->head + taken) % queue->element_max;
    queue->count -= taken;
    if (queue->count > 0) {
        (void)pthread_cond_signal(&queue->filled);
    }
    (void)pthread_mutex_unlock(&queue->mutex);
    return taken;
}

void cl_queue_close(struct cl_queue *queue)
{
    (void)pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    (void)pthread_cond_broadcast(&queue->filled);
    (void)pthread_mutex_unlock(&queue->mutex);
}

bool cl_queue_closed(struct cl_queue *queue)
{
    (void)pthread_mutex_lock(&queue->mutex);
    bool closed = queue->closed;
    (void)pthread_mutex_unlock(&queue->mutex);
    return closed;
}

size_t cl_queue_count(struct cl_queue *queue)
{
    (void)pthread_mutex_lock(&queue->mutex);
    size_t count = queue->count;
    (void)pthread_mutex_unlock(&queue->mutex);
    return count;
}
