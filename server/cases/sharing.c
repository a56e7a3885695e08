/* Personal values leave the vault only here, and only for whom a consent names. */
#include <stdio.h>
#include <string.h>

#include "server/cases/cases.h"
#include "server/cases/convert.h"

static bool shared_with(const Coloan__V1__Application *application, unsigned person, const char *recipient,
                        int64_t now_ms)
{
    for (size_t i = 0; i < application->n_consents; i++) {
        const Coloan__V1__Consent *consent = application->consents[i];
        if (consent->person == person && consent->purpose == COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE &&
            strcmp(consent->receiver, recipient) == 0 && now_ms < consent->until_ms) {
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

static struct cl_status disclose(struct case_disclosures *out, struct cl_arena *arena,
                                 const struct vault_values *values, const Coloan__V1__Application *application,
                                 const char *recipient, int64_t now_ms)
{
    struct case_disclosures told = {.list = cl_arena_array(arena, values->count + 1, sizeof *told.list)};
    Coloan__V1__Disclosure *rows = cl_arena_array(arena, values->count + 1, sizeof *rows);
    if (told.list == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < values->count; i++) {
        if (!shared_with(application, owner_of(values->values[i].path), recipient, now_ms)) {
            continue;
        }
        convert_disclosure(&rows[told.count], &values->values[i]);
        told.list[told.count] = &rows[told.count];
        told.count++;
    }
    *out = told;
    return cl_ok();
}

struct cl_status case_event_disclosures(struct case_disclosures *out, struct cl_arena *arena, struct sql *sql,
                                        const struct cases *cases, const char *recipient,
                                        struct cl_bytes event_envelope, int64_t now_ms)
{
    *out = (struct case_disclosures){NULL, 0};
    ProtobufCMessage *message = NULL;
    struct cl_status status = convert_kept_body(&message, arena, event_envelope, &coloan__v1__event__descriptor);
    if (cl_failed(status)) {
        return status;
    }
    const Coloan__V1__Event *event = (const Coloan__V1__Event *)message;
    if (event->kind != COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION) {
        return cl_ok();
    }
    status =
        convert_kept_body(&message, arena, cl_bytes(event->application_envelope.data, event->application_envelope.len),
                          &coloan__v1__application__descriptor);
    if (cl_failed(status)) {
        return status;
    }
    struct vault_values values;
    status = vault_list(&values, sql, cases->vault, arena, event->application_id);
    if (cl_failed(status)) {
        return status;
    }
    return disclose(out, arena, &values, (const Coloan__V1__Application *)message, recipient, now_ms);
}
