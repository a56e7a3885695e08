#include "server/store/case_log.h"

struct cl_status case_log_add(struct store_tx *tx, const struct case_log_row *row)
{
    static const char text[] =
        "INSERT INTO case_log (application_id, number, at_ms, actor, message, command, track, origin, state, fund,"
        " bank_track, registry) VALUES ($1, 1 + coalesce((SELECT number FROM case_log WHERE application_id = $1"
        " ORDER BY number DESC LIMIT 1), 0), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->at_ms);
    sql_bind_text(statement, 3, row->actor);
    sql_bind_digest(statement, 4, row->message);
    sql_bind_i64(statement, 5, row->command);
    sql_bind_i64(statement, 6, row->track);
    sql_bind_i64(statement, 7, row->origin);
    sql_bind_i64(statement, 8, row->state);
    sql_bind_i64(statement, 9, row->fund);
    sql_bind_i64(statement, 10, row->bank_track);
    sql_bind_i64(statement, 11, row->registry);
    return sql_run(statement);
}

static void read_row(struct case_log_row *out, struct sql_statement *statement, struct cl_arena *arena)
{
    *out = (struct case_log_row){
        .application_id = sql_copy_text(arena, statement, 0),
        .at_ms = sql_column_i64(statement, 1),
        .actor = sql_copy_text(arena, statement, 2),
        .command = (int)sql_column_i64(statement, 3),
        .track = (int)sql_column_i64(statement, 4),
        .origin = (int)sql_column_i64(statement, 5),
        .state = (int)sql_column_i64(statement, 6),
        .fund = (int)sql_column_i64(statement, 7),
        .bank_track = (int)sql_column_i64(statement, 8),
        .registry = (int)sql_column_i64(statement, 9),
    };
}

struct cl_status case_log_list(struct case_log_rows *out, struct sql *sql, struct cl_arena *arena,
                               const char *application_id)
{
    static const char text[] =
        "SELECT * FROM (SELECT application_id, at_ms, actor, command, track, origin, state, fund,"
        " bank_track, registry, number FROM case_log WHERE application_id = $1"
        " ORDER BY number DESC LIMIT $2) newest ORDER BY number";
    struct sql_statement *statement = NULL;
    struct case_log_rows rows = {.rows = cl_arena_array(arena, CASE_LOG_STEPS_MAX, sizeof rows.rows[0])};
    if (rows.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, CASE_LOG_STEPS_MAX);
    bool row = false;
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        read_row(&rows.rows[rows.count++], statement, arena);
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = rows;
    }
    return status;
}

struct cl_status case_log_last_ms(int64_t *out, struct sql *sql, const char *application_id, int64_t commands)
{
    static const char text[] = "SELECT coalesce(max(at_ms), 0) FROM case_log WHERE application_id = $1"
                               " AND ($2 >> CAST(command AS INTEGER)) & 1 = 1";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, commands);
    status = sql_step(&row, statement);
    if (cl_is_ok(status)) {
        *out = row ? sql_column_i64(statement, 0) : 0;
        sql_finish(statement);
    }
    return status;
}
