/* suite.h - the cases, as the files of one folder say them.
 *
 * A file holds cases of one kind and profile. A case has an id that never means anything else, not even after it is gone:
 * the folder's file `ids` holds every id there ever was, and a case with an id that is not there, or an id there that no case
 * has and that is not marked as retired, is a mistake.
 *
 * Owner: whoever loaded the suite; cases and texts are borrowed from it. Looking is for any number of threads. Fails:
 * CONFIG_INVALID with the sentence for the author of the file; MEMORY_LIMIT. */
#ifndef COLOAN_CONFORM_SUITE_H
#define COLOAN_CONFORM_SUITE_H

#include "libcoloan/settings.h"

#define CONFORM_CASES_MAX        1000
#define CONFORM_REQUIREMENTS_MAX 8 /* of one case */

enum conform_level { CONFORM_MUST, CONFORM_SHOULD };

struct conform_text {
    const char *en, *zh;
};

struct conform_case {
    const char *id;
    struct conform_text title;
    enum conform_level level;
    const char *profile;
    const char *requirements[CONFORM_REQUIREMENTS_MAX];
    size_t requirement_count;
    const char *vectors; /* the file of golden vectors it is in, "envelope.json" */
    const char *vector;  /* its name there */
    size_t at;           /* and its place, from 0: names need not be unique */
};

struct conform_suite;

CL_MUST_CHECK struct cl_status conform_suite_load(struct conform_suite **out, const char *folder,
                                                  struct cl_setting_error *error);
void conform_suite_free(struct conform_suite *suite); /* NULL is fine */

size_t conform_suite_count(const struct conform_suite *suite);
/* In the order of the files' names, and in each file's own. */
const struct conform_case *conform_suite_case(const struct conform_suite *suite, size_t index);

#endif
