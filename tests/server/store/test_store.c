/* The writer: order, undoing, overload, stopping, one owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/outbox.h"
#include "server/store/store.h"
#include "tests/support/store_fixture.h"

#define RECIPIENT "bank:cn-alpha-js"

struct harness {
    char folder[64];
    char address[FIXTURE_ADDRESS_BYTES];
    struct store *store;
    atomic_uint commits, failures, done_ok, done_failed;
};

static void count_commit(void *user)
{
    atomic_fetch_add(&((struct harness *)user)->commits, 1);
}

static void count_failure(void *user)
{
    atomic_fetch_add(&((struct harness *)user)->failures, 1);
}

static struct store_options options_of(struct harness *harness)
{
    return (struct store_options){
        .address = harness->address,
        .clock = cl_clock_system(),
        .committed = count_commit,
        .failed = count_failure,
        .user = harness,
    };
}

static int set_up(void **state)
{
    struct harness *harness = calloc(1, sizeof *harness);
    fixture_make_folder(harness->folder);
    fixture_make_address(harness->address, harness->folder);
    *state = harness;
    return 0;
}

static int tear_down(void **state)
{
    struct harness *harness = *state;
    store_close(harness->store);
    fixture_drop_address(harness->address);
    fixture_remove_folder(harness->folder);
    free(harness);
    return 0;
}

static void open_store(struct harness *harness, size_t queue_max, size_t batch_max)
{
    struct store_options options = options_of(harness);
    options.queue_max = queue_max;
    options.batch_max = batch_max;
    assert_int_equal(store_open(&harness->store, &options).reason, CL_OK);
}

/* A command that writes one message, and may fail after it. */
struct write {
    struct store_command command;
    struct harness *harness;
    unsigned number;
    enum cl_reason fails;
    unsigned *order; /* where to note that it is done; NULL: nowhere */
    atomic_uint *turn;
};

static struct cl_status apply_write(struct store_command *command, struct store_tx *tx)
{
    struct write *write = (struct write *)command;
    struct message_row row = fixture_message(write->number);
    struct cl_status status = messages_add(tx, &row);
    return cl_failed(status) || write->fails == CL_OK ? status : cl_fail(write->fails);
}

static void write_done(struct store_command *command, struct cl_status status)
{
    struct write *write = (struct write *)command;
    atomic_fetch_add(cl_is_ok(status) ? &write->harness->done_ok : &write->harness->done_failed, 1);
    if (cl_failed(status) && status.reason != write->fails) {
        abort(); /* not on the test's thread */
    }
    if (write->order != NULL) {
        write->order[atomic_fetch_add(write->turn, 1)] = write->number;
    }
    free(write);
}

static struct write *make_write(struct harness *harness, unsigned number, enum cl_reason fails)
{
    struct write *write = calloc(1, sizeof *write);
    *write = (struct write){
        .command = {.apply = apply_write, .done = write_done}, .harness = harness, .number = number, .fails = fails};
    return write;
}

static int64_t count_messages(struct store *store)
{
    static const char text[] = "SELECT count(*) FROM messages";
    struct sql *sql = NULL;
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_int_equal(store_reader_open(&sql, store).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, sql, text).reason, CL_OK);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    int64_t count = sql_column_i64(statement, 0);
    sql_finish(statement);
    sql_close(sql);
    return count;
}

enum { SUBMITTERS = 8, PER_SUBMITTER = 500 };

struct submitter {
    struct harness *harness;
    unsigned first;
    unsigned overloads;
};

/* Every fifth command fails after it wrote. */
static void *submit_many(void *argument)
{
    struct submitter *submitter = argument;
    for (unsigned i = 0; i < PER_SUBMITTER; i++) {
        unsigned number = submitter->first + i;
        struct write *write = make_write(submitter->harness, number, number % 5 == 0 ? CL_OFFER_STALE : CL_OK);
        struct cl_status status = store_submit(submitter->harness->store, &write->command);
        while (status.reason == CL_OVERLOADED) {
            submitter->overloads++;
            sched_yield();
            status = store_submit(submitter->harness->store, &write->command);
        }
        if (cl_failed(status)) {
            abort();
        }
    }
    return NULL;
}

static void many_threads_submit_and_failures_are_undone_alone(void **state)
{
    struct harness *harness = *state;
    pthread_t threads[SUBMITTERS];
    struct submitter submitters[SUBMITTERS];
    enum { TOTAL = SUBMITTERS * PER_SUBMITTER };
    open_store(harness, 64, 32);
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){.harness = harness, .first = i * PER_SUBMITTER};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &submitters[i]), 0);
    }
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    store_stop(harness->store);
    assert_int_equal(atomic_load(&harness->done_ok), TOTAL - TOTAL / 5);
    assert_int_equal(atomic_load(&harness->done_failed), TOTAL / 5);
    assert_int_equal(atomic_load(&harness->failures), 0);
    unsigned commits = atomic_load(&harness->commits);
    assert_true(commits >= TOTAL / 32 && commits < TOTAL); /* grouped */
    assert_int_equal(count_messages(harness->store), TOTAL - TOTAL / 5);
}

static void commands_are_applied_and_answered_in_order(void **state)
{
    struct harness *harness = *state;
    enum { TOTAL = 1000 };
    static unsigned order[TOTAL];
    atomic_uint turn = 0;
    open_store(harness, TOTAL, 7);
    for (unsigned i = 0; i < TOTAL; i++) {
        struct write *write = make_write(harness, i, CL_OK);
        write->order = order;
        write->turn = &turn;
        assert_int_equal(store_submit(harness->store, &write->command).reason, CL_OK);
    }
    store_stop(harness->store);
    for (unsigned i = 0; i < TOTAL; i++) {
        assert_int_equal(order[i], i);
    }
}

/* A command that holds the writer until the test lets go. */
struct hold {
    struct store_command command;
    atomic_bool applying, release;
};

static struct cl_status apply_hold(struct store_command *command, struct store_tx *tx)
{
    (void)tx;
    struct hold *hold = (struct hold *)command;
    atomic_store(&hold->applying, true);
    while (!atomic_load(&hold->release)) {
        (void)usleep(200);
    }
    return cl_ok();
}

static void hold_done(struct store_command *command, struct cl_status status)
{
    (void)command;
    if (cl_failed(status)) {
        abort();
    }
}

static void hold_writer(struct harness *harness, struct hold *hold)
{
    *hold = (struct hold){.command = {.apply = apply_hold, .done = hold_done}};
    assert_int_equal(store_submit(harness->store, &hold->command).reason, CL_OK);
    while (!atomic_load(&hold->applying)) {
        (void)usleep(200);
    }
}

static void a_full_queue_is_told_at_once_and_a_stop_drains_it(void **state)
{
    struct harness *harness = *state;
    struct hold hold;
    open_store(harness, 3, 1);
    hold_writer(harness, &hold);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(store_submit(harness->store, &make_write(harness, i, CL_OK)->command).reason, CL_OK);
    }
    struct write *refused = make_write(harness, 3, CL_OK);
    assert_int_equal(store_submit(harness->store, &refused->command).reason, CL_OVERLOADED);
    assert_int_equal(atomic_load(&harness->done_ok), 0);
    atomic_store(&hold.release, true);
    store_stop(harness->store);
    store_stop(harness->store);
    assert_int_equal(atomic_load(&harness->done_ok), 3);
    assert_int_equal(atomic_load(&harness->commits), 4);
    assert_int_equal(store_submit(harness->store, &refused->command).reason, CL_SHUTTING_DOWN);
    free(refused); /* still ours */
    assert_int_equal(count_messages(harness->store), 3);
}

static struct cl_status only_read(void *user, struct store_tx *tx)
{
    struct outbox_state *state = user;
    return outbox_state(state, store_tx_sql(tx), RECIPIENT);
}

static struct cl_status refuse(void *user, struct store_tx *tx)
{
    (void)user;
    struct message_row row = fixture_message(1);
    struct cl_status status = messages_add(tx, &row);
    return cl_failed(status) ? status : cl_fail(CL_APPLICATION_UNKNOWN);
}

static void run_waits_for_the_answer(void **state)
{
    struct harness *harness = *state;
    struct outbox_state outbox = {.head = 99};
    open_store(harness, 0, 0);
    assert_int_equal(store_run(harness->store, only_read, &outbox).reason, CL_OK);
    assert_int_equal(outbox.head, 0);
    assert_int_equal(store_run(harness->store, refuse, NULL).reason, CL_APPLICATION_UNKNOWN);
    assert_int_equal(count_messages(harness->store), 0);
    assert_int_equal(store_check(harness->store).reason, CL_OK);
    store_stop(harness->store);
    assert_int_equal(store_run(harness->store, only_read, &outbox).reason, CL_SHUTTING_DOWN);
    assert_int_equal(store_check(harness->store).reason, CL_SHUTTING_DOWN);
}

static void one_process_owns_the_file(void **state)
{
    struct harness *harness = *state;
    struct store *second = NULL;
    struct stat info;
    open_store(harness, 0, 0);
    struct store_options options = options_of(harness);
    assert_int_equal(store_open(&second, &options).reason, CL_CONFIG_INVALID);
    assert_null(second);
    assert_int_equal(stat(harness->address, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    store_close(harness->store);
    harness->store = NULL;
    open_store(harness, 0, 0);
}

static void an_idle_store_empties_its_log(void **state)
{
    struct harness *harness = *state;
    char path[FIXTURE_ADDRESS_BYTES + 8];
    struct stat info;
    open_store(harness, 0, 0);
    assert_int_equal(store_submit(harness->store, &make_write(harness, 1, CL_OK)->command).reason, CL_OK);
    (void)snprintf(path, sizeof path, "%s-wal", harness->address);
    for (int i = 0; i < 100; i++) {
        (void)usleep(50 * 1000);
        assert_int_equal(stat(path, &info), 0);
        if (atomic_load(&harness->done_ok) == 1 && info.st_size == 0) {
            return;
        }
    }
    fail_msg("the log still has %d bytes", (int)info.st_size);
}

/* Whether a command is taken on, within two seconds. */
static bool accepts(struct harness *harness, bool expected)
{
    struct outbox_state outbox;
    bool accepted = !expected;
    for (int i = 0; i < 40 && accepted != expected; i++) {
        struct cl_status status = store_run(harness->store, only_read, &outbox);
        assert_true(cl_is_ok(status) || status.reason == CL_OVERLOADED);
        accepted = cl_is_ok(status);
        (void)usleep(50 * 1000);
    }
    return accepted;
}

static void a_disk_that_is_nearly_full_is_told_and_recovers(void **state)
{
    struct harness *harness = *state;
    char path[128];
    struct statvfs disk;
    (void)snprintf(path, sizeof path, "%s/ballast", harness->folder);
    assert_int_equal(statvfs(harness->folder, &disk), 0);
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    struct store_options options = options_of(harness);
    options.free_bytes_min = free_bytes - free_bytes / 16; /* far from what others may write meanwhile */
    assert_int_equal(store_open(&harness->store, &options).reason, CL_OK);
    assert_true(accepts(harness, true));
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fallocate(fd, 0, 0, (off_t)(free_bytes / 8)), 0);
    assert_false(accepts(harness, false));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(close(fd), 0);
    assert_true(accepts(harness, true));
    assert_false(store_failed(harness->store));
}

static struct cl_status add_message(void *user, struct store_tx *tx)
{
    return messages_add(tx, user);
}

static void a_log_that_grows_is_taken_over(void **state)
{
    (void)state;
    static uint8_t envelope[400 * 1024];
    struct store_fixture *fixture = store_fixture_create();
    char path[FIXTURE_ADDRESS_BYTES + 8];
    struct stat info;
    off_t largest = 0;
    (void)snprintf(path, sizeof path, "%s-wal", store_fixture_address(fixture));
    for (unsigned i = 0; i < 400; i++) { /* 160 MB */
        struct store_tx *tx = store_fixture_begin(fixture);
        struct message_row row = fixture_message(i);
        row.envelope = cl_bytes(envelope, sizeof envelope);
        assert_int_equal(messages_add(tx, &row).reason, CL_OK);
        assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
        assert_int_equal(stat(path, &info), 0);
        largest = info.st_size > largest ? info.st_size : largest;
    }
    store_fixture_free(fixture);
    assert_true(largest > 60 * 1024 * 1024 && largest < 120 * 1024 * 1024); /* 64 MiB, and what came during a round */
}

/* 200 commands that write some six pages each. */
static off_t largest_log(struct harness *harness, const struct store_options *options)
{
    static uint8_t envelope[20 * 1024];
    char path[FIXTURE_ADDRESS_BYTES + 8];
    off_t largest = 0;
    (void)snprintf(path, sizeof path, "%s-wal", harness->address);
    assert_int_equal(store_open(&harness->store, options).reason, CL_OK);
    for (unsigned i = 0; i < 200; i++) {
        struct stat info;
        struct message_row row = fixture_message(i);
        row.envelope = cl_bytes(envelope, sizeof envelope);
        assert_int_equal(store_run(harness->store, add_message, &row).reason, CL_OK);
        assert_int_equal(stat(path, &info), 0);
        largest = info.st_size > largest ? info.st_size : largest;
    }
    store_close(harness->store);
    harness->store = NULL;
    (void)unlink(harness->address);
    return largest;
}

static void a_smaller_log_is_taken_over_sooner(void **state)
{
    struct harness *harness = *state;
    struct store_options options = options_of(harness);
    assert_true(largest_log(harness, &options) > 4 * 1024 * 1024); /* all of it */
    options.round_pages = 16;
    options.restart_pages = 64;
    assert_true(largest_log(harness, &options) < 2 * 1024 * 1024); /* 64 pages, and what came during a round */
}

/* -- By hand -------------------------------------------------------------------------------------------------- */

static void nothing_happens_by_hand_but_in_a_turn(void **state)
{
    struct harness *harness = *state;
    struct store_options options = options_of(harness);
    options.by_hand = true;
    options.batch_max = 2;
    assert_int_equal(store_open(&harness->store, &options).reason, CL_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(store_submit(harness->store, &make_write(harness, i, CL_OK)->command).reason, CL_OK);
    }
    assert_int_equal(atomic_load(&harness->done_ok), 0);
    assert_true(store_turn(harness->store));
    assert_int_equal(atomic_load(&harness->done_ok), 2);
    assert_true(store_turn(harness->store));
    assert_false(store_turn(harness->store));
    assert_int_equal(atomic_load(&harness->done_ok), 3);
    assert_int_equal(store_commits(harness->store), 2);
    assert_int_equal(count_messages(harness->store), 3); /* store_run takes the turns by itself */
}

static void a_stop_by_hand_answers_what_is_queued(void **state)
{
    struct harness *harness = *state;
    struct store_options options = options_of(harness);
    options.by_hand = true;
    assert_int_equal(store_open(&harness->store, &options).reason, CL_OK);
    assert_int_equal(store_submit(harness->store, &make_write(harness, 1, CL_OK)->command).reason, CL_OK);
    store_stop(harness->store);
    assert_int_equal(atomic_load(&harness->done_ok), 1);
    struct write *late = make_write(harness, 2, CL_OK);
    assert_int_equal(store_submit(harness->store, &late->command).reason, CL_SHUTTING_DOWN);
    free(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_threads_submit_and_failures_are_undone_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commands_are_applied_and_answered_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_is_told_at_once_and_a_stop_drains_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_waits_for_the_answer, set_up, tear_down),
    };
    const struct CMUnitTest of_a_file[] = {
        cmocka_unit_test_setup_teardown(one_process_owns_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disk_that_is_nearly_full_is_told_and_recovers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_idle_store_empties_its_log, set_up, tear_down),
        cmocka_unit_test(a_log_that_grows_is_taken_over),
        cmocka_unit_test_setup_teardown(a_smaller_log_is_taken_over_sooner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_happens_by_hand_but_in_a_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_by_hand_answers_what_is_queued, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return fixture_on_postgres() ? failed : failed + cmocka_run_group_tests(of_a_file, NULL, NULL);
}
