/* WithdrawConsent: a person takes a consent back, whenever and wherever the case stands.
 *
 * Nothing that rests on it is told or asked from this transaction on: the record is what every push, reply and question
 * looks at. What was decided holds no longer, unless a contract is signed; a case that cannot go on without the consent
 * is decided anew and ends up waiting for a supplement. An ended case only stops sharing. */
#include <string.h>

#include "server/cases/consent.h"
#include "server/cases/convert.h"
#include "server/cases/events.h"
#include "server/cases/settle.h"

/* -- Which one ----------------------------------------------------------------------------------------------- */

static struct cl_status find(struct consent_row *out, struct case_tx *tx, const char *application_id,
                             const char *consent_id)
{
    size_t len = strlen(consent_id);
    if (len == 0 || len > CL_TEXT_BYTES_MAX) {
        return case_blame(tx, len == 0 ? CL_FIELD_MISSING : CL_FIELD_INVALID, "consent_id");
    }
    struct consent_rows rows;
    struct cl_status status = consents_list(&rows, tx->sql, tx->arena, application_id);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < rows.count; i++) {
        if (strcmp(rows.rows[i].consent_id, consent_id) == 0) {
            *out = rows.rows[i];
            return out->withdrawn_ms == 0 ? cl_ok() : case_blame(tx, CL_CONSENT_WITHDRAWN, "consent_id");
        }
    }
    return case_blame(tx, CL_CONSENT_UNKNOWN, "consent_id");
}

/* -- What follows -------------------------------------------------------------------------------------------- */

/* The bank that the consent names is told so; the one that lends, that the case moved. */
static struct cl_status tell(const struct case_file *file, struct case_tx *tx, const struct consent_row *consent,
                             bool moved)
{
    struct event_written written;
    bool names_lender = strcmp(consent->receiver, file->row.bank) == 0;
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    if (cl_party_kind(consent->receiver) == CL_PARTY_BANK) {
        event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_CONSENT_WITHDRAWN;
        convert_text(&event.consent_id, consent->consent_id);
        struct cl_status status = event_write_to(&written, tx, &file->row, consent->receiver, &event);
        if (cl_failed(status)) {
            return status;
        }
    }
    if (!moved || names_lender) {
        return cl_ok();
    }
    return event_write_status(tx, &file->row);
}

/* With the record written. Items that nobody may ask about any more are settled first, so that the case is not left
 * waiting for them. */
static struct cl_status move(struct case_file *file, struct case_tx *tx, const struct consent_row *consent,
                             const struct transition *row)
{
    bool reopens = lifecycle_track_of(row) == TRACK_FUND && row->to == (int)FUND_PENDING;
    struct case_events events;
    struct cl_status status = reopens ? settle_consents(file, tx, false) : cl_ok();
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_WITHDRAW_CONSENT);
    }
    if (cl_is_ok(status)) {
        status = tell(file, tx, consent, true);
    }
    if (cl_failed(status)) {
        return status;
    }
    return reopens ? settle_finish(file, tx) : file_save(file, tx);
}

/* Whether the case goes on as it is: the consents that are left are all it needs, its state does not change by it, or
 * its personal values were erased and there is nothing left to decide. */
static struct cl_status needs_move(const struct transition **row_out, struct case_file *file, struct case_tx *tx)
{
    struct case_input input = {.command = COMMAND_WITHDRAW_CONSENT};
    *row_out = NULL;
    struct cl_status status = file_load_facts(file, tx);
    if (cl_failed(status)) {
        return status.reason == CL_STATE_CONFLICT ? cl_ok() : status;
    }
    if (!consents_in_force(&file->application, tx->cases->centre->party, tx->now_ms)) {
        *row_out = lifecycle_row(&file->tracks, &input);
    }
    return cl_ok();
}

struct cl_status case_withdraw_consent(ProtobufCMessage **reply_out, struct case_tx *tx,
                                       const struct case_request *request)
{
    const Coloan__V1__ConsentWithdrawal *body = (const Coloan__V1__ConsentWithdrawal *)request->body;
    struct case_file *file = NULL;
    struct consent_row consent;
    const struct transition *row = NULL;
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_is_ok(status)) {
        status = find(&consent, tx, file->row.id, body->consent_id);
    }
    if (cl_is_ok(status)) {
        status = consents_withdraw(tx->tx, file->row.id, consent.consent_id, tx->now_ms, &request->opened->digest);
    }
    if (cl_is_ok(status)) {
        status = needs_move(&row, file, tx);
    }
    if (cl_is_ok(status)) {
        status = row == NULL ? tell(file, tx, &consent, false) : move(file, tx, &consent, row);
    }
    if (cl_failed(status)) {
        return status;
    }
    return file_reply(reply_out, file, tx);
}
