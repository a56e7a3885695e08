#include "server/store/overrides.h"

#include <assert.h>

#define COLUMNS                                                                                                        \
    "id, application_id, item, person, replaces, result, outcome, note, document, proposed_by, proposed_ms,"           \
    " expires_ms, proposal, state, ended_by, ended_ms"

/* -- Writing ------------------------------------------------------------------------------------------------- */

struct cl_status overrides_propose(struct store_tx *tx, const struct override_row *row)
{
    static const char text[] =
        "INSERT INTO overrides (id, application_id, item, person, replaces, result, outcome, note, document,"
        " proposed_by, proposed_ms, expires_ms, proposal, state, ended_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, 0)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->id);
    sql_bind_text(statement, 2, row->application_id);
    sql_bind_i64(statement, 3, row->item);
    sql_bind_i64(statement, 4, row->person);
    sql_bind_bytes(statement, 5, row->replaces);
    sql_bind_bytes(statement, 6, row->result);
    sql_bind_i64(statement, 7, row->outcome);
    sql_bind_text(statement, 8, row->note);
    sql_bind_digest(statement, 9, row->has_document ? &row->document : NULL);
    sql_bind_text(statement, 10, row->proposed_by);
    sql_bind_i64(statement, 11, row->proposed_ms);
    sql_bind_i64(statement, 12, row->expires_ms);
    sql_bind_digest(statement, 13, &row->proposal);
    return sql_run(statement);
}

struct cl_status overrides_end(struct store_tx *tx, const struct override_end *end)
{
    static const char text[] = "UPDATE overrides SET state = $2, ended_by = $3, ended_ms = $4, confirmation = $5"
                               " WHERE id = $1 AND state = 1";
    assert(end->state != OVERRIDE_PROPOSED);
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, end->id);
    sql_bind_i64(statement, 2, (int64_t)end->state);
    sql_bind_text(statement, 3, end->by);
    sql_bind_i64(statement, 4, end->now_ms);
    sql_bind_digest(statement, 5, end->message);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

static struct cl_status read_row(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct override_row row = {
        .id = sql_copy_text(arena, statement, 0),
        .application_id = sql_copy_text(arena, statement, 1),
        .item = (int)sql_column_i64(statement, 2),
        .person = (uint32_t)sql_column_i64(statement, 3),
        .replaces = sql_copy_bytes(arena, statement, 4),
        .result = sql_copy_bytes(arena, statement, 5),
        .outcome = (int)sql_column_i64(statement, 6),
        .note = sql_copy_text(arena, statement, 7),
        .proposed_by = sql_copy_text(arena, statement, 9),
        .proposed_ms = sql_column_i64(statement, 10),
        .expires_ms = sql_column_i64(statement, 11),
        .state = (enum override_state)sql_column_i64(statement, 13),
        .ended_by = sql_copy_text(arena, statement, 14),
        .ended_ms = sql_column_i64(statement, 15),
    };
    row.has_document = sql_column_digest(&row.document, statement, 8);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!sql_column_digest(&row.proposal, statement, 12)) {
        return cl_fail(CL_INTERNAL);
    }
    *(struct override_row *)out = row;
    return cl_ok();
}

struct cl_status overrides_get(bool *found_out, struct override_row *out, struct sql *sql, struct cl_arena *arena,
                               const char *id)
{
    static const char text[] = "SELECT " COLUMNS " FROM overrides WHERE id = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, id);
    return sql_find(found_out, out, statement, read_row, arena);
}

struct cl_status overrides_find(bool *found_out, struct override_row *out, struct sql *sql, struct cl_arena *arena,
                                const char *application_id, int item, uint32_t person)
{
    static const char text[] = "SELECT " COLUMNS " FROM overrides"
                               " WHERE application_id = $1 AND item = $2 AND person = $3 AND state = 1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, item);
    sql_bind_i64(statement, 3, person);
    return sql_find(found_out, out, statement, read_row, arena);
}

/* All rows of a statement whose values are bound but for the last, its limit. */
static struct cl_status read_rows(struct override_rows *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct override_rows rows = {.rows = cl_arena_array(arena, OVERRIDES_OF_APPLICATION_MAX, sizeof rows.rows[0])};
    if (rows.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    bool row = false;
    sql_bind_i64(statement, 2, OVERRIDES_OF_APPLICATION_MAX);
    struct cl_status status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        status = read_row(&rows.rows[rows.count++], statement, arena);
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

struct cl_status overrides_list(struct override_rows *out, struct sql *sql, struct cl_arena *arena,
                                const char *application_id)
{
    static const char text[] = "SELECT * FROM (SELECT " COLUMNS " FROM overrides WHERE application_id = $1"
                               " ORDER BY proposed_ms DESC, id DESC LIMIT $2) newest ORDER BY proposed_ms, id";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    return read_rows(out, statement, arena);
}

struct cl_status overrides_due(struct override_rows *out, struct sql *sql, struct cl_arena *arena, int64_t now_ms)
{
    static const char text[] = "SELECT " COLUMNS " FROM overrides WHERE state = 1 AND expires_ms <= $1"
                               " ORDER BY expires_ms LIMIT $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, now_ms);
    return read_rows(out, statement, arena);
}
