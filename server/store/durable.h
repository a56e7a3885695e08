/* durable.h - files that a power cut leaves whole: written to their end, synced, and their names with them; and the lock
 * that says whose a database is.
 *
 * Values only; any thread. Fails: as told, with errno. */
#ifndef COLOAN_STORE_DURABLE_H
#define COLOAN_STORE_DURABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

/* Takes the lock of a database, which the descriptor holds until it is closed: a file of its own beside it, because
 * SQLite's locks on the database would be dropped when our descriptor closes. It is never removed: that would let two
 * processes lock two files of the same name. CONFIG_INVALID: it cannot be made, or another process has it. */
CL_MUST_CHECK struct cl_status durable_own(int *fd_out, const char *database);

/* The folder's entries: the name of `path` among them. SYSTEM when it cannot be opened, STORE_FAILED when not synced. */
CL_MUST_CHECK struct cl_status durable_sync_folder(const char *path);

/* All of it, at that place of the file, or nothing that counts. */
bool durable_write(int fd, struct cl_bytes bytes, int64_t offset);

/* Exactly `len` bytes from there; false also when the file ends before. */
bool durable_read(int fd, uint8_t *out, size_t len, int64_t offset);

#endif
