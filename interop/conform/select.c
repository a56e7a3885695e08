#include "interop/conform/select.h"

#include <string.h>

static bool is_among(const char *const *list, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], text) == 0) {
            return true;
        }
    }
    return false;
}

bool conform_selects(const struct conform_selection *selection, const struct conform_case *one)
{
    bool profile =
        selection->profile_count == 0 || is_among(selection->profiles, selection->profile_count, one->profile);
    return profile && (selection->id_count == 0 || is_among(selection->ids, selection->id_count, one->id));
}

static bool has_profile(const struct conform_suite *suite, const char *profile)
{
    for (size_t i = 0; i < conform_suite_count(suite); i++) {
        if (strcmp(conform_suite_case(suite, i)->profile, profile) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_id(const struct conform_suite *suite, const char *id)
{
    for (size_t i = 0; i < conform_suite_count(suite); i++) {
        if (strcmp(conform_suite_case(suite, i)->id, id) == 0) {
            return true;
        }
    }
    return false;
}

static const char *unknown_id(const char *const *ids, size_t count, const struct conform_suite *suite)
{
    for (size_t i = 0; i < count; i++) {
        if (!has_id(suite, ids[i])) {
            return ids[i];
        }
    }
    return NULL;
}

const char *conform_selection_unknown(const struct conform_selection *selection, const struct conform_suite *suite)
{
    for (size_t i = 0; i < selection->profile_count; i++) {
        if (!has_profile(suite, selection->profiles[i])) {
            return selection->profiles[i];
        }
    }
    const char *unknown = unknown_id(selection->ids, selection->id_count, suite);
    return unknown != NULL ? unknown : unknown_id(selection->failing, selection->failing_count, suite);
}

void conform_selection_judge(const struct conform_selection *selection, struct conform_result *result)
{
    if (!is_among(selection->failing, selection->failing_count, result->one->id)) {
        return;
    }
    if (result->outcome == CONFORM_FAIL || result->outcome == CONFORM_WARN) {
        result->outcome = CONFORM_XFAIL;
    } else if (result->outcome == CONFORM_PASS) {
        result->outcome = CONFORM_XPASS;
        (void)snprintf(result->cause, sizeof result->cause,
                       "It was announced to fail and passes: take it out of --known-to-fail.");
    }
}
