/* recheck.h - what an answer says when it is asked for again before the money is paid.
 *
 * The decision stands; the question is only whether something has happened since that a person has to look at. Values
 * only; any thread. */
#ifndef COLOAN_SERVER_DOMAIN_RECHECK_H
#define COLOAN_SERVER_DOMAIN_RECHECK_H

#include "server/domain/facts.h"
#include "server/domain/offer.h"
#include "server/domain/ruleset.h"

enum recheck {
    RECHECK_PASSED,
    RECHECK_NOT_YET, /* the completion is not filed yet: asked again, and nobody's fault */
    RECHECK_BAD,     /* a person has to look */
};

/* Of one result of the phase DISBURSEMENT that item_result_check lets through. */
enum recheck recheck_result(const struct rule_set *rules, const struct application *application,
                            const struct offer *agreed, const struct item_result *result, int64_t now_ms);

#endif
