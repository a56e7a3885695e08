/* wires.h - the sockets under the exchanges: one curl multi handle, driven by what epoll says is ready. What a turn costs
 * follows from what happened in it, not from how many requests are on the way.
 *
 * Owner: whoever made it. One thread turns it, and adds and takes handles; any thread wakes it. Fails: making. */
#ifndef COLOAN_SERVER_SOURCE_WIRES_H
#define COLOAN_SERVER_SOURCE_WIRES_H

#include <curl/curl.h>
#include <stdint.h>

#include "libcoloan/status.h"

struct wires;

/* `connections_max`: kept open for the next request. curl is ready to be used. MEMORY_LIMIT, SYSTEM. */
CL_MUST_CHECK struct cl_status wires_create(struct wires **out, size_t connections_max);

/* All handles were taken out of it. NULL is fine. */
void wires_free(struct wires *wires);

CURLM *wires_multi(const struct wires *wires);

/* The turn under way, or else the next one, ends its wait. */
void wires_wake(struct wires *wires);

/* Waits until something is ready, is due, or woke us, and at most so long; does what there is to do. What came to its end
 * is in curl_multi_info_read. */
void wires_turn(struct wires *wires, int64_t wait_ms);

#endif
