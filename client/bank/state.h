/* state.h - what the bank core holds in memory: its place in the stream, the events not yet applied, the open cases. It is
 * rebuilt from the journal, by the same function that takes each new record.
 *
 * Owner: whoever made it. Any thread; an entry handed out belongs to the worker that handles its sequence until
 * bank_state_applied. Bounded by what is outstanding: entries go when they are applied, cases when they are over for us, what is missing
 * (held back, or overtaken) when it comes, what was applied as applied.h says. Fails: MEMORY_LIMIT. */
#ifndef COLOAN_BANK_STATE_H
#define COLOAN_BANK_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/bank/applied.h"
#include "client/bank/journal.h"
#include "libcoloan/ids.h"

struct bank_state;

/* An event that is durable and not yet applied. */
struct bank_entry {
    uint64_t sequence;
    struct cl_digest digest;
    char application_id[CL_TEXT_BYTES_MAX + 1];
    int64_t received_ms;
    struct cl_bytes envelope; /* owned */
    struct cl_bytes request;  /* owned: what was signed in answer to it; empty: nothing yet */
    struct cl_digest request_digest;
    int64_t request_expires_ms;
    struct bank_entry *next; /* the state's */
};

/* What the bank found out about a case. */
struct bank_case {
    int64_t income_fen;
    bool credit_good;
    char contract_no[CL_TEXT_BYTES_MAX + 1]; /* of the home, which is filed under it */
};

CL_MUST_CHECK struct cl_status bank_state_create(struct bank_state **out);
void bank_state_free(struct bank_state *state); /* NULL is fine */

/* Takes a record that is, or is being made, durable. Unknown kinds are refused with CONFIG_INVALID. */
CL_MUST_CHECK struct cl_status bank_state_take(struct bank_state *state, const struct bank_record *record);

uint64_t bank_state_received(struct bank_state *state); /* the highest sequence that came, or was named as held back */

/* Whether the event was here before: it is not above bank_state_received, and not held back still. */
bool bank_state_has(struct bank_state *state, uint64_t sequence);
uint64_t bank_state_epoch(struct bank_state *state); /* of the last start */

/* The entry of a sequence; NULL when it is applied already or never came. */
struct bank_entry *bank_state_find(struct bank_state *state, uint64_t sequence);

/* Runs for every entry, lowest sequence first: what a restart has to go on with. No other thread may be at work. */
void bank_state_each(struct bank_state *state, void (*visit)(void *user, struct bank_entry *entry), void *user);

/* False when the case is not known, or is over for us. */
bool bank_state_case(struct bank_case *out, struct bank_state *state, const char *application_id);

/* The applied ones of which the centre may not have heard, for the caller to free; as bank_applied_copy. */
CL_MUST_CHECK struct cl_status bank_state_unheard(struct bank_applied **out, size_t *count_out,
                                                  struct bank_state *state);

#endif
