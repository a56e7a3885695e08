#include "server/cases/intake.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/keyring.h"
#include "server/cases/consent.h"
#include "server/cases/convert.h"
#include "server/cases/events.h"

struct cl_status intake_check_partner(const struct case_tx *tx, const char *bank)
{
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

/* A bank lends itself; a channel names a partner. */
static struct cl_status check_bank(const struct case_tx *tx, const struct case_request *request, const char *bank)
{
    if (request->sender_kind == CL_PARTY_BANK) {
        return strcmp(bank, request->sender) == 0 ? cl_ok() : cl_fail(CL_BANK_UNKNOWN);
    }
    return intake_check_partner(tx, bank);
}

struct cl_status intake_read(struct application *out, struct case_tx *tx, const struct case_request *request)
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

/* One person, one open case: whatever role and whichever bank. */
struct cl_status intake_claim_persons(const struct case_file *file, struct case_tx *tx)
{
    struct cl_status status = applications_release_persons(tx->tx, file->row.id);
    for (size_t i = 0; cl_is_ok(status) && i < file->application.person_count; i++) {
        uint8_t blind[VAULT_BLIND_BYTES];
        _Static_assert(VAULT_BLIND_BYTES == PERSON_INDEX_BYTES, "an index is a blind index");
        vault_blind(blind, tx->cases->vault, VAULT_ID_NUMBER, cl_bytes_text(file->application.persons[i].id_number));
        status = applications_claim_person(tx->tx, blind, file->row.id);
        if (cl_failed(status)) {
            return case_blame(tx, status.reason, "persons[%zu].id_number", i);
        }
    }
    return status;
}

struct cl_status intake_keep_personal(const struct case_file *file, struct case_tx *tx,
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
    return vault_replace(tx->tx, tx->cases->vault, file->row.id, values, count);
}

struct cl_status intake_keep_consents(const struct case_file *file, struct case_tx *tx,
                                      const struct case_request *request, const bool *replaced)
{
    const Coloan__V1__Application *body = (const Coloan__V1__Application *)request->body;
    struct consents_given given = {
        .application = body, .list = body->consents, .count = body->n_consents, .whole = true};
    for (size_t i = 0; replaced != NULL && i < CL_PERSONS_MAX; i++) {
        given.replaced[i] = replaced[i];
    }
    return consent_take(tx, file->row.id, &given);
}

struct cl_status intake_tell_bank(const struct case_file *file, struct case_tx *tx, struct cl_bytes envelope)
{
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION;
    convert_bytes(&event.application_envelope, envelope);
    struct event_written written;
    return event_write(&written, tx, &file->row, &event);
}
