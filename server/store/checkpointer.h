/* checkpointer.h - takes the log over into the database beside the writer, which goes on committing meanwhile: writing
 * sixteen MiB of pages and waiting for the disk would keep everybody waiting who is behind it.
 *
 * A thread with a connection of its own. Owner: the store; its writer is the only caller. Fails: making; a failing disk
 * latches the store's health. */
#ifndef COLOAN_STORE_CHECKPOINTER_H
#define COLOAN_STORE_CHECKPOINTER_H

#include <stdbool.h>

#include "server/store/sql.h"

struct checkpointer;

/* The database is there and migrated. CONFIG_INVALID, STORE_FAILED, MEMORY_LIMIT as sql_open; SYSTEM. */
CL_MUST_CHECK struct cl_status checkpointer_create(struct checkpointer **out, const char *path,
                                                   struct sql_health *health);

/* Waits for a round under way. NULL is fine. */
void checkpointer_free(struct checkpointer *checkpointer);

/* Begins a round: what is in the log now is taken over as far as readers allow. None may be under way, and the log holds
 * frames that were just committed: SQLite before 3.51.3 may lose pages when a round begins on a log that is wholly taken
 * over while the writer begins it anew. */
void checkpointer_begin(struct checkpointer *checkpointer);
bool checkpointer_busy(struct checkpointer *checkpointer);

#endif
