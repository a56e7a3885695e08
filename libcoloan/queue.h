/* queue.h - a bounded queue of pointers between threads: how modules hand each other owned work.
 *
 * Pushing moves ownership of the element to the queue, taking moves it to the taker. Any number of threads on both sides.
 * A push never waits: a full queue is the caller's to answer (OVERLOADED). After cl_queue_close pushes fail and takers get what is
 * left, then zero. */
#ifndef COLOAN_QUEUE_H
#define COLOAN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/status.h"

struct cl_queue;

CL_MUST_CHECK struct cl_status cl_queue_create(struct cl_queue **out, size_t element_max);
void cl_queue_free(struct cl_queue *queue); /* NULL is fine; must be empty and unused */

/* OVERLOADED when full, SHUTTING_DOWN when closed; the caller still owns the element then. */
CL_MUST_CHECK struct cl_status cl_queue_push(struct cl_queue *queue, void *element);

/* Waits up to `wait_ms` (negative: for ever) for at least one element, then takes up to `max` at once, oldest first.
 * Returns how many; zero on time-out, or when closed and empty. */
size_t cl_queue_take(struct cl_queue *queue, void **out, size_t max, int64_t wait_ms);

void cl_queue_close(struct cl_queue *queue);
bool cl_queue_closed(struct cl_queue *queue);
size_t cl_queue_count(struct cl_queue *queue);

#endif
