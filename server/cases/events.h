/* events.h - writes what a bank is told: sealed, logged and numbered in the transaction that caused it.
 *
 * Writer thread; see cases.h. */
#ifndef COLOAN_CASES_EVENTS_H
#define COLOAN_CASES_EVENTS_H

#include "server/cases/cases.h"
#include "server/store/applications.h"

#define EVENT_METHOD "coloan.v1.JointApproval/Deliver"

struct event_written {
    struct cl_digest digest;
    struct cl_bytes envelope; /* in the arena */
};

/* `event` has its kind and what belongs to it; application id and status are filled in from `row` as it is now. */
CL_MUST_CHECK struct cl_status event_write(struct event_written *out, struct case_tx *tx,
                                           const struct application_row *row, Coloan__V1__Event *event);

/* A STATUS event to the bank that lends. */
CL_MUST_CHECK struct cl_status event_write_status(struct case_tx *tx, const struct application_row *row);

/* The same to another recipient than the bank that lends, which learns no more of the case than its numbers. */
CL_MUST_CHECK struct cl_status event_write_to(struct event_written *out, struct case_tx *tx,
                                              const struct application_row *row, const char *recipient,
                                              Coloan__V1__Event *event);

/* A STATUS event: the case moved by something that has no event of its own. */
CL_MUST_CHECK struct cl_status event_write_status(struct case_tx *tx, const struct application_row *row);

#endif
