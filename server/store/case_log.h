/* case_log.h - what moved an application, step by step: its timeline.
 *
 * Append-only. Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write
 * functions: the writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_CASE_LOG_H
#define COLOAN_STORE_CASE_LOG_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* Steps that a reader gets, the newest: a case until its money is paid has some forty, each month of repayment one or
 * two. Some 200 bytes each, so that they fit a message beside everything else that is told. */
#define CASE_LOG_STEPS_MAX 512

struct case_log_row {
    const char *application_id;
    int64_t at_ms;
    const char *actor;                     /* party id */
    const struct cl_digest *message;       /* that caused it, in the message log; NULL: none did. Not read back */
    int command, track, origin;            /* the domain's numbers: which row of which track's table it was */
    int state, fund, bank_track, registry; /* after it */
};

/* Numbers the step itself. */
CL_MUST_CHECK struct cl_status case_log_add(struct store_tx *tx, const struct case_log_row *row);

struct case_log_rows {
    struct case_log_row *rows;
    size_t count;
};

/* A set of commands. */
#define CASE_LOG_BIT(command) (INT64_C(1) << (unsigned)(command))

/* When the last step by one of these commands was made; 0: there is none. */
CL_MUST_CHECK struct cl_status case_log_last_ms(int64_t *out, struct sql *sql, const char *application_id,
                                                int64_t commands);

/* The newest CASE_LOG_STEPS_MAX, oldest first. */
CL_MUST_CHECK struct cl_status case_log_list(struct case_log_rows *out, struct sql *sql, struct cl_arena *arena,
                                             const char *application_id);

#endif
