/* refusal.h - the details of a failed call: the bytes of "grpc-status-details-bin".
 *
 * They are a google.rpc.Status with one ErrorInfo (the reason's name, domain "coloan.v1"), a LocalizedMessage in
 * Chinese, RetryInfo where the same bytes may be sent again later, BadRequest where a field is to blame, and, for a
 * refusal that was signed, the whole envelope. Only the envelope is evidence; the rest is advice to the caller.
 *
 * Any thread. The reader is made for hostile bytes: it allocates nothing, and what it returns borrows from its input.
 */
#ifndef COLOAN_REFUSAL_H
#define COLOAN_REFUSAL_H

#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

/* What fits beside the other trailers in CL_METADATA_BYTES_MAX, also after base64 made it a third longer. */
#define CL_REFUSAL_DETAILS_BYTES_MAX 4096
#define CL_REFUSAL_FIELD_BYTES_MAX   128
#define CL_REFUSAL_DOMAIN            "coloan.v1"

struct cl_refusal {
    struct cl_status status;
    int64_t retry_after_ms;   /* 0: not said */
    const char *field;        /* path of the field to mend; NULL: none */
    struct cl_bytes envelope; /* a signed refusal; empty: none */
};

struct cl_refusal_details {
    uint8_t bytes[CL_REFUSAL_DETAILS_BYTES_MAX];
    size_t len;
};

/* Packs the details. For a reason whose retry rule is DELAY, retry_after_ms 0 becomes CL_RETRY_MS_DEFAULT; for any
 * other it is not sent. An envelope that does not fit is left out. Cannot fail. */
void cl_refusal_build(struct cl_refusal_details *out, const struct cl_refusal *refusal);

/* What `cl_refusal_build` wrote, or another server did. */
struct cl_refusal_read {
    struct cl_status status; /* INTERNAL when the reason's name is not in our table */
    int64_t retry_after_ms;
    char field[CL_REFUSAL_FIELD_BYTES_MAX]; /* empty: none */
    struct cl_bytes envelope;               /* borrowed from `details`; empty: none */
};

/* WIRE_MALFORMED when the bytes are not a Status, MESSAGE_TOO_LARGE past the size, FIELD_MISSING without exactly one
 * ErrorInfo of our domain, FIELD_INVALID when one of its values is out of range. */
CL_MUST_CHECK struct cl_status cl_refusal_read(struct cl_refusal_read *out, struct cl_bytes details);

#endif
