#include "server/authorisation/letter.h"

#include <string.h>

enum { NUMBER_DIGITS_MAX = 15 }; /* of a time in ms; far beyond any consent */

/* -- Pieces -------------------------------------------------------------------------------------------------- */

/* Cuts off what stands before the next `end`, which is dropped; false when there is none. */
static bool cut(struct cl_bytes *out, struct cl_bytes *rest, char end)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->data, end, rest->len);
    if (at == NULL) {
        return false;
    }
    size_t len = (size_t)(at - rest->data);
    *out = cl_bytes(rest->data, len);
    *rest = cl_bytes(at + 1, rest->len - len - 1);
    return true;
}

static bool take_word(struct cl_bytes *rest, const char *word)
{
    size_t len = strlen(word);
    if (rest->len < len || memcmp(rest->data, word, len) != 0) {
        return false;
    }
    *rest = cl_bytes(rest->data + len, rest->len - len);
    return true;
}

/* A text of 1 .. size - 1 bytes without control characters. */
static bool copy(char *out, size_t size, struct cl_bytes text)
{
    if (text.len == 0 || text.len >= size) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return false;
        }
    }
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

static bool read_number(int64_t *out, struct cl_bytes text)
{
    int64_t number = 0;
    if (text.len == 0 || text.len > NUMBER_DIGITS_MAX || text.data[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    *out = number;
    return true;
}

static bool read_purpose(int *out, struct cl_bytes text)
{
    static const char *const purposes[] = {"VERIFY", "CREDIT_REPORT", "SHARE"}; /* from 1, as in the contract */
    for (int i = 0; i < 3; i++) {
        if (cl_bytes_equal(text, cl_bytes_text(purposes[i]))) {
            *out = i + 1;
            return true;
        }
    }
    return false;
}

/* -- Lines --------------------------------------------------------------------------------------------------- */

static bool read_person(struct cl_digest *out, struct cl_bytes line)
{
    char hex[CL_DIGEST_HEX_BYTES];
    if (!take_word(&line, "person ") || line.len != CL_DIGEST_HEX_BYTES - 1 || !copy(hex, sizeof hex, line)) {
        return false;
    }
    return strspn(hex, "0123456789abcdef") == line.len && cl_is_ok(cl_hex_decode(out->bytes, CL_DIGEST_BYTES, hex));
}

static bool read_consent(struct letter_consent *out, struct cl_bytes line)
{
    struct cl_bytes purpose;
    struct cl_bytes receiver;
    struct cl_bytes until;
    return take_word(&line, "consent ") && cut(&purpose, &line, ' ') && cut(&receiver, &line, ' ') &&
           cut(&until, &line, ' ') && read_purpose(&out->purpose, purpose) &&
           copy(out->receiver, sizeof out->receiver, receiver) && read_number(&out->until_ms, until) &&
           copy(out->consent_id, sizeof out->consent_id, line);
}

static bool is_named(const struct letter *letter, const char *consent_id)
{
    for (size_t i = 0; i < letter->consent_count; i++) {
        if (strcmp(letter->consents[i].consent_id, consent_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Up to the empty line or the end. */
static bool read_consents(struct letter *out, struct cl_bytes rest)
{
    struct cl_bytes line;
    while (rest.len > 0) {
        struct letter_consent consent;
        if (!cut(&line, &rest, '\n')) {
            return false;
        }
        if (line.len == 0) {
            break;
        }
        if (out->consent_count == LETTER_CONSENTS_MAX || !read_consent(&consent, line) ||
            is_named(out, consent.consent_id)) {
            return false;
        }
        out->consents[out->consent_count++] = consent;
    }
    return out->consent_count > 0;
}

struct cl_status letter_read(struct letter *out, struct cl_bytes text)
{
    struct letter letter;
    struct cl_bytes line;
    memset(&letter, 0, sizeof letter);
    bool good = cut(&line, &text, '\n') && cl_bytes_equal(line, cl_bytes_text("coloan authorisation v1")) &&
                cut(&line, &text, '\n') && read_person(&letter.person, line) && read_consents(&letter, text);
    if (!good) {
        return cl_fail(CL_LETTER_FORM);
    }
    *out = letter;
    return cl_ok();
}

bool letter_grants(const struct letter *letter, const struct cl_digest *person, const struct letter_consent *consent)
{
    if (!cl_digest_equal(&letter->person, person)) {
        return false;
    }
    for (size_t i = 0; i < letter->consent_count; i++) {
        const struct letter_consent *granted = &letter->consents[i];
        if (strcmp(granted->consent_id, consent->consent_id) == 0) {
            return granted->purpose == consent->purpose && granted->until_ms == consent->until_ms &&
                   strcmp(granted->receiver, consent->receiver) == 0;
        }
    }
    return false;
}
