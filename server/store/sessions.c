#include "server/store/sessions.h"

struct cl_status sessions_open(uint64_t *number_out, struct store_tx *tx, const char *recipient)
{
    static const char count[] = "INSERT INTO sessions (recipient, number) VALUES ($1, 1)"
                                " ON CONFLICT (recipient) DO UPDATE SET number = sessions.number + 1";
    static const char look[] = "SELECT number FROM sessions WHERE recipient = $1";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), count);
    if (cl_is_ok(status)) {
        sql_bind_text(statement, 1, recipient);
        status = sql_run(statement);
    }
    if (cl_is_ok(status)) {
        status = sql_prepare(&statement, store_tx_sql(tx), look);
    }
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, recipient);
    status = sql_step(&row, statement);
    if (cl_failed(status)) {
        return status;
    }
    *number_out = row ? (uint64_t)sql_column_i64(statement, 0) : 0;
    sql_finish(statement);
    return row ? cl_ok() : cl_fail(CL_INTERNAL);
}
