/* letters.h - whether the authorisation letters behind the consents are here and good.
 *
 * Only where the centre configured CAs for them; without, the digest in the consent is all there is. A letter is judged
 * once, when it is here: its signature, its signer, and that it grants exactly the consent that names it; the verdict
 * stays with the consent. Writer thread; see cases.h. */
#ifndef COLOAN_CASES_LETTERS_H
#define COLOAN_CASES_LETTERS_H

#include "server/cases/cases.h"

/* Of all consents in force together. */
enum letters {
    LETTERS_GOOD,    /* all are here and good, or letters are not asked for */
    LETTERS_AWAITED, /* one is not here yet, none is bad */
    LETTERS_BAD,
};

CL_MUST_CHECK struct cl_status letters_judge(enum letters *out, struct case_tx *tx, const char *application_id);

/* Whether letters are asked for and a consent names this document as its letter. */
CL_MUST_CHECK struct cl_status letters_name(bool *out, struct case_tx *tx, const char *application_id,
                                            const struct cl_digest *document);

/* What was found of the consents that name this document: the first bad verdict, "OK" when there is none, "" when the
 * document is no letter or letters are not asked for. Static text. */
CL_MUST_CHECK struct cl_status letters_verdict(const char **out, struct case_tx *tx, const char *application_id,
                                               const struct cl_digest *document);

#endif
