#include "demo/banklog.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct banklog {
    FILE *files[BANKLOG_FILES_MAX];
    size_t file_count;
    json_t *received; /* application id -> Unix ms */
};

struct banklog *banklog_open(const char *const *paths, size_t path_count)
{
    struct banklog *log = path_count > BANKLOG_FILES_MAX ? NULL : calloc(1, sizeof *log);
    if (log == NULL) {
        return NULL;
    }
    log->received = json_object();
    for (; log->file_count < path_count; log->file_count++) {
        log->files[log->file_count] = fopen(paths[log->file_count], "re");
        if (log->files[log->file_count] == NULL) {
            banklog_close(log);
            return NULL;
        }
    }
    return log;
}

void banklog_close(struct banklog *log)
{
    if (log == NULL) {
        return;
    }
    for (size_t i = 0; i < log->file_count; i++) {
        (void)fclose(log->files[i]);
    }
    json_decref(log->received);
    free(log);
}

static void take_line(struct banklog *log, const char *line)
{
    json_t *entry = json_loads(line, 0, NULL);
    const char *what = json_string_value(json_object_get(entry, "what"));
    const char *application = json_string_value(json_object_get(entry, "application"));
    if (what != NULL && application != NULL && strcmp(what, "joint") == 0 &&
        json_object_get(log->received, application) == NULL) {
        (void)json_object_set(log->received, application, json_object_get(entry, "receivedMs"));
    }
    json_decref(entry);
}

/* A line that is only half there is read again when it has grown. */
static void follow_file(struct banklog *log, FILE *file)
{
    char line[1024];
    for (;;) {
        long start = ftell(file);
        if (fgets(line, sizeof line, file) == NULL || strchr(line, '\n') == NULL) {
            (void)fseek(file, start, SEEK_SET);
            clearerr(file);
            return;
        }
        take_line(log, line);
    }
}

void banklog_follow(struct banklog *log)
{
    for (size_t i = 0; i < log->file_count; i++) {
        follow_file(log, log->files[i]);
    }
}

int64_t banklog_received_ms(const struct banklog *log, const char *application_id)
{
    return json_integer_value(json_object_get(log->received, application_id));
}
