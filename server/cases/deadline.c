#include "server/cases/deadline.h"

#include "libcoloan/date.h"
#include "server/cases/check.h"
#include "server/cases/events.h"
#include "server/cases/fund.h"
#include "server/cases/registry.h"
#include "server/cases/settle.h"

#define HOUR_MS (INT64_C(60) * 60 * 1000)
#define DAY_MS  (24 * HOUR_MS)

/* 住房公积金管理条例 (decree 844, 2026): the fund decides within ten days of acceptance. */
#define FUND_DECISION_MS (10 * DAY_MS)
/* What is still open so long before goes to an officer, who needs a working day for it. */
#define OFFICER_MS DAY_MS
/* An item that is opened later than that, say after a supplement, gets this much time before an officer has it. */
#define AUTHORITY_MS HOUR_MS
/* So soon after a failure due work is tried again: nothing of a case is due to the minute. */
#define POSTPONE_MS (INT64_C(60) * 1000)

/* -- When ---------------------------------------------------------------------------------------------------- */

static bool decides(const struct case_file *file)
{
    return file->tracks.fund == FUND_PENDING || file->tracks.fund == FUND_MANUAL;
}

static bool offers(const struct case_file *file)
{
    return file->tracks.fund == FUND_APPROVED || file->tracks.fund == FUND_CONFIRMED;
}

/* The law's for the fund, the centre's for the borrower who has to add something, the offer's for whoever has to answer
 * it; none after the contracts are signed. */
int64_t deadline_of(const struct case_file *file, int64_t offer_until_ms)
{
    if (decides(file)) {
        return file->row.clock_from_ms + FUND_DECISION_MS;
    }
    if (file->tracks.fund == FUND_SUPPLEMENT) {
        return file->rules == NULL ? 0 : file->row.clock_stopped_ms + file->rules->supplement_days * DAY_MS;
    }
    return offers(file) ? offer_until_ms : 0;
}

int64_t deadline_decision_at(const struct case_file *file, const struct case_tx *tx, int64_t held_ms)
{
    if (file->tracks.fund != FUND_PENDING || file->tracks.items.open == 0) {
        return 0;
    }
    int64_t at_ms = file->row.deadline_ms - OFFICER_MS;
    if (at_ms > tx->now_ms) {
        return at_ms;
    }
    return held_ms != 0 ? held_ms : tx->now_ms + AUTHORITY_MS;
}

int64_t deadline_overdue_at(const struct case_file *file, const struct case_tx *tx, int64_t held_ms)
{
    if (!decides(file)) {
        return 0;
    }
    if (file->row.deadline_ms > tx->now_ms) {
        return file->row.deadline_ms;
    }
    return held_ms != 0 ? held_ms : tx->now_ms;
}

int64_t deadline_expiry_at(const struct case_file *file, const struct case_tx *tx, int64_t held_ms)
{
    (void)tx;
    (void)held_ms;
    bool contract = file->tracks.bank == BANK_SIGNED; /* one is signed: by agreement only, from here on */
    bool waits = file->tracks.fund == FUND_SUPPLEMENT || (offers(file) && !contract);
    return waits ? file->row.deadline_ms : 0;
}

int64_t deadline_half_paid_at(const struct case_file *file, const struct case_tx *tx, int64_t held_ms)
{
    if (lifecycle_state(&file->tracks) != CASE_HALF_DISBURSED) {
        return 0;
    }
    return held_ms != 0 ? held_ms : cl_date_to_ms(cl_date_next(cl_date_from_ms(tx->now_ms)));
}

/* -- The table ----------------------------------------------------------------------------------------------- */

struct work {
    due_when *when;
    due_run *run;
};

static const struct work works[DUE_KINDS_MAX] = {
#define DUE(name, number, due_when, due_run) [DUE_##name] = {(due_when), (due_run)},
#include "server/cases/due.def"
#undef DUE
};

struct cl_status deadline_arm(const struct case_file *file, struct case_tx *tx)
{
    int64_t held[DUE_KINDS_MAX];
    struct cl_status status = due_of(held, tx->sql, file->row.id);
    for (int kind = 1; cl_is_ok(status) && kind < DUE_KINDS_MAX; kind++) {
        if (works[kind].when == NULL) {
            continue;
        }
        struct due_row row = {.subject = file->row.id, .kind = kind};
        row.at_ms = works[kind].when(file, tx, held[kind]);
        if (row.at_ms != held[kind]) {
            status = row.at_ms == 0 ? due_clear(tx->tx, row.subject, kind) : due_set(tx->tx, &row);
        }
    }
    return status;
}

struct cl_status case_look(struct case_look *out, struct case_tx *tx, size_t limit)
{
    struct case_look look;
    struct cl_status status = due_list(&look.due, tx->sql, tx->arena, tx->now_ms, limit);
    if (cl_is_ok(status)) {
        status = applications_tally(&look.tally, tx->sql, tx->now_ms);
    }
    if (cl_is_ok(status)) {
        *out = look;
    }
    return status;
}

struct cl_status case_run_due(struct case_tx *tx, const char *subject, int kind)
{
    bool taken = false;
    struct cl_status status = due_take(&taken, tx->tx, subject, kind, tx->now_ms);
    if (cl_failed(status) || !taken) {
        return status; /* done already, or put off */
    }
    bool known = kind > 0 && kind < DUE_KINDS_MAX && works[kind].run != NULL;
    return known ? works[kind].run(tx, subject) : cl_fail(CL_INTERNAL); /* of a newer version */
}

struct cl_status case_postpone(struct case_tx *tx, const char *subject, int kind)
{
    bool taken = false;
    struct cl_status status = due_take(&taken, tx->tx, subject, kind, tx->now_ms);
    if (cl_failed(status) || !taken) {
        return status;
    }
    struct due_row row = {.subject = subject, .kind = kind, .at_ms = tx->now_ms + POSTPONE_MS};
    return due_set(tx->tx, &row);
}

/* -- The fund's decision ------------------------------------------------------------------------------------- */

/* Nobody answered in time: no answer is ever taken for one, so a person has to look. */
static struct cl_status leave_to_officer(struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DECISION);
    for (size_t i = 0; cl_is_ok(status) && i < items.count; i++) {
        if (items.rows[i].outcome != ITEM_OPEN) {
            continue;
        }
        struct item_result result = {
            .key = {.item = (enum item)items.rows[i].item, .person = items.rows[i].person},
            .outcome = ITEM_MANUAL,
            .failure = FAILURE_TIMEOUT,
            .observed_ms = tx->now_ms,
        };
        struct settle_source source = {.phase = PHASE_DECISION,
                                       .owner = (enum item_owner)items.rows[i].owner,
                                       .authority = tx->cases->centre->party,
                                       .receipt = ""};
        struct field_path path;
        status = settle_item(file, tx, &path, &result, &source);
    }
    return status;
}

struct cl_status deadline_decision(struct case_tx *tx, const char *subject)
{
    struct case_file *file = NULL;
    struct cl_status status = file_open(&file, tx, subject, NULL);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        status = leave_to_officer(file, tx);
    }
    struct case_events events;
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_DEADLINE);
    }
    if (cl_is_ok(status) && lifecycle_may_decide(&file->tracks)) {
        status = fund_decide(file, tx);
    }
    return cl_is_ok(status) ? file_save(file, tx) : status;
}

/* Tells the operators, now and each day until it is mended. */
static struct cl_status alarm_daily(struct case_tx *tx, const char *subject, enum due_kind kind, enum case_alarm alarm)
{
    tx->effect->application_id = cl_arena_text(tx->arena, subject);
    if (tx->effect->application_id == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    tx->effect->alarm = alarm;
    struct due_row row = {.subject = subject, .kind = (int)kind, .at_ms = tx->now_ms + DAY_MS};
    return due_set(tx->tx, &row);
}

struct cl_status deadline_overdue(struct case_tx *tx, const char *subject)
{
    return alarm_daily(tx, subject, DUE_OVERDUE, CASE_ALARM_DECISION_OVERDUE);
}

struct cl_status deadline_half_paid(struct case_tx *tx, const char *subject)
{
    return alarm_daily(tx, subject, DUE_HALF_PAID, CASE_ALARM_HALF_DISBURSED);
}

/* -- Nobody acted -------------------------------------------------------------------------------------------- */

struct cl_status deadline_expiry(struct case_tx *tx, const char *subject)
{
    struct case_file *file = NULL;
    struct case_events events;
    struct cl_status status = file_open(&file, tx, subject, NULL);
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_EXPIRE);
    }
    if (cl_is_ok(status)) {
        status = event_write_status(tx, &file->row);
    }
    return cl_is_ok(status) ? file_save(file, tx) : status;
}
