/* store.h - the one writer: commands are applied in order, many in one transaction, and are answered after its commit.
 *
 * A command belongs to the caller until store_submit succeeded, then to the writer, whose last call on it is done(),
 * which frees it. apply() runs on the writer thread inside a transaction. When it fails, what it wrote is undone, and
 * only that; the commands beside it are not touched. done() runs on the writer thread after the commit, so whatever it
 * answers is durable. It must not block.
 *
 * The first error of disk, file or engine latches: the commands of that transaction, all that are queued and all that
 * come later end with STORE_FAILED, and `failed` runs once. A command that ended so may or may not be durable; the
 * duplicate table tells when its sender sends the same message again. Nothing is answered OK afterwards; the process
 * should end.
 *
 * The database is an SQLite file, which one process owns, or a PostgreSQL cluster, which several share; their batches take
 * turns, so nothing above knows the difference but for one thing: a transaction can be lost there before anybody was
 * answered. Then apply() runs again, after again(); `struct store_command` says what that asks of it. A server that cannot
 * be reached latches only after a minute; until then commands wait.
 *
 * Any thread may submit. A store that is opened `by_hand` has no threads: its caller is the writer, turn by turn, which is
 * how a simulation runs the same code in an order that a seed decides. */
#ifndef COLOAN_STORE_STORE_H
#define COLOAN_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "libcoloan/clock.h"
#include "libcoloan/status.h"
#include "server/store/archive.h"
#include "server/store/sql.h"

/* Commands waiting: a second of work at full speed; more would only be answered too late. */
#define STORE_QUEUE_DEFAULT 4096
/* Commands in one transaction: the fsync is spread thin at 32 already, and a batch must not delay its first. */
#define STORE_BATCH_DEFAULT 128
#define STORE_BATCH_MAX     1024

/* Free space below which nothing new is taken on: room for the log, a checkpoint and an operator, long before the disk
 * is full, which would end the process. */
#define STORE_FREE_BYTES_DEFAULT (UINT64_C(256) * 1024 * 1024)

/* 16 MiB of log: a round of the checkpointer writes each page once, however often it changed, so larger is cheaper. */
#define STORE_ROUND_PAGES_DEFAULT 4096
/* 64 MiB: the log begins anew. For that the writer itself takes over the little that was added during the last round,
 * and everybody waits for the disk; larger makes that rarer, smaller recovers faster. */
#define STORE_RESTART_PAGES_DEFAULT 16384
/* Quiet for this long, the log is emptied: a restart finds nothing to recover, and erased values leave the disk. */
#define STORE_IDLE_MS_DEFAULT 500

struct store;
struct store_tx; /* an open transaction; lives while apply() runs */

/* apply() may run more than once before done(), and only the last run counts. So it changes nothing but what is in the
 * transaction and in its own command, and depends on nothing that an earlier run left there. again() runs before each run but
 * the first, on the writer thread: it frees what the last run made and sets the command back. NULL: apply() sets all it uses
 * anew. */
struct store_command {
    struct cl_status (*apply)(struct store_command *command, struct store_tx *tx);
    void (*done)(struct store_command *command, struct cl_status status);
    void (*again)(struct store_command *command);
};

struct store_options {
    /* Path of the database file, created with mode 0600; its folder exists, on a local disk. Or a URI that starts with
       postgresql:// or postgres://. */
    const char *address;
    size_t queue_max;        /* 0: STORE_QUEUE_DEFAULT */
    size_t batch_max;        /* 0: STORE_BATCH_DEFAULT */
    bool alone;              /* no other process has the database open for writing, or will open it: for a cluster */
    uint64_t free_bytes_min; /* of a file's disk; 0: STORE_FREE_BYTES_DEFAULT */
    size_t round_pages;      /* of a file's log, until it is taken over; 0: STORE_ROUND_PAGES_DEFAULT */
    size_t restart_pages;    /* of it, until it begins anew; 0: STORE_RESTART_PAGES_DEFAULT */
    int64_t idle_ms;         /* until it is emptied; 0: STORE_IDLE_MS_DEFAULT */
    struct archive_options archive; /* of a file, not by hand; its folder NULL: none; database and clock are ours */
    const struct cl_clock *clock;   /* outlives the store; stamps migrations, and commits in the archive */
    bool by_hand;                   /* the caller lets it work, by store_turn; for simulations */
    void (*committed)(void *user);  /* writer thread, once after each commit and its done()s; NULL is fine */
    /* What another process on the cluster told by store_tell; "": anything may have been missed. On a thread of the store's,
       which it must not hold up; runs from store_open on, until store_stop. NULL is fine. */
    void (*heard)(void *user, const char *text);
    void (*failed)(void *user); /* once, on the thread that met the error; NULL is fine. Must not block */
    void *user;
};

/* Opens, migrates and starts the writer. CONFIG_INVALID when the file is not ours to use (see schema.h, sql.h) or
 * another process owns it, or the archive's folder is not ours to use, or the database is none that can have an archive;
 * STORE_FAILED, STORE_UNREACHABLE, MEMORY_LIMIT, SYSTEM. */
CL_MUST_CHECK struct cl_status store_open(struct store **out, const struct store_options *options);

/* By hand only: one turn of the writer, which takes a batch of what is queued, or, when nothing is, cares for the file as
 * it does when idle. False when nothing was queued. */
bool store_turn(struct store *store);

/* No new commands; those queued are applied and answered; the writer and the
 * checkpointer end. Idempotent. Not from the writer thread. */
void store_stop(struct store *store);
/* Stops first. All readers are closed by then. NULL is fine. */
void store_close(struct store *store);

/* Transactions committed since it was opened: how many requests one fsync paid for. Any thread. */
uint64_t store_commits(const struct store *store);

/* How far the archive is behind; zeros without one. Any thread. */
void store_archive_stats(const struct store *store, struct archive_stats *out);

bool store_failed(const struct store *store);

/* OVERLOADED when the queue is full or the disk nearly, SHUTTING_DOWN or STORE_FAILED; the caller still owns the
 * command then. */
CL_MUST_CHECK struct cl_status store_submit(struct store *store, struct store_command *command);

/* Submits and waits for the end, by hand takes turns until then: for start-up, tools and tests. Not from the writer
 * thread. `apply` may run again, as that of a command without again(). */
CL_MUST_CHECK struct cl_status store_run(struct store *store,
                                         struct cl_status (*apply)(void *user, struct store_tx *tx), void *user);

/* What the read functions of the record modules take. Inside apply() it sees what this transaction wrote. */
struct sql *store_tx_sql(struct store_tx *tx);

/* Told to the other processes on the cluster if and when the transaction commits, to their `heard`; nobody on SQLite. At most
 * SQL_TELL_BYTES_MAX. */
CL_MUST_CHECK struct cl_status store_tell(struct store_tx *tx, const char *text);

/* A read-only connection for one other thread; it sees committed rows only. Close it with sql_close before
 * store_close. */
CL_MUST_CHECK struct cl_status store_reader_open(struct sql **out, struct store *store);

/* Full check of what is kept, on the writer thread. STORE_FAILED (latched) on damage. */
CL_MUST_CHECK struct cl_status store_check(struct store *store);

#endif
