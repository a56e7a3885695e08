/* postgres_cluster.h - whether a PostgreSQL cluster is one to trust decisions to: looked at by every connection that is to
 * write, since after a failover another server answers.
 *
 * Refused, each with a log line that says what to do: a server older than 15, an encoding other than UTF8, fsync or
 * full_page_writes off, a synchronous_commit that does not wait for the disk, and a timeline older than one this process
 * has seen, which is that of a primary that was replaced. Warned of: no checksums, no synchronous standby, few connections.
 *
 * Thread: the connection's. Private to the PostgreSQL engine. */
#ifndef COLOAN_STORE_POSTGRES_CLUSTER_H
#define COLOAN_STORE_POSTGRES_CLUSTER_H

#include "server/store/postgres_link.h"

/* CONFIG_INVALID: refused. STORE_UNREACHABLE: it did not answer. Warnings only when `warn`. */
CL_MUST_CHECK struct cl_status postgres_cluster_check(struct postgres_link *link, struct sql_health *health, bool warn);

#endif
