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

static bool fact_in_range(const struct item_fact_row *row, int64_t number)
{
    bool is_date = strcmp(row->name, "banned_until") == 0; /* the one fact that is a date */
    if (number < row->min || number > row->max) {
        return false;
    }
    return !is_date || number == 0 || cl_date_valid((int32_t)number);
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
        if (!fact_in_range(fact_row, fact->number)) {
            return blame_fact(path_out, i, "number");
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

static enum answer answer_of(const struct application *application, const struct item_result *result, int64_t now_ms)
{
    if (result->outcome == ITEM_OPEN) {
        return ANSWER_OPEN;
    }
    if (cl_failed(item_result_check(NULL, application, result))) {
        return ANSWER_TECHNICAL;
    }
    if (result->outcome != ITEM_PASS) {
        return answer_of_failure(result);
    }
    return in_force(catalogue_row(result->key.item), result, now_ms) ? ANSWER_YES : ANSWER_TECHNICAL;
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

static void read_contribution(struct person_facts *facts, const struct item_result *result)
{
    facts->contribution_months = small_number_of(result, "months");
    facts->contribution_base_fen = number_of(result, "base_fen");
    facts->contribution_balance_fen = number_of(result, "balance_fen");
    facts->contribution_sealed = number_of(result, "sealed") == 1;
}

static void read_credit(struct person_facts *facts, const struct item_result *result)
{
    facts->overdue_now = number_of(result, "overdue_now") == 1;
    facts->overdue_consecutive = small_number_of(result, "overdue_consecutive");
    facts->overdue_total = small_number_of(result, "overdue_total");
    facts->debts_fen = number_of(result, "debts_fen");
    facts->mortgages_open = small_number_of(result, "mortgages_open");
}

static void read_green_building(struct case_facts *facts, const struct item_result *result)
{
    facts->green_stars = small_number_of(result, "stars");
    facts->improved_home = number_of(result, "improved") == 1;
    facts->trade_in = number_of(result, "trade_in") == 1;
    facts->youth_voucher = number_of(result, "youth_voucher") == 1;
}

static void read_values(struct case_facts *facts, struct person_facts *person, const struct item_result *result)
{
    switch (result->key.item) {
    case ITEM_MARRIAGE:
        person->marital_status = (enum marital_status)number_of(result, "status");
        return;
    case ITEM_CHILDREN:
        facts->minors = small_number_of(result, "minors");
        return;
    case ITEM_CONTRIBUTION:
        read_contribution(person, result);
        return;
    case ITEM_LOAN_HISTORY:
        person->fund_loans_used = small_number_of(result, "loans_used");
        person->fund_loans_open = small_number_of(result, "loans_open");
        return;
    case ITEM_FRAUD_LIST:
        person->banned_until = small_number_of(result, "banned_until");
        return;
    case ITEM_CREDIT_FUND:
        read_credit(person, result);
        return;
    case ITEM_HOME_COUNT:
        facts->homes = small_number_of(result, "homes");
        return;
    case ITEM_HOME_CONTRACT:
        facts->contract_price_fen = number_of(result, "price_fen");
        facts->contract_area_centi_m2 = small_number_of(result, "area_centi_m2");
        return;
    case ITEM_GREEN_BUILDING:
        read_green_building(facts, result);
        return;
    case ITEM_INCOME:
        facts->income_fen = number_of(result, "monthly_fen");
        return;
    case ITEM_RETIREMENT:
        person->retirement_months = small_number_of(result, "months");
        return;
    case ITEM_ID_NUMBER:
    case ITEM_IDENTITY:
    case ITEM_CREDIT_BANK:
    case ITEM_CONSENT:
    case ITEM_NONE:
    case ITEM_COUNT:
        return; /* the answer says it all */
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

void facts_read(struct case_facts *out, const struct application *application, const struct item_result *results,
                size_t result_count, int64_t now_ms)
{
    struct item_key keys[CL_ITEM_RESULTS_MAX];
    size_t key_count = catalogue_items_for(keys, application);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < key_count; i++) {
        const struct item_result *result = last_result(results, result_count, keys[i]);
        *answer_place(out, keys[i]) = result == NULL ? ANSWER_OPEN : answer_of(application, result, now_ms);
        if (result != NULL && has_values(application, result)) {
            read_values(out, &out->persons[keys[i].person], result);
        }
    }
}

/* -- Settling without asking anybody ------------------------------------------------------------------------- */

void item_settle_locally(struct item_result *out, const struct application *application, const char *centre,
                         struct item_key key, int64_t now_ms)
{
    assert(catalogue_applies(application, key));
    assert(catalogue_row(key.item)->owner == OWNER_LOCAL);
    struct item_result result = {.key = key, .outcome = ITEM_PASS, .observed_ms = now_ms};
    if (key.item == ITEM_RETIREMENT) {
        const struct person *person = &application->persons[key.person];
        int32_t months = retirement_age_months(person->birth_date, person->sex, person->staff_category);
        result.facts[0] = (struct item_fact){.name = "months", .number = months};
        result.fact_count = 1;
    }
    if (key.item == ITEM_CONSENT && !consents_in_force(application, centre, now_ms)) {
        result.outcome = ITEM_FAIL;
        result.failure = FAILURE_NOT_AUTHORISED;
    }
    result.valid_until_ms = catalogue_valid_until_ms(catalogue_row(key.item), now_ms);
    *out = result;
}
