#include "server/moment.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_MS = 1000 };

/* Of the form: 'd' stands for a digit, anything else for itself. */
static bool has_form(const char *text, const char *form)
{
    for (; *form != '\0'; form++, text++) {
        bool fits = *form == 'd' ? *text >= '0' && *text <= '9' : *text == *form;
        if (!fits) {
            return false;
        }
    }
    return *text == '\0';
}

/* Of `count` digits. */
static int number_at(const char *text, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        number = 10 * number + (text[i] - '0');
    }
    return number;
}

struct cl_status moment_read(int64_t *out_ms, const char *text)
{
    bool fraction = has_form(text, "dddd-dd-ddTdd:dd:dd.dddZ");
    if (!fraction && !has_form(text, "dddd-dd-ddTdd:dd:ddZ")) {
        return cl_fail(CL_FIELD_INVALID);
    }
    struct tm written = {.tm_year = number_at(text, 4) - 1900,
                         .tm_mon = number_at(text + 5, 2) - 1,
                         .tm_mday = number_at(text + 8, 2),
                         .tm_hour = number_at(text + 11, 2),
                         .tm_min = number_at(text + 14, 2),
                         .tm_sec = number_at(text + 17, 2)};
    struct tm there = written;
    time_t seconds = timegm(&there); /* carries over what is too much, which then shows */
    bool same = there.tm_year == written.tm_year && there.tm_mon == written.tm_mon &&
                there.tm_mday == written.tm_mday && there.tm_hour == written.tm_hour &&
                there.tm_min == written.tm_min && there.tm_sec == written.tm_sec;
    if (!same || seconds < 0) {
        return cl_fail(CL_FIELD_INVALID);
    }
    *out_ms = (int64_t)seconds * SECOND_MS + (fraction ? number_at(text + 20, 3) : 0);
    return cl_ok();
}

static int take_apart(struct tm *out, int64_t unix_ms)
{
    int64_t ms = unix_ms % SECOND_MS;
    time_t seconds = (time_t)(unix_ms / SECOND_MS) - (ms < 0 ? 1 : 0);
    (void)gmtime_r(&seconds, out);
    return (int)(ms < 0 ? ms + SECOND_MS : ms);
}

void moment_write(char out[MOMENT_TEXT_BYTES], int64_t unix_ms)
{
    struct tm day;
    int ms = take_apart(&day, unix_ms);
    size_t len = strftime(out, MOMENT_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &day);
    (void)snprintf(out + len, MOMENT_TEXT_BYTES - len, ".%03dZ", ms);
}

void moment_name(char out[MOMENT_TEXT_BYTES], int64_t unix_ms)
{
    struct tm day;
    int ms = take_apart(&day, unix_ms);
    size_t len = strftime(out, MOMENT_TEXT_BYTES, "%Y%m%dT%H%M%S", &day);
    (void)snprintf(out + len, MOMENT_TEXT_BYTES - len, "%03dZ", ms);
}
