/* Personal values leave the vault only here, and only for whom a consent names.
 *
 * An event with values is written with a disclosure: the consents that were in force then. It is the most that the
 * event will ever carry. What it carries is found anew each time it is sent, since an event may wait for long or be
 * sent again: of those consents the ones that still hold, to the bank that still lends, and of the values those that
 * the submission in the event commits to - a supplement brings new ones, which go with an event of its own. */
#include <stdio.h>
#include <string.h>

#include "libcoloan/personal.h"
#include "server/cases/consent.h"
#include "server/cases/convert.h"
#include "server/store/outbox.h"

/* Whose consent a path needs: "persons[2].name" that of person 2, the home's address the borrower's. */
static unsigned owner_of(const char *path)
{
    unsigned person = 0;
    return sscanf(path, "persons[%u]", &person) == 1 ? person : 0;
}

/* -- Which consents ------------------------------------------------------------------------------------------ */

static bool is_among(const struct disclosure_row *disclosure, const char *consent_id)
{
    for (size_t i = 0; i < disclosure->consent_count; i++) {
        if (strcmp(disclosure->consents[i], consent_id) == 0) {
            return true;
        }
    }
    return false;
}

/* What still holds of what the event was written with. */
static struct cl_status sharing_now(struct consent_sharing *out, struct cl_arena *arena, struct sql *sql,
                                    const struct disclosure_row *disclosure, int64_t now_ms)
{
    *out = (struct consent_sharing){.of_all = false};
    struct application_row row;
    struct application *application = cl_arena_alloc(arena, sizeof *application);
    if (application == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = applications_get(&row, sql, arena, disclosure->application_id);
    if (cl_failed(status) || strcmp(row.bank, disclosure->recipient) != 0) {
        return status;
    }
    status = consent_load(application, sql, arena, disclosure->application_id, now_ms);
    if (cl_failed(status)) {
        return status;
    }
    size_t kept = 0;
    for (size_t i = 0; i < application->consent_count; i++) {
        if (is_among(disclosure, application->consents[i].consent_id)) {
            application->consents[kept++] = application->consents[i];
        }
    }
    application->consent_count = kept;
    application->person_count = CL_PERSONS_MAX;
    consent_sharing(out, application, disclosure->recipient);
    return cl_ok();
}

/* -- Which values -------------------------------------------------------------------------------------------- */

struct submission {
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    size_t field_count;
};

static bool committed(const struct submission *submission, const struct vault_value *value)
{
    struct cl_digest commitment;
    cl_commitment(&commitment, value->path, cl_bytes(value->salt, sizeof value->salt), value->value);
    for (size_t i = 0; i < submission->field_count; i++) {
        if (strcmp(submission->fields[i].path, value->path) == 0) {
            return cl_digest_equal(&submission->fields[i].commitment, &commitment);
        }
    }
    return false;
}

static struct cl_status disclose(struct case_disclosures *out, struct cl_arena *arena,
                                 const struct vault_values *values, const struct submission *submission,
                                 const struct consent_sharing *sharing)
{
    struct case_disclosures told = {.list = cl_arena_array(arena, values->count + 1, sizeof *told.list)};
    Coloan__V1__Disclosure *rows = cl_arena_array(arena, values->count + 1, sizeof *rows);
    if (told.list == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < values->count; i++) {
        unsigned owner = owner_of(values->values[i].path);
        bool shared = owner < CL_PERSONS_MAX && sharing->of_person[owner] != NULL;
        if (!shared || !committed(submission, &values->values[i])) {
            continue;
        }
        convert_disclosure(&rows[told.count], &values->values[i]);
        told.list[told.count] = &rows[told.count];
        told.count++;
    }
    *out = told;
    return cl_ok();
}

static struct cl_status read_submission(struct submission *out, struct cl_arena *arena, const Coloan__V1__Event *event)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status =
        convert_kept_body(&message, arena, cl_bytes(event->application_envelope.data, event->application_envelope.len),
                          &coloan__v1__application__descriptor);
    if (cl_is_ok(status)) {
        status = cl_personal_fields(out->fields, &out->field_count, message);
    }
    return status;
}

/* -- The event ----------------------------------------------------------------------------------------------- */

struct cl_status case_event_disclosures(struct case_disclosures *out, struct cl_arena *arena, struct sql *sql,
                                        const struct cases *cases, const struct case_outgoing *event, int64_t now_ms)
{
    *out = (struct case_disclosures){NULL, 0};
    bool found = false;
    struct disclosure_row disclosure;
    struct cl_status status = disclosures_get(&found, &disclosure, sql, arena, event->application_id, event->digest);
    if (cl_failed(status) || !found || strcmp(disclosure.recipient, event->recipient) != 0) {
        return status;
    }
    struct consent_sharing sharing;
    const char *ids[CL_PERSONS_MAX];
    status = sharing_now(&sharing, arena, sql, &disclosure, now_ms);
    if (cl_failed(status) || consent_sharing_ids(ids, &sharing) == 0) {
        return status;
    }
    ProtobufCMessage *message = NULL;
    struct submission submission;
    struct vault_values values;
    status = convert_kept_body(&message, arena, event->envelope, &coloan__v1__event__descriptor);
    if (cl_is_ok(status)) {
        status = read_submission(&submission, arena, (const Coloan__V1__Event *)message);
    }
    if (cl_is_ok(status)) {
        status = vault_list(&values, sql, cases->vault, arena, event->application_id);
    }
    return cl_is_ok(status) ? disclose(out, arena, &values, &submission, &sharing) : status;
}

struct cl_status case_event_bytes(struct cl_bytes *out, struct cl_arena *arena, struct sql *sql,
                                  const struct cases *cases, const struct outbox_row *row, int64_t now_ms)
{
    *out = row->envelope;
    if (row->kind != COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION) {
        return cl_ok();
    }
    struct case_outgoing event = {.recipient = row->recipient,
                                  .application_id = row->application_id,
                                  .digest = &row->digest,
                                  .envelope = row->envelope};
    struct case_disclosures disclosures;
    struct cl_status status = case_event_disclosures(&disclosures, arena, sql, cases, &event, now_ms);
    if (cl_failed(status) || disclosures.count == 0) {
        return status;
    }
    return case_with_disclosures(out, arena, row->envelope, &disclosures);
}
