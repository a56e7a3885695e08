/* SubmitApplication: one intake for both lenders. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/keyring.h"
#include "libcoloan/personal.h"
#include "server/cases/consent.h"
#include "server/cases/convert.h"
#include "server/cases/events.h"
#include "server/cases/settle.h"

/* A bank lends itself; a channel names a partner: a party of the directory that can sign. */
static struct cl_status check_bank(const struct case_tx *tx, const struct case_request *request, const char *bank)
{
    if (request->sender_kind == CL_PARTY_BANK) {
        return strcmp(bank, request->sender) == 0 ? cl_ok() : cl_fail(CL_BANK_UNKNOWN);
    }
    if (cl_party_kind(bank) != CL_PARTY_BANK) {
        return cl_fail(CL_BANK_UNKNOWN);
    }
    const struct centre *centre = tx->cases->centre;
    struct cl_keyring *keyring = cl_keyring_slot_take(centre->keyrings);
    const struct cl_key *keys = NULL;
    size_t count =
        cl_keyring_candidates(keyring, centre->environment, bank, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, &keys);
    cl_keyring_unref(keyring);
    return count > 0 ? cl_ok() : cl_fail(CL_BANK_UNKNOWN);
}

static struct cl_status check(struct application *out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__Application *body = (const Coloan__V1__Application *)request->body;
    struct field_path *field = &tx->effect->field;
    struct cl_status status = convert_application(out, field, body);
    if (cl_failed(status)) {
        return status;
    }
    status = convert_personal(out, tx->arena, request->opened->disclosures, request->opened->disclosure_count);
    if (cl_failed(status)) {
        return status;
    }
    status = check_bank(tx, request, out->bank);
    if (cl_failed(status)) {
        return case_blame(tx, status.reason, "bank");
    }
    out->items_unused = tx->cases->centre->items_unused;
    struct intake intake = {
        .centre = tx->cases->centre->party,
        .now_ms = tx->now_ms,
        .accept_synthetic_ids = tx->cases->centre->accept_synthetic_ids,
    };
    return intake_check(field, out, &intake);
}

static struct cl_status insert(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    const struct rule_set *rules = cases_rules(tx->cases, tx->now_ms);
    if (rules == NULL) {
        return cl_fail(CL_INTERNAL); /* no set in force: coloand warns long before the last one ends */
    }
    file->row = (struct application_row){
        .id = request->application_id,
        .external_ref = file->application.external_ref,
        .sender = request->sender,
        .bank = file->application.bank,
        .bank_epoch = 1,
        .submission = request->opened->digest,
        .submitted_ms = tx->now_ms,
        .rule_set = rules->id,
        .clock_from_ms = tx->now_ms,
    };
    file_derive(file, tx->now_ms);
    return applications_insert(tx->tx, &file->row);
}

/* One person, one open case: whatever role and whichever bank. */
static struct cl_status claim_persons(const struct case_file *file, struct case_tx *tx)
{
    for (size_t i = 0; i < file->application.person_count; i++) {
        uint8_t blind[VAULT_BLIND_BYTES];
        _Static_assert(VAULT_BLIND_BYTES == PERSON_INDEX_BYTES, "an index is a blind index");
        vault_blind(blind, tx->cases->vault, VAULT_ID_NUMBER, cl_bytes_text(file->application.persons[i].id_number));
        struct cl_status status = applications_claim_person(tx->tx, blind, file->row.id);
        if (cl_failed(status)) {
            return case_blame(tx, status.reason, "persons[%zu].id_number", i);
        }
    }
    return cl_ok();
}

static struct cl_status keep_personal(const struct case_file *file, struct case_tx *tx,
                                      const struct case_request *request)
{
    size_t count = request->opened->disclosure_count;
    struct vault_value *values = cl_arena_array(tx->arena, count, sizeof *values);
    if (values == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < count; i++) {
        const Coloan__V1__Disclosure *disclosure = request->opened->disclosures[i];
        assert(disclosure->salt.len == sizeof values[i].salt); /* as the check of disclosures saw to */
        values[i].path = disclosure->path;
        memcpy(values[i].salt, disclosure->salt.data, sizeof values[i].salt);
        values[i].value = cl_bytes(disclosure->value.data, disclosure->value.len);
    }
    return vault_put(tx->tx, tx->cases->vault, file->row.id, values, count);
}

static struct cl_status keep_consents(const struct case_file *file, struct case_tx *tx,
                                      const struct case_request *request)
{
    const Coloan__V1__Application *body = (const Coloan__V1__Application *)request->body;
    struct consents_given given = {
        .application = body, .list = body->consents, .count = body->n_consents, .whole = true};
    return consent_take(tx, file->row.id, &given);
}

static struct cl_status tell_bank(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    struct cl_bytes stored;
    struct cl_status status = cl_opened_stored(&stored, tx->arena, request->opened);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION;
    convert_bytes(&event.application_envelope, stored);
    struct event_written written;
    return event_write(&written, tx, &file->row, &event);
}

static struct cl_status receipt(ProtobufCMessage **reply_out, const struct case_file *file, struct case_tx *tx)
{
    Coloan__V1__ApplicationReceipt *reply = cl_arena_alloc(tx->arena, sizeof *reply);
    if (reply == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__application_receipt__init(reply);
    struct cl_status status = file_status(&reply->status, tx->arena, &file->row);
    if (cl_failed(status)) {
        return status;
    }
    reply->application_id = reply->status->application_id;
    reply->accepted_ms = tx->now_ms;
    *reply_out = &reply->base;
    return cl_ok();
}

static struct cl_status open_case(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    struct cl_status status = insert(file, tx, request);
    if (cl_is_ok(status)) {
        status = claim_persons(file, tx);
    }
    if (cl_is_ok(status)) {
        status = keep_personal(file, tx, request);
    }
    if (cl_is_ok(status)) {
        status = keep_consents(file, tx, request);
    }
    if (cl_is_ok(status)) {
        status = settle_open(file, tx, PHASE_DECISION);
    }
    struct case_events events;
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_SUBMIT);
    }
    if (cl_is_ok(status)) {
        assert(events.count == 1 && events.list[0] == EVENT_APPLICATION);
        status = file_save(file, tx);
    }
    return status;
}

struct cl_status case_submit(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    struct case_file *file = cl_arena_alloc(tx->arena, sizeof *file);
    if (file == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = check(&file->application, tx, request);
    if (cl_failed(status)) {
        return status;
    }
    status = open_case(file, tx, request);
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    status = tell_bank(file, tx, request);
    if (cl_failed(status)) {
        return status;
    }
    status = settle_ask(file, tx);
    if (cl_failed(status)) {
        return status;
    }
    return receipt(reply_out, file, tx);
}
