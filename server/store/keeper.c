#include "server/store/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "libcoloan/log.h"
#include "server/store/checkpointer.h"

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

static void take_over_log(struct keeper *keeper, bool truncate)
{
    if (round_under_way(keeper)) {
        return; /* two would be in each other's way */
    }
    struct cl_status status = sql_checkpoint(keeper->sql, truncate);
    if (cl_failed(status)) {
        return; /* latched */
    }
    size_t pages = sql_log_pages(keeper->sql);
    if (truncate) {
        keeper->log_used = pages > 0;
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

/* A file of its own beside the database, because SQLite's locks on the database would be dropped when our descriptor
 * closes. It is never removed: that would let two processes lock two files of the same name. */
static struct cl_status lock_file(struct keeper *keeper)
{
    char name[4096];
    int length = snprintf(name, sizeof name, "%s.lock", keeper->path);
    if (length < 0 || (size_t)length >= sizeof name) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    keeper->lock_fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (keeper->lock_fd < 0) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    if (flock(keeper->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        cl_log(CL_LOG_ERROR, "store.owned_by_another_process", cl_log_number("errno", errno));
        return cl_fail(CL_CONFIG_INVALID);
    }
    return cl_ok();
}

/* Makes the new names durable: SQLite syncs the folder for its log, not for the database. */
static struct cl_status sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (length >= sizeof folder) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    memcpy(folder, path, length);
    folder[length] = '\0';
    const char *name = slash == NULL ? "." : length == 0 ? "/" : folder;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return cl_fail(CL_SYSTEM);
    }
    int failed = fsync(fd);
    (void)close(fd);
    return failed == 0 ? cl_ok() : cl_fail(CL_STORE_FAILED);
}

struct cl_status keeper_create(struct keeper **out, const struct keeper_options *options)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    keeper->lock_fd = -1;
    keeper->options = *options;
    keeper->path = strdup(options->path);
    struct cl_status status = keeper->path == NULL ? cl_fail(CL_MEMORY_LIMIT) : lock_file(keeper);
    if (cl_failed(status)) {
        keeper_free(keeper);
        return status;
    }
    *out = keeper;
    return cl_ok();
}

struct cl_status keeper_start(struct keeper *keeper, struct sql *sql, struct sql_health *health)
{
    if (keeper == NULL) {
        return cl_ok();
    }
    keeper->sql = sql;
    struct cl_status status = sql_checkpoint(sql, true);
    if (cl_is_ok(status)) {
        status = sync_folder(keeper->path);
    }
    if (cl_is_ok(status) && !keeper->options.by_hand) {
        status = checkpointer_create(&keeper->checkpointer, keeper->path, health);
    }
    if (cl_is_ok(status)) {
        look_at_disk(keeper);
    }
    return status;
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper != NULL) {
        checkpointer_free(keeper->checkpointer);
        keeper->checkpointer = NULL;
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
