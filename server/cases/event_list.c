/* ListEvents, GetEvent, Reconcile: a bank's events for whoever does not take them from a stream, wants to see how their
 * delivery stands, or compares its own with ours. */
#include <string.h>

#include "libcoloan/limits.h"
#include "server/cases/convert.h"
#include "server/cases/delivery.h"
#include "server/store/messages.h"

enum {
    LIST_MAX = 100,
    LIST_BYTES_MAX = CL_MESSAGE_BYTES_MAX * 3 / 4, /* of envelopes in one answer, beside all that surrounds them */
    ROW_BYTES_MAX = 512,                           /* of an event's state, without its envelope */
    NOTES_MAX = 32,
    MARKS_MAX = 64,
};

/* -- Lists ---------------------------------------------------------------------------------------------------- */

/* The sequences after `after`: of what is pending, or all. */
struct reading {
    const char *recipient;
    uint64_t after;
    size_t limit;
    bool pending, with_envelope;
};

/* Adds one; false when the answer is full. */
static struct cl_status add(bool *room_out, Coloan__V1__EventList *list, size_t *bytes, struct case_tx *tx,
                            const struct outbox_row *event, bool with_envelope)
{
    size_t more = ROW_BYTES_MAX + (with_envelope ? event->envelope.len : 0);
    *room_out = list->n_events == 0 || *bytes + more <= LIST_BYTES_MAX;
    if (!*room_out) {
        return cl_ok();
    }
    struct cl_status status = delivery_state_of(&list->events[list->n_events], tx, event, with_envelope);
    list->n_events += cl_is_ok(status) ? 1 : 0;
    *bytes += more;
    return status;
}

static struct cl_status list_all(Coloan__V1__EventList *list, struct case_tx *tx, const struct reading *reading)
{
    struct outbox_rows rows;
    size_t bytes = 0;
    bool room = true;
    struct cl_status status =
        outbox_read(&rows, tx->sql, tx->arena, reading->recipient, reading->after, reading->limit, tx->now_ms);
    for (size_t i = 0; cl_is_ok(status) && room && i < rows.count; i++) {
        status = add(&room, list, &bytes, tx, &rows.rows[i], reading->with_envelope);
    }
    return status;
}

static struct cl_status list_pending(Coloan__V1__EventList *list, struct case_tx *tx, const struct reading *reading)
{
    struct pending_rows rows;
    size_t bytes = 0;
    bool room = true;
    struct cl_status status =
        pending_list(&rows, tx->sql, tx->arena, reading->recipient, reading->after, reading->limit);
    for (size_t i = 0; cl_is_ok(status) && room && i < rows.count; i++) {
        struct outbox_row event;
        bool found = false;
        status = outbox_find(&found, &event, tx->sql, tx->arena, reading->recipient, rows.rows[i].sequence, tx->now_ms);
        if (cl_is_ok(status) && found) {
            status = add(&room, list, &bytes, tx, &event, reading->with_envelope);
        }
    }
    return status;
}

struct cl_status case_list_events(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__EventListQuery *query = (const Coloan__V1__EventListQuery *)request->body;
    struct reading reading = {.after = query->after,
                              .limit = query->limit,
                              .pending = query->pending,
                              .with_envelope = request->sender_kind == CL_PARTY_BANK};
    if (query->limit == 0 || query->limit > LIST_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "limit");
    }
    Coloan__V1__EventList *list = NULL;
    struct cl_status status = delivery_recipient(&reading.recipient, tx, request, query->recipient);
    if (cl_is_ok(status)) {
        status = delivery_list(&list, tx, reading.limit);
    }
    if (cl_failed(status)) {
        return status;
    }
    status = reading.pending ? list_pending(list, tx, &reading) : list_all(list, tx, &reading);
    if (cl_is_ok(status)) {
        status = delivery_floors(list, tx, reading.recipient);
    }
    *reply_out = &list->base;
    return status;
}

/* -- One event ------------------------------------------------------------------------------------------------ */

static struct cl_status tell_ack(ProtobufCBinaryData *out, struct case_tx *tx, const char *recipient, uint64_t sequence,
                                 enum outbox_level level)
{
    struct outbox_acked acked;
    struct message_row message;
    bool found = false;
    struct cl_status status = outbox_acked(&acked, tx->sql, tx->arena, recipient, sequence, level);
    if (cl_is_ok(status) && acked.found) {
        status = messages_get(&found, &message, tx->sql, tx->arena, &acked.digest);
    }
    if (cl_is_ok(status) && found) {
        convert_bytes(out, message.envelope);
    }
    return status;
}

static struct cl_status tell_notes(Coloan__V1__EventView *view, struct case_tx *tx, const char *recipient,
                                   uint64_t sequence)
{
    struct delivery_notes notes;
    struct cl_status status = delivery_log_read(&notes, tx->sql, tx->arena, recipient, sequence, NOTES_MAX);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__DeliveryNote *rows = cl_arena_array(tx->arena, NOTES_MAX, sizeof *rows);
    view->notes = cl_arena_array(tx->arena, NOTES_MAX, sizeof *view->notes);
    if (rows == NULL || view->notes == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < notes.count; i++) {
        coloan__v1__delivery_note__init(&rows[i]);
        rows[i].at_ms = notes.notes[i].at_ms;
        rows[i].step = (Coloan__V1__DeliveryStep)notes.notes[i].step;
        convert_text(&rows[i].by, notes.notes[i].by);
        convert_text(&rows[i].note, notes.notes[i].note);
        view->notes[view->n_notes++] = &rows[i];
    }
    return cl_ok();
}

struct cl_status case_get_event(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__EventQuery *query = (const Coloan__V1__EventQuery *)request->body;
    const char *recipient = NULL;
    Coloan__V1__EventView *view = cl_arena_alloc(tx->arena, sizeof *view);
    struct cl_status status = delivery_recipient(&recipient, tx, request, query->recipient);
    if (cl_failed(status) || view == NULL) {
        return cl_failed(status) ? status : cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__event_view__init(view);
    convert_text(&view->recipient, recipient);
    status = delivery_state(&view->event, tx, recipient, query->sequence, request->sender_kind == CL_PARTY_BANK);
    if (cl_is_ok(status)) {
        status = tell_ack(&view->received_envelope, tx, recipient, query->sequence, OUTBOX_RECEIVED);
    }
    if (cl_is_ok(status)) {
        status = tell_ack(&view->applied_envelope, tx, recipient, query->sequence, OUTBOX_APPLIED);
    }
    if (cl_is_ok(status)) {
        status = tell_notes(view, tx, recipient, query->sequence);
    }
    *reply_out = &view->base;
    return status;
}

/* -- Reconciling ---------------------------------------------------------------------------------------------- */

static struct cl_status mark(Coloan__V1__ChainMark **out, struct cl_arena *arena, uint64_t sequence,
                             const struct cl_digest *chain)
{
    Coloan__V1__ChainMark *row = cl_arena_alloc(arena, sizeof *row);
    struct cl_digest *kept = cl_arena_alloc(arena, sizeof *kept);
    if (row == NULL || kept == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__chain_mark__init(row);
    *kept = *chain;
    row->sequence = sequence;
    convert_digest(&row->chain, kept);
    *out = row;
    return cl_ok();
}

static struct cl_status add_mark(Coloan__V1__ReconcileAnswer *answer, struct case_tx *tx, const char *recipient,
                                 uint64_t sequence)
{
    struct cl_digest chain;
    bool found = false;
    struct cl_status status = outbox_chain(&found, &chain, tx->sql, recipient, sequence);
    if (cl_is_ok(status) && !found) {
        return case_blame(tx, CL_EVENT_UNKNOWN, "sequences[%zu]", answer->n_marks);
    }
    if (cl_is_ok(status)) {
        status = mark(&answer->marks[answer->n_marks], tx->arena, sequence, &chain);
        answer->n_marks += cl_is_ok(status) ? 1 : 0;
    }
    return status;
}

static struct cl_status check_sequences(struct case_tx *tx, const Coloan__V1__ReconcileQuery *query)
{
    if (query->n_sequences == 0 || query->n_sequences > MARKS_MAX) {
        return case_blame(tx, query->n_sequences == 0 ? CL_FIELD_MISSING : CL_FIELD_INVALID, "sequences");
    }
    for (size_t i = 1; i < query->n_sequences; i++) {
        if (query->sequences[i] <= query->sequences[i - 1]) {
            return case_blame(tx, CL_FIELD_INVALID, "sequences[%zu]", i);
        }
    }
    return cl_ok();
}

struct cl_status case_reconcile(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__ReconcileQuery *query = (const Coloan__V1__ReconcileQuery *)request->body;
    struct outbox_state state;
    Coloan__V1__ReconcileAnswer *answer = cl_arena_alloc(tx->arena, sizeof *answer);
    Coloan__V1__ChainMark **marks = cl_arena_array(tx->arena, MARKS_MAX, sizeof(Coloan__V1__ChainMark *));
    struct cl_status status = check_sequences(tx, query);
    if (cl_is_ok(status)) {
        status =
            answer == NULL || marks == NULL ? cl_fail(CL_MEMORY_LIMIT) : outbox_state(&state, tx->sql, request->sender);
    }
    if (cl_failed(status)) {
        return status;
    }
    coloan__v1__reconcile_answer__init(answer);
    answer->marks = marks;
    status = mark(&answer->head, tx->arena, state.head, &state.chain);
    for (size_t i = 0; cl_is_ok(status) && i < query->n_sequences; i++) {
        status = add_mark(answer, tx, request->sender, query->sequences[i]);
    }
    *reply_out = &answer->base;
    return status;
}
