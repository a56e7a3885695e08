/* metrics.h - numbers about the running server, and their Prometheus text.
 *
 * A registry is made at start; each part registers its metrics and keeps the borrowed handles, which live as long as
 * the registry. Registering takes a lock. Adding to a counter, setting a gauge and observing take none: any thread, a
 * few nanoseconds. Rooms below ops that count on their own are read through ops_metrics_reader when the text is made.
 * Names, labels and help are constants of the code (a label's value may come from the configuration): a malformed name,
 * or one name with two types, is a bug and asserts. Values are numbers only; no personal value and no text of a peer
 * can get in. Fails: registering past OPS_METRICS_MAX, or without memory: MEMORY_LIMIT. */
#ifndef COLOAN_SERVER_OPS_METRICS_H
#define COLOAN_SERVER_OPS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "libcoloan/status.h"

#define OPS_METRICS_MAX 1024 /* some 30 methods x partner-independent outcomes, six of each bank, and the rest */
#define OPS_BUCKETS_MAX 16   /* of one histogram: a factor of two from 0.1 ms to 3 s */
#define OPS_LABEL_MAX   64   /* bytes of a label's value; a party id fits */

struct ops_metrics;
struct ops_counter;
struct ops_gauge;
struct ops_histogram;

enum ops_type { OPS_COUNTER, OPS_GAUGE, OPS_HISTOGRAM };

/* `name` like "coloan_messages_total"; `label` and `label_value` both set or both NULL. */
struct ops_name {
    const char *name;
    const char *help;
    const char *label;
    const char *label_value; /* copied, cut at OPS_LABEL_MAX */
};

/* Upper bounds, rising, in whole steps of 1/per_unit: with per_unit 1000000 and names in seconds, bounds and
 * observations are microseconds. */
struct ops_buckets {
    int64_t bounds[OPS_BUCKETS_MAX];
    size_t count;
    int64_t per_unit; /* a power of ten */
};

/* 0.1 ms to 5 s, observed in microseconds, told in seconds. */
extern const struct ops_buckets ops_buckets_latency;

CL_MUST_CHECK struct cl_status ops_metrics_create(struct ops_metrics **out);
void ops_metrics_free(struct ops_metrics *metrics); /* NULL is fine; handles end with it */

CL_MUST_CHECK struct cl_status ops_metrics_counter(struct ops_counter **out, struct ops_metrics *metrics,
                                                   const struct ops_name *name);
CL_MUST_CHECK struct cl_status ops_metrics_gauge(struct ops_gauge **out, struct ops_metrics *metrics,
                                                 const struct ops_name *name);
CL_MUST_CHECK struct cl_status ops_metrics_histogram(struct ops_histogram **out, struct ops_metrics *metrics,
                                                     const struct ops_name *name, const struct ops_buckets *buckets);

/* `read` is called on the thread that makes the text and must not block. `type` is OPS_COUNTER or OPS_GAUGE. */
CL_MUST_CHECK struct cl_status ops_metrics_reader(struct ops_metrics *metrics, const struct ops_name *name,
                                                  enum ops_type type, int64_t (*read)(void *user), void *user);

void ops_counter_add(struct ops_counter *counter, uint64_t count);
void ops_gauge_set(struct ops_gauge *gauge, int64_t value);
void ops_gauge_add(struct ops_gauge *gauge, int64_t change);
void ops_histogram_observe(struct ops_histogram *histogram, int64_t value);

/* The whole registry in Prometheus text format 0.0.4. The caller frees *out with free(). MEMORY_LIMIT without memory.
 */
CL_MUST_CHECK struct cl_status ops_metrics_text(char **out, size_t *len_out, struct ops_metrics *metrics);

#define OPS_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
