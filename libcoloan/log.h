/* log.h - one JSON object per line on standard error: time, level, event, then the fields.
 *
 * Events and field names are constants of the code. Values are ids, numbers and reason names; never a personal value and never text a
 * peer chose freely. As a second lock, text values are cut at CL_LOG_TEXT_MAX bytes and everything but printable ASCII is
 * replaced by '?'. Any thread; a line is one write(2), so lines of several threads do not mix. Cannot fail: a line that cannot be
 * written is lost. */
#ifndef COLOAN_LOG_H
#define COLOAN_LOG_H

#include <stddef.h>
#include <stdint.h>

#define CL_LOG_TEXT_MAX 128

enum cl_log_level { CL_LOG_DEBUG, CL_LOG_INFO, CL_LOG_WARNING, CL_LOG_ERROR, CL_LOG_NONE };

struct cl_log_field {
    const char *name;
    const char *text; /* NULL: `number` holds */
    int64_t number;
};

static inline struct cl_log_field cl_log_text(const char *name, const char *text)
{
    return (struct cl_log_field){.name = name, .text = text == NULL ? "" : text};
}

static inline struct cl_log_field cl_log_number(const char *name, int64_t number)
{
    return (struct cl_log_field){.name = name, .number = number};
}

/* Lines below `level` are dropped; NONE drops all and is no level of a line. INFO at start. */
void cl_log_set_level(enum cl_log_level level);

void cl_log_write(enum cl_log_level level, const char *event, const struct cl_log_field *fields, size_t field_count);

/* cl_log(CL_LOG_INFO, "gate.accepted", cl_log_text("party", party), cl_log_number("connection", id)); */
#define cl_log(level, event, ...)                                                                                      \
    cl_log_write((level), (event), (const struct cl_log_field[]){__VA_ARGS__},                                         \
                 sizeof((const struct cl_log_field[]){__VA_ARGS__}) / sizeof(struct cl_log_field))

#endif
