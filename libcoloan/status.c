#include "libcoloan/status.h"

#include <stddef.h>
#include <string.h>

static const struct cl_reason_info ok_row = {CL_OK, "OK", CL_GRPC_OK, CL_RETRY_NEVER, "Done.", "成功。"};

static const struct cl_reason_info rows[] = {
#define CL_REASON(name, number, grpc, retry, en, zh) {CL_##name, #name, CL_GRPC_##grpc, CL_RETRY_##retry, en, zh},
#include "libcoloan/reasons.def"
#undef CL_REASON
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const struct cl_reason_info *cl_reason_at(unsigned index)
{
    return index < ROW_COUNT ? &rows[index] : NULL;
}

const struct cl_reason_info *cl_reason_info(enum cl_reason reason)
{
    if (reason == CL_OK) {
        return &ok_row;
    }
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        if (rows[i].reason == reason) {
            return &rows[i];
        }
    }
    return cl_reason_info(CL_INTERNAL);
}

const struct cl_reason_info *cl_reason_find(const char *name)
{
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}
