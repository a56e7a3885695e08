#include "server/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cl_status whole_file_read(uint8_t **out, size_t *len_out, const char *path, size_t bytes_max)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    uint8_t *bytes = malloc(bytes_max + 1);
    size_t len = bytes == NULL ? 0 : fread(bytes, 1, bytes_max + 1, file);
    bool whole = bytes != NULL && ferror(file) == 0 && len <= bytes_max;
    (void)fclose(file);
    if (!whole) {
        free(bytes);
        return cl_fail(CL_CONFIG_INVALID);
    }
    *out = bytes;
    *len_out = len;
    return cl_ok();
}

struct cl_status whole_file_read_text(char **out, const char *path, size_t bytes_max)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct cl_status status = whole_file_read(&bytes, &len, path, bytes_max);
    if (cl_failed(status)) {
        return status;
    }
    char *text = strndup((const char *)bytes, len);
    explicit_bzero(bytes, len);
    free(bytes);
    if (text == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = text;
    return cl_ok();
}

static bool write_all(int fd, struct cl_bytes bytes)
{
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t written = write(fd, bytes.data + done, bytes.len - done);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* The folder's entry is what a crash could lose; the file itself is synced before it gets its name. */
static bool sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int len = snprintf(folder, sizeof folder, "%.*s/.", slash == NULL ? 0 : (int)(slash - path), path);
    if (len < 0 || (size_t)len >= sizeof folder) {
        return false;
    }
    int fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    (void)close(fd);
    return synced;
}

struct cl_status whole_file_write(const char *path, struct cl_bytes bytes)
{
    char draft[4096];
    int len = snprintf(draft, sizeof draft, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof draft) {
        errno = ENAMETOOLONG;
        return cl_fail(CL_SYSTEM);
    }
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return cl_fail(CL_SYSTEM);
    }
    bool written = write_all(fd, bytes) && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    if (!written || rename(draft, path) != 0) {
        int why = errno;
        (void)unlink(draft);
        errno = why;
        return cl_fail(CL_SYSTEM);
    }
    return sync_folder(path) ? cl_ok() : cl_fail(CL_SYSTEM);
}
