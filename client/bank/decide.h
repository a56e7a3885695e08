/* decide.h - how this bank decides: its verifications of a submission, and its word on an offer. Pure: the same inputs
 * give the same messages. What is made lives in the arena. */
#ifndef COLOAN_BANK_DECIDE_H
#define COLOAN_BANK_DECIDE_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <coloan/v1/verification.pb-c.h>

#include "client/bank/customers.h"
#include "client/bank/state.h"
#include "libcoloan/arena.h"

struct bank_rules {
    int64_t instalment_share_ppm; /* of income, both instalments together */
    int64_t rate_ppm_min;         /* the commercial part's least rate; 0: any */
    int64_t amount_fen_min;       /* the least commercial part worth lending */
};

/* INCOME of the household and CREDIT_BANK of each person. DISCLOSURE_MISSING when one of them is not disclosed to us. */
CL_MUST_CHECK struct cl_status bank_verify_customers(Coloan__V1__VerificationReport **out, struct bank_case *case_out,
                                                     struct cl_arena *arena, const struct bank_customers *customers,
                                                     const Coloan__V1__Application *application,
                                                     Coloan__V1__Disclosure *const *disclosures,
                                                     size_t disclosure_count, int64_t now_ms);

/* After this event nothing that we found out is needed any more: the case is another bank's, has ended, or is
 * registered. A joint decision may be followed by another until contracts are signed, for the borrower may choose other
 * rules or withdraw a consent; and the register may send a filing back. */
bool bank_case_is_over(const Coloan__V1__Event *event);

/* Approve, counter or decline. `terms` were checked against `digest`; `reference` is our number of this decision. */
CL_MUST_CHECK struct cl_status bank_decide(Coloan__V1__BankDecision **out, struct cl_arena *arena,
                                           const struct bank_rules *rules, const struct bank_case *known,
                                           const Coloan__V1__OfferTerms *terms, const struct cl_digest *digest,
                                           const char *reference);

#endif
