/* walk.h - walks applications through a running centre: submits, waits until each is decided, looks at what came out.
 *
 * Owner: the caller of walk_open closes it. Submissions may come from several threads at once; everything else from one.
 * Fails: a status with the reason of the call that failed. */
#ifndef COLOAN_DEMO_WALK_H
#define COLOAN_DEMO_WALK_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <jansson.h>

#include "demo/banklog.h"
#include "libcoloan/session.h"

/* One application on its way. */
struct walker {
    char reference[64];
    char application_id[CL_UUID_TEXT_BYTES];
    struct cl_status submitted;
    int64_t submitted_ms; /* Unix, just before it was sent */

    /* Once it is decided, or waits for a person. */
    bool ended;
    int64_t took_ms; /* until the bank held the joint decision; without one, until the centre said who is next */
    Coloan__V1__Outcome outcome;
    uint32_t items_total, items_by_machine, items_by_person;
    int64_t fund_fen, commercial_fen, fund_instalment_fen, commercial_instalment_fen;
    char binding_limit[24];
    char reasons[8][24];
    size_t reason_count;
};

/* Submits a persona (sandbox/people.h) for the session's bank. Any thread. */
void walk_submit(struct walker *walker, struct cl_session *session, const json_t *persona, const char *reference);

/* Asks how it stands; `ended` when nothing happens any more without a person. */
CL_MUST_CHECK struct cl_status walk_look(struct walker *walker, struct cl_session *session, const struct banklog *log);

/* Writes the joint decision's envelope to a file. APPLICATION_UNKNOWN when there is none. */
CL_MUST_CHECK struct cl_status walk_keep_decision(const struct walker *walker, struct cl_session *session,
                                                  const char *path);

#endif
