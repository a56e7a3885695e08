/* A restored database knows less than the world outside when the moment lies before its last commit: banks hold events
 * with higher numbers. Nothing is bumped to hide that; the report names the head of every outbox, and docs/OPERATIONS.md
 * says what to do. */
#include "server/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/sha256.h"
#include "server/manifest.h"
#include "server/moment.h"
#include "server/store/durable.h"
#include "server/store/rewind.h"
#include "server/store/schema.h"
#include "server/verify/verify.h"
#include "server/whole_file.h"

enum {
    PATH_BYTES = 4096,
    BLOCK_BYTES = 64 * 1024,
    PROGRESS_EVERY_MS = 2000,
    ARENA_BYTES_MAX = 16 * 1024 * 1024, /* heads of some ten thousand parties */
};

struct restore {
    const struct operate *operate;
    const struct restore_options *options; /* NULL: only to be verified */
    struct manifest manifest;
    int64_t to_ms;
    int lock_fd;
    char draft[PATH_BYTES]; /* the database until it is whole */
    struct rewind_report rewound;
    struct sql_health health;
    struct sql *sql;
    struct vault *vault;
    struct cl_keyring *keyring;
    struct cl_arena *arena;
    struct verify_report report;
    int64_t told_ms;
};

static struct cl_status fail(const struct restore *restore, struct cl_status status, const char *what, const char *next)
{
    (void)fprintf(restore->operate->err, "coloand: %s: %s %s\n", what, cl_reason_info(status.reason)->text_en, next);
    return status;
}

static struct cl_status refuse(const struct restore *restore, const char *what, const char *next)
{
    (void)fprintf(restore->operate->err, "coloand: %s: %s\n", what, next);
    return cl_fail(CL_CONFIG_INVALID);
}

/* -- What is asked for --------------------------------------------------------------------------------------- */

static struct cl_status read_manifest(struct restore *restore)
{
    char path[PATH_BYTES];
    uint8_t *text = NULL;
    size_t len = 0;
    const struct config *config = restore->operate->config;
    (void)snprintf(path, sizeof path, "%s/" MANIFEST_NAME, restore->options->backup);
    struct cl_status status = whole_file_read(&text, &len, path, MANIFEST_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = manifest_read(&restore->manifest, cl_bytes(text, len));
    }
    free(text);
    if (cl_failed(status)) {
        return refuse(restore, path, "It is not the manifest of a backup. Name the folder that --backup made.");
    }
    if (strcmp(restore->manifest.party, config->party) != 0 ||
        strcmp(restore->manifest.environment, config->environment) != 0) {
        return refuse(restore, path, "It is another centre's, or of another environment, than the configuration's.");
    }
    return cl_ok();
}

static struct cl_status read_moment(struct restore *restore)
{
    char text[MOMENT_TEXT_BYTES];
    const struct restore_options *options = restore->options;
    restore->to_ms = INT64_MAX;
    if (options->archive != NULL && !restore->manifest.has_archive) {
        return refuse(restore, options->backup, "It was made without an archive and cannot be brought forward.");
    }
    if (options->to == NULL) {
        return cl_ok();
    }
    if (options->archive == NULL) {
        return refuse(restore, "--to",
                      "A moment needs --archive; without it a backup is what it was when it was made.");
    }
    if (cl_failed(moment_read(&restore->to_ms, options->to))) {
        return refuse(restore, options->to, "A moment is written like 2026-11-30T12:00:00Z, in UTC.");
    }
    if (restore->to_ms < restore->manifest.archive.from_ms) {
        moment_write(text, restore->manifest.archive.from_ms);
        (void)fprintf(restore->operate->err,
                      "coloand: %s: This backup holds what was decided until %s. Take an earlier one.\n", options->to,
                      text);
        return cl_fail(CL_CONFIG_INVALID);
    }
    return cl_ok();
}

/* A log that lies beside a database which is not there would be taken for the new one's. */
static struct cl_status check_place(struct restore *restore)
{
    static const char *const names[] = {"", "-wal", "-shm", "-journal"};
    char path[PATH_BYTES];
    struct stat info;
    const char *database = restore->operate->config->database;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int len = snprintf(path, sizeof path, "%s%s", database, names[i]);
        if (len < 0 || len >= PATH_BYTES) {
            return refuse(restore, database, "The name is too long.");
        }
        if (lstat(path, &info) == 0) {
            return refuse(restore, path, "It is there already. Move it and all files of its name away first.");
        }
    }
    int len = snprintf(restore->draft, sizeof restore->draft, "%s.restoring", database);
    if (len < 0 || len >= PATH_BYTES || cl_failed(durable_own(&restore->lock_fd, database))) {
        return refuse(restore, database, "See that its folder exists and no coloand runs on it.");
    }
    return cl_ok();
}

/* -- The copy ------------------------------------------------------------------------------------------------ */

static void remove_draft(const struct restore *restore)
{
    static const char *const names[] = {"", "-wal", "-shm", "-journal"};
    char path[PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", restore->draft, names[i]);
        (void)unlink(path);
    }
}

static void tick(struct restore *restore, int64_t bytes)
{
    int64_t now_ms = cl_clock_monotonic_ms(restore->operate->clock);
    if (now_ms - restore->told_ms >= PROGRESS_EVERY_MS) {
        restore->told_ms = now_ms;
        (void)fprintf(restore->operate->err, "coloand: copying the backup, %" PRId64 " of %" PRId64 " bytes\n", bytes,
                      restore->manifest.bytes);
    }
}

/* SYSTEM: one of the files cannot be read or written. */
static struct cl_status copy_bytes(struct restore *restore, struct cl_digest *digest_out, int from, int to)
{
    uint8_t block[BLOCK_BYTES];
    struct cl_sha256 hash;
    int64_t at = 0;
    ssize_t got = 0;
    cl_sha256_init(&hash);
    while ((got = read(from, block, sizeof block)) > 0) {
        struct cl_bytes bytes = cl_bytes(block, (size_t)got);
        cl_sha256_add(&hash, bytes);
        if (!durable_write(to, bytes, at)) {
            return cl_fail(CL_SYSTEM);
        }
        at += got;
        tick(restore, at);
    }
    cl_sha256_finish(&hash, digest_out);
    return got == 0 ? cl_ok() : cl_fail(CL_SYSTEM);
}

static struct cl_status copy_backup(struct restore *restore)
{
    char path[PATH_BYTES];
    struct cl_digest digest = {{0}};
    (void)snprintf(path, sizeof path, "%s/" MANIFEST_DATABASE, restore->options->backup);
    remove_draft(restore); /* of a restore that was killed */
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        return refuse(restore, path, "It cannot be read.");
    }
    int to = open(restore->draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct cl_status status = to < 0 ? cl_fail(CL_SYSTEM) : copy_bytes(restore, &digest, from, to);
    (void)close(from);
    if (to >= 0 && close(to) != 0) {
        status = cl_fail(CL_SYSTEM);
    }
    if (cl_failed(status)) {
        return fail(restore, status, restore->draft, "Is the disk full?");
    }
    return cl_digest_equal(&digest, &restore->manifest.sha256)
               ? cl_ok()
               : refuse(restore, path, "It is not the file that its manifest names: other bytes. Take another backup.");
}

/* -- The archive --------------------------------------------------------------------------------------------- */

static struct cl_status tell_fault(const struct restore *restore)
{
    char text[MOMENT_TEXT_BYTES];
    const struct rewind_report *report = &restore->rewound;
    (void)fprintf(restore->operate->err, "coloand: archive %s: %s.", restore->options->archive, report->fault);
    if (report->reachable_ms >= restore->manifest.archive.from_ms) {
        moment_write(text, report->reachable_ms);
        (void)fprintf(restore->operate->err, " What it has before is whole: --to %s", text);
    }
    (void)fprintf(restore->operate->err, "\n");
    return cl_fail(CL_CONFIG_INVALID);
}

static struct cl_status follow_archive(struct restore *restore)
{
    const struct operate *operate = restore->operate;
    struct rewind_options options = {.archive = restore->options->archive,
                                     .segment = restore->manifest.archive.segment,
                                     .start = restore->manifest.archive.start,
                                     .to_ms = restore->to_ms,
                                     .database = restore->draft,
                                     .clock = operate->clock,
                                     .progress = operate->err};
    if (options.archive == NULL) {
        return cl_ok();
    }
    struct cl_status status = rewind_database(&restore->rewound, &options);
    if (status.reason == CL_CONFIG_INVALID) {
        return tell_fault(restore);
    }
    return cl_is_ok(status) ? status : fail(restore, status, restore->draft, "Is the disk full?");
}

/* -- Looking at it ------------------------------------------------------------------------------------------- */

static struct cl_status load_trust(struct restore *restore, struct cl_directory_trust *trust_out)
{
    const struct config *config = restore->operate->config;
    uint8_t *bytes = NULL;
    size_t len = 0;
    *trust_out = (struct cl_directory_trust){
        .public_key = config->directory_key, .centre = config->party, .environment = config->environment};
    struct cl_status status = vault_open(&restore->vault, config->master_key);
    if (cl_failed(status)) {
        return fail(restore, status, config->master_key, "It is the key of the vault, a file of mode 0600.");
    }
    status = whole_file_read(&bytes, &len, config->directory, CL_MESSAGE_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = cl_keyring_load(&restore->keyring, cl_bytes(bytes, len), trust_out, NULL);
    }
    free(bytes);
    return cl_is_ok(status) ? status : fail(restore, status, config->directory, "It is the key directory.");
}

static struct cl_status look(struct restore *restore)
{
    struct cl_directory_trust trust;
    const struct operate *operate = restore->operate;
    struct cl_status status = cl_arena_create(&restore->arena, ARENA_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = load_trust(restore, &trust);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct verify_options options = {.sql = restore->sql,
                                     .vault = restore->vault,
                                     .keyring = restore->keyring,
                                     .trust = &trust,
                                     .clock = operate->clock,
                                     .progress = operate->err};
    status = verify_database(&restore->report, restore->arena, &options);
    if (cl_failed(status)) {
        return fail(restore, status, "verifying", "It could not be done to the end.");
    }
    return restore->report.fault_count == 0 ? cl_ok() : cl_fail(CL_CONFIG_INVALID);
}

static void tell(const struct restore *restore, bool json)
{
    FILE *out = restore->operate->out;
    char text[MOMENT_TEXT_BYTES];
    if (json) {
        (void)fprintf(out, "{\"commits\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"last_commit_ms\":%" PRId64 ",",
                      restore->rewound.commits, restore->rewound.segments, restore->rewound.last_ms);
        verify_tell_json(&restore->report, out);
        (void)fprintf(out, "}\n");
        return;
    }
    if (restore->rewound.segments > 0) {
        moment_write(text, restore->rewound.last_ms);
        (void)fprintf(out, "archive    %" PRIu64 " commits of %" PRIu64 " segments, the last of %s\n",
                      restore->rewound.commits, restore->rewound.segments, text);
    }
    verify_tell(&restore->report, out);
}

static void close_all(struct restore *restore)
{
    sql_close(restore->sql);
    cl_keyring_unref(restore->keyring);
    vault_close(restore->vault);
    cl_arena_free(restore->arena);
    if (restore->lock_fd >= 0) {
        (void)close(restore->lock_fd);
    }
}

/* -- From the backup to a database --------------------------------------------------------------------------- */

/* Brings it to this program's schema as well, as a start would. */
static struct cl_status open_draft(struct restore *restore)
{
    struct cl_status status = sql_open(&restore->sql, restore->draft, SQL_WRITE, &restore->health);
    if (cl_is_ok(status)) {
        status = schema_migrate(restore->sql, schema_migrations, schema_migration_count,
                                cl_clock_unix_ms(restore->operate->clock));
    }
    return cl_is_ok(status) ? status : fail(restore, status, restore->draft, "It cannot be opened as a database.");
}

static struct cl_status give_name(struct restore *restore)
{
    const char *database = restore->operate->config->database;
    sql_close(restore->sql); /* takes its log over and removes it */
    restore->sql = NULL;
    int fd = open(restore->draft, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    bool named = synced && rename(restore->draft, database) == 0 && cl_is_ok(durable_sync_folder(database));
    return named ? cl_ok() : fail(restore, cl_fail(CL_SYSTEM), database, "It could not be given its name.");
}

static struct cl_status make_draft(struct restore *restore)
{
    struct cl_status status = copy_backup(restore);
    if (cl_is_ok(status)) {
        status = follow_archive(restore);
    }
    if (cl_is_ok(status)) {
        status = open_draft(restore);
    }
    if (cl_failed(status)) {
        sql_close(restore->sql);
        restore->sql = NULL;
        remove_draft(restore);
    }
    return status;
}

struct cl_status restore_make(const struct operate *operate, const struct restore_options *options)
{
    struct cl_status status = operate_needs_file(operate, "--restore", "the tool that made its base backup");
    if (cl_failed(status)) {
        return status;
    }
    struct restore *restore = calloc(1, sizeof *restore);
    if (restore == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    restore->operate = operate;
    restore->options = options;
    restore->lock_fd = -1;
    restore->told_ms = cl_clock_monotonic_ms(operate->clock);
    status = read_manifest(restore);
    if (cl_is_ok(status)) {
        status = read_moment(restore);
    }
    if (cl_is_ok(status)) {
        status = check_place(restore);
    }
    if (cl_is_ok(status)) {
        status = make_draft(restore);
    }
    if (cl_failed(status)) {
        goto cleanup;
    }
    status = look(restore);
    tell(restore, options->json);
    if (cl_failed(status)) {
        (void)fprintf(operate->err, "coloand: %s: left under this name; it is not whole.\n", restore->draft);
        goto cleanup;
    }
    status = give_name(restore);
    if (cl_is_ok(status) && !options->json) {
        (void)fprintf(
            operate->out,
            "%s: restored. Before it serves: compare the heads above with what each bank holds; where a bank\n"
            "holds more, see 'After a restore' in the operator's manual.\n",
            operate->config->database);
    }
cleanup:
    close_all(restore);
    free(restore);
    return status;
}

struct cl_status restore_verify(const struct operate *operate, bool json)
{
    struct cl_status status =
        operate_needs_file(operate, "--verify", "pg_amcheck, and pg_checksums on a stopped server");
    if (cl_failed(status)) {
        return status;
    }
    struct restore *restore = calloc(1, sizeof *restore);
    if (restore == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    restore->operate = operate;
    restore->lock_fd = -1;
    const char *database = operate->config->database;
    status = sql_open(&restore->sql, database, SQL_READ, &restore->health);
    if (cl_failed(status)) {
        status = fail(restore, status, database, "Does it exist, and may you read it?");
    } else {
        status = look(restore);
        tell(restore, json);
    }
    close_all(restore);
    free(restore);
    return status;
}
