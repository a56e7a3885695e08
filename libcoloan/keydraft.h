/* keydraft.h - the next key directory while it is being written: taken from the one in force, changed, issued.
 *
 * The centre's server and its operator's command line change a directory by the same rules here. Everything lives in
 * the arena handed in; one thread. Fails: with the reason for which a change is refused; the draft is as before then. */
#ifndef COLOAN_KEYDRAFT_H
#define COLOAN_KEYDRAFT_H

#include "libcoloan/clock.h"
#include "libcoloan/keyring.h"

struct cl_keydraft {
    uint64_t number; /* of the directory to be */
    char centre[CL_PARTY_BYTES_MAX + 1];
    char environment[CL_ENVIRONMENT_BYTES_MAX + 1];
    struct cl_key *keys; /* room for CL_KEYS_MAX */
    size_t key_count;
};

/* An empty one: of a centre's first directory. `centre` and `environment` are valid. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_keydraft_begin(struct cl_keydraft *out, struct cl_arena *arena, const char *centre,
                                                 const char *environment, uint64_t number);

/* The successor of a directory, with its keys. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_keydraft_follow(struct cl_keydraft *out, struct cl_arena *arena,
                                                  const struct cl_keyring *keyring);

/* KEY_KNOWN (whosever it is); DIRECTORY_FULL; KEY_WEAK; KEY_POSSESSION; DIRECTORY_INVALID. */
CL_MUST_CHECK struct cl_status cl_keydraft_add(struct cl_keydraft *draft, const struct cl_key *key);

/* The new key comes in; the old one retires: it verifies for another `overlap_ms` from the new one's beginning, but no
 * longer than it would have. KEY_UNKNOWN: the new key's party has no such key; KEY_NOT_VALID: the old one is retired or
 * compromised; and as for adding. `old_until_out` (NULL is fine) is when the old key ends. */
CL_MUST_CHECK struct cl_status cl_keydraft_rotate(struct cl_keydraft *draft, const struct cl_keyid *old,
                                                  const struct cl_key *fresh, int64_t overlap_ms,
                                                  int64_t *old_until_out);

/* What was made before `at_ms` still verifies. KEY_UNKNOWN; KEY_NOT_VALID when it is retired or compromised already. */
CL_MUST_CHECK struct cl_status cl_keydraft_retire(struct cl_keydraft *draft, const char *keyid, int64_t at_ms);

/* Nothing made at or after `since_ms` verifies any more. KEY_UNKNOWN; KEY_NOT_VALID when it is compromised since an
 * earlier moment already. */
CL_MUST_CHECK struct cl_status cl_keydraft_compromise(struct cl_keydraft *draft, const char *keyid, int64_t since_ms);

/* Keys whose time is over become RETIRED; returns how many. */
size_t cl_keydraft_settle(struct cl_keydraft *draft, int64_t now_ms);

/* Signs it as cl_keyring_issue does, with the centre's DIRECTORY key. */
CL_MUST_CHECK struct cl_status cl_keydraft_issue(struct cl_bytes *out, struct cl_arena *arena,
                                                 const struct cl_keydraft *draft, const struct cl_signer *directory_key,
                                                 int64_t now_ms, const struct cl_random *random);

/* -- Rotations ----------------------------------------------------------------------------------------------- */

/* The new key of a rotation, as far as it can be judged without a directory: the sender's own, a SIGN key of this
 * environment, ACTIVE, strong, proven, of a time within the contract's bounds. On failure `field_out` is the path of
 * what to mend. KEY_NOT_OWNED, FIELD_MISSING, FIELD_INVALID, ENVIRONMENT_WRONG, KEY_WEAK, KEY_POSSESSION. */
CL_MUST_CHECK struct cl_status cl_rotation_read(struct cl_key *out, const char **field_out,
                                                const Coloan__V1__KeyRotation *rotation, const char *sender,
                                                const char *environment, int64_t now_ms);

/* A kept rotation taken into a draft that follows `keyring`: its signature, its envelope's address to the centre, the
 * key and the change itself are all judged again. `digest_out` and `key_out` (NULL is fine) are what it was.
 * As cl_envelope_verify; METHOD_WRONG, RECIPIENT_WRONG, SIGNATURE_COUNT, and as cl_rotation_read, cl_keydraft_rotate. */
CL_MUST_CHECK struct cl_status cl_keydraft_take_rotation(struct cl_keydraft *draft, struct cl_arena *arena,
                                                         const struct cl_keyring *keyring, struct cl_bytes envelope,
                                                         int64_t overlap_ms, struct cl_key *key_out);

#define CL_ROTATE_KEY_METHOD "coloan.v1.Directory/RotateKey"
#define CL_DAY_MS            INT64_C(86400000)

#endif
