#include "server/domain/quota.h"

#include <assert.h>

enum { WHOLE_PPM = 1000000 };

int64_t quota_share_fen(int64_t amount_fen, int32_t ppm)
{
    int64_t whole = amount_fen / WHOLE_PPM;
    int64_t rest = amount_fen % WHOLE_PPM;
    return whole * ppm + rest * ppm / WHOLE_PPM; /* the same as amount * ppm / 10^6, without its overflow */
}

int64_t quota_round_fen(const struct rule_set *rules, int64_t amount_fen)
{
    return amount_fen > 0 ? amount_fen - amount_fen % rules->round_to_fen : 0;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Each member of a couple has the loans they took together on record, so the count of a family is its members' highest,
 * not their sum. */
void household_sum(struct household *out, const struct application *application, const struct case_facts *facts)
{
    struct household sum = {.contributors = 0};
    for (size_t i = 0; i < application->person_count; i++) {
        const struct person_facts *person = &facts->persons[i];
        bool joins = application->persons[i].role == PERSON_CO_BORROWER;
        if (application->persons[i].contributes) {
            sum.contributors++;
            sum.co_borrowers += joins ? 1 : 0;
            sum.base_fen += person->contribution_base_fen;
            sum.balance_fen += person->contribution_balance_fen;
        }
        sum.debts_fen += person->debts_fen;
        if (person->fund_loans_used > sum.fund_loans_used) {
            sum.fund_loans_used = person->fund_loans_used;
        }
        if (!joins && person->fund_loans_used > sum.own_loans_used) {
            sum.own_loans_used = person->fund_loans_used;
        }
        if (person->fund_loans_open > sum.fund_loans_open) {
            sum.fund_loans_open = person->fund_loans_open;
        }
        if (person->mortgages_open > sum.mortgages_open) {
            sum.mortgages_open = person->mortgages_open;
        }
    }
    if (facts->mortgages_open > sum.mortgages_open) { /* the banks may know of one that no report shows yet */
        sum.mortgages_open = facts->mortgages_open;
    }
    *out = sum;
}

int32_t household_loans_used(const struct rule_set *rules, const struct household *household)
{
    return rules->co_borrower_loans_count ? household->fund_loans_used : household->own_loans_used;
}

/* What a cap is before and after both uplifts. */
struct cap {
    int64_t plain_fen;
    int64_t stacked_fen;
};

static struct cap family_cap(const struct rule_set *rules, unsigned contributors, bool second)
{
    bool several = contributors > 1;
    struct cap cap = {.plain_fen = several ? rules->cap_household_fen : rules->cap_single_fen,
                      .stacked_fen = several ? rules->cap_household_stacked_fen : rules->cap_single_stacked_fen};
    int64_t second_fen = several ? rules->cap_household_second_fen : rules->cap_single_second_fen;
    if (second && second_fen != 0) {
        int64_t uplift_fen = cap.stacked_fen - cap.plain_fen; /* the uplifts are worth the same on either home */
        cap = (struct cap){.plain_fen = second_fen, .stacked_fen = second_fen + uplift_fen};
    }
    return cap;
}

/* With a co-borrower of another generation there may be a cap of its own, which never takes away what the family has
 * without him. */
static struct cap cap_of(const struct rule_set *rules, const struct household *household, bool second)
{
    if (household->co_borrowers == 0 || rules->co_borrower_cap_fen == 0) {
        return family_cap(rules, household->contributors, second);
    }
    struct cap alone = family_cap(rules, household->contributors - household->co_borrowers, second);
    return (struct cap){
        .plain_fen = greater(alone.plain_fen, rules->co_borrower_cap_fen),
        .stacked_fen = greater(alone.stacked_fen, rules->co_borrower_cap_stacked_fen),
    };
}

/* Two groups of uplifts: one for the family (minors, trade-in), one for the building (green, improved). One of either
 * raises the cap by a share; one of each gives the stacked cap. The voucher stands apart and is not stacked: the higher
 * result counts. */
int64_t quota_cap_fen(const struct rule_set *rules, const struct application *application,
                      const struct case_facts *facts)
{
    struct household household;
    household_sum(&household, application, facts);
    struct cap cap = cap_of(rules, &household, facts->homes > 0);
    bool family = facts->minors >= rules->uplift_minors_min || facts->trade_in;
    bool building = facts->green_stars >= rules->uplift_green_stars_min || facts->improved_home;
    bool voucher = facts->youth_voucher && application->home.kind == HOME_NEW;

    int64_t cap_fen = cap.plain_fen;
    if (family || building) {
        cap_fen += quota_share_fen(cap.plain_fen, rules->uplift_ppm);
    }
    if (family && building) {
        cap_fen = cap.stacked_fen;
    }
    int64_t voucher_fen = voucher ? cap.plain_fen * rules->voucher_multiple : 0;
    return greater(voucher_fen, cap_fen);
}

static int64_t ltv_limit_fen(const struct rule_set *rules, const struct application *application,
                             const struct case_facts *facts)
{
    int32_t down_ppm = facts->homes > 0 ? rules->down_payment_second_ppm : rules->down_payment_first_ppm;
    int32_t stricter_ppm = down_ppm > rules->fund_down_payment_ppm ? down_ppm : rules->fund_down_payment_ppm;
    return quota_share_fen(facts_price_base_fen(application, facts), WHOLE_PPM - stricter_ppm);
}

static int64_t balance_limit_fen(const struct rule_set *rules, int64_t balance_fen)
{
    if (rules->balance_multiple == 0) {
        return INT64_MAX;
    }
    int64_t limit_fen = balance_fen * rules->balance_multiple;
    return limit_fen > rules->balance_floor_fen ? limit_fen : rules->balance_floor_fen;
}

static int64_t pti_limit_fen(const struct rule_set *rules, const struct application *application,
                             const struct household *household, int32_t rate_ppm, int32_t term_months)
{
    int64_t room_fen = quota_share_fen(household->base_fen, rules->fund_pti_ppm) - household->debts_fen;
    int64_t principal_fen = 0;
    if (room_fen <= 0) {
        return 0;
    }
    struct cl_status status =
        cl_principal_for(&principal_fen, room_fen, rate_ppm, term_months, application->request.method);
    assert(cl_is_ok(status)); /* rates and terms of a valid rule set, method of a checked application */
    return principal_fen;
}

static int64_t request_limit_fen(const struct loan_request *request)
{
    int64_t total_fen = request->total_fen > 0 ? request->total_fen : INT64_MAX;
    int64_t fund_fen = request->fund_fen > 0 ? request->fund_fen : INT64_MAX;
    return lesser(total_fen, fund_fen);
}

void quota_fund(struct quota *out, const struct rule_set *rules, const struct application *application,
                const struct case_facts *facts, int32_t rate_ppm, int32_t term_months)
{
    struct household household;
    household_sum(&household, application, facts);
    struct quota quota = {
        .limits =
            {
                [QUOTA_CAP] = {CL_LOAN_AMT_CAP, quota_cap_fen(rules, application, facts)},
                [QUOTA_LTV] = {CL_LOAN_AMT_LTV, ltv_limit_fen(rules, application, facts)},
                [QUOTA_BALANCE] = {CL_LOAN_AMT_BAL, balance_limit_fen(rules, household.balance_fen)},
                [QUOTA_PTI] = {CL_LOAN_AMT_PTI, pti_limit_fen(rules, application, &household, rate_ppm, term_months)},
                [QUOTA_REQUEST] = {CL_LOAN_AMT_REQ, request_limit_fen(&application->request)},
            },
        .binding = QUOTA_CAP,
    };
    for (unsigned kind = QUOTA_CAP + 1; kind < QUOTA_COUNT; kind++) {
        if (quota.limits[kind].limit_fen < quota.limits[quota.binding].limit_fen) {
            quota.binding = (enum quota_kind)kind;
        }
    }
    quota.fund_fen = quota_round_fen(rules, quota.limits[quota.binding].limit_fen);
    *out = quota;
}
