/* A directory is an Envelope like any other, but what it is checked against cannot be in a directory: a key that each
 * party pinned out of band. Its header says: sender is the centre, recipient empty (it is published), method
 * "coloan.v1.Directory/GetKeys", direction EVENT, sequence equal to the directory's number, no expiry. A number that is
 * not above the one held is refused, so an old directory cannot bring back a key that was withdrawn.
 *
 * Every key is checked as if it were registered now, also those that were in the directory before: the centre's own
 * mistake must not put a weak key into use. A public key stands once, for one party and one purpose. */
#include "libcoloan/keyring.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "libcoloan/spec.h"
#include "libcoloan/wirescan.h"

#define DIRECTORY_METHOD "coloan.v1.Directory/GetKeys"

_Static_assert(CL_KEYS_MAX *(CL_KEY_BYTES_FIXED + CL_PARTY_BYTES_MAX + CL_ENVIRONMENT_BYTES_MAX) +
                       CL_DIRECTORY_BYTES_AROUND <=
                   CL_PAYLOAD_BYTES_MAX,
               "a directory with all the keys it may have fits into one answer");

struct cl_keyring {
    atomic_size_t references;
    uint64_t number;
    int64_t issued_ms;
    char centre[CL_PARTY_BYTES_MAX + 1];
    char environment[CL_ENVIRONMENT_BYTES_MAX + 1];
    uint8_t *directory;
    size_t directory_len;
    struct cl_key *keys;
    size_t key_count;
};

struct cl_keyring_slot {
    pthread_mutex_t mutex;
    struct cl_keyring *current;
};

bool cl_environment_valid(const char *text)
{
    static const char conformance[] = "conf/";
    size_t len = strnlen(text, CL_ENVIRONMENT_BYTES_MAX + 1);
    if (strcmp(text, "prod") == 0 || strcmp(text, "test") == 0) {
        return true;
    }
    if (len > CL_ENVIRONMENT_BYTES_MAX || strncmp(text, conformance, sizeof conformance - 1) != 0) {
        return false;
    }
    const char *run = text + sizeof conformance - 1;
    return *run != '\0' && run[strspn(run, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* -- Keys ---------------------------------------------------------------------------------------------------- */

struct cl_status cl_key_check(const struct cl_key *key, enum cl_key_use use, int64_t at_ms)
{
    bool in_use = key->status == COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE ||
                  key->status == COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRING;
    bool in_time = key->valid_from_ms <= at_ms && at_ms < key->valid_until_ms;
    return in_time && (in_use || use == CL_KEY_ARCHIVE) ? cl_ok() : cl_fail(CL_KEY_NOT_VALID);
}

struct cl_status cl_key_register(const struct cl_key *key, const char *environment)
{
    if (!cl_party_valid(key->party) || key->purpose == COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_UNSPECIFIED ||
        key->status == COLOAN__V1__KEY_STATUS__KEY_STATUS_UNSPECIFIED || key->valid_from_ms < 0 ||
        key->valid_from_ms >= key->valid_until_ms) {
        return cl_fail(CL_DIRECTORY_INVALID);
    }
    if (!cl_public_key_strong(&key->public_key)) {
        return cl_fail(CL_KEY_WEAK);
    }
    if (!cl_possession_verify(&key->possession, &key->public_key, key->party, environment)) {
        return cl_fail(CL_KEY_POSSESSION);
    }
    return cl_ok();
}

static int by_public_key(const void *a, const void *b)
{
    const struct cl_key *left = a;
    const struct cl_key *right = b;
    return memcmp(left->public_key.bytes, right->public_key.bytes, CL_PUBLIC_KEY_BYTES);
}

static int by_party_and_purpose(const void *a, const void *b)
{
    const struct cl_key *left = a;
    const struct cl_key *right = b;
    int order = strcmp(left->party, right->party);
    if (order != 0) {
        return order;
    }
    if (left->purpose != right->purpose) {
        return left->purpose < right->purpose ? -1 : 1;
    }
    return by_public_key(a, b);
}

/* Leaves the keys in the order that cl_keyring_candidates needs. */
static struct cl_status check_keys(struct cl_key *keys, size_t count, const char *environment)
{
    if (count == 0 || count > CL_KEYS_MAX) {
        return cl_fail(CL_DIRECTORY_INVALID);
    }
    for (size_t i = 0; i < count; i++) {
        struct cl_status status = cl_key_register(&keys[i], environment);
        if (cl_failed(status)) {
            return status;
        }
    }
    qsort(keys, count, sizeof keys[0], by_public_key);
    for (size_t i = 1; i < count; i++) {
        if (by_public_key(&keys[i - 1], &keys[i]) == 0) {
            return cl_fail(CL_DIRECTORY_INVALID);
        }
    }
    qsort(keys, count, sizeof keys[0], by_party_and_purpose);
    return cl_ok();
}

/* -- Loading ------------------------------------------------------------------------------------------------- */

struct cl_status cl_key_read(struct cl_key *out, const Coloan__V1__Key *key, const char *environment)
{
    size_t party_len = strlen(key->party);
    if (strcmp(key->environment, environment) != 0) {
        return cl_fail(CL_ENVIRONMENT_WRONG);
    }
    if (party_len > CL_PARTY_BYTES_MAX || key->algorithm != COLOAN__V1__KEY_ALGORITHM__KEY_ALGORITHM_ED25519 ||
        key->public_key.len != CL_PUBLIC_KEY_BYTES) {
        return cl_fail(CL_DIRECTORY_INVALID);
    }
    if (key->possession.len != CL_SIGNATURE_BYTES) {
        return cl_fail(CL_KEY_POSSESSION);
    }
    *out = (struct cl_key){.purpose = key->purpose,
                           .valid_from_ms = key->valid_from_ms,
                           .valid_until_ms = key->valid_until_ms,
                           .status = key->status};
    memcpy(out->party, key->party, party_len + 1);
    memcpy(out->public_key.bytes, key->public_key.data, CL_PUBLIC_KEY_BYTES);
    memcpy(out->possession.bytes, key->possession.data, CL_SIGNATURE_BYTES);
    cl_keyid(&out->keyid, CL_KEY_ED25519, cl_bytes(out->public_key.bytes, CL_PUBLIC_KEY_BYTES));
    return cl_ok();
}

/* The pinned key's one signature over the envelope. */
static struct cl_status verify(const Coloan__V1__Envelope *envelope, struct cl_arena *arena,
                               const struct cl_public_key *pinned)
{
    if (envelope->n_signatures != 1) {
        return cl_fail(CL_SIGNATURE_COUNT);
    }
    const Coloan__V1__Signature *signature = envelope->signatures[0];
    struct cl_keyid keyid;
    cl_keyid(&keyid, CL_KEY_ED25519, cl_bytes(pinned->bytes, sizeof pinned->bytes));
    if (signature->batch != NULL) {
        return cl_fail(CL_PROFILE_UNSUPPORTED);
    }
    if (signature->keyid[0] != '\0' && strcmp(signature->keyid, keyid.text) != 0) {
        return cl_fail(CL_KEY_UNKNOWN);
    }
    struct cl_signature sig;
    struct cl_bytes pae;
    if (signature->sig.len != sizeof sig.bytes) {
        return cl_fail(CL_SIGNATURE_INVALID);
    }
    memcpy(sig.bytes, signature->sig.data, sizeof sig.bytes);
    struct cl_status status =
        cl_dsse_pae(&pae, arena, envelope->payload_type, cl_bytes(envelope->payload.data, envelope->payload.len));
    if (cl_failed(status)) {
        return status;
    }
    return cl_signature_verify(&sig, pinned, pae) ? cl_ok() : cl_fail(CL_SIGNATURE_INVALID);
}

static struct cl_status check_header(const Coloan__V1__SignedHeader *header, const struct cl_directory_trust *trust)
{
    if (header == NULL) {
        return cl_fail(CL_HEADER_INCOMPLETE);
    }
    struct cl_edition edition;
    struct cl_status version = cl_spec_edition_kept(&edition, cl_spec_ours(), header->spec_version);
    if (cl_failed(version)) {
        return version;
    }
    if (strcmp(header->environment, trust->environment) != 0) {
        return cl_fail(CL_ENVIRONMENT_WRONG);
    }
    if (strcmp(header->sender, trust->centre) != 0) {
        return cl_fail(CL_SENDER_WRONG);
    }
    if (header->recipient[0] != '\0') {
        return cl_fail(CL_RECIPIENT_WRONG);
    }
    if (strcmp(header->method, DIRECTORY_METHOD) != 0) {
        return cl_fail(CL_METHOD_WRONG);
    }
    if (header->direction != COLOAN__V1__DIRECTION__DIRECTION_EVENT) {
        return cl_fail(CL_DIRECTION_WRONG);
    }
    if (!cl_uuid7_valid(cl_bytes(header->message_id.data, header->message_id.len))) {
        return cl_fail(CL_MESSAGE_ID_INVALID);
    }
    if (header->in_reply_to.len != 0) {
        return cl_fail(CL_IN_REPLY_TO_WRONG);
    }
    return header->expires_ms == 0 ? cl_ok() : cl_fail(CL_LIFETIME_WRONG);
}

struct cl_status cl_directory_read(const Coloan__V1__KeyDirectory **out, struct cl_arena *arena, struct cl_bytes body)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status =
        cl_wirescan_list(&coloan__v1__key_directory__descriptor, body, CL_PAYLOAD_BYTES_MAX, CL_DIRECTORY_FIELDS_MAX);
    if (cl_is_ok(status)) {
        status = cl_unpack_scanned(&message, arena, &coloan__v1__key_directory__descriptor, body);
    }
    if (cl_is_ok(status)) {
        *out = (const Coloan__V1__KeyDirectory *)(const void *)message;
    }
    return status;
}

/* The verified payload's header and directory. */
static struct cl_status read_payload(const Coloan__V1__SignedHeader **header_out,
                                     const Coloan__V1__KeyDirectory **directory_out, struct cl_arena *arena,
                                     const Coloan__V1__Envelope *envelope, const struct cl_directory_trust *trust)
{
    ProtobufCMessage *message = NULL;
    struct cl_bytes payload = cl_bytes(envelope->payload.data, envelope->payload.len);
    struct cl_status status = cl_unpack(&message, arena, &coloan__v1__signed_payload__descriptor, payload);
    if (cl_failed(status)) {
        return status;
    }
    const Coloan__V1__SignedPayload *parts = (const Coloan__V1__SignedPayload *)(const void *)message;
    status = check_header(parts->header, trust);
    if (cl_failed(status)) {
        return status;
    }
    status = cl_directory_read(directory_out, arena, cl_bytes(parts->body.data, parts->body.len));
    if (cl_is_ok(status)) {
        *header_out = parts->header;
    }
    return status;
}

static struct cl_status check_directory(const Coloan__V1__KeyDirectory *directory,
                                        const Coloan__V1__SignedHeader *header, const struct cl_directory_trust *trust,
                                        const struct cl_keyring *held)
{
    if (strcmp(directory->environment, trust->environment) != 0) {
        return cl_fail(CL_ENVIRONMENT_WRONG);
    }
    if (directory->number == 0 || directory->number != header->sequence ||
        (held != NULL && directory->number <= held->number)) {
        return cl_fail(CL_SEQUENCE_WRONG);
    }
    if (directory->issued_ms <= 0 || directory->issued_ms != header->created_ms || directory->n_keys == 0 ||
        directory->n_keys > CL_KEYS_MAX) {
        return cl_fail(CL_DIRECTORY_INVALID);
    }
    return cl_ok();
}

static struct cl_status keyring_create(struct cl_keyring **out, size_t key_count, struct cl_bytes directory,
                                       const struct cl_directory_trust *trust)
{
    struct cl_keyring *keyring = calloc(1, sizeof *keyring);
    if (keyring == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    atomic_init(&keyring->references, 1);
    keyring->keys = calloc(key_count, sizeof keyring->keys[0]);
    keyring->directory = malloc(directory.len);
    if (keyring->keys == NULL || keyring->directory == NULL) {
        cl_keyring_unref(keyring);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    memcpy(keyring->directory, directory.data, directory.len);
    memcpy(keyring->centre, trust->centre, strlen(trust->centre) + 1);
    memcpy(keyring->environment, trust->environment, strlen(trust->environment) + 1);
    keyring->directory_len = directory.len;
    keyring->key_count = key_count;
    *out = keyring;
    return cl_ok();
}

static struct cl_status keyring_fill(struct cl_keyring *keyring, const Coloan__V1__KeyDirectory *directory)
{
    keyring->number = directory->number;
    keyring->issued_ms = directory->issued_ms;
    for (size_t i = 0; i < directory->n_keys; i++) {
        struct cl_status status = cl_key_read(&keyring->keys[i], directory->keys[i], keyring->environment);
        if (cl_failed(status)) {
            return status;
        }
    }
    return check_keys(keyring->keys, keyring->key_count, keyring->environment);
}

static struct cl_status load(struct cl_keyring **out, struct cl_arena *arena, struct cl_bytes bytes,
                             const struct cl_directory_trust *trust, const struct cl_keyring *held)
{
    Coloan__V1__Envelope *envelope = NULL;
    const Coloan__V1__SignedHeader *header = NULL;
    const Coloan__V1__KeyDirectory *directory = NULL;
    struct cl_keyring *keyring = NULL;
    struct cl_status status = cl_dsse_read(&envelope, arena, bytes);
    if (cl_failed(status)) {
        return status;
    }
    if (cl_payload_type_find(envelope->payload_type) != &coloan__v1__key_directory__descriptor) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    status = verify(envelope, arena, &trust->public_key);
    if (cl_is_ok(status)) {
        status = read_payload(&header, &directory, arena, envelope, trust);
    }
    if (cl_is_ok(status)) {
        status = check_directory(directory, header, trust, held);
    }
    if (cl_is_ok(status)) {
        status = keyring_create(&keyring, directory->n_keys, bytes, trust);
    }
    if (cl_is_ok(status)) {
        status = keyring_fill(keyring, directory);
    }
    if (cl_failed(status)) {
        cl_keyring_unref(keyring);
        return status;
    }
    *out = keyring;
    return cl_ok();
}

struct cl_status cl_keyring_load(struct cl_keyring **out, struct cl_bytes directory,
                                 const struct cl_directory_trust *trust, const struct cl_keyring *held)
{
    assert(cl_party_valid(trust->centre));
    assert(cl_environment_valid(trust->environment));
    struct cl_arena *arena = NULL;
    if (!cl_public_key_strong(&trust->public_key)) {
        return cl_fail(CL_KEY_WEAK);
    }
    struct cl_status status = cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX);
    if (cl_failed(status)) {
        return status;
    }
    status = load(out, arena, directory, trust, held);
    cl_arena_free(arena);
    return status;
}

/* -- The keyring --------------------------------------------------------------------------------------------- */

struct cl_keyring *cl_keyring_ref(struct cl_keyring *keyring)
{
    (void)atomic_fetch_add_explicit(&keyring->references, 1, memory_order_relaxed);
    return keyring;
}

void cl_keyring_unref(struct cl_keyring *keyring)
{
    if (keyring == NULL || atomic_fetch_sub_explicit(&keyring->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    free(keyring->keys);
    free(keyring->directory);
    free(keyring);
}

uint64_t cl_keyring_number(const struct cl_keyring *keyring)
{
    return keyring->number;
}

int64_t cl_keyring_issued_ms(const struct cl_keyring *keyring)
{
    return keyring->issued_ms;
}

const char *cl_keyring_centre(const struct cl_keyring *keyring)
{
    return keyring->centre;
}

const char *cl_keyring_environment(const struct cl_keyring *keyring)
{
    return keyring->environment;
}

struct cl_bytes cl_keyring_directory(const struct cl_keyring *keyring)
{
    return cl_bytes(keyring->directory, keyring->directory_len);
}

size_t cl_keyring_keys(const struct cl_keyring *keyring, const struct cl_key **out)
{
    *out = keyring->keys;
    return keyring->key_count;
}

static int compare(const struct cl_key *key, const char *party, Coloan__V1__KeyPurpose purpose)
{
    int order = strcmp(key->party, party);
    if (order != 0) {
        return order;
    }
    return key->purpose == purpose ? 0 : key->purpose < purpose ? -1 : 1;
}

size_t cl_keyring_candidates(const struct cl_keyring *keyring, const char *environment, const char *party,
                             Coloan__V1__KeyPurpose purpose, const struct cl_key **out)
{
    size_t low = 0;
    size_t high = keyring->key_count;
    *out = NULL;
    if (strcmp(keyring->environment, environment) != 0) {
        return 0;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool before = compare(&keyring->keys[middle], party, purpose) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    size_t end = low;
    while (end < keyring->key_count && compare(&keyring->keys[end], party, purpose) == 0) {
        end++;
    }
    *out = end > low ? &keyring->keys[low] : NULL;
    return end - low;
}

/* -- The current one ----------------------------------------------------------------------------------------- */

struct cl_status cl_keyring_slot_create(struct cl_keyring_slot **out, struct cl_keyring *keyring)
{
    struct cl_keyring_slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    int result = pthread_mutex_init(&slot->mutex, NULL);
    assert(result == 0);
    slot->current = cl_keyring_ref(keyring);
    *out = slot;
    return cl_ok();
}

void cl_keyring_slot_free(struct cl_keyring_slot *slot)
{
    if (slot == NULL) {
        return;
    }
    cl_keyring_unref(slot->current);
    (void)pthread_mutex_destroy(&slot->mutex);
    free(slot);
}

struct cl_keyring *cl_keyring_slot_take(struct cl_keyring_slot *slot)
{
    (void)pthread_mutex_lock(&slot->mutex);
    struct cl_keyring *keyring = cl_keyring_ref(slot->current);
    (void)pthread_mutex_unlock(&slot->mutex);
    return keyring;
}

static struct cl_status check_successor(const struct cl_keyring *current, const struct cl_keyring *next)
{
    if (strcmp(current->environment, next->environment) != 0) {
        return cl_fail(CL_ENVIRONMENT_WRONG);
    }
    if (strcmp(current->centre, next->centre) != 0) {
        return cl_fail(CL_SENDER_WRONG);
    }
    return next->number > current->number ? cl_ok() : cl_fail(CL_SEQUENCE_WRONG);
}

struct cl_status cl_keyring_slot_replace(struct cl_keyring_slot *slot, struct cl_keyring *keyring)
{
    struct cl_keyring *old = NULL;
    (void)pthread_mutex_lock(&slot->mutex);
    struct cl_status status = check_successor(slot->current, keyring);
    if (cl_is_ok(status)) {
        old = slot->current;
        slot->current = cl_keyring_ref(keyring);
    }
    (void)pthread_mutex_unlock(&slot->mutex);
    cl_keyring_unref(old);
    return status;
}

/* -- Issuing ------------------------------------------------------------------------------------------------- */

void cl_key_describe(struct cl_key *out, const struct cl_signer *signer, Coloan__V1__KeyPurpose purpose,
                     const char *environment, int64_t valid_from_ms, int64_t valid_until_ms)
{
    *out = (struct cl_key){.purpose = purpose,
                           .public_key = *cl_signer_public_key(signer),
                           .keyid = *cl_signer_keyid(signer),
                           .valid_from_ms = valid_from_ms,
                           .valid_until_ms = valid_until_ms,
                           .status = COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE};
    memcpy(out->party, cl_signer_party(signer), strlen(cl_signer_party(signer)) + 1);
    cl_possession_prove(&out->possession, signer, environment);
}

void cl_key_write(Coloan__V1__Key *out, struct cl_key *key, char *environment)
{
    coloan__v1__key__init(out);
    out->party = key->party;
    out->purpose = key->purpose;
    out->environment = environment;
    out->algorithm = COLOAN__V1__KEY_ALGORITHM__KEY_ALGORITHM_ED25519;
    out->public_key = (ProtobufCBinaryData){.len = CL_PUBLIC_KEY_BYTES, .data = key->public_key.bytes};
    out->valid_from_ms = key->valid_from_ms;
    out->valid_until_ms = key->valid_until_ms;
    out->status = key->status;
    out->possession = (ProtobufCBinaryData){.len = CL_SIGNATURE_BYTES, .data = key->possession.bytes};
}

static struct cl_status pack_directory(struct cl_bytes *out, struct cl_arena *arena,
                                       const struct cl_directory *directory, struct cl_key *keys, char *environment)
{
    Coloan__V1__KeyDirectory message = COLOAN__V1__KEY_DIRECTORY__INIT;
    Coloan__V1__Key *entries = cl_arena_array(arena, directory->key_count, sizeof *entries);
    message.keys = cl_arena_array(arena, directory->key_count, sizeof(Coloan__V1__Key *));
    if (entries == NULL || message.keys == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < directory->key_count; i++) {
        cl_key_write(&entries[i], &keys[i], environment);
        message.keys[i] = &entries[i];
    }
    message.number = directory->number;
    message.environment = environment;
    message.issued_ms = directory->issued_ms;
    message.n_keys = directory->key_count;
    return cl_pack(out, arena, &message.base);
}

static struct cl_status pack_payload(ProtobufCBinaryData *out, struct cl_arena *arena, const char *centre,
                                     const struct cl_directory *directory, char *environment, struct cl_bytes body)
{
    Coloan__V1__SignedPayload payload = COLOAN__V1__SIGNED_PAYLOAD__INIT;
    Coloan__V1__SignedHeader header = COLOAN__V1__SIGNED_HEADER__INIT;
    struct cl_uuid message_id = directory->message_id;
    struct cl_bytes bytes;
    char oldest[CL_SPEC_VERSION_BYTES_MAX];
    cl_spec_text(oldest, cl_spec_ours()->min); /* everybody has to read it */
    header.spec_version = cl_arena_text(arena, oldest);
    header.environment = environment;
    header.message_id = (ProtobufCBinaryData){.len = CL_UUID_BYTES, .data = message_id.bytes};
    header.sender = cl_arena_text(arena, centre);
    header.method = cl_arena_text(arena, DIRECTORY_METHOD);
    header.direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT;
    header.created_ms = directory->issued_ms;
    header.sequence = directory->number;
    payload.header = &header;
    payload.body = (ProtobufCBinaryData){.len = body.len, .data = cl_arena_copy(arena, body)};
    if (cl_arena_overflowed(arena)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = cl_pack(&bytes, arena, &payload.base);
    if (cl_is_ok(status)) {
        *out = (ProtobufCBinaryData){.len = bytes.len, .data = cl_arena_copy(arena, bytes)};
        status = out->data == NULL ? cl_fail(CL_MEMORY_LIMIT) : status;
    }
    return status;
}

struct cl_status cl_keyring_issue(struct cl_bytes *out, struct cl_arena *arena, const struct cl_signer *directory_key,
                                  const struct cl_directory *directory)
{
    assert(directory->number > 0 && directory->issued_ms > 0);
    assert(cl_environment_valid(directory->environment));
    const struct cl_signer *const signers[] = {directory_key};
    char type[CL_PAYLOAD_TYPE_BYTES_MAX];
    Coloan__V1__Envelope envelope = COLOAN__V1__ENVELOPE__INIT;
    struct cl_digest digest;
    struct cl_bytes body;
    char *environment = cl_arena_text(arena, directory->environment);
    struct cl_key *keys = cl_arena_array(arena, directory->key_count, sizeof *keys);
    if (keys == NULL || environment == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (directory->key_count > 0) {
        memcpy(keys, directory->keys, directory->key_count * sizeof *keys);
    }
    struct cl_status status = check_keys(keys, directory->key_count, environment);
    if (cl_is_ok(status)) {
        status = pack_directory(&body, arena, directory, keys, environment);
    }
    if (cl_is_ok(status)) {
        status = pack_payload(&envelope.payload, arena, cl_signer_party(directory_key), directory, environment, body);
    }
    if (cl_failed(status)) {
        return status;
    }
    cl_payload_type(type, &coloan__v1__key_directory__descriptor);
    envelope.payload_type = type;
    return cl_dsse_seal(out, NULL, &digest, arena, signers, 1, &envelope);
}
