#include "server/whole_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

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
