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

static json_t *identity(const char *id_number, bool with_spouse)
{
    (void)with_spouse;
    return json_pack("{sb}", "match", per_mille("identity", id_number) < 998);
}

static json_t *marriage(const char *id_number, bool with_spouse)
{
    unsigned chance = per_mille("marriage", id_number);
    if (chance < 10) {
        return json_string("NO_RECORD");
    }
    bool otherwise = chance < 15;
    if (with_spouse) {
        return json_pack("{ss sb}", "status", "MARRIED", "spouse_match", !otherwise);
    }
    return json_pack("{ss}", "status", otherwise ? "MARRIED" : "SINGLE");
}

static json_t *children(const char *id_number, bool with_spouse)
{
    (void)with_spouse;
    unsigned chance = per_mille("children", id_number);
    return json_pack("{si}", "minors", chance < 600 ? 0 : (chance < 880 ? 1 : 2));
}

static json_int_t base_fen_of(const char *id_number)
{
    return between("base", id_number, 60, 424) * 10000;
}

static json_t *contribution(const char *id_number, bool with_spouse)
{
    (void)with_spouse;
    bool short_time = per_mille("months", id_number) < 20;
    json_int_t months = short_time ? between("short", id_number, 1, 5) : between("long", id_number, 12, 239);
    return json_pack("{sI sI sI sb}", "months", months, "base_fen", base_fen_of(id_number), "balance_fen",
                     between("balance", id_number, 20, 299) * 100000, "sealed", per_mille("sealed", id_number) < 5);
}

static json_t *loan_history(const char *id_number, bool with_spouse)
{
    (void)with_spouse;
    unsigned chance = per_mille("loans", id_number);
    int used = chance < 880 ? 0 : (chance < 980 ? 1 : (chance < 990 ? 2 : 1));
    return json_pack("{si si}", "loans_used", used, "loans_open", chance < 990 ? 0 : 1);
}

static json_t *fraud_list(const char *id_number, bool with_spouse)
{
    (void)with_spouse;
    bool banned = per_mille("fraud", id_number) < 2;
    return banned ? json_pack("{ss}", "banned_until", "2029-12-31") : json_pack("{sn}", "banned_until");
}

static json_t *credit_fund(const char *id_number, bool with_spouse)
{
    (void)with_spouse;
    unsigned chance = per_mille("credit", id_number);
    int overdue = chance < 960 ? 0 : (chance < 980 ? 1 + (int)(chance % 2) : 3);
    bool now = chance >= 990;
    json_int_t debts_fen = per_mille("debts", id_number) < 700 ? 0 : between("debt", id_number, 5, 29) * 10000;
    return json_pack("{sb si si sI si}", "overdue_now", now, "overdue_consecutive", now ? 1 : overdue, "overdue_total",
                     now ? 1 : overdue, "debts_fen", debts_fen, "mortgages_open", 0);
}

static json_t *home_count(const char *id_number, bool with_spouse)
{
    (void)with_spouse;
    unsigned chance = per_mille("homes", id_number);
    return json_pack("{si}", "homes", chance < 780 ? 0 : (chance < 980 ? 1 : 2));
}

json_t *people_make_person_facts(const char *item, const char *id_number, bool with_spouse)
{
    static const struct {
        const char *item;
        json_t *(*make)(const char *id_number, bool with_spouse);
    } makers[] = {
        {"IDENTITY", identity},         {"MARRIAGE", marriage},         {"CHILDREN", children},
        {"CONTRIBUTION", contribution}, {"LOAN_HISTORY", loan_history}, {"FRAUD_LIST", fraud_list},
        {"CREDIT_FUND", credit_fund},   {"HOME_COUNT", home_count},
    };
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        if (strcmp(makers[i].item, item) == 0) {
            return makers[i].make(id_number, with_spouse);
        }
    }
    return NULL;
}

json_t *people_make_home_facts(const char *item, const char *contract_no)
{
    int64_t price_fen = 0;
    int64_t area_centi_m2 = 0;
    if (sscanf(contract_no, "SYN-%" SCNd64 "-%" SCNd64 "-", &price_fen, &area_centi_m2) != 2) {
        return json_string("NO_RECORD");
    }
    if (strcmp(item, "GREEN_BUILDING") == 0) {
        unsigned chance = per_mille("stars", contract_no);
        return json_pack("{si sb sb sb}", "stars", chance < 800 ? 0 : 1 + (int)(chance % 3), "improved",
                         per_mille("improved", contract_no) < 50, "trade_in", per_mille("trade", contract_no) < 30,
                         "youth_voucher", per_mille("voucher", contract_no) < 10);
    }
    unsigned chance = per_mille("contract", contract_no);
    bool another_price = chance >= 980 && chance < 990;
    return json_pack("{sI sI sb sb}", "price_fen", (json_int_t)(another_price ? price_fen / 20 * 19 : price_fen),
                     "area_centi_m2", (json_int_t)area_centi_m2, "filed", !(chance >= 990 && chance < 995),
                     "buyers_match", chance < 995);
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
    bool couple = per_mille("couple", key) < 550;
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
