/* lifecycle.h - the three tracks of a case - fund, bank, registry - and the only ways they move.
 *
 * Each track has one table (lifecycle.def): from, command, guard, to, event, sentence. A command names the rows it needs:
 * every track whose table knows the command has to have a row that fits, and all of them move together; otherwise
 * nothing moves and the command is refused with STATE_CONFLICT. Case state, outcome and next actor are derived, never
 * kept apart. The enums have the numbers of their counterparts in coloan/v1/{application,decision,push}.proto.
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
    FUND_CONFIRMED = 6,
    FUND_SIGNED = 7,
    FUND_DISBURSED = 8,
    FUND_SETTLED = 9,
    FUND_WITHDRAWN = 10,
    FUND_EXPIRED = 11,
    FUND_CANCELLED = 12,
    FUND_TRACK_COUNT,
};

enum bank_track {
    BANK_NONE = 0,
    BANK_PENDING = 1,
    BANK_APPROVED = 2,
    BANK_DECLINED = 3,
    BANK_COUNTERED = 4,
    BANK_NOT_NEEDED = 5, /* the fund lends alone */
    BANK_SIGNED = 6,
    BANK_DISBURSED = 7,
    BANK_SETTLED = 8,
    BANK_RELEASED = 9, /* the case ended without the bank having lent */
    BANK_TRACK_COUNT,
};

enum registry_track {
    REGISTRY_NONE = 0,
    REGISTRY_NOT_STARTED = 1,
    REGISTRY_FILED = 2,
    REGISTRY_SUPPLEMENT = 3,
    REGISTRY_REJECTED = 4,
    REGISTRY_REGISTERED = 5,
    REGISTRY_RELEASED = 6,
    REGISTRY_HELD = 7, /* an entry that differs from the contracts, or none in time */
    REGISTRY_TRACK_COUNT,
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
    CASE_DECLINED = 9,
    CASE_CONFIRMED = 10,
    CASE_SIGNING = 11,
    CASE_SIGNED = 12,
    CASE_REGISTERING = 13,
    CASE_REGISTRY_SUPPLEMENT = 14,
    CASE_CHECKING = 15,
    CASE_AWAITING_COMPLETION = 16,
    CASE_HELD = 17,
    CASE_READY = 18,
    CASE_HALF_DISBURSED = 19,
    CASE_REPAYING = 20,
    CASE_SETTLED = 21,
    CASE_CANCELLED = 22,
    CASE_STATE_COUNT,
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
    OUTCOME_WITHDRAWN = 8,
    OUTCOME_EXPIRED = 9,
    OUTCOME_CANCELLED = 10,
    OUTCOME_COUNT,
};

enum case_actor {
    ACTOR_NONE = 0,
    ACTOR_FUND = 1,
    ACTOR_BANK = 2,
    ACTOR_BORROWER = 3,
    ACTOR_OFFICER = 4,
    ACTOR_NOBODY = 5,
    ACTOR_AUTHORITY = 6, /* the property register, or whoever files a building's completion */
};

/* What a transition tells the bank. The numbers of coloan.v1.EventKind. */
enum case_event {
    EVENT_NONE = 0,
    EVENT_STATUS = 1,
    EVENT_FUND_DECISION = 2,
    EVENT_JOINT_DECISION = 3,
    EVENT_APPLICATION = 4,
    EVENT_RELEASED = 5, /* to the bank that was */
    EVENT_CONSENT_WITHDRAWN = 6,
};

enum case_command {
    COMMAND_SUBMIT = 1,
    COMMAND_SETTLE_ITEM, /* a result came in, from a source, the bank or an officer */
    COMMAND_DEADLINE,    /* the law's time for the fund's decision is nearly up: what is open goes to an officer */
    COMMAND_SUPPLEMENT,
    COMMAND_CHANGE_BANK,
    COMMAND_CHOOSE_RULES,
    COMMAND_WITHDRAW_CONSENT,
    COMMAND_WITHDRAW,
    COMMAND_EXPIRE,
    COMMAND_FUND_APPROVE,       /* with a commercial part: the bank decides next */
    COMMAND_FUND_APPROVE_ALONE, /* without one: decided */
    COMMAND_FUND_REJECT,
    COMMAND_FUND_SUPPLEMENT,
    COMMAND_FUND_MANUAL,
    COMMAND_BANK_APPROVE,
    COMMAND_BANK_COUNTER,
    COMMAND_BANK_DECLINE,
    COMMAND_CONFIRM, /* the borrower accepts the joint terms */
    COMMAND_SIGN_FUND,
    COMMAND_SIGN_BANK,
    COMMAND_FILE, /* the registration is applied for */
    COMMAND_REGISTRY_SUPPLEMENT,
    COMMAND_REGISTRY_PROCEED, /* the register goes on with what was added */
    COMMAND_REGISTRY_REJECT,
    COMMAND_REGISTRY_HOLD, /* its entry differs from the contracts, or does not come */
    COMMAND_REGISTER,
    COMMAND_CHECK, /* a check before payment came in, or all are asked anew */
    COMMAND_DISBURSE_FUND,
    COMMAND_DISBURSE_BANK,
    COMMAND_REPAY_FUND,
    COMMAND_REPAY_BANK,
    COMMAND_OVERDUE_FUND,
    COMMAND_OVERDUE_BANK,
    COMMAND_SETTLE_FUND,
    COMMAND_SETTLE_BANK,
    COMMAND_CANCEL, /* by agreement, between signing and payment */
    COMMAND_RELEASE_MORTGAGE,
    COMMAND_COUNT,
};

/* The items of one phase. */
struct case_counts {
    uint32_t total;
    uint32_t open;    /* not settled, neither by machine nor by a person */
    uint32_t bank;    /* of the open ones: the bank's to report */
    uint32_t officer; /* wait for an officer; not among the open ones */
};

/* The checks before payment. */
struct case_checks {
    uint32_t total;          /* 0: not begun */
    uint32_t open;           /* no answer yet, or the completion is not filed yet */
    uint32_t bad;            /* did not pass: an officer has to look; not among the open ones */
    bool completion_awaited; /* the only open ones wait for the completion filing */
};

/* Everything that is kept of where a case stands. All zero: not yet submitted. */
struct case_tracks {
    enum fund_track fund;
    enum bank_track bank;
    enum registry_track registry;
    struct case_counts items; /* that the fund's decision rests on */
    struct case_checks checks;
    uint32_t offer_version; /* 0: no offer */
    uint32_t counters;      /* counter-offers in this round */
    uint32_t round;         /* from 1; a decided case that is opened again gets the next: one joint decision each */
};

/* What a command brings along; what the command does not use is ignored. */
struct case_input {
    enum case_command command;
    struct case_counts items;    /* after it; read by SUBMIT and whatever opens or settles items */
    struct case_checks checks;   /* after it; CHECK, REGISTER */
    uint32_t offer_versions_max; /* BANK_COUNTER: the rule set's, per round */
};

/* The events to write, in this order. */
struct case_events {
    enum case_event list[2];
    size_t count;
};

enum case_track { TRACK_FUND, TRACK_BANK, TRACK_REGISTRY, TRACK_COUNT };

/* What has to hold for a row, besides the state. */
typedef bool lifecycle_guard(const struct case_tracks *tracks, const struct case_input *input);

/* One row of a track's table (lifecycle.def); from and to are numbers of the track's enum. */
struct transition {
    int from;
    enum case_command command;
    lifecycle_guard *guard;
    int to;
    enum case_event event;
    bool offers;  /* offer_version rises by one */
    bool decides; /* the case is decided: a JOINT_DECISION event follows */
    bool reopens; /* what was decided holds no longer: the next round begins */
    const char *sentence;
    const char *sentence_zh;
};

/* Row `index` of a track's table, or NULL past the end: for documents, the timeline and tests. */
const struct transition *lifecycle_at(enum case_track track, unsigned index);

/* Whose table the row stands in. */
enum case_track lifecycle_track_of(const struct transition *row);

/* The row of a step in the log; NULL when the tables have it no longer. */
const struct transition *lifecycle_find(enum case_track track, int from, enum case_command command, int to);

/* The guard in words, for documents; "" for the one that always holds. */
const char *lifecycle_guard_text(lifecycle_guard *guard);
const char *lifecycle_guard_text_zh(lifecycle_guard *guard);

/* The row by which `command` moved a case from here, whose sentence says best what happened; NULL when none fits. */
const struct transition *lifecycle_row(const struct case_tracks *from, const struct case_input *input);

/* Moves the tracks and says which events to write; both untouched on failure. STATE_CONFLICT when no row fits. The
 * caller's counts fit together (lifecycle_valid). */
CL_MUST_CHECK struct cl_status lifecycle_apply(struct case_tracks *tracks, struct case_events *events_out,
                                               const struct case_input *input);

enum case_state lifecycle_state(const struct case_tracks *tracks);
enum case_outcome lifecycle_outcome(const struct case_tracks *tracks);
enum case_actor lifecycle_next_actor(const struct case_tracks *tracks);

/* Nothing moves any more. */
bool lifecycle_ended(const struct case_tracks *tracks);

/* Its persons may stand in another application: it came to nothing, or its loans are paid out and on record. */
bool lifecycle_frees_persons(const struct case_tracks *tracks);

/* The fund may decide: every item is settled or left to an officer, whom the decision then asks for. */
bool lifecycle_may_decide(const struct case_tracks *tracks);

/* Whether the tracks go together; asserted after every transition, to be checked after every load. */
bool lifecycle_valid(const struct case_tracks *tracks);

/* "BANK_COUNTER", for logs and documents; "?" for a number without a name. */
const char *lifecycle_command_name(enum case_command command);

/* "PENDING" of TRACK_FUND's 1; "?" for a number without a name. */
const char *lifecycle_track_name(enum case_track track, int value);

/* "VERIFYING". */
const char *lifecycle_state_name(enum case_state state);

#endif
