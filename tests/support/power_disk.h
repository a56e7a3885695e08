/* power_disk.h - a disk in memory that loses its power: it knows of every file what was synced and what was written
 * since, so that it can tell what may be left after a cut.
 *
 * What is synced stays. Of what is not, anything may be left: nothing, all, some of the writes and not those before
 * them, some 512-byte sectors of a write, a length without its bytes. A new name may be gone and a deleted one back
 * until the folder was synced. There is one folder.
 *
 * Owner: power_disk_free frees all; a file lives as long as its disk. Threads: one at a time. Aborts without memory: it
 * is not what is tested. */
#ifndef COLOAN_TESTS_POWER_DISK_H
#define COLOAN_TESTS_POWER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct power_disk;
struct power_file;

struct power_disk *power_disk_create(void);
void power_disk_free(struct power_disk *disk); /* NULL is fine */

/* The same files, as they are. */
struct power_disk *power_disk_copy(const struct power_disk *disk);

/* -- Names ---------------------------------------------------------------------------------------------------- */

/* NULL when there is no such file. */
struct power_file *power_disk_find(struct power_disk *disk, const char *name);
/* The file of that name, which is made when there is none; `*created_out` says so. */
struct power_file *power_disk_open(struct power_disk *disk, const char *name, bool *created_out);
void power_disk_delete(struct power_disk *disk, const char *name); /* fine when there is none */
void power_disk_sync_folder(struct power_disk *disk);

/* -- A file --------------------------------------------------------------------------------------------------- */

size_t power_file_size(const struct power_file *file);
/* How many bytes there were; the rest of `out` is zeros. */
size_t power_file_read(const struct power_file *file, void *out, size_t length, size_t offset);
void power_file_write(struct power_file *file, const void *data, size_t length, size_t offset);
void power_file_truncate(struct power_file *file, size_t size);
void power_file_sync(struct power_file *file);

/* -- A cut ---------------------------------------------------------------------------------------------------- */

enum power_remains {
    POWER_NOTHING,    /* what was synced and no more */
    POWER_EVERYTHING, /* as if only the process had been killed */
    POWER_SOME,       /* each write as a whole or not */
    POWER_TORN,       /* each 512-byte sector of each write or not; what a longer file did not get is zeros */
    POWER_GARBAGE,    /* the same, but what it did not get is anything */
    POWER_REMAINS_COUNT
};

/* The power goes and comes back: what is left is what there is. `dice` is the state of campaign_dice. Calls `gone` for
 * each name that vanished. */
void power_disk_cut(struct power_disk *disk, enum power_remains remains, uint64_t *dice,
                    void (*gone)(const char *name));

/* Writes all files into a real folder, for somebody to look at. */
bool power_disk_write_out(struct power_disk *disk, const char *folder);

#endif
