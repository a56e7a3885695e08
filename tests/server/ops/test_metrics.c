/* metrics: the exact text, the exact sums under threads, the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/ops/metrics.h"

static struct ops_metrics *registry(void)
{
    struct ops_metrics *metrics = NULL;
    assert_true(cl_is_ok(ops_metrics_create(&metrics)));
    return metrics;
}

static void expect_text(struct ops_metrics *metrics, const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    assert_true(cl_is_ok(ops_metrics_text(&text, &len, metrics)));
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
    free(text);
}

static void an_empty_registry_has_no_text(void **state)
{
    (void)state;
    struct ops_metrics *metrics = registry();
    expect_text(metrics, "");
    ops_metrics_free(metrics);
    ops_metrics_free(NULL);
}

static void counters_and_gauges_are_told(void **state)
{
    (void)state;
    struct ops_metrics *metrics = registry();
    struct ops_counter *counter = NULL;
    struct ops_gauge *gauge = NULL;
    assert_true(cl_is_ok(ops_metrics_counter(&counter, metrics, &(struct ops_name){"a_total", "Things.", NULL, NULL})));
    assert_true(cl_is_ok(ops_metrics_gauge(&gauge, metrics, &(struct ops_name){"b", "Level.", NULL, NULL})));
    ops_counter_add(counter, 2);
    ops_counter_add(counter, 3);
    ops_gauge_set(gauge, 10);
    ops_gauge_add(gauge, -11);
    expect_text(metrics, "# HELP a_total Things.\n# TYPE a_total counter\na_total 5\n"
                         "# HELP b Level.\n# TYPE b gauge\nb -1\n");
    ops_metrics_free(metrics);
}

/* Registered apart, told together; label values cannot break out of their quotes. */
static void one_name_is_one_family(void **state)
{
    (void)state;
    struct ops_metrics *metrics = registry();
    struct ops_counter *one = NULL;
    struct ops_counter *other = NULL;
    struct ops_counter *two = NULL;
    assert_true(cl_is_ok(ops_metrics_counter(&one, metrics, &(struct ops_name){"a_total", "A.", "k", "x"})));
    assert_true(cl_is_ok(ops_metrics_counter(&other, metrics, &(struct ops_name){"b_total", "B.", NULL, NULL})));
    assert_true(cl_is_ok(ops_metrics_counter(&two, metrics, &(struct ops_name){"a_total", "A.", "k", "y\"} 9\n\\"})));
    ops_counter_add(two, 7);
    expect_text(metrics,
                "# HELP a_total A.\n# TYPE a_total counter\na_total{k=\"x\"} 0\na_total{k=\"y\\\"} 9\\n\\\\\"} 7\n"
                "# HELP b_total B.\n# TYPE b_total counter\nb_total 0\n");
    ops_metrics_free(metrics);
}

static void a_label_value_is_cut(void **state)
{
    (void)state;
    struct ops_metrics *metrics = registry();
    struct ops_counter *counter = NULL;
    char value[2 * OPS_LABEL_MAX] = {0};
    char expected[512];
    memset(value, 'v', sizeof value - 1);
    assert_true(cl_is_ok(ops_metrics_counter(&counter, metrics, &(struct ops_name){"a", "A.", "k", value})));
    (void)snprintf(expected, sizeof expected, "# HELP a A.\n# TYPE a counter\na{k=\"%.*s\"} 0\n", OPS_LABEL_MAX, value);
    expect_text(metrics, expected);
    ops_metrics_free(metrics);
}

static const struct ops_buckets three = {.bounds = {10, 2500, 1000000}, .count = 3, .per_unit = 1000000};

static void a_histogram_cumulates(void **state)
{
    (void)state;
    struct ops_metrics *metrics = registry();
    struct ops_histogram *histogram = NULL;
    const struct ops_name name = {"h_seconds", "H.", "m", "x"};
    assert_true(cl_is_ok(ops_metrics_histogram(&histogram, metrics, &name, &three)));
    static const int64_t observed[] = {0, 10, 11, 2500, 2501, 1000000, 1000001, 90000000};
    for (size_t i = 0; i < sizeof observed / sizeof observed[0]; i++) {
        ops_histogram_observe(histogram, observed[i]);
    }
    expect_text(metrics, "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
                         "h_seconds_bucket{m=\"x\",le=\"0.000010\"} 2\n"
                         "h_seconds_bucket{m=\"x\",le=\"0.002500\"} 4\n"
                         "h_seconds_bucket{m=\"x\",le=\"1.000000\"} 6\n"
                         "h_seconds_bucket{m=\"x\",le=\"+Inf\"} 8\n"
                         "h_seconds_sum{m=\"x\"} 92.005023\n"
                         "h_seconds_count{m=\"x\"} 8\n");
    ops_metrics_free(metrics);
}

static void whole_units_have_no_point(void **state)
{
    (void)state;
    struct ops_metrics *metrics = registry();
    struct ops_histogram *histogram = NULL;
    const struct ops_buckets buckets = {.bounds = {1, 64}, .count = 2, .per_unit = 1};
    const struct ops_name name = {"batch_size", "B.", NULL, NULL};
    assert_true(cl_is_ok(ops_metrics_histogram(&histogram, metrics, &name, &buckets)));
    ops_histogram_observe(histogram, 64);
    expect_text(metrics, "# HELP batch_size B.\n# TYPE batch_size histogram\nbatch_size_bucket{le=\"1\"} 0\n"
                         "batch_size_bucket{le=\"64\"} 1\nbatch_size_bucket{le=\"+Inf\"} 1\nbatch_size_sum 64\n"
                         "batch_size_count 1\n");
    ops_metrics_free(metrics);
}

static int64_t forty_two(void *user)
{
    return *(const int64_t *)user;
}

static void a_reader_is_asked_each_time(void **state)
{
    (void)state;
    struct ops_metrics *metrics = registry();
    int64_t value = 42;
    const struct ops_name name = {"r", "R.", NULL, NULL};
    assert_true(cl_is_ok(ops_metrics_reader(metrics, &name, OPS_GAUGE, forty_two, &value)));
    expect_text(metrics, "# HELP r R.\n# TYPE r gauge\nr 42\n");
    value = INT64_MIN;
    expect_text(metrics, "# HELP r R.\n# TYPE r gauge\nr -9223372036854775808\n");
    ops_metrics_free(metrics);
}

static void a_full_registry_refuses(void **state)
{
    (void)state;
    struct ops_metrics *metrics = registry();
    struct ops_counter *counter = NULL;
    char value[16];
    for (int i = 0; i < OPS_METRICS_MAX; i++) {
        (void)snprintf(value, sizeof value, "%d", i);
        assert_true(cl_is_ok(ops_metrics_counter(&counter, metrics, &(struct ops_name){"a", "A.", "k", value})));
    }
    struct ops_counter *last = counter;
    struct cl_status status = ops_metrics_counter(&counter, metrics, &(struct ops_name){"a", "A.", "k", "more"});
    assert_int_equal(status.reason, CL_MEMORY_LIMIT);
    assert_ptr_equal(counter, last); /* untouched */
    ops_metrics_free(metrics);
}

/* -- Threads ------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 50000 };

struct shared {
    struct ops_metrics *metrics;
    struct ops_counter *counter;
    struct ops_gauge *gauge;
    struct ops_histogram *histogram;
};

static void *count(void *argument)
{
    struct shared *shared = argument;
    for (int i = 0; i < ROUNDS; i++) {
        ops_counter_add(shared->counter, 1);
        ops_gauge_add(shared->gauge, i % 2 == 0 ? 1 : -1);
        ops_histogram_observe(shared->histogram, i % 3);
    }
    return NULL;
}

/* While others count: registers, and checks that each text is consistent in itself. */
static void *tell(void *argument)
{
    struct shared *shared = argument;
    for (int i = 0; i < 100; i++) {
        char value[16];
        char *text = NULL;
        size_t len = 0;
        struct ops_counter *counter = NULL;
        (void)snprintf(value, sizeof value, "%d", i);
        assert_true(
            cl_is_ok(ops_metrics_counter(&counter, shared->metrics, &(struct ops_name){"z", "Z.", "k", value})));
        assert_true(cl_is_ok(ops_metrics_text(&text, &len, shared->metrics)));
        const char *inf = strstr(text, "h_bucket{le=\"+Inf\"} ");
        const char *total = strstr(text, "h_count ");
        assert_non_null(inf);
        assert_non_null(total);
        assert_int_equal(strtoull(strchr(inf, ' ') + 1, NULL, 10), strtoull(strchr(total, ' ') + 1, NULL, 10));
        free(text);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    struct shared shared = {.metrics = registry()};
    const struct ops_buckets buckets = {.bounds = {0, 1}, .count = 2, .per_unit = 1};
    assert_true(
        cl_is_ok(ops_metrics_counter(&shared.counter, shared.metrics, &(struct ops_name){"c", "C.", NULL, NULL})));
    assert_true(cl_is_ok(ops_metrics_gauge(&shared.gauge, shared.metrics, &(struct ops_name){"g", "G.", NULL, NULL})));
    assert_true(cl_is_ok(
        ops_metrics_histogram(&shared.histogram, shared.metrics, &(struct ops_name){"h", "H.", NULL, NULL}, &buckets)));
    pthread_t threads[THREADS + 1];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, &shared), 0);
    }
    assert_int_equal(pthread_create(&threads[THREADS], NULL, tell, &shared), 0);
    for (int i = 0; i <= THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    char *text = NULL;
    size_t len = 0;
    assert_true(cl_is_ok(ops_metrics_text(&text, &len, shared.metrics)));
    assert_non_null(strstr(text, "\nc 200000\n"));
    assert_non_null(strstr(text, "\ng 0\n"));
    assert_non_null(strstr(text, "\nh_bucket{le=\"0\"} 66668\n")); /* 4 x 16667 of 0, 16667 of 1, 16666 of 2 */
    assert_non_null(strstr(text, "\nh_count 200000\n"));
    assert_non_null(strstr(text, "\nh_sum 199996\n"));
    free(text);
    ops_metrics_free(shared.metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_registry_has_no_text),   cmocka_unit_test(counters_and_gauges_are_told),
        cmocka_unit_test(one_name_is_one_family),          cmocka_unit_test(a_label_value_is_cut),
        cmocka_unit_test(a_histogram_cumulates),           cmocka_unit_test(whole_units_have_no_point),
        cmocka_unit_test(a_reader_is_asked_each_time),     cmocka_unit_test(a_full_registry_refuses),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
