/* consents.h - who allowed what, to whom, until when; and which messages rested on it.
 *
 * A consent is a record for ever: given once, withdrawn at most once, never deleted or changed. What a consent means is
 * the caller's business. A disclosure names the consents by which values of persons may go to a recipient in one
 * message: it is written before the message leaves, once, however often the message is sent again.
 *
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_CONSENTS_H
#define COLOAN_STORE_CONSENTS_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

/* Of one application over its whole life, withdrawn and ended ones too: four times what one message may bring. */
#define CONSENTS_KEPT_MAX 256

struct consent_row {
    const char *application_id;
    const char *consent_id; /* unique within the application */
    unsigned person;        /* index in the application's persons */
    int purpose;            /* coloan.v1.ConsentPurpose */
    const char *receiver;   /* party id */
    int64_t until_ms;
    struct cl_digest document; /* of the authorisation letter */
    struct cl_digest subject;  /* commitment to the person's ID number in the submission of that time: who gave it */
    int64_t given_ms;
    struct cl_digest given_by;     /* the message that brought it */
    int64_t withdrawn_ms;          /* 0: it was not */
    struct cl_digest withdrawn_by; /* the message that said so */
    bool letter_judged;            /* the letter behind it */
    int letter;                    /* what was found, the caller's number; with letter_judged */
};

struct consent_rows {
    struct consent_row *rows;
    size_t count;
};

/* Not withdrawn yet. STATE_CONFLICT when the application has a consent of this id. */
CL_MUST_CHECK struct cl_status consents_add(struct store_tx *tx, const struct consent_row *row);

/* STATE_CONFLICT when there is no such consent or it was withdrawn before. */
CL_MUST_CHECK struct cl_status consents_withdraw(struct store_tx *tx, const char *application_id,
                                                 const char *consent_id, int64_t at_ms, const struct cl_digest *by);

/* What was found of its letter. STATE_CONFLICT when there is no such consent or its letter was judged before. */
CL_MUST_CHECK struct cl_status consents_set_letter(struct store_tx *tx, const char *application_id,
                                                   const char *consent_id, int letter);

/* All there ever were, by id. INTERNAL past CONSENTS_KEPT_MAX. */
CL_MUST_CHECK struct cl_status consents_list(struct consent_rows *out, struct sql *sql, struct cl_arena *arena,
                                             const char *application_id);

/* -- What rested on them ------------------------------------------------------------------------------------- */

struct disclosure_row {
    const char *application_id;
    struct cl_digest message;    /* an event of ours, or a request whose reply carries the values */
    const char *recipient;       /* party id */
    const char *const *consents; /* ids, each 1 .. CL_TEXT_BYTES_MAX without control characters */
    size_t consent_count;        /* 1 .. CL_CONSENTS_MAX */
    int64_t at_ms;
};

/* The message may come into the log later in the same transaction. STATE_CONFLICT when it has a disclosure. */
CL_MUST_CHECK struct cl_status disclosures_add(struct store_tx *tx, struct cl_arena *arena,
                                               const struct disclosure_row *row);

/* `found_out` says whether the message has one. */
CL_MUST_CHECK struct cl_status disclosures_get(bool *found_out, struct disclosure_row *out, struct sql *sql,
                                               struct cl_arena *arena, const char *application_id,
                                               const struct cl_digest *message);

#endif
