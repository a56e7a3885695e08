/* lie.h - what the kinds of lies have in common: who tells them, and how one is written down.
 *
 * Private to the liar. See liar.h. */
#ifndef COLOAN_TESTS_CRASH_LIES_LIE_H
#define COLOAN_TESTS_CRASH_LIES_LIE_H

#include "libcoloan/rpc.h"
#include "tests/crash/lies/liar.h"

#define ACKNOWLEDGE_METHOD "coloan.v1.JointApproval/AcknowledgeEvent"
#define DELIVER_METHOD     "coloan.v1.JointApproval/Deliver"
#define LIE_ATTEMPT_MS     20000             /* a loaded machine */
#define LIE_YESTERDAY_MS   INT64_C(64800000) /* 18 hours: keys and certificates were good then */

struct liar {
    struct liar_options options;
    const char *bank; /* its party */
    struct cl_session *session, *other, *old;
    struct cl_clock yesterday;
    struct cl_rpc_client *client; /* for frames as they are */
    struct cl_arena *arena;       /* of one lie */
    uint64_t dice;                /* of one lie */
    bool untraced;                /* what was said is, or may be, kept rightly */
    struct cl_digest said;        /* of the last message that was made up */
    size_t next;                  /* lie in turn */
    uint64_t *told;               /* by lie: how often */
    struct liar_counts counts;
    char wrong[LIAR_WRONG_BYTES_MAX];
};

/* What became of it. */
enum lie_told { LIE_TOLD, LIE_NOTHING /* to make it of, or it was overtaken */ };

struct lie {
    const char *name;
    enum cl_reason expected;
    bool only_when_dead;
    enum lie_told (*tell)(struct liar *liar, struct cl_status *status_out);
};

extern const struct lie call_lies[], stream_lies[];
extern const size_t call_lie_count, stream_lie_count;

/* Signs as the bank and notes the digest; aborts when it cannot. */
struct cl_request lie_prepare(struct liar *liar, struct cl_session *session, const struct cl_session_call *call);

/* Sends it; the reason of the answer. */
struct cl_status lie_send(struct liar *liar, struct cl_session *session, const struct cl_request *request,
                          struct cl_answer *answer_out);

struct cl_status lie_call(struct liar *liar, struct cl_session *session, const struct cl_session_call *call);

/* An Ack or a Nack of the event as it is named there. */
struct lie_word {
    uint64_t sequence;
    struct cl_digest digest;
    Coloan__V1__AckLevel level; /* UNSPECIFIED: a Nack */
    const char *text;           /* bank_reference, or a Nack's reason */
    int64_t delay_ms;
    const struct cl_uuid *message_id; /* NULL: a new one */
};
struct cl_request lie_word(struct liar *liar, struct cl_session *session, const char *method,
                           const struct lie_word *word);

/* The same by AcknowledgeEvent. */
struct cl_status lie_acknowledge(struct liar *liar, struct cl_session *session, const struct lie_word *word);

#endif
