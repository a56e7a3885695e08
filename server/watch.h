/* watch.h - what operators see of each room: its counters, registered as metrics.
 *
 * The struct is borrowed by the registry; it and the rooms outlive the metrics' use. */
#ifndef COLOAN_SERVER_WATCH_H
#define COLOAN_SERVER_WATCH_H

#include "server/api/api.h"
#include "server/gate/gate.h"
#include "server/ops/metrics.h"
#include "server/push/callbacks.h"
#include "server/push/push.h"
#include "server/source/source.h"

struct watch {
    struct api *api;
    struct gate *gate;
    struct push *push;
    struct callbacks *callbacks; /* NULL: no bank is called */
    size_t bank_count;           /* whose metrics are registered */
    struct source *source;
    struct store *store;
    const struct cl_clock *clock;
    struct ops_histogram *replies[API_METHOD_COUNT]; /* NULL of a stream */
    struct ops_histogram *decisions;
};

/* Registers how long things take, before there is an api, and makes what tells us. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status watch_meter(struct api_meter *out, struct watch *watch, struct ops_metrics *metrics);

/* Registers the rooms' counters, once all rooms are set. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status watch_register(struct watch *watch, struct ops_metrics *metrics);

/* Registers the metrics of banks that have events since the last time: main thread, at each tick. What finds no room any
 * more is left out. */
void watch_banks(struct watch *watch, struct ops_metrics *metrics);

/* "127.0.0.1:9464" or "[::1]:9464" taken apart. CONFIG_INVALID. */
CL_MUST_CHECK struct cl_status watch_address(char *host_out, size_t host_bytes, uint16_t *port_out,
                                             const char *address);

#endif
