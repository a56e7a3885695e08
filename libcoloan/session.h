/* session.h - a party's side of the protocol: sign, send, send again, verify, and receive what the centre pushes.
 *
 * A request is prepared first (its signed bytes may be kept before anything is sent) and then sent: on a way that
 * failed or a centre that still works on it, the very same bytes go again, until the time given is over, so that
 * nothing can be done twice. What comes back is believed only when the centre signed it and it names the request's
 * digest.
 *
 * Owner: whoever created a session or a delivery frees it; signer, clock and random are borrowed and outlive it.
 * Answers and events live in the arena handed in. Threads: a session may be used by any number at once, each with an
 * arena of its own; of a delivery one thread receives and one sends (ack, credit). Fails: the way there
 * (PEER_UNREACHABLE, DEADLINE_EXCEEDED, CALL_CANCELLED), the other side (a verified or stated refusal: its own reason),
 * and answers that do not verify (the reasons of envelope.h, or PEER_ANSWER_INVALID). */
#ifndef COLOAN_SESSION_H
#define COLOAN_SESSION_H

#include <coloan/v1/directory.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/clock.h"
#include "libcoloan/envelope.h"
#include "libcoloan/ids.h"
#include "libcoloan/keyring.h"
#include "libcoloan/refusal.h"
#include "libcoloan/signer.h"
#include "libcoloan/status.h"

/* -- Session -------------------------------------------------------------------------------------------------- */

struct cl_session;

struct cl_session_options {  /* read by create only */
    const char *target;      /* "host:port" */
    const char *server_name; /* the name the server's certificate must hold; NULL: the target's host */
    const char *ca_pem, *cert_pem, *key_pem;
    const struct cl_signer *signer;     /* whose party this is */
    struct cl_keyring *keyring;         /* the key directory to begin with; the session takes a reference */
    struct cl_public_key directory_key; /* the centre's DIRECTORY key, pinned out of band, for newer directories */
    const struct cl_clock *clock;       /* NULL: the machine's */
    const struct cl_random *random;     /* NULL: the system's */
};

/* Centre and environment are the keyring's; the server's certificate has to name the centre. Connects lazily. CONFIG_INVALID when a PEM text is none, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_session_create(struct cl_session **out, const struct cl_session_options *options);
void cl_session_free(struct cl_session *session); /* NULL is fine; no call and no delivery left */

/* Makes waits end and further sends fail with SHUTTING_DOWN; a call under way ends by its deadline. Any thread. */
void cl_session_stop(struct cl_session *session);
bool cl_session_stopped(const struct cl_session *session);

/* Waits, but for no longer than until cl_session_stop; false when stopped. */
bool cl_session_pause(struct cl_session *session, int64_t wait_ms);

/* Borrowed from the session. */
const char *cl_session_party(const struct cl_session *session);
const char *cl_session_centre(const struct cl_session *session);

/* A reference to the current key directory; the caller unrefs it. */
struct cl_keyring *cl_session_keyring(struct cl_session *session);

/* -- Unary calls ---------------------------------------------------------------------------------------------- */

/* What to ask. */
struct cl_session_call {
    const char *method; /* "coloan.v1.JointApproval/SubmitApplication" */
    const ProtobufCMessage *body;
    const ProtobufCMessageDescriptor *reply_type;
    const char *application_id;                 /* NULL: none */
    const struct cl_uuid *message_id;           /* NULL: a fresh one */
    const struct cl_digest *acknowledges;       /* an event: this is an acknowledgement; NULL: a request */
    Coloan__V1__Disclosure *const *disclosures; /* NULL with a count of 0 */
    size_t disclosure_count;
};

/* A signed request; everything in it is the arena's. To send it after a restart, keep method, reply type, digest and
 * envelope. */
struct cl_request {
    const char *method;
    const ProtobufCMessageDescriptor *reply_type;
    struct cl_uuid message_id;
    struct cl_digest digest;
    struct cl_bytes envelope;
    int64_t expires_ms; /* after that the centre takes it only as a repetition */
};

/* Reasons as cl_envelope_seal. */
CL_MUST_CHECK struct cl_status cl_session_prepare(struct cl_request *out, struct cl_session *session,
                                                  struct cl_arena *arena, const struct cl_session_call *call);

/* How long one try and all together may take. */
struct cl_patience {
    int64_t attempt_ms, total_ms; /* 0: CL_DEADLINE_MS_DEFAULT; total 0: one attempt only */
};

struct cl_answer {
    const ProtobufCMessage *body; /* of request->reply_type; NULL unless OK */
    struct cl_opened opened;      /* the verified reply or signed refusal */
    struct cl_bytes envelope;     /* the bytes of either, to keep as evidence; empty: none */
    unsigned attempt_count;
    /* When the returned reason is the centre's: */
    bool refused;
    bool refusal_signed;
    int64_t retry_after_ms;                 /* 0: not said */
    char field[CL_REFUSAL_FIELD_BYTES_MAX]; /* path of the field to mend; "": none */
};

/* Sends, and sends the same bytes again while the reason is one of the gRPC codes UNAVAILABLE (IN_PROGRESS is one) and
 * DEADLINE_EXCEEDED, waiting longer each time. OK: the reply is verified and unpacked. `out` is filled in every case.
 */
CL_MUST_CHECK struct cl_status cl_session_send(struct cl_answer *out, struct cl_session *session,
                                               struct cl_arena *arena, const struct cl_request *request,
                                               struct cl_patience patience);

/* Prepares and sends. */
CL_MUST_CHECK struct cl_status cl_session_call(struct cl_answer *out, struct cl_session *session,
                                               struct cl_arena *arena, const struct cl_session_call *call,
                                               struct cl_patience patience);

/* Asks Directory.GetKeys and takes over a newer directory, which the pinned key must have signed; the reply may be
 * signed by a key that only the new directory knows. `changed_out` (NULL is fine): there was one. */
CL_MUST_CHECK struct cl_status cl_session_refresh_keys(bool *changed_out, struct cl_session *session,
                                                       struct cl_arena *arena, struct cl_patience patience);

/* -- Documents ------------------------------------------------------------------------------------------------ */

/* A document to upload. */
struct cl_upload {
    const char *application_id;
    struct cl_digest sha256;
    int64_t size_bytes; /* 1 .. CL_DOCUMENT_BYTES_MAX */
    /* Fills `out` with `len` bytes from `offset`; what it fails with ends the upload. */
    struct cl_status (*read)(void *user, uint8_t *out, int64_t offset, size_t len);
    void *user;
};

/* Asks how much of it is there, sends the rest, and goes on from there when the way breaks, the centre has no room for
 * the moment, or somebody else sends the same document, until patience.total_ms is over. OK: out->body is the verified
 * DocumentReceipt of the complete document. `out` is filled in every case; a chunk takes some 400 KiB of memory. */
CL_MUST_CHECK struct cl_status cl_session_upload(struct cl_answer *out, struct cl_session *session,
                                                 struct cl_arena *arena, const struct cl_upload *upload,
                                                 struct cl_patience patience);

/* -- Waiting longer each time --------------------------------------------------------------------------------- */

#define CL_BACKOFF_MS_MIN 100
#define CL_BACKOFF_MS_MAX 5000

struct cl_backoff {
    int64_t next_ms; /* 0 to begin with, and again after a success */
};

/* The next wait: doubled from CL_BACKOFF_MS_MIN to CL_BACKOFF_MS_MAX, give or take a quarter, at least `least_ms`. */
int64_t cl_backoff_next(struct cl_backoff *backoff, int64_t least_ms, const struct cl_random *random);

/* -- Deliver -------------------------------------------------------------------------------------------------- */

/* Three heartbeats long: a stream that is silent so long is dead. */
#define CL_DELIVER_SILENCE_MS (45 * 1000)

struct cl_delivery;

struct cl_deliver_options {
    uint64_t resume_after;             /* the last sequence that is durable here; 0: from the start */
    uint8_t session_id[CL_UUID_BYTES]; /* random, kept across reconnects of the same process */
    uint64_t epoch;                    /* start counter: a higher one fences older sessions */
    uint32_t max_outstanding;          /* 1..1000 */
};

/* Opens the stream and sends Open; does not wait for the centre. */
CL_MUST_CHECK struct cl_status cl_session_deliver_open(struct cl_delivery **out, struct cl_session *session,
                                                       const struct cl_deliver_options *options);
void cl_session_deliver_close(struct cl_delivery *delivery); /* NULL is fine; nobody may be inside */

/* From any thread: ends the stream, so that a waiting receive or send returns. */
void cl_session_deliver_cancel(struct cl_delivery *delivery);

enum cl_delivered_kind {
    CL_DELIVERED_NOTHING = 0, /* the wait is over */
    CL_DELIVERED_EVENT,
    CL_DELIVERED_HEARTBEAT,
    CL_DELIVERED_GAP,   /* the events from..to cannot be served; the next one is to + 1 */
    CL_DELIVERED_HELD,  /* the events from..to are held back behind one that was refused or parked; they come later */
    CL_DELIVERED_DRAIN, /* the centre ends the stream soon; reconnect after so long */
    CL_DELIVERED_END,   /* the stream is over; `ended` says how */
};

struct cl_delivered {
    enum cl_delivered_kind kind;
    struct cl_opened opened;        /* of all but NOTHING and END */
    struct cl_bytes envelope;       /* its bytes */
    const Coloan__V1__Event *event; /* EVENT only, as the next four */
    uint64_t sequence;
    bool again;                    /* its sequence was passed before: it was held back, or is a repetition */
    uint64_t head, received_floor; /* HEARTBEAT, as the next */
    int64_t server_time_ms;
    uint64_t from, to;          /* GAP, HELD */
    int64_t reconnect_after_ms; /* DRAIN */
    struct cl_status ended;     /* END: OK, or the reason, e.g. STREAM_FENCED */
};

/* Waits for the next frame. A frame that is not the centre's, not to us, not in answer to our Open, or out of sequence
 * (SEQUENCE_WRONG) is an error: close the delivery then and open it again after what is durable. The receiving thread.
 */
CL_MUST_CHECK struct cl_status cl_session_deliver_next(struct cl_delivered *out, struct cl_delivery *delivery,
                                                       struct cl_arena *arena, int64_t timeout_ms);

/* An acknowledgement of one event, perhaps of an earlier stream. `reference` (NULL: none) is the bank's own number,
 * with APPLIED. The sending thread. CALL_CANCELLED when the stream is over. */
struct cl_deliver_ack {
    uint64_t sequence;
    struct cl_digest digest; /* of the event */
    Coloan__V1__AckLevel level;
    const char *reference;
    const char *application_id;
};
CL_MUST_CHECK struct cl_status cl_session_deliver_ack(struct cl_delivery *delivery, struct cl_arena *arena,
                                                      const struct cl_deliver_ack *ack);

/* This event cannot be taken now; it comes again after the delay, 0..86,400,000 ms, and what follows it of the same
 * application is held back so long. `reason`: 1..64 of A-Z, 0-9, '_', '-'. The sending thread, as the next. */
struct cl_deliver_nack {
    uint64_t sequence;
    struct cl_digest digest; /* of the event */
    int64_t delay_ms;
    const char *reason;
    const char *application_id;
};
CL_MUST_CHECK struct cl_status cl_session_deliver_nack(struct cl_delivery *delivery, struct cl_arena *arena,
                                                       const struct cl_deliver_nack *nack);

/* It is being taken over: the centre waits another lease before it sends it again. */
CL_MUST_CHECK struct cl_status cl_session_deliver_in_progress(struct cl_delivery *delivery, struct cl_arena *arena,
                                                              uint64_t sequence);

/* Lets 1..1000 more events be outstanding. The sending thread. */
CL_MUST_CHECK struct cl_status cl_session_deliver_credit(struct cl_delivery *delivery, struct cl_arena *arena,
                                                         uint32_t more);

/* -- Being called --------------------------------------------------------------------------------------------- */

/* For a bank whose server takes the centre's calls of BankInbox.Notify: reads the event of a call, verified, in `out` as
 * cl_session_deliver_next gives it (`again` is not known). The server has to see to it that the caller's certificate
 * names cl_session_centre. Reasons as cl_envelope_open. */
CL_MUST_CHECK struct cl_status cl_session_notified(struct cl_delivered *out, struct cl_session *session,
                                                   struct cl_arena *arena, struct cl_bytes envelope);

/* The reply: the event is durable (or applied); or it cannot be taken now. In the arena. */
CL_MUST_CHECK struct cl_status cl_session_notified_ack(struct cl_bytes *out, struct cl_session *session,
                                                       struct cl_arena *arena, const struct cl_deliver_ack *ack);
CL_MUST_CHECK struct cl_status cl_session_notified_nack(struct cl_bytes *out, struct cl_session *session,
                                                        struct cl_arena *arena, const struct cl_deliver_nack *nack);

/* -- Reconciling ---------------------------------------------------------------------------------------------- */

/* The events that a bank holds: 1 to `count`, and what stands for all up to one of them (chain.h). */
struct cl_events_held {
    uint64_t count;
    struct cl_status (*chain)(void *user, uint64_t sequence, struct cl_digest *out); /* 1 .. count */
    void *user;
};

struct cl_reconciled {
    uint64_t head; /* the last event the centre has */
    uint64_t same; /* up to here both hold the same; the next one is the first that differs or that one of both lacks */
    bool equal;    /* both hold the same events, all of them */
    unsigned exchanges;
};

/* Finds where what the bank holds and what the centre has begin to differ, in some log64(n) exchanges. The arena is used
 * for each anew. As cl_session_call, and what `chain` fails with. */
CL_MUST_CHECK struct cl_status cl_session_reconcile(struct cl_reconciled *out, struct cl_session *session,
                                                    struct cl_arena *arena, const struct cl_events_held *held);

#endif
