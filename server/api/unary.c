#include "server/api/unary.h"

#include "server/api/exchange.h"
#include "server/api/shared.h"

/* `user` is the call, referenced. */
static void answered(void *user, const struct exchange_answer *answer)
{
    struct cl_rpc_call *call = user;
    if (cl_is_ok(answer->status)) {
        cl_rpc_reply(call, answer->reply);
    } else {
        cl_rpc_finish(call, answer->status, cl_bytes(answer->refusal->bytes, answer->refusal->len));
    }
    cl_rpc_call_unref(call);
}

void api_unary(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    const struct api_endpoint *endpoint = user;
    exchange_begin(
        endpoint->api, endpoint->index,
        &(struct exchange_call){
            .peer = cl_rpc_call_peer(call), .message = message, .answered = answered, .user = cl_rpc_call_ref(call)});
}
