#include "server/store/milestones.h"

static struct cl_status next_number(uint32_t *out, struct sql *sql, const char *application_id)
{
    static const char text[] = "SELECT number FROM milestones WHERE application_id = $1 ORDER BY number DESC LIMIT 1";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    status = sql_step(&row, statement);
    if (cl_is_ok(status)) {
        *out = row ? (uint32_t)sql_column_i64(statement, 0) + 1 : 1;
        sql_finish(statement);
    }
    return status;
}

struct cl_status milestones_add(struct store_tx *tx, struct milestone_row *row)
{
    static const char text[] = "INSERT INTO milestones (application_id, number, kind, leg, bank_epoch, amount_fen,"
                               " balance_fen, reference, happened_ms, account, message, at_ms)"
                               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    struct sql_statement *statement = NULL;
    uint32_t number = 0;
    struct cl_status status = next_number(&number, store_tx_sql(tx), row->application_id);
    if (cl_is_ok(status)) {
        status = sql_prepare(&statement, store_tx_sql(tx), text);
    }
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, number);
    sql_bind_i64(statement, 3, row->kind);
    sql_bind_i64(statement, 4, row->leg);
    sql_bind_i64(statement, 5, row->bank_epoch);
    sql_bind_i64(statement, 6, row->amount_fen);
    sql_bind_i64(statement, 7, row->balance_fen);
    sql_bind_text(statement, 8, row->reference);
    sql_bind_i64(statement, 9, row->happened_ms);
    sql_bind_digest(statement, 10, row->has_account ? &row->account : NULL);
    sql_bind_digest(statement, 11, &row->message);
    sql_bind_i64(statement, 12, row->at_ms);
    status = sql_run(statement);
    row->number = cl_is_ok(status) ? number : row->number;
    return status;
}

struct cl_status milestones_has(bool *out, struct sql *sql, const struct milestone_row *row)
{
    static const char text[] = "SELECT 1 FROM milestones WHERE application_id = $1 AND kind = $2 AND leg = $3"
                               " AND reference = $4";
    struct sql_statement *statement = NULL;
    bool found = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->kind);
    sql_bind_i64(statement, 3, row->leg);
    sql_bind_text(statement, 4, row->reference);
    status = sql_step(&found, statement);
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = found;
    }
    return status;
}

#define COLUMNS                                                                                                        \
    "application_id, number, kind, leg, bank_epoch, amount_fen, balance_fen, reference, happened_ms, account, "        \
    "message,"                                                                                                         \
    " at_ms"

static struct cl_status read_row(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct milestone_row row = {
        .application_id = sql_copy_text(arena, statement, 0),
        .number = (uint32_t)sql_column_i64(statement, 1),
        .kind = (int)sql_column_i64(statement, 2),
        .leg = (int)sql_column_i64(statement, 3),
        .bank_epoch = (uint32_t)sql_column_i64(statement, 4),
        .amount_fen = sql_column_i64(statement, 5),
        .balance_fen = sql_column_i64(statement, 6),
        .reference = sql_copy_text(arena, statement, 7),
        .happened_ms = sql_column_i64(statement, 8),
        .at_ms = sql_column_i64(statement, 11),
    };
    row.has_account = sql_column_digest(&row.account, statement, 9);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!sql_column_digest(&row.message, statement, 10)) {
        return cl_fail(CL_INTERNAL);
    }
    *(struct milestone_row *)out = row;
    return cl_ok();
}

struct cl_status milestones_list(struct milestone_rows *out, struct sql *sql, struct cl_arena *arena,
                                 const char *application_id)
{
    static const char text[] = "SELECT * FROM (SELECT " COLUMNS " FROM milestones WHERE application_id = $1"
                               " ORDER BY number DESC LIMIT $2) newest ORDER BY number";
    struct sql_statement *statement = NULL;
    struct milestone_rows rows = {.rows = cl_arena_array(arena, MILESTONES_TOLD_MAX, sizeof rows.rows[0])};
    bool row = false;
    if (rows.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, MILESTONES_TOLD_MAX);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        status = read_row(&rows.rows[rows.count++], statement, arena);
        status = cl_is_ok(status) ? sql_step(&row, statement) : status;
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = rows;
    }
    return status;
}

struct cl_status milestones_last_ms(int64_t *out, struct sql *sql, const char *application_id, int64_t kinds, int leg)
{
    static const char text[] = "SELECT coalesce(max(happened_ms), 0) FROM milestones WHERE application_id = $1"
                               " AND ($2 >> CAST(kind AS INTEGER)) & 1 = 1 AND ($3 = 0 OR leg = $3)";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, kinds);
    sql_bind_i64(statement, 3, leg);
    status = sql_step(&row, statement);
    if (cl_is_ok(status)) {
        *out = row ? sql_column_i64(statement, 0) : 0;
        sql_finish(statement);
    }
    return status;
}

struct cl_status milestones_newest(bool *found_out, struct milestone_row *out, struct sql *sql, struct cl_arena *arena,
                                   const char *application_id, int64_t kinds, int leg)
{
    static const char text[] =
        "SELECT " COLUMNS " FROM milestones WHERE application_id = $1"
        " AND ($2 >> CAST(kind AS INTEGER)) & 1 = 1 AND ($3 = 0 OR leg = $3) ORDER BY number DESC LIMIT 1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, kinds);
    sql_bind_i64(statement, 3, leg);
    return sql_find(found_out, out, statement, read_row, arena);
}
