/* rpc_core.h - what the server half and the client half of rpc share. Private: only libcoloan/rpc_*.c include it. */
#ifndef COLOAN_RPC_CORE_H
#define COLOAN_RPC_CORE_H

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/rpc.h"
#include "libcoloan/status.h"

#define RPC_DETAILS_KEY "grpc-status-details-bin"

/* -- Library ------------------------------------------------------------------------------------------------- */

/* gRPC core is initialised while anybody holds it. Its log lines become lines of ours, without their text: it may quote
 * a peer. */
void rpc_library_acquire(void);
void rpc_library_release(void);

/* -- Channel arguments --------------------------------------------------------------------------------------- */

#define RPC_ARGUMENTS_MAX 48

struct rpc_arguments {
    grpc_arg list[RPC_ARGUMENTS_MAX];
    size_t count;
};

/* `overrides` (NULL: none) replace values of `table`. CONFIG_INVALID when one is not in it. */
CL_MUST_CHECK struct cl_status rpc_arguments_init(struct rpc_arguments *out, const struct cl_rpc_argument *table,
                                                  const struct cl_rpc_argument *overrides);
void rpc_arguments_add_text(struct rpc_arguments *arguments, const char *name, const char *value);
void rpc_arguments_add_pointer(struct rpc_arguments *arguments, const char *name, void *pointer,
                               const grpc_arg_pointer_vtable *vtable);
grpc_channel_args rpc_arguments_view(struct rpc_arguments *arguments);

/* -- Bytes --------------------------------------------------------------------------------------------------- */

/* A new buffer with a copy of the bytes. */
grpc_byte_buffer *rpc_buffer_of(struct cl_bytes bytes);

/* The bytes of a received message: borrowed from `buffer` when they lie in one piece, else gathered in `gathered`,
 * which is the caller's to unref. MESSAGE_COMPRESSED, MESSAGE_TOO_LARGE; `gathered` is an empty slice then. */
CL_MUST_CHECK struct cl_status rpc_buffer_bytes(struct cl_bytes *out, grpc_slice *gathered, grpc_byte_buffer *buffer);

static inline struct cl_bytes rpc_slice_bytes(const grpc_slice *slice)
{
    return cl_bytes(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

/* -- Time ---------------------------------------------------------------------------------------------------- */

/* CLOCK_MONOTONIC ms; CL_RPC_NO_DEADLINE for gRPC's infinite future. */
int64_t rpc_time_to_ms(gpr_timespec time);

/* The time `timeout_ms` from now; INT64_MAX: never. */
gpr_timespec rpc_time_after(int64_t timeout_ms);

#endif
