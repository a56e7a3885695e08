/* Numbers of persons, firms, homes: each accepted one with its refused neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/identifiers.h"

static void id_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool synthetic;
        enum cl_reason reason;
        int32_t birth_date;
        enum cl_sex sex;
    } rows[] = {
        {"11010519491231002X", false, CL_OK, 19491231, CL_SEX_FEMALE},
        {"990101199603150019", true, CL_OK, 19960315, CL_SEX_MALE},
        {"990101199603150027", true, CL_OK, 19960315, CL_SEX_FEMALE},
        {"990101196806150031", true, CL_OK, 19680615, CL_SEX_MALE},
        {"990101200002290011", true, CL_OK, 20000229, CL_SEX_MALE}, /* a leap day */
        {"990101199603150019", false, CL_ID_NUMBER_INVALID, 0, 0},  /* area 99 only when switched on */
        {"11010519491231002x", false, CL_ID_NUMBER_INVALID, 0, 0},  /* small x */
        {"110105194912310021", false, CL_ID_NUMBER_INVALID, 0, 0},  /* wrong check digit */
        {"990101199602300011", true, CL_ID_NUMBER_INVALID, 0, 0},   /* February 30, check digit right */
        {"99010119961301001X", true, CL_ID_NUMBER_INVALID, 0, 0},   /* month 13, check digit right */
        {"990101199902290011", true, CL_ID_NUMBER_INVALID, 0, 0},   /* no leap year, check digit right */
        {"990101189912310013", true, CL_ID_NUMBER_INVALID, 0, 0},   /* before 1900, check digit right */
        {"16010519960315001X", true, CL_ID_NUMBER_INVALID, 0, 0},   /* no such province, check digit right */
        {"11010519491231002", false, CL_ID_NUMBER_INVALID, 0, 0},   /* too short */
        {"11010519491231002XX", false, CL_ID_NUMBER_INVALID, 0, 0}, /* too long */
        {"1101051949123100 X", false, CL_ID_NUMBER_INVALID, 0, 0},
        {"X1010519491231002X", false, CL_ID_NUMBER_INVALID, 0, 0},
        {"", false, CL_ID_NUMBER_INVALID, 0, 0},
        {NULL, false, CL_ID_NUMBER_INVALID, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_id_number number = {.birth_date = -1, .sex = CL_SEX_UNSPECIFIED};
        struct cl_status status = cl_id_number_read(&number, rows[i].text, rows[i].synthetic);
        if (status.reason != rows[i].reason) {
            fail_msg("row %zu: %s", i, cl_status_name(status));
        }
        assert_int_equal(number.birth_date, cl_is_ok(status) ? rows[i].birth_date : -1); /* untouched on failure */
        assert_int_equal(number.sex, cl_is_ok(status) ? rows[i].sex : CL_SEX_UNSPECIFIED);
    }
}

/* GB 11643 finds every single wrong digit and every swap of two neighbours. */
static void every_slip_in_an_id_number_is_found(void **state)
{
    (void)state;
    static const char right[] = "990101199603150019";
    struct cl_id_number number;
    for (size_t i = 0; i < CL_ID_NUMBER_CHARS; i++) {
        char text[] = "990101199603150019";
        for (char c = '0'; c <= '9'; c++) {
            text[i] = c;
            bool same = strcmp(text, right) == 0;
            assert_int_equal(cl_is_ok(cl_id_number_read(&number, text, true)), same);
        }
    }
    for (size_t i = 0; i + 1 < CL_ID_NUMBER_CHARS; i++) {
        char text[] = "990101199603150019";
        text[i] = right[i + 1];
        text[i + 1] = right[i];
        bool same = strcmp(text, right) == 0;
        assert_int_equal(cl_is_ok(cl_id_number_read(&number, text, true)), same);
    }
}

/* A checked text, with and without the switch for synthetic areas where there is one. */
static struct cl_status district(const char *text)
{
    return cl_district_check(text, false);
}

static struct cl_status district_synthetic(const char *text)
{
    return cl_district_check(text, true);
}

static void other_numbers(void **state)
{
    (void)state;
    static const struct {
        struct cl_status (*check)(const char *text);
        const char *text;
        enum cl_reason reason;
    } rows[] = {
        {cl_uscc_check, "91350100M000100Y43", CL_OK},
        {cl_uscc_check, "91990000MA0000015Q", CL_OK},
        {cl_uscc_check, "91990000MA0000023K", CL_OK},
        {cl_uscc_check, "91350100M000100Y44", CL_USCC_INVALID},  /* wrong check character */
        {cl_uscc_check, "91350100M000100Y34", CL_USCC_INVALID},  /* neighbours swapped */
        {cl_uscc_check, "91990000MA0000016U", CL_USCC_INVALID},  /* right in itself, wrong organisation code inside */
        {cl_uscc_check, "91990000ma0000015q", CL_USCC_INVALID},  /* small letters */
        {cl_uscc_check, "91990000MI0000015Q", CL_USCC_INVALID},  /* I is not in the set */
        {cl_uscc_check, "91A90000MA0000015Q", CL_USCC_INVALID},  /* a letter in the district */
        {cl_uscc_check, "91990000MA0000015", CL_USCC_INVALID},   /* too short */
        {cl_uscc_check, "91990000MA0000015QQ", CL_USCC_INVALID}, /* too long */
        {cl_uscc_check, "", CL_USCC_INVALID},
        {cl_uscc_check, NULL, CL_USCC_INVALID},

        {cl_unit_number_check, "320102001001GB00001F00010001", CL_OK},
        {cl_unit_number_check, "320102001001GB00001W00000000", CL_OK},
        {cl_unit_number_check, "320102001001GB00001W00000001", CL_UNIT_NUMBER_INVALID}, /* W: nothing built */
        {cl_unit_number_check, "320102001001GB00001X00010001", CL_UNIT_NUMBER_INVALID},
        {cl_unit_number_check, "320102001001gb00001F00010001", CL_UNIT_NUMBER_INVALID},
        {cl_unit_number_check, "320102001001G100001F00010001", CL_UNIT_NUMBER_INVALID},
        {cl_unit_number_check, "32010200100AGB00001F00010001", CL_UNIT_NUMBER_INVALID},
        {cl_unit_number_check, "320102001001GB0000AF00010001", CL_UNIT_NUMBER_INVALID},
        {cl_unit_number_check, "320102001001GB00001F0001000", CL_UNIT_NUMBER_INVALID},
        {cl_unit_number_check, "320102001001GB00001F000100011", CL_UNIT_NUMBER_INVALID},
        {cl_unit_number_check, NULL, CL_UNIT_NUMBER_INVALID},

        {district, "320102", CL_OK},
        {district, "830000", CL_OK},
        {district, "990101", CL_FIELD_INVALID},
        {district_synthetic, "990101", CL_OK},
        {district_synthetic, "160101", CL_FIELD_INVALID},
        {district, "32010", CL_FIELD_INVALID},
        {district, "3201021", CL_FIELD_INVALID},
        {district, "32010A", CL_FIELD_INVALID},
        {district, "2 1101", CL_FIELD_INVALID},
        {district, NULL, CL_FIELD_INVALID},

        {cl_mobile_check, "13900000000", CL_OK},
        {cl_mobile_check, "19912345678", CL_OK},
        {cl_mobile_check, "12912345678", CL_FIELD_INVALID},
        {cl_mobile_check, "23900000000", CL_FIELD_INVALID},
        {cl_mobile_check, "1390000000", CL_FIELD_INVALID},
        {cl_mobile_check, "139000000000", CL_FIELD_INVALID},
        {cl_mobile_check, "+8613900000", CL_FIELD_INVALID},
        {cl_mobile_check, "1390000000a", CL_FIELD_INVALID},
        {cl_mobile_check, NULL, CL_FIELD_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_status status = rows[i].check(rows[i].text);
        if (status.reason != rows[i].reason) {
            fail_msg("row %zu, %s: %s", i, rows[i].text, cl_status_name(status));
        }
    }
}

/* GB 32100 finds every single wrong character of its set. */
static void every_slip_in_a_credit_code_is_found(void **state)
{
    (void)state;
    static const char right[] = "91350100M000100Y43";
    for (size_t i = 0; i < CL_USCC_CHARS; i++) {
        char text[] = "91350100M000100Y43";
        for (const char *c = "0123456789ABCDEFGHJKLMNPQRTUWXY"; *c != '\0'; c++) {
            text[i] = *c;
            assert_int_equal(cl_is_ok(cl_uscc_check(text)), strcmp(text, right) == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_numbers),
        cmocka_unit_test(every_slip_in_an_id_number_is_found),
        cmocka_unit_test(other_numbers),
        cmocka_unit_test(every_slip_in_a_credit_code_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
