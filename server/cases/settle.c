#include "server/cases/settle.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "server/cases/consent.h"
#include "server/cases/convert.h"
#include "server/cases/events.h"
#include "server/cases/fund.h"
#include "server/cases/letters.h"
#include "server/source/source.h"
#include "server/store/nodes.h"

#define SETTLE_CENTRE "centre" /* the authority of what the centre settles by itself, as in the catalogue */

/* -- Opening and settling ------------------------------------------------------------------------------------ */

static struct cl_status pack_result(struct cl_bytes *out, struct case_tx *tx, const struct item_result *result,
                                    const struct settle_source *source)
{
    Coloan__V1__VerificationResult *message = NULL;
    struct cl_status status = convert_result_out(&message, tx->arena, result, source->authority, source->receipt);
    if (cl_failed(status)) {
        return status;
    }
    message->phase = (Coloan__V1__ItemPhase)source->phase;
    return cl_pack(out, tx->arena, &message->base);
}

struct cl_status settle_row(struct item_row *out, const struct case_file *file, struct case_tx *tx,
                            const struct item_result *result, const struct settle_source *source)
{
    struct cl_bytes packed = {NULL, 0};
    if (result->outcome != ITEM_OPEN) {
        struct cl_status status = pack_result(&packed, tx, result, source);
        if (cl_failed(status)) {
            return status;
        }
    }
    *out = (struct item_row){
        .application_id = file->row.id,
        .phase = (int)source->phase,
        .item = (int)result->key.item,
        .person = result->key.person,
        .owner = (int)source->owner,
        .outcome = (int)result->outcome,
        .failure = (int)result->failure,
        .settled_ms = result->outcome == ITEM_OPEN ? 0 : tx->now_ms,
        .valid_until_ms = result->valid_until_ms,
        .result = packed,
    };
    return cl_ok();
}

/* What the centre finds by itself. Consents count only with their letters, where it verifies those: until all are here
 * the item is open, and a bad one authorises nothing. */
static struct cl_status settle_locally(struct item_result *out, const struct case_file *file, struct case_tx *tx,
                                       struct item_key key)
{
    enum letters letters = LETTERS_GOOD;
    item_settle_locally(out, &file->application, tx->cases->centre->party, key, tx->now_ms);
    if (key.item != ITEM_CONSENT || out->outcome != ITEM_PASS) {
        return cl_ok();
    }
    struct cl_status status = letters_judge(&letters, tx, file->row.id);
    if (letters == LETTERS_AWAITED) {
        *out = (struct item_result){.key = key, .outcome = ITEM_OPEN};
    } else if (letters == LETTERS_BAD) {
        out->outcome = ITEM_FAIL;
        out->failure = FAILURE_NOT_AUTHORISED;
    }
    return status;
}

struct cl_status settle_open_one(struct case_file *file, struct case_tx *tx, enum item_phase phase, struct item_key key)
{
    const struct catalogue_row *catalogue = catalogue_row(key.item);
    struct settle_source source = {
        .phase = phase, .owner = catalogue->owner, .authority = catalogue->authority, .receipt = ""};
    struct item_result result = {.key = key};
    struct item_row row;
    struct cl_status status = catalogue->owner == OWNER_LOCAL ? settle_locally(&result, file, tx, key) : cl_ok();
    if (cl_is_ok(status)) {
        status = settle_row(&row, file, tx, &result, &source);
    }
    return cl_is_ok(status) ? items_insert(tx->tx, &row) : status;
}

struct cl_status settle_open(struct case_file *file, struct case_tx *tx, enum item_phase phase)
{
    struct item_key keys[CL_ITEM_RESULTS_MAX];
    size_t count = catalogue_items_for(keys, &file->application, phase);
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        status = settle_open_one(file, tx, phase, keys[i]);
    }
    return status;
}

struct cl_status settle_item(struct case_file *file, struct case_tx *tx, struct field_path *path_out,
                             const struct item_result *result, const struct settle_source *source)
{
    struct cl_status status = item_result_check(path_out, &file->application, result);
    if (cl_failed(status)) {
        return status;
    }
    struct item_row row;
    status = settle_row(&row, file, tx, result, source);
    return cl_is_ok(status) ? items_settle(tx->tx, &row) : status;
}

void settle_result_of(struct item_result *out, const struct source_question *question)
{
    const struct source_answer *answer = &question->answer;
    *out = (struct item_result){
        .key = {.item = (enum item)question->item, .person = question->person},
        .outcome = (enum item_outcome)answer->outcome,
        .failure = (enum failure_kind)answer->failure,
        .observed_ms = answer->observed_ms,
        .fact_count = answer->fact_count,
    };
    _Static_assert(SOURCE_FACTS_MAX <= ITEM_FACTS_MAX, "an answer's facts have to fit");
    for (size_t i = 0; i < answer->fact_count; i++) {
        const struct source_fact *fact = &answer->facts[i];
        out->facts[i] = (struct item_fact){.name = fact->name, .number = fact->number, .text = fact->text};
    }
    out->valid_until_ms = catalogue_valid_until_ms(catalogue_row(out->key.item), out->observed_ms);
}

/* -- Consents ------------------------------------------------------------------------------------------------ */

static struct cl_status replace(struct case_file *file, struct case_tx *tx, const struct item_row *was,
                                const struct item_result *result)
{
    struct item_row row;
    struct settle_source source = {.phase = (enum item_phase)was->phase,
                                   .owner = (enum item_owner)was->owner,
                                   .authority = SETTLE_CENTRE,
                                   .receipt = ""};
    struct cl_status status = settle_row(&row, file, tx, result, &source);
    return cl_is_ok(status) ? items_replace(tx->tx, &row) : status;
}

/* What an item other than CONSENT has to become with the consents in force; false: nothing else. */
static bool judge_by_consents(struct item_result *out, const struct case_file *file, const struct case_tx *tx,
                              const struct item_row *row, bool given)
{
    const char *centre = tx->cases->centre->party;
    struct item_key key = {.item = (enum item)row->item, .person = row->person};
    bool allowed = consent_allows(&file->application, centre, key.item, key.person);
    bool unauthorised = row->outcome == ITEM_FAIL && row->failure == FAILURE_NOT_AUTHORISED;
    if (row->outcome == ITEM_OPEN && !allowed) {
        *out = (struct item_result){
            .key = key, .outcome = ITEM_FAIL, .failure = FAILURE_NOT_AUTHORISED, .observed_ms = tx->now_ms};
        out->valid_until_ms = catalogue_valid_until_ms(catalogue_row(key.item), tx->now_ms);
        return true;
    }
    *out = (struct item_result){.key = key, .outcome = ITEM_OPEN};
    return given && unauthorised && allowed;
}

static struct cl_status adjust(struct case_file *file, struct case_tx *tx, const struct item_row *row, bool given)
{
    struct item_result result;
    bool changes = row->item == (int)ITEM_CONSENT;
    struct cl_status status = cl_ok();
    if (changes) {
        struct item_key key = {.item = ITEM_CONSENT, .person = row->person};
        status = settle_locally(&result, file, tx, key);
    } else {
        changes = judge_by_consents(&result, file, tx, row, given);
    }
    return cl_is_ok(status) && changes ? replace(file, tx, row, &result) : status;
}

struct cl_status settle_consents(struct case_file *file, struct case_tx *tx, bool given)
{
    struct item_rows items;
    struct cl_status status = consent_load(&file->application, tx->sql, tx->arena, file->row.id, tx->now_ms);
    if (cl_is_ok(status)) {
        status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DECISION);
    }
    for (size_t i = 0; cl_is_ok(status) && i < items.count; i++) {
        status = adjust(file, tx, &items.rows[i], given);
    }
    return status;
}

/* -- Opening again ------------------------------------------------------------------------------------------- */

struct cl_status settle_reopen(struct case_file *file, struct case_tx *tx, settle_concerned *concerned, void *user)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DECISION);
    for (size_t i = 0; cl_is_ok(status) && i < items.count; i++) {
        const struct item_row *row = &items.rows[i];
        struct item_result result = {.key = {.item = (enum item)row->item, .person = row->person}};
        if (!concerned(user, file, row)) {
            continue;
        }
        if (row->owner == (int)OWNER_LOCAL) {
            status = settle_locally(&result, file, tx, result.key);
        }
        status = cl_is_ok(status) ? replace(file, tx, row, &result) : status;
    }
    return status;
}

static bool has_run_out(void *user, const struct case_file *file, const struct item_row *row)
{
    (void)file;
    return row->owner == (int)OWNER_FUND && row->outcome != ITEM_OPEN && row->valid_until_ms < *(const int64_t *)user;
}

struct cl_status settle_refresh(struct case_file *file, struct case_tx *tx)
{
    return settle_reopen(file, tx, has_run_out, &tx->now_ms);
}

static bool is_banks(void *user, const struct case_file *file, const struct item_row *row)
{
    (void)user;
    (void)file;
    return row->owner == (int)OWNER_BANK;
}

struct cl_status settle_reopen_banks(struct case_file *file, struct case_tx *tx)
{
    return settle_reopen(file, tx, is_banks, NULL);
}

static bool waits_for_authority(const struct item_row *row)
{
    return row->outcome == ITEM_OPEN && row->owner == (int)OWNER_FUND;
}

struct cl_status settle_is_barred(bool *out, const struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DECISION);
    if (cl_failed(status)) {
        return status;
    }
    *out = false;
    for (size_t i = 0; i < items.count; i++) {
        const struct item_row *row = &items.rows[i];
        bool allowed = consent_allows(&file->application, tx->cases->centre->party, (enum item)row->item, row->person);
        *out = *out || (waits_for_authority(row) && !allowed);
    }
    return cl_ok();
}

/* -- What follows -------------------------------------------------------------------------------------------- */

struct cl_status settle_finish(struct case_file *file, struct case_tx *tx)
{
    struct case_events events;
    struct cl_status status = file_move(file, tx, &events, COMMAND_SETTLE_ITEM);
    if (cl_failed(status)) {
        return status;
    }
    if (lifecycle_may_decide(&file->tracks)) {
        status = fund_decide(file, tx);
    } else if (file_tells(&events, EVENT_STATUS)) {
        status = event_write_status(tx, &file->row);
    }
    return cl_is_ok(status) ? file_save(file, tx) : status;
}

struct cl_status settle_go_on(struct case_file *file, struct case_tx *tx)
{
    struct cl_status status = lifecycle_may_decide(&file->tracks) ? fund_decide(file, tx) : settle_ask(file, tx);
    return cl_is_ok(status) ? file_save(file, tx) : status;
}

/* -- Asking -------------------------------------------------------------------------------------------------- */

/* One in force: an ended consent is never shown to an authority, which then is not asked (AUT-CONSENT, to an officer). */
static const struct consent *consent_of(const struct application *application, unsigned person,
                                        enum consent_purpose purpose, const char *receiver, int64_t now_ms)
{
    for (size_t i = 0; i < application->consent_count; i++) {
        const struct consent *consent = &application->consents[i];
        if (consent->person == person && consent->purpose == purpose && now_ms < consent->until_ms &&
            strcmp(consent->receiver, receiver) == 0) {
            return consent;
        }
    }
    return NULL;
}

/* 1 + index of the other half of a declared marriage; 0: none declared. */
static unsigned spouse_of(const struct application *application, unsigned person)
{
    enum person_role role = application->persons[person].role;
    enum person_role other = role == PERSON_BORROWER ? PERSON_SPOUSE : PERSON_BORROWER;
    if (role == PERSON_CO_BORROWER) {
        return 0;
    }
    for (unsigned i = 0; i < application->person_count; i++) {
        if (application->persons[i].role == other) {
            return i + 1;
        }
    }
    return 0;
}

static struct cl_status text_in(char *out, size_t size, const char *text)
{
    return text == NULL ? cl_ok() : source_text(out, size, text, strlen(text));
}

static struct cl_status person_in(struct source_person *out, const struct application *application, unsigned index,
                                  const char *centre, int64_t now_ms)
{
    const struct person *person = &application->persons[index];
    struct cl_status status = text_in(out->name, sizeof out->name, person->name);
    if (cl_is_ok(status)) {
        status = text_in(out->id_number, sizeof out->id_number, person->id_number);
    }
    const struct consent *consent = consent_of(application, index, CONSENT_CREDIT_REPORT, centre, now_ms);
    if (cl_is_ok(status) && consent != NULL) {
        status = text_in(out->credit_authorisation, sizeof out->credit_authorisation, consent->consent_id);
    }
    if (cl_is_ok(status)) {
        status = text_in(out->mobile, sizeof out->mobile, person->mobile);
    }
    if (cl_is_ok(status)) {
        status = text_in(out->employer_uscc, sizeof out->employer_uscc, person->employer_uscc);
    }
    if (cl_is_ok(status)) {
        status = text_in(out->contribution_centre, sizeof out->contribution_centre, person->contribution_centre);
    }
    if (cl_is_ok(status)) {
        status = text_in(out->face_token, sizeof out->face_token, person->face_token);
    }
    out->id_valid_until = person->id_valid_until;
    out->spouse = spouse_of(application, index);
    out->buyer = person->role != PERSON_CO_BORROWER;
    out->household = person->role != PERSON_CO_BORROWER;
    return status;
}

static struct cl_status home_in(struct source_home *out, const struct application *application)
{
    const struct home *home = &application->home;
    const struct {
        char *out;
        size_t size;
        const char *text;
    } texts[] = {
        {out->contract_no, sizeof out->contract_no, home->contract_no},
        {out->district_code, sizeof out->district_code, home->district_code},
        {out->unit_no, sizeof out->unit_no, home->unit_no},
        {out->permit_no, sizeof out->permit_no, home->permit_no},
        {out->account, sizeof out->account, application->account},
    };
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < sizeof texts / sizeof texts[0]; i++) {
        status = text_in(texts[i].out, texts[i].size, texts[i].text);
    }
    return status;
}

static struct cl_status subject_in(struct source_inquiry *out, const struct case_file *file, const char *centre,
                                   int64_t now_ms)
{
    const struct application *application = &file->application;
    struct cl_status status = text_in(out->application_id, sizeof out->application_id, file->row.id);
    if (cl_is_ok(status)) {
        status = home_in(&out->home, application);
    }
    out->person_count = application->person_count;
    for (unsigned i = 0; cl_is_ok(status) && i < application->person_count; i++) {
        status = person_in(&out->persons[i], application, i, centre, now_ms);
    }
    return status;
}

/* On how many days another case may use the answer; what is checked again before the money is paid is asked anew. */
static unsigned reuse_days_of(enum item item)
{
    const struct catalogue_row *row = catalogue_row(item);
    switch (row->reuse) {
    case REUSE_SAME_DAY:
        return 1;
    case REUSE_VALID:
        return (unsigned)row->valid_days + 1;
    case REUSE_NEVER:
        break;
    }
    return 0;
}

static struct cl_status add_question(struct source_inquiry *inquiry, const struct settle_question *question)
{
    /* The catalogue counts validity in calendar days, so the source need not know it. */
    struct cl_status status =
        source_inquiry_add(inquiry, (enum source_item)question->key.item, question->key.person, 0);
    if (cl_failed(status)) {
        return cl_fail(CL_INTERNAL);
    }
    struct source_question *added = &inquiry->questions[inquiry->question_count - 1];
    added->phase = (int)question->phase;
    added->reuse_days = question->phase == PHASE_DECISION ? reuse_days_of(question->key.item) : 0;
    return cl_ok();
}

struct cl_status settle_inquire(struct source_inquiry **out, const struct case_file *file, const struct case_tx *tx,
                                const struct settle_question *questions, size_t count)
{
    struct source_inquiry *inquiry = NULL;
    struct cl_status status = source_inquiry_create(&inquiry, count);
    if (cl_failed(status)) {
        return status;
    }
    status = subject_in(inquiry, file, tx->cases->centre->party, tx->now_ms);
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        status = add_question(inquiry, &questions[i]);
    }
    if (cl_failed(status)) {
        source_inquiry_free(inquiry);
        return status;
    }
    *out = inquiry;
    return cl_ok();
}

struct cl_status settle_ask(struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, ITEM_PHASE_ANY);
    if (cl_failed(status)) {
        return status;
    }
    struct settle_question questions[CL_ITEM_RESULTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < items.count && count < CL_ITEM_RESULTS_MAX; i++) {
        const struct item_row *row = &items.rows[i];
        bool allowed = consent_allows(&file->application, tx->cases->centre->party, (enum item)row->item, row->person);
        if (waits_for_authority(row) && row->phase != (int)PHASE_REGISTRATION && allowed) {
            questions[count++] = (struct settle_question){.phase = (enum item_phase)row->phase,
                                                          .key = {.item = (enum item)row->item, .person = row->person}};
        }
    }
    if (count == 0) {
        return cl_ok();
    }
    status = settle_inquire(&tx->effect->inquiry, file, tx, questions, count);
    bool several = tx->cases->node != NULL;
    return cl_is_ok(status) && several ? nodes_claim(tx->tx, tx->cases->node, file->row.id) : status;
}
