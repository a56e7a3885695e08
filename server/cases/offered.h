/* offered.h - the offer that a bank's decision or a borrower's confirmation is about.
 *
 * Writer thread; see cases.h. */
#ifndef COLOAN_CASES_OFFERED_H
#define COLOAN_CASES_OFFERED_H

#include "server/cases/file.h"
#include "server/store/offers.h"

/* The current version, if it is the one named and still valid. OFFER_STALE, TERMS_DIGEST_WRONG with the path of the
 * field; OFFER_EXPIRED. The state of the case was checked. */
CL_MUST_CHECK struct cl_status offered_find(struct offer_row *out, struct case_tx *tx, const struct case_file *file,
                                            uint32_t version, ProtobufCBinaryData terms_digest);

#endif
