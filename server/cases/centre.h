/* centre.h - the centre as a party: who it is, whose keys it trusts, and the sealing of what it says.
 *
 * Made once at start and shared by all threads; everything in it outlives them. Only sealing can fail. */
#ifndef COLOAN_CASES_CENTRE_H
#define COLOAN_CASES_CENTRE_H

#include "libcoloan/clock.h"
#include "libcoloan/envelope.h"
#include "libcoloan/ids.h"
#include "libcoloan/keyring.h"
#include "libcoloan/signer.h"
#include "server/domain/polling.h"

/* What the other servers on the database are told when a directory was issued; no party is called so. */
#define CENTRE_TELLS_KEYS "keys"

struct centre {
    const char *party;       /* "fund:cn-nj-prov" */
    const char *environment; /* "prod", "test", "conf/<run>" */
    const struct cl_signer *signer;
    struct cl_keyring_slot *keyrings;
    const struct cl_signer *directory_signer; /* issues directories at once; NULL: the operator does, offline */
    struct cl_public_key directory_key;       /* that signs directories, pinned */
    int64_t key_overlap_ms;                   /* that a replaced key verifies on */
    const struct cl_clock *clock;
    const struct cl_random *random;
    bool accept_synthetic_ids;    /* ID numbers of area 99: never in prod */
    uint64_t items_unused;        /* verification items that this centre does without: bits of enum item */
    struct polling_plan registry; /* how the property register is asked about what was filed */
};

/* What the centre says; the rest of the header follows from it. */
struct centre_speech {
    Coloan__V1__Direction direction;
    const char *recipient;
    const char *method;
    const struct cl_digest *in_reply_to; /* NULL on EVENT */
    const char *application_id;          /* NULL: none */
    const char *spec_version;            /* of an answer: its request's; NULL on EVENT: the oldest anybody may read */
    uint64_t sequence;                   /* of an EVENT */
    const ProtobufCMessage *body;
    int64_t now_ms;
};

struct centre_sealed {
    struct cl_uuid message_id;
    struct cl_digest digest;
    struct cl_bytes envelope; /* in the arena; nothing the centre signs carries disclosures, they are added when sent */
};

/* MESSAGE_TOO_LARGE, MEMORY_LIMIT, or what the scan says of a text that is not clean. */
CL_MUST_CHECK struct cl_status centre_seal(struct centre_sealed *out, struct cl_arena *arena,
                                           const struct centre *centre, const struct centre_speech *speech);

#endif
