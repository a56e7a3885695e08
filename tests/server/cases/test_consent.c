/* What messages bring of consents becomes records, as often as they name them, and what holds of them is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/cases/consent.h"
#include "tests/support/signing.h"
#include "tests/support/store_fixture.h"

#define CENTRE SIGNING_CENTRE
#define BANK   SIGNING_ALPHA

enum { GIVEN_MAX = 80, ARENA_BYTES = 8 * 1024 * 1024 };

static struct cl_arena *arena;
static struct store_fixture *fixture;
static struct centre centre = {.party = CENTRE};
static struct cases cases = {.centre = &centre};

static int set_up(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    centre.clock = cl_clock_system();
    fixture = store_fixture_create();
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    for (unsigned i = 10; i < 13; i++) {
        struct message_row message = fixture_message(i);
        assert_true(cl_is_ok(messages_add(tx, &message)));
    }
    assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_free(fixture);
    return 0;
}

/* -- What a message gives ------------------------------------------------------------------------------------ */

static Coloan__V1__Consent *consent(const char *id, unsigned person, Coloan__V1__ConsentPurpose purpose,
                                    const char *receiver, int64_t until_ms)
{
    Coloan__V1__Consent *made = cl_arena_alloc(arena, sizeof *made);
    struct cl_digest document = fixture_digest(55);
    assert_non_null(made);
    coloan__v1__consent__init(made);
    made->consent_id = cl_arena_text(arena, id);
    made->person = person;
    made->purpose = purpose;
    made->receiver = cl_arena_text(arena, receiver);
    made->until_ms = until_ms;
    made->document_sha256 = signing_data(arena, cl_bytes(document.bytes, sizeof document.bytes));
    return made;
}

static Coloan__V1__Consent *share(const char *id)
{
    return consent(id, 0, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE, BANK, SIGNING_NOW_MS + 1000);
}

struct message {
    struct signing_application application;
    Coloan__V1__Consent *list[GIVEN_MAX];
    struct consents_given given;
    struct cl_digest digest;
    struct case_effect effect;
};

static struct message *message_with(unsigned number, bool whole)
{
    struct message *message = cl_arena_alloc(arena, sizeof *message);
    assert_non_null(message);
    signing_application(&message->application, arena);
    message->digest = fixture_digest(number);
    message->given = (struct consents_given){
        .application = &message->application.application, .list = message->list, .whole = whole};
    return message;
}

static void add(struct message *message, Coloan__V1__Consent *consent_given)
{
    assert_true(message->given.count < GIVEN_MAX);
    message->list[message->given.count++] = consent_given;
}

/* What its sender would be told; undone when it is refused, as the writer does. */
static const char *take(struct message *message)
{
    struct store_tx *tx = store_fixture_begin(fixture);
    struct case_tx view = case_tx_of(&cases, tx, arena, &message->effect);
    view.now_ms = SIGNING_NOW_MS;
    view.message = &message->digest;
    struct cl_status status = consent_take(&view, fixture_application_id(1), &message->given);
    return cl_status_name(store_fixture_end(fixture, status));
}

static struct consent_rows kept(void)
{
    struct consent_rows rows;
    struct store_tx *tx = store_fixture_begin(fixture);
    assert_true(cl_is_ok(consents_list(&rows, store_tx_sql(tx), arena, fixture_application_id(1))));
    assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
    return rows;
}

static struct application *loaded(int64_t now_ms)
{
    struct application *application = cl_arena_alloc(arena, sizeof *application);
    assert_non_null(application);
    struct store_tx *tx = store_fixture_begin(fixture);
    assert_true(cl_is_ok(consent_load(application, store_tx_sql(tx), arena, fixture_application_id(1), now_ms)));
    assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
    application->person_count = 2;
    application->bank = BANK;
    return application;
}

/* -- Tests --------------------------------------------------------------------------------------------------- */

static void test_a_submission_is_kept(void **state)
{
    (void)state;
    struct message *submission = message_with(10, true);
    add(submission, share("b"));
    add(submission, consent("a", 1, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_VERIFY, CENTRE, SIGNING_NOW_MS + 5));
    assert_string_equal(take(submission), "OK");
    struct consent_rows rows = kept();
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.rows[0].consent_id, "a");
    assert_int_equal(rows.rows[0].person, 1);
    assert_int_equal(rows.rows[0].purpose, CONSENT_VERIFY);
    assert_string_equal(rows.rows[0].receiver, CENTRE);
    assert_int_equal(rows.rows[0].until_ms, SIGNING_NOW_MS + 5);
    assert_int_equal(rows.rows[0].given_ms, SIGNING_NOW_MS);
    assert_int_equal(rows.rows[0].withdrawn_ms, 0);
    assert_true(cl_digest_equal(&rows.rows[0].given_by, &submission->digest));
    struct cl_digest document = fixture_digest(55);
    assert_true(cl_digest_equal(&rows.rows[0].document, &document));
    /* whose it is: the commitment to the person's ID number */
    ProtobufCBinaryData id_number = submission->application.persons[1].id_number;
    assert_memory_equal(rows.rows[0].subject.bytes, id_number.data, CL_DIGEST_BYTES);
}

/* Covers: COL-CON-003 */
static void test_what_does_not_fit_the_record_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected;
        enum { SAME, PERSON, PURPOSE, RECEIVER, UNTIL, DOCUMENT, REPLACED, OTHER_REPLACED } change;
    } rows[] = {
        {"as it was", "OK", SAME},
        {"another person", "CONSENT_INVALID", PERSON},
        {"another purpose", "CONSENT_INVALID", PURPOSE},
        {"another receiver", "CONSENT_INVALID", RECEIVER},
        {"longer", "CONSENT_INVALID", UNTIL},
        {"another letter", "CONSENT_INVALID", DOCUMENT},
        {"somebody else at this index", "CONSENT_INVALID", REPLACED},
        {"somebody else at the other index", "OK", OTHER_REPLACED},
    };
    struct message *submission = message_with(10, true);
    size_t kept_count = 1;
    add(submission, share("a"));
    assert_string_equal(take(submission), "OK");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message *again = message_with(11, false);
        char fresh[24];
        (void)snprintf(fresh, sizeof fresh, "new-%zu", i);
        add(again, share(fresh));
        Coloan__V1__Consent *named = share("a");
        named->person += rows[i].change == PERSON ? 1 : 0;
        named->purpose =
            rows[i].change == PURPOSE ? COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_CREDIT_REPORT : named->purpose;
        named->receiver = rows[i].change == RECEIVER ? cl_arena_text(arena, CENTRE) : named->receiver;
        named->until_ms += rows[i].change == UNTIL ? 1 : 0;
        named->document_sha256.data[0] ^= rows[i].change == DOCUMENT ? 1 : 0;
        add(again, named);
        again->given.replaced[0] = rows[i].change == REPLACED;
        again->given.replaced[1] = rows[i].change == OTHER_REPLACED;
        const char *got = take(again);
        if (strcmp(got, rows[i].expected) != 0) {
            fail_msg("%s: %s", rows[i].name, got);
        }
        bool refused = strcmp(got, "OK") != 0;
        assert_string_equal(again->effect.field.text, refused ? "consents[1].consent_id" : "");
        kept_count += refused ? 0 : 1;
        assert_int_equal(kept().count, kept_count); /* of a refused one nothing stays */
    }
}

static void test_a_supplement_withdraws_what_it_leaves_out(void **state)
{
    (void)state;
    struct message *submission = message_with(10, true);
    add(submission, share("a"));
    add(submission, share("b"));
    assert_string_equal(take(submission), "OK");
    struct message *supplement = message_with(11, true);
    add(supplement, share("b"));
    add(supplement, share("c"));
    assert_string_equal(take(supplement), "OK");
    struct consent_rows rows = kept();
    assert_int_equal(rows.count, 3);
    assert_int_equal(rows.rows[0].withdrawn_ms, SIGNING_NOW_MS);
    assert_true(cl_digest_equal(&rows.rows[0].withdrawn_by, &supplement->digest));
    assert_int_equal(rows.rows[1].withdrawn_ms, 0);
    assert_true(cl_digest_equal(&rows.rows[1].given_by, &submission->digest));
    assert_true(cl_digest_equal(&rows.rows[2].given_by, &supplement->digest));

    struct message *revival = message_with(12, true);
    add(revival, share("b"));
    add(revival, share("c"));
    add(revival, share("a"));
    assert_string_equal(take(revival), "CONSENT_WITHDRAWN");
    assert_string_equal(revival->effect.field.text, "consents[2].consent_id");
}

static void test_a_change_of_bank_leaves_the_others(void **state)
{
    (void)state;
    struct message *submission = message_with(10, true);
    add(submission, share("a"));
    assert_string_equal(take(submission), "OK");
    struct message *change = message_with(11, false);
    add(change, consent("b", 0, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE, SIGNING_BETA, SIGNING_NOW_MS + 9));
    assert_string_equal(take(change), "OK");
    assert_int_equal(loaded(SIGNING_NOW_MS)->consent_count, 2);
}

static void test_only_so_many_may_hold(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool whole;
        size_t count;
        const char *expected;
    } rows[] = {
        {"one too many at once", true, CL_CONSENTS_MAX + 1, "FIELD_INVALID"},
        {"as many as may be", true, CL_CONSENTS_MAX, "OK"},
        {"one more", false, 1, "FIELD_INVALID"},
        {"others instead", true, CL_CONSENTS_MAX, "OK"},
        {"and others", true, CL_CONSENTS_MAX, "OK"},
        {"and others, the last", true, CL_CONSENTS_MAX, "OK"},
        {"past all that are kept", true, 1, "FIELD_INVALID"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message *message = message_with(10, rows[i].whole);
        for (size_t j = 0; j < rows[i].count; j++) {
            char id[24];
            (void)snprintf(id, sizeof id, "%zu-%zu", i, j);
            add(message, share(id));
        }
        const char *got = take(message);
        if (strcmp(got, rows[i].expected) != 0) {
            fail_msg("%s: %s", rows[i].name, got);
        }
        assert_string_equal(message->effect.field.text, strcmp(got, "OK") == 0 ? "" : "consents");
    }
    assert_int_equal(loaded(SIGNING_NOW_MS)->consent_count, CL_CONSENTS_MAX);
}

static void test_what_ended_does_not_count(void **state)
{
    (void)state;
    struct message *submission = message_with(10, true);
    add(submission, share("a"));
    assert_string_equal(take(submission), "OK");
    assert_int_equal(loaded(SIGNING_NOW_MS + 999)->consent_count, 1);
    assert_int_equal(loaded(SIGNING_NOW_MS + 1000)->consent_count, 0);
}

/* Covers: COL-CON-004 */
static void test_each_item_needs_its_consents(void **state)
{
    (void)state;
    static const struct {
        enum item item;
        unsigned person;
        const char *needs; /* ids of all that it needs */
    } rows[] = {
        {ITEM_ID_NUMBER, 0, ""},       {ITEM_CONSENT, 0, ""},       {ITEM_INCOME, 0, ""},
        {ITEM_IDENTITY, 0, "v0"},      {ITEM_IDENTITY, 1, "v1"},    {ITEM_HOME_CONTRACT, 0, "v0 v1"},
        {ITEM_HOME_COUNT, 0, "v0 v1"}, {ITEM_CREDIT_FUND, 0, "c0"}, {ITEM_CREDIT_FUND, 1, "c1"},
        {ITEM_CREDIT_BANK, 1, "b1"},
    };
    static const char *const ids[] = {"v0", "v1", "c0", "c1", "b0", "b1"};
    struct message *submission = message_with(10, true);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        add(submission, consent(ids[i], (unsigned)(i % 2),
                                i < 2 ? COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_VERIFY
                                      : COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_CREDIT_REPORT,
                                i < 4 ? CENTRE : BANK, SIGNING_NOW_MS + 1000));
    }
    assert_string_equal(take(submission), "OK");
    struct application *application = loaded(SIGNING_NOW_MS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(consent_allows(application, CENTRE, rows[i].item, rows[i].person));
        for (size_t j = 0; j < application->consent_count; j++) {
            struct application without = *application;
            without.consents[j] = without.consents[--without.consent_count];
            bool needed = strstr(rows[i].needs, application->consents[j].consent_id) != NULL;
            if (consent_allows(&without, CENTRE, rows[i].item, rows[i].person) == needed) {
                fail_msg("row %zu without %s", i, application->consents[j].consent_id);
            }
        }
    }
}

/* Covers: COL-CON-002 */
static void test_each_person_shares_for_itself(void **state)
{
    (void)state;
    struct message *submission = message_with(10, true);
    Coloan__V1__Consent *second = share("b");
    second->person = 1;
    add(submission, share("a"));
    add(submission, second);
    assert_string_equal(take(submission), "OK");
    struct application *application = loaded(SIGNING_NOW_MS);
    struct consent_sharing sharing;
    const char *named[CL_PERSONS_MAX];
    consent_sharing(&sharing, application, BANK);
    assert_true(sharing.of_all);
    assert_int_equal(consent_sharing_ids(named, &sharing), 2);
    assert_string_equal(named[1], "b");
    application->consent_count = 1; /* the first by id: "a" */
    consent_sharing(&sharing, application, BANK);
    assert_false(sharing.of_all);
    assert_int_equal(consent_sharing_ids(named, &sharing), 1);
    assert_string_equal(sharing.of_person[0], "a");
    assert_null(sharing.of_person[1]);
    consent_sharing(&sharing, application, SIGNING_BETA);
    assert_int_equal(consent_sharing_ids(named, &sharing), 0);
}

int main(void)
{
    if (cl_failed(cl_arena_create(&arena, ARENA_BYTES))) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_submission_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_the_record_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_supplement_withdraws_what_it_leaves_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_change_of_bank_leaves_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_so_many_may_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_ended_does_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_item_needs_its_consents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_person_shares_for_itself, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cl_arena_free(arena);
    return failed;
}
