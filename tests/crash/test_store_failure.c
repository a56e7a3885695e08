/* A disk that fails under load. From the first failed write on, coloand answers STORE_FAILED and nothing else, is not
 * ready, and ends with status 4; on a healthy disk everything it acknowledged is there. The disk is a limit on the size
 * of the process's files, put on while it runs: writes past it fail, as on a full or broken one. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#include "tests/crash/centre.h"
#include "tests/support/tls_client.h"

enum { STATUS_STORE_FAILED = 4, HEALTHY_MS = 300, END_MS_MAX = 60000, LOOK_EVERY_MS = 5 };

static struct centre_files files;
static struct bank *bank;

static void start(struct process *out)
{
    assert_true(centre_start(out, &files));
    assert_int_equal(process_readiness(out), 200);
    assert_true(bank_connect(bank, out->port, BANK_BUSY));
}

/* Watches it end. A connection that never says a word keeps it stopping for a while, so that it can be watched. */
static struct process_end watch_end(struct process *process, unsigned *unready_out)
{
    *unready_out = 0;
    for (unsigned waited_ms = 0; waited_ms < END_MS_MAX; waited_ms += LOOK_EVERY_MS) {
        int readiness = process_readiness(process);
        *unready_out += readiness == 503;
        if (*unready_out > 0 && readiness == 200) {
            fail_msg("it was not ready, and then it was");
        }
        struct process_end end = process_wait(process, 0);
        if (end.ended) {
            return end;
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    return (struct process_end){.ended = false, .status = -1};
}

static void test_a_failing_disk_ends_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t log_bytes_more;
    } rows[] = {
        {"at once", INT64_MIN},
        {"where the log ends", 0},
        {"inside a page of the log", 4096 + 2048},
        {"some commits later", 200000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct process process;
        unsigned unready_count = 0;
        uint64_t failures_before = bank_counts(bank).store_failures;
        start(&process);
        int silent = tcp_connect(process.port);
        (void)poll(NULL, 0, HEALTHY_MS);
        int64_t limit =
            rows[i].log_bytes_more < 0 ? 0 : centre_file_bytes(&files, "coloan.db-wal") + rows[i].log_bytes_more;
        assert_true(process_limit_files(&process, limit));
        struct process_end end = watch_end(&process, &unready_count);
        process_kill(&process);
        bank_disconnect(bank);
        (void)close(silent);
        struct bank_counts counts = bank_counts(bank);
        (void)printf("%s: status %d, %llu answers STORE_FAILED, not ready %u times, %llu acknowledged before\n",
                     rows[i].name, end.status, (unsigned long long)(counts.store_failures - failures_before),
                     unready_count, (unsigned long long)counts.requests.acknowledged);
        assert_true(end.ended);
        assert_int_equal(end.status, STATUS_STORE_FAILED);
        assert_true(counts.store_failures > failures_before);
        assert_int_equal(counts.ok_after_failures, 0);
        assert_true(unready_count > 0);
    }
    const char *wrong = centre_verdict(bank, &files);
    if (wrong != NULL) {
        fail_msg("%s", wrong);
    }
    assert_true(bank_counts(bank).requests.acknowledged > 0);
}

/* SIGTERM came first, and the disk fails while what is under way is finished: that is no good order. */
static void test_a_disk_that_fails_while_it_stops(void **state)
{
    (void)state;
    struct process process;
    start(&process);
    int silent = tcp_connect(process.port); /* keeps it stopping for its grace */
    (void)poll(NULL, 0, HEALTHY_MS);
    assert_int_equal(kill(process.pid, SIGTERM), 0);
    assert_true(process_limit_files(&process, 0));
    struct process_end end = process_wait(&process, END_MS_MAX);
    process_kill(&process);
    bank_disconnect(bank);
    (void)close(silent);
    assert_true(end.ended);
    assert_int_equal(end.status, STATUS_STORE_FAILED);
    assert_int_equal(bank_counts(bank).ok_after_failures, 0);
    assert_null(bank_violation(bank));
}

/* The same limit that lets everything through changes nothing. */
static void test_a_wide_limit_is_none(void **state)
{
    (void)state;
    struct process process;
    start(&process);
    assert_true(process_limit_files(&process, INT64_C(1) << 40));
    (void)poll(NULL, 0, HEALTHY_MS);
    assert_false(process_wait(&process, 0).ended);
    assert_int_equal(process_readiness(&process), 200);
    process_kill(&process);
    bank_disconnect(bank);
    assert_null(bank_violation(bank));
}

/* A disk that fails before it serves: the same status, and no port. */
static void test_a_disk_that_fails_at_start(void **state)
{
    (void)state;
    struct process process;
    assert_true(process_spawn(&process, files.program, world_config_path(&files.world)));
    assert_true(process_limit_files(&process, 0));
    struct process_end end = process_wait(&process, END_MS_MAX);
    process_kill(&process);
    assert_true(end.ended);
    assert_int_equal(end.status, STATUS_STORE_FAILED);
}

int main(void)
{
    struct centre_options centre = {.extra = "stop_grace: 1s\n"};
    centre_open(&files, &centre);
    struct bank_options options = {.world = &files.world, .seed = 1, .thread_count = 3, .open_cases_max = 100};
    bank = bank_create(&options);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_disk_that_fails_at_start),
        cmocka_unit_test(test_a_wide_limit_is_none),
        cmocka_unit_test(test_a_disk_that_fails_while_it_stops),
        cmocka_unit_test(test_a_failing_disk_ends_it),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bank_disconnect(bank);
    bank_free(bank);
    centre_close(&files);
    return failed;
}
