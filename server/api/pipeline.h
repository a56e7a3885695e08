/* pipeline.h - from the bytes of a call to a checked message, in the fixed order of checks; and refusals.
 *
 * Who is it, how often does it call, is it signed by whom the connection says, for this call: steps 1 to 8, on the poll
 * thread, before anything of the message is believed. The scan of the body and the disclosures (11) are done here too,
 * but their failure is carried along: the duplicate table and the time (9, 10) come first and need the store.
 *
 * Owner: a request owns its arena, in which everything of it lives; free it with api_request_free. Any thread, one at a
 * time. Fails: with the reason to be told, unsigned as long as the sender is not proven. */
#ifndef COLOAN_API_PIPELINE_H
#define COLOAN_API_PIPELINE_H

#include "libcoloan/arena.h"
#include "libcoloan/envelope.h"
#include "libcoloan/refusal.h"
#include "server/api/limiter.h"
#include "server/api/methods.h"
#include "server/cases/cases.h"

/* Who calls, as the connection proves it. Set by whoever hands connections over (the gate). PEER_UNKNOWN,
 * CERTIFICATE_REVOKED, CERTIFICATE_EXPIRED. Any thread; must be cheap: it runs for every message. */
struct api_identity {
    struct cl_status (*identify)(void *user, const char *rpc_peer, char party_out[CL_PARTY_BYTES_MAX + 1]);
    void *user;
};

struct api_pipeline {
    const struct centre *centre;
    struct api_identity identity;
    struct api_limiter *limiter;
};

struct api_request {
    struct cl_arena *arena;
    const struct api_method *method;
    char sender[CL_PARTY_BYTES_MAX + 1];
    enum cl_party_kind sender_kind;
    struct cl_opened opened;
    struct cl_status body_status; /* of step 11 */
    ProtobufCMessage *body;       /* with body_status OK */
    int64_t received_ms;
};

/* Identity and rate: before the message is looked at. `sender_out` has CL_PARTY_BYTES_MAX + 1 bytes. */
CL_MUST_CHECK struct cl_status api_identify(char *sender_out, const struct api_pipeline *pipeline,
                                            const char *rpc_peer);

/* Steps 1 to 8 and 11. On failure `proven_out` says whether the sender is proven, so that the refusal can be signed;
 * then `out` holds enough for api_refuse and has to be freed as after success. */
CL_MUST_CHECK struct cl_status api_open(struct api_request *out, bool *proven_out, const struct api_pipeline *pipeline,
                                        const struct api_method *method, const char *sender, struct cl_bytes message);

void api_request_free(struct api_request *request);

/* The details of a refusal: signed when `request` is not NULL. `field` "": none. */
void api_refuse(struct cl_refusal_details *out, const struct centre *centre, const struct api_request *request,
                struct cl_status reason, const char *field);

#endif
