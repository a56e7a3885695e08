/* page.h - a list's page: how many rows, and after which one.
 *
 * A page token is "<ms>/<id>" of the last row of the page before, in the order of the list: it gives nothing away that
 * the row did not. Pure; see cases.h. */
#ifndef COLOAN_CASES_PAGE_H
#define COLOAN_CASES_PAGE_H

#include "server/cases/cases.h"

struct page {
    size_t limit;         /* rows to look for: one more than the page holds tells whether there is another */
    int64_t after_ms;     /* with after_id */
    const char *after_id; /* in the token; NULL: the first page */
};

/* What a query asks for. FIELD_INVALID or PAGE_TOKEN_INVALID, which name the field. */
CL_MUST_CHECK struct cl_status page_read(struct page *out, struct case_tx *tx, uint32_t page_size, const char *token);

/* The token of the page after this row, in `arena`. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status page_token(char **out, struct cl_arena *arena, int64_t at_ms, const char *id);

#endif
