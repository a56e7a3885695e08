#include "server/cases/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "libcoloan/ids.h"
#include "libcoloan/limits.h"

enum { PAGE_DEFAULT = 50 };

static bool read_token(struct page *page, const char *token)
{
    if (token[0] == '\0') {
        return true;
    }
    char *end = NULL;
    long long at_ms = strtoll(token, &end, 10);
    struct cl_uuid id;
    if (end == token || *end != '/' || at_ms < 0 || cl_failed(cl_uuid7_parse(&id, end + 1))) {
        return false;
    }
    page->after_ms = at_ms;
    page->after_id = end + 1;
    return true;
}

struct cl_status page_read(struct page *out, struct case_tx *tx, uint32_t page_size, const char *token)
{
    struct page page = {.limit = (page_size == 0 ? PAGE_DEFAULT : page_size) + 1};
    if (page_size > CL_LIST_PAGE_MAX) {
        return case_blame(tx, CL_FIELD_INVALID, "page_size");
    }
    if (!read_token(&page, token)) {
        return case_blame(tx, CL_PAGE_TOKEN_INVALID, "page_token");
    }
    *out = page;
    return cl_ok();
}

struct cl_status page_token(char **out, struct cl_arena *arena, int64_t at_ms, const char *id)
{
    char token[CL_UUID_TEXT_BYTES + 24];
    (void)snprintf(token, sizeof token, "%" PRId64 "/%s", at_ms, id);
    *out = cl_arena_text(arena, token);
    return *out == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}
