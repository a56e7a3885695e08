/* documents.h - a document that an application names, taken in chunk by chunk.
 *
 * Only what the application names by its digest is taken: one of its documents, or the letter of one of its consents.
 * Chunks are sealed with the application's data key and follow each other; the digest so far is kept, sealed, beside
 * them, so that an upload goes on where it was cut - by a lost connection or a restart - without reading anything back.
 * When all bytes are here their digest has to be the announced one, or they are dropped.
 *
 * A document_upload belongs to one stream and is used by one thread at a time: by a poll thread for document_check and
 * document_seal, which do what is slow, and by the writer for document_take. After a failure the stream has to end. */
#ifndef COLOAN_CASES_DOCUMENTS_H
#define COLOAN_CASES_DOCUMENTS_H

#include "libcoloan/sha256.h"
#include "server/cases/file.h"
#include "server/store/documents.h"

struct document_upload {
    bool named; /* by its first chunk; the three after it hold then */
    char application_id[CL_UUID_TEXT_BYTES];
    struct cl_digest sha256;
    int64_t size_bytes;

    bool open; /* the writer has found it; what follows holds then */
    int64_t number;
    uint32_t attempt;
    int64_t received_bytes;
    bool complete;
    struct cl_sha256 hash; /* of what is here */
    struct vault_box *box;
};

void document_upload_close(struct document_upload *upload); /* wipes; harmless on one that is all zero */

/* Back to what it was before document_take, whose transaction was lost. `before` is a plain copy. */
void document_upload_go_back(struct document_upload *upload, const struct document_upload *before);

/* Whether a chunk is one, and of the document that the first one named. FIELD_MISSING, FIELD_INVALID, DOCUMENT_OFFSET,
 * with the field. */
CL_MUST_CHECK struct cl_status document_check(struct field_path *path_out, struct document_upload *upload,
                                              const char *application_id, const Coloan__V1__DocumentChunk *chunk);

/* Hashes and seals a checked chunk with data, which begins at upload->received_bytes of an open upload. In the arena. */
CL_MUST_CHECK struct cl_status document_seal(struct document_piece *out, struct document_upload *upload,
                                             struct cl_arena *arena, const Coloan__V1__DocumentChunk *chunk);

/* What came of a chunk: nothing yet, all bytes are here, or all bytes were here and were wrong. */
enum document_taken { DOCUMENT_GOES_ON, DOCUMENT_COMPLETE, DOCUMENT_DROPPED };

/* Takes a checked chunk in. `piece` is its sealed form; NULL for the first of a stream, which is sealed here, and for one
 * without data. A document that is complete already is DOCUMENT_COMPLETE, whatever the chunk holds. APPLICATION_UNKNOWN,
 * DOCUMENT_UNKNOWN, DOCUMENT_SIZE, DOCUMENT_OFFSET, UPLOADS_UNFINISHED, STATE_CONFLICT (erased). */
CL_MUST_CHECK struct cl_status document_take(enum document_taken *taken_out, struct case_tx *tx,
                                             struct document_upload *upload, const char *sender,
                                             const Coloan__V1__DocumentChunk *chunk,
                                             const struct document_piece *piece);

/* What is durable now. */
CL_MUST_CHECK struct cl_status document_receipt(Coloan__V1__DocumentReceipt **out, struct case_tx *tx,
                                                const struct document_upload *upload);

/* The bytes of a complete document from `offset`, a multiple of CL_DOCUMENT_CHUNK_BYTES: one chunk of them, in the arena.
 * DOCUMENT_UNKNOWN when there is no such complete document or it is shorter, VAULT_CORRUPT. Any connection. */
CL_MUST_CHECK struct cl_status document_read(struct cl_bytes *out, struct cl_arena *arena, struct sql *sql,
                                             const struct vault *vault, const char *application_id,
                                             const struct cl_digest *sha256, int64_t offset);

#endif
