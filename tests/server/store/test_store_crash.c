/* What was answered survives kill -9: a child commits and acknowledges over a pipe, the parent kills it at a random
 * moment, opens the store and compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/outbox.h"
#include "tests/support/store_fixture.h"

#define RECIPIENT "bank:cn-alpha-js"

enum { CYCLES = 200, EVENTS = 100, ACKED_MAX = 100000 };

struct event {
    struct store_command command;
    int pipe;
    uint32_t number;
};

/* One transaction: a message and its event, as a decision makes them. */
static struct cl_status apply_event(struct store_command *command, struct store_tx *tx)
{
    struct event *event = (struct event *)command;
    uint64_t sequence = 0;
    struct message_row message = fixture_message(EVENTS + event->number);
    struct outbox_row row = {.recipient = RECIPIENT,
                             .application_id = fixture_application_id(1),
                             .digest = message.digest,
                             .made_ms = event->number};
    struct cl_status status = messages_add(tx, &message);
    if (cl_is_ok(status)) {
        status = outbox_next(tx, RECIPIENT, &sequence);
    }
    if (cl_failed(status)) {
        return status;
    }
    row.sequence = sequence;
    return outbox_add(tx, &row);
}

static void event_done(struct store_command *command, struct cl_status status)
{
    struct event *event = (struct event *)command;
    if (cl_failed(status) || write(event->pipe, &event->number, sizeof event->number) != sizeof event->number) {
        _exit(2);
    }
    free(event);
}

static void run_child(const char *path, int pipe, uint32_t first)
{
    struct store *store = NULL;
    const struct store_options options = {
        .address = path, .clock = cl_clock_system(), .batch_max = 16, .queue_max = 64};
    if (cl_failed(store_open(&store, &options))) {
        _exit(3);
    }
    for (uint32_t number = first;;) {
        struct event *event = malloc(sizeof *event);
        *event = (struct event){.command = {.apply = apply_event, .done = event_done}, .pipe = pipe, .number = number};
        if (cl_is_ok(store_submit(store, &event->command))) {
            number++;
            continue;
        }
        free(event);
        (void)usleep(100);
    }
}

/* The first acknowledgement starts the clock, so that a slow start is no empty cycle. */
static size_t run_and_kill(const char *path, uint32_t first, uint32_t acked[ACKED_MAX])
{
    int ends[2];
    size_t count = 0;
    int wait_status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        run_child(path, ends[1], first);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &acked[count++], sizeof acked[0]), sizeof acked[0]);
    (void)usleep((unsigned)random() % 6000);
    assert_int_equal(kill(child, SIGKILL), 0);
    while (count < ACKED_MAX && read(ends[0], &acked[count], sizeof acked[0]) == sizeof acked[0]) {
        count++;
    }
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_true(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL);
    return count;
}

static int64_t ask(struct sql *sql, const char *text)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_int_equal(sql_prepare(&statement, sql, text).reason, CL_OK);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    assert_true(row);
    int64_t answer = sql_column_i64(statement, 0);
    sql_finish(statement);
    return answer;
}

/* All acknowledged events are there, each with its message, and the sequence has no gap. Returns the head. */
static uint32_t compare(const char *path, const uint32_t *acked, size_t count, bool check)
{
    static const char events[] = "SELECT count(*) FROM outbox";
    static const char messages[] = "SELECT count(*) FROM messages WHERE way = 1";
    struct store *store = NULL;
    struct sql *sql = NULL;
    struct cl_arena *arena = NULL;
    const struct store_options options = {.address = path, .clock = cl_clock_system()};
    assert_int_equal(store_open(&store, &options).reason, CL_OK);
    if (check) {
        assert_int_equal(store_check(store).reason, CL_OK);
    }
    assert_int_equal(store_reader_open(&sql, store).reason, CL_OK);
    assert_int_equal(cl_arena_create(&arena, 1 << 20).reason, CL_OK);
    for (size_t i = 0; i < count; i++) {
        struct message_row message = fixture_message(EVENTS + acked[i]);
        struct outbox_rows rows;
        bool found = false;
        assert_int_equal(messages_get(&found, &message, sql, arena, &message.digest).reason, CL_OK);
        assert_true(found);
        assert_int_equal(outbox_read(&rows, sql, arena, RECIPIENT, acked[i] - 1, 1, 0).reason, CL_OK);
        assert_int_equal(rows.count, 1);
        assert_int_equal(rows.rows[0].sequence, acked[i]);
        assert_true(cl_digest_equal(&rows.rows[0].digest, &message.digest));
        cl_arena_reset(arena);
    }
    struct outbox_state state;
    assert_int_equal(outbox_state(&state, sql, RECIPIENT).reason, CL_OK);
    assert_int_equal(ask(sql, events), (int64_t)state.head);
    assert_int_equal(ask(sql, messages), (int64_t)state.head + 1); /* and the submission */
    assert_true(count == 0 || state.head >= acked[count - 1]);
    cl_arena_free(arena);
    sql_close(sql);
    store_close(store);
    return (uint32_t)state.head;
}

/* Covers: COL-RPC-002 */
static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    static uint32_t acked[ACKED_MAX];
    struct store_fixture *fixture = store_fixture_create();
    char path[96];
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    /* The fixture's store stays closed while children own the file. */
    (void)snprintf(path, sizeof path, "%s", store_fixture_address(fixture));
    store_fixture_release(fixture);
    srandom(20261125);
    uint32_t head = compare(path, acked, 0, true);
    size_t total = 0;
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        size_t count = run_and_kill(path, head + 1, acked);
        total += count;
        head = compare(path, acked, count, cycle % 20 == 0 || cycle == CYCLES - 1);
    }
    print_message("%zu acknowledged, %u kept, none lost\n", total, head);
    assert_true(total >= CYCLES && total <= head);
    store_fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_acknowledged_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
