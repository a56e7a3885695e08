#include "server/cases/check.h"

#include <string.h>

#include "libcoloan/date.h"
#include "server/cases/consent.h"
#include "server/cases/events.h"
#include "server/cases/settle.h"
#include "server/domain/polling.h"
#include "server/domain/recheck.h"

bool check_is_on(const struct case_file *file)
{
    bool paid = file->tracks.fund != FUND_SIGNED || file->tracks.bank == BANK_DISBURSED;
    return file->tracks.registry == REGISTRY_REGISTERED && !paid;
}

/* -- Counting ------------------------------------------------------------------------------------------------ */

static const struct item_result *result_of(const struct case_file *file, enum item item)
{
    for (size_t i = 0; i < file->result_count; i++) {
        if (file->results[i].key.item == item) {
            return &file->results[i];
        }
    }
    return NULL;
}

/* Whether the rules let the money wait for the completion. Two legs are paid together, so that one part that waits holds
 * both; the fund's part alone waits when the rules say so of it. */
static bool waits_for_completion(const struct case_file *file)
{
    bool fund_alone = file->tracks.bank == BANK_NOT_NEEDED;
    int32_t accepted = cl_date_from_ms(file->row.submitted_ms);
    return file->rules != NULL && rule_holds_presale(file->rules, file->application.home.presale, fund_alone, accepted);
}

/* The authority was asked, and it is not filed yet. Such a pass counts as open. */
static bool is_awaited(const struct case_file *file)
{
    const struct item_result *result = result_of(file, ITEM_COMPLETION_FILING);
    return waits_for_completion(file) && result != NULL && result->outcome == ITEM_PASS && result->fact_count == 1 &&
           result->facts[0].number == 0;
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms == 0 || b_ms < a_ms ? b_ms : a_ms;
}

/* The register's entry is the first check, and passed: a centre may do without all others. */
static struct cl_status count(struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DISBURSEMENT);
    if (cl_is_ok(status)) {
        status = file_load_results(file, tx, PHASE_DISBURSEMENT);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct case_checks checks = {.total = 1 + (uint32_t)items.count};
    bool completion = false;
    int64_t until_ms = 0;
    for (size_t i = 0; i < items.count; i++) {
        const struct item_row *row = &items.rows[i];
        bool of_completion = row->item == ITEM_COMPLETION_FILING;
        bool open = row->outcome == ITEM_OPEN || (of_completion && is_awaited(file));
        completion = completion || (open && of_completion);
        checks.open += open ? 1 : 0;
        checks.bad += !open && row->outcome != ITEM_PASS ? 1 : 0;
        if (!open && row->outcome == ITEM_PASS) {
            until_ms = earlier(until_ms, row->valid_until_ms);
        }
    }
    checks.completion_awaited = completion && checks.open == 1;
    file->checks = checks;
    file->checks_until_ms = until_ms;
    return cl_ok();
}

/* -- Beginning ----------------------------------------------------------------------------------------------- */

static struct cl_status reopen(bool *any_out, struct case_tx *tx, const struct item_rows *items,
                               bool (*wanted)(const struct item_row *row, int64_t now_ms))
{
    struct cl_status status = cl_ok();
    *any_out = false;
    for (size_t i = 0; cl_is_ok(status) && i < items->count; i++) {
        bool reopened = false;
        if (wanted(&items->rows[i], tx->now_ms)) {
            status = items_reopen(&reopened, tx->tx, &items->rows[i]);
        }
        *any_out = *any_out || reopened;
    }
    return status;
}

static bool every(const struct item_row *row, int64_t now_ms)
{
    (void)now_ms;
    return row->outcome != ITEM_OPEN;
}

/* What nobody may ask about any more will never be answered: a person has to see to the consent. */
static struct cl_status bar(struct case_file *file, struct case_tx *tx, const struct item_rows *items)
{
    const char *centre = tx->cases->centre->party;
    struct settle_source source = {
        .phase = PHASE_DISBURSEMENT, .owner = OWNER_FUND, .authority = centre, .receipt = ""};
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < items->count; i++) {
        const struct item_row *row = &items->rows[i];
        struct item_result result = {.key = {.item = (enum item)row->item, .person = row->person},
                                     .outcome = ITEM_FAIL,
                                     .failure = FAILURE_NOT_AUTHORISED,
                                     .observed_ms = tx->now_ms};
        bool waits = row->outcome == ITEM_OPEN && row->owner == (int)OWNER_FUND;
        struct field_path path;
        if (waits && !consent_allows(&file->application, centre, result.key.item, result.key.person)) {
            status = settle_item(file, tx, &path, &result, &source);
        }
    }
    return status;
}

struct cl_status check_ask(struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DISBURSEMENT);
    if (cl_is_ok(status)) {
        status = bar(file, tx, &items);
    }
    return cl_is_ok(status) ? settle_ask(file, tx) : status;
}

struct cl_status check_begin(struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    bool any = false;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DISBURSEMENT);
    if (cl_is_ok(status)) {
        status = items.count == 0 ? settle_open(file, tx, PHASE_DISBURSEMENT) : reopen(&any, tx, &items, every);
    }
    if (cl_is_ok(status)) {
        status = check_ask(file, tx);
    }
    return cl_is_ok(status) ? count(file, tx) : status;
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

struct cl_status check_judge(struct item_result *result, const struct case_file *file, struct case_tx *tx)
{
    const struct rule_set *rules = NULL;
    struct offer agreed;
    struct cl_status status = file_rules(&rules, file);
    if (cl_is_ok(status)) {
        status = file_agreed(&agreed, file, tx);
    }
    if (cl_failed(status) || result->outcome != ITEM_PASS) {
        return status;
    }
    if (recheck_result(rules, &file->application, &agreed, result, tx->now_ms) == RECHECK_BAD) {
        result->outcome = ITEM_MANUAL;
        result->failure = FAILURE_AMBIGUOUS;
    }
    return cl_ok();
}

static bool has_run_out(const struct item_row *row, int64_t now_ms)
{
    return row->outcome == ITEM_PASS && row->valid_until_ms < now_ms && row->item != ITEM_COMPLETION_FILING;
}

/* While something else holds the payment back nothing is asked again: nobody's data for nothing. */
static struct cl_status renew(struct case_file *file, struct case_tx *tx)
{
    bool any = false;
    struct item_rows items;
    struct cl_status status = count(file, tx);
    if (cl_failed(status) || file->checks.bad > 0 || file->checks.completion_awaited) {
        return status;
    }
    status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DISBURSEMENT);
    if (cl_is_ok(status)) {
        status = reopen(&any, tx, &items, has_run_out);
    }
    if (cl_failed(status) || !any) {
        return status;
    }
    status = check_ask(file, tx);
    return cl_is_ok(status) ? count(file, tx) : status;
}

static bool same(const struct case_checks *a, const struct case_checks *b)
{
    return a->total == b->total && a->open == b->open && a->bad == b->bad &&
           a->completion_awaited == b->completion_awaited;
}

struct cl_status check_finish(struct case_file *file, struct case_tx *tx)
{
    struct cl_status status = renew(file, tx);
    if (cl_is_ok(status) && !same(&file->checks, &file->tracks.checks)) {
        struct case_events events;
        status = file_move(file, tx, &events, COMMAND_CHECK);
        if (cl_is_ok(status) && file_tells(&events, EVENT_STATUS)) {
            status = event_write_status(tx, &file->row);
        }
    }
    return cl_is_ok(status) ? file_save(file, tx) : status;
}

struct cl_status check_account(bool *fits_out, struct case_file *file, struct case_tx *tx, struct cl_bytes account)
{
    struct cl_status status = file_load_results(file, tx, PHASE_DISBURSEMENT);
    if (cl_failed(status)) {
        return status;
    }
    const struct item_result *result = result_of(file, ITEM_SUPERVISION_ACCOUNT);
    bool supervised = result != NULL && result->outcome == ITEM_PASS && result->fact_count == 1;
    *fits_out = !supervised || cl_bytes_equal(account, cl_bytes_text(result->facts[0].text));
    return cl_ok();
}

/* -- By time ------------------------------------------------------------------------------------------------- */

int64_t check_renew_at(const struct case_file *file, const struct case_tx *tx, int64_t held_ms)
{
    (void)tx;
    bool held_back = file->tracks.checks.bad > 0 || file->tracks.checks.completion_awaited;
    if (!check_is_on(file) || held_back) {
        return 0;
    }
    return file->checks_until_ms != 0 ? file->checks_until_ms + 1 : held_ms;
}

struct cl_status check_renew(struct case_tx *tx, const char *subject)
{
    struct case_file *file = NULL;
    struct cl_status status = file_open(&file, tx, subject, NULL);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    return cl_is_ok(status) ? check_finish(file, tx) : status;
}

int64_t check_completion_at(const struct case_file *file, const struct case_tx *tx, int64_t held_ms)
{
    if (!check_is_on(file) || !file->tracks.checks.completion_awaited) {
        return 0;
    }
    return held_ms != 0 ? held_ms : polling_tomorrow_ms(&tx->cases->centre->registry, tx->now_ms);
}

static bool is_completion(const struct item_row *row, int64_t now_ms)
{
    (void)now_ms;
    return row->outcome == ITEM_PASS && row->item == ITEM_COMPLETION_FILING;
}

struct cl_status check_completion(struct case_tx *tx, const char *subject)
{
    struct case_file *file = NULL;
    struct item_rows items;
    bool any = false;
    struct cl_status status = file_open(&file, tx, subject, NULL);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        status = items_list(&items, tx->sql, tx->arena, subject, PHASE_DISBURSEMENT);
    }
    if (cl_is_ok(status)) {
        status = reopen(&any, tx, &items, is_completion);
    }
    if (cl_is_ok(status) && any) {
        tx->effect->polled = true;
        status = settle_ask(file, tx);
    }
    return cl_is_ok(status) ? file_save(file, tx) : status;
}
