/* The order of the checks is the protocol's: what is cheap and what needs no key comes first, nothing inside the
 * payload is looked at before its signature verified, and each step has reasons of its own. */
#include "libcoloan/envelope.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "libcoloan/batch.h"
#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"

/* -- Sealing ------------------------------------------------------------------------------------------------- */

static ProtobufCBinaryData copy_data(struct cl_arena *arena, struct cl_bytes bytes)
{
    if (bytes.len == 0) {
        return (ProtobufCBinaryData){.len = 0, .data = NULL};
    }
    return (ProtobufCBinaryData){.len = bytes.len, .data = cl_arena_copy(arena, bytes)};
}

/* Copies, because protobuf-c's structs do not know const. */
static void fill_header(Coloan__V1__SignedHeader *out, struct cl_arena *arena, const char *sender,
                        const struct cl_message *message)
{
    coloan__v1__signed_header__init(out);
    out->spec_version = cl_arena_text(arena, message->spec_version);
    out->environment = cl_arena_text(arena, message->environment);
    out->message_id = copy_data(arena, cl_bytes(message->message_id.bytes, CL_UUID_BYTES));
    out->sender = cl_arena_text(arena, sender);
    out->recipient = cl_arena_text(arena, message->recipient);
    out->method = cl_arena_text(arena, message->method);
    out->direction = message->direction;
    out->created_ms = message->created_ms;
    out->expires_ms = message->expires_ms;
    if (message->in_reply_to != NULL) {
        out->in_reply_to = copy_data(arena, cl_bytes(message->in_reply_to->bytes, CL_DIGEST_BYTES));
    }
    if (message->application_id != NULL) {
        out->application_id = cl_arena_text(arena, message->application_id);
    }
    out->sequence = message->sequence;
}

/* The payload, scanned as the receiver will scan it. */
static struct cl_status pack_payload(ProtobufCBinaryData *out, struct cl_arena *arena, const char *sender,
                                     const struct cl_message *message)
{
    const ProtobufCMessageDescriptor *type = message->body != NULL ? message->body->descriptor : message->body_type;
    Coloan__V1__SignedPayload payload = COLOAN__V1__SIGNED_PAYLOAD__INIT;
    Coloan__V1__SignedHeader header;
    struct cl_edition edition;
    struct cl_bytes body = message->body_bytes;
    struct cl_bytes bytes;
    struct cl_status status = cl_spec_edition(&edition, cl_spec_ours(), message->spec_version);
    if (cl_is_ok(status) && message->body != NULL) {
        status = cl_pack(&body, arena, message->body);
    }
    if (cl_is_ok(status)) {
        status = cl_wirescan_edition(type, body, CL_PAYLOAD_BYTES_MAX, &edition);
    }
    if (cl_failed(status)) {
        return status;
    }
    fill_header(&header, arena, sender, message);
    payload.header = &header;
    payload.body = copy_data(arena, body);
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    status = cl_pack(&bytes, arena, &payload.base);
    if (cl_is_ok(status)) {
        status = cl_wirescan_edition(&coloan__v1__signed_payload__descriptor, bytes, CL_PAYLOAD_BYTES_MAX, &edition);
    }
    if (cl_is_ok(status)) {
        *out = copy_data(arena, bytes);
        status = out->data != NULL ? cl_ok() : cl_fail(CL_MEMORY_LIMIT);
    }
    return status;
}

/* The envelope but for its signatures. */
static struct cl_status prepare(Coloan__V1__Envelope *out, struct cl_arena *arena, const char *sender,
                                const struct cl_message *said)
{
    assert(said->body != NULL || said->body_type != NULL);
    char type[CL_PAYLOAD_TYPE_BYTES_MAX];
    char newest[CL_SPEC_VERSION_BYTES_MAX];
    struct cl_message versioned = *said;
    const struct cl_message *message = &versioned;
    cl_spec_text(newest, cl_spec_ours()->max);
    versioned.spec_version = said->spec_version == NULL ? newest : said->spec_version;
    coloan__v1__envelope__init(out);
    cl_payload_type(type, message->body != NULL ? message->body->descriptor : message->body_type);
    out->payload_type = cl_arena_text(arena, type);
    out->n_disclosures = message->disclosure_count;
    out->disclosures = cl_arena_array(arena, message->disclosure_count, sizeof(Coloan__V1__Disclosure *));
    if (out->payload_type == NULL || out->disclosures == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < message->disclosure_count; i++) {
        out->disclosures[i] = message->disclosures[i];
    }
    return pack_payload(&out->payload, arena, sender, message);
}

struct cl_status cl_envelope_seal_many(struct cl_sealed *out, struct cl_arena *arena,
                                       const struct cl_signer *const *signers, size_t signer_count,
                                       const struct cl_message *message)
{
    Coloan__V1__Envelope envelope;
    struct cl_sealed sealed;
    size_t stored_len = 0;
    struct cl_status status = prepare(&envelope, arena, cl_signer_party(signers[0]), message);
    if (cl_is_ok(status)) {
        status = cl_dsse_seal(&sealed.envelope, &stored_len, &sealed.digest, arena, signers, signer_count, &envelope);
    }
    if (cl_failed(status)) {
        return status;
    }
    sealed.stored = cl_bytes(sealed.envelope.data, stored_len);
    *out = sealed;
    return cl_ok();
}

struct cl_status cl_envelope_seal(struct cl_sealed *out, struct cl_arena *arena, const struct cl_signer *signer,
                                  const struct cl_message *message)
{
    const struct cl_signer *const signers[] = {signer};
    return cl_envelope_seal_many(out, arena, signers, 1, message);
}

/* What is needed of each message until the tree over all of them is known. */
struct batched {
    Coloan__V1__Envelope envelope;
    struct cl_sealed sealed;
    struct cl_batch_path path;
};

static struct cl_status add_to_batch(struct batched *out, struct cl_digest *leaf_out, struct cl_arena *arena,
                                     const char *sender, const struct cl_message *message)
{
    struct cl_bytes pae;
    struct cl_status status = prepare(&out->envelope, arena, sender, message);
    if (cl_is_ok(status)) {
        status = cl_dsse_pae(&pae, arena, out->envelope.payload_type,
                             cl_bytes(out->envelope.payload.data, out->envelope.payload.len));
    }
    if (cl_is_ok(status)) {
        cl_batch_leaf(leaf_out, pae);
        cl_sha256(&out->sealed.digest, pae);
    }
    return status;
}

static struct cl_status finish_batched(struct batched *batched, struct cl_arena *arena, struct cl_signature sig,
                                       struct cl_keyid keyid, uint32_t count, uint32_t index)
{
    Coloan__V1__BatchProof proof = COLOAN__V1__BATCH_PROOF__INIT;
    Coloan__V1__Signature signature = COLOAN__V1__SIGNATURE__INIT;
    Coloan__V1__Signature *signatures[] = {&signature};
    ProtobufCBinaryData path[CL_BATCH_DEPTH_MAX];
    size_t stored_len = 0;
    for (size_t i = 0; i < batched->path.count; i++) {
        path[i] = (ProtobufCBinaryData){.len = CL_DIGEST_BYTES, .data = batched->path.siblings[i].bytes};
    }
    proof.count = count;
    proof.index = index;
    proof.n_path = batched->path.count;
    proof.path = path;
    signature.sig = (ProtobufCBinaryData){.len = sizeof sig.bytes, .data = sig.bytes};
    signature.keyid = keyid.text;
    signature.batch = &proof;
    batched->envelope.n_signatures = 1;
    batched->envelope.signatures = signatures;
    struct cl_status status = cl_dsse_write(&batched->sealed.envelope, &stored_len, arena, &batched->envelope);
    if (cl_is_ok(status)) {
        batched->sealed.stored = cl_bytes(batched->sealed.envelope.data, stored_len);
    }
    return status;
}

struct cl_status cl_envelope_seal_batch(struct cl_sealed *out, struct cl_arena *arena, const struct cl_signer *signer,
                                        const struct cl_message *messages, size_t count)
{
    assert(count >= 1);
    assert(count <= CL_BATCH_MAX);
    struct batched *batched = cl_arena_array(arena, count, sizeof *batched);
    struct cl_digest *leaves = cl_arena_array(arena, count, sizeof *leaves);
    struct cl_batch_path *paths = cl_arena_array(arena, count, sizeof *paths);
    struct cl_digest root;
    struct cl_signature sig;
    if (batched == NULL || leaves == NULL || paths == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = cl_ok();
    for (size_t i = 0; i < count && cl_is_ok(status); i++) {
        status = add_to_batch(&batched[i], &leaves[i], arena, cl_signer_party(signer), &messages[i]);
    }
    if (cl_failed(status)) {
        return status;
    }
    cl_batch_tree(&root, paths, leaves, count);
    cl_batch_sign(&sig, signer, &root, (uint32_t)count);
    for (size_t i = 0; i < count && cl_is_ok(status); i++) {
        batched[i].path = paths[i];
        status = finish_batched(&batched[i], arena, sig, *cl_signer_keyid(signer), (uint32_t)count, (uint32_t)i);
    }
    for (size_t i = 0; i < count && cl_is_ok(status); i++) {
        out[i] = batched[i].sealed;
    }
    return status;
}

/* -- Signatures ---------------------------------------------------------------------------------------------- */

/* Whose keys may have signed, and when. */
struct search {
    const struct cl_key *keys;
    size_t key_count;
    enum cl_key_use use;
    int64_t at_ms;
    bool batch; /* batch signatures count */
};

/* The keys to try for one signature. */
struct candidates {
    const struct cl_key *keys[CL_KEY_TRIES_MAX];
    size_t count;
};

/* Step 5 for one signature: the key id narrows, it never adds. */
static struct cl_status choose(struct candidates *out, const Coloan__V1__Signature *signature,
                               const struct search *search)
{
    bool known = false;
    if (signature->batch != NULL && !search->batch) {
        return cl_fail(CL_PROFILE_UNSUPPORTED);
    }
    out->count = 0;
    for (size_t i = 0; i < search->key_count && out->count < CL_KEY_TRIES_MAX; i++) {
        const struct cl_key *key = &search->keys[i];
        if (signature->keyid[0] != '\0' && strcmp(signature->keyid, key->keyid.text) != 0) {
            continue;
        }
        known = true;
        if (cl_is_ok(cl_key_check(key, search->use, search->at_ms))) {
            out->keys[out->count++] = key;
        }
    }
    if (!known) {
        return cl_fail(CL_KEY_UNKNOWN);
    }
    return out->count > 0 ? cl_ok() : cl_fail(CL_KEY_NOT_VALID);
}

/* Step 6 for one signature: the candidate that made it, or NULL. */
static const struct cl_key *find_maker(const Coloan__V1__Signature *signature, const struct candidates *candidates,
                                       struct cl_bytes pae)
{
    const Coloan__V1__BatchProof *batch = signature->batch;
    struct cl_signature sig;
    struct cl_digest root;
    if (signature->sig.len != sizeof sig.bytes || (batch != NULL && !cl_batch_root(&root, pae, batch))) {
        return NULL;
    }
    memcpy(sig.bytes, signature->sig.data, sizeof sig.bytes);
    for (size_t i = 0; i < candidates->count; i++) {
        const struct cl_public_key *key = &candidates->keys[i]->public_key;
        bool holds =
            batch != NULL ? cl_batch_verify(&sig, key, &root, batch->count) : cl_signature_verify(&sig, key, pae);
        if (holds) {
            return candidates->keys[i];
        }
    }
    return NULL;
}

/* Every signature verifies, each by a key of its own. */
static struct cl_status find_makers(const struct cl_key **out, const Coloan__V1__Envelope *envelope,
                                    const struct candidates *candidates, struct cl_bytes pae)
{
    const struct cl_key *makers[CL_SIGNATURES_MAX] = {NULL};
    for (size_t i = 0; i < envelope->n_signatures; i++) {
        makers[i] = find_maker(envelope->signatures[i], &candidates[i], pae);
        if (makers[i] == NULL) {
            return cl_fail(CL_SIGNATURE_INVALID);
        }
        for (size_t j = 0; j < i; j++) {
            if (makers[j] == makers[i]) {
                return cl_fail(CL_SIGNATURE_INVALID);
            }
        }
    }
    *out = makers[0];
    return cl_ok();
}

static struct cl_status check_count(const Coloan__V1__Envelope *envelope)
{
    return envelope->n_signatures >= 1 && envelope->n_signatures <= CL_SIGNATURES_MAX ? cl_ok()
                                                                                      : cl_fail(CL_SIGNATURE_COUNT);
}

/* Steps 5 and 6. Fills digest and key. */
static struct cl_status verify(struct cl_opened *out, struct cl_arena *arena, const struct search *search)
{
    struct candidates candidates[CL_SIGNATURES_MAX];
    const struct cl_key *maker = NULL;
    struct cl_bytes pae;
    struct cl_status status = cl_ok();
    for (size_t i = 0; i < out->envelope->n_signatures && cl_is_ok(status); i++) {
        status = choose(&candidates[i], out->envelope->signatures[i], search);
    }
    if (cl_is_ok(status)) {
        status = cl_dsse_pae(&pae, arena, out->payload_type, out->payload);
    }
    if (cl_is_ok(status)) {
        status = find_makers(&maker, out->envelope, candidates, pae);
    }
    if (cl_is_ok(status)) {
        cl_sha256(&out->digest, pae);
        out->key = *maker;
    }
    return status;
}

/* -- Header -------------------------------------------------------------------------------------------------- */

static bool is_answer(Coloan__V1__Direction direction)
{
    return direction == COLOAN__V1__DIRECTION__DIRECTION_REPLY || direction == COLOAN__V1__DIRECTION__DIRECTION_ACK ||
           direction == COLOAN__V1__DIRECTION__DIRECTION_REFUSAL;
}

static bool is_event(const Coloan__V1__SignedHeader *header)
{
    return header->direction == COLOAN__V1__DIRECTION__DIRECTION_EVENT;
}

static struct cl_status check_complete(const Coloan__V1__SignedHeader *header)
{
    if (header == NULL) {
        return cl_fail(CL_HEADER_INCOMPLETE);
    }
    const char *const texts[] = {header->spec_version, header->environment, header->sender, header->recipient,
                                 header->method};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i][0] == '\0') {
            return cl_fail(CL_HEADER_INCOMPLETE);
        }
    }
    bool timed = header->created_ms > 0 && (header->expires_ms != 0 || is_event(header));
    bool bound = header->in_reply_to.len > 0 || !is_answer(header->direction);
    bool named = header->message_id.len > 0 && header->direction != COLOAN__V1__DIRECTION__DIRECTION_UNSPECIFIED;
    return timed && bound && named ? cl_ok() : cl_fail(CL_HEADER_INCOMPLETE);
}

/* Whether the message was meant for this place. */
static struct cl_status check_address(const Coloan__V1__SignedHeader *header, const struct cl_expectation *expected,
                                      Coloan__V1__Direction direction)
{
    if (strcmp(header->environment, expected->environment) != 0) {
        return cl_fail(CL_ENVIRONMENT_WRONG);
    }
    if (strcmp(header->sender, expected->sender) != 0) {
        return cl_fail(CL_SENDER_WRONG);
    }
    if (strcmp(header->recipient, expected->recipient) != 0) {
        return cl_fail(CL_RECIPIENT_WRONG);
    }
    if (strcmp(header->method, expected->method) != 0) {
        return cl_fail(CL_METHOD_WRONG);
    }
    return header->direction == direction ? cl_ok() : cl_fail(CL_DIRECTION_WRONG);
}

/* Its id, what it answers, and its place in a sequence. */
static struct cl_status check_binding(const Coloan__V1__SignedHeader *header, const struct cl_digest *in_reply_to)
{
    if (!cl_uuid7_valid(cl_bytes(header->message_id.data, header->message_id.len))) {
        return cl_fail(CL_MESSAGE_ID_INVALID);
    }
    if (header->in_reply_to.len != (is_answer(header->direction) ? CL_DIGEST_BYTES : 0)) {
        return cl_fail(CL_IN_REPLY_TO_WRONG);
    }
    if (is_answer(header->direction) && in_reply_to != NULL &&
        sodium_memcmp(header->in_reply_to.data, in_reply_to->bytes, CL_DIGEST_BYTES) != 0) {
        return cl_fail(CL_IN_REPLY_TO_WRONG);
    }
    return is_event(header) == (header->sequence > 0) ? cl_ok() : cl_fail(CL_SEQUENCE_WRONG);
}

struct cl_status cl_header_check_time(const Coloan__V1__SignedHeader *header, int64_t now_ms)
{
    if (header->created_ms > now_ms + CL_CLOCK_AHEAD_MS_MAX) {
        return cl_fail(CL_CREATED_IN_FUTURE);
    }
    if (is_event(header)) {
        return header->expires_ms == 0 ? cl_ok() : cl_fail(CL_LIFETIME_WRONG);
    }
    if (header->created_ms <= 0 || header->expires_ms <= header->created_ms ||
        header->expires_ms - header->created_ms > CL_MESSAGE_LIFE_MS_MAX) {
        return cl_fail(CL_LIFETIME_WRONG);
    }
    bool expires = header->direction != COLOAN__V1__DIRECTION__DIRECTION_REPLY &&
                   header->direction != COLOAN__V1__DIRECTION__DIRECTION_REFUSAL;
    return expires && now_ms > header->expires_ms ? cl_fail(CL_EXPIRED) : cl_ok();
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

/* Steps 1 to 3. */
static struct cl_status read_envelope(struct cl_opened *out, struct cl_arena *arena, struct cl_bytes bytes)
{
    Coloan__V1__Envelope *envelope = NULL;
    struct cl_status status = cl_dsse_read(&envelope, arena, bytes);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct cl_opened){.envelope = envelope,
                              .payload_type = envelope->payload_type,
                              .payload = cl_bytes(envelope->payload.data, envelope->payload.len),
                              .disclosure_count = envelope->n_disclosures,
                              .disclosures = envelope->disclosures};
    return cl_ok();
}

/* Step 7. */
static struct cl_status read_payload(struct cl_opened *out, struct cl_arena *arena)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_unpack(&message, arena, &coloan__v1__signed_payload__descriptor, out->payload);
    if (cl_failed(status)) {
        return status;
    }
    const Coloan__V1__SignedPayload *payload = (const Coloan__V1__SignedPayload *)(const void *)message;
    out->header = payload->header;
    out->body = cl_bytes(payload->body.data, payload->body.len);
    return cl_ok();
}

/* Step 4: the expected body that the payload type names, or NULL. */
static const struct cl_expected_body *find_expected(const char *payload_type, const struct cl_expectation *expected)
{
    char type[CL_PAYLOAD_TYPE_BYTES_MAX];
    for (size_t i = 0; i < expected->body_count; i++) {
        cl_payload_type(type, expected->bodies[i].type);
        if (strcmp(type, payload_type) == 0) {
            return &expected->bodies[i];
        }
    }
    return NULL;
}

/* The header says by which version's rules it has to be read itself. */
static struct cl_status find_edition(struct cl_opened *opened, const struct cl_expectation *expected)
{
    const struct cl_spec *spec = expected->spec == NULL ? cl_spec_ours() : expected->spec;
    const char *version = opened->header->spec_version;
    struct cl_status status = is_event(opened->header) || expected->kept
                                  ? cl_spec_edition_kept(&opened->edition, spec, version)
                                  : cl_spec_edition(&opened->edition, spec, version);
    if (cl_failed(status) || opened->edition.spec->addition_count == 0) {
        return status; /* the first scan saw all there is to see */
    }
    return cl_wirescan_edition(&coloan__v1__signed_payload__descriptor, opened->payload, CL_PAYLOAD_BYTES_MAX,
                               &opened->edition);
}

static struct cl_status check_header(struct cl_opened *opened, const struct cl_expectation *expected,
                                     Coloan__V1__Direction direction)
{
    struct cl_status status = check_complete(opened->header);
    if (cl_is_ok(status)) {
        status = find_edition(opened, expected);
    }
    if (cl_is_ok(status)) {
        status = check_address(opened->header, expected, direction);
    }
    if (cl_is_ok(status)) {
        status = check_binding(opened->header, expected->in_reply_to);
    }
    if (cl_is_ok(status)) {
        memcpy(opened->message_id.bytes, opened->header->message_id.data, CL_UUID_BYTES);
    }
    return status;
}

/* An event is read long after it was made, as it was signed then: its keys are those that were in force. Its header is
 * looked at before it is trusted; what it claims stands or falls with the signature. */
static void judge_by_then(struct search *search, struct cl_arena *arena, const struct cl_opened *opened)
{
    struct cl_opened peeked = *opened;
    if (cl_is_ok(read_payload(&peeked, arena)) && peeked.header != NULL) {
        search->use = CL_KEY_ARCHIVE;
        search->at_ms = peeked.header->created_ms;
    }
}

struct cl_status cl_envelope_open(struct cl_opened *out, struct cl_arena *arena, struct cl_bytes bytes,
                                  const struct cl_expectation *expected)
{
    struct cl_opened opened;
    struct search search = {.use = CL_KEY_LIVE, .at_ms = expected->now_ms, .batch = expected->batch};
    Coloan__V1__KeyPurpose purpose = expected->purpose == COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_UNSPECIFIED
                                         ? COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN
                                         : expected->purpose;
    struct cl_status status = read_envelope(&opened, arena, bytes);
    if (cl_failed(status)) {
        return status;
    }
    const struct cl_expected_body *body = find_expected(opened.payload_type, expected);
    if (body == NULL) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    opened.body_type = body->type;
    search.key_count =
        cl_keyring_candidates(expected->keyring, expected->environment, expected->sender, purpose, &search.keys);
    if (body->direction == COLOAN__V1__DIRECTION__DIRECTION_EVENT) {
        judge_by_then(&search, arena, &opened);
    }
    status = check_count(opened.envelope);
    if (cl_is_ok(status)) {
        status = verify(&opened, arena, &search);
    }
    if (cl_is_ok(status)) {
        status = read_payload(&opened, arena);
    }
    if (cl_is_ok(status)) {
        status = check_header(&opened, expected, body->direction);
    }
    if (cl_is_ok(status)) {
        *out = opened;
    }
    return status;
}

struct cl_status cl_opened_scan_body(const struct cl_opened *opened)
{
    return cl_wirescan_edition(opened->body_type, opened->body, CL_PAYLOAD_BYTES_MAX, &opened->edition);
}

struct cl_status cl_opened_body(ProtobufCMessage **out, struct cl_arena *arena, const struct cl_opened *opened)
{
    struct cl_status status = cl_opened_scan_body(opened);
    return cl_is_ok(status) ? cl_unpack_scanned(out, arena, opened->body_type, opened->body) : status;
}

struct cl_status cl_opened_stored(struct cl_bytes *out, struct cl_arena *arena, const struct cl_opened *opened)
{
    Coloan__V1__Envelope stored = *opened->envelope;
    stored.n_disclosures = 0;
    stored.disclosures = NULL;
    return cl_dsse_write(out, NULL, arena, &stored);
}

/* -- Offline ------------------------------------------------------------------------------------------------- */

/* A kept message stands alone: its sender is whom it names, so its header is read, scanned but not yet trusted, to know
 * whose keys to try. Nothing of it leaves here unless the signature then verifies. */

/* Everything of step 8 that the message itself can answer for. */
static struct cl_status check_archived(struct cl_opened *opened, const struct cl_keyring *keyring)
{
    const Coloan__V1__SignedHeader *header = opened->header;
    struct cl_status status = check_complete(header);
    if (cl_failed(status)) {
        return status;
    }
    const struct cl_expectation itself = {.environment = cl_keyring_environment(keyring),
                                          .sender = header->sender,
                                          .recipient = header->recipient,
                                          .method = header->method,
                                          .kept = true};
    return check_header(opened, &itself, header->direction);
}

struct cl_status cl_envelope_verify(struct cl_opened *out, struct cl_arena *arena, struct cl_bytes bytes,
                                    const struct cl_keyring *keyring)
{
    struct cl_opened opened;
    struct search search = {.use = CL_KEY_ARCHIVE, .batch = true};
    struct cl_status status = read_envelope(&opened, arena, bytes);
    if (cl_failed(status)) {
        return status;
    }
    opened.body_type = cl_payload_type_find(opened.payload_type);
    if (opened.body_type == NULL) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    status = check_count(opened.envelope);
    if (cl_is_ok(status)) {
        status = read_payload(&opened, arena);
    }
    if (cl_is_ok(status)) {
        status = check_archived(&opened, keyring);
    }
    if (cl_failed(status)) {
        return status;
    }
    search.at_ms = opened.header->created_ms;
    search.key_count = cl_keyring_candidates(keyring, opened.header->environment, opened.header->sender,
                                             COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, &search.keys);
    status = verify(&opened, arena, &search);
    if (cl_is_ok(status)) {
        *out = opened;
    }
    return status;
}
