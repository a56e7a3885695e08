/* The reason table: unique names and numbers, texts in both languages, numbers that fit their hundred. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/status.h"

static void every_row_is_unique(void **state)
{
    (void)state;
    for (unsigned i = 0; cl_reason_at(i) != NULL; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_int_not_equal(cl_reason_at(i)->reason, cl_reason_at(j)->reason);
            assert_string_not_equal(cl_reason_at(i)->name, cl_reason_at(j)->name);
        }
    }
}

static void every_row_is_found_by_name_and_number(void **state)
{
    (void)state;
    for (unsigned i = 0; cl_reason_at(i) != NULL; i++) {
        const struct cl_reason_info *row = cl_reason_at(i);
        assert_ptr_equal(cl_reason_find(row->name), row);
        assert_ptr_equal(cl_reason_info(row->reason), row);
    }
    assert_null(cl_reason_find("NO_SUCH_REASON"));
    assert_int_equal(cl_reason_info((enum cl_reason)9999)->reason, CL_INTERNAL);
}

static void every_row_has_texts_and_a_fitting_number(void **state)
{
    (void)state;
    for (unsigned i = 0; cl_reason_at(i) != NULL; i++) {
        const struct cl_reason_info *row = cl_reason_at(i);
        assert_in_range(row->reason, 1001, 5999);
        assert_int_not_equal(row->grpc_code, CL_GRPC_OK);
        assert_true(strlen(row->text_en) > 0);
        assert_true((unsigned char)row->text_zh[0] >= 0xe4); /* starts with a CJK character or wider */
    }
}

static void ok_is_ok(void **state)
{
    (void)state;
    assert_true(cl_is_ok(cl_ok()));
    assert_true(cl_failed(cl_fail(CL_EXPIRED)));
    assert_string_equal(cl_status_name(cl_ok()), "OK");
    assert_string_equal(cl_status_name(cl_fail(CL_EXPIRED)), "EXPIRED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_unique),
        cmocka_unit_test(every_row_is_found_by_name_and_number),
        cmocka_unit_test(every_row_has_texts_and_a_fitting_number),
        cmocka_unit_test(ok_is_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
