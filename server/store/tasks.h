/* tasks.h - what of an application needs a person: opened when it arises, claimed by an officer for a while, ended once.
 *
 * There is at most one open task for each (application, kind, item, person). Numbers and codes are the caller's.
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_TASKS_H
#define COLOAN_STORE_TASKS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* coloan.v1.TaskKind; 0 is none. */
#define TASK_KINDS 8

/* Open tasks of one application: one for each item of each person, and a handful of the other kinds. */
#define TASKS_OF_APPLICATION_MAX 80

enum task_ending {
    TASK_IS_OPEN = 0,
    TASK_SETTLED = 1,   /* an officer did what it asked for */
    TASK_OVERTAKEN = 2, /* the case needs it no longer */
};

struct task_row {
    const char *id; /* UUIDv7 text */
    const char *application_id;
    int kind;
    int item;        /* coloan.v1.Item; 0: of the whole case */
    uint32_t person; /* index in the application's persons */
    const char *reason, *authority, *detail;
    int failure;
    int64_t opened_ms, deadline_ms;
    /* Read back only. */
    const char *claimed_by; /* NULL: nobody */
    int64_t claimed_ms, claimed_until_ms;
    enum task_ending ending;
    int64_t ended_ms;
    const char *ended_by; /* party id; NULL while it is open */
};

/* Opens it; when the same is open already, that one stays and `opened_out` (NULL is fine) is false. */
CL_MUST_CHECK struct cl_status tasks_open(bool *opened_out, struct store_tx *tx, const struct task_row *row);

/* Ends an open task; what is not open is left alone. `ending` is not TASK_IS_OPEN. */
CL_MUST_CHECK struct cl_status tasks_end(struct store_tx *tx, const char *id, enum task_ending ending, const char *by,
                                         int64_t now_ms);

/* Takes an open task that nobody else holds now; the holder takes it anew. `claimed_out` says whether it did. */
struct task_claim {
    const char *id, *officer;
    int64_t now_ms, until_ms;
};
CL_MUST_CHECK struct cl_status tasks_claim(bool *claimed_out, struct store_tx *tx, const struct task_claim *claim);

/* Gives back what the officer holds at `now_ms` (`until_ms` is not read); `released_out` says whether that was so. */
CL_MUST_CHECK struct cl_status tasks_release(bool *released_out, struct store_tx *tx, const struct task_claim *claim);

/* `found_out` says whether there is one; `out` is untouched if not. */
CL_MUST_CHECK struct cl_status tasks_get(bool *found_out, struct task_row *out, struct sql *sql, struct cl_arena *arena,
                                         const char *id);

struct task_filter {
    const char *application_id; /* its tasks, ended ones among them; NULL: the open ones of all */
    const char *claimed_by;     /* only what this officer holds at now_ms; NULL: whoever holds it */
    bool unclaimed;             /* only what nobody holds at now_ms */
    int kind;                   /* 0: all */
    int64_t now_ms;
    int64_t after_deadline_ms;
    const char *after_id; /* of the last row of the page before; NULL: the first page */
    size_t limit;         /* 1 .. CL_LIST_PAGE_MAX + 1, so that a caller can see that there is more */
};

struct task_rows {
    struct task_row *rows;
    size_t count;
};

/* The most urgent first, by (deadline_ms, id). */
CL_MUST_CHECK struct cl_status tasks_list(struct task_rows *out, struct sql *sql, struct cl_arena *arena,
                                          const struct task_filter *filter);

/* The open ones of one application. INTERNAL past TASKS_OF_APPLICATION_MAX. */
CL_MUST_CHECK struct cl_status tasks_open_of(struct task_rows *out, struct sql *sql, struct cl_arena *arena,
                                             const char *application_id);

/* How many are open, by kind. */
CL_MUST_CHECK struct cl_status tasks_count(int64_t out[TASK_KINDS], struct sql *sql);

#endif
