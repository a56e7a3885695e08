#include "tests/crash/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/store/applications.h"
#include "server/store/case_log.h"
#include "server/store/due.h"
#include "server/store/items.h"
#include "server/store/messages.h"
#include "server/store/outbox.h"

enum {
    APPLICATIONS_AT_ONCE = 2000, /* of a transaction: large enough for its cost to vanish */
    ENVELOPE_BYTES = 200,
    STEPS = 2,
    STATE_REPAYING = 20,
    NOBODY = 5,   /* has to act */
    DUE_KIND = 1, /* one of the case's own times, far off */
    DUE_ONE_IN = 10,
};
static const int64_t far_off_ms = INT64_C(4102444800000); /* 2100 */

enum part { SUBMISSION, RECEIPT, EVENT, PARTS };

struct stretch {
    const char *centre, *bank;
    uint32_t from, to;
};

static struct cl_digest digest_of(uint32_t number, enum part part)
{
    struct cl_digest digest = {{0xff}}; /* above what a hash is likely to be, and in order */
    digest.bytes[1] = (uint8_t)(number >> 24);
    digest.bytes[2] = (uint8_t)(number >> 16);
    digest.bytes[3] = (uint8_t)(number >> 8);
    digest.bytes[4] = (uint8_t)number;
    digest.bytes[5] = (uint8_t)part;
    return digest;
}

static struct cl_status add_messages(const struct stretch *stretch, struct store_tx *tx, uint32_t number,
                                     const char *id)
{
    static const uint8_t envelope[ENVELOPE_BYTES];
    struct cl_status status = cl_ok();
    for (int part = PARTS - 1; cl_is_ok(status) && part >= 0; part--) { /* the receipt before what it answers */
        bool sent = part != SUBMISSION;
        struct message_row row = {
            .digest = digest_of(number, (enum part)part),
            .way = sent ? MESSAGE_SENT : MESSAGE_RECEIVED,
            .sender = sent ? stretch->centre : stretch->bank,
            .recipient = sent ? stretch->bank : stretch->centre,
            .direction = 1,
            .method = "coloan.v1.JointApproval/SubmitApplication",
            .application_id = id,
            .at_ms = number,
            .envelope = cl_bytes(envelope, sizeof envelope),
            .has_reply = part == SUBMISSION,
            .reply = digest_of(number, RECEIPT),
        };
        memcpy(row.message_id, row.digest.bytes, sizeof row.message_id);
        status = messages_add(tx, &row);
    }
    return status;
}

static struct cl_status add_event(const struct stretch *stretch, struct store_tx *tx, uint32_t number, const char *id)
{
    struct outbox_row row = {.recipient = stretch->bank,
                             .application_id = id,
                             .kind = 1,
                             .digest = digest_of(number, EVENT),
                             .made_ms = number};
    struct cl_status status = outbox_next(tx, stretch->bank, &row.sequence);
    return cl_is_ok(status) ? outbox_add(tx, &row) : status;
}

static struct cl_status add_items(struct store_tx *tx, uint32_t number, const char *id)
{
    struct cl_status status = cl_ok();
    for (int i = 0; cl_is_ok(status) && i < ARCHIVE_ITEMS; i++) {
        struct item_row row = {.application_id = id,
                               .phase = 1,
                               .item = i + 1,
                               .owner = 2,
                               .outcome = 1,
                               .settled_ms = number + 1,
                               .valid_until_ms = far_off_ms,
                               .result = cl_bytes_text("settled")};
        status = items_insert(tx, &row);
    }
    return status;
}

static struct cl_status add_past(struct store_tx *tx, uint32_t number, const char *id, const char *bank)
{
    struct cl_status status = add_items(tx, number, id);
    for (int i = 0; cl_is_ok(status) && i < STEPS; i++) {
        struct case_log_row row = {
            .application_id = id, .at_ms = (int64_t)number + i, .actor = bank, .state = STATE_REPAYING};
        status = case_log_add(tx, &row);
    }
    if (cl_is_ok(status) && number % DUE_ONE_IN == 0) {
        struct due_row row = {.subject = id, .kind = DUE_KIND, .at_ms = far_off_ms + number};
        status = due_set(tx, &row);
    }
    return status;
}

static struct cl_status add_application(const struct stretch *stretch, struct store_tx *tx, uint32_t number)
{
    char id[APPLICATION_ID_BYTES];
    (void)snprintf(id, sizeof id, "01800000-0000-7000-8000-%012" PRIu32, number);
    const struct application_row row = {.id = id,
                                        .external_ref = id,
                                        .sender = stretch->bank,
                                        .bank = stretch->bank,
                                        .bank_epoch = 1,
                                        .state = STATE_REPAYING,
                                        .fund = 7,
                                        .bank_track = 7,
                                        .registry = 4,
                                        .outcome = 2,
                                        .next_actor = NOBODY,
                                        .offer_version = 1,
                                        .round = 1,
                                        .rule_set = "REF-NJ-2026-11",
                                        .submission = digest_of(number, SUBMISSION),
                                        .items_total = ARCHIVE_ITEMS,
                                        .items_by_machine = ARCHIVE_ITEMS,
                                        .submitted_ms = number,
                                        .changed_ms = number};
    struct cl_status status = add_messages(stretch, tx, number, id);
    if (cl_is_ok(status)) {
        status = applications_insert(tx, &row);
    }
    if (cl_is_ok(status)) {
        status = add_event(stretch, tx, number, id);
    }
    return cl_is_ok(status) ? add_past(tx, number, id, stretch->bank) : status;
}

static struct cl_status add_stretch(void *user, struct store_tx *tx)
{
    const struct stretch *stretch = user;
    struct cl_status status = cl_ok();
    for (uint32_t number = stretch->from; cl_is_ok(status) && number < stretch->to; number++) {
        status = add_application(stretch, tx, number);
    }
    return status;
}

struct cl_status archive_fill(struct store *store, const char *centre, const char *bank, uint32_t from, uint32_t to)
{
    struct cl_status status = cl_ok();
    while (cl_is_ok(status) && from < to) {
        uint32_t end = to - from < APPLICATIONS_AT_ONCE ? to : from + APPLICATIONS_AT_ONCE;
        struct stretch stretch = {.centre = centre, .bank = bank, .from = from, .to = end};
        status = store_run(store, add_stretch, &stretch);
        from = end;
    }
    return status;
}
