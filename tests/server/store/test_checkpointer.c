/* The checkpointer beside the writer, on a disk in memory whose calls can be held and can fail: what it meets at the very
 * last is told, and it never begins on a log that is wholly taken over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/store/outbox.h"
#include "tests/support/power_vfs.h"
#include "tests/support/store_fixture.h"

enum { NEVER_MS = 3600 * 1000, LOOK_US = 200, SETTLE_US = 30 * 1000, READS = 10 };

static struct {
    char folder[64], path[96];
    struct store *store;
    unsigned number;
    atomic_uint failures;
} place;

/* -- Holding a call ------------------------------------------------------------------------------------------- */

static enum power_call held_call;
static atomic_bool holds, waits;

/* The writer's own calls go on: only the checkpointer takes pages to the database, or begins a checkpoint. */
static void hold(enum power_call call, bool log)
{
    while (atomic_load(&holds) && call == held_call && !log) {
        atomic_store(&waits, true);
        (void)usleep(LOOK_US);
    }
    atomic_store(&waits, false);
}

static void hold_calls(enum power_call call)
{
    held_call = call;
    atomic_store(&holds, true);
}

static void wait_until_held(void)
{
    while (!atomic_load(&waits)) {
        (void)usleep(LOOK_US);
    }
}

/* -- A store -------------------------------------------------------------------------------------------------- */

static void count_failure(void *user)
{
    (void)user;
    atomic_fetch_add(&place.failures, 1);
}

/* Each commit may begin a round. */
static int set_up(void **state)
{
    (void)state;
    struct store_options options = {.address = place.path,
                                    .clock = cl_clock_system(),
                                    .free_bytes_min = 1,
                                    .round_pages = 1,
                                    .restart_pages = 10000,
                                    .idle_ms = NEVER_MS,
                                    .failed = count_failure};
    fixture_make_folder(place.folder);
    (void)snprintf(place.path, sizeof place.path, "%s/coloan.db", place.folder);
    atomic_store(&place.failures, 0);
    atomic_store(&holds, false);
    power_vfs_install();
    power_vfs_watch(hold);
    return cl_is_ok(store_open(&place.store, &options)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    atomic_store(&holds, false);
    store_close(place.store);
    place.store = NULL;
    power_vfs_watch(NULL);
    power_vfs_remove();
    fixture_remove_folder(place.folder);
    return 0;
}

static struct cl_status add_message(void *user, struct store_tx *tx)
{
    (void)user;
    struct message_row row = fixture_message(place.number++);
    return messages_add(tx, &row);
}

static struct cl_status only_read(void *user, struct store_tx *tx)
{
    return outbox_state(user, store_tx_sql(tx), "bank:cn-alpha-js");
}

static void write_once(void)
{
    assert_int_equal(store_run(place.store, add_message, NULL).reason, CL_OK);
}

static void *stop(void *user)
{
    store_stop(user);
    return NULL;
}

/* -- Tests ---------------------------------------------------------------------------------------------------- */

static void what_it_meets_while_the_store_stops_is_told(void **state)
{
    (void)state;
    pthread_t stopper;
    struct power_fault fault = {.calls = POWER_WRITE, .at = 1, .effect = POWER_FAILS, .code = SQLITE_IOERR_WRITE};
    hold_calls(POWER_WRITE);
    write_once();
    wait_until_held(); /* a round is under way */
    assert_int_equal(pthread_create(&stopper, NULL, stop, place.store), 0);
    (void)usleep(SETTLE_US); /* the writer has ended by now */
    assert_false(store_failed(place.store));
    power_vfs_arm(&fault);
    atomic_store(&holds, false);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_true(store_failed(place.store));
    assert_int_equal(atomic_load(&place.failures), 1);
}

static void a_stop_without_trouble_tells_of_none(void **state)
{
    (void)state;
    write_once();
    store_stop(place.store);
    assert_false(store_failed(place.store));
    assert_int_equal(atomic_load(&place.failures), 0);
}

/* The second commit comes while the round of the first is about to begin, which then takes over both. */
static void it_never_begins_on_a_log_that_is_wholly_taken_over(void **state)
{
    (void)state;
    struct outbox_state outbox;
    hold_calls(POWER_CHECKPOINT);
    write_once();
    wait_until_held();
    write_once();
    atomic_store(&holds, false);
    (void)usleep(SETTLE_US);
    power_vfs_arm(NULL); /* counts from here */
    for (int i = 0; i < READS; i++) {
        assert_int_equal(store_run(place.store, only_read, &outbox).reason, CL_OK);
    }
    (void)usleep(SETTLE_US);
    assert_int_equal(power_vfs_count(POWER_CHECKPOINT), 0);
    write_once(); /* and on one that is not, it does */
    (void)usleep(SETTLE_US);
    assert_int_equal(power_vfs_count(POWER_CHECKPOINT), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_it_meets_while_the_store_stops_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_without_trouble_tells_of_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_never_begins_on_a_log_that_is_wholly_taken_over, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
