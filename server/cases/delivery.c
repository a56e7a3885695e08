#include "server/cases/delivery.h"

#include <assert.h>
#include <string.h>

#include "server/cases/convert.h"

/* -- Failing -------------------------------------------------------------------------------------------------- */

static struct cl_status note(struct case_tx *tx, const char *recipient, const struct pending_row *row,
                             enum delivery_step step)
{
    struct delivery_note note = {
        .at_ms = tx->now_ms, .step = step, .by = tx->by, .note = row->note, .message = tx->message};
    return delivery_log_add(tx->tx, recipient, row->sequence, &note);
}

struct cl_status delivery_fail(struct case_tx *tx, const char *recipient, const struct pending_row *row)
{
    assert(row->state == PENDING_WAITING || row->state == PENDING_PARKED || row->state == PENDING_ASKED);
    enum delivery_step step = row->cause == PENDING_REFUSED ? DELIVERY_REFUSED : DELIVERY_FAILED;
    struct cl_status status = pending_put(tx->tx, recipient, row);
    if (cl_is_ok(status)) {
        status = note(tx, recipient, row, step);
    }
    if (cl_is_ok(status)) {
        status = store_tell(tx->tx, recipient);
    }
    if (cl_is_ok(status) && row->state == PENDING_PARKED) {
        status = note(tx, recipient, row, DELIVERY_PARKED);
        tx->effect->alarm = CASE_ALARM_EVENT_PARKED;
        tx->effect->alarm_application = cl_arena_text(tx->arena, row->application_id);
        status = tx->effect->alarm_application == NULL ? cl_fail(CL_MEMORY_LIMIT) : status;
    }
    return status;
}

/* -- Telling -------------------------------------------------------------------------------------------------- */

static Coloan__V1__DeliveryState state_of(const struct pending_row *pending, bool is_pending, bool received,
                                          bool applied)
{
    static const Coloan__V1__DeliveryState states[PENDING_STATE_COUNT] = {
        [PENDING_FRESH] = COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_PENDING,
        [PENDING_ASKED] = COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_PENDING,
        [PENDING_WAITING] = COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_WAITING,
        [PENDING_ON_CALL] = COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_ON_CALL,
        [PENDING_PARKED] = COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_PARKED,
    };
    if (applied) {
        return COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_APPLIED;
    }
    if (received || !is_pending) {
        return COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_RECEIVED;
    }
    return states[pending->state];
}

static struct cl_status tell_acks(Coloan__V1__EventState *out, struct case_tx *tx, const struct outbox_row *event)
{
    struct outbox_acked received;
    struct outbox_acked applied;
    struct cl_status status =
        outbox_acked(&received, tx->sql, tx->arena, event->recipient, event->sequence, OUTBOX_RECEIVED);
    if (cl_is_ok(status)) {
        status = outbox_acked(&applied, tx->sql, tx->arena, event->recipient, event->sequence, OUTBOX_APPLIED);
    }
    if (cl_failed(status)) {
        return status;
    }
    out->received_ms = received.found ? received.at_ms : 0;
    out->applied_ms = applied.found ? applied.at_ms : 0;
    convert_text(&out->bank_reference, applied.found ? applied.reference : "");
    return cl_ok();
}

static struct cl_status tell_pending(Coloan__V1__EventState *out, struct case_tx *tx, const struct outbox_row *event)
{
    struct pending_row pending = {.state = PENDING_FRESH};
    bool found = false;
    struct cl_status status = pending_find(&found, &pending, tx->sql, tx->arena, event->recipient, event->sequence);
    if (cl_failed(status)) {
        return status;
    }
    out->state = state_of(&pending, found, out->received_ms != 0, out->applied_ms != 0);
    out->asked_again = found && pending.state == PENDING_ASKED;
    if (found) {
        out->tries = pending.tries;
        out->next_ms = pending.state == PENDING_WAITING ? pending.next_ms : 0;
        out->cause = (Coloan__V1__DeliveryCause)pending.cause;
        convert_text(&out->reason, pending.note);
    }
    return cl_ok();
}

static_assert((int)PENDING_REFUSED == (int)COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REFUSED &&
                  (int)PENDING_ORDERED == (int)COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_ORDERED,
              "the causes are those of the wire");

struct cl_status delivery_state_of(Coloan__V1__EventState **out, struct case_tx *tx, const struct outbox_row *event,
                                   bool with_envelope)
{
    Coloan__V1__EventState *told = cl_arena_alloc(tx->arena, sizeof *told);
    struct cl_digest *digests = cl_arena_array(tx->arena, 2, sizeof digests[0]);
    if (told == NULL || digests == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__event_state__init(told);
    digests[0] = event->digest;
    digests[1] = event->chain;
    told->sequence = event->sequence;
    told->kind = (Coloan__V1__EventKind)event->kind;
    convert_text(&told->application_id, event->application_id);
    convert_digest(&told->digest, &digests[0]);
    convert_digest(&told->chain, &digests[1]);
    told->made_ms = event->made_ms;
    if (with_envelope) {
        convert_bytes(&told->envelope, event->envelope);
    }
    struct cl_status status = tell_acks(told, tx, event);
    if (cl_is_ok(status)) {
        status = tell_pending(told, tx, event);
    }
    if (cl_is_ok(status)) {
        *out = told;
    }
    return status;
}

struct cl_status delivery_state(Coloan__V1__EventState **out, struct case_tx *tx, const char *recipient,
                                uint64_t sequence, bool with_envelope)
{
    struct outbox_row event;
    bool found = false;
    struct cl_status status = outbox_find(&found, &event, tx->sql, tx->arena, recipient, sequence, tx->now_ms);
    if (cl_failed(status)) {
        return status;
    }
    return found ? delivery_state_of(out, tx, &event, with_envelope) : case_blame(tx, CL_EVENT_UNKNOWN, "sequence");
}

struct cl_status delivery_recipient(const char **out, struct case_tx *tx, const struct case_request *request,
                                    const char *named)
{
    bool own = request->sender_kind == CL_PARTY_BANK;
    if (own && named[0] != '\0' && strcmp(named, request->sender) != 0) {
        return case_blame(tx, CL_BANK_UNKNOWN, "recipient");
    }
    if (!own && named[0] == '\0') {
        return case_blame(tx, CL_FIELD_MISSING, "recipient");
    }
    if (!own && cl_party_kind(named) != CL_PARTY_BANK) {
        return case_blame(tx, CL_BANK_UNKNOWN, "recipient");
    }
    *out = own ? request->sender : named;
    return cl_ok();
}

struct cl_status delivery_list(Coloan__V1__EventList **out, struct case_tx *tx, size_t max)
{
    Coloan__V1__EventList *list = cl_arena_alloc(tx->arena, sizeof *list);
    Coloan__V1__EventState **events = cl_arena_array(tx->arena, max, sizeof(Coloan__V1__EventState *));
    if (list == NULL || events == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__event_list__init(list);
    list->events = events;
    *out = list;
    return cl_ok();
}

struct cl_status delivery_floors(Coloan__V1__EventList *out, struct case_tx *tx, const char *recipient)
{
    struct outbox_state state;
    struct cl_status status = outbox_state(&state, tx->sql, recipient);
    if (cl_is_ok(status)) {
        out->head = state.head;
        out->received_floor = state.received_floor;
        out->applied_floor = state.applied_floor;
    }
    return status;
}
