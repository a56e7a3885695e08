/* archive.h - copies the store's log into an archive (segment.h), commit by commit, beside the writer: so the database can
 * be made again as it was at any moment.
 *
 * What is in the log and not yet durable in the archive must not be lost when the log begins anew. So while there is such
 * a thing the archive holds a read transaction on the log, which SQLite does not begin anew under a reader; the writer
 * asks before it lets the log go. The archive never keeps the writer from deciding: a disk that does not take it makes the
 * log longer, up to a bound; then the line breaks with an alarm, and when the disk works again another line begins, for
 * which a new backup is needed.
 *
 * A thread with its own files. Owner: the store; unless it says otherwise, what stands here is called by its writer, or by
 * its opener before there is one. NULL stands for no archive everywhere. Fails: making, when the folder is not ours to
 * use. */
#ifndef COLOAN_STORE_ARCHIVE_H
#define COLOAN_STORE_ARCHIVE_H

#include "libcoloan/clock.h"
#include "server/store/segment.h"
#include "server/store/sql.h"

/* 1 GiB of log waits for a disk that does not take the archive: some minutes under full load, a weekend's night without. */
#define ARCHIVE_FRAMES_DEFAULT 262144

struct archive;

/* After a line broke, until another is tried: its disk may need a person. */
#define ARCHIVE_ANEW_MS_DEFAULT 10000

struct archive_options {
    const char *folder;    /* exists; nobody else writes there */
    const char *database;  /* open by a writer, and not taken over since */
    size_t frames_max;     /* of the log that may wait, until the line breaks; 0: ARCHIVE_FRAMES_DEFAULT */
    int64_t anew_ms;       /* 0: ARCHIVE_ANEW_MS_DEFAULT */
    int64_t segment_bytes; /* 0: SEGMENT_BYTES_DEFAULT */
    const struct cl_clock *clock;
};

/* Goes on where the archive ends, with what the log holds; or begins another line, with a warning, when it cannot be shown
 * that nothing is missing in between. CONFIG_INVALID: there is no such folder, it cannot be written to, or another process
 * has it; MEMORY_LIMIT, SYSTEM. */
CL_MUST_CHECK struct cl_status archive_create(struct archive **out, const struct archive_options *options);

/* Copies what is left, if the disk takes it, and ends. What is not there is in the log still, which has to stay then
 * (sql_keep_log): the next start copies it. The writer's connections are open yet. */
void archive_free(struct archive *archive);

/* After each commit of `sql` and before anybody is told of it: its moment is now. */
void archive_committed(struct archive *archive, struct sql *sql);

/* Before a checkpoint that may run beside commits: it may take over all there is, and the log still does not begin anew.
 * False: not now, because the archive does not have the log's beginning yet. */
bool archive_before_round(struct archive *archive);

/* Before a checkpoint after which the log may begin anew: true when all of it is durable in the archive. Waits a little;
 * false: not yet. `emptied`: the database file holds all of the log already. */
bool archive_release(struct archive *archive, bool emptied);

struct archive_stats {
    uint64_t pending;  /* commits that are not durable there yet */
    int64_t oldest_ms; /* the time of the first of them */
    uint64_t breaks;   /* lines that were broken off since the start */
    bool stalled;      /* its disk does not take it */
    bool broken;       /* nothing is archived: the line broke, and no other has begun */
};

/* Any thread. */
void archive_stats(struct archive *archive, struct archive_stats *out);

#endif
