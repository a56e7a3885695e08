#include "server/domain/rules.h"

#include <string.h>

#include "libcoloan/date.h"

/* The set that begins next after this one; NULL: none. */
static const struct rule_set *follower(const struct rule_set *sets, size_t count, const struct rule_set *set)
{
    const struct rule_set *next = NULL;
    for (size_t i = 0; i < count; i++) {
        bool later = sets[i].effective_from > set->effective_from;
        if (later && (next == NULL || sets[i].effective_from < next->effective_from)) {
            next = &sets[i];
        }
    }
    return next;
}

const struct rule_set *rules_in_force(const struct rule_set *sets, size_t count, int32_t date)
{
    const struct rule_set *latest = NULL;
    for (size_t i = 0; i < count; i++) {
        bool begun = sets[i].effective_from <= date;
        if (begun && (latest == NULL || sets[i].effective_from > latest->effective_from)) {
            latest = &sets[i];
        }
    }
    bool ended = latest != NULL && latest->effective_until != 0 && latest->effective_until < date;
    return ended ? NULL : latest;
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

int32_t rules_last_day(const struct rule_set *sets, size_t count, size_t index)
{
    const struct rule_set *next = follower(sets, count, &sets[index]);
    int32_t own = sets[index].effective_until;
    if (next == NULL) {
        return own;
    }
    int32_t before_next = cl_date_from_ms(cl_date_to_ms(next->effective_from) - 1);
    return own != 0 && own < before_next ? own : before_next;
}

static enum rules_fault fault_of(const struct rule_set *sets, size_t count, size_t index)
{
    const struct rule_set *set = &sets[index];
    for (size_t i = 0; i < index; i++) {
        if (strcmp(sets[i].id, set->id) == 0) {
            return RULES_SAME_ID;
        }
        if (sets[i].effective_from == set->effective_from) {
            return RULES_OVERLAP;
        }
    }
    const struct rule_set *next = follower(sets, count, set);
    bool gap = next != NULL && set->effective_until != 0 && cl_date_next(set->effective_until) < next->effective_from;
    return gap ? RULES_GAP : RULES_FINE;
}

struct cl_status rules_check(const struct rule_set *sets, size_t count, enum rules_fault *fault_out, size_t *at_out)
{
    enum rules_fault fault = count == 0 ? RULES_NONE : RULES_FINE;
    size_t at = 0;
    for (size_t i = 0; i < count && fault == RULES_FINE; i++) {
        fault = fault_of(sets, count, i);
        at = i;
    }
    if (fault == RULES_FINE) {
        return cl_ok();
    }
    *fault_out = fault;
    *at_out = at;
    return cl_fail(CL_CONFIG_INVALID);
}
