/* sessions.h - in which order a recipient's Deliver streams were opened, wherever they were: the newest fences the others.
 *
 * The writer thread, but where said. Can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_SESSIONS_H
#define COLOAN_STORE_SESSIONS_H

#include "server/store/store.h"

/* The number of the recipient's newest stream; 0: it never had one. Any thread with a connection of its own. */
CL_MUST_CHECK struct cl_status sessions_newest(uint64_t *number_out, struct sql *sql, const char *recipient);

/* The recipient's next number, from 1. */
CL_MUST_CHECK struct cl_status sessions_open(uint64_t *number_out, struct store_tx *tx, const char *recipient);

#endif
