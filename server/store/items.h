/* items.h - the verification items of an application and their results.
 *
 * An item is open until it is settled. A settled one is settled again by officers only: while one of them works on its
 * task, or as two of them signed it (tasks.h, overrides.h); the result that it had stays in the history. Its result is
 * a packed message that the store does not look into.
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_ITEMS_H
#define COLOAN_STORE_ITEMS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* Who settles an item is the caller's number, 1 .. ITEM_OWNERS - 1; 1 is the centre by itself. */
#define ITEM_OWNERS 4

/* coloan.v1.ItemOutcome; 0 is open. */
#define ITEM_OUTCOMES 4

/* For items_list: of every phase. */
#define ITEM_PHASE_ANY 0

struct item_row {
    const char *application_id;
    int phase;       /* coloan.v1.ItemPhase */
    int item;        /* coloan.v1.Item */
    uint32_t person; /* index in the application's persons; 0 for items of the whole case */
    int owner;
    int outcome; /* 0: open; what follows is then 0 and empty */
    int failure;
    int64_t settled_ms, valid_until_ms;
    struct cl_bytes result;
    bool by_person; /* settled again by an officer; read back only */
};

/* Open, or settled at once. STATE_CONFLICT when the application has this item of this person in this
 * phase already. */
CL_MUST_CHECK struct cl_status items_insert(struct store_tx *tx, const struct item_row *row);

/* Writes outcome (not 0), failure, settled_ms, valid_until_ms and result. STATE_CONFLICT when there is no such open
 * item. */
CL_MUST_CHECK struct cl_status items_settle(struct store_tx *tx, const struct item_row *row);

/* Writes all of an item that is there, whatever it was: for what the centre settles by itself and may have to settle
 * anew. STATE_CONFLICT when the application has no such item. */
CL_MUST_CHECK struct cl_status items_replace(struct store_tx *tx, const struct item_row *row);

/* Opens the row's item again, whatever it was settled with; the next answer counts. `reopened_out`: there is one and it
 * was settled. Only what names the item is read. */
CL_MUST_CHECK struct cl_status items_reopen(bool *reopened_out, struct store_tx *tx, const struct item_row *row);
/* Takes away one that applies no more, after a supplement. STATE_CONFLICT when it is not there. */
CL_MUST_CHECK struct cl_status items_remove(struct store_tx *tx, const struct item_row *row);
/* The same for an item that is settled; its owner stays. STATE_CONFLICT when it is not, or no officer may change it. */
CL_MUST_CHECK struct cl_status items_settle_again(struct store_tx *tx, const struct item_row *row);

struct item_rows {
    struct item_row *rows;
    size_t count;
};

/* A row by phase, then item, then person; of one phase, or of all (ITEM_PHASE_ANY). INTERNAL past CL_ITEM_RESULTS_MAX in
 * a phase: the catalogue allows no application that many. */
CL_MUST_CHECK struct cl_status items_list(struct item_rows *out, struct sql *sql, struct cl_arena *arena,
                                          const char *application_id, int phase);

/* Results that an item had before, the newest ITEM_PAST_MAX, oldest first. */
#define ITEM_PAST_MAX 16

struct item_past {
    struct cl_bytes result;
    int64_t settled_ms;
    int64_t replaced_ms; /* 0: the item was opened again */
};

struct item_past_rows {
    struct item_past *rows;
    size_t count;
};

/* Of `item` only what names it is read. What the register says is polled and has no history. */
CL_MUST_CHECK struct cl_status items_past(struct item_past_rows *out, struct sql *sql, struct cl_arena *arena,
                                          const struct item_row *item);

struct item_counts {
    uint32_t total;
    uint32_t by_outcome[ITEM_OUTCOMES]; /* [0]: open */
    uint32_t open_by_owner[ITEM_OWNERS];
    uint32_t by_person; /* settled again by officers */
};

/* Of one phase. */
CL_MUST_CHECK struct cl_status items_count(struct item_counts *out, struct sql *sql, const char *application_id,
                                           int phase);

#endif
