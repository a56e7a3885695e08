/* lane.h - in which order one bank's events go out: what comes next, what is awaited, and when to look again.
 *
 * A lane goes through the outbox once, from where the bank resumes, without a hole: each event is sent, or named as held
 * back. What was sent is on a lease until it is acknowledged; when the lease ends it goes out again. Behind the first
 * pass come those that were held back, refused and due again, or asked for once more. Events of one application never
 * overtake each other (server/store/pending.h).
 *
 * The lane only decides: lane_next says what may go, lane_sent is told what went. It reads the outbox and has no clock, no
 * thread and no connection, so that a simulator can run it as it is.
 *
 * Owner: whoever made it. One thread at a time. Fails: with the errors of sql.h, and MEMORY_LIMIT. */
#ifndef COLOAN_PUSH_LANE_H
#define COLOAN_PUSH_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/limits.h"
#include "server/store/outbox.h"

#define LANE_LEASE_MS (30 * 1000)
/* An event that was sent again and again without a word: up to every eight minutes, for ever. */
#define LANE_LEASE_DOUBLINGS_MAX 4
/* What is behind the first pass is looked at at least so often: another node may have changed it. */
#define LANE_LOOK_MS (15 * 1000)
/* Events read at a time. */
#define LANE_READ_MAX 64

struct lane_lease {
    uint64_t sequence;
    int64_t until_ms; /* monotonic */
    unsigned times;   /* it was sent */
};

struct lane {
    char party[CL_PARTY_BYTES_MAX + 1];
    uint64_t sent; /* the first pass has come to here */
    uint64_t window;
    struct lane_lease *leases; /* by sequence */
    size_t lease_count, lease_room;
    int64_t look_ms; /* monotonic: when to look behind the first pass */
    bool behind;     /* something waits there for an acknowledgement, or for room in the window */
};

struct lane_now {
    int64_t unix_ms, monotonic_ms;
};

/* `lane` is zeros or one that was in use. */
void lane_init(struct lane *lane, const char *party);
void lane_close(struct lane *lane);

/* The bank (re)connects. */
void lane_resume(struct lane *lane, uint64_t resume_after, uint32_t window);

void lane_credit(struct lane *lane, uint32_t more);

/* What a bank said of an event, or somebody ordered. Unknown sequences are fine. */
void lane_received(struct lane *lane, uint64_t sequence);
void lane_refused(struct lane *lane, uint64_t sequence); /* also: parked */
void lane_in_progress(struct lane *lane, uint64_t sequence, struct lane_now now);
void lane_look(struct lane *lane); /* something behind the first pass was changed */

enum lane_kind { LANE_EVENT = 1, LANE_HELD };

struct lane_item {
    enum lane_kind kind;
    struct outbox_row event; /* EVENT */
    uint64_t from, to;       /* HELD */
    bool again;              /* EVENT: behind the first pass */
};

struct lane_items {
    struct lane_item *items;
    size_t count;
};

/* What may go out now, in order and at most LANE_READ_MAX, in the arena; none when all did, `head` is reached or the window
 * is full. Ask again once these are sent. */
CL_MUST_CHECK struct cl_status lane_next(struct lane_items *out, struct lane *lane, struct sql *sql,
                                         struct cl_arena *arena, uint64_t head, struct lane_now now);

/* Of lane_next's items, in their order. */
CL_MUST_CHECK struct cl_status lane_sent(struct lane *lane, const struct lane_item *item, struct lane_now now);

#endif
