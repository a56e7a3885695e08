/* select.h - which cases of a suite are run, and which are known to fail.
 *
 * Owner: plain values; texts are borrowed from whoever filled it (the command line). Cannot fail but where said. */
#ifndef COLOAN_CONFORM_SELECT_H
#define COLOAN_CONFORM_SELECT_H

#include "interop/conform/result.h"

#define CONFORM_SELECTED_MAX 64

struct conform_selection {
    const char *profiles[CONFORM_SELECTED_MAX], *ids[CONFORM_SELECTED_MAX]; /* none: all */
    size_t profile_count, id_count;
    const char *failing[CONFORM_SELECTED_MAX]; /* ids that are known to fail */
    size_t failing_count;
};

bool conform_selects(const struct conform_selection *selection, const struct conform_case *one);

/* NULL, or the first profile or id that no case of the suite has. */
const char *conform_selection_unknown(const struct conform_selection *selection, const struct conform_suite *suite);

/* A failure that was announced is XFAIL; a pass of what was announced to fail is XPASS. */
void conform_selection_judge(const struct conform_selection *selection, struct conform_result *result);

#endif
