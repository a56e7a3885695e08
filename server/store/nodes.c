#include "server/store/nodes.h"

struct cl_status nodes_seen(struct store_tx *tx, const char *node, int64_t now_ms)
{
    static const char text[] = "INSERT INTO nodes (node, seen_ms) VALUES ($1, $2)"
                               " ON CONFLICT (node) DO UPDATE SET seen_ms = excluded.seen_ms";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, node);
    sql_bind_i64(statement, 2, now_ms);
    return sql_run(statement);
}

struct cl_status nodes_gone(struct store_tx *tx, const char *node)
{
    static const char text[] = "DELETE FROM nodes WHERE node = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, node);
    return sql_run(statement);
}

struct cl_status nodes_claim(struct store_tx *tx, const char *node, const char *application_id)
{
    static const char text[] = "INSERT INTO inquiries (application_id, node) VALUES ($1, $2)"
                               " ON CONFLICT (application_id) DO UPDATE SET node = excluded.node";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_text(statement, 2, node);
    return sql_run(statement);
}

struct cl_status nodes_release(struct store_tx *tx, const char *node, const char *application_id)
{
    static const char text[] = "DELETE FROM inquiries WHERE application_id = $1 AND node = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_text(statement, 2, node);
    return sql_run(statement);
}

struct cl_status nodes_elsewhere(bool *out, struct sql *sql, const char *node, const char *application_id,
                                 int64_t now_ms)
{
    static const char text[] = "SELECT 1 FROM inquiries inquiry JOIN nodes other ON other.node = inquiry.node"
                               " WHERE inquiry.application_id = $1 AND inquiry.node <> $2 AND other.seen_ms > $3";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_text(statement, 2, node);
    sql_bind_i64(statement, 3, now_ms - NODES_SILENCE_MS);
    status = sql_step(&row, statement);
    if (cl_is_ok(status)) {
        sql_finish(statement);
        *out = row;
    }
    return status;
}
