/* move.h - everything from one database into another, and the proof that it arrived: for a centre that grows from a file to
 * a cluster.
 *
 * One transaction on the target: all rows, table by table, then a digest of each table on both sides, over its rows in the
 * order of their keys and made from the values, not from how an engine keeps them. Any difference, and any death on the way,
 * leaves the target empty. The source is not changed.
 *
 * Nobody else has either database open meanwhile. Blocks its caller; any thread. */
#ifndef COLOAN_STORE_MOVE_H
#define COLOAN_STORE_MOVE_H

#include "libcoloan/clock.h"
#include "server/store/sql.h"

/* Runs for each table, after it was found the same on both sides. */
typedef void move_report(void *user, const char *table, int64_t rows, const struct cl_digest *digest);

/* CONFIG_INVALID: a database is in use, not ours or, the target, not empty; or the target is no cluster. STATE_CONFLICT: the
 * sides differ; the log names the table. STORE_FAILED, STORE_UNREACHABLE, MEMORY_LIMIT, INTERNAL. */
CL_MUST_CHECK struct cl_status store_move(const char *from, const char *to, const struct cl_clock *clock,
                                          move_report *report, void *user);

#endif
