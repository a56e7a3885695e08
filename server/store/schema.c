#include "server/store/schema.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/log.h"
#include "libcoloan/sha256.h"

static const char CREATE_TABLE[] = "CREATE TABLE migrations ("
                                   " number INTEGER NOT NULL PRIMARY KEY,"
                                   " name TEXT NOT NULL,"
                                   " digest BLOB NOT NULL,"
                                   " applied_ms INTEGER NOT NULL"
                                   ") STRICT;";

static struct cl_status refuse(const char *why, int64_t number)
{
    cl_log(CL_LOG_ERROR, "store.schema", cl_log_text("why", why), cl_log_number("migration", number));
    return cl_fail(CL_CONFIG_INVALID);
}

/* An empty database becomes ours; a foreign one stays as it is. */
static struct cl_status claim(struct sql *sql)
{
    enum sql_claim claim = SQL_FOREIGN;
    struct cl_status status = sql_claim(&claim, sql);
    if (cl_failed(status)) {
        return status;
    }
    if (claim == SQL_EMPTY) {
        return sql_define(sql, CREATE_TABLE);
    }
    return claim == SQL_OURS ? cl_ok() : refuse("another program's database", 0);
}

static struct cl_digest digest_of(const struct schema_migration *migration)
{
    struct cl_digest digest;
    cl_sha256(&digest, cl_bytes_text(migration->text));
    return digest;
}

/* Walks the applied ones; all of them have to be ours. */
static struct cl_status count_applied(size_t *out, struct sql *sql, const struct schema_migration *migrations,
                                      size_t count)
{
    static const char text[] = "SELECT number, digest FROM migrations ORDER BY number";
    struct sql_statement *statement = NULL;
    size_t applied = 0;
    bool row = true;
    struct cl_status status = sql_prepare(&statement, sql, text);
    while (cl_is_ok(status)) {
        status = sql_step(&row, statement);
        if (cl_failed(status) || !row) {
            break;
        }
        int64_t number = sql_column_i64(statement, 0);
        struct cl_digest digest;
        struct cl_digest expected = {{0}};
        bool known = applied < count && migrations[applied].number == number;
        if (known) {
            expected = digest_of(&migrations[applied]);
        }
        if (!known || !sql_column_digest(&digest, statement, 1) || !cl_digest_equal(&digest, &expected)) {
            status = refuse(known ? "changed" : "newer", number);
        }
        applied++;
    }
    if (statement != NULL) {
        sql_finish(statement);
    }
    if (cl_is_ok(status)) {
        *out = applied;
    }
    return status;
}

static struct cl_status record(struct sql *sql, const struct schema_migration *migration, int64_t now_ms)
{
    static const char text[] = "INSERT INTO migrations (number, name, digest, applied_ms) VALUES ($1, $2, $3, $4)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    struct cl_digest digest = digest_of(migration);
    sql_bind_i64(statement, 1, migration->number);
    sql_bind_text(statement, 2, migration->name);
    sql_bind_digest(statement, 3, &digest);
    sql_bind_i64(statement, 4, now_ms);
    return sql_run(statement);
}

static struct cl_status apply(struct sql *sql, const struct schema_migration *migration, int64_t now_ms)
{
    struct cl_status status = sql_define(sql, migration->text);
    return cl_is_ok(status) ? record(sql, migration, now_ms) : status;
}

/* Another process may have been here since the last step, so each looks anew. */
static struct cl_status step(size_t *applied_out, struct sql *sql, const struct schema_migration *migrations,
                             size_t count, int64_t now_ms)
{
    size_t applied = 0;
    struct cl_status status = claim(sql);
    if (cl_is_ok(status)) {
        status = count_applied(&applied, sql, migrations, count);
    }
    if (cl_is_ok(status) && applied < count) {
        status = apply(sql, &migrations[applied], now_ms);
    }
    if (cl_is_ok(status)) {
        *applied_out = applied;
    }
    return status;
}

/* `whole_out`: there was nothing left to do. */
static struct cl_status step_in_transaction(bool *whole_out, struct sql *sql, const struct schema_migration *migrations,
                                            size_t count, int64_t now_ms)
{
    size_t applied = 0;
    struct cl_status status = sql_begin(sql);
    if (cl_is_ok(status)) {
        status = step(&applied, sql, migrations, count, now_ms);
    }
    if (cl_is_ok(status)) {
        status = sql_commit(sql);
    }
    if (cl_failed(status)) {
        sql_rollback(sql);
        return status;
    }
    *whole_out = applied == count;
    if (!*whole_out) {
        cl_log(CL_LOG_INFO, "store.migrated", cl_log_number("migration", migrations[applied].number),
               cl_log_text("name", migrations[applied].name));
    }
    return cl_ok();
}

struct cl_status schema_migrate(struct sql *sql, const struct schema_migration *migrations, size_t count,
                                int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        assert(migrations[i].number == (int)i + 1);
    }
    bool whole = false;
    struct cl_status status = cl_ok();
    while (cl_is_ok(status) && !whole) {
        status = step_in_transaction(&whole, sql, migrations, count, now_ms);
    }
    return status;
}
