/* lend.h - what this bank does after an approval, one report at a time: contracts, registration, both payments. The bank
 * that handles the commercial part handles the fund's, too, as the centre's entrusted bank.
 *
 * Pure: the same status and terms give the same report. What is made lives in the arena. */
#ifndef COLOAN_BANK_LEND_H
#define COLOAN_BANK_LEND_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>

#include "libcoloan/arena.h"
#include "libcoloan/ids.h"

struct bank_lending {
    const char *prefix;      /* how our own numbers begin */
    const char *contract_no; /* of the home; "" or too long for a filing's number: a person files */
    const char *account;     /* paid to: the seller's supervised account */
    int64_t now_ms;
    const struct cl_random *random;
};

/* True when the case waits for us: then `out` is the next thing to report, and `account_out` what to disclose beside it
 * (NULL: nothing). `terms` are those both lenders signed. MEMORY_LIMIT; FIELD_INVALID for an account out of form. */
CL_MUST_CHECK struct cl_status bank_lend_next(bool *more_out, Coloan__V1__Milestone **out,
                                              Coloan__V1__Disclosure **account_out, struct cl_arena *arena,
                                              const Coloan__V1__ApplicationStatus *status,
                                              const Coloan__V1__OfferTerms *terms, const struct bank_lending *lending);

#endif
