/* restore.h - `coloand --restore`: a backup, and what the archive has after it, become a database again, which is then
 * looked at from end to end (verify.h); and `coloand --verify`, which only looks.
 *
 * The database is made under another name and gets its own when it is whole. The calling thread. Says on operate->out what
 * came of it, on operate->err how far it is and what is wrong. */
#ifndef COLOAN_SERVER_RESTORE_H
#define COLOAN_SERVER_RESTORE_H

#include "server/operate.h"

struct restore_options {
    const char *backup;  /* the folder that backup_make made */
    const char *archive; /* folder; NULL: the backup alone */
    const char *to;      /* moment.h; NULL: to the archive's end */
    bool json;           /* the report, for a program */
};

/* CONFIG_INVALID: the backup, the archive or the moment is not right, a database is there already, the server runs, or
 * what came out is not whole; STORE_FAILED, SYSTEM: the disk; MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status restore_make(const struct operate *operate, const struct restore_options *options);

/* CONFIG_INVALID: the database is not whole, or is not there. */
CL_MUST_CHECK struct cl_status restore_verify(const struct operate *operate, bool json);

#endif
