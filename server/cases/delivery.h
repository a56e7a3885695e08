/* delivery.h - how the delivery of one event stands, and what is done when it fails.
 *
 * Whatever way events take to a bank (a stream, calls, being fetched), failing to deliver one is written here: it is tried
 * again, holds back the later ones of its application, and is parked in the end; it is never dropped. Writer thread; see
 * cases.h. */
#ifndef COLOAN_CASES_DELIVERY_H
#define COLOAN_CASES_DELIVERY_H

#include "server/cases/cases.h"
#include "server/store/outbox.h"
#include "server/store/pending.h"

/* A bank that refuses an event so often needs a person. */
#define DELIVERY_REFUSALS_MAX 10
#define DELIVERY_DELAY_MS_MAX (24 * 60 * 60 * 1000)

/* A failed try, of whatever is pending: what is not (acknowledged meanwhile) stays so. `row` is the state that it leaves:
 * WAITING with its next_ms, or PARKED, which raises an alarm. */
CL_MUST_CHECK struct cl_status delivery_fail(struct case_tx *tx, const char *recipient, const struct pending_row *row);

/* One event as it stands, in the arena. EVENT_UNKNOWN. `with_envelope`: with its bytes, for the bank itself. */
CL_MUST_CHECK struct cl_status delivery_state(Coloan__V1__EventState **out, struct case_tx *tx, const char *recipient,
                                              uint64_t sequence, bool with_envelope);

/* The same for one that was read. */
CL_MUST_CHECK struct cl_status delivery_state_of(Coloan__V1__EventState **out, struct case_tx *tx,
                                                 const struct outbox_row *event, bool with_envelope);

/* Whose events a request is about: a bank's own, or the named bank's for an officer. FIELD_MISSING, BANK_UNKNOWN. */
CL_MUST_CHECK struct cl_status delivery_recipient(const char **out, struct case_tx *tx,
                                                  const struct case_request *request, const char *named);

/* A list with room for `max` events and none in it, in the arena. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status delivery_list(Coloan__V1__EventList **out, struct case_tx *tx, size_t max);

/* The list's head and floors. */
CL_MUST_CHECK struct cl_status delivery_floors(Coloan__V1__EventList *out, struct case_tx *tx, const char *recipient);

#endif
