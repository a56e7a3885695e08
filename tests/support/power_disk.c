/* A file is what was synced, what a reader sees now, and the list of changes that lead from one to the other. */
#include "tests/support/power_disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/campaign.h"

enum {
    SECTOR_BYTES = 512,
    FILES_MAX = 8, /* a database, its log, and what else SQLite may want */
    NAME_BYTES = 160,
    ROOM_MIN = 4096,
};

struct bytes {
    uint8_t *data;
    size_t length, room;
};

/* `length` bytes at `at` of the file's `written`; or, without, a truncation to `offset`. */
struct change {
    bool truncates;
    size_t offset, length, at;
};

struct power_file {
    char name[NAME_BYTES]; /* empty: the place is free */
    bool named;            /* a reader finds it */
    bool named_durably;    /* it is found after a cut */
    struct bytes seen, synced, written;
    struct change *changes;
    size_t change_count, change_room;
};

struct power_disk {
    struct power_file files[FILES_MAX];
};

/* -- Bytes ---------------------------------------------------------------------------------------------------- */

static void make_room(struct bytes *bytes, size_t length)
{
    if (length <= bytes->room) {
        return;
    }
    size_t room = bytes->room == 0 ? ROOM_MIN : bytes->room;
    while (room < length) {
        room *= 2;
    }
    bytes->data = realloc(bytes->data, room);
    assert(bytes->data != NULL);
    bytes->room = room;
}

static void set_length(struct bytes *bytes, size_t length)
{
    make_room(bytes, length);
    if (length > bytes->length) {
        memset(bytes->data + bytes->length, 0, length - bytes->length);
    }
    bytes->length = length;
}

static void put(struct bytes *bytes, const void *data, size_t length, size_t offset)
{
    if (offset + length > bytes->length) {
        set_length(bytes, offset + length);
    }
    memcpy(bytes->data + offset, data, length);
}

static void copy_bytes(struct bytes *to, const struct bytes *from)
{
    make_room(to, from->length);
    if (from->length > 0) {
        memcpy(to->data, from->data, from->length);
    }
    to->length = from->length;
}

/* -- Disks ---------------------------------------------------------------------------------------------------- */

struct power_disk *power_disk_create(void)
{
    struct power_disk *disk = calloc(1, sizeof *disk);
    assert(disk != NULL);
    return disk;
}

void power_disk_free(struct power_disk *disk)
{
    for (size_t i = 0; disk != NULL && i < FILES_MAX; i++) {
        struct power_file *file = &disk->files[i];
        free(file->seen.data);
        free(file->synced.data);
        free(file->written.data);
        free(file->changes);
    }
    free(disk);
}

static struct change *add_change(struct power_file *file)
{
    if (file->change_count == file->change_room) {
        file->change_room = file->change_room == 0 ? 64 : 2 * file->change_room;
        file->changes = realloc(file->changes, file->change_room * sizeof *file->changes);
        assert(file->changes != NULL);
    }
    return &file->changes[file->change_count++];
}

struct power_disk *power_disk_copy(const struct power_disk *disk)
{
    struct power_disk *copy = power_disk_create();
    for (size_t i = 0; i < FILES_MAX; i++) {
        const struct power_file *from = &disk->files[i];
        struct power_file *to = &copy->files[i];
        memcpy(to->name, from->name, sizeof to->name);
        to->named = from->named;
        to->named_durably = from->named_durably;
        copy_bytes(&to->seen, &from->seen);
        copy_bytes(&to->synced, &from->synced);
        copy_bytes(&to->written, &from->written);
        for (size_t change = 0; change < from->change_count; change++) {
            *add_change(to) = from->changes[change];
        }
    }
    return copy;
}

/* -- Names ---------------------------------------------------------------------------------------------------- */

static struct power_file *place_of(struct power_disk *disk, const char *name)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (strcmp(disk->files[i].name, name) == 0) {
            return &disk->files[i];
        }
    }
    return NULL;
}

struct power_file *power_disk_find(struct power_disk *disk, const char *name)
{
    struct power_file *file = place_of(disk, name);
    return file != NULL && file->named ? file : NULL;
}

/* A deleted file keeps what is synced until the folder is, because its name may come back. A new one of that name is
 * taken to come back with it, emptied: a cut may bring the old bytes. */
struct power_file *power_disk_open(struct power_disk *disk, const char *name, bool *created_out)
{
    struct power_file *file = place_of(disk, name);
    if (file == NULL) {
        file = place_of(disk, "");
        assert(file != NULL && strlen(name) < NAME_BYTES);
        (void)snprintf(file->name, sizeof file->name, "%s", name);
    }
    *created_out = !file->named;
    if (!file->named) {
        file->named = true;
        power_file_truncate(file, 0);
    }
    return file;
}

void power_disk_delete(struct power_disk *disk, const char *name)
{
    struct power_file *file = power_disk_find(disk, name);
    if (file != NULL) {
        file->named = false;
    }
}

static void forget_content(struct power_file *file)
{
    file->seen.length = file->synced.length = file->written.length = 0;
    file->change_count = 0;
}

void power_disk_sync_folder(struct power_disk *disk)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct power_file *file = &disk->files[i];
        file->named_durably = file->named;
        if (!file->named) {
            forget_content(file);
        }
    }
}

/* -- A file --------------------------------------------------------------------------------------------------- */

size_t power_file_size(const struct power_file *file)
{
    return file->seen.length;
}

size_t power_file_read(const struct power_file *file, void *out, size_t length, size_t offset)
{
    size_t there = offset >= file->seen.length ? 0 : file->seen.length - offset;
    size_t got = there < length ? there : length;
    if (got > 0) {
        memcpy(out, file->seen.data + offset, got);
    }
    memset((uint8_t *)out + got, 0, length - got);
    return got;
}

void power_file_write(struct power_file *file, const void *data, size_t length, size_t offset)
{
    *add_change(file) = (struct change){.offset = offset, .length = length, .at = file->written.length};
    put(&file->written, data, length, file->written.length);
    put(&file->seen, data, length, offset);
}

void power_file_truncate(struct power_file *file, size_t size)
{
    *add_change(file) = (struct change){.truncates = true, .offset = size};
    set_length(&file->seen, size);
}

static void apply(struct power_file *file, const struct change *change)
{
    if (change->truncates) {
        set_length(&file->synced, change->offset);
        return;
    }
    put(&file->synced, file->written.data + change->at, change->length, change->offset);
}

static void forget_changes(struct power_file *file)
{
    file->change_count = 0;
    file->written.length = 0;
}

void power_file_sync(struct power_file *file)
{
    for (size_t i = 0; i < file->change_count; i++) {
        apply(file, &file->changes[i]);
    }
    forget_changes(file);
}

/* -- A cut ---------------------------------------------------------------------------------------------------- */

static void fill(struct power_file *file, size_t offset, size_t length, enum power_remains remains, uint64_t *dice)
{
    size_t old = file->synced.length;
    if (offset + length <= old) {
        return;
    }
    set_length(&file->synced, offset + length);
    for (size_t at = old; remains == POWER_GARBAGE && at < file->synced.length; at++) {
        file->synced.data[at] = (uint8_t)campaign_dice(dice, 256);
    }
}

/* Sectors are the disk's, so a write that begins inside one shares it with what stood there. */
static void apply_torn(struct power_file *file, const struct change *change, enum power_remains remains, uint64_t *dice)
{
    size_t done = 0;
    while (done < change->length) {
        size_t at = change->offset + done;
        size_t length = SECTOR_BYTES - at % SECTOR_BYTES;
        length = length < change->length - done ? length : change->length - done;
        if (campaign_dice(dice, 2) == 0) {
            fill(file, at, length, remains, dice);
            put(&file->synced, file->written.data + change->at + done, length, at);
        }
        done += length;
    }
    if (campaign_dice(dice, 4) == 0) { /* the length without the bytes */
        fill(file, change->offset, change->length, remains, dice);
    }
}

static void cut_file(struct power_file *file, enum power_remains remains, uint64_t *dice)
{
    for (size_t i = 0; i < file->change_count; i++) {
        const struct change *change = &file->changes[i];
        bool torn = remains == POWER_TORN || remains == POWER_GARBAGE;
        if (torn && !change->truncates) {
            apply_torn(file, change, remains, dice);
        } else if (remains == POWER_EVERYTHING || (remains != POWER_NOTHING && campaign_dice(dice, 2) == 0)) {
            apply(file, change);
        }
    }
    forget_changes(file);
    copy_bytes(&file->seen, &file->synced);
}

void power_disk_cut(struct power_disk *disk, enum power_remains remains, uint64_t *dice, void (*gone)(const char *name))
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct power_file *file = &disk->files[i];
        bool was = file->named;
        cut_file(file, remains, dice);
        if (file->named != file->named_durably) {
            bool new_wins = remains == POWER_EVERYTHING || (remains != POWER_NOTHING && campaign_dice(dice, 2) == 0);
            file->named = new_wins ? file->named : file->named_durably;
        }
        file->named_durably = file->named;
        if (!file->named) {
            forget_content(file);
        }
        if (was && !file->named) {
            gone(file->name);
        }
    }
}

bool power_disk_write_out(struct power_disk *disk, const char *folder)
{
    bool written = true;
    for (size_t i = 0; i < FILES_MAX; i++) {
        char path[2 * NAME_BYTES];
        const struct power_file *file = &disk->files[i];
        const char *slash = strrchr(file->name, '/');
        if (!file->named) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", folder, slash == NULL ? file->name : slash + 1);
        FILE *out = fopen(path, "wbe");
        written = out != NULL && fwrite(file->seen.data, 1, file->seen.length, out) == file->seen.length && written;
        written = out != NULL && fclose(out) == 0 && written;
    }
    return written;
}
