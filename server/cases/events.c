#include "server/cases/events.h"

#include <assert.h>
#include <string.h>

#include "server/cases/consent.h"
#include "server/cases/file.h"
#include "server/store/outbox.h"

static struct cl_status queue(struct case_tx *tx, const struct centre_sealed *sealed,
                              const struct centre_speech *speech, int kind)
{
    struct outbox_row row = {
        .recipient = speech->recipient,
        .sequence = speech->sequence,
        .application_id = speech->application_id,
        .kind = kind,
        .digest = sealed->digest,
        .made_ms = speech->now_ms,
    };
    struct cl_status status = outbox_add(tx->tx, &row);
    return cl_is_ok(status) ? store_tell(tx->tx, speech->recipient) : status;
}

static void note(struct case_effect *effect, const char *recipient, uint64_t sequence)
{
    assert(effect->event_count < CASE_EVENTS_MAX);
    effect->events[effect->event_count].recipient = recipient;
    effect->events[effect->event_count].sequence = sequence;
    effect->event_count++;
}

/* Whoever does not lend (any more) has no business with where the case stands. */
static struct cl_status tell_status(Coloan__V1__Event *event, struct case_tx *tx, const struct application_row *row,
                                    const char *recipient)
{
    struct application_row told = *row;
    if (strcmp(recipient, row->bank) != 0) {
        told = (struct application_row){.id = row->id, .external_ref = row->external_ref, .bank = "", .rule_set = ""};
    }
    struct cl_status status = file_status(&event->status, tx->arena, &told);
    if (cl_is_ok(status)) {
        event->application_id = event->status->application_id;
    }
    return status;
}

struct cl_status event_write_to(struct event_written *out, struct case_tx *tx, const struct application_row *row,
                                const char *recipient, Coloan__V1__Event *event)
{
    uint64_t sequence = 0;
    struct cl_status status = outbox_next(tx->tx, recipient, &sequence);
    if (cl_is_ok(status)) {
        status = tell_status(event, tx, row, recipient);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct centre_speech speech = {
        .direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT,
        .recipient = recipient,
        .method = EVENT_METHOD,
        .application_id = row->id,
        .sequence = sequence,
        .body = &event->base,
        .now_ms = tx->now_ms,
    };
    struct centre_sealed sealed;
    status = centre_seal(&sealed, tx->arena, tx->cases->centre, &speech);
    if (cl_is_ok(status)) {
        status = case_keep(tx, &sealed, &speech);
    }
    if (cl_is_ok(status)) {
        status = queue(tx, &sealed, &speech, (int)event->kind);
    }
    if (cl_is_ok(status) && event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION) {
        status = consent_note_event(tx, row->id, recipient, &sealed.digest);
    }
    if (cl_failed(status)) {
        return status;
    }
    note(tx->effect, recipient, sequence);
    *out = (struct event_written){.digest = sealed.digest, .envelope = sealed.envelope};
    return cl_ok();
}

struct cl_status event_write(struct event_written *out, struct case_tx *tx, const struct application_row *row,
                             Coloan__V1__Event *event)
{
    return event_write_to(out, tx, row, row->bank, event);
}

struct cl_status event_write_status(struct case_tx *tx, const struct application_row *row)
{
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS;
    struct event_written written;
    return event_write(&written, tx, row, &event);
}
