/* load.h - calls a gRPC method over mutual TLS as fast as the server answers, or at a given rate.
 *
 * One thread, nghttp2 and OpenSSL; about three times as fast as gRPC core's client, so that a server can be filled from
 * one core. Owner: whoever opened a load closes it. Fails: a measurement that cannot be made is none, so everything
 * that goes wrong ends the process with a sentence; only calls that the server refuses are counted. */
#ifndef COLOAN_TESTS_BENCH_LOAD_H
#define COLOAN_TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"

#define LOAD_CONNECTIONS_MAX 2048
#define LOAD_STREAMS_MAX     128 /* at once on one connection */

struct load_peer {
    uint16_t port; /* of 127.0.0.1 */
    const char *ca_path, *certificate_path, *key_path;
};

struct load;

void load_open(struct load **out, const struct load_peer *peer, unsigned connections);
void load_close(struct load *load);

/* Answers what the server sends on quiet connections, for so long. */
void load_idle(struct load *load, int64_t ms);

struct load_plan {
    const char *path;                /* "/test.Echo/Unary" */
    const struct cl_bytes *requests; /* sent in this order, then again from the first when `again`, else the run ends */
    size_t request_count;
    bool again;
    unsigned at_once; /* on each connection */
    int64_t ms;
    int64_t calls_per_s; /* 0: the next call starts when one is answered */
    /* The reply to every keep_every'th request, borrowed; 0: none. */
    size_t keep_every;
    void (*kept)(void *user, size_t request, struct cl_bytes reply);
    void *user;
};

struct load_result {
    double calls_per_s, seconds;
    uint64_t calls, failed; /* failed: refused, or at a rate: not even started because all streams were taken */
    uint32_t p50_us, p99_us;
    size_t sent; /* requests */
};

void load_run(struct load_result *out, struct load *load, const struct load_plan *plan);

#endif
