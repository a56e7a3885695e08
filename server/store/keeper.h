/* keeper.h - what a database that is a file needs beside its writer: one process that owns it, its log taken over into
 * the database, and a look at the room that is left on the disk.
 *
 * A database that cares for itself (PostgreSQL) has no keeper: every function takes NULL and does nothing then.
 *
 * Owner: the store. Thread: the writer's, but for keeper_disk_low, which any thread may ask. Fails: while it is made; a
 * failing disk latches the store's health. */
#ifndef COLOAN_STORE_KEEPER_H
#define COLOAN_STORE_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/sql.h"

struct keeper;

struct keeper_options {
    const char *path; /* of the file; read by keeper_create only */
    uint64_t free_bytes_min;
    size_t round_pages;   /* of log, until it is taken over */
    size_t restart_pages; /* of log, until it begins anew */
    int64_t idle_ms;      /* until it is emptied */
    bool by_hand;         /* without a thread: the writer takes the log over itself */
};

/* Owns the file from now on. CONFIG_INVALID when another process does, or its folder cannot be used; MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status keeper_create(struct keeper **out, const struct keeper_options *options);

/* The database is there and migrated; `sql` is the writer's, open until keeper_stop. Takes over what a crash left.
 * STORE_FAILED; MEMORY_LIMIT, SYSTEM. */
CL_MUST_CHECK struct cl_status keeper_start(struct keeper *keeper, struct sql *sql, struct sql_health *health);

/* Ends its thread. Idempotent. */
void keeper_stop(struct keeper *keeper);
/* Stopped, and the database closed: gives the file up. */
void keeper_free(struct keeper *keeper);

/* How long the writer may wait for work before it calls keeper_idle; negative: for ever. */
int64_t keeper_wait_ms(const struct keeper *keeper);

void keeper_after_commit(struct keeper *keeper);
void keeper_idle(struct keeper *keeper);

/* So little room is left that nothing new is to be taken on. */
bool keeper_disk_low(const struct keeper *keeper);

#endif
