#include "server/cases/file.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "libcoloan/wirescan.h"
#include "server/cases/consent.h"
#include "server/cases/convert.h"
#include "server/cases/deadline.h"
#include "server/cases/tasks.h"
#include "server/domain/rules.h"
#include "server/store/case_log.h"
#include "server/store/messages.h"
#include "server/store/offers.h"

/* -- Loading ------------------------------------------------------------------------------------------------- */

static void tracks_in(struct case_tracks *out, const struct application_row *row)
{
    *out = (struct case_tracks){
        .fund = (enum fund_track)row->fund,
        .bank = (enum bank_track)row->bank_track,
        .registry = (enum registry_track)row->registry,
        .items = {.total = row->items_total,
                  .open = row->items_open,
                  .bank = row->items_bank,
                  .officer = row->items_by_person},
        .checks = {.total = row->checks_total,
                   .open = row->checks_open,
                   .bad = row->checks_bad,
                   .completion_awaited = row->completion_awaited},
        .offer_version = row->offer_version,
        .counters = row->counters,
        .round = row->round,
    };
}

static struct cl_status check_reader(const struct application_row *row, struct case_tx *tx, const char *party)
{
    bool lends = strcmp(row->bank, party) == 0;
    bool sent = strcmp(row->sender, party) == 0;
    if (lends || (sent && cl_party_kind(party) != CL_PARTY_BANK)) {
        return cl_ok();
    }
    bool lent = false;
    struct cl_status status = applications_is_lender(&lent, tx->sql, row->id, party);
    if (cl_failed(status)) {
        return status;
    }
    return cl_fail(lent ? CL_STALE_EPOCH : CL_APPLICATION_UNKNOWN); /* if it exists is nobody else's business */
}

struct cl_status file_open(struct case_file **out, struct case_tx *tx, const char *id, const char *party)
{
    struct case_file *file = cl_arena_alloc(tx->arena, sizeof *file);
    if (file == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = applications_get(&file->row, tx->sql, tx->arena, id);
    if (cl_is_ok(status) && party != NULL) {
        status = check_reader(&file->row, tx, party);
    }
    if (cl_failed(status)) {
        return status;
    }
    file->rules = rules_find(tx->cases->rule_sets, tx->cases->rule_set_count, file->row.rule_set);
    tracks_in(&file->tracks, &file->row);
    assert(lifecycle_valid(&file->tracks));
    file->checks = file->tracks.checks;
    *out = file;
    return cl_ok();
}

struct cl_status file_open_request(struct case_file **out, struct case_tx *tx, const struct case_request *request)
{
    bool of_the_centre = request->sender_kind == CL_PARTY_OFFICER ||
                         strcmp(request->sender, tx->cases->centre->party) == 0; /* not another fund */
    return file_open(out, tx, request->application_id, of_the_centre ? NULL : request->sender);
}

struct cl_status file_kept_body(const ProtobufCMessage **out, struct case_tx *tx, const struct cl_digest *digest,
                                const ProtobufCMessageDescriptor *descriptor)
{
    struct message_row message;
    bool found = false;
    struct cl_status status = messages_get(&found, &message, tx->sql, tx->arena, digest);
    if (cl_failed(status)) {
        return status;
    }
    if (!found) {
        return cl_fail(CL_INTERNAL);
    }
    ProtobufCMessage *body = NULL;
    status = convert_kept_body(&body, tx->arena, message.envelope, descriptor);
    if (cl_failed(status)) {
        return status;
    }
    *out = body;
    return cl_ok();
}

static struct cl_status load_personal(struct application *application, struct case_tx *tx, const char *id)
{
    struct vault_values values;
    struct cl_status status = vault_list(&values, tx->sql, tx->cases->vault, tx->arena, id);
    if (cl_failed(status)) {
        return status;
    }
    if (values.count == 0) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    Coloan__V1__Disclosure **list = cl_arena_array(tx->arena, values.count, sizeof *list);
    Coloan__V1__Disclosure *rows = cl_arena_array(tx->arena, values.count, sizeof *rows);
    if (list == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < values.count; i++) {
        convert_disclosure(&rows[i], &values.values[i]);
        list[i] = &rows[i];
    }
    return convert_personal(application, tx->arena, list, values.count);
}

static struct cl_status load_application(struct case_file *file, struct case_tx *tx)
{
    const ProtobufCMessage *body = NULL;
    struct cl_status status = file_kept_body(&body, tx, &file->row.submission, &coloan__v1__application__descriptor);
    if (cl_failed(status)) {
        return status;
    }
    struct field_path ignored;
    status = convert_application(&file->application, &ignored, (const Coloan__V1__Application *)body);
    if (cl_failed(status)) {
        return cl_fail(CL_INTERNAL);
    }
    file->application.bank = file->row.bank; /* the one that lends now */
    status = consent_load(&file->application, tx->sql, tx->arena, file->row.id, tx->now_ms);
    if (cl_is_ok(status)) {
        status = load_personal(&file->application, tx, file->row.id);
    }
    for (size_t i = 0; cl_is_ok(status) && i < file->application.person_count; i++) {
        struct person *person = &file->application.persons[i];
        status = person_identify(person, person->id_number, tx->cases->centre->accept_synthetic_ids);
    }
    return status;
}

static struct cl_status read_results(struct case_file *file, struct case_tx *tx, const struct item_rows *items)
{
    assert(items->count <= CL_ITEM_RESULTS_MAX);
    file->result_count = 0;
    for (size_t i = 0; i < items->count; i++) {
        if (items->rows[i].outcome == ITEM_OPEN) {
            continue;
        }
        size_t place = file->result_count++;
        struct cl_status status =
            convert_kept_result(&file->results[place], &file->kept_results[place], tx->arena, items->rows[i].result);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

static bool is_opened(const struct item_rows *items, enum item item)
{
    for (size_t i = 0; i < items->count; i++) {
        if (items->rows[i].item == (int)item) {
            return true;
        }
    }
    return false;
}

/* What is not checked for the decision is what was not opened then; later phases go by the configuration of today. */
static uint64_t unused_items(const struct item_rows *opened, uint64_t configured)
{
    uint64_t unused = configured;
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        if ((catalogue_row((enum item)item)->phases & PHASE_BIT(PHASE_DECISION)) == 0) {
            continue;
        }
        unused &= ~ITEM_BIT(item);
        unused |= is_opened(opened, (enum item)item) ? 0 : ITEM_BIT(item);
    }
    return unused;
}

struct cl_status file_load_results(struct case_file *file, struct case_tx *tx, enum item_phase phase)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, (int)phase);
    return cl_is_ok(status) ? read_results(file, tx, &items) : status;
}

struct cl_status file_load_facts(struct case_file *file, struct case_tx *tx)
{
    struct cl_status status = load_application(file, tx);
    if (cl_failed(status)) {
        return status;
    }
    struct item_rows items;
    status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DECISION);
    if (cl_failed(status)) {
        return status;
    }
    file->application.items_unused = unused_items(&items, tx->cases->centre->items_unused);
    return read_results(file, tx, &items);
}

/* -- Changing ------------------------------------------------------------------------------------------------ */

struct cl_status file_rules(const struct rule_set **out, const struct case_file *file)
{
    if (file->rules == NULL) {
        return cl_fail(CL_INTERNAL); /* coloand keeps the sets of all open cases loaded */
    }
    *out = file->rules;
    return cl_ok();
}

struct cl_status file_agreed(struct offer *out, const struct case_file *file, struct case_tx *tx)
{
    bool found = false;
    struct offer_row row;
    struct cl_status status = offers_get(&found, &row, tx->sql, tx->arena, file->row.id, file->row.offer_version);
    if (cl_failed(status)) {
        return status;
    }
    return found ? convert_terms_in(out, tx->arena, row.terms) : cl_fail(CL_INTERNAL);
}

bool file_tells(const struct case_events *events, enum case_event event)
{
    for (size_t i = 0; i < events->count; i++) {
        if (events->list[i] == event) {
            return true;
        }
    }
    return false;
}

/* The fund's time to decide stands still while the borrower has to act, and begins anew when a decided case is opened
 * again. */
static void keep_clock(struct case_file *file, const struct case_tracks *from, int64_t now_ms)
{
    struct application_row *row = &file->row;
    bool waits = file->tracks.fund == FUND_SUPPLEMENT;
    if (waits && row->clock_stopped_ms == 0) {
        row->clock_stopped_ms = now_ms;
    }
    if (!waits && row->clock_stopped_ms != 0) {
        row->clock_from_ms += now_ms - row->clock_stopped_ms;
        row->clock_stopped_ms = 0;
    }
    if (file->tracks.round > from->round) {
        row->clock_from_ms = now_ms;
    }
}

/* Items that come in one by one are no step of their own unless they move the case; the items tell of themselves. */
static struct cl_status log_step(const struct case_file *file, struct case_tx *tx, const struct case_tracks *from,
                                 const struct case_input *input, const struct transition *moved_by)
{
    if (input->command == COMMAND_SETTLE_ITEM && from->fund == file->tracks.fund) {
        return cl_ok();
    }
    enum case_track track = lifecycle_track_of(moved_by);
    struct case_log_row row = {
        .application_id = file->row.id,
        .at_ms = tx->now_ms,
        .actor = tx->by,
        .message = tx->message,
        .command = (int)input->command,
        .track = (int)track,
        .origin = moved_by->from,
        .state = (int)lifecycle_state(&file->tracks),
        .fund = (int)file->tracks.fund,
        .bank_track = (int)file->tracks.bank,
        .registry = (int)file->tracks.registry,
    };
    return case_log_add(tx->tx, &row);
}

static void counts_out(struct application_row *row, const struct case_tracks *tracks, const struct item_counts *counts)
{
    row->items_total = tracks->items.total;
    row->items_open = tracks->items.open;
    row->items_bank = tracks->items.bank;
    row->items_by_person = tracks->items.officer;
    row->items_by_machine = counts->by_outcome[ITEM_PASS] + counts->by_outcome[ITEM_FAIL] - counts->by_person;
}

struct cl_status file_move(struct case_file *file, struct case_tx *tx, struct case_events *events_out,
                           enum case_command command)
{
    struct item_counts counts;
    const struct rule_set *rules = NULL;
    struct cl_status status = items_count(&counts, tx->sql, file->row.id, PHASE_DECISION);
    if (cl_is_ok(status)) {
        status = file_rules(&rules, file);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct case_input input = {
        .command = command,
        .items = {.total = counts.total,
                  .open = counts.by_outcome[ITEM_OPEN],
                  .bank = counts.open_by_owner[OWNER_BANK],
                  .officer = counts.by_outcome[ITEM_MANUAL]},
        .checks = file->checks,
        .offer_versions_max = (uint32_t)rules->offer_versions_max,
    };
    struct case_tracks from = file->tracks;
    const struct transition *moved_by = lifecycle_row(&from, &input);
    status = lifecycle_apply(&file->tracks, events_out, &input);
    if (cl_failed(status)) {
        return status;
    }
    counts_out(&file->row, &file->tracks, &counts);
    keep_clock(file, &from, tx->now_ms);
    file_derive(file, tx->now_ms);
    return log_step(file, tx, &from, &input, moved_by);
}

void file_derive(struct case_file *file, int64_t now_ms)
{
    struct application_row *row = &file->row;
    row->fund = (int)file->tracks.fund;
    row->bank_track = (int)file->tracks.bank;
    row->registry = (int)file->tracks.registry;
    row->offer_version = file->tracks.offer_version;
    row->counters = file->tracks.counters;
    row->round = file->tracks.round;
    row->checks_total = file->tracks.checks.total;
    row->checks_open = file->tracks.checks.open;
    row->checks_bad = file->tracks.checks.bad;
    row->completion_awaited = file->tracks.checks.completion_awaited;
    row->state = (int)lifecycle_state(&file->tracks);
    row->outcome = (int)lifecycle_outcome(&file->tracks);
    row->next_actor = (int)lifecycle_next_actor(&file->tracks);
    row->deadline_ms = deadline_of(file, row->deadline_ms);
    row->changed_ms = now_ms;
}

struct cl_status file_save(struct case_file *file, struct case_tx *tx)
{
    file_derive(file, tx->now_ms);
    struct cl_status status = applications_update(tx->tx, &file->row);
    if (cl_is_ok(status)) {
        status = deadline_arm(file, tx);
    }
    if (cl_is_ok(status) && lifecycle_frees_persons(&file->tracks)) {
        status = applications_release_persons(tx->tx, file->row.id);
    }
    return cl_is_ok(status) ? tasks_follow(file, tx) : status;
}

struct cl_status file_reply(ProtobufCMessage **reply_out, const struct case_file *file, struct case_tx *tx)
{
    Coloan__V1__ApplicationStatus *told = NULL;
    struct cl_status status = file_status(&told, tx->arena, &file->row);
    if (cl_failed(status)) {
        return status;
    }
    tx->effect->application_id = file->row.id;
    *reply_out = &told->base;
    return cl_ok();
}

/* Reasons are kept as an ApplicationStatus that holds nothing else. */
struct cl_status file_set_reasons(struct case_file *file, struct case_tx *tx, const struct decision_reason *reasons,
                                  size_t count)
{
    Coloan__V1__ApplicationStatus keep = COLOAN__V1__APPLICATION_STATUS__INIT;
    struct cl_status status = convert_reasons(&keep.reasons, tx->arena, reasons, count);
    if (cl_failed(status)) {
        return status;
    }
    keep.n_reasons = count;
    return cl_pack(&file->row.reasons, tx->arena, &keep.base);
}

/* -- Telling ------------------------------------------------------------------------------------------------- */

struct cl_status file_status(Coloan__V1__ApplicationStatus **out, struct cl_arena *arena,
                             const struct application_row *row)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_unpack(&message, arena, &coloan__v1__application_status__descriptor, row->reasons);
    Coloan__V1__ItemProgress *progress = cl_arena_alloc(arena, sizeof *progress);
    if (cl_failed(status) || progress == NULL) {
        return progress == NULL || status.reason == CL_MEMORY_LIMIT ? cl_fail(CL_MEMORY_LIMIT) : cl_fail(CL_INTERNAL);
    }
    coloan__v1__item_progress__init(progress);
    progress->total = row->items_total;
    progress->by_machine = row->items_by_machine;
    progress->by_person = row->items_total - row->items_open - row->items_by_machine;
    progress->open = row->items_open;

    Coloan__V1__ApplicationStatus *told = (Coloan__V1__ApplicationStatus *)message;
    told->application_id = cl_arena_text(arena, row->id);
    told->external_ref = cl_arena_text(arena, row->external_ref);
    told->bank = cl_arena_text(arena, row->bank);
    told->bank_epoch = row->bank_epoch;
    told->state = (Coloan__V1__CaseState)row->state;
    told->fund = (Coloan__V1__FundTrack)row->fund;
    told->bank_track = (Coloan__V1__BankTrack)row->bank_track;
    told->registry = (Coloan__V1__RegistryTrack)row->registry;
    told->items = progress;
    told->next_actor = (Coloan__V1__Actor)row->next_actor;
    told->deadline_ms = row->deadline_ms;
    told->offer_version = row->offer_version;
    told->submitted_ms = row->submitted_ms;
    told->changed_ms = row->changed_ms;
    told->outcome = (Coloan__V1__Outcome)row->outcome;
    told->rule_set = cl_arena_text(arena, row->rule_set);
    told->bank_changes = row->bank_changes;
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = told;
    return cl_ok();
}
