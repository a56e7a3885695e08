/* decisions.h - the joint decision of each round of an application, and the traces that explain each fund decision.
 *
 * A round ends when a decided case is opened again. That there is at most one decision in each is a constraint of the database, not a matter of order or isolation.
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_DECISIONS_H
#define COLOAN_STORE_DECISIONS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

struct decision_row {
    const char *application_id;
    uint32_t round; /* from 1 */
    int outcome;    /* coloan.v1.Outcome */
    bool has_terms;
    struct cl_digest terms_digest; /* with has_terms: an approval's */
    struct cl_digest event;        /* the signed JointDecision in the message log */
    int64_t decided_ms;
};

/* After messages_add of the event. STATE_CONFLICT when the round has its decision. */
CL_MUST_CHECK struct cl_status decisions_insert(struct store_tx *tx, const struct decision_row *row);

/* `found_out` says whether there is one; `out` is untouched if not. */
CL_MUST_CHECK struct cl_status decisions_get(bool *found_out, struct decision_row *out, struct sql *sql,
                                             struct cl_arena *arena, const char *application_id, uint32_t round);

struct trace_row {
    const char *application_id;
    uint32_t number; /* from 1, in order */
    struct cl_digest digest;
    struct cl_bytes trace;       /* a serialised DecisionTrace */
    struct cl_digest submission; /* that was decided on, in the message log */
    struct cl_bytes record;      /* what else the rules took and gave, packed by the caller */
};

/* Numbers the trace itself; `row->number` is not read. */
CL_MUST_CHECK struct cl_status decisions_add_trace(struct store_tx *tx, const struct trace_row *row);

/* That one; 0: the newest. */
CL_MUST_CHECK struct cl_status decisions_trace(bool *found_out, struct trace_row *out, struct sql *sql,
                                               struct cl_arena *arena, const char *application_id, uint32_t number);

#endif
