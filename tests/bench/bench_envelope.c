/* What signing, verifying and opening a message cost: an application with all its disclosures. open-all is open with
 * the body unpacked and the disclosures checked. usage: bench_envelope [ROUNDS] */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"
#include "tests/bench/row.h"
#include "tests/support/signing.h"

enum { ROUNDS_DEFAULT = 5000 };

static struct signing signing;
static struct signing_application with;
static struct cl_sealed sealed;
static struct cl_opened opened;
static struct cl_bytes pae;
static struct cl_signature signature;
static struct cl_arena *arena;

static void must(struct cl_status status)
{
    assert(cl_is_ok(status));
}

static void sign(void)
{
    cl_sign(&signature, signing.signers[SIGNING_ALPHA_ACTIVE], pae);
}

static void verify(void)
{
    bool holds = cl_signature_verify(&signature, cl_signer_public_key(signing.signers[SIGNING_ALPHA_ACTIVE]), pae);
    assert(holds);
}

static void digest(void)
{
    struct cl_digest out;
    cl_sha256(&out, pae);
}

static void scan(void)
{
    must(cl_wirescan(&coloan__v1__envelope__descriptor, sealed.envelope, CL_MESSAGE_BYTES_MAX));
}

static void seal(void)
{
    struct cl_sealed out;
    struct cl_message message = signing_message();
    message.body = &with.application.base;
    message.disclosures = with.disclosures;
    message.disclosure_count = with.disclosure_count;
    must(cl_envelope_seal(&out, arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message));
}

static void open_envelope(void)
{
    struct cl_expectation expected = signing_expectation(&signing);
    must(cl_envelope_open(&opened, arena, sealed.envelope, &expected));
}

static void open_and_read(void)
{
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    ProtobufCMessage *body = NULL;
    size_t count = 0;
    open_envelope();
    must(cl_opened_body(&body, arena, &opened));
    must(cl_personal_fields(fields, &count, body));
    must(cl_disclosure_check(fields, count, opened.disclosures, opened.disclosure_count));
}

static void measure(const char *name, void (*work)(void), int64_t rounds)
{
    int64_t start_us = cl_monotonic_us();
    for (int64_t i = 0; i < rounds; i++) {
        cl_arena_reset(arena);
        work();
    }
    row_print(name, "us", (double)(cl_monotonic_us() - start_us) / (double)rounds);
}

int main(int argc, char **argv)
{
    int64_t rounds = argc > 1 ? strtoll(argv[1], NULL, 10) : ROUNDS_DEFAULT;
    if (rounds <= 0) {
        (void)fprintf(stderr, "usage: %s [ROUNDS]\n", argv[0]);
        return 2;
    }
    signing_init(&signing);
    must(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX));
    signing_application(&with, signing.arena);
    struct cl_message message = signing_message();
    message.body = &with.application.base;
    message.disclosures = with.disclosures;
    message.disclosure_count = with.disclosure_count;
    must(cl_envelope_seal(&sealed, signing.arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message));
    must(cl_dsse_pae(&pae, signing.arena, SIGNING_TYPE, sealed.stored));
    row_print("envelope", "bytes", (double)sealed.envelope.len);
    measure("sign", sign, rounds);
    measure("verify", verify, rounds);
    measure("digest", digest, rounds);
    measure("scan", scan, rounds);
    measure("seal", seal, rounds);
    measure("open", open_envelope, rounds);
    measure("open-all", open_and_read, rounds);
    cl_arena_free(arena);
    signing_close(&signing);
    return 0;
}
