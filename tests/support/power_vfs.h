/* power_vfs.h - SQLite on a power_disk: as its standard file system, so that what is tested opens it without knowing.
 * At a chosen call the power goes, or the call fails, once or from then on.
 *
 * Everything SQLite does is in memory. What the store does beside it - a look at the file, its lock, the free space -
 * is on the real file system, where an empty file stands for the database; the folder's fsync comes here by the linker
 * (-Wl,--wrap=fsync, which the library tests_power brings along).
 *
 * One for the process. Any thread may use SQLite on it; the functions here are one thread's, and all but power_vfs_arm
 * want every connection closed. */
#ifndef COLOAN_TESTS_POWER_VFS_H
#define COLOAN_TESTS_POWER_VFS_H

#include "tests/support/power_disk.h"

/* Becomes SQLite's standard file system; before anything else uses SQLite. */
void power_vfs_install(void);
void power_vfs_remove(void);

/* The disk under it; NULL: a new one. The one before is freed. */
void power_vfs_set_disk(struct power_disk *disk);
const struct power_disk *power_vfs_disk(void);
bool power_vfs_write_out(const char *folder);

/* -- Faults --------------------------------------------------------------------------------------------------- */

/* Kinds of calls; sets of them are or-ed. */
enum power_call {
    POWER_WRITE = 1,
    POWER_SYNC = 2, /* of a file or of the folder */
    POWER_TRUNCATE = 4,
    POWER_DELETE = 8,
    POWER_READ = 16,
    POWER_CHECKPOINT = 32, /* its lock is taken: one begins */
    POWER_CHANGES = POWER_WRITE | POWER_SYNC | POWER_TRUNCATE | POWER_DELETE,
};

enum power_effect {
    POWER_FAILS,          /* this call, and no other */
    POWER_FAILS_FOR_EVER, /* this call and all later ones of the kinds that count */
    POWER_CUT,            /* nothing works any more */
};

struct power_fault {
    unsigned calls; /* that count */
    uint64_t at;    /* the fault comes with the at-th of them from now on; 0: never */
    enum power_effect effect;
    int code;  /* SQLite's, of a call that fails */
    bool half; /* half of a write that fails was done */
};

void power_vfs_arm(const struct power_fault *fault); /* any thread; NULL: none */

/* Called before each call, on its thread, with nothing locked: it may wait. NULL: nobody is. Set while nobody works. */
void power_vfs_watch(void (*watch)(enum power_call call, bool log));

/* The power goes now, on the calling thread. */
void power_vfs_cut(void);

/* Where the fault came. */
struct power_strike {
    bool struck;
    enum power_call call; /* of the call it came with; 0: none */
    bool log;             /* the write-ahead log; else the database or the folder */
    size_t offset;
};
struct power_strike power_vfs_strike(void);

/* How often a call came since the last arming: what a fault could have met. */
uint64_t power_vfs_count(unsigned calls);

/* Of all the time: writes into the database file, which are checkpoints; logs that began anew; logs that were emptied. */
struct power_sums {
    uint64_t database_writes, log_restarts, log_truncates;
};
struct power_sums power_vfs_sums(void);

/* After a cut, all closed: the power comes back. */
void power_vfs_restore(enum power_remains remains, uint64_t *dice);

#endif
