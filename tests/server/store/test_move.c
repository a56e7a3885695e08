/* A filled store moves from its file to a cluster: whole, refused, killed on the way, and found out when something is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/due.h"
#include "server/store/move.h"
#include "server/store/outbox.h"
#include "server/store/overrides.h"
#include "server/store/store.h"
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

enum { APPLICATIONS = 40, MESSAGES = 1300 }; /* more than two pages */

struct bench {
    char folder[64], file[96], cluster[POSTGRES_URI_BYTES];
};

static struct postgres_server server;

/* Rows of many kinds, and what only time makes: a reply that is set later, an override that has ended, counted states. */
static struct cl_status fill(void *user, struct store_tx *tx)
{
    struct cl_status status = cl_ok();
    (void)user;
    for (unsigned i = 1; i <= APPLICATIONS; i++) {
        fixture_add_application(tx, i);
    }
    for (unsigned i = 100; cl_is_ok(status) && i < 100 + MESSAGES; i++) {
        struct message_row row = fixture_message(i);
        status = messages_add(tx, &row);
    }
    struct cl_digest request = fixture_digest(100);
    struct cl_digest reply = fixture_digest(101);
    if (cl_is_ok(status)) {
        status = messages_set_reply(tx, &request, &reply);
    }
    struct override_row override = {.id = "01900000-0000-7000-9000-000000000001",
                                    .application_id = fixture_application_id(1),
                                    .item = 1,
                                    .replaces = cl_bytes("old", 3),
                                    .result = cl_bytes("\0new", 4),
                                    .outcome = 1,
                                    .note = "NOTE",
                                    .proposed_by = "officer:a",
                                    .proposed_ms = 1,
                                    .expires_ms = 100,
                                    .proposal = request};
    if (cl_is_ok(status)) {
        status = overrides_propose(tx, &override);
    }
    const struct override_end end = {.id = override.id, .state = OVERRIDE_WITHDRAWN, .by = "officer:a", .now_ms = 2};
    if (cl_is_ok(status)) {
        status = overrides_end(tx, &end);
    }
    for (unsigned i = 0; cl_is_ok(status) && i < 30; i++) {
        struct outbox_row event = {.recipient = "bank:a",
                                   .sequence = i + 1,
                                   .application_id = fixture_application_id(1),
                                   .kind = 1,
                                   .digest = fixture_digest(100 + i),
                                   .made_ms = INT64_MAX - i};
        status = outbox_add(tx, &event);
    }
    const struct due_row due = {.subject = "汉字", .kind = 2, .at_ms = INT64_MIN};
    return cl_is_ok(status) ? due_set(tx, &due) : status;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct store *store = NULL;
    fixture_make_folder(bench->folder);
    (void)snprintf(bench->file, sizeof bench->file, "%s/coloan.db", bench->folder);
    postgres_database_create(bench->cluster, &server);
    const struct store_options options = {.address = bench->file, .clock = cl_clock_system()};
    assert_int_equal(store_open(&store, &options).reason, CL_OK);
    assert_int_equal(store_run(store, fill, NULL).reason, CL_OK);
    store_close(store);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    postgres_database_drop(bench->cluster);
    fixture_remove_folder(bench->folder);
    free(bench);
    return 0;
}

struct heard {
    int tables;
    int64_t messages, rows;
};

static void count(void *user, const char *table, int64_t rows, const struct cl_digest *digest)
{
    struct heard *heard = user;
    (void)digest;
    heard->tables++;
    heard->rows += rows;
    heard->messages = strcmp(table, "messages") == 0 ? rows : heard->messages;
}

static struct cl_status move(const struct bench *bench, struct heard *heard)
{
    *heard = (struct heard){.tables = 0};
    return store_move(bench->file, bench->cluster, cl_clock_system(), count, heard);
}

static void everything_arrives_and_goes_on(void **state)
{
    struct bench *bench = *state;
    struct heard heard;
    assert_int_equal(move(bench, &heard).reason, CL_OK);
    assert_true(heard.tables > 20);
    assert_int_equal(heard.messages, APPLICATIONS + MESSAGES);
    assert_true(heard.rows > heard.messages + APPLICATIONS);
    assert_int_equal(postgres_run(bench->cluster, "SELECT count(*) FROM messages WHERE reply IS NOT NULL"), 1);
    assert_int_equal(postgres_run(bench->cluster, "SELECT cases FROM case_states WHERE state = 1"), APPLICATIONS);
    assert_int_equal(postgres_run(bench->cluster, "SELECT count(*) FROM overrides WHERE state = 3"), 1);
    /* The triggers are awake again. */
    assert_int_equal(postgres_run(bench->cluster, "SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'"), 0);
    struct store *store = NULL;
    const struct store_options options = {.address = bench->cluster, .clock = cl_clock_system()};
    assert_int_equal(store_open(&store, &options).reason, CL_OK);
    store_close(store);
}

static void a_target_with_rows_is_refused(void **state)
{
    struct bench *bench = *state;
    struct heard heard;
    assert_int_equal(move(bench, &heard).reason, CL_OK);
    assert_int_equal(move(bench, &heard).reason, CL_CONFIG_INVALID);
    assert_int_equal(heard.tables, 0);
    (void)postgres_run(bench->cluster, "CREATE SCHEMA other; ALTER TABLE store_writers SET SCHEMA other");
    assert_int_equal(move(bench, &heard).reason, CL_CONFIG_INVALID); /* not ours */
    assert_int_equal(store_move(bench->file, "/tmp/other.db", cl_clock_system(), count, &heard).reason,
                     CL_CONFIG_INVALID);
}

static void a_database_in_use_is_refused(void **state)
{
    struct bench *bench = *state;
    struct heard heard;
    struct store *store = NULL;
    const struct store_options of_file = {.address = bench->file, .clock = cl_clock_system()};
    const struct store_options of_cluster = {.address = bench->cluster, .clock = cl_clock_system()};
    assert_int_equal(store_open(&store, &of_file).reason, CL_OK);
    assert_int_equal(move(bench, &heard).reason, CL_CONFIG_INVALID);
    store_close(store);
    assert_int_equal(store_open(&store, &of_cluster).reason, CL_OK);
    assert_int_equal(move(bench, &heard).reason, CL_CONFIG_INVALID);
    store_close(store);
    assert_int_equal(move(bench, &heard).reason, CL_OK);
}

/* Rules of the test's own lose what is copied. */
static void a_difference_is_found_and_nothing_stays(void **state)
{
    static const char *const mischief[] = {
        "CREATE RULE lose AS ON INSERT TO due DO INSTEAD NOTHING",
        "CREATE RULE lose AS ON INSERT TO pending WHERE new.sequence = 17 DO INSTEAD NOTHING",
    };
    struct heard heard;
    (void)state;
    for (size_t i = 0; i < sizeof mischief / sizeof mischief[0]; i++) {
        void *fresh = NULL;
        struct store *store = NULL;
        assert_int_equal(set_up(&fresh), 0);
        struct bench *other = fresh;
        const struct store_options options = {.address = other->cluster, .clock = cl_clock_system()};
        assert_int_equal(store_open(&store, &options).reason, CL_OK);
        store_close(store);
        (void)postgres_run(other->cluster, mischief[i]);
        assert_int_equal(move(other, &heard).reason, CL_STATE_CONFLICT);
        assert_int_equal(postgres_run(other->cluster, "SELECT count(*) FROM messages"), 0);
        assert_int_equal(tear_down(&fresh), 0);
    }
}

/* A child moves and is killed after some milliseconds; whatever the moment, the target is empty or whole. */
static void killed_on_the_way_it_starts_anew(void **state)
{
    struct bench *bench = *state;
    struct heard heard;
    for (int ms = 0; ms < 400; ms += 40) {
        pid_t child = fork();
        if (child == 0) {
            _exit(cl_is_ok(move(bench, &heard)) ? 0 : 1);
        }
        int status = 0;
        (void)usleep((unsigned)ms * 1000);
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            break; /* it was quicker */
        }
    }
    struct cl_status status = move(bench, &heard);
    long arrived = postgres_run(bench->cluster, "SELECT count(*) FROM messages");
    assert_int_equal(arrived, APPLICATIONS + MESSAGES);
    assert_true(cl_is_ok(status) || status.reason == CL_CONFIG_INVALID); /* the last one had come through */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_arrives_and_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_target_with_rows_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_database_in_use_is_refused, set_up, tear_down),
        cmocka_unit_test(a_difference_is_found_and_nothing_stays),
        cmocka_unit_test_setup_teardown(killed_on_the_way_it_starts_anew, set_up, tear_down),
    };
    return postgres_server_shared(&server) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
