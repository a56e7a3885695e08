/* journey.h - one bank's steps through the life of a case, for end-to-end tests: each a real call, checked to succeed
 * unless its name says otherwise; and waiting for what the centre does by itself, with the server's loop kept going.
 *
 * Everything told lives in `arena` until it is reset. One thread. Fails the test on failure. */
#ifndef COLOAN_TESTS_E2E_JOURNEY_H
#define COLOAN_TESTS_E2E_JOURNEY_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/verification.pb-c.h>

#include "tests/e2e/world.h"

#define JOURNEY_DAY_MS (INT64_C(24) * 60 * 60 * 1000)

struct journey {
    struct world *world;
    struct cl_arena *arena;
    struct cl_session *bank;
    const char *certificate; /* "alpha" */
    enum world_key key;
    char id[64];                            /* of the application */
    const char *persona;                    /* whose it is */
    char field[CL_REFUSAL_FIELD_BYTES_MAX]; /* that the last refusal blames */
    const char *account;                    /* that money is paid to */
    bool presale;                           /* what is submitted is a home that is not built yet */
};

void journey_begin(struct journey *journey, struct world *world, const char *certificate, enum world_key key);
void journey_end(struct journey *journey);

/* Stops the server, moves the clock, starts it again. */
void journey_restart(struct journey *journey, int64_t after_ms);

/* Moves the clock of the world. */
void journey_wait_ms(struct journey *journey, int64_t ms);

void journey_submit(struct journey *journey, const char *persona, const char *external_ref);
void journey_report(struct journey *journey, const char *persona);
struct cl_status journey_try_report(struct journey *journey, const char *persona);

/* The offer on the table. */
void journey_approve(struct journey *journey);
const Coloan__V1__OfferTerms *journey_terms(struct journey *journey);

/* As it is told now, with items and timeline. */
const Coloan__V1__ApplicationView *journey_view(struct journey *journey);
Coloan__V1__CaseState journey_state(struct journey *journey);

/* Lets the server do what is due and what was left open, and a moment pass. */
void journey_tick(struct journey *journey);

/* Ticks the server until the case is there; fails after some seconds. */
void journey_until(struct journey *journey, Coloan__V1__CaseState state);

/* Ticks for a moment; the case has to stay there. */
void journey_stays(struct journey *journey, Coloan__V1__CaseState state);

/* How many steps of the timeline are by this command. */
unsigned journey_steps(struct journey *journey, const char *command);

/* Submitted, reported, offered; and approved by both. */
void journey_to_offer(struct journey *journey, const char *persona, const char *external_ref);
void journey_to_approval(struct journey *journey, const char *persona, const char *external_ref);

/* A good milestone of the case as it stands, `hours` later: amounts from the terms, a new reference. */
Coloan__V1__Milestone *journey_milestone(struct journey *journey, Coloan__V1__MilestoneKind kind, Coloan__V1__Leg leg);
struct cl_status journey_try_tell(struct journey *journey, Coloan__V1__Milestone *milestone);
void journey_tell(struct journey *journey, Coloan__V1__MilestoneKind kind, Coloan__V1__Leg leg);

/* The borrower accepts the joint terms. */
void journey_confirm(struct journey *journey);

/* From the approval: both contracts, the filing under the number by which the simulated register knows it. */
void journey_sign(struct journey *journey);
void journey_file(struct journey *journey);

/* Moves the clock to when work of that kind is due for the case, and no further back. */
void journey_to_due(struct journey *journey, int kind);

/* The number of a metric's line, e.g. "coloan_cases_overdue"; and of a query on the database. */
long long journey_metric(const struct journey *journey, const char *line);
long long journey_count(const struct journey *journey, const char *query);

#endif
