#include "server/store/messages.h"

#include <string.h>

struct cl_status messages_add(struct store_tx *tx, const struct message_row *row)
{
    static const char text[] = "INSERT INTO messages (digest, way, sender, recipient, message_id, direction, method,"
                               " application_id, at_ms, envelope, reply)"
                               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_digest(statement, 1, &row->digest);
    sql_bind_i64(statement, 2, row->way);
    sql_bind_text(statement, 3, row->sender);
    sql_bind_text(statement, 4, row->recipient);
    sql_bind_bytes(statement, 5, cl_bytes(row->message_id, sizeof row->message_id));
    sql_bind_i64(statement, 6, row->direction);
    sql_bind_text(statement, 7, row->method);
    sql_bind_text(statement, 8, row->application_id);
    sql_bind_i64(statement, 9, row->at_ms);
    sql_bind_bytes(statement, 10, row->envelope);
    sql_bind_digest(statement, 11, row->has_reply ? &row->reply : NULL);
    status = sql_run(statement);
    return status.reason == CL_STATE_CONFLICT ? cl_fail(CL_MESSAGE_ID_REUSED) : status;
}

struct cl_status messages_set_reply(struct store_tx *tx, const struct cl_digest *request, const struct cl_digest *reply)
{
    static const char text[] = "UPDATE messages SET reply = $2 WHERE digest = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_digest(statement, 1, request);
    sql_bind_digest(statement, 2, reply);
    return sql_run_one(statement, CL_INTERNAL);
}

static struct cl_status read_duplicate(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct message_duplicate duplicate = {.found = true, .has_reply = !sql_column_is_null(statement, 1)};
    if (!sql_column_digest(&duplicate.digest, statement, 0)) {
        return cl_fail(CL_INTERNAL);
    }
    if (duplicate.has_reply) {
        duplicate.reply = sql_copy_bytes(arena, statement, 1);
    }
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *(struct message_duplicate *)out = duplicate;
    return cl_ok();
}

struct cl_status messages_find_duplicate(struct message_duplicate *out, struct sql *sql, struct cl_arena *arena,
                                         const char *sender, const uint8_t message_id[MESSAGE_ID_BYTES])
{
    static const char text[] = "SELECT known.digest, answer.envelope"
                               " FROM messages known LEFT JOIN messages answer ON answer.digest = known.reply"
                               " WHERE known.sender = $1 AND known.message_id = $2";
    struct sql_statement *statement = NULL;
    bool found = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, sender);
    sql_bind_bytes(statement, 2, cl_bytes(message_id, MESSAGE_ID_BYTES));
    status = sql_find(&found, out, statement, read_duplicate, arena);
    if (cl_is_ok(status) && !found) {
        *out = (struct message_duplicate){.found = false};
    }
    return status;
}

static struct cl_status read_row(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct message_row row = {
        .way = (enum message_way)sql_column_i64(statement, 1),
        .sender = sql_copy_text(arena, statement, 2),
        .recipient = sql_copy_text(arena, statement, 3),
        .direction = (int)sql_column_i64(statement, 5),
        .method = sql_copy_text(arena, statement, 6),
        .application_id = sql_copy_text(arena, statement, 7),
        .at_ms = sql_column_i64(statement, 8),
        .envelope = sql_copy_bytes(arena, statement, 9),
        .has_reply = !sql_column_is_null(statement, 10),
    };
    struct cl_bytes id = sql_column_bytes(statement, 4);
    bool whole = sql_column_digest(&row.digest, statement, 0) && id.len == sizeof row.message_id &&
                 (sql_column_digest(&row.reply, statement, 10) || !row.has_reply);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!whole) {
        return cl_fail(CL_INTERNAL);
    }
    memcpy(row.message_id, id.data, id.len);
    *(struct message_row *)out = row;
    return cl_ok();
}

struct cl_status messages_get(bool *found_out, struct message_row *out, struct sql *sql, struct cl_arena *arena,
                              const struct cl_digest *digest)
{
    static const char text[] = "SELECT digest, way, sender, recipient, message_id, direction, method, application_id,"
                               " at_ms, envelope, reply FROM messages WHERE digest = $1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_digest(statement, 1, digest);
    return sql_find(found_out, out, statement, read_row, arena);
}
