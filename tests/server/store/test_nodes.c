/* Who asks for whom, of several nodes; and in which order streams were opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/nodes.h"
#include "server/store/sessions.h"
#include "tests/support/store_fixture.h"

enum { NOW_MS = 1000000 };

static int set_up(void **state)
{
    struct store_fixture *fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    store_fixture_free(*state);
    return 0;
}

static void claims_count_while_their_node_is_seen(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    const char *id = fixture_application_id(1);
    static const struct {
        const char *name, *claims, *releases, *asks;
        int64_t seen_ms;
        bool elsewhere;
    } rows[] = {
        {"nobody claimed it", NULL, NULL, "me", NOW_MS, false},
        {"I do", "me", NULL, "me", NOW_MS, false},
        {"another does", "you", NULL, "me", NOW_MS, true},
        {"it asks itself", NULL, NULL, "you", NOW_MS, false},
        {"what is another's I do not release", NULL, "me", "me", NOW_MS, true},
        {"seen just long enough ago", NULL, NULL, "me", NOW_MS - NODES_SILENCE_MS + 1, true},
        {"silent for too long", NULL, NULL, "me", NOW_MS - NODES_SILENCE_MS, false},
        {"released", NULL, "you", "me", NOW_MS, false},
        {"claimed, and then its node goes", "you", NULL, "me", NOW_MS, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool elsewhere = !rows[i].elsewhere;
        assert_int_equal(nodes_seen(tx, "you", rows[i].seen_ms).reason, CL_OK);
        if (rows[i].claims != NULL) {
            assert_int_equal(nodes_claim(tx, rows[i].claims, id).reason, CL_OK);
        }
        if (rows[i].releases != NULL) {
            assert_int_equal(nodes_release(tx, rows[i].releases, id).reason, CL_OK);
        }
        assert_int_equal(nodes_elsewhere(&elsewhere, store_tx_sql(tx), rows[i].asks, id, NOW_MS).reason, CL_OK);
        if (elsewhere != rows[i].elsewhere) {
            fail_msg("%s", rows[i].name);
        }
    }
    bool elsewhere = true;
    assert_int_equal(nodes_gone(tx, "you").reason, CL_OK);
    assert_int_equal(nodes_elsewhere(&elsewhere, store_tx_sql(tx), "me", id, NOW_MS).reason, CL_OK);
    assert_false(elsewhere);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void streams_are_numbered_for_each_recipient(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    static const struct {
        const char *recipient;
        uint64_t number;
    } rows[] = {{"bank:a", 1}, {"bank:a", 2}, {"bank:b", 1}, {"bank:a", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t number = 0;
        assert_int_equal(sessions_open(&number, tx, rows[i].recipient).reason, CL_OK);
        assert_int_equal(number, rows[i].number);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(claims_count_while_their_node_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_are_numbered_for_each_recipient, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
