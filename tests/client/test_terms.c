/* Every value a reader may meet has a Chinese name, and no name stands for a value that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <stdbool.h>

#include "client/terms.h"

static void every_value_has_a_name(void **state)
{
    (void)state;
    const ProtobufCEnumDescriptor *type = NULL;
    unsigned types = 0;
    for (; (type = terms_type_at(types)) != NULL; types++) {
        for (unsigned i = 0; i < type->n_values; i++) {
            bool named = terms_chinese(type, type->values[i].value) != NULL;
            if (named != (type->values[i].value != 0)) {
                fail_msg("%s", type->values[i].name);
            }
        }
    }
    assert_true(types >= 12);
}

static void what_is_not_there_has_none(void **state)
{
    (void)state;
    assert_null(terms_chinese(&coloan__v1__case_state__descriptor, 9999));
    assert_null(terms_chinese(&coloan__v1__ack_level__descriptor, 1)); /* no reader sees these */
    assert_string_equal(terms_chinese(&coloan__v1__case_state__descriptor, 1), "核验中");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_a_name),
        cmocka_unit_test(what_is_not_there_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
