#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/store/messages.h"
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

static void a_message_reads_back_after_a_restart(void **state)
{
    struct store_fixture *fixture = *state;
    struct message_row row = fixture_message(1);
    row.application_id = fixture_application_id(1);
    row.way = MESSAGE_SENT;
    row.direction = 4;
    struct store_tx *tx = store_fixture_begin(fixture);
    assert_int_equal(messages_add(tx, &row).reason, CL_OK);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);

    store_fixture_reopen(fixture);
    struct sql *sql = NULL;
    struct message_row read;
    bool found = false;
    assert_int_equal(store_reader_open(&sql, store_fixture_store(fixture)).reason, CL_OK);
    assert_int_equal(messages_get(&found, &read, sql, store_fixture_arena(fixture), &row.digest).reason, CL_OK);
    assert_true(found);
    assert_true(cl_digest_equal(&read.digest, &row.digest));
    assert_int_equal(read.way, MESSAGE_SENT);
    assert_string_equal(read.sender, row.sender);
    assert_string_equal(read.recipient, row.recipient);
    assert_memory_equal(read.message_id, row.message_id, sizeof row.message_id);
    assert_int_equal(read.direction, 4);
    assert_string_equal(read.method, row.method);
    assert_string_equal(read.application_id, row.application_id);
    assert_int_equal(read.at_ms, row.at_ms);
    assert_true(cl_bytes_equal(read.envelope, row.envelope));
    assert_false(read.has_reply);

    struct cl_digest other = fixture_digest(2);
    assert_int_equal(messages_get(&found, &read, sql, store_fixture_arena(fixture), &other).reason, CL_OK);
    assert_false(found);
    sql_close(sql);
}

/* Covers: COL-DUP-003 */
static void an_id_is_used_once_by_each_sender(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name;
        unsigned digest, id;
        const char *sender;
        enum cl_reason expected;
    } rows[] = {
        {"first", 1, 1, "bank:a", CL_OK},
        {"same message", 1, 1, "bank:a", CL_MESSAGE_ID_REUSED},
        {"same id, other bytes", 2, 1, "bank:a", CL_MESSAGE_ID_REUSED},
        {"same bytes, other id", 1, 2, "bank:a", CL_MESSAGE_ID_REUSED},
        {"same id, other sender", 3, 1, "bank:b", CL_OK},
        {"other id", 4, 2, "bank:a", CL_OK},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message_row row = fixture_message(rows[i].id);
        row.digest = fixture_digest(rows[i].digest);
        row.sender = rows[i].sender;
        struct cl_status status = messages_add(tx, &row);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* Covers: COL-DUP-002 */
static void a_retry_finds_the_reply_byte_for_byte(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct message_row request = fixture_message(1);
    struct message_row reply = fixture_message(2);
    reply.way = MESSAGE_SENT;
    reply.sender = "fund:cn-test-nj";
    reply.envelope = cl_bytes("\0\xff reply", 8);
    struct message_duplicate duplicate = {.found = true};

    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(messages_find_duplicate(&duplicate, sql, arena, request.sender, request.message_id).reason, CL_OK);
    assert_false(duplicate.found);

    assert_int_equal(messages_add(tx, &request).reason, CL_OK);
    assert_int_equal(messages_find_duplicate(&duplicate, sql, arena, request.sender, request.message_id).reason, CL_OK);
    assert_true(duplicate.found);
    assert_false(duplicate.has_reply);
    assert_true(cl_digest_equal(&duplicate.digest, &request.digest));

    assert_int_equal(messages_add(tx, &reply).reason, CL_OK);
    assert_int_equal(messages_set_reply(tx, &request.digest, &reply.digest).reason, CL_OK);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);

    store_fixture_reopen(fixture);
    tx = store_fixture_begin(fixture);
    sql = store_tx_sql(tx);
    assert_int_equal(messages_find_duplicate(&duplicate, sql, arena, request.sender, request.message_id).reason, CL_OK);
    assert_true(duplicate.found && duplicate.has_reply);
    assert_true(cl_bytes_equal(duplicate.reply, reply.envelope));
    assert_int_equal(messages_find_duplicate(&duplicate, sql, arena, "bank:other", request.message_id).reason, CL_OK);
    assert_false(duplicate.found);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_reply_is_set_once_and_between_known_messages(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name;
        unsigned request, reply;
        enum cl_reason expected;
    } rows[] = {
        {"unknown reply", 1, 9, CL_INTERNAL},    {"unknown request", 9, 2, CL_INTERNAL}, {"known", 1, 2, CL_OK},
        {"same again", 1, 2, CL_STATE_CONFLICT}, {"another", 1, 3, CL_STATE_CONFLICT},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    for (unsigned i = 1; i <= 3; i++) {
        struct message_row row = fixture_message(i);
        assert_int_equal(messages_add(tx, &row).reason, CL_OK);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_digest request = fixture_digest(rows[i].request);
        struct cl_digest reply = fixture_digest(rows[i].reply);
        struct cl_status status = messages_set_reply(tx, &request, &reply);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void what_was_logged_never_changes(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const refused[] = {
        "DELETE FROM messages",
        "UPDATE messages SET envelope = digest",
        "UPDATE messages SET digest = message_id",
        "UPDATE messages SET sender = 'bank:b'",
        "UPDATE messages SET at_ms = 0",
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    struct message_row row = fixture_message(1);
    assert_int_equal(messages_add(tx, &row).reason, CL_OK);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(sql_script(store_tx_sql(tx), refused[i]).reason, CL_STATE_CONFLICT);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_small_arena_is_told(void **state)
{
    struct store_fixture *fixture = *state;
    static const uint8_t large[100000] = {1};
    struct cl_arena *small = NULL;
    struct message_row row = fixture_message(1);
    row.envelope = cl_bytes(large, sizeof large);
    row.has_reply = false;
    assert_int_equal(cl_arena_create(&small, 1024).reason, CL_OK);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct message_row read = {.at_ms = 7};
    bool found = false;
    assert_int_equal(messages_add(tx, &row).reason, CL_OK);
    assert_int_equal(messages_get(&found, &read, store_tx_sql(tx), small, &row.digest).reason, CL_MEMORY_LIMIT);
    assert_int_equal(read.at_ms, 7);
    assert_false(found);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    cl_arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_reads_back_after_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_is_used_once_by_each_sender, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_retry_finds_the_reply_byte_for_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reply_is_set_once_and_between_known_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_logged_never_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_small_arena_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
