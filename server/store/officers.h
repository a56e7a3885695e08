/* officers.h - what officers did, step by step, and the sums of it.
 *
 * Append-only; the sums are kept by the database in the same transaction.
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_OFFICERS_H
#define COLOAN_STORE_OFFICERS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* The numbers of coloan.v1.OfficerStep. */
enum officer_step {
    OFFICER_CLAIM = 1,
    OFFICER_RELEASE = 2,
    OFFICER_SETTLE = 3,
    OFFICER_PROPOSE = 4,
    OFFICER_CONFIRM = 5,
    OFFICER_WITHDRAW = 6,
    OFFICER_STEP_COUNT,
};

/* What a reader gets of one application, the newest. */
#define OFFICER_ACTIONS_MAX 64

/* Rows of each sum that a reader gets: some 60 officers at 6 steps, some 100 reasons of items. */
#define OFFICER_SUMS_MAX 400

struct officer_action {
    const char *application_id, *officer;
    enum officer_step step;
    int64_t at_ms;
    const char *subject; /* id of the task or the override */
    int item;            /* coloan.v1.Item; 0: of the whole case */
    uint32_t person;
    const char *reason; /* why a person was needed, or what was overridden; "": nothing of a name. Not read back */
    const char *note;   /* "": none */
    bool has_document;
    struct cl_digest document;
    struct cl_digest message; /* in the message log */
};

CL_MUST_CHECK struct cl_status officers_log(struct store_tx *tx, const struct officer_action *action);

struct officer_actions {
    struct officer_action *rows;
    size_t count;
};

/* Oldest first. */
CL_MUST_CHECK struct cl_status officers_actions(struct officer_actions *out, struct sql *sql, struct cl_arena *arena,
                                                const char *application_id);

/* -- Sums ---------------------------------------------------------------------------------------------------- */

struct officer_sum {
    const char *officer;
    enum officer_step step;
    int64_t count;
};

struct officer_sums {
    struct officer_sum *rows;
    size_t count;
};

/* By officer, then step. */
CL_MUST_CHECK struct cl_status officers_sums(struct officer_sums *out, struct sql *sql, struct cl_arena *arena);

struct reason_sum {
    int item;
    const char *reason;
    int64_t referred, settled, overridden;
};

struct reason_sums {
    struct reason_sum *rows;
    size_t count;
};

/* By item, then reason. */
CL_MUST_CHECK struct cl_status officers_reason_sums(struct reason_sums *out, struct sql *sql, struct cl_arena *arena);

#endif
