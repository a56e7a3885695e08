/* segment.h - the files of the archive: what the store's log held, transaction by transaction, each with the time of its
 * commit, so that the database can be made again as it was at any of them.
 *
 * An archive is a folder of segments, numbered from 1 without gaps. A segment is a header and records; a record ends with a
 * SHA-256 over the one before it and itself, and a segment's header holds the last digest of the segment before: so
 * nothing can be left out or put in between unseen. Of a frame the digest takes the header, with the checksum that SQLite
 * runs through all pages of a generation: hashing the pages as well would double what the archive costs, and what stands
 * in them is signed. A line is a run of segments without a break: what a backup was made on can be gone on from along its
 * own line only.
 *
 *   generation  the log begins anew: its file's header
 *   commit      one transaction: time, and its frames as they stand in the log
 *   release     the log is here as a whole and may begin anew; when the database file holds it all, its size and time
 *   end         nothing comes behind it; the next segment goes on
 *
 * Numbers are big-endian. What is inside the frames is as the database has it: personal values sealed. Files have mode
 * 0600.
 *
 * Owner: whoever opened a reader or a writer closes it. One thread at a time. Fails: as told, with errno. */
#ifndef COLOAN_STORE_SEGMENT_H
#define COLOAN_STORE_SEGMENT_H

#include <stdio.h>

#include "libcoloan/sha256.h"
#include "libcoloan/status.h"
#include "server/store/walfile.h"

/* What one file grows to before the next is begun: a second's copying to another machine. */
#define SEGMENT_BYTES_DEFAULT (INT64_C(64) * 1024 * 1024)

#define SEGMENT_PATH_BYTES_MAX 4096

/* The database file when it held all of the log: whether somebody else changed it since. */
struct segment_database {
    int64_t bytes, changed_ns;
};

/* How far an archive goes. */
struct segment_state {
    bool has_wal; /* the next two hold */
    struct walfile wal;
    uint32_t frames; /* of that generation, up to here */
    struct walfile_sum sum;
    bool released;                    /* nothing of that generation came behind this, so another may */
    struct segment_database database; /* then; zeros: it did not hold all yet */
    int64_t last_ms;                  /* the time of the last commit; never goes back */
    struct cl_digest chain;           /* of the last record */
};

struct segment_header {
    uint64_t number;
    uint64_t line; /* the number of the segment that its line began with */
    int64_t made_ms;
    struct segment_state start;
};

/* "FOLDER/000000000001.segment"; false: too long. */
bool segment_path(char out[SEGMENT_PATH_BYTES_MAX], const char *folder, uint64_t number);

/* The number of the last segment in the folder; 0: it has none. SYSTEM when the folder cannot be read. */
CL_MUST_CHECK struct cl_status segment_find_last(uint64_t *out, const char *folder);

/* -- Reading ------------------------------------------------------------------------------------------------- */

enum segment_kind { SEGMENT_GENERATION = 1, SEGMENT_COMMIT, SEGMENT_RELEASE, SEGMENT_END };

struct segment_record {
    enum segment_kind kind;
    int64_t unix_ms;        /* of a commit */
    uint32_t first, frames; /* of a commit: the number of its first frame, and how many */
};

struct segment_reader {
    FILE *file;
    struct segment_header header;
    struct segment_state state; /* after the last record read */
    int64_t offset;             /* behind it */
    int64_t bytes;              /* the file's size when it was opened */
    uint8_t *frame;
};

/* CONFIG_INVALID: there is no such file, or it is not a segment's whole header; MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status segment_open(struct segment_reader *out, const char *folder, uint64_t number);
void segment_close(struct segment_reader *reader); /* harmless on zeros */

/* Told of each frame of a commit, in order, before the record's digest has been seen to be right. */
struct segment_listener {
    struct cl_status (*frame)(void *user, const struct segment_record *record, const struct walfile_frame *frame,
                              struct cl_bytes page);
    void *user;
};

enum segment_found {
    SEGMENT_RECORD,  /* a good one */
    SEGMENT_STOPS,   /* the file ends behind a whole record */
    SEGMENT_TORN,    /* it ends inside one */
    SEGMENT_DAMAGED, /* a record is not what was written */
};

/* The next record; reader->state and offset move on only for a good one. `listener` NULL: nobody is told. The listener's
 * failure is returned. */
CL_MUST_CHECK struct cl_status segment_next(enum segment_found *found_out, struct segment_record *out,
                                            struct segment_reader *reader, const struct segment_listener *listener);

/* -- Writing ------------------------------------------------------------------------------------------------- */

struct segment_writer {
    int fd; /* -1: none */
    struct segment_header header;
    struct segment_state state;
    int64_t offset; /* what is written and what waits in the buffer */
    uint8_t *buffer;
    size_t buffered;
    struct cl_sha256 hash; /* of the record under way */
};

/* Makes the file, durable with its header. SYSTEM, and nothing is left; MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status segment_create(struct segment_writer *out, const char *folder,
                                              const struct segment_header *header);

/* Goes on in the file that a reader has read up to there; what lies behind is cut off. SYSTEM, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status segment_resume(struct segment_writer *out, const char *folder,
                                              const struct segment_reader *reader);
void segment_writer_close(struct segment_writer *writer); /* writes nothing; harmless on zeros with fd -1 */

/* Each adds a record; false: the file did not take it, and the writer has to be reset to an earlier state. */
bool segment_add_generation(struct segment_writer *writer, const struct walfile *wal);
bool segment_add_release(struct segment_writer *writer, const struct segment_database *database);
bool segment_add_end(struct segment_writer *writer);

/* A commit: begun, then each of its frames, then finished with what the frames came to. */
bool segment_begin_commit(struct segment_writer *writer, int64_t unix_ms, uint32_t frames);
bool segment_add_frame(struct segment_writer *writer, struct cl_bytes frame);
bool segment_finish_commit(struct segment_writer *writer, struct walfile_sum sum);

/* What is in the buffer goes to the file; `durable`: and to the disk. */
bool segment_flush(struct segment_writer *writer, bool durable);

/* Back to where the writer was with that state and offset: what came behind is cut off. */
bool segment_reset(struct segment_writer *writer, const struct segment_state *state, int64_t offset);

#endif
