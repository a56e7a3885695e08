/* check.h - what is checked again, or for the first time, between registration and payment: the items of the phase
 * DISBURSEMENT.
 *
 * They are opened when the mortgage is registered. A pass whose numbers say that something has happened since becomes a
 * person's to look at. A pre-sale home waits until its completion is filed, which is asked for daily. An answer that
 * runs out before the money is paid is asked for again. Writer thread; see cases.h. */
#ifndef COLOAN_CASES_CHECK_H
#define COLOAN_CASES_CHECK_H

#include "server/cases/deadline.h"

/* Registered and nothing paid: the checks count. */
bool check_is_on(const struct case_file *file);

/* Opens all of them, anew if need be, asks the authorities, and leaves the counts in file->checks for REGISTER. The
 * file's facts are loaded. */
CL_MUST_CHECK struct cl_status check_begin(struct case_file *file, struct case_tx *tx);

/* Asks for all that is open: at the beginning, and after a restart or when an authority opens. The file's facts are
 * loaded. */
CL_MUST_CHECK struct cl_status check_ask(struct case_file *file, struct case_tx *tx);

/* What an authority's or the bank's answer means now: a pass that does not hold any more becomes MANUAL. The file's
 * facts are loaded. */
CL_MUST_CHECK struct cl_status check_judge(struct item_result *result, const struct case_file *file,
                                           struct case_tx *tx);

/* After items of it were settled: counts, asks again for what has run out, moves the case when something changed, tells
 * the bank, saves. The file's facts are loaded. */
CL_MUST_CHECK struct cl_status check_finish(struct case_file *file, struct case_tx *tx);

/* Whether money may go to this account: any, unless the home's pre-sale money is supervised. */
CL_MUST_CHECK struct cl_status check_account(bool *fits_out, struct case_file *file, struct case_tx *tx,
                                             struct cl_bytes account);

due_when check_renew_at, check_completion_at;
due_run check_renew, check_completion;

#endif
