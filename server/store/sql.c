/* What stands on the driver's calls and is the same for every engine. */
#include "server/store/sql.h"

struct cl_status sql_ask(struct sql_statement **out, bool *row_out, struct sql *sql, const char *text)
{
    struct cl_status status = sql_prepare(out, sql, text);
    return cl_is_ok(status) ? sql_step(row_out, *out) : status;
}

struct cl_status sql_find(bool *found_out, void *out, struct sql_statement *statement, sql_reader *read,
                          struct cl_arena *arena)
{
    bool row = false;
    struct cl_status status = sql_step(&row, statement);
    if (cl_is_ok(status) && row) {
        status = read(out, statement, arena);
        sql_finish(statement);
    }
    if (cl_is_ok(status)) {
        *found_out = row;
    }
    return status;
}
