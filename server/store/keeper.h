/* keeper.h - what a database that is a file needs beside its writer: one process that owns it, its log taken over into
 * the database and copied into an archive (archive.h), and a look at the room that is left on the disk.
 *
 * A database that cares for itself (PostgreSQL) has no keeper: every function takes NULL and does nothing then.
 *
 * Owner: the store. Thread: the writer's, but for keeper_disk_low and keeper_archive_stats, which any thread may ask.
 * Fails: while it is made; a failing disk latches the store's health. */
#ifndef COLOAN_STORE_KEEPER_H
#define COLOAN_STORE_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/archive.h"
#include "server/store/sql.h"

struct keeper;

struct keeper_options {
    const char *path; /* of the file; read by keeper_create only */
    uint64_t free_bytes_min;
    size_t round_pages;             /* of log, until it is taken over */
    size_t restart_pages;           /* of log, until it begins anew */
    int64_t idle_ms;                /* until it is emptied */
    bool by_hand;                   /* without a thread: the writer takes the log over itself */
    struct archive_options archive; /* its folder NULL: none, as by hand; database is the keeper's */
};

/* Owns the file from now on. CONFIG_INVALID when another process does, or its folder cannot be used; MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status keeper_create(struct keeper **out, const struct keeper_options *options);

/* The database is open, and nothing has been written to it: with an archive its log stays until that has it.
 * STORE_FAILED. */
CL_MUST_CHECK struct cl_status keeper_hold_log(const struct keeper *keeper, struct sql *sql);

/* The database is there and migrated; `sql` is the writer's, open until keeper_close. Starts the archive, then takes over
 * what a crash left. CONFIG_INVALID: the archive's folder is not ours to use; STORE_FAILED; MEMORY_LIMIT, SYSTEM. */
CL_MUST_CHECK struct cl_status keeper_start(struct keeper *keeper, struct sql *sql, struct sql_health *health);

/* No more commits: ends its thread, and the log when the archive has it. Idempotent. */
void keeper_stop(struct keeper *keeper);
/* Stops, and ends the archive; the database is open yet, and is closed next. Idempotent. */
void keeper_close(struct keeper *keeper);
/* Closed, and the database, too: gives the file up. */
void keeper_free(struct keeper *keeper);

/* How long the writer may wait for work before it calls keeper_idle; negative: for ever. */
int64_t keeper_wait_ms(const struct keeper *keeper);

void keeper_committed(struct keeper *keeper);    /* before anybody is told of the commit: its moment is now */
void keeper_after_commit(struct keeper *keeper); /* when everybody has been */
void keeper_idle(struct keeper *keeper);

/* So little room is left that nothing new is to be taken on. */
bool keeper_disk_low(const struct keeper *keeper);

/* Until keeper_close; zeros without an archive. */
void keeper_archive_stats(const struct keeper *keeper, struct archive_stats *out);

#endif
