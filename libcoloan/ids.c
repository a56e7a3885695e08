#include "libcoloan/ids.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "libcoloan/crypto.h"
#include "libcoloan/limits.h"

enum { TIME_BYTES = 6 };

/* -- Randomness ---------------------------------------------------------------------------------------------- */

static void fill_from_system(void *user, void *out, size_t len)
{
    (void)user;
    cl_crypto_ready();
    randombytes_buf(out, len);
}

const struct cl_random *cl_random_system(void)
{
    static const struct cl_random system = {.fill = fill_from_system, .user = NULL};
    return &system;
}

/* -- UUIDv7 -------------------------------------------------------------------------------------------------- */

/* unix_ts_ms (48) | version 7 (4) | rand_a (12) | variant 2 (2) | rand_b (62) */
void cl_uuid7(struct cl_uuid *out, int64_t unix_ms, const uint8_t random[CL_UUID_RANDOM_BYTES])
{
    assert(unix_ms >= 0);
    for (size_t i = 0; i < TIME_BYTES; i++) {
        out->bytes[i] = (uint8_t)((uint64_t)unix_ms >> (8 * (TIME_BYTES - 1 - i)));
    }
    memcpy(out->bytes + TIME_BYTES, random, CL_UUID_RANDOM_BYTES);
    out->bytes[6] = (uint8_t)(0x70 | (out->bytes[6] & 0x0f));
    out->bytes[8] = (uint8_t)(0x80 | (out->bytes[8] & 0x3f));
}

void cl_uuid7_make(struct cl_uuid *out, int64_t unix_ms, const struct cl_random *random)
{
    uint8_t bytes[CL_UUID_RANDOM_BYTES];
    cl_random_fill(random, bytes, sizeof bytes);
    cl_uuid7(out, unix_ms, bytes);
}

bool cl_uuid7_valid(struct cl_bytes bytes)
{
    return bytes.len == CL_UUID_BYTES && bytes.data[6] >> 4 == 7 && bytes.data[8] >> 6 == 2;
}

int64_t cl_uuid7_unix_ms(const struct cl_uuid *uuid)
{
    uint64_t ms = 0;
    for (size_t i = 0; i < TIME_BYTES; i++) {
        ms = ms << 8 | uuid->bytes[i];
    }
    return (int64_t)ms;
}

/* The text's groups: bytes in each. */
static const size_t groups[] = {4, 2, 2, 2, 6};
enum { GROUP_COUNT = sizeof groups / sizeof groups[0] };

void cl_uuid_text(char out[CL_UUID_TEXT_BYTES], const struct cl_uuid *uuid)
{
    size_t at = 0;
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        cl_hex_encode(out, cl_bytes(uuid->bytes + at, groups[i]));
        at += groups[i];
        out += 2 * groups[i];
        *out++ = i + 1 < GROUP_COUNT ? '-' : '\0';
    }
}

/* Decodes digits wherever they are and then compares with the text the id would have: one form only. */
struct cl_status cl_uuid7_parse(struct cl_uuid *out, const char *text)
{
    char digits[2 * CL_UUID_BYTES + 1];
    char back[CL_UUID_TEXT_BYTES];
    struct cl_uuid uuid;
    size_t count = 0;
    if (strnlen(text, CL_UUID_TEXT_BYTES) != CL_UUID_TEXT_BYTES - 1) {
        return cl_fail(CL_FIELD_INVALID);
    }
    for (const char *c = text; *c != '\0' && count < sizeof digits - 1; c++) {
        if (*c != '-') {
            digits[count++] = *c;
        }
    }
    digits[count] = '\0';
    if (cl_failed(cl_hex_decode(uuid.bytes, sizeof uuid.bytes, digits))) {
        return cl_fail(CL_FIELD_INVALID);
    }
    cl_uuid_text(back, &uuid);
    if (strcmp(back, text) != 0 || !cl_uuid7_valid(cl_bytes(uuid.bytes, sizeof uuid.bytes))) {
        return cl_fail(CL_FIELD_INVALID);
    }
    *out = uuid;
    return cl_ok();
}

/* -- Parties ------------------------------------------------------------------------------------------------- */

static enum cl_party_kind kind_named(const char *text, size_t len)
{
    static const struct {
        const char *name;
        enum cl_party_kind kind;
    } kinds[] = {
        {"fund", CL_PARTY_FUND},       {"bank", CL_PARTY_BANK},           {"channel", CL_PARTY_CHANNEL},
        {"officer", CL_PARTY_OFFICER}, {"authority", CL_PARTY_AUTHORITY},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, text, len) == 0) {
            return kinds[i].kind;
        }
    }
    return CL_PARTY_NONE;
}

enum cl_party_kind cl_party_kind(const char *text)
{
    if (strnlen(text, CL_PARTY_BYTES_MAX + 1) > CL_PARTY_BYTES_MAX) {
        return CL_PARTY_NONE;
    }
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon[1] == '\0') {
        return CL_PARTY_NONE;
    }
    if (strspn(colon + 1, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(colon + 1)) {
        return CL_PARTY_NONE;
    }
    return kind_named(text, (size_t)(colon - text));
}

bool cl_party_valid(const char *text)
{
    return cl_party_kind(text) != CL_PARTY_NONE;
}
