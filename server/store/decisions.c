#include "server/store/decisions.h"

struct cl_status decisions_insert(struct store_tx *tx, const struct decision_row *row)
{
    static const char text[] = "INSERT INTO decisions (application_id, outcome, terms_digest, event, decided_ms, round)"
                               " VALUES ($1, $2, $3, $4, $5, $6)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->outcome);
    sql_bind_digest(statement, 3, row->has_terms ? &row->terms_digest : NULL);
    sql_bind_digest(statement, 4, &row->event);
    sql_bind_i64(statement, 5, row->decided_ms);
    sql_bind_i64(statement, 6, row->round);
    return sql_run(statement);
}

static struct cl_status read_decision(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct decision_row row = {
        .application_id = sql_copy_text(arena, statement, 0),
        .outcome = (int)sql_column_i64(statement, 1),
        .has_terms = !sql_column_is_null(statement, 2),
        .decided_ms = sql_column_i64(statement, 4),
        .round = (uint32_t)sql_column_i64(statement, 5),
    };
    bool whole = (sql_column_digest(&row.terms_digest, statement, 2) || !row.has_terms) &&
                 sql_column_digest(&row.event, statement, 3);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!whole) {
        return cl_fail(CL_INTERNAL);
    }
    *(struct decision_row *)out = row;
    return cl_ok();
}

struct cl_status decisions_get(bool *found_out, struct decision_row *out, struct sql *sql, struct cl_arena *arena,
                               const char *application_id, uint32_t round)
{
    static const char text[] = "SELECT application_id, outcome, terms_digest, event, decided_ms, round FROM decisions"
                               " WHERE application_id = $1 AND round = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, round);
    return sql_find(found_out, out, statement, read_decision, arena);
}

/* -- Traces -------------------------------------------------------------------------------------------------- */

struct cl_status decisions_add_trace(struct store_tx *tx, const struct trace_row *row)
{
    static const char text[] = "INSERT INTO traces (application_id, number, digest, trace, submission, record)"
                               " SELECT $1, 1 + coalesce(max(number), 0), $2, $3, $4, $5 FROM traces"
                               " WHERE application_id = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_digest(statement, 2, &row->digest);
    sql_bind_bytes(statement, 3, row->trace);
    sql_bind_digest(statement, 4, &row->submission);
    sql_bind_bytes(statement, 5, row->record);
    return sql_run(statement);
}

static struct cl_status read_trace(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct trace_row row = {
        .application_id = sql_copy_text(arena, statement, 0),
        .number = (uint32_t)sql_column_i64(statement, 1),
        .trace = sql_copy_bytes(arena, statement, 3),
        .record = sql_copy_bytes(arena, statement, 5),
    };
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!sql_column_digest(&row.digest, statement, 2) || !sql_column_digest(&row.submission, statement, 4)) {
        return cl_fail(CL_INTERNAL);
    }
    *(struct trace_row *)out = row;
    return cl_ok();
}

struct cl_status decisions_trace(bool *found_out, struct trace_row *out, struct sql *sql, struct cl_arena *arena,
                                 const char *application_id, uint32_t number)
{
    static const char text[] = "SELECT application_id, number, digest, trace, submission, record FROM traces"
                               " WHERE application_id = $1 AND ($2 = 0 OR number = $2) ORDER BY number DESC LIMIT 1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, number);
    return sql_find(found_out, out, statement, read_trace, arena);
}
