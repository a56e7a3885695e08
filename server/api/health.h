/* health.h - grpc.health.v1.Health: whether this server takes work, asked once (Check) or watched (Watch).
 *
 * One answer holds for "" and every service of the contract. Callers need a certificate, but sign nothing: it says
 * nothing of anybody. A Watch of a service that is not here is told so and stays open, as the protocol wants.
 *
 * Owner: api. Threads: handlers on poll threads, health_set from any; no lock is held while a message is sent.
 * Fails: creation only; more than HEALTH_WATCHERS_MAX watchers are refused with OVERLOADED. */
#ifndef COLOAN_API_HEALTH_H
#define COLOAN_API_HEALTH_H

#include "libcoloan/rpc.h"
#include "server/api/contract.h"
#include "server/api/pipeline.h"

#define HEALTH_WATCHERS_MAX 64 /* two load balancers of each of some thirty parties */

struct health;

/* Both are borrowed. Not serving at first. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status health_create(struct health **out, const struct api_pipeline *pipeline,
                                             const struct contract *contract);
void health_free(struct health *health); /* NULL is fine; after the rpc server has stopped */

/* Tells every watcher when it changes something. Must not block, so that a failing store may call it. */
void health_set(struct health *health, bool serving);

/* Tells NOT_SERVING for the last time and ends every Watch, which else would outlast the server's grace. */
void health_stop(struct health *health);

/* `user` is the struct health. */
cl_rpc_handler health_check;
cl_rpc_handler health_watch;

#endif
