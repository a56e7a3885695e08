/* The head of a recipient moves with outbox_add, in one statement that only fits the next number: a gap would need a
 * transaction that is half committed. Acknowledgements are rows of their own, so events never change; the floors are
 * kept beside the head and move over whatever is acknowledged without a hole. */
#include "server/store/outbox.h"

#include <string.h>

#include "libcoloan/chain.h"
#include "server/store/pending.h"

struct cl_status outbox_next(struct store_tx *tx, const char *recipient, uint64_t *sequence_out)
{
    struct outbox_state state;
    struct cl_status status = outbox_state(&state, store_tx_sql(tx), recipient);
    if (cl_is_ok(status)) {
        *sequence_out = state.head + 1;
    }
    return status;
}

static struct cl_status advance_head(struct store_tx *tx, const struct outbox_row *row, const struct cl_digest *chain)
{
    static const char text[] = "INSERT INTO outbox_heads (recipient, head, chain) VALUES ($1, $2, $3)"
                               " ON CONFLICT (recipient) DO UPDATE SET head = excluded.head, chain = excluded.chain"
                               " WHERE outbox_heads.head = excluded.head - 1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->recipient);
    sql_bind_i64(statement, 2, (int64_t)row->sequence);
    sql_bind_digest(statement, 3, chain);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

static struct cl_status insert_event(struct store_tx *tx, const struct outbox_row *row, const struct cl_digest *chain)
{
    static const char text[] = "INSERT INTO outbox (recipient, sequence, application_id, kind, digest, chain, made_ms)"
                               " VALUES ($1, $2, $3, $4, $5, $6, $7)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->recipient);
    sql_bind_i64(statement, 2, (int64_t)row->sequence);
    sql_bind_text(statement, 3, row->application_id);
    sql_bind_i64(statement, 4, row->kind);
    sql_bind_digest(statement, 5, &row->digest);
    sql_bind_digest(statement, 6, chain);
    sql_bind_i64(statement, 7, row->made_ms);
    return sql_run(statement);
}

struct cl_status outbox_add(struct store_tx *tx, const struct outbox_row *row)
{
    struct outbox_state state;
    struct cl_status status = outbox_state(&state, store_tx_sql(tx), row->recipient);
    if (cl_is_ok(status) && row->sequence != state.head + 1) {
        status = cl_fail(CL_STATE_CONFLICT);
    }
    if (cl_failed(status)) {
        return status;
    }
    cl_chain_next(&state.chain, &state.chain, row->sequence, &row->digest);
    status = advance_head(tx, row, &state.chain);
    if (cl_is_ok(status)) {
        status = insert_event(tx, row, &state.chain);
    }
    return cl_is_ok(status) ? pending_add(tx, row->recipient, row->sequence, row->application_id) : status;
}

/* -- Reading -------------------------------------------------------------------------------------------------- */

/* An acknowledged event that its bank asks for from the start is held back by nothing. */
#define EVENTS                                                                                                         \
    "SELECT event.sequence, event.application_id, event.kind, event.digest, event.made_ms, event.chain,"               \
    " message.envelope, mine.state, mine.next_ms, CASE WHEN EXISTS (SELECT 1 FROM pending earlier"                     \
    " WHERE earlier.recipient = event.recipient AND earlier.application_id = event.application_id"                     \
    " AND earlier.sequence < event.sequence AND earlier.state > 1) THEN 1 ELSE 0 END"                                  \
    " FROM outbox event JOIN messages message ON message.digest = event.digest"                                        \
    " LEFT JOIN pending mine ON mine.recipient = event.recipient AND mine.sequence = event.sequence"

static bool is_held(enum pending_state state, int64_t next_ms, bool behind, int64_t now_ms)
{
    bool waits = (state == PENDING_WAITING || state == PENDING_ON_CALL) && next_ms > now_ms;
    return behind || waits || state == PENDING_PARKED;
}

static struct cl_status read_row(struct outbox_row *out, struct sql_statement *statement, struct cl_arena *arena,
                                 const char *recipient, int64_t now_ms)
{
    struct outbox_row row = {
        .recipient = recipient,
        .sequence = (uint64_t)sql_column_i64(statement, 0),
        .application_id = sql_copy_text(arena, statement, 1),
        .kind = (int)sql_column_i64(statement, 2),
        .made_ms = sql_column_i64(statement, 4),
        .envelope = sql_copy_bytes(arena, statement, 6),
        .pending = !sql_column_is_null(statement, 7),
    };
    if (row.pending) {
        row.held = is_held((enum pending_state)sql_column_i64(statement, 7), sql_column_i64(statement, 8),
                           sql_column_i64(statement, 9) != 0, now_ms);
    }
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!sql_column_digest(&row.digest, statement, 3) || !sql_column_digest(&row.chain, statement, 5)) {
        return cl_fail(CL_INTERNAL);
    }
    *out = row;
    return cl_ok();
}

struct cl_status outbox_read(struct outbox_rows *out, struct sql *sql, struct cl_arena *arena, const char *recipient,
                             uint64_t after, size_t max, int64_t now_ms)
{
    static const char text[] =
        EVENTS " WHERE event.recipient = $1 AND event.sequence > $2 ORDER BY event.sequence LIMIT $3";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    struct outbox_rows rows = {.rows = cl_arena_array(arena, max, sizeof rows.rows[0])};
    const char *name = cl_arena_text(arena, recipient);
    size_t envelope_bytes = 0;
    bool row = true;
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, after > INT64_MAX ? INT64_MAX : (int64_t)after);
    sql_bind_i64(statement, 3, (int64_t)max);
    while (cl_is_ok(status) && row && envelope_bytes < OUTBOX_READ_BYTES) {
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
        if (cl_failed(status) || !row) {
            break;
        }
        status = read_row(&rows.rows[rows.count], statement, arena, name, now_ms);
        envelope_bytes += cl_is_ok(status) ? rows.rows[rows.count++].envelope.len : 0;
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = rows;
    }
    return status;
}

struct cl_status outbox_find(bool *found_out, struct outbox_row *out, struct sql *sql, struct cl_arena *arena,
                             const char *recipient, uint64_t sequence, int64_t now_ms)
{
    static const char text[] = EVENTS " WHERE event.recipient = $1 AND event.sequence = $2";
    struct sql_statement *statement = NULL;
    bool row = false;
    const char *name = cl_arena_text(arena, recipient);
    if (name == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
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
    status = sql_step(&row, statement);
    if (cl_is_ok(status) && row) {
        status = read_row(out, statement, arena, name, now_ms);
        sql_finish(statement);
    }
    if (cl_is_ok(status)) {
        *found_out = row;
    }
    return status;
}

struct cl_status outbox_chain(bool *found_out, struct cl_digest *out, struct sql *sql, const char *recipient,
                              uint64_t sequence)
{
    static const char text[] = "SELECT chain FROM outbox WHERE recipient = $1 AND sequence = $2";
    struct sql_statement *statement = NULL;
    bool row = false;
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
    status = sql_step(&row, statement);
    if (cl_failed(status)) {
        return status;
    }
    bool whole = !row || sql_column_digest(out, statement, 0);
    sql_finish(statement);
    *found_out = row;
    return whole ? cl_ok() : cl_fail(CL_INTERNAL);
}

struct cl_status outbox_state(struct outbox_state *out, struct sql *sql, const char *recipient)
{
    static const char text[] =
        "SELECT head, received_floor, applied_floor, chain FROM outbox_heads WHERE recipient = $1";
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
    *out = (struct outbox_state){.head = 0};
    if (!row) {
        return cl_ok();
    }
    out->head = (uint64_t)sql_column_i64(statement, 0);
    out->received_floor = (uint64_t)sql_column_i64(statement, 1);
    out->applied_floor = (uint64_t)sql_column_i64(statement, 2);
    bool whole = sql_column_digest(&out->chain, statement, 3);
    sql_finish(statement);
    return whole ? cl_ok() : cl_fail(CL_INTERNAL);
}

/* -- Acknowledgements ---------------------------------------------------------------------------------------- */

struct cl_status outbox_check(bool *received_out, struct store_tx *tx, const char *recipient, uint64_t sequence,
                              const struct cl_digest *event)
{
    static const char text[] = "SELECT event.digest, CASE WHEN EXISTS (SELECT 1 FROM outbox_acks ack"
                               " WHERE ack.recipient = event.recipient AND ack.level = 1"
                               " AND ack.sequence = event.sequence) THEN 1 ELSE 0 END"
                               " FROM outbox event WHERE event.recipient = $1 AND event.sequence = $2";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_digest digest;
    if (sequence > INT64_MAX) {
        return cl_fail(CL_EVENT_UNKNOWN);
    }
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, (int64_t)sequence);
    status = sql_step(&row, statement);
    if (cl_failed(status)) {
        return status;
    }
    if (!row) {
        return cl_fail(CL_EVENT_UNKNOWN);
    }
    bool same = sql_column_digest(&digest, statement, 0) && cl_digest_equal(&digest, event);
    *received_out = sql_column_i64(statement, 1) != 0;
    sql_finish(statement);
    return same ? cl_ok() : cl_fail(CL_ACK_WRONG);
}

static const char *reference_of(const struct outbox_ack *ack, enum outbox_level level)
{
    return level == OUTBOX_APPLIED && ack->reference != NULL ? ack->reference : "";
}

static struct cl_status read_acked(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct outbox_acked acked = {
        .found = true, .at_ms = sql_column_i64(statement, 0), .reference = sql_copy_text(arena, statement, 1)};
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!sql_column_digest(&acked.digest, statement, 2)) {
        return cl_fail(CL_INTERNAL);
    }
    *(struct outbox_acked *)out = acked;
    return cl_ok();
}

struct cl_status outbox_acked(struct outbox_acked *out, struct sql *sql, struct cl_arena *arena, const char *recipient,
                              uint64_t sequence, enum outbox_level level)
{
    static const char text[] = "SELECT at_ms, reference, digest FROM outbox_acks"
                               " WHERE recipient = $1 AND level = $2 AND sequence = $3";
    struct sql_statement *statement = NULL;
    struct outbox_acked acked = {.found = false};
    bool found = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    sql_bind_i64(statement, 2, level);
    sql_bind_i64(statement, 3, (int64_t)sequence);
    status = sql_find(&found, &acked, statement, read_acked, arena);
    if (cl_is_ok(status)) {
        *out = acked;
    }
    return status;
}

/* Whether this acknowledgement is there already; ACK_WRONG when there is one with another reference. */
static struct cl_status find_ack(bool *found_out, struct store_tx *tx, const struct outbox_ack *ack,
                                 enum outbox_level level)
{
    static const char text[] =
        "SELECT reference FROM outbox_acks WHERE recipient = $1 AND level = $2 AND sequence = $3";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, ack->recipient);
    sql_bind_i64(statement, 2, level);
    sql_bind_i64(statement, 3, (int64_t)ack->sequence);
    status = sql_step(&row, statement);
    if (cl_failed(status)) {
        return status;
    }
    bool same = !row || strcmp(sql_column_text(statement, 0), reference_of(ack, level)) == 0;
    sql_finish(statement);
    *found_out = row;
    return same ? cl_ok() : cl_fail(CL_ACK_WRONG);
}

static struct cl_status insert_ack(struct store_tx *tx, const struct outbox_ack *ack, enum outbox_level level)
{
    static const char text[] = "INSERT INTO outbox_acks (recipient, sequence, level, reference, digest, at_ms)"
                               " VALUES ($1, $2, $3, $4, $5, $6)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, ack->recipient);
    sql_bind_i64(statement, 2, (int64_t)ack->sequence);
    sql_bind_i64(statement, 3, level);
    sql_bind_text(statement, 4, reference_of(ack, level));
    sql_bind_digest(statement, 5, &ack->digest);
    sql_bind_i64(statement, 6, ack->at_ms);
    return sql_run(statement);
}

/* The end of the unbroken run of acknowledgements that starts at $2, the number after the floor. */
#define RUN_END(level)                                                                                                 \
    "(SELECT sequence FROM outbox_acks last WHERE recipient = $1 AND level = " level " AND sequence >= $2"             \
    " AND NOT EXISTS (SELECT 1 FROM outbox_acks more WHERE more.recipient = $1 AND more.level = " level                \
    " AND more.sequence = last.sequence + 1) ORDER BY sequence LIMIT 1)"

/* Only an acknowledgement right above the floor moves it, so a run is walked once. */
static struct cl_status advance_floor(struct store_tx *tx, const struct outbox_ack *ack, enum outbox_level level)
{
    static const char received[] =
        "UPDATE outbox_heads SET received_floor = " RUN_END("1") " WHERE recipient = $1"
                                                                 " AND received_floor = $2 - 1";
    static const char applied[] = "UPDATE outbox_heads SET applied_floor = " RUN_END("2") " WHERE recipient = $1"
                                                                                          " AND applied_floor = $2 - 1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), level == OUTBOX_RECEIVED ? received : applied);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, ack->recipient);
    sql_bind_i64(statement, 2, (int64_t)ack->sequence);
    return sql_run(statement);
}

static struct cl_status reach(struct store_tx *tx, const struct outbox_ack *ack, enum outbox_level level)
{
    bool found = false;
    struct cl_status status = find_ack(&found, tx, ack, level);
    if (cl_failed(status) || found) {
        return status;
    }
    status = insert_ack(tx, ack, level);
    return cl_is_ok(status) ? advance_floor(tx, ack, level) : status;
}

struct cl_status outbox_ack(struct store_tx *tx, const struct outbox_ack *ack)
{
    bool received = false;
    struct cl_status status = outbox_check(&received, tx, ack->recipient, ack->sequence, &ack->event);
    if (cl_is_ok(status)) {
        status = reach(tx, ack, OUTBOX_RECEIVED);
    }
    if (cl_is_ok(status) && ack->level == OUTBOX_APPLIED) {
        status = reach(tx, ack, OUTBOX_APPLIED);
    }
    return cl_is_ok(status) ? pending_end(tx, ack->recipient, ack->sequence) : status;
}
