/* cases.h - what a message does to a case: one function per command, run inside the writer's transaction.
 *
 * A handler gets a message that passed every check up to its business: it loads, lets server/domain decide, saves, and
 * writes the events that the change causes. When it fails nothing stays. It never answers, waits or asks anybody: what
 * has to happen after the commit it leaves in struct case_effect.
 *
 * Owner: everything a handler makes lives in the command's arena. Thread: the writer's. struct cases is immutable.
 * Fails: with the reason that is told to the sender; STORE_FAILED latches the store. */
#ifndef COLOAN_CASES_CASES_H
#define COLOAN_CASES_CASES_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/directory.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <coloan/v1/verification.pb-c.h>

#include "libcoloan/arena.h"
#include "libcoloan/envelope.h"
#include "libcoloan/loan_reasons.h"
#include "server/cases/centre.h"
#include "server/domain/application.h"
#include "server/domain/lifecycle.h"
#include "server/domain/ruleset.h"
#include "server/store/applications.h"
#include "server/store/due.h"
#include "server/store/officers.h"
#include "server/store/store.h"
#include "server/store/tasks.h"
#include "server/vault/vault.h"

struct authorisation;
struct source_inquiry;

/* What all cases share; made at start, outlives every command. */
struct cases {
    const struct centre *centre;
    const struct vault *vault;
    struct authorisation *authorisation; /* verifies letters; the writer's. NULL: their digests are enough */
    const struct rule_set *rule_sets;    /* without gap or overlap */
    size_t rule_set_count;
    const char *node; /* this server, where several work on one database; NULL: it is alone */
};

/* The rule set in force at that moment; NULL when there is none. */
const struct rule_set *cases_rules(const struct cases *cases, int64_t now_ms);

/* Events that one command can write: the application's own, and the decisions it leads to. */
#define CASE_EVENTS_MAX 4

/* What operators have to look at. */
enum case_alarm {
    CASE_ALARM_NONE,
    CASE_ALARM_HALF_DISBURSED,   /* one of two legs is paid */
    CASE_ALARM_DECISION_OVERDUE, /* the law's time for the fund's decision is over */
    CASE_ALARM_EVENT_PARKED,     /* an event cannot be delivered */
    CASE_ALARM_COUNT,
};

/* What was said about the delivery of events. */
enum case_said { CASE_NOTHING_SAID, CASE_RECEIVED, CASE_REFUSED, CASE_STEERED };

struct case_delivery {
    enum case_said said;
    const char *recipient;
    uint64_t sequence; /* RECEIVED, REFUSED */
};

/* What has to happen after the commit. */
struct case_effect {
    const char *application_id; /* of the reply's header, and of an alarm; NULL: none */
    struct field_path field;    /* with a failure: what to mend; empty: no single field */
    struct {
        const char *recipient;
        uint64_t sequence;
    } events[CASE_EVENTS_MAX];
    size_t event_count;
    struct cl_keyring *directory; /* that the centre issued, to be put in force; the taker's */
    bool decided;                 /* the case came to its joint decision */
    int64_t decided_after_ms;     /* since its submission */
    enum case_alarm alarm;
    const char *alarm_application; /* NULL: application_id */
    struct case_delivery delivery;
    bool polled;                    /* the inquiry asks again what could not be known before */
    struct source_inquiry *inquiry; /* to be asked; the taker's */
};

/* One command's view of the world. */
struct case_tx {
    const struct cases *cases;
    struct store_tx *tx;
    struct sql *sql;
    struct cl_arena *arena;
    int64_t now_ms;
    const char *by;                  /* party id of whoever causes it; the centre's own */
    const struct cl_digest *message; /* that causes it; NULL: none does */
    struct case_effect *effect;
};

/* That view from inside a command's transaction; the moment is now and the centre itself causes it, which a message's
 * command sets otherwise. Everything but the result outlives it. */
struct case_tx case_tx_of(const struct cases *cases, struct store_tx *tx, struct cl_arena *arena,
                          struct case_effect *effect);

/* Keeps what the centre said among the messages sent: `sealed` is the speech. */
CL_MUST_CHECK struct cl_status case_keep(struct case_tx *tx, const struct centre_sealed *sealed,
                                         const struct centre_speech *speech);

/* Keeps a message that was received; `reply` (NULL: none yet) is in the log already. */
CL_MUST_CHECK struct cl_status case_keep_received(struct case_tx *tx, const struct cl_opened *opened,
                                                  const char *application_id, const struct cl_digest *reply);

/* Fails with `reason` and says which field of the message is to blame, cut to what a path may take. */
CL_MUST_CHECK struct cl_status case_blame(struct case_tx *tx, enum cl_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A checked request. */
struct case_request {
    const struct cl_opened *opened;
    const ProtobufCMessage *body;
    const char *sender;
    enum cl_party_kind sender_kind;
    const char *application_id; /* of the header; for a submission the new one */
};

typedef struct cl_status case_handler(ProtobufCMessage **reply_out, struct case_tx *tx,
                                      const struct case_request *request);

case_handler case_submit;               /* Application -> ApplicationReceipt */
case_handler case_report_verifications; /* VerificationReport -> ApplicationStatus */
case_handler case_query_verifications;  /* VerificationQuery -> VerificationAnswer */
case_handler case_report_bank_decision; /* BankDecision -> JointOutcome */
case_handler case_withdraw_consent;     /* ConsentWithdrawal -> ApplicationStatus */
case_handler case_report_milestone;     /* Milestone -> ApplicationStatus */
case_handler case_supplement;           /* Application -> ApplicationStatus */
case_handler case_change_bank;          /* BankChange -> ApplicationStatus */
case_handler case_withdraw;             /* Withdrawal -> ApplicationStatus */
case_handler case_confirm_offer;        /* OfferConfirmation -> ApplicationStatus */
case_handler case_choose_rules;         /* RuleChoice -> ApplicationStatus */
case_handler case_get_application;      /* ApplicationQuery -> ApplicationView */
case_handler case_list_applications;    /* ApplicationListQuery -> ApplicationList */
case_handler case_rotate_key;           /* KeyRotation -> KeyRotationReceipt */
case_handler case_acknowledge;          /* Ack, Nack -> EventState; reply_out NULL: it is not told */
case_handler case_list_events;          /* EventListQuery -> EventList */
case_handler case_get_event;            /* EventQuery -> EventView */
case_handler case_steer_events;         /* EventSteering -> EventList */
case_handler case_reconcile;            /* ReconcileQuery -> ReconcileAnswer */

/* Whether the reply to this request, made before, may be given again: what it tells of persons rests on consents, which
 * have to be in force still. CONSENT_WITHDRAWN, CONSENT_INVALID (ended), STALE_EPOCH (the reader lends no more). For
 * requests that only read. */
CL_MUST_CHECK struct cl_status case_may_repeat(struct case_tx *tx, const struct case_request *request);

case_handler case_list_tasks;   /* TaskListQuery -> TaskList */
case_handler case_get_task;     /* TaskQuery -> TaskView */
case_handler case_claim_task;   /* TaskClaim -> Task */
case_handler case_release_task; /* TaskRelease -> Task */
case_handler case_settle_item;  /* ItemSettlement -> ApplicationStatus */
case_handler case_override;     /* OverrideRequest -> ItemOverride */
case_handler case_get_decision; /* DecisionQuery -> DecisionRecord */
case_handler case_get_counters; /* CountersQuery -> Counters */

/* Ends proposed overrides that nobody confirmed in time, some at a time. */
CL_MUST_CHECK struct cl_status case_expire_overrides(struct case_tx *tx);

/* What waits for officers and what they did, since the database was made. */
struct review_sums {
    int64_t tasks_open[TASK_KINDS];    /* by coloan.v1.TaskKind */
    int64_t steps[OFFICER_STEP_COUNT]; /* by enum officer_step */
    int64_t
        referred[CL_LOAN_REASON_COUNT]; /* items left to a person, by why; [CL_LOAN_NONE]: the kind of task says it */
    int64_t overridden[CL_LOAN_REASON_COUNT]; /* items changed by two officers, by what their answer had meant before */
};
CL_MUST_CHECK struct cl_status case_review_sums(struct review_sums *out, struct case_tx *tx);

/* Answers of the authorities come in as a command of our own. Items that were settled meanwhile are left alone. */
CL_MUST_CHECK struct cl_status case_take_answers(struct case_tx *tx, const struct source_inquiry *inquiry);

/* Applications with items that an authority has to settle, by id, at most `limit`: what a restart or an overload left. */
struct application_ids;
CL_MUST_CHECK struct cl_status case_unasked(struct application_ids *out, struct case_tx *tx, size_t limit);

/* Where several servers work on one database: says that this one is alive. */
CL_MUST_CHECK struct cl_status case_alive(struct case_tx *tx);

/* Whether another server is asking the authorities for the application. */
CL_MUST_CHECK struct cl_status case_asked_elsewhere(bool *out, struct case_tx *tx, const char *application_id);

/* Makes the inquiry for the open items that authorities answer, as case_submit did: for a restart. NULL in
 * tx->effect->inquiry when nothing is open. */
CL_MUST_CHECK struct cl_status case_ask_again(struct case_tx *tx, const char *application_id);

/* -- Time ---------------------------------------------------------------------------------------------------- */

/* What has come due, longest first and at most `limit`, and how the cases stand. */
struct case_look {
    struct due_rows due;
    struct application_tally tally;
};
CL_MUST_CHECK struct cl_status case_look(struct case_look *out, struct case_tx *tx, size_t limit);

/* Does what is due: once, and only if it is still to be done. */
CL_MUST_CHECK struct cl_status case_run_due(struct case_tx *tx, const char *subject, int kind);

/* Puts off what could not be done. */
CL_MUST_CHECK struct cl_status case_postpone(struct case_tx *tx, const char *subject, int kind);

/* -- Calling a bank's inbox ---------------------------------------------------------------------------------- */

/* An event to call with, in the arena. */
struct case_call {
    uint64_t sequence;
    struct cl_digest digest;
    struct cl_bytes envelope; /* with the values that the bank may see now */
    uint64_t stream;          /* the number of the bank's newest stream; for the outcome */
};

/* Takes the next event that may go out, for a call whose outcome is written before `until_ms`; nobody else takes it so long.
 * One that cannot be put together is parked, with an alarm. */
CL_MUST_CHECK struct cl_status case_claim_event(bool *found_out, struct case_call *out, struct case_tx *tx,
                                                const char *recipient, int64_t until_ms);

/* The bank answered with a verified Ack or Nack. `hasten`: what could not get through before may try again now. Fails as
 * the acknowledgement would on a stream; the call has failed then. */
CL_MUST_CHECK struct cl_status case_call_answered(struct case_tx *tx, const struct case_request *request, bool hasten);

/* It did not: the event is tried again by the published schedule (retry.h), and parked when that is over. */
struct case_call_failure {
    uint64_t sequence;
    bool unreachable; /* the bank, or the way to it; else what it answered */
    uint64_t stream;  /* as the event was taken: a bank that opened one since is there, and the event is due */
    const char *note; /* the name of a reason */
    uint32_t random;
};
CL_MUST_CHECK struct cl_status case_call_failed(struct case_tx *tx, const char *recipient,
                                                const struct case_call_failure *failure);

/* -- Sharing ------------------------------------------------------------------------------------------------- */

/* An event of the outbox that is about to be sent. */
struct case_outgoing {
    const char *recipient;
    const char *application_id;
    const struct cl_digest *digest;
    struct cl_bytes envelope; /* as it is kept, without disclosures */
};

/* The personal values that the recipient may see with this event, as disclosures in the arena: those of persons whose
 * consent the event rests on, as long as it is in force and the recipient is the bank that lends. After an erasure there
 * are none. Any thread with a connection of its own. */
struct case_disclosures {
    Coloan__V1__Disclosure **list;
    size_t count;
};
CL_MUST_CHECK struct cl_status case_event_disclosures(struct case_disclosures *out, struct cl_arena *arena,
                                                      struct sql *sql, const struct cases *cases,
                                                      const struct case_outgoing *event, int64_t now_ms);

/* An event's bytes as they go out now: with those disclosures behind them, if there are any. */
struct outbox_row;
CL_MUST_CHECK struct cl_status case_event_bytes(struct cl_bytes *out, struct cl_arena *arena, struct sql *sql,
                                                const struct cases *cases, const struct outbox_row *row,
                                                int64_t now_ms);

/* The same for a stored reply of a method that discloses (api_method.discloses): what a person let the centre verify,
 * for its officers. After an erasure, or when the consents have ended, there are none. */
CL_MUST_CHECK struct cl_status case_reply_disclosures(struct case_disclosures *out, struct cl_arena *arena,
                                                      struct sql *sql, const struct cases *cases,
                                                      struct cl_bytes reply_envelope,
                                                      const ProtobufCMessageDescriptor *type, int64_t now_ms);

/* A stored envelope with disclosures beside it, in the arena: to be sent, never to be kept. */
CL_MUST_CHECK struct cl_status case_with_disclosures(struct cl_bytes *out, struct cl_arena *arena,
                                                     struct cl_bytes envelope,
                                                     const struct case_disclosures *disclosures);

#endif
