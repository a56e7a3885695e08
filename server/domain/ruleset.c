#include "server/domain/ruleset.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/annuity.h"
#include "libcoloan/date.h"

/* Bounds are wide: they catch a slip of the pen (yuan for fen, percent for ppm), not a policy. */

#define FEN_MAX   CL_PRINCIPAL_FEN_MAX
#define SHARE_MAX 1000000 /* the whole */
#define AGE_MAX   1200    /* months: a hundred years */

/* The members of a row that every field has. */
#define PLACE(record, field, kind, least, most, measure)                                                               \
    .name = #field, .type = kind, .offset = offsetof(struct record, field),                                            \
    .size = sizeof(((struct record *)NULL)->field), .min = least, .max = most, .unit = measure

#define FIELD(record, field, kind, least, most, measure, text, chinese)                                                \
    {                                                                                                                  \
        PLACE(record, field, kind, least, most, measure), .doc = text, .zh = chinese                                   \
    }

/* A field younger than the first files: `otherwise` is what it is in a file that leaves it out. */
#define LATER(record, field, kind, least, most, measure, otherwise, text, chinese)                                     \
    {                                                                                                                  \
        PLACE(record, field, kind, least, most, measure), .doc = text, .zh = chinese, .optional = true,                \
                                                          .absent = otherwise                                          \
    }

static const struct rule_field set_fields[] = {
    FIELD(rule_set, id, RULE_TEXT, 1, CL_TEXT_BYTES_MAX, "", "Name of the rule set; the file is rules/<id>.yaml.",
          "规则版本号"),
    FIELD(rule_set, effective_from, RULE_DATE, 0, 0, "yyyymmdd", "The first day.", "生效日期"),
    LATER(rule_set, effective_until, RULE_DATE_OR_NONE, 0, 0, "yyyymmdd", 0,
          "The policy's own last day; 0 until another set follows.", "政策截止日期"),

    FIELD(rule_set, cap_single_fen, RULE_INT64, 1, FEN_MAX, "fen", "Most that the fund lends to one contributor.",
          "单缴存人最高额度"),
    FIELD(rule_set, cap_household_fen, RULE_INT64, 1, FEN_MAX, "fen", "Most that it lends to several contributors.",
          "家庭最高额度"),
    FIELD(rule_set, uplift_ppm, RULE_INT32, 0, SHARE_MAX, "ppm", "One uplift raises the cap by this share.",
          "单项上浮比例"),
    FIELD(rule_set, cap_single_stacked_fen, RULE_INT64, 1, FEN_MAX, "fen",
          "Cap of one contributor with an uplift for the family or trade-in and one for the building.",
          "单缴存人叠加上浮额度"),
    FIELD(rule_set, cap_household_stacked_fen, RULE_INT64, 1, FEN_MAX, "fen", "The same for several contributors.",
          "家庭叠加上浮额度"),
    LATER(rule_set, cap_single_second_fen, RULE_INT64, 0, FEN_MAX, "fen", 0,
          "Most that the fund lends to one contributor on a second home; 0 as on the first.", "二套单缴存人最高额度"),
    LATER(rule_set, cap_household_second_fen, RULE_INT64, 0, FEN_MAX, "fen", 0, "The same for several contributors.",
          "二套家庭最高额度"),
    FIELD(rule_set, uplift_minors_min, RULE_INT32, 1, 20, "persons", "Minor children that give the family uplift.",
          "多子女上浮的未成年子女数"),
    FIELD(rule_set, uplift_green_stars_min, RULE_INT32, 1, 3, "stars", "Green-building stars that give an uplift.",
          "绿色建筑上浮星级"),
    FIELD(rule_set, voucher_multiple, RULE_INT32, 1, 10, "times",
          "A young talent's housing voucher multiplies the plain cap of a new home; 1 for none.", "青年人才房票倍数"),
    FIELD(rule_set, round_to_fen, RULE_INT64, 1, 100000000, "fen", "Both parts are whole multiples of this.",
          "额度取整单位"),

    FIELD(rule_set, fund_down_payment_ppm, RULE_INT32, 0, SHARE_MAX, "ppm", "Share of the price the fund never lends.",
          "公积金最低首付比例"),
    FIELD(rule_set, down_payment_first_ppm, RULE_INT32, 0, SHARE_MAX, "ppm", "Least down payment on a first home.",
          "首套最低首付比例"),
    FIELD(rule_set, down_payment_second_ppm, RULE_INT32, 0, SHARE_MAX, "ppm", "Least down payment on a second home.",
          "二套最低首付比例"),
    FIELD(rule_set, balance_multiple, RULE_INT32, 0, 1000, "times", "Multiple of the balances lent; 0 for no limit.",
          "账户余额倍数"),
    FIELD(rule_set, balance_floor_fen, RULE_INT64, 0, FEN_MAX, "fen", "The balance limit is at least this.",
          "保底额度"),
    FIELD(rule_set, fund_pti_ppm, RULE_INT32, 1, SHARE_MAX, "ppm",
          "Share of the contribution bases that the fund instalment and all other debts may take.",
          "公积金还款能力系数"),
    FIELD(rule_set, joint_housing_ppm, RULE_INT32, 1, SHARE_MAX, "ppm", "Share of income for both instalments.",
          "房产支出收入比"),
    FIELD(rule_set, joint_debt_ppm, RULE_INT32, 1, SHARE_MAX, "ppm", "Share of income for these and all other debts.",
          "全部债务收入比"),

    LATER(rule_set, co_borrowers_allowed, RULE_BOOL, 0, 1, "", 1,
          "Whether parents or children may borrow together with the borrower.", "允许代际互助"),
    LATER(rule_set, co_borrower_months_min, RULE_INT32, 0, 120, "months", 0,
          "Continuous full contribution a co-borrower needs.", "共同借款人连续缴存月数"),
    LATER(rule_set, co_borrower_cap_fen, RULE_INT64, 0, FEN_MAX, "fen", 0,
          "Most that the fund lends with a contributing co-borrower; 0: as to any contributors.", "代际互助最高额度"),
    LATER(rule_set, co_borrower_cap_stacked_fen, RULE_INT64, 0, FEN_MAX, "fen", 0,
          "The same with an uplift for the family and one for the building.", "代际互助叠加上浮额度"),
    LATER(rule_set, co_borrower_loans_count, RULE_BOOL, 0, 1, "", 1,
          "Whether a co-borrower's settled fund loans count as the family's.", "共同借款人已结清贷款计入次数"),

    FIELD(rule_set, contribution_months_min, RULE_INT32, 0, 120, "months", "Continuous full contribution needed.",
          "连续足额缴存月数"),
    LATER(rule_set, offsite_contributors, RULE_BOOL, 0, 1, "", 1,
          "Whether who contributes to another centre may borrow here.", "接受异地缴存职工"),
    FIELD(rule_set, fund_loans_max, RULE_INT32, 1, 10, "loans", "Fund loans a family may have used, this one included.",
          "公积金贷款次数上限"),
    FIELD(rule_set, fund_count_settled, RULE_BOOL, 0, 1, "", "Whether settled fund loans count for that.",
          "已结清贷款计入次数"),
    FIELD(rule_set, homes_owned_max, RULE_INT32, 0, 10, "homes", "Homes the family may own before this one.",
          "已有住房套数上限"),
    FIELD(rule_set, mortgages_open_max, RULE_INT32, 0, 10, "loans", "Commercial mortgages that may be unsettled.",
          "未结清商贷笔数上限"),
    FIELD(rule_set, credit_window_months, RULE_INT32, 1, 120, "months", "How far back overdue months count.",
          "征信回溯月数"),
    FIELD(rule_set, credit_consecutive_max, RULE_INT32, 0, 120, "months", "Overdue months in a row still accepted.",
          "可接受连续逾期次数"),
    FIELD(rule_set, credit_total_max, RULE_INT32, 0, 120, "months", "Overdue months in all still accepted.",
          "可接受累计逾期次数"),

    FIELD(rule_set, age_months_min, RULE_INT32, 0, AGE_MAX, "months", "Least age of the borrower.", "借款人最低年龄"),
    FIELD(rule_set, retirement_extra_months, RULE_INT32, 0, 240, "months",
          "The fund part ends this long after "
          "statutory retirement at the latest.",
          "法定退休后可延长"),
    FIELD(rule_set, commercial_age_months_max, RULE_INT32, 1, AGE_MAX, "months", "Age when the commercial part ends.",
          "商贷到期最高年龄"),
    FIELD(rule_set, term_months_max_fund, RULE_INT32, 12, CL_TERM_MONTHS_MAX, "months", "Longest fund term.",
          "公积金最长期限"),
    FIELD(rule_set, term_months_max_commercial, RULE_INT32, 12, CL_TERM_MONTHS_MAX, "months",
          "Longest commercial term.", "商贷最长期限"),
    FIELD(rule_set, term_step_months, RULE_INT32, 1, 12, "months", "Terms that are cut or lengthened are multiples.",
          "期限步长"),
    FIELD(rule_set, equal_term, RULE_BOOL, 0, 1, "", "Whether both parts run equally long.", "两部分期限一致"),
    FIELD(rule_set, building_age_months_max, RULE_INT32, 1, AGE_MAX, "months",
          "Age of a second-hand building when the loan ends.", "到期时房龄上限"),

    FIELD(rule_set, second_by_loans, RULE_BOOL, 0, 1, "", "Whether a used fund loan makes this one a second.",
          "按贷款次数认定二套利率"),
    FIELD(rule_set, second_by_homes, RULE_BOOL, 0, 1, "", "Whether an owned home makes this fund loan a second.",
          "按住房套数认定二套利率"),
    FIELD(rule_set, commercial_rate_first_ppm, RULE_INT32, 1, CL_RATE_PPM_MAX, "ppm a year",
          "Reference rate of the commercial part for a first home.", "首套商贷利率"),
    FIELD(rule_set, commercial_rate_second_ppm, RULE_INT32, 1, CL_RATE_PPM_MAX, "ppm a year",
          "Reference rate of the commercial part for a second home.", "二套商贷利率"),
    FIELD(rule_set, commercial_rate_ppm_min, RULE_INT32, 1, CL_RATE_PPM_MAX, "ppm a year",
          "Lowest rate a bank may name in a counter-offer.", "银行还价利率下限"),
    FIELD(rule_set, commercial_rate_ppm_max, RULE_INT32, 1, CL_RATE_PPM_MAX, "ppm a year",
          "Highest rate a bank may name in a counter-offer.", "银行还价利率上限"),

    FIELD(rule_set, offer_valid_days, RULE_INT32, 1, 366, "days", "How long an offer holds after its day.",
          "审批结果有效期"),
    FIELD(rule_set, offer_versions_max, RULE_INT32, 1, 100, "versions", "Offers of one case, counter-offers included.",
          "方案版本上限"),

    LATER(rule_set, supplement_days, RULE_INT32, 1, 366, "days", 30,
          "How long a borrower may take to supplement an application.", "补件期限"),
    LATER(rule_set, bank_changes_max, RULE_INT32, 0, 20, "changes", 3, "How often a case may go to another bank.",
          "更换银行次数上限"),
    LATER(rule_set, in_flight_choice, RULE_BOOL, 0, 1, "", 0,
          "Whether a case accepted under an older set may choose this one until a contract is signed.",
          "在途业务可选新规则"),

    LATER(rule_set, presale_hold_from, RULE_DATE_OR_NONE, 0, 0, "yyyymmdd", 0,
          "Loans on pre-sale homes accepted from this day on are paid after completion filing; 0: not held.",
          "预售房竣工备案后放款起始日"),
    LATER(rule_set, presale_hold_fund, RULE_BOOL, 0, 1, "", 0, "Whether the fund part is held, too.",
          "公积金部分同样待备案"),

    FIELD(rule_set, subsidy_from, RULE_DATE_OR_NONE, 0, 0, "yyyymmdd", "First day of the subsidy; 0 for none.",
          "贴息起始日"),
    FIELD(rule_set, subsidy_until, RULE_DATE_OR_NONE, 0, 0, "yyyymmdd", "Last day of the subsidy; 0 for none.",
          "贴息截止日"),
    FIELD(rule_set, subsidy_area_centi_m2_max, RULE_INT32, 0, 10000000, "0.01 m2", "Largest home subsidised.",
          "贴息面积上限"),
    FIELD(rule_set, subsidy_price_fen_max, RULE_INT64, 0, FEN_MAX, "fen", "Dearest home subsidised.", "贴息房价上限"),
    FIELD(rule_set, subsidy_principal_fen_max, RULE_INT64, 0, FEN_MAX, "fen", "Largest commercial part subsidised.",
          "贴息本金上限"),
};

static const struct rule_field rate_fields[] = {
    FIELD(rule_rate, loan, RULE_INT32, 1, 10, "", "Which fund loan of the family; the last number serves later ones.",
          "第几次公积金贷款"),
    FIELD(rule_rate, months_max, RULE_INT32, 1, CL_TERM_MONTHS_MAX, "months", "Longest term of the row.", "期限不超过"),
    FIELD(rule_rate, ppm, RULE_INT32, 0, CL_RATE_PPM_MAX, "ppm a year", "The rate.", "年利率"),
};

enum {
    SET_FIELD_COUNT = sizeof set_fields / sizeof set_fields[0],
    RATE_FIELD_COUNT = sizeof rate_fields / sizeof rate_fields[0],
};

void rule_set_init(struct rule_set *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < SET_FIELD_COUNT; i++) {
        const struct rule_field *field = &set_fields[i];
        bool fits = !field->optional || cl_is_ok(rule_put_number(out, field, field->absent));
        assert(fits);
    }
}

/* -- Fields -------------------------------------------------------------------------------------------------- */

const struct rule_field *rule_field_at(unsigned index)
{
    return index < SET_FIELD_COUNT ? &set_fields[index] : NULL;
}

const struct rule_field *rule_rate_field_at(unsigned index)
{
    return index < RATE_FIELD_COUNT ? &rate_fields[index] : NULL;
}

static const struct rule_field *find(const struct rule_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

const struct rule_field *rule_field_find(const char *name)
{
    return find(set_fields, SET_FIELD_COUNT, name);
}

const struct rule_field *rule_rate_field_find(const char *name)
{
    return find(rate_fields, RATE_FIELD_COUNT, name);
}

static bool number_fits(const struct rule_field *field, int64_t value)
{
    if (field->type == RULE_DATE_OR_NONE && value == 0) {
        return true;
    }
    if (field->type == RULE_DATE || field->type == RULE_DATE_OR_NONE) {
        return value >= INT32_MIN && value <= INT32_MAX && cl_date_valid((int32_t)value);
    }
    return field->type != RULE_TEXT && value >= field->min && value <= field->max;
}

struct cl_status rule_put_number(void *record, const struct rule_field *field, int64_t value)
{
    if (!number_fits(field, value)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    char *place = (char *)record + field->offset;
    if (field->type == RULE_BOOL) {
        bool flag = value == 1;
        memcpy(place, &flag, sizeof flag);
        return cl_ok();
    }
    if (field->type == RULE_INT64) {
        memcpy(place, &value, sizeof value);
        return cl_ok();
    }
    int32_t number = (int32_t)value;
    memcpy(place, &number, sizeof number);
    return cl_ok();
}

static bool text_fits(const struct rule_field *field, const char *value)
{
    size_t length = strnlen(value, field->size);
    if (field->type != RULE_TEXT || length < (size_t)field->min || length >= field->size) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '!' || value[i] > '~') { /* an id goes into paths, logs and the wire */
            return false;
        }
    }
    return true;
}

struct cl_status rule_put_text(void *record, const struct rule_field *field, const char *value)
{
    if (!text_fits(field, value)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    char *place = (char *)record + field->offset;
    memset(place, 0, field->size);
    memcpy(place, value, strlen(value));
    return cl_ok();
}

int64_t rule_number(const void *record, const struct rule_field *field)
{
    const char *place = (const char *)record + field->offset;
    int64_t number = 0;
    int32_t small = 0;
    bool flag = false;
    if (field->type == RULE_TEXT) {
        return 0;
    }
    if (field->type == RULE_BOOL) {
        memcpy(&flag, place, sizeof flag);
        return flag ? 1 : 0;
    }
    if (field->type == RULE_INT64) {
        memcpy(&number, place, sizeof number);
        return number;
    }
    memcpy(&small, place, sizeof small);
    return small;
}

/* -- Consistency --------------------------------------------------------------------------------------------- */

static const char *wrong_field(const struct rule_set *rules)
{
    for (unsigned i = 0; i < SET_FIELD_COUNT; i++) {
        const struct rule_field *field = &set_fields[i];
        bool fits = field->type == RULE_TEXT ? text_fits(field, (const char *)rules + field->offset)
                                             : number_fits(field, rule_number(rules, field));
        if (!fits) {
            return field->name;
        }
    }
    return NULL;
}

/* Every loan number from 1 without a gap, each with rising terms up to the longest; rows in that order. */
static bool rates_complete(const struct rule_set *rules)
{
    if (rules->rate_count < 1 || rules->rate_count > RULE_RATES_MAX) {
        return false;
    }
    int32_t loan = 0;
    int32_t months = rules->term_months_max_fund; /* of the loan number before */
    for (size_t i = 0; i < rules->rate_count; i++) {
        const struct rule_rate *rate = &rules->rates[i];
        for (unsigned j = 0; j < RATE_FIELD_COUNT; j++) {
            if (!number_fits(&rate_fields[j], rule_number(rate, &rate_fields[j]))) {
                return false;
            }
        }
        bool next_loan = rate->loan == loan + 1 && months >= rules->term_months_max_fund;
        bool next_term = rate->loan == loan && rate->months_max > months;
        if (!next_loan && !next_term) {
            return false;
        }
        loan = rate->loan;
        months = rate->months_max;
    }
    return months >= rules->term_months_max_fund;
}

static const char *wrong_relation(const struct rule_set *rules)
{
    if (rules->effective_until != 0 && rules->effective_until < rules->effective_from) {
        return "effective_until";
    }
    if (rules->cap_household_fen < rules->cap_single_fen) {
        return "cap_household_fen";
    }
    if (rules->cap_single_stacked_fen < rules->cap_single_fen) {
        return "cap_single_stacked_fen";
    }
    if (rules->cap_household_stacked_fen < rules->cap_household_fen) {
        return "cap_household_stacked_fen";
    }
    if ((rules->co_borrower_cap_fen == 0) != (rules->co_borrower_cap_stacked_fen == 0) ||
        rules->co_borrower_cap_stacked_fen < rules->co_borrower_cap_fen) {
        return "co_borrower_cap_stacked_fen";
    }
    if (rules->presale_hold_fund && rules->presale_hold_from == 0) {
        return "presale_hold_fund";
    }
    if (rules->joint_debt_ppm < rules->joint_housing_ppm) {
        return "joint_debt_ppm";
    }
    if (rules->commercial_rate_ppm_max < rules->commercial_rate_ppm_min) {
        return "commercial_rate_ppm_max";
    }
    if ((rules->subsidy_from == 0) != (rules->subsidy_until == 0) || rules->subsidy_until < rules->subsidy_from) {
        return "subsidy_until";
    }
    return rates_complete(rules) ? NULL : "rates";
}

struct cl_status rule_set_validate(const struct rule_set *rules, const char **field_out)
{
    const char *field = wrong_field(rules);
    if (field == NULL) {
        field = wrong_relation(rules);
    }
    if (field == NULL) {
        return cl_ok();
    }
    if (field_out != NULL) {
        *field_out = field;
    }
    return cl_fail(CL_CONFIG_INVALID);
}

int32_t rule_fund_rate_ppm(const struct rule_set *rules, int32_t loan, int32_t term_months)
{
    int32_t last_loan = rules->rates[rules->rate_count - 1].loan;
    int32_t wanted = loan < last_loan ? loan : last_loan;
    for (size_t i = 0; i < rules->rate_count; i++) {
        if (rules->rates[i].loan == wanted && rules->rates[i].months_max >= term_months) {
            return rules->rates[i].ppm;
        }
    }
    return rules->rates[rules->rate_count - 1].ppm; /* past the longest term: not asked for */
}

bool rule_holds_presale(const struct rule_set *rules, bool presale, bool fund_leg, int32_t accepted_date)
{
    bool held = presale && rules->presale_hold_from != 0 && accepted_date >= rules->presale_hold_from;
    return held && (!fund_leg || rules->presale_hold_fund);
}
