/* view.h - parts of a case as a reader may see them.
 *
 * Everything lives in the command's arena. Writer thread; see cases.h. */
#ifndef COLOAN_CASES_VIEW_H
#define COLOAN_CASES_VIEW_H

#include "server/cases/file.h"

struct items_told {
    Coloan__V1__VerificationResult **list;
    size_t count;
    char **consents; /* that they rest on; none when nobody's is needed */
    size_t consent_count;
};

/* The items of an application that are in the sender's column of the catalogue, wanted by the request, and covered by the
 * consents that the sender needs. */
CL_MUST_CHECK struct cl_status case_view_items(struct items_told *out, struct case_tx *tx, const struct case_file *file,
                                               const struct case_request *request);

struct timeline_told {
    Coloan__V1__TimelineEntry **list;
    size_t count;
};

/* The newest `max` steps, oldest first. */
CL_MUST_CHECK struct cl_status case_view_timeline(struct timeline_told *out, struct case_tx *tx,
                                                  const char *application_id, size_t max);

#endif
