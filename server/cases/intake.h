/* intake.h - what a submission and a supplement have in common: both bring a whole application.
 *
 * Writer thread; see cases.h. */
#ifndef COLOAN_CASES_INTAKE_H
#define COLOAN_CASES_INTAKE_H

#include "server/cases/file.h"

/* A party of the directory that can sign, and a bank. BANK_UNKNOWN. */
CL_MUST_CHECK struct cl_status intake_check_partner(const struct case_tx *tx, const char *bank);

/* Reads and checks the application in a request's body, its personal values from the disclosures beside it. What
 * intake_check says, and BANK_UNKNOWN, with the path of the field. */
CL_MUST_CHECK struct cl_status intake_read(struct application *out, struct case_tx *tx,
                                           const struct case_request *request);

/* Each person stands in this case and in no other open one, and nobody else does in this one. OPEN_CASE_EXISTS. */
CL_MUST_CHECK struct cl_status intake_claim_persons(const struct case_file *file, struct case_tx *tx);

/* The personal values of the request are from now on those of the case. */
CL_MUST_CHECK struct cl_status intake_keep_personal(const struct case_file *file, struct case_tx *tx,
                                                    const struct case_request *request);

/* The consents of the request are from now on all there are. `replaced[i]`: another person than before stands at i. */
CL_MUST_CHECK struct cl_status intake_keep_consents(const struct case_file *file, struct case_tx *tx,
                                                    const struct case_request *request, const bool *replaced);

/* The APPLICATION event to the bank of the case, with this message of the channel's or bank's. */
CL_MUST_CHECK struct cl_status intake_tell_bank(const struct case_file *file, struct case_tx *tx,
                                                struct cl_bytes envelope);

#endif
