/* SupplementApplication: the borrower added and mended what was asked for. The message holds the whole application as it
 * is now; from here on it is the submission of the case.
 *
 * An item whose question is still the same keeps its answer. Those about persons or a home that changed, those that did
 * not pass, and the bank's, which gets the application anew, are opened again. */
#include <string.h>

#include "server/cases/intake.h"
#include "server/cases/settle.h"

/* -- Whether ------------------------------------------------------------------------------------------------- */

static struct cl_status check_same_case(const struct case_file *file, struct case_tx *tx,
                                        const struct application *mended)
{
    if (strcmp(mended->external_ref, file->row.external_ref) != 0) {
        return case_blame(tx, CL_FIELD_INVALID, "external_ref");
    }
    if (strcmp(mended->bank, file->row.bank) != 0) {
        return case_blame(tx, CL_BANK_UNKNOWN, "bank");
    }
    if (strcmp(mended->persons[0].id_number, file->application.persons[0].id_number) != 0) {
        return case_blame(tx, CL_PERSONS_INVALID, "persons[0].id_number"); /* somebody else's is another application */
    }
    return cl_ok();
}

/* -- What changed -------------------------------------------------------------------------------------------- */

struct change {
    struct application was;
    bool persons[CL_PERSONS_MAX];  /* what is asked about this person is not what was asked */
    bool replaced[CL_PERSONS_MAX]; /* it is another person, or nobody stood here */
    bool household;                /* any of them, or their number */
    bool home;
};

static bool same_text(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static bool same_person(const struct person *a, const struct person *b)
{
    return a->role == b->role && a->declared_marital_status == b->declared_marital_status &&
           a->contributes == b->contributes && a->staff_category == b->staff_category &&
           a->id_valid_until == b->id_valid_until && same_text(a->name, b->name) &&
           same_text(a->id_number, b->id_number) && same_text(a->mobile, b->mobile) &&
           same_text(a->employer_uscc, b->employer_uscc) && same_text(a->contribution_centre, b->contribution_centre) &&
           same_text(a->face_token, b->face_token);
}

static bool same_home(const struct home *a, const struct home *b)
{
    return a->kind == b->kind && a->presale == b->presale && a->price_fen == b->price_fen &&
           a->appraisal_fen == b->appraisal_fen && a->area_centi_m2 == b->area_centi_m2 &&
           a->built_year == b->built_year && same_text(a->contract_no, b->contract_no) &&
           same_text(a->unit_no, b->unit_no) && same_text(a->district_code, b->district_code) &&
           same_text(a->seller_uscc, b->seller_uscc) && same_text(a->permit_no, b->permit_no);
}

static void compare(struct change *change, const struct application *now)
{
    const struct application *was = &change->was;
    change->household = was->person_count != now->person_count;
    for (size_t i = 0; i < now->person_count; i++) {
        bool stood = i < was->person_count;
        change->replaced[i] = !stood || !same_text(was->persons[i].id_number, now->persons[i].id_number);
        change->persons[i] = !stood || !same_person(&was->persons[i], &now->persons[i]);
        change->household = change->household || change->persons[i];
    }
    change->home = !same_home(&was->home, &now->home) || !same_text(was->account, now->account);
}

/* -- Items --------------------------------------------------------------------------------------------------- */

static bool is_concerned(void *user, const struct case_file *file, const struct item_row *row)
{
    const struct change *change = user;
    const struct catalogue_row *catalogue = catalogue_row((enum item)row->item);
    (void)file;
    if (row->outcome != ITEM_PASS || catalogue->owner != OWNER_FUND) {
        return true;
    }
    /* A marriage is asked about with the spouse's name. */
    bool of_household = !catalogue->per_person || row->item == ITEM_MARRIAGE || row->item == ITEM_MARRIAGE_PAIR;
    bool of_person = catalogue->per_person && change->persons[row->person];
    return of_person || (of_household && change->household) || (!catalogue->per_person && change->home);
}

static bool is_among(const struct item_rows *items, struct item_key key)
{
    for (size_t i = 0; i < items->count; i++) {
        if (items->rows[i].item == (int)key.item && items->rows[i].person == key.person) {
            return true;
        }
    }
    return false;
}

/* The items of the mended application: those that apply no more go, new ones are opened. */
static struct cl_status match_items(struct case_file *file, struct case_tx *tx)
{
    struct item_rows items;
    struct item_key keys[CL_ITEM_RESULTS_MAX];
    size_t count = catalogue_items_for(keys, &file->application, PHASE_DECISION);
    struct cl_status status = items_list(&items, tx->sql, tx->arena, file->row.id, PHASE_DECISION);
    for (size_t i = 0; cl_is_ok(status) && i < items.count; i++) {
        struct item_key key = {.item = (enum item)items.rows[i].item, .person = items.rows[i].person};
        if (!catalogue_applies(&file->application, key)) {
            status = items_remove(tx->tx, &items.rows[i]);
        }
    }
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        if (!is_among(&items, keys[i])) {
            status = settle_open_one(file, tx, PHASE_DECISION, keys[i]);
        }
    }
    return status;
}

/* -- The supplement ------------------------------------------------------------------------------------------ */

static struct cl_status take(struct case_file *file, struct case_tx *tx, const struct case_request *request,
                             struct change *change)
{
    file->row.submission = request->opened->digest;
    struct cl_status status = applications_update(tx->tx, &file->row); /* consents and values are looked up by it */
    if (cl_is_ok(status)) {
        status = intake_claim_persons(file, tx);
    }
    if (cl_is_ok(status)) {
        status = intake_keep_personal(file, tx, request);
    }
    if (cl_is_ok(status)) {
        status = intake_keep_consents(file, tx, request, change->replaced);
    }
    if (cl_is_ok(status)) {
        status = match_items(file, tx);
    }
    if (cl_is_ok(status)) {
        status = settle_reopen(file, tx, is_concerned, change);
    }
    if (cl_is_ok(status)) {
        status = settle_refresh(file, tx);
    }
    if (cl_is_ok(status)) {
        status = settle_consents(file, tx, true);
    }
    return cl_is_ok(status) ? file_set_reasons(file, tx, NULL, 0) : status;
}

static struct cl_status go_on(struct case_file *file, struct case_tx *tx, const struct case_request *request)
{
    struct case_events events;
    struct cl_bytes stored;
    struct cl_status status = file_move(file, tx, &events, COMMAND_SUPPLEMENT);
    if (cl_is_ok(status)) {
        status = cl_opened_stored(&stored, tx->arena, request->opened);
    }
    if (cl_is_ok(status)) {
        status = intake_tell_bank(file, tx, stored);
    }
    return cl_is_ok(status) ? settle_go_on(file, tx) : status;
}

struct cl_status case_supplement(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    struct case_file *file = NULL;
    struct application *mended = cl_arena_alloc(tx->arena, sizeof *mended);
    struct change *change = cl_arena_alloc(tx->arena, sizeof *change);
    if (mended == NULL || change == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_is_ok(status) && file->tracks.fund != FUND_SUPPLEMENT) {
        status = cl_fail(CL_STATE_CONFLICT);
    }
    if (cl_is_ok(status)) {
        status = intake_read(mended, tx, request);
    }
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        status = check_same_case(file, tx, mended);
    }
    if (cl_failed(status)) {
        return status;
    }
    *change = (struct change){.was = file->application};
    file->application = *mended;
    compare(change, mended);
    status = take(file, tx, request, change);
    if (cl_is_ok(status)) {
        status = go_on(file, tx, request);
    }
    return cl_is_ok(status) ? file_reply(reply_out, file, tx) : status;
}
