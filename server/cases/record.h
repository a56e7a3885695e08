/* record.h - what a decision of the fund was made of, kept so that it can be made again.
 *
 * Writer thread; see cases.h. */
#ifndef COLOAN_CASES_RECORD_H
#define COLOAN_CASES_RECORD_H

#include "server/cases/convert.h"
#include "server/cases/file.h"

/* What the decision gave. */
struct record_made {
    const Coloan__V1__FundDecision *told;
    const struct terms *trace; /* its bytes and their digest */
    struct cl_bytes terms;     /* of the offer; empty when there is none */
};

/* Keeps them with what the rules took: the file's submission and results, as they were loaded for this decision. */
CL_MUST_CHECK struct cl_status record_keep(const struct case_file *file, struct case_tx *tx,
                                           const struct record_made *made);

#endif
