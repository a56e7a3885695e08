/* loan_reasons.h - why a loan came out as it did: codes, severities and texts of loan_reasons.def.
 *
 * Not to be mixed with status.h: a refused loan is a decision, a refused message is a status.
 * Values only: static rows, any thread, cannot fail. */
#ifndef COLOAN_LOAN_REASONS_H
#define COLOAN_LOAN_REASONS_H

#define CL_LOAN_REASON_CODE_CHARS_MAX 16

enum cl_loan_reason {
    CL_LOAN_NONE = 0,
#define CL_LOAN_REASON(name, code, severity, en, zh) CL_LOAN_##name,
#include "libcoloan/loan_reasons.def"
#undef CL_LOAN_REASON
    CL_LOAN_REASON_COUNT,
};

/* From light to heavy; the heaviest of a decision's reasons is its verdict. The numbers are coloan.v1.Severity's. */
enum cl_severity {
    CL_SEVERITY_NONE = 0,
    CL_SEVERITY_INFO = 1,       /* a limit was applied, or worth knowing */
    CL_SEVERITY_SUPPLEMENT = 2, /* the borrower can mend it */
    CL_SEVERITY_MANUAL = 3,     /* an officer has to look */
    CL_SEVERITY_REJECT = 4,
};

struct cl_loan_reason_info {
    enum cl_loan_reason reason;
    const char *code; /* "AMT-CAP" */
    enum cl_severity severity;
    const char *text_en;
    const char *text_zh;
};

/* The row of `reason`. CL_LOAN_NONE, and a number without a row, have one too: code "", severity NONE, empty texts. */
const struct cl_loan_reason_info *cl_loan_reason_info(enum cl_loan_reason reason);

/* The row with that code, or NULL. */
const struct cl_loan_reason_info *cl_loan_reason_find(const char *code);

/* Row `index` in the table's order, or NULL past the end. */
const struct cl_loan_reason_info *cl_loan_reason_at(unsigned index);

static inline const char *cl_loan_reason_code(enum cl_loan_reason reason)
{
    return cl_loan_reason_info(reason)->code;
}

static inline enum cl_severity cl_loan_reason_severity(enum cl_loan_reason reason)
{
    return cl_loan_reason_info(reason)->severity;
}

#endif
