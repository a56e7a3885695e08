/* Calls to a bank's inbox. Each is two commands: one takes an event for it, so that nobody else calls with it at the same
 * time and a crash is seen afterwards; the other writes what became of it. Between them the event is the caller's until
 * the lease ends. */
#include <string.h>

#include "server/cases/delivery.h"
#include "server/cases/retry.h"
#include "server/store/sessions.h"

/* What was asked for again stays so; all else holds its application's later events back from here on. */
static struct cl_status put_on_call(struct case_tx *tx, const char *recipient, struct pending_row *row,
                                    int64_t until_ms)
{
    row->state = row->state == PENDING_ASKED ? PENDING_ASKED : PENDING_ON_CALL;
    row->next_ms = until_ms;
    return pending_put(tx->tx, recipient, row);
}

/* What cannot be put together would come first again and again. */
static struct cl_status park(struct case_tx *tx, const char *recipient, struct pending_row *row, struct cl_status why)
{
    row->state = PENDING_PARKED;
    row->next_ms = INT64_MAX;
    row->cause = PENDING_NO_WAY;
    row->note = cl_reason_info(why.reason)->name;
    return delivery_fail(tx, recipient, row);
}

static struct cl_status take(bool *taken_out, struct case_call *out, struct case_tx *tx, const struct outbox_row *event,
                             struct pending_row *row, int64_t until_ms)
{
    struct cl_bytes bytes;
    struct cl_status status = case_event_bytes(&bytes, tx->arena, tx->sql, tx->cases, event, tx->now_ms);
    bool may_pass =
        status.reason == CL_STORE_FAILED || status.reason == CL_STORE_UNREACHABLE || status.reason == CL_MEMORY_LIMIT;
    if (cl_failed(status)) {
        return may_pass ? status : park(tx, event->recipient, row, status);
    }
    *out = (struct case_call){.sequence = event->sequence, .digest = event->digest, .envelope = bytes};
    status = sessions_newest(&out->stream, tx->sql, event->recipient);
    if (cl_failed(status)) {
        return status;
    }
    *taken_out = true;
    return put_on_call(tx, event->recipient, row, until_ms);
}

struct cl_status case_claim_event(bool *found_out, struct case_call *out, struct case_tx *tx, const char *recipient,
                                  int64_t until_ms)
{
    struct pending_rows rows;
    struct outbox_row event;
    bool found = false;
    const struct pending_look look = {.recipient = recipient, .up_to = UINT64_MAX, .now_ms = tx->now_ms, .max = 1};
    *found_out = false;
    struct cl_status status = pending_ready(&rows, tx->sql, tx->arena, &look);
    if (cl_is_ok(status) && rows.count > 0) {
        status = outbox_find(&found, &event, tx->sql, tx->arena, recipient, rows.rows[0].sequence, tx->now_ms);
    }
    if (cl_failed(status) || !found) {
        return status;
    }
    return take(found_out, out, tx, &event, &rows.rows[0], until_ms);
}

struct cl_status case_call_answered(struct case_tx *tx, const struct case_request *request, bool hasten)
{
    struct cl_status status = cl_header_check_time(request->opened->header, tx->now_ms);
    if (cl_is_ok(status)) {
        status = case_keep_received(tx, request->opened, request->opened->header->application_id, NULL);
    }
    if (cl_is_ok(status)) {
        status = case_acknowledge(NULL, tx, request);
    }
    return cl_is_ok(status) && hasten ? pending_hasten(tx->tx, request->sender, tx->now_ms) : status;
}

struct cl_status case_call_failed(struct case_tx *tx, const char *recipient, const struct case_call_failure *failure)
{
    struct pending_row row;
    bool found = false;
    uint64_t stream = 0;
    struct cl_status status = pending_find(&found, &row, tx->sql, tx->arena, recipient, failure->sequence);
    if (cl_is_ok(status)) {
        status = sessions_newest(&stream, tx->sql, recipient);
    }
    if (cl_failed(status) || !found || row.state == PENDING_PARKED) {
        return status; /* acknowledged another way meanwhile, or parked by somebody */
    }
    bool again = row.state == PENDING_ASKED;
    row.tries++;
    row.first_ms = row.first_ms == 0 ? tx->now_ms : row.first_ms;
    row.cause = failure->unreachable ? PENDING_NO_WAY : PENDING_REFUSED;
    row.note = failure->note;
    bool is_there = failure->unreachable && stream != failure->stream;
    row.next_ms = tx->now_ms + (is_there ? 0 : retry_delay_ms(row.tries, failure->random));
    if (is_there) {
        tx->effect->delivery = (struct case_delivery){.said = CASE_STEERED, .recipient = recipient};
    }
    row.state = again ? PENDING_ASKED : PENDING_WAITING;
    if (retry_over(row.first_ms, tx->now_ms)) {
        row.state = PENDING_PARKED;
        row.next_ms = INT64_MAX;
    }
    return delivery_fail(tx, recipient, &row);
}
