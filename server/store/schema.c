#include "server/store/schema.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/log.h"
#include "libcoloan/sha256.h"

/* "COLN": marks the file as ours, for us and for file(1). */
#define APPLICATION_ID "1129270350"

static const char CREATE_TABLE[] = "PRAGMA application_id = " APPLICATION_ID ";"
                                   "CREATE TABLE migrations ("
                                   " number INTEGER NOT NULL PRIMARY KEY,"
                                   " name TEXT NOT NULL,"
                                   " digest BLOB NOT NULL,"
                                   " applied_ms INTEGER NOT NULL"
                                   ") STRICT";

static struct cl_status ask_number(int64_t *out, struct sql *sql, const char *text)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_ask(&statement, &row, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    *out = row ? sql_column_i64(statement, 0) : 0;
    sql_finish(statement);
    return cl_ok();
}

static struct cl_status refuse(const char *why, int64_t number)
{
    cl_log(CL_LOG_ERROR, "store.schema", cl_log_text("why", why), cl_log_number("migration", number));
    return cl_fail(CL_CONFIG_INVALID);
}

/* An empty file becomes ours; a foreign one stays as it is. */
static struct cl_status claim(struct sql *sql)
{
    static const char count_text[] = "SELECT count(*) FROM sqlite_schema";
    static const char id_text[] = "PRAGMA application_id";
    static const char ours_text[] = "SELECT " APPLICATION_ID;
    int64_t tables = 0;
    int64_t id = 0;
    int64_t ours = 0;
    struct cl_status status = ask_number(&tables, sql, count_text);
    if (cl_is_ok(status)) {
        status = ask_number(&id, sql, id_text);
    }
    if (cl_is_ok(status)) {
        status = ask_number(&ours, sql, ours_text);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (tables == 0 && id == 0) {
        return sql_script(sql, CREATE_TABLE);
    }
    return id == ours ? cl_ok() : refuse("another program's database", 0);
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
    struct cl_status status = sql_begin(sql);
    if (cl_is_ok(status)) {
        status = sql_script(sql, migration->text);
    }
    if (cl_is_ok(status)) {
        status = record(sql, migration, now_ms);
    }
    if (cl_is_ok(status)) {
        status = sql_commit(sql);
    }
    if (cl_failed(status)) {
        sql_rollback(sql);
        return status;
    }
    cl_log(CL_LOG_INFO, "store.migrated", cl_log_number("migration", migration->number),
           cl_log_text("name", migration->name));
    return cl_ok();
}

static struct cl_status claim_in_transaction(struct sql *sql)
{
    struct cl_status status = sql_begin(sql);
    if (cl_is_ok(status)) {
        status = claim(sql);
    }
    if (cl_is_ok(status)) {
        status = sql_commit(sql);
    }
    if (cl_failed(status)) {
        sql_rollback(sql);
    }
    return status;
}

struct cl_status schema_migrate(struct sql *sql, const struct schema_migration *migrations, size_t count,
                                int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        assert(migrations[i].number == (int)i + 1);
    }
    size_t applied = 0;
    struct cl_status status = claim_in_transaction(sql);
    if (cl_is_ok(status)) {
        status = count_applied(&applied, sql, migrations, count);
    }
    for (size_t i = applied; cl_is_ok(status) && i < count; i++) {
        status = apply(sql, &migrations[i], now_ms);
    }
    return status;
}
