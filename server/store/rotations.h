/* rotations.h - key changes that parties asked for, and the key directories that this server issued itself.
 *
 * Both are append-only. Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap).
 * Write functions: the writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_ROTATIONS_H
#define COLOAN_STORE_ROTATIONS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* Rows that one look returns: far more than a centre's parties change in the time a rotation waits. */
#define ROTATIONS_LIST_MAX 1024

struct rotation_row {
    struct cl_digest message; /* the signed request, which is in the message log */
    const char *party;
    struct cl_bytes public_key; /* the new key, 32 bytes */
    int64_t at_ms;              /* accepted */
    struct cl_bytes envelope;   /* read back from the message log; not written here */
};

/* STATE_CONFLICT when some rotation named this public key before. */
CL_MUST_CHECK struct cl_status rotations_add(struct store_tx *tx, const struct rotation_row *row);

struct rotation_rows {
    struct rotation_row *rows;
    size_t count;
};

/* Those accepted at or after `since_ms`, of one party or, for NULL, of all; oldest first. */
CL_MUST_CHECK struct cl_status rotations_list(struct rotation_rows *out, struct sql *sql, struct cl_arena *arena,
                                              const char *party, int64_t since_ms);

/* -- Directories --------------------------------------------------------------------------------------------- */

struct directory_row {
    uint64_t number;
    int64_t issued_ms;
    struct cl_bytes envelope;
};

/* STATE_CONFLICT when there is one of that number. */
CL_MUST_CHECK struct cl_status directories_add(struct store_tx *tx, const struct directory_row *row);

/* The one of the highest number; `out` is untouched when there is none. */
CL_MUST_CHECK struct cl_status directories_newest(bool *found_out, struct directory_row *out, struct sql *sql,
                                                  struct cl_arena *arena);

#endif
