#include "libcoloan/identifiers.h"

#include <stddef.h>
#include <string.h>

#include "libcoloan/date.h"

/* GB 32100: no I, O, S, V, Z, which look like digits or letters. The place is the value; GB 11714 counts digits and
 * letters without a gap instead. */
static const char uscc_chars[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";

static const char province_codes[] = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 "
                                     "61 62 63 64 65 71 81 82 83";

static bool has_length(const char *text, size_t chars)
{
    return text != NULL && strnlen(text, chars + 1) == chars;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool are_digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(text[i])) {
            return false;
        }
    }
    return true;
}

static int32_t number_of(const char *digits, size_t count)
{
    int32_t number = 0;
    for (size_t i = 0; i < count; i++) {
        number = number * 10 + (digits[i] - '0');
    }
    return number;
}

static bool province_exists(const char *digits, bool accept_synthetic)
{
    if (accept_synthetic && memcmp(digits, "99", 2) == 0) {
        return true;
    }
    for (size_t i = 0; i + 2 < sizeof province_codes; i += 3) {
        if (memcmp(digits, province_codes + i, 2) == 0) {
            return true;
        }
    }
    return false;
}

struct cl_status cl_id_number_read(struct cl_id_number *out, const char *text, bool accept_synthetic)
{
    static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    if (!has_length(text, CL_ID_NUMBER_CHARS) || !are_digits(text, CL_ID_NUMBER_CHARS - 1)) {
        return cl_fail(CL_ID_NUMBER_INVALID);
    }
    int sum = 0;
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        sum += (text[i] - '0') * weights[i];
    }
    if (text[CL_ID_NUMBER_CHARS - 1] != "10X98765432"[sum % 11]) {
        return cl_fail(CL_ID_NUMBER_INVALID);
    }
    int32_t birth_date = number_of(text + 6, 8);
    if (!province_exists(text, accept_synthetic) || !cl_date_valid(birth_date)) {
        return cl_fail(CL_ID_NUMBER_INVALID);
    }
    bool male = (text[16] - '0') % 2 == 1;
    *out = (struct cl_id_number){.birth_date = birth_date, .sex = male ? CL_SEX_MALE : CL_SEX_FEMALE};
    return cl_ok();
}

/* The nine characters of an organisation code: the weighted sum of eight and its check character. */
static bool organisation_code_ok(const char *code)
{
    static const int weights[] = {3, 7, 9, 10, 5, 8, 4, 2};
    int sum = 0;
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        int value = is_digit(code[i]) ? code[i] - '0' : code[i] - 'A' + 10;
        sum += value * weights[i];
    }
    return code[8] == "0X987654321"[sum % 11];
}

struct cl_status cl_uscc_check(const char *text)
{
    if (!has_length(text, CL_USCC_CHARS) || !are_digits(text + 2, CL_DISTRICT_CHARS)) {
        return cl_fail(CL_USCC_INVALID);
    }
    size_t sum = 0;
    size_t weight = 1;
    for (size_t i = 0; i < CL_USCC_CHARS; i++) {
        const char *place = strchr(uscc_chars, text[i]);
        if (place == NULL) {
            return cl_fail(CL_USCC_INVALID);
        }
        sum += (size_t)(place - uscc_chars) * (i < CL_USCC_CHARS - 1 ? weight : 0);
        weight = weight * 3 % 31;
    }
    if (text[CL_USCC_CHARS - 1] != uscc_chars[(31 - sum % 31) % 31] || !organisation_code_ok(text + 8)) {
        return cl_fail(CL_USCC_INVALID);
    }
    return cl_ok();
}

struct cl_status cl_unit_number_check(const char *text)
{
    if (!has_length(text, CL_UNIT_NUMBER_CHARS)) {
        return cl_fail(CL_UNIT_NUMBER_INVALID);
    }
    bool parcel_ok = are_digits(text, 12) && is_letter(text[12]) && is_letter(text[13]) && are_digits(text + 14, 5);
    bool fixture_ok = strchr("FLQW", text[19]) != NULL && are_digits(text + 20, 8);
    bool nothing_built = text[19] == 'W';
    if (!parcel_ok || !fixture_ok || (nothing_built && strcmp(text + 20, "00000000") != 0)) {
        return cl_fail(CL_UNIT_NUMBER_INVALID);
    }
    return cl_ok();
}

struct cl_status cl_district_check(const char *text, bool accept_synthetic)
{
    if (!has_length(text, CL_DISTRICT_CHARS) || !are_digits(text, CL_DISTRICT_CHARS)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    return province_exists(text, accept_synthetic) ? cl_ok() : cl_fail(CL_FIELD_INVALID);
}

struct cl_status cl_mobile_check(const char *text)
{
    if (!has_length(text, CL_MOBILE_CHARS) || !are_digits(text, CL_MOBILE_CHARS)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    return text[0] == '1' && text[1] >= '3' ? cl_ok() : cl_fail(CL_FIELD_INVALID);
}
