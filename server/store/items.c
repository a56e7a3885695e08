#include "server/store/items.h"

#include "libcoloan/limits.h"

struct cl_status items_insert(struct store_tx *tx, const struct item_row *row)
{
    static const char text[] = "INSERT INTO items (application_id, item, person, owner, outcome, failure, settled_ms,"
                               " valid_until_ms, result, phase) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->item);
    sql_bind_i64(statement, 3, row->person);
    sql_bind_i64(statement, 4, row->owner);
    sql_bind_i64(statement, 5, row->outcome);
    sql_bind_i64(statement, 6, row->failure);
    sql_bind_i64(statement, 7, row->settled_ms);
    sql_bind_i64(statement, 8, row->valid_until_ms);
    sql_bind_bytes(statement, 9, row->result);
    sql_bind_i64(statement, 10, row->phase);
    return sql_run(statement);
}

static struct cl_status run_settle(struct store_tx *tx, const char *text, const struct item_row *row)
{
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->item);
    sql_bind_i64(statement, 3, row->person);
    sql_bind_i64(statement, 4, row->outcome);
    sql_bind_i64(statement, 5, row->failure);
    sql_bind_i64(statement, 6, row->settled_ms);
    sql_bind_i64(statement, 7, row->valid_until_ms);
    sql_bind_bytes(statement, 8, row->result);
    sql_bind_i64(statement, 9, row->phase);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

struct cl_status items_remove(struct store_tx *tx, const struct item_row *row)
{
    static const char text[] =
        "DELETE FROM items WHERE application_id = $1 AND phase = $2 AND item = $3 AND person = $4";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->phase);
    sql_bind_i64(statement, 3, row->item);
    sql_bind_i64(statement, 4, row->person);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

struct cl_status items_replace(struct store_tx *tx, const struct item_row *row)
{
    static const char text[] = "UPDATE items SET owner = $4, outcome = $5, failure = $6, settled_ms = $7,"
                               " valid_until_ms = $8, result = $9, by_person = 0"
                               " WHERE application_id = $1 AND phase = $10 AND item = $2 AND person = $3";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->item);
    sql_bind_i64(statement, 3, row->person);
    sql_bind_i64(statement, 4, row->owner);
    sql_bind_i64(statement, 5, row->outcome);
    sql_bind_i64(statement, 6, row->failure);
    sql_bind_i64(statement, 7, row->settled_ms);
    sql_bind_i64(statement, 8, row->valid_until_ms);
    sql_bind_bytes(statement, 9, row->result);
    sql_bind_i64(statement, 10, row->phase);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

struct cl_status items_reopen(bool *reopened_out, struct store_tx *tx, const struct item_row *row)
{
    static const char text[] = "UPDATE items SET outcome = 0, failure = 0, settled_ms = 0, valid_until_ms = 0,"
                               " result = $5 WHERE application_id = $1 AND phase = $2 AND item = $3 AND person = $4"
                               " AND outcome <> 0";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->phase);
    sql_bind_i64(statement, 3, row->item);
    sql_bind_i64(statement, 4, row->person);
    sql_bind_bytes(statement, 5, cl_bytes(NULL, 0));
    status = sql_run(statement);
    if (cl_is_ok(status)) {
        *reopened_out = sql_changes(store_tx_sql(tx)) == 1;
    }
    return status;
}

struct cl_status items_settle(struct store_tx *tx, const struct item_row *row)
{
    static const char text[] =
        "UPDATE items SET by_person = 0, outcome = $4, failure = $5, settled_ms = $6, valid_until_ms = $7, result = $8"
        " WHERE application_id = $1 AND phase = $9 AND item = $2 AND person = $3 AND $4 <> 0 AND outcome = 0";
    return run_settle(tx, text, row);
}

struct cl_status items_settle_again(struct store_tx *tx, const struct item_row *row)
{
    static const char text[] =
        "UPDATE items SET by_person = 1, outcome = $4, failure = $5, settled_ms = $6, valid_until_ms = $7, result = $8"
        " WHERE application_id = $1 AND phase = $9 AND item = $2 AND person = $3 AND $4 <> 0 AND outcome <> 0";
    return run_settle(tx, text, row);
}

static void read_row(struct item_row *out, struct sql_statement *statement, struct cl_arena *arena,
                     const char *application_id)
{
    *out = (struct item_row){
        .application_id = application_id,
        .item = (int)sql_column_i64(statement, 0),
        .person = (uint32_t)sql_column_i64(statement, 1),
        .owner = (int)sql_column_i64(statement, 2),
        .outcome = (int)sql_column_i64(statement, 3),
        .failure = (int)sql_column_i64(statement, 4),
        .settled_ms = sql_column_i64(statement, 5),
        .valid_until_ms = sql_column_i64(statement, 6),
        .result = sql_copy_bytes(arena, statement, 7),
        .phase = (int)sql_column_i64(statement, 8),
        .by_person = sql_column_i64(statement, 9) == 1,
    };
}

enum { PHASES = 3, ROWS_MAX = PHASES * CL_ITEM_RESULTS_MAX };

struct cl_status items_list(struct item_rows *out, struct sql *sql, struct cl_arena *arena, const char *application_id,
                            int phase)
{
    static const char text[] =
        "SELECT item, person, owner, outcome, failure, settled_ms, valid_until_ms, result, phase,"
        " by_person"
        " FROM items WHERE application_id = $1 AND phase BETWEEN $2 AND $3"
        " ORDER BY phase, item, person";
    size_t count_max = phase == ITEM_PHASE_ANY ? ROWS_MAX : CL_ITEM_RESULTS_MAX;
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    struct item_rows rows = {.rows = cl_arena_array(arena, count_max, sizeof rows.rows[0])};
    const char *id = cl_arena_text(arena, application_id);
    bool row = true;
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, phase == ITEM_PHASE_ANY ? 1 : phase);
    sql_bind_i64(statement, 3, phase == ITEM_PHASE_ANY ? PHASES : phase);
    while (cl_is_ok(status) && row) {
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
        if (cl_failed(status) || !row) {
            break;
        }
        if (rows.count == count_max) {
            status = cl_fail(CL_INTERNAL);
            break;
        }
        read_row(&rows.rows[rows.count++], statement, arena, id);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = rows;
    }
    return status;
}

struct cl_status items_past(struct item_past_rows *out, struct sql *sql, struct cl_arena *arena,
                            const struct item_row *item)
{
    static const char text[] = "SELECT * FROM (SELECT result, settled_ms, replaced_ms, number FROM item_results"
                               " WHERE application_id = $1 AND phase = $5 AND item = $2 AND person = $3"
                               " ORDER BY number DESC LIMIT $4) newest ORDER BY number";
    struct sql_statement *statement = NULL;
    struct item_past_rows rows = {.rows = cl_arena_array(arena, ITEM_PAST_MAX, sizeof rows.rows[0])};
    if (rows.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, item->application_id);
    sql_bind_i64(statement, 2, item->item);
    sql_bind_i64(statement, 3, item->person);
    sql_bind_i64(statement, 4, ITEM_PAST_MAX);
    sql_bind_i64(statement, 5, item->phase);
    bool row = false;
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        rows.rows[rows.count++] = (struct item_past){.result = sql_copy_bytes(arena, statement, 0),
                                                     .settled_ms = sql_column_i64(statement, 1),
                                                     .replaced_ms = sql_column_i64(statement, 2)};
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = rows;
    }
    return status;
}

struct cl_status items_count(struct item_counts *out, struct sql *sql, const char *application_id, int phase)
{
    static const char text[] = "SELECT outcome, owner, by_person FROM items WHERE application_id = $1 AND phase = $2";
    struct sql_statement *statement = NULL;
    struct item_counts counts = {.total = 0};
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, phase);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        int64_t outcome = sql_column_i64(statement, 0) & (ITEM_OUTCOMES - 1);
        bool settled = outcome == 1 || outcome == 2;
        counts.by_outcome[outcome]++;
        counts.open_by_owner[sql_column_i64(statement, 1) & (ITEM_OWNERS - 1)] += outcome == 0 ? 1 : 0;
        counts.by_person += settled && sql_column_i64(statement, 2) == 1 ? 1 : 0;
        counts.total++;
        status = sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = counts;
    }
    return status;
}
