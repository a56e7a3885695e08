/* schema.h - brings a database to the schema of this program.
 *
 * The migrations are the numbered files in migrations/, built into the program. Those that are missing are applied in
 * order, each in a transaction of its own together with its row (number, digest of the text) in table `migrations`. They
 * are written for SQLite; other engines translate them (sql_define).
 *
 * Processes that start at once on one cluster take turns, and the first one migrates.
 *
 * Fails with CONFIG_INVALID when the database is another program's, when a newer program has migrated it, or when an
 * applied migration is not the one this program knows; no table is changed then. */
#ifndef COLOAN_STORE_SCHEMA_H
#define COLOAN_STORE_SCHEMA_H

#include <stddef.h>

#include "server/store/sql.h"

struct schema_migration {
    int number; /* from 1, without gaps */
    const char *name;
    const char *text;
};

/* The program's own. */
extern const struct schema_migration schema_migrations[];
extern const size_t schema_migration_count;

CL_MUST_CHECK struct cl_status schema_migrate(struct sql *sql, const struct schema_migration *migrations, size_t count,
                                              int64_t now_ms);

#endif
