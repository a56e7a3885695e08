/* outbox.h - the events for each recipient, numbered from 1 without gaps, and what of them was acknowledged.
 *
 * An event is written in the transaction that caused it and never changed or deleted; until it is acknowledged it
 * is pending, too (pending.h). Its bytes stand once, in the
 * message log; an outbox row names them by digest. A sequence number is used up by outbox_add only, so a command that
 * is undone leaves no gap. Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its
 * cap). Write functions: the writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_OUTBOX_H
#define COLOAN_STORE_OUTBOX_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* Four of the largest events, or hundreds of usual ones: bounds what one slow stream holds in memory. */
#define OUTBOX_READ_BYTES (1024 * 1024)

struct outbox_row {
    const char *recipient;
    uint64_t sequence;
    const char *application_id;
    int kind; /* coloan.v1.EventKind */
    struct cl_digest digest;
    int64_t made_ms;
    /* Filled when read; outbox_add does not look at them. */
    struct cl_digest chain;   /* of all events up to here (libcoloan/chain.h) */
    struct cl_bytes envelope; /* without disclosures */
    bool pending;             /* not acknowledged, or asked for again */
    bool held;                /* may not go out at that time: see pending.h */
};

/* The number the recipient's next event has to carry. The same until outbox_add used it. */
CL_MUST_CHECK struct cl_status outbox_next(struct store_tx *tx, const char *recipient, uint64_t *sequence_out);

/* After messages_add of the event. STATE_CONFLICT when the sequence is not the next one. */
CL_MUST_CHECK struct cl_status outbox_add(struct store_tx *tx, const struct outbox_row *row);

struct outbox_rows {
    struct outbox_row *rows;
    size_t count;
};

/* Up to `max` events after sequence `after`, in order, as they stand at `now_ms`; fewer, but at least one, when their envelopes together pass
 * OUTBOX_READ_BYTES. The caller comes again from the last one. */
CL_MUST_CHECK struct cl_status outbox_read(struct outbox_rows *out, struct sql *sql, struct cl_arena *arena,
                                           const char *recipient, uint64_t after, size_t max, int64_t now_ms);

/* One event; `out` is untouched when there is none. */
CL_MUST_CHECK struct cl_status outbox_find(bool *found_out, struct outbox_row *out, struct sql *sql,
                                           struct cl_arena *arena, const char *recipient, uint64_t sequence,
                                           int64_t now_ms);

/* The chain up to that sequence, as outbox_row has it. */
CL_MUST_CHECK struct cl_status outbox_chain(bool *found_out, struct cl_digest *out, struct sql *sql,
                                            const char *recipient, uint64_t sequence);

struct outbox_state {
    uint64_t head;           /* the highest sequence there is; 0: none */
    uint64_t received_floor; /* all up to here are acknowledged RECEIVED */
    uint64_t applied_floor;
    struct cl_digest chain; /* of all up to head */
};

CL_MUST_CHECK struct cl_status outbox_state(struct outbox_state *out, struct sql *sql, const char *recipient);

/* coloan.v1.AckLevel. */
enum outbox_level { OUTBOX_RECEIVED = 1, OUTBOX_APPLIED = 2 };

struct outbox_ack {
    const char *recipient; /* who acknowledges */
    uint64_t sequence;
    enum outbox_level level;
    struct cl_digest event;  /* what the acknowledgement answers */
    const char *reference;   /* with APPLIED: the recipient's own number; NULL or empty: none */
    struct cl_digest digest; /* of the signed acknowledgement */
    int64_t at_ms;
};

/* The acknowledgement of that level, if there is one: when it came, what it said, and its signed bytes' digest. */
struct outbox_acked {
    bool found;
    int64_t at_ms;
    const char *reference;
    struct cl_digest digest;
};
CL_MUST_CHECK struct cl_status outbox_acked(struct outbox_acked *out, struct sql *sql, struct cl_arena *arena,
                                            const char *recipient, uint64_t sequence, enum outbox_level level);

/* EVENT_UNKNOWN when there is no such event for the recipient, ACK_WRONG when the digest is not the event's.
 * `received_out`: whether it was acknowledged before. */
CL_MUST_CHECK struct cl_status outbox_check(bool *received_out, struct store_tx *tx, const char *recipient,
                                            uint64_t sequence, const struct cl_digest *event);

/* After messages_add of the acknowledgement. APPLIED implies RECEIVED. The same again is fine and the first stays.
 * EVENT_UNKNOWN when there is no such event for the recipient; ACK_WRONG when the digest is not the event's, or it was
 * applied under another reference. */
CL_MUST_CHECK struct cl_status outbox_ack(struct store_tx *tx, const struct outbox_ack *ack);

#endif
