/* whole_file.h - a file of the configuration, read whole and with a cap, or put in place whole.
 *
 * The caller frees the bytes. Start-up and main thread. */
#ifndef COLOAN_SERVER_WHOLE_FILE_H
#define COLOAN_SERVER_WHOLE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

/* CONFIG_INVALID when it cannot be read, is larger than bytes_max, or there is no memory. */
CL_MUST_CHECK struct cl_status whole_file_read(uint8_t **out, size_t *len_out, const char *path, size_t bytes_max);

/* The same as a text, which ends at its first NUL. */
CL_MUST_CHECK struct cl_status whole_file_read_text(char **out, const char *path, size_t bytes_max);

/* Durable and at once: a reader sees the old file or the new one. Readable by all. SYSTEM, and errno says why. */
CL_MUST_CHECK struct cl_status whole_file_write(const char *path, struct cl_bytes bytes);

#endif
