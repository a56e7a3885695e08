/* SteerEvents: a bank or an officer parks events, lets them go on, or has them delivered once more. */
#include <string.h>

#include "server/cases/convert.h"
#include "server/cases/delivery.h"

enum { STEERED_MAX = 100 };

struct order {
    const char *recipient, *note;
    Coloan__V1__SteeringAction action;
};

static struct cl_status check(struct case_tx *tx, const Coloan__V1__EventSteering *steering)
{
    if (steering->action == COLOAN__V1__STEERING_ACTION__STEERING_ACTION_UNSPECIFIED) {
        return case_blame(tx, CL_FIELD_MISSING, "action");
    }
    if (steering->from == 0) {
        return case_blame(tx, CL_FIELD_MISSING, "from");
    }
    if (steering->to < steering->from || steering->to - steering->from >= STEERED_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "to");
    }
    size_t note = strlen(steering->note);
    if (note == 0 || note > CL_TEXT_BYTES_MAX) {
        return case_blame(tx, note == 0 ? CL_FIELD_MISSING : CL_FIELD_INVALID, "note");
    }
    return cl_ok();
}

/* What the order makes of a row; `found`: it is there already. STATE_CONFLICT when the order does not fit. */
static struct cl_status park(struct pending_row *row, bool found, int64_t now_ms)
{
    (void)now_ms;
    if (!found || row->state == PENDING_PARKED) {
        return cl_fail(CL_STATE_CONFLICT); /* it was received, or is parked */
    }
    row->state = PENDING_PARKED;
    row->next_ms = INT64_MAX;
    return cl_ok();
}

static struct cl_status let_go_on(struct pending_row *row, bool found, int64_t now_ms)
{
    if (!found || row->state != PENDING_PARKED) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    row->state = PENDING_WAITING;
    row->next_ms = now_ms;
    return cl_ok();
}

/* What was not received yet keeps its place before the later ones of its application. */
static struct cl_status ask_again(struct pending_row *row, bool found, int64_t now_ms)
{
    if (found && row->state == PENDING_PARKED) {
        return cl_fail(CL_STATE_CONFLICT); /* somebody has a reason; he lets it go on first */
    }
    row->state = found && row->state != PENDING_ASKED ? PENDING_WAITING : PENDING_ASKED;
    row->next_ms = now_ms;
    return cl_ok();
}

static const struct {
    struct cl_status (*carry_out)(struct pending_row *row, bool found, int64_t now_ms);
    enum delivery_step step;
} orders[] = {
    [COLOAN__V1__STEERING_ACTION__STEERING_ACTION_PARK] = {park, DELIVERY_PARKED},
    [COLOAN__V1__STEERING_ACTION__STEERING_ACTION_UNPARK] = {let_go_on, DELIVERY_UNPARKED},
    [COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY] = {ask_again, DELIVERY_ASKED_AGAIN},
};

static struct cl_status steer_one(struct case_tx *tx, const struct order *order, const struct outbox_row *event)
{
    struct pending_row row;
    bool found = false;
    struct cl_status status = pending_find(&found, &row, tx->sql, tx->arena, order->recipient, event->sequence);
    if (cl_failed(status)) {
        return status;
    }
    if (!found) {
        row = (struct pending_row){.sequence = event->sequence, .application_id = event->application_id};
    }
    status = orders[order->action].carry_out(&row, found, tx->now_ms);
    if (cl_failed(status)) {
        return case_blame(tx, status.reason, "from");
    }
    row.tries = 0;
    row.first_ms = 0;
    row.cause = PENDING_ORDERED;
    row.note = order->note;
    status = pending_put(tx->tx, order->recipient, &row);
    struct delivery_note note = {.at_ms = tx->now_ms,
                                 .step = orders[order->action].step,
                                 .by = tx->by,
                                 .note = order->note,
                                 .message = tx->message};
    return cl_is_ok(status) ? delivery_log_add(tx->tx, order->recipient, event->sequence, &note) : status;
}

static struct cl_status steer(Coloan__V1__EventList *list, struct case_tx *tx, const struct order *order,
                              uint64_t sequence)
{
    struct outbox_row event;
    bool found = false;
    struct cl_status status = outbox_find(&found, &event, tx->sql, tx->arena, order->recipient, sequence, tx->now_ms);
    if (cl_is_ok(status) && !found) {
        return case_blame(tx, CL_EVENT_UNKNOWN, "from");
    }
    if (cl_is_ok(status)) {
        status = steer_one(tx, order, &event);
    }
    if (cl_is_ok(status)) {
        status = delivery_state_of(&list->events[list->n_events], tx, &event, false);
    }
    list->n_events += cl_is_ok(status) ? 1 : 0;
    return status;
}

struct cl_status case_steer_events(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__EventSteering *steering = (const Coloan__V1__EventSteering *)request->body;
    struct order order = {.action = steering->action, .note = steering->note};
    struct cl_status status = delivery_recipient(&order.recipient, tx, request, steering->recipient);
    if (cl_is_ok(status)) {
        status = check(tx, steering);
    }
    Coloan__V1__EventList *list = NULL;
    if (cl_is_ok(status)) {
        status = delivery_list(&list, tx, STEERED_MAX);
    }
    if (cl_failed(status)) {
        return status;
    }
    for (uint64_t sequence = steering->from; cl_is_ok(status) && sequence <= steering->to; sequence++) {
        status = steer(list, tx, &order, sequence);
    }
    if (cl_is_ok(status)) {
        status = delivery_floors(list, tx, order.recipient);
    }
    if (cl_is_ok(status)) {
        status = store_tell(tx->tx, order.recipient);
    }
    tx->effect->delivery.said = CASE_STEERED;
    tx->effect->delivery.recipient = order.recipient;
    *reply_out = &list->base;
    return status;
}
