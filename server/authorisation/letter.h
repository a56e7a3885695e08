/* letter.h - what an authorisation letter says: whose, and which consents.
 *
 * A letter is plain UTF-8 text that a machine and a person can read; it travels as the content of a CMS signature
 * (authorisation.h). Lines end with one line feed:
 *
 *     coloan authorisation v1
 *     person <64 lower-case hex digits: the commitment to the person's ID number in the application>
 *     consent <purpose> <receiver> <until_ms> <consent id>
 *     ...
 *     <empty line>
 *     <any text: what the person read and signed>
 *
 * Purposes are VERIFY, CREDIT_REPORT and SHARE; there are 1 to LETTER_CONSENTS_MAX consents, each named once. The empty
 * line and the text may be left out. Values only, borrowing nothing; any thread. Fails: LETTER_FORM. */
#ifndef COLOAN_AUTHORISATION_LETTER_H
#define COLOAN_AUTHORISATION_LETTER_H

#include "libcoloan/bytes.h"
#include "libcoloan/limits.h"

/* All of one person, for several banks. */
#define LETTER_CONSENTS_MAX 16

struct letter_consent {
    int purpose; /* coloan.v1.ConsentPurpose */
    char receiver[CL_PARTY_BYTES_MAX + 1];
    int64_t until_ms;
    char consent_id[CL_TEXT_BYTES_MAX + 1];
};

struct letter {
    struct cl_digest person;
    struct letter_consent consents[LETTER_CONSENTS_MAX];
    size_t consent_count;
};

CL_MUST_CHECK struct cl_status letter_read(struct letter *out, struct cl_bytes text);

/* Whether the letter grants exactly this: the same person, id, purpose, receiver and end. */
bool letter_grants(const struct letter *letter, const struct cl_digest *person, const struct letter_consent *consent);

#endif
