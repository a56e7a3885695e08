/* Locks and shared memory are those of one process: counts beside the file, under the one mutex that guards all of this. */
#include "tests/support/power_vfs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NODES_MAX = 8,
    REGIONS_MAX = 64,
    SHARED_LOCKS = SQLITE_SHM_NLOCK,
    CHECKPOINT_LOCK = 1, /* SQLite's WAL_CKPT_LOCK */
    CALL_KINDS = 6,
};

/* What the open handles of one file have in common. */
struct node {
    char name[160]; /* empty: the place is free */
    unsigned handle_count;
    struct handle *handles;
    void *regions[REGIONS_MAX];
    unsigned region_users;
    unsigned shared[SHARED_LOCKS]; /* holders; */
    bool exclusive[SHARED_LOCKS];  /* or one */
};

struct handle {
    sqlite3_file base;
    struct node *node;
    struct power_file *file;
    struct handle *next; /* of the node */
    int level;           /* SQLITE_LOCK_... of the file */
    bool log;
    bool syncs_folder; /* with its next sync */
    bool maps;         /* the shared memory */
    unsigned shared_mask, exclusive_mask;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all that follows */
static struct power_disk *disk;
static struct node nodes[NODES_MAX];
static struct power_fault armed;
static struct power_strike strike;
static uint64_t counted;            /* of armed.calls, since it was armed */
static uint64_t counts[CALL_KINDS]; /* by the bit of the call */
static struct power_sums sums;
static bool off; /* the power */

static void (*watcher)(enum power_call call, bool log);

static sqlite3_vfs *system_vfs;
static sqlite3_vfs vfs;
static bool installed;

static void lock(void)
{
    (void)pthread_mutex_lock(&mutex);
}

static int unlock(int code)
{
    (void)pthread_mutex_unlock(&mutex);
    return code;
}

/* -- Faults --------------------------------------------------------------------------------------------------- */

static size_t bit_of(enum power_call call)
{
    size_t bit = 0;
    while ((1U << bit) != (unsigned)call) {
        bit++;
    }
    return bit;
}

static void watch(enum power_call call, const struct handle *handle)
{
    if (watcher != NULL) {
        watcher(call, handle != NULL && handle->log);
    }
}

/* SQLITE_OK, or how the call fails. */
static int meet(enum power_call call, const struct handle *handle, size_t offset, int code_when_off)
{
    counts[bit_of(call)]++;
    if (off) {
        return code_when_off;
    }
    if (armed.at == 0 || (armed.calls & (unsigned)call) == 0 || ++counted < armed.at) {
        return SQLITE_OK;
    }
    bool again = strike.struck;
    if (again && armed.effect == POWER_FAILS) {
        return SQLITE_OK;
    }
    if (!again) {
        strike = (struct power_strike){true, call, handle != NULL && handle->log, offset};
    }
    off = armed.effect == POWER_CUT;
    return off ? code_when_off : armed.code;
}

void power_vfs_arm(const struct power_fault *fault)
{
    lock();
    armed = fault == NULL ? (struct power_fault){.at = 0} : *fault;
    strike = (struct power_strike){.struck = false};
    counted = 0;
    memset(counts, 0, sizeof counts);
    (void)unlock(SQLITE_OK);
}

void power_vfs_watch(void (*new_watcher)(enum power_call call, bool log))
{
    watcher = new_watcher;
}

void power_vfs_cut(void)
{
    lock();
    off = true;
    strike.struck = true;
    (void)unlock(SQLITE_OK);
}

struct power_strike power_vfs_strike(void)
{
    lock();
    struct power_strike found = strike;
    (void)unlock(SQLITE_OK);
    return found;
}

uint64_t power_vfs_count(unsigned calls)
{
    uint64_t count = 0;
    lock();
    for (size_t bit = 0; bit < sizeof counts / sizeof counts[0]; bit++) {
        count += (calls & (1U << bit)) != 0 ? counts[bit] : 0;
    }
    (void)unlock(SQLITE_OK);
    return count;
}

struct power_sums power_vfs_sums(void)
{
    lock();
    struct power_sums found = sums;
    (void)unlock(SQLITE_OK);
    return found;
}

/* -- Reading and writing -------------------------------------------------------------------------------------- */

static int vfs_read(sqlite3_file *base, void *out, int length, sqlite3_int64 offset)
{
    struct handle *handle = (struct handle *)base;
    watch(POWER_READ, handle);
    lock();
    int code = meet(POWER_READ, handle, (size_t)offset, SQLITE_IOERR_READ);
    if (code == SQLITE_OK && power_file_read(handle->file, out, (size_t)length, (size_t)offset) < (size_t)length) {
        code = SQLITE_IOERR_SHORT_READ;
    }
    return unlock(code);
}

static void note_write(const struct handle *handle, size_t offset)
{
    sums.database_writes += !handle->log;
    sums.log_restarts += handle->log && offset == 0;
}

/* The write at which the power goes was under way: it counts as not synced. */
static int vfs_write(sqlite3_file *base, const void *data, int length, sqlite3_int64 offset)
{
    struct handle *handle = (struct handle *)base;
    watch(POWER_WRITE, handle);
    lock();
    bool was_off = off;
    int code = meet(POWER_WRITE, handle, (size_t)offset, SQLITE_IOERR_WRITE);
    if (code == SQLITE_OK || (off && !was_off)) {
        note_write(handle, (size_t)offset);
        power_file_write(handle->file, data, (size_t)length, (size_t)offset);
    } else if (!off && armed.half) {
        power_file_write(handle->file, data, (size_t)length / 2, (size_t)offset);
    }
    return unlock(code);
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct handle *handle = (struct handle *)base;
    watch(POWER_TRUNCATE, handle);
    lock();
    int code = meet(POWER_TRUNCATE, handle, (size_t)size, SQLITE_IOERR_TRUNCATE);
    if (code == SQLITE_OK) {
        sums.log_truncates += handle->log;
        power_file_truncate(handle->file, (size_t)size);
    }
    return unlock(code);
}

/* As on a real system, the first sync of a new log or journal syncs the folder, and that of the database does not. */
static int vfs_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    struct handle *handle = (struct handle *)base;
    watch(POWER_SYNC, handle);
    lock();
    int code = meet(POWER_SYNC, handle, 0, SQLITE_IOERR_FSYNC);
    if (code == SQLITE_OK) {
        power_file_sync(handle->file);
    }
    if (code == SQLITE_OK && handle->syncs_folder) {
        handle->syncs_folder = false;
        code = meet(POWER_SYNC, NULL, 0, SQLITE_IOERR_DIR_FSYNC);
        if (code == SQLITE_OK) {
            power_disk_sync_folder(disk);
        }
    }
    return unlock(code);
}

static int vfs_size(sqlite3_file *base, sqlite3_int64 *out)
{
    lock();
    *out = (sqlite3_int64)power_file_size(((struct handle *)base)->file);
    return unlock(off ? SQLITE_IOERR_FSTAT : SQLITE_OK);
}

/* -- Locks of the file ---------------------------------------------------------------------------------------- */

static int highest_of_others(const struct handle *handle)
{
    int highest = SQLITE_LOCK_NONE;
    for (const struct handle *other = handle->node->handles; other != NULL; other = other->next) {
        highest = other != handle && other->level > highest ? other->level : highest;
    }
    return highest;
}

static int vfs_lock(sqlite3_file *base, int level)
{
    struct handle *handle = (struct handle *)base;
    lock();
    int others = highest_of_others(handle);
    bool taken = level == SQLITE_LOCK_SHARED     ? others >= SQLITE_LOCK_PENDING
                 : level == SQLITE_LOCK_RESERVED ? others >= SQLITE_LOCK_RESERVED
                                                 : others >= SQLITE_LOCK_SHARED;
    if (!taken && level > handle->level) {
        handle->level = level;
    }
    return unlock(taken ? SQLITE_BUSY : SQLITE_OK);
}

static int vfs_unlock(sqlite3_file *base, int level)
{
    struct handle *handle = (struct handle *)base;
    lock();
    handle->level = level < handle->level ? level : handle->level;
    return unlock(SQLITE_OK);
}

static int vfs_is_reserved(sqlite3_file *base, int *out)
{
    lock();
    *out = highest_of_others((struct handle *)base) >= SQLITE_LOCK_RESERVED;
    return unlock(SQLITE_OK);
}

static int vfs_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *base)
{
    (void)base;
    return 512;
}

/* Nothing is promised: no atomic writes, no safe appends. */
static int vfs_characteristics(sqlite3_file *base)
{
    (void)base;
    return 0;
}

/* -- Shared memory, which does not outlive its users ---------------------------------------------------------- */

static int vfs_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct handle *handle = (struct handle *)base;
    struct node *node = handle->node;
    lock();
    assert(region < REGIONS_MAX);
    if (!handle->maps) {
        handle->maps = true;
        node->region_users++;
    }
    if (node->regions[region] == NULL && extend != 0) {
        node->regions[region] = calloc(1, (size_t)size);
        assert(node->regions[region] != NULL);
    }
    *out = node->regions[region];
    return unlock(SQLITE_OK);
}

static bool can_take(const struct handle *handle, size_t place, bool exclusive)
{
    const struct node *node = handle->node;
    unsigned bit = 1U << place;
    bool mine_shared = (handle->shared_mask & bit) != 0;
    if (node->exclusive[place] && (handle->exclusive_mask & bit) == 0) {
        return false;
    }
    return !exclusive || node->shared[place] == (mine_shared ? 1U : 0U);
}

static void take(struct handle *handle, size_t place, bool exclusive)
{
    unsigned bit = 1U << place;
    if (exclusive) {
        handle->node->exclusive[place] = true;
        handle->exclusive_mask |= bit;
    } else if ((handle->shared_mask & bit) == 0) {
        handle->node->shared[place]++;
        handle->shared_mask |= bit;
    }
}

static void release(struct handle *handle, size_t place)
{
    unsigned bit = 1U << place;
    if ((handle->exclusive_mask & bit) != 0) {
        handle->node->exclusive[place] = false;
    }
    if ((handle->shared_mask & bit) != 0) {
        handle->node->shared[place]--;
    }
    handle->exclusive_mask &= ~bit;
    handle->shared_mask &= ~bit;
}

static int vfs_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    struct handle *handle = (struct handle *)base;
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    bool free_all = (flags & SQLITE_SHM_UNLOCK) != 0;
    bool can = true;
    bool checkpoint = !free_all && exclusive && offset == CHECKPOINT_LOCK && count == 1;
    if (checkpoint) {
        watch(POWER_CHECKPOINT, NULL);
    }
    lock();
    if (checkpoint && meet(POWER_CHECKPOINT, NULL, 0, SQLITE_IOERR_SHMLOCK) != SQLITE_OK) {
        return unlock(SQLITE_IOERR_SHMLOCK);
    }
    for (int i = offset; !free_all && i < offset + count; i++) {
        can = can && can_take(handle, (size_t)i, exclusive);
    }
    for (int i = offset; can && i < offset + count; i++) {
        if (free_all) {
            release(handle, (size_t)i);
        } else {
            take(handle, (size_t)i, exclusive);
        }
    }
    return unlock(can ? SQLITE_OK : SQLITE_BUSY);
}

static void vfs_shm_barrier(sqlite3_file *base)
{
    (void)base;
    lock();
    (void)unlock(SQLITE_OK);
}

static void stop_mapping(struct handle *handle)
{
    struct node *node = handle->node;
    for (size_t place = 0; place < SHARED_LOCKS; place++) {
        release(handle, place);
    }
    if (!handle->maps || --node->region_users > 0) {
        handle->maps = false;
        return;
    }
    handle->maps = false;
    for (size_t i = 0; i < REGIONS_MAX; i++) {
        free(node->regions[i]);
        node->regions[i] = NULL;
    }
}

static int vfs_shm_unmap(sqlite3_file *base, int remove)
{
    (void)remove;
    lock();
    stop_mapping((struct handle *)base);
    return unlock(SQLITE_OK);
}

/* -- Opening and closing -------------------------------------------------------------------------------------- */

static int vfs_close(sqlite3_file *base)
{
    struct handle *handle = (struct handle *)base;
    struct node *node = handle->node;
    lock();
    stop_mapping(handle);
    struct handle **place = &node->handles;
    while (*place != handle) {
        place = &(*place)->next;
    }
    *place = handle->next;
    node->handle_count--;
    if (node->handle_count == 0) {
        node->name[0] = '\0';
    }
    handle->base.pMethods = NULL;
    return unlock(SQLITE_OK);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_is_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

static struct node *node_of(const char *name)
{
    struct node *free_place = NULL;
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (strcmp(nodes[i].name, name) == 0) {
            return &nodes[i];
        }
        free_place = nodes[i].name[0] == '\0' ? &nodes[i] : free_place;
    }
    assert(free_place != NULL && strlen(name) < sizeof free_place->name);
    memset(free_place, 0, sizeof *free_place);
    memcpy(free_place->name, name, strlen(name) + 1);
    return free_place;
}

/* A file without a name is one that SQLite would delete at once; the store asks for none. */
static int vfs_open(sqlite3_vfs *self, const char *name, sqlite3_file *base, int flags, int *flags_out)
{
    (void)self;
    static const int journals = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
    struct handle *handle = (struct handle *)base;
    memset(handle, 0, sizeof *handle);
    assert(name != NULL);
    lock();
    bool may_create =
        (flags & SQLITE_OPEN_CREATE) != 0 || ((flags & SQLITE_OPEN_MAIN_DB) != 0 && access(name, F_OK) == 0);
    if (off || (!may_create && power_disk_find(disk, name) == NULL)) {
        return unlock(SQLITE_CANTOPEN);
    }
    bool created = false;
    handle->file = power_disk_open(disk, name, &created);
    handle->syncs_folder = created && (flags & journals) != 0;
    handle->log = (flags & SQLITE_OPEN_WAL) != 0;
    handle->node = node_of(name);
    handle->next = handle->node->handles;
    handle->node->handles = handle;
    handle->node->handle_count++;
    handle->base.pMethods = &methods;
    if (flags_out != NULL) {
        *flags_out = flags;
    }
    return unlock(SQLITE_OK);
}

static int vfs_delete(sqlite3_vfs *self, const char *name, int sync_folder)
{
    (void)self;
    watch(POWER_DELETE, NULL);
    lock();
    int code = meet(POWER_DELETE, NULL, 0, SQLITE_IOERR_DELETE);
    if (code == SQLITE_OK) {
        power_disk_delete(disk, name);
        if (sync_folder != 0) {
            power_disk_sync_folder(disk);
        }
    }
    return unlock(code);
}

static int vfs_access(sqlite3_vfs *self, const char *name, int flags, int *out)
{
    (void)self;
    lock();
    const struct power_file *file = power_disk_find(disk, name);
    *out = file != NULL && (flags != SQLITE_ACCESS_EXISTS || power_file_size(file) > 0);
    return unlock(off ? SQLITE_IOERR_ACCESS : SQLITE_OK);
}

/* The store's own sync of its folder. */
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    struct stat info;
    if (!installed || fstat(fd, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return __real_fsync(fd);
    }
    lock();
    int code = meet(POWER_SYNC, NULL, 0, SQLITE_IOERR_DIR_FSYNC);
    if (code == SQLITE_OK) {
        power_disk_sync_folder(disk);
    }
    errno = code == SQLITE_OK ? errno : EIO;
    return unlock(code) == SQLITE_OK ? 0 : -1;
}

/* -- The whole ------------------------------------------------------------------------------------------------ */

void power_vfs_install(void)
{
    system_vfs = sqlite3_vfs_find(NULL);
    vfs = *system_vfs;
    vfs.zName = "power";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct handle);
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    int code = sqlite3_vfs_register(&vfs, 1);
    assert(code == SQLITE_OK);
    installed = true;
    power_vfs_set_disk(NULL);
}

void power_vfs_remove(void)
{
    (void)sqlite3_vfs_unregister(&vfs);
    installed = false;
    power_disk_free(disk);
    disk = NULL;
}

void power_vfs_set_disk(struct power_disk *new_disk)
{
    lock();
    power_disk_free(disk);
    disk = new_disk == NULL ? power_disk_create() : new_disk;
    off = false;
    (void)unlock(SQLITE_OK);
    power_vfs_arm(NULL);
}

const struct power_disk *power_vfs_disk(void)
{
    return disk;
}

bool power_vfs_write_out(const char *folder)
{
    return power_disk_write_out(disk, folder);
}

static void unlink_stand_in(const char *name)
{
    (void)unlink(name);
}

void power_vfs_restore(enum power_remains remains, uint64_t *dice)
{
    lock();
    power_disk_cut(disk, remains, dice, unlink_stand_in);
    off = false;
    (void)unlock(SQLITE_OK);
    power_vfs_arm(NULL);
}
