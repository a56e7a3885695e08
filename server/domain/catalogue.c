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

_Static_assert(ITEM_COUNT <= 64, "items are bits of 64");

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

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool left_out(const struct application *application, enum item item)
{
    return (application->items_unused & ITEM_BIT(item)) != 0;
}

/* Whose fund account another centre keeps, and is asked there. */
static bool for_offsite_contributors(const struct application *application, unsigned person)
{
    const struct person *about = &application->persons[person];
    return about->contributes && is_given(about->contribution_centre) &&
           !left_out(application, ITEM_CONTRIBUTION_OFFSITE);
}

static bool for_own_contributors(const struct application *application, unsigned person)
{
    return application->persons[person].contributes && !for_offsite_contributors(application, person);
}

static bool for_face_tokens(const struct application *application, unsigned person)
{
    return is_given(application->persons[person].face_token);
}

static bool for_dated_documents(const struct application *application, unsigned person)
{
    return application->persons[person].id_valid_until != 0;
}

static bool for_employed(const struct application *application, unsigned person)
{
    return is_given(application->persons[person].employer_uscc);
}

static bool for_couples(const struct application *application, unsigned person)
{
    (void)person;
    for (size_t i = 0; i < application->person_count; i++) {
        if (application->persons[i].role == PERSON_SPOUSE) {
            return true;
        }
    }
    return false;
}

static bool for_accounts(const struct application *application, unsigned person)
{
    (void)person;
    return application->has_account;
}

static bool for_presale(const struct application *application, unsigned person)
{
    (void)person;
    return application->home.presale;
}

/* A home sold before completion stands in a project whether or not its permit's number was given. */
static bool for_projects(const struct application *application, unsigned person)
{
    return for_presale(application, person) ||
           (application->home.kind == HOME_NEW && is_given(application->home.permit_no));
}

static bool for_second_hand(const struct application *application, unsigned person)
{
    (void)person;
    return application->home.kind == HOME_SECOND_HAND;
}

static bool for_new_homes(const struct application *application, unsigned person)
{
    (void)person;
    return application->home.kind == HOME_NEW;
}

/* In the order of their numbers, which a test holds; row 0 stands for no item.
 *
 * Each row asks the least that settles it (server/source/items.c has the questions). Credit reports stay with whoever
 * asked for them: the other lender sees a verdict at most. The fund needs the number of INCOME for its ratios. */
static const struct catalogue_row rows[ITEM_COUNT] =
    {
        [ITEM_ID_NUMBER] =
            {
                .item = ITEM_ID_NUMBER,
                .name = "ID_NUMBER",
                .title_en = "ID number well-formed",
                .title_zh = "身份号码格式",
                .authority = "centre",
                .owner = OWNER_LOCAL,
                .per_person = true,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 3650,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_VALUE,
            },
        [ITEM_IDENTITY] =
            {
                .item = ITEM_IDENTITY,
                .name = "IDENTITY",
                .title_en = "Name and ID number belong together",
                .title_zh = "身份核验",
                .authority = "public-security",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 30,
                .reuse = REUSE_VALID,
                .fund_view = VIEW_VERDICT,
                .bank_view = VIEW_VERDICT,
                .borrower_view = VIEW_VALUE,
            },
        [ITEM_MARRIAGE] =
            {
                .item = ITEM_MARRIAGE,
                .name = "MARRIAGE",
                .title_en = "Marital status as registered",
                .title_zh = "婚姻状况",
                .authority = "civil-affairs",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_the_couple,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION) | PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = 30,
                .reuse = REUSE_VALID,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VERDICT,
                .borrower_view = VIEW_VALUE,
                .facts = {{"status", MARITAL_SINGLE, MARITAL_WIDOWED, true, FACT_NUMBER}},
            },
        [ITEM_CHILDREN] =
            {
                .item = ITEM_CHILDREN,
                .name = "CHILDREN",
                .title_en = "Minor children",
                .title_zh = "未成年子女",
                .authority = "household-register",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_everybody,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 90,
                .reuse = REUSE_VALID,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_NONE,
                .borrower_view = VIEW_NONE,
                .facts = {{"minors", 0, COUNT_MAX, true, FACT_NUMBER}},
            },
        [ITEM_CONTRIBUTION] =
            {
                .item = ITEM_CONTRIBUTION,
                .name = "CONTRIBUTION",
                .title_en = "Fund account",
                .title_zh = "缴存情况",
                .authority = "fund-accounts",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_own_contributors,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION) | PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = VALID_DAYS_DECISION,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VERDICT,
                .borrower_view = VIEW_VALUE,
                .facts = {{"months", 0, MONTHS_MAX, true, FACT_NUMBER},
                          {"base_fen", 0, MONEY_MAX, true, FACT_NUMBER},
                          {"balance_fen", 0, MONEY_MAX, true, FACT_NUMBER},
                          {"sealed", 0, 1, true, FACT_NUMBER}},
            },
        [ITEM_LOAN_HISTORY] =
            {
                .item = ITEM_LOAN_HISTORY,
                .name = "LOAN_HISTORY",
                .title_en = "Fund loans nationwide",
                .title_zh = "公积金贷款记录",
                .authority = "supervision-platform",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION) | PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = VALID_DAYS_DECISION,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VERDICT,
                .borrower_view = VIEW_VALUE,
                .facts = {{"loans_used", 0, COUNT_MAX, true, FACT_NUMBER},
                          {"loans_open", 0, COUNT_MAX, true, FACT_NUMBER}},
            },
        [ITEM_FRAUD_LIST] =
            {
                .item = ITEM_FRAUD_LIST,
                .name = "FRAUD_LIST",
                .title_en = "Bans after withdrawal or loan fraud",
                .title_zh = "骗提骗贷名单",
                .authority = "fraud-list",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = VALID_DAYS_DECISION,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_NONE,
                .borrower_view = VIEW_NONE,
                .facts = {{"banned_until", 0, DATE_MAX, true, FACT_DATE}},
            },
        [ITEM_CREDIT_FUND] =
            {
                .item = ITEM_CREDIT_FUND,
                .name = "CREDIT_FUND",
                .title_en = "Credit report, the centre's query",
                .title_zh = "征信（中心查询）",
                .authority = "credit-bureau",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION) | PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = 30,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_NONE,
                .borrower_view = VIEW_NONE,
                .facts = {{"overdue_now", 0, 1, true, FACT_NUMBER},
                          {"overdue_consecutive", 0, MONTHS_MAX, true, FACT_NUMBER},
                          {"overdue_total", 0, MONTHS_MAX, true, FACT_NUMBER},
                          {"debts_fen", 0, MONEY_MAX, true, FACT_NUMBER},
                          {"mortgages_open", 0, COUNT_MAX, true, FACT_NUMBER}},
            },
        [ITEM_CREDIT_BANK] =
            {
                .item = ITEM_CREDIT_BANK,
                .name = "CREDIT_BANK",
                .title_en = "Credit report, the bank's query",
                .title_zh = "征信（银行查询）",
                .authority = "bank",
                .owner = OWNER_BANK,
                .per_person = true,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 30,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VERDICT,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
            },
        [ITEM_HOME_COUNT] =
            {
                .item = ITEM_HOME_COUNT,
                .name = "HOME_COUNT",
                .title_en = "Homes of the family",
                .title_zh = "家庭住房套数",
                .authority = "property-register",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 15,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VERDICT,
                .borrower_view = VIEW_VALUE,
                .facts = {{"homes", 0, COUNT_MAX, true, FACT_NUMBER}},
            },
        [ITEM_HOME_CONTRACT] =
            {
                .item = ITEM_HOME_CONTRACT,
                .name = "HOME_CONTRACT",
                .title_en = "Filed sales contract",
                .title_zh = "网签备案合同",
                .authority = "housing-exchange",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 30,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_VALUE,
                .facts = {{"price_fen", 1, MONEY_MAX, true, FACT_NUMBER},
                          {"area_centi_m2", 1, APPLICATION_AREA_CENTI_M2_MAX, true, FACT_NUMBER}},
            },
        [ITEM_GREEN_BUILDING] =
            {
                .item = ITEM_GREEN_BUILDING,
                .name = "GREEN_BUILDING",
                .title_en = "Rated building, improved home, trade-in, voucher",
                .title_zh = "绿色建筑与改善型住房",
                .authority = "housing-bureau",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_new_homes,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 365,
                .reuse = REUSE_VALID,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_NONE,
                .borrower_view = VIEW_VALUE,
                .facts = {{"stars", 0, 3, true, FACT_NUMBER},
                          {"improved", 0, 1, true, FACT_NUMBER},
                          {"trade_in", 0, 1, true, FACT_NUMBER},
                          {"youth_voucher", 0, 1, true, FACT_NUMBER}},
            },
        [ITEM_INCOME] =
            {
                .item = ITEM_INCOME,
                .name = "INCOME",
                .title_en = "Monthly household income, verified by the bank",
                .title_zh = "收入",
                .authority = "bank",
                .owner = OWNER_BANK,
                .per_person = false,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 90,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
                .facts = {{"monthly_fen", 0, MONEY_MAX, true, FACT_NUMBER}},
            },
        [ITEM_RETIREMENT] =
            {
                .item = ITEM_RETIREMENT,
                .name = "RETIREMENT",
                .title_en = "Statutory retirement age",
                .title_zh = "法定退休年龄",
                .authority = "centre",
                .owner = OWNER_LOCAL,
                .per_person = true,
                .applies = for_the_borrower,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 3650,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_VALUE,
                .facts = {{"months", 1, MONTHS_MAX, true, FACT_NUMBER}},
            },
        [ITEM_CONSENT] =
            {
                .item = ITEM_CONSENT,
                .name = "CONSENT",
                .title_en = "Consents complete and in force",
                .title_zh = "授权",
                .authority = "centre",
                .owner = OWNER_LOCAL,
                .per_person = false,
                .applies = for_everybody,
                .needed = true,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = VALID_DAYS_DECISION,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_VALUE,
            },
        [ITEM_FACE] =
            {
                .item = ITEM_FACE,
                .name = "FACE",
                .title_en = "Liveness check belongs to the person",
                .title_zh = "人脸核验",
                .authority = "face-check",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_face_tokens,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = VALID_DAYS_DECISION,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VERDICT,
                .bank_view = VIEW_VERDICT,
                .borrower_view = VIEW_NONE,
            },
        [ITEM_ID_DOCUMENT] =
            {
                .item = ITEM_ID_DOCUMENT,
                .name = "ID_DOCUMENT",
                .title_en = "ID document in force",
                .title_zh = "身份证件有效期",
                .authority = "public-security",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_dated_documents,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = VALID_DAYS_DECISION,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VERDICT,
                .bank_view = VIEW_VERDICT,
                .borrower_view = VIEW_NONE,
            },
        [ITEM_MARRIAGE_PAIR] =
            {
                .item = ITEM_MARRIAGE_PAIR,
                .name = "MARRIAGE_PAIR",
                .title_en = "Married to each other",
                .title_zh = "双方婚姻核验",
                .authority = "civil-affairs",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_couples,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION) | PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = 30,
                .reuse = REUSE_VALID,
                .fund_view = VIEW_VERDICT,
                .bank_view = VIEW_VERDICT,
                .borrower_view = VIEW_NONE,
            },
        [ITEM_CONTRIBUTION_OFFSITE] =
            {
                .item = ITEM_CONTRIBUTION_OFFSITE,
                .name = "CONTRIBUTION_OFFSITE",
                .title_en = "Fund account at another centre",
                .title_zh = "异地缴存证明",
                .authority = "supervision-platform",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_offsite_contributors,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION) | PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = 30,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_NONE,
                .borrower_view = VIEW_NONE,
                .facts = {{"months", 0, MONTHS_MAX, true, FACT_NUMBER},
                          {"base_fen", 0, MONEY_MAX, true, FACT_NUMBER},
                          {"balance_fen", 0, MONEY_MAX, true, FACT_NUMBER},
                          {"sealed", 0, 1, true, FACT_NUMBER},
                          {"loans_used", 0, COUNT_MAX, true, FACT_NUMBER},
                          {"loans_open", 0, COUNT_MAX, true, FACT_NUMBER},
                          {"fraud", 0, 1, true, FACT_NUMBER}},
            },
        [ITEM_COURT_LIST] =
            {
                .item = ITEM_COURT_LIST,
                .name = "COURT_LIST",
                .title_en = "List of judgement defaulters",
                .title_zh = "失信被执行人",
                .authority = "supreme-court",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_everybody,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 15,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_VALUE,
                .facts = {{"listed", 0, 1, true, FACT_NUMBER}, {"case_no", 1, CL_TEXT_BYTES_MAX, false, FACT_TEXT}},
            },
        [ITEM_MORTGAGES] =
            {
                .item = ITEM_MORTGAGES,
                .name = "MORTGAGES",
                .title_en = "Commercial mortgages not settled",
                .title_zh = "未结清商业房贷",
                .authority = "credit-bureau",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_everybody,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 30,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_NONE,
                .borrower_view = VIEW_NONE,
                .facts = {{"open", 0, COUNT_MAX, true, FACT_NUMBER}, {"monthly_fen", 0, MONEY_MAX, true, FACT_NUMBER}},
            },
        [ITEM_PROJECT] =
            {
                .item = ITEM_PROJECT,
                .name = "PROJECT",
                .title_en = "Project admitted, pre-sale permit in force",
                .title_zh = "楼盘准入与预售许可",
                .authority = "housing-bureau",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_projects,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = VALID_DAYS_DECISION,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
            },
        [ITEM_COMPLETION_FILING] =
            {
                .item = ITEM_COMPLETION_FILING,
                .name = "COMPLETION_FILING",
                .title_en = "Completion filed",
                .title_zh = "竣工备案",
                .authority = "housing-bureau",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_presale,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = 3650,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
                .facts = {{"filed_on", 0, DATE_MAX, true, FACT_DATE}},
            },
        [ITEM_SUPERVISION_ACCOUNT] =
            {
                .item = ITEM_SUPERVISION_ACCOUNT,
                .name = "SUPERVISION_ACCOUNT",
                .title_en = "Supervised account of pre-sale money",
                .title_zh = "预售资金监管账户",
                .authority = "housing-bureau",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_presale,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = 0,
                .reuse = REUSE_SAME_DAY,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
                .facts = {{"account", 8, 32, true, FACT_TEXT}},
            },
        [ITEM_PROPERTY_RIGHT] =
            {
                .item = ITEM_PROPERTY_RIGHT,
                .name = "PROPERTY_RIGHT",
                .title_en = "Owner, mortgage, seizure, objection",
                .title_zh = "不动产权利与查封",
                .authority = "property-register",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_second_hand,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION) | PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = VALID_DAYS_DECISION,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
                .facts = {{"mortgaged", 0, 1, true, FACT_NUMBER},
                          {"seized", 0, 1, true, FACT_NUMBER},
                          {"disputed", 0, 1, true, FACT_NUMBER}},
            },
        [ITEM_APPRAISAL] =
            {
                .item = ITEM_APPRAISAL,
                .name = "APPRAISAL",
                .title_en = "Appraised value",
                .title_zh = "评估价",
                .authority = "appraisal",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_second_hand,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 180,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_VALUE,
                .facts = {{"value_fen", 1, MONEY_MAX, true, FACT_NUMBER}, {"valued_on", 1, DATE_MAX, true, FACT_DATE}},
            },
        [ITEM_DOWN_PAYMENT] =
            {
                .item = ITEM_DOWN_PAYMENT,
                .name = "DOWN_PAYMENT",
                .title_en = "Down payment paid",
                .title_zh = "首付款",
                .authority = "tax-bureau",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_everybody,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = 30,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_VALUE,
                .facts = {{"paid_fen", 0, MONEY_MAX, true, FACT_NUMBER}},
            },
        [ITEM_EMPLOYER] =
            {
                .item = ITEM_EMPLOYER,
                .name = "EMPLOYER",
                .title_en = "Employer exists",
                .title_zh = "工作单位",
                .authority = "market-supervision",
                .owner = OWNER_FUND,
                .per_person = true,
                .applies = for_employed,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 90,
                .reuse = REUSE_VALID,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
                .facts = {{"active", 0, 1, true, FACT_NUMBER}},
            },
        [ITEM_PRICE_SANITY] =
            {
                .item = ITEM_PRICE_SANITY,
                .name = "PRICE_SANITY",
                .title_en = "Price of a home",
                .title_zh = "价格合理性",
                .authority = "centre",
                .owner = OWNER_LOCAL,
                .per_person = false,
                .applies = for_everybody,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION),
                .valid_days = 3650,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
                .facts = {{"unit_price_fen", 0, MONEY_MAX, true, FACT_NUMBER}, {"doubtful", 0, 1, true, FACT_NUMBER}},
            },
        [ITEM_ACCOUNT] =
            {
                .item = ITEM_ACCOUNT,
                .name = "ACCOUNT",
                .title_en = "Repayment account is the borrower's",
                .title_zh = "还款账户",
                .authority = "bank-accounts",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_accounts,
                .needed = false,
                .phases = PHASE_BIT(PHASE_DECISION) | PHASE_BIT(PHASE_DISBURSEMENT),
                .valid_days = 30,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VERDICT,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_NONE,
                .facts = {{"account_class", 1, 3, true, FACT_NUMBER}},
            },
        [ITEM_REGISTRATION] =
            {
                .item = ITEM_REGISTRATION,
                .name = "REGISTRATION",
                .title_en = "Transfer and mortgage registration",
                .title_zh = "不动产登记",
                .authority = "property-register",
                .owner = OWNER_FUND,
                .per_person = false,
                .applies = for_everybody,
                .needed = false,
                .phases = PHASE_BIT(PHASE_REGISTRATION),
                .valid_days = 0,
                .reuse = REUSE_NEVER,
                .fund_view = VIEW_VALUE,
                .bank_view = VIEW_VALUE,
                .borrower_view = VIEW_VALUE,
                .facts = {{"state", REGISTRATION_PENDING, REGISTRATION_DONE, true, FACT_NUMBER},
                          {"mortgagee_match", 0, 1, false, FACT_NUMBER},
                          {"amount_fen", 0, MONEY_MAX, false, FACT_NUMBER},
                          {"registered_on", 1, DATE_MAX, false, FACT_DATE},
                          {"certificate_no", 1, CL_TEXT_BYTES_MAX, false, FACT_TEXT}},
            },
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
    return key.person < persons && !left_out(application, key.item) && row->applies(application, key.person);
}

_Static_assert(ITEM_COUNT *CL_PERSONS_MAX <= CL_ITEM_RESULTS_MAX, "every item of every person has room");

size_t catalogue_items_for(struct item_key *out, const struct application *application, enum item_phase phase)
{
    size_t count = 0;
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        bool of_phase = (rows[item].phases & PHASE_BIT(phase)) != 0;
        for (unsigned person = 0; of_phase && person < CL_PERSONS_MAX; person++) {
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

enum item_view catalogue_view(const struct catalogue_row *row, enum item_reader reader, unsigned person)
{
    switch (reader) {
    case READER_FUND:
        return row->fund_view;
    case READER_BANK:
        return row->bank_view;
    case READER_BORROWER:
        break;
    }
    bool of_another = row->per_person && person != 0;
    return of_another && row->borrower_view == VIEW_VALUE ? VIEW_VERDICT : row->borrower_view;
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
