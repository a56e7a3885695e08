#include <coloan/v1/envelope.pb-c.h>
#include <inttypes.h>
#include <string.h>

#include "libcoloan/sha256.h"
#include "server/verify/rows.h"

static struct cl_status check_decision(struct verify *verify, struct sql_statement *statement)
{
    struct cl_digest digest;
    const char *application_id = sql_column_text(statement, 0);
    const Coloan__V1__SignedHeader *header =
        sql_column_is_null(statement, 1) ? NULL
                                         : verify_header(&digest, verify, sql_copy_bytes(verify->arena, statement, 1));
    verify->report->decisions++;
    if (header == NULL || header->direction != COLOAN__V1__DIRECTION__DIRECTION_EVENT ||
        strcmp(header->application_id, application_id) != 0) {
        verify_fault(verify, "the joint decision on %s has no event of its own", application_id);
    }
    return cl_ok();
}

static struct cl_status check_trace(struct verify *verify, struct sql_statement *statement)
{
    struct cl_digest kept;
    struct cl_digest digest;
    cl_sha256(&digest, sql_column_bytes(statement, 2));
    verify->report->traces++;
    if (!sql_column_digest(&kept, statement, 1) || !cl_digest_equal(&kept, &digest)) {
        verify_fault(verify, "a trace of %s has another digest", sql_column_text(statement, 0));
    }
    return cl_ok();
}

struct cl_status verify_decisions(struct verify *verify)
{
    static const char decisions[] = "SELECT d.application_id, m.envelope FROM decisions d"
                                    " LEFT JOIN messages m ON m.digest = d.event";
    static const char traces[] = "SELECT application_id, digest, trace FROM traces";
    static const char tally[] = "SELECT count(*) FROM case_states c"
                                " WHERE c.cases <> (SELECT count(*) FROM applications a WHERE a.state = c.state)";
    int64_t wrong = 0;
    struct cl_status status = verify_each(verify, decisions, "decisions", check_decision);
    if (cl_is_ok(status)) {
        status = verify_each(verify, traces, "traces", check_trace);
    }
    if (cl_is_ok(status)) {
        status = sql_ask_number(&wrong, verify->options->sql, tally);
    }
    if (cl_is_ok(status) && wrong != 0) {
        verify_fault(verify, "the tally of %" PRId64 " states is not what the applications say", wrong);
    }
    return status;
}
