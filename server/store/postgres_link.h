/* postgres_link.h - one connection to the primary of a PostgreSQL cluster: opened as we need it, asked with a limit on every
 * wait, and every failure sorted into what can be done about it.
 *
 * Owner: whoever opened it. Thread: one at a time. Private to the files of the PostgreSQL engine, which are the only ones
 * that know libpq; its result stays hidden here. Fails as each function says. */
#ifndef COLOAN_STORE_POSTGRES_LINK_H
#define COLOAN_STORE_POSTGRES_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"
#include "server/store/sql.h"

/* How long a session waits for a lock: for the turn to write, longer than any batch of another node may take. */
#define POSTGRES_LOCK_TIMEOUT "25s"

struct pg_result; /* libpq's PGresult */
struct postgres_link;

/* What a request came to. */
enum postgres_outcome {
    POSTGRES_DONE,
    POSTGRES_CONFLICT, /* a uniqueness constraint or a trigger refused it */
    POSTGRES_MISTAKE,  /* ours; see the log */
    POSTGRES_SKIPPED,  /* one before it in the same exchange failed */
    POSTGRES_AGAIN,    /* the server gave the transaction up; the link is good */
    POSTGRES_GONE,     /* the link is not good any more; whether it was done is not known */
    POSTGRES_FATAL,    /* disk, file or data of the server failed */
};

/* An address is checked before it is used, also by whoever reads a configuration: CONFIG_INVALID, with `why_out` for people,
 * when it cannot be parsed, holds a password, or leads over a network without sslmode=verify-full. */
CL_MUST_CHECK struct cl_status postgres_link_check(const char **why_out, const char *address);

/* Connects and sets the session up. Of several hosts it begins with number `first`, counted round: libpq would always begin
 * with the first one of the address, also when that is a primary that was refused. CONFIG_INVALID when postgres_link_check says so; STORE_UNREACHABLE, with a line in the
 * log, when no host of the address is a primary that takes us; MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status postgres_link_open(struct postgres_link **out, const char *address, enum sql_mode mode,
                                                  unsigned first);
void postgres_link_close(struct postgres_link *link); /* NULL is fine */

/* Whether the server sent a warning since postgres_link_clear: on COMMIT that means it is not as durable as it should be. */
bool postgres_link_warned(const struct postgres_link *link);
void postgres_link_clear(struct postgres_link *link);

/* Whether the server is in a transaction of this connection, failed or not. */
bool postgres_link_in_transaction(const struct postgres_link *link);

/* -- Asking -------------------------------------------------------------------------------------------------- */

/* What a value is sent as; the numbers are the server's own (pg_type). */
enum postgres_type { POSTGRES_UNKNOWN = 0, POSTGRES_BYTEA = 17, POSTGRES_INT8 = 20, POSTGRES_TEXT = 25 };

struct postgres_values {
    int count;
    enum postgres_type types[SQL_PARAMETERS_MAX];
    const char *data[SQL_PARAMETERS_MAX]; /* NULL: null */
    int lengths[SQL_PARAMETERS_MAX];
};

struct postgres_request {
    enum { POSTGRES_TEXT_NOW, POSTGRES_PREPARE, POSTGRES_PREPARED } kind;
    const char *name;                     /* of the prepared statement */
    const char *text;                     /* one statement */
    const struct postgres_values *values; /* NULL: none */
};

#define POSTGRES_EXCHANGE_MAX 4

/* Sends all requests at once and waits for all answers, which are the caller's to free with postgres_result_free, whatever
 * the outcomes. The first that fails leaves those behind it skipped. Returns the first outcome that is not DONE, or DONE. */
enum postgres_outcome postgres_link_exchange(struct pg_result *results_out[], struct postgres_link *link,
                                             const struct postgres_request *requests, size_t count);

/* Several statements without values, in the simple protocol; what they answer is dropped. */
enum postgres_outcome postgres_link_script(struct postgres_link *link, const char *text);

/* Waits up to `wait_ms` for something told on a channel that was listened to. GONE when the link is; else DONE, and
 * `*out` is NULL or a text that is the caller's to free(). */
enum postgres_outcome postgres_link_hear(char **out, struct postgres_link *link, int wait_ms);

/* -- Answers ------------------------------------------------------------------------------------------------- */

void postgres_result_free(struct pg_result *result);          /* NULL is fine */
bool postgres_result_is_good(const struct pg_result *result); /* false for NULL */
int postgres_result_rows(const struct pg_result *result);
int64_t postgres_result_changes(struct pg_result *result);
bool postgres_result_is_null(const struct pg_result *result, int row, int column);
int64_t postgres_result_i64(const struct pg_result *result, int row, int column); /* 0 for null */
const char *postgres_result_text(const struct pg_result *result, int row, int column);
struct cl_bytes postgres_result_bytes(const struct pg_result *result, int row, int column);

#endif
