/* unary.h - unary calls: the way of a message from its bytes to its answer.
 *
 * A stored method becomes a command of the writer: the duplicate table, the time, the case's handler, the signed reply
 * and the log, in one transaction; it is answered when that is durable. A direct method is answered at once.
 *
 * Runs on poll threads and never waits; answers leave from the writer thread. */
#ifndef COLOAN_API_UNARY_H
#define COLOAN_API_UNARY_H

#include "libcoloan/rpc.h"

/* `user` is a struct api_endpoint. */
cl_rpc_handler api_unary;

#endif
