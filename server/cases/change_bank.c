/* ChangeBank: the commercial part goes to another bank, as long as no contract is signed.
 *
 * What the authorities said and the persons gave stays; only what the bank itself reports is asked anew, and the fund
 * decides again, on the same facts, an offer that names the new bank. The epoch fences the old bank: whatever it still
 * sends is refused with STALE_EPOCH. */
#include <string.h>

#include "server/cases/consent.h"
#include "server/cases/convert.h"
#include "server/cases/events.h"
#include "server/cases/intake.h"
#include "server/cases/settle.h"
#include "server/store/messages.h"

/* -- Whether ------------------------------------------------------------------------------------------------- */

static struct cl_status check_bank(const struct case_file *file, struct case_tx *tx, const Coloan__V1__BankChange *body)
{
    struct cl_status status = intake_check_partner(tx, body->bank);
    if (cl_is_ok(status) && strcmp(body->bank, file->row.bank) == 0) {
        status = cl_fail(CL_BANK_UNCHANGED);
    }
    return cl_is_ok(status) ? status : case_blame(tx, status.reason, "bank");
}

static struct cl_status check_change(const struct case_file *file, struct case_tx *tx,
                                     const Coloan__V1__BankChange *body)
{
    struct case_input input = {.command = COMMAND_CHANGE_BANK};
    const struct rule_set *rules = NULL;
    struct cl_status status = file_rules(&rules, file);
    if (cl_failed(status)) {
        return status;
    }
    if (body->bank_epoch != file->row.bank_epoch) {
        return case_blame(tx, CL_STALE_EPOCH, "bank_epoch");
    }
    if (lifecycle_row(&file->tracks, &input) == NULL) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    if (file->row.bank_changes >= (uint32_t)rules->bank_changes_max) {
        return cl_fail(CL_BANK_CHANGES_USED);
    }
    return check_bank(file, tx, body);
}

/* -- The new bank's consents --------------------------------------------------------------------------------- */

static struct cl_status check_consents(const struct case_file *file, struct case_tx *tx,
                                       const Coloan__V1__BankChange *body)
{
    struct application *asked = cl_arena_alloc(tx->arena, sizeof *asked);
    if (asked == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *asked = file->application;
    asked->bank = body->bank;
    struct cl_status status = convert_consents(asked, &tx->effect->field, body->consents, body->n_consents);
    if (cl_failed(status)) {
        return status;
    }
    struct intake intake = {.centre = tx->cases->centre->party, .now_ms = tx->now_ms};
    return bank_consents_check(&tx->effect->field, asked, &intake);
}

static struct cl_status take_consents(const struct case_file *file, struct case_tx *tx,
                                      const Coloan__V1__BankChange *body)
{
    const ProtobufCMessage *submission = NULL;
    struct cl_status status = check_consents(file, tx, body);
    if (cl_is_ok(status)) {
        status = file_kept_body(&submission, tx, &file->row.submission, &coloan__v1__application__descriptor);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct consents_given given = {
        .application = (const Coloan__V1__Application *)submission, .list = body->consents, .count = body->n_consents};
    return consent_take(tx, file->row.id, &given);
}

/* -- The change ---------------------------------------------------------------------------------------------- */

/* The bank that was sees that it has to stop, and no more of the case. */
static struct cl_status release(const struct case_file *file, struct case_tx *tx, const char *old_bank)
{
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    struct event_written written;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED;
    return event_write_to(&written, tx, &file->row, old_bank, &event);
}

static struct cl_status tell_new_bank(const struct case_file *file, struct case_tx *tx)
{
    bool found = false;
    struct message_row submission;
    struct cl_status status = messages_get(&found, &submission, tx->sql, tx->arena, &file->row.submission);
    if (cl_failed(status) || !found) {
        return cl_failed(status) ? status : cl_fail(CL_INTERNAL);
    }
    return intake_tell_bank(file, tx, submission.envelope);
}

static struct cl_status reopen(struct case_file *file, struct case_tx *tx)
{
    struct cl_status status = settle_consents(file, tx, true);
    if (cl_is_ok(status)) {
        status = settle_reopen_banks(file, tx);
    }
    if (cl_is_ok(status)) {
        status = settle_refresh(file, tx);
    }
    return cl_is_ok(status) ? file_set_reasons(file, tx, NULL, 0) : status;
}

static struct cl_status change(struct case_file *file, struct case_tx *tx, const Coloan__V1__BankChange *body)
{
    const char *old_bank = file->row.bank;
    file->row.bank = body->bank;
    file->row.bank_epoch++;
    file->row.bank_changes++;
    file->application.bank = body->bank;
    struct cl_status status = applications_add_lender(tx->tx, &file->row, tx->now_ms);
    if (cl_is_ok(status)) {
        status = applications_update(tx->tx, &file->row); /* the consents of the new bank are looked up by it */
    }
    if (cl_is_ok(status)) {
        status = reopen(file, tx);
    }
    struct case_events events;
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_CHANGE_BANK);
    }
    if (cl_is_ok(status)) {
        status = release(file, tx, old_bank);
    }
    if (cl_is_ok(status)) {
        status = tell_new_bank(file, tx);
    }
    return cl_is_ok(status) ? settle_go_on(file, tx) : status;
}

struct cl_status case_change_bank(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__BankChange *body = (const Coloan__V1__BankChange *)request->body;
    struct case_file *file = NULL;
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_is_ok(status)) {
        status = check_change(file, tx, body);
    }
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        status = take_consents(file, tx, body);
    }
    if (cl_is_ok(status)) {
        status = change(file, tx, body);
    }
    return cl_is_ok(status) ? file_reply(reply_out, file, tx) : status;
}
