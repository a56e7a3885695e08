#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/offers.h"
#include "tests/support/store_fixture.h"

static int set_up(void **state)
{
    struct store_fixture *fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    for (unsigned i = 10; i < 20; i++) {
        struct message_row message = fixture_message(i);
        assert_int_equal(messages_add(tx, &message).reason, CL_OK);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    store_fixture_free(*state);
    return 0;
}

static struct offer_row offer(uint32_t version)
{
    return (struct offer_row){
        .application_id = fixture_application_id(1),
        .version = version,
        .bank_epoch = 3,
        .terms = cl_bytes("ter\0ms", 6),
        .terms_digest = fixture_digest(77),
        .valid_until_ms = 5000,
        .fund_event = fixture_digest(10),
        .made_ms = 4000,
    };
}

static void versions_follow_each_other(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name;
        uint32_t version;
        unsigned event;
        enum cl_reason expected;
    } rows[] = {
        {"zero", 0, 10, CL_STATE_CONFLICT},
        {"second first", 2, 10, CL_STATE_CONFLICT},
        {"event not logged", 1, 99, CL_INTERNAL},
        {"first", 1, 10, CL_OK},
        {"first again", 1, 10, CL_STATE_CONFLICT},
        {"skipped", 3, 10, CL_STATE_CONFLICT},
        {"second", 2, 11, CL_OK},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct offer_row row = offer(rows[i].version);
        row.fund_event = fixture_digest(rows[i].event);
        struct cl_status status = offers_insert(tx, &row);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void an_offer_reads_back_and_is_decided_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    struct offer_row row = offer(1);
    struct offer_row read;
    bool found = true;
    assert_int_equal(offers_get(&found, &read, sql, arena, row.application_id, 1).reason, CL_OK);
    assert_false(found);
    assert_int_equal(offers_insert(tx, &row).reason, CL_OK);
    assert_int_equal(offers_get(&found, &read, sql, arena, row.application_id, 1).reason, CL_OK);
    assert_true(found);
    assert_string_equal(read.application_id, row.application_id);
    assert_int_equal(read.version, 1);
    assert_int_equal(read.bank_epoch, 3);
    assert_true(cl_bytes_equal(read.terms, row.terms));
    assert_true(cl_digest_equal(&read.terms_digest, &row.terms_digest));
    assert_int_equal(read.valid_until_ms, 5000);
    assert_true(cl_digest_equal(&read.fund_event, &row.fund_event));
    assert_false(read.has_bank_decision);
    assert_int_equal(read.made_ms, 4000);

    struct cl_digest decision = fixture_digest(12);
    struct cl_digest other = fixture_digest(13);
    struct cl_digest unknown = fixture_digest(99);
    assert_int_equal(offers_set_bank_decision(tx, row.application_id, 2, &decision).reason, CL_STATE_CONFLICT);
    assert_int_equal(offers_set_bank_decision(tx, row.application_id, 1, &unknown).reason, CL_INTERNAL);
    assert_int_equal(offers_set_bank_decision(tx, row.application_id, 1, &decision).reason, CL_OK);
    assert_int_equal(offers_set_bank_decision(tx, row.application_id, 1, &other).reason, CL_STATE_CONFLICT);
    assert_int_equal(offers_get(&found, &read, sql, arena, row.application_id, 1).reason, CL_OK);
    assert_true(read.has_bank_decision);
    assert_true(cl_digest_equal(&read.bank_decision, &decision));
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void terms_never_change(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const refused[] = {
        "DELETE FROM offers",
        "UPDATE offers SET terms = terms_digest",
        "UPDATE offers SET valid_until_ms = 1",
        "UPDATE offers SET bank_decision = NULL",
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    struct offer_row row = offer(1);
    row.has_bank_decision = true;
    row.bank_decision = fixture_digest(12);
    assert_int_equal(offers_insert(tx, &row).reason, CL_OK);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(sql_script(store_tx_sql(tx), refused[i]).reason, CL_STATE_CONFLICT);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(versions_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_offer_reads_back_and_is_decided_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(terms_never_change, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
