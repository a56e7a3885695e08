#include "server/store/offers.h"

struct cl_status offers_insert(struct store_tx *tx, const struct offer_row *row)
{
    static const char text[] =
        "INSERT INTO offers (application_id, version, bank_epoch, terms, terms_digest, valid_until_ms, fund_event,"
        " bank_decision, made_ms) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9"
        " WHERE $2 = 1 + (SELECT coalesce(max(version), 0) FROM offers WHERE application_id = $1)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, row->application_id);
    sql_bind_i64(statement, 2, row->version);
    sql_bind_i64(statement, 3, row->bank_epoch);
    sql_bind_bytes(statement, 4, row->terms);
    sql_bind_digest(statement, 5, &row->terms_digest);
    sql_bind_i64(statement, 6, row->valid_until_ms);
    sql_bind_digest(statement, 7, &row->fund_event);
    sql_bind_digest(statement, 8, row->has_bank_decision ? &row->bank_decision : NULL);
    sql_bind_i64(statement, 9, row->made_ms);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

struct cl_status offers_set_bank_decision(struct store_tx *tx, const char *application_id, uint32_t version,
                                          const struct cl_digest *decision)
{
    static const char text[] = "UPDATE offers SET bank_decision = $3"
                               " WHERE application_id = $1 AND version = $2 AND bank_decision IS NULL";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, version);
    sql_bind_digest(statement, 3, decision);
    return sql_run_one(statement, CL_STATE_CONFLICT);
}

static struct cl_status read_row(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct offer_row row = {
        .application_id = sql_copy_text(arena, statement, 0),
        .version = (uint32_t)sql_column_i64(statement, 1),
        .bank_epoch = (uint32_t)sql_column_i64(statement, 2),
        .terms = sql_copy_bytes(arena, statement, 3),
        .valid_until_ms = sql_column_i64(statement, 5),
        .has_bank_decision = !sql_column_is_null(statement, 7),
        .made_ms = sql_column_i64(statement, 8),
    };
    bool whole = sql_column_digest(&row.terms_digest, statement, 4) &&
                 sql_column_digest(&row.fund_event, statement, 6) &&
                 (sql_column_digest(&row.bank_decision, statement, 7) || !row.has_bank_decision);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!whole) {
        return cl_fail(CL_INTERNAL);
    }
    *(struct offer_row *)out = row;
    return cl_ok();
}

struct cl_status offers_get(bool *found_out, struct offer_row *out, struct sql *sql, struct cl_arena *arena,
                            const char *application_id, uint32_t version)
{
    static const char text[] = "SELECT application_id, version, bank_epoch, terms, terms_digest, valid_until_ms,"
                               " fund_event, bank_decision, made_ms FROM offers"
                               " WHERE application_id = $1 AND version = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_i64(statement, 2, version);
    return sql_find(found_out, out, statement, read_row, arena);
}
