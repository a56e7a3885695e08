#include "tests/server/domain/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/date.h"
#include "libcoloan/sha256.h"

int64_t world_now_ms(void)
{
    return cl_date_to_ms(20261123) + 10 * 60 * 60 * 1000;
}

/* -- The rule set's file ------------------------------------------------------------------------------------- */

static void put(void *record, const struct rule_field *field, const char *value)
{
    char *end = NULL;
    struct cl_status status;
    if (field->type == RULE_TEXT) {
        status = rule_put_text(record, field, value);
    } else if (field->type == RULE_BOOL) {
        assert_true(strcmp(value, "true") == 0 || strcmp(value, "false") == 0);
        status = rule_put_number(record, field, strcmp(value, "true") == 0);
    } else {
        status = rule_put_number(record, field, strtoll(value, &end, 10));
        assert_int_equal(*end, '\0');
    }
    if (cl_failed(status)) {
        fail_msg("%s: %s", field->name, value);
    }
}

static void read_rate(struct rule_set *rules, const char *line)
{
    char names[3][32];
    char values[3][32];
    struct rule_rate *rate = &rules->rates[rules->rate_count++];
    assert_true(rules->rate_count <= RULE_RATES_MAX);
    assert_int_equal(6, sscanf(line, " - {%31[a-z_]: %31[0-9], %31[a-z_]: %31[0-9], %31[a-z_]: %31[0-9]}", names[0],
                               values[0], names[1], values[1], names[2], values[2]));
    for (size_t i = 0; i < 3; i++) {
        const struct rule_field *field = rule_rate_field_find(names[i]);
        assert_non_null(field);
        put(rate, field, values[i]);
    }
}

static void read_line(struct rule_set *rules, const char *line, bool seen[])
{
    char name[64];
    char value[64];
    if (line[0] == '#' || line[0] == '\n' || strncmp(line, "rates:", 6) == 0) {
        return;
    }
    if (line[0] == ' ') {
        read_rate(rules, line);
        return;
    }
    assert_int_equal(2, sscanf(line, "%63[a-z0-9_]: %63s", name, value));
    const struct rule_field *field = rule_field_find(name);
    if (field == NULL) {
        fail_msg("unknown field %s", name);
        return;
    }
    bool *mark = &seen[field - rule_field_at(0)];
    assert_false(*mark);
    *mark = true;
    put(rules, field, value);
}

void world_rules(struct rule_set *out)
{
    world_rules_of(out, "REF-NJ-2026-11");
}

void world_rules_of(struct rule_set *out, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, COLOAN_SOURCE_DIR "/rules/%s.yaml", name);
    char line[256];
    bool seen[128] = {false};
    struct cl_sha256 hash;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    rule_set_init(out);
    cl_sha256_init(&hash);
    while (fgets(line, sizeof line, file) != NULL) {
        cl_sha256_add(&hash, cl_bytes_text(line));
        read_line(out, line, seen);
    }
    (void)fclose(file);
    cl_sha256_finish(&hash, &out->digest);
    for (unsigned i = 0; rule_field_at(i) != NULL; i++) {
        if (!seen[i] && !rule_field_at(i)->optional) {
            fail_msg("the file lacks %s", rule_field_at(i)->name);
        }
    }
}

/* -- Cases --------------------------------------------------------------------------------------------------- */

static const uint8_t some_digest[CL_DIGEST_BYTES] = {1};

static void add_consents(struct application *application, unsigned person, int64_t now_ms)
{
    static const char *const ids[CL_PERSONS_MAX][4] = {{"0-1", "0-2", "0-3", "0-4"},
                                                       {"1-1", "1-2", "1-3", "1-4"},
                                                       {"2-1", "2-2", "2-3", "2-4"},
                                                       {"3-1", "3-2", "3-3", "3-4"}};
    static const struct {
        enum consent_purpose purpose;
        const char *receiver;
    } wanted[] = {{CONSENT_VERIFY, WORLD_CENTRE},
                  {CONSENT_CREDIT_REPORT, WORLD_CENTRE},
                  {CONSENT_CREDIT_REPORT, WORLD_BANK},
                  {CONSENT_SHARE, WORLD_BANK}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        application->consents[application->consent_count++] = (struct consent){
            .consent_id = ids[person][i],
            .person = person,
            .purpose = wanted[i].purpose,
            .receiver = wanted[i].receiver,
            .until_ms = now_ms + INT64_C(180) * 24 * 60 * 60 * 1000,
            .document_sha256 = cl_bytes(some_digest, sizeof some_digest),
        };
    }
}

static enum person_role role_of(const struct persona *persona, unsigned index)
{
    if (index == 0) {
        return PERSON_BORROWER;
    }
    return index == 1 && !persona->single ? PERSON_SPOUSE : PERSON_CO_BORROWER;
}

static void add_person(struct application *application, const struct persona *persona, unsigned index)
{
    const struct persona_person *from = &persona->persons[index];
    bool married = persona->persons[1].id_number != NULL && !persona->single && index <= 1;
    struct person *person = &application->persons[application->person_count++];
    *person = (struct person){
        .role = role_of(persona, index),
        .declared_marital_status = married ? MARITAL_MARRIED : MARITAL_SINGLE,
        .contributes = from->base_yuan > 0,
        .staff_category = from->category != STAFF_UNSPECIFIED ? from->category : STAFF_WORKER,
        .name = "Persona",
        .id_number = from->id_number,
        .mobile = "13900000000",
    };
    assert_true(cl_is_ok(person_identify(person, from->id_number, true)));
}

static int64_t base_sum_yuan(const struct persona *persona)
{
    int64_t sum_yuan = 0;
    for (size_t i = 0; i < CL_PERSONS_MAX; i++) {
        sum_yuan += persona->persons[i].base_yuan;
    }
    return sum_yuan;
}

static void add_fact(struct item_result *result, const char *name, int64_t number)
{
    result->facts[result->fact_count++] = (struct item_fact){.name = name, .number = number};
}

static void add_new_person_facts(struct item_result *result, const struct persona_person *from)
{
    if (result->key.item == ITEM_COURT_LIST) {
        add_fact(result, "listed", from->listed);
    }
    if (result->key.item == ITEM_EMPLOYER) {
        add_fact(result, "active", 1);
    }
    if (result->key.item == ITEM_CONTRIBUTION_OFFSITE) {
        add_fact(result, "loans_used", from->loans_used);
        add_fact(result, "loans_open", from->loans_open);
        add_fact(result, "fraud", 0);
    }
}

static void add_person_facts(struct item_result *result, const struct application *application,
                             const struct persona_person *from)
{
    const struct person *person = &application->persons[result->key.person];
    if (result->key.item == ITEM_MARRIAGE) {
        add_fact(result, "status", from->registered != 0 ? from->registered : person->declared_marital_status);
    }
    if (result->key.item == ITEM_CONTRIBUTION || result->key.item == ITEM_CONTRIBUTION_OFFSITE) {
        add_fact(result, "months", from->months == 0 ? 60 : (from->months < 0 ? 0 : from->months));
        add_fact(result, "base_fen", from->base_yuan * YUAN);
        add_fact(result, "balance_fen", from->balance_yuan * YUAN);
        add_fact(result, "sealed", from->sealed);
    }
    if (result->key.item == ITEM_LOAN_HISTORY) {
        add_fact(result, "loans_used", from->loans_used);
        add_fact(result, "loans_open", from->loans_open);
    }
    if (result->key.item == ITEM_FRAUD_LIST) {
        add_fact(result, "banned_until", from->banned_until);
    }
    if (result->key.item == ITEM_CREDIT_FUND) {
        add_fact(result, "overdue_now", from->overdue_now);
        add_fact(result, "overdue_consecutive", from->overdue_consecutive);
        add_fact(result, "overdue_total", from->overdue_total);
        add_fact(result, "debts_fen", from->debts_yuan * YUAN);
        add_fact(result, "mortgages_open", from->mortgages_open);
    }
    add_new_person_facts(result, from);
}

static void add_home_facts(struct item_result *result, const struct persona *persona)
{
    if (result->key.item == ITEM_MORTGAGES) {
        add_fact(result, "open", 0);
        add_fact(result, "monthly_fen", 0);
    }
    if (result->key.item == ITEM_PROPERTY_RIGHT) {
        add_fact(result, "mortgaged", 0);
        add_fact(result, "seized", 0);
        add_fact(result, "disputed", 0);
    }
    if (result->key.item == ITEM_ACCOUNT) {
        add_fact(result, "account_class", 1);
    }
    if (result->key.item == ITEM_APPRAISAL && persona->appraisal_yuan == 0) {
        result->outcome = ITEM_FAIL;
        result->failure = FAILURE_NO_RECORD;
    } else if (result->key.item == ITEM_APPRAISAL) {
        add_fact(result, "value_fen", persona->appraisal_yuan * YUAN);
        add_fact(result, "valued_on", 20261101);
    }
}

static void add_case_facts(struct item_result *result, const struct application *application,
                           const struct persona *persona)
{
    int64_t income_yuan = persona->income_yuan > 0 ? persona->income_yuan : base_sum_yuan(persona);
    if (result->key.item == ITEM_CHILDREN) {
        add_fact(result, "minors", persona->minors);
    }
    if (result->key.item == ITEM_HOME_COUNT) {
        add_fact(result, "homes", persona->homes);
    }
    if (result->key.item == ITEM_HOME_CONTRACT) {
        add_fact(result, "price_fen", application->home.price_fen);
        add_fact(result, "area_centi_m2", application->home.area_centi_m2);
    }
    if (result->key.item == ITEM_GREEN_BUILDING) {
        add_fact(result, "stars", persona->stars);
        add_fact(result, "improved", persona->improved);
        add_fact(result, "trade_in", persona->trade_in);
        add_fact(result, "youth_voucher", persona->youth_voucher);
    }
    if (result->key.item == ITEM_INCOME) {
        add_fact(result, "monthly_fen", income_yuan * YUAN);
    }
    add_home_facts(result, persona);
}

void persona_results(struct world_case *world, const struct persona *persona, int64_t now_ms)
{
    struct item_key keys[CL_ITEM_RESULTS_MAX];
    world->result_count = catalogue_items_for(keys, &world->application, PHASE_DECISION);
    for (size_t i = 0; i < world->result_count; i++) {
        struct item_result *result = &world->results[i];
        if (catalogue_row(keys[i].item)->owner == OWNER_LOCAL) {
            item_settle_locally(result, &world->application, WORLD_CENTRE, keys[i], now_ms);
            if (keys[i].item == ITEM_PRICE_SANITY) {
                result->facts[1].number = 0; /* the prices of these cases are made for sums, not for sense */
            }
            continue;
        }
        *result = (struct item_result){.key = keys[i], .outcome = ITEM_PASS, .observed_ms = now_ms};
        add_person_facts(result, &world->application, &persona->persons[keys[i].person]);
        add_case_facts(result, &world->application, persona);
    }
}

void persona_case(struct world_case *out, const struct persona *persona, int64_t now_ms)
{
    bool second_hand = persona->kind == HOME_SECOND_HAND;
    memset(out, 0, sizeof *out);
    struct application *application = &out->application;
    application->external_ref = persona->name;
    application->bank = WORLD_BANK;
    for (unsigned i = 0; i < CL_PERSONS_MAX && persona->persons[i].id_number != NULL; i++) {
        add_person(application, persona, i);
        add_consents(application, i, now_ms);
    }
    application->home = (struct home){
        .kind = second_hand ? HOME_SECOND_HAND : HOME_NEW,
        .contract_no = "WQ-2026-0001",
        .unit_no = "990101001001GB00001F00010001",
        .district_code = "990101",
        .price_fen = persona->price_yuan * YUAN,
        .appraisal_fen = persona->appraisal_yuan * YUAN,
        .area_centi_m2 = (persona->area_m2 > 0 ? persona->area_m2 : 89) * 100,
        .seller_uscc = second_hand ? "" : "91990000MA0000015Q",
        .built_year = persona->built_year,
    };
    application->request = (struct loan_request){
        .total_fen = persona->total_yuan * YUAN,
        .fund_fen = persona->fund_yuan * YUAN,
        .term_months = persona->term_months > 0 ? persona->term_months : 360,
        .method = persona->method != 0 ? persona->method : CL_REPAYMENT_EQUAL_INSTALMENT,
        .accept_fund_only = persona->fund_only,
    };
    persona_results(out, persona, now_ms);
}

struct item_result *world_result(struct world_case *world, enum item item, unsigned person)
{
    for (size_t i = 0; i < world->result_count; i++) {
        if (world->results[i].key.item == item && world->results[i].key.person == person) {
            return &world->results[i];
        }
    }
    fail_msg("the case has no item %d of person %u", (int)item, person);
    return NULL;
}

/* -- Decisions ----------------------------------------------------------------------------------------------- */

void world_decide(struct fund_decision *out, struct cl_arena *arena, const struct rule_set *rules,
                  const struct world_case *world, int64_t now_ms)
{
    struct case_facts facts;
    cl_arena_reset(arena);
    facts_read(&facts, &world->application, world->results, world->result_count, now_ms);
    assert_true(cl_is_ok(decide_fund(out, arena, rules, &world->application, &facts, now_ms)));
}

bool world_has_reason(const struct fund_decision *decision, enum cl_loan_reason reason)
{
    for (size_t i = 0; i < decision->reason_count; i++) {
        if (decision->reasons[i].reason == reason) {
            return true;
        }
    }
    return false;
}

const struct decision_step *world_step(const struct fund_decision *decision, const char *rule)
{
    for (size_t i = 0; i < decision->step_count; i++) {
        if (strcmp(decision->steps[i].rule, rule) == 0) {
            return &decision->steps[i];
        }
    }
    fail_msg("no step %s", rule);
    return NULL;
}

uint64_t world_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

int64_t world_random_in(uint64_t *state, int64_t min, int64_t max)
{
    return min + (int64_t)(world_random(state) >> 1) % (max - min + 1);
}

struct persona world_any_persona(uint64_t *seed)
{
    static const char *const borrowers[] = {"990101199603150019", "990101196806150031", "990101199006010018",
                                            "990101200002290011", "990101198411050027"};
    bool second_hand = world_random_in(seed, 0, 2) == 0;
    struct persona persona = {
        .name = "random",
        .persons = {{.id_number = borrowers[world_random_in(seed, 0, 4)],
                     .category = (enum staff_category)world_random_in(seed, STAFF_WORKER, STAFF_CADRE),
                     .base_yuan = world_random_in(seed, 2660, 42400),
                     .balance_yuan = world_random_in(seed, 0, 200000),
                     .debts_yuan = world_random_in(seed, 0, 3) == 0 ? world_random_in(seed, 0, 8000) : 0,
                     .loans_used = (int32_t)world_random_in(seed, 0, 1)}},
        .kind = second_hand ? HOME_SECOND_HAND : HOME_NEW,
        .price_yuan = world_random_in(seed, 100000, 5000000),
        .built_year = (int32_t)world_random_in(seed, 1985, 2026),
        .area_m2 = (int32_t)world_random_in(seed, 40, 200),
        .homes = (int32_t)world_random_in(seed, 0, 1),
        .minors = (int32_t)world_random_in(seed, 0, 3),
        .stars = (int32_t)world_random_in(seed, 0, 3),
        .income_yuan = world_random_in(seed, 1000, 80000),
        .term_months = (int32_t)world_random_in(seed, 12, 480),
        .method = (enum cl_repayment)world_random_in(seed, 1, 2),
        .fund_only = world_random_in(seed, 0, 1) == 1,
    };
    if (second_hand) {
        persona.appraisal_yuan = world_random_in(seed, persona.price_yuan * 8 / 10, persona.price_yuan * 11 / 10);
    }
    if (world_random_in(seed, 0, 1) == 1) {
        persona.persons[1] = (struct persona_person){.id_number = "990101199107040021",
                                                     .base_yuan = world_random_in(seed, 0, 1) * 15000,
                                                     .balance_yuan = world_random_in(seed, 0, 100000)};
    }
    if (world_random_in(seed, 0, 2) == 0) {
        persona.total_yuan = world_random_in(seed, 10000, persona.price_yuan - 1);
    }
    return persona;
}
