/* milestones.h - what a bank reported after the approval: signed, filed, paid, repaid, settled.
 *
 * Append-only. Kinds and legs are the numbers of coloan.v1.
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_MILESTONES_H
#define COLOAN_STORE_MILESTONES_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* That a reader gets, the newest: some ten years of repayments of two parts. Beside the timeline they fit a message. */
#define MILESTONES_TOLD_MAX 256

struct milestone_row {
    const char *application_id;
    uint32_t number; /* from 1, in order; set by milestones_add */
    int kind, leg;
    uint32_t bank_epoch;
    int64_t amount_fen, balance_fen;
    const char *reference;
    int64_t happened_ms;
    bool has_account;
    struct cl_digest account; /* the commitment, with has_account */
    struct cl_digest message; /* that reported it, in the message log */
    int64_t at_ms;            /* when it came in */
};

/* After messages_add of its message. Numbers the row. STATE_CONFLICT when the application has one of that kind and leg
 * under this reference. */
CL_MUST_CHECK struct cl_status milestones_add(struct store_tx *tx, struct milestone_row *row);

/* Whether the application has one of that kind and leg under this reference. */
CL_MUST_CHECK struct cl_status milestones_has(bool *out, struct sql *sql, const struct milestone_row *row);

struct milestone_rows {
    struct milestone_row *rows;
    size_t count;
};

/* The newest MILESTONES_TOLD_MAX, oldest first. */
CL_MUST_CHECK struct cl_status milestones_list(struct milestone_rows *out, struct sql *sql, struct cl_arena *arena,
                                               const char *application_id);

/* A set of kinds. */
#define MILESTONE_BIT(kind) (INT64_C(1) << (unsigned)(kind))

/* When the last of these kinds of this leg (0: of any) happened; 0: there is none. */
CL_MUST_CHECK struct cl_status milestones_last_ms(int64_t *out, struct sql *sql, const char *application_id,
                                                  int64_t kinds, int leg);

/* The newest of these kinds of this leg (0: of any). `found_out` says whether there is one; `out` is untouched if not. */
CL_MUST_CHECK struct cl_status milestones_newest(bool *found_out, struct milestone_row *out, struct sql *sql,
                                                 struct cl_arena *arena, const char *application_id, int64_t kinds,
                                                 int leg);

#endif
