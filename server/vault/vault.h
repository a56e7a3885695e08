/* vault.h - personal values at rest: encrypted one by one, found by blind index, erased by destroying a key.
 *
 * Each application has a random data key, wrapped by a key derived from the master key; each value is sealed by the
 * data key with XChaCha20-Poly1305 and bound to its table, application, path and version, so that a ciphertext moved to
 * another row does not open. Erasure destroys the wrapped key and the ciphertexts; signed messages, which hold
 * commitments only, still verify.
 *
 * A vault is read-only after vault_attach: any thread. Write functions run on the writer thread. Values that come out
 * live in the caller's arena, which wipes itself. All can fail with the errors of sql.h. */
#ifndef COLOAN_VAULT_VAULT_H
#define COLOAN_VAULT_VAULT_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/limits.h"
#include "server/store/store.h"

#define VAULT_BLIND_BYTES 32

struct vault;

/* Writes a new master key, 64 hex digits, to a file that must not exist, mode 0600. SYSTEM. */
CL_MUST_CHECK struct cl_status vault_key_generate(const char *path);

/* Reads the master key: 32 raw bytes, or 64 hex digits with or without a line end. CONFIG_INVALID when the file is
 * missing, open to others, or holds anything else. */
CL_MUST_CHECK struct cl_status vault_open(struct vault **out, const char *key_path);
void vault_close(struct vault *vault); /* wipes; NULL is fine */

/* At start, once, before anything else here: takes the key of the blind indexes from the database, or makes it in a new
 * one. CONFIG_INVALID when the database belongs to another master key; STATE_CONFLICT when a change of the master key
 * was begun and not finished (rekey.h); VAULT_CORRUPT. */
CL_MUST_CHECK struct cl_status vault_attach(struct vault *vault, struct store_tx *tx);

/* The same for somebody who only reads: nothing is made, and a database without any key yet is VAULT_CORRUPT when it has
 * values. */
CL_MUST_CHECK struct cl_status vault_attach_reader(struct vault *vault, struct sql *sql);

struct vault_value {
    const char *path; /* where the commitment stands, e.g. "persons[0].name" */
    uint8_t salt[CL_DISCLOSURE_SALT_BYTES];
    struct cl_bytes value; /* 1 .. CL_DISCLOSURE_VALUE_BYTES_MAX */
};

struct vault_values {
    struct vault_value *values;
    size_t count;
};

/* A path that has a value gets the new one. STATE_CONFLICT when the application was erased; FIELD_INVALID when a value
 * is empty or too long, or a path or the id is. */
CL_MUST_CHECK struct cl_status vault_put(struct store_tx *tx, const struct vault *vault, const char *application_id,
                                         const struct vault_value *values, size_t count);

/* All values of the application, by path; none when it was erased or never had any. VAULT_CORRUPT when one does not
 * open. */
CL_MUST_CHECK struct cl_status vault_list(struct vault_values *out, struct sql *sql, const struct vault *vault,
                                          struct cl_arena *arena, const char *application_id);

/* The same, and what is kept under other paths goes: from now on these are all values of the application. */
CL_MUST_CHECK struct cl_status vault_replace(struct store_tx *tx, const struct vault *vault, const char *application_id,
                                             const struct vault_value *values, size_t count);

/* -- Larger things, piece by piece --------------------------------------------------------------------------- */

/* By so much a sealed piece is longer than what is in it. */
#define VAULT_SEAL_BYTES 40

/* The data key of one application, held while pieces are sealed or opened. One thread at a time; any one. */
struct vault_box;

/* STATE_CONFLICT when the application was erased or has no values. */
CL_MUST_CHECK struct cl_status vault_box_open(struct vault_box **out, struct sql *sql, const struct vault *vault,
                                              const char *application_id);
void vault_box_free(struct vault_box *box); /* wipes; NULL is fine */

/* What a sealed piece is bound to, besides its application: it opens nowhere else. */
struct vault_piece {
    const char *kind;           /* a word of ours */
    const struct cl_digest *of; /* the whole it belongs to */
    int64_t at;                 /* where in it */
};

/* `out` has room for clear.len + VAULT_SEAL_BYTES, which is what it fills. */
struct cl_bytes vault_box_seal(uint8_t *out, const struct vault_box *box, const struct vault_piece *piece,
                               struct cl_bytes clear);

/* `out` has room for sealed.len. VAULT_CORRUPT. */
CL_MUST_CHECK struct cl_status vault_box_unseal(struct cl_bytes *clear_out, uint8_t *out, const struct vault_box *box,
                                                const struct vault_piece *piece, struct cl_bytes sealed);

/* -- Erasing and finding ------------------------------------------------------------------------------------- */

/* For good: what is sealed in pieces does not open any more either, and later vault_put of this application fails.
 * Harmless when there is nothing. */
CL_MUST_CHECK struct cl_status vault_erase(struct store_tx *tx, const char *application_id);

/* Columns that are looked up; each has its own key, so equal values of two columns do not show. */
enum vault_column { VAULT_ID_NUMBER = 1, VAULT_MOBILE = 2 };

/* The blind index of a value; needs vault_attach. ID numbers are compared with an upper-case X. */
void vault_blind(uint8_t out[VAULT_BLIND_BYTES], const struct vault *vault, enum vault_column column,
                 struct cl_bytes value);

#endif
