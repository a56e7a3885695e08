/* envelope.h - sealing and opening signed messages: steps 1 to 8, 10 and 11 of the checks, in their order.
 *
 * A sealed or opened message lives in the arena handed in and holds nothing of the keyring or the input; one thread at
 * a time per arena. Steps 9 (duplicates) and 12 (business) are the receiver's: step 9 has to come before the time
 * check, so time and body are functions of their own.
 * Fails: whatever a peer sent, each with its own reason. */
#ifndef COLOAN_ENVELOPE_H
#define COLOAN_ENVELOPE_H

#include <coloan/v1/directory.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/dsse.h"
#include "libcoloan/ids.h"
#include "libcoloan/keyring.h"
#include "libcoloan/signer.h"
#include "libcoloan/spec.h"
#include "libcoloan/status.h"

/* -- Sealing ------------------------------------------------------------------------------------------------- */

/* What the sender says; the sender is the signer's party. Everything is read while sealing only. */
struct cl_message {
    const char *environment, *recipient;
    const char *method; /* "coloan.v1.JointApproval/SubmitApplication" */
    Coloan__V1__Direction direction;
    struct cl_uuid message_id;
    int64_t created_ms, expires_ms;      /* expires 0 on EVENT */
    const struct cl_digest *in_reply_to; /* REPLY, ACK and REFUSAL; NULL elsewhere */
    const char *application_id;          /* NULL: none */
    uint64_t sequence;                   /* of an EVENT; 0 elsewhere */
    const char *spec_version;            /* the message is written in; NULL: the newest we have */
    const ProtobufCMessage *body;        /* the body, or NULL and its packed form: */
    const ProtobufCMessageDescriptor *body_type;
    struct cl_bytes body_bytes;
    Coloan__V1__Disclosure *const *disclosures; /* NULL with a count of 0 */
    size_t disclosure_count;
};

struct cl_sealed {
    struct cl_bytes envelope; /* to send */
    struct cl_bytes stored;   /* the same without disclosures, to keep; shares its bytes */
    struct cl_digest digest;
};

/* Packs, signs and wraps. Header and body are scanned as the receiver will do, so nothing is signed that could not be
 * read: TEXT_CONTROL and the like when a text put into them is not clean, SPEC_VERSION or WIRE_UNKNOWN_FIELD when they
 * are not of the version said. MESSAGE_TOO_LARGE, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_envelope_seal(struct cl_sealed *out, struct cl_arena *arena,
                                                const struct cl_signer *signer, const struct cl_message *message);

/* The same with 1..CL_SIGNATURES_MAX keys of one party. */
CL_MUST_CHECK struct cl_status cl_envelope_seal_many(struct cl_sealed *out, struct cl_arena *arena,
                                                     const struct cl_signer *const *signers, size_t signer_count,
                                                     const struct cl_message *message);

/* Profile "batch": 1..CL_BATCH_MAX messages of one sender under one signature; each is sealed as if alone and may go
 * its own way. `out` has `count` rows and is written only when all could be sealed. As cl_envelope_seal. */
CL_MUST_CHECK struct cl_status cl_envelope_seal_batch(struct cl_sealed *out, struct cl_arena *arena,
                                                      const struct cl_signer *signer, const struct cl_message *messages,
                                                      size_t count);

/* -- Opening ------------------------------------------------------------------------------------------------- */

/* A body that may come here, and the direction it comes in. */
struct cl_expected_body {
    const ProtobufCMessageDescriptor *type;
    Coloan__V1__Direction direction;
};

/* What the transport knows about the message to be opened. */
struct cl_expectation {
    const struct cl_keyring *keyring;
    const char *environment;
    const char *sender;    /* the party of the certificate */
    const char *recipient; /* this party */
    const char *method;    /* the RPC really called, as in the header */
    const struct cl_expected_body *bodies;
    size_t body_count;
    const struct cl_digest *in_reply_to; /* the message answered; NULL: an answer may name any, the caller looks */
    Coloan__V1__KeyPurpose purpose;      /* UNSPECIFIED stands for SIGN */
    int64_t now_ms;                      /* for the validity of keys; of an EVENT it is judged when it was made */
    bool batch;                          /* the profile "batch" is in service here */
    const struct cl_spec *spec;          /* the versions understood here; NULL: this build's */
    bool kept;                           /* made long ago: any version from 1.0 on */
};

struct cl_opened {
    const Coloan__V1__Envelope *envelope;
    const Coloan__V1__SignedHeader *header;
    const ProtobufCMessageDescriptor *body_type;
    const char *payload_type;
    struct cl_bytes payload; /* the signed bytes */
    struct cl_bytes body;    /* not yet scanned */
    struct cl_uuid message_id;
    struct cl_digest digest;
    struct cl_key key;         /* of the first signature */
    struct cl_edition edition; /* the body is read by */
    size_t disclosure_count;
    Coloan__V1__Disclosure *const *disclosures;
};

/* Steps 1 to 8. In order: MESSAGE_EMPTY, MESSAGE_TOO_LARGE | WIRE_*, TEXT_*, ENUM_UNKNOWN | MEMORY_LIMIT |
 * PAYLOAD_TYPE_WRONG | SIGNATURE_COUNT, PROFILE_UNSUPPORTED (a batch signature without .batch), KEY_UNKNOWN,
 * KEY_NOT_VALID | SIGNATURE_INVALID | WIRE_* and so on of the payload | HEADER_INCOMPLETE, SPEC_VERSION,
 * ENVIRONMENT_WRONG, SENDER_WRONG, RECIPIENT_WRONG, METHOD_WRONG, DIRECTION_WRONG, MESSAGE_ID_INVALID,
 * IN_REPLY_TO_WRONG, SEQUENCE_WRONG. */
CL_MUST_CHECK struct cl_status cl_envelope_open(struct cl_opened *out, struct cl_arena *arena, struct cl_bytes bytes,
                                                const struct cl_expectation *expected);

/* Step 10. CREATED_IN_FUTURE; LIFETIME_WRONG: not 1 ms to 10 min, or an EVENT that expires; EXPIRED, for REQUEST and
 * ACK only: an answer is tied to its request by digest and is repeated byte for byte however late. */
CL_MUST_CHECK struct cl_status cl_header_check_time(const Coloan__V1__SignedHeader *header, int64_t now_ms);

/* Step 11, the pure part: WIRE_*, TEXT_*, ENUM_UNKNOWN. Allocates nothing. */
CL_MUST_CHECK struct cl_status cl_opened_scan_body(const struct cl_opened *opened);

/* Step 11: scan and unpack; also MEMORY_LIMIT. The message is of opened->body_type and the arena's. */
CL_MUST_CHECK struct cl_status cl_opened_body(ProtobufCMessage **out, struct cl_arena *arena,
                                              const struct cl_opened *opened);

/* The form to keep: same payload, type and signatures, no disclosures. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_opened_stored(struct cl_bytes *out, struct cl_arena *arena,
                                                const struct cl_opened *opened);

/* Offline: a kept message, against a keyring alone. The sender is whom the header names, the keys are those valid when
 * it was made, as it says itself; batch signatures count; time and recipient are not judged. Reasons as for opening.
 * The key's status (it may have been compromised since) is in out->key. */
CL_MUST_CHECK struct cl_status cl_envelope_verify(struct cl_opened *out, struct cl_arena *arena, struct cl_bytes bytes,
                                                  const struct cl_keyring *keyring);

#endif
