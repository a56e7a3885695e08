#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "server/store/tasks.h"
#include "tests/support/store_fixture.h"

enum { KIND_ITEM = 1, KIND_CHECK = 3, NOW_MS = 1000000 };

static const char FIRST_OFFICER[] = "officer:first", SECOND_OFFICER[] = "officer:second";

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

static const char *task_id(unsigned number)
{
    static char texts[100][37];
    (void)snprintf(texts[number], sizeof texts[number], "01890a5d-ac96-774b-bcce-b3020000%04u", number);
    return texts[number];
}

static struct task_row task(unsigned number, unsigned application, int kind, int item, int64_t deadline_ms)
{
    return (struct task_row){
        .id = task_id(number),
        .application_id = fixture_application_id(application),
        .kind = kind,
        .item = item,
        .person = 1,
        .reason = "SYS-SOURCE",
        .authority = "supervision-platform",
        .detail = "",
        .failure = 10,
        .opened_ms = NOW_MS,
        .deadline_ms = deadline_ms,
    };
}

static bool open_it(struct store_tx *tx, const struct task_row *row)
{
    bool opened = false;
    assert_int_equal(tasks_open(&opened, tx, row).reason, CL_OK);
    return opened;
}

static bool claim(struct store_tx *tx, unsigned number, const char *officer, int64_t now_ms)
{
    bool claimed = false;
    struct task_claim what = {.id = task_id(number), .officer = officer, .now_ms = now_ms, .until_ms = now_ms + 1000};
    assert_int_equal(tasks_claim(&claimed, tx, &what).reason, CL_OK);
    return claimed;
}

static bool release(struct store_tx *tx, unsigned number, const char *officer, int64_t now_ms)
{
    bool released = false;
    struct task_claim what = {.id = task_id(number), .officer = officer, .now_ms = now_ms};
    assert_int_equal(tasks_release(&released, tx, &what).reason, CL_OK);
    return released;
}

static struct task_row get(struct store_fixture *fixture, struct store_tx *tx, unsigned number)
{
    struct task_row row = {.id = NULL};
    bool found = false;
    assert_int_equal(tasks_get(&found, &row, store_tx_sql(tx), store_fixture_arena(fixture), task_id(number)).reason,
                     CL_OK);
    assert_true(found);
    return row;
}

static void a_thing_has_one_open_task(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    fixture_add_application(tx, 2);
    struct task_row rows[] = {task(1, 1, KIND_ITEM, 6, 50), task(2, 1, KIND_ITEM, 6, 50), task(3, 1, KIND_ITEM, 7, 50),
                              task(4, 1, KIND_CHECK, 6, 50), task(5, 2, KIND_ITEM, 6, 50)};
    static const bool opens[] = {true, false, true, true, true};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(open_it(tx, &rows[i]), opens[i]);
    }
    assert_int_equal(tasks_end(tx, task_id(1), TASK_SETTLED, FIRST_OFFICER, NOW_MS + 5).reason, CL_OK);
    assert_true(open_it(tx, &rows[1])); /* ended, so it may come up again */
    struct task_row ended = get(fixture, tx, 1);
    assert_int_equal(ended.ending, TASK_SETTLED);
    assert_int_equal(ended.ended_ms, NOW_MS + 5);
    assert_string_equal(ended.ended_by, FIRST_OFFICER);
    assert_int_equal(tasks_end(tx, task_id(1), TASK_OVERTAKEN, SECOND_OFFICER, NOW_MS + 9).reason, CL_OK);
    assert_string_equal(get(fixture, tx, 1).ended_by, FIRST_OFFICER);
    struct task_rows open;
    assert_int_equal(
        tasks_open_of(&open, store_tx_sql(tx), store_fixture_arena(fixture), fixture_application_id(1)).reason, CL_OK);
    assert_int_equal(open.count, 3);
    int64_t counts[TASK_KINDS];
    assert_int_equal(tasks_count(counts, store_tx_sql(tx)).reason, CL_OK);
    assert_int_equal(counts[KIND_ITEM], 3);
    assert_int_equal(counts[KIND_CHECK], 1);
    struct task_row unknown = task(9, 9, KIND_ITEM, 6, 50);
    bool opened = false;
    assert_int_equal(tasks_open(&opened, tx, &unknown).reason, CL_INTERNAL);
    unknown = task(9, 1, TASK_KINDS, 6, 50);
    assert_int_equal(tasks_open(&opened, tx, &unknown).reason, CL_INTERNAL);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_claim_is_one_officers_for_a_while(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    struct task_row row = task(1, 1, KIND_ITEM, 6, 50);
    assert_true(open_it(tx, &row));
    assert_null(get(fixture, tx, 1).claimed_by);
    assert_false(release(tx, 1, FIRST_OFFICER, NOW_MS));
    assert_true(claim(tx, 1, FIRST_OFFICER, NOW_MS));
    assert_false(claim(tx, 1, SECOND_OFFICER, NOW_MS + 999));
    assert_true(claim(tx, 1, FIRST_OFFICER, NOW_MS + 500)); /* the holder, anew */
    assert_false(claim(tx, 1, SECOND_OFFICER, NOW_MS + 1499));
    assert_false(release(tx, 1, SECOND_OFFICER, NOW_MS + 1499));
    assert_false(release(tx, 1, FIRST_OFFICER, NOW_MS + 1500)); /* it has ended by itself */
    assert_true(claim(tx, 1, SECOND_OFFICER, NOW_MS + 1500));
    struct task_row held = get(fixture, tx, 1);
    assert_string_equal(held.claimed_by, SECOND_OFFICER);
    assert_int_equal(held.claimed_ms, NOW_MS + 1500);
    assert_int_equal(held.claimed_until_ms, NOW_MS + 2500);
    assert_true(release(tx, 1, SECOND_OFFICER, NOW_MS + 1600));
    assert_null(get(fixture, tx, 1).claimed_by);
    assert_int_equal(tasks_end(tx, task_id(1), TASK_OVERTAKEN, SECOND_OFFICER, NOW_MS).reason, CL_OK);
    assert_false(claim(tx, 1, FIRST_OFFICER, NOW_MS + 3000));
    assert_false(claim(tx, 7, FIRST_OFFICER, NOW_MS + 3000)); /* there is no such task */
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void assert_lists(struct store_fixture *fixture, struct store_tx *tx, const struct task_filter *filter,
                         const unsigned *numbers, size_t count)
{
    struct task_rows rows;
    assert_int_equal(tasks_list(&rows, store_tx_sql(tx), store_fixture_arena(fixture), filter).reason, CL_OK);
    assert_int_equal(rows.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(rows.rows[i].id, task_id(numbers[i]));
    }
}

static void the_most_urgent_come_first(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    fixture_add_application(tx, 2);
    struct task_row rows[] = {task(1, 1, KIND_ITEM, 6, 70), task(2, 1, KIND_ITEM, 7, 50), task(3, 2, KIND_ITEM, 6, 60),
                              task(4, 2, KIND_CHECK, 6, 50)};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(open_it(tx, &rows[i]));
    }
    assert_true(claim(tx, 3, FIRST_OFFICER, NOW_MS));
    assert_true(claim(tx, 1, SECOND_OFFICER, NOW_MS));
    struct task_filter filter = {.now_ms = NOW_MS, .limit = 10};
    assert_lists(fixture, tx, &filter, (const unsigned[]){2, 4, 3, 1}, 4);
    filter.limit = 2;
    assert_lists(fixture, tx, &filter, (const unsigned[]){2, 4}, 2);
    filter.after_deadline_ms = 50;
    filter.after_id = task_id(4);
    assert_lists(fixture, tx, &filter, (const unsigned[]){3, 1}, 2);
    filter = (struct task_filter){.now_ms = NOW_MS, .limit = 10, .unclaimed = true};
    assert_lists(fixture, tx, &filter, (const unsigned[]){2, 4}, 2);
    filter.now_ms = NOW_MS + 1000; /* the claims have ended */
    assert_lists(fixture, tx, &filter, (const unsigned[]){2, 4, 3, 1}, 4);
    filter = (struct task_filter){.now_ms = NOW_MS, .limit = 10, .claimed_by = FIRST_OFFICER};
    assert_lists(fixture, tx, &filter, (const unsigned[]){3}, 1);
    filter.kind = KIND_CHECK;
    assert_lists(fixture, tx, &filter, NULL, 0);
    filter = (struct task_filter){.now_ms = NOW_MS + 1000, .limit = 10, .claimed_by = FIRST_OFFICER};
    assert_lists(fixture, tx, &filter, NULL, 0);
    filter = (struct task_filter){.now_ms = NOW_MS, .limit = 10, .kind = KIND_ITEM};
    assert_lists(fixture, tx, &filter, (const unsigned[]){2, 3, 1}, 3);
    assert_int_equal(tasks_end(tx, task_id(2), TASK_SETTLED, FIRST_OFFICER, NOW_MS).reason, CL_OK);
    assert_lists(fixture, tx, &filter, (const unsigned[]){3, 1}, 2);
    filter = (struct task_filter){.now_ms = NOW_MS, .limit = 10, .application_id = fixture_application_id(1)};
    assert_lists(fixture, tx, &filter, (const unsigned[]){2, 1}, 2); /* ended ones among them */
    filter.claimed_by = SECOND_OFFICER;
    assert_lists(fixture, tx, &filter, (const unsigned[]){1}, 1);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void the_database_keeps_what_a_task_is_about(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    struct task_row row = task(1, 1, KIND_ITEM, 6, 50);
    assert_true(open_it(tx, &row));
    static const char deletes[] = "DELETE FROM tasks";
    static const char changes[] = "UPDATE tasks SET reason = ''";
    static const char reopens[] = "UPDATE tasks SET ending = 0, ended_by = NULL";
    static const char unsigned_end[] = "UPDATE tasks SET ending = 1";
    assert_int_equal(sql_script(store_tx_sql(tx), deletes).reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(store_tx_sql(tx), changes).reason, CL_STATE_CONFLICT);
    assert_false(cl_is_ok(sql_script(store_tx_sql(tx), unsigned_end)));
    assert_int_equal(tasks_end(tx, task_id(1), TASK_SETTLED, FIRST_OFFICER, NOW_MS).reason, CL_OK);
    assert_int_equal(sql_script(store_tx_sql(tx), reopens).reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thing_has_one_open_task, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_claim_is_one_officers_for_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_most_urgent_come_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_database_keeps_what_a_task_is_about, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
