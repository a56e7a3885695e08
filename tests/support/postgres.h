/* postgres.h - a PostgreSQL server for tests: a cluster in a temporary folder, reached by a socket there and by nothing else.
 *
 * The folder is in memory where there is such a file system, because every test pays for its fsync, which stays on. The
 * server refuses to run as root; under root it runs as the account that Debian's package makes for it.
 *
 * Whatever cannot be done ends the process with a message: a test without its server shows nothing. */
#ifndef COLOAN_TESTS_POSTGRES_H
#define COLOAN_TESTS_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>

#define POSTGRES_URI_BYTES 256

struct postgres_server {
    char folder[64];
    unsigned
        port; /* names the socket: several servers share no folder, but standbys and proxies tell them apart by it */
};

/* Makes the cluster and starts it; `settings` are lines of postgresql.conf, "" for none. */
void postgres_server_create(struct postgres_server *server, const char *settings);
/* The base backup of another, started as its standby; `name` is what synchronous_standby_names calls it. */
void postgres_server_follow(struct postgres_server *server, const struct postgres_server *primary, const char *name);
void postgres_server_remove(struct postgres_server *server); /* stops it and removes its folder */

void postgres_server_start(const struct postgres_server *server);
/* `mode` as of pg_ctl: "fast" or "immediate", which is a crash. */
void postgres_server_stop(const struct postgres_server *server, const char *mode);
void postgres_server_promote(const struct postgres_server *server);
/* Lines of postgresql.conf that hold from now on. */
void postgres_server_set(const struct postgres_server *server, const char *settings);

/* The superuser's address of a database. */
void postgres_server_uri(char out[POSTGRES_URI_BYTES], const struct postgres_server *server, const char *database);

/* A database of its own, with a name that no other test has; `uri` is its address. It has what tests use of SQLite's
 * own language, zeroblob(), instr() and BLOB, so that they need no second text. */
void postgres_database_create(char uri[POSTGRES_URI_BYTES], const struct postgres_server *server);
void postgres_database_drop(const char *uri);

/* Runs statements as the superuser; the first column of the first row of the last one as a number, or -1. */
long postgres_run(const char *uri, const char *text);

/* The server that ctest started for all tests: false when this test is not one of those that use it. */
bool postgres_server_shared(struct postgres_server *server);

#endif
