/* pump.h - the thread that moves bytes of established connections: decrypts, counts frames, passes on, and back.
 *
 * Owner: gate.c. pump_take and pump_look may be called from any thread; the rest from the one that drives the gate. */
#ifndef COLOAN_GATE_PUMP_H
#define COLOAN_GATE_PUMP_H

#include <stdint.h>

#include "server/gate/connection.h"
#include "server/gate/room.h"

struct pump;

CL_MUST_CHECK struct cl_status pump_create(struct pump **out, struct room *room); /* MEMORY_LIMIT, SYSTEM */
void pump_free(struct pump *pump);                                                /* NULL is fine; not running */

CL_MUST_CHECK struct cl_status pump_start(struct pump *pump); /* SYSTEM */

/* Takes a connection with its handshake done and published; `to_core` holds records that came with the handshake, still
 * encrypted. */
void pump_take(struct pump *pump, struct connection *connection);

/* Makes it look at all connections: peers were marked. */
void pump_look(struct pump *pump);

/* Waits until the receiver closed all its ends and the clients have what it wrote, at most grace_ms, then cuts the rest
 * and joins. Nobody may call pump_take any more. Idempotent. */
void pump_stop(struct pump *pump, int64_t grace_ms);

#endif
