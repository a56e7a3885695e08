/* pending.h - events that are still to be received, what became of trying, and what holds them back.
 *
 * outbox_add puts each event in, outbox_ack takes it out; so this is small, whatever the outbox has grown to. A row that
 * is more than fresh tells how delivery stands: tried and to be tried again at a time, on a call, parked by somebody, or
 * asked for again although it was received. While an event waits, is on a call or parked, the later ones of the same
 * application are held back; everything else goes on.
 *
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_PENDING_H
#define COLOAN_STORE_PENDING_H

#include "libcoloan/arena.h"
#include "server/store/store.h"

enum pending_state {
    PENDING_FRESH = 0,
    PENDING_ASKED = 1,   /* for again, due from next_ms on; holds nothing back */
    PENDING_WAITING = 2, /* until next_ms */
    PENDING_ON_CALL = 3, /* its answer is awaited until next_ms, and then it is due again */
    PENDING_PARKED = 4,  /* its next_ms is INT64_MAX */
    PENDING_STATE_COUNT
};

/* Why the last try failed. */
enum pending_cause {
    PENDING_NOT_TRIED = 0,
    PENDING_REFUSED = 1, /* the recipient would not take it */
    PENDING_NO_WAY = 2,  /* the recipient was not reached */
    PENDING_ORDERED = 3, /* not a failure: somebody ordered it */
};

struct pending_row {
    uint64_t sequence;
    const char *application_id;
    enum pending_state state;
    unsigned tries;   /* that failed */
    int64_t first_ms; /* when the first of them was; 0: none */
    int64_t next_ms;
    enum pending_cause cause;
    const char *note; /* what the recipient or the way said; "": nothing */
};

struct pending_rows {
    struct pending_row *rows;
    size_t count;
};

/* For outbox_add and outbox_ack; to end what is not there is fine. */
CL_MUST_CHECK struct cl_status pending_add(struct store_tx *tx, const char *recipient, uint64_t sequence,
                                           const char *application_id);
CL_MUST_CHECK struct cl_status pending_end(struct store_tx *tx, const char *recipient, uint64_t sequence);

/* `out` is untouched when there is none. */
CL_MUST_CHECK struct cl_status pending_find(bool *found_out, struct pending_row *out, struct sql *sql,
                                            struct cl_arena *arena, const char *recipient, uint64_t sequence);

/* Writes the row, new or changed. The event has to be in the outbox. */
CL_MUST_CHECK struct cl_status pending_put(struct store_tx *tx, const char *recipient, const struct pending_row *row);

/* Up to `max` rows above `after`, whatever their state. */
CL_MUST_CHECK struct cl_status pending_list(struct pending_rows *out, struct sql *sql, struct cl_arena *arena,
                                            const char *recipient, uint64_t after, size_t max);

/* What may go out now: due, not parked, and not held back by an earlier one of its application. */
struct pending_look {
    const char *recipient;
    uint64_t after, up_to; /* sequences: above `after`, at most `up_to` */
    int64_t now_ms;
    size_t max;
};
CL_MUST_CHECK struct cl_status pending_ready(struct pending_rows *out, struct sql *sql, struct cl_arena *arena,
                                             const struct pending_look *look);

/* Whether anything holds others back, and when the next of these that waits for its time is due; INT64_MAX: none is. */
struct pending_holds {
    bool any;
    int64_t next_ms;
};
CL_MUST_CHECK struct cl_status pending_holds(struct pending_holds *out, struct sql *sql, const char *recipient);

/* What could not get through may try again now. */
CL_MUST_CHECK struct cl_status pending_hasten(struct store_tx *tx, const char *recipient, int64_t now_ms);

/* How the events of one recipient stand. */
struct delivery_tally {
    const char *recipient;
    uint64_t head, received_floor, applied_floor;
    int64_t unapplied_since_ms; /* when the oldest event was made that is not applied; 0: all are */
    int64_t waiting, parked;
    int64_t tries_max; /* failed ones, of an event that waits or is parked */
};

/* Of up to `max` recipients, by name. Any connection. */
CL_MUST_CHECK struct cl_status delivery_tallies(struct delivery_tally *out, size_t *count_out, struct sql *sql,
                                                struct cl_arena *arena, size_t max);

/* -- What was tried and ordered ------------------------------------------------------------------------------- */

enum delivery_step {
    DELIVERY_FAILED = 1, /* on the way */
    DELIVERY_REFUSED = 2,
    DELIVERY_PARKED = 3,
    DELIVERY_UNPARKED = 4,
    DELIVERY_ASKED_AGAIN = 5,
};

struct delivery_note {
    int64_t at_ms;
    enum delivery_step step;
    const char *by; /* party id */
    const char *note;
    const struct cl_digest *message; /* that caused it; NULL: none did */
};

struct delivery_notes {
    struct delivery_note *notes;
    size_t count;
};

CL_MUST_CHECK struct cl_status delivery_log_add(struct store_tx *tx, const char *recipient, uint64_t sequence,
                                                const struct delivery_note *note);

/* The last `max`, oldest first; messages are not read. */
CL_MUST_CHECK struct cl_status delivery_log_read(struct delivery_notes *out, struct sql *sql, struct cl_arena *arena,
                                                 const char *recipient, uint64_t sequence, size_t max);

#endif
