/* direct.h - the Directory service: answered from memory, so it works while the store is busy or down.
 *
 * Any thread. */
#ifndef COLOAN_API_DIRECT_H
#define COLOAN_API_DIRECT_H

#include "server/api/pipeline.h"

/* The signed reply to GetKeys or GetCapabilities, in the request's arena. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status direct_answer(struct cl_bytes *reply_out, const struct centre *centre,
                                             const struct api_request *request);

#endif
