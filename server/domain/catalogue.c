#include "server/domain/catalogue.h"

#include <string.h>

#include "libcoloan/date.h"

/* An answer on contributions, fund loans or bans is one of its day, but a case has to be decided within ten days by
 * law, and these are asked again before the money is paid: within a case it holds as long as the decision may take. */
#define VALID_DAYS_DECISION 10

#define MONEY_MAX  APPLICATION_AMOUNT_FEN_MAX
#define COUNT_MAX  100      /* of children, homes, loans */
#define MONTHS_MAX 1200     /* a hundred years */
#define DATE_MAX   21991231 /* a date's own check follows in facts.c */

static bool for_everybody(const struct application *application, unsigned person)
{
    (void)application;
    (void)person;
    return true;
}

static bool for_the_borrower(const struct application *application, unsigned person)
{
    return application->persons[person].role == PERSON_BORROWER;
}

static bool for_the_couple(const struct application *application, unsigned person)
{
    return application->persons[person].role != PERSON_CO_BORROWER;
}

static bool for_contributors(const struct application *application, unsigned person)
{
    return application->persons[person].contributes;
}

static bool for_new_homes(const struct application *application, unsigned person)
{
    (void)person;
    return application->home.kind == HOME_NEW;
}

/* In the order of their numbers, which a test holds; row 0 stands for no item. */
static const struct catalogue_row rows[ITEM_COUNT] = {
    [ITEM_ID_NUMBER] = {ITEM_ID_NUMBER,
                        "ID_NUMBER",
                        "ID number well-formed",
                        "身份号码格式",
                        "centre",
                        OWNER_LOCAL,
                        true,
                        for_everybody,
                        3650,
                        VIEW_VALUE,
                        VIEW_VALUE,
                        {{NULL, 0, 0, false}}},
    [ITEM_IDENTITY] = {ITEM_IDENTITY,
                       "IDENTITY",
                       "Name and ID number belong together",
                       "身份核验",
                       "public-security",
                       OWNER_FUND,
                       true,
                       for_everybody,
                       30,
                       VIEW_VERDICT,
                       VIEW_VERDICT,
                       {{NULL, 0, 0, false}}},
    [ITEM_MARRIAGE] = {ITEM_MARRIAGE,
                       "MARRIAGE",
                       "Marital status as registered",
                       "婚姻状况",
                       "civil-affairs",
                       OWNER_FUND,
                       true,
                       for_the_couple,
                       30,
                       VIEW_VALUE,
                       VIEW_VERDICT,
                       {{"status", MARITAL_SINGLE, MARITAL_WIDOWED, true}}},
    [ITEM_CHILDREN] = {ITEM_CHILDREN,
                       "CHILDREN",
                       "Minor children",
                       "未成年子女",
                       "household-register",
                       OWNER_FUND,
                       false,
                       for_everybody,
                       90,
                       VIEW_VALUE,
                       VIEW_NONE,
                       {{"minors", 0, COUNT_MAX, true}}},
    [ITEM_CONTRIBUTION] = {ITEM_CONTRIBUTION,
                           "CONTRIBUTION",
                           "Fund account",
                           "缴存情况",
                           "fund-accounts",
                           OWNER_FUND,
                           true,
                           for_contributors,
                           VALID_DAYS_DECISION,
                           VIEW_VALUE,
                           VIEW_VERDICT,
                           {{"months", 0, MONTHS_MAX, true},
                            {"base_fen", 0, MONEY_MAX, true},
                            {"balance_fen", 0, MONEY_MAX, true},
                            {"sealed", 0, 1, true}}},
    [ITEM_LOAN_HISTORY] = {ITEM_LOAN_HISTORY,
                           "LOAN_HISTORY",
                           "Fund loans nationwide",
                           "公积金贷款记录",
                           "supervision-platform",
                           OWNER_FUND,
                           true,
                           for_everybody,
                           VALID_DAYS_DECISION,
                           VIEW_VALUE,
                           VIEW_VERDICT,
                           {{"loans_used", 0, COUNT_MAX, true}, {"loans_open", 0, COUNT_MAX, true}}},
    [ITEM_FRAUD_LIST] = {ITEM_FRAUD_LIST,
                         "FRAUD_LIST",
                         "Bans after withdrawal or loan fraud",
                         "骗提骗贷名单",
                         "fraud-list",
                         OWNER_FUND,
                         true,
                         for_everybody,
                         VALID_DAYS_DECISION,
                         VIEW_VALUE,
                         VIEW_NONE,
                         {{"banned_until", 0, DATE_MAX, true}}},
    [ITEM_CREDIT_FUND] = {ITEM_CREDIT_FUND,
                          "CREDIT_FUND",
                          "Credit report, the centre's query",
                          "征信（中心查询）",
                          "credit-bureau",
                          OWNER_FUND,
                          true,
                          for_everybody,
                          30,
                          VIEW_VALUE,
                          VIEW_NONE,
                          {{"overdue_now", 0, 1, true},
                           {"overdue_consecutive", 0, MONTHS_MAX, true},
                           {"overdue_total", 0, MONTHS_MAX, true},
                           {"debts_fen", 0, MONEY_MAX, true},
                           {"mortgages_open", 0, COUNT_MAX, true}}},
    [ITEM_CREDIT_BANK] = {ITEM_CREDIT_BANK,
                          "CREDIT_BANK",
                          "Credit report, the bank's query",
                          "征信（银行查询）",
                          "bank",
                          OWNER_BANK,
                          true,
                          for_everybody,
                          30,
                          VIEW_VERDICT,
                          VIEW_VALUE,
                          {{NULL, 0, 0, false}}},
    [ITEM_HOME_COUNT] = {ITEM_HOME_COUNT,
                         "HOME_COUNT",
                         "Homes of the family",
                         "家庭住房套数",
                         "property-register",
                         OWNER_FUND,
                         false,
                         for_everybody,
                         15,
                         VIEW_VALUE,
                         VIEW_VERDICT,
                         {{"homes", 0, COUNT_MAX, true}}},
    [ITEM_HOME_CONTRACT] = {ITEM_HOME_CONTRACT,
                            "HOME_CONTRACT",
                            "Filed sales contract",
                            "网签备案合同",
                            "housing-exchange",
                            OWNER_FUND,
                            false,
                            for_everybody,
                            30,
                            VIEW_VALUE,
                            VIEW_VALUE,
                            {{"price_fen", 1, MONEY_MAX, true},
                             {"area_centi_m2", 1, APPLICATION_AREA_CENTI_M2_MAX, true}}},
    [ITEM_GREEN_BUILDING] =
        {ITEM_GREEN_BUILDING,
         "GREEN_BUILDING",
         "Rated building, improved home, trade-in, voucher",
         "绿色建筑与改善型住房",
         "housing-bureau",
         OWNER_FUND,
         false,
         for_new_homes,
         365,
         VIEW_VALUE,
         VIEW_NONE,
         {{"stars", 0, 3, true}, {"improved", 0, 1, true}, {"trade_in", 0, 1, true}, {"youth_voucher", 0, 1, true}}},
    [ITEM_INCOME] = {ITEM_INCOME,
                     "INCOME",
                     "Monthly household income, verified by the bank",
                     "收入",
                     "bank",
                     OWNER_BANK,
                     false,
                     for_everybody,
                     90,
                     VIEW_VALUE,
                     VIEW_VALUE,
                     {{"monthly_fen", 0, MONEY_MAX, true}}},
    [ITEM_RETIREMENT] = {ITEM_RETIREMENT,
                         "RETIREMENT",
                         "Statutory retirement age",
                         "法定退休年龄",
                         "centre",
                         OWNER_LOCAL,
                         true,
                         for_the_borrower,
                         3650,
                         VIEW_VALUE,
                         VIEW_VALUE,
                         {{"months", 1, MONTHS_MAX, true}}},
    [ITEM_CONSENT] = {ITEM_CONSENT,
                      "CONSENT",
                      "Consents complete and in force",
                      "授权",
                      "centre",
                      OWNER_LOCAL,
                      false,
                      for_everybody,
                      VALID_DAYS_DECISION,
                      VIEW_VALUE,
                      VIEW_VALUE,
                      {{NULL, 0, 0, false}}},
};

const struct catalogue_row *catalogue_row(enum item item)
{
    return item > ITEM_NONE && item < ITEM_COUNT ? &rows[item] : NULL;
}

const struct catalogue_row *catalogue_find(const char *name)
{
    for (unsigned i = ITEM_NONE + 1; i < ITEM_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct item_fact_row *catalogue_fact(const struct catalogue_row *row, const char *name)
{
    for (size_t i = 0; i < ITEM_FACTS_MAX && row->facts[i].name != NULL; i++) {
        if (strcmp(row->facts[i].name, name) == 0) {
            return &row->facts[i];
        }
    }
    return NULL;
}

bool catalogue_applies(const struct application *application, struct item_key key)
{
    const struct catalogue_row *row = catalogue_row(key.item);
    if (row == NULL) {
        return false;
    }
    size_t persons = row->per_person ? application->person_count : 1;
    return key.person < persons && row->applies(application, key.person);
}

_Static_assert(ITEM_COUNT *CL_PERSONS_MAX <= CL_ITEM_RESULTS_MAX, "every item of every person has room");

size_t catalogue_items_for(struct item_key *out, const struct application *application)
{
    size_t count = 0;
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        for (unsigned person = 0; person < CL_PERSONS_MAX; person++) {
            struct item_key key = {.item = (enum item)item, .person = person};
            if (catalogue_applies(application, key)) {
                out[count++] = key;
            }
        }
    }
    return count;
}

int64_t catalogue_valid_until_ms(const struct catalogue_row *row, int64_t observed_ms)
{
    int64_t day_ms = 24 * 60 * 60 * 1000;
    if (!cl_date_covers_ms(observed_ms)) {
        return observed_ms;
    }
    int64_t first_ms = cl_date_to_ms(cl_date_from_ms(observed_ms));
    return first_ms + (row->valid_days + 1) * day_ms - 1;
}

bool failure_is_technical(enum failure_kind kind)
{
    switch (kind) {
    case FAILURE_STALE:
    case FAILURE_TIMEOUT:
    case FAILURE_THROTTLED:
    case FAILURE_SOURCE_CLOSED:
    case FAILURE_BAD_SIGNATURE:
    case FAILURE_PARSE:
    case FAILURE_UNREACHABLE:
        return true;
    case FAILURE_NONE:
    case FAILURE_NOT_AUTHORISED:
    case FAILURE_NO_RECORD:
    case FAILURE_MISMATCH:
    case FAILURE_AMBIGUOUS:
    case FAILURE_KIND_COUNT:
        return false;
    }
    return false;
}
