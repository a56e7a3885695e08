#include "server/store/tasks.h"

#include <assert.h>

#include "libcoloan/limits.h"

#define COLUMNS                                                                                                        \
    "id, application_id, kind, item, person, reason, authority, detail, failure, opened_ms, deadline_ms, claimed_by,"  \
    " claimed_ms, claimed_until_ms, ending, ended_ms, ended_by"

/* -- Writing ------------------------------------------------------------------------------------------------- */

struct cl_status tasks_open(bool *opened_out, struct store_tx *tx, const struct task_row *row)
{
    static const char text[] =
        "INSERT INTO tasks (id, application_id, kind, item, person, reason, authority, detail, failure, opened_ms,"
        " deadline_ms, claimed_ms, claimed_until_ms, ending, ended_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, 0, 0)"
        " ON CONFLICT (application_id, kind, item, person) WHERE ending = 0 DO NOTHING";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->id);
    sql_bind_text(statement, 2, row->application_id);
    sql_bind_i64(statement, 3, row->kind);
    sql_bind_i64(statement, 4, row->item);
    sql_bind_i64(statement, 5, row->person);
    sql_bind_text(statement, 6, row->reason);
    sql_bind_text(statement, 7, row->authority);
    sql_bind_text(statement, 8, row->detail);
    sql_bind_i64(statement, 9, row->failure);
    sql_bind_i64(statement, 10, row->opened_ms);
    sql_bind_i64(statement, 11, row->deadline_ms);
    status = sql_run(statement);
    if (cl_is_ok(status) && opened_out != NULL) {
        *opened_out = sql_changes(store_tx_sql(tx)) == 1;
    }
    return status;
}

struct cl_status tasks_end(struct store_tx *tx, const char *id, enum task_ending ending, const char *by, int64_t now_ms)
{
    static const char text[] =
        "UPDATE tasks SET ending = $2, ended_by = $3, ended_ms = $4 WHERE id = $1 AND ending = 0";
    assert(ending != TASK_IS_OPEN);
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, id);
    sql_bind_i64(statement, 2, (int64_t)ending);
    sql_bind_text(statement, 3, by);
    sql_bind_i64(statement, 4, now_ms);
    return sql_run(statement);
}

static struct cl_status prepare_claim(struct sql_statement **out, struct store_tx *tx, const char *text,
                                      const struct task_claim *claim)
{
    struct cl_status status = sql_prepare(out, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(*out, 1, claim->id);
    sql_bind_text(*out, 2, claim->officer);
    sql_bind_i64(*out, 3, claim->now_ms);
    return status;
}

/* Says whether there was a row to change. */
static struct cl_status run_claim(bool *out, struct store_tx *tx, struct sql_statement *statement)
{
    struct cl_status status = sql_run(statement);
    if (cl_is_ok(status)) {
        *out = sql_changes(store_tx_sql(tx)) == 1;
    }
    return status;
}

struct cl_status tasks_claim(bool *claimed_out, struct store_tx *tx, const struct task_claim *claim)
{
    static const char text[] = "UPDATE tasks SET claimed_by = $2, claimed_ms = $3, claimed_until_ms = $4"
                               " WHERE id = $1 AND ending = 0"
                               " AND (claimed_by IS NULL OR claimed_by = $2 OR claimed_until_ms <= $3)";
    struct sql_statement *statement = NULL;
    struct cl_status status = prepare_claim(&statement, tx, text, claim);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 4, claim->until_ms);
    return run_claim(claimed_out, tx, statement);
}

struct cl_status tasks_release(bool *released_out, struct store_tx *tx, const struct task_claim *claim)
{
    static const char text[] = "UPDATE tasks SET claimed_by = NULL, claimed_ms = 0, claimed_until_ms = 0"
                               " WHERE id = $1 AND ending = 0 AND claimed_by = $2 AND claimed_until_ms > $3";
    struct sql_statement *statement = NULL;
    struct cl_status status = prepare_claim(&statement, tx, text, claim);
    return cl_is_ok(status) ? run_claim(released_out, tx, statement) : status;
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

static struct cl_status read_row(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    *(struct task_row *)out = (struct task_row){
        .id = sql_copy_text(arena, statement, 0),
        .application_id = sql_copy_text(arena, statement, 1),
        .kind = (int)sql_column_i64(statement, 2),
        .item = (int)sql_column_i64(statement, 3),
        .person = (uint32_t)sql_column_i64(statement, 4),
        .reason = sql_copy_text(arena, statement, 5),
        .authority = sql_copy_text(arena, statement, 6),
        .detail = sql_copy_text(arena, statement, 7),
        .failure = (int)sql_column_i64(statement, 8),
        .opened_ms = sql_column_i64(statement, 9),
        .deadline_ms = sql_column_i64(statement, 10),
        .claimed_by = sql_copy_text(arena, statement, 11),
        .claimed_ms = sql_column_i64(statement, 12),
        .claimed_until_ms = sql_column_i64(statement, 13),
        .ending = (enum task_ending)sql_column_i64(statement, 14),
        .ended_ms = sql_column_i64(statement, 15),
        .ended_by = sql_copy_text(arena, statement, 16),
    };
    return cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}

struct cl_status tasks_get(bool *found_out, struct task_row *out, struct sql *sql, struct cl_arena *arena,
                           const char *id)
{
    static const char text[] = "SELECT " COLUMNS " FROM tasks WHERE id = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, id);
    return sql_find(found_out, out, statement, read_row, arena);
}

/* All rows of a statement whose values are bound; `max` is not exceeded: what is left is cut off. */
static struct cl_status read_rows(struct task_rows *out, struct sql_statement *statement, struct cl_arena *arena,
                                  size_t max)
{
    struct task_rows rows = {.rows = cl_arena_array(arena, max, sizeof rows.rows[0])};
    if (rows.rows == NULL) {
        sql_finish(statement);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    bool row = false;
    struct cl_status status = sql_step(&row, statement);
    while (cl_is_ok(status) && row && rows.count < max) {
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

#define SELECT "SELECT " COLUMNS " FROM tasks WHERE"
#define AFTER  " (deadline_ms, id) > ($1, $2)"
#define URGENT " ORDER BY deadline_ms, id LIMIT $3"
#define FREE   " AND ($5 = 0 OR claimed_by IS NULL OR claimed_until_ms <= $6)"
#define KIND   " AND ($4 = 0 OR kind = $4)"

/* One walk along an index each; what the walk leaves out is what officers hold at the time, which is little. */
static const char LIST_ALL[] = SELECT " ending = 0 AND $4 = 0 AND" AFTER FREE URGENT;
static const char LIST_KIND[] = SELECT " ending = 0 AND kind = $4 AND" AFTER FREE URGENT;
static const char LIST_HELD[] =
    SELECT " ending = 0 AND claimed_by = $7 AND claimed_until_ms > $6 AND" AFTER FREE KIND URGENT;
static const char LIST_APPLICATION[] = SELECT
    " application_id = $8 AND ($7 IS NULL OR (ending = 0 AND claimed_by = $7 AND claimed_until_ms > $6)) AND" AFTER FREE
        KIND URGENT;

static const char *list_text(const struct task_filter *filter)
{
    if (filter->application_id != NULL) {
        return LIST_APPLICATION;
    }
    if (filter->claimed_by != NULL) {
        return LIST_HELD;
    }
    return filter->kind != 0 ? LIST_KIND : LIST_ALL;
}

struct cl_status tasks_list(struct task_rows *out, struct sql *sql, struct cl_arena *arena,
                            const struct task_filter *filter)
{
    assert(filter->limit >= 1 && filter->limit <= CL_LIST_PAGE_MAX + 1);
    const char *text = list_text(filter);
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    bool first = filter->after_id == NULL;
    sql_bind_i64(statement, 1, first ? INT64_MIN : filter->after_deadline_ms);
    sql_bind_text(statement, 2, first ? "" : filter->after_id);
    sql_bind_i64(statement, 3, (int64_t)filter->limit);
    sql_bind_i64(statement, 4, filter->kind);
    sql_bind_i64(statement, 5, filter->unclaimed);
    sql_bind_i64(statement, 6, filter->now_ms);
    if (text == LIST_HELD || text == LIST_APPLICATION) {
        sql_bind_text(statement, 7, filter->claimed_by);
    }
    if (text == LIST_APPLICATION) {
        sql_bind_text(statement, 8, filter->application_id);
    }
    return read_rows(out, statement, arena, filter->limit);
}

struct cl_status tasks_open_of(struct task_rows *out, struct sql *sql, struct cl_arena *arena,
                               const char *application_id)
{
    static const char text[] = "SELECT " COLUMNS " FROM tasks WHERE application_id = $1 AND ending = 0"
                               " ORDER BY kind, item, person";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    struct task_rows rows;
    sql_bind_text(statement, 1, application_id);
    status = read_rows(&rows, statement, arena, TASKS_OF_APPLICATION_MAX + 1);
    if (cl_failed(status)) {
        return status;
    }
    if (rows.count > TASKS_OF_APPLICATION_MAX) {
        return cl_fail(CL_INTERNAL);
    }
    *out = rows;
    return cl_ok();
}

struct cl_status tasks_count(int64_t out[TASK_KINDS], struct sql *sql)
{
    static const char text[] = "SELECT kind, count(*) FROM tasks WHERE ending = 0 GROUP BY kind";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_ask(&statement, &row, sql, text);
    int64_t counts[TASK_KINDS] = {0};
    while (cl_is_ok(status) && row) {
        counts[sql_column_i64(statement, 0) & (TASK_KINDS - 1)] = sql_column_i64(statement, 1);
        status = sql_step(&row, statement);
    }
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < TASK_KINDS; i++) {
        out[i] = counts[i];
    }
    return cl_ok();
}
