/* WithdrawApplication: the borrower gives up, as long as no contract is signed. The quota and the persons are free at
 * once; what was said and decided stays in the log. */
#include <string.h>

#include "server/cases/events.h"
#include "server/cases/file.h"

struct cl_status case_withdraw(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__Withdrawal *body = (const Coloan__V1__Withdrawal *)request->body;
    struct case_file *file = NULL;
    if (strlen(body->reason) > CL_TEXT_BYTES_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "reason");
    }
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_is_ok(status)) {
        status = file_set_reasons(file, tx, NULL, 0);
    }
    struct case_events events;
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_WITHDRAW);
    }
    if (cl_is_ok(status)) {
        status = event_write_status(tx, &file->row);
    }
    if (cl_is_ok(status)) {
        status = file_save(file, tx);
    }
    return cl_is_ok(status) ? file_reply(reply_out, file, tx) : status;
}
