/* deliver.h - the Deliver stream's way in: Open, acknowledgements, credit. What goes out is push's.
 *
 * Runs on poll threads and never waits; acknowledgements become commands of the writer. */
#ifndef COLOAN_API_DELIVER_H
#define COLOAN_API_DELIVER_H

#include "libcoloan/rpc.h"

/* `user` is a struct api_endpoint. */
cl_rpc_handler api_deliver;

#endif
