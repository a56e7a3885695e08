/* push.h - Deliver streams: sends each bank its events in order, as fast as it takes them.
 *
 * The outbox is the truth: a stream is a lane through it (lane.h). It starts after what the bank says it has, sends while
 * fewer events are outstanding (sent and not acknowledged RECEIVED) than the bank allows, and when it ends for any reason
 * nothing is lost. One stream for each bank: a newer session fences the older. A bank that does not read is cut off
 * with SLOW_READER, and when it does not even read that, without a word; it costs nobody else. After PUSH_STREAM_MS the
 * server drains the stream, so that every session shows its certificate again.
 *
 * Owner: push owns the streams; api holds a stream's pointer in its call until push_end. Threads: one of its own, which
 * reads the store on a connection of its own and changes nothing; the functions below come from the threads they name.
 * Fails: as said at each function. */
#ifndef COLOAN_PUSH_PUSH_H
#define COLOAN_PUSH_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/ids.h"
#include "libcoloan/rpc.h"
#include "server/cases/cases.h"
#include "server/store/store.h"

#define PUSH_OUTSTANDING_MAX 1000
#define PUSH_HEARTBEAT_MS    (15 * 1000)
#define PUSH_STREAM_MS       (30 * 60 * 1000)
#define PUSH_STALLED_MS      (10 * 1000) /* a reader that takes nothing for so long is not reading */

struct push;
struct push_stream;

struct push_options {
    const struct cases *cases;
    struct store *store;
};

/* Starts the thread. STORE_FAILED, MEMORY_LIMIT, SYSTEM. */
CL_MUST_CHECK struct cl_status push_create(struct push **out, const struct push_options *options);

/* Tells every stream to come back later and ends it. Idempotent. Before the rpc server stops. */
void push_stop(struct push *push);
void push_free(struct push *push); /* stops first; NULL is fine. After the rpc server has stopped */

/* What a checked Open says. */
struct push_opening {
    struct cl_rpc_call *call; /* a reference is taken */
    const char *party;
    struct cl_digest digest; /* of the Open: heartbeats answer it */
    uint64_t resume_after;
    uint64_t epoch;
    uint32_t max_outstanding;
};

/* Poll thread. STREAM_FENCED when a session with a higher epoch is open; MEMORY_LIMIT; SHUTTING_DOWN. That resume_after
 * lies past the last event shows later, as SEQUENCE_WRONG on the call. */
CL_MUST_CHECK struct cl_status push_open(struct push_stream **out, struct push *push,
                                         const struct push_opening *opening);

/* Poll thread. More may be outstanding; FIELD_INVALID past PUSH_OUTSTANDING_MAX. */
CL_MUST_CHECK struct cl_status push_credit(struct push_stream *stream, uint32_t more);

/* Whether the party has a stream open. Any thread. */
bool push_has_stream(struct push *push, const char *party);

/* Poll thread, when the call is over; the stream must not be used afterwards. */
void push_end(struct push_stream *stream);

/* Poll thread: the bank is still busy with this event of its stream. */
void push_in_progress(struct push_stream *stream, uint64_t sequence);

/* Writer thread, after a commit: there is an event with this number; the party acknowledged one, or would not take it; the
 * delivery of some was changed by somebody. */
void push_notify(struct push *push, const char *party, uint64_t sequence);
void push_received(struct push *push, const char *party, uint64_t sequence);
void push_refused(struct push *push, const char *party, uint64_t sequence);
void push_look(struct push *push, const char *party); /* NULL: of any */

/* Which one in the order of the party's streams, on all nodes, this one became. Writer thread, after a commit. */
void push_numbered(struct push *push, const char *party, const struct cl_digest *open, uint64_t number);

/* Another node opened the party's stream with this number: it fences those with a lower one. Any thread. */
void push_fence(struct push *push, const char *party, uint64_t number);

struct push_counters {
    uint64_t streams, events_sent, slow_readers;
};
void push_counters(struct push *push, struct push_counters *out); /* any thread */

#endif
