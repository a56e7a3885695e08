/* vectors.h - the golden vectors (interop/vectors), put to a testee and judged.
 *
 * Owner: whoever loaded them. One thread. Fails: CONFIG_INVALID with a sentence, when the folder is not what the cases were
 * written for; MEMORY_LIMIT. */
#ifndef COLOAN_CONFORM_VECTORS_H
#define COLOAN_CONFORM_VECTORS_H

#include "interop/conform/result.h"
#include "interop/conform/suite.h"
#include "interop/conform/testee.h"

struct conform_vectors;

/* Every case of the suite has its vector there, under its name. */
CL_MUST_CHECK struct cl_status conform_vectors_load(struct conform_vectors **out, const char *folder,
                                                    const struct conform_suite *suite, struct cl_setting_error *error);
void conform_vectors_free(struct conform_vectors *vectors); /* NULL is fine */

/* Puts one to the testee. The arena is emptied first. */
void conform_vectors_run(struct conform_result *out, struct conform_vectors *vectors, const struct conform_case *one,
                         struct conform_testee *testee, struct cl_arena *arena);

#endif
