/* evidence.h - a joint decision judged by its signatures alone, offline: what both lenders signed, and that it is the same.
 *
 * Everything read lives in the arena; nothing is trusted but the keyring. Fails: with the reason of the first step that
 * does not hold, whose sentence is in client_evidence.step. */
#ifndef COLOAN_CLIENT_EVIDENCE_H
#define COLOAN_CLIENT_EVIDENCE_H

#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <stdbool.h>

#include "libcoloan/arena.h"
#include "libcoloan/envelope.h"
#include "libcoloan/keyring.h"

/* An offer's terms, of which the digest was checked. TERMS_DIGEST_WRONG when it is another's. */
CL_MUST_CHECK struct cl_status client_terms_read(const Coloan__V1__OfferTerms **out, struct cl_digest *digest_out,
                                                 struct cl_arena *arena, const Coloan__V1__Offer *offer);

struct client_evidence {
    const char *step; /* what was being checked last: static */
    const Coloan__V1__JointDecision *joint;
    struct cl_opened event; /* the centre's event that holds it */
    bool has_fund, has_bank;
    struct cl_opened fund, bank; /* the two decisions */
    const Coloan__V1__FundDecision *fund_decision;
    const Coloan__V1__BankDecision *bank_decision;
    const Coloan__V1__OfferTerms *terms; /* NULL when nothing was offered */
};

/* `envelope` is the centre's JointDecision event, as pushed or as ApplicationView.joint_decision holds it. Checks every
 * signature, that the parts belong to the same application and to the parties they should, and that they make the
 * outcome that the event states. */
CL_MUST_CHECK struct cl_status client_evidence_check(struct client_evidence *out, struct cl_arena *arena,
                                                     struct cl_bytes envelope, const struct cl_keyring *keyring);

#endif
