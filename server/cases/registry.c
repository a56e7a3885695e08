#include "server/cases/registry.h"

#include <string.h>

#include "server/cases/check.h"
#include "server/cases/events.h"
#include "server/cases/settle.h"
#include "server/domain/polling.h"
#include "server/source/source.h"
#include "server/store/milestones.h"

static const struct item_key registration = {.item = ITEM_REGISTRATION};

static bool is_polled(const struct case_file *file)
{
    return file->tracks.registry == REGISTRY_FILED || file->tracks.registry == REGISTRY_SUPPLEMENT;
}

/* -- Moving -------------------------------------------------------------------------------------------------- */

static struct cl_status move(struct case_file *file, struct case_tx *tx, enum case_command command)
{
    struct case_events events;
    struct cl_status status = file_move(file, tx, &events, command);
    return cl_is_ok(status) && file_tells(&events, EVENT_STATUS) ? event_write_status(tx, &file->row) : status;
}

struct cl_status registry_done(struct case_file *file, struct case_tx *tx)
{
    struct cl_status status = check_begin(file, tx);
    return cl_is_ok(status) ? move(file, tx, COMMAND_REGISTER) : status;
}

struct cl_status registry_filed(struct case_file *file, struct case_tx *tx)
{
    bool reopened = false;
    struct cl_status status = file_load_facts(file, tx);
    if (cl_failed(status)) {
        return status;
    }
    if (!catalogue_applies(&file->application, registration)) {
        return move(file, tx, COMMAND_REGISTRY_HOLD); /* this centre has nobody to ask */
    }
    struct item_row row = {.application_id = file->row.id, .phase = PHASE_REGISTRATION, .item = ITEM_REGISTRATION};
    status = items_reopen(&reopened, tx->tx, &row);
    return cl_is_ok(status) && !reopened ? settle_open(file, tx, PHASE_REGISTRATION) : status;
}

/* -- Asking -------------------------------------------------------------------------------------------------- */

int64_t registry_poll_at(const struct case_file *file, const struct case_tx *tx, int64_t held_ms)
{
    if (!is_polled(file)) {
        return 0;
    }
    return held_ms != 0 ? held_ms : polling_first_ms(&tx->cases->centre->registry, tx->now_ms);
}

static struct cl_status ask(struct case_file *file, struct case_tx *tx, const struct milestone_row *filing)
{
    struct source_inquiry *inquiry = NULL;
    struct settle_question question = {.phase = PHASE_REGISTRATION, .key = registration};
    struct cl_status status = settle_inquire(&inquiry, file, tx, &question, 1);
    if (cl_failed(status)) {
        return status;
    }
    status = source_text(inquiry->home.registry_no, sizeof inquiry->home.registry_no, filing->reference,
                         strlen(filing->reference));
    if (cl_failed(status)) {
        source_inquiry_free(inquiry);
        return status;
    }
    tx->effect->inquiry = inquiry;
    tx->effect->polled = true;
    struct due_row next = {.subject = file->row.id,
                           .kind = DUE_POLL,
                           .at_ms = polling_next_ms(&tx->cases->centre->registry, filing->at_ms, tx->now_ms)};
    return due_set(tx->tx, &next);
}

/* Settles the item, which ends the polling. */
static struct cl_status settle(struct case_file *file, struct case_tx *tx, const struct item_result *result,
                               const struct settle_source *source)
{
    struct field_path path;
    return settle_item(file, tx, &path, result, source);
}

/* Nobody waits for ever: a person has to ask. */
static struct cl_status give_up(struct case_file *file, struct case_tx *tx)
{
    struct item_result result = {
        .key = registration, .outcome = ITEM_MANUAL, .failure = FAILURE_TIMEOUT, .observed_ms = tx->now_ms};
    struct settle_source source = {
        .phase = PHASE_REGISTRATION, .owner = OWNER_FUND, .authority = tx->cases->centre->party, .receipt = ""};
    struct cl_status status = settle(file, tx, &result, &source);
    if (cl_is_ok(status)) {
        status = move(file, tx, COMMAND_REGISTRY_HOLD);
    }
    return cl_is_ok(status) ? file_save(file, tx) : status;
}

struct cl_status registry_poll(struct case_tx *tx, const char *subject)
{
    struct case_file *file = NULL;
    struct milestone_row filing;
    bool found = false;
    struct cl_status status = file_open(&file, tx, subject, NULL);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        int64_t kind = MILESTONE_BIT(COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_REGISTRATION_FILED);
        status = milestones_newest(&found, &filing, tx->sql, tx->arena, file->row.id, kind, 0);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (!found) {
        return cl_fail(CL_INTERNAL); /* nothing is polled that was not filed */
    }
    return polling_is_over(filing.at_ms, tx->now_ms) ? give_up(file, tx) : ask(file, tx, &filing);
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

/* Both lenders stand in one entry, for both loans together. */
static struct cl_status as_contracted(bool *out, const struct case_file *file, struct case_tx *tx,
                                      const struct registration_facts *entry)
{
    struct offer agreed;
    struct cl_status status = file_agreed(&agreed, file, tx);
    if (cl_is_ok(status)) {
        int64_t lent_fen = agreed.fund.amount_fen + agreed.commercial.amount_fen;
        *out = entry->complete && entry->mortgagee_match && entry->amount_fen == lent_fen;
    }
    return status;
}

static struct cl_status finished(struct case_file *file, struct case_tx *tx, struct item_result *result,
                                 const struct settle_source *source, const struct registration_facts *entry)
{
    bool fits = false;
    struct cl_status status = as_contracted(&fits, file, tx, entry);
    if (cl_failed(status)) {
        return status;
    }
    if (!fits) {
        result->outcome = ITEM_MANUAL;
        result->failure = FAILURE_AMBIGUOUS;
    }
    status = settle(file, tx, result, source);
    if (cl_failed(status)) {
        return status;
    }
    return fits ? registry_done(file, tx) : move(file, tx, COMMAND_REGISTRY_HOLD);
}

static struct cl_status follow(struct case_file *file, struct case_tx *tx, struct item_result *result,
                               const struct settle_source *source)
{
    struct case_facts *facts = cl_arena_alloc(tx->arena, sizeof *facts);
    if (facts == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    facts_read_phase(facts, &file->application, PHASE_REGISTRATION, result, 1, tx->now_ms);
    bool waited = file->tracks.registry == REGISTRY_SUPPLEMENT;
    switch (facts->registration.state) {
    case REGISTRATION_PENDING:
        return waited ? move(file, tx, COMMAND_REGISTRY_PROCEED) : cl_ok();
    case REGISTRATION_NEED_MORE_MATERIAL:
        return waited ? cl_ok() : move(file, tx, COMMAND_REGISTRY_SUPPLEMENT);
    case REGISTRATION_REJECTED:
    case REGISTRATION_CANCELLED: {
        struct cl_status status = settle(file, tx, result, source);
        return cl_is_ok(status) ? move(file, tx, COMMAND_REGISTRY_REJECT) : status;
    }
    case REGISTRATION_DONE:
        return finished(file, tx, result, source, &facts->registration);
    case REGISTRATION_NONE:
        break;
    }
    return cl_ok(); /* no such state: as no answer, the register is asked again */
}

/* A register that does not know the number yet, or fails, is asked again until the time is over. */
struct cl_status registry_answer(struct case_file *file, struct case_tx *tx, const struct source_question *question)
{
    struct item_result result;
    settle_result_of(&result, question);
    bool says = result.outcome == ITEM_PASS && cl_is_ok(item_result_check(NULL, &file->application, &result));
    if (!is_polled(file) || !says) {
        return cl_ok();
    }
    struct settle_source source = {.phase = PHASE_REGISTRATION,
                                   .owner = OWNER_FUND,
                                   .authority = question->answer.authority,
                                   .receipt = question->answer.receipt};
    enum registry_track before = file->tracks.registry;
    struct cl_status status = follow(file, tx, &result, &source);
    bool moved = cl_is_ok(status) && file->tracks.registry != before;
    return moved ? file_save(file, tx) : status;
}

/* -- An officer's word --------------------------------------------------------------------------------------- */

static struct cl_status check_entry(const struct case_file *file, struct case_tx *tx, const struct item_result *result)
{
    bool fits = false;
    struct case_facts *facts = cl_arena_alloc(tx->arena, sizeof *facts);
    if (facts == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (!catalogue_applies(&file->application, registration)) {
        return cl_ok(); /* there are no numbers to compare: the proof says it */
    }
    facts_read_phase(facts, &file->application, PHASE_REGISTRATION, result, 1, tx->now_ms);
    struct cl_status status = as_contracted(&fits, file, tx, &facts->registration);
    bool done = facts->registration.state == REGISTRATION_DONE && fits;
    return cl_is_ok(status) && !done ? cl_fail(CL_FIELD_INVALID) : status;
}

static struct cl_status ask_again(struct case_file *file, struct case_tx *tx)
{
    bool reopened = false;
    struct item_row row = {.application_id = file->row.id, .phase = PHASE_REGISTRATION, .item = ITEM_REGISTRATION};
    struct cl_status status = items_reopen(&reopened, tx->tx, &row);
    return cl_is_ok(status) ? move(file, tx, COMMAND_REGISTRY_PROCEED) : status;
}

struct cl_status registry_found(struct case_file *file, struct case_tx *tx, const struct item_result *result)
{
    struct cl_status status = cl_ok();
    if (result->outcome == ITEM_PASS) {
        status = check_entry(file, tx, result);
        status = cl_is_ok(status) ? registry_done(file, tx) : status;
    } else if (result->failure == FAILURE_NO_RECORD) {
        status = ask_again(file, tx);
    } else {
        status = move(file, tx, COMMAND_REGISTRY_REJECT);
    }
    return cl_is_ok(status) ? file_save(file, tx) : status;
}
