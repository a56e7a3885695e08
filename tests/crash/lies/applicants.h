/* applicants.h - the load: households that apply at both banks' counters, steadily, and what was acknowledged to them.
 *
 * A submission is sent in the same bytes until there is an answer. Owner: whoever created it. One thread drives it; its
 * own, one for each bank, submit until applicants_stop. Fails: a refusal is told by applicants_wrong. Aborts without
 * memory. */
#ifndef COLOAN_TESTS_CRASH_LIES_APPLICANTS_H
#define COLOAN_TESTS_CRASH_LIES_APPLICANTS_H

#include "tests/crash/lies/program.h"

struct applicants;

/* `rate`: applications a second, in all. Nobody applies before applicants_allow. */
struct applicants *applicants_create(const struct world *world, uint16_t centre_port, uint64_t rate);
void applicants_free(struct applicants *applicants); /* stops first; NULL is fine */

/* So many may have applied, in all. Any thread. */
void applicants_allow(struct applicants *applicants, uint64_t count);

uint64_t applicants_count(struct applicants *applicants);

void applicants_stop(struct applicants *applicants);

/* NULL, or what is wrong. */
const char *applicants_wrong(struct applicants *applicants);

/* After the stop: what was acknowledged, in the order of application ids. */
struct applied_for {
    char application_id[CL_UUID_TEXT_BYTES];
    struct cl_digest submission;
};
const struct applied_for *applicants_list(size_t *count_out, struct applicants *applicants);

#endif
