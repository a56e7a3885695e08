#include "server/store/documents.h"

/* -- Reading ------------------------------------------------------------------------------------------------- */

static struct cl_status read_row(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct document_row row = {
        .number = sql_column_i64(statement, 0),
        .application_id = sql_copy_text(arena, statement, 1),
        .size_bytes = sql_column_i64(statement, 3),
        .received_bytes = sql_column_i64(statement, 4),
        .attempt = (uint32_t)sql_column_i64(statement, 5),
        .hash = sql_copy_bytes(arena, statement, 6),
        .sender = sql_copy_text(arena, statement, 7),
        .changed_ms = sql_column_i64(statement, 8),
        .complete = sql_column_i64(statement, 9) != 0,
    };
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!sql_column_digest(&row.sha256, statement, 2)) {
        return cl_fail(CL_INTERNAL);
    }
    *(struct document_row *)out = row;
    return cl_ok();
}

struct cl_status documents_get(bool *found_out, struct document_row *out, struct sql *sql, struct cl_arena *arena,
                               const char *application_id, const struct cl_digest *sha256)
{
    static const char text[] = "SELECT number, application_id, sha256, size_bytes, received_bytes, attempt, hash,"
                               " sender, changed_ms, complete FROM documents"
                               " WHERE application_id = $1 AND sha256 = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_digest(statement, 2, sha256);
    return sql_find(found_out, out, statement, read_row, arena);
}

static struct cl_status read_piece(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct cl_bytes sealed = sql_copy_bytes(arena, statement, 0);
    if (sealed.data == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *(struct cl_bytes *)out = sealed;
    return cl_ok();
}

struct cl_status documents_read(bool *found_out, struct cl_bytes *sealed_out, struct sql *sql, struct cl_arena *arena,
                                int64_t number, int64_t offset)
{
    static const char text[] = "SELECT sealed FROM document_pieces WHERE document = $1 AND at = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, number);
    sql_bind_i64(statement, 2, offset);
    return sql_find(found_out, sealed_out, statement, read_piece, arena);
}

struct cl_status documents_unfinished(struct documents_unfinished *out, struct sql *sql, const char *sender)
{
    static const char text[] = "SELECT size_bytes, number, changed_ms FROM documents"
                               " WHERE sender = $1 AND complete = 0 AND received_bytes > 0"
                               " ORDER BY changed_ms, number";
    struct sql_statement *statement = NULL;
    struct documents_unfinished found = {.count = 0};
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, sender);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        if (found.count == 0) {
            found.idlest = sql_column_i64(statement, 1);
            found.idle_since_ms = sql_column_i64(statement, 2);
        }
        found.count++;
        found.size_bytes += sql_column_i64(statement, 0);
        status = sql_step(&row, statement);
    }
    if (cl_is_ok(status)) {
        *out = found;
    }
    return status;
}

/* -- Writing ------------------------------------------------------------------------------------------------- */

struct cl_status documents_begin(int64_t *number_out, struct store_tx *tx, const struct document_row *row)
{
    static const char text[] = "INSERT INTO documents (number, application_id, sha256, size_bytes, received_bytes,"
                               " attempt, hash, sender, changed_ms, complete)"
                               " SELECT 1 + coalesce(max(number), 0), $1, $2, $3, 0, 1, $6, $4, $5, 0 FROM documents"
                               " RETURNING number";
    struct sql_statement *statement = NULL;
    bool inserted = false;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_digest(statement, 2, &row->sha256);
    sql_bind_i64(statement, 3, row->size_bytes);
    sql_bind_text(statement, 4, row->sender);
    sql_bind_i64(statement, 5, row->changed_ms);
    sql_bind_bytes(statement, 6, cl_bytes(NULL, 0));
    status = sql_step(&inserted, statement);
    if (cl_failed(status)) {
        return status;
    }
    *number_out = sql_column_i64(statement, 0);
    sql_finish(statement);
    return cl_ok();
}

static struct cl_status grow(struct store_tx *tx, const struct document_piece *piece)
{
    static const char text[] =
        "UPDATE documents SET received_bytes = received_bytes + $4, hash = $5, changed_ms = $6"
        " WHERE number = $1 AND attempt = $2 AND received_bytes = $3 AND received_bytes + $4 <= size_bytes"
        " AND complete = 0";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, piece->number);
    sql_bind_i64(statement, 2, piece->attempt);
    sql_bind_i64(statement, 3, piece->offset);
    sql_bind_i64(statement, 4, piece->length);
    sql_bind_bytes(statement, 5, piece->hash);
    sql_bind_i64(statement, 6, piece->at_ms);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

struct cl_status documents_append(struct store_tx *tx, const struct document_piece *piece)
{
    static const char text[] = "INSERT INTO document_pieces (document, at, sealed) VALUES ($1, $2, $3)";
    struct sql_statement *statement = NULL;
    struct cl_status status = grow(tx, piece);
    if (cl_is_ok(status)) {
        status = sql_prepare(&statement, store_tx_sql(tx), text);
    }
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, piece->number);
    sql_bind_i64(statement, 2, piece->offset);
    sql_bind_bytes(statement, 3, piece->sealed);
    return sql_run(statement);
}

struct cl_status documents_complete(struct store_tx *tx, int64_t number, int64_t at_ms)
{
    static const char text[] = "UPDATE documents SET complete = 1, hash = $3, changed_ms = $2"
                               " WHERE number = $1 AND complete = 0 AND received_bytes = size_bytes";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, number);
    sql_bind_i64(statement, 2, at_ms);
    sql_bind_bytes(statement, 3, cl_bytes(NULL, 0));
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

static struct cl_status remove_pieces(struct store_tx *tx, int64_t number)
{
    static const char text[] = "DELETE FROM document_pieces WHERE document = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, number);
    return sql_run(statement);
}

struct cl_status documents_drop(struct store_tx *tx, int64_t number, int64_t at_ms)
{
    static const char text[] = "UPDATE documents SET received_bytes = 0, attempt = attempt + 1, hash = $3,"
                               " changed_ms = $2 WHERE number = $1 AND complete = 0";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_i64(statement, 1, number);
    sql_bind_i64(statement, 2, at_ms);
    sql_bind_bytes(statement, 3, cl_bytes(NULL, 0));
    status = sql_run_one(statement, CL_STATE_CONFLICT);
    return cl_is_ok(status) ? remove_pieces(tx, number) : status;
}
