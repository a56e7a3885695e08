/* signing.h - parties with fixed keys, their directory, and an application to sign. For tests, vectors, fuzzers.
 *
 * Every key comes from a seed of one repeated byte: public, and never to be used for anything real. One thread.
 * Aborts on failure. */
#ifndef COLOAN_TESTS_SIGNING_H
#define COLOAN_TESTS_SIGNING_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>

#include "libcoloan/arena.h"
#include "libcoloan/envelope.h"
#include "libcoloan/ids.h"
#include "libcoloan/keyring.h"
#include "libcoloan/personal.h"
#include "libcoloan/signer.h"

#define SIGNING_NOW_MS      INT64_C(1795000000000)
#define SIGNING_DAY_MS      INT64_C(86400000)
#define SIGNING_ENVIRONMENT "test"
#define SIGNING_CENTRE      "fund:cn-example"
#define SIGNING_ALPHA       "bank:cn-alpha-js"
#define SIGNING_BETA        "bank:cn-beta-js"
#define SIGNING_TYPE        "application/vnd.coloan.v1.Application+protobuf"
#define SIGNING_METHOD      "coloan.v1.JointApproval/SubmitApplication"

/* Alpha has a key in every state; they differ in nothing else. */
enum signing_key {
    SIGNING_DIRECTORY, /* the centre's, pinned */
    SIGNING_CENTRE_SIGN,
    SIGNING_ALPHA_ACTIVE,
    SIGNING_ALPHA_RETIRING,
    SIGNING_ALPHA_RETIRED,
    SIGNING_ALPHA_COMPROMISED,
    SIGNING_ALPHA_FUTURE,
    SIGNING_ALPHA_PAST,
    SIGNING_ALPHA_WITNESS, /* purpose WITNESS */
    SIGNING_BETA_SIGN,
    SIGNING_STRANGER, /* alpha's own, not in the directory */
    SIGNING_KEY_COUNT
};

struct signing {
    struct cl_arena *arena;
    struct cl_signer *signers[SIGNING_KEY_COUNT];
    struct cl_key keys[SIGNING_KEY_COUNT]; /* of the directory, DIRECTORY and STRANGER left out */
    size_t key_count;
    struct cl_bytes directory; /* number 1 */
    struct cl_directory_trust trust;
    struct cl_keyring *keyring;
};

void signing_init(struct signing *signing);
void signing_close(struct signing *signing);

/* Bytes that count up from 0, again and again. */
const struct cl_random *signing_random(void);

struct signing_application {
    Coloan__V1__Application application;
    Coloan__V1__Person persons[2], *person_list[2];
    Coloan__V1__Home home;
    struct cl_digest commitments[CL_PERSONAL_FIELDS_MAX];
    Coloan__V1__Disclosure *disclosures[CL_PERSONAL_FIELDS_MAX];
    size_t disclosure_count;
};

/* A borrower, a spouse and a home, with 7 personal fields; texts and disclosures live in `arena`. */
void signing_application(struct signing_application *out, struct cl_arena *arena);

/* Alpha's request to the centre; the caller sets the body. */
struct cl_message signing_message(void);

/* -- By hand, also wrong: everything lives in `arena` -- */

/* The header of that request, to be spoilt. */
void signing_header(Coloan__V1__SignedHeader *out, struct cl_arena *arena);
ProtobufCBinaryData signing_data(struct cl_arena *arena, struct cl_bytes bytes);

/* A packed SignedPayload; no header for NULL. */
struct cl_bytes signing_payload(struct cl_arena *arena, const Coloan__V1__SignedHeader *header, struct cl_bytes body);

/* An envelope of any payload and type, signed. */
struct cl_bytes signing_forge(struct cl_arena *arena, const struct cl_signer *signer, const char *payload_type,
                              struct cl_bytes payload);

/* What the centre expects of that request. */
struct cl_expectation signing_expectation(const struct signing *signing);

#endif
