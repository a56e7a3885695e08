/* deadline.h - what happens to a case by time: set when the case moves, kept in the database, done once when it is due.
 *
 * Each kind of work is one row of due.def. A case's own deadlines follow from where it stands: whenever it is saved,
 * each kind is asked when it is due now. Writer thread; see cases.h. */
#ifndef COLOAN_CASES_DEADLINE_H
#define COLOAN_CASES_DEADLINE_H

#include "server/cases/file.h"
#include "server/store/due.h"

enum due_kind {
    DUE_NONE = 0,
#define DUE(name, number, when, run) DUE_##name = (number),
#include "server/cases/due.def"
#undef DUE
};

/* When this work is due for the case as it stands now; 0: not at all. `held_ms` is when it is set for already, 0 if it
 * is not: work whose time depends on when it was set keeps it. */
typedef int64_t due_when(const struct case_file *file, const struct case_tx *tx, int64_t held_ms);

/* Does it. The row is taken away before, in the same transaction; work that goes on sets it again. When it fails
 * nothing stays, and it is tried again later. */
typedef struct cl_status due_run(struct case_tx *tx, const char *subject);

/* Sets and clears what follows from where the case stands. */
CL_MUST_CHECK struct cl_status deadline_arm(const struct case_file *file, struct case_tx *tx);

/* Until when the case's next actor has to act; 0: no such time. `offer_until_ms`: when there is an offer. */
int64_t deadline_of(const struct case_file *file, int64_t offer_until_ms);

due_when deadline_decision_at, deadline_overdue_at, deadline_expiry_at, deadline_half_paid_at;
due_run deadline_decision, deadline_overdue, deadline_expiry, deadline_half_paid;

#endif
