/* consent.h - the consents of an application: records that a message brings, and what of them is in force.
 *
 * The records are the only source of what may be asked and told: the lists in signed messages say what was given, not
 * what still holds. In force is a consent that was not withdrawn and has not ended. Sharing is for the bank that lends:
 * a bank that was released sees nothing more of anybody, whatever consent still names it.
 *
 * Lists live in the arena handed in. consent_take and consent_note: writer thread; the others also on a connection of
 * one's own. */
#ifndef COLOAN_CASES_CONSENT_H
#define COLOAN_CASES_CONSENT_H

#include "server/cases/file.h"
#include "server/store/consents.h"

/* -- Records ------------------------------------------------------------------------------------------------- */

/* What a message says of consents. */
struct consents_given {
    const Coloan__V1__Application *application; /* as it stands with the message: whose persons they are about */
    Coloan__V1__Consent *const *list;           /* checked as intake_check does */
    size_t count;
    /* All there are (a submission, a supplement): what is on record and not among them is withdrawn by the message.
     * Otherwise they come beside those on record (a change of bank). */
    bool whole;
    bool replaced[CL_PERSONS_MAX]; /* a supplement: another person than before stands at this index */
};

/* Writes the new ones; one that is on record already is named again only as it is. CONSENT_INVALID when its content
 * differs or its person was replaced, CONSENT_WITHDRAWN when it was withdrawn, both with the path of the consent;
 * FIELD_INVALID past CL_CONSENTS_MAX that hold or CONSENTS_KEPT_MAX in all. What holds no longer has to be brought into
 * line afterwards (settle_consents). The message is tx->message, in the log already. */
CL_MUST_CHECK struct cl_status consent_take(struct case_tx *tx, const char *application_id,
                                            const struct consents_given *given);

/* Fills application->consents with those in force at that moment. */
CL_MUST_CHECK struct cl_status consent_load(struct application *application, struct sql *sql, struct cl_arena *arena,
                                            const char *application_id, int64_t now_ms);

/* -- Items --------------------------------------------------------------------------------------------------- */

/* Whether somebody may be asked about this item: the person, or every person for an item of the whole case, consents to
 * it. Items that the centre settles by itself, and the bank's own of the income, need none. */
bool consent_allows(const struct application *application, const char *centre, enum item item, unsigned person);

/* -- Sharing ------------------------------------------------------------------------------------------------- */

/* Whose data a bank may see, by which consent. */
struct consent_sharing {
    const char *of_person[CL_PERSONS_MAX]; /* consent id; NULL: this person shares nothing with it */
    bool of_all;                           /* everybody shares: what is said of the whole case may be told, too */
};

void consent_sharing(struct consent_sharing *out, const struct application *application, const char *receiver);

/* The ids of those that let something be told, each once; `out` has room for CL_PERSONS_MAX. */
size_t consent_sharing_ids(const char **out, const struct consent_sharing *sharing);

/* Keeps by which consents this message, an event or a request that is being answered, tells of persons. Nothing is
 * written when there are none. */
CL_MUST_CHECK struct cl_status consent_note(struct case_tx *tx, const char *application_id, const char *recipient,
                                            const struct cl_digest *message, const char *const *ids, size_t count);

/* The same for an event with the submission: by all SHARE consents in force that name its recipient. */
CL_MUST_CHECK struct cl_status consent_note_event(struct case_tx *tx, const char *application_id, const char *recipient,
                                                  const struct cl_digest *event);

#endif
