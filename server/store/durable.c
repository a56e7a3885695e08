#include "server/store/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "libcoloan/log.h"

enum { PATH_BYTES_MAX = 4096 };

struct cl_status durable_own(int *fd_out, const char *database)
{
    char name[PATH_BYTES_MAX];
    int length = snprintf(name, sizeof name, "%s.lock", database);
    if (length < 0 || (size_t)length >= sizeof name) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        cl_log(CL_LOG_ERROR, "store.owned_by_another_process", cl_log_number("errno", errno));
        (void)close(fd);
        return cl_fail(CL_CONFIG_INVALID);
    }
    *fd_out = fd;
    return cl_ok();
}

struct cl_status durable_sync_folder(const char *path)
{
    char folder[PATH_BYTES_MAX];
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

bool durable_write(int fd, struct cl_bytes bytes, int64_t offset)
{
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t written = pwrite(fd, bytes.data + done, bytes.len - done, (off_t)offset + (off_t)done);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return true;
}

bool durable_read(int fd, uint8_t *out, size_t len, int64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t got = pread(fd, out + done, len - done, (off_t)offset + (off_t)done);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}
