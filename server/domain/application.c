#include "server/domain/application.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/date.h"

/* Every check returns a status and leaves the path of the field to blame in the `checking` it is handed. */
struct checking {
    const struct intake *intake;
    struct field_path path;
};

static struct cl_status blame(struct checking *checking, enum cl_reason reason, const char *path)
{
    (void)snprintf(checking->path.text, sizeof checking->path.text, "%s", path);
    return cl_fail(reason);
}

static struct cl_status blame_in(struct checking *checking, enum cl_reason reason, const char *list, size_t index,
                                 const char *field)
{
    (void)snprintf(checking->path.text, sizeof checking->path.text, "%s[%zu]%s%s", list, index,
                   field[0] != '\0' ? "." : "", field);
    return cl_fail(reason);
}

/* FIELD_MISSING when empty, FIELD_INVALID when longer than `bytes_max`. */
static struct cl_status check_text(const char *text, size_t bytes_max)
{
    if (text == NULL || text[0] == '\0') {
        return cl_fail(CL_FIELD_MISSING);
    }
    return strnlen(text, bytes_max + 1) <= bytes_max ? cl_ok() : cl_fail(CL_FIELD_INVALID);
}

static struct cl_status check_digest(struct cl_bytes digest)
{
    if (digest.len == 0) {
        return cl_fail(CL_FIELD_MISSING);
    }
    return digest.len == CL_DIGEST_BYTES ? cl_ok() : cl_fail(CL_FIELD_INVALID);
}

/* -- Persons ------------------------------------------------------------------------------------------------- */

struct cl_status person_identify(struct person *person, const char *id_number, bool accept_synthetic_ids)
{
    struct cl_id_number number;
    struct cl_status status = cl_id_number_read(&number, id_number, accept_synthetic_ids);
    if (cl_failed(status)) {
        return status;
    }
    person->birth_date = number.birth_date;
    person->sex = number.sex;
    return cl_ok();
}

static struct cl_status check_person_enums(struct checking *checking, const struct person *person, size_t index)
{
    if (person->role < PERSON_BORROWER || person->role > PERSON_CO_BORROWER) {
        return blame_in(checking, CL_ENUM_UNKNOWN, "persons", index, "role");
    }
    if (person->declared_marital_status < MARITAL_SINGLE || person->declared_marital_status > MARITAL_WIDOWED) {
        return blame_in(checking, CL_ENUM_UNKNOWN, "persons", index, "declared_marital_status");
    }
    if (person->staff_category < STAFF_UNSPECIFIED || person->staff_category > STAFF_CADRE) {
        return blame_in(checking, CL_ENUM_UNKNOWN, "persons", index, "staff_category");
    }
    return cl_ok();
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool all_in(const char *text, const char *characters)
{
    return text[strspn(text, characters)] == '\0';
}

static bool printable(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return false;
        }
    }
    return true;
}

/* What widens the checks when it is given. */
static struct cl_status check_person_options(struct checking *checking, const struct person *person, size_t index)
{
    if (is_given(person->employer_uscc) && cl_failed(cl_uscc_check(person->employer_uscc))) {
        return blame_in(checking, CL_USCC_INVALID, "persons", index, "employer_uscc");
    }
    const char *centre = person->contribution_centre;
    bool centre_ok = is_given(centre) && strnlen(centre, APPLICATION_CENTRE_DIGITS + 1) == APPLICATION_CENTRE_DIGITS &&
                     all_in(centre, "0123456789") && person->contributes;
    if (is_given(centre) && !centre_ok) {
        return blame_in(checking, CL_FIELD_INVALID, "persons", index, "contribution_centre");
    }
    int32_t until = person->id_valid_until;
    if (until != 0 && until != APPLICATION_ID_LONG_TERM && !cl_date_valid(until)) {
        return blame_in(checking, CL_FIELD_INVALID, "persons", index, "id_valid_until");
    }
    const char *token = person->face_token;
    if (is_given(token) &&
        (strnlen(token, APPLICATION_TEXT_BYTES_MAX + 1) > APPLICATION_TEXT_BYTES_MAX || !printable(token))) {
        return blame_in(checking, CL_FIELD_INVALID, "persons", index, "face_token");
    }
    return cl_ok();
}

static struct cl_status check_person(struct checking *checking, struct person *person, size_t index)
{
    struct cl_status status = check_person_enums(checking, person, index);
    if (cl_failed(status)) {
        return status;
    }
    status = check_text(person->name, APPLICATION_TEXT_BYTES_MAX);
    if (cl_failed(status)) {
        return blame_in(checking, status.reason, "persons", index, "name");
    }
    status = person_identify(person, person->id_number, checking->intake->accept_synthetic_ids);
    if (cl_failed(status) || person->birth_date > cl_date_from_ms(checking->intake->now_ms)) {
        return blame_in(checking, CL_ID_NUMBER_INVALID, "persons", index, "id_number");
    }
    status = cl_mobile_check(person->mobile);
    if (cl_failed(status)) {
        return blame_in(checking, status.reason, "persons", index, "mobile");
    }
    return check_person_options(checking, person, index);
}

static size_t count_role(const struct application *application, enum person_role role)
{
    size_t count = 0;
    for (size_t i = 0; i < application->person_count; i++) {
        count += application->persons[i].role == role ? 1 : 0;
    }
    return count;
}

/* The borrower first and alone, with an own fund account; a spouse if and only if the borrower declares to be married,
 * and then both do; nobody twice. */
static struct cl_status check_family(struct checking *checking, const struct application *application)
{
    const struct person *borrower = &application->persons[0];
    if (borrower->role != PERSON_BORROWER || count_role(application, PERSON_BORROWER) != 1) {
        return blame(checking, CL_PERSONS_INVALID, "persons");
    }
    if (!borrower->contributes) {
        return blame(checking, CL_PERSONS_INVALID, "persons[0].contributes");
    }
    size_t spouses = borrower->declared_marital_status == MARITAL_MARRIED ? 1 : 0;
    if (count_role(application, PERSON_SPOUSE) != spouses) {
        return blame(checking, CL_PERSONS_INVALID, "persons");
    }
    for (size_t i = 1; i < application->person_count; i++) {
        const struct person *person = &application->persons[i];
        if (person->role == PERSON_SPOUSE && person->declared_marital_status != MARITAL_MARRIED) {
            return blame_in(checking, CL_PERSONS_INVALID, "persons", i, "declared_marital_status");
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(person->id_number, application->persons[j].id_number) == 0) {
                return blame_in(checking, CL_PERSONS_INVALID, "persons", i, "id_number");
            }
        }
    }
    return cl_ok();
}

static struct cl_status check_persons(struct checking *checking, struct application *application)
{
    if (application->person_count < 1 || application->person_count > CL_PERSONS_MAX) {
        return blame(checking, CL_PERSONS_INVALID, "persons");
    }
    for (size_t i = 0; i < application->person_count; i++) {
        struct cl_status status = check_person(checking, &application->persons[i], i);
        if (cl_failed(status)) {
            return status;
        }
    }
    return check_family(checking, application);
}

/* -- Home and request ---------------------------------------------------------------------------------------- */

static struct cl_status check_home_numbers(struct checking *checking, const struct home *home)
{
    int32_t this_year = cl_date_from_ms(checking->intake->now_ms) / 10000;
    if (home->price_fen < 1 || home->price_fen > APPLICATION_AMOUNT_FEN_MAX) {
        return blame(checking, CL_AMOUNT_INVALID, "home.price_fen");
    }
    bool new_with_appraisal = home->kind == HOME_NEW && home->appraisal_fen != 0;
    if (home->appraisal_fen < 0 || home->appraisal_fen > APPLICATION_AMOUNT_FEN_MAX || new_with_appraisal) {
        return blame(checking, CL_AMOUNT_INVALID, "home.appraisal_fen");
    }
    if (home->area_centi_m2 < 1 || home->area_centi_m2 > APPLICATION_AREA_CENTI_M2_MAX) {
        return blame(checking, CL_FIELD_INVALID, "home.area_centi_m2");
    }
    bool year_ok = home->built_year >= CL_DATE_YEAR_MIN && home->built_year <= this_year;
    if (home->built_year != 0 && !year_ok) {
        return blame(checking, CL_FIELD_INVALID, "home.built_year");
    }
    return cl_ok();
}

static struct cl_status check_home(struct checking *checking, const struct home *home)
{
    if (home->kind != HOME_NEW && home->kind != HOME_SECOND_HAND) {
        return blame(checking, CL_ENUM_UNKNOWN, "home.kind");
    }
    if (home->presale && home->kind != HOME_NEW) {
        return blame(checking, CL_FIELD_INVALID, "home.presale");
    }
    struct cl_status status = check_text(home->contract_no, CL_TEXT_BYTES_MAX);
    if (cl_failed(status)) {
        return blame(checking, status.reason, "home.contract_no");
    }
    if (is_given(home->unit_no) && cl_failed(cl_unit_number_check(home->unit_no))) {
        return blame(checking, CL_UNIT_NUMBER_INVALID, "home.unit_no");
    }
    status = cl_district_check(home->district_code, checking->intake->accept_synthetic_ids);
    if (cl_failed(status)) {
        return blame(checking, status.reason, "home.district_code");
    }
    if (is_given(home->seller_uscc) && cl_failed(cl_uscc_check(home->seller_uscc))) {
        return blame(checking, CL_USCC_INVALID, "home.seller_uscc");
    }
    if (home->kind == HOME_NEW && !is_given(home->seller_uscc)) { /* only a developer sells new homes */
        return blame(checking, CL_FIELD_MISSING, "home.seller_uscc");
    }
    bool permit_fits = home->kind == HOME_NEW && cl_is_ok(check_text(home->permit_no, CL_TEXT_BYTES_MAX));
    if (is_given(home->permit_no) && !permit_fits) {
        return blame(checking, CL_FIELD_INVALID, "home.permit_no");
    }
    return check_home_numbers(checking, home);
}

static struct cl_status check_request(struct checking *checking, const struct application *application)
{
    const struct loan_request *request = &application->request;
    if (request->total_fen < 0 || request->total_fen >= application->home.price_fen) {
        return blame(checking, CL_AMOUNT_INVALID, "request.total_fen");
    }
    bool fund_above_total = request->total_fen != 0 && request->fund_fen > request->total_fen;
    if (request->fund_fen < 0 || request->fund_fen >= application->home.price_fen || fund_above_total) {
        return blame(checking, CL_AMOUNT_INVALID, "request.fund_fen");
    }
    if (request->term_months < APPLICATION_TERM_MONTHS_MIN || request->term_months > CL_TERM_MONTHS_MAX) {
        return blame(checking, CL_TERM_INVALID, "request.term_months");
    }
    if (request->method != CL_REPAYMENT_EQUAL_INSTALMENT && request->method != CL_REPAYMENT_EQUAL_PRINCIPAL) {
        return blame(checking, CL_ENUM_UNKNOWN, "request.method");
    }
    return cl_ok();
}

/* -- Consents ------------------------------------------------------------------------------------------------ */

static struct cl_status check_consent(struct checking *checking, const struct application *application, size_t index)
{
    const struct consent *consent = &application->consents[index];
    struct cl_status status = check_text(consent->consent_id, CL_TEXT_BYTES_MAX);
    if (cl_failed(status)) {
        return blame_in(checking, status.reason, "consents", index, "consent_id");
    }
    if (consent->person >= application->person_count) {
        return blame_in(checking, CL_CONSENT_INVALID, "consents", index, "person");
    }
    if (consent->purpose < CONSENT_VERIFY || consent->purpose > CONSENT_SHARE) {
        return blame_in(checking, CL_ENUM_UNKNOWN, "consents", index, "purpose");
    }
    bool to_centre = consent->receiver != NULL && strcmp(consent->receiver, checking->intake->centre) == 0;
    bool to_bank = consent->receiver != NULL && strcmp(consent->receiver, application->bank) == 0;
    if (!to_centre && !to_bank) {
        return blame_in(checking, CL_CONSENT_INVALID, "consents", index, "receiver");
    }
    if (consent->until_ms <= checking->intake->now_ms) {
        return blame_in(checking, CL_CONSENT_INVALID, "consents", index, "until_ms");
    }
    status = check_digest(consent->document_sha256);
    if (cl_failed(status)) {
        return blame_in(checking, status.reason, "consents", index, "document_sha256");
    }
    return cl_ok();
}

static bool consent_given(const struct application *application, unsigned person, enum consent_purpose purpose,
                          const char *receiver, int64_t now_ms)
{
    for (size_t i = 0; i < application->consent_count; i++) {
        const struct consent *consent = &application->consents[i];
        bool same = consent->person == person && consent->purpose == purpose && consent->receiver != NULL &&
                    strcmp(consent->receiver, receiver) == 0;
        if (same && consent->until_ms > now_ms) {
            return true;
        }
    }
    return false;
}

/* To the bank. */
static bool person_consents_to_bank(const struct application *application, unsigned person, int64_t now_ms)
{
    return consent_given(application, person, CONSENT_CREDIT_REPORT, application->bank, now_ms) &&
           consent_given(application, person, CONSENT_SHARE, application->bank, now_ms);
}

/* Each person for each purpose and receiver. */
static bool person_consents(const struct application *application, const char *centre, unsigned person, int64_t now_ms)
{
    return consent_given(application, person, CONSENT_VERIFY, centre, now_ms) &&
           consent_given(application, person, CONSENT_CREDIT_REPORT, centre, now_ms) &&
           person_consents_to_bank(application, person, now_ms);
}

bool consents_in_force(const struct application *application, const char *centre, int64_t now_ms)
{
    for (unsigned person = 0; person < application->person_count; person++) {
        if (!person_consents(application, centre, person, now_ms)) {
            return false;
        }
    }
    return true;
}

/* Each by itself, and no number twice. */
static struct cl_status check_each_consent(struct checking *checking, const struct application *application)
{
    if (application->consent_count > CL_CONSENTS_MAX) {
        return blame(checking, CL_FIELD_INVALID, "consents");
    }
    for (size_t i = 0; i < application->consent_count; i++) {
        struct cl_status status = check_consent(checking, application, i);
        if (cl_failed(status)) {
            return status;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(application->consents[i].consent_id, application->consents[j].consent_id) == 0) {
                return blame_in(checking, CL_CONSENT_INVALID, "consents", i, "consent_id");
            }
        }
    }
    return cl_ok();
}

static struct cl_status check_consents(struct checking *checking, const struct application *application)
{
    struct cl_status status = check_each_consent(checking, application);
    if (cl_failed(status)) {
        return status;
    }
    if (!consents_in_force(application, checking->intake->centre, checking->intake->now_ms)) {
        return blame(checking, CL_CONSENT_MISSING, "consents");
    }
    return cl_ok();
}

static struct cl_status check_bank_consents(struct checking *checking, const struct application *application)
{
    struct cl_status status = check_each_consent(checking, application);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < application->consent_count; i++) {
        if (strcmp(application->consents[i].receiver, application->bank) != 0) {
            return blame_in(checking, CL_CONSENT_INVALID, "consents", i, "receiver");
        }
    }
    for (unsigned person = 0; person < application->person_count; person++) {
        if (!person_consents_to_bank(application, person, checking->intake->now_ms)) {
            return blame(checking, CL_CONSENT_MISSING, "consents");
        }
    }
    return cl_ok();
}

struct cl_status bank_consents_check(struct field_path *path_out, const struct application *application,
                                     const struct intake *intake)
{
    struct checking checking = {.intake = intake, .path = {""}};
    struct cl_status status = check_bank_consents(&checking, application);
    if (cl_failed(status) && path_out != NULL) {
        *path_out = checking.path;
    }
    return status;
}

static struct cl_status check_account(struct checking *checking, const struct application *application)
{
    const char *account = application->account;
    if (!application->has_account) {
        return cl_ok();
    }
    size_t digits = account == NULL ? 0 : strnlen(account, APPLICATION_ACCOUNT_DIGITS_MAX + 1);
    bool fits = digits >= APPLICATION_ACCOUNT_DIGITS_MIN && digits <= APPLICATION_ACCOUNT_DIGITS_MAX &&
                all_in(account, "0123456789");
    return fits ? cl_ok() : blame(checking, CL_FIELD_INVALID, "account");
}

static struct cl_status check_documents(struct checking *checking, const struct application *application)
{
    if (application->document_count > CL_DOCUMENTS_MAX) {
        return blame(checking, CL_FIELD_INVALID, "documents");
    }
    for (size_t i = 0; i < application->document_count; i++) {
        const struct document *document = &application->documents[i];
        struct cl_status status = check_text(document->kind, CL_TEXT_BYTES_MAX);
        if (cl_failed(status)) {
            return blame_in(checking, status.reason, "documents", i, "kind");
        }
        status = check_digest(document->sha256);
        if (cl_failed(status)) {
            return blame_in(checking, status.reason, "documents", i, "sha256");
        }
        if (document->size_bytes < 1 || document->size_bytes > CL_DOCUMENT_BYTES_MAX) {
            return blame_in(checking, CL_FIELD_INVALID, "documents", i, "size_bytes");
        }
    }
    return cl_ok();
}

/* -- The whole ----------------------------------------------------------------------------------------------- */

static struct cl_status check_all(struct checking *checking, struct application *application)
{
    struct cl_status status = check_text(application->external_ref, CL_TEXT_BYTES_MAX);
    if (cl_failed(status)) {
        return blame(checking, status.reason, "external_ref");
    }
    status = check_text(application->bank, CL_PARTY_BYTES_MAX);
    if (cl_failed(status)) {
        return blame(checking, status.reason, "bank");
    }
    status = check_persons(checking, application);
    if (cl_failed(status)) {
        return status;
    }
    status = check_home(checking, &application->home);
    if (cl_failed(status)) {
        return status;
    }
    status = check_request(checking, application);
    if (cl_failed(status)) {
        return status;
    }
    status = check_consents(checking, application);
    if (cl_failed(status)) {
        return status;
    }
    status = check_documents(checking, application);
    return cl_failed(status) ? status : check_account(checking, application);
}

struct cl_status intake_check(struct field_path *path_out, struct application *application, const struct intake *intake)
{
    assert(intake->centre != NULL);
    struct checking checking = {.intake = intake, .path = {""}};
    struct cl_status status = check_all(&checking, application);
    if (cl_failed(status) && path_out != NULL) {
        *path_out = checking.path;
    }
    return status;
}

int64_t home_price_base_fen(const struct home *home)
{
    bool appraised_lower = home->appraisal_fen > 0 && home->appraisal_fen < home->price_fen;
    return home->kind == HOME_SECOND_HAND && appraised_lower ? home->appraisal_fen : home->price_fen;
}
