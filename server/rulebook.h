/* rulebook.h - rule sets from their files: YAML in, checked numbers out.
 *
 * Owner: the caller frees the book; its sets are borrowed. Start-up thread. Fails: CONFIG_INVALID with file, line,
 * field and mend in `error`; MEMORY_LIMIT. */
#ifndef COLOAN_SERVER_RULEBOOK_H
#define COLOAN_SERVER_RULEBOOK_H

#include "libcoloan/settings.h"
#include "server/domain/ruleset.h"

#define RULEBOOK_SETS_MAX 64 /* a policy changes a few times a year; running cases keep the sets of their day */

struct rulebook {
    struct rule_set *sets;
    size_t count;
};

/* Reads every file and sees that they follow each other without gap or overlap. */
CL_MUST_CHECK struct cl_status rulebook_load(struct rulebook *out, const char *const *paths, size_t path_count,
                                             struct cl_setting_error *error);
void rulebook_free(struct rulebook *book);

#endif
