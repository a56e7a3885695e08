/* SIGTERM under load: coloand ends with status 0 within its grace, and nothing acknowledged is lost. */
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

/* The margin is for a machine that is busy with other tests. */
enum { GRACE_MS = 4000, MARGIN_MS = 3000 };

static struct centre_files files;
static struct bank *bank;

/* Callers that say nothing and do not go away. */
struct silent {
    int handshake;                 /* never begun */
    struct tls_client *connection; /* of a party, without a call */
};

static void open_silent(struct silent *out, uint16_t port)
{
    int alert = -1;
    struct tls_client_options options = {.port = port, .files = &files.world.files, .name = "beta", .alpn = "h2"};
    out->handshake = tcp_connect(port);
    out->connection = tls_client_open(&options, &alert);
    assert_true(out->handshake >= 0);
    assert_non_null(out->connection);
}

static void close_silent(struct silent *silent)
{
    (void)close(silent->handshake);
    tls_client_close(silent->connection);
}

/* How long it took; fails when it did not end well or not within its grace. */
static int64_t stop(struct process *process, int signal)
{
    int64_t begin_ms = cl_clock_monotonic_ms(cl_clock_system());
    assert_int_equal(kill(process->pid, signal), 0);
    struct process_end end = process_wait(process, GRACE_MS + MARGIN_MS);
    int64_t took_ms = cl_clock_monotonic_ms(cl_clock_system()) - begin_ms;
    process_kill(process);
    bank_disconnect(bank);
    assert_true(end.ended);
    assert_int_equal(end.status, 0);
    if (bank_violation(bank) != NULL) {
        fail_msg("%s", bank_violation(bank));
    }
    return took_ms;
}

static void test_it_stops_in_good_order(void **state)
{
    (void)state;
    static const struct {
        int signal, after_ms;
        bool silent_callers;
    } rows[] = {
        {SIGTERM, 100, false}, {SIGINT, 200, false},  {SIGTERM, 300, false},
        {SIGINT, 400, false},  {SIGTERM, 500, false}, {SIGTERM, 200, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct process process;
        struct silent silent = {-1, NULL};
        assert_true(centre_start(&process, &files));
        assert_true(bank_connect(bank, process.port, BANK_BUSY));
        if (rows[i].silent_callers) {
            open_silent(&silent, process.port);
        }
        (void)poll(NULL, 0, rows[i].after_ms);
        int64_t took_ms = stop(&process, rows[i].signal);
        (void)printf("signal %d after %d ms%s: stopped after %lld ms\n", rows[i].signal, rows[i].after_ms,
                     rows[i].silent_callers ? ", with silent callers" : "", (long long)took_ms);
        if (rows[i].silent_callers) {
            close_silent(&silent);
        }
    }
    struct bank_counts counts = bank_counts(bank);
    assert_true(counts.requests.acknowledged > 0);
    assert_int_equal(counts.store_failures, 0);
    const char *wrong = centre_verdict(bank, &files);
    if (wrong != NULL) {
        fail_msg("%s", wrong);
    }
}

int main(void)
{
    struct centre_options centre = {.extra = "stop_grace: 4s\n"};
    centre_open(&files, &centre);
    struct bank_options options = {.world = &files.world, .seed = 1, .thread_count = 3, .open_cases_max = 100};
    bank = bank_create(&options);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_stops_in_good_order),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bank_disconnect(bank);
    bank_free(bank);
    centre_close(&files);
    return failed;
}
