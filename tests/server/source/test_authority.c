/* authority: the order in which questions wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/source/authority.h"

static void who_waits_is_served_in_order(void **state)
{
    (void)state;
    static struct authority authority;
    struct source_question questions[3];
    assert_null(authority_next_waiting(&authority));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 3; i++) {
            authority_wait(&authority, &questions[i]);
        }
        for (size_t i = 0; i < 3; i++) {
            assert_ptr_equal(authority_next_waiting(&authority), &questions[i]);
        }
        assert_null(authority_next_waiting(&authority));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_waits_is_served_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
