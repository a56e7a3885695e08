/* due.h - what has to happen at a time: one row for each subject and kind of work.
 *
 * A row is taken in the transaction that does the work, so what is due is done once, also after a crash; and what came
 * due while the process was down is found when it is back. The subject is an application's id, or whatever the kind says;
 * the store does not look into it.
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_DUE_H
#define COLOAN_STORE_DUE_H

#include "libcoloan/arena.h"
#include "server/store/store.h"

/* Kinds are the caller's numbers, 1 .. DUE_KINDS_MAX - 1. */
#define DUE_KINDS_MAX 32

struct due_row {
    const char *subject;
    int kind;
    int64_t at_ms;
};

/* Whether or not it was set before. */
CL_MUST_CHECK struct cl_status due_set(struct store_tx *tx, const struct due_row *row);

/* Harmless when there is none. */
CL_MUST_CHECK struct cl_status due_clear(struct store_tx *tx, const char *subject, int kind);

/* Takes the row away when its time has come; `taken_out` says whether it had. */
CL_MUST_CHECK struct cl_status due_take(bool *taken_out, struct store_tx *tx, const char *subject, int kind,
                                        int64_t now_ms);

/* The subject's times by kind; 0: none. */
CL_MUST_CHECK struct cl_status due_of(int64_t at_ms_out[DUE_KINDS_MAX], struct sql *sql, const char *subject);

struct due_rows {
    struct due_row *rows;
    size_t count;
};

/* What has come due, longest first, at most `limit`. */
CL_MUST_CHECK struct cl_status due_list(struct due_rows *out, struct sql *sql, struct cl_arena *arena, int64_t now_ms,
                                        size_t limit);

#endif
