/* rules.h - which rule set is in force on a day.
 *
 * Values only; any thread. The sets belong to the caller. */
#ifndef COLOAN_SERVER_DOMAIN_RULES_H
#define COLOAN_SERVER_DOMAIN_RULES_H

#include "server/domain/ruleset.h"

/* Whether the sets, in any order, follow each other without a gap or an overlap and have different ids; at least one.
 * Each is valid by itself. CONFIG_INVALID with the id of the set at fault in `id_out`, which may be NULL. */
CL_MUST_CHECK struct cl_status rules_check(const struct rule_set *sets, size_t count, const char **id_out);

/* The set in force on `date` (yyyymmdd), borrowed from `sets`; NULL before the first and after the last. */
const struct rule_set *rules_in_force(const struct rule_set *sets, size_t count, int32_t date);

/* The set with that id, or NULL. */
const struct rule_set *rules_find(const struct rule_set *sets, size_t count, const char *id);

#endif
