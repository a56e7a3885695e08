#include <inttypes.h>

#include "server/verify/rows.h"

static struct cl_status check_head(struct verify *verify, struct sql_statement *statement)
{
    int64_t head = sql_column_i64(statement, 1);
    if (sql_column_i64(statement, 2) != head || sql_column_i64(statement, 3) != head) {
        verify_fault(verify, "the outbox of %s has a gap, or another head than %" PRId64, sql_column_text(statement, 0),
                     head);
    }
    return cl_ok();
}

struct cl_status verify_outbox(struct verify *verify)
{
    static const char heads[] = "SELECT recipient, head,"
                                " (SELECT count(*) FROM outbox o WHERE o.recipient = h.recipient),"
                                " (SELECT coalesce(max(sequence), 0) FROM outbox o WHERE o.recipient = h.recipient)"
                                " FROM outbox_heads h";
    static const char all[] = "SELECT count(*) FROM outbox";
    static const char headless[] = "SELECT count(*) FROM outbox WHERE recipient NOT IN"
                                   " (SELECT recipient FROM outbox_heads)";
    int64_t events = 0;
    int64_t without_head = 0;
    struct cl_status status = verify_each(verify, heads, "outbox", check_head);
    if (cl_is_ok(status)) {
        status = sql_ask_number(&events, verify->options->sql, all);
    }
    if (cl_is_ok(status)) {
        status = sql_ask_number(&without_head, verify->options->sql, headless);
    }
    if (cl_is_ok(status) && (uint64_t)events != verify->report->events) {
        verify_fault(verify, "the outbox has %" PRId64 " events, the message log %" PRIu64, events,
                     verify->report->events);
    }
    if (cl_is_ok(status) && without_head != 0) {
        verify_fault(verify, "%" PRId64 " events are in an outbox without a head", without_head);
    }
    return status;
}
