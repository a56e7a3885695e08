#include "server/cases/consent.h"

#include <assert.h>
#include <string.h>

#include "server/cases/convert.h"

/* -- Records ------------------------------------------------------------------------------------------------- */

static const struct consent_row *find(const struct consent_rows *rows, const char *consent_id)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (strcmp(rows->rows[i].consent_id, consent_id) == 0) {
            return &rows->rows[i];
        }
    }
    return NULL;
}

static void digest_in(struct cl_digest *out, ProtobufCBinaryData data)
{
    assert(data.len == sizeof out->bytes); /* as the check of the application, or of its commitments, saw to */
    memcpy(out->bytes, data.data, sizeof out->bytes);
}

static bool same(const struct consent_row *row, const Coloan__V1__Consent *consent)
{
    struct cl_digest document;
    digest_in(&document, consent->document_sha256);
    return row->person == consent->person && row->purpose == (int)consent->purpose &&
           row->until_ms == consent->until_ms && strcmp(row->receiver, consent->receiver) == 0 &&
           cl_digest_equal(&row->document, &document);
}

static struct cl_status add(struct case_tx *tx, const char *application_id, const struct consents_given *given,
                            const Coloan__V1__Consent *consent)
{
    assert(consent->person < given->application->n_persons);
    struct consent_row row = {
        .application_id = application_id,
        .consent_id = consent->consent_id,
        .person = consent->person,
        .purpose = (int)consent->purpose,
        .receiver = consent->receiver,
        .until_ms = consent->until_ms,
        .given_ms = tx->now_ms,
        .given_by = *tx->message,
    };
    digest_in(&row.document, consent->document_sha256);
    digest_in(&row.subject, given->application->persons[consent->person]->id_number);
    return consents_add(tx->tx, &row);
}

/* One that is on record may be named again as it is, by the person who gave it, while it holds. */
static struct cl_status check_again(const struct consent_row *row, const struct consents_given *given,
                                    const Coloan__V1__Consent *consent)
{
    if (!same(row, consent) || given->replaced[consent->person]) {
        return cl_fail(CL_CONSENT_INVALID);
    }
    return row->withdrawn_ms == 0 ? cl_ok() : cl_fail(CL_CONSENT_WITHDRAWN);
}

/* How many hold, of those on record; for a message that names them all, of those it names again. */
static size_t count_holding(const struct consent_rows *kept, const struct consents_given *given)
{
    size_t count = 0;
    for (size_t i = 0; i < kept->count; i++) {
        count += kept->rows[i].withdrawn_ms == 0 && !given->whole ? 1 : 0;
    }
    return count;
}

static struct cl_status take_one(struct case_tx *tx, const char *application_id, const struct consents_given *given,
                                 const struct consent_rows *kept, size_t index)
{
    const Coloan__V1__Consent *consent = given->list[index];
    const struct consent_row *row = find(kept, consent->consent_id);
    struct cl_status status = row == NULL ? add(tx, application_id, given, consent) : check_again(row, given, consent);
    if (status.reason == CL_CONSENT_INVALID || status.reason == CL_CONSENT_WITHDRAWN) {
        return case_blame(tx, status.reason, "consents[%zu].consent_id", index);
    }
    return status;
}

static bool is_given(const struct consents_given *given, const char *consent_id)
{
    for (size_t i = 0; i < given->count; i++) {
        if (strcmp(given->list[i]->consent_id, consent_id) == 0) {
            return true;
        }
    }
    return false;
}

struct cl_status consent_take(struct case_tx *tx, const char *application_id, const struct consents_given *given)
{
    struct consent_rows kept;
    struct cl_status status = consents_list(&kept, tx->sql, tx->arena, application_id);
    if (cl_failed(status)) {
        return status;
    }
    if (count_holding(&kept, given) + given->count > CL_CONSENTS_MAX || kept.count + given->count > CONSENTS_KEPT_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "consents");
    }
    for (size_t i = 0; cl_is_ok(status) && i < given->count; i++) {
        status = take_one(tx, application_id, given, &kept, i);
    }
    for (size_t i = 0; cl_is_ok(status) && given->whole && i < kept.count; i++) {
        const struct consent_row *row = &kept.rows[i];
        if (row->withdrawn_ms == 0 && !is_given(given, row->consent_id)) {
            status = consents_withdraw(tx->tx, application_id, row->consent_id, tx->now_ms, tx->message);
        }
    }
    return status;
}

struct cl_status consent_load(struct application *application, struct sql *sql, struct cl_arena *arena,
                              const char *application_id, int64_t now_ms)
{
    struct consent_rows rows;
    struct cl_status status = consents_list(&rows, sql, arena, application_id);
    if (cl_failed(status)) {
        return status;
    }
    application->consent_count = 0;
    for (size_t i = 0; i < rows.count; i++) {
        const struct consent_row *row = &rows.rows[i];
        if (row->withdrawn_ms != 0 || now_ms >= row->until_ms) {
            continue;
        }
        if (application->consent_count == CL_CONSENTS_MAX) {
            return cl_fail(CL_INTERNAL); /* consent_take lets no more in */
        }
        application->consents[application->consent_count++] = (struct consent){
            .consent_id = row->consent_id,
            .person = row->person,
            .purpose = (enum consent_purpose)row->purpose,
            .receiver = row->receiver,
            .until_ms = row->until_ms,
            .document_sha256 = cl_bytes(row->document.bytes, sizeof row->document.bytes),
        };
    }
    return cl_ok();
}

/* -- Items --------------------------------------------------------------------------------------------------- */

static const struct consent *given_by(const struct application *application, unsigned person,
                                      enum consent_purpose purpose, const char *receiver)
{
    for (size_t i = 0; i < application->consent_count; i++) {
        const struct consent *consent = &application->consents[i];
        if (consent->person == person && consent->purpose == purpose && strcmp(consent->receiver, receiver) == 0) {
            return consent;
        }
    }
    return NULL;
}

bool consent_allows(const struct application *application, const char *centre, enum item item, unsigned person)
{
    const struct catalogue_row *row = catalogue_row(item);
    bool credit = item == ITEM_CREDIT_FUND || item == ITEM_CREDIT_BANK;
    if (row->owner == OWNER_LOCAL || (row->owner == OWNER_BANK && !credit)) {
        return true;
    }
    enum consent_purpose purpose = credit ? CONSENT_CREDIT_REPORT : CONSENT_VERIFY;
    const char *receiver = row->owner == OWNER_BANK ? application->bank : centre;
    for (unsigned i = 0; i < application->person_count; i++) {
        bool concerned = !row->per_person || i == person;
        if (concerned && given_by(application, i, purpose, receiver) == NULL) {
            return false;
        }
    }
    return true;
}

/* -- Sharing ------------------------------------------------------------------------------------------------- */

void consent_sharing(struct consent_sharing *out, const struct application *application, const char *receiver)
{
    *out = (struct consent_sharing){.of_all = application->person_count > 0};
    for (unsigned i = 0; i < application->person_count; i++) {
        const struct consent *consent = given_by(application, i, CONSENT_SHARE, receiver);
        out->of_person[i] = consent == NULL ? NULL : consent->consent_id;
        out->of_all = out->of_all && consent != NULL;
    }
}

size_t consent_sharing_ids(const char **out, const struct consent_sharing *sharing)
{
    size_t count = 0;
    for (unsigned i = 0; i < CL_PERSONS_MAX; i++) {
        if (sharing->of_person[i] != NULL) {
            out[count++] = sharing->of_person[i];
        }
    }
    return count;
}

struct cl_status consent_note(struct case_tx *tx, const char *application_id, const char *recipient,
                              const struct cl_digest *message, const char *const *ids, size_t count)
{
    if (count == 0) {
        return cl_ok();
    }
    struct disclosure_row row = {
        .application_id = application_id,
        .message = *message,
        .recipient = recipient,
        .consents = ids,
        .consent_count = count,
        .at_ms = tx->now_ms,
    };
    return disclosures_add(tx->tx, tx->arena, &row);
}

struct cl_status consent_note_event(struct case_tx *tx, const char *application_id, const char *recipient,
                                    const struct cl_digest *event)
{
    const char *ids[CL_CONSENTS_MAX];
    size_t count = 0;
    struct application *application = cl_arena_alloc(tx->arena, sizeof *application);
    if (application == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = consent_load(application, tx->sql, tx->arena, application_id, tx->now_ms);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < application->consent_count; i++) {
        const struct consent *consent = &application->consents[i];
        if (consent->purpose == CONSENT_SHARE && strcmp(consent->receiver, recipient) == 0) {
            ids[count++] = consent->consent_id;
        }
    }
    return consent_note(tx, application_id, recipient, event, ids, count);
}
