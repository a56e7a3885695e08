#include "server/store/keeper.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "libcoloan/log.h"
#include "server/store/checkpointer.h"
#include "server/store/durable.h"

enum {
    /* 256 MiB of log that a reader keeps from being taken over: somebody should know. */
    LOG_PAGES_ALARM = 65536,
};

struct keeper {
    struct keeper_options options; /* its path is our own copy */
    char *path;
    int lock_fd;
    struct sql *sql;                   /* the writer's */
    struct checkpointer *checkpointer; /* NULL by hand */
    struct archive *archive;           /* NULL: none */
    bool works;                        /* between start and stop */
    size_t log_seen;                   /* pages in the log when the last round began; 0: none since it began anew */
    size_t log_last;                   /* pages in the log after the last commit that wrote */
    bool log_full;                     /* that round is the last before it begins anew */
    bool log_used;                     /* since it was last emptied */
    bool log_alarm;                    /* was raised */
    atomic_bool disk_low;
};

/* -- The log ------------------------------------------------------------------------------------------------- */

static bool round_under_way(const struct keeper *keeper)
{
    return keeper->checkpointer != NULL && checkpointer_busy(keeper->checkpointer);
}

/* The archive first has all of the log, and knows the database file that holds it; until then it stays. */
static struct cl_status empty_log(bool *emptied_out, struct keeper *keeper)
{
    *emptied_out = false;
    if (!archive_before_round(keeper->archive)) {
        return cl_ok();
    }
    if (keeper->archive != NULL) {
        struct cl_status status = sql_checkpoint(keeper->sql, false);
        if (cl_failed(status)) {
            return status;
        }
    }
    *emptied_out = archive_release(keeper->archive, true);
    return *emptied_out ? sql_checkpoint(keeper->sql, true) : cl_ok();
}

static void take_over_log(struct keeper *keeper, bool truncate)
{
    bool let_go = true;
    if (round_under_way(keeper)) {
        return; /* two would be in each other's way */
    }
    if (!truncate && !archive_release(keeper->archive, false)) {
        return; /* the log goes on; the next round is followed by another try */
    }
    struct cl_status status = truncate ? empty_log(&let_go, keeper) : sql_checkpoint(keeper->sql, false);
    if (cl_failed(status)) {
        return; /* latched */
    }
    size_t pages = sql_log_pages(keeper->sql);
    if (truncate) {
        keeper->log_used = pages > 0 || !let_go;
    }
    bool alarm = pages >= LOG_PAGES_ALARM;
    if (alarm && !keeper->log_alarm) {
        cl_log(CL_LOG_WARNING, "store.log_held_by_reader", cl_log_number("pages", (int64_t)pages));
    }
    keeper->log_alarm = alarm;
}

static void begin_round(struct keeper *keeper)
{
    if (keeper->checkpointer == NULL) {
        take_over_log(keeper, false);
        return;
    }
    checkpointer_begin(keeper->checkpointer);
}

/* A reader that keeps the log from beginning anew makes it longer, and the rounds go on. */
static void care_for_log(struct keeper *keeper)
{
    size_t pages = sql_log_pages(keeper->sql);
    if (pages == keeper->log_last) {
        return; /* the batch wrote nothing: a round must never begin on a log that is wholly taken over (checkpointer.h) */
    }
    bool anew = pages < keeper->log_last;
    keeper->log_last = pages;
    if (anew) {
        keeper->log_seen = 0;
        keeper->log_full = false;
    }
    if (pages < keeper->log_seen + keeper->options.round_pages && !keeper->log_full) {
        return;
    }
    if (round_under_way(keeper)) {
        return;
    }
    if (keeper->log_full) {
        keeper->log_full = false;
        take_over_log(keeper, false);
        return;
    }
    if (!archive_before_round(keeper->archive)) {
        return; /* the next commit asks again */
    }
    keeper->log_seen = pages;
    keeper->log_full = pages >= keeper->options.restart_pages;
    begin_round(keeper);
}

/* -- The disk ------------------------------------------------------------------------------------------------ */

/* A disk that cannot be asked counts as low: what it would say next is a failed write. */
static void look_at_disk(struct keeper *keeper)
{
    struct statvfs disk;
    bool low =
        statvfs(keeper->path, &disk) != 0 || (uint64_t)disk.f_bavail * disk.f_frsize < keeper->options.free_bytes_min;
    if (low != atomic_exchange(&keeper->disk_low, low)) {
        cl_log(low ? CL_LOG_ERROR : CL_LOG_INFO, low ? "store.disk_low" : "store.disk_fine",
               cl_log_number("free_bytes_min", (int64_t)keeper->options.free_bytes_min));
    }
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

struct cl_status keeper_create(struct keeper **out, const struct keeper_options *options)
{
    assert(options->archive.folder == NULL || !options->by_hand); /* the archive has a thread */
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    keeper->lock_fd = -1;
    keeper->options = *options;
    keeper->path = strdup(options->path);
    struct cl_status status =
        keeper->path == NULL ? cl_fail(CL_MEMORY_LIMIT) : durable_own(&keeper->lock_fd, keeper->path);
    if (cl_failed(status)) {
        keeper_free(keeper);
        return status;
    }
    *out = keeper;
    return cl_ok();
}

struct cl_status keeper_hold_log(const struct keeper *keeper, struct sql *sql)
{
    bool archived = keeper != NULL && keeper->options.archive.folder != NULL;
    return archived ? sql_keep_log(sql) : cl_ok();
}

/* Before anything is taken over: a crash may have left what the archive does not have. */
static struct cl_status start_archive(struct keeper *keeper)
{
    struct archive_options options = keeper->options.archive;
    if (options.folder == NULL) {
        return cl_ok();
    }
    options.database = keeper->path;
    struct cl_status status = archive_create(&keeper->archive, &options);
    if (cl_failed(status)) {
        cl_log(CL_LOG_ERROR, "archive.not_usable", cl_log_text("reason", cl_status_name(status)));
    }
    return status;
}

struct cl_status keeper_start(struct keeper *keeper, struct sql *sql, struct sql_health *health)
{
    if (keeper == NULL) {
        return cl_ok();
    }
    bool emptied = false;
    keeper->sql = sql;
    struct cl_status status = start_archive(keeper);
    if (cl_is_ok(status)) {
        status = empty_log(&emptied, keeper);
    }
    if (cl_is_ok(status)) {
        status = durable_sync_folder(keeper->path);
    }
    if (cl_is_ok(status) && !keeper->options.by_hand) {
        status = checkpointer_create(&keeper->checkpointer, keeper->path, health);
    }
    if (cl_is_ok(status)) {
        keeper->log_used = !emptied;
        keeper->works = true;
        look_at_disk(keeper);
    }
    return status;
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    checkpointer_free(keeper->checkpointer);
    keeper->checkpointer = NULL;
    if (keeper->works && keeper->archive != NULL) {
        bool emptied = false;
        (void)cl_is_ok(empty_log(&emptied, keeper)); /* what stays is archived by the next start */
    }
    keeper->works = false;
}

void keeper_close(struct keeper *keeper)
{
    if (keeper != NULL) {
        keeper_stop(keeper);
        archive_free(keeper->archive);
        keeper->archive = NULL;
    }
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    if (keeper->lock_fd >= 0) {
        (void)close(keeper->lock_fd);
    }
    free(keeper->path);
    free(keeper);
}

/* -- The writer's calls -------------------------------------------------------------------------------------- */

int64_t keeper_wait_ms(const struct keeper *keeper)
{
    return keeper != NULL && (keeper->log_used || keeper_disk_low(keeper)) ? keeper->options.idle_ms : -1;
}

void keeper_committed(struct keeper *keeper)
{
    if (keeper != NULL) {
        archive_committed(keeper->archive, keeper->sql);
    }
}

void keeper_after_commit(struct keeper *keeper)
{
    if (keeper != NULL) {
        keeper->log_used = true;
        care_for_log(keeper);
        look_at_disk(keeper);
    }
}

void keeper_idle(struct keeper *keeper)
{
    if (keeper != NULL) {
        take_over_log(keeper, true);
        look_at_disk(keeper);
    }
}

bool keeper_disk_low(const struct keeper *keeper)
{
    return keeper != NULL && atomic_load(&keeper->disk_low);
}

void keeper_archive_stats(const struct keeper *keeper, struct archive_stats *out)
{
    archive_stats(keeper == NULL ? NULL : keeper->archive, out);
}
