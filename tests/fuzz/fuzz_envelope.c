/* The first byte says how deep the rest goes in: as the envelope itself, or as a payload or a body that alpha signed,
 * so that what lies behind the signature is reached as well. Whatever opens can be stored, and opens again as the same
 * message. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/limits.h"
#include "libcoloan/personal.h"
#include "tests/support/signing.h"

enum depth { ENVELOPE, PAYLOAD, BODY, DEPTH_COUNT };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct signing signing;
static struct cl_arena *arena;

static void start(void)
{
    signing_init(&signing);
    struct cl_status status = cl_arena_create(&arena, 8 * CL_MESSAGE_ARENA_BYTES_MAX);
    assert(cl_is_ok(status));
}

static struct cl_bytes wrap(struct cl_bytes bytes, enum depth depth)
{
    const struct cl_signer *alpha = signing.signers[SIGNING_ALPHA_ACTIVE];
    Coloan__V1__SignedHeader header;
    if (depth == ENVELOPE) {
        return bytes;
    }
    signing_header(&header, arena);
    return signing_forge(arena, alpha, SIGNING_TYPE, depth == PAYLOAD ? bytes : signing_payload(arena, &header, bytes));
}

static void use(const struct cl_opened *opened)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    ProtobufCMessage *body = NULL;
    size_t count = 0;
    if (cl_failed(cl_header_check_time(opened->header, SIGNING_NOW_MS)) ||
        cl_failed(cl_opened_body(&body, arena, opened)) || cl_failed(cl_personal_fields(fields, &count, body))) {
        return;
    }
    (void)cl_is_ok(cl_disclosure_check(fields, count, opened->disclosures, opened->disclosure_count));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cl_opened opened;
    struct cl_opened again;
    struct cl_bytes stored;
    if (size == 0 || size > CL_PAYLOAD_BYTES_MAX - 1024) {
        return 0;
    }
    if (arena == NULL) {
        start();
    }
    cl_arena_reset(arena);
    struct cl_expectation expected = signing_expectation(&signing);
    expected.batch = true;
    struct cl_bytes bytes = wrap(cl_bytes(data + 1, size - 1), data[0] % DEPTH_COUNT);
    (void)cl_is_ok(cl_envelope_verify(&opened, arena, bytes, signing.keyring));
    if (cl_failed(cl_envelope_open(&opened, arena, bytes, &expected))) {
        return 0;
    }
    use(&opened);
    struct cl_status status = cl_opened_stored(&stored, arena, &opened);
    assert(cl_is_ok(status));
    status = cl_envelope_open(&again, arena, stored, &expected);
    assert(cl_is_ok(status));
    assert(cl_digest_equal(&opened.digest, &again.digest));
    return 0;
}
