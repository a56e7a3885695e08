#include <stdlib.h>
#include <string.h>

#include "server/source/items.h"

/* A century, so that sums of times cannot overflow. */
#define VALID_MS_MAX (INT64_C(100) * 366 * 24 * 3600 * 1000)

static size_t inquiry_size(size_t question_max)
{
    return sizeof(struct source_inquiry) + question_max * sizeof(struct source_question);
}

struct cl_status source_inquiry_create(struct source_inquiry **out, size_t question_max)
{
    if (question_max > CL_ITEM_RESULTS_MAX) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct source_inquiry *inquiry = calloc(1, inquiry_size(question_max));
    if (inquiry == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    inquiry->question_max = question_max;
    *out = inquiry;
    return cl_ok();
}

void source_inquiry_free(struct source_inquiry *inquiry)
{
    if (inquiry == NULL) {
        return;
    }
    explicit_bzero(inquiry, inquiry_size(inquiry->question_max));
    free(inquiry);
}

struct cl_status source_text(char *out, size_t out_size, const void *value, size_t len)
{
    out[0] = '\0';
    if (len >= out_size || (len > 0 && memchr(value, '\0', len) != NULL)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    if (len > 0) {
        memcpy(out, value, len);
    }
    out[len] = '\0';
    return cl_ok();
}

struct cl_status source_inquiry_add(struct source_inquiry *inquiry, enum source_item item, unsigned person,
                                    int64_t valid_ms)
{
    const struct source_item_row *row = source_item_row(item);
    if (row == NULL || inquiry->question_count == inquiry->question_max || valid_ms < 0 || valid_ms > VALID_MS_MAX) {
        return cl_fail(CL_FIELD_INVALID);
    }
    unsigned about = row->per_person ? person : 0;
    if (about >= inquiry->person_count || inquiry->person_count > CL_PERSONS_MAX) {
        return cl_fail(CL_FIELD_INVALID);
    }
    inquiry->questions[inquiry->question_count++] =
        (struct source_question){.item = item, .person = about, .valid_ms = valid_ms, .inquiry = inquiry};
    return cl_ok();
}
