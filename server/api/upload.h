/* upload.h - UploadDocument: a stream of chunks of one document, answered once.
 *
 * Every chunk passes the pipeline like a call of its own. Only one of a stream is on the way: the next is read when the
 * last one is durable, so that an upload can neither fill the writer's queue nor memory, and a party that sends faster is
 * slowed by the connection. Hashing and sealing happen on the poll thread, but for a stream's first chunk. The
 * receipt answers the stream's first chunk, a refusal the chunk that is refused. */
#ifndef COLOAN_API_UPLOAD_H
#define COLOAN_API_UPLOAD_H

#include "libcoloan/rpc.h"

/* A handler of a CLIENT_STREAM method; `user` is its struct api_endpoint. */
void api_upload(struct cl_rpc_call *call, struct cl_bytes message, void *user);

#endif
