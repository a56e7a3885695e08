/* offers.h - the versions of an application's offer: the terms as both sides sign them, and who signed.
 *
 * Terms never change; a counter-offer is a new version. Read functions: any connection; what they return lives in
 * `arena` (MEMORY_LIMIT past its cap). Write functions: the writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_OFFERS_H
#define COLOAN_STORE_OFFERS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

struct offer_row {
    const char *application_id;
    uint32_t version; /* from 1 */
    uint32_t bank_epoch;
    struct cl_bytes terms; /* a serialised OfferTerms */
    struct cl_digest terms_digest;
    int64_t valid_until_ms;
    struct cl_digest fund_event; /* the centre's signed FundDecision in the message log */
    bool has_bank_decision;
    struct cl_digest bank_decision; /* the bank's signed BankDecision in the message log */
    int64_t made_ms;
};

/* After messages_add of the fund event. STATE_CONFLICT when the version exists or the version before it does not. */
CL_MUST_CHECK struct cl_status offers_insert(struct store_tx *tx, const struct offer_row *row);

/* After messages_add of the decision. STATE_CONFLICT when there is no such version or it is decided. */
CL_MUST_CHECK struct cl_status offers_set_bank_decision(struct store_tx *tx, const char *application_id,
                                                        uint32_t version, const struct cl_digest *decision);

/* `found_out` says whether there is one; `out` is untouched if not. */
CL_MUST_CHECK struct cl_status offers_get(bool *found_out, struct offer_row *out, struct sql *sql,
                                          struct cl_arena *arena, const char *application_id, uint32_t version);

#endif
