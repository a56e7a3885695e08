/* api.h - the centre's services on a gRPC server: makes the methods, keeps what their handlers share.
 *
 * Owner: whoever created it frees it, after the rpc server and the store have stopped. Threads: see unary.h, deliver.h.
 * Fails: creation only. */
#ifndef COLOAN_API_API_H
#define COLOAN_API_API_H

#include <stdatomic.h>

#include "libcoloan/rpc.h"
#include "server/api/pipeline.h"
#include "server/cases/cases.h"
#include "server/push/push.h"
#include "server/source/source.h"
#include "server/store/store.h"

/* What is counted for operators. */
struct api_counters {
    atomic_uint_least64_t calls, replies, repeats, refusals;
};

/* Read by create; what it points to outlives the api. */
struct api_options {
    const struct cases *cases;
    struct store *store;
    struct source *source;
    struct push *push;
    struct api_identity identity;
    uint32_t calls_per_second, burst; /* of one party */
};

struct api;

CL_MUST_CHECK struct cl_status api_create(struct api **out, const struct api_options *options);
void api_free(struct api *api); /* NULL is fine */

/* The methods for cl_rpc_server_create, borrowed from the api. */
const struct cl_rpc_method *api_rpc_methods(const struct api *api, size_t *count_out);

/* Borrowed; read with atomic loads. */
const struct api_counters *api_counters(const struct api *api);

/* Asks again what a restart or an overload left open: to be called at start and every few seconds. Any thread. */
CL_MUST_CHECK struct cl_status api_sweep(struct api *api);

#endif
