/* http.h - health and metrics over plain HTTP on loopback, for the machine's own monitoring.
 *
 *   GET /metrics   the registry as Prometheus text
 *   GET /healthz   200 while the process can do its work at all, else 503: whoever supervises it restarts it
 *   GET /readyz    200 while it takes new work, else 503: whoever balances load sends it elsewhere
 *
 * Nothing else is answered, nothing is read from a body, and only loopback addresses can be listened on: there is no
 * authentication here. Connections, memory for a request and the time it may take are bounded (the constants of
 * http.c). Owner: who started it. Answers come from libmicrohttpd's two threads; the functions in the options are
 * called there, must not block, and live until ops_http_stop returns. Fails: CONFIG_INVALID for an address that is not
 * loopback; SYSTEM when the port is taken. */
#ifndef COLOAN_SERVER_OPS_HTTP_H
#define COLOAN_SERVER_OPS_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/status.h"
#include "server/ops/metrics.h"

struct ops_http;

struct ops_http_options {
    const char *address;         /* "127.0.0.1" or "::1", or another of 127/8 */
    uint16_t port;               /* 0 lets the system choose */
    struct ops_metrics *metrics; /* borrowed */
    bool (*healthy)(void *user);
    bool (*ready)(void *user);
    void *user;
};

CL_MUST_CHECK struct cl_status ops_http_start(struct ops_http **out, const struct ops_http_options *options);
uint16_t ops_http_port(const struct ops_http *http); /* the bound one */
void ops_http_stop(struct ops_http *http);           /* NULL is fine; ends open connections, then frees */

#endif
