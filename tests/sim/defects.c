#include "tests/sim/defects.h"

#include <string.h>

#include "server/cases/file.h"
#include "server/cases/fund.h"
#include "server/cases/offered.h"
#include "server/store/decisions.h"
#include "server/store/due.h"
#include "server/store/messages.h"
#include "server/store/offers.h"
#include "server/store/outbox.h"
#include "tests/support/power_disk.h"

enum defect {
    NO_DEFECT,
    DUPLICATES_IGNORED,
    TIME_IGNORED,
    REPLY_NOT_STORED,
    SEQUENCE_REUSED,
    RELEASED_BANK_HEARD,
    TERMS_NOT_COMPARED,
    ANSWERED_UNSYNCED,
    OTHER_TERMS_TOLD,
    EVENT_NOT_TOLD,
    DECISION_NOT_KEPT,
    ACK_DROPPED,
    DUE_NEVER_DONE,
    DEFECT_COUNT,
};

static const struct defect_info infos[DEFECT_COUNT - 1] = {
    {"duplicates-ignored", "a request that was handled is not looked for; its second copy is refused or handled again"},
    {"time-ignored", "a message is taken however late"},
    {"reply-not-stored", "a request's reply is not put beside it"},
    {"sequence-reused", "an event gets the number of the one before it"},
    {"released-bank-heard", "whoever once lent may act on the case"},
    {"terms-not-compared", "a decision need not name the terms of the offer"},
    {"answered-unsynced", "an answer leaves before its commit is on the disk"},
    {"other-terms-told", "the joint decision names other terms than the offer"},
    {"event-not-told", "every eighth event is made and not put into the outbox"},
    {"decision-not-kept", "a joint decision is told and not written down"},
    {"ack-dropped", "an acknowledgement is taken and has no effect"},
    {"due-never-done", "what is due is taken for done already"},
};

static enum defect chosen;
static bool number_bent; /* by the last outbox_next */

const struct defect_info *defect_at(size_t index)
{
    return index < DEFECT_COUNT - 1 ? &infos[index] : NULL;
}

bool defect_choose(const char *name)
{
    for (size_t i = 0; i < DEFECT_COUNT - 1; i++) {
        if (strcmp(infos[i].name, name) == 0) {
            chosen = (enum defect)(i + 1);
            return true;
        }
    }
    return false;
}

/* -- In front of the product's own --------------------------------------------------------------------------- */

struct cl_status __real_messages_find_duplicate(struct message_duplicate *out, struct sql *sql, struct cl_arena *arena,
                                                const char *sender, const uint8_t message_id[MESSAGE_ID_BYTES]);
struct cl_status __wrap_messages_find_duplicate(struct message_duplicate *out, struct sql *sql, struct cl_arena *arena,
                                                const char *sender, const uint8_t message_id[MESSAGE_ID_BYTES]);

struct cl_status __wrap_messages_find_duplicate(struct message_duplicate *out, struct sql *sql, struct cl_arena *arena,
                                                const char *sender, const uint8_t message_id[MESSAGE_ID_BYTES])
{
    if (chosen == DUPLICATES_IGNORED) {
        *out = (struct message_duplicate){.found = false};
        return cl_ok();
    }
    return __real_messages_find_duplicate(out, sql, arena, sender, message_id);
}

struct cl_status __real_cl_header_check_time(const Coloan__V1__SignedHeader *header, int64_t now_ms);
struct cl_status __wrap_cl_header_check_time(const Coloan__V1__SignedHeader *header, int64_t now_ms);

struct cl_status __wrap_cl_header_check_time(const Coloan__V1__SignedHeader *header, int64_t now_ms)
{
    return chosen == TIME_IGNORED ? cl_ok() : __real_cl_header_check_time(header, now_ms);
}

struct cl_status __real_messages_set_reply(struct store_tx *tx, const struct cl_digest *request,
                                           const struct cl_digest *reply);
struct cl_status __wrap_messages_set_reply(struct store_tx *tx, const struct cl_digest *request,
                                           const struct cl_digest *reply);

struct cl_status __wrap_messages_set_reply(struct store_tx *tx, const struct cl_digest *request,
                                           const struct cl_digest *reply)
{
    return chosen == REPLY_NOT_STORED ? cl_ok() : __real_messages_set_reply(tx, request, reply);
}

struct cl_status __real_outbox_next(struct store_tx *tx, const char *recipient, uint64_t *sequence_out);
struct cl_status __wrap_outbox_next(struct store_tx *tx, const char *recipient, uint64_t *sequence_out);

struct cl_status __wrap_outbox_next(struct store_tx *tx, const char *recipient, uint64_t *sequence_out)
{
    struct cl_status status = __real_outbox_next(tx, recipient, sequence_out);
    number_bent = chosen == SEQUENCE_REUSED && cl_is_ok(status) && *sequence_out > 1;
    if (number_bent) {
        (*sequence_out)--;
    }
    return status;
}

struct cl_status __real_outbox_add(struct store_tx *tx, const struct outbox_row *row);
struct cl_status __wrap_outbox_add(struct store_tx *tx, const struct outbox_row *row);

struct cl_status __wrap_outbox_add(struct store_tx *tx, const struct outbox_row *row)
{
    struct outbox_row bent = *row;
    if (chosen == EVENT_NOT_TOLD && row->sequence % 8 == 0) {
        return cl_ok();
    }
    if (number_bent) {
        bent.sequence++; /* the outbox itself would refuse: the signed number is the wrong one */
    }
    return __real_outbox_add(tx, &bent);
}

struct cl_status __real_file_open_request(struct case_file **out, struct case_tx *tx,
                                          const struct case_request *request);
struct cl_status __wrap_file_open_request(struct case_file **out, struct case_tx *tx,
                                          const struct case_request *request);

struct cl_status __wrap_file_open_request(struct case_file **out, struct case_tx *tx,
                                          const struct case_request *request)
{
    struct cl_status status = __real_file_open_request(out, tx, request);
    if (chosen == RELEASED_BANK_HEARD && status.reason == CL_STALE_EPOCH) {
        return file_open(out, tx, request->application_id, NULL);
    }
    return status;
}

struct cl_status __real_offered_find(struct offer_row *out, struct case_tx *tx, const struct case_file *file,
                                     uint32_t version, ProtobufCBinaryData terms_digest);
struct cl_status __wrap_offered_find(struct offer_row *out, struct case_tx *tx, const struct case_file *file,
                                     uint32_t version, ProtobufCBinaryData terms_digest);

struct cl_status __wrap_offered_find(struct offer_row *out, struct case_tx *tx, const struct case_file *file,
                                     uint32_t version, ProtobufCBinaryData terms_digest)
{
    struct cl_status status = __real_offered_find(out, tx, file, version, terms_digest);
    return chosen == TERMS_NOT_COMPARED && status.reason == CL_TERMS_DIGEST_WRONG ? cl_ok() : status;
}

struct cl_status __real_fund_write_joint(struct case_file *file, struct case_tx *tx, const struct fund_end *end);
struct cl_status __wrap_fund_write_joint(struct case_file *file, struct case_tx *tx, const struct fund_end *end);

struct cl_status __wrap_fund_write_joint(struct case_file *file, struct case_tx *tx, const struct fund_end *end)
{
    struct fund_end bent = *end;
    if (chosen == OTHER_TERMS_TOLD && bent.has_terms) {
        bent.terms_digest.bytes[31] ^= 1;
    }
    return __real_fund_write_joint(file, tx, &bent);
}

struct cl_status __real_decisions_insert(struct store_tx *tx, const struct decision_row *row);
struct cl_status __wrap_decisions_insert(struct store_tx *tx, const struct decision_row *row);

struct cl_status __wrap_decisions_insert(struct store_tx *tx, const struct decision_row *row)
{
    return chosen == DECISION_NOT_KEPT ? cl_ok() : __real_decisions_insert(tx, row);
}

struct cl_status __real_outbox_ack(struct store_tx *tx, const struct outbox_ack *ack);
struct cl_status __wrap_outbox_ack(struct store_tx *tx, const struct outbox_ack *ack);

struct cl_status __wrap_outbox_ack(struct store_tx *tx, const struct outbox_ack *ack)
{
    return chosen == ACK_DROPPED ? cl_ok() : __real_outbox_ack(tx, ack);
}

struct cl_status __real_due_take(bool *taken_out, struct store_tx *tx, const char *subject, int kind, int64_t now_ms);
struct cl_status __wrap_due_take(bool *taken_out, struct store_tx *tx, const char *subject, int kind, int64_t now_ms);

struct cl_status __wrap_due_take(bool *taken_out, struct store_tx *tx, const char *subject, int kind, int64_t now_ms)
{
    if (chosen == DUE_NEVER_DONE) {
        *taken_out = false;
        return cl_ok();
    }
    return __real_due_take(taken_out, tx, subject, kind, now_ms);
}

void __real_power_file_sync(struct power_file *file);
void __wrap_power_file_sync(struct power_file *file);

void __wrap_power_file_sync(struct power_file *file)
{
    if (chosen != ANSWERED_UNSYNCED) {
        __real_power_file_sync(file);
    }
}
