/* The first byte says what the rest is: a directory's envelope, or a KeyDirectory that the pinned key signed. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "tests/support/signing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct signing signing;
static struct cl_arena *arena;

static struct cl_bytes wrap(struct cl_bytes body)
{
    Coloan__V1__SignedHeader header;
    signing_header(&header, arena);
    header.sender = header.recipient;
    header.recipient = cl_arena_text(arena, "");
    header.method = cl_arena_text(arena, "coloan.v1.Directory/GetKeys");
    header.direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT;
    header.created_ms = SIGNING_NOW_MS - SIGNING_DAY_MS;
    header.expires_ms = 0;
    header.sequence = 1;
    return signing_forge(arena, signing.signers[SIGNING_DIRECTORY], "application/vnd.coloan.v1.KeyDirectory+protobuf",
                         signing_payload(arena, &header, body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cl_keyring *keyring = NULL;
    const struct cl_key *keys = NULL;
    if (size == 0 || size > CL_PAYLOAD_BYTES_MAX - 1024) {
        return 0;
    }
    if (arena == NULL) {
        signing_init(&signing);
        struct cl_status status = cl_arena_create(&arena, 8 * CL_MESSAGE_ARENA_BYTES_MAX);
        assert(cl_is_ok(status));
    }
    cl_arena_reset(arena);
    struct cl_bytes bytes = cl_bytes(data + 1, size - 1);
    if (cl_failed(cl_keyring_load(&keyring, data[0] % 2 == 0 ? bytes : wrap(bytes), &signing.trust, NULL))) {
        return 0;
    }
    size_t count = cl_keyring_keys(keyring, &keys);
    assert(count > 0);
    for (size_t i = 0; i < count; i++) {
        const struct cl_key *found = NULL;
        size_t candidates = cl_keyring_candidates(keyring, SIGNING_ENVIRONMENT, keys[i].party, keys[i].purpose, &found);
        assert(candidates > 0 && strcmp(found->party, keys[i].party) == 0);
    }
    cl_keyring_unref(keyring);
    return 0;
}
