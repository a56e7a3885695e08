#include "server/domain/offer.h"

#include <assert.h>
#include <stdio.h>

#include "libcoloan/date.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* What a split is computed from. */
struct splitting {
    const struct rule_set *rules;
    const struct application *application;
    const struct case_facts *facts;
    const struct term_limits *limits;
    int32_t date;
};

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t instalment_of(int64_t amount_fen, int32_t rate_ppm, int32_t term_months, enum cl_repayment method)
{
    int64_t payment_fen = 0;
    if (amount_fen == 0) {
        return 0;
    }
    struct cl_loan loan = {
        .principal_fen = amount_fen, .rate_ppm = rate_ppm, .term_months = term_months, .method = method};
    struct cl_status status = cl_first_instalment(&payment_fen, &loan);
    assert(cl_is_ok(status)); /* amounts of a checked application, rates and terms of a valid rule set */
    return payment_fen;
}

static struct loan_part part_of(int64_t amount_fen, int32_t rate_ppm, int32_t term_months, enum cl_repayment method)
{
    if (amount_fen == 0) {
        return (struct loan_part){.amount_fen = 0};
    }
    return (struct loan_part){
        .amount_fen = amount_fen,
        .rate_ppm = rate_ppm,
        .term_months = term_months,
        .method = method,
        .instalment_fen = instalment_of(amount_fen, rate_ppm, term_months, method),
    };
}

/* 财金〔2026〕95号: a first home of moderate size and price, and a moderate commercial part. */
static bool subsidised(const struct rule_set *rules, const struct application *application,
                       const struct case_facts *facts, int64_t commercial_fen, int32_t date)
{
    bool in_time = rules->subsidy_from != 0 && date >= rules->subsidy_from && date <= rules->subsidy_until;
    bool home_fits = facts->homes == 0 && application->home.area_centi_m2 <= rules->subsidy_area_centi_m2_max &&
                     application->home.price_fen <= rules->subsidy_price_fen_max;
    return in_time && home_fits && commercial_fen > 0 && commercial_fen <= rules->subsidy_principal_fen_max;
}

bool joint_holds(const struct joint *joint)
{
    return joint->housing_fen <= joint->housing_limit_fen && joint->debts_fen <= joint->debts_limit_fen;
}

static struct joint joint_of(const struct rule_set *rules, const struct application *application,
                             const struct case_facts *facts, const struct offer *offer)
{
    struct household household;
    household_sum(&household, application, facts);
    int64_t housing_fen = offer->fund.instalment_fen + offer->commercial.instalment_fen;
    return (struct joint){
        .housing_fen = housing_fen,
        .debts_fen = housing_fen + household.debts_fen,
        .housing_limit_fen = quota_share_fen(facts->income_fen, rules->joint_housing_ppm),
        .debts_limit_fen = quota_share_fen(facts->income_fen, rules->joint_debt_ppm),
    };
}

/* -- Splitting ----------------------------------------------------------------------------------------------- */

/* Which fund loan of the family this is, as far as the rates care. */
static int32_t fund_loan_number(const struct rule_set *rules, const struct case_facts *facts, int32_t loans_used)
{
    int32_t by_loans = rules->second_by_loans ? loans_used + 1 : 1;
    int32_t by_homes = rules->second_by_homes && facts->homes > 0 ? 2 : 1;
    return by_loans > by_homes ? by_loans : by_homes;
}

static int32_t commercial_rate_ppm(const struct splitting *splitting)
{
    bool second = splitting->facts->homes > 0;
    return second ? splitting->rules->commercial_rate_second_ppm : splitting->rules->commercial_rate_first_ppm;
}

/* What the borrower wants of both lenders, within the down payment. */
static int64_t total_of(const struct splitting *splitting)
{
    const struct rule_set *rules = splitting->rules;
    const struct application *application = splitting->application;
    int32_t down_ppm = splitting->facts->homes > 0 ? rules->down_payment_second_ppm : rules->down_payment_first_ppm;
    int64_t most_fen = quota_share_fen(facts_price_base_fen(application, splitting->facts), 1000000 - down_ppm);
    int64_t asked_fen = application->request.total_fen;
    return asked_fen > 0 ? lesser(asked_fen, most_fen) : most_fen;
}

static void finish_offer(struct split *split, const struct splitting *splitting)
{
    const struct application *application = splitting->application;
    struct offer *offer = &split->offer;
    offer->price_fen = application->home.price_fen;
    offer->down_payment_fen = offer->price_fen - offer->fund.amount_fen - offer->commercial.amount_fen;
    offer->interest_subsidy =
        subsidised(splitting->rules, application, splitting->facts, offer->commercial.amount_fen, splitting->date);
    split->joint = joint_of(splitting->rules, application, splitting->facts, offer);
}

/* Both parts as the limits give them, over `term_months` or as long as each may run. The commercial part is at most
 * `commercial_fen_max`. */
static void split_at(struct split *out, const struct splitting *splitting, int32_t term_months,
                     int64_t commercial_fen_max)
{
    const struct rule_set *rules = splitting->rules;
    enum cl_repayment method = splitting->application->request.method;
    struct household household;
    household_sum(&household, splitting->application, splitting->facts);
    int32_t loan_number = fund_loan_number(rules, splitting->facts, household_loans_used(rules, &household));
    int32_t fund_months = (int32_t)lesser(term_months, splitting->limits->fund.months);
    int32_t commercial_months = (int32_t)lesser(term_months, splitting->limits->commercial.months);
    int32_t fund_rate_ppm = rule_fund_rate_ppm(rules, loan_number, fund_months);

    struct split split = {.total_fen = total_of(splitting),
                          .fund_second = loan_number > 1,
                          .commercial_second = splitting->facts->homes > 0};
    quota_fund(&split.quota, rules, splitting->application, splitting->facts, fund_rate_ppm, fund_months);
    int64_t rest_fen = quota_round_fen(rules, split.total_fen - split.quota.fund_fen);
    int64_t commercial_fen = lesser(rest_fen, commercial_fen_max);
    split.offer.fund = part_of(split.quota.fund_fen, fund_rate_ppm, fund_months, method);
    split.offer.commercial = part_of(commercial_fen, commercial_rate_ppm(splitting), commercial_months, method);
    finish_offer(&split, splitting);
    *out = split;
}

/* -- Remedies ------------------------------------------------------------------------------------------------ */

/* The term after this one: the next multiple of the step. */
static int32_t longer_term(const struct rule_set *rules, int32_t term_months)
{
    return term_months - term_months % rules->term_step_months + rules->term_step_months;
}

static int32_t longest_term(const struct term_limits *limits)
{
    return limits->fund.months > limits->commercial.months ? limits->fund.months : limits->commercial.months;
}

/* The shortest term after `term_months` with which the ratios hold. */
static bool find_longer_term(struct split *out, const struct splitting *splitting, int32_t term_months)
{
    int32_t longest = longest_term(splitting->limits);
    for (int32_t months = longer_term(splitting->rules, term_months); months <= longest;
         months = longer_term(splitting->rules, months)) {
        split_at(out, splitting, months, INT64_MAX);
        if (joint_holds(&out->joint)) {
            return true;
        }
    }
    return false;
}

/* The largest commercial part that the ratios leave room for beside the fund part, over the longest term. */
static int64_t commercial_room_fen(const struct splitting *splitting)
{
    struct split fund_alone;
    split_at(&fund_alone, splitting, longest_term(splitting->limits), 0);
    const struct joint *joint = &fund_alone.joint;
    int64_t room_fen = lesser(joint->housing_limit_fen - joint->housing_fen, joint->debts_limit_fen - joint->debts_fen);
    int64_t principal_fen = 0;
    if (room_fen <= 0) {
        return 0;
    }
    struct cl_status status =
        cl_principal_for(&principal_fen, room_fen, commercial_rate_ppm(splitting), splitting->limits->commercial.months,
                         splitting->application->request.method);
    assert(cl_is_ok(status));
    return quota_round_fen(splitting->rules, principal_fen);
}

/* The remedies build on each other: a cut, and the fund part alone, run over the longest term, which leaves most to
 * lend. So more income never means a smaller loan. */
static void remedy_split(struct split *out, const struct splitting *splitting, int32_t term_months)
{
    struct split asked = *out;
    if (find_longer_term(out, splitting, term_months)) {
        out->remedy = REMEDY_TERM;
        return;
    }
    bool has_commercial = asked.offer.commercial.amount_fen > 0;
    int64_t room_fen = has_commercial ? commercial_room_fen(splitting) : 0;
    if (room_fen > 0) {
        split_at(out, splitting, longest_term(splitting->limits), room_fen);
        out->remedy = REMEDY_CUT;
        return;
    }
    if (has_commercial && splitting->application->request.accept_fund_only) {
        split_at(out, splitting, longest_term(splitting->limits), 0);
        out->remedy = REMEDY_FUND_ONLY;
    }
    if (out->remedy == REMEDY_FUND_ONLY && joint_holds(&out->joint)) {
        return;
    }
    *out = asked;
    out->remedy = REMEDY_FAILED;
}

void split_loan(struct split *out, const struct rule_set *rules, const struct application *application,
                const struct case_facts *facts, const struct term_limits *limits, int64_t now_ms)
{
    struct splitting splitting = {
        .rules = rules, .application = application, .facts = facts, .limits = limits, .date = cl_date_from_ms(now_ms)};
    int32_t term_months = (int32_t)lesser(application->request.term_months, longest_term(limits));
    struct split split;
    split_at(&split, &splitting, term_months, INT64_MAX);
    struct joint asked = split.joint;
    if (!joint_holds(&asked)) {
        remedy_split(&split, &splitting, term_months);
    }
    split.asked = asked;
    split.offer.valid_until_ms = cl_date_to_ms(splitting.date) + (int64_t)(rules->offer_valid_days + 1) * DAY_MS - 1;
    *out = split;
}

/* -- Counter-offer ------------------------------------------------------------------------------------------- */

static struct cl_status blame(struct field_path *path_out, enum cl_reason reason, const char *path)
{
    if (path_out != NULL) {
        (void)snprintf(path_out->text, sizeof path_out->text, "%s", path);
    }
    return cl_fail(reason);
}

/* What is nonsense in itself, whatever the ratios. */
static struct cl_status check_counter(struct field_path *path_out, const struct rule_set *rules,
                                      const struct offer *current, const struct loan_part *counter)
{
    const struct loan_part *offered = &current->commercial;
    if (counter->amount_fen < 1 || counter->amount_fen > offered->amount_fen) {
        return blame(path_out, CL_AMOUNT_INVALID, "amount_fen");
    }
    if (counter->rate_ppm < rules->commercial_rate_ppm_min || counter->rate_ppm > rules->commercial_rate_ppm_max) {
        return blame(path_out, CL_FIELD_INVALID, "rate_ppm");
    }
    if (counter->term_months < APPLICATION_TERM_MONTHS_MIN || counter->term_months > CL_TERM_MONTHS_MAX) {
        return blame(path_out, CL_TERM_INVALID, "term_months");
    }
    bool known = counter->method == CL_REPAYMENT_EQUAL_INSTALMENT || counter->method == CL_REPAYMENT_EQUAL_PRINCIPAL;
    if (!known) {
        return blame(path_out, CL_FIELD_INVALID, "method");
    }
    int64_t instalment_fen =
        instalment_of(counter->amount_fen, counter->rate_ppm, counter->term_months, counter->method);
    return counter->instalment_fen == instalment_fen ? cl_ok() : blame(path_out, CL_FIELD_INVALID, "instalment_fen");
}

static bool same_terms(const struct loan_part *a, const struct loan_part *b)
{
    return a->amount_fen == b->amount_fen && a->rate_ppm == b->rate_ppm && a->term_months == b->term_months &&
           a->method == b->method;
}

struct countering {
    struct splitting splitting;
    const struct offer *current;
    const struct loan_part *counter;
    struct term_limit
        longest; /* of the commercial part; an offer holds for its term even if a birthday has passed since */
};

/* The fund part over another term: at that term's rate, within the repayment capacity, and never above what was offered. */
static struct loan_part fund_part_over(const struct countering *countering, int32_t term_months)
{
    const struct splitting *splitting = &countering->splitting;
    const struct loan_part *offered = &countering->current->fund;
    struct household household;
    struct quota quota;
    if (!splitting->rules->equal_term || term_months == offered->term_months) {
        return *offered;
    }
    household_sum(&household, splitting->application, splitting->facts);
    int32_t loan_number =
        fund_loan_number(splitting->rules, splitting->facts, household_loans_used(splitting->rules, &household));
    int32_t rate_ppm = rule_fund_rate_ppm(splitting->rules, loan_number, term_months);
    quota_fund(&quota, splitting->rules, splitting->application, splitting->facts, rate_ppm, term_months);
    return part_of(lesser(quota.fund_fen, offered->amount_fen), rate_ppm, term_months, offered->method);
}

/* The nearest offer over that term; false when the ratios leave nothing for one of the parts. */
static bool counter_over(struct offer *out, const struct countering *countering, int32_t term_months)
{
    const struct splitting *splitting = &countering->splitting;
    const struct loan_part *counter = countering->counter;
    struct offer offer = *countering->current;
    int64_t most_fen = 0;
    offer.fund = fund_part_over(countering, term_months);
    offer.commercial = (struct loan_part){.amount_fen = 0};
    struct joint joint = joint_of(splitting->rules, splitting->application, splitting->facts, &offer);
    int64_t room_fen = lesser(joint.housing_limit_fen - joint.housing_fen, joint.debts_limit_fen - joint.debts_fen);
    if (offer.fund.amount_fen == 0 || room_fen <= 0) {
        return false;
    }
    struct cl_status status = cl_principal_for(&most_fen, room_fen, counter->rate_ppm, term_months, counter->method);
    assert(cl_is_ok(status)); /* the counter-offer's rate, term and method were checked */
    int64_t amount_fen = counter->amount_fen;
    if (instalment_of(amount_fen, counter->rate_ppm, term_months, counter->method) > room_fen) {
        amount_fen = quota_round_fen(splitting->rules, lesser(most_fen, amount_fen));
    }
    if (amount_fen == 0) {
        return false;
    }
    offer.commercial = part_of(amount_fen, counter->rate_ppm, term_months, counter->method);
    offer.down_payment_fen = offer.price_fen - offer.fund.amount_fen - amount_fen;
    offer.interest_subsidy =
        subsidised(splitting->rules, splitting->application, splitting->facts, amount_fen, splitting->date);
    *out = offer;
    return true;
}

static void note(struct counter_change *change, bool happened, enum cl_loan_reason reason)
{
    if (happened) {
        assert(change->reason_count < COUNTER_REASONS_MAX);
        change->reasons[change->reason_count++] = reason;
    }
}

static void note_changes(struct counter_change *out, const struct countering *countering, const struct offer *offer)
{
    const struct loan_part *counter = countering->counter;
    const struct offer *current = countering->current;
    struct counter_change change = {.reason_count = 0};
    note(&change, offer->commercial.amount_fen < counter->amount_fen, CL_LOAN_JNT_CUT);
    note(&change, offer->commercial.term_months < counter->term_months, countering->longest.reason);
    note(&change, offer->commercial.term_months > counter->term_months, CL_LOAN_JNT_TERM);
    bool follows = offer->fund.term_months != current->fund.term_months;
    note(&change, follows && offer->fund.term_months == counter->term_months, CL_LOAN_TRM_BANK);
    note(&change, offer->fund.amount_fen < current->fund.amount_fen, CL_LOAN_AMT_PTI);
    *out = change;
}

/* The longest term of the commercial part, and of both with equal_term. */
static struct term_limit counter_term_max(const struct splitting *splitting, const struct offer *current)
{
    struct term_limits limits;
    term_limits_for(&limits, splitting->rules, splitting->application, splitting->facts, splitting->date);
    struct term_limit longest = limits.commercial;
    if (longest.months < current->commercial.term_months) {
        longest.months = current->commercial.term_months;
    }
    return longest;
}

/* The fund's answer would be what is on the table: the bank has to approve that, or decline. */
static struct cl_status no_other_terms(struct field_path *path_out, const struct loan_part *offered,
                                       const struct loan_part *counter)
{
    struct loan_part over_offered_term = *counter;
    over_offered_term.term_months = offered->term_months;
    if (same_terms(counter, offered)) {
        return blame(path_out, CL_FIELD_INVALID, "amount_fen");
    }
    return same_terms(&over_offered_term, offered) ? blame(path_out, CL_TERM_INVALID, "term_months")
                                                   : blame(path_out, CL_AMOUNT_INVALID, "amount_fen");
}

struct cl_status offer_counter(struct offer *out, struct counter_change *change_out, struct field_path *path_out,
                               const struct rule_set *rules, const struct application *application,
                               const struct case_facts *facts, const struct offer *current,
                               const struct loan_part *counter, int64_t now_ms)
{
    if (now_ms > current->valid_until_ms) {
        return blame(path_out, CL_OFFER_EXPIRED, "");
    }
    struct cl_status status = check_counter(path_out, rules, current, counter);
    if (cl_failed(status)) {
        return status;
    }
    struct countering countering = {
        .splitting = {.rules = rules, .application = application, .facts = facts, .date = cl_date_from_ms(now_ms)},
        .current = current,
        .counter = counter,
    };
    countering.longest = counter_term_max(&countering.splitting, current);
    int32_t term_months = (int32_t)lesser(counter->term_months, countering.longest.months);
    struct offer offer;
    bool found =
        counter_over(&offer, &countering, term_months) || counter_over(&offer, &countering, countering.longest.months);
    if (!found) {
        return blame(path_out, CL_AMOUNT_INVALID, "amount_fen");
    }
    if (same_terms(&offer.commercial, &current->commercial) && same_terms(&offer.fund, &current->fund)) {
        return no_other_terms(path_out, &current->commercial, counter);
    }
    note_changes(change_out, &countering, &offer);
    *out = offer;
    return cl_ok();
}
