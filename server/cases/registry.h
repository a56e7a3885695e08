/* registry.h - the transfer and mortgage registration: asked for after the bank filed it, until it ends.
 *
 * The register is polled with back-off (domain/polling.h). What it says moves the case; done counts only when the
 * mortgagees and the amount are those of the contracts. Otherwise, and when nothing comes in time, the case is held for an
 * officer. Writer thread; see cases.h. */
#ifndef COLOAN_CASES_REGISTRY_H
#define COLOAN_CASES_REGISTRY_H

#include "server/cases/deadline.h"

struct source_question;

/* After the filing was reported and the case moved: the register is asked from now on. */
CL_MUST_CHECK struct cl_status registry_filed(struct case_file *file, struct case_tx *tx);

/* The register's answer: moves the case, tells the bank, saves. The file's facts are loaded. */
CL_MUST_CHECK struct cl_status registry_answer(struct case_file *file, struct case_tx *tx,
                                               const struct source_question *question);

/* Registered as contracted, be it by the register's word or an officer's: opens the checks before payment, moves the
 * case, tells the bank. The file's facts are loaded. The caller saves. */
CL_MUST_CHECK struct cl_status registry_done(struct case_file *file, struct case_tx *tx);

/* What an officer found out while the case is held for the registration: a PASS is an entry as contracted; a FAIL as
 * NO_RECORD lets the register be asked again, any other one is a rejection, after which it may be filed anew. Moves the
 * case, tells the bank, saves. FIELD_INVALID when a PASS is not as contracted. The file's facts are loaded. */
CL_MUST_CHECK struct cl_status registry_found(struct case_file *file, struct case_tx *tx,
                                              const struct item_result *result);

due_when registry_poll_at;
due_run registry_poll;

#endif
