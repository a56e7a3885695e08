/* RotateKey: a party replaces its signing key by a message that the old key signed.
 *
 * The key that signs directories is offline as a rule, so a rotation is accepted and kept, and the next directory takes
 * it up. A centre that trusts its server with that key has the next directory at once: it is signed and kept inside the
 * transaction, so that what a party was told is in force is also what a restart finds. */
#include <string.h>

#include "libcoloan/keydraft.h"
#include "server/cases/cases.h"
#include "server/store/rotations.h"

/* What a rotation builds on: the directory in force, or a newer one that is committed but not yet in force. */
struct base {
    struct cl_keyring *keyring; /* referenced */
    struct cl_keydraft draft;
};

static struct cl_status find_base(struct cl_keyring **out, struct case_tx *tx)
{
    const struct centre *centre = tx->cases->centre;
    struct cl_keyring *current = cl_keyring_slot_take(centre->keyrings);
    struct directory_row newest;
    bool found = false;
    struct cl_status status = directories_newest(&found, &newest, tx->sql, tx->arena);
    if (cl_is_ok(status) && found && newest.number > cl_keyring_number(current)) {
        struct cl_directory_trust trust = {
            .public_key = centre->directory_key, .centre = centre->party, .environment = centre->environment};
        struct cl_keyring *kept = NULL;
        status = cl_keyring_load(&kept, newest.envelope, &trust, current);
        cl_keyring_unref(current);
        current = kept;
    }
    if (cl_failed(status)) {
        cl_keyring_unref(current);
        return status;
    }
    *out = current;
    return cl_ok();
}

static bool in_draft(const struct cl_keydraft *draft, struct cl_bytes public_key)
{
    for (size_t i = 0; i < draft->key_count; i++) {
        if (cl_bytes_equal(cl_bytes(draft->keys[i].public_key.bytes, CL_PUBLIC_KEY_BYTES), public_key)) {
            return true;
        }
    }
    return false;
}

/* Before the new key is in the draft. */
static struct cl_status check_pending(struct case_tx *tx, const struct cl_keydraft *draft, const char *party)
{
    struct rotation_rows rows;
    size_t pending = 0;
    struct cl_status status =
        rotations_list(&rows, tx->sql, tx->arena, party, tx->now_ms - CL_KEY_AHEAD_DAYS_MAX * CL_DAY_MS);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < rows.count; i++) {
        pending += in_draft(draft, rows.rows[i].public_key) ? 0 : 1;
    }
    return pending < CL_ROTATIONS_PENDING_MAX ? cl_ok() : cl_fail(CL_ROTATIONS_PENDING);
}

static struct cl_status keep(struct case_tx *tx, const struct case_request *request, const struct cl_key *fresh)
{
    struct rotation_row row = {
        .message = request->opened->digest,
        .party = request->sender,
        .public_key = cl_bytes(fresh->public_key.bytes, CL_PUBLIC_KEY_BYTES),
        .at_ms = tx->now_ms,
    };
    struct cl_status status = rotations_add(tx->tx, &row);
    return status.reason == CL_STATE_CONFLICT ? case_blame(tx, CL_KEY_KNOWN, "new_key.public_key") : status;
}

/* The next directory, kept, and left to be put in force after the commit. It is loaded as everybody will load it. */
static struct cl_status issue(struct cl_bytes *out, struct case_tx *tx, struct base *base)
{
    const struct centre *centre = tx->cases->centre;
    struct cl_directory_trust trust = {
        .public_key = centre->directory_key, .centre = centre->party, .environment = centre->environment};
    struct cl_keyring *issued = NULL;
    (void)cl_keydraft_settle(&base->draft, tx->now_ms);
    struct cl_status status =
        cl_keydraft_issue(out, tx->arena, &base->draft, centre->directory_signer, tx->now_ms, centre->random);
    if (cl_is_ok(status)) {
        status = cl_keyring_load(&issued, *out, &trust, base->keyring);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct directory_row row = {.number = base->draft.number, .issued_ms = tx->now_ms, .envelope = *out};
    status = directories_add(tx->tx, &row);
    if (cl_is_ok(status)) {
        status = store_tell(tx->tx, CENTRE_TELLS_KEYS);
    }
    if (cl_failed(status)) {
        cl_keyring_unref(issued);
        return status;
    }
    tx->effect->directory = issued;
    return cl_ok();
}

static struct cl_status rotate(Coloan__V1__KeyRotationReceipt *receipt, struct case_tx *tx,
                               const struct case_request *request, struct base *base)
{
    const Coloan__V1__KeyRotation *rotation = (const Coloan__V1__KeyRotation *)request->body;
    const struct centre *centre = tx->cases->centre;
    const char *field = "";
    struct cl_key fresh;
    if (request->opened->envelope->n_signatures != 1) {
        return cl_fail(CL_SIGNATURE_COUNT);
    }
    struct cl_status status =
        cl_rotation_read(&fresh, &field, rotation, request->sender, centre->environment, tx->now_ms);
    if (cl_failed(status)) {
        return case_blame(tx, status.reason, "%s", field);
    }
    status = check_pending(tx, &base->draft, request->sender);
    if (cl_is_ok(status)) {
        status = cl_keydraft_rotate(&base->draft, &request->opened->key.keyid, &fresh, centre->key_overlap_ms,
                                    &receipt->old_valid_until_ms);
    }
    if (status.reason == CL_KEY_KNOWN) {
        return case_blame(tx, CL_KEY_KNOWN, "new_key.public_key");
    }
    return cl_is_ok(status) ? keep(tx, request, &fresh) : status;
}

static struct cl_status answer(Coloan__V1__KeyRotationReceipt *receipt, struct case_tx *tx, struct base *base)
{
    if (tx->cases->centre->directory_signer == NULL) {
        receipt->state = COLOAN__V1__ROTATION_STATE__ROTATION_STATE_PENDING;
        receipt->number = cl_keyring_number(base->keyring);
        receipt->old_valid_until_ms = 0; /* the operator may choose another overlap */
        return cl_ok();
    }
    struct cl_bytes directory;
    struct cl_status status = issue(&directory, tx, base);
    if (cl_failed(status)) {
        return status;
    }
    receipt->state = COLOAN__V1__ROTATION_STATE__ROTATION_STATE_ISSUED;
    receipt->number = base->draft.number;
    receipt->directory = (ProtobufCBinaryData){.len = directory.len, .data = cl_arena_copy(tx->arena, directory)};
    return receipt->directory.data == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}

struct cl_status case_rotate_key(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    struct base base = {.keyring = NULL};
    Coloan__V1__KeyRotationReceipt *receipt = cl_arena_alloc(tx->arena, sizeof *receipt);
    if (receipt == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__key_rotation_receipt__init(receipt);
    struct cl_status status = find_base(&base.keyring, tx);
    if (cl_failed(status)) {
        return status;
    }
    status = cl_keydraft_follow(&base.draft, tx->arena, base.keyring);
    if (cl_is_ok(status)) {
        status = rotate(receipt, tx, request, &base);
    }
    if (cl_is_ok(status)) {
        status = answer(receipt, tx, &base);
    }
    cl_keyring_unref(base.keyring);
    if (cl_is_ok(status)) {
        *reply_out = &receipt->base;
    }
    return status;
}
