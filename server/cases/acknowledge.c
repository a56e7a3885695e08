/* Ack: a bank says on its stream that an event is durable with it, then that its core took it over. */
#include <string.h>

#include "server/cases/cases.h"
#include "server/store/outbox.h"

struct cl_status case_acknowledge(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__Ack *ack = (const Coloan__V1__Ack *)request->body;
    const Coloan__V1__SignedHeader *header = request->opened->header;
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
    memcpy(row.event.bytes, header->in_reply_to.data, sizeof row.event.bytes); /* 32 bytes: the header was checked */
    *reply_out = NULL;
    return outbox_ack(tx->tx, &row);
}
