/* Rotations and the server's own directories: kept as added, listed by party and time, never changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/store/rotations.h"
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

static uint8_t keys[8][32];

static struct cl_status add(struct store_tx *tx, unsigned number, const char *party, uint8_t key)
{
    struct message_row message = fixture_message(number);
    memset(keys[number], key, sizeof keys[number]);
    struct rotation_row row = {
        .message = message.digest, .party = party, .public_key = cl_bytes(keys[number], 32), .at_ms = 1000 + number};
    assert_int_equal(messages_add(tx, &message).reason, CL_OK);
    return rotations_add(tx, &row);
}

static void rotations_are_listed_by_party_and_time(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    struct rotation_rows rows;
    assert_int_equal(rotations_list(&rows, sql, arena, NULL, 0).reason, CL_OK);
    assert_int_equal(rows.count, 0);
    assert_int_equal(add(tx, 1, "bank:cn-a", 1).reason, CL_OK);
    assert_int_equal(add(tx, 2, "bank:cn-b", 2).reason, CL_OK);
    assert_int_equal(add(tx, 3, "bank:cn-a", 3).reason, CL_OK);
    assert_int_equal(add(tx, 4, "bank:cn-c", 1).reason, CL_STATE_CONFLICT); /* the key of another */
    static const struct {
        const char *party;
        int64_t since_ms;
        size_t count;
        int64_t first_ms;
    } looks[] = {
        {NULL, 0, 3, 1001},        {NULL, 1002, 2, 1002},        {NULL, 1004, 0, 0},
        {"bank:cn-a", 0, 2, 1001}, {"bank:cn-a", 1002, 1, 1003}, {"bank:cn-c", 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        assert_int_equal(rotations_list(&rows, sql, arena, looks[i].party, looks[i].since_ms).reason, CL_OK);
        assert_int_equal(rows.count, looks[i].count);
        if (rows.count > 0) {
            struct message_row message = fixture_message((unsigned)(looks[i].first_ms - 1000));
            assert_int_equal(rows.rows[0].at_ms, looks[i].first_ms);
            assert_true(cl_bytes_equal(rows.rows[0].envelope, message.envelope));
            assert_true(cl_digest_equal(&rows.rows[0].message, &message.digest));
        }
    }
    assert_int_equal(sql_script(sql, "UPDATE key_rotations SET at_ms = 2").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "DELETE FROM key_rotations").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void the_newest_directory_is_found(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    struct directory_row row = {.number = 3, .issued_ms = 30, .envelope = cl_bytes_text("three")};
    struct directory_row newest = {.number = 0};
    bool found = true;
    assert_int_equal(directories_newest(&found, &newest, sql, arena).reason, CL_OK);
    assert_false(found);
    assert_int_equal(directories_add(tx, &row).reason, CL_OK);
    assert_int_equal(directories_add(tx, &row).reason, CL_STATE_CONFLICT);
    row = (struct directory_row){.number = 2, .issued_ms = 40, .envelope = cl_bytes_text("two")};
    assert_int_equal(directories_add(tx, &row).reason, CL_OK);
    assert_int_equal(directories_newest(&found, &newest, sql, arena).reason, CL_OK);
    assert_true(found);
    assert_int_equal(newest.number, 3);
    assert_int_equal(newest.issued_ms, 30);
    assert_true(cl_bytes_equal(newest.envelope, cl_bytes_text("three")));
    assert_int_equal(sql_script(sql, "UPDATE directories SET envelope = envelope").reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(sql, "DELETE FROM directories").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rotations_are_listed_by_party_and_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newest_directory_is_found, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
