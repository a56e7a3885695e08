/* A record on disk: length of the rest (u32), kind (u8), sequence (u64), number (i64), digest (32), text length (u8),
 * text, bytes, and the first 8 bytes of the SHA-256 of all that. Numbers are big-endian. */
#include "client/bank/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/sha256.h"

enum {
    HEAD_BYTES = 4,
    FIXED_BYTES = 1 + 8 + 8 + CL_DIGEST_BYTES + 1,
    CHECK_BYTES = 8,
    RECORD_BYTES_MAX = FIXED_BYTES + CL_TEXT_BYTES_MAX + CL_MESSAGE_BYTES_MAX + CHECK_BYTES,
    WAITING_BYTES_MAX = 64 * 1024 * 1024 /* records not yet written; some hundred full ones */
};

struct bank_journal {
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t written;
    uint8_t *waiting; /* records behind `durable` that nobody writes yet */
    size_t waiting_len, waiting_room;
    uint64_t appended, durable; /* tickets */
    bool writing, failed;
};

/* -- Bytes ---------------------------------------------------------------------------------------------------- */

static void put(uint8_t **at, uint64_t value, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        *(*at)++ = (uint8_t)(value >> (i - 1) * 8);
    }
}

static uint64_t get(const uint8_t **at, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | *(*at)++;
    }
    return value;
}

static void put_bytes(uint8_t **at, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(*at, data, len);
    }
    *at += len;
}

static size_t record_size(const struct bank_record *record)
{
    return HEAD_BYTES + FIXED_BYTES + (record->text == NULL ? 0 : strlen(record->text)) + record->bytes.len +
           CHECK_BYTES;
}

static void encode(uint8_t *out, const struct bank_record *record)
{
    struct cl_digest check;
    uint8_t *at = out;
    size_t text_len = record->text == NULL ? 0 : strlen(record->text);
    put(&at, record_size(record) - HEAD_BYTES, HEAD_BYTES);
    put(&at, record->kind, 1);
    put(&at, record->sequence, 8);
    put(&at, (uint64_t)record->number, 8);
    put_bytes(&at, record->digest.bytes, CL_DIGEST_BYTES);
    put(&at, text_len, 1);
    put_bytes(&at, record->text, text_len);
    put_bytes(&at, record->bytes.data, record->bytes.len);
    cl_sha256(&check, cl_bytes(out, (size_t)(at - out)));
    put_bytes(&at, check.bytes, CHECK_BYTES);
}

/* `data` is one whole record with its head. */
static bool decode(struct bank_record *out, char text[CL_TEXT_BYTES_MAX + 1], const uint8_t *data, size_t len)
{
    struct cl_digest check;
    cl_sha256(&check, cl_bytes(data, len - CHECK_BYTES));
    if (memcmp(check.bytes, data + len - CHECK_BYTES, CHECK_BYTES) != 0) {
        return false;
    }
    const uint8_t *at = data + HEAD_BYTES;
    *out = (struct bank_record){.kind = (enum bank_record_kind)get(&at, 1), .text = text};
    out->sequence = get(&at, 8);
    out->number = (int64_t)get(&at, 8);
    memcpy(out->digest.bytes, at, CL_DIGEST_BYTES);
    at += CL_DIGEST_BYTES;
    size_t text_len = (size_t)get(&at, 1);
    size_t rest = len - HEAD_BYTES - FIXED_BYTES - CHECK_BYTES;
    if (text_len > CL_TEXT_BYTES_MAX || text_len > rest) {
        return false;
    }
    memcpy(text, at, text_len);
    text[text_len] = '\0';
    out->bytes = cl_bytes(at + text_len, rest - text_len);
    return true;
}

/* -- Opening -------------------------------------------------------------------------------------------------- */

/* Up to `len` bytes at `offset`; fewer at the end of the file, -1 when the disk fails. */
static ssize_t read_at(int fd, uint8_t *out, size_t len, off_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t got = pread(fd, out + done, len - done, offset + (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -1 : (ssize_t)done;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* A file system may leave a tail of zeros behind a crash. */
static bool rest_is_zero(int fd, uint8_t *buffer, off_t at, off_t size)
{
    while (at < size) {
        ssize_t got = read_at(fd, buffer, RECORD_BYTES_MAX, at);
        for (ssize_t i = 0; i < got; i++) {
            if (buffer[i] != 0) {
                return false;
            }
        }
        if (got <= 0) {
            return false;
        }
        at += got;
    }
    return true;
}

/* Reads record by record; `*end_out` is where the last whole one ends. */
static struct cl_status replay_all(off_t *end_out, int fd, off_t size, uint8_t *buffer, bank_journal_replay *replay,
                                   void *user)
{
    off_t at = 0;
    while (at < size) {
        struct bank_record record;
        char text[CL_TEXT_BYTES_MAX + 1];
        const uint8_t *head = buffer;
        ssize_t got = read_at(fd, buffer, HEAD_BYTES, at);
        if (got != HEAD_BYTES) {
            *end_out = at;
            return got < 0 ? cl_fail(CL_STORE_FAILED) : cl_ok();
        }
        size_t len = (size_t)get(&head, HEAD_BYTES);
        bool possible = len >= FIXED_BYTES + CHECK_BYTES && len <= RECORD_BYTES_MAX;
        if (!possible && size - at > HEAD_BYTES && !rest_is_zero(fd, buffer, at, size)) {
            return cl_fail(CL_CONFIG_INVALID);
        }
        off_t next = at + HEAD_BYTES + (off_t)len;
        got = possible ? read_at(fd, buffer + HEAD_BYTES, len, at + HEAD_BYTES) : 0;
        if (got < 0) {
            return cl_fail(CL_STORE_FAILED);
        }
        bool whole = possible && (size_t)got == len && decode(&record, text, buffer, HEAD_BYTES + len);
        if (!whole && possible && next < size) {
            return cl_fail(CL_CONFIG_INVALID); /* damaged in the middle: not what a crash leaves */
        }
        if (!whole) {
            *end_out = at;
            return cl_ok();
        }
        struct cl_status status = replay(user, &record);
        if (cl_failed(status)) {
            return status;
        }
        at = next;
    }
    *end_out = at;
    return cl_ok();
}

static struct cl_status prepare_file(int fd, bank_journal_replay *replay, void *user)
{
    struct stat about;
    off_t end = 0;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    uint8_t *buffer = malloc(HEAD_BYTES + RECORD_BYTES_MAX);
    if (buffer == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status =
        fstat(fd, &about) == 0 ? replay_all(&end, fd, about.st_size, buffer, replay, user) : cl_fail(CL_STORE_FAILED);
    explicit_bzero(buffer, HEAD_BYTES + RECORD_BYTES_MAX);
    free(buffer);
    if (cl_is_ok(status) && (ftruncate(fd, end) != 0 || lseek(fd, end, SEEK_SET) != end || fsync(fd) != 0)) {
        return cl_fail(CL_STORE_FAILED);
    }
    return status;
}

/* So that a new file's name is durable too. */
static bool sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : (size_t)(slash - path) + 1;
    if (len >= sizeof folder) {
        return false;
    }
    memcpy(folder, slash == NULL ? "." : path, len);
    folder[len] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return synced;
}

struct cl_status bank_journal_open(struct bank_journal **out, const char *path, bank_journal_replay *replay, void *user)
{
    struct bank_journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    (void)pthread_mutex_init(&journal->lock, NULL);
    (void)pthread_cond_init(&journal->written, NULL);
    journal->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct cl_status status =
        journal->fd < 0 || !sync_folder(path) ? cl_fail(CL_STORE_FAILED) : prepare_file(journal->fd, replay, user);
    if (cl_failed(status)) {
        bank_journal_close(journal);
        return status;
    }
    *out = journal;
    return cl_ok();
}

void bank_journal_close(struct bank_journal *journal)
{
    if (journal == NULL) {
        return;
    }
    if (journal->fd >= 0) {
        (void)close(journal->fd);
    }
    free(journal->waiting);
    (void)pthread_cond_destroy(&journal->written);
    (void)pthread_mutex_destroy(&journal->lock);
    free(journal);
}

/* -- Appending ------------------------------------------------------------------------------------------------ */

static bool make_room(struct bank_journal *journal, size_t more)
{
    size_t wanted = journal->waiting_len + more;
    if (wanted <= journal->waiting_room) {
        return true;
    }
    if (wanted > WAITING_BYTES_MAX) {
        return false;
    }
    size_t room = wanted * 2;
    uint8_t *grown = realloc(journal->waiting, room);
    if (grown == NULL) {
        return false;
    }
    journal->waiting = grown;
    journal->waiting_room = room;
    return true;
}

struct cl_status bank_journal_append(uint64_t *ticket_out, struct bank_journal *journal,
                                     const struct bank_record *record)
{
    size_t size = record_size(record);
    assert(record->text == NULL || strlen(record->text) <= CL_TEXT_BYTES_MAX);
    assert(size <= HEAD_BYTES + RECORD_BYTES_MAX);
    struct cl_status status = cl_ok();
    (void)pthread_mutex_lock(&journal->lock);
    if (journal->failed) {
        status = cl_fail(CL_STORE_FAILED);
    } else if (!make_room(journal, size)) {
        status = cl_fail(CL_MEMORY_LIMIT);
    } else {
        encode(journal->waiting + journal->waiting_len, record);
        journal->waiting_len += size;
        *ticket_out = ++journal->appended;
    }
    (void)pthread_mutex_unlock(&journal->lock);
    return status;
}

static bool write_out(int fd, const uint8_t *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t put_len = write(fd, data + done, len - done);
        if (put_len < 0 && errno != EINTR) {
            return false;
        }
        done += put_len < 0 ? 0 : (size_t)put_len;
    }
    return fdatasync(fd) == 0;
}

/* Takes all that waits and writes it with the lock open. The lock is held on entry and on return. */
static void write_for_all(struct bank_journal *journal)
{
    uint8_t *data = journal->waiting;
    size_t len = journal->waiting_len;
    uint64_t last = journal->appended;
    journal->waiting = NULL;
    journal->waiting_len = 0;
    journal->waiting_room = 0;
    journal->writing = true;
    (void)pthread_mutex_unlock(&journal->lock);
    bool good = write_out(journal->fd, data, len);
    if (data != NULL) {
        explicit_bzero(data, len);
    }
    free(data);
    (void)pthread_mutex_lock(&journal->lock);
    journal->writing = false;
    journal->failed = journal->failed || !good;
    journal->durable = good ? last : journal->durable;
    (void)pthread_cond_broadcast(&journal->written);
}

struct cl_status bank_journal_wait(struct bank_journal *journal, uint64_t ticket)
{
    (void)pthread_mutex_lock(&journal->lock);
    while (journal->durable < ticket && !journal->failed) {
        if (journal->writing) {
            (void)pthread_cond_wait(&journal->written, &journal->lock);
            continue;
        }
        write_for_all(journal);
    }
    bool durable = journal->durable >= ticket;
    (void)pthread_mutex_unlock(&journal->lock);
    return durable ? cl_ok() : cl_fail(CL_STORE_FAILED);
}

struct cl_status bank_journal_sync(struct bank_journal *journal)
{
    (void)pthread_mutex_lock(&journal->lock);
    uint64_t last = journal->appended;
    (void)pthread_mutex_unlock(&journal->lock);
    return bank_journal_wait(journal, last);
}

struct cl_status bank_journal_write(struct bank_journal *journal, const struct bank_record *record)
{
    uint64_t ticket = 0;
    struct cl_status status = bank_journal_append(&ticket, journal, record);
    return cl_failed(status) ? status : bank_journal_wait(journal, ticket);
}
