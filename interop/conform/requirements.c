/* A requirement is a line "- **COL-XXX-NNN** text" of the specification. */
#include "interop/conform/requirements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUIREMENTS_MAX = 1000 };

struct conform_requirements {
    struct conform_requirement *list;
    size_t count;
};

static const char BEFORE[] = "- **COL-";
static const char BEHIND[] = "** ";

/* The id and the text of a line; false: it is no requirement. */
static bool take_line(char id[16], const char **text_out, size_t *len_out, const char *line, size_t len)
{
    const char *end = line + len;
    const char *from = line + strlen("- **");
    if (len < sizeof BEFORE || memcmp(line, BEFORE, sizeof BEFORE - 1) != 0) {
        return false;
    }
    const char *behind = memmem(from, (size_t)(end - from), BEHIND, sizeof BEHIND - 1);
    if (behind == NULL || (size_t)(behind - from) > 15) {
        return false;
    }
    (void)snprintf(id, 16, "%.*s", (int)(behind - from), from);
    *text_out = behind + sizeof BEHIND - 1;
    *len_out = (size_t)(end - *text_out);
    return true;
}

typedef bool taker(struct conform_requirements *requirements, const char *id, const char *text, size_t len);

static bool each_line(struct conform_requirements *requirements, const char *text, size_t len, taker *take)
{
    const char *end = text + len;
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline == NULL ? end : newline;
        char id[16];
        const char *words = NULL;
        size_t words_len = 0;
        if (take_line(id, &words, &words_len, line, (size_t)(stop - line)) &&
            !take(requirements, id, words, words_len)) {
            return false;
        }
        line = stop + 1;
    }
    return true;
}

static bool take_english(struct conform_requirements *requirements, const char *id, const char *text, size_t len)
{
    struct conform_requirement *next = &requirements->list[requirements->count];
    if (requirements->count == REQUIREMENTS_MAX) {
        return false;
    }
    (void)snprintf(next->id, sizeof next->id, "%s", id);
    next->en = strndup(text, len);
    next->zh = strdup("");
    next->must = next->en != NULL && strstr(next->en, "MUST") != NULL;
    requirements->count++;
    return next->en != NULL && next->zh != NULL;
}

static struct conform_requirement *find(const struct conform_requirements *requirements, const char *id)
{
    for (size_t i = 0; i < requirements->count; i++) {
        if (strcmp(requirements->list[i].id, id) == 0) {
            return &requirements->list[i];
        }
    }
    return NULL;
}

static bool take_chinese(struct conform_requirements *requirements, const char *id, const char *text, size_t len)
{
    struct conform_requirement *one = find(requirements, id);
    if (one == NULL) {
        return true;
    }
    free(one->zh);
    one->zh = strndup(text, len);
    return one->zh != NULL;
}

struct conform_requirements *conform_requirements_create(void)
{
    struct conform_requirements *requirements = calloc(1, sizeof *requirements);
    if (requirements == NULL) {
        return NULL;
    }
    requirements->list = calloc(REQUIREMENTS_MAX, sizeof *requirements->list);
    if (requirements->list == NULL ||
        !each_line(requirements, (const char *)conform_spec_en, conform_spec_en_len, take_english) ||
        !each_line(requirements, (const char *)conform_spec_zh, conform_spec_zh_len, take_chinese)) {
        conform_requirements_free(requirements);
        return NULL;
    }
    return requirements;
}

void conform_requirements_free(struct conform_requirements *requirements)
{
    if (requirements == NULL) {
        return;
    }
    for (size_t i = 0; i < requirements->count; i++) {
        free(requirements->list[i].en);
        free(requirements->list[i].zh);
    }
    free(requirements->list);
    free(requirements);
}

size_t conform_requirements_count(const struct conform_requirements *requirements)
{
    return requirements->count;
}

const struct conform_requirement *conform_requirements_at(const struct conform_requirements *requirements, size_t index)
{
    return &requirements->list[index];
}

const struct conform_requirement *conform_requirements_find(const struct conform_requirements *requirements,
                                                            const char *id)
{
    return find(requirements, id);
}
