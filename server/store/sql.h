/* sql.h - the database driver: prepared statements, values in, columns out, transactions.
 *
 * Two engines stand behind it (engine.h), chosen by the address: `postgresql://...` or `postgres://...` is a PostgreSQL
 * cluster, anything else the path of an SQLite file. There is one text of each statement for both, with $1, $2 ..., in what
 * the two languages share: a table that is read from inside FROM has a name, literals are numbers or plain texts.
 *
 * A connection is used by one thread at a time and owns its statements, which are prepared once and kept. Errors:
 * - STORE_FAILED: the disk, the file or the engine failed. Latched in the health that all connections of one store
 *   share: every later call of any of them fails with it, because what is on disk is not known any more.
 * - STORE_UNREACHABLE: the server cannot be reached, or it gave the transaction up (sql_lost). Nothing is latched. A
 *   connection for reading connects again by itself, at most once in a second. PostgreSQL only.
 * - STATE_CONFLICT: a uniqueness constraint or a trigger refused the statement, which had no effect.
 * - MESSAGE_TOO_LARGE: a value is larger than the engine may take (SQL_VALUE_BYTES_MAX).
 * - INTERNAL: anything else, such as a reference to a row that is not there: a mistake of ours. No effect either. */
#ifndef COLOAN_STORE_SQL_H
#define COLOAN_STORE_SQL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

/* Four messages; nothing stored is larger than one. */
#define SQL_VALUE_BYTES_MAX (1024 * 1024)
#define SQL_PARAMETERS_MAX  64
/* NOTIFY takes 8,000 bytes; the id of a party or an application is all that anybody needs to tell. */
#define SQL_TELL_BYTES_MAX 1000

struct sql;
struct sql_statement;

/* Shared by the connections of one store; lives as long as the last of them. */
struct sql_health {
    atomic_bool failed;
    void (*on_failed)(void *user); /* runs once, on the thread that met the error; NULL: nothing to tell */
    void *user;
    atomic_int_least64_t timeline; /* of the cluster: the newest seen */
};

/* Latches. `code` is the engine's error number, for the log. */
void sql_health_fail(struct sql_health *health, int code);
bool sql_health_failed(const struct sql_health *health);

enum sql_mode {
    SQL_WRITE, /* creates the file if needed */
    SQL_READ,
};

/* `address` is copied. CONFIG_INVALID when an existing file is not ours to use: not a regular file, or open to others; or
 * when the cluster is none to trust decisions to (postgres_cluster.h says what is asked of it). */
CL_MUST_CHECK struct cl_status sql_open(struct sql **out, const char *address, enum sql_mode mode,
                                        struct sql_health *health);

/* Whether an address of a cluster is one to put into a configuration; CONFIG_INVALID, with `why_out` for people, when it
 * cannot be parsed, holds a password, or leads over a network without sslmode=verify-full. A path is always fine. */
CL_MUST_CHECK struct cl_status sql_check_address(const char **why_out, const char *address);

/* Whether the database at that address is a file that this process has to look after. */
bool sql_keeps_file(const char *address);
void sql_close(struct sql *sql); /* NULL is fine */

/* For work that must be nobody else's: from now on this is the only connection for writing, of this process or another.
 * CONFIG_INVALID when it is not. A file is owned by its process anyway (keeper.h). */
CL_MUST_CHECK struct cl_status sql_be_alone(struct sql *sql);

/* -- Statements ---------------------------------------------------------------------------------------------- */

/* The statement of a text that is static: it is kept under the text's address. Borrowed from the connection; it is
 * reset and its values are cleared. */
CL_MUST_CHECK struct cl_status sql_prepare(struct sql_statement **out, struct sql *sql, const char *text);

/* Values by the number of their placeholder. Texts and bytes are borrowed until the statement is finished; a NULL text
 * binds NULL, empty bytes bind an empty value. An error shows at the next step. */
void sql_bind_i64(struct sql_statement *statement, int number, int64_t value);
void sql_bind_text(struct sql_statement *statement, int number, const char *text);
void sql_bind_bytes(struct sql_statement *statement, int number, struct cl_bytes bytes);
void sql_bind_digest(struct sql_statement *statement, int number, const struct cl_digest *digest); /* NULL binds NULL */

/* The next row, if there is one. After the last row, and on failure, the statement is finished. */
CL_MUST_CHECK struct cl_status sql_step(bool *row_out, struct sql_statement *statement);

/* Ends a statement whose rows were not all read. Harmless otherwise. */
void sql_finish(struct sql_statement *statement);

/* Runs to the end; rows are dropped. */
CL_MUST_CHECK struct cl_status sql_run(struct sql_statement *statement);

/* The same for a statement that has to change exactly one row; `otherwise` when it did not. */
CL_MUST_CHECK struct cl_status sql_run_one(struct sql_statement *statement, enum cl_reason otherwise);

/* Rows changed by the last statement that changed some. */
int64_t sql_changes(struct sql *sql);

/* Columns of the current row, from 0; borrowed until the next step. */
int64_t sql_column_i64(struct sql_statement *statement, int column);
const char *sql_column_text(struct sql_statement *statement, int column);      /* NULL: it is null */
struct cl_bytes sql_column_bytes(struct sql_statement *statement, int column); /* empty when null */
bool sql_column_is_null(struct sql_statement *statement, int column);
/* False, and `out` is zeros, when the value is null or not of that size. */
bool sql_column_digest(struct cl_digest *out, struct sql_statement *statement, int column);

/* Copies in the arena; NULL data when null or past the arena's cap, which the arena remembers. */
const char *sql_copy_text(struct cl_arena *arena, struct sql_statement *statement, int column);
struct cl_bytes sql_copy_bytes(struct cl_arena *arena, struct sql_statement *statement, int column);

/* -- Questions with one answer ------------------------------------------------------------------------------- */

/* Prepares a text without values and takes its first row, if there is one: sql_finish ends it then. */
CL_MUST_CHECK struct cl_status sql_ask(struct sql_statement **out, bool *row_out, struct sql *sql, const char *text);

/* The number in its first row; 0: there is none. */
CL_MUST_CHECK struct cl_status sql_ask_number(int64_t *out, struct sql *sql, const char *text);

/* Copies the current row into the caller's struct `out`; untouched on failure. */
typedef struct cl_status sql_reader(void *out, struct sql_statement *statement, struct cl_arena *arena);

/* Steps a statement whose values are bound and reads its first row; the statement is finished then. `found_out` says
 * whether there was one; both outputs are untouched on failure. */
CL_MUST_CHECK struct cl_status sql_find(bool *found_out, void *out, struct sql_statement *statement, sql_reader *read,
                                        struct cl_arena *arena);

/* -- Transactions -------------------------------------------------------------------------------------------- */

/* For writing, at once: nobody else writes until it ends, in this process or another. */
CL_MUST_CHECK struct cl_status sql_begin(struct sql *sql);
CL_MUST_CHECK struct cl_status sql_commit(struct sql *sql);
/* In a transaction whose statements must all succeed: from now to its end a refused one loses it, on a cluster, and none
 * costs a savepoint. */
CL_MUST_CHECK struct cl_status sql_all_or_nothing(struct sql *sql);

void sql_rollback(struct sql *sql); /* harmless outside a transaction */

/* A mark to which a part of the transaction can be undone. Not nested. */
CL_MUST_CHECK struct cl_status sql_mark(struct sql *sql);
CL_MUST_CHECK struct cl_status sql_mark_keep(struct sql *sql);
CL_MUST_CHECK struct cl_status sql_mark_undo(struct sql *sql);

/* Whether the transaction is gone without the health being latched: the server ended it, or cannot be reached. Every
 * statement fails then, until sql_settle. */
bool sql_lost(const struct sql *sql);

/* What became of a lost transaction. But for the first, nothing of it stands, and it may be applied again. */
enum sql_fate {
    SQL_DONE,     /* its COMMIT took place and is durable */
    SQL_GIVEN_UP, /* by the server, which is there: a serialization failure, a limit of time */
    SQL_CUT_OFF,  /* the connection was lost */
};

/* One attempt to get over that: a connection that is up to date, and the certainty what became of the transaction.
 * STORE_UNREACHABLE: not yet; try again. CONFIG_INVALID: what answers there is not to be trusted. */
CL_MUST_CHECK struct cl_status sql_settle(enum sql_fate *out, struct sql *sql);

/* -- Other processes ----------------------------------------------------------------------------------------- */

/* With the commit, told to the other processes of the cluster; nothing on SQLite, which has none. At most
 * SQL_TELL_BYTES_MAX. */
CL_MUST_CHECK struct cl_status sql_tell(struct sql *sql, const char *text);

/* A thread that hears what the others tell, but not what `writer` does; NULL where there are none. "" means that anything
 * may have been missed, as at its start. MEMORY_LIMIT, SYSTEM. */
struct sql_listener;
typedef void sql_heard(void *user, const char *text);
CL_MUST_CHECK struct cl_status sql_listen(struct sql_listener **out, struct sql *writer, sql_heard *heard, void *user);
void sql_listener_free(struct sql_listener *listener); /* NULL is fine */

/* -- Scripts ------------------------------------------------------------------------------------------------- */

/* Several statements of a constant text, without values. */
CL_MUST_CHECK struct cl_status sql_script(struct sql *sql, const char *text);

/* -- Schema -------------------------------------------------------------------------------------------------- */

/* Tables, indexes and triggers, written for SQLite; other engines translate. */
CL_MUST_CHECK struct cl_status sql_define(struct sql *sql, const char *text);

enum sql_claim { SQL_EMPTY, SQL_OURS, SQL_FOREIGN };

/* Whose database it is; an empty one is marked as ours. Inside a transaction. */
CL_MUST_CHECK struct cl_status sql_claim(enum sql_claim *out, struct sql *sql);

/* -- Care ---------------------------------------------------------------------------------------------------- */

/* All but sql_check is for a database that is a file (sql_keeps_file).
 * Pages in the log, of the last commit that wrote; after a checkpoint of this connection those it left. */
size_t sql_log_pages(struct sql *sql);

/* Commits of this connection that added to the log, since it was opened. */
uint64_t sql_log_commits(const struct sql *sql);

/* The log stays when the last connection closes, which would else take it over and remove it. A writer's. STORE_FAILED
 * (latched). */
CL_MUST_CHECK struct cl_status sql_keep_log(struct sql *sql);

/* Takes the log over into the database as far as readers allow; `truncate` also empties its file when nobody reads.
 * Never waits for a reader. */
CL_MUST_CHECK struct cl_status sql_checkpoint(struct sql *sql, bool truncate);

/* A read transaction: until its end this connection sees the database as it is now, and the log is not taken over past
 * that. As sql_script. */
CL_MUST_CHECK struct cl_status sql_hold(struct sql *sql);
void sql_release(struct sql *sql); /* harmless when nothing is held */

/* The engine's full check of what is kept, as far as it has one. STORE_FAILED (latched) when it finds damage. */
CL_MUST_CHECK struct cl_status sql_check(struct sql *sql);

/* -- Copying ------------------------------------------------------------------------------------------------- */

/* A copy of the whole database into a new file, page by page; a page keeps its number. */
struct sql_copy;

/* `source` holds (sql_hold) what is to be copied and is used for nothing else until sql_copy_end. `path` must not exist;
 * the file gets mode 0600 and is not synced. CONFIG_INVALID when it cannot be made, STORE_FAILED, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status sql_copy_begin(struct sql_copy **out, struct sql *source, const char *path);

struct sql_copied {
    bool done;
    size_t pages, pages_left;
};

/* Some pages more. STORE_FAILED (latched in the source's health): one of the two files cannot be read or written. */
CL_MUST_CHECK struct cl_status sql_copy_step(struct sql_copied *out, struct sql_copy *copy, size_t pages);
void sql_copy_end(struct sql_copy *copy); /* closes the file; NULL is fine */

#endif
