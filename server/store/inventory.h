/* inventory.h - what a database holds, counted: for the paper that travels with a backup and for an operator's reports.
 *
 * Any connection, whose read transaction makes the numbers belong together; the texts live in `arena` (MEMORY_LIMIT past
 * its cap). All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_INVENTORY_H
#define COLOAN_STORE_INVENTORY_H

#include "libcoloan/arena.h"
#include "server/store/sql.h"

struct inventory_table {
    const char *name;
    int64_t rows;
};

struct inventory_head {
    const char *recipient;
    uint64_t head; /* of its outbox */
};

struct inventory {
    const struct inventory_table *tables; /* every table of ours */
    size_t table_count;
    const struct inventory_head *heads; /* by recipient */
    size_t head_count;
    int64_t newest_message_ms; /* accepted or made; 0: there is none */
    int64_t migration;         /* the last one applied */
};

CL_MUST_CHECK struct cl_status inventory_take(struct inventory *out, struct sql *sql, struct cl_arena *arena);

#endif
