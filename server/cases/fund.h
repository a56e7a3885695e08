/* fund.h - the fund's decision on a case whose items are settled, and the joint decision that ends a case.
 *
 * Writer thread; see cases.h. */
#ifndef COLOAN_CASES_FUND_H
#define COLOAN_CASES_FUND_H

#include "server/cases/file.h"

/* Decides, keeps trace and offer, moves the tracks and writes the events. The caller saves. */
CL_MUST_CHECK struct cl_status fund_decide(struct case_file *file, struct case_tx *tx);

struct fund_offered {
    struct cl_bytes terms; /* in the arena */
    struct cl_digest terms_digest;
    struct cl_bytes event; /* the stored FundDecision event that carries the offer */
};

/* Writes the offer of the version that the tracks stand at: its terms, the signed FundDecision event that carries them,
 * and the row. `told` is the decision to be told, complete but for the offer. */
CL_MUST_CHECK struct cl_status fund_write_offer(struct fund_offered *out, struct case_file *file, struct case_tx *tx,
                                                Coloan__V1__FundDecision *told, const struct offer *offer);

/* What the joint decision rests on. */
struct fund_end {
    bool has_terms; /* an approval */
    struct cl_digest terms_digest;
    struct cl_bytes fund_envelope; /* stored FundDecision event; empty when the fund took none */
    struct cl_bytes bank_envelope; /* stored BankDecision request; empty when no bank decided */
};

/* Writes the JointDecision event and the one final decision. The tracks have been moved. */
CL_MUST_CHECK struct cl_status fund_write_joint(struct case_file *file, struct case_tx *tx, const struct fund_end *end);

#endif
