/* An archive that ends inside a record, or with a record that is not right, may have held commits up to any time behind
 * the last good one. So a moment up to that one can be had, and none after it. */
#include "server/store/rewind.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "server/store/durable.h"

enum { PROGRESS_EVERY_MS = 2000, PAGE_SIZE_AT = 16 /* in a database file's header, two bytes */ };

struct rewind {
    const struct rewind_options *options;
    struct rewind_report *report;
    struct segment_reader reader;
    int fd;
    uint32_t page_bytes;
    uint32_t database_pages; /* after the last commit applied; 0: none was */
    int64_t told_ms;
    bool inside_commit; /* some of its frames are in the file */
    bool arrived;       /* at the first commit after the moment, or at the archive's end */
};

__attribute__((format(printf, 2, 3))) static struct cl_status refuse(struct rewind *rewind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(rewind->report->fault, sizeof rewind->report->fault, format, arguments);
    va_end(arguments);
    return cl_fail(CL_CONFIG_INVALID);
}

static void tick(struct rewind *rewind)
{
    int64_t now_ms = cl_clock_monotonic_ms(rewind->options->clock);
    if (now_ms - rewind->told_ms >= PROGRESS_EVERY_MS) {
        rewind->told_ms = now_ms;
        (void)fprintf(rewind->options->progress,
                      "coloand: restoring, segment %" PRIu64 ", %" PRIu64 " commits so far\n",
                      rewind->reader.header.number, rewind->report->commits);
    }
}

/* -- The database file --------------------------------------------------------------------------------------- */

static bool open_database(struct rewind *rewind)
{
    uint8_t size[2];
    rewind->fd = open(rewind->options->database, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (rewind->fd < 0 || !durable_read(rewind->fd, size, sizeof size, PAGE_SIZE_AT)) {
        return false;
    }
    uint32_t bytes = (uint32_t)size[0] << 8 | size[1];
    rewind->page_bytes = bytes == 1 ? WALFILE_PAGE_BYTES_MAX : bytes;
    return true;
}

static struct cl_status apply_frame(void *user, const struct segment_record *record, const struct walfile_frame *frame,
                                    struct cl_bytes page)
{
    struct rewind *rewind = user;
    if (record->unix_ms > rewind->options->to_ms) {
        return cl_ok(); /* only looked at */
    }
    rewind->inside_commit = true;
    if (page.len != rewind->page_bytes) {
        return refuse(rewind, "segment %" PRIu64 " is of a database with another page size",
                      rewind->reader.header.number);
    }
    if (!durable_write(rewind->fd, page, (int64_t)(frame->page - 1) * (int64_t)page.len)) {
        return cl_fail(CL_STORE_FAILED);
    }
    rewind->database_pages = frame->database_pages != 0 ? frame->database_pages : rewind->database_pages;
    return cl_ok();
}

static struct cl_status set_size(const struct rewind *rewind)
{
    if (rewind->database_pages == 0) {
        return cl_ok();
    }
    off_t bytes = (off_t)rewind->database_pages * (off_t)rewind->page_bytes;
    return ftruncate(rewind->fd, bytes) == 0 ? cl_ok() : cl_fail(CL_STORE_FAILED);
}

/* -- The archive --------------------------------------------------------------------------------------------- */

static bool exists(const struct rewind *rewind, uint64_t number)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    return segment_path(path, rewind->options->archive, number) && access(path, F_OK) == 0;
}

/* The archive ends here, well or not. What is asked for may lie before. */
static struct cl_status end_here(struct rewind *rewind, const char *how)
{
    int64_t last_ms = rewind->reader.state.last_ms;
    uint64_t number = rewind->reader.header.number;
    rewind->arrived = true;
    rewind->report->reachable_ms = last_ms;
    if (rewind->options->to_ms <= last_ms && !rewind->inside_commit) {
        return cl_ok();
    }
    return refuse(rewind, "segment %" PRIu64 " %s at byte %" PRId64, number, how, rewind->reader.offset);
}

static struct cl_status open_segment(struct rewind *rewind, uint64_t number, const struct cl_digest *chain)
{
    segment_close(&rewind->reader);
    struct cl_status status = segment_open(&rewind->reader, rewind->options->archive, number);
    if (cl_failed(status)) {
        return status.reason == CL_CONFIG_INVALID
                   ? refuse(rewind, "segment %" PRIu64 " is not there, or its header is damaged", number)
                   : status;
    }
    if (!cl_digest_equal(&rewind->reader.header.start.chain, chain)) {
        return refuse(rewind, "segment %" PRIu64 " does not go on from what was before it", number);
    }
    rewind->report->segments++;
    return cl_ok();
}

static struct cl_status next_segment(struct rewind *rewind)
{
    struct cl_digest chain = rewind->reader.state.chain;
    uint64_t number = rewind->reader.header.number + 1;
    if (!exists(rewind, number)) {
        char how[64];
        (void)snprintf(how, sizeof how, "is followed by %" PRIu64 ", which is missing,", number);
        return end_here(rewind, how);
    }
    return open_segment(rewind, number, &chain);
}

static struct cl_status take_end(struct rewind *rewind)
{
    if (exists(rewind, rewind->reader.header.number + 1)) {
        return end_here(rewind, "is the last before a break");
    }
    rewind->arrived = true;
    return cl_ok();
}

static struct cl_status take_record(struct rewind *rewind, const struct segment_record *record)
{
    if (record->kind == SEGMENT_END) {
        return next_segment(rewind);
    }
    if (record->kind != SEGMENT_COMMIT) {
        return cl_ok();
    }
    if (record->unix_ms > rewind->options->to_ms) {
        rewind->arrived = true;
        return cl_ok();
    }
    rewind->inside_commit = false;
    rewind->report->commits++;
    rewind->report->last_ms = record->unix_ms;
    tick(rewind);
    return cl_ok();
}

static struct cl_status step(struct rewind *rewind)
{
    const struct segment_listener listener = {.frame = apply_frame, .user = rewind};
    struct segment_record record;
    enum segment_found found = SEGMENT_DAMAGED;
    struct cl_status status = segment_next(&found, &record, &rewind->reader, &listener);
    if (cl_failed(status)) {
        return status;
    }
    switch (found) {
    case SEGMENT_RECORD:
        return take_record(rewind, &record);
    case SEGMENT_STOPS:
        return take_end(rewind);
    case SEGMENT_TORN:
        return end_here(rewind, "is torn");
    case SEGMENT_DAMAGED:
        break;
    }
    return end_here(rewind, "is damaged");
}

struct cl_status rewind_database(struct rewind_report *out, const struct rewind_options *options)
{
    struct rewind rewind = {.options = options,
                            .report = out,
                            .reader = {.file = NULL},
                            .fd = -1,
                            .told_ms = cl_clock_monotonic_ms(options->clock)};
    *out = (struct rewind_report){.segments = 0};
    struct cl_status status = open_database(&rewind) ? cl_ok() : cl_fail(CL_STORE_FAILED);
    if (cl_is_ok(status)) {
        status = open_segment(&rewind, options->segment, &options->start);
    }
    while (cl_is_ok(status) && !rewind.arrived) {
        status = step(&rewind);
    }
    if (cl_is_ok(status)) {
        status = set_size(&rewind);
    }
    segment_close(&rewind.reader);
    if (rewind.fd >= 0) {
        (void)close(rewind.fd);
    }
    return status;
}
