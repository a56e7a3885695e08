/* SQLite's log, read without SQLite: a real one, and every way in which it can be none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/durable.h"
#include "server/store/walfile.h"
#include "tests/support/store_fixture.h"

/* A database whose log has some transactions and stays, because its connection is open. */
struct log {
    char folder[64], path[80], wal[96];
    struct sql_health health;
    struct sql *sql;
    int fd;
};

static void write_some(struct log *log, const char *text)
{
    assert_int_equal(sql_begin(log->sql).reason, CL_OK);
    assert_int_equal(sql_script(log->sql, text).reason, CL_OK);
    assert_int_equal(sql_commit(log->sql).reason, CL_OK);
}

static int set_up(void **state)
{
    struct log *log = calloc(1, sizeof *log);
    fixture_make_folder(log->folder);
    (void)snprintf(log->path, sizeof log->path, "%s/some.db", log->folder);
    (void)snprintf(log->wal, sizeof log->wal, "%s-wal", log->path);
    assert_int_equal(sql_open(&log->sql, log->path, SQL_WRITE, &log->health).reason, CL_OK);
    write_some(log, "CREATE TABLE things (name TEXT)");
    write_some(log, "INSERT INTO things VALUES ('one'); INSERT INTO things VALUES (hex(randomblob(20000)))");
    log->fd = open(log->wal, O_RDWR | O_CLOEXEC);
    assert_true(log->fd >= 0);
    *state = log;
    return 0;
}

static int tear_down(void **state)
{
    struct log *log = *state;
    (void)close(log->fd);
    sql_close(log->sql);
    fixture_remove_folder(log->folder);
    free(log);
    return 0;
}

static struct walfile_end find_end(const struct log *log)
{
    struct walfile_end end;
    assert_true(walfile_find_end(&end, log->fd));
    return end;
}

static void its_end_is_the_one_that_sqlite_has(void **state)
{
    struct log *log = *state;
    struct walfile_end end = find_end(log);
    assert_false(end.empty);
    assert_int_equal(end.wal.page_bytes, 4096);
    assert_int_equal(end.frames, sql_log_pages(log->sql));
    write_some(log, "INSERT INTO things VALUES ('two')");
    struct walfile_end later = find_end(log);
    assert_int_equal(later.frames, sql_log_pages(log->sql));
    assert_true(later.frames > end.frames);
    assert_true(walfile_same(&later.wal, &end.wal));
    assert_false(walfile_follows(&later.wal, &end.wal));
}

static void a_log_that_begins_anew_follows_the_one_before(void **state)
{
    struct log *log = *state;
    struct walfile_end end = find_end(log);
    assert_int_equal(sql_checkpoint(log->sql, false).reason, CL_OK);
    struct walfile_end next = find_end(log);
    assert_true(walfile_same(&next.wal, &end.wal)); /* not yet: the next commit begins it */
    write_some(log, "INSERT INTO things VALUES ('two')");
    next = find_end(log);
    assert_true(walfile_follows(&next.wal, &end.wal));
    assert_false(walfile_follows(&end.wal, &next.wal));
    assert_false(walfile_same(&next.wal, &end.wal));
    assert_int_equal(next.frames, sql_log_pages(log->sql)); /* what lies behind is of the past */
    assert_int_equal(sql_checkpoint(log->sql, true).reason, CL_OK);
    assert_true(find_end(log).empty);
    write_some(log, "INSERT INTO things VALUES ('three')");
    struct walfile_end third = find_end(log);
    assert_true(walfile_follows(&third.wal, &next.wal));
    assert_false(walfile_follows(&third.wal, &end.wal)); /* one is missing in between */
}

/* Whatever bit of a frame is another, the log ends before its transaction. */
static void a_changed_frame_ends_it(void **state)
{
    struct log *log = *state;
    struct walfile_end whole = find_end(log);
    uint32_t first = 0;
    uint8_t header[WALFILE_FRAME_HEADER_BYTES];
    do {
        first++;
        assert_true(durable_read(log->fd, header, sizeof header, walfile_frame_offset(&whole.wal, first)));
    } while (!walfile_ends_transaction(header));
    int64_t at = walfile_frame_offset(&whole.wal, whole.frames);
    for (size_t i = 0; i < walfile_frame_bytes(&whole.wal); i += i < WALFILE_FRAME_HEADER_BYTES ? 1 : 97) {
        uint8_t byte = 0;
        assert_true(durable_read(log->fd, &byte, 1, at + (int64_t)i));
        uint8_t other = byte ^ 0x10;
        assert_true(durable_write(log->fd, cl_bytes(&other, 1), at + (int64_t)i));
        assert_int_equal(find_end(log).frames, first);
        assert_true(durable_write(log->fd, cl_bytes(&byte, 1), at + (int64_t)i));
    }
    assert_int_equal(find_end(log).frames, whole.frames);
}

static void a_changed_header_is_none(void **state)
{
    struct log *log = *state;
    struct walfile wal;
    uint8_t header[WALFILE_HEADER_BYTES];
    assert_true(durable_read(log->fd, header, sizeof header, 0));
    assert_true(walfile_read_header(&wal, header));
    for (size_t i = 0; i < sizeof header; i++) {
        header[i] ^= 0x04;
        assert_false(walfile_read_header(&wal, header));
        header[i] ^= 0x04;
    }
}

static void a_cut_file_ends_where_it_is_cut(void **state)
{
    struct log *log = *state;
    struct walfile_end whole = find_end(log);
    struct stat info;
    assert_int_equal(fstat(log->fd, &info), 0);
    assert_int_equal(ftruncate(log->fd, info.st_size - 1), 0);
    assert_true(find_end(log).frames < whole.frames);
    assert_int_equal(ftruncate(log->fd, WALFILE_HEADER_BYTES - 1), 0);
    assert_true(find_end(log).empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_end_is_the_one_that_sqlite_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_log_that_begins_anew_follows_the_one_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_frame_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_header_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_file_ends_where_it_is_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
