#include "tests/population/population.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/people.h"
#include "tests/server/domain/world.h"

/* splitmix64 over the number and a salt: one draw does not depend on how many came before it. */
static unsigned per_mille(uint64_t number, const char *salt, unsigned person)
{
    uint64_t hash = number * UINT64_C(0x9e3779b97f4a7c15) + person;
    for (; *salt != '\0'; salt++) {
        hash = (hash ^ (uint8_t)*salt) * UINT64_C(0xbf58476d1ce4e5b9);
        hash ^= hash >> 29;
    }
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((hash ^ hash >> 31) % 1000);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* -- The application ----------------------------------------------------------------------------------------- */

static void make_person(struct person *out, const json_t *from, uint64_t number, unsigned index)
{
    bool married = strcmp(text_of(from, "declared"), "MARRIED") == 0;
    bool cadre = strcmp(text_of(from, "staff"), "CADRE") == 0;
    *out = (struct person){
        .role = index == 0 ? PERSON_BORROWER : PERSON_SPOUSE,
        .declared_marital_status = married ? MARITAL_MARRIED : MARITAL_SINGLE,
        .contributes = true,
        .staff_category = cadre ? STAFF_CADRE : STAFF_WORKER,
        .name = text_of(from, "name"),
        .id_number = text_of(from, "id_number"),
        .mobile = text_of(from, "mobile"),
        .employer_uscc = per_mille(number, "employer", index) < 600 ? text_of(from, "employer") : "",
        .face_token = per_mille(number, "face", index) < 500 ? "face-check" : "",
        .id_valid_until = per_mille(number, "document", index) < 700 ? 20360101 : 0,
        .contribution_centre = per_mille(number, "elsewhere", index) < 80 ? "320500000000000" : "",
    };
    struct cl_status status = person_identify(out, out->id_number, true);
    assert(cl_is_ok(status));
}

static void add_consents(struct population_one *out, unsigned person)
{
    static const uint8_t letter[CL_DIGEST_BYTES] = {1};
    const struct {
        enum consent_purpose purpose;
        const char *receiver;
    } needed[] = {{CONSENT_VERIFY, WORLD_CENTRE},
                  {CONSENT_CREDIT_REPORT, WORLD_CENTRE},
                  {CONSENT_CREDIT_REPORT, WORLD_BANK},
                  {CONSENT_SHARE, WORLD_BANK}};
    struct application *application = &out->application;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        size_t index = application->consent_count++;
        (void)snprintf(out->texts[index], sizeof out->texts[index], "c-%u-%zu", person, i);
        application->consents[index] = (struct consent){.consent_id = out->texts[index],
                                                        .person = person,
                                                        .purpose = needed[i].purpose,
                                                        .receiver = needed[i].receiver,
                                                        .until_ms = world_now_ms() + INT64_C(180) * 24 * 3600 * 1000,
                                                        .document_sha256 = cl_bytes(letter, sizeof letter)};
    }
}

static void make_home(struct population_one *out, const json_t *from)
{
    bool second_hand = per_mille(out->number, "second-hand", 0) < 350;
    bool presale = !second_hand && per_mille(out->number, "presale", 0) < 450;
    (void)snprintf(out->permit_no, sizeof out->permit_no, "permit-%llu", (unsigned long long)out->number % 500);
    out->application.home = (struct home){
        .kind = second_hand ? HOME_SECOND_HAND : HOME_NEW,
        .presale = presale,
        .contract_no = text_of(from, "contractNo"),
        .unit_no = "",
        .district_code = text_of(from, "districtCode"),
        .price_fen = number_of(from, "priceFen"),
        .area_centi_m2 = (int32_t)number_of(from, "areaCentiM2"),
        .seller_uscc = second_hand ? "" : text_of(from, "sellerUscc"),
        .permit_no = presale ? out->permit_no : "",
    };
}

static void give_employers(json_t *persona, uint64_t number)
{
    size_t index;
    json_t *person;
    json_array_foreach(json_object_get(persona, "people"), index, person)
    {
        (void)json_object_set_new(person, "employer",
                                  json_sprintf("91990000MA%07llu%zu", (unsigned long long)number % 3000, index));
    }
}

void population_make(struct population_one *out, uint64_t number)
{
    memset(out, 0, sizeof *out);
    out->number = number;
    out->persona = people_make_generated(number * 211 % PEOPLE_GENERATED_MAX);
    assert(out->persona != NULL);
    give_employers(out->persona, number);
    struct application *application = &out->application;
    const json_t *people = json_object_get(out->persona, "people");
    application->external_ref = "population";
    application->bank = WORLD_BANK;
    application->person_count = json_array_size(people);
    for (unsigned i = 0; i < application->person_count; i++) {
        make_person(&application->persons[i], json_array_get(people, i), number, i);
        add_consents(out, i);
    }
    make_home(out, json_object_get(out->persona, "home"));
    application->has_account = per_mille(number, "account", 0) < 400;
    application->account = "6222990000000001";
    application->request =
        (struct loan_request){.term_months = 300, .method = CL_REPAYMENT_EQUAL_INSTALMENT, .accept_fund_only = true};
}

void population_free(struct population_one *one)
{
    json_decref(one->persona);
    one->persona = NULL;
}

/* -- What is asked ------------------------------------------------------------------------------------------- */

static void put(char *out, size_t size, const char *text)
{
    struct cl_status status = source_text(out, size, text, strlen(text));
    assert(cl_is_ok(status));
}

static void put_person(struct source_person *out, const struct application *application, unsigned index)
{
    const struct person *person = &application->persons[index];
    put(out->name, sizeof out->name, person->name);
    put(out->id_number, sizeof out->id_number, person->id_number);
    put(out->mobile, sizeof out->mobile, person->mobile);
    put(out->credit_authorisation, sizeof out->credit_authorisation, "c-1");
    put(out->employer_uscc, sizeof out->employer_uscc, person->employer_uscc);
    put(out->contribution_centre, sizeof out->contribution_centre, person->contribution_centre);
    put(out->face_token, sizeof out->face_token, person->face_token);
    out->id_valid_until = person->id_valid_until;
    out->spouse = application->person_count == 2 ? 2 - index : 0;
    out->buyer = out->household = true;
}

struct source_inquiry *population_inquiry(const struct population_one *one)
{
    struct source_inquiry *inquiry = NULL;
    struct item_key keys[CL_ITEM_RESULTS_MAX];
    const struct application *application = &one->application;
    struct cl_status status = source_inquiry_create(&inquiry, CL_ITEM_RESULTS_MAX);
    assert(cl_is_ok(status));
    put(inquiry->home.contract_no, sizeof inquiry->home.contract_no, application->home.contract_no);
    put(inquiry->home.district_code, sizeof inquiry->home.district_code, application->home.district_code);
    put(inquiry->home.permit_no, sizeof inquiry->home.permit_no, application->home.permit_no);
    put(inquiry->home.account, sizeof inquiry->home.account, application->account);
    inquiry->person_count = application->person_count;
    for (unsigned i = 0; i < application->person_count; i++) {
        put_person(&inquiry->persons[i], application, i);
    }
    size_t count = catalogue_items_for(keys, application, PHASE_DECISION);
    for (size_t i = 0; i < count; i++) {
        if (catalogue_row(keys[i].item)->owner == OWNER_FUND) {
            status = source_inquiry_add(inquiry, (enum source_item)keys[i].item, keys[i].person, 0);
            assert(cl_is_ok(status));
        }
    }
    return inquiry;
}

enum source_failure population_way(const struct population_one *one, struct item_key key)
{
    char salt[24];
    (void)snprintf(salt, sizeof salt, "way-%u", (unsigned)key.item);
    unsigned chance = per_mille(one->number, salt, key.person);
    if (chance < 4) {
        return SOURCE_TIMEOUT;
    }
    if (chance < 6) {
        return SOURCE_UNREACHABLE;
    }
    return chance < 7 ? SOURCE_PARSE : SOURCE_FAILURE_NONE;
}

void population_bank(struct item_result *out, const struct population_one *one, struct item_key key)
{
    unsigned chance = per_mille(one->number, key.item == ITEM_INCOME ? "income" : "bank-credit", key.person);
    unsigned fails = key.item == ITEM_INCOME ? 990 : 995;
    *out = (struct item_result){.key = key, .outcome = ITEM_PASS, .observed_ms = world_now_ms()};
    if (chance >= 970) {
        out->outcome = chance < fails ? ITEM_FAIL : ITEM_MANUAL;
    }
    if (key.item == ITEM_INCOME && out->outcome == ITEM_PASS) {
        out->facts[out->fact_count++] = (struct item_fact){
            .name = "monthly_fen", .number = number_of(json_object_get(one->persona, "bank"), "income_fen")};
    }
}
