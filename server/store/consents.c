#include "server/store/consents.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/limits.h"

/* -- Consents ------------------------------------------------------------------------------------------------ */

struct cl_status consents_add(struct store_tx *tx, const struct consent_row *row)
{
    static const char text[] =
        "INSERT INTO consents (application_id, consent_id, person, purpose, receiver, until_ms, document, subject,"
        " given_ms, given_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_text(statement, 2, row->consent_id);
    sql_bind_i64(statement, 3, row->person);
    sql_bind_i64(statement, 4, row->purpose);
    sql_bind_text(statement, 5, row->receiver);
    sql_bind_i64(statement, 6, row->until_ms);
    sql_bind_digest(statement, 7, &row->document);
    sql_bind_digest(statement, 8, &row->subject);
    sql_bind_i64(statement, 9, row->given_ms);
    sql_bind_digest(statement, 10, &row->given_by);
    return sql_run(statement);
}

struct cl_status consents_withdraw(struct store_tx *tx, const char *application_id, const char *consent_id,
                                   int64_t at_ms, const struct cl_digest *by)
{
    static const char text[] = "UPDATE consents SET withdrawn_ms = $3, withdrawn_by = $4"
                               " WHERE application_id = $1 AND consent_id = $2 AND withdrawn_ms IS NULL";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_text(statement, 2, consent_id);
    sql_bind_i64(statement, 3, at_ms);
    sql_bind_digest(statement, 4, by);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

struct cl_status consents_set_letter(struct store_tx *tx, const char *application_id, const char *consent_id,
                                     int letter)
{
    static const char text[] = "UPDATE consents SET letter = $3"
                               " WHERE application_id = $1 AND consent_id = $2 AND letter IS NULL";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_text(statement, 2, consent_id);
    sql_bind_i64(statement, 3, letter);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

static struct cl_status read_consent(struct consent_row *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct consent_row row = {
        .application_id = sql_copy_text(arena, statement, 0),
        .consent_id = sql_copy_text(arena, statement, 1),
        .person = (unsigned)sql_column_i64(statement, 2),
        .purpose = (int)sql_column_i64(statement, 3),
        .receiver = sql_copy_text(arena, statement, 4),
        .until_ms = sql_column_i64(statement, 5),
        .given_ms = sql_column_i64(statement, 8),
        .withdrawn_ms = sql_column_i64(statement, 10),
        .letter_judged = !sql_column_is_null(statement, 12),
        .letter = (int)sql_column_i64(statement, 12),
    };
    bool whole = sql_column_digest(&row.document, statement, 6) && sql_column_digest(&row.subject, statement, 7) &&
                 sql_column_digest(&row.given_by, statement, 9) &&
                 (sql_column_digest(&row.withdrawn_by, statement, 11) || row.withdrawn_ms == 0);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = row;
    return whole ? cl_ok() : cl_fail(CL_INTERNAL);
}

/* Room for one more; most applications have a handful, so the list grows by doubling. */
static struct cl_status make_room(struct consent_rows *rows, size_t *room, struct cl_arena *arena)
{
    enum { FIRST = 16 };
    if (rows->count < *room) {
        return cl_ok();
    }
    if (rows->count == CONSENTS_KEPT_MAX) {
        return cl_fail(CL_INTERNAL);
    }
    size_t wanted = *room == 0 ? FIRST : 2 * *room;
    struct consent_row *grown = cl_arena_array(arena, wanted, sizeof *grown);
    if (grown == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (rows->count > 0) {
        memcpy(grown, rows->rows, rows->count * sizeof *grown);
    }
    rows->rows = grown;
    *room = wanted;
    return cl_ok();
}

struct cl_status consents_list(struct consent_rows *out, struct sql *sql, struct cl_arena *arena,
                               const char *application_id)
{
    static const char text[] =
        "SELECT application_id, consent_id, person, purpose, receiver, until_ms, document, subject, given_ms, given_by,"
        " withdrawn_ms, withdrawn_by, letter FROM consents WHERE application_id = $1 ORDER BY consent_id";
    struct sql_statement *statement = NULL;
    struct consent_rows rows = {.rows = NULL};
    size_t room = 0;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        status = make_room(&rows, &room, arena);
        if (cl_is_ok(status)) {
            status = read_consent(&rows.rows[rows.count++], statement, arena);
        }
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

/* -- Disclosures --------------------------------------------------------------------------------------------- */

/* Ids hold no control characters, so a line end between them is unambiguous. */
static const char *join(struct cl_arena *arena, const char *const *ids, size_t count)
{
    assert(count >= 1 && count <= CL_CONSENTS_MAX);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += strlen(ids[i]) + 1;
    }
    char *joined = cl_arena_alloc(arena, len);
    for (size_t i = 0, at = 0; joined != NULL && i < count; i++) {
        size_t part = strlen(ids[i]);
        assert(part >= 1 && part <= CL_TEXT_BYTES_MAX);
        memcpy(joined + at, ids[i], part);
        joined[at + part] = i + 1 < count ? '\n' : '\0';
        at += part + 1;
    }
    return joined;
}

static struct cl_status split(struct disclosure_row *out, struct cl_arena *arena, char *joined)
{
    const char **ids = cl_arena_array(arena, CL_CONSENTS_MAX, sizeof *ids);
    if (ids == NULL || joined == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    size_t count = 0;
    for (char *id = joined; id != NULL; count++) {
        if (count == CL_CONSENTS_MAX) {
            return cl_fail(CL_INTERNAL);
        }
        ids[count] = id;
        char *end = strchr(id, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        id = end != NULL ? end + 1 : NULL;
    }
    out->consents = ids;
    out->consent_count = count;
    return cl_ok();
}

struct cl_status disclosures_add(struct store_tx *tx, struct cl_arena *arena, const struct disclosure_row *row)
{
    static const char text[] = "INSERT INTO disclosures (application_id, message, recipient, consents, at_ms)"
                               " VALUES ($1, $2, $3, $4, $5)";
    struct sql_statement *statement = NULL;
    const char *joined = join(arena, row->consents, row->consent_count);
    if (joined == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_digest(statement, 2, &row->message);
    sql_bind_text(statement, 3, row->recipient);
    sql_bind_text(statement, 4, joined);
    sql_bind_i64(statement, 5, row->at_ms);
    return sql_run(statement);
}

static struct cl_status read_disclosure(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct disclosure_row row = {
        .application_id = sql_copy_text(arena, statement, 0),
        .recipient = sql_copy_text(arena, statement, 2),
        .at_ms = sql_column_i64(statement, 4),
    };
    const char *joined = sql_column_text(statement, 3);
    if (!sql_column_digest(&row.message, statement, 1) || joined == NULL) {
        return cl_fail(CL_INTERNAL);
    }
    struct cl_status status = split(&row, arena, cl_arena_text(arena, joined));
    if (cl_failed(status) || cl_arena_overflowed(arena)) {
        return cl_failed(status) ? status : cl_fail(CL_MEMORY_LIMIT);
    }
    *(struct disclosure_row *)out = row;
    return cl_ok();
}

struct cl_status disclosures_get(bool *found_out, struct disclosure_row *out, struct sql *sql, struct cl_arena *arena,
                                 const char *application_id, const struct cl_digest *message)
{
    static const char text[] = "SELECT application_id, message, recipient, consents, at_ms FROM disclosures"
                               " WHERE application_id = $1 AND message = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_digest(statement, 2, message);
    return sql_find(found_out, out, statement, read_disclosure, arena);
}
