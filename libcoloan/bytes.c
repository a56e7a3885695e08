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

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cl_base64_encode(char *out, struct cl_bytes in)
{
    for (size_t i = 0; i < in.len; i += 3) {
        uint32_t group = (uint32_t)in.data[i] << 16;
        group |= i + 1 < in.len ? (uint32_t)in.data[i + 1] << 8 : 0;
        group |= i + 2 < in.len ? in.data[i + 2] : 0;
        *out++ = base64_digits[group >> 18];
        *out++ = base64_digits[group >> 12 & 63];
        *out++ = i + 1 < in.len ? base64_digits[group >> 6 & 63] : '=';
        *out++ = i + 2 < in.len ? base64_digits[group & 63] : '=';
    }
    *out = '\0';
}

static int base64_value(uint8_t digit)
{
    if (digit == '-' || digit == '_') {
        return digit == '-' ? 62 : 63;
    }
    const char *found = digit == '\0' ? NULL : strchr(base64_digits, digit);
    return found == NULL ? -1 : (int)(found - base64_digits);
}

/* The number of digits before a right padding; SIZE_MAX when it is wrong. */
static size_t base64_digit_count(struct cl_bytes text)
{
    size_t count = text.len;
    while (text.len - count < 2 && count > 0 && text.data[count - 1] == '=') {
        count--;
    }
    bool right = count % 4 != 1 && (count == text.len || text.len % 4 == 0);
    return right ? count : SIZE_MAX;
}

struct cl_status cl_base64_decode(uint8_t *out, size_t *len_out, struct cl_bytes text)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t written = 0;
    size_t digit_count = base64_digit_count(text);
    if (digit_count == SIZE_MAX) {
        return cl_fail(CL_FIELD_INVALID);
    }
    for (size_t i = 0; i < digit_count; i++) {
        int value = base64_value(text.data[i]);
        if (value < 0) {
            return cl_fail(CL_FIELD_INVALID);
        }
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out[written++] = (uint8_t)(bits >> bit_count);
            bits &= (1U << bit_count) - 1;
        }
    }
    if (bits != 0) {
        return cl_fail(CL_FIELD_INVALID);
    }
    *len_out = written;
    return cl_ok();
}
