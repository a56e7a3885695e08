#include "server/domain/decide.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/date.h"
#include "libcoloan/sha256.h"

/* The rules run in a fixed order: each person's, the case's, the terms, the quota, the ratios. A rule first looks at
 * the answer of the item it rests on: an answer that is no yes is judged by one table for all items (answer_reason), so
 * that no rule can forget it. Terms, quota and ratios are computed when every number they need is there, whether or not
 * another rule refuses; otherwise the missing answer has already given its reason. */

enum { RULE_INPUTS_MAX = 8 };

#define NO_FACT ((struct input){NULL, 0})

struct input {
    const char *name; /* NULL ends a list */
    int64_t number;
};

struct inputs {
    struct input list[RULE_INPUTS_MAX + 1];
};

struct deciding {
    const struct rule_set *rules;
    const struct application *application;
    const struct case_facts *facts;
    int64_t now_ms;
    int32_t date;
    struct household household;
    struct decision_step *steps;
    size_t step_count;
    struct decision_reason reasons[2 * CL_TRACE_STEPS_MAX];
    size_t reason_count;
};

/* -- Steps and reasons --------------------------------------------------------------------------------------- */

static void hash_line(struct cl_sha256 *hash, const char *name, const char *value)
{
    cl_sha256_add(hash, cl_bytes_text(name));
    cl_sha256_add(hash, cl_bytes_text("="));
    cl_sha256_add(hash, cl_bytes_text(value));
    cl_sha256_add(hash, cl_bytes_text("\n"));
}

static void hash_number(struct cl_sha256 *hash, const char *name, int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    hash_line(hash, name, text);
}

static struct cl_digest digest_of(const struct decision_step *step, const struct inputs *inputs)
{
    struct cl_sha256 hash;
    struct cl_digest digest;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes_text("coloan inputs v1\n"));
    hash_line(&hash, "rule", step->rule);
    hash_number(&hash, "person", step->person);
    for (size_t i = 0; inputs->list[i].name != NULL; i++) {
        hash_number(&hash, inputs->list[i].name, inputs->list[i].number);
    }
    cl_sha256_finish(&hash, &digest);
    return digest;
}

static void add_step(struct deciding *deciding, struct decision_step step, const struct inputs *inputs)
{
    assert(deciding->step_count < CL_TRACE_STEPS_MAX); /* a test counts them for the largest application */
    assert(inputs->list[RULE_INPUTS_MAX].name == NULL);
    step.inputs_digest = digest_of(&step, inputs);
    deciding->steps[deciding->step_count++] = step;
}

static void add_reason(struct deciding *deciding, enum cl_loan_reason reason, unsigned person)
{
    for (size_t i = 0; i < deciding->reason_count; i++) {
        if (deciding->reasons[i].reason == reason && deciding->reasons[i].person == person) {
            return;
        }
    }
    assert(deciding->reason_count < sizeof deciding->reasons / sizeof deciding->reasons[0]);
    deciding->reasons[deciding->reason_count++] = (struct decision_reason){.reason = reason, .person = person};
}

/* What a rule that gave `reason` did to the case. */
static enum rule_outcome outcome_of(enum cl_loan_reason reason)
{
    switch (cl_loan_reason_severity(reason)) {
    case CL_SEVERITY_REJECT:
        return RULE_REFUSE;
    case CL_SEVERITY_MANUAL:
    case CL_SEVERITY_SUPPLEMENT:
        return RULE_REFER;
    case CL_SEVERITY_INFO:
    case CL_SEVERITY_NONE:
        return RULE_PASS;
    }
    return RULE_REFER;
}

/* A rule that passes (CL_LOAN_NONE) or gives one reason. */
static void judge(struct deciding *deciding, const char *rule, unsigned person, enum cl_loan_reason reason,
                  const struct inputs *inputs)
{
    struct decision_step step = {.rule = rule, .person = person, .outcome = outcome_of(reason), .reason = reason};
    add_step(deciding, step, inputs);
    if (reason != CL_LOAN_NONE) {
        add_reason(deciding, reason, person);
    }
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

/* What it means for a case that an item's authority says no, knows nothing, or leaves it to a person. */
struct item_reasons {
    enum cl_loan_reason no;
    enum cl_loan_reason no_record;
    enum cl_loan_reason manual;
};

static const struct item_reasons item_reasons[ITEM_COUNT] = {
    [ITEM_ID_NUMBER] = {CL_LOAN_ID_FORM, CL_LOAN_ID_FORM, CL_LOAN_ID_RECORD},
    [ITEM_IDENTITY] = {CL_LOAN_ID_MISMATCH, CL_LOAN_ID_RECORD, CL_LOAN_ID_RECORD},
    [ITEM_MARRIAGE] = {CL_LOAN_MAR_CONTRADICT, CL_LOAN_MAR_RECORD, CL_LOAN_MAR_RECORD},
    [ITEM_CHILDREN] = {CL_LOAN_NONE, CL_LOAN_NONE, CL_LOAN_SYS_SOURCE}, /* no children on record: no uplift */
    [ITEM_CONTRIBUTION] = {CL_LOAN_CON_RECORD, CL_LOAN_CON_RECORD, CL_LOAN_SYS_SOURCE},
    [ITEM_LOAN_HISTORY] = {CL_LOAN_HPF_RECORD, CL_LOAN_HPF_RECORD, CL_LOAN_HPF_RECORD},
    [ITEM_FRAUD_LIST] = {CL_LOAN_FRD_RECORD, CL_LOAN_FRD_RECORD, CL_LOAN_FRD_RECORD},
    [ITEM_CREDIT_FUND] = {CL_LOAN_CRD_RECORD, CL_LOAN_CRD_RECORD, CL_LOAN_CRD_RECORD},
    [ITEM_CREDIT_BANK] = {CL_LOAN_CRD_BANK, CL_LOAN_CRD_BANK, CL_LOAN_CRD_BANK}, /* the bank's own business */
    [ITEM_HOME_COUNT] = {CL_LOAN_HSE_COUNT_RECORD, CL_LOAN_HSE_COUNT_RECORD, CL_LOAN_HSE_COUNT_RECORD},
    [ITEM_HOME_CONTRACT] = {CL_LOAN_HSE_CONTRACT, CL_LOAN_HSE_CONTRACT, CL_LOAN_SYS_SOURCE},
    [ITEM_GREEN_BUILDING] = {CL_LOAN_NONE, CL_LOAN_NONE, CL_LOAN_SYS_SOURCE}, /* not listed: no uplift */
    [ITEM_INCOME] = {CL_LOAN_INC_UNVERIFIED, CL_LOAN_INC_UNVERIFIED, CL_LOAN_INC_UNVERIFIED},
    [ITEM_RETIREMENT] = {CL_LOAN_AGE_RECORD, CL_LOAN_AGE_RECORD, CL_LOAN_AGE_RECORD},
    [ITEM_CONSENT] = {CL_LOAN_AUT_CONSENT, CL_LOAN_AUT_CONSENT, CL_LOAN_AUT_CONSENT},
    [ITEM_FACE] = {CL_LOAN_ID_FACE, CL_LOAN_ID_FACE, CL_LOAN_ID_FACE},
    [ITEM_ID_DOCUMENT] = {CL_LOAN_ID_DOCUMENT, CL_LOAN_ID_RECORD, CL_LOAN_ID_RECORD},
    [ITEM_MARRIAGE_PAIR] = {CL_LOAN_MAR_CONTRADICT, CL_LOAN_MAR_RECORD, CL_LOAN_MAR_RECORD},
    [ITEM_CONTRIBUTION_OFFSITE] = {CL_LOAN_CON_OFFSITE, CL_LOAN_CON_OFFSITE, CL_LOAN_CON_OFFSITE},
    [ITEM_COURT_LIST] = {CL_LOAN_CRT_RECORD, CL_LOAN_CRT_RECORD, CL_LOAN_CRT_RECORD}, /* a namesake, too */
    [ITEM_MORTGAGES] = {CL_LOAN_CRD_RECORD, CL_LOAN_CRD_RECORD, CL_LOAN_CRD_RECORD},
    [ITEM_PROJECT] = {CL_LOAN_HSE_PROJECT, CL_LOAN_HSE_PRJ_RECORD, CL_LOAN_HSE_PRJ_RECORD},
    [ITEM_PROPERTY_RIGHT] = {CL_LOAN_HSE_RIGHT, CL_LOAN_HSE_RIGHT_RECORD, CL_LOAN_HSE_RIGHT_RECORD},
    [ITEM_APPRAISAL] = {CL_LOAN_HSE_APPRAISAL, CL_LOAN_HSE_APPRAISAL, CL_LOAN_SYS_SOURCE},
    [ITEM_EMPLOYER] = {CL_LOAN_EMP_RECORD, CL_LOAN_EMP_RECORD, CL_LOAN_EMP_RECORD},
    [ITEM_PRICE_SANITY] = {CL_LOAN_HSE_SANITY, CL_LOAN_HSE_SANITY, CL_LOAN_HSE_SANITY},
    [ITEM_ACCOUNT] = {CL_LOAN_ACC_MISMATCH, CL_LOAN_ACC_MISMATCH, CL_LOAN_SYS_SOURCE},
};

static enum cl_loan_reason answer_reason(enum item item, enum answer answer)
{
    bool banks_own = item == ITEM_CREDIT_BANK;
    switch (answer) {
    case ANSWER_UNUSED:
    case ANSWER_YES:
        return CL_LOAN_NONE;
    case ANSWER_OPEN:
        return CL_LOAN_SYS_OPEN;
    case ANSWER_NO:
        return item_reasons[item].no;
    case ANSWER_NO_RECORD:
        return item_reasons[item].no_record;
    case ANSWER_MANUAL:
        return item_reasons[item].manual;
    case ANSWER_REFUSED:
        return banks_own ? CL_LOAN_CRD_BANK : CL_LOAN_AUT_CONSENT;
    case ANSWER_TECHNICAL:
        return banks_own ? CL_LOAN_CRD_BANK : CL_LOAN_SYS_SOURCE;
    }
    return CL_LOAN_SYS_SOURCE;
}

enum cl_loan_reason decide_answer_reason(enum item item, enum answer answer)
{
    return answer_reason(item, answer);
}

/* The reason of the answer if it is no yes; otherwise `reason` if `broken`. */
static enum cl_loan_reason reason_if(enum item item, enum answer answer, bool broken, enum cl_loan_reason reason)
{
    if (answer != ANSWER_YES) {
        return answer_reason(item, answer);
    }
    return broken ? reason : CL_LOAN_NONE;
}

/* A rule that rests on one item, which the application may not have. */
static void judge_item(struct deciding *deciding, const char *rule, unsigned person, enum item item, enum answer answer,
                       struct input fact, enum cl_loan_reason reason)
{
    if (answer == ANSWER_UNUSED) {
        return;
    }
    bool broken = reason != CL_LOAN_NONE && fact.number != 0;
    judge(deciding, rule, person, reason_if(item, answer, broken, reason),
          &(struct inputs){{{"answer", answer}, fact}});
}

/* -- Rules on a person --------------------------------------------------------------------------------------- */

static void judge_identity(struct deciding *deciding, size_t index)
{
    const struct person_facts *facts = &deciding->facts->persons[index];
    unsigned person = (unsigned)index + 1;
    enum answer number = facts->answer[ITEM_ID_NUMBER];
    enum answer identity = facts->answer[ITEM_IDENTITY];
    judge(deciding, "identity.id_number", person, answer_reason(ITEM_ID_NUMBER, number),
          &(struct inputs){{{"answer", number}}});
    judge(deciding, "identity.match", person, answer_reason(ITEM_IDENTITY, identity),
          &(struct inputs){{{"answer", identity}}});
    judge_item(deciding, "identity.face", person, ITEM_FACE, facts->answer[ITEM_FACE], NO_FACT, CL_LOAN_NONE);
    judge_item(deciding, "identity.document", person, ITEM_ID_DOCUMENT, facts->answer[ITEM_ID_DOCUMENT], NO_FACT,
               CL_LOAN_NONE);
}

/* Only married or not matters: who is single or divorced buys alone either way. */
static void judge_marriage(struct deciding *deciding, size_t index)
{
    const struct person_facts *facts = &deciding->facts->persons[index];
    enum marital_status declared = deciding->application->persons[index].declared_marital_status;
    enum answer answer = facts->answer[ITEM_MARRIAGE];
    bool differs = (declared == MARITAL_MARRIED) != (facts->marital_status == MARITAL_MARRIED);
    if (answer == ANSWER_UNUSED) {
        return;
    }
    judge(deciding, "marriage.declared", (unsigned)index + 1,
          reason_if(ITEM_MARRIAGE, answer, differs, CL_LOAN_MAR_CONTRADICT),
          &(struct inputs){{{"answer", answer}, {"declared", declared}, {"registered", facts->marital_status}}});
}

/* Who keeps the fund account of a person: this centre or another. */
static enum item contribution_item(const struct person_facts *facts)
{
    return facts->answer[ITEM_CONTRIBUTION_OFFSITE] != ANSWER_UNUSED ? ITEM_CONTRIBUTION_OFFSITE : ITEM_CONTRIBUTION;
}

/* Months that were paid later in one go do not count: the account's months are those paid as they fell due. */
static int32_t months_needed(const struct rule_set *rules, enum person_role role)
{
    bool more = role == PERSON_CO_BORROWER && rules->co_borrower_months_min > rules->contribution_months_min;
    return more ? rules->co_borrower_months_min : rules->contribution_months_min;
}

static void judge_contribution(struct deciding *deciding, size_t index)
{
    const struct person_facts *facts = &deciding->facts->persons[index];
    unsigned person = (unsigned)index + 1;
    int32_t months_min = months_needed(deciding->rules, deciding->application->persons[index].role);
    enum item item = contribution_item(facts);
    enum answer answer = facts->answer[item];
    if (answer == ANSWER_UNUSED) {
        return;
    }
    if (item == ITEM_CONTRIBUTION_OFFSITE) {
        bool allowed = deciding->rules->offsite_contributors;
        judge(deciding, "contribution.centre", person, allowed ? CL_LOAN_NONE : CL_LOAN_CON_ELSEWHERE,
              &(struct inputs){{{"allowed", allowed}}});
    }
    bool too_short = facts->contribution_months < months_min;
    judge_item(deciding, "contribution.offsite", person, ITEM_CONTRIBUTION_OFFSITE,
               facts->answer[ITEM_CONTRIBUTION_OFFSITE], (struct input){"fraud", facts->offsite_fraud},
               CL_LOAN_FRD_RECORD);
    judge(deciding, "contribution.months", person, reason_if(item, answer, too_short, CL_LOAN_CON_MONTHS),
          &(struct inputs){{{"answer", answer}, {"months", facts->contribution_months}, {"months_min", months_min}}});
    judge(deciding, "contribution.account", person,
          reason_if(item, answer, facts->contribution_sealed, CL_LOAN_CON_SEALED),
          &(struct inputs){{{"answer", answer}, {"sealed", facts->contribution_sealed}}});
}

static void judge_history(struct deciding *deciding, size_t index)
{
    const struct person_facts *facts = &deciding->facts->persons[index];
    unsigned person = (unsigned)index + 1;
    enum answer loans = facts->answer[ITEM_LOAN_HISTORY];
    enum answer bans = facts->answer[ITEM_FRAUD_LIST];
    judge(deciding, "loans.unsettled", person,
          reason_if(ITEM_LOAN_HISTORY, loans, facts->fund_loans_open > 0, CL_LOAN_HPF_UNSETTLED),
          &(struct inputs){{{"answer", loans}, {"loans_open", facts->fund_loans_open}}});
    judge(deciding, "fraud.ban", person,
          reason_if(ITEM_FRAUD_LIST, bans, facts->banned_until >= deciding->date, CL_LOAN_FRD_BAN),
          &(struct inputs){{{"answer", bans}, {"banned_until", facts->banned_until}, {"date", deciding->date}}});
}

static void judge_credit(struct deciding *deciding, size_t index)
{
    const struct rule_set *rules = deciding->rules;
    const struct person_facts *facts = &deciding->facts->persons[index];
    unsigned person = (unsigned)index + 1;
    enum answer answer = facts->answer[ITEM_CREDIT_FUND];
    enum answer bank = facts->answer[ITEM_CREDIT_BANK];
    bool too_often =
        facts->overdue_consecutive > rules->credit_consecutive_max || facts->overdue_total > rules->credit_total_max;
    judge(deciding, "credit.current", person, reason_if(ITEM_CREDIT_FUND, answer, facts->overdue_now, CL_LOAN_CRD_NOW),
          &(struct inputs){{{"answer", answer}, {"overdue_now", facts->overdue_now}}});
    judge(deciding, "credit.overdue", person, reason_if(ITEM_CREDIT_FUND, answer, too_often, CL_LOAN_CRD_3_6),
          &(struct inputs){{{"answer", answer},
                            {"overdue_consecutive", facts->overdue_consecutive},
                            {"consecutive_max", rules->credit_consecutive_max},
                            {"overdue_total", facts->overdue_total},
                            {"total_max", rules->credit_total_max},
                            {"window_months", rules->credit_window_months}}});
    judge(deciding, "credit.bank", person, answer_reason(ITEM_CREDIT_BANK, bank), &(struct inputs){{{"answer", bank}}});
}

static void judge_standing(struct deciding *deciding, size_t index)
{
    const struct person_facts *facts = &deciding->facts->persons[index];
    unsigned person = (unsigned)index + 1;
    judge_item(deciding, "court.list", person, ITEM_COURT_LIST, facts->answer[ITEM_COURT_LIST],
               (struct input){"listed", facts->court_listed}, CL_LOAN_CRT_LISTED);
    judge_item(deciding, "employer.active", person, ITEM_EMPLOYER, facts->answer[ITEM_EMPLOYER],
               (struct input){"closed", !facts->employer_active}, CL_LOAN_EMP_CLOSED);
}

static void judge_persons(struct deciding *deciding)
{
    for (size_t i = 0; i < deciding->application->person_count; i++) {
        judge_identity(deciding, i);
        judge_marriage(deciding, i);
        judge_contribution(deciding, i);
        judge_history(deciding, i);
        judge_credit(deciding, i);
        judge_standing(deciding, i);
    }
}

/* -- Rules on the case --------------------------------------------------------------------------------------- */

static void judge_consent(struct deciding *deciding)
{
    enum answer answer = deciding->facts->answer[ITEM_CONSENT];
    judge(deciding, "consent.in_force", 0, answer_reason(ITEM_CONSENT, answer), &(struct inputs){{{"answer", answer}}});
}

static void judge_age(struct deciding *deciding)
{
    int32_t months = cl_date_months_between(deciding->application->persons[0].birth_date, deciding->date);
    int32_t months_min = deciding->rules->age_months_min;
    enum answer answer = deciding->facts->persons[0].answer[ITEM_RETIREMENT];
    judge(deciding, "age.of_age", 1, months < months_min ? CL_LOAN_AGE_MINOR : CL_LOAN_NONE,
          &(struct inputs){{{"age_months", months}, {"age_months_min", months_min}}});
    judge(deciding, "age.retirement", 1, answer_reason(ITEM_RETIREMENT, answer),
          &(struct inputs){{{"answer", answer}, {"retirement_months", deciding->facts->persons[0].retirement_months}}});
}

static void judge_loan_counts(struct deciding *deciding)
{
    const struct rule_set *rules = deciding->rules;
    const struct household *household = &deciding->household;
    int32_t loans_used = household_loans_used(rules, household);
    int32_t counted = rules->fund_count_settled ? loans_used : household->fund_loans_open;
    bool too_many = counted + 1 > rules->fund_loans_max;
    bool mortgaged = household->mortgages_open > rules->mortgages_open_max;
    judge(deciding, "loans.count", 0, too_many ? CL_LOAN_HPF_COUNT : CL_LOAN_NONE,
          &(struct inputs){{{"loans_used", loans_used},
                            {"loans_open", household->fund_loans_open},
                            {"count_settled", rules->fund_count_settled},
                            {"loans_max", rules->fund_loans_max}}});
    enum answer banks = deciding->facts->answer[ITEM_MORTGAGES]; /* the credit reports count either way */
    judge(deciding, "credit.mortgages", 0, mortgaged ? CL_LOAN_CRD_MORTGAGES : answer_reason(ITEM_MORTGAGES, banks),
          &(struct inputs){{{"answer", banks},
                            {"mortgages_open", household->mortgages_open},
                            {"mortgages_max", rules->mortgages_open_max}}});
}

static void judge_home(struct deciding *deciding)
{
    const struct case_facts *facts = deciding->facts;
    const struct home *home = &deciding->application->home;
    enum answer count = facts->answer[ITEM_HOME_COUNT];
    enum answer contract = facts->answer[ITEM_HOME_CONTRACT];
    bool differs = facts->contract_price_fen != home->price_fen || facts->contract_area_centi_m2 != home->area_centi_m2;
    enum answer appraisal = facts->answer[ITEM_APPRAISAL];
    bool declared = appraisal == ANSWER_UNUSED; /* the centre asks no appraiser */
    bool unappraised = declared && home->kind == HOME_SECOND_HAND && home->appraisal_fen == 0;
    judge(deciding, "home.count", 0,
          reason_if(ITEM_HOME_COUNT, count, facts->homes > deciding->rules->homes_owned_max, CL_LOAN_HSE_COUNT),
          &(struct inputs){
              {{"answer", count}, {"homes", facts->homes}, {"homes_max", deciding->rules->homes_owned_max}}});
    judge(deciding, "home.contract", 0, reason_if(ITEM_HOME_CONTRACT, contract, differs, CL_LOAN_HSE_PRICE),
          &(struct inputs){{{"answer", contract},
                            {"price_fen", home->price_fen},
                            {"contract_price_fen", facts->contract_price_fen},
                            {"area_centi_m2", home->area_centi_m2},
                            {"contract_area_centi_m2", facts->contract_area_centi_m2}}});
    judge(deciding, "home.appraisal", 0, unappraised ? CL_LOAN_HSE_APPRAISAL : answer_reason(ITEM_APPRAISAL, appraisal),
          &(struct inputs){{{"answer", appraisal},
                            {"kind", home->kind},
                            {"appraisal_fen", declared ? home->appraisal_fen : facts->appraisal_fen}}});
}

/* What the home's project, its owner and its price say. */
static void judge_property(struct deciding *deciding)
{
    const struct case_facts *facts = deciding->facts;
    enum answer right = facts->answer[ITEM_PROPERTY_RIGHT];
    bool blocked = facts->seized || facts->disputed;
    judge_item(deciding, "home.project", 0, ITEM_PROJECT, facts->answer[ITEM_PROJECT], NO_FACT, CL_LOAN_NONE);
    judge_item(deciding, "home.seizure", 0, ITEM_PROPERTY_RIGHT, right, (struct input){"blocked", blocked},
               CL_LOAN_HSE_SEIZED);
    if (right == ANSWER_YES) {
        judge_item(deciding, "home.mortgage", 0, ITEM_PROPERTY_RIGHT, right,
                   (struct input){"mortgaged", facts->mortgaged}, CL_LOAN_HSE_MORTGAGED);
    }
    judge_item(deciding, "home.price", 0, ITEM_PRICE_SANITY, facts->answer[ITEM_PRICE_SANITY],
               (struct input){"doubtful", facts->price_doubtful}, CL_LOAN_HSE_SANITY);
}

static void judge_account(struct deciding *deciding)
{
    const struct case_facts *facts = deciding->facts;
    bool limited = facts->account_class > 1; /* II and III may not move a loan's money */
    judge_item(deciding, "account.owner", 0, ITEM_ACCOUNT, facts->answer[ITEM_ACCOUNT],
               (struct input){"limited", limited}, CL_LOAN_ACC_CLASS);
}

static void judge_couple(struct deciding *deciding)
{
    judge_item(deciding, "marriage.pair", 0, ITEM_MARRIAGE_PAIR, deciding->facts->answer[ITEM_MARRIAGE_PAIR], NO_FACT,
               CL_LOAN_NONE);
}

/* 代际互助: a parent or a child who takes part. What makes him fit - months, no unsettled loan - the rules on each person
 * ask already. */
static void judge_co_borrowers(struct deciding *deciding)
{
    int64_t count = 0;
    for (size_t i = 0; i < deciding->application->person_count; i++) {
        count += deciding->application->persons[i].role == PERSON_CO_BORROWER ? 1 : 0;
    }
    bool allowed = deciding->rules->co_borrowers_allowed;
    if (count > 0) {
        judge(deciding, "co_borrower.allowed", 0, allowed ? CL_LOAN_NONE : CL_LOAN_COB_NOT_ALLOWED,
              &(struct inputs){{{"co_borrowers", count}, {"allowed", allowed}}});
    }
}

/* Told with the offer, so that nobody is surprised when the money waits for the building. */
static void judge_presale(struct deciding *deciding)
{
    const struct rule_set *rules = deciding->rules;
    bool presale = deciding->application->home.presale;
    bool held = rule_holds_presale(rules, presale, false, deciding->date);
    if (presale) {
        judge(deciding, "home.presale", 0, held ? CL_LOAN_HSE_PRESALE : CL_LOAN_NONE,
              &(struct inputs){{{"date", deciding->date},
                                {"hold_from", rules->presale_hold_from},
                                {"hold_fund", rules->presale_hold_fund}}});
    }
}

static void judge_benefits(struct deciding *deciding)
{
    const struct case_facts *facts = deciding->facts;
    enum answer minors = facts->answer[ITEM_CHILDREN];
    enum answer building = facts->answer[ITEM_GREEN_BUILDING];
    judge(deciding, "family.minors", 0, answer_reason(ITEM_CHILDREN, minors),
          &(struct inputs){{{"answer", minors}, {"minors", facts->minors}}});
    judge(deciding, "home.building", 0, answer_reason(ITEM_GREEN_BUILDING, building),
          &(struct inputs){{{"answer", building},
                            {"stars", facts->green_stars},
                            {"improved", facts->improved_home},
                            {"trade_in", facts->trade_in},
                            {"youth_voucher", facts->youth_voucher}}});
}

static void judge_income(struct deciding *deciding)
{
    enum answer answer = deciding->facts->answer[ITEM_INCOME];
    judge(deciding, "income.verified", 0, answer_reason(ITEM_INCOME, answer),
          &(struct inputs){{{"answer", answer}, {"income_fen", deciding->facts->income_fen}}});
}

static void judge_case(struct deciding *deciding)
{
    judge_consent(deciding);
    judge_age(deciding);
    judge_co_borrowers(deciding);
    judge_loan_counts(deciding);
    judge_couple(deciding);
    judge_home(deciding);
    judge_presale(deciding);
    judge_property(deciding);
    judge_account(deciding);
    judge_benefits(deciding);
    judge_income(deciding);
}

/* -- Terms, quota, ratios ------------------------------------------------------------------------------------ */

/* Whether every number of the computation is there. Uplifts may be missing: then there are none. */
static bool computable(const struct deciding *deciding)
{
    const struct case_facts *facts = deciding->facts;
    for (size_t i = 0; i < deciding->application->person_count; i++) {
        const enum answer *answer = facts->persons[i].answer;
        enum answer contribution = answer[contribution_item(&facts->persons[i])];
        bool known = answer[ITEM_LOAN_HISTORY] == ANSWER_YES && answer[ITEM_CREDIT_FUND] == ANSWER_YES;
        if (!known || (contribution != ANSWER_UNUSED && contribution != ANSWER_YES)) {
            return false;
        }
    }
    enum answer appraisal = facts->answer[ITEM_APPRAISAL];
    if (appraisal != ANSWER_UNUSED && appraisal != ANSWER_YES) {
        return false;
    }
    return facts->persons[0].answer[ITEM_RETIREMENT] == ANSWER_YES && facts->answer[ITEM_HOME_COUNT] == ANSWER_YES &&
           facts->answer[ITEM_INCOME] == ANSWER_YES;
}

/* A limit below the shortest loan is no term at all, and its reason becomes a refusal. */
static enum cl_loan_reason term_reason(const struct term_limit *limit, int32_t asked_months)
{
    bool by_age = limit->reason == CL_LOAN_AGE_TERM;
    if (limit->months < APPLICATION_TERM_MONTHS_MIN) {
        return by_age ? CL_LOAN_AGE_LIMIT : CL_LOAN_HSE_AGE_LIMIT;
    }
    return limit->months < asked_months ? limit->reason : CL_LOAN_NONE;
}

static void judge_term(struct deciding *deciding, const char *rule, const struct term_limit *limit,
                       int32_t age_limit_months, int32_t building_months)
{
    int32_t asked_months = deciding->application->request.term_months;
    enum cl_loan_reason reason = term_reason(limit, asked_months);
    bool by_age = reason == CL_LOAN_AGE_TERM || reason == CL_LOAN_AGE_LIMIT;
    struct decision_step step = {
        .rule = rule, .person = by_age ? 1 : 0, .outcome = outcome_of(reason), .reason = reason};
    if (reason != CL_LOAN_NONE && step.outcome == RULE_PASS) {
        step.outcome = RULE_LIMIT;
        step.binding = true;
    }
    add_step(deciding, step,
             &(struct inputs){{{"asked_months", asked_months},
                               {"limit_months", limit->months},
                               {"age_limit_months", age_limit_months},
                               {"building_months", building_months},
                               {"step_months", deciding->rules->term_step_months},
                               {"equal_term", deciding->rules->equal_term}}});
    if (reason != CL_LOAN_NONE) {
        add_reason(deciding, reason, step.person);
    }
}

static void trace_rates(struct deciding *deciding, const struct split *split)
{
    judge(deciding, "rate.tier", 0, CL_LOAN_NONE,
          &(struct inputs){{{"loans_used", household_loans_used(deciding->rules, &deciding->household)},
                            {"homes", deciding->facts->homes},
                            {"fund_rate_ppm", split->offer.fund.rate_ppm},
                            {"commercial_rate_ppm", split->offer.commercial.rate_ppm}}});
}

static void trace_quota(struct deciding *deciding, const struct split *split)
{
    static const char *const names[QUOTA_COUNT] = {[QUOTA_CAP] = "fund.cap",
                                                   [QUOTA_LTV] = "fund.price_ratio",
                                                   [QUOTA_BALANCE] = "fund.balance_multiple",
                                                   [QUOTA_PTI] = "fund.repayment_capacity",
                                                   [QUOTA_REQUEST] = "fund.request"};
    const struct household *household = &deciding->household;
    const struct inputs inputs[QUOTA_COUNT] = {
        [QUOTA_CAP] = {{{"contributors", household->contributors},
                        {"co_borrowers", household->co_borrowers},
                        {"homes", deciding->facts->homes},
                        {"minors", deciding->facts->minors},
                        {"trade_in", deciding->facts->trade_in},
                        {"stars", deciding->facts->green_stars},
                        {"improved", deciding->facts->improved_home},
                        {"youth_voucher", deciding->facts->youth_voucher}}},
        [QUOTA_LTV] = {{{"price_base_fen", facts_price_base_fen(deciding->application, deciding->facts)},
                        {"homes", deciding->facts->homes}}},
        [QUOTA_BALANCE] = {{{"balance_fen", household->balance_fen},
                            {"multiple", deciding->rules->balance_multiple},
                            {"floor_fen", deciding->rules->balance_floor_fen}}},
        [QUOTA_PTI] = {{{"base_fen", household->base_fen},
                        {"debts_fen", household->debts_fen},
                        {"share_ppm", deciding->rules->fund_pti_ppm},
                        {"loans_used", household_loans_used(deciding->rules, household)},
                        {"homes", deciding->facts->homes},
                        {"asked_months", deciding->application->request.term_months},
                        {"method", deciding->application->request.method}}},
        [QUOTA_REQUEST] = {{{"total_fen", deciding->application->request.total_fen},
                            {"fund_fen", deciding->application->request.fund_fen}}},
    };
    for (unsigned kind = 0; kind < QUOTA_COUNT; kind++) {
        const struct quota_limit *limit = &split->quota.limits[kind];
        bool limits = limit->limit_fen != INT64_MAX;
        struct decision_step step = {.rule = names[kind],
                                     .outcome = limits ? RULE_LIMIT : RULE_PASS,
                                     .reason = limits ? limit->reason : CL_LOAN_NONE,
                                     .limit_fen = limits ? limit->limit_fen : 0,
                                     .binding = kind == (unsigned)split->quota.binding};
        add_step(deciding, step, &inputs[kind]);
    }
    add_reason(deciding, split->quota.limits[split->quota.binding].reason, 0);
    if (split->quota.fund_fen == 0) {
        add_reason(deciding, CL_LOAN_AMT_NONE, 0);
    }
}

/* One of the two ratios, as the borrower asked. */
static void judge_ratio(struct deciding *deciding, const char *rule, enum cl_loan_reason reason,
                        const struct split *split, int64_t burden_fen, int64_t limit_fen)
{
    bool broken = burden_fen > limit_fen;
    bool failed = broken && split->remedy == REMEDY_FAILED;
    struct decision_step step = {.rule = rule,
                                 .outcome = failed ? RULE_REFUSE : (broken ? RULE_LIMIT : RULE_PASS),
                                 .reason = broken ? reason : CL_LOAN_NONE,
                                 .limit_fen = limit_fen,
                                 .binding = broken};
    add_step(deciding, step,
             &(struct inputs){
                 {{"income_fen", deciding->facts->income_fen}, {"burden_fen", burden_fen}, {"limit_fen", limit_fen}}});
    if (failed) {
        add_reason(deciding, reason, 0);
    }
}

static enum cl_loan_reason remedy_reason(enum remedy remedy)
{
    switch (remedy) {
    case REMEDY_TERM:
        return CL_LOAN_JNT_TERM;
    case REMEDY_CUT:
        return CL_LOAN_JNT_CUT;
    case REMEDY_FUND_ONLY:
        return CL_LOAN_JNT_FUND_ONLY;
    case REMEDY_NONE:
    case REMEDY_FAILED:
        return CL_LOAN_NONE;
    }
    return CL_LOAN_NONE;
}

static void judge_joint(struct deciding *deciding, const struct split *split)
{
    const struct offer *offer = &split->offer;
    enum cl_loan_reason reason = remedy_reason(split->remedy);
    judge_ratio(deciding, "joint.housing", CL_LOAN_JNT_HOUSING, split, split->asked.housing_fen,
                split->asked.housing_limit_fen);
    judge_ratio(deciding, "joint.debts", CL_LOAN_JNT_DEBT, split, split->asked.debts_fen, split->asked.debts_limit_fen);
    struct decision_step step = {.rule = "joint.remedy",
                                 .outcome = reason == CL_LOAN_NONE ? RULE_PASS : RULE_LIMIT,
                                 .reason = reason,
                                 .limit_fen = reason == CL_LOAN_NONE ? 0 : offer->commercial.amount_fen,
                                 .binding = reason != CL_LOAN_NONE};
    add_step(deciding, step,
             &(struct inputs){{{"remedy", split->remedy},
                               {"total_fen", split->total_fen},
                               {"fund_fen", offer->fund.amount_fen},
                               {"commercial_fen", offer->commercial.amount_fen},
                               {"asked_months", deciding->application->request.term_months},
                               {"term_months", offer->fund.term_months}}});
    if (reason != CL_LOAN_NONE) {
        add_reason(deciding, reason, 0);
    }
    bool lengthened = offer->fund.term_months > deciding->application->request.term_months;
    if (lengthened && split->remedy != REMEDY_FAILED) {
        add_reason(deciding, CL_LOAN_JNT_TERM, 0);
    }
}

static void judge_subsidy(struct deciding *deciding, const struct split *split)
{
    const struct home *home = &deciding->application->home;
    judge(deciding, "subsidy.interest", 0, split->offer.interest_subsidy ? CL_LOAN_SUB_INTEREST : CL_LOAN_NONE,
          &(struct inputs){{{"date", deciding->date},
                            {"homes", deciding->facts->homes},
                            {"area_centi_m2", home->area_centi_m2},
                            {"price_fen", home->price_fen},
                            {"commercial_fen", split->offer.commercial.amount_fen}}});
}

/* True when there is a split to offer. */
static bool compute(struct deciding *deciding, struct split *split)
{
    struct term_limits limits;
    if (!computable(deciding)) {
        return false;
    }
    term_limits_for(&limits, deciding->rules, deciding->application, deciding->facts, deciding->date);
    judge_term(deciding, "term.fund", &limits.fund, limits.retirement_months, limits.building_months);
    judge_term(deciding, "term.commercial", &limits.commercial, limits.age_months, limits.building_months);
    if (limits.fund.months < APPLICATION_TERM_MONTHS_MIN || limits.commercial.months < APPLICATION_TERM_MONTHS_MIN) {
        return false;
    }
    split_loan(split, deciding->rules, deciding->application, deciding->facts, &limits, deciding->now_ms);
    trace_rates(deciding, split);
    trace_quota(deciding, split);
    judge_joint(deciding, split);
    judge_subsidy(deciding, split);
    return true;
}

/* -- The decision -------------------------------------------------------------------------------------------- */

static enum fund_verdict verdict_of(enum cl_severity heaviest)
{
    switch (heaviest) {
    case CL_SEVERITY_REJECT:
        return VERDICT_REJECT;
    case CL_SEVERITY_MANUAL:
        return VERDICT_MANUAL;
    case CL_SEVERITY_SUPPLEMENT:
        return VERDICT_SUPPLEMENT;
    case CL_SEVERITY_INFO:
    case CL_SEVERITY_NONE:
        return VERDICT_APPROVE;
    }
    return VERDICT_MANUAL;
}

static enum cl_severity heaviest_of(const struct deciding *deciding)
{
    enum cl_severity heaviest = CL_SEVERITY_NONE;
    for (size_t i = 0; i < deciding->reason_count; i++) {
        enum cl_severity severity = cl_loan_reason_severity(deciding->reasons[i].reason);
        heaviest = severity > heaviest ? severity : heaviest;
    }
    return heaviest;
}

/* Heaviest first and otherwise in the order of the rules, as many as a decision carries. What was merely worth knowing
 * goes with an approval; beside a refusal it would only distract, and the trace has it anyway. */
static void list_reasons(struct fund_decision *decision, const struct deciding *deciding, enum cl_severity heaviest)
{
    enum cl_severity lightest = heaviest > CL_SEVERITY_INFO ? CL_SEVERITY_SUPPLEMENT : CL_SEVERITY_INFO;
    for (unsigned severity = CL_SEVERITY_REJECT; severity >= lightest; severity--) {
        for (size_t i = 0; i < deciding->reason_count && decision->reason_count < CL_REASONS_MAX; i++) {
            if (cl_loan_reason_severity(deciding->reasons[i].reason) == (enum cl_severity)severity) {
                decision->reasons[decision->reason_count++] = deciding->reasons[i];
            }
        }
    }
}

static void conclude(struct fund_decision *out, const struct deciding *deciding, const struct split *split)
{
    struct fund_decision decision = {.steps = deciding->steps, .step_count = deciding->step_count};
    enum cl_severity heaviest = heaviest_of(deciding);
    list_reasons(&decision, deciding, heaviest);
    decision.verdict = verdict_of(heaviest);
    if (split != NULL) {
        decision.binding_limit = split->quota.limits[split->quota.binding].reason;
    }
    if (decision.verdict == VERDICT_APPROVE) {
        assert(split != NULL); /* whatever keeps a split from being computed has given a reason against approval */
        assert(joint_holds(&split->joint));
        assert(split->offer.fund.amount_fen > 0);
        decision.has_offer = true;
        decision.fund_only = split->offer.commercial.amount_fen == 0;
        decision.offer = split->offer;
        decision.joint = split->joint;
    }
    *out = decision;
}

struct cl_status decide_fund(struct fund_decision *out, struct cl_arena *arena, const struct rule_set *rules,
                             const struct application *application, const struct case_facts *facts, int64_t now_ms)
{
    struct deciding deciding = {
        .rules = rules, .application = application, .facts = facts, .now_ms = now_ms, .date = cl_date_from_ms(now_ms)};
    deciding.steps = cl_arena_array(arena, CL_TRACE_STEPS_MAX, sizeof deciding.steps[0]);
    if (deciding.steps == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    household_sum(&deciding.household, application, facts);
    judge_persons(&deciding);
    judge_case(&deciding);
    struct split split;
    bool has_split = compute(&deciding, &split);
    conclude(out, &deciding, has_split ? &split : NULL);
    return cl_ok();
}
