/* walfile.h - the file of SQLite's write-ahead log, read without SQLite: its header, its frames, and the checksum that
 * runs through them (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
 *
 * A log file holds one generation at a time: a header with two salts, then frames that carry these salts; a frame is one
 * page. A frame whose header names the database's size ends a transaction. When the log begins anew the header gets other
 * salts, and what lies behind the new frames is of the past. Frames are counted from 1.
 *
 * Values only; any thread. Reading fails with false: what is there is no such thing, or is not there yet. */
#ifndef COLOAN_STORE_WALFILE_H
#define COLOAN_STORE_WALFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"

#define WALFILE_HEADER_BYTES       32
#define WALFILE_FRAME_HEADER_BYTES 24
#define WALFILE_PAGE_BYTES_MAX     65536
#define WALFILE_FRAME_BYTES_MAX    (WALFILE_FRAME_HEADER_BYTES + WALFILE_PAGE_BYTES_MAX)

/* The running checksum: of the header, or of all up to a frame. */
struct walfile_sum {
    uint32_t a, b;
};

struct walfile {
    uint8_t header[WALFILE_HEADER_BYTES]; /* as it stands in the file */
    bool big_endian;                      /* the order in which the checksum reads words */
    uint32_t page_bytes;
    uint32_t restarts; /* how often the log began anew before this, since its file was made */
    uint32_t salts[2];
    struct walfile_sum sum; /* of the header */
};

/* False: not a log's header, or its checksum is wrong. */
bool walfile_read_header(struct walfile *out, const uint8_t header[WALFILE_HEADER_BYTES]);

/* Whether both are the same generation of the log. */
bool walfile_same(const struct walfile *a, const struct walfile *b);

/* Whether `next` came right after `before` in the same file, with nothing between them. */
bool walfile_follows(const struct walfile *next, const struct walfile *before);

struct walfile_frame {
    uint32_t page;           /* its number, from 1 */
    uint32_t database_pages; /* not 0: this frame ends a transaction, after which the database has so many */
};

/* One frame with its page. `sum` is that of all before it, and then of all up to it. False, and `sum` is untouched: it is
 * not of this generation or its checksum is wrong. */
bool walfile_read_frame(struct walfile_frame *out, struct walfile_sum *sum, const struct walfile *wal,
                        struct cl_bytes frame);

/* What a frame's header alone tells of a frame that is known to be good. */
bool walfile_ends_transaction(const uint8_t header[WALFILE_FRAME_HEADER_BYTES]);
/* False: it is of another generation. */
bool walfile_read_sum(struct walfile_sum *out, const struct walfile *wal,
                      const uint8_t header[WALFILE_FRAME_HEADER_BYTES]);

static inline size_t walfile_frame_bytes(const struct walfile *wal)
{
    return WALFILE_FRAME_HEADER_BYTES + (size_t)wal->page_bytes;
}

static inline int64_t walfile_frame_offset(const struct walfile *wal, uint32_t frame)
{
    return WALFILE_HEADER_BYTES + (int64_t)(frame - 1) * (int64_t)walfile_frame_bytes(wal);
}

/* How far the log in that file goes. */
struct walfile_end {
    bool empty; /* no header yet; nothing else holds */
    struct walfile wal;
    uint32_t frames;        /* up to the end of the last whole transaction; 0: none */
    struct walfile_sum sum; /* up to there */
};

/* Walks the file from its start, as SQLite does after a crash. False: it cannot be read, or there is no memory. */
bool walfile_find_end(struct walfile_end *out, int fd);

#endif
