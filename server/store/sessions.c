#include "server/store/sessions.h"

struct cl_status sessions_newest(uint64_t *number_out, struct sql *sql, const char *recipient)
{
    static const char text[] = "SELECT number FROM sessions WHERE recipient = $1";
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
    *number_out = row ? (uint64_t)sql_column_i64(statement, 0) : 0;
    sql_finish(statement);
    return cl_ok();
}

struct cl_status sessions_open(uint64_t *number_out, struct store_tx *tx, const char *recipient)
{
    static const char count[] = "INSERT INTO sessions (recipient, number) VALUES ($1, 1)"
                                " ON CONFLICT (recipient) DO UPDATE SET number = sessions.number + 1";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), count);
    if (cl_is_ok(status)) {
        sql_bind_text(statement, 1, recipient);
        status = sql_run(statement);
    }
    return cl_is_ok(status) ? sessions_newest(number_out, store_tx_sql(tx), recipient) : status;
}
