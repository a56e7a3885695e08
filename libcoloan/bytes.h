/* bytes.h - borrowed runs of bytes, fixed digests, and their text forms.
 *
 * struct cl_bytes borrows: whoever made the bytes owns them. Any thread. Decoding can fail on bad text; nothing else can. */
#ifndef COLOAN_BYTES_H
#define COLOAN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/status.h"

#define CL_DIGEST_BYTES     32
#define CL_DIGEST_HEX_BYTES 65 /* with the NUL */

struct cl_bytes {
    const uint8_t *data;
    size_t len;
};

/* A SHA-256 digest. */
struct cl_digest {
    uint8_t bytes[CL_DIGEST_BYTES];
};

static inline struct cl_bytes cl_bytes(const void *data, size_t len)
{
    return (struct cl_bytes){.data = data, .len = len};
}

/* The text's bytes without its NUL. */
struct cl_bytes cl_bytes_text(const char *text);

/* For foreign structs that are not const-correct, protobuf-c's and gRPC's: nothing writes through the result. */
static inline char *cl_unconst(const char *text)
{
    union {
        const char *in;
        char *out;
    } cast = {.in = text};
    return cast.out;
}

bool cl_bytes_equal(struct cl_bytes a, struct cl_bytes b);

bool cl_digest_equal(const struct cl_digest *a, const struct cl_digest *b);

/* Writes 2 * len lower-case hex digits and a NUL; `out` has 2 * len + 1 bytes. */
void cl_hex_encode(char *out, struct cl_bytes in);

/* Reads exactly `len` bytes from 2 * len hex digits. FIELD_INVALID on anything else. */
CL_MUST_CHECK struct cl_status cl_hex_decode(uint8_t *out, size_t len, const char *hex);

/* Room for the base64 of `len` bytes with its NUL, and for the bytes of `len` characters of base64. */
#define CL_BASE64_TEXT_BYTES(len) (((len) + 2) / 3 * 4 + 1)
#define CL_BASE64_DATA_BYTES(len) (((len) + 3) / 4 * 3)

/* The standard alphabet with padding (RFC 4648), and a NUL; `out` has CL_BASE64_TEXT_BYTES(in.len) bytes. */
void cl_base64_encode(char *out, struct cl_bytes in);

/* Reads both alphabets, with the right padding or none; bits left over must be 0, so that bytes have one text in each.
 * `out` has CL_BASE64_DATA_BYTES(text.len) bytes. FIELD_INVALID on anything else. */
CL_MUST_CHECK struct cl_status cl_base64_decode(uint8_t *out, size_t *len_out, struct cl_bytes text);

#endif
