/* ReportMilestone: what the bank did after the approval. The centre takes its word for what happened, not for whether it
 * fits: order, amounts, times and references are checked against the agreed terms and what was reported before. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/cases/check.h"
#include "server/cases/events.h"
#include "server/cases/registry.h"
#include "server/store/case_log.h"
#include "server/store/milestones.h"

#define KIND(name) COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_##name

enum { KINDS = KIND(MORTGAGE_RELEASED) + 1 };

/* What a report is checked against. */
struct report {
    const Coloan__V1__Milestone *told;
    const struct kind_row *kind;
    struct loan_part part; /* of its leg, as agreed */
    int64_t until_ms;      /* the agreed offer's */
    int64_t balance_fen;   /* principal left of its leg; 0 before it is paid */
};

/* Where a kind's amounts and account go wrong: the field, NULL when they are right. */
typedef const char *amounts_check(const struct report *report);

/* -- Amounts ------------------------------------------------------------------------------------------------- */

static const char *no_amounts(const struct report *report)
{
    if (report->told->amount_fen != 0) {
        return "amount_fen";
    }
    return report->told->balance_fen == 0 ? NULL : "balance_fen";
}

static const char *whole_leg(const struct report *report)
{
    if (report->told->amount_fen != report->part.amount_fen) {
        return "amount_fen";
    }
    return report->told->balance_fen == 0 ? NULL : "balance_fen";
}

static const char *part_of_balance(const struct report *report)
{
    if (report->told->amount_fen <= 0 || report->told->amount_fen > report->balance_fen) {
        return "amount_fen";
    }
    return report->told->balance_fen == report->balance_fen - report->told->amount_fen ? NULL : "balance_fen";
}

/* With interest, so more than the balance may be due, but never more than all instalments together. */
static const char *some_instalments(const struct report *report)
{
    int64_t all_fen = report->part.instalment_fen * report->part.term_months;
    if (report->told->amount_fen <= 0 || report->told->amount_fen > all_fen) {
        return "amount_fen";
    }
    return report->told->balance_fen == 0 ? NULL : "balance_fen";
}

static const char *all_the_rest(const struct report *report)
{
    if (report->told->amount_fen != report->balance_fen) {
        return "amount_fen";
    }
    return report->told->balance_fen == 0 ? NULL : "balance_fen";
}

/* -- The kinds ----------------------------------------------------------------------------------------------- */

struct kind_row {
    enum case_command commands[2]; /* of the fund's leg and of the commercial one; without a leg both are the same */
    bool has_leg, has_account;
    amounts_check *amounts;
    /* What it cannot have happened before: */
    int64_t after_any;      /* milestones of whichever leg */
    int64_t after_same_leg; /* milestones of its leg */
    int64_t after_steps;    /* steps of the case, by the centre's clock */
};

#define BOTH(command)                                                                                                  \
    {                                                                                                                  \
        (command), (command)                                                                                           \
    }

static const struct kind_row kinds[KINDS] = {
    [KIND(SIGNED)] = {.commands = {COMMAND_SIGN_FUND, COMMAND_SIGN_BANK},
                      .has_leg = true,
                      .amounts = no_amounts,
                      .after_steps = CASE_LOG_BIT(COMMAND_CONFIRM)},
    [KIND(REGISTRATION_FILED)] = {.commands = BOTH(COMMAND_FILE),
                                  .amounts = no_amounts,
                                  .after_any = MILESTONE_BIT(KIND(SIGNED)),
                                  .after_steps = CASE_LOG_BIT(COMMAND_REGISTRY_REJECT)},
    [KIND(DISBURSED)] = {.commands = {COMMAND_DISBURSE_FUND, COMMAND_DISBURSE_BANK},
                         .has_leg = true,
                         .has_account = true,
                         .amounts = whole_leg,
                         .after_any = MILESTONE_BIT(KIND(REGISTRATION_FILED)),
                         .after_steps = CASE_LOG_BIT(COMMAND_REGISTER) | CASE_LOG_BIT(COMMAND_CHECK)},
    [KIND(REPAID)] = {.commands = {COMMAND_REPAY_FUND, COMMAND_REPAY_BANK},
                      .has_leg = true,
                      .amounts = part_of_balance,
                      .after_any = MILESTONE_BIT(KIND(DISBURSED)),
                      .after_same_leg = MILESTONE_BIT(KIND(REPAID))},
    [KIND(OVERDUE)] = {.commands = {COMMAND_OVERDUE_FUND, COMMAND_OVERDUE_BANK},
                       .has_leg = true,
                       .amounts = some_instalments,
                       .after_any = MILESTONE_BIT(KIND(DISBURSED)),
                       .after_same_leg = MILESTONE_BIT(KIND(OVERDUE))},
    [KIND(SETTLED)] = {.commands = {COMMAND_SETTLE_FUND, COMMAND_SETTLE_BANK},
                       .has_leg = true,
                       .amounts = all_the_rest,
                       .after_any = MILESTONE_BIT(KIND(DISBURSED)),
                       .after_same_leg = MILESTONE_BIT(KIND(REPAID)) | MILESTONE_BIT(KIND(OVERDUE))},
    [KIND(CANCELLED)] = {.commands = BOTH(COMMAND_CANCEL),
                         .amounts = no_amounts,
                         .after_any = MILESTONE_BIT(KIND(SIGNED)) | MILESTONE_BIT(KIND(MORTGAGE_RELEASED))},
    [KIND(MORTGAGE_RELEASED)] = {.commands = BOTH(COMMAND_RELEASE_MORTGAGE),
                                 .amounts = no_amounts,
                                 .after_any = MILESTONE_BIT(KIND(REGISTRATION_FILED)) | MILESTONE_BIT(KIND(SETTLED)),
                                 .after_steps = CASE_LOG_BIT(COMMAND_REGISTER)},
};

/* -- Checks -------------------------------------------------------------------------------------------------- */

static struct cl_status missing_or_invalid(struct case_tx *tx, bool missing, const char *field)
{
    return case_blame(tx, missing ? CL_FIELD_MISSING : CL_FIELD_INVALID, "%s", field);
}

static struct cl_status check_form(struct case_tx *tx, const Coloan__V1__Milestone *told)
{
    if (told->kind == KIND(UNSPECIFIED)) {
        return case_blame(tx, CL_FIELD_MISSING, "kind");
    }
    assert((int)told->kind > 0 && (int)told->kind < KINDS); /* the scan refuses numbers that are not declared */
    const struct kind_row *kind = &kinds[told->kind];
    if (kind->has_leg != (told->leg != COLOAN__V1__LEG__LEG_UNSPECIFIED)) {
        return missing_or_invalid(tx, kind->has_leg, "leg");
    }
    size_t reference = strlen(told->reference);
    if (reference == 0 || reference > CL_TEXT_BYTES_MAX) {
        return missing_or_invalid(tx, reference == 0, "reference");
    }
    if (kind->has_account != (told->account.len != 0)) {
        return missing_or_invalid(tx, kind->has_account, "account");
    }
    if (told->happened_ms <= 0 || told->happened_ms > tx->now_ms + CL_CLOCK_AHEAD_MS_MAX) {
        return missing_or_invalid(tx, told->happened_ms == 0, "happened_ms");
    }
    return cl_ok();
}

/* Said before the order is looked at: whoever reports twice learns that it was taken the first time. */
static struct cl_status check_reference(struct case_tx *tx, const struct case_file *file,
                                        const Coloan__V1__Milestone *told)
{
    struct milestone_row row = {
        .application_id = file->row.id, .kind = (int)told->kind, .leg = (int)told->leg, .reference = told->reference};
    bool used = false;
    struct cl_status status = milestones_has(&used, tx->sql, &row);
    if (cl_failed(status)) {
        return status;
    }
    return used ? case_blame(tx, CL_REFERENCE_USED, "reference") : cl_ok();
}

/* The bank's own times are in its own order; against ours its clock may be behind. */
static struct cl_status check_time(struct case_tx *tx, const struct case_file *file, const struct report *report)
{
    const struct kind_row *kind = report->kind;
    int64_t any_ms = 0;
    int64_t same_leg_ms = 0;
    int64_t step_ms = 0;
    struct cl_status status = milestones_last_ms(&any_ms, tx->sql, file->row.id, kind->after_any, 0);
    if (cl_is_ok(status)) {
        status = milestones_last_ms(&same_leg_ms, tx->sql, file->row.id, kind->after_same_leg, (int)report->told->leg);
    }
    if (cl_is_ok(status)) {
        status = case_log_last_ms(&step_ms, tx->sql, file->row.id, kind->after_steps);
    }
    if (cl_failed(status)) {
        return status;
    }
    int64_t happened_ms = report->told->happened_ms;
    if (happened_ms < any_ms || happened_ms < same_leg_ms || happened_ms < step_ms - CL_CLOCK_AHEAD_MS_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "happened_ms");
    }
    bool too_late = report->told->kind == KIND(SIGNED) && happened_ms >= report->until_ms;
    return too_late ? case_blame(tx, CL_OFFER_EXPIRED, "happened_ms") : cl_ok();
}

static struct cl_status load_balance(struct report *report, struct case_tx *tx, const struct case_file *file)
{
    bool found = false;
    struct milestone_row last;
    int64_t tells = MILESTONE_BIT(KIND(DISBURSED)) | MILESTONE_BIT(KIND(REPAID));
    struct cl_status status =
        milestones_newest(&found, &last, tx->sql, tx->arena, file->row.id, tells, (int)report->told->leg);
    if (cl_is_ok(status) && found) {
        report->balance_fen = last.kind == KIND(DISBURSED) ? last.amount_fen : last.balance_fen;
    }
    return status;
}

static struct cl_status check_agreed(struct case_tx *tx, const struct case_file *file,
                                     const Coloan__V1__Milestone *told)
{
    struct report report = {.told = told, .kind = &kinds[told->kind]};
    struct offer agreed;
    struct cl_status status = file_agreed(&agreed, file, tx);
    if (cl_failed(status)) {
        return status;
    }
    report.part = told->leg == COLOAN__V1__LEG__LEG_COMMERCIAL ? agreed.commercial : agreed.fund;
    report.until_ms = agreed.valid_until_ms;
    status = load_balance(&report, tx, file);
    if (cl_is_ok(status)) {
        status = check_time(tx, file, &report);
    }
    if (cl_failed(status)) {
        return status;
    }
    const char *wrong = report.kind->amounts(&report);
    return wrong == NULL ? cl_ok() : case_blame(tx, CL_AMOUNT_INVALID, "%s", wrong);
}

/* -- Keeping ------------------------------------------------------------------------------------------------- */

/* Each leg has its own account, under a path that no submission has. */
static struct cl_status keep_account(struct case_file *file, struct case_tx *tx, const struct case_request *request,
                                     uint32_t number)
{
    if (request->opened->disclosure_count == 0) {
        return cl_ok();
    }
    assert(request->opened->disclosure_count == 1); /* as the check of disclosures saw to */
    const Coloan__V1__Disclosure *disclosure = request->opened->disclosures[0];
    bool fits = false;
    struct cl_bytes account = cl_bytes(disclosure->value.data, disclosure->value.len);
    struct cl_status status = check_account(&fits, file, tx, account);
    if (cl_failed(status) || !fits) {
        return cl_failed(status) ? status : case_blame(tx, CL_FIELD_INVALID, "account");
    }
    char path[32];
    (void)snprintf(path, sizeof path, "milestones[%" PRIu32 "].account", number);
    struct vault_value value = {.path = path, .value = account};
    assert(disclosure->salt.len == sizeof value.salt);
    memcpy(value.salt, disclosure->salt.data, sizeof value.salt);
    return vault_put(tx->tx, tx->cases->vault, file->row.id, &value, 1);
}

static struct cl_status keep(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__Milestone *told = (const Coloan__V1__Milestone *)request->body;
    struct milestone_row row = {
        .application_id = file->row.id,
        .kind = (int)told->kind,
        .leg = (int)told->leg,
        .bank_epoch = told->bank_epoch,
        .amount_fen = told->amount_fen,
        .balance_fen = told->balance_fen,
        .reference = told->reference,
        .happened_ms = told->happened_ms,
        .has_account = told->account.len != 0,
        .message = request->opened->digest,
        .at_ms = tx->now_ms,
    };
    if (row.has_account) {
        memcpy(row.account.bytes, told->account.data, sizeof row.account.bytes);
    }
    struct cl_status status = milestones_add(tx->tx, &row);
    return cl_is_ok(status) ? keep_account(file, tx, request, row.number) : status;
}

/* -- The report ---------------------------------------------------------------------------------------------- */

static struct cl_status move(struct case_file *file, struct case_tx *tx, const Coloan__V1__Milestone *told)
{
    struct case_events events;
    unsigned leg = told->leg == COLOAN__V1__LEG__LEG_COMMERCIAL ? 1 : 0;
    struct cl_status status = file_move(file, tx, &events, kinds[told->kind].commands[leg]);
    if (cl_is_ok(status) && file_tells(&events, EVENT_STATUS)) {
        status = event_write_status(tx, &file->row);
    }
    if (cl_is_ok(status) && lifecycle_state(&file->tracks) == CASE_HALF_DISBURSED) {
        tx->effect->alarm = CASE_ALARM_HALF_DISBURSED;
    }
    return status;
}

static struct cl_status take(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    const Coloan__V1__Milestone *told = (const Coloan__V1__Milestone *)request->body;
    struct cl_status status = check_form(tx, told);
    if (cl_is_ok(status) && told->bank_epoch != file->row.bank_epoch) {
        status = cl_fail(CL_STALE_EPOCH);
    }
    if (cl_is_ok(status)) {
        status = check_reference(tx, file, told);
    }
    if (cl_is_ok(status)) {
        status = move(file, tx, told);
    }
    if (cl_is_ok(status)) {
        status = check_agreed(tx, file, told);
    }
    if (cl_is_ok(status)) {
        status = keep(file, tx, request);
    }
    if (cl_is_ok(status) && told->kind == KIND(REGISTRATION_FILED)) {
        status = registry_filed(file, tx);
    }
    return cl_is_ok(status) ? file_save(file, tx) : status;
}

struct cl_status case_report_milestone(ProtobufCMessage **reply_out, struct case_tx *tx,
                                       const struct case_request *request)
{
    struct case_file *file = NULL;
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_is_ok(status)) {
        status = take(file, tx, request);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    Coloan__V1__ApplicationStatus *told = NULL;
    status = file_status(&told, tx->arena, &file->row);
    if (cl_failed(status)) {
        return status;
    }
    *reply_out = &told->base;
    return cl_ok();
}
