/* facts.h - what the centre's database says, read beside the centre by SQL of our own: how far everybody is, and true
 * things that a lie can be made of.
 *
 * Owner: whoever opened it; what is returned with bytes lives in the arena handed in. One thread. Fails: a fact that is
 * not there is false; a database that cannot be read aborts: it is not what is tested. */
#ifndef COLOAN_TESTS_CRASH_LIES_FACTS_H
#define COLOAN_TESTS_CRASH_LIES_FACTS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/ids.h"
#include "libcoloan/limits.h"

struct facts;

/* The centre made the file. */
struct facts *facts_open(const char *path);
void facts_close(struct facts *facts); /* NULL is fine */

/* -- How far everybody is ------------------------------------------------------------------------------------- */

struct facts_progress {
    uint64_t undecided; /* that go on by themselves */
    uint64_t decided;
    uint64_t with_a_person; /* an officer or the borrower has to do something, which nobody does here */
    uint64_t pending;
    uint64_t events, received, applied; /* heads and floors of all banks together */
};
struct facts_progress facts_progress(struct facts *facts);

/* -- Events --------------------------------------------------------------------------------------------------- */

struct fact_event {
    uint64_t sequence;
    struct cl_digest digest;
    char application_id[CL_UUID_TEXT_BYTES];
    char reference[CL_TEXT_BYTES_MAX + 1]; /* it was applied under; "": not yet */
};

/* Any number as `dice`. An event that the bank applied; one that is pending and nothing else, among the first ones; one
 * by its number. */
bool facts_applied(struct fact_event *out, struct facts *facts, const char *bank, uint64_t dice);
bool facts_pending(struct fact_event *out, struct facts *facts, const char *bank, uint64_t dice);
bool facts_event(struct fact_event *out, struct facts *facts, const char *bank, uint64_t sequence);

/* The first one above `after` that the bank was not brought, with nothing of its case pending before it. */
bool facts_not_brought(struct fact_event *out, struct facts *facts, const char *bank, uint64_t after);

uint64_t facts_head(struct facts *facts, const char *bank);
uint64_t facts_applied_floor(struct facts *facts, const char *bank);
bool facts_is_received(struct facts *facts, const char *bank, uint64_t sequence);
bool facts_is_pending(struct facts *facts, const char *bank, uint64_t sequence); /* in whatever state */
bool facts_is_parked(struct facts *facts, const char *bank, uint64_t sequence);

/* The first one above `after` that is not due before that time. */
bool facts_waiting(uint64_t *out, struct facts *facts, const char *bank, uint64_t after, int64_t until_ms);

/* Whether a try to deliver it failed with this note. */
bool facts_has_failed(struct facts *facts, const char *bank, uint64_t sequence, const char *note);

/* -- Messages ------------------------------------------------------------------------------------------------- */

/* Of the bank, as the centre keeps it. */
struct fact_message {
    struct cl_uuid message_id;
    struct cl_digest digest;
    struct cl_digest answers; /* an acknowledgement's event */
    const char *method;
    struct cl_bytes envelope, reply; /* reply: empty for what has none */
};

/* A decision on an offer; an acknowledgement of that level. */
bool facts_decision(struct fact_message *out, struct facts *facts, struct cl_arena *arena, const char *bank,
                    uint64_t dice);
bool facts_ack(struct fact_message *out, struct facts *facts, struct cl_arena *arena, const char *bank, int level,
               uint64_t dice);

bool facts_has_message(struct facts *facts, const struct cl_digest *digest);

/* -- Offers --------------------------------------------------------------------------------------------------- */

struct fact_offer {
    char application_id[CL_UUID_TEXT_BYTES];
    uint32_t version, bank_epoch;
    struct cl_digest terms;
};

/* One that was decided; one that waits for the bank's word. */
bool facts_decided_offer(struct fact_offer *out, struct facts *facts, const char *bank, uint64_t dice);
bool facts_open_offer(struct fact_offer *out, struct facts *facts, const char *bank);
bool facts_is_offered(struct facts *facts, const char *application_id);

#endif
