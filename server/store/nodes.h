/* nodes.h - who of several servers on one cluster is alive, and for which applications each asks the authorities, so that
 * two do not ask the same.
 *
 * A claim counts as long as its node is seen now and then; that of a node that died is everybody's after NODES_SILENCE_MS.
 * Write functions: the writer thread; all can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_NODES_H
#define COLOAN_STORE_NODES_H

#include "server/store/store.h"

#define NODE_BYTES 33 /* 32 hex digits and NUL */

/* Five times the usual pause between two signs of life. */
#define NODES_SILENCE_MS (10 * 1000)

CL_MUST_CHECK struct cl_status nodes_seen(struct store_tx *tx, const char *node, int64_t now_ms);

/* It stops in good order: what it claimed is everybody's at once. */
CL_MUST_CHECK struct cl_status nodes_gone(struct store_tx *tx, const char *node);

/* The application's questions are being asked by this node from now on; another's claim goes. */
CL_MUST_CHECK struct cl_status nodes_claim(struct store_tx *tx, const char *node, const char *application_id);

/* They are answered, or given up; without effect on another's. */
CL_MUST_CHECK struct cl_status nodes_release(struct store_tx *tx, const char *node, const char *application_id);

/* Whether another node that is alive asks them. */
CL_MUST_CHECK struct cl_status nodes_elsewhere(bool *out, struct sql *sql, const char *node, const char *application_id,
                                               int64_t now_ms);

#endif
