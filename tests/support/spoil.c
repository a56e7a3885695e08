#include "tests/support/spoil.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_BYTES_MAX = 64 * 1024 };

void spoil_folder(char *out, size_t size)
{
    (void)snprintf(out, size, "/tmp/coloan-spoil-XXXXXX");
    const char *made = mkdtemp(out);
    assert(made != NULL);
}

char *spoil_read(const char *path)
{
    FILE *file = fopen(path, "rbe");
    char *text = calloc(1, FILE_BYTES_MAX);
    assert(file != NULL && text != NULL);
    size_t len = fread(text, 1, FILE_BYTES_MAX - 1, file);
    assert(len > 0 && len < FILE_BYTES_MAX - 1);
    (void)fclose(file);
    return text;
}

unsigned spoil_write(const char *path, const char *good, const struct spoil *spoil)
{
    const char *found = strstr(good, spoil->find);
    FILE *file = fopen(path, "wbe");
    assert(found != NULL && file != NULL);
    int written = fprintf(file, "%.*s%s%s", (int)(found - good), good, spoil->put, found + strlen(spoil->find));
    int closed = fclose(file);
    assert(written > 0 && closed == 0);
    unsigned line = 1;
    for (const char *at = good; at < found; at++) {
        line += *at == '\n' ? 1 : 0;
    }
    return line;
}

void spoil_check(const struct spoil *spoil, struct cl_status status, const char *message, const char *path,
                 unsigned line)
{
    if (status.reason != CL_CONFIG_INVALID || strstr(message, path) == NULL) {
        fail_msg("%s: %s, \"%s\"", spoil->name, cl_status_name(status), message);
    }
    char place[160];
    (void)snprintf(place, sizeof place, "%s:%u", path, line);
    for (size_t i = 0; i < SPOIL_WORDS_MAX && spoil->words[i] != NULL; i++) {
        if (strstr(message, spoil->words[i]) == NULL) {
            fail_msg("%s: no \"%s\" in \"%s\"", spoil->name, spoil->words[i], message);
        }
    }
    if (line > 0 && spoil->words[0] != NULL && strncmp(spoil->put, spoil->words[0], strlen(spoil->words[0])) == 0 &&
        strstr(message, place) == NULL) {
        fail_msg("%s: not at %s: \"%s\"", spoil->name, place, message);
    }
}
