/* operate.h - what an operator does with coloand's data while it is down, or beside it: one command each.
 *
 * Says on `out` what was done and on `err` what is wrong and what to do. The calling thread. */
#ifndef COLOAN_SERVER_OPERATE_H
#define COLOAN_SERVER_OPERATE_H

#include <stdio.h>

#include "libcoloan/clock.h"
#include "server/config.h"

struct operate {
    const struct config *config;
    const struct cl_clock *clock;
    FILE *out, *err;
};

/* CONFIG_INVALID, and was said, when the database is a cluster, for which `command` is not made but `tool`. */
CL_MUST_CHECK struct cl_status operate_needs_file(const struct operate *operate, const char *command, const char *tool);

/* Writes the key rotations that wait for the next directory into the folder, one file each, for `coloan keys issue`.
 * Reads only; the server may run. KEY_* and file errors were said. */
CL_MUST_CHECK struct cl_status operate_export_rotations(const struct operate *operate, const char *folder);

/* Destroys the personal values of an application that has ended, for good. The server must not run.
 * APPLICATION_UNKNOWN, STATE_CONFLICT (it has not ended), CONFIG_INVALID (the server runs). */
CL_MUST_CHECK struct cl_status operate_erase(const struct operate *operate, const char *application_id);

/* Wraps everything anew under the master key of that file, or goes on with that. The server must not run. As
 * vault_rekey_step, and CONFIG_INVALID. */
CL_MUST_CHECK struct cl_status operate_rekey_vault(const struct operate *operate, const char *new_key);

/* Moves everything into the empty database of that address, a cluster's, and says each table with its rows and its digest,
 * which was found the same on both sides. The server must not run. As store_move. */
CL_MUST_CHECK struct cl_status operate_move(const struct operate *operate, const char *address);

#endif
