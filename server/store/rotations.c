#include "server/store/rotations.h"

struct cl_status rotations_add(struct store_tx *tx, const struct rotation_row *row)
{
    static const char text[] = "INSERT INTO key_rotations (message, party, public_key, at_ms) VALUES ($1, $2, $3, $4)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_digest(statement, 1, &row->message);
    sql_bind_text(statement, 2, row->party);
    sql_bind_bytes(statement, 3, row->public_key);
    sql_bind_i64(statement, 4, row->at_ms);
    return sql_run(statement);
}

static struct cl_status read_rotation(struct rotation_row *out, struct sql_statement *statement, struct cl_arena *arena)
{
    *out = (struct rotation_row){
        .party = sql_copy_text(arena, statement, 1),
        .public_key = sql_copy_bytes(arena, statement, 2),
        .at_ms = sql_column_i64(statement, 3),
        .envelope = sql_copy_bytes(arena, statement, 4),
    };
    bool whole = sql_column_digest(&out->message, statement, 0);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    return whole ? cl_ok() : cl_fail(CL_INTERNAL);
}

struct cl_status rotations_list(struct rotation_rows *out, struct sql *sql, struct cl_arena *arena, const char *party,
                                int64_t since_ms)
{
    static const char text[] = "SELECT r.message, r.party, r.public_key, r.at_ms, m.envelope FROM key_rotations r"
                               " JOIN messages m ON m.digest = r.message"
                               " WHERE r.at_ms >= $1 AND ($2 IS NULL OR r.party = $2) ORDER BY r.at_ms, r.message"
                               " LIMIT $3";
    struct sql_statement *statement = NULL;
    struct rotation_rows rows = {.rows = cl_arena_array(arena, ROTATIONS_LIST_MAX, sizeof rows.rows[0])};
    if (rows.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, since_ms);
    sql_bind_text(statement, 2, party);
    sql_bind_i64(statement, 3, ROTATIONS_LIST_MAX);
    bool row = false;
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        status = read_rotation(&rows.rows[rows.count++], statement, arena);
        if (cl_is_ok(status)) {
            status = sql_step(&row, statement);
        }
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = rows;
    }
    return status;
}

/* -- Directories --------------------------------------------------------------------------------------------- */

struct cl_status directories_add(struct store_tx *tx, const struct directory_row *row)
{
    static const char text[] = "INSERT INTO directories (number, issued_ms, envelope) VALUES ($1, $2, $3)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, (int64_t)row->number);
    sql_bind_i64(statement, 2, row->issued_ms);
    sql_bind_bytes(statement, 3, row->envelope);
    return sql_run(statement);
}

static struct cl_status read_directory(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct directory_row row = {
        .number = (uint64_t)sql_column_i64(statement, 0),
        .issued_ms = sql_column_i64(statement, 1),
        .envelope = sql_copy_bytes(arena, statement, 2),
    };
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *(struct directory_row *)out = row;
    return cl_ok();
}

struct cl_status directories_newest(bool *found_out, struct directory_row *out, struct sql *sql, struct cl_arena *arena)
{
    static const char text[] = "SELECT number, issued_ms, envelope FROM directories ORDER BY number DESC LIMIT 1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    return cl_is_ok(status) ? sql_find(found_out, out, statement, read_directory, arena) : status;
}
