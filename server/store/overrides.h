/* overrides.h - changes of settled items that one officer proposed, until another one confirms them.
 *
 * The database refuses a confirmation by the officer who proposed, one that comes too late, and a second ending; there
 * is at most one proposal under way for each item.
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_OVERRIDES_H
#define COLOAN_STORE_OVERRIDES_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* What a reader gets of one application, the newest. */
#define OVERRIDES_OF_APPLICATION_MAX 16

/* The numbers of coloan.v1.OverrideState. */
enum override_state {
    OVERRIDE_PROPOSED = 1,
    OVERRIDE_CONFIRMED = 2,
    OVERRIDE_WITHDRAWN = 3,
    OVERRIDE_EXPIRED = 4,
    OVERRIDE_OVERTAKEN = 5,
};

struct override_row {
    const char *id; /* UUIDv7 text */
    const char *application_id;
    int item; /* coloan.v1.Item */
    uint32_t person;
    struct cl_bytes replaces; /* the item's result when it was proposed */
    struct cl_bytes result;   /* the one to come */
    int outcome;              /* of it: 1 or 2 */
    const char *note;
    bool has_document;
    struct cl_digest document;
    const char *proposed_by;
    int64_t proposed_ms, expires_ms;
    struct cl_digest proposal; /* the message in the log */
    /* Read back only. */
    enum override_state state;
    const char *ended_by; /* NULL while it is proposed */
    int64_t ended_ms;
};

/* STATE_CONFLICT when one is under way for the item. */
CL_MUST_CHECK struct cl_status overrides_propose(struct store_tx *tx, const struct override_row *row);

struct override_end {
    const char *id;
    enum override_state state; /* not PROPOSED */
    const char *by;
    int64_t now_ms;
    const struct cl_digest *message; /* of a confirmation, in the log; NULL with the other states */
};

/* STATE_CONFLICT when it has ended, or two officers are needed and one is not. */
CL_MUST_CHECK struct cl_status overrides_end(struct store_tx *tx, const struct override_end *end);

/* `found_out` says whether there is one; `out` is untouched if not. */
CL_MUST_CHECK struct cl_status overrides_get(bool *found_out, struct override_row *out, struct sql *sql,
                                             struct cl_arena *arena, const char *id);

/* The one under way for an item. */
CL_MUST_CHECK struct cl_status overrides_find(bool *found_out, struct override_row *out, struct sql *sql,
                                              struct cl_arena *arena, const char *application_id, int item,
                                              uint32_t person);

struct override_rows {
    struct override_row *rows;
    size_t count;
};

/* Of one application, oldest first. */
CL_MUST_CHECK struct cl_status overrides_list(struct override_rows *out, struct sql *sql, struct cl_arena *arena,
                                              const char *application_id);

/* Under way, and past their time at `now_ms`; at most OVERRIDES_OF_APPLICATION_MAX. */
CL_MUST_CHECK struct cl_status overrides_due(struct override_rows *out, struct sql *sql, struct cl_arena *arena,
                                             int64_t now_ms);

#endif
