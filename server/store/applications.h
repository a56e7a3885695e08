/* applications.h - one row for each application: what indexes it and in which state it is. The intake facts are not
 * here but in its signed submission.
 *
 * The numbers of states and tracks are those of the wire contract; the store only keeps them, and 0 is "not set".
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_APPLICATIONS_H
#define COLOAN_STORE_APPLICATIONS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

#define APPLICATION_ID_BYTES 37 /* a UUID's text with its NUL */
#define PERSON_INDEX_BYTES   32 /* vault_blind of an ID number */

struct application_row {
    const char *id; /* UUIDv7 text */
    const char *external_ref;
    const char *sender;
    const char *bank;
    uint32_t bank_epoch;
    int state, fund, bank_track, registry, outcome, next_actor;
    int64_t deadline_ms;    /* 0: none */
    uint32_t offer_version; /* 0: no offer yet */
    uint32_t counters;      /* counter-offers in this round */
    uint32_t round;
    const char *rule_set; /* id */
    uint32_t bank_changes;
    int64_t clock_from_ms;       /* the fund's time to decide counts from here */
    int64_t clock_stopped_ms;    /* since when it stands still; 0: it runs */
    struct cl_digest submission; /* in the message log; the latest one, after a supplement */
    struct cl_bytes reasons;     /* packed by the caller */
    uint32_t items_total, items_by_machine, items_open;
    uint32_t items_by_person; /* wait for an officer */
    uint32_t items_bank;      /* of the open ones */
    uint32_t checks_total, checks_open, checks_bad;
    bool completion_awaited;
    int64_t submitted_ms, changed_ms;
};

/* After messages_add of its submission. STATE_CONFLICT when the id is taken, or the sender has an application under
 * this external_ref: a sender's number names one application for ever, so a sender that lost its message ids cannot
 * file the same case twice. Its bank is kept as the lender of the first epoch. A new try after a refusal gets a new number. */
CL_MUST_CHECK struct cl_status applications_insert(struct store_tx *tx, const struct application_row *row);

/* Writes all but id, external_ref, sender and submitted_ms, which stay. APPLICATION_UNKNOWN. */
CL_MUST_CHECK struct cl_status applications_update(struct store_tx *tx, const struct application_row *row);

/* APPLICATION_UNKNOWN. Who may see it is the caller's question. */
CL_MUST_CHECK struct cl_status applications_get(struct application_row *out, struct sql *sql, struct cl_arena *arena,
                                                const char *id);

/* -- Lenders ------------------------------------------------------------------------------------------------- */

/* Keeps row->bank as the lender of another epoch, row->bank_epoch. STATE_CONFLICT when that epoch has one. */
CL_MUST_CHECK struct cl_status applications_add_lender(struct store_tx *tx, const struct application_row *row,
                                                       int64_t since_ms);

/* Whether a bank lends or lent in this application. */
CL_MUST_CHECK struct cl_status applications_is_lender(bool *out, struct sql *sql, const char *id, const char *bank);

/* -- Lists --------------------------------------------------------------------------------------------------- */

struct application_filter {
    const char *party;          /* NULL: all */
    bool lends;                 /* what the party lends in now; else what it sent or lends in */
    int state;                  /* 0: all */
    const char *after_id;       /* last id of the page before; NULL: the first page */
    int64_t after_submitted_ms; /* with after_id */
    size_t limit;               /* 1 .. CL_LIST_PAGE_MAX + 1, so that a caller can see that there is more */
};

struct application_rows {
    struct application_row *rows;
    size_t count;
};

/* Newest first, by (submitted_ms, id). */
CL_MUST_CHECK struct cl_status applications_list(struct application_rows *out, struct sql *sql, struct cl_arena *arena,
                                                 const struct application_filter *filter);

struct application_ids {
    const char **ids;
    size_t count;
};

/* Applications that somebody still has to act on (next_actor is not 5) with an open item of `owner` (items.h), by id, after `after_id` (NULL: from the start): what has to be
 * asked again after a restart. */
CL_MUST_CHECK struct cl_status applications_unsettled(struct application_ids *out, struct sql *sql,
                                                      struct cl_arena *arena, int owner, const char *after_id,
                                                      size_t limit);

/* States are the caller's numbers, 0 .. APPLICATION_STATES_MAX - 1. */
#define APPLICATION_STATES_MAX 32

struct application_tally {
    int64_t in_state[APPLICATION_STATES_MAX];
    int64_t overdue; /* the fund has not decided and its time is over */
};

/* How many there are, for operators. Costs a few rows, however many applications there are. */
CL_MUST_CHECK struct cl_status applications_tally(struct application_tally *out, struct sql *sql, int64_t now_ms);

/* A person may stand in one open application only. OPEN_CASE_EXISTS when another one holds the person; claiming again
 * for the same application is fine. */
CL_MUST_CHECK struct cl_status applications_claim_person(struct store_tx *tx, const uint8_t person[PERSON_INDEX_BYTES],
                                                         const char *application_id);
/* When the application has ended. */
CL_MUST_CHECK struct cl_status applications_release_persons(struct store_tx *tx, const char *application_id);

#endif
