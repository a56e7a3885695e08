/* acknowledge.h - a bank's Ack or Nack of an event, without the stream it came on: a checked frame becomes a command
 * of the writer, and whoever brought it hears how it ended.
 *
 * Owner: acknowledge_begin takes the request over on success. Threads: any, never waits; `done` runs once, on the writer
 * thread after the commit. Fails: begin as store_submit, or MEMORY_LIMIT; the caller still owns the request then. */
#ifndef COLOAN_API_ACKNOWLEDGE_H
#define COLOAN_API_ACKNOWLEDGE_H

#include "server/api/api.h"

/* `request` and `field` (to blame with a failure; "": none) are borrowed until it returns. */
typedef void acknowledge_done(void *user, const struct api_request *request, struct cl_status status,
                              const char *field);

CL_MUST_CHECK struct cl_status acknowledge_begin(struct api *api, struct api_request *request, acknowledge_done *done,
                                                 void *user);

#endif
