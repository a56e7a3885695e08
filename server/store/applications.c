#include "server/store/applications.h"

#include <assert.h>

#include "libcoloan/limits.h"

#define COLUMNS                                                                                                        \
    "id, external_ref, sender, bank, bank_epoch, state, fund, bank_track, registry, outcome, next_actor, deadline_ms," \
    " offer_version, reasons, items_total, items_by_machine, items_by_person, items_open, changed_ms, submission,"     \
    " counters, round, rule_set, bank_changes, clock_from_ms, clock_stopped_ms, items_bank, checks_total,"             \
    " checks_open, checks_bad, completion_awaited, submitted_ms"

/* The values of COLUMNS that an update may write. */
static void bind_row(struct sql_statement *statement, const struct application_row *row)
{
    sql_bind_text(statement, 1, row->id);
    sql_bind_text(statement, 4, row->bank);
    sql_bind_i64(statement, 5, row->bank_epoch);
    sql_bind_i64(statement, 6, row->state);
    sql_bind_i64(statement, 7, row->fund);
    sql_bind_i64(statement, 8, row->bank_track);
    sql_bind_i64(statement, 9, row->registry);
    sql_bind_i64(statement, 10, row->outcome);
    sql_bind_i64(statement, 11, row->next_actor);
    sql_bind_i64(statement, 12, row->deadline_ms);
    sql_bind_i64(statement, 13, row->offer_version);
    sql_bind_bytes(statement, 14, row->reasons);
    sql_bind_i64(statement, 15, row->items_total);
    sql_bind_i64(statement, 16, row->items_by_machine);
    sql_bind_i64(statement, 17, row->items_by_person);
    sql_bind_i64(statement, 18, row->items_open);
    sql_bind_i64(statement, 19, row->changed_ms);
    sql_bind_digest(statement, 20, &row->submission);
    sql_bind_i64(statement, 21, row->counters);
    sql_bind_i64(statement, 22, row->round);
    sql_bind_text(statement, 23, row->rule_set);
    sql_bind_i64(statement, 24, row->bank_changes);
    sql_bind_i64(statement, 25, row->clock_from_ms);
    sql_bind_i64(statement, 26, row->clock_stopped_ms);
    sql_bind_i64(statement, 27, row->items_bank);
    sql_bind_i64(statement, 28, row->checks_total);
    sql_bind_i64(statement, 29, row->checks_open);
    sql_bind_i64(statement, 30, row->checks_bad);
    sql_bind_i64(statement, 31, row->completion_awaited);
}

static struct cl_status read_row(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct application_row row = {
        .id = sql_copy_text(arena, statement, 0),
        .external_ref = sql_copy_text(arena, statement, 1),
        .sender = sql_copy_text(arena, statement, 2),
        .bank = sql_copy_text(arena, statement, 3),
        .bank_epoch = (uint32_t)sql_column_i64(statement, 4),
        .state = (int)sql_column_i64(statement, 5),
        .fund = (int)sql_column_i64(statement, 6),
        .bank_track = (int)sql_column_i64(statement, 7),
        .registry = (int)sql_column_i64(statement, 8),
        .outcome = (int)sql_column_i64(statement, 9),
        .next_actor = (int)sql_column_i64(statement, 10),
        .deadline_ms = sql_column_i64(statement, 11),
        .offer_version = (uint32_t)sql_column_i64(statement, 12),
        .reasons = sql_copy_bytes(arena, statement, 13),
        .items_total = (uint32_t)sql_column_i64(statement, 14),
        .items_by_machine = (uint32_t)sql_column_i64(statement, 15),
        .items_by_person = (uint32_t)sql_column_i64(statement, 16),
        .items_open = (uint32_t)sql_column_i64(statement, 17),
        .changed_ms = sql_column_i64(statement, 18),
        .counters = (uint32_t)sql_column_i64(statement, 20),
        .round = (uint32_t)sql_column_i64(statement, 21),
        .rule_set = sql_copy_text(arena, statement, 22),
        .bank_changes = (uint32_t)sql_column_i64(statement, 23),
        .clock_from_ms = sql_column_i64(statement, 24),
        .clock_stopped_ms = sql_column_i64(statement, 25),
        .items_bank = (uint32_t)sql_column_i64(statement, 26),
        .checks_total = (uint32_t)sql_column_i64(statement, 27),
        .checks_open = (uint32_t)sql_column_i64(statement, 28),
        .checks_bad = (uint32_t)sql_column_i64(statement, 29),
        .completion_awaited = sql_column_i64(statement, 30) != 0,
        .submitted_ms = sql_column_i64(statement, 31),
    };
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!sql_column_digest(&row.submission, statement, 19)) {
        return cl_fail(CL_INTERNAL);
    }
    *(struct application_row *)out = row;
    return cl_ok();
}

/* -- Lenders ------------------------------------------------------------------------------------------------- */

struct cl_status applications_add_lender(struct store_tx *tx, const struct application_row *row, int64_t since_ms)
{
    static const char text[] = "INSERT INTO lenders (application_id, bank_epoch, bank, since_ms)"
                               " VALUES ($1, $2, $3, $4)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->id);
    sql_bind_i64(statement, 2, row->bank_epoch);
    sql_bind_text(statement, 3, row->bank);
    sql_bind_i64(statement, 4, since_ms);
    return sql_run(statement);
}

struct cl_status applications_is_lender(bool *out, struct sql *sql, const char *id, const char *bank)
{
    static const char text[] = "SELECT bank_epoch FROM lenders WHERE application_id = $1 AND bank = $2 LIMIT 1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, id);
    sql_bind_text(statement, 2, bank);
    bool row = false;
    status = sql_step(&row, statement);
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = row;
    }
    return status;
}

/* -- Rows ---------------------------------------------------------------------------------------------------- */

struct cl_status applications_insert(struct store_tx *tx, const struct application_row *row)
{
    static const char text[] = "INSERT INTO applications (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
                               " $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,"
                               " $24, $25, $26, $27, $28, $29, $30, $31, $32)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    bind_row(statement, row);
    sql_bind_text(statement, 2, row->external_ref);
    sql_bind_text(statement, 3, row->sender);
    sql_bind_i64(statement, 32, row->submitted_ms);
    status = sql_run(statement);
    return cl_is_ok(status) ? applications_add_lender(tx, row, row->submitted_ms) : status;
}

struct cl_status applications_update(struct store_tx *tx, const struct application_row *row)
{
    static const char text[] = "UPDATE applications SET bank = $4, bank_epoch = $5, state = $6, fund = $7,"
                               " bank_track = $8, registry = $9, outcome = $10, next_actor = $11, deadline_ms = $12,"
                               " offer_version = $13, reasons = $14, items_total = $15, items_by_machine = $16,"
                               " items_by_person = $17, items_open = $18, changed_ms = $19,"
                               " submission = $20, counters = $21, round = $22, rule_set = $23, bank_changes = $24,"
                               " clock_from_ms = $25, clock_stopped_ms = $26, items_bank = $27, checks_total = $28,"
                               " checks_open = $29, checks_bad = $30, completion_awaited = $31 WHERE id = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    bind_row(statement, row);
    return sql_run_one(statement, CL_APPLICATION_UNKNOWN);
}

struct cl_status applications_get(struct application_row *out, struct sql *sql, struct cl_arena *arena, const char *id)
{
    static const char text[] = "SELECT " COLUMNS " FROM applications WHERE id = $1";
    struct sql_statement *statement = NULL;
    bool found = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, id);
    status = sql_find(&found, out, statement, read_row, arena);
    return cl_is_ok(status) && !found ? cl_fail(CL_APPLICATION_UNKNOWN) : status;
}

/* -- Lists --------------------------------------------------------------------------------------------------- */

#define BEFORE " (submitted_ms, id) < ($1, $2)"
#define NEWEST " ORDER BY submitted_ms DESC, id DESC LIMIT $3"
#define SELECT "SELECT " COLUMNS " FROM applications WHERE"

static const char LIST_ALL[] = SELECT BEFORE NEWEST;
static const char LIST_STATE[] = SELECT " state = $4 AND" BEFORE NEWEST;

/* Two walks along an index each, merged; the second one leaves out what the first one finds. */
static const char LIST_PARTY[] =
    "SELECT * FROM (" SELECT " bank = $5 AND" BEFORE NEWEST ") lends UNION ALL"
    " SELECT * FROM (" SELECT " sender = $5 AND sender <> bank AND" BEFORE NEWEST ") sends" NEWEST;
static const char LIST_PARTY_STATE[] =
    "SELECT * FROM (" SELECT " bank = $5 AND state = $4 AND" BEFORE NEWEST ") lends UNION ALL"
    " SELECT * FROM (" SELECT " sender = $5 AND sender <> bank AND state = $4 AND" BEFORE NEWEST ") sends" NEWEST;

static const char LIST_BANK[] = SELECT " bank = $5 AND" BEFORE NEWEST;
static const char LIST_BANK_STATE[] = SELECT " bank = $5 AND state = $4 AND" BEFORE NEWEST;

static struct cl_status prepare_list(struct sql_statement **out, struct sql *sql,
                                     const struct application_filter *filter)
{
    const char *const texts[3][2] = {
        {LIST_ALL, LIST_STATE}, {LIST_PARTY, LIST_PARTY_STATE}, {LIST_BANK, LIST_BANK_STATE}};
    size_t of_whom = filter->party == NULL ? 0 : filter->lends ? 2 : 1;
    struct sql_statement *statement = NULL;
    bool first = filter->after_id == NULL;
    struct cl_status status = sql_prepare(&statement, sql, texts[of_whom][filter->state != 0]);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, first ? INT64_MAX : filter->after_submitted_ms);
    sql_bind_text(statement, 2, first ? "" : filter->after_id);
    sql_bind_i64(statement, 3, (int64_t)filter->limit);
    if (filter->state != 0) {
        sql_bind_i64(statement, 4, filter->state);
    }
    if (filter->party != NULL) {
        sql_bind_text(statement, 5, filter->party);
    }
    *out = statement;
    return cl_ok();
}

struct cl_status applications_list(struct application_rows *out, struct sql *sql, struct cl_arena *arena,
                                   const struct application_filter *filter)
{
    assert(filter->limit >= 1 && filter->limit <= CL_LIST_PAGE_MAX + 1);
    struct sql_statement *statement = NULL;
    struct application_rows rows = {.rows = cl_arena_array(arena, filter->limit, sizeof rows.rows[0])};
    if (rows.rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    bool row = false;
    struct cl_status status = prepare_list(&statement, sql, filter);
    if (cl_failed(status)) {
        return status;
    }
    status = sql_step(&row, statement);
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

struct cl_status applications_unsettled(struct application_ids *out, struct sql *sql, struct cl_arena *arena, int owner,
                                        const char *after_id, size_t limit)
{
    static const char text[] = "SELECT DISTINCT application_id FROM items"
                               " WHERE outcome = 0 AND owner = $1 AND application_id > $2 AND phase < 3"
                               " AND EXISTS (SELECT 1 FROM applications WHERE id = application_id AND next_actor <> 5)"
                               " ORDER BY application_id LIMIT $3";
    struct sql_statement *statement = NULL;
    struct application_ids ids = {.ids = cl_arena_array(arena, limit, sizeof ids.ids[0])};
    if (ids.ids == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, owner);
    sql_bind_text(statement, 2, after_id == NULL ? "" : after_id);
    sql_bind_i64(statement, 3, (int64_t)limit);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        ids.ids[ids.count++] = sql_copy_text(arena, statement, 0);
        status = cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = ids;
    }
    return status;
}

/* -- How many ------------------------------------------------------------------------------------------------ */

static struct cl_status tally_states(struct application_tally *out, struct sql *sql)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_ask(&statement, &row, sql, "SELECT state, cases FROM case_states");
    while (cl_is_ok(status) && row) {
        int64_t state = sql_column_i64(statement, 0);
        assert(state >= 0 && state < APPLICATION_STATES_MAX);
        out->in_state[state] = sql_column_i64(statement, 1);
        status = sql_step(&row, statement);
    }
    return status;
}

struct cl_status applications_tally(struct application_tally *out, struct sql *sql, int64_t now_ms)
{
    /* In the words of the index applications_undecided: the fund's track is PENDING or MANUAL. */
    static const char text[] = "SELECT count(*) FROM applications WHERE fund IN (1, 5) AND deadline_ms < $1";
    struct application_tally tally = {.overdue = 0};
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = tally_states(&tally, sql);
    if (cl_is_ok(status)) {
        status = sql_prepare(&statement, sql, text);
    }
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, now_ms);
    status = sql_step(&row, statement);
    if (cl_is_ok(status)) {
        tally.overdue = sql_column_i64(statement, 0);
        sql_finish(statement);
        *out = tally;
    }
    return status;
}

/* -- Persons ------------------------------------------------------------------------------------------------- */

struct cl_status applications_claim_person(struct store_tx *tx, const uint8_t person[PERSON_INDEX_BYTES],
                                           const char *application_id)
{
    /* Changes a row unless another application has it. */
    static const char text[] = "INSERT INTO open_persons (person, application_id) VALUES ($1, $2)"
                               " ON CONFLICT (person) DO UPDATE SET application_id = $2"
                               " WHERE open_persons.application_id = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_bytes(statement, 1, cl_bytes(person, PERSON_INDEX_BYTES));
    sql_bind_text(statement, 2, application_id);
    return sql_run_one(statement, CL_OPEN_CASE_EXISTS);
}

struct cl_status applications_release_persons(struct store_tx *tx, const char *application_id)
{
    static const char text[] = "DELETE FROM open_persons WHERE application_id = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    return sql_run(statement);
}
