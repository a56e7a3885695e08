#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/documents.h"
#include "tests/support/store_fixture.h"

#define SENDER "bank:cn-alpha-js"

static struct cl_arena *arena;

static int set_up(void **state)
{
    struct store_fixture *fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    fixture_add_application(tx, 2);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    arena = store_fixture_arena(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    store_fixture_free(*state);
    return 0;
}

static struct document_row document(unsigned application, unsigned digest, int64_t size)
{
    return (struct document_row){
        .application_id = fixture_application_id(application),
        .sha256 = fixture_digest(digest),
        .size_bytes = size,
        .sender = SENDER,
        .changed_ms = 1000,
    };
}

static struct document_piece piece(int64_t number, int64_t offset, int64_t length)
{
    return (struct document_piece){
        .number = number,
        .attempt = 1,
        .offset = offset,
        .length = length,
        .sealed = cl_bytes("sealed\0bytes", 12),
        .hash = cl_bytes("hash\0state", 10),
        .at_ms = 2000,
    };
}

static int64_t begin(struct store_tx *tx, unsigned digest, int64_t size)
{
    int64_t number = 0;
    struct document_row row = document(1, digest, size);
    assert_int_equal(documents_begin(&number, tx, &row).reason, CL_OK);
    return number;
}

static struct document_row get(struct store_tx *tx, unsigned digest)
{
    bool found = false;
    struct document_row row;
    struct cl_digest sha256 = fixture_digest(digest);
    assert_int_equal(documents_get(&found, &row, store_tx_sql(tx), arena, fixture_application_id(1), &sha256).reason,
                     CL_OK);
    assert_true(found);
    return row;
}

/* -- Tests --------------------------------------------------------------------------------------------------- */

static void a_document_is_begun_once(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name;
        unsigned application, digest;
        int64_t size;
        enum cl_reason expected;
    } rows[] = {
        {"first", 1, 50, 10, CL_OK},
        {"again", 1, 50, 10, CL_STATE_CONFLICT},
        {"another digest", 1, 51, 10, CL_OK},
        {"in another application", 2, 50, 10, CL_OK},
        {"of no application", 9, 50, 10, CL_INTERNAL},
        {"empty", 1, 52, 0, CL_INTERNAL},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t number = 0;
        struct document_row row = document(rows[i].application, rows[i].digest, rows[i].size);
        struct cl_status status = documents_begin(&number, tx, &row);
        if (status.reason != rows[i].expected || (number > 0) != cl_is_ok(status)) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void pieces_follow_each_other(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name;
        uint32_t attempt;
        int64_t offset, length;
        enum cl_reason expected;
    } rows[] = {
        {"past the start", 1, 4, 4, CL_STATE_CONFLICT},
        {"another attempt", 2, 0, 4, CL_STATE_CONFLICT},
        {"longer than the document", 1, 0, 11, CL_STATE_CONFLICT},
        {"first", 1, 0, 4, CL_OK},
        {"first again", 1, 0, 4, CL_STATE_CONFLICT},
        {"a gap", 1, 8, 2, CL_STATE_CONFLICT},
        {"second", 1, 4, 4, CL_OK},
        {"past the end", 1, 8, 3, CL_STATE_CONFLICT},
        {"last", 1, 8, 2, CL_OK},
        {"more", 1, 10, 1, CL_STATE_CONFLICT},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    int64_t number = begin(tx, 50, 10);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct document_piece added = piece(number, rows[i].offset, rows[i].length);
        added.attempt = rows[i].attempt;
        struct cl_status status = documents_append(tx, &added);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    struct document_row row = get(tx, 50);
    assert_int_equal(row.number, number);
    assert_string_equal(row.application_id, fixture_application_id(1));
    assert_int_equal(row.size_bytes, 10);
    assert_int_equal(row.received_bytes, 10);
    assert_int_equal(row.attempt, 1);
    assert_true(cl_bytes_equal(row.hash, cl_bytes("hash\0state", 10)));
    assert_string_equal(row.sender, SENDER);
    assert_int_equal(row.changed_ms, 2000);
    assert_false(row.complete);

    static const int64_t offsets[] = {0, 4, 8, 2, 10};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        bool found = false;
        struct cl_bytes sealed;
        assert_int_equal(documents_read(&found, &sealed, store_tx_sql(tx), arena, number, offsets[i]).reason, CL_OK);
        assert_int_equal(found, i < 3);
        assert_true(!found || cl_bytes_equal(sealed, cl_bytes("sealed\0bytes", 12)));
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_complete_document_stays(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const texts[] = {
        "DELETE FROM documents",
        "DELETE FROM document_pieces",
        "UPDATE documents SET complete = 0",
        "UPDATE documents SET sha256 = hash",
        "UPDATE document_pieces SET sealed = sealed",
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    int64_t number = begin(tx, 50, 4);
    assert_int_equal(documents_complete(tx, number, 3000).reason, CL_STATE_CONFLICT); /* not all here */
    struct document_piece whole = piece(number, 0, 4);
    assert_int_equal(documents_append(tx, &whole).reason, CL_OK);
    assert_int_equal(documents_complete(tx, number + 1, 3000).reason, CL_STATE_CONFLICT);
    assert_int_equal(documents_complete(tx, number, 3000).reason, CL_OK);
    assert_int_equal(documents_complete(tx, number, 3000).reason, CL_STATE_CONFLICT);
    assert_int_equal(documents_drop(tx, number, 3000).reason, CL_STATE_CONFLICT);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (sql_script(store_tx_sql(tx), texts[i]).reason != CL_STATE_CONFLICT) {
            fail_msg("%s", texts[i]);
        }
    }
    struct document_row row = get(tx, 50);
    assert_true(row.complete);
    assert_int_equal(row.hash.len, 0);
    assert_int_equal(row.changed_ms, 3000);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_dropped_document_begins_anew(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    int64_t number = begin(tx, 50, 8);
    struct document_piece first = piece(number, 0, 4);
    assert_int_equal(documents_append(tx, &first).reason, CL_OK);
    assert_int_equal(documents_drop(tx, number, 3000).reason, CL_OK);
    struct document_row row = get(tx, 50);
    assert_int_equal(row.received_bytes, 0);
    assert_int_equal(row.attempt, 2);
    assert_int_equal(row.hash.len, 0);
    bool found = true;
    struct cl_bytes sealed;
    assert_int_equal(documents_read(&found, &sealed, store_tx_sql(tx), arena, number, 0).reason, CL_OK);
    assert_false(found);
    assert_int_equal(documents_append(tx, &first).reason, CL_STATE_CONFLICT); /* whoever held the first attempt */
    first.attempt = 2;
    assert_int_equal(documents_append(tx, &first).reason, CL_OK);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void what_is_unfinished_is_counted(void **state)
{
    struct store_fixture *fixture = *state;
    struct documents_unfinished unfinished;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(documents_unfinished(&unfinished, sql, SENDER).reason, CL_OK);
    assert_int_equal(unfinished.count, 0);
    assert_int_equal(unfinished.idlest, 0);
    int64_t numbers[4];
    for (unsigned i = 0; i < 4; i++) {
        numbers[i] = begin(tx, 60 + i, 100 + i);
        struct document_piece first = piece(numbers[i], 0, i == 3 ? 103 : 10);
        first.at_ms = i == 2 ? 500 : 5000 + (int64_t)i;
        assert_int_equal(documents_append(tx, &first).reason, CL_OK);
    }
    (void)begin(tx, 70, 900); /* nothing is here of it */
    assert_int_equal(documents_complete(tx, numbers[3], 6000).reason, CL_OK);
    assert_int_equal(documents_unfinished(&unfinished, sql, SENDER).reason, CL_OK);
    assert_int_equal(unfinished.count, 3);
    assert_int_equal(unfinished.size_bytes, 100 + 101 + 102);
    assert_int_equal(unfinished.idlest, numbers[2]);
    assert_int_equal(unfinished.idle_since_ms, 500);
    assert_int_equal(documents_unfinished(&unfinished, sql, "bank:cn-beta-js").reason, CL_OK);
    assert_int_equal(unfinished.count, 0);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_document_is_begun_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pieces_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_complete_document_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dropped_document_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_unfinished_is_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
