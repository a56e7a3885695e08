/* postgres_dialect.h - the migrations in PostgreSQL's words, so that there is one text of the schema.
 *
 * Takes the narrow language that migrations are written in and refuses everything else, so that nothing gets a meaning
 * that nobody looked at:
 *   CREATE TABLE name (...) STRICT[, WITHOUT ROWID]    columns are INTEGER, TEXT or BLOB
 *   CREATE [UNIQUE] INDEX name ON table (...) [WHERE ...]
 *   CREATE TRIGGER name BEFORE|AFTER DELETE|INSERT|UPDATE [OF ...] ON table [WHEN ...] BEGIN ... END
 *       of SELECT RAISE(ABORT, '...'), INSERT, UPDATE and DELETE
 *   ALTER TABLE name ADD [COLUMN] column ...,  DROP TRIGGER name,  DROP INDEX name
 *   INSERT, UPDATE and DELETE, for what has to move
 * Expressions are copied: they keep to what both engines read the same way (sql.h), and in ON CONFLICT ... DO UPDATE name
 * the table of a column that they read.
 *
 * Pure; any thread. INTERNAL, with a line in the log, for a text that is not of this language: a mistake of ours. */
#ifndef COLOAN_STORE_POSTGRES_DIALECT_H
#define COLOAN_STORE_POSTGRES_DIALECT_H

#include "libcoloan/status.h"

/* What RAISE(ABORT) becomes: a class of our own, so that no error of the server is taken for it. */
#define POSTGRES_REFUSED_BY_TRIGGER "CLN01"

/* `out` is the caller's to free(). MEMORY_LIMIT, INTERNAL. */
CL_MUST_CHECK struct cl_status postgres_translate(char **out, const char *text);

#endif
