/* lender_shared.h - what the files of the bank share. Private to tests/sim/lender*. */
#ifndef COLOAN_TESTS_SIM_LENDER_SHARED_H
#define COLOAN_TESTS_SIM_LENDER_SHARED_H

#include <coloan/v1/push.pb-c.h>

#include "client/bank/state.h"
#include "tests/sim/lender.h"
#include "tests/sim/party.h"

enum { LENDER_CASES_MAX = 16, LENDER_EVENTS_MAX = 512 };

struct note; /* a record of the journal, as state.h's */

/* What is known of a case at this bank beside its journal: by the outside, for lies and for checks; and `refused`, which is
 * the bank's and as durable as its journal. */
struct lender_case {
    char id[CL_UUID_TEXT_BYTES];
    bool told;           /* of it, by an event */
    uint64_t last_event; /* that it took, in whichever life */
    uint64_t refused;    /* and has not come again; 0: none. What follows of the case is refused, too */
    bool believes;       /* that it lends, by what it has applied */
    bool released;
    bool offered; /* the last offer it saw: */
    uint32_t version, epoch;
    struct cl_digest terms;
};

struct lender {
    struct sim *sim;
    enum role role;
    struct party *party;
    bool up;
    struct bank_state *state; /* the process's memory; NULL while it is down */
    struct note *notes;       /* the journal; what is behind `durable` goes with the process */
    size_t note_count, durable, note_room;
    unsigned stream;
    bool stream_open;
    uint64_t next; /* of the stream: a higher one may not come before it, a lower one comes again or late */
    unsigned applied[LENDER_EVENTS_MAX];
    unsigned refusals[LENDER_EVENTS_MAX];
    struct cl_digest seen[LENDER_EVENTS_MAX]; /* every event that ever came, also to a life that lost it */
    struct lender_case cases[LENDER_CASES_MAX];
    size_t case_count;
    unsigned lies;
};

/* The process is killed here, if it strikes: then true, and nothing of it may be touched any more. */
bool lender_dies(struct lender *lender, const char *where);

/* Into the journal and the memory; durable with the next sync. */
void lender_note(struct lender *lender, const struct bank_record *record);
void lender_sync(struct lender *lender);

struct lender_case *lender_case_of(struct lender *lender, const char *application_id);

/* Acknowledges on the stream, if there is one. `reference` NULL: RECEIVED. What is lost is said again when the event comes
 * again, or after the next opening. */
void lender_acknowledge(struct lender *lender, uint64_t sequence, const struct cl_digest *event, const char *reference);

/* -- lender_work.c -------------------------------------------------------------------------------------------- */

/* Takes up an event that is not applied yet, soon. */
void lender_wants_work(struct lender *lender, uint64_t sequence);

/* Its own number of what it did about that event. */
void lender_reference(char out[CL_TEXT_BYTES_MAX + 1], const struct lender *lender, uint64_t sequence);

/* -- lender_lies.c -------------------------------------------------------------------------------------------- */

/* On this occasion it may say what it should not. `honest` is what it signed about the event, or NULL. */
void lender_may_lie(struct lender *lender, const Coloan__V1__Event *event, uint64_t sequence,
                    const struct cl_digest *digest, const struct entry *honest);

#endif
