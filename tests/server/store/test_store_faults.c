/* A disk that fails, and a power cut: a VFS between SQLite and the system.
 *
 * Faults: the n-th write or sync fails, once. From then on no command may be answered OK, though the disk works again.
 * Cuts: from the n-th change on nothing reaches the disk, and of what was not synced some, all or nothing is there.
 * After both, what was answered OK is there after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/store_fixture.h"

/* -- The failing disk ---------------------------------------------------------------------------------------- */

enum operation { WRITE, SYNC, READ, CUT, OPERATIONS };

static atomic_int countdown[OPERATIONS]; /* fails when it gets to 0; starts below: never */
static atomic_int fail_code;
static atomic_int failed_count;

static void arm(enum operation operation, int n, int code)
{
    for (int i = 0; i < OPERATIONS; i++) {
        atomic_store(&countdown[i], -1);
    }
    atomic_store(&failed_count, 0);
    atomic_store(&fail_code, code);
    atomic_store(&countdown[operation], n);
}

static bool fails(enum operation operation)
{
    if (atomic_load(&countdown[operation]) < 0 || atomic_fetch_sub(&countdown[operation], 1) != 1) {
        return false;
    }
    atomic_store(&countdown[operation], -1);
    atomic_fetch_add(&failed_count, 1);
    return true;
}

/* What a file is known to hold after a power cut: its content at the last sync. */
struct durable {
    char name[128]; /* empty: free */
    uint8_t *bytes;
    size_t len;
};

enum { FILES_MAX = 4 };
static struct durable durables[FILES_MAX];
static atomic_bool watching; /* keep track of durable content */
static atomic_bool cut;      /* nothing reaches the disk any more */

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real; /* stands right behind */
    struct durable *durable;
};

static struct durable *durable_of(const char *name)
{
    for (size_t i = 0; name != NULL && i < FILES_MAX; i++) {
        struct durable *durable = &durables[i];
        if (durable->name[0] == '\0') {
            (void)snprintf(durable->name, sizeof durable->name, "%s", name);
        }
        if (strcmp(durable->name, name) == 0) {
            return durable;
        }
    }
    return NULL;
}

static void forget_durables(void)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        free(durables[i].bytes);
        durables[i] = (struct durable){.len = 0};
    }
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim_file *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset)
{
    return fails(READ) ? atomic_load(&fail_code) : real_of(file)->pMethods->xRead(real_of(file), out, amount, offset);
}

/* Whether this change comes after the cut; the one on which the countdown ends is the first that does not happen. */
static bool is_cut(void)
{
    if (fails(CUT)) {
        atomic_store(&cut, true);
    }
    return atomic_load(&cut);
}

static int shim_write(sqlite3_file *file, const void *data, int amount, sqlite3_int64 offset)
{
    if (is_cut()) {
        return SQLITE_IOERR_WRITE;
    }
    if (fails(WRITE)) {
        (void)real_of(file)->pMethods->xWrite(real_of(file), data, amount / 2, offset); /* torn */
        return atomic_load(&fail_code);
    }
    return real_of(file)->pMethods->xWrite(real_of(file), data, amount, offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return is_cut() || fails(WRITE) ? atomic_load(&fail_code) : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static void remember_content(sqlite3_file *file)
{
    struct durable *durable = ((struct shim_file *)file)->durable;
    sqlite3_int64 size = 0;
    if (durable == NULL || real_of(file)->pMethods->xFileSize(real_of(file), &size) != SQLITE_OK) {
        return;
    }
    free(durable->bytes);
    durable->len = (size_t)size;
    durable->bytes = calloc(1, durable->len + 1);
    (void)real_of(file)->pMethods->xRead(real_of(file), durable->bytes, (int)durable->len, 0);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    if (is_cut() || fails(SYNC)) {
        return atomic_load(&fail_code);
    }
    if (!atomic_load(&watching)) {
        return real_of(file)->pMethods->xSync(real_of(file), flags);
    }
    remember_content(file); /* no need to trouble the disk */
    return SQLITE_OK;
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), out);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int shim_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int shim_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods SHIM_METHODS = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static sqlite3_vfs *system_vfs;
static sqlite3_vfs shim_vfs;

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    (void)vfs;
    struct shim_file *shim = (struct shim_file *)file;
    shim->real = (sqlite3_file *)(void *)(shim + 1);
    shim->durable = atomic_load(&watching) ? durable_of(name) : NULL;
    int code = system_vfs->xOpen(system_vfs, name, shim->real, flags, flags_out);
    shim->base.pMethods = shim->real->pMethods == NULL ? NULL : &SHIM_METHODS;
    return code;
}

/* SQLite asks for the folder to be synced with it where it matters. */
static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)vfs;
    if (is_cut()) {
        return SQLITE_IOERR_DELETE;
    }
    struct durable *durable = atomic_load(&watching) ? durable_of(name) : NULL;
    if (durable != NULL) {
        durable->len = 0;
    }
    return system_vfs->xDelete(system_vfs, name, sync_folder);
}

static int install_shim(void **state)
{
    (void)state;
    system_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *system_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.pNext = NULL;
    shim_vfs.szOsFile += (int)sizeof(struct shim_file);
    shim_vfs.xOpen = shim_open;
    shim_vfs.xDelete = shim_delete;
    arm(WRITE, -1, 0);
    return sqlite3_vfs_register(&shim_vfs, 1);
}

static int remove_shim(void **state)
{
    (void)state;
    return sqlite3_vfs_unregister(&shim_vfs);
}

/* -- Runs ---------------------------------------------------------------------------------------------------- */

enum { COMMANDS = 12 };

struct run {
    char folder[64];
    char path[80];
    struct store *store;
    unsigned number;
    atomic_int failures;
    bool acked[COMMANDS];
    bool any_failed;
};

static void count_failure(void *user)
{
    atomic_fetch_add(&((struct run *)user)->failures, 1);
}

static struct cl_status write_row(void *user, struct store_tx *tx)
{
    struct run *run = user;
    struct message_row row = fixture_message(run->number);
    return messages_add(tx, &row);
}

static struct cl_status open_store(struct run *run)
{
    const struct store_options options = {
        .address = run->path, .clock = cl_clock_system(), .failed = count_failure, .user = run};
    return store_open(&run->store, &options);
}

/* Commands one by one; after the first failure every other one has to fail as well. */
static void run_commands(struct run *run, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        run->number = i;
        struct cl_status status = store_run(run->store, write_row, run);
        run->acked[i] = cl_is_ok(status);
        assert_true(run->acked[i] || status.reason == CL_STORE_FAILED);
        assert_false(run->acked[i] && run->any_failed); /* no OK after the first error */
        run->any_failed = run->any_failed || !run->acked[i];
    }
    assert_int_equal(store_failed(run->store), run->any_failed);
    assert_int_equal(atomic_load(&run->failures), run->any_failed ? 1 : 0);
}

static void expect_acked(struct run *run)
{
    struct sql *sql = NULL;
    struct cl_arena *arena = NULL;
    assert_int_equal(open_store(run).reason, CL_OK);
    assert_int_equal(store_check(run->store).reason, CL_OK);
    assert_int_equal(cl_arena_create(&arena, 100000).reason, CL_OK);
    assert_int_equal(store_reader_open(&sql, run->store).reason, CL_OK);
    for (unsigned i = 0; i < COMMANDS; i++) {
        struct message_row row = fixture_message(i);
        bool found = false;
        assert_int_equal(messages_get(&found, &row, sql, arena, &row.digest).reason, CL_OK);
        assert_true(found || !run->acked[i]);
    }
    sql_close(sql);
    cl_arena_free(arena);
    store_close(run->store);
}

/* False when the n-th operation did not come up any more. */
static bool fail_nth(enum operation operation, int n, int code)
{
    struct run run = {.number = 0};
    fixture_make_folder(run.folder);
    (void)snprintf(run.path, sizeof run.path, "%s/coloan.db", run.folder);
    arm(operation, n, code);
    struct cl_status status = open_store(&run);
    if (cl_is_ok(status)) {
        run_commands(&run, 0, COMMANDS);
        store_close(run.store);
        run.store = NULL;
    } else {
        assert_int_equal(status.reason, CL_STORE_FAILED);
    }
    bool hit = atomic_load(&failed_count) == 1;
    arm(operation, -1, 0);
    expect_acked(&run);
    fixture_remove_folder(run.folder);
    return hit;
}

static void fail_every(int step, enum operation operation, int code)
{
    int n = 1;
    while (fail_nth(operation, n, code)) {
        n += step;
    }
    print_message("operation %d, code %d: failed at every %d. of %d places\n", operation, code, step, n - step);
    assert_true(n > COMMANDS); /* at least one for each command */
}

static void a_failing_sync_latches(void **state)
{
    (void)state;
    fail_every(1, SYNC, SQLITE_IOERR_FSYNC);
}

static void a_failing_write_latches(void **state)
{
    (void)state;
    fail_every(1, WRITE, SQLITE_IOERR_WRITE);
}

static void a_full_disk_latches(void **state)
{
    (void)state;
    fail_every(5, WRITE, SQLITE_FULL);
}

static void a_reader_that_cannot_read_latches_for_all(void **state)
{
    (void)state;
    struct run run = {.number = 0};
    struct sql *sql = NULL;
    struct cl_arena *arena = NULL;
    struct message_row row = fixture_message(0);
    bool found = false;
    fixture_make_folder(run.folder);
    (void)snprintf(run.path, sizeof run.path, "%s/coloan.db", run.folder);
    assert_int_equal(open_store(&run).reason, CL_OK);
    run_commands(&run, 0, COMMANDS);
    assert_int_equal(cl_arena_create(&arena, 100000).reason, CL_OK);
    assert_int_equal(store_reader_open(&sql, run.store).reason, CL_OK);
    arm(READ, 1, SQLITE_IOERR_READ);
    assert_int_equal(messages_get(&found, &row, sql, arena, &row.digest).reason, CL_STORE_FAILED);
    assert_int_equal(atomic_load(&run.failures), 1);
    assert_int_equal(store_run(run.store, write_row, &run).reason, CL_STORE_FAILED);
    arm(READ, -1, 0);
    sql_close(sql);
    cl_arena_free(arena);
    store_close(run.store);
    fixture_remove_folder(run.folder);
}

/* One byte of each page is flipped in turn: found by the check or without effect on what is read. */
static void a_flipped_byte_is_no_wrong_answer(void **state)
{
    (void)state;
    struct run run = {.number = 0};
    fixture_make_folder(run.folder);
    (void)snprintf(run.path, sizeof run.path, "%s/coloan.db", run.folder);
    assert_int_equal(open_store(&run).reason, CL_OK);
    run_commands(&run, 0, COMMANDS);
    store_close(run.store);
    unsigned damaged = 0;
    unsigned found = 0;
    FILE *file = fopen(run.path, "r+b");
    assert_non_null(file);
    (void)setvbuf(file, NULL, _IONBF, 0);
    (void)fseek(file, 0, SEEK_END);
    long pages = ftell(file) / 4096;
    for (long page = 0; page < pages; page++) {
        long offset = page * 4096 + (page == 0 ? 100 : 0); /* the kind of the page */
        (void)fseek(file, offset, SEEK_SET);
        int byte = fgetc(file);
        (void)fseek(file, offset, SEEK_SET);
        (void)fputc(byte ^ 0x40, file);
        damaged++;
        struct cl_status status = open_store(&run);
        if (cl_is_ok(status)) {
            status = store_check(run.store);
            store_close(run.store);
        }
        found += cl_failed(status) ? 1 : 0;
        (void)fseek(file, offset, SEEK_SET);
        (void)fputc(byte, file);
    }
    (void)fclose(file);
    assert_true(damaged > 20);
    assert_int_equal(found, damaged);
    fixture_remove_folder(run.folder);
}

/* -- Power cuts ---------------------------------------------------------------------------------------------- */

enum { SECTOR = 512, DROP_ALL = 0, KEEP_ALL, SOME_SECTORS, WAYS };

/* What the disk may hold after the cut: of each sector that was written since the last sync, the old or the new. */
static void write_remains(struct durable *durable, int way)
{
    size_t size = 0;
    FILE *file = fopen(durable->name, "r+b");
    if (file == NULL) {
        return; /* was deleted, durably */
    }
    (void)fseek(file, 0, SEEK_END);
    size_t written = (size_t)ftell(file);
    size_t longest = written > durable->len ? written : durable->len;
    uint8_t *bytes = calloc(1, longest + 1);
    rewind(file);
    assert_int_equal(fread(bytes, 1, written, file), written);
    (void)fclose(file);
    bool keeps_length = way == KEEP_ALL || (way == SOME_SECTORS && random() % 2 == 0);
    size = keeps_length ? written : durable->len;
    for (size_t at = 0; at < size; at += SECTOR) {
        size_t len = size - at < SECTOR ? size - at : SECTOR;
        if (way == KEEP_ALL || (way == SOME_SECTORS && random() % 2 == 0)) {
            continue;
        }
        size_t old = at >= durable->len ? 0 : durable->len - at < len ? durable->len - at : len;
        memset(bytes + at, 0, len);
        if (old > 0) {
            memcpy(bytes + at, durable->bytes + at, old);
        }
    }
    file = fopen(durable->name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    (void)fclose(file);
    free(bytes);
}

/* Opens, commits, closes, which empties the log into the database, and does it again; the power goes at the n-th
 * change. False when there were fewer. */
static bool cut_at(int n, int way)
{
    struct run run = {.number = 0};
    char shared[96];
    fixture_make_folder(run.folder);
    (void)snprintf(run.path, sizeof run.path, "%s/coloan.db", run.folder);
    (void)snprintf(shared, sizeof shared, "%s-shm", run.path);
    arm(CUT, n, SQLITE_IOERR_FSYNC);
    atomic_store(&cut, false);
    atomic_store(&watching, true);
    for (unsigned session = 0; session < 2; session++) {
        if (cl_is_ok(open_store(&run))) {
            if (!run.any_failed) {
                run_commands(&run, session * COMMANDS / 2, (session + 1) * COMMANDS / 2);
            }
            store_close(run.store);
        }
        if (atomic_load(&cut)) {
            break;
        }
    }
    bool hit = atomic_load(&cut);
    arm(CUT, -1, 0);
    atomic_store(&watching, false);
    atomic_store(&cut, false);
    for (size_t i = 0; hit && i < FILES_MAX; i++) {
        if (durables[i].name[0] != '\0') {
            write_remains(&durables[i], way);
        }
    }
    (void)unlink(shared);
    expect_acked(&run);
    forget_durables();
    fixture_remove_folder(run.folder);
    return hit;
}

static void a_power_cut_loses_nothing_acknowledged(void **state)
{
    (void)state;
    int cuts = 0;
    srandom(20261125);
    for (int n = 1, way = DROP_ALL; cut_at(n, way); n++) {
        way = (way + 1) % WAYS;
        cuts++;
    }
    print_message("%d power cuts\n", cuts);
    assert_true(cuts > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_sync_latches),
        cmocka_unit_test(a_failing_write_latches),
        cmocka_unit_test(a_full_disk_latches),
        cmocka_unit_test(a_power_cut_loses_nothing_acknowledged),
        cmocka_unit_test(a_reader_that_cannot_read_latches_for_all),
        cmocka_unit_test(a_flipped_byte_is_no_wrong_answer),
    };
    return cmocka_run_group_tests(tests, install_shim, remove_shim);
}
