/* One fixed table of slots. A slot is written once, under the lock, before `count` (release) makes it visible; after
 * that only its atomic numbers change. So updates and the text need no lock, and a handle is simply the slot's address.
 *
 * All updates are relaxed: metrics order nothing. A histogram's count is the sum of its buckets at the time of reading,
 * so the text is consistent in itself ("+Inf" equals "_count") even while other threads observe; its sum may run a
 * moment ahead. */
#include "server/ops/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

struct slot {
    _Alignas(
        CACHE_LINE) _Atomic int64_t value; /* counter, gauge, a histogram's sum; a line of its own: no false sharing */
    _Atomic uint64_t buckets[OPS_BUCKETS_MAX + 1]; /* not cumulated; the last one is everything above */
    enum ops_type type;
    bool heads_family; /* the first slot of its name */
    const char *name;
    const char *help;
    const char *label; /* NULL: none */
    char label_value[OPS_LABEL_MAX + 1];
    struct ops_buckets shape;
    int64_t (*read)(void *user); /* NULL: `value` holds */
    void *user;
};

struct ops_counter {
    struct slot slot;
};
struct ops_gauge {
    struct slot slot;
};
struct ops_histogram {
    struct slot slot;
};

struct ops_metrics {
    struct slot slots[OPS_METRICS_MAX];
    _Atomic size_t count;
    pthread_mutex_t lock; /* of registering */
};

const struct ops_buckets ops_buckets_latency = {
    .bounds = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2000000, 5000000},
    .count = 15,
    .per_unit = 1000000,
};

struct cl_status ops_metrics_create(struct ops_metrics **out)
{
    struct ops_metrics *metrics = aligned_alloc(CACHE_LINE, sizeof *metrics);
    if (metrics == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    memset(metrics, 0, sizeof *metrics);
    (void)pthread_mutex_init(&metrics->lock, NULL); /* cannot fail without attributes on Linux */
    *out = metrics;
    return cl_ok();
}

void ops_metrics_free(struct ops_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

/* -- Registering --------------------------------------------------------------------------------------------- */

static bool is_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
    return len > 0 && text[len] == '\0' && (text[0] < '0' || text[0] > '9');
}

static bool is_power_of_ten(int64_t number)
{
    while (number > 1 && number % 10 == 0) {
        number /= 10;
    }
    return number == 1;
}

static void check_name(const struct ops_name *name)
{
    assert(is_name(name->name));
    assert(name->help != NULL && strpbrk(name->help, "\n\\") == NULL);
    assert((name->label == NULL) == (name->label_value == NULL));
    assert(name->label == NULL || is_name(name->label));
}

static void check_buckets(const struct ops_buckets *buckets)
{
    assert(buckets->count > 0 && buckets->count <= OPS_BUCKETS_MAX);
    assert(is_power_of_ten(buckets->per_unit));
    for (size_t i = 0; i < buckets->count; i++) {
        assert(buckets->bounds[i] >= 0);
        assert(i == 0 || buckets->bounds[i] > buckets->bounds[i - 1]);
    }
}

/* One name has one type, and each label value of it once. */
static bool heads_family(const struct ops_metrics *metrics, size_t count, const struct slot *new)
{
    bool heads = true;
    for (size_t i = 0; i < count; i++) {
        const struct slot *slot = &metrics->slots[i];
        if (strcmp(slot->name, new->name) != 0) {
            continue;
        }
        assert(slot->type == new->type);
        assert(slot->label != NULL && new->label != NULL &&strcmp(slot->label, new->label) == 0);
        assert(strcmp(slot->label_value, new->label_value) != 0);
        heads = false;
    }
    return heads;
}

static struct cl_status add(struct slot **out, struct ops_metrics *metrics, const struct ops_name *name,
                            const struct slot *like)
{
    check_name(name);
    (void)pthread_mutex_lock(&metrics->lock);
    size_t count = atomic_load_explicit(&metrics->count, memory_order_relaxed);
    if (count == OPS_METRICS_MAX) {
        (void)pthread_mutex_unlock(&metrics->lock);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct slot *slot = &metrics->slots[count];
    slot->type = like->type;
    slot->name = name->name;
    slot->help = name->help;
    slot->label = name->label;
    (void)snprintf(slot->label_value, sizeof slot->label_value, "%s", name->label == NULL ? "" : name->label_value);
    slot->shape = like->shape;
    slot->read = like->read;
    slot->user = like->user;
    slot->heads_family = heads_family(metrics, count, slot);
    atomic_store_explicit(&metrics->count, count + 1, memory_order_release);
    (void)pthread_mutex_unlock(&metrics->lock);
    *out = slot;
    return cl_ok();
}

struct cl_status ops_metrics_counter(struct ops_counter **out, struct ops_metrics *metrics, const struct ops_name *name)
{
    struct slot *slot = NULL;
    struct cl_status status = add(&slot, metrics, name, &(struct slot){.type = OPS_COUNTER});
    if (cl_is_ok(status)) {
        *out = (struct ops_counter *)slot;
    }
    return status;
}

struct cl_status ops_metrics_gauge(struct ops_gauge **out, struct ops_metrics *metrics, const struct ops_name *name)
{
    struct slot *slot = NULL;
    struct cl_status status = add(&slot, metrics, name, &(struct slot){.type = OPS_GAUGE});
    if (cl_is_ok(status)) {
        *out = (struct ops_gauge *)slot;
    }
    return status;
}

struct cl_status ops_metrics_histogram(struct ops_histogram **out, struct ops_metrics *metrics,
                                       const struct ops_name *name, const struct ops_buckets *buckets)
{
    check_buckets(buckets);
    struct slot *slot = NULL;
    struct cl_status status = add(&slot, metrics, name, &(struct slot){.type = OPS_HISTOGRAM, .shape = *buckets});
    if (cl_is_ok(status)) {
        *out = (struct ops_histogram *)slot;
    }
    return status;
}

struct cl_status ops_metrics_reader(struct ops_metrics *metrics, const struct ops_name *name, enum ops_type type,
                                    int64_t (*read)(void *user), void *user)
{
    assert(type == OPS_COUNTER || type == OPS_GAUGE);
    assert(read != NULL);
    struct slot *slot = NULL;
    return add(&slot, metrics, name, &(struct slot){.type = type, .read = read, .user = user});
}

/* -- Counting ------------------------------------------------------------------------------------------------ */

static void slot_add(struct slot *slot, int64_t change)
{
    (void)atomic_fetch_add_explicit(&slot->value, change, memory_order_relaxed);
}

void ops_counter_add(struct ops_counter *counter, uint64_t count)
{
    slot_add(&counter->slot, (int64_t)count);
}

void ops_gauge_set(struct ops_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->slot.value, value, memory_order_relaxed);
}

void ops_gauge_add(struct ops_gauge *gauge, int64_t change)
{
    slot_add(&gauge->slot, change);
}

void ops_histogram_observe(struct ops_histogram *histogram, int64_t value)
{
    struct slot *slot = &histogram->slot;
    size_t bucket = 0;
    while (bucket < slot->shape.count && value > slot->shape.bounds[bucket]) {
        bucket++;
    }
    size_t at = bucket < slot->shape.count ? bucket : OPS_BUCKETS_MAX;
    (void)atomic_fetch_add_explicit(&slot->buckets[at], 1, memory_order_relaxed);
    slot_add(slot, value);
}

/* -- Text ---------------------------------------------------------------------------------------------------- */

/* `value` steps of 1/per_unit as a decimal number, without floating point: 2500 of 1000000 is 0.002500. */
static void put_decimal(FILE *file, int64_t value, int64_t per_unit)
{
    int digits = 0;
    for (int64_t unit = per_unit; unit > 1; unit /= 10) {
        digits++;
    }
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    (void)fprintf(file, "%s%" PRIu64, value < 0 ? "-" : "", size / (uint64_t)per_unit);
    if (digits > 0) {
        (void)fprintf(file, ".%0*" PRIu64, digits, size % (uint64_t)per_unit);
    }
}

/* Labels with the escapes of the format; `bound` is a histogram's le, or NULL. */
static void put_label(FILE *file, const struct slot *slot, bool opens)
{
    if (slot->label == NULL) {
        return;
    }
    (void)fprintf(file, "%s%s=\"", opens ? "{" : "", slot->label);
    for (const char *c = slot->label_value; *c != '\0'; c++) {
        switch (*c) {
        case '\n':
            (void)fputs("\\n", file);
            break;
        case '"':
        case '\\':
            (void)fputc('\\', file);
            (void)fputc(*c, file);
            break;
        default:
            (void)fputc(*c, file);
        }
    }
    (void)fputs(opens ? "\"}" : "\",", file);
}

static void put_bucket(FILE *file, const struct slot *slot, const int64_t *bound, uint64_t cumulated)
{
    (void)fprintf(file, "%s_bucket{", slot->name);
    put_label(file, slot, false);
    (void)fputs("le=\"", file);
    if (bound == NULL) {
        (void)fputs("+Inf", file);
    } else {
        put_decimal(file, *bound, slot->shape.per_unit);
    }
    (void)fprintf(file, "\"} %" PRIu64 "\n", cumulated);
}

static void put_histogram(FILE *file, const struct slot *slot)
{
    uint64_t cumulated = 0;
    for (size_t i = 0; i < slot->shape.count; i++) {
        cumulated += atomic_load_explicit(&slot->buckets[i], memory_order_relaxed);
        put_bucket(file, slot, &slot->shape.bounds[i], cumulated);
    }
    cumulated += atomic_load_explicit(&slot->buckets[OPS_BUCKETS_MAX], memory_order_relaxed);
    put_bucket(file, slot, NULL, cumulated);
    (void)fprintf(file, "%s_sum", slot->name);
    put_label(file, slot, true);
    (void)fputc(' ', file);
    put_decimal(file, atomic_load_explicit(&slot->value, memory_order_relaxed), slot->shape.per_unit);
    (void)fprintf(file, "\n%s_count", slot->name);
    put_label(file, slot, true);
    (void)fprintf(file, " %" PRIu64 "\n", cumulated);
}

static void put_slot(FILE *file, const struct slot *slot)
{
    if (slot->type == OPS_HISTOGRAM) {
        put_histogram(file, slot);
        return;
    }
    int64_t value =
        slot->read != NULL ? slot->read(slot->user) : atomic_load_explicit(&slot->value, memory_order_relaxed);
    (void)fputs(slot->name, file);
    put_label(file, slot, true);
    (void)fprintf(file, " %" PRId64 "\n", value);
}

/* The format wants all lines of a name together, below one HELP and TYPE. */
static void put_family(FILE *file, const struct ops_metrics *metrics, size_t first, size_t count)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct slot *head = &metrics->slots[first];
    (void)fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", head->name, head->help, head->name, types[head->type]);
    for (size_t i = first; i < count; i++) {
        if (i == first || strcmp(metrics->slots[i].name, head->name) == 0) {
            put_slot(file, &metrics->slots[i]);
        }
    }
}

struct cl_status ops_metrics_text(char **out, size_t *len_out, struct ops_metrics *metrics)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    if (file == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    size_t count = atomic_load_explicit(&metrics->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (metrics->slots[i].heads_family) {
            put_family(file, metrics, i, count);
        }
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        free(text);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = text;
    *len_out = len;
    return cl_ok();
}
