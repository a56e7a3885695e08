#include "server/watch.h"

#include <stdlib.h>
#include <string.h>

/* Each reader takes a room's counters anew: metrics are read every few seconds, not in a loop. */

static int64_t api_value(const atomic_uint_least64_t *counter)
{
    return (int64_t)atomic_load_explicit(counter, memory_order_relaxed);
}

static int64_t api_calls(void *user)
{
    return api_value(&api_counters(((struct watch *)user)->api)->calls);
}

static int64_t api_replies(void *user)
{
    return api_value(&api_counters(((struct watch *)user)->api)->replies);
}

static int64_t api_repeats(void *user)
{
    return api_value(&api_counters(((struct watch *)user)->api)->repeats);
}

static int64_t api_refusals(void *user)
{
    return api_value(&api_counters(((struct watch *)user)->api)->refusals);
}

static int64_t push_streams(void *user)
{
    struct push_counters counters;
    push_counters(((struct watch *)user)->push, &counters);
    return (int64_t)counters.streams;
}

static int64_t push_events(void *user)
{
    struct push_counters counters;
    push_counters(((struct watch *)user)->push, &counters);
    return (int64_t)counters.events_sent;
}

static int64_t push_slow_readers(void *user)
{
    struct push_counters counters;
    push_counters(((struct watch *)user)->push, &counters);
    return (int64_t)counters.slow_readers;
}

static int64_t gate_connections(void *user)
{
    struct gate_counters counters;
    gate_counters(((struct watch *)user)->gate, &counters);
    return (int64_t)counters.connections_now;
}

static int64_t gate_handshakes(void *user)
{
    struct gate_counters counters;
    gate_counters(((struct watch *)user)->gate, &counters);
    return (int64_t)counters.handshakes;
}

static int64_t gate_handshake_failures(void *user)
{
    struct gate_counters counters;
    gate_counters(((struct watch *)user)->gate, &counters);
    uint64_t sum = 0;
    for (size_t i = 0; i < GATE_HANDSHAKE_FAILURE_COUNT; i++) {
        sum += counters.handshake_failures[i];
    }
    return (int64_t)sum;
}

static int64_t gate_cuts(void *user)
{
    struct gate_counters counters;
    gate_counters(((struct watch *)user)->gate, &counters);
    uint64_t sum = 0;
    for (size_t i = 0; i < GATE_CUT_COUNT; i++) {
        sum += counters.cuts[i];
    }
    for (size_t i = 0; i < FRAMES_VERDICT_COUNT; i++) {
        sum += counters.frame_cuts[i];
    }
    return (int64_t)sum;
}

/* Over all authorities. */
static int64_t source_sum(struct watch *watch, uint64_t (*value)(const struct source_stats *stats))
{
    uint64_t sum = 0;
    struct source_stats stats;
    for (size_t i = 0; source_stats_read(&stats, watch->source, i); i++) {
        sum += value(&stats);
    }
    return (int64_t)sum;
}

static uint64_t requests_of(const struct source_stats *stats)
{
    return stats->requests;
}

static uint64_t manual_of(const struct source_stats *stats)
{
    return stats->manual;
}

static uint64_t open_breakers_of(const struct source_stats *stats)
{
    return stats->breaker_open ? 1 : 0;
}

static int64_t source_requests(void *user)
{
    return source_sum(user, requests_of);
}

static int64_t source_manual(void *user)
{
    return source_sum(user, manual_of);
}

static int64_t source_open_breakers(void *user)
{
    return source_sum(user, open_breakers_of);
}

struct cl_status watch_register(struct watch *watch, struct ops_metrics *metrics)
{
    static const struct {
        const char *name, *help;
        enum ops_type type;
        int64_t (*read)(void *user);
    } rows[] = {
        {"coloan_calls_total", "Messages that reached the api, frames of streams among them.", OPS_COUNTER, api_calls},
        {"coloan_replies_total", "Calls answered with a signed reply.", OPS_COUNTER, api_replies},
        {"coloan_repeats_total", "Calls answered with the reply kept from before.", OPS_COUNTER, api_repeats},
        {"coloan_refusals_total", "Calls and streams refused with a reason.", OPS_COUNTER, api_refusals},
        {"coloan_push_streams", "Deliver streams open.", OPS_GAUGE, push_streams},
        {"coloan_push_events_total", "Events sent on streams, repeats among them.", OPS_COUNTER, push_events},
        {"coloan_push_slow_readers_total", "Streams ended because the bank did not read.", OPS_COUNTER,
         push_slow_readers},
        {"coloan_gate_connections", "Connections with a verified party.", OPS_GAUGE, gate_connections},
        {"coloan_gate_handshakes_total", "TLS handshakes completed.", OPS_COUNTER, gate_handshakes},
        {"coloan_gate_handshake_failures_total", "TLS handshakes that came to nothing.", OPS_COUNTER,
         gate_handshake_failures},
        {"coloan_gate_cuts_total", "Established connections ended by a rule of the gate.", OPS_COUNTER, gate_cuts},
        {"coloan_source_requests_total", "Requests to authorities, retries among them.", OPS_COUNTER, source_requests},
        {"coloan_source_manual_total", "Questions left to a person.", OPS_COUNTER, source_manual},
        {"coloan_source_open_breakers", "Authorities left alone for now.", OPS_GAUGE, source_open_breakers},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ops_name name = {.name = rows[i].name, .help = rows[i].help};
        struct cl_status status = ops_metrics_reader(metrics, &name, rows[i].type, rows[i].read, watch);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

struct cl_status watch_address(char *host_out, size_t host_bytes, uint16_t *port_out, const char *address)
{
    const char *colon = strrchr(address, ':');
    bool bracketed = address[0] == '[';
    if (colon == NULL || colon == address || (bracketed && colon[-1] != ']')) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    const char *host = bracketed ? address + 1 : address;
    size_t len = (size_t)(colon - host) - (bracketed ? 1 : 0);
    if (end == colon + 1 || *end != '\0' || port > UINT16_MAX || len == 0 || len >= host_bytes) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    memcpy(host_out, host, len);
    host_out[len] = '\0';
    *port_out = (uint16_t)port;
    return cl_ok();
}
