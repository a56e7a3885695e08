/* unary.h - unary calls: an exchange (exchange.h) over a gRPC call.
 *
 * Runs on poll threads and never waits; answers leave from there or from the writer thread. */
#ifndef COLOAN_API_UNARY_H
#define COLOAN_API_UNARY_H

#include "libcoloan/rpc.h"

/* `user` is a struct api_endpoint. */
cl_rpc_handler api_unary;

#endif
