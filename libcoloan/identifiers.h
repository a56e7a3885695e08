/* identifiers.h - is a number well-formed? ID numbers, credit codes, real-estate units, districts, mobile numbers.
 *
 * Form and check digit only: whether a number was ever given out, an authority must say.
 * Values only; any thread; nothing is allocated or kept. Text is NUL-terminated, of any length and any bytes; NULL is
 * refused like any other wrong text. */
#ifndef COLOAN_IDENTIFIERS_H
#define COLOAN_IDENTIFIERS_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/status.h"

#define CL_ID_NUMBER_CHARS   18
#define CL_USCC_CHARS        18
#define CL_UNIT_NUMBER_CHARS 28
#define CL_DISTRICT_CHARS    6
#define CL_MOBILE_CHARS      11

enum cl_sex {
    CL_SEX_UNSPECIFIED = 0,
    CL_SEX_MALE = 1,
    CL_SEX_FEMALE = 2,
};

/* What an ID number says of its holder. */
struct cl_id_number {
    int32_t birth_date; /* yyyymmdd */
    enum cl_sex sex;
};

/* GB 11643: six digits of a province that exists, a birth date of the calendar, three digits, and the ISO 7064 check
 * character; X only in upper case. `accept_synthetic` also lets area 99 pass, which is never given out: for tests and
 * the sandbox. ID_NUMBER_INVALID. */
CL_MUST_CHECK struct cl_status cl_id_number_read(struct cl_id_number *out, const char *text, bool accept_synthetic);

/* GB 32100: registration authority, kind, six digits of district, nine characters of GB 11714 with their own check
 * character, and the check character of the whole. USCC_INVALID. */
CL_MUST_CHECK struct cl_status cl_uscc_check(const char *text);

/* GB/T 37346: six digits of district, three of cadastral area, three of sub-area, two letters of right, five digits of
 * parcel, one letter (F house, L forest, Q other, W nothing built), eight digits. UNIT_NUMBER_INVALID. */
CL_MUST_CHECK struct cl_status cl_unit_number_check(const char *text);

/* GB/T 2260 form: six digits, the first two of a province that exists (or 99 with `accept_synthetic`). FIELD_INVALID.
 */
CL_MUST_CHECK struct cl_status cl_district_check(const char *text, bool accept_synthetic);

/* A mobile number of mainland China: eleven digits, 13 to 19 in front, without country code. FIELD_INVALID. */
CL_MUST_CHECK struct cl_status cl_mobile_check(const char *text);

#endif
