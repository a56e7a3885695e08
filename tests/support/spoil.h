/* spoil.h - a good text file with one thing changed, and what its reader must say of it. For tests of files that
 * operators write. Aborts on failures of its own; spoil_check fails the test. */
#ifndef COLOAN_TESTS_SPOIL_H
#define COLOAN_TESTS_SPOIL_H

#include <stddef.h>

#include "libcoloan/status.h"

#define SPOIL_WORDS_MAX 4

struct spoil {
    const char *name;
    const char *find, *put;             /* the first `find` becomes `put` */
    const char *words[SPOIL_WORDS_MAX]; /* each stands in the message; ended by NULL */
};

void spoil_folder(char *out, size_t size); /* makes one under /tmp */
char *spoil_read(const char *path);        /* the caller's to free */

/* Writes the spoilt text; returns the line of the change. */
unsigned spoil_write(const char *path, const char *good, const struct spoil *spoil);

/* CONFIG_INVALID, with the file's path, that line (0: any) and the words in the message. */
void spoil_check(const struct spoil *spoil, struct cl_status status, const char *message, const char *path,
                 unsigned line);

#endif
