/* Which part of the archive belongs to a backup: it is gone on with from the segment that is open before the snapshot is
 * taken, so nothing of what came later is missing, and pages that the copy has already are written again, which changes
 * nothing once the moment of the copy is passed. That moment is the archive's when it has all that the log held after the
 * snapshot. */
#include "server/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/sha256.h"
#include "server/manifest.h"
#include "server/moment.h"
#include "server/store/durable.h"
#include "server/store/segment.h"
#include "server/store/walfile.h"

enum {
    PATH_BYTES = 4096,
    STEP_PAGES = 256, /* 1 MiB between two looks at the clock */
    PROGRESS_EVERY_MS = 2000,
    ARCHIVE_WAIT_MS = 10000, /* ten times what the archive leaves unsynced */
    ARCHIVE_LOOK_MS = 200,
    BLOCK_BYTES = 64 * 1024,
    ARENA_BYTES_MAX = 16 * 1024 * 1024, /* heads of some ten thousand parties */
};

static const char PART[] = ".part";

struct backup {
    const struct operate *operate;
    char part[PATH_BYTES], name[PATH_BYTES]; /* the folder while it is made, and then */
    char database[PATH_BYTES], manifest_path[PATH_BYTES];
    int lock_fd; /* of the folder: others see that it is being made */
    struct sql_health health;
    struct sql *sql;
    struct cl_arena *arena;
    struct manifest manifest;
    struct inventory inventory;
    int64_t told_ms;
};

static struct cl_status fail(const struct backup *backup, struct cl_status status, const char *what, const char *next)
{
    (void)fprintf(backup->operate->err, "coloand: %s: %s %s\n", what, cl_reason_info(status.reason)->text_en, next);
    return status;
}

static bool name_path(char out[PATH_BYTES], const char *folder, const char *name)
{
    int len = snprintf(out, PATH_BYTES, "%s/%s", folder, name);
    return len > 0 && len < PATH_BYTES;
}

/* -- Folders ------------------------------------------------------------------------------------------------- */

static void remove_part(const char *path)
{
    char file[PATH_BYTES];
    static const char *const names[] = {MANIFEST_DATABASE, MANIFEST_NAME};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (name_path(file, path, names[i])) {
            (void)unlink(file);
        }
    }
    (void)rmdir(path);
}

/* What a backup left that died: nobody holds its lock any more. */
static void remove_if_left(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    size_t len = strlen(name);
    if (len < sizeof PART || strcmp(name + len - (sizeof PART - 1), PART) != 0 || strncmp(name, "coloan-", 7) != 0 ||
        !name_path(path, folder, name)) {
        return;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        remove_part(path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static bool remove_leftovers(const char *folder)
{
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        remove_if_left(folder, entry->d_name);
    }
    (void)closedir(entries);
    return true;
}

static bool name_all(struct backup *backup, const char *folder)
{
    char moment[MOMENT_TEXT_BYTES];
    char name[64];
    moment_name(moment, backup->manifest.made_ms);
    (void)snprintf(name, sizeof name, "coloan-%s", moment);
    bool named = name_path(backup->name, folder, name);
    (void)snprintf(name, sizeof name, "coloan-%s%s", moment, PART);
    return named && name_path(backup->part, folder, name) &&
           name_path(backup->database, backup->part, MANIFEST_DATABASE) &&
           name_path(backup->manifest_path, backup->part, MANIFEST_NAME);
}

static struct cl_status make_folder(struct backup *backup, const char *folder)
{
    bool made = remove_leftovers(folder) && name_all(backup, folder) && mkdir(backup->part, 0700) == 0;
    if (made) {
        backup->lock_fd = open(backup->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        made = backup->lock_fd >= 0 && flock(backup->lock_fd, LOCK_EX | LOCK_NB) == 0;
    }
    return made ? cl_ok()
                : fail(backup, cl_fail(CL_CONFIG_INVALID), folder, "Name a folder that exists and can be written to.");
}

/* -- The archive --------------------------------------------------------------------------------------------- */

/* False: there is nothing to go on from. */
static bool find_segment(struct backup *backup)
{
    struct segment_reader reader = {.file = NULL};
    uint64_t last = 0;
    const char *archive = backup->operate->config->archive;
    if (archive == NULL || cl_failed(segment_find_last(&last, archive)) || last == 0 ||
        cl_failed(segment_open(&reader, archive, last))) {
        return false;
    }
    backup->manifest.archive.segment = last;
    backup->manifest.archive.start = reader.header.start.chain;
    segment_close(&reader);
    return true;
}

/* The log as it is now, which is at least what the snapshot has of it. False: it cannot be read. */
static bool look_at_log(struct walfile_end *out, const struct backup *backup)
{
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s-wal", backup->operate->config->database);
    int fd = len > 0 && len < PATH_BYTES ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    *out = (struct walfile_end){.empty = true};
    bool read = fd < 0 ? errno == ENOENT : walfile_find_end(out, fd);
    if (fd >= 0) {
        (void)close(fd);
    }
    return read;
}

static bool has_all(const struct segment_state *state, const struct walfile_end *log)
{
    return !log->empty && state->has_wal && walfile_same(&state->wal, &log->wal) && state->frames >= log->frames;
}

/* Goes through the archive from the backup's segment on, until it has all of that log. Of an empty log it has all, at its
 * end. */
static bool archive_has(struct backup *backup, const struct walfile_end *log)
{
    struct segment_reader reader = {.file = NULL};
    enum segment_found found = SEGMENT_RECORD;
    struct segment_record record;
    uint64_t number = backup->manifest.archive.segment;
    bool has = false;
    while (!has && cl_is_ok(segment_open(&reader, backup->operate->config->archive, number++))) {
        has = has_all(&reader.state, log);
        while (!has && cl_is_ok(segment_next(&found, &record, &reader, NULL)) && found == SEGMENT_RECORD) {
            has = has_all(&reader.state, log);
        }
        backup->manifest.archive.from_ms = reader.state.last_ms;
        segment_close(&reader);
    }
    return has || log->empty || log->frames == 0;
}

/* With the snapshot taken. Without an archive, or with one that does not come along, the backup stands for itself. */
static void join_archive(struct backup *backup, bool found)
{
    struct walfile_end log;
    const struct operate *operate = backup->operate;
    int64_t end_ms = cl_clock_monotonic_ms(operate->clock) + ARCHIVE_WAIT_MS;
    if (!found || !look_at_log(&log, backup)) {
        return;
    }
    while (!archive_has(backup, &log)) {
        if (cl_clock_monotonic_ms(operate->clock) >= end_ms) {
            (void)fprintf(operate->err,
                          "coloand: the archive does not have what the log has; this backup stands for itself.\n");
            return;
        }
        (void)poll(NULL, 0, ARCHIVE_LOOK_MS);
    }
    backup->manifest.has_archive = true;
}

/* -- The copy ------------------------------------------------------------------------------------------------ */

static void tick(struct backup *backup, const char *what, uint64_t done, uint64_t all)
{
    int64_t now_ms = cl_clock_monotonic_ms(backup->operate->clock);
    if (now_ms - backup->told_ms >= PROGRESS_EVERY_MS) {
        backup->told_ms = now_ms;
        (void)fprintf(backup->operate->err, "coloand: %s, %" PRIu64 " of %" PRIu64 "\n", what, done, all);
    }
}

static struct cl_status copy_pages(struct backup *backup)
{
    struct sql_copy *copy = NULL;
    struct sql_copied copied = {.done = false};
    struct cl_status status = sql_copy_begin(&copy, backup->sql, backup->database);
    while (cl_is_ok(status) && !copied.done) {
        status = sql_copy_step(&copied, copy, STEP_PAGES);
        tick(backup, "copying pages", copied.pages - copied.pages_left, copied.pages);
    }
    sql_copy_end(copy);
    return status;
}

static bool hash_file(struct backup *backup, int fd)
{
    uint8_t block[BLOCK_BYTES];
    struct cl_sha256 hash;
    ssize_t got = 0;
    cl_sha256_init(&hash);
    while ((got = read(fd, block, sizeof block)) > 0) {
        cl_sha256_add(&hash, cl_bytes(block, (size_t)got));
        backup->manifest.bytes += got;
    }
    cl_sha256_finish(&hash, &backup->manifest.sha256);
    return got == 0;
}

static struct cl_status sync_copy(struct backup *backup)
{
    int fd = open(backup->database, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0 && hash_file(backup, fd);
    if (fd >= 0) {
        (void)close(fd);
    }
    return synced ? cl_ok() : cl_fail(CL_SYSTEM);
}

static struct cl_status take_copy(struct backup *backup)
{
    bool found = find_segment(backup);
    struct cl_status status = sql_hold(backup->sql);
    if (cl_failed(status)) {
        return status;
    }
    backup->manifest.made_ms = cl_clock_unix_ms(backup->operate->clock);
    join_archive(backup, found);
    status = copy_pages(backup);
    if (cl_is_ok(status)) {
        status = inventory_take(&backup->inventory, backup->sql, backup->arena);
    }
    sql_release(backup->sql);
    return cl_is_ok(status) ? sync_copy(backup) : status;
}

/* -- Its paper and its name ---------------------------------------------------------------------------------- */

static struct cl_status write_manifest(const struct backup *backup)
{
    int fd = open(backup->manifest_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "we");
    if (file == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return cl_fail(CL_SYSTEM);
    }
    manifest_write(file, &backup->manifest, &backup->inventory);
    bool written = fflush(file) == 0 && fsync(fd) == 0;
    written = fclose(file) == 0 && written;
    return written ? cl_ok() : cl_fail(CL_SYSTEM);
}

static struct cl_status give_name(const struct backup *backup)
{
    struct cl_status status = durable_sync_folder(backup->manifest_path);
    if (cl_is_ok(status) && rename(backup->part, backup->name) != 0) {
        status = cl_fail(CL_SYSTEM);
    }
    return cl_is_ok(status) ? durable_sync_folder(backup->name) : status;
}

static void tell(const struct backup *backup)
{
    const struct manifest *manifest = &backup->manifest;
    char moment[MOMENT_TEXT_BYTES];
    moment_write(moment, manifest->made_ms);
    (void)fprintf(backup->operate->out, "%s: %" PRId64 " bytes, as of %s.\n", backup->name, manifest->bytes, moment);
    if (manifest->has_archive) {
        moment_write(moment, manifest->archive.from_ms);
        (void)fprintf(backup->operate->out,
                      "With the archive from segment %" PRIu64 " on, any moment from %s on can be restored.\n",
                      manifest->archive.segment, moment);
    }
    (void)fprintf(backup->operate->out, "Not in it, and needed: master key, signing keys, directory, configuration, "
                                        "rule sets, certificates.\n");
}

static struct cl_status open_database(struct backup *backup)
{
    const struct config *config = backup->operate->config;
    struct cl_status status = cl_arena_create(&backup->arena, ARENA_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = sql_open(&backup->sql, config->database, SQL_READ, &backup->health);
    }
    return cl_is_ok(status) ? status : fail(backup, status, config->database, "Does it exist, and may you read it?");
}

struct cl_status backup_make(const struct operate *operate, const char *folder)
{
    struct cl_status kind = operate_needs_file(operate, "--backup", "pg_basebackup with WAL archiving, or pgBackRest");
    if (cl_failed(kind)) {
        return kind;
    }
    struct backup backup = {.operate = operate, .lock_fd = -1, .told_ms = cl_clock_monotonic_ms(operate->clock)};
    (void)snprintf(backup.manifest.party, sizeof backup.manifest.party, "%s", operate->config->party);
    (void)snprintf(backup.manifest.environment, sizeof backup.manifest.environment, "%s", operate->config->environment);
    backup.manifest.made_ms = cl_clock_unix_ms(operate->clock); /* its name */
    struct cl_status status = open_database(&backup);
    if (cl_is_ok(status)) {
        status = make_folder(&backup, folder);
    }
    if (cl_failed(status)) {
        goto cleanup;
    }
    status = take_copy(&backup);
    if (cl_is_ok(status)) {
        status = write_manifest(&backup);
    }
    if (cl_is_ok(status)) {
        status = give_name(&backup);
    }
    if (cl_is_ok(status)) {
        tell(&backup);
    } else {
        remove_part(backup.part);
        status = fail(&backup, status, folder, "Nothing was left there. Is its disk full?");
    }
cleanup:
    sql_close(backup.sql);
    cl_arena_free(backup.arena);
    if (backup.lock_fd >= 0) {
        (void)close(backup.lock_fd);
    }
    return status;
}
