/* The table of loan reasons: unique codes of one form, texts in both languages, numbers that lead to their rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/loan_reasons.h"

static void every_row_is_found_by_code_and_number(void **state)
{
    (void)state;
    unsigned count = 0;
    for (; cl_loan_reason_at(count) != NULL; count++) {
        const struct cl_loan_reason_info *row = cl_loan_reason_at(count);
        assert_ptr_equal(cl_loan_reason_find(row->code), row); /* so codes are unique */
        assert_ptr_equal(cl_loan_reason_info(row->reason), row);
        assert_string_equal(cl_loan_reason_code(row->reason), row->code);
        assert_int_equal(cl_loan_reason_severity(row->reason), row->severity);
    }
    assert_int_equal(count, CL_LOAN_REASON_COUNT - 1);
    assert_null(cl_loan_reason_find("AMT-NEVER"));
    assert_null(cl_loan_reason_find(""));
}

static void every_row_has_a_code_of_the_form_and_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; cl_loan_reason_at(i) != NULL; i++) {
        const struct cl_loan_reason_info *row = cl_loan_reason_at(i);
        assert_in_range(strlen(row->code), 6, CL_LOAN_REASON_CODE_CHARS_MAX);
        assert_int_equal(strspn(row->code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), row->code[2] == '-' ? 2 : 3);
        assert_int_equal(strspn(row->code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"), strlen(row->code));
        assert_in_range(row->severity, CL_SEVERITY_INFO, CL_SEVERITY_REJECT);
        assert_true(strlen(row->text_en) > 0);
        assert_true((unsigned char)row->text_zh[0] >= 0xe4);
    }
}

static void none_is_empty(void **state)
{
    (void)state;
    assert_string_equal(cl_loan_reason_code(CL_LOAN_NONE), "");
    assert_int_equal(cl_loan_reason_severity(CL_LOAN_NONE), CL_SEVERITY_NONE);
    assert_string_equal(cl_loan_reason_code(CL_LOAN_REASON_COUNT), "");
    assert_string_equal(cl_loan_reason_code((enum cl_loan_reason)9999), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_code_and_number),
        cmocka_unit_test(every_row_has_a_code_of_the_form_and_texts),
        cmocka_unit_test(none_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
