/* postgres_listener.h - hears what the other nodes of a cluster tell (sql_tell), on a connection of its own.
 *
 * A thread that connects again whenever it has to, and then says "": anything may have been missed. `heard` runs on it and
 * must not block for long; the text is valid until it returns. What the own node told is left out.
 *
 * Owner: whoever made it. Fails: while it is made. Private to the PostgreSQL engine. */
#ifndef COLOAN_STORE_POSTGRES_LISTENER_H
#define COLOAN_STORE_POSTGRES_LISTENER_H

#include "libcoloan/status.h"
#include "server/store/sql.h"

#define POSTGRES_CHANNEL        "coloan"
#define POSTGRES_NODE_HEX_BYTES 33 /* of a node's id, with its NUL; what is told begins with it and a blank */

/* `address` and `node` are copied. MEMORY_LIMIT, SYSTEM. */
CL_MUST_CHECK struct cl_status postgres_listener_create(struct sql_listener **out, const char *address,
                                                        const char node[POSTGRES_NODE_HEX_BYTES], sql_heard *heard,
                                                        void *user);
void postgres_listener_free(struct sql_listener *listener);

#endif
