/* What can happen to a transaction on a cluster, made to happen to a real one: backends ended at each moment, connections cut
 * around a COMMIT, warnings, serialization failures, a server that goes away. Nothing may be lost or done twice, and apply()
 * runs exactly as often as it has to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store/store.h"
#include "tests/support/postgres_proxy.h"
#include "tests/support/store_fixture.h"

static struct postgres_server server;

struct bench {
    char direct[POSTGRES_URI_BYTES], address[POSTGRES_URI_BYTES];
    struct postgres_proxy *proxy;
    struct store *store;
    atomic_uint failures;
};

static void count_failure(void *user)
{
    atomic_fetch_add(&((struct bench *)user)->failures, 1);
}

static void open_store(struct bench *bench, size_t queue_max)
{
    const struct store_options options = {.address = bench->address,
                                          .queue_max = queue_max,
                                          .clock = cl_clock_system(),
                                          .failed = count_failure,
                                          .user = bench};
    assert_int_equal(store_open(&bench->store, &options).reason, CL_OK);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    postgres_database_create(bench->direct, &server);
    bench->proxy = postgres_proxy_start(&server);
    postgres_proxy_uri(bench->address, bench->proxy, bench->direct);
    open_store(bench, 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    store_close(bench->store);
    postgres_proxy_stop(bench->proxy);
    postgres_database_drop(bench->direct);
    free(bench);
    return 0;
}

/* -- A command that counts its runs -------------------------------------------------------------------------- */

struct write {
    struct store_command command;
    struct bench *bench;
    unsigned number;
    bool kill_in_first_run, read_only;
    unsigned runs, agains;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t ended;
    bool is_done;
    struct cl_status status;
};

static const char KILL[] = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                           " AND application_name = 'coloand'";

static struct cl_status apply_write(struct store_command *command, struct store_tx *tx)
{
    struct write *write = (struct write *)command;
    struct message_row row = fixture_message(write->number);
    write->runs++;
    if (write->read_only) {
        struct message_duplicate duplicate;
        struct cl_arena *arena = NULL;
        struct cl_status status = cl_arena_create(&arena, 10000);
        if (cl_is_ok(status)) {
            status = messages_find_duplicate(&duplicate, store_tx_sql(tx), arena, "nobody", row.message_id);
            cl_arena_free(arena);
        }
        return status;
    }
    struct cl_status status = messages_add(tx, &row);
    if (write->kill_in_first_run && write->runs == 1) {
        (void)postgres_run(write->bench->direct, KILL);
        row = fixture_message(write->number + 1000);
        status = messages_add(tx, &row);
    }
    return status;
}

static void write_again(struct store_command *command)
{
    ((struct write *)command)->agains++;
}

static void write_done(struct store_command *command, struct cl_status status)
{
    struct write *write = (struct write *)command;
    (void)pthread_mutex_lock(&write->mutex);
    write->status = status;
    write->is_done = true;
    (void)pthread_cond_signal(&write->ended);
    (void)pthread_mutex_unlock(&write->mutex);
}

static void submit(struct write *write, struct bench *bench, unsigned number)
{
    write->command = (struct store_command){.apply = apply_write, .done = write_done, .again = write_again};
    write->bench = bench;
    write->number = number;
    (void)pthread_mutex_init(&write->mutex, NULL);
    (void)pthread_cond_init(&write->ended, NULL);
    assert_int_equal(store_submit(bench->store, &write->command).reason, CL_OK);
}

static struct cl_status wait_for(struct write *write)
{
    (void)pthread_mutex_lock(&write->mutex);
    while (!write->is_done) {
        (void)pthread_cond_wait(&write->ended, &write->mutex);
    }
    (void)pthread_mutex_unlock(&write->mutex);
    (void)pthread_cond_destroy(&write->ended);
    (void)pthread_mutex_destroy(&write->mutex);
    return write->status;
}

static void assert_written(struct bench *bench, const struct write *write, unsigned runs)
{
    assert_int_equal(write->status.reason, CL_OK);
    assert_int_equal(write->runs, runs);
    assert_int_equal(write->agains, runs - 1);
    assert_int_equal(postgres_run(bench->direct, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(atomic_load(&bench->failures), 0);
    assert_false(store_failed(bench->store));
}

/* -- One transaction ----------------------------------------------------------------------------------------- */

static void a_backend_ended_before_it_begins(void **state)
{
    struct bench *bench = *state;
    struct write write = {.runs = 0};
    (void)postgres_run(bench->direct, KILL);
    submit(&write, bench, 1);
    (void)wait_for(&write);
    assert_written(bench, &write, 1); /* BEGIN failed: nothing had run */
}

static void a_backend_ended_in_the_middle(void **state)
{
    struct bench *bench = *state;
    struct write write = {.kill_in_first_run = true};
    submit(&write, bench, 1);
    (void)wait_for(&write);
    assert_written(bench, &write, 2);
}

static void what_happens_around_a_commit(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum postgres_mischief mischief;
        unsigned runs;
    } rows[] = {
        {"nothing", PROXY_PASSES, 1},
        {"cut before the server heard of it", PROXY_CUTS_BEFORE_COMMIT, 2},
        {"cut before the answer came", PROXY_CUTS_AFTER_COMMIT, 1},
        {"a warning", PROXY_WARNS_ON_COMMIT, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *fresh = NULL;
        struct write write = {.runs = 0};
        assert_int_equal(set_up(&fresh), 0);
        struct bench *bench = fresh;
        postgres_proxy_plan(bench->proxy, rows[i].mischief);
        submit(&write, bench, 1);
        (void)wait_for(&write);
        if (write.runs != rows[i].runs) {
            fail_msg("%s: ran %u times", rows[i].name, write.runs);
        }
        assert_written(bench, &write, rows[i].runs);
        assert_int_equal(tear_down(&fresh), 0);
    }
}

static void a_transaction_that_only_reads_runs_again(void **state)
{
    struct bench *bench = *state;
    struct write write = {.read_only = true};
    postgres_proxy_plan(bench->proxy, PROXY_CUTS_AFTER_COMMIT);
    submit(&write, bench, 1);
    assert_int_equal(wait_for(&write).reason, CL_OK);
    assert_int_equal(write.runs, 2);
}

/* A trigger of the test's own fails the first `count` inserts, whatever is rolled back: sequences are not. */
static void fail_inserts(struct bench *bench, unsigned count, const char *sqlstate)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "CREATE SEQUENCE tries; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " IF nextval('tries') <= %u THEN RAISE EXCEPTION USING ERRCODE = '%s'; END IF; RETURN NEW; END $$;"
                   " CREATE TRIGGER fail BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION fail()",
                   count, sqlstate);
    (void)postgres_run(bench->direct, text);
}

static void what_the_server_gives_up_is_done_again(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        unsigned times, runs; /* 0: the store gives up */
        enum cl_reason expected;
    } rows[] = {
        {"40001", 1, 2, CL_OK},
        {"40P01", 3, 4, CL_OK},
        {"55P03", 2, 3, CL_OK},
        {"57014", 1, 2, CL_OK},
        {"40001", 9, 10, CL_OK},
        {"40001", 99, 0, CL_STORE_FAILED},
        {"53100", 1, 0, CL_STORE_FAILED},
        {"58030", 1, 0, CL_STORE_FAILED},
        {"XX001", 1, 0, CL_STORE_FAILED},
        {"23514", 1, 1, CL_INTERNAL},
        {"23505", 1, 1, CL_MESSAGE_ID_REUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *fresh = NULL;
        struct write write = {.runs = 0};
        assert_int_equal(set_up(&fresh), 0);
        struct bench *bench = fresh;
        fail_inserts(bench, rows[i].times, rows[i].sqlstate);
        submit(&write, bench, 1);
        struct cl_status status = wait_for(&write);
        if (status.reason != rows[i].expected || (rows[i].runs != 0 && write.runs != rows[i].runs)) {
            fail_msg("%s: %s after %u runs", rows[i].sqlstate, cl_status_name(status), write.runs);
        }
        assert_int_equal(postgres_run(bench->direct, "SELECT count(*) FROM messages"), rows[i].expected == CL_OK);
        assert_int_equal(atomic_load(&bench->failures), rows[i].expected == CL_STORE_FAILED);
        assert_int_equal(store_failed(bench->store), rows[i].expected == CL_STORE_FAILED);
        assert_int_equal(tear_down(&fresh), 0);
    }
}

/* -- A server that goes away --------------------------------------------------------------------------------- */

static struct cl_status ask_reader(struct sql *sql)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_ask(&statement, &row, sql, "SELECT count(*) FROM messages");
    if (cl_is_ok(status)) {
        sql_finish(statement);
    }
    return status;
}

static void commands_wait_and_readers_say_so_until_it_is_back(void **state)
{
    struct bench *bench = *state;
    enum { WAITING = 3 };
    static struct write writes[WAITING + 1];
    struct write one_more = {.runs = 0};
    struct sql *reader = NULL;
    store_close(bench->store);
    open_store(bench, WAITING);
    assert_int_equal(store_reader_open(&reader, bench->store).reason, CL_OK);
    assert_int_equal(ask_reader(reader).reason, CL_OK);
    postgres_server_stop(&server, "immediate");
    submit(&writes[0], bench, 0); /* the writer's */
    (void)usleep(300 * 1000);
    for (unsigned i = 1; i <= WAITING; i++) {
        submit(&writes[i], bench, i);
    }
    one_more.command = (struct store_command){.apply = apply_write, .done = write_done};
    assert_int_equal(store_submit(bench->store, &one_more.command).reason, CL_OVERLOADED);
    assert_int_equal(ask_reader(reader).reason, CL_STORE_UNREACHABLE);
    assert_int_equal(ask_reader(reader).reason, CL_STORE_UNREACHABLE);
    assert_false(store_failed(bench->store));
    postgres_server_start(&server);
    for (unsigned i = 0; i <= WAITING; i++) {
        assert_int_equal(wait_for(&writes[i]).reason, CL_OK);
    }
    assert_int_equal(postgres_run(bench->direct, "SELECT count(*) FROM messages"), WAITING + 1);
    (void)usleep(1100 * 1000);
    assert_int_equal(ask_reader(reader).reason, CL_OK);
    sql_close(reader);
}

static void a_stop_does_not_wait_for_ever(void **state)
{
    struct bench *bench = *state;
    struct write write = {.runs = 0};
    postgres_server_stop(&server, "immediate");
    int64_t before_ms = cl_clock_monotonic_ms(cl_clock_system());
    submit(&write, bench, 1);
    store_stop(bench->store);
    assert_int_equal(wait_for(&write).reason, CL_STORE_FAILED);
    assert_true(cl_clock_monotonic_ms(cl_clock_system()) - before_ms < 15 * 1000);
    postgres_server_start(&server);
}

static void no_server_is_told_at_once_when_opening(void **state)
{
    struct bench *bench = *state;
    struct store *store = NULL;
    const struct store_options options = {.address = "postgresql://coloan@/x?host=/nonexistent",
                                          .clock = cl_clock_system()};
    const struct store_options secret = {.address = "postgresql://coloan:secret@/x?host=/tmp",
                                         .clock = cl_clock_system()};
    (void)bench;
    assert_int_equal(store_open(&store, &options).reason, CL_STORE_UNREACHABLE);
    assert_int_equal(store_open(&store, &secret).reason, CL_CONFIG_INVALID);
    assert_null(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_backend_ended_before_it_begins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_backend_ended_in_the_middle, set_up, tear_down),
        cmocka_unit_test(what_happens_around_a_commit),
        cmocka_unit_test_setup_teardown(a_transaction_that_only_reads_runs_again, set_up, tear_down),
        cmocka_unit_test(what_the_server_gives_up_is_done_again),
        cmocka_unit_test_setup_teardown(commands_wait_and_readers_say_so_until_it_is_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_does_not_wait_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_server_is_told_at_once_when_opening, set_up, tear_down),
    };
    postgres_server_create(&server, "");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_server_remove(&server);
    return failed;
}
