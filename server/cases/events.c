#include "server/cases/events.h"

#include <assert.h>
#include <string.h>

#include "server/cases/consent.h"
#include "server/cases/file.h"
#include "server/store/messages.h"
#include "server/store/outbox.h"

static struct cl_status log_event(struct case_tx *tx, const struct application_row *row,
                                  const struct centre_sealed *sealed, uint64_t sequence, int kind)
{
    struct message_row message = {
        .digest = sealed->digest,
        .way = MESSAGE_SENT,
        .sender = tx->cases->centre->party,
        .recipient = row->bank,
        .direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT,
        .method = EVENT_METHOD,
        .application_id = row->id,
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
        .recipient = row->bank,
        .sequence = sequence,
        .application_id = row->id,
        .kind = kind,
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

struct cl_status event_write(struct event_written *out, struct case_tx *tx, const struct application_row *row,
                             Coloan__V1__Event *event)
{
    uint64_t sequence = 0;
    struct cl_status status = outbox_next(tx->tx, row->bank, &sequence);
    if (cl_failed(status)) {
        return status;
    }
    status = file_status(&event->status, tx->arena, row);
    if (cl_failed(status)) {
        return status;
    }
    event->application_id = event->status->application_id;
    struct centre_speech speech = {
        .direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT,
        .recipient = row->bank,
        .method = EVENT_METHOD,
        .application_id = row->id,
        .sequence = sequence,
        .body = &event->base,
        .now_ms = tx->now_ms,
    };
    struct centre_sealed sealed;
    status = centre_seal(&sealed, tx->arena, tx->cases->centre, &speech);
    if (cl_failed(status)) {
        return status;
    }
    status = log_event(tx, row, &sealed, sequence, (int)event->kind);
    if (cl_is_ok(status) && event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION) {
        status = consent_note_event(tx, row->id, row->bank, &sealed.digest);
    }
    if (cl_failed(status)) {
        return status;
    }
    note(tx->effect, row->bank, sequence);
    *out = (struct event_written){.digest = sealed.digest, .envelope = sealed.envelope};
    return cl_ok();
}
