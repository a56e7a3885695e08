/* Ack: a bank says that an event is durable with it, then that its core took it over. Nack: that it cannot take it now. On
 * its stream, as the answer to a call of ours, or by AcknowledgeEvent. */
#include <string.h>

#include "server/cases/delivery.h"

static void read_digest(struct cl_digest *out, const Coloan__V1__SignedHeader *header)
{
    memcpy(out->bytes, header->in_reply_to.data, sizeof out->bytes); /* 32 bytes: the header was checked */
}

static struct cl_status take_ack(struct case_tx *tx, const struct case_request *request, const Coloan__V1__Ack *ack)
{
    if (ack->level != COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED &&
        ack->level != COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED) {
        return case_blame(tx, CL_FIELD_INVALID, "level");
    }
    bool applied = ack->level == COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED;
    size_t reference = strlen(ack->bank_reference);
    if (reference > CL_TEXT_BYTES_MAX || (applied ? reference == 0 : reference != 0)) {
        return case_blame(tx, CL_FIELD_INVALID, "bank_reference");
    }
    struct outbox_ack row = {
        .recipient = request->sender,
        .sequence = ack->sequence,
        .level = applied ? OUTBOX_APPLIED : OUTBOX_RECEIVED,
        .reference = ack->bank_reference,
        .digest = request->opened->digest,
        .at_ms = tx->now_ms,
    };
    read_digest(&row.event, request->opened->header);
    tx->effect->delivery.said = CASE_RECEIVED;
    tx->effect->delivery.sequence = ack->sequence;
    struct cl_status status = outbox_ack(tx->tx, &row);
    return cl_is_ok(status) ? store_tell(tx->tx, request->sender) : status;
}

/* A word of the bank's, which officers read: nothing a value of a person could hide in. */
static bool is_code(const char *text)
{
    size_t len = strlen(text);
    return len >= 1 && len <= CL_TEXT_BYTES_MAX && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static struct cl_status take_nack(struct case_tx *tx, const struct case_request *request, const Coloan__V1__Nack *nack)
{
    if (nack->delay_ms < 0 || nack->delay_ms > DELIVERY_DELAY_MS_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "delay_ms");
    }
    if (!is_code(nack->reason)) {
        return case_blame(tx, CL_FIELD_INVALID, "reason");
    }
    struct cl_digest digest;
    bool received = false;
    read_digest(&digest, request->opened->header);
    struct cl_status status = outbox_check(&received, tx->tx, request->sender, nack->sequence, &digest);
    if (cl_failed(status)) {
        return status;
    }
    struct pending_row row;
    bool found = false;
    status = pending_find(&found, &row, tx->sql, tx->arena, request->sender, nack->sequence);
    if (cl_failed(status)) {
        return status;
    }
    if (received || !found) {
        return cl_fail(CL_ACK_WRONG); /* it said that it has it */
    }
    row.tries++;
    row.first_ms = row.first_ms == 0 ? tx->now_ms : row.first_ms;
    row.cause = PENDING_REFUSED;
    row.note = nack->reason;
    bool parked = row.state == PENDING_PARKED || row.tries >= DELIVERY_REFUSALS_MAX;
    row.state = parked ? PENDING_PARKED : PENDING_WAITING;
    row.next_ms = parked ? INT64_MAX : tx->now_ms + nack->delay_ms;
    tx->effect->delivery.said = CASE_REFUSED;
    tx->effect->delivery.sequence = nack->sequence;
    return delivery_fail(tx, request->sender, &row);
}

struct cl_status case_acknowledge(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    bool is_nack = request->opened->body_type == &coloan__v1__nack__descriptor;
    const Coloan__V1__Nack *nack = (const Coloan__V1__Nack *)request->body;
    const Coloan__V1__Ack *ack = (const Coloan__V1__Ack *)request->body;
    struct cl_status status = is_nack ? take_nack(tx, request, nack) : take_ack(tx, request, ack);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__EventState *state = NULL;
    tx->effect->delivery.recipient = request->sender;
    if (reply_out == NULL) {
        return cl_ok();
    }
    status = delivery_state(&state, tx, request->sender, tx->effect->delivery.sequence, false);
    if (cl_is_ok(status)) {
        *reply_out = &state->base;
    }
    return status;
}
