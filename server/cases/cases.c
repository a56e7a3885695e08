#include "server/cases/cases.h"

#include "libcoloan/date.h"
#include "server/domain/rules.h"

const struct rule_set *cases_rules(const struct cases *cases, int64_t now_ms)
{
    return rules_in_force(cases->rule_sets, cases->rule_set_count, cl_date_from_ms(now_ms));
}
