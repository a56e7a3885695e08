#include "server/cases/events.h"

#include <assert.h>
#include <string.h>

#include "server/cases/consent.h"
#include "server/cases/file.h"
#include "server/store/messages.h"
#include "server/store/outbox.h"

struct addressed {
    const char *recipient;
    const char *application_id;
    uint64_t sequence;
    int kind;
};

static struct cl_status log_event(struct case_tx *tx, const struct centre_sealed *sealed,
                                  const struct addressed *addressed)
{
    struct message_row message = {
        .digest = sealed->digest,
        .way = MESSAGE_SENT,
        .sender = tx->cases->centre->party,
        .recipient = addressed->recipient,
        .direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT,
        .method = EVENT_METHOD,
        .application_id = addressed->application_id,
        .at_ms = tx->now_ms,
        .envelope = sealed->envelope,
    };
    _Static_assert(sizeof message.message_id == sizeof sealed->message_id.bytes, "both are UUIDs");
    memcpy(message.message_id, sealed->message_id.bytes, sizeof message.message_id);
    struct cl_status status = messages_add(tx->tx, &message);
    if (cl_failed(status)) {
        return status;
    }
    struct outbox_row outbox = {
        .recipient = addressed->recipient,
        .sequence = addressed->sequence,
        .application_id = addressed->application_id,
        .kind = addressed->kind,
        .digest = sealed->digest,
        .made_ms = tx->now_ms,
    };
    return outbox_add(tx->tx, &outbox);
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
    struct addressed addressed = {
        .recipient = recipient, .application_id = row->id, .sequence = 0, .kind = (int)event->kind};
    struct cl_status status = outbox_next(tx->tx, recipient, &addressed.sequence);
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
        .sequence = addressed.sequence,
        .body = &event->base,
        .now_ms = tx->now_ms,
    };
    struct centre_sealed sealed;
    status = centre_seal(&sealed, tx->arena, tx->cases->centre, &speech);
    if (cl_is_ok(status)) {
        status = log_event(tx, &sealed, &addressed);
    }
    if (cl_is_ok(status) && event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION) {
        status = consent_note_event(tx, row->id, recipient, &sealed.digest);
    }
    if (cl_failed(status)) {
        return status;
    }
    note(tx->effect, recipient, addressed.sequence);
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
    struct event_written written;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS;
    return event_write(&written, tx, row, &event);
}
