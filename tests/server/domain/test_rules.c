/* Several rule sets: they follow each other without gap or overlap, and one is in force on a day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/server/domain/world.h"

static struct rule_set rules;

static int set_up(void **state)
{
    (void)state;
    world_rules(&rules);
    return 0;
}

static struct rule_set dated(const char *id, int32_t from, int32_t until)
{
    struct rule_set set = rules;
    (void)strncpy(set.id, id, sizeof set.id - 1);
    set.effective_from = from;
    set.effective_until = until;
    return set;
}

static void sets_follow_each_other(void **state)
{
    (void)state;
    const struct {
        const char *name;
        struct rule_set sets[3];
        size_t count;
        const char *wrong; /* NULL: fine */
    } rows[] = {
        {"one without end", {dated("A", 20260101, 0)}, 1, NULL},
        {"one with an end", {dated("A", 20260101, 20261231)}, 1, NULL},
        {"none", {dated("A", 20260101, 0)}, 0, ""},
        {"three in order",
         {dated("A", 20260101, 20260630), dated("B", 20260701, 20261231), dated("C", 20270101, 0)},
         3,
         NULL},
        {"in any order",
         {dated("C", 20270101, 0), dated("A", 20260101, 20260630), dated("B", 20260701, 20261231)},
         3,
         NULL},
        {"over a leap day", {dated("A", 20240101, 20240229), dated("B", 20240301, 0)}, 2, NULL},
        {"a day's gap", {dated("A", 20260101, 20260630), dated("B", 20260702, 0)}, 2, "A"},
        {"replaced before its own end", {dated("A", 20260101, 20261231), dated("B", 20260301, 20260331)}, 2, NULL},
        {"no end of its own before another", {dated("A", 20260101, 0), dated("B", 20260701, 0)}, 2, NULL},
        {"a gap in the middle",
         {dated("C", 20270101, 0), dated("A", 20250101, 0), dated("B", 20260101, 20261230)},
         3,
         "B"},
        {"the same first day", {dated("A", 20260101, 0), dated("B", 20260101, 0)}, 2, "B"},
        {"the same id", {dated("A", 20260101, 20260630), dated("A", 20260701, 0)}, 2, "A"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum rules_fault fault = RULES_FINE;
        size_t at = 0;
        struct cl_status status = rules_check(rows[i].sets, rows[i].count, &fault, &at);
        if (cl_is_ok(status) != (rows[i].wrong == NULL)) {
            fail_msg("%s", rows[i].name);
        }
        if (rows[i].wrong != NULL && rows[i].wrong[0] != '\0') {
            assert_string_equal(rows[i].sets[at].id, rows[i].wrong);
        }
    }
}

static void one_set_is_in_force(void **state)
{
    (void)state;
    const struct rule_set sets[] = {dated("B", 20260701, 20261231), dated("A", 20260101, 20260630)};
    static const struct {
        int32_t date;
        const char *id;
    } rows[] = {
        {20251231, NULL}, {20260101, "A"}, {20260630, "A"}, {20260701, "B"}, {20261231, "B"}, {20270101, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rule_set *found = rules_in_force(sets, 2, rows[i].date);
        assert_int_equal(found != NULL, rows[i].id != NULL);
        if (found != NULL) {
            assert_string_equal(found->id, rows[i].id);
        }
    }
    assert_int_equal(rules_last_day(sets, 2, 0), 20261231);
    assert_int_equal(rules_last_day(sets, 2, 1), 20260630);
    const struct rule_set open_ended[] = {dated("A", 20260101, 0), dated("B", 20260701, 0)};
    assert_int_equal(rules_last_day(open_ended, 2, 0), 20260630); /* the next one's eve */
    assert_int_equal(rules_last_day(open_ended, 2, 1), 0);
    assert_string_equal(rules_in_force(open_ended, 2, 20260630)->id, "A");
    assert_string_equal(rules_in_force(open_ended, 2, 20260701)->id, "B");
    assert_ptr_equal(rules_find(sets, 2, "A"), &sets[1]);
    assert_null(rules_find(sets, 2, "C"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_follow_each_other),
        cmocka_unit_test(one_set_is_in_force),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
