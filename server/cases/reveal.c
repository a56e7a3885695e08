/* Personal values for the centre's officers, beside a stored reply.
 *
 * An officer is the centre's hand: what a person let the centre verify, he may see, as long as that consent is in force.
 * What is stored has none of them; which ones go is found anew each time the reply is sent. */
#include <assert.h>
#include <coloan/v1/review.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/personal.h"
#include "libcoloan/wirescan.h"
#include "server/cases/cases.h"
#include "server/cases/consent.h"
#include "server/cases/convert.h"

/* What is asked for, and of whom. */
struct revealing {
    struct sql *sql;
    const struct cases *cases;
    const char *application_id;
    const ProtobufCMessage *submission; /* whose commitments count */
    bool id_numbers_only;
    int64_t now_ms;
};

/* -- Which values -------------------------------------------------------------------------------------------- */

/* The person lets the centre verify; `application` has the consents in force. */
static bool consented(const struct application *application, const char *centre, unsigned person)
{
    for (size_t i = 0; i < application->consent_count; i++) {
        const struct consent *consent = &application->consents[i];
        if (consent->person == person && consent->purpose == CONSENT_VERIFY && strcmp(consent->receiver, centre) == 0) {
            return true;
        }
    }
    return false;
}

/* Whose consent a path needs: "persons[2].name" that of person 2, the home's address the borrower's. */
static unsigned owner_of(const char *path)
{
    unsigned person = 0;
    return sscanf(path, "persons[%u]", &person) == 1 ? person : 0;
}

static bool is_id_number(const char *path)
{
    static const char end[] = ".id_number";
    size_t len = strlen(path);
    return len >= sizeof end && strcmp(path + len - (sizeof end - 1), end) == 0;
}

/* A supplement gives new values and salts; an older application commits to others, which are gone. */
static bool committed(const struct cl_personal_field *fields, size_t count, const struct vault_value *value)
{
    struct cl_digest commitment;
    cl_commitment(&commitment, value->path, cl_bytes(value->salt, sizeof value->salt), value->value);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].path, value->path) == 0) {
            return cl_digest_equal(&fields[i].commitment, &commitment);
        }
    }
    return false;
}

static struct cl_status reveal(struct case_disclosures *out, struct cl_arena *arena, const struct revealing *revealing)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    size_t field_count = 0;
    struct vault_values values;
    struct application *application = cl_arena_alloc(arena, sizeof *application);
    if (application == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status =
        consent_load(application, revealing->sql, arena, revealing->application_id, revealing->now_ms);
    if (cl_is_ok(status)) {
        status = vault_list(&values, revealing->sql, revealing->cases->vault, arena, revealing->application_id);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct case_disclosures told = {.list = cl_arena_array(arena, values.count + 1, sizeof *told.list)};
    Coloan__V1__Disclosure *rows = cl_arena_array(arena, values.count + 1, sizeof *rows);
    if (told.list == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (cl_failed(cl_personal_fields(fields, &field_count, revealing->submission))) {
        return cl_fail(CL_INTERNAL); /* it was checked when it was taken in */
    }
    for (size_t i = 0; i < values.count; i++) {
        struct vault_value *value = &values.values[i];
        bool wanted = !revealing->id_numbers_only || is_id_number(value->path);
        if (!wanted || !consented(application, revealing->cases->centre->party, owner_of(value->path)) ||
            !committed(fields, field_count, value)) {
            continue;
        }
        convert_disclosure(&rows[told.count], value);
        told.list[told.count] = &rows[told.count];
        told.count++;
    }
    *out = told;
    return cl_ok();
}

/* -- Of which reply ------------------------------------------------------------------------------------------ */

static struct cl_status read_record(struct revealing *out, struct cl_arena *arena,
                                    const Coloan__V1__DecisionRecord *record)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_unpack(&message, arena, &coloan__v1__application__descriptor,
                                        cl_bytes(record->application.data, record->application.len));
    if (cl_failed(status)) {
        return status.reason == CL_MEMORY_LIMIT ? status : cl_fail(CL_INTERNAL);
    }
    out->application_id = record->application_id;
    out->submission = message;
    out->id_numbers_only = true; /* all that the rules take of a person */
    return cl_ok();
}

static struct cl_status read_view(struct revealing *out, struct cl_arena *arena, const Coloan__V1__TaskView *view)
{
    ProtobufCMessage *message = NULL;
    struct cl_bytes envelope = cl_bytes(view->submission_envelope.data, view->submission_envelope.len);
    struct cl_status status = convert_kept_body(&message, arena, envelope, &coloan__v1__application__descriptor);
    if (cl_failed(status)) {
        return status;
    }
    out->application_id = view->status->application_id;
    out->submission = message;
    return cl_ok();
}

/* An event that a bank fetched has with it what it would have on a stream. */
static struct cl_status reveal_event(struct case_disclosures *out, struct cl_arena *arena,
                                     const struct revealing *revealing, const Coloan__V1__EventView *view)
{
    *out = (struct case_disclosures){NULL, 0};
    struct cl_digest digest;
    if (view->event->envelope.len == 0 || view->event->digest.len != sizeof digest.bytes ||
        view->event->kind != COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION) {
        return cl_ok(); /* an officer's, or one without values */
    }
    memcpy(digest.bytes, view->event->digest.data, sizeof digest.bytes);
    struct case_outgoing event = {.recipient = view->recipient,
                                  .application_id = view->event->application_id,
                                  .digest = &digest,
                                  .envelope = cl_bytes(view->event->envelope.data, view->event->envelope.len)};
    return case_event_disclosures(out, arena, revealing->sql, revealing->cases, &event, revealing->now_ms);
}

struct cl_status case_reply_disclosures(struct case_disclosures *out, struct cl_arena *arena, struct sql *sql,
                                        const struct cases *cases, struct cl_bytes reply_envelope,
                                        const ProtobufCMessageDescriptor *type, int64_t now_ms)
{
    struct revealing revealing = {.sql = sql, .cases = cases, .now_ms = now_ms};
    ProtobufCMessage *message = NULL;
    bool is_record = type == &coloan__v1__decision_record__descriptor;
    bool is_event = type == &coloan__v1__event_view__descriptor;
    assert(is_record || is_event || type == &coloan__v1__task_view__descriptor); /* what comes with personal values */
    struct cl_status status = convert_kept_body(&message, arena, reply_envelope, type);
    if (cl_is_ok(status) && is_event) {
        return reveal_event(out, arena, &revealing, (const Coloan__V1__EventView *)message);
    }
    if (cl_is_ok(status)) {
        status = is_record ? read_record(&revealing, arena, (const Coloan__V1__DecisionRecord *)message)
                           : read_view(&revealing, arena, (const Coloan__V1__TaskView *)message);
    }
    return cl_is_ok(status) ? reveal(out, arena, &revealing) : status;
}

/* -- Sending ------------------------------------------------------------------------------------------------- */

/* They are the envelope's last field, so its bytes go before theirs. */
struct cl_status case_with_disclosures(struct cl_bytes *out, struct cl_arena *arena, struct cl_bytes envelope,
                                       const struct case_disclosures *disclosures)
{
    Coloan__V1__Envelope tail = COLOAN__V1__ENVELOPE__INIT;
    tail.disclosures = disclosures->list;
    tail.n_disclosures = disclosures->count;
    size_t tail_len = coloan__v1__envelope__get_packed_size(&tail);
    uint8_t *bytes = cl_arena_alloc(arena, envelope.len + tail_len);
    if (bytes == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    memcpy(bytes, envelope.data, envelope.len);
    (void)coloan__v1__envelope__pack(&tail, bytes + envelope.len);
    *out = cl_bytes(bytes, envelope.len + tail_len);
    return cl_ok();
}
