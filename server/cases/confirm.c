/* ConfirmOffer: the borrower accepts terms that both lenders have signed. From here on the contracts may be signed. */
#include "server/cases/events.h"
#include "server/cases/offered.h"

static struct cl_status check(const struct case_file *file, struct case_tx *tx,
                              const Coloan__V1__OfferConfirmation *body)
{
    struct offer_row offer;
    if (body->document_sha256.len != CL_DIGEST_BYTES) {
        enum cl_reason reason = body->document_sha256.len == 0 ? CL_FIELD_MISSING : CL_FIELD_INVALID;
        return case_blame(tx, reason, "document_sha256");
    }
    if (file->row.state != CASE_APPROVED) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    return offered_find(&offer, tx, file, body->offer_version, body->terms_digest);
}

struct cl_status case_confirm_offer(ProtobufCMessage **reply_out, struct case_tx *tx,
                                    const struct case_request *request)
{
    struct case_file *file = NULL;
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_is_ok(status)) {
        status = check(file, tx, (const Coloan__V1__OfferConfirmation *)request->body);
    }
    struct case_events events;
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_CONFIRM);
    }
    if (cl_is_ok(status)) {
        status = event_write_status(tx, &file->row);
    }
    if (cl_is_ok(status)) {
        status = file_save(file, tx);
    }
    return cl_is_ok(status) ? file_reply(reply_out, file, tx) : status;
}
