/* documents.h - the documents of applications: named by their digest, uploaded in chunks, kept as sealed pieces.
 *
 * A document grows by appending; once it is complete it never changes. What it holds and how it is sealed is the caller's
 * business: the store counts bytes. An upload whose bytes turn out wrong is dropped and begins a new attempt, so that
 * nobody who still holds the old one can append to it.
 *
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_DOCUMENTS_H
#define COLOAN_STORE_DOCUMENTS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

struct document_row {
    int64_t number; /* the store's own */
    const char *application_id;
    struct cl_digest sha256;
    int64_t size_bytes;
    int64_t received_bytes; /* what is here, from the start without gaps */
    uint32_t attempt;       /* from 1 */
    struct cl_bytes hash;   /* of the unfinished: what the caller needs to go on; empty at its start */
    const char *sender;     /* who began it */
    int64_t changed_ms;
    bool complete;
};

CL_MUST_CHECK struct cl_status documents_get(bool *found_out, struct document_row *out, struct sql *sql,
                                             struct cl_arena *arena, const char *application_id,
                                             const struct cl_digest *sha256);

/* Nothing is here yet; number, received_bytes, attempt, hash and complete are not looked at. STATE_CONFLICT when the
 * application has a document of this digest. */
CL_MUST_CHECK struct cl_status documents_begin(int64_t *number_out, struct store_tx *tx,
                                               const struct document_row *row);

struct document_piece {
    int64_t number;
    uint32_t attempt;
    int64_t offset; /* where it begins: at received_bytes */
    int64_t length; /* how many bytes of the document it holds */
    struct cl_bytes sealed;
    struct cl_bytes hash; /* for the row */
    int64_t at_ms;
};

/* STATE_CONFLICT when the document is complete, is in another attempt, or does not go on there or would get too long. */
CL_MUST_CHECK struct cl_status documents_append(struct store_tx *tx, const struct document_piece *piece);

/* All bytes are here and are right. STATE_CONFLICT when they are not all here, or it was complete. */
CL_MUST_CHECK struct cl_status documents_complete(struct store_tx *tx, int64_t number, int64_t at_ms);

/* Removes the pieces of an unfinished document and begins the next attempt. STATE_CONFLICT when it is complete. */
CL_MUST_CHECK struct cl_status documents_drop(struct store_tx *tx, int64_t number, int64_t at_ms);

/* What a party began and did not finish; what has no byte here yet takes no room and does not count. */
struct documents_unfinished {
    size_t count;
    int64_t size_bytes;    /* announced, together */
    int64_t idlest;        /* number of the one that stands still longest; 0: none */
    int64_t idle_since_ms; /* of that one */
};
CL_MUST_CHECK struct cl_status documents_unfinished(struct documents_unfinished *out, struct sql *sql,
                                                    const char *sender);

/* The sealed piece that begins at `offset`. */
CL_MUST_CHECK struct cl_status documents_read(bool *found_out, struct cl_bytes *sealed_out, struct sql *sql,
                                              struct cl_arena *arena, int64_t number, int64_t offset);

#endif
