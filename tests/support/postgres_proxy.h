/* postgres_proxy.h - stands between a store and its PostgreSQL server, and does what networks and servers do at the worst
 * moment: around a COMMIT.
 *
 * A thread of its own; listens on a socket beside the server's, under another port. Whatever cannot be done aborts. */
#ifndef COLOAN_TESTS_POSTGRES_PROXY_H
#define COLOAN_TESTS_POSTGRES_PROXY_H

#include "tests/support/postgres.h"

enum postgres_mischief {
    PROXY_PASSES,
    PROXY_CUTS_BEFORE_COMMIT, /* the connection ends, and the server never hears of the COMMIT */
    PROXY_CUTS_AFTER_COMMIT,  /* the server commits, and its answer is lost */
    PROXY_WARNS_ON_COMMIT,    /* a warning comes with the answer */
};

struct postgres_proxy;

struct postgres_proxy *postgres_proxy_start(const struct postgres_server *server);
void postgres_proxy_stop(struct postgres_proxy *proxy);

/* The address of a database through the proxy. */
void postgres_proxy_uri(char out[POSTGRES_URI_BYTES], const struct postgres_proxy *proxy, const char *database_uri);

/* What happens at the next COMMIT, once; those after it pass. */
void postgres_proxy_plan(struct postgres_proxy *proxy, enum postgres_mischief mischief);

#endif
