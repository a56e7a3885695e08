/* Who may do what: the writer appends to the log, notes each commit here, and holds or lets go the log by `pin`; the
 * archive's thread reads the log's file and writes segments. So the log can only begin anew in the writer's hands, and it
 * lets go only what the thread has said to be durable: frames that are not in the archive always have a pin on them.
 *
 * The pin is a read transaction. SQLite gives a reader a mark in the log as long as not all of it is taken over, and does
 * not begin the log anew while anybody has a mark; a checkpoint does not go past it. It is set right after a commit, when
 * no round can have taken that commit over, and moved up before each round.
 *
 * What a crash leaves: frames in the log that are not here. They are copied at the next start, before any checkpoint; their
 * commits have no time of their own any more and get the log file's. A log of another generation is gone on with only behind
 * a release, and only when it is the next one of the same file, or when the database file is the one that the release saw:
 * so nothing of a generation is taken over into that file before the archive has its beginning.
 *
 * Errors: whatever fails, the segment is cut back to what is known to be durable and tried again from there: the log still
 * has it. After a failed sync, too: what the kernel dropped is written anew. */
#include "server/store/archive.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "libcoloan/log.h"
#include "server/store/durable.h"

enum {
    SYNC_EVERY_MS = 1000,  /* so much of the archive a power cut may take; the log still has it then */
    RETRY_MS = 1000,       /* after a failure */
    RELEASE_WAIT_MS = 100, /* the writer waits for the archive's disk when the log is to begin anew */
    TAKEN_MAX = 1024,      /* commits that the thread works on at a time */
    SECOND_MS = 1000,
    NS_PER_MS = 1000000,
};

/* A commit: the log's frames after it, and when it was. */
struct note {
    uint32_t frames;
    int64_t unix_ms;
};

enum line { LINE_WHOLE, LINE_BROKEN, LINE_MAY_BEGIN, LINE_BEGINS };

struct archive {
    char *folder, *database;
    const struct cl_clock *clock;
    size_t frames_max;
    int64_t anew_ms, segment_bytes;
    int folder_fd; /* locked */
    int log_fd;
    pthread_t thread;
    bool running;

    struct sql *pin; /* the writer's, as the next two */
    struct sql_health pin_health;
    bool pinned;
    uint64_t commits_seen;

    struct segment_writer writer; /* the thread's, as what follows */
    struct segment_state durable; /* what of it is known to be on the disk */
    int64_t durable_offset;
    uint64_t last_number; /* of a segment, in the folder */
    int64_t unsynced_ms;  /* monotonic, since when something waits for the disk; -1: nothing does */
    int64_t leftover_ms;  /* the time of commits that nobody noted */
    bool torn;            /* a failure left something behind what is durable */
    struct note taken[TAKEN_MAX];

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct note *notes;  /* a ring of frames_max */
    size_t first, count; /* pending */
    size_t written;      /* of them, in the segment but not durable */
    enum line line;
    uint32_t begin_frames; /* with LINE_BEGINS: where the log was then */
    bool release_wanted, release_emptied, released;
    bool fresh;  /* since the log was let go there are commits, and none of them is durable */
    bool rooted; /* one of them is */
    bool stalled, stopping;
    uint64_t breaks;
};

static int64_t now_ms(const struct archive *archive)
{
    return cl_clock_monotonic_ms(archive->clock);
}

static void lock(struct archive *archive)
{
    (void)pthread_mutex_lock(&archive->mutex);
}

static void unlock(struct archive *archive)
{
    (void)pthread_mutex_unlock(&archive->mutex);
}

/* Under the mutex. */
static void wait_at_most(struct archive *archive, int64_t ms)
{
    struct timespec until = cl_monotonic_after(ms);
    (void)pthread_cond_timedwait(&archive->changed, &archive->mutex, &until);
}

/* -- The database's files ------------------------------------------------------------------------------------ */

/* By name: a descriptor of the database file that is closed would drop SQLite's locks. */
static struct segment_database look_at_database(const struct archive *archive)
{
    struct stat info;
    if (lstat(archive->database, &info) != 0) {
        return (struct segment_database){.bytes = 0};
    }
    return (struct segment_database){.bytes = (int64_t)info.st_size,
                                     .changed_ns = (int64_t)info.st_mtim.tv_sec * SECOND_MS * NS_PER_MS +
                                                   (int64_t)info.st_mtim.tv_nsec};
}

static bool read_wal_header(struct walfile *out, const struct archive *archive)
{
    uint8_t header[WALFILE_HEADER_BYTES];
    return durable_read(archive->log_fd, header, sizeof header, 0) && walfile_read_header(out, header);
}

/* The checksum that the log's file has at the end of a frame, from 1. */
static bool read_sum(struct walfile_sum *out, const struct archive *archive, const struct walfile *wal, uint32_t frame)
{
    uint8_t header[WALFILE_FRAME_HEADER_BYTES];
    return durable_read(archive->log_fd, header, sizeof header, walfile_frame_offset(wal, frame)) &&
           walfile_read_sum(out, wal, header);
}

/* -- Copying, on the archive's thread -------------------------------------------------------------------------- */

static void set_broken(struct archive *archive, const char *why)
{
    lock(archive);
    bool first = archive->line != LINE_BROKEN && archive->line != LINE_MAY_BEGIN;
    archive->line = first ? LINE_BROKEN : archive->line;
    archive->breaks += first;
    archive->count = archive->written = 0;
    archive->stalled = archive->fresh = false;
    (void)pthread_cond_broadcast(&archive->changed);
    unlock(archive);
    if (first) {
        cl_log(CL_LOG_ERROR, "archive.broken", cl_log_text("why", why));
    }
}

/* Whether the log's file is of the generation that the segment is in, which is written when another has begun. */
static bool follow_generation(struct archive *archive)
{
    struct segment_state *state = &archive->writer.state;
    struct walfile wal;
    if (!read_wal_header(&wal, archive)) {
        return false;
    }
    if (state->has_wal && walfile_same(&wal, &state->wal)) {
        return true;
    }
    if (state->has_wal && !state->released) {
        set_broken(archive, "the log began anew too early");
        return false;
    }
    return segment_add_generation(&archive->writer, &wal);
}

/* The last frame of the transaction that begins behind `frames`; 0: it is not whole within `limit`. */
static uint32_t end_of_transaction(const struct archive *archive, uint32_t limit)
{
    const struct segment_state *state = &archive->writer.state;
    uint8_t header[WALFILE_FRAME_HEADER_BYTES];
    for (uint32_t frame = state->frames + 1; frame <= limit; frame++) {
        if (!durable_read(archive->log_fd, header, sizeof header, walfile_frame_offset(&state->wal, frame))) {
            return 0;
        }
        if (walfile_ends_transaction(header)) {
            return frame;
        }
    }
    return 0;
}

static bool copy_transaction(struct archive *archive, uint32_t end, int64_t unix_ms)
{
    struct segment_writer *writer = &archive->writer;
    const struct walfile wal = writer->state.wal;
    struct walfile_sum sum = writer->state.sum;
    struct walfile_frame frame;
    uint32_t from = writer->state.frames + 1;
    size_t len = walfile_frame_bytes(&wal);
    uint8_t *bytes = malloc(len);
    bool copied = bytes != NULL && segment_begin_commit(writer, unix_ms, end - from + 1);
    for (uint32_t number = from; copied && number <= end; number++) {
        copied = durable_read(archive->log_fd, bytes, len, walfile_frame_offset(&wal, number)) &&
                 walfile_read_frame(&frame, &sum, &wal, cl_bytes(bytes, len)) &&
                 segment_add_frame(writer, cl_bytes(bytes, len));
    }
    free(bytes);
    return copied && segment_finish_commit(writer, sum);
}

/* Everything up to a commit, transaction by transaction; those before the last are a crash's, or migrations. */
static bool copy_up_to(struct archive *archive, const struct note *note)
{
    if (!follow_generation(archive)) {
        return false;
    }
    while (archive->writer.state.frames < note->frames) {
        uint32_t end = end_of_transaction(archive, note->frames);
        if (end == 0 || !copy_transaction(archive, end, end == note->frames ? note->unix_ms : archive->leftover_ms)) {
            return false;
        }
    }
    return true;
}

static bool sync_segment(struct archive *archive)
{
    if (!segment_flush(&archive->writer, true)) {
        return false;
    }
    archive->durable = archive->writer.state;
    archive->durable_offset = archive->writer.offset;
    archive->unsynced_ms = -1;
    return true;
}

static bool create_segment(struct archive *archive, const struct segment_state *start, bool goes_on)
{
    struct segment_header header = {.number = archive->last_number + 1,
                                    .line = goes_on ? archive->writer.header.line : archive->last_number + 1,
                                    .made_ms = cl_clock_unix_ms(archive->clock),
                                    .start = *start};
    struct segment_writer writer;
    struct cl_status status = segment_create(&writer, archive->folder, &header);
    if (cl_failed(status)) {
        return false;
    }
    segment_writer_close(&archive->writer);
    archive->writer = writer;
    archive->last_number = header.number;
    archive->durable = writer.state;
    archive->durable_offset = writer.offset;
    archive->unsynced_ms = -1;
    return true;
}

/* A full segment gets its end, and the next one begins. When only the first came about, a later call does the rest. */
static bool rotate(struct archive *archive)
{
    if (archive->writer.offset < archive->segment_bytes) {
        return true;
    }
    struct segment_state state = archive->writer.state;
    if (!segment_add_end(&archive->writer)) {
        return false;
    }
    state.chain = archive->writer.state.chain;
    return segment_flush(&archive->writer, true) && create_segment(archive, &state, true);
}

static bool begin_line(struct archive *archive, uint32_t frames)
{
    struct segment_state start = {.has_wal = frames > 0, .frames = frames, .released = frames == 0};
    if (frames > 0 && (!read_wal_header(&start.wal, archive) || !read_sum(&start.sum, archive, &start.wal, frames))) {
        return false;
    }
    if (frames == 0) {
        start.database = look_at_database(archive);
    }
    if (!create_segment(archive, &start, false)) {
        return false;
    }
    lock(archive);
    archive->line = archive->line == LINE_BEGINS ? LINE_WHOLE : archive->line;
    unlock(archive);
    cl_log(CL_LOG_WARNING, "archive.line_begins", cl_log_number("segment", (int64_t)archive->last_number));
    return true;
}

/* What a failure left is cut off. */
static bool cut_back(struct archive *archive)
{
    archive->torn =
        archive->writer.fd >= 0 && !segment_reset(&archive->writer, &archive->durable, archive->durable_offset);
    archive->unsynced_ms = -1;
    return !archive->torn;
}

/* -- The thread's work ----------------------------------------------------------------------------------------- */

struct work {
    bool begins;
    uint32_t begin_frames;
    size_t count; /* of archive->taken */
    bool release, emptied, stopping;
    bool fresh; /* rounds wait for this */
};

static bool write_notes(struct archive *archive, const struct work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        if (!copy_up_to(archive, &archive->taken[i]) || !rotate(archive)) {
            return false;
        }
    }
    if (work->count > 0 && archive->unsynced_ms < 0) {
        archive->unsynced_ms = now_ms(archive);
    }
    return segment_flush(&archive->writer, false);
}

static bool write_release(struct archive *archive, bool emptied)
{
    const struct segment_state *state = &archive->writer.state;
    struct segment_database database = {.bytes = 0};
    if (emptied) {
        database = look_at_database(archive);
    }
    bool known =
        state->released && state->database.bytes == database.bytes && state->database.changed_ns == database.changed_ns;
    return (known || segment_add_release(&archive->writer, &database)) && sync_segment(archive);
}

static bool do_work(struct archive *archive, const struct work *work)
{
    if (archive->torn && !cut_back(archive)) {
        return false;
    }
    if (work->begins && !begin_line(archive, work->begin_frames)) {
        return false;
    }
    if (archive->writer.fd < 0 || !write_notes(archive, work)) {
        return false;
    }
    if (work->release) {
        return write_release(archive, work->emptied);
    }
    bool due = archive->unsynced_ms >= 0 && now_ms(archive) - archive->unsynced_ms >= SYNC_EVERY_MS;
    return due || work->fresh || work->stopping ? sync_segment(archive) : true;
}

/* Under the mutex. */
static bool has_work(const struct archive *archive)
{
    bool due = archive->unsynced_ms >= 0 && now_ms(archive) - archive->unsynced_ms >= SYNC_EVERY_MS;
    return archive->stopping || archive->release_wanted || archive->count > archive->written || due ||
           archive->line == LINE_BEGINS;
}

static struct work take_work(struct archive *archive)
{
    lock(archive);
    while (archive->line != LINE_BROKEN && !has_work(archive)) {
        wait_at_most(archive, SYNC_EVERY_MS);
    }
    size_t waiting = archive->count - archive->written;
    bool all = waiting <= TAKEN_MAX;
    struct work work = {.begins = archive->line == LINE_BEGINS,
                        .begin_frames = archive->begin_frames,
                        .count = all ? waiting : TAKEN_MAX,
                        .release = all && archive->release_wanted,
                        .emptied = archive->release_emptied,
                        .stopping = all && archive->stopping,
                        .fresh = archive->fresh};
    for (size_t i = 0; i < work.count; i++) {
        archive->taken[i] = archive->notes[(archive->first + archive->written + i) % archive->frames_max];
    }
    unlock(archive);
    return work;
}

/* Under the mutex: those in the segment's durable part are done with. */
static void note_done(struct archive *archive, const struct work *work)
{
    archive->written += work->count;
    if (archive->unsynced_ms < 0) {
        archive->rooted = archive->rooted || archive->written > 0;
        archive->fresh = archive->fresh && !archive->rooted;
        archive->first = (archive->first + archive->written) % archive->frames_max;
        archive->count -= archive->written;
        archive->written = 0;
    }
    if (work->release) {
        archive->release_wanted = false;
        archive->released = archive->count == 0;
    }
}

/* False: what was to be done has to be tried again. Of a line that broke meanwhile nothing counts any more. */
static bool work_once(struct archive *archive, const struct work *work)
{
    bool good = do_work(archive, work);
    int why = errno;
    lock(archive);
    if (archive->line == LINE_BROKEN) {
        unlock(archive);
        return true;
    }
    bool changes = archive->stalled == good;
    if (good) {
        note_done(archive, work);
    } else {
        archive->written = 0;
    }
    archive->stalled = !good;
    (void)pthread_cond_broadcast(&archive->changed);
    unlock(archive);
    if (changes) {
        cl_log(good ? CL_LOG_INFO : CL_LOG_WARNING, good ? "archive.moving" : "archive.stalled",
               cl_log_number("errno", good ? 0 : why));
    }
    return good;
}

/* Until another try, or the end. */
static void pause_for(struct archive *archive, int64_t ms)
{
    int64_t end_ms = now_ms(archive) + ms;
    lock(archive);
    while (!archive->stopping && now_ms(archive) < end_ms) {
        wait_at_most(archive, end_ms - now_ms(archive) + 1);
    }
    unlock(archive);
}

/* After a break nothing is written until the writer, who knows where the log is, begins another line. */
static void sit_out_break(struct archive *archive)
{
    segment_writer_close(&archive->writer);
    archive->unsynced_ms = -1;
    pause_for(archive, archive->anew_ms);
    lock(archive);
    archive->line = LINE_MAY_BEGIN;
    unlock(archive);
}

static bool is_broken(struct archive *archive)
{
    lock(archive);
    bool broken = archive->line == LINE_BROKEN;
    unlock(archive);
    return broken;
}

static void *run(void *argument)
{
    struct archive *archive = argument;
    for (;;) {
        struct work work = take_work(archive);
        bool good = is_broken(archive) || work_once(archive, &work);
        if (work.stopping) {
            return NULL;
        }
        if (is_broken(archive)) {
            sit_out_break(archive);
        } else if (!good) {
            (void)cut_back(archive); /* the next try begins with it, if need be */
            pause_for(archive, RETRY_MS);
        }
    }
}

/* -- Going on where the archive ends ------------------------------------------------------------------------- */

enum { LAST_TRIED = 2 }; /* the last segment, and the one before when the last has no header */

/* Reads the last segment to its end. False: there is none that could be gone on with. */
static bool read_last(struct segment_reader *out, enum segment_found *end_out, struct archive *archive)
{
    struct segment_reader reader = {.file = NULL};
    uint64_t last = archive->last_number;
    struct cl_status status = cl_fail(CL_CONFIG_INVALID);
    for (uint64_t back = 0; back < LAST_TRIED && back < last && cl_failed(status); back++) {
        status = segment_open(&reader, archive->folder, last - back);
    }
    if (cl_failed(status)) {
        return false;
    }
    enum segment_found found = SEGMENT_RECORD;
    struct segment_record record = {.kind = SEGMENT_GENERATION};
    while (cl_is_ok(status) && found == SEGMENT_RECORD && record.kind != SEGMENT_END) {
        status = segment_next(&found, &record, &reader, NULL);
    }
    bool headless = reader.header.number != last && record.kind != SEGMENT_END;
    if (cl_failed(status) || found == SEGMENT_DAMAGED || headless) {
        segment_close(&reader);
        return false;
    }
    *end_out = found;
    *out = reader;
    return true;
}

/* Whether nothing is missing between the archive's end and the log. */
static bool joins(const struct archive *archive, const struct segment_state *state, const struct walfile_end *log)
{
    struct walfile_sum sum;
    struct segment_database database = look_at_database(archive);
    if (state->has_wal && !log->empty && walfile_same(&state->wal, &log->wal)) {
        bool same = state->frames == 0 || (read_sum(&sum, archive, &log->wal, state->frames) && sum.a == state->sum.a &&
                                           sum.b == state->sum.b);
        return state->frames <= log->frames && same;
    }
    if (state->released && state->has_wal && !log->empty && walfile_follows(&log->wal, &state->wal)) {
        return true;
    }
    return state->released && state->database.bytes != 0 && state->database.bytes == database.bytes &&
           state->database.changed_ns == database.changed_ns;
}

/* False: another line has to begin. */
static bool go_on(struct archive *archive, const struct walfile_end *log)
{
    struct segment_reader reader = {.file = NULL};
    enum segment_found end = SEGMENT_STOPS;
    bool gone_on = false;
    if (!read_last(&reader, &end, archive) || !joins(archive, &reader.state, log)) {
        segment_close(&reader);
        return false;
    }
    if (end == SEGMENT_RECORD) { /* its end: the next one was not begun */
        archive->writer.header = reader.header;
        archive->last_number = reader.header.number;
        gone_on = create_segment(archive, &reader.state, true);
    } else {
        gone_on = cl_is_ok(segment_resume(&archive->writer, archive->folder, &reader));
        archive->durable = archive->writer.state;
        archive->durable_offset = archive->writer.offset;
    }
    segment_close(&reader);
    return gone_on;
}

static bool set_pin(struct archive *archive)
{
    archive->pinned = archive->pinned || cl_is_ok(sql_hold(archive->pin));
    return archive->pinned;
}

static void unpin(struct archive *archive)
{
    sql_release(archive->pin);
    archive->pinned = false;
}

/* What is in the log and not here becomes the first thing to do. */
static struct cl_status begin(struct archive *archive)
{
    struct walfile_end log;
    struct stat info;
    if (!walfile_find_end(&log, archive->log_fd) || fstat(archive->log_fd, &info) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    archive->leftover_ms = (int64_t)info.st_mtim.tv_sec * SECOND_MS + (int64_t)info.st_mtim.tv_nsec / NS_PER_MS;
    uint32_t frames = log.empty ? 0 : log.frames;
    if (frames > 0 && !set_pin(archive)) {
        return cl_fail(CL_SYSTEM);
    }
    if (!go_on(archive, &log)) {
        archive->line = LINE_BEGINS;
        archive->begin_frames = frames;
        return cl_ok();
    }
    const struct segment_state *state = &archive->writer.state;
    bool known = frames == 0 || (state->has_wal && walfile_same(&state->wal, &log.wal) && state->frames == frames);
    if (!known) {
        archive->notes[archive->count++] = (struct note){.frames = frames, .unix_ms = archive->leftover_ms};
        archive->fresh = true;
    }
    return cl_ok();
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

static struct cl_status open_files(struct archive *archive)
{
    char log[SEGMENT_PATH_BYTES_MAX];
    int len = snprintf(log, sizeof log, "%s-wal", archive->database);
    archive->folder_fd = open(archive->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ours = archive->folder_fd >= 0 && flock(archive->folder_fd, LOCK_EX | LOCK_NB) == 0 &&
                access(archive->folder, W_OK | X_OK) == 0;
    if (!ours) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    archive->log_fd = len > 0 && (size_t)len < sizeof log ? open(log, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    struct cl_status status = archive->log_fd >= 0 ? cl_ok() : cl_fail(CL_SYSTEM);
    if (cl_is_ok(status)) {
        status = segment_find_last(&archive->last_number, archive->folder);
    }
    return cl_is_ok(status) ? sql_open(&archive->pin, archive->database, SQL_READ, &archive->pin_health) : status;
}

static struct cl_status allocate(struct archive **out, const struct archive_options *options)
{
    struct archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&archive->mutex, NULL);
    (void)pthread_cond_init(&archive->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    archive->folder_fd = archive->log_fd = archive->writer.fd = -1;
    archive->unsynced_ms = -1;
    archive->clock = options->clock;
    archive->frames_max = options->frames_max == 0 ? ARCHIVE_FRAMES_DEFAULT : options->frames_max;
    archive->anew_ms = options->anew_ms == 0 ? ARCHIVE_ANEW_MS_DEFAULT : options->anew_ms;
    archive->segment_bytes = options->segment_bytes == 0 ? SEGMENT_BYTES_DEFAULT : options->segment_bytes;
    archive->folder = strdup(options->folder);
    archive->database = strdup(options->database);
    archive->notes = calloc(archive->frames_max, sizeof *archive->notes);
    *out = archive;
    bool made = archive->folder != NULL && archive->database != NULL && archive->notes != NULL;
    return made ? cl_ok() : cl_fail(CL_MEMORY_LIMIT);
}

struct cl_status archive_create(struct archive **out, const struct archive_options *options)
{
    struct archive *archive = NULL;
    struct cl_status status = allocate(&archive, options);
    if (cl_is_ok(status)) {
        status = open_files(archive);
    }
    if (cl_is_ok(status)) {
        status = begin(archive);
    }
    if (cl_is_ok(status)) {
        archive->running = pthread_create(&archive->thread, NULL, run, archive) == 0;
        status = archive->running ? cl_ok() : cl_fail(CL_SYSTEM);
    }
    if (cl_failed(status)) {
        archive_free(archive);
        return status;
    }
    (void)pthread_setname_np(archive->thread, "archive");
    *out = archive;
    return cl_ok();
}

void archive_free(struct archive *archive)
{
    if (archive == NULL) {
        return;
    }
    if (archive->running) {
        lock(archive);
        archive->stopping = true;
        (void)pthread_cond_broadcast(&archive->changed);
        unlock(archive);
        (void)pthread_join(archive->thread, NULL);
    }
    sql_close(archive->pin);
    segment_writer_close(&archive->writer);
    if (archive->log_fd >= 0) {
        (void)close(archive->log_fd);
    }
    if (archive->folder_fd >= 0) {
        (void)close(archive->folder_fd);
    }
    (void)pthread_cond_destroy(&archive->changed);
    (void)pthread_mutex_destroy(&archive->mutex);
    free(archive->notes);
    free(archive->folder);
    free(archive->database);
    free(archive);
}

/* -- In the writer's hands ----------------------------------------------------------------------------------- */

/* Under the mutex. Whether a line goes on or begins with this commit. */
static bool take_note(struct archive *archive, struct note note)
{
    if (archive->line == LINE_BROKEN) {
        return false;
    }
    if (archive->line == LINE_MAY_BEGIN) {
        archive->line = LINE_BEGINS;
        archive->begin_frames = note.frames;
    } else {
        archive->notes[(archive->first + archive->count++) % archive->frames_max] = note;
        archive->fresh = !archive->rooted;
    }
    (void)pthread_cond_broadcast(&archive->changed);
    return true;
}

/* Under the mutex. A log that somebody else holds may be as long as it gets. */
static bool is_full(const struct archive *archive, uint32_t frames)
{
    return archive->count > 0 && (archive->count == archive->frames_max ||
                                  frames - archive->notes[archive->first].frames >= archive->frames_max);
}

void archive_committed(struct archive *archive, struct sql *sql)
{
    if (archive == NULL || sql_log_commits(sql) == archive->commits_seen) {
        return;
    }
    archive->commits_seen = sql_log_commits(sql);
    struct note note = {.frames = (uint32_t)sql_log_pages(sql), .unix_ms = cl_clock_unix_ms(archive->clock)};
    bool pinned = set_pin(archive);
    lock(archive);
    bool noted = take_note(archive, note);
    bool full = is_full(archive, note.frames);
    unlock(archive);
    if (noted && (full || !pinned)) {
        set_broken(archive,
                   full ? "its disk does not take it, and too much of the log waits" : "the log cannot be held");
        noted = false;
    }
    if (!noted) {
        unpin(archive);
    }
}

bool archive_before_round(struct archive *archive)
{
    if (archive == NULL) {
        return true;
    }
    lock(archive);
    bool fresh = archive->fresh;
    unlock(archive);
    if (fresh || !archive->pinned) {
        return !fresh;
    }
    unpin(archive);
    if (!set_pin(archive)) {
        set_broken(archive, "the log cannot be held");
    }
    return true;
}

bool archive_release(struct archive *archive, bool emptied)
{
    if (archive == NULL) {
        return true;
    }
    int64_t end_ms = now_ms(archive) + RELEASE_WAIT_MS;
    lock(archive);
    archive->release_wanted = true;
    archive->release_emptied = emptied;
    archive->released = false;
    (void)pthread_cond_broadcast(&archive->changed);
    while ((archive->line == LINE_WHOLE || archive->line == LINE_BEGINS) && !archive->released && !archive->stalled &&
           now_ms(archive) < end_ms) {
        wait_at_most(archive, end_ms - now_ms(archive) + 1);
    }
    bool free_to_go = archive->released || archive->line == LINE_BROKEN || archive->line == LINE_MAY_BEGIN;
    archive->release_wanted = false;
    archive->rooted = archive->rooted && !free_to_go;
    unlock(archive);
    if (free_to_go) {
        unpin(archive);
    }
    return free_to_go;
}

void archive_stats(struct archive *archive, struct archive_stats *out)
{
    *out = (struct archive_stats){.pending = 0};
    if (archive == NULL) {
        return;
    }
    lock(archive);
    *out = (struct archive_stats){.pending = archive->count,
                                  .oldest_ms = archive->count > 0 ? archive->notes[archive->first].unix_ms : 0,
                                  .breaks = archive->breaks,
                                  .stalled = archive->stalled,
                                  .broken = archive->line == LINE_BROKEN || archive->line == LINE_MAY_BEGIN};
    unlock(archive);
}
