/* accept.h - the thread that accepts connections and leads them through the handshake.
 *
 * It is apart from the pump because a handshake costs two milliseconds of CPU: whoever floods the listener slows down
 * others who connect, not those who are connected. Owner: gate.c, whose thread makes all calls. */
#ifndef COLOAN_GATE_ACCEPT_H
#define COLOAN_GATE_ACCEPT_H

#include <stdint.h>

#include "server/gate/pump.h"
#include "server/gate/room.h"

struct acceptor;

/* Binds and listens. CONFIG_INVALID when the address is not "ip:port", SYSTEM when the system refuses it. Keys, the
 * numbers of the ends that are handed on, are taken from key_first up to key_limit. */
CL_MUST_CHECK struct cl_status acceptor_create(struct acceptor **out, struct room *room, struct pump *pump,
                                               int key_first, int key_limit);
void acceptor_free(struct acceptor *acceptor); /* NULL is fine; not running */

uint16_t acceptor_port(const struct acceptor *acceptor);

CL_MUST_CHECK struct cl_status acceptor_start(struct acceptor *acceptor); /* SYSTEM */

/* Closes the listener, lets handshakes in flight go on for at most grace_ms, joins. Idempotent. */
void acceptor_stop(struct acceptor *acceptor, int64_t grace_ms);

#endif
