#include "libcoloan/bytes.h"

#include <string.h>

struct cl_bytes cl_bytes_text(const char *text)
{
    return cl_bytes(text, strlen(text));
}

bool cl_bytes_equal(struct cl_bytes a, struct cl_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool cl_digest_equal(const struct cl_digest *a, const struct cl_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void cl_hex_encode(char *out, struct cl_bytes in)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.len; i++) {
        out[2 * i] = digits[in.data[i] >> 4];
        out[2 * i + 1] = digits[in.data[i] & 15];
    }
    out[2 * in.len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct cl_status cl_hex_decode(uint8_t *out, size_t len, const char *hex)
{
    if (strlen(hex) != 2 * len) {
        return cl_fail(CL_FIELD_INVALID);
    }
    for (size_t i = 0; i < 2 * len; i++) {
        if (hex_digit(hex[i]) < 0) {
            return cl_fail(CL_FIELD_INVALID);
        }
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    }
    return cl_ok();
}
