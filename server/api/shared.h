/* shared.h - what the files of this room share. Private to server/api. */
#ifndef COLOAN_API_SHARED_H
#define COLOAN_API_SHARED_H

#include "server/api/api.h"
#include "server/api/effects.h"
#include "server/api/health.h"
#include "server/api/reflection.h"
#include "server/api/schedule.h"

/* A method of a running api; `user` of the rpc method is one of these. */
struct api_endpoint {
    struct api *api;
    const struct api_method *method;
    size_t index; /* of the method, in api_method_at and the counters */
};

enum { API_BESIDE_COUNT = 3 }; /* Health's two methods, reflection's one */

struct api {
    const struct cases *cases;
    const struct centre *centre;
    struct store *store;
    struct source *source;
    struct push *push;
    struct effects *effects;
    struct schedule *schedule;
    struct api_pipeline pipeline;
    struct api_counters counters;
    struct api_meter meter;
    struct contract contract;
    struct health *health;
    struct reflection reflection;
    struct api_endpoint endpoints[API_METHOD_COUNT];
    struct cl_rpc_method rpc_methods[API_METHOD_COUNT + API_BESIDE_COUNT];
};

static inline void api_count(atomic_uint_least64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The request's row of the message log; `reply` is in the log already, or NULL: none yet. */
CL_MUST_CHECK struct cl_status api_log_received(const struct api_request *request, struct case_tx *tx,
                                                const char *application_id, const struct cl_digest *reply);

/* As api_refuse, and counts it. */
void api_refuse_counted(struct cl_refusal_details *out, struct api *api, const struct api_request *request,
                        struct cl_status reason, const char *field);

/* Ends the call with the reason's details; signed when `request` is not NULL, whose sender is proven then. */
void api_finish_refused(struct api *api, struct cl_rpc_call *call, const struct api_request *request,
                        struct cl_status reason, const char *field);

#endif
