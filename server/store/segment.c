#include "server/store/segment.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/durable.h"

enum {
    HEADER_BYTES = 168, /* what is counted in write_header, with its digest */
    RECORD_BYTES = 32,  /* before its payload */
    DATABASE_BYTES = 16,
    BUFFER_BYTES = 256 * 1024, /* some usual transactions in one write */
    NUMBER_DIGITS = 12,
    FRAMES_MAX = 1 << 20, /* of one transaction: four times the longest log that is waited for */
};

static const char MAGIC[8] = {'C', 'O', 'L', 'N', 'S', 'E', 'G', '1'};
static const char SUFFIX[] = ".segment";

/* -- Bytes --------------------------------------------------------------------------------------------------- */

static uint8_t *put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        *to++ = (uint8_t)(value >> (24 - 8 * i));
    }
    return to;
}

static uint8_t *put_u64(uint8_t *to, uint64_t value)
{
    return put_u32(put_u32(to, (uint32_t)(value >> 32)), (uint32_t)value);
}

static uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

static uint32_t take_u32(const uint8_t **from)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value = value << 8 | *(*from)++;
    }
    return value;
}

static uint64_t take_u64(const uint8_t **from)
{
    uint64_t high = take_u32(from);
    return high << 32 | take_u32(from);
}

/* -- Names --------------------------------------------------------------------------------------------------- */

bool segment_path(char out[SEGMENT_PATH_BYTES_MAX], const char *folder, uint64_t number)
{
    int len = snprintf(out, SEGMENT_PATH_BYTES_MAX, "%s/%0*" PRIu64 "%s", folder, NUMBER_DIGITS, number, SUFFIX);
    return len > 0 && len < SEGMENT_PATH_BYTES_MAX;
}

/* 0: it is no segment's name. */
static uint64_t number_of(const char *name)
{
    char again[NAME_MAX + 1];
    char *end = NULL;
    uint64_t number = strtoull(name, &end, 10);
    int len = snprintf(again, sizeof again, "%0*" PRIu64 "%s", NUMBER_DIGITS, number, SUFFIX);
    return len > 0 && strcmp(name, again) == 0 ? number : 0;
}

struct cl_status segment_find_last(uint64_t *out, const char *folder)
{
    uint64_t last = 0;
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        return cl_fail(CL_SYSTEM);
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        uint64_t number = number_of(entry->d_name);
        last = number > last ? number : last;
    }
    (void)closedir(entries);
    *out = last;
    return cl_ok();
}

/* -- Header -------------------------------------------------------------------------------------------------- */

static void digest_header(struct cl_digest *out, const uint8_t bytes[HEADER_BYTES])
{
    cl_sha256(out, cl_bytes(bytes, HEADER_BYTES - CL_DIGEST_BYTES));
}

static void write_header(uint8_t out[HEADER_BYTES], const struct segment_header *header)
{
    const struct segment_state *start = &header->start;
    static const uint8_t nothing[WALFILE_HEADER_BYTES];
    struct cl_digest digest;
    uint8_t *to = put_bytes(out, MAGIC, sizeof MAGIC);
    to = put_u64(to, header->number);
    to = put_u64(to, header->line);
    to = put_u64(to, (uint64_t)header->made_ms);
    to = put_bytes(to, start->chain.bytes, CL_DIGEST_BYTES);
    to = put_bytes(to, start->has_wal ? start->wal.header : nothing, WALFILE_HEADER_BYTES);
    to = put_u32(to, start->frames);
    to = put_u32(to, start->sum.a);
    to = put_u32(to, start->sum.b);
    to = put_u32(to, start->released ? 1 : 0);
    to = put_u64(to, (uint64_t)start->database.bytes);
    to = put_u64(to, (uint64_t)start->database.changed_ns);
    to = put_u64(to, (uint64_t)start->last_ms);
    digest_header(&digest, out);
    to = put_bytes(to, digest.bytes, CL_DIGEST_BYTES);
    assert(to == out + HEADER_BYTES);
}

static bool read_header(struct segment_header *out, const uint8_t bytes[HEADER_BYTES])
{
    struct cl_digest digest;
    digest_header(&digest, bytes);
    if (memcmp(bytes, MAGIC, sizeof MAGIC) != 0 ||
        memcmp(digest.bytes, bytes + HEADER_BYTES - CL_DIGEST_BYTES, CL_DIGEST_BYTES) != 0) {
        return false;
    }
    struct segment_header header = {.number = 0};
    const uint8_t *from = bytes + sizeof MAGIC;
    header.number = take_u64(&from);
    header.line = take_u64(&from);
    header.made_ms = (int64_t)take_u64(&from);
    memcpy(header.start.chain.bytes, from, CL_DIGEST_BYTES);
    from += CL_DIGEST_BYTES;
    header.start.has_wal = walfile_read_header(&header.start.wal, from);
    from += WALFILE_HEADER_BYTES;
    header.start.frames = take_u32(&from);
    header.start.sum.a = take_u32(&from);
    header.start.sum.b = take_u32(&from);
    header.start.released = take_u32(&from) != 0;
    header.start.database.bytes = (int64_t)take_u64(&from);
    header.start.database.changed_ns = (int64_t)take_u64(&from);
    header.start.last_ms = (int64_t)take_u64(&from);
    *out = header;
    return true;
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

struct cl_status segment_open(struct segment_reader *out, const char *folder, uint64_t number)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    uint8_t bytes[HEADER_BYTES];
    struct stat info;
    struct segment_reader reader = {.frame = malloc(WALFILE_FRAME_BYTES_MAX)};
    if (reader.frame == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    reader.file = segment_path(path, folder, number) ? fopen(path, "rbe") : NULL;
    bool good = reader.file != NULL && fstat(fileno(reader.file), &info) == 0 &&
                fread(bytes, 1, sizeof bytes, reader.file) == sizeof bytes && read_header(&reader.header, bytes) &&
                reader.header.number == number;
    if (!good) {
        segment_close(&reader);
        return cl_fail(CL_CONFIG_INVALID);
    }
    reader.state = reader.header.start;
    reader.offset = HEADER_BYTES;
    reader.bytes = (int64_t)info.st_size;
    *out = reader;
    return cl_ok();
}

void segment_close(struct segment_reader *reader)
{
    if (reader->file != NULL) {
        (void)fclose(reader->file);
    }
    free(reader->frame);
    *reader = (struct segment_reader){.file = NULL};
}

/* The record under way. */
struct reading {
    struct segment_reader *reader;
    const struct segment_listener *listener;
    struct segment_record record;
    uint64_t payload_bytes;
    struct cl_sha256 hash;
    struct segment_state state; /* after it */
};

static uint64_t payload_of(const struct segment_record *record, const struct segment_state *state)
{
    switch (record->kind) {
    case SEGMENT_GENERATION:
        return WALFILE_HEADER_BYTES;
    case SEGMENT_RELEASE:
        return DATABASE_BYTES;
    case SEGMENT_COMMIT:
        return state->has_wal ? (uint64_t)record->frames * walfile_frame_bytes(&state->wal) : 0;
    case SEGMENT_END:
        break;
    }
    return 0;
}

/* Whether such a record can stand here at all. */
static bool fits(const struct reading *reading)
{
    const struct segment_record *record = &reading->record;
    const struct segment_state *state = &reading->reader->state;
    if (record->kind < SEGMENT_GENERATION || record->kind > SEGMENT_END || record->frames > FRAMES_MAX) {
        return false;
    }
    if (record->kind == SEGMENT_COMMIT && (!state->has_wal || record->frames == 0 ||
                                           record->first != state->frames + 1 || record->unix_ms < state->last_ms)) {
        return false;
    }
    return reading->payload_bytes == payload_of(record, state);
}

static bool read_record_header(struct reading *reading)
{
    uint8_t bytes[RECORD_BYTES];
    const uint8_t *from = bytes;
    struct segment_record *record = &reading->record;
    if (fread(bytes, 1, sizeof bytes, reading->reader->file) != sizeof bytes) {
        return false;
    }
    cl_sha256_init(&reading->hash);
    cl_sha256_add(&reading->hash, cl_bytes(reading->reader->state.chain.bytes, CL_DIGEST_BYTES));
    cl_sha256_add(&reading->hash, cl_bytes(bytes, sizeof bytes));
    record->kind = (enum segment_kind)take_u32(&from);
    record->frames = take_u32(&from);
    record->unix_ms = (int64_t)take_u64(&from);
    record->first = take_u32(&from);
    (void)take_u32(&from); /* room */
    reading->payload_bytes = take_u64(&from);
    return true;
}

/* Of a payload, `hashed` bytes go into the record's digest. */
static bool read_payload(struct reading *reading, uint8_t *out, size_t len, size_t hashed)
{
    if (fread(out, 1, len, reading->reader->file) != len) {
        return false;
    }
    cl_sha256_add(&reading->hash, cl_bytes(out, hashed));
    return true;
}

/* `good_out`: whether the frames are what a log holds. */
static struct cl_status read_frames(bool *good_out, struct reading *reading)
{
    struct segment_state *state = &reading->state;
    size_t len = walfile_frame_bytes(&state->wal);
    uint8_t *bytes = reading->reader->frame;
    struct walfile_frame frame = {.database_pages = 0};
    *good_out = false;
    for (uint32_t i = 0; i < reading->record.frames; i++) {
        if (!read_payload(reading, bytes, len, WALFILE_FRAME_HEADER_BYTES) ||
            !walfile_read_frame(&frame, &state->sum, &state->wal, cl_bytes(bytes, len))) {
            return cl_ok();
        }
        if (reading->listener == NULL) {
            continue;
        }
        struct cl_bytes page = cl_bytes(bytes + WALFILE_FRAME_HEADER_BYTES, state->wal.page_bytes);
        struct cl_status status = reading->listener->frame(reading->listener->user, &reading->record, &frame, page);
        if (cl_failed(status)) {
            return status;
        }
    }
    state->frames += reading->record.frames;
    state->last_ms = reading->record.unix_ms;
    state->released = false;
    *good_out = frame.database_pages != 0; /* the last one ends the transaction */
    return cl_ok();
}

static bool read_generation(struct reading *reading)
{
    uint8_t bytes[WALFILE_HEADER_BYTES];
    struct segment_state *state = &reading->state;
    if (!read_payload(reading, bytes, sizeof bytes, sizeof bytes) || !walfile_read_header(&state->wal, bytes)) {
        return false;
    }
    state->has_wal = true;
    state->frames = 0;
    state->sum = state->wal.sum;
    state->released = false;
    return true;
}

static bool read_release(struct reading *reading)
{
    uint8_t bytes[DATABASE_BYTES];
    const uint8_t *from = bytes;
    if (!read_payload(reading, bytes, sizeof bytes, sizeof bytes)) {
        return false;
    }
    reading->state.released = true;
    reading->state.database.bytes = (int64_t)take_u64(&from);
    reading->state.database.changed_ns = (int64_t)take_u64(&from);
    return true;
}

static struct cl_status read_body(bool *good_out, struct reading *reading)
{
    switch (reading->record.kind) {
    case SEGMENT_COMMIT:
        return read_frames(good_out, reading);
    case SEGMENT_GENERATION:
        *good_out = read_generation(reading);
        break;
    case SEGMENT_RELEASE:
        *good_out = read_release(reading);
        break;
    case SEGMENT_END:
        *good_out = true;
        break;
    }
    return cl_ok();
}

static bool digest_is_right(struct reading *reading)
{
    struct cl_digest kept;
    cl_sha256_finish(&reading->hash, &reading->state.chain);
    return fread(kept.bytes, 1, CL_DIGEST_BYTES, reading->reader->file) == CL_DIGEST_BYTES &&
           cl_digest_equal(&kept, &reading->state.chain);
}

struct cl_status segment_next(enum segment_found *found_out, struct segment_record *out, struct segment_reader *reader,
                              const struct segment_listener *listener)
{
    struct reading reading = {.reader = reader, .listener = listener, .state = reader->state};
    int64_t left = reader->bytes - reader->offset;
    bool good = false;
    if (left < RECORD_BYTES + CL_DIGEST_BYTES) {
        *found_out = left == 0 ? SEGMENT_STOPS : SEGMENT_TORN;
        return cl_ok();
    }
    if (!read_record_header(&reading) || !fits(&reading)) {
        *found_out = SEGMENT_DAMAGED;
        return cl_ok();
    }
    int64_t record_bytes = RECORD_BYTES + (int64_t)reading.payload_bytes + CL_DIGEST_BYTES;
    if (left < record_bytes) {
        *found_out = SEGMENT_TORN;
        return cl_ok();
    }
    struct cl_status status = read_body(&good, &reading);
    if (cl_failed(status)) {
        return status;
    }
    if (!good || !digest_is_right(&reading)) {
        *found_out = SEGMENT_DAMAGED;
        return cl_ok();
    }
    reader->state = reading.state;
    reader->offset += record_bytes;
    *found_out = SEGMENT_RECORD;
    *out = reading.record;
    return cl_ok();
}

/* -- Writing ------------------------------------------------------------------------------------------------- */

static struct cl_status allocate(struct segment_writer *writer)
{
    writer->buffer = malloc(BUFFER_BYTES);
    return writer->buffer != NULL ? cl_ok() : cl_fail(CL_MEMORY_LIMIT);
}

/* A file whose header never got to the disk holds nothing. */
static void remove_headless(const char *folder, uint64_t number, const char *path)
{
    struct segment_reader reader = {.file = NULL};
    struct cl_status status = segment_open(&reader, folder, number);
    segment_close(&reader);
    if (status.reason == CL_CONFIG_INVALID) {
        (void)unlink(path);
    }
}

struct cl_status segment_create(struct segment_writer *out, const char *folder, const struct segment_header *header)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    uint8_t bytes[HEADER_BYTES];
    struct segment_writer writer = {.fd = -1, .header = *header, .state = header->start, .offset = HEADER_BYTES};
    if (!segment_path(path, folder, header->number)) {
        return cl_fail(CL_SYSTEM);
    }
    struct cl_status status = allocate(&writer);
    if (cl_failed(status)) {
        segment_writer_close(&writer);
        return status;
    }
    remove_headless(folder, header->number, path);
    write_header(bytes, header);
    writer.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool made = writer.fd >= 0 && durable_write(writer.fd, cl_bytes(bytes, sizeof bytes), 0) && fsync(writer.fd) == 0 &&
                cl_is_ok(durable_sync_folder(path));
    if (!made) {
        int why = errno;
        if (writer.fd >= 0) {
            (void)unlink(path);
        }
        segment_writer_close(&writer);
        errno = why;
        return cl_fail(CL_SYSTEM);
    }
    *out = writer;
    return cl_ok();
}

struct cl_status segment_resume(struct segment_writer *out, const char *folder, const struct segment_reader *reader)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    struct segment_writer writer = {.fd = -1, .header = reader->header};
    if (!segment_path(path, folder, reader->header.number)) {
        return cl_fail(CL_SYSTEM);
    }
    struct cl_status status = allocate(&writer);
    if (cl_is_ok(status)) {
        writer.fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        status =
            writer.fd >= 0 && segment_reset(&writer, &reader->state, reader->offset) ? cl_ok() : cl_fail(CL_SYSTEM);
    }
    if (cl_failed(status)) {
        segment_writer_close(&writer);
        return status;
    }
    *out = writer;
    return cl_ok();
}

void segment_writer_close(struct segment_writer *writer)
{
    if (writer->fd >= 0) {
        (void)close(writer->fd);
    }
    free(writer->buffer);
    *writer = (struct segment_writer){.fd = -1};
}

bool segment_flush(struct segment_writer *writer, bool durable)
{
    int64_t begins = writer->offset - (int64_t)writer->buffered;
    if (!durable_write(writer->fd, cl_bytes(writer->buffer, writer->buffered), begins)) {
        return false;
    }
    writer->buffered = 0;
    return !durable || fdatasync(writer->fd) == 0;
}

bool segment_reset(struct segment_writer *writer, const struct segment_state *state, int64_t offset)
{
    writer->buffered = 0;
    if (ftruncate(writer->fd, (off_t)offset) != 0) {
        return false;
    }
    writer->state = *state;
    writer->offset = offset;
    return true;
}

static bool put(struct segment_writer *writer, const uint8_t *data, size_t len)
{
    while (len > 0) {
        if (writer->buffered == BUFFER_BYTES && !segment_flush(writer, false)) {
            return false;
        }
        size_t room = BUFFER_BYTES - writer->buffered;
        size_t part = len < room ? len : room;
        memcpy(writer->buffer + writer->buffered, data, part);
        writer->buffered += part;
        writer->offset += (int64_t)part;
        data += part;
        len -= part;
    }
    return true;
}

static bool put_hashed(struct segment_writer *writer, const uint8_t *data, size_t len)
{
    cl_sha256_add(&writer->hash, cl_bytes(data, len));
    return put(writer, data, len);
}

static bool begin_record(struct segment_writer *writer, const struct segment_record *record)
{
    uint8_t bytes[RECORD_BYTES];
    uint8_t *to = put_u32(bytes, (uint32_t)record->kind);
    to = put_u32(to, record->frames);
    to = put_u64(to, (uint64_t)record->unix_ms);
    to = put_u32(to, record->first);
    to = put_u32(to, 0);
    (void)put_u64(to, payload_of(record, &writer->state));
    cl_sha256_init(&writer->hash);
    cl_sha256_add(&writer->hash, cl_bytes(writer->state.chain.bytes, CL_DIGEST_BYTES));
    return put_hashed(writer, bytes, sizeof bytes);
}

static bool finish_record(struct segment_writer *writer)
{
    cl_sha256_finish(&writer->hash, &writer->state.chain);
    return put(writer, writer->state.chain.bytes, CL_DIGEST_BYTES);
}

bool segment_add_generation(struct segment_writer *writer, const struct walfile *wal)
{
    struct segment_record record = {.kind = SEGMENT_GENERATION};
    bool added =
        begin_record(writer, &record) && put_hashed(writer, wal->header, WALFILE_HEADER_BYTES) && finish_record(writer);
    writer->state.has_wal = true;
    writer->state.wal = *wal;
    writer->state.frames = 0;
    writer->state.sum = wal->sum;
    writer->state.released = false;
    return added;
}

bool segment_add_release(struct segment_writer *writer, const struct segment_database *database)
{
    struct segment_record record = {.kind = SEGMENT_RELEASE};
    uint8_t bytes[DATABASE_BYTES];
    (void)put_u64(put_u64(bytes, (uint64_t)database->bytes), (uint64_t)database->changed_ns);
    bool added = begin_record(writer, &record) && put_hashed(writer, bytes, sizeof bytes) && finish_record(writer);
    writer->state.released = true;
    writer->state.database = *database;
    return added;
}

bool segment_add_end(struct segment_writer *writer)
{
    struct segment_record record = {.kind = SEGMENT_END};
    return begin_record(writer, &record) && finish_record(writer);
}

bool segment_begin_commit(struct segment_writer *writer, int64_t unix_ms, uint32_t frames)
{
    struct segment_state *state = &writer->state;
    assert(state->has_wal && frames > 0 && frames <= FRAMES_MAX);
    state->last_ms = unix_ms > state->last_ms ? unix_ms : state->last_ms;
    struct segment_record record = {
        .kind = SEGMENT_COMMIT, .unix_ms = state->last_ms, .first = state->frames + 1, .frames = frames};
    state->frames += frames;
    state->released = false;
    return begin_record(writer, &record);
}

bool segment_add_frame(struct segment_writer *writer, struct cl_bytes frame)
{
    const size_t header = WALFILE_FRAME_HEADER_BYTES;
    return put_hashed(writer, frame.data, header) && put(writer, frame.data + header, frame.len - header);
}

bool segment_finish_commit(struct segment_writer *writer, struct walfile_sum sum)
{
    writer->state.sum = sum;
    return finish_record(writer);
}
