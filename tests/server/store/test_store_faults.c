/* A store that cannot read, and one whose file was damaged. Every other call of the disk that fails, and power cuts, are
 * campaigns of their own (tests/crash: diskerror, power). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/power_vfs.h"
#include "tests/support/store_fixture.h"

enum { COMMANDS = 20 };

struct run {
    char folder[64], path[80];
    struct store *store;
    unsigned number;
    atomic_uint failures;
};

static void count_failure(void *user)
{
    atomic_fetch_add(&((struct run *)user)->failures, 1);
}

static struct cl_status write_row(void *user, struct store_tx *tx)
{
    struct run *run = user;
    struct message_row row = fixture_message(run->number);
    return messages_add(tx, &row);
}

static struct cl_status open_store(struct run *run)
{
    const struct store_options options = {
        .address = run->path, .clock = cl_clock_system(), .failed = count_failure, .user = run};
    return store_open(&run->store, &options);
}

static void write_rows(struct run *run)
{
    for (run->number = 0; run->number < COMMANDS; run->number++) {
        assert_int_equal(store_run(run->store, write_row, run).reason, CL_OK);
    }
}

static void a_reader_that_cannot_read_latches_for_all(void **state)
{
    (void)state;
    struct run run = {.number = 0};
    struct sql *sql = NULL;
    struct cl_arena *arena = NULL;
    struct message_row row = fixture_message(0);
    struct power_fault fault = {.calls = POWER_READ, .at = 1, .effect = POWER_FAILS, .code = SQLITE_IOERR_READ};
    bool found = false;
    power_vfs_install();
    fixture_make_folder(run.folder);
    (void)snprintf(run.path, sizeof run.path, "%s/coloan.db", run.folder);
    assert_int_equal(open_store(&run).reason, CL_OK);
    write_rows(&run);
    assert_int_equal(cl_arena_create(&arena, 100000).reason, CL_OK);
    assert_int_equal(store_reader_open(&sql, run.store).reason, CL_OK);
    power_vfs_arm(&fault);
    assert_int_equal(messages_get(&found, &row, sql, arena, &row.digest).reason, CL_STORE_FAILED);
    assert_int_equal(atomic_load(&run.failures), 1);
    assert_int_equal(store_run(run.store, write_row, &run).reason, CL_STORE_FAILED);
    sql_close(sql);
    cl_arena_free(arena);
    store_close(run.store);
    fixture_remove_folder(run.folder);
    power_vfs_remove();
}

/* One byte of each page is flipped in turn: found by the check or without effect on what is read. */
static void a_flipped_byte_is_no_wrong_answer(void **state)
{
    (void)state;
    struct run run = {.number = 0};
    fixture_make_folder(run.folder);
    (void)snprintf(run.path, sizeof run.path, "%s/coloan.db", run.folder);
    assert_int_equal(open_store(&run).reason, CL_OK);
    write_rows(&run);
    store_close(run.store);
    unsigned damaged = 0;
    unsigned found = 0;
    FILE *file = fopen(run.path, "r+b");
    assert_non_null(file);
    (void)setvbuf(file, NULL, _IONBF, 0);
    (void)fseek(file, 0, SEEK_END);
    long pages = ftell(file) / 4096;
    for (long page = 0; page < pages; page++) {
        long offset = page * 4096 + (page == 0 ? 100 : 0); /* the kind of the page */
        (void)fseek(file, offset, SEEK_SET);
        int byte = fgetc(file);
        (void)fseek(file, offset, SEEK_SET);
        (void)fputc(byte ^ 0x40, file);
        damaged++;
        struct cl_status status = open_store(&run);
        if (cl_is_ok(status)) {
            status = store_check(run.store);
            store_close(run.store);
        }
        found += cl_failed(status) ? 1 : 0;
        (void)fseek(file, offset, SEEK_SET);
        (void)fputc(byte, file);
    }
    (void)fclose(file);
    assert_true(damaged > 20);
    assert_int_equal(found, damaged);
    fixture_remove_folder(run.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_cannot_read_latches_for_all),
        cmocka_unit_test(a_flipped_byte_is_no_wrong_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
