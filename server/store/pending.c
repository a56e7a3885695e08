/* The index pending_holds has the rows that hold others back, few or none; so to ask whether an event is held costs a look
 * at an index that is mostly empty, and the rows that are only fresh cost no second index. */
#include "server/store/pending.h"

#define COLUMNS "sequence, application_id, state, tries, first_ms, next_ms, cause, note"

struct cl_status pending_add(struct store_tx *tx, const char *recipient, uint64_t sequence, const char *application_id)
{
    static const char text[] =
        "INSERT INTO pending (recipient, sequence, application_id, state) VALUES ($1, $2, $3, 0)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, (int64_t)sequence);
    sql_bind_text(statement, 3, application_id);
    return sql_run(statement);
}

struct cl_status pending_end(struct store_tx *tx, const char *recipient, uint64_t sequence)
{
    static const char text[] = "DELETE FROM pending WHERE recipient = $1 AND sequence = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, (int64_t)sequence);
    return sql_run(statement);
}

/* -- Reading -------------------------------------------------------------------------------------------------- */

static struct cl_status read_row(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct pending_row row = {
        .sequence = (uint64_t)sql_column_i64(statement, 0),
        .application_id = sql_copy_text(arena, statement, 1),
        .state = (enum pending_state)sql_column_i64(statement, 2),
        .tries = (unsigned)sql_column_i64(statement, 3),
        .first_ms = sql_column_i64(statement, 4),
        .next_ms = sql_column_i64(statement, 5),
        .cause = (enum pending_cause)sql_column_i64(statement, 6),
        .note = sql_copy_text(arena, statement, 7),
    };
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *(struct pending_row *)out = row;
    return cl_ok();
}

struct cl_status pending_find(bool *found_out, struct pending_row *out, struct sql *sql, struct cl_arena *arena,
                              const char *recipient, uint64_t sequence)
{
    static const char text[] = "SELECT " COLUMNS " FROM pending WHERE recipient = $1 AND sequence = $2";
    struct sql_statement *statement = NULL;
    if (sequence > INT64_MAX) {
        *found_out = false;
        return cl_ok();
    }
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, (int64_t)sequence);
    return sql_find(found_out, out, statement, read_row, arena);
}

static int64_t capped(uint64_t sequence)
{
    return sequence > INT64_MAX ? INT64_MAX : (int64_t)sequence;
}

/* All rows of a statement whose values are bound; `rows` has room for them. */
static struct cl_status read_rows(struct pending_rows *out, struct pending_rows *rows, struct sql_statement *statement,
                                  struct cl_arena *arena)
{
    bool row = false;
    struct cl_status status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        status = read_row(&rows->rows[rows->count], statement, arena);
        rows->count += cl_is_ok(status) ? 1 : 0;
        status = cl_is_ok(status) ? sql_step(&row, statement) : status;
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = *rows;
    }
    return status;
}

struct cl_status pending_list(struct pending_rows *out, struct sql *sql, struct cl_arena *arena, const char *recipient,
                              uint64_t after, size_t max)
{
    static const char text[] =
        "SELECT " COLUMNS " FROM pending WHERE recipient = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
    struct sql_statement *statement = NULL;
    struct pending_rows rows = {.rows = cl_arena_array(arena, max, sizeof rows.rows[0])};
    struct cl_status status = rows.rows == NULL ? cl_fail(CL_MEMORY_LIMIT) : sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, capped(after));
    sql_bind_i64(statement, 3, (int64_t)max);
    return read_rows(out, &rows, statement, arena);
}

struct cl_status pending_ready(struct pending_rows *out, struct sql *sql, struct cl_arena *arena,
                               const struct pending_look *look)
{
    static const char text[] = "SELECT " COLUMNS " FROM pending event WHERE recipient = $1 AND sequence > $2"
                               " AND sequence <= $3 AND (state = 0 OR (state < 4 AND next_ms <= $4))"
                               " AND NOT EXISTS (SELECT 1 FROM pending earlier WHERE earlier.recipient = $1"
                               " AND earlier.application_id = event.application_id"
                               " AND earlier.sequence < event.sequence AND earlier.state > 1)"
                               " ORDER BY sequence LIMIT $5";
    struct sql_statement *statement = NULL;
    struct pending_rows rows = {.rows = cl_arena_array(arena, look->max, sizeof rows.rows[0])};
    struct cl_status status = rows.rows == NULL ? cl_fail(CL_MEMORY_LIMIT) : sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, look->recipient);
    sql_bind_i64(statement, 2, capped(look->after));
    sql_bind_i64(statement, 3, capped(look->up_to));
    sql_bind_i64(statement, 4, look->now_ms);
    sql_bind_i64(statement, 5, (int64_t)look->max);
    return read_rows(out, &rows, statement, arena);
}

struct cl_status pending_holds(struct pending_holds *out, struct sql *sql, const char *recipient)
{
    static const char text[] = "SELECT min(next_ms) FROM pending WHERE recipient = $1 AND state > 1";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    status = sql_step(&row, statement);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct pending_holds){.any = row && !sql_column_is_null(statement, 0), .next_ms = INT64_MAX};
    if (out->any) {
        out->next_ms = sql_column_i64(statement, 0);
    }
    sql_finish(statement);
    return cl_ok();
}

/* -- Sums ----------------------------------------------------------------------------------------------------- */

struct cl_status delivery_tallies(struct delivery_tally *out, size_t *count_out, struct sql *sql,
                                  struct cl_arena *arena, size_t max)
{
    /* Only what holds others back is counted row by row: of a bank that is away for days the rest may be many. */
    static const char text[] =
        "SELECT heads.recipient, heads.head, heads.received_floor, heads.applied_floor,"
        " (SELECT event.made_ms FROM outbox event WHERE event.recipient = heads.recipient"
        " AND event.sequence = heads.applied_floor + 1),"
        " (SELECT count(*) FROM pending WHERE pending.recipient = heads.recipient AND state > 1 AND state < 4),"
        " (SELECT count(*) FROM pending WHERE pending.recipient = heads.recipient AND state > 1 AND state = 4),"
        " (SELECT max(tries) FROM pending WHERE pending.recipient = heads.recipient AND state > 1)"
        " FROM outbox_heads heads ORDER BY heads.recipient LIMIT $1";
    struct sql_statement *statement = NULL;
    size_t count = 0;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, (int64_t)max);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        out[count++] = (struct delivery_tally){
            .recipient = sql_copy_text(arena, statement, 0),
            .head = (uint64_t)sql_column_i64(statement, 1),
            .received_floor = (uint64_t)sql_column_i64(statement, 2),
            .applied_floor = (uint64_t)sql_column_i64(statement, 3),
            .unapplied_since_ms = sql_column_i64(statement, 4),
            .waiting = sql_column_i64(statement, 5),
            .parked = sql_column_i64(statement, 6),
            .tries_max = sql_column_i64(statement, 7),
        };
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *count_out = count;
    }
    return status;
}

/* -- Writing -------------------------------------------------------------------------------------------------- */

struct cl_status pending_put(struct store_tx *tx, const char *recipient, const struct pending_row *row)
{
    static const char text[] =
        "INSERT INTO pending (recipient, " COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (recipient, sequence) DO UPDATE SET state = excluded.state, tries = excluded.tries,"
        " first_ms = excluded.first_ms, next_ms = excluded.next_ms, cause = excluded.cause, note = excluded.note";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, (int64_t)row->sequence);
    sql_bind_text(statement, 3, row->application_id);
    sql_bind_i64(statement, 4, row->state);
    sql_bind_i64(statement, 5, row->tries);
    sql_bind_i64(statement, 6, row->first_ms);
    sql_bind_i64(statement, 7, row->next_ms);
    sql_bind_i64(statement, 8, row->cause);
    sql_bind_text(statement, 9, row->note);
    return sql_run(statement);
}

struct cl_status pending_hasten(struct store_tx *tx, const char *recipient, int64_t now_ms)
{
    static const char text[] = "UPDATE pending SET next_ms = $2 WHERE recipient = $1 AND state > 1 AND state = 2 AND "
                               "cause = 2 AND next_ms > $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, now_ms);
    return sql_run(statement);
}

/* -- What was tried and ordered ------------------------------------------------------------------------------- */

struct cl_status delivery_log_add(struct store_tx *tx, const char *recipient, uint64_t sequence,
                                  const struct delivery_note *note)
{
    static const char text[] =
        "INSERT INTO delivery_log (recipient, sequence, number, at_ms, step, by_party, note, message)"
        " SELECT $1, $2, 1 + coalesce(max(number), 0), $3, $4, $5, $6, $7 FROM delivery_log"
        " WHERE recipient = $1 AND sequence = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, (int64_t)sequence);
    sql_bind_i64(statement, 3, note->at_ms);
    sql_bind_i64(statement, 4, note->step);
    sql_bind_text(statement, 5, note->by);
    sql_bind_text(statement, 6, note->note);
    sql_bind_digest(statement, 7, note->message);
    return sql_run(statement);
}

static void turn_round(struct delivery_notes *notes)
{
    for (size_t i = 0; i < notes->count / 2; i++) {
        struct delivery_note other = notes->notes[notes->count - 1 - i];
        notes->notes[notes->count - 1 - i] = notes->notes[i];
        notes->notes[i] = other;
    }
}

struct cl_status delivery_log_read(struct delivery_notes *out, struct sql *sql, struct cl_arena *arena,
                                   const char *recipient, uint64_t sequence, size_t max)
{
    static const char text[] = "SELECT at_ms, step, by_party, note FROM delivery_log WHERE recipient = $1"
                               " AND sequence = $2 ORDER BY number DESC LIMIT $3";
    struct sql_statement *statement = NULL;
    struct delivery_notes notes = {.notes = cl_arena_array(arena, max, sizeof notes.notes[0])};
    bool row = false;
    struct cl_status status = notes.notes == NULL ? cl_fail(CL_MEMORY_LIMIT) : sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, capped(sequence));
    sql_bind_i64(statement, 3, (int64_t)max);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        notes.notes[notes.count++] = (struct delivery_note){
            .at_ms = sql_column_i64(statement, 0),
            .step = (enum delivery_step)sql_column_i64(statement, 1),
            .by = sql_copy_text(arena, statement, 2),
            .note = sql_copy_text(arena, statement, 3),
        };
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        turn_round(&notes);
        *out = notes;
    }
    return status;
}
