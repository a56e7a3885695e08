#include "server/domain/facts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/date.h"
#include "server/domain/term.h"

/* -- Taking a result in -------------------------------------------------------------------------------------- */

static struct cl_status blame(struct field_path *path_out, enum cl_reason reason, const char *path)
{
    if (path_out != NULL) {
        (void)snprintf(path_out->text, sizeof path_out->text, "%s", path);
    }
    return cl_fail(reason);
}

static struct cl_status blame_fact(struct field_path *path_out, size_t index, const char *field)
{
    char path[sizeof path_out->text];
    (void)snprintf(path, sizeof path, "facts[%zu].%s", index, field);
    return blame(path_out, CL_FIELD_INVALID, path);
}

static const struct item_fact *fact_of(const struct item_result *result, const char *name)
{
    for (size_t i = 0; i < result->fact_count; i++) {
        if (strcmp(result->facts[i].name, name) == 0) {
            return &result->facts[i];
        }
    }
    return NULL;
}

static bool fact_in_range(const struct item_fact_row *row, const struct item_fact *fact)
{
    size_t text_len = fact->text == NULL ? 0 : strlen(fact->text);
    if (row->kind == FACT_TEXT) {
        return fact->number == 0 && (int64_t)text_len >= row->min && (int64_t)text_len <= row->max;
    }
    if (text_len > CL_TEXT_BYTES_MAX || fact->number < row->min || fact->number > row->max) {
        return false;
    }
    return row->kind != FACT_DATE || fact->number == 0 || cl_date_valid((int32_t)fact->number);
}

static struct cl_status check_facts(struct field_path *path_out, const struct catalogue_row *row,
                                    const struct item_result *result)
{
    if (result->fact_count > ITEM_FACTS_MAX) {
        return blame(path_out, CL_FIELD_INVALID, "facts");
    }
    for (size_t i = 0; i < result->fact_count; i++) {
        const struct item_fact *fact = &result->facts[i];
        const struct item_fact_row *fact_row = catalogue_fact(row, fact->name);
        if (fact_row == NULL || fact_of(result, fact->name) != fact) {
            return blame_fact(path_out, i, "name");
        }
        if (!fact_in_range(fact_row, fact)) {
            return blame_fact(path_out, i, fact_row->kind == FACT_TEXT ? "text" : "number");
        }
    }
    return cl_ok();
}

static bool facts_complete(const struct catalogue_row *row, const struct item_result *result)
{
    for (size_t i = 0; i < ITEM_FACTS_MAX && row->facts[i].name != NULL; i++) {
        if (row->facts[i].required && fact_of(result, row->facts[i].name) == NULL) {
            return false;
        }
    }
    return true;
}

struct cl_status item_result_check(struct field_path *path_out, const struct application *application,
                                   const struct item_result *result)
{
    const struct catalogue_row *row = catalogue_row(result->key.item);
    if (row == NULL) {
        return blame(path_out, CL_FIELD_INVALID, "item");
    }
    struct item_key key = {.item = row->item, .person = row->per_person ? result->key.person : 0};
    if (!catalogue_applies(application, key)) {
        return blame(path_out, CL_FIELD_INVALID, row->per_person ? "person" : "item");
    }
    if (result->outcome < ITEM_PASS || result->outcome > ITEM_MANUAL) {
        return blame(path_out, CL_FIELD_INVALID, "outcome");
    }
    bool passed = result->outcome == ITEM_PASS;
    if (result->failure >= FAILURE_KIND_COUNT || (passed && result->failure != FAILURE_NONE)) {
        return blame(path_out, CL_FIELD_INVALID, "failure");
    }
    if (result->observed_ms < 0 || !cl_date_covers_ms(result->observed_ms)) {
        return blame(path_out, CL_FIELD_INVALID, "observed_ms");
    }
    if (result->valid_until_ms != 0 && result->valid_until_ms < result->observed_ms) {
        return blame(path_out, CL_FIELD_INVALID, "valid_until_ms");
    }
    struct cl_status status = check_facts(path_out, row, result);
    if (cl_failed(status)) {
        return status;
    }
    return passed && !facts_complete(row, result) ? blame(path_out, CL_FIELD_MISSING, "facts") : cl_ok();
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

static enum answer answer_of_failure(const struct item_result *result)
{
    if (failure_is_technical(result->failure)) {
        return ANSWER_TECHNICAL;
    }
    if (result->outcome == ITEM_MANUAL || result->failure == FAILURE_AMBIGUOUS) {
        return ANSWER_MANUAL;
    }
    if (result->failure == FAILURE_NO_RECORD) {
        return ANSWER_NO_RECORD;
    }
    return result->failure == FAILURE_NOT_AUTHORISED ? ANSWER_REFUSED : ANSWER_NO;
}

static bool in_force(const struct catalogue_row *row, const struct item_result *result, int64_t now_ms)
{
    bool from_the_future = result->observed_ms > now_ms + CL_CLOCK_AHEAD_MS_MAX;
    bool ended = result->valid_until_ms != 0 && result->valid_until_ms < now_ms;
    return !from_the_future && !ended && catalogue_valid_until_ms(row, result->observed_ms) >= now_ms;
}

/* Whether the result has values to read: a pass that could be taken in, in force or not. */
static bool has_values(const struct application *application, const struct item_result *result)
{
    return result->outcome == ITEM_PASS && cl_is_ok(item_result_check(NULL, application, result));
}

enum answer facts_answer(const struct item_result *result, int64_t now_ms)
{
    if (result->outcome == ITEM_OPEN) {
        return ANSWER_OPEN;
    }
    if (result->outcome != ITEM_PASS) {
        return answer_of_failure(result);
    }
    return in_force(catalogue_row(result->key.item), result, now_ms) ? ANSWER_YES : ANSWER_TECHNICAL;
}

static enum answer answer_of(const struct application *application, const struct item_result *result, int64_t now_ms)
{
    bool readable = result->outcome == ITEM_OPEN || cl_is_ok(item_result_check(NULL, application, result));
    return readable ? facts_answer(result, now_ms) : ANSWER_TECHNICAL;
}

/* A fact that the catalogue requires, of a result that passed. */
static int64_t number_of(const struct item_result *result, const char *name)
{
    const struct item_fact *fact = fact_of(result, name);
    assert(fact != NULL);
    return fact->number;
}

static int32_t small_number_of(const struct item_result *result, const char *name)
{
    int64_t number = number_of(result, name);
    assert(number >= INT32_MIN && number <= INT32_MAX); /* the catalogue's bounds */
    return (int32_t)number;
}

/* Where the values of an item go; each reader knows its own. */
struct reading {
    struct case_facts *facts;
    struct person_facts *person;
    const struct item_result *result;
};

static int64_t number_in(const struct reading *reading, const char *name)
{
    return number_of(reading->result, name);
}

static int32_t small_in(const struct reading *reading, const char *name)
{
    return small_number_of(reading->result, name);
}

static bool flag_in(const struct reading *reading, const char *name)
{
    return number_of(reading->result, name) == 1;
}

static int32_t greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static void read_marriage(const struct reading *in)
{
    in->person->marital_status = (enum marital_status)number_in(in, "status");
}

static void read_children(const struct reading *in)
{
    in->facts->minors = small_in(in, "minors");
}

static void read_contribution(const struct reading *in)
{
    in->person->contribution_months = small_in(in, "months");
    in->person->contribution_base_fen = number_in(in, "base_fen");
    in->person->contribution_balance_fen = number_in(in, "balance_fen");
    in->person->contribution_sealed = flag_in(in, "sealed");
}

static void read_loan_history(const struct reading *in)
{
    in->person->fund_loans_used = small_in(in, "loans_used");
    in->person->fund_loans_open = small_in(in, "loans_open");
}

/* Read after LOAN_HISTORY: whichever of the two knows more loans is believed. */
static void read_offsite(const struct reading *in)
{
    struct person_facts *person = in->person;
    read_contribution(in);
    person->fund_loans_used = greater(person->fund_loans_used, small_in(in, "loans_used"));
    person->fund_loans_open = greater(person->fund_loans_open, small_in(in, "loans_open"));
    person->offsite_fraud = flag_in(in, "fraud");
}

static void read_fraud_list(const struct reading *in)
{
    in->person->banned_until = small_in(in, "banned_until");
}

static void read_credit(const struct reading *in)
{
    in->person->overdue_now = flag_in(in, "overdue_now");
    in->person->overdue_consecutive = small_in(in, "overdue_consecutive");
    in->person->overdue_total = small_in(in, "overdue_total");
    in->person->debts_fen = number_in(in, "debts_fen");
    in->person->mortgages_open = small_in(in, "mortgages_open");
}

static void read_retirement(const struct reading *in)
{
    in->person->retirement_months = small_in(in, "months");
}

static void read_court_list(const struct reading *in)
{
    in->person->court_listed = flag_in(in, "listed");
}

static void read_employer(const struct reading *in)
{
    in->person->employer_active = flag_in(in, "active");
}

static void read_home_count(const struct reading *in)
{
    in->facts->homes = small_in(in, "homes");
}

static void read_home_contract(const struct reading *in)
{
    in->facts->contract_price_fen = number_in(in, "price_fen");
    in->facts->contract_area_centi_m2 = small_in(in, "area_centi_m2");
}

static void read_green_building(const struct reading *in)
{
    in->facts->green_stars = small_in(in, "stars");
    in->facts->improved_home = flag_in(in, "improved");
    in->facts->trade_in = flag_in(in, "trade_in");
    in->facts->youth_voucher = flag_in(in, "youth_voucher");
}

static void read_income(const struct reading *in)
{
    in->facts->income_fen = number_in(in, "monthly_fen");
}

static void read_mortgages(const struct reading *in)
{
    in->facts->mortgages_open = small_in(in, "open");
}

static void read_completion_filing(const struct reading *in)
{
    in->facts->completion_filed_on = small_in(in, "filed_on");
}

static void read_supervision_account(const struct reading *in)
{
    in->facts->supervision_account = fact_of(in->result, "account")->text;
}

static void read_property_right(const struct reading *in)
{
    in->facts->mortgaged = flag_in(in, "mortgaged");
    in->facts->seized = flag_in(in, "seized");
    in->facts->disputed = flag_in(in, "disputed");
}

static void read_appraisal(const struct reading *in)
{
    in->facts->appraisal_fen = number_in(in, "value_fen");
}

static void read_down_payment(const struct reading *in)
{
    in->facts->down_paid_fen = number_in(in, "paid_fen");
}

static void read_price_sanity(const struct reading *in)
{
    in->facts->unit_price_fen = number_in(in, "unit_price_fen");
    in->facts->price_doubtful = flag_in(in, "doubtful");
}

static void read_account(const struct reading *in)
{
    in->facts->account_class = small_in(in, "account_class");
}

static void read_registration(const struct reading *in)
{
    const struct item_fact *match = fact_of(in->result, "mortgagee_match");
    const struct item_fact *amount = fact_of(in->result, "amount_fen");
    const struct item_fact *registered = fact_of(in->result, "registered_on");
    const struct item_fact *certificate = fact_of(in->result, "certificate_no");
    struct registration_facts *out = &in->facts->registration;
    out->state = (enum registration_state)number_in(in, "state");
    out->certificate_no = certificate == NULL ? "" : certificate->text;
    if (out->state != REGISTRATION_DONE || match == NULL || amount == NULL || registered == NULL ||
        certificate == NULL) {
        return;
    }
    out->complete = true;
    out->mortgagee_match = match->number == 1;
    out->amount_fen = amount->number;
    out->registered_on = (int32_t)registered->number;
}

/* Of the items without one the answer says it all. */
static void (*const readers[ITEM_COUNT])(const struct reading *in) = {
    [ITEM_MARRIAGE] = read_marriage,
    [ITEM_CHILDREN] = read_children,
    [ITEM_CONTRIBUTION] = read_contribution,
    [ITEM_LOAN_HISTORY] = read_loan_history,
    [ITEM_FRAUD_LIST] = read_fraud_list,
    [ITEM_CREDIT_FUND] = read_credit,
    [ITEM_HOME_COUNT] = read_home_count,
    [ITEM_HOME_CONTRACT] = read_home_contract,
    [ITEM_GREEN_BUILDING] = read_green_building,
    [ITEM_INCOME] = read_income,
    [ITEM_RETIREMENT] = read_retirement,
    [ITEM_CONTRIBUTION_OFFSITE] = read_offsite,
    [ITEM_COURT_LIST] = read_court_list,
    [ITEM_MORTGAGES] = read_mortgages,
    [ITEM_COMPLETION_FILING] = read_completion_filing,
    [ITEM_SUPERVISION_ACCOUNT] = read_supervision_account,
    [ITEM_PROPERTY_RIGHT] = read_property_right,
    [ITEM_APPRAISAL] = read_appraisal,
    [ITEM_DOWN_PAYMENT] = read_down_payment,
    [ITEM_EMPLOYER] = read_employer,
    [ITEM_PRICE_SANITY] = read_price_sanity,
    [ITEM_ACCOUNT] = read_account,
    [ITEM_REGISTRATION] = read_registration,
};

static void read_values(struct case_facts *facts, struct person_facts *person, const struct item_result *result)
{
    if (readers[result->key.item] != NULL) {
        readers[result->key.item](&(struct reading){.facts = facts, .person = person, .result = result});
    }
}

static enum answer *answer_place(struct case_facts *facts, struct item_key key)
{
    bool per_person = catalogue_row(key.item)->per_person;
    return per_person ? &facts->persons[key.person].answer[key.item] : &facts->answer[key.item];
}

static const struct item_result *last_result(const struct item_result *results, size_t result_count,
                                             struct item_key key)
{
    for (size_t i = result_count; i > 0; i--) {
        const struct item_result *result = &results[i - 1];
        unsigned person = catalogue_row(key.item)->per_person ? result->key.person : 0;
        if (result->key.item == key.item && person == key.person) {
            return result;
        }
    }
    return NULL;
}

void facts_read_phase(struct case_facts *out, const struct application *application, enum item_phase phase,
                      const struct item_result *results, size_t result_count, int64_t now_ms)
{
    struct item_key keys[CL_ITEM_RESULTS_MAX];
    size_t key_count = catalogue_items_for(keys, application, phase);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < key_count; i++) {
        const struct item_result *result = last_result(results, result_count, keys[i]);
        *answer_place(out, keys[i]) = result == NULL ? ANSWER_OPEN : answer_of(application, result, now_ms);
        if (result != NULL && has_values(application, result)) {
            read_values(out, &out->persons[keys[i].person], result);
        }
    }
}

void facts_read(struct case_facts *out, const struct application *application, const struct item_result *results,
                size_t result_count, int64_t now_ms)
{
    facts_read_phase(out, application, PHASE_DECISION, results, result_count, now_ms);
}

int64_t facts_price_base_fen(const struct application *application, const struct case_facts *facts)
{
    struct home home = application->home;
    if (facts->appraisal_fen > 0) {
        home.appraisal_fen = facts->appraisal_fen;
    }
    return home_price_base_fen(&home);
}

/* -- Settling without asking anybody ------------------------------------------------------------------------- */

/* Prices of homes in China lie between some 1,000 yuan a square metre in a small county and 300,000 in Shanghai; what lies
 * well outside was mistyped, or is no sale. */
#define UNIT_PRICE_FEN_MIN INT64_C(50000)
#define UNIT_PRICE_FEN_MAX INT64_C(50000000)
/* A declared appraisal that is further from the price, in percent, is one of another home or of no market. */
#define APPRAISAL_PERCENT_MIN 70
#define APPRAISAL_PERCENT_MAX 130

static void settle_price(struct item_result *result, const struct home *home)
{
    int64_t unit_price_fen = home->price_fen * 100 / home->area_centi_m2; /* within int64: a checked price and area */
    int64_t appraisal_percent = home->appraisal_fen > 0 ? home->appraisal_fen * 100 / home->price_fen : 100;
    bool doubtful = unit_price_fen < UNIT_PRICE_FEN_MIN || unit_price_fen > UNIT_PRICE_FEN_MAX ||
                    appraisal_percent < APPRAISAL_PERCENT_MIN || appraisal_percent > APPRAISAL_PERCENT_MAX;
    if (unit_price_fen > APPLICATION_AMOUNT_FEN_MAX) {
        unit_price_fen = APPLICATION_AMOUNT_FEN_MAX;
    }
    result->facts[0] = (struct item_fact){.name = "unit_price_fen", .number = unit_price_fen};
    result->facts[1] = (struct item_fact){.name = "doubtful", .number = doubtful};
    result->fact_count = 2;
}

/* Men have one age, women one for each category: of a woman whose category nobody knows a person has to find out. */
static void settle_retirement(struct item_result *result, const struct person *person)
{
    if (person->sex == CL_SEX_FEMALE && person->staff_category == STAFF_UNSPECIFIED) {
        result->outcome = ITEM_MANUAL;
        result->failure = FAILURE_AMBIGUOUS;
        return;
    }
    int32_t months = retirement_age_months(person->birth_date, person->sex, person->staff_category);
    result->facts[0] = (struct item_fact){.name = "months", .number = months};
    result->fact_count = 1;
}

void item_settle_locally(struct item_result *out, const struct application *application, const char *centre,
                         struct item_key key, int64_t now_ms)
{
    assert(catalogue_applies(application, key));
    assert(catalogue_row(key.item)->owner == OWNER_LOCAL);
    struct item_result result = {.key = key, .outcome = ITEM_PASS, .observed_ms = now_ms};
    if (key.item == ITEM_RETIREMENT) {
        settle_retirement(&result, &application->persons[key.person]);
    }
    if (key.item == ITEM_PRICE_SANITY) {
        settle_price(&result, &application->home);
    }
    if (key.item == ITEM_CONSENT && !consents_in_force(application, centre, now_ms)) {
        result.outcome = ITEM_FAIL;
        result.failure = FAILURE_NOT_AUTHORISED;
    }
    result.valid_until_ms = catalogue_valid_until_ms(catalogue_row(key.item), now_ms);
    *out = result;
}
