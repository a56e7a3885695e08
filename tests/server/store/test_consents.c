#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "server/store/consents.h"
#include "tests/support/store_fixture.h"

static int set_up(void **state)
{
    struct store_fixture *fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    fixture_add_application(tx, 2);
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

static struct consent_row consent(unsigned application, const char *id)
{
    return (struct consent_row){
        .application_id = fixture_application_id(application),
        .consent_id = id,
        .person = 1,
        .purpose = 3,
        .receiver = "bank:cn-alpha-js",
        .until_ms = 9000,
        .document = fixture_digest(70),
        .subject = fixture_digest(71),
        .given_ms = 4000,
        .given_by = fixture_digest(10),
    };
}

/* -- Consents ------------------------------------------------------------------------------------------------ */

static void a_consent_is_given_once(void **state)
{
    struct store_fixture *fixture = *state;
    static const struct {
        const char *name, *id;
        unsigned application, message;
        enum cl_reason expected;
    } rows[] = {
        {"first", "c-1", 1, 10, CL_OK},
        {"same id", "c-1", 1, 11, CL_STATE_CONFLICT},
        {"other id", "c-2", 1, 10, CL_OK},
        {"same id of another application", "c-1", 2, 10, CL_OK},
        {"unknown application", "c-3", 9, 10, CL_INTERNAL},
        {"by a message that is not in the log", "c-3", 1, 99, CL_INTERNAL},
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct consent_row row = consent(rows[i].application, rows[i].id);
        row.given_by = fixture_digest(rows[i].message);
        struct cl_status status = consents_add(tx, &row);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_consent_reads_back_and_is_withdrawn_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct consent_row given = consent(1, "c-2");
    assert_int_equal(consents_add(tx, &given).reason, CL_OK);
    given = consent(1, "c-1");
    given.person = 3;
    assert_int_equal(consents_add(tx, &given).reason, CL_OK);

    struct cl_digest by = fixture_digest(12);
    const char *id = fixture_application_id(1);
    assert_int_equal(consents_withdraw(tx, id, "c-3", 7000, &by).reason, CL_STATE_CONFLICT);
    assert_int_equal(consents_withdraw(tx, fixture_application_id(2), "c-1", 7000, &by).reason, CL_STATE_CONFLICT);
    struct cl_digest unknown = fixture_digest(99);
    assert_int_equal(consents_withdraw(tx, id, "c-1", 7000, &unknown).reason, CL_INTERNAL);
    assert_int_equal(consents_withdraw(tx, id, "c-1", 7000, &by).reason, CL_OK);
    assert_int_equal(consents_withdraw(tx, id, "c-1", 8000, &by).reason, CL_STATE_CONFLICT);

    struct consent_rows read;
    assert_int_equal(consents_list(&read, store_tx_sql(tx), arena, id).reason, CL_OK);
    assert_int_equal(read.count, 2);
    const struct consent_row *first = &read.rows[0];
    assert_string_equal(first->application_id, id);
    assert_string_equal(first->consent_id, "c-1");
    assert_int_equal(first->person, 3);
    assert_int_equal(first->purpose, 3);
    assert_string_equal(first->receiver, "bank:cn-alpha-js");
    assert_int_equal(first->until_ms, 9000);
    assert_int_equal(first->given_ms, 4000);
    assert_true(cl_digest_equal(&first->document, &given.document));
    assert_true(cl_digest_equal(&first->subject, &given.subject));
    assert_true(cl_digest_equal(&first->given_by, &given.given_by));
    assert_int_equal(first->withdrawn_ms, 7000);
    assert_true(cl_digest_equal(&first->withdrawn_by, &by));
    assert_string_equal(read.rows[1].consent_id, "c-2");
    assert_int_equal(read.rows[1].withdrawn_ms, 0);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void a_letter_is_judged_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    struct consent_row given = consent(1, "c-1");
    const char *id = fixture_application_id(1);
    struct consent_rows read;
    assert_int_equal(consents_add(tx, &given).reason, CL_OK);
    assert_int_equal(consents_list(&read, store_tx_sql(tx), store_fixture_arena(fixture), id).reason, CL_OK);
    assert_false(read.rows[0].letter_judged);
    assert_int_equal(consents_set_letter(tx, id, "c-2", 0).reason, CL_STATE_CONFLICT);
    assert_int_equal(consents_set_letter(tx, id, "c-1", 0).reason, CL_OK);
    assert_int_equal(consents_set_letter(tx, id, "c-1", 4025).reason, CL_STATE_CONFLICT);
    assert_int_equal(sql_script(store_tx_sql(tx), "UPDATE consents SET letter = 1").reason, CL_STATE_CONFLICT);
    assert_int_equal(consents_list(&read, store_tx_sql(tx), store_fixture_arena(fixture), id).reason, CL_OK);
    assert_true(read.rows[0].letter_judged);
    assert_int_equal(read.rows[0].letter, 0);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static struct cl_status run(struct store_tx *tx, const char *text)
{
    return sql_script(store_tx_sql(tx), text);
}

static void nothing_of_a_consent_changes(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const rows[] = {
        "DELETE FROM consents",
        "UPDATE consents SET until_ms = 99000",
        "UPDATE consents SET receiver = 'bank:cn-beta-js'",
        "UPDATE consents SET purpose = 1",
        "UPDATE consents SET person = 0",
        "UPDATE consents SET document = subject",
        "UPDATE consents SET withdrawn_ms = NULL, withdrawn_by = NULL",
        "UPDATE consents SET withdrawn_ms = 8000",
        "DELETE FROM disclosures",
        "UPDATE disclosures SET consents = 'c-2'",
    };
    struct store_tx *tx = store_fixture_begin(fixture);
    struct consent_row given = consent(1, "c-1");
    assert_int_equal(consents_add(tx, &given).reason, CL_OK);
    struct cl_digest by = fixture_digest(12);
    assert_int_equal(consents_withdraw(tx, fixture_application_id(1), "c-1", 7000, &by).reason, CL_OK);
    const char *const ids[] = {"c-1"};
    struct disclosure_row told = {.application_id = fixture_application_id(1),
                                  .message = fixture_digest(11),
                                  .recipient = "bank:cn-alpha-js",
                                  .consents = ids,
                                  .consent_count = 1,
                                  .at_ms = 5000};
    assert_int_equal(disclosures_add(tx, store_fixture_arena(fixture), &told).reason, CL_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_status status = run(tx, rows[i]);
        if (status.reason != CL_STATE_CONFLICT) {
            fail_msg("%s: %s", rows[i], cl_status_name(status));
        }
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

static void as_many_as_may_be_kept_are_read(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct consent_rows read;
    const char *id = fixture_application_id(1);
    for (unsigned i = 0; i <= CONSENTS_KEPT_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c-%04u", i);
        enum cl_reason expected = i == CONSENTS_KEPT_MAX ? CL_INTERNAL : CL_OK;
        struct consent_row row = consent(1, name);
        assert_int_equal(consents_add(tx, &row).reason, CL_OK);
        if (i % 64 == 0 || i + 1 >= CONSENTS_KEPT_MAX) {
            assert_int_equal(consents_list(&read, store_tx_sql(tx), arena, id).reason, expected);
            assert_true(expected != CL_OK || read.count == i + 1);
        }
    }
    assert_string_equal(read.rows[CONSENTS_KEPT_MAX - 1].consent_id, "c-0255");
    struct cl_arena *small = NULL;
    assert_int_equal(cl_arena_create(&small, 512).reason, CL_OK);
    assert_int_equal(consents_list(&read, store_tx_sql(tx), small, id).reason, CL_MEMORY_LIMIT);
    cl_arena_free(small);
    assert_int_equal(store_fixture_end(fixture, cl_fail(CL_INTERNAL)).reason, CL_INTERNAL);
}

/* -- Disclosures --------------------------------------------------------------------------------------------- */

static void a_message_names_its_consents_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct cl_arena *arena = store_fixture_arena(fixture);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct sql *sql = store_tx_sql(tx);
    static char ids[CL_CONSENTS_MAX][CL_TEXT_BYTES_MAX + 1];
    const char *list[CL_CONSENTS_MAX];
    for (size_t i = 0; i < CL_CONSENTS_MAX; i++) {
        memset(ids[i], 'a' + (int)(i % 26), i + 1);
        list[i] = ids[i];
    }
    struct disclosure_row told = {.application_id = fixture_application_id(1),
                                  .message = fixture_digest(11),
                                  .recipient = "bank:cn-beta-js",
                                  .consents = list,
                                  .consent_count = CL_CONSENTS_MAX,
                                  .at_ms = 5000};
    assert_int_equal(disclosures_add(tx, arena, &told).reason, CL_OK);
    assert_int_equal(disclosures_add(tx, arena, &told).reason, CL_STATE_CONFLICT);

    bool found = false;
    struct disclosure_row read;
    assert_int_equal(disclosures_get(&found, &read, sql, arena, told.application_id, &told.message).reason, CL_OK);
    assert_true(found);
    assert_string_equal(read.application_id, told.application_id);
    assert_true(cl_digest_equal(&read.message, &told.message));
    assert_string_equal(read.recipient, told.recipient);
    assert_int_equal(read.at_ms, 5000);
    assert_int_equal(read.consent_count, CL_CONSENTS_MAX);
    for (size_t i = 0; i < CL_CONSENTS_MAX; i++) {
        assert_string_equal(read.consents[i], list[i]);
    }
    struct cl_digest other = fixture_digest(12);
    assert_int_equal(disclosures_get(&found, &read, sql, arena, told.application_id, &other).reason, CL_OK);
    assert_false(found);
    assert_int_equal(disclosures_get(&found, &read, sql, arena, fixture_application_id(2), &told.message).reason,
                     CL_OK);
    assert_false(found);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

/* A reply's disclosure is written before its request is logged. */
static void the_message_may_come_later(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_tx *tx = store_fixture_begin(fixture);
    static const char *const ids[] = {"c-1"};
    struct disclosure_row told = {.application_id = fixture_application_id(1),
                                  .message = fixture_digest(30),
                                  .recipient = "bank:cn-alpha-js",
                                  .consents = ids,
                                  .consent_count = 1,
                                  .at_ms = 5000};
    struct message_row message = fixture_message(30);
    assert_int_equal(disclosures_add(tx, store_fixture_arena(fixture), &told).reason, CL_OK);
    assert_int_equal(messages_add(tx, &message).reason, CL_OK);
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_consent_is_given_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_consent_reads_back_and_is_withdrawn_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_letter_is_judged_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_of_a_consent_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_many_as_may_be_kept_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_names_its_consents_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_message_may_come_later, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
