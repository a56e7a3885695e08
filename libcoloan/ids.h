/* ids.h - message and application ids (UUIDv7, RFC 9562), party ids, and where randomness comes from.
 *
 * Values only; any thread. Code that makes ids or salts takes its randomness as a struct cl_random, so that tests can
 * hand in their own. Parsing can fail on bad text; nothing else can. */
#ifndef COLOAN_IDS_H
#define COLOAN_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

/* -- Randomness ---------------------------------------------------------------------------------------------- */

struct cl_random {
    void (*fill)(void *user, void *out, size_t len);
    void *user;
};

/* The system's generator, by libsodium. Static. */
const struct cl_random *cl_random_system(void);

static inline void cl_random_fill(const struct cl_random *random, void *out, size_t len)
{
    random->fill(random->user, out, len);
}

/* -- UUIDv7 -------------------------------------------------------------------------------------------------- */

#define CL_UUID_BYTES        16
#define CL_UUID_TEXT_BYTES   37 /* 8-4-4-4-12 hex digits, with the NUL */
#define CL_UUID_RANDOM_BYTES 10

struct cl_uuid {
    uint8_t bytes[CL_UUID_BYTES];
};

/* From the time, of which 48 bits are kept, and 10 random bytes, of which 74 bits are. */
void cl_uuid7(struct cl_uuid *out, int64_t unix_ms, const uint8_t random[CL_UUID_RANDOM_BYTES]);

/* The same with bytes drawn from `random`. */
void cl_uuid7_make(struct cl_uuid *out, int64_t unix_ms, const struct cl_random *random);

/* True for 16 bytes of version 7 and the RFC's variant. */
bool cl_uuid7_valid(struct cl_bytes bytes);

/* The time an id was made, as it says itself. */
int64_t cl_uuid7_unix_ms(const struct cl_uuid *uuid);

void cl_uuid_text(char out[CL_UUID_TEXT_BYTES], const struct cl_uuid *uuid);

/* Reads the text form of a UUIDv7, lower case only, so that each id has one text. FIELD_INVALID on anything else. */
CL_MUST_CHECK struct cl_status cl_uuid7_parse(struct cl_uuid *out, const char *text);

/* -- Parties ------------------------------------------------------------------------------------------------- */

enum cl_party_kind {
    CL_PARTY_NONE = 0, /* not a party id */
    CL_PARTY_FUND,
    CL_PARTY_BANK,
    CL_PARTY_CHANNEL,
    CL_PARTY_OFFICER,
    CL_PARTY_AUTHORITY,
};

/* "<kind>:<id>", at most CL_PARTY_BYTES_MAX bytes, id of a-z, 0-9 and '-', e.g. "bank:cn-alpha-js". */
bool cl_party_valid(const char *text);

/* NONE when the text is not a valid party id. */
enum cl_party_kind cl_party_kind(const char *text);

#endif
