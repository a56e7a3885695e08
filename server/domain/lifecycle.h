/* lifecycle.h - the three tracks of a case and the only ways they move.
 *
 * One table (lifecycle.c) holds every transition: from, command, guard, to, event, sentence. Whatever is not in it is
 * refused with STATE_CONFLICT. Case state, outcome and next actor are derived, never stored apart. The enums have the
 * numbers of their counterparts in coloan/v1/{application,decision,push}.proto.
 *
 * Values only; any thread. */
#ifndef COLOAN_SERVER_DOMAIN_LIFECYCLE_H
#define COLOAN_SERVER_DOMAIN_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/status.h"

enum fund_track {
    FUND_NONE = 0,
    FUND_PENDING = 1,
    FUND_APPROVED = 2,
    FUND_REJECTED = 3,
    FUND_SUPPLEMENT = 4,
    FUND_MANUAL = 5,
    FUND_TRACK_COUNT,
};

enum bank_track {
    BANK_NONE = 0,
    BANK_PENDING = 1,
    BANK_APPROVED = 2,
    BANK_DECLINED = 3,
    BANK_COUNTERED = 4,
    BANK_TRACK_COUNT,
};

enum registry_track {
    REGISTRY_NONE = 0,
    REGISTRY_NOT_STARTED = 1,
};

enum case_state {
    CASE_NONE = 0,
    CASE_VERIFYING = 1,
    CASE_SUPPLEMENT = 2,
    CASE_MANUAL = 3,
    CASE_OFFERED = 4,
    CASE_APPROVED = 5,
    CASE_REJECTED = 6,
    CASE_EXPIRED = 7,
    CASE_WITHDRAWN = 8,
};

enum case_outcome {
    OUTCOME_NONE = 0,
    OUTCOME_PENDING = 1,
    OUTCOME_APPROVED_COMBINED = 2,
    OUTCOME_APPROVED_FUND_ONLY = 3,
    OUTCOME_REJECTED_FUND = 4,
    OUTCOME_DECLINED_BANK = 5,
    OUTCOME_SUPPLEMENT = 6,
    OUTCOME_MANUAL = 7,
};

enum case_actor {
    ACTOR_NONE = 0,
    ACTOR_FUND = 1,
    ACTOR_BANK = 2,
    ACTOR_BORROWER = 3,
    ACTOR_OFFICER = 4,
    ACTOR_NOBODY = 5,
};

/* What a transition tells the bank. The numbers of coloan.v1.EventKind. */
enum case_event {
    EVENT_NONE = 0,
    EVENT_STATUS = 1,
    EVENT_FUND_DECISION = 2,
    EVENT_JOINT_DECISION = 3,
    EVENT_APPLICATION = 4,
};

enum case_command {
    COMMAND_SUBMIT = 1,
    COMMAND_SETTLE_ITEM,        /* a result came in, from a source, the bank or an officer */
    COMMAND_FUND_APPROVE,       /* with a commercial part: the bank decides next */
    COMMAND_FUND_APPROVE_ALONE, /* without one: done */
    COMMAND_FUND_REJECT,
    COMMAND_FUND_SUPPLEMENT,
    COMMAND_FUND_MANUAL,
    COMMAND_BANK_APPROVE,
    COMMAND_BANK_COUNTER,
    COMMAND_BANK_DECLINE,
    COMMAND_COUNT,
};

/* Everything that is kept of where a case stands. All zero: not yet submitted. */
struct case_tracks {
    enum fund_track fund;
    enum bank_track bank;
    enum registry_track registry;
    uint32_t items_total;
    uint32_t items_open;    /* not settled, neither by machine nor by a person */
    uint32_t items_bank;    /* of the open ones: the bank's to report */
    uint32_t items_officer; /* wait for an officer; not among the open ones */
    uint32_t offer_version; /* 0: no offer */
    bool fund_only;         /* the offer has no commercial part */
};

/* What a command brings along; what the command does not use is ignored. */
struct case_input {
    enum case_command command;
    uint32_t items_total; /* SUBMIT, SETTLE_ITEM: the counts after it */
    uint32_t items_open;
    uint32_t items_bank;
    uint32_t items_officer;
    uint32_t offer_versions_max; /* BANK_COUNTER: the rule set's */
};

/* The events to write, in this order. */
struct case_events {
    enum case_event list[2];
    size_t count;
};

/* One row of the table. */
struct transition {
    enum fund_track fund_from;
    enum bank_track bank_from;
    enum case_command command;
    bool (*guard)(const struct case_tracks *tracks, const struct case_input *input); /* NULL: always */
    enum fund_track fund_to;
    enum bank_track bank_to;
    enum case_event event;
    bool new_offer; /* offer_version rises by one */
    bool ends;      /* the case is decided: a JOINT_DECISION event follows */
    const char *sentence;
};

/* Row `index`, or NULL past the end: for documents and tests. */
const struct transition *lifecycle_at(unsigned index);

/* Moves the tracks and says which events to write; both untouched on failure. STATE_CONFLICT when no row fits. The
 * caller's counts fit together (lifecycle_valid). */
CL_MUST_CHECK struct cl_status lifecycle_apply(struct case_tracks *tracks, struct case_events *events_out,
                                               const struct case_input *input);

enum case_state lifecycle_state(const struct case_tracks *tracks);
enum case_outcome lifecycle_outcome(const struct case_tracks *tracks);
enum case_actor lifecycle_next_actor(const struct case_tracks *tracks);

/* The fund may decide: every item is settled or left to an officer, whom the decision then asks for. */
bool lifecycle_may_decide(const struct case_tracks *tracks);

/* Whether the tracks go together; asserted after every transition, to be checked after every load. */
bool lifecycle_valid(const struct case_tracks *tracks);

/* "BANK_COUNTER", for logs and documents; "?" for a number without a name. */
const char *lifecycle_command_name(enum case_command command);

#endif
