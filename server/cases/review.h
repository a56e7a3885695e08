/* review.h - what the officers' commands share: finding a task, a finding checked, messages made, steps logged.
 *
 * Everything lives in the command's arena. Writer thread; see cases.h. */
#ifndef COLOAN_CASES_REVIEW_H
#define COLOAN_CASES_REVIEW_H

#include <coloan/v1/review.pb-c.h>

#include "server/cases/file.h"
#include "server/cases/tasks.h"
#include "server/store/officers.h"
#include "server/store/overrides.h"

/* -- Tasks --------------------------------------------------------------------------------------------------- */

/* TASK_UNKNOWN when there is none, or it is not of `application_id` (NULL: of any). */
CL_MUST_CHECK struct cl_status review_find_task(struct task_row *out, struct case_tx *tx, const char *task_id,
                                                const char *application_id);

/* Open, and the sender's at this moment. TASK_ENDED, TASK_NOT_CLAIMED. */
CL_MUST_CHECK struct cl_status review_check_claim(const struct task_row *task, const struct case_tx *tx,
                                                  const struct case_request *request);

/* As it is now; borrows from the row. */
CL_MUST_CHECK struct cl_status review_task_told(Coloan__V1__Task **out, struct cl_arena *arena,
                                                const struct task_row *task, int64_t now_ms);

/* -- Findings ------------------------------------------------------------------------------------------------ */

/* What an officer says of an item, checked: a result that the item can have, that leaves nothing to a person again, with
 * a proof or a note. */
struct finding {
    struct item_result result;
    const char *note; /* "": none */
    bool has_document;
    struct cl_digest document;
};

enum finding_use {
    FINDING_SETTLES,   /* an item of the decision */
    FINDING_OVERRIDES, /* the same, once it is settled */
    FINDING_CHECKS,    /* a check before payment, or what the register has */
};

/* `file` has its facts. FIELD_MISSING, FIELD_INVALID, NOTE_UNKNOWN with the field; ITEM_NOT_OWNED: an item that no officer
 * decides on: the bank's own credit query, and the consents. */
CL_MUST_CHECK struct cl_status review_read_finding(struct finding *out, struct case_tx *tx,
                                                   const struct case_file *file, struct item_key key,
                                                   const Coloan__V1__Finding *in, enum finding_use use);

/* The row of an item that the decision rests on, as it is now; NULL when the application has no such item. */
CL_MUST_CHECK struct cl_status review_find_item(const struct item_row **out, struct case_tx *tx,
                                                const struct case_file *file, struct item_key key);

/* What the item's answer means by itself, as a code; "" for nothing. INTERNAL when its result cannot be read. */
CL_MUST_CHECK struct cl_status review_reason_of(const char **out, struct case_tx *tx, const struct item_row *item);

/* -- Overrides ----------------------------------------------------------------------------------------------- */

/* As it is now; `status` (NULL: none) of the case goes with it. */
CL_MUST_CHECK struct cl_status review_override_told(Coloan__V1__ItemOverride **out, struct cl_arena *arena,
                                                    const struct override_row *row, int64_t now_ms,
                                                    Coloan__V1__ApplicationStatus *status);

/* -- The log ------------------------------------------------------------------------------------------------- */

/* Who, when and by which message are the request's. */
CL_MUST_CHECK struct cl_status review_log(struct case_tx *tx, const struct case_request *request,
                                          const struct officer_action *action);

#endif
