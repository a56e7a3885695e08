/* What is the same for every engine: which one it is, the statements that are kept, marks, copies. */
#include "server/store/sql.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/log.h"
#include "server/store/engine.h"

/* -- Health -------------------------------------------------------------------------------------------------- */

void sql_health_fail(struct sql_health *health, int code)
{
    if (atomic_exchange(&health->failed, true)) {
        return;
    }
    cl_log(CL_LOG_ERROR, "store.failed", cl_log_number("code", code));
    if (health->on_failed != NULL) {
        health->on_failed(health->user);
    }
}

bool sql_health_failed(const struct sql_health *health)
{
    return atomic_load(&health->failed);
}

/* Why nothing may be asked of this connection now, if so. */
static struct cl_status usable(const struct sql *sql)
{
    if (sql_health_failed(sql->health)) {
        return cl_fail(CL_STORE_FAILED);
    }
    return sql->lost ? cl_fail(CL_STORE_UNREACHABLE) : cl_ok();
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

static const struct sql_engine *engine_of(const char *address)
{
    static const char *const prefixes[] = {"postgresql://", "postgres://"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(address, prefixes[i], strlen(prefixes[i])) == 0) {
            return &sql_postgres;
        }
    }
    return &sql_sqlite;
}

bool sql_keeps_file(const char *address)
{
    return engine_of(address)->keeps_file;
}

struct cl_status sql_check_address(const char **why_out, const char *address)
{
    const struct sql_engine *engine = engine_of(address);
    return engine->check_address == NULL ? cl_ok() : engine->check_address(why_out, address);
}

struct cl_status sql_open(struct sql **out, const char *address, enum sql_mode mode, struct sql_health *health)
{
    return engine_of(address)->open(out, address, mode, health);
}

void sql_close(struct sql *sql)
{
    if (sql == NULL) {
        return;
    }
    for (size_t i = 0; i < SQL_STATEMENTS_MAX; i++) {
        if (sql->kept[i].text != NULL) {
            sql->engine->discard(sql->kept[i].statement);
        }
    }
    sql->engine->close(sql);
}

struct cl_status sql_be_alone(struct sql *sql)
{
    struct cl_status status = usable(sql);
    return cl_is_ok(status) && sql->engine->be_alone != NULL ? sql->engine->be_alone(sql) : status;
}

/* -- Statements ---------------------------------------------------------------------------------------------- */

static struct sql_kept *find_kept(struct sql *sql, const char *text)
{
    size_t place = (size_t)((uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SQL_STATEMENTS_MAX;
    while (sql->kept[place].text != NULL && sql->kept[place].text != text) {
        place = (place + 1) % SQL_STATEMENTS_MAX;
    }
    return &sql->kept[place];
}

static struct cl_status compile(struct sql_kept *kept, struct sql *sql, const char *text)
{
    struct sql_statement *statement = NULL;
    struct cl_status status = sql->engine->compile(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    assert(sql->kept_count < SQL_STATEMENTS_MAX / 2);
    statement->sql = sql;
    statement->text = text;
    *kept = (struct sql_kept){.text = text, .statement = statement};
    sql->kept_count++;
    return cl_ok();
}

struct cl_status sql_prepare(struct sql_statement **out, struct sql *sql, const char *text)
{
    struct cl_status status = usable(sql);
    struct sql_kept *kept = find_kept(sql, text);
    if (cl_is_ok(status) && kept->text == NULL) {
        status = compile(kept, sql, text);
    }
    if (cl_failed(status)) {
        return status;
    }
    sql_finish(kept->statement);
    *out = kept->statement;
    return cl_ok();
}

void sql_bind_i64(struct sql_statement *statement, int number, int64_t value)
{
    assert(number >= 1 && number <= SQL_PARAMETERS_MAX);
    statement->sql->engine->bind_i64(statement, number, value);
}

void sql_bind_text(struct sql_statement *statement, int number, const char *text)
{
    assert(number >= 1 && number <= SQL_PARAMETERS_MAX);
    statement->sql->engine->bind_text(statement, number, text);
}

void sql_bind_bytes(struct sql_statement *statement, int number, struct cl_bytes bytes)
{
    static const uint8_t empty[1];
    assert(number >= 1 && number <= SQL_PARAMETERS_MAX);
    statement->sql->engine->bind_bytes(statement, number, bytes.data == NULL ? cl_bytes(empty, 0) : bytes);
}

void sql_bind_digest(struct sql_statement *statement, int number, const struct cl_digest *digest)
{
    assert(number >= 1 && number <= SQL_PARAMETERS_MAX);
    struct cl_bytes bytes = digest == NULL ? cl_bytes(NULL, 0) : cl_bytes(digest->bytes, sizeof digest->bytes);
    statement->sql->engine->bind_bytes(statement, number, bytes);
}

/* Undoing costs: SQLite copies every page that is changed behind a savepoint, PostgreSQL counts a transaction more. A
 * command that only reads, like the answer to a repeated message, never pays for that; nor does the first one that
 * writes: to undo it is to undo the whole transaction. */
static struct cl_status before_write(struct sql *sql)
{
    static const char text[] = "SAVEPOINT mark";
    bool first = !sql->written;
    sql->written = true;
    if (sql->mark != SQL_MARK_WANTED) {
        return cl_ok();
    }
    sql->mark = first ? SQL_MARK_IS_BEGIN : SQL_MARK_SET;
    return first ? cl_ok() : sql->engine->bracket(sql, text);
}

struct cl_status sql_step(bool *row_out, struct sql_statement *statement)
{
    struct sql *sql = statement->sql;
    struct cl_status status = usable(sql);
    if (cl_is_ok(status) && statement->writes) {
        status = before_write(sql);
    }
    if (cl_is_ok(status)) {
        return sql->engine->step(row_out, statement);
    }
    sql_finish(statement);
    return status;
}

void sql_finish(struct sql_statement *statement)
{
    statement->sql->engine->finish(statement);
}

struct cl_status sql_run(struct sql_statement *statement)
{
    bool row = true;
    while (row) {
        struct cl_status status = sql_step(&row, statement);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

struct cl_status sql_run_one(struct sql_statement *statement, enum cl_reason otherwise)
{
    struct cl_status status = sql_run(statement);
    if (cl_failed(status)) {
        return status;
    }
    return sql_changes(statement->sql) == 1 ? cl_ok() : cl_fail(otherwise);
}

int64_t sql_changes(struct sql *sql)
{
    return sql->engine->changes(sql);
}

int64_t sql_column_i64(struct sql_statement *statement, int column)
{
    return statement->sql->engine->column_i64(statement, column);
}

const char *sql_column_text(struct sql_statement *statement, int column)
{
    return statement->sql->engine->column_text(statement, column);
}

struct cl_bytes sql_column_bytes(struct sql_statement *statement, int column)
{
    return statement->sql->engine->column_bytes(statement, column);
}

bool sql_column_is_null(struct sql_statement *statement, int column)
{
    return statement->sql->engine->column_is_null(statement, column);
}

bool sql_column_digest(struct cl_digest *out, struct sql_statement *statement, int column)
{
    struct cl_bytes bytes = sql_column_bytes(statement, column);
    memset(out, 0, sizeof *out);
    if (bytes.len != sizeof out->bytes) {
        return false;
    }
    memcpy(out->bytes, bytes.data, bytes.len);
    return true;
}

const char *sql_copy_text(struct cl_arena *arena, struct sql_statement *statement, int column)
{
    const char *text = sql_column_text(statement, column);
    return text == NULL ? NULL : cl_arena_text(arena, text);
}

struct cl_bytes sql_copy_bytes(struct cl_arena *arena, struct sql_statement *statement, int column)
{
    struct cl_bytes bytes = sql_column_bytes(statement, column);
    const uint8_t *copy = cl_arena_copy(arena, bytes);
    return cl_bytes(copy, copy == NULL ? 0 : bytes.len);
}

/* -- Questions with one answer ------------------------------------------------------------------------------- */

struct cl_status sql_ask(struct sql_statement **out, bool *row_out, struct sql *sql, const char *text)
{
    struct cl_status status = sql_prepare(out, sql, text);
    return cl_is_ok(status) ? sql_step(row_out, *out) : status;
}

struct cl_status sql_ask_number(int64_t *out, struct sql *sql, const char *text)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_ask(&statement, &row, sql, text);
    if (cl_is_ok(status)) {
        *out = row ? sql_column_i64(statement, 0) : 0;
        sql_finish(statement);
    }
    return status;
}

struct cl_status sql_find(bool *found_out, void *out, struct sql_statement *statement, sql_reader *read,
                          struct cl_arena *arena)
{
    bool row = false;
    struct cl_status status = sql_step(&row, statement);
    if (cl_is_ok(status) && row) {
        status = read(out, statement, arena);
        sql_finish(statement);
    }
    if (cl_is_ok(status)) {
        *found_out = row;
    }
    return status;
}

/* -- Transactions -------------------------------------------------------------------------------------------- */

struct cl_status sql_begin(struct sql *sql)
{
    assert(sql->mode == SQL_WRITE);
    struct cl_status status = usable(sql);
    if (cl_failed(status)) {
        return status;
    }
    sql->written = false;
    sql->all_or_nothing = false;
    return sql->engine->begin(sql);
}

struct cl_status sql_commit(struct sql *sql)
{
    struct cl_status status = usable(sql);
    return cl_is_ok(status) ? sql->engine->commit(sql) : status;
}

struct cl_status sql_all_or_nothing(struct sql *sql)
{
    sql->all_or_nothing = true;
    return usable(sql);
}

void sql_rollback(struct sql *sql)
{
    sql->mark = SQL_NO_MARK;
    sql->engine->rollback(sql);
}

struct cl_status sql_mark(struct sql *sql)
{
    assert(sql->mark == SQL_NO_MARK);
    struct cl_status status = usable(sql);
    if (cl_is_ok(status)) {
        sql->mark = SQL_MARK_WANTED;
    }
    return status;
}

struct cl_status sql_mark_keep(struct sql *sql)
{
    static const char text[] = "RELEASE SAVEPOINT mark";
    bool set = sql->mark == SQL_MARK_SET;
    sql->mark = SQL_NO_MARK;
    struct cl_status status = usable(sql);
    return cl_is_ok(status) && set ? sql->engine->bracket(sql, text) : status;
}

struct cl_status sql_mark_undo(struct sql *sql)
{
    static const char all[] = "ROLLBACK";
    static const char undo[] = "ROLLBACK TO SAVEPOINT mark";
    static const char release[] = "RELEASE SAVEPOINT mark";
    enum sql_mark_state mark = sql->mark;
    sql->mark = SQL_NO_MARK;
    struct cl_status status = usable(sql);
    if (cl_failed(status) || mark == SQL_NO_MARK || mark == SQL_MARK_WANTED) {
        return status;
    }
    status = sql->engine->bracket(sql, mark == SQL_MARK_IS_BEGIN ? all : undo);
    if (cl_failed(status)) {
        return status;
    }
    return mark == SQL_MARK_IS_BEGIN ? sql_begin(sql) : sql->engine->bracket(sql, release);
}

bool sql_lost(const struct sql *sql)
{
    return sql->lost;
}

struct cl_status sql_settle(enum sql_fate *out, struct sql *sql)
{
    assert(sql->lost && sql->mode == SQL_WRITE);
    if (sql_health_failed(sql->health)) {
        return cl_fail(CL_STORE_FAILED);
    }
    return sql->engine->settle(out, sql);
}

struct cl_status sql_tell(struct sql *sql, const char *text)
{
    struct cl_status status = usable(sql);
    return cl_is_ok(status) && sql->engine->tell != NULL ? sql->engine->tell(sql, text) : status;
}

struct cl_status sql_listen(struct sql_listener **out, struct sql *writer, sql_heard *heard, void *user)
{
    if (writer->engine->listen == NULL) {
        *out = NULL;
        return cl_ok();
    }
    return writer->engine->listen(out, writer, heard, user);
}

void sql_listener_free(struct sql_listener *listener)
{
    if (listener != NULL) {
        sql_postgres.unlisten(listener); /* the only engine that has any */
    }
}

struct cl_status sql_script(struct sql *sql, const char *text)
{
    struct cl_status status = usable(sql);
    if (cl_is_ok(status)) {
        status = before_write(sql);
    }
    return cl_is_ok(status) ? sql->engine->script(sql, text) : status;
}

/* -- Schema and care ----------------------------------------------------------------------------------------- */

struct cl_status sql_define(struct sql *sql, const char *text)
{
    struct cl_status status = usable(sql);
    if (cl_is_ok(status)) {
        status = before_write(sql);
    }
    return cl_is_ok(status) ? sql->engine->define(sql, text) : status;
}

struct cl_status sql_claim(enum sql_claim *out, struct sql *sql)
{
    struct cl_status status = usable(sql);
    return cl_is_ok(status) ? sql->engine->claim(out, sql) : status;
}

size_t sql_log_pages(struct sql *sql)
{
    assert(sql->engine->keeps_file);
    return sql->engine->log_pages(sql);
}

uint64_t sql_log_commits(const struct sql *sql)
{
    assert(sql->engine->keeps_file);
    return sql->engine->log_commits(sql);
}

struct cl_status sql_keep_log(struct sql *sql)
{
    assert(sql->engine->keeps_file);
    struct cl_status status = usable(sql);
    return cl_is_ok(status) ? sql->engine->keep_log(sql) : status;
}

struct cl_status sql_hold(struct sql *sql)
{
    assert(sql->engine->keeps_file);
    struct cl_status status = usable(sql);
    return cl_is_ok(status) ? sql->engine->hold(sql) : status;
}

void sql_release(struct sql *sql)
{
    sql_rollback(sql);
}

struct cl_status sql_checkpoint(struct sql *sql, bool truncate)
{
    assert(sql->engine->keeps_file);
    struct cl_status status = usable(sql);
    return cl_is_ok(status) ? sql->engine->checkpoint(sql, truncate) : status;
}

struct cl_status sql_check(struct sql *sql)
{
    struct cl_status status = usable(sql);
    return cl_is_ok(status) ? sql->engine->check(sql) : status;
}
