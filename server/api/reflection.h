/* reflection.h - grpc.reflection.v1alpha.ServerReflection: what services there are and how their messages look, for
 * tools like grpcurl.
 *
 * Answers come from the compiled contract alone: list_services, file_by_filename, file_containing_symbol. There are no
 * extensions, so questions about them get an error_response, as everything unknown does. Callers need a certificate,
 * but sign nothing. One file an answer; a tool asks for its imports by name.
 *
 * Runs on poll threads and never waits. */
#ifndef COLOAN_API_REFLECTION_H
#define COLOAN_API_REFLECTION_H

#include "libcoloan/rpc.h"
#include "server/api/contract.h"
#include "server/api/pipeline.h"

struct reflection {
    const struct api_pipeline *pipeline;
    const struct contract *contract;
};

/* `user` is a struct reflection. */
cl_rpc_handler reflection_info;

#endif
