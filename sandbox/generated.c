/* People made from a number; see people.h for the odds. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/people.h"

enum {
    BIRTH_YEAR_MIN = 1985,
    BIRTH_YEARS = 14,
    BIRTH_DATES = BIRTH_YEARS * 12 * 28, /* the days every month has */
    DATE_STRIDE = 1013,                  /* shares no factor with BIRTH_DATES, so neighbours in n differ in birth */
};

/* -- Chance that is none ------------------------------------------------------------------------------------- */

/* FNV-1a over the text and a salt, then the finish of splitmix64: the same on every machine. */
static uint64_t hash_of(const char *salt, const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *at = salt; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
    }
    hash = (hash ^ 0xff) * UINT64_C(1099511628211);
    for (const char *at = text; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
    }
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

/* 0..999: the part of a thousand that a text falls on. */
static unsigned per_mille(const char *salt, const char *text)
{
    return (unsigned)(hash_of(salt, text) % 1000);
}

static json_int_t between(const char *salt, const char *text, unsigned min, unsigned max)
{
    return (json_int_t)(min + hash_of(salt, text) % (max - min + 1));
}

/* -- What authorities say ------------------------------------------------------------------------------------ */

static json_t *identity(const char *id_number)
{
    return json_pack("{sb}", "match", per_mille("identity", id_number) < 998);
}

/* n of make_id_number, back from the number; false for who is not of a generated household. */
static bool household_of(uint64_t *n_out, const char *id_number)
{
    unsigned year = 0;
    unsigned month = 0;
    unsigned day = 0;
    unsigned serial = 0;
    if (sscanf(id_number, "990102%4u%2u%2u%3u", &year, &month, &day, &serial) != 4 || year < BIRTH_YEAR_MIN ||
        year >= BIRTH_YEAR_MIN + BIRTH_YEARS || month < 1 || month > 12 || day < 1 || day > 28) {
        return false;
    }
    unsigned date = (year - BIRTH_YEAR_MIN) * 12 * 28 + (month - 1) * 28 + day - 1;
    uint64_t rest = 0;
    while (rest * DATE_STRIDE % BIRTH_DATES != date) {
        rest++; /* every date has one */
    }
    *n_out = (serial + 999) % 1000 / 2 * BIRTH_DATES + rest;
    return true;
}

static bool is_couple(uint64_t n)
{
    char key[24];
    (void)snprintf(key, sizeof key, "%" PRIu64, n);
    return per_mille("couple", key) < 550;
}

static json_t *marriage(const char *id_number)
{
    uint64_t n = 0;
    unsigned chance = per_mille("marriage", id_number);
    if (chance < 10) {
        return json_string("NO_RECORD");
    }
    bool married = household_of(&n, id_number) && is_couple(n);
    bool otherwise = chance < 15;
    return json_pack("{ss}", "status", married != otherwise ? "MARRIED" : "SINGLE");
}

static json_t *marriage_pair(const char *id_number)
{
    return json_pack("{sb}", "match", per_mille("pair", id_number) < 995);
}

static json_t *face(const char *id_number)
{
    return json_pack("{sb}", "match", per_mille("face", id_number) < 995);
}

static json_t *id_document(const char *id_number)
{
    return json_pack("{sb}", "valid", per_mille("document", id_number) < 995);
}

static json_t *court_list(const char *id_number)
{
    unsigned chance = per_mille("court", id_number);
    if (chance >= 993) {
        return json_string("AMBIGUOUS");
    }
    return chance < 3 ? json_pack("{sb ss}", "listed", 1, "case_no", "（2026）测01执1号")
                      : json_pack("{sb}", "listed", 0);
}

static json_t *mortgages(const char *id_number)
{
    unsigned chance = per_mille("mortgages", id_number);
    int open = chance < 950 ? 0 : (chance < 990 ? 1 : 2);
    return json_pack("{si si}", "open", open, "monthly_fen", open * 450000);
}

static json_t *account(const char *id_number)
{
    unsigned chance = per_mille("account", id_number);
    return json_pack("{sb si}", "match", chance < 990, "account_class", chance < 980 ? 1 : 2);
}

static json_t *children(const char *id_number)
{
    unsigned chance = per_mille("children", id_number);
    return json_pack("{si}", "minors", chance < 600 ? 0 : (chance < 880 ? 1 : 2));
}

static json_int_t base_fen_of(const char *id_number)
{
    return between("base", id_number, 60, 424) * 10000;
}

static json_t *contribution(const char *id_number)
{
    bool short_time = per_mille("months", id_number) < 20;
    json_int_t months = short_time ? between("short", id_number, 1, 5) : between("long", id_number, 12, 239);
    return json_pack("{sI sI sI sb}", "months", months, "base_fen", base_fen_of(id_number), "balance_fen",
                     between("balance", id_number, 20, 299) * 100000, "sealed", per_mille("sealed", id_number) < 5);
}

static json_t *loan_history(const char *id_number)
{
    unsigned chance = per_mille("loans", id_number);
    int used = chance < 880 ? 0 : (chance < 980 ? 1 : (chance < 990 ? 2 : 1));
    return json_pack("{si si}", "loans_used", used, "loans_open", chance < 990 ? 0 : 1);
}

static json_t *contribution_offsite(const char *id_number)
{
    if (per_mille("offsite", id_number) < 50) {
        return json_string("NO_RECORD");
    }
    json_t *facts = contribution(id_number);
    json_t *loans = loan_history(id_number);
    (void)json_object_update(facts, loans);
    (void)json_object_set_new(facts, "fraud", json_false());
    json_decref(loans);
    return facts;
}

static json_t *fraud_list(const char *id_number)
{
    bool banned = per_mille("fraud", id_number) < 2;
    return banned ? json_pack("{ss}", "banned_until", "2029-12-31") : json_pack("{sn}", "banned_until");
}

static json_t *credit_fund(const char *id_number)
{
    unsigned chance = per_mille("credit", id_number);
    int overdue = chance < 960 ? 0 : (chance < 980 ? 1 + (int)(chance % 2) : 3);
    bool now = chance >= 990;
    json_int_t debts_fen = per_mille("debts", id_number) < 700 ? 0 : between("debt", id_number, 5, 29) * 10000;
    return json_pack("{sb si si sI si}", "overdue_now", now, "overdue_consecutive", now ? 1 : overdue, "overdue_total",
                     now ? 1 : overdue, "debts_fen", debts_fen, "mortgages_open", 0);
}

static json_t *home_count(const char *id_number)
{
    unsigned chance = per_mille("homes", id_number);
    return json_pack("{si}", "homes", chance < 780 ? 0 : (chance < 980 ? 1 : 2));
}

json_t *people_make_person_facts(const char *item, const char *id_number)
{
    static const struct {
        const char *item;
        json_t *(*make)(const char *id_number);
    } makers[] = {
        {"IDENTITY", identity},
        {"MARRIAGE", marriage},
        {"CHILDREN", children},
        {"CONTRIBUTION", contribution},
        {"LOAN_HISTORY", loan_history},
        {"FRAUD_LIST", fraud_list},
        {"CREDIT_FUND", credit_fund},
        {"HOME_COUNT", home_count},
        {"FACE", face},
        {"ID_DOCUMENT", id_document},
        {"MARRIAGE_PAIR", marriage_pair},
        {"CONTRIBUTION_OFFSITE", contribution_offsite},
        {"COURT_LIST", court_list},
        {"MORTGAGES", mortgages},
        {"ACCOUNT", account},
    };
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        if (strcmp(makers[i].item, item) == 0) {
            return makers[i].make(id_number);
        }
    }
    return NULL;
}

json_t *people_make_employer_facts(const char *uscc)
{
    unsigned chance = per_mille("employer", uscc);
    return chance >= 990 ? json_string("NO_RECORD") : json_pack("{sb}", "active", chance >= 5);
}

/* -- What they say of a home --------------------------------------------------------------------------------- */

struct made_home {
    const char *contract_no;
    int64_t price_fen, area_centi_m2;
};

static json_t *home_contract(const struct made_home *home)
{
    unsigned chance = per_mille("contract", home->contract_no);
    bool another_price = chance >= 980 && chance < 990;
    int64_t price_fen = another_price ? home->price_fen / 20 * 19 : home->price_fen;
    return json_pack("{sI sI sb sb}", "price_fen", (json_int_t)price_fen, "area_centi_m2",
                     (json_int_t)home->area_centi_m2, "filed", !(chance >= 990 && chance < 995), "buyers_match",
                     chance < 995);
}

static json_t *green_building(const struct made_home *home)
{
    unsigned chance = per_mille("stars", home->contract_no);
    return json_pack("{si sb sb sb}", "stars", chance < 800 ? 0 : 1 + (int)(chance % 3), "improved",
                     per_mille("improved", home->contract_no) < 50, "trade_in",
                     per_mille("trade", home->contract_no) < 30, "youth_voucher",
                     per_mille("voucher", home->contract_no) < 10);
}

static json_t *project(const struct made_home *home)
{
    unsigned chance = per_mille("project", home->contract_no);
    return chance >= 995 ? json_string("NO_RECORD") : json_pack("{sb sb}", "admitted", chance >= 5, "permit_valid", 1);
}

static json_t *completion_filing(const struct made_home *home)
{
    (void)home;
    return json_pack("{si ss}", "polls", 1, "filed_on", "2026-11-20");
}

static json_t *supervision_account(const struct made_home *home)
{
    return json_pack("{so}", "account",
                     json_sprintf("320%013d", (int)(hash_of("supervised", home->contract_no) % 100000)));
}

static json_t *property_right(const struct made_home *home)
{
    unsigned chance = per_mille("right", home->contract_no);
    return json_pack("{sb sb sb sb}", "mortgaged", per_mille("mortgaged", home->contract_no) < 300, "seized",
                     chance < 3, "disputed", chance >= 3 && chance < 5, "owner_match", chance < 995);
}

static json_t *appraisal(const struct made_home *home)
{
    int64_t percent = (int64_t)between("appraisal", home->contract_no, 92, 106);
    return json_pack("{sI ss}", "value_fen", (json_int_t)(home->price_fen / 100 * percent), "valued_on", "2026-11-01");
}

static json_t *down_payment(const struct made_home *home)
{
    return json_pack("{sI sb}", "paid_fen", (json_int_t)home->price_fen, "payer_match", 1);
}

static json_t *registration(const struct made_home *home)
{
    bool sent_back = per_mille("registration", home->contract_no) < 10;
    return json_pack("{si ss}", "polls", 2, "state", sent_back ? "NEED_MORE_MATERIAL" : "DONE");
}

json_t *people_make_home_facts(const char *item, const char *contract_no)
{
    static const struct {
        const char *item;
        json_t *(*make)(const struct made_home *home);
    } makers[] = {
        {"HOME_CONTRACT", home_contract},
        {"GREEN_BUILDING", green_building},
        {"PROJECT", project},
        {"COMPLETION_FILING", completion_filing},
        {"SUPERVISION_ACCOUNT", supervision_account},
        {"PROPERTY_RIGHT", property_right},
        {"APPRAISAL", appraisal},
        {"DOWN_PAYMENT", down_payment},
        {"REGISTRATION", registration},
    };
    struct made_home home = {.contract_no = contract_no};
    if (sscanf(contract_no, "SYN-%" SCNd64 "-%" SCNd64 "-", &home.price_fen, &home.area_centi_m2) != 2) {
        return json_string("NO_RECORD");
    }
    json_t *facts = NULL;
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        if (strcmp(makers[i].item, item) == 0) {
            facts = makers[i].make(&home);
        }
    }
    return facts;
}

/* -- A household --------------------------------------------------------------------------------------------- */

static void make_id_number(char out[19], uint64_t n, bool woman)
{
    unsigned date = (unsigned)(n * DATE_STRIDE % BIRTH_DATES);
    unsigned serial = 2 * (unsigned)(n / BIRTH_DATES) + (woman ? 2 : 1); /* odd for men */
    unsigned year = BIRTH_YEAR_MIN + date / (12 * 28);
    (void)snprintf(out, 19, "990102%04u%02u%02u%03u", year, date / 28 % 12 + 1, date % 28 + 1, serial % 1000);
    out[17] = people_check_digit(out);
    out[18] = '\0';
}

static void make_name(char *out, size_t out_size, const char *id_number)
{
    static const char *const stems[] = {"甲", "乙", "丙", "丁", "戊", "己", "庚", "辛", "壬", "癸"};
    static const char *const branches[] = {"子", "丑", "寅", "卯", "辰", "巳", "午", "未", "申", "酉", "戌", "亥"};
    uint64_t hash = hash_of("name", id_number);
    (void)snprintf(out, out_size, "测试%s%s", stems[hash % 10], branches[hash / 10 % 12]);
}

static json_t *make_person(uint64_t n, bool spouse, bool couple)
{
    char id_number[19];
    char name[32];
    char mobile[12];
    make_id_number(id_number, n, spouse);
    make_name(name, sizeof name, id_number);
    (void)snprintf(mobile, sizeof mobile, "198%07" PRIu64 "%u", n, spouse ? 1U : 0U);
    return json_pack("{ss ss ss ss ss ss sb}", "name", name, "id_number", id_number, "mobile", mobile, "role",
                     spouse ? "SPOUSE" : "BORROWER", "declared", couple ? "MARRIED" : "SINGLE", "staff",
                     per_mille("staff", id_number) < 500 ? "WORKER" : "CADRE", "contributes", 1);
}

json_t *people_make_generated(uint64_t n)
{
    assert(n < PEOPLE_GENERATED_MAX);
    char key[24];
    char contract_no[64];
    (void)snprintf(key, sizeof key, "%" PRIu64, n);
    bool couple = is_couple(n);
    json_int_t price_fen = between("price", key, 80, 260) * 1000000;
    json_int_t area_centi_m2 = between("area", key, 60, 139) * 100;
    (void)snprintf(contract_no, sizeof contract_no, "SYN-%lld-%lld-%s", (long long)price_fen, (long long)area_centi_m2,
                   key);
    json_t *people = json_array();
    json_t *credit = json_array();
    json_int_t income_fen = 0;
    for (int i = 0; i < (couple ? 2 : 1); i++) {
        json_t *person = make_person(n, i == 1, couple);
        income_fen += base_fen_of(json_string_value(json_object_get(person, "id_number")));
        (void)json_array_append_new(people, person);
        (void)json_array_append_new(credit, json_string("PASS"));
    }
    return json_pack("{ss ss so ss s{ss sb ss ss sI sI ss} s{sI si ss sb} s{sI so}}", "id", key, "title", "generated",
                     "people", people, "address", "测试市虚构路1号", "home", "kind", "HOME_KIND_NEW", "presale", 0,
                     "contractNo", contract_no, "districtCode", "320102", "priceFen", price_fen, "areaCentiM2",
                     area_centi_m2, "sellerUscc", "91990000MA0000015Q", "request", "totalFen", (json_int_t)0,
                     "termMonths", 300, "method", "REPAYMENT_METHOD_EQUAL_INSTALMENT", "acceptFundOnly", 1, "bank",
                     "income_fen", income_fen, "credit", credit);
}
