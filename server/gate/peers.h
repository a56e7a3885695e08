/* peers.h - who is behind which file number: the table that each RPC asks.
 *
 * gRPC names an adopted connection by its file number, "fd:10001". A number may be used again only when no handler can
 * still ask about its former owner: after it was closed its entry rests for PEERS_REST_MS, and a connection that was
 * given a resting number is refused it. Answers are copies.
 *
 * Owner: the gate. Any thread; a short lock. A struct peer is borrowed by the connection that it was published for,
 * from peers_publish to peers_close. */
#ifndef COLOAN_GATE_PEERS_H
#define COLOAN_GATE_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/limits.h"
#include "libcoloan/status.h"
#include "server/gate/gate.h"
#include "server/gate/trust.h"

/* A call that arrived before its connection closed may wait this long for its handler to begin; after
 * CL_DEADLINE_MS_DEFAULT nobody would want its answer. */
#define PEERS_REST_MS (30 * 1000)

enum peer_state {
    PEER_LIVE = 1,
    PEER_REVOKED,      /* refused; to be cut */
    PEER_DISCONNECTED, /* refused; to be cut */
    PEER_CLOSED,
};

struct peers;
struct peer;

/* For the file numbers below `key_limit`. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status peers_create(struct peers **out, size_t key_limit, unsigned per_party_max);
void peers_free(struct peers *peers); /* NULL is fine; all closed */

/* True when `key` may be published. */
bool peers_is_free(struct peers *peers, int key, int64_t now_ms);

/* OVERLOADED when the party has its connections already, MEMORY_LIMIT. peers_is_free(key) must hold. */
CL_MUST_CHECK struct cl_status peers_publish(struct peers *peers, struct peer **out, int key,
                                             const struct identity *identity, uint64_t connection);
void peers_close(struct peers *peers, struct peer *peer, int64_t now_ms);

/* The state, and when it was entered by peers_withdraw or peers_disconnect. */
enum peer_state peers_state(struct peers *peers, const struct peer *peer, int64_t *marked_ms_out);

/* The party's name, for a log line. */
void peers_name(struct peers *peers, const struct peer *peer, char out[CL_PARTY_BYTES_MAX + 1]);

/* As gate_peer; `unix_ms` is now. */
CL_MUST_CHECK struct cl_status peers_find(struct peers *peers, struct gate_peer *out, int key, int64_t unix_ms);

/* Marks live peers REVOKED that `trust` no longer holds good; returns how many. */
unsigned peers_withdraw(struct peers *peers, const struct trust *trust, int64_t now_ms);

/* Marks the live peers of `party` DISCONNECTED; returns how many. */
unsigned peers_disconnect(struct peers *peers, const char *party, int64_t now_ms);

#endif
