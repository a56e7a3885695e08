/* session_core.h - what the files session*.c share; private to them. */
#ifndef COLOAN_SESSION_CORE_H
#define COLOAN_SESSION_CORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "libcoloan/limits.h"
#include "libcoloan/rpc.h"
#include "libcoloan/session.h"

#define SESSION_PATH_BYTES_MAX (CL_METHOD_BYTES_MAX + 2) /* '/', method, NUL */

struct cl_session {
    struct cl_rpc_client *client;
    const struct cl_signer *signer;
    struct cl_keyring_slot *keyrings;
    struct cl_public_key directory_key;
    char centre[CL_PARTY_BYTES_MAX + 1];
    char environment[CL_ENVIRONMENT_BYTES_MAX + 1];
    const struct cl_clock *clock;
    const struct cl_random *random;
    pthread_mutex_t lock; /* guards nothing but the wait for `stopped` */
    pthread_cond_t stop;
    atomic_bool stopped;
};

/* Signs a message of this party to the centre, made now. */
struct session_message {
    const char *method;
    Coloan__V1__Direction direction;
    const ProtobufCMessage *body;
    const struct cl_digest *in_reply_to;
    const char *application_id;
    const struct cl_uuid *message_id; /* NULL: a fresh one */
    Coloan__V1__Disclosure *const *disclosures;
    size_t disclosure_count;
};
CL_MUST_CHECK struct cl_status session_seal(struct cl_sealed *out, struct cl_message *header_out,
                                            struct cl_session *session, struct cl_arena *arena,
                                            const struct session_message *message);

/* What a bank says of an event by `method`: the body, and the message around it, which refers to the body and to what was
 * said. MEMORY_LIMIT. */
struct session_acknowledgement {
    Coloan__V1__Ack ack;
    Coloan__V1__Nack nack;
    struct session_message message;
};
CL_MUST_CHECK struct cl_status session_write_ack(struct session_acknowledgement *out, struct cl_arena *arena,
                                                 const char *method, const struct cl_deliver_ack *ack);
CL_MUST_CHECK struct cl_status session_write_nack(struct session_acknowledgement *out, struct cl_arena *arena,
                                                  const char *method, const struct cl_deliver_nack *nack);

/* What is expected of a message of the centre, with that keyring and now. */
struct cl_expectation session_expect(struct cl_session *session, const struct cl_keyring *keyring, const char *method,
                                     const struct cl_expected_body *bodies, size_t body_count,
                                     const struct cl_digest *in_reply_to);

/* The details of a refused call: fills the refusal's fields of `out` and returns the reason. */
CL_MUST_CHECK struct cl_status session_refused(struct cl_answer *out, struct cl_session *session,
                                               struct cl_arena *arena, const char *method,
                                               const struct cl_digest *request, struct cl_bytes details);

/* Opens the verified reply to `request`, of this type, and keeps its bytes in out->envelope. */
CL_MUST_CHECK struct cl_status session_read_reply(struct cl_answer *out, struct cl_session *session,
                                                  struct cl_arena *arena, const struct cl_request *request,
                                                  struct cl_bytes bytes);

#endif
