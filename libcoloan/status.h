/* status.h - the one result type of the whole program.
 *
 * A function that can fail because of a peer, a disk, the network or a file returns struct cl_status and nothing else; the
 * compiler insists that it is looked at. A mistake in our own code is an assert, on in release builds too.
 * The reasons, their numbers, gRPC codes, retry rules and public texts are rows of reasons.def.
 *
 * Values only: no ownership, any thread, cannot fail. */
#ifndef COLOAN_STATUS_H
#define COLOAN_STATUS_H

#include <stdbool.h>
#include <stdint.h>

enum cl_reason {
    CL_OK = 0,
#define CL_REASON(name, number, grpc, retry, en, zh) CL_##name = number,
#include "libcoloan/reasons.def"
#undef CL_REASON
};

/* The canonical gRPC status codes (grpc/status.h has the same numbers). */
enum cl_grpc_code {
    CL_GRPC_OK = 0,
    CL_GRPC_CANCELLED = 1,
    CL_GRPC_UNKNOWN = 2,
    CL_GRPC_INVALID_ARGUMENT = 3,
    CL_GRPC_DEADLINE_EXCEEDED = 4,
    CL_GRPC_NOT_FOUND = 5,
    CL_GRPC_ALREADY_EXISTS = 6,
    CL_GRPC_PERMISSION_DENIED = 7,
    CL_GRPC_RESOURCE_EXHAUSTED = 8,
    CL_GRPC_FAILED_PRECONDITION = 9,
    CL_GRPC_ABORTED = 10,
    CL_GRPC_OUT_OF_RANGE = 11,
    CL_GRPC_UNIMPLEMENTED = 12,
    CL_GRPC_INTERNAL = 13,
    CL_GRPC_UNAVAILABLE = 14,
    CL_GRPC_DATA_LOSS = 15,
    CL_GRPC_UNAUTHENTICATED = 16,
};

enum cl_retry {
    CL_RETRY_NEVER,
    CL_RETRY_DELAY, /* the same bytes again, later */
    CL_RETRY_FIX,   /* a corrected, new message */
};

struct cl_status {
    enum cl_reason reason;
};

/* One row of reasons.def. All texts are static. */
struct cl_reason_info {
    enum cl_reason reason;
    const char *name; /* "MESSAGE_ID_REUSED" */
    enum cl_grpc_code grpc_code;
    enum cl_retry retry;
    const char *text_en;
    const char *text_zh;
};

#define CL_MUST_CHECK __attribute__((warn_unused_result))

static inline struct cl_status cl_ok(void)
{
    return (struct cl_status){CL_OK};
}

static inline struct cl_status cl_fail(enum cl_reason reason)
{
    return (struct cl_status){reason};
}

static inline bool cl_is_ok(struct cl_status status)
{
    return status.reason == CL_OK;
}

static inline bool cl_failed(struct cl_status status)
{
    return status.reason != CL_OK;
}

/* The row of `reason`. CL_OK has one too, named "OK"; a number without a row gives INTERNAL's. */
const struct cl_reason_info *cl_reason_info(enum cl_reason reason);

/* The row of that name, or NULL. */
const struct cl_reason_info *cl_reason_find(const char *name);

/* Row `index` in the table's order, or NULL past the end: for documents and tests that walk all reasons. */
const struct cl_reason_info *cl_reason_at(unsigned index);

/* "MESSAGE_ID_REUSED", for logs. */
static inline const char *cl_status_name(struct cl_status status)
{
    return cl_reason_info(status.reason)->name;
}

#endif
