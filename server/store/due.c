#include "server/store/due.h"

struct cl_status due_set(struct store_tx *tx, const struct due_row *row)
{
    static const char text[] = "INSERT INTO due (subject, kind, at_ms) VALUES ($1, $2, $3)"
                               " ON CONFLICT (subject, kind) DO UPDATE SET at_ms = excluded.at_ms";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->subject);
    sql_bind_i64(statement, 2, row->kind);
    sql_bind_i64(statement, 3, row->at_ms);
    return sql_run(statement);
}

struct cl_status due_clear(struct store_tx *tx, const char *subject, int kind)
{
    static const char text[] = "DELETE FROM due WHERE subject = $1 AND kind = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, subject);
    sql_bind_i64(statement, 2, kind);
    return sql_run(statement);
}

struct cl_status due_take(bool *taken_out, struct store_tx *tx, const char *subject, int kind, int64_t now_ms)
{
    static const char text[] = "DELETE FROM due WHERE subject = $1 AND kind = $2 AND at_ms <= $3";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, subject);
    sql_bind_i64(statement, 2, kind);
    sql_bind_i64(statement, 3, now_ms);
    status = sql_run(statement);
    if (cl_is_ok(status)) {
        *taken_out = sql_changes(store_tx_sql(tx)) == 1;
    }
    return status;
}

struct cl_status due_of(int64_t at_ms_out[DUE_KINDS_MAX], struct sql *sql, const char *subject)
{
    static const char text[] = "SELECT kind, at_ms FROM due WHERE subject = $1";
    struct sql_statement *statement = NULL;
    int64_t at_ms[DUE_KINDS_MAX] = {0};
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, subject);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        int64_t kind = sql_column_i64(statement, 0);
        if (kind >= DUE_KINDS_MAX) {
            sql_finish(statement);
            return cl_fail(CL_INTERNAL);
        }
        at_ms[kind] = sql_column_i64(statement, 1);
        status = sql_step(&row, statement);
    }
    for (int kind = 0; cl_is_ok(status) && kind < DUE_KINDS_MAX; kind++) {
        at_ms_out[kind] = at_ms[kind];
    }
    return status;
}

struct cl_status due_list(struct due_rows *out, struct sql *sql, struct cl_arena *arena, int64_t now_ms, size_t limit)
{
    static const char text[] =
        "SELECT subject, kind, at_ms FROM due WHERE at_ms <= $1 ORDER BY at_ms, subject, kind LIMIT $2";
    struct sql_statement *statement = NULL;
    struct due_rows rows = {.rows = cl_arena_array(arena, limit, sizeof rows.rows[0])};
    bool row = false;
    if (rows.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, now_ms);
    sql_bind_i64(statement, 2, (int64_t)limit);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        rows.rows[rows.count++] = (struct due_row){
            .subject = sql_copy_text(arena, statement, 0),
            .kind = (int)sql_column_i64(statement, 1),
            .at_ms = sql_column_i64(statement, 2),
        };
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = rows;
    }
    return status;
}
