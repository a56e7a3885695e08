/* backup.h - `coloand --backup`: a copy of the database beside the running server, with its manifest.
 *
 * The copy is one snapshot, read page by page through a connection of its own: the writer goes on committing, and its log
 * grows meanwhile. It is made in a folder of its own that gets its name when all in it is durable; what has a name is
 * whole. With an archive the manifest says from which segment on it brings the copy forward.
 *
 * The calling thread. Says on operate->out what was made, on operate->err how far it is and what is wrong. */
#ifndef COLOAN_SERVER_BACKUP_H
#define COLOAN_SERVER_BACKUP_H

#include "server/operate.h"

/* Into a new folder within `folder`. CONFIG_INVALID: the database or the folder is not there; STORE_FAILED, SYSTEM (the
 * disk); MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status backup_make(const struct operate *operate, const char *folder);

#endif
