#include "libcoloan/loan_reasons.h"

#include <stddef.h>
#include <string.h>

/* The enum numbers the rows from 1 in their order, so a row stands at its number less one. */
static const struct cl_loan_reason_info rows[] = {
#define CL_LOAN_REASON(name, code, severity, en, zh) {CL_LOAN_##name, code, CL_SEVERITY_##severity, en, zh},
#include "libcoloan/loan_reasons.def"
#undef CL_LOAN_REASON
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

_Static_assert((int)ROW_COUNT + 1 == (int)CL_LOAN_REASON_COUNT, "one row for each number from 1");

static const struct cl_loan_reason_info none = {CL_LOAN_NONE, "", CL_SEVERITY_NONE, "", ""};

const struct cl_loan_reason_info *cl_loan_reason_at(unsigned index)
{
    return index < ROW_COUNT ? &rows[index] : NULL;
}

const struct cl_loan_reason_info *cl_loan_reason_info(enum cl_loan_reason reason)
{
    const struct cl_loan_reason_info *row = cl_loan_reason_at((unsigned)reason - 1);
    return row != NULL ? row : &none;
}

const struct cl_loan_reason_info *cl_loan_reason_find(const char *code)
{
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].code, code) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}
