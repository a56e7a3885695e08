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

#include "server/store/sql.h"
#include "tests/support/store_fixture.h"

struct place {
    char folder[64];
    char path[80];
    struct sql_health health;
    struct sql *sql;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    fixture_make_folder(place->folder);
    (void)snprintf(place->path, sizeof place->path, "%s/a.db", place->folder);
    assert_int_equal(sql_open(&place->sql, place->path, SQL_WRITE, &place->health).reason, CL_OK);
    assert_int_equal(
        sql_script(place->sql, "CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT, bytes BLOB) STRICT").reason, CL_OK);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    sql_close(place->sql);
    fixture_remove_folder(place->folder);
    free(place);
    return 0;
}

/* The first column of the only row, as a number. */
static int64_t ask(struct sql *sql, const char *text)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_int_equal(sql_prepare(&statement, sql, text).reason, CL_OK);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    int64_t answer = row ? sql_column_i64(statement, 0) : -1;
    sql_finish(statement);
    return answer;
}

static const char COUNT[] = "SELECT count(*) FROM t";

static void settings_hold_on_every_connection(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *text;
        int64_t writer, reader;
    } rows[] = {
        {"PRAGMA synchronous", 2, 2},
        {"PRAGMA foreign_keys", 1, 1},
        {"PRAGMA trusted_schema", 0, 0},
        {"PRAGMA cell_size_check", 1, 1},
        {"PRAGMA secure_delete", 1, 1},
        {"PRAGMA temp_store", 2, 2},
        {"PRAGMA mmap_size", -1, -1}, /* 0 shows as no row: Debian builds it in */
        {"PRAGMA wal_autocheckpoint", 0, 1000},
        {"PRAGMA busy_timeout", 5000, 5000},
        {"SELECT count(*) FROM pragma_journal_mode() WHERE journal_mode = 'wal'", 1, 1},
    };
    struct sql *reader = NULL;
    assert_int_equal(sql_open(&reader, place->path, SQL_READ, &place->health).reason, CL_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t writer = ask(place->sql, rows[i].text);
        int64_t read = ask(reader, rows[i].text);
        bool zero_map = i == 6 && writer <= 0 && read <= 0;
        if (!zero_map && (writer != rows[i].writer || read != rows[i].reader)) {
            fail_msg("%s: %d, %d", rows[i].text, (int)writer, (int)read);
        }
    }
    sql_close(reader);
}

static void what_is_not_needed_is_refused(void **state)
{
    struct place *place = *state;
    static const char *const refused[] = {
        "SELECT load_extension('x')",
        "ATTACH ':memory:' AS other",
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema",
        "CREATE INDEX bad ON t (\"double quoted text\")",
        "SELECT \"no such column\"",
        "CREATE VIEW v AS SELECT 1; SELECT * FROM v",
        "INSERT INTO t (n) VALUES ('text in a strict column')",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct cl_status status = sql_script(place->sql, refused[i]);
        if (status.reason != CL_INTERNAL) {
            fail_msg("%s: %s", refused[i], cl_status_name(status));
        }
    }
    assert_false(sql_health_failed(&place->health));
}

static void values_come_back_as_bound(void **state)
{
    struct place *place = *state;
    static const char insert[] = "INSERT INTO t (bytes, text, n) VALUES ($3, $2, $1)"; /* not in SQLite's own order */
    static const char select[] = "SELECT n, text, bytes FROM t WHERE n = $1 AND $1 = n";
    static const struct {
        int64_t number;
        const char *text;
        size_t len;
        const char *bytes;
    } rows[] = {
        {INT64_MIN, "", 0, ""},
        {INT64_MAX, "汉字", 3, "\0\x01\xff"},
        {0, NULL, 4, "four"},
    };
    struct cl_arena *arena = NULL;
    assert_int_equal(cl_arena_create(&arena, 10000).reason, CL_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sql_statement *statement = NULL;
        bool row = false;
        assert_int_equal(sql_prepare(&statement, place->sql, insert).reason, CL_OK);
        sql_bind_i64(statement, 1, rows[i].number);
        sql_bind_text(statement, 2, rows[i].text);
        sql_bind_bytes(statement, 3, cl_bytes(rows[i].bytes, rows[i].len));
        assert_int_equal(sql_run(statement).reason, CL_OK);
        assert_int_equal(sql_changes(place->sql), 1);

        assert_int_equal(sql_prepare(&statement, place->sql, select).reason, CL_OK);
        sql_bind_i64(statement, 1, rows[i].number);
        assert_int_equal(sql_step(&row, statement).reason, CL_OK);
        assert_true(row);
        assert_true(sql_column_i64(statement, 0) == rows[i].number);
        assert_int_equal(sql_column_is_null(statement, 1), rows[i].text == NULL);
        const char *text = sql_copy_text(arena, statement, 1);
        struct cl_bytes bytes = sql_copy_bytes(arena, statement, 2);
        assert_int_equal(sql_step(&row, statement).reason, CL_OK);
        assert_false(row);
        assert_true(rows[i].text == NULL ? text == NULL : strcmp(text, rows[i].text) == 0);
        assert_true(cl_bytes_equal(bytes, cl_bytes(rows[i].bytes, rows[i].len)));
    }
    cl_arena_free(arena);
}

static void a_digest_is_read_only_at_its_size(void **state)
{
    struct place *place = *state;
    static const char insert[] = "INSERT INTO t (n, bytes) VALUES ($1, $2)";
    static const char select[] = "SELECT bytes FROM t WHERE n = $1";
    struct cl_digest digest = fixture_digest(5);
    for (int len = 31; len <= 33; len++) {
        uint8_t bytes[33] = {0};
        struct sql_statement *statement = NULL;
        struct cl_digest read = digest;
        bool row = false;
        memcpy(bytes, digest.bytes, 32);
        assert_int_equal(sql_prepare(&statement, place->sql, insert).reason, CL_OK);
        sql_bind_i64(statement, 1, len);
        sql_bind_bytes(statement, 2, cl_bytes(bytes, (size_t)len));
        assert_int_equal(sql_run(statement).reason, CL_OK);
        assert_int_equal(sql_prepare(&statement, place->sql, select).reason, CL_OK);
        sql_bind_i64(statement, 1, len);
        assert_int_equal(sql_step(&row, statement).reason, CL_OK);
        assert_int_equal(sql_column_digest(&read, statement, 0), len == 32);
        assert_int_equal(cl_digest_equal(&read, &digest), len == 32);
        sql_finish(statement);
    }
}

static void a_value_too_large_is_refused(void **state)
{
    struct place *place = *state;
    static const char insert[] = "INSERT INTO t (bytes) VALUES ($1)";
    static uint8_t large[SQL_VALUE_BYTES_MAX + 1];
    static const struct {
        size_t len;
        enum cl_reason expected;
    } rows[] = {{SQL_VALUE_BYTES_MAX - 64, CL_OK}, /* a row is a value too */
                {SQL_VALUE_BYTES_MAX, CL_MESSAGE_TOO_LARGE},
                {SQL_VALUE_BYTES_MAX + 1, CL_MESSAGE_TOO_LARGE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sql_statement *statement = NULL;
        assert_int_equal(sql_prepare(&statement, place->sql, insert).reason, CL_OK);
        sql_bind_bytes(statement, 1, cl_bytes(large, rows[i].len));
        assert_int_equal(sql_run(statement).reason, rows[i].expected);
    }
    assert_int_equal(ask(place->sql, COUNT), 1);
}

static void a_mark_undoes_its_part_only(void **state)
{
    struct place *place = *state;
    struct sql *sql = place->sql;
    static const char one[] = "INSERT INTO t (n) VALUES (1)";
    static const char two[] = "INSERT INTO t (n) VALUES (2)";
    static const char three[] = "INSERT INTO t (n) VALUES (3)";
    static const char five[] = "INSERT INTO t (n) VALUES (5)";
    struct sql_statement *statement = NULL;
    assert_int_equal(sql_begin(sql).reason, CL_OK);

    assert_int_equal(sql_mark(sql).reason, CL_OK); /* kept */
    assert_int_equal(sql_prepare(&statement, sql, one).reason, CL_OK);
    assert_int_equal(sql_run(statement).reason, CL_OK);
    assert_int_equal(sql_mark_keep(sql).reason, CL_OK);

    assert_int_equal(sql_mark(sql).reason, CL_OK); /* undone, also after a failing statement */
    assert_int_equal(sql_prepare(&statement, sql, two).reason, CL_OK);
    assert_int_equal(sql_run(statement).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, sql, one).reason, CL_OK);
    assert_int_equal(sql_run(statement).reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_mark_undo(sql).reason, CL_OK);

    assert_int_equal(sql_mark(sql).reason, CL_OK); /* reads only */
    assert_int_equal(ask(sql, COUNT), 1);
    assert_int_equal(sql_mark_undo(sql).reason, CL_OK);

    assert_int_equal(sql_mark(sql).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, sql, three).reason, CL_OK);
    assert_int_equal(sql_run(statement).reason, CL_OK);
    assert_int_equal(sql_mark_keep(sql).reason, CL_OK);
    assert_int_equal(sql_commit(sql).reason, CL_OK);
    assert_int_equal(ask(sql, "SELECT sum(n) FROM t"), 4);

    assert_int_equal(sql_begin(sql).reason, CL_OK);
    assert_int_equal(sql_mark(sql).reason, CL_OK); /* the first that writes is undone: the transaction goes on */
    assert_int_equal(sql_prepare(&statement, sql, two).reason, CL_OK);
    assert_int_equal(sql_run(statement).reason, CL_OK);
    assert_int_equal(sql_mark_undo(sql).reason, CL_OK);
    assert_int_equal(ask(sql, "SELECT sum(n) FROM t"), 4);
    assert_int_equal(sql_mark(sql).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, sql, five).reason, CL_OK);
    assert_int_equal(sql_run(statement).reason, CL_OK);
    assert_int_equal(sql_mark_keep(sql).reason, CL_OK);
    assert_int_equal(sql_commit(sql).reason, CL_OK);
    assert_int_equal(ask(sql, "SELECT sum(n) FROM t"), 9);

    assert_int_equal(sql_begin(sql).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, sql, two).reason, CL_OK);
    assert_int_equal(sql_run(statement).reason, CL_OK);
    sql_rollback(sql);
    sql_rollback(sql);
    assert_int_equal(ask(sql, COUNT), 3);
    assert_false(sql_health_failed(&place->health));
}

static void a_reader_sees_commits_and_cannot_write(void **state)
{
    struct place *place = *state;
    struct sql *reader = NULL;
    assert_int_equal(sql_open(&reader, place->path, SQL_READ, &place->health).reason, CL_OK);
    assert_int_equal(sql_begin(place->sql).reason, CL_OK);
    assert_int_equal(sql_script(place->sql, "INSERT INTO t (n) VALUES (1)").reason, CL_OK);
    assert_int_equal(ask(reader, COUNT), 0);
    assert_int_equal(sql_commit(place->sql).reason, CL_OK);
    assert_int_equal(ask(reader, COUNT), 1);
    assert_int_equal(sql_script(reader, "INSERT INTO t (n) VALUES (2)").reason, CL_INTERNAL);
    assert_false(sql_health_failed(&place->health));
    sql_close(reader);
}

static off_t size_of(const char *path, const char *suffix)
{
    char name[128];
    struct stat info;
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    assert_int_equal(stat(name, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    return info.st_size;
}

static void a_checkpoint_empties_the_log_but_never_waits(void **state)
{
    struct place *place = *state;
    static const char select[] = "SELECT n FROM t";
    struct sql *reader = NULL;
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_int_equal(sql_script(place->sql, "INSERT INTO t (n) VALUES (1), (2)").reason, CL_OK);
    assert_true(sql_log_pages(place->sql) > 0);
    assert_true(size_of(place->path, "-wal") > 0);
    assert_int_equal(sql_open(&reader, place->path, SQL_READ, &place->health).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, reader, select).reason, CL_OK);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK); /* holds a snapshot */
    assert_int_equal(sql_script(place->sql, "INSERT INTO t (n) VALUES (3)").reason, CL_OK);
    assert_int_equal(sql_checkpoint(place->sql, true).reason, CL_OK);
    assert_true(size_of(place->path, "-wal") > 0);
    sql_finish(statement);
    assert_int_equal(sql_checkpoint(place->sql, true).reason, CL_OK);
    assert_int_equal(size_of(place->path, "-wal"), 0);
    assert_int_equal(sql_log_pages(place->sql), 0);
    (void)size_of(place->path, "");
    sql_close(reader);
}

static void only_a_private_regular_file_is_opened(void **state)
{
    struct place *place = *state;
    char path[128], link_path[128];
    struct sql *sql = NULL;
    struct sql_health health = {.failed = false};
    (void)snprintf(path, sizeof path, "%s/b.db", place->folder);
    (void)snprintf(link_path, sizeof link_path, "%s/link.db", place->folder);

    assert_int_equal(sql_open(&sql, path, SQL_READ, &health).reason, CL_CONFIG_INVALID); /* not there */
    assert_int_equal(sql_open(&sql, "/nonexistent/b.db", SQL_WRITE, &health).reason, CL_CONFIG_INVALID);
    assert_int_equal(sql_open(&sql, place->folder, SQL_WRITE, &health).reason, CL_CONFIG_INVALID);
    assert_int_equal(symlink(place->path, link_path), 0);
    assert_int_equal(sql_open(&sql, link_path, SQL_WRITE, &health).reason, CL_CONFIG_INVALID);
    assert_int_equal(chmod(place->path, 0640), 0);
    assert_int_equal(sql_open(&sql, place->path, SQL_READ, &health).reason, CL_CONFIG_INVALID);
    assert_int_equal(chmod(place->path, 0600), 0);

    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    static const char text[4096] = "this is not a database";
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    assert_int_equal(close(fd), 0);
    assert_int_equal(sql_open(&sql, path, SQL_WRITE, &health).reason, CL_CONFIG_INVALID);
    assert_null(sql);
    assert_false(sql_health_failed(&health));
}

static void count_failure(void *user)
{
    *(int *)user += 1;
}

static void damage_is_found_and_latches(void **state)
{
    struct place *place = *state;
    int failures = 0;
    place->health.on_failed = count_failure;
    place->health.user = &failures;
    assert_int_equal(sql_check(place->sql).reason, CL_OK);
    assert_int_equal(sql_script(place->sql, "CREATE TABLE parent (n INTEGER PRIMARY KEY) STRICT;"
                                            "CREATE TABLE child (n INTEGER REFERENCES parent (n)) STRICT;"
                                            "PRAGMA foreign_keys = OFF;"
                                            "INSERT INTO child (n) VALUES (1)")
                         .reason,
                     CL_OK);
    assert_int_equal(sql_check(place->sql).reason, CL_STORE_FAILED);
    assert_int_equal(sql_check(place->sql).reason, CL_STORE_FAILED);
    assert_int_equal(failures, 1);

    struct sql_statement *statement = NULL;
    assert_int_equal(sql_prepare(&statement, place->sql, COUNT).reason, CL_STORE_FAILED);
    assert_int_equal(sql_begin(place->sql).reason, CL_STORE_FAILED);
    assert_int_equal(sql_mark(place->sql).reason, CL_STORE_FAILED);
    assert_int_equal(sql_script(place->sql, "SELECT 1").reason, CL_STORE_FAILED);
    assert_int_equal(sql_checkpoint(place->sql, false).reason, CL_STORE_FAILED);
}

static void a_failure_of_one_connection_stops_all(void **state)
{
    struct place *place = *state;
    struct sql *reader = NULL;
    struct sql_statement *statement = NULL;
    bool row = true;
    assert_int_equal(sql_open(&reader, place->path, SQL_READ, &place->health).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, place->sql, COUNT).reason, CL_OK);
    sql_health_fail(&place->health, 0);
    assert_int_equal(sql_step(&row, statement).reason, CL_STORE_FAILED);
    assert_true(row); /* untouched */
    assert_int_equal(sql_prepare(&statement, reader, COUNT).reason, CL_STORE_FAILED);
    sql_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settings_hold_on_every_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_needed_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_come_back_as_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_digest_is_read_only_at_its_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_too_large_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mark_undoes_its_part_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_sees_commits_and_cannot_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_empties_the_log_but_never_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_a_private_regular_file_is_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_found_and_latches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_of_one_connection_stops_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
