/* keyring.h - whose keys verify what: a signed key directory, checked once and immutable from then on.
 *
 * A keyring is reference counted: each cl_keyring_ref needs its cl_keyring_unref, from any thread. A slot is where a
 * process keeps the current one, so that a reload swaps it while poll threads go on with theirs.
 * Fails: loading and issuing. A directory with one bad key is refused whole. */
#ifndef COLOAN_KEYRING_H
#define COLOAN_KEYRING_H

#include <coloan/v1/directory.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/ids.h"
#include "libcoloan/limits.h"
#include "libcoloan/signer.h"
#include "libcoloan/status.h"

#define CL_ENVIRONMENT_BYTES_MAX 64

/* "prod", "test", or "conf/" and a run id of a-z, 0-9 and '-'. */
bool cl_environment_valid(const char *text);

/* One Ed25519 key of the directory. */
struct cl_key {
    char party[CL_PARTY_BYTES_MAX + 1];
    Coloan__V1__KeyPurpose purpose;
    struct cl_public_key public_key;
    struct cl_keyid keyid; /* computed, never read */
    int64_t valid_from_ms, valid_until_ms;
    Coloan__V1__KeyStatus status;
    struct cl_signature possession;
};

/* LIVE: a message that arrives now. ARCHIVE: one that was made at `at_ms` and is looked at later. */
enum cl_key_use { CL_KEY_LIVE, CL_KEY_ARCHIVE };

/* KEY_NOT_VALID outside valid_from <= at < valid_until, and for a LIVE use of a key that is not active or retiring. */
CL_MUST_CHECK struct cl_status cl_key_check(const struct cl_key *key, enum cl_key_use use, int64_t at_ms);

/* An entry as it stands in a message, of that environment; nothing of it is judged but its form. ENVIRONMENT_WRONG,
 * DIRECTORY_INVALID, KEY_POSSESSION (no proof). */
CL_MUST_CHECK struct cl_status cl_key_read(struct cl_key *out, const Coloan__V1__Key *entry, const char *environment);

/* Strict registration, of new keys and each time a directory is loaded. KEY_WEAK, KEY_POSSESSION, DIRECTORY_INVALID. */
CL_MUST_CHECK struct cl_status cl_key_register(const struct cl_key *key, const char *environment);

/* Makes the entry, which borrows from both. */
void cl_key_write(Coloan__V1__Key *out, struct cl_key *key, char *environment);

/* -- Loading ------------------------------------------------------------------------------------------------- */

struct cl_keyring;

/* What a party pins out of band. */
struct cl_directory_trust {
    struct cl_public_key public_key; /* the centre's DIRECTORY key */
    const char *centre;              /* party id, e.g. "fund:cn-nanjing" */
    const char *environment;
};

/* Verifies the envelope, its header and every key. `held` (NULL is fine) is the keyring to be replaced: the new number
 * must be higher. Everything is copied.
 * What cl_dsse_read gives; PAYLOAD_TYPE_WRONG; SIGNATURE_COUNT (exactly one); PROFILE_UNSUPPORTED; KEY_UNKNOWN (another
 * key id); SIGNATURE_INVALID; HEADER_INCOMPLETE; SPEC_VERSION; ENVIRONMENT_WRONG (header, directory or key);
 * SENDER_WRONG; RECIPIENT_WRONG (a directory names none); METHOD_WRONG; DIRECTION_WRONG; MESSAGE_ID_INVALID;
 * IN_REPLY_TO_WRONG; LIFETIME_WRONG (it expires); SEQUENCE_WRONG (not the directory's number, or not above held's);
 * KEY_WEAK (also the pinned one); KEY_POSSESSION; DIRECTORY_INVALID (anything else about a key); MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_keyring_load(struct cl_keyring **out, struct cl_bytes directory,
                                               const struct cl_directory_trust *trust, const struct cl_keyring *held);

struct cl_keyring *cl_keyring_ref(struct cl_keyring *keyring);
void cl_keyring_unref(struct cl_keyring *keyring); /* NULL is fine */

/* Borrowed from the keyring. */
uint64_t cl_keyring_number(const struct cl_keyring *keyring);
int64_t cl_keyring_issued_ms(const struct cl_keyring *keyring);
const char *cl_keyring_centre(const struct cl_keyring *keyring);
const char *cl_keyring_environment(const struct cl_keyring *keyring);
struct cl_bytes cl_keyring_directory(const struct cl_keyring *keyring); /* the envelope it was loaded from */

/* All keys, sorted by party and purpose. */
size_t cl_keyring_keys(const struct cl_keyring *keyring, const struct cl_key **out);

/* The keys of a party for a purpose, whatever their state: `*out` is the first of as many as returned, 0 with NULL.
 * None when the keyring is of another environment. */
size_t cl_keyring_candidates(const struct cl_keyring *keyring, const char *environment, const char *party,
                             Coloan__V1__KeyPurpose purpose, const struct cl_key **out);

/* -- The current one ----------------------------------------------------------------------------------------- */

struct cl_keyring_slot;

/* Takes a reference of its own; MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_keyring_slot_create(struct cl_keyring_slot **out, struct cl_keyring *keyring);
void cl_keyring_slot_free(struct cl_keyring_slot *slot); /* NULL is fine; nobody may be inside */

/* A reference to the current one; the caller unrefs it. */
struct cl_keyring *cl_keyring_slot_take(struct cl_keyring_slot *slot);

/* Makes it the current one, with a reference of its own. SEQUENCE_WRONG when its number is not above the current's,
 * ENVIRONMENT_WRONG when it is of another environment, SENDER_WRONG of another centre. */
CL_MUST_CHECK struct cl_status cl_keyring_slot_replace(struct cl_keyring_slot *slot, struct cl_keyring *keyring);

/* The directory in a message's body: scanned with a cap of its own, as it is one long list, and unpacked into the arena.
 * Nothing of it is believed yet. As cl_unpack. */
CL_MUST_CHECK struct cl_status cl_directory_read(const Coloan__V1__KeyDirectory **out, struct cl_arena *arena,
                                                 struct cl_bytes body);

/* -- Issuing ------------------------------------------------------------------------------------------------- */

struct cl_directory {
    uint64_t number; /* from 1 */
    const char *environment;
    int64_t issued_ms;
    struct cl_uuid message_id;
    const struct cl_key *keys; /* 1..CL_KEYS_MAX; keyid is not read */
    size_t key_count;
};

/* Makes a key entry for one's own key, with its possession proof. */
void cl_key_describe(struct cl_key *out, const struct cl_signer *signer, Coloan__V1__KeyPurpose purpose,
                     const char *environment, int64_t valid_from_ms, int64_t valid_until_ms);

/* Checks the keys as loading does and signs the directory with the centre's DIRECTORY key. The bytes are the arena's.
 * KEY_WEAK, KEY_POSSESSION, DIRECTORY_INVALID, MESSAGE_TOO_LARGE, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_keyring_issue(struct cl_bytes *out, struct cl_arena *arena,
                                                const struct cl_signer *directory_key,
                                                const struct cl_directory *directory);

#endif
