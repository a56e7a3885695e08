#include "server/domain/rules.h"

#include <string.h>

#include "libcoloan/date.h"

const struct rule_set *rules_in_force(const struct rule_set *sets, size_t count, int32_t date)
{
    for (size_t i = 0; i < count; i++) {
        bool ended = sets[i].effective_until != 0 && sets[i].effective_until < date;
        if (sets[i].effective_from <= date && !ended) {
            return &sets[i];
        }
    }
    return NULL;
}

const struct rule_set *rules_find(const struct rule_set *sets, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(sets[i].id, id) == 0) {
            return &sets[i];
        }
    }
    return NULL;
}

/* How many sets have the day in them. */
static size_t sets_on(const struct rule_set *sets, size_t count, int32_t date)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += rules_in_force(&sets[i], 1, date) != NULL ? 1 : 0;
    }
    return found;
}

static bool is_latest(const struct rule_set *sets, size_t count, const struct rule_set *set)
{
    for (size_t i = 0; i < count; i++) {
        if (sets[i].effective_from > set->effective_from) {
            return false;
        }
    }
    return true;
}

/* A set is alone on its first day, and another one begins on the day after its last: then there is neither overlap (the
 * later of two overlapping sets is not alone on its first day) nor gap. Only the latest may end with nothing after it.
 */
static bool fits_in(const struct rule_set *sets, size_t count, const struct rule_set *set)
{
    if (rules_find(sets, count, set->id) != set || sets_on(sets, count, set->effective_from) != 1) {
        return false;
    }
    if (is_latest(sets, count, set)) {
        return true;
    }
    return set->effective_until != 0 && sets_on(sets, count, cl_date_next(set->effective_until)) == 1;
}

struct cl_status rules_check(const struct rule_set *sets, size_t count, const char **id_out)
{
    for (size_t i = 0; i < count; i++) {
        if (fits_in(sets, count, &sets[i])) {
            continue;
        }
        if (id_out != NULL) {
            *id_out = sets[i].id;
        }
        return cl_fail(CL_CONFIG_INVALID);
    }
    return count > 0 ? cl_ok() : cl_fail(CL_CONFIG_INVALID);
}
