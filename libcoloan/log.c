#include "libcoloan/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2048 };

static _Atomic int level_min = CL_LOG_INFO;

struct line {
    char text[LINE_BYTES_MAX];
    size_t len;
};

void cl_log_set_level(enum cl_log_level level)
{
    atomic_store(&level_min, (int)level);
}

static void append(struct line *line, const char *text)
{
    size_t len = strlen(text);
    if (len < sizeof line->text - 3 - line->len) { /* keep room for the closing "}\n" */
        memcpy(line->text + line->len, text, len);
        line->len += len;
    }
}

static void append_value(struct line *line, const char *text)
{
    char safe[CL_LOG_TEXT_MAX + 1];
    size_t len = 0;
    for (; text[len] != '\0' && len < CL_LOG_TEXT_MAX; len++) {
        char c = text[len];
        safe[len] = c >= ' ' && c <= '~' && c != '"' && c != '\\' ? c : '?';
    }
    safe[len] = '\0';
    append(line, "\"");
    append(line, safe);
    append(line, "\"");
}

static void append_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    char text[64];
    size_t len = strftime(text, sizeof text, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + len, sizeof text - len, ".%03ldZ\"", now.tv_nsec / 1000000);
    append(line, text);
}

void cl_log_write(enum cl_log_level level, const char *event, const struct cl_log_field *fields, size_t field_count)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    if ((int)level < atomic_load(&level_min)) {
        return;
    }
    struct line line = {.len = 0};
    append_time(&line);
    append(&line, ",\"level\":");
    append_value(&line, names[level]);
    append(&line, ",\"event\":");
    append_value(&line, event);
    for (size_t i = 0; i < field_count; i++) {
        append(&line, ",");
        append_value(&line, fields[i].name);
        append(&line, ":");
        if (fields[i].text != NULL) {
            append_value(&line, fields[i].text);
        } else {
            char number[24];
            (void)snprintf(number, sizeof number, "%" PRId64, fields[i].number);
            append(&line, number);
        }
    }
    line.text[line.len++] = '}';
    line.text[line.len++] = '\n';
    if (write(STDERR_FILENO, line.text, line.len) < 0) {
        return; /* nowhere left to say so */
    }
}
