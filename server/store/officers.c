#include "server/store/officers.h"

struct cl_status officers_log(struct store_tx *tx, const struct officer_action *action)
{
    static const char text[] =
        "INSERT INTO officer_actions (number, at_ms, officer, step, application_id, subject, item, person,"
        " reason, note, document, message) SELECT 1 + coalesce(max(number), 0), $1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10,"
        " $11 FROM officer_actions";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, action->at_ms);
    sql_bind_text(statement, 2, action->officer);
    sql_bind_i64(statement, 3, (int64_t)action->step);
    sql_bind_text(statement, 4, action->application_id);
    sql_bind_text(statement, 5, action->subject);
    sql_bind_i64(statement, 6, action->item);
    sql_bind_i64(statement, 7, action->person);
    sql_bind_text(statement, 8, action->reason);
    sql_bind_text(statement, 9, action->note);
    sql_bind_digest(statement, 10, action->has_document ? &action->document : NULL);
    sql_bind_digest(statement, 11, &action->message);
    return sql_run(statement);
}

static struct cl_status read_action(struct officer_action *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct officer_action action = {
        .at_ms = sql_column_i64(statement, 0),
        .officer = sql_copy_text(arena, statement, 1),
        .step = (enum officer_step)sql_column_i64(statement, 2),
        .application_id = sql_copy_text(arena, statement, 3),
        .subject = sql_copy_text(arena, statement, 4),
        .item = (int)sql_column_i64(statement, 5),
        .person = (uint32_t)sql_column_i64(statement, 6),
        .reason = "",
        .note = sql_copy_text(arena, statement, 7),
    };
    action.has_document = sql_column_digest(&action.document, statement, 8);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!sql_column_digest(&action.message, statement, 9)) {
        return cl_fail(CL_INTERNAL);
    }
    *out = action;
    return cl_ok();
}

struct cl_status officers_actions(struct officer_actions *out, struct sql *sql, struct cl_arena *arena,
                                  const char *application_id)
{
    static const char text[] =
        "SELECT * FROM (SELECT at_ms, officer, step, application_id, subject, item, person, note,"
        " document, message, number FROM officer_actions WHERE application_id = $1"
        " ORDER BY number DESC LIMIT $2) newest ORDER BY number";
    struct sql_statement *statement = NULL;
    struct officer_actions rows = {.rows = cl_arena_array(arena, OFFICER_ACTIONS_MAX, sizeof rows.rows[0])};
    if (rows.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    bool row = false;
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, OFFICER_ACTIONS_MAX);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        status = read_action(&rows.rows[rows.count++], statement, arena);
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

/* -- Sums ---------------------------------------------------------------------------------------------------- */

struct cl_status officers_sums(struct officer_sums *out, struct sql *sql, struct cl_arena *arena)
{
    static const char text[] = "SELECT officer, step, count FROM officer_counts ORDER BY officer, step LIMIT $1";
    struct sql_statement *statement = NULL;
    struct officer_sums sums = {.rows = cl_arena_array(arena, OFFICER_SUMS_MAX, sizeof sums.rows[0])};
    if (sums.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    bool row = false;
    sql_bind_i64(statement, 1, OFFICER_SUMS_MAX);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        sums.rows[sums.count++] = (struct officer_sum){.officer = sql_copy_text(arena, statement, 0),
                                                       .step = (enum officer_step)sql_column_i64(statement, 1),
                                                       .count = sql_column_i64(statement, 2)};
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = sums;
    }
    return status;
}

struct cl_status officers_reason_sums(struct reason_sums *out, struct sql *sql, struct cl_arena *arena)
{
    static const char text[] = "SELECT item, reason, referred, settled, overridden FROM reason_counts"
                               " ORDER BY item, reason LIMIT $1";
    struct sql_statement *statement = NULL;
    struct reason_sums sums = {.rows = cl_arena_array(arena, OFFICER_SUMS_MAX, sizeof sums.rows[0])};
    if (sums.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    bool row = false;
    sql_bind_i64(statement, 1, OFFICER_SUMS_MAX);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        sums.rows[sums.count++] = (struct reason_sum){.item = (int)sql_column_i64(statement, 0),
                                                      .reason = sql_copy_text(arena, statement, 1),
                                                      .referred = sql_column_i64(statement, 2),
                                                      .settled = sql_column_i64(statement, 3),
                                                      .overridden = sql_column_i64(statement, 4)};
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = sums;
    }
    return status;
}
