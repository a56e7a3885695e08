/* What is due: found in order, taken once and not too early, and still there after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/due.h"
#include "tests/support/store_fixture.h"

static int set_up(void **state)
{
    *state = store_fixture_create();
    return 0;
}

static int tear_down(void **state)
{
    store_fixture_free(*state);
    return 0;
}

static void set(struct store_tx *tx, const char *subject, int kind, int64_t at_ms)
{
    struct due_row row = {.subject = subject, .kind = kind, .at_ms = at_ms};
    assert_int_equal(due_set(tx, &row).reason, CL_OK);
}

static bool take(struct store_tx *tx, const char *subject, int kind, int64_t now_ms)
{
    bool taken = false;
    assert_int_equal(due_take(&taken, tx, subject, kind, now_ms).reason, CL_OK);
    return taken;
}

static void what_is_due_is_listed_longest_first(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    set(tx, "b", 1, 300);
    set(tx, "a", 2, 100);
    set(tx, "a", 1, 100);
    set(tx, "c", 1, 200);
    static const struct {
        int64_t now_ms;
        size_t limit, count;
    } rows[] = {{99, 10, 0}, {100, 10, 2}, {199, 10, 2}, {200, 10, 3}, {1000, 10, 4}, {1000, 3, 3}};
    static const struct due_row expected[] = {{"a", 1, 100}, {"a", 2, 100}, {"c", 1, 200}, {"b", 1, 300}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct due_rows due;
        assert_int_equal(due_list(&due, store_tx_sql(tx), arena, rows[i].now_ms, rows[i].limit).reason, CL_OK);
        assert_int_equal(due.count, rows[i].count);
        for (size_t j = 0; j < due.count; j++) {
            assert_string_equal(due.rows[j].subject, expected[j].subject);
            assert_int_equal(due.rows[j].kind, expected[j].kind);
            assert_int_equal(due.rows[j].at_ms, expected[j].at_ms);
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_row_is_taken_once_and_not_too_early(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    set(tx, "a", 1, 100);
    assert_false(take(tx, "a", 1, 99));
    assert_false(take(tx, "a", 2, 100));
    assert_false(take(tx, "b", 1, 100));
    assert_true(take(tx, "a", 1, 100));
    assert_false(take(tx, "a", 1, 100));
    set(tx, "a", 1, 100);
    set(tx, "a", 1, 500); /* put off */
    assert_false(take(tx, "a", 1, 499));
    assert_true(take(tx, "a", 1, 1000000)); /* however late */
    set(tx, "a", 1, 100);
    assert_int_equal(due_clear(tx, "a", 1).reason, CL_OK);
    assert_int_equal(due_clear(tx, "a", 1).reason, CL_OK);
    assert_false(take(tx, "a", 1, 100));
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void times_are_told_by_kind_and_outlive_a_restart(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    set(tx, "a", 1, 100);
    set(tx, "a", DUE_KINDS_MAX - 1, 200);
    set(tx, "b", 2, 300);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    tx = store_fixture_begin(fixture);
    assert_true(take(tx, "a", 1, 100));
    assert_int_equal(store_fixture_end(fixture, cl_fail(CL_INTERNAL)).reason, CL_INTERNAL); /* the work failed */
    store_fixture_reopen(fixture);
    tx = store_fixture_begin(fixture);
    int64_t at_ms[DUE_KINDS_MAX];
    assert_int_equal(due_of(at_ms, store_tx_sql(tx), "a").reason, CL_OK);
    for (int kind = 0; kind < DUE_KINDS_MAX; kind++) {
        assert_int_equal(at_ms[kind], kind == 1 ? 100 : kind == DUE_KINDS_MAX - 1 ? 200 : 0);
    }
    assert_int_equal(due_of(at_ms, store_tx_sql(tx), "nobody").reason, CL_OK);
    assert_int_equal(at_ms[1], 0);
    set(tx, "a", DUE_KINDS_MAX, 200);
    assert_int_equal(due_of(at_ms, store_tx_sql(tx), "a").reason, CL_INTERNAL);
    struct due_row row = {.subject = "a", .kind = 0, .at_ms = 1};
    assert_int_not_equal(due_set(tx, &row).reason, CL_OK);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_due_is_listed_longest_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_is_taken_once_and_not_too_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times_are_told_by_kind_and_outlive_a_restart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
