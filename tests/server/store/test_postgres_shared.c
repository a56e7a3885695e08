/* Several stores on one cluster: what they write comes out as if one had written it, also while backends die and the server
 * crashes beneath them. */
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

#include "server/store/outbox.h"
#include "server/store/schema.h"
#include "server/store/store.h"
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

enum { STORES = 3, THREADS = 2, PER_THREAD = 1700, RECIPIENTS = 3, TOTAL = STORES * THREADS * PER_THREAD };

static struct postgres_server server;

struct bench {
    char address[POSTGRES_URI_BYTES];
    struct store *stores[STORES];
    atomic_uint done, doubled, failed;
    atomic_bool over;
};

static const char *const recipients[RECIPIENTS] = {"bank:cn-alpha-js", "bank:cn-beta-js", "bank:cn-gamma-js"};

static struct cl_status prepare(void *user, struct store_tx *tx)
{
    (void)user;
    fixture_add_application(tx, 1);
    return cl_ok();
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    postgres_database_create(bench->address, &server);
    const struct store_options options = {.address = bench->address, .clock = cl_clock_system()};
    for (int i = 0; i < STORES; i++) {
        assert_int_equal(store_open(&bench->stores[i], &options).reason, CL_OK);
    }
    assert_int_equal(store_run(bench->stores[0], prepare, NULL).reason, CL_OK);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    for (int i = 0; i < STORES; i++) {
        store_close(bench->stores[i]);
    }
    postgres_database_drop(bench->address);
    free(bench);
    return 0;
}

/* A message and an event of it, with the next number of its recipient. */
struct event {
    struct store_command command;
    struct bench *bench;
    unsigned number;
};

static struct cl_status apply_event(struct store_command *command, struct store_tx *tx)
{
    struct event *event = (struct event *)command;
    struct message_row message = fixture_message(event->number);
    struct outbox_row row = {.recipient = recipients[event->number % RECIPIENTS],
                             .application_id = fixture_application_id(1),
                             .kind = 1,
                             .digest = message.digest,
                             .made_ms = 1};
    struct cl_status status = messages_add(tx, &message);
    if (cl_is_ok(status)) {
        status = outbox_next(tx, row.recipient, &row.sequence);
    }
    return cl_is_ok(status) ? outbox_add(tx, &row) : status;
}

static void event_done(struct store_command *command, struct cl_status status)
{
    struct event *event = (struct event *)command;
    atomic_fetch_add(cl_is_ok(status)                        ? &event->bench->done
                     : status.reason == CL_MESSAGE_ID_REUSED ? &event->bench->doubled
                                                             : &event->bench->failed,
                     1);
    free(event);
}

struct submitter {
    struct bench *bench;
    struct store *store;
    unsigned first;
};

static void *submit_many(void *argument)
{
    struct submitter *submitter = argument;
    for (unsigned i = 0; i < PER_THREAD; i++) {
        struct event *event = calloc(1, sizeof *event);
        *event = (struct event){.command = {.apply = apply_event, .done = event_done},
                                .bench = submitter->bench,
                                .number = submitter->first + i};
        while (store_submit(submitter->store, &event->command).reason == CL_OVERLOADED) {
            (void)usleep(1000);
        }
    }
    return NULL;
}

/* Ends one of the stores' backends now and then. */
static void *kill_backends(void *argument)
{
    struct bench *bench = argument;
    while (!atomic_load(&bench->over)) {
        (void)usleep(400 * 1000); /* a few batches long: one that is hit each time would rightly give up */
        (void)postgres_run(bench->address,
                           "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
                           " current_database() AND application_name = 'coloand' ORDER BY random() LIMIT 1");
    }
    return NULL;
}

static void run_all(struct bench *bench)
{
    pthread_t threads[STORES * THREADS];
    struct submitter submitters[STORES * THREADS];
    for (unsigned i = 0; i < STORES * THREADS; i++) {
        submitters[i] =
            (struct submitter){.bench = bench, .store = bench->stores[i % STORES], .first = 1000 + i * PER_THREAD};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &submitters[i]), 0);
    }
    for (unsigned i = 0; i < STORES * THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (int i = 0; i < STORES; i++) {
        store_stop(bench->stores[i]);
    }
    atomic_store(&bench->over, true);
}

/* Every one once, and each recipient's numbers without a gap. */
static void assert_whole(struct bench *bench)
{
    assert_int_equal(atomic_load(&bench->done), TOTAL);
    assert_int_equal(atomic_load(&bench->doubled), 0);
    assert_int_equal(atomic_load(&bench->failed), 0);
    assert_int_equal(postgres_run(bench->address, "SELECT count(*) FROM messages"), TOTAL + 1);
    assert_int_equal(postgres_run(bench->address, "SELECT count(*) FROM outbox"), TOTAL);
    assert_int_equal(postgres_run(bench->address,
                                  "SELECT count(*) FROM (SELECT recipient FROM outbox GROUP BY recipient"
                                  " HAVING min(sequence) = 1 AND max(sequence) = count(*)) whole"),
                     RECIPIENTS);
    assert_int_equal(postgres_run(bench->address, "SELECT count(*) FROM outbox_heads h WHERE head ="
                                                  " (SELECT max(sequence) FROM outbox WHERE recipient = h.recipient)"),
                     RECIPIENTS);
}

static void many_write_without_a_gap(void **state)
{
    struct bench *bench = *state;
    run_all(bench);
    uint64_t commits = 0;
    for (int i = 0; i < STORES; i++) {
        commits += store_commits(bench->stores[i]);
    }
    assert_true(commits < TOTAL); /* grouped */
    assert_whole(bench);
}

static void also_while_backends_die(void **state)
{
    struct bench *bench = *state;
    pthread_t killer;
    assert_int_equal(pthread_create(&killer, NULL, kill_backends, bench), 0);
    run_all(bench);
    assert_int_equal(pthread_join(killer, NULL), 0);
    assert_whole(bench);
}

static void *crash_server(void *argument)
{
    struct bench *bench = argument;
    for (int i = 0; i < 4 && !atomic_load(&bench->over); i++) {
        (void)usleep(300 * 1000);
        postgres_server_stop(&server, "immediate");
        (void)usleep(100 * 1000);
        postgres_server_start(&server);
    }
    return NULL;
}

static void also_while_the_server_crashes(void **state)
{
    struct bench *bench = *state;
    pthread_t crasher;
    assert_int_equal(pthread_create(&crasher, NULL, crash_server, bench), 0);
    run_all(bench);
    assert_int_equal(pthread_join(crasher, NULL), 0);
    assert_whole(bench);
}

/* -- Starting together --------------------------------------------------------------------------------------- */

static void *open_and_close(void *argument)
{
    struct store *store = NULL;
    const struct store_options options = {.address = argument, .clock = cl_clock_system()};
    struct cl_status status = store_open(&store, &options);
    store_close(store);
    return cl_is_ok(status) ? NULL : argument;
}

static void nodes_that_start_at_once_migrate_once(void **state)
{
    (void)state;
    enum { NODES = 6 };
    char address[POSTGRES_URI_BYTES];
    pthread_t threads[NODES];
    postgres_database_create(address, &server);
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, address), 0);
    }
    for (int i = 0; i < NODES; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(postgres_run(address, "SELECT count(*) FROM migrations"), (long)schema_migration_count);
    postgres_database_drop(address);
}

static void one_that_has_to_be_alone_is_refused_and_refuses(void **state)
{
    struct bench *bench = *state;
    struct store *alone = NULL;
    struct store *other = NULL;
    const struct store_options together = {.address = bench->address, .clock = cl_clock_system()};
    const struct store_options only = {.address = bench->address, .alone = true, .clock = cl_clock_system()};
    assert_int_equal(store_open(&alone, &only).reason, CL_CONFIG_INVALID);
    for (int i = 0; i < STORES; i++) {
        store_close(bench->stores[i]);
        bench->stores[i] = NULL;
    }
    assert_int_equal(store_open(&alone, &only).reason, CL_OK);
    assert_int_equal(store_open(&other, &together).reason, CL_CONFIG_INVALID);
    assert_int_equal(store_open(&other, &only).reason, CL_CONFIG_INVALID);
    assert_null(other);
    store_close(alone);
    assert_int_equal(store_open(&other, &together).reason, CL_OK);
    store_close(other);
}

/* -- Telling ------------------------------------------------------------------------------------------------- */

struct ear {
    pthread_mutex_t mutex; /* guards what follows */
    unsigned missed, count;
    char last[64];
};

static void note(void *user, const char *text)
{
    struct ear *ear = user;
    (void)pthread_mutex_lock(&ear->mutex);
    ear->missed += text[0] == '\0' ? 1 : 0;
    ear->count += text[0] == '\0' ? 0 : 1;
    (void)snprintf(ear->last, sizeof ear->last, "%s", text);
    (void)pthread_mutex_unlock(&ear->mutex);
}

/* Within five seconds. */
static void assert_hears(struct ear *ear, unsigned missed, unsigned count, const char *last)
{
    bool same = false;
    for (int i = 0; i < 100 && !same; i++) {
        (void)usleep(50 * 1000);
        (void)pthread_mutex_lock(&ear->mutex);
        same = ear->missed == missed && ear->count == count && strcmp(ear->last, last) == 0;
        (void)pthread_mutex_unlock(&ear->mutex);
    }
    if (!same) {
        fail_msg("missed %u, heard %u, last \"%s\"", ear->missed, ear->count, ear->last);
    }
}

static struct cl_status tell(void *user, struct store_tx *tx)
{
    return store_tell(tx, user);
}

static struct cl_status tell_and_fail(void *user, struct store_tx *tx)
{
    struct cl_status status = store_tell(tx, user);
    return cl_is_ok(status) ? cl_fail(CL_OFFER_STALE) : status;
}

static void what_is_told_with_a_commit_is_heard_by_the_others(void **state)
{
    struct bench *bench = *state;
    struct ear ears[2] = {{.mutex = PTHREAD_MUTEX_INITIALIZER}, {.mutex = PTHREAD_MUTEX_INITIALIZER}};
    for (int i = 0; i < 2; i++) {
        const struct store_options options = {
            .address = bench->address, .clock = cl_clock_system(), .heard = note, .user = &ears[i]};
        store_close(bench->stores[i]);
        assert_int_equal(store_open(&bench->stores[i], &options).reason, CL_OK);
        assert_hears(&ears[i], 1, 0, "");
    }
    assert_int_equal(store_run(bench->stores[0], tell, "bank:cn-alpha-js").reason, CL_OK);
    assert_hears(&ears[1], 1, 1, "bank:cn-alpha-js");
    assert_hears(&ears[0], 1, 0, ""); /* not oneself */
    assert_int_equal(store_run(bench->stores[1], tell_and_fail, "nothing").reason, CL_OFFER_STALE);
    assert_int_equal(store_run(bench->stores[1], tell, "something").reason, CL_OK);
    assert_hears(&ears[0], 1, 1, "something");
    assert_hears(&ears[1], 1, 1, "bank:cn-alpha-js");
    (void)postgres_run(bench->address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
                                       " current_database() AND query LIKE 'LISTEN%'");
    assert_hears(&ears[0], 2, 1, ""); /* anything may have been missed */
    assert_hears(&ears[1], 2, 1, "");
    assert_int_equal(store_run(bench->stores[0], tell, "again").reason, CL_OK);
    assert_hears(&ears[1], 2, 2, "again");
    for (int i = 0; i < 2; i++) {
        store_stop(bench->stores[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_write_without_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(also_while_backends_die, set_up, tear_down),
        cmocka_unit_test_setup_teardown(also_while_the_server_crashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_told_with_a_commit_is_heard_by_the_others, set_up, tear_down),
        cmocka_unit_test(nodes_that_start_at_once_migrate_once),
        cmocka_unit_test_setup_teardown(one_that_has_to_be_alone_is_refused_and_refuses, set_up, tear_down),
    };
    postgres_server_create(&server, "");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_server_remove(&server);
    return failed;
}
