/* dsse.h - the DSSE v1 frame under envelope and keyring: what is signed, its digest, and how it is read and written.
 *
 * Everything made here lives in the arena handed in; any thread, one at a time per arena. */
#ifndef COLOAN_DSSE_H
#define COLOAN_DSSE_H

#include <coloan/v1/envelope.pb-c.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/signer.h"
#include "libcoloan/status.h"

#define CL_PAYLOAD_TYPE_BYTES_MAX 128

/* PAE = "DSSEv1" SP len(type) SP type SP len(payload) SP payload: the bytes that are signed. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_dsse_pae(struct cl_bytes *out, struct cl_arena *arena, const char *payload_type,
                                           struct cl_bytes payload);

/* SHA-256(PAE), the message digest, without building the PAE. */
void cl_dsse_digest(struct cl_digest *out, const char *payload_type, struct cl_bytes payload);

/* "application/vnd.coloan.v1.<MessageName>+protobuf" for a message of package coloan.v1. */
void cl_payload_type(char out[CL_PAYLOAD_TYPE_BYTES_MAX], const ProtobufCMessageDescriptor *body_type);

/* The body message of that payload type, of all that this version has; NULL: none. */
const ProtobufCMessageDescriptor *cl_payload_type_find(const char *payload_type);

/* Size, byte scan, unpack: steps 1 to 3. MESSAGE_EMPTY also when there is no payload, MESSAGE_TOO_LARGE also for the
 * payload alone; otherwise as cl_unpack. */
CL_MUST_CHECK struct cl_status cl_dsse_read(Coloan__V1__Envelope **out, struct cl_arena *arena, struct cl_bytes bytes);

/* Serialises payload, type, 1..CL_SIGNATURES_MAX signatures and disclosures, in that order, so that the form without
 * disclosures is a prefix: its length goes to `stored_len_out` (NULL is fine). MEMORY_LIMIT, MESSAGE_TOO_LARGE. */
CL_MUST_CHECK struct cl_status cl_dsse_write(struct cl_bytes *out, size_t *stored_len_out, struct cl_arena *arena,
                                             const Coloan__V1__Envelope *envelope);

/* Signs `payload` with each signer and serialises the envelope. MEMORY_LIMIT, MESSAGE_TOO_LARGE. */
CL_MUST_CHECK struct cl_status cl_dsse_seal(struct cl_bytes *out, size_t *stored_len_out, struct cl_digest *digest_out,
                                            struct cl_arena *arena, const struct cl_signer *const *signers,
                                            size_t signer_count, const Coloan__V1__Envelope *unsigned_envelope);

/* Packs any message into the arena. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_pack(struct cl_bytes *out, struct cl_arena *arena, const ProtobufCMessage *message);

#endif
