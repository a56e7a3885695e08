#include "server/store/walfile.h"

#include <stdlib.h>
#include <string.h>

#include "server/store/durable.h"

enum {
    MAGIC = 0x377f0682, /* its last bit: the checksum reads big-endian words */
    VERSION = 3007000,
    SUMMED_HEADER_BYTES = 24, /* of the file's header: all before its checksum */
    SUMMED_FRAME_BYTES = 8,   /* of a frame's header: page number and size */
};

static uint32_t big(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint32_t little(const uint8_t *bytes)
{
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 | bytes[0];
}

/* Words of 32 bits, two at a time; `len` is a multiple of 8. */
static struct walfile_sum add(struct walfile_sum sum, bool big_endian, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        sum.a += (big_endian ? big(bytes + i) : little(bytes + i)) + sum.b;
        sum.b += (big_endian ? big(bytes + i + 4) : little(bytes + i + 4)) + sum.a;
    }
    return sum;
}

static bool is_page_size(uint32_t bytes)
{
    return bytes >= 512 && bytes <= WALFILE_PAGE_BYTES_MAX && (bytes & (bytes - 1)) == 0;
}

bool walfile_read_header(struct walfile *out, const uint8_t header[WALFILE_HEADER_BYTES])
{
    uint32_t magic = big(header);
    struct walfile wal = {
        .big_endian = (magic & 1) != 0,
        .page_bytes = big(header + 8),
        .restarts = big(header + 12),
        .salts = {big(header + 16), big(header + 20)},
    };
    if ((magic & ~UINT32_C(1)) != (uint32_t)MAGIC || big(header + 4) != VERSION || !is_page_size(wal.page_bytes)) {
        return false;
    }
    wal.sum = add((struct walfile_sum){0, 0}, wal.big_endian, header, SUMMED_HEADER_BYTES);
    if (wal.sum.a != big(header + 24) || wal.sum.b != big(header + 28)) {
        return false;
    }
    memcpy(wal.header, header, sizeof wal.header);
    *out = wal;
    return true;
}

bool walfile_same(const struct walfile *a, const struct walfile *b)
{
    return memcmp(a->header, b->header, sizeof a->header) == 0;
}

/* SQLite counts the first salt and draws the second at random. */
bool walfile_follows(const struct walfile *next, const struct walfile *before)
{
    return next->page_bytes == before->page_bytes && next->restarts == before->restarts + 1 &&
           next->salts[0] == before->salts[0] + 1;
}

bool walfile_read_frame(struct walfile_frame *out, struct walfile_sum *sum, const struct walfile *wal,
                        struct cl_bytes frame)
{
    if (frame.len != walfile_frame_bytes(wal) || big(frame.data + 8) != wal->salts[0] ||
        big(frame.data + 12) != wal->salts[1] || big(frame.data) == 0) {
        return false;
    }
    struct walfile_sum now = add(*sum, wal->big_endian, frame.data, SUMMED_FRAME_BYTES);
    now = add(now, wal->big_endian, frame.data + WALFILE_FRAME_HEADER_BYTES, wal->page_bytes);
    if (now.a != big(frame.data + 16) || now.b != big(frame.data + 20)) {
        return false;
    }
    *sum = now;
    *out = (struct walfile_frame){.page = big(frame.data), .database_pages = big(frame.data + 4)};
    return true;
}

bool walfile_ends_transaction(const uint8_t header[WALFILE_FRAME_HEADER_BYTES])
{
    return big(header + 4) != 0;
}

bool walfile_read_sum(struct walfile_sum *out, const struct walfile *wal,
                      const uint8_t header[WALFILE_FRAME_HEADER_BYTES])
{
    if (big(header + 8) != wal->salts[0] || big(header + 12) != wal->salts[1]) {
        return false;
    }
    *out = (struct walfile_sum){big(header + 16), big(header + 20)};
    return true;
}

static bool walk_frames(struct walfile_end *out, int fd, const struct walfile *wal)
{
    size_t len = walfile_frame_bytes(wal);
    uint8_t *frame = malloc(len);
    if (frame == NULL) {
        return false;
    }
    struct walfile_sum sum = wal->sum;
    struct walfile_end end = {.wal = *wal, .sum = sum};
    for (uint32_t number = 1; durable_read(fd, frame, len, walfile_frame_offset(wal, number)); number++) {
        struct walfile_frame read;
        if (!walfile_read_frame(&read, &sum, wal, cl_bytes(frame, len))) {
            break;
        }
        if (read.database_pages != 0) {
            end.frames = number;
            end.sum = sum;
        }
    }
    free(frame);
    *out = end;
    return true;
}

bool walfile_find_end(struct walfile_end *out, int fd)
{
    uint8_t header[WALFILE_HEADER_BYTES];
    struct walfile wal;
    if (!durable_read(fd, header, sizeof header, 0) || !walfile_read_header(&wal, header)) {
        *out = (struct walfile_end){.empty = true};
        return true;
    }
    return walk_frames(out, fd, &wal);
}
