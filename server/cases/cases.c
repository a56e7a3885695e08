#include "server/cases/cases.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/date.h"
#include "server/domain/rules.h"
#include "server/store/messages.h"

const struct rule_set *cases_rules(const struct cases *cases, int64_t now_ms)
{
    return rules_in_force(cases->rule_sets, cases->rule_set_count, cl_date_from_ms(now_ms));
}

struct case_tx case_tx_of(const struct cases *cases, struct store_tx *tx, struct cl_arena *arena,
                          struct case_effect *effect)
{
    return (struct case_tx){
        .cases = cases,
        .tx = tx,
        .sql = store_tx_sql(tx),
        .arena = arena,
        .now_ms = cl_clock_unix_ms(cases->centre->clock),
        .by = cases->centre->party,
        .effect = effect,
    };
}

struct cl_status case_keep(struct case_tx *tx, const struct centre_sealed *sealed, const struct centre_speech *speech)
{
    struct message_row row = {
        .digest = sealed->digest,
        .way = MESSAGE_SENT,
        .sender = tx->cases->centre->party,
        .recipient = speech->recipient,
        .direction = (int)speech->direction,
        .method = speech->method,
        .application_id = speech->application_id,
        .at_ms = speech->now_ms,
        .envelope = sealed->envelope,
    };
    _Static_assert(sizeof row.message_id == sizeof sealed->message_id.bytes, "both are UUIDs");
    memcpy(row.message_id, sealed->message_id.bytes, sizeof row.message_id);
    return messages_add(tx->tx, &row);
}

struct cl_status case_keep_received(struct case_tx *tx, const struct cl_opened *opened, const char *application_id,
                                    const struct cl_digest *reply)
{
    struct cl_bytes stored;
    struct cl_status status = cl_opened_stored(&stored, tx->arena, opened);
    if (cl_failed(status)) {
        return status;
    }
    struct message_row row = {
        .digest = opened->digest,
        .way = MESSAGE_RECEIVED,
        .sender = opened->header->sender,
        .recipient = opened->header->recipient,
        .direction = (int)opened->header->direction,
        .method = opened->header->method,
        .application_id = application_id[0] == '\0' ? NULL : application_id,
        .at_ms = tx->now_ms,
        .envelope = stored,
    };
    if (reply != NULL) {
        row.has_reply = true;
        row.reply = *reply;
    }
    memcpy(row.message_id, opened->message_id.bytes, sizeof row.message_id);
    return messages_add(tx->tx, &row);
}

struct cl_status case_blame(struct case_tx *tx, enum cl_reason reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(tx->effect->field.text, sizeof tx->effect->field.text, format, arguments);
    va_end(arguments);
    return cl_fail(reason);
}
