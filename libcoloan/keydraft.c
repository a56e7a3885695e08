/* A key never changes but for its status and its end, and never leaves by a command here: what it signed can be looked
 * at as long as it stands in a directory. An end is only ever moved forward in time towards now, so no change makes
 * anything verify that did not. */
#include "libcoloan/keydraft.h"

#include <assert.h>
#include <string.h>

#include "libcoloan/envelope.h"

/* -- Beginning ----------------------------------------------------------------------------------------------- */

struct cl_status cl_keydraft_begin(struct cl_keydraft *out, struct cl_arena *arena, const char *centre,
                                   const char *environment, uint64_t number)
{
    assert(cl_party_valid(centre));
    assert(cl_environment_valid(environment));
    struct cl_keydraft draft = {.number = number, .keys = cl_arena_array(arena, CL_KEYS_MAX, sizeof draft.keys[0])};
    if (draft.keys == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    memcpy(draft.centre, centre, strlen(centre) + 1);
    memcpy(draft.environment, environment, strlen(environment) + 1);
    *out = draft;
    return cl_ok();
}

struct cl_status cl_keydraft_follow(struct cl_keydraft *out, struct cl_arena *arena, const struct cl_keyring *keyring)
{
    const struct cl_key *keys = NULL;
    size_t count = cl_keyring_keys(keyring, &keys);
    struct cl_status status = cl_keydraft_begin(out, arena, cl_keyring_centre(keyring), cl_keyring_environment(keyring),
                                                cl_keyring_number(keyring) + 1);
    if (cl_is_ok(status)) {
        memcpy(out->keys, keys, count * sizeof keys[0]); /* loading saw that they fit */
        out->key_count = count;
    }
    return status;
}

/* -- Changes ------------------------------------------------------------------------------------------------- */

static struct cl_key *find(struct cl_keydraft *draft, const char *keyid)
{
    for (size_t i = 0; i < draft->key_count; i++) {
        if (strcmp(draft->keys[i].keyid.text, keyid) == 0) {
            return &draft->keys[i];
        }
    }
    return NULL;
}

static bool in_use(const struct cl_key *key)
{
    return key->status == COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE ||
           key->status == COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRING;
}

/* Never later than it was, and a key has to have been valid for a moment to stand in a directory. */
static void end_at(struct cl_key *key, int64_t at_ms)
{
    int64_t until_ms = at_ms > key->valid_from_ms ? at_ms : key->valid_from_ms + 1;
    key->valid_until_ms = until_ms < key->valid_until_ms ? until_ms : key->valid_until_ms;
}

struct cl_status cl_keydraft_add(struct cl_keydraft *draft, const struct cl_key *key)
{
    struct cl_key added = *key;
    cl_keyid(&added.keyid, CL_KEY_ED25519, cl_bytes(added.public_key.bytes, CL_PUBLIC_KEY_BYTES));
    if (find(draft, added.keyid.text) != NULL) {
        return cl_fail(CL_KEY_KNOWN);
    }
    if (draft->key_count == CL_KEYS_MAX) {
        return cl_fail(CL_DIRECTORY_FULL);
    }
    struct cl_status status = cl_key_register(&added, draft->environment);
    if (cl_is_ok(status)) {
        draft->keys[draft->key_count++] = added;
    }
    return status;
}

struct cl_status cl_keydraft_rotate(struct cl_keydraft *draft, const struct cl_keyid *old, const struct cl_key *fresh,
                                    int64_t overlap_ms, int64_t *old_until_out)
{
    struct cl_key *replaced = find(draft, old->text);
    if (replaced == NULL || strcmp(replaced->party, fresh->party) != 0 || replaced->purpose != fresh->purpose) {
        return cl_fail(CL_KEY_UNKNOWN);
    }
    if (!in_use(replaced)) {
        return cl_fail(CL_KEY_NOT_VALID);
    }
    struct cl_status status = cl_keydraft_add(draft, fresh);
    if (cl_failed(status)) {
        return status;
    }
    replaced->status = COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRING;
    end_at(replaced, fresh->valid_from_ms + overlap_ms);
    if (old_until_out != NULL) {
        *old_until_out = replaced->valid_until_ms;
    }
    return cl_ok();
}

struct cl_status cl_keydraft_retire(struct cl_keydraft *draft, const char *keyid, int64_t at_ms)
{
    struct cl_key *key = find(draft, keyid);
    if (key == NULL || !in_use(key)) {
        return cl_fail(key == NULL ? CL_KEY_UNKNOWN : CL_KEY_NOT_VALID);
    }
    key->status = COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRED;
    end_at(key, at_ms);
    return cl_ok();
}

struct cl_status cl_keydraft_compromise(struct cl_keydraft *draft, const char *keyid, int64_t since_ms)
{
    struct cl_key *key = find(draft, keyid);
    if (key == NULL) {
        return cl_fail(CL_KEY_UNKNOWN);
    }
    if (key->status == COLOAN__V1__KEY_STATUS__KEY_STATUS_COMPROMISED && key->valid_until_ms <= since_ms) {
        return cl_fail(CL_KEY_NOT_VALID);
    }
    key->status = COLOAN__V1__KEY_STATUS__KEY_STATUS_COMPROMISED;
    end_at(key, since_ms);
    return cl_ok();
}

size_t cl_keydraft_settle(struct cl_keydraft *draft, int64_t now_ms)
{
    size_t settled = 0;
    for (size_t i = 0; i < draft->key_count; i++) {
        struct cl_key *key = &draft->keys[i];
        if (in_use(key) && key->valid_until_ms <= now_ms) {
            key->status = COLOAN__V1__KEY_STATUS__KEY_STATUS_RETIRED;
            settled++;
        }
    }
    return settled;
}

struct cl_status cl_keydraft_issue(struct cl_bytes *out, struct cl_arena *arena, const struct cl_keydraft *draft,
                                   const struct cl_signer *directory_key, int64_t now_ms,
                                   const struct cl_random *random)
{
    struct cl_directory directory = {
        .number = draft->number,
        .environment = draft->environment,
        .issued_ms = now_ms,
        .keys = draft->keys,
        .key_count = draft->key_count,
    };
    assert(strcmp(cl_signer_party(directory_key), draft->centre) == 0);
    cl_uuid7_make(&directory.message_id, now_ms, random);
    return cl_keyring_issue(out, arena, directory_key, &directory);
}

/* -- Rotations ----------------------------------------------------------------------------------------------- */

static struct cl_status blame(const char **field_out, enum cl_reason reason, const char *field)
{
    *field_out = field;
    return cl_fail(reason);
}

static struct cl_status check_entry(const char **field_out, const Coloan__V1__Key *key, const char *sender,
                                    const char *environment)
{
    if (strcmp(key->party, sender) != 0) {
        return blame(field_out, CL_KEY_NOT_OWNED, "new_key.party");
    }
    if (key->purpose != COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN) {
        return blame(field_out, CL_FIELD_INVALID, "new_key.purpose");
    }
    if (strcmp(key->environment, environment) != 0) {
        return blame(field_out, CL_ENVIRONMENT_WRONG, "new_key.environment");
    }
    if (key->algorithm != COLOAN__V1__KEY_ALGORITHM__KEY_ALGORITHM_ED25519) {
        return blame(field_out, CL_FIELD_INVALID, "new_key.algorithm");
    }
    if (key->public_key.len != CL_PUBLIC_KEY_BYTES) {
        return blame(field_out, CL_FIELD_INVALID, "new_key.public_key");
    }
    if (key->status != COLOAN__V1__KEY_STATUS__KEY_STATUS_ACTIVE) {
        return blame(field_out, CL_FIELD_INVALID, "new_key.status");
    }
    return key->possession.len == CL_SIGNATURE_BYTES ? cl_ok()
                                                     : blame(field_out, CL_KEY_POSSESSION, "new_key.possession");
}

static struct cl_status check_times(const char **field_out, const Coloan__V1__Key *key, int64_t now_ms)
{
    if (key->valid_from_ms < now_ms - CL_KEY_BACK_MS_MAX ||
        key->valid_from_ms > now_ms + CL_KEY_AHEAD_DAYS_MAX * CL_DAY_MS) {
        return blame(field_out, CL_FIELD_INVALID, "new_key.valid_from_ms");
    }
    if (key->valid_until_ms <= key->valid_from_ms || key->valid_until_ms <= now_ms ||
        key->valid_until_ms > key->valid_from_ms + CL_KEY_LIFE_DAYS_MAX * CL_DAY_MS) {
        return blame(field_out, CL_FIELD_INVALID, "new_key.valid_until_ms");
    }
    return cl_ok();
}

struct cl_status cl_rotation_read(struct cl_key *out, const char **field_out, const Coloan__V1__KeyRotation *rotation,
                                  const char *sender, const char *environment, int64_t now_ms)
{
    const Coloan__V1__Key *entry = rotation->new_key;
    struct cl_key key;
    if (entry == NULL) {
        return blame(field_out, CL_FIELD_MISSING, "new_key");
    }
    if (rotation->reason == COLOAN__V1__ROTATION_REASON__ROTATION_REASON_UNSPECIFIED) {
        return blame(field_out, CL_FIELD_MISSING, "reason");
    }
    struct cl_status status = check_entry(field_out, entry, sender, environment);
    if (cl_is_ok(status)) {
        status = check_times(field_out, entry, now_ms);
    }
    if (cl_failed(status)) {
        return status;
    }
    status = cl_key_read(&key, entry, environment);
    if (cl_is_ok(status)) {
        status = cl_key_register(&key, environment);
    }
    if (cl_failed(status)) {
        return blame(field_out, status.reason,
                     status.reason == CL_KEY_POSSESSION ? "new_key.possession" : "new_key.public_key");
    }
    *out = key;
    return cl_ok();
}

/* A kept rotation's body, and that it was one for this centre, by one key. */
static struct cl_status open_rotation(struct cl_opened *out, const Coloan__V1__KeyRotation **rotation_out,
                                      struct cl_arena *arena, const struct cl_keyring *keyring,
                                      struct cl_bytes envelope)
{
    ProtobufCMessage *body = NULL;
    struct cl_status status = cl_envelope_verify(out, arena, envelope, keyring);
    if (cl_failed(status)) {
        return status;
    }
    if (out->body_type != &coloan__v1__key_rotation__descriptor) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    if (strcmp(out->header->method, CL_ROTATE_KEY_METHOD) != 0 ||
        out->header->direction != COLOAN__V1__DIRECTION__DIRECTION_REQUEST) {
        return cl_fail(CL_METHOD_WRONG);
    }
    if (strcmp(out->header->recipient, cl_keyring_centre(keyring)) != 0) {
        return cl_fail(CL_RECIPIENT_WRONG);
    }
    if (out->envelope->n_signatures != 1) {
        return cl_fail(CL_SIGNATURE_COUNT);
    }
    status = cl_opened_body(&body, arena, out);
    if (cl_is_ok(status)) {
        *rotation_out = (const Coloan__V1__KeyRotation *)(const void *)body;
    }
    return status;
}

struct cl_status cl_keydraft_take_rotation(struct cl_keydraft *draft, struct cl_arena *arena,
                                           const struct cl_keyring *keyring, struct cl_bytes envelope,
                                           int64_t overlap_ms, struct cl_key *key_out)
{
    struct cl_opened opened;
    const Coloan__V1__KeyRotation *rotation = NULL;
    const char *field = "";
    struct cl_key fresh;
    struct cl_status status = open_rotation(&opened, &rotation, arena, keyring, envelope);
    if (cl_is_ok(status)) {
        /* Judged at the time it was made: the centre accepted it then, and an operator may come weeks later. */
        status = cl_rotation_read(&fresh, &field, rotation, opened.header->sender, draft->environment,
                                  opened.header->created_ms);
    }
    if (cl_is_ok(status)) {
        status = cl_keydraft_rotate(draft, &opened.key.keyid, &fresh, overlap_ms, NULL);
    }
    if (cl_is_ok(status) && key_out != NULL) {
        *key_out = fresh;
    }
    return status;
}
