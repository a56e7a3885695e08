/* rules.h - which rule set is in force on a day.
 *
 * A set begins on its effective_from and ends the day before the next one begins, or on its own effective_until if that is
 * earlier. So a new policy is a new file, and no old one is edited.
 *
 * Values only; any thread. The sets belong to the caller. */
#ifndef COLOAN_SERVER_DOMAIN_RULES_H
#define COLOAN_SERVER_DOMAIN_RULES_H

#include "server/domain/ruleset.h"

enum rules_fault {
    RULES_FINE,
    RULES_NONE,    /* there is no set */
    RULES_SAME_ID, /* two of one id */
    RULES_OVERLAP, /* two begin on one day */
    RULES_GAP,     /* the set ends, and the next begins later than the day after */
};

/* Whether the sets, in any order, follow each other without a gap or an overlap and have different ids; at least one.
 * Each is valid by itself. CONFIG_INVALID; then `fault_out` says why and `at_out` which set is at fault (0 without any). */
CL_MUST_CHECK struct cl_status rules_check(const struct rule_set *sets, size_t count, enum rules_fault *fault_out,
                                           size_t *at_out);

/* The last day of the set at `index`; 0: until further notice. */
int32_t rules_last_day(const struct rule_set *sets, size_t count, size_t index);

/* The set in force on `date` (yyyymmdd), borrowed from `sets`; NULL before the first and after the last. */
const struct rule_set *rules_in_force(const struct rule_set *sets, size_t count, int32_t date);

/* The set with that id, or NULL. */
const struct rule_set *rules_find(const struct rule_set *sets, size_t count, const char *id);

#endif
