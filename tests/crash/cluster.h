/* cluster.h - a PostgreSQL cluster of two under Patroni and etcd, as demo/cluster makes it, for campaigns.
 *
 * Owner: whoever made it stops it; its data are under /tmp, its logs in the folder that was named. One thread. Fails: a
 * function says false, and the script said why on standard error. gRPC may be in use: nothing is forked, only spawned. */
#ifndef COLOAN_TESTS_CRASH_CLUSTER_H
#define COLOAN_TESTS_CRASH_CLUSTER_H

#include <stdbool.h>

#define CLUSTER_WORD_BYTES 256

struct cluster {
    char folder[128];
    char address[CLUSTER_WORD_BYTES]; /* of the store */
};

/* Whether all is there that a cluster takes. */
bool cluster_is_possible(bool hosts);

/* With `hosts` each node and etcd is on a host of its own, a network namespace: for root. */
bool cluster_start(struct cluster *out, const char *folder, bool hosts);
void cluster_stop(const struct cluster *cluster);

/* 'a' or 'b'; '\0': nobody leads, or follows synchronously. */
char cluster_primary(const struct cluster *cluster);
char cluster_standby(const struct cluster *cluster);

/* "kill", "crash", "revive", "pause", "resume", "heal" of a node; `peer`: NULL, or from whom "cut" cuts it off. */
bool cluster_do(const struct cluster *cluster, const char *what, char node, const char *peer);

/* Waits until one leads and the other follows. */
bool cluster_settle(const struct cluster *cluster);

#endif
