/* A primary and its standby, both real: settings that are refused, a standby that is not there, a primary that dies under
 * load, and an old primary that comes back. */
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
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

static struct postgres_server primary, standby;

static struct cl_status open_at(struct store **out, const char *address)
{
    const struct store_options options = {.address = address, .clock = cl_clock_system()};
    return store_open(out, &options);
}

/* -- Settings ------------------------------------------------------------------------------------------------ */

static void a_cluster_that_may_lose_decisions_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bad, *good;
    } rows[] = {
        {"fsync = off", "fsync = on"},
        {"full_page_writes = off", "full_page_writes = on"},
        {"synchronous_commit = off", "synchronous_commit = on"},
        {"synchronous_commit = local", "synchronous_commit = remote_apply"},
        {"synchronous_commit = remote_write", "synchronous_commit = on"},
    };
    char address[POSTGRES_URI_BYTES], ascii[POSTGRES_URI_BYTES], other[POSTGRES_URI_BYTES];
    struct store *store = NULL;
    postgres_database_create(address, &primary);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        postgres_server_set(&primary, rows[i].bad);
        (void)usleep(300 * 1000); /* a reload is taken up soon */
        if (open_at(&store, address).reason != CL_CONFIG_INVALID) {
            fail_msg("%s", rows[i].bad);
        }
        postgres_server_set(&primary, rows[i].good);
        (void)usleep(300 * 1000);
        if (open_at(&store, address).reason != CL_OK) {
            fail_msg("%s", rows[i].good);
        }
        store_close(store);
        store = NULL;
    }
    postgres_server_uri(other, &primary, "postgres");
    (void)postgres_run(other, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0");
    postgres_server_uri(ascii, &primary, "ascii");
    assert_int_equal(open_at(&store, ascii).reason, CL_CONFIG_INVALID);
    assert_null(store);
    postgres_database_drop(address);
}

/* -- Roles --------------------------------------------------------------------------------------------------- */

/* What docs/OPERATIONS.md tells to grant is enough, and no more than rows can be changed with it. */
static void a_role_without_ddl_serves_what_the_owner_made(void **state)
{
    (void)state;
    char owner[POSTGRES_URI_BYTES], server_role[POSTGRES_URI_BYTES];
    struct store *store = NULL;
    struct sql *sql = NULL;
    struct sql_health health = {.on_failed = NULL};
    postgres_database_create(owner, &primary);
    (void)snprintf(server_role, sizeof server_role, "postgresql://coloan_server@/%s", strstr(owner, "@/") + 2);
    (void)postgres_run(owner, "CREATE ROLE coloan_server LOGIN");
    assert_int_equal(open_at(&store, server_role).reason, CL_INTERNAL); /* nothing is there, and it may make nothing */
    assert_int_equal(open_at(&store, owner).reason, CL_OK);
    store_close(store);
    (void)postgres_run(owner, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO coloan_server");
    assert_int_equal(open_at(&store, server_role).reason, CL_OK);
    store_close(store);
    assert_int_equal(sql_open(&sql, server_role, SQL_WRITE, &health).reason, CL_OK);
    assert_int_equal(sql_script(sql, "DROP TRIGGER messages_stay ON messages").reason, CL_INTERNAL);
    assert_int_equal(sql_script(sql, "ALTER TABLE messages DISABLE TRIGGER ALL").reason, CL_INTERNAL);
    assert_int_equal(sql_script(sql, "TRUNCATE decisions").reason, CL_INTERNAL);
    assert_int_equal(sql_script(sql, "SET session_replication_role = replica").reason, CL_INTERNAL);
    sql_close(sql);
    postgres_database_drop(owner);
    postgres_server_uri(owner, &primary, "postgres");
    (void)postgres_run(owner, "DROP ROLE coloan_server");
}

/* -- Writing on a thread ------------------------------------------------------------------------------------- */

struct write {
    struct store_command command;
    unsigned number;
    atomic_uint runs;
    atomic_int ended; /* 0: not yet; 1 + reason */
};

static struct cl_status apply_write(struct store_command *command, struct store_tx *tx)
{
    struct write *write = (struct write *)command;
    struct message_row row = fixture_message(write->number);
    atomic_fetch_add(&write->runs, 1);
    return messages_add(tx, &row);
}

static void write_done(struct store_command *command, struct cl_status status)
{
    atomic_store(&((struct write *)command)->ended, 1 + (int)status.reason);
}

static void submit(struct write *write, struct store *store, unsigned number)
{
    *write = (struct write){.command = {.apply = apply_write, .done = write_done}, .number = number};
    assert_int_equal(store_submit(store, &write->command).reason, CL_OK);
}

static bool ends_within(struct write *write, int wait_ms)
{
    for (int i = 0; i < wait_ms / 20 && atomic_load(&write->ended) == 0; i++) {
        (void)usleep(20 * 1000);
    }
    return atomic_load(&write->ended) != 0;
}

static void assert_ends(struct write *write)
{
    assert_true(ends_within(write, 40 * 1000));
    assert_int_equal(atomic_load(&write->ended), 1 + CL_OK);
}

/* -- A standby that is not there ----------------------------------------------------------------------------- */

static void a_commit_that_no_standby_confirms_is_not_answered(void **state)
{
    (void)state;
    char address[POSTGRES_URI_BYTES];
    struct store *store = NULL;
    struct write write;
    postgres_database_create(address, &primary);
    assert_int_equal(open_at(&store, address).reason, CL_OK);
    postgres_server_set(&primary, "synchronous_standby_names = 'nobody'");
    (void)usleep(300 * 1000);
    submit(&write, store, 1);
    assert_false(ends_within(&write, 500));
    for (int i = 0; i < 3; i++) { /* an operator cancels the wait: a warning, no confirmation */
        (void)postgres_run(address, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        assert_false(ends_within(&write, 500));
    }
    assert_int_equal(postgres_run(address, "SELECT count(*) FROM messages"), 1); /* it is there, on this disk only */
    postgres_server_set(&primary, "synchronous_standby_names = ''");
    assert_ends(&write);
    assert_int_equal(atomic_load(&write.runs), 1);
    assert_int_equal(postgres_run(address, "SELECT count(*) FROM messages"), 1);
    store_close(store);
    postgres_database_drop(address);
}

/* -- Failover ------------------------------------------------------------------------------------------------ */

/* Both hosts, in one address. */
static void address_of_both(char out[POSTGRES_URI_BYTES], const char *one)
{
    const char *name = strstr(one, "@/") + 2;
    (void)snprintf(out, POSTGRES_URI_BYTES, "postgresql://coloan@/%.*s?host=%s,%s&port=%u,%u", (int)strcspn(name, "?"),
                   name, primary.folder, standby.folder, primary.port, standby.port);
}

static void what_was_acknowledged_outlives_the_primary(void **state)
{
    (void)state;
    enum { WRITES = 600 };
    static struct write writes[WRITES];
    static struct write fenced;
    char one[POSTGRES_URI_BYTES], both[POSTGRES_URI_BYTES], on_standby[POSTGRES_URI_BYTES];
    struct store *store = NULL;
    postgres_database_create(one, &primary);
    postgres_server_follow(&standby, &primary, "s1");
    postgres_server_set(&standby, "synchronous_standby_names = ''"); /* once it is promoted, it is alone */
    postgres_server_set(&primary, "synchronous_standby_names = 's1'");
    (void)usleep(300 * 1000);
    address_of_both(both, one);
    assert_int_equal(open_at(&store, both).reason, CL_OK);
    for (unsigned i = 0; i < WRITES; i++) {
        submit(&writes[i], store, i);
        (void)usleep(i % 8 == 0 ? 2000 : 0);
        if (i == WRITES / 2) {
            postgres_server_stop(&primary, "immediate");
            postgres_server_promote(&standby);
        }
    }
    for (unsigned i = 0; i < WRITES; i++) {
        assert_ends(&writes[i]);
    }
    const char *name = strstr(one, "@/") + 2;
    char database[64];
    (void)snprintf(database, sizeof database, "%.*s", (int)strcspn(name, "?"), name);
    postgres_server_uri(on_standby, &standby, database);
    assert_int_equal(postgres_run(on_standby, "SELECT count(*) FROM messages"), WRITES);

    /* The old primary comes back as if nothing had been, while the new one is away. */
    postgres_server_set(&primary, "synchronous_standby_names = ''");
    postgres_server_stop(&standby, "fast");
    postgres_server_start(&primary);
    long before = postgres_run(one, "SELECT count(*) FROM messages");
    submit(&fenced, store, 100000);
    assert_false(ends_within(&fenced, 3000));
    assert_int_equal(postgres_run(one, "SELECT count(*) FROM messages"), before);
    postgres_server_start(&standby);
    assert_ends(&fenced);
    assert_int_equal(postgres_run(one, "SELECT count(*) FROM messages"), before);
    assert_int_equal(postgres_run(on_standby, "SELECT count(*) FROM messages"), WRITES + 1);
    store_close(store);
    postgres_database_drop(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_that_may_lose_decisions_is_refused),
        cmocka_unit_test(a_role_without_ddl_serves_what_the_owner_made),
        cmocka_unit_test(a_commit_that_no_standby_confirms_is_not_answered),
        cmocka_unit_test(what_was_acknowledged_outlives_the_primary),
    };
    postgres_server_create(&primary, "");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (standby.folder[0] != '\0') {
        postgres_server_remove(&standby);
    }
    postgres_server_remove(&primary);
    return failed;
}
