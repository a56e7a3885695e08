/* room.h - what the gate's threads share. Private to server/gate.
 *
 * Owner: gate.c. `options` and the limits never change after creation; the counters are atomics; peers has its own
 * lock; the trust is swapped under a lock and handed out referenced. Any thread. */
#ifndef COLOAN_GATE_ROOM_H
#define COLOAN_GATE_ROOM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/clock.h"
#include "server/gate/gate.h"
#include "server/gate/peers.h"
#include "server/gate/trust.h"

struct room_counters {
    atomic_ullong accepted, refused_full, refused_source, refused_files, handshakes;
    atomic_ullong handshake_failures[GATE_HANDSHAKE_FAILURE_COUNT];
    atomic_ullong cuts[GATE_CUT_COUNT];
    atomic_ullong frame_cuts[FRAMES_VERDICT_COUNT];
    atomic_ullong bytes_in, bytes_out;
    atomic_ullong handshakes_now, connections_now;
};

struct room {
    struct gate_options options; /* clock set, connections_max what it came to */
    struct peers *peers;
    struct room_counters counters;
    pthread_mutex_t trust_mutex; /* guards `trust` */
    struct trust *trust;
};

static inline void room_count(atomic_ullong *counter, uint64_t more)
{
    (void)atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static inline void room_uncount(atomic_ullong *counter)
{
    (void)atomic_fetch_sub_explicit(counter, 1, memory_order_relaxed);
}

static inline int64_t room_now_ms(const struct room *room)
{
    return cl_clock_monotonic_ms(room->options.clock);
}

/* How many lines a thread may still log in this second: clients can cause them, and must not fill a disk. */
struct room_log {
    int64_t second_ms;
    unsigned lines;
};

#define ROOM_LOG_LINES_A_SECOND_MAX 10

static inline bool room_may_log(struct room_log *log, int64_t now_ms)
{
    if (now_ms - log->second_ms >= 1000) {
        *log = (struct room_log){.second_ms = now_ms};
    }
    return log->lines++ < ROOM_LOG_LINES_A_SECOND_MAX;
}

/* The current trust, referenced. */
struct trust *room_trust(struct room *room);

#endif
