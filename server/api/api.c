#include "server/api/api.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/deliver.h"
#include "server/api/protoset.h"
#include "server/api/shared.h"
#include "server/api/unary.h"
#include "server/api/upload.h"

/* -- Shared -------------------------------------------------------------------------------------------------- */

struct cl_status api_log_received(const struct api_request *request, struct case_tx *tx, const char *application_id,
                                  const struct cl_digest *reply)
{
    return case_keep_received(tx, &request->opened, application_id, reply);
}

static void count_refusal(struct api *api, struct cl_status status)
{
    for (unsigned i = 0; i < API_REASON_COUNT; i++) {
        if (cl_reason_at(i)->reason == status.reason) {
            api_count(&api->counters.refusals[i]);
            return;
        }
    }
}

void api_refuse_counted(struct cl_refusal_details *out, struct api *api, const struct api_request *request,
                        struct cl_status reason, const char *field)
{
    api_refuse(out, api->centre, request, reason, field);
    count_refusal(api, reason);
}

void api_finish_refused(struct api *api, struct cl_rpc_call *call, const struct api_request *request,
                        struct cl_status reason, const char *field)
{
    struct cl_refusal_details details;
    api_refuse_counted(&details, api, request, reason, field);
    cl_rpc_finish(call, reason, cl_bytes(details.bytes, details.len));
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

/* How gRPC carries a method, and what takes its messages. */
static struct cl_rpc_method rpc_method_of(const struct api_method *method)
{
    switch (method->way) {
    case API_STREAM:
        return (struct cl_rpc_method){.shape = CL_RPC_BIDI, .handler = api_deliver};
    case API_UPLOAD:
        return (struct cl_rpc_method){.shape = CL_RPC_CLIENT_STREAM, .handler = api_upload};
    case API_STORED:
    case API_DIRECT:
        break;
    }
    return (struct cl_rpc_method){.shape = CL_RPC_UNARY, .handler = api_unary};
}

static void make_methods(struct api *api)
{
    for (size_t i = 0; i < API_METHOD_COUNT; i++) {
        const struct api_method *method = api_method_at(i);
        api->endpoints[i] = (struct api_endpoint){.api = api, .method = method, .index = i};
        api->rpc_methods[i] = rpc_method_of(method);
        api->rpc_methods[i].path = method->path;
        api->rpc_methods[i].user = &api->endpoints[i];
    }
}

/* What stands beside the contract's own methods: in gRPC's messages, unsigned. */
static void make_methods_beside(struct api *api)
{
    api->reflection = (struct reflection){.pipeline = &api->pipeline, .contract = &api->contract};
    struct cl_rpc_method *beside = &api->rpc_methods[API_METHOD_COUNT];
    beside[0] = (struct cl_rpc_method){"/grpc.health.v1.Health/Check", CL_RPC_UNARY, health_check, api->health};
    beside[1] = (struct cl_rpc_method){"/grpc.health.v1.Health/Watch", CL_RPC_SERVER_STREAM, health_watch, api->health};
    beside[2] = (struct cl_rpc_method){"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", CL_RPC_BIDI,
                                       reflection_info, &api->reflection};
}

static struct cl_status make_beside(struct api *api)
{
    struct cl_status status = contract_read(&api->contract, cl_bytes(api_protoset, api_protoset_len));
    assert(cl_is_ok(status)); /* our own build's */
    status = health_create(&api->health, &api->pipeline, &api->contract);
    if (cl_is_ok(status)) {
        make_methods_beside(api);
    }
    return status;
}

static struct cl_status ask_source(void *user, struct source_inquiry *inquiry)
{
    return source_ask(((struct api *)user)->source, inquiry);
}

static void notify_push(void *user, const char *party, uint64_t sequence)
{
    push_notify(((struct api *)user)->push, party, sequence);
}

static void tell_push(void *user, const struct case_delivery *delivery)
{
    struct push *push = ((struct api *)user)->push;
    switch (delivery->said) {
    case CASE_NOTHING_SAID:
        return;
    case CASE_RECEIVED:
        push_received(push, delivery->recipient, delivery->sequence);
        return;
    case CASE_REFUSED:
        push_refused(push, delivery->recipient, delivery->sequence);
        return;
    case CASE_STEERED:
        push_look(push, delivery->recipient);
        return;
    }
}

struct cl_status api_create(struct api **out, const struct api_options *options)
{
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    api->cases = options->cases;
    api->centre = options->cases->centre;
    api->store = options->store;
    api->source = options->source;
    api->push = options->push;
    api->meter = options->meter;
    api->pipeline = (struct api_pipeline){.centre = api->centre, .identity = options->identity};
    make_methods(api);
    const struct api_outlets usual = {.ask = ask_source, .notify = notify_push, .tell = tell_push, .user = api};
    struct effects_options effects = {.cases = options->cases,
                                      .store = options->store,
                                      .outlets = options->outlets == NULL ? usual : *options->outlets,
                                      .counters = &api->counters,
                                      .notified = options->listener.notified,
                                      .notified_user = options->listener.user,
                                      .decided = options->meter.decided,
                                      .decided_user = options->meter.user};
    struct cl_status status = make_beside(api);
    if (cl_is_ok(status)) {
        status = effects_create(&api->effects, &effects);
    }
    if (cl_is_ok(status)) {
        struct schedule_options schedule = {
            .cases = options->cases, .store = options->store, .effects = api->effects, .counters = &api->counters};
        status = schedule_create(&api->schedule, &schedule);
    }
    if (cl_is_ok(status)) {
        status = api_limiter_create(&api->pipeline.limiter, options->calls_per_second, options->burst);
    }
    if (cl_failed(status)) {
        api_free(api);
        return status;
    }
    *out = api;
    return cl_ok();
}

void api_free(struct api *api)
{
    if (api == NULL) {
        return;
    }
    health_free(api->health);
    schedule_free(api->schedule);
    effects_free(api->effects);
    api_limiter_free(api->pipeline.limiter);
    free(api);
}

const struct cl_rpc_method *api_rpc_methods(const struct api *api, size_t *count_out)
{
    *count_out = API_METHOD_COUNT + API_BESIDE_COUNT;
    return api->rpc_methods;
}

struct api_counters *api_counters(struct api *api)
{
    return &api->counters;
}

void api_set_serving(struct api *api, bool serving)
{
    health_set(api->health, serving);
}

void api_stop(struct api *api)
{
    health_stop(api->health);
}

void api_carry_out(struct api *api, struct case_effect *effect)
{
    effects_carry_out(api->effects, effect);
}

struct cl_status api_sweep(struct api *api)
{
    return effects_sweep(api->effects);
}

struct cl_status api_look(struct api *api)
{
    return schedule_look(api->schedule);
}
