#include "server/domain/recheck.h"

/* A mortgage is nothing new here: ours is registered by now. */
static bool home_is_free(const struct case_facts *facts)
{
    return !facts->seized && !facts->disputed;
}

static bool credit_is_good(const struct person_facts *person, const struct rule_set *rules)
{
    return !person->overdue_now && person->overdue_consecutive <= rules->credit_consecutive_max &&
           person->overdue_total <= rules->credit_total_max;
}

static bool still_contributes(const struct person_facts *person, const struct rule_set *rules)
{
    return !person->contribution_sealed && person->contribution_months >= rules->contribution_months_min;
}

/* What the numbers of a pass mean now; items without a row are settled by passing. */
static bool holds(const struct rule_set *rules, const struct application *application, const struct offer *agreed,
                  const struct case_facts *facts, struct item_key key)
{
    const struct person_facts *person = &facts->persons[key.person];
    switch ((int)key.item) {
    case ITEM_MARRIAGE:
        return person->marital_status == application->persons[key.person].declared_marital_status;
    case ITEM_CONTRIBUTION:
    case ITEM_CONTRIBUTION_OFFSITE:
        return still_contributes(person, rules) && !person->offsite_fraud;
    case ITEM_LOAN_HISTORY:
        return person->fund_loans_open == 0;
    case ITEM_CREDIT_FUND:
        return credit_is_good(person, rules);
    case ITEM_PROPERTY_RIGHT:
        return home_is_free(facts);
    case ITEM_DOWN_PAYMENT:
        return facts->down_paid_fen >= agreed->down_payment_fen;
    default:
        return true;
    }
}

enum recheck recheck_result(const struct rule_set *rules, const struct application *application,
                            const struct offer *agreed, const struct item_result *result, int64_t now_ms)
{
    if (result->outcome != ITEM_PASS) {
        return RECHECK_BAD;
    }
    struct case_facts facts;
    facts_read_phase(&facts, application, PHASE_DISBURSEMENT, result, 1, now_ms);
    if (result->key.item == ITEM_COMPLETION_FILING && facts.completion_filed_on == 0) {
        return RECHECK_NOT_YET;
    }
    return holds(rules, application, agreed, &facts, result->key) ? RECHECK_PASSED : RECHECK_BAD;
}
